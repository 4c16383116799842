#include "reeve/adapters/socket/wireguard/require_device.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/wireguard/deadline.h"
#include "reeve/adapters/socket/wireguard/device.h"
#include "reeve/adapters/socket/wireguard/device_config.h"
#include "reeve/adapters/socket/wireguard/device_link.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using socket_internal::DeviceConfig;
using socket_internal::DeviceLink;

absl::Status OfDevice(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(
      absl::StrCat(status.message(), "; name a device of WireGuard, and start it before"));
}

}  // namespace

absl::Status RequireDevice(int fd, const std::string& device, const std::string& run_directory) {
  sockaddr_storage own;
  socklen_t size = sizeof(own);
  own.ss_family = AF_UNSPEC;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("fd ", fd, " is not an open socket: ", std::strerror(errno)));
  }
  const std::optional<IpEndpoint> local =
      IpEndpoint::From(reinterpret_cast<const sockaddr*>(&own), size);
  if (!local.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("fd ", fd, " is a socket of address family ",
                                                   own.ss_family,
                                                   "; pass one of AF_INET or AF_INET6"));
  }
  if (!socket_internal::IsDeviceName(device)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", Printable(device), "` cannot be the name of a device; write one such as `wg0`"));
  }
  if (local->port != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("fd ", fd, " has port ", local->port,
                     " and may have received something in clear text; call RequireDevice() before "
                     "bind() and connect()"));
  }
  const absl::StatusOr<DeviceLink> link = socket_internal::FindDevice(fd, 0, device);
  if (!link.ok()) return OfDevice(link.status());
  if (link->kind != DeviceLink::Kind::kWireguard) {
    const absl::StatusOr<DeviceConfig> config =
        ReadDevice(fd, *link, run_directory, socket_internal::Deadline(absl::Seconds(1)));
    if (!config.ok()) return OfDevice(config.status());
  }
  // By index: the name could have become another's meanwhile.
  const int index = static_cast<int>(link->index);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) != 0) {
    int bound = 0;
    socklen_t bound_size = sizeof(bound);
    const int error = errno;
    if (error == EPERM && getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &bound, &bound_size) == 0 &&
        bound > 0) {
      if (bound == index) return absl::OkStatus();
      return absl::FailedPreconditionError(
          absl::StrCat("fd ", fd, " is bound to the device ", bound, "; make a new socket"));
    }
    return MakePeerError(
        PeerError::kUnavailable,
        absl::StrCat("fd ", fd, " cannot be bound to `", device, "`: ", std::strerror(error)));
  }
  return absl::OkStatus();
}

}  // namespace reeve
