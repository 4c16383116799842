// The compiled form of a policy set: rules over numbers, found by an index. Internal to engine/.
//
// Compile once, decide often: names become nodes of one EntityGraph, a role becomes a node that its
// members lie in, and each rule is filed under the rarest thing that it cannot match without. What
// is read for a candidate that is of the usual shape lies in its RuleHead, within one cache line.
#ifndef REEVE_ENGINE_COMPILED_SET_H_
#define REEVE_ENGINE_COMPILED_SET_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/clause_set.h"
#include "engine/compiled_schema.h"
#include "engine/entity_graph.h"
#include "engine/names.h"
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

// What a decision asks of a rule before anything else, and of most rules nothing else.
struct RuleHead {
  // How the alternatives for one of principal, action or resource look.
  enum class Part : uint8_t {
    kAny,
    kAuthenticated,
    kOne,      // One literal.
    kIndexed,  // A glob that says no more than the list says in which the index has the rule.
    kMore,     // Ask Alternatives.
  };

  uint32_t principal = 0;  // Of kOne: the node,
  uint32_t action = 0;     // the action's number,
  uint32_t resource = 0;   // the node.
  Part principals = Part::kMore;
  Part actions = Part::kMore;
  Part resources = Part::kMore;
  bool deny = false;
  bool shadow = false;
  bool binds = false;     // Has bindings that clauses or texts read.
  bool has_text = false;  // Has obligations, or a message with facts.
  AuditLevel audit = AuditLevel::kOff;
  Slice clauses;
};
static_assert(sizeof(RuleHead) <= 32, "two rules take more than a cache line");

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

// Lists of rules under keys numbered from 0. A list's rules ascend. One that is long has an index
// of its own, by literals of another kind, so that two long lists are intersected and not read.
class RuleLists {
 public:
  // Of a rule the literals one of which it cannot match without, or nothing.
  using Others = absl::FunctionRef<absl::Span<const uint32_t>(uint32_t rule)>;

  void Add(uint32_t key, uint32_t rule) { entries_.push_back({key, rule}); }
  void Close(size_t keys, Others others);
  absl::Span<const uint32_t> At(uint32_t key) const {
    const Slice& list = lists_[key];
    return {list.count == 1 ? &list.begin : rules_.data() + list.begin, list.count};
  }
  // Calls visit(rules) of lists in which all those of At(key) are that can match without another
  // literal than `literals`. A rule may stand in several of them.
  template <typename Visit>
  void ForEachWith(uint32_t key, absl::Span<const uint32_t> literals, Visit visit) const {
    const absl::Span<const uint32_t> all = At(key);
    if (all.size() <= kLong || literals.size() > all.size() / kLong) return visit(all);
    const auto at = long_.find(key);
    if (at == long_.end()) return visit(all);
    const LongList& list = at->second;
    visit(absl::MakeConstSpan(rules_).subspan(list.without.begin, list.without.count));
    const auto first = others_.begin() + list.with.begin;
    for (const uint32_t literal : literals) {
      const auto [begin, end] = std::equal_range(first, first + list.with.count, literal);
      visit(absl::MakeConstSpan(rules_of_others_).subspan(begin - others_.begin(), end - begin));
    }
  }

 private:
  struct Entry {
    uint32_t key;
    uint32_t rule;
  };
  std::vector<Entry> entries_;  // Until Close().
  std::vector<uint32_t> rules_;
  std::vector<Slice> lists_;  // Of rules_; of a single rule its number stands for `begin`.

  static constexpr size_t kLong = 12;
  struct LongList {
    Slice with;     // Of others_, sorted, and rules_of_others_: each rule once for each literal.
    Slice without;  // Of rules_: the rules of which there are none.
  };
  absl::flat_hash_map<uint32_t, LongList> long_;  // By key; those with others.
  std::vector<uint32_t> others_;
  std::vector<uint32_t> rules_of_others_;
};

// What globs of resources cannot match without, segment by segment: a tree, of which each node
// stands for a type and some whole segments of an id, `doc:/finance/`.
class PrefixTree {
 public:
  static constexpr uint32_t kNone = Names::kNone;

  // The node of `prefix`, the literal beginning of an id up to its last slash, or nothing.
  uint32_t Add(uint32_t type, std::string_view prefix);
  size_t size() const { return size_; }

  // Calls visit(node) of each node whose prefix `id` has, from the type on.
  template <typename Visit>
  void ForEachPrefixOf(uint32_t type, std::string_view id, Visit visit) const {
    if (type >= roots_.size()) return;  // As Names::kNone is.
    for (uint32_t node = roots_[type]; node != kNone;) {
      visit(node);
      const size_t slash = id.find('/');
      if (slash == std::string_view::npos) return;
      const uint32_t segment = segments_.Find(node, id.substr(0, slash));
      node = segment == kNone ? kNone : nodes_[segment];
      id.remove_prefix(slash + 1);
    }
  }

 private:
  std::vector<uint32_t> roots_;  // By type.
  Names segments_;               // Scope: the node above.
  std::vector<uint32_t> nodes_;  // By segment.
  uint32_t size_ = 0;
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
      std::unique_ptr<const CompiledSchema> schema, std::vector<EntityId>* cycle);

  const std::vector<Rule>& rules() const { return rules_; }
  const CompiledRule& compiled(uint32_t rule) const { return compiled_rules_[rule]; }
  const RuleHead& head(uint32_t rule) const { return heads_[rule]; }
  // Of no other set of this process, and not 0.
  uint64_t number() const { return number_; }
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
  // kNoAction if no rule names it. One that is found is well formed.
  uint32_t FindAction(std::string_view action) const { return actions_.Find(0, action); }
  // What requests are held to; null if nothing.
  const CompiledSchema* schema() const { return schema_.get(); }

  // The index. A rule that can match a request stands in the list of one of the nodes of its
  // resource or of its principal, of a prefix of its resource, of its action, or in unfiled(). It
  // stands under one of the five kinds of keys only.
  // Nodes are given by their marks.
  // Those by resources and by prefixes know what principals their rules name, those by principals
  // what resources.
  const RuleLists& by_resource() const { return by_resource_; }
  const RuleLists& by_principal() const { return by_principal_; }
  const RuleLists& by_prefix() const { return by_prefix_; }
  absl::Span<const uint32_t> ByAction(uint32_t action) const { return by_action_.At(action); }
  const PrefixTree& prefixes() const { return prefixes_; }
  absl::Span<const uint32_t> unfiled() const { return unfiled_; }
  // All that stand under principals, for one of whom it is not known all that it lies in. The same
  // of resources.
  absl::Span<const uint32_t> filed_by_principal() const { return filed_by_principal_; }
  absl::Span<const uint32_t> filed_by_resource() const { return filed_by_resource_; }

 private:
  class Compiler;

  CompiledSet() = default;

  std::vector<Rule> rules_;  // Sorted by id, so that the order of numbers is that of ids.
  std::vector<CompiledRule> compiled_rules_;
  std::vector<RuleHead> heads_;
  uint64_t number_ = 0;
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
  Names actions_;  // In scope 0.
  std::unique_ptr<const CompiledSchema> schema_;

  RuleLists by_resource_;
  RuleLists by_principal_;
  RuleLists by_action_;
  PrefixTree prefixes_;
  RuleLists by_prefix_;
  std::vector<uint32_t> unfiled_;
  std::vector<uint32_t> filed_by_principal_;
  std::vector<uint32_t> filed_by_resource_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_COMPILED_SET_H_
