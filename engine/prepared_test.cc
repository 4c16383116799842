// Prepare(), DecideAll(), ListAllowed() and Reclaim(): the same answers and records as of Decide().
#include "reeve/engine/prepared.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::FakeClock;
using testing::Ids;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;
using testing::PrincipalPattern;

// `allow_rule a b user:ada read doc:1`: the answer, its rules and the request.
std::string Describe(const Request& request, const Decision& decision) {
  std::string text(ToString(decision.reason()));
  text.append(" ").append(Ids(decision.rules())).append(" ");
  text.append(ToString(request.principal->id)).append(" ").append(request.action);
  return text.append(" ").append(ToString(request.resource));
}

// Keeps what it is told, but for the record of which the number is `failing`.
class KeepingSink final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord& record, AuditLevel) override {
    if (static_cast<int>(rows.size()) == failing) {
      rows.emplace_back();
      return absl::UnavailableError("full");
    }
    rows.push_back(Describe(record.request, record.decision));
    return absl::OkStatus();
  }

  std::vector<std::string> rows;
  int failing = -1;
};

// Of two sets that speak of the same names, under other numbers.
std::shared_ptr<const Snapshot> MakeSnapshot(bool other) {
  SnapshotBuilder builder;
  builder.SetDigest(other ? "other" : "one");
  if (other) builder.AddEntity(MakeEntity("group:guests", {"group:leads"}));
  builder.AddEntity(MakeEntity("group:leads", {"group:staff"}));
  builder.AddRole("asked", {PrincipalPattern("user:ed*"), PrincipalPattern("re:user:.*z")});
  builder.AddRule(MakeRule("+staff", {"group:staff"}, {"read"}, {"doc:/a/**"}));
  builder.AddRule(MakeRule("+asked", {"role:asked"}, {"read"}, {"any"}));
  builder.AddRule(MakeRule("+known", {"authenticated"}, {"list"}, {"doc:/a"}));
  builder.AddRule(MakeRule("+folder", {"anyone"}, {"read"}, {"folder:open"}));
  builder.AddRule(MakeRule("-guests", {"group:guests"}, {"read"}, {other ? "doc:/b/*" : "any"}));
  return *builder.Build();
}

class PreparedTest : public ::testing::Test {
 protected:
  PreparedTest() {
    Engine::Options options;
    options.audit = &sink_;
    options.clock = &clock_;
    engine_ = *Engine::Create(options);
  }

  FakeClock clock_;
  KeepingSink sink_;
  std::unique_ptr<Engine> engine_;
};

std::vector<Principal> Principals() {
  Principal unsure = MakePrincipal("user:ada", {"leads"});
  unsure.groups_complete = false;
  Principal placed = MakePrincipal("user:ada");
  placed.parents = {MakeId("group:guests")};
  Principal malformed = MakePrincipal("user:ada");
  malformed.groups = {"a\nb"};
  Principal reserved;
  reserved.id = EntityId("role", "asked");
  Principal disguised;  // The type ends at the first colon, so that this is no `group:staff`.
  disguised.id = EntityId("group:staff", "");
  return {Principal(),
          MakePrincipal("user:ada"),
          MakePrincipal("user:ada", {"staff"}),
          MakePrincipal("user:ada", {"leads", "guests"}),
          MakePrincipal("user:ed"),
          MakePrincipal("user:liz", {"staff"}),
          MakePrincipal("group:leads"),
          std::move(unsure),
          std::move(placed),
          std::move(malformed),
          std::move(reserved),
          std::move(disguised)};
}

const std::pair<const char*, EntityView> kAsked[] = {{"read", {"doc", "/a/x"}},
                                                     {"read", {"doc", "/b/x"}},
                                                     {"list", {"doc", "/a"}},
                                                     {"", {"doc", "/a"}},
                                                     {"read", {"doc", "/a/../x"}}};

TEST_F(PreparedTest, AnswersAndRecordsAreTheSameUnderEachSnapshot) {
  std::vector<PreparedPrincipal> prepared;  // Moves as it grows.
  for (const Principal& principal : Principals()) prepared.push_back(engine_->Prepare(principal));
  std::set<std::string> reasons;
  for (const auto& snapshot : {std::shared_ptr<const Snapshot>(), MakeSnapshot(false),
                               MakeSnapshot(true), MakeSnapshot(false)}) {
    if (snapshot != nullptr) {
      ASSERT_TRUE(engine_->Replace(snapshot).ok());
    }
    const std::vector<Principal> principals = Principals();
    for (size_t i = 0; i < principals.size(); ++i) {
      for (const auto& [action, resource] : kAsked) {
        sink_.rows.clear();
        const Decision want = engine_->Decide(Request(principals[i], action, resource));
        const Request request(prepared[i], action, resource);
        const Decision got = engine_->Decide(request);
        EXPECT_EQ(Describe(request, got), sink_.rows[0]);
        EXPECT_EQ(sink_.rows[1], sink_.rows[0]);
        EXPECT_EQ(got.error(), want.error());
        EXPECT_EQ(got.policy_digest(), snapshot == nullptr ? "" : snapshot->digest());
        reasons.emplace(ToString(got.reason()));
      }
    }
  }
  EXPECT_EQ(reasons, (std::set<std::string>{"no_policy", "allow_rule", "deny_rule", "deny_unknown",
                                            "no_rule", "bad_request"}));
}

TEST_F(PreparedTest, EnginesTakeTurns) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const std::unique_ptr<Engine> other = *Engine::Create(options);
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  ASSERT_TRUE(other->Replace(MakeSnapshot(true)).ok());
  const PreparedPrincipal guest = engine_->Prepare(MakePrincipal("user:ada", {"guests"}));
  for (int i = 0; i < 3; ++i) {
    const Request request(guest, "read", {"doc", "/a/x"});
    EXPECT_EQ(engine_->Decide(request).reason(), Reason::kDenyRule);
    EXPECT_EQ(other->Decide(request).reason(), Reason::kAllowRule);
  }
}

// Its shadow set is another.
TEST_F(PreparedTest, AShadowSetIsAskedAboutTheSamePrincipal) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  engine_->ReplaceShadow(MakeSnapshot(true));
  const PreparedPrincipal guest = engine_->Prepare(MakePrincipal("user:ada", {"guests"}));
  for (int i = 0; i < 2; ++i) {
    const Decision decision = engine_->Decide(Request(guest, "read", {"doc", "/a/x"}));
    EXPECT_EQ(decision.reason(), Reason::kDenyRule);
    EXPECT_EQ(decision.shadow()->reason(), Reason::kAllowRule);
  }
}

TEST_F(PreparedTest, ABatchIsAsManyDecisions) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  const std::vector<Principal> principals = Principals();
  std::vector<PreparedPrincipal> prepared;
  for (const Principal& principal : principals) prepared.push_back(engine_->Prepare(principal));
  // Each principal several times in a row, then changing ones, then prepared ones.
  std::vector<Request> requests;
  for (const Principal& principal : principals) {
    for (const auto& [action, resource] : kAsked)
      requests.emplace_back(principal, action, resource);
  }
  for (const auto& [action, resource] : kAsked) {
    for (size_t i = 0; i < principals.size(); ++i) {
      requests.emplace_back(principals[i], action, resource);
      requests.emplace_back(prepared[i], action, resource);
      requests.emplace_back(prepared[i].principal(), action, resource);
    }
  }
  std::vector<std::string> want;
  for (const Request& request : requests)
    want.push_back(Describe(request, engine_->Decide(request)));
  EXPECT_EQ(sink_.rows, want);
  sink_.rows.clear();
  const std::vector<Decision> got = engine_->DecideAll(requests);
  EXPECT_EQ(sink_.rows, want);
  ASSERT_EQ(got.size(), requests.size());
  std::set<std::string> ids;
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(Describe(requests[i], got[i]), want[i]);
    EXPECT_EQ(got[i].generation(), 1u);
    EXPECT_EQ(got[i].snapshot(), engine_->snapshot());
    ids.insert(got[i].id().ToString());
  }
  EXPECT_EQ(ids.size(), requests.size());
  EXPECT_TRUE(engine_->DecideAll({}).empty());
}

TEST_F(PreparedTest, OfABatchNothingIsAllowedWithoutItsRecord) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  const Principal ada = MakePrincipal("user:ada", {"staff"});
  const std::vector<Request> requests(3, Request(ada, "read", {"doc", "/a/x"}));
  sink_.failing = 1;
  const std::vector<Decision> decisions = engine_->DecideAll(requests);
  EXPECT_EQ(decisions[0].reason(), Reason::kAllowRule);
  EXPECT_EQ(decisions[1].reason(), Reason::kAuditFailed);
  EXPECT_EQ(decisions[2].reason(), Reason::kAllowRule);
  sink_.rows.clear();
  const std::vector<EntityView> resources(3, requests[0].resource);
  EXPECT_EQ(engine_->ListAllowed(requests[0], resources), (std::vector<size_t>{0, 2}));
}

TEST_F(PreparedTest, WithoutAPolicyNothingIsListed) {
  const Principal ada = MakePrincipal("user:ada");
  const std::vector<EntityView> resources = {{"doc", "/a"}};
  EXPECT_TRUE(engine_->ListAllowed(Request(ada, "list", {"doc", "/a"}), resources).empty());
  EXPECT_EQ(sink_.rows, std::vector<std::string>{"no_policy  user:ada list doc:/a"});
}

TEST_F(PreparedTest, ListsResources) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  const PreparedPrincipal ada = engine_->Prepare(MakePrincipal("user:ada", {"staff"}));
  const std::vector<EntityView> resources = {
      {"doc", "/b/x"}, {"doc", "/a/x"}, {"doc", "/a/../x"}, {"folder", "open"}, {"doc", "/a/y"}};
  Request request(ada, "read", {"doc", "/ignored"});
  // What the request says of its own resource goes for no other.
  const std::vector<EntityId> parents = {MakeId("folder:open")};
  request.resource_parents = parents;
  EXPECT_TRUE(engine_->Decide(request).allowed());
  sink_.rows.clear();
  EXPECT_EQ(engine_->ListAllowed(request, resources), (std::vector<size_t>{1, 3, 4}));
  EXPECT_EQ(sink_.rows, (std::vector<std::string>{"no_rule  user:ada read doc:/b/x",
                                                  "allow_rule staff user:ada read doc:/a/x",
                                                  "bad_request  user:ada read doc:/a/../x",
                                                  "allow_rule folder user:ada read folder:open",
                                                  "allow_rule staff user:ada read doc:/a/y"}));
}

TEST_F(PreparedTest, ListsActions) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  const Principal ada = MakePrincipal("user:ada");
  Request request(ada, "", {"doc", "/a"});
  const std::vector<EntityId> parents = {MakeId("folder:open")};
  request.resource_parents = parents;
  const std::vector<std::string_view> actions = {"write", "list", "", "read"};
  EXPECT_EQ(engine_->ListAllowed(request, actions), (std::vector<size_t>{1, 3}));
  EXPECT_EQ(sink_.rows,
            (std::vector<std::string>{
                "no_rule  user:ada write doc:/a", "allow_rule known user:ada list doc:/a",
                "bad_request  user:ada  doc:/a", "allow_rule folder user:ada read doc:/a"}));
}

// Tells another group of the principal each time.
class ChangingProvider final : public EntityProvider {
 public:
  absl::Status Read(EntityView entity, ProvidedEntity* found) const override {
    if (entity.type != "user") return absl::OkStatus();
    found->parents = absl::MakeConstSpan(&groups_[asked_++ % 2], 1);
    return absl::OkStatus();
  }

 private:
  const EntityId groups_[2] = {MakeId("group:staff"), MakeId("group:guests")};
  mutable size_t asked_ = 0;
};

TEST_F(PreparedTest, WhatAProviderTellsIsNotKept) {
  const ChangingProvider provider;
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  options.entities = &provider;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  ASSERT_TRUE(engine->Replace(MakeSnapshot(false)).ok());
  const PreparedPrincipal ada = engine->Prepare(MakePrincipal("user:ada"));
  const std::vector<Request> requests = {{ada, "read", {"doc", "/a/x"}},
                                         {ada, "read", {"doc", "/a/x"}},
                                         {ada.principal(), "read", {"doc", "/a/x"}},
                                         {ada.principal(), "read", {"doc", "/a/x"}}};
  std::string answers;
  for (const Decision& decision : engine->DecideAll(requests)) {
    answers.append(Ids(decision.rules())).append(" ");
  }
  EXPECT_EQ(answers, "staff guests staff guests ");
}

// A sink that asks the engine itself, from within a batch.
TEST_F(PreparedTest, ABatchWithinABatch) {
  class AskingSink final : public AuditSink {
   public:
    absl::Status Append(const AuditRecord& record, AuditLevel) override {
      if (record.request.action == "list") return absl::OkStatus();
      const std::vector<EntityView> resources = {{"doc", "/a"}};
      const Principal other = MakePrincipal("user:other");
      listed += engine->ListAllowed(Request(other, "list", {"doc", "/a"}), resources).size();
      return absl::OkStatus();
    }
    Engine* engine = nullptr;
    size_t listed = 0;
  };
  AskingSink sink;
  Engine::Options options;
  options.audit = &sink;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  sink.engine = engine.get();
  ASSERT_TRUE(engine->Replace(MakeSnapshot(false)).ok());
  const Principal ada = MakePrincipal("user:ada", {"staff"});
  const std::vector<Request> requests(3, Request(ada, "read", {"doc", "/a/x"}));
  for (const Decision& decision : engine->DecideAll(requests)) EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(sink.listed, 3u);
}

TEST_F(PreparedTest, NoDecisionFreesASnapshot) {
  const Principal ada = MakePrincipal("user:ada");
  const Request request(ada, "list", {"doc", "/a"});
  std::weak_ptr<const Snapshot> old;
  {
    const auto snapshot = MakeSnapshot(false);
    old = snapshot;
    ASSERT_TRUE(engine_->Replace(snapshot).ok());
  }
  Decision kept = engine_->Decide(request);
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(true)).ok());
  EXPECT_EQ(engine_->Reclaim(), 1u) << "this thread has it, and the decision";
  EXPECT_EQ(engine_->Decide(request).policy_digest(), "other");
  EXPECT_EQ(engine_->Reclaim(), 1u) << "the decision has it";
  kept = Decision();
  EXPECT_FALSE(old.expired()) << "not by the decision";
  EXPECT_EQ(engine_->Reclaim(), 0u);
  EXPECT_TRUE(old.expired());

  old = engine_->snapshot();
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  (void)engine_->Decide(request);
  EXPECT_FALSE(old.expired());
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(true)).ok());
  EXPECT_TRUE(old.expired()) << "by the next that replaces";
}

TEST_F(PreparedTest, ASnapshotThatReturnsIsReclaimedOnce) {
  const Principal ada = MakePrincipal("user:ada");
  std::shared_ptr<const Snapshot> one = MakeSnapshot(false);
  std::shared_ptr<const Snapshot> other = MakeSnapshot(true);
  const std::weak_ptr<const Snapshot> old = one;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine_->Replace(one).ok());
    (void)engine_->Decide(Request(ada, "list", {"doc", "/a"}));
    ASSERT_TRUE(engine_->Replace(other).ok());
    (void)engine_->Decide(Request(ada, "list", {"doc", "/a"}));
  }
  EXPECT_EQ(engine_->Reclaim(), 1u) << "it is still held here";
  one = nullptr;
  EXPECT_EQ(engine_->Reclaim(), 0u);
  EXPECT_TRUE(old.expired());
}

TEST_F(PreparedTest, ShadowSetsAreReclaimedToo) {
  const Principal ada = MakePrincipal("user:ada");
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(false)).ok());
  engine_->ReplaceShadow(MakeSnapshot(true));
  const std::weak_ptr<const Snapshot> old = engine_->shadow();
  (void)engine_->Decide(Request(ada, "list", {"doc", "/a"}));
  engine_->ReplaceShadow(nullptr);
  EXPECT_EQ(engine_->Reclaim(), 1u);
  (void)engine_->Decide(Request(ada, "list", {"doc", "/a"}));
  EXPECT_EQ(engine_->Reclaim(), 0u);
  EXPECT_TRUE(old.expired());
}

}  // namespace
}  // namespace reeve
