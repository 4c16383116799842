// What kind of socket a descriptor is, and the addresses that callers give with it: the checks that
// all calls of this folder share. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_SOCKET_KIND_H_
#define REEVE_ADAPTERS_SOCKET_SOCKET_KIND_H_

#include <sys/socket.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ip_address.h"

namespace reeve::socket_internal {

// kNotSocket, by errno.
absl::Status NotASocket(int fd);

// kType.
absl::Status WrongType(int fd, int type, int protocol);

// A socket option of SOL_SOCKET that is an int. Errors: kNotSocket.
absl::StatusOr<int> OptionOf(int fd, int option);

// SOCK_STREAM of TCP, SOCK_DGRAM of UDP, for a socket of AF_INET or AF_INET6. Errors: kNotSocket,
// kType.
absl::StatusOr<int> InetTypeOf(int fd);

// kFamily unless it is AF_INET or AF_INET6.
absl::Status CheckInetFamily(int fd, int family);

// The address of a datagram's peer, as the caller gives it for a socket of `family`. Errors:
// kAddressMissing, kAddressShort, kAddressFamily.
absl::StatusOr<IpEndpoint> GivenPeer(int family, const sockaddr* peer, socklen_t peer_size);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_SOCKET_KIND_H_
