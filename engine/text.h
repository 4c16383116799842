#ifndef REEVE_ENGINE_TEXT_H_
#define REEVE_ENGINE_TEXT_H_

#include <endian.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace reeve {

// `a == b`, for the short texts that names mostly are: it calls nothing, and so costs little more
// than to see that most differ in their size.
inline bool SameText(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const size_t size = a.size();
  const auto differ_at = [&a, &b](size_t at, auto word) {
    decltype(word) of_a, of_b;
    std::memcpy(&of_a, a.data() + at, sizeof word);
    std::memcpy(&of_b, b.data() + at, sizeof word);
    return of_a ^ of_b;
  };
  // The last two words overlap unless the text fills them.
  if (size >= 8) {
    for (size_t at = 0; at + 16 < size; at += 8) {
      if (differ_at(at, uint64_t{}) != 0) return false;
    }
    const size_t before_last = size > 16 ? size - 16 : 0;
    return (differ_at(before_last, uint64_t{}) | differ_at(size - 8, uint64_t{})) == 0;
  }
  if (size >= 4) return (differ_at(0, uint32_t{}) | differ_at(size - 4, uint32_t{})) == 0;
  if (size >= 2) return (differ_at(0, uint16_t{}) | differ_at(size - 2, uint16_t{})) == 0;
  return size == 0 || a[0] == b[0];
}

// A word of the byte, eight times.
constexpr uint64_t EachByte(uint8_t byte) { return byte * uint64_t{0x0101010101010101}; }

// Marks the high bit of each byte of `word` that is `byte`, and maybe of some that are above one.
constexpr uint64_t MarkByte(uint64_t word, char byte) {
  word ^= EachByte(static_cast<uint8_t>(byte));
  return (word - EachByte(0x01)) & ~word & EachByte(0x80);
}

// Where the first sought byte of `text` is; its size if there is none. `mark`, of a word of eight
// bytes, of which the first is the lowest, marks the high bit of the first one that is sought,
// maybe of some above it, and none if none is.
template <typename Mark>
inline size_t FindByte(std::string_view text, Mark mark) {
  const size_t size = text.size();
  const auto load = [&text](size_t at, auto word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    return word;
  };
  const auto first = [](uint64_t marks) { return static_cast<size_t>(__builtin_ctzll(marks)) / 8; };
  if (size >= 8) {
    // The last two words overlap unless the text fills them.
    for (size_t at = 0;; at = at + 16 <= size ? at + 8 : size - 8) {
      const uint64_t marks = mark(le64toh(load(at, uint64_t{})));
      if (marks != 0) return at + first(marks);
      if (at + 8 == size) return size;
    }
  }
  if (size >= 4) {
    const uint64_t before = le32toh(load(0, uint32_t{}));
    const uint64_t last = le32toh(load(size - 4, uint32_t{}));
    const uint64_t marks = mark(before | last << 32);
    if (marks == 0) return size;
    return first(marks) < 4 ? first(marks) : first(marks) - 4 + size - 4;
  }
  for (size_t at = 0; at < size; ++at) {
    if (mark(EachByte(static_cast<uint8_t>(text[at]))) != 0) return at;
  }
  return size;
}

// Reads the code point at the start of `text` into *code_point and returns its length in bytes.
// Returns 0 if `text` does not begin with well-formed UTF-8: overlong, truncated, a surrogate, or
// above U+10FFFF (RFC 3629, section 4).
size_t DecodeUtf8(std::string_view text, char32_t* code_point);

// Appends `code_point`, which is no surrogate and not above U+10FFFF, to *out.
void AppendUtf8(char32_t code_point, std::string* out);

// Whether terminals and programs may obey the character rather than show it: U+0000-001F, among
// them tab and line feed, and U+007F-009F.
bool IsControl(char32_t code_point);

// Whether the character leaves no mark on the page, or changes how the text around it is shown or
// where programs see a line end: bidirectional controls, zero-width characters, line separators,
// fillers, tags. Letters of some scripts are written with them, so they are no fault in an id.
bool IsHidden(char32_t code_point);

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF).
bool IsValidUtf8(std::string_view text);

// Whether `text` holds a character that IsControl(), or is not valid UTF-8.
bool HasControlCharacter(std::string_view text);

// `text` in a form that is safe in a log line and on a terminal: control and
// hidden characters and bytes that are not UTF-8 stand as \xNN or \u{NNNN}. Shortened with "..."
// beyond `max_bytes`.
std::string Printable(std::string_view text, size_t max_bytes = 200);

}  // namespace reeve

#endif  // REEVE_ENGINE_TEXT_H_
