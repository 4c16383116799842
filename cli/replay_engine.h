// What decides recorded requests again.
#ifndef REEVE_CLI_REPLAY_ENGINE_H_
#define REEVE_CLI_REPLAY_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "cli/no_record.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/load_input.h"
#include "reeve/store/replay.h"

namespace reeve {

// A policy set that decides, and keeps no record.
class ReplayEngine {
 public:
  // Null, having said what is wrong on standard error and left the exit status in *status, if it
  // does not load.
  static std::unique_ptr<ReplayEngine> Load(const std::string& policy,
                                            const std::vector<std::string>& entities,
                                            const LoadLimits& limits, int* status);

  Decision Decide(const Request& request) const { return engine_->Decide(request); }
  const Snapshot& snapshot() const { return *snapshot_; }

 private:
  NoRecord no_record_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Snapshot> snapshot_;
};

// Whether it has the same reason and the same rules.
bool SameAnswer(const RecordedDecision& recorded, const Decision& decision);

}  // namespace reeve

#endif  // REEVE_CLI_REPLAY_ENGINE_H_
