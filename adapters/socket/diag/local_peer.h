// Who on this machine owns the other end of a TCP or UDP socket. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_DIAG_LOCAL_PEER_H_
#define REEVE_ADAPTERS_SOCKET_DIAG_LOCAL_PEER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_source.h"

namespace reeve::socket_internal {

struct LocalPeer {
  uid_t uid;
  std::string evidence;  // "uid=1000 inode=4711 cgroup=52 peer=127.0.0.1:5000"
};

// Whether `address` is one of this machine's, in the network namespace of `fd`: what it sends comes
// over the loopback device. Errors: kWrongNamespace, kUnavailable.
absl::StatusOr<bool> IsLocalAddress(int fd, const IpAddress& address);

// Who made the socket at the other end of a connected TCP socket, by five guards, each of which
// keeps a stranger out:
//   1. the socket that asks the kernel is of the same network namespace as `peer.fd`: the same
//      addresses in another one are somebody else's
//   2. the socket found has the ends that were asked for, and is not `peer.fd` itself
//   3. a process has it open (its inode is not 0), in state ESTABLISHED, FIN_WAIT1 or FIN_WAIT2:
//      what remains of a closed socket is said to be of uid 0
//   4. `peer.fd` was still connected after the kernel was asked: else the ends could have been
//      somebody's who came later
//   5. this user namespace maps the uid
// Of a connection that waits to be accepted, as clients see it, that is who made the socket that
// listens; the evidence then ends in "socket=listening".
// Errors: kNoToken (there is no such socket here), kStale, kWrongNamespace, kUnmapped,
// kUnavailable.
absl::StatusOr<LocalPeer> FindTcpPeer(const SocketPeer& peer);

// Who owns, now, the UDP socket that a datagram says it came from: by guards 1, 2, 3 without the
// state, and 5. That the datagram came from it is not shown.
// Errors: as FindTcpPeer(), and kUnproved if `peer.local` is no address.
absl::StatusOr<LocalPeer> FindUdpPeer(const SocketPeer& peer);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_DIAG_LOCAL_PEER_H_
