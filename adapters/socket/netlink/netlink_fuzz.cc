// Whatever the bytes are, neither reading attributes nor taking answers reads beyond them or goes
// on for ever; and what is handed out lies in them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "reeve/adapters/socket/netlink/netlink.h"

namespace {

using reeve::socket_internal::AttributeReader;
using reeve::socket_internal::Bytes;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckInside(Bytes outer, Bytes inner) {
  Check(inner.empty() || (inner.data() >= outer.data() &&
                          inner.data() + inner.size() <= outer.data() + outer.size()));
}

void ReadAttributes(Bytes bytes, int depth) {
  AttributeReader reader(bytes);
  size_t count = 0;
  while (reader.Next()) {
    Check(++count <= bytes.size() / 4);
    CheckInside(bytes, reader.value());
    Check(!reader.malformed());
    if (depth > 0) ReadAttributes(reader.value(), depth - 1);
  }
  Check(!reader.Next());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  ReadAttributes(bytes, 3);
  size_t count = 0;
  const std::optional<int> end =
      reeve::socket_internal::TakeAnswers(bytes, 1, [&](uint16_t, Bytes body) {
        Check(++count <= size / 16);
        CheckInside(bytes, body);
        ReadAttributes(body, 1);
      });
  Check(!end.has_value() || (*end >= 0 && *end <= 4095));
  return 0;
}
