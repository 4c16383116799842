// The compiled form of a policy set: rules over numbers, found by an index. Internal to engine/.
//
// Compile once, decide often: names become nodes of one EntityGraph, a role becomes a node that its
// members lie in, and each rule is filed under the rarest thing that it cannot match without.
#ifndef REEVE_ENGINE_COMPILED_SET_H_
#define REEVE_ENGINE_COMPILED_SET_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/clause_set.h"
#include "engine/entity_graph.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/rule.h"

namespace reeve {

// A run in a pool of its own kind.
struct Slice {
  uint32_t begin = 0;
  uint32_t count = 0;
};

template <typename T>
absl::Span<const T> At(const std::vector<T>& pool, Slice slice) {
  return absl::MakeConstSpan(pool).subspan(slice.begin, slice.count);
}

// The alternatives of a rule for one of principal, action or resource.
struct Alternatives {
  bool any = false;
  bool authenticated = false;
  bool binds = false;  // One of the patterns binds a name.
  Slice literals;      // Of literal_pool: entity nodes, or action numbers; sorted.
  Slice patterns;      // Of pattern_pool: globs and regular expressions.
  Slice roles;         // Of role_pool: conditional roles, which members.literals do not stand for.
};

struct CompiledRule {
  Alternatives principals;
  Alternatives actions;
  Alternatives resources;
  Slice clauses;   // Of clause_pool: numbers of the clause set, in the order of Rule::when.
  Slice bindings;  // Of binding_pool: the names that clauses and texts read, as they are numbered.
  // Of clause_pool: the facts of the message, then those of the obligations, in their order.
  Slice texts;
};

// A role with members that are not literal, so that it must be asked for each principal.
struct DynamicRole {
  EntityGraph::Node node;
  Alternatives members;
};

// A role that a principal has only if all its clauses are true, or with such a role among its
// members. Those that it names come before it.
struct ConditionalRole {
  Alternatives members;
  Slice clauses;                // Of clause_pool; may be empty.
  std::string name;             // For explanations,
  std::vector<Condition> when;  // and so is this: what the clauses say.
};

// A role as the conditions of its policy see it.
struct VisibleRole {
  std::string name;        // Without that of the policy.
  EntityGraph::Node node;  // kNone for
  uint32_t conditional;    // a conditional one.
};

// Lists of rules under keys numbered from 0. A list's rules ascend.
class RuleLists {
 public:
  void Add(uint32_t key, uint32_t rule) { entries_.push_back({key, rule}); }
  void Close(size_t keys);
  absl::Span<const uint32_t> At(uint32_t key) const {
    return absl::MakeConstSpan(rules_).subspan(first_[key], first_[key + 1] - first_[key]);
  }

 private:
  struct Entry {
    uint32_t key;
    uint32_t rule;
  };
  std::vector<Entry> entries_;  // Until Close().
  std::vector<uint32_t> rules_;
  std::vector<uint32_t> first_;
};

class CompiledSet {
 public:
  static constexpr uint32_t kNoAction = UINT32_MAX;

  struct Role {
    std::string name;
    std::vector<Pattern> members;
    std::vector<Condition> when;
  };

  // InvalidArgument as SnapshotBuilder::Build().
  static absl::StatusOr<std::unique_ptr<const CompiledSet>> Compile(
      std::vector<Rule> rules, const std::vector<Role>& roles, std::vector<Entity> entities,
      absl::flat_hash_set<std::string> declared_types, std::vector<EntityId>* cycle);

  const std::vector<Rule>& rules() const { return rules_; }
  const CompiledRule& compiled(uint32_t rule) const { return compiled_rules_[rule]; }
  const EntityGraph& graph() const { return graph_; }
  size_t entity_count() const { return attributes_.size(); }

  absl::Span<const uint32_t> Literals(const Alternatives& a) const {
    return reeve::At(literal_pool_, a.literals);
  }
  absl::Span<const Pattern* const> Patterns(const Alternatives& a) const {
    return reeve::At(pattern_pool_, a.patterns);
  }

  absl::Span<const uint32_t> Roles(const Alternatives& a) const {
    return reeve::At(role_pool_, a.roles);
  }
  absl::Span<const uint32_t> Clauses(Slice clauses) const {
    return reeve::At(clause_pool_, clauses);
  }
  absl::Span<const std::string_view> Bindings(const CompiledRule& rule) const {
    return reeve::At(binding_pool_, rule.bindings);
  }

  absl::Span<const DynamicRole> dynamic_roles() const { return dynamic_roles_; }
  absl::Span<const ConditionalRole> conditional_roles() const { return conditional_roles_; }
  // The roles of one policy, sorted by name: what `principal.roles` of its conditions is made of.
  // By a number that the clause set gives.
  absl::Span<const VisibleRole> RolesOfPolicy(uint32_t policy) const {
    return roles_by_policy_[policy];
  }
  size_t policies_that_read_roles() const { return roles_by_policy_.size(); }
  const ClauseSet& clauses() const { return clauses_; }
  // What the set knows of an entity; null if nothing, or if `node` is EntityGraph::kNone.
  const Attributes* StoredAttributes(EntityGraph::Node node) const;
  // kNoAction if no rule names it.
  uint32_t FindAction(std::string_view action) const;
  // Whether a request may speak of entities of `type`.
  bool IsDeclared(std::string_view type) const;

  // The index. A rule that can match a request stands in the list of one of the nodes of its
  // resource or of its principal, of a prefix of its resource, of its action, or in unfiled(). It
  // stands under one of the five kinds of keys only.
  absl::Span<const uint32_t> ByResource(EntityGraph::Node node) const {
    return by_resource_.At(node);
  }
  absl::Span<const uint32_t> ByPrincipal(EntityGraph::Node node) const {
    return by_principal_.At(node);
  }
  absl::Span<const uint32_t> ByAction(uint32_t action) const { return by_action_.At(action); }
  absl::Span<const uint32_t> ByPrefix(std::string_view prefix) const;
  absl::Span<const uint32_t> unfiled() const { return unfiled_; }
  // Prefixes end after the type's colon or after a slash; none is longer.
  size_t longest_prefix() const { return longest_prefix_; }
  // All that stand under principals, for one of whom it is not known all that it lies in. The same
  // of resources.
  absl::Span<const uint32_t> filed_by_principal() const { return filed_by_principal_; }
  absl::Span<const uint32_t> filed_by_resource() const { return filed_by_resource_; }

 private:
  class Compiler;

  CompiledSet() = default;

  std::vector<Rule> rules_;  // Sorted by id, so that the order of numbers is that of ids.
  std::vector<CompiledRule> compiled_rules_;
  std::vector<uint32_t> literal_pool_;
  std::vector<const Pattern*> pattern_pool_;  // Into rules_ and role_patterns_.
  std::vector<Pattern> role_patterns_;
  std::vector<DynamicRole> dynamic_roles_;
  std::vector<ConditionalRole> conditional_roles_;
  std::vector<std::vector<VisibleRole>> roles_by_policy_;
  std::vector<uint32_t> role_pool_;
  std::vector<uint32_t> clause_pool_;
  std::vector<std::string_view> binding_pool_;  // Into programs.
  ClauseSet clauses_;

  EntityGraph graph_;
  absl::flat_hash_map<EntityGraph::Node, Attributes> attributes_;
  absl::flat_hash_map<std::string, uint32_t> actions_;
  absl::flat_hash_set<std::string> declared_types_;

  RuleLists by_resource_;
  RuleLists by_principal_;
  RuleLists by_action_;
  absl::flat_hash_map<std::string, uint32_t> prefixes_;
  RuleLists by_prefix_;
  std::vector<uint32_t> unfiled_;
  std::vector<uint32_t> filed_by_principal_;
  std::vector<uint32_t> filed_by_resource_;
  size_t longest_prefix_ = 0;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_COMPILED_SET_H_
