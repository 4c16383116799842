// Decides one request under one snapshot: design section 5. Internal to engine/.
#ifndef REEVE_ENGINE_EVALUATOR_H_
#define REEVE_ENGINE_EVALUATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/compiled_set.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/request.h"
#include "reeve/engine/snapshot.h"

namespace reeve {

// Kleene's three values.
enum class Truth : uint8_t { kFalse = 0, kUnknown = 1, kTrue = 2 };

inline Truth And(Truth a, Truth b) { return a < b ? a : b; }
inline Truth Or(Truth a, Truth b) { return a < b ? b : a; }

// The facts of one request as nodes of a compiled set. Reused from one request to the next, so that
// its memory is allocated once.
class Facts {
 public:
  // What the principal and what the resource of one request may lie in, counting each way there.
  static constexpr size_t kMaxAncestors = size_t{1} << 18;

  // Requires a well-formed request; both arguments outlive the questions below. Returns false if
  // there are more than kMaxAncestors: then nothing can be asked.
  bool Gather(const CompiledSet& set, const Request& request);

  Truth MatchesPrincipal(const CompiledRule& rule) const;
  Truth MatchesAction(const CompiledRule& rule) const;
  Truth MatchesResource(const CompiledRule& rule) const;
  Truth Matches(const CompiledRule& rule) const;

  // The rules that the index cannot rule out go to `candidates`; some may stand there twice.
  void FindCandidates(std::vector<uint32_t>* candidates) const;

 private:
  using Nodes = std::vector<EntityGraph::Node>;

  void AddNode(EntityView entity, Nodes* nodes);
  bool AddAncestors(Nodes* nodes) const;
  bool MatchesAny(const Alternatives& alternatives, const Nodes& nodes,
                  std::string_view text) const;

  const CompiledSet* set_ = nullptr;
  const Request* request_ = nullptr;
  std::string principal_text_;
  std::string resource_text_;
  std::string text_;       // Of the entity that is being looked up.
  Nodes principal_nodes_;  // The principal and all that it lies in; sorted.
  Nodes resource_nodes_;   // The resource and all that it lies in; sorted.
  uint32_t action_ = CompiledSet::kNoAction;
};

// What a decision depends on, and nothing else: the same arguments give the same answer.
class Evaluator {
 public:
  // `snapshot` may be null. The decision has no id and no audit level yet.
  static Decision Decide(std::shared_ptr<const Snapshot> snapshot, const Request& request,
                         absl::Time now);

 private:
  static Reason Conclude(const CompiledSet& set, const Request& request, Decision* decision);
};

// Empty, or why a request is malformed under `set`.
std::string_view DefectUnder(const CompiledSet& set, const Request& request);

}  // namespace reeve

#endif  // REEVE_ENGINE_EVALUATOR_H_
