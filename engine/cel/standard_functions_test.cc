// Conversions, parts of times, optionals, isIn(), and the registry.
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "reeve/engine/cel/cell_testing.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
constexpr uint64_t kMaxUint = std::numeric_limits<uint64_t>::max();
const double kNan = std::nan("");
const double kInf = std::numeric_limits<double>::infinity();
const std::string kLongFraction = "0." + std::string(500, '0') + "1h";

Cell B(bool value) { return Cell::Bool(value); }
Cell I(int64_t value) { return Cell::Int(value); }
Cell U(uint64_t value) { return Cell::Uint(value); }
Cell D(double value) { return Cell::Double(value); }
Cell S(std::string_view value) { return Cell::String(value); }
Cell Y(std::string_view value) { return Cell::Bytes(value); }
Cell T(int64_t seconds, uint32_t nanos = 0) { return Cell::Timestamp(seconds, nanos); }
Cell Dur(int64_t seconds, uint32_t nanos = 0) { return Cell::Duration(seconds, nanos); }
Cell None() { return Cell::Optional(nullptr, 0); }

TEST(FunctionsTest, AreSortedAndFoundByName) {
  const absl::Span<const Function> all = Functions();
  ASSERT_GT(all.size(), 50u);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(FindFunction(all[i].name), &all[i]) << all[i].name;
    EXPECT_NE(all[i].call, nullptr) << all[i].name;
    EXPECT_LE(all[i].min_arguments, all[i].max_arguments) << all[i].name;
    if (i > 0) {
      EXPECT_LT(all[i - 1].name, all[i].name);
    }
  }
  EXPECT_EQ(FindFunction(""), nullptr);
  EXPECT_EQ(FindFunction("siz"), nullptr);
  EXPECT_EQ(FindFunction("zzz"), nullptr);
}

struct Case {
  const char* name;
  const char* function;
  std::vector<Cell> arguments;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class CallTest : public testing::TestWithParam<Case> {};

TEST_P(CallTest, Gives) {
  const Case& c = GetParam();
  EXPECT_EQ(Call(c.function, c.arguments), c.want);
}

const Case kConversions[] = {
    {"BoolOfBool", "bool", {B(true)}, "true"},
    {"BoolOf1", "bool", {S("1")}, "true"},
    {"BoolOfSmallT", "bool", {S("t")}, "true"},
    {"BoolOfT", "bool", {S("T")}, "true"},
    {"BoolOfSmallTrue", "bool", {S("true")}, "true"},
    {"BoolOfTRUE", "bool", {S("TRUE")}, "true"},
    {"BoolOfTrue", "bool", {S("True")}, "true"},
    {"BoolOf0", "bool", {S("0")}, "false"},
    {"BoolOfSmallF", "bool", {S("f")}, "false"},
    {"BoolOfF", "bool", {S("F")}, "false"},
    {"BoolOfSmallFalse", "bool", {S("false")}, "false"},
    {"BoolOfFALSE", "bool", {S("FALSE")}, "false"},
    {"BoolOfFalse", "bool", {S("False")}, "false"},
    {"BoolOfOtherCase", "bool", {S("tRue")}, "cannot be converted: tRue"},
    {"BoolOfEmpty", "bool", {S("")}, "cannot be converted"},
    {"BoolOfInt", "bool", {I(1)}, "no such overload: bool"},

    {"BytesOfBytes", "bytes", {Y("\xFF")}, "b\"\\xff\""},
    {"BytesOfString", "bytes", {S("\u00E9")}, "b\"\\xc3\\xa9\""},
    {"BytesOfInt", "bytes", {I(1)}, "no such overload: bytes"},

    {"IntOfInt", "int", {I(-1)}, "-1"},
    {"IntOfUint", "int", {U(5)}, "5"},
    {"IntOfLargeUint", "int", {U(uint64_t{1} << 63)}, "out of range"},
    {"IntOfDoubleTruncates", "int", {D(-3.9)}, "-3"},
    {"IntOfLargeDouble", "int", {D(9223372036854774784.0)}, "9223372036854774784"},
    {"IntOfTooLargeDouble", "int", {D(9223372036854775808.0)}, "out of range"},
    {"IntOfSmallestDouble", "int", {D(-9223372036854775808.0)}, "out of range"},
    {"IntOfNan", "int", {D(kNan)}, "out of range"},
    {"IntOfInfinity", "int", {D(-kInf)}, "out of range"},
    {"IntOfString", "int", {S("-9223372036854775808")}, "-9223372036854775808"},
    {"IntOfSignedString", "int", {S("+7")}, "7"},
    {"IntOfLeadingZeros", "int", {S("007")}, "7"},
    {"IntOfLargeString", "int", {S("9223372036854775808")}, "out of range"},
    {"IntOfTwoSigns", "int", {S("+-7")}, "cannot be converted: +-7"},
    {"IntOfSign", "int", {S("-")}, "cannot be converted: -"},
    {"IntOfEmpty", "int", {S("")}, "cannot be converted"},
    {"IntOfSpace", "int", {S(" 7")}, "cannot be converted:  7"},
    {"IntOfFraction", "int", {S("7.0")}, "cannot be converted: 7.0"},
    {"IntOfHex", "int", {S("0x7")}, "cannot be converted: 0x7"},
    {"IntOfLargeAndMore",
     "int",
     {S("99999999999999999999x")},
     "cannot be converted: 99999999999999999999x"},
    {"IntOfTimestamp", "int", {T(-5, 999)}, "-5"},
    {"IntOfDuration", "int", {Dur(5)}, "no such overload: int"},
    {"IntOfBool", "int", {B(true)}, "no such overload: int"},

    {"UintOfUint", "uint", {U(1)}, "1u"},
    {"UintOfInt", "uint", {I(kMaxInt)}, "9223372036854775807u"},
    {"UintOfNegativeInt", "uint", {I(-1)}, "out of range"},
    {"UintOfDoubleTruncates", "uint", {D(1.9)}, "1u"},
    {"UintOfNegativeDouble", "uint", {D(-0.5)}, "out of range"},
    {"UintOfTooLargeDouble", "uint", {D(18446744073709551616.0)}, "out of range"},
    {"UintOfNan", "uint", {D(kNan)}, "out of range"},
    {"UintOfString", "uint", {S("18446744073709551615")}, "18446744073709551615u"},
    {"UintOfLargeString", "uint", {S("18446744073709551616")}, "out of range"},
    {"UintOfSignedString", "uint", {S("+1")}, "cannot be converted: +1"},
    {"UintOfNegativeString", "uint", {S("-1")}, "cannot be converted: -1"},
    {"UintOfTimestamp", "uint", {T(1)}, "no such overload: uint"},

    {"DoubleOfDouble", "double", {D(0.5)}, "0.5"},
    {"DoubleOfInt", "double", {I(kMaxInt)}, "9.223372036854776e+18"},
    {"DoubleOfUint", "double", {U(2)}, "2.0"},
    {"DoubleOfString", "double", {S("-987.654")}, "-987.654"},
    {"DoubleOfExponent", "double", {S("6.02214e23")}, "6.02214e+23"},
    {"DoubleOfSignedExponent", "double", {S("+1E-2")}, "0.01"},
    {"DoubleWithoutWhole", "double", {S(".5")}, "0.5"},
    {"DoubleWithoutFraction", "double", {S("5.")}, "5.0"},
    {"DoubleOfNegativeZero", "double", {S("-0")}, "-0.0"},
    {"DoubleOfNan", "double", {S("NaN")}, "double(\"NaN\")"},
    {"DoubleOfInf", "double", {S("inf")}, "double(\"Infinity\")"},
    {"DoubleOfPlusInf", "double", {S("+Inf")}, "double(\"Infinity\")"},
    {"DoubleOfNegativeInfinity", "double", {S("-Infinity")}, "double(\"-Infinity\")"},
    {"DoubleTooLarge", "double", {S("1e999")}, "out of range"},
    {"DoubleTooSmall", "double", {S("1e-999")}, "0.0"},
    {"DoubleOfSignedNan", "double", {S("-nan")}, "cannot be converted: -nan"},
    {"DoubleOfPoint", "double", {S(".")}, "cannot be converted: ."},
    {"DoubleOfBareExponent", "double", {S("1e")}, "cannot be converted: 1e"},
    {"DoubleOfEmpty", "double", {S("")}, "cannot be converted"},
    {"DoubleOfSpace", "double", {S("1 ")}, "cannot be converted: 1 "},
    {"DoubleOfHex", "double", {S("0x1p3")}, "cannot be converted: 0x1p3"},
    {"DoubleOfBool", "double", {B(true)}, "no such overload: double"},

    {"StringOfString", "string", {S("a")}, "\"a\""},
    {"StringOfBool", "string", {B(false)}, "\"false\""},
    {"StringOfInt", "string", {I(kMinInt)}, "\"-9223372036854775808\""},
    {"StringOfUint", "string", {U(kMaxUint)}, "\"18446744073709551615\""},
    {"StringOfDouble", "string", {D(123.456)}, "\"123.456\""},
    {"StringOfWholeDouble", "string", {D(100000)}, "\"100000\""},
    {"StringOfLargeDouble", "string", {D(1000000)}, "\"1e+06\""},
    {"StringOfLongDouble", "string", {D(1234567.5)}, "\"1.2345675e+06\""},
    {"StringOfSmallDouble", "string", {D(-0.0045)}, "\"-0.0045\""},
    {"StringOfSmallerDouble", "string", {D(0.00001)}, "\"1e-05\""},
    {"StringOfHugeDouble", "string", {D(1e100)}, "\"1e+100\""},
    {"StringOfNegativeZero", "string", {D(-0.0)}, "\"-0\""},
    {"StringOfThird", "string", {D(1.0 / 3)}, "\"0.3333333333333333\""},
    {"StringOfNan", "string", {D(kNan)}, "\"NaN\""},
    {"StringOfInfinity", "string", {D(kInf)}, "\"+Inf\""},
    {"StringOfNegativeInfinity", "string", {D(-kInf)}, "\"-Inf\""},
    {"StringOfBytes", "string", {Y("\xC3\xA9")}, "\"\u00E9\""},
    {"StringOfBadBytes", "string", {Y("a\xFF")}, "cannot be converted: bytes that are not UTF-8"},
    {"StringOfTimestamp", "string", {T(1234567890)}, "\"2009-02-13T23:31:30Z\""},
    {"StringOfFirstTimestamp", "string", {T(-62135596800)}, "\"0001-01-01T00:00:00Z\""},
    {"StringOfNanos", "string", {T(-1, 120000000)}, "\"1969-12-31T23:59:59.12Z\""},
    {"StringOfDuration", "string", {Dur(3600, 500000000)}, "\"3600.5s\""},
    {"StringOfNegativeDuration", "string", {Dur(-1, 999999999)}, "\"-0.000000001s\""},
    {"StringOfLongestDuration",
     "string",
     {Dur(-9223372037, 145224192)},
     "\"-9223372036.854775808s\""},
    {"StringOfIp", "string", {IpOf({192, 0, 2, 1})}, "\"192.0.2.1\""},
    {"StringOfCidr", "string", {CidrOf({192, 0, 2, 0}, 24)}, "\"192.0.2.0/24\""},
    {"StringOfNull", "string", {Cell()}, "no such overload: string"},
    {"StringOfList", "string", {ListOf({})}, "no such overload: string"},
    {"StringOfType", "string", {Cell::Type("int")}, "no such overload: string"},

    {"TimestampOfTimestamp", "timestamp", {T(1)}, "timestamp(\"1970-01-01T00:00:01Z\")"},
    {"TimestampOfInt", "timestamp", {I(1000000000)}, "timestamp(\"2001-09-09T01:46:40Z\")"},
    {"TimestampOfFirstInt", "timestamp", {I(-62135596800)}, "timestamp(\"0001-01-01T00:00:00Z\")"},
    {"TimestampOfEarlyInt", "timestamp", {I(-62135596801)}, "out of range"},
    {"TimestampOfLateInt", "timestamp", {I(253402300800)}, "out of range"},
    {"TimestampOfString",
     "timestamp",
     {S("2023-08-26T12:39:00.25-07:00")},
     "timestamp(\"2023-08-26T19:39:00.25Z\")"},
    {"TimestampYear0",
     "timestamp",
     {S("0000-01-01T00:00:00Z")},
     "cannot be converted: 0000-01-01T00:00:00Z"},
    {"TimestampYear10000",
     "timestamp",
     {S("9999-12-31T23:59:59-01:00")},
     "cannot be converted: 9999-12-31T23:59:59-01:00"},
    {"TimestampWithoutSeconds",
     "timestamp",
     {S("2023-08-26T12:39Z")},
     "cannot be converted: 2023-08-26T12:39Z"},
    {"TimestampWithoutZone",
     "timestamp",
     {S("2023-08-26T12:39:00")},
     "cannot be converted: 2023-08-26T12:39:00"},
    {"TimestampNoDay",
     "timestamp",
     {S("2023-02-29T00:00:00Z")},
     "cannot be converted: 2023-02-29T00:00:00Z"},
    {"TimestampEmpty", "timestamp", {S("")}, "cannot be converted"},
    {"TimestampOfUint", "timestamp", {U(1)}, "no such overload: timestamp"},

    {"DurationOfDuration", "duration", {Dur(1)}, "duration(\"1s\")"},
    {"DurationZero", "duration", {S("0")}, "duration(\"0s\")"},
    {"DurationNegativeZero", "duration", {S("-0")}, "duration(\"0s\")"},
    {"DurationCompound", "duration", {S("1h30m")}, "duration(\"5400s\")"},
    {"DurationNegative", "duration", {S("-1.5h")}, "duration(\"-5400s\")"},
    {"DurationFractionInDoubles", "duration", {S("0.3333333333333333333h")}, "duration(\"1200s\")"},
    {"DurationFractionWithoutEnd", "duration", {S(kLongFraction)}, "duration(\"0s\")"},
    {"DurationPlus", "duration", {S("+1m1ms")}, "duration(\"60.001s\")"},
    {"DurationNegativeFraction", "duration", {S("-23.4s")}, "duration(\"-23.4s\")"},
    {"DurationMicro", "duration", {S("1us2\u00B5s3\u03BCs")}, "duration(\"0.000006s\")"},
    {"DurationNanos", "duration", {S("-999999999ns")}, "duration(\"-0.999999999s\")"},
    {"DurationBelowNanos", "duration", {S("1.9ns")}, "duration(\"0.000000001s\")"},
    {"DurationLongFraction", "duration", {S("0.33333333333333333333h")}, "duration(\"1200s\")"},
    {"DurationWithoutWhole", "duration", {S(".5s")}, "duration(\"0.5s\")"},
    {"DurationWithoutFraction", "duration", {S("5.s")}, "duration(\"5s\")"},
    {"DurationOrderIsFree", "duration", {S("1s1h1s")}, "duration(\"3602s\")"},
    {"DurationLongest",
     "duration",
     {S("9223372036.854775807s")},
     "duration(\"9223372036.854775807s\")"},
    {"DurationTooLong", "duration", {S("9223372036.854775808s")}, "out of range"},
    {"DurationLongestNegative",
     "duration",
     {S("-9223372036.854775808s")},
     "duration(\"-9223372036.854775808s\")"},
    {"DurationTooLongNegative", "duration", {S("-9223372036.854775809s")}, "out of range"},
    {"DurationManyHours", "duration", {S("99999999999999999999h")}, "out of range"},
    {"DurationSumTooLong",
     "duration",
     {S("5000000000s5000000000s5000000000s5000000000s")},
     "out of range"},
    {"DurationDays", "duration", {S("1d")}, "cannot be converted: 1d"},
    {"DurationWithoutUnit", "duration", {S("1")}, "cannot be converted: 1"},
    {"DurationOfPoint", "duration", {S(".s")}, "cannot be converted: .s"},
    {"DurationOfUnit", "duration", {S("s")}, "cannot be converted: s"},
    {"DurationEmpty", "duration", {S("")}, "cannot be converted"},
    {"DurationOfSign", "duration", {S("-")}, "cannot be converted: -"},
    {"DurationInnerSign", "duration", {S("1h-1m")}, "cannot be converted: 1h-1m"},
    {"DurationSpace", "duration", {S("1h 1m")}, "cannot be converted: 1h 1m"},
    {"DurationOfInt", "duration", {I(1)}, "no such overload: duration"},

    {"Dyn", "dyn", {ListOf({I(1)})}, "[1]"},
    {"Type", "type", {Cell::Type("int")}, "type"},
    {"TypeOfNull", "type", {Cell()}, "null_type"},
    {"Size", "size", {S("\u00E9\u00E9")}, "2"},
    {"SizeOfInt", "size", {I(2)}, "no such overload: size"},
};
INSTANTIATE_TEST_SUITE_P(Conversions, CallTest, testing::ValuesIn(kConversions), NameOf);

// 2009-02-13T23:31:30.123456789Z, a Friday.
const Cell kTime = T(1234567890, 123456789);

const Case kTimes[] = {
    {"FullYear", "getFullYear", {kTime}, "2009"},
    {"Month", "getMonth", {kTime}, "1"},
    {"Date", "getDate", {kTime}, "13"},
    {"DayOfMonth", "getDayOfMonth", {kTime}, "12"},
    {"DayOfWeek", "getDayOfWeek", {kTime}, "5"},
    {"DayOfWeekOnSunday", "getDayOfWeek", {T(1234567890 + 2 * 86400)}, "0"},
    {"DayOfYear", "getDayOfYear", {kTime}, "43"},
    {"LastDayOfLeapYear", "getDayOfYear", {T(978307199)}, "365"},
    {"Hours", "getHours", {kTime}, "23"},
    {"Minutes", "getMinutes", {kTime}, "31"},
    {"Seconds", "getSeconds", {kTime}, "30"},
    {"Milliseconds", "getMilliseconds", {kTime}, "123"},
    {"BeforeTheEpoch", "getSeconds", {T(-1, 5)}, "59"},
    {"HoursBeforeTheEpoch", "getHours", {T(-86401)}, "23"},
    {"FirstYear", "getFullYear", {T(-62135596800)}, "1"},
    {"FirstYearFurtherWest", "getFullYear", {T(-62135596800), S("-08:00")}, "0"},
    {"LastYearFurtherEast", "getFullYear", {T(253402300799), S("+01:00")}, "10000"},

    {"Utc", "getHours", {kTime, S("UTC")}, "23"},
    {"East", "getDate", {kTime, S("+11:00")}, "14"},
    {"West", "getDayOfMonth", {T(1234490400), S("-02:30")}, "11"},
    {"WithoutSign", "getHours", {kTime, S("02:00")}, "1"},
    {"NegativeMinutes", "getMinutes", {kTime, S("-00:32")}, "59"},
    {"NegativeZero", "getSeconds", {kTime, S("-00:00")}, "30"},
    {"HalfHour", "getMinutes", {kTime, S("+05:30")}, "1"},
    {"MillisecondsOfZone", "getMilliseconds", {kTime, S("Asia/Kolkata")}, "123"},
    {"IanaName", "getHours", {kTime, S("Europe/Paris")}, "0"},
    {"IanaNameInSummer", "getHours", {T(1247529600), S("Europe/Paris")}, "2"},
    {"IanaDate", "getDate", {kTime, S("Europe/Paris")}, "14"},
    {"IanaWest", "getDayOfMonth", {kTime, S("US/Central")}, "12"},
    {"IanaThreeParts", "getHours", {kTime, S("America/Argentina/Buenos_Aires")}, "21"},
    {"IanaSign", "getHours", {kTime, S("Etc/GMT+3")}, "20"},
    {"IanaWeekday", "getDayOfWeek", {kTime, S("Australia/Sydney")}, "6"},
    {"IanaMonth", "getMonth", {T(1235865599), S("Asia/Tokyo")}, "2"},
    {"IanaYear", "getFullYear", {T(1230768000 - 1), S("Asia/Tokyo")}, "2009"},
    {"IanaDayOfYear", "getDayOfYear", {T(1230768000 - 1), S("Asia/Tokyo")}, "0"},

    {"NoSuchZone", "getHours", {kTime, S("Europe/Atlantis")}, "no such time zone: Europe/Atlantis"},
    {"EmptyZone", "getHours", {kTime, S("")}, "no such time zone"},
    {"ZoneDirectory", "getHours", {kTime, S("Europe")}, "no such time zone: Europe"},
    {"ZoneOfThisMachine", "getHours", {kTime, S("localtime")}, "no such time zone: localtime"},
    {"ZoneUpwards",
     "getHours",
     {kTime, S("../../../etc/passwd")},
     "no such time zone: ../../../etc/passwd"},
    {"ZoneInnerUpwards",
     "getHours",
     {kTime, S("Europe/../Europe/Paris")},
     "no such time zone: Europe/../Europe/Paris"},
    {"ZoneAbsolute",
     "getHours",
     {kTime, S("/usr/share/zoneinfo/Europe/Paris")},
     "no such time zone: /usr/share/zoneinfo/Europe/Paris"},
    {"ZoneFile",
     "getHours",
     {kTime, S("file:Europe/Paris")},
     "no such time zone: file:Europe/Paris"},
    {"ZoneFixedName",
     "getHours",
     {kTime, S("Fixed/UTC+01:00:00")},
     "no such time zone: Fixed/UTC+01:00:00"},
    {"ZoneNoZoneFile", "getHours", {kTime, S("zone.tab")}, "no such time zone: zone.tab"},
    {"OffsetOneDigit", "getHours", {kTime, S("+1:00")}, "no such time zone: +1:00"},
    {"OffsetHours", "getHours", {kTime, S("+24:00")}, "no such time zone: +24:00"},
    {"OffsetMinutes", "getHours", {kTime, S("+01:60")}, "no such time zone: +01:60"},
    {"OffsetSpace", "getHours", {kTime, S("+ 1:00")}, "no such time zone: + 1:00"},
    {"OffsetTwoSigns", "getHours", {kTime, S("+-1:00")}, "no such time zone: +-1:00"},
    {"ZoneNoString", "getHours", {kTime, I(1)}, "no such overload: getHours"},
    {"NoTime", "getFullYear", {S("2009")}, "no such overload: getFullYear"},

    {"DurationHours", "getHours", {Dur(10000)}, "2"},
    {"DurationMinutes", "getMinutes", {Dur(3730)}, "62"},
    {"DurationSeconds", "getSeconds", {Dur(3730, 999999999)}, "3730"},
    {"DurationMilliseconds", "getMilliseconds", {Dur(123, 321456789)}, "321"},
    {"DurationNegativeHours", "getHours", {Dur(-7199, 0)}, "-1"},
    {"DurationNegativeSeconds", "getSeconds", {Dur(-2, 500000000)}, "-1"},
    {"DurationNegativeMilliseconds", "getMilliseconds", {Dur(-2, 766000000)}, "-234"},
    {"DurationNegativeWhole", "getMilliseconds", {Dur(-2)}, "0"},
    {"DurationWithZone", "getHours", {Dur(1), S("UTC")}, "no such overload: getHours"},
    {"DurationDate", "getDate", {Dur(1)}, "no such overload: getDate"},
};
INSTANTIATE_TEST_SUITE_P(Times, CallTest, testing::ValuesIn(kTimes), NameOf);

TEST(TimeZoneTest, MoreZonesThanAreKept) {
  const std::pair<const char*, const char*> zones[] = {
      {"Asia/Tokyo", "8"},        {"Asia/Dubai", "3"},       {"Europe/Moscow", "2"},
      {"Asia/Shanghai", "7"},     {"Asia/Bangkok", "6"},     {"Africa/Lagos", "0"},
      {"Africa/Nairobi", "2"},    {"Asia/Dhaka", "5"},       {"America/Bogota", "18"},
      {"Pacific/Honolulu", "13"}, {"America/Caracas", "19"},
  };
  for (int round = 0; round < 2; ++round) {
    for (const auto& [zone, want] : zones) {
      EXPECT_EQ(Call("getHours", {kTime, S(zone)}), want) << zone;
    }
  }
}

TEST(TimeZoneTest, LoadingOneIsPaidOnce) {
  const Function* hours = FindFunction("getHours");
  Context context;
  context.Reset(1000, 1000);
  const std::vector<Cell> arguments = {kTime, S("Antarctica/Troll")};
  EXPECT_EQ(ToString(hours->call(arguments, context)), "23");
  EXPECT_EQ(context.budget(), 900u);
  EXPECT_EQ(ToString(hours->call(arguments, context)), "23");
  EXPECT_EQ(context.budget(), 900u);
  EXPECT_NE(context.Allocate<char>(1000), nullptr);  // and takes nothing of the arena
}

const Case kOptionals[] = {
    {"Of", "optional.of", {I(1)}, "optional.of(1)"},
    {"OfNull", "optional.of", {Cell()}, "optional.of(null)"},
    {"None", "optional.none", {}, "optional.none()"},
    {"NonZeroNull", "optional.ofNonZeroValue", {Cell()}, "optional.none()"},
    {"NonZeroFalse", "optional.ofNonZeroValue", {B(false)}, "optional.none()"},
    {"NonZeroTrue", "optional.ofNonZeroValue", {B(true)}, "optional.of(true)"},
    {"NonZeroInt", "optional.ofNonZeroValue", {I(0)}, "optional.none()"},
    {"NonZeroUint", "optional.ofNonZeroValue", {U(0)}, "optional.none()"},
    {"NonZeroDouble", "optional.ofNonZeroValue", {D(-0.0)}, "optional.none()"},
    {"NonZeroNan", "optional.ofNonZeroValue", {D(kNan)}, "optional.of(double(\"NaN\"))"},
    {"NonZeroString", "optional.ofNonZeroValue", {S("")}, "optional.none()"},
    {"NonZeroText", "optional.ofNonZeroValue", {S("a")}, "optional.of(\"a\")"},
    {"NonZeroBytes", "optional.ofNonZeroValue", {Y("")}, "optional.none()"},
    {"NonZeroList", "optional.ofNonZeroValue", {ListOf({})}, "optional.none()"},
    {"NonZeroFullList", "optional.ofNonZeroValue", {ListOf({I(0)})}, "optional.of([0])"},
    {"NonZeroUnknownList",
     "optional.ofNonZeroValue",
     {StringsOf({}).Partial()},
     "not all groups are known"},
    {"NonZeroPartialList",
     "optional.ofNonZeroValue",
     {StringsOf({"a"}).Partial()},
     "optional.of([\"a\", ...])"},
    {"NonZeroMap", "optional.ofNonZeroValue", {MapOf({})}, "optional.none()"},
    {"NonZeroEntity", "optional.ofNonZeroValue", {Ada()}, "optional.of({...})"},
    {"NonZeroTimestamp", "optional.ofNonZeroValue", {T(0)}, "optional.none()"},
    {"NonZeroDuration", "optional.ofNonZeroValue", {Dur(0)}, "optional.none()"},
    {"NonZeroNanosecond",
     "optional.ofNonZeroValue",
     {Dur(0, 1)},
     "optional.of(duration(\"0.000000001s\"))"},
    {"NonZeroType", "optional.ofNonZeroValue", {Cell::Type("int")}, "optional.of(int)"},
    {"HasValue", "hasValue", {OptionalOf(Cell())}, "true"},
    {"HasNone", "hasValue", {None()}, "false"},
    {"HasValueOfInt", "hasValue", {I(1)}, "no such overload: hasValue"},
    {"Value", "value", {OptionalOf(I(1))}, "1"},
    {"ValueOfNone", "value", {None()}, "an optional without a value has none"},
    {"ValueOfInt", "value", {I(1)}, "no such overload: value"},
    {"OrFirst", "or", {OptionalOf(I(1)), OptionalOf(I(2))}, "optional.of(1)"},
    {"OrSecond", "or", {None(), OptionalOf(I(2))}, "optional.of(2)"},
    {"OrNone", "or", {None(), None()}, "optional.none()"},
    {"OrInt", "or", {None(), I(1)}, "no such overload: or"},
    {"IntOr", "or", {I(1), None()}, "no such overload: or"},
    {"OrValueFirst", "orValue", {OptionalOf(I(1)), I(2)}, "1"},
    {"OrValueSecond", "orValue", {None(), I(2)}, "2"},
    {"IntOrValue", "orValue", {I(1), I(2)}, "no such overload: orValue"},
    {"Unwrap",
     "optional.unwrap",
     {ListOf({OptionalOf(I(1)), None(), OptionalOf(Cell())})},
     "[1, null]"},
    {"UnwrapOpt", "unwrapOpt", {ListOf({None()})}, "[]"},
    {"UnwrapInts", "unwrapOpt", {ListOf({I(1)})}, "no such overload: unwrapOpt"},
    {"UnwrapInt", "unwrapOpt", {I(1)}, "no such overload: unwrapOpt"},
};
INSTANTIATE_TEST_SUITE_P(Optionals, CallTest, testing::ValuesIn(kOptionals), NameOf);

const Case kEntities[] = {
    {"Itself", "isIn", {Ada(), S("user:ada")}, "true"},
    {"Group", "isIn", {Ada(), S("group:staff")}, "true"},
    {"OtherGroup", "isIn", {Ada(), S("group:ops")}, "false"},
    {"UnknownGroup", "isIn", {Ada(), S("group:remote")}, "not all groups are known"},
    {"AnyOfList", "isIn", {Ada(), StringsOf({"group:ops", "group:staff"})}, "true"},
    {"NoneOfList", "isIn", {Ada(), StringsOf({"group:ops", "group:eng"})}, "false"},
    {"TrueBeatsUnknown", "isIn", {Ada(), ListOf({S("group:remote"), S("group:staff")})}, "true"},
    {"UnknownBeatsFalse",
     "isIn",
     {Ada(), ListOf({S("group:remote"), S("group:ops")})},
     "not all groups are known"},
    {"EmptyList", "isIn", {Ada(), ListOf({})}, "false"},
    {"PartialList",
     "isIn",
     {Ada(), StringsOf({"group:ops"}).Partial()},
     "not all groups are known"},
    {"ListOfInts", "isIn", {Ada(), ListOf({I(1)})}, "no such overload: isIn"},
    {"Int", "isIn", {Ada(), I(1)}, "no such overload: isIn"},
    {"MapIsNoEntity", "isIn", {MapOf({}), S("user:ada")}, "no such overload: isIn"},
    {"StringIsNoEntity", "isIn", {S("user:ada"), S("user:ada")}, "no such overload: isIn"},
};
INSTANTIATE_TEST_SUITE_P(Entities, CallTest, testing::ValuesIn(kEntities), NameOf);

}  // namespace
}  // namespace reeve::cel
