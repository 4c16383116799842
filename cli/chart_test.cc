#include "reeve/cli/chart.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/time/time.h"

namespace reeve {
namespace {

constexpr int64_t kStart = 1800000000;  // 2027-01-15T08:00:00Z

AuditStatistics::Hour HourAt(int64_t hour, int64_t allowed, int64_t denied) {
  return {absl::FromUnixSeconds(kStart + hour * 3600), allowed, denied};
}

TEST(ChartTest, DrawsALineForEachHour) {
  const std::vector<AuditStatistics::Hour> hours = {HourAt(0, 6, 2), HourAt(2, 0, 1),
                                                    HourAt(3, 3, 0)};
  const struct {
    const char* name;
    ChartStyle style;
    const char* want;
  } kCases[] = {
      {"Plain",
       {50, false, false},
       "2027-01-15 08:00  xxxxx#############  8 (2 denied)\n"
       "2027-01-15 09:00  0\n"
       "2027-01-15 10:00  xx  1 (1 denied)\n"
       "2027-01-15 11:00  #######  3\n"},
      {"Blocks",
       {50, true, false},
       "2027-01-15 08:00  ██████████████████  8 (2 denied)\n"
       "2027-01-15 09:00  0\n"
       "2027-01-15 10:00  ██▎  1 (1 denied)\n"
       "2027-01-15 11:00  ██████▊  3\n"},
      {"Colours",
       {50, true, true},
       "2027-01-15 08:00  \x1b[31m█████\x1b[0m█████████████  8 (2 denied)\n"
       "2027-01-15 09:00  0\n"
       "2027-01-15 10:00  \x1b[31m██▎\x1b[0m  1 (1 denied)\n"
       "2027-01-15 11:00  ██████▊  3\n"},
  };
  for (const auto& c : kCases) EXPECT_EQ(Chart(hours, c.style), c.want) << c.name;
  EXPECT_EQ(Chart({}, {}), "");
}

TEST(ChartTest, PutsHoursTogetherWhereThereAreMany) {
  const struct {
    const char* name;
    std::vector<AuditStatistics::Hour> hours;
    int lines;
    const char* first;
  } kCases[] = {
      {"One", {HourAt(0, 1, 0)}, 1, "2027-01-15 08:00"},
      {"MostHours", {HourAt(0, 1, 0), HourAt(30, 1, 0)}, 31, "2027-01-15 08:00"},
      {"TwoHours", {HourAt(1, 1, 0), HourAt(32, 1, 0)}, 17, "2027-01-15 08:00"},
      {"Days", {HourAt(0, 1, 0), HourAt(30 * 24, 1, 0)}, 31, "2027-01-15 00:00"},
      {"Before1970", {HourAt(-500001, 1, 0), HourAt(-500000, 1, 0)}, 2, "1969-12-31 23:00"},
      // What a request said the time was.
      {"Ages", {HourAt(-15000000, 1, 0), HourAt(0, 1, 0)}, 367, "1661-"},
  };
  for (const auto& c : kCases) {
    const std::string chart = Chart(c.hours, {});
    EXPECT_EQ(std::count(chart.begin(), chart.end(), '\n'), c.lines) << c.name << "\n" << chart;
    EXPECT_EQ(chart.substr(0, std::string(c.first).size()), c.first) << c.name;
  }
}

}  // namespace
}  // namespace reeve
