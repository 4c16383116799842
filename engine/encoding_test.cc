#include "reeve/engine/encoding.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace reeve {
namespace {

std::string FromHex(absl::string_view hex) {
  std::string digits;
  for (char c : hex) {
    if (absl::ascii_isxdigit(c)) digits += c;
  }
  return absl::HexStringToBytes(digits);
}

Value Nested(int depth) {
  Value value;
  for (int i = 0; i < depth; ++i) value = Value::Of(Value::List{value});
  return value;
}

TEST(EncodingTest, AttributesBeyondTheLimitsAreNotWritten) {
  const std::string text(kMaxStringBytes, 'x');
  Attributes many, large;
  for (size_t i = 0; i < kMaxValueElements; ++i) many.Set(absl::StrCat(i), Value());
  const Attributes full = many;
  many.Set("x", Value());
  for (int i = 0; i < 65; ++i) large.Set(absl::StrCat(i), Value::String(text));
  const struct {
    const char* name;
    Attributes attributes;
    bool want;
  } kCases[] = {
      {"Full", full, true},
      {"TooMany", many, false},
      {"TooDeep", {{"v", Nested(kMaxValueDepth)}}, false},
      {"LongString", {{"v", Value::String(text)}}, true},
      {"TooLongString", {{"v", Value::String(text + "x")}}, false},
      {"TooLongBytes", {{"v", Value::Bytes(text + "x")}}, false},
      {"TooLongName", {{text + "x", Value()}}, false},
      {"StringNotUtf8", {{"v", Value::String("\xff")}}, false},
      {"NameNotUtf8", {{"\xff", Value()}}, false},
      {"BytesNotUtf8", {{"v", Value::Bytes("\xff")}}, true},
      {"TooLarge", large, false},
  };
  for (const auto& c : kCases) {
    std::string bytes = "before";
    EXPECT_EQ(AppendAttributes(c.attributes, &bytes), c.want) << c.name;
    if (!c.want) {
      EXPECT_EQ(bytes, "before") << c.name;
    } else {
      EXPECT_TRUE(DecodeAttributes(std::string_view(bytes).substr(6)).ok()) << c.name;
    }
    if (std::string_view(c.name) != "TooLarge") {
      EXPECT_EQ(DefectOf(c.attributes).empty(), c.want) << c.name;
    }
  }
}

TEST(EncodingTest, RefusesMapsThatItDoesNotWrite) {
  const struct {
    const char* name;
    const char* hex;
  } kCases[] = {
      {"Empty", "00"},
      {"CountTooLarge", "7f"},
      {"NoKind", "01 01 61"},
      {"UnknownKind", "01 01 61 0b"},
      {"Truth", "01 01 61 01 02"},
      {"ShortDouble", "01 01 61 04 00 00"},
      {"NamesOutOfOrder", "02 01 62 00 01 61 00"},
      {"NameTwice", "02 01 61 00 01 61 00"},
      {"NameNotUtf8", "01 01 ff 00"},
      {"StringNotUtf8", "01 01 61 05 01 ff"},
      {"LeftOver", "01 01 61 00 00"},
      {"ListTooShort", "01 01 61 07 02 00"},
      {"Infinite", "01 01 61 0a 02 80 94 eb dc 03"},
      {"Nanoseconds", "01 01 61 0a 00 81 94 eb dc 03"},
      {"TooDeep",
       "01 01 61 07 01 07 01 07 01 07 01 07 01 07 01 07 01 07 01 07 01 07 01 07 01 07 01 "
       "07 01 07 01 07 01 07 01 00"},
  };
  for (const auto& c : kCases) EXPECT_FALSE(DecodeAttributes(FromHex(c.hex)).ok()) << c.name;
}

// One value has the bytes that it has in a map.
TEST(EncodingTest, AValueAlone) {
  const Value values[] = {
      Value(), Value::Int(-7), Value::String("x"), Value::Of(Value::List{}),
      Value::Of(Value::List{Value::Of(Attributes{{"b", Value::Bool(true)}}), Value::Uint(3)})};
  for (const Value& value : values) {
    std::string map, alone = "before";
    ASSERT_TRUE(AppendAttributes({{"a", value}}, &map));
    EXPECT_TRUE(AppendValue(value, &alone));
    EXPECT_EQ(alone, "before" + map.substr(3)) << value.ToString();
  }
  std::string kept = "before";
  EXPECT_FALSE(AppendValue(Value::String("\xff"), &kept));
  EXPECT_FALSE(AppendValue(Value::Of(Value::List{Value(), Value::String("\xff")}), &kept));
  EXPECT_EQ(kept, "before");
}

TEST(EncodingTest, NumbersComeBackAndHaveOneForm) {
  const struct {
    const char* name;
    int64_t value;
    const char* hex;
  } kCases[] = {
      {"Zero", 0, "00"},
      {"MinusOne", -1, "01"},
      {"One", 1, "02"},
      {"TwoBytes", 64, "80 01"},
      {"Max", std::numeric_limits<int64_t>::max(), "fe ff ff ff ff ff ff ff ff 01"},
      {"Min", std::numeric_limits<int64_t>::min(), "ff ff ff ff ff ff ff ff ff 01"},
  };
  for (const auto& c : kCases) {
    std::string bytes;
    AppendSigned(c.value, &bytes);
    EXPECT_EQ(bytes, FromHex(c.hex)) << c.name;
    ByteReader in(bytes);
    int64_t value;
    EXPECT_TRUE(in.Signed(&value) && in.End()) << c.name;
    EXPECT_EQ(value, c.value) << c.name;
  }
  const struct {
    const char* hex;
    const char* error;
  } kBad[] = {
      {"", "byte 0: the bytes end too early"},
      {"80", "byte 1: the bytes end too early"},
      {"80 00", "byte 2: a number is longer than it needs to be"},
      {"ff ff ff ff ff ff ff ff ff 02", "byte 10: a number is too large"},
      {"00 00", "byte 1: bytes are left over"},
  };
  for (const auto& c : kBad) {
    const std::string bytes = FromHex(c.hex);
    ByteReader in(bytes);
    uint64_t value;
    EXPECT_FALSE(in.Varint(&value) && in.End()) << c.hex;
    EXPECT_EQ(in.status().message(), c.error) << c.hex;
  }
}

}  // namespace
}  // namespace reeve
