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
  return Add(AddType(entity.type), entity.id);
}

EntityGraph::Node EntityGraph::Add(uint32_t type, std::string_view id) {
  return AddNode(type, id,
                 static_cast<uint8_t>((types_.TextOf(type) == "group" ? kGroup : 0) | kEntity));
}

uint32_t EntityGraph::AddType(std::string_view type) {
  ShapedType& shaped = shaped_types_[ShapeOf(type)];
  if (!shaped.type.empty() && SameText(shaped.type, type)) return shaped.number;
  const uint32_t number = types_.Add(0, type);
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

EntityView EntityGraph::NameOf(Node node) const {
  const uint32_t scope = names_.ScopeOf(node);
  return {scope == kRoles ? kRoleType : types_.TextOf(scope), names_.TextOf(node)};
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
    std::vector<EntityId> cycle;
    for (const Node node : order.cycle) cycle.emplace_back(NameOf(node));
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
  marks_.shrink_to_fit();
  through_.shrink_to_fit();
  marked_ = {};
  types_.Close();
  names_.Close();
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
    forks_.push_back({static_cast<uint32_t>(others_.size()), place.fork, kNone});
    place.fork = static_cast<uint32_t>(forks_.size() - 1);
    for (uint32_t i = first_parent[node] + 1; i < first_parent[node + 1]; ++i) {
      others_.push_back(edges[i].parent);
    }
  }
  forks_.push_back({static_cast<uint32_t>(others_.size()), kNone, kNone});
  others_.shrink_to_fit();
  forks_.shrink_to_fit();
  CloseForks();
  for (Place& place : places_) {
    if (place.fork != kNone || place.marked == kNone) continue;
    const MarkedNode& mark = marks_[place.marked];
    if (mark.above == kNone && &places_[mark.node] == &place) place.fork = kAlone;
  }
}

bool EntityGraph::AppendWaysAbove(uint32_t fork, std::vector<Way>* ways) const {
  if (fork == kNone) return true;
  const uint32_t closure = forks_[fork].closure;
  if (closure == kTooMuch) return false;
  if (closure == kNone) {
    for (uint32_t o = forks_[fork].others; o < forks_[fork + 1].others; ++o) {
      ways->push_back(WayTo(others_[o]));
    }
  } else {
    ways->insert(ways->end(), closure_ways_.begin() + closures_[closure].ways,
                 closure_ways_.begin() + closures_[closure + 1].ways);
  }
  return ways->size() <= 4 * kMaxClosure;
}

void EntityGraph::CloseForks() {
  const size_t budget =
      std::max(kClosuresForEach * (size() + edges_.size()), kMaxClosure * kMaxClosure);
  std::vector<Way> ways;
  std::vector<uint32_t> marks;
  // Those above a fork stand before it.
  for (uint32_t f = 0; f + 1 < forks_.size(); ++f) {
    Fork& fork = forks_[f];
    bool more = fork.above != kNone;
    ways.clear();
    bool bounded = AppendWaysAbove(fork.above, &ways);
    for (uint32_t o = fork.others; bounded && o < forks_[f + 1].others; ++o) {
      ways.push_back(WayTo(others_[o]));
      const uint32_t above = places_[others_[o]].fork;
      more |= above != kNone;
      bounded = AppendWaysAbove(above, &ways);
    }
    if (bounded && !more) continue;  // as it is: kNone
    std::sort(ways.begin(), ways.end(),
              [](const Way& a, const Way& b) { return a.first < b.first; });
    ways.erase(std::unique(ways.begin(), ways.end(),
                           [](const Way& a, const Way& b) { return a.first == b.first; }),
               ways.end());
    marks.clear();
    for (const Way& way : ways) {
      uint32_t mark = places_[way.node].marked;
      for (; mark != kNone && marks.size() <= 4 * kMaxClosure; mark = marks_[mark].above) {
        marks.push_back(mark);
      }
    }
    bounded = bounded && marks.size() <= 4 * kMaxClosure;
    std::sort(marks.begin(), marks.end(),
              [this](uint32_t a, uint32_t b) { return marks_[a].node < marks_[b].node; });
    marks.erase(std::unique(marks.begin(), marks.end()), marks.end());
    if (!bounded || ways.size() > kMaxClosure || marks.size() > kMaxClosure ||
        closure_ways_.size() + closure_marks_.size() + ways.size() + marks.size() > budget) {
      fork.closure = kTooMuch;
      continue;
    }
    fork.closure = static_cast<uint32_t>(closures_.size());
    closures_.push_back({static_cast<uint32_t>(closure_ways_.size()),
                         static_cast<uint32_t>(closure_marks_.size())});
    closure_ways_.insert(closure_ways_.end(), ways.begin(), ways.end());
    closure_marks_.insert(closure_marks_.end(), marks.begin(), marks.end());
    // AppendWaysAbove() reads where it ends.
    closures_.push_back({static_cast<uint32_t>(closure_ways_.size()),
                         static_cast<uint32_t>(closure_marks_.size())});
  }
  closures_.shrink_to_fit();
  closure_ways_.shrink_to_fit();
  closure_marks_.shrink_to_fit();
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

bool Ancestry::CloseByFork(size_t most) {
  const EntityGraph& graph = *graph_;
  const Way own = ways_[0];
  const EntityGraph::Place& place = graph.places_[own.node];
  const EntityGraph::Closure* const closure = &graph.closures_[graph.forks_[place.fork].closure];
  const auto first = graph.closure_ways_.begin() + closure[0].ways;
  const auto last = graph.closure_ways_.begin() + closure[1].ways;
  const auto at = std::lower_bound(
      first, last, own.first, [](const Way& way, uint32_t number) { return way.first < number; });
  ways_.assign(first, at);
  ways_.push_back(own);
  ways_.insert(ways_.end(), at, last);
  closed_ = ways_.size();
  for (uint32_t i = closure[0].marks; i < closure[1].marks; ++i) {
    marks_.push_back(graph.closure_marks_[i]);
    marked_.push_back(graph.marks_[marks_.back()].node);
  }
  const auto shared = marked_.size();
  for (uint32_t mark = place.marked; mark != EntityGraph::kNone; mark = graph.marks_[mark].above) {
    const Node node = graph.marks_[mark].node;
    // What it hangs on is then listed as well.
    if (std::binary_search(marked_.begin(), marked_.begin() + shared, node)) break;
    marked_.push_back(node);
    marks_.push_back(mark);
  }
  if (marked_.size() > shared) std::sort(marked_.begin(), marked_.end());
  return ways_.size() + marked_.size() <= most;
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
    if (fork == EntityGraph::kAlone) continue;
    // Above one that was met all were.
    for (; fork != EntityGraph::kNone && met[fork] != walk; fork = graph.forks_[fork].above) {
      met[fork] = walk;
      for (uint32_t o = graph.forks_[fork].others; o < graph.forks_[fork + 1].others; ++o) {
        ways_.push_back(graph.WayTo(graph.others_[o]));
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
  if (ways_.empty()) return false;
  const EntityGraph::Place& place = graph_->places_[node];
  // The last way before the node, or the first of all; in a search without branches, since nothing
  // foretells them.
  const Way* way = ways_.data();
  for (size_t left = ways_.size(); left > 1;) {
    const size_t half = left / 2;
    way += way[half].first < place.first ? half : 0;
    left -= half;
  }
  way += way->first < place.first ? 1 : 0;
  return way != ways_.data() + ways_.size() && way->first <= place.last;
}

std::vector<Node> EntityGraph::Parents(Node node) const {
  std::vector<Node> parents;
  auto edge = std::lower_bound(edges_.begin(), edges_.end(), node,
                               [](const Edge& e, Node child) { return e.child < child; });
  for (; edge != edges_.end() && edge->child == node; ++edge) parents.push_back(edge->parent);
  return parents;
}

}  // namespace reeve
