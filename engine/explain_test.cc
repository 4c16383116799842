#include "reeve/engine/explain.h"

#include <gtest/gtest.h>

#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::MakePrincipal;
using testing::MakeRule;

std::string Explained(const Engine& engine, const Request& request) {
  std::string text;
  for (const RuleExplanation& rule : Explain(engine.Decide(request), request)) {
    text += rule.rule->id + " " + std::string(ToString(rule.principals)) + "/" +
            std::string(ToString(rule.actions)) + "/" + std::string(ToString(rule.resources)) +
            "\n";
  }
  return text;
}

TEST(ExplainTest, ListsRulesThatMatchedAndThoseThatMissedByOnePart) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = *Engine::Create(options);
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
            "match yes/yes/yes\naction yes/no/yes\nprincipal no/yes/yes\nresource yes/yes/no\n");

  ada.groups_complete = false;
  EXPECT_EQ(Explained(*engine, request),
            "match yes/yes/yes\naction yes/no/yes\nfar unknown/no/yes\nprincipal unknown/yes/yes\n"
            "resource yes/yes/no\n");
  EXPECT_EQ(Explained(*engine, Request(ada, "", {"doc", "1"})), "");
}

}  // namespace
}  // namespace reeve
