// What happens when the disk fails: a layer below SQLite makes the n-th call fail, for n = 1, 2,
// ... until a run meets no fault.
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/engine/mutex.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/prune.h"
#include "reeve/store/testing.h"
#include "reeve/store/testing_vfs.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeTempDir;
using testing::Select;
using testing::Verify;

// Makes calls fail, and syncs wait. One test at a time.
class FaultyDisk : public testing::Disk {
 public:
  std::atomic<bool> armed{false};
  std::atomic<int> calls_left{0};  // until the first fault, while armed
  std::atomic<bool> once{false};   // one fault only, or all from the first on
  std::atomic<int> code{0};        // what a failing call returns
  std::atomic<bool> torn{false};   // a failing write writes its first half
  std::atomic<bool> kills{false};  // the program is killed where a call would fail
  std::atomic<int> hit{0};         // how many calls have failed

  Mutex mutex;
  CondVar changed;
  bool hold ABSL_GUARDED_BY(mutex) = false;  // syncs wait
  bool held ABSL_GUARDED_BY(mutex) = false;  // one does

  int Open(const std::string&) override { return Fails() ? SQLITE_CANTOPEN : SQLITE_OK; }

  int Write(const std::string& path, sqlite3_file* file, const void* data, int size,
            sqlite3_int64 at) override {
    if (!Fails()) return Disk::Write(path, file, data, size, at);
    if (torn) Disk::Write(path, file, data, size / 2, at);
    return code == SQLITE_IOERR ? SQLITE_IOERR_WRITE : code.load();
  }

  int Truncate(const std::string& path, sqlite3_file* file, sqlite3_int64 size) override {
    return Fails() ? SQLITE_IOERR_TRUNCATE : Disk::Truncate(path, file, size);
  }

  int Sync(const std::string&, sqlite3_file*, int) override {
    {
      MutexLock lock(mutex);
      while (hold) {
        held = true;
        changed.NotifyAll();
        changed.Wait(mutex);
      }
    }
    // A real sync would only take time: no power is cut.
    return Fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  }

  int MapShared(sqlite3_file* file, int region, int size, int extend,
                void volatile** memory) override {
    return Fails() ? SQLITE_IOERR_SHMMAP : Disk::MapShared(file, region, size, extend, memory);
  }

 private:
  bool Fails() {
    if (!armed) return false;
    const int left = calls_left.fetch_sub(1);
    if (once ? left != 1 : left > 1) return false;
    if (kills) raise(SIGKILL);
    ++hit;
    return true;
  }
};

FaultyDisk faults;

// The chain, the rows, and the checkpoints in the file and beside it. Empty, or what is wrong.
std::string VerifyAll(const std::string& path) {
  AuditVerifier::Options options;
  options.checkpoint_file = path + ".checkpoints";
  absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, options);
  if (!report.ok()) return report.status().ToString();
  return report->intact() ? Verify(path) : report->findings[0].message;
}

std::set<std::string> Resources(const std::string& path) {
  const std::vector<std::string> rows = Select(path, "SELECT resource FROM decisions");
  return {rows.begin(), rows.end()};
}

struct FaultCase {
  const char* name;
  bool once;
  int code;
  bool torn;
};

std::ostream& operator<<(std::ostream& out, const FaultCase& c) { return out << c.name; }

// So long that a segment of one record becomes smaller when it is compressed.
std::string Name(int i) { return absl::StrCat(i, "/", std::string(200, 'x')); }

class FaultTest : public ::testing::TestWithParam<FaultCase> {
 protected:
  void SetUp() override {
    testing::UseDisk(&faults);
    faults.once = GetParam().once;
    faults.code = GetParam().code;
    faults.torn = GetParam().torn;
  }
  void TearDown() override { faults.armed = false; }

  static std::unique_ptr<AuditStore> OpenStore(const std::string& path) {
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    // With half of the faults.
    if (GetParam().torn) options.compression = AuditStore::Options::Compression::kZstd;
    options.checkpoint_key = std::string(32, 'k');
    options.checkpoint_file = path + ".checkpoints";
    options.checkpoint_records = 2;
    options.make_rows = false;  // so that the n-th call is the same each time
    absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path, options);
    EXPECT_EQ(store.status(), absl::OkStatus());
    return store.ok() ? *std::move(store) : nullptr;
  }
};

TEST_P(FaultTest, WhatWasAcknowledgedIsThereAndTheStoreRecovers) {
  bool met_fault = true;
  int n = 1;
  for (; met_fault; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = MakeTempDir() + "audit.db";
    std::unique_ptr<AuditStore> store = OpenStore(path);
    ASSERT_NE(store, nullptr);
    Decider decider;
    std::set<std::string> acknowledged, refused;
    const auto append = [&](int i) {
      const std::string resource = "doc:" + Name(i);
      const absl::Status status = decider.Append(*store, "doc.read", resource);
      (status.ok() ? acknowledged : refused).insert(resource);
      return status;
    };
    ASSERT_EQ(append(0), absl::OkStatus());
    faults.hit = 0;
    faults.calls_left = n;
    faults.armed = true;
    for (int i = 1; i < 6; ++i) {
      const int before = faults.hit;
      const absl::Status status = append(i);
      // An error has a cause, and while all calls fail nothing is acknowledged.
      if (faults.hit == before && faults.hit == 0) {
        EXPECT_EQ(status, absl::OkStatus()) << n;
      }
      if (!GetParam().once && before > 0) {
        EXPECT_NE(status, absl::OkStatus()) << n;
      }
    }
    met_fault = faults.hit > 0;
    faults.armed = false;
    if (met_fault) {
      EXPECT_FALSE(refused.empty()) << n;
    }
    ASSERT_EQ(append(6), absl::OkStatus()) << n;
    // What failed before succeeds now, under names that a rollback had taken back.
    for (int i = 1; i < 6; ++i) {
      ASSERT_EQ(append(i), absl::OkStatus()) << n;
    }
    store.reset();

    EXPECT_EQ(VerifyAll(path), "") << n;
    EXPECT_EQ(Select(path, "SELECT DISTINCT format FROM segments"),
              std::vector<std::string>{GetParam().torn ? "4" : "3"});
    const std::set<std::string> kept = Resources(path);
    for (const std::string& resource : acknowledged) {
      EXPECT_EQ(kept.count(resource), 1u) << resource << " at fault " << n;
    }
  }
  RecordProperty("faults", n);
  EXPECT_GT(n, 20) << "the layer below is not in use";
}

// What was taken at the level `recorded` before a fault is written once it is over, once.
TEST_P(FaultTest, WhatWasRecordedIsHeldAndWrittenOnce) {
  bool met_fault = true;
  int n = 1, held = 0;
  for (; met_fault; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = MakeTempDir() + "audit.db";
    std::unique_ptr<AuditStore> store = OpenStore(path);
    ASSERT_NE(store, nullptr);
    Decider decider;
    const Principal ada = testing::MakePrincipal("user:ada");
    std::vector<std::string> taken;
    const auto append = [&](int i) {
      const EntityId resource("doc", Name(i));
      if (decider.Append(*store, Request(ada, "doc.read", resource), AuditLevel::kRecorded).ok()) {
        taken.push_back("doc:" + Name(i));
      }
    };
    append(0);
    ASSERT_EQ(store->Flush(), absl::OkStatus());
    faults.hit = 0;
    faults.calls_left = n;
    faults.armed = true;
    for (int i = 1; i < 12; ++i) {
      append(i);
      if (i % 3 != 0) continue;
      const absl::Status status = store->Flush();
      if (faults.hit == 0) {
        EXPECT_EQ(status, absl::OkStatus()) << n;
      }
    }
    met_fault = faults.hit > 0;
    faults.armed = false;
    held += store->stats().kept > 0;
    ASSERT_EQ(store->Flush(), absl::OkStatus()) << n;
    EXPECT_EQ(store->stats().queued, 0) << n;
    append(12);
    ASSERT_EQ(store->Flush(), absl::OkStatus()) << n;
    EXPECT_GE(store->stats().written, static_cast<int64_t>(taken.size())) << n;
    store.reset();

    EXPECT_EQ(VerifyAll(path), "") << n;
    for (const std::string& resource : taken) {
      EXPECT_EQ(
          Select(path, "SELECT count(*) FROM decisions WHERE resource = '" + resource + "'")[0],
          "1")
          << resource << " at fault " << n;
    }
  }
  EXPECT_GT(n, 20) << "the layer below is not in use";
  RecordProperty("held", held);
}

// Rows are made by batches; whatever fails, each record has one in the end.
TEST_P(FaultTest, RowsAreMadeOnce) {
  bool met_fault = true;
  int n = 1;
  for (; met_fault; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = MakeTempDir() + "audit.db";
    std::unique_ptr<AuditStore> store = OpenStore(path);
    ASSERT_NE(store, nullptr);
    Decider decider;
    std::set<std::string> acknowledged;
    faults.hit = 0;
    faults.calls_left = n;
    faults.armed = true;
    for (int i = 0; i < 4; ++i) {
      const std::string resource = "doc:" + Name(i);
      if (decider.Append(*store, "doc.read", resource).ok()) acknowledged.insert(resource);
      const int before = faults.hit;
      const absl::Status status = store->Unfold();
      if (faults.hit == 0) {
        EXPECT_EQ(status, absl::OkStatus()) << n;
      } else if (!GetParam().once && faults.hit > before) {
        EXPECT_NE(status, absl::OkStatus()) << n;
      }
    }
    met_fault = faults.hit > 0;
    faults.armed = false;
    ASSERT_EQ(decider.Append(*store, "doc.read", "doc:after"), absl::OkStatus()) << n;
    ASSERT_EQ(store->Unfold(), absl::OkStatus()) << n;
    store.reset();
    EXPECT_EQ(VerifyAll(path), "") << n;
    const std::set<std::string> kept = Resources(path);
    for (const std::string& resource : acknowledged) {
      EXPECT_EQ(kept.count(resource), 1u) << resource << " at fault " << n;
    }
  }
  EXPECT_GT(n, 20) << "the layer below is not in use";
}

TEST_P(FaultTest, OpeningFailsCleanlyAndSucceedsLater) {
  bool met_fault = true;
  for (int n = 1; met_fault; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = MakeTempDir() + "audit.db";
    faults.hit = 0;
    faults.calls_left = n;
    faults.armed = true;
    {
      AuditStore::Options options;
      options.max_wait = absl::Seconds(60);
      absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path, options);
      met_fault = faults.hit > 0;
      faults.armed = false;
      if (!met_fault) {
        EXPECT_EQ(store.status(), absl::OkStatus());
      }
    }
    std::unique_ptr<AuditStore> store = OpenStore(path);
    ASSERT_NE(store, nullptr) << n;
    EXPECT_EQ(Decider().Append(*store, "doc.read", "doc:1"), absl::OkStatus()) << n;
    store.reset();
    EXPECT_EQ(Verify(path), "") << n;
  }
}

// A file of five records in as many segments of two writers, all with rows.
std::string FileToPrune() {
  static const std::string base = [] {
    const std::string path = MakeTempDir() + "audit.db";
    for (int writer = 0; writer < 2; ++writer) {
      AuditStore::Options options;
      options.max_wait = absl::Seconds(60);
      options.checkpoint_key = std::string(32, 'k');
      options.checkpoint_file = path + ".checkpoints";
      options.checkpoint_records = 2;
      auto store = *AuditStore::Open(path, options);
      Decider decider;
      for (int i = writer; i < 3; ++i) {
        EXPECT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", writer, "-", i)),
                  absl::OkStatus());
      }
    }
    EXPECT_EQ(VerifyAll(path), "");
    return path;
  }();
  const std::string path = MakeTempDir() + "audit.db";
  std::filesystem::copy_file(base, path);
  std::filesystem::copy_file(base + ".checkpoints", path + ".checkpoints");
  return path;
}

// Two segments to a transaction, one of each writer or both of one.
PruneOptions PruneAll(const std::string& path) {
  PruneOptions options;
  options.before = absl::InfiniteFuture();
  options.max_batch_records = 2;
  options.vacuum = true;
  options.key = std::string(32, 'k');
  options.checkpoint_file = path + ".checkpoints";
  return options;
}

// Goes on after what happened, and checks before and after. Empty, or what is wrong.
std::string GoOnPruning(const std::string& path, int64_t* left) {
  testing::CatchUp(path);
  AuditVerifier::Options options;
  options.checkpoint_file = path + ".checkpoints";
  options.rows = true;
  for (const bool before : {true, false}) {
    const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, options);
    if (!report.ok()) return report.status().ToString();
    if (!report->intact()) return report->findings[0].message;
    if (report->records + report->pruned_records != 5 || report->rows != report->records) {
      return absl::StrCat(report->records, " records, ", report->rows, " rows");
    }
    if (!before) break;
    *left = report->records;
    const absl::StatusOr<PruneResult> rest = Prune(path, PruneAll(path));
    if (!rest.ok()) return rest.status().ToString();
    if (rest->records != *left) return absl::StrCat(rest->records, " of ", *left, " were pruned");
  }
  return "";
}

TEST_P(FaultTest, PruningLeavesAFileThatVerifies) {
  bool met_fault = true;
  int n = 1;
  std::set<int64_t> lefts;
  for (; met_fault; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = FileToPrune();
    faults.hit = 0;
    faults.calls_left = n;
    faults.armed = true;
    const absl::Status status = Prune(path, PruneAll(path)).status();
    faults.armed = false;
    met_fault = faults.hit > 0;
    if (!met_fault) {
      EXPECT_EQ(status, absl::OkStatus());
    }
    int64_t left = 0;
    EXPECT_EQ(GoOnPruning(path, &left), "") << n << ": " << status;
    lefts.insert(left);
  }
  EXPECT_GT(n, 20) << "the layer below is not in use";
  // Each transaction was hit.
  EXPECT_GE(lefts.size(), 4u);
}

// kill -9, before each call in turn.
TEST(KilledTest, PruningLeavesAFileThatVerifies) {
  testing::UseDisk(&faults);
  faults.once = true;
  bool was_killed = true;
  int n = 1;
  std::set<int64_t> lefts;
  for (; was_killed; ++n) {
    ASSERT_LT(n, 1000);
    const std::string path = FileToPrune();
    const pid_t child = fork();
    if (child == 0) {
      faults.calls_left = n;
      faults.kills = faults.armed = true;
      _exit(Prune(path, PruneAll(path)).ok() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    was_killed = WIFSIGNALED(status);
    ASSERT_EQ(status, was_killed ? SIGKILL : 0) << n;
    int64_t left = 0;
    EXPECT_EQ(GoOnPruning(path, &left), "") << n;
    lefts.insert(left);
  }
  EXPECT_GT(n, 20) << "the layer below is not in use";
  EXPECT_GE(lefts.size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultTest,
                         ::testing::Values(FaultCase{"OneError", true, SQLITE_IOERR, false},
                                           FaultCase{"OneTornWrite", true, SQLITE_IOERR, true},
                                           FaultCase{"ErrorsFromThenOn", false, SQLITE_IOERR,
                                                     false},
                                           FaultCase{"TornFromThenOn", false, SQLITE_IOERR, true},
                                           FaultCase{"OnceFull", true, SQLITE_FULL, false},
                                           FaultCase{"FullFromThenOn", false, SQLITE_FULL, true}),
                         [](const auto& info) { return std::string(info.param.name); });

// A disk that does not finish makes callers wait no longer than max_wait.
TEST(SlowDiskTest, AnAnswerDoesNotWaitForever) {
  testing::UseDisk(&faults);
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(100);
  auto store = *AuditStore::Open(path, options);
  {
    MutexLock lock(faults.mutex);
    faults.hold = true;
    faults.held = false;
  }
  const absl::Status status = Decider().Append(*store, "doc.read", "doc:slow");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  {
    MutexLock lock(faults.mutex);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!faults.held && faults.changed.WaitUntil(faults.mutex, deadline)) {
    }
    ASSERT_TRUE(faults.held);
  }
  // While it hangs others are withdrawn.
  EXPECT_EQ(Decider().Append(*store, "doc.read", "doc:withdrawn").code(),
            absl::StatusCode::kUnavailable);
  {
    MutexLock lock(faults.mutex);
    faults.hold = false;
    faults.changed.NotifyAll();
  }
  EXPECT_TRUE(
      testing::Eventually([&] { return Decider().Append(*store, "doc.read", "doc:after").ok(); }));
  store.reset();
  EXPECT_EQ(Verify(path), "");
  // The first one may be there though it was answered with an error: it is documented.
  EXPECT_EQ(Resources(path).count("doc:withdrawn"), 0u);
  EXPECT_EQ(Resources(path).count("doc:after"), 1u);
}

// Fills the disk by records until one is refused, then lets `make_room` end that. Returns 0 if
// nothing that was acknowledged is lost, and each allow that was answered has its record.
int RunOnFullDisk(const std::string& path, const std::function<bool()>& make_room) {
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  auto store = *AuditStore::Open(path, options);
  Decider decider;
  const std::string filler(3000, 'x');
  std::set<std::string> acknowledged;
  const auto append = [&](const std::string& resource) {
    const absl::Status status = decider.Append(*store, "doc.read", resource);
    if (status.ok()) acknowledged.insert(resource);
    return status;
  };
  absl::Status status;
  for (int i = 0; status.ok(); ++i) {
    if (i == 10000) return 1;  // the disk is never full
    status = append(absl::StrCat("doc:", i, "-", filler));
  }
  if (acknowledged.size() < 10) return 2;
  if (store->stats().status.ok()) return 3;
  append("doc:" + filler).IgnoreError();
  if (!make_room()) return 4;
  if (!append("doc:after").ok()) return 5;
  store.reset();
  const std::set<std::string> kept = Resources(path);
  if (!std::includes(kept.begin(), kept.end(), acknowledged.begin(), acknowledged.end())) return 6;
  return Verify(path).empty() ? 0 : 7;
}

int RunUnderLimit(const std::string& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {1 << 20, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  return RunOnFullDisk(path, [&before] { return setrlimit(RLIMIT_FSIZE, &before) == 0; });
}

constexpr int kNoMount = 77;

// A file system of 3 MB, which another file fills.
int RunOnSmallFileSystem(const std::string& path) {
  const std::string dir = path.substr(0, path.rfind('/'));
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", dir.c_str(), "tmpfs", 0, "size=3m,mode=700") != 0) {
    return kNoMount;
  }
  const std::string other = dir + "/other";
  const int file = open(other.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0 || posix_fallocate(file, 0, 2 << 20) != 0) return 20;
  close(file);
  return RunOnFullDisk(path, [&other] { return unlink(other.c_str()) == 0; });
}

// In a child, for a limit and a mount hold for a whole process.
int ExitOf(int (*run)(const std::string& path)) {
  const std::string path = MakeTempDir() + "audit.db";
  const pid_t child = fork();
  if (child == 0) _exit(run(path));
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(FullDiskTest, NothingAcknowledgedIsLostUnderALimitOfFileSizes) {
  testing::UseDisk(nullptr);
  EXPECT_EQ(ExitOf(RunUnderLimit), 0);
}

TEST(FullDiskTest, NothingAcknowledgedIsLostOnAFullFileSystem) {
  testing::UseDisk(nullptr);
  const int status = ExitOf(RunOnSmallFileSystem);
  if (status == kNoMount) GTEST_SKIP() << "needs the right to mount a file system";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace reeve
