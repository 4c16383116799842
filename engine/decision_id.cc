#include "engine/decision_id.h"

#include <endian.h>
#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

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

// The most significant byte first.
void Store(uint64_t word, uint8_t* to) {
  const uint64_t big_endian = htobe64(word);
  std::memcpy(to, &big_endian, sizeof big_endian);
}

}  // namespace

DecisionId NewDecisionId(absl::Time time) {
  static thread_local Random random;
  const auto ms = static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixMillis(time), 0));
  const uint64_t version = 7;
  const uint64_t first = ms << 16 | version << 12 | (random.Next() & 0xFFF);
  const uint64_t second = uint64_t{2} << 62 | random.Next() >> 2;  // the variant of RFC 9562
  DecisionId id;
  Store(first, id.bytes.data());
  Store(second, id.bytes.data() + 8);
  return id;
}

}  // namespace reeve
