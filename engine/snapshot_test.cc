#include "reeve/engine/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::ActionPattern;
using testing::MakeEntity;
using testing::MakeRule;
using testing::PrincipalPattern;
using testing::ResourcePattern;

// Each pattern a rule's only principal, action or resource.
Rule RuleOf(Pattern principal, Pattern action, Pattern resource) {
  Rule rule = MakeRule("-p/r", {}, {}, {});
  rule.principals = {std::move(principal)};
  rule.actions = {std::move(action)};
  rule.resources = {std::move(resource)};
  return rule;
}

struct Case {
  const char* name;
  void (*fill)(SnapshotBuilder& b);
  const char* error;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class BuildTest : public ::testing::TestWithParam<Case> {};

TEST_P(BuildTest, BuildsOrSaysWhyNot) {
  SnapshotBuilder builder;
  GetParam().fill(builder);
  EXPECT_EQ(std::string(builder.Build().status().message()), GetParam().error);
}

const Case kCases[] = {
    {"Empty", [](SnapshotBuilder&) {}, ""},
    {"RuleTwice",
     [](SnapshotBuilder& b) {
       b.AddRule(MakeRule("+p/r", {"anyone"}, {"any"}, {"any"}));
       b.AddRule(MakeRule("-p/r", {"anyone"}, {"any"}, {"any"}));
     },
     "rule `p/r` is given twice"},
    {"NoPrincipals", [](SnapshotBuilder& b) { b.AddRule(MakeRule("+p/r", {}, {"any"}, {"any"})); },
     "rule `p/r` has no principals, actions or resources; empty never means any"},
    {"NoResources",
     [](SnapshotBuilder& b) { b.AddRule(MakeRule("+p/r", {"anyone"}, {"any"}, {})); },
     "rule `p/r` has no principals, actions or resources; empty never means any"},
    {"UnknownRole",
     [](SnapshotBuilder& b) { b.AddRule(MakeRule("+p/r", {"role:x"}, {"any"}, {"any"})); },
     "rule `p/r` names role `x`, which does not exist"},
    // Such a rule was once filed where no request looks, and a regular expression of actions was
    // called without a glob.
    {"RoleAmongResources",
     [](SnapshotBuilder& b) {
       b.AddRole("x", {});
       b.AddRule(RuleOf(Pattern::Any(), Pattern::Any(), Pattern::Role("x")));
     },
     "rule `p/r` has the pattern `x` where it cannot stand"},
    {"AuthenticatedAmongResources",
     [](SnapshotBuilder& b) {
       b.AddRule(RuleOf(Pattern::Any(), Pattern::Any(), Pattern::Authenticated()));
     },
     "rule `p/r` has the pattern `authenticated` where it cannot stand"},
    {"RegexAmongActions",
     [](SnapshotBuilder& b) {
       b.AddRule(RuleOf(Pattern::Any(), *Pattern::Regex("read"), Pattern::Any()));
     },
     "rule `p/r` has the pattern `read` where it cannot stand"},
    {"ActionAmongPrincipals",
     [](SnapshotBuilder& b) {
       b.AddRule(RuleOf(*Pattern::Action("read"), Pattern::Any(), Pattern::Any()));
     },
     "rule `p/r` has the pattern `read` where it cannot stand"},
    {"ActionGlobAmongResources",
     [](SnapshotBuilder& b) {
       b.AddRule(RuleOf(Pattern::Any(), Pattern::Any(), *Pattern::Action("d*:x")));
     },
     "rule `p/r` has the pattern `d*:x` where it cannot stand"},
    {"ActionAmongMembersOfARole",
     [](SnapshotBuilder& b) { b.AddRole("x", {*Pattern::Action("read")}); },
     "role `x` has the member `read`, which is no pattern of principals"},
    {"RoleTwice",
     [](SnapshotBuilder& b) {
       b.AddRole("x", {PrincipalPattern("anyone")});
       b.AddRole("x", {PrincipalPattern("user:a")});
     },
     "role `x` is given twice"},
    {"RoleOfAnUnknownRole", [](SnapshotBuilder& b) { b.AddRole("x", {Pattern::Role("y")}); },
     "role `x` names role `y`, which does not exist"},
    {"RoleOfItself", [](SnapshotBuilder& b) { b.AddRole("x", {Pattern::Role("x")}); },
     "role `x` contains itself through role `x`"},
    {"RolesInACycle",
     [](SnapshotBuilder& b) {
       b.AddRole("a", {Pattern::Role("b")});
       b.AddRole("b", {PrincipalPattern("user:u"), Pattern::Role("c")});
       b.AddRole("c", {Pattern::Role("b")});
     },
     "role `c` contains itself through role `b`"},
    {"RolesInALongChain",
     [](SnapshotBuilder& b) {
       b.AddRole("0", {PrincipalPattern("user:u")});
       for (int i = 20000; i > 0; --i) {
         b.AddRole(std::to_string(i), {Pattern::Role(std::to_string(i - 1))});
       }
     },
     ""},
    {"TextThatIsNotCompiled",
     [](SnapshotBuilder& b) {
       Rule rule = RuleOf(Pattern::Any(), Pattern::Any(), Pattern::Any());
       rule.message.facts.push_back({0, {"principal.id", nullptr}});
       b.AddRule(rule);
     },
     "rule `p/r` has a text that is not compiled"},
    {"EntityTwice",
     [](SnapshotBuilder& b) {
       b.AddEntity(MakeEntity("a:1", {}));
       b.AddEntity(MakeEntity("a:1", {}));
     },
     "entity `a:1` is given twice"},
    {"MalformedAttributes",
     [](SnapshotBuilder& b) {
       Entity entity = MakeEntity("a:1", {});
       entity.attributes = {{"x", Value::String("\xff")}};
       b.AddEntity(entity);
     },
     "entity `a:1`: an attribute is not valid UTF-8"},
    {"NameIsNotCanonical",
     [](SnapshotBuilder& b) {
       b.AddEntity({EntityId("doc", "/a//b"), {}, {}});
     },
     "`doc:/a//b`: the entity id has an empty path segment"},
    {"ParentGivenOften",
     [](SnapshotBuilder& b) {
       std::vector<std::string> parents;
       for (int i = 0; i < 2000; ++i) parents.push_back("f:" + std::to_string(i));
       b.AddEntity(MakeEntity("f:x", parents));
       b.AddEntity(MakeEntity("f:y", std::vector<std::string>(20000, "f:x")));
     },
     ""},
    {"OwnParent", [](SnapshotBuilder& b) { b.AddEntity(MakeEntity("a:1", {"a:1"})); },
     "parents form a cycle: `a:1`"},
    {"Cycle",
     [](SnapshotBuilder& b) {
       b.AddEntity(MakeEntity("a:0", {"a:1"}));
       b.AddEntity(MakeEntity("a:1", {"a:2"}));
       b.AddEntity(MakeEntity("a:2", {"a:3"}));
       b.AddEntity(MakeEntity("a:3", {"a:1"}));
     },
     "parents form a cycle: `a:1` -> `a:2` -> `a:3`"},
};

INSTANTIATE_TEST_SUITE_P(All, BuildTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(SnapshotTest, ShowsWhatItWasMadeOf) {
  SnapshotBuilder builder;
  builder.SetDigest("sha256:00");
  builder.AddRule(MakeRule("+b/r", {"anyone"}, {"any"}, {"any"}));
  builder.AddRule(MakeRule("-a/r", {"anyone"}, {"any"}, {"any"}));
  builder.AddRole("b/y", {});
  builder.AddRole("b/x", {PrincipalPattern("group:g"), PrincipalPattern("role:b/y")});
  builder.AddEntity(MakeEntity("a:1", {"a:2"}));
  const auto snapshot = builder.Build();
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ((*snapshot)->digest(), "sha256:00");
  ASSERT_EQ((*snapshot)->rule_count(), 2u);
  EXPECT_EQ((*snapshot)->rule_id(0), "a/r");
  EXPECT_EQ((*snapshot)->rule(0).effect, Effect::kDeny);
  ASSERT_EQ((*snapshot)->roles().size(), 2u);
  EXPECT_EQ((*snapshot)->roles()[0].name, "b/x");
  ASSERT_EQ((*snapshot)->roles()[0].members.size(), 2u);
  EXPECT_EQ((*snapshot)->roles()[0].members[0].text(), "group:g");
  EXPECT_EQ((*snapshot)->roles()[1].name, "b/y");
  EXPECT_EQ((*snapshot)->entity_count(), 1u);
}

// All of a rule: `allow a/r [user:ada, …]`.
std::string Describe(const Rule& rule) {
  std::string text = absl::StrCat(std::string(ToString(rule.effect)), " ", rule.id);
  for (const auto* patterns : {&rule.principals, &rule.actions, &rule.resources}) {
    absl::StrAppend(&text, " [",
                    absl::StrJoin(*patterns, ", ",
                                  [](std::string* out, const Pattern& pattern) {
                                    absl::StrAppend(out, static_cast<int>(pattern.kind()), " ",
                                                    pattern.text());
                                  }),
                    "]");
  }
  absl::StrAppend(&text, rule.shadow ? " shadow " : " ", std::string(ToString(rule.audit)), " `",
                  rule.message.text, "`");
  for (const Obligation& obligation : rule.obligations) {
    absl::StrAppend(&text, " ", obligation.id);
    for (const auto& [name, value] : obligation.with) {
      absl::StrAppend(&text, " ", name, "=", value.text);
    }
  }
  return text;
}

TEST(SnapshotTest, GivesRulesBackAsTheyWereGiven) {
  std::vector<Rule> rules = {
      // Order and repetitions are the author's; entities, words, roles, globs and expressions.
      MakeRule("+a/one",
               {"user:zoe", "group:staff", "user:ada", "user:zoe", "role:a/r", "re:user:[a-c]+",
                "user:x*", "anyone", "authenticated"},
               {"doc.write", "doc.*", "doc.read", "any"},
               {"doc:/a/**", "doc:q3", "any", "re:doc:[0-9]+", "doc:/a/{name}/*"}),
      MakeRule("-a/two", {"role:a/s"}, {"doc.write"}, {"doc:/a/**"}),
      MakeRule("+a/three", {"anyone"}, {"any"}, {"any"}),
      MakeRule("-a", {"user:ada"}, {"doc.read"}, {"doc:q3"}),
      MakeRule("+b/many", {}, {}, {}),
  };
  rules[1].shadow = true;
  rules[1].message = "not that";
  rules[2].audit = AuditLevel::kDurable;
  rules[2].obligations = {{"log", {{"to", "ada"}, {"at", ""}}}, {"page"}};
  rules[3].audit = AuditLevel::kRecorded;
  rules[3].message = "no";
  rules[3].obligations = {{"tell"}};
  // More of each kind than the short form of their sizes has room for.
  for (int i = 0; i < 5000; ++i) {
    rules[4].principals.push_back(PrincipalPattern(absl::StrCat("user:u", i * 7919 % 5000)));
    if (i < 300) rules[4].actions.push_back(ActionPattern(absl::StrCat("*.a", i)));
    if (i < 300) rules[4].resources.push_back(ResourcePattern(absl::StrCat("doc:/", i, "/**")));
  }
  SnapshotBuilder builder;
  builder.AddRole("a/r", {PrincipalPattern("group:g")});
  builder.AddRole("a/s", {PrincipalPattern("role:a/r"), PrincipalPattern("user:y*")});
  for (const Rule& rule : rules) builder.AddRule(rule);
  const auto snapshot = builder.Build();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) { return a.id < b.id; });
  ASSERT_EQ((*snapshot)->rule_count(), rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    EXPECT_EQ((*snapshot)->rule_id(i), rules[i].id);
    EXPECT_EQ(Describe((*snapshot)->rule(i)), Describe(rules[i]));
  }
}

TEST(SnapshotTest, TakesADeepChainOfParents) {
  SnapshotBuilder builder;
  for (int i = 0; i < 20000; ++i) {
    builder.AddEntity(MakeEntity("f:" + std::to_string(i), {"f:" + std::to_string(i + 1)}));
  }
  EXPECT_TRUE(builder.Build().ok());
}

}  // namespace
}  // namespace reeve
