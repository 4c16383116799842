// Parts of timestamps and durations.
#include <array>
#include <cstring>
#include <optional>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/time_zone.h"

namespace reeve::cel {
namespace {

constexpr int64_t kSecondsPerDay = 24 * 60 * 60;
constexpr uint64_t kZoneLoadCost = 100;  // System calls.

// The zones that this thread used last.
class ZoneCache {
 public:
  // Null if it is not here.
  const absl::TimeZone* Find(std::string_view name) const {
    for (const Zone& zone : zones_) {
      if (zone.size > 0 && std::string_view(zone.name, zone.size) == name) return &zone.zone;
    }
    return nullptr;
  }

  // Null if there is no such zone. `name` is at most kLongestZoneName.
  const absl::TimeZone* Load(std::string_view name) {
    const std::optional<absl::TimeZone> loaded = LoadZone(name);
    if (!loaded.has_value()) return nullptr;
    Zone& zone = zones_[next_];
    next_ = (next_ + 1) % zones_.size();
    std::memcpy(zone.name, name.data(), name.size());
    zone.size = name.size();
    zone.zone = *loaded;
    return &zone.zone;
  }

 private:
  struct Zone {
    char name[kLongestZoneName];
    size_t size = 0;  // 0: free
    absl::TimeZone zone;
  };
  std::array<Zone, 8> zones_;
  size_t next_ = 0;
};

// Seconds east of UTC in the zone named by the second argument, UTC without one; or an error.
Cell Offset(absl::Span<const Cell> arguments, std::string_view function, Context& context) {
  if (arguments.size() == 1) return Cell::Int(0);
  if (arguments[1].kind() != Kind::kString) {
    return Cell::Error(ErrorCode::kNoSuchOverload, function);
  }
  const std::string_view name = arguments[1].text();
  if (name == "UTC") return Cell::Int(0);
  if (name.size() > kLongestZoneName) return Cell::Error(ErrorCode::kBadTimeZone, name);
  if (const std::optional<int64_t> fixed = FixedOffset(name)) return Cell::Int(*fixed);
  // Whether it is here or not, so that the price of a decision does not depend on those before it.
  if (!context.Charge(kZoneLoadCost)) return context.LimitError();
  thread_local ZoneCache cache;
  const absl::TimeZone* zone = cache.Find(name);
  if (zone == nullptr) zone = cache.Load(name);
  if (zone == nullptr) return Cell::Error(ErrorCode::kBadTimeZone, name);
  return Cell::Int(zone->At(absl::FromUnixSeconds(arguments[0].seconds())).offset);
}

// Days since 1970, and the second of the day.
struct LocalTime {
  int64_t days;
  int64_t second;

  absl::CivilDay day() const { return absl::CivilDay(1970, 1, 1) + days; }
};

LocalTime Split(int64_t seconds) {
  int64_t days = seconds / kSecondsPerDay;
  int64_t second = seconds % kSecondsPerDay;
  if (second < 0) second += kSecondsPerDay, --days;
  return {days, second};
}

// A part of a timestamp, by the first argument's local time.
template <typename Part>
Cell TimestampPart(absl::Span<const Cell> arguments, std::string_view function, Context& context,
                   Part part) {
  const Cell& time = arguments[0];
  if (time.kind() != Kind::kTimestamp) return Cell::Error(ErrorCode::kNoSuchOverload, function);
  const Cell offset = Offset(arguments, function, context);
  if (offset.is_error()) return offset;
  return Cell::Int(part(Split(time.seconds() + offset.int_value())));
}

// The same, or a duration in whole units of `seconds`.
template <typename Part>
Cell ClockPart(absl::Span<const Cell> arguments, std::string_view function, int64_t seconds,
               Context& context, Part part) {
  const Cell& time = arguments[0];
  if (time.kind() == Kind::kDuration && arguments.size() == 1) {
    const bool up = time.seconds() < 0 && time.nanos() > 0;  // towards zero
    return Cell::Int((time.seconds() + (up ? 1 : 0)) / seconds);
  }
  return TimestampPart(arguments, function, context, part);
}

Cell GetFullYear(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getFullYear", context,
                       [](const LocalTime& time) { return time.day().year(); });
}

Cell GetMonth(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getMonth", context,
                       [](const LocalTime& time) { return time.day().month() - 1; });
}

Cell GetDate(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getDate", context,
                       [](const LocalTime& time) { return time.day().day(); });
}

Cell GetDayOfMonth(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getDayOfMonth", context,
                       [](const LocalTime& time) { return time.day().day() - 1; });
}

// Sunday is 0 in CEL; absl's days begin with Monday.
Cell GetDayOfWeek(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getDayOfWeek", context, [](const LocalTime& time) {
    return (static_cast<int>(absl::GetWeekday(time.day())) + 1) % 7;
  });
}

Cell GetDayOfYear(absl::Span<const Cell> arguments, Context& context) {
  return TimestampPart(arguments, "getDayOfYear", context,
                       [](const LocalTime& time) { return absl::GetYearDay(time.day()) - 1; });
}

Cell GetHours(absl::Span<const Cell> arguments, Context& context) {
  return ClockPart(arguments, "getHours", 3600, context,
                   [](const LocalTime& time) { return time.second / 3600; });
}

Cell GetMinutes(absl::Span<const Cell> arguments, Context& context) {
  return ClockPart(arguments, "getMinutes", 60, context,
                   [](const LocalTime& time) { return time.second / 60 % 60; });
}

Cell GetSeconds(absl::Span<const Cell> arguments, Context& context) {
  return ClockPart(arguments, "getSeconds", 1, context,
                   [](const LocalTime& time) { return time.second % 60; });
}

// Of a duration, too, only what is beyond its seconds.
Cell GetMilliseconds(absl::Span<const Cell> arguments, Context& context) {
  const Cell& time = arguments[0];
  if (time.kind() == Kind::kDuration && arguments.size() == 1) {
    if (time.seconds() >= 0) return Cell::Int(time.nanos() / 1000000);
    return Cell::Int(time.nanos() > 0 ? -int64_t{(1000000000 - time.nanos()) / 1000000} : 0);
  }
  return TimestampPart(arguments, "getMilliseconds", context,
                       [&](const LocalTime&) { return time.nanos() / 1000000; });
}

constexpr Function kFunctions[] = {
    {"getDate", 1, 2, GetDate},
    {"getDayOfMonth", 1, 2, GetDayOfMonth},
    {"getDayOfWeek", 1, 2, GetDayOfWeek},
    {"getDayOfYear", 1, 2, GetDayOfYear},
    {"getFullYear", 1, 2, GetFullYear},
    {"getHours", 1, 2, GetHours},
    {"getMilliseconds", 1, 2, GetMilliseconds},
    {"getMinutes", 1, 2, GetMinutes},
    {"getMonth", 1, 2, GetMonth},
    {"getSeconds", 1, 2, GetSeconds},
};

}  // namespace

absl::Span<const Function> TimeFunctions() { return kFunctions; }

}  // namespace reeve::cel
