// The questions whose answers depend on the age of the kernel, so that tests can answer it as an
// older one does. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_UNIX_KERNEL_H_
#define REEVE_ADAPTERS_SOCKET_UNIX_KERNEL_H_

#include <sys/socket.h>

#include "absl/status/statusor.h"

namespace reeve {

class PeerToken;
struct PeerOptions;

namespace socket_internal {

// The running kernel may be newer than the headers that this is built with. The numbers are those
// of all architectures but parisc and sparc, which need headers that have them.
#if defined(SO_PEERPIDFD) && defined(SO_PASSPIDFD) && defined(SCM_PIDFD)
inline constexpr int kPeerPidfd = SO_PEERPIDFD;
inline constexpr int kPassPidfd = SO_PASSPIDFD;
inline constexpr int kScmPidfd = SCM_PIDFD;
#elif defined(__hppa__) || defined(__sparc__)
#error "SO_PEERPIDFD is not defined; build with headers of Linux 6.5 or later"
#else
inline constexpr int kPeerPidfd = 77;  // Since Linux 6.5, all three.
inline constexpr int kPassPidfd = 76;
inline constexpr int kScmPidfd = 4;
#endif

struct Kernel {
  int (*getsockopt)(int fd, int level, int option, void* value, socklen_t* size);
  // Whether a pidfd has an inode of its own, which is so where it lies in pidfs. Since Linux 6.9.
  bool (*has_pidfs)(int pidfd);

  static const Kernel kRunning;
};

}  // namespace socket_internal

// PeerToken::FromSocket() on another kernel.
absl::StatusOr<PeerToken> FromSocketBy(const socket_internal::Kernel& kernel, int fd,
                                       const sockaddr* peer, socklen_t peer_size,
                                       const PeerOptions& options);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_UNIX_KERNEL_H_
