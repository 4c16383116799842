#include "reeve/engine/engine.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

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

// Keeps what it was given, or fails as it was told to.
class FakeSink final : public AuditSink {
 public:
  struct Row {
    Reason reason;
    std::string rules;
    AuditLevel level;
  };

  absl::Status Append(const AuditRecord& record, AuditLevel level) override {
    if (!failure.ok()) return failure;
    rows.push_back({record.decision.reason(), Ids(record.decision.rules()), level});
    return absl::OkStatus();
  }

  std::vector<Row> rows;
  absl::Status failure;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    Engine::Options options;
    options.audit = &sink_;
    options.clock = &clock_;
    engine_ = *Engine::Create(options);
  }

  void Install(const std::vector<Rule>& rules, const std::vector<Entity>& entities = {}) {
    SnapshotBuilder builder;
    builder.SetDigest("sha256:test");
    for (const Rule& rule : rules) builder.AddRule(rule);
    for (const Entity& entity : entities) builder.AddEntity(entity);
    builder.AddRole("editor", {PrincipalPattern("group:staff"), PrincipalPattern("user:ed-*"),
                               PrincipalPattern("user:eve")});
    builder.AddRole("known", {PrincipalPattern("authenticated")});
    auto snapshot = builder.Build();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ASSERT_TRUE(engine_->Replace(*snapshot).ok());
  }

  FakeSink sink_;
  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
};

struct Case {
  const char* name;
  std::vector<Rule> rules;
  std::vector<Entity> entities;
  Principal principal;
  const char* action;
  const char* resource;
  Reason reason;
  const char* want_rules = "";
  const char* want_near_misses = "";
  const char* want_shadow_rules = "";
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class DecideTest : public EngineTest, public ::testing::WithParamInterface<Case> {};

TEST_P(DecideTest, DecidesAndKeepsOneRecord) {
  const Case& c = GetParam();
  Install(c.rules, c.entities);
  const EntityId resource = MakeId(c.resource);
  const Decision got = engine_->Decide(Request(c.principal, c.action, resource));
  EXPECT_EQ(got.reason(), c.reason) << got.error();
  EXPECT_EQ(got.allowed(), c.reason == Reason::kAllowRule);
  EXPECT_EQ(Ids(got.rules()), c.want_rules);
  EXPECT_EQ(Ids(got.near_misses()), c.want_near_misses);
  EXPECT_EQ(Ids(got.shadow_rules()), c.want_shadow_rules);
  EXPECT_EQ(got.time(), clock_.now);
  EXPECT_EQ(got.clock_time(), clock_.now);
  EXPECT_EQ(got.policy_digest(), "sha256:test");
  ASSERT_EQ(sink_.rows.size(), 1u);
  EXPECT_EQ(sink_.rows[0].reason, c.reason);
  EXPECT_EQ(sink_.rows[0].rules, c.want_rules);
  EXPECT_EQ(sink_.rows[0].level, AuditLevel::kRecorded);
}

Rule Allow(std::string_view principal, std::string_view action, std::string_view resource) {
  return MakeRule("+a", {std::string(principal)}, {std::string(action)}, {std::string(resource)});
}

Rule Shadow(Rule rule) {
  rule.shadow = true;
  return rule;
}

Principal WithUnknownGroups(Principal principal) {
  principal.groups_complete = false;
  return principal;
}

const Principal kAda = MakePrincipal("user:ada", {"staff"});
const Principal kBob = MakePrincipal("user:bob");
const Principal kAnonymous;
const std::vector<Entity> kFolders = {
    MakeEntity("group:leads", {"group:staff"}),
    MakeEntity("doc:/f/q3", {"folder:finance"}),
    MakeEntity("folder:finance", {"folder:all"}),
};
const std::vector<Rule> kFoundByActions = {
    MakeRule("+tree", {"anyone"}, {"in-tree"}, {"doc:/f/**"}),
    MakeRule("+folder", {"anyone"}, {"in-folder"}, {"doc:/f/*"}),
};
const std::vector<Rule> kSeveral = {
    MakeRule("+a", {"user:eve", "group:staff"}, {"read", "list"}, {"doc:1", "folder:all"}),
};
constexpr Reason kAllowed = Reason::kAllowRule;
constexpr Reason kDenied = Reason::kDenyRule;
constexpr Reason kNone = Reason::kNoRule;
constexpr Reason kUnknown = Reason::kDenyUnknown;

const Case kCases[] = {
    {"NoRuleDenies", {}, {}, kAda, "read", "doc:1", kNone},
    {"Literal", {Allow("user:ada", "read", "doc:1")}, {}, kAda, "read", "doc:1", kAllowed, "a"},
    {"OtherPrincipal", {Allow("user:ada", "read", "doc:1")}, {}, kBob, "read", "doc:1", kNone},
    {"OtherAction", {Allow("user:ada", "read", "doc:1")}, {}, kAda, "write", "doc:1", kNone},
    {"OtherResource", {Allow("user:ada", "read", "doc:1")}, {}, kAda, "read", "doc:2", kNone},
    {"OtherType", {Allow("user:ada", "read", "doc:1")}, {}, kAda, "read", "file:1", kNone},
    {"AnyoneIsAnyone", {Allow("anyone", "any", "any")}, {}, kAnonymous, "x", "y:1", kAllowed, "a"},
    {"AuthenticatedIs",
     {Allow("authenticated", "any", "any")},
     {},
     kBob,
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"AnonymousIsNot", {Allow("authenticated", "any", "any")}, {}, kAnonymous, "x", "y:1", kNone},
    {"Group", {Allow("group:staff", "any", "any")}, {}, kAda, "x", "y:1", kAllowed, "a"},
    {"NotInGroup", {Allow("group:staff", "any", "any")}, {}, kBob, "x", "y:1", kNone},
    {"GroupThroughParents",
     {Allow("group:staff", "any", "any")},
     kFolders,
     MakePrincipal("user:cy", {"leads"}),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"ResourceThroughParents",
     {Allow("anyone", "any", "folder:all")},
     kFolders,
     kBob,
     "x",
     "doc:/f/q3",
     kAllowed,
     "a"},
    {"GlobDoesNotFollowParents",
     {Allow("anyone", "any", "folder:*")},
     kFolders,
     kBob,
     "x",
     "doc:/f/q3",
     kNone},
    {"GlobPrincipal", {Allow("user:a*", "any", "any")}, {}, kAda, "x", "y:1", kAllowed, "a"},
    {"GlobIsOfThePrincipalOnly", {Allow("group:*", "any", "any")}, {}, kAda, "x", "y:1", kNone},
    {"GlobAction", {Allow("anyone", "doc.*", "any")}, {}, kBob, "doc.read", "y:1", kAllowed, "a"},
    {"GlobResource",
     {Allow("anyone", "any", "doc:/f/**")},
     {},
     kBob,
     "x",
     "doc:/f/a/b",
     kAllowed,
     "a"},
    {"GlobResourceWithoutSlash",
     {Allow("anyone", "any", "doc:q*")},
     {},
     kBob,
     "x",
     "doc:q3",
     kAllowed,
     "a"},
    // What the prefix before it lies in is not looked for again.
    {"GlobResourceBesideAnother",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"doc:/f/b/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"doc:/f/c/*"})},
     {},
     kBob,
     "x",
     "doc:/f/c/x",
     kAllowed,
     "c"},
    {"GlobResourceBelowAnother",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"doc:/f/a/b/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"doc:/f/a/b/c/**"})},
     {},
     kBob,
     "x",
     "doc:/f/a/b/c/x",
     kAllowed,
     "a b c"},
    {"GlobResourceAboveAnother",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"doc:/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"doc:/f/*"})},
     {},
     kBob,
     "x",
     "doc:/f/x",
     kAllowed,
     "b c"},
    {"GlobResourceOfAnotherType",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"note:/f/b/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"doc:/f/b/**"})},
     {},
     kBob,
     "x",
     "note:/f/b/x",
     kAllowed,
     "b"},
    {"GlobResourceOfAnotherTypeIsNoOther",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"note:/f/b/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"note:/f/c/**"})},
     {},
     kBob,
     "x",
     "doc:/f/b/x",
     kNone},
    {"GlobResourceWhoseFolderBeginsAlike",
     {MakeRule("+a", {"anyone"}, {"any"}, {"doc:/f/a/**"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"doc:/fg/b/**"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"doc:/f/b/**"})},
     {},
     kBob,
     "x",
     "doc:/fg/b/x",
     kAllowed,
     "b"},
    {"GlobResourceOtherPath",
     {Allow("anyone", "any", "doc:/f/**")},
     {},
     kBob,
     "x",
     "doc:/g/a",
     kNone},
    {"FolderItself",
     {Allow("anyone", "any", "doc:/f/*")},
     {},
     kBob,
     "x",
     "doc:/f/a",
     kAllowed,
     "a"},
    {"NotBelowAFolder", {Allow("anyone", "any", "doc:/f/*")}, {}, kBob, "x", "doc:/f/a/b", kNone},
    {"NotAboveAFolder", {Allow("anyone", "any", "doc:/f/*")}, {}, kBob, "x", "doc:/f", kNone},
    {"NoPathOfAType", {Allow("anyone", "any", "doc:*")}, {}, kBob, "x", "doc:/f", kNone},
    // The index finds these by their actions, of which each has its own.
    {"TreeFoundByAction", kFoundByActions, {}, kBob, "in-tree", "doc:/f/a/b", kAllowed, "tree"},
    {"OtherTreeFoundByAction", kFoundByActions, {}, kBob, "in-tree", "doc:/g/a", kNone},
    {"FolderFoundByAction", kFoundByActions, {}, kBob, "in-folder", "doc:/f/a", kAllowed, "folder"},
    {"OtherFolderFoundByAction", kFoundByActions, {}, kBob, "in-folder", "doc:/g/a", kNone},
    {"BelowAFolderFoundByAction", kFoundByActions, {}, kBob, "in-folder", "doc:/f/a/b", kNone},
    {"OneOfSeveralActions", kSeveral, kFolders, kAda, "list", "doc:/f/q3", kAllowed, "a"},
    {"NoneOfSeveralActions", kSeveral, kFolders, kAda, "write", "doc:/f/q3", kNone},
    {"NoneOfSeveralPrincipals", kSeveral, kFolders, kBob, "list", "doc:/f/q3", kNone},
    {"NoneOfSeveralResources", kSeveral, kFolders, kAda, "list", "doc:/f/q4", kNone},
    {"DenyOfSeveralGroupsThatMayBe",
     {MakeRule("-a", {"group:ops", "group:law"}, {"any"}, {"any"}),
      MakeRule("+b", {"anyone"}, {"any"}, {"any"})},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kUnknown,
     "a"},
    // The index once looked for such globs under the second colon, where it never looked again.
    {"GlobResourceWithColonsInItsId",
     {MakeRule("-a", {"anyone"}, {"any"}, {"urn:a:b*"}),
      MakeRule("-b", {"anyone"}, {"any"}, {"urn:a:*"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"any"})},
     {},
     kBob,
     "x",
     "urn:a:bc",
     kDenied,
     "a b"},
    {"GlobResourceWithColonsInItsPath",
     {MakeRule("-a", {"anyone"}, {"any"}, {"urn:/a/b:*"}),
      MakeRule("+c", {"anyone"}, {"any"}, {"any"})},
     {},
     kBob,
     "x",
     "urn:/a/b:c",
     kDenied,
     "a"},
    {"RegexPrincipal",
     {Allow("re:user:[a-c].*", "any", "any")},
     {},
     kAda,
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"RegexResource",
     {Allow("anyone", "any", "re:doc:[0-9]+")},
     {},
     kAda,
     "x",
     "doc:12",
     kAllowed,
     "a"},
    {"RegexIsWhole", {Allow("anyone", "any", "re:doc:[0-9]+")}, {}, kAda, "x", "doc:12b", kNone},
    {"RoleByGroup", {Allow("role:editor", "any", "any")}, {}, kAda, "x", "y:1", kAllowed, "a"},
    {"RoleByGroupsParent",
     {Allow("role:editor", "any", "any")},
     kFolders,
     MakePrincipal("user:cy", {"leads"}),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"RoleByName",
     {Allow("role:editor", "any", "any")},
     {},
     MakePrincipal("user:eve"),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"RoleByGlob",
     {Allow("role:editor", "any", "any")},
     {},
     MakePrincipal("user:ed-1"),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"NotInRole", {Allow("role:editor", "any", "any")}, {}, kBob, "x", "y:1", kNone},
    {"RoleOfTheAuthenticated",
     {Allow("role:known", "any", "any")},
     {},
     kBob,
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"RoleNotOfTheAnonymous",
     {Allow("role:known", "any", "any")},
     {},
     kAnonymous,
     "x",
     "y:1",
     kNone},
    {"ParentsOfTheRequest",
     {Allow("team:x", "any", "any")},
     {},
     [] {
       Principal p = MakePrincipal("user:p");
       p.parents = {EntityId("team", "x")};
       return p;
     }(),
     "x",
     "y:1",
     kAllowed,
     "a"},
    // Order must not matter: the deny is written after the allow, and named before it.
    {"DenyBeatsAllow",
     {MakeRule("+b", {"anyone"}, {"any"}, {"any"}), MakeRule("-a", {"user:ada"}, {"any"}, {"any"})},
     {},
     kAda,
     "x",
     "y:1",
     kDenied,
     "a"},
    {"DenyOfAnother",
     {MakeRule("+b", {"anyone"}, {"any"}, {"any"}), MakeRule("-a", {"user:ada"}, {"any"}, {"any"})},
     {},
     kBob,
     "x",
     "y:1",
     kAllowed,
     "b"},
    {"AllDeterminingRulesAreNamed",
     {MakeRule("+c", {"anyone"}, {"any"}, {"any"}), MakeRule("+a", {"group:staff"}, {"x"}, {"y:*"}),
      MakeRule("+b", {"user:ada", "group:staff"}, {"any"}, {"y:1", "y:**"}),
      MakeRule("+d", {"user:bob"}, {"any"}, {"any"})},
     {},
     kAda,
     "x",
     "y:1",
     kAllowed,
     "a b c"},
    {"ShadowAllowDoesNotAllow",
     {Shadow(MakeRule("+s", {"anyone"}, {"any"}, {"any"}))},
     {},
     kAda,
     "x",
     "y:1",
     kNone,
     "",
     "",
     "s"},
    {"ShadowDenyDoesNotDeny",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}),
      Shadow(MakeRule("-s", {"anyone"}, {"any"}, {"any"}))},
     {},
     kAda,
     "x",
     "y:1",
     kAllowed,
     "a",
     "",
     "s"},
    // Groups that could not be listed: an error never widens access.
    {"UnknownGroupDoesNotAllow",
     {Allow("group:staff", "any", "any")},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kNone,
     "",
     "a"},
    {"KnownGroupAllows",
     {Allow("group:staff", "any", "any")},
     {},
     WithUnknownGroups(kAda),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"UnknownGroupDenies",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}),
      MakeRule("-d", {"group:banned"}, {"any"}, {"any"})},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kUnknown,
     "d"},
    {"UnknownGroupAndOtherAction",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}),
      MakeRule("-d", {"group:banned"}, {"z"}, {"any"})},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"UnknownGroupMayLieInATeam",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}), MakeRule("-d", {"team:t"}, {"any"}, {"any"})},
     {MakeEntity("group:g", {"team:t"})},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kUnknown,
     "d"},
    {"NoGroupLiesInTheTeam",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}), MakeRule("-d", {"team:t"}, {"any"}, {"any"})},
     {MakeEntity("user:ada", {"team:t"})},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kAllowed,
     "a"},
    {"UnknownGroupMayGiveARole",
     {MakeRule("+a", {"anyone"}, {"any"}, {"any"}),
      MakeRule("-d", {"role:editor"}, {"any"}, {"any"})},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kUnknown,
     "d"},
    {"CertainDenyIsTheReason",
     {MakeRule("-c", {"user:bob"}, {"any"}, {"any"}),
      MakeRule("-d", {"group:banned"}, {"any"}, {"any"})},
     {},
     WithUnknownGroups(kBob),
     "x",
     "y:1",
     kDenied,
     "c d"},
};

INSTANTIATE_TEST_SUITE_P(All, DecideTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(EngineTest, DeniesWithoutAPolicyAndKeepsARecord) {
  const Decision got = engine_->Decide(Request(kAda, "x", {"y", "1"}));
  EXPECT_EQ(got.reason(), Reason::kNoPolicy);
  EXPECT_EQ(got.policy_digest(), "");
  ASSERT_EQ(sink_.rows.size(), 1u);
  EXPECT_EQ(sink_.rows[0].reason, Reason::kNoPolicy);
}

TEST_F(EngineTest, DeniesAMalformedRequestAndKeepsARecord) {
  Install({Allow("anyone", "any", "any")});
  const Decision got = engine_->Decide(Request(kAda, "x", {"doc", "/a/../b"}));
  EXPECT_EQ(got.reason(), Reason::kBadRequest);
  EXPECT_EQ(got.error(), "the entity id has a `.` or `..` segment");
  EXPECT_TRUE(got.rules().empty());
  ASSERT_EQ(sink_.rows.size(), 1u);
  EXPECT_EQ(sink_.rows[0].reason, Reason::kBadRequest);
}

TEST_F(EngineTest, AllowBecomesDenyWhenTheRecordCannotBeKept) {
  Rule rule = Allow("anyone", "any", "any");
  rule.message = "welcome";
  rule.obligations = {{"page-security"}};
  Install({rule});
  sink_.failure = absl::ResourceExhaustedError("disk full");
  const Decision got = engine_->Decide(Request(kAda, "x", {"y", "1"}));
  EXPECT_FALSE(got.allowed());
  EXPECT_EQ(got.reason(), Reason::kAuditFailed);
  EXPECT_EQ(got.error(), "disk full");
  EXPECT_TRUE(got.rules().empty());
  EXPECT_EQ(got.message(), "");
  sink_.failure = absl::OkStatus();
  EXPECT_TRUE(engine_->Decide(Request(kAda, "x", {"y", "1"})).allowed());
}

TEST_F(EngineTest, DenialKeepsItsReasonWhenTheRecordCannotBeKept) {
  Install({MakeRule("-d", {"anyone"}, {"any"}, {"any"})});
  sink_.failure = absl::ResourceExhaustedError("disk full");
  const Decision got = engine_->Decide(Request(kAda, "x", {"y", "1"}));
  EXPECT_EQ(got.reason(), Reason::kDenyRule);
  EXPECT_EQ(Ids(got.rules()), "d");
  EXPECT_EQ(got.error(), "disk full");
}

TEST_F(EngineTest, ARuleRaisesTheAuditLevelAndNeverLowersIt) {
  Rule durable = MakeRule("+durable", {"anyone"}, {"any"}, {"d:*"});
  durable.audit = AuditLevel::kDurable;
  Install({durable, MakeRule("+off", {"anyone"}, {"any"}, {"o:*"})});
  EXPECT_EQ(engine_->Decide(Request(kAda, "x", {"d", "1"})).audit_level(), AuditLevel::kDurable);
  EXPECT_EQ(engine_->Decide(Request(kAda, "x", {"o", "1"})).audit_level(), AuditLevel::kRecorded);
  ASSERT_EQ(sink_.rows.size(), 2u);
  EXPECT_EQ(sink_.rows[0].level, AuditLevel::kDurable);
  EXPECT_EQ(sink_.rows[1].level, AuditLevel::kRecorded);
}

TEST_F(EngineTest, AShadowRuleDoesNotRaiseTheAuditLevel) {
  Rule shadow = Shadow(MakeRule("-s", {"anyone"}, {"any"}, {"any"}));
  shadow.audit = AuditLevel::kDurable;
  Install({Allow("anyone", "any", "any"), shadow});
  EXPECT_EQ(engine_->Decide(Request(kAda, "x", {"y", "1"})).audit_level(), AuditLevel::kRecorded);
}

TEST_F(EngineTest, WhoeverNobodyVouchesForIsNotAuthenticated) {
  Install({Allow("authenticated", "any", "any")});
  Principal ada = kAda;
  ada.assurance = Assurance::kNone;
  EXPECT_EQ(engine_->Decide(Request(ada, "x", {"y", "1"})).reason(), Reason::kNoRule);
}

TEST_F(EngineTest, TooManyAncestorsAreALimit) {
  std::vector<std::string> parents;
  for (int i = 0; i < 300000; ++i) parents.push_back("group:" + std::to_string(i));
  Install({Allow("anyone", "any", "any")}, {MakeEntity("group:all", parents)});
  Principal ada = kAda;
  ada.groups = {"all"};
  const Decision got = engine_->Decide(Request(ada, "x", {"y", "1"}));
  EXPECT_EQ(got.reason(), Reason::kLimit);
  EXPECT_EQ(got.error(), "the principal or the resource lies in too many entities");
  EXPECT_TRUE(engine_->Decide(Request(kAda, "x", {"y", "1"})).allowed());
}

TEST_F(EngineTest, WithoutASinkARuleThatAsksForARecordDenies) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  engine_ = *Engine::Create(options);
  Rule durable = MakeRule("+durable", {"anyone"}, {"any"}, {"d:*"});
  durable.audit = AuditLevel::kDurable;
  Install({durable, MakeRule("+off", {"anyone"}, {"any"}, {"o:*"})});
  EXPECT_TRUE(engine_->Decide(Request(kAda, "x", {"o", "1"})).allowed());
  EXPECT_EQ(engine_->Decide(Request(kAda, "x", {"d", "1"})).reason(), Reason::kAuditFailed);
}

TEST(EngineCreateTest, ChecksItsOptions) {
  EXPECT_EQ(std::string(Engine::Create({}).status().message()),
            "the engine has no audit sink; give it one, or set the audit level to off");
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  options.clock = nullptr;
  EXPECT_EQ(std::string(Engine::Create(options).status().message()), "the engine has no clock");
}

TEST_F(EngineTest, ReplaceRefusesNothing) {
  Install({Allow("anyone", "any", "any")});
  EXPECT_FALSE(engine_->Replace(nullptr).ok());
  EXPECT_TRUE(engine_->Decide(Request(kAda, "x", {"y", "1"})).allowed());
}

TEST_F(EngineTest, DecisionsTellWhichOfTheSetsTheyWereMadeUnder) {
  const Request request(kAda, "x", {"y", "1"});
  EXPECT_EQ(Decision().generation(), 0u);
  EXPECT_EQ(engine_->Decide(request).generation(), 0u);
  EXPECT_EQ(engine_->generation(), 0u);
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    Install({});
    EXPECT_EQ(engine_->generation(), generation);
    EXPECT_EQ(engine_->Decide(request).generation(), generation);
    EXPECT_FALSE(engine_->Replace(nullptr).ok());
    engine_->ReplaceShadow(engine_->snapshot());
    EXPECT_EQ(engine_->Decide(request).generation(), generation);
  }
}

TEST_F(EngineTest, DecisionsOutliveTheirSnapshotAndEngine) {
  Rule rule = Allow("anyone", "any", "any");
  rule.message = "for the person";
  Install({rule});
  Decision first = engine_->Decide(Request(kAda, "x", {"y", "1"}));
  Install({});
  EXPECT_EQ(engine_->Decide(Request(kAda, "x", {"y", "1"})).reason(), Reason::kNoRule);
  engine_.reset();
  EXPECT_EQ(Ids(first.rules()), "a");
  EXPECT_EQ(first.message(), "for the person");
}

TEST_F(EngineTest, EnginesOnOneThreadDoNotMixTheirSnapshots) {
  std::vector<std::unique_ptr<Engine>> engines;
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  for (int i = 0; i < 9; ++i) {
    engines.push_back(*Engine::Create(options));
    SnapshotBuilder builder;
    builder.SetDigest(std::to_string(i));
    ASSERT_TRUE(engines.back()->Replace(*builder.Build()).ok());
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 9; ++i) {
      const Decision got = engines[i]->Decide(Request(kAda, "x", {"y", "1"}));
      EXPECT_EQ(got.policy_digest(), std::to_string(i));
    }
  }
}

// Conditions see the time that a request fixed. The record does not: nobody dates it but the
// engine.
TEST_F(EngineTest, AFixedTimeIsTheDecisionsTimeAndNotTheClocks) {
  Install({});
  clock_.now = absl::FromUnixMillis(0x0123456789AB);
  Request request(kAda, "x", {"y", "1"});
  request.time = absl::FromUnixMillis(0x0000000000CD);
  const Decision got = engine_->Decide(request);
  EXPECT_EQ(got.time(), *request.time);
  EXPECT_EQ(got.clock_time(), clock_.now);
  const std::string id = got.id().ToString();
  EXPECT_EQ(id.substr(0, 15), "01234567-89ab-7") << id;
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
}

TEST_F(EngineTest, IdsAreNotDrawnTwiceEvenAcrossAFork) {
  Install({});
  const Request request(kAda, "x", {"y", "1"});
  std::set<std::string> ids = {engine_->Decide(request).id().ToString()};
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string id = engine_->Decide(request).id().ToString();
    _exit(write(pipe_fds[1], id.data(), id.size()) == 36 ? 0 : 1);
  }
  char text[36];
  ASSERT_EQ(read(pipe_fds[0], text, sizeof text), 36);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(ids.insert(std::string(text, sizeof text)).second);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(ids.insert(engine_->Decide(request).id().ToString()).second);
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(DecisionTest, DefaultDenies) {
  const Decision decision;
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.reason(), Reason::kNoPolicy);
  EXPECT_EQ(decision.message(), "");
}

}  // namespace
}  // namespace reeve
