// The globs and regular expressions of a policy set, each once. Internal to engine/.
#ifndef REEVE_ENGINE_PATTERN_TABLE_H_
#define REEVE_ENGINE_PATTERN_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "reeve/engine/glob.h"
#include "reeve/engine/pattern.h"

namespace reeve {

// Numbers patterns from 0. There are many, and most are never asked: what they consist of lies side
// by side.
//
// Thread-compatible: const methods from any threads, others alone.
class PatternTable {
 public:
  void Reserve(size_t patterns) { entries_.reserve(patterns); }
  // A kGlob or kRegex.
  void Add(const Pattern& pattern);
  // The same as one that has wildcards.
  void Add(const GlobView& glob);
  // Gives back the memory that it holds for more of them.
  void Close();

  size_t size() const { return entries_.size(); }
  // kGlob or kRegex. Like all that follows of a number that is below size().
  Pattern::Kind kind(uint32_t number) const {
    return entries_[number].tokens == 0 ? Pattern::Kind::kRegex : Pattern::Kind::kGlob;
  }
  std::string_view text(uint32_t number) const {
    const Entry& entry = entries_[number];
    return {texts_.data() + entry.text, entry.size};
  }
  // Of a kGlob: points into this; and what stands before its first colon.
  GlobView glob(uint32_t number) const {
    const Entry& entry = entries_[number];
    return {text(number), {tokens_.data() + entry.place, entry.tokens}};
  }
  std::string_view type(uint32_t number) const {
    return text(number).substr(0, text(number).find(':'));
  }
  // Of a kRegex.
  const Pattern& regex(uint32_t number) const { return regexes_[entries_[number].place]; }
  // Whether it is a glob that binds names.
  bool Binds(uint32_t number) const { return entries_[number].binds; }
  // Whether it matches the whole of `text`.
  bool Matches(uint32_t number, std::string_view text) const {
    return kind(number) == Pattern::Kind::kGlob ? glob(number).Matches(text)
                                                : regex(number).RegexMatches(text);
  }
  // As it was given. Makes it anew: for people, not for decisions.
  Pattern At(uint32_t number) const;

 private:
  struct Entry {
    size_t text;  // Where it begins in texts_,
    uint32_t size;
    uint32_t place;  // and in tokens_, or in regexes_;
    uint8_t tokens;  // of a regular expression there are none.
    bool binds;
  };

  void Add(std::string_view text, size_t place, size_t tokens, bool binds);

  std::vector<Entry> entries_;
  std::string texts_;
  std::vector<Glob::Token> tokens_;
  std::vector<Pattern> regexes_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_PATTERN_TABLE_H_
