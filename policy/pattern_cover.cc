#include "policy/pattern_cover.h"

#include <algorithm>
#include <string_view>

namespace reeve {
namespace {

// What a glob consists of: bytes, and wildcards as numbers above them.
enum Symbol : int { kSegmentRun = 256, kRun, kBinding };

std::vector<int> SymbolsOf(std::string_view glob) {
  std::vector<int> symbols;
  for (size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '{') {
      symbols.push_back(kBinding);
      i = std::min(glob.find('}', i), glob.size());
    } else if (glob[i] != '*') {
      symbols.push_back(static_cast<unsigned char>(glob[i]));
    } else if (glob.substr(i, 2) == "**") {
      symbols.push_back(kRun);
      ++i;
    } else {
      symbols.push_back(kSegmentRun);
    }
  }
  return symbols;
}

}  // namespace

// Each symbol of `inner` is matched by one of `outer`, in order: so whatever a wildcard of `inner`
// stands for, the one of `outer` can stand for it, among more.
bool PatternCover::GlobCovers(const std::string& outer, const std::string& inner) {
  const size_t literal = std::min(outer.find_first_of("*{"), outer.size());
  if (inner.compare(0, literal, outer, 0, literal) != 0) return false;
  const std::vector<int> a = SymbolsOf(outer);
  const std::vector<int> b = SymbolsOf(inner);
  cost_ += static_cast<int64_t>(a.size() * b.size());
  // reached[j]: a up to the symbol at hand matches b up to j.
  std::vector<char> reached(b.size() + 1, false);
  reached[0] = true;
  for (const int symbol : a) {
    std::vector<char> next(b.size() + 1, false);
    const auto in_segment = [&b](size_t j) { return b[j] != kRun && b[j] != '/'; };
    // Of a binding, whether it has taken something that is never empty.
    std::vector<char> open(b.size() + 1, false);
    for (size_t j = 0; j <= b.size(); ++j) {
      switch (symbol) {
        case kRun:
          next[j] = reached[j] || (j > 0 && next[j - 1]);
          break;
        case kSegmentRun:
          next[j] = reached[j] || (j > 0 && next[j - 1] && in_segment(j - 1));
          break;
        case kBinding:
          if (j == 0) break;
          if (in_segment(j - 1)) {
            const bool may_be_empty = b[j - 1] == kSegmentRun;
            next[j] = next[j - 1] || (!may_be_empty && (reached[j - 1] || open[j - 1]));
            open[j] = may_be_empty && (reached[j - 1] || open[j - 1]);
          }
          break;
        default:
          next[j] = j > 0 && reached[j - 1] && b[j - 1] == symbol;
      }
    }
    reached = std::move(next);
  }
  return reached[b.size()];
}

bool PatternCover::Covers(const Pattern& outer, const Pattern& inner, PatternOf of) {
  using Kind = Pattern::Kind;
  ++cost_;
  if (outer.kind() == Kind::kAny) return true;
  if (outer.kind() == inner.kind() && outer.text() == inner.text()) return true;
  if (outer.kind() == Kind::kRole) {
    const auto role = roles_.find(outer.text());
    if (role == roles_.end() || !role->second->when.empty()) return false;
    // Roles have no roles in them, so this goes one level deep.
    const std::vector<Pattern>& members = role->second->members;
    return std::any_of(members.begin(), members.end(), [&](const Pattern& member) {
      return member.kind() != Kind::kRole && Covers(member, inner, of);
    });
  }
  // A pattern without wildcards also matches what lies in the entity, under names of all kinds.
  const bool inner_is_name =
      inner.kind() == Kind::kGlob || (inner.kind() == Kind::kLiteral && of == PatternOf::kActions);
  if (outer.kind() != Kind::kGlob || !inner_is_name) return false;
  if (inner.kind() == Kind::kLiteral) return outer.glob().Matches(inner.text());
  return GlobCovers(outer.text(), inner.text());
}

bool PatternCover::Covers(const std::vector<Pattern>& outer, const std::vector<Pattern>& inner,
                          PatternOf of) {
  const auto is_covered = [&](const Pattern& pattern) {
    return std::any_of(outer.begin(), outer.end(),
                       [&](const Pattern& other) { return Covers(other, pattern, of); });
  };
  return std::all_of(inner.begin(), inner.end(), [&](const Pattern& pattern) {
    if (is_covered(pattern)) return true;
    if (pattern.kind() != Pattern::Kind::kRole) return false;
    // One who has a role is one of its members, whatever its condition asks besides.
    const auto role = roles_.find(pattern.text());
    if (role == roles_.end()) return false;
    const std::vector<Pattern>& members = role->second->members;
    return !members.empty() && std::all_of(members.begin(), members.end(), is_covered);
  });
}

}  // namespace reeve
