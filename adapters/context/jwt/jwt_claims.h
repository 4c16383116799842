// What the claims of a token say of its subject, under what the program expects of the issuer.
// Nothing here says whether they are to be believed: jwt.h does.
#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWT_CLAIMS_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWT_CLAIMS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/value.h"

namespace reeve {

// Who may say who somebody is, by tokens, and what is made of them. A value.
struct JwtIssuer {
  // The claim `iss`, compared byte by byte: "https://id.example.com". Empty only with
  // `trust_domain`: for tokens without `iss`.
  std::string issuer;

  // Required. Not owned; must outlive whatever uses this. Only these keys verify this issuer's
  // tokens, and they verify no other's. Of two issuers, two sources.
  const JwkSource* keys = nullptr;

  // What this program is called where the tokens are made; required. The claim `aud` must have one
  // of these, compared byte by byte.
  std::vector<std::string> audiences;

  // The `typ` of tokens that are taken, without "application/", in letters of any case; an empty
  // one is that of tokens without `typ`. Where the issuer gives its access tokens a type of their
  // own (RFC 9068), {"at+jwt"} keeps its other tokens out.
  std::vector<std::string> types = {"", "JWT", "at+jwt", "JOSE"};

  // The longest that a token may hold: from `iat`, or if it has none from now, until `exp`.
  // InfiniteDuration: any. Positive.
  absl::Duration max_lifetime = absl::Hours(24);

  // The type of the principal.
  std::string principal_type = "user";

  // The claim that is the principal's id, a string. What a person can change, as a name or an
  // address, is no id. With `email` the token must have `email_verified`, and true.
  std::string id_claim = "sub";

  // What tells this issuer's names from those of others: the principal is
  // `user:ada@id.example.com`, and its groups are `group:staff@id.example.com`. No `@`. Two
  // issuers have two realms. It may be empty if there is only one issuer; then that issuer can
  // name any entity of `principal_type`, also those that other mechanisms know: `user:root`. One
  // that is a Kerberos realm or a mail domain lets it name those users.
  std::string realm;

  // Not empty: tokens are JWT-SVIDs of this SPIFFE trust domain, "example.org". `sub` is a SPIFFE
  // ID in it, and the principal `spiffe:example.org/ns/prod/sa/web`, in `spiffe:example.org`. Its
  // groups, if any, are of the realm `example.org`. Keys of EdDSA verify nothing then, and `typ` is
  // `JWT`, `JOSE` or absent, whatever `types` says. `principal_type`, `id_claim` and `realm` must
  // be left as they are.
  std::string trust_domain;

  // The claim that lists groups, an array of strings; empty: groups are not asked for. Where a
  // token does not have it, groups_complete is false: issuers leave it out where it is too long.
  std::string groups_claim;

  // Claims that become attributes of their own names, as they are. Others do not. A token need not
  // have them. Not the names that principals have anyway.
  std::vector<std::string> attribute_claims;

  // Takes tokens that are bound to a key of the client's (`cnf`, RFC 7800: DPoP, mutual TLS)
  // without a proof that the client has it. For programs that check the proof themselves.
  bool takes_bound_tokens = false;
};

// Empty if `issuer` is as stated above; else what is wrong with it.
std::string DefectOf(const JwtIssuer& issuer);

// What claims say.
struct JwtSubject {
  // As JwtPackage says; without evidence.
  Principal principal;
  // The token holds from then until then, by this program's clock: `nbf`, `iat` and `exp` with the
  // tolerance for clocks. `begin` is unset if it has neither `nbf` nor `iat`.
  std::optional<absl::Time> begin;
  absl::Time end;
  absl::Time expires;   // `exp` as it stands.
  std::string_view id;  // `jti`; empty if there is none. Points into the claims.
};

// What `claims` say of their subject at `now`, if they are of `issuer`, which has no defect, and
// hold. `skew` is by how much clocks may differ.
//
// Checks in this order: iss, aud, exp, nbf, iat, lifetime, cnf, sub, groups, attributes.
// Errors: kExpired, kNotYetValid; else kMechanism: a claim is missing, malformed or refused.
absl::StatusOr<JwtSubject> SubjectOf(const Attributes& claims, const JwtIssuer& issuer,
                                     absl::Duration skew, absl::Time now);

// Whether a token of these times holds at `now`: kExpired or kNotYetValid if not.
absl::Status CheckTimes(const std::optional<absl::Time>& begin, absl::Time end, absl::Time now);

// The time that a NumericDate (RFC 7519, 2) is: of the years 1970 to 9999, to the nanosecond.
// Nothing if it is something else.
std::optional<absl::Time> TimeOf(const Value& numeric_date);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWT_CLAIMS_H_
