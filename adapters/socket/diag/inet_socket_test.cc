#include "reeve/adapters/socket/diag/inet_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace reeve::socket_internal {
namespace {

using Buffer = std::vector<uint8_t>;

template <typename T>
void Append(const T& value, Buffer* bytes) {
  const Bytes view = BytesOf(value);
  bytes->insert(bytes->end(), view.begin(), view.end());
}

// An answer of the kernel's: a socket of uid 1000, inode 4711.
Buffer Answer(uint8_t family, const char* local, const char* remote, uint32_t interface = 0) {
  inet_diag_msg message = {};
  message.idiag_family = family;
  message.idiag_state = TCP_ESTABLISHED;
  message.id.idiag_sport = htons(80);
  message.id.idiag_dport = htons(5000);
  inet_pton(family, local, message.id.idiag_src);
  inet_pton(family, remote, message.id.idiag_dst);
  message.id.idiag_if = interface;
  message.idiag_uid = 1000;
  message.idiag_inode = 4711;
  Buffer bytes;
  Append(message, &bytes);
  return bytes;
}

Buffer WithAttribute(Buffer bytes, uint16_t type, const Buffer& value, int length = -1) {
  nlattr header = {};
  header.nla_type = type;
  header.nla_len = static_cast<uint16_t>(length >= 0 ? length : sizeof(header) + value.size());
  Append(header, &bytes);
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

Buffer Cut(Buffer bytes, size_t less) {
  bytes.resize(bytes.size() - less);
  return bytes;
}

// "<local> <remote> state uid inode cgroup"
std::string Text(const std::optional<InetSocket>& socket) {
  if (!socket.has_value()) return "malformed";
  return socket->local.ToString() + " " + socket->remote.ToString() + " " +
         std::to_string(socket->state) + " " + std::to_string(socket->uid) + " " +
         std::to_string(socket->inode) + " " + std::to_string(socket->cgroup);
}

TEST(ParseInetSocketTest, Parses) {
  constexpr uint16_t kCgroup = 21;
  const Buffer v4 = Answer(AF_INET, "10.0.0.1", "10.0.0.2");
  const Buffer cgroup = {52, 0, 0, 0, 0, 0, 0, 0};
  struct Case {
    const char* name;
    Buffer bytes;
    std::string want;
  };
  const Case cases[] = {
      {"V4", v4, "10.0.0.1:80 10.0.0.2:5000 1 1000 4711 0"},
      {"V6", Answer(AF_INET6, "fd00::1", "fd00::2"), "[fd00::1]:80 [fd00::2]:5000 1 1000 4711 0"},
      {"Mapped", Answer(AF_INET6, "::ffff:10.0.0.1", "::ffff:10.0.0.2"),
       "10.0.0.1:80 10.0.0.2:5000 1 1000 4711 0"},
      {"LinkLocalHasTheInterface", Answer(AF_INET6, "fe80::1", "fe80::2", 3),
       "[fe80::1%3]:80 [fe80::2%3]:5000 1 1000 4711 0"},
      {"GlobalHasNone", Answer(AF_INET6, "fd00::1", "fd00::2", 3),
       "[fd00::1]:80 [fd00::2]:5000 1 1000 4711 0"},
      {"V4HasNone", Answer(AF_INET, "10.0.0.1", "10.0.0.2", 3),
       "10.0.0.1:80 10.0.0.2:5000 1 1000 4711 0"},
      {"Unbound", Answer(AF_INET6, "::", "::"), "[::]:80 [::]:5000 1 1000 4711 0"},
      {"Cgroup", WithAttribute(v4, kCgroup, cgroup), "10.0.0.1:80 10.0.0.2:5000 1 1000 4711 52"},
      {"OtherAttributes", WithAttribute(WithAttribute(v4, 8, {0, 0, 0, 0}), kCgroup, cgroup),
       "10.0.0.1:80 10.0.0.2:5000 1 1000 4711 52"},
      {"CgroupCutShort", WithAttribute(v4, kCgroup, {52, 0, 0, 0}), "malformed"},
      {"AttributeTooLong", WithAttribute(v4, kCgroup, cgroup, 13), "malformed"},
      {"AttributeTooShort", WithAttribute(v4, kCgroup, cgroup, 3), "malformed"},
      {"Empty", {}, "malformed"},
      {"CutShort", Cut(v4, 1), "malformed"},
      {"OfNoFamily", Answer(AF_UNIX, "10.0.0.1", "10.0.0.2"), "malformed"},
  };
  for (const Case& c : cases) {
    const Buffer exact(c.bytes);
    EXPECT_EQ(Text(ParseInetSocket(exact)), c.want) << c.name;
  }
}

IpEndpoint NameOf(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  EXPECT_EQ(ask(fd, reinterpret_cast<sockaddr*>(&address), &size), 0) << std::strerror(errno);
  return IpEndpoint::From(reinterpret_cast<sockaddr*>(&address), size).value_or(IpEndpoint());
}

int Own(int fd, sockaddr* address, socklen_t* size) { return getsockname(fd, address, size); }

ino_t InodeOf(int fd) {
  struct stat file;
  EXPECT_EQ(fstat(fd, &file), 0);
  return file.st_ino;
}

// A socket bound to a loopback address and any port.
int BoundSocket(int family, int type) {
  const int fd = socket(family, type | SOCK_CLOEXEC, 0);
  sockaddr_storage address = {};
  address.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_loopback;
  }
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address),
                 family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)),
            0)
      << std::strerror(errno);
  return fd;
}

void ConnectTo(int fd, int other) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(other, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), size), 0) << std::strerror(errno);
}

class FindInetSocketTest : public testing::TestWithParam<int> {};

TEST_P(FindInetSocketTest, FindsTheOneOfTcpWithTheseEnds) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_SOCK_DIAG), 0);
  const int listener = BoundSocket(GetParam(), SOCK_STREAM);
  ASSERT_EQ(listen(listener, 1), 0);
  const int client = socket(GetParam(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  ConnectTo(client, listener);
  const int server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ASSERT_GE(server, 0);
  const IpEndpoint server_end = NameOf(server, Own);
  const IpEndpoint client_end = NameOf(client, Own);
  InetSocket found;
  ASSERT_EQ(FindInetSocket(netlink, IPPROTO_TCP, client_end, server_end, &found), 0);
  EXPECT_EQ(found.inode, InodeOf(client));
  EXPECT_EQ(found.uid, geteuid());
  EXPECT_EQ(found.state, TCP_ESTABLISHED);
  EXPECT_EQ(found.local.ToString(), client_end.ToString());
  EXPECT_EQ(found.remote.ToString(), server_end.ToString());
  ASSERT_EQ(FindInetSocket(netlink, IPPROTO_TCP, server_end, client_end, &found), 0);
  EXPECT_EQ(found.inode, InodeOf(server));
  // Nobody is at the other end of these.
  EXPECT_EQ(FindInetSocket(netlink, IPPROTO_TCP, client_end, client_end, &found), ENOENT);
  close(server);
  close(client);
  close(listener);
}

TEST_P(FindInetSocketTest, FindsTheOneOfUdpWithTheseEnds) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_SOCK_DIAG), 0);
  const int a = BoundSocket(GetParam(), SOCK_DGRAM);
  const int b = BoundSocket(GetParam(), SOCK_DGRAM);
  ConnectTo(a, b);
  InetSocket found;
  ASSERT_EQ(FindInetSocket(netlink, IPPROTO_UDP, NameOf(a, Own), NameOf(b, Own), &found), 0);
  EXPECT_EQ(found.inode, InodeOf(a));
  ASSERT_EQ(FindInetSocket(netlink, IPPROTO_UDP, NameOf(b, Own), NameOf(a, Own), &found), 0);
  EXPECT_EQ(found.inode, InodeOf(b));
  const IpEndpoint gone = NameOf(b, Own);
  close(b);
  EXPECT_EQ(FindInetSocket(netlink, IPPROTO_UDP, gone, NameOf(a, Own), &found), ENOENT);
  close(a);
}

INSTANTIATE_TEST_SUITE_P(Families, FindInetSocketTest, testing::Values(AF_INET, AF_INET6),
                         [](const auto& info) { return info.param == AF_INET ? "V4" : "V6"; });

}  // namespace
}  // namespace reeve::socket_internal
