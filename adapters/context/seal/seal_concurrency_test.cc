// Many threads, one context; and keys that change under them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/key_file.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_number.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using seal_testing::Bytes;
using seal_testing::kNow;
using seal_testing::SealKind;
using seal_testing::Seals;

constexpr int kThreads = 8;
constexpr int kOpensEach = 125;

class KindTest : public ::testing::TestWithParam<SealKind> {};

// Of 1,000 that open one context at once, one succeeds.
TEST_P(KindTest, OneOfAThousandWins) {
  if (GetParam() == SealKind::kProcess && !OwnProcessNumber().has_value()) {
    GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
  }
  const Seals seals = Seals::Make(GetParam());
  // Each thread does the same, over and over: on a new context in each round.
  constexpr int kRounds = 5;
  std::array<std::string, kRounds> packed;
  for (std::string& p : packed) p = seals.Seal("user:ada");
  std::array<std::atomic<int>, kRounds> won = {};
  std::array<std::atomic<int>, kRounds> replayed = {};
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        ++ready;
        while (ready < kThreads * (round + 1)) std::this_thread::yield();
        for (int i = 0; i < kOpensEach; ++i) {
          const absl::StatusOr<OpenedSeal> opened =
              seals.opener->Open(Bytes(packed[round]), kNow, seals.exporter.get());
          if (opened.ok()) {
            ++won[round];
          } else if (ContextErrorOf(opened.status()) == ContextError::kReplayed) {
            ++replayed[round];
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(won[round], 1);
    EXPECT_EQ(replayed[round], kThreads * kOpensEach - 1);
  }
}

INSTANTIATE_TEST_SUITE_P(, KindTest,
                         ::testing::Values(SealKind::kRing, SealKind::kProcess, SealKind::kHost),
                         [](const auto& info) {
                           return std::string(seal_internal::ToString(info.param));
                         });

// Keys are added, saved, dropped and loaded while others seal and open: all that is sealed opens.
TEST(RingTest, RotatesUnderLoad) {
  Seals seals = Seals::Make(SealKind::kRing, SealOptions(), 100000);
  const peer_testing::TempDirectory directory;
  const std::string path = directory / "ring.keys";
  ASSERT_TRUE(seals.ring->Save(path, ExistingFile::kKeep).ok());
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::array<std::atomic<int>, 4> opened = {};
  std::atomic<int> most{0};  // That each may open, so that there is room to remember all.
  std::vector<std::thread> threads;
  for (std::atomic<int>& own : opened) {
    threads.emplace_back([&] {
      while (!done) {
        if (own >= most) {
          std::this_thread::yield();
          continue;
        }
        const std::string packed = seals.Seal("user:ada");
        (seals.Open(packed) == "user:ada" ? own : failed)++;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    most += 400;
    // The new key seals at once; the one before is kept until what it sealed was opened.
    ASSERT_TRUE(seals.ring->Add(kNow, kNow - absl::Minutes(30) + absl::Minutes(i)).ok());
    ASSERT_TRUE(seals.ring->Save(path, ExistingFile::kReplace).ok());
    ASSERT_TRUE(seals.ring->Reload().ok());
    const std::vector<KeyRing::KeyInfo> keys = seals.ring->Keys(kNow);
    // Until each of the four has opened what it had sealed by then.
    std::array<int, 4> before;
    std::copy(opened.begin(), opened.end(), before.begin());
    most += 400;
    for (size_t t = 0; t < opened.size(); ++t) {
      while (opened[t] < before[t] + 2 && failed == 0) std::this_thread::yield();
    }
    if (keys.size() > 3) {
      ASSERT_TRUE(seals.ring->Drop(keys[0].id).ok());
    }
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

// Exporters come and go while contexts are opened.
TEST(ProcessTest, TrustsUnderLoad) {
  if (!OwnProcessNumber().has_value()) {
    GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
  }
  Seals seals = Seals::Make(SealKind::kProcess, SealOptions(), 100000);
  auto& opener = static_cast<ProcessOpener&>(*seals.opener);
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000 && !done; ++i) {
        failed += seals.Open(seals.Seal("user:ada")) != "user:ada";
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    const std::unique_ptr<ProcessKey> key = seal_testing::Must(ProcessKey::Create());
    EXPECT_TRUE(opener.Trust(key->public_key(), *seals.exporter).ok());
    EXPECT_TRUE(opener.Distrust(key->public_key()).ok());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace reeve
