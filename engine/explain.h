#ifndef REEVE_ENGINE_EXPLAIN_H_
#define REEVE_ENGINE_EXPLAIN_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "reeve/engine/decision.h"
#include "reeve/engine/request.h"

namespace reeve {

// How far one rule matched a request.
struct RuleExplanation {
  enum class Match : uint8_t { kNo, kUnknown, kYes };

  const Rule* rule;  // Of the decision's snapshot.
  Match principals;
  Match actions;
  Match resources;

  bool matched() const {
    return principals == Match::kYes && actions == Match::kYes && resources == Match::kYes;
  }
};

// "no", "unknown", "yes".
std::string_view ToString(RuleExplanation::Match match);

// Why `decision` came out so for `request`, which it was the answer to: the rules that matched or
// missed by one of their three parts only, those that matched first, then by id. Empty for a
// decision without a snapshot, a malformed request, or one beyond a limit.
//
// Asks every rule of the set: for a person, not for each request.
std::vector<RuleExplanation> Explain(const Decision& decision, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EXPLAIN_H_
