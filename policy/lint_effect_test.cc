// What lint says of rules in vain is so: of seeded random sets, in all requests of a small world.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using testing::MakeId;
using testing::MakePrincipal;

constexpr uint32_t kSeed = 20261127;
constexpr int kSets = 500;

const std::vector<std::string> kPrincipals = {"anyone",  "authenticated", "'user:a'", "'user:b'",
                                              "group:g", "'user:*'",      "role:m",   "role:n"};
const std::vector<std::string> kActions = {"any", "read", "'r*'", "write", "'*r*'", "both"};
const std::vector<std::string> kResources = {"any",       "'d:/a'",   "'d:/a/*'", "'d:/**'",
                                             "'d:/a/**'", "'d:/{p}'", "folder:f", "'d:*'"};
const std::vector<std::string> kClauses = {
    "context.x == 1",          "context.y == 1", "true || context.x == 1",
    "context.y == 1 && 1 > 2", "[1][3] == 1",    "'group:g' == 'group:' + context.z"};

constexpr char kHead[] =
    "reeve: 1\npolicy: p\nroles: {m: ['user:a', group:g], n: {principals: ['user:*'], when: "
    "context.x == 1}}\nactions: {both: [read, write]}\nrules:\n";
constexpr int kFirstLine = 6;  // Of the rules, each of which is one.

struct RuleText {
  std::string head;
  std::vector<std::string> clauses;

  std::string ToString() const {
    std::string text = "  - {" + head;
    for (size_t i = 0; i < clauses.size(); ++i) {
      text += (i == 0 ? ", when: [\"" : ", \"") + clauses[i] + "\"";
    }
    return text + (clauses.empty() ? "}\n" : "]}\n");
  }
};

std::string TextOf(const std::vector<RuleText>& rules) {
  std::string text = kHead;
  for (const RuleText& rule : rules) text += rule.ToString();
  return text;
}

// The answers to all requests, and whether a rule is among those that allow.
struct Answers {
  std::vector<bool> allowed;
  std::vector<std::string> by;
};

Answers AnswersOf(const std::vector<RuleText>& rules) {
  static Engine* const engine = [] {
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    return Engine::Create(options)->release();
  }();
  Answers answers;
  if (rules.empty()) {
    // A set has a rule; without any nothing is allowed.
    return AnswersOf(
        {{"id: none, effect: deny, principals: [anyone], actions: [any], resources: "
          "[any]",
          {}}});
  }
  const LoadResult loaded = LoadPolicy({{"p.yaml", TextOf(rules)}});
  EXPECT_TRUE(loaded.ok()) << TextOf(rules);
  EXPECT_TRUE(engine->Replace(loaded.snapshot).ok());
  std::vector<Principal> principals = {MakePrincipal("user:a"), MakePrincipal("user:b", {"g"}),
                                       MakePrincipal("user:c"), MakePrincipal("host:h", {"g"}),
                                       Principal()};
  principals[2].groups_complete = false;
  const std::vector<Attributes> contexts = {
      {},
      {{"x", Value::Int(1)}},
      {{"x", Value::Int(2)}, {"y", Value::Int(1)}, {"z", Value::String("g")}}};
  const std::vector<EntityId> ids = {MakeId("d:/a"), MakeId("d:/a/b"),   MakeId("d:/a/b/c"),
                                     MakeId("d:/x"), MakeId("folder:f"), MakeId("d:x")};
  const std::vector<std::vector<EntityId>> parents = {{}, {MakeId("folder:f"), MakeId("d:/a")}};
  for (const Principal& principal : principals) {
    for (const char* action : {"read", "write", "rename", "open"}) {
      for (const EntityId& id : ids) {
        for (const auto& in : parents) {
          if (&in == &parents[1] && (id == MakeId("folder:f") || id == MakeId("d:/a"))) continue;
          for (const Attributes& context : contexts) {
            Request request(principal, action, id);
            request.resource_parents = in;
            request.context = &context;
            request.time = absl::FromUnixSeconds(1800000000);
            const Decision decision = engine->Decide(request);
            answers.allowed.push_back(decision.allowed());
            answers.by.push_back(decision.allowed() ? " " + testing::Ids(decision.rules()) + " "
                                                    : "");
          }
        }
      }
    }
  }
  return answers;
}

TEST(LintEffectTest, WhatIsSaidToBeInVainIs) {
  std::mt19937 random(kSeed);
  const auto below = [&random](size_t limit) { return random() % limit; };
  const auto some_of = [&](const std::vector<std::string>& all) {
    std::string text = all[below(all.size())];
    while (below(3) == 0) text += ", " + all[below(all.size())];
    return text;
  };
  std::map<Warning, int> seen;
  for (int set = 0; set < kSets; ++set) {
    std::vector<RuleText> rules;
    const size_t count = 2 + below(3);
    for (size_t i = 0; i < count; ++i) {
      RuleText rule;
      const std::string id = "id: r" + std::to_string(i) + ", effect: ";
      if (i > 0 && below(8) == 0) {
        rule = rules[0];
        rule.head.replace(0, id.size(), id);
        rules.push_back(rule);
        continue;
      }
      rule.head = id + (below(3) == 0 ? "deny" : "allow") + ", principals: [" +
                  some_of(kPrincipals) + "], actions: [" + some_of(kActions) + "], resources: [" +
                  some_of(kResources) + "]" + (below(10) == 0 ? ", shadow: true" : "");
      while (below(3) == 0) rule.clauses.push_back(kClauses[below(kClauses.size())]);
      rules.push_back(rule);
    }
    const LoadResult linted = LintPolicy({{"p.yaml", TextOf(rules)}});
    ASSERT_TRUE(linted.ok()) << TextOf(rules);
    const Answers answers = AnswersOf(rules);
    for (const Issue& issue : linted.issues) {
      if (issue.position.line < kFirstLine) continue;
      const size_t at = static_cast<size_t>(issue.position.line - kFirstLine);
      const std::string what = ToString(issue) + "\n" + TextOf(rules);
      const std::string id = " p/r" + std::to_string(at) + " ";
      const auto never_allows = [&] {
        for (const std::string& by : answers.by) ASSERT_EQ(by.find(id), std::string::npos) << what;
      };
      std::vector<RuleText> others = rules;
      switch (issue.warning) {
        case Warning::kCoveredByDeny:
          never_allows();
          others.erase(others.begin() + static_cast<std::ptrdiff_t>(at));
          ASSERT_EQ(AnswersOf(others).allowed, answers.allowed) << what;
          break;
        case Warning::kCoveredByAllow:
        case Warning::kDuplicateRule:
          others.erase(others.begin() + static_cast<std::ptrdiff_t>(at));
          ASSERT_EQ(AnswersOf(others).allowed, answers.allowed) << what;
          break;
        case Warning::kClauseNeverTrue:
          never_allows();
          break;
        case Warning::kClauseAlwaysTrue: {
          std::vector<std::string>& clauses = others[at].clauses;
          for (size_t i = 0; i < clauses.size(); ++i) {
            if (issue.message.find("`" + clauses[i] + "`") == std::string::npos) continue;
            clauses.erase(clauses.begin() + static_cast<std::ptrdiff_t>(i));
            break;
          }
          ASSERT_EQ(AnswersOf(others).allowed, answers.allowed) << what;
          break;
        }
        default:
          continue;
      }
      ++seen[issue.warning];
    }
  }
  for (const Warning warning :
       {Warning::kCoveredByDeny, Warning::kCoveredByAllow, Warning::kDuplicateRule,
        Warning::kClauseNeverTrue, Warning::kClauseAlwaysTrue}) {
    EXPECT_GT(seen[warning], 20) << NameOf(warning);
  }
}

}  // namespace
}  // namespace reeve
