// Compares the compiled conditions with the reference: the table of what expressions are worth,
// then random expressions. REEVE_SEED=n begins the random ones elsewhere, REEVE_ROUNDS=n makes more
// of them.
#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reeve/tests/differential/compare_cel.h"
#include "reeve/tests/differential/environment.h"
#include "reeve/tests/differential/generate_cel.h"
#include "reeve/tests/reference/cel/cases.h"

namespace reeve::reference {

void PrintTo(const CelCase& c, std::ostream* os) { *os << c.name; }

}  // namespace reeve::reference

namespace reeve::differential {
namespace {

using reference::CelCase;

// Errors that are found when an expression is compiled.
const std::set<std::string>& Refused() {
  static const auto* const kRefused = new std::set<std::string>{
      "UnknownName",       "UnknownNameOfField", "UnknownFunction",     "UnknownMember",
      "RootIsNotLocal",    "ZoneUnknown",        "ZoneOfFile",          "ZoneOfParent",
      "ZoneOfThisMachine", "ZoneMalformed",      "ZoneMinutes",         "IntOfTwo",
      "BlockIndexUnknown", "MatchesBadPattern",  "MatchesBackReference"};
  return *kRefused;
}

class CelCaseTest : public testing::TestWithParam<CelCase> {};

TEST_P(CelCaseTest, IsWorth) {
  const CelCase& c = GetParam();
  const std::string got = EngineValueOf(c.expression, {});
  if (Refused().count(c.name) > 0) {
    EXPECT_EQ(std::string(c.want), "error");
    EXPECT_EQ(got.substr(0, 9), "refused: ") << c.expression;
  } else {
    EXPECT_EQ(got, c.want) << c.expression;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CelCaseTest, testing::ValuesIn(reference::kCelCases),
                         [](const auto& info) { return std::string(info.param.name); });

// Of a list that is known in part.
struct PartialCase {
  const char* name;
  std::vector<int64_t> numbers;
  const char* expression;
  const char* want;
};
void PrintTo(const PartialCase& c, std::ostream* os) { *os << c.name; }

class PartialTest : public testing::TestWithParam<PartialCase> {};

TEST_P(PartialTest, IsWorth) {
  const PartialCase& c = GetParam();
  reference::RefList numbers;
  numbers.partial = true;
  for (const int64_t number : c.numbers) numbers.elements.push_back({number});
  EXPECT_EQ(EngineValueOf(c.expression, {{"numbers", {numbers}}}), c.want) << c.expression;
}

const PartialCase kPartial[] = {
    {"Exists", {1, 2}, "numbers.exists(x, x == 2)", "true"},
    {"ExistsPerhaps", {1, 2}, "numbers.exists(x, x == 3)", "error"},
    {"ExistsAtAll", {}, "numbers.exists(x, true)", "error"},
    {"ExistsAtAllOfOne", {1}, "numbers.exists(x, true)", "true"},
    {"ExistsNever", {1}, "numbers.exists(x, false)", "error"},
    {"ExistsIndex", {1}, "numbers.exists(i, x, i == 1)", "error"},
    {"All", {1, 2}, "numbers.all(x, x == 1)", "false"},
    {"AllPerhaps", {1, 2}, "numbers.all(x, x > 0)", "error"},
    {"AllNever", {}, "numbers.all(x, false)", "error"},
    {"AllIndex", {1}, "numbers.all(i, x, i == 0)", "error"},
    {"ExistsOneAtAll", {}, "numbers.exists_one(x, true)", "error"},
    {"MapToOne", {1}, "numbers.map(x, 1)", "error"},
    {"FilterNone", {1}, "numbers.filter(x, false)", "error"},
    {"TransformIndex", {1}, "numbers.transformList(i, x, i)", "error"},
    {"TransformMapIndex", {1}, "numbers.transformMap(i, x, i)", "error"},
    {"Nested", {1}, "[1].exists(y, numbers.exists(x, x == 1))", "true"},
    {"NestedPerhaps", {1}, "[1].all(y, numbers.all(x, x == y))", "error"},
    {"Absorbed", {1}, "numbers.exists(x, true || x == 2) && numbers.exists(x, false)", "error"},
    {"In", {1}, "1 in numbers", "true"},
    {"InPerhaps", {1}, "2 in numbers", "error"},
    {"Size", {1}, "numbers.size() == 1", "error"},
    {"Index", {1}, "numbers[0]", "1"},
};

INSTANTIATE_TEST_SUITE_P(Lists, PartialTest, testing::ValuesIn(kPartial),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RandomTest, EngineAndReferenceAgree) {
  struct Kind {
    CelSize size;
    uint32_t rounds;
    uint32_t expressions;  // Of one set of variables.
  };
  const Kind kinds[] = {
      {{2, 10, true}, 2000, 4}, {{4, 40, true}, 2000, 4}, {{6, 120, true}, 200, 2}};
  const uint64_t seed = FromEnvironment("REEVE_SEED", 1);
  const uint64_t rounds = FromEnvironment("REEVE_ROUNDS", 1);
  CelTally tally;
  uint64_t number = seed << 32;
  for (uint64_t round = 0; round < rounds; ++round) {
    for (const Kind& kind : kinds) {
      for (uint32_t r = 0; r < kind.rounds; ++r) {
        RandomChoices choices(++number);
        CelComparison comparison(choices);
        std::vector<std::string> expressions;
        for (uint32_t i = 0; i < kind.expressions; ++i) {
          expressions.push_back(MakeExpression(choices, kind.size));
        }
        ASSERT_TRUE(comparison.Agree(expressions, &tally))
            << "REEVE_SEED=" << seed << ", number " << number << "\n"
            << comparison.failure();
      }
    }
  }
  std::printf("REEVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  for (const auto& [what, count] :
       {std::pair("expressions", tally.expressions), std::pair("ill-typed", tally.ill_typed),
        std::pair("refused", tally.refused), std::pair("limits", tally.limits),
        std::pair("errors", tally.errors), std::pair("true", tally.true_values),
        std::pair("false", tally.false_values), std::pair("others", tally.others),
        std::pair("kept", tally.kept)}) {
    std::printf("%-12s%12llu\n", what, static_cast<unsigned long long>(count));
  }
  // So that a test that compares nothing of worth fails.
  EXPECT_LT(tally.ill_typed, tally.expressions / 4);
  EXPECT_LT(tally.refused, tally.expressions / 20);
  EXPECT_LT(tally.limits, tally.expressions / 50);
  EXPECT_LT(tally.errors, tally.expressions / 2);
  EXPECT_GT(tally.true_values, tally.expressions / 10);
  EXPECT_GT(tally.false_values, tally.expressions / 10);
  EXPECT_GT(tally.others, tally.expressions / 20);
  EXPECT_GT(tally.kept, tally.expressions / 20);
}

}  // namespace
}  // namespace reeve::differential
