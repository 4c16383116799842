// `reeve explain` and `reeve diff` as a script calls them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using end_to_end::WorkDirectory;
using nlohmann::json;

std::string Policy(const std::string& level, const std::string& more = "") {
  return "reeve: 1\npolicy: p\nrules:\n"
         "  - id: read\n    effect: allow\n    principals: [group:staff]\n    actions: [doc.read]\n"
         "    resources: ['doc:/**']\n    when: [principal.level >= " +
         level +
         ", '!resource.locked']\n"
         "  - {id: never, effect: deny, principals: [anyone], actions: [any], resources: "
         "['doc:/ledger/**'], message: Never., obligations: [{id: page}]}\n" +
         more;
}

json Asked(const std::string& id, int level, const std::string& path) {
  return {
      {"subject",
       {{"type", "user"}, {"id", id}, {"properties", {{"groups", {"staff"}}, {"level", level}}}}},
      {"action", {{"name", "doc.read"}}},
      {"resource", {{"type", "doc"}, {"id", path}, {"properties", {{"locked", false}}}}},
      {"context", {{"time", "2026-11-20T09:00:00Z"}}}};
}

class WhyTest : public testing::Test {
 protected:
  WhyTest()
      : db_(directory_ / "audit.db"),
        old_(directory_.Write("old.yaml", Policy("3"))),
        new_(directory_.Write("new.yaml", Policy("5"))) {
    std::string lines;
    for (const json& asked : {Asked("ada", 4, "/a"), Asked("ada", 4, "/a"), Asked("bob", 6, "/a"),
                              Asked("eve", 1, "/a"), Asked("bob", 6, "/ledger/1")}) {
      lines += asked.dump() + "\n";
    }
    const Ended ended = RunProgram({"cli/reeve", "check", "--jsonl", "--audit", db_, old_}, lines);
    size_t begin = 0;
    for (size_t end; (end = ended.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
      ids_.push_back(json::parse(ended.out.substr(begin, end - begin))["context"]["id"]);
    }
  }

  Ended Reeve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments);
  }

  const WorkDirectory directory_;
  const std::string db_, old_, new_;
  std::vector<std::string> ids_;  // Of the decisions, in their order.
};

TEST_F(WhyTest, ExplainsFromTheRecord) {
  ASSERT_EQ(ids_.size(), 5u);
  const Ended denied = Reeve({"explain", db_, ids_[3]});
  EXPECT_EQ(denied.status, 0) << denied.err;
  for (const std::string& part :
       {std::string("deny  no_rule\nid: ") + ids_[3] + "\ntime: ",
        std::string("Z\ntime that the request fixed: 2026-11-20T09:00:00Z\n\n"
                    "user:eve doc.read doc:/a\n"
                    "assurance: asserted\nvia: json\ngroups: staff\npolicy: sha256:"),
        std::string("\np/read  allow, missed\n"
                    "├─ 1 false         principal.level >= 3\n"
                    "└─ 2 not_evaluated !resource.locked\n\n"
                    "p/read would allow if clause 1 were true, and clause 2, not asked here\n")}) {
    EXPECT_NE(denied.out.find(part), std::string::npos) << denied.out;
  }
  const json record = json::parse(Reeve({"explain", db_, ids_[4], "--format", "json"}).out);
  EXPECT_EQ(record["decision"], "deny");
  EXPECT_EQ(record["rules"], json({{{"rule", "p/never"}, {"clauses", json::array()}}}));
  EXPECT_EQ(record["message"], "Never.");
  EXPECT_EQ(record["obligations"], json({"page"}));
  EXPECT_FALSE(record.contains("again"));
}

TEST_F(WhyTest, DecidesAgain) {
  const Ended same = Reeve({"explain", db_, ids_[0], "--policy", old_});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_NE(same.out.find("\ndecided again by the same policy: allow  allow_rule; as recorded\n"),
            std::string::npos)
      << same.out;
  EXPECT_NE(same.out.find("principal.level = 4\n"), std::string::npos) << same.out;
  const json other =
      json::parse(Reeve({"explain", db_, ids_[0], "--policy", new_, "--format", "json"}).out);
  EXPECT_EQ(other["again"]["same_policy"], false);
  EXPECT_EQ(other["again"]["reproduced"], false);
  EXPECT_EQ(other["again"]["decision"], "deny");
  EXPECT_EQ(other["again"]["explanation"]["nearest"][0]["clauses"], json({1}));
}

TEST_F(WhyTest, ExplainTakesTheBeginningOfAnId) {
  EXPECT_EQ(Reeve({"explain", db_, ids_[0].substr(0, 35)}).status, 0);
  const Ended several = Reeve({"explain", db_, ids_[0].substr(0, 4)});
  EXPECT_EQ(several.status, 2);
  EXPECT_EQ(several.err.find("several decisions have an id that begins with `"), 0u) << several.err;
  const Ended none = Reeve({"explain", db_, "ffff"});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.err, db_ + ": no decision has an id that begins with `ffff`\n");
  EXPECT_EQ(Reeve({"explain", db_, "nothing"}).status, 2);
  EXPECT_EQ(Reeve({"explain", directory_ / "nowhere", "0"}).status, 2);
  EXPECT_EQ(Reeve({"explain", db_, ids_[0], "--policy", directory_ / "nowhere"}).status, 2);
  EXPECT_EQ(
      Reeve({"explain", db_, ids_[0], "--policy", old_, "--trust", directory_ / "nowhere"}).status,
      2);
}

TEST_F(WhyTest, DiffsRules) {
  const Ended changed = Reeve({"diff", old_, new_});
  EXPECT_EQ(changed.status, 1);
  EXPECT_EQ(changed.out, "~ p/read: when\n");
  const std::string more = directory_.Write(
      "more.yaml", Policy("3",
                          "  - {id: x, effect: deny, principals: [anyone], actions: [any], "
                          "resources: ['doc:x']}\n"));
  EXPECT_EQ(Reeve({"diff", old_, more}).out, "+ p/x\n");
  EXPECT_EQ(Reeve({"diff", more, new_}).out, "- p/x\n~ p/read: when\n");
  const Ended same = Reeve({"diff", old_, old_});
  EXPECT_EQ(same.status, 0);
  EXPECT_EQ(same.out, "the same policy\n");
  const std::string entities =
      directory_.Write("entities.yaml", "reeve: 1\nentities: [{id: 'doc:x'}]\n");
  EXPECT_EQ(Reeve({"diff", old_, old_, "--entities", entities}).out, "the same policy\n");
  EXPECT_EQ(Reeve({"diff", old_, old_, "--entities", directory_ / "nowhere"}).status, 2);
  EXPECT_EQ(Reeve({"diff", old_, directory_ / "nowhere"}).status, 2);
  EXPECT_EQ(Reeve({"diff", old_, new_, "--since", "1h"}).status, 2);
}

TEST_F(WhyTest, DiffsRecordedDecisions) {
  const Ended ended = Reeve({"diff", old_, new_, "--audit", db_});
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(ended.out,
            "change         count  principal  old                 new      example\n"
            "allow -> deny  2      user:ada   allow_rule: p/read  no_rule  " +
                ids_[1] +
                "\n2 of 5 recorded decisions change; 0 keep their answer for other rules\n");
  const Ended same = Reeve({"diff", old_, old_, "--audit", db_});
  EXPECT_EQ(same.status, 0) << same.err;
  // The other way round: what was recorded is not what the old one says.
  const Ended back = Reeve({"diff", new_, old_, "--audit", db_, "--format", "json"});
  EXPECT_EQ(back.status, 1);
  const json json_ = json::parse(back.out);
  EXPECT_EQ(json_["not_reproduced"], 2);
  EXPECT_EQ(json_["groups"][0]["change"], "deny -> allow");
  EXPECT_EQ(Reeve({"diff", old_, new_, "--audit", db_, "--limit", "2"}).status, 0);
  // By the times of the records, not by those that requests fixed.
  EXPECT_EQ(Reeve({"diff", old_, new_, "--audit", db_, "--until", "1h"}).status, 0);
  EXPECT_EQ(Reeve({"diff", old_, new_, "--audit", db_, "--since", "1h"}).status, 1);
  EXPECT_EQ(Reeve({"diff", old_, new_, "--audit", db_, "--since", "x"}).status, 2);
}

// Whatever the answer: what the caller is told and must do counts, other rules do not.
TEST_F(WhyTest, TellsChangesFromOtherRules) {
  std::string text = Policy("3");
  text.replace(text.find("Never."), 6, "No.");
  const Ended told = Reeve({"diff", old_, directory_.Write("told.yaml", text), "--audit", db_});
  EXPECT_EQ(told.status, 1);
  EXPECT_NE(told.out.find("deny, told otherwise"), std::string::npos) << told.out;
  text = Policy("3");
  text.replace(text.find("id: read"), 8, "id: look");
  const Ended rules = Reeve({"diff", old_, directory_.Write("rules.yaml", text), "--audit", db_});
  EXPECT_EQ(rules.status, 0);
  EXPECT_EQ(rules.out, "0 of 5 recorded decisions change; 3 keep their answer for other rules\n");
}

// A condition on the clock is asked at the time of each record, though the requests are equal.
TEST_F(WhyTest, DecidesAtTheRecordedTime) {
  const std::string db = directory_ / "now.db";
  json now = Asked("ada", 4, "/a");
  now.erase("context");
  for (int i = 0; i < 3; ++i) RunProgram({"cli/reeve", "check", "--audit", db, old_}, now.dump());
  const json first =
      json::parse(Reeve({"audit", "query", db, "--format", "jsonl", "--limit", "1"}).out);
  const json record =
      json::parse(Reeve({"explain", db, first["id"].get<std::string>(), "--format", "json"}).out);
  const std::string until = directory_.Write(
      "until.yaml",
      Policy("3",
             "  - {id: over, effect: deny, principals: [anyone], actions: [any], resources: [any], "
             "when: 'context.time != timestamp(\"" +
                 record["time"].get<std::string>() + "\")'}\n"));
  const json diff =
      json::parse(Reeve({"diff", old_, until, "--audit", db, "--format", "json"}).out);
  EXPECT_EQ(diff["records"], 3) << diff;
  EXPECT_EQ(diff["changed"], 2) << diff;
}

TEST_F(WhyTest, CountsWhatCannotBeDecidedAgain) {
  RunProgram({"cli/reeve", "check", "--audit", db_, old_}, "{}");
  json odd = Asked("a\nb", 4, "/a");
  RunProgram({"cli/reeve", "check", "--audit", db_, old_}, odd.dump());
  const Ended ended = Reeve({"diff", old_, old_, "--audit", db_, "--format", "json"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(json::parse(ended.out)["records"], 7);
  EXPECT_EQ(json::parse(ended.out)["left_out"], json({{"escaped", 1}}));
  EXPECT_EQ(ended.err, "1 records do not hold what was asked (escaped) and are left out\n");
}

}  // namespace
}  // namespace reeve
