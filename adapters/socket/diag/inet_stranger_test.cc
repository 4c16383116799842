// Whom a peer of TCP is not: each way that is known to have the kernel's table of sockets answer
// with another socket than the one at the other end of the connection.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/diag/local_peer.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::AwaitEvents;
using peer_testing::Become;
using peer_testing::BeginConnect;
using peer_testing::Bind;
using peer_testing::Child;
using peer_testing::Connect;
using peer_testing::Eventually;
using peer_testing::InetAddress;
using peer_testing::InetPeerTest;
using peer_testing::kPlain;
using peer_testing::Loopback;
using peer_testing::MakeSocket;
using peer_testing::MakeSocketOf;
using peer_testing::Network;
using peer_testing::ReceiveDescriptor;
using peer_testing::ResetOnClose;
using peer_testing::SendDescriptor;
using peer_testing::SetOption;
using peer_testing::TcpListener;
using peer_testing::TcpPeer;
using peer_testing::User;
using peer_testing::VerdictOf;
using peer_testing::WriteIdMap;

// Acts after the ends of the connection were read and before the kernel is asked whose they are.
class Meddler final : public PeerSource {
 public:
  explicit Meddler(std::function<void()> act) : act_(std::move(act)) {}

  Mechanism mechanism() const override { return Mechanism::kOther; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer&) const override {
    act_();
    return absl::NotFoundError("knows nobody");
  }

 private:
  std::function<void()> act_;
};

// A socket of that user at `own`, which others may share.
int SharedSocketOf(uid_t uid, const InetAddress& own) {
  const int fd = MakeSocketOf(uid, own.family(), SOCK_STREAM);
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  Bind(fd, own);
  return fd;
}

// An accepted connection of 1234, all in this process.
struct Connection {
  explicit Connection(const InetAddress& own = Loopback(),
                      const std::function<void(int fd)>& prepare = nullptr) {
    client = MakeSocketOf(1234, own.family(), SOCK_STREAM);
    SetOption(client, SOL_SOCKET, SO_REUSEADDR, 1);
    if (prepare != nullptr) prepare(client);
    Bind(client, own);
    Connect(client, listener.address());
    from = InetAddress::OfSocket(client);
    to = listener.address();
    server = listener.Accept();
  }
  ~Connection() {
    CloseClient();
    close(server);
  }

  void CloseClient() {
    if (client >= 0) close(std::exchange(client, -1));
  }
  void ResetClient() {
    ResetOnClose(client);
    CloseClient();
    AwaitEvents(server, POLLERR);
  }
  // What a source would be told of it.
  SocketPeer Ends() const {
    SocketPeer ends;
    ends.fd = server;
    ends.family = AF_INET;
    ends.type = SOCK_STREAM;
    ends.local = *IpEndpoint::From(to.get(), to.size);
    ends.peer = *IpEndpoint::From(from.get(), from.size);
    ends.peer_is_local = true;
    return ends;
  }

  TcpListener listener;
  int client;
  int server;
  InetAddress from;
  InetAddress to;
};

std::string Found(const SocketPeer& ends) {
  const absl::StatusOr<socket_internal::LocalPeer> peer = socket_internal::FindTcpPeer(ends);
  if (peer.ok()) return absl::StrCat("uid ", peer->uid);
  return std::string(ToString(PeerErrorOf(peer.status()).value()));
}

// ---- Those who come later to the same ends.

TEST_F(InetPeerTest, IsNotRootWhoReusesTheEnds) {
  REQUIRE_OTHER_USERS();
  Connection c;
  EXPECT_EQ(VerdictOf(c.server), User(1234));
  const SocketPeer ends = c.Ends();
  EXPECT_EQ(Found(ends), "uid 1234");
  c.ResetClient();
  const int root = SharedSocketOf(0, c.from);
  Connect(root, c.to);
  const int later = c.listener.Accept();
  // They are the same ends, and another connection.
  EXPECT_EQ(VerdictOf(later), User(0));
  EXPECT_EQ(VerdictOf(c.server), "not_connected");
  EXPECT_EQ(Found(ends), "stale");
  close(root);
  close(later);
}

// The same, as late as can be.
TEST_F(InetPeerTest, IsNotRootWhoReusesTheEndsMeanwhile) {
  REQUIRE_OTHER_USERS();
  Connection c;
  int root = -1;
  const Meddler meddler([&] {
    c.ResetClient();
    root = SharedSocketOf(0, c.from);
    Connect(root, c.to);
  });
  PeerOptions options = kPlain;
  options.sources = {&meddler};
  EXPECT_EQ(VerdictOf(c.server, options), "stale");
  ASSERT_GE(root, 0);
  const int later = c.listener.Accept();
  EXPECT_EQ(VerdictOf(later), User(0));
  close(root);
  close(later);
}

// A peer that closed leaves a server that has not, and whose end the kernel keeps: who comes to its
// ends meets that, and resets it.
TEST_F(InetPeerTest, IsNotRootWhoComesToTheEndsOfAClosedPeer) {
  REQUIRE_OTHER_USERS();
  Connection c;
  // So that they are free after a second, not a minute.
  SetOption(c.client, IPPROTO_TCP, TCP_LINGER2, 1);
  c.CloseClient();
  AwaitEvents(c.server, POLLRDHUP);
  EXPECT_EQ(VerdictOf(c.server), "stale");
  int root = -1;
  ASSERT_TRUE(Eventually([&] {
    root = SharedSocketOf(0, c.from);
    if (BeginConnect(root, c.to)) return true;
    EXPECT_EQ(errno, EADDRNOTAVAIL);
    EXPECT_EQ(VerdictOf(c.server), "stale");
    close(std::exchange(root, -1));
    return false;
  }));
  const std::string verdict = VerdictOf(c.server);
  EXPECT_TRUE(verdict == "stale" || verdict == "not_connected") << verdict;
  // It tries again, and is let in by then.
  const int later = c.listener.Accept();
  EXPECT_EQ(VerdictOf(c.server), "not_connected");
  EXPECT_EQ(VerdictOf(later), User(0));
  close(root);
  close(later);
}

// Both ends closed: the kernel remembers them for a minute, as root's. A new connection may have
// them before.
TEST_F(InetPeerTest, IsNotWhoComesToTheEndsThatTheKernelRemembers) {
  REQUIRE_OTHER_USERS();
  Connection c;
  const SocketPeer ends = c.Ends();
  c.CloseClient();
  AwaitEvents(c.server, POLLRDHUP);
  ASSERT_EQ(shutdown(c.server, SHUT_WR), 0);
  EXPECT_EQ(VerdictOf(c.server), "not_connected");
  EXPECT_EQ(Found(ends), "stale");
}

// ---- Those who are at the same address at the same time.

void BindToLoopbackDevice(int fd) {
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
}

// The table has a socket that is bound to a device under another key than is asked by: where it
// finds none connected, it tells one that listens at that address.
TEST_F(InetPeerTest, IsNotWhoListensAtItsAddress) {
  REQUIRE_OTHER_USERS();
  for (const bool bound : {false, true}) {
    Connection c(Loopback(), bound ? BindToLoopbackDevice : nullptr);
    // Of a peer that is bound to a device nothing is known. No wrong user, though.
    EXPECT_EQ(VerdictOf(c.server), bound ? "no_token" : User(1234));
    const int root = SharedSocketOf(0, c.from);
    ASSERT_EQ(listen(root, 1), 0);
    EXPECT_EQ(VerdictOf(c.server), bound ? "stale" : User(1234));
    close(root);
  }
}

// And it lets another connect from the same ends.
TEST_F(InetPeerTest, IsNotWhoConnectsFromTheSameEndsByAnotherDevice) {
  REQUIRE_OTHER_USERS();
  Connection c(Loopback(), BindToLoopbackDevice);
  const int root = SharedSocketOf(0, c.from);
  const bool begun = BeginConnect(root, c.to);
  const std::string verdict = VerdictOf(c.server);
  EXPECT_TRUE(verdict == "stale" || verdict == "not_connected" || verdict == "no_token")
      << verdict << " " << begun;
  close(root);
}

// Such a one does not reset the connection if the kernel does not answer him, as it does not where
// many ask (tcp(7), challenge ACK); a filter stands for that here.
TEST_F(InetPeerTest, IsNotWhoIsYetToConnectFromTheSameEnds) {
  REQUIRE_OTHER_USERS();
  Connection c(Loopback(), BindToLoopbackDevice);
  sock_filter drop_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  const sock_fprog program = {1, drop_all};
  ASSERT_EQ(setsockopt(c.server, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
  const int root = SharedSocketOf(0, c.from);
  ASSERT_TRUE(BeginConnect(root, c.to));
  EXPECT_EQ(VerdictOf(c.server), "stale");
  close(root);
}

TEST_F(InetPeerTest, IsNotWhoCannotHaveItsEnds) {
  REQUIRE_OTHER_USERS();
  Connection c;
  const int root = SharedSocketOf(0, c.from);
  EXPECT_FALSE(BeginConnect(root, c.to));
  EXPECT_EQ(errno, EADDRNOTAVAIL);
  EXPECT_EQ(VerdictOf(c.server), User(1234));
  close(root);
}

void Repair(int fd) { SetOption(fd, IPPROTO_TCP, TCP_REPAIR, 1); }

// A peer can vanish without a word, if CAP_NET_ADMIN helps. The connection lasts on this side.
TEST_F(InetPeerTest, IsNotWhoTakesTheEndsOfAPeerThatVanished) {
  REQUIRE_OTHER_USERS();
  Connection c;
  Repair(c.client);
  c.CloseClient();
  EXPECT_EQ(VerdictOf(c.server), "no_token");
  const int root = SharedSocketOf(0, c.from);
  EXPECT_TRUE(BeginConnect(root, c.to));
  EXPECT_EQ(VerdictOf(c.server), "not_connected");
  close(root);
}

// As CRIU moves a process with its connections: who has CAP_NET_ADMIN can hand the other end over,
// and then it is another's. peer.h does not promise otherwise.
TEST_F(InetPeerTest, IsWhomAConnectionWasRestoredFor) {
  REQUIRE_OTHER_USERS();
  Connection c;
  Repair(c.client);
  c.CloseClient();
  c.client = MakeSocketOf(2222, AF_INET, SOCK_STREAM);
  Repair(c.client);
  Bind(c.client, c.from);
  Connect(c.client, c.to);
  EXPECT_EQ(VerdictOf(c.server), User(2222));
}

// ---- Those in other networks.

// Tells whether the peer was said to be of this machine.
class Observer final : public PeerSource {
 public:
  Mechanism mechanism() const override { return Mechanism::kOther; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer& peer) const override {
    seen = absl::StrCat(peer.peer.address.ToString(), " ", peer.peer_is_local ? "local" : "remote");
    return absl::NotFoundError("knows nobody");
  }

  mutable std::string seen;
};

// The peer, of uid 1234, is in another network; root here has a socket at its address.
struct SquatterCase {
  const char* name;
  std::function<int(const InetAddress& peer, const InetAddress& server)> squat;
};
std::ostream& operator<<(std::ostream& os, const SquatterCase& c) { return os << c.name; }

int Squat(int option, const InetAddress& peer) {
  const int fd = MakeSocket(AF_INET, SOCK_STREAM);
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(fd, IPPROTO_IP, option, 1);
  Bind(fd, peer);
  return fd;
}

const SquatterCase kSquatterCases[] = {
    {"None", [](const auto&, const auto&) { return -1; }},
    {"Listening",
     [](const auto& peer, const auto&) {
       const int fd = Squat(IP_FREEBIND, peer);
       return listen(fd, 1) == 0 ? fd : -2;
     }},
    {"ListeningTransparently",
     [](const auto& peer, const auto&) {
       const int fd = Squat(IP_TRANSPARENT, peer);
       return listen(fd, 1) == 0 ? fd : -2;
     }},
    {"Connecting",
     [](const auto& peer, const auto& server) {
       const int fd = Squat(IP_TRANSPARENT, peer);
       return BeginConnect(fd, server) ? fd : -2;
     }},
    // As if it were connected: with the very ends of the peer, and in the right state.
    {"Restored",
     [](const auto& peer, const auto& server) {
       const int fd = Squat(IP_TRANSPARENT, peer);
       Repair(fd);
       Connect(fd, server);
       return fd;
     }},
};

class SquatterTest : public InetPeerTest, public ::testing::WithParamInterface<SquatterCase> {};

TEST_P(SquatterTest, IsNotTaken) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  Network here;
  Network there;
  Network::Join(here, "eth0", "10.98.0.1/24", there, "eth0", "10.98.0.2/24");
  const auto server = here.Start([&](const Child::Pipes& pipes) {
    TcpListener listener(InetAddress::Of("10.98.0.1"));
    pipes.Say(absl::StrCat(listener.address().port()));
    const int fd = listener.Accept();
    InetAddress from;
    from.size = sizeof(from.storage);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&from.storage), &from.size) != 0) return 1;
    if (GetParam().squat(from, listener.address()) == -2) return 1;
    const Observer observer;
    PeerOptions options = kPlain;
    options.sources = {&observer};
    pipes.Say(VerdictOf(fd, options));
    pipes.Say(observer.seen);
    return 0;
  });
  const uint16_t port = static_cast<uint16_t>(std::atoi(server->Hear().c_str()));
  const auto client = there.Start([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    Connect(MakeSocket(AF_INET, SOCK_STREAM), InetAddress::Of("10.98.0.1", port));
    pipes.Await();
    return 0;
  });
  EXPECT_EQ(server->Hear(), "no_token");
  EXPECT_EQ(server->Hear(), "10.98.0.2 remote");
}

INSTANTIATE_TEST_SUITE_P(, SquatterTest, ::testing::ValuesIn(kSquatterCases),
                         [](const auto& info) { return info.param.name; });

// The same ends exist here, as root's, and there, as those of 1234 (B5).
TEST_F(InetPeerTest, IsNotWhoHasTheSameEndsInAnotherNetwork) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  TcpListener listener;
  const int own = MakeSocket(AF_INET, SOCK_STREAM);
  Bind(own, Loopback());
  Connect(own, listener.address());
  const int own_server = listener.Accept();
  int over[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, over), 0);

  Network network;
  const auto other = network.Start([&](const Child::Pipes& pipes) {
    TcpListener there(listener.address());
    const int client = MakeSocketOf(1234, AF_INET, SOCK_STREAM);
    Bind(client, InetAddress::OfSocket(own));
    Connect(client, there.address());
    const int fd = there.Accept();
    SendDescriptor(over[0], fd);
    SendDescriptor(over[0], there.fd());
    pipes.Say(VerdictOf(fd));
    // And the other way round.
    pipes.Say(VerdictOf(own_server));
    pipes.Await();
    return 0;
  });
  const int fd = ReceiveDescriptor(over[1]);
  const int listener_there = ReceiveDescriptor(over[1]);
  EXPECT_EQ(other->Hear(), User(1234));
  EXPECT_EQ(other->Hear(), "wrong_namespace");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(VerdictOf(own_server), User(0));
    EXPECT_EQ(VerdictOf(fd), "wrong_namespace");
  }

  // A thread that goes there is told who it is; and back here, again, who is here.
  Child traveller([&](const Child::Pipes& pipes) {
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    pipes.Say(VerdictOf(own_server));
    network.Enter(false);
    pipes.Say(VerdictOf(fd));
    pipes.Say(VerdictOf(own_server));
    if (setns(home, CLONE_NEWNET) != 0) return 1;
    pipes.Say(VerdictOf(own_server));
    pipes.Say(VerdictOf(fd));
    return 0;
  });
  EXPECT_EQ(traveller.Hear(), User(0));
  EXPECT_EQ(traveller.Hear(), User(1234));
  EXPECT_EQ(traveller.Hear(), "wrong_namespace");
  EXPECT_EQ(traveller.Hear(), User(0));
  EXPECT_EQ(traveller.Hear(), "wrong_namespace");

  // What a listening socket of there accepts here is of there.
  Child connector([&](const Child::Pipes& pipes) {
    network.Enter(false);
    Become({1234, 2345, {}});
    Connect(MakeSocket(AF_INET, SOCK_STREAM), listener.address());
    pipes.Await();
    return 0;
  });
  const int accepted = accept4(listener_there, nullptr, nullptr, SOCK_CLOEXEC);
  ASSERT_GE(accepted, 0);
  EXPECT_EQ(VerdictOf(accepted), "wrong_namespace");
  for (const int descriptor : {fd, listener_there, accepted, own, own_server, over[0], over[1]}) {
    close(descriptor);
  }
}

// A socket belongs to the network in which it was made, wherever its holder is.
TEST_F(InetPeerTest, IsWhoMadeTheSocketHereAndWentElsewhere) {
  REQUIRE_OTHER_USERS();
  REQUIRE_NETWORKS();
  Network network;
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    const int fd = MakeSocketOf(1234, AF_INET, SOCK_STREAM);
    network.Enter(false);
    Become({2345, 2345, {}});
    Connect(fd, listener.address());
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(1234));
  close(fd);
}

// ---- Those of other user namespaces (B6).

struct UserNamespaceCase {
  const char* name;
  const char* map;  // Of the server's user namespace; none if it is this one.
  uid_t peer;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const UserNamespaceCase& c) { return os << c.name; }

const UserNamespaceCase kUserNamespaceCases[] = {
    {"Mapped", "0 0 10000", 1234, User(1234)},
    {"MappedToAnother", "0 1000 1000", 1234, User(234)},
    {"Unmapped", "0 0 1000", 1234, "unmapped"},
    {"RootUnmapped", "0 1000 1000", 0, "unmapped"},
    {"RootInside", "0 1234 1", 1234, User(0)},
    // 65534 is refused also where it is a user of its own, as in Debian.
    {"Nobody", nullptr, 65534, "unmapped"},
    {"NobodyMapped", "0 0 70000", 65534, "unmapped"},
};

class UserNamespaceTest
    : public InetPeerTest,
      public ::testing::WithParamInterface<std::tuple<UserNamespaceCase, bool>> {};

TEST_P(UserNamespaceTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  const auto& [c, asked_before] = GetParam();
  TcpListener listener;
  const auto peer = TcpPeer(listener.address(), c.peer);
  const int fd = listener.Accept();
  Child server([&, &c = c, asked_before = asked_before](const Child::Pipes& pipes) {
    // What the thread keeps, to ask by, is of the namespace in which it was opened.
    if (asked_before) VerdictOf(fd);
    if (c.map != nullptr && unshare(CLONE_NEWUSER) != 0) {
      pipes.Say("skip");
      return 0;
    }
    pipes.Say("unshared");
    if (!pipes.Await()) return 1;
    pipes.Say(VerdictOf(fd));
    return 0;
  });
  if (server.Hear() == "skip") {
    close(fd);
    GTEST_SKIP() << "cannot make a user namespace";
  }
  if (c.map != nullptr) WriteIdMap(server.pid(), "uid_map", c.map);
  server.Go();
  EXPECT_EQ(server.Hear(), c.want);
  EXPECT_EQ(server.Wait(), 0);
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, UserNamespaceTest,
                         ::testing::Combine(::testing::ValuesIn(kUserNamespaceCases),
                                            ::testing::Bool()),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param).name,
                                               std::get<1>(info.param) ? "AskedBefore" : "");
                         });

// A user who is root in a namespace of his own is still himself.
TEST_F(InetPeerTest, IsItsRealUserThoughRootInItsNamespace) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({7777, 7778, {}});
    if (unshare(CLONE_NEWUSER) != 0) {
      pipes.Say("skip");
      return 0;
    }
    WriteIdMap(getpid(), "uid_map", "0 7777 1");
    if (getuid() != 0) return 1;
    const int fd = MakeSocket(AF_INET, SOCK_STREAM);
    // Nor can he give his socket to the machine's root.
    if (fchown(fd, 0, 0) == 0) pipes.Say("gave it to himself");
    Connect(fd, listener.address());
    pipes.Say("connected");
    pipes.Await();
    return 0;
  });
  std::string heard = peer.Hear();
  if (heard == "skip") GTEST_SKIP() << "cannot make a user namespace";
  if (heard == "gave it to himself") heard = peer.Hear();
  EXPECT_EQ(heard, "connected");
  const int fd = listener.Accept();
  EXPECT_EQ(VerdictOf(fd), User(7777));
  close(fd);
}

// As in a container: user, pid and network namespaces of their own, for server and clients. What is
// said outside of a descriptor from inside is nothing.
TEST_F(InetPeerTest, IsToldInAContainer) {
  REQUIRE_OTHER_USERS();
  int over[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, over), 0);
  Child container([&](const Child::Pipes& pipes) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET) != 0) {
      pipes.Say("skip");
      return 0;
    }
    pipes.Say("unshared");
    if (!pipes.Await()) return 1;
    const pid_t init = fork();
    if (init == 0) {
      if (setresuid(0, 0, 0) != 0) _exit(1);
      ifreq request = {};
      std::strcpy(request.ifr_name, "lo");
      request.ifr_flags = IFF_UP;
      if (ioctl(MakeSocket(AF_INET, SOCK_DGRAM), SIOCSIFFLAGS, &request) != 0) _exit(2);
      TcpListener listener;
      for (const uid_t uid : {0, 1000}) {
        const int client = MakeSocketOf(uid, AF_INET, SOCK_STREAM);
        Connect(client, listener.address());
        const int fd = listener.Accept();
        pipes.Say(VerdictOf(fd));
        SendDescriptor(over[0], fd);
      }
      pipes.Await();
      _exit(0);
    }
    int status = 0;
    return waitpid(init, &status, 0) == init && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  });
  if (container.Hear() == "skip") {
    close(over[0]);
    close(over[1]);
    GTEST_SKIP() << "cannot make such namespaces";
  }
  WriteIdMap(container.pid(), "uid_map", "0 100000 65536");
  WriteIdMap(container.pid(), "gid_map", "0 100000 65536");
  container.Go();
  for (const uid_t uid : {0, 1000}) {
    EXPECT_EQ(container.Hear(), User(uid));
    const int fd = ReceiveDescriptor(over[1]);
    EXPECT_EQ(VerdictOf(fd), "wrong_namespace");
    close(fd);
  }
  EXPECT_EQ(container.Wait(), 0);
  close(over[0]);
  close(over[1]);
}

}  // namespace
}  // namespace reeve
