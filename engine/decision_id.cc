#include "engine/decision_id.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

namespace reeve {
namespace {

// Counts forks, so that a child does not go on with its parent's random numbers.
std::atomic<uint32_t> forks{0};

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class Random {
 public:
  uint64_t Next() {
    if (forks_ != forks.load(std::memory_order_relaxed)) Seed();
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  void Seed() {
    static const int watching =
        pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    (void)watching;
    forks_ = forks.load(std::memory_order_relaxed);
    // getrandom(2): up to 256 bytes are not interrupted once the machine has booted.
    if (getrandom(&state_, sizeof state_, 0) != sizeof state_) std::abort();
  }

  static constexpr uint32_t kUnseeded = UINT32_MAX;

  uint64_t state_ = 0;
  uint32_t forks_ = kUnseeded;
};

}  // namespace

DecisionId NewDecisionId(absl::Time time) {
  static thread_local Random random;
  const auto ms = static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixMillis(time), 0));
  const uint64_t a = random.Next();
  const uint64_t b = random.Next();
  DecisionId id;
  for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
  id.bytes[6] = static_cast<uint8_t>(0x70 | (a >> 8 & 0x0F));  // version 7
  id.bytes[7] = static_cast<uint8_t>(a);
  for (int i = 0; i < 8; ++i) id.bytes[8 + i] = static_cast<uint8_t>(b >> (8 * i));
  id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3F));  // variant of RFC 9562
  return id;
}

}  // namespace reeve
