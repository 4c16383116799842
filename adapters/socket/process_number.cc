#include "reeve/adapters/socket/process_number.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace reeve {

namespace socket_internal {

bool LiesInPidfs(int pidfd) {
  constexpr long kPidfsMagic = 0x50494446;  // linux/magic.h, PID_FS_MAGIC
  // Asked once: no kernel changes this while it runs.
  static const bool lies = [pidfd] {
    struct statfs fs;
    return fstatfs(pidfd, &fs) == 0 && fs.f_type == kPidfsMagic;
  }();
  return lies;
}

}  // namespace socket_internal

std::optional<uint64_t> ProcessNumberOf(int pidfd) {
  struct stat file;
  if (!socket_internal::LiesInPidfs(pidfd) || fstat(pidfd, &file) != 0) return std::nullopt;
  return file.st_ino;
}

std::optional<uint64_t> OwnProcessNumber() {
  // The C library of Debian 12 has a wrapper; older ones do not.
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (pidfd < 0) return std::nullopt;
  const std::optional<uint64_t> number = ProcessNumberOf(pidfd);
  close(pidfd);
  return number;
}

bool IsRunning(int pidfd) {
  pollfd poller = {pidfd, POLLIN, 0};
  int ready;
  do {
    ready = poll(&poller, 1, 0);
  } while (ready < 0 && errno == EINTR);
  // A pidfd becomes readable when its process exits (pidfd_open(2)). What fails shows no life.
  return ready == 0;
}

}  // namespace reeve
