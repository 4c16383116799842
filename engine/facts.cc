#include "engine/facts.h"

#include <algorithm>
#include <utility>

#include "absl/types/span.h"

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

EntityView Split(std::string_view name) {
  const size_t colon = std::min(name.find(':'), name.size());
  return {name.substr(0, colon), name.substr(std::min(colon + 1, name.size()))};
}

void SetText(EntityView entity, std::string* text) {
  text->assign(entity.type).append(1, ':').append(entity.id);
}

}  // namespace

EntityGraph::Node Facts::AddNode(EntityView entity, Nodes* nodes) {
  SetText(entity, &text_);
  const EntityGraph::Node node = set_->graph().Find(text_);
  // Without a node no rule and no entity speaks of it.
  if (node != EntityGraph::kNone) nodes->push_back(node);
  return node;
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
  stored_principal_ = set.StoredAttributes(AddNode(principal.id, &principal_nodes_));
  for (const std::string& group : principal.groups) AddNode({"group", group}, &principal_nodes_);
  for (const EntityId& parent : principal.parents) AddNode(parent, &principal_nodes_);
  if (!AddAncestors(&principal_nodes_)) return false;
  size_t roles = 0;
  for (const DynamicRole& role : set.dynamic_roles()) {
    if (!MatchesAny(role.members, kAllPatterns, principal_nodes_, principal_text_)) continue;
    principal_nodes_.push_back(role.node);
    ++roles;
  }
  if (roles > 0) SortAndUnite(&principal_nodes_);

  resource_nodes_.clear();
  stored_resource_ = set.StoredAttributes(AddNode(request.resource, &resource_nodes_));
  for (const EntityId& parent : request.resource_parents) AddNode(parent, &resource_nodes_);
  return AddAncestors(&resource_nodes_);
}

bool Facts::MatchesAny(const Alternatives& alternatives, Which which, const Nodes& nodes,
                       std::string_view text) const {
  if (alternatives.any) return true;
  if (alternatives.authenticated && !request_->principal->anonymous()) return true;
  if (Intersect(set_->Literals(alternatives), nodes)) return true;
  for (const Pattern* pattern : set_->Patterns(alternatives)) {
    if (pattern->kind() != Pattern::Kind::kGlob) {
      if (pattern->RegexMatches(text)) return true;
    } else if ((which == kAllPatterns || !pattern->glob().binds()) &&
               pattern->glob().Matches(text)) {
      return true;
    }
  }
  return false;
}

Truth Facts::MatchesPrincipal(const Alternatives& alternatives, Which which) const {
  if (MatchesAny(alternatives, which, principal_nodes_, principal_text_)) return Truth::kTrue;
  if (request_->principal->groups_complete) return Truth::kFalse;
  const auto literals = set_->Literals(alternatives);
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

Truth Facts::MatchesResource(const Alternatives& alternatives, Which which) const {
  return MatchesAny(alternatives, which, resource_nodes_, resource_text_) ? Truth::kTrue
                                                                          : Truth::kFalse;
}

Truth Facts::PrincipalIsIn(std::string_view name) const {
  const Principal& principal = *request_->principal;
  const EntityGraph::Node node = set_->graph().Find(name);
  if (node != EntityGraph::kNone) {
    if (Contains(principal_nodes_, node)) return Truth::kTrue;
    return principal.groups_complete || !set_->graph().ThroughGroup(node) ? Truth::kFalse
                                                                          : Truth::kUnknown;
  }
  // The set does not speak of it, so it has no members but those that the request names.
  if (name == principal_text_) return Truth::kTrue;
  const EntityView entity = Split(name);
  if (std::find(principal.parents.begin(), principal.parents.end(), entity) !=
      principal.parents.end()) {
    return Truth::kTrue;
  }
  if (entity.type != "group") return Truth::kFalse;
  const bool member = std::find(principal.groups.begin(), principal.groups.end(), entity.id) !=
                      principal.groups.end();
  if (member) return Truth::kTrue;
  return principal.groups_complete ? Truth::kFalse : Truth::kUnknown;
}

Truth Facts::ResourceIsIn(std::string_view name) const {
  const EntityGraph::Node node = set_->graph().Find(name);
  if (node != EntityGraph::kNone) {
    return Contains(resource_nodes_, node) ? Truth::kTrue : Truth::kFalse;
  }
  const bool named = name == resource_text_ ||
                     std::find(request_->resource_parents.begin(), request_->resource_parents.end(),
                               Split(name)) != request_->resource_parents.end();
  return named ? Truth::kTrue : Truth::kFalse;
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

}  // namespace reeve
