#include "reeve/engine/cel/time_zone.h"

#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace reeve::cel {
namespace {

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

int TwoDigits(std::string_view text) {
  if (!absl::ascii_isdigit(static_cast<unsigned char>(text[0])) ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text[1]))) {
    return -1;
  }
  return (text[0] - '0') * 10 + (text[1] - '0');
}

}  // namespace

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

std::optional<absl::TimeZone> LoadZone(std::string_view name) {
  absl::TimeZone zone;
  if (!IsZoneFile(name) || !absl::LoadTimeZone({name.data(), name.size()}, &zone)) {
    return std::nullopt;
  }
  return zone;
}

std::optional<absl::TimeZone> FindTimeZone(std::string_view name) {
  if (name == "UTC") return absl::UTCTimeZone();
  if (const std::optional<int64_t> offset = FixedOffset(name); offset.has_value()) {
    return absl::FixedTimeZone(static_cast<int>(*offset));
  }
  return LoadZone(name);
}

}  // namespace reeve::cel
