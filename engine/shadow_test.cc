// A policy set beside the live one.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::Ids;
using testing::MakePrincipal;
using testing::MakeRule;

std::shared_ptr<const Snapshot> SetOf(const char* digest, const std::vector<Rule>& rules) {
  SnapshotBuilder builder;
  builder.SetDigest(digest);
  for (const Rule& rule : rules) builder.AddRule(rule);
  return *builder.Build();
}

std::vector<Rule> Allow(const char* id) { return {MakeRule(id, {"anyone"}, {"any"}, {"doc:*"})}; }

std::string Describe(const Decision& decision) {
  return std::string(ToString(decision.reason())) + " " + Ids(decision.rules());
}

struct Case {
  const char* name;
  std::vector<Rule> live;
  std::vector<Rule> shadow;
  const char* want_live;
  const char* want_shadow;
  bool want_differs;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class ShadowTest : public ::testing::TestWithParam<Case> {
 protected:
  ShadowTest() {
    Engine::Options options;
    options.audit = &sink_;
    engine_ = *Engine::Create(options);
  }

  Decision Decide() const { return engine_->Decide(Request(principal_, "read", {"doc", "1"})); }

  // Keeps what the shadow set would have answered.
  class Sink final : public AuditSink {
   public:
    absl::Status Append(const AuditRecord& record, AuditLevel got) override {
      level = got;
      const Decision* const shadow = record.decision.shadow();
      last = shadow == nullptr ? "none" : Describe(*shadow);
      return absl::OkStatus();
    }
    std::string last;
    AuditLevel level = AuditLevel::kOff;
  };

  Sink sink_;
  const Principal principal_ = MakePrincipal("user:ada");
  std::unique_ptr<Engine> engine_;
};

TEST_P(ShadowTest, IsToldAndNeverDecides) {
  const Case& c = GetParam();
  ASSERT_TRUE(engine_->Replace(SetOf("sha256:live", c.live)).ok());
  engine_->ReplaceShadow(SetOf("sha256:shadow", c.shadow));
  const Decision got = Decide();
  EXPECT_EQ(Describe(got), c.want_live);
  EXPECT_EQ(got.policy_digest(), "sha256:live");
  ASSERT_NE(got.shadow(), nullptr);
  EXPECT_EQ(Describe(*got.shadow()), c.want_shadow);
  EXPECT_EQ(got.shadow()->policy_digest(), "sha256:shadow");
  EXPECT_EQ(got.shadow()->time(), got.time());
  EXPECT_EQ(got.shadow()->shadow(), nullptr);
  EXPECT_EQ(got.shadow_differs(), c.want_differs);
  EXPECT_EQ(sink_.last, c.want_shadow);
  EXPECT_EQ(sink_.level, AuditLevel::kRecorded);
}

std::vector<Rule> Durable() {
  std::vector<Rule> rules = Allow("+a");
  rules[0].audit = AuditLevel::kDurable;
  return rules;
}

const Case kCases[] = {
    {"Same", Allow("+a"), Allow("+a"), "allow_rule a", "allow_rule a", false},
    {"WouldDeny", Allow("+a"), Allow("-a"), "allow_rule a", "deny_rule a", true},
    {"WouldAllow", Allow("-a"), Allow("+a"), "deny_rule a", "allow_rule a", true},
    {"OtherRule", Allow("+a"), Allow("+b"), "allow_rule a", "allow_rule b", true},
    {"OtherReason", Allow("-a"), {}, "deny_rule a", "no_rule ", true},
    {"DoesNotRaiseTheLevel", Allow("+a"), Durable(), "allow_rule a", "allow_rule a", false},
};

INSTANTIATE_TEST_SUITE_P(All, ShadowTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(ShadowTest, EndsWhenItIsTakenAway) {
  ASSERT_TRUE(engine_->Replace(SetOf("", Allow("+a"))).ok());
  EXPECT_EQ(engine_->shadow(), nullptr);
  EXPECT_EQ(Decide().shadow(), nullptr);
  EXPECT_FALSE(Decide().shadow_differs());
  const auto shadow = SetOf("", Allow("-a"));
  engine_->ReplaceShadow(shadow);
  EXPECT_EQ(engine_->shadow(), shadow);
  EXPECT_TRUE(Decide().shadow_differs());
  engine_->ReplaceShadow(nullptr);
  EXPECT_EQ(engine_->shadow(), nullptr);
  EXPECT_EQ(Decide().shadow(), nullptr);
  EXPECT_EQ(sink_.last, "none");
}

TEST_F(ShadowTest, IsAskedWhereThereIsNoPolicy) {
  engine_->ReplaceShadow(SetOf("", Allow("+a")));
  const Decision got = Decide();
  EXPECT_EQ(got.reason(), Reason::kNoPolicy);
  EXPECT_EQ(Describe(*got.shadow()), "allow_rule a");
}

TEST_F(ShadowTest, OutlivesItsEngine) {
  ASSERT_TRUE(engine_->Replace(SetOf("", Allow("+a"))).ok());
  engine_->ReplaceShadow(SetOf("", Allow("-b")));
  const Decision got = Decide();
  engine_.reset();
  EXPECT_EQ(Describe(*got.shadow()), "deny_rule b");
}

// What a shadow set needs is not held against the live one: each has limits of its own.
TEST_F(ShadowTest, RuleOfAShadowSetThatObligesDoesNotOblige) {
  ASSERT_TRUE(engine_->Replace(SetOf("", Allow("+a"))).ok());
  std::vector<Rule> obliging = Allow("+a");
  obliging[0].obligations = {{"page-security"}};
  engine_->ReplaceShadow(SetOf("", obliging));
  const Decision got = Decide();
  EXPECT_TRUE(got.obligations().empty());
  EXPECT_EQ(got.shadow()->obligations().size(), 1u);
}

}  // namespace
}  // namespace reeve
