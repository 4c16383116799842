// Whatever charon's socket says, reading it neither crashes nor takes more than it warrants.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "reeve/adapters/socket/ipsec/ike_name.h"
#include "reeve/adapters/socket/ipsec/sa.h"
#include "reeve/adapters/socket/ipsec/vici.h"

namespace {

using namespace reeve::socket_internal;  // NOLINT

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckName(std::string_view id) {
  for (const bool account : {false, true}) {
    const absl::StatusOr<reeve::EntityId> entity = EntityOfIkeId(id, account, {"r", true, true});
    if (!entity.ok()) continue;
    Check(reeve::DefectOf(*entity).empty());
    // A spelling that was chosen is kept.
    if (entity->type == "user") {
      const absl::StatusOr<reeve::EntityId> again =
          EntityOfIkeId(entity->id, account, {"r", true, true});
      Check(again.ok() && *again == *entity);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const std::optional<ViciPacket> packet = ParseViciPacket(bytes); packet.has_value()) {
    Check(packet->name.size() + packet->message.size() < size);
    // What is read is what is written; the name of what has none is empty.
    Check(std::string_view(MakeViciPacket(packet->type, packet->name, packet->message)).substr(4) ==
          bytes);
  }
  size_t elements = 0;
  ViciReader reader(bytes);
  while (reader.Next()) {
    ++elements;
    Check(reader.depth() >= 0 && reader.depth() <= kMaxViciDepth);
    Check(reader.name().size() <= 255 && reader.value().size() <= 65535);
    CheckName(reader.value());
  }
  Check(elements <= size);
  Check(!reader.Next());
  const reeve::IpAddress address = *reeve::IpAddress::Parse("10.97.0.2");
  if (const std::optional<IkeSa> sa = ParseIkeSa(bytes); sa.has_value()) {
    Check(!reader.malformed() && !sa->connection.empty());
    for (const ChildSa& child : sa->children) {
      for (const std::string& selector : child.remote) SelectorHas(selector, address);
    }
  }
  if (const std::optional<IkeConnection> connection = ParseIkeConnection(bytes);
      connection.has_value()) {
    Check(!reader.malformed());
    connection->by_keys_only();
  }
  SelectorHas(bytes, address);
  return 0;
}
