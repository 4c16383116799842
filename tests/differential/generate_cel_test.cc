#include "reeve/tests/differential/generate_cel.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/cel/parser.h"
#include "reeve/tests/reference/cel/functions.h"

namespace reeve::differential {
namespace {

using reference::Evaluate;
using reference::Outcome;
using reference::RefMap;
using reference::RefValue;
using reference::Scope;

constexpr uint64_t kSeeds = 20000;

std::optional<cel::Ast> Parse(const std::string& expression) {
  cel::ParseOptions options;
  options.expand_macros = false;
  std::vector<cel::Defect> defects;
  return cel::Parse(expression, options, &defects);
}

Scope MakeScope(Choices& choices) {
  Scope scope;
  scope.variables = MakeBindings(choices);
  scope.is_in = [](const RefValue&, const std::string& name) -> Outcome {
    if (name == "none") return {std::nullopt, true, false, "not a name"};
    return {RefValue{name == "group:staff" || name == "user:ann"}, false, false, {}};
  };
  return scope;
}

// What is worth comparing: most mean something, and both answers are common.
TEST(MakeExpressionTest, MakesExpressionsThatMeanSomething) {
  std::map<std::string, uint64_t> outcomes;
  std::string all;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RandomChoices choices(seed);
    const std::string expression = MakeExpression(choices, CelSize{});
    const std::optional<cel::Ast> ast = Parse(expression);
    ASSERT_TRUE(ast.has_value()) << "seed " << seed << ": " << expression;
    const Outcome outcome = Evaluate(*ast, MakeScope(choices));
    const auto* truth = outcome.is_error ? nullptr : outcome.value->As<bool>();
    ++outcomes[outcome.limit      ? "limit"
               : outcome.is_error ? "error"
               : truth == nullptr ? "other"
               : *truth           ? "true"
                                  : "false"];
    all += expression + "\n";
  }
  std::string counts;
  for (const auto& [outcome, count] : outcomes)
    counts += outcome + " " + std::to_string(count) + "\n";
  EXPECT_LT(outcomes["error"], kSeeds / 2) << counts;
  EXPECT_LT(outcomes["limit"], kSeeds / 100) << counts;
  EXPECT_GT(outcomes["true"], kSeeds / 10) << counts;
  EXPECT_GT(outcomes["false"], kSeeds / 10) << counts;
  EXPECT_GT(outcomes["other"], kSeeds / 20) << counts;
  for (const std::string& name : reference::FunctionNames()) {
    EXPECT_NE(all.find(name + "("), std::string::npos) << name;
  }
  for (const char* macro : {"has(",
                            ".all(",
                            ".exists(",
                            ".exists_one(",
                            ".existsOne(",
                            ".map(",
                            ".filter(",
                            ".transformList(",
                            ".transformMap(",
                            ".transformMapEntry(",
                            ".sortBy(",
                            "cel.bind(",
                            ".optMap(",
                            ".optFlatMap(",
                            ".or(",
                            ".orValue(",
                            ".isIn(",
                            ".?",
                            "[?",
                            "{?",
                            " in ",
                            " ? "}) {
    EXPECT_NE(all.find(macro), std::string::npos) << macro;
  }
}

TEST(MakeExpressionTest, IsTheSameForTheSameSeed) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    RandomChoices a(seed);
    RandomChoices b(seed);
    EXPECT_EQ(MakeExpression(a, CelSize{}), MakeExpression(b, CelSize{}));
  }
}

TEST(MakeExpressionTest, SaysNothingOfEntitiesIfThereAreNone) {
  CelSize size;
  size.entities = false;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    RandomChoices choices(seed);
    EXPECT_EQ(MakeExpression(choices, size).find("isIn("), std::string::npos) << seed;
  }
}

// Bytes that end give zeros for ever.
TEST(MakeExpressionTest, EndsWhenChoicesDo) {
  for (size_t length = 0; length < 64; ++length) {
    const std::string bytes(length, '\x5A');
    BytesChoices choices(bytes);
    const std::string expression = MakeExpression(choices, CelSize{12, 200, true});
    EXPECT_TRUE(Parse(expression).has_value()) << expression;
  }
}

TEST(MakeExpressionTest, KeepsToItsSize) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    RandomChoices choices(seed);
    const std::string expression = MakeExpression(choices, CelSize{12, 400, true});
    EXPECT_TRUE(Parse(expression).has_value()) << expression;
    EXPECT_LT(expression.size(), 40000u) << seed;
  }
}

TEST(MakeBindingsTest, BindsAllVariables) {
  RandomChoices choices(1);
  const std::map<std::string, RefValue> bindings = MakeBindings(choices);
  std::set<std::string> names;
  for (const CelVariable& variable : CelVariables()) names.insert(variable.name);
  EXPECT_EQ(bindings.size(), names.size());
  for (const auto& [name, value] : bindings) EXPECT_EQ(names.count(name), 1u) << name;
  EXPECT_EQ(bindings.at("principal").As<RefMap>()->entity, "user:ann");
}

}  // namespace
}  // namespace reeve::differential
