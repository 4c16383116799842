#include "engine/entity_graph.h"

#include <algorithm>

namespace reeve {
namespace {

// Parents before children, or a cycle: a depth-first walk with its own stack, since the depth is
// the user's.
struct Order {
  std::vector<EntityGraph::Node> parents_first;
  std::vector<EntityGraph::Node> cycle;
};

Order Sort(const std::vector<std::vector<EntityGraph::Node>>& parents) {
  enum State : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    EntityGraph::Node node;
    size_t next_parent;
  };
  Order order;
  order.parents_first.reserve(parents.size());
  std::vector<State> states(parents.size(), kNew);
  std::vector<Visit> path;
  for (EntityGraph::Node root = 0; root < parents.size(); ++root) {
    if (states[root] != kNew) continue;
    states[root] = kOpen;
    path.push_back({root, 0});
    while (!path.empty()) {
      Visit& visit = path.back();
      if (visit.next_parent == parents[visit.node].size()) {
        states[visit.node] = kDone;
        order.parents_first.push_back(visit.node);
        path.pop_back();
        continue;
      }
      const EntityGraph::Node parent = parents[visit.node][visit.next_parent++];
      if (states[parent] == kOpen) {
        auto first = std::find_if(path.begin(), path.end(),
                                  [parent](const Visit& v) { return v.node == parent; });
        for (; first != path.end(); ++first) order.cycle.push_back(first->node);
        return order;
      }
      if (states[parent] == kNew) {
        states[parent] = kOpen;
        path.push_back({parent, 0});
      }
    }
  }
  return order;
}

}  // namespace

EntityGraph::Node EntityGraph::Add(EntityView entity) {
  const auto [at, is_new] = nodes_.try_emplace(ToString(entity), static_cast<Node>(size()));
  if (is_new) {
    parents_.emplace_back();
    through_group_.push_back(entity.type == "group");
  }
  return at->second;
}

void EntityGraph::AddParent(Node child, Node parent) { parents_[child].push_back(parent); }

std::optional<EntityGraph::Fault> EntityGraph::Close() {
  for (std::vector<Node>& parents : parents_) {
    std::sort(parents.begin(), parents.end());
    parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
  }
  const Order order = Sort(parents_);
  if (!order.cycle.empty()) {
    std::vector<const std::string*> names(size());
    for (const auto& [name, node] : nodes_) names[node] = &name;
    Fault fault;
    for (const Node node : order.cycle) {
      const std::string& name = *names[node];
      const size_t colon = name.find(':');
      fault.cycle.emplace_back(name.substr(0, colon), name.substr(colon + 1));
    }
    return fault;
  }
  std::vector<std::vector<Node>> ancestors(size());
  size_t total = 0;
  for (const Node node : order.parents_first) {
    std::vector<Node>& mine = ancestors[node];
    if (parents_[node].size() == 1) {  // as in trees: what is sorted stays so
      const Node parent = parents_[node][0];
      mine = ancestors[parent];
      mine.insert(std::upper_bound(mine.begin(), mine.end(), parent), parent);
    } else {
      size_t most = total;
      for (const Node parent : parents_[node]) most += 1 + ancestors[parent].size();
      if (most > kMaxAncestors) return Fault{{}, true};
      for (const Node parent : parents_[node]) {
        mine.push_back(parent);
        mine.insert(mine.end(), ancestors[parent].begin(), ancestors[parent].end());
      }
      std::sort(mine.begin(), mine.end());
      mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
    }
    mine.shrink_to_fit();
    total += mine.size();
    if (total > kMaxAncestors) return Fault{{}, true};
  }
  // Children before parents, so that a mark reaches all ancestors.
  for (auto node = order.parents_first.rbegin(); node != order.parents_first.rend(); ++node) {
    if (!through_group_[*node]) continue;
    for (const Node parent : parents_[*node]) through_group_[parent] = true;
  }
  ancestors_.reserve(total);
  first_ancestor_.reserve(size() + 1);
  for (const std::vector<Node>& mine : ancestors) {
    first_ancestor_.push_back(ancestors_.size());
    ancestors_.insert(ancestors_.end(), mine.begin(), mine.end());
  }
  first_ancestor_.push_back(ancestors_.size());
  return std::nullopt;
}

EntityGraph::Node EntityGraph::Find(std::string_view text) const {
  const auto at = nodes_.find(absl::string_view(text.data(), text.size()));
  return at == nodes_.end() ? kNone : at->second;
}

absl::Span<const EntityGraph::Node> EntityGraph::Ancestors(Node node) const {
  return absl::MakeConstSpan(ancestors_)
      .subspan(first_ancestor_[node], first_ancestor_[node + 1] - first_ancestor_[node]);
}

std::vector<std::string> EntityGraph::Names(absl::Span<const Node> nodes) const {
  std::vector<std::string> names(nodes.size());
  for (const auto& [name, node] : nodes_) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i] == node) names[i] = name;
    }
  }
  return names;
}

}  // namespace reeve
