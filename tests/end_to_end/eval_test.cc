// The command `reeve eval` as a script calls it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::Process;
using end_to_end::RunProgram;
using nlohmann::json;

struct Call {
  std::string name;
  std::vector<std::string> arguments;
  int status;
  std::string out;
  std::string err;
  std::string input = "";                // Standard input.
  std::optional<std::string> file = {};  // What `--bindings FILE` reads; `FILE` in `err`, too.
};

std::ostream& operator<<(std::ostream& os, const Call& call) { return os << call.name; }

std::string Replace(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

class EvalTest : public testing::TestWithParam<Call> {};

TEST_P(EvalTest, Ends) {
  const Call& call = GetParam();
  const end_to_end::WorkDirectory directory;
  std::vector<std::string> arguments = {"cli/reeve", "eval"};
  arguments.insert(arguments.end(), call.arguments.begin(), call.arguments.end());
  std::string path;
  if (call.file.has_value()) {
    path = directory.Write("FILE", *call.file);
    arguments.insert(arguments.end(), {"--bindings", path});
  }
  const Ended ended = RunProgram(arguments, call.input);
  EXPECT_EQ(ended.status, call.status);
  EXPECT_EQ(ended.out, call.out);
  EXPECT_EQ(path.empty() ? ended.err : Replace(ended.err, path, "FILE"), call.err);
}

std::string Nested(int depth) {
  return "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
}

// A list of two lists, which are one, of two lists, ..., of twice `a`.
std::string Doubled(int times) {
  std::string expression = "x" + std::to_string(times);
  for (int i = times; i > 0; --i) {
    const std::string before = "x" + std::to_string(i - 1);
    expression = "cel.bind(x" + std::to_string(i) + ", [" + before + ", " + before + "], " +
                 expression + ")";
  }
  return "cel.bind(x0, a, " + expression + ")";
}

const Call kCalls[] = {
    // What it is worth.
    {"Value", {"[1, 2, 3].map(x, x * 2)"}, 0, "[2, 4, 6]\n", ""},
    {"True", {"1 < 2"}, 0, "true\n", ""},
    {"False", {"1 > 2"}, 1, "false\n", ""},
    {"FalseInJson",
     {"--format", "json", "1 > 2"},
     1,
     "{\"value\":{\"type\":\"bool\",\"value\":false}}\n",
     ""},
    {"TypesInJson",
     {"--format", "json", "[1, 2u, 1.5, \"a\", b\"a\", null, int, {\"k\": true}]"},
     0,
     "{\"value\":{\"type\":\"list\",\"value\":["
     "{\"type\":\"int\",\"value\":\"1\"},{\"type\":\"uint\",\"value\":\"2\"},"
     "{\"type\":\"double\",\"value\":\"1.5\"},{\"type\":\"string\",\"value\":\"a\"},"
     "{\"type\":\"bytes\",\"value\":\"YQ==\"},{\"type\":\"null\",\"value\":null},"
     "{\"type\":\"type\",\"value\":\"int\"},{\"type\":\"map\",\"value\":[{\"key\":{\"type\":"
     "\"string\",\"value\":\"k\"},\"value\":{\"type\":\"bool\",\"value\":true}}]}]}}\n",
     ""},
    {"TimesInJson",
     {"--format", "json", "[duration(\"-1.5s\")]"},
     0,
     "{\"value\":{\"type\":\"list\",\"value\":[{\"type\":\"duration\",\"value\":\"-1.5s\","
     "\"seconds\":\"-1\",\"nanos\":-500000000}]}}\n",
     ""},
    {"EscapesForTerminals", {"\"\\u001b[2J\""}, 0, "\"\\033[2J\"\n", ""},
    // It has no value.
    {"Error", {"1 / 0 == 1"}, 2, "", "division by zero\n"},
    {"ErrorInJson", {"--format", "json", "1 / 0"}, 2, "{\"error\":\"division by zero\"}\n", ""},
    {"TooManySteps",
     {"cel.bind(l, lists.range(10000), l.all(i, l.all(j, i + j >= 0)))"},
     2,
     "",
     "the cost limit is reached\n"},
    // It is no expression.
    {"Empty", {""}, 2, "", "no expression was given; `reeve eval --help` shows how\n"},
    {"None", {}, 2, "", "no expression was given; `reeve eval --help` shows how\n"},
    {"SyntaxError",
     {"1 +"},
     2,
     "",
     "expression:1:4: expected an expression after `+`\n  1 +\n     ^\n"},
    {"UnknownName",
     {"true &&\n  usr.level > 1"},
     2,
     "",
     "expression:2:3: unknown name `usr`\n    usr.level > 1\n    ^~~\n"},
    {"TwoErrors",
     {"foo(1) || bar"},
     2,
     "",
     "expression:1:1: unknown function `foo`\n  foo(1) || bar\n  ^~~\n"
     "expression:1:11: unknown name `bar`\n  foo(1) || bar\n            ^~~\n"},
    {"ColumnsAreCharacters",
     {"\"é\" + x"},
     2,
     "",
     "expression:1:7: unknown name `x`\n  \"é\" + x\n        ^\n"},
    {"SyntaxErrorInJson",
     {"--format", "json", "1 +"},
     2,
     "{\"error\":\"expression:1:4: expected an expression after `+`\"}\n",
     ""},
    // Variables.
    {"BindingsFromInput",
     {"--bindings", "-", "user.level >= 5"},
     0,
     "true\n",
     "",
     "{\"user\": {\"level\": 7}}"},
    {"BindingsFromFile", {"a + b"}, 0, "3\n", "", "", "{\"a\": 1, \"b\": 2}"},
    {"PlainTypes",
     {"[type(i), type(u), type(d), type(s), type(b), type(n), type(l), type(m)]"},
     0,
     "[int, uint, double, string, bool, null_type, list, map]\n",
     "",
     "",
     R"({"i": -1, "u": 18446744073709551615, "d": 1.0, "s": "1", "b": true, "n": null, "l": [],
         "m": {}})"},
    {"TypedValues",
     {"[t, d, u, b]"},
     0,
     "[timestamp(\"2026-11-20T09:30:00Z\"), duration(\"3600s\"), 7u, b\"a\"]\n",
     "",
     "",
     R"({"t": {"type": "timestamp", "value": "2026-11-20T09:30:00Z"},
         "d": {"type": "duration", "value": "1h"}, "u": {"type": "uint", "value": "7"},
         "b": {"type": "bytes", "value": "YQ=="}})"},
    {"AMapWithMoreThanAType",
     {"m.value"},
     0,
     "1\n",
     "",
     "",
     R"({"m": {"type": "int", "value": 1, "unit": "s"}})"},
    {"WrongTypedValue",
     {"a"},
     2,
     "",
     "FILE: variable `a`: `int` is no type of values, or its value is wrong\n",
     "",
     R"({"a": {"type": "int", "value": "x"}})"},
    {"BadJson", {"a"}, 2, "", "FILE: is not JSON\n", "", "{\"a\": "},
    {"BadUtf8", {"a"}, 2, "", "FILE: is not JSON\n", "", "{\"a\": \"\xff\"}"},
    {"NothingInTheFile", {"a"}, 2, "", "FILE: is not JSON\n", "", ""},
    {"NoObject", {"a"}, 2, "", "FILE: is no JSON object of variables\n", "", "[1]"},
    {"NoObjectInJson",
     {"--format", "json", "--bindings", "-", "a"},
     2,
     "{\"error\":\"-: is no JSON object of variables\"}\n",
     "",
     "3"},
    {"TooDeepJson",
     {"a"},
     2,
     "",
     "FILE: arrays and objects are nested deeper than 200\n",
     "",
     Nested(200)},
    {"TooDeepValue", {"a"}, 2, "", "FILE: variable `a`: nested too deeply\n", "", Nested(150)},
    {"FarTooDeepJson",
     {"a"},
     2,
     "",
     "FILE: arrays and objects are nested deeper than 200\n",
     "",
     "{\"a\": " + std::string(1000000, '[')},
    {"TooLargeForJson",
     {"--format", "json", "--bindings", "-", Doubled(40)},
     2,
     "{\"error\":\"the value is too large for JSON\"}\n",
     "",
     "{\"a\": 1}"},
    {"TooLong", {"a"}, 2, "", "FILE: is too long\n", "", "{\"a\": 1}" + std::string(3 << 20, ' ')},
    {"MissingFile",
     {"--bindings", "no/such.json", "1"},
     2,
     "",
     "no/such.json: cannot be read: No such file or directory\n"},
    {"Directory", {"--bindings", "/", "1"}, 2, "", "/: cannot be read: Is a directory\n"},
    {"VariableThatIsNotGiven",
     {"b"},
     2,
     "",
     "expression:1:1: unknown name `b`; did you mean `a`?\n  b\n  ^\n",
     "",
     "{\"a\": 1}"},
    // Stages.
    {"StageLex", {"--stage", "lex", "a+1"}, 0, "0-1 Ident a\n1-2 Plus\n2-3 Int 1\n3-3 End\n", ""},
    {"StageParse", {"--stage", "parse", "1 + 2 * x.y"}, 0, "_+_(1, _*_(2, x.y))\n", ""},
    {"StageParseOfAnError",
     {"--stage", "parse", "1 +"},
     2,
     "",
     "expression:1:4: expected an expression after `+`\n  1 +\n     ^\n"},
    {"StageCheck",
     {"--stage", "check", "a + 1"},
     0,
     "call _+_: int\n  name a: dyn\n  literal 1: int\n",
     "",
     "",
     "{\"a\": 1}"},
    {"StageCheckOfAnUnknownName",
     {"--stage", "check", "a + 1"},
     2,
     "",
     "expression:1:1: unknown name `a`\n  a + 1\n  ^\n"},
    {"StageCompile", {"--stage", "compile", "1 + 2 == 3"}, 0, "0 Constant true\n1 Return\n", ""},
    {"StageInJson",
     {"--stage", "parse", "--format", "json", "has(a.b)"},
     0,
     "{\"parse\":\"has(a.b)\\n\"}\n",
     ""},
    {"NoSuchStage",
     {"--stage", "run", "1"},
     2,
     "",
     "--stage: run not in {lex,parse,check,compile}\nRun with --help for more information.\n"},
    // What excludes each other.
    {"LinesAndExpression",
     {"--jsonl", "1"},
     2,
     "",
     "EXPR excludes --jsonl\nRun with --help for more information.\n"},
    {"LinesAndBindings",
     {"--jsonl", "--bindings", "-"},
     2,
     "",
     "--bindings excludes --jsonl\nRun with --help for more information.\n"},
    {"LinesAndStage",
     {"--jsonl", "--stage", "parse"},
     2,
     "",
     "--stage excludes --jsonl\nRun with --help for more information.\n"},
    {"TwoExpressions",
     {"1", "2"},
     2,
     "",
     "The following argument was not expected: 2\nRun with --help for more information.\n"},
    // A case a line.
    {"NoLines", {"--jsonl"}, 0, "", ""},
    {"EmptyLines", {"--jsonl"}, 0, "{\"ok\":true}\n", "", "\n \t\r\n{\"parse\": \"1\"}\n\n"},
    {"LineWithoutEnd", {"--jsonl"}, 0, "{\"ok\":true}\n", "", "{\"parse\": \"1\"}"},
    {"Cases",
     {"--jsonl"},
     0,
     "{\"id\":\"value\",\"value\":{\"type\":\"int\",\"value\":\"3\"},\"type\":\"int\"}\n"
     "{\"id\":\"error\",\"error\":\"division by zero\"}\n"
     "{\"id\":\"unknown name\",\"error\":\"expression:1:1: unknown name `x`\"}\n"
     "{\"id\":7,\"value\":{\"type\":\"bool\",\"value\":true},\"type\":\"dyn\"}\n"
     "{\"id\":\"declared\",\"value\":{\"type\":\"string\",\"value\":\"a\"},\"type\":\"string\"}\n"
     "{\"id\":\"only checked\",\"type\":\"list(int)\"}\n"
     "{\"id\":\"declared, not given\",\"error\":\"no such fact: x\"}\n"
     "{\"id\":\"unchecked\",\"value\":{\"type\":\"bool\",\"value\":false},\"type\":\"dyn\"}\n"
     "{\"id\":\"container\",\"value\":{\"type\":\"int\",\"value\":\"1\"},\"type\":\"dyn\"}\n"
     "{\"id\":\"bad type\",\"unsupported\":\"`list(` is no type\"}\n"
     "{\"id\":\"bad binding\",\"unsupported\":\"a value is an object with `type` and `value`\"}\n",
     "",
     R"({"id": "value", "expr": "1 + 2"}
{"id": "error", "expr": "1 / 0"}
{"id": "unknown name", "expr": "x"}
{"id": 7, "expr": "x", "bindings": {"x": {"type": "bool", "value": true}}}
{"id": "declared", "expr": "x", "type_env": [{"kind": "var", "name": "x", "type": "string"}], "bindings": {"x": {"type": "string", "value": "a"}}}
{"id": "only checked", "expr": "[1]", "check_only": true}
{"id": "declared, not given", "expr": "x", "type_env": [{"kind": "var", "name": "x", "type": "int"}]}
{"id": "unchecked", "expr": "1 == 'a'", "disable_check": true}
{"id": "container", "expr": "x", "container": "a.b", "bindings": {"a.b.x": {"type": "int", "value": "1"}}}
{"id": "bad type", "expr": "x", "type_env": [{"kind": "var", "name": "x", "type": "list("}]}
{"id": "bad binding", "expr": "x", "bindings": {"x": 1}}
)"},
    {"ParseLines",
     {"--jsonl"},
     0,
     "{\"ok\":true}\n{\"error\":\"expression:1:4: expected an expression after `+`\"}\n"
     "{\"error\":\"expression:1:1: there is no expression\"}\n",
     "",
     "{\"parse\": \"x.y(z)\"}\n{\"parse\": \"1 +\"}\n{\"parse\": 1}\n"},
    // What is unknown denies if the rule denies, and does not allow.
    {"RulesLines",
     {"--jsonl"},
     0,
     "{\"decision\":\"allow\",\"determining\":[\"a\"]}\n"
     "{\"decision\":\"deny\",\"determining\":[]}\n"
     "{\"decision\":\"deny\",\"determining\":[\"d\"]}\n"
     "{\"decision\":\"deny\",\"determining\":[\"d\"]}\n"
     "{\"decision\":\"deny\",\"determining\":[]}\n"
     "{\"error\":\"rule `a`: expression:1:1: unknown name `princpal`; did you mean "
     "`principal`?\"}\n",
     "",
     R"({"rules": [{"id": "a", "effect": "allow", "cel": "principal.level > context.least"}], "principal": {"level": 7}, "action": "read", "resource": {}, "context": {"least": 5}}
{"rules": [{"id": "a", "effect": "allow", "cel": "principal.rank > 5"}], "principal": {"level": 7}, "action": "read", "resource": {}, "context": {}}
{"rules": [{"id": "a", "effect": "allow", "cel": "true"}, {"id": "d", "effect": "deny", "cel": "resource.locked"}], "principal": {}, "action": "read", "resource": {}, "context": {}}
{"rules": [{"id": "a", "effect": "allow", "cel": "true"}, {"id": "d", "effect": "deny", "cel": "action"}], "principal": {}, "action": "read", "resource": {}, "context": {}}
{"rules": []}
{"rules": [{"id": "a", "effect": "allow", "cel": "princpal.level > 5"}]}
)"},
    {"LineThatIsTooLong",
     {"--jsonl"},
     0,
     "{\"error\":\"the line is too long\"}\n{\"ok\":true}\n",
     "",
     "{\"parse\": \"1\"}" + std::string(3 << 20, ' ') + "\n{\"parse\": \"1\"}\n"},
    {"GarbageLines",
     {"--jsonl"},
     0,
     "{\"error\":\"the line is not JSON\"}\n{\"error\":\"the line is no JSON object\"}\n"
     "{\"error\":\"the line is not JSON\"}\n"
     "{\"error\":\"the line arrays and objects are nested deeper than 200\"}\n"
     "{\"error\":\"expression:1:1: there is no expression\"}\n{\"ok\":true}\n",
     "",
     "garbage\n[1]\n\xff\n" + Nested(200) + "\n{}\n{\"parse\": \"1\"}\n"},
};

INSTANTIATE_TEST_SUITE_P(All, EvalTest, testing::ValuesIn(kCalls),
                         [](const auto& info) { return info.param.name; });

// A member of another type than it should be is an answer, and the next line has one as well.
TEST(EvalLinesTest, MembersOfOtherTypesAreErrors) {
  for (const char* line :
       {R"({"expr": 1})", R"({"expr": "x", "bindings": []})", R"({"expr": "x", "bindings": 1})",
        R"({"expr": "1", "type_env": {"a": 1}})", R"({"expr": "1", "type_env": [1]})",
        R"({"expr": "1", "type_env": [{"kind": "function", "name": "f", "overloads": [1]}]})",
        R"({"expr": "1", "container": 1})", R"({"expr": "1", "disable_check": "no"})",
        R"({"rules": 1})", R"({"rules": [1]})", R"({"rules": [{"id": 1, "cel": "true"}]})",
        R"({"rules": [{"cel": 1}]})", R"({"rules": [{"effect": 1, "cel": "true"}]})"}) {
    const Ended ended =
        RunProgram({"cli/reeve", "eval", "--jsonl"}, std::string(line) + "\n{\"parse\": \"1\"}\n");
    EXPECT_EQ(ended.status, 0) << line << ended.err;
    const size_t end = ended.out.find('\n');
    const json answer = json::parse(ended.out.substr(0, end), nullptr, false);
    EXPECT_TRUE(answer.contains("error") || answer.contains("unsupported")) << line << ended.out;
    EXPECT_EQ(ended.out.substr(end + 1), "{\"ok\":true}\n") << line;
  }
}

TEST(EvalLinesTest, AnswersALineBeforeTheNextIsWritten) {
  Process eval({"cli/reeve", "eval", "--jsonl"}, std::nullopt);
  for (int i = 0; i < 2; ++i) {
    eval.Say("{\"parse\": \"1\"}");
    EXPECT_EQ(eval.ReadLine(), "{\"ok\":true}");
  }
  eval.EndInput();
  EXPECT_EQ(eval.Wait(), 0);
}

TEST(EvalLinesTest, OutputThatCannotBeWrittenIsAFailure) {
  for (const char* command :
       {"cli/reeve eval 1 > /dev/full", "echo {} | cli/reeve eval --jsonl > /dev/full"}) {
    const Ended ended = RunProgram({"/bin/sh", "-c", command});
    EXPECT_EQ(ended.status, 3) << command;
    EXPECT_EQ(ended.err, "reeve: standard output cannot be written\n") << command;
  }
}

std::string Times(int times, const std::string& text) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// What every implementation must take: the specification of the language, section "Syntax".
TEST(EvalMinimaTest, AreTaken) {
  struct Row {
    const char* name;
    std::string expression;
    const char* value;
  };
  for (const Row& row : std::vector<Row>{
           {"32 terms of ||", Times(31, "false || ") + "true", "true"},
           {"32 terms of &&", Times(31, "true && ") + "true", "true"},
           {"32 arguments", "[" + Times(31, "1, ") + "1].size()", "32"},
           {"24 operators +", "1" + Times(24, " + 1"), "25"},
           {"24 operators *", "1" + Times(24, " * 1"), "1"},
           {"24 operators !", Times(24, "!") + "true", "true"},
           {"24 operators -", Times(24, "-") + "1", "1"},
           {"24 conditions", Times(24, "false ? 1 : ") + "2", "2"},
           {"12 relations", Times(12, "(") + "1 < 2" + Times(12, ") == true"), "true"},
           {"12 parentheses", Times(12, "(") + "1" + Times(12, ")"), "1"},
           {"12 selections", Times(12, "{'a': ") + "1" + Times(12, "}") + Times(12, ".a"), "1"},
           {"12 indexes", Times(12, "[") + "7" + Times(12, "]") + Times(12, "[0]"), "7"},
           {"12 calls", Times(12, "int(") + "7" + Times(12, ")"), "7"},
           {"12 macros", Times(12, "[1].exists(x, ") + "true" + Times(12, ")"), "true"},
       }) {
    const Ended ended = RunProgram({"cli/reeve", "eval", row.expression});
    EXPECT_EQ(ended.status, 0) << row.name;
    EXPECT_EQ(ended.out, row.value + std::string("\n")) << row.name << ": " << ended.err;
  }
}

TEST(EvalLinesTest, Help) {
  const Ended ended = RunProgram({"cli/reeve", "eval", "--help"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  for (const char* said :
       {"Usage: reeve eval", "--bindings FILE", "--stage lex|parse|check|compile", "--jsonl",
        "--format text|json", "Examples:"}) {
    EXPECT_NE(ended.out.find(said), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace reeve
