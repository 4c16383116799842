// What rules with conditions decide.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/engine/explain.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using testing::MakeId;
using testing::MakePrincipal;

constexpr char kEntities[] = R"(
reeve: 1
entities:
  - {id: "group:leads", parents: ["group:staff"]}
  - {id: "user:ada@X", parents: ["team:blue"], attributes: {level: 1, site: berlin,
      team: "team:blue", folder: "folder:finance", teams: ["team:red", "team:blue"],
      box: {team: "team:red"}}}
  - {id: "doc:/f/q3", parents: ["folder:finance"], attributes: {owner: bob, stored: true}}
)";

// The request of every case: ada, a lead, reads /f/q3 on a Wednesday.
struct World {
  World() {
    principal.attributes = {{"level", Value::Int(7)},
                            {"name", Value::String("eve")},
                            {"tags", Value::Of(Value::List{Value::Int(1), Value::String("a")})}};
    principal.via = "unix";
    resource_attributes = {{"owner", Value::String("ada@X")}, {"size", Value::Int(4096)}};
    context = {{"tls", Value::Bool(true)},
               {"time", Value::String("noon")},
               {"a", Value::Of(Attributes{{"b", Value::String("good")}})},
               {std::string("a\0b", 3), Value::String("x")}};
  }

  Request request() const {
    Request request(principal, "doc.read", resource);
    request.resource_attributes = &resource_attributes;
    request.context = &context;
    request.time = absl::FromUnixSeconds(1795600800);  // 2026-11-25T10:00:00Z
    return request;
  }

  Principal principal = MakePrincipal("user:ada@X", {"leads"});
  EntityId resource = MakeId("doc:/f/q3");
  Attributes resource_attributes;
  Attributes context;
};

// Sets the audit level of `options`.
std::unique_ptr<Engine> MakeEngine(const std::string& yaml, Engine::Options& options) {
  const LoadResult loaded =
      LoadPolicy({{"p.yaml", "reeve: 1\npolicy: p\n" + yaml}, {"e.yaml", kEntities}});
  for (const Issue& issue : loaded.issues) ADD_FAILURE() << ToString(issue);
  options.audit_level = AuditLevel::kOff;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  EXPECT_EQ(engine->Replace(loaded.snapshot).ok(), loaded.ok());
  return engine;
}

std::unique_ptr<Engine> MakeEngine(const std::string& yaml) {
  Engine::Options options;
  return MakeEngine(yaml, options);
}

// `p/r TFU-`: an id and the outcomes of its clauses.
std::string Describe(Decision::Rules rules) {
  std::string text;
  for (const RuleOutcome& rule : rules) {
    text.append(text.empty() ? "" : ", ").append(rule.id());
    for (size_t i = 0; i < rule.when().size(); ++i) {
      text += (i == 0 ? " " : "");
      text += "-FUT"[static_cast<int>(rule.clauses[i])];
    }
  }
  return text;
}

std::string Describe(const Decision& decision) {
  std::string text = std::string(ToString(decision.reason())) + ": " + Describe(decision.rules());
  if (!decision.near_misses().empty()) text += "; missed: " + Describe(decision.near_misses());
  if (!decision.shadow_rules().empty()) text += "; shadow: " + Describe(decision.shadow_rules());
  return text;
}

struct Case {
  const char* name;
  const char* yaml;  // From `rules:` on, or with what stands before.
  const char* want;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class ConditionsTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConditionsTest, Decide) {
  const std::unique_ptr<Engine> engine = MakeEngine(GetParam().yaml);
  const World world;
  EXPECT_EQ(Describe(engine->Decide(world.request())), GetParam().want);
  // The memory of the decision before does not show.
  EXPECT_EQ(Describe(engine->Decide(world.request())), GetParam().want);
}

#define ALLOW "effect: allow, principals: [anyone], actions: [any], resources: [any]"
#define DENY "effect: deny, principals: [anyone], actions: [any], resources: [any]"

const Case kCases[] = {
    {"True", "rules: [{id: r, " ALLOW ", when: principal.level == 7}]", "allow_rule: p/r T"},
    {"False", "rules: [{id: r, " ALLOW ", when: principal.level == 8}]",
     "no_rule: ; missed: p/r F"},
    {"Unknown", "rules: [{id: r, " ALLOW ", when: principal.rank == 8}]",
     "no_rule: ; missed: p/r U"},
    {"DenyTrue", "rules: [{id: r, " DENY ", when: principal.level == 7}, {id: s, " ALLOW "}]",
     "deny_rule: p/r T"},
    {"DenyFalse", "rules: [{id: r, " DENY ", when: principal.level == 8}, {id: s, " ALLOW "}]",
     "allow_rule: p/s"},
    {"DenyUnknown", "rules: [{id: r, " DENY ", when: principal.rank == 8}, {id: s, " ALLOW "}]",
     "deny_unknown: p/r U"},
    {"CertainDenyBesideUnknown",
     "rules: [{id: r, " DENY ", when: principal.rank == 8}, {id: s, " DENY
     ", when: principal.level > 1}]",
     "deny_rule: p/r U, p/s T"},
    // Clauses are asked in their order, to the first that is false.
    {"AllClauses",
     "rules: [{id: r, " ALLOW ", when: [principal.level > 1, context.tls, has(resource.owner)]}]",
     "allow_rule: p/r TTT"},
    {"StopsAtFalse",
     "rules: [{id: r, " ALLOW ", when: [principal.level > 1, 'false', principal.level > 2]}]",
     "no_rule: ; missed: p/r TF-"},
    {"UnknownThenTrue",
     "rules: [{id: r, " ALLOW ", when: [principal.rank > 1, principal.level > 2]}]",
     "no_rule: ; missed: p/r UT"},
    {"UnknownThenFalse",
     "rules: [{id: r, " DENY ", when: [principal.rank > 1, principal.level > 9]}, {id: s, " ALLOW
     "}]",
     "allow_rule: p/s"},
    {"NotABool", "rules: [{id: r, " DENY ", when: principal.level}, {id: s, " ALLOW "}]",
     "deny_unknown: p/r U"},
    // What conditions see.
    {"Principal",
     "rules: [{id: r, " ALLOW
     ", when: [principal.type == 'user', principal.id == 'ada@X', principal.name == 'ada', "
     "principal.assurance == 'kernel', principal.via == 'unix', \"principal.groups == ['leads']\", "
     "'!has(principal.host)', '!has(principal.actor)']}]",
     "allow_rule: p/r TTTTTTTT"},
    {"Resource",
     "rules: [{id: r, " ALLOW
     ", when: [resource.type == 'doc', resource.id == '/f/q3', resource.name == '/f/q3']}]",
     "allow_rule: p/r TTT"},
    {"Action", "rules: [{id: r, " ALLOW ", when: action == 'doc.read'}]", "allow_rule: p/r T"},
    {"Time", "rules: [{id: r, " ALLOW ", when: context.time.getHours('Europe/Berlin') == 11}]",
     "allow_rule: p/r T"},
    {"RequestOverlaysStored",
     "rules: [{id: r, " ALLOW
     ", when: [principal.level == 7, principal.site == 'berlin', resource.owner == 'ada@X', "
     "resource.stored]}]",
     "allow_rule: p/r TTTT"},
    {"WholeMap",
     "rules: [{id: r, " ALLOW
     ", when: [\"'site' in principal\", \"!('rank' in principal)\", \"principal['level'] == 7\", "
     "\"resource.map(k, k).sort() == ['id', 'name', 'owner', 'size', 'stored', 'type']\", "
     "\"principal.exists(k, k == 'name' && principal[k] == 'ada')\", size(context) == 4]}]",
     "allow_rule: p/r TTTTTT"},
    {"ReservedNameIsNoAttribute", "rules: [{id: r, " ALLOW ", when: [principal.name == 'eve']}]",
     "no_rule: ; missed: p/r F"},
    {"PathsOfOddNames",
     "rules: [{id: r, " ALLOW ", when: \"context['a\\\\u0000b'] == 'y'\"}, "
     "{id: s, " ALLOW ", when: \"context.a.b == 'x'\"}]",
     "no_rule: ; missed: p/r F, p/s F"},
    {"APathHasNoRealm",
     "rules: [{id: r, effect: allow, principals: [anyone], actions: [any], resources: [any], when: "
     "resource.name == '/f/q3'}]",
     "allow_rule: p/r T"},
    // Membership.
    {"IsIn",
     "rules: [{id: r, " ALLOW
     ", when: ['principal.isIn(\"group:staff\")', 'principal.isIn(\"user:ada@X\")', "
     "'principal.isIn([\"group:none\", \"team:blue\"])', 'resource.isIn(\"folder:finance\")', "
     "'!resource.isIn(\"group:staff\")', '!principal.isIn(\"folder:finance\")']}]",
     "allow_rule: p/r TTTTTT"},
    // Of texts that the set itself holds.
    {"IsInStored",
     "rules: [{id: r, " ALLOW
     ", when: ['principal.isIn(principal.team)', '!principal.isIn(principal.folder)', "
     "'resource.isIn(principal.folder)', '!resource.isIn(principal.team)', "
     "'principal.isIn(principal.teams)', '!principal.isIn(principal.box.team)']}, "
     "{id: s, effect: deny, principals: ['team:red'], actions: [any], resources: [any]}]",
     "allow_rule: p/r TTTTTT"},
    {"IsInRole", "rules: [{id: r, " ALLOW ", when: 'principal.isIn(\"role:\" + action)'}]",
     "no_rule: ; missed: p/r U"},
    // Names.
    {"Let",
     "let: {high: principal.level > 5, both: high && context.tls}\n"
     "rules: [{id: r, " ALLOW ", when: [both, high]}]",
     "allow_rule: p/r TT"},
    {"LetUnknown",
     "let: {ranked: principal.rank > 5}\n"
     "rules: [{id: r, " ALLOW ", when: ranked}, {id: s, " ALLOW ", when: '!ranked'}]",
     "no_rule: ; missed: p/r U, p/s U"},
    // Bindings.
    {"Binding",
     "rules: [{id: r, effect: allow, principals: ['user:{who}@X'], actions: [any], resources: "
     "['doc:/{top}/**'], when: [who == principal.name, top == 'f']}]",
     "allow_rule: p/r TT"},
    {"OneOfSeveralWays",
     "rules: [{id: r, effect: allow, principals: [anyone], actions: [any], resources: "
     "['doc:/{x}/*', 'doc:/*/{x}', 'doc:/f/q{x}'], when: [x == 'q3', size(x) > 1]}]",
     "allow_rule: p/r TT"},
    {"NoWayIsTrue",
     "rules: [{id: r, effect: allow, principals: [anyone], actions: [any], resources: "
     "['doc:/{x}/*', 'doc:/*/{x}'], when: [x == 'g']}]",
     "no_rule: ; missed: p/r F"},
    {"UnknownInOneWay",
     "rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: "
     "['doc:/{x}/*', 'doc:/*/{x}'], when: [\"x == 'q3' && principal.rank > 1\"]}, {id: s, " ALLOW
     "}]",
     "deny_unknown: p/r U"},
    {"SameClauseOtherNumberOfItsBinding",
     "rules: [{id: r, effect: allow, principals: [anyone], actions: [any], resources: "
     "['doc:/{x}/*'], when: x == 'f'}, {id: s, effect: deny, principals: [anyone], actions: [any], "
     "resources: ['doc:/{y}/{x}'], when: [y == 'f', x == 'f']}]",
     "allow_rule: p/r T"},
    {"SameClauseOtherBinding",
     "rules: [{id: r, effect: allow, principals: [anyone], actions: [any], resources: "
     "['doc:/{x}/*'], when: x == 'f'}, {id: s, effect: allow, principals: [anyone], actions: "
     "[any], resources: ['doc:/*/{x}'], when: x == 'f'}]",
     "allow_rule: p/r T"},
    // Roles.
    {"Role",
     "roles: {owner: {when: resource.owner == principal.id}}\n"
     "rules: [{id: r, effect: allow, principals: ['role:owner'], actions: [any], resources: "
     "[any]}]",
     "allow_rule: p/r"},
    {"RoleNot",
     "roles: {owner: {when: resource.owner == 'bob'}}\n"
     "rules: [{id: r, effect: allow, principals: ['role:owner'], actions: [any], resources: "
     "[any]}]",
     "no_rule: "},
    {"RoleOfPrincipals",
     "roles: {lead: {principals: ['group:leads'], when: context.tls}, "
     "boss: {principals: ['group:bosses'], when: context.tls}}\n"
     "rules: [{id: r, effect: allow, principals: ['role:lead'], actions: [any], resources: [any]},"
     "{id: s, effect: allow, principals: ['role:boss'], actions: [any], resources: [any]}]",
     "allow_rule: p/r"},
    {"RoleUnknown",
     "roles: {ranked: {when: principal.rank > 1}}\n"
     "rules: [{id: r, effect: allow, principals: ['role:ranked'], actions: [any], resources: "
     "[any]}]",
     "no_rule: ; missed: p/r"},
    {"RoleUnknownDenies",
     "roles: {ranked: {when: principal.rank > 1}}\n"
     "rules: [{id: r, effect: deny, principals: ['role:ranked'], actions: [any], resources: "
     "[any]}, {id: s, " ALLOW "}]",
     "deny_unknown: p/r"},
    {"RoleUnknownOrNamed",
     "roles: {ranked: {when: principal.rank > 1}}\n"
     "rules: [{id: r, effect: allow, principals: ['role:ranked', 'user:ada@X'], actions: [any], "
     "resources: [any]}]",
     "allow_rule: p/r"},
    // Shadow rules.
    {"ShadowAllows", "rules: [{id: r, " ALLOW ", shadow: true, when: principal.level == 7}]",
     "no_rule: ; shadow: p/r T"},
    {"ShadowDenies",
     "rules: [{id: r, " DENY ", shadow: true, when: principal.rank == 7}, {id: s, " ALLOW "}]",
     "allow_rule: p/s; shadow: p/r U"},
};

INSTANTIATE_TEST_SUITE_P(All, ConditionsTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(ConditionsTest, MembershipInPartIsUnknown) {
  struct Row {
    const char* when;
    const char* want;
  };
  World world;
  world.principal.groups_complete = false;
  for (const Row& row : {
           Row{"'principal.isIn(\"group:leads\")'", "allow_rule: p/r T"},
           Row{"'principal.isIn(\"group:staff\")'", "allow_rule: p/r T"},
           Row{"'principal.isIn(\"group:never-heard-of\")'", "no_rule: ; missed: p/r U"},
           Row{"'!principal.isIn(\"group:never-heard-of\")'", "no_rule: ; missed: p/r U"},
           Row{"'!principal.isIn(\"team:red\")'", "allow_rule: p/r T"},
           Row{"\"'leads' in principal.groups\"", "allow_rule: p/r T"},
           Row{"\"!('admins' in principal.groups)\"", "no_rule: ; missed: p/r U"},
           Row{"\"principal.groups.exists(g, g == 'leads')\"", "allow_rule: p/r T"},
           Row{"\"principal.groups.all(g, g != 'admins')\"", "no_rule: ; missed: p/r U"},
           Row{"\"!principal.groups.all(g, g != 'leads')\"", "allow_rule: p/r T"},
           Row{"\"principal.groups.exists(g, true)\"", "allow_rule: p/r T"},
           Row{"size(principal.groups) == 1", "no_rule: ; missed: p/r U"},
       }) {
    const auto engine =
        MakeEngine("rules: [{id: r, " ALLOW ", when: " + std::string(row.when) + "}]");
    EXPECT_EQ(Describe(engine->Decide(world.request())), row.want) << row.when;
  }
}

TEST(ConditionsTest, ALimitDeniesWhateverElseMatches) {
  struct Row {
    const char* name;
    const char* rules;
    const char* want;
  };
  const std::string walk =
      "\"[1, 2, 3, 4, 5, 6, 7, 8].all(x, [1, 2, 3, 4, 5, 6, 7, 8].all(y, "
      "principal.level + x + y > 0))\"";
  const std::string text =
      "\"[1, 2, 3, 4, 5, 6, 7, 8].map(x, resource.owner + resource.owner + "
      "resource.owner).size() == 8\"";
  Engine::Options few_steps;
  few_steps.max_condition_steps = 200;
  Engine::Options few_bytes;
  few_bytes.max_condition_bytes = 100;
  const World world;
  for (const auto& [options, when] : {std::pair(few_steps, walk), std::pair(few_bytes, text)}) {
    auto decide = [&, options = options](const std::string& rules) mutable {
      const Decision decision =
          MakeEngine("rules: [" + rules + "]", options)->Decide(world.request());
      if (decision.reason() == Reason::kLimit) {
        EXPECT_EQ(decision.error(), "the conditions need more than the limit of a decision");
      }
      return Describe(decision);
    };
    EXPECT_EQ(decide("{id: r, " ALLOW ", when: " + when + "}"), "limit: ");
    EXPECT_EQ(decide("{id: a, " ALLOW "}, {id: r, " ALLOW ", when: " + when + "}"), "limit: ");
    EXPECT_EQ(decide("{id: a, " ALLOW "}, {id: r, " DENY ", when: " + when + "}"), "limit: ");
    // The expression cannot make up for it.
    EXPECT_EQ(decide("{id: r, " ALLOW ", when: " + when.substr(0, when.size() - 1) + " || true\"}"),
              "allow_rule: p/r T");  // folded: it is never run
    EXPECT_EQ(decide("{id: r, " ALLOW ", when: " + when.substr(0, when.size() - 1) +
                     " || principal.level == 7\"}"),
              "limit: ");
    // What is only tried out does not decide.
    EXPECT_EQ(decide("{id: a, " ALLOW "}, {id: r, " DENY ", shadow: true, when: " + when + "}"),
              "allow_rule: p/a; shadow: p/r U");
  }
}

TEST(ConditionsTest, ShadowRulesThatDoNotMatchStayOutOfIt) {
  Engine::Options options;
  options.max_condition_steps = 100;
  const auto engine = MakeEngine(
      "rules: [{id: a, " ALLOW "}, {id: s1, " DENY
      ", shadow: true, when: \"[1, 2, 3].all(x, [1, 2, 3].all(y, [1, 2, 3].all(z, "
      "principal.level > 0)))\"}, {id: s2, effect: deny, shadow: true, principals: ['user:{u}'], "
      "actions: ['**.write'], resources: [any], when: u == 'bob'}]",
      options);
  const World world;
  EXPECT_EQ(Describe(engine->Decide(world.request())), "allow_rule: p/a; shadow: p/s1 U");
}

TEST(ConditionsTest, PaysForWhatItLooksThrough) {
  Engine::Options options;
  options.max_condition_steps = 10'000;
  World world;
  for (int i = 0; i < 6000; ++i) world.principal.groups.push_back("g" + std::to_string(i));
  world.principal.attributes.Set("text", Value::String(std::string(60'000, 'x')));
  Value::List names;
  for (int i = 0; i < 10; ++i) names.push_back(Value::String("group:h" + std::to_string(i)));
  world.context.Set("names", Value::Of(std::move(names)));
  for (const char* when : {"principal.isIn(context.names)",
                           "context.names.all(n, !(principal.text in ['a', 'b', 'c', 'd']))"}) {
    EXPECT_EQ(
        Describe(
            MakeEngine("rules: [{id: r, " ALLOW ", when: \"" + std::string(when) + "\"}]", options)
                ->Decide(world.request())),
        "limit: ")
        << when;
  }
}

TEST(ConditionsTest, RefusesConstantsThatDoNotFit) {
  const std::string text(16'000, 'z');
  const LoadResult loaded =
      LoadPolicy({{"p.yaml", "reeve: 1\npolicy: p\nrules: [{id: r, " ALLOW
                             ", when: \"(dyn(lists.range(1100).map(i, '" +
                                 text + "')) || context.z) && context.a == context.b\"}]\n"}});
  EXPECT_FALSE(loaded.ok());
  ASSERT_EQ(loaded.issues.size(), 1u);
  EXPECT_EQ(loaded.issues[0].message, "the constants of the expression are too large");
}

// Those that are written out and those that are computed, of which each would fit.
TEST(ConditionsTest, RefusesConstantsThatDoNotFitTogether) {
  constexpr int kTexts = 160;
  const auto load = [](int computed) {
    std::string yaml = "reeve: 1\npolicy: p\nlet:\n";
    std::string when = "(dyn(lists.range(" + std::to_string(computed) + ").map(i, '" +
                       std::string(16'000, 'z') + "')) || context.z) && (false";
    for (int i = 0; i < kTexts; ++i) {
      const std::string name = "t" + std::to_string(i);
      yaml.append("  ").append(name).append(": \"'").append(60'000, 'a').append("'\"\n");
      when += " || context.a == " + name;
    }
    return LoadPolicy(
        {{"p.yaml", yaml + "rules: [{id: r, " ALLOW ", when: \"" + when + ")\"}]\n"}});
  };
  for (const Issue& issue : load(10).issues) ADD_FAILURE() << ToString(issue);
  const LoadResult loaded = load(600);
  ASSERT_EQ(loaded.issues.size(), 1u);
  EXPECT_EQ(loaded.issues[0].message, "the constants of the expression are too large");
}

TEST(ConditionsTest, NamesTheFirstNearMisses) {
  std::string rules;
  for (const char c : std::string("abcdefghijkl")) {
    rules += std::string(rules.empty() ? "" : ", ") + "{id: " + c +
             ", " ALLOW ", when: principal.level == 1}";
  }
  const World world;
  EXPECT_EQ(Describe(MakeEngine("rules: [" + rules + "]")->Decide(world.request())),
            "no_rule: ; missed: p/a F, p/b F, p/c F, p/d F, p/e F, p/f F, p/g F, p/h F");
}

// Whom a rule names through another role is told as well, and why.
TEST(ConditionsTest, ExplainsRolesOfRoles) {
  const auto engine = MakeEngine(
      "roles:\n"
      "  secure: {when: context.tls}\n"
      "  ranked: {when: principal.rank > 1}\n"
      "  outer: ['role:secure']\n"
      "  both: {principals: ['role:outer', 'role:ranked'], when: principal.level == 8}\n"
      "rules:\n"
      "  - {id: a, effect: allow, principals: ['role:both'], actions: [any], resources: [any]}\n");
  const World world;
  const Explanation explanation = Explain(engine->Decide(world.request()), world.request());
  std::string text;
  for (const RoleExplanation& role : explanation.roles) {
    text += std::string(role.name) + " " + std::string(ToString(role.members)) + " " +
            std::string(ToString(role.all)) + "\n";
  }
  EXPECT_EQ(text, "p/both yes no\np/outer yes yes\np/ranked yes unknown\np/secure yes yes\n");
}

// Roles that need more than a limit together, and none of them alone.
TEST(ConditionsTest, ExplainsEachRuleWithinALimitOfItsOwn) {
  std::string roles, rules, want;
  for (const char* n : {"1", "2", "3", "4", "5", "6"}) {
    std::string walk = std::string("principal.level + a > ") + n;
    for (const char x : std::string("abcde")) {
      walk = std::string("[1, 2, 3, 4, 5, 6, 7, 8].all(") + x + ", " + walk + ")";
    }
    roles += std::string("  r") + n + ": {when: '" + walk + "'}\n";
    rules += std::string("  - {id: '") + n + "', effect: allow, principals: ['role:r" + n +
             "'], actions: [any], resources: [any]}\n";
    want += std::string("p/") + n + " yes\n";
  }
  const auto engine = MakeEngine("roles:\n" + roles + "rules:\n" + rules);
  const World world;
  const Decision decision = engine->Decide(world.request());
  EXPECT_EQ(Describe(decision), "limit: ");
  std::string text;
  for (const RuleExplanation& rule : Explain(decision, world.request()).rules) {
    text += rule.rule->id + " " + std::string(ToString(rule.principals)) + "\n";
  }
  EXPECT_EQ(text, want);
}

TEST(ConditionsTest, ExplainsEveryClause) {
  const auto engine = MakeEngine(
      "roles: {ranked: {when: principal.rank > 1}}\n"
      "rules:\n"
      "  - {id: a, " ALLOW
      ", when: [principal.level == 8, principal.rank == 1, context.tls, principal.level]}\n"
      "  - {id: b, effect: allow, principals: ['role:ranked'], actions: [any], resources: [any]}\n"
      "  - {id: c, effect: deny, principals: [anyone], actions: [any], resources: "
      "['doc:/{x}/*', 'doc:/*/{x}'], when: [\"x == 'g'\", \"size(x) / 0 == 1\"]}\n"
      "  - {id: d, effect: deny, principals: [anyone], actions: [any], resources: "
      "['doc:/secret/{x}'], when: [\"x == 'g'\"]}\n");
  const World world;
  const Decision decision = engine->Decide(world.request());
  const Explanation explanation = Explain(decision, world.request());
  const auto clauses_of = [](const std::vector<ClauseExplanation>& clauses) {
    std::string text;
    for (const ClauseExplanation& clause : clauses) {
      text += "  " + std::string(ToString(clause.outcome)) + " " + clause.clause->text +
              (clause.error.empty() ? "" : ": " + clause.error) + "\n";
      for (const FactExplanation& fact : clause.facts) {
        text += "    " + fact.path + (fact.known ? " = " : " ? ") + fact.value + "\n";
      }
    }
    return text;
  };
  std::string text;
  for (const RuleExplanation& rule : explanation.rules) {
    text += rule.rule->id + " " + std::string(ToString(rule.principals)) + " " +
            std::string(ToString(rule.actions)) + " " + std::string(ToString(rule.resources)) +
            "\n";
    text += clauses_of(rule.clauses);
  }
  for (const RoleExplanation& role : explanation.roles) {
    text += "role " + std::string(role.name) + " " + std::string(ToString(role.members)) + " " +
            std::string(ToString(role.all)) + "\n" + clauses_of(role.clauses);
  }
  for (const NearestMiss& miss : explanation.nearest) {
    text +=
        "nearest " + miss.Of(explanation.rules).rule->id + (miss.principals ? " principals" : "");
    for (const size_t clause : miss.clauses) text += " " + std::to_string(clause);
    text += "\n";
  }
  EXPECT_EQ(text,
            "p/a yes yes yes\n"
            "  false principal.level == 8\n"
            "    principal.level = 7\n"
            "  unknown principal.rank == 1: no such key: rank\n"
            "    principal.rank ? no such key: rank\n"
            "  true context.tls\n"
            "    context.tls = true\n"
            "  unknown principal.level: neither true nor false, but of type int\n"
            "    principal.level = 7\n"
            "p/b unknown yes yes\n"
            "p/c yes yes yes\n"
            "  false x == 'g'\n"
            "    x = \"f\"\n"
            "  unknown size(x) / 0 == 1: division by zero\n"
            "    x = \"f\"\n"
            "p/d yes yes no\n"
            "role p/ranked yes unknown\n"
            "  unknown principal.rank > 1: no such key: rank\n"
            "    principal.rank ? no such key: rank\n"
            "nearest p/b principals\n");
}

// One condition in many rules is one condition.
TEST(ConditionsTest, ARuleDoesNotPayForWhatAnotherHasAsked) {
  Engine::Options options;
  options.max_condition_steps = 2000;
  std::string rules;
  for (int i = 0; i < 500; ++i) {
    rules += std::string(i == 0 ? "" : ", ") + "{id: r" + std::to_string(i) +
             ", " DENY ", when: \"resource.owner.startsWith('bob') || principal.level > 90\"}";
  }
  const World world;
  EXPECT_EQ(Describe(MakeEngine("rules: [" + rules + ", {id: s, " ALLOW "}]", options)
                         ->Decide(world.request())),
            "allow_rule: p/s");
}

}  // namespace
}  // namespace reeve
