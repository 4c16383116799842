// A network device as the kernel lists it. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_LINK_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_LINK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "reeve/adapters/socket/netlink/netlink.h"

namespace reeve::socket_internal {

struct DeviceLink {
  enum class Kind : uint8_t {
    kOther,
    kWireguard,  // the kernel's implementation
    kTun,        // packets come from a program that has the device, and from no other, ever
    kSharedTun,  // such a device that outlives its program or may have several
  };

  uint32_t index = 0;
  std::string name;
  Kind kind = Kind::kOther;
};

// Whether a device may have such a name, and a file, too (net/core/dev.c, dev_valid_name()).
bool IsDeviceName(std::string_view name);

// The body of an RTM_NEWLINK message; nothing if it is malformed.
std::optional<DeviceLink> ParseDeviceLink(Bytes body);

// Asks for the device of that index, or if that is 0 of that name, in the network namespace of
// `netlink`, a NETLINK_ROUTE socket. Returns 0 or an errno: ENODEV if there is none.
int FindDeviceLink(Netlink& netlink, uint32_t index, const std::string& name, DeviceLink* link);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_LINK_H_
