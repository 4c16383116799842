// Keeps an engine under the policy set that its files say, while they change.
//
//   reeve::PolicyWatcher::Options options;
//   options.report = [](const reeve::PolicyWatcher::Attempt& attempt) { Log(attempt); };
//   auto watcher = reeve::PolicyWatcher::Start("/etc/server/policy", engine.get(), options);
//   if (!watcher.ok() || !(*watcher)->status().in_force) return;  // the first set did not load
#ifndef REEVE_POLICY_POLICY_WATCHER_H_
#define REEVE_POLICY_POLICY_WATCHER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

namespace reeve {

// Watches the files of a policy set, loads it when they have changed, and installs it. A set that
// does not load changes nothing: the last good one stays in force, and each attempt says what is
// wrong until it is mended. It sees files that are written, renamed over others, as editors do, or
// swapped behind a symbolic link, as Kubernetes does with `..data`; directories that are removed
// and made again; and files that are not there yet. How: inotify(7), and besides that it looks at
// the times of the files every `poll_interval`, which is all there is where inotify does not tell,
// as on network file systems, or cannot be had.
//
// Loads on a thread of its own, on which all signals are blocked. A process that is forked from
// this one has no such thread: make another watcher there.
//
// Thread-safe: any thread may call any method at any time; destroying it is for one thread, and not
// for the one that `report` runs on.
class PolicyWatcher {
 public:
  // What came of loading the set once.
  struct Attempt {
    uint64_t number = 0;        // From 1: the load in Start().
    bool ok = false;            // The set loaded. What is in force is what the files say.
    bool replaced = false;      // It is another one than before, and now in force.
    bool mended = false;        // The attempt before did not load, and this one did.
    bool requested = false;     // By ReloadNow().
    std::string digest;         // Of what is in force now; empty if nothing is.
    std::vector<Issue> issues;  // All errors and warnings; an error unless `ok`.
  };

  struct Options {
    // Called after each attempt, on the watcher's thread and, for the first, in Start(). May be
    // null. Whatever it uses must outlive the watcher. The next attempt waits for it.
    std::function<void(const Attempt&)> report;
    std::vector<std::string> entity_files;  // As LoadPolicy() takes them.
    LoadLimits limits;
    // How long nothing must have changed before the set is loaded, so that one change of several
    // files is one load; and the longest time for which changes that go on can put that off.
    std::chrono::milliseconds quiet{100};
    std::chrono::milliseconds max_delay{2000};
    // From one look at the times of the files to the next.
    std::chrono::milliseconds poll_interval{5000};
    // After a failure: what the files did not cause, such as a lack of memory, mends without a
    // change.
    std::chrono::milliseconds retry_interval{30'000};
    // Whether to use inotify(7). Without it a change is seen after `poll_interval`.
    bool notify = true;
    // For Status::loaded. Not owned; must outlive the watcher. Not null.
    const Clock* clock = &Clock::System();
  };

  // How things stand.
  struct Status {
    bool in_force = false;    // A set that this watcher loaded is; the next four are of it.
    std::string digest;       // "sha256:…"
    absl::Time loaded;        // When, by Options::clock.
    absl::Duration age;       // How long ago, whatever was done to the clock.
    uint64_t generation = 0;  // Decision::generation() of those under it.
    uint64_t attempts = 0;
    uint64_t failures = 0;      // Since the last attempt that loaded; 0 if that was the last.
    std::string error;          // The first error of the last attempt; empty if it loaded.
    std::vector<Issue> issues;  // Of the last attempt.
    bool notified = false;      // inotify tells of changes; else only polling finds them.
  };

  // Loads the set at `path`, as LoadPolicy() does, and installs it in `engine` if it loads; then
  // watches it. A first set that does not load is no error here: status() tells, and it is loaded
  // once it is mended. Errors: InvalidArgument (`engine` is null, an interval is not positive),
  // Internal (no thread or no descriptor to be had).
  //
  // `engine` is not owned and must outlive the watcher.
  static absl::StatusOr<std::unique_ptr<PolicyWatcher>> Start(const std::string& path,
                                                              Engine* engine,
                                                              const Options& options);
  // Stops watching. Waits for a load that is under way, and installs nothing afterwards.
  ~PolicyWatcher();
  PolicyWatcher(const PolicyWatcher&) = delete;
  PolicyWatcher& operator=(const PolicyWatcher&) = delete;

  // Has the set loaded, soon and on the watcher's thread, even if nothing has changed: for SIGHUP.
  // Does not block, and may be called in a signal handler.
  void ReloadNow();

  Status status() const;

 private:
  class Watch;

  explicit PolicyWatcher(std::unique_ptr<Watch> watch);

  const std::unique_ptr<Watch> watch_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_POLICY_WATCHER_H_
