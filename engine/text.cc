#include "reeve/engine/text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reeve {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Format characters and fillers that leave no mark on the page, and the separators that some
// programs take for a line end (which would shift every line number after them).
constexpr Range kHidden[] = {
    {0x00AD, 0x00AD},    // soft hyphen
    {0x034F, 0x034F},    // combining grapheme joiner
    {0x061C, 0x061C},    // Arabic letter mark (bidirectional)
    {0x115F, 0x1160},    // Hangul fillers
    {0x17B4, 0x17B5},    // Khmer inherent vowels
    {0x180B, 0x180E},    // Mongolian selectors and vowel separator
    {0x200B, 0x200F},    // zero width space, joiners, direction marks
    {0x2028, 0x202E},    // line and paragraph separator, bidirectional embeddings and overrides
    {0x2060, 0x206F},    // word joiner, invisible operators, bidirectional isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xFEFF, 0xFEFF},    // byte order mark, or zero width no-break space
    {0xFFA0, 0xFFA0},    // half width Hangul filler
    {0xFFF9, 0xFFFB},    // interlinear annotation
    {0xFFFE, 0xFFFF},    // not characters
    {0xE0000, 0xE007F},  // tags
};

// Marks each byte of `word` that is not printable ASCII, and maybe some that are above one.
constexpr uint64_t MarkUnprintable(uint64_t word) {
  return (word | (word + EachByte(0x80 - 0x7F)) | (word - EachByte(0x20))) & EachByte(0x80);
}

// Most text is printable ASCII, and needs no decoding: drops it from the front. Whether there is
// more.
bool SkipPrintableAscii(std::string_view* text) {
  text->remove_prefix(FindByte(*text, MarkUnprintable));
  return !text->empty();
}

}  // namespace

size_t DecodeUtf8(std::string_view text, char32_t* code_point) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    *code_point = lead;
    return 1;
  }
  size_t length;
  char32_t least;  // A smaller value would be overlong.
  char32_t value;
  if (lead >= 0xC2 && lead < 0xE0) {
    length = 2, least = 0x80, value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3, least = 0x800, value = lead & 0x0F;
  } else if (lead >= 0xF0 && lead < 0xF5) {
    length = 4, least = 0x10000, value = lead & 0x07;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3F);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
  *code_point = value;
  return length;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

bool IsControl(char32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
}

bool IsHidden(char32_t code_point) {
  if (code_point < 0xA0) return false;
  for (const Range& range : kHidden) {
    if (code_point >= range.first && code_point <= range.last) return true;
  }
  return false;
}

bool IsValidUtf8(std::string_view text) {
  while (SkipPrintableAscii(&text)) {
    char32_t code_point;
    const size_t length = DecodeUtf8(text, &code_point);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool HasControlCharacter(std::string_view text) {
  while (SkipPrintableAscii(&text)) {
    char32_t code_point;
    const size_t length = DecodeUtf8(text, &code_point);
    if (length == 0 || IsControl(code_point)) return true;
    text.remove_prefix(length);
  }
  return false;
}

std::string Printable(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= max_bytes) return out + "...";
    char32_t code_point;
    const size_t length = DecodeUtf8(text, &code_point);
    if (length == 0) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (!IsControl(code_point) && !IsHidden(code_point)) {
      out.append(text.substr(0, length));
    } else if (code_point < 0x80) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint32_t>(code_point));
    } else {
      absl::StrAppendFormat(&out, "\\u{%04x}", static_cast<uint32_t>(code_point));
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace reeve
