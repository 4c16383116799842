#include "reeve/cli/latencies.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace reeve {
namespace {

TEST(LatenciesTest, NoneIsZero) {
  EXPECT_EQ(Latencies().Percentile(0.5), 0u);
  EXPECT_EQ(Latencies().max(), 0u);
}

TEST(LatenciesTest, SmallOnesAreExact) {
  Latencies latencies;
  for (uint64_t ns = 1; ns <= 50; ++ns) latencies.Add(ns);
  EXPECT_EQ(latencies.Percentile(0.02), 1u);
  EXPECT_EQ(latencies.Percentile(0.5), 25u);
  EXPECT_EQ(latencies.Percentile(1), 50u);
}

// Of two counts the lower must not take in what belongs to the upper, whatever the size.
TEST(LatenciesTest, LargeOnesAreToAThirtySecond) {
  for (const uint64_t ns :
       {uint64_t{63}, uint64_t{64}, uint64_t{65}, uint64_t{127}, uint64_t{128}, uint64_t{1000},
        uint64_t{123456789}, uint64_t{1} << 40, std::numeric_limits<uint64_t>::max() / 2}) {
    SCOPED_TRACE(ns);
    Latencies latencies;
    latencies.Add(ns);
    latencies.Add(std::numeric_limits<uint64_t>::max());
    const uint64_t got = latencies.Percentile(0.5);
    EXPECT_GE(got, ns);
    EXPECT_LE(got, ns + ns / 32);
    EXPECT_EQ(latencies.Percentile(1), std::numeric_limits<uint64_t>::max());
  }
}

TEST(LatenciesTest, NeverExceedsTheLongest) {
  Latencies latencies;
  latencies.Add(1000);
  EXPECT_EQ(latencies.Percentile(0.5), 1000u);
}

TEST(LatenciesTest, Adds) {
  Latencies a, b;
  for (int i = 0; i < 99; ++i) a.Add(10);
  b.Add(5000);
  a.Add(b);
  EXPECT_EQ(a.count(), 100u);
  EXPECT_EQ(a.max(), 5000u);
  EXPECT_EQ(a.Percentile(0.99), 10u);
  EXPECT_EQ(a.Percentile(0.999), 5000u);
}

}  // namespace
}  // namespace reeve
