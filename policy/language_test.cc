// What roles of roles, texts with facts and obligations come to: policy files and what they decide.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reeve/engine/engine.h"
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
  - {id: "doc:/f/q3", attributes: {owner: bob}}
)";

// The request of every case: ada, a lead, reads /f/q3.
struct World {
  World() {
    principal.attributes = {{"level", Value::Int(7)},
                            {"evil", Value::String("a\x1b[2J\xe2\x80\xae")},
                            {"long", Value::String(std::string(5000, 'x'))},
                            {"list", Value::Of(Value::List{Value::Int(1)})},
                            {"roles", Value::String("claimed")}};
  }

  Request request() const {
    Request request(principal, "doc.read", resource);
    request.time = absl::FromUnixSeconds(1795600800);  // 2026-11-25T10:00:00Z
    return request;
  }

  Principal principal = MakePrincipal("user:ada@X", {"leads"});
  EntityId resource = MakeId("doc:/f/q3");
};

// Sets the audit level of `options`.
std::unique_ptr<Engine> MakeEngine(std::vector<SourceFile> files, Engine::Options& options) {
  files.push_back({"e.yaml", kEntities});
  const LoadResult loaded = LoadPolicy(std::move(files));
  for (const Issue& issue : loaded.issues) {
    if (issue.severity == Issue::Severity::kError) ADD_FAILURE() << ToString(issue);
  }
  options.audit_level = AuditLevel::kOff;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  EXPECT_EQ(engine->Replace(loaded.snapshot).ok(), loaded.ok());
  return engine;
}

std::unique_ptr<Engine> MakeEngine(std::vector<SourceFile> files) {
  Engine::Options options;
  return MakeEngine(std::move(files), options);
}

// The whole answer: `allow_rule p/r; message: …; notify {"to":"ada"}; error: …`
std::string Describe(const Decision& decision) {
  std::string text(ToString(decision.reason()));
  for (const RuleOutcome& rule : decision.rules()) text.append(" ").append(rule.id());
  if (!decision.message().empty()) text.append("; message: ").append(decision.message());
  for (const MadeObligation& o : decision.obligations()) text.append("; ").append(o.ToString());
  if (!decision.error().empty()) text.append("; error: ").append(decision.error());
  return text;
}

struct Case {
  const char* name;
  const char* yaml;  // Behind `policy: p`.
  const char* want;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class LanguageTest : public ::testing::TestWithParam<Case> {};

TEST_P(LanguageTest, Decides) {
  const auto engine =
      MakeEngine({{"p.yaml", std::string("reeve: 1\npolicy: p\n") + GetParam().yaml}});
  const World world;
  EXPECT_EQ(Describe(engine->Decide(world.request())), GetParam().want);
  // The memory of the decision before does not show.
  EXPECT_EQ(Describe(engine->Decide(world.request())), GetParam().want);
}

#define ANY "actions: [any], resources: [any]"
#define ALLOW "effect: allow, principals: [anyone], " ANY
#define DENY "effect: deny, principals: [anyone], " ANY
#define OF_ROLES "rules: [{id: r, effect: allow, principals: ['role:c'], " ANY "}]"
#define READS "rules: [{id: r, " ALLOW ", when: "

const Case kCases[] = {
    // ---- Roles of roles ----
    {"RoleOfALaterRole", "roles: {c: ['role:a'], a: ['group:staff']}\n" OF_ROLES, "allow_rule p/r"},
    {"RoleOfARoleThatDoesNotHold", "roles: {c: ['role:a'], a: ['group:x']}\n" OF_ROLES, "no_rule"},
    {"RoleOfARoleByGlob", "roles: {c: ['role:b'], b: ['role:a'], a: ['user:a*']}\n" OF_ROLES,
     "allow_rule p/r"},
    {"RoleOfTwo", "roles: {c: ['role:a', 'role:b'], a: ['group:x'], b: ['group:leads']}\n" OF_ROLES,
     "allow_rule p/r"},
    {"ConditionOfTheInner", "roles: {c: ['role:a'], a: {when: principal.level > 7}}\n" OF_ROLES,
     "no_rule"},
    {"ConditionOfTheOuter",
     "roles: {c: {principals: ['role:a'], when: principal.level > 7}, a: "
     "['group:staff']}\n" OF_ROLES,
     "no_rule"},
    {"ConditionsOfBoth",
     "roles: {c: {principals: ['role:a'], when: principal.level > 6}, a: {when: principal.level < "
     "8}}\n" OF_ROLES,
     "allow_rule p/r"},
    {"ConditionsInAChain",
     "roles: {c: ['role:b', 'user:x'], b: ['role:a'], a: {when: principal.level == 7}}\n" OF_ROLES,
     "allow_rule p/r"},
    {"UnknownInner",
     "roles: {c: ['role:a'], a: {when: principal.rank == 7}}\n"
     "rules: [{id: r, effect: deny, principals: ['role:c'], " ANY "}, {id: s, " ALLOW "}]",
     "deny_unknown p/r"},
    {"UnknownInnerBesideATrueOne",
     "roles: {c: ['role:a', 'role:b'], a: {when: principal.rank == 7}, b: "
     "['group:staff']}\n" OF_ROLES,
     "allow_rule p/r"},
    // ---- principal.roles ----
    {"ReadsRoles",
     "roles: {b: ['group:staff'], a: ['user:a*'], n: ['group:x'], d: {when: principal.level == "
     "7}}\n" READS "'principal.roles == [\"a\", \"b\", \"d\"]'}]",
     "allow_rule p/r"},
    {"InRoles", "roles: {a: ['group:staff']}\n" READS "'\"a\" in principal.roles'}]",
     "allow_rule p/r"},
    {"NotInRoles", "roles: {a: ['group:x']}\n" READS "'\"a\" in principal.roles'}]", "no_rule"},
    {"UnknownRoleMakesAbsenceUnknown",
     "roles: {a: {when: principal.rank == 1}}\n"
     "rules: [{id: r, " DENY ", when: '\"b\" in principal.roles'}, {id: s, " ALLOW "}]",
     "deny_unknown p/r"},
    {"UnknownRoleBesideOneThatIsFound",
     "roles: {a: {when: principal.rank == 1}, b: ['group:staff']}\n" READS
     "'\"b\" in principal.roles'}]",
     "allow_rule p/r"},
    {"RolesThroughALet",
     "roles: {a: ['group:staff']}\nlet: {lead: '\"a\" in principal.roles'}\n" READS "lead}]",
     "allow_rule p/r"},
    {"RolesOfARole",
     "roles: {a: ['group:staff'], b: ['role:a']}\n" READS "'principal.roles == [\"a\", \"b\"]'}]",
     "allow_rule p/r"},
    {"HasRoles",
     "roles: {a: ['group:x']}\n" READS "'has(principal.roles) && principal.roles == []'}]",
     "allow_rule p/r"},
    {"RolesByIndex", "roles: {a: ['group:staff']}\n" READS "'principal[\"roles\"] == [\"a\"]'}]",
     "allow_rule p/r"},
    {"RolesInAnotherWayAreUnknown",
     "roles: {a: ['group:staff']}\n"
     "rules: [{id: r, " DENY ", when: '[\"roles\"].exists(k, principal[k] == [])'}, {id: s, " ALLOW
     ", when: '\"a\" in principal.roles'}]",
     "deny_unknown p/r"},
    // ---- Messages ----
    {"Message",
     "rules: [{id: r, " DENY ", message: '{principal.id} may not do {action} to {resource.name}'}]",
     "deny_rule p/r; message: ada@X may not do doc.read to /f/q3"},
    {"MessageOfOtherTypes",
     "rules: [{id: r, " DENY ", message: '{principal.level} {context.time} {1.5} {true}{ 2u }'}]",
     "deny_rule p/r; message: 7 2026-11-25T10:00:00Z 1.5 true2"},
    {"MessageWithBraces",
     "rules: [{id: r, " DENY ", message: '{{}} {\"}\" + {1: \"{\"}[1]} }}{{'}]",
     "deny_rule p/r; message: {} }{ }{"},
    {"MessageOfWhatIsUnknown",
     "rules: [{id: r, " DENY ", message: 'of {principal.nobody}, {string(principal.list)}'}]",
     "deny_rule p/r; message: of (unknown), (unknown)"},
    {"MessageIsPrintable", "rules: [{id: r, " DENY ", message: '{principal.evil}'}]",
     "deny_rule p/r; message: a\\x1b[2J\\u{202e}"},
    {"MessageOfLet", "let: {who: principal.name}\nrules: [{id: r, " DENY ", message: 'not {who}'}]",
     "deny_rule p/r; message: not ada"},
    {"MessageOfABinding",
     "rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: "
     "['doc:/{area}/**', 'doc:/f/{area}'], message: 'not in {area}'}]",
     "deny_rule p/r; message: not in f"},
    {"MessageOfTheWayThatMatched",
     "rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: "
     "['doc:/{area}/**', 'doc:/f/{area}'], when: area != \"f\", message: 'not in {area}'}]",
     "deny_rule p/r; message: not in q3"},
    {"MessageOfTheWayThatIsUnknown",
     "rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: "
     "['doc:/{area}/**', 'doc:/f/{area}'], when: 'area == \"f\" && principal.rank == 1', message: "
     "'not in {area}'}]",
     "deny_unknown p/r; message: not in f"},
    {"FirstMessage",
     "rules: [{id: s, " DENY ", message: '{principal.name}'}, {id: r, " DENY "}, {id: t, " DENY
     ", message: t}]",
     "deny_rule p/r p/s p/t; message: ada"},
    // ---- Obligations ----
    {"Obligation", "rules: [{id: r, " ALLOW ", obligations: [{id: stamp}]}]",
     "allow_rule p/r; stamp"},
    {"ObligationWithParameters",
     "rules: [{id: r, " ALLOW
     ", obligations: [{id: notify, with: {to: '{resource.owner}', how: by \"mail\"}}]}]",
     R"(allow_rule p/r; notify {"to":"bob","how":"by \"mail\""})"},
    {"ObligationsInOrder",
     "rules: [{id: b, " ALLOW ", obligations: [{id: y}, {id: x}]}, {id: a, " ALLOW
     ", obligations: [{id: z}]}]",
     "allow_rule p/a p/b; z; y; x"},
    {"ObligationsOnce",
     "rules: [{id: a, " ALLOW ", obligations: [{id: x}, {id: x, with: {to: bob}}]}, {id: b, " ALLOW
     ", obligations: [{id: x}, {id: x, with: {to: '{resource.owner}'}}, {id: x, with: {to: "
     "ada}}]}]",
     R"(allow_rule p/a p/b; x; x {"to":"bob"}; x {"to":"ada"})"},
    {"ObligationOfARuleThatDoesNotMatch",
     "rules: [{id: a, " ALLOW "}, {id: b, effect: allow, principals: ['user:x'], " ANY
     ", obligations: [{id: x, with: {to: '{principal.nobody}'}}]}]",
     "allow_rule p/a"},
    {"AllowWhoseObligationIsUnknownDenies",
     "rules: [{id: r, " ALLOW ", obligations: [{id: x}, {id: notify, with: {to: "
     "'{resource.nobody}'}}]}]",
     "deny_unknown p/r; error: `to` of the obligation `notify` of rule `p/r` cannot be made: no "
     "such key: nobody"},
    {"AllowWhoseObligationIsTooLongDenies",
     "rules: [{id: r, " ALLOW ", obligations: [{id: x, with: {to: '{principal.long}'}}]}]",
     "deny_unknown p/r; error: `to` of the obligation `x` of rule `p/r` cannot be made: it is "
     "longer than 4096 bytes"},
    {"AnotherAllowDoesNotHelp",
     "rules: [{id: a, " ALLOW "}, {id: r, " ALLOW
     ", obligations: [{id: x, with: {to: '{resource.nobody}'}}]}]",
     "deny_unknown p/a p/r; error: `to` of the obligation `x` of rule `p/r` cannot be made: no "
     "such "
     "key: nobody"},
    {"DenyWhoseObligationIsUnknown",
     "rules: [{id: r, " DENY ", obligations: [{id: page, with: {who: '{principal.nobody}'}}]}]",
     R"x(deny_rule p/r; page {"who":"(unknown)"})x"},
    {"ObligationValuesAreAsTheyAre",
     "rules: [{id: r, " DENY ", obligations: [{id: page, with: {who: '{principal.evil}'}}]}]",
     "deny_rule p/r; page {\"who\":\"a\\u001b[2J\xe2\x80\xae\"}"},
    {"ShadowRuleObligesToNothing",
     "rules: [{id: r, " ALLOW "}, {id: s, " ALLOW
     ", shadow: true, message: '{action}', obligations: [{id: x}]}]",
     "allow_rule p/r"},
};

INSTANTIATE_TEST_SUITE_P(All, LanguageTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(LanguageSetTest, EachPolicySeesItsOwnRoles) {
  const auto engine = MakeEngine(
      {{"p.yaml", "reeve: 1\npolicy: p\nroles: {a: ['group:staff']}\n" READS
                  "'principal.roles == [\"a\"]'}]"},
       {"q.yaml", "reeve: 1\npolicy: q\nroles: {a: ['group:x'], b: ['user:ada@X']}\n" READS
                  "'principal.roles == [\"a\"]'}, {id: s, " ALLOW
                  ", when: 'principal.roles == [\"b\"]'}, {id: t, " ALLOW
                  ", when: ['principal.roles == [\"b\"]', principal.roles.size() == 1]}]"}});
  EXPECT_EQ(Describe(engine->Decide(World().request())), "allow_rule p/r q/s q/t");
}

TEST(LanguageSetTest, KnownObligations) {
  const std::string yaml =
      "reeve: 1\npolicy: p\nrules: [{id: a, " ALLOW
      ", obligations: [{id: stamp}]}, {id: d, effect: deny, principals: [anyone], actions: "
      "[doc.delete], resources: [any], obligations: [{id: page}]}]";
  struct Row {
    const char* name;
    std::optional<std::vector<std::string>> known;
    const char* action;
    const char* want;
  };
  const Row rows[] = {
      {"NotGiven", std::nullopt, "x", "allow_rule p/a; stamp"},
      {"Listed", std::vector<std::string>{"page", "stamp"}, "x", "allow_rule p/a; stamp"},
      {"NotListed", std::vector<std::string>{"page"}, "x",
       "deny_unknown p/a; error: the obligation `stamp` is not one that this program knows"},
      {"None", std::vector<std::string>{}, "x",
       "deny_unknown p/a; error: the obligation `stamp` is not one that this program knows"},
      // A denial stays one, and tells what it would oblige to.
      {"OfADenial", std::vector<std::string>{}, "doc.delete", "deny_rule p/d; page"},
  };
  for (const Row& row : rows) {
    Engine::Options options;
    options.known_obligations = row.known;
    const auto engine = MakeEngine({{"p.yaml", yaml}}, options);
    const World world;
    EXPECT_EQ(Describe(engine->Decide(Request(world.principal, row.action, world.resource))),
              row.want)
        << row.name;
  }
}

TEST(LanguageSetTest, ParametersAreFoundByName) {
  const auto engine =
      MakeEngine({{"p.yaml", "reeve: 1\npolicy: p\nrules: [{id: a, " ALLOW
                             ", obligations: [{id: n, with: {to: '{principal.name}', "
                             "level: high}}]}]"}});
  const Decision decision = engine->Decide(World().request());
  ASSERT_EQ(decision.obligations().size(), 1u);
  const MadeObligation& made = decision.obligations()[0];
  EXPECT_EQ(made.id(), "n");
  EXPECT_EQ(made.Find("to"), "ada");
  EXPECT_EQ(made.Find("level"), "high");
  EXPECT_EQ(made.Find("cc"), std::nullopt);
}

// ---- Facts of a provider ----

class FixedProvider final : public EntityProvider {
 public:
  absl::Status Read(EntityView entity, ProvidedEntity* found) const override {
    if (entity.type != "user") return absl::OkStatus();
    found->attributes = &attributes;
    found->parents = parents;
    found->complete = complete;
    return status;
  }

  Attributes attributes = {{"level", Value::Int(1)}, {"badge", Value::String("blue")}};
  std::vector<EntityId> parents = {MakeId("team:red")};
  bool complete = true;
  absl::Status status;
};

TEST(ProvidedFactsTest, OverlayAndAreOverlaid) {
  struct Row {
    const char* name;
    const char* when;
    bool complete;
    const char* want;
  };
  // ada is stored with `site: berlin, badge: red`, and the request says `level: 7`.
  const Row rows[] = {
      {"TheRequestOverlays", "principal.level == 7", true, "allow_rule p/r"},
      {"ItOverlaysWhatIsStored", "principal.badge == \"blue\"", true, "allow_rule p/r"},
      {"WhatIsStoredIsLast", "principal.site == \"berlin\"", true, "allow_rule p/r"},
      {"NothingElse", "!has(principal.rank)", true, "allow_rule p/r"},
      {"AllKeys",
       "principal.all(k, k != \"badge\" || principal[k] == \"blue\") && \"site\" in principal",
       true, "allow_rule p/r"},
      {"IsIn", "principal.isIn(\"team:red\") && !principal.isIn(\"team:blue\")", true,
       "allow_rule p/r"},
      {"PartFound", "principal.badge == \"blue\" && principal.level == 7", false, "allow_rule p/r"},
      {"PartHides", "principal.site == \"berlin\"", false, "no_rule"},
      {"PartHas", "!has(principal.rank)", false, "no_rule"},
      {"PartIsIn", "principal.isIn(\"team:red\")", false, "allow_rule p/r"},
      {"PartIsNotIn", "!principal.isIn(\"team:blue\")", false, "no_rule"},
      {"PartKeys", "principal.all(k, true)", false, "no_rule"},
      {"PartOfAnother", "resource.owner == \"bob\" && !has(resource.size)", false,
       "allow_rule p/r"},
  };
  for (const Row& row : rows) {
    FixedProvider provider;
    provider.complete = row.complete;
    Engine::Options options;
    options.entities = &provider;
    const auto engine = MakeEngine(
        {{"p.yaml", std::string("reeve: 1\npolicy: p\nrules: [{id: r, " ALLOW ", when: '") +
                        row.when + "'}]"},
         {"s.yaml",
          "reeve: 1\nentities: [{id: 'user:ada@X', attributes: {site: berlin, badge: red}}]"}},
        options);
    World world;
    EXPECT_EQ(Describe(engine->Decide(world.request())), row.want) << row.name;
  }
}

TEST(ProvidedFactsTest, AFailureHidesWhatIsStored) {
  FixedProvider provider;
  provider.status = absl::UnavailableError("gone");
  Engine::Options options;
  options.entities = &provider;
  const auto engine = MakeEngine(
      {{"p.yaml",
        "reeve: 1\npolicy: p\nrules: [{id: r, " ALLOW ", when: principal.site == \"berlin\"}]"},
       {"s.yaml", "reeve: 1\nentities: [{id: 'user:ada@X', attributes: {site: berlin}}]"}},
      options);
  EXPECT_EQ(Describe(engine->Decide(World().request())),
            "no_rule; error: the entity provider does not know `user:ada@X`: gone");
}

}  // namespace
}  // namespace reeve
