#include "reeve/engine/entity_provider.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::Ids;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;

using Answer = std::function<absl::Status(ProvidedEntity*)>;

// Answers about the principal `user:ada` as it is told, and nothing about others.
class FakeProvider final : public EntityProvider {
 public:
  absl::Status Read(EntityView entity, ProvidedEntity* found) const override {
    asked += ToString(entity) + " ";
    if (entity == EntityView{"user", "ada"} && of_principal) return of_principal(found);
    if (entity == EntityView{"doc", "1"} && of_resource) return of_resource(found);
    return absl::OkStatus();
  }

  Answer of_principal;
  Answer of_resource;
  mutable std::string asked;
};

const std::vector<EntityId>& Leads() {
  static const auto* const leads = new std::vector<EntityId>{MakeId("group:leads")};
  return *leads;
}

const std::vector<EntityId>& Finance() {
  static const auto* const finance = new std::vector<EntityId>{MakeId("folder:finance")};
  return *finance;
}

Answer Parents(const std::vector<EntityId>& parents, bool complete = true) {
  return [&parents, complete](ProvidedEntity* found) {
    found->parents = parents;
    found->complete = complete;
    return absl::OkStatus();
  };
}

Answer Fails() {
  return [](ProvidedEntity* found) {
    found->parents = Leads();  // does not count
    return absl::DeadlineExceededError("no answer within 5 ms");
  };
}

Answer Throws() {
  return [](ProvidedEntity*) -> absl::Status { throw std::runtime_error("secret"); };
}

Answer Malformed() {
  return [](ProvidedEntity* found) {
    static const auto* const parents = new std::vector<EntityId>{EntityId("folder", "/a/../b")};
    found->parents = *parents;
    return absl::OkStatus();
  };
}

std::vector<Rule> Rules(std::string_view id, const char* principal, const char* resource) {
  std::vector<Rule> rules = {MakeRule(id, {principal}, {"any"}, {resource})};
  if (id[0] == '-') rules.push_back(MakeRule("+all", {"anyone"}, {"any"}, {"any"}));
  return rules;
}

struct Case {
  const char* name;
  std::vector<Rule> rules;
  Answer of_principal;
  Answer of_resource;
  Reason reason;
  const char* want_rules;
  const char* want_error = "";
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class EntityProviderTest : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Engine> MakeEngine(const std::vector<Rule>& rules) {
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    options.entities = &provider_;
    std::unique_ptr<Engine> engine = *Engine::Create(options);
    SnapshotBuilder builder;
    for (const Rule& rule : rules) builder.AddRule(rule);
    builder.AddEntity(MakeEntity("group:leads", {"group:staff"}));
    builder.AddEntity(MakeEntity("folder:finance", {"folder:all"}));
    builder.AddRole("staff", {PrincipalPattern("group:staff")});
    EXPECT_TRUE(engine->Replace(*builder.Build()).ok());
    return engine;
  }

  static Pattern PrincipalPattern(const char* text) { return testing::PrincipalPattern(text); }

  FakeProvider provider_;
  const Principal ada_ = MakePrincipal("user:ada");
};

TEST_P(EntityProviderTest, Decides) {
  const Case& c = GetParam();
  const std::unique_ptr<Engine> engine = MakeEngine(c.rules);
  provider_.of_principal = c.of_principal;
  provider_.of_resource = c.of_resource;
  const Decision got = engine->Decide(Request(ada_, "x", {"doc", "1"}));
  EXPECT_EQ(got.reason(), c.reason);
  EXPECT_EQ(Ids(got.rules()), c.want_rules);
  EXPECT_EQ(got.error(), c.want_error);
  EXPECT_FALSE(got.record_failed());
  EXPECT_EQ(provider_.asked, "user:ada doc:1 ");
}

constexpr Reason kAllowed = Reason::kAllowRule;
constexpr Reason kDenied = Reason::kDenyRule;
constexpr Reason kUnknown = Reason::kDenyUnknown;
constexpr Reason kNone = Reason::kNoRule;
constexpr char kLate[] = "the entity provider does not know `user:ada`: no answer within 5 ms";
constexpr char kLateDoc[] = "the entity provider does not know `doc:1`: no answer within 5 ms";

const Case kCases[] = {
    {"KnowsNothing", Rules("+r", "group:staff", "any"), {}, {}, kNone, ""},
    {"ParentOfThePrincipal",
     Rules("+r", "group:staff", "any"),
     Parents(Leads()),
     {},
     kAllowed,
     "r"},
    {"ParentOfTheResource",
     Rules("+r", "anyone", "folder:all"),
     {},
     Parents(Finance()),
     kAllowed,
     "r"},
    {"PartOfTheResourceAmongSeveral",
     {MakeRule("-r", {"anyone"}, {"any"}, {"folder:none", "folder:all"}),
      MakeRule("+all", {"anyone"}, {"any"}, {"any"})},
     {},
     Fails(),
     kUnknown,
     "r",
     kLateDoc},
    {"Role", Rules("+r", "role:staff", "any"), Parents(Leads()), {}, kAllowed, "r"},
    {"Deny", Rules("-r", "group:leads", "any"), Parents(Leads()), {}, kDenied, "r"},
    // What is found in a part is found; what is not is unknown.
    {"PartFound", Rules("+r", "group:staff", "any"), Parents(Leads(), false), {}, kAllowed, "r"},
    {"PartAllow", Rules("+r", "team:blue", "any"), Parents(Leads(), false), {}, kNone, ""},
    {"PartDeny", Rules("-r", "team:blue", "any"), Parents(Leads(), false), {}, kUnknown, "r"},
    {"PartRole", Rules("-r", "role:staff", "any"), Parents(Finance(), false), {}, kUnknown, "r"},
    {"PartOfTheResource",
     Rules("-r", "anyone", "folder:top"),
     {},
     Parents(Finance(), false),
     kUnknown,
     "r"},
    {"PartOfTheResourceAllow",
     Rules("+r", "anyone", "folder:top"),
     {},
     Parents(Finance(), false),
     kNone,
     ""},
    // Patterns look at names only.
    {"PartAndAPattern",
     Rules("-r", "user:b*", "any"),
     Parents(Leads(), false),
     {},
     kAllowed,
     "all"},
    {"FailsAllow", Rules("+r", "group:leads", "any"), Fails(), {}, kNone, "", kLate},
    {"FailsDeny", Rules("-r", "group:leads", "any"), Fails(), {}, kUnknown, "r", kLate},
    {"FailsAllowOfAnyone", Rules("+r", "anyone", "any"), Fails(), {}, kAllowed, "r", kLate},
    {"FailsForTheResource",
     Rules("-r", "anyone", "folder:all"),
     {},
     Fails(),
     kUnknown,
     "r",
     kLateDoc},
    {"ThrowsDeny",
     Rules("-r", "group:leads", "any"),
     Throws(),
     {},
     kUnknown,
     "r",
     "the entity provider does not know `user:ada`: it threw an exception"},
    {"MalformedDeny",
     Rules("-r", "anyone", "folder:all"),
     {},
     Malformed(),
     kUnknown,
     "r",
     "the entity provider does not know `doc:1`: the entity id has a `.` or `..` segment"},
};

INSTANTIATE_TEST_SUITE_P(All, EntityProviderTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

using EntityProviderUseTest = EntityProviderTest;

TEST_F(EntityProviderUseTest, IsNotAskedAboutAMalformedRequest) {
  const std::unique_ptr<Engine> engine = MakeEngine(Rules("+r", "anyone", "any"));
  EXPECT_EQ(engine->Decide(Request(ada_, "x", {"doc", "/a/../b"})).reason(), Reason::kBadRequest);
  EXPECT_EQ(provider_.asked, "");
}

TEST_F(EntityProviderUseTest, IsAskedOnceForBothSets) {
  const std::unique_ptr<Engine> engine = MakeEngine(Rules("+r", "group:staff", "any"));
  engine->ReplaceShadow(engine->snapshot());
  provider_.of_principal = Parents(Leads());
  const Decision got = engine->Decide(Request(ada_, "x", {"doc", "1"}));
  EXPECT_TRUE(got.allowed());
  ASSERT_NE(got.shadow(), nullptr);
  EXPECT_TRUE(got.shadow()->allowed());
  EXPECT_EQ(provider_.asked, "user:ada doc:1 ");
}

TEST_F(EntityProviderUseTest, WhatItKeepsAliveIsLetGoOfWithTheAnswer) {
  const std::unique_ptr<Engine> engine = MakeEngine(Rules("+r", "group:leads", "any"));
  const auto cached = std::make_shared<const std::vector<EntityId>>(Leads());
  provider_.of_principal = [&](ProvidedEntity* found) {
    found->parents = *cached;
    found->keep = cached;
    return absl::OkStatus();
  };
  EXPECT_TRUE(engine->Decide(Request(ada_, "x", {"doc", "1"})).allowed());
  EXPECT_EQ(cached.use_count(), 1);
}

}  // namespace
}  // namespace reeve
