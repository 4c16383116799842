// Keys made on the spot and tokens signed by them, for tests. Whatever fails here ends the process
// with a message.
#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWT_TESTING_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWT_TESTING_H_

#include <openssl/types.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "reeve/adapters/context/jwt/jwk.h"
#include "reeve/engine/principal.h"

namespace reeve::jwt_testing {

std::string Base64Url(std::string_view bytes);

// A private key. A value; copies share it.
class SigningKey {
 public:
  static SigningKey Rsa(int bits = 2048);
  static SigningKey Ec(const char* curve);  // "P-256"
  static SigningKey Ed25519();
  // The one of these 32 bytes, which RFC 8037, A.1, writes as `d`.
  static SigningKey Ed25519Of(std::string_view seed);

  // The members of the public key as a JWK, without braces: `"kty":"EC","crv":"P-256","x":...`
  std::string PublicMembers() const;
  // With `more` of them: `"kid":"1","alg":"RS256"`.
  std::string Jwk(std::string_view more) const;
  std::string PublicPem() const;

  // Of `text`, in the form of RFC 7518. The key must fit.
  std::string Sign(JwtAlgorithm algorithm, std::string_view text) const;
  // As OpenSSL writes it: of ECDSA in DER.
  std::string SignDer(JwtAlgorithm algorithm, std::string_view text) const;

  // PS256 with a salt of another length.
  std::string SignPssWithSalt(std::string_view text, int salt_bytes) const;

  // Lives as long as this and its copies.
  EVP_PKEY* get() const { return key_.get(); }

  // A token of these two JSON texts, whatever they say.
  std::string Token(JwtAlgorithm algorithm, std::string_view header, std::string_view claims) const;

 private:
  explicit SigningKey(EVP_PKEY* key);

  std::string SignBy(JwtAlgorithm algorithm, std::string_view text, int salt_bytes) const;

  std::shared_ptr<EVP_PKEY> key_;
};

std::string JwkSetOf(const std::initializer_list<std::string>& keys);

// `header.claims` of a token, which is what is signed.
std::string SignedText(std::string_view header, std::string_view claims);

std::string Hmac(std::string_view key, std::string_view text);  // HS256

// All that `principal` says, for comparison: "user:ada groups=[a, b] parents=[] attributes={...}".
std::string Describe(const Principal& principal);

}  // namespace reeve::jwt_testing

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWT_TESTING_H_
