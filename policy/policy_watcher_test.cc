#include "reeve/policy/policy_watcher.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "policy/watcher_schedule.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Attempt = PolicyWatcher::Attempt;

// A set of which every `n` is another one.
std::string Policy(int n) {
  return absl::StrCat("reeve: 1\npolicy: p\nrules:\n  - {id: r", n,
                      ", effect: allow, principals: [anyone], actions: [any], resources: [any]}\n");
}

std::string DigestOf(int n) {
  return std::string(LoadPolicy({{"p.yaml", Policy(n)}}).snapshot->digest());
}

void Write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void WriteByRename(const fs::path& path, const std::string& text) {
  const std::string fresh = path.string() + ".new";
  Write(fresh, text);
  fs::rename(fresh, path);
}

class PolicyWatcherTest : public ::testing::Test {
 protected:
  PolicyWatcherTest() {
    std::string path = ::testing::TempDir() + "/watcher_XXXXXX";
    root_ = mkdtemp(path.data());
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    engine_ = *Engine::Create(options);
    options_.report = [this](const Attempt& attempt) {
      if (on_report_ != nullptr) on_report_(attempt);
      MutexLock lock(mutex_);
      attempts_.push_back(attempt);
      reported_.NotifyAll();
    };
    options_.quiet = milliseconds(1);
    options_.poll_interval = milliseconds(3'600'000);
    options_.retry_interval = milliseconds(3'600'000);
    options_.clock = &clock_;
  }
  ~PolicyWatcherTest() override {
    watcher_.reset();
    fs::remove_all(root_);
  }

  void Start(const fs::path& path) {
    auto watcher = PolicyWatcher::Start(path, engine_.get(), options_);
    ASSERT_TRUE(watcher.ok()) << watcher.status();
    watcher_ = *std::move(watcher);
  }

  // The next attempt that `wanted` is true of.
  Attempt Next(const std::function<bool(const Attempt&)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    MutexLock lock(mutex_);
    while (true) {
      while (!attempts_.empty()) {
        Attempt attempt = std::move(attempts_.front());
        attempts_.pop_front();
        if (wanted(attempt)) return attempt;
      }
      if (!reported_.WaitUntil(mutex_, deadline)) {
        ADD_FAILURE() << "there was no such attempt";
        return {};
      }
    }
  }
  Attempt NextOf(int n) {
    return Next([digest = DigestOf(n)](const Attempt& attempt) {
      return attempt.ok && attempt.digest == digest;
    });
  }
  Attempt NextFailure() {
    return Next([](const Attempt& attempt) { return !attempt.ok; });
  }

  fs::path root_;
  reeve::testing::FakeClock clock_;
  std::unique_ptr<Engine> engine_;
  PolicyWatcher::Options options_;
  std::function<void(const Attempt&)> on_report_;
  std::unique_ptr<PolicyWatcher> watcher_;

  Mutex mutex_;
  CondVar reported_;
  std::deque<Attempt> attempts_ ABSL_GUARDED_BY(mutex_);
};

struct Case {
  const char* name;
  const char* path;  // Below the root.
  std::function<void(const fs::path&)> before;
  std::function<void(const fs::path&)> change;  // To Policy(2).
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

void MakeDirectory(const fs::path& root) {
  fs::create_directory(root / "set");
  Write(root / "set/p.yaml", Policy(1));
}

// As the kubelet lays out a volume.
void MakeVolume(const fs::path& root) {
  fs::create_directories(root / "set/..2026_01");
  Write(root / "set/..2026_01/p.yaml", Policy(1));
  fs::create_symlink("..2026_01", root / "set/..data");
  fs::create_symlink("..data/p.yaml", root / "set/p.yaml");
}

void SwapVolume(const fs::path& root) {
  fs::create_directories(root / "set/..2026_02");
  Write(root / "set/..2026_02/p.yaml", Policy(2));
  fs::create_symlink("..2026_02", root / "set/..data_tmp");
  fs::rename(root / "set/..data_tmp", root / "set/..data");
  fs::remove_all(root / "set/..2026_01");
}

const Case kCases[] = {
    {"WrittenInPlace", "set", MakeDirectory,
     [](const fs::path& root) { Write(root / "set/p.yaml", Policy(2)); }},
    {"Renamed", "set", MakeDirectory,
     [](const fs::path& root) { WriteByRename(root / "set/p.yaml", Policy(2)); }},
    // As vim does with `backupcopy=no`.
    {"MovedAwayAndWritten", "set", MakeDirectory,
     [](const fs::path& root) {
       fs::rename(root / "set/p.yaml", root / "set/p.yaml~");
       Write(root / "set/p.yaml", Policy(2));
       fs::remove(root / "set/p.yaml~");
     }},
    {"OneFileWrittenInPlace", "set/p.yaml", MakeDirectory,
     [](const fs::path& root) { Write(root / "set/p.yaml", Policy(2)); }},
    {"OneFileRenamed", "set/p.yaml", MakeDirectory,
     [](const fs::path& root) { WriteByRename(root / "set/p.yaml", Policy(2)); }},
    {"OneFileByAPathWithDots", "set/../set/./p.yaml", MakeDirectory,
     [](const fs::path& root) { WriteByRename(root / "set/p.yaml", Policy(2)); }},
    {"OtherFile", "set", MakeDirectory,
     [](const fs::path& root) {
       Write(root / "set/q.yaml", Policy(2));
       fs::remove(root / "set/p.yaml");
     }},
    {"NewDirectories", "set", MakeDirectory,
     [](const fs::path& root) {
       fs::create_directories(root / "set/a/b");
       fs::remove(root / "set/p.yaml");
       Write(root / "set/a/b/p.yaml", Policy(2));
     }},
    {"DirectoryReplaced", "set", MakeDirectory,
     [](const fs::path& root) {
       fs::create_directory(root / "new");
       Write(root / "new/p.yaml", Policy(2));
       fs::rename(root / "set", root / "old");
       fs::rename(root / "new", root / "set");
     }},
    {"DirectoryRemovedAndMadeAgain", "set", MakeDirectory,
     [](const fs::path& root) {
       fs::remove_all(root / "set");
       fs::create_directory(root / "set");
       Write(root / "set/p.yaml", Policy(2));
     }},
    {"ParentRemovedAndMadeAgain", "far/away/set",
     [](const fs::path& root) {
       fs::create_directories(root / "far/away/set");
       Write(root / "far/away/set/p.yaml", Policy(1));
     },
     [](const fs::path& root) {
       fs::remove_all(root / "far");
       fs::create_directories(root / "far/away/set");
       Write(root / "far/away/set/p.yaml", Policy(2));
     }},
    {"Volume", "set", MakeVolume, SwapVolume},
    {"FileOfAVolume", "set/p.yaml", MakeVolume, SwapVolume},
    {"LinkToAFile", "link",
     [](const fs::path& root) {
       Write(root / "1.yaml", Policy(1));
       Write(root / "2.yaml", Policy(2));
       fs::create_symlink("1.yaml", root / "link");
     },
     [](const fs::path& root) {
       fs::create_symlink("2.yaml", root / "fresh");
       fs::rename(root / "fresh", root / "link");
     }},
    {"FileBehindALink", "link",
     [](const fs::path& root) {
       fs::create_directory(root / "elsewhere");
       Write(root / "elsewhere/1.yaml", Policy(1));
       fs::create_symlink(root / "elsewhere/1.yaml", root / "link");
     },
     [](const fs::path& root) { Write(root / "elsewhere/1.yaml", Policy(2)); }},
    {"LinkToADirectory", "link",
     [](const fs::path& root) {
       MakeDirectory(root);
       fs::create_directory_symlink("set", root / "link");
     },
     [](const fs::path& root) {
       fs::create_directory(root / "other");
       Write(root / "other/p.yaml", Policy(2));
       fs::create_directory_symlink("other", root / "fresh");
       fs::rename(root / "fresh", root / "link");
     }},
    // Nothing is there at first.
    {"FileMadeLate", "set/p.yaml", nullptr,
     [](const fs::path& root) {
       fs::create_directory(root / "set");
       Write(root / "set/p.yaml", Policy(2));
     }},
    {"DirectoryFilledLate", "set", [](const fs::path& root) { fs::create_directory(root / "set"); },
     [](const fs::path& root) { Write(root / "set/p.yaml", Policy(2)); }},
    {"LinkThatLedNowhere", "link",
     [](const fs::path& root) { fs::create_symlink("set/p.yaml", root / "link"); },
     [](const fs::path& root) {
       fs::create_directory(root / "set");
       Write(root / "set/p.yaml", Policy(2));
     }},
};

class ChangeTest : public PolicyWatcherTest,
                   public ::testing::WithParamInterface<std::tuple<Case, bool>> {};

TEST_P(ChangeTest, IsSeen) {
  const Case& c = std::get<0>(GetParam());
  options_.notify = std::get<1>(GetParam());
  if (!options_.notify) options_.poll_interval = milliseconds(1);
  if (c.before != nullptr) c.before(root_);
  Start(root_ / c.path);
  EXPECT_EQ(watcher_->status().notified, options_.notify);
  c.change(root_);
  const Attempt seen = NextOf(2);
  EXPECT_FALSE(seen.requested);
  EXPECT_EQ(engine_->snapshot()->digest(), DigestOf(2));
  // And once more, now that it looks elsewhere.
  fs::path file = root_ / c.path;
  if (fs::is_directory(file)) {
    for (const auto& entry : fs::recursive_directory_iterator(file)) {
      if (entry.path().extension() == ".yaml") file = entry.path();
    }
  }
  Write(fs::canonical(file), Policy(3));
  EXPECT_EQ(NextOf(3).digest, DigestOf(3));
}

std::string CaseName(const ::testing::TestParamInfo<ChangeTest::ParamType>& info) {
  return absl::StrCat(std::get<0>(info.param).name,
                      std::get<1>(info.param) ? "Notified" : "Polled");
}

INSTANTIATE_TEST_SUITE_P(, ChangeTest,
                         ::testing::Combine(::testing::ValuesIn(kCases), ::testing::Bool()),
                         CaseName);

TEST_F(PolicyWatcherTest, KeepsTheLastGoodSetAndSaysWhatIsWrongUntilItIsMended) {
  MakeDirectory(root_);
  const std::string file = root_ / "set/p.yaml";
  Start(root_ / "set");
  Attempt attempt = NextOf(1);
  EXPECT_EQ(attempt.number, 1u);
  EXPECT_TRUE(attempt.replaced);
  PolicyWatcher::Status status = watcher_->status();
  EXPECT_TRUE(status.in_force);
  EXPECT_EQ(status.digest, DigestOf(1));
  EXPECT_EQ(status.loaded, clock_.now);
  EXPECT_GE(status.age, absl::ZeroDuration());
  EXPECT_EQ(status.generation, 1u);
  EXPECT_EQ(status.attempts, 1u);
  EXPECT_EQ(status.failures, 0u);
  EXPECT_EQ(status.error, "");
  const absl::Time loaded = clock_.now;

  clock_.now += absl::Hours(1);
  WriteByRename(file, "reeve: 1\npolicy: p\nrules: []\n");
  attempt = NextFailure();
  const std::string error =
      absl::StrCat(file, ":3:8: `rules` is empty; write a rule or remove the file");
  EXPECT_FALSE(attempt.replaced);
  EXPECT_EQ(attempt.digest, DigestOf(1));
  ASSERT_EQ(attempt.issues.size(), 1u);
  EXPECT_EQ(ToString(attempt.issues[0]), error);
  // At every attempt.
  watcher_->ReloadNow();
  attempt = Next([](const Attempt& one) { return one.requested; });
  EXPECT_FALSE(attempt.ok);
  status = watcher_->status();
  EXPECT_TRUE(status.in_force);
  EXPECT_EQ(status.digest, DigestOf(1));
  EXPECT_EQ(status.loaded, loaded);
  EXPECT_EQ(status.generation, 1u);
  EXPECT_GE(status.failures, 2u);
  EXPECT_EQ(status.error, error);
  ASSERT_EQ(status.issues.size(), 1u);
  EXPECT_EQ(engine_->snapshot()->digest(), DigestOf(1));

  // Mended to what is in force: there is nothing to install.
  WriteByRename(file, Policy(1));
  attempt = NextOf(1);
  EXPECT_FALSE(attempt.replaced);
  EXPECT_TRUE(attempt.mended);
  WriteByRename(file, Policy(2));
  attempt = NextOf(2);
  EXPECT_TRUE(attempt.replaced);
  EXPECT_FALSE(attempt.mended);
  status = watcher_->status();
  EXPECT_EQ(status.loaded, clock_.now);
  EXPECT_EQ(status.generation, 2u);
  EXPECT_EQ(status.failures, 0u);
  EXPECT_EQ(status.error, "");
}

TEST_F(PolicyWatcherTest, TellsThatTheFirstSetDoesNotLoad) {
  Start(root_ / "none");
  EXPECT_FALSE(NextFailure().ok);
  const PolicyWatcher::Status status = watcher_->status();
  EXPECT_FALSE(status.in_force);
  EXPECT_EQ(status.digest, "");
  EXPECT_EQ(status.error,
            (root_ / "none").string() + ": cannot be read: No such file or directory");
  EXPECT_EQ(engine_->snapshot(), nullptr);
}

TEST_F(PolicyWatcherTest, TriesAgainWhatFailed) {
  MakeDirectory(root_);
  options_.notify = false;
  options_.retry_interval = milliseconds(1);
  Start(root_ / "none");
  for (int i = 0; i < 3; ++i) NextFailure();
  fs::rename(root_ / "set", root_ / "none");
  EXPECT_TRUE(NextOf(1).replaced);
}

TEST_F(PolicyWatcherTest, DoesNotReplaceTheSameSet) {
  MakeDirectory(root_);
  Start(root_ / "set");
  NextOf(1);
  const std::shared_ptr<const Snapshot> before = engine_->snapshot();
  watcher_->ReloadNow();
  const Attempt attempt = NextOf(1);
  EXPECT_TRUE(attempt.requested);
  EXPECT_FALSE(attempt.replaced);
  EXPECT_EQ(attempt.number, 2u);
  EXPECT_EQ(engine_->snapshot(), before);
  EXPECT_EQ(watcher_->status().generation, 1u);
}

TEST_F(PolicyWatcherTest, LooksAtNothingBesides) {
  MakeDirectory(root_);
  Start(root_ / "set/p.yaml");
  NextOf(1);
  Write(root_ / "set/q.yaml", "{");
  Write(root_ / "other", "");
  fs::create_directory(root_ / "set/more");
  // What the changes caused, if anything, comes before this.
  watcher_->ReloadNow();
  const Attempt attempt = NextOf(1);
  EXPECT_TRUE(attempt.requested);
  EXPECT_EQ(attempt.number, 2u);
}

TEST_F(PolicyWatcherTest, WatchesFilesOfEntities) {
  MakeDirectory(root_);
  const auto entities = [](const char* id) {
    return absl::StrCat("reeve: 1\nentities: [{id: 'user:", id, "'}]\n");
  };
  Write(root_ / "e.yaml", entities("a"));
  options_.entity_files = {root_ / "e.yaml"};
  Start(root_ / "set");
  const std::string first = Next([](const Attempt& attempt) { return attempt.ok; }).digest;
  WriteByRename(root_ / "e.yaml", entities("b"));
  Next([&first](const Attempt& attempt) { return attempt.ok && attempt.digest != first; });
  EXPECT_EQ(engine_->snapshot()->entity_count(), 1u);
}

TEST_F(PolicyWatcherTest, FindsWhatTheKernelHadNoRoomToTell) {
  int most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  if (most <= 0 || most > 200'000) GTEST_SKIP() << "the queue of inotify is too long to fill";
  MakeDirectory(root_);
  Mutex mutex;
  CondVar changed;
  bool waits = false;
  bool may_go_on = false;
  on_report_ = [&](const Attempt& attempt) {
    if (attempt.number != 2) return;
    MutexLock lock(mutex);
    waits = true;
    changed.NotifyAll();
    while (!may_go_on) changed.Wait(mutex);
  };
  Start(root_ / "set");
  watcher_->ReloadNow();
  {
    MutexLock lock(mutex);
    while (!waits) changed.Wait(mutex);
  }
  // Two names in turn, since the kernel keeps one of two events that are the same.
  fs::create_directory(root_ / "set/.a");
  for (int i = 0; i <= most; ++i) {
    const fs::path names[] = {root_ / "set/.a", root_ / "set/.b"};
    fs::rename(names[i % 2], names[1 - i % 2]);
  }
  Write(root_ / "set/p.yaml", Policy(2));
  {
    MutexLock lock(mutex);
    may_go_on = true;
    changed.NotifyAll();
  }
  EXPECT_TRUE(NextOf(2).replaced);
}

TEST_F(PolicyWatcherTest, RunsWhereNoSignalIsHandled) {
  MakeDirectory(root_);
  sigset_t blocked;
  sigemptyset(&blocked);
  on_report_ = [&](const Attempt& attempt) {
    if (attempt.number == 2) pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  };
  Start(root_ / "set");
  watcher_->ReloadNow();
  Next([](const Attempt& attempt) { return attempt.requested; });
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) {
    EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
  }
  // And this thread handles what it did.
  sigset_t here;
  pthread_sigmask(SIG_BLOCK, nullptr, &here);
  EXPECT_EQ(sigismember(&here, SIGTERM), 0);
}

TEST_F(PolicyWatcherTest, EndsWhileItWaitsToLoad) {
  MakeDirectory(root_);
  options_.quiet = options_.max_delay = milliseconds(3'600'000);
  Start(root_ / "set");
  WriteByRename(root_ / "set/p.yaml", Policy(2));
  watcher_.reset();
  EXPECT_EQ(engine_->snapshot()->digest(), DigestOf(1));
}

TEST_F(PolicyWatcherTest, DecidesMeanwhile) {
  MakeDirectory(root_);
  Start(root_ / "set");
  const Principal ada(EntityId("user", "ada"), Assurance::kKernel);
  std::vector<std::thread> threads;
  std::atomic<bool> ends{false};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!ends) {
        EXPECT_TRUE(engine_->Decide(Request(ada, "doc.read", {"doc", "x"})).allowed());
        watcher_->status();
        watcher_->ReloadNow();
      }
    });
  }
  for (int n = 2; n < 20; ++n) {
    WriteByRename(root_ / "set/p.yaml", Policy(n));
    NextOf(n);
  }
  ends = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PolicyWatcherTest, RefusesWrongOptions) {
  const auto start = [this](Engine* engine, const PolicyWatcher::Options& options) {
    return std::string(PolicyWatcher::Start(root_, engine, options).status().message());
  };
  EXPECT_EQ(start(nullptr, options_), "the watcher of a policy has no engine or no clock");
  options_.clock = nullptr;
  EXPECT_EQ(start(engine_.get(), options_), "the watcher of a policy has no engine or no clock");
  options_.clock = &clock_;
  options_.quiet = milliseconds(0);
  EXPECT_EQ(start(engine_.get(), options_),
            "an interval of the watcher of a policy is not positive; make it at least 1 ms");
}

// The times at which it is due, in milliseconds.
TEST(WatcherScheduleTest, LoadsAfterQuietAndNotMuchLaterThanTheFirstChange) {
  const auto at = [](int ms) { return WatcherSchedule::Time(milliseconds(ms)); };
  const auto next = [&at](const WatcherSchedule& schedule) {
    return std::chrono::duration_cast<milliseconds>(schedule.Next() - at(0)).count();
  };
  WatcherSchedule schedule(
      {milliseconds(10), milliseconds(50), milliseconds(1000), milliseconds(300)}, at(0));
  EXPECT_EQ(next(schedule), 1000);  // the poll
  schedule.Change(at(100));
  EXPECT_EQ(next(schedule), 110);
  EXPECT_FALSE(schedule.LoadIsDue(at(109)));
  EXPECT_TRUE(schedule.LoadIsDue(at(110)));
  // Changes that go on put it off, but not for ever.
  for (int ms = 105; ms <= 145; ms += 5) schedule.Change(at(ms));
  EXPECT_EQ(next(schedule), 150);
  schedule.BeginLoad();
  schedule.Change(at(151));  // Another begins with a change after that.
  schedule.EndLoad(at(152), true);
  EXPECT_EQ(next(schedule), 161);
  schedule.BeginLoad();
  schedule.EndLoad(at(170), true);
  EXPECT_EQ(next(schedule), 1000);
  // What failed is tried again, and sooner if something changes.
  schedule.BeginLoad();
  schedule.EndLoad(at(200), false);
  EXPECT_EQ(next(schedule), 500);
  schedule.Change(at(250));
  EXPECT_EQ(next(schedule), 260);
  // What was asked for is not put off.
  schedule.Force(at(255));
  schedule.Change(at(256));
  EXPECT_EQ(next(schedule), 255);
  schedule.BeginLoad();
  schedule.EndLoad(at(300), true);
  EXPECT_FALSE(schedule.PollIsDue(at(999)));
  EXPECT_TRUE(schedule.PollIsDue(at(1000)));
  schedule.EndPoll(at(1001));
  EXPECT_EQ(next(schedule), 2001);
}

}  // namespace
}  // namespace reeve
