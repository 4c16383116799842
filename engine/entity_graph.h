#ifndef REEVE_ENGINE_ENTITY_GRAPH_H_
#define REEVE_ENGINE_ENTITY_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "reeve/engine/entity.h"

namespace reeve {

// The names that a policy set speaks of, as small numbers, and which of them lie in which. Built
// once: Add(), AddParent() and Mark(), then Close(), then the questions, through an Ancestry.
//
// Each node but the roots hangs on one of its parents, so that there is a forest. Nodes are
// numbered along it, such that all that hang below one have the numbers behind its own, and "lies
// in" is a comparison of numbers. The parents beyond the first, of which most nodes have none, are
// kept beside it, and each node knows the nearest one on its way to the root that has some. So it
// takes memory for each node and each parent, however deep they lie.
//
// After Close() immutable: any thread.
class EntityGraph {
 public:
  using Node = uint32_t;
  static constexpr Node kNone = UINT32_MAX;

  // The node of `entity`, new or known.
  Node Add(EntityView entity);
  void AddParent(Node child, Node parent) { edges_.push_back({child, parent}); }
  // Has an Ancestry list `node`, if it is in it.
  void Mark(Node node) { marked_[node] = true; }

  // Empty, or a cycle: each the parent of the one before it. The graph is then of no use.
  std::vector<EntityId> Close();

  // kNone if the set does not speak of it. `text` is `type:id`.
  Node Find(std::string_view text) const;
  // The nodes that `node` lies in directly; sorted. Slower than an Ancestry: for explanations.
  std::vector<Node> Parents(Node node) const;
  // The names of `nodes`, in their order, for explanations: looks through all that the set knows.
  std::vector<std::string> Names(absl::Span<const Node> nodes) const;
  // Whether some entity of type `group` is `node` or lies in it: membership in such a node can come
  // by a group.
  bool ThroughGroup(Node node) const { return (through_[node] & kGroup) != 0; }
  // The same of any entity: it is no role, or has a member.
  bool ThroughEntity(Node node) const { return (through_[node] & kEntity) != 0; }
  size_t size() const { return through_.size(); }

 private:
  friend class Ancestry;

  struct Edge {
    Node child;
    Node parent;
  };
  // What is known of a node, side by side.
  struct Place {
    uint32_t first;   // Its number in the forest,
    uint32_t last;    // and the last one below it.
    uint32_t fork;    // The nearest of forks_, itself or above it, or kNone.
    uint32_t marked;  // The nearest of marks_, itself or above it, or kNone.
  };
  // A node with parents beyond the one that it hangs on.
  struct Fork {
    uint32_t others;  // The first of them in others_; they end where those of the next fork begin.
    uint32_t above;   // The nearest fork above it, or kNone.
  };
  struct MarkedNode {
    Node node;
    uint32_t above;
  };

  void PlaceNodes(const std::vector<Node>& parents_first, const std::vector<uint32_t>& first_parent,
                  absl::Span<const Edge> edges);

  absl::flat_hash_map<std::string, Node> nodes_;
  std::vector<Edge> edges_;  // Closed: sorted.
  std::vector<bool> marked_;
  enum Through : uint8_t { kGroup = 1, kEntity = 2 };
  std::vector<uint8_t> through_;
  std::vector<Place> places_;
  std::vector<Fork> forks_;  // And one more, for its `others`.
  std::vector<Node> others_;
  std::vector<MarkedNode> marks_;
};

// Some nodes and all that they lie in, at any distance. Reused from one request to the next, so
// that its memory is allocated once: 4 bytes for each node of the graph with several parents. One
// thread at a time.
class Ancestry {
 public:
  // Forgets everything. `graph` is closed, and outlives the questions.
  void Begin(const EntityGraph& graph);
  void Add(EntityGraph::Node node) { ways_.push_back(WayTo(node)); }
  // Finds what the nodes lie in, before the questions, and again if some were added since. Returns
  // false if there are more than `most` ways and marked nodes: then nothing can be asked. A way is
  // one of the nodes, or a parent beyond the first of one that is met.
  bool Close(size_t most);

  // In time that does not depend on how deep nodes lie, and grows with the logarithm of the ways.
  bool Contains(EntityGraph::Node node) const;
  // Those that are marked; sorted.
  absl::Span<const EntityGraph::Node> marked() const { return marked_; }

 private:
  // Its number in the forest, and the node: so that they sort by the number.
  struct Way {
    uint32_t first;
    EntityGraph::Node node;
  };

  Way WayTo(EntityGraph::Node node) const { return {graph_->places_[node].first, node}; }

  const EntityGraph* graph_ = nullptr;
  std::vector<Way> ways_;  // Closed: sorted. Everything they lie in is above one of them.
  std::vector<EntityGraph::Node> marked_;
  std::vector<uint32_t> met_;  // By fork: the request in which it was met last.
  uint32_t request_ = 0;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENTITY_GRAPH_H_
