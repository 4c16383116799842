// Doing something as a user of this machine, on this thread: the kernel, not this program, says
// what the user may touch.
//
//   absl::StatusOr<int> fd = RunAs(identity, [&] { return open(path, O_RDONLY | O_CLOEXEC); });
//   if (!fd.ok()) ...     // could not become the user
//   if (*fd < 0) ...      // errno: the user may not, or it is not there
//
// It keeps an honest server from lending its rights (the "confused deputy"); it is no sandbox: the
// thread keeps the right to return, and code that an attacker runs inside would use it. For names
// that an attacker chose prefer UserWorkers (user_workers.h), which costs about the same.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATE_RUN_AS_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATE_RUN_AS_H_

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {

namespace impersonate_internal {

// What RunAs() returns for a callback that returns T.
template <typename T>
struct ResultOf {
  static_assert(!std::is_reference_v<T>, "return a value or a pointer");
  using Type = absl::StatusOr<T>;
};
template <>
struct ResultOf<void> {
  using Type = absl::Status;
};
template <>
struct ResultOf<absl::Status> {
  using Type = absl::Status;
};
template <typename T>
struct ResultOf<absl::StatusOr<T>> {
  using Type = absl::StatusOr<T>;
};

// noexcept is part of the type: what is thrown inside ends the process before it unwinds into code
// that takes itself for the server's.
using Body = void (*)(void* context) noexcept;

absl::Status RunAs(const UnixIdentity& identity, Body body, void* context);

}  // namespace impersonate_internal

// Runs `callback` while this thread, and no other, has the effective uid and gid, the supplementary
// groups and, by the uid, the file system ids of `identity`, and no effective capability; then
// makes the thread what it was. The real and saved ids stay the server's, so that the user can
// neither signal nor trace it.
//
// Returns what the callback returned: T as StatusOr<T>, void as Status; Status and StatusOr<T> as
// they are. errno is as the callback left it.
//
// What goes by the real ids is therefore not the user's: kill(2) is allowed what the server's real
// uid is, and access(2) answers for the server. Open the file, or use faccessat() with AT_EACCESS.
//
// Errors, of which each says that the callback did not run and that the thread is as before:
//   InvalidArgument     the uid is 0, or a uid or gid is -1 or an overflow id (65534), which may
//                       stand for any user; there are more groups than NGROUPS_MAX
//   FailedPrecondition  this thread is already acting for a user; it lacks CAP_SETUID or
//   CAP_SETGID;
//                       its file system ids differ from the effective ones, or it has a group that
//                       is not mapped, so that they could not be restored; the user namespace lacks
//                       an id of `identity`; a seccomp filter or a security module stopped it
//   Unavailable         no memory
// A server need not be root: CAP_SETUID and CAP_SETGID are enough, to enter.
//
// Group 0, root's, is taken where the identity has it: the kernel says that the user is in that
// group, which gives access to its files, and no capability. A server whose own files are open to
// group root should not serve such users.
//
// A thread that cannot become the server again must not go on. One line on standard error, and
// abort(), if any of these is so afterwards:
//   - a system call of the way back failed, or the ids, groups or capabilities are not the former
//   - another thread or process returns from the callback than called it
//   - the callback throws, or its thread is ended by pthread_exit() or pthread_cancel()
//   - fork() inside: the child aborts, for it has the user's ids and the server's right to return
//
// What must not happen inside, for it outlasts the call or escapes it:
//   - a new thread (std::thread, std::async, aio_read(3), a library's): it is the user's for ever
//   - vfork(), posix_spawn(), exec: the program comes up with the real uid, as root if that is 0
//   - suspension of a coroutine or fiber; longjmp() out of the callback; exit()
//   - user and group look-ups (NSS, getpwuid_r()), whose libraries keep sockets and files open
//   - logging to files that are opened when first written
//   - io_uring rings that others submit to, which act for whom they were made
//   - loading of shared libraries (also by first use: iconv, NSS), from where the user may write
// InImpersonation() lets code that does such things assert that it is not inside.
//
// What must not happen anywhere in the process while any thread is inside: a glibc call of the
// family of setuid(), seteuid(), setresgid() or setgroups(). They change all threads by a signal,
// and abort the process if one of them cannot follow; one that can, as to seteuid(0), is the server
// again while it is inside; nptl(7). Make them before the first RunAs().
//
// Each call makes the process undumpable, and leaves it so (prctl(2), PR_SET_DUMPABLE; to the value
// of /proc/sys/fs/suid_dumpable): no core dumps, no tracing by its own user, and /proc/self is
// root's. It is not restored, since other threads may be inside. A server that wants its dumps may
// call prctl() when none is.
//
// Source: credentials(7), capabilities(7), setresuid(2), fork(2); run_as_test.cc checks all that is
// said here but the lists of what must not happen, of which it checks fork() and seteuid().
//
// Thread-safe; the callback runs on the calling thread. Does not allocate for a callback whose
// result does not, unless there are more than 64 groups.
template <typename F>
typename impersonate_internal::ResultOf<std::invoke_result_t<F&>>::Type RunAs(
    const UnixIdentity& identity, F&& callback) {
  using Result = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<Result>) {
    using Callback = std::remove_reference_t<F>;
    return impersonate_internal::RunAs(
        identity, [](void* context) noexcept { std::invoke(*static_cast<Callback*>(context)); },
        const_cast<void*>(static_cast<const void*>(std::addressof(callback))));
  } else {
    struct Call {
      std::remove_reference_t<F>& callback;
      std::optional<Result> result;
    } call{callback, std::nullopt};
    const absl::Status entered = impersonate_internal::RunAs(
        identity,
        [](void* context) noexcept {
          auto& call = *static_cast<Call*>(context);
          call.result.emplace(std::invoke(call.callback));
        },
        &call);
    if (!entered.ok()) return entered;
    return *std::move(call.result);
  }
}

// Whether this thread is inside RunAs(). For assertions in code that must not run there. Costs a
// load; async-signal-safe.
bool InImpersonation();

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATE_RUN_AS_H_
