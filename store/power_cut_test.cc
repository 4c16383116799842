// The power goes while a store writes: of what was not synced the disk keeps some sectors and loses
// others, in any order. Before each call of the disk the test notes what could be on it, and later
// looks for what had been answered by then.
#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/engine/mutex.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/prune.h"
#include "reeve/store/testing.h"
#include "reeve/store/testing_vfs.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeTempDir;
using testing::Select;
using testing::Verify;

constexpr size_t kSector = 512;

// A file as a disk may have it: what was synced last, and what came after.
struct File {
  struct Change {
    bool truncates;
    size_t at;  // or the new size
    std::string data;
  };

  std::string synced;
  bool exists = false;  // was synced once
  std::vector<Change> changes;
};

using Files = std::map<std::string, File>;  // by the end of the path: "", "-wal"

// What was known when the power went.
struct Moment {
  Files files;
  std::set<std::string> answered;
};

// Passes calls on, and remembers what a disk that loses its power may have of them.
class ForgetfulDisk : public testing::Disk {
 public:
  // Notes what is known before each call from now on, for files whose path begins with `path`.
  void Watch(const std::string& path) {
    MutexLock lock(mutex_);
    path_ = path;
    files_.clear();
    answered_.clear();
    moments_.clear();
  }
  size_t moments() {
    MutexLock lock(mutex_);
    return moments_.size();
  }
  std::vector<Moment> TakeMoments() {
    MutexLock lock(mutex_);
    path_.clear();
    return std::move(moments_);
  }
  void Answered(const std::string& resource) {
    MutexLock lock(mutex_);
    answered_.insert(resource);
  }

  int Write(const std::string& path, sqlite3_file* file, const void* data, int size,
            sqlite3_int64 at) override {
    Change(path, {false,
                  static_cast<size_t>(at),
                  {static_cast<const char*>(data), static_cast<size_t>(size)}});
    return Disk::Write(path, file, data, size, at);
  }

  int Truncate(const std::string& path, sqlite3_file* file, sqlite3_int64 size) override {
    Change(path, {true, static_cast<size_t>(size), {}});
    return Disk::Truncate(path, file, size);
  }

  // A real sync would only take time.
  int Sync(const std::string& path, sqlite3_file*, int) override {
    Note();
    MutexLock lock(mutex_);
    if (!Watches(path)) return SQLITE_OK;
    File& known = files_[path.substr(path_.size())];
    for (const File::Change& change : known.changes) Apply(change, 0, change.data.size(), &known);
    known.changes.clear();
    known.exists = true;
    return SQLITE_OK;
  }

  int Delete(sqlite3_vfs* below, const std::string& path, int sync) override {
    Note();
    {
      MutexLock lock(mutex_);
      if (Watches(path)) files_.erase(path.substr(path_.size()));
    }
    return Disk::Delete(below, path, sync);
  }

  // Applies the part of a change between two offsets in its data.
  static void Apply(const File::Change& change, size_t begin, size_t end, File* file) {
    if (change.truncates) {
      file->synced.resize(change.at);
      return;
    }
    if (begin >= end) return;
    if (file->synced.size() < change.at + end) file->synced.resize(change.at + end);
    file->synced.replace(change.at + begin, end - begin, change.data, begin, end - begin);
  }

 private:
  bool Watches(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !path_.empty() && absl::StartsWith(path, path_);
  }

  void Change(const std::string& path, File::Change change) {
    Note();
    MutexLock lock(mutex_);
    if (Watches(path)) files_[path.substr(path_.size())].changes.push_back(std::move(change));
  }

  void Note() {
    MutexLock lock(mutex_);
    if (!path_.empty()) moments_.push_back({files_, answered_});
  }

  Mutex mutex_;
  std::string path_ ABSL_GUARDED_BY(mutex_);
  Files files_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> answered_ ABSL_GUARDED_BY(mutex_);
  std::vector<Moment> moments_ ABSL_GUARDED_BY(mutex_);
};

ForgetfulDisk disk;

// What the disk keeps of what was not synced.
enum class Keeps { kNothing, kSome, kFirstHalves, kAll };

void WriteImage(const Files& files, Keeps keeps, std::mt19937* random, const std::string& path) {
  for (const auto& [suffix, known] : files) {
    File file = known;
    if (!file.exists && (keeps == Keeps::kNothing || (keeps == Keeps::kSome && (*random)() % 2))) {
      continue;
    }
    for (const File::Change& change : known.changes) {
      const size_t size = change.data.size();
      if (keeps == Keeps::kNothing) continue;
      if (change.truncates) {
        if (keeps != Keeps::kSome || (*random)() % 2 != 0)
          ForgetfulDisk::Apply(change, 0, 0, &file);
      } else if (keeps == Keeps::kSome) {
        for (size_t at = 0; at < size; at += kSector) {
          if ((*random)() % 2 == 0) continue;
          ForgetfulDisk::Apply(change, at, std::min(size, at + kSector), &file);
        }
      } else {
        ForgetfulDisk::Apply(change, 0, keeps == Keeps::kAll ? size : size / 2, &file);
      }
    }
    std::ofstream(path + suffix, std::ios::binary) << file.synced;
  }
}

std::unique_ptr<AuditStore> OpenStore(const std::string& path) {
  AuditStore::Options options;
  options.compression = AuditStore::Options::Compression::kZstd;
  options.max_wait = absl::Seconds(60);
  options.checkpoint_key = std::string(32, 'k');
  options.checkpoint_records = 3;
  options.make_rows = false;
  absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path, options);
  EXPECT_EQ(store.status(), absl::OkStatus());
  return store.ok() ? *std::move(store) : nullptr;
}

// What is written while the power goes.
void WriteRecords(const std::string& path, AuditLevel level) {
  Decider decider;
  const Principal ada = testing::MakePrincipal("user:ada");
  for (int writer = 0; writer < 2; ++writer) {
    std::unique_ptr<AuditStore> store = OpenStore(path);
    ASSERT_NE(store, nullptr);
    std::vector<std::string> taken;
    for (int i = 0; i < 6; ++i) {
      const EntityId resource("doc", absl::StrCat(writer, "/", i));
      ASSERT_EQ(decider.Append(*store, Request(ada, "doc.read", resource), level),
                absl::OkStatus());
      taken.push_back(absl::StrCat("doc:", resource.id));
      if (level == AuditLevel::kDurable || i % 3 == 2) {
        ASSERT_EQ(store->Flush(), absl::OkStatus());
        for (const std::string& name : taken) disk.Answered(name);
      }
      // Rows are written without a sync of their own, and the log is copied under the writer.
      if (i == 2) {
        ASSERT_EQ(store->Unfold(), absl::OkStatus());
      }
      if (i == 4) {
        ASSERT_EQ(Select(path, "PRAGMA wal_checkpoint(TRUNCATE)").size(), 1u);
      }
    }
  }
}

struct PowerCase {
  const char* name;
  AuditLevel level;
  Keeps keeps;
  int images;  // of each moment
};

std::ostream& operator<<(std::ostream& out, const PowerCase& c) { return out << c.name; }

class PowerCutTest : public ::testing::TestWithParam<PowerCase> {};

TEST_P(PowerCutTest, WhatWasAnsweredIsThere) {
  testing::UseDisk(&disk);
  const std::string dir = MakeTempDir();
  disk.Watch(dir + "audit.db");
  WriteRecords(dir + "audit.db", GetParam().level);
  const std::vector<Moment> moments = disk.TakeMoments();
  ASSERT_GT(moments.size(), 40u) << "the layer below is not in use";
  ASSERT_EQ(moments.back().answered.size(), 12u);

  std::mt19937 random(20261127);
  size_t lost = 0;
  for (size_t n = 0; n < moments.size(); ++n) {
    for (int image = 0; image < GetParam().images; ++image) {
      const std::string path = MakeTempDir() + "audit.db";
      WriteImage(moments[n].files, GetParam().keeps, &random, path);
      {
        std::unique_ptr<AuditStore> store = OpenStore(path);
        ASSERT_NE(store, nullptr) << n;
        ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:after"), absl::OkStatus()) << n;
      }
      EXPECT_EQ(Verify(path), "") << n;
      const std::vector<std::string> kept = Select(path, "SELECT resource FROM decisions");
      for (const std::string& resource : moments[n].answered) {
        EXPECT_EQ(std::count(kept.begin(), kept.end(), resource), 1)
            << resource << " when the power went before call " << n;
      }
      lost += kept.size() < 13;
    }
  }
  // Else nothing was at stake.
  EXPECT_GT(lost, 10u);
}

// Of what is removed on purpose the file says so, or it is there.
TEST(PruningPowerCutTest, TheFileVerifies) {
  testing::UseDisk(&disk);
  const std::string original = MakeTempDir() + "audit.db";
  disk.Watch(original);
  WriteRecords(original, AuditLevel::kRecorded);
  ASSERT_EQ(Verify(original), "");
  const size_t begun = disk.moments();
  PruneOptions all;
  all.before = absl::InfiniteFuture();
  all.max_batch_records = 1;
  ASSERT_EQ(Prune(original, all).status(), absl::OkStatus());
  const std::vector<Moment> moments = disk.TakeMoments();
  ASSERT_GT(moments.size(), begun + 20) << "the layer below is not in use";

  std::mt19937 random(20261127);
  std::set<int64_t> lefts;
  for (size_t n = begun; n < moments.size(); ++n) {
    constexpr Keeps kOthers[] = {Keeps::kNothing, Keeps::kFirstHalves, Keeps::kAll};
    for (const Keeps keeps : {Keeps::kSome, kOthers[n % 3]}) {
      const std::string path = MakeTempDir() + "audit.db";
      WriteImage(moments[n].files, keeps, &random, path);
      EXPECT_EQ(Verify(path), "") << n;
      const absl::StatusOr<PruneResult> rest = Prune(path, all);
      ASSERT_EQ(rest.status(), absl::OkStatus()) << n;
      lefts.insert(rest->records);
      EXPECT_EQ(Verify(path), "") << n;
      EXPECT_EQ(Select(path, "SELECT resource FROM decisions").size(), 0u) << n;
    }
  }
  EXPECT_GE(lefts.size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(
    Power, PowerCutTest,
    ::testing::Values(PowerCase{"DurableNothingKept", AuditLevel::kDurable, Keeps::kNothing, 1},
                      PowerCase{"DurableSomeKept", AuditLevel::kDurable, Keeps::kSome, 3},
                      PowerCase{"DurableTorn", AuditLevel::kDurable, Keeps::kFirstHalves, 1},
                      PowerCase{"DurableAllKept", AuditLevel::kDurable, Keeps::kAll, 1},
                      PowerCase{"RecordedNothingKept", AuditLevel::kRecorded, Keeps::kNothing, 1},
                      PowerCase{"RecordedSomeKept", AuditLevel::kRecorded, Keeps::kSome, 3}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
