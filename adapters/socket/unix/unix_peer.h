// What the kernel says of the other end of an AF_UNIX socket. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_UNIX_UNIX_PEER_H_
#define REEVE_ADAPTERS_SOCKET_UNIX_UNIX_PEER_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/kernel_user.h"
#include "reeve/adapters/socket/socket_origin.h"
#include "reeve/adapters/socket/unix/kernel.h"

namespace reeve::socket_internal {

struct UnixPeer {
  KernelUser user;
  pid_t pid = 0;
  int pidfd = -1;                          // Owned by who called; -1 if there is none.
  std::optional<uint64_t> process_number;  // Of the pidfd, if it has one.
  bool exited = false;                     // Known to have; says nothing without a pidfd otherwise.
  std::string evidence;                    // "pid=812 uid=1000 gid=1000 pidfd=4711 socket=pair"
};

// Of a stream or seqpacket socket, which need not be connected. `named`: getsockname(2) tells a
// name.
absl::StatusOr<UnixPeer> PeerOfUnixSocket(const Kernel& kernel, int fd, bool named,
                                          SocketOrigin origin);

// Of who sent a message, by its control data.
absl::StatusOr<UnixPeer> SenderOfUnixMessage(const Kernel& kernel, const msghdr& message);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_UNIX_UNIX_PEER_H_
