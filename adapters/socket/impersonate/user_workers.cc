#include "reeve/adapters/socket/impersonate/user_workers.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "adapters/socket/impersonate/identity_check.h"
#include "adapters/socket/impersonate/worker_process.h"
#include "reeve/engine/mutex.h"

namespace reeve {
namespace {

using impersonate_internal::CheckIdentity;
using impersonate_internal::OpenReply;
using impersonate_internal::OpenRequest;
using impersonate_internal::Packet;
using impersonate_internal::Ready;
using impersonate_internal::Receive;
using impersonate_internal::RunBroker;
using impersonate_internal::Send;
using impersonate_internal::Spawn;
using Deadline = std::chrono::steady_clock::time_point;

constexpr size_t kMaxWorkers = 4096;
constexpr absl::Duration kLongest = absl::Hours(24 * 365);
constexpr int kAllowedFlags = O_ACCMODE | O_APPEND | O_CLOEXEC | O_CREAT | O_DIRECTORY | O_DSYNC |
                              O_EXCL | O_NOATIME | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_SYNC |
                              O_TMPFILE | O_TRUNC;

// A descriptor that is closed with this.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

bool Pair(int type, Descriptor* a, Descriptor* b) {
  int ends[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return false;
  *a = Descriptor(ends[0]);
  *b = Descriptor(ends[1]);
  return true;
}

// Ends the process at the other end of a leash. A byte, for the end of this descriptor is no sign
// where a child of the server has a copy.
void Pull(const Descriptor& leash) { send(leash.get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

// Waits until something can be read or written. False once `deadline` has passed.
bool PollUntil(int fd, short events, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() < 0) return false;
    pollfd look = {fd, events, 0};
    const int ready = poll(
        &look, 1, static_cast<int>(std::min<std::chrono::milliseconds::rep>(left.count(), 60000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0 && left.count() == 0) return false;
  }
}

// Whether no process has the other end any more.
bool IsHungUp(const Descriptor& socket) {
  pollfd look = {socket.get(), 0, 0};
  return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

// Send(), for at most so long. 0 or the errno; ETIMEDOUT in the end.
int SendUntil(Deadline deadline, int socket, const void* head, size_t head_size,
              std::string_view body, const int* fds, size_t fd_count) {
  while (true) {
    const int error =
        Send(socket, head, head_size, body.data(), body.size(), fds, fd_count, MSG_DONTWAIT);
    if (error != EAGAIN && error != ENOBUFS) return error;
    if (!PollUntil(socket, POLLOUT, deadline)) return ETIMEDOUT;
  }
}

template <typename Head>
Packet ReceiveUntil(Deadline deadline, int socket, Head* head) {
  while (true) {
    Packet packet;
    packet.error = ETIMEDOUT;
    if (!PollUntil(socket, POLLIN, deadline)) return packet;
    packet = Receive(socket, head, sizeof(Head), nullptr, 0, MSG_DONTWAIT);
    if (packet.size >= 0 || packet.error != EAGAIN) return packet;
  }
}

// Who a worker is: a set of groups, whatever their order.
using Key = std::tuple<uid_t, gid_t, std::vector<gid_t>>;

Key KeyOf(const UnixIdentity& identity) {
  std::vector<gid_t> groups = identity.groups;
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return {identity.uid, identity.gid, std::move(groups)};
}

absl::Status CheckPath(std::string_view path, const OpenHow& how) {
  if (path.empty()) return absl::InvalidArgumentError("path: it is empty; name a file");
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        "path: it has a NUL, where the kernel would end it; refuse it");
  }
  if (path.size() >= PATH_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("path: ", path.size(),
                                                   " bytes are more than the ", PATH_MAX - 1,
                                                   " that the kernel takes; shorten it"));
  }
  if (how.directory < 0 && path[0] != '/') {
    return absl::InvalidArgumentError(
        "path: it is relative, and there is no directory; begin it with `/`, or give one");
  }
  const int access = how.flags & O_ACCMODE;
  const int wrong = (how.flags & ~kAllowedFlags) | (access == O_ACCMODE ? access : 0);
  if (wrong != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("how.flags: `0x", absl::Hex(wrong), "` is not allowed; leave it out"));
  }
  return absl::OkStatus();
}

struct Worker {
  Key key;
  Descriptor socket;  // None until it is started.
  Descriptor leash;
  pid_t pid = 0;
  uint64_t last_number = 0;
  bool busy = true;        // A call has it, and nobody else touches the members above.
  bool forgotten = false;  // To be ended once idle.
};

bool IsFrom(const Packet& packet, const Worker& worker) {
  return packet.has_sender && packet.sender.uid == std::get<0>(worker.key) &&
         packet.sender.gid == std::get<1>(worker.key) &&
         (worker.pid == 0 || packet.sender.pid == worker.pid);
}

absl::Status Unavailable(const Worker& worker, std::string_view what) {
  return absl::UnavailableError(absl::StrCat("the worker of uid ", std::get<0>(worker.key), " ",
                                             absl::string_view(what.data(), what.size())));
}

constexpr char kNoTime[] = "did not answer in time; see what it waits for, or allow more";

absl::Status NotReady(const Worker& worker, const Ready& ready) {
  static constexpr const char* kStages[] = {"",          "fork",   "setgroups", "setresgid",
                                            "setresuid", "capset", "prctl",     "a check"};
  const auto stage = static_cast<size_t>(ready.stage);
  if (stage == Ready::kDone || stage >= std::size(kStages)) {
    return Unavailable(worker, "answered out of form; it was ended");
  }
  const std::string message =
      absl::StrCat("a worker cannot become uid ", std::get<0>(worker.key), ": ", kStages[stage],
                   ": ", ready.error == 0 ? "not so" : std::strerror(ready.error));
  if (ready.stage == Ready::kFork || ready.error == ENOMEM || ready.error == EAGAIN) {
    return absl::UnavailableError(absl::StrCat(message, "; free memory or processes"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(message, "; start with CAP_SETUID and CAP_SETGID, where the ids are mapped"));
}

}  // namespace

UserFile::UserFile(UserFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), error_(std::exchange(other.error_, EBADF)) {}

UserFile& UserFile::operator=(UserFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(error_, other.error_);
  return *this;
}

UserFile::~UserFile() {
  if (fd_ >= 0) close(fd_);
}

int UserFile::Release() {
  error_ = EBADF;
  return std::exchange(fd_, -1);
}

class UserWorkers::Pool {
 public:
  explicit Pool(const Options& options) : options_(options) {}
  ~Pool();

  // Forks the broker.
  absl::Status Start();

  absl::StatusOr<UserFile> Open(Key key, std::string_view path, const OpenHow& how);
  void Forget(uid_t uid);
  size_t size();

 private:
  using Workers = std::list<Worker>;

  // A worker for nobody else, started or not; then Release() it.
  absl::StatusOr<Workers::iterator> Acquire(const Key& key, Deadline deadline);
  void Release(Workers::iterator worker, bool keep);
  void Erase(Workers::iterator worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status StartWorker(Worker* worker, Deadline deadline) const;
  // `*seen` is false if the worker has not read the request, nor ever will.
  absl::StatusOr<UserFile> Ask(Worker* worker, std::string_view path, const OpenHow& how,
                               Deadline deadline, bool* seen) const;

  const Options options_;
  // Set by Start().
  pid_t owner_ = 0;
  pid_t broker_pid_ = 0;
  Descriptor broker_;
  Descriptor broker_leash_;

  Mutex mutex_;
  CondVar changed_;                          // A worker became idle, or there is one less.
  Workers workers_ ABSL_GUARDED_BY(mutex_);  // The one that was used last at the end.
  // Those that are not forgotten.
  std::map<Key, Workers::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
};

UserWorkers::Pool::~Pool() {
  if (broker_pid_ == 0 || getpid() != owner_) return;
  {
    MutexLock lock(mutex_);
    while (!workers_.empty()) Erase(workers_.begin());
  }
  Pull(broker_leash_);
  while (waitpid(broker_pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status UserWorkers::Pool::Start() {
  const auto fail = [](const char* call) {
    return absl::UnavailableError(
        absl::StrCat("the process that makes workers cannot start: ", call, ": ",
                     std::strerror(errno), "; free memory, processes or descriptors"));
  };
  Descriptor socket;
  Descriptor leash;
  if (!Pair(SOCK_SEQPACKET, &broker_, &socket) || !Pair(SOCK_STREAM, &broker_leash_, &leash)) {
    return fail("socketpair");
  }
  // No handler of the server is to run in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) RunBroker(socket.get(), leash.get());
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (pid < 0) return fail("fork");
  broker_pid_ = pid;
  owner_ = getpid();
  return absl::OkStatus();
}

void UserWorkers::Pool::Erase(Workers::iterator worker) {
  if (worker->leash.get() >= 0) Pull(worker->leash);
  if (!worker->forgotten) by_key_.erase(worker->key);
  workers_.erase(worker);
  changed_.NotifyAll();
}

absl::StatusOr<UserWorkers::Pool::Workers::iterator> UserWorkers::Pool::Acquire(const Key& key,
                                                                                Deadline deadline) {
  MutexLock lock(mutex_);
  bool in_time = true;
  while (true) {
    const auto it = by_key_.find(key);
    if (it != by_key_.end()) {
      const Workers::iterator worker = it->second;
      if (!worker->busy) {
        worker->busy = true;
        return worker;
      }
      if (!in_time) {
        return Unavailable(*worker, "was busy for all the time; call less at once, or allow more");
      }
    } else {
      if (workers_.size() >= options_.max_workers) {
        const auto idle = std::find_if(workers_.begin(), workers_.end(),
                                       [](const Worker& worker) { return !worker.busy; });
        if (idle != workers_.end()) Erase(idle);
      }
      if (workers_.size() < options_.max_workers) {
        const Workers::iterator worker = workers_.emplace(workers_.end());
        worker->key = key;
        by_key_.emplace(key, worker);
        return worker;
      }
      if (!in_time) {
        return absl::UnavailableError(
            absl::StrCat("all ", options_.max_workers,
                         " workers were busy for all the time; allow more of them"));
      }
    }
    in_time = changed_.WaitUntil(mutex_, deadline);
  }
}

void UserWorkers::Pool::Release(Workers::iterator worker, bool keep) {
  MutexLock lock(mutex_);
  if (!keep || worker->forgotten) {
    Erase(worker);
    return;
  }
  worker->busy = false;
  workers_.splice(workers_.end(), workers_, worker);
  changed_.NotifyAll();
}

absl::Status UserWorkers::Pool::StartWorker(Worker* worker, Deadline deadline) const {
  const auto& [uid, gid, groups] = worker->key;
  const auto fail = [&](const char* call, int error) {
    return absl::UnavailableError(absl::StrCat("no worker of uid ", std::get<0>(worker->key),
                                               " can be made: ", call, ": ", std::strerror(error),
                                               "; free memory or descriptors"));
  };
  Descriptor socket;
  Descriptor leash;
  if (!Pair(SOCK_SEQPACKET, &worker->socket, &socket) ||
      !Pair(SOCK_STREAM, &worker->leash, &leash)) {
    return fail("socketpair", errno);
  }
  const int on = 1;
  if (setsockopt(worker->socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return fail("SO_PASSCRED", errno);
  }
  Descriptor file;
  if (!groups.empty()) {
    file = Descriptor(memfd_create("reeve-groups", MFD_CLOEXEC));
    const auto size = static_cast<ssize_t>(groups.size() * sizeof(gid_t));
    if (file.get() < 0 || write(file.get(), groups.data(), static_cast<size_t>(size)) != size) {
      return fail("memfd_create", errno);
    }
  }
  const Spawn spawn = {uid, gid, static_cast<uint32_t>(groups.size()), options_.umask};
  const int fds[] = {socket.get(), leash.get(), file.get()};
  const int error =
      SendUntil(deadline, broker_.get(), &spawn, sizeof(spawn), "", fds, groups.empty() ? 2 : 3);
  const auto no_broker = [] {
    return absl::UnavailableError(
        "the process that makes workers has ended; start the server again");
  };
  if (error == EPIPE || error == ECONNRESET) return no_broker();
  if (error != 0) return fail("sendmsg", error);
  socket.Close();
  leash.Close();
  Ready ready;
  Packet packet = ReceiveUntil(deadline, worker->socket.get(), &ready);
  packet.CloseAll();
  if (packet.error == ETIMEDOUT) return Unavailable(*worker, "did not start in time; allow more");
  if (packet.size <= 0) {
    return IsHungUp(broker_) ? no_broker()
                             : Unavailable(*worker, "ended as it started; call again");
  }
  if (packet.size != sizeof(ready) || packet.cut) {
    return Unavailable(*worker, "answered out of form; it was ended");
  }
  if (ready.stage != Ready::kDone) return NotReady(*worker, ready);
  if (!IsFrom(packet, *worker)) {
    return Unavailable(*worker, "is not that user's by the kernel's word; it was ended");
  }
  worker->pid = packet.sender.pid;
  return absl::OkStatus();
}

absl::StatusOr<UserFile> UserWorkers::Pool::Ask(Worker* worker, std::string_view path,
                                                const OpenHow& how, Deadline deadline,
                                                bool* seen) const {
  const uint64_t number = ++worker->last_number;
  const OpenRequest request = {number, static_cast<uint64_t>(how.flags | O_CLOEXEC | O_NOCTTY),
                               how.mode, how.resolve};
  const int error = SendUntil(deadline, worker->socket.get(), &request, sizeof(request), path,
                              &how.directory, how.directory < 0 ? 0 : 1);
  *seen = error != EPIPE && error != ECONNRESET;
  if (error == EBADF) {
    return absl::InvalidArgumentError("how.directory: it is not open; give an open directory");
  }
  if (error == ETIMEDOUT) return Unavailable(*worker, kNoTime);
  if (error != 0) {
    return Unavailable(*worker,
                       absl::StrCat("cannot be asked: ", std::strerror(error), "; call again"));
  }
  OpenReply reply;
  Packet packet = ReceiveUntil(deadline, worker->socket.get(), &reply);
  if (packet.error == ETIMEDOUT) return Unavailable(*worker, kNoTime);
  // Linux says so where the other end was closed with something unread (unix_release_sock()), which
  // can only be this request.
  if (packet.size < 0 && packet.error == ECONNRESET) *seen = false;
  if (packet.size <= 0) return Unavailable(*worker, "ended before it answered; call again");
  // Nothing that it says is believed but what a worker can say.
  const bool in_form = packet.size == sizeof(reply) && !packet.cut && reply.number == number &&
                       reply.zero == 0 && reply.error >= 0 && IsFrom(packet, *worker) &&
                       packet.fd_count == (reply.error == 0 ? 1u : 0u);
  if (!in_form) {
    packet.CloseAll();
    if (packet.cut) {
      return Unavailable(*worker, "gave a descriptor that could not be taken; raise RLIMIT_NOFILE");
    }
    return Unavailable(*worker, "answered out of form; it was ended");
  }
  if (reply.error != 0) return UserFile(-1, reply.error);
  UserFile file(packet.fds[0], 0);
  const int flags = fcntl(file.fd(), F_GETFL);
  if (flags < 0 || (flags & (O_ACCMODE | O_PATH)) != (how.flags & O_ACCMODE)) {
    return Unavailable(*worker, "gave another descriptor than it was asked for; it was ended");
  }
  return file;
}

absl::StatusOr<UserFile> UserWorkers::Pool::Open(Key key, std::string_view path,
                                                 const OpenHow& how) {
  if (getpid() != owner_) {
    return absl::FailedPreconditionError(
        "this process was forked from the one that started the workers; start its own");
  }
  const Deadline deadline = std::chrono::steady_clock::now() +
                            absl::ToChronoNanoseconds(std::min(options_.timeout, kLongest));
  while (true) {
    const absl::StatusOr<Workers::iterator> worker = Acquire(key, deadline);
    if (!worker.ok()) return worker.status();
    const bool is_new = (*worker)->socket.get() < 0;
    if (is_new) {
      const absl::Status status = StartWorker(&**worker, deadline);
      if (!status.ok()) {
        Release(*worker, false);
        return status;
      }
    }
    bool seen = true;
    absl::StatusOr<UserFile> file = Ask(&**worker, path, how, deadline, &seen);
    Release(*worker, file.ok() || absl::IsInvalidArgument(file.status()));
    // One that ended while it was idle is replaced; a new one that ends at once is not.
    if (seen || is_new) return file;
  }
}

void UserWorkers::Pool::Forget(uid_t uid) {
  MutexLock lock(mutex_);
  if (getpid() != owner_) return;
  for (auto it = workers_.begin(); it != workers_.end();) {
    const auto worker = it++;
    if (std::get<0>(worker->key) != uid || worker->forgotten) continue;
    if (worker->busy) {
      by_key_.erase(worker->key);
      worker->forgotten = true;
      changed_.NotifyAll();
    } else {
      Erase(worker);
    }
  }
}

size_t UserWorkers::Pool::size() {
  MutexLock lock(mutex_);
  return workers_.size();
}

UserWorkers::UserWorkers(std::unique_ptr<Pool> pool) : pool_(std::move(pool)) {}

UserWorkers::~UserWorkers() = default;

absl::StatusOr<std::unique_ptr<UserWorkers>> UserWorkers::Start(const Options& options) {
  if (options.max_workers < 1 || options.max_workers > kMaxWorkers) {
    return absl::InvalidArgumentError(absl::StrCat("options.max_workers: `", options.max_workers,
                                                   "` is not from 1 to ", kMaxWorkers,
                                                   "; choose such a number"));
  }
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("options.timeout: `",
                                                   absl::FormatDuration(options.timeout),
                                                   "` is no time to wait; make it positive"));
  }
  if ((options.umask & ~mode_t{0777}) != 0) {
    return absl::InvalidArgumentError(
        "options.umask: it has other bits than those of permissions; take one up to 0777");
  }
  auto pool = std::make_unique<Pool>(options);
  const absl::Status status = pool->Start();
  if (!status.ok()) return status;
  return std::unique_ptr<UserWorkers>(new UserWorkers(std::move(pool)));
}

absl::StatusOr<UserFile> UserWorkers::Open(const UnixIdentity& identity, std::string_view path,
                                           const OpenHow& how) {
  absl::Status status = CheckIdentity(identity);
  if (status.ok()) status = CheckPath(path, how);
  if (!status.ok()) return status;
  return pool_->Open(KeyOf(identity), path, how);
}

void UserWorkers::Forget(uid_t uid) { pool_->Forget(uid); }

size_t UserWorkers::size() const { return pool_->size(); }

}  // namespace reeve
