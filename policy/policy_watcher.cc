#include "reeve/policy/policy_watcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "policy/watcher_paths.h"
#include "policy/watcher_schedule.h"
#include "reeve/engine/mutex.h"

namespace reeve {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr uint32_t kMask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
                           IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

// A descriptor, closed when it goes. One thread at a time.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// The changes in some directories. One thread at a time.
class Notifier {
 public:
  explicit Notifier(bool notify)
      : fd_(notify ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1), works_(fd_.get() >= 0) {}

  int fd() const { return fd_.get(); }
  // Whether all that is to be watched is.
  bool works() const { return works_; }

  // Watches what `paths` lead to now, and nothing else. Returns the fingerprint of it.
  std::string Follow(const std::vector<std::string>& paths) {
    absl::flat_hash_map<int, Interest> watched;
    works_ = fd_.get() >= 0;
    const auto watch = [&](const std::string& directory, std::string_view name) {
      if (fd_.get() < 0) return;
      const int wd = inotify_add_watch(fd_.get(), directory.c_str(), kMask | IN_ONLYDIR);
      if (wd < 0) {
        // One that is gone again is missed in the one above it.
        if (errno != ENOENT && errno != ENOTDIR) works_ = false;
        return;
      }
      Interest& interest = watched[wd];
      if (name.empty()) {
        interest.all = true;
      } else {
        interest.names.emplace(name);
      }
    };
    std::string fingerprint = FollowPaths(paths, watch);
    for (const auto& [wd, interest] : watched_) {
      if (!watched.contains(wd)) inotify_rm_watch(fd_.get(), wd);
    }
    watched_ = std::move(watched);
    return fingerprint;
  }

  // Takes the changes since the last call. Returns whether one may matter.
  bool TakeChanges() {
    constexpr int kMaxReads = 1000;
    bool changed = false;
    alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
    for (int i = 0; i < kMaxReads && fd_.get() >= 0; ++i) {
      const ssize_t size = read(fd_.get(), buffer, sizeof buffer);
      if (size <= 0) break;
      for (const char* at = buffer; at < buffer + size;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(at);
        changed |= Matters(*event);
        at += sizeof(inotify_event) + event->len;
      }
    }
    return changed;
  }

 private:
  struct Interest {
    bool all = false;
    absl::flat_hash_set<std::string> names;
  };

  bool Matters(const inotify_event& event) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;  // Some were dropped.
    const auto watched = watched_.find(event.wd);
    if (watched == watched_.end()) return false;
    const Interest& interest = watched->second;
    if ((event.mask & IN_IGNORED) != 0) {
      watched_.erase(watched);
      return true;
    }
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) return true;
    if (event.len == 0) return interest.all;  // The directory itself.
    const std::string_view name = event.name;
    return (interest.all && name[0] != '.') || interest.names.contains(event.name);
  }

  const Descriptor fd_;
  bool works_;
  absl::flat_hash_map<int, Interest> watched_;
};

}  // namespace

class PolicyWatcher::Watch {
 public:
  Watch(const std::string& path, Engine* engine, const Options& options)
      : path_(path),
        engine_(*engine),
        options_(options),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        notifier_(options.notify),
        schedule_({options.quiet, options.max_delay, options.poll_interval, options.retry_interval},
                  SteadyClock::now()) {
    paths_ = options.entity_files;
    paths_.insert(paths_.begin(), path);
  }

  absl::Status Start() {
    if (wake_.get() < 0) {
      return absl::InternalError(
          absl::StrCat("the policy cannot be watched: no descriptor: ", std::strerror(errno)));
    }
    Load(/*requested=*/false);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(
        &thread_, nullptr,
        [](void* watch) -> void* {
          static_cast<Watch*>(watch)->Run();
          return nullptr;
        },
        this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) {
      return absl::InternalError(
          absl::StrCat("the policy cannot be watched: no thread: ", std::strerror(error)));
    }
    runs_ = true;
    pthread_setname_np(thread_, "reeve-policy");
    return absl::OkStatus();
  }

  void Stop() {
    stopping_ = true;
    Wake();
    if (runs_) pthread_join(thread_, nullptr);
  }

  void ReloadNow() {
    requested_ = true;
    Wake();
  }

  Status status() const {
    MutexLock lock(mutex_);
    Status status = status_;
    if (status.in_force) status.age = absl::FromChrono(SteadyClock::now() - loaded_);
    return status;
  }

 private:
  // Of this a signal handler may do all.
  void Wake() {
    const uint64_t one = 1;
    const int before = errno;
    while (write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = before;
  }

  void Run() {
    while (true) {
      Wait();
      if (stopping_) return;
      const SteadyClock::time_point now = SteadyClock::now();
      if (notifier_.TakeChanges()) schedule_.Change(now);
      const bool requested = requested_.exchange(false);
      if (requested) schedule_.Force(now);
      if (schedule_.PollIsDue(now)) {
        std::string fingerprint = notifier_.Follow(paths_);
        SetNotified();
        if (fingerprint != fingerprint_) {
          fingerprint_ = std::move(fingerprint);
          schedule_.Change(now);
        }
        schedule_.EndPoll(now);
        engine_.Reclaim();  // So that what was replaced does not wait for the next set.
      }
      if (schedule_.LoadIsDue(now)) Load(requested);
    }
  }

  void Wait() {
    pollfd fds[] = {{wake_.get(), POLLIN, 0}, {notifier_.fd(), POLLIN, 0}};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(schedule_.Next() - SteadyClock::now());
    poll(fds, 2, static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT_MAX)));
    uint64_t ignored;
    while (read(wake_.get(), &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
  }

  void Load(bool requested) {
    schedule_.BeginLoad();
    fingerprint_ = notifier_.Follow(paths_);
    LoadResult loaded = LoadPolicy(path_, options_.entity_files, options_.limits);
    if (stopping_) return;
    Attempt attempt;
    attempt.ok = loaded.ok();
    attempt.requested = requested;
    attempt.issues = std::move(loaded.issues);
    const std::shared_ptr<const Snapshot> before = engine_.snapshot();
    if (loaded.ok() && (before == nullptr || before->digest() != loaded.snapshot->digest())) {
      attempt.replaced = engine_.Replace(loaded.snapshot).ok();
    }
    const std::shared_ptr<const Snapshot> now = attempt.replaced ? loaded.snapshot : before;
    if (now != nullptr) attempt.digest = std::string(now->digest());
    schedule_.EndLoad(SteadyClock::now(), attempt.ok);
    Keep(&attempt);
    if (options_.report != nullptr) options_.report(attempt);
  }

  void Keep(Attempt* attempt) {
    MutexLock lock(mutex_);
    attempt->number = ++status_.attempts;
    attempt->mended = attempt->ok && status_.failures > 0;
    status_.failures = attempt->ok ? 0 : status_.failures + 1;
    status_.issues = attempt->issues;
    status_.error.clear();
    for (const Issue& issue : attempt->issues) {
      if (issue.severity != Issue::Severity::kError) continue;
      status_.error = ToString(issue);
      break;
    }
    status_.notified = notifier_.works();
    // The first may be in force already.
    if (!attempt->ok || (status_.in_force && !attempt->replaced)) return;
    status_.in_force = true;
    status_.digest = attempt->digest;
    status_.loaded = options_.clock->Now();
    loaded_ = SteadyClock::now();
    status_.generation = engine_.generation();
  }

  void SetNotified() {
    MutexLock lock(mutex_);
    status_.notified = notifier_.works();
  }

  const std::string path_;
  Engine& engine_;
  const Options options_;
  std::vector<std::string> paths_;
  const Descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> requested_{false};

  // Of the thread, once there is one.
  Notifier notifier_;
  WatcherSchedule schedule_;
  std::string fingerprint_;

  mutable Mutex mutex_;
  Status status_ ABSL_GUARDED_BY(mutex_);
  SteadyClock::time_point loaded_ ABSL_GUARDED_BY(mutex_);

  pthread_t thread_;
  bool runs_ = false;
};

absl::StatusOr<std::unique_ptr<PolicyWatcher>> PolicyWatcher::Start(const std::string& path,
                                                                    Engine* engine,
                                                                    const Options& options) {
  if (engine == nullptr || options.clock == nullptr) {
    return absl::InvalidArgumentError("the watcher of a policy has no engine or no clock");
  }
  for (const auto interval :
       {options.quiet, options.max_delay, options.poll_interval, options.retry_interval}) {
    if (interval <= std::chrono::milliseconds(0)) {
      return absl::InvalidArgumentError(
          "an interval of the watcher of a policy is not positive; make it at least 1 ms");
    }
  }
  auto watch = std::make_unique<Watch>(path, engine, options);
  if (absl::Status status = watch->Start(); !status.ok()) return status;
  return std::unique_ptr<PolicyWatcher>(new PolicyWatcher(std::move(watch)));
}

PolicyWatcher::PolicyWatcher(std::unique_ptr<Watch> watch) : watch_(std::move(watch)) {}

PolicyWatcher::~PolicyWatcher() { watch_->Stop(); }

void PolicyWatcher::ReloadNow() { watch_->ReloadNow(); }

PolicyWatcher::Status PolicyWatcher::status() const { return watch_->status(); }

}  // namespace reeve
