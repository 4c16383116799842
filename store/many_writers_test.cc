// Several processes of many threads each write to one file at once: nothing is lost, nothing is
// there twice, counted exactly.
//
// REEVE_RECORDS asks for more than the few of a daily run: 20000000 takes some minutes and 6 GB,
// and says how the rate changes as the file grows.
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/segment.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeTempDir;

constexpr int kProcesses = 4;
constexpr int kThreads = 64;

int RecordsOfAThread() {
  const char* const wanted = std::getenv("REEVE_RECORDS");
  const int all = wanted == nullptr ? 100000 : std::atoi(wanted);
  return (all + kProcesses * kThreads - 1) / (kProcesses * kThreads);
}

// What the processes share: how much is done, and when each tenth of it was.
struct Progress {
  using Clock = std::chrono::steady_clock;  // One for all processes (clock_gettime(2)).

  std::atomic<int64_t> done{0};
  std::atomic<Clock::rep> tenths[11] = {};

  void Add(int64_t all) {
    const int64_t now = ++done;
    if (now * 10 / all != (now - 1) * 10 / all) {
      tenths[now * 10 / all] = Clock::now().time_since_epoch().count();
    }
  }
};

// One process. Returns 0 if each record was taken.
int Write(const std::string& path, int process, Progress& progress) {
  AuditStore::Options options;
  options.max_wait = absl::Minutes(10);
  absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path, options);
  if (!store.ok()) return 2;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&store, &refused, &progress, process, thread] {
      Decider decider;
      const Principal principal = testing::MakePrincipal(absl::StrCat("user:", thread));
      const int records = RecordsOfAThread();
      for (int i = 0; i < records; ++i) {
        const EntityId resource("doc", absl::StrCat(process, "/", thread, "/", i));
        const AuditLevel level = i % 1000 == 999 ? AuditLevel::kDurable : AuditLevel::kRecorded;
        const absl::Status status =
            decider.Append(**store, Request(principal, "doc.read", resource), level);
        refused += !status.ok();
        progress.Add(int64_t{kProcesses} * kThreads * records);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const AuditStore::Stats stats = (*store)->stats();
  if (stats.refused != 0 || refused != 0) return 3;
  if (!(*store)->Flush().ok()) return 4;
  return (*store)->stats().written == int64_t{kThreads} * RecordsOfAThread() ? 0 : 5;
}

// How often each record is in the file.
std::vector<int> Count(const std::string& path) {
  const int each = RecordsOfAThread();
  std::vector<int> counts(size_t{kProcesses} * kThreads * each);
  sqlite3* db = nullptr;
  sqlite3_stmt* segments = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(db, "SELECT bytes FROM segments", -1, &segments, nullptr),
            SQLITE_OK);
  while (sqlite3_step(segments) == SQLITE_ROW) {
    const absl::StatusOr<Segment> segment =
        DecodeSegment({static_cast<const char*>(sqlite3_column_blob(segments, 0)),
                       static_cast<size_t>(sqlite3_column_bytes(segments, 0))});
    if (!segment.ok()) {
      ADD_FAILURE() << segment.status();
      break;
    }
    for (const Segment::Record& record : segment->records) {
      const std::string_view resource = segment->text(record, Field::kResource);
      int process = 0, thread = 0, i = 0;
      char end = 0;
      const int fields =
          std::sscanf(std::string(resource).c_str(), "doc:%d/%d/%d%c", &process, &thread, &i, &end);
      if (fields != 3 || process >= kProcesses || thread >= kThreads || i >= each) {
        ADD_FAILURE() << "there is a record of " << resource;
        continue;
      }
      ++counts[static_cast<size_t>(process * kThreads + thread) * each + i];
    }
  }
  sqlite3_finalize(segments);
  sqlite3_close(db);
  return counts;
}

TEST(ManyWritersTest, NothingIsLostNothingDoubled) {
  const std::string path = MakeTempDir() + "audit.db";
  void* const shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Progress& progress = *new (shared) Progress;
  progress.tenths[0] = Progress::Clock::now().time_since_epoch().count();
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    if (child == 0) _exit(Write(path, process, progress));
    ASSERT_GT(child, 0);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << status;
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }

  const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, {});
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->intact()) << report->findings[0].message;
  const std::vector<int> counts = Count(path);
  EXPECT_EQ(report->records, static_cast<int64_t>(counts.size()));
  int64_t lost = 0, doubled = 0;
  for (const int count : counts) {
    lost += count == 0;
    doubled += count > 1;
  }
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(doubled, 0);
  std::printf("%zu records of %d threads in %d processes, %.0f bytes each in segments\n",
              counts.size(), kProcesses * kThreads, kProcesses,
              static_cast<double>(report->bytes) / counts.size());
  std::printf("records a second, by tenth:");
  for (int i = 1; i <= 10; ++i) {
    const std::chrono::duration<double> took =
        Progress::Clock::duration(progress.tenths[i] - progress.tenths[i - 1]);
    std::printf(" %.0f", counts.size() / 10.0 / took.count());
  }
  std::puts("");

  // Whoever of the processes made the rows.
  EXPECT_EQ(testing::Verify(path), "");
  std::printf("with rows %.0f bytes each\n",
              static_cast<double>(std::filesystem::file_size(path)) / counts.size());
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
}

}  // namespace
}  // namespace reeve
