// `reeve bench` as a script calls it. What a decision takes is not asserted.
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

constexpr char kPolicy[] = R"(reeve: 1
policy: p
roles:
  reader: [role:member]
  member: [group:staff]
rules:
  - {id: literal, effect: allow, principals: ["user:ada"], actions: [doc.read], resources: ["doc:a"]}
  - {id: glob, effect: allow, principals: [authenticated], actions: ["log.*"], resources: ["log:/{name}/*/**"], when: name != "x"}
  - {id: group, effect: allow, principals: [group:staff], actions: [doc.write], resources: [any]}
  - {id: role, effect: allow, principals: [role:reader], actions: [doc.list], resources: ["folder:f"]}
  - {id: parent, effect: deny, principals: ["host:h"], actions: [any], resources: ["doc:b"]}
  - {id: level, effect: allow, principals: [anyone], actions: [doc.drop], resources: [any], when: principal.level > 5}
)";

std::string Asked(int level) {
  return json({{"subject", {{"type", "user"}, {"id", "eve"}, {"properties", {{"level", level}}}}},
               {"action", {{"name", "doc.drop"}}},
               {"resource", {{"type", "doc"}, {"id", "c"}}}})
             .dump() +
         "\n";
}

class BenchTest : public testing::Test {
 protected:
  Ended Bench(std::vector<std::string> arguments, const std::string& input = "") {
    std::vector<std::string> all = {"cli/reeve", "bench"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunProgram(all, input);
  }

  const WorkDirectory directory_;
  const std::string policy_ = directory_.Write("policy.yaml", kPolicy);
};

// Of each rule one request that it answers and one that it does not, but for what conditions ask.
TEST_F(BenchTest, MakesRequestsFromTheRules) {
  const Ended ended = Bench({policy_, "--count", "100", "--format", "json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const json got = json::parse(ended.out);
  EXPECT_EQ(got["rules"], 6);
  EXPECT_EQ(got["requests"], 12);
  EXPECT_EQ(got["made_from_rules"], true);
  EXPECT_EQ(got["decisions"], 100);
  EXPECT_EQ(got["threads"], 1);
  // `group` is for any resource, so that it answers both.
  EXPECT_EQ(got["reasons"], json({{"allow_rule", 5}, {"deny_rule", 1}, {"no_rule", 6}}));
  const json& ns = got["ns"];
  EXPECT_LE(ns["p50"], ns["p90"]);
  EXPECT_LE(ns["p90"], ns["p99"]);
  EXPECT_LE(ns["p99"], ns["p99.9"]);
  EXPECT_LE(ns["p99.9"], ns["max"]);
  json determined = json::object();
  json requests = json::object();
  for (const json& rule : got["slowest"]) {
    determined[rule["rule"].get<std::string>()] = rule["determined"];
    requests[rule["rule"].get<std::string>()] = rule["requests"];
  }
  EXPECT_EQ(determined, json({{"p/literal", 1},
                              {"p/glob", 1},
                              {"p/group", 2},
                              {"p/role", 1},
                              {"p/parent", 1},
                              {"p/level", 0}}));
  EXPECT_EQ(requests["p/level"], 2);
}

TEST_F(BenchTest, TakesRequests) {
  const std::string requests = directory_.Write("requests.jsonl", Asked(7) + Asked(7) + Asked(1));
  const Ended ended =
      Bench({policy_, requests, "--threads", "3", "--count", "100", "--format", "json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const json got = json::parse(ended.out);
  EXPECT_EQ(got["requests"], 3);
  EXPECT_EQ(got["made_from_rules"], false);
  EXPECT_EQ(got["threads"], 3);
  EXPECT_EQ(got["decisions"], 100);
  EXPECT_EQ(got["reasons"], json({{"allow_rule", 2}, {"no_rule", 1}}));
  ASSERT_EQ(got["slowest"].size(), 1u);
  EXPECT_EQ(got["slowest"][0]["rule"], "p/level");
  EXPECT_EQ(got["slowest"][0]["requests"], 3);
  EXPECT_EQ(got["slowest"][0]["determined"], 2);
}

TEST_F(BenchTest, CountsWithEntities) {
  const std::string entities =
      directory_.Write("more/entities.yaml",
                       "reeve: 1\nentities:\n  - {id: \"user:eve\", attributes: {level: 9}}\n");
  const std::string asked =
      R"({"subject": {"type": "user", "id": "eve"}, "action": {"name": "doc.drop"},)"
      R"( "resource": {"type": "doc", "id": "c"}})";
  const Ended without = Bench({policy_, "-", "--count", "1", "--format", "json"}, asked);
  EXPECT_EQ(json::parse(without.out)["reasons"], json({{"no_rule", 1}}));
  const Ended with =
      Bench({policy_, "-", "--entities", entities, "--count", "1", "--format", "json"}, asked);
  EXPECT_EQ(json::parse(with.out)["reasons"], json({{"allow_rule", 1}}));
  EXPECT_EQ(json::parse(with.out)["entities"], 1);
}

TEST_F(BenchTest, PrintsForAPerson) {
  const Ended ended = Bench({policy_, "--seconds", "0.01", "--slowest", "2"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out.find("6 rules, 0 entities, 12 requests, made from the rules\n"
                           "answers: 5 allow_rule, 1 deny_rule, 6 no_rule\n"),
            0u)
      << ended.out;
  for (const char* part : {" a second\n\np50", "p99.9", "\nslowest rules, ", "\np/"}) {
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << ended.out;
  }
}

TEST_F(BenchTest, RefusesWhatCannotBeMeasured) {
  const std::string empty = directory_.Write("empty.jsonl", "");
  const std::string bad = directory_.Write("bad.jsonl", Asked(7) + "{\"subject\": 1}\n");
  const std::string none =
      directory_.Write("none.yaml", "reeve: 1\nentities:\n  - {id: \"user:a\"}\n");
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    std::string error;  // What standard error begins with.
  } kRows[] = {
      {"NoPolicy", {directory_ / "nowhere"}, directory_ / "nowhere"},
      {"NoRequests", {policy_, directory_ / "nowhere"}, directory_ / "nowhere"},
      {"NoRequestInFile", {policy_, empty}, empty + ": no request was given\n"},
      {"MalformedLine", {policy_, bad}, bad + ":2: "},
      {"NoRules", {none}, none + ": the set has no file with `policy:`"},
      {"NoThreads", {policy_, "--threads", "0"}, "--threads: "},
      {"CountAndSeconds",
       {policy_, "--count", "1", "--seconds", "1"},
       "--seconds excludes --count"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Bench(row.arguments);
    EXPECT_EQ(ended.status, 2);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err.find(row.error), 0u) << ended.err;
  }
}

}  // namespace
}  // namespace reeve
