#include "reeve/engine/explain.h"

#include <algorithm>

#include "engine/evaluator.h"

namespace reeve {
namespace {

RuleExplanation::Match ToMatch(Truth truth) {
  switch (truth) {
    case Truth::kFalse:
      return RuleExplanation::Match::kNo;
    case Truth::kUnknown:
      return RuleExplanation::Match::kUnknown;
    case Truth::kTrue:
      return RuleExplanation::Match::kYes;
  }
  return RuleExplanation::Match::kUnknown;
}

}  // namespace

std::string_view ToString(RuleExplanation::Match match) {
  switch (match) {
    case RuleExplanation::Match::kNo:
      return "no";
    case RuleExplanation::Match::kUnknown:
      return "unknown";
    case RuleExplanation::Match::kYes:
      return "yes";
  }
  return "unknown";
}

std::vector<RuleExplanation> Explain(const Decision& decision, const Request& request) {
  std::vector<RuleExplanation> explanations;
  if (decision.snapshot() == nullptr) return explanations;
  const CompiledSet& set = decision.snapshot()->compiled();
  if (!DefectUnder(set, request).empty()) return explanations;
  Facts facts;
  if (!facts.Gather(set, request)) return explanations;
  for (uint32_t i = 0; i < set.rules().size(); ++i) {
    const CompiledRule& rule = set.compiled(i);
    const RuleExplanation explanation = {&set.rules()[i], ToMatch(facts.MatchesPrincipal(rule)),
                                         ToMatch(facts.MatchesAction(rule)),
                                         ToMatch(facts.MatchesResource(rule))};
    const int missed = (explanation.principals == RuleExplanation::Match::kNo) +
                       (explanation.actions == RuleExplanation::Match::kNo) +
                       (explanation.resources == RuleExplanation::Match::kNo);
    if (missed <= 1) explanations.push_back(explanation);
  }
  std::stable_sort(
      explanations.begin(), explanations.end(),
      [](const RuleExplanation& a, const RuleExplanation& b) { return a.matched() > b.matched(); });
  return explanations;
}

}  // namespace reeve
