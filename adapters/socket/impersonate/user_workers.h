// Opening files as users of this machine, by processes that are theirs.
//
//   // In main(), before threads and before keys are read:
//   absl::StatusOr<std::unique_ptr<UserWorkers>> workers = UserWorkers::Start({});
//   ...
//   absl::StatusOr<UserFile> file = (*workers)->Open(identity, path);
//   if (!file.ok()) ...          // nobody could be asked
//   if (file->fd() < 0) ...      // file->error(): the user may not, or it is not there
//
// A worker is the user for good: all ids and groups are the user's, it has no capability and no way
// to any, and holds no descriptor and none of the server's recent memory. A name that an attacker
// chose can do nothing there that the user could not do, and hold up nobody but that user. Prefer
// it to RunAs() (run_as.h) for all names that come from outside.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_WORKERS_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_WORKERS_H_

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {

// What open(2) answered: a descriptor, or why not. That a user may not open a file is an answer,
// and no error of UserWorkers.
//
// One thread at a time.
class [[nodiscard]] UserFile {
 public:
  // Owned, and closed with this; -1 if there is none. Close-on-exec.
  int fd() const { return fd_; }
  // 0, or the errno of open(2): ENOENT, EACCES, ELOOP...
  int error() const { return error_; }
  // The descriptor, which is now the caller's.
  int Release();

  UserFile(UserFile&& other) noexcept;
  UserFile& operator=(UserFile&& other) noexcept;
  ~UserFile();

 private:
  friend class UserWorkers;
  UserFile(int fd, int error) : fd_(fd), error_(error) {}

  int fd_;
  int error_;
};

// RESOLVE_NO_MAGICLINKS of <linux/openat2.h>.
inline constexpr uint64_t kResolveNoMagicLinks = 0x02;

// How to open; open(2) and openat2(2).
struct OpenHow {
  // O_RDONLY, O_WRONLY or O_RDWR, with any of O_APPEND, O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL,
  // O_NOATIME, O_NOFOLLOW, O_NONBLOCK, O_SYNC, O_TMPFILE, O_TRUNC. O_CLOEXEC and O_NOCTTY are
  // always set. Not O_PATH, which the server could turn into more than the user may.
  int flags = O_RDONLY;
  // Of a new file, less Options::umask. 0 without O_CREAT or O_TMPFILE.
  mode_t mode = 0;
  // RESOLVE_* of <linux/openat2.h>: how names are followed. 0 also works before Linux 5.6; with
  // others the answer there is ENOSYS.
  uint64_t resolve = kResolveNoMagicLinks;
  // Where a relative path begins; not owned. With RESOLVE_BENEATH or RESOLVE_IN_ROOT nothing
  // outside of it is opened. The user reaches it by this descriptor, whatever lies above it. -1:
  // the path is absolute.
  int directory = -1;
};

// One process per user, made when first needed, and one that makes them.
//
// Thread-safe. Neither copied nor moved. Not for use in a child that the server forks: Open() there
// is FailedPrecondition.
//
// All of the processes end with this, and when the server ends, however it does; but where a child
// that the server forked has kept its descriptors, and did not execute a program, not before that
// child. SIGINT, SIGTERM, SIGHUP and SIGQUIT, which are sent to all processes of a terminal or a
// service, leave them to the server.
class UserWorkers {
 public:
  struct Options {
    // The most workers at once; beyond it the one that was idle for longest ends. From 1 to 4096.
    // Users whose workers are all held up, by a file system that hangs or by their owners, fill as
    // many places for up to `timeout`.
    size_t max_workers = 32;
    // The most that Open() waits: for a worker to be idle, to start, and to answer. Positive.
    absl::Duration timeout = absl::Seconds(5);
    // Of the workers; the server's own has no part.
    mode_t umask = 0077;
  };

  // Forks the process that will make the workers. It and they are copies of this process as it is
  // now: call this before anything is in memory that users should not get hold of by a flaw of the
  // kernel or of this code, and before there are threads, which may hold locks that fork(2) takes
  // (pthread_atfork(3)). A server may drop its own rights afterwards, all of them: those of the
  // process that makes workers are what counts. Whoever controls the server can then still act as
  // any user but root.
  //
  // The process is a child of this one: a wait(2) for any child may report it when it ends.
  //
  // Errors: InvalidArgument     `options` breaks a rule stated above
  //         Unavailable         no memory, processes or descriptors
  static absl::StatusOr<std::unique_ptr<UserWorkers>> Start(const Options& options);

  // Ends all processes. No call may be under way.
  ~UserWorkers();
  UserWorkers(const UserWorkers&) = delete;
  UserWorkers& operator=(const UserWorkers&) = delete;

  // Opens `path` as `identity`. A worker serves one uid with one gid and one set of groups; who is
  // the same user with other groups gets another.
  //
  // What comes back is of the kind that was asked for (reading or writing), and was sent by a
  // process of that uid and gid, by the kernel's word. A user who has taken a worker over could
  // send any such descriptor that he has: look at it by fstat(2) where it matters what it is. The
  // path may lead to a FIFO or a device; a regular file was meant where fstat(2) says so.
  //
  // Errors, after which the file may have been created, but for the first:
  //   InvalidArgument     `identity` is none that RunAs() acts for; `path` is empty, has a NUL, is
  //                       longer than PATH_MAX, or is relative without a directory; `how` has
  //                       another flag than those above
  //   FailedPrecondition  workers cannot become users: Start() was called without CAP_SETUID and
  //                       CAP_SETGID, or the user namespace does not map an id; or this is a forked
  //                       child
  //   Unavailable         the worker did not answer in time, or ended, or answered out of form; it
  //                       is ended, and the next call makes a new one; or all workers were busy, or
  //                       could not be made
  // Calls for one identity are served one after the other; another's do not wait for them.
  absl::StatusOr<UserFile> Open(const UnixIdentity& identity, std::string_view path,
                                const OpenHow& how = OpenHow());

  // Ends the workers of `uid`, each as soon as it is idle: for users who were deleted or lost a
  // group. Nothing else is remembered of a user: an identity is as given with each call.
  void Forget(uid_t uid);

  // Workers now.
  size_t size() const;

 private:
  class Pool;

  explicit UserWorkers(std::unique_ptr<Pool> pool);

  const std::unique_ptr<Pool> pool_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_WORKERS_H_
