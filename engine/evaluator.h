// Decides one request under one snapshot: design section 5. Internal to engine/.
#ifndef REEVE_ENGINE_EVALUATOR_H_
#define REEVE_ENGINE_EVALUATOR_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
  // Makes *decision, a default-constructed one, where it is to stay: it is large. It has no id yet,
  // and its audit level is what its rules ask for. `snapshot` may be null. `known_obligations` are
  // those that an allow may have; null for all. `principal` as of Facts::Gather().
  static void Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                     absl::Time now, const ConditionLimits& limits,
                     const std::vector<std::string>* known_obligations, PrincipalFacts* principal,
                     Decision* decision);

 private:
  static Reason Conclude(const CompiledSet& set, const Request& request,
                         const ConditionLimits& limits,
                         const std::vector<std::string>* known_obligations,
                         PrincipalFacts* principal, Decision* decision);
  // The message and the obligations of a decision with its rules. Returns its reason, which is
  // another than `reason` if an obligation of an allow cannot be met.
  static Reason MakeTexts(const CompiledSet& set, Reason reason,
                          const std::vector<std::string>* known_obligations, Matcher* matcher,
                          Decision* decision);
};

// Empty, or why a request is malformed under `set`.
std::string_view DefectUnder(const CompiledSet& set, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EVALUATOR_H_
