// A file that something else keeps up to date, and what it says: keys of jwt/, authorities of tls/.
// Private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_WATCHED_FILE_H_
#define REEVE_ADAPTERS_CONTEXT_WATCHED_FILE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/mutex.h"

namespace reeve {

// All of the file `path`, or `max_bytes` and one more if it is longer: a regular file (symbolic
// links are followed) that neither its group nor others may write. Does not wait for a pipe.
// Errors: InvalidArgument (it is none), Unavailable (it cannot be read).
absl::StatusOr<std::string> ReadGuardedFile(const std::string& path, size_t max_bytes);

// `status` with the path before its message; one that begins with `:` names a place in the file.
absl::Status InFile(const std::string& path, const absl::Status& status);

// What the file at a path says, as a T. A file that cannot be read, or says nothing good, changes
// nothing: the last good value stays, and the state says since when.
//
// Thread-safe: one thread reads the file, the others go on with what there is.
template <typename T>
class WatchedFile {
 public:
  using Parse = std::function<absl::StatusOr<std::shared_ptr<T>>(std::string_view text)>;

  // `check_interval`: how long after it was last read Look() reads again. `parse` gets at most
  // `max_bytes` and one; its errors get the path as InFile() says. It may throw: then nothing has
  // changed, and the next call reads.
  WatchedFile(std::string path, size_t max_bytes, absl::Duration check_interval, Parse parse)
      : path_(std::move(path)),
        max_bytes_(max_bytes),
        check_interval_(check_interval),
        parse_(std::move(parse)) {}

  const std::string& path() const { return path_; }

  struct State {
    std::shared_ptr<T> value;  // Null before there is any. The same while the file says the same.
    absl::Time good;           // When the file was last read, and was good.
    absl::Time checked;        // When it was last looked at.
    absl::Status error;        // Of that last look; OK if it was good.
  };
  State state() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    return state_;
  }

  // Reads the file now, whatever the interval. Blocks for as long as it takes, and while another
  // thread does. The error is kept with the state, too.
  absl::Status Read(absl::Time now) ABSL_LOCKS_EXCLUDED(reading_, mutex_) {
    const MutexLock reading(reading_);
    std::shared_ptr<T> value;
    absl::Status status;
    absl::StatusOr<std::string> text = ReadGuardedFile(path_, max_bytes_);
    if (!text.ok()) {
      status = text.status();
    } else if (text_ != *text) {
      absl::StatusOr<std::shared_ptr<T>> parsed = parse_(*text);
      status = parsed.status();
      if (parsed.ok()) {
        value = *std::move(parsed);
        text_ = *std::move(text);
      }
    }
    if (!status.ok()) status = InFile(path_, status);
    const MutexLock lock(mutex_);
    if (value != nullptr) state_.value = std::move(value);
    if (status.ok()) state_.good = now;
    state_.checked = now;
    state_.error = status;
    return status;
  }

  // The state at `now`. Reads the file first if it is time, and blocks for as long as that takes,
  // on one thread in an interval.
  State Look(absl::Time now) ABSL_LOCKS_EXCLUDED(reading_, mutex_) {
    {
      const MutexLock lock(mutex_);
      // A clock that was set back is no reason not to look. Threads may differ by less.
      const bool check = !checking_ && (now >= state_.checked + check_interval_ ||
                                        now + check_interval_ < state_.checked);
      if (!check) return state_;
      checking_ = true;
    }
    // Also if there is no memory: who is not looked at again is believed for ever.
    const absl::Cleanup checked = [this] {
      const MutexLock lock(mutex_);
      checking_ = false;
    };
    Read(now).IgnoreError();
    return state();
  }

 private:
  const std::string path_;
  const size_t max_bytes_;
  const absl::Duration check_interval_;
  const Parse parse_;

  // Held while the file is read, and then `mutex_` for a moment.
  Mutex reading_ ABSL_ACQUIRED_BEFORE(mutex_);
  // What the value was made of; unset before there is any.
  std::optional<std::string> text_ ABSL_GUARDED_BY(reading_);

  mutable Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
  bool checking_ ABSL_GUARDED_BY(mutex_) = false;  // A thread is about to, or does.
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_WATCHED_FILE_H_
