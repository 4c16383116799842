// Chains of certificates as bytes: what a packed context of TLS holds beyond its principal; and the
// stores they are verified by. Private to this folder.
//
//   a certificate, then those above it, each: its length (varint), and as many bytes of DER
#ifndef REEVE_ADAPTERS_CONTEXT_TLS_CERTIFICATE_CHAIN_H_
#define REEVE_ADAPTERS_CONTEXT_TLS_CERTIFICATE_CHAIN_H_

#include <openssl/x509.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/secret_bytes.h"

namespace reeve {

// The longest chain that travels. Real ones have two or three certificates of one or two thousand
// bytes.
inline constexpr int kMaxChainCertificates = 10;
inline constexpr size_t kMaxChainBytes = 49152;

struct FreeCertificates {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using Certificate = std::unique_ptr<X509, FreeCertificates>;

// At least one: the first is whose chain it is.
using CertificateChain = std::unique_ptr<STACK_OF(X509), FreeCertificates>;

// An empty chain. Throws std::bad_alloc, as all of this does when OpenSSL has no memory.
CertificateChain NewChain();

// Adds a reference to `certificate` to the end.
void Append(X509* certificate, STACK_OF(X509) * chain);

// The certificate that is `der`: null unless all of it is, in the one form that OpenSSL writes.
// What an authority signed is taken as it stands.
Certificate CertificateFrom(std::string_view der);

// Errors: kMalformed  it has more than kMaxChainCertificates, or takes more than kMaxChainBytes
absl::StatusOr<SecretBytes> EncodeChain(const STACK_OF(X509) * chain);

// Errors: kMalformed  `bytes` are not exactly what EncodeChain() writes
absl::StatusOr<CertificateChain> DecodeChain(absl::Span<const uint8_t> bytes);

// InvalidArgument if `store` holds revocation lists and does not use them: without
// X509_V_FLAG_CRL_CHECK OpenSSL passes them over, and what is revoked is believed.
absl::Status CheckRevocation(X509_STORE* store);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_TLS_CERTIFICATE_CHAIN_H_
