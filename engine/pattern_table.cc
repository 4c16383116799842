#include "engine/pattern_table.h"

namespace reeve {

static_assert(Glob::kMaxTokens <= UINT8_MAX, "an entry has a byte for them");

void PatternTable::Add(const Pattern& pattern) {
  if (pattern.kind() == Pattern::Kind::kGlob) return Add(pattern.glob().view());
  Add(pattern.text(), regexes_.size(), 0, false);
  regexes_.push_back(pattern);
}

void PatternTable::Add(const GlobView& glob) {
  Add(glob.text(), tokens_.size(), glob.tokens().size(), glob.binds());
  // Few: one by one costs less than as a range.
  for (const Glob::Token& token : glob.tokens()) tokens_.push_back(token);
}

void PatternTable::Add(std::string_view text, size_t place, size_t tokens, bool binds) {
  entries_.push_back({texts_.size(), static_cast<uint32_t>(text.size()),
                      static_cast<uint32_t>(place), static_cast<uint8_t>(tokens), binds});
  texts_.append(text);
}

void PatternTable::Close() {
  entries_.shrink_to_fit();
  texts_.shrink_to_fit();
  tokens_.shrink_to_fit();
  regexes_.shrink_to_fit();
}

Pattern PatternTable::At(uint32_t number) const {
  // It was well formed when it was given.
  return kind(number) == Pattern::Kind::kRegex ? regex(number)
                                               : Pattern::Make(*Glob::Parse(text(number)));
}

}  // namespace reeve
