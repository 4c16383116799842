#ifndef REEVE_ADAPTERS_CONTEXT_JWT_COMPACT_JWS_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_COMPACT_JWS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/value.h"

namespace reeve {

inline constexpr size_t kMaxJwtDepth = 8;      // Of the claims: a list in the claims is depth 2.
inline constexpr size_t kMaxJwtValues = 2048;  // Of the claims, at all depths, with their names.

// A JSON Web Token in its compact form (RFC 7515, 7.1), taken apart. Nothing of it is proved.
struct CompactJws {
  std::string_view signed_text;  // Points into the token.
  std::string algorithm;         // `alg`
  std::string kid;
  std::string type;  // `typ` in small letters, without "application/"; empty if there is none.
  Value claims;      // A map.
  std::string signature;
};

// The parts of `token`, as long as it is: three of base64url without padding, the first two of them
// JSON objects, of which none has a member twice.
//
// Errors: kMalformed   another form, above all that of an encrypted token; `alg`, `kid` or `typ`
//                      are not strings
//         kUnknownKey  there is no `kid`
//         kMechanism   the header would change what is verified, or by which key: `crit`, `b64`,
//                      `jku`, `jwk`, `x5u`, `x5c`. Nothing of these is ever looked at.
absl::StatusOr<CompactJws> ParseCompactJws(std::string_view token);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_COMPACT_JWS_H_
