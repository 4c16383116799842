// The time zones of conditions. Internal.
#ifndef REEVE_ENGINE_CEL_TIME_ZONE_H_
#define REEVE_ENGINE_CEL_TIME_ZONE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace reeve::cel {

inline constexpr size_t kLongestZoneName = 63;

// Seconds east of `+01:00`, `-08:00`, `02:00`; nothing of other texts.
std::optional<int64_t> FixedOffset(std::string_view text);

// The zone of the machine's tzdata (`$TZDIR`, or /usr/share/zoneinfo) with this IANA name; nothing
// if there is none. Reads a file, takes a lock and allocates.
std::optional<absl::TimeZone> LoadZone(std::string_view name);

// All that conditions can name: a zone, an offset or `UTC`.
std::optional<absl::TimeZone> FindTimeZone(std::string_view name);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_TIME_ZONE_H_
