#include "reeve/adapters/socket/tls/certificate_principal.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/types/optional.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr char kPayload[] = "reeve/certificate_time";
constexpr absl::string_view kExpiredText = "expired";
constexpr absl::string_view kNotYetValidText = "not_yet_valid";

constexpr size_t kMaxSerialBytes = 64;  // RFC 5280, 4.1.2.2: 20.
constexpr size_t kMaxIssuerBytes = 4096;
constexpr size_t kMaxIssuerEvidenceBytes = 200;

struct Free {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::string Hex(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), size});
}

absl::Status Unproved(std::string_view what) { return MakePeerError(PeerError::kUnproved, what); }

absl::Status AtTime(CertificateTime time, absl::Status status) {
  status.SetPayload(
      kPayload, absl::Cord(time == CertificateTime::kExpired ? kExpiredText : kNotYetValidText));
  return status;
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

}  // namespace

std::optional<CertificateTime> CertificateTimeOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  return *payload == kExpiredText ? CertificateTime::kExpired : CertificateTime::kNotYetValid;
}

absl::Status RefusedCertificate(int verdict) {
  absl::Status status = Unproved(absl::StrCat("the peer's certificate was not believed: ",
                                              X509_verify_cert_error_string(verdict)));
  if (verdict == X509_V_ERR_CERT_HAS_EXPIRED) return AtTime(CertificateTime::kExpired, status);
  if (verdict == X509_V_ERR_CERT_NOT_YET_VALID)
    return AtTime(CertificateTime::kNotYetValid, status);
  return status;
}

absl::Status CheckValidity(const X509* certificate, absl::Time now, absl::Time* not_after) {
  const std::optional<absl::Time> begin = TimeOf(X509_get0_notBefore(certificate));
  const std::optional<absl::Time> end = TimeOf(X509_get0_notAfter(certificate));
  if (!begin.has_value() || !end.has_value()) {
    return Unproved("the peer's certificate has a malformed time");
  }
  if (now < *begin) {
    return AtTime(
        CertificateTime::kNotYetValid,
        Unproved(absl::StrCat("the peer's certificate, or one above it, is not valid before ",
                              Text(*begin), "; check this machine's clock")));
  }
  // RFC 5280, 4.1.2.5, lets the second that it names be its last; OpenSSL does not.
  if (now >= *end) {
    return AtTime(CertificateTime::kExpired,
                  Unproved(absl::StrCat("the peer's certificate, or one above it, has expired at ",
                                        Text(*end), "; let the peer renew it and connect again")));
  }
  *not_after = std::min(*not_after, *end);
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> VerifyChain(X509* certificate, STACK_OF(X509) * others,
                                       const ChainRules& rules) {
  const std::unique_ptr<X509_STORE_CTX, Free> context(X509_STORE_CTX_new());
  const char* const purpose = rules.of_client ? "ssl_client" : "ssl_server";
  if (context == nullptr ||
      X509_STORE_CTX_init(context.get(), rules.trusted, certificate, others) != 1 ||
      X509_STORE_CTX_set_default(context.get(), purpose) != 1) {
    return MakePeerError(PeerError::kUnavailable,
                         "OpenSSL could not begin to verify the peer's certificate");
  }
  X509_STORE_CTX_set_verify_cb(context.get(), [](int ok, X509_STORE_CTX*) { return ok; });
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(param, rules.security_level);
  X509_VERIFY_PARAM_set_time(param, absl::ToTimeT(rules.now));
  const bool ok = X509_verify_cert(context.get()) == 1;
  const int verdict = X509_STORE_CTX_get_error(context.get());
  if (!ok || verdict != X509_V_OK) {
    return RefusedCertificate(verdict == X509_V_OK ? X509_V_ERR_UNSPECIFIED : verdict);
  }
  absl::Time not_after = absl::InfiniteFuture();
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    absl::Status status = CheckValidity(sk_X509_value(chain, i), rules.now, &not_after);
    if (!status.ok()) return status;
  }
  return not_after;
}

absl::StatusOr<PeerIdentity> IdentityOf(const X509* certificate, TlsNamed named,
                                        absl::Time not_after, std::string_view how) {
  absl::StatusOr<std::string> issuer = IssuerOf(certificate);
  if (!issuer.ok()) return issuer.status();
  absl::StatusOr<std::string> serial = SerialOf(certificate);
  if (!serial.ok()) return serial.status();
  absl::StatusOr<std::string> fingerprint = FingerprintOf(certificate);
  if (!fingerprint.ok()) return fingerprint.status();

  // The issuer comes last, so that no authority's name can look like another field.
  std::string evidence = absl::StrCat("serial=", *serial, " sha256=", *fingerprint, " ",
                                      absl::string_view(how.data(), how.size()),
                                      " issuer=", Printable(*issuer, kMaxIssuerEvidenceBytes));
  // Not by its list of values, which would be copied.
  Attributes attributes;
  attributes.Set("tls_fingerprint", Value::String(*std::move(fingerprint)));
  attributes.Set("tls_issuer", Value::String(*std::move(issuer)));
  attributes.Set("tls_not_after", Value::Timestamp(not_after));
  attributes.Set("tls_serial", Value::String(*std::move(serial)));

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
  PeerIdentity identity;
  const std::string host = named.host.has_value() ? named.host->id : std::string();
  if (named.user.has_value() && named.host.has_value()) {
    identity.host = principal(*std::move(named.host), std::move(named.host_parents), host,
                              attributes, evidence);
  }
  std::optional<Principal>& last = named.user.has_value() ? identity.user : identity.host;
  std::optional<EntityId>& id = named.user.has_value() ? named.user : named.host;
  std::vector<EntityId>& parents = named.user.has_value() ? named.user_parents : named.host_parents;
  last = principal(*std::move(id), std::move(parents), host, std::move(attributes),
                   std::move(evidence));
  return identity;
}

}  // namespace reeve
