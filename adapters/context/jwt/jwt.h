// JSON Web Tokens (RFC 7519) as security contexts: access tokens of OAuth 2, ID tokens of OpenID
// Connect, JWT-SVIDs of SPIFFE. Start here:
//
//   absl::StatusOr<std::unique_ptr<reeve::JwksFile>> keys =
//       reeve::JwksFile::Open("/etc/files/jwks.json", reeve::JwksFileOptions(), now);
//   reeve::JwtIssuer issuer;
//   issuer.issuer = "https://id.example.com";
//   issuer.audiences = {"https://files.example.com"};
//   issuer.keys = keys->get();
//   reeve::JwtOptions options;
//   options.issuers = {issuer};
//   absl::StatusOr<std::unique_ptr<reeve::JwtPackage>> jwt = reeve::JwtPackage::Create(options);
//
// and name it in ImportOptions::packages.
#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWT_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWT_H_

#include <openssl/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/jwt/jwt_claims.h"
#include "reeve/engine/value.h"

namespace reeve {

class TokenCache;
struct VerifiedToken;

inline constexpr size_t kMaxJwtBytes = 8192;
inline constexpr absl::Duration kMaxJwtSkew = absl::Minutes(5);

struct JwtOptions {
  // At least one. Each `issuer` and each `trust_domain` stands once, and so does each source of
  // keys and each realm, which may be empty only if one issuer gives names of users.
  std::vector<JwtIssuer> issuers;
  // By how much the clocks of issuers and of this machine may differ. At most kMaxJwtSkew.
  absl::Duration skew = absl::Seconds(60);
  // How many verified tokens are remembered, so that to see one again is cheap: a few KB each.
  // Zero: none.
  size_t cached_tokens = 4096;
};

// Tokens in the compact form, signed by a key of their issuer.
//
// The principal:
//   id          `user:ada@id.example.com`, of the claims `sub` and JwtIssuer::realm; of a JWT-SVID
//               `spiffe:example.org/ns/prod/sa/web`
//   parents     of a JWT-SVID its trust domain, `spiffe:example.org`; else none
//   groups      `staff@id.example.com`, of JwtIssuer::groups_claim; complete if the token has it,
//               or if it is not asked for
//   attributes  jwt_expires  timestamp: `exp`
//               jwt_issued   timestamp: `iat`, if there is one
//               jwt_issuer   string: `iss`, if there is one
//               auth_time    timestamp: when the user showed who it is, if the token tells
//               acr          string: how well, if the token tells
//               amr          list of strings: by what, "pwd", "otp", if the token tells
//               and JwtIssuer::attribute_claims
//   actor       `user:app@id.example.com`, of the claim `act` (RFC 8693, 4.1); else empty
//   assurance   kCrypto
//   via         "jwt"
//   host        empty
//   evidence    "alg=RS256 exp=2027-01-15T08:00:00Z jti=0123456789abcdef iss=https://id.example.com
//               kid=2026-11". `jti` is the beginning of the SHA-256 of that claim; it and `iss` are
//               `none` if there is none.
//
// The context holds from the later of `nbf` and `iat`, and until `exp`, with JwtOptions::skew; from
// now if it has neither. It has no session.
//
// What a token proves: that the issuer said this of the subject, to the audience, before `exp`. Not
// that who shows it is the subject: who has read a token can show it. It may be shown any number of
// times; nothing here takes it back before `exp`, but to remove its key.
//
// How it is verified: the key by `iss` (of a JWT-SVID without it, by the trust domain of `sub`) and
// `kid`, the algorithm by the key and never by the token, then the signature, then the claims.
// Whatever the header says of keys or of how to read it ends it.
// Source: RFC 7515, 7518, 7519, 8725; The SPIFFE JWT-SVID, 3 and 5. jwt_test.cc has a row for each
// refusal.
//
// Thread-safe. Blocks where an issuer's source of keys does.
class JwtPackage final : public ContextPackage {
 public:
  // InvalidArgument if `options` are not as stated above.
  static absl::StatusOr<std::unique_ptr<JwtPackage>> Create(JwtOptions options);

  ~JwtPackage() override;

  std::string_view name() const override { return "jwt"; }
  bool sealed() const override { return false; }

  // Errors: kMalformed             not a signed token in the compact form, of 8 KiB at most
  //         kUnknownKey            no `kid`, or not one of the issuer's
  //         kNoCredentials         the issuer's keys are not known, or too old
  //         kAuthenticationFailed  another algorithm than the key's, or the signature is not its
  //         kExpired, kNotYetValid
  //         kMechanism             a claim, or a member of the header, is missing, malformed or
  //                                refused
  //         kInternal              OpenSSL cannot hash
  // Leaves the thread's queue of OpenSSL errors as it was.
  absl::StatusOr<EstablishedContext> Open(absl::Span<const uint8_t> bytes,
                                          absl::Time now) const override;

 private:
  struct Free {
    void operator()(EVP_MD* hash) const;
  };
  using Hash = std::unique_ptr<EVP_MD, Free>;

  JwtPackage(JwtOptions options, Hash sha256);

  absl::StatusOr<const JwtIssuer*> IssuerOf(const Attributes& claims) const;
  // All but its digest.
  absl::StatusOr<VerifiedToken> Verify(std::string_view token, absl::Time now) const;

  const JwtOptions options_;
  const Hash sha256_;
  // Places in `options_.issuers`, by `issuer`, and by `trust_domain` of those without.
  std::map<std::string, size_t, std::less<>> by_issuer_;
  std::map<std::string, size_t, std::less<>> by_trust_domain_;
  const std::unique_ptr<TokenCache> cache_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWT_H_
