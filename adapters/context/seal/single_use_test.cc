#include "reeve/adapters/context/seal/single_use.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using seal_testing::kNow;
using seal_testing::Must;
using seal_testing::Why;

SingleUse::Id IdOf(uint64_t number) {
  SingleUse::Id id = {};
  for (size_t i = 0; i < 8; ++i) id[i] = number >> (8 * i);
  return id;
}

constexpr char kBefore[] = "replayed: the context was opened before; export it again";
constexpr char kTooOld[] =
    "replayed: the context could have been opened before this program began; export it again";
constexpr char kFull[] =
    "resource_exhausted: as many contexts were opened as can be remembered until they expire; try "
    "again when some have, make them live shorter, or make room for more";
constexpr char kClock[] =
    "replayed: the context had expired by a clock that was put back since; export it again";

// One after the other, in milliseconds after kNow.
struct Step {
  int id;
  int from, until, now;
  const char* want;
};
struct UseCase {
  const char* name;
  size_t capacity;
  std::vector<Step> steps;
};
std::ostream& operator<<(std::ostream& os, const UseCase& c) { return os << c.name; }

class UseTest : public ::testing::TestWithParam<UseCase> {};

TEST_P(UseTest, Once) {
  const UseCase& c = GetParam();
  const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(c.capacity, kNow));
  const auto at = [](int milliseconds) { return kNow + absl::Milliseconds(milliseconds); };
  for (size_t i = 0; i < c.steps.size(); ++i) {
    const Step& s = c.steps[i];
    EXPECT_EQ(Why(use->Use(IdOf(s.id), at(s.from), at(s.until), at(s.now))), s.want)
        << "step " << i + 1;
  }
}

const UseCase kUseCases[] = {
    {"Twice", 10, {{1, 0, 1000, 0, "OK"}, {1, 0, 1000, 0, kBefore}, {2, 0, 1000, 0, "OK"}}},
    {"UntilItExpires", 10, {{1, 0, 1000, 0, "OK"}, {1, 0, 1000, 999, kBefore}}},
    // The same name with another time is the same.
    {"AnotherTime", 10, {{1, 0, 1000, 0, "OK"}, {1, 0, 9000, 500, kBefore}}},
    {"FromTheBeginningOn", 10, {{1, 0, 1000, 0, "OK"}, {2, -1, 1000, 0, kTooOld}}},
    {"FullOfLiveOnes",
     2,
     {{1, 0, 1000, 0, "OK"},
      {2, 0, 2000, 0, "OK"},
      {3, 0, 9000, 999, kFull},
      {1, 0, 1000, 999, kBefore},
      {2, 0, 2000, 999, kBefore},
      // A tick after the first has expired.
      {3, 0, 9000, 1250, "OK"},
      {4, 0, 9000, 1250, kFull},
      {2, 0, 2000, 1999, kBefore},
      {4, 0, 9000, 2250, "OK"},
      {3, 0, 9000, 2250, kBefore}}},
    {"RoomForOne", 1, {{1, 0, 100, 0, "OK"}, {2, 0, 100, 0, kFull}, {2, 0, 900, 500, "OK"}}},
    // What has expired and been forgotten is not taken again when the clock is put back.
    {"ClockPutBack",
     1,
     {{1, 0, 1000, 0, "OK"},
      {2, 0, 9000, 1250, "OK"},
      {1, 0, 1000, 0, kClock},
      {3, 0, 1000, 0, kClock},
      {3, 0, 1001, 0, kFull},
      {2, 0, 9000, 0, kBefore},
      {3, 0, 9900, 9250, "OK"}}},
    // A clock that was far ahead for a moment does no harm that lasts.
    {"ClockFarAhead",
     1,
     {{1, 0, 1000, 0, "OK"},
      {2, 0, 2000000500, 2000000000, "OK"},
      {2, 0, 2000000500, 0, kBefore},
      {3, 0, 1001, 0, kFull}}},
    // More than the wheel goes round: 256 seconds.
    {"LongLived",
     3,
     {{1, 0, 600000, 0, "OK"},
      {2, 0, 500, 0, "OK"},
      {1, 0, 600000, 300000, kBefore},
      {1, 0, 600000, 599999, kBefore},
      {3, 0, 700000, 599999, "OK"},
      {4, 0, 700000, 599999, "OK"},
      {5, 0, 700000, 600000, kFull},
      {5, 0, 700000, 600250, "OK"}}},
};
INSTANTIATE_TEST_SUITE_P(, UseTest, ::testing::ValuesIn(kUseCases),
                         [](const auto& info) { return info.param.name; });

TEST(SingleUseTest, AgreesWithAMap) {
  // New ids and old ones, short lifetimes and long ones, room that is often full.
  const unsigned seed = 20271105;
  std::mt19937 random(seed);
  for (const size_t capacity : {1u, 3u, 7u, 64u, 500u}) {
    const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(capacity, kNow));
    std::vector<absl::Time> ends;  // By id.
    absl::Time now = kNow;
    size_t taken = 0, replayed = 0, full = 0;
    for (int i = 0; i < 20000; ++i) {
      now += absl::Milliseconds(random() % (random() % 1000 == 0 ? 400000 : 2500 / capacity + 1));
      const bool is_new = ends.empty() || random() % 2 == 0;
      const size_t id =
          is_new ? ends.size() : ends.size() - 1 - random() % std::min(ends.size(), 2 * capacity);
      const absl::Time until =
          now + absl::Milliseconds(1 + random() % (random() % 50 == 0 ? 600000 : 5000));
      const absl::Status status = use->Use(IdOf(id), kNow, until, now);
      const std::optional<ContextError> got = ContextErrorOf(status);
      if (!is_new && ends[id] > now) {
        ASSERT_EQ(got, ContextError::kReplayed) << seed << " " << i;
        ++replayed;
      } else if (got == ContextError::kResourceExhausted) {
        // Those that expired within the last tick may still be remembered.
        if (full++ % 32 != 0) continue;
        size_t remembered = 0;
        for (const absl::Time end : ends) remembered += end > now - absl::Milliseconds(250);
        ASSERT_GE(remembered, capacity) << seed << " " << i;
      } else if (status.ok()) {
        if (is_new) ends.push_back(until);
        ends[id] = until;
        ++taken;
      } else {
        ASSERT_EQ(got, ContextError::kReplayed) << seed << " " << i;
        ASSERT_FALSE(is_new) << seed << " " << i;
      }
    }
    EXPECT_GT(taken, 300u);
    EXPECT_GT(replayed, 1000u);
    EXPECT_GT(full, 100u) << capacity;
  }
}

TEST(SingleUseTest, TakesAsManyAsThereIsRoomForAndForgetsThemAll) {
  constexpr size_t kCapacity = 5000;
  const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(kCapacity, kNow));
  for (int round = 0; round < 3; ++round) {
    const absl::Time now = kNow + absl::Minutes(10 * round);
    const size_t first = round * 2 * kCapacity;
    for (size_t i = first; i < first + kCapacity; ++i) {
      ASSERT_EQ(Why(use->Use(IdOf(i), now, now + absl::Seconds(60), now)), "OK") << i;
    }
    EXPECT_EQ(Why(use->Use(IdOf(first + kCapacity), now, now + absl::Seconds(60), now)), kFull);
    for (size_t i = first; i < first + kCapacity; ++i) {
      ASSERT_EQ(Why(use->Use(IdOf(i), now, now + absl::Seconds(60), now)), kBefore) << i;
    }
  }
}

TEST(SingleUseTest, OneOfManyThreadsWins) {
  constexpr int kThreads = 8;
  constexpr int kIds = 200;
  const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(kIds, kNow));
  std::array<std::atomic<int>, kIds> wins = {};
  std::atomic<int> others{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kIds; ++i) {
        const absl::Status status =
            use->Use(IdOf(i), kNow, kNow + absl::Minutes(1), kNow + absl::Milliseconds(i));
        if (status.ok()) ++wins[i];
        if (!status.ok() && ContextErrorOf(status) != ContextError::kReplayed) ++others;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kIds; ++i) EXPECT_EQ(wins[i], 1) << i;
  EXPECT_EQ(others, 0);
}

TEST(SingleUseTest, IsNotForAForkedChild) {
  const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(10, kNow));
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say(Why(use->Use(IdOf(1), kNow, kNow + absl::Minutes(1), kNow)));
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "wrong_target: this process was forked from the one that remembers which contexts were "
            "opened; open them there");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(Why(use->Use(IdOf(1), kNow, kNow + absl::Minutes(1), kNow)), "OK");
}

TEST(SingleUseTest, HasLimits) {
  EXPECT_EQ(Why(SingleUse::Create(0, kNow).status()),
            "INVALID_ARGUMENT: room for 0 contexts is asked for; ask for 1 to 16777216");
  EXPECT_EQ(Why(SingleUse::Create(SingleUse::kMaxCapacity + 1, kNow).status()),
            "INVALID_ARGUMENT: room for 16777217 contexts is asked for; ask for 1 to 16777216");
}

TEST(SingleUseTest, NoMemoryIsAnError) {
  if (seal_testing::IsSanitized()) GTEST_SKIP() << "needs an allocator that returns null";
  Child child([](const Child::Pipes& pipes) {
    unsigned long pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit limit = {pages * 4096 + (64 << 20), pages * 4096 + (64 << 20)};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
    pipes.Say(Why(SingleUse::Create(SingleUse::kMaxCapacity, kNow).status()));
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "resource_exhausted: there is no memory to remember 16777216 contexts; ask for less, "
            "or raise RLIMIT_AS");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve
