// Many threads decide while others replace snapshots. Run it under ThreadSanitizer:
// bazel test --config=tsan //engine:concurrency_test
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "reeve/engine/mutex.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::Ids;
using testing::MakePrincipal;
using testing::MakeRule;

constexpr int kResources = 8;

// Snapshot `i` allows resource `i % kResources` only, by a rule and under a digest that say `i`.
std::shared_ptr<const Snapshot> MakeSnapshot(int i) {
  const std::string number = std::to_string(i);
  SnapshotBuilder builder;
  builder.SetDigest(number);
  Rule rule = MakeRule("+rule-" + number, {"group:staff"}, {"read"},
                       {"doc:/" + std::to_string(i % kResources) + "/**"});
  rule.message = number;
  builder.AddRule(std::move(rule));
  builder.AddRule(MakeRule("-never", {"re:user:b.*"}, {"any"}, {"any"}));
  return *builder.Build();
}

std::unique_ptr<Engine> MakeEngine() {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  return *Engine::Create(options);
}

const Principal& Ada() {
  static const Principal* const ada = new Principal(MakePrincipal("user:ada", {"staff"}));
  return *ada;
}

Decision Ask(const Engine& engine, int resource) {
  const std::string id = "/" + std::to_string(resource) + "/x";
  return engine.Decide(Request(Ada(), "read", {"doc", id}));
}

// Whether `decision` is what its own snapshot says of `resource`.
bool FitsItsSnapshot(const Decision& decision, int resource) {
  if (decision.snapshot() == nullptr) return decision.reason() == Reason::kNoPolicy;
  const std::string number(decision.policy_digest());
  if (std::stoi(number) % kResources != resource) return decision.reason() == Reason::kNoRule;
  return decision.reason() == Reason::kAllowRule && Ids(decision.rules()) == "rule-" + number &&
         decision.message() == number;
}

void JoinAll(std::vector<std::thread>* threads) {
  for (std::thread& thread : *threads) thread.join();
  threads->clear();
}

TEST(ConcurrencyTest, EveryDecisionFitsTheSnapshotThatItCarries) {
  constexpr int kReplaces = 200;
  const std::unique_ptr<Engine> engine = MakeEngine();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> backwards{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      int newest = -1;
      // One round more once no snapshot follows.
      for (bool last = false; !last;) {
        last = done.load();
        for (int resource = 0; resource < kResources; ++resource) {
          const Decision decision = Ask(*engine, resource);
          wrong += !FitsItsSnapshot(decision, resource);
          if (decision.snapshot() == nullptr) continue;
          const int number = std::stoi(std::string(decision.policy_digest()));
          backwards += number < newest;
          newest = number;
        }
      }
      wrong += newest != kReplaces - 1;
    });
  }
  for (int i = 0; i < kReplaces; ++i) ASSERT_TRUE(engine->Replace(MakeSnapshot(i)).ok());
  done = true;
  JoinAll(&threads);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(backwards, 0);
}

TEST(ConcurrencyTest, SeveralThreadsReplace) {
  const std::unique_ptr<Engine> engine = MakeEngine();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&engine, &wrong, t] {
      for (int i = 0; i < 50; ++i) {
        wrong += !engine->Replace(MakeSnapshot(t * 50 + i)).ok();
        wrong += engine->snapshot() == nullptr;
        wrong += !FitsItsSnapshot(Ask(*engine, i % kResources), i % kResources);
      }
    });
  }
  JoinAll(&threads);
  EXPECT_EQ(wrong, 0);
  // What all threads see in the end is what is installed.
  EXPECT_EQ(Ask(*engine, 0).snapshot()->digest(), engine->snapshot()->digest());
}

TEST(ConcurrencyTest, DecisionsAreReadByOtherThreadsAfterTheirSnapshotIsReplaced) {
  constexpr int kReplaces = 100;
  const std::unique_ptr<Engine> engine = MakeEngine();
  struct Kept {
    Decision decision;
    int resource;
  };
  Mutex mutex;
  std::vector<Kept> kept;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 400; ++i) {
        Kept one = {Ask(*engine, i % kResources), i % kResources};
        MutexLock lock(mutex);
        kept.push_back(std::move(one));
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kReplaces; ++i) wrong += !engine->Replace(MakeSnapshot(i)).ok();
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 400; ++i) {
      std::vector<Kept> copies;
      {
        MutexLock lock(mutex);
        copies = kept;
      }
      for (const Kept& k : copies) wrong += !FitsItsSnapshot(k.decision, k.resource);
      MutexLock lock(mutex);
      if (kept.size() > 100) kept.erase(kept.begin(), kept.begin() + 50);
    }
  });
  JoinAll(&threads);
  for (const Kept& k : kept) wrong += !FitsItsSnapshot(k.decision, k.resource);
  EXPECT_EQ(wrong, 0);
}

TEST(ConcurrencyTest, EnginesDoNotMixTheirSnapshots) {
  constexpr int kEngines = 6;  // more than a thread keeps handles for
  std::vector<std::unique_ptr<Engine>> engines;
  for (int e = 0; e < kEngines; ++e) engines.push_back(MakeEngine());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 600; ++i) {
        const int e = i % kEngines;
        const Decision decision = Ask(*engines[e], e);
        if (decision.snapshot() == nullptr) continue;
        // Engine e has snapshots e, e + kResources, e + 2 * kResources and so on.
        wrong += std::stoi(std::string(decision.policy_digest())) % kResources != e;
        wrong += !decision.allowed();
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    for (int e = 0; e < kEngines; ++e) {
      ASSERT_TRUE(engines[e]->Replace(MakeSnapshot(e + i * kResources)).ok());
    }
  }
  JoinAll(&threads);
  EXPECT_EQ(wrong, 0);
}

TEST(ConcurrencyTest, EndsWhileOtherThreadsHoldItsDecisions) {
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<Engine> engine = MakeEngine();
    ASSERT_TRUE(engine->Replace(MakeSnapshot(round)).ok());
    constexpr int kThreads = 3;
    std::atomic<int> decided{0};
    std::atomic<bool> ended{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        const int resource = round % kResources;
        const Decision decision = Ask(*engine, resource);
        ++decided;
        while (!ended.load()) std::this_thread::yield();
        wrong += !FitsItsSnapshot(decision, resource) || !decision.allowed();
      });
    }
    while (decided.load() < kThreads) std::this_thread::yield();
    engine.reset();
    ended = true;
    JoinAll(&threads);
    EXPECT_EQ(wrong, 0);
  }
}

TEST(ConcurrencyTest, ThreadsThatEndLetGoOfTheirSnapshot) {
  const std::unique_ptr<Engine> engine = MakeEngine();
  std::weak_ptr<const Snapshot> old;
  {
    const std::shared_ptr<const Snapshot> first = MakeSnapshot(0);
    old = first;
    ASSERT_TRUE(engine->Replace(first).ok());
  }
  std::vector<Decision> kept(3);
  std::vector<std::thread> threads;
  for (Decision& decision : kept) {
    threads.emplace_back([&engine, &decision] { decision = Ask(*engine, 0); });
  }
  JoinAll(&threads);
  ASSERT_TRUE(engine->Replace(MakeSnapshot(1)).ok());
  EXPECT_FALSE(old.expired()) << "decisions keep it";
  for (const Decision& decision : kept) EXPECT_TRUE(FitsItsSnapshot(decision, 0));
  kept.clear();
  EXPECT_EQ(engine->Reclaim(), 0u);
  EXPECT_TRUE(old.expired());
}

// Two threads replace and reclaim as fast as they can, while two decide: each in one of the ways in
// which one can. Nobody frees a snapshot but those who replace.
TEST(ConcurrencyTest, ReplacesUnderFullLoad) {
  constexpr int kReplaces = 1000;
  constexpr int kRounds = 4000;
  const std::unique_ptr<Engine> engine = MakeEngine();
  ASSERT_TRUE(engine->Replace(MakeSnapshot(0)).ok());
  std::vector<std::shared_ptr<const Snapshot>> snapshots;
  for (int i = 0; i < 2 * kResources; ++i) snapshots.push_back(MakeSnapshot(i));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kReplaces; ++i) {
        // Some that others have too, and some that nobody else has.
        const bool fresh = i % 8 == 0;
        wrong +=
            !engine->Replace(fresh ? MakeSnapshot(i) : snapshots[(i + t) % snapshots.size()]).ok();
        if (i % 16 == t) (void)engine->Reclaim();
      }
    });
    threads.emplace_back([&] {
      const PreparedPrincipal prepared = engine->Prepare(Ada());
      std::vector<std::string> ids;
      for (int r = 0; r < kResources; ++r) ids.push_back("/" + std::to_string(r) + "/x");
      std::vector<Request> batch;
      std::vector<EntityView> resources;
      for (const std::string& id : ids) {
        batch.emplace_back(Ada(), "read", EntityView{"doc", id});
        resources.push_back({"doc", id});
      }
      uint64_t newest = 0;
      for (int i = 0; i < kRounds; ++i) {
        const int r = i % kResources;
        const Decision single = Ask(*engine, r);
        wrong += !FitsItsSnapshot(single, r);
        wrong += single.generation() < newest;
        newest = single.generation();
        const Decision kept = engine->Decide(Request(prepared, "read", resources[r]));
        wrong += !FitsItsSnapshot(kept, r);
        if (i % 4 != 0) continue;
        const std::vector<Decision> decisions = engine->DecideAll(batch);
        for (int b = 0; b < kResources; ++b) wrong += !FitsItsSnapshot(decisions[b], b);
        // All of one snapshot, which allows one of them.
        wrong += decisions.front().generation() != decisions.back().generation();
        wrong += engine->ListAllowed(batch[0], resources).size() != 1;
      }
    });
  }
  JoinAll(&threads);
  EXPECT_EQ(wrong, 0);
  const std::weak_ptr<const Snapshot> last = engine->snapshot();
  snapshots.clear();
  ASSERT_TRUE(engine->Replace(MakeSnapshot(1)).ok());
  (void)Ask(*engine, 0);
  EXPECT_EQ(engine->Reclaim(), 0u);
  EXPECT_TRUE(last.expired());
}

}  // namespace
}  // namespace reeve
