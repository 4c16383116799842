#include "reeve/adapters/context/context_error.h"

#include <iterator>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace reeve {
namespace {

constexpr char kPayload[] = "reeve/context_error";

struct Row {
  absl::string_view name;
  absl::StatusCode code;
};

// By number.
constexpr Row kRows[] = {
    {"unknown_package", absl::StatusCode::kInvalidArgument},
    {"malformed", absl::StatusCode::kInvalidArgument},
    {"unsupported_version", absl::StatusCode::kInvalidArgument},
    {"unknown_key", absl::StatusCode::kUnauthenticated},
    {"authentication_failed", absl::StatusCode::kUnauthenticated},
    {"mechanism", absl::StatusCode::kUnauthenticated},
    {"expired", absl::StatusCode::kUnauthenticated},
    {"not_yet_valid", absl::StatusCode::kUnauthenticated},
    {"no_credentials", absl::StatusCode::kFailedPrecondition},
    {"wrong_target", absl::StatusCode::kPermissionDenied},
    {"replayed", absl::StatusCode::kPermissionDenied},
    {"exporter_not_allowed", absl::StatusCode::kPermissionDenied},
    {"resource_exhausted", absl::StatusCode::kResourceExhausted},
    {"internal", absl::StatusCode::kInternal},
    {"invalid_handle", absl::StatusCode::kFailedPrecondition},
    {"not_supported", absl::StatusCode::kUnimplemented},
    {"message_altered", absl::StatusCode::kUnauthenticated},
    {"out_of_sequence", absl::StatusCode::kUnauthenticated},
};
static_assert(std::size(kRows) == static_cast<size_t>(ContextError::kOutOfSequence) + 1);

}  // namespace

std::string_view ToString(ContextError error) {
  const absl::string_view name = kRows[static_cast<size_t>(error)].name;
  return {name.data(), name.size()};
}

absl::Status MakeContextError(ContextError error, std::string_view message) {
  const Row& row = kRows[static_cast<size_t>(error)];
  absl::Status status(row.code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kPayload, absl::Cord(row.name));
  return status;
}

std::optional<ContextError> ContextErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (*payload == kRows[i].name) return static_cast<ContextError>(i);
  }
  return std::nullopt;
}

}  // namespace reeve
