// Certificates made on the spot, and real TLS connections over the loopback, for tests. Whatever
// fails here ends the process with a message.
#ifndef REEVE_ADAPTERS_SOCKET_TLS_TLS_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_TLS_TLS_TESTING_H_

#include <openssl/ssl.h>
#include <openssl/types.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_source.h"

namespace reeve {
namespace tls_testing {

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

// When all this happens: certificates are valid a day before and after. It is also what
// reeve::testing::FakeClock says at first.
inline const absl::Time kNow = absl::FromUnixSeconds(1800000000);

struct CertificateSpec {
  std::string common_name = "test";
  // "URI:spiffe://example.org/a", "DNS:", "email:", "IP:10.1.2.3", "dirName:" (a common name),
  // "otherName:" (a user principal name). What follows the colon is taken as it is, NULs and all;
  // of "IP:" that is no address, as the bytes themselves.
  std::vector<std::string> names;
  // The whole value of the extension (a DER sequence of names), in the place of `names`, or beside
  // them as a second extension.
  std::string raw_names;
  absl::Time not_before = kNow - absl::Hours(24);
  absl::Time not_after = kNow + absl::Hours(24);
  bool ca = false;
  // As X509V3_EXT_conf_nid() reads them; empty: no such extension.
  std::string key_usage;           // "critical,digitalSignature"
  std::string extended_key_usage;  // "serverAuth"
};

// A certificate and its key, EC P-256. A value; copies share both.
struct Credential {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;

  // Signed by `issuer`; by itself if that is null. Each has another serial number, the count of
  // those made by this process.
  static Credential Make(const CertificateSpec& spec, const Credential* issuer = nullptr);
  // Of an authority.
  static Credential MakeAuthority(std::string common_name, const Credential* issuer = nullptr);

  // The certificate, DER.
  std::string der() const;
};

// A list of what `issuer` revoked, current at kNow.
std::shared_ptr<X509_CRL> Revoke(const Credential& issuer, const std::vector<Credential>& revoked);

struct ContextSpec {
  // Who this end is; none: it shows no certificate.
  std::optional<Credential> own;
  // Sent along: the authorities between `own` and who is trusted.
  std::vector<Credential> chain;
  std::vector<Credential> trusted;
  int verify_mode = SSL_VERIFY_PEER;
  int (*verify_callback)(int, X509_STORE_CTX*) = nullptr;
  int version = 0;  // TLS1_2_VERSION: that only; 0: what OpenSSL offers.
  // For TLS 1.2 and before, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"; empty: what OpenSSL offers.
  std::string ciphers;
  absl::Time now = kNow;  // At which certificates are verified.
};

using Context = std::unique_ptr<SSL_CTX, Free>;
Context MakeContext(bool server, const ContextSpec& spec);

// A TLS connection over 127.0.0.1, both ends in this process. After the handshake the server sent
// one byte, which the client has read, and with it the tickets of TLS 1.3. The process ignores
// SIGPIPE from then on.
class Connection {
 public:
  struct Options {
    SSL_SESSION* session = nullptr;  // That the client resumes.
    // Called before the handshake of each end.
    std::function<void(SSL* server, SSL* client)> prepare;
    // Only connects the sockets; the sessions have not begun.
    bool handshake = true;
  };

  Connection(SSL_CTX* server, SSL_CTX* client, const Options& options);
  Connection(SSL_CTX* server, SSL_CTX* client) : Connection(server, client, Options()) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  SSL* server() const { return server_.get(); }
  SSL* client() const { return client_.get(); }
  int server_fd() const { return server_fd_; }
  int client_fd() const { return client_fd_; }
  // Whether the handshake, and the byte, succeeded at this end.
  bool server_ok() const { return server_ok_; }
  bool client_ok() const { return client_ok_; }

  // Runs both at once, the one on another thread, and returns when both are done.
  void Run(const std::function<void(SSL*)>& server, const std::function<void(SSL*)>& client) const;

 private:
  int server_fd_;
  int client_fd_;
  std::unique_ptr<SSL, Free> server_;
  std::unique_ptr<SSL, Free> client_;
  bool server_ok_ = false;
  bool client_ok_ = false;
};

// `fd`, as a source of peers is asked about it; without a peer if that has gone.
SocketPeer PeerOf(int fd);

}  // namespace tls_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_TLS_TESTING_H_
