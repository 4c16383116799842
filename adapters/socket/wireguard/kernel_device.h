// The kernel's own WireGuard, asked by generic netlink (linux/wireguard.h). Private to
// adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_KERNEL_DEVICE_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_KERNEL_DEVICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/wireguard/deadline.h"
#include "reeve/adapters/socket/wireguard/device_config.h"

namespace reeve::socket_internal {

// Joins the messages of the kernel's answer to WG_CMD_GET_DEVICE: a device's peers, and the allowed
// addresses of one peer, may be spread over several. It keeps no secret.
//
// One thread at a time.
class KernelDeviceParser {
 public:
  // Of the device with that index.
  explicit KernelDeviceParser(uint32_t index) : index_(index) {}

  // Takes the body of a message. False if it is malformed or of another device; so is then the
  // whole answer.
  bool Take(Bytes body);

  // Whether what was taken is a device's configuration.
  bool complete() const { return !malformed_ && index_seen_; }
  // The configuration; it is gone from here then.
  DeviceConfig Release() { return std::move(config_); }

 private:
  bool TakeDevice(Bytes body);
  bool TakePeer(Bytes attributes);
  bool TakeAllowedIps(Bytes list, ConfiguredPeer* peer);

  const uint32_t index_;
  DeviceConfig config_;
  size_t allowed_ips_ = 0;
  bool index_seen_ = false;
  bool malformed_ = false;
};

// The number by which generic netlink knows `family`: 0 or an errno, ENOENT if there is none.
int FindGenericFamily(Netlink& netlink, std::string_view family, uint16_t* type);
// The body of the answer to that: the number, or nothing if it does not tell it.
std::optional<uint16_t> ParseGenericFamily(Bytes body);

// Asks the kernel about the peers of the WireGuard device of index `index` in the network namespace
// `network`, which must be the calling thread's. `name` is for messages.
//
// Errors: kWrongNamespace  the thread is in another network namespace
//         kUnavailable     this process may not ask (that needs CAP_NET_ADMIN in the network's user
//                          namespace), the device was configured all the time until `deadline`,
//                          or the kernel gave another error
absl::StatusOr<DeviceConfig> AskKernelDevice(uint32_t index, const std::string& name,
                                             uint64_t network, const Deadline& deadline);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_KERNEL_DEVICE_H_
