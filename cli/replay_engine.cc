#include "cli/replay_engine.h"

#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "reeve/policy/load.h"

namespace reeve {

std::unique_ptr<ReplayEngine> ReplayEngine::Load(const std::string& policy,
                                                 const std::vector<std::string>& entities,
                                                 const LoadLimits& limits, int* status) {
  *status = kBadCall;
  LoadResult loaded = LoadPolicy(policy, entities, limits);
  for (const Issue& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  }
  if (!loaded.ok()) return nullptr;
  *status = kFailure;
  auto result = std::make_unique<ReplayEngine>();
  Engine::Options options;
  options.audit = &result->no_record_;  // a rule may ask for a record
  options.audit_level = AuditLevel::kOff;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(options);
  if (!engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return nullptr;
  result->engine_ = *std::move(engine);
  result->snapshot_ = std::move(loaded.snapshot);
  *status = kYes;
  return result;
}

bool SameAnswer(const RecordedDecision& recorded, const Decision& decision) {
  const Decision::Rules rules = decision.rules();
  return recorded.reason == decision.reason() &&
         std::equal(rules.begin(), rules.end(), recorded.rules.begin(), recorded.rules.end(),
                    [](const RuleOutcome& a, const ReplayedRule& b) { return a.id() == b.id; });
}

}  // namespace reeve
