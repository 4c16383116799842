// What a store masks stands in no text that rules make from facts, and in no answer of a command.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"
#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;
using testing::MakePrincipal;

constexpr char kPolicy[] = R"(reeve: 1
policy: pay
rules:
  - id: read
    effect: allow
    principals: [anyone]
    actions: [read]
    resources: [any]
    when: principal.email != ""
    obligations: [{id: notify, with: {to: "{principal.email}"}}, {id: stamp, with: {how: ink}}]
  - id: never
    effect: deny
    principals: [anyone]
    actions: [pay]
    resources: [any]
    message: "{principal.email} may not pay."
)";

class MasksTest : public ::testing::Test {
 protected:
  // A decision about each action, under a store with `masks`.
  void Record(const std::vector<AuditMask>& masks) {
    AuditStore::Options store_options;
    store_options.masks = masks;
    store_options.mask_key = std::string(32, 'k');
    const absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(db_, store_options);
    ASSERT_EQ(store.status(), absl::OkStatus());
    Engine::Options options;
    options.audit = store->get();
    options.audit_level = AuditLevel::kDurable;
    const std::unique_ptr<Engine> engine = *Engine::Create(options);
    ASSERT_EQ(engine->Replace(LoadPolicy(policy_, {}).snapshot), absl::OkStatus());
    Principal ada = MakePrincipal("user:ada");
    ada.attributes = {{"email", Value::String("ada@s3cr3t.example")}};
    for (const char* action : {"read", "pay"}) {
      const Decision decision = engine->Decide(Request(ada, action, {"doc", "1"}));
      // The caller is told.
      EXPECT_EQ(decision.message(), decision.allowed() ? "" : "ada@s3cr3t.example may not pay.");
    }
  }

  Ended Reeve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments);
  }
  json Newest() {
    const Ended ended = Reeve({"audit", "query", db_, "--format", "jsonl", "--limit", "1"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    return json::parse(ended.out);
  }

  const end_to_end::WorkDirectory directory_;
  const std::string policy_ = directory_.Write("pay.yaml", kPolicy);
  const std::string db_ = directory_ / "audit.db";
};

TEST_F(MasksTest, AreOnNothingThatIsMadeFromFacts) {
  Record({{"any", "principal.attributes.email", AuditMask::Kind::kHash, ""}});
  std::ifstream file(db_, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.find("s3cr3t"), std::string::npos);

  const json denied = Newest();
  EXPECT_EQ(denied["message"], "");
  EXPECT_EQ(denied["masked"],
            json({{"message", "remove"}, {"principal.attributes.email", "hash"}}));
  const json allowed =
      json::parse(Reeve({"audit", "query", db_, "--format", "jsonl", "--decision", "allow"}).out);
  EXPECT_EQ(allowed["obligations"], json({"notify", "stamp {\"how\":\"ink\"}"}));
  EXPECT_EQ(allowed["masked"],
            json({{"obligations", "remove"}, {"principal.attributes.email", "hash"}}));
  EXPECT_EQ(allowed["principal_attributes"]["email"], denied["principal_attributes"]["email"]);

  const json event =
      json::parse(Reeve({"audit", "export", db_, "--format", "ocsf", "--decision", "allow"}).out);
  EXPECT_EQ(event["unmapped"]["masked"], allowed["masked"]);
}

TEST_F(MasksTest, SayWhyARecordIsNotDecidedAgain) {
  Record({{"pay/never", "principal.attributes.email", AuditMask::Kind::kReplace, "(email)"}});
  const std::string id = Newest()["id"];
  const Ended explained = Reeve({"explain", db_, id});
  EXPECT_EQ(explained.status, 0);
  EXPECT_NE(explained.out.find("\nmasked: message (remove)\n"
                               "masked: principal.attributes.email (replace)\n"),
            std::string::npos)
      << explained.out;
  const Ended again = Reeve({"explain", db_, id, "--policy", policy_});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(again.err,
            "the record does not hold what was asked (masked), so it cannot be decided again\n");
  const Ended diff = Reeve({"diff", policy_, policy_, "--audit", db_, "--format", "json"});
  EXPECT_EQ(diff.status, 0);
  EXPECT_EQ(json::parse(diff.out)["records"], 2);
  EXPECT_EQ(json::parse(diff.out)["left_out"], json({{"masked", 1}}));
}

}  // namespace
}  // namespace reeve
