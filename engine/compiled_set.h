// The compiled form of a policy set: rules over numbers, found by an index. Internal to engine/.
//
// Compile once, decide often: names become nodes of one EntityGraph, a role becomes a node that its
// members lie in, and each rule is filed under the rarest thing that it cannot match without. What
// is read for a candidate that is of the usual shape lies in its RuleHead, within one cache line.
#ifndef REEVE_ENGINE_COMPILED_SET_H_
#define REEVE_ENGINE_COMPILED_SET_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/clause_set.h"
#include "engine/compiled_schema.h"
#include "engine/entity_graph.h"
#include "engine/names.h"
#include "engine/pattern_table.h"
#include "engine/rule_index.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/named_texts.h"
#include "reeve/engine/rule.h"
#include "reeve/engine/snapshot_image.h"

namespace reeve {

// The alternatives of a rule for one of principal, action or resource.
struct Alternatives {
  bool any = false;
  bool authenticated = false;
  bool binds = false;  // One of the patterns binds a name.
  // Of the words of the set:
  uint32_t begin = 0;  // Where this is.
  Slice literals;      // Entity nodes, or action numbers; sorted.
  Slice patterns;      // Numbers of globs and regular expressions.
  Slice roles;         // Conditional roles, which members.literals do not stand for.
};

// A rule over numbers, as CompiledSet::compiled() reads it from the words of the set.
struct CompiledRule {
  Alternatives principals;
  Alternatives actions;
  Alternatives resources;
  Slice clauses;   // Numbers of the clause set, in the order of Rule::when.
  Slice bindings;  // The numbers of names that clauses and texts read, as these number them.
  // Numbers of the clause set: the facts of the message, then those of the obligations, in their
  // order.
  Slice facts;
};

// What an answer may say of a rule that determined it.
struct RuleTexts {
  TextTemplate message;
  std::vector<Obligation> obligations;
};

// What a decision asks of a rule before anything else, and of most rules nothing else.
struct RuleHead {
  // How the alternatives for one of principal, action or resource look.
  enum class Part : uint8_t {
    kAny,
    kAuthenticated,
    kOne,      // One literal.
    kSome,     // Several literals: see CompiledSet::SomeAt().
    kTree,     // A glob that is a prefix of whole segments and `**`.
    kIndexed,  // The same, and the list says it in which the index has the rule.
    kFolder,   // Such a prefix and `*`.
    kMore,     // Ask Alternatives.
  };

  uint32_t principal = 0;  // Of kOne: the node,
  uint32_t action = 0;     // the action's number,
  uint32_t resource = 0;   // the node; of a prefix that of the prefix tree.
  Part principals = Part::kMore;
  Part actions = Part::kMore;
  Part resources = Part::kMore;
  bool deny = false;
  bool shadow = false;
  bool binds = false;     // Has bindings that clauses or texts read.
  bool has_text = false;  // Has obligations or a message.
  AuditLevel audit = AuditLevel::kOff;
  uint8_t clause_count = 0;
  uint32_t words = 0;    // Of the words of the set: where the rest of the compiled rule begins.
  uint32_t written = 0;  // Of the bytes of the set: where the rule is written down.

  // Whether there is nothing else to ask but the clauses.
  bool IsWhole() const {
    return principals != Part::kMore && actions != Part::kMore && resources != Part::kMore &&
           !binds;
  }
  // Of the words. The first word of a rule with clauses says where what they say is.
  Slice clauses() const { return {words + 1, clause_count}; }
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
  Slice clauses;                // Of the words; may be empty.
  std::string name;             // For explanations,
  std::vector<Condition> when;  // and so is this: what the clauses say.
};

// A role as the conditions of its policy see it.
struct VisibleRole {
  std::string name;        // Without that of the policy.
  EntityGraph::Node node;  // kNone for
  uint32_t conditional;    // a conditional one.
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

  // What a set consists of but its schema, as bytes (snapshot_image.cc), with `roles`, which are
  // those that it was compiled of, without their clauses and sorted by name.
  void Encode(const std::vector<Role>& roles, std::string* out) const;
  // A set of such bytes, and its roles: of what is left of `image`, of which `in` takes. Errors as
  // DecodeSnapshot().
  static absl::StatusOr<std::unique_ptr<const CompiledSet>> Decode(
      std::string_view image, const ByteReader& in, std::unique_ptr<const CompiledSchema> schema,
      const SnapshotImageLimits& limits, std::vector<Role>* roles);

  // Rules are numbered from 0 in the order of their ids.
  size_t rule_count() const { return heads_.size(); }
  const RuleHead& head(uint32_t rule) const { return heads_[rule]; }
  CompiledRule compiled(uint32_t rule) const;
  // What the rule is called.
  std::string_view id(uint32_t rule) const {
    const char* const at = written_.data() + heads_[rule].written;
    uint32_t size;
    std::memcpy(&size, at, sizeof size);
    return {at + sizeof size, size};
  }
  // What its clauses say, in the order of Rule::when.
  absl::Span<const Condition* const> when(uint32_t rule) const {
    const RuleHead& head = heads_[rule];
    if (head.clause_count == 0) return {};
    return reeve::At(when_, {words_[head.words], head.clause_count});
  }
  // Null if it has neither a message nor obligations.
  const RuleTexts* texts(uint32_t rule) const;
  // The rule as it was given. Makes it anew: for people, not for decisions.
  Rule rule(uint32_t rule) const;

  // Of no other set of this process, and not 0.
  uint64_t number() const { return number_; }
  const EntityGraph& graph() const { return graph_; }
  // What graph().Find() says of `type:id`; of texts that conditions find in the set at once.
  EntityGraph::Node NodeOf(std::string_view text) const {
    const uint32_t node = named_texts_.Find(text);
    return node != NamedTexts::kNone ? node : graph_.Find(text);
  }
  size_t entity_count() const { return attributes_.size(); }

  absl::Span<const uint32_t> Literals(const Alternatives& a) const { return Words(a.literals); }
  absl::Span<const uint32_t> Patterns(const Alternatives& a) const { return Words(a.patterns); }
  absl::Span<const uint32_t> Roles(const Alternatives& a) const { return Words(a.roles); }
  // Of RuleHead::Part::kSome, by what the head says: literals, sorted. In set_words.h.
  inline absl::Span<const uint32_t> SomeAt(uint32_t place) const;
  absl::Span<const uint32_t> Clauses(Slice clauses) const { return Words(clauses); }
  absl::Span<const uint32_t> Bindings(const CompiledRule& rule) const {
    return Words(rule.bindings);
  }
  // By whose numbers.
  const PatternTable& patterns() const { return patterns_; }
  std::string_view binding(uint32_t number) const { return binding_names_[number]; }

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
  const Attributes* StoredAttributes(EntityGraph::Node node) const {
    if (node >= attributes_of_nodes_.size()) return nullptr;  // As kNone is.
    const uint32_t number = attributes_of_nodes_[node];
    return number == kNoAttributes ? nullptr : &attributes_[number];
  }
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
  class Encoder;

  CompiledSet() = default;

  absl::Span<const uint32_t> Words(Slice slice) const { return reeve::At(words_, slice); }
  // Reads patterns as they were given, and goes on behind them.
  std::vector<Pattern> ReadPatterns(bool of_actions, ByteReader* written) const;

  std::vector<RuleHead> heads_;  // By rule.
  // What compiled rules and roles consist of. A rule: if it has clauses, where in when_ they begin
  // and their numbers; its principals, actions and resources; how many bindings and facts it has;
  // if it has texts, their number; the bindings and the facts.
  std::vector<uint32_t> words_;
  // The rules as they were given: the size of the id, it itself, and what the three lists of
  // patterns hold, of which each knows the number of what it names.
  std::string written_;
  std::vector<RuleTexts> texts_;
  std::vector<Condition> conditions_;   // Each once.
  std::vector<const Condition*> when_;  // Of conditions_.
  PatternTable patterns_;
  std::vector<std::string> binding_names_;
  uint64_t number_ = 0;
  std::vector<DynamicRole> dynamic_roles_;
  std::vector<ConditionalRole> conditional_roles_;
  std::vector<std::vector<VisibleRole>> roles_by_policy_;
  ClauseSet clauses_;

  EntityGraph graph_;
  NamedTexts named_texts_;  // Numbers are nodes.
  static constexpr uint32_t kNoAttributes = UINT32_MAX;
  std::vector<Attributes> attributes_;         // Of each entity,
  std::vector<uint32_t> attributes_of_nodes_;  // and where in it, or kNoAttributes, by node.
  Names actions_;                              // In scope 0.
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
