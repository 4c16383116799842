#include "reeve/store/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::AllDecisions;
using testing::Decider;
using testing::MakeTempDir;
using testing::SelectOne;
using testing::Verify;

class BackupTest : public ::testing::Test {
 protected:
  bool CopyExists() {
    struct stat info;
    return lstat(copy_.c_str(), &info) == 0;
  }

  const std::string directory_ = MakeTempDir();
  const std::string path_ = directory_ + "audit.db";
  const std::string copy_ = directory_ + "copy.db";
};

TEST_F(BackupTest, TheCopyIsTheFile) {
  {
    auto store = *AuditStore::Open(path_);
    Decider decider;
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", i)), absl::OkStatus());
    }
  }
  const std::vector<std::string> all = AllDecisions(path_);
  const mode_t mask = umask(0);
  int64_t done = -1, of = 0;
  EXPECT_EQ(Backup(path_, copy_,
                   [&](int64_t now, int64_t all_pages) {
                     done = now;
                     of = all_pages;
                     return true;
                   }),
            absl::OkStatus());
  umask(mask);
  EXPECT_EQ(done, of);
  EXPECT_GT(of, 10);
  struct stat info;
  ASSERT_EQ(stat(copy_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(AllDecisions(copy_), all);
  EXPECT_EQ(Verify(copy_), "");
  // And a store can go on with it.
  auto store = *AuditStore::Open(copy_);
  EXPECT_EQ(Decider().Append(*store, "doc.read", "doc:new"), absl::OkStatus());
  EXPECT_EQ(SelectOne(copy_, "SELECT count(*) FROM decisions"), "51");
}

// What was answered before the copy began is in it, and what is in it is whole.
TEST_F(BackupTest, WhileOthersWrite) {
  AuditStore::Options options;
  options.checkpoint_key = std::string(32, 'k');
  options.checkpoint_records = 10;
  auto store = *AuditStore::Open(path_, options);
  std::atomic<int64_t> answered{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Decider decider;
    while (!stop) {
      if (decider.Append(*store, "doc.read", "doc:1").ok()) ++answered;
    }
  });
  for (int i = 0; i < 5; ++i) {
    const int64_t before = answered;
    const std::string copy = absl::StrCat(copy_, i);
    EXPECT_EQ(Backup(path_, copy), absl::OkStatus());
    EXPECT_EQ(Verify(copy), "");
    EXPECT_GE(std::stoll(SelectOne(copy, "SELECT count(*) FROM decisions")), before);
  }
  stop = true;
  writer.join();
  EXPECT_EQ(Verify(path_), "");
}

TEST_F(BackupTest, Errors) {
  ASSERT_TRUE(AuditStore::Open(path_).ok());
  const struct {
    const char* name;
    void (*prepare)(const std::string& copy);
    std::string from;
    std::string to;
    absl::StatusCode want;
    const char* message;
    bool copy_stays;
  } kCases[] = {
      {"ThereIsAFile", [](const std::string& copy) { std::ofstream(copy) << "mine"; }, path_, copy_,
       absl::StatusCode::kAlreadyExists, "is not written over what is there", true},
      {"ThereIsALinkToNothing",
       [](const std::string& copy) { ASSERT_EQ(symlink("nowhere", copy.c_str()), 0); }, path_,
       copy_, absl::StatusCode::kAlreadyExists, "is not written over what is there", true},
      {"OverItself", [](const std::string&) {}, path_, path_, absl::StatusCode::kAlreadyExists,
       "is not written over what is there", false},
      {"NoDirectory", [](const std::string&) {}, path_, directory_ + "none/copy.db",
       absl::StatusCode::kUnavailable, "cannot create the copy", false},
      {"NoName", [](const std::string&) {}, path_, "", absl::StatusCode::kInvalidArgument,
       "has no name", false},
      {"NoAuditFile", [](const std::string&) {}, directory_ + "none.db", copy_,
       absl::StatusCode::kNotFound, "there is no such file", false},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    unlink(copy_.c_str());
    c.prepare(copy_);
    const absl::Status status = Backup(c.from, c.to);
    EXPECT_EQ(status.code(), c.want);
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << status;
    EXPECT_EQ(CopyExists(), c.copy_stays);
  }
  EXPECT_EQ(Verify(path_), "");
}

TEST_F(BackupTest, WhatIsCancelledLeavesNothing) {
  ASSERT_TRUE(AuditStore::Open(path_).ok());
  EXPECT_EQ(Backup(path_, copy_, [](int64_t, int64_t) { return false; }).code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(CopyExists());
}

}  // namespace
}  // namespace reeve
