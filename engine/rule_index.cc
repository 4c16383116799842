#include "engine/rule_index.h"

#include <utility>

namespace reeve {

void RuleLists::Close(size_t keys, Others others) {
  lists_.resize(keys);
  for (const Entry& entry : entries_) ++lists_[entry.key].count;
  uint32_t end = 0;
  for (Slice& list : lists_) {
    if (list.count <= 1) continue;
    list.begin = end;
    end += list.count;
  }
  rules_.resize(end);
  // How many of the list are there. Rules were added in their order.
  std::vector<uint32_t> filled(keys);
  for (const Entry& entry : entries_) {
    Slice& list = lists_[entry.key];
    (list.count == 1 ? list.begin : rules_[list.begin + filled[entry.key]++]) = entry.rule;
  }
  entries_ = {};
  std::vector<std::pair<uint32_t, uint32_t>> with;
  std::vector<uint32_t> without;
  for (uint32_t key = 0; key < keys; ++key) {
    if (lists_[key].count <= kLong) continue;
    with.clear();
    without.clear();
    for (const uint32_t rule : At(key)) {
      const absl::Span<const uint32_t> literals = others(rule);
      for (const uint32_t literal : literals) with.emplace_back(literal, rule);
      if (literals.empty()) without.push_back(rule);
    }
    if (with.empty()) continue;
    long_[key] = {{static_cast<uint32_t>(others_.size()), static_cast<uint32_t>(with.size())},
                  {static_cast<uint32_t>(rules_.size()), static_cast<uint32_t>(without.size())}};
    std::sort(with.begin(), with.end());
    for (const auto& [literal, rule] : with) {
      others_.push_back(literal);
      rules_of_others_.push_back(rule);
    }
    rules_.insert(rules_.end(), without.begin(), without.end());
  }
  rules_.shrink_to_fit();
  others_.shrink_to_fit();
  rules_of_others_.shrink_to_fit();
}

uint32_t PrefixTree::Add(uint32_t type, std::string_view prefix) {
  if (roots_.size() <= type) roots_.resize(type + 1, kNone);
  if (roots_[type] == kNone) roots_[type] = size_++;
  const bool is_there =
      type == above_.type && SameText(prefix.substr(0, above_.prefix.size()), above_.prefix);
  const size_t known = is_there ? above_.prefix.size() : 0;
  uint32_t node = is_there ? above_.node : roots_[type];
  for (size_t begin = known; begin < prefix.size();) {
    const size_t end = prefix.find('/', begin) + 1;
    if (end == prefix.size() && (!is_there || begin > known)) {
      above_ = {type, node, std::string(prefix.substr(0, begin))};
    }
    const uint32_t segment = segments_.Add(node, prefix.substr(begin, end - 1 - begin));
    if (segment == nodes_.size()) nodes_.push_back(size_++);
    node = nodes_[segment];
    begin = end;
  }
  return node;
}

void PrefixTree::Close() {
  segments_.Close();
  above_ = Above();
}

}  // namespace reeve
