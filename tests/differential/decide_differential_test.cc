// Compares the engine with the reference: all rules and all small sets of them in a tiny world,
// then random sets. REEVE_SEED=n begins the random sets elsewhere, REEVE_ROUNDS=n makes more of
// them.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "policy/conditions.h"
#include "reeve/engine/testing.h"
#include "reeve/tests/differential/compare.h"
#include "reeve/tests/differential/environment.h"
#include "reeve/tests/differential/generate.h"

namespace reeve::differential {
namespace {

using reference::World;
using testing::ActionPattern;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::PrincipalPattern;
using testing::ResourcePattern;

// How often each answer occurred, so that a test that compares nothing of worth fails.
class Tally {
 public:
  void Add(const Decision& decision) {
    ++by_reason_[static_cast<size_t>(decision.reason())];
    near_misses_ += !decision.near_misses().empty();
    shadow_rules_ += !decision.shadow_rules().empty();
    several_rules_ += decision.rules().size() > 1;
    messages_ += !decision.message().empty();
    obligations_ += !decision.obligations().empty();
    obligations_unmade_ += decision.reason() == Reason::kDenyUnknown && !decision.error().empty();
  }

  void AddWorld() { ++worlds_; }
  uint64_t worlds() const { return worlds_; }

  void ExpectAtLeast(uint64_t count) const {
    for (const Reason reason : {Reason::kAllowRule, Reason::kDenyRule, Reason::kDenyUnknown,
                                Reason::kNoRule, Reason::kBadRequest}) {
      const uint64_t got = by_reason_[static_cast<size_t>(reason)];
      std::printf("%-14s%10llu\n", std::string(ToString(reason)).c_str(),
                  static_cast<unsigned long long>(got));
      EXPECT_GE(got, count) << ToString(reason);
    }
    std::printf("near misses   %10llu\nshadow rules  %10llu\nseveral rules %10llu\n",
                static_cast<unsigned long long>(near_misses_),
                static_cast<unsigned long long>(shadow_rules_),
                static_cast<unsigned long long>(several_rules_));
    EXPECT_GE(near_misses_, count);
    EXPECT_GE(shadow_rules_, count);
    EXPECT_GE(several_rules_, count);
  }

  void ExpectTexts(uint64_t count) const {
    std::printf("messages      %10llu\nobligations   %10llu\nnot made      %10llu\n",
                static_cast<unsigned long long>(messages_),
                static_cast<unsigned long long>(obligations_),
                static_cast<unsigned long long>(obligations_unmade_));
    EXPECT_GE(messages_, count);
    EXPECT_GE(obligations_, count);
    EXPECT_GE(obligations_unmade_, count);
  }

 private:
  std::array<uint64_t, 8> by_reason_ = {};
  uint64_t worlds_ = 0;
  uint64_t near_misses_ = 0;
  uint64_t shadow_rules_ = 0;
  uint64_t several_rules_ = 0;
  uint64_t messages_ = 0;
  uint64_t obligations_ = 0;
  uint64_t obligations_unmade_ = 0;
};

// ---- The tiny world ----

Condition Clause(std::string_view text) {
  std::vector<std::string> used;
  ConditionDefects defects;
  return *Conditions("p").Compile(text, {}, &used, &defects);
}

World TinyWorld() {
  World world;
  world.entities = {MakeEntity("group:leads", {"group:staff"}),
                    MakeEntity("group:staff", {"team:all"}),
                    MakeEntity("user:cy", {"group:leads", "team:cy"}),
                    MakeEntity("doc:/f/a", {"folder:f"}), MakeEntity("folder:f", {"folder:top"})};
  world.roles = {
      {"editor", {PrincipalPattern("group:staff"), PrincipalPattern("user:e*")}},
      {"known", {PrincipalPattern("authenticated")}},
      {"team", {PrincipalPattern("team:all"), PrincipalPattern("user:bob")}},
      {"nobody", {}},
      {"chief", {PrincipalPattern("role:editor")}},
      {"any_of", {PrincipalPattern("role:nobody"), PrincipalPattern("role:chief")}},
      {"asked", {PrincipalPattern("role:team")}, {Clause("principal.id != 'cy'")}},
      {"doubted", {PrincipalPattern("role:asked")}, {Clause("principal.rank == 1")}},
      {"through", {PrincipalPattern("role:asked"), PrincipalPattern("group:leads")}},
  };
  return world;
}

std::vector<OwnedRequest> TinyRequests(const std::vector<Principal>& principals,
                                       const std::vector<std::string>& actions,
                                       const std::vector<std::string>& resources) {
  std::vector<OwnedRequest> requests(principals.size() * actions.size() * resources.size());
  size_t i = 0;
  for (const Principal& principal : principals) {
    for (const std::string& action : actions) {
      for (const std::string& resource : resources) {
        requests[i].principal = principal;
        requests[i].action = action;
        const size_t colon = resource.find(':');
        requests[i].resource = EntityId(resource.substr(0, colon), resource.substr(colon + 1));
        ++i;
      }
    }
  }
  return requests;
}

Principal WithUnknownGroups(Principal principal) {
  principal.groups_complete = false;
  return principal;
}

Rule TinyRule(std::string id, Effect effect, const std::string& principal,
              const std::string& action, const std::string& resource) {
  Rule rule;
  rule.id = std::move(id);
  rule.effect = effect;
  rule.principals = {PrincipalPattern(principal)};
  rule.actions = {ActionPattern(action)};
  rule.resources = {ResourcePattern(resource)};
  return rule;
}

bool AgreeOnAll(const World& world, const std::vector<OwnedRequest>& requests, Tally* tally) {
  Comparison comparison(world);
  for (size_t i = 0; i < requests.size(); ++i) {
    // Another quarter of the explanations each time.
    const bool explain = (i + tally->worlds()) % 4 == 0;
    const bool agree = comparison.Agree(requests[i].View(), explain);
    EXPECT_TRUE(agree) << comparison.failure();
    if (!agree) return false;
    tally->Add(comparison.decision());
  }
  tally->AddWorld();
  return true;
}

// Every single rule of these patterns, under every request.
TEST(ExhaustiveTest, EveryRuleAlone) {
  const std::vector<std::string> principals = {
      "anyone",     "authenticated", "user:ada",     "group:staff", "group:leads", "group:unheard",
      "team:all",   "team:cy",       "user:*",       "group:*",     "{re}",        "role:editor",
      "role:known", "role:team",     "role:nobody",  "user:{n}@R",  "role:chief",  "role:any_of",
      "role:asked", "role:doubted",  "role:through",
  };
  const std::vector<std::string> actions = {"any", "read", "doc.*"};
  const std::vector<std::string> resources = {
      "any",         "doc:/f/a", "doc:/f",       "folder:f", "folder:top", "doc:/f/*",
      "doc:/f/**",   "doc:**",   "doc:/{d}/a",   "doc:/f*",  "doc:x:*",    "doc:x:y*",
      "doc:/f/x:y*", "folder:*", "re:doc:/f/.*", "doc:*",
  };
  const std::vector<OwnedRequest> requests = TinyRequests(
      {Principal(), MakePrincipal("user:ada"), MakePrincipal("user:ada", {"staff"}),
       MakePrincipal("user:ada@R", {"leads"}), MakePrincipal("user:cy"),
       WithUnknownGroups(MakePrincipal("user:ada")),
       WithUnknownGroups(MakePrincipal("user:eve", {"leads"})), MakePrincipal("group:staff")},
      {"read", "doc.read"},
      {"doc:/f/a", "doc:/f/a/b", "doc:/f/x:yz", "doc:x:yz", "folder:f", "doc:/f", "doc:/f/../a"});
  Tally tally;
  for (const Effect effect : {Effect::kAllow, Effect::kDeny}) {
    for (const std::string& principal : principals) {
      for (const std::string& action : actions) {
        for (const std::string& resource : resources) {
          for (const bool shadow : {false, true}) {
            if (shadow && action != "any") continue;
            World world = TinyWorld();
            world.rules = {TinyRule("r", effect, principal == "{re}" ? "re:user:a.*" : principal,
                                    action, resource)};
            world.rules[0].shadow = shadow;
            ASSERT_TRUE(AgreeOnAll(world, requests, &tally));
          }
        }
      }
    }
  }
}

// Every set of up to three of these rules, under every request.
TEST(ExhaustiveTest, EverySmallSet) {
  const std::vector<std::array<std::string, 3>> parts = {
      {"anyone", "any", "any"},
      {"authenticated", "read", "any"},
      {"user:ada", "any", "doc:/f/a"},
      {"group:staff", "read", "folder:top"},
      {"group:leads", "any", "doc:/f/*"},
      {"team:all", "doc.*", "any"},
      {"user:a*", "any", "doc:x:y*"},
      {"re:user:[ab].*", "any", "re:doc:/f/.*"},
      {"role:editor", "any", "doc:/f/**"},
      {"role:team", "read", "any"},
      {"role:known", "any", "folder:f"},
      {"group:unheard", "any", "any"},
      {"role:through", "any", "any"},
  };
  std::vector<Rule> pool;
  for (const auto& [principal, action, resource] : parts) {
    for (const Effect effect : {Effect::kAllow, Effect::kDeny}) {
      for (const bool shadow : {false, true}) {
        // Ids in another order than that of the pool.
        const std::string id = std::string(1, static_cast<char>('a' + pool.size() * 7 % 26)) +
                               std::to_string(pool.size());
        pool.push_back(TinyRule(id, effect, principal, action, resource));
        pool.back().shadow = shadow;
      }
    }
  }
  const std::vector<OwnedRequest> requests =
      TinyRequests({Principal(), MakePrincipal("user:ada", {"leads"}),
                    WithUnknownGroups(MakePrincipal("user:bob")), MakePrincipal("user:cy")},
                   {"read", "doc.read"}, {"doc:/f/a", "doc:x:yz", "doc:.."});
  Tally tally;
  World world = TinyWorld();
  ASSERT_TRUE(AgreeOnAll(world, requests, &tally));
  for (size_t i = 0; i < pool.size(); ++i) {
    for (size_t j = i + 1; j < pool.size(); ++j) {
      world.rules = {pool[j], pool[i]};
      ASSERT_TRUE(AgreeOnAll(world, requests, &tally));
      for (size_t k = j + 1; k < pool.size(); ++k) {
        world.rules = {pool[k], pool[i], pool[j]};
        ASSERT_TRUE(AgreeOnAll(world, requests, &tally));
      }
    }
  }
  tally.ExpectAtLeast(1000);
}

// Every request of these under every schema of these: each kind of type, required or not, open or
// not, stored or not, with and without the parent and the action's types.
TEST(ExhaustiveTest, EverySchema) {
  using Kind = SchemaType::Kind;
  const std::vector<SchemaType> types = {Kind::kAny,
                                         Kind::kInt,
                                         Kind::kString,
                                         SchemaType::List(Kind::kInt),
                                         SchemaType::Map(Kind::kInt),
                                         SchemaType::Record({{"a", Kind::kInt}}),
                                         SchemaType::Record({{"a", Kind::kInt, false}})};
  const std::vector<std::optional<Value>> values = {
      std::nullopt,
      Value(),
      Value::Int(1),
      Value::String("x"),
      Value::Of(Value::List()),
      Value::Of(Value::List{Value::Int(1)}),
      Value::Of(Value::List{Value::Int(1), Value()}),
      Value::Of(Attributes()),
      Value::Of(Attributes{{"a", Value::Int(1)}}),
      Value::Of(Attributes{{"a", Value()}}),
      Value::Of(Attributes{{"a", Value::Int(1)}, {"b", Value::Int(1)}}),
  };
  std::vector<OwnedRequest> requests(values.size() * 24);
  size_t next = 0;
  for (const std::optional<Value>& value : values) {
    for (const char* name : {"f", "g", "id", "via"}) {
      for (int i = 0; i < 6; ++i) {
        OwnedRequest& request = requests[next++];
        request.principal = i == 3 ? Principal() : MakePrincipal("user:ada");
        request.action = i == 4 ? "write" : "read";
        request.resource = MakeId("doc:a");
        if (i == 5) request.principal.groups = {"staff"};
        Attributes* const to = i == 1   ? &request.resource_attributes
                               : i == 2 ? &request.context
                                        : &request.principal.attributes;
        if (value.has_value()) to->Set(name, *value);
      }
    }
  }
  Tally tally;
  uint64_t fitting = 0;
  for (const SchemaType& type : types) {
    for (uint32_t bits = 0; bits < 64; ++bits) {
      const SchemaField field = {"f", type, (bits & 1) != 0};
      World world;
      world.rules = {TinyRule("r", Effect::kAllow, "anyone", "any", "any")};
      world.schema.emplace();
      world.schema->entities = {{"user", {}, {field}, (bits & 2) != 0}, {"doc", {}, {}}};
      world.schema->entities.push_back({"group", {}, {}});
      if ((bits & 4) != 0) world.schema->entities[0].parents = {"group"};
      if ((bits & 8) != 0) world.schema->entities[1].attributes = {field};
      if ((bits & 16) != 0) world.schema->context = {field};
      world.schema->actions = {{"read", {"user"}, {"doc"}, {}}, {"write", {"group"}, {"doc"}, {}}};
      if ((bits & 32) != 0 && type == SchemaType(Kind::kInt)) {
        world.entities = {{MakeId("user:ada"), {}, {{"f", Value::Int(7)}}}};
      }
      Comparison comparison(world);
      for (const OwnedRequest& request : requests) {
        ASSERT_TRUE(comparison.Agree(request.View(), false)) << comparison.failure();
        fitting += comparison.decision().allowed();
        tally.Add(comparison.decision());
      }
    }
  }
  EXPECT_GE(fitting, 1000u);
}

// ---- Random worlds ----

TEST(RandomTest, EngineAndReferenceAgree) {
  struct Kind {
    Size size;
    uint32_t worlds;
    uint32_t requests;
  };
  const Kind kinds[] = {
      {{1, 3, 1, 2}, 2000, 60},  //
      {{6, 8, 3, 3}, 1500, 150},      {{30, 30, 5, 6}, 300, 200},
      {{40, 200, 5, 20}, 40, 300},    {{400, 100, 8, 40}, 10, 300},
      {{4000, 300, 10, 300}, 2, 150}, {{100000, 3000, 20, 3000}, 1, 12},
  };
  const uint64_t seed = FromEnvironment("REEVE_SEED", 1);
  const uint64_t rounds = FromEnvironment("REEVE_ROUNDS", 1);
  Tally tally;
  uint64_t number = seed << 32;
  for (uint64_t round = 0; round < rounds; ++round) {
    for (const Kind& kind : kinds) {
      for (uint32_t w = 0; w < kind.worlds; ++w) {
        RandomChoices choices(++number);
        const World world = MakeWorld(choices, kind.size);
        Comparison comparison(world);
        for (uint32_t r = 0; r < kind.requests; ++r) {
          OwnedRequest request;
          MakeRequest(choices, world, kind.size, /*malformed=*/12, &request);
          const bool explain = r % (kind.size.rules < 50 ? 4 : 16) == 0;
          ASSERT_TRUE(comparison.Agree(request.View(), explain))
              << "REEVE_SEED=" << seed << ", world " << number << ", request " << r << "\n"
              << comparison.failure();
          tally.Add(comparison.decision());
        }
      }
    }
  }
  std::printf("REEVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  tally.ExpectAtLeast(1000);
  tally.ExpectTexts(1000);
}

}  // namespace
}  // namespace reeve::differential
