// Certificates that are believed, and the principals that they make: what TlsPeer and the security
// contexts of TLS share. For this folder and adapters/context/tls; tls_peer.h says what all of it
// means to callers.
#ifndef REEVE_ADAPTERS_SOCKET_TLS_CERTIFICATE_PRINCIPAL_H_
#define REEVE_ADAPTERS_SOCKET_TLS_CERTIFICATE_PRINCIPAL_H_

#include <openssl/types.h>
#include <openssl/x509.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"

namespace reeve {

// What a kUnproved says of the time, for callers that tell these apart.
enum class CertificateTime : uint8_t { kExpired, kNotYetValid };

// Whether a certificate is refused for the time; nothing if it is for something else. A revocation
// list that is out of date is something else.
std::optional<CertificateTime> CertificateTimeOf(const absl::Status& status);

// kUnproved for what OpenSSL's verification found, X509_V_ERR_...: see X509_STORE_CTX_get_error(3).
absl::Status RefusedCertificate(int verdict);

// Narrows *not_after to that of `certificate`; kUnproved if it is not valid at `now`.
absl::Status CheckValidity(const X509* certificate, absl::Time now, absl::Time* not_after);

struct ChainRules {
  X509_STORE* trusted = nullptr;  // Required. Not owned.
  // Whose certificate it is: a client's, so that one for servers only is refused, or a server's.
  bool of_client = true;
  int security_level = 2;  // As SSL_CTX_set_security_level(3) says.
  absl::Time now;
};

// Verifies `certificate` by OpenSSL, with what the store's own parameters say beside `rules`, and
// with no callback of the program's. `others` are certificates that may stand between it and those
// that are trusted; null is none. The moment at which it, or one above it, expires.
//
// Errors: kUnproved     OpenSSL's verdict, or a time that is malformed
//         kUnavailable  OpenSSL has no memory
absl::StatusOr<absl::Time> VerifyChain(X509* certificate, STACK_OF(X509) * others,
                                       const ChainRules& rules);

// Who shows `certificate`, which is believed, expires at `not_after`, and names `named`, as
// tls_peer.h describes it. `how` it is known is part of the evidence: "verify=ok resumed=no".
// Errors: kUnproved (an issuer or a serial number that is too long), kUnavailable.
absl::StatusOr<PeerIdentity> IdentityOf(const X509* certificate, TlsNamed named,
                                        absl::Time not_after, std::string_view how);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_CERTIFICATE_PRINCIPAL_H_
