#include "engine/evaluator.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/answer_texts.h"

namespace reeve {

std::string_view DefectUnder(const CompiledSet& set, const Request& request) {
  if (std::string_view defect = DefectOf(request); !defect.empty()) return defect;
  if (set.schema() == nullptr) return {};
  return set.schema()->DefectOf(request, [&set](EntityView entity) {
    return set.StoredAttributes(set.graph().Find(entity));
  });
}

namespace {

// In place: a copy of what was just written member by member would wait for it.
template <typename Rules>
void Add(const Snapshot& snapshot, uint32_t rule, ClauseOutcomes clauses, Rules* rules) {
  RuleOutcome& added = rules->emplace_back();
  added.snapshot = &snapshot;
  added.number = rule;
  added.clauses = clauses;
}

}  // namespace

Reason Evaluator::Conclude(const CompiledSet& set, const Request& request,
                           const ConditionLimits& limits,
                           const std::vector<std::string>* known_obligations,
                           PrincipalFacts* principal, Decision* decision) {
  // The memory of one decision, which the next one on this thread takes over.
  struct Scratch {
    Matcher matcher;
    std::vector<Facts::Candidate> candidates;
  };
  static thread_local Scratch scratch;
  Matcher& matcher = scratch.matcher;
  std::vector<Facts::Candidate>& candidates = scratch.candidates;

  const Gathered gathered = matcher.Begin(set, request, decision->time_, limits, principal);
  if (gathered != Gathered::kSound) {
    decision->defect_ = DefectOf(request);
    if (!decision->defect_.empty()) return Reason::kBadRequest;
    decision->defect_ = "the principal or the resource lies in too many entities";
    return Reason::kLimit;
  }
  matcher.facts().FindCandidates(&candidates);

  const auto exhaust = [decision] {
    decision->rules_.clear();
    decision->near_misses_.clear();
    decision->audit_level_ = AuditLevel::kOff;
    decision->defect_ = "the conditions need more than the limit of a decision";
    return Reason::kLimit;
  };
  bool has_text = false;
  const Snapshot* const snapshot = decision->snapshot_.get();
  const auto determines = [&](uint32_t number, const RuleHead& head, ClauseOutcomes clauses) {
    Add(*snapshot, number, clauses, &decision->rules_);
    decision->audit_level_ = std::max(decision->audit_level_, head.audit);
    has_text |= head.has_text;
  };
  // The denying ones first: if one cannot be ruled out, no other has a say.
  bool allows = false;
  bool denied = false;
  bool shadows = false;
  for (const Facts::Candidate& candidate : candidates) {
    const RuleHead& head = set.head(candidate.rule);
    shadows |= head.shadow;
    allows |= !head.deny && !head.shadow;
    if (!head.deny || head.shadow) continue;
    ClauseOutcomes clauses;
    Truth patterns;
    const Truth truth = matcher.Matches(candidate, &clauses, &patterns);
    if (matcher.exhausted()) return exhaust();
    if (truth != Truth::kFalse) determines(candidate.rule, head, clauses);
    denied |= truth == Truth::kTrue;
  }
  const bool denies = !decision->rules_.empty();
  for (size_t i = 0; allows && !denies && i < candidates.size(); ++i) {
    const uint32_t number = candidates[i].rule;
    const RuleHead& head = set.head(number);
    if (head.deny || head.shadow) continue;
    ClauseOutcomes clauses;
    Truth patterns;
    const Truth truth = matcher.Matches(candidates[i], &clauses, &patterns);
    if (matcher.exhausted()) return exhaust();
    if (truth == Truth::kTrue) {
      determines(number, head, clauses);
    } else if (patterns != Truth::kFalse &&
               decision->near_misses_.size() < Decision::kMaxNearMisses) {
      Add(*snapshot, number, clauses, &decision->near_misses_);
    }
  }
  for (size_t i = 0; shadows && i < candidates.size(); ++i) {
    const uint32_t number = candidates[i].rule;
    const RuleHead& head = set.head(number);
    if (!head.shadow) continue;
    ClauseOutcomes clauses;
    Truth patterns;
    Truth truth = matcher.Matches(candidates[i], &clauses, &patterns);
    // What shadow rules need is not held against the decision, nor against each other.
    if (matcher.exhausted()) {
      truth = matcher.MatchesPatterns(set.compiled(number)) ? Truth::kUnknown : Truth::kFalse;
    }
    const bool matches = head.deny ? truth != Truth::kFalse : truth == Truth::kTrue;
    if (matches) Add(*snapshot, number, clauses, &decision->shadow_rules_);
  }
  if (decision->rules_.empty()) return Reason::kNoRule;
  decision->near_misses_.clear();
  const Reason reason = !denies  ? Reason::kAllowRule
                        : denied ? Reason::kDenyRule
                                 : Reason::kDenyUnknown;
  return has_text ? MakeTexts(set, reason, known_obligations, &matcher, decision) : reason;
}

Reason Evaluator::MakeTexts(const CompiledSet& set, Reason reason,
                            const std::vector<std::string>* known_obligations, Matcher* matcher,
                            Decision* decision) {
  const RuleOutcome* speaks = nullptr;
  const TextTemplate* message = nullptr;
  bool obliges = false;
  for (const RuleOutcome& rule : decision->rules_) {
    const RuleTexts* const texts = set.texts(rule.number);
    if (texts == nullptr) continue;
    obliges |= !texts->obligations.empty();
    if (speaks != nullptr || texts->message.empty()) continue;
    speaks = &rule;
    message = &texts->message;
  }
  const bool has_facts = speaks != nullptr && !message->constant();
  if (speaks != nullptr && !has_facts) decision->message_ = message->text;
  if (!obliges && !has_facts) return reason;

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
  if (has_facts) made.message = texts.Message(speaks->number, *message);
  decision->made_ = std::make_shared<const Decision::MadeTexts>(std::move(made));
  return reason;
}

void Evaluator::Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                       absl::Time now, const ConditionLimits& limits,
                       const std::vector<std::string>* known_obligations, PrincipalFacts* principal,
                       Decision* decision) {
  decision->time_ = now;
  decision->snapshot_ = std::move(snapshot);
  if (decision->snapshot_ == nullptr) return;  // Reason::kNoPolicy
  const CompiledSet& set = decision->snapshot_->compiled();
  // Without a schema what is malformed shows where it is looked up.
  if (set.schema() != nullptr) decision->defect_ = DefectUnder(set, request);
  decision->reason_ = decision->defect_.empty()
                          ? Conclude(set, request, limits, known_obligations, principal, decision)
                          : Reason::kBadRequest;
}

}  // namespace reeve
