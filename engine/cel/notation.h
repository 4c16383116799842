// How single values are written as text. Internal.
#ifndef REEVE_ENGINE_CEL_NOTATION_H_
#define REEVE_ENGINE_CEL_NOTATION_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "reeve/engine/cel/cell.h"

namespace reeve::cel {

// Room for each of the texts below.
inline constexpr size_t kMaxNotation = 48;

// Each writes to `out` and returns what was written. None allocates.

std::string_view WriteInt(int64_t value, char (&out)[kMaxNotation]);
std::string_view WriteUint(uint64_t value, char (&out)[kMaxNotation]);
// The fewest digits that read back as the same number: `0.5`, `1e+06`, `NaN`, `+Inf`; Go's %g, as
// in CEL's string(double).
std::string_view WriteDouble(double value, char (&out)[kMaxNotation]);
// RFC 3339 in UTC, with as many digits of a fraction as it needs: `2009-02-13T23:31:30.5Z`.
std::string_view WriteTimestamp(int64_t seconds, uint32_t nanos, char (&out)[kMaxNotation]);
// Seconds: `-1.5s`.
std::string_view WriteDuration(int64_t seconds, uint32_t nanos, char (&out)[kMaxNotation]);
// A kIp or a kCidr: `192.0.2.1`, `2001:db8::/32` (RFC 5952, but always in hexadecimal, so that ip()
// reads it back).
std::string_view WriteAddress(const Cell& address, char (&out)[kMaxNotation]);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_NOTATION_H_
