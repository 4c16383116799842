#include "reeve/examples/document_server/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace document_server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What OpenSSL says of `error`, one of its queue.
std::string Reason(unsigned long error) {  // NOLINT(google-runtime-int): OpenSSL's
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? "unknown error" : reason;
}

TlsContext Fail(const std::string& file, std::string* error) {
  // The first one is of the file; what follows from it is not.
  *error = (file.empty() ? "" : file + ": ") + Reason(ERR_peek_error());
  return nullptr;
}

// Nobody is there to type a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

// What servers and clients have in common.
TlsContext MakeContext(const SSL_METHOD* method, const TlsFiles& files, std::string* error) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(method));
  SSL_CTX* const tls = context.get();
  if (tls == nullptr || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
    return Fail("", error);
  }
  // Each session is one connection, whose peer proves itself once, in its handshake: there is no
  // second handshake that could show another certificate, and no ticket by which a session outlives
  // the certificate, or the trust in it.
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  // Who ends without a goodbye has ended. Whether it was cut off the lines tell.
  SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(tls, 0);
  SSL_CTX_set_default_passwd_cb(tls, NoPassphrase);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_file(tls, files.authorities.c_str()) != 1) {
    return Fail(files.authorities, error);
  }
  if (files.certificate.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(tls, files.certificate.c_str()) != 1) {
    return Fail(files.certificate, error);
  }
  if (SSL_CTX_use_PrivateKey_file(tls, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Fail(files.key, error);
  }
  return context;
}

bool IsAddress(const std::string& host) {
  unsigned char ignored[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), ignored) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored) == 1;
}

// Why `session` has failed with `error`; empty if the other side has ended.
std::string FailureOf(const SSL* session, int error) {
  switch (error) {
    case SSL_ERROR_ZERO_RETURN:
      return "";
    case SSL_ERROR_SYSCALL:
      return errno == 0 ? "" : std::strerror(errno);
    default:
      break;
  }
  const std::string reason = Reason(ERR_peek_last_error());
  if (ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_CERTIFICATE_VERIFY_FAILED) return reason;
  return reason + ": " + X509_verify_cert_error_string(SSL_get_verify_result(session));
}

// Until `deadline`. False if it has passed.
bool WaitFor(int fd, short events, const steady_clock::time_point* deadline) {
  for (;;) {
    int wait = -1;
    if (deadline != nullptr) {
      const auto left = std::chrono::ceil<milliseconds>(*deadline - steady_clock::now());
      if (left <= milliseconds(0)) return false;
      wait = static_cast<int>(left.count());
    }
    pollfd waiting = {fd, events, 0};
    const int ready = poll(&waiting, 1, wait);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

void FreeTls::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void FreeTls::operator()(SSL* session) const { SSL_free(session); }

TlsContext ServerTls(const TlsFiles& files, std::string* error) {
  TlsContext context = MakeContext(TLS_server_method(), files, error);
  if (context == nullptr) return nullptr;
  // Tells clients which certificates would do.
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(files.authorities.c_str());
  if (names == nullptr) return Fail(files.authorities, error);
  SSL_CTX_set_client_CA_list(context.get(), names);
  return context;
}

TlsContext ClientTls(const TlsFiles& files, std::string* error) {
  return MakeContext(TLS_client_method(), files, error);
}

TlsStream::TlsStream(SSL_CTX* context, int fd, milliseconds patience)
    : fd_(fd), patience_(patience), session_(SSL_new(context)) {
  if (session_ == nullptr || SSL_set_fd(session_.get(), fd) != 1) std::abort();  // No memory.
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TlsStream::~TlsStream() {
  if (!broken_) SSL_shutdown(session_.get());
  ERR_clear_error();
}

bool TlsStream::Accept() {
  broken_ = false;
  return Run([this] { return SSL_accept(session()); }) == 1;
}

bool TlsStream::Connect(const std::string& host) {
  broken_ = false;
  if (!IsAddress(host)) SSL_set_tlsext_host_name(session(), host.c_str());
  return Run([this] { return SSL_connect(session()); }) == 1;
}

size_t TlsStream::Receive(char* bytes, size_t size) {
  const int most = static_cast<int>(std::min<size_t>(size, 1 << 14));
  return static_cast<size_t>(Run([&] { return SSL_read(session(), bytes, most); }));
}

bool TlsStream::Send(std::string_view bytes) {
  return Run([&] { return SSL_write(session(), bytes.data(), static_cast<int>(bytes.size())); }) >
         0;
}

int TlsStream::Run(const std::function<int()>& operation) {
  const steady_clock::time_point deadline = steady_clock::now() + patience_;
  failure_.clear();
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = operation();
    if (result > 0) return result;
    const int error = SSL_get_error(session(), result);
    const bool wants_more = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!wants_more) {
      failure_ = FailureOf(session(), error);
    } else if (WaitFor(fd_, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
                       patience_ > milliseconds(0) ? &deadline : nullptr)) {
      continue;
    } else {
      failure_ = "it took too long";
    }
    broken_ = true;
    return 0;
  }
}

}  // namespace document_server
