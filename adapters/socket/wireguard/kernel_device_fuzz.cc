// Whatever the kernel's messages are, reading them neither crashes nor reads beyond them, and what
// is read says whole things. The input is several messages, each after its length in two bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/wireguard/device_config.h"
#include "reeve/adapters/socket/wireguard/device_link.h"
#include "reeve/adapters/socket/wireguard/kernel_device.h"
#include "reeve/adapters/socket/wireguard/uapi.h"

namespace {

using namespace reeve::socket_internal;  // NOLINT(google-build-using-namespace)

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes rest(data, size);
  KernelDeviceParser parser(7);
  while (rest.size() >= 2) {
    const size_t length = std::min<size_t>(rest[0] | rest[1] << 8, rest.size() - 2);
    // Of its own, so that a byte too many is seen.
    const std::vector<uint8_t> message(rest.begin() + 2, rest.begin() + 2 + length);
    rest.remove_prefix(2 + length);
    Check(!parser.Take(message) || parser.complete());
    const std::optional<DeviceLink> link = ParseDeviceLink(message);
    Check(!link.has_value() || (link->index > 0 && IsDeviceName(link->name)));
    const std::optional<uint16_t> family = ParseGenericFamily(message);
    Check(!family.has_value() || *family >= NLMSG_MIN_TYPE);
    ParseListeningFile(message);
  }
  if (!parser.complete()) return 0;
  const DeviceConfig config = parser.Release();
  size_t prefixes = 0;
  for (const ConfiguredPeer& peer : config.peers) {
    Check(peer.last_handshake >= 0);
    for (const reeve::IpPrefix& prefix : peer.allowed_ips) {
      Check(prefix.length >= 0 && prefix.length <= prefix.address.bits());
      Check(prefix.Contains(prefix.address));
      ++prefixes;
    }
  }
  Check(prefixes <= size / 16);
  return 0;
}
