// WireguardPeers and RequireDevice() with wireguard-go, between network namespaces: a server, and
// two peers, each of which has an Ethernet to the server and a tunnel over it.
#include "reeve/adapters/socket/wireguard/wireguard_peers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/wireguard/require_device.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::Daemon;
using peer_testing::Eventually;
using peer_testing::Network;
using peer_testing::TempDirectory;

constexpr char kKey[] = "jNQKmw+IF4llmxOlGRPGQV3wFwCTJfXn6dEW2V3RDRQ=";

TEST(WireguardPeersOptionsTest, AreChecked) {
  struct Case {
    const char* name;
    void (*spoil)(WireguardPeersOptions*);
    const char* want;
  };
  const Case cases[] = {
      {"NoDevice", [](auto* o) { o->devices.clear(); }, "no device is named"},
      {"EmptyDevice", [](auto* o) { o->devices.push_back(""); }, "cannot be the name of a device"},
      {"DeviceIsAPath", [](auto* o) { o->devices = {"../wg0"}; }, "`../wg0` cannot be the name"},
      {"KeyIsNone",
       [](auto* o) {
         o->names = {{"wg0", "a"}};
       },
       "`wg0` is not a public key"},
      {"NameIsEmpty",
       [](auto* o) {
         o->names = {{kKey, ""}};
       },
       "cannot be the name of a host"},
      {"NameHasAColon",
       [](auto* o) {
         o->names = {{kKey, "wg:a"}};
       },
       "it has a colon"},
      {"NameHasAControlCharacter",
       [](auto* o) {
         o->names = {{kKey, "a\n"}};
       },
       "cannot be the name of a host"},
      {"RelativeDirectory", [](auto* o) { o->run_directory = "run"; }, "absolute path"},
      {"NoTime", [](auto* o) { o->deadline = absl::ZeroDuration(); }, "deadline"},
      {"AllTime", [](auto* o) { o->deadline = absl::InfiniteDuration(); }, "deadline"},
  };
  WireguardPeersOptions good;
  good.devices = {"wg0"};
  good.names = {{kKey, "laptop-7.example.com"}};
  ASSERT_TRUE(WireguardPeers::Create(good).ok());
  EXPECT_EQ((*WireguardPeers::Create(good))->mechanism(), PeerSource::Mechanism::kWireguard);
  for (const Case& c : cases) {
    WireguardPeersOptions options = good;
    c.spoil(&options);
    const auto created = WireguardPeers::Create(options);
    EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument) << c.name;
    EXPECT_NE(created.status().message().find(c.want), absl::string_view::npos)
        << c.name << ": " << created.status();
  }
}

std::string KindOf(const absl::Status& status) {
  const std::optional<PeerError> error = PeerErrorOf(status);
  return error.has_value() ? std::string(ToString(*error))
                           : absl::StatusCodeToString(status.code());
}

// "host:ada crypto wireguard encrypted", or "unproved", with how long it took if that is much.
std::string TextOf(const absl::StatusOr<PeerToken>& token) {
  if (!token.ok()) return KindOf(token.status());
  const Principal& principal = token->principal();
  return absl::StrCat(
      ToString(principal.id), " ",
      absl::string_view(ToString(principal.assurance).data(), ToString(principal.assurance).size()),
      " ", principal.via, token->encrypted() ? " encrypted" : "",
      token->secured() ? "" : " unsecured");
}

sockaddr_storage AddressOf(const std::string& text, uint16_t port, socklen_t* size) {
  sockaddr_storage storage = {};
  if (text.find(':') == std::string::npos) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &in->sin_addr);
    *size = sizeof(*in);
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    inet_pton(AF_INET6, text.c_str(), &in->sin6_addr);
    *size = sizeof(*in);
  }
  return storage;
}

struct Peer {
  explicit Peer(const std::string& name) : name(name) {}

  std::string name;
  Network network;
  std::unique_ptr<Daemon> daemon;
  std::string key;
  std::string private_key_file;
  std::string ethernet;  // Its address.
};

// The three of them. Ada has 10.9.0.2 and fd09::2, Bob 10.9.0.3 and fd09::3, the server the ones.
class WireguardTest : public testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_NETWORKS();
    REQUIRE_PROGRAM("wireguard-go", "wireguard-go");
    REQUIRE_PROGRAM("wg", "wireguard-tools");
    REQUIRE_PROGRAM("ip", "iproute2");
    if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
    server_ = std::make_unique<Peer>("server");
    ada_ = std::make_unique<Peer>("ada");
    bob_ = std::make_unique<Peer>("bob");
    Network::Join(server_->network, "eth1", "10.98.1.1/24", ada_->network, "eth0", "10.98.1.2/24");
    Network::Join(server_->network, "eth2", "10.98.2.1/24", bob_->network, "eth0", "10.98.2.2/24");
    for (Peer* peer : {server_.get(), ada_.get(), bob_.get()}) {
      peer->private_key_file = files_ / (peer->name + ".key");
      peer->key = NewKey(peer->private_key_file);
      Start(peer);
    }
    ASSERT_NO_FATAL_FAILURE(ConfigureServer());
    ada_->network.Run({"wg", "set", "wg0", "private-key", ada_->private_key_file, "peer",
                       server_->key, "allowed-ips", "10.9.0.1/32,fd09::1/128", "endpoint",
                       "10.98.1.1:51820"});
    bob_->network.Run({"wg", "set", "wg0", "private-key", bob_->private_key_file, "peer",
                       server_->key, "allowed-ips", "10.9.0.1/32,fd09::1/128", "endpoint",
                       "10.98.2.1:51820"});
    Up(*ada_, "2");
    Up(*bob_, "3");
    ASSERT_FALSE(HasFailure());
  }

  // A new private key in `file`; returns the public one.
  std::string NewKey(const std::string& file) {
    const std::string key(absl::StripSuffix(server_->network.Run({"wg", "genkey"}), "\n"));
    std::ofstream(file) << key << "\n";
    return std::string(absl::StripSuffix(
        server_->network.Run({"sh", "-c", absl::StrCat("wg pubkey < ", file)}), "\n"));
  }

  void Start(Peer* peer) {
    peer->daemon = std::make_unique<Daemon>(peer->network,
                                            std::vector<std::string>{"wireguard-go", "-f", "wg0"},
                                            files_ / (peer->name + ".log"));
    ASSERT_TRUE(Eventually([&] {
      int status;
      peer->network.Try({"wg", "show", "wg0"}, &status);
      return status == 0;
    })) << peer->name;
  }

  static void Up(const Peer& peer, const std::string& number) {
    peer.network.Run({"ip", "addr", "add", absl::StrCat("10.9.0.", number, "/24"), "dev", "wg0"});
    peer.network.Run(
        {"ip", "addr", "add", absl::StrCat("fd09::", number, "/64"), "dev", "wg0", "nodad"});
    peer.network.Run({"ip", "link", "set", "wg0", "up"});
  }

  void ConfigureServer() {
    server_->network.Run({"wg", "set", "wg0", "listen-port", "51820", "private-key",
                          server_->private_key_file, "peer", ada_->key, "allowed-ips",
                          "10.9.0.2/32,fd09::2/128", "peer", bob_->key, "allowed-ips",
                          "10.9.0.3/32,fd09::3/128"});
    Up(*server_, "1");
  }

  WireguardPeersOptions Options() const {
    WireguardPeersOptions options;
    options.devices = {"wg0"};
    options.names = {{ada_->key, "ada.example.com"}};
    return options;
  }

  std::string AdaHost() const { return "host:ada.example.com crypto wireguard encrypted"; }
  std::string BobHost() const {
    return absl::StrCat("host:wg:", bob_->key, " crypto wireguard encrypted");
  }

  // A process of the server's network that listens, says its port, accepts a connection and says
  // who its peer is; and again for each Go(). With the run directory of the server's program.
  std::unique_ptr<Child> Serve(int family, bool bound, bool evidence = false) const {
    const WireguardPeersOptions wireguard_options = Options();
    return server_->network.Start(
        [=](const Child::Pipes& pipes) {
          const auto wireguard = WireguardPeers::Create(wireguard_options);
          PeerOptions options;
          options.sources = {wireguard->get()};
          const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
          if (bound) {
            const absl::Status status = RequireDevice(listener, "wg0");
            if (!status.ok()) {
              pipes.Say(status.ToString());
              return 1;
            }
          }
          if (listen(listener, 5) != 0) return 2;
          sockaddr_in6 own;
          socklen_t size = sizeof(own);
          if (getsockname(listener, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 3;
          pipes.Say(std::to_string(ntohs(own.sin6_port)));
          pollfd pollers[] = {{listener, POLLIN, 0}, {pipes.in, POLLIN, 0}};
          if (poll(pollers, 2, -1) < 1 || pollers[0].revents == 0) return 0;
          const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
          do {
            const auto start = std::chrono::steady_clock::now();
            const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, options);
            const bool late = std::chrono::steady_clock::now() - start > std::chrono::seconds(3);
            pipes.Say(
                absl::StrCat(evidence && token.ok() ? token->principal().evidence : TextOf(token),
                             late ? " late" : ""));
          } while (pipes.Await());
          return 0;
        },
        true);
  }

  // A process that connects to the server from `source`, if that is not empty, and says whether it
  // is: "connected" or an errno. It stays connected until its end.
  static std::unique_ptr<Child> Connect(const Network& network, const std::string& source,
                                        const std::string& target, const std::string& port) {
    return network.Start([=](const Child::Pipes& pipes) {
      socklen_t size;
      const sockaddr_storage to = AddressOf(target, static_cast<uint16_t>(std::stoi(port)), &size);
      const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (!source.empty()) {
        socklen_t from_size;
        const sockaddr_storage from = AddressOf(source, 0, &from_size);
        if (bind(fd, reinterpret_cast<const sockaddr*>(&from), from_size) != 0) return 1;
      }
      int error = connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0 ? 0 : errno;
      if (error == EINPROGRESS) {
        pollfd poller = {fd, POLLOUT, 0};
        socklen_t error_size = sizeof(error);
        if (poll(&poller, 1, 20000) != 1) {
          error = ETIMEDOUT;
        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) {
          return 2;
        }
      }
      pipes.Say(error == 0 ? "connected" : std::strerror(error));
      pipes.Await();
      return 0;
    });
  }

  // Who the server says a peer is that connects through the tunnel.
  std::string Identified(const Peer& peer, int family = AF_INET, bool bound = true) {
    const auto server = Serve(family, bound);
    const std::string port = server->Hear();
    const auto client = Connect(peer.network, "", family == AF_INET ? "10.9.0.1" : "fd09::1", port);
    if (const std::string said = client->Hear(); said != "connected") return said;
    return server->Hear();
  }

  // Returns when each of its threads has stopped.
  static void Stop(const Daemon& daemon) {
    daemon.Signal(SIGSTOP);
    int status = 0;
    ASSERT_EQ(waitpid(daemon.pid(), &status, WUNTRACED), daemon.pid());
    ASSERT_TRUE(WIFSTOPPED(status));
  }

  TempDirectory files_;
  std::unique_ptr<Peer> server_;
  std::unique_ptr<Peer> ada_;
  std::unique_ptr<Peer> bob_;
};

TEST_F(WireguardTest, PeersAreTheirKeys) {
  EXPECT_EQ(Identified(*ada_), AdaHost());
  EXPECT_EQ(Identified(*bob_), BobHost());
  EXPECT_EQ(Identified(*ada_, AF_INET6), AdaHost());
  EXPECT_EQ(Identified(*bob_, AF_INET6), BobHost());
}

// An IPv4 peer of a socket for both.
TEST_F(WireguardTest, MappedAddressesAreThoseOfIpv4) {
  const auto server = Serve(AF_INET6, true);
  const auto client = Connect(ada_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), AdaHost());
}

TEST_F(WireguardTest, LinkLocalPeersToo) {
  ada_->network.Run({"ip", "addr", "add", "fe80::2/64", "dev", "wg0", "nodad"});
  server_->network.Run({"ip", "addr", "add", "fe80::1/64", "dev", "wg0", "nodad"});
  ada_->network.Run({"wg", "set", "wg0", "peer", server_->key, "allowed-ips",
                     "10.9.0.1/32,fd09::1/128,fe80::1/128"});
  server_->network.Run({"wg", "set", "wg0", "peer", ada_->key, "allowed-ips",
                        "10.9.0.2/32,fd09::2/128,fe80::2/128"});
  const auto server = Serve(AF_INET6, true);
  const std::string port = server->Hear();
  const auto client = ada_->network.Start([&port](const Child::Pipes& pipes) {
    socklen_t size;
    sockaddr_storage to = AddressOf("fe80::1", static_cast<uint16_t>(std::stoi(port)), &size);
    reinterpret_cast<sockaddr_in6*>(&to)->sin6_scope_id = if_nametoindex("wg0");
    sockaddr_storage from = AddressOf("fe80::2", 0, &size);
    reinterpret_cast<sockaddr_in6*>(&from)->sin6_scope_id = if_nametoindex("wg0");
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, reinterpret_cast<sockaddr*>(&from), size) != 0) return 1;
    pipes.Say(connect(fd, reinterpret_cast<sockaddr*>(&to), size) == 0 ? "connected"
                                                                       : std::strerror(errno));
    pipes.Await();
    return 0;
  });
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), AdaHost());
}

TEST_F(WireguardTest, LinkLocalPeersOfOtherDevicesAreOthers) {
  server_->network.Run({"wg", "set", "wg0", "peer", ada_->key, "allowed-ips", "fe80::2/128"});
  const WireguardPeersOptions options = Options();
  const auto child = server_->network.Start(
      [&options](const Child::Pipes& pipes) {
        const auto wireguard = WireguardPeers::Create(options);
        for (const char* bound : {"", "wg0"}) {
          for (const char* device : {"wg0", "eth1"}) {
            SocketPeer peer;
            peer.family = AF_INET6;
            peer.type = SOCK_STREAM;
            peer.peer.address = *IpAddress::Parse("fe80::2");
            peer.peer.address.scope = if_nametoindex(device);
            peer.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (setsockopt(peer.fd, SOL_SOCKET, SO_BINDTODEVICE, bound,
                           static_cast<socklen_t>(std::strlen(bound) + 1)) != 0) {
              return 1;
            }
            const absl::Status status = (*wireguard)->Identify(peer).status();
            pipes.Say(KindOf(status) + ": " + std::string(status.message()));
          }
        }
        return 0;
      },
      true);
  EXPECT_EQ(child->Hear().substr(0, 31), "unproved: a peer of `wg0` may s");
  EXPECT_EQ(child->Hear().substr(0, 10), "NOT_FOUND:");
  EXPECT_EQ(child->Hear().substr(0, 31), "unproved: the peer of `wg0` tha");  // No handshake.
  EXPECT_EQ(child->Hear().substr(0, 31), "unproved: no peer of `wg0` may ");
}

TEST_F(WireguardTest, TheRecordSaysWhy) {
  const auto server = Serve(AF_INET, true, true);
  const auto client = Connect(ada_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  const std::string evidence = server->Hear();
  const std::string want =
      absl::StrCat("device=wg0 key=", ada_->key, " allowed-ip=10.9.0.2/32 handshake=");
  ASSERT_EQ(evidence.substr(0, want.size()), want);
  EXPECT_GT(std::stoll(evidence.substr(want.size())), 1000000000);
}

TEST_F(WireguardTest, AMovedAddressIsTheNextCallsPeer) {
  ASSERT_EQ(Identified(*bob_), BobHost());  // So that Bob has had a handshake.
  const auto server = Serve(AF_INET, true);
  const auto client = Connect(ada_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), AdaHost());
  server_->network.Run(
      {"wg", "set", "wg0", "peer", bob_->key, "allowed-ips", "10.9.0.3/32,10.9.0.2/32"});
  server->Go();
  EXPECT_EQ(server->Hear(), BobHost());
  // A shorter prefix of somebody else's is no reason.
  server_->network.Run({"wg", "set", "wg0", "peer", ada_->key, "allowed-ips", "10.9.0.0/24"});
  server->Go();
  EXPECT_EQ(server->Hear(), BobHost());
  // To one who has never been there.
  const std::string newcomer = NewKey(files_ / "new.key");
  server_->network.Run({"wg", "set", "wg0", "peer", newcomer, "allowed-ips", "10.9.0.2/32"});
  server->Go();
  EXPECT_EQ(server->Hear(), "unproved");
  // To nobody.
  server_->network.Run({"wg", "set", "wg0", "peer", ada_->key, "remove"});
  server_->network.Run({"wg", "set", "wg0", "peer", bob_->key, "allowed-ips", "10.9.0.3/32"});
  server_->network.Run({"wg", "set", "wg0", "peer", newcomer, "remove"});
  server->Go();
  EXPECT_EQ(server->Hear(), "unproved");
  // And back.
  server_->network.Run(
      {"wg", "set", "wg0", "peer", bob_->key, "allowed-ips", "10.9.0.3/32,10.9.0.2/32"});
  server->Go();
  EXPECT_EQ(server->Hear(), BobHost());
}

TEST_F(WireguardTest, AnUnboundSocketProvesNothing) {
  EXPECT_EQ(Identified(*ada_, AF_INET, false), "unproved");
  EXPECT_EQ(Identified(*ada_, AF_INET6, false), "unproved");
  // Nor has it to do with peers of other addresses.
  const auto server = Serve(AF_INET, false);
  const auto client = Connect(ada_->network, "", "10.98.1.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), "no_token");
}

// Ada takes Bob's address and sends in clear text; and the server has been made to answer there.
TEST_F(WireguardTest, ClearTextIsNobody) {
  ASSERT_EQ(Identified(*bob_), BobHost());
  ada_->network.Run({"ip", "addr", "add", "10.9.0.3/32", "dev", "eth0"});
  ada_->network.Run({"ip", "route", "add", "10.9.0.1/32", "via", "10.98.1.1", "dev", "eth0"});
  server_->network.Run({"ip", "route", "add", "10.9.0.3/32", "via", "10.98.1.2", "dev", "eth1"});
  for (const char* target : {"10.98.1.1", "10.9.0.1"}) {
    SCOPED_TRACE(target);
    const auto plain = Serve(AF_INET, false);
    const auto client = Connect(ada_->network, "10.9.0.3", target, plain->Hear());
    EXPECT_EQ(client->Hear(), "connected");
    EXPECT_EQ(plain->Hear(), "unproved");

    const auto bound = Serve(AF_INET, true);
    const auto refused = Connect(ada_->network, "10.9.0.3", target, bound->Hear());
    EXPECT_EQ(refused->Hear(), std::strerror(ECONNREFUSED));
  }
}

// A process of the server's network with a datagram socket: it says its port, and who sent each
// datagram, with its text.
std::unique_ptr<Child> ServeDatagrams(const Network& network,
                                      const WireguardPeersOptions& wireguard, bool bound) {
  return network.Start(
      [=](const Child::Pipes& pipes) {
        const auto source = WireguardPeers::Create(wireguard);
        PeerOptions options;
        options.sources = {source->get()};
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (bound && !RequireDevice(fd, "wg0").ok()) return 1;
        socklen_t size;
        sockaddr_storage own = AddressOf("0.0.0.0", 0, &size);
        if (bind(fd, reinterpret_cast<sockaddr*>(&own), size) != 0) return 2;
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 3;
        pipes.Say(std::to_string(ntohs(reinterpret_cast<sockaddr_in*>(&own)->sin_port)));
        pollfd pollers[] = {{fd, POLLIN, 0}, {pipes.in, POLLIN, 0}};
        while (poll(pollers, 2, -1) > 0 && pollers[0].revents != 0) {
          char text[100];
          sockaddr_storage from;
          size = sizeof(from);
          const ssize_t length =
              recvfrom(fd, text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&from), &size);
          if (length < 0) return 4;
          pipes.Say(absl::StrCat(absl::string_view(text, static_cast<size_t>(length)), " of ",
                                 TextOf(PeerToken::FromSocket(
                                     fd, reinterpret_cast<sockaddr*>(&from), size, options))));
        }
        return 0;
      },
      true);
}

// Sends a datagram, as root may with any source.
int SendRaw(const std::string& source, const std::string& target, uint16_t port,
            const std::string& text) {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  struct {
    iphdr ip;
    udphdr udp;
    char text[32];
  } packet = {};
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_UDP;
  inet_pton(AF_INET, source.c_str(), &packet.ip.saddr);
  inet_pton(AF_INET, target.c_str(), &packet.ip.daddr);
  packet.udp.source = htons(4000);
  packet.udp.dest = htons(port);
  packet.udp.len = htons(static_cast<uint16_t>(sizeof(udphdr) + text.size()));
  text.copy(packet.text, sizeof(packet.text));
  socklen_t size;
  const sockaddr_storage to = AddressOf(target, 0, &size);
  return sendto(fd, &packet, sizeof(iphdr) + sizeof(udphdr) + text.size(), 0,
                reinterpret_cast<const sockaddr*>(&to), size) > 0
             ? 0
             : 1;
}

int SendFrom(const std::string& source, const std::string& target, uint16_t port,
             const std::string& text) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t size;
  const sockaddr_storage from = AddressOf(source, 0, &size);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&from), size) != 0) return 1;
  const sockaddr_storage to = AddressOf(target, port, &size);
  return sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), size) ==
                 static_cast<ssize_t>(text.size())
             ? 0
             : 2;
}

TEST_F(WireguardTest, DatagramsToo) {
  const auto bound = ServeDatagrams(server_->network, Options(), true);
  const auto bound_port = static_cast<uint16_t>(std::stoi(bound->Hear()));
  const auto plain = ServeDatagrams(server_->network, Options(), false);
  const auto plain_port = static_cast<uint16_t>(std::stoi(plain->Hear()));
  const auto send = [&](const Peer& peer, const char* source, const char* target, uint16_t port,
                        const char* text) {
    EXPECT_EQ(peer.network.Do([&] { return SendFrom(source, target, port, text); }), 0) << text;
  };
  send(*ada_, "10.9.0.2", "10.9.0.1", bound_port, "first");
  EXPECT_EQ(bound->Hear(), "first of " + AdaHost());
  send(*bob_, "10.9.0.3", "10.9.0.1", bound_port, "second");
  EXPECT_EQ(bound->Hear(), "second of " + BobHost());
  // Clear text of Bob's address, by Ada's Ethernet, that arrives where it may.
  ada_->network.Run({"ip", "addr", "add", "10.9.0.3/32", "dev", "eth0"});
  ada_->network.Run({"ip", "route", "add", "10.9.0.1/32", "via", "10.98.1.1", "dev", "eth0"});
  send(*ada_, "10.9.0.3", "10.98.1.1", plain_port, "third");
  EXPECT_EQ(plain->Hear(), "third of unproved");
  send(*ada_, "10.9.0.3", "10.9.0.1", plain_port, "fourth");
  EXPECT_EQ(plain->Hear(), "fourth of unproved");
  // And to the socket that is bound to the device: the next that arrives is Bob's.
  send(*ada_, "10.9.0.3", "10.98.1.1", bound_port, "fifth");
  send(*ada_, "10.9.0.3", "10.9.0.1", bound_port, "sixth");
  // So that they have been there.
  send(*ada_, "10.9.0.3", "10.98.1.1", plain_port, "seventh");
  EXPECT_EQ(plain->Hear(), "seventh of unproved");
  send(*bob_, "10.9.0.3", "10.9.0.1", bound_port, "eighth");
  EXPECT_EQ(bound->Hear(), "eighth of " + BobHost());
}

// What wireguard_peers.h says of who may send raw packets on this machine.
TEST_F(WireguardTest, RawPacketsOnThisMachineCountAsReceivedByTheDevice) {
  ASSERT_EQ(Identified(*bob_), BobHost());
  const auto bound = ServeDatagrams(server_->network, Options(), true);
  const auto port = static_cast<uint16_t>(std::stoi(bound->Hear()));
  EXPECT_EQ(server_->network.Do([&] { return SendRaw("10.9.0.3", "10.9.0.1", port, "raw"); }), 0);
  EXPECT_EQ(bound->Hear(), "raw of " + BobHost());
}

TEST_F(WireguardTest, PeersOfThisMachineAreNotItsConcern) {
  const auto server = Serve(AF_INET, true);
  const auto client = Connect(server_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), "user:root kernel tcp");
}

TEST_F(WireguardTest, AProgramThatHangsOrEndsIsNoToken) {
  const auto server = Serve(AF_INET, true);
  const auto client = Connect(ada_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), AdaHost());
  Stop(*server_->daemon);
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
  server_->daemon->Signal(SIGCONT);
  server->Go();
  EXPECT_EQ(server->Hear(), AdaHost());
  server_->daemon.reset();
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
  // A device of the same name is not the one that the socket is bound to.
  Start(server_.get());
  ConfigureServer();
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
  // Bob, for Ada would go on for seconds with the keys of the program that ended.
  EXPECT_EQ(Identified(*bob_), BobHost());
}

TEST_F(WireguardTest, AnUnboundSocketOfADeviceThatCannotBeAskedIsNoToken) {
  const auto server = Serve(AF_INET, false);
  const auto client = Connect(bob_->network, "", "10.98.2.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), "no_token");
  Stop(*server_->daemon);
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
  server_->daemon.reset();
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
}

TEST_F(WireguardTest, ASocketThatOthersControlIsNotBelieved) {
  const std::string path = "/run/wireguard/wg0.sock";
  const auto server = Serve(AF_INET, true);
  const auto client = Connect(ada_->network, "", "10.9.0.1", server->Hear());
  EXPECT_EQ(client->Hear(), "connected");
  EXPECT_EQ(server->Hear(), AdaHost());
  server_->network.Run({"chmod", "01777", "/run/wireguard"});
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
  server_->network.Run({"chmod", "0755", "/run/wireguard"});
  server->Go();
  EXPECT_EQ(server->Hear(), AdaHost());
  // wireguard-go may end of that. uapi_test.cc has the other cases.
  server_->network.Run({"chmod", "0702", path});
  server->Go();
  EXPECT_EQ(server->Hear(), "unavailable");
}

// wireguard-go as it starts by itself: the process that made the socket has exited.
TEST_F(WireguardTest, AProgramInTheBackground) {
  server_->network.Run({"ip", "link", "set", "wg0", "down"});
  server_->daemon.reset();
  server_->network.Run({"sh", "-c", "exec wireguard-go wg0 </dev/null >/dev/null 2>&1"});
  ConfigureServer();
  EXPECT_EQ(Identified(*ada_), AdaHost());
  // It ends when its socket is removed.
  server_->network.Run({"rm", "/run/wireguard/wg0.sock"});
  EXPECT_TRUE(Eventually([this] {
    int status;
    server_->network.Try({"ip", "link", "show", "wg0"}, &status);
    return status != 0;
  }));
}

// A TUN device of the name `wg0` in this process's network, for as long as the descriptor is open.
int MakeTun(int flags) {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request = {};
  std::strcpy(request.ifr_name, "wg0");
  request.ifr_flags = static_cast<short>(IFF_NO_PI | flags);
  return ioctl(fd, TUNSETIFF, &request) == 0 ? fd : -1;
}

// The run directory is that of the server's program, and the network another, in which `wg0` is a
// device of some other program.
TEST_F(WireguardTest, AProgramOfAnotherNetworkIsNotAsked) {
  const auto child = server_->network.Start(
      [](const Child::Pipes& pipes) {
        if (unshare(CLONE_NEWNET) != 0 || MakeTun(IFF_TUN) < 0) return 1;
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pipes.Say(KindOf(RequireDevice(fd, "wg0")));
        SocketPeer peer;
        peer.family = AF_INET;
        peer.type = SOCK_STREAM;
        peer.peer.address = *IpAddress::Parse("10.9.0.2");
        WireguardPeersOptions options;
        options.devices = {"wg0"};
        const auto wireguard = WireguardPeers::Create(options);
        const int index = static_cast<int>(if_nametoindex("wg0"));
        for (const bool bound : {false, true}) {
          peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
          if (bound &&
              setsockopt(peer.fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) != 0) {
            return 2;
          }
          pipes.Say(KindOf((*wireguard)->Identify(peer).status()));
        }
        return 0;
      },
      true);
  EXPECT_EQ(child->Hear(), "wrong_namespace");
  EXPECT_EQ(child->Hear(), "wrong_namespace");
  EXPECT_EQ(child->Hear(), "wrong_namespace");
}

// A socket of the server's network, and a thread of another.
TEST_F(WireguardTest, AThreadOfAnotherNetworkCannotAsk) {
  const auto child = server_->network.Start(
      [](const Child::Pipes& pipes) {
        SocketPeer peer;
        peer.family = AF_INET;
        peer.type = SOCK_STREAM;
        peer.peer.address = *IpAddress::Parse("10.9.0.2");
        peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int unbound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        WireguardPeersOptions options;
        options.devices = {"wg0"};
        const auto wireguard = WireguardPeers::Create(options);
        if (setsockopt(peer.fd, SOL_SOCKET, SO_BINDTODEVICE, "wg0", 4) != 0) return 1;
        if (unshare(CLONE_NEWNET) != 0) return 2;
        pipes.Say(KindOf((*wireguard)->Identify(peer).status()));
        peer.fd = unbound;
        pipes.Say(KindOf((*wireguard)->Identify(peer).status()));
        pipes.Say(KindOf(RequireDevice(unbound, "wg0")));
        return 0;
      },
      true);
  EXPECT_EQ(child->Hear(), "wrong_namespace");
  EXPECT_EQ(child->Hear(), "wrong_namespace");
  EXPECT_EQ(child->Hear(), "wrong_namespace");
}

TEST_F(WireguardTest, RequireDeviceBindsOnlyWhatIsNew) {
  const auto child = server_->network.Start(
      [](const Child::Pipes& pipes) {
        const auto say = [&pipes](int fd, const std::string& device) {
          const absl::Status status = RequireDevice(fd, device);
          char name[IFNAMSIZ] = "";
          socklen_t size = sizeof(name);
          getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size);
          pipes.Say(absl::StrCat(KindOf(status), " `", size > 0 ? name : "", "`"));
        };
        const auto make = [](int family, int type) {
          return socket(family, type | SOCK_CLOEXEC, 0);
        };
        say(make(AF_INET, SOCK_STREAM), "wg0");
        say(make(AF_INET6, SOCK_STREAM), "wg0");
        say(make(AF_INET, SOCK_DGRAM), "wg0");
        say(make(AF_INET, SOCK_STREAM), "lo");
        say(make(AF_INET, SOCK_STREAM), "eth1");
        say(make(AF_INET, SOCK_STREAM), "none");
        say(make(AF_INET, SOCK_STREAM), "");
        say(make(AF_INET, SOCK_STREAM), "wg0 ");
        say(make(AF_UNIX, SOCK_STREAM), "wg0");
        say(-1, "wg0");
        // Twice is once.
        const int twice = make(AF_INET, SOCK_STREAM);
        say(twice, "wg0");
        say(twice, "wg0");
        // What may have received something.
        const int listening = make(AF_INET, SOCK_STREAM);
        if (listen(listening, 5) != 0) return 1;
        say(listening, "wg0");
        socklen_t size;
        sockaddr_storage own = AddressOf("127.0.0.1", 0, &size);
        const int datagrams = make(AF_INET, SOCK_DGRAM);
        if (bind(datagrams, reinterpret_cast<sockaddr*>(&own), size) != 0) return 2;
        say(datagrams, "wg0");
        if (getsockname(listening, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 3;
        const int connected = make(AF_INET, SOCK_STREAM);
        if (connect(connected, reinterpret_cast<sockaddr*>(&own), size) != 0) return 4;
        say(connected, "wg0");
        // Who may not change it.
        const int other = make(AF_INET, SOCK_STREAM);
        if (setsockopt(other, SOL_SOCKET, SO_BINDTODEVICE, "eth1", 5) != 0) return 5;
        say(other, "wg0");
        // Another user may not ask the program.
        const int unprivileged = make(AF_INET, SOCK_STREAM);
        if (setsockopt(unprivileged, SOL_SOCKET, SO_BINDTODEVICE, "eth1", 5) != 0) return 6;
        peer_testing::Become({1234, 1234, {}});
        say(make(AF_INET, SOCK_STREAM), "wg0");
        say(unprivileged, "wg0");
        return 0;
      },
      true);
  const char* const want[] = {
      "OK `wg0`",
      "OK `wg0`",
      "OK `wg0`",
      "FAILED_PRECONDITION ``",
      "FAILED_PRECONDITION ``",
      "FAILED_PRECONDITION ``",
      "INVALID_ARGUMENT ``",
      "INVALID_ARGUMENT ``",
      "INVALID_ARGUMENT ``",
      "INVALID_ARGUMENT ``",
      "OK `wg0`",
      "OK `wg0`",
      "FAILED_PRECONDITION ``",
      "FAILED_PRECONDITION ``",
      "FAILED_PRECONDITION ``",
      "OK `wg0`",
      "unavailable ``",
      "unavailable `eth1`",
  };
  for (const char* line : want) EXPECT_EQ(child->Hear(), line);
  EXPECT_EQ(child->Wait(), 0);
}

// TUN devices into which more than one program can send, or that outlive theirs.
TEST_F(WireguardTest, ADeviceThatOthersMayHaveIsNotBelieved) {
  server_->daemon.reset();
  const struct {
    const char* name;
    int flags;
    bool persistent;
    const char* want;
  } cases[] = {
      {"OfNoWireguard", IFF_TUN, false, "unavailable"},
      {"OfSeveralQueues", IFF_TUN | IFF_MULTI_QUEUE, false, "unavailable"},
      {"Tap", IFF_TAP, false, "unavailable"},
      {"Persistent", IFF_TUN, true, "unavailable"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto child = server_->network.Start(
        [&c](const Child::Pipes& pipes) {
          const int tun = MakeTun(c.flags);
          if (tun < 0 || (c.persistent && ioctl(tun, TUNSETPERSIST, 1) != 0)) return 1;
          SocketPeer peer;
          peer.family = AF_INET;
          peer.type = SOCK_STREAM;
          peer.peer.address = *IpAddress::Parse("10.9.0.2");
          peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
          if (setsockopt(peer.fd, SOL_SOCKET, SO_BINDTODEVICE, "wg0", 4) != 0) return 2;
          WireguardPeersOptions options;
          options.devices = {"wg0"};
          const absl::Status status = (*WireguardPeers::Create(options))->Identify(peer).status();
          pipes.Say(KindOf(status));
          pipes.Say(std::string(status.message()));
          if (c.persistent && ioctl(tun, TUNSETPERSIST, 0) != 0) return 3;
          return 0;
        },
        true);
    EXPECT_EQ(child->Hear(), c.want);
    const std::string message = child->Hear();
    const char* const part = std::strcmp(c.name, "OfNoWireguard") == 0
                                 ? "wg0.sock"
                                 : "another program than that of WireGuard may send by it";
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(child->Wait(), 0);
  }
}

}  // namespace
}  // namespace reeve
