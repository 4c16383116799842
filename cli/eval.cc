// `reeve eval`: evaluates conditions alone.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "policy/cel/expression.h"
#include "policy/cel/lexer.h"
#include "policy/cel/parser.h"
#include "policy/cel/type.h"
#include "reeve/cli/input.h"
#include "reeve/cli/output.h"
#include "reeve/cli/typed_json.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/text.h"
#include "reeve/policy/issue.h"

namespace reeve {
namespace {

using cel::Cell;
using nlohmann::json;
using nlohmann::ordered_json;
using Bindings = std::map<std::string, Cell, std::less<>>;

constexpr uint64_t kSteps = 10'000'000;
constexpr size_t kBytes = size_t{16} << 20;

struct Options {
  std::string expression;
  std::string bindings;
  std::string stage;
  bool json_lines = false;
  Format format = Format::kText;
};

std::string Dump(const ordered_json& json) { return JsonText(json); }

// Where in `text` a defect is, as an issue of the file `expression`.
Issue ToIssue(std::string_view text, const cel::Defect& defect) {
  Issue issue;
  issue.file = "expression";
  issue.message = defect.message;
  issue.position = {1, 1};
  size_t line_begin = 0;
  for (size_t i = 0; i < text.size() && i < defect.place.begin; ++i) {
    if (text[i] == '\n') {
      ++issue.position.line;
      line_begin = i + 1;
    }
  }
  const std::string_view line = text.substr(line_begin);
  issue.line = line.substr(0, line.find('\n'));
  const auto columns = [](std::string_view part) {
    int count = 0;
    for (const char c : part) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    return count;
  };
  const size_t begin = defect.place.begin - line_begin;
  issue.position.column += columns(line.substr(0, begin));
  const size_t end = std::min<size_t>(defect.place.end - line_begin, issue.line.size());
  issue.width = end > begin ? columns(line.substr(begin, end - begin)) : 1;
  return issue;
}

std::string ErrorText(std::string_view text, const std::vector<cel::Defect>& defects) {
  std::string message;
  for (const cel::Defect& defect : defects) {
    absl::StrAppend(&message, message.empty() ? "" : "\n", ToString(ToIssue(text, defect)));
  }
  return message;
}

absl::StatusOr<json> ParseInput(const std::string& text) {
  // What is longer was cut.
  if (text.size() == kMaxInputBytes) return absl::InvalidArgumentError("is too long");
  return ParseJson(text);
}

// --- One expression ---

// The variables of a JSON object of names and values. A value with exactly `type` and `value` has
// that type; others are plain JSON.
absl::Status ReadBindings(const json& object, cel::Context& context, Bindings* bindings) {
  if (!object.is_object()) return absl::InvalidArgumentError("is no JSON object of variables");
  for (const auto& [name, value] : object.items()) {
    const bool typed =
        value.is_object() && value.size() == 2 && value.contains("type") && value.contains("value");
    absl::StatusOr<Cell> cell =
        typed ? FromTypedJson(value, context) : FromPlainJson(value, context);
    if (!cell.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("variable `", Printable(name), "`: ", cell.status().message()));
    }
    bindings->emplace(name, *cell);
  }
  return absl::OkStatus();
}

int Fail(const Options& options, const std::string& message) {
  if (options.format == Format::kJson) {
    std::puts(Dump({{"error", message}}).c_str());
  } else {
    std::fprintf(stderr, "%s\n", message.c_str());
  }
  return kBadCall;
}

int Refuse(const Options& options, const std::vector<cel::Defect>& defects) {
  if (options.format == Format::kJson) return Fail(options, ErrorText(options.expression, defects));
  for (const cel::Defect& defect : defects) {
    const Issue issue = ToIssue(options.expression, defect);
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  }
  return kBadCall;
}

// What a stage made of the expression, in lines.
int ShowStage(const Options& options, const std::string& lines) {
  if (options.format == Format::kJson) {
    std::puts(Dump({{options.stage, lines}}).c_str());
  } else {
    std::fputs(lines.c_str(), stdout);
  }
  return kYes;
}

int EvalOne(const Options& options) {
  std::vector<cel::Defect> defects;
  if (options.stage == "lex") {
    const std::vector<cel::Token> tokens = cel::Tokenize(options.expression, &defects);
    if (!defects.empty()) return Refuse(options, defects);
    return ShowStage(options, cel::ToString(options.expression, tokens));
  }
  if (options.stage == "parse") {  // needs no variables
    const std::optional<cel::Ast> ast = cel::Parse(options.expression, {}, &defects);
    if (!ast.has_value()) return Refuse(options, defects);
    return ShowStage(options, absl::StrCat(cel::ToString(*ast), "\n"));
  }
  cel::Context values;
  values.Reset(kSteps, kBytes);
  Bindings bindings;
  if (!options.bindings.empty()) {
    Input in(options.bindings);
    std::string text;
    in.Read(true, &text);
    if (in.Failed()) return kBadCall;
    absl::StatusOr<json> object = ParseInput(text);
    const absl::Status status =
        object.ok() ? ReadBindings(*object, values, &bindings) : object.status();
    if (!status.ok()) {
      return Fail(options,
                  absl::StrCat(Printable(options.bindings), ": ", std::string(status.message())));
    }
  }
  cel::Environment environment;
  for (const auto& [name, value] : bindings) environment.AddVariable(name, cel::Type::Dyn());
  const std::optional<cel::Expression> expression =
      cel::Expression::Compile(options.expression, environment, {}, &defects);
  if (!expression.has_value()) return Refuse(options, defects);
  if (options.stage == "check") return ShowStage(options, cel::ToString(expression->checked()));
  if (options.stage == "compile") return ShowStage(options, cel::ToString(expression->program()));
  cel::Machine machine;
  machine.Begin(kSteps, kBytes, expression->room());
  const Cell value = expression->Evaluate(bindings, &machine);
  if (value.is_error()) return Fail(options, Printable(cel::ToString(value)));
  if (options.format == Format::kJson) {
    const absl::StatusOr<ordered_json> typed = ToTypedJson(value);
    if (!typed.ok()) return Fail(options, std::string(typed.status().message()));
    std::puts(Dump({{"value", *typed}}).c_str());
  } else {
    std::puts(Printable(cel::ToString(value)).c_str());
  }
  return value.is_bool(false) ? kNo : kYes;
}

// --- A case a line ---

// Variables and functions that a case declares. InvalidArgument if it speaks of what there is not.
absl::Status Declare(const json& declarations, cel::Environment* environment) {
  for (const json& declaration : declarations) {
    const std::string name = declaration.value("name", "");
    if (declaration.value("kind", "") == "var") {
      absl::StatusOr<cel::Type> type = cel::ParseType(declaration.value("type", ""));
      if (!type.ok()) return type.status();
      environment->AddVariable(name, *std::move(type));
      continue;
    }
    if (!declaration.contains("overloads")) {
      return absl::InvalidArgumentError("a declaration is neither a variable nor a function");
    }
    for (const json& declared : declaration["overloads"]) {
      cel::Overload overload;
      overload.member = declared.value("instance", false);
      for (const json& parameter : declared.value("params", json::array())) {
        absl::StatusOr<cel::Type> type =
            cel::ParseType(parameter.is_string() ? parameter.get<std::string>() : "");
        if (!type.ok()) return type.status();
        overload.arguments.push_back(*std::move(type));
      }
      absl::StatusOr<cel::Type> result = cel::ParseType(declared.value("result", ""));
      if (!result.ok()) return result.status();
      overload.result = *std::move(result);
      environment->AddFunction(name, std::move(overload));
    }
  }
  return absl::OkStatus();
}

ordered_json EvalCase(const json& test) {
  const std::string text = test.value("expr", "");
  cel::Context values;
  values.Reset(kSteps, kBytes);
  cel::Environment environment;
  if (const absl::Status status = Declare(test.value("type_env", json::array()), &environment);
      !status.ok()) {
    return {{"unsupported", std::string(status.message())}};
  }
  Bindings bindings;
  const json given = test.value("bindings", json::object());
  for (const auto& [name, value] : given.items()) {
    absl::StatusOr<Cell> cell = FromTypedJson(value, values);
    if (!cell.ok()) return {{"unsupported", std::string(cell.status().message())}};
    bindings.emplace(name, *cell);
    if (environment.FindVariable(name) == nullptr) {
      environment.AddVariable(name, cel::Type::Dyn());
    }
  }
  environment.SetContainer(test.value("container", ""));
  cel::ExpressionOptions options;
  options.parse.expand_macros = !test.value("disable_macros", false);
  options.check.check_types = !test.value("disable_check", false);
  std::vector<cel::Defect> defects;
  if (test.value("check_only", false)) {
    std::optional<cel::Ast> ast = cel::Parse(text, options.parse, &defects);
    std::optional<cel::CheckedExpr> checked;
    if (ast.has_value()) {
      checked = cel::Check(*std::move(ast), environment, options.check, &defects);
    }
    if (!checked.has_value()) return {{"error", ErrorText(text, defects)}};
    return {{"type", cel::ToString(checked->type())}};
  }
  const std::optional<cel::Expression> expression =
      cel::Expression::Compile(text, environment, options, &defects);
  if (!expression.has_value()) return {{"error", ErrorText(text, defects)}};
  cel::Machine machine;
  machine.Begin(kSteps, kBytes, expression->room());
  const Cell value = expression->Evaluate(bindings, &machine);
  if (value.is_error()) return {{"error", cel::ToString(value)}};
  const absl::StatusOr<ordered_json> typed = ToTypedJson(value);
  if (!typed.ok()) return {{"error", std::string(typed.status().message())}};
  return {{"value", *typed}, {"type", cel::ToString(expression->checked().type())}};
}

ordered_json ParseCase(const json& test) {
  std::vector<cel::Defect> defects;
  const std::string text = test["parse"].is_string() ? test["parse"].get<std::string>() : "";
  if (cel::Parse(text, {}, &defects).has_value()) return {{"ok", true}};
  return {{"error", ErrorText(text, defects)}};
}

// Decides by rules whose whole condition is one expression, as the engine does by its rules.
ordered_json DecideCase(const json& test) {
  cel::Context values;
  values.Reset(kSteps, kBytes);
  cel::Environment environment;
  Bindings bindings;
  for (const char* name : {"principal", "action", "resource", "context"}) {
    absl::StatusOr<Cell> cell = FromPlainJson(test.value(name, json::object()), values);
    if (!cell.ok()) return {{"error", std::string(cell.status().message())}};
    bindings.emplace(name, *cell);
    environment.AddVariable(name, cel::Type::Dyn());
  }
  std::vector<std::string> allows;
  std::vector<std::string> denies;
  cel::Machine machine;
  for (const json& rule : test["rules"]) {
    const std::string text = rule.value("cel", "");
    std::vector<cel::Defect> defects;
    const std::optional<cel::Expression> expression =
        cel::Expression::Compile(text, environment, {}, &defects);
    if (!expression.has_value()) {
      return {
          {"error", absl::StrCat("rule `", rule.value("id", ""), "`: ", ErrorText(text, defects))}};
    }
    machine.Begin(kSteps, kBytes, expression->room());
    const Cell value = expression->Evaluate(bindings, &machine);
    // What is unknown denies if the rule denies, and does not allow.
    if (rule.value("effect", "") == "deny") {
      if (!value.is_bool(false)) denies.push_back(rule.value("id", ""));
    } else if (value.is_bool(true)) {
      allows.push_back(rule.value("id", ""));
    }
  }
  const bool allowed = denies.empty() && !allows.empty();
  return {{"decision", allowed ? "allow" : "deny"}, {"determining", allowed ? allows : denies}};
}

// Answers one line. What is not as it should be is an answer, too.
ordered_json AnswerLine(const std::string& line) {
  absl::StatusOr<json> test = ParseInput(line);
  if (!test.ok()) return {{"error", absl::StrCat("the line ", test.status().message())}};
  if (!test->is_object()) return {{"error", "the line is no JSON object"}};
  ordered_json answer;
  if (test->contains("id")) answer["id"] = (*test)["id"];
  try {
    if (test->contains("parse")) {
      answer.update(ParseCase(*test));
    } else if (test->contains("rules")) {
      answer.update(DecideCase(*test));
    } else {
      answer.update(EvalCase(*test));
    }
  } catch (const json::exception&) {
    answer["error"] = "a member of the case is of another type than it should be";
  }
  return answer;
}

int EvalLines() {
  Input in("-");
  for (std::string line; in.Read(false, &line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::puts(Dump(AnswerLine(line)).c_str());
    if (!FlushOutput()) return kFailure;  // whoever asks line by line waits for the answer
  }
  return in.Failed() ? kBadCall : kYes;
}

int Eval(const Options& options) {
  if (options.json_lines) return EvalLines();
  if (options.expression.empty()) {
    std::fputs("no expression was given; `reeve eval --help` shows how\n", stderr);
    return kBadCall;
  }
  return EvalOne(options);
}

}  // namespace

void AddEval(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "eval",
      "Evaluate an expression of the condition language (CEL), alone.\n"
      "Exit status: 0 it has a value, 1 the value is false, 2 it is wrong or has no value.");
  auto options = std::make_shared<Options>();
  command->add_option("EXPR", options->expression, "the expression");
  command
      ->add_option("--bindings", options->bindings,
                   "a file with a JSON object of variables; - is standard input. A value "
                   "{\"type\": T, \"value\": V} has that type")
      ->option_text("FILE");
  command
      ->add_option("--stage", options->stage,
                   "print what a stage makes of it, in place of the value")
      ->check(CLI::IsMember({"lex", "parse", "check", "compile"}))
      ->option_text("lex|parse|check|compile");
  command
      ->add_flag("--jsonl", options->json_lines,
                 "one case a line on standard input, one answer a line: {\"id\", \"expr\", "
                 "\"bindings\"}, {\"parse\"}, or {\"rules\", \"principal\", \"action\", "
                 "\"resource\", \"context\"}")
      ->excludes("EXPR")
      ->excludes("--bindings")
      ->excludes("--stage");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve eval '[1, 2, 3].exists(x, x > 2)'\n"
      "  echo '{\"user\": {\"level\": 7}}' | reeve eval --bindings - 'user.level >= 5'\n"
      "  reeve eval --stage compile '\"abc\".startsWith(\"a\")'");
  command->callback([options, status] { *status = Eval(*options); });
}

}  // namespace reeve
