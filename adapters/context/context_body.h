// What a sealed context holds, as bytes. doc/sealed-context.md says which byte is what. Internal.
#ifndef REEVE_ADAPTERS_CONTEXT_CONTEXT_BODY_H_
#define REEVE_ADAPTERS_CONTEXT_CONTEXT_BODY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/engine/principal.h"

namespace reeve {

inline constexpr uint8_t kContextBodyFormat = 1;
inline constexpr size_t kMaxPackageBytes = 64;
// Of `via`, `host`, `actor` and the evidence, each.
inline constexpr size_t kMaxProvenanceBytes = 4096;

struct ContextBody {
  std::string package;  // Lower-case letters, digits, hyphens.
  Principal principal;
  absl::Time established;
  absl::Time expires;
  SecretBytes payload;  // The package's own; empty if the principal is all.
};

// Errors: kMalformed  the principal is anonymous, or cannot be encoded: DefectOf() it is not empty,
//                     its provenance is too long or no text; the whole is too long
absl::StatusOr<SecretBytes> EncodeContextBody(const ContextBody& body);

// Errors: kMalformed           `bytes` are not exactly what EncodeContextBody() writes
//         kUnsupportedVersion  they are of another format
absl::StatusOr<ContextBody> DecodeContextBody(absl::Span<const uint8_t> bytes);

// Empty if `principal` can be who a context is of, else what is wrong, a text that lives as long as
// the program.
std::string_view DefectOfContextPrincipal(const Principal& principal);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_CONTEXT_BODY_H_
