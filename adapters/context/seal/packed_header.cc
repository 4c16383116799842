#include "reeve/adapters/context/seal/packed_header.h"

#include "absl/strings/escaping.h"
#include "reeve/adapters/context/seal/envelope.h"

namespace reeve {
namespace {

template <typename Bytes>
std::string HexOf(const Bytes& bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace

absl::StatusOr<PackedHeader> InspectPacked(absl::Span<const uint8_t> packed) {
  const absl::StatusOr<seal_internal::EnvelopeHeader> header = seal_internal::DecodeHeader(packed);
  if (!header.ok()) return header.status();
  PackedHeader inspected;
  inspected.kind = std::string(seal_internal::ToString(header->kind));
  inspected.key_id = HexOf(header->key_id);
  inspected.id = HexOf(seal_internal::IdOf(*header));
  inspected.not_before = header->not_before;
  inspected.expires = header->expires;
  inspected.body_bytes = header->body_bytes;
  return inspected;
}

}  // namespace reeve
