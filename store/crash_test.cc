// kill -9 during writing: every answered durable decision is in the file afterwards, and of the
// recorded ones only the newest are lost.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

// A crash_writer with a pipe to read what it acknowledged.
class Writer {
 public:
  // One of `durable` records is durable.
  Writer(const std::string& path, int threads, int durable) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    const char* const program = std::getenv("CRASH_WRITER");
    const std::string count = std::to_string(threads), share = std::to_string(durable);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(program, program, path.c_str(), count.c_str(), share.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    from_ = ends[0];
  }
  ~Writer() { close(from_); }

  // Reads until the writer has acknowledged `count` records or more.
  void ReadUntil(size_t count) {
    while (lines() < count && Read()) {
    }
  }

  // Kills it, and reads what it had said before. Returns the status of its end.
  int Kill() {
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    while (Read()) {
    }
    return status;
  }

  size_t lines() const { return std::count(said_.begin(), said_.end(), '\n'); }

  struct Line {
    std::string thread, level, id;
  };

  // What it acknowledged, in this order.
  std::vector<Line> acknowledged() const {
    std::vector<Line> lines;
    for (absl::string_view text : absl::StrSplit(
             absl::string_view(said_).substr(0, said_.rfind('\n')), '\n', absl::SkipEmpty())) {
      const std::vector<std::string> words = absl::StrSplit(text, ' ');
      if (words.size() == 3) lines.push_back({words[0], words[1], words[2]});
    }
    return lines;
  }

 private:
  // False at the end, and if nothing comes for a minute.
  bool Read() {
    char buffer[4096];
    pollfd ready = {from_, POLLIN, 0};
    if (poll(&ready, 1, 60000) != 1) return false;
    const ssize_t size = read(from_, buffer, sizeof(buffer));
    if (size > 0) said_.append(buffer, size);
    return size > 0;
  }

  pid_t pid_;
  int from_;
  std::string said_;
};

std::set<std::string> Ids(const std::string& path) {
  const std::vector<std::string> rows = Select(path, "SELECT id FROM decisions");
  return {rows.begin(), rows.end()};
}

// REEVE_KILLS asks for more of them.
int Rounds(int at_least) {
  const char* const wanted = std::getenv("REEVE_KILLS");
  return std::max(at_least, wanted == nullptr ? 0 : std::atoi(wanted));
}

TEST(CrashTest, WhatWasAnsweredIsThereAfterAKill) {
  const int rounds = Rounds(40);
  constexpr int kRoundsOfAFile = 40;
  std::mt19937 random(20261120);
  std::string path;
  std::set<std::string> acknowledged;
  size_t all = 0;
  for (int round = 0; round < rounds; ++round) {
    if (round % kRoundsOfAFile == 0) {
      path = MakeTempDir() + "audit.db";
      acknowledged.clear();
    }
    // Two processes at once in every fourth round.
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < (round % 4 == 3 ? 2 : 1); ++i) {
      writers.push_back(std::make_unique<Writer>(path, 1 + static_cast<int>(random() % 4), 1));
    }
    for (auto& writer : writers) {
      writer->ReadUntil(1 + random() % 200);
      const int status = writer->Kill();
      ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
      for (const Writer::Line& line : writer->acknowledged()) {
        all += acknowledged.insert(line.id).second;
      }
    }
    ASSERT_EQ(Verify(path), "") << "round " << round;
    const std::set<std::string> kept = Ids(path);
    for (const std::string& id : acknowledged) {
      ASSERT_EQ(kept.count(id), 1u) << "round " << round << ": " << id << " is lost";
    }
    ASSERT_EQ(SelectOne(path, "SELECT count(*) FROM writers WHERE closed IS NOT NULL"), "0");
  }
  EXPECT_GT(all, 1000u);
  RecordProperty("acknowledged", static_cast<int>(all));
}

// What a thread recorded before a durable record is there if that is, and what is lost is the end.
TEST(CrashTest, OfRecordedDecisionsOnlyTheNewestAreLost) {
  const int rounds = Rounds(20);
  std::mt19937 random(20261127);
  size_t acknowledged = 0, lost = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string path = MakeTempDir() + "audit.db";
    Writer writer(path, 1 + static_cast<int>(random() % 4), 100);
    writer.ReadUntil(1 + random() % 5000);
    ASSERT_TRUE(WIFSIGNALED(writer.Kill()));
    ASSERT_EQ(Verify(path), "") << "round " << round;
    const std::set<std::string> kept = Ids(path);
    std::map<std::string, size_t> lost_of_thread;
    for (const Writer::Line& line : writer.acknowledged()) {
      ++acknowledged;
      size_t& gone = lost_of_thread[line.thread];
      if (kept.count(line.id) == 0) {
        ASSERT_EQ(line.level, "recorded") << "round " << round << ": " << line.id << " is lost";
        ++gone;
        ++lost;
      } else {
        ASSERT_EQ(gone, 0u) << "round " << round << ": lost before " << line.id;
      }
    }
    EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM writers WHERE closed IS NOT NULL"), "0");
  }
  EXPECT_GT(acknowledged, 10000u);
  RecordProperty("acknowledged", static_cast<int>(acknowledged));
  RecordProperty("lost", static_cast<int>(lost));
}

}  // namespace
}  // namespace reeve
