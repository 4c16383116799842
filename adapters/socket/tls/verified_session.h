// What a TLS session proved of its peer's certificate: what TlsPeer and the security contexts of
// TLS share. For this folder and adapters/context/tls; tls_peer.h says what all of it means to
// callers.
#ifndef REEVE_ADAPTERS_SOCKET_TLS_VERIFIED_SESSION_H_
#define REEVE_ADAPTERS_SOCKET_TLS_VERIFIED_SESSION_H_

#include <openssl/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reeve {

struct SessionRules {
  bool allow_resumed = true;       // See TlsPeerOptions, of both.
  X509_STORE* reverify = nullptr;  // Not owned.
  absl::Time now;
};

struct VerifiedCertificate {
  X509* certificate;     // The session's.
  absl::Time not_after;  // Of the chain, as far as it is known.
};

// The certificate of the peer of `ssl`, if it is believed. Errors: NotFound if there is none;
// kUnproved, kUnavailable.
absl::StatusOr<VerifiedCertificate> VerifiedCertificateOf(SSL* ssl, const SessionRules& rules);

// For IdentityOf(): "verify=ok protocol=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 resumed=no". `again`:
// it was verified once more. With `binding`, " binding=0123456789abcdef".
std::string SessionEvidence(SSL* ssl, bool again, bool binding);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_VERIFIED_SESSION_H_
