// Damaged files, which are put out of the way or stay, as the options say.
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/engine/testing.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::FakeClock;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;
using testing::WithoutPrivileges;

constexpr char kAside[] = "audit.db.20270115T080000Z.damaged";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteAt(const std::string& path, size_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at));
  file << bytes;
  ASSERT_TRUE(file.flush().good()) << path;
}

class SetAsideTest : public ::testing::Test {
 protected:
  SetAsideTest() : dir_(MakeTempDir()), path_(dir_ + "audit.db") {
    options_.max_wait = absl::Seconds(60);
    options_.clock = &clock_;
    options_.damaged = AuditStore::Options::Damaged::kSetAside;
    clock_.now = absl::FromUnixSeconds(1800000000);
  }

  // A file with 200 records, closed in order.
  void Fill() {
    const auto store = AuditStore::Open(path_, options_);
    ASSERT_EQ(store.status(), absl::OkStatus());
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(decider_.Append(**store, "doc.read", absl::StrCat("doc:", i)), absl::OkStatus());
    }
  }

  size_t PageSize() { return std::stoul(SelectOne(path_, "PRAGMA page_size")); }

  const std::string dir_, path_;
  FakeClock clock_;
  AuditStore::Options options_;
  Decider decider_;
};

TEST_F(SetAsideTest, WhatIsDamagedWhenItIsOpened) {
  const struct {
    const char* name;
    std::function<void()> damage;
  } kCases[] = {
      {"Header", [&] { WriteAt(path_, 0, std::string(100, 'x')); }},
      {"NoDatabase",
       [&] { std::ofstream(path_, std::ios::binary | std::ios::trunc) << "a text of no use\n"; }},
      {"SchemaPage", [&] { WriteAt(path_, 100, std::string(PageSize() - 100, 'x')); }},
      {"MiddlePages",
       [&] {
         const size_t page = PageSize(), size = ReadFile(path_).size();
         WriteAt(path_, page, std::string(size - page, 'x'));
       }},
      {"CutShort", [&] { ASSERT_EQ(truncate(path_.c_str(), PageSize()), 0); }},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const char* file : {"", "-wal", "-shm"}) unlink((path_ + file).c_str());
    for (const char* file : {"", "-wal", "-shm"}) unlink((dir_ + kAside + file).c_str());
    Fill();
    c.damage();
    const std::string damaged = ReadFile(path_);

    AuditStore::Options refuses = options_;
    refuses.damaged = AuditStore::Options::Damaged::kRefuse;
    EXPECT_EQ(AuditStore::Open(path_, refuses).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ReadFile(path_), damaged);
    EXPECT_NE(access((dir_ + kAside).c_str(), F_OK), 0);

    auto store = AuditStore::Open(path_, options_);
    ASSERT_EQ(store.status(), absl::OkStatus());
    EXPECT_EQ(decider_.Append(**store, "doc.read", "doc:new"), absl::OkStatus());
    const AuditStore::Stats stats = (*store)->stats();
    EXPECT_EQ(stats.set_aside, 1);
    EXPECT_EQ(stats.set_aside_file, kAside);
    EXPECT_EQ(stats.set_aside_status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(stats.status, absl::OkStatus());
    EXPECT_EQ(ReadFile(dir_ + kAside), damaged);
    EXPECT_EQ(Select(path_, "SELECT id, follows FROM writers"),
              std::vector<std::string>{absl::StrCat("1|", kAside)});
    EXPECT_EQ(SelectOne(path_, "SELECT resource FROM decisions"), "doc:new");
    store->reset();
    EXPECT_EQ(Verify(path_), "");
    const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path_, {});
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_EQ(report->writers[0].follows, kAside);
    // What was set aside tells that it is not whole.
    const absl::StatusOr<AuditReport> before = AuditVerifier::Verify(dir_ + kAside, {});
    EXPECT_TRUE(before.status().code() == absl::StatusCode::kDataLoss ||
                (before.ok() && !before->intact()))
        << before.status();

    // The next opening is one like any other.
    ASSERT_EQ(AuditStore::Open(path_, options_).status(), absl::OkStatus());
    EXPECT_EQ(Select(path_, "SELECT id, follows FROM writers"),
              (std::vector<std::string>{absl::StrCat("1|", kAside), "2|NULL"}));
  }
}

// The note of what it follows is covered by the chain.
TEST_F(SetAsideTest, TheNoteCannotBeChanged) {
  Fill();
  WriteAt(path_, 0, std::string(100, 'x'));
  ASSERT_EQ(AuditStore::Open(path_, options_).status(), absl::OkStatus());
  ASSERT_EQ(Verify(path_), "");
  const std::string base = ReadFile(path_);
  for (const char* value : {"NULL", "''", "'another'", "x'00'", "1"}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << base;
    Select(path_, absl::StrCat("UPDATE writers SET follows = ", value));
    EXPECT_NE(Verify(path_), "") << value;
  }
}

TEST_F(SetAsideTest, WhatIsDamagedWhileItIsWritten) {
  options_.make_rows = false;
  auto store = AuditStore::Open(path_, options_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(decider_.Append(**store, "doc.read", absl::StrCat("doc:", i)), absl::OkStatus());
  }
  // All is in the main file then, and the writer reads it anew.
  const size_t page = PageSize();
  EXPECT_EQ(SelectOne(path_, "PRAGMA wal_checkpoint(TRUNCATE)"), "0|0|0");
  WriteAt(path_, page, std::string(ReadFile(path_).size() - page, 'x'));
  // The one that finds it is refused; the one behind it is kept.
  EXPECT_EQ(decider_.Append(**store, "doc.read", "doc:refused").code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(decider_.Append(**store, "doc.read", "doc:after"), absl::OkStatus());
  EXPECT_EQ((*store)->stats().set_aside, 1);
  EXPECT_EQ((*store)->stats().set_aside_file, kAside);
  store->reset();
  EXPECT_EQ(Select(path_, "SELECT resource FROM decisions"), std::vector<std::string>{"doc:after"});
  EXPECT_EQ(Select(path_, "SELECT id, follows FROM writers"),
            std::vector<std::string>{absl::StrCat("1|", kAside)});
  EXPECT_EQ(Verify(path_), "");
}

// By default it stays, and nothing is allowed.
TEST_F(SetAsideTest, WhatIsDamagedWhileItIsWrittenStaysByDefault) {
  options_.make_rows = false;
  options_.damaged = AuditStore::Options::Damaged::kRefuse;
  auto store = AuditStore::Open(path_, options_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  ASSERT_EQ(decider_.Append(**store, "doc.read", "doc:1"), absl::OkStatus());
  const size_t page = PageSize();
  EXPECT_EQ(SelectOne(path_, "PRAGMA wal_checkpoint(TRUNCATE)"), "0|0|0");
  WriteAt(path_, page, std::string(ReadFile(path_).size() - page, 'x'));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(decider_.Append(**store, "doc.read", "doc:2").code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ((*store)->stats().set_aside, 0);
  EXPECT_EQ((*store)->stats().status.code(), absl::StatusCode::kDataLoss);
}

// Two stores that find it at the same time set it aside once.
TEST_F(SetAsideTest, BySeveralStoresOnce) {
  options_.make_rows = false;
  auto a = AuditStore::Open(path_, options_), b = AuditStore::Open(path_, options_);
  ASSERT_TRUE(a.ok() && b.ok());
  ASSERT_EQ(decider_.Append(**a, "doc.read", "doc:1"), absl::OkStatus());
  ASSERT_EQ(decider_.Append(**b, "doc.read", "doc:2"), absl::OkStatus());
  const size_t page = PageSize();
  EXPECT_EQ(SelectOne(path_, "PRAGMA wal_checkpoint(TRUNCATE)"), "0|0|0");
  WriteAt(path_, page, std::string(ReadFile(path_).size() - page, 'x'));
  EXPECT_FALSE(decider_.Append(**a, "doc.read", "doc:3").ok());
  EXPECT_FALSE(decider_.Append(**b, "doc.read", "doc:4").ok());
  EXPECT_EQ(decider_.Append(**a, "doc.read", "doc:5"), absl::OkStatus());
  EXPECT_EQ(decider_.Append(**b, "doc.read", "doc:6"), absl::OkStatus());
  EXPECT_EQ((*a)->stats().set_aside + (*b)->stats().set_aside, 1);
  a->reset();
  b->reset();
  EXPECT_EQ(Select(path_, "SELECT resource FROM decisions ORDER BY number"),
            (std::vector<std::string>{"doc:5", "doc:6"}));
  EXPECT_EQ(Verify(path_), "");
}

// A log that is damaged reads as one that a crash cut off: the file opens, and the checkpoints
// tell.
TEST_F(SetAsideTest, ADamagedLogIsToldByCheckpoints) {
  options_.make_rows = false;
  options_.checkpoint_key = std::string(32, 's');
  options_.checkpoint_file = dir_ + "checkpoints";
  options_.checkpoint_records = 1;
  std::string file, log;
  {
    auto store = AuditStore::Open(path_, options_);
    ASSERT_EQ(store.status(), absl::OkStatus());
    ASSERT_EQ(decider_.Append(**store, "doc.read", "doc:1"), absl::OkStatus());
    file = ReadFile(path_);
    log = ReadFile(path_ + "-wal");
  }
  // As after a crash, with a log of which the second half is damaged.
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << file;
  std::ofstream(path_ + "-wal", std::ios::binary) << log;
  WriteAt(path_ + "-wal", log.size() / 2, std::string(log.size() / 4, 'x'));
  auto store = AuditStore::Open(path_, options_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  EXPECT_EQ((*store)->stats().set_aside, 0);
  store->reset();
  AuditVerifier::Options verify;
  verify.checkpoint_file = options_.checkpoint_file;
  const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path_, verify);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_FALSE(report->intact());
}

// Nothing is written over, whoever left it there.
TEST_F(SetAsideTest, ANameThatIsInUseIsLeftAlone) {
  Fill();
  std::ofstream(dir_ + kAside) << "mine";
  std::ofstream(dir_ + kAside + "-2-wal") << "mine";
  ASSERT_EQ(symlink("/nowhere", (dir_ + kAside + "-3").c_str()), 0);
  WriteAt(path_, 0, std::string(100, 'x'));
  auto store = AuditStore::Open(path_, options_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  EXPECT_EQ((*store)->stats().set_aside_file, absl::StrCat(kAside, "-4"));
  EXPECT_EQ(ReadFile(dir_ + kAside), "mine");
  EXPECT_EQ(ReadFile(dir_ + kAside + "-2-wal"), "mine");
}

TEST_F(SetAsideTest, WhatIsNotDamagedIsRefusedAsBefore) {
  const struct {
    const char* name;
    std::function<void()> make;
  } kCases[] = {
      {"Link",
       [&] {
         std::ofstream(dir_ + "other") << "a text of no use";
         ASSERT_EQ(symlink((dir_ + "other").c_str(), path_.c_str()), 0);
       }},
      {"Directory", [&] { ASSERT_EQ(mkdir(path_.c_str(), 0700), 0); }},
      {"OtherDatabase",
       [&] {
         sqlite3* db = nullptr;
         ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
         ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE t(a)", nullptr, nullptr, nullptr), SQLITE_OK);
         sqlite3_close(db);
       }},
      {"NewerVersion",
       [&] {
         Fill();
         Select(path_, "PRAGMA user_version = 1000");
       }},
  };
  for (const auto& c : kCases) {
    c.make();
    EXPECT_EQ(AuditStore::Open(path_, options_).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << c.name;
    EXPECT_NE(access((dir_ + kAside).c_str(), F_OK), 0) << c.name;
    ASSERT_EQ(remove(path_.c_str()), 0);
  }
}

TEST_F(SetAsideTest, WhereNothingCanBeRenamedItStays) {
  Fill();
  WriteAt(path_, 0, std::string(100, 'x'));
  const std::string damaged = ReadFile(path_);
  ASSERT_EQ(chmod(dir_.c_str(), 0555), 0);
  {
    const WithoutPrivileges without;
    const absl::Status status = AuditStore::Open(path_, options_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(absl::StrContains(status.message(), "is damaged, and cannot be set aside"))
        << status;
  }
  EXPECT_EQ(ReadFile(path_), damaged);
  ASSERT_EQ(chmod(dir_.c_str(), 0755), 0);
  EXPECT_EQ(AuditStore::Open(path_, options_).status(), absl::OkStatus());
  EXPECT_EQ(ReadFile(dir_ + kAside), damaged);
}

// A disk that is full when the file is set aside: the one that is begun later names it.
TEST_F(SetAsideTest, OnAFullDisk) {
  Fill();
  WriteAt(path_, 0, std::string(100, 'x'));
  const std::string damaged = ReadFile(path_);
  const pid_t child = fork();
  if (child == 0) {  // the limit holds for a whole process
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {512, 512};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(10);
    _exit(static_cast<int>(AuditStore::Open(path_, options_).status().code()));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 0);
  EXPECT_EQ(ReadFile(dir_ + kAside), damaged);
  auto store = AuditStore::Open(path_, options_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  EXPECT_EQ(SelectOne(path_, "SELECT follows FROM writers"), kAside);
  store->reset();
  EXPECT_EQ(Verify(path_), "");
}

}  // namespace
}  // namespace reeve
