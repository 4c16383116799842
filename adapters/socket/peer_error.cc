#include "reeve/adapters/socket/peer_error.h"

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace reeve {
namespace {

constexpr char kPayload[] = "reeve/peer_error";

struct Row {
  std::string_view name;
  absl::StatusCode code;
};

// By number.
constexpr Row kRows[] = {
    {"not_socket", absl::StatusCode::kInvalidArgument},
    {"family", absl::StatusCode::kInvalidArgument},
    {"type", absl::StatusCode::kInvalidArgument},
    {"address_missing", absl::StatusCode::kInvalidArgument},
    {"address_short", absl::StatusCode::kInvalidArgument},
    {"address_family", absl::StatusCode::kInvalidArgument},
    {"not_connected", absl::StatusCode::kFailedPrecondition},
    {"no_token", absl::StatusCode::kUnauthenticated},
    {"origin", absl::StatusCode::kUnauthenticated},
    {"stale", absl::StatusCode::kUnauthenticated},
    {"wrong_namespace", absl::StatusCode::kUnauthenticated},
    {"unmapped", absl::StatusCode::kUnauthenticated},
    {"bad_name", absl::StatusCode::kUnauthenticated},
    {"unproved", absl::StatusCode::kUnauthenticated},
    {"ambiguous", absl::StatusCode::kUnauthenticated},
    {"mismatch", absl::StatusCode::kUnauthenticated},
    {"unavailable", absl::StatusCode::kUnavailable},
};
static_assert(std::size(kRows) == static_cast<size_t>(PeerError::kUnavailable) + 1);

}  // namespace

std::string_view ToString(PeerError error) { return kRows[static_cast<size_t>(error)].name; }

absl::Status MakePeerError(PeerError error, std::string_view message) {
  const auto index = static_cast<size_t>(error);
  absl::Status status(kRows[index].code, absl::string_view(message.data(), message.size()));
  status.SetPayload(
      kPayload, absl::Cord(absl::string_view(kRows[index].name.data(), kRows[index].name.size())));
  return status;
}

std::optional<PeerError> PeerErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (*payload == absl::string_view(kRows[i].name.data(), kRows[i].name.size())) {
      return static_cast<PeerError>(i);
    }
  }
  return std::nullopt;
}

}  // namespace reeve
