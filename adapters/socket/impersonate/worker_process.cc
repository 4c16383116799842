#include "adapters/socket/impersonate/worker_process.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reeve {
namespace impersonate_internal {
namespace {

constexpr int kLastSignal = 64;
constexpr int kWorkerFiles = 16;

// Closes all descriptors from `first` to `last`.
void CloseRange(unsigned first, unsigned last) {
  if (first > last) return;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, last, 0) == 0) return;
#endif
  rlimit limit;
  const rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 1 << 20;
  for (unsigned fd = first; fd <= last && fd < end; ++fd) close(static_cast<int>(fd));
}

// Closes all descriptors but two, and those below `first`.
void CloseAllBut(int a, int b, unsigned first) {
  const unsigned low = static_cast<unsigned>(std::min(a, b));
  const unsigned high = static_cast<unsigned>(std::max(a, b));
  if (low > first) CloseRange(first, low - 1);
  CloseRange(std::max(low + 1, first), high - 1);
  CloseRange(std::max(high + 1, first), ~0U);
}

// Nothing of the server's: not its handlers, not its mask. What ends a terminal's or a service's
// processes leaves these to the server, which may yet have requests to answer.
void ResetSignals() {
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    struct sigaction action = {};
    action.sa_handler = SIG_IGN;
    sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// From now on this process ends when anything happens at the other end of `leash`. As who it is
// now: the kernel asks whether that user may signal it.
bool TieTo(int leash) {
  if (fcntl(leash, F_SETOWN, getpid()) != 0 || fcntl(leash, F_SETSIG, SIGKILL) != 0 ||
      fcntl(leash, F_SETFL, O_ASYNC | O_NONBLOCK) != 0) {
    return false;
  }
  // What happened before.
  pollfd look = {leash, POLLIN, 0};
  return poll(&look, 1, 0) == 0;
}

// ---- The worker.

int OpenAt2(int directory, const char* path, const OpenRequest& request) {
  open_how how = {};
  how.flags = request.flags;
  how.mode = request.mode;
  how.resolve = request.resolve;
  const long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
  if (fd >= 0 || errno != ENOSYS || request.resolve != 0) return static_cast<int>(fd);
  return openat(directory, path, static_cast<int>(request.flags),
                static_cast<mode_t>(request.mode));
}

[[noreturn]] void Serve(int socket) {
  while (true) {
    OpenRequest request;
    char path[PATH_MAX];
    Packet packet = Receive(socket, &request, sizeof(request), path, sizeof(path), 0);
    if (packet.size <= 0) _exit(0);
    const size_t size = static_cast<size_t>(packet.size);
    if (packet.cut || size <= sizeof(request) || size >= sizeof(request) + sizeof(path) ||
        packet.fd_count > 1) {
      _exit(2);
    }
    path[size - sizeof(request)] = '\0';
    const int fd = OpenAt2(packet.fd_count == 1 ? packet.fds[0] : AT_FDCWD, path, request);
    const OpenReply reply = {request.number, fd < 0 ? errno : 0, 0};
    const int sent = Send(socket, &reply, sizeof(reply), nullptr, 0, &fd, fd < 0 ? 0 : 1, 0);
    if (sent != 0) _exit(0);
    if (fd >= 0) close(fd);
    packet.CloseAll();
  }
}

[[noreturn]] void GiveUp(int socket, Ready::Stage stage, int error) {
  const Ready ready = {stage, error};
  Send(socket, &ready, sizeof(ready), nullptr, 0, nullptr, 0, MSG_DONTWAIT);
  _exit(1);
}

// Whether this process is in these groups and no others. They are sorted; those of the kernel too,
// but by other numbers if this is not the first user namespace.
bool IsInGroups(const gid_t* groups, size_t count) {
  const long now = syscall(SYS_getgroups, 0, nullptr);
  if (now < 0 || static_cast<size_t>(now) != count) return false;
  if (count == 0) return true;
  void* const memory = mmap(nullptr, count * sizeof(gid_t), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* const told = static_cast<gid_t*>(memory);
  bool same = syscall(SYS_getgroups, count, told) == static_cast<long>(count);
  if (same) std::sort(told, told + count);
  same = same && std::equal(told, told + count, groups);
  munmap(memory, count * sizeof(gid_t));
  return same;
}

bool Limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit = {value, value};
  return setrlimit(resource, &limit) == 0;
}

// Becomes the user for good; then serves.
[[noreturn]] void RunWorker(const Spawn& spawn, int socket, int leash, int groups_file) {
  const gid_t* groups = nullptr;
  const size_t groups_size = spawn.group_count * sizeof(gid_t);
  if (spawn.group_count != 0) {
    void* const memory = mmap(nullptr, groups_size, PROT_READ, MAP_PRIVATE, groups_file, 0);
    if (memory == MAP_FAILED) GiveUp(socket, Ready::kGroups, errno);
    groups = static_cast<gid_t*>(memory);
  }
  prctl(PR_SET_NAME, "reeve-worker");
  CloseAllBut(socket, leash, 3);
  umask(static_cast<mode_t>(spawn.umask));
  // While it is allowed; where it is not, no_new_privs below still bars what these would allow.
  for (int capability = 0; capability < 64; ++capability) prctl(PR_CAPBSET_DROP, capability);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // No process, no core dump, no file that grows, and few files at once.
  if (!Limit(RLIMIT_NPROC, 0) || !Limit(RLIMIT_CORE, 0) || !Limit(RLIMIT_FSIZE, 0) ||
      !Limit(RLIMIT_NOFILE, kWorkerFiles) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    GiveUp(socket, Ready::kConfine, errno);
  }
  if (syscall(SYS_setgroups, spawn.group_count, groups) != 0) {
    GiveUp(socket, Ready::kGroups, errno);
  }
  if (syscall(SYS_setresgid, spawn.gid, spawn.gid, spawn.gid) != 0) {
    GiveUp(socket, Ready::kGid, errno);
  }
  if (syscall(SYS_setresuid, spawn.uid, spawn.uid, spawn.uid) != 0) {
    GiveUp(socket, Ready::kUid, errno);
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) GiveUp(socket, Ready::kCapabilities, errno);
  // Else the user could trace it, and read what the server had in its memory.
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || !TieTo(leash)) GiveUp(socket, Ready::kConfine, errno);

  uid_t uids[3];
  gid_t gids[3];
  bool is_user = getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
                 getresgid(&gids[0], &gids[1], &gids[2]) == 0 &&
                 syscall(SYS_capget, &header, none) == 0 && prctl(PR_GET_DUMPABLE) == 0 &&
                 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
                 IsInGroups(groups, spawn.group_count);
  for (int i = 0; i < 3; ++i) is_user = is_user && uids[i] == spawn.uid && gids[i] == spawn.gid;
  for (const auto& word : none) {
    is_user = is_user && word.effective == 0 && word.permitted == 0 && word.inheritable == 0;
  }
  if (!is_user) GiveUp(socket, Ready::kVerify, 0);
  if (groups != nullptr) munmap(const_cast<gid_t*>(groups), groups_size);
  const Ready ready = {Ready::kDone, 0};
  if (Send(socket, &ready, sizeof(ready), nullptr, 0, nullptr, 0, 0) != 0) _exit(0);
  Serve(socket);
}

bool IsWellFormed(const Spawn& spawn, const Packet& packet) {
  return packet.size == sizeof(spawn) && !packet.cut && spawn.uid != 0 &&
         spawn.uid != static_cast<uid_t>(-1) && spawn.gid != static_cast<gid_t>(-1) &&
         spawn.group_count <= NGROUPS_MAX && packet.fd_count == (spawn.group_count == 0 ? 2u : 3u);
}

}  // namespace

void Packet::CloseAll() {
  while (fd_count > 0) close(fds[--fd_count]);
}

int Send(int socket, const void* head, size_t head_size, const void* body, size_t body_size,
         const int* fds, size_t fd_count, int flags) {
  iovec parts[2] = {{const_cast<void*>(head), head_size}, {const_cast<void*>(body), body_size}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = body_size == 0 ? 1 : 2;
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* const item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(item), fds, sizeof(int) * fd_count);
  }
  while (sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Packet Receive(int socket, void* head, size_t head_size, void* body, size_t body_size, int flags) {
  iovec parts[2] = {{head, head_size}, {body, body_size}};
  alignas(
      cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors) + CMSG_SPACE(sizeof(ucred))];
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = body_size == 0 ? 1 : 2;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  Packet packet;
  do {
    packet.size = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (packet.size < 0 && errno == EINTR);
  if (packet.size < 0) {
    packet.error = errno;
    return packet;
  }
  packet.cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    const size_t size = item->cmsg_len - CMSG_LEN(0);
    if (item->cmsg_type == SCM_CREDENTIALS && size == sizeof(ucred)) {
      std::memcpy(&packet.sender, CMSG_DATA(item), sizeof(ucred));
      packet.has_sender = true;
    } else if (item->cmsg_type == SCM_RIGHTS) {
      for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(item) + at, sizeof(int));
        if (packet.fd_count < kMaxDescriptors) {
          packet.fds[packet.fd_count++] = fd;
        } else {
          close(fd);
          packet.cut = true;
        }
      }
    }
  }
  return packet;
}

void RunBroker(int socket, int leash) {
  prctl(PR_SET_NAME, "reeve-broker");
  ResetSignals();
  // Workers that ended need nobody to ask how.
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  action.sa_flags = SA_NOCLDWAIT;
  sigaction(SIGCHLD, &action, nullptr);
  setsid();
  if (chdir("/") != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) _exit(1);
  CloseAllBut(socket, leash, 0);
  while (true) {
    const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) _exit(1);
    if (fd > STDERR_FILENO) {
      close(fd);
      break;
    }
  }
  if (!TieTo(leash)) _exit(0);
  while (true) {
    Spawn spawn;
    Packet packet = Receive(socket, &spawn, sizeof(spawn), nullptr, 0, 0);
    if (packet.size <= 0) _exit(0);
    if (IsWellFormed(spawn, packet)) {
      const pid_t worker = fork();
      if (worker == 0) {
        struct sigaction by_default = {};
        by_default.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &by_default, nullptr);
        RunWorker(spawn, packet.fds[0], packet.fds[1], packet.fd_count == 3 ? packet.fds[2] : -1);
      }
      if (worker < 0) {
        const Ready ready = {Ready::kFork, errno};
        Send(packet.fds[0], &ready, sizeof(ready), nullptr, 0, nullptr, 0, MSG_DONTWAIT);
      }
    }
    packet.CloseAll();
  }
}

}  // namespace impersonate_internal
}  // namespace reeve
