// Decides one request under one snapshot: design section 5. Internal to engine/.
#ifndef REEVE_ENGINE_EVALUATOR_H_
#define REEVE_ENGINE_EVALUATOR_H_

#include <memory>
#include <string_view>

#include "absl/time/time.h"
#include "engine/compiled_set.h"
#include "engine/matcher.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/request.h"
#include "reeve/engine/snapshot.h"

namespace reeve {

// What a decision depends on, and nothing else: the same arguments give the same answer.
class Evaluator {
 public:
  // `snapshot` may be null. The decision has no id and no audit level yet.
  static Decision Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                         absl::Time now, const ConditionLimits& limits);

 private:
  static Reason Conclude(const CompiledSet& set, const Request& request,
                         const ConditionLimits& limits, Decision* decision);
};

// Empty, or why a request is malformed under `set`.
std::string_view DefectUnder(const CompiledSet& set, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EVALUATOR_H_
