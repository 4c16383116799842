#include "reeve/adapters/context/jwt/base64url.h"

#include <array>
#include <cstdint>

namespace reeve {
namespace {

constexpr uint8_t kNone = 0x40;  // Above every digit.

constexpr std::array<uint8_t, 256> MakeDigits() {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<uint8_t, 256> digits = {};
  for (uint8_t& digit : digits) digit = kNone;
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}

constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

}  // namespace

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes(text.size() * 6 / 8, '\0');
  char* out = bytes.data();
  uint32_t bits = 0;  // Behind the last whole byte.
  int count = 0;      // How many.
  uint8_t seen = 0;
  for (const char c : text) {
    const uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    seen |= digit;
    bits = bits << 6 | (digit & 0x3F);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    *out++ = static_cast<char>(bits >> count);
    bits &= (uint32_t{1} << count) - 1;
  }
  if ((seen & kNone) != 0 || bits != 0) return std::nullopt;
  return bytes;
}

}  // namespace reeve
