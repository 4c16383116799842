#include "reeve/adapters/context/tls/certificate_chain.h"

#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>

#include <new>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/encoding.h"

namespace reeve {
namespace {

absl::Status Malformed(const std::string& what) {
  return MakeContextError(ContextError::kMalformed,
                          absl::StrCat("the chain of certificates in the context ", what));
}

absl::Status TooMany() {
  return Malformed(absl::StrCat("has more than ", kMaxChainCertificates,
                                "; let the peer show those that are needed only"));
}

absl::Status TooLarge(size_t size) {
  return Malformed(absl::StrCat("takes ", size, " bytes, more than ", kMaxChainBytes,
                                "; let the peer have smaller certificates"));
}

// Empty if OpenSSL cannot write it.
std::string DerOf(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size < 0) return std::string();
  std::string der(reinterpret_cast<const char*>(bytes), size);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

absl::Status CheckRevocation(X509_STORE* store) {
  if ((X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(store)) & X509_V_FLAG_CRL_CHECK) != 0) {
    return absl::OkStatus();
  }
  if (X509_STORE_lock(store) != 1) throw std::bad_alloc();
  const absl::Cleanup unlock = [store] { X509_STORE_unlock(store); };
  const STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL) {
      return absl::InvalidArgumentError(
          "the store has revocation lists and does not use them; set X509_V_FLAG_CRL_CHECK by "
          "X509_STORE_set_flags()");
    }
  }
  return absl::OkStatus();
}

CertificateChain NewChain() {
  CertificateChain chain(sk_X509_new_null());
  if (chain == nullptr) throw std::bad_alloc();
  return chain;
}

void Append(X509* certificate, STACK_OF(X509) * chain) {
  if (sk_X509_push(chain, certificate) == 0) throw std::bad_alloc();
  X509_up_ref(certificate);
}

Certificate CertificateFrom(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
  // OpenSSL takes bytes after it, and BER.
  if (certificate != nullptr && DerOf(certificate.get()) != der) return nullptr;
  return certificate;
}

absl::StatusOr<SecretBytes> EncodeChain(const STACK_OF(X509) * chain) {
  const int count = sk_X509_num(chain);
  if (count > kMaxChainCertificates) return TooMany();
  std::string out;
  for (int i = 0; i < count; ++i) {
    AppendSized(DerOf(sk_X509_value(chain, i)), &out);
    if (out.size() > kMaxChainBytes) return TooLarge(out.size());
  }
  return SecretBytes(out);
}

absl::StatusOr<CertificateChain> DecodeChain(absl::Span<const uint8_t> bytes) {
  if (bytes.size() > kMaxChainBytes) return TooLarge(bytes.size());
  ByteReader in({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  CertificateChain chain = NewChain();
  do {
    const int count = sk_X509_num(chain.get());
    if (count == kMaxChainCertificates) return TooMany();
    std::string_view der;
    if (!in.Sized(kMaxChainBytes, &der)) {
      return Malformed(absl::StrCat("is malformed: ", in.status().message()));
    }
    const Certificate certificate = CertificateFrom(der);
    if (certificate == nullptr) {
      return Malformed(absl::StrCat("is malformed: number ", count + 1, " is no certificate"));
    }
    Append(certificate.get(), chain.get());
  } while (in.rest() > 0);
  return chain;
}

}  // namespace reeve
