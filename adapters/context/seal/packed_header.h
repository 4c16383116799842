#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_PACKED_HEADER_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_PACKED_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace reeve {

// What a packed context says of itself outside, for people. Without its key none of it is proved.
struct PackedHeader {
  std::string kind;    // "ring", "process", "host"
  std::string key_id;  // 16 hex digits
  std::string id;      // as the evidence in records has it
  absl::Time not_before;
  absl::Time expires;
  size_t body_bytes = 0;
};

// Errors: kMalformed, kUnsupportedVersion.
absl::StatusOr<PackedHeader> InspectPacked(absl::Span<const uint8_t> packed);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_PACKED_HEADER_H_
