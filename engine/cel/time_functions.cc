// Parts of timestamps and durations.
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

constexpr int64_t kSecondsPerDay = 24 * 60 * 60;
constexpr size_t kLongestZoneName = 63;
constexpr uint64_t kZoneLoadCost = 100;  // System calls.

// Names come from attackers too. Only files of the zone directory are asked for: no way out of it,
// and nothing that does not exist, since the library keeps each name it was ever asked for.
bool IsZoneFile(std::string_view name) {
  if (name.empty() || name.size() > kLongestZoneName || name == "localtime") return false;
  if (!absl::ascii_isalpha(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("_+-/").find(c) == std::string_view::npos) {
      return false;
    }
  }
  const char* directory = std::getenv("TZDIR");
  if (directory == nullptr || *directory == '\0') directory = "/usr/share/zoneinfo";
  const std::string path =
      absl::StrCat(directory, "/", absl::string_view(name.data(), name.size()));
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

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
    absl::TimeZone loaded;
    if (!IsZoneFile(name) || !absl::LoadTimeZone({name.data(), name.size()}, &loaded)) {
      return nullptr;
    }
    Zone& zone = zones_[next_];
    next_ = (next_ + 1) % zones_.size();
    std::memcpy(zone.name, name.data(), name.size());
    zone.size = name.size();
    zone.zone = loaded;
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

int TwoDigits(std::string_view text) {
  if (!absl::ascii_isdigit(static_cast<unsigned char>(text[0])) ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text[1]))) {
    return -1;
  }
  return (text[0] - '0') * 10 + (text[1] - '0');
}

// Seconds east of `+01:00`, `-08:00`, `02:00`.
std::optional<int64_t> FixedOffset(std::string_view text) {
  const bool west = !text.empty() && text[0] == '-';
  if (west || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = TwoDigits(text.substr(0, 2));
  const int minutes = TwoDigits(text.substr(3, 2));
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const int64_t seconds = hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

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
  thread_local ZoneCache cache;
  const absl::TimeZone* zone = cache.Find(name);
  if (zone == nullptr) {
    if (!context.Charge(kZoneLoadCost)) return context.LimitError();
    zone = cache.Load(name);
    if (zone == nullptr) return Cell::Error(ErrorCode::kBadTimeZone, name);
  }
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
