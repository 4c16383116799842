// What a policy set means, worked out the slow and plain way, to compare the engine with. Shares no
// code with the engine's evaluator, index, entity graph or globs: of a Pattern it reads kind() and
// text() only.
//
//  1. A rule matches when one of its principals, one of its actions and one of its resources match.
//  2. Whether something matches is true, false or unknown; `and` and `or` are Kleene's.
//  3. An allow rule of which it is unknown whether it matches does not match; a deny rule does: an
//     error never widens access.
//  4. Any matching deny rule: deny. Else any matching allow rule: allow. Else: deny. The order of
//     rules never matters.
//  5. Groups may be listed in part. Membership that is found is true; membership that is not found
//     and could come by a group that is not listed is unknown, not false.
//  6. The reason tells which of these it was. Only `allow_rule` allows.
//  7. The answer names all rules that determined it, sorted by id; and for a denial without a rule
//     the allow rules that missed by what is not known.
//  8. The same set and the same request have the same answer.
//  9. A shadow rule is evaluated and named apart, and never decides.
// 10. A malformed request is denied before any rule is asked.
//
// And of patterns:
// 11. A pattern without wildcards matches the entity that it names and every entity that has it
//     among its ancestors.
// 12. `*` matches any run of characters except `/`, `**` any run, `{name}` one non-empty run
//     without `/`. All else is literal; the whole `type:id`, or the whole action, must match.
// 13. `anyone` and `any` match everything, `authenticated` every principal but an anonymous one.
// 14. A regular expression matches the whole `type:id`.
// 15. A role matches a principal that one of its members matches.
// 16. An entity lies in its parents: those that the set knows and those that the request adds, of
//     a principal also its groups; and in theirs, at any distance.
#ifndef REEVE_TESTS_REFERENCE_REFERENCE_H_
#define REEVE_TESTS_REFERENCE_REFERENCE_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"

namespace reeve::reference {

enum class Truth { kFalse, kUnknown, kTrue };

// What a SnapshotBuilder is given.
struct World {
  struct Role {
    std::string name;
    std::vector<Pattern> members;
  };

  std::vector<Rule> rules;
  std::vector<Role> roles;
  std::vector<Entity> entities;
  std::vector<std::string> types;  // Declared; none if all are.
};

// How far one rule matches.
struct RuleMatch {
  const Rule* rule;  // Of the world.
  Truth principals;
  Truth actions;
  Truth resources;
};

struct Answer {
  Reason reason = Reason::kNoRule;
  // Ids, sorted.
  std::vector<std::string> rules;
  std::vector<std::string> near_misses;
  std::vector<std::string> shadow_rules;
  // All rules of the world, sorted by id; none of a malformed request.
  std::vector<RuleMatch> matches;
};

// Answers requests under one world.
//
// Immutable: any thread.
class Evaluator {
 public:
  // `world` must outlive this, unchanged.
  explicit Evaluator(const World& world);

  Answer Decide(const Request& request) const;

 private:
  using Names = std::set<std::string>;

  bool IsMalformed(const Request& request) const;
  bool IsDeclared(std::string_view type) const;

  // Everything that one can get to from `names` by going to parents, with `names`.
  Names WithAncestors(Names names) const;

  Truth MatchesPrincipal(const Pattern& pattern, const Principal& principal,
                         const std::string& name, const Names& lies_in) const;

  const World& world_;
  std::vector<const Rule*> rules_;  // Sorted by id.
  std::map<std::string, Names> parents_;
  Names reachable_from_groups_;  // What one can get to from a stored group by going to parents.
};

// Whether the pattern `glob` matches the whole of `text`.
bool GlobMatches(std::string_view glob, std::string_view text);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_REFERENCE_H_
