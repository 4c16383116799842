// What decides recorded requests again.
#ifndef REEVE_CLI_REPLAY_ENGINE_H_
#define REEVE_CLI_REPLAY_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "reeve/engine/audit.h"
#include "reeve/engine/engine.h"
#include "reeve/store/replay.h"

namespace reeve {

// For decisions that nobody acts on.
class NoRecord final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord&, AuditLevel) override { return absl::OkStatus(); }
};

// A policy set that decides, and keeps no record.
class ReplayEngine {
 public:
  // Null, having said what is wrong on standard error and left the exit status in *status, if it
  // does not load.
  static std::unique_ptr<ReplayEngine> Load(const std::string& policy,
                                            const std::vector<std::string>& entities, int* status);

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
