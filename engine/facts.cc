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

EntityView Split(std::string_view name) {
  const size_t colon = std::min(name.find(':'), name.size());
  return {name.substr(0, colon), name.substr(std::min(colon + 1, name.size()))};
}

bool IsAmong(EntityView entity, absl::Span<const EntityId> entities) {
  return std::find(entities.begin(), entities.end(), entity) != entities.end();
}

bool IsAmong(EntityView entity, const ProvidedEntity* provided) {
  return provided != nullptr && IsAmong(entity, provided->parents);
}

void SetText(EntityView entity, std::string* text) {
  text->assign(entity.type).append(1, ':').append(entity.id);
}

}  // namespace

EntityGraph::Node Facts::AddNode(EntityView entity, Ancestry* ancestry) {
  SetText(entity, &text_);
  const EntityGraph::Node node = set_->graph().Find(text_);
  // Without a node no rule and no entity speaks of it.
  if (node != EntityGraph::kNone) ancestry->Add(node);
  return node;
}

bool Facts::Gather(const CompiledSet& set, const Request& request) {
  set_ = &set;
  request_ = &request;
  const Principal& principal = *request.principal;
  SetText(principal.id, &principal_text_);
  SetText(request.resource, &resource_text_);
  action_ = set.FindAction(request.action);

  principal_.Begin(set.graph());
  stored_principal_ = set.StoredAttributes(AddNode(principal.id, &principal_));
  for (const std::string& group : principal.groups) AddNode({"group", group}, &principal_);
  for (const EntityId& parent : principal.parents) AddNode(parent, &principal_);
  principal_complete_ = AddProvided(request.provided_principal, &principal_);
  if (!principal_.Close(kMaxAncestors)) return false;
  size_t roles = 0;
  for (const DynamicRole& role : set.dynamic_roles()) {
    if (!MatchesAny(role.members, kAllPatterns, principal_, principal_text_)) continue;
    principal_.Add(role.node);
    ++roles;
  }
  if (roles > 0 && !principal_.Close(kMaxAncestors)) return false;

  resource_.Begin(set.graph());
  stored_resource_ = set.StoredAttributes(AddNode(request.resource, &resource_));
  for (const EntityId& parent : request.resource_parents) AddNode(parent, &resource_);
  resource_complete_ = AddProvided(request.provided_resource, &resource_);
  return resource_.Close(kMaxAncestors);
}

bool Facts::AddProvided(const ProvidedEntity* provided, Ancestry* ancestry) {
  if (provided == nullptr) return true;
  for (const EntityId& parent : provided->parents) AddNode(parent, ancestry);
  return provided->complete;
}

bool Facts::MatchesAny(const Alternatives& alternatives, Which which, const Ancestry& ancestry,
                       std::string_view text) const {
  if (alternatives.any) return true;
  if (alternatives.authenticated && !request_->principal->anonymous()) return true;
  if (Intersect(set_->Literals(alternatives), ancestry.marked())) return true;
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
  if (MatchesAny(alternatives, which, principal_, principal_text_)) return Truth::kTrue;
  const auto literals = set_->Literals(alternatives);
  if (principal_complete_ && request_->principal->groups_complete) return Truth::kFalse;
  const bool possible = std::any_of(literals.begin(), literals.end(),
                                    [this](uint32_t node) { return PrincipalMayLieIn(node); });
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
  if (MatchesAny(alternatives, which, resource_, resource_text_)) return Truth::kTrue;
  const bool possible = !resource_complete_ && !set_->Literals(alternatives).empty();
  return possible ? Truth::kUnknown : Truth::kFalse;
}

Truth Facts::PrincipalLiesIn(EntityGraph::Node node) const {
  if (principal_.Contains(node)) return Truth::kTrue;
  return PrincipalMayLieIn(node) ? Truth::kUnknown : Truth::kFalse;
}

bool Facts::PrincipalMayLieIn(EntityGraph::Node node) const {
  return (!principal_complete_ && set_->graph().ThroughEntity(node)) ||
         (!request_->principal->groups_complete && set_->graph().ThroughGroup(node));
}

Truth Facts::PrincipalIsIn(std::string_view name) const {
  const Principal& principal = *request_->principal;
  const EntityGraph::Node node = set_->graph().Find(name);
  if (node != EntityGraph::kNone) return PrincipalLiesIn(node);
  // The set does not speak of it, so it has no members but those that the request names.
  if (name == principal_text_) return Truth::kTrue;
  const EntityView entity = Split(name);
  if (IsAmong(entity, principal.parents) || IsAmong(entity, request_->provided_principal)) {
    return Truth::kTrue;
  }
  if (entity.type == "group") {
    const bool member = std::find(principal.groups.begin(), principal.groups.end(), entity.id) !=
                        principal.groups.end();
    if (member) return Truth::kTrue;
    if (!principal.groups_complete) return Truth::kUnknown;
  }
  return principal_complete_ ? Truth::kFalse : Truth::kUnknown;
}

Truth Facts::ResourceIsIn(std::string_view name) const {
  const EntityGraph::Node node = set_->graph().Find(name);
  const bool found = node != EntityGraph::kNone
                         ? resource_.Contains(node)
                         : name == resource_text_ ||
                               IsAmong(Split(name), request_->resource_parents) ||
                               IsAmong(Split(name), request_->provided_resource);
  if (found) return Truth::kTrue;
  return resource_complete_ ? Truth::kFalse : Truth::kUnknown;
}

void Facts::FindCandidates(std::vector<uint32_t>* candidates) const {
  const auto add = [candidates](absl::Span<const uint32_t> rules) {
    candidates->insert(candidates->end(), rules.begin(), rules.end());
  };
  if (resource_complete_) {
    for (const EntityGraph::Node node : resource_.marked()) add(set_->ByResource(node));
  } else {
    add(set_->filed_by_resource());
  }
  const size_t longest = std::min(resource_text_.size(), set_->longest_prefix());
  for (size_t i = request_->resource.type.size(); i < longest; ++i) {
    const bool ends_here = i == request_->resource.type.size() || resource_text_[i] == '/';
    if (ends_here) add(set_->ByPrefix(std::string_view(resource_text_).substr(0, i + 1)));
  }
  if (action_ != CompiledSet::kNoAction) add(set_->ByAction(action_));
  add(set_->unfiled());
  if (request_->principal->groups_complete && principal_complete_) {
    for (const EntityGraph::Node node : principal_.marked()) add(set_->ByPrincipal(node));
  } else {
    add(set_->filed_by_principal());
  }
}

}  // namespace reeve
