#include "reeve/adapters/context/jwt/jwt_testing.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reeve::jwt_testing {
namespace {

void Must(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "jwt_testing: %s failed\n", what);
  std::abort();
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string NumberOf(const EVP_PKEY* key, const char* name, size_t size) {
  BIGNUM* number = nullptr;
  Must(EVP_PKEY_get_bn_param(key, name, &number) == 1, name);
  if (size == 0) size = BN_num_bytes(number);
  std::vector<unsigned char> bytes(size);
  Must(BN_bn2binpad(number, bytes.data(), static_cast<int>(size)) >= 0, name);
  BN_free(number);
  return Base64Url({reinterpret_cast<const char*>(bytes.data()), size});
}

const EVP_MD* HashOf(JwtAlgorithm algorithm) {
  const std::string_view name = ToString(algorithm);
  if (name == "EdDSA") return nullptr;
  return name.substr(2) == "256"   ? EVP_sha256()
         : name.substr(2) == "384" ? EVP_sha384()
                                   : EVP_sha512();
}

}  // namespace

std::string Base64Url(std::string_view bytes) {
  std::string text;
  absl::WebSafeBase64Escape(View(bytes), &text);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

SigningKey::SigningKey(EVP_PKEY* key) : key_(key, [](EVP_PKEY* key) { EVP_PKEY_free(key); }) {
  Must(key != nullptr, "making a key");
}

SigningKey SigningKey::Rsa(int bits) { return SigningKey(EVP_RSA_gen(bits)); }

SigningKey SigningKey::Ec(const char* curve) { return SigningKey(EVP_EC_gen(curve)); }

SigningKey SigningKey::Ed25519() {
  return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
}

SigningKey SigningKey::Ed25519Of(std::string_view seed) {
  return SigningKey(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
}

std::string SigningKey::PublicMembers() const {
  if (EVP_PKEY_is_a(key_.get(), "RSA") == 1) {
    return absl::StrCat(R"("kty":"RSA","n":")", NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0),
                        R"(","e":")", NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0), "\"");
  }
  if (EVP_PKEY_is_a(key_.get(), "EC") == 1) {
    const int bits = EVP_PKEY_get_bits(key_.get());
    const size_t size = static_cast<size_t>(bits + 7) / 8;
    return absl::StrCat(R"("kty":"EC","crv":"P-)", bits, R"(","x":")",
                        NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, size), R"(","y":")",
                        NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, size), "\"");
  }
  unsigned char bytes[32];
  size_t size = sizeof(bytes);
  Must(EVP_PKEY_get_raw_public_key(key_.get(), bytes, &size) == 1, "EVP_PKEY_get_raw_public_key");
  return absl::StrCat(R"("kty":"OKP","crv":"Ed25519","x":")",
                      Base64Url({reinterpret_cast<const char*>(bytes), size}), "\"");
}

std::string SigningKey::Jwk(std::string_view more) const {
  return absl::StrCat("{", PublicMembers(), more.empty() ? "" : ",", View(more), "}");
}

std::string SigningKey::PublicPem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  Must(PEM_write_bio_PUBKEY(bio, key_.get()) == 1, "PEM_write_bio_PUBKEY");
  char* text;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, size);
  BIO_free(bio);
  return pem;
}

std::string SigningKey::SignDer(JwtAlgorithm algorithm, std::string_view text) const {
  return SignBy(algorithm, text, RSA_PSS_SALTLEN_DIGEST);
}

std::string SigningKey::SignPssWithSalt(std::string_view text, int salt_bytes) const {
  return SignBy(JwtAlgorithm::kPs256, text, salt_bytes);
}

std::string SigningKey::SignBy(JwtAlgorithm algorithm, std::string_view text,
                               int salt_bytes) const {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  Must(EVP_DigestSignInit(context, &options, HashOf(algorithm), nullptr, key_.get()) == 1,
       "EVP_DigestSignInit");
  if (ToString(algorithm)[0] == 'P') {
    Must(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt_bytes) == 1,
         "PSS");
  }
  size_t size = 0;
  Must(EVP_DigestSign(context, nullptr, &size, Bytes(text), text.size()) == 1, "EVP_DigestSign");
  std::string signature(size, '\0');
  Must(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                      Bytes(text), text.size()) == 1,
       "EVP_DigestSign");
  signature.resize(size);
  EVP_MD_CTX_free(context);
  return signature;
}

std::string SigningKey::Sign(JwtAlgorithm algorithm, std::string_view text) const {
  const std::string signature = SignDer(algorithm, text);
  if (EVP_PKEY_is_a(key_.get(), "EC") != 1) return signature;
  const unsigned char* bytes = Bytes(signature);
  ECDSA_SIG* const parts = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(signature.size()));
  Must(parts != nullptr, "d2i_ECDSA_SIG");
  const int size = (EVP_PKEY_get_bits(key_.get()) + 7) / 8;
  std::string raw(2 * size, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(raw.data());
  Must(BN_bn2binpad(ECDSA_SIG_get0_r(parts), out, size) == size &&
           BN_bn2binpad(ECDSA_SIG_get0_s(parts), out + size, size) == size,
       "BN_bn2binpad");
  ECDSA_SIG_free(parts);
  return raw;
}

std::string SigningKey::Token(JwtAlgorithm algorithm, std::string_view header,
                              std::string_view claims) const {
  const std::string text = SignedText(header, claims);
  return absl::StrCat(text, ".", Base64Url(Sign(algorithm, text)));
}

std::string JwkSetOf(const std::initializer_list<std::string>& keys) {
  return absl::StrCat("{\"keys\":[", absl::StrJoin(keys, ","), "]}");
}

std::string SignedText(std::string_view header, std::string_view claims) {
  return absl::StrCat(Base64Url(header), ".", Base64Url(claims));
}

std::string Hmac(std::string_view key, std::string_view text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  Must(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(), bytes,
            &size) != nullptr,
       "HMAC");
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string Describe(const Principal& principal) {
  std::vector<std::string> parents;
  for (const EntityId& parent : principal.parents) parents.push_back(ToString(parent));
  const std::string_view assurance = ToString(principal.assurance);
  return absl::StrCat(ToString(principal.id), " groups=[", absl::StrJoin(principal.groups, ", "),
                      principal.groups_complete ? "]" : "]?", " parents=[",
                      absl::StrJoin(parents, ", "),
                      "] attributes=", Value::Of(principal.attributes).ToString(),
                      " actor=", principal.actor, " host=", principal.host, " ", View(assurance),
                      " via=", principal.via, " ", principal.evidence);
}

}  // namespace reeve::jwt_testing
