#include "engine/entity_graph.h"

#include <algorithm>

namespace reeve {
namespace {

using Node = EntityGraph::Node;

// Parents before children, or a cycle.
struct Order {
  std::vector<Node> parents_first;
  std::vector<Node> cycle;
};

// A depth-first walk with its own stack, since the depth is the user's. `edge_of` gives the parents
// of each node: from [n] to [n + 1] of those that `parent` reads.
template <typename Parent>
Order Sort(const std::vector<uint32_t>& edge_of, const Parent& parent_at) {
  enum State : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    Node node;
    uint32_t next_parent;
  };
  const size_t size = edge_of.size() - 1;
  Order order;
  order.parents_first.reserve(size);
  std::vector<State> states(size, kNew);
  std::vector<Visit> path;
  for (Node root = 0; root < size; ++root) {
    if (states[root] != kNew) continue;
    states[root] = kOpen;
    path.push_back({root, edge_of[root]});
    while (!path.empty()) {
      Visit& visit = path.back();
      if (visit.next_parent == edge_of[visit.node + 1]) {
        states[visit.node] = kDone;
        order.parents_first.push_back(visit.node);
        path.pop_back();
        continue;
      }
      const Node parent = parent_at(visit.next_parent++);
      if (states[parent] == kOpen) {
        auto first = std::find_if(path.begin(), path.end(),
                                  [parent](const Visit& v) { return v.node == parent; });
        for (; first != path.end(); ++first) order.cycle.push_back(first->node);
        return order;
      }
      if (states[parent] == kNew) {
        states[parent] = kOpen;
        path.push_back({parent, edge_of[parent]});
      }
    }
  }
  return order;
}

}  // namespace

EntityGraph::Node EntityGraph::Add(EntityView entity) {
  return AddNode(AddType(entity.type), entity.id,
                 static_cast<uint8_t>((entity.type == "group" ? kGroup : 0) | kEntity));
}

uint32_t EntityGraph::AddType(std::string_view type) {
  const uint32_t number = types_.Add(0, type);
  ShapedType& shaped = shaped_types_[ShapeOf(type)];
  if (shaped.type.empty()) shaped = {std::string(type), number};
  return number;
}

EntityGraph::Node EntityGraph::AddRole(std::string_view name) { return AddNode(kRoles, name, 0); }

EntityGraph::Node EntityGraph::AddNode(uint32_t scope, std::string_view name, uint8_t through) {
  const Node node = names_.Add(scope, name);
  if (node == size()) {
    marked_.push_back(false);
    through_.push_back(through);
  }
  return node;
}

template <typename Visit>
void EntityGraph::ForEachName(Visit visit) const {
  std::vector<std::string> types(types_.size());
  types_.ForEach([&types](uint32_t, std::string_view type, uint32_t number) {
    types[number] = std::string(type);
  });
  names_.ForEach([&](uint32_t scope, std::string_view id, Node node) {
    visit(EntityView{scope == kRoles ? kRoleType : std::string_view(types[scope]), id}, node);
  });
}

std::vector<EntityId> EntityGraph::Close() {
  group_type_ = FindType("group");
  std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
    return a.child != b.child ? a.child < b.child : a.parent < b.parent;
  });
  edges_.erase(std::unique(edges_.begin(), edges_.end(),
                           [](const Edge& a, const Edge& b) {
                             return a.child == b.child && a.parent == b.parent;
                           }),
               edges_.end());
  std::vector<uint32_t> first_parent(size() + 1);
  for (const Edge& edge : edges_) ++first_parent[edge.child + 1];
  for (size_t i = 0; i < size(); ++i) first_parent[i + 1] += first_parent[i];
  const Order order = Sort(first_parent, [this](uint32_t at) { return edges_[at].parent; });
  if (!order.cycle.empty()) {
    std::vector<EntityId> names(size());
    ForEachName([&names](EntityView name, Node node) { names[node] = EntityId(name); });
    std::vector<EntityId> cycle;
    for (const Node node : order.cycle) cycle.push_back(std::move(names[node]));
    return cycle;
  }
  // Children before parents, so that it reaches everything above.
  for (auto node = order.parents_first.rbegin(); node != order.parents_first.rend(); ++node) {
    for (uint32_t i = first_parent[*node]; i < first_parent[*node + 1]; ++i) {
      through_[edges_[i].parent] |= through_[*node];
    }
  }
  PlaceNodes(order.parents_first, first_parent, edges_);
  edges_.shrink_to_fit();
  return {};
}

void EntityGraph::PlaceNodes(const std::vector<Node>& parents_first,
                             const std::vector<uint32_t>& first_parent,
                             absl::Span<const Edge> edges) {
  // Of several parents a node hangs on the first.
  const auto above = [&](Node node) {
    return first_parent[node] == first_parent[node + 1] ? kNone : edges[first_parent[node]].parent;
  };
  std::vector<uint32_t> below(size(), 1);  // How many hang below a node, and it itself.
  for (auto node = parents_first.rbegin(); node != parents_first.rend(); ++node) {
    if (above(*node) != kNone) below[above(*node)] += below[*node];
  }
  places_.resize(size());
  uint32_t next_root = 0;
  std::vector<uint32_t> next(size());  // The number of what is put below a node next.
  for (const Node node : parents_first) {
    const Node parent = above(node);
    uint32_t& number = parent == kNone ? next_root : next[parent];
    Place& place = places_[node];
    place = {number, number + below[node] - 1, kNone, kNone};
    next[node] = number + 1;
    number += below[node];
    if (parent != kNone) {
      place.fork = places_[parent].fork;
      place.marked = places_[parent].marked;
    }
    if (marked_[node]) {
      marks_.push_back({node, place.marked});
      place.marked = static_cast<uint32_t>(marks_.size() - 1);
    }
    if (first_parent[node + 1] - first_parent[node] < 2) continue;
    forks_.push_back({static_cast<uint32_t>(others_.size()), place.fork});
    place.fork = static_cast<uint32_t>(forks_.size() - 1);
    for (uint32_t i = first_parent[node] + 1; i < first_parent[node + 1]; ++i) {
      others_.push_back(edges[i].parent);
    }
  }
  forks_.push_back({static_cast<uint32_t>(others_.size()), kNone});
  others_.shrink_to_fit();
  forks_.shrink_to_fit();
}

EntityGraph::Node EntityGraph::Find(std::string_view text) const {
  const size_t colon = std::min(text.find(':'), text.size());
  const EntityView entity = {text.substr(0, colon), text.substr(std::min(colon + 1, text.size()))};
  return entity.type == kRoleType ? Find(kRoles, entity.id) : Find(entity);
}

void Ancestry::Begin(const EntityGraph& graph) {
  graph_ = &graph;
  ways_.clear();
  closed_ = 0;
  marked_.clear();
  marks_.clear();
}

bool Ancestry::CloseSeveral(size_t most) {
  // By fork: the walk in which it was met last. The memory of all walks of a thread, over whatever
  // graph; no number is used for two of them.
  static thread_local std::vector<uint32_t> met;
  static thread_local uint32_t walk = 0;
  const EntityGraph& graph = *graph_;
  if (met.size() < graph.forks_.size()) met.resize(graph.forks_.size());
  if (++walk == 0) {
    std::fill(met.begin(), met.end(), 0);
    walk = 1;
  }
  // Grows meanwhile.
  for (size_t i = closed_; i < ways_.size(); ++i) {
    uint32_t fork = graph.places_[ways_[i].node].fork;
    // Above one that was met all were.
    for (; fork != EntityGraph::kNone && met[fork] != walk; fork = graph.forks_[fork].above) {
      met[fork] = walk;
      for (uint32_t o = graph.forks_[fork].others; o < graph.forks_[fork + 1].others; ++o) {
        ways_.push_back(WayTo(graph.others_[o]));
      }
      if (ways_.size() > most) return false;
    }
  }
  if (ways_.size() > 1) {
    std::sort(ways_.begin(), ways_.end(),
              [](const Way& a, const Way& b) { return a.first < b.first; });
    ways_.erase(std::unique(ways_.begin(), ways_.end(),
                            [](const Way& a, const Way& b) { return a.first == b.first; }),
                ways_.end());
  }
  closed_ = ways_.size();
  marked_.clear();
  marks_.clear();
  for (size_t i = 0; i < ways_.size(); ++i) {
    uint32_t mark = graph.places_[ways_[i].node].marked;
    for (; mark != EntityGraph::kNone; mark = graph.marks_[mark].above) {
      const Node node = graph.marks_[mark].node;
      // Above the way before as well, and so listed, with all above it: ways are sorted, and what
      // is above this one and an earlier one is above all between.
      if (i > 0 && graph.places_[node].first <= ways_[i - 1].first) break;
      marked_.push_back(node);
      marks_.push_back(mark);
    }
    if (ways_.size() + marked_.size() > most) return false;
  }
  if (marked_.size() > 1) std::sort(marked_.begin(), marked_.end());
  return true;
}

bool Ancestry::Contains(EntityGraph::Node node) const {
  const EntityGraph::Place& place = graph_->places_[node];
  const auto below =
      std::lower_bound(ways_.begin(), ways_.end(), place.first,
                       [](const Way& way, uint32_t number) { return way.first < number; });
  return below != ways_.end() && below->first <= place.last;
}

std::vector<Node> EntityGraph::Parents(Node node) const {
  std::vector<Node> parents;
  auto edge = std::lower_bound(edges_.begin(), edges_.end(), node,
                               [](const Edge& e, Node child) { return e.child < child; });
  for (; edge != edges_.end() && edge->child == node; ++edge) parents.push_back(edge->parent);
  return parents;
}

std::vector<std::string> EntityGraph::NamesOf(absl::Span<const Node> nodes) const {
  std::vector<std::string> names(nodes.size());
  ForEachName([&](EntityView name, Node node) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i] == node) names[i] = ToString(name);
    }
  });
  return names;
}

}  // namespace reeve
