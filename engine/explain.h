#ifndef REEVE_ENGINE_EXPLAIN_H_
#define REEVE_ENGINE_EXPLAIN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/decision.h"
#include "reeve/engine/request.h"

namespace reeve {

// Why a decision came out so. What is text here is printable, and may hold parts of the request:
// for the log and for those who may read it, never for the peer.

// A fact that a clause names.
struct FactExplanation {
  std::string path;  // `principal.level`, `action`, or the name that a pattern binds.
  // As a condition would write it: `7`, `"staff"`; shortened with `...` beyond kMaxBytes. Of a fact
  // that is not known why it is not: `no such key: level`.
  std::string value;
  bool known;

  static constexpr size_t kMaxBytes = 200;
};

// What one clause of a rule came to.
struct ClauseExplanation {
  const Condition* clause;  // Of the rule, or of the role.
  ClauseOutcome outcome;
  // Of an unknown one why it is unknown, in one line: "no such key: owner".
  std::string error;
  // Those that its text and the names under `let` that it uses speak of; not those that are asked
  // what they lie in. Of a clause that is decided by its first part also those of the second.
  std::vector<FactExplanation> facts;
};

// How far one rule matched a request.
struct RuleExplanation {
  enum class Match : uint8_t { kNo, kUnknown, kYes };

  // The first pattern of the rule that matched.
  struct By {
    const Pattern* pattern = nullptr;  // Of the rule; null if none surely matched.
    // From the principal or the resource to the entity or role that the pattern names, each lying
    // in the next: {"user:ada", "group:leads", "group:staff"}. Empty if it is the first itself.
    std::vector<std::string> through;
  };

  std::shared_ptr<const Rule> rule;  // As it was given; never null.
  uint32_t number;                   // In the decision's snapshot.
  Match principals;
  Match actions;
  Match resources;
  By principals_by;
  By actions_by;
  By resources_by;
  // All of them, in the order of the rule, whatever the patterns say; of several ways to bind names
  // those of the one that came nearest to a match. Empty if the rule has none, or if no name could
  // be bound.
  std::vector<ClauseExplanation> clauses;
  Match all;  // Whether the rule as a whole matches.

  bool matched() const { return all == Match::kYes; }
};

// "no", "unknown", "yes".
std::string_view ToString(RuleExplanation::Match match);

// A role by condition that one of the rules names, or such a role.
struct RoleExplanation {
  std::string_view name;           // Of the decision's snapshot.
  RuleExplanation::Match members;  // Whether the principal is one of its members,
  std::vector<ClauseExplanation> clauses;
  RuleExplanation::Match all;  // and has it.
};

// An allow rule that came nearest to a match.
struct NearestMiss {
  const RuleExplanation& Of(const std::vector<RuleExplanation>& rules) const { return rules[rule]; }

  size_t rule;  // Its place among Explanation::rules.
  // What would have to be otherwise. Nothing at all of a rule that matches, and is overridden by
  // the deny rules that determined the answer; beside them, if there are some.
  bool principals;
  bool actions;
  bool resources;
  std::vector<size_t> clauses;  // Their places among RuleExplanation::clauses.

  size_t size() const { return principals + actions + resources + clauses.size(); }
};

struct Explanation {
  // The rules of which no more than one of the three patterns did not match, those that matched
  // first, then by id.
  std::vector<RuleExplanation> rules;
  std::vector<RoleExplanation> roles;  // By name.
  // Of a denial: the allow rules that miss by the fewest patterns and clauses, by id, at most
  // Decision::kMaxNearMisses. What Decision::near_misses() has are those that missed by clauses
  // alone.
  std::vector<NearestMiss> nearest;
};

// Why `decision` came out so for `request`, which it was the answer to. Under the snapshot that it
// was made under and at its time, whatever was installed since; keeps no record. Empty for a
// decision without a snapshot, a malformed request, or one beyond a limit.
//
// Asks the patterns of every rule of the set, and allocates: for a person, not for each request.
// The decision must outlive the explanation.
Explanation Explain(const Decision& decision, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EXPLAIN_H_
