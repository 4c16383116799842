// Names for decisions. Internal to engine/.
#ifndef REEVE_ENGINE_DECISION_ID_H_
#define REEVE_ENGINE_DECISION_ID_H_

#include "absl/time/time.h"
#include "reeve/engine/decision.h"

namespace reeve {

// A new id for a decision of `time`: milliseconds and 74 random bits, from a generator of the
// calling thread that was seeded by getrandom(2). Two processes that fork(2) parted draw different
// ones. Unique, not secret.
DecisionId NewDecisionId(absl::Time time);

}  // namespace reeve

#endif  // REEVE_ENGINE_DECISION_ID_H_
