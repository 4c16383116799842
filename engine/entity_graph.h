#ifndef REEVE_ENGINE_ENTITY_GRAPH_H_
#define REEVE_ENGINE_ENTITY_GRAPH_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/names.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"

namespace reeve {

// The names that a policy set speaks of, as small numbers, and which of them lie in which. Built
// once: Add(), AddParent() and Mark(), then Close(), then the questions, through an Ancestry.
//
// Each node but the roots hangs on one of its parents, so that there is a forest. Nodes are
// numbered along it, such that all that hang below one have the numbers behind its own, and "lies
// in" is a comparison of numbers. The parents beyond the first, of which most nodes have none, are
// kept beside it, and each node knows the nearest one on its way to the root that has some. So it
// takes memory for each node and each parent, however deep they lie. What nodes with several
// parents lie in is worked out beforehand as far as it is not much.
//
// After Close() immutable: any thread.
class EntityGraph {
 public:
  using Node = uint32_t;
  static constexpr Node kNone = UINT32_MAX;

  // The node of `entity`, new or known. Requires that its name is well formed: so what Find() finds
  // is.
  Node Add(EntityView entity);
  // The same by the number of its type.
  Node Add(uint32_t type, std::string_view id);
  // The node of a role, which no request and no entity can name: Find() does not find it.
  Node AddRole(std::string_view name);
  // The number of a type, new or known. `type` is well formed.
  uint32_t AddType(std::string_view type);
  void AddParent(Node child, Node parent) { edges_.push_back({child, parent}); }
  // Has an Ancestry list `node`, if it is in it.
  void Mark(Node node) { marked_[node] = true; }

  // Empty, or a cycle: each the parent of the one before it. The graph is then of no use.
  std::vector<EntityId> Close();

  // Names::kNone if the set has no entity and no pattern of it.
  uint32_t FindType(std::string_view type) const {
    const ShapedType& shaped = shaped_types_[ShapeOf(type)];
    return SameText(shaped.type, type) ? shaped.number : types_.Find(0, type);
  }
  // That of `group`.
  uint32_t group_type() const { return group_type_; }
  // kNone if the set does not speak of it. `type` is what FindType() says.
  Node Find(uint32_t type, std::string_view id) const { return names_.Find(type, id); }
  void Prefetch(uint32_t type, std::string_view id) const { names_.Prefetch(type, id); }
  Node Find(EntityView entity) const {
    const uint32_t type = FindType(entity.type);
    return type == Names::kNone ? kNone : Find(type, entity.id);
  }
  // The same of `type:id`, and of `role:name`.
  Node Find(std::string_view text) const;
  // The nodes that `node` lies in directly; sorted. Slower than an Ancestry: for explanations.
  std::vector<Node> Parents(Node node) const;
  // What was added. Of a role its type is kRoleType. Points into this.
  EntityView NameOf(Node node) const;
  // Whether some entity of type `group` is `node` or lies in it: membership in such a node can come
  // by a group.
  bool ThroughGroup(Node node) const { return (through_[node] & kGroup) != 0; }
  // The same of any entity: it is no role, or has a member.
  bool ThroughEntity(Node node) const { return (through_[node] & kEntity) != 0; }
  size_t size() const { return through_.size(); }
  // Makes room for as many nodes.
  void Reserve(size_t nodes) { names_.Reserve(nodes); }
  bool IsRole(Node node) const { return names_.ScopeOf(node) == kRoles; }
  uint32_t TypeOf(Node node) const { return names_.ScopeOf(node); }  // No role.
  size_t type_count() const { return types_.size(); }
  std::string_view NameOfType(uint32_t type) const { return types_.TextOf(type); }

  // Marked nodes have numbers of their own, from 0. `node` is marked.
  uint32_t MarkOf(Node node) const { return places_[node].marked; }
  size_t mark_count() const { return marks_.size(); }

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
    uint32_t fork;    // The nearest of forks_, itself or above it, or kNone, or kAlone.
    uint32_t marked;  // The nearest of marks_, itself or above it, or kNone.
  };
  // A node with parents beyond the one that it hangs on.
  struct Fork {
    uint32_t others;  // The first of them in others_; they end where those of the next fork begin.
    uint32_t above;   // The nearest fork above it, or kNone.
    // Of closures_; or kNone if there is nothing above but the others and what they hang on, or
    // kTooMuch.
    uint32_t closure;
  };
  static constexpr uint32_t kTooMuch = kNone - 1;
  // Instead of kNone: and the node itself is marked, and nothing above it. What marks_ would say of
  // it, which is far away, is known.
  static constexpr uint32_t kAlone = kNone - 2;
  // A node's number in the forest, and the node: so that they sort by the number.
  struct Way {
    uint32_t first;
    Node node;
  };
  // What lies above a fork beside what it hangs on. The next one in closures_ is where it ends.
  struct Closure {
    uint32_t ways;   // Of closure_ways_, sorted: everything is above one of them.
    uint32_t marks;  // Of closure_marks_, sorted by the node: numbers of what is marked there.
  };
  // The most ways, or marks, of a closure; of all together so many for each node and parent.
  static constexpr size_t kMaxClosure = 256;
  static constexpr size_t kClosuresForEach = 4;
  struct MarkedNode {
    Node node;
    uint32_t above;
  };

  void PlaceNodes(const std::vector<Node>& parents_first, const std::vector<uint32_t>& first_parent,
                  absl::Span<const Edge> edges);
  Way WayTo(Node node) const { return {places_[node].first, node}; }
  // Appends the ways above `fork`, a fork or kNone. Returns false if they are too many.
  bool AppendWaysAbove(uint32_t fork, std::vector<Way>* ways) const;
  void CloseForks();

  static constexpr uint32_t kRoles = Names::kNone;  // The scope of their names in names_.

  Node AddNode(uint32_t scope, std::string_view name, uint8_t through);
  // Types are few, and mostly differ in their length or their ends.
  struct ShapedType {
    std::string type;  // Empty if there is none of this shape.
    uint32_t number = Names::kNone;
  };
  static constexpr size_t kShapes = 32;
  static size_t ShapeOf(std::string_view type) {
    if (type.empty()) return 0;
    return (type.size() + static_cast<unsigned char>(type.front()) +
            5 * static_cast<unsigned char>(type.back())) %
           kShapes;
  }

  ShapedType shaped_types_[kShapes];  // The first of each shape.
  uint32_t group_type_ = Names::kNone;
  Names types_;
  Names names_;               // The scope is the type; the numbers are the nodes.
  std::vector<Edge> edges_;   // Closed: sorted.
  std::vector<bool> marked_;  // Until Close().
  enum Through : uint8_t { kGroup = 1, kEntity = 2 };
  std::vector<uint8_t> through_;
  std::vector<Place> places_;
  std::vector<Fork> forks_;  // And one more, for its `others`.
  std::vector<Node> others_;
  std::vector<MarkedNode> marks_;
  std::vector<Closure> closures_;  // Each is followed by where it ends.
  std::vector<Way> closure_ways_;
  std::vector<uint32_t> closure_marks_;
};

// Some nodes and all that they lie in, at any distance. Reused from one request to the next, so
// that its memory is allocated once. (A thread that closes some has 4 bytes for each node of the
// graph with several parents.) One thread at a time.
class Ancestry {
 public:
  // Forgets everything. `graph` is closed, and outlives the questions.
  void Begin(const EntityGraph& graph);
  void Add(EntityGraph::Node node) { ways_.push_back(graph_->WayTo(node)); }
  // Finds what the nodes lie in, before the questions, and again if some were added since. Returns
  // false if there are more than `most` ways and marked nodes: then nothing can be asked. A way is
  // one of the nodes, or a parent beyond the first of one that is met.
  bool Close(size_t most) {
    if (ways_.empty()) return true;
    if (ways_.size() > 1) return CloseSeveral(most);
    const EntityGraph::Place& place = graph_->places_[ways_[0].node];
    if (place.fork == EntityGraph::kAlone) {
      closed_ = 1;
      marked_.push_back(ways_[0].node);
      marks_.push_back(place.marked);
      return most > 1;
    }
    if (place.fork != EntityGraph::kNone) {
      const bool closed = graph_->forks_[place.fork].closure < EntityGraph::kTooMuch;
      return closed ? CloseByFork(most) : CloseSeveral(most);
    }
    closed_ = 1;
    // The way of most, without anything to meet or to sort on it.
    for (uint32_t mark = place.marked; mark != EntityGraph::kNone;
         mark = graph_->marks_[mark].above) {
      marked_.push_back(graph_->marks_[mark].node);
      marks_.push_back(mark);
    }
    if (marked_.size() > 1) std::sort(marked_.begin(), marked_.end());
    return marked_.size() < most;
  }

  // In time that does not depend on how deep nodes lie, and grows with the logarithm of the ways.
  bool Contains(EntityGraph::Node node) const;
  // Those that are marked; sorted.
  absl::Span<const EntityGraph::Node> marked() const { return marked_; }
  // Their numbers: see EntityGraph::MarkOf(). In no order.
  absl::Span<const uint32_t> marks() const { return marks_; }

 private:
  using Way = EntityGraph::Way;

  // Of one node, above which a fork has a closure.
  bool CloseByFork(size_t most);
  bool CloseSeveral(size_t most);

  const EntityGraph* graph_ = nullptr;
  std::vector<Way> ways_;  // Closed: sorted. Everything they lie in is above one of them.
  std::vector<EntityGraph::Node> marked_;
  std::vector<uint32_t> marks_;
  size_t closed_ = 0;  // How many of the ways have been followed up.
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENTITY_GRAPH_H_
