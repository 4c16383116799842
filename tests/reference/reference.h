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
// 15. A role matches a principal that one of its members matches; a member may be another role.
// 16. An entity lies in its parents: those that the set knows and those that the request adds, of
//     a principal also its groups; and in theirs, at any distance.
//
// And of conditions:
// 17. A rule with clauses matches when its patterns do and all its clauses are true; so does a
// role.
//     A clause is true, false or, if it is an error or anything else, unknown.
// 18. Clauses are asked in their order, until one is false; those after it are not evaluated.
// 19. `principal`, `resource` and `context` are maps of attributes; what the request says overlays
//     what the set knows of the same entity. Some names are reserved, and no attribute can claim
//     them: `type`, `id`, `name` (the id before its last `@`); of a principal also `groups`, which
//     may be a list known in part, `assurance` and, if they are not empty, `via`, `host`, `actor`;
//     of the context `time`, that of the decision. `action` is a string.
// 20. isIn() asks the same as a pattern without wildcards (11, 5); a role is nothing to lie in.
// 21. Each pattern that binds names and matches is a way to match, in which the names are strings;
//     all that bind nothing are one way together, in which there are no such names. Of a way for
//     the principal and one for the resource each combination is like a rule of its own: the rule
//     matches if it does in one of them. Of its outcomes those are told of the way that comes
//     nearest to a match; of several the first, those that bind nothing before the others, these in
//     the order of the patterns, principals before resources.
// 22. Where a text fits a pattern in several ways each wildcard takes the shortest run that lets
// the
//     rest match, the leftmost first.
// 24. An entity provider adds parents and attributes of the principal and the resource. Its
//     attributes overlay those that the set knows, and are overlaid by those of the request. If it
//     told a part only, an attribute that neither it nor the request has is an error, and
//     membership that is not found is unknown.
// 25. `principal.roles`, in these words, is the list of the roles that hold, by their names; known
//     in part if it is unknown of one whether it holds.
//
// And of texts:
// 26. A fact in a text is what `string()` makes of it, with the names bound as in 21.
// 27. The message is that of the first determining rule that has one; what is an error in it is
//     `(unknown)`, and what is not printable is escaped.
// 28. The obligations are those of all determining rules in their order, of equal ones the first.
// An
//     allow with one that has an error is `deny_unknown`, by the same rules, with no obligations;
//     in those of a denial an error is `(unknown)`. A parameter of more than 4,096 bytes is an
//     error.
//
// 23. An allow rule that did not match, but whose patterns do or may, misses nearly (7); of those
// only
//     the first eight are named.
#ifndef REEVE_TESTS_REFERENCE_REFERENCE_H_
#define REEVE_TESTS_REFERENCE_REFERENCE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "policy/cel/ast.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"
#include "reeve/tests/reference/cel/evaluate.h"

namespace reeve::reference {

enum class Truth { kFalse, kUnknown, kTrue };

// What a SnapshotBuilder is given.
struct World {
  struct Role {
    std::string name;
    std::vector<Pattern> members;
    std::vector<Condition> when = {};
  };

  std::vector<Rule> rules;
  std::vector<Role> roles;
  std::vector<Entity> entities;
  std::vector<std::string> types;  // Declared; none if all are.
};

using ClauseOutcomeList = std::vector<ClauseOutcome>;  // One for each clause of a rule.

// How far one rule matches.
struct RuleMatch {
  const Rule* rule;  // Of the world.
  Truth principals;
  Truth actions;
  Truth resources;
  // All are asked, also after one that is false.
  ClauseOutcomeList clauses;
  bool no_way;  // A name of a pattern is bound in no way; then the clauses are asked without.
  Truth all;    // Whether the rule matches.
};

struct NamedRule {
  std::string id;
  ClauseOutcomeList clauses;
};

struct Answer {
  Reason reason = Reason::kNoRule;
  // Sorted by id.
  std::vector<NamedRule> rules;
  std::vector<NamedRule> near_misses;
  std::vector<NamedRule> shadow_rules;
  std::string message;
  std::vector<std::string> obligations;  // `id {"name":"value"}`
  // All rules of the world, sorted by id; none of a malformed request.
  std::vector<RuleMatch> matches;
  // A condition took more steps than the reference takes: then the answer says nothing.
  bool limit = false;
};

// Answers requests under one world.
//
// Immutable: any thread.
class Evaluator {
 public:
  // `world` must outlive this, unchanged. Dies if a clause does not parse.
  explicit Evaluator(const World& world);

  // `now` is the time of the decision. `explain` asks for Answer::matches.
  Answer Decide(const Request& request, absl::Time now, bool explain) const;

 private:
  using Names = std::set<std::string>;
  using Bindings = std::map<std::string, std::string>;

  // What is worked out once for a request.
  struct Question {
    const Request& request;
    std::string principal, resource;  // `type:id`
    Names principal_in, resource_in;
    Scope scope;
    bool principal_complete = true, resource_complete = true;  // 24
    std::map<std::string, Truth> roles;                        // Of those that were asked.
    bool limit = false;
  };
  // One way to match.
  struct Way {
    Truth truth;
    Bindings bindings;
  };

  bool IsMalformed(const Request& request) const;
  bool IsDeclared(std::string_view type) const;

  // Everything that one can get to from `names` by going to parents, with `names`.
  Names WithAncestors(Names names) const;

  // Sentences 19 and 20.
  Scope MakeScope(const Question& question, absl::Time now) const;
  Outcome IsIn(const Question& question, bool principal, const std::string& name) const;

  Truth LiesIn(const std::string& name, const Question& question) const;
  // Sentence 25.
  RefList RolesOf(Question* question) const;
  // Sentence 26. Nothing for an error.
  std::optional<std::string> ValueOf(const Condition& fact, Question* question) const;
  std::string Fill(const TextTemplate& text, bool printable, bool* known, Question* question) const;
  void MakeTexts(Question* question, Answer* answer) const;

  Truth MatchesPrincipal(const Pattern& pattern, Question* question) const;
  static Truth MatchesResource(const Pattern& pattern, const Question& question);
  Truth HasRole(const std::string& name, Question* question) const;
  ClauseOutcome Ask(const Condition& clause, Question* question) const;
  // Sentence 18, or if `all` each clause.
  Truth AskAll(const std::vector<Condition>& when, bool all, Question* question,
               ClauseOutcomeList* outcomes) const;
  // Sentence 21. The ways that are not certainly none.
  std::vector<Way> WaysOf(const Rule& rule, Question* question) const;
  Truth AskRule(const Rule& rule, bool all, Question* question, ClauseOutcomeList* outcomes,
                bool* no_way, Bindings* bindings = nullptr) const;

  const World& world_;
  std::vector<const Rule*> rules_;  // Sorted by id.
  std::map<std::string, Names> parents_;
  std::map<std::string, cel::Ast> clauses_;  // By text.
  Names reachable_from_groups_;  // What one can get to from a stored group by going to parents.
};

// Whether the pattern `glob` matches the whole of `text`.
bool GlobMatches(std::string_view glob, std::string_view text);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_REFERENCE_H_
