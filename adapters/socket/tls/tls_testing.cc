#include "reeve/adapters/socket/tls/tls_testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "reeve/adapters/socket/ip_address.h"

namespace reeve {
namespace tls_testing {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "tls_testing: %s\n", what);
  ERR_print_errors_fp(stderr);
  std::perror("errno");
  std::abort();
}

void Require(bool condition, const char* what) {
  if (!condition) Fail(what);
}

void Set(ASN1_STRING* string, std::string_view bytes) {
  Require(ASN1_STRING_set(string, bytes.data(), static_cast<int>(bytes.size())) == 1, "string");
}

X509_NAME* CommonName(const std::string& text) {
  X509_NAME* const name = X509_NAME_new();
  Require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()), -1, 0) == 1,
          "name");
  return name;
}

GENERAL_NAME* GeneralName(std::string_view text) {
  const size_t colon = text.find(':');
  Require(colon != std::string_view::npos, "a name without a kind");
  const std::string_view kind = text.substr(0, colon);
  const std::string_view value = text.substr(colon + 1);
  GENERAL_NAME* const name = GENERAL_NAME_new();
  if (kind == "dirName") {
    GENERAL_NAME_set0_value(name, GEN_DIRNAME, CommonName(std::string(value)));
  } else if (kind == "otherName") {
    ASN1_UTF8STRING* const utf8 = ASN1_UTF8STRING_new();
    Set(utf8, value);
    ASN1_TYPE* const type = ASN1_TYPE_new();
    ASN1_TYPE_set(type, V_ASN1_UTF8STRING, utf8);
    Require(GENERAL_NAME_set0_othername(name, OBJ_nid2obj(NID_ms_upn), type) == 1, "otherName");
  } else if (kind == "IP") {
    ASN1_OCTET_STRING* const octets = ASN1_OCTET_STRING_new();
    if (const std::optional<IpAddress> ip = IpAddress::Parse(value); ip.has_value()) {
      Set(octets, {reinterpret_cast<const char*>(ip->bytes.data()), ip->size()});
    } else {
      Set(octets, value);
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, octets);
  } else {
    const int type = kind == "URI"     ? GEN_URI
                     : kind == "DNS"   ? GEN_DNS
                     : kind == "email" ? GEN_EMAIL
                                       : -1;
    Require(type >= 0, "a name of an unknown kind");
    ASN1_IA5STRING* const string = ASN1_IA5STRING_new();
    Set(string, value);
    GENERAL_NAME_set0_value(name, type, string);
  }
  return name;
}

void AddNames(const std::vector<std::string>& texts, X509* certificate) {
  GENERAL_NAMES* const names = GENERAL_NAMES_new();
  for (const std::string& text : texts) sk_GENERAL_NAME_push(names, GeneralName(text));
  Require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1,
          "names");
  GENERAL_NAMES_free(names);
}

void AddExtension(int nid, const std::string& value, X509* certificate) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
  X509_EXTENSION_free(extension);
}

void SetUp(int fd) {
  Require(fd >= 0, "socket");
  // A test that goes wrong ends; one that goes right waits for no acknowledgements.
  const timeval patience = {20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void Connect(int* server, int* client) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Require(bind(listener, generic, size) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, generic, &size) == 0,
          "listen");
  *client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SetUp(*client);
  Require(connect(*client, generic, size) == 0, "connect");
  *server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  SetUp(*server);
  close(listener);
}

}  // namespace

Credential Credential::Make(const CertificateSpec& spec, const Credential* issuer) {
  static std::atomic<long> serial{0};
  Credential made;
  made.key.reset(EVP_EC_gen("P-256"), Free());
  made.certificate.reset(X509_new(), Free());
  X509* const certificate = made.certificate.get();
  Require(certificate != nullptr && made.key != nullptr, "key");
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(spec.not_before));
  ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(spec.not_after));
  X509_NAME* const name = CommonName(spec.common_name);
  X509_set_subject_name(certificate, name);
  X509_set_issuer_name(certificate,
                       issuer == nullptr ? name : X509_get_subject_name(issuer->certificate.get()));
  X509_NAME_free(name);
  X509_set_pubkey(certificate, made.key.get());
  AddExtension(NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "critical,CA:FALSE",
               certificate);
  if (!spec.key_usage.empty()) AddExtension(NID_key_usage, spec.key_usage, certificate);
  if (!spec.extended_key_usage.empty()) {
    AddExtension(NID_ext_key_usage, spec.extended_key_usage, certificate);
  }
  if (!spec.names.empty()) AddNames(spec.names, certificate);
  if (!spec.raw_names.empty()) {
    ASN1_OCTET_STRING* const raw = ASN1_OCTET_STRING_new();
    Set(raw, spec.raw_names);
    X509_EXTENSION* const extension =
        X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, raw);
    Require(X509_add_ext(certificate, extension, -1) == 1, "raw names");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(raw);
  }
  EVP_PKEY* const signer = issuer == nullptr ? made.key.get() : issuer->key.get();
  Require(X509_sign(certificate, signer, EVP_sha256()) > 0, "sign");
  return made;
}

Credential Credential::MakeAuthority(std::string common_name, const Credential* issuer) {
  CertificateSpec spec;
  spec.common_name = std::move(common_name);
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign,cRLSign";
  return Make(spec, issuer);
}

std::string Credential::der() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate.get(), &bytes);
  Require(size > 0, "der");
  std::string text(reinterpret_cast<char*>(bytes), size);
  OPENSSL_free(bytes);
  return text;
}

std::shared_ptr<X509_CRL> Revoke(const Credential& issuer, const std::vector<Credential>& revoked) {
  std::shared_ptr<X509_CRL> crl(X509_CRL_new(), Free());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.certificate.get()));
  ASN1_TIME* const time = ASN1_TIME_set(nullptr, absl::ToTimeT(kNow - absl::Hours(1)));
  X509_CRL_set1_lastUpdate(crl.get(), time);
  for (const Credential& credential : revoked) {
    X509_REVOKED* const entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(credential.certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(crl.get(), entry);
  }
  ASN1_TIME_set(time, absl::ToTimeT(kNow + absl::Hours(1)));
  X509_CRL_set1_nextUpdate(crl.get(), time);
  ASN1_TIME_free(time);
  X509_CRL_sort(crl.get());
  Require(X509_CRL_sign(crl.get(), issuer.key.get(), EVP_sha256()) > 0, "crl");
  return crl;
}

Context MakeContext(bool server, const ContextSpec& spec) {
  Context context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  Require(context != nullptr, "context");
  SSL_CTX* const ctx = context.get();
  if (!spec.ciphers.empty()) {
    Require(SSL_CTX_set_cipher_list(ctx, spec.ciphers.c_str()) == 1, "ciphers");
  }
  if (spec.version != 0) {
    SSL_CTX_set_min_proto_version(ctx, spec.version);
    SSL_CTX_set_max_proto_version(ctx, spec.version);
  }
  if (spec.own.has_value()) {
    Require(SSL_CTX_use_certificate(ctx, spec.own->certificate.get()) == 1 &&
                SSL_CTX_use_PrivateKey(ctx, spec.own->key.get()) == 1,
            "certificate");
  }
  for (const Credential& credential : spec.chain) {
    Require(SSL_CTX_add1_chain_cert(ctx, credential.certificate.get()) == 1, "chain");
  }
  for (const Credential& credential : spec.trusted) {
    Require(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), credential.certificate.get()) == 1,
            "trusted");
  }
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), absl::ToTimeT(spec.now));
  SSL_CTX_set_verify(ctx, spec.verify_mode, spec.verify_callback);
  // Without it a server that asks for certificates resumes nothing.
  const unsigned char id[] = "test";
  SSL_CTX_set_session_id_context(ctx, id, sizeof(id));
  // A renegotiation is answered within SSL_read().
  SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
  return context;
}

Connection::Connection(SSL_CTX* server, SSL_CTX* client, const Options& options)
    : server_(SSL_new(server)), client_(SSL_new(client)) {
  std::signal(SIGPIPE, SIG_IGN);
  Connect(&server_fd_, &client_fd_);
  Require(SSL_set_fd(server_.get(), server_fd_) == 1 && SSL_set_fd(client_.get(), client_fd_) == 1,
          "sessions");
  SSL_set_accept_state(server_.get());
  SSL_set_connect_state(client_.get());
  if (options.session != nullptr) {
    Require(SSL_set_session(client_.get(), options.session) == 1, "session");
  }
  if (options.prepare) options.prepare(server_.get(), client_.get());
  if (!options.handshake) return;
  Run(
      [this](SSL* ssl) {
        server_ok_ = SSL_do_handshake(ssl) == 1 && SSL_write(ssl, "!", 1) == 1;
        if (!server_ok_) shutdown(server_fd_, SHUT_RDWR);
      },
      [this](SSL* ssl) {
        char byte;
        client_ok_ = SSL_do_handshake(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1;
        if (!client_ok_) shutdown(client_fd_, SHUT_RDWR);
      });
}

Connection::~Connection() {
  close(server_fd_);
  close(client_fd_);
}

void Connection::Run(const std::function<void(SSL*)>& server,
                     const std::function<void(SSL*)>& client) const {
  std::thread other([&] {
    client(client_.get());
    ERR_clear_error();
  });
  server(server_.get());
  other.join();
  ERR_clear_error();
}

SocketPeer PeerOf(int fd) {
  SocketPeer peer;
  peer.fd = fd;
  sockaddr_storage address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  Require(getsockname(fd, generic, &size) == 0, "getsockname");
  peer.family = address.ss_family;
  peer.local = IpEndpoint::From(generic, size).value_or(IpEndpoint());
  size = sizeof(address);
  if (getpeername(fd, generic, &size) == 0) {
    peer.peer = IpEndpoint::From(generic, size).value_or(IpEndpoint());
  }
  socklen_t type_size = sizeof(peer.type);
  Require(getsockopt(fd, SOL_SOCKET, SO_TYPE, &peer.type, &type_size) == 0, "SO_TYPE");
  peer.peer_is_local = peer.peer.address.is_loopback();
  return peer;
}

}  // namespace tls_testing
}  // namespace reeve
