#include "reeve/adapters/socket/impersonate/run_as.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/unix_identity.h"

#if defined(__SANITIZE_THREAD__)
#define REEVE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define REEVE_TSAN 1
#endif
#endif

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::TempDirectory;
using ::testing::KilledBySignal;

constexpr uid_t kNoId = static_cast<uid_t>(-1);

// What the kernel says of this thread: ids, groups, capabilities.
std::string Credentials() {
  std::string text;
  std::ifstream file("/proc/thread-self/status");
  for (std::string line; std::getline(file, line);) {
    for (const char* key :
         {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:"}) {
      if (absl::StartsWith(line, key)) absl::StrAppend(&text, line, "\n");
    }
  }
  return text;
}

std::string LineOf(const std::string& credentials, std::string_view key) {
  const size_t begin = credentials.find(key);
  if (begin == std::string::npos) return "";
  std::string line = credentials.substr(begin, credentials.find('\n', begin) - begin);
  for (char& c : line) c = c == '\t' ? ' ' : c;
  while (line.back() == ' ') line.pop_back();
  return line;
}

// 0, or the errno of open(2).
int TryOpen(const std::string& path, int flags = O_RDONLY) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

std::string Name(int error) { return error == 0 ? "OK" : std::strerror(error); }

// Becomes a server that is not root and has these capabilities only; in a child.
void BecomeServer(uid_t uid, const std::vector<int>& capabilities) {
  const auto require = [](bool ok) {
    if (!ok) _exit(98);
  };
  require(prctl(PR_SET_KEEPCAPS, 1) == 0);
  require(setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
          setresuid(uid, uid, uid) == 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2] = {};
  for (const int capability : capabilities) {
    words[CAP_TO_INDEX(capability)].permitted |= CAP_TO_MASK(capability);
    words[CAP_TO_INDEX(capability)].effective |= CAP_TO_MASK(capability);
  }
  require(syscall(SYS_capset, &header, words) == 0);
}

// From now on the system call `number` of this thread does nothing and returns -1 and `error`, or
// success if that is 0. In a child: it cannot be undone. False if the kernel has no such filters.
bool Stub(long number, int error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(code)), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::string WhyNoFilters() {
  Child child([](const Child::Pipes&) { return Stub(SYS_capset, EPERM) ? 0 : 1; });
  return child.Wait() == 0 ? "" : "this kernel has no seccomp filters";
}

#define REQUIRE_FILTERS() \
  if (const std::string why = WhyNoFilters(); !why.empty()) GTEST_SKIP() << why

const UnixIdentity kAda = {1234, 2345, {3001, 3002}};

class RunAsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Else what follows forks, and skips.
    ASSERT_FALSE(InImpersonation()) << "a test before this one has not left";
    REQUIRE_OTHER_USERS();
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  }

  void TearDown() override { EXPECT_FALSE(InImpersonation()); }

  // Made when first needed: the process of a death test, which begins anew, would leave it behind.
  const TempDirectory& Directory() {
    if (directory_ == nullptr) {
      directory_ = std::make_unique<TempDirectory>();
      EXPECT_EQ(chmod(directory_->path().c_str(), 01777), 0);
    }
    return *directory_;
  }

  // Makes a file.
  std::string File(const std::string& name, uid_t uid, gid_t gid, mode_t mode) {
    const std::string path = Directory() / name;
    const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0) << path;
    EXPECT_EQ(fchown(fd, uid, gid), 0);
    EXPECT_EQ(fchmod(fd, mode), 0);
    close(fd);
    return path;
  }

  // What TryOpen() says as that user.
  static std::string OpenAs(const UnixIdentity& identity, const std::string& path, int flags) {
    const absl::StatusOr<int> error = RunAs(identity, [&] { return TryOpen(path, flags); });
    return error.ok() ? Name(*error) : error.status().ToString();
  }

  std::unique_ptr<TempDirectory> directory_;
};

// ---- What the user may touch.

struct AccessCase {
  const char* name;
  uid_t uid;  // Of the file.
  gid_t gid;
  mode_t mode;
  UnixIdentity identity;
  int flags;
  int want;
};
std::ostream& operator<<(std::ostream& os, const AccessCase& c) { return os << c.name; }

class RunAsAccessTest : public RunAsTest, public ::testing::WithParamInterface<AccessCase> {};

TEST_P(RunAsAccessTest, IsTheUsers) {
  const AccessCase& c = GetParam();
  const std::string path = File("file", c.uid, c.gid, c.mode);
  const std::string before = Credentials();
  EXPECT_EQ(OpenAs(c.identity, path, c.flags), Name(c.want));
  EXPECT_EQ(Credentials(), before);
  EXPECT_EQ(TryOpen(path, O_RDWR), 0);
}

INSTANTIATE_TEST_SUITE_P(
    , RunAsAccessTest,
    ::testing::Values(
        AccessCase{"OwnFile", 1234, 0, 0600, kAda, O_RDWR, 0},
        AccessCase{"OwnFileThatForbids", 1234, 0, 0400, kAda, O_RDWR, EACCES},
        AccessCase{"AnothersFile", 1235, 0, 0600, kAda, O_RDONLY, EACCES},
        AccessCase{"RootsFile", 0, 0, 0600, kAda, O_RDONLY, EACCES},
        AccessCase{"FileForNobody", 0, 0, 0000, kAda, O_RDONLY, EACCES},
        AccessCase{"FileForAll", 0, 0, 0644, kAda, O_RDONLY, 0},
        AccessCase{"FileForAllToRead", 0, 0, 0644, kAda, O_RDWR, EACCES},
        AccessCase{"PrimaryGroup", 0, 2345, 0640, kAda, O_RDONLY, 0},
        AccessCase{"FirstGroup", 0, 3001, 0640, kAda, O_RDONLY, 0},
        AccessCase{"LastGroup", 0, 3002, 0640, kAda, O_RDONLY, 0},
        AccessCase{"AnotherGroup", 0, 3003, 0640, kAda, O_RDONLY, EACCES},
        AccessCase{"NoGroups", 0, 3001, 0640, {1234, 2345, {}}, O_RDONLY, EACCES},
        // A list that lacks a group would give more.
        AccessCase{"GroupThatIsForbidden", 0, 3001, 0604, kAda, O_RDONLY, EACCES},
        AccessCase{"GroupsUnsortedAndTwice", 0, 9, 0640, {1234, 2345, {70, 9, 70}}, O_RDONLY, 0},
        AccessCase{"RootsGroupOfAnother", 0, 0, 0640, kAda, O_RDONLY, EACCES},
        AccessCase{"RootsGroupAsPrimary", 0, 0, 0640, {1234, 0, {}}, O_RDONLY, 0},
        AccessCase{"RootsGroupAsSecond", 0, 0, 0640, {1234, 2345, {0}}, O_RDONLY, 0},
        AccessCase{"RootsGroupIsNotRoot", 0, 0, 0600, {1234, 0, {0}}, O_RDONLY, EACCES},
        AccessCase{"LargestIds", 4294967294, 0, 0600, {4294967294, 4294967294, {}}, O_RDONLY, 0}),
    [](const auto& info) { return info.param.name; });

TEST_F(RunAsTest, MakesFilesOfTheUser) {
  const std::string path = Directory() / "made";
  ASSERT_EQ(OpenAs(kAda, path, O_CREAT | O_EXCL | O_WRONLY), "OK");
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_uid, 1234u);
  EXPECT_EQ(file.st_gid, 2345u);
}

TEST_F(RunAsTest, KeepsTheRealAndTheSavedIds) {
  const absl::StatusOr<std::string> inside = RunAs(kAda, Credentials);
  ASSERT_TRUE(inside.ok()) << inside.status();
  EXPECT_EQ(LineOf(*inside, "Uid:"), "Uid: 0 1234 0 1234");
  EXPECT_EQ(LineOf(*inside, "Gid:"), absl::StrCat("Gid: ", getgid(), " 2345 ", getgid(), " 2345"));
  EXPECT_EQ(LineOf(*inside, "Groups:"), "Groups: 3001 3002");
  EXPECT_EQ(LineOf(*inside, "CapEff:"), "CapEff: 0000000000000000");
}

// What user 1234 may do to this process while it acts for him.
TEST_F(RunAsTest, CannotBeSignalledOrReadByTheUser) {
  const absl::Status status = RunAs(kAda, [] {
    const pid_t server = getpid();
    // Not fork(), after which a child must not live.
    const pid_t user = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (user == 0) {
      if (syscall(SYS_setresuid, 1234, 1234, 1234) != 0) _exit(3);
      if (kill(server, 0) == 0 || errno != EPERM) _exit(4);
      char path[] = "/proc/4294967295/mem";
      std::snprintf(path, sizeof(path), "/proc/%d/mem", server);
      _exit(TryOpen(path) == EACCES ? 0 : 5);
    }
    int ended = 0;
    ASSERT_EQ(waitpid(user, &ended, 0), user);
    EXPECT_EQ(ended, 0);
  });
  EXPECT_TRUE(status.ok()) << status;
}

// What goes by the real ids is the server's.
TEST_F(RunAsTest, SignalsAndAsksForAccessAsTheServer) {
  const std::string path = File("file", 0, 0, 0600);
  const absl::Status status = RunAs(kAda, [&] {
    EXPECT_EQ(kill(1, 0), 0);
    EXPECT_EQ(access(path.c_str(), R_OK), 0);
    EXPECT_EQ(faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS), -1);
    EXPECT_EQ(TryOpen(path), EACCES);
  });
  EXPECT_TRUE(status.ok()) << status;
}

// Which prctl(2) tells: a change of credentials makes a process what suid_dumpable says.
TEST_F(RunAsTest, LeavesTheProcessUndumpable) {
  int want = -1;
  std::ifstream("/proc/sys/fs/suid_dumpable") >> want;
  ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
  ASSERT_TRUE(RunAs(kAda, [] {}).ok());
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), want);
}

// ---- What it returns.

TEST_F(RunAsTest, ReturnsWhatTheCallbackReturned) {
  int calls = 0;
  const absl::Status nothing = RunAs(kAda, [&] { ++calls; });
  EXPECT_TRUE(nothing.ok()) << nothing;
  const absl::Status status = RunAs(kAda, [] { return absl::DataLossError("lost"); });
  EXPECT_EQ(status, absl::DataLossError("lost"));
  const absl::StatusOr<int> number =
      RunAs(kAda, []() -> absl::StatusOr<int> { return absl::AbortedError("stop"); });
  EXPECT_EQ(number.status(), absl::AbortedError("stop"));
  const absl::StatusOr<std::unique_ptr<int>> moved =
      RunAs(kAda, [] { return std::make_unique<int>(7); });
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(**moved, 7);
  const std::function<uid_t()> function = [] { return geteuid(); };
  const absl::StatusOr<uid_t> uid = RunAs(kAda, function);
  ASSERT_TRUE(uid.ok()) << uid.status();
  EXPECT_EQ(*uid, 1234u);
  EXPECT_EQ(calls, 1);
}

TEST_F(RunAsTest, LeavesErrno) {
  errno = 0;
  ASSERT_TRUE(RunAs(kAda, [] { errno = ELOOP; }).ok());
  EXPECT_EQ(errno, ELOOP);
}

TEST_F(RunAsTest, KnowsWhetherItIsInside) {
  EXPECT_FALSE(InImpersonation());
  const absl::Status status = RunAs(kAda, [] {
    EXPECT_TRUE(InImpersonation());
    bool elsewhere = true;
    // A thread of before would do; one of now is the user's, but not inside.
    std::thread([&] { elsewhere = InImpersonation(); }).join();
    EXPECT_FALSE(elsewhere);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(InImpersonation());
}

TEST_F(RunAsTest, RefusesToNest) {
  bool ran = false;
  absl::Status nested;
  std::string inside;
  std::string after_nested;
  const absl::Status status = RunAs(kAda, [&] {
    inside = Credentials();
    nested = RunAs({1235, 1235, {}}, [&] { ran = true; });
    after_nested = Credentials();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(nested, absl::FailedPreconditionError("this thread is already acting for uid 1234; "
                                                  "return from there first"));
  EXPECT_FALSE(ran);
  EXPECT_EQ(after_nested, inside);
}

// ---- Who is refused.

struct RefusedCase {
  const char* name;
  UnixIdentity identity;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const RefusedCase& c) { return os << c.name; }

class RunAsRefusedTest : public RunAsTest, public ::testing::WithParamInterface<RefusedCase> {};

TEST_P(RunAsRefusedTest, IsInvalid) {
  const std::string before = Credentials();
  bool ran = false;
  const absl::Status status = RunAs(GetParam().identity, [&] { ran = true; });
  EXPECT_EQ(status, absl::InvalidArgumentError(GetParam().want));
  EXPECT_FALSE(ran);
  EXPECT_EQ(Credentials(), before);
}

INSTANTIATE_TEST_SUITE_P(
    , RunAsRefusedTest,
    ::testing::Values(
        RefusedCase{"Root",
                    {0, 2345, {}},
                    "identity: uid `0` is root's; do as the server what is to be done as root"},
        RefusedCase{"NoUid",
                    {kNoId, 2345, {}},
                    "identity: uid `4294967295` may stand for any user that is not mapped; refuse "
                    "it"},
        RefusedCase{"Default", UnixIdentity(),
                    "identity: uid `4294967295` may stand for any user that is not mapped; refuse "
                    "it"},
        RefusedCase{"OverflowUid",
                    {65534, 2345, {}},
                    "identity: uid `65534` may stand for any user that is not mapped; refuse it"},
        RefusedCase{"NoGid",
                    {1234, kNoId, {}},
                    "identity: gid `4294967295` may stand for any group that is not mapped; refuse "
                    "it"},
        RefusedCase{"OverflowGid",
                    {1234, 65534, {}},
                    "identity: gid `65534` may stand for any group that is not mapped; refuse it"},
        RefusedCase{"OverflowGroup",
                    {1234, 2345, {7, 65534}},
                    "identity: supplementary group `65534` may stand for any group that is not "
                    "mapped; refuse it"},
        RefusedCase{"NoGroup",
                    {1234, 2345, {kNoId}},
                    "identity: supplementary group `4294967295` may stand for any group that is "
                    "not mapped; refuse it"},
        RefusedCase{"TooManyGroups",
                    {1234, 2345, std::vector<gid_t>(65537, 7)},
                    "identity: 65537 groups are more than the 65536 that a process can have; take "
                    "fewer"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RunAsTest, TakesAsManyGroupsAsThereCanBe) {
  UnixIdentity identity = {1234, 2345, {}};
  for (gid_t gid = 200000; identity.groups.size() < 65536; ++gid) identity.groups.push_back(gid);
  const std::string before = Credentials();
  EXPECT_EQ(OpenAs(identity, File("file", 0, 200000 + 65535, 0640), O_RDONLY), "OK");
  EXPECT_EQ(Credentials(), before);
}

// ---- Servers that cannot.

struct ServerCase {
  const char* name;
  std::vector<int> capabilities;
  const char* want;  // What opening a file of the user gives, or why it is not tried.
};
std::ostream& operator<<(std::ostream& os, const ServerCase& c) { return os << c.name; }

class RunAsServerTest : public RunAsTest, public ::testing::WithParamInterface<ServerCase> {};

// Scenario: a server that is not root, as user 4321.
TEST_P(RunAsServerTest, NeedsTwoCapabilities) {
  const std::string users = File("users", 1234, 0, 0600);
  const std::string roots = File("roots", 0, 0, 0600);
  const std::string servers = File("servers", 4321, 0, 0600);
  Child child([&](const Child::Pipes& pipes) {
    BecomeServer(4321, GetParam().capabilities);
    const std::string before = Credentials();
    pipes.Say(OpenAs(kAda, users, O_RDWR));
    if (OpenAs(kAda, roots, O_RDONLY) == "OK") return 3;
    if (OpenAs(kAda, servers, O_RDONLY) == "OK") return 4;
    if (TryOpen(servers) != 0) return 5;
    return Credentials() == before ? 0 : 6;
  });
  EXPECT_EQ(child.Hear(), GetParam().want);
  EXPECT_EQ(child.Wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    , RunAsServerTest,
    ::testing::Values(
        ServerCase{"Both", {CAP_SETUID, CAP_SETGID}, "OK"},
        // Which would open every file, were it not emptied.
        ServerCase{
            "AndMore", {CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}, "OK"},
        ServerCase{"NoGid",
                   {CAP_SETUID},
                   "FAILED_PRECONDITION: this thread lacks CAP_SETGID, without which it cannot act "
                   "for another user; grant it"},
        ServerCase{"NoUid",
                   {CAP_SETGID, CAP_DAC_OVERRIDE},
                   "FAILED_PRECONDITION: this thread lacks CAP_SETUID, without which it cannot act "
                   "for another user; grant it"},
        ServerCase{"None",
                   {},
                   "FAILED_PRECONDITION: this thread lacks CAP_SETUID and CAP_SETGID, without "
                   "which it cannot act for another user; grant it"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RunAsTest, RefusesFileSystemIdsOfTheirOwn) {
  Child child([](const Child::Pipes& pipes) {
    syscall(SYS_setfsuid, 77);
    pipes.Say(RunAs(kAda, [] {}).ToString());
    return syscall(SYS_setfsuid, -1) == 77 ? 0 : 1;
  });
  EXPECT_EQ(child.Hear(),
            "FAILED_PRECONDITION: the file system ids of this thread are not its effective ids, "
            "which a switch makes them; undo the setfsuid(2)");
  EXPECT_EQ(child.Wait(), 0);
}

struct NamespaceCase {
  const char* name;
  UnixIdentity identity;
  std::vector<gid_t> groups;  // Of the server.
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const NamespaceCase& c) { return os << c.name; }

class RunAsNamespaceTest : public RunAsTest, public ::testing::WithParamInterface<NamespaceCase> {};

// In a user namespace that maps 0 and 1000 to 1999.
TEST_P(RunAsNamespaceTest, ServesWhoIsMapped) {
  Child child([&](const Child::Pipes& pipes) {
    const auto& groups = GetParam().groups;
    if (setgroups(groups.size(), groups.data()) != 0) return 3;
    if (unshare(CLONE_NEWUSER) != 0) {
      pipes.Say("skip");
      return 0;
    }
    pipes.Say("unshared");
    pipes.Await();
    const std::string before = Credentials();
    bool ran = false;
    const absl::Status status = RunAs(GetParam().identity, [&] { ran = true; });
    pipes.Say(status.ToString());
    return ran == status.ok() && Credentials() == before ? 0 : 4;
  });
  const std::string word = child.Hear();
  if (word == "skip") GTEST_SKIP() << "root here cannot make user namespaces";
  ASSERT_EQ(word, "unshared");
  for (const char* map : {"uid_map", "gid_map"}) {
    const std::string path = absl::StrCat("/proc/", child.pid(), "/", map);
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0) << path;
    const std::string_view text = "0 0 1\n1000 1000 1000\n";
    ASSERT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  child.Go();
  EXPECT_EQ(child.Hear(), GetParam().want);
  EXPECT_EQ(child.Wait(), 0);
}

const char kUnmapped[] =
    "(2): Invalid argument; see that the user namespace maps the user and the groups, and that no "
    "filter forbids it";

INSTANTIATE_TEST_SUITE_P(
    , RunAsNamespaceTest,
    ::testing::Values(
        NamespaceCase{"Mapped", {1234, 1345, {1001}}, {1002}, "OK"},
        NamespaceCase{"Uid",
                      {2234, 1345, {1001}},
                      {1002},
                      absl::StrCat("FAILED_PRECONDITION: setresuid", kUnmapped)},
        NamespaceCase{"Gid",
                      {1234, 2345, {1001}},
                      {1002},
                      absl::StrCat("FAILED_PRECONDITION: setresgid", kUnmapped)},
        NamespaceCase{"Group",
                      {1234, 1345, {1001, 2001}},
                      {1002},
                      absl::StrCat("FAILED_PRECONDITION: setgroups", kUnmapped)},
        NamespaceCase{"GroupOfTheServer",
                      {1234, 1345, {}},
                      {1002, 2002},
                      "FAILED_PRECONDITION: this thread has the group `65534`, which may stand for "
                      "one that is not mapped and could not be restored; start the server without "
                      "it"}),
    [](const auto& info) { return info.param.name; });

// ---- System calls that fail on the way in, or lie.

struct FilterCase {
  const char* name;
  long number;
  int error;  // 0: nothing done, and success told.
  bool root;  // Else the server is user 4321 with what it needs, and CAP_DAC_OVERRIDE.
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const FilterCase& c) { return os << c.name; }

class RunAsEnterTest : public RunAsTest, public ::testing::WithParamInterface<FilterCase> {};

TEST_P(RunAsEnterTest, UndoesWhatWasDone) {
  REQUIRE_FILTERS();
  Child child([&](const Child::Pipes& pipes) {
    if (!GetParam().root) BecomeServer(4321, {CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE});
    const std::string before = Credentials();
    if (!Stub(GetParam().number, GetParam().error)) return 3;
    bool ran = false;
    pipes.Say(RunAs(kAda, [&] { ran = true; }).ToString());
    if (InImpersonation()) return 4;
    if (ran) return 5;
    return Credentials() == before ? 0 : 6;
  });
  EXPECT_EQ(child.Hear(), GetParam().want);
  EXPECT_EQ(child.Wait(), 0);
}

constexpr char kLied[] =
    "FAILED_PRECONDITION: the kernel said that it made this thread the user's, and did not; look "
    "for a seccomp filter or a security module";
#define REEVE_FORBIDDEN(call)                                                                    \
  "FAILED_PRECONDITION: " call                                                                   \
  "(2): Operation not permitted; see that the user namespace maps the user and the groups, and " \
  "that no filter forbids it"

INSTANTIATE_TEST_SUITE_P(
    , RunAsEnterTest,
    ::testing::Values(
        FilterCase{"Groups", SYS_setgroups, EPERM, true, REEVE_FORBIDDEN("setgroups")},
        FilterCase{"Gid", SYS_setresgid, EPERM, true, REEVE_FORBIDDEN("setresgid")},
        FilterCase{"Uid", SYS_setresuid, EPERM, true, REEVE_FORBIDDEN("setresuid")},
        FilterCase{"Capabilities", SYS_capset, EPERM, false, REEVE_FORBIDDEN("capset")},
        FilterCase{"CapabilitiesOfRoot", SYS_capset, EPERM, true, REEVE_FORBIDDEN("capset")},
        FilterCase{"Memory", SYS_setgroups, ENOMEM, true,
                   "UNAVAILABLE: setgroups(2): Cannot allocate memory; see that the user namespace "
                   "maps the user and the groups, and that no filter forbids it"},
        FilterCase{"FalseGroups", SYS_setgroups, 0, true, kLied},
        FilterCase{"FalseGid", SYS_setresgid, 0, true, kLied},
        FilterCase{"FalseUid", SYS_setresuid, 0, true, kLied},
        FilterCase{"FalseCapabilities", SYS_capset, 0, false, kLied}),
    [](const auto& info) { return info.param.name; });

// ---- No way back.

using RunAsDeathTest = RunAsTest;

class RunAsLeaveDeathTest : public RunAsTest, public ::testing::WithParamInterface<FilterCase> {};

TEST_P(RunAsLeaveDeathTest, Aborts) {
  REQUIRE_FILTERS();
  EXPECT_EXIT(
      {
        if (!GetParam().root) BecomeServer(4321, {CAP_SETUID, CAP_SETGID});
        RunAs(kAda, [] {
          if (!Stub(GetParam().number, GetParam().error)) _exit(3);
        }).IgnoreError();
        _exit(0);
      },
      KilledBySignal(SIGABRT),
      absl::StrCat("reeve: acting for a user: ", GetParam().want,
                   "; aborting, so as not to go on as the wrong user"));
}

INSTANTIATE_TEST_SUITE_P(
    , RunAsLeaveDeathTest,
    ::testing::Values(
        FilterCase{"Uid", SYS_setresuid, EPERM, true,
                   "setresuid.2. did not restore the uid: errno 1"},
        FilterCase{"Gid", SYS_setresgid, EPERM, true,
                   "setresgid.2. did not restore the gid: errno 1"},
        FilterCase{"Groups", SYS_setgroups, EPERM, true,
                   "setgroups.2. did not restore the groups: errno 1"},
        FilterCase{"Capabilities", SYS_capset, EPERM, false,
                   "capset.2. did not restore the capabilities: errno 1"},
        FilterCase{"FalseUid", SYS_setresuid, 0, true, "the ids are not the former ones"},
        FilterCase{"FalseGid", SYS_setresgid, 0, true, "the ids are not the former ones"},
        FilterCase{"FalseGroups", SYS_setgroups, 0, true, "the groups are not the former ones"},
        FilterCase{"FalseCapabilities", SYS_capset, 0, false,
                   "setgroups.2. did not restore the groups: errno 1"}),
    [](const auto& info) { return info.param.name; });

TEST_F(RunAsDeathTest, AbortsWhenTheSavedIdsAreBurnt) {
  EXPECT_EXIT(RunAs(kAda, [] { syscall(SYS_setresuid, 1234, 1234, 1234); }).IgnoreError(),
              KilledBySignal(SIGABRT), "setresuid.2. did not restore the uid: errno 1");
}

// Capabilities that the callback gave up are not what the thread had.
TEST_F(RunAsDeathTest, AbortsWhenCapabilitiesWereGivenUp) {
  EXPECT_EXIT(RunAs(kAda,
                    [] {
                      __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
                      __user_cap_data_struct words[2];
                      syscall(SYS_capget, &header, words);
                      words[0].permitted &= ~CAP_TO_MASK(CAP_CHOWN);
                      syscall(SYS_capset, &header, words);
                    })
                  .IgnoreError(),
              KilledBySignal(SIGABRT), "capset.2. did not restore the capabilities: errno 1");
}

TEST_F(RunAsDeathTest, AbortsTheChildOfAFork) {
  std::string child_said;
  EXPECT_EXIT(
      {
        int child_ended = 0;
        const absl::Status status = RunAs(kAda, [&] {
          const pid_t child = fork();
          if (child == 0) _exit(7);
          waitpid(child, &child_ended, 0);
        });
        // The parent goes on.
        _exit(status.ok() && geteuid() == 0 && WIFSIGNALED(child_ended) &&
                      WTERMSIG(child_ended) == SIGABRT
                  ? 0
                  : 1);
      },
      ::testing::ExitedWithCode(0), "reeve: acting for a user: fork.2. inside; aborting");
}

// A fork that glibc does not see.
TEST_F(RunAsDeathTest, AbortsWhenAnotherProcessReturns) {
  EXPECT_EXIT(RunAs(kAda,
                    [] {
                      const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
                      if (child == 0) return;
                      int ended = 0;
                      waitpid(static_cast<pid_t>(child), &ended, 0);
                      if (!WIFSIGNALED(ended) || WTERMSIG(ended) != SIGABRT) _exit(1);
                      std::abort();
                    })
                  .IgnoreError(),
              KilledBySignal(SIGABRT), "another process returns than began");
}

TEST_F(RunAsTest, LetsOtherThreadsFork) {
  std::mutex mutex;
  std::condition_variable changed;
  int step = 0;
  const auto await = [&](int want) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return step == want; });
  };
  const auto go = [&](int to) {
    std::lock_guard<std::mutex> lock(mutex);
    step = to;
    changed.notify_all();
  };
  std::thread acting([&] {
    EXPECT_TRUE(RunAs(kAda, [&] {
                  go(1);
                  await(2);
                }).ok());
  });
  await(1);
  const pid_t child = fork();
  if (child == 0) _exit(syscall(SYS_geteuid) == 0 ? 7 : 8);
  int ended = 0;
  EXPECT_EQ(waitpid(child, &ended, 0), child);
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 7) << ended;
  go(2);
  acting.join();
}

#ifndef REEVE_TSAN  // It does not know of fibers.
ucontext_t g_thread;
ucontext_t g_fiber;

// A callback that suspends itself, and is resumed by another thread.
TEST_F(RunAsDeathTest, AbortsWhenAnotherThreadReturns) {
  EXPECT_EXIT(
      {
        static char stack[256 * 1024];
        getcontext(&g_fiber);
        g_fiber.uc_stack.ss_sp = stack;
        g_fiber.uc_stack.ss_size = sizeof(stack);
        g_fiber.uc_link = &g_thread;
        makecontext(
            &g_fiber,
            [] {
              RunAs(kAda, [] { swapcontext(&g_fiber, &g_thread); }).IgnoreError();
              _exit(1);
            },
            0);
        swapcontext(&g_thread, &g_fiber);
        std::thread([] { swapcontext(&g_thread, &g_fiber); }).join();
        _exit(2);
      },
      KilledBySignal(SIGABRT), "another thread returns than began");
}
#endif

TEST_F(RunAsDeathTest, AbortsWhenTheCallbackThrows) {
  EXPECT_EXIT(
      {
        try {
          RunAs(kAda, [] { throw std::runtime_error("out"); }).IgnoreError();
        } catch (const std::runtime_error&) {
          _exit(1);
        }
        _exit(2);
      },
      KilledBySignal(SIGABRT), "");
}

TEST_F(RunAsDeathTest, AbortsWhenTheThreadEndsInside) {
  EXPECT_EXIT(
      {
        std::thread([] { RunAs(kAda, [] { pthread_exit(nullptr); }).IgnoreError(); }).join();
        _exit(1);
      },
      KilledBySignal(SIGABRT), "");
}

// Why no glibc call of that family may be made while a thread is inside: it signals all threads,
// and one of them has not the right to follow.
TEST_F(RunAsDeathTest, IsAbortedByGlibcWhenAnotherThreadChangesIds) {
  EXPECT_EXIT(
      {
        std::mutex mutex;
        std::condition_variable changed;
        bool inside = false;
        std::thread acting([&] {
          RunAs(kAda, [&] {
            {
              std::lock_guard<std::mutex> lock(mutex);
              inside = true;
              changed.notify_all();
            }
            while (true) pause();  // The process ends first.
          }).IgnoreError();
        });
        {
          std::unique_lock<std::mutex> lock(mutex);
          changed.wait(lock, [&] { return inside; });
        }
        seteuid(777) == 0 ? _exit(1) : _exit(2);
      },
      KilledBySignal(SIGABRT), "");
}

// ---- Threads.

// Scenario: eight threads, each for another user, and one that stays the server.
TEST_F(RunAsTest, KeepsThreadsApart) {
  constexpr int kThreads = 8;
  constexpr int kOpens = 100000;
  std::vector<std::string> paths;
  for (int i = 0; i < kThreads; ++i) {
    paths.push_back(File(absl::StrCat("file", i), 5000 + i, 6000 + i, i % 2 == 0 ? 0600 : 0060));
  }
  const std::string server_file = File("server", 0, 0, 0600);
  std::atomic<int> wrong{0};
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const uid_t uid = static_cast<uid_t>(i % 2 == 0 ? 5000 + i : 7000 + i);
      const UnixIdentity identity = {uid, uid, {static_cast<gid_t>(6000 + i)}};
      // Own file, then the next one's, in each call; two opens.
      for (int n = 0; n < kOpens / kThreads / 2; ++n) {
        const absl::StatusOr<bool> right = RunAs(identity, [&] {
          return TryOpen(paths[i]) == 0 && TryOpen(paths[(i + 1 + n % 7) % kThreads]) == EACCES;
        });
        if (!right.ok() || !*right) ++wrong;
      }
      --running;
    });
  }
  int server_opens = 0;
  while (running > 0 || server_opens == 0) {
    if (TryOpen(server_file) != 0) ++wrong;
    ++server_opens;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace reeve
