#include "engine/pattern_table.h"

namespace reeve {

static_assert(Glob::kMaxTokens <= UINT8_MAX, "an entry has a byte for them");

void PatternTable::Add(const Pattern& pattern) {
  Entry entry = {texts_.size(), static_cast<uint32_t>(pattern.text().size()),
                 static_cast<uint32_t>(regexes_.size()), 0, false};
  if (pattern.kind() == Pattern::Kind::kGlob) {
    const absl::Span<const Glob::Token> tokens = pattern.glob().view().tokens();
    entry.place = static_cast<uint32_t>(tokens_.size());
    entry.tokens = static_cast<uint8_t>(tokens.size());
    entry.binds = pattern.glob().binds();
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  } else {
    regexes_.push_back(pattern);
  }
  texts_.append(pattern.text());
  entries_.push_back(entry);
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
