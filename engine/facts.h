// What one request says, in the words of a compiled set. Internal to engine/.
#ifndef REEVE_ENGINE_FACTS_H_
#define REEVE_ENGINE_FACTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/compiled_set.h"
#include "reeve/engine/request.h"

namespace reeve {

// Kleene's three values.
enum class Truth : uint8_t { kFalse = 0, kUnknown = 1, kTrue = 2 };

inline Truth And(Truth a, Truth b) { return a < b ? a : b; }
inline Truth Or(Truth a, Truth b) { return a < b ? b : a; }

// `type:id` of an entity, made when somebody asks for it.
class EntityText {
 public:
  // `entity` outlives the questions.
  void Begin(EntityView entity) {
    entity_ = entity;
    made_ = false;
  }
  std::string_view Get() const {
    if (!made_) Make();
    return text_;
  }

 private:
  void Make() const;

  EntityView entity_;
  mutable std::string text_;
  mutable bool made_ = false;
};

// Whether a principal, or a request, can be asked about.
enum class Gathered : uint8_t {
  kSound,
  kMalformed,  // DefectOf() says how.
  kTooMany,    // More than Facts::kMaxAncestors.
};

// What a principal is in the words of a compiled set. Reused from one to the next, so that its
// memory is allocated once.
class PrincipalFacts {
 public:
  // Unless it is kSound nothing can be asked. The arguments outlive the questions.
  Gathered Gather(const CompiledSet& set, const Principal& principal,
                  const ProvidedEntity* provided);
  // The same without provided facts, but for what it was asked last.
  Gathered GatherAgain(const CompiledSet& set, const Principal& principal) {
    return set_number_ == set.number() ? gathered_ : Gather(set, principal, nullptr);
  }
  // Of what it was asked last nothing holds any more.
  void Forget() { set_number_ = 0; }

 private:
  friend class Facts;

  Gathered GatherAnew(const CompiledSet& set, const Principal& principal,
                      const ProvidedEntity* provided);

  uint64_t set_number_ = 0;
  Gathered gathered_ = Gathered::kMalformed;
  EntityText text_;
  Ancestry ancestry_;  // The principal and all that it lies in.
  EntityGraph::Node node_ = EntityGraph::kNone;
  bool anonymous_ = true;
  bool complete_ = true;  // Whether all parents are known; of the groups the principal says it.
};

// The facts of one request as nodes of a compiled set. Reused from one request to the next, so that
// its memory is allocated once.
class Facts {
 public:
  // Of the principal, and of the resource, of one request: the entities that it is said to lie in,
  // the parents beyond the first of each entity that is met above them, and those among all these
  // that rules name.
  static constexpr size_t kMaxAncestors = size_t{1} << 18;

  // Unless it is kSound nothing can be asked. The arguments outlive the questions below. Takes what
  // the set knows for well formed. `kept` may be null, or have facts of the principal, without
  // provided ones, which it then keeps.
  Gathered Gather(const CompiledSet& set, const Request& request, PrincipalFacts* kept);

  // Which of the patterns to ask.
  enum Which { kAllPatterns, kWithoutBindings };

  // Whether one of `alternatives` matches the principal, leaving aside roles that have conditions.
  Truth MatchesPrincipal(const Alternatives& alternatives, Which which) const;
  Truth MatchesAction(const CompiledRule& rule) const;
  Truth MatchesResource(const Alternatives& alternatives, Which which) const;

  // The node of the entity that `name` (`type:id`) names; EntityGraph::kNone if the set does not
  // speak of it.
  EntityGraph::Node NodeOf(std::string_view name) const { return set_->NodeOf(name); }
  // Whether the principal is, or lies in, an entity, by its node.
  Truth PrincipalLiesIn(EntityGraph::Node node) const;
  Truth ResourceLiesIn(EntityGraph::Node node) const;
  // The same by its name, if it has no node: then nothing lies in it but what the request says.
  Truth PrincipalIsNamed(std::string_view name) const;
  Truth ResourceIsNamed(std::string_view name) const;

  // `type:id`
  std::string_view principal_text() const { return principal_->text_.Get(); }
  std::string_view resource_text() const { return resource_text_.Get(); }
  // The principal, and the resource, with all that it lies in. Without those that the set does not
  // speak of.
  const Ancestry& principal() const { return principal_->ancestry_; }
  const Ancestry& resource() const { return resource_; }
  // What the set knows of the principal and of the resource themselves. Null if nothing.
  const Attributes* stored_principal() const { return set_->StoredAttributes(principal_->node_); }
  const Attributes* stored_resource() const { return set_->StoredAttributes(resource_node_); }

  struct Candidate {
    uint32_t rule;
    Truth head;  // Whether the rule matches as far as its head says; of a Part::kMore, kTrue.
  };
  // The rules that neither the index nor their heads rule out, sorted, go to `candidates`.
  void FindCandidates(std::vector<Candidate>* candidates) const;
  // The rules of which no two of principal, action and resource are ruled out by what their heads
  // say: for explanations. Looks at the heads of all.
  void FindNear(std::vector<uint32_t>* rules) const;

 private:
  // By what is not known of it.
  bool PrincipalMayLieIn(EntityGraph::Node node) const;
  Truth PrincipalMayLieInOne(absl::Span<const uint32_t> nodes) const;  // kUnknown or kFalse.
  // Of a rule that the index has found: what Candidate::head says.
  Truth MatchesHead(const RuleHead& head) const;
  // As far as the head says it; of Part::kMore, true.
  bool ActionIsOf(const RuleHead& head) const;
  Truth ResourceIsOf(const RuleHead& head) const;
  Truth PrincipalIsOf(const RuleHead& head) const;
  bool MatchesAny(const Alternatives& alternatives, Which which, const Ancestry& ancestry,
                  const EntityText& text) const;

  const CompiledSet* set_ = nullptr;
  const Request* request_ = nullptr;
  const PrincipalFacts* principal_ = nullptr;
  PrincipalFacts own_principal_;  // Of a request of which nobody keeps them.
  EntityText resource_text_;
  Ancestry resource_;  // The resource and all that it lies in.
  EntityGraph::Node resource_node_ = EntityGraph::kNone;
  uint32_t resource_type_ = Names::kNone;
  bool resource_complete_ = true;  // Whether all parents are known.
  // Of the prefix tree: the prefixes of the resource's id, each longer than the one before and with
  // a larger number; and that which is all but the last segment.
  std::vector<uint32_t> prefixes_;
  uint32_t folder_ = PrefixTree::kNone;
  uint32_t action_ = CompiledSet::kNoAction;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_FACTS_H_
