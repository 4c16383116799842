#include "reeve/adapters/socket/peer_testing.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/unix/kernel.h"
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
  if (!token.ok()) return token.status().ToString(absl::StatusToStringMode::kWithNoExtraData);
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
