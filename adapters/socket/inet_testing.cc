#include "reeve/adapters/socket/inet_testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/diag/local_peer.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace peer_testing {
namespace {

// Ends the process with a message if the call that `ok` tells of failed.
void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "inet_testing: %s: %s\n", what, std::strerror(errno));
  _exit(99);
}

// Replaces the digits after `key` by `by`.
void Hide(const std::string& key, const std::string& by, std::string* text) {
  const size_t at = text->find(key);
  if (at == std::string::npos) return;
  const size_t begin = at + key.size();
  const size_t end = text->find_first_not_of("0123456789", begin);
  text->replace(begin, end == std::string::npos ? end : end - begin, by);
}

}  // namespace

InetAddress InetAddress::Of(const std::string& ip, uint16_t port, unsigned interface) {
  InetAddress address;
  auto* const in = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const in6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, ip.c_str(), &in->sin_addr) == 1) {
    in->sin_family = AF_INET;
    address.size = sizeof(*in);
  } else {
    Require(inet_pton(AF_INET6, ip.c_str(), &in6->sin6_addr) == 1, ip.c_str());
    in6->sin6_family = AF_INET6;
    in6->sin6_scope_id = interface;
    address.size = sizeof(*in6);
  }
  return address.WithPort(port);
}

InetAddress InetAddress::OfSocket(int fd) {
  InetAddress address;
  address.size = sizeof(address.storage);
  Require(getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) == 0,
          "getsockname");
  return address;
}

uint16_t InetAddress::port() const {
  // At the same place in both.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

InetAddress InetAddress::WithPort(uint16_t port) const {
  InetAddress address = *this;
  reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  return address;
}

InetAddress Loopback() { return InetAddress::Of("127.0.0.1"); }

int MakeSocket(int family, int type, int protocol) {
  const int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  Require(fd >= 0, "socket");
  return fd;
}

int MakeSocketOf(uid_t uid, int family, int type, int protocol) {
  Require(seteuid(uid) == 0, "seteuid");
  const int fd = MakeSocket(family, type, protocol);
  Require(seteuid(0) == 0, "seteuid 0");
  return fd;
}

void SetOption(int fd, int level, int option, int value) {
  Require(setsockopt(fd, level, option, &value, sizeof(value)) == 0, "setsockopt");
}

void Bind(int fd, const InetAddress& address) {
  Require(bind(fd, address.get(), address.size) == 0, "bind");
}

void Connect(int fd, const InetAddress& address) {
  Require(connect(fd, address.get(), address.size) == 0, "connect");
}

bool BeginConnect(int fd, const InetAddress& address) {
  Require(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
  return connect(fd, address.get(), address.size) == 0 || errno == EINPROGRESS;
}

void ResetOnClose(int fd) {
  const linger reset = {1, 0};
  Require(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0, "SO_LINGER");
}

void AwaitEvents(int fd, short events) {
  pollfd poller = {fd, events, 0};
  int ready;
  do {
    ready = poll(&poller, 1, 20000);
  } while (ready < 0 && errno == EINTR);
  Require(ready == 1, "poll");
}

InetAddress ReceiveFrom(int fd, std::string* data) {
  AwaitEvents(fd, POLLIN);
  InetAddress from;
  from.size = sizeof(from.storage);
  char buffer[256];
  const ssize_t size = recvfrom(fd, buffer, sizeof(buffer), 0,
                                reinterpret_cast<sockaddr*>(&from.storage), &from.size);
  Require(size >= 0, "recvfrom");
  if (data != nullptr) data->assign(buffer, size);
  return from;
}

void SendTo(int fd, const std::string& data, const InetAddress& to) {
  Require(sendto(fd, data.data(), data.size(), 0, to.get(), to.size) ==
              static_cast<ssize_t>(data.size()),
          "sendto");
}

void SendDescriptor(int over, int fd) {
  char byte = 'd';
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(c), &fd, sizeof(fd));
  Require(sendmsg(over, &message, 0) == 1, "sendmsg");
}

int ReceiveDescriptor(int over) {
  char byte;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  Require(recvmsg(over, &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
  const cmsghdr* const c = CMSG_FIRSTHDR(&message);
  Require(c != nullptr && c->cmsg_type == SCM_RIGHTS, "SCM_RIGHTS");
  int fd;
  std::memcpy(&fd, CMSG_DATA(c), sizeof(fd));
  return fd;
}

TcpListener::TcpListener(const InetAddress& address, const std::function<void(int fd)>& prepare)
    : fd_(MakeSocket(address.family(), SOCK_STREAM)) {
  if (prepare != nullptr) prepare(fd_);
  Bind(fd_, address);
  Require(listen(fd_, 4096) == 0, "listen");
}

TcpListener::~TcpListener() { close(fd_); }

int TcpListener::Accept() const {
  AwaitEvents(fd_, POLLIN);
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  Require(fd >= 0, "accept4");
  return fd;
}

std::unique_ptr<Child> TcpPeer(const InetAddress& to, uid_t uid,
                               const std::function<void(int fd)>& prepare,
                               const std::function<void(int fd, const Child::Pipes& pipes)>& then) {
  return std::make_unique<Child>([&](const Child::Pipes& pipes) {
    Become({uid, 2345, {}});
    const int fd = MakeSocket(to.family(), SOCK_STREAM);
    if (prepare != nullptr) prepare(fd);
    Connect(fd, to);
    pipes.Say("connected");
    if (then != nullptr) then(fd, pipes);
    pipes.Await();
    return 0;
  });
}

std::string Verdict(const absl::StatusOr<PeerToken>& token) {
  if (!token.ok()) {
    const std::optional<PeerError> error = PeerErrorOf(token.status());
    return error.has_value() ? std::string(ToString(*error)) : token.status().ToString();
  }
  const Principal& p = token->principal();
  std::string evidence = p.evidence;
  Hide("inode=", "N", &evidence);
  Hide(" cgroup=", "", &evidence);
  if (const size_t at = evidence.find(" cgroup="); at != std::string::npos) evidence.erase(at, 8);
  // The port is after the last colon of the address.
  const size_t end = evidence.find(' ', evidence.find(" peer=") + 1);
  if (const size_t colon = evidence.rfind(':', end); colon != std::string::npos) {
    evidence.replace(colon + 1, end - colon - 1, "P");
  }
  return absl::StrCat(ToString(p.id), " [", absl::StrJoin(p.groups, ", "), "] ",
                      p.groups_complete ? "" : "partial ", std::string(ToString(p.assurance)), " ",
                      p.via, token->secured() ? " secured" : "",
                      token->encrypted() ? " encrypted" : "", evidence.empty() ? "" : " ",
                      evidence);
}

std::string User(uid_t uid, const std::string& ip) {
  return absl::StrCat("user:uid:", uid, " [] partial kernel tcp secured uid=", uid,
                      " inode=N peer=", ip, ":P groups=partial");
}

std::string WeakUser(uid_t uid, const std::string& ip) {
  return absl::StrCat("user:uid:", uid, " [] partial kernel_weak udp secured uid=", uid,
                      " inode=N peer=", ip, ":P groups=partial");
}

std::string VerdictOf(int fd, const PeerOptions& options) {
  return Verdict(PeerToken::FromSocket(fd, options));
}

void WriteIdMap(pid_t pid, const char* file, const std::string& map) {
  const int fd = open(absl::StrCat("/proc/", pid, "/", file).c_str(), O_WRONLY | O_CLOEXEC);
  Require(fd >= 0 && write(fd, map.data(), map.size()) == static_cast<ssize_t>(map.size()), file);
  close(fd);
}

void InetPeerTest::SetUp() {
  // Opens the sockets by which this thread asks the kernel.
  {
    TcpListener listener;
    const int client = MakeSocket(AF_INET, SOCK_STREAM);
    Connect(client, listener.address());
    const int fd = listener.Accept();
    EXPECT_EQ(VerdictOf(fd), User(getuid()));
    EXPECT_EQ(*socket_internal::IsLocalAddress(fd, *IpAddress::Parse("192.0.2.1")), false);
    close(client);
    close(fd);
  }
  PeerTest::SetUp();
}

}  // namespace peer_testing
}  // namespace reeve
