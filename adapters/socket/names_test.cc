#include "reeve/adapters/socket/names.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/clock.h"

namespace reeve {
namespace {

using Answer = absl::StatusOr<std::optional<std::string>>;
using peer_testing::Child;

std::string Text(const Answer& answer) {
  if (!answer.ok()) return std::string(absl::StatusCodeToString(answer.status().code()));
  return answer->value_or("(none)");
}

class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  void Set(int seconds) { now_ = absl::FromUnixSeconds(seconds); }

 private:
  absl::Time now_ = absl::FromUnixSeconds(0);
};

// Names user N `user-N` and group N `group-N` until told otherwise, and counts.
class CountedNames final : public NameService {
 public:
  Answer UserName(uid_t uid) const override { return Say("user-", uid); }
  Answer GroupName(gid_t gid) const override { return Say("group-", gid); }

  enum Mode { kName, kNone, kError };
  std::atomic<Mode> mode{kName};
  mutable std::atomic<int> calls{0};

 private:
  Answer Say(const char* prefix, unsigned id) const {
    ++calls;
    if (mode == kNone) return std::nullopt;
    if (mode == kError) return absl::UnavailableError("the directory is down");
    return absl::StrCat(prefix, id);
  }
};

struct CacheCase {
  const char* name;
  int ttl;
  int max_entries;
  // `@N` sets the clock, `uN` and `gN` ask, `?` `-` `!` set the source to name, none and error,
  // `clear` clears.
  std::vector<const char*> steps;
  std::string want;  // What the questions were answered, then the calls of the source.
};
std::ostream& operator<<(std::ostream& os, const CacheCase& c) { return os << c.name; }

class CachedNamesTest : public ::testing::TestWithParam<CacheCase> {};

TEST_P(CachedNamesTest, Answers) {
  const CacheCase& c = GetParam();
  ManualClock clock;
  CountedNames source;
  CachedNames::Options options;
  options.ttl = absl::Seconds(c.ttl);
  options.max_entries = c.max_entries;
  CachedNames names(source, clock, options);
  std::string got;
  for (const std::string step : c.steps) {
    const unsigned number = std::atoi(step.c_str() + 1);
    if (step == "clear") {
      names.Clear();
    } else if (step[0] == '@') {
      clock.Set(number);
    } else if (step[0] == 'u') {
      absl::StrAppend(&got, Text(names.UserName(number)), " ");
    } else if (step[0] == 'g') {
      absl::StrAppend(&got, Text(names.GroupName(number)), " ");
    } else {
      source.mode = step == "!"   ? CountedNames::kError
                    : step == "-" ? CountedNames::kNone
                                  : CountedNames::kName;
    }
    EXPECT_LE(names.size(), options.max_entries);
  }
  absl::StrAppend(&got, source.calls.load());
  EXPECT_EQ(got, c.want);
}

INSTANTIATE_TEST_SUITE_P(
    , CachedNamesTest,
    ::testing::Values(
        CacheCase{"Remembers", 10, 9, {"u1", "u1", "g1", "g1"}, "user-1 user-1 group-1 group-1 2"},
        CacheCase{"RemembersThatThereIsNone", 10, 9, {"-", "u1", "?", "u1"}, "(none) (none) 1"},
        CacheCase{"ForgetsErrors", 10, 9, {"!", "u1", "?", "u1"}, "UNAVAILABLE user-1 2"},
        CacheCase{"HidesAnErrorWhileFresh", 10, 9, {"u1", "!", "@9", "u1"}, "user-1 user-1 1"},
        CacheCase{"ExpiresAtItsTime", 10, 9, {"u1", "!", "@10", "u1"}, "user-1 UNAVAILABLE 2"},
        CacheCase{
            "RenewsOnce", 10, 9, {"u1", "-", "@10", "u1", "@19", "u1"}, "user-1 (none) (none) 2"},
        CacheCase{"AsksAgainWhenTheClockWasSetBack",
                  10,
                  9,
                  {"@100", "u1", "-", "@99", "u1"},
                  "user-1 (none) 2"},
        CacheCase{"DropsTheOldest",
                  10,
                  2,
                  {"u1", "@1", "u2", "@2", "u3", "u2", "u3", "u1"},
                  "user-1 user-2 user-3 user-2 user-3 user-1 4"},
        CacheCase{"CountsUsersAndGroupsTogether",
                  10,
                  2,
                  {"u1", "g1", "g2", "u1"},
                  "user-1 group-1 group-2 user-1 4"},
        CacheCase{"RemembersNothingWithoutRoom", 10, 0, {"u1", "u1"}, "user-1 user-1 2"},
        CacheCase{"RemembersNothingWithoutTime", 0, 9, {"u1", "u1"}, "user-1 user-1 2"},
        CacheCase{"Clears", 10, 9, {"u1", "-", "clear", "u1"}, "user-1 (none) 2"},
        CacheCase{"TellsTheLargestNumbersApart",
                  10,
                  9,
                  {"u4294967294", "g4294967294"},
                  "user-4294967294 group-4294967294 2"}),
    [](const auto& info) { return info.param.name; });

// A source that lets the test act while it is asked.
class SlowNames final : public NameService {
 public:
  Answer UserName(uid_t) const override {
    during();
    return "old";
  }
  Answer GroupName(gid_t) const override { return "fast"; }

  std::function<void()> during = [] {};
};

TEST(CachedNames, HoldsNoLockWhileItAsks) {
  ManualClock clock;
  SlowNames source;
  CachedNames names(source, clock, CachedNames::Options());
  source.during = [&] { EXPECT_EQ(Text(names.GroupName(1)), "fast"); };
  EXPECT_EQ(Text(names.UserName(1)), "old");
}

TEST(CachedNames, ForgetsAnAnswerThatWasAskedBeforeClear) {
  ManualClock clock;
  SlowNames source;
  CachedNames names(source, clock, CachedNames::Options());
  source.during = [&] { names.Clear(); };
  EXPECT_EQ(Text(names.UserName(1)), "old");
  EXPECT_EQ(names.size(), 0u);
}

TEST(SystemNames, KnowsRootAndNotTheUnused) {
  const SystemNames names;
  EXPECT_EQ(Text(names.UserName(0)), "root");
  EXPECT_EQ(Text(names.GroupName(0)), "root");
  EXPECT_EQ(Text(names.UserName(4004004)), "(none)");
  EXPECT_EQ(Text(names.GroupName(4004004)), "(none)");
  EXPECT_EQ(Text(NameService::System().UserName(0)), "root");
}

TEST(NumberNames, KnowsNobody) {
  EXPECT_EQ(Text(NameService::Numbers().UserName(0)), "(none)");
  EXPECT_EQ(Text(NameService::Numbers().GroupName(0)), "(none)");
}

// In a process that sees another /etc: `user` and `group` are the files, none if null.
void WithDatabase(const std::string* users, const std::string* groups,
                  const std::function<std::string()>& ask, const std::string& want) {
  Child child([&](const Child::Pipes& pipes) {
    const auto write_file = [](const char* path, const std::string& text) {
      const int fd = open(path, O_CREAT | O_WRONLY, 0644);
      const bool ok =
          fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
      return close(fd) == 0 && ok;
    };
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/etc", "tmpfs", 0, nullptr) != 0) {
      pipes.Say("skip");
      return 0;
    }
    if (!write_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")) return 1;
    if (users != nullptr && !write_file("/etc/passwd", *users)) return 1;
    if (groups != nullptr && !write_file("/etc/group", *groups)) return 1;
    pipes.Say(ask());
    return 0;
  });
  const std::string got = child.Hear();
  EXPECT_EQ(child.Wait(), 0);
  if (got == "skip") GTEST_SKIP() << "needs root, to mount another /etc";
  EXPECT_EQ(got, want);
}

TEST(SystemNames, TakesAMissingDatabaseForAnError) {
  const SystemNames names;
  WithDatabase(
      nullptr, nullptr, [&] { return Text(names.UserName(0)) + " " + Text(names.GroupName(0)); },
      "UNAVAILABLE UNAVAILABLE");
}

TEST(SystemNames, GivesTheFirstNameOfANumber) {
  const SystemNames names;
  const std::string users = "ada:x:1000:1000::/:/bin/sh\neve:x:1000:1000::/:/bin/sh\n";
  WithDatabase(
      &users, nullptr, [&] { return Text(names.UserName(1000)); }, "ada");
}

TEST(SystemNames, ReadsLargeEntriesAndRefusesHugeOnes) {
  const SystemNames names;
  const auto group = [](const char* name, int gid, size_t bytes) {
    std::string line = absl::StrCat(name, ":x:", gid, ":");
    while (line.size() < bytes) line += "member,";
    line.back() = '\n';
    return line;
  };
  // The members are also split into pointers, in the same buffer.
  const std::string groups = group("large", 1, 1 << 20) + group("huge", 2, 17 << 20);
  WithDatabase(
      nullptr, &groups, [&] { return Text(names.GroupName(1)) + " " + Text(names.GroupName(2)); },
      "large UNAVAILABLE");
}

// Last, for it makes threads.
TEST(ZConcurrency, AnyThreadMayAsk) {
  CountedNames source;
  CachedNames::Options options;
  options.max_entries = 8;
  CachedNames names(source, Clock::System(), options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&names, t] {
      for (unsigned i = 0; i < 2000; ++i) {
        const unsigned id = (i * 7 + t) % 16;
        EXPECT_EQ(Text(names.UserName(id)), absl::StrCat("user-", id));
        EXPECT_EQ(Text(names.GroupName(id)), absl::StrCat("group-", id));
        EXPECT_LE(names.size(), 8u);
        if (i % 500 == 0) names.Clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Text(NameService::System().UserName(0)), "root");
}

}  // namespace
}  // namespace reeve
