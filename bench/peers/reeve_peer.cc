// Reeve on the cases of write_cases: `reeve_peer DIRECTORY...`. Prints a line of JSON for each
// case,
// {"case": "gdrive-10", "peer": "reeve", "version": …, "ns": 310.5}: the processor time of one
// decision, the middle of rounds over all requests. Ends with 1, and prints no time of the case, if
// an answer is not the expected one. The other peers do the same in their languages.
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/peers/measure.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

struct Question {
  Principal principal;
  std::string action;
  EntityId resource;
};

EntityId ReadId(const nlohmann::json& text) {
  const std::string id = text;
  const size_t colon = id.find(':');
  return EntityId(id.substr(0, colon), id.substr(colon + 1));
}

bool Measure(const std::filesystem::path& directory) {
  const LoadResult loaded = LoadPolicy((directory / "reeve").string());
  for (const Issue& issue : loaded.issues) std::fprintf(stderr, "%s\n", ToString(issue).c_str());
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(options);
  if (!loaded.ok() || !engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return false;
  return bench::Measure(
      directory, "reeve", "",
      [](const nlohmann::json& row) {
        return Question{Principal(ReadId(row["principal"]), Assurance::kAsserted), row["action"],
                        ReadId(row["resource"])};
      },
      [&engine](const Question& question) {
        return (*engine)
            ->Decide(Request(question.principal, question.action, question.resource))
            .allowed();
      });
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  return reeve::bench::MeasureAll(argc, argv, "reeve", reeve::Measure);
}
