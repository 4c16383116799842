#include "engine/facts.h"

#include <algorithm>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/types/span.h"
#include "engine/set_words.h"

namespace reeve {
namespace {

bool Contains(absl::Span<const uint32_t> sorted, uint32_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

// The same of what is mostly short.
inline bool Has(absl::Span<const uint32_t> sorted, uint32_t value) {
  constexpr size_t kFew = 8;
  if (sorted.size() > kFew) return Contains(sorted, value);
  for (const uint32_t one : sorted) {
    if (one == value) return true;
  }
  return false;
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

// Adds an entity to what is gathered: its node goes to *node, or kNone. Returns false if its name
// is malformed: what the set knows is not.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool AddEntity(const EntityGraph& graph, uint32_t type,
                                                   EntityView entity, Ancestry* ancestry,
                                                   EntityGraph::Node* node) {
  *node = EntityGraph::kNone;
  if (type == Names::kNone) return DefectOf(entity).empty();
  *node = graph.Find(type, entity.id);
  // Without a node no rule and no entity speaks of it.
  if (*node == EntityGraph::kNone) return DefectOfId(entity.id).empty();
  ancestry->Add(*node);
  return true;
}

bool AddEntity(const EntityGraph& graph, EntityView entity, Ancestry* ancestry) {
  EntityGraph::Node node;
  return AddEntity(graph, graph.FindType(entity.type), entity, ancestry, &node);
}

// Returns whether there are no other parents.
bool AddProvided(const EntityGraph& graph, const ProvidedEntity* provided, Ancestry* ancestry) {
  if (provided == nullptr) return true;
  for (const EntityId& parent : provided->parents) (void)AddEntity(graph, parent, ancestry);
  return provided->complete;
}

bool AreSound(const Attributes* attributes) {
  return attributes == nullptr || attributes->empty() || DefectOf(*attributes).empty();
}

bool MatchesOne(const CompiledSet& set, const Alternatives& alternatives, Facts::Which which,
                bool authenticated, const Ancestry& ancestry, const EntityText& text) {
  if (alternatives.any) return true;
  if (alternatives.authenticated && authenticated) return true;
  if (Intersect(set.Literals(alternatives), ancestry.marked())) return true;
  for (const uint32_t number : set.Patterns(alternatives)) {
    const bool is_asked = which == Facts::kAllPatterns || !set.patterns().Binds(number);
    if (is_asked && set.patterns().Matches(number, text.Get())) return true;
  }
  return false;
}

}  // namespace

void EntityText::Make() const {
  text_.assign(entity_.type).append(1, ':').append(entity_.id);
  made_ = true;
}

Gathered PrincipalFacts::Gather(const CompiledSet& set, const Principal& principal,
                                const ProvidedEntity* provided) {
  gathered_ = GatherAnew(set, principal, provided);
  set_number_ = set.number();
  return gathered_;
}

Gathered PrincipalFacts::GatherAnew(const CompiledSet& set, const Principal& principal,
                                    const ProvidedEntity* provided) {
  const EntityGraph& graph = set.graph();
  if (principal.groups.size() > kMaxGroups || principal.parents.size() > kMaxParents) {
    return Gathered::kMalformed;
  }
  text_.Begin(principal.id);
  anonymous_ = principal.anonymous();
  ancestry_.Begin(graph);
  bool sound =
      AddEntity(graph, graph.FindType(principal.id.type), principal.id, &ancestry_, &node_);
  EntityGraph::Node node;
  for (const std::string& group : principal.groups) {
    sound &= AddEntity(graph, graph.group_type(), {"group", group}, &ancestry_, &node);
  }
  for (const EntityId& parent : principal.parents) sound &= AddEntity(graph, parent, &ancestry_);
  if (!sound || !AreSound(&principal.attributes)) return Gathered::kMalformed;
  complete_ = AddProvided(graph, provided, &ancestry_);
  if (!ancestry_.Close(Facts::kMaxAncestors)) return Gathered::kTooMany;
  if (set.dynamic_roles().empty()) return Gathered::kSound;
  size_t roles = 0;
  for (const DynamicRole& role : set.dynamic_roles()) {
    if (!MatchesOne(set, role.members, Facts::kAllPatterns, !anonymous_, ancestry_, text_)) {
      continue;
    }
    ancestry_.Add(role.node);
    ++roles;
  }
  return roles == 0 || ancestry_.Close(Facts::kMaxAncestors) ? Gathered::kSound
                                                             : Gathered::kTooMany;
}

Gathered Facts::Gather(const CompiledSet& set, const Request& request, PrincipalFacts* kept) {
  set_ = &set;
  request_ = &request;
  const EntityGraph& graph = set.graph();
  // Fetched while the principal is looked for.
  resource_type_ = graph.FindType(request.resource.type);
  if (resource_type_ != Names::kNone) graph.Prefetch(resource_type_, request.resource.id);
  if (!request.defect.empty() || request.resource_parents.size() > kMaxParents) {
    return Gathered::kMalformed;
  }
  Gathered gathered;
  if (kept == nullptr || request.provided_principal != nullptr) {
    principal_ = &own_principal_;
    gathered = own_principal_.Gather(set, *request.principal, request.provided_principal);
  } else {
    principal_ = kept;
    gathered = kept->GatherAgain(set, *request.principal);
  }
  if (gathered == Gathered::kMalformed) return gathered;

  action_ = set.FindAction(request.action);
  bool sound = action_ != CompiledSet::kNoAction || DefectOfAction(request.action).empty();
  resource_text_.Begin(request.resource);
  resource_.Begin(graph);
  sound &= AddEntity(graph, resource_type_, request.resource, &resource_, &resource_node_);
  for (const EntityId& parent : request.resource_parents) {
    sound &= AddEntity(graph, parent, &resource_);
  }
  if (!sound || !AreSound(request.resource_attributes) || !AreSound(request.context)) {
    return Gathered::kMalformed;
  }
  resource_complete_ = AddProvided(graph, request.provided_resource, &resource_);
  prefixes_.clear();
  folder_ = PrefixTree::kNone;
  set.prefixes().ForEachPrefixOf(resource_type_, request.resource.id,
                                 [this](uint32_t node, bool is_folder) {
                                   prefixes_.push_back(node);
                                   if (is_folder) folder_ = node;
                                 });
  return gathered == Gathered::kSound && resource_.Close(kMaxAncestors) ? Gathered::kSound
                                                                        : Gathered::kTooMany;
}

bool Facts::MatchesAny(const Alternatives& alternatives, Which which, const Ancestry& ancestry,
                       const EntityText& text) const {
  return MatchesOne(*set_, alternatives, which, !principal_->anonymous_, ancestry, text);
}

Truth Facts::MatchesPrincipal(const Alternatives& alternatives, Which which) const {
  if (MatchesAny(alternatives, which, principal_->ancestry_, principal_->text_))
    return Truth::kTrue;
  return PrincipalMayLieInOne(set_->Literals(alternatives));
}

Truth Facts::PrincipalMayLieInOne(absl::Span<const uint32_t> nodes) const {
  if (principal_->complete_ && request_->principal->groups_complete) return Truth::kFalse;
  const bool possible = std::any_of(nodes.begin(), nodes.end(),
                                    [this](uint32_t node) { return PrincipalMayLieIn(node); });
  return possible ? Truth::kUnknown : Truth::kFalse;
}

Truth Facts::MatchesAction(const CompiledRule& rule) const {
  const Alternatives& actions = rule.actions;
  if (actions.any) return Truth::kTrue;
  if (action_ != CompiledSet::kNoAction && Contains(set_->Literals(actions), action_)) {
    return Truth::kTrue;
  }
  for (const uint32_t number : set_->Patterns(actions)) {
    if (set_->patterns().Matches(number, request_->action)) return Truth::kTrue;
  }
  return Truth::kFalse;
}

inline bool Facts::ActionIsOf(const RuleHead& head) const {
  using Part = RuleHead::Part;
  if (head.actions == Part::kOne) return head.action == action_;
  return head.actions != Part::kSome || Has(set_->SomeAt(head.action), action_);
}

inline Truth Facts::ResourceIsOf(const RuleHead& head) const {
  using Part = RuleHead::Part;
  const Truth other = resource_complete_ ? Truth::kFalse : Truth::kUnknown;
  switch (head.resources) {
    case Part::kOne:
      return Has(resource_.marked(), head.resource) ? Truth::kTrue : other;
    case Part::kSome:
      return Intersect(set_->SomeAt(head.resource), resource_.marked()) ? Truth::kTrue : other;
    case Part::kIndexed:
    case Part::kTree:
      return Has(prefixes_, head.resource) ? Truth::kTrue : Truth::kFalse;
    case Part::kFolder:
      return head.resource == folder_ ? Truth::kTrue : Truth::kFalse;
    default:
      return Truth::kTrue;
  }
}

inline Truth Facts::PrincipalIsOf(const RuleHead& head) const {
  using Part = RuleHead::Part;
  const absl::Span<const uint32_t> marked = principal_->ancestry_.marked();
  switch (head.principals) {
    case Part::kAuthenticated:
      return principal_->anonymous_ ? Truth::kFalse : Truth::kTrue;
    case Part::kOne:
      if (Has(marked, head.principal)) return Truth::kTrue;
      return PrincipalMayLieIn(head.principal) ? Truth::kUnknown : Truth::kFalse;
    case Part::kSome: {
      const absl::Span<const uint32_t> some = set_->SomeAt(head.principal);
      return Intersect(some, marked) ? Truth::kTrue : PrincipalMayLieInOne(some);
    }
    default:
      return Truth::kTrue;
  }
}

inline Truth Facts::MatchesHead(const RuleHead& head) const {
  using Part = RuleHead::Part;
  if (!ActionIsOf(head)) return Truth::kFalse;
  // The list in the index in which the rule was found says the rest.
  const Truth resource = head.resources == Part::kIndexed ? Truth::kTrue : ResourceIsOf(head);
  return resource == Truth::kFalse ? resource : And(resource, PrincipalIsOf(head));
}

void Facts::FindNear(std::vector<uint32_t>* rules) const {
  for (uint32_t i = 0; i < set_->rule_count(); ++i) {
    const RuleHead& head = set_->head(i);
    const bool action = !ActionIsOf(head);
    const bool resource = ResourceIsOf(head) == Truth::kFalse;
    if (action && resource) continue;
    const bool principal = PrincipalIsOf(head) == Truth::kFalse;
    if (action + resource + principal < 2) rules->push_back(i);
  }
}

Truth Facts::MatchesResource(const Alternatives& alternatives, Which which) const {
  if (MatchesAny(alternatives, which, resource_, resource_text_)) return Truth::kTrue;
  const bool possible = !resource_complete_ && !set_->Literals(alternatives).empty();
  return possible ? Truth::kUnknown : Truth::kFalse;
}

Truth Facts::PrincipalLiesIn(EntityGraph::Node node) const {
  if (principal_->ancestry_.Contains(node)) return Truth::kTrue;
  return PrincipalMayLieIn(node) ? Truth::kUnknown : Truth::kFalse;
}

bool Facts::PrincipalMayLieIn(EntityGraph::Node node) const {
  return (!principal_->complete_ && set_->graph().ThroughEntity(node)) ||
         (!request_->principal->groups_complete && set_->graph().ThroughGroup(node));
}

Truth Facts::ResourceLiesIn(EntityGraph::Node node) const {
  if (resource_.Contains(node)) return Truth::kTrue;
  return resource_complete_ ? Truth::kFalse : Truth::kUnknown;
}

Truth Facts::PrincipalIsNamed(std::string_view name) const {
  const Principal& principal = *request_->principal;
  if (name == principal_text()) return Truth::kTrue;
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
  return principal_->complete_ ? Truth::kFalse : Truth::kUnknown;
}

Truth Facts::ResourceIsNamed(std::string_view name) const {
  const EntityView entity = Split(name);
  if (name == resource_text() || IsAmong(entity, request_->resource_parents) ||
      IsAmong(entity, request_->provided_resource)) {
    return Truth::kTrue;
  }
  return resource_complete_ ? Truth::kFalse : Truth::kUnknown;
}

void Facts::FindCandidates(std::vector<Candidate>* candidates) const {
  candidates->clear();
  const auto add = [this, candidates](absl::Span<const uint32_t> rules) {
    for (const uint32_t rule : rules) {
      const Truth head = MatchesHead(set_->head(rule));
      if (head == Truth::kFalse) continue;
      // Written in place, member by member: a copy would wait for that.
      Candidate& candidate = candidates->emplace_back();
      candidate.rule = rule;
      candidate.head = head;
    }
  };
  const absl::Span<const uint32_t> principals = principal_->ancestry_.marked();
  const absl::Span<const uint32_t> resources = resource_.marked();
  const bool principal_complete = principal_->complete_ && request_->principal->groups_complete;
  const auto add_with_principals = [&](const RuleLists& lists, uint32_t key) {
    if (principal_complete) {
      lists.ForEachWith(key, principals, add);
    } else {
      add(lists.At(key));
    }
  };
  if (resource_complete_) {
    for (const uint32_t mark : resource_.marks()) add_with_principals(set_->by_resource(), mark);
  } else {
    add(set_->filed_by_resource());
  }
  for (const uint32_t prefix : prefixes_) add_with_principals(set_->by_prefix(), prefix);
  if (action_ != CompiledSet::kNoAction) add(set_->ByAction(action_));
  add(set_->unfiled());
  if (principal_complete) {
    for (const uint32_t mark : principal_->ancestry_.marks()) {
      if (resource_complete_) {
        set_->by_principal().ForEachWith(mark, resources, add);
      } else {
        add(set_->by_principal().At(mark));
      }
    }
  } else {
    add(set_->filed_by_principal());
  }
  if (candidates->size() < 2) return;
  std::sort(candidates->begin(), candidates->end(),
            [](const Candidate& a, const Candidate& b) { return a.rule < b.rule; });
  const auto same = [](const Candidate& a, const Candidate& b) { return a.rule == b.rule; };
  candidates->erase(std::unique(candidates->begin(), candidates->end(), same), candidates->end());
}

}  // namespace reeve
