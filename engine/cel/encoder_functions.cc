#include <algorithm>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// What a character of base64 stands for; -1 if it is none.
int SextetOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

Cell Encode(absl::Span<const Cell> arguments, Context& context) {
  if (arguments[0].kind() != Kind::kBytes) return NoSuchOverload("base64.encode");
  const std::string_view bytes = arguments[0].text();
  if (!context.Charge(bytes.size() / 4 + 1)) return context.LimitError();
  TextBuilder result(context);
  for (size_t i = 0; i < bytes.size() && !context.exhausted(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
    }
    char text[4];
    for (size_t k = 0; k < 4; ++k) {
      text[k] = k <= group.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
    result.Append({text, 4});
  }
  return result.Build();
}

// As Go's encoding/base64, and so cel-go, reads it: line ends are skipped, padding may be missing
// altogether, and the bits that are left over may be any.
Cell Decode(absl::Span<const Cell> arguments, Context& context) {
  if (arguments[0].kind() != Kind::kString) return NoSuchOverload("base64.decode");
  const std::string_view text = arguments[0].text();
  if (!context.Charge(text.size() / 4 + 1)) return context.LimitError();
  char* bytes = context.Allocate<char>(text.size() / 4 * 3 + 3);
  if (bytes == nullptr) return context.LimitError();
  size_t size = 0;
  size_t sextets = 0;
  size_t padding = 0;
  uint32_t bits = 0;
  const Cell error = Cell::Error(ErrorCode::kBadArgument, "not base64");
  for (char c : text) {
    if (c == '\r' || c == '\n') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int sextet = SextetOf(c);
    if (sextet < 0 || padding > 0) return error;
    bits = bits << 6 | static_cast<uint32_t>(sextet);
    ++sextets;
    // All but the first of four complete a byte.
    const size_t left = sextets % 4 * 6 % 8;  // Bits of the next byte.
    if (sextets % 4 != 1) bytes[size++] = static_cast<char>(bits >> left & 0xFF);
  }
  if (sextets % 4 == 1) return error;
  if (padding > 0 && (sextets % 4 == 0 || sextets % 4 + padding != 4)) return error;
  return Cell::Bytes({bytes, size});
}

constexpr Function kFunctions[] = {
    {"base64.decode", 1, 1, Decode, /*costly=*/true},
    {"base64.encode", 1, 1, Encode, /*costly=*/true},
};

}  // namespace

absl::Span<const Function> EncoderFunctions() { return kFunctions; }

}  // namespace reeve::cel
