#include "reeve/adapters/authzen/evaluate_json.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "reeve/adapters/authzen/decision_json.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"
#include "reeve/engine/snapshot.h"

namespace reeve {
namespace {

// Notes which resource was asked for, or what was wrong; keeps no record when told so, or none of
// one resource.
class Sink : public AuditSink {
 public:
  absl::Status Append(const AuditRecord& record, AuditLevel) override {
    const std::string defect(DefectOf(record.request));
    rows.push_back(defect.empty() ? ToString(record.request.resource) : defect);
    return broken || rows.back() == refused ? absl::UnavailableError("the disk is full")
                                            : absl::OkStatus();
  }

  std::vector<std::string> rows;
  bool broken = false;
  std::string refused = "none";
};

Rule MakeRule(const char* id, Effect effect, const char* action, const char* resource) {
  Rule rule;
  rule.id = id;
  rule.effect = effect;
  rule.principals = {Pattern::Any()};
  rule.actions = {*Pattern::Action(action)};
  rule.resources = {*Pattern::Entity(resource)};
  return rule;
}

// Anyone may read below /open; nobody below /open/never.
std::shared_ptr<const Snapshot> MakeSnapshot() {
  SnapshotBuilder builder;
  builder.SetDigest("sha256:d");
  builder.AddRule(MakeRule("p/open", Effect::kAllow, "read", "doc:/open/**"));
  Rule also = MakeRule("p/also", Effect::kAllow, "read", "doc:/open/b*");
  also.obligations = {{"log"}, {"page"}};
  builder.AddRule(also);
  Rule too = MakeRule("p/too", Effect::kAllow, "read", "doc:/open/b*");
  too.obligations = {{"page"}, {"mask"}};
  builder.AddRule(too);
  Rule never = MakeRule("p/never", Effect::kDeny, "read", "doc:/open/never/**");
  never.message = "Never \"ever\".";
  builder.AddRule(never);
  Rule staff = MakeRule("p/staff", Effect::kAllow, "read", "doc:/staff");
  staff.principals = {*Pattern::Entity("group:staff"), *Pattern::Entity("team:x")};
  builder.AddRule(staff);
  Rule shadow = MakeRule("p/shadow", Effect::kDeny, "read", "doc:/open/s*");
  shadow.shadow = true;
  builder.AddRule(shadow);
  return *builder.Build();
}

// `json` with ID for the ids of decisions, which change from run to run.
std::string WithoutDecisionIds(std::string json) {
  const std::string before = "\"policy\":\"sha256:d\",\"id\":\"";
  for (size_t at = json.find(before); at != std::string::npos; at = json.find(before, at + 1)) {
    json.replace(at + before.size(), 36, "ID");
  }
  return json;
}

class EvaluateJsonTest : public testing::Test {
 protected:
  EvaluateJsonTest() {
    Engine::Options options;
    options.audit = &sink_;
    engine_ = *Engine::Create(options);
  }

  void Install() { ASSERT_TRUE(engine_->Replace(MakeSnapshot()).ok()); }

  Sink sink_;
  std::unique_ptr<Engine> engine_;
};

std::string Reading(const std::string& resource_id) {
  return R"({"subject":{"type":"user","id":"ada"},"action":{"name":"read"},)"
         R"("resource":{"type":"doc","id":")" +
         resource_id + R"("}})";
}

struct Case {
  const char* name;
  std::string json;
  const char* want;
};

TEST_F(EvaluateJsonTest, WritesTheWholeAnswer) {
  Install();
  const Case cases[] = {
      {"allowed", Reading("/open/a"),
       R"({"decision":true,"context":{"reason":"allow_rule","rules":["p/open"],"message":"",)"
       R"("obligations":[],"policy":"sha256:d","id":"ID","errors":[]}})"},
      {"obligations of all rules, in their order, each once", Reading("/open/b"),
       R"({"decision":true,"context":{"reason":"allow_rule","rules":["p/also","p/open","p/too"],)"
       R"("message":"","obligations":[{"id":"log"},{"id":"page"},{"id":"mask"}],)"
       R"("policy":"sha256:d","id":"ID","errors":[]}})"},
      {"denied by a rule", Reading("/open/never/x"),
       R"({"decision":false,"context":{"reason":"deny_rule","rules":["p/never"],)"
       R"("message":"Never \"ever\".","obligations":[],"policy":"sha256:d","id":"ID",)"
       R"("errors":[]}})"},
      {"denied without a rule", Reading("/closed"),
       R"({"decision":false,"context":{"reason":"no_rule","rules":[],"message":"",)"
       R"("obligations":[],"policy":"sha256:d","id":"ID","errors":[]}})"},
      {"with a shadow rule", Reading("/open/s"),
       R"({"decision":true,"context":{"reason":"allow_rule","rules":["p/open"],"message":"",)"
       R"("obligations":[],"policy":"sha256:d","id":"ID","errors":[],)"
       R"("shadow_rules":["p/shadow"]}})"},
      {"malformed for the reader", "{}",
       R"({"decision":false,"context":{"reason":"bad_request","rules":[],"message":"",)"
       R"("obligations":[],"policy":"sha256:d","id":"ID",)"
       R"("errors":["`subject` is missing"]}})"},
      {"malformed for the engine", Reading("/open/../x"),
       R"({"decision":false,"context":{"reason":"bad_request","rules":[],"message":"",)"
       R"("obligations":[],"policy":"sha256:d","id":"ID",)"
       R"("errors":["the entity id has a `.` or `..` segment"]}})"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(WithoutDecisionIds(EvaluateJson(*engine_, c.json).json), c.want) << c.name;
  }
}

TEST_F(EvaluateJsonTest, ParametersOfObligationsAndAShadowSet) {
  Rule rule = MakeRule("p/open", Effect::kAllow, "read", "doc:/open/**");
  rule.obligations = {{"log"}, {"tell", {{"whom", "\"bob\""}, {"how", "mail"}}}};
  SnapshotBuilder live, shadow;
  live.SetDigest("sha256:d");
  live.AddRule(rule);
  shadow.SetDigest("sha256:s");
  shadow.AddRule(MakeRule("q/never", Effect::kDeny, "read", "doc:/open/**"));
  ASSERT_TRUE(engine_->Replace(*live.Build()).ok());
  engine_->ReplaceShadow(*shadow.Build());
  EXPECT_EQ(WithoutDecisionIds(EvaluateJson(*engine_, Reading("/open/a")).json),
            R"({"decision":true,"context":{"reason":"allow_rule","rules":["p/open"],"message":"",)"
            R"("obligations":[{"id":"log"},{"id":"tell","with":{"whom":"\"bob\"","how":"mail"}}],)"
            R"("policy":"sha256:d","id":"ID","errors":[],"shadow":{"decision":false,)"
            R"("reason":"deny_rule","rules":["q/never"],"policy":"sha256:s","differs":true}}})");
}

TEST_F(EvaluateJsonTest, GroupsAndParentsCount) {
  Install();
  const auto subject = [](const std::string& properties) {
    return R"({"subject":{"type":"user","id":"ada","properties":)" + properties +
           R"(},"action":{"name":"read"},"resource":{"type":"doc","id":"/staff"}})";
  };
  EXPECT_TRUE(EvaluateJson(*engine_, subject(R"({"groups":["x","staff"]})")).allowed);
  EXPECT_TRUE(EvaluateJson(*engine_, subject(R"({"parents":["team:x"]})")).allowed);
  EXPECT_FALSE(EvaluateJson(*engine_, subject(R"({"groups":["group:staff"]})")).allowed);
  EXPECT_FALSE(EvaluateJson(*engine_, subject("{}")).allowed);
}

TEST_F(EvaluateJsonTest, DeniesWithoutAPolicy) {
  const JsonAnswer answer = EvaluateJson(*engine_, Reading("/open/a"));
  EXPECT_FALSE(answer.allowed);
  EXPECT_FALSE(answer.malformed);
  EXPECT_NE(answer.json.find(R"("reason":"no_policy","rules":[])"), std::string::npos);
  EXPECT_NE(answer.json.find(R"("policy":"",)"), std::string::npos);
}

TEST_F(EvaluateJsonTest, SaysThatTheRecordFailed) {
  Install();
  sink_.broken = true;
  const JsonAnswer answer = EvaluateJson(*engine_, Reading("/open/a"));
  EXPECT_FALSE(answer.allowed);
  EXPECT_NE(answer.json.find(R"("reason":"audit_failed")"), std::string::npos) << answer.json;
  EXPECT_NE(answer.json.find("the disk is full"), std::string::npos) << answer.json;
  EXPECT_TRUE(answer.record_failed);
  EXPECT_TRUE(EvaluateJson(*engine_, Reading("/closed")).record_failed);  // denied anyhow
  EXPECT_TRUE(EvaluateJson(*engine_, "{}").record_failed);
  sink_.broken = false;
  EXPECT_FALSE(EvaluateJson(*engine_, Reading("/open/a")).record_failed);
  EXPECT_FALSE(EvaluateJson(*engine_, Reading("/closed")).record_failed);
  EXPECT_FALSE(EvaluateJson(*engine_, "{}").record_failed);
}

TEST_F(EvaluateJsonTest, SaysThatTheRecordOfAnItemFailed) {
  Install();
  const std::string batch =
      R"({"subject":{"type":"user","id":"ada"},"action":{"name":"read"},"evaluations":[)"
      R"({"resource":{"type":"doc","id":"/x"}},{"resource":{"type":"doc","id":"/y"}},)"
      R"({"resource":{"type":"doc","id":"/z"}}]})";
  EXPECT_FALSE(EvaluateJson(*engine_, batch).record_failed);
  for (const char* refused : {"doc:/x", "doc:/y", "doc:/z"}) {
    sink_.refused = refused;
    EXPECT_TRUE(EvaluateJson(*engine_, batch).record_failed) << refused;
  }
}

TEST_F(EvaluateJsonTest, FixesTheTime) {
  Install();
  std::string json = Reading("/open/a");
  json.pop_back();
  EXPECT_TRUE(
      EvaluateJson(*engine_, json + R"(,"context":{"time":"2026-11-20T09:00:00Z"}})").allowed);
  EXPECT_TRUE(EvaluateJson(*engine_, json + R"(,"context":{"time":"2026-11-20"}})").malformed);
}

struct BatchCase {
  const char* name;
  const char* semantic;
  std::vector<const char*> resources;  // Null stands for a malformed item.
  std::vector<const char*> want_rows;
  std::string want_decisions;  // + or - for each
  bool want_allowed;
};

constexpr char kAll[] = "execute_all";
constexpr char kDeny[] = "deny_on_first_deny";
constexpr char kPermit[] = "permit_on_first_permit";
constexpr char kNoItem[] = "the request is not an object";

const BatchCase kBatches[] = {
    {"all allowed", kAll, {"/open/a", "/open/b"}, {"doc:/open/a", "doc:/open/b"}, "++", true},
    {"one denied", kAll, {"/x", "/open/a"}, {"doc:/x", "doc:/open/a"}, "-+", false},
    {"one malformed",
     kAll,
     {"/open/a", nullptr, "/open/b"},
     {"doc:/open/a", kNoItem, "doc:/open/b"},
     "+-+",
     false},
    {"deny: none denied",
     kDeny,
     {"/open/a", "/open/b"},
     {"doc:/open/a", "doc:/open/b"},
     "++",
     true},
    {"deny: ends", kDeny, {"/open/a", "/x", "/open/b"}, {"doc:/open/a", "doc:/x"}, "+-", false},
    {"deny: ends malformed", kDeny, {nullptr, "/open/b"}, {kNoItem}, "-", false},
    {"permit: ends", kPermit, {"/x", "/open/a", "/y"}, {"doc:/x", "doc:/open/a"}, "-+", true},
    {"permit: skips malformed",
     kPermit,
     {nullptr, "/open/a", "/y"},
     {kNoItem, "doc:/open/a"},
     "-+",
     true},
    {"permit: none allowed", kPermit, {"/x", "/y"}, {"doc:/x", "doc:/y"}, "--", false},
};

// + or - for each decision in a batch's answer.
std::string Decisions(const std::string& json) {
  std::string signs;
  for (size_t at = json.find("{\"decision\":"); at != std::string::npos;
       at = json.find("{\"decision\":", at + 1)) {
    signs += json[at + 12] == 't' ? '+' : '-';
  }
  return signs;
}

TEST_F(EvaluateJsonTest, DecidesABatch) {
  Install();
  for (const BatchCase& c : kBatches) {
    SCOPED_TRACE(c.name);
    std::string json = Reading("/default");
    json.pop_back();
    json += R"(,"evaluations":[)";
    for (const char* id : c.resources) {
      json += id == nullptr ? std::string("7")
                            : R"({"resource":{"type":"doc","id":")" + std::string(id) + "\"}}";
      json += ',';
    }
    json.back() = ']';
    json += R"(,"options":{"evaluations_semantic":")" + std::string(c.semantic) + "\"}}";

    sink_.rows.clear();
    const JsonAnswer answer = EvaluateJson(*engine_, json);
    EXPECT_EQ(Decisions(answer.json), c.want_decisions) << answer.json;
    EXPECT_EQ(answer.allowed, c.want_allowed);
    EXPECT_FALSE(answer.malformed);
    EXPECT_EQ(sink_.rows, std::vector<std::string>(c.want_rows.begin(), c.want_rows.end()));
    EXPECT_EQ(answer.json.rfind(R"({"evaluations":[{"decision":)", 0), 0u) << answer.json;
    EXPECT_EQ(answer.json.substr(answer.json.size() - 4), "}}]}") << answer.json;
  }
}

TEST_F(EvaluateJsonTest, AnswersAMalformedBatchOnce) {
  Install();
  const JsonAnswer answer = EvaluateJson(*engine_, R"({"evaluations":3})");
  EXPECT_TRUE(answer.malformed);
  EXPECT_FALSE(answer.allowed);
  EXPECT_EQ(answer.json.rfind(R"({"decision":false,)", 0), 0u) << answer.json;
  EXPECT_EQ(sink_.rows, std::vector<std::string>{"`evaluations` is not a list"});
}

TEST_F(EvaluateJsonTest, WritesUtf8WhateverTheRuleSays) {
  SnapshotBuilder builder;
  Rule rule = MakeRule("p/deny", Effect::kDeny, "read", "doc:/open/**");
  rule.message = "caf\xE9\n";
  builder.AddRule(rule);
  ASSERT_TRUE(engine_->Replace(*builder.Build()).ok());
  const std::string json = EvaluateJson(*engine_, Reading("/open/a")).json;
  EXPECT_NE(json.find("\"message\":\"caf\xEF\xBF\xBD\\n\""), std::string::npos) << json;
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST_F(EvaluateJsonTest, NamesNearMisses) {
  Install();
  Principal principal({"user", "ada"}, Assurance::kKernel);
  principal.groups_complete = false;
  const Decision decision = engine_->Decide(Request(principal, "read", {"doc", "/staff"}));
  EXPECT_EQ(WithoutDecisionIds(ToJson(decision)),
            R"({"decision":false,"context":{"reason":"no_rule","rules":[],"message":"",)"
            R"("obligations":[],"policy":"sha256:d","id":"ID","errors":[],)"
            R"("near_misses":["p/staff"]}})");
}

TEST(DecisionJsonTest, DefaultDenies) {
  EXPECT_EQ(ToJson(Decision()),
            R"({"decision":false,"context":{"reason":"no_policy","rules":[],"message":"",)"
            R"("obligations":[],"policy":"","id":"00000000-0000-0000-0000-000000000000",)"
            R"("errors":[]}})");
}

}  // namespace
}  // namespace reeve
