#include "reeve/engine/explain.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/evaluator.h"
#include "engine/matcher.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/text.h"

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

constexpr size_t kMaxError = 1000;  // Bytes.
constexpr ConditionLimits kLimits = {1'000'000, size_t{1} << 20};

RuleExplanation ExplainRule(const Rule& rule, const Matcher::Parts& parts) {
  RuleExplanation explanation;
  explanation.rule = &rule;
  explanation.principals = ToMatch(parts.principals);
  explanation.actions = ToMatch(parts.actions);
  explanation.resources = ToMatch(parts.resources);
  explanation.all = ToMatch(parts.all);
  for (size_t i = 0; i < parts.clauses.size(); ++i) {
    const cel::Cell& value = parts.clauses[i];
    ClauseExplanation clause = {&rule.when[i], OutcomeOf(value), ""};
    if (clause.outcome == ClauseOutcome::kUnknown) {
      // Of a value only the type: it may be large.
      clause.error =
          Printable(value.is_error() ? cel::ToString(value)
                                     : absl::StrCat("neither true nor false, but of type ",
                                                    std::string(cel::TypeOf(value).text())),
                    kMaxError);
    }
    explanation.clauses.push_back(std::move(clause));
  }
  return explanation;
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
  Matcher matcher;
  for (uint32_t i = 0; i < set.rules().size(); ++i) {
    // Each rule with a budget of its own, so that one that needs too much does not hide the others.
    if (!matcher.Begin(set, request, decision.time(), kLimits)) return explanations;
    explanations.push_back(ExplainRule(set.rules()[i], matcher.Explain(set.compiled(i))));
    const RuleExplanation& explanation = explanations.back();
    const int missed = (explanation.principals == RuleExplanation::Match::kNo) +
                       (explanation.actions == RuleExplanation::Match::kNo) +
                       (explanation.resources == RuleExplanation::Match::kNo);
    if (missed > 1) explanations.pop_back();
  }
  std::stable_sort(
      explanations.begin(), explanations.end(),
      [](const RuleExplanation& a, const RuleExplanation& b) { return a.matched() > b.matched(); });
  return explanations;
}

}  // namespace reeve
