// Asks whether rules match one request: patterns, roles and conditions. Internal to engine/.
#ifndef REEVE_ENGINE_MATCHER_H_
#define REEVE_ENGINE_MATCHER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/compiled_set.h"
#include "engine/facts.h"
#include "engine/request_variables.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/decision.h"

namespace reeve {

// What the value of a clause comes to; of anything but a bool, unknown.
ClauseOutcome OutcomeOf(const cel::Cell& value);

// What the conditions of one decision may use up: see Engine::Options.
struct ConditionLimits {
  uint64_t steps;
  size_t bytes;
};

// The memory of one decision, which the next one on its thread takes over. One thread at a time.
class Matcher {
 public:
  // A fact that a clause names, `principal.level`, and its value or an error.
  struct SeenFact {
    std::string path;
    cel::Cell value;
  };
  // A clause with its value: a bool, another value, or an error.
  struct Clause {
    cel::Cell value;
    std::vector<SeenFact> facts;
  };

  // What a rule needed to match, each part on its own.
  struct Parts {
    Truth principals;
    Truth actions;
    Truth resources;
    std::vector<Clause> clauses;
    Truth all;  // Whether the rule matches.
  };
  // The same of a conditional role.
  struct RoleParts {
    Truth members;
    std::vector<Clause> clauses;
    Truth all;
  };

  // Unless it is kSound nothing can be asked. All arguments but `now` outlive the questions.
  // `principal` as of Facts::Gather().
  Gathered Begin(const CompiledSet& set, const Request& request, absl::Time now,
                 const ConditionLimits& limits, PrincipalFacts* principal = nullptr);

  // Goes on with the same request, and the limits whole again: forgets what the conditions came to.
  void Renew(const ConditionLimits& limits);

  const Facts& facts() const { return facts_; }

  // Whether a candidate matches. Stops at the first part and at the first clause that is false; the
  // outcomes of the clauses go to *clauses. *patterns tells whether its patterns match, whatever
  // the clauses say.
  Truth Matches(Facts::Candidate rule, ClauseOutcomes* clauses, Truth* patterns);
  // Whether the patterns could match, whatever roles and clauses say. Asks no condition.
  bool MatchesPatterns(const CompiledRule& rule) const;
  // Asks the rest of a rule, of which *parts has what the patterns alone say. What that then holds
  // is valid until Renew() or Begin().
  void Explain(const CompiledRule& rule, Parts* parts);
  RoleParts ExplainRole(uint32_t role);
  // What the patterns alone say, with roles but without clauses: Parts::clauses stays empty.
  Parts AskPatterns(const CompiledRule& rule);
  // Whether the principal has the conditional role of this number.
  Truth HasRole(uint32_t role);

  // Binds the names of `rule`, which has matched, or of which it is unknown whether it does, as
  // they were when it did; for Fact().
  void BindAgain(const CompiledRule& rule);
  // The value of a fact of a text of that rule, or an error, by the number of its clause.
  cel::Cell Fact(uint32_t clause);

  // Whether the conditions have used up what they may: then no answer counts.
  bool exhausted() { return ready_ && machine_.context().exhausted(); }

 private:
  // One way in which a list of patterns matched: by a pattern that binds names, or by the others.
  struct Way {
    static constexpr uint32_t kNone = UINT32_MAX;
    Truth truth;
    uint32_t binding;  // Its number; kNone for all patterns that bind nothing, together.
  };
  using Ways = std::vector<Way>;

  // Readies what conditions and roles need: most decisions ask none.
  void MakeReady() {
    if (!ready_) Renew(*limits_);
  }
  // The same of a rule whose head does not say all.
  Truth MatchesRest(Facts::Candidate rule, ClauseOutcomes* clauses, Truth* patterns);
  Truth MatchesPrincipal(const Alternatives& alternatives);
  // What `principal.roles` is to the conditions of a policy.
  cel::Cell RolesOfPolicy(uint32_t policy);
  cel::Cell Evaluate(uint32_t clause);
  Truth ExplainAll(Slice clauses, std::vector<Clause>* explained);
  std::vector<SeenFact> FactsOf(const cel::Link& clause);
  Truth EvaluateAll(Slice clauses, ClauseOutcomes* outcomes);
  // Each combination of the ways in which a principal and a resource can match binds names of its
  // own; the rule matches if it does with one of them.
  Truth MatchesBinding(const CompiledRule& rule, ClauseOutcomes* clauses, Truth* patterns,
                       Truth enough = Truth::kTrue);
  template <typename Visit>
  void ForEachWay(const CompiledRule& rule, Visit visit);
  void FindWays(const Alternatives& alternatives, std::string_view text, Truth without, Ways* ways);
  void Bind(const CompiledRule& rule, uint32_t pattern, std::string_view text);

  const CompiledSet* set_ = nullptr;
  const Request* request_ = nullptr;
  absl::Time now_;
  const ConditionLimits* limits_ = nullptr;
  bool ready_ = false;
  Facts facts_;
  RequestVariables variables_;
  cel::Machine machine_;
  std::vector<Truth> roles_;  // By conditional role, once it was asked.
  std::vector<bool> roles_known_;
  std::vector<uint32_t> roles_asked_;    // That wait for those that they name.
  std::vector<cel::Cell> policy_roles_;  // By policy, once it was asked.
  std::vector<bool> policy_roles_known_;
  Ways principal_ways_;
  Ways resource_ways_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_MATCHER_H_
