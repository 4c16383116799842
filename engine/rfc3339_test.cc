#include "reeve/engine/rfc3339.h"

#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace reeve {
namespace {

// `want` in UTC; empty if `text` is refused.
struct Case {
  const char* name;
  const char* text;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class Rfc3339Test : public testing::TestWithParam<Case> {};

TEST_P(Rfc3339Test, ReadsOneForm) {
  const std::optional<absl::Time> time = ParseRfc3339(GetParam().text);
  const std::string got =
      time.has_value() ? absl::FormatTime("%E4Y-%m-%d %H:%M:%E*S", *time, absl::UTCTimeZone()) : "";
  EXPECT_EQ(got, GetParam().want) << GetParam().text;
}

const Case kCases[] = {
    {"Utc", "2026-11-20T09:00:00Z", "2026-11-20 09:00:00"},
    {"LowerCase", "2026-11-20t09:00:00z", "2026-11-20 09:00:00"},
    {"East", "2026-11-20T00:30:00+01:00", "2026-11-19 23:30:00"},
    {"West", "2026-11-20T23:30:00-01:45", "2026-11-21 01:15:00"},
    {"UnknownOffset", "2026-11-20T09:00:00-00:00", "2026-11-20 09:00:00"},
    {"Fraction", "2026-11-20T09:00:00.25Z", "2026-11-20 09:00:00.25"},
    {"Nanosecond", "2026-11-20T09:00:00.000000001Z", "2026-11-20 09:00:00.000000001"},
    {"WithoutSeconds", "1985-10-26T01:22-07:00", "1985-10-26 08:22:00"},
    {"LeapDay", "2024-02-29T00:00:00Z", "2024-02-29 00:00:00"},
    {"First", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00"},
    {"Last", "9999-12-31T23:59:59.999999999Z", "9999-12-31 23:59:59.999999999"},

    {"Empty", "", ""},
    {"NoOffset", "2026-11-20T09:00:00", ""},
    {"NoTime", "2026-11-20", ""},
    {"Space", "2026-11-20 09:00:00Z", ""},
    {"SpaceBefore", " 2026-11-20T09:00:00Z", ""},
    {"TextAfter", "2026-11-20T09:00:00Z ", ""},
    {"EmptyFraction", "2026-11-20T09:00:00.Z", ""},
    {"FractionComma", "2026-11-20T09:00:00,5Z", ""},
    {"FractionWithoutSeconds", "2026-11-20T09:00.5Z", ""},
    {"TenDigits", "2026-11-20T09:00:00.0000000001Z", ""},
    {"LeapSecond", "2016-12-31T23:59:60Z", ""},
    {"Second60", "2026-11-20T09:00:60Z", ""},
    {"Hour24", "2026-11-20T24:00:00Z", ""},
    {"Minute60", "2026-11-20T09:60:00Z", ""},
    {"OffsetHour24", "2026-11-20T09:00:00+24:00", ""},
    {"OffsetMinute60", "2026-11-20T09:00:00+01:60", ""},
    {"OffsetWithoutColon", "2026-11-20T09:00:00+0100", ""},
    {"OffsetWithoutMinutes", "2026-11-20T09:00:00+01", ""},
    {"Month0", "2026-00-20T09:00:00Z", ""},
    {"Month13", "2026-13-20T09:00:00Z", ""},
    {"Day0", "2026-11-00T09:00:00Z", ""},
    {"Day31", "2026-11-31T09:00:00Z", ""},
    {"NoLeapDay", "2100-02-29T00:00:00Z", ""},
    {"OneDigit", "2026-11-20T9:00:00Z", ""},
    {"Sign", "2026-11-20T+9:00:00Z", ""},
    {"FiveDigitYear", "12026-11-20T09:00:00Z", ""},
    {"BeforeFirst", "0001-01-01T00:00:00+00:01", ""},
    {"AfterLast", "9999-12-31T23:59:59-00:01", ""},
};

INSTANTIATE_TEST_SUITE_P(Table, Rfc3339Test, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
