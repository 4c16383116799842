#include "reeve/engine/text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reeve {
namespace {

// The code point at the head of `text` and its length in bytes; a length of 0 if it is malformed.
struct CodePoint {
  uint32_t value;
  size_t bytes;
};

CodePoint Decode(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t head = byte(0);
  if (head < 0x80) return {head, 1};
  const size_t bytes = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
  if (head < 0xC2 || head > 0xF4 || text.size() < bytes) return {0, 0};
  uint32_t value = head & (0xFF >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {0, 0};
  return {value, bytes};
}

bool IsHidden(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    if (static_cast<uint8_t>(text[0]) < 0x80) {
      text.remove_prefix(1);
      continue;
    }
    const CodePoint c = Decode(text);
    if (c.bytes == 0) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

bool HasHiddenCharacter(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = Decode(text);
    if (c.bytes == 0 || IsHidden(c.value)) return true;
    text.remove_prefix(c.bytes);
  }
  return false;
}

std::string Printable(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= max_bytes) return out + "...";
    const CodePoint c = Decode(text);
    if (c.bytes == 0) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (!IsHidden(c.value)) {
      out.append(text.substr(0, c.bytes));
    } else if (c.value < 0x80) {
      absl::StrAppendFormat(&out, "\\x%02x", c.value);
    } else {
      absl::StrAppendFormat(&out, "\\u{%04x}", c.value);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace reeve
