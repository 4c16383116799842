// Every kind of condition that has no value, in an allow rule and in a deny rule, from the policy
// file to the record: what the command answers, records and explains. What JSON cannot say of a
// principal goes through the library, into a record of the same form.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "reeve/adapters/authzen/request_json.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/explain.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"
#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using end_to_end::WorkDirectory;
using nlohmann::json;

std::vector<json> JsonLines(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

// A rule in YAML; `more` are further keys.
std::string RuleText(const std::string& id, const std::string& effect, const std::string& resource,
                     const std::string& more = "") {
  return "  - {id: " + id + ", effect: " + effect +
         ", principals: [anyone], actions: [any], resources: ['doc:" + resource + "']" +
         (more.empty() ? "" : ", " + more) + "}\n";
}

struct Kind {
  const char* name;
  const char* when;
  const char* resource;  // Its properties.
  const char* error;     // As it is explained.
  const char* subject = "{}";
  const char* context = "{}";
  void (*change)(Principal*) = nullptr;  // What JSON cannot say.
};

std::ostream& operator<<(std::ostream& os, const Kind& kind) { return os << kind.name; }

void Incomplete(Principal* principal) { principal->groups_complete = false; }

const Kind kKinds[] = {
    // What is missing.
    {"Attribute", "resource.label == 'public'", "{}", "no such key: label"},
    {"AttributeOfThePrincipal", "principal.level > 5", "{}", "no such key: level"},
    {"FieldOfTheContext", "context.ip == '192.0.2.1'", "{}", "no such key: ip"},
    {"KeyOfAMap", "resource.review.by == 'ada'", R"({"review": {"on": 1}})", "no such key: by"},
    {"KeyByIndex", "resource.review['by'] == 'ada'", R"({"review": {}})", "no such key: by"},
    {"Actor", "principal.actor == 'user:grace'", "{}", "no such key: actor"},
    {"Host", "principal.host != 'db1'", "{}", "no such key: host"},
    {"ValueOfAnOptional", "resource.?label.value() == 'public'", "{}",
     "an optional without a value has none"},
    {"ValueOfNone", "optional.none().value() == resource.size", R"({"size": 1})",
     "an optional without a value has none"},
    // An attribute of that name does not stand in for what is absent.
    {"ClaimedActor", "principal.actor == 'user:grace'", "{}", "no such key: actor", "{}", "{}",
     [](Principal* principal) { principal->attributes.Set("actor", Value::String("user:grace")); }},
    // What is of another type.
    {"OrderOfUnlikeTypes", "resource.size > 100", R"({"size": "2048"})", "no such overload: >"},
    {"OrderOfNull", "resource.size > 100", R"({"size": null})", "no such overload: >"},
    {"SumOfUnlikeTypes", "resource.size + 1.5 > 1.0", R"({"size": 1})", "no such overload: +"},
    {"ArgumentOfAFunction", "resource.owner.startsWith('a')", R"({"owner": ["ada"]})",
     "no such overload: startsWith"},
    {"SelectionFromText", "resource.owner.name == 'ada'", R"({"owner": "ada"})",
     "no such overload: ."},
    {"InText", "'a' in resource.owner", R"({"owner": "ada"})", "no such overload: in"},
    {"WalkOverText", "resource.tags.all(t, t != 'draft')", R"({"tags": "draft"})",
     "no such overload: a comprehension"},
    {"ClauseThatIsNoBool", "resource.locked", R"({"locked": "yes"})",
     "neither true nor false, but of type string"},
    {"ClauseThatIsNull", "resource.locked", R"({"locked": null})",
     "neither true nor false, but of type null_type"},
    {"ClauseThatIsANumber", "resource.locked", R"({"locked": 1})",
     "neither true nor false, but of type int"},
    {"NegationOfText", "!resource.locked", R"({"locked": "no"})", "not a bool"},
    {"OperandThatIsNoBool", "resource.locked || resource.size > 1",
     R"({"locked": "yes", "size": 1})", "not a bool"},
    {"Branch", "resource.locked ? true : false", R"({"locked": "yes"})", "not a bool"},
    // What cannot be computed.
    {"DivisionByZero", "10 / resource.size == 1", R"({"size": 0})", "division by zero"},
    {"ModulusByZero", "10 % resource.size == 1", R"({"size": 0})", "division by zero"},
    {"Overflow", "resource.size + 1 > 0", R"({"size": 9223372036854775807})", "out of range"},
    {"OverflowOfANegation", "-resource.size > 0", R"({"size": -9223372036854775808})",
     "out of range"},
    {"IndexOutOfRange", "resource.tags[1] == 'q3'", R"({"tags": ["q3"]})", "index out of range"},
    {"NegativeIndex", "resource.tags[resource.size] == 'q3'", R"({"tags": ["q3"], "size": -1})",
     "index out of range"},
    {"NoNumber", "int(resource.size) > 1", R"({"size": "x"})", "cannot be converted: x"},
    {"NoTime", "timestamp(resource.created) < context.time", R"({"created": "yesterday"})",
     "cannot be converted: yesterday"},
    {"NoDuration", "duration(resource.keep) > duration('1h')", R"({"keep": "2 days"})",
     "cannot be converted: 2 days"},
    {"NoAddress", "cidr('192.0.2.0/24').containsIP(resource.host)", R"({"host": "db1"})",
     "cannot be converted: not an IP address"},
    {"NoTimeZone", "context.time.getHours(resource.zone) > 8", R"({"zone": "Mars/Olympus"})",
     "no such time zone: Mars/Olympus"},
    {"BadRegularExpression", "action.matches(resource.verbs)", R"({"verbs": "("})",
     "bad regular expression: missing ): ("},
    {"NestedTooDeeply",
     "size([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[resource.tags"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]) == 1",
     R"({"tags": []})", "nested too deeply"},
    // Text of a request is shown escaped.
    {"ControlCharacters", "int(resource.size) > 1", R"({"size": "\u001b[2J\n"})",
     "cannot be converted: \\x1b[2J\\x0a"},
    // A part that has a value does not make up for one that has none.
    {"AndTrue", "resource.label == 'public' && action == 'doc.read'", "{}", "no such key: label"},
    {"OrFalse", "resource.label == 'public' || action == 'doc.write'", "{}", "no such key: label"},
    {"NotOfUnknown", "!(resource.label == 'public')", "{}", "no such key: label"},
    // Roles have no members to ask for.
    {"Role", "principal.isIn(resource.readers)", R"({"readers": "role:senior"})",
     "bad argument: a role is no entity"},
    // Groups that are not all known.
    {"InGroups", "'audit' in principal.groups", "{}", "not all groups are known", "{}", "{}",
     Incomplete},
    {"NotInGroups", "!('audit' in principal.groups)", "{}", "not all groups are known", "{}", "{}",
     Incomplete},
    {"SizeOfGroups", "size(principal.groups) == 1", "{}", "not all groups are known",
     R"({"groups": ["staff"]})", "{}", Incomplete},
    {"IsIn", "principal.isIn('group:audit')", "{}", "not all groups are known", "{}", "{}",
     Incomplete},
    {"IsNotIn", "!principal.isIn('group:audit')", "{}", "not all groups are known", "{}", "{}",
     Incomplete},
    {"IsInOneOf", "principal.isIn(['user:bob', 'group:audit'])", "{}", "not all groups are known",
     "{}", "{}", Incomplete},
};

std::string PolicyText() {
  std::string text = "reeve: 1\npolicy: unknown\nrules:\n";
  for (const Kind& kind : kKinds) {
    const std::string name = kind.name;
    for (const std::string effect : {"allow", "deny"}) {
      text += RuleText(effect + "-" + name, effect, "/" + effect + "/" + name,
                       "when: " + Quoted(kind.when));
    }
  }
  // What is denied would be allowed, were it not for the rule.
  return text + RuleText("open", "allow", "/deny/**");
}

std::string ResourceName(const Kind& kind, const std::string& effect) {
  return "doc:/" + effect + "/" + kind.name;
}

std::string RequestText(const Kind& kind, const std::string& effect) {
  return json({{"subject",
                {{"type", "user"}, {"id", "ada"}, {"properties", json::parse(kind.subject)}}},
               {"action", {{"name", "doc.read"}}},
               {"resource",
                {{"type", "doc"},
                 {"id", "/" + effect + "/" + kind.name},
                 {"properties", json::parse(kind.resource)}}},
               {"context", json::parse(kind.context)}})
      .dump();
}

// What the rule's only clause came to, by Explain().
struct Explained {
  std::string outcome;
  std::string error;
};

class UnknownTest : public testing::TestWithParam<Kind> {
 protected:
  static void SetUpTestSuite() {
    directory_ = new WorkDirectory;
    answers_ = new std::map<std::string, json>;
    records_ = new std::map<std::string, json>;
    explained_ = new std::map<std::string, Explained>;
    policy_ = new std::string(directory_->Write("unknown.yaml", PolicyText()));
    DecideByCommand();
    DecideByLibrary();
    const Ended query = RunProgram({"cli/reeve", "audit", "query", "--format", "jsonl", "--limit",
                                    "1000", *directory_ / "audit.db"});
    for (json& record : JsonLines(query.out)) {
      (*records_)[record["resource"].get<std::string>()] = record;
    }
  }

  static void TearDownTestSuite() {
    delete policy_;
    delete explained_;
    delete records_;
    delete answers_;
    delete directory_;
  }

  static void DecideByCommand() {
    std::string requests;
    std::vector<std::string> resources;
    for (const Kind& kind : kKinds) {
      if (kind.change != nullptr) continue;
      for (const char* effect : {"allow", "deny"}) {
        requests += RequestText(kind, effect) + "\n";
        resources.push_back(ResourceName(kind, effect));
      }
    }
    const Ended ended = RunProgram(
        {"cli/reeve", "check", "--jsonl", "--audit", *directory_ / "audit.db", *policy_}, requests);
    const std::vector<json> answers = JsonLines(ended.out);
    for (size_t i = 0; i < std::min(answers.size(), resources.size()); ++i) {
      (*answers_)[resources[i]] = answers[i];
    }
  }

  static void DecideByLibrary() {
    const LoadResult loaded = LoadPolicy(*policy_);
    ASSERT_TRUE(loaded.ok());
    auto store = AuditStore::Open(*directory_ / "audit.db");
    ASSERT_TRUE(store.ok());
    Engine::Options options;
    options.audit = store->get();
    const auto engine = Engine::Create(options);
    ASSERT_TRUE(engine.ok());
    ASSERT_TRUE((*engine)->Replace(loaded.snapshot).ok());
    for (const Kind& kind : kKinds) {
      if (kind.change == nullptr) continue;
      for (const std::string effect : {"allow", "deny"}) {
        const JsonRequest parsed = JsonRequest::Parse(RequestText(kind, effect));
        Request request = parsed.request();
        Principal principal = *request.principal;
        kind.change(&principal);
        request.principal = &principal;
        const Decision decision = (*engine)->Decide(request);
        for (const RuleExplanation& rule : Explain(decision, request).rules) {
          if (rule.clauses.empty()) continue;
          (*explained_)[rule.rule->id] = {std::string(ToString(rule.clauses[0].outcome)),
                                          rule.clauses[0].error};
        }
      }
    }
  }

  // What the command explains of the rule `id`.
  static Explained ExplainByCommand(const std::string& id, const std::string& request) {
    const Ended ended =
        RunProgram({"cli/reeve", "check", "--explain", "--format", "json", *policy_}, request);
    const json answer = json::parse(ended.out);
    for (const json& rule : answer["context"]["explanation"]["rules"]) {
      if (rule["rule"] != id) continue;
      const json& clause = rule["clauses"][0];
      return {clause["outcome"], clause.value("error", "")};
    }
    return {};
  }

  static WorkDirectory* directory_;
  static std::string* policy_;
  static std::map<std::string, json>* answers_;         // Of the command, by resource.
  static std::map<std::string, json>* records_;         // By resource.
  static std::map<std::string, Explained>* explained_;  // By rule.
};

WorkDirectory* UnknownTest::directory_;
std::string* UnknownTest::policy_;
std::map<std::string, json>* UnknownTest::answers_;
std::map<std::string, json>* UnknownTest::records_;
std::map<std::string, Explained>* UnknownTest::explained_;

TEST_P(UnknownTest, NeverAllows) {
  const Kind& kind = GetParam();
  for (const std::string effect : {"allow", "deny"}) {
    SCOPED_TRACE(effect);
    const std::string id = "unknown/" + effect + "-" + kind.name;
    const std::string resource = ResourceName(kind, effect);
    if (kind.change == nullptr) {
      const json answer = (*answers_)[resource];
      ASSERT_TRUE(answer.is_object());
      EXPECT_EQ(answer["decision"], false);
      // Errors may hold what the request said, and the one who asked hears nothing of them.
      EXPECT_EQ(answer["context"]["errors"], json::array());
      EXPECT_EQ(answer["context"]["message"], "");
    }
    const json record = (*records_)[resource];
    ASSERT_TRUE(record.is_object());
    const json here = json::array({id});
    const json nowhere = json::array();
    EXPECT_EQ(record["decision"], "deny");
    EXPECT_EQ(record["reason"], effect == "allow" ? "no_rule" : "deny_unknown");
    EXPECT_EQ(record["rules"], effect == "allow" ? nowhere : here);
    EXPECT_EQ(record["near_misses"], effect == "allow" ? here : nowhere);
    EXPECT_EQ(record["error"], "");
    EXPECT_EQ(record["clauses"],
              json::array({{{"rule", id}, {"clause", kind.when}, {"outcome", "unknown"}}}));
    const Explained explained = kind.change != nullptr
                                    ? (*explained_)[id]
                                    : ExplainByCommand(id, RequestText(kind, effect));
    EXPECT_EQ(explained.outcome, "unknown");
    EXPECT_EQ(explained.error, kind.error);
  }
}

INSTANTIATE_TEST_SUITE_P(All, UnknownTest, testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(info.param.name); });

// A role by condition: the principals of the rule are unknown, not its clauses.
TEST(UnknownRoleTest, NeverAllows) {
  const WorkDirectory directory;
  const std::string policy = directory.Write(
      "roles.yaml",
      "reeve: 1\npolicy: p\nroles: {senior: {when: principal.level > 5}}\nrules:\n"
      "  - {id: a, effect: allow, principals: ['role:senior'], actions: [any], resources: "
      "['doc:/allow']}\n"
      "  - {id: d, effect: deny, principals: ['role:senior'], actions: [any], resources: "
      "['doc:/deny']}\n" +
          RuleText("open", "allow", "/deny"));
  for (const auto& [effect, want] :
       std::map<std::string, json>{{"allow", {{"reason", "no_rule"}, {"rules", json::array()}}},
                                   {"deny", {{"reason", "deny_unknown"}, {"rules", {"p/d"}}}}}) {
    const Ended ended = RunProgram({"cli/reeve", "check", "--explain", "--format", "json", policy},
                                   json({{"subject", {{"type", "user"}, {"id", "ada"}}},
                                         {"action", {{"name", "doc.read"}}},
                                         {"resource", {{"type", "doc"}, {"id", "/" + effect}}}})
                                       .dump());
    const json context = json::parse(ended.out)["context"];
    EXPECT_EQ(context["reason"], want["reason"]);
    EXPECT_EQ(context["rules"], want["rules"]);
    for (const json& rule : context["explanation"]["rules"]) {
      if (rule["rule"] == "p/open") continue;
      EXPECT_EQ(rule["principals"], "unknown") << rule;
      EXPECT_EQ(rule["clauses"], json::array());
      EXPECT_EQ(rule["matched"], false);
    }
  }
}

// --- What is known all the same ---

struct Known {
  const char* when;
  const char* facts;  // Properties of the resource.
  bool value;
};

TEST(KnownTest, WhatDoesNotDependOnIt) {
  std::string policy = "reeve: 1\npolicy: known\nrules:\n";
  std::string requests;
  const Known rows[] = {
      {"has(resource.label) && resource.label == 'public'", "{}", false},
      {"!has(resource.label) || resource.label == 'public'", "{}", true},
      {"resource.label == 'public' || action == 'doc.read'", "{}", true},
      {"resource.label == 'public' && action == 'doc.write'", "{}", false},
      {"resource.size == '1'", R"({"size": 1})", false},
      {"resource.size != '1'", R"({"size": 1})", true},
      {"resource.size == 1.0", R"({"size": 1})", true},
      {"resource.?label.orValue('public') == 'public'", "{}", true},
      {"1.0 / resource.size > 1.0", R"({"size": 0.0})", true},
      // No property can claim to be the name, or the time.
      {"resource.name == '/4'", R"({"name": "claimed"})", false},
      {"principal.name == 'ada'", R"({"name": "claimed"})", true},
  };
  std::string want;
  for (size_t i = 0; i < std::size(rows); ++i) {
    const std::string path = "/" + std::to_string(i);
    policy += RuleText("r" + std::to_string(i), "allow", path, "when: " + Quoted(rows[i].when));
    requests +=
        json({{"subject", {{"type", "user"}, {"id", "ada"}}},
              {"action", {{"name", "doc.read"}}},
              {"resource",
               {{"type", "doc"}, {"id", path}, {"properties", json::parse(rows[i].facts)}}}})
            .dump() +
        "\n";
  }
  const WorkDirectory directory;
  const Ended ended = RunProgram(
      {"cli/reeve", "check", "--jsonl", directory.Write("known.yaml", policy)}, requests);
  const std::vector<json> answers = JsonLines(ended.out);
  ASSERT_EQ(answers.size(), std::size(rows)) << ended.err;
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i]["decision"], rows[i].value) << rows[i].when;
    EXPECT_EQ(answers[i]["context"]["reason"], rows[i].value ? "allow_rule" : "no_rule");
  }
}

// --- What needs too much ---

struct Limit {
  const char* name;
  std::string rules;  // RESOURCE stands for the resource.
  json want;          // Reason, rules and shadow rules.
};

TEST(LimitTest, DeniesWhateverElseMatches) {
  const std::string steps =
      "when: 'cel.bind(l, lists.range(2000), l.all(i, l.all(j, i + j + resource.size >= 0)))'";
  const std::string bytes = "when: 'size(lists.range(100000 + resource.size)) > 0'";
  const std::string rescued =
      "when: 'size(lists.range(100000 + resource.size)) > 0 || resource.size == 1'";
  const auto rule = [](const std::string& id, const std::string& effect,
                       const std::string& more = "") {
    return RuleText("NAME-" + id, effect, "/NAME", more);
  };
  const json limit = {"limit", json::array(), json::array()};
  const Limit rows[] = {
      {"StepsOfAnAllowRule", rule("a", "allow", steps), limit},
      {"BytesOfAnAllowRule", rule("a", "allow", bytes), limit},
      {"StepsOfADenyRule", rule("d", "deny", steps), limit},
      {"BytesOfADenyRule", rule("d", "deny", bytes), limit},
      {"AllowBesideAllow", rule("a", "allow", bytes) + rule("b", "allow"), limit},
      {"AllowBehindAllow", rule("a", "allow") + rule("b", "allow", bytes), limit},
      // Where a deny rule denies no allow rule is asked.
      {"AllowBesideDeny",
       rule("a", "allow", bytes) + rule("b", "deny"),
       {"deny_rule", {"NAME-b"}, json::array()}},
      {"DenyBesideDeny", rule("a", "deny", bytes) + rule("b", "deny"), limit},
      {"DenyBesideAllow", rule("a", "allow") + rule("d", "deny", bytes), limit},
      {"MadeUpForInTheExpression", rule("a", "allow", rescued), limit},
      {"RuleThatIsFalseBefore",
       rule("a", "allow") +
           rule("d", "deny", "when: ['resource.size == 2'" + (", " + bytes.substr(6)) + "]"),
       {"allow_rule", {"NAME-a"}, json::array()}},
      {"ShadowAllow",
       rule("a", "allow") + rule("s", "allow", "shadow: true, " + steps),
       {"allow_rule", {"NAME-a"}, json::array()}},
      {"ShadowDeny",
       rule("a", "allow") + rule("s", "deny", "shadow: true, " + bytes),
       {"allow_rule", {"NAME-a"}, {"NAME-s"}}},
  };
  std::string policy = "reeve: 1\npolicy: p\nrules:\n";
  std::string requests;
  const auto named = [](std::string text, const std::string& name) {
    for (size_t at; (at = text.find("NAME")) != std::string::npos;) text.replace(at, 4, name);
    return text;
  };
  for (const Limit& row : rows) {
    policy += named(row.rules, row.name);
    requests += json({{"subject", {{"type", "user"}, {"id", "ada"}}},
                      {"action", {{"name", "doc.read"}}},
                      {"resource",
                       {{"type", "doc"},
                        {"id", std::string("/") + row.name},
                        {"properties", {{"size", 1}}}}}})
                    .dump() +
                "\n";
  }
  const WorkDirectory directory;
  const std::string db = directory / "audit.db";
  const Ended ended = RunProgram(
      {"cli/reeve", "check", "--jsonl", "--audit", db, directory.Write("limits.yaml", policy)},
      requests);
  EXPECT_EQ(ended.status, 1) << ended.err;
  const std::vector<json> answers = JsonLines(ended.out);
  const std::vector<json> records = JsonLines(
      RunProgram({"cli/reeve", "audit", "query", "--format", "jsonl", "--oldest-first", db}).out);
  ASSERT_EQ(answers.size(), std::size(rows));
  ASSERT_EQ(records.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    SCOPED_TRACE(rows[i].name);
    const json& record = records[i];
    json want = json::parse(named(rows[i].want.dump(), std::string("p/") + rows[i].name));
    EXPECT_EQ(json({record["reason"], record["rules"], record["shadow_rules"]}), want);
    EXPECT_EQ(answers[i]["decision"], want[0] == "allow_rule");
    if (want[0] != "limit") continue;
    EXPECT_EQ(record["error"], "the conditions need more than the limit of a decision");
    EXPECT_EQ(record["near_misses"], json::array());
    EXPECT_EQ(record["clauses"], json::array());
  }
}

}  // namespace
}  // namespace reeve
