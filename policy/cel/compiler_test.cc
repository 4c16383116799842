#include "policy/cel/compiler.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "policy/cel/parser.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/cel/program_testing.h"

namespace reeve::cel {
namespace {

Environment MakeEnvironment() {
  Environment environment;
  const Type facts = Type::Map(Type::Of(TypeKind::kString), Type::Dyn());
  environment.AddVariable("principal", facts);
  environment.AddVariable("resource", facts);
  environment.AddVariable("context", facts);
  environment.AddVariable("action", Type::Of(TypeKind::kString));
  environment.AddVariable("name", Type::Of(TypeKind::kString));  // changes
  return environment;
}

std::string TextOf(const std::vector<Defect>& defects) {
  std::string text;
  for (const Defect& defect : defects) {
    text += std::to_string(defect.place.begin) + "-" + std::to_string(defect.place.end) + ": " +
            defect.message + "\n";
  }
  return text;
}

std::optional<CheckedExpr> CheckText(std::string_view text, const Environment& environment,
                                     std::vector<Defect>* defects) {
  std::optional<Ast> ast = Parse(text, {}, defects);
  if (!ast.has_value()) return std::nullopt;
  return Check(*std::move(ast), environment, {}, defects);
}

// Whether the bytes of a program are one that does the same.
void ExpectSameFromBytes(const Program& program) {
  const std::string bytes = EncodingOf(program);
  const auto decoded = DecodeProgram(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(ToString(**decoded), ToString(program));
  EXPECT_EQ(EncodingOf(**decoded), bytes);
  EXPECT_EQ((*decoded)->shape().stack(), program.shape().stack());
  EXPECT_EQ((*decoded)->shape().locals(), program.shape().locals());
  EXPECT_EQ(RunOnMany(**decoded), RunOnMany(program));
}

struct Case {
  const char* name;
  const char* text;
  const char* program;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class CompilerTest : public testing::TestWithParam<Case> {};

TEST_P(CompilerTest, PrintsTheProgram) {
  std::vector<Defect> defects;
  const std::optional<CheckedExpr> checked =
      CheckText(GetParam().text, MakeEnvironment(), &defects);
  ASSERT_TRUE(checked.has_value()) << TextOf(defects);
  const std::vector<std::string> changing = {"name"};
  CompileOptions options;
  options.changing = &changing;
  const std::shared_ptr<const Program> program = Compile(*checked, options, &defects, nullptr);
  ASSERT_NE(program, nullptr) << TextOf(defects);
  EXPECT_EQ("\n" + ToString(*program), GetParam().program);
  ExpectSameFromBytes(*program);
}

const Case kCases[] = {
    {"Constant", "1 + 2 * 3 == 7", R"(
0 Constant true
1 Return
)"},
    {"ConstantPart", "principal.level > 2 * 3", R"(
0 Compare principal.level Greater 6
1 Return
)"},
    {"ConstantOnTheLeft", "3 <= principal.level", R"(
0 Compare principal.level GreaterOrEqual 3
1 Return
)"},
    {"NoOrderToFlip", "3 + principal.level == 4", R"(
0 Constant 3
1 Path principal.level
2 Add
3 Equal 4
4 Return
)"},
    {"PathByIndex", "resource['a'].b['c'] == 1", R"(
0 Compare resource.a.b.c Equal 1
1 Return
)"},
    {"IndexByValue", "resource.list[0] == resource.map[action]", R"(
0 Path resource.list
1 Index 0
2 Path resource.map
3 Variable action
4 Index
5 Equal
6 Return
)"},
    {"OnePathTwice", "principal.a == 1 || principal.a == 2", R"(
0 Compare principal.a Equal 1
1 JumpIfTrue -> 4
2 Compare principal.a Equal 2
3 Or
4 Return
)"},
    {"And", "principal.a && principal.b && principal.c", R"(
0 Path principal.a
1 JumpIfFalse -> 7
2 Path principal.b
3 And
4 JumpIfFalse -> 7
5 Path principal.c
6 And
7 Return
)"},
    {"AndWithTrue", "true && principal.a", R"(
0 Path principal.a
1 JumpIfNotBool -> 2
2 Return
)"},
    {"AndWithFalse", "principal.a && 1 == 2 && principal.b", R"(
0 Constant false
1 Return
)"},
    {"OrWithTrue", "principal.a || 1 == 1", R"(
0 Constant true
1 Return
)"},
    {"Conditional", "principal.a ? principal.b : principal.c", R"(
0 Path principal.a
1 JumpIfNotBool -> 6
2 PopJumpIfFalse -> 5
3 Path principal.b
4 Jump -> 6
5 Path principal.c
6 Return
)"},
    {"ConditionalOfConstant", "(1 < 2 ? principal.b : principal.c) == 1", R"(
0 Path principal.b
1 Equal 1
2 Return
)"},
    {"Has", "has(resource.owner.name)", R"(
0 Path resource.owner
1 Has "name"
2 Return
)"},
    {"HasOfVariable", "has(resource.owner)", R"(
0 HasPath resource.owner
1 Return
)"},
    {"TwoPaths", "resource.owner == principal.id", R"(
0 ComparePaths resource.owner Equal principal.id
1 Return
)"},
    {"ShortList", "principal.site in ['a', 'b']", R"(
0 PathInSet principal.site of 2
1 Return
)"},
    {"LongList", "principal.site in ['a', 'b', 'c', 'd', 'a']", R"(
0 PathInSet principal.site of 4
1 Return
)"},
    {"EmptyList", "principal.site in []", R"(
0 PathInSet principal.site of 0
1 Return
)"},
    {"InPath", "!('staff' in principal.groups)", R"(
0 InPath "staff" principal.groups
1 Not
2 Return
)"},
    {"FactInPath", "principal.id in resource.readers", R"(
0 Path principal.id
1 Path resource.readers
2 In
3 Return
)"},
    {"EndsWith", "resource.id.endsWith('.txt')", R"(
0 Compare resource.id EndsWith ".txt"
1 Return
)"},
    {"StartsWithFact", "resource.id.startsWith(principal.home)", R"(
0 ComparePaths resource.id StartsWith principal.home
1 Return
)"},
    {"StartOfConstant", "'/a/b'.startsWith(resource.id)", R"(
0 Constant "/a/b"
1 Path resource.id
2 StartsWith
3 Return
)"},
    {"ConstantOperands", "principal.a * 2 + 1 < 10 && 10 - principal.a < 3", R"(
0 Path principal.a
1 Multiply 2
2 Add 1
3 Less 10
4 JumpIfFalse -> 10
5 Constant 10
6 Path principal.a
7 Subtract
8 Less 3
9 And
10 Return
)"},
    {"ListOfLists", "principal.site in [['a'], ['b'], ['c'], ['d']]", R"(
0 Path principal.site
1 In [["a"], ["b"], ["c"], ["d"]]
2 Return
)"},
    {"NumbersThatAreEqual", "principal.n in [1, 1u, 1.0, 2, double('nan')]", R"(
0 PathInSet principal.n of 2
1 Return
)"},
    {"Call", "principal.id.startsWith('a') && size(name) > 1", R"(
0 Compare principal.id StartsWith "a"
1 JumpIfFalse -> 6
2 Variable name
3 Call size/1
4 Greater 1
5 And
6 Return
)"},
    {"Matches", "name.matches('^a+$')", R"(
0 Variable name
1 Matches ^a+$
2 Return
)"},
    {"MatchesOfFact", "name.matches(resource.pattern)", R"(
0 Variable name
1 Path resource.pattern
2 Call matches/2
3 Return
)"},
    {"Zone", "context.time.getHours('Europe/Berlin') >= 8", R"(
0 Path context.time
1 LocalTime Europe/Berlin
2 Call getHours/1
3 GreaterOrEqual 8
4 Return
)"},
    {"ZoneOfFact", "context.time.getHours(principal.zone) >= 8", R"(
0 Path context.time
1 Path principal.zone
2 Call getHours/2
3 GreaterOrEqual 8
4 Return
)"},
    {"SetsInEachOther", "(principal.n in [1, 2, 3, 4]) in [true, 1, 2, 3, 4]", R"(
0 PathInSet principal.n of 4
1 InSet of 5
2 Return
)"},
    {"SharedCall", "ip(action)", R"(
0 Shared 0 :ip(action) -> 4
1 Variable action
2 Call ip/1
3 Keep 0
4 Return
)"},
    {"IsIn", "principal.isIn('group:staff')", R"(
0 IsIn principal "group:staff"
1 Return
)"},
    {"IsInOneOf", "!principal.isIn(['group:staff', 'group:ops'])", R"(
0 IsIn principal ["group:staff", "group:ops"]
1 Not
2 Return
)"},
    {"IsInPath", "principal.isIn(resource.team) || resource.isIn(principal.box.name)", R"(
0 IsInPath principal resource.team
1 JumpIfTrue -> 4
2 IsInPath resource principal.box.name
3 Or
4 Return
)"},
    {"IsInOfNoVariable", "cel.bind(p, principal, p.isIn('group:staff'))", R"(
0 Variable principal
1 Store 0
2 Local 0
3 Constant "group:staff"
4 Call isIn/2
5 Return
)"},
    {"NotSharedIfItChanges", "principal.isIn('group:' + name)", R"(
0 Variable principal
1 Constant "group:"
2 Variable name
3 Add
4 Call isIn/2
5 Return
)"},
    {"Exists", "resource.tags.exists(t, t == name)", R"(
0 Path resource.tags
1 Loop 0 -> 16
2 Constant false
3 Store 0
4 Next 0 -> 15
5 Local 0
6 PopJumpIfTrue -> 15
7 Local 0
8 JumpIfTrue -> 13
9 Local 1
10 Variable name
11 Equal
12 Or
13 Store 0
14 Jump -> 4
15 Local 0
16 Return
)"},
    {"All", "resource.tags.all(t, t != name)", R"(
0 Path resource.tags
1 Loop 0 -> 16
2 Constant true
3 Store 0
4 Next 0 -> 15
5 Local 0
6 PopJumpIfFalse -> 15
7 Local 0
8 JumpIfFalse -> 13
9 Local 1
10 Variable name
11 NotEqual
12 And
13 Store 0
14 Jump -> 4
15 Local 0
16 Return
)"},
    {"Map", "resource.tags.map(t, name + t) == []", R"(
0 Path resource.tags
1 Loop 0 -> 13
2 Constant []
3 Store 0
4 Next 0 -> 12
5 Local 0
6 Variable name
7 Local 1
8 Add
9 Append
10 Store 0
11 Jump -> 4
12 Local 0
13 Equal []
14 Return
)"},
    {"TwoVariables", "resource.map.transformMap(k, v, v + name) == {}", R"(
0 Path resource.map
1 Loop 0 -> 14
2 Constant {}
3 Store 0
4 Next 0 -> 13
5 Local 0
6 Local 1
7 Local 2
8 Variable name
9 Add
10 Put 0
11 Store 0
12 Jump -> 4
13 Local 0
14 Equal {}
15 Return
)"},
    {"Bind", "cel.bind(x, name + '!', x + x) == action", R"(
0 Variable name
1 Add "!"
2 Store 0
3 Local 0
4 Local 0
5 Add
6 Variable action
7 Equal
8 Return
)"},
    {"Optional", "resource.?owner.orValue(name) == action", R"(
0 Variable resource
1 OptionalSelect "owner"
2 JumpIfPresent value -> 4
3 Variable name
4 Variable action
5 Equal
6 Return
)"},
    {"OptionalElements", "[?resource.?a, name] == [name]", R"(
0 Variable resource
1 OptionalSelect "a"
2 Variable name
3 List 2 ? -
4 Variable name
5 List 1
6 Equal
7 Return
)"},
    {"OptionalEntries", "{?'a': resource.?a, 'b': name} == {}", R"(
0 Constant "a"
1 Variable resource
2 OptionalSelect "a"
3 Constant "b"
4 Variable name
5 Map 2 ? -
6 Equal {}
7 Return
)"},
    {"Type", "type(resource.a) == int", R"(
0 Path resource.a
1 Call type/1
2 Equal int
3 Return
)"},
    {"ErrorStaysForTheDecision", "principal.a == 1 / 0", R"(
0 Path principal.a
1 Constant 1
2 Divide 0
3 Equal
4 Return
)"},
};

INSTANTIATE_TEST_SUITE_P(All, CompilerTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Each byte of the bytes of each program, changed in each way: they are refused, or are the one
// encoding of a program that can be run.
TEST(CompilerTest, MakesBytesThatMayBeChanged) {
  size_t accepted = 0;
  for (const Case& c : kCases) {
    std::vector<Defect> defects;
    const std::optional<CheckedExpr> checked = CheckText(c.text, MakeEnvironment(), &defects);
    ASSERT_TRUE(checked.has_value()) << TextOf(defects);
    const auto program = Compile(*checked, CompileOptions(), &defects, nullptr);
    ASSERT_NE(program, nullptr) << TextOf(defects);
    const std::string bytes = EncodingOf(*program);
    std::string changed = bytes;
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (int change = 1; change < 256; ++change) {
        changed[at] = static_cast<char>(bytes[at] ^ change);
        const auto decoded = DecodeProgram(changed);
        if (!decoded.ok()) continue;
        ++accepted;
        ASSERT_EQ(EncodingOf(**decoded), changed) << c.name << ", byte " << at;
        RunOnMany(**decoded);
      }
      changed[at] = bytes[at];
    }
  }
  EXPECT_GT(accepted, 1000u);
}

struct BadCase {
  const char* name;
  const char* text;
  const char* errors;
  const char* warnings = "";
};

std::ostream& operator<<(std::ostream& os, const BadCase& c) { return os << c.name; }

class CompilerBadTest : public testing::TestWithParam<BadCase> {};

TEST_P(CompilerBadTest, SaysWhatIsWrong) {
  std::vector<Defect> errors;
  std::vector<Defect> warnings;
  const std::optional<CheckedExpr> checked = CheckText(GetParam().text, MakeEnvironment(), &errors);
  ASSERT_TRUE(checked.has_value()) << TextOf(errors);
  const auto program = Compile(*checked, CompileOptions(), &errors, &warnings);
  EXPECT_EQ(program == nullptr, GetParam().errors[0] != '\0');
  EXPECT_EQ(TextOf(errors), GetParam().errors);
  EXPECT_EQ(TextOf(warnings), GetParam().warnings);
}

const BadCase kBadCases[] = {
    {"Regex", "name.matches('a(')", "13-17: this is no regular expression: missing ): a(\n"},
    {"FoldedRegex", "name.matches('a' + '(')",
     "17-18: this is no regular expression: missing ): a(\n"},
    {"Zone", "context.time.getDate('Mars/Olympus') == 1",
     "21-35: `Mars/Olympus` is no time zone; write a name such as `Europe/Berlin`, an offset such "
     "as `+01:00`, or `UTC`\n"},
    {"Entity", "principal.isIn('staff')",
     "15-22: `staff` names no entity; write `type:id`, such as `group:staff`\n"},
    {"Entities", "principal.isIn(['group:a', 'b'])",
     "15-16: `b` names no entity; write `type:id`, such as `group:b`\n"},
    {"NeverAValue", "resource.d > duration('1x')", "",
     "13-21: this never has a value: cannot be converted: 1x; write hours, minutes and seconds, "
     "such as `720h` or `1h30m`\n"},
    {"NeverATime", "resource.t > timestamp('yesterday')", "",
     "13-22: this never has a value: cannot be converted: yesterday; write a time such as "
     "`2026-01-01T00:00:00Z`\n"},
    {"DivisionIsNoMistake", "resource.n > 1 / 0", ""},
};

INSTANTIATE_TEST_SUITE_P(All, CompilerBadTest, testing::ValuesIn(kBadCases),
                         [](const auto& info) { return info.param.name; });

// --- Named expressions ---

struct NamedCase {
  const char* name;
  std::vector<std::pair<const char*, const char*>> named;
  const char* text;
  const char* program;
};

std::ostream& operator<<(std::ostream& os, const NamedCase& c) { return os << c.name; }

class CompilerNamedTest : public testing::TestWithParam<NamedCase> {};

TEST_P(CompilerNamedTest, PutsThemInTheirPlace) {
  Environment environment = MakeEnvironment();
  NamedExprs named;
  std::vector<Defect> defects;
  for (const auto& [name, text] : GetParam().named) {
    std::optional<CheckedExpr> checked = CheckText(text, environment, &defects);
    ASSERT_TRUE(checked.has_value()) << TextOf(defects);
    environment.AddVariable(name, checked->type());
    named.emplace(name, *std::move(checked));
  }
  const std::optional<CheckedExpr> checked = CheckText(GetParam().text, environment, &defects);
  ASSERT_TRUE(checked.has_value()) << TextOf(defects);
  CompileOptions options;
  options.named = &named;
  options.scope = "p";
  const auto program = Compile(*checked, options, &defects, nullptr);
  ASSERT_NE(program, nullptr) << TextOf(defects);
  EXPECT_EQ("\n" + ToString(*program), GetParam().program);
  ExpectSameFromBytes(*program);
}

const NamedCase kNamedCases[] = {
    {"One", {{"high", "principal.level > 5"}}, "high && name == 'x'", R"(
0 Shared 0 p:high -> 3
1 Compare principal.level Greater 5
2 Keep 0
3 JumpIfFalse -> 7
4 Variable name
5 Equal "x"
6 And
7 Return
)"},
    {"Constant", {{"limit", "2 * 3"}}, "principal.level > limit", R"(
0 Compare principal.level Greater 6
1 Return
)"},
    {"OfAnother", {{"a", "principal.level"}, {"b", "a + 1"}}, "b == 2", R"(
0 Shared 0 p:b -> 6
1 Shared 1 p:a -> 4
2 Path principal.level
3 Keep 1
4 Add 1
5 Keep 0
6 Equal 2
7 Return
)"},
    // The name of a loop is not what the named expression means by it.
    {"NotTheLoopsName", {{"a", "action"}}, "[name].map(action, a + action) == []", R"(
0 Shared 0 p:@fold([name], action, @result, [], true, @append(@result, _+_(a, action)), @result) -> 18
1 Variable name
2 List 1
3 Loop 0 -> 17
4 Constant []
5 Store 0
6 Next 0 -> 16
7 Local 0
8 Shared 1 p:a -> 11
9 Variable action
10 Keep 1
11 Local 1
12 Add
13 Append
14 Store 0
15 Jump -> 6
16 Local 0
17 Keep 0
18 Equal []
19 Return
)"},
};

INSTANTIATE_TEST_SUITE_P(All, CompilerNamedTest, testing::ValuesIn(kNamedCases),
                         [](const auto& info) { return info.param.name; });

TEST(CompilerTest, BoundsWhatNamedExpressionsBecome) {
  Environment environment = MakeEnvironment();
  NamedExprs named;
  std::vector<Defect> defects;
  std::string before = "principal.level";
  for (int i = 0; i < 40; ++i) {
    const std::string name = "n" + std::to_string(i);
    std::optional<CheckedExpr> checked = CheckText(before + " + " + before, environment, &defects);
    ASSERT_TRUE(checked.has_value());
    environment.AddVariable(name, checked->type());
    named.emplace(name, *std::move(checked));
    before = name;
  }
  const std::optional<CheckedExpr> checked = CheckText("n39 == 1", environment, &defects);
  ASSERT_TRUE(checked.has_value());
  CompileOptions options;
  options.named = &named;
  EXPECT_EQ(Compile(*checked, options, &defects, nullptr), nullptr);
  ASSERT_EQ(defects.size(), 1u);
  EXPECT_EQ(defects[0].message, "the expression is too large, with the named ones that it uses");
}

}  // namespace
}  // namespace reeve::cel
