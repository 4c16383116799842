// Scenarios of others and our own cookbook: each set's own tests cover it, and what others expect
// of theirs comes out, request by request.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;

// The policy files of a folder. Bazel lays links for files, and a policy set has none that lead
// out.
class Copy {
 public:
  explicit Copy(const std::string& folder) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".yaml") continue;
      std::ifstream file(entry.path());
      directory_.Write("set/" + entry.path().filename().string(),
                       {std::istreambuf_iterator<char>(file), {}});
    }
  }

  std::string path() const { return directory_ / "set"; }

 private:
  const end_to_end::WorkDirectory directory_;
};

std::vector<std::string> Sets() {
  std::vector<std::string> sets = {"tests/scenarios/authzen"};
  for (const char* folder : {"examples/cookbook", "tests/scenarios/cerbos"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory()) sets.push_back(entry.path().string());
    }
  }
  return sets;
}

TEST(ScenariosTest, TestsOfEachSetPassAndDetermineEveryRule) {
  const std::vector<std::string> sets = Sets();
  EXPECT_EQ(sets.size(), 1u + 8 + 3);
  for (const std::string& set : sets) {
    SCOPED_TRACE(set);
    const Copy copy(set);
    const Ended ended = RunProgram(
        {"cli/reeve", "test", copy.path(), "--coverage", "100", "--clause-coverage", "100"});
    EXPECT_EQ(ended.status, 0) << ended.out;
    EXPECT_EQ(ended.err, "");
  }
}

std::vector<json> ReadLines(const std::string& path) {
  std::ifstream file(path);
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

// The answers to `requests` under `set`, by `reeve check --jsonl`.
std::vector<json> Answers(const std::string& set, const std::vector<json>& requests) {
  std::string input;
  for (const json& request : requests) input += request.dump() + "\n";
  const Copy copy(set);
  const Ended ended = RunProgram({"cli/reeve", "check", "--jsonl", copy.path()}, input);
  EXPECT_LE(ended.status, 1) << ended.err;
  std::vector<json> answers;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) answers.push_back(json::parse(line));
  return answers;
}

// Of one answer what the interop compares: `decision`, or that of each of `evaluations`.
json Compared(const json& answer) {
  if (!answer.contains("evaluations")) return answer["decision"];
  json decisions = json::array();
  for (const json& one : answer["evaluations"]) decisions.push_back(one["decision"]);
  return decisions;
}

void CheckTodo(const std::vector<json>& cases) {
  std::vector<json> requests;
  std::vector<json> asked;
  for (const json& one : cases) {
    if (one.value("scenario", "todo") != "todo") continue;
    asked.push_back(one);
    requests.push_back(one["request"]);
  }
  EXPECT_GE(asked.size(), 43u);
  const std::vector<json> answers = Answers("tests/scenarios/authzen", requests);
  ASSERT_EQ(answers.size(), asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(Compared(answers[i]), Compared(asked[i]["expected"])) << asked[i]["id"];
  }
}

TEST(ScenariosTest, TodoOfAuthZen) {
  CheckTodo(ReadLines("tests/scenarios/authzen/requests.jsonl"));
}

fs::path SharedConformance() {
  const char* const shared = std::getenv("REEVE_SHARED");
  return fs::path(shared == nullptr ? "" : shared) / "conformance";
}

TEST(ScenariosTest, TodoOfAuthZenAsItStandsNow) {
  const fs::path file = SharedConformance() / "authzen/open.jsonl";
  if (!fs::exists(file)) GTEST_SKIP() << "authzen is not tried: no such file in $REEVE_SHARED";
  CheckTodo(ReadLines(file));
}

TEST(ScenariosTest, TutorialOfCerbos) {
  const fs::path file = SharedConformance() / "cerbos/tutorial.jsonl";
  if (!fs::exists(file)) GTEST_SKIP() << "cerbos is not tried: no such file in $REEVE_SHARED";
  size_t compared = 0;
  for (const json& one : ReadLines(file)) {
    const json& asked = one["request"];
    std::vector<json> requests;
    std::vector<std::string> actions;
    for (const json& action : asked["actions"]) {
      // Cerbos' roles are groups here; a resource without an id is any.
      requests.push_back({{"subject",
                           {{"type", "person"},
                            {"id", asked["principal"]["id"]},
                            {"properties", {{"groups", asked["principal"]["roles"]}}}}},
                          {"action", {{"name", action}}},
                          {"resource",
                           {{"type", asked["resource"]["kind"]},
                            {"id", asked["resource"].value("id", "new")},
                            {"properties", asked["resource"].value("attr", json::object())}}}});
      actions.push_back(action);
    }
    const std::string stage = one["stage"];
    const std::vector<json> answers = Answers("tests/scenarios/cerbos/" + stage, requests);
    ASSERT_EQ(answers.size(), actions.size());
    for (size_t i = 0; i < actions.size(); ++i) {
      const bool allowed = one["expected"]["effects"][actions[i]] == "allow";
      EXPECT_EQ(answers[i]["decision"], allowed) << one["id"] << " " << actions[i];
      ++compared;
    }
  }
  std::cout << "cerbos: " << compared << " requests tried\n";
  EXPECT_GE(compared, 188u);
}

}  // namespace
}  // namespace reeve
