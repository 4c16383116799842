// A WireGuard device, whichever implementation it has. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/wireguard/deadline.h"
#include "reeve/adapters/socket/wireguard/device_config.h"
#include "reeve/adapters/socket/wireguard/device_link.h"

namespace reeve::socket_internal {

// The device of that index, or if that is 0 of that name, in the network namespace of the socket
// `fd`. Errors: NotFound (there is none), kWrongNamespace, kUnavailable.
absl::StatusOr<DeviceLink> FindDevice(int fd, uint32_t index, const std::string& name);

// The peers of `link`, a device of the network namespace of the socket `fd`: from the kernel if it
// has the device's WireGuard, else from the program that has the device, which must be the only one
// that ever had it.
//
// Errors: NotFound  it is not a WireGuard device; those of AskUapi() and AskKernelDevice()
absl::StatusOr<DeviceConfig> ReadDevice(int fd, const DeviceLink& link,
                                        const std::string& run_directory, const Deadline& deadline);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_H_
