#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_TLS_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_TLS_H_

#include <openssl/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "reeve/examples/document_server/stream.h"

// TLS for the example's server and client, by OpenSSL. Nothing here is about authorization.
namespace document_server {

struct FreeTls {
  void operator()(SSL_CTX* context) const;
  void operator()(SSL* session) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;

// Files, PEM.
struct TlsFiles {
  std::string certificate;  // One's own, and what is between it and an authority.
  std::string key;
  std::string authorities;  // Who may vouch for the other side.
};

// What a server's sessions have in common; null with *error set on failure. A client that shows a
// certificate must have a good one, or there is no session. It need not show any: such a client is
// decided on as anonymous, and what it asked for is recorded, while who is turned away in the
// handshake leaves no record. Where nobody without a certificate has any business, add
// SSL_VERIFY_FAIL_IF_NO_PEER_CERT.
TlsContext ServerTls(const TlsFiles& files, std::string* error);

// The same of a client. The certificate and its key may be empty; then it shows none.
TlsContext ClientTls(const TlsFiles& files, std::string* error);

// TLS over a connected socket, which becomes non-blocking. SIGPIPE must be ignored. One thread at a
// time.
class TlsStream final : public Stream {
 public:
  // `context` and `fd` are not owned and must outlive this. Whatever takes longer than `patience`
  // has failed: the handshake, receiving something, sending something. Zero: waits for ever.
  TlsStream(SSL_CTX* context, int fd, std::chrono::milliseconds patience);
  // Says goodbye, and does not wait for an answer.
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // The handshake: of a server; of a client, that tells which `host` it asks for. Once, before all
  // else. False with failure() set.
  bool Accept();
  bool Connect(const std::string& host);

  // Not null.
  SSL* session() const { return session_.get(); }

  size_t Receive(char* bytes, size_t size) override;
  bool Send(std::string_view bytes) override;
  std::string failure() const override { return failure_; }

 private:
  // Runs what OpenSSL can do without waiting, and waits, until it is done: what it returned, or 0
  // with failure_ set.
  int Run(const std::function<int()>& operation);

  const int fd_;
  const std::chrono::milliseconds patience_;
  const std::unique_ptr<SSL, FreeTls> session_;
  bool broken_ = true;  // Nothing more can be sent: before the handshake, and after failures.
  std::string failure_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_TLS_H_
