// Reeve on the cases of write_cases: `reeve_peer DIRECTORY...`. Prints a line of JSON for each
// case,
// {"case": "gdrive-10", "peer": "reeve", "version": …, "ns": 310.5}: the processor time of one
// decision, the middle of rounds over all requests. Ends with 1, and prints no time of the case, if
// an answer is not the expected one. The other peers do the same in their languages.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr double kBudgetNs = 5e8;
constexpr size_t kMinRounds = 5;

struct Question {
  Principal principal;
  std::string action;
  EntityId resource;
  bool allow;

  Request AsRequest() const { return Request(principal, action, resource); }
};

// Nanoseconds of processor time of the process: what else the machine does is not in it.
double Now() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

EntityId ReadId(const json& text) {
  const std::string id = text;
  const size_t colon = id.find(':');
  return EntityId(id.substr(0, colon), id.substr(colon + 1));
}

std::vector<Question> ReadQuestions(const fs::path& path) {
  std::ifstream file(path);
  std::vector<Question> questions;
  for (std::string line; std::getline(file, line);) {
    const json row = json::parse(line);
    questions.push_back({Principal(ReadId(row["principal"]), Assurance::kAsserted), row["action"],
                         ReadId(row["resource"]), row["allow"]});
  }
  return questions;
}

bool Measure(const fs::path& directory) {
  const LoadResult loaded = LoadPolicy((directory / "reeve").string());
  for (const Issue& issue : loaded.issues) std::fprintf(stderr, "%s\n", ToString(issue).c_str());
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(options);
  if (!loaded.ok() || !engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return false;
  const std::vector<Question> questions = ReadQuestions(directory / "requests.jsonl");
  if (questions.empty()) {
    std::fprintf(stderr, "%s: no requests\n", directory.c_str());
    return false;
  }
  for (const Question& question : questions) {
    if ((*engine)->Decide(question.AsRequest()).allowed() == question.allow) continue;
    std::fprintf(stderr, "%s: another answer than expected: %s %s %s\n", directory.c_str(),
                 ToString(question.principal.id).c_str(), question.action.c_str(),
                 ToString(question.resource).c_str());
    return false;
  }
  std::vector<double> rounds;
  for (const double end = Now() + kBudgetNs; rounds.size() < kMinRounds || Now() < end;) {
    size_t allowed = 0;
    const double begin = Now();
    for (const Question& question : questions) {
      allowed += (*engine)->Decide(question.AsRequest()).allowed();
    }
    const double time = Now() - begin;
    if (allowed > questions.size()) return false;  // so that the decisions are not in vain
    rounds.push_back(time / static_cast<double>(questions.size()));
  }
  std::sort(rounds.begin(), rounds.end());
  std::puts(nlohmann::ordered_json{{"case", directory.filename().string()},
                                   {"peer", "reeve"},
                                   {"version", ""},
                                   {"ns", rounds[rounds.size() / 2]}}
                .dump()
                .c_str());
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(std::filesystem::path(argv[i]) / "reeve") &&
        !reeve::Measure(argv[i])) {
      status = 1;
    }
  }
  return status;
}
