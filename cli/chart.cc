#include "reeve/cli/chart.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/cli/output.h"

namespace reeve {
namespace {

constexpr size_t kMostLines = 31;
constexpr int64_t kHours[] = {1, 2, 3, 6, 12, 24, 2 * 24, 7 * 24, 30 * 24, 90 * 24, 365 * 24};

int64_t HourOf(const AuditStatistics::Hour& hour) {
  return absl::ToInt64Hours(hour.begin - absl::UnixEpoch());
}

struct Bucket {
  int64_t allowed = 0;
  int64_t denied = 0;

  int64_t all() const { return allowed + denied; }
};

// `eighths` of a column, in blocks of Unicode (U+2588 and below it).
std::string Blocks(int64_t eighths) {
  constexpr const char* kPart[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string bar;
  for (int64_t i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kPart[eighths % 8];
}

// `part` of `whole` of `columns`, rounded, and at least one if there is any.
int64_t Share(int64_t part, int64_t whole, int64_t columns) {
  if (part == 0 || whole == 0) return 0;
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(columns) + 0.5));
}

}  // namespace

std::string Chart(const std::vector<AuditStatistics::Hour>& hours, const ChartStyle& style) {
  if (hours.empty()) return "";
  const int64_t first = HourOf(hours.front()), last = HourOf(hours.back());
  const auto floor = [](int64_t hour, int64_t step) {
    return hour / step - (hour % step < 0 ? 1 : 0);
  };
  const auto lines = [&](int64_t step) { return floor(last, step) - floor(first, step) + 1; };
  int64_t step = kHours[0];
  for (const int64_t longer : kHours) {
    step = longer;
    if (lines(step) <= static_cast<int64_t>(kMostLines)) break;
  }
  // Far more than that is a time that a request fixed: the newest are shown.
  const int64_t begin = std::max(floor(first, step), floor(last, step) - 366);
  std::vector<Bucket> buckets(floor(last, step) - begin + 1);
  for (const AuditStatistics::Hour& hour : hours) {
    const int64_t at = floor(HourOf(hour), step) - begin;
    if (at < 0) continue;
    Bucket& bucket = buckets[at];
    bucket.allowed += hour.allowed;
    bucket.denied += hour.denied;
  }
  int64_t most = 0;
  for (const Bucket& bucket : buckets) most = std::max(most, bucket.all());

  constexpr size_t kTime = 16, kLeast = 10;
  const std::string longest = absl::StrCat("  ", most, " (", most, " denied)");
  const size_t width = style.width == 0 ? 80 : style.width;
  const size_t used = kTime + 2 + longest.size();
  const auto columns = static_cast<int64_t>(width > used + kLeast ? width - used : kLeast);

  std::string chart;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const Bucket& bucket = buckets[i];
    const absl::Time time = absl::FromUnixSeconds((begin + static_cast<int64_t>(i)) * step * 3600);
    absl::StrAppend(&chart, absl::FormatTime("%Y-%m-%d %H:%M", time, absl::UTCTimeZone()), "  ");
    if (style.blocks) {
      const int64_t all = Share(bucket.all(), most, columns * 8);
      // What was denied takes whole columns, so that its end is one of a colour.
      const int64_t denied =
          style.colours ? std::min(all, (Share(bucket.denied, most, columns * 8) + 7) / 8 * 8) : 0;
      chart += Colour(Blocks(denied), kRed, denied > 0);
      chart += Blocks(all - denied);
    } else {
      const int64_t all = Share(bucket.all(), most, columns);
      const int64_t denied = std::min(all, Share(bucket.denied, most, columns));
      chart.append(denied, 'x');
      chart.append(all - denied, '#');
    }
    absl::StrAppend(&chart, bucket.all() > 0 ? "  " : "", bucket.all());
    if (bucket.denied > 0) absl::StrAppend(&chart, " (", bucket.denied, " denied)");
    chart += '\n';
  }
  return chart;
}

}  // namespace reeve
