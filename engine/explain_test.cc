#include "reeve/engine/explain.h"

#include <gtest/gtest.h>

#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;

std::unique_ptr<Engine> MakeEngine() {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  return *Engine::Create(options);
}

std::string ByOf(const RuleExplanation::By& by) {
  if (by.pattern == nullptr) return "-";
  std::string text = by.pattern->text();
  for (const std::string& step : by.through) text += "<" + step;
  return text;
}

// A line for each rule, then one for each nearest miss.
std::string Explained(const Engine& engine, const Request& request) {
  const Decision decision = engine.Decide(request);
  const Explanation explanation = Explain(decision, request);
  std::string text;
  for (const RuleExplanation& rule : explanation.rules) {
    text += rule.rule->id + " " + std::string(ToString(rule.principals)) + "/" +
            std::string(ToString(rule.actions)) + "/" + std::string(ToString(rule.resources)) +
            " " + ByOf(rule.principals_by) + " " + ByOf(rule.actions_by) + " " +
            ByOf(rule.resources_by) + "\n";
  }
  for (const NearestMiss& miss : explanation.nearest) {
    text += "nearest " + miss.Of(explanation.rules).rule->id + (miss.principals ? " p" : "") +
            (miss.actions ? " a" : "") + (miss.resources ? " r" : "") + "\n";
  }
  return text;
}

TEST(ExplainTest, ListsRulesThatMatchedAndThoseThatMissedByOnePart) {
  const auto engine = MakeEngine();
  Principal ada = MakePrincipal("user:ada", {"staff"});
  const Request request(ada, "read", {"doc", "1"});
  EXPECT_EQ(Explained(*engine, request), "");

  SnapshotBuilder builder;
  builder.AddRule(MakeRule("+action", {"group:staff"}, {"write"}, {"doc:*"}));
  builder.AddRule(MakeRule("+far", {"group:other"}, {"write"}, {"doc:*"}));
  builder.AddRule(MakeRule("+match", {"group:staff"}, {"read"}, {"doc:*"}));
  builder.AddRule(MakeRule("-principal", {"group:other"}, {"read"}, {"doc:*"}));
  builder.AddRule(MakeRule("+resource", {"group:staff"}, {"read"}, {"file:*"}));
  ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
  EXPECT_EQ(Explained(*engine, request),
            "match yes/yes/yes group:staff<user:ada<group:staff read doc:*\n"
            "action yes/no/yes group:staff<user:ada<group:staff - doc:*\n"
            "principal no/yes/yes - read doc:*\n"
            "resource yes/yes/no group:staff<user:ada<group:staff read -\n");

  // It is unknown whether the deny rule matches, so it denies.
  ada.groups_complete = false;
  EXPECT_EQ(Explained(*engine, request),
            "match yes/yes/yes group:staff<user:ada<group:staff read doc:*\n"
            "action yes/no/yes group:staff<user:ada<group:staff - doc:*\n"
            "far unknown/no/yes - - doc:*\n"
            "principal unknown/yes/yes - read doc:*\n"
            "resource yes/yes/no group:staff<user:ada<group:staff read -\n"
            "nearest match\n");
  EXPECT_EQ(Explained(*engine, Request(ada, "", {"doc", "1"})), "");
}

// By which pattern a rule matches, and on which way.
TEST(ExplainTest, NamesThePatternAndTheWay) {
  struct Case {
    const char* name;
    std::vector<std::string> principals;
    std::vector<std::string> resources;
    const char* principals_by;
    const char* resources_by;
  };
  const Case cases[] = {
      {"Itself", {"user:bob", "user:ada"}, {"doc:/a/b"}, "user:ada", "doc:/a/b"},
      {"Words", {"anyone"}, {"any"}, "any", "any"},
      {"Authenticated", {"group:none", "authenticated"}, {"any"}, "authenticated", "any"},
      {"Group", {"group:leads"}, {"any"}, "group:leads<user:ada<group:leads", "any"},
      {"GroupOfGroup",
       {"group:staff"},
       {"any"},
       "group:staff<user:ada<group:leads<group:all<group:staff",
       "any"},
      {"StoredParent", {"team:x"}, {"any"}, "team:x<user:ada<team:x", "any"},
      {"RequestParent", {"team:y"}, {"any"}, "team:y<user:ada<team:y", "any"},
      {"AboveRequestParent", {"team:z"}, {"any"}, "team:z<user:ada<team:y<team:z", "any"},
      {"FolderOfFolder",
       {"anyone"},
       {"folder:root"},
       "any",
       "folder:root<doc:/a/b<folder:a<folder:root"},
      {"Globs", {"user:a*"}, {"doc:/{x}/*"}, "user:a*", "doc:/{x}/*"},
      {"Regex", {"re:user:[a-z]+"}, {"re:doc:/a/.*"}, "user:[a-z]+", "doc:/a/.*"},
      {"Role", {"role:lead"}, {"any"}, "lead<user:ada<group:leads<role:lead", "any"},
      {"RoleByPattern", {"role:people"}, {"any"}, "people<user:ada<role:people", "any"},
  };
  Principal ada = MakePrincipal("user:ada", {"leads"});
  ada.parents = {MakeId("team:y")};
  Request request(ada, "read", {"doc", "/a/b"});
  const EntityId folder = MakeId("folder:a");
  request.resource_parents = absl::MakeConstSpan(&folder, 1);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    SnapshotBuilder builder;
    builder.AddRole("lead", {testing::PrincipalPattern("group:leads")});
    builder.AddRole("people", {testing::PrincipalPattern("user:*")});
    builder.AddEntity(MakeEntity("group:leads", {"group:all"}));
    builder.AddEntity(MakeEntity("group:all", {"group:staff"}));
    builder.AddEntity(MakeEntity("user:ada", {"team:x"}));
    builder.AddEntity(MakeEntity("team:y", {"team:z"}));
    builder.AddEntity(MakeEntity("folder:a", {"folder:root"}));
    builder.AddRule(MakeRule("+a", c.principals, {"write", "re*"}, c.resources));
    const auto engine = MakeEngine();
    ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
    const Decision decision = engine->Decide(request);
    const Explanation explanation = Explain(decision, request);
    ASSERT_EQ(explanation.rules.size(), 1u);
    EXPECT_TRUE(explanation.rules[0].matched());
    EXPECT_EQ(ByOf(explanation.rules[0].principals_by), c.principals_by);
    EXPECT_EQ(ByOf(explanation.rules[0].actions_by), "re*");
    EXPECT_EQ(ByOf(explanation.rules[0].resources_by), c.resources_by);
    EXPECT_TRUE(explanation.nearest.empty());
  }
}

// The nearest are those that miss by the least, not all.
TEST(ExplainTest, FindsTheNearest) {
  SnapshotBuilder builder;
  builder.AddRule(MakeRule("+one", {"user:ada"}, {"write"}, {"doc:1"}));
  builder.AddRule(MakeRule("+shadow", {"user:ada"}, {"read"}, {"doc:2"}));
  builder.AddRule(MakeRule("+two", {"user:bob"}, {"read"}, {"doc:1"}));
  builder.AddRule(MakeRule("+zero", {"user:bob"}, {"write"}, {"doc:1"}));
  builder.AddRule(MakeRule("-never", {"anyone"}, {"any"}, {"doc:1"}));
  const auto engine = MakeEngine();
  ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
  const Principal ada = MakePrincipal("user:ada");
  EXPECT_EQ(Explained(*engine, Request(ada, "read", {"doc", "1"})),
            "never yes/yes/yes any any doc:1\n"
            "one yes/no/yes user:ada - doc:1\n"
            "shadow yes/yes/no user:ada read -\n"
            "two no/yes/yes - read doc:1\n"
            "nearest one a\nnearest shadow r\nnearest two p\n");
}

// Whatever stands beside `any`, no resource is missed.
TEST(ExplainTest, AnyBesideATreeIsAny) {
  SnapshotBuilder builder;
  builder.AddRule(MakeRule("+a", {"user:bob"}, {"any"}, {"host:/f/**", "any"}));
  builder.AddRule(MakeRule("+b", {"user:bob"}, {"any"}, {"host:/f/*", "any"}));
  const auto engine = MakeEngine();
  ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
  const Principal ada = MakePrincipal("user:ada");
  EXPECT_EQ(Explained(*engine, Request(ada, "read", {"doc", "1"})),
            "a no/yes/yes - any any\nb no/yes/yes - any any\nnearest a p\nnearest b p\n");
}

}  // namespace
}  // namespace reeve
