#include "reeve/tests/reference/cel/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "policy/cel/parser.h"
#include "reeve/tests/reference/cel/cases.h"
#include "reeve/tests/reference/cel/functions.h"

namespace reeve::reference {

void PrintTo(const CelCase& c, std::ostream* os) { *os << c.name; }

namespace {

Outcome EvaluateText(const std::string& expression, const Scope& scope) {
  cel::ParseOptions options;
  options.expand_macros = false;
  std::vector<cel::Defect> defects;
  const std::optional<cel::Ast> ast = cel::Parse(expression, options, &defects);
  if (!ast.has_value()) {
    ADD_FAILURE() << expression << ": " << (defects.empty() ? "" : defects[0].message);
    return {std::nullopt, true, false, "it does not parse"};
  }
  return Evaluate(*ast, scope);
}

RefValue Text(const std::string& text) { return {text}; }
RefValue Int(int64_t number) { return {number}; }
RefValue List(std::vector<RefValue> elements, bool partial = false) {
  return {RefList{std::move(elements), partial}};
}
RefValue Map(std::vector<RefEntry> entries) { return {RefMap{std::move(entries), {}}}; }

class CelCaseTest : public testing::TestWithParam<CelCase> {};

TEST_P(CelCaseTest, IsWorth) {
  const CelCase& c = GetParam();
  const Outcome outcome = EvaluateText(c.expression, {});
  EXPECT_EQ(ToString(outcome), c.want) << c.expression << "\n" << outcome.error;
  EXPECT_FALSE(outcome.limit);
}

INSTANTIATE_TEST_SUITE_P(Cases, CelCaseTest, testing::ValuesIn(kCelCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(CelCasesTest, UseEveryFunction) {
  for (const std::string& name : FunctionNames()) {
    bool used = false;
    for (const CelCase& c : kCelCases) {
      used = used || std::string(c.expression).find(name + "(") != std::string::npos;
    }
    EXPECT_TRUE(used) << name;
  }
}

struct ScopeCase {
  const char* name;
  const char* container;
  const char* expression;
  const char* want;
};
void PrintTo(const ScopeCase& c, std::ostream* os) { *os << c.name; }

class ScopeTest : public testing::TestWithParam<ScopeCase> {};

TEST_P(ScopeTest, FindsNames) {
  const ScopeCase& c = GetParam();
  Scope scope;
  scope.container = c.container;
  scope.variables = {{"x", Int(1)},
                     {"a", Map({{Text("b"), Text("field")}, {Text("c"), Text("other")}})},
                     {"a.b", Text("dotted")},
                     {"com.x", Int(2)},
                     {"com.example.x", Int(3)},
                     {"com.example.y.z", Int(4)},
                     {"string", Text("hidden")}};
  EXPECT_EQ(ToString(EvaluateText(c.expression, scope)), c.want);
}

const ScopeCase kScopeCases[] = {
    {"Plain", "", "x", "1"},
    {"DottedBeforeField", "", "a.b", R"("dotted")"},
    {"FieldIfThereIsNoDotted", "", "a.c", R"("other")"},
    {"FieldOfDotted", "", "a.b.c", "error"},
    {"IndexIsNotDotted", "", "a['b']", R"("field")"},
    {"LocalBeforeDotted", "", "[{'b': 'local'}].map(a, a.b)", R"(["local"])"},
    {"RootBesideLocal", "", "[{'b': 'local'}].map(a, .a.b)", R"(["dotted"])"},
    {"InnermostContainer", "com.example", "x", "3"},
    {"OuterContainer", "com.other", "x", "2"},
    {"NoContainer", "org", "x", "1"},
    {"RootInContainer", "com.example", ".x", "1"},
    {"DottedInContainer", "com.example", "y.z", "4"},
    {"LocalBeforeContainer", "com.example", "[{'z': 5}].map(y, y.z)", "[5]"},
    {"HasOfField", "", "has(a.c) && !has(a.d)", "true"},
    {"VariableBeforeType", "", "string", R"("hidden")"},
    {"FunctionBesideVariable", "", "string(1)", R"("1")"},
};

INSTANTIATE_TEST_SUITE_P(Scopes, ScopeTest, testing::ValuesIn(kScopeCases),
                         [](const auto& info) { return std::string(info.param.name); });

struct PartialCase {
  const char* name;
  const char* expression;
  const char* want;
};
void PrintTo(const PartialCase& c, std::ostream* os) { *os << c.name; }

class PartialTest : public testing::TestWithParam<PartialCase> {};

// Of `groups` only "a" and "b" are known.
TEST_P(PartialTest, IsKnownOrAnError) {
  Scope scope;
  scope.variables = {{"groups", List({Text("a"), Text("b")}, true)}};
  EXPECT_EQ(ToString(EvaluateText(GetParam().expression, scope)), GetParam().want);
}

const PartialCase kPartialCases[] = {
    {"InKnown", "'b' in groups", "true"},
    {"InUnknown", "'c' in groups", "error"},
    {"NotIn", "!('c' in groups)", "error"},
    {"ExistsKnown", "groups.exists(g, g == 'a')", "true"},
    {"ExistsUnknown", "groups.exists(g, g == 'c')", "error"},
    {"AllNot", "groups.all(g, g == 'a')", "false"},
    {"AllSoFar", "groups.all(g, g < 'c')", "error"},
    {"ExistsOne", "groups.exists_one(g, g == 'a')", "error"},
    {"Map", "groups.map(g, g)", "error"},
    {"Filter", "groups.filter(g, g == 'a')", "error"},
    {"TransformMap", "groups.transformMap(i, g, g)", "error"},
    {"SortBy", "groups.sortBy(g, g)", "error"},
    {"Size", "size(groups)", "error"},
    {"Equal", "groups == ['a', 'b']", "error"},
    {"EqualOther", "groups == []", "error"},
    {"Add", "groups + []", "error"},
    {"IndexKnown", "groups[1]", R"("b")"},
    {"IndexUnknown", "groups[2]", "error"},
    {"OptionalIndexUnknown", "groups[?2]", "error"},
    {"Join", "groups.join()", "error"},
    {"Format", "'%s'.format([groups])", "error"},
    {"SetsContains", "sets.contains(groups, ['a'])", "error"},
    {"FlattenOuter", "[groups].flatten()", "error"},
    {"Type", "type(groups)", "type(list)"},
    {"Itself", "groups", R"(["a", "b", ...])"},
};

INSTANTIATE_TEST_SUITE_P(Partial, PartialTest, testing::ValuesIn(kPartialCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(IsInTest, AsksForEachNameUntilOneIsTrue) {
  std::vector<std::string> asked;
  Scope scope;
  scope.variables["principal"] = {RefMap{{{Text("type"), Text("user")}}, "user:ann"}};
  scope.is_in = [&asked](const RefValue& entity, const std::string& name) -> Outcome {
    asked.push_back(entity.As<RefMap>()->entity + " " + name);
    if (name == "group:unknown") return {std::nullopt, true, false, "unknown"};
    return {RefValue{name == "group:staff"}, false, false, {}};
  };
  EXPECT_EQ(ToString(EvaluateText("principal.isIn('group:staff')", scope)), "true");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn('group:x')", scope)), "false");
  EXPECT_EQ(asked, (std::vector<std::string>{"user:ann group:staff", "user:ann group:x"}));
  EXPECT_EQ(ToString(EvaluateText("principal.isIn(['group:x', 'group:staff'])", scope)), "true");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn(['group:unknown', 'group:staff'])", scope)),
            "true");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn(['group:unknown', 'group:x'])", scope)), "error");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn([])", scope)), "false");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn([1])", scope)), "error");
  EXPECT_EQ(ToString(EvaluateText("principal.isIn(1)", scope)), "error");
  EXPECT_EQ(ToString(EvaluateText("principal.type", scope)), R"("user")");
  EXPECT_EQ(ToString(EvaluateText("{'type': 'user'}.isIn('group:staff')", scope)), "error");
}

TEST(LimitTest, EndsWhatWouldTakeForever) {
  for (const char* expression : {
           "lists.range(1000000000000)",
           "lists.range(1000).all(x, lists.range(1000).all(y, x + y >= 0))",
           "false && lists.range(1000000000000) == [] || lists.range(1000000000000) == []",
           "['a'].map(x, [x + x, x + x]).map(x, [x + x, x + x]).map(x, [x + x, x + x])"
           ".map(x, [x, x, x, x, x, x, x, x]).map(x, [x, x, x, x, x, x, x, x])"
           ".map(x, [x, x, x, x, x, x, x, x]).map(x, [x, x, x, x, x, x, x, x])"
           ".map(x, [x, x, x, x, x, x, x, x]).map(x, [x, x, x, x, x, x, x, x])",
           "cel.bind(a, 'aaaaaaaaaaaaaaaa', cel.bind(b, a.replace('', a).replace('', a), "
           "b.replace('', b).replace('', b)))",
       }) {
    const Outcome outcome = EvaluateText(expression, {});
    EXPECT_TRUE(outcome.is_error && outcome.limit) << expression << " " << ToString(outcome);
  }
}

// Whatever would absorb an error.
TEST(LimitTest, IsNotAbsorbed) {
  EXPECT_TRUE(EvaluateText("lists.range(1000000000000) == [] || true", {}).limit);
  EXPECT_TRUE(EvaluateText("[1].exists(x, lists.range(1000000000000) == [])", {}).limit);
  EXPECT_TRUE(EvaluateText("cel.bind(x, lists.range(1000000000000), true)", {}).limit);
}

TEST(DepthTest, IsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_FALSE(EvaluateText(nested(64), {}).is_error);
  EXPECT_TRUE(EvaluateText(nested(65), {}).is_error);
  EXPECT_TRUE(EvaluateText("{'a': " + nested(64) + "}", {}).is_error);
  EXPECT_TRUE(EvaluateText("optional.of(" + nested(64) + ")", {}).is_error);
}

TEST(ToStringTest, TellsTypesApart) {
  const double nan = std::nan("");
  EXPECT_EQ(ToString(List({{RefNull{}},
                           {true},
                           Int(1),
                           {uint64_t{1}},
                           {1.0},
                           {1.5},
                           {1e300},
                           {nan},
                           {HUGE_VAL},
                           {-HUGE_VAL}})),
            "[null, true, 1, 1u, 1.0, 1.5, 1e+300, NaN, inf, -inf]");
  EXPECT_EQ(ToString(Text("a\"\\\n\r\t\x01\x7f\xC3\xA9")),
            "\"a\\\"\\\\\\n\\r\\t\\u0001\\u007f\xC3\xA9\"");
  EXPECT_EQ(ToString(RefValue{RefBytes{"a\"\\\n\xff"}}), R"(b"a\"\\\x0a\xff")");
  EXPECT_EQ(ToString(Map({{Int(2), {true}}, {Int(1), {false}}, {Text("a"), Int(3)}})),
            R"({"a": 3, 1: false, 2: true})");
  EXPECT_EQ(ToString(RefValue{RefTimestamp{-1}}), "timestamp(-1, 999999999)");
  EXPECT_EQ(ToString(RefValue{RefDuration{1500000000}}), "duration(1, 500000000)");
  EXPECT_EQ(ToString(RefValue{RefOptional{{Int(1)}}}), "optional(1)");
  EXPECT_EQ(ToString(List({}, true)), "[...]");
}

}  // namespace
}  // namespace reeve::reference
