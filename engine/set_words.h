// How the rules of a CompiledSet lie in its words. Internal to engine/.
#ifndef REEVE_ENGINE_SET_WORDS_H_
#define REEVE_ENGINE_SET_WORDS_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/types/span.h"
#include "engine/compiled_set.h"

namespace reeve {

// Three sizes, which follow in words of their own if they are large, and three flags.
struct Counts {
  uint32_t flags = 0;
  uint32_t sizes[3] = {};
};
inline constexpr uint32_t kWide = 8;

// Of the number that stands for a pattern in a rule that is written down, those of its kind.
inline constexpr int kKindBits = 3;

// The most words that they take.
inline constexpr size_t kMaxCounts = 4;

// Returns where they end, like WriteWords().
inline uint32_t* WriteCounts(const Counts& counts, uint32_t* words) {
  const auto& [a, b, c] = counts.sizes;
  if (a < 1 << 12 && b < 1 << 8 && c < 1 << 8) {
    *words++ = counts.flags | a << 4 | b << 16 | c << 24;
    return words;
  }
  for (const uint32_t word : {counts.flags | kWide, a, b, c}) *words++ = word;
  return words;
}

inline uint32_t* WriteWords(absl::Span<const uint32_t> numbers, uint32_t* words) {
  for (const uint32_t number : numbers) *words++ = number;
  return words;
}

// Goes on behind them.
inline Counts ReadCounts(const uint32_t* words, uint32_t* at) {
  const uint32_t word = words[(*at)++];
  if (ABSL_PREDICT_TRUE((word & kWide) == 0)) {
    return {word & (kWide - 1), {word >> 4 & 0xFFF, word >> 16 & 0xFF, word >> 24}};
  }
  const uint32_t* const sizes = words + *at;
  *at += 3;
  return {word & (kWide - 1), {sizes[0], sizes[1], sizes[2]}};
}

inline Slice Take(uint32_t count, uint32_t* at) {
  const Slice slice = {*at, count};
  *at += count;
  return slice;
}

inline constexpr uint32_t kAnyFlag = 1;
inline constexpr uint32_t kAuthenticatedFlag = 2;
inline constexpr uint32_t kBindsFlag = 4;

inline Alternatives ReadAlternatives(const uint32_t* words, uint32_t* at) {
  Alternatives read;
  read.begin = *at;
  const Counts counts = ReadCounts(words, at);
  read.any = (counts.flags & kAnyFlag) != 0;
  read.authenticated = (counts.flags & kAuthenticatedFlag) != 0;
  read.binds = (counts.flags & kBindsFlag) != 0;
  read.literals = Take(counts.sizes[0], at);
  read.patterns = Take(counts.sizes[1], at);
  read.roles = Take(counts.sizes[2], at);
  return read;
}

inline absl::Span<const uint32_t> CompiledSet::SomeAt(uint32_t place) const {
  const Counts counts = ReadCounts(words_.data(), &place);
  return {words_.data() + place, counts.sizes[0]};
}

// In an image (snapshot_image.cc): the kinds of patterns,
inline constexpr uint8_t kImageGlob = 0;
inline constexpr uint8_t kImageRegex = 1;
// what the byte of a rule says,
inline constexpr uint8_t kImageDeny = 1;
inline constexpr uint8_t kImageShadow = 2;
inline constexpr uint8_t kImageTexts = 4;
inline constexpr int kImageAuditShift = 3;
// and more bytes than any text of a file has.
inline constexpr size_t kMaxImageText = UINT32_MAX;

}  // namespace reeve

#endif  // REEVE_ENGINE_SET_WORDS_H_
