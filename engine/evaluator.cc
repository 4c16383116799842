#include "engine/evaluator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/answer_texts.h"

namespace reeve {

std::string_view DefectUnder(const CompiledSet& set, const Request& request) {
  if (std::string_view defect = DefectOf(request); !defect.empty()) return defect;
  if (!set.IsDeclared(request.principal->id.type) ||
      (!request.principal->groups.empty() && !set.IsDeclared("group"))) {
    return "the principal's entity type is not declared";
  }
  if (!set.IsDeclared(request.resource.type)) return "the resource's entity type is not declared";
  for (const auto parents :
       {absl::MakeConstSpan(request.principal->parents), request.resource_parents}) {
    for (const EntityId& parent : parents) {
      if (!set.IsDeclared(parent.type)) return "a parent's entity type is not declared";
    }
  }
  return {};
}

Reason Evaluator::Conclude(const CompiledSet& set, const Request& request,
                           const ConditionLimits& limits,
                           const std::vector<std::string>* known_obligations, Decision* decision) {
  // The memory of one decision, which the next one on this thread takes over.
  struct Scratch {
    Matcher matcher;
    std::vector<uint32_t> candidates;
  };
  static thread_local Scratch scratch;
  Matcher& matcher = scratch.matcher;
  std::vector<uint32_t>& candidates = scratch.candidates;

  if (!matcher.Begin(set, request, decision->time_, limits)) {
    decision->defect_ = "the principal or the resource lies in too many entities";
    return Reason::kLimit;
  }
  candidates.clear();
  matcher.facts().FindCandidates(&candidates);
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());

  Decision::RuleList allows;
  Decision::MissList misses;
  Decision::RuleList denies;
  bool denied = false;
  for (const uint32_t number : candidates) {
    const Rule& rule = set.rules()[number];
    if (rule.shadow) continue;
    RuleOutcome outcome = {&rule, ClauseOutcomes()};
    Truth patterns;
    const Truth truth = matcher.Matches(set.compiled(number), &outcome.clauses, &patterns);
    if (matcher.exhausted()) {
      decision->defect_ = "the conditions need more than the limit of a decision";
      return Reason::kLimit;
    }
    if (rule.effect == Effect::kDeny) {
      // Also when it is unknown whether it matches.
      if (truth != Truth::kFalse) denies.push_back(outcome);
      denied |= truth == Truth::kTrue;
    } else if (truth == Truth::kTrue) {
      allows.push_back(outcome);
    } else if (patterns != Truth::kFalse && misses.size() < Decision::kMaxNearMisses) {
      misses.push_back(outcome);
    }
  }
  for (const uint32_t number : candidates) {
    const Rule& rule = set.rules()[number];
    if (!rule.shadow) continue;
    RuleOutcome outcome = {&rule, ClauseOutcomes()};
    Truth patterns;
    Truth truth = matcher.Matches(set.compiled(number), &outcome.clauses, &patterns);
    // What shadow rules need is not held against the decision, nor against each other.
    if (matcher.exhausted()) {
      truth = matcher.MatchesPatterns(set.compiled(number)) ? Truth::kUnknown : Truth::kFalse;
    }
    const bool matches =
        rule.effect == Effect::kDeny ? truth != Truth::kFalse : truth == Truth::kTrue;
    if (matches) decision->shadow_rules_.push_back(outcome);
  }
  if (!denies.empty()) {
    decision->rules_ = std::move(denies);
    return MakeTexts(set, denied ? Reason::kDenyRule : Reason::kDenyUnknown, known_obligations,
                     &matcher, decision);
  }
  if (!allows.empty()) {
    decision->rules_ = std::move(allows);
    return MakeTexts(set, Reason::kAllowRule, known_obligations, &matcher, decision);
  }
  decision->near_misses_ = std::move(misses);
  return Reason::kNoRule;
}

Reason Evaluator::MakeTexts(const CompiledSet& set, Reason reason,
                            const std::vector<std::string>* known_obligations, Matcher* matcher,
                            Decision* decision) {
  const Rule* speaks = nullptr;
  bool obliges = false;
  for (const RuleOutcome& rule : decision->rules_) {
    if (speaks == nullptr && !rule->message.empty()) speaks = rule.rule;
    obliges |= !rule->obligations.empty();
  }
  if (!obliges && (speaks == nullptr || speaks->message.constant())) return reason;

  AnswerTexts texts(set, matcher);
  Decision::MadeTexts made;
  std::string defect;
  const bool allow = reason == Reason::kAllowRule;
  texts.MakeObligations(decision->rules_, !allow, Decision::kMaxObligations, &made.obligations,
                        &defect);
  if (allow && defect.empty() && known_obligations != nullptr) {
    for (const MadeObligation& obligation : made.obligations) {
      if (std::find(known_obligations->begin(), known_obligations->end(), obligation.id()) ==
          known_obligations->end()) {
        defect = "the obligation `" + std::string(obligation.id()) +
                 "` is not one that this program knows";
        break;
      }
    }
  }
  if (allow && !defect.empty()) {
    // What an allow is worth without what it obliges to nobody knows.
    reason = Reason::kDenyUnknown;
    decision->error_ = std::move(defect);
    made.obligations.clear();
  }
  if (speaks != nullptr && !speaks->message.constant()) made.message = texts.Message(*speaks);
  decision->made_ = std::make_shared<const Decision::MadeTexts>(std::move(made));
  return reason;
}

Decision Evaluator::Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                           absl::Time now, const ConditionLimits& limits,
                           const std::vector<std::string>* known_obligations) {
  Decision decision;
  decision.time_ = now;
  decision.snapshot_ = std::move(snapshot);
  if (decision.snapshot_ == nullptr) return decision;  // Reason::kNoPolicy
  const CompiledSet& set = decision.snapshot_->compiled();
  decision.defect_ = DefectUnder(set, request);
  decision.reason_ = decision.defect_.empty()
                         ? Conclude(set, request, limits, known_obligations, &decision)
                         : Reason::kBadRequest;
  return decision;
}

}  // namespace reeve
