// When a PolicyWatcher loads: soon after the last of some changes, and not much later than the
// first. Internal.
#ifndef REEVE_POLICY_WATCHER_SCHEDULE_H_
#define REEVE_POLICY_WATCHER_SCHEDULE_H_

#include <algorithm>
#include <chrono>
#include <optional>

namespace reeve {

// Told the time by whoever asks, which never goes back. One thread at a time.
class WatcherSchedule {
 public:
  using Duration = std::chrono::milliseconds;
  using Time = std::chrono::steady_clock::time_point;

  struct Intervals {
    Duration quiet;      // Without a change, before a load.
    Duration max_delay;  // From the first change to a load, whatever follows it.
    Duration poll;       // From one look at the files to the next.
    Duration retry;      // From a load that failed to the next, if nothing changes.
  };

  WatcherSchedule(const Intervals& intervals, Time now)
      : intervals_(intervals), next_poll_(now + intervals.poll) {}

  void Change(Time now) {
    if (!first_change_.has_value()) first_change_ = now;
    // It does not put off what was asked for.
    if (forced_) return;
    load_ = std::min(now + intervals_.quiet, *first_change_ + intervals_.max_delay);
  }
  // Loads at once.
  void Force(Time now) {
    forced_ = true;
    load_ = now;
  }

  bool LoadIsDue(Time now) const { return load_.has_value() && *load_ <= now; }
  bool PollIsDue(Time now) const { return next_poll_ <= now; }

  // What has changed until now is what the load will see.
  void BeginLoad() {
    load_.reset();
    first_change_.reset();
    forced_ = false;
  }
  void EndLoad(Time now, bool ok) {
    if (!ok) load_ = now + intervals_.retry;
  }
  void EndPoll(Time now) { next_poll_ = now + intervals_.poll; }

  // When there is something to do, if nothing happens.
  Time Next() const { return load_.has_value() ? std::min(*load_, next_poll_) : next_poll_; }

 private:
  const Intervals intervals_;
  Time next_poll_;
  std::optional<Time> load_;
  std::optional<Time> first_change_;
  bool forced_ = false;
};

}  // namespace reeve

#endif  // REEVE_POLICY_WATCHER_SCHEDULE_H_
