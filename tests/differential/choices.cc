#include "reeve/tests/differential/choices.h"

namespace reeve::differential {

uint32_t BytesChoices::TakeByte() {
  if (bytes_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(bytes_[0]);
  bytes_.remove_prefix(1);
  return byte;
}

uint32_t BytesChoices::Below(uint32_t n) {
  if (n == 1) return 0;
  const uint32_t low = TakeByte();
  return (n <= 256 ? low : low | TakeByte() << 8) % n;
}

}  // namespace reeve::differential
