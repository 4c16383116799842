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

// The facts of one request as nodes of a compiled set. Reused from one request to the next, so that
// its memory is allocated once.
class Facts {
 public:
  // Of the principal, and of the resource, of one request: the entities that it is said to lie in,
  // the parents beyond the first of each entity that is met above them, and those among all these
  // that rules name.
  static constexpr size_t kMaxAncestors = size_t{1} << 18;

  // Requires a well-formed request; both arguments outlive the questions below. Returns false if
  // there are more than kMaxAncestors: then nothing can be asked.
  bool Gather(const CompiledSet& set, const Request& request);

  // Which of the patterns to ask.
  enum Which { kAllPatterns, kWithoutBindings };

  // Whether one of `alternatives` matches the principal, leaving aside roles that have conditions.
  Truth MatchesPrincipal(const Alternatives& alternatives, Which which) const;
  Truth MatchesAction(const CompiledRule& rule) const;
  Truth MatchesResource(const Alternatives& alternatives, Which which) const;

  // Whether the set speaks of the entity of this name; then the questions below take no time.
  bool Knows(std::string_view name) const { return set_->graph().Find(name) != EntityGraph::kNone; }
  // Whether the principal is, or lies in, the entity that `name` (`type:id`) names.
  Truth PrincipalIsIn(std::string_view name) const;
  Truth ResourceIsIn(std::string_view name) const;
  // The same of a node.
  Truth PrincipalLiesIn(EntityGraph::Node node) const;

  // `type:id`
  std::string_view principal_text() const { return principal_text_; }
  std::string_view resource_text() const { return resource_text_; }
  // The principal, and the resource, with all that it lies in. Without those that the set does not
  // speak of.
  const Ancestry& principal() const { return principal_; }
  const Ancestry& resource() const { return resource_; }
  // What the set knows of the principal and of the resource themselves. Null if nothing.
  const Attributes* stored_principal() const { return stored_principal_; }
  const Attributes* stored_resource() const { return stored_resource_; }

  // The rules that the index cannot rule out go to `candidates`; some may stand there twice.
  void FindCandidates(std::vector<uint32_t>* candidates) const;

 private:
  // Returns the node, or kNone.
  EntityGraph::Node AddNode(EntityView entity, Ancestry* ancestry);
  // By what is not known of it.
  bool PrincipalMayLieIn(EntityGraph::Node node) const;
  // Returns whether there are no other parents.
  bool AddProvided(const ProvidedEntity* provided, Ancestry* ancestry);
  bool MatchesAny(const Alternatives& alternatives, Which which, const Ancestry& ancestry,
                  std::string_view text) const;

  const CompiledSet* set_ = nullptr;
  const Request* request_ = nullptr;
  std::string principal_text_;
  std::string resource_text_;
  std::string text_;    // Of the entity that is being looked up.
  Ancestry principal_;  // The principal and all that it lies in.
  Ancestry resource_;   // The resource and all that it lies in.
  // Whether all parents are known; of the groups of the principal the request says it.
  bool principal_complete_ = true;
  bool resource_complete_ = true;
  uint32_t action_ = CompiledSet::kNoAction;
  const Attributes* stored_principal_ = nullptr;
  const Attributes* stored_resource_ = nullptr;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_FACTS_H_
