#include "reeve/adapters/socket/tls/verified_session.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/tls/certificate_principal.h"

namespace reeve {
namespace {

constexpr size_t kBindingBytes = 32;
constexpr size_t kBindingEvidenceBytes = 8;

absl::Status Unproved(std::string_view what) { return MakePeerError(PeerError::kUnproved, what); }

absl::Status CheckSession(SSL* ssl, const SessionRules& rules) {
  if (SSL_is_init_finished(ssl) != 1) {
    return Unproved("the TLS handshake is not done; ask after SSL_accept() or SSL_connect()");
  }
  if (SSL_is_dtls(ssl) == 1 || SSL_version(ssl) < TLS1_2_VERSION) {
    return Unproved(absl::StrCat("the session is of ", SSL_get_version(ssl),
                                 "; only TLS 1.2 and later prove who a peer is"));
  }
  const bool resumed = SSL_session_reused(ssl) == 1;
  if (resumed && !rules.allow_resumed) {
    return Unproved("the session is a resumed one, which `allow_resumed` refuses");
  }
  if (SSL_version(ssl) == TLS1_2_VERSION && SSL_get_extms_support(ssl) != 1 &&
      (resumed || SSL_num_renegotiations(ssl) > 0)) {
    return Unproved(
        "the session is a resumed or renegotiated one of TLS 1.2 without extended master secrets, "
        "which may be shared with another peer");
  }
  return absl::OkStatus();
}

std::string BindingOf(SSL* ssl) {
  constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  unsigned char binding[kBindingBytes];
  if ((SSL_version(ssl) == TLS1_2_VERSION && SSL_get_extms_support(ssl) != 1) ||
      SSL_export_keying_material(ssl, binding, sizeof(binding), kLabel.data(), kLabel.size(),
                                 binding, 0, /*use_context=*/1) != 1) {
    return "none";
  }
  return absl::BytesToHexString({reinterpret_cast<const char*>(binding), kBindingEvidenceBytes});
}

}  // namespace

absl::StatusOr<VerifiedCertificate> VerifiedCertificateOf(SSL* ssl, const SessionRules& rules) {
  if (absl::Status status = CheckSession(ssl, rules); !status.ok()) return status;
  VerifiedCertificate verified{SSL_get0_peer_certificate(ssl), absl::InfiniteFuture()};
  if (verified.certificate == nullptr) {
    return absl::NotFoundError("the peer has shown no certificate");
  }
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0) {
    if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
      return RefusedCertificate(static_cast<int>(verdict));
    }
    // A program that verifies by a function of its own, and does not, leaves no chain. No chain is
    // kept with a session.
    if (rules.reverify == nullptr && sk_X509_num(chain) < 1 && SSL_session_reused(ssl) != 1) {
      return Unproved(
          "the peer's certificate was taken without verification by OpenSSL; let the callback "
          "build a chain by X509_verify_cert(), or set TlsPeerOptions::reverify");
    }
  } else if (rules.reverify == nullptr) {
    return Unproved(
        "the peer's certificate was not verified; set SSL_VERIFY_PEER, or for peer tokens "
        "TlsPeerOptions::reverify");
  }
  if (absl::Status status = CheckValidity(verified.certificate, rules.now, &verified.not_after);
      !status.ok()) {
    return status;
  }
  // The first is the certificate itself. Null has -1.
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    absl::Status status = CheckValidity(sk_X509_value(chain, i), rules.now, &verified.not_after);
    if (!status.ok()) return status;
  }
  if (rules.reverify != nullptr) {
    ChainRules again;
    again.trusted = rules.reverify;
    again.of_client = SSL_is_server(ssl) == 1;
    again.security_level = SSL_get_security_level(ssl);
    again.now = rules.now;
    const absl::StatusOr<absl::Time> not_after =
        VerifyChain(verified.certificate, SSL_get_peer_cert_chain(ssl), again);
    if (!not_after.ok()) return not_after.status();
  }
  return verified;
}

std::string SessionEvidence(SSL* ssl, bool again, bool binding) {
  std::string evidence =
      absl::StrCat("verify=", again ? "again" : "ok", " protocol=", SSL_get_version(ssl),
                   " cipher=", SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)),
                   " resumed=", SSL_session_reused(ssl) == 1 ? "yes" : "no");
  if (binding) absl::StrAppend(&evidence, " binding=", BindingOf(ssl));
  return evidence;
}

}  // namespace reeve
