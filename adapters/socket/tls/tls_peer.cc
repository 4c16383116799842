#include "reeve/adapters/socket/tls/tls_peer.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr size_t kMaxSerialBytes = 64;  // RFC 5280, 4.1.2.2: 20.
constexpr size_t kMaxIssuerBytes = 4096;
constexpr size_t kMaxIssuerEvidenceBytes = 200;
constexpr size_t kBindingBytes = 32;
constexpr size_t kBindingEvidenceBytes = 8;

struct Free {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

const TlsPeerOptions& DefaultOptions() {
  static const TlsPeerOptions* const options = new TlsPeerOptions;
  return *options;
}

std::string Hex(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), size});
}

absl::Status Unproved(std::string_view what) { return MakePeerError(PeerError::kUnproved, what); }

absl::Time Now(const TlsPeerOptions& options) {
  return (options.clock == nullptr ? Clock::System() : *options.clock).Now();
}

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// Nothing if it is malformed.
std::optional<absl::Time> TimeOf(const ASN1_TIME* time) {
  std::tm broken = {};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return std::nullopt;
  return absl::FromCivil(
      absl::CivilSecond(broken.tm_year + 1900LL, broken.tm_mon + 1, broken.tm_mday, broken.tm_hour,
                        broken.tm_min, broken.tm_sec),
      absl::UTCTimeZone());
}

struct Verified {
  X509* certificate;     // The session's.
  absl::Time not_after;  // Of the chain, as far as it is known.
};

// Narrows *not_after by that of `certificate`; an error if it is not valid at `now`.
absl::Status CheckValidity(const X509* certificate, absl::Time now, absl::Time* not_after) {
  const std::optional<absl::Time> begin = TimeOf(X509_get0_notBefore(certificate));
  const std::optional<absl::Time> end = TimeOf(X509_get0_notAfter(certificate));
  if (!begin.has_value() || !end.has_value()) {
    return Unproved("the peer's certificate has a malformed time");
  }
  if (now < *begin) {
    return Unproved(absl::StrCat("the peer's certificate, or one above it, is not valid before ",
                                 Text(*begin), "; check this machine's clock"));
  }
  // RFC 5280, 4.1.2.5, lets the second that it names be its last; OpenSSL does not.
  if (now >= *end) {
    return Unproved(absl::StrCat("the peer's certificate, or one above it, has expired at ",
                                 Text(*end), "; let the peer renew it and connect again"));
  }
  *not_after = std::min(*not_after, *end);
  return absl::OkStatus();
}

absl::Status CheckSession(SSL* ssl, const TlsPeerOptions& options) {
  if (SSL_is_init_finished(ssl) != 1) {
    return Unproved("the TLS handshake is not done; ask after SSL_accept() or SSL_connect()");
  }
  if (SSL_is_dtls(ssl) == 1 || SSL_version(ssl) < TLS1_2_VERSION) {
    return Unproved(absl::StrCat("the session is of ", SSL_get_version(ssl),
                                 "; only TLS 1.2 and later prove who a peer is"));
  }
  const bool resumed = SSL_session_reused(ssl) == 1;
  if (resumed && !options.allow_resumed) {
    return Unproved("the session is a resumed one, which TlsPeerOptions::allow_resumed refuses");
  }
  if (SSL_version(ssl) == TLS1_2_VERSION && SSL_get_extms_support(ssl) != 1 &&
      (resumed || SSL_num_renegotiations(ssl) > 0)) {
    return Unproved(
        "the session is a resumed or renegotiated one of TLS 1.2 without extended master secrets, "
        "which may be shared with another peer");
  }
  return absl::OkStatus();
}

absl::Status Refused(long verdict) {
  return Unproved(absl::StrCat("the peer's certificate was not believed: ",
                               X509_verify_cert_error_string(verdict)));
}

// OpenSSL's verification, with no callback of the program's.
absl::Status VerifyAgain(const SSL* ssl, X509* certificate, X509_STORE* store, absl::Time now) {
  const std::unique_ptr<X509_STORE_CTX, Free> context(X509_STORE_CTX_new());
  const char* const purpose = SSL_is_server(ssl) ? "ssl_client" : "ssl_server";
  if (context == nullptr ||
      X509_STORE_CTX_init(context.get(), store, certificate, SSL_get_peer_cert_chain(ssl)) != 1 ||
      X509_STORE_CTX_set_default(context.get(), purpose) != 1) {
    return MakePeerError(PeerError::kUnavailable,
                         "OpenSSL could not begin to verify the peer's certificate");
  }
  X509_STORE_CTX_set_verify_cb(context.get(), [](int ok, X509_STORE_CTX*) { return ok; });
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
  X509_VERIFY_PARAM_set_time(param, absl::ToTimeT(now));
  const bool ok = X509_verify_cert(context.get()) == 1;
  const int verdict = X509_STORE_CTX_get_error(context.get());
  if (ok && verdict == X509_V_OK) return absl::OkStatus();
  return Refused(verdict == X509_V_OK ? X509_V_ERR_UNSPECIFIED : verdict);
}

// The peer's certificate, if it is believed now. NotFound if there is none.
absl::StatusOr<Verified> VerifiedCertificate(SSL* ssl, const TlsPeerOptions& options) {
  if (absl::Status status = CheckSession(ssl, options); !status.ok()) return status;
  Verified verified{SSL_get0_peer_certificate(ssl), absl::InfiniteFuture()};
  if (verified.certificate == nullptr) {
    return absl::NotFoundError("the peer has shown no certificate");
  }
  const absl::Time now = Now(options);
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0) {
    if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
      return Refused(verdict);
    }
    // A program that verifies by a function of its own, and does not, leaves no chain. No chain is
    // kept with a session.
    if (options.reverify == nullptr && sk_X509_num(chain) < 1 && SSL_session_reused(ssl) != 1) {
      return Unproved(
          "the peer's certificate was taken without verification by OpenSSL; set "
          "TlsPeerOptions::reverify");
    }
  } else if (options.reverify == nullptr) {
    return Unproved(
        "the peer's certificate was not verified; set SSL_VERIFY_PEER, or "
        "TlsPeerOptions::reverify");
  }
  if (absl::Status status = CheckValidity(verified.certificate, now, &verified.not_after);
      !status.ok()) {
    return status;
  }
  // The first is the certificate itself. Null has -1.
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    absl::Status status = CheckValidity(sk_X509_value(chain, i), now, &verified.not_after);
    if (!status.ok()) return status;
  }
  if (options.reverify != nullptr) {
    absl::Status status = VerifyAgain(ssl, verified.certificate, options.reverify, now);
    if (!status.ok()) return status;
  }
  return verified;
}

// Of two descriptors, one may be a dup(2) of the other.
bool IsSameSocket(int a, int b) {
  if (a == b) return true;
  struct stat a_stat;
  struct stat b_stat;
  return fstat(a, &a_stat) == 0 && fstat(b, &b_stat) == 0 && S_ISSOCK(a_stat.st_mode) &&
         a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino;
}

absl::Status CheckTransport(const SSL* ssl, const SocketPeer& peer, bool any_transport) {
  if (peer.type != SOCK_STREAM) {
    return Unproved("the socket is no stream, so no TLS session passes through it");
  }
  // -1 if there is none.
  const int read = SSL_get_rfd(ssl);
  const int write = SSL_get_wfd(ssl);
  if (!any_transport && (read < 0 || write < 0)) {
    return Unproved(
        "the TLS session is over no descriptor, so it cannot be told which socket's it is; if "
        "the program is sure, set TlsPeerOptions::any_transport");
  }
  for (const int fd : {read, write}) {
    if (fd >= 0 && !IsSameSocket(fd, peer.fd)) {
      return Unproved(absl::StrCat("the TLS session is over descriptor ", fd, ", and not over ",
                                   peer.fd, "; give each socket its own session"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> IssuerOf(const X509* certificate) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  // Bytes beyond ASCII are escaped, and control characters.
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
    return Unproved("the name of the authority of the peer's certificate cannot be written");
  }
  char* text;
  const long size = BIO_get_mem_data(bio.get(), &text);
  if (size > static_cast<long>(kMaxIssuerBytes)) {
    return Unproved(absl::StrCat("the name of the authority of the peer's certificate has ", size,
                                 " bytes, more than ", kMaxIssuerBytes));
  }
  return std::string(text, size);
}

absl::StatusOr<std::string> SerialOf(const X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  const auto size = static_cast<size_t>(ASN1_STRING_length(serial));
  if (size > kMaxSerialBytes) {
    return Unproved(absl::StrCat("the peer's certificate has a serial number of ", size,
                                 " bytes, more than ", kMaxSerialBytes));
  }
  return absl::StrCat(ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER ? "-" : "",
                      Hex(ASN1_STRING_get0_data(serial), size));
}

absl::StatusOr<std::string> FingerprintOf(const X509* certificate) {
  // Fetched once, for that takes longer than to hash.
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size;
  if (sha256 == nullptr || X509_digest(certificate, sha256, digest, &size) != 1) {
    return MakePeerError(PeerError::kUnavailable,
                         "the peer's certificate could not be hashed; OpenSSL gave no SHA-256");
  }
  return Hex(digest, size);
}

std::string BindingOf(SSL* ssl) {
  constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  unsigned char binding[kBindingBytes];
  if ((SSL_version(ssl) == TLS1_2_VERSION && SSL_get_extms_support(ssl) != 1) ||
      SSL_export_keying_material(ssl, binding, sizeof(binding), kLabel.data(), kLabel.size(),
                                 binding, 0, /*use_context=*/1) != 1) {
    return "none";
  }
  return Hex(binding, kBindingEvidenceBytes);
}

}  // namespace

TlsPeer::TlsPeer(SSL* ssl) : TlsPeer(ssl, DefaultOptions()) {}

absl::StatusOr<PeerIdentity> TlsPeer::Identify(const SocketPeer& peer) const {
  const ErrorQueueMark mark;
  if (absl::Status status = CheckTransport(ssl_, peer, options_.any_transport); !status.ok()) {
    return status;
  }
  const absl::StatusOr<Verified> verified = VerifiedCertificate(ssl_, options_);
  if (!verified.ok()) return verified.status();
  absl::StatusOr<TlsNamed> named = NamedBy(verified->certificate, options_.names);
  if (!named.ok()) return named.status();
  absl::StatusOr<std::string> issuer = IssuerOf(verified->certificate);
  if (!issuer.ok()) return issuer.status();
  absl::StatusOr<std::string> serial = SerialOf(verified->certificate);
  if (!serial.ok()) return serial.status();
  absl::StatusOr<std::string> fingerprint = FingerprintOf(verified->certificate);
  if (!fingerprint.ok()) return fingerprint.status();

  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_);
  // The issuer comes last, so that no authority's name can look like another field.
  std::string evidence =
      absl::StrCat("serial=", *serial, " sha256=", *fingerprint,
                   " verify=", options_.reverify == nullptr ? "ok" : "again",
                   " protocol=", SSL_get_version(ssl_), " cipher=", SSL_CIPHER_get_name(cipher),
                   " resumed=", SSL_session_reused(ssl_) == 1 ? "yes" : "no");
  if (options_.binding) absl::StrAppend(&evidence, " binding=", BindingOf(ssl_));
  absl::StrAppend(&evidence, " issuer=", Printable(*issuer, kMaxIssuerEvidenceBytes));
  // Not by its list of values, which would be copied.
  Attributes attributes;
  attributes.Set("tls_fingerprint", Value::String(*std::move(fingerprint)));
  attributes.Set("tls_issuer", Value::String(*std::move(issuer)));
  attributes.Set("tls_not_after", Value::Timestamp(verified->not_after));
  attributes.Set("tls_serial", Value::String(*std::move(serial)));

  PeerIdentity identity;
  // Suites without encryption exist before TLS 1.3, and with RFC 9150.
  identity.encrypted = cipher != nullptr && SSL_CIPHER_get_bits(cipher, nullptr) > 0;
  const auto principal = [](EntityId id, std::vector<EntityId> parents, std::string host,
                            Attributes attributes, std::string evidence) {
    Principal principal(std::move(id), Assurance::kCrypto);
    principal.parents = std::move(parents);
    principal.attributes = std::move(attributes);
    principal.via = "tls";
    principal.host = std::move(host);
    principal.evidence = std::move(evidence);
    return principal;
  };
  const std::string host = named->host.has_value() ? named->host->id : std::string();
  if (named->user.has_value() && named->host.has_value()) {
    identity.host = principal(*std::move(named->host), std::move(named->host_parents), host,
                              attributes, evidence);
  }
  std::optional<Principal>& last = named->user.has_value() ? identity.user : identity.host;
  std::optional<EntityId>& id = named->user.has_value() ? named->user : named->host;
  std::vector<EntityId>& parents =
      named->user.has_value() ? named->user_parents : named->host_parents;
  last = principal(*std::move(id), std::move(parents), host, std::move(attributes),
                   std::move(evidence));
  return identity;
}

absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected, const TlsPeerOptions& options) {
  const ErrorQueueMark mark;
  const std::optional<IpAddress> ip = IpAddress::Parse(expected);
  const std::optional<SpiffeId> spiffe = ParseSpiffeId(expected);
  const std::optional<std::string> dns = CanonicalHostName(expected);
  const bool is_workload = spiffe.has_value() && !spiffe->path.empty();
  if (!ip.has_value() && !is_workload && !dns.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(expected),
                     "` is no name of a peer; write a DNS name, an address or a SPIFFE ID"));
  }
  const absl::StatusOr<Verified> verified = VerifiedCertificate(ssl, options);
  if (absl::IsNotFound(verified.status()))
    return Unproved(std::string(verified.status().message()));
  if (!verified.ok()) return verified.status();
  const absl::StatusOr<SubjectAltNames> names = SubjectAltNamesOf(verified->certificate);
  if (!names.ok()) return names.status();
  bool matches;
  if (ip.has_value()) {
    matches = std::find(names->ips.begin(), names->ips.end(), *ip) != names->ips.end();
  } else if (is_workload) {
    if (absl::Status status = CheckSvidLeaf(verified->certificate); !status.ok()) return status;
    matches = names->uris.size() == 1 && names->uris[0] == expected;
  } else {
    matches =
        X509_check_host(verified->certificate, dns->data(), dns->size(),
                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                        nullptr) == 1;
  }
  if (matches) return absl::OkStatus();
  return MakePeerError(PeerError::kMismatch,
                       absl::StrCat("the peer's certificate is not of `", Printable(expected),
                                    "`; do not send it anything"));
}

absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected) {
  return CheckTlsPeerName(ssl, expected, DefaultOptions());
}

}  // namespace reeve
