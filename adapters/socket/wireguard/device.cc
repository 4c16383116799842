#include "reeve/adapters/socket/wireguard/device.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/wireguard/kernel_device.h"
#include "reeve/adapters/socket/wireguard/uapi.h"

namespace reeve::socket_internal {

absl::StatusOr<DeviceLink> FindDevice(int fd, uint32_t index, const std::string& name) {
  const std::string which =
      index != 0 ? absl::StrCat("the device ", index) : absl::StrCat("the device `", name, "`");
  DeviceLink link;
  int error = 0;
  Netlink* netlink = ThreadNetlink(NETLINK_ROUTE, NetworkOf(fd), &error);
  if (netlink != nullptr) error = FindDeviceLink(*netlink, index, name, &link);
  switch (error) {
    case 0:
      return link;
    case ENODEV:
      return absl::NotFoundError(absl::StrCat(which, " does not exist"));
    case EXDEV:
      return MakePeerError(PeerError::kWrongNamespace,
                           "the socket is of another network namespace than this thread; identify "
                           "its peer in a thread of that namespace");
    case EOPNOTSUPP:
      return MakePeerError(PeerError::kUnavailable,
                           "this kernel does not tell network namespaces apart, so that the device "
                           "could be taken for another; run Linux 5.14 or later");
    default:
      return MakePeerError(
          PeerError::kUnavailable,
          absl::StrCat("the kernel did not tell of ", which, ": ", std::strerror(error)));
  }
}

absl::StatusOr<DeviceConfig> ReadDevice(int fd, const DeviceLink& link,
                                        const std::string& run_directory,
                                        const Deadline& deadline) {
  switch (link.kind) {
    case DeviceLink::Kind::kWireguard:
      return AskKernelDevice(link.index, link.name, NetworkOf(fd), deadline);
    case DeviceLink::Kind::kOther:
      return absl::NotFoundError(
          absl::StrCat("the device `", link.name, "` is not one of WireGuard"));
    case DeviceLink::Kind::kSharedTun:
      return MakePeerError(
          PeerError::kUnavailable,
          absl::StrCat("the device `", link.name,
                       "` is persistent, has several queues or is not a TUN device, so that "
                       "another program than that of WireGuard may send by it; let the program of "
                       "WireGuard make it, with one queue"));
    case DeviceLink::Kind::kTun:
      break;
  }
  absl::StatusOr<DeviceConfig> config = AskUapi(run_directory, link.name, NetworkOf(fd), deadline);
  if (!config.ok()) return config.status();
  // The program was asked by name; the name must still have been the device's.
  const absl::StatusOr<DeviceLink> again = FindDevice(fd, link.index, link.name);
  if (!again.ok() || again->name != link.name || again->kind != link.kind) {
    return MakePeerError(PeerError::kUnavailable,
                         absl::StrCat("the device `", link.name,
                                      "` changed while its program was asked; ask again"));
  }
  return config;
}

}  // namespace reeve::socket_internal
