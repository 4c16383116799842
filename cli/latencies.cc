#include "reeve/cli/latencies.h"

#include <algorithm>
#include <cmath>

namespace reeve {

size_t Latencies::IndexOf(uint64_t ns) {
  if (ns < kExact) return static_cast<size_t>(ns);
  const int power = 63 - __builtin_clzll(ns);  // at least 6
  return kExact + 32 * static_cast<size_t>(power - 6) + (ns >> (power - 5) & 31);
}

uint64_t Latencies::UpperEndOf(size_t index) {
  if (index < kExact) return index;
  const size_t power = (index - kExact) / 32 + 6;
  const uint64_t step = uint64_t{1} << (power - 5);
  return (uint64_t{1} << power) + ((index - kExact) % 32) * step + (step - 1);
}

void Latencies::Add(uint64_t ns) {
  ++counts_[IndexOf(ns)];
  ++count_;
  max_ = std::max(max_, ns);
}

void Latencies::Add(const Latencies& other) {
  for (size_t i = 0; i < kCounts; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Latencies::Percentile(double part) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(part * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kCounts; ++i) {
    seen += counts_[i];
    if (seen >= wanted) return std::min(UpperEndOf(i), max_);
  }
  return max_;
}

}  // namespace reeve
