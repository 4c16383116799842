#include "reeve/adapters/socket/wireguard/wireguard_peers.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/wireguard/deadline.h"
#include "reeve/adapters/socket/wireguard/device.h"
#include "reeve/adapters/socket/wireguard/device_config.h"
#include "reeve/adapters/socket/wireguard/device_link.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using socket_internal::AllowedPeer;
using socket_internal::Deadline;
using socket_internal::DeviceConfig;
using socket_internal::DeviceLink;
using socket_internal::ToBase64;

absl::Status Unproved(const std::string& message) {
  return MakePeerError(PeerError::kUnproved, message);
}

// An error of a device that `options` name.
absl::Status OfListedDevice(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return MakePeerError(PeerError::kUnavailable,
                       absl::StrCat(status.message(),
                                    ", so that the peers behind it cannot be told; bring it up as "
                                    "one of WireGuard, or take it off the list"));
}

// What `link` says of the address. Of a link-local address, nothing if it is of another device.
absl::StatusOr<AllowedPeer> FindPeerOf(const DeviceConfig& config, const DeviceLink& link,
                                       const IpAddress& address) {
  if (address.scope != 0 && address.scope != link.index) return AllowedPeer();
  return socket_internal::FindAllowedPeer(config, address);
}

PeerIdentity IdentityOf(const AllowedPeer& allowed, const std::string& device,
                        const std::map<std::string, std::string>& names) {
  const std::string key = ToBase64(allowed.peer->key);
  Principal host(EntityId("host", absl::StrCat("wg:", key)), Assurance::kCrypto);
  if (const auto name = names.find(key); name != names.end()) {
    host.parents.push_back(std::move(host.id));
    host.id = EntityId("host", name->second);
  }
  host.attributes.Set("public_key", Value::String(key));
  host.via = "wireguard";
  host.host = host.id.id;
  host.evidence = absl::StrCat("device=", device, " key=", key,
                               " allowed-ip=", allowed.prefix.address.ToString(), "/",
                               allowed.prefix.length, " handshake=", allowed.peer->last_handshake);
  PeerIdentity identity;
  identity.host = std::move(host);
  identity.encrypted = true;
  return identity;
}

// A peer whose socket nothing reaches but by `link`.
absl::StatusOr<PeerIdentity> IdentifyBound(const SocketPeer& peer, const DeviceLink& link,
                                           const WireguardPeersOptions& options,
                                           const Deadline& deadline) {
  const absl::StatusOr<DeviceConfig> config =
      ReadDevice(peer.fd, link, options.run_directory, deadline);
  if (!config.ok()) return OfListedDevice(config.status());
  const absl::StatusOr<AllowedPeer> allowed = FindPeerOf(*config, link, peer.peer.address);
  if (!allowed.ok()) return allowed.status();
  if (allowed->peer == nullptr) {
    return Unproved(absl::StrCat("no peer of `", link.name, "` may send as ",
                                 peer.peer.address.ToString(),
                                 " now; it could when the socket was connected"));
  }
  if (allowed->peer->last_handshake == 0) {
    return Unproved(absl::StrCat("the peer of `", link.name, "` that may send as ",
                                 peer.peer.address.ToString(),
                                 " has never shown that it has its key; connect anew"));
  }
  return IdentityOf(*allowed, link.name, options.names);
}

// A peer whose packets may have come by any device.
absl::StatusOr<PeerIdentity> IdentifyUnbound(const SocketPeer& peer,
                                             const WireguardPeersOptions& options,
                                             const Deadline& deadline) {
  for (const std::string& name : options.devices) {
    const absl::StatusOr<DeviceLink> link = socket_internal::FindDevice(peer.fd, 0, name);
    if (!link.ok()) return OfListedDevice(link.status());
    const absl::StatusOr<DeviceConfig> config =
        ReadDevice(peer.fd, *link, options.run_directory, deadline);
    if (!config.ok()) return OfListedDevice(config.status());
    const absl::StatusOr<AllowedPeer> allowed = FindPeerOf(*config, *link, peer.peer.address);
    if (!allowed.ok()) return allowed.status();
    if (allowed->peer != nullptr) {
      return Unproved(absl::StrCat("a peer of `", name, "` may send as ",
                                   peer.peer.address.ToString(),
                                   ", and the socket takes that from any device; call "
                                   "RequireDevice() on the listener"));
    }
  }
  return absl::NotFoundError("no WireGuard device has the peer's address");
}

}  // namespace

absl::StatusOr<std::unique_ptr<WireguardPeers>> WireguardPeers::Create(
    const WireguardPeersOptions& options) {
  if (options.devices.empty()) {
    return absl::InvalidArgumentError("no device is named; name those that are WireGuard's");
  }
  for (const std::string& device : options.devices) {
    if (!socket_internal::IsDeviceName(device)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`", Printable(device), "` cannot be the name of a device; write one such as `wg0`"));
    }
  }
  for (const auto& [key, name] : options.names) {
    if (!socket_internal::ParseBase64Key(key).has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(key), "` is not a public key; write it as `wg show` does"));
    }
    const std::string_view defect =
        name.find(':') != std::string::npos ? "it has a colon" : DefectOf(EntityView{"host", name});
    if (!defect.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(name), "` cannot be the name of a host: ",
                       absl::string_view(defect.data(), defect.size()), "; rename it"));
    }
  }
  if (options.run_directory.empty() || options.run_directory[0] != '/' ||
      options.run_directory.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the run directory must be an absolute path");
  }
  if (options.deadline <= absl::ZeroDuration() || options.deadline > absl::Hours(1)) {
    return absl::InvalidArgumentError("the deadline must be above 0 and at most an hour");
  }
  return std::unique_ptr<WireguardPeers>(new WireguardPeers(options));
}

absl::StatusOr<PeerIdentity> WireguardPeers::Identify(const SocketPeer& peer) const {
  if ((peer.family != AF_INET && peer.family != AF_INET6) || peer.peer_is_local) {
    return absl::NotFoundError("the peer is on this machine");
  }
  const Deadline deadline(options_.deadline);
  // By index, as the kernel has it, and not by name (SO_BINDTODEVICE): since Linux 5.1.
  int bound = 0;
  socklen_t size = sizeof(bound);
  if (getsockopt(peer.fd, SOL_SOCKET, SO_BINDTOIFINDEX, &bound, &size) != 0) {
    return MakePeerError(
        PeerError::kUnavailable,
        absl::StrCat("the kernel did not tell the device of the socket: ", std::strerror(errno)));
  }
  if (bound > 0) {
    const absl::StatusOr<DeviceLink> link =
        socket_internal::FindDevice(peer.fd, static_cast<uint32_t>(bound), "");
    // It may have been one of those listed.
    if (absl::IsNotFound(link.status())) {
      return MakePeerError(PeerError::kUnavailable,
                           absl::StrCat(link.status().message(),
                                        " any more, and the socket is bound to it; make it anew"));
    }
    if (!link.ok()) return link.status();
    if (std::find(options_.devices.begin(), options_.devices.end(), link->name) !=
        options_.devices.end()) {
      return IdentifyBound(peer, *link, options_, deadline);
    }
  }
  return IdentifyUnbound(peer, options_, deadline);
}

}  // namespace reeve
