#include "reeve/adapters/socket/socket_kind.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {

absl::Status NotASocket(int fd) {
  return MakePeerError(PeerError::kNotSocket,
                       absl::StrCat("fd ", fd, " is not an open socket: ", std::strerror(errno),
                                    "; pass a connected one"));
}

absl::Status WrongType(int fd, int type, int protocol) {
  return MakePeerError(PeerError::kType,
                       absl::StrCat("fd ", fd, " is a socket of type ", type, " and protocol ",
                                    protocol, "; pass one of AF_UNIX, TCP or UDP"));
}

absl::StatusOr<int> OptionOf(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return NotASocket(fd);
  return value;
}

absl::StatusOr<int> InetTypeOf(int fd) {
  const absl::StatusOr<int> type = OptionOf(fd, SO_TYPE);
  if (!type.ok()) return type.status();
  const absl::StatusOr<int> protocol = OptionOf(fd, SO_PROTOCOL);
  if (!protocol.ok()) return protocol.status();
  if ((*type == SOCK_STREAM && *protocol == IPPROTO_TCP) ||
      (*type == SOCK_DGRAM && *protocol == IPPROTO_UDP)) {
    return *type;
  }
  return WrongType(fd, *type, *protocol);
}

absl::Status CheckInetFamily(int fd, int family) {
  if (family == AF_INET || family == AF_INET6) return absl::OkStatus();
  return MakePeerError(PeerError::kFamily,
                       absl::StrCat("fd ", fd, " is a socket of address family ", family,
                                    "; pass one of AF_UNIX, AF_INET or AF_INET6"));
}

absl::StatusOr<IpEndpoint> GivenPeer(int family, const sockaddr* peer, socklen_t peer_size) {
  if (peer == nullptr) {
    return MakePeerError(PeerError::kAddressMissing,
                         "the peer's address is missing; pass what recvfrom() told, or where to "
                         "send");
  }
  const size_t needed = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (peer_size < sizeof(sa_family_t) || (peer->sa_family == family && peer_size < needed)) {
    return MakePeerError(PeerError::kAddressShort,
                         absl::StrCat("the address has ", peer_size, " bytes and needs ", needed,
                                      "; pass its whole size"));
  }
  const std::optional<IpEndpoint> sender =
      peer->sa_family == family ? IpEndpoint::From(peer, peer_size) : std::nullopt;
  if (!sender.has_value()) {
    return MakePeerError(
        PeerError::kAddressFamily,
        absl::StrCat("the address is of family ", peer->sa_family, " and the socket of ", family,
                     "; pass what recvfrom() told, or where to send"));
  }
  return *sender;
}

}  // namespace reeve::socket_internal
