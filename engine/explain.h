#ifndef REEVE_ENGINE_EXPLAIN_H_
#define REEVE_ENGINE_EXPLAIN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/decision.h"
#include "reeve/engine/request.h"

namespace reeve {

// What one clause of a rule came to.
struct ClauseExplanation {
  const Condition* clause;  // Of the rule.
  ClauseOutcome outcome;
  // Of an unknown one why it is unknown, in one line: "no such key: owner". May hold parts of the
  // request; printable.
  std::string error;
};

// How far one rule matched a request.
struct RuleExplanation {
  enum class Match : uint8_t { kNo, kUnknown, kYes };

  const Rule* rule;  // Of the decision's snapshot.
  Match principals;
  Match actions;
  Match resources;
  // All of them, in the order of the rule, whatever the patterns say; of several ways to bind names
  // those of the one that came nearest to a match. Empty if the rule has none, or if no name could
  // be bound.
  std::vector<ClauseExplanation> clauses;
  Match all;  // Whether the rule as a whole matches.

  bool matched() const { return all == Match::kYes; }
};

// "no", "unknown", "yes".
std::string_view ToString(RuleExplanation::Match match);

// Why `decision` came out so for `request`, which it was the answer to: the rules of which no more
// than one of the three patterns did not match, those that matched first, then by id. Empty for a
// decision without a snapshot, a malformed request, or one beyond a limit.
//
// Asks every rule of the set: for a person, not for each request.
std::vector<RuleExplanation> Explain(const Decision& decision, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EXPLAIN_H_
