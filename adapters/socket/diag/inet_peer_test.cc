// Who is at the other end of a TCP connection within this machine: real sockets, of processes of
// other users, in each state that they can be in. inet_stranger_test.cc has those who would pass
// for another.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using peer_testing::AwaitEvents;
using peer_testing::Become;
using peer_testing::Bind;
using peer_testing::Child;
using peer_testing::Connect;
using peer_testing::Eventually;
using peer_testing::InetAddress;
using peer_testing::InetPeerTest;
using peer_testing::Inode;
using peer_testing::kPlain;
using peer_testing::Loopback;
using peer_testing::MakeSocket;
using peer_testing::Network;
using peer_testing::ReceiveDescriptor;
using peer_testing::ResetOnClose;
using peer_testing::SendDescriptor;
using peer_testing::SetOption;
using peer_testing::TcpListener;
using peer_testing::TcpPeer;
using peer_testing::User;
using peer_testing::VerdictOf;

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, since Linux 5.6.

// ---- Which descriptors may be asked about. B20 of the address errors is in udp_peer_test.cc.

struct DescriptorCase {
  const char* name;
  // Makes it, and whatever else it puts into `others`, which are closed at the end; -1 with an
  // errno where there is no such thing.
  std::function<int(std::vector<int>* others)> make;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const DescriptorCase& c) { return os << c.name; }

std::function<int(std::vector<int>*)> SocketOf(int family, int type, int protocol) {
  return [=](auto*) { return socket(family, type | SOCK_CLOEXEC, protocol); };
}

const DescriptorCase kDescriptorCases[] = {
    {"Pipe",
     [](auto* others) {
       int ends[2];
       EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
       others->push_back(ends[1]);
       return ends[0];
     },
     "not_socket"},
    {"File", [](auto*) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }, "not_socket"},
    {"Path", [](auto*) { return open("/dev/null", O_PATH | O_CLOEXEC); }, "not_socket"},
    {"Netlink", SocketOf(AF_NETLINK, SOCK_RAW, 0), "family"},
    {"Packet", SocketOf(AF_PACKET, SOCK_DGRAM, 0), "family"},
    {"Vsock", SocketOf(AF_VSOCK, SOCK_STREAM, 0), "family"},
    {"UnixDatagram", SocketOf(AF_UNIX, SOCK_DGRAM, 0), "type"},
    {"Raw", SocketOf(AF_INET, SOCK_RAW, IPPROTO_ICMP), "type"},
    {"RawTcp", SocketOf(AF_INET, SOCK_RAW, IPPROTO_TCP), "type"},
    {"Raw6", SocketOf(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), "type"},
    {"Mptcp", SocketOf(AF_INET, SOCK_STREAM, kMptcp), "type"},
    {"Sctp", SocketOf(AF_INET, SOCK_STREAM, IPPROTO_SCTP), "type"},
    {"UdpLite", SocketOf(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), "type"},
    {"MptcpAccepted",
     [](std::vector<int>* others) {
       const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kMptcp);
       if (listener < 0) return -1;
       others->push_back(listener);
       Bind(listener, Loopback());
       EXPECT_EQ(listen(listener, 1), 0);
       const int client = MakeSocket(AF_INET, SOCK_STREAM, kMptcp);
       others->push_back(client);
       Connect(client, InetAddress::OfSocket(listener));
       return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
     },
     "type"},
    {"TcpUnconnected", SocketOf(AF_INET, SOCK_STREAM, 0), "not_connected"},
    {"Tcp6Unconnected", SocketOf(AF_INET6, SOCK_STREAM, 0), "not_connected"},
    {"TcpBound",
     [](auto*) {
       const int fd = MakeSocket(AF_INET, SOCK_STREAM);
       Bind(fd, Loopback());
       return fd;
     },
     "not_connected"},
    {"TcpListening",
     [](auto*) {
       TcpListener listener;
       return fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0);
     },
     "not_connected"},
    {"TcpRefused",
     [](auto*) {
       const int fd = MakeSocket(AF_INET, SOCK_STREAM);
       // A port that is bound and does not listen.
       const int other = MakeSocket(AF_INET, SOCK_STREAM);
       Bind(other, Loopback());
       const InetAddress address = InetAddress::OfSocket(other);
       EXPECT_EQ(connect(fd, address.get(), address.size), -1);
       close(other);
       return fd;
     },
     "not_connected"},
    // connect(2) of TCP does not mind to meet itself.
    {"TcpConnectedToItself",
     [](auto*) {
       const int fd = MakeSocket(AF_INET, SOCK_STREAM);
       Bind(fd, Loopback());
       Connect(fd, InetAddress::OfSocket(fd));
       return fd;
     },
     "no_token"},
    {"Tcp6ConnectedToItself",
     [](auto*) {
       const int fd = MakeSocket(AF_INET6, SOCK_STREAM);
       Bind(fd, InetAddress::Of("::1"));
       Connect(fd, InetAddress::OfSocket(fd));
       return fd;
     },
     "no_token"},
};

class DescriptorTest : public InetPeerTest, public ::testing::WithParamInterface<DescriptorCase> {};

TEST_P(DescriptorTest, IsRefused) {
  std::vector<int> others;
  const int fd = GetParam().make(&others);
  if (fd >= 0) {
    EXPECT_EQ(VerdictOf(fd), GetParam().want);
    close(fd);
  }
  for (const int other : others) close(other);
  if (fd < 0) GTEST_SKIP() << "this machine has no such socket: " << std::strerror(errno);
}

INSTANTIATE_TEST_SUITE_P(, DescriptorTest, ::testing::ValuesIn(kDescriptorCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(InetPeerTest, IsRefusedOfAClosedDescriptor) {
  const int fd = MakeSocket(AF_INET, SOCK_STREAM);
  close(fd);
  EXPECT_EQ(VerdictOf(fd), "not_socket");
  EXPECT_EQ(VerdictOf(-1), "not_socket");
}

TEST_F(InetPeerTest, IsRefusedOfAPingSocket) {
  REQUIRE_NETWORKS();
  Network network;
  const auto server = network.Start([](const Child::Pipes& pipes) {
    const int range = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
    if (range < 0 || write(range, "0 0", 3) != 3) return 1;
    const int fd = MakeSocket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    pipes.Say(VerdictOf(fd));
    return 0;
  });
  EXPECT_EQ(server->Hear(), "type");
}

// ---- What is told of an honest peer.

// The inode of the control group of the calling process in the hierarchy of version 2; 0 if that is
// not mounted.
ino_t OwnControlGroup() {
  std::string mount;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() > 2 && words[2] == "cgroup2") mount = words[1];
  }
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    struct stat file = {};
    if (absl::StartsWith(line, "0::") && !mount.empty() &&
        stat(absl::StrCat(mount, line.substr(3)).c_str(), &file) == 0) {
      return file.st_ino;
    }
  }
  return 0;
}

TEST_F(InetPeerTest, TellsEverythingOfAnHonestPeer) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234, nullptr, [](int fd, const auto& pipes) {
    pipes.Say(absl::StrCat(Inode(fd)));
    pipes.Say(absl::StrCat(InetAddress::OfSocket(fd).port()));
  });
  const int fd = listener.Accept();
  EXPECT_EQ(peer->Hear(), "connected");
  const std::string inode = peer->Hear();
  const std::string port = peer->Hear();
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
  ASSERT_TRUE(token.ok()) << token.status();

  const Principal& p = token->principal();
  EXPECT_EQ(ToString(p.id), "user:uid:1234");
  EXPECT_EQ(p.assurance, Assurance::kKernel);
  EXPECT_TRUE(p.groups.empty());
  EXPECT_FALSE(p.groups_complete);
  EXPECT_EQ(p.parents, std::vector<EntityId>{EntityId("uid", "1234")});
  EXPECT_EQ(p.attributes, (Attributes{{"uid", Value::Int(1234)}}));
  EXPECT_EQ(p.via, "tcp");
  utsname uts;
  ASSERT_EQ(uname(&uts), 0);
  EXPECT_EQ(p.host, uts.nodename);
  EXPECT_EQ(p.actor, "");
  const ino_t group = OwnControlGroup();
  EXPECT_EQ(p.evidence, absl::StrCat("uid=1234 inode=", inode,
                                     group == 0 ? std::string() : absl::StrCat(" cgroup=", group),
                                     " peer=127.0.0.1:", port, " groups=partial"));
  EXPECT_EQ(DefectOf(Request(p, "doc.read", {"doc", "1"})), "");

  EXPECT_EQ(token->user(), &p);
  EXPECT_EQ(token->host(), nullptr);
  EXPECT_EQ(token->uid(), 1234u);
  EXPECT_EQ(token->gid(), static_cast<gid_t>(-1));
  EXPECT_EQ(token->pid(), 0);
  EXPECT_EQ(token->pidfd(), -1);
  EXPECT_EQ(token->alive(), std::nullopt);
  EXPECT_FALSE(token->unix_identity().has_value());
  EXPECT_TRUE(token->secured());
  EXPECT_FALSE(token->encrypted());
  close(fd);
}

TEST_F(InetPeerTest, HasItsNameOfThisMachine) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const int client = MakeSocket(AF_INET, SOCK_STREAM);
  Connect(client, listener.address());
  const int fd = listener.Accept();
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(ToString(token->principal().id), "user:root");
  EXPECT_FALSE(token->principal().groups_complete);
  close(client);
  close(fd);
}

TEST_F(InetPeerTest, IsTheSameAtEachCall) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234);
  const int fd = listener.Accept();
  const std::string first = PeerToken::FromSocket(fd, kPlain)->principal().evidence;
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
    ASSERT_TRUE(token.ok()) << token.status();
    EXPECT_EQ(token->principal().evidence, first);
    EXPECT_EQ(token->uid(), 1234u);
  }
  // The address is ignored of a connection, whatever it is.
  const InetAddress other = InetAddress::Of("::1", 1);
  EXPECT_EQ(peer_testing::Verdict(PeerToken::FromSocket(fd, other.get(), other.size, kPlain)),
            User(1234));
  EXPECT_EQ(peer_testing::Verdict(PeerToken::FromSocket(fd, other.get(), 1, kPlain)), User(1234));
  close(fd);
}

TEST_F(InetPeerTest, IsNotAskedOfTheKernelIfNotWished) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234);
  const int fd = listener.Accept();
  PeerOptions options = kPlain;
  options.local_tcp = false;
  options.local_udp = true;  // Of no meaning here.
  EXPECT_EQ(VerdictOf(fd, options), "no_token");
  close(fd);
}

// ---- By which addresses it came.

struct AddressCase {
  const char* name;
  const char* listen;
  bool v6_only;         // Of the listener.
  const char* connect;  // The address to connect to, and of the client's socket.
  const char* from;     // The client's own, or none.
  const char* told;     // The peer's address in the evidence.
};
std::ostream& operator<<(std::ostream& os, const AddressCase& c) { return os << c.name; }

const AddressCase kAddressCases[] = {
    {"V4", "127.0.0.1", false, "127.0.0.1", nullptr, "127.0.0.1"},
    {"V4ListeningEverywhere", "0.0.0.0", false, "127.0.0.1", nullptr, "127.0.0.1"},
    {"V4OfAnotherLoopbackAddress", "127.0.0.1", false, "127.0.0.1", "127.8.9.10", "127.8.9.10"},
    {"V6", "::1", true, "::1", nullptr, "[::1]"},
    {"V6ListeningEverywhere", "::", true, "::1", nullptr, "[::1]"},
    {"V4ToADualListener", "::", false, "127.0.0.1", nullptr, "127.0.0.1"},
    {"V6ToADualListener", "::", false, "::1", nullptr, "[::1]"},
    {"MappedToADualListener", "::", false, "::ffff:127.0.0.1", nullptr, "127.0.0.1"},
    {"MappedToAV4Listener", "127.0.0.1", false, "::ffff:127.0.0.1", nullptr, "127.0.0.1"},
    {"MappedToAMappedListener", "::ffff:127.0.0.1", false, "::ffff:127.0.0.1", "::ffff:127.0.0.3",
     "127.0.0.3"},
    {"V4ToAMappedListener", "::ffff:127.0.0.1", false, "127.0.0.1", nullptr, "127.0.0.1"},
};

class AddressTest : public InetPeerTest, public ::testing::WithParamInterface<AddressCase> {};

TEST_P(AddressTest, IsFound) {
  REQUIRE_OTHER_USERS();
  const AddressCase& c = GetParam();
  TcpListener listener(InetAddress::Of(c.listen), [&](int fd) {
    if (InetAddress::OfSocket(fd).family() == AF_INET6) {
      SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, c.v6_only ? 1 : 0);
    }
  });
  const auto peer =
      TcpPeer(InetAddress::Of(c.connect, listener.address().port()), 1234, [&](int fd) {
        if (c.from != nullptr) Bind(fd, InetAddress::Of(c.from));
      });
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(1234, c.told));
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, AddressTest, ::testing::ValuesIn(kAddressCases),
                         [](const auto& info) { return info.param.name; });

// Whether a connection can be made from that address to itself.
bool IsReady(const InetAddress& address) {
  const int listener = MakeSocket(address.family(), SOCK_STREAM);
  const int client = MakeSocket(address.family(), SOCK_STREAM);
  bool ready = bind(listener, address.get(), address.size) == 0 && listen(listener, 1) == 0 &&
               bind(client, address.get(), address.size) == 0 &&
               peer_testing::BeginConnect(client, InetAddress::OfSocket(listener));
  pollfd poller = {client, POLLOUT, 0};
  ready = ready && poll(&poller, 1, 100) == 1 && (poller.revents & POLLERR) == 0;
  close(listener);
  close(client);
  return ready;
}

// Addresses of a device of this machine's, and not of its loopback: the peer is here nevertheless.
TEST_F(InetPeerTest, IsFoundByTheMachinesOwnAddresses) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  Network here;
  Network there;
  Network::Join(here, "eth0", "10.98.0.1/24", there, "eth0", "10.98.0.2/24");
  here.Run({"ip", "addr", "add", "fd00:98::1/64", "dev", "eth0", "nodad"});
  // Without the wait for duplicates (nodad) it may be used at once.
  here.Run({"ip", "addr", "add", "fe80::98/64", "dev", "eth0", "nodad"});
  for (const auto& [address, told] :
       {std::pair("10.98.0.1", "10.98.0.1"), std::pair("fd00:98::1", "[fd00:98::1]"),
        std::pair("fe80::98", "[fe80::98%I]")}) {
    const auto server = here.Start([&, address = address](const Child::Pipes& pipes) {
      const unsigned interface = if_nametoindex("eth0");
      // Its routes come and go while the device gets ready.
      if (!Eventually([&] { return IsReady(InetAddress::Of(address, 0, interface)); })) return 1;
      TcpListener listener(InetAddress::Of(address, 0, interface));
      const auto peer = TcpPeer(
          InetAddress::Of(address, listener.address().port(), interface), 1234,
          // A link-local address is one of several of the device, of which the kernel might choose.
          [&](int fd) { Bind(fd, InetAddress::Of(address, 0, interface)); });
      const int fd = listener.Accept();
      pipes.Say(absl::StrCat(interface));
      pipes.Say(VerdictOf(fd));
      return 0;
    });
    std::string want = told;
    const std::string interface = server->Hear();
    if (const size_t at = want.find('I'); at != std::string::npos) want.replace(at, 1, interface);
    EXPECT_EQ(server->Hear(), User(1234, want));
  }
}

// A client of MPTCP whose server has but TCP.
TEST_F(InetPeerTest, IsFoundIfItFellBackToTcp) {
  REQUIRE_OTHER_USERS();
  if (const int fd = socket(AF_INET, SOCK_STREAM, kMptcp); fd < 0) {
    GTEST_SKIP() << "needs a kernel with MPTCP";
  } else {
    close(fd);
  }
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    const int fd = MakeSocket(AF_INET, SOCK_STREAM, kMptcp);
    Connect(fd, listener.address());
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
}

// ---- In which state.

struct StateCase {
  const char* name;
  // What each end does, in this order; the server can wait for the peer.
  std::function<void(int fd, const Child::Pipes& pipes)> peer;
  bool peer_exits;
  std::function<void(int fd)> server;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const StateCase& c) { return os << c.name; }

void AwaitEnd(int fd) { AwaitEvents(fd, POLLRDHUP); }
void AwaitReset(int fd) { AwaitEvents(fd, POLLERR); }

// Ends this direction, after the other: waits until the peer's kernel has said that it knows.
void CloseLast(int fd) {
  shutdown(fd, SHUT_WR);
  for (int i = 0; i < 10000; ++i) {
    tcp_info info = {};
    socklen_t size = sizeof(info);
    ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    if (info.tcpi_state == TCP_CLOSE) return;
    poll(nullptr, 0, 1);
  }
  ADD_FAILURE() << "the connection does not end";
}

const StateCase kStateCases[] = {
    {"Connected", nullptr, false, nullptr, User(1234)},
    {"NonBlocking", [](int fd, const auto&) { fcntl(fd, F_SETFL, O_NONBLOCK); }, false,
     [](int fd) { fcntl(fd, F_SETFL, O_NONBLOCK); }, User(1234)},
    {"WithDataInFlight", [](int fd, const auto&) { EXPECT_EQ(write(fd, "hello", 5), 5); }, false,
     [](int fd) { AwaitEvents(fd, POLLIN); }, User(1234)},
    // It lives, and waits for an answer.
    {"PeerHalfClosed", [](int fd, const auto&) { shutdown(fd, SHUT_WR); }, false, AwaitEnd,
     User(1234)},
    {"PeerHalfClosedToRead", [](int fd, const auto&) { shutdown(fd, SHUT_RD); }, false, nullptr,
     User(1234)},
    // What remains of its socket is root's, says the kernel.
    {"PeerClosed", [](int fd, const auto&) { close(fd); }, false, AwaitEnd, "stale"},
    {"PeerExited", nullptr, true, AwaitEnd, "stale"},
    {"PeerHalfClosedAndExited", [](int fd, const auto&) { shutdown(fd, SHUT_WR); }, true, AwaitEnd,
     "stale"},
    {"PeerReset",
     [](int fd, const auto&) {
       ResetOnClose(fd);
       close(fd);
     },
     false, AwaitReset, "not_connected"},
    {"PeerExitedAndReset", [](int fd, const auto&) { ResetOnClose(fd); }, true, AwaitReset,
     "not_connected"},
    {"PeerDisconnected",
     [](int fd, const auto&) {
       const sockaddr nowhere = {AF_UNSPEC, {}};
       connect(fd, &nowhere, sizeof(nowhere));
     },
     false, AwaitReset, "not_connected"},
    {"ServerHalfClosed", nullptr, false, [](int fd) { shutdown(fd, SHUT_WR); }, "stale"},
    {"ServerHalfClosedToRead", nullptr, false, [](int fd) { shutdown(fd, SHUT_RD); }, User(1234)},
    {"BothHalfClosed", [](int fd, const auto&) { shutdown(fd, SHUT_WR); }, false,
     [](int fd) {
       AwaitEnd(fd);
       CloseLast(fd);
     },
     "not_connected"},
    {"PeerClosedAndServerHalfClosed", [](int fd, const auto&) { close(fd); }, false,
     [](int fd) {
       AwaitEnd(fd);
       CloseLast(fd);
     },
     "not_connected"},
    {"ServerDisconnected", nullptr, false,
     [](int fd) {
       const sockaddr nowhere = {AF_UNSPEC, {}};
       EXPECT_EQ(connect(fd, &nowhere, sizeof(nowhere)), 0);
     },
     "not_connected"},
};

class StateTest : public InetPeerTest, public ::testing::WithParamInterface<StateCase> {};

TEST_P(StateTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  const StateCase& c = GetParam();
  TcpListener listener;
  const auto peer =
      TcpPeer(listener.address(), 1234, nullptr, [&](int fd, const Child::Pipes& pipes) {
        if (c.peer != nullptr) c.peer(fd, pipes);
        pipes.Say("done");
      });
  const int fd = listener.Accept();
  EXPECT_EQ(peer->Hear(), "connected");
  EXPECT_EQ(peer->Hear(), "done");
  if (c.peer_exits) {
    EXPECT_EQ(peer->Wait(), 0);
  }
  if (c.server != nullptr) c.server(fd);
  EXPECT_EQ(VerdictOf(fd), c.want);
  // And again.
  EXPECT_EQ(VerdictOf(fd), c.want);
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, StateTest, ::testing::ValuesIn(kStateCases),
                         [](const auto& info) { return info.param.name; });

// ---- Whose a socket is: who made it.

TEST_F(InetPeerTest, IsWhoMadeTheSocketThoughItDroppedItsRights) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    const int fd = MakeSocket(AF_INET, SOCK_STREAM);
    Become({5555, 5555, {}});
    Connect(fd, listener.address());
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(0));
  close(fd);
}

TEST_F(InetPeerTest, IsWhoMadeTheSocketThoughItBecameRoot) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    if (seteuid(1234) != 0) return 1;
    const int fd = MakeSocket(AF_INET, SOCK_STREAM);
    if (seteuid(0) != 0) return 1;
    Connect(fd, listener.address());
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
}

TEST_F(InetPeerTest, IsWhomRootGaveTheSocketTo) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    const int fd = MakeSocket(AF_INET, SOCK_STREAM);
    if (fchown(fd, 2222, 2222) != 0) return 1;
    Become({5555, 5555, {}});
    // Who is not root can give nothing away, and take nothing.
    if (fchown(fd, 5555, 5555) == 0) return 1;
    const int own = MakeSocket(AF_INET, SOCK_STREAM);
    if (fchown(own, 0, 0) == 0) return 1;
    Connect(fd, listener.address());
    pipes.Say("connected");
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(peer.Hear(), "connected");
  EXPECT_EQ(VerdictOf(fd), User(2222));
  close(fd);
}

// The descriptor goes from 1234 to 2345, and 1234 exits.
TEST_F(InetPeerTest, IsWhoMadeTheSocketThoughAnotherHoldsIt) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  int over[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, over), 0);
  // The first, for it must not inherit the sign to leave that the other gets.
  Child heir([&](const Child::Pipes& pipes) {
    Become({2345, 2345, {}});
    const int fd = ReceiveDescriptor(over[1]);
    pipes.Say("received");
    if (!pipes.Await()) return 1;
    const bool sent = write(fd, "x", 1) == 1;
    pipes.Await();
    return sent ? 0 : 1;
  });
  const auto maker = TcpPeer(listener.address(), 1234, nullptr,
                             [&](int fd, const auto&) { SendDescriptor(over[0], fd); });
  const int fd = listener.Accept();
  EXPECT_EQ(heir.Hear(), "received");
  EXPECT_EQ(maker->Wait(), 0);
  heir.Go();
  AwaitEvents(fd, POLLIN);
  EXPECT_EQ(VerdictOf(fd), User(1234));
  EXPECT_EQ(heir.Wait(), 0);
  close(over[0]);
  close(over[1]);
  close(fd);
}

TEST_F(InetPeerTest, IsWhoConnectedThoughAChildHoldsTheSocket) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    Connect(MakeSocket(AF_INET, SOCK_STREAM), listener.address());
    if (const pid_t heir = fork(); heir != 0) return heir > 0 ? 0 : 1;
    pipes.Say("inherited");
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(peer.Hear(), "inherited");
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, peer.pid(), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
}

// The other way round: a client may ask who serves it. Whoever accepts a connection makes its
// socket; before, it is who listens.
TEST_F(InetPeerTest, IsWhoListensAndThenWhoAcceptedOfASocketThatConnected) {
  REQUIRE_OTHER_USERS();
  std::unique_ptr<TcpListener> listener;
  {
    // Who made it is its owner.
    ASSERT_EQ(seteuid(1234), 0);
    listener = std::make_unique<TcpListener>();
    ASSERT_EQ(seteuid(0), 0);
  }
  Child server([&](const Child::Pipes& pipes) {
    Become({4444, 4444, {}});
    pipes.Say("ready");
    if (!pipes.Await()) return 1;
    listener->Accept();
    pipes.Say("accepted");
    pipes.Await();
    return 0;
  });
  EXPECT_EQ(server.Hear(), "ready");
  const int fd = MakeSocket(AF_INET, SOCK_STREAM);
  Connect(fd, listener->address());
  // The kernel says of the connection itself that it is root's.
  EXPECT_EQ(VerdictOf(fd),
            absl::StrReplaceAll(User(1234), {{" groups", " socket=listening groups"}}));
  server.Go();
  EXPECT_EQ(server.Hear(), "accepted");
  EXPECT_EQ(VerdictOf(fd), User(4444));
  close(fd);
}

// Neither listened: both connected, at once. Whoever does so has the answer to his connect(2)
// dropped until the other's comes.
TEST_F(InetPeerTest, IsWhoMetTheConnectionHalfWay) {
  REQUIRE_OTHER_USERS();
  const int fd = MakeSocket(AF_INET, SOCK_STREAM);
  Bind(fd, Loopback());
  const InetAddress own = InetAddress::OfSocket(fd);
  Child peer([&](const Child::Pipes& pipes) {
    close(fd);
    // Not all kernels let every user attach a filter: so root does, to the socket of 1234.
    if (seteuid(1234) != 0) return 1;
    const int end = MakeSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    if (seteuid(0) != 0) return 1;
    Bind(end, Loopback());
    sock_filter drop_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    const sock_fprog program = {1, drop_all};
    if (setsockopt(end, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) return 1;
    if (connect(end, own.get(), own.size) == 0 || errno != EINPROGRESS) return 1;
    SetOption(end, SOL_SOCKET, SO_DETACH_FILTER, 0);
    pipes.Say(absl::StrCat(InetAddress::OfSocket(end).port()));
    AwaitEvents(end, POLLOUT);
    pipes.Say("connected");
    pipes.Await();
    return 0;
  });
  const uint16_t port = static_cast<uint16_t>(std::atoi(peer.Hear().c_str()));
  ASSERT_NE(port, 0);
  Connect(fd, Loopback().WithPort(port));
  EXPECT_EQ(peer.Hear(), "connected");
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
}

// ---- Who asks.

TEST_F(InetPeerTest, IsToldToAnyUser) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234);
  const int fd = listener.Accept();
  Child server([&](const Child::Pipes& pipes) {
    Become({4321, 4321, {}});
    pipes.Say(VerdictOf(fd));
    return 0;
  });
  EXPECT_EQ(server.Hear(), User(1234));
  close(fd);
}

// A server that hands its connections to another process.
TEST_F(InetPeerTest, IsToldOfADescriptorThatWasPassed) {
  REQUIRE_OTHER_USERS();
  int over[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, over), 0);
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234);
  Child acceptor([&](const Child::Pipes&) {
    Become({4321, 4321, {}});
    SendDescriptor(over[0], listener.Accept());
    return 0;
  });
  const int fd = ReceiveDescriptor(over[1]);
  EXPECT_EQ(acceptor.Wait(), 0);
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
  close(over[0]);
  close(over[1]);
}

// Parent and child ask at once, each about another peer. One socket to ask the kernel by, shared by
// fork(2), would give the one the answer to the other.
TEST_F(InetPeerTest, IsNotMixedUpBetweenParentAndChild) {
  REQUIRE_OTHER_USERS();
  constexpr int kCalls = 1000;
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), 1234);
  const int fd = listener.Accept();
  const auto other_peer = TcpPeer(listener.address(), 2345);
  const int other = listener.Accept();
  ASSERT_EQ(VerdictOf(fd), User(1234));
  // How many of the calls were right, and the first that was not.
  const auto ask = [](int socket, uid_t uid) {
    int right = 0;
    std::string wrong;
    for (int i = 0; i < kCalls; ++i) {
      const std::string verdict = VerdictOf(socket);
      if (verdict == User(uid)) {
        ++right;
      } else if (wrong.empty()) {
        wrong = verdict;
      }
    }
    return absl::StrCat(right, " ", wrong);
  };
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say("ready");
    if (!pipes.Await()) return 1;
    pipes.Say(ask(other, 2345));
    return 0;
  });
  EXPECT_EQ(child.Hear(), "ready");
  child.Go();
  EXPECT_EQ(ask(fd, 1234), absl::StrCat(kCalls, " "));
  EXPECT_EQ(child.Hear(), absl::StrCat(kCalls, " "));
  EXPECT_EQ(child.Wait(), 0);
  close(fd);
  close(other);
}

TEST_F(InetPeerTest, IsNotMixedUpBetweenThreads) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  std::vector<std::unique_ptr<Child>> peers;
  std::vector<int> fds;
  for (const uid_t uid : {1234, 2345, 3456, 4567}) {
    peers.push_back(TcpPeer(listener.address(), uid));
    fds.push_back(listener.Accept());
  }
  const std::vector<uid_t> uids = {1234, 2345, 3456, 4567};
  std::vector<int> right(fds.size(), 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < fds.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int call = 0; call < 500; ++call) {
        if (VerdictOf(fds[i]) == User(uids[i])) ++right[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(fds.size(), 500));
  for (const int fd : fds) close(fd);
  // Each has inherited the sign to leave of those before it.
  while (!peers.empty()) peers.pop_back();
}

TEST_F(InetPeerTest, IsRefusedWhenNoDescriptorIsLeft) {
  TcpListener listener;
  Child child([&](const Child::Pipes& pipes) {
    Connect(MakeSocket(AF_INET, SOCK_STREAM), listener.address());
    const int fd = listener.Accept();
    const rlimit limit = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    pipes.Say(VerdictOf(fd));
    return 0;
  });
  EXPECT_EQ(child.Hear(), "unavailable");
}

}  // namespace
}  // namespace reeve
