// Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_DEADLINE_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_DEADLINE_H_

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"

namespace reeve::socket_internal {

// An end of waiting, by the clock that nobody sets (CLOCK_MONOTONIC).
//
// Immutable: any thread.
class Deadline {
 public:
  explicit Deadline(absl::Duration from_now)
      : end_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(from_now)) {}

  // What is left, for poll(2): 0 if nothing is.
  int milliseconds() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3600 * 1000));
  }
  bool passed() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  std::chrono::steady_clock::time_point end_;
};

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_DEADLINE_H_
