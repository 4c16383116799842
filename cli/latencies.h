// How long things took, in little memory.
#ifndef REEVE_CLI_LATENCIES_H_
#define REEVE_CLI_LATENCIES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reeve {

// Counts of durations, to the thirty-second part of each. Thread-compatible.
class Latencies {
 public:
  // `ns`: nanoseconds.
  void Add(uint64_t ns);
  void Add(const Latencies& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  // What `part` of the durations do not exceed, from above 0 to 1: the upper end of its count, and
  // never above max(). 0 if there are none.
  uint64_t Percentile(double part) const;

 private:
  // Below 64 a count for each value; above, 32 for each power of two.
  static constexpr size_t kExact = 64;
  static constexpr size_t kCounts = kExact + 32 * (64 - 6);
  static size_t IndexOf(uint64_t ns);
  static uint64_t UpperEndOf(size_t index);

  std::vector<uint64_t> counts_ = std::vector<uint64_t>(kCounts);
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace reeve

#endif  // REEVE_CLI_LATENCIES_H_
