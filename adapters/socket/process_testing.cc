#include "reeve/adapters/socket/process_testing.h"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reeve {
namespace peer_testing {
namespace {

// Ends the process with a message if the call that `ok` tells of failed.
void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "peer_testing: %s: %s\n", what, std::strerror(errno));
  _exit(99);
}

int ExitStatus(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(fd, buffer, sizeof(buffer))) > 0;) text.append(buffer, size);
  return text;
}

// Replaces this process by a program.
[[noreturn]] void Execute(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/ipsec", 1);
  execvp(arguments[0], arguments.data());
  Require(false, arguments[0]);
  _exit(99);
}

void LoopbackUp() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  Require(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo up");
  close(fd);
}

}  // namespace

void Child::Pipes::Say(const std::string& text) const {
  const std::string line = text + "\n";
  Require(write(out, line.data(), line.size()) == static_cast<ssize_t>(line.size()), "write");
}

bool Child::Pipes::Await() const {
  char byte;
  return read(in, &byte, 1) == 1;
}

Child::Child(const std::function<int(const Pipes&)>& body) {
  int down[2];
  int up[2];
  Require(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0, "pipe2");
  std::fflush(nullptr);
  pid_ = fork();
  Require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    close(down[1]);
    close(up[0]);
    _exit(body(Pipes{down[0], up[1]}));
  }
  close(down[0]);
  close(up[1]);
  to_child_ = down[1];
  from_child_ = up[0];
}

Child::~Child() {
  if (pid_ > 0) Wait();
  close(from_child_);
}

std::string Child::Hear() {
  std::string line;
  for (char c; (c = HearByte()) != 0 && c != '\n';) line += c;
  return line;
}

char Child::HearByte() {
  char c;
  return read(from_child_, &c, 1) == 1 ? c : '\0';
}

void Child::Go() { Require(write(to_child_, "x", 1) == 1, "write"); }

int Child::Wait() {
  close(to_child_);
  int status = 0;
  Require(waitpid(pid_, &status, 0) == pid_, "waitpid");
  pid_ = -1;
  return ExitStatus(status);
}

void Become(const Identity& identity) {
  Require(setgroups(identity.groups.size(), identity.groups.data()) == 0, "setgroups");
  Require(setresgid(identity.gid, identity.gid, identity.gid) == 0, "setresgid");
  Require(setresuid(identity.uid, identity.uid, identity.uid) == 0, "setresuid");
  // Else /proc/self stays root's, and with it the maps of a user namespace.
  Require(prctl(PR_SET_DUMPABLE, 1) == 0, "prctl");
}

std::string WhyNoOtherUsers() {
  if (geteuid() != 0) return "needs root, to act as several users";
  Child child([](const Child::Pipes&) {
    const gid_t group = 3001;
    return setgroups(1, &group) == 0 && setresgid(2345, 2345, 2345) == 0 &&
                   setresuid(1234, 1234, 1234) == 0
               ? 0
               : 1;
  });
  return child.Wait() == 0 ? "" : "root here cannot become other users";
}

std::string WhyNoNetworks() {
  if (geteuid() != 0) return "needs root, to make network namespaces";
  Child child([](const Child::Pipes&) { return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 ? 0 : 1; });
  return child.Wait() == 0 ? "" : "root here cannot make network namespaces";
}

std::string WhyNoProgram(std::string_view program, std::string_view package) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/usr/lib/ipsec/"}) {
    if (access((folder + std::string(program)).c_str(), X_OK) == 0) return "";
  }
  return absl::StrCat("needs the program ", std::string(program), "; install the package ",
                      std::string(package));
}

TempDirectory::TempDirectory() {
  const char* base = std::getenv("TEST_TMPDIR");
  // Short, for the names of sockets end after 107 bytes.
  path_ = absl::StrCat(base != nullptr && std::strlen(base) < 40 ? base : "/tmp", "/reeve.XXXXXX");
  Require(mkdtemp(path_.data()) != nullptr, "mkdtemp");
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDirectory::operator/(std::string_view name) const {
  return absl::StrCat(path_, "/", std::string(name));
}

Network::Network() {
  keeper_ = std::make_unique<Child>([](const Child::Pipes& pipes) {
    Require(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    Require(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount /");
    Require(mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0, "mount /run");
    LoopbackUp();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pipes.Say("up");
    pipes.Await();
    return 0;
  });
  Require(keeper_->Hear() == "up", "a network namespace");
}

Network::~Network() = default;

pid_t Network::pid() const { return keeper_->pid(); }

void Network::Enter(bool with_mounts) const {
  for (const char* kind : {"net", "mnt"}) {
    if (std::strcmp(kind, "mnt") == 0 && !with_mounts) continue;
    const std::string path = absl::StrCat("/proc/", pid(), "/ns/", kind);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    Require(fd >= 0 && setns(fd, 0) == 0, path.c_str());
    close(fd);
  }
}

int Network::Do(const std::function<int()>& body, bool with_mounts) const {
  return Start([&](const Child::Pipes&) { return body(); }, with_mounts)->Wait();
}

std::unique_ptr<Child> Network::Start(const std::function<int(const Child::Pipes&)>& body,
                                      bool with_mounts) const {
  return std::make_unique<Child>([&](const Child::Pipes& pipes) {
    Enter(with_mounts);
    return body(pipes);
  });
}

std::string Network::Try(const std::vector<std::string>& command, int* status) const {
  int out[2];
  Require(pipe2(out, O_CLOEXEC) == 0, "pipe2");
  std::fflush(nullptr);
  const pid_t child = fork();
  Require(child >= 0, "fork");
  if (child == 0) {
    Enter(true);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    Execute(command);
  }
  close(out[1]);
  std::string text = ReadToEnd(out[0]);
  close(out[0]);
  Require(waitpid(child, status, 0) == child, "waitpid");
  *status = ExitStatus(*status);
  return text;
}

std::string Network::Run(const std::vector<std::string>& command) const {
  int status;
  std::string text = Try(command, &status);
  EXPECT_EQ(status, 0) << absl::StrJoin(command, " ") << "\n" << text;
  return text;
}

void Network::Join(const Network& a, const std::string& name_a, const std::string& address_a,
                   const Network& b, const std::string& name_b, const std::string& address_b) {
  a.Run({"ip", "link", "add", name_a, "type", "veth", "peer", "name", name_b, "netns",
         absl::StrCat(b.pid())});
  a.Run({"ip", "addr", "add", address_a, "dev", name_a});
  b.Run({"ip", "addr", "add", address_b, "dev", name_b});
  a.Run({"ip", "link", "set", name_a, "up"});
  b.Run({"ip", "link", "set", name_b, "up"});
}

Daemon::Daemon(const Network& network, const std::vector<std::string>& command,
               const std::string& log_path) {
  std::fflush(nullptr);
  pid_ = fork();
  Require(pid_ >= 0, "fork");
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  network.Enter(true);
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  Require(log >= 0 && null >= 0, log_path.c_str());
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  Execute(command);
}

Daemon::~Daemon() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Daemon::Signal(int signal) const {
  Require(kill(pid_, signal) == 0, "kill");
  // Until all its threads have stopped.
  siginfo_t info;
  if (signal == SIGSTOP) {
    Require(waitid(P_PID, pid_, &info, WSTOPPED | WEXITED | WNOWAIT) == 0, "waitid");
  }
}

bool Eventually(const std::function<bool()>& done, int seconds) {
  for (int i = 0; i < seconds * 50; ++i) {
    if (done()) return true;
    poll(nullptr, 0, 20);
  }
  return false;
}

}  // namespace peer_testing
}  // namespace reeve
