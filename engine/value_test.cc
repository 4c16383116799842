#include "reeve/engine/value.h"

#include <gtest/gtest.h>

#include <limits>

namespace reeve {
namespace {

struct PrintCase {
  const char* name;
  Value value;
  Value::Kind kind;
  const char* text;
};

std::ostream& operator<<(std::ostream& os, const PrintCase& c) { return os << c.name; }

class ValueTest : public testing::TestWithParam<PrintCase> {};

TEST_P(ValueTest, HasKindAndTextAndEqualsItself) {
  const PrintCase& c = GetParam();
  EXPECT_EQ(c.value.kind(), c.kind);
  EXPECT_EQ(c.value.ToString(), c.text);
  EXPECT_EQ(c.value, Value(c.value));
}

using Kind = Value::Kind;
const PrintCase kPrintCases[] = {
    {"Null", Value(), Kind::kNull, "null"},
    {"Bool", Value::Bool(true), Kind::kBool, "true"},
    {"Int", Value::Int(-7), Kind::kInt, "-7"},
    {"Uint", Value::Uint(7), Kind::kUint, "7u"},
    {"Double", Value::Double(0.1), Kind::kDouble, "0.1"},
    {"WholeDouble", Value::Double(2), Kind::kDouble, "2.0"},
    {"Infinity", Value::Double(-std::numeric_limits<double>::infinity()), Kind::kDouble,
     "double(\"-Infinity\")"},
    {"String", Value::String("a\"ß\n"), Kind::kString, "\"a\\\"ß\\n\""},
    {"Bytes", Value::Bytes("\xff"), Kind::kBytes, "b\"\\xff\""},
    {"List", Value::Of(Value::List{Value::Int(1), Value::String("x")}), Kind::kList, "[1, \"x\"]"},
    {"Map", Value::Of(Attributes{{"b", Value::Int(2)}, {"a", Value()}}), Kind::kMap,
     "{\"a\": null, \"b\": 2}"},
    {"Timestamp", Value::Timestamp(absl::FromUnixMillis(1500)), Kind::kTimestamp,
     "timestamp(\"1970-01-01T00:00:01.5Z\")"},
    {"Duration", Value::Duration(absl::Seconds(90)), Kind::kDuration, "duration(\"1m30s\")"},
};

INSTANTIATE_TEST_SUITE_P(All, ValueTest, testing::ValuesIn(kPrintCases),
                         [](const auto& info) { return info.param.name; });

TEST(ValueTest, DistinctValuesDiffer) {
  for (const PrintCase& a : kPrintCases) {
    for (const PrintCase& b : kPrintCases) {
      EXPECT_EQ(a.value != b.value, &a != &b) << a.name << " " << b.name;
    }
  }
  EXPECT_NE(Value::Int(1), Value::Uint(1));
}

TEST(AttributesTest, FindsEachNameHoweverManyThereAre) {
  Attributes attributes;
  for (int count = 0; count < 20; ++count) {
    for (int i = 0; i < 20; ++i) {
      const Value* const found = attributes.Find("name" + std::to_string(i));
      ASSERT_EQ(found != nullptr, i < count) << i << " of " << count;
      EXPECT_EQ(found == nullptr ? i : found->int_value(), i) << " of " << count;
    }
    EXPECT_EQ(attributes.Find("name"), nullptr) << count;
    EXPECT_EQ(attributes.Find(""), nullptr) << count;
    attributes.Set("name" + std::to_string(count), Value::Int(count));
  }
}

TEST(AttributesTest, AreSortedAndHoldEachNameOnce) {
  Attributes attributes;
  EXPECT_TRUE(attributes.Set("b", Value::Int(1)));
  EXPECT_TRUE(attributes.Set("a", Value::Int(2)));
  EXPECT_FALSE(attributes.Set("b", Value::Int(3)));
  EXPECT_EQ(Value::Of(attributes).ToString(), "{\"a\": 2, \"b\": 3}");
  EXPECT_EQ(attributes.Find("b")->int_value(), 3);
  EXPECT_EQ(attributes.Find("c"), nullptr);
}

Value Nested(int depth) {
  Value value = Value::Int(0);
  for (int i = 0; i < depth; ++i) value = Value::Of(Value::List{value});
  return value;
}

struct DefectCase {
  const char* name;
  Attributes attributes;
  const char* defect;
};

std::ostream& operator<<(std::ostream& os, const DefectCase& c) { return os << c.name; }

class DefectTest : public testing::TestWithParam<DefectCase> {};

TEST_P(DefectTest, IsFound) { EXPECT_EQ(DefectOf(GetParam().attributes), GetParam().defect); }

const DefectCase kDefectCases[] = {
    {"Empty", {}, ""},
    {"AtTheDepth", {{"a", Nested(kMaxValueDepth - 1)}}, ""},
    {"TooDeep", {{"a", Nested(kMaxValueDepth)}}, "values are nested too deeply"},
    {"AtTheCount", {{"a", Value::Of(Value::List(kMaxValueElements - 1))}}, ""},
    {"TooMany",
     {{"a", Value::Of(Value::List(kMaxValueElements))}},
     "too many values in one set of attributes"},
    {"TooManyAltogether",
     {{"a", Value::Of(Value::List(kMaxValueElements / 2))},
      {"b", Value::Of(Value::List(kMaxValueElements / 2))}},
     "too many values in one set of attributes"},
    {"LongString",
     {{"a", Value::String(std::string(kMaxStringBytes + 1, 'x'))}},
     "an attribute is too long"},
    {"LongBytes",
     {{"a", Value::Bytes(std::string(kMaxStringBytes + 1, 'x'))}},
     "an attribute is too long"},
    {"LongName", {{std::string(kMaxStringBytes + 1, 'x'), Value()}}, "an attribute is too long"},
    {"NotUtf8", {{"a", Value::String("\xff")}}, "an attribute is not valid UTF-8"},
    {"NameNotUtf8", {{"\xff", Value()}}, "an attribute is not valid UTF-8"},
    {"InsideALaterMap",
     {{"a", Value::Int(1)}, {"b", Value::Of(Attributes{{"c", Value::String("\xc0\xaf")}})}},
     "an attribute is not valid UTF-8"},
    {"BytesNeedNotBeUtf8", {{"a", Value::Bytes("\xff")}}, ""},
};

INSTANTIATE_TEST_SUITE_P(All, DefectTest, testing::ValuesIn(kDefectCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reeve
