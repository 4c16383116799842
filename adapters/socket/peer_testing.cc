#include "reeve/adapters/socket/peer_testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/kernel.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace peer_testing {
namespace {

// Ends the process with a message if the call that `ok` tells of failed.
void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "peer_testing: %s: %s\n", what, std::strerror(errno));
  _exit(99);
}

int OpenDescriptors() {
  DIR* dir = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
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
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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

void Autobind(int fd) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Require(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) == 0, "bind");
}

Listener::Listener(int type) : type_(type), fd_(socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
  Require(fd_ >= 0, "socket");
  Autobind(fd_);
  Require(listen(fd_, 16) == 0, "listen");
  address_size_ = sizeof(address_);
  Require(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &address_size_) == 0,
          "getsockname");
}

Listener::~Listener() { close(fd_); }

int Listener::Connect() const {
  const int fd = socket(AF_UNIX, type_, 0);
  Require(fd >= 0, "socket");
  Connect(fd);
  return fd;
}

void Listener::Connect(int fd) const {
  Require(connect(fd, reinterpret_cast<const sockaddr*>(&address_), address_size_) == 0, "connect");
}

int Listener::Accept() const {
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  Require(fd >= 0, "accept4");
  return fd;
}

std::unique_ptr<Child> Connector(const Listener& listener, const Identity& identity) {
  return std::make_unique<Child>([&](const Child::Pipes& pipes) {
    Become(identity);
    listener.Connect();
    pipes.Say("connected");
    pipes.Await();
    return 0;
  });
}

std::string Outcome(const absl::StatusOr<PeerToken>& token) {
  if (!token.ok()) return token.status().ToString();
  const Principal& p = token->principal();
  std::string rest = p.evidence.substr(p.evidence.find(" uid="));
  const size_t pidfd = rest.find(" pidfd=");
  const size_t value = pidfd + 7;
  const size_t end = std::min(rest.find(' ', value), rest.size());
  if (rest[value] >= '0' && rest[value] <= '9') rest.replace(value, end - value, "N");
  return absl::StrCat(ToString(p.id), " [", absl::StrJoin(p.groups, ", "), "] ",
                      std::string(ToString(p.assurance)), rest);
}

std::string Code(const absl::StatusOr<PeerToken>& token) {
  return absl::StatusCodeToString(token.status().code());
}

PeerOptions With(SocketOrigin origin, bool require_live_process) {
  PeerOptions options;
  options.origin = origin;
  options.require_live_process = require_live_process;
  options.names = &NameService::Numbers();
  return options;
}

ino_t Inode(int fd) {
  struct stat file = {};
  EXPECT_EQ(fstat(fd, &file), 0);
  return file.st_ino;
}

bool KernelGivesPidfds() {
  int pair[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  const bool given =
      getsockopt(pair[0], SOL_SOCKET, socket_internal::kPeerPidfd, &pidfd, &size) == 0;
  if (given) close(pidfd);
  close(pair[0]);
  close(pair[1]);
  return given;
}

void PeerTest::SetUp() { before_ = OpenDescriptors(); }

void PeerTest::TearDown() { EXPECT_EQ(OpenDescriptors(), before_); }

}  // namespace peer_testing
}  // namespace reeve
