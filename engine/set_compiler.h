// Makes a CompiledSet of rules, roles and entities. Internal to engine/.
#ifndef REEVE_ENGINE_SET_COMPILER_H_
#define REEVE_ENGINE_SET_COMPILER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/compiled_set.h"
#include "reeve/engine/snapshot_image.h"

namespace reeve {

// Compiles in three steps: names to nodes, rules to numbers, rules into the index.
class CompiledSet::Compiler {
 public:
  // With nothing in it but what requests are held to, which may be null.
  static std::unique_ptr<CompiledSet> NewSet(std::unique_ptr<const CompiledSchema> schema);

  explicit Compiler(CompiledSet* set) : set_(*set) {}

  // In this order. InvalidArgument as SnapshotBuilder::Build().
  absl::Status AddEntities(std::vector<Entity> entities);
  absl::Status AddRoles(const std::vector<Role>& roles);
  absl::Status AddRules(std::vector<Rule> rules);
  absl::Status Close(std::vector<EntityId>* cycle);

  // Instead of the first three: what CompiledSet::Encode() wrote. Errors as DecodeSnapshot().
  absl::Status Decode(const SnapshotImageLimits& limits, std::string_view image,
                      const ByteReader& in, std::vector<Role>* roles);

 private:
  // The patterns of one list by their numbers.
  struct Listed {
    bool any = false;
    bool authenticated = false;
    bool binds = false;
    std::vector<uint32_t> literals;  // Sorted, each once.
    std::vector<uint32_t> patterns;
    std::vector<uint32_t> roles;
  };

  struct NumberedRule {
    RuleHead head;
    Listed principals;
    Listed actions;
    Listed resources;
    std::vector<uint32_t> clauses;     // Numbers of the clause set, and for each
    std::vector<uint32_t> conditions;  // which of set_.conditions_ it is.
    std::vector<uint32_t> bindings;
    std::vector<uint32_t> facts;  // Numbers of the clause set.
  };

  // A node, or the number of a conditional role.
  struct NamedRole {
    EntityGraph::Node node = EntityGraph::kNone;
    uint32_t conditional = 0;
  };

  // Returns false if those of the node are kept already.
  bool KeepAttributes(EntityGraph::Node node, Attributes attributes);
  // Those that a role names before it. Depth first with its own stack, as the depth is the user's.
  static absl::Status SortRoles(const std::vector<Role>& roles, std::vector<uint32_t>* order);
  // The roles among its members were added before.
  absl::Status AddRole(const Role& role);

  // Takes what it keeps out of `rule`.
  absl::Status AddRule(Rule& rule);
  // Writes down what it is called. Its lists are to follow, then EndRule().
  absl::Status BeginRule(std::string_view id, RuleHead* head);
  // Adds it, with what of its head follows from the rest. Takes the texts, if there are any.
  void EndRule(const NumberedRule& rule, RuleTexts* texts);
  void CloseRules();

  // Numbers the clauses of the rule or role that `what` names.
  absl::Status NumberClauses(const std::string& what, const std::vector<Condition>& when,
                             const std::vector<std::string_view>& bindings, uint32_t policy,
                             std::vector<uint32_t>* numbers);
  // The facts that the texts of `rule` hold.
  static std::vector<const Condition*> FactsOf(const Rule& rule);
  // The names that the patterns of `rule` bind and its clauses and texts read.
  static std::vector<std::string> BindingsOf(const Rule& rule);
  static bool IsBound(std::string_view name, const std::vector<Pattern>& patterns);
  // The number of the policy of a rule, for conditions of it that read `principal.roles`.
  uint32_t PolicyOf(const Rule& rule);
  uint32_t PolicyThatReadsRoles(std::string_view rule_id);
  // `documents` of `documents/editors-edit`; empty if it says none.
  static std::string_view PolicyOfName(std::string_view name);

  absl::Status CheckRule(const std::string& what, const Rule& rule) const;
  absl::Status CheckName(EntityView entity);
  // Whether the type that a pattern of entities says is one of the schema.
  absl::Status CheckDeclared(const std::string& what, const Pattern& pattern) const;

  // Lists `patterns`, and writes them down, unless `written` is null.
  absl::Status ListEntities(const std::string& what, const std::vector<Pattern>& patterns,
                            Listed* listed, std::string* written);
  absl::Status ListActions(const std::vector<Pattern>& patterns, Listed* listed,
                           std::string* written);
  // One that is neither a literal nor a role. Returns its number.
  uint32_t ListOther(const Pattern& pattern, Listed* listed);
  static std::string KeyOf(Pattern::Kind kind, std::string_view text);
  static void Begin(const std::vector<Pattern>& patterns, std::string* written);
  static void Write(const Pattern& pattern, uint64_t number, std::string* written);
  static void Sort(std::vector<uint32_t>* numbers);

  // The most words that it takes.
  static size_t MostWords(const Listed& listed);
  // Returns where it ends.
  static uint32_t* Write(const Listed& listed, uint32_t* words);
  Alternatives Append(const Listed& listed);

  // The number of a condition among those that are kept, which is new or was kept for a clause of
  // this number.
  uint32_t Keep(Condition condition, uint32_t clause);
  uint32_t SizeOfConditions() const { return static_cast<uint32_t>(set_.conditions_.size()); }
  uint32_t NumberOfBinding(std::string_view name);

  // The texts of the set in which conditions may find names of entities: they stay where they are.
  void NameTexts();
  void NameTexts(const Attributes& attributes);
  void NameTexts(const Value& value);
  void NameText(std::string_view text);

  // Files each rule under principals, resources or actions: where its longest list is shortest.
  void BuildIndex();
  // A glob of resources, as the index has it.
  struct IndexedGlob {
    uint32_t prefix = PrefixTree::kNone;          // Its node. kNone: not looked for yet.
    RuleHead::Part part = RuleHead::Part::kMore;  // Or kTree or kFolder, if that is all of it.
  };
  // By its number.
  const IndexedGlob& Indexed(uint32_t glob);
  // Those of the globs. Returns false if a regular expression is among the patterns.
  bool FindPrefixes(const Alternatives& alternatives, std::vector<uint32_t>* prefixes);
  // Of what is at `place` of the words. Sets *number to one literal, or to the place of several.
  static RuleHead::Part PartOf(const Listed& listed, uint32_t place, uint32_t* number);
  // The same, for resources that may be one glob.
  RuleHead::Part PartOfResources(const Listed& listed, uint32_t place, uint32_t* number);
  // All that such a part consists of, if it is literals. Points into the set and to `number`.
  absl::Span<const uint32_t> LiteralsOf(RuleHead::Part part, const uint32_t& number) const;

  class Decoder;  // set_decoder.cc

  CompiledSet& set_;
  absl::flat_hash_map<std::string, NamedRole> roles_;
  absl::flat_hash_map<std::string, uint32_t> policies_;    // That read `principal.roles`.
  absl::flat_hash_map<std::string, uint32_t> patterns_;    // By kind and text.
  absl::flat_hash_map<std::string, uint32_t> conditions_;  // By clause and text.
  // In how many rules each key of the index stands.
  struct {
    std::vector<uint32_t> by_principal;
    std::vector<uint32_t> by_resource;
    std::vector<uint32_t> by_action;
    std::vector<uint32_t> by_prefix;
  } uses_;
  std::vector<IndexedGlob> indexed_globs_;       // By pattern.
  std::vector<uint32_t> conditions_of_clauses_;  // What CompiledSet::when_ is made of.
};

}  // namespace reeve

#endif  // REEVE_ENGINE_SET_COMPILER_H_
