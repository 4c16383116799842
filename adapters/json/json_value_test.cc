#include "reeve/adapters/json/json_value.h"

#include <ostream>
#include <string>

#include "gtest/gtest.h"

namespace reeve {
namespace {

using namespace std::string_literals;

constexpr JsonLimits kLimits = {1024 * 1024, 20, 128 * 1024};

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string Zeros(size_t count) {
  std::string text = "[0";
  for (size_t i = 1; i < count; ++i) text += ",0";
  return text + "]";
}

// `want` as a CEL expression; empty if the text is refused, for what `want_defect` says.
struct Case {
  const char* name;
  std::string text;
  std::string want;
  const char* want_defect;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class JsonValueTest : public testing::TestWithParam<Case> {};

TEST_P(JsonValueTest, ReadsOrRefuses) {
  const JsonValue got = ReadJson(GetParam().text, kLimits);
  EXPECT_EQ(ToString(got.defect), GetParam().want_defect);
  EXPECT_EQ(got.defect == JsonDefect::kNone ? got.value.ToString() : "", GetParam().want);
}

constexpr const char* kNotJson = "is not JSON";
constexpr const char* kNotUtf8 = "is not valid UTF-8";
constexpr const char* kRepeated = "has a member twice";
constexpr const char* kOutOfRange = "has a number that is out of range";

const Case kCases[] = {
    {"Null", "null", "null", ""},
    {"Booleans", "[true, false]", "[true, false]", ""},
    {"EmptyObject", "{}", "{}", ""},
    {"Nesting", R"({"b": [1, {"a": []}], "a": {}})", R"({"a": {}, "b": [1, {"a": []}]})", ""},
    {"SpaceAround", " \t\r\n1 \n", "1", ""},
    {"ByteOrderMark", "\xEF\xBB\xBF{}", "{}", ""},
    {"SameNameInTwoObjects", R"([{"a": 1}, {"a": 2}])", R"([{"a": 1}, {"a": 2}])", ""},
    {"SameNameInside", R"({"a": {"a": 1}})", R"({"a": {"a": 1}})", ""},

    {"Zero", "0", "0", ""},
    {"MinusZero", "-0", "0", ""},
    {"LargestInt", "9223372036854775807", "9223372036854775807", ""},
    {"SmallestInt", "-9223372036854775808", "-9223372036854775808", ""},
    {"SmallestUint", "9223372036854775808", "9223372036854775808u", ""},
    {"LargestUint", "18446744073709551615", "18446744073709551615u", ""},
    {"BeyondUint", "18446744073709551616", "", kOutOfRange},
    {"BelowInt", "-9223372036854775809", "", kOutOfRange},
    {"InfiniteInteger", std::string(400, '9'), "", kOutOfRange},
    {"Fraction", "1.5", "1.5", ""},
    {"WholeFraction", "1.0", "1.0", ""},
    {"Exponent", "1e3", "1e+03", ""},
    {"BigDouble", "1E308", "1e+308", ""},
    {"InfiniteDouble", "1e309", "", kOutOfRange},
    {"InfiniteInside", R"({"a": [-1e999]})", "", kOutOfRange},
    {"LeadingZero", "01", "", kNotJson},
    {"Plus", "+1", "", kNotJson},
    {"NaN", "NaN", "", kNotJson},
    {"Hexadecimal", "0x10", "", kNotJson},

    {"Escapes", R"("\"\\\/\n\u00e9\ud83d\ude00")", "\"\\\"\\\\/\\n\xC3\xA9\xF0\x9F\x98\x80\"", ""},
    {"EscapedZero", R"("a\u0000b")", "\"a\\000b\"", ""},
    {"LoneHighSurrogate", R"("\ud83d")", "", kNotJson},
    {"LoneLowSurrogate", R"("\ude00")", "", kNotJson},
    {"SwappedSurrogates", R"("\ude00\ud83d")", "", kNotJson},
    {"EncodedSurrogate", "\"\xED\xA0\xBD\"", "", kNotUtf8},
    {"Overlong", "\"\xC0\xAF\"", "", kNotUtf8},
    {"Latin1", "\"\xE9\"", "", kNotUtf8},
    {"RawNewline", "\"a\nb\"", "", kNotJson},
    {"RawZero", "\"a\0b\""s, "", kNotJson},
    {"SingleQuotes", "'a'", "", kNotJson},

    {"Empty", "", "", kNotJson},
    {"OnlySpace", " ", "", kNotJson},
    {"ZeroByteAfter", "{}\0"s, "", kNotJson},
    {"TextAfterZeroByte", "{}\0garbage"s, "", kNotJson},
    {"TwoTexts", "{} {}", "", kNotJson},
    {"Unclosed", R"({"a": 1)", "", kNotJson},
    {"TrailingComma", "[1,]", "", kNotJson},
    {"Comment", "[1 /* one */]", "", kNotJson},
    {"BareName", "{a: 1}", "", kNotJson},

    {"Repeated", R"({"a": 1, "b": 2, "a": 1})", "", kRepeated},
    {"RepeatedByEscape", R"({"a": 1, "\u0061": 1})", "", kRepeated},
    {"RepeatedInside", R"([{"x": [{"a": 1, "a": 2}]}])", "", kRepeated},
    // What comes first is reported.
    {"RepeatedAndUnclosed", R"({"b": {"a": 1, "a": 2}, )", "", kRepeated},

    {"Deepest", Nested(kLimits.depth), Nested(kLimits.depth), ""},
    {"TooDeep", Nested(kLimits.depth + 1), "", "is nested too deeply"},
    {"VeryDeep", std::string(kLimits.bytes, '['), "", "is nested too deeply"},
    {"TooMany", Zeros(kLimits.values), "", "has too many values"},
    {"TooLarge", std::string(kLimits.bytes, ' ') + "1", "", "is too large"},
    {"Largest", std::string(kLimits.bytes - 1, ' ') + "1", "1", ""},
};

INSTANTIATE_TEST_SUITE_P(Table, JsonValueTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(JsonValueTest, TakesAsManyValuesAsItSays) {
  const JsonValue got = ReadJson(Zeros(kLimits.values - 1), kLimits);  // and the list itself
  EXPECT_EQ(got.defect, JsonDefect::kNone);
  EXPECT_EQ(got.value.list_value().size(), kLimits.values - 1);
}

// Names in falling order are the worst case of a sorted list.
TEST(JsonValueTest, TakesManyNamesInAnyOrder) {
  std::string text = "{";
  for (int i = 59999; i >= 0; --i) text += "\"" + std::to_string(100000 + i) + "\":1,";
  text.back() = '}';
  const JsonValue got = ReadJson(text, kLimits);
  EXPECT_EQ(got.defect, JsonDefect::kNone);
  EXPECT_EQ(got.value.map_value().size(), 60000u);
}

}  // namespace
}  // namespace reeve
