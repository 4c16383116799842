#include "reeve/policy/unicode.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// Spaces that look like U+0020 and do not separate as it does. They may stand in a file, but a
// message that quotes one must show it.
bool IsOddSpace(char32_t c) {
  return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

CharacterFault FaultOf(char32_t code_point) {
  if (code_point == '\t' || code_point == '\n') return CharacterFault::kNone;
  if (IsControl(code_point)) return CharacterFault::kControl;
  return IsHidden(code_point) ? CharacterFault::kHidden : CharacterFault::kNone;
}

bool IsVisible(char32_t c) {
  const bool selector = (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF);
  return !IsControl(c) && !IsHidden(c) && !IsOddSpace(c) && !selector && c != 0x2800;
}

std::string CodePointName(char32_t code_point) {
  std::string hex = absl::StrCat(absl::Hex(static_cast<uint32_t>(code_point), absl::kZeroPad4));
  for (char& c : hex) {
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  return absl::StrCat("U+", hex);
}

std::string Quoted(std::string_view text) {
  constexpr int kLongest = 60;
  std::string out = "`";
  int shown = 0;
  while (!text.empty()) {
    if (++shown > kLongest) {
      out += "...";
      break;
    }
    char32_t code_point;
    const size_t length = DecodeUtf8(text, &code_point);
    if (length == 0) {
      absl::StrAppend(&out, "\\x", absl::Hex(static_cast<unsigned char>(text[0]), absl::kZeroPad2));
      text.remove_prefix(1);
      continue;
    }
    if (code_point == '\n') {
      out += "\\n";
    } else if (code_point == '\t') {
      out += "\\t";
    } else if (FaultOf(code_point) != CharacterFault::kNone || IsOddSpace(code_point)) {
      absl::StrAppend(&out, "\\u{", absl::Hex(static_cast<uint32_t>(code_point)), "}");
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
  out += '`';
  return out;
}

}  // namespace reeve
