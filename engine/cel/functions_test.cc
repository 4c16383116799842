// What the functions of texts, formats, numbers, lists, encodings and networks answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/network.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/regex.h"
#include "reeve/engine/value.h"

namespace reeve::cel {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr uint64_t kCost = 2000000;
constexpr uint64_t kHugeCost = 500000;  // Less than what the huge arguments take.
constexpr size_t kMemory = 1 << 20;

// For the arguments of all tests.
Context& ArgumentContext() {
  static Context* context = [] {
    auto* made = new Context;
    made->Reset(uint64_t{1} << 40, size_t{1} << 30);
    return made;
  }();
  return *context;
}

Cell S(std::string_view text) { return Cell::String(text); }
Cell B(std::string_view bytes) { return Cell::Bytes(bytes); }
Cell I(int64_t number) { return Cell::Int(number); }
Cell U(uint64_t number) { return Cell::Uint(number); }
Cell D(double number) { return Cell::Double(number); }
Cell T(bool value) { return Cell::Bool(value); }

Cell Kept(const std::vector<Cell>& elements) {
  Cell* kept = ArgumentContext().Allocate<Cell>(elements.size());
  std::copy(elements.begin(), elements.end(), kept);
  return ArgumentContext().MakeList({kept, elements.size()});
}

Cell L(std::initializer_list<Cell> elements) { return Kept(elements); }

Cell M(std::initializer_list<std::pair<Cell, Cell>> entries) {
  MapBuilder builder(entries.size(), ArgumentContext());
  for (const auto& [key, value] : entries) EXPECT_FALSE(builder.Add(key, value).is_error());
  return builder.Build();
}

Cell Ip(std::string_view text) {
  const Cell argument = S(text);
  return FindFunction("ip")->call({&argument, 1}, ArgumentContext());
}

Cell Cidr(std::string_view text) {
  const Cell argument = S(text);
  return FindFunction("cidr")->call({&argument, 1}, ArgumentContext());
}

// A list that has a fact which is no value of CEL.
Cell BadFacts() {
  static const Value* list =
      new Value(Value::Of(Value::List{Value::Int(1), Value::Timestamp(absl::InfiniteFuture())}));
  return Cell::Of(*list);
}

Cell Facts() {
  static const Value* map = new Value(
      Value::Of(Attributes({{"b", Value::Int(1)}, {"a", Value::Of(Value::List{Value()})}})));
  return Cell::Of(*map);
}

std::string_view Repeated(std::string_view text, size_t times, std::string_view before = {}) {
  static auto* texts = new std::deque<std::string>;
  std::string& repeated = texts->emplace_back(before);
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

// A row of a table allocates nothing and has no destructor, or the compiler would take minutes over
// the tables.
class Arguments {
 public:
  Arguments(std::initializer_list<Cell> cells) : size_(cells.size()) {
    std::copy(cells.begin(), cells.end(), cells_);
  }
  operator absl::Span<const Cell>() const { return {cells_, size_}; }  // NOLINT

 private:
  Cell cells_[5];
  size_t size_;
};

struct Case {
  const char* name;
  const char* function;
  Arguments arguments;
  // As ToString() has it.
  std::string_view want;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

std::string Call(std::string_view name, absl::Span<const Cell> arguments, Context& context) {
  const Function* function = FindFunction(name);
  if (function == nullptr) return "no such function";
  if (arguments.size() < function->min_arguments) return "too few arguments";
  if (function->max_arguments != kAnyNumber && arguments.size() > function->max_arguments) {
    return "too many arguments";
  }
  return ToString(function->call(arguments, context));
}

class FunctionTest : public testing::TestWithParam<Case> {};

TEST_P(FunctionTest, Answers) {
  Context context;
  context.Reset(kCost, kMemory);
  EXPECT_EQ(Call(GetParam().function, GetParam().arguments, context), GetParam().want);
}

// The budget is what ends a call, not luck: with less than it takes, there is no other answer than
// the error.
TEST_P(FunctionTest, EndsAtItsLimit) {
  Context context;
  context.Reset(kCost, kMemory);
  const std::string want = Call(GetParam().function, GetParam().arguments, context);
  const uint64_t used = kCost - context.budget();
  for (uint64_t budget = 0; budget < used; budget += 1 + used / 64) {
    context.Reset(budget, kMemory);
    EXPECT_EQ(Call(GetParam().function, GetParam().arguments, context), "the cost limit is reached")
        << budget << " of " << used;
    EXPECT_TRUE(context.exhausted());
  }
  context.Reset(used, kMemory);
  EXPECT_EQ(Call(GetParam().function, GetParam().arguments, context), want);
}

std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

std::string_view NoOverload(std::string_view function) {
  return ArgumentContext().CopyString("no such overload: " + std::string(function)).text();
}

const Case kPredicates[] = {
    {"Contains", "contains", {S("tacocat"), S("coc")}, "true"},
    {"ContainsNot", "contains", {S("tacocat"), S("dog")}, "false"},
    {"ContainsEmpty", "contains", {S(""), S("")}, "true"},
    {"ContainsLonger", "contains", {S("a"), S("ab")}, "false"},
    {"ContainsUnicode", "contains", {S("ta©oα"), S("©o")}, "true"},
    {"ContainsNul", "contains", {S({"a\0b", 3}), S({"\0b", 2})}, "true"},
    {"ContainsBytes", "contains", {B("ab"), S("a")}, NoOverload("contains")},
    {"ContainsInt", "contains", {S("1"), I(1)}, NoOverload("contains")},
    {"StartsWith", "startsWith", {S("foobar"), S("foo")}, "true"},
    {"StartsWithNot", "startsWith", {S("foobar"), S("bar")}, "false"},
    {"StartsWithEmpty", "startsWith", {S(""), S("")}, "true"},
    {"StartsWithLonger", "startsWith", {S("f"), S("fo")}, "false"},
    {"StartsWithNull", "startsWith", {S("f"), Cell()}, NoOverload("startsWith")},
    {"EndsWith", "endsWith", {S("foobar"), S("bar")}, "true"},
    {"EndsWithNot", "endsWith", {S("foobar"), S("foo")}, "false"},
    {"EndsWithEmpty", "endsWith", {S("a"), S("")}, "true"},
    {"EndsWithLonger", "endsWith", {S("r"), S("ar")}, "false"},
    {"EndsWithList", "endsWith", {L({S("a")}), S("a")}, NoOverload("endsWith")},
};
INSTANTIATE_TEST_SUITE_P(Predicates, FunctionTest, testing::ValuesIn(kPredicates), NameOf);

const Case kRegexes[] = {
    {"Matches", "matches", {S("hubba"), S("ubb")}, "true"},
    {"MatchesAnchored", "matches", {S("hubba"), S("^ubb")}, "false"},
    {"MatchesEmpty", "matches", {S(""), S("")}, "true"},
    {"MatchesUnicode", "matches", {S("mañana"), S("a+ñ+a+")}, "true"},
    {"MatchesCharacter", "matches", {S("🐱😀"), S("^.{2}$")}, "true"},
    {"MatchesDotNotNewline", "matches", {S("a\nb"), S("a.b")}, "false"},
    {"MatchesBadRegex", "matches", {S("a"), S("(a")}, "bad regular expression: missing ): (a"},
    {"MatchesBackReference",
     "matches",
     {S("aa"), S("(a)\\1")},
     "bad regular expression: invalid escape sequence: \\1"},
    {"MatchesRepeatedTooOften",
     "matches",
     {S("a"), S("(a{100}){100}")},
     "bad regular expression: invalid repetition size: {100}"},
    {"MatchesTooLarge",
     "matches",
     {S("a"), S("(\\pL{100}){10}")},
     "bad regular expression: pattern too large - compile failed"},
    {"MatchesTooLong",
     "matches",
     {S("a"), S(Repeated("a", 8193))},
     "bad regular expression: longer than 8192 bytes"},
    {"MatchesInt", "matches", {I(1), S("1")}, NoOverload("matches")},
    {"MatchesIntPattern", "matches", {S("1"), I(1)}, NoOverload("matches")},

    {"Replace", "regex.replace", {S("hello world hello"), S("hello"), S("hi")}, R"("hi world hi")"},
    {"ReplaceNone", "regex.replace", {S("banana"), S("a"), S("x"), I(0)}, R"("banana")"},
    {"ReplaceOne", "regex.replace", {S("banana"), S("a"), S("x"), I(1)}, R"("bxnana")"},
    {"ReplaceTwo", "regex.replace", {S("banana"), S("a"), S("x"), I(2)}, R"("bxnxna")"},
    {"ReplaceMore", "regex.replace", {S("banana"), S("a"), S("x"), I(100)}, R"("bxnxnx")"},
    {"ReplaceNegative", "regex.replace", {S("banana"), S("a"), S("x"), I(-12)}, R"("bxnxnx")"},
    {"ReplaceGroups",
     "regex.replace",
     {S("foo bar"), S("(fo)o (ba)r"), S("\\2 \\1")},
     R"("ba fo")"},
    {"ReplaceWhole", "regex.replace", {S("ab"), S("."), S("<\\0>")}, R"("<a><b>")"},
    {"ReplaceBackslash", "regex.replace", {S("ab"), S("a"), S("\\\\1")}, R"("\\1b")"},
    {"ReplaceGroupWithoutPart", "regex.replace", {S("b"), S("(a)|b"), S("[\\1]")}, R"("[]")"},
    {"ReplaceEmptyMatches", "regex.replace", {S("añb"), S("x*"), S("-")}, R"("-a-ñ-b-")"},
    {"ReplaceEmptyAfterMatch", "regex.replace", {S("abab"), S("a*"), S("-")}, R"("-b-b-")"},
    {"ReplaceInEmpty", "regex.replace", {S(""), S("^"), S("x")}, R"("x")"},
    {"ReplaceNoMatch", "regex.replace", {S("abc"), S("x"), S("\\9")}, R"("abc")"},
    {"ReplaceTenGroups",
     "regex.replace",
     {S("abcdefghij"), S("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)"), S("\\9\\1")},
     R"("ia")"},
    {"ReplaceNoSuchGroup",
     "regex.replace",
     {S("test"), S("(.)"), S("\\2")},
     "bad argument: a replacement names a group that there is not"},
    {"ReplaceEscapedLetter",
     "regex.replace",
     {S("id=123"), S("id=(?P<value>\\d+)"), S("value: \\values")},
     "bad argument: in a replacement a digit or `\\` must follow `\\`"},
    {"ReplaceEndsWithBackslash",
     "regex.replace",
     {S("a"), S("a"), S("b\\")},
     "bad argument: a replacement ends with `\\`"},
    {"ReplaceBadRegex",
     "regex.replace",
     {S("a"), S("("), S("")},
     "bad regular expression: missing ): ("},
    {"ReplaceInt", "regex.replace", {S("a"), S("a"), I(1)}, NoOverload("regex.replace")},
    {"ReplaceUintLimit",
     "regex.replace",
     {S("a"), S("a"), S("a"), U(1)},
     NoOverload("regex.replace")},

    {"ExtractGroup",
     "regex.extract",
     {S("hello world"), S("hello(.*)")},
     R"(optional.of(" world"))"},
    {"ExtractWhole",
     "regex.extract",
     {S("item-A, item-B"), S("item-.")},
     R"(optional.of("item-A"))"},
    {"ExtractNone", "regex.extract", {S("HELLO"), S("hello")}, "optional.none()"},
    {"ExtractEmptyGroup", "regex.extract", {S("b"), S("(a*)b")}, "optional.none()"},
    {"ExtractEmptyMatch", "regex.extract", {S("b"), S("a*")}, R"(optional.of(""))"},
    {"ExtractTwoGroups",
     "regex.extract",
     {S("testuser@testdomain"), S("(.*)@([^.]*)")},
     "bad argument: the expression has more than one group"},
    {"ExtractInt", "regex.extract", {I(1), S("1")}, NoOverload("regex.extract")},
    {"ExtractAll",
     "regex.extractAll",
     {S("id:123, id:456"), S("id:\\d+")},
     R"(["id:123", "id:456"])"},
    {"ExtractAllGroup", "regex.extractAll", {S("id:1, id:2"), S("id:(\\d)")}, R"(["1", "2"])"},
    {"ExtractAllEmptyGroup", "regex.extractAll", {S("ab-b"), S("(a?)b")}, R"(["a"])"},
    {"ExtractAllNone", "regex.extractAll", {S("id:123"), S("assa")}, "[]"},
    {"ExtractAllTwoGroups",
     "regex.extractAll",
     {S("a@b"), S("(.*)@([^.]*)")},
     "bad argument: the expression has more than one group"},
    {"ExtractAllInt", "regex.extractAll", {S("1"), I(1)}, NoOverload("regex.extractAll")},
};
INSTANTIATE_TEST_SUITE_P(Regexes, FunctionTest, testing::ValuesIn(kRegexes), NameOf);

const Case kStrings[] = {
    {"CharAt", "charAt", {S("tacocat"), I(3)}, R"("o")"},
    {"CharAtUnicode", "charAt", {S("©αT"), I(1)}, R"("α")"},
    {"CharAtEnd", "charAt", {S("ab"), I(2)}, R"("")"},
    {"CharAtEmpty", "charAt", {S(""), I(0)}, R"("")"},
    {"CharAtBeyond", "charAt", {S("ab"), I(3)}, "index out of range"},
    {"CharAtUnicodeBeyond", "charAt", {S("©"), I(2)}, "index out of range"},
    {"CharAtNegative", "charAt", {S("ab"), I(-1)}, "index out of range"},
    {"CharAtHuge", "charAt", {S("ab"), I(kMax)}, "index out of range"},
    {"CharAtUint", "charAt", {S("ab"), U(1)}, NoOverload("charAt")},
    {"CharAtInt", "charAt", {I(42), I(2)}, NoOverload("charAt")},

    {"IndexOf", "indexOf", {S("hello mellow"), S("ello")}, "1"},
    {"IndexOfNone", "indexOf", {S("hello mellow"), S("jello")}, "-1"},
    {"IndexOfEmpty", "indexOf", {S("hello"), S("")}, "0"},
    {"IndexOfEmptyAt", "indexOf", {S("hello"), S(""), I(2)}, "2"},
    {"IndexOfFrom", "indexOf", {S("hello mellow"), S("ello"), I(2)}, "7"},
    {"IndexOfFromBeyond", "indexOf", {S("hello mellow"), S("ello"), I(20)}, "-1"},
    {"IndexOfFromEnd", "indexOf", {S("abc"), S("c"), I(3)}, "-1"},
    {"IndexOfFromNegative", "indexOf", {S("hello"), S("l"), I(-1)}, "index out of range"},
    {"IndexOfUnicode", "indexOf", {S("ta©o©αT"), S("©αT"), I(3)}, "4"},
    {"IndexOfLonger", "indexOf", {S("a"), S("aa")}, "-1"},
    {"IndexOfBool", "indexOf", {S("a"), T(true)}, NoOverload("indexOf")},
    {"IndexOfStringOffset", "indexOf", {S("42"), S("4"), S("0")}, NoOverload("indexOf")},
    {"IndexOfManyArguments", "indexOf", {S("42"), S("4"), I(0), I(1)}, "too many arguments"},

    {"LastIndexOf", "lastIndexOf", {S("hello mellow"), S("ello")}, "7"},
    {"LastIndexOfNone", "lastIndexOf", {S("hello mellow"), S("jello")}, "-1"},
    {"LastIndexOfEmpty", "lastIndexOf", {S("hé mellow"), S("")}, "9"},
    {"LastIndexOfEmptyAt", "lastIndexOf", {S("tacocat"), S(""), I(3)}, "3"},
    {"LastIndexOfBefore", "lastIndexOf", {S("hello mellow"), S("ello"), I(6)}, "1"},
    {"LastIndexOfBeyond", "lastIndexOf", {S("hello mellow"), S("ello"), I(20)}, "-1"},
    {"LastIndexOfAtEnd", "lastIndexOf", {S("abc"), S("c"), I(3)}, "-1"},
    {"LastIndexOfNegative", "lastIndexOf", {S("hello"), S("l"), I(-1)}, "index out of range"},
    {"LastIndexOfUnicode", "lastIndexOf", {S("ta©o©αT"), S("©"), I(3)}, "2"},
    {"LastIndexOfUnicodeAt", "lastIndexOf", {S("ta©o©αT"), S("©α"), I(4)}, "4"},
    {"LastIndexOfRepeated", "lastIndexOf", {S("bananananana"), S("nana"), I(7)}, "6"},
    {"LastIndexOfLonger", "lastIndexOf", {S("a"), S("aa"), I(0)}, "-1"},
    {"LastIndexOfInEmpty", "lastIndexOf", {S(""), S("a")}, "-1"},
    {"LastIndexOfInt", "lastIndexOf", {I(1), S("a")}, NoOverload("lastIndexOf")},

    {"LowerAscii", "lowerAscii", {S("TacoCÆt Xii[@`{")}, R"("tacocÆt xii[@`{")"},
    {"LowerAsciiAlready", "lowerAscii", {S("taco")}, R"("taco")"},
    {"LowerAsciiInt", "lowerAscii", {I(1)}, NoOverload("lowerAscii")},
    {"UpperAscii", "upperAscii", {S("TacoCæt xii[@`{")}, R"("TACOCæT XII[@`{")"},
    {"UpperAsciiInt", "upperAscii", {I(1)}, NoOverload("upperAscii")},

    {"Replace", "replace", {S("{0} days {0} hours"), S("{0}"), S("2")}, R"("2 days 2 hours")"},
    {"ReplaceNone", "replace", {S("12 days"), S("{0}"), S("2")}, R"("12 days")"},
    {"ReplaceLimit", "replace", {S("aaa"), S("a"), S("b"), I(2)}, R"("bba")"},
    {"ReplaceLimitZero", "replace", {S("aaa"), S("a"), S("b"), I(0)}, R"("aaa")"},
    {"ReplaceLimitNegative", "replace", {S("aaa"), S("a"), S("b"), I(kMin)}, R"("bbb")"},
    {"ReplaceUnicode", "replace", {S("1 ©αT taco"), S("αT"), S("o©α")}, R"("1 ©o©α taco")"},
    {"ReplaceWithEmpty", "replace", {S("abab"), S("ab"), S("")}, R"("")"},
    {"ReplaceEmpty", "replace", {S("añ"), S(""), S("-")}, R"("-a-ñ-")"},
    {"ReplaceEmptyLimit", "replace", {S("añb"), S(""), S("-"), I(2)}, R"("-a-ñb")"},
    {"ReplaceEmptyInEmpty", "replace", {S(""), S(""), S("x")}, R"("x")"},
    {"ReplaceOverlapping", "replace", {S("aaa"), S("aa"), S("b")}, R"("ba")"},
    {"ReplaceInt", "replace", {S("42"), I(2), I(1)}, NoOverload("replace")},
    {"ReplaceBoolLimit", "replace", {S("42"), S("2"), S("1"), T(false)}, NoOverload("replace")},

    {"Split", "split", {S("a,b,,c"), S(",")}, R"(["a", "b", "", "c"])"},
    {"SplitNone", "split", {S("abc"), S(",")}, R"(["abc"])"},
    {"SplitEmpty", "split", {S(""), S(",")}, R"([""])"},
    {"SplitCharacters", "split", {S("a©α"), S("")}, R"(["a", "©", "α"])"},
    {"SplitCharactersLimit", "split", {S("a©α"), S(""), I(2)}, R"(["a", "©α"])"},
    {"SplitCharactersOfEmpty", "split", {S(""), S("")}, "[]"},
    {"SplitLimitZero", "split", {S("a b"), S(" "), I(0)}, "[]"},
    {"SplitLimitOne", "split", {S("a b"), S(" "), I(1)}, R"(["a b"])"},
    {"SplitLimitTwo", "split", {S("a b c"), S(" "), I(2)}, R"(["a", "b c"])"},
    {"SplitLimitMore", "split", {S("a b c"), S(" "), I(kMax)}, R"(["a", "b", "c"])"},
    {"SplitLimitNegative", "split", {S("a b c"), S(" "), I(-1)}, R"(["a", "b", "c"])"},
    {"SplitSeparatorAtEnds", "split", {S(" a "), S(" ")}, R"(["", "a", ""])"},
    {"SplitInt", "split", {I(42), S("2")}, NoOverload("split")},
    {"SplitStringLimit", "split", {S("42"), S("2"), S("1")}, NoOverload("split")},

    {"Substring", "substring", {S("tacocat"), I(4)}, R"("cat")"},
    {"SubstringRange", "substring", {S("tacocat"), I(0), I(4)}, R"("taco")"},
    {"SubstringUnicode", "substring", {S("ta©o©αT"), I(2), I(6)}, R"("©o©α")"},
    {"SubstringAtEnd", "substring", {S("tacocat"), I(7)}, R"("")"},
    {"SubstringEmpty", "substring", {S("tacocat"), I(4), I(4)}, R"("")"},
    {"SubstringBeyond", "substring", {S("tacocat"), I(40)}, "index out of range"},
    {"SubstringNegative", "substring", {S("tacocat"), I(-1)}, "index out of range"},
    {"SubstringEndBeyond", "substring", {S("tacocat"), I(1), I(50)}, "index out of range"},
    {"SubstringEndNegative", "substring", {S("tacocat"), I(0), I(-1)}, "index out of range"},
    {"SubstringReversed", "substring", {S("tacocat"), I(4), I(3)}, "index out of range"},
    {"SubstringBool", "substring", {S("tacocat"), I(0), T(false)}, NoOverload("substring")},
    {"SubstringOfInt", "substring", {I(30), I(0), I(3)}, NoOverload("substring")},

    {"Trim", "trim", {S(" \f\n\r\t\vte xt  ")}, R"("te xt")"},
    {"TrimUnicode",
     "trim",
     {S("\u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000text\u3000\u0085")},
     R"("text")"},
    {"TrimNothing", "trim", {S("éé")}, R"("éé")"},
    {"TrimAll", "trim", {S(" \u2003 ")}, R"("")"},
    {"TrimInt", "trim", {I(1)}, NoOverload("trim")},

    {"Join", "join", {L({S("x"), S("y")})}, R"("xy")"},
    {"JoinSeparator", "join", {L({S("x"), S("y"), S("")}), S("-")}, R"("x-y-")"},
    {"JoinEmpty", "join", {L({}), S("-")}, R"("")"},
    {"JoinOfInts", "join", {L({S("x"), I(1)})}, NoOverload("join")},
    {"JoinOfPartial", "join", {L({S("x")}).Partial()}, "not all groups are known"},
    {"JoinIntSeparator", "join", {L({S("x")}), I(1)}, NoOverload("join")},
    {"JoinString", "join", {S("x"), S("-")}, NoOverload("join")},

    {"Reverse", "reverse", {S("Ta©oCαt")}, R"("tαCo©aT")"},
    {"ReverseEmpty", "reverse", {S("")}, R"("")"},
    {"ReverseList", "reverse", {L({I(5), I(3), L({I(1), I(2)})})}, "[[1, 2], 3, 5]"},
    {"ReverseEmptyList", "reverse", {L({})}, "[]"},
    {"ReversePartial", "reverse", {L({I(1)}).Partial()}, "not all groups are known"},
    {"ReverseBadFacts", "reverse", {BadFacts()}, "out of range"},
    {"ReverseInt", "reverse", {I(12)}, NoOverload("reverse")},

    {"Quote",
     "strings.quote",
     {S("first\nsecond \"x\" \\ é")},
     R"("\"first\\nsecond \\\"x\\\" \\\\ é\"")"},
    {"QuoteControls", "strings.quote", {S("\a\b\f\n\r\t\v")}, R"("\"\\a\\b\\f\\n\\r\\t\\v\"")"},
    {"QuoteEmpty", "strings.quote", {S("")}, R"("\"\"")"},
    {"QuoteInt", "strings.quote", {I(1)}, NoOverload("strings.quote")},
};
INSTANTIATE_TEST_SUITE_P(Strings, FunctionTest, testing::ValuesIn(kStrings), NameOf);

// `format.format([argument])`.
Case F(const char* name, const char* format, const Cell& argument, std::string_view want) {
  return {name, "format", {S(format), L({argument})}, want};
}

const Case kFormats[] = {
    {"Nothing", "format", {S("no substitution"), L({})}, R"("no substitution")"},
    {"Many", "format", {S("%d %s|%s"), L({I(1), S("A"), S("B")})}, R"("1 A|B")"},
    {"MoreThanUsed", "format", {S("%d"), L({I(1), I(2)})}, R"("1")"},
    {"Percent", "format", {S("%%%s%%"), L({S("text")})}, R"("%text%")"},
    F("Null", "%s", Cell(), R"("null")"),
    F("Bool", "%s", T(false), R"("false")"),
    F("Int", "%s", I(kMin), R"("-9223372036854775808")"),
    F("Uint", "%s", U(18446744073709551615U), R"("18446744073709551615")"),
    F("Double", "%s", D(-3.14), R"("-3.14")"),
    F("DoubleWhole", "%s", D(100), R"("100")"),
    F("DoubleLarge", "%s", D(1e23), R"("100000000000000000000000")"),
    F("DoubleSmall", "%s", D(1.5e-7), R"("0.00000015")"),
    F("DoubleTenth", "%s", D(0.1), R"("0.1")"),
    F("DoubleNegativeZero", "%s", D(-0.0), R"("-0")"),
    F("DoubleNaN", "%s", D(kNaN), R"("NaN")"),
    F("DoubleInfinity", "%s", D(-kInfinity), R"("-Infinity")"),
    F("Bytes", "%s", B("xyz é"), R"("xyz é")"),
    F("BytesNotUtf8", "%s", B("a\xff\xfe\x80z\xc3"), "\"a\uFFFDz\uFFFD\""),
    F("String", "%s", S("é%d"), R"("é%d")"),
    F("Timestamp", "%s", Cell::Timestamp(1675467080, 500000000), R"("2023-02-03T23:31:20.5Z")"),
    F("Duration", "%s", Cell::Duration(7200, 0), R"("7200s")"),
    F("DurationNegative", "%s", Cell::Duration(-2, 500000000), R"("-1.5s")"),
    F("DurationSmall", "%s", Cell::Duration(0, 1), R"("0.000000001s")"),
    F("Type", "%s", Cell::Type("google.protobuf.Timestamp"), R"("google.protobuf.Timestamp")"),
    F("List", "%s", L({S("abc"), D(3.14), Cell(), L({I(9), U(8)})}),
      R"("[abc, 3.14, null, [9, 8]]")"),
    F("EmptyList", "%s", L({}), R"("[]")"),
    F("Map", "%s",
      M({{S("key5"), Cell()}, {S("key1"), B("xyz")}, {S("key2"), Cell::Duration(7200, 0)}}),
      R"("{key1: xyz, key2: 7200s, key5: null}")"),
    F("MapOfAllKeys", "%s",
      M({{T(true), D(kNaN)}, {S("strKey"), S("x")}, {U(10), I(1)}, {I(6), I(42)}}),
      R"("{10: 1, 6: 42, strKey: x, true: NaN}")"),
    F("MapOfOneText", "%s", M({{S("1"), S("b")}, {I(1), S("a")}}), R"("{1: b, 1: a}")"),
    F("EmptyMap", "%s", M({}), R"("{}")"),
    F("FactMap", "%s", Facts(), R"("{a: [null], b: 1}")"),
    F("PartialInside", "%s", L({L({I(1)}).Partial()}), "not all groups are known"),
    F("BadFactsInside", "%s", BadFacts(), "out of range"),
    F("OptionalNone", "%s", Cell::Optional(nullptr, 0), "bad argument: %s cannot show this type"),
    F("IpAddress", "%s", Ip("::1"), "bad argument: %s cannot show this type"),
    F("OptionalInside", "%s", M({{I(1), Cell::Optional(nullptr, 0)}}),
      "bad argument: %s cannot show this type"),

    F("DecimalInt", "%d", I(-5), R"("-5")"),
    F("DecimalUint", "%d", U(5), R"("5")"),
    F("DecimalDouble", "%d", D(3.14), R"("3.14")"),
    F("DecimalInfinity", "%d", D(kInfinity), R"("Infinity")"),
    F("DecimalString", "%d", S("5"), "bad argument: %d is for numbers"),
    F("DecimalDuration", "%d", Cell::Duration(1, 0), "bad argument: %d is for numbers"),
    F("DecimalPrecision", "%.2d", I(5), R"("5")"),

    F("Fixed", "%f", D(3.14), R"("3.140000")"),
    F("FixedInt", "%f", I(2), R"("2.000000")"),
    F("FixedUint", "%.1f", U(18446744073709551615U), R"("18446744073709551615.0")"),
    F("FixedIntNoPoint", "%.0f", I(-7), R"("-7")"),
    F("FixedPrecision", "%.3f", D(1.2345), R"("1.234")"),
    F("FixedHalfToEven", "%.0f", D(2.5), R"("2")"),
    F("FixedNegative", "%.3f", D(-123.4999), R"("-123.500")"),
    F("FixedLarge", "%.1f", D(1e23), R"("99999999999999991611392.0")"),
    F("FixedNaN", "%f", D(kNaN), R"("NaN")"),
    F("FixedInfinity", "%.2f", D(-kInfinity), R"("-Infinity")"),
    F("FixedNull", "%f", Cell(), "bad argument: %f is for numbers"),
    F("FixedLongest", "%.1000f", I(1), Repeated(R"(")", 1, Repeated("0", 1000, R"("1.)"))),
    F("FixedTooLong", "%.1001f", I(1), "bad argument: a precision is at most 1000"),
    F("FixedOverflow", "%.99999999999999999999f", I(1),
      "bad argument: a precision is at most 1000"),

    F("Scientific", "%e", D(2.71828), R"("2.718280e+00")"),
    F("ScientificPrecision", "%.1e", D(-3.14), R"("-3.1e+00")"),
    F("ScientificInt", "%e", I(2), R"("2.000000e+00")"),
    F("ScientificUint", "%.19e", U(18446744073709551615U), R"("1.8446744073709551615e+19")"),
    F("ScientificZero", "%.0e", D(0), R"("0e+00")"),
    F("ScientificHundreds", "%.2e", D(1e-123), R"("1.00e-123")"),
    F("ScientificInfinity", "%e", D(kInfinity), R"("Infinity")"),
    F("ScientificString", "%e", S("1"), "bad argument: %e is for numbers"),

    F("Binary", "%b", I(5), R"("101")"),
    F("BinaryNegative", "%b", I(-5), R"("-101")"),
    F("BinaryLeast", "%b", I(kMin), Repeated(R"(")", 1, Repeated("0", 63, R"("-1)"))),
    F("BinaryUint", "%b", U(64), R"("1000000")"),
    F("BinaryTrue", "%b", T(true), R"("1")"),
    F("BinaryFalse", "%b", T(false), R"("0")"),
    F("BinaryDouble", "%b", D(1), "bad argument: %b is for integers and bools"),
    F("Octal", "%o", I(11), R"("13")"),
    F("OctalNegative", "%o", I(-8), R"("-10")"),
    F("OctalUint", "%o", U(8), R"("10")"),
    F("OctalString", "%o", S("8"), "bad argument: %o is for integers"),
    F("Hex", "%x", I(30), R"("1e")"),
    F("HexUpper", "%X", I(30), R"("1E")"),
    F("HexNegative", "%x", I(kMin), R"("-8000000000000000")"),
    F("HexUint", "%X", U(6000), R"("1770")"),
    F("HexString", "%x", S("Hé"), R"("48c3a9")"),
    F("HexBytes", "%X", B("\xff\x0a"), R"("FF0A")"),
    F("HexNull", "%x", Cell(), "bad argument: %x is for integers, strings and bytes"),

    F("UnknownClause", "%E", D(0.5), "bad argument: a format has an unknown clause"),
    F("Width", "%5d", I(1), "bad argument: a format has an unknown clause"),
    F("ClauseNotAscii", "%é", I(1), "bad argument: a format has an unknown clause"),
    F("EndsWithPercent", "a%", I(1), "bad argument: a format ends within a clause"),
    F("EndsInPrecision", "%.", I(1), "bad argument: a precision needs digits"),
    F("EndsAfterPrecision", "%.3", I(1), "bad argument: a format ends within a clause"),
    F("PrecisionWithoutDigits", "%.f", I(1), "bad argument: a precision needs digits"),
    F("PrecisionNegative", "%.-1f", I(1), "bad argument: a precision needs digits"),
    {"TooFewArguments",
     "format",
     {S("%d %d"), L({I(1)})},
     "bad argument: a format has more clauses than arguments"},
    {"PartialArguments", "format", {S("%d"), L({I(1)}).Partial()}, "not all groups are known"},
    {"BadFacts", "format", {S("%d %s"), BadFacts()}, "out of range"},
    {"NotAList", "format", {S("%d"), I(1)}, NoOverload("format")},
    {"NotAString", "format", {I(1), L({I(1)})}, NoOverload("format")},
};
INSTANTIATE_TEST_SUITE_P(Formats, FunctionTest, testing::ValuesIn(kFormats), NameOf);

const Case kNumbers[] = {
    {"GreatestOne", "math.greatest", {I(-5)}, "-5"},
    {"GreatestTwo", "math.greatest", {I(1), I(2)}, "2"},
    {"GreatestMixed", "math.greatest", {D(5.4), I(10), U(3), D(-5), D(10.5)}, "10.5"},
    {"GreatestFirstOfEqual", "math.greatest", {I(1), D(1), U(1)}, "1"},
    {"GreatestUintAboveInt",
     "math.greatest",
     {I(-1), U(18446744073709551615U)},
     "18446744073709551615u"},
    {"GreatestList", "math.greatest", {L({D(5.4), U(10), U(3)})}, "10u"},
    {"GreatestOneNaN", "math.greatest", {D(kNaN)}, "double(\"NaN\")"},
    {"GreatestNaN", "math.greatest", {D(kNaN), I(1)}, "bad argument: NaN has no order"},
    {"GreatestEmpty", "math.greatest", {L({})}, "bad argument: the list is empty"},
    {"GreatestPartial", "math.greatest", {L({I(1)}).Partial()}, "not all groups are known"},
    {"GreatestString", "math.greatest", {S("a")}, NoOverload("math.greatest")},
    {"GreatestSecondString", "math.greatest", {I(1), S("a")}, NoOverload("math.greatest")},
    {"GreatestListOfStrings", "math.greatest", {L({S("a"), S("b")})}, NoOverload("math.greatest")},
    {"GreatestTwoLists", "math.greatest", {L({I(1)}), L({I(1)})}, NoOverload("math.greatest")},
    {"GreatestNumberAndList", "math.greatest", {I(1), L({I(1)})}, NoOverload("math.greatest")},
    {"GreatestBadFacts", "math.greatest", {BadFacts()}, "out of range"},
    {"GreatestNone", "math.greatest", {}, "too few arguments"},
    {"LeastTwo", "math.least", {I(5), I(-7)}, "-7"},
    {"LeastMixed", "math.least", {D(5.4), I(10), U(3), U(1)}, "1u"},
    {"LeastInts", "math.least", {I(kMax), I(kMin), I(0)}, "-9223372036854775808"},
    {"LeastList", "math.least", {L({D(5.4), D(-5), U(3)})}, "-5.0"},
    {"LeastNaN", "math.least", {I(1), D(kNaN)}, "bad argument: NaN has no order"},
    {"LeastEmpty", "math.least", {L({})}, "bad argument: the list is empty"},
    {"LeastNull", "math.least", {Cell()}, NoOverload("math.least")},

    {"Ceil", "math.ceil", {D(1.2)}, "2.0"},
    {"CeilNegative", "math.ceil", {D(-1.2)}, "-1.0"},
    {"CeilInt", "math.ceil", {I(1)}, NoOverload("math.ceil")},
    {"Floor", "math.floor", {D(-1.2)}, "-2.0"},
    {"FloorInt", "math.floor", {I(1)}, NoOverload("math.floor")},
    {"RoundUp", "math.round", {D(1.5)}, "2.0"},
    {"RoundDown", "math.round", {D(1.2)}, "1.0"},
    {"RoundAwayFromZero", "math.round", {D(-2.5)}, "-3.0"},
    {"RoundBelowHalf", "math.round", {D(0.49999999999999994)}, "0.0"},
    {"RoundNaN", "math.round", {D(kNaN)}, "double(\"NaN\")"},
    {"RoundString", "math.round", {S("1")}, NoOverload("math.round")},
    {"Trunc", "math.trunc", {D(-1.7)}, "-1.0"},
    {"TruncInt", "math.trunc", {I(1)}, NoOverload("math.trunc")},
    {"AbsInt", "math.abs", {I(-234)}, "234"},
    {"AbsUint", "math.abs", {U(1)}, "1u"},
    {"AbsDouble", "math.abs", {D(-234.5)}, "234.5"},
    {"AbsOverflow", "math.abs", {I(kMin)}, "out of range"},
    {"AbsBool", "math.abs", {T(true)}, NoOverload("math.abs")},
    {"SignInt", "math.sign", {I(kMin)}, "-1"},
    {"SignIntZero", "math.sign", {I(0)}, "0"},
    {"SignUint", "math.sign", {U(100)}, "1u"},
    {"SignUintZero", "math.sign", {U(0)}, "0u"},
    {"SignDouble", "math.sign", {D(-32)}, "-1.0"},
    {"SignNegativeZero", "math.sign", {D(-0.0)}, "0.0"},
    {"SignNaN", "math.sign", {D(kNaN)}, "double(\"NaN\")"},
    {"SignNull", "math.sign", {Cell()}, NoOverload("math.sign")},
    {"IsInf", "math.isInf", {D(-kInfinity)}, "true"},
    {"IsInfNot", "math.isInf", {D(kNaN)}, "false"},
    {"IsInfBool", "math.isInf", {T(true)}, NoOverload("math.isInf")},
    {"IsNaN", "math.isNaN", {D(kNaN)}, "true"},
    {"IsNaNNot", "math.isNaN", {D(kInfinity)}, "false"},
    {"IsNaNInt", "math.isNaN", {I(1)}, NoOverload("math.isNaN")},
    {"IsFinite", "math.isFinite", {D(1)}, "true"},
    {"IsFiniteInfinity", "math.isFinite", {D(kInfinity)}, "false"},
    {"IsFiniteNaN", "math.isFinite", {D(kNaN)}, "false"},
    {"IsFiniteBool", "math.isFinite", {T(true)}, NoOverload("math.isFinite")},
    {"SqrtInt", "math.sqrt", {I(81)}, "9.0"},
    {"SqrtUint", "math.sqrt", {U(4)}, "2.0"},
    {"SqrtDouble", "math.sqrt", {D(2.25)}, "1.5"},
    {"SqrtNegative", "math.sqrt", {I(-15)}, "double(\"NaN\")"},
    {"SqrtString", "math.sqrt", {S("4")}, NoOverload("math.sqrt")},

    {"BitAndInt", "math.bitAnd", {I(-3), I(-5)}, "-7"},
    {"BitAndUint", "math.bitAnd", {U(3), U(2)}, "2u"},
    {"BitAndMixed", "math.bitAnd", {I(1), U(1)}, NoOverload("math.bitAnd")},
    {"BitAndDouble", "math.bitAnd", {D(1), D(1)}, NoOverload("math.bitAnd")},
    {"BitOrInt", "math.bitOr", {I(-2), I(-4)}, "-2"},
    {"BitOrUint", "math.bitOr", {U(1), U(2)}, "3u"},
    {"BitOrMixed", "math.bitOr", {U(1), I(1)}, NoOverload("math.bitOr")},
    {"BitXorInt", "math.bitXor", {I(1), I(-3)}, "-4"},
    {"BitXorUint", "math.bitXor", {U(3), U(5)}, "6u"},
    {"BitXorMixed", "math.bitXor", {U(1), D(1)}, NoOverload("math.bitXor")},
    {"BitNotInt", "math.bitNot", {I(1)}, "-2"},
    {"BitNotUint", "math.bitNot", {U(0)}, "18446744073709551615u"},
    {"BitNotDouble", "math.bitNot", {D(1)}, NoOverload("math.bitNot")},
    {"ShiftLeft", "math.bitShiftLeft", {I(-1), I(2)}, "-4"},
    {"ShiftLeftIntoSign", "math.bitShiftLeft", {I(1), I(63)}, "-9223372036854775808"},
    {"ShiftLeftUint", "math.bitShiftLeft", {U(1), I(2)}, "4u"},
    {"ShiftLeftAll", "math.bitShiftLeft", {U(1), I(64)}, "0u"},
    {"ShiftLeftNegative", "math.bitShiftLeft", {U(1), I(-1)}, "bad argument: negative offset"},
    {"ShiftLeftByUint", "math.bitShiftLeft", {I(1), U(1)}, NoOverload("math.bitShiftLeft")},
    {"ShiftRight", "math.bitShiftRight", {I(1024), I(2)}, "256"},
    {"ShiftRightLogical", "math.bitShiftRight", {I(-1024), I(3)}, "2305843009213693824"},
    {"ShiftRightByNone", "math.bitShiftRight", {I(-1), I(0)}, "-1"},
    {"ShiftRightUint", "math.bitShiftRight", {U(1024), I(2)}, "256u"},
    {"ShiftRightAll", "math.bitShiftRight", {I(-1), I(kMax)}, "0"},
    {"ShiftRightNegative", "math.bitShiftRight", {I(1), I(-3)}, "bad argument: negative offset"},
    {"ShiftRightDouble", "math.bitShiftRight", {D(1), I(1)}, NoOverload("math.bitShiftRight")},
};
INSTANTIATE_TEST_SUITE_P(Numbers, FunctionTest, testing::ValuesIn(kNumbers), NameOf);

// 0 to 19, as cells of different types.
Cell Twenty() {
  std::vector<Cell> elements;
  for (int i = 0; i < 20; ++i) {
    elements.push_back(i % 3 == 0 ? I(i) : i % 3 == 1 ? U(static_cast<uint64_t>(i)) : D(i));
  }
  return Kept(elements);
}

Cell Ten(int64_t from) {
  std::vector<Cell> elements;
  for (int64_t i = from; i < from + 10; ++i) elements.push_back(I(i));
  return Kept(elements);
}

const Case kLists[] = {
    {"Slice", "slice", {L({I(1), I(2), I(3), I(4)}), I(1), I(3)}, "[2, 3]"},
    {"SliceAll", "slice", {L({I(1), L({I(2)})}), I(0), I(2)}, "[1, [2]]"},
    {"SliceNone", "slice", {L({I(1)}), I(1), I(1)}, "[]"},
    {"SliceBeyond", "slice", {L({I(1)}), I(0), I(2)}, "index out of range"},
    {"SliceReversed", "slice", {L({I(1)}), I(1), I(0)}, "index out of range"},
    {"SliceNegative", "slice", {L({I(1)}), I(-1), I(0)}, "index out of range"},
    {"SlicePartial", "slice", {L({I(1)}).Partial(), I(0), I(1)}, "not all groups are known"},
    {"SliceFacts", "slice", {BadFacts(), I(0), I(1)}, "[1]"},
    {"SliceBadFacts", "slice", {BadFacts(), I(0), I(2)}, "out of range"},
    {"SliceUint", "slice", {L({I(1)}), I(0), U(1)}, NoOverload("slice")},
    {"SliceString", "slice", {S("ab"), I(0), I(1)}, NoOverload("slice")},

    {"Flatten", "flatten", {L({I(1), L({I(2), I(3)}), L({})})}, "[1, 2, 3]"},
    {"FlattenOne", "flatten", {L({I(1), L({I(2), L({I(3)})})})}, "[1, 2, [3]]"},
    {"FlattenTwo", "flatten", {L({I(1), L({I(2), L({I(3), L({I(4)})})})}), I(2)}, "[1, 2, 3, [4]]"},
    {"FlattenZero", "flatten", {L({I(1), L({I(2)})}), I(0)}, "[1, [2]]"},
    {"FlattenDeep", "flatten", {L({L({L({I(1)})})}), I(kMax)}, "[1]"},
    {"FlattenMap", "flatten", {L({M({{I(1), L({I(2)})}})})}, "[{1: [2]}]"},
    {"FlattenNegative", "flatten", {L({}), I(-1)}, "bad argument: negative depth"},
    {"FlattenPartial", "flatten", {L({}).Partial()}, "not all groups are known"},
    {"FlattenPartialInside", "flatten", {L({L({}).Partial()})}, "not all groups are known"},
    {"FlattenString", "flatten", {S("a")}, NoOverload("flatten")},
    {"FlattenUintDepth", "flatten", {L({}), U(1)}, NoOverload("flatten")},

    {"Range", "lists.range", {I(5)}, "[0, 1, 2, 3, 4]"},
    {"RangeNone", "lists.range", {I(0)}, "[]"},
    {"RangeNegative", "lists.range", {I(-3)}, "[]"},
    {"RangeUint", "lists.range", {U(3)}, NoOverload("lists.range")},

    {"Distinct", "distinct", {L({I(1), I(2), I(2), I(3), I(1)})}, "[1, 2, 3]"},
    {"DistinctMixed",
     "distinct",
     {L({I(1), S("b"), D(1), U(1), S("b"), B("b"), T(true), Cell()})},
     R"([1, "b", b"b", true, null])"},
    {"DistinctNaN", "distinct", {L({D(kNaN), D(kNaN)})}, R"([double("NaN"), double("NaN")])"},
    {"DistinctLists",
     "distinct",
     {L({L({I(1)}), I(1), L({D(1)}), M({{I(1), I(2)}}), M({{U(1), I(2)}}), I(1)})},
     "[[1], 1, {1: 2}]"},
    {"DistinctOptionals",
     "distinct",
     {L({Cell::Optional(nullptr, 0), Cell::Optional(nullptr, 0)})},
     "[optional.none()]"},
    {"DistinctTwenty",
     "distinct",
     {Twenty()},
     "[0, 1u, 2.0, 3, 4u, 5.0, 6, 7u, 8.0, 9, 10u, 11.0, 12, 13u, 14.0, 15, 16u, 17.0, 18, 19u]"},
    {"DistinctEmpty", "distinct", {L({})}, "[]"},
    {"DistinctPartial", "distinct", {L({}).Partial()}, "not all groups are known"},
    {"DistinctBadFacts", "distinct", {BadFacts()}, "out of range"},
    {"DistinctInt", "distinct", {I(1)}, NoOverload("distinct")},

    {"Sort", "sort", {L({I(3), I(-1), I(2), I(-1)})}, "[-1, -1, 2, 3]"},
    {"SortStrings", "sort", {L({S("b"), S("ü"), S(""), S("a")})}, R"(["", "a", "b", "ü"])"},
    {"SortBytes", "sort", {L({B("\xff"), B("a")})}, R"([b"a", b"\xff"])"},
    {"SortBools", "sort", {L({T(true), T(false)})}, "[false, true]"},
    {"SortDoubles", "sort", {L({D(1.5), D(-kInfinity)})}, R"([double("-Infinity"), 1.5])"},
    {"SortDurations",
     "sort",
     {L({Cell::Duration(1, 0), Cell::Duration(-1, 5)})},
     R"([duration("-0.999999995s"), duration("1s")])"},
    {"SortEmpty", "sort", {L({})}, "[]"},
    {"SortMixed", "sort", {L({I(1), U(2)})}, NoOverload("sort")},
    {"SortStringAndInt", "sort", {L({I(1), S("b")})}, NoOverload("sort")},
    {"SortLists", "sort", {L({L({I(1)})})}, NoOverload("sort")},
    {"SortNulls", "sort", {L({Cell()})}, NoOverload("sort")},
    {"SortNaN", "sort", {L({D(1), D(kNaN)})}, "bad argument: NaN has no order"},
    {"SortPartial", "sort", {L({I(1)}).Partial()}, "not all groups are known"},
    {"SortString", "sort", {S("ba")}, NoOverload("sort")},
    {"SortByKeys",
     "@sortByAssociatedKeys",
     {L({S("foo"), S("bar"), S("baz")}), L({I(3), I(1), I(2)})},
     R"(["bar", "baz", "foo"])"},
    {"SortByKeysIsStable",
     "@sortByAssociatedKeys",
     {L({L({I(1)}), I(2), I(3)}), L({T(true), T(false), T(true)})},
     "[2, [1], 3]"},
    {"SortByFewKeys",
     "@sortByAssociatedKeys",
     {L({S("foo"), S("bar")}), L({I(3)})},
     "bad argument: there must be as many keys as elements"},
    {"SortByMixedKeys",
     "@sortByAssociatedKeys",
     {L({I(1), I(2)}), L({I(1), D(2)})},
     NoOverload("sort")},
    {"SortByPartialKeys",
     "@sortByAssociatedKeys",
     {L({I(1)}), L({I(1)}).Partial()},
     "not all groups are known"},
    {"SortByInt", "@sortByAssociatedKeys", {L({I(1)}), I(1)}, NoOverload("sortBy")},

    {"First", "first", {L({I(1), I(2)})}, "optional.of(1)"},
    {"FirstOfNone", "first", {L({})}, "optional.none()"},
    {"FirstOfPartial", "first", {L({I(1)}).Partial()}, "not all groups are known"},
    {"FirstOfString", "first", {S("ab")}, NoOverload("first")},
    {"Last", "last", {L({I(1), L({I(2)})})}, "optional.of([2])"},
    {"LastOfNone", "last", {L({})}, "optional.none()"},
    {"LastOfPartial", "last", {L({I(1)}).Partial()}, "not all groups are known"},
    {"LastOfBadFacts", "last", {BadFacts()}, "out of range"},
    {"LastOfMap", "last", {M({})}, NoOverload("last")},

    {"SetContains", "sets.contains", {L({I(1), I(2), I(3)}), L({D(2), U(3)})}, "true"},
    {"SetContainsNot", "sets.contains", {L({I(1)}), L({I(1), I(2)})}, "false"},
    {"SetContainsEmpty", "sets.contains", {L({}), L({})}, "true"},
    {"SetContainsInEmpty", "sets.contains", {L({}), L({I(1)})}, "false"},
    {"SetContainsLists",
     "sets.contains",
     {L({L({I(1)}), L({I(2), I(3)})}), L({L({I(2), D(3)})})},
     "true"},
    {"SetContainsTwenty", "sets.contains", {Twenty(), Ten(10)}, "true"},
    {"SetContainsTwentyNot", "sets.contains", {Twenty(), Ten(11)}, "false"},
    {"SetPartialContains", "sets.contains", {L({I(1), I(2)}).Partial(), L({I(2)})}, "true"},
    {"SetPartialContainsPerhaps",
     "sets.contains",
     {L({I(1)}).Partial(), L({I(2)})},
     "not all groups are known"},
    {"SetPartialTwentyContainsPerhaps",
     "sets.contains",
     {Twenty().Partial(), Ten(11)},
     "not all groups are known"},
    {"SetContainsPartialNot", "sets.contains", {L({I(1)}), L({I(2)}).Partial()}, "false"},
    {"SetContainsPartialPerhaps",
     "sets.contains",
     {L({I(1)}), L({I(1)}).Partial()},
     "not all groups are known"},
    {"SetContainsBadFacts", "sets.contains", {L({I(1)}), BadFacts()}, "out of range"},
    {"SetContainsMap", "sets.contains", {M({}), L({})}, NoOverload("sets.contains")},
    {"SetContainsInt", "sets.contains", {L({}), I(1)}, NoOverload("sets.contains")},

    {"SetEquivalent", "sets.equivalent", {L({I(1), I(2), I(2)}), L({D(2), U(1)})}, "true"},
    {"SetEquivalentNot", "sets.equivalent", {L({I(1)}), L({I(1), I(2)})}, "false"},
    {"SetEquivalentNotBack", "sets.equivalent", {L({I(1), I(2)}), L({I(1)})}, "false"},
    {"SetEquivalentEmpty", "sets.equivalent", {L({}), L({})}, "true"},
    {"SetEquivalentPartialNot", "sets.equivalent", {L({I(1)}).Partial(), L({})}, "false"},
    {"SetEquivalentPartial",
     "sets.equivalent",
     {L({I(1)}).Partial(), L({I(1)})},
     "not all groups are known"},
    {"SetEquivalentString", "sets.equivalent", {L({}), S("")}, NoOverload("sets.equivalent")},

    {"SetIntersects", "sets.intersects", {L({I(1), I(2)}), L({D(2)})}, "true"},
    {"SetIntersectsNot", "sets.intersects", {L({I(1)}), L({I(2)})}, "false"},
    {"SetIntersectsEmpty", "sets.intersects", {L({}), L({I(2)})}, "false"},
    {"SetIntersectsPartialEmpty", "sets.intersects", {L({I(1)}).Partial(), L({})}, "false"},
    {"SetIntersectsEmptyPartial", "sets.intersects", {L({}), L({I(1)}).Partial()}, "false"},
    {"SetIntersectsPartial", "sets.intersects", {L({I(1)}).Partial(), L({I(1)})}, "true"},
    {"SetIntersectsPartialPerhaps",
     "sets.intersects",
     {L({I(1)}).Partial(), L({I(2)})},
     "not all groups are known"},
    {"SetIntersectsPerhapsPartial",
     "sets.intersects",
     {L({I(1)}), L({}).Partial()},
     "not all groups are known"},
    {"SetIntersectsTwenty", "sets.intersects", {Ten(19), Twenty()}, "true"},
    {"SetIntersectsTwentyNot", "sets.intersects", {Ten(20), Twenty()}, "false"},
    {"SetIntersectsInt", "sets.intersects", {I(1), L({})}, NoOverload("sets.intersects")},
};
INSTANTIATE_TEST_SUITE_P(Lists, FunctionTest, testing::ValuesIn(kLists), NameOf);

const Case kEncodings[] = {
    {"Encode", "base64.encode", {B("hello")}, R"("aGVsbG8=")"},
    {"EncodeOne", "base64.encode", {B("\xff")}, R"("/w==")"},
    {"EncodeThree", "base64.encode", {B("\xfb\xef\xbe")}, R"("++++")"},
    {"EncodeEmpty", "base64.encode", {B("")}, R"("")"},
    {"EncodeString", "base64.encode", {S("hello")}, NoOverload("base64.encode")},
    {"Decode", "base64.decode", {S("aGVsbG8=")}, R"(b"hello")"},
    {"DecodeUnpadded", "base64.decode", {S("aGVsbG8")}, R"(b"hello")"},
    {"DecodeTwoPads", "base64.decode", {S("/w==")}, R"(b"\xff")"},
    {"DecodeWhole", "base64.decode", {S("++++")}, R"(b"\xfb\xef\xbe")"},
    {"DecodeEmpty", "base64.decode", {S("")}, R"(b"")"},
    {"DecodeLineEnds", "base64.decode", {S("aGVs\r\nbG8=\n")}, R"(b"hello")"},
    {"DecodeOddBits", "base64.decode", {S("aGVsbG9=")}, R"(b"hello")"},
    {"DecodeOne", "base64.decode", {S("aGVsb")}, "bad argument: not base64"},
    {"DecodePadMissing", "base64.decode", {S("/w=")}, "bad argument: not base64"},
    {"DecodePadTooMuch", "base64.decode", {S("aGVsbG8==")}, "bad argument: not base64"},
    {"DecodePadOnly", "base64.decode", {S("=")}, "bad argument: not base64"},
    {"DecodePadAfterWhole", "base64.decode", {S("aGVs====")}, "bad argument: not base64"},
    {"DecodePadWithin", "base64.decode", {S("/w==aGVs")}, "bad argument: not base64"},
    {"DecodeSpace", "base64.decode", {S("aGVs bG8=")}, "bad argument: not base64"},
    {"DecodeUrl", "base64.decode", {S("-_-_")}, "bad argument: not base64"},
    {"DecodeBytes", "base64.decode", {B("aGVs")}, NoOverload("base64.decode")},
};
INSTANTIATE_TEST_SUITE_P(Encodings, FunctionTest, testing::ValuesIn(kEncodings), NameOf);

const Case kNetworks[] = {
    {"IpV4", "ip", {S("192.168.0.1")}, R"(ip("192.168.0.1"))"},
    {"IpV6", "ip", {S("2001:DB8:0:0:0::68")}, R"(ip("2001:db8::68"))"},
    {"IpV6All", "ip", {S("1:2:3:4:5:6:7:8")}, R"(ip("1:2:3:4:5:6:7:8"))"},
    {"IpV6FirstRun", "ip", {S("1:0:0:2:0:0:3:4")}, R"(ip("1::2:0:0:3:4"))"},
    {"IpV6LongestRun", "ip", {S("1:0:0:2:0:0:0:4")}, R"(ip("1:0:0:2::4"))"},
    {"IpV6SingleZero", "ip", {S("1:0:3:4:5:6:7:8")}, R"(ip("1:0:3:4:5:6:7:8"))"},
    {"IpV6Zero", "ip", {S("::")}, R"(ip("::"))"},
    {"IpV6End", "ip", {S("fe80::")}, R"(ip("fe80::"))"},
    {"IpV6WithV4", "ip", {S("64:ff9b::192.0.2.1")}, R"(ip("64:ff9b::c000:201"))"},
    {"IpMappedInHex", "ip", {S("::ffff:c0a8:1")}, R"(ip("::ffff:c0a8:1"))"},
    {"IpMapped",
     "ip",
     {S("::ffff:192.168.0.1")},
     "cannot be converted: an IPv4 address written as IPv6"},
    {"IpZone", "ip", {S("fe80::1%en0")}, "cannot be converted: an IP address with a zone"},
    {"IpEmpty", "ip", {S("")}, "cannot be converted: not an IP address"},
    {"IpFive", "ip", {S("192.168.0.1.0")}, "cannot be converted: not an IP address"},
    {"IpThree", "ip", {S("192.168.1")}, "cannot be converted: not an IP address"},
    {"IpNumber", "ip", {S("3232235521")}, "cannot be converted: not an IP address"},
    {"IpOctal", "ip", {S("192.168.0.01")}, "cannot be converted: not an IP address"},
    {"IpOctalFirst", "ip", {S("010.0.0.1")}, "cannot be converted: not an IP address"},
    {"IpOctalInV6", "ip", {S("64:ff9b::192.0.02.1")}, "cannot be converted: not an IP address"},
    {"IpHex", "ip", {S("0x7f.0.0.1")}, "cannot be converted: not an IP address"},
    {"IpLarge", "ip", {S("256.0.0.1")}, "cannot be converted: not an IP address"},
    {"IpSpace", "ip", {S(" 10.0.0.1")}, "cannot be converted: not an IP address"},
    {"IpNul", "ip", {S({"10.0.0.1\0", 9})}, "cannot be converted: not an IP address"},
    {"IpThreeColons", "ip", {S("2001:db8:::68")}, "cannot be converted: not an IP address"},
    {"IpTwoRuns", "ip", {S("1::2::3")}, "cannot be converted: not an IP address"},
    {"IpNineGroups", "ip", {S("1:2:3:4:5:6:7:8:9")}, "cannot be converted: not an IP address"},
    {"IpRunOfNothing", "ip", {S("1:2:3:4::5:6:7:8")}, "cannot be converted: not an IP address"},
    {"IpFiveDigits", "ip", {S("00001::")}, "cannot be converted: not an IP address"},
    {"IpOfCidr", "ip", {Cidr("10.1.2.3/8")}, R"(ip("10.1.2.3"))"},
    {"IpOfIp", "ip", {Ip("::1")}, NoOverload("ip")},
    {"IpOfBytes", "ip", {B("\x7f\0\0\1")}, NoOverload("ip")},

    {"IsIp", "isIP", {S("::1")}, "true"},
    {"IsIpNot", "isIP", {S("192.168.0.1.0")}, "false"},
    {"IsIpMapped", "isIP", {S("::ffff:1.2.3.4")}, "false"},
    {"IsIpCidr", "isIP", {Cidr("10.0.0.0/8")}, NoOverload("isIP")},
    {"IsCanonical", "ip.isCanonical", {S("127.0.0.1")}, "true"},
    {"IsCanonicalV6", "ip.isCanonical", {S("2001:db8::68")}, "true"},
    {"IsCanonicalNot", "ip.isCanonical", {S("2001:DB8::68")}, "false"},
    {"IsCanonicalBad", "ip.isCanonical", {S("x")}, "cannot be converted: not an IP address"},
    {"IsCanonicalIp", "ip.isCanonical", {Ip("::1")}, NoOverload("ip.isCanonical")},
    {"Family4", "family", {Ip("127.0.0.1")}, "4"},
    {"Family6", "family", {Ip("::1")}, "6"},
    {"FamilyString", "family", {S("::1")}, NoOverload("family")},

    {"Unspecified4", "isUnspecified", {Ip("0.0.0.0")}, "true"},
    {"Unspecified4Not", "isUnspecified", {Ip("0.0.0.1")}, "false"},
    {"Unspecified6", "isUnspecified", {Ip("::")}, "true"},
    {"Unspecified6Not", "isUnspecified", {Ip("1::")}, "false"},
    {"UnspecifiedString", "isUnspecified", {S("::")}, NoOverload("a test of an IP address")},
    {"Loopback4", "isLoopback", {Ip("127.8.8.8")}, "true"},
    {"Loopback4Not", "isLoopback", {Ip("1.2.3.4")}, "false"},
    {"Loopback6", "isLoopback", {Ip("::1")}, "true"},
    {"Loopback6Not", "isLoopback", {Ip("7f00::1")}, "false"},
    {"LinkLocalMulticast4", "isLinkLocalMulticast", {Ip("224.0.0.1")}, "true"},
    {"LinkLocalMulticast4Not", "isLinkLocalMulticast", {Ip("224.0.1.1")}, "false"},
    {"LinkLocalMulticast6", "isLinkLocalMulticast", {Ip("ff02::1")}, "true"},
    {"LinkLocalMulticast6Flags", "isLinkLocalMulticast", {Ip("ff32::1")}, "true"},
    {"LinkLocalMulticast6Not", "isLinkLocalMulticast", {Ip("ff05::1")}, "false"},
    {"LinkLocalUnicast4", "isLinkLocalUnicast", {Ip("169.254.169.254")}, "true"},
    {"LinkLocalUnicast4Not", "isLinkLocalUnicast", {Ip("169.253.0.1")}, "false"},
    {"LinkLocalUnicast6", "isLinkLocalUnicast", {Ip("febf::1")}, "true"},
    {"LinkLocalUnicast6Not", "isLinkLocalUnicast", {Ip("fec0::1")}, "false"},
    {"GlobalUnicast4", "isGlobalUnicast", {Ip("192.168.0.1")}, "true"},
    {"GlobalUnicast4Broadcast", "isGlobalUnicast", {Ip("255.255.255.255")}, "false"},
    {"GlobalUnicast4Multicast", "isGlobalUnicast", {Ip("239.0.0.1")}, "false"},
    {"GlobalUnicast4Unspecified", "isGlobalUnicast", {Ip("0.0.0.0")}, "false"},
    {"GlobalUnicast6", "isGlobalUnicast", {Ip("2001:db8::abcd")}, "true"},
    {"GlobalUnicast6Multicast", "isGlobalUnicast", {Ip("ff00::1")}, "false"},
    {"GlobalUnicast6Loopback", "isGlobalUnicast", {Ip("::1")}, "false"},
    {"GlobalUnicast6LinkLocal", "isGlobalUnicast", {Ip("fe80::1")}, "false"},
    {"GlobalUnicastCidr", "isGlobalUnicast", {Cidr("::/0")}, NoOverload("a test of an IP address")},

    {"Cidr4", "cidr", {S("192.168.0.1/24")}, R"(cidr("192.168.0.1/24"))"},
    {"Cidr6", "cidr", {S("2001:db8::/128")}, R"(cidr("2001:db8::/128"))"},
    {"CidrZero", "cidr", {S("::/0")}, R"(cidr("::/0"))"},
    {"CidrLongest",
     "cidr",
     {S("2001:0db8:1111:2222:3333:4444:5555:6666/128")},
     R"(cidr("2001:db8:1111:2222:3333:4444:5555:6666/128"))"},
    {"CidrNoPrefix",
     "cidr",
     {S("192.168.0.0/")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrNoSlash",
     "cidr",
     {S("192.168.0.0")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefix33",
     "cidr",
     {S("10.0.0.0/33")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefix129",
     "cidr",
     {S("::/129")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefix256",
     "cidr",
     {S("::/256")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefixZeros",
     "cidr",
     {S("10.0.0.0/08")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefixSign",
     "cidr",
     {S("10.0.0.0/+8")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrPrefixLetter",
     "cidr",
     {S("10.0.0.0/8x")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"CidrTwoSlashes", "cidr", {S("10.0.0.0/8/8")}, "cannot be converted: not an IP address"},
    {"CidrZone", "cidr", {S("fe80::1%en0/24")}, "cannot be converted: an IP address with a zone"},
    {"CidrMapped",
     "cidr",
     {S("::ffff:192.168.0.1/24")},
     "cannot be converted: an IPv4 address written as IPv6"},
    {"CidrOfCidr", "cidr", {Cidr("::/0")}, NoOverload("cidr")},
    {"IsCidr", "isCIDR", {S("10.0.0.0/8")}, "true"},
    {"IsCidrNot", "isCIDR", {S("10.0.0.0")}, "false"},
    {"IsCidrIp", "isCIDR", {Ip("::1")}, NoOverload("isCIDR")},

    {"ContainsIp", "containsIP", {Cidr("192.168.0.0/24"), Ip("192.168.0.1")}, "true"},
    {"ContainsIpNot", "containsIP", {Cidr("192.168.0.0/24"), Ip("192.168.1.1")}, "false"},
    {"ContainsIpHostBits", "containsIP", {Cidr("192.168.0.9/24"), Ip("192.168.0.1")}, "true"},
    {"ContainsIpOddPrefix", "containsIP", {Cidr("10.128.0.0/9"), Ip("10.127.0.1")}, "false"},
    {"ContainsIpText", "containsIP", {Cidr("2001:db8::/32"), S("2001:db8:1::")}, "true"},
    {"ContainsIpBadText",
     "containsIP",
     {Cidr("::/0"), S("x")},
     "cannot be converted: not an IP address"},
    {"ContainsIpOtherFamily", "containsIP", {Cidr("0.0.0.0/0"), Ip("::")}, "false"},
    {"ContainsIpSingle", "containsIP", {Cidr("10.0.0.1/32"), Ip("10.0.0.1")}, "true"},
    {"ContainsIpSingle6", "containsIP", {Cidr("::1/128"), Ip("::1")}, "true"},
    {"ContainsIpCidr", "containsIP", {Cidr("::/0"), Cidr("::/0")}, NoOverload("containsIP")},
    {"ContainsIpInIp", "containsIP", {Ip("::"), Ip("::")}, NoOverload("containsIP")},
    {"ContainsCidr", "containsCIDR", {Cidr("192.168.0.0/24"), Cidr("192.168.0.0/25")}, "true"},
    {"ContainsCidrSame", "containsCIDR", {Cidr("10.0.0.0/8"), Cidr("10.0.0.0/8")}, "true"},
    {"ContainsCidrWider",
     "containsCIDR",
     {Cidr("192.168.0.0/24"), Cidr("192.168.0.0/23")},
     "false"},
    {"ContainsCidrOther", "containsCIDR", {Cidr("10.0.0.0/8"), Cidr("11.0.0.0/9")}, "false"},
    {"ContainsCidrFamily", "containsCIDR", {Cidr("0.0.0.0/0"), Cidr("::/0")}, "false"},
    {"ContainsCidrText", "containsCIDR", {Cidr("::/0"), S("2001:db8::/33")}, "true"},
    {"ContainsCidrBadText",
     "containsCIDR",
     {Cidr("::/0"), S("::")},
     "cannot be converted: not a network as in 192.0.2.0/24"},
    {"ContainsCidrIp", "containsCIDR", {Cidr("::/0"), Ip("::")}, NoOverload("containsCIDR")},
    {"ContainsCidrInString", "containsCIDR", {S("::/0"), S("::/0")}, NoOverload("containsCIDR")},
    {"Masked", "masked", {Cidr("192.168.3.1/23")}, R"(cidr("192.168.2.0/23"))"},
    {"MaskedAll", "masked", {Cidr("2001:db8::1/0")}, R"(cidr("::/0"))"},
    {"MaskedNone", "masked", {Cidr("2001:db8::1/128")}, R"(cidr("2001:db8::1/128"))"},
    {"MaskedIp", "masked", {Ip("::1")}, NoOverload("masked")},
    {"PrefixLength", "prefixLength", {Cidr("2001:db8::/32")}, "32"},
    {"PrefixLengthIp", "prefixLength", {Ip("::1")}, NoOverload("prefixLength")},
};
INSTANTIATE_TEST_SUITE_P(Networks, FunctionTest, testing::ValuesIn(kNetworks), NameOf);

TEST(NetworkTest, AddressesAsText) {
  Context context;
  context.Reset(kCost, kMemory);
  EXPECT_EQ(ToString(IpToString(Ip("2001:DB8::1"), context)), R"("2001:db8::1")");
  EXPECT_EQ(ToString(IpToString(Cidr("10.1.2.3/8"), context)), R"("10.1.2.3/8")");
  context.Reset(0, kMemory);
  EXPECT_EQ(ToString(IpToString(Ip("::1"), context)), "the cost limit is reached");
}

TEST(RegexTest, ConstantExpressions) {
  Context context;
  context.Reset(kCost, kMemory);
  const Regex regex("^a+$");
  ASSERT_EQ(regex.error(), "");
  EXPECT_EQ(ToString(Matches(regex, S("aaa"), context)), "true");
  EXPECT_EQ(ToString(Matches(regex, S("aab"), context)), "false");
  EXPECT_EQ(ToString(Matches(regex, I(1), context)), NoOverload("matches"));
  context.Reset(regex.search_cost(3) - 1, kMemory);
  EXPECT_EQ(ToString(Matches(regex, S("aaa"), context)), "the cost limit is reached");
}

TEST(RegexTest, SizeLimit) {
  EXPECT_EQ(Regex(std::string(kMaxRegexBytes, 'a')).error(), "");
  EXPECT_EQ(Regex(std::string(kMaxRegexBytes + 1, 'a')).error(), "longer than 8192 bytes");
  const Regex large("(\\pL{100}){10}");
  EXPECT_EQ(large.error(), "pattern too large - compile failed");
  EXPECT_GT(large.compile_cost(), 100000U);
}

// More than this thread keeps, twice over: those that were dropped are compiled again.
TEST(RegexTest, ManyExpressions) {
  Context context;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i) {
      context.Reset(kCost, kMemory);
      const std::string text = "x" + std::to_string(i);
      const std::string expression = "^" + text + "$";
      EXPECT_EQ(Call("matches", {S(text), S(expression)}, context), "true");
      EXPECT_EQ(Call("matches", {S("y"), S(expression)}, context), "false");
    }
  }
}

struct HugeCase {
  const char* name;
  const char* function;
  Arguments arguments;
};

std::ostream& operator<<(std::ostream& os, const HugeCase& c) { return os << c.name; }

Cell Numbers(size_t count) {
  std::vector<Cell> elements;
  for (size_t i = 0; i < count; ++i) elements.push_back(I(static_cast<int64_t>(count - i)));
  return Kept(elements);
}

Cell ListsOf(size_t count) {
  std::vector<Cell> elements;
  for (size_t i = 0; i < count; ++i) elements.push_back(L({I(static_cast<int64_t>(i))}));
  return Kept(elements);
}

// A list of two lists of two lists...
Cell Doubled(int depth) {
  Cell list = L({});
  for (int i = 1; i < depth; ++i) list = L({list, list});
  return list;
}

const HugeCase kHuge[] = {
    {"Range", "lists.range", {I(kMax)}},
    {"ReplaceEmpty", "replace", {S(Repeated("a", 100000)), S(""), S(Repeated("b", 100000))}},
    {"ReplaceAll", "replace", {S(Repeated("a", 100000)), S("a"), S(Repeated("b", 100000))}},
    {"RegexReplace", "regex.replace", {S(Repeated("a", 100000)), S("a"), S(Repeated("b", 100000))}},
    {"RegexReplaceGroups",
     "regex.replace",
     {S(Repeated("a", 10000)), S(".*"), S(Repeated("\\0", 10000))}},
    {"RegexReplaceQuadratic", "regex.replace", {S(Repeated("a", 60000)), S("a.*b|a"), S("")}},
    {"RegexExtractAll", "regex.extractAll", {S(Repeated("a", 60000)), S("a.*b|a")}},
    {"Matches", "matches", {S(Repeated("a", 1000000)), S("(a|aa)*b")}},
    {"Contains", "contains", {S(Repeated("a", 10000000)), S("b")}},
    {"LastIndexOf", "lastIndexOf", {S(Repeated("a", 1000000)), S("b")}},
    {"LastIndexOfLong", "lastIndexOf", {S(Repeated("a", 200000)), S(Repeated("ba", 50000))}},
    {"Join", "join", {Kept(std::vector<Cell>(2000, S("a"))), S(Repeated("b", 100000))}},
    {"Flatten", "flatten", {Doubled(60), I(100)}},
    {"Format", "format", {S("%s"), L({Doubled(60)})}},
    {"FormatHex", "format", {S("%x"), L({S(Repeated("a", 4000000))})}},
    {"FormatPrecision", "format", {S(Repeated("%.1000f", 10000)), Numbers(10000)}},
    {"Distinct", "distinct", {ListsOf(5000)}},
    {"DistinctNumbers", "distinct", {Numbers(500000)}},
    {"Sort", "sort", {Numbers(100000)}},
    {"Slice", "slice", {Numbers(1000000), I(0), I(1000000)}},
    {"SetsContains", "sets.contains", {ListsOf(5000), ListsOf(5000)}},
    {"SetsContainsNumbers", "sets.contains", {Numbers(500000), Numbers(500000)}},
    {"SetsIntersects", "sets.intersects", {ListsOf(5000), Kept(std::vector<Cell>(5000, L({})))}},
    {"Greatest", "math.greatest", {Numbers(600000)}},
    {"Encode", "base64.encode", {B(Repeated("a", 5000000))}},
    {"Decode", "base64.decode", {S(Repeated("a", 5000000))}},
    {"Quote", "strings.quote", {S(Repeated("\n", 2000000))}},
    {"Reverse", "reverse", {S(Repeated("é", 5000000))}},
};

class HugeTest : public testing::TestWithParam<HugeCase> {};

TEST_P(HugeTest, MeetsALimit) {
  Context context;
  context.Reset(kHugeCost, kMemory);
  const std::string got = Call(GetParam().function, GetParam().arguments, context);
  EXPECT_TRUE(got == "the cost limit is reached" || got == "the memory limit is reached")
      << got.substr(0, 200);
  EXPECT_TRUE(context.exhausted());
}

INSTANTIATE_TEST_SUITE_P(All, HugeTest, testing::ValuesIn(kHuge),
                         [](const testing::TestParamInfo<HugeCase>& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace reeve::cel
