// Entering and leaving, in one order: whoever may do more is changed last on the way in, and first
// on the way back.
//
//   in:    groups, gid, uid, capabilities; then look
//   back:  capabilities, uid, capabilities, gid, groups; then look
//
// Capabilities come first on the way back for a server that is not root, which needs them for the
// rest; and again after the uid, for the kernel changes them as a uid 0 comes or goes
// (capabilities(7), "Effect of user ID changes on capabilities").
//
// All by raw system calls, which change one thread: glibc's wrappers change all of them.
#include "reeve/adapters/socket/impersonate/run_as.h"

#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "adapters/socket/impersonate/identity_check.h"
#include "reeve/adapters/socket/kernel_user.h"

namespace reeve {
namespace {

using impersonate_internal::CheckIdentity;

constexpr uid_t kNoChange = static_cast<uid_t>(-1);

// The uid that this thread acts for; 0, for which none acts, outside. Volatile for the handlers of
// signals.
thread_local volatile uid_t t_acting_for = 0;

using Groups = absl::InlinedVector<gid_t, 64>;

// Async-signal-safe, and without locks: in a forked child any other thread may have held one.
[[noreturn]] void Die(const char* what, int error) {
  char text[200];
  size_t size = 0;
  const auto add = [&](const char* part) {
    for (; *part != '\0' && size + 1 < sizeof(text); ++part) text[size++] = *part;
  };
  add("reeve: acting for a user: ");
  add(what);
  if (error != 0) {
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    for (unsigned rest = static_cast<unsigned>(error); rest != 0; rest /= 10) {
      digits[--at] = static_cast<char>('0' + rest % 10);
    }
    add(": errno ");
    add(digits + at);
  }
  add("; aborting, so as not to go on as the wrong user\n");
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, text, size);
  std::abort();
}

struct Capabilities {
  __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {};

  bool Has(int capability) const {
    return (words[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  }
  bool operator==(const Capabilities& other) const {
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
      if (words[i].effective != other.words[i].effective ||
          words[i].permitted != other.words[i].permitted ||
          words[i].inheritable != other.words[i].inheritable) {
        return false;
      }
    }
    return true;
  }
};

bool Get(Capabilities* capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capget, &header, capabilities->words) == 0;
}

bool Set(const Capabilities& capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, capabilities.words) == 0;
}

// The three uids and gids of a thread, and the two that the kernel looks at when it opens files.
struct Ids {
  uid_t uid[3];
  gid_t gid[3];
  uid_t fsuid;
  gid_t fsgid;

  bool operator==(const Ids& other) const {
    return std::equal(uid, uid + 3, other.uid) && std::equal(gid, gid + 3, other.gid) &&
           fsuid == other.fsuid && fsgid == other.fsgid;
  }
};

bool Get(Ids* ids) {
  if (syscall(SYS_getresuid, &ids->uid[0], &ids->uid[1], &ids->uid[2]) != 0) return false;
  if (syscall(SYS_getresgid, &ids->gid[0], &ids->gid[1], &ids->gid[2]) != 0) return false;
  // To set -1 changes nothing, and tells what it is; setfsuid(2).
  ids->fsuid = static_cast<uid_t>(syscall(SYS_setfsuid, kNoChange));
  ids->fsgid = static_cast<gid_t>(syscall(SYS_setfsgid, kNoChange));
  return true;
}

// Allocates.
bool Get(Groups* groups) {
  const long count = syscall(SYS_getgroups, 0, nullptr);
  if (count < 0) return false;
  groups->resize(static_cast<size_t>(count));
  return syscall(SYS_getgroups, count, groups->data()) == count;
}

bool SetGroups(const Groups& groups) {
  return syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

// Whether the thread is in these groups, which are sorted. `buffer` has their size, or more.
bool InGroups(const Groups& sorted, Groups* buffer) {
  const long count = syscall(SYS_getgroups, buffer->size(), buffer->data());
  if (count < 0 || static_cast<size_t>(count) != sorted.size()) return false;
  // The kernel sorts them, by numbers that are not those of this user namespace.
  std::sort(buffer->begin(), buffer->begin() + count);
  return std::equal(sorted.begin(), sorted.end(), buffer->begin());
}

// A thread that acts for a user, and what it was before. A local of one function, on one thread.
class Acting {
 public:
  absl::Status Enter(const UnixIdentity& identity);
  // Returns as the former thread, or not at all.
  void Leave();

 private:
  // Notes what there is to go back to.
  absl::Status Note();
  absl::Status Switch(const UnixIdentity& identity);
  // How far Switch() came.
  enum Stage { kGroups, kGid, kUid };
  void GoBack(Stage stage);

  pid_t process_ = 0;
  pid_t thread_ = 0;
  Ids ids_;
  Capabilities capabilities_;
  Groups groups_;  // In the order of the kernel.
  Groups sorted_;
  Groups buffer_;  // Allocated here: nothing can fail on the way back that can fail before.
};

absl::Status NoWay(const char* call, int error, const char* advice) {
  const std::string message = absl::StrCat(call, ": ", std::strerror(error), "; ", advice);
  if (error == ENOMEM || error == EAGAIN) return absl::UnavailableError(message);
  return absl::FailedPreconditionError(message);
}

absl::Status Acting::Note() {
  process_ = static_cast<pid_t>(syscall(SYS_getpid));
  thread_ = static_cast<pid_t>(syscall(SYS_gettid));
  if (!Get(&ids_)) return NoWay("getresuid(2)", errno, "allow it");
  if (!Get(&capabilities_)) return NoWay("capget(2)", errno, "allow it");
  if (!Get(&groups_)) return NoWay("getgroups(2)", errno, "allow it");
  if (!capabilities_.Has(CAP_SETUID) || !capabilities_.Has(CAP_SETGID)) {
    const char* lacks = capabilities_.Has(CAP_SETUID)   ? "CAP_SETGID"
                        : capabilities_.Has(CAP_SETGID) ? "CAP_SETUID"
                                                        : "CAP_SETUID and CAP_SETGID";
    return absl::FailedPreconditionError(absl::StrCat(
        "this thread lacks ", lacks, ", without which it cannot act for another user; grant it"));
  }
  if (ids_.fsuid != ids_.uid[1] || ids_.fsgid != ids_.gid[1]) {
    return absl::FailedPreconditionError(
        "the file system ids of this thread are not its effective ids, which a switch makes them; "
        "undo the setfsuid(2)");
  }
  sorted_ = groups_;
  std::sort(sorted_.begin(), sorted_.end());
  for (const gid_t gid : groups_) {
    if (!socket_internal::IsMappedGroup(gid)) {
      return absl::FailedPreconditionError(
          absl::StrCat("this thread has the group `", gid,
                       "`, which may stand for one that is not mapped and could not be "
                       "restored; start the server without it"));
    }
  }
  return absl::OkStatus();
}

absl::Status Acting::Switch(const UnixIdentity& identity) {
  Groups wanted(identity.groups.begin(), identity.groups.end());
  buffer_.resize(std::max(wanted.size(), groups_.size()));
  constexpr char kAdvice[] =
      "see that the user namespace maps the user and the groups, and that no filter forbids it";
  if (!SetGroups(wanted)) return NoWay("setgroups(2)", errno, kAdvice);
  if (syscall(SYS_setresgid, kNoChange, identity.gid, kNoChange) != 0) {
    const int error = errno;
    GoBack(kGroups);
    return NoWay("setresgid(2)", error, kAdvice);
  }
  if (syscall(SYS_setresuid, kNoChange, identity.uid, kNoChange) != 0) {
    const int error = errno;
    GoBack(kGid);
    return NoWay("setresuid(2)", error, kAdvice);
  }
  Capabilities none = capabilities_;
  for (__user_cap_data_struct& word : none.words) word.effective = 0;
  if (!Set(none)) {
    const int error = errno;
    GoBack(kUid);
    return NoWay("capset(2)", error, kAdvice);
  }
  Ids ids = ids_;
  ids.uid[1] = ids.fsuid = identity.uid;
  ids.gid[1] = ids.fsgid = identity.gid;
  Ids ids_now;
  Capabilities capabilities_now;
  std::sort(wanted.begin(), wanted.end());
  if (!Get(&ids_now) || !(ids_now == ids) || !InGroups(wanted, &buffer_) ||
      !Get(&capabilities_now) || !(capabilities_now == none)) {
    GoBack(kUid);
    return absl::FailedPreconditionError(
        "the kernel said that it made this thread the user's, and did not; look for a seccomp "
        "filter or a security module");
  }
  return absl::OkStatus();
}

absl::Status Acting::Enter(const UnixIdentity& identity) {
  absl::Status status = CheckIdentity(identity);
  if (status.ok()) status = Note();
  if (!status.ok()) return status;
  t_acting_for = identity.uid;  // First, for a handler of a signal may fork.
  status = Switch(identity);
  if (!status.ok()) t_acting_for = 0;
  return status;
}

void Acting::GoBack(Stage stage) {
  // A failure of this one tells in what follows, or does not matter: who acted as root gets them
  // back with the uid.
  Set(capabilities_);
  if (stage >= kUid && syscall(SYS_setresuid, kNoChange, ids_.uid[1], kNoChange) != 0) {
    Die("setresuid(2) did not restore the uid", errno);
  }
  Capabilities capabilities;
  if (!Get(&capabilities)) Die("capget(2) did not tell the capabilities", errno);
  if (!(capabilities == capabilities_) && !Set(capabilities_)) {
    Die("capset(2) did not restore the capabilities", errno);
  }
  if (stage >= kGid && syscall(SYS_setresgid, kNoChange, ids_.gid[1], kNoChange) != 0) {
    Die("setresgid(2) did not restore the gid", errno);
  }
  if (!SetGroups(groups_)) Die("setgroups(2) did not restore the groups", errno);
  Ids ids;
  if (!Get(&ids) || !(ids == ids_)) Die("the ids are not the former ones", 0);
  if (!Get(&capabilities) || !(capabilities == capabilities_)) {
    Die("the capabilities are not the former ones", 0);
  }
  if (!InGroups(sorted_, &buffer_)) Die("the groups are not the former ones", 0);
}

void Acting::Leave() {
  if (syscall(SYS_getpid) != process_) Die("another process returns than began", 0);
  if (syscall(SYS_gettid) != thread_) Die("another thread returns than began", 0);
  GoBack(kUid);
  t_acting_for = 0;
}

void OnForkInChild() {
  if (t_acting_for != 0) Die("fork(2) inside", 0);
}

}  // namespace

namespace impersonate_internal {

absl::Status RunAs(const UnixIdentity& identity, Body body, void* context) {
  static const int registered = pthread_atfork(nullptr, nullptr, OnForkInChild);
  if (registered != 0) return NoWay("pthread_atfork(3)", registered, "free memory");
  if (t_acting_for != 0) {
    return absl::FailedPreconditionError(absl::StrCat("this thread is already acting for uid ",
                                                      static_cast<uid_t>(t_acting_for),
                                                      "; return from there first"));
  }
  Acting acting;
  absl::Status status = acting.Enter(identity);
  if (!status.ok()) return status;
  body(context);
  const int error = errno;
  acting.Leave();
  errno = error;
  return status;
}

}  // namespace impersonate_internal

bool InImpersonation() { return t_acting_for != 0; }

}  // namespace reeve
