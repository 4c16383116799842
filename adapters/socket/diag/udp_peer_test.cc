// Who owns the UDP socket that a datagram says it came from: what is told, what is refused, and why
// it is no more than a hint.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace {

using peer_testing::Become;
using peer_testing::Bind;
using peer_testing::Child;
using peer_testing::Connect;
using peer_testing::InetAddress;
using peer_testing::InetPeerTest;
using peer_testing::kPlain;
using peer_testing::Loopback;
using peer_testing::MakeSocket;
using peer_testing::MakeSocketOf;
using peer_testing::Network;
using peer_testing::ReceiveFrom;
using peer_testing::SendTo;
using peer_testing::SetOption;
using peer_testing::Verdict;
using peer_testing::VerdictOf;
using peer_testing::WeakUser;

PeerOptions AskingUdp() {
  PeerOptions options = kPlain;
  options.local_udp = true;
  return options;
}

std::string VerdictOfSender(int fd, const InetAddress& from) {
  return Verdict(PeerToken::FromSocket(fd, from.get(), from.size, AskingUdp()));
}

int BoundOf(uid_t uid, const InetAddress& own) {
  const int fd = MakeSocketOf(uid, own.family(), SOCK_DGRAM);
  Bind(fd, own);
  return fd;
}

// ---- The address that the caller gives (B20).

struct GivenCase {
  const char* name;
  int family;  // Of the socket.
  int given;   // The family of the address; -1 for none.
  int size;    // Told of it.
  PeerError want;
  absl::StatusCode code;
};
std::ostream& operator<<(std::ostream& os, const GivenCase& c) { return os << c.name; }

constexpr int kSize4 = sizeof(sockaddr_in);
constexpr int kSize6 = sizeof(sockaddr_in6);
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

const GivenCase kGivenCases[] = {
    {"Null", AF_INET, -1, 0, PeerError::kAddressMissing, kInvalid},
    {"NullWithASize", AF_INET, -1, kSize4, PeerError::kAddressMissing, kInvalid},
    {"Null6", AF_INET6, -1, 0, PeerError::kAddressMissing, kInvalid},
    {"Empty", AF_INET, AF_INET, 0, PeerError::kAddressShort, kInvalid},
    {"OneByte", AF_INET, AF_INET, 1, PeerError::kAddressShort, kInvalid},
    {"FamilyOnly", AF_INET, AF_INET, 2, PeerError::kAddressShort, kInvalid},
    {"OneByteLess", AF_INET, AF_INET, kSize4 - 1, PeerError::kAddressShort, kInvalid},
    {"OneByteLess6", AF_INET6, AF_INET6, kSize6 - 1, PeerError::kAddressShort, kInvalid},
    // As RFC 2133 had it: the kernel would take that.
    {"WithoutAScope", AF_INET6, AF_INET6, kSize6 - 4, PeerError::kAddressShort, kInvalid},
    {"V6OfAV4Socket", AF_INET, AF_INET6, kSize6, PeerError::kAddressFamily, kInvalid},
    {"V4OfAV6Socket", AF_INET6, AF_INET, kSize4, PeerError::kAddressFamily, kInvalid},
    {"ShortV4OfAV6Socket", AF_INET6, AF_INET, 2, PeerError::kAddressFamily, kInvalid},
    {"Unix", AF_INET, AF_UNIX, sizeof(sockaddr_storage), PeerError::kAddressFamily, kInvalid},
    {"Unspecified", AF_INET, AF_UNSPEC, kSize4, PeerError::kAddressFamily, kInvalid},
    // Right, and nobody is there.
    {"Nobody", AF_INET, AF_INET, kSize4, PeerError::kNoToken, absl::StatusCode::kUnauthenticated},
    {"Nobody6", AF_INET6, AF_INET6, kSize6, PeerError::kNoToken,
     absl::StatusCode::kUnauthenticated},
    {"NobodyWithRoomToSpare", AF_INET, AF_INET, sizeof(sockaddr_storage), PeerError::kNoToken,
     absl::StatusCode::kUnauthenticated},
};

class GivenTest : public InetPeerTest, public ::testing::WithParamInterface<GivenCase> {};

TEST_P(GivenTest, IsRefused) {
  const GivenCase& c = GetParam();
  const int fd = MakeSocket(c.family, SOCK_DGRAM);
  Bind(fd, InetAddress::Of(c.family == AF_INET ? "127.0.0.1" : "::1"));
  // A port that no socket has.
  const int taken = MakeSocket(c.family, SOCK_DGRAM);
  Bind(taken, InetAddress::OfSocket(fd).WithPort(0));
  InetAddress given = InetAddress::OfSocket(taken);
  close(taken);
  given.storage.ss_family = static_cast<sa_family_t>(c.given);
  // Of that size and no more, so that a look beyond it is seen.
  const std::unique_ptr<char[]> exact(new char[c.size > 0 ? c.size : 1]);
  std::memcpy(exact.get(), &given.storage, c.size);
  const auto* const address =
      c.given == -1 ? nullptr : reinterpret_cast<const sockaddr*>(exact.get());
  const absl::StatusOr<PeerToken> token =
      PeerToken::FromSocket(fd, address, static_cast<socklen_t>(c.size), AskingUdp());
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(PeerErrorOf(token.status()), c.want) << token.status();
  EXPECT_EQ(token.status().code(), c.code);
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, GivenTest, ::testing::ValuesIn(kGivenCases),
                         [](const auto& info) { return info.param.name; });

// ---- Who is told.

struct SenderCase {
  const char* name;
  const char* server;
  const char* sender;  // Bound to it; none if it is not bound before it sends.
  bool connected;      // The sender's socket.
  const char* told;    // The address in the evidence.
};
std::ostream& operator<<(std::ostream& os, const SenderCase& c) { return os << c.name; }

const SenderCase kSenderCases[] = {
    {"Bound", "127.0.0.1", "127.0.0.1", false, "127.0.0.1"},
    {"BoundToAnother", "127.0.0.1", "127.8.9.10", false, "127.8.9.10"},
    {"BoundToNone", "127.0.0.1", "0.0.0.0", false, "127.0.0.1"},
    {"Unbound", "127.0.0.1", nullptr, false, "127.0.0.1"},
    {"Connected", "127.0.0.1", nullptr, true, "127.0.0.1"},
    {"BoundAndConnected", "127.0.0.1", "127.0.0.9", true, "127.0.0.9"},
    {"V6", "::1", "::1", false, "[::1]"},
    {"V6BoundToNone", "::1", "::", false, "[::1]"},
    {"V6Connected", "::1", nullptr, true, "[::1]"},
    {"Mapped", "127.0.0.1", "::ffff:127.0.0.1", false, "127.0.0.1"},
    {"DualBoundToNone", "127.0.0.1", "::", false, "127.0.0.1"},
    {"ToAMappedServer", "::ffff:127.0.0.1", "127.0.0.1", false, "127.0.0.1"},
    {"MappedToAMappedServer", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true, "127.0.0.1"},
};

class SenderTest : public InetPeerTest, public ::testing::WithParamInterface<SenderCase> {};

TEST_P(SenderTest, IsFound) {
  REQUIRE_OTHER_USERS();
  const SenderCase& c = GetParam();
  const int server = MakeSocket(InetAddress::Of(c.server).family(), SOCK_DGRAM);
  Bind(server, InetAddress::Of(c.server));
  InetAddress to = InetAddress::OfSocket(server);
  Child sender([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    const int family = InetAddress::Of(c.sender != nullptr ? c.sender : c.server).family();
    const int fd = MakeSocket(family, SOCK_DGRAM);
    if (c.sender != nullptr) Bind(fd, InetAddress::Of(c.sender));
    if (family != to.family()) {
      to = InetAddress::Of(family == AF_INET ? "127.0.0.1" : "::ffff:127.0.0.1", to.port());
    }
    if (c.connected) Connect(fd, to);
    SendTo(fd, "hello", to);
    pipes.Await();
    return 0;
  });
  std::string data;
  const InetAddress from = ReceiveFrom(server, &data);
  EXPECT_EQ(data, "hello");
  EXPECT_EQ(Verdict(PeerToken::FromSocket(server, from.get(), from.size, kPlain)), "no_token");
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(1234, c.told));
  // And it is gone.
  EXPECT_EQ(sender.Wait(), 0);
  EXPECT_EQ(VerdictOfSender(server, from), "no_token");
  close(server);
}

INSTANTIATE_TEST_SUITE_P(, SenderTest, ::testing::ValuesIn(kSenderCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(InetPeerTest, TellsLittleOfASender) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int sender = BoundOf(1234, Loopback());
  const InetAddress from = InetAddress::OfSocket(sender);
  const absl::StatusOr<PeerToken> token =
      PeerToken::FromSocket(server, from.get(), from.size, AskingUdp());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->principal().assurance, Assurance::kKernelWeak);
  EXPECT_EQ(token->principal().via, "udp");
  EXPECT_FALSE(token->principal().groups_complete);
  EXPECT_EQ(token->uid(), 1234u);
  EXPECT_EQ(token->pid(), 0);
  EXPECT_EQ(token->pidfd(), -1);
  EXPECT_EQ(token->alive(), std::nullopt);
  close(server);
  close(sender);
}

// A connected socket has one peer, so that none needs to be told; and another that is told means
// nothing.
TEST_F(InetPeerTest, IsTheOneOfAConnectedSocket) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int peer = BoundOf(1234, Loopback());
  const int other = BoundOf(2345, Loopback());
  Connect(server, InetAddress::OfSocket(peer));
  EXPECT_EQ(VerdictOf(server, AskingUdp()), WeakUser(1234));
  EXPECT_EQ(VerdictOfSender(server, InetAddress::OfSocket(other)), WeakUser(1234));
  EXPECT_EQ(VerdictOf(server), "no_token");
  close(peer);
  EXPECT_EQ(VerdictOf(server, AskingUdp()), "no_token");
  close(server);
  close(other);
}

// ---- Who is refused.

// Such a socket does not tell to which address a datagram came, and so not who of several sent it.
TEST_F(InetPeerTest, IsUnprovedIfTheServerIsBoundToNoAddress) {
  REQUIRE_OTHER_USERS();
  for (const char* const nowhere : {"0.0.0.0", "::"}) {
    const int server = BoundOf(0, InetAddress::Of(nowhere));
    const bool v6 = InetAddress::OfSocket(server).family() == AF_INET6;
    const int sender = BoundOf(1234, InetAddress::Of(v6 ? "::1" : "127.0.0.1"));
    EXPECT_EQ(VerdictOfSender(server, InetAddress::OfSocket(sender)), "unproved") << nowhere;
    close(server);
    close(sender);
  }
}

TEST_F(InetPeerTest, IsNotTheServerItself) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  EXPECT_EQ(VerdictOfSender(server, InetAddress::OfSocket(server)), "no_token");
  // Nor by its port at an address that it does not have.
  EXPECT_EQ(
      VerdictOfSender(server, InetAddress::Of("127.0.0.2", InetAddress::OfSocket(server).port())),
      "no_token");
  Connect(server, InetAddress::OfSocket(server));
  EXPECT_EQ(VerdictOf(server, AskingUdp()), "no_token");
  close(server);
}

// What is connected to another cannot have sent this.
TEST_F(InetPeerTest, IsNotWhoIsConnectedElsewhere) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int elsewhere = BoundOf(0, Loopback());
  const int sender = BoundOf(1234, Loopback());
  Connect(sender, InetAddress::OfSocket(elsewhere));
  EXPECT_EQ(VerdictOfSender(server, InetAddress::OfSocket(sender)), "no_token");
  for (const int fd : {server, elsewhere, sender}) close(fd);
}

TEST_F(InetPeerTest, IsNotAUserThatIsNotMapped) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int sender = BoundOf(65534, Loopback());
  EXPECT_EQ(VerdictOfSender(server, InetAddress::OfSocket(sender)), "unmapped");
  close(server);
  close(sender);
}

TEST_F(InetPeerTest, IsNotASenderOfAnotherNetwork) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  const int server = BoundOf(0, Loopback());
  const int sender = BoundOf(1234, Loopback());
  const InetAddress from = InetAddress::OfSocket(sender);
  Network network;
  const auto other = network.Start([&](const Child::Pipes& pipes) {
    // The same address there is root's.
    BoundOf(0, from);
    pipes.Say(VerdictOfSender(server, from));
    const int own = BoundOf(0, Loopback());
    pipes.Say(VerdictOfSender(own, from));
    return 0;
  });
  EXPECT_EQ(other->Hear(), "wrong_namespace");
  EXPECT_EQ(other->Hear(), WeakUser(0));
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(1234));
  close(server);
  close(sender);
}

// Root here binds the address and port of a sender that is elsewhere: IP_FREEBIND needs no right.
TEST_F(InetPeerTest, IsNotWhoBindsTheAddressOfARemoteSender) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  Network here;
  Network there;
  Network::Join(here, "eth0", "10.98.0.1/24", there, "eth0", "10.98.0.2/24");
  for (const bool connected : {false, true}) {
    const auto server = here.Start([&](const Child::Pipes& pipes) {
      const int fd = BoundOf(0, InetAddress::Of("10.98.0.1"));
      pipes.Say(absl::StrCat(InetAddress::OfSocket(fd).port()));
      const InetAddress from = ReceiveFrom(fd);
      const int squatter = MakeSocketOf(1234, AF_INET, SOCK_DGRAM);
      SetOption(squatter, IPPROTO_IP, IP_FREEBIND, 1);
      Bind(squatter, from);
      if (connected) Connect(fd, from);
      pipes.Say(VerdictOfSender(fd, from));
      return 0;
    });
    const auto port = static_cast<uint16_t>(std::atoi(server->Hear().c_str()));
    EXPECT_EQ(there.Do([&] {
      SendTo(MakeSocket(AF_INET, SOCK_DGRAM), "hello", InetAddress::Of("10.98.0.1", port));
      return 0;
    }),
              0);
    EXPECT_EQ(server->Hear(), "no_token") << connected;
  }
}

// ---- Why it is weak: what a UDP sender's user is not.

TEST_F(InetPeerTest, IsWhoHasThePortByThenAndIsWeak) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int sender = BoundOf(1234, Loopback());
  SendTo(sender, "hello", InetAddress::OfSocket(server));
  const InetAddress from = ReceiveFrom(server);
  close(sender);
  EXPECT_EQ(VerdictOfSender(server, from), "no_token");
  const int root = BoundOf(0, from);
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(0));
  close(root);
  // Even at every address.
  const int everywhere = BoundOf(2345, InetAddress::Of("0.0.0.0", from.port()));
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(2345));
  close(everywhere);
  close(server);
}

// SO_REUSEADDR lets two users have one port: which of them is told is not who sent.
TEST_F(InetPeerTest, IsTheLastOfTwoWhoShareAPortAndIsWeak) {
  REQUIRE_OTHER_USERS();
  const int server = BoundOf(0, Loopback());
  const int first = MakeSocketOf(1234, AF_INET, SOCK_DGRAM);
  const int second = MakeSocketOf(2345, AF_INET, SOCK_DGRAM);
  SetOption(first, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(second, SOL_SOCKET, SO_REUSEADDR, 1);
  Bind(first, Loopback());
  Bind(second, InetAddress::OfSocket(first));
  SendTo(first, "from 1234", InetAddress::OfSocket(server));
  std::string data;
  const InetAddress from = ReceiveFrom(server, &data);
  EXPECT_EQ(data, "from 1234");
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(2345));
  // One that is connected to the server is the better match.
  Connect(first, InetAddress::OfSocket(server));
  EXPECT_EQ(VerdictOfSender(server, from), WeakUser(1234));
  for (const int fd : {server, first, second}) close(fd);
}

uint16_t ChecksumOf(const void* data, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; i += 2) {
    uint16_t word;
    std::memcpy(&word, static_cast<const char*>(data) + i, 2);
    sum += word;
  }
  while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Who may open raw sockets sends in the name of 1234, who sent nothing.
TEST_F(InetPeerTest, IsWhomARawSocketNamesAndIsWeak) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  Network network;
  const auto child = network.Start([](const Child::Pipes& pipes) {
    const int server = BoundOf(0, Loopback());
    const int victim = BoundOf(1234, Loopback());
    struct {
      iphdr ip;
      udphdr udp;
      char data[6];
    } packet = {};
    static_assert(sizeof(packet) == 34 || sizeof(packet) == 36);
    constexpr size_t kSize = sizeof(iphdr) + sizeof(udphdr) + 6;
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_UDP;
    packet.ip.tot_len = htons(kSize);
    packet.ip.saddr = packet.ip.daddr = htonl(INADDR_LOOPBACK);
    packet.ip.check = ChecksumOf(&packet.ip, sizeof(packet.ip));
    packet.udp.source = htons(InetAddress::OfSocket(victim).port());
    packet.udp.dest = htons(InetAddress::OfSocket(server).port());
    packet.udp.len = htons(sizeof(udphdr) + 6);  // No checksum: 0.
    std::memcpy(packet.data, "forged", 6);
    const int raw = MakeSocketOf(0, AF_INET, SOCK_RAW, IPPROTO_RAW);
    SendTo(raw, std::string(reinterpret_cast<char*>(&packet), kSize), Loopback());
    std::string data;
    const InetAddress from = ReceiveFrom(server, &data);
    pipes.Say(data);
    pipes.Say(VerdictOfSender(server, from));
    return 0;
  });
  EXPECT_EQ(child->Hear(), "forged");
  EXPECT_EQ(child->Hear(), WeakUser(1234));
}

}  // namespace
}  // namespace reeve
