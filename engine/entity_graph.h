#ifndef REEVE_ENGINE_ENTITY_GRAPH_H_
#define REEVE_ENGINE_ENTITY_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "reeve/engine/entity.h"

namespace reeve {

// The names that a policy set speaks of, as small numbers, and which of them lie in which. Built
// once: Add() and AddParent(), then Close(), then the questions.
//
// After Close() immutable: any thread.
class EntityGraph {
 public:
  using Node = uint32_t;
  static constexpr Node kNone = UINT32_MAX;

  // The node of `entity`, new or known.
  Node Add(EntityView entity);
  void AddParent(Node child, Node parent);

  // The most ancestors that all nodes together may have: what Close() stores, 4 bytes each.
  static constexpr size_t kMaxAncestors = size_t{1} << 26;

  struct Fault {
    std::vector<EntityId> cycle;  // Each the parent of the one before it.
    bool too_large = false;       // More than kMaxAncestors.
  };

  // Computes the ancestors, or says why it cannot; the graph is then of no use.
  std::optional<Fault> Close();

  // kNone if the set does not speak of it. `text` is `type:id`.
  Node Find(std::string_view text) const;
  // All nodes that `node` lies in, at any distance, without itself; sorted.
  absl::Span<const Node> Ancestors(Node node) const;
  // The nodes that `node` lies in directly, for explanations.
  absl::Span<const Node> Parents(Node node) const { return parents_[node]; }
  // The names of `nodes`, in their order, for explanations: looks through all that the set knows.
  std::vector<std::string> Names(absl::Span<const Node> nodes) const;
  // Whether some entity of type `group` is `node` or lies in it: membership in such a node can come
  // by a group.
  bool ThroughGroup(Node node) const { return through_group_[node]; }
  size_t size() const { return parents_.size(); }

 private:
  absl::flat_hash_map<std::string, Node> nodes_;
  std::vector<std::vector<Node>> parents_;
  std::vector<bool> through_group_;
  // Ancestors of node n: ancestors_[first_ancestor_[n]] to ancestors_[first_ancestor_[n + 1]].
  std::vector<Node> ancestors_;
  std::vector<uint64_t> first_ancestor_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENTITY_GRAPH_H_
