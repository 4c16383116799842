// A socket as the kernel's table of them has it (sock_diag(7)). Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_DIAG_INET_SOCKET_H_
#define REEVE_ADAPTERS_SOCKET_DIAG_INET_SOCKET_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/netlink/netlink.h"

namespace reeve::socket_internal {

struct InetSocket {
  uint8_t state = 0;    // TCP_ESTABLISHED...
  IpEndpoint local;     // :: or 0.0.0.0 if it is bound to no address
  IpEndpoint remote;    // Zeros if it is not connected.
  uint32_t inode = 0;   // 0 if no process has it open: its owner has closed it.
  uid_t uid = 0;        // Of who made it. 0, whoever made it, if the inode is 0.
  uint64_t cgroup = 0;  // The inode of the control group that it was made in; 0 if not told.
};

// The body of an answer; nothing if it is malformed.
std::optional<InetSocket> ParseInetSocket(Bytes body);

// Asks for the one socket with these ends, as that socket has them. `protocol` is IPPROTO_TCP or
// IPPROTO_UDP; both ends are of one family. Returns 0 or an errno: ENOENT if there is none.
// The kernel may answer with a socket of other ends: a listening one, or one bound to no address.
int FindInetSocket(Netlink& netlink, int protocol, const IpEndpoint& local,
                   const IpEndpoint& remote, InetSocket* socket);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_DIAG_INET_SOCKET_H_
