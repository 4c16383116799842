#include "reeve/engine/cel/operators.h"

#include <cmath>
#include <limits>
#include <ostream>

#include "gtest/gtest.h"
#include "reeve/engine/cel/cell_testing.h"

namespace reeve::cel {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
constexpr uint64_t kMaxUint = std::numeric_limits<uint64_t>::max();
const double kNan = std::nan("");
const double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kFirstSecond = -62135596800;
constexpr int64_t kLastSecond = 253402300799;

Cell B(bool value) { return Cell::Bool(value); }
Cell I(int64_t value) { return Cell::Int(value); }
Cell U(uint64_t value) { return Cell::Uint(value); }
Cell D(double value) { return Cell::Double(value); }
Cell S(std::string_view value) { return Cell::String(value); }
Cell Y(std::string_view value) { return Cell::Bytes(value); }
Cell T(int64_t seconds, uint32_t nanos = 0) { return Cell::Timestamp(seconds, nanos); }
Cell Dur(int64_t seconds, uint32_t nanos = 0) { return Cell::Duration(seconds, nanos); }
Cell None() { return Cell::Optional(nullptr, 0); }

struct PairCase {
  const char* name;
  Cell a;
  Cell b;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const PairCase& c) { return os << c.name; }

std::string NameOf(const testing::TestParamInfo<PairCase>& info) { return info.param.name; }

// `==` both ways, and `!=`.

class EqualTest : public testing::TestWithParam<PairCase> {};

TEST_P(EqualTest, IsTheSameBothWays) {
  const auto& [name, a, b, want] = GetParam();
  Context& context = AmpleContext();
  EXPECT_EQ(ToString(Equal(a, b, context)), want);
  EXPECT_EQ(ToString(Equal(b, a, context)), want);
  const std::string text = want;
  const std::string opposite = text == "true" ? "false" : text == "false" ? "true" : text;
  EXPECT_EQ(ToString(NotEqual(a, b, context)), opposite);
  if (text == "true" && a.depth() == 0 && b.depth() == 0 && a.kind() != Kind::kNull) {
    EXPECT_EQ(Hash(a), Hash(b));
  }
}

const PairCase kEqualCases[] = {
    {"Null", Cell::Null(), Cell::Null(), "true"},
    {"NullIsNotFalse", Cell::Null(), B(false), "false"},
    {"Bool", B(true), B(true), "true"},
    {"Int", I(1), I(1), "true"},
    {"IntUint", I(1), U(1), "true"},
    {"IntDouble", I(-1), D(-1), "true"},
    {"UintDouble", U(1), D(1), "true"},
    {"NegativeIntIsNoUint", I(-1), U(kMaxUint), "false"},
    {"Fraction", I(1), D(1.5), "false"},
    {"NegativeZero", I(0), D(-0.0), "true"},
    {"ZerosOfDoubles", D(0.0), D(-0.0), "true"},
    {"NanDiffersFromItself", D(kNan), D(kNan), "false"},
    {"NanIsNoInt", I(0), D(kNan), "false"},
    {"NanIsNoUint", U(0), D(kNan), "false"},
    {"Infinity", D(kInf), D(kInf), "true"},
    {"InfinityIsNoInt", I(kMaxInt), D(kInf), "false"},
    {"NotRoundedTo53Bits", I(9007199254740993), D(9007199254740992.0), "false"},
    {"UintNotRoundedTo53Bits", U(9007199254740993), D(9007199254740992.0), "false"},
    {"LargestInt", I(kMaxInt), D(9223372036854775808.0), "true"},
    {"BelowLargestInt", I(kMaxInt - 1), D(9223372036854775808.0), "false"},
    {"PastLargestInt", U(uint64_t{1} << 63), D(9223372036854775808.0), "true"},
    {"SmallestInt", I(kMinInt), D(-9223372036854775808.0), "true"},
    {"LargestUint", U(kMaxUint), D(18446744073709551616.0), "true"},
    {"NumberIsNoText", I(1), S("1"), "false"},
    {"String", S("ab"), S("ab"), "true"},
    {"StringPrefix", S("ab"), S("abc"), "false"},
    {"StringIsNoBytes", S("a"), Y("a"), "false"},
    {"Bytes", Y("\xFF"), Y("\xFF"), "true"},
    {"Timestamp", T(5, 6), T(5, 6), "true"},
    {"TimestampNanos", T(5, 6), T(5, 7), "false"},
    {"TimestampIsNoDuration", T(5), Dur(5), "false"},
    {"TypeByName", Cell::Type("int"), Cell::Type(std::string_view("integer").substr(0, 3)), "true"},
    {"Types", Cell::Type("int"), Cell::Type("uint"), "false"},
    {"TypeIsNoString", Cell::Type("int"), S("int"), "false"},
    {"EmptyLists", ListOf({}), StringsOf({}), "true"},
    {"ListsOfTwoForms", ListOf({S("a"), S("b")}), StringsOf({"a", "b"}), "true"},
    {"ListOfFacts", ListOf({I(1), S("b")}),
     Fact(Value::Of(Value::List{Value::Uint(1), Value::String("b")})), "true"},
    {"ListOrder", ListOf({I(1), I(2)}), ListOf({I(2), I(1)}), "false"},
    {"ListSize", ListOf({I(1)}), ListOf({I(1), I(1)}), "false"},
    {"ListWithNan", ListOf({D(kNan)}), ListOf({D(kNan)}), "false"},
    {"NestedLists", ListOf({ListOf({I(1)})}), ListOf({ListOf({D(1)})}), "true"},
    {"Maps", MapOf({{S("a"), I(1)}, {S("b"), I(2)}}), MapOf({{S("b"), I(2)}, {S("a"), U(1)}}),
     "true"},
    {"MapKeysOfTwoTypes", MapOf({{I(1), I(1)}}), MapOf({{U(1), I(1)}}), "true"},
    {"MapOtherKey", MapOf({{S("a"), I(1)}}), MapOf({{S("b"), I(1)}}), "false"},
    {"MapOtherValue", MapOf({{S("a"), I(1)}}), MapOf({{S("a"), I(2)}}), "false"},
    {"MapSize", MapOf({{S("a"), I(1)}}), MapOf({}), "false"},
    {"MapOfFacts", MapOf({{S("a"), ListOf({B(true)})}}),
     Fact(Value::Of(Attributes{{"a", Value::Of(Value::List{Value::Bool(true)})}})), "true"},
    {"MapIsNoList", MapOf({}), ListOf({}), "false"},
    {"Entity", Ada(),
     MapOf({{S("groups"), StringsOf({"group:staff"})}, {S("level"), I(3)}, {S("name"), S("ada")}}),
     "true"},
    {"EntityIsItself", Ada(), Ada(), "true"},
    {"EntityHasMore", Ada(), MapOf({{S("name"), S("ada")}}), "false"},
    {"PartialList", StringsOf({"a"}).Partial(), StringsOf({"a"}), "not all groups are known"},
    {"PartialListIsNoString", StringsOf({"a"}).Partial(), S("a"), "false"},
    {"FalseBeatsPartial", ListOf({StringsOf({}).Partial(), I(1)}), ListOf({StringsOf({}), I(2)}),
     "false"},
    {"PartialInMap", MapOf({{I(1), StringsOf({}).Partial()}}), MapOf({{I(1), StringsOf({})}}),
     "not all groups are known"},
    {"Optionals", OptionalOf(I(1)), OptionalOf(U(1)), "true"},
    {"OptionalsDiffer", OptionalOf(I(1)), OptionalOf(I(2)), "false"},
    {"NoneIsNone", None(), None(), "true"},
    {"NoneIsNoValue", None(), OptionalOf(Cell::Null()), "false"},
    {"OptionalIsNotItsValue", OptionalOf(I(1)), I(1), "false"},
    {"Ip", IpOf({192, 0, 2, 1}), IpOf({192, 0, 2, 1}), "true"},
    {"IpDiffers", IpOf({192, 0, 2, 1}), IpOf({192, 0, 2, 2}), "false"},
    {"IpOfTwoFamilies", IpOf({0, 0, 0, 0}), IpOf({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
     "false"},
    {"Ipv6LastByte", IpOf({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
     IpOf({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "false"},
    {"Cidr", CidrOf({192, 0, 2, 0}, 24), CidrOf({192, 0, 2, 0}, 24), "true"},
    {"CidrPrefix", CidrOf({192, 0, 2, 0}, 24), CidrOf({192, 0, 2, 0}, 25), "false"},
    {"IpIsNoCidr", IpOf({192, 0, 2, 1}), CidrOf({192, 0, 2, 1}, 32), "false"},
    {"TimeOutOfRange", ListOf({I(1)}),
     Fact(Value::Of(Value::List{Value::Timestamp(absl::InfiniteFuture())})), "out of range"},
};
INSTANTIATE_TEST_SUITE_P(Cases, EqualTest, testing::ValuesIn(kEqualCases), NameOf);

// `<` of both orders, and `<=`, `>`, `>=`, which must agree with it.

struct OrderCase {
  const char* name;
  Cell a;
  Cell b;
  char want;  // '<', '=', '>'; '?' unordered, '!' no such overload
};
std::ostream& operator<<(std::ostream& os, const OrderCase& c) { return os << c.name; }

std::string Orders(const Cell& a, const Cell& b) {
  return ToString(Less(a, b)) + " " + ToString(LessOrEqual(a, b)) + " " + ToString(Greater(a, b)) +
         " " + ToString(GreaterOrEqual(a, b));
}

std::string OrdersFor(char order) {
  switch (order) {
    case '<':
      return "true true false false";
    case '=':
      return "false true false true";
    case '>':
      return "false false true true";
    case '?':
      return "false false false false";
    default:
      return "no such overload: < no such overload: <= no such overload: > no such overload: >=";
  }
}

class OrderTest : public testing::TestWithParam<OrderCase> {};

TEST_P(OrderTest, AllOperatorsAgree) {
  const auto& [name, a, b, want] = GetParam();
  EXPECT_EQ(Orders(a, b), OrdersFor(want));
  EXPECT_EQ(Orders(b, a), OrdersFor(want == '<' ? '>' : want == '>' ? '<' : want));
}

const OrderCase kOrderCases[] = {
    {"Ints", I(-1), I(1), '<'},
    {"Uints", U(1), U(kMaxUint), '<'},
    {"IntUint", I(-1), U(0), '<'},
    {"IntUintEqual", I(kMaxInt), U(kMaxInt), '='},
    {"IntBelowLargeUint", I(kMaxInt), U(uint64_t{1} << 63), '<'},
    {"IntDouble", I(1), D(1.5), '<'},
    {"NegativeIntDouble", I(-1), D(-1.5), '>'},
    {"UintDouble", U(2), D(1.5), '>'},
    {"UintNegativeDouble", U(0), D(-0.5), '>'},
    {"UintNegativeZero", U(0), D(-0.0), '='},
    {"NotRoundedTo53Bits", I(9007199254740993), D(9007199254740992.0), '>'},
    {"UintNotRoundedTo53Bits", U(9007199254740993), D(9007199254740994.0), '<'},
    // The double next to the largest int is what that int converts to (cel-spec's own cases).
    {"LargestInt", I(kMaxInt), D(9223372036854775808.0), '='},
    {"BelowLargestInt", I(kMaxInt - 1), D(9223372036854775808.0), '<'},
    {"PastLargestInt", I(kMaxInt), D(9223372036854777857.0), '<'},
    {"SmallestInt", I(kMinInt), D(-9223372036854775809.0), '='},
    {"PastSmallestInt", I(kMinInt), D(-9223372036854777857.0), '>'},
    {"LargestUint", U(kMaxUint), D(18446744073709551616.0), '='},
    {"PastLargestUint", U(kMaxUint), D(18446744073709553665.0), '<'},
    {"Infinity", U(kMaxUint), D(kInf), '<'},
    {"NegativeInfinity", I(kMinInt), D(-kInf), '>'},
    {"NanDouble", D(kNan), D(1), '?'},
    {"NanInt", D(kNan), I(1), '?'},
    {"NanUint", D(kNan), U(1), '?'},
    {"Bools", B(false), B(true), '<'},
    {"Strings", S("a"), S("b"), '<'},
    {"StringPrefix", S("a"), S("ab"), '<'},
    {"StringsByCodePoint", S("\uFFFD"), S("\U0001F600"), '<'},
    {"AsciiBelowOthers", S("z"), S("\u00E9"), '<'},
    {"Bytes", Y("\x7F"), Y("\x80"), '<'},
    {"Timestamps", T(1, 999999999), T(2), '<'},
    {"TimestampNanos", T(-1, 5), T(-1, 6), '<'},
    {"Durations", Dur(-1, 500000000), Dur(0), '<'},
    {"IntString", I(1), S("1"), '!'},
    {"BoolInt", B(true), I(1), '!'},
    {"Nulls", Cell::Null(), Cell::Null(), '!'},
    {"Lists", ListOf({}), ListOf({}), '!'},
    {"Maps", MapOf({}), MapOf({}), '!'},
    {"Types", Cell::Type("int"), Cell::Type("uint"), '!'},
    {"TimestampDuration", T(1), Dur(1), '!'},
};
INSTANTIATE_TEST_SUITE_P(Cases, OrderTest, testing::ValuesIn(kOrderCases),
                         [](const testing::TestParamInfo<OrderCase>& info) {
                           return std::string(info.param.name);
                         });

// Arithmetic: `want` by the operator.

struct ArithmeticCase {
  const char* name;
  Cell a;
  char op;
  Cell b;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const ArithmeticCase& c) { return os << c.name; }

class ArithmeticTest : public testing::TestWithParam<ArithmeticCase> {};

TEST_P(ArithmeticTest, Gives) {
  const auto& [name, a, op, b, want] = GetParam();
  const Cell got = op == '+'   ? Add(a, b, AmpleContext())
                   : op == '-' ? Subtract(a, b)
                   : op == '*' ? Multiply(a, b)
                   : op == '/' ? Divide(a, b)
                   : op == '%' ? Modulo(a, b)
                               : Negate(a);
  EXPECT_EQ(ToString(got), want);
}

const ArithmeticCase kArithmeticCases[] = {
    {"AddInts", I(2), '+', I(-3), "-1"},
    {"AddUints", U(2), '+', U(3), "5u"},
    {"AddDoubles", D(0.1), '+', D(0.2), "0.30000000000000004"},
    {"AddIntOverflow", I(kMaxInt), '+', I(1), "out of range"},
    {"AddIntUnderflow", I(kMinInt), '+', I(-1), "out of range"},
    {"AddUintOverflow", U(kMaxUint), '+', U(1), "out of range"},
    {"AddTypesDiffer", I(1), '+', U(1), "no such overload: +"},
    {"AddNull", Cell::Null(), '+', Cell::Null(), "no such overload: +"},
    {"AddBools", B(true), '+', B(true), "no such overload: +"},
    {"AddStrings", S("a\u00E9"), '+', S("b"), "\"a\u00E9b\""},
    {"AddEmptyStrings", S(""), '+', S(""), "\"\""},
    {"AddBytes", Y("a"), '+', Y("\xFF"), "b\"a\\xff\""},
    {"AddStringBytes", S("a"), '+', Y("b"), "no such overload: +"},
    {"AddLists", ListOf({I(1)}), '+', StringsOf({"a"}), "[1, \"a\"]"},
    {"AddEmptyList", ListOf({}), '+', ListOf({I(1)}), "[1]"},
    {"AddPartialList", StringsOf({"a"}).Partial(), '+', ListOf({}), "not all groups are known"},
    {"AddMaps", MapOf({}), '+', MapOf({}), "no such overload: +"},
    {"AddDurations", Dur(1, 600000000), '+', Dur(1, 600000000), "duration(\"3.2s\")"},
    {"AddDurationsOver", Dur(9223372036, 854775807), '+', Dur(0, 1), "out of range"},
    {"AddToTime", T(kLastSecond - 1, 999999999), '+', Dur(0, 1),
     "timestamp(\"9999-12-31T23:59:59Z\")"},
    {"AddToTimeOver", T(kLastSecond, 999999999), '+', Dur(0, 1), "out of range"},
    {"AddTimeToDuration", Dur(-1, 1), '+', T(kFirstSecond + 1, 1),
     "timestamp(\"0001-01-01T00:00:00.000000002Z\")"},
    {"AddTimes", T(1), '+', T(1), "no such overload: +"},
    {"SubtractInts", I(2), '-', I(3), "-1"},
    {"SubtractIntOverflow", I(kMinInt), '-', I(1), "out of range"},
    {"SubtractUintOverflow", U(1), '-', U(2), "out of range"},
    {"SubtractDoubles", D(1), '-', D(kInf), "double(\"-Infinity\")"},
    {"SubtractStrings", S("a"), '-', S("a"), "no such overload: -"},
    {"SubtractTimes", T(60), '-', T(0, 1), "duration(\"59.999999999s\")"},
    {"SubtractTimesOver", T(kLastSecond), '-', T(kFirstSecond), "out of range"},
    {"SubtractFromTime", T(0), '-', Dur(0, 1), "timestamp(\"1969-12-31T23:59:59.999999999Z\")"},
    {"SubtractFromFirstTime", T(kFirstSecond), '-', Dur(0, 1), "out of range"},
    {"SubtractDurations", Dur(1), '-', Dur(1, 500000000), "duration(\"-0.5s\")"},
    {"SubtractTimeFromDuration", Dur(1), '-', T(1), "no such overload: -"},
    {"MultiplyInts", I(-4), '*', I(3), "-12"},
    {"MultiplyIntOverflow", I(kMinInt), '*', I(-1), "out of range"},
    {"MultiplyUints", U(4), '*', U(3), "12u"},
    {"MultiplyUintOverflow", U(uint64_t{1} << 32), '*', U(uint64_t{1} << 32), "out of range"},
    {"MultiplyDoubles", D(1e300), '*', D(1e300), "double(\"Infinity\")"},
    {"MultiplyTypesDiffer", I(1), '*', D(1), "no such overload: *"},
    {"DivideIntsTowardsZero", I(-7), '/', I(2), "-3"},
    {"DivideIntByZero", I(1), '/', I(0), "division by zero"},
    {"DivideIntOverflow", I(kMinInt), '/', I(-1), "out of range"},
    {"DivideUints", U(7), '/', U(2), "3u"},
    {"DivideUintByZero", U(0), '/', U(0), "division by zero"},
    {"DivideDoubleByZero", D(-1), '/', D(0), "double(\"-Infinity\")"},
    {"DivideZeroByZero", D(0), '/', D(0), "double(\"NaN\")"},
    {"DivideStrings", S("a"), '/', S("a"), "no such overload: /"},
    {"ModuloInts", I(-7), '%', I(2), "-1"},
    {"ModuloIntByZero", I(1), '%', I(0), "division by zero"},
    {"ModuloIntOverflow", I(kMinInt), '%', I(-1), "out of range"},
    {"ModuloUints", U(7), '%', U(2), "1u"},
    {"ModuloUintByZero", U(1), '%', U(0), "division by zero"},
    {"ModuloDoubles", D(7), '%', D(2), "no such overload: %"},
    {"NegateInt", I(5), '~', I(0), "-5"},
    {"NegateSmallestInt", I(kMinInt), '~', I(0), "out of range"},
    {"NegateDouble", D(0.0), '~', I(0), "-0.0"},
    {"NegateUint", U(1), '~', I(0), "no such overload: -"},
    {"NegateDuration", Dur(1, 250000000), '~', I(0), "no such overload: -"},
};
INSTANTIATE_TEST_SUITE_P(Cases, ArithmeticTest, testing::ValuesIn(kArithmeticCases),
                         [](const testing::TestParamInfo<ArithmeticCase>& info) {
                           return std::string(info.param.name);
                         });

// `a[b]` and `a[?b]`; of string keys also `a.b`, `a.?b` and `has(a.b)`.

struct IndexCase {
  const char* name;
  Cell container;
  Cell key;
  const char* want;
  const char* want_optional;
};
std::ostream& operator<<(std::ostream& os, const IndexCase& c) { return os << c.name; }

class IndexTest : public testing::TestWithParam<IndexCase> {};

TEST_P(IndexTest, Finds) {
  const IndexCase& c = GetParam();
  Context& context = AmpleContext();
  EXPECT_EQ(ToString(Index(c.container, c.key, context)), c.want);
  EXPECT_EQ(ToString(OptionalIndex(c.container, c.key, context)), c.want_optional);
  if (c.container.kind() == Kind::kMap && c.key.kind() == Kind::kString) {
    EXPECT_EQ(ToString(Select(c.container, c.key.text(), context)), c.want);
    const bool missing = std::string_view(c.want_optional) == "optional.none()";
    EXPECT_EQ(ToString(Has(c.container, c.key.text(), context)), missing ? "false" : "true");
    EXPECT_EQ(ToString(In(c.key, c.container, context)), missing ? "false" : "true");
  }
}

Cell LargeMap() {
  std::vector<std::pair<Cell, Cell>> entries;
  for (int64_t i = 0; i < 100; ++i) entries.push_back({I(i), I(10 * i)});
  entries.push_back({S("x"), I(-1)});
  entries.push_back({B(true), I(-2)});
  return MapOf(entries);
}

const IndexCase kIndexCases[] = {
    {"ListInt", ListOf({I(7), I(8)}), I(1), "8", "optional.of(8)"},
    {"ListUint", ListOf({I(7), I(8)}), U(1), "8", "optional.of(8)"},
    {"ListDouble", ListOf({I(7), I(8)}), D(1), "8", "optional.of(8)"},
    {"ListFraction", ListOf({I(7), I(8)}), D(0.5), "bad argument: an index must be a whole number",
     "bad argument: an index must be a whole number"},
    {"ListNan", ListOf({I(7)}), D(kNan), "bad argument: an index must be a whole number",
     "bad argument: an index must be a whole number"},
    {"ListInfinity", ListOf({I(7)}), D(kInf), "index out of range", "optional.none()"},
    {"ListEnd", ListOf({I(7)}), I(1), "index out of range", "optional.none()"},
    {"ListNegative", ListOf({I(7)}), I(-1), "index out of range", "optional.none()"},
    {"ListNegativeDouble", ListOf({I(7)}), D(-1), "index out of range", "optional.none()"},
    {"ListLargest", ListOf({I(7)}), U(kMaxUint), "index out of range", "optional.none()"},
    {"ListByString", ListOf({I(7)}), S("0"), "no such overload: []", "no such overload: []"},
    {"ListOfStrings", StringsOf({"a", "b"}), I(1), "\"b\"", "optional.of(\"b\")"},
    {"ListOfFacts", Fact(Value::Of(Value::List{Value::Bytes("b")})), I(0), "b\"b\"",
     "optional.of(b\"b\")"},
    {"PartialListKnown", StringsOf({"a"}).Partial(), I(0), "\"a\"", "optional.of(\"a\")"},
    {"PartialListBeyond", StringsOf({"a"}).Partial(), I(1), "not all groups are known",
     "not all groups are known"},
    {"MapString", MapOf({{S("a"), I(1)}}), S("a"), "1", "optional.of(1)"},
    {"MapNullValue", MapOf({{S("a"), Cell::Null()}}), S("a"), "null", "optional.of(null)"},
    {"MapNoSuchKey", MapOf({{S("a"), I(1)}}), S("b"), "no such key: b", "optional.none()"},
    {"MapNoSuchInt", MapOf({{I(1), I(1)}}), I(-2), "no such key: -2", "optional.none()"},
    {"MapNoSuchUint", MapOf({{I(1), I(1)}}), U(2), "no such key: 2", "optional.none()"},
    {"MapNoSuchBool", MapOf({{I(1), I(1)}}), B(true), "no such key: true", "optional.none()"},
    {"MapNoSuchDouble", MapOf({{I(1), I(1)}}), D(1.5), "no such key: 1.5", "optional.none()"},
    {"MapByBytes", MapOf({{S("a"), I(1)}}), Y("a"), "no such key", "optional.none()"},
    {"MapIntByUint", MapOf({{I(1), S("x")}}), U(1), "\"x\"", "optional.of(\"x\")"},
    {"MapUintByDouble", MapOf({{U(1), S("x")}}), D(1), "\"x\"", "optional.of(\"x\")"},
    {"LargeMap", LargeMap(), I(99), "990", "optional.of(990)"},
    {"LargeMapByDouble", LargeMap(), D(50), "500", "optional.of(500)"},
    {"LargeMapByUint", LargeMap(), U(0), "0", "optional.of(0)"},
    {"LargeMapString", LargeMap(), S("x"), "-1", "optional.of(-1)"},
    {"LargeMapBool", LargeMap(), B(true), "-2", "optional.of(-2)"},
    {"LargeMapNone", LargeMap(), I(100), "no such key: 100", "optional.none()"},
    {"LargeMapByNull", LargeMap(), Cell::Null(), "no such key", "optional.none()"},
    {"Facts", Fact(Value::Of(Attributes{{"a", Value::Double(0.5)}})), S("a"), "0.5",
     "optional.of(0.5)"},
    {"FactsNoSuchKey", Fact(Value::Of(Attributes{{"a", Value()}})), S("b"), "no such key: b",
     "optional.none()"},
    {"FactsByInt", Fact(Value::Of(Attributes{{"a", Value()}})), I(1), "no such key: 1",
     "optional.none()"},
    {"Entity", Ada(), S("level"), "3", "optional.of(3)"},
    {"EntityNoSuchKey", Ada(), S("realm"), "no such key: realm", "optional.none()"},
    {"EntityByInt", Ada(), I(1), "no such key: 1", "optional.none()"},
    {"None", None(), S("a"), "optional.none()", "optional.none()"},
    {"OptionalMap", OptionalOf(MapOf({{S("a"), I(1)}})), S("a"), "optional.of(1)",
     "optional.of(1)"},
    {"OptionalMapNone", OptionalOf(MapOf({})), S("a"), "optional.none()", "optional.none()"},
    {"OptionalList", OptionalOf(ListOf({I(5)})), I(0), "optional.of(5)", "optional.of(5)"},
    {"OptionalNull", OptionalOf(Cell::Null()), S("a"), "no such overload: []",
     "no such overload: []"},
    {"String", S("abc"), I(0), "no such overload: []", "no such overload: []"},
};
INSTANTIATE_TEST_SUITE_P(Cases, IndexTest, testing::ValuesIn(kIndexCases),
                         [](const testing::TestParamInfo<IndexCase>& info) {
                           return std::string(info.param.name);
                         });

TEST(SelectTest, NeedsAMap) {
  Context& context = AmpleContext();
  EXPECT_EQ(ToString(Select(I(1), "a", context)), "no such overload: .");
  EXPECT_EQ(ToString(Has(I(1), "a", context)), "no such overload: has");
  EXPECT_EQ(ToString(Has(OptionalOf(I(1)), "a", context)), "no such overload: has");
  EXPECT_EQ(ToString(Has(None(), "a", context)), "false");
  EXPECT_EQ(ToString(Has(OptionalOf(MapOf({{S("a"), I(1)}})), "a", context)), "true");
  EXPECT_EQ(ToString(Select(OptionalOf(MapOf({{S("a"), I(1)}})), "a", context)), "optional.of(1)");
}

class InTest : public testing::TestWithParam<PairCase> {};

TEST_P(InTest, Finds) {
  const auto& [name, element, container, want] = GetParam();
  EXPECT_EQ(ToString(In(element, container, AmpleContext())), want);
}

const PairCase kInCases[] = {
    {"List", I(2), ListOf({I(1), U(2)}), "true"},
    {"ListNone", I(3), ListOf({I(1), U(2)}), "false"},
    {"EmptyList", I(3), ListOf({}), "false"},
    {"OtherTypes", S("1"), ListOf({I(1), Cell::Null()}), "false"},
    {"ListInList", ListOf({I(1)}), ListOf({ListOf({D(1)})}), "true"},
    {"Strings", S("b"), StringsOf({"a", "b"}), "true"},
    {"StringsOtherType", I(1), StringsOf({"1"}), "false"},
    {"PartialFound", S("a"), StringsOf({"a"}).Partial(), "true"},
    {"PartialNotFound", S("b"), StringsOf({"a"}).Partial(), "not all groups are known"},
    {"Map", S("a"), MapOf({{S("a"), B(false)}}), "true"},
    {"MapNone", S("b"), MapOf({{S("a"), B(false)}}), "false"},
    {"MapNumber", D(1), MapOf({{I(1), B(false)}}), "true"},
    {"MapByList", ListOf({}), MapOf({{I(1), B(false)}}), "false"},
    {"Entity", S("groups"), Ada(), "true"},
    {"EntityNone", S("realm"), Ada(), "false"},
    {"ErrorThenFound", I(1),
     Fact(Value::Of(Value::List{Value::Duration(absl::InfiniteDuration()), Value::Int(1)})),
     "true"},
    {"ErrorNotFound", I(2),
     Fact(Value::Of(Value::List{Value::Duration(absl::InfiniteDuration()), Value::Int(1)})),
     "out of range"},
    {"String", S("a"), S("abc"), "no such overload: in"},
};
INSTANTIATE_TEST_SUITE_P(Cases, InTest, testing::ValuesIn(kInCases), NameOf);

// `size(a)`, `type(a)` and the text of it.

struct SingleCase {
  const char* name;
  Cell value;
  const char* want_text;
  const char* want_type;
  const char* want_size;
};
std::ostream& operator<<(std::ostream& os, const SingleCase& c) { return os << c.name; }

class SingleTest : public testing::TestWithParam<SingleCase> {};

TEST_P(SingleTest, HasTextTypeAndSize) {
  const SingleCase& c = GetParam();
  EXPECT_EQ(ToString(c.value), c.want_text);
  EXPECT_EQ(ToString(TypeOf(c.value)), c.want_type);
  EXPECT_EQ(ToString(Size(c.value, AmpleContext())), c.want_size);
}

TEST(ToStringTest, EndsWhereALotIsWritten) {
  // A list of two lists, which are one, of two lists, ...
  Cell cells[50][2];
  Cell value = I(1);
  for (size_t i = 0; i < 50; ++i) {
    cells[i][0] = cells[i][1] = value;
    value = Cell::List({cells[i], 2}, static_cast<int>(i) + 1);
  }
  const std::string text = ToString(value);
  EXPECT_EQ(text.substr(0, 60), std::string(50, '[') + "1, 1], [1,");
  EXPECT_GT(text.size(), size_t{1} << 20);
  EXPECT_LT(text.size(), (size_t{1} << 20) + 1000);
  EXPECT_NE(text.find(", ...]"), std::string::npos);
  EXPECT_EQ(text.back(), ']');
}

constexpr const char* kNoSize = "no such overload: size";
const SingleCase kSingleCases[] = {
    {"Null", Cell(), "null", "null_type", kNoSize},
    {"True", B(true), "true", "bool", kNoSize},
    {"Int", I(kMinInt), "-9223372036854775808", "int", kNoSize},
    {"Uint", U(kMaxUint), "18446744073709551615u", "uint", kNoSize},
    {"Double", D(1), "1.0", "double", kNoSize},
    {"EmptyString", S(""), "\"\"", "string", "0"},
    {"CodePoints", S("a\u00E9\u20AC\U0001F600"), "\"a\u00E9\u20AC\U0001F600\"", "string", "4"},
    {"LongText", S("0123456789\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9xyz"),
     "\"0123456789\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9xyz\"", "string", "20"},
    {"Bytes", Y("\xC3\xA9"), "b\"\\xc3\\xa9\"", "bytes", "2"},
    {"Timestamp", T(0, 1000000), "timestamp(\"1970-01-01T00:00:00.001Z\")",
     "google.protobuf.Timestamp", kNoSize},
    {"Duration", Dur(-2, 500000000), "duration(\"-1.5s\")", "google.protobuf.Duration", kNoSize},
    {"List", ListOf({I(1), U(2), S("x")}), "[1, 2u, \"x\"]", "list", "3"},
    {"PartialList", StringsOf({"x"}).Partial(), "[\"x\", ...]", "list", "not all groups are known"},
    {"Map", MapOf({{S("b"), I(1)}, {I(2), ListOf({})}}), "{\"b\": 1, 2: []}", "map", "2"},
    {"EmptyMap", MapOf({}), "{}", "map", "0"},
    {"Facts", Fact(Value::Of(Attributes{{"a", Value::Int(1)}})), "{\"a\": 1}", "map", "1"},
    {"Entity", Ada(), "{...}", "map", "3"},
    {"Type", Cell::Type("int"), "int", "type", kNoSize},
    {"None", None(), "optional.none()", "optional_type", kNoSize},
    {"Optional", OptionalOf(S("x")), "optional.of(\"x\")", "optional_type", kNoSize},
    {"Ip", IpOf({192, 0, 2, 1}), "ip(\"192.0.2.1\")", "net.IP", kNoSize},
    {"Cidr", CidrOf({0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 32),
     "cidr(\"2001:db8::/32\")", "net.CIDR", kNoSize},
};
INSTANTIATE_TEST_SUITE_P(Cases, SingleTest, testing::ValuesIn(kSingleCases),
                         [](const testing::TestParamInfo<SingleCase>& info) {
                           return std::string(info.param.name);
                         });

TEST(FactTest, TimesMustBeCels) {
  const absl::Duration most = absl::Nanoseconds(kMaxInt);
  const absl::Duration least = absl::Nanoseconds(kMinInt);
  const absl::Duration tick = absl::Nanoseconds(1);
  const absl::Time first = absl::FromUnixSeconds(kFirstSecond);
  const absl::Time last = absl::FromUnixSeconds(kLastSecond) + absl::Seconds(1) - tick;
  const std::pair<Value, const char*> cases[] = {
      {Value::Timestamp(first), "timestamp(\"0001-01-01T00:00:00Z\")"},
      {Value::Timestamp(first - tick), "out of range"},
      {Value::Timestamp(last), "timestamp(\"9999-12-31T23:59:59.999999999Z\")"},
      {Value::Timestamp(last + tick), "out of range"},
      {Value::Timestamp(absl::InfinitePast()), "out of range"},
      {Value::Duration(most), "duration(\"9223372036.854775807s\")"},
      {Value::Duration(most + tick), "out of range"},
      {Value::Duration(least), "duration(\"-9223372036.854775808s\")"},
      {Value::Duration(least - tick), "out of range"},
      {Value::Duration(absl::InfiniteDuration()), "out of range"},
      {Value::Duration(-absl::InfiniteDuration()), "out of range"},
      {Value::Duration(absl::Milliseconds(-1500)), "duration(\"-1.5s\")"},
  };
  for (const auto& [value, want] : cases) EXPECT_EQ(ToString(Cell::Of(value)), want);
}

TEST(ElementsTest, ListsAndKeys) {
  Context& context = AmpleContext();
  EXPECT_EQ(ToString(Elements(StringsOf({"a"}).Partial(), context)), "[\"a\", ...]");
  EXPECT_EQ(ToString(Elements(MapOf({{S("b"), I(1)}, {I(2), I(3)}}), context)), "[\"b\", 2]");
  EXPECT_EQ(ToString(Elements(Fact(Value::Of(Attributes{{"a", Value()}})), context)), "[\"a\"]");
  EXPECT_EQ(ToString(Elements(Ada(), context)), "[\"groups\", \"level\", \"name\"]");
  EXPECT_EQ(ToString(Elements(S("abc"), context)), "no such overload: a comprehension");
}

TEST(MapBuilderTest, RefusesWhatIsNoMap) {
  EXPECT_EQ(ToString(MapOf({{S("a"), I(1)}, {S("a"), I(2)}})), "the key stands twice: a");
  EXPECT_EQ(ToString(MapOf({{I(1), I(1)}, {U(1), I(2)}})), "the key stands twice: 1");
  EXPECT_EQ(ToString(MapOf({{B(true), I(1)}, {B(false), I(2)}})), "{true: 1, false: 2}");
  for (const Cell& key : {D(1), Cell::Null(), Y("a"), ListOf({}), T(0)}) {
    EXPECT_EQ(ToString(MapOf({{key, I(1)}})), "a key must be a bool, int, uint or string");
  }
  std::vector<std::pair<Cell, Cell>> entries;
  for (int64_t i = 0; i < 50; ++i) entries.push_back({I(i), I(i)});
  EXPECT_EQ(ToString(Size(MapOf(entries), AmpleContext())), "50");
  entries.push_back({U(7), I(0)});
  EXPECT_EQ(ToString(MapOf(entries)), "the key stands twice: 7");
}

TEST(DepthTest, ValuesAreNotNestedTooDeeply) {
  Cell list = I(0);
  Cell map = I(0);
  Cell optional = I(0);
  for (int i = 0; i < kMaxCellDepth; ++i) {
    list = ListOf({list});
    map = MapOf({{I(1), map}});
    optional = OptionalOf(optional);
    ASSERT_EQ(list.depth(), i + 1);
    ASSERT_EQ(map.depth(), i + 1);
    ASSERT_EQ(optional.depth(), i + 1);
  }
  EXPECT_EQ(ToString(Equal(list, list, AmpleContext())), "true");
  EXPECT_EQ(ToString(ListOf({list})), "nested too deeply");
  EXPECT_EQ(ToString(MapOf({{I(1), map}})), "nested too deeply");
  EXPECT_EQ(ToString(OptionalOf(optional)), "nested too deeply");
}

TEST(DepthTest, FactsCountAsTheDeepestOnes) {
  EXPECT_EQ(Fact(Value::Of(Value::List{})).depth(), kMaxValueDepth);
  EXPECT_EQ(ListOf({Fact(Value::Of(Attributes{}))}).depth(), kMaxValueDepth + 1);
  Value deep;
  for (int i = 0; i < 2 * kMaxCellDepth; ++i) deep = Value::Of(Value::List{deep});
  const Cell cell = Fact(deep);  // no checked request has it
  EXPECT_EQ(ToString(Equal(cell, cell, AmpleContext())), "nested too deeply");
}

TEST(BudgetTest, WorkIsPaidByItsSize) {
  const std::string text(1600, 'x');
  const Cell strings = StringsOf(std::vector<std::string>(50, "a"));
  struct {
    const char* name;
    Cell (*work)(const Cell& text, const Cell& strings, Context& context);
    uint64_t want;
  } const cases[] = {
      {"EqualTexts", [](const Cell& t, const Cell&, Context& c) { return Equal(t, t, c); }, 100},
      {"TextsOfOtherSize",
       [](const Cell& t, const Cell&, Context& c) { return Equal(t, S("x"), c); }, 0},
      {"EqualLists", [](const Cell&, const Cell& l, Context& c) { return Equal(l, l, c); }, 50},
      {"In", [](const Cell&, const Cell& l, Context& c) { return In(S("b"), l, c); }, 50},
      {"Size", [](const Cell& t, const Cell&, Context& c) { return Size(t, c); }, 100},
      {"AddTexts", [](const Cell& t, const Cell&, Context& c) { return Add(t, t, c); }, 201},
      {"AddLists", [](const Cell&, const Cell& l, Context& c) { return Add(l, l, c); }, 101},
  };
  for (const auto& c : cases) {
    Context context;
    context.Reset(1000, 10000);
    EXPECT_FALSE(c.work(Cell::String(text), strings, context).is_error()) << c.name;
    EXPECT_EQ(1000 - context.budget(), c.want) << c.name;
    if (c.want == 0) continue;
    context.Reset(c.want - 1, 10000);
    EXPECT_EQ(ToString(c.work(Cell::String(text), strings, context)), "the cost limit is reached")
        << c.name;
    EXPECT_TRUE(context.exhausted()) << c.name;
  }
}

}  // namespace
}  // namespace reeve::cel
