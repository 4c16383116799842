#ifndef REEVE_ENGINE_RFC3339_H_
#define REEVE_ENGINE_RFC3339_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace reeve {

// The time that `text` names in the form of RFC 3339, section 5.6: `2026-11-20T09:00:00.25+01:00`.
// Nothing if it has another form, names a day or a time of day that does not exist, or lies outside
// the years 0001 to 9999 (UTC).
//
// Narrower than the RFC where the clock is: no leap second, at most nine digits of a fraction.
// Wider in one place: the seconds may be missing, as they are in the examples of AuthZEN itself.
std::optional<absl::Time> ParseRfc3339(std::string_view text);

}  // namespace reeve

#endif  // REEVE_ENGINE_RFC3339_H_
