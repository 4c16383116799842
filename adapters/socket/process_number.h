#ifndef REEVE_ADAPTERS_SOCKET_PROCESS_NUMBER_H_
#define REEVE_ADAPTERS_SOCKET_PROCESS_NUMBER_H_

#include <cstdint>
#include <optional>

namespace reeve {

// The number of the process of `pidfd` (pidfd_open(2)): the inode of the descriptor, unique to the
// process until the next boot, in every namespace, also when it has exited. Nothing if the kernel
// does not number processes: before Linux 6.9.
std::optional<uint64_t> ProcessNumberOf(int pidfd);

// The number of this process. Nothing also if no descriptor is left.
std::optional<uint64_t> OwnProcessNumber();

// Whether the process of `pidfd` still runs. It may end right after. Does not block.
bool IsRunning(int pidfd);

namespace socket_internal {

// Whether a pidfd has an inode of its own, which is so where it lies in pidfs.
bool LiesInPidfs(int pidfd);

}  // namespace socket_internal
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PROCESS_NUMBER_H_
