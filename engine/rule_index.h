// Where rules are found that can match a request. Internal to engine/.
#ifndef REEVE_ENGINE_RULE_INDEX_H_
#define REEVE_ENGINE_RULE_INDEX_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/names.h"
#include "reeve/engine/text.h"

namespace reeve {

// A run in a pool of its own kind.
struct Slice {
  uint32_t begin = 0;
  uint32_t count = 0;
};

template <typename T>
absl::Span<const T> At(const std::vector<T>& pool, Slice slice) {
  return absl::MakeConstSpan(pool).subspan(slice.begin, slice.count);
}

// Lists of rules under keys numbered from 0. A list's rules ascend. One that is long has an index
// of its own, by literals of another kind, so that two long lists are intersected and not read.
class RuleLists {
 public:
  // Of a rule the literals one of which it cannot match without, or nothing.
  using Others = absl::FunctionRef<absl::Span<const uint32_t>(uint32_t rule)>;

  // Rules ascend, and each is added to a list once.
  void Add(uint32_t key, uint32_t rule) { entries_.push_back({key, rule}); }
  void Close(size_t keys, Others others);
  absl::Span<const uint32_t> At(uint32_t key) const {
    const Slice& list = lists_[key];
    return {list.count == 1 ? &list.begin : rules_.data() + list.begin, list.count};
  }
  // Calls visit(rules) of lists in which all those of At(key) are that can match without another
  // literal than `literals`. A rule may stand in several of them.
  template <typename Visit>
  void ForEachWith(uint32_t key, absl::Span<const uint32_t> literals, Visit visit) const {
    const absl::Span<const uint32_t> all = At(key);
    if (all.size() <= kLong || literals.size() > all.size() / kLong) return visit(all);
    const auto at = long_.find(key);
    if (at == long_.end()) return visit(all);
    const LongList& list = at->second;
    visit(absl::MakeConstSpan(rules_).subspan(list.without.begin, list.without.count));
    const auto first = others_.begin() + list.with.begin;
    for (const uint32_t literal : literals) {
      const auto [begin, end] = std::equal_range(first, first + list.with.count, literal);
      visit(absl::MakeConstSpan(rules_of_others_).subspan(begin - others_.begin(), end - begin));
    }
  }

 private:
  struct Entry {
    uint32_t key;
    uint32_t rule;
  };
  std::vector<Entry> entries_;  // Until Close().
  std::vector<uint32_t> rules_;
  std::vector<Slice> lists_;  // Of rules_; of a single rule its number stands for `begin`.

  static constexpr size_t kLong = 12;
  struct LongList {
    Slice with;     // Of others_, sorted, and rules_of_others_: each rule once for each literal.
    Slice without;  // Of rules_: the rules of which there are none.
  };
  absl::flat_hash_map<uint32_t, LongList> long_;  // By key; those with others.
  std::vector<uint32_t> others_;
  std::vector<uint32_t> rules_of_others_;
};

// What globs of resources cannot match without, segment by segment: a tree, of which each node
// stands for a type and some whole segments of an id, `doc:/finance/`.
class PrefixTree {
 public:
  static constexpr uint32_t kNone = Names::kNone;

  // The node of `prefix`, the literal beginning of an id up to its last slash, or nothing.
  uint32_t Add(uint32_t type, std::string_view prefix);
  // Makes room for as many segments in all.
  void Reserve(size_t segments) { segments_.Reserve(segments); }
  // Gives back the memory that it holds for more of them.
  void Close();
  size_t size() const { return size_; }

  // Calls visit(node, is_folder) of each node whose prefix `id` has, from the type on. `is_folder`:
  // all but the last segment of `id` is that prefix.
  template <typename Visit>
  void ForEachPrefixOf(uint32_t type, std::string_view id, Visit visit) const {
    if (type >= roots_.size()) return;  // As Names::kNone is.
    for (uint32_t node = roots_[type]; node != kNone;) {
      const size_t slash = id.find('/');
      visit(node, slash == std::string_view::npos);
      if (slash == std::string_view::npos) return;
      const uint32_t segment = segments_.Find(node, id.substr(0, slash));
      node = segment == kNone ? kNone : nodes_[segment];
      id.remove_prefix(slash + 1);
    }
  }

 private:
  std::vector<uint32_t> roots_;  // By type.
  Names segments_;               // Scope: the node above.
  std::vector<uint32_t> nodes_;  // By segment.
  uint32_t size_ = 0;
  // What the prefix lies in that was added last, as most that follow it do. Until Close().
  struct Above {
    uint32_t type = kNone;
    uint32_t node = kNone;
    std::string prefix;
  };
  Above above_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_RULE_INDEX_H_
