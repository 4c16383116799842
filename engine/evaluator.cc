#include "engine/evaluator.h"

#include <algorithm>
#include <utility>

namespace reeve {
namespace {

bool Contains(absl::Span<const uint32_t> sorted, uint32_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

// Both sorted. Looks the elements of the shorter one up in the longer.
bool Intersect(absl::Span<const uint32_t> a, absl::Span<const uint32_t> b) {
  if (a.size() > b.size()) std::swap(a, b);
  return std::any_of(a.begin(), a.end(), [b](uint32_t value) { return Contains(b, value); });
}

void SortAndUnite(std::vector<uint32_t>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

void SetText(EntityView entity, std::string* text) {
  text->assign(entity.type).append(1, ':').append(entity.id);
}

}  // namespace

void Facts::AddNode(EntityView entity, Nodes* nodes) {
  SetText(entity, &text_);
  const EntityGraph::Node node = set_->graph().Find(text_);
  // Without a node no rule and no entity speaks of it.
  if (node != EntityGraph::kNone) nodes->push_back(node);
}

bool Facts::AddAncestors(Nodes* nodes) const {
  // First each node once, so that a request that repeats one does not repeat its ancestors.
  SortAndUnite(nodes);
  const size_t direct = nodes->size();
  size_t total = direct;
  for (const EntityGraph::Node node : *nodes) total += set_->graph().Ancestors(node).size();
  if (total > kMaxAncestors) return false;
  for (size_t i = 0; i < direct; ++i) {
    const auto ancestors = set_->graph().Ancestors((*nodes)[i]);
    nodes->insert(nodes->end(), ancestors.begin(), ancestors.end());
  }
  if (nodes->size() > direct) SortAndUnite(nodes);
  return true;
}

bool Facts::Gather(const CompiledSet& set, const Request& request) {
  set_ = &set;
  request_ = &request;
  const Principal& principal = *request.principal;
  SetText(principal.id, &principal_text_);
  SetText(request.resource, &resource_text_);
  action_ = set.FindAction(request.action);

  principal_nodes_.clear();
  AddNode(principal.id, &principal_nodes_);
  for (const std::string& group : principal.groups) AddNode({"group", group}, &principal_nodes_);
  for (const EntityId& parent : principal.parents) AddNode(parent, &principal_nodes_);
  if (!AddAncestors(&principal_nodes_)) return false;
  size_t roles = 0;
  for (const DynamicRole& role : set.dynamic_roles()) {
    if (!MatchesAny(role.members, principal_nodes_, principal_text_)) continue;
    principal_nodes_.push_back(role.node);
    ++roles;
  }
  if (roles > 0) SortAndUnite(&principal_nodes_);

  resource_nodes_.clear();
  AddNode(request.resource, &resource_nodes_);
  for (const EntityId& parent : request.resource_parents) AddNode(parent, &resource_nodes_);
  return AddAncestors(&resource_nodes_);
}

bool Facts::MatchesAny(const Alternatives& alternatives, const Nodes& nodes,
                       std::string_view text) const {
  if (alternatives.any) return true;
  if (alternatives.authenticated && !request_->principal->anonymous()) return true;
  if (Intersect(set_->Literals(alternatives), nodes)) return true;
  for (const Pattern* pattern : set_->Patterns(alternatives)) {
    const bool matches = pattern->kind() == Pattern::Kind::kGlob ? pattern->glob().Matches(text)
                                                                 : pattern->RegexMatches(text);
    if (matches) return true;
  }
  return false;
}

Truth Facts::MatchesPrincipal(const CompiledRule& rule) const {
  if (MatchesAny(rule.principals, principal_nodes_, principal_text_)) return Truth::kTrue;
  if (request_->principal->groups_complete) return Truth::kFalse;
  const auto literals = set_->Literals(rule.principals);
  const bool possible = std::any_of(literals.begin(), literals.end(), [this](uint32_t node) {
    return set_->graph().ThroughGroup(node);
  });
  return possible ? Truth::kUnknown : Truth::kFalse;
}

Truth Facts::MatchesAction(const CompiledRule& rule) const {
  const Alternatives& actions = rule.actions;
  if (actions.any) return Truth::kTrue;
  if (action_ != CompiledSet::kNoAction && Contains(set_->Literals(actions), action_)) {
    return Truth::kTrue;
  }
  for (const Pattern* pattern : set_->Patterns(actions)) {
    if (pattern->glob().Matches(request_->action)) return Truth::kTrue;
  }
  return Truth::kFalse;
}

Truth Facts::MatchesResource(const CompiledRule& rule) const {
  return MatchesAny(rule.resources, resource_nodes_, resource_text_) ? Truth::kTrue : Truth::kFalse;
}

Truth Facts::Matches(const CompiledRule& rule) const {
  if (MatchesAction(rule) == Truth::kFalse) return Truth::kFalse;
  if (MatchesResource(rule) == Truth::kFalse) return Truth::kFalse;
  return MatchesPrincipal(rule);
}

void Facts::FindCandidates(std::vector<uint32_t>* candidates) const {
  const auto add = [candidates](absl::Span<const uint32_t> rules) {
    candidates->insert(candidates->end(), rules.begin(), rules.end());
  };
  for (const EntityGraph::Node node : resource_nodes_) add(set_->ByResource(node));
  const size_t longest = std::min(resource_text_.size(), set_->longest_prefix());
  for (size_t i = request_->resource.type.size(); i < longest; ++i) {
    const bool ends_here = i == request_->resource.type.size() || resource_text_[i] == '/';
    if (ends_here) add(set_->ByPrefix(std::string_view(resource_text_).substr(0, i + 1)));
  }
  if (action_ != CompiledSet::kNoAction) add(set_->ByAction(action_));
  add(set_->unfiled());
  if (request_->principal->groups_complete) {
    for (const EntityGraph::Node node : principal_nodes_) add(set_->ByPrincipal(node));
  } else {
    add(set_->filed_by_principal());
  }
}

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

Reason Evaluator::Conclude(const CompiledSet& set, const Request& request, Decision* decision) {
  // The memory of one decision, which the next one on this thread takes over.
  struct Scratch {
    Facts facts;
    std::vector<uint32_t> candidates;
  };
  static thread_local Scratch scratch;

  if (!scratch.facts.Gather(set, request)) {
    decision->defect_ = "the principal or the resource lies in too many entities";
    return Reason::kLimit;
  }
  scratch.candidates.clear();
  scratch.facts.FindCandidates(&scratch.candidates);
  SortAndUnite(&scratch.candidates);

  Decision::RuleList allows;
  Decision::RuleList missed_allows;
  bool denied = false;
  for (const uint32_t number : scratch.candidates) {
    const Truth truth = scratch.facts.Matches(set.compiled(number));
    if (truth == Truth::kFalse) continue;
    const Rule& rule = set.rules()[number];
    const RuleOutcome outcome = {&rule, ClauseOutcomes()};
    const bool denies = rule.effect == Effect::kDeny;  // also when it is unknown whether it matches
    if (rule.shadow) {
      if (denies || truth == Truth::kTrue) decision->shadow_rules_.push_back(outcome);
    } else if (denies) {
      decision->rules_.push_back(outcome);
      denied |= truth == Truth::kTrue;
    } else if (truth == Truth::kTrue) {
      allows.push_back(outcome);
    } else {
      missed_allows.push_back(outcome);
    }
  }
  if (!decision->rules_.empty()) return denied ? Reason::kDenyRule : Reason::kDenyUnknown;
  if (!allows.empty()) {
    decision->rules_ = std::move(allows);
    return Reason::kAllowRule;
  }
  decision->near_misses_ = std::move(missed_allows);
  return Reason::kNoRule;
}

Decision Evaluator::Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                           absl::Time now) {
  Decision decision;
  decision.time_ = now;
  decision.snapshot_ = std::move(snapshot);
  if (decision.snapshot_ == nullptr) return decision;  // Reason::kNoPolicy
  const CompiledSet& set = decision.snapshot_->compiled();
  decision.defect_ = DefectUnder(set, request);
  decision.reason_ =
      decision.defect_.empty() ? Conclude(set, request, &decision) : Reason::kBadRequest;
  return decision;
}

}  // namespace reeve
