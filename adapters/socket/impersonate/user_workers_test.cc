#include "reeve/adapters/socket/impersonate/user_workers.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "adapters/socket/impersonate/worker_process.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {
namespace {

using impersonate_internal::OpenReply;
using peer_testing::Child;
using peer_testing::Eventually;
using peer_testing::TempDirectory;

// No other test of this machine has these users.
uid_t Uid(int n) {
  static const uid_t first = 1000000 + static_cast<uid_t>(getpid() % 1000000) * 2000;
  return first + static_cast<uid_t>(n);
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "Uid: 5 5 5 5" of /proc/PID/status.
std::string LineOf(pid_t pid, std::string_view key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    std::replace(line.begin(), line.end(), '\t', ' ');
    while (line.back() == ' ') line.pop_back();
    return line;
  }
  return "";
}

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  DIR* const dir = opendir(directory.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

size_t OpenFiles() { return Names("/proc/self/fd").size(); }

// The workers of a user that are alive.
std::vector<pid_t> WorkersOf(uid_t uid) {
  std::vector<pid_t> pids;
  for (const std::string& name : Names("/proc")) {
    const pid_t pid = std::atoi(name.c_str());
    if (pid <= 0) continue;
    if (LineOf(pid, "Uid:") == absl::StrCat("Uid: ", uid, " ", uid, " ", uid, " ", uid) &&
        !absl::StartsWith(LineOf(pid, "State:"), "State: Z")) {
      pids.push_back(pid);
    }
  }
  return pids;
}

// 0, with a failure, unless there is exactly one, once those of earlier tests have ended.
pid_t WorkerOf(uid_t uid) {
  std::vector<pid_t> pids;
  EXPECT_TRUE(Eventually([&] {
    pids = WorkersOf(uid);
    return pids.size() == 1;
  })) << pids.size();
  return pids.size() == 1 ? pids[0] : 0;
}

bool IsOneOfOurs(pid_t pid) {
  const std::string name = LineOf(pid, "Name:");
  return pid > 1 && (name == "Name: reeve-worker" || name == "Name: reeve-broker");
}

// 0, with a failure, if it is not known.
pid_t BrokerOf(pid_t worker) {
  int broker = 0;
  EXPECT_EQ(std::sscanf(LineOf(worker, "PPid:").c_str(), "PPid: %d", &broker), 1);
  EXPECT_EQ(LineOf(broker, "Name:"), "Name: reeve-broker");
  return IsOneOfOurs(broker) ? broker : 0;
}

// The only way in which these tests signal a worker or broker. This is root: with a pid that went
// wrong, 0 or -1, kill(2) would reach everything on the machine.
bool Signal(pid_t pid, int signal) {
  const bool ours = IsOneOfOurs(pid);
  EXPECT_TRUE(ours) << "pid " << pid << " is no worker or broker";
  return ours && kill(pid, signal) == 0;
}

// Ended, whether or not somebody asked how: in a container nobody may.
bool IsAlive(pid_t pid) {
  const std::string state = LineOf(pid, "State:");
  return !state.empty() && !absl::StartsWith(state, "State: Z");
}

bool Gone(pid_t pid) {
  EXPECT_GT(pid, 1);
  return pid > 1 && Eventually([&] { return !IsAlive(pid); });
}

// Waits until it does nothing but wait for that system call.
bool Waits(pid_t pid, long number) {
  return Eventually([&] {
    return absl::StartsWith(ReadFile(absl::StrCat("/proc/", pid, "/syscall")),
                            absl::StrCat(number, " "));
  });
}

bool Stop(pid_t pid) {
  return Signal(pid, SIGSTOP) &&
         Eventually([&] { return absl::StartsWith(LineOf(pid, "State:"), "State: T"); });
}

// What is at the end of the socket to the server that a worker or the broker has: packets there are
// taken for its own. -1 where that cannot be had.
int StealSocket(pid_t pid) {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  int stolen = -1;
  for (const std::string& name : Names(absl::StrCat("/proc/", pid, "/fd"))) {
    const int fd = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, std::atoi(name.c_str()), 0));
    int type = 0;
    socklen_t size = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
      stolen = fd;
    } else if (fd >= 0) {
      close(fd);
    }
  }
  close(pidfd);
  return stolen;
}

bool HasPacket(int socket) {
  pollfd look = {socket, POLLIN, 0};
  return poll(&look, 1, 20000) == 1;
}

// "OK", the error of the file system, or of the workers.
std::string Text(const absl::StatusOr<UserFile>& file) {
  if (!file.ok()) return file.status().ToString();
  if ((file->fd() < 0) == (file->error() == 0)) return "neither a file nor an error";
  return file->fd() >= 0 ? "OK" : std::strerror(file->error());
}

OpenHow Flags(int flags, mode_t mode = 0) {
  OpenHow how;
  how.flags = flags;
  how.mode = mode;
  return how;
}

OpenHow Below(int directory, uint64_t resolve) {
  OpenHow how;
  how.directory = directory;
  how.resolve = resolve;
  return how;
}

class UserWorkersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_OTHER_USERS();
    ASSERT_EQ(chmod(directory_.path().c_str(), 01777), 0);
    files_before_ = OpenFiles();
  }

  // Starts them, with a timeout that is long beside what is not meant to end by it.
  void Start(size_t max_workers = 8, absl::Duration timeout = absl::Seconds(30)) {
    UserWorkers::Options options;
    options.max_workers = max_workers;
    options.timeout = timeout;
    absl::StatusOr<std::unique_ptr<UserWorkers>> workers = UserWorkers::Start(options);
    ASSERT_TRUE(workers.ok()) << workers.status();
    workers_ = *std::move(workers);
  }

  void TearDown() override {
    workers_.reset();
    // Whatever a test did, nothing is left open.
    if (files_before_ != 0) {
      EXPECT_EQ(OpenFiles(), files_before_);
    }
  }

  std::string File(const std::string& name, uid_t uid, gid_t gid, mode_t mode,
                   std::string_view text = "") {
    const std::string path = directory_ / name;
    const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0) << path;
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(fchown(fd, uid, gid), 0);
    EXPECT_EQ(fchmod(fd, mode), 0);
    close(fd);
    return path;
  }

  std::string Fifo(const std::string& name) {
    const std::string path = directory_ / name;
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(chmod(path.c_str(), 0666), 0);
    return path;
  }

  TempDirectory directory_;
  std::unique_ptr<UserWorkers> workers_;
  size_t files_before_ = 0;
};

// ---- What the user may open.

struct AccessCase {
  const char* name;
  int uid;  // Of the file: a number for Uid(), or 0 for root.
  gid_t gid;
  mode_t mode;
  UnixIdentity identity;  // The uid as above.
  int flags;
  int want;
};
std::ostream& operator<<(std::ostream& os, const AccessCase& c) { return os << c.name; }

class UserWorkersAccessTest : public UserWorkersTest,
                              public ::testing::WithParamInterface<AccessCase> {};

TEST_P(UserWorkersAccessTest, IsTheUsers) {
  const AccessCase& c = GetParam();
  Start();
  const std::string path = File("file", c.uid == 0 ? 0 : Uid(c.uid), c.gid, c.mode);
  UnixIdentity identity = c.identity;
  identity.uid = Uid(static_cast<int>(c.identity.uid));
  EXPECT_EQ(Text(workers_->Open(identity, path, Flags(c.flags))),
            c.want == 0 ? "OK" : std::strerror(c.want));
}

const UnixIdentity kAda = {1, 2345, {3002, 3001, 3002}};

INSTANTIATE_TEST_SUITE_P(
    , UserWorkersAccessTest,
    ::testing::Values(AccessCase{"OwnFile", 1, 0, 0600, kAda, O_RDWR, 0},
                      AccessCase{"AnothersFile", 2, 0, 0600, kAda, O_RDONLY, EACCES},
                      AccessCase{"RootsFile", 0, 0, 0600, kAda, O_RDONLY, EACCES},
                      AccessCase{"FileForAllToRead", 0, 0, 0644, kAda, O_WRONLY, EACCES},
                      AccessCase{"PrimaryGroup", 0, 2345, 0640, kAda, O_RDONLY, 0},
                      AccessCase{"FirstGroup", 0, 3001, 0640, kAda, O_RDONLY, 0},
                      AccessCase{"LastGroup", 0, 3002, 0640, kAda, O_RDONLY, 0},
                      AccessCase{"RootsGroup", 0, 0, 0640, kAda, O_RDONLY, EACCES},
                      AccessCase{"NoGroups", 0, 3001, 0640, {1, 2345, {}}, O_RDONLY, EACCES},
                      AccessCase{"GroupThatIsForbidden", 0, 3001, 0604, kAda, O_RDONLY, EACCES},
                      AccessCase{"NewFileThatIsThere", 1, 0, 0600, kAda,
                                 O_CREAT | O_EXCL | O_WRONLY, EEXIST},
                      AccessCase{"FileAsDirectory", 1, 0, 0600, kAda, O_DIRECTORY, ENOTDIR}),
    [](const auto& info) { return info.param.name; });

TEST_F(UserWorkersTest, GivesADescriptorThatIsOpen) {
  Start();
  const std::string path = File("file", Uid(1), 0, 0600, "hello");
  absl::StatusOr<UserFile> file = workers_->Open({Uid(1), Uid(1), {}}, path, Flags(O_RDWR));
  ASSERT_TRUE(file.ok()) << file.status();
  char text[8] = {};
  EXPECT_EQ(read(file->fd(), text, sizeof(text)), 5);
  EXPECT_STREQ(text, "hello");
  EXPECT_EQ(write(file->fd(), "!", 1), 1);
  EXPECT_EQ(fcntl(file->fd(), F_GETFD), FD_CLOEXEC);
  const int fd = file->Release();
  EXPECT_EQ(file->fd(), -1);
  EXPECT_EQ(close(fd), 0);
  EXPECT_EQ(ReadFile(path), "hello!");
}

TEST_F(UserWorkersTest, MakesFilesOfTheUser) {
  const mode_t before = umask(0777);
  Start();
  const std::string path = directory_ / "made";
  EXPECT_EQ(
      Text(workers_->Open({Uid(1), 2345, {}}, path, Flags(O_CREAT | O_EXCL | O_WRONLY, 0666))),
      "OK");
  umask(before);
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_uid, Uid(1));
  EXPECT_EQ(file.st_gid, 2345u);
  EXPECT_EQ(file.st_mode & 07777, 0600u);  // The default Options::umask.
}

TEST_F(UserWorkersTest, TakesAsManyGroupsAsThereCanBe) {
  Start();
  UnixIdentity identity = {Uid(1), 2345, {}};
  for (gid_t gid = 200000; identity.groups.size() < 65536; ++gid) identity.groups.push_back(gid);
  const std::string path = File("file", 0, 200000 + 65535, 0640);
  EXPECT_EQ(Text(workers_->Open(identity, path)), "OK");
}

// ---- Names that an attacker chose.

TEST_F(UserWorkersTest, FollowsNamesAsTheUser) {
  Start();
  File("root", 0, 0, 0600);
  const std::string own = File("own", Uid(1), 0, 0600);
  ASSERT_EQ(mkdir((directory_ / "closed").c_str(), 0700), 0);
  File("closed/file", 0, 0, 0644);
  ASSERT_EQ(mkdir((directory_ / "open").c_str(), 0755), 0);
  File("open/file", 0, 0, 0644);
  const auto link = [&](const std::string& to, const std::string& name) {
    ASSERT_EQ(symlink(to.c_str(), (directory_ / name).c_str()), 0);
  };
  link("root", "to-root");
  link(own, "to-own");
  link("loop", "loop");
  link("/proc/self/fd/0", "to-fd");
  link("../own", "open/out");
  Fifo("fifo");
  const int top = open(directory_.path().c_str(), O_PATH | O_CLOEXEC);
  const int inner = open((directory_ / "open").c_str(), O_PATH | O_CLOEXEC);
  const std::string d = directory_.path() + "/";

  const struct {
    std::string path;
    OpenHow how;
    const char* want;
  } rows[] = {
      {d + "to-root", {}, "Permission denied"},
      {d + "to-own", {}, "OK"},
      {d + "to-own", Flags(O_NOFOLLOW), "Too many levels of symbolic links"},
      {d + "loop", {}, "Too many levels of symbolic links"},
      {d + "closed/file", {}, "Permission denied"},
      {d + "closed/../own", {}, "Permission denied"},
      {d + "open/../root", {}, "Permission denied"},
      {d + "open/../own", {}, "OK"},
      {d + "open/out", {}, "OK"},
      {d + "no", {}, "No such file or directory"},
      {d + "own/x", {}, "Not a directory"},
      {d, Flags(O_DIRECTORY), "OK"},
      {d, Flags(O_RDWR), "Is a directory"},
      {d + "fifo", Flags(O_NONBLOCK), "OK"},
      {"/dev/null", Flags(O_RDWR), "OK"},
      {"/", {}, "OK"},
      // What belongs to the worker, or to others.
      {d + "to-fd", {}, "Too many levels of symbolic links"},
      {"/proc/self/fd/0", {}, "Too many levels of symbolic links"},
      {"/proc/self/root/etc/passwd", {}, "Too many levels of symbolic links"},
      {"/proc/self/mem", Flags(O_RDWR), "Permission denied"},
      {"/proc/self/environ", {}, "Permission denied"},
      {"/proc/self/oom_score_adj", Flags(O_WRONLY), "Permission denied"},
      {absl::StrCat("/proc/", getpid(), "/mem"), {}, "Permission denied"},
      {"/proc/1/environ", {}, "Permission denied"},
      // Below a directory.
      {"own", Below(top, RESOLVE_BENEATH), "OK"},
      {"root", Below(top, RESOLVE_BENEATH), "Permission denied"},
      {"file", Below(inner, RESOLVE_BENEATH), "OK"},
      {"../own", Below(inner, 0), "OK"},
      {"../own", Below(inner, RESOLVE_BENEATH), "Invalid cross-device link"},
      {"out", Below(inner, RESOLVE_BENEATH), "Invalid cross-device link"},
      {"/file", Below(inner, RESOLVE_BENEATH), "Invalid cross-device link"},
      {"/file", Below(inner, RESOLVE_IN_ROOT), "OK"},
      {"/../../own", Below(inner, RESOLVE_IN_ROOT), "No such file or directory"},
      {"to-own", Below(top, RESOLVE_NO_SYMLINKS), "Too many levels of symbolic links"},
      // As long as can be, and what the kernel refuses.
      {std::string(4095, '/'), {}, "OK"},
      {d + std::string(256, 'x'), {}, "File name too long"},
      {own, Flags(O_RDONLY, 0600), "Invalid argument"},
      {own, Below(-1, uint64_t{1} << 40), "Invalid argument"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(absl::StrCat(row.path.substr(0, 80), " flags ", row.how.flags, " resolve ",
                              row.how.resolve));
    EXPECT_EQ(Text(workers_->Open({Uid(1), Uid(1), {}}, row.path, row.how)), row.want);
  }
  // One process did it all.
  EXPECT_EQ(LineOf(WorkerOf(Uid(1)), "Name:"), "Name: reeve-worker");
  close(top);
  close(inner);
}

TEST_F(UserWorkersTest, RefusesWhatIsNoPath) {
  Start();
  const auto open_path = [&](std::string_view path, const OpenHow& how = {}) {
    return Text(workers_->Open({Uid(1), Uid(1), {}}, path, how));
  };
  EXPECT_EQ(open_path(""), "INVALID_ARGUMENT: path: it is empty; name a file");
  EXPECT_EQ(open_path(std::string_view("/etc/passwd\0.txt", 16)),
            "INVALID_ARGUMENT: path: it has a NUL, where the kernel would end it; refuse it");
  EXPECT_EQ(open_path(std::string(4096, '/')),
            "INVALID_ARGUMENT: path: 4096 bytes are more than the 4095 that the kernel takes; "
            "shorten it");
  EXPECT_EQ(open_path("etc/passwd"),
            "INVALID_ARGUMENT: path: it is relative, and there is no directory; begin it with `/`, "
            "or give one");
  EXPECT_EQ(open_path("/", Flags(O_PATH)),
            "INVALID_ARGUMENT: how.flags: `0x200000` is not allowed; leave it out");
  EXPECT_EQ(open_path("/", Flags(O_ACCMODE)),
            "INVALID_ARGUMENT: how.flags: `0x3` is not allowed; leave it out");
  EXPECT_EQ(open_path("x", Below(1000000, 0)),
            "INVALID_ARGUMENT: how.directory: it is not open; give an open directory");
  EXPECT_EQ(open_path("/"), "OK");
}

TEST_F(UserWorkersTest, RefusesWhoIsNoUser) {
  Start();
  const auto code = [&](const UnixIdentity& identity) {
    return workers_->Open(identity, "/").status().code();
  };
  EXPECT_EQ(code({0, 1, {}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({65534, 1, {}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({static_cast<uid_t>(-1), 1, {}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Uid(1), 65534, {}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Uid(1), 1, {65534}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(workers_->size(), 0u);
}

struct OptionsCase {
  const char* name;
  UserWorkers::Options options;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const OptionsCase& c) { return os << c.name; }

class UserWorkersOptionsTest : public ::testing::TestWithParam<OptionsCase> {};

TEST_P(UserWorkersOptionsTest, AreChecked) {
  EXPECT_EQ(UserWorkers::Start(GetParam().options).status(),
            absl::InvalidArgumentError(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    , UserWorkersOptionsTest,
    ::testing::Values(
        OptionsCase{"NoWorkers",
                    {0, absl::Seconds(1), 0},
                    "options.max_workers: `0` is not from 1 to 4096; choose such a number"},
        OptionsCase{"TooManyWorkers",
                    {4097, absl::Seconds(1), 0},
                    "options.max_workers: `4097` is not from 1 to 4096; choose such a number"},
        OptionsCase{"NoTime",
                    {1, absl::ZeroDuration(), 0},
                    "options.timeout: `0` is no time to wait; make it positive"},
        OptionsCase{"Umask",
                    {1, absl::Seconds(1), 01000},
                    "options.umask: it has other bits than those of permissions; take one up to "
                    "0777"}),
    [](const auto& info) { return info.param.name; });

// ---- What a worker is.

TEST_F(UserWorkersTest, MakesWorkersThatAreTheUserForGood) {
  Start();
  const int secret = open("/etc/shadow", O_RDONLY);  // Without close-on-exec, too.
  ASSERT_EQ(Text(workers_->Open({Uid(1), 2345, {3001, 7}}, "/")), "OK");
  close(secret);
  const pid_t pid = WorkerOf(Uid(1));
  const std::string uid = absl::StrCat(" ", Uid(1));
  EXPECT_EQ(LineOf(pid, "Uid:"), "Uid:" + uid + uid + uid + uid);
  EXPECT_EQ(LineOf(pid, "Gid:"), "Gid: 2345 2345 2345 2345");
  EXPECT_EQ(LineOf(pid, "Groups:"), "Groups: 7 3001");
  for (const std::string set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    EXPECT_EQ(LineOf(pid, set), set + " 0000000000000000");
  }
  EXPECT_EQ(LineOf(pid, "NoNewPrivs:"), "NoNewPrivs: 1");
  EXPECT_EQ(LineOf(pid, "SigBlk:"), "SigBlk: 0000000000000000");
  // But the two of glibc, which it lets nobody take back.
  unsigned long long caught = 0;
  ASSERT_EQ(std::sscanf(LineOf(pid, "SigCgt:").c_str(), "SigCgt: %llx", &caught), 1);
  EXPECT_EQ(caught & ~0x180000000ULL, 0u);
  EXPECT_NE(getsid(pid), getsid(0));
  EXPECT_EQ(getpgid(pid), getsid(pid));

  // Nothing of the server's: three times /dev/null, a socket to talk by, and the leash.
  // Once it has closed what it handed over.
  ASSERT_TRUE(Waits(pid, SYS_recvmsg));
  std::vector<std::string> files;
  const std::string fds = absl::StrCat("/proc/", pid, "/fd");
  for (const std::string& name : Names(fds)) {
    char target[256] = {};
    ASSERT_GT(readlink(absl::StrCat(fds, "/", name).c_str(), target, sizeof(target) - 1), 0);
    files.push_back(std::string(target).substr(0, std::strcspn(target, "[")));
  }
  EXPECT_EQ(files.size(), 5u);
  EXPECT_EQ(std::count(files.begin(), files.end(), "/dev/null"), 3);
  EXPECT_EQ(std::count(files.begin(), files.end(), "socket:"), 2);

  // Its files in /proc are root's: its user may not trace it.
  struct stat proc;
  ASSERT_EQ(stat(absl::StrCat("/proc/", pid, "/environ").c_str(), &proc), 0);
  EXPECT_EQ(proc.st_uid, 0u);
  const std::string limits = ReadFile(absl::StrCat("/proc/", pid, "/limits"));
  for (const char* limit : {"Max processes             0                    0 ",
                            "Max core file size        0                    0 ",
                            "Max file size             0                    0 ",
                            "Max open files            16                   16 "}) {
    EXPECT_TRUE(absl::StrContains(limits, limit)) << limits;
  }
}

// Scenario: what its user may do to it from outside.
TEST_F(UserWorkersTest, MakesWorkersThatTheUserCannotRead) {
  Start();
  ASSERT_EQ(Text(workers_->Open({Uid(1), 2345, {}}, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  Child user([&](const Child::Pipes& pipes) {
    peer_testing::Become({Uid(1), 2345, {}});
    const int fd = open(absl::StrCat("/proc/", pid, "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    pipes.Say(fd < 0 ? std::strerror(errno) : "opened");
    return 0;
  });
  EXPECT_EQ(user.Hear(), "Permission denied");
}

TEST_F(UserWorkersTest, KeepsOneWorkerPerSetOfIds) {
  Start();
  const uid_t uid = Uid(1);
  const auto open_as = [&](const UnixIdentity& identity) {
    EXPECT_EQ(Text(workers_->Open(identity, "/")), "OK");
    return workers_->size();
  };
  EXPECT_EQ(open_as({uid, 5, {7, 8}}), 1u);
  EXPECT_EQ(open_as({uid, 5, {8, 7, 8}}), 1u);
  EXPECT_EQ(open_as({uid, 5, {7}}), 2u);
  EXPECT_EQ(open_as({uid, 6, {7, 8}}), 3u);
  EXPECT_EQ(open_as({Uid(2), 5, {7, 8}}), 4u);
  EXPECT_EQ(open_as({uid, 5, {7, 8}}), 4u);
}

// ---- Many users.

TEST_F(UserWorkersTest, EndsTheOneThatWasIdleForLongest) {
  Start(2);
  const auto open_as = [&](int n) {
    EXPECT_EQ(Text(workers_->Open({Uid(n), Uid(n), {}}, "/")), "OK");
    return WorkerOf(Uid(n));
  };
  const pid_t first = open_as(1);
  const pid_t second = open_as(2);
  EXPECT_EQ(open_as(1), first);
  open_as(3);
  EXPECT_TRUE(Gone(second));
  EXPECT_EQ(open_as(1), first);
  EXPECT_EQ(workers_->size(), 2u);
}

TEST_F(UserWorkersTest, ServesAThousandUsersWithAFewWorkers) {
  Start(4);
  std::vector<std::string> paths;
  for (int n = 1; n <= 1000; ++n) {
    paths.push_back(File(absl::StrCat("file", n), Uid(n), 0, 0600));
  }
  for (int n = 1; n <= 1000; ++n) {
    const UnixIdentity identity = {Uid(n), Uid(n), {}};
    ASSERT_EQ(Text(workers_->Open(identity, paths[n - 1])), "OK") << n;
    ASSERT_EQ(Text(workers_->Open(identity, paths[n % 1000])), "Permission denied") << n;
    ASSERT_LE(workers_->size(), 4u);
  }
  // Those that were ended are gone.
  size_t alive = 0;
  EXPECT_TRUE(Eventually([&] {
    alive = 0;
    for (const std::string& name : Names("/proc")) {
      unsigned uid = 0;
      const pid_t pid = std::atoi(name.c_str());
      const std::string ids = LineOf(pid, "Uid:");
      if (std::sscanf(ids.c_str(), "Uid: %u", &uid) == 1 && uid >= Uid(1) && uid <= Uid(1000) &&
          IsAlive(pid)) {
        ++alive;
      }
    }
    return alive == 4;
  })) << alive;
}

TEST_F(UserWorkersTest, Forgets) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  const UnixIdentity ada_in_a_group = {Uid(1), Uid(1), {7}};
  const UnixIdentity eve = {Uid(2), Uid(2), {}};
  for (const auto& identity : {ada, ada_in_a_group, eve}) {
    ASSERT_EQ(Text(workers_->Open(identity, "/")), "OK");
  }
  const std::vector<pid_t> old = WorkersOf(Uid(1));
  EXPECT_EQ(old.size(), 2u);
  const pid_t eves = WorkerOf(Uid(2));
  workers_->Forget(Uid(1));
  EXPECT_EQ(workers_->size(), 1u);
  for (const pid_t pid : old) EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(WorkerOf(Uid(2)), eves);
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
}

TEST_F(UserWorkersTest, ForgetsABusyWorkerOnceItIsIdle) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  const std::string fifo = Fifo("fifo");
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  std::thread caller([&] { EXPECT_EQ(Text(workers_->Open(ada, fifo)), "OK"); });
  ASSERT_TRUE(Waits(pid, SYS_openat2));
  workers_->Forget(Uid(1));
  EXPECT_EQ(workers_->size(), 1u);
  EXPECT_TRUE(IsOneOfOurs(pid));
  // Who comes now gets another worker, and does not wait.
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_EQ(workers_->size(), 2u);
  const int writer = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  caller.join();
  close(writer);
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(workers_->size(), 1u);
}

// ---- Workers that end, or hang.

TEST_F(UserWorkersTest, ReplacesAWorkerThatEndedWhileIdle) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  ASSERT_TRUE(Signal(pid, SIGKILL));
  ASSERT_TRUE(Gone(pid));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_NE(WorkerOf(Uid(1)), pid);
  EXPECT_EQ(workers_->size(), 1u);
}

// The socket of one that ended may be open for longer: the broker that made it has yet to close its
// copy. Here the test has one, until the request lies in it.
TEST_F(UserWorkersTest, ReplacesAWorkerThatEndedBeforeItReadTheRequest) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  const int socket = StealSocket(pid);
  if (socket < 0) GTEST_SKIP() << "needs pidfd_getfd(2), of Linux 5.6";
  ASSERT_TRUE(Signal(pid, SIGKILL));
  ASSERT_TRUE(Gone(pid));
  std::thread caller([&] { EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK"); });
  EXPECT_TRUE(HasPacket(socket));
  close(socket);
  caller.join();
  EXPECT_NE(WorkerOf(Uid(1)), pid);
  EXPECT_EQ(workers_->size(), 1u);
}

TEST_F(UserWorkersTest, TellsThatAWorkerEndedAtWork) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  const std::string fifo = Fifo("fifo");
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  std::string got;
  std::thread caller([&] { got = Text(workers_->Open(ada, fifo)); });
  ASSERT_TRUE(Waits(pid, SYS_openat2));
  ASSERT_TRUE(Signal(pid, SIGKILL));
  caller.join();
  EXPECT_EQ(got, absl::StrCat("UNAVAILABLE: the worker of uid ", Uid(1),
                              " ended before it answered; call again"));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
}

TEST_F(UserWorkersTest, EndsAWorkerThatHangs) {
  Start(8, absl::Seconds(1));
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  const UnixIdentity eve = {Uid(2), Uid(2), {}};
  const std::string fifo = Fifo("fifo");
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  ASSERT_EQ(Text(workers_->Open(eve, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  std::string got;
  std::atomic<bool> done{false};
  std::thread caller([&] {
    got = Text(workers_->Open(ada, fifo));
    done = true;
  });
  // Others are served meanwhile.
  int served = 0;
  while (!done) {
    EXPECT_EQ(Text(workers_->Open(eve, "/")), "OK");
    ++served;
  }
  caller.join();
  EXPECT_GT(served, 10);
  EXPECT_EQ(got, absl::StrCat("UNAVAILABLE: the worker of uid ", Uid(1),
                              " did not answer in time; see what it waits for, or allow more"));
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
}

TEST_F(UserWorkersTest, EndsAWorkerThatItsUserStopped) {
  Start(8, absl::Seconds(1));
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  ASSERT_TRUE(Stop(pid));
  EXPECT_EQ(workers_->Open(ada, "/").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
}

// With one place only, which a user holds up.
TEST_F(UserWorkersTest, WaitsForAPlace) {
  Start(1);
  const std::string fifo = Fifo("fifo");
  ASSERT_EQ(Text(workers_->Open({Uid(1), Uid(1), {}}, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  std::thread holder([&] { EXPECT_EQ(Text(workers_->Open({Uid(1), Uid(1), {}}, fifo)), "OK"); });
  ASSERT_TRUE(Waits(pid, SYS_openat2));
  std::atomic<bool> served{false};
  std::thread waiter([&] {
    EXPECT_EQ(Text(workers_->Open({Uid(2), Uid(2), {}}, "/")), "OK");
    served = true;
  });
  EXPECT_FALSE(Eventually([&] { return served.load() || workers_->size() > 1; }, 1));
  const int writer = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  holder.join();
  waiter.join();
  close(writer);
  EXPECT_EQ(workers_->size(), 1u);
}

TEST_F(UserWorkersTest, TellsThatNoWorkerCanBeMade) {
  Start(8, absl::Seconds(2));
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t broker = BrokerOf(WorkerOf(Uid(1)));
  ASSERT_EQ(LineOf(broker, "Name:"), "Name: reeve-broker");
  ASSERT_TRUE(Stop(broker));
  EXPECT_EQ(Text(workers_->Open({Uid(2), Uid(2), {}}, "/")),
            absl::StrCat("UNAVAILABLE: the worker of uid ", Uid(2),
                         " did not start in time; allow more"));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  // Those that nobody waits for any more end at once.
  ASSERT_TRUE(Signal(broker, SIGCONT));
  EXPECT_EQ(Text(workers_->Open({Uid(3), Uid(3), {}}, "/")), "OK");
  EXPECT_TRUE(Eventually([&] { return WorkersOf(Uid(2)).empty(); }));

  ASSERT_TRUE(Signal(broker, SIGKILL));
  ASSERT_TRUE(Gone(broker));
  EXPECT_EQ(Text(workers_->Open({Uid(2), Uid(2), {}}, "/")),
            "UNAVAILABLE: the process that makes workers has ended; start the server again");
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_EQ(workers_->size(), 2u);
}

// As above, with the broker: a worker that it was making may have a copy of its socket.
TEST_F(UserWorkersTest, TellsThatTheBrokerEndedBeforeItReadTheRequest) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t broker = BrokerOf(WorkerOf(Uid(1)));
  const int socket = StealSocket(broker);
  if (socket < 0) GTEST_SKIP() << "needs pidfd_getfd(2), of Linux 5.6";
  ASSERT_TRUE(Signal(broker, SIGKILL));
  ASSERT_TRUE(Gone(broker));
  std::thread caller([&] {
    EXPECT_EQ(Text(workers_->Open({Uid(2), Uid(2), {}}, "/")),
              "UNAVAILABLE: the process that makes workers has ended; start the server again");
  });
  EXPECT_TRUE(HasPacket(socket));
  close(socket);
  caller.join();
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_EQ(workers_->size(), 1u);
}

// What a terminal or a service manager sends to all processes of a server is the server's to heed.
TEST_F(UserWorkersTest, OutlivesWhatEndsAService) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  const pid_t broker = BrokerOf(pid);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    ASSERT_TRUE(Signal(pid, signal));
    ASSERT_TRUE(Signal(broker, signal));
  }
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_EQ(WorkerOf(Uid(1)), pid);
  EXPECT_EQ(Text(workers_->Open({Uid(2), Uid(2), {}}, "/")), "OK");
}

TEST_F(UserWorkersTest, RunsOutOfDescriptorsWithoutHarm) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = dup(0);
  close(next);
  const rlimit none = {static_cast<rlim_t>(next), limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string full = Text(workers_->Open(ada, "/"));
  const std::string no_worker = Text(workers_->Open({Uid(2), Uid(2), {}}, "/"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(full, absl::StrCat("UNAVAILABLE: the worker of uid ", Uid(1),
                               " gave a descriptor that could not be taken; raise RLIMIT_NOFILE"));
  EXPECT_EQ(no_worker, absl::StrCat("UNAVAILABLE: no worker of uid ", Uid(2),
                                    " can be made: socketpair: Too many open files; free memory or "
                                    "descriptors"));
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
}

// ---- The end.

TEST_F(UserWorkersTest, EndsAllProcessesWithIt) {
  Start();
  std::vector<pid_t> pids;
  for (int n = 1; n <= 3; ++n) {
    ASSERT_EQ(Text(workers_->Open({Uid(n), Uid(n), {}}, "/")), "OK");
    pids.push_back(WorkerOf(Uid(n)));
  }
  pids.push_back(BrokerOf(pids[0]));
  ASSERT_TRUE(Stop(pids[1]));
  ASSERT_TRUE(Stop(pids[3]));  // The broker; the destructor does not wait for long.
  workers_.reset();
  for (const pid_t pid : pids) EXPECT_TRUE(Gone(pid)) << pid;
}

TEST_F(UserWorkersTest, EndsAllProcessesWithTheServer) {
  const std::string fifo = Fifo("fifo");
  Child server([&](const Child::Pipes& pipes) {
    Start();
    for (int n = 1; n <= 3; ++n) {
      if (Text(workers_->Open({Uid(n), Uid(n), {}}, "/")) != "OK") return 1;
    }
    std::thread hung([&] { Text(workers_->Open({Uid(3), Uid(3), {}}, fifo)); });
    pipes.Say("up");
    pipes.Await();
    _exit(2);
  });
  ASSERT_EQ(server.Hear(), "up");
  std::vector<pid_t> pids;
  for (int n = 1; n <= 3; ++n) pids.push_back(WorkerOf(Uid(n)));
  pids.push_back(BrokerOf(pids[0]));
  ASSERT_TRUE(Stop(pids[0]));
  ASSERT_TRUE(Waits(pids[2], SYS_openat2));
  ASSERT_GT(server.pid(), 1);
  ASSERT_EQ(kill(server.pid(), SIGKILL), 0);
  // A stopped or hung one, too.
  for (const pid_t pid : pids) EXPECT_TRUE(Gone(pid)) << pid;
}

TEST_F(UserWorkersTest, BelongsToTheProcessThatStartedIt) {
  Start();
  const UnixIdentity ada = {Uid(1), Uid(1), {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say(Text(workers_->Open(ada, "/")));
    workers_->Forget(Uid(1));
    workers_.reset();
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "FAILED_PRECONDITION: this process was forked from the one that started the workers; "
            "start its own");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(Text(workers_->Open(ada, "/")), "OK");
  EXPECT_EQ(workers_->size(), 1u);
}

// ---- Servers that are not root.

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

// Which may not signal the workers; they end nevertheless.
TEST_F(UserWorkersTest, NeedsTwoCapabilities) {
  const std::string users = File("users", Uid(1), 0, 0600);
  const std::string servers = File("servers", 4321, 0, 0600);
  const std::string fifo = Fifo("fifo");
  const UnixIdentity ada = {Uid(1), Uid(1), {7}};
  Child server([&](const Child::Pipes& pipes) {
    BecomeServer(4321, {CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE});
    Start(8, absl::Seconds(2));
    pipes.Say(Text(workers_->Open(ada, users, Flags(O_RDWR))));
    pipes.Say(Text(workers_->Open(ada, servers)));
    pipes.Await();
    pipes.Say(Text(workers_->Open(ada, fifo)));
    pipes.Await();
    workers_.reset();
    return 0;
  });
  EXPECT_EQ(server.Hear(), "OK");
  EXPECT_EQ(server.Hear(), "Permission denied");
  const pid_t pid = WorkerOf(Uid(1));
  server.Go();
  EXPECT_TRUE(absl::StartsWith(server.Hear(), "UNAVAILABLE: "));
  EXPECT_TRUE(Gone(pid));
  server.Go();
  EXPECT_EQ(server.Wait(), 0);
}

TEST_F(UserWorkersTest, ServesAServerThatDroppedItsRights) {
  const std::string users = File("users", Uid(1), 0, 0600);
  Child server([&](const Child::Pipes& pipes) {
    Start();
    BecomeServer(4321, {});
    pipes.Say(Text(workers_->Open({Uid(1), Uid(1), {}}, users, Flags(O_RDWR))));
    workers_.reset();
    return 0;
  });
  EXPECT_EQ(server.Hear(), "OK");
  EXPECT_EQ(server.Wait(), 0);
}

TEST_F(UserWorkersTest, TellsThatItCannotBecomeUsers) {
  const auto said_by = [&](const std::vector<int>& capabilities, const UnixIdentity& identity) {
    Child server([&](const Child::Pipes& pipes) {
      BecomeServer(4321, capabilities);
      Start();
      pipes.Say(Text(workers_->Open(identity, "/")));
      workers_.reset();
      return 0;
    });
    const std::string said = server.Hear();
    EXPECT_EQ(server.Wait(), 0);
    return said;
  };
  const auto want = [](const char* call) {
    return absl::StrCat("FAILED_PRECONDITION: a worker cannot become uid ", Uid(1), ": ", call,
                        ": Operation not permitted; start with CAP_SETUID and CAP_SETGID, where "
                        "the ids are mapped");
  };
  EXPECT_EQ(said_by({CAP_SETUID}, {Uid(1), 5, {7}}), want("setgroups"));
  EXPECT_EQ(said_by({CAP_SETGID}, {Uid(1), 5, {7}}), want("setresuid"));
}

// ---- Workers that were taken over.

struct ForgedCase {
  const char* name;
  OpenReply reply;
  size_t size;              // Of what is sent of it, and zeros.
  std::vector<int> opened;  // Flags of "/etc/passwd", or O_DIRECTORY for "/".
  enum Sender { kWorker, kOtherUser, kOtherGroup, kOtherProcess } sender;
  const char* want;  // After "the worker of uid N".
};
std::ostream& operator<<(std::ostream& os, const ForgedCase& c) { return os << c.name; }

class UserWorkersForgedTest : public UserWorkersTest,
                              public ::testing::WithParamInterface<ForgedCase> {};

TEST_P(UserWorkersForgedTest, IsNotBelieved) {
  const ForgedCase& c = GetParam();
  Start();
  const UnixIdentity ada = {Uid(1), 2345, {}};
  ASSERT_EQ(Text(workers_->Open(ada, "/")), "OK");
  const pid_t pid = WorkerOf(Uid(1));
  const int socket = StealSocket(pid);
  if (socket < 0) GTEST_SKIP() << "needs pidfd_getfd(2), of Linux 5.6";
  ASSERT_TRUE(Stop(pid));

  // As root, in the worker's name. It is there before the request; the worker would say it later.
  ucred sender = {pid, Uid(1), 2345};
  if (c.sender == ForgedCase::kOtherUser) sender.uid = Uid(2);
  if (c.sender == ForgedCase::kOtherGroup) sender.gid = 2346;
  if (c.sender == ForgedCase::kOtherProcess) sender.pid = getpid();
  std::vector<int> fds;
  for (const int flags : c.opened) {
    fds.push_back(open(flags == O_DIRECTORY ? "/" : "/etc/passwd", flags | O_CLOEXEC));
    ASSERT_GE(fds.back(), 0);
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 8)] = {};
  char text[64] = {};
  std::memcpy(text, &c.reply, sizeof(c.reply));
  iovec part = {text, c.size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* item = CMSG_FIRSTHDR(&message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_CREDENTIALS;
  item->cmsg_len = CMSG_LEN(sizeof(ucred));
  std::memcpy(CMSG_DATA(item), &sender, sizeof(sender));
  size_t used = CMSG_SPACE(sizeof(ucred));
  if (!fds.empty()) {
    item = CMSG_NXTHDR(&message, item);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(item), fds.data(), sizeof(int) * fds.size());
    used += CMSG_SPACE(sizeof(int) * fds.size());
  }
  message.msg_controllen = used;
  ASSERT_EQ(sendmsg(socket, &message, 0), static_cast<ssize_t>(c.size));
  for (const int fd : fds) close(fd);
  close(socket);

  const std::string got = Text(workers_->Open(ada, "/etc/passwd"));
  if (std::string_view(c.want) == "OK") {
    EXPECT_EQ(got, "OK");
    return;
  }
  EXPECT_EQ(got, absl::StrCat("UNAVAILABLE: the worker of uid ", Uid(1), " ", c.want));
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(workers_->size(), 0u);
}

constexpr size_t kSize = sizeof(OpenReply);
constexpr char kForm[] = "answered out of form; it was ended";
constexpr char kOther[] = "gave another descriptor than it was asked for; it was ended";

INSTANTIATE_TEST_SUITE_P(
    , UserWorkersForgedTest,
    ::testing::Values(
        // So the others fail by what their names say.
        ForgedCase{"True", {2, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kWorker, "OK"},
        ForgedCase{"OfAnotherUser", {2, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kOtherUser, kForm},
        ForgedCase{"OfAnotherGroup", {2, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kOtherGroup, kForm},
        ForgedCase{
            "OfAnotherProcess", {2, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kOtherProcess, kForm},
        ForgedCase{"ToAnEarlierRequest", {1, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kWorker, kForm},
        ForgedCase{"ToALaterRequest", {3, 0, 0}, kSize, {O_RDONLY}, ForgedCase::kWorker, kForm},
        ForgedCase{"NoDescriptor", {2, 0, 0}, kSize, {}, ForgedCase::kWorker, kForm},
        ForgedCase{
            "TwoDescriptors", {2, 0, 0}, kSize, {O_RDONLY, O_RDONLY}, ForgedCase::kWorker, kForm},
        ForgedCase{"MoreDescriptorsThanFit",
                   {2, 0, 0},
                   kSize,
                   {O_RDONLY, O_RDONLY, O_RDONLY, O_RDONLY, O_RDONLY, O_RDONLY, O_RDONLY},
                   ForgedCase::kWorker,
                   "gave a descriptor that could not be taken; raise RLIMIT_NOFILE"},
        ForgedCase{
            "ErrorAndDescriptor", {2, EACCES, 0}, kSize, {O_RDONLY}, ForgedCase::kWorker, kForm},
        ForgedCase{"NegativeError", {2, -EACCES, 0}, kSize, {}, ForgedCase::kWorker, kForm},
        ForgedCase{"Short", {2, 0, 0}, kSize - 1, {O_RDONLY}, ForgedCase::kWorker, kForm},
        ForgedCase{"Long",
                   {2, 0, 0},
                   kSize + 1,
                   {O_RDONLY},
                   ForgedCase::kWorker,
                   "gave a descriptor that could not be taken; raise RLIMIT_NOFILE"},
        ForgedCase{"NotZero", {2, 0, 1}, kSize, {O_RDONLY}, ForgedCase::kWorker, kForm},
        // By which the server, as root, could read what the user may not.
        ForgedCase{"PathOnly", {2, 0, 0}, kSize, {O_PATH}, ForgedCase::kWorker, kOther},
        ForgedCase{"ForWriting", {2, 0, 0}, kSize, {O_RDWR}, ForgedCase::kWorker, kOther}),
    [](const auto& info) { return info.param.name; });

// ---- Threads.

// More users than workers, and two threads for each.
TEST_F(UserWorkersTest, KeepsThreadsApart) {
  Start(3);
  constexpr int kUsers = 5;
  std::vector<std::string> paths;
  for (int n = 0; n < kUsers; ++n) {
    paths.push_back(File(absl::StrCat("file", n), Uid(n + 1), 0, 0600));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2 * kUsers; ++t) {
    threads.emplace_back([&, t] {
      const int n = t % kUsers;
      const UnixIdentity identity = {Uid(n + 1), Uid(n + 1), {}};
      for (int i = 0; i < 200; ++i) {
        const absl::StatusOr<UserFile> own = workers_->Open(identity, paths[n]);
        struct stat file;
        if (!own.ok() || fstat(own->fd(), &file) != 0 || file.st_uid != Uid(n + 1)) ++wrong;
        const absl::StatusOr<UserFile> other =
            workers_->Open(identity, paths[(n + 1 + i % (kUsers - 1)) % kUsers]);
        if (!other.ok() || other->error() != EACCES) ++wrong;
        if (i % 50 == 0) workers_->Forget(Uid(n + 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(workers_->size(), 3u);
}

}  // namespace
}  // namespace reeve
