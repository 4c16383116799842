// doc/conditions.md says what conditions mean by examples. Each is held to what is true, and no
// function may go without one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "policy/cel/expression.h"
#include "policy/cel/parser.h"
#include "policy/cel/type.h"
#include "reeve/adapters/authzen/request_json.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/explain.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using cel::Cell;
using nlohmann::json;

// --- Reading the document ---

struct Block {
  std::string kind;  // What stands behind the three back-quotes.
  std::string text;
};

struct Line {
  size_t number;
  std::string text;
};

struct Document {
  std::vector<Line> lines;  // Outside of blocks.
  std::vector<Block> blocks;
};

Document ReadDocument(const std::string& path) {
  Document document;
  std::ifstream file(path, std::ios::binary);
  bool in_block = false;
  size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.substr(0, 3) == "```") {
      in_block = !in_block;
      if (in_block) document.blocks.push_back({line.substr(3), ""});
    } else if (in_block) {
      document.blocks.back().text += line + "\n";
    } else {
      document.lines.push_back({number, line});
    }
  }
  return document;
}

const Document& Conditions() {
  static const auto& document = *new Document(ReadDocument("doc/conditions.md"));
  return document;
}

// The text between back-quotes, and where it stands with them.
struct Code {
  size_t begin;
  size_t end;
  std::string text;
};

std::vector<Code> CodesOf(const std::string& line) {
  std::vector<Code> codes;
  for (size_t begin = 0; (begin = line.find('`', begin)) != std::string::npos;) {
    const size_t open = std::min(line.find_first_not_of('`', begin), line.size());
    const std::string quotes = line.substr(begin, open - begin);
    size_t close = open;
    size_t end = open;
    while ((close = line.find(quotes, end)) != std::string::npos) {
      end = std::min(line.find_first_not_of('`', close), line.size());
      if (end - close == quotes.size()) break;
    }
    if (close == std::string::npos) {
      begin = open;
      continue;
    }
    std::string text = line.substr(open, close - open);
    if (text.size() > 2 && text.front() == ' ' && text.back() == ' ') {
      text = text.substr(1, text.size() - 2);
    }
    codes.push_back({begin, end, text});
    begin = end;
  }
  return codes;
}

struct Example {
  size_t line;
  std::string expression;
  std::string kind;  // "", "unknown: ", "does not load: "
  std::string result;
};

std::ostream& operator<<(std::ostream& out, const Example& example) {
  return out << "doc/conditions.md:" << example.line << ": " << example.expression;
}

std::vector<Example> Examples() {
  constexpr std::string_view kArrow = " → ";
  std::vector<Example> examples;
  for (const Line& line : Conditions().lines) {
    const std::vector<Code> codes = CodesOf(line.text);
    for (size_t i = 0; i + 1 < codes.size(); ++i) {
      const std::string between = line.text.substr(codes[i].end, codes[i + 1].begin - codes[i].end);
      if (between.substr(0, kArrow.size()) != kArrow) continue;
      examples.push_back(
          {line.number, codes[i].text, between.substr(kArrow.size()), codes[i + 1].text});
    }
  }
  return examples;
}

const std::string& RequestText() {
  static const auto& text = *new std::string([] {
    for (const Block& block : Conditions().blocks) {
      if (block.kind == "json") return block.text;
    }
    return std::string();
  }());
  return text;
}

// --- The request that the examples see ---

class Entity final : public cel::EntityFacts {
 public:
  Entity(std::map<std::string, Cell> facts, std::set<std::string> names)
      : facts_(std::move(facts)), names_(std::move(names)) {}

  Cell Find(std::string_view name, cel::Context&) const override {
    const auto found = facts_.find(std::string(name));
    return found == facts_.end() ? Cell::Error(cel::ErrorCode::kNoSuchKey, name) : found->second;
  }
  Cell All(cel::Context& context) const override {
    cel::MapBuilder builder(facts_.size(), context);
    for (const auto& [name, value] : facts_) builder.Add(Cell::String(name), value);
    return builder.Build();
  }
  Cell IsIn(std::string_view name, cel::Context&) const override {
    if (name.substr(0, 5) == "role:") {
      return Cell::Error(cel::ErrorCode::kBadArgument, "a role is no entity");
    }
    return Cell::Bool(names_.count(std::string(name)) > 0);
  }

 private:
  const std::map<std::string, Cell> facts_;
  const std::set<std::string> names_;  // That it lies in.
};

void AddAttributes(const Attributes* attributes, std::map<std::string, Cell>* facts) {
  if (attributes == nullptr) return;
  for (const auto& [name, value] : *attributes) facts->emplace(name, Cell::Of(value));
}

class World {
 public:
  World() : json_(JsonRequest::Parse(RequestText())), request_(json_.request()) {
    const Principal& principal = *request_.principal;
    std::map<std::string, Cell> facts = {
        {"type", Cell::String(principal.id.type)},
        {"id", Cell::String(principal.id.id)},
        {"name", Cell::String(principal.name())},
        {"groups", Cell::Strings(principal.groups)},
        {"assurance", Cell::String(ToString(principal.assurance))},
        {"via", Cell::String(principal.via)},
    };
    AddAttributes(&principal.attributes, &facts);
    std::set<std::string> names = {ToString(EntityView(principal.id))};
    for (const std::string& group : principal.groups) names.insert("group:" + group);
    principal_ = std::make_unique<Entity>(std::move(facts), std::move(names));

    facts = {{"type", Cell::String(request_.resource.type)},
             {"id", Cell::String(request_.resource.id)},
             {"name", Cell::String(request_.resource.id)}};
    AddAttributes(request_.resource_attributes, &facts);
    names = {ToString(request_.resource)};
    for (const EntityId& parent : request_.resource_parents) {
      names.insert(ToString(EntityView(parent)));
    }
    resource_ = std::make_unique<Entity>(std::move(facts), std::move(names));

    facts = {};
    AddAttributes(request_.context, &facts);
    context_ = std::make_unique<Entity>(std::move(facts), std::set<std::string>());

    using cel::Type;
    using cel::TypeKind;
    const Type attributes = Type::Map(Type::Of(TypeKind::kString), Type::Dyn());
    for (const char* name : {"principal", "resource", "context"}) {
      environment_.AddVariable(name, attributes);
    }
    environment_.AddVariable("action", Type::Of(TypeKind::kString));
    environment_.AddVariable("folder", Type::Of(TypeKind::kString));
    variables_ = {{"principal", Cell::Entity(principal_.get())},
                  {"resource", Cell::Entity(resource_.get())},
                  {"context", Cell::Entity(context_.get())},
                  {"action", Cell::String(request_.action)},
                  {"folder", Cell::String("finance")}};
  }

  const cel::Environment& environment() const { return environment_; }

  // As the document writes it: what stands before the result, and the result.
  std::pair<std::string, std::string> Evaluate(const std::string& text) const {
    std::vector<cel::Defect> defects;
    const auto expression = cel::Expression::Compile(text, environment_, {}, &defects);
    if (!expression.has_value()) {
      std::string messages;
      for (const cel::Defect& defect : defects) {
        messages += (messages.empty() ? "" : "; ") + defect.message;
      }
      return {"does not load: ", messages};
    }
    cel::Machine machine;
    machine.Begin(1'000'000, size_t{1} << 20, expression->room());
    const Cell value = expression->Evaluate(variables_, &machine);
    return {value.is_error() ? "unknown: " : "", cel::ToString(value)};
  }

 private:
  const JsonRequest json_;
  const Request request_;
  std::unique_ptr<Entity> principal_;
  std::unique_ptr<Entity> resource_;
  std::unique_ptr<Entity> context_;
  cel::Environment environment_;
  std::map<std::string, Cell, std::less<>> variables_;
};

// --- The examples ---

TEST(ConditionsTest, ExamplesAreTrue) {
  const World world;
  const std::vector<Example> examples = Examples();
  EXPECT_GT(examples.size(), 250U);
  for (const Example& example : examples) {
    EXPECT_EQ(world.Evaluate(example.expression), std::pair(example.kind, example.result))
        << example;
  }
}

// Names that the expression calls, with the number of arguments: "all/2"; of `a.b(x)` both "b/1"
// and "a.b/1". Macros are calls here.
std::set<std::string> CallsOf(const std::string& expression) {
  std::set<std::string> calls;
  cel::ParseOptions options;
  options.expand_macros = false;
  std::vector<cel::Defect> defects;
  const auto ast = cel::Parse(expression, options, &defects);
  if (!ast.has_value()) return calls;
  for (const cel::Expr& expr : ast->nodes) {
    if (expr.kind != cel::ExprKind::kCall) continue;
    const std::string call = expr.name + "/" + std::to_string(expr.args.size());
    calls.insert(call);
    if (expr.operand == cel::kNoExpr) continue;
    const cel::Expr& operand = (*ast)[expr.operand];
    if (operand.kind == cel::ExprKind::kIdent) calls.insert(operand.name + "." + call);
  }
  return calls;
}

std::set<std::string> CallsOfExamples() {
  std::set<std::string> calls;
  for (const Example& example : Examples()) calls.merge(CallsOf(example.expression));
  return calls;
}

// Whether one of `calls` is of `name`, with any number of arguments.
bool IsCalled(const std::set<std::string>& calls, const std::string& name) {
  const auto call = calls.lower_bound(name + "/");
  return call != calls.end() && call->substr(0, name.size() + 1) == name + "/";
}

TEST(ConditionsTest, EachFunctionHasAnExample) {
  const std::set<std::string> calls = CallsOfExamples();
  for (const cel::Function& function : cel::Functions()) {
    const std::string name(function.name);
    if (name[0] == '@') continue;  // for macros only
    EXPECT_TRUE(IsCalled(calls, name)) << name;
  }
  const World world;
  for (const auto& [name, overloads] : world.environment().functions()) {
    if (name[0] == '@' && name != cel::op::kIn) continue;
    EXPECT_TRUE(IsCalled(calls, name)) << name;
  }
}

TEST(ConditionsTest, EachMacroHasAnExample) {
  const std::set<std::string> calls = CallsOfExamples();
  for (const char* macro : {"has/1",
                            "all/2",
                            "all/3",
                            "exists/2",
                            "exists/3",
                            "exists_one/2",
                            "exists_one/3",
                            "existsOne/2",
                            "existsOne/3",
                            "filter/2",
                            "map/2",
                            "map/3",
                            "transformList/3",
                            "transformList/4",
                            "transformMap/3",
                            "transformMap/4",
                            "transformMapEntry/3",
                            "transformMapEntry/4",
                            "sortBy/2",
                            "optMap/2",
                            "optFlatMap/2",
                            "cel.bind/3",
                            "cel.block/2",
                            "cel.index/1",
                            "cel.iterVar/2",
                            "cel.accuVar/2"}) {
    EXPECT_EQ(calls.count(macro), 1U) << macro;
  }
}

// --- Policies ---

std::string ShownIssues(const LoadResult& result) {
  std::string shown;
  for (const Issue& issue : result.issues) shown += ToString(issue) + "\n" + Excerpt(issue);
  return shown;
}

TEST(ConditionsTest, PoliciesLoadAsShown) {
  const std::vector<Block>& blocks = Conditions().blocks;
  size_t policies = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const bool wrong = blocks[i].kind == "yaml error";  // The next block tells what is.
    if (!wrong && blocks[i].kind != "yaml") continue;
    EXPECT_EQ(ShownIssues(LoadPolicy({{"policy.yaml", blocks[i].text}})),
              wrong && i + 1 < blocks.size() ? blocks[i + 1].text : "");
    ++policies;
  }
  EXPECT_EQ(policies, 4U);
}

// doc/policy-language.md shows one set.
TEST(PolicyLanguageTest, FilesLoad) {
  std::vector<SourceFile> files;
  for (const Block& block : ReadDocument("doc/policy-language.md").blocks) {
    if (block.kind == "yaml") files.push_back({std::to_string(files.size()) + ".yaml", block.text});
  }
  EXPECT_EQ(files.size(), 2U);
  EXPECT_EQ(ShownIssues(LoadPolicy(files)), "");
}

// --- The table of what is unknown ---

struct Row {
  size_t line;
  std::vector<std::string> cells;
};

std::vector<Row> UnknownRows() {
  std::vector<Row> rows;
  bool in_table = false;
  for (const Line& line : Conditions().lines) {
    if (line.text.substr(0, 2) != "| ") {
      in_table = false;
    } else if (line.text == "| kind | condition | facts | allow | deny | error |") {
      in_table = true;
    } else if (in_table && line.text.substr(0, 5) != "| ---") {
      Row row = {line.number, {}};
      size_t begin = 2;
      for (size_t end; (end = line.text.find(" |", begin)) != std::string::npos; begin = end + 3) {
        const std::string cell = line.text.substr(begin, end - begin);
        const std::vector<Code> codes = CodesOf(cell);
        row.cells.push_back(cell.front() == '`' && codes.size() == 1 ? codes[0].text : cell);
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

// Decides by one rule of `effect` with `condition`; returns the reason, where the rule stands with
// its outcome, and the error.
std::string Decide(const std::string& effect, const std::string& condition,
                   const std::string& facts) {
  const LoadResult loaded =
      LoadPolicy({{"policy.yaml", "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect: " + effect +
                                      "\n    principals: [anyone]\n    actions: [any]\n"
                                      "    resources: [any]\n    when: |\n      " +
                                      condition + "\n"}});
  if (!loaded.ok()) return ShownIssues(loaded);
  json text = json::parse(RequestText());
  const bool groups_complete = facts != "groups not complete";
  if (groups_complete) text["resource"]["properties"].update(json::parse(facts));
  const JsonRequest parsed = JsonRequest::Parse(text.dump());
  Request request = parsed.request();
  Principal principal = *request.principal;
  principal.groups_complete = groups_complete;
  request.principal = &principal;

  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(options);
  if (!engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return "no engine";
  const Decision decision = (*engine)->Decide(request);
  std::ostringstream out;
  out << ToString(decision.reason());
  for (const RuleOutcome& rule : decision.rules()) out << ", rule " << ToString(rule.clauses[0]);
  for (const RuleOutcome& rule : decision.near_misses()) {
    out << ", near miss " << ToString(rule.clauses[0]);
  }
  if (decision.reason() == Reason::kLimit) {
    out << ": " << decision.error();
  } else {
    for (const RuleExplanation& rule : Explain(decision, request).rules) {
      for (const ClauseExplanation& clause : rule.clauses) out << ": " << clause.error;
    }
  }
  return out.str();
}

TEST(ConditionsTest, WhatIsUnknownDeniesAsTheTableSays) {
  const std::vector<Row> rows = UnknownRows();
  EXPECT_GT(rows.size(), 25U);
  for (const Row& row : rows) {
    ASSERT_EQ(row.cells.size(), 6U) << row.line;
    const auto want = [&row](const std::string& reason, const std::string& place) {
      return reason + (reason == "limit" ? "" : ", " + place + " unknown") + ": " + row.cells[5];
    };
    EXPECT_EQ(Decide("allow", row.cells[1], row.cells[2]), want(row.cells[3], "near miss"))
        << "doc/conditions.md:" << row.line;
    EXPECT_EQ(Decide("deny", row.cells[1], row.cells[2]), want(row.cells[4], "rule"))
        << "doc/conditions.md:" << row.line;
  }
}

// --- The command ---

TEST(ConditionsTest, CommandAnswersAsShown) {
  const auto& blocks = Conditions().blocks;
  const auto session = std::find_if(blocks.begin(), blocks.end(), [](const Block& block) {
    return block.text.substr(0, 2) == "$ ";
  });
  ASSERT_NE(session, blocks.end());
  std::istringstream lines(session->text);
  std::string printed;
  for (std::string line; std::getline(lines, line);) {
    if (line.substr(0, 2) != "$ ") continue;
    printed += line + "\n";
    std::string command = line.substr(2);
    command.replace(command.find("reeve"), 5, "cli/reeve");
    FILE* const program = popen(("{ " + command + "; } 2>&1").c_str(), "r");
    ASSERT_NE(program, nullptr);
    for (int c; (c = std::fgetc(program)) != EOF;) printed.push_back(static_cast<char>(c));
    pclose(program);
  }
  EXPECT_EQ(printed, session->text);
}

}  // namespace
}  // namespace reeve
