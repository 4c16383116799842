#include "reeve/adapters/socket/ipsec/require_ipsec.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::Identity;
using peer_testing::Network;

sockaddr_storage AddressOf(const char* ip, int port, socklen_t* size) {
  sockaddr_storage address = {};
  const IpAddress parsed = *IpAddress::Parse(ip);
  if (parsed.is_v6) {
    sockaddr_in6 in = {};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(static_cast<uint16_t>(port));
    std::memcpy(&in.sin6_addr, parsed.bytes.data(), 16);
    std::memcpy(&address, &in, *size = sizeof(in));
  } else {
    sockaddr_in in = {};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    std::memcpy(&in.sin_addr, parsed.bytes.data(), 4);
    std::memcpy(&address, &in, *size = sizeof(in));
  }
  return address;
}

int Call(int (*call)(int, const sockaddr*, socklen_t), int fd, const char* ip, int port) {
  socklen_t size;
  const sockaddr_storage address = AddressOf(ip, port, &size);
  return call(fd, reinterpret_cast<const sockaddr*>(&address), size);
}

// What passes over `va`: "tcp " or "udp " for each packet, and "mark" when the sign to stop came.
std::string Captured(int capture) {
  std::string text;
  for (pollfd readable = {capture, POLLIN, 0}; poll(&readable, 1, 5000) == 1;) {
    uint8_t packet[2048];
    sockaddr_ll from = {};
    socklen_t size = sizeof(from);
    const ssize_t length =
        recvfrom(capture, packet, sizeof(packet), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (length < 28) continue;
    const bool v6 = from.sll_protocol == htons(ETH_P_IPV6);
    if (!v6 && from.sll_protocol != htons(ETH_P_IP)) continue;
    const uint8_t protocol = packet[v6 ? 6 : 9];
    if (protocol == IPPROTO_TCP) text += "tcp ";
    if (protocol == IPPROTO_UDP) {
      // To the port that says that all was sent.
      const uint8_t* udp = packet + (v6 ? 40 : 20);
      if (udp[2] == 0x77 && udp[3] == 0x77) return text;
      text += "udp ";
    }
  }
  return text + "no end";
}

struct ClearCase {
  const char* name;
  const char* peer;
  int type;
  bool require;
  RequireIpsecOptions options;
  const char* captured;
};

std::ostream& operator<<(std::ostream& os, const ClearCase& c) { return os << c.name; }

class ClearTextTest : public testing::TestWithParam<ClearCase> {};

// Scenario B13.
TEST_P(ClearTextTest, DoesNotLeave) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  const Network a;
  const Network b;
  Network::Join(a, "va", "10.98.0.1/24", b, "vb", "10.98.0.2/24");
  a.Run({"ip", "addr", "add", "fd98::1/64", "dev", "va", "nodad"});
  b.Run({"ip", "addr", "add", "fd98::2/64", "dev", "vb", "nodad"});
  const std::string said =
      a.Start([](const Child::Pipes& pipes) {
         const ClearCase& c = GetParam();
         const bool v6 = std::strchr(c.peer, ':') != nullptr;
         const int capture = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
         const int fd = socket(v6 ? AF_INET6 : AF_INET, c.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
         const int one = 1;
         if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
         absl::Status status;
         if (c.require) status = RequireIpsec(fd, c.options);
         std::string how = status.ok() ? "" : status.ToString();
         int result = Call(connect, fd, c.peer, 7);
         if (result == 0 && c.type == SOCK_DGRAM) result = send(fd, "clear", 5, 0) == 5 ? 0 : -1;
         if (result != 0 && errno != EINPROGRESS) {
           absl::StrAppend(&how, "[",
                           errno == EAGAIN || errno == ESRCH ? "refused" : strerror(errno), "] ");
         }
         // What comes after it: that all was seen which was sent.
         const int end = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
         Call(connect, end, "10.98.0.2", 0x7777);
         (void)!send(end, "end", 3, 0);
         pipes.Say(how + Captured(capture));
         return 0;
       })->Hear();
  EXPECT_EQ(said, GetParam().captured);
}

INSTANTIATE_TEST_SUITE_P(
    Sockets, ClearTextTest,
    testing::Values(
        // Without the requirement it does: the capture sees what there is.
        ClearCase{"TcpAllowed", "10.98.0.2", SOCK_STREAM, false, {}, "tcp tcp "},
        ClearCase{"UdpAllowed", "10.98.0.2", SOCK_DGRAM, false, {}, "udp "},
        ClearCase{"Tcp", "10.98.0.2", SOCK_STREAM, true, {}, "[refused] "},
        ClearCase{"TcpByAh", "10.98.0.2", SOCK_STREAM, true, {false, 0}, "[refused] "},
        ClearCase{"TcpOfOneReqid", "10.98.0.2", SOCK_STREAM, true, {true, 7}, "[refused] "},
        ClearCase{"Udp", "10.98.0.2", SOCK_DGRAM, true, {}, "[refused] "},
        ClearCase{"Tcp6", "fd98::2", SOCK_STREAM, true, {}, "[refused] "},
        ClearCase{"Udp6", "fd98::2", SOCK_DGRAM, true, {}, "[refused] "}),
    [](const auto& info) { return std::string(info.param.name); });

// A listener and its accepted sockets take no clear text.
TEST(ListenerTest, TakesNoClearText) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  const Network a;
  const Network b;
  Network::Join(a, "va", "10.98.0.1/24", b, "vb", "10.98.0.2/24");
  for (const bool require : {false, true}) {
    const auto server = a.Start([require](const Child::Pipes& pipes) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (require && !RequireIpsec(fd).ok()) return 1;
      if (Call(bind, fd, "10.98.0.1", 7000) != 0 || listen(fd, 1) != 0) return 2;
      pipes.Say("listening");
      pipes.Await();
      return 0;
    });
    ASSERT_EQ(server->Hear(), "listening");
    const int got = b.Do([] {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      Call(connect, fd, "10.98.0.1", 7000);
      pollfd writable = {fd, POLLOUT, 0};
      return poll(&writable, 1, 700) == 1 ? 7 : 0;
    });
    EXPECT_EQ(got, require ? 0 : 7);
  }
}

TEST(ReceiverTest, TakesNoClearText) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  const Network a;
  const Network b;
  Network::Join(a, "va", "10.98.0.1/24", b, "vb", "10.98.0.2/24");
  for (const bool require : {false, true}) {
    const auto server = a.Start([require](const Child::Pipes& pipes) {
      const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const int later = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (require && !RequireIpsec(fd).ok()) return 1;
      if (Call(bind, fd, "10.98.0.1", 7000) != 0 || Call(bind, later, "10.98.0.1", 7001) != 0) {
        return 2;
      }
      pipes.Say("bound");
      pollfd readable[] = {{later, POLLIN, 0}, {fd, POLLIN, 0}};
      if (poll(readable, 1, 5000) != 1) return 3;
      pipes.Say(poll(readable + 1, 1, 0) == 1 ? "taken" : "dropped");
      return 0;
    });
    ASSERT_EQ(server->Hear(), "bound");
    EXPECT_EQ(b.Do([] {
      // To the socket that requires IPsec, then to the other.
      for (const int port : {7000, 7001}) {
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (Call(connect, fd, "10.98.0.1", port) != 0 || send(fd, "x", 1, 0) != 1) return 1;
      }
      return 0;
    }),
              0);
    EXPECT_EQ(server->Hear(), require ? "dropped" : "taken");
  }
}

struct ErrorCase {
  const char* name;
  std::function<int()> make;
  absl::StatusCode code;
  std::optional<PeerError> error;
  const char* message;
};

std::ostream& operator<<(std::ostream& os, const ErrorCase& c) { return os << c.name; }

class ErrorTest : public testing::TestWithParam<ErrorCase> {};

TEST_P(ErrorTest, IsTold) {
  REQUIRE_NETWORKS();
  const Network network;
  const std::string said =
      network
          .Start([](const Child::Pipes& pipes) {
            const absl::Status status = RequireIpsec(GetParam().make());
            const auto error = PeerErrorOf(status);
            pipes.Say(absl::StrCat(static_cast<int>(status.code()), " ",
                                   error.has_value() ? std::string(ToString(*error)) : "none", " ",
                                   status.message()));
            return 0;
          })
          ->Hear();
  const std::string want = absl::StrCat(
      static_cast<int>(GetParam().code), " ",
      GetParam().error.has_value() ? std::string(ToString(*GetParam().error)) : "none", " ");
  EXPECT_TRUE(absl::StartsWith(said, want)) << said;
  EXPECT_TRUE(absl::StrContains(said, GetParam().message)) << said;
}

int Tcp() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

INSTANTIATE_TEST_SUITE_P(
    Calls, ErrorTest,
    testing::Values(
        ErrorCase{"Ok", [] { return Tcp(); }, absl::StatusCode::kOk, std::nullopt, ""},
        ErrorCase{"Twice",
                  [] {
                    const int fd = Tcp();
                    EXPECT_TRUE(RequireIpsec(fd).ok());
                    return fd;
                  },
                  absl::StatusCode::kOk, std::nullopt, ""},
        ErrorCase{"Closed", [] { return 999; }, absl::StatusCode::kInvalidArgument,
                  PeerError::kNotSocket, "descriptor 999"},
        ErrorCase{"Negative", [] { return -1; }, absl::StatusCode::kInvalidArgument,
                  PeerError::kNotSocket, "descriptor -1"},
        ErrorCase{"File", [] { return open("/dev/null", O_RDONLY | O_CLOEXEC); },
                  absl::StatusCode::kInvalidArgument, PeerError::kNotSocket, "no open socket"},
        ErrorCase{"Unix", [] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); },
                  absl::StatusCode::kInvalidArgument, PeerError::kFamily, "neither of IPv4"},
        ErrorCase{"Raw", [] { return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP); },
                  absl::StatusCode::kInvalidArgument, PeerError::kType, "neither of TCP"},
        ErrorCase{"Bound",
                  [] {
                    const int fd = Tcp();
                    EXPECT_EQ(Call(bind, fd, "127.0.0.1", 0), 0);
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "before bind()"},
        ErrorCase{"BoundToAnAddressOnly",
                  [] {
                    const int fd = Tcp();
                    const int one = 1;
                    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
                    EXPECT_EQ(Call(bind, fd, "127.0.0.1", 0), 0);
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "before bind()"},
        ErrorCase{"Listening",
                  [] {
                    const int fd = Tcp();
                    EXPECT_EQ(listen(fd, 1), 0);
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "before bind()"},
        ErrorCase{"Connected",
                  [] {
                    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                    EXPECT_EQ(Call(connect, fd, "127.0.0.1", 7), 0);
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "before connect()"},
        ErrorCase{"BothFamilies",
                  [] {
                    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
                    const int zero = 0;
                    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "set IPV6_V6ONLY"},
        ErrorCase{"NoRight",
                  [] {
                    const int fd = Tcp();
                    peer_testing::Become(Identity{1234, 1234, {}});
                    return fd;
                  },
                  absl::StatusCode::kFailedPrecondition, std::nullopt, "CAP_NET_ADMIN"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
