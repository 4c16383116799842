// One public key that tokens are signed by (RFC 7517), and the one algorithm that it is used with.
#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWK_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWK_H_

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/value.h"

namespace reeve {

inline constexpr size_t kMaxKeyIdBytes = 256;
// OpenSSL and the others agree that less can be broken; more only costs time.
inline constexpr int kMinRsaBits = 2048;
inline constexpr int kMaxRsaBits = 8192;

// Signatures by private keys. The others of RFC 7518 are not here: `none` is no signature, and who
// can verify an HMAC can make it.
enum class JwtAlgorithm : uint8_t {
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,  // Ed25519 only.
};

// "RS256", as RFC 7518, 3.1, and RFC 8037, 3.1, write it.
std::string_view ToString(JwtAlgorithm algorithm);

// What a set of keys is for, which its members say as `use`.
enum class JwkUse : uint8_t {
  kSignature,  // `sig`, or nothing
  kJwtSvid,    // `jwt-svid`: the bundle of a SPIFFE trust domain, whose other keys are of no use
};

// A public key with its name and its algorithm.
//
// Immutable: any thread.
class Jwk {
 public:
  struct Read;
  // The key that `json`, one of the `keys` of a set, is:
  //   kty RSA           2048 to 8192 bit, e odd, 3 or more, of 64 bit at most; `alg` must be there,
  //                     for one RSA key fits six algorithms
  //   kty EC            crv P-256 (ES256), P-384 (ES384), P-521 (ES512)
  //   kty OKP           crv Ed25519 (EdDSA)
  // `kid` must be there, not empty, printable. Members of other names mean nothing here: what `x5c`
  // says is not looked at.
  //
  // Errors: InvalidArgument, and it begins with "is": the key is wrong, whoever made the set should
  // know: malformed, without `kid` or `alg`, too short, not on its curve; secret (`oct`) or with a
  // private member.
  static absl::StatusOr<Read> FromJson(const Value& json, JwkUse use);

  Jwk(Jwk&&) = default;
  Jwk& operator=(Jwk&&) = default;

  const std::string& kid() const { return kid_; }
  JwtAlgorithm algorithm() const { return algorithm_; }

  // Whether `signature` is that of `signed_text` by this key and algorithm, in the form of RFC
  // 7518, 3: of exactly the key's length, of ECDSA r and s one after the other (never DER, and
  // neither of them zero), of PSS with a salt as long as the hash. Leaves the thread's queue of
  // OpenSSL errors as it was. Does not block.
  bool Verify(std::string_view signed_text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  friend class JwkReader;

  Jwk(std::string kid, JwtAlgorithm algorithm, Key key, size_t signature_bytes)
      : kid_(std::move(kid)),
        algorithm_(algorithm),
        key_(std::move(key)),
        signature_bytes_(signature_bytes) {}

  std::string kid_;
  JwtAlgorithm algorithm_;
  Key key_;
  size_t signature_bytes_;
};

// A key; or, of one that is none of those above and no fault either, why it was passed over
// (RFC 7517, 5): "has the `kty` `AKP`".
struct Jwk::Read {
  std::optional<Jwk> key;
  std::string ignored;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWK_H_
