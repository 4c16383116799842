// What protects a connection, and whom a program expects at its other end.
#include "reeve/adapters/socket/security/peer_security.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/security/expected_peers.h"

namespace reeve {
namespace {

// A connection within this machine and this process.
struct Connection {
  explicit Connection(int family) {
    const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    generic->sa_family = family;
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in*>(generic)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size = sizeof(sockaddr_in);
    } else {
      size = sizeof(sa_family_t);
    }
    EXPECT_EQ(bind(listener, generic, size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    size = sizeof(address);
    EXPECT_EQ(getsockname(listener, generic, &size), 0);
    client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to = address;
    to_size = size;
    listening = listener;
  }
  ~Connection() {
    close(client);
    if (server >= 0) close(server);
    if (listening >= 0) close(listening);
  }
  void Connect() {
    EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&to), to_size), 0);
    server = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  }

  int client = -1;
  int server = -1;
  int listening = -1;
  sockaddr_storage to;
  socklen_t to_size;
};

// Says what it is told to.
class Source final : public PeerSource {
 public:
  explicit Source(absl::StatusOr<PeerIdentity> answer) : answer_(std::move(answer)) {}
  Mechanism mechanism() const override { return Mechanism::kTls; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer&) const override { return answer_; }

 private:
  const absl::StatusOr<PeerIdentity> answer_;
};

PeerIdentity Host(bool encrypted) {
  PeerIdentity identity;
  identity.host = Principal(EntityId("host", "web-1"), Assurance::kCrypto);
  identity.encrypted = encrypted;
  return identity;
}

PeerOptions Numbers(bool local_tcp = true) {
  PeerOptions options;
  options.names = &NameService::Numbers();
  options.local_tcp = local_tcp;
  options.origin = SocketOrigin::kInherited;
  return options;
}

std::string Self() { return absl::StrCat("user:uid:", getuid()); }

// "secured encrypted user:uid:0 host:web-1", or the reason.
std::string Told(int fd, const PeerOptions& options) {
  const absl::StatusOr<PeerSecurity> security = QueryPeerSecurity(fd, nullptr, 0, options);
  if (!security.ok()) {
    const std::optional<PeerError> error = PeerErrorOf(security.status());
    return error.has_value() ? std::string(ToString(*error)) : security.status().ToString();
  }
  std::string told = security->secured ? "secured" : "open";
  if (security->encrypted) told += " encrypted";
  if (security->user.has_value()) told += " " + ToString(security->user->id);
  if (security->host.has_value()) told += " " + ToString(security->host->id);
  return told;
}

TEST(PeerSecurityTest, TellsWhatProtectsAConnection) {
  Connection tcp(AF_INET);
  tcp.Connect();
  EXPECT_EQ(Told(tcp.server, Numbers()), "secured " + Self());
  EXPECT_EQ(Told(tcp.server, Numbers(false)), "open");
  EXPECT_EQ(Told(tcp.listening, Numbers()), "not_connected");
  Connection local(AF_UNIX);
  local.Connect();
  EXPECT_EQ(Told(local.server, Numbers()), "secured " + Self());

  const Source encrypted(Host(true)), plain(Host(false));
  PeerOptions options = Numbers(false);
  options.sources = {&encrypted};
  EXPECT_EQ(Told(tcp.server, options), "secured encrypted host:web-1");
  options.sources = {&plain};
  EXPECT_EQ(Told(tcp.server, options), "secured host:web-1");
  options.local_tcp = true;
  EXPECT_EQ(Told(tcp.server, options), "secured " + Self() + " host:web-1");
}

// What is there and is not proved is not nothing.
TEST(PeerSecurityTest, TellsNothingOfAnIdentityThatIsNotProved) {
  Connection tcp(AF_INET);
  tcp.Connect();
  const Source unproved(MakePeerError(PeerError::kUnproved, "no proof"));
  PeerOptions options = Numbers();
  options.sources = {&unproved};
  EXPECT_EQ(Told(tcp.server, options), "unproved");
}

// ---- Whom a program expects.

class ExpectedPeersTest : public ::testing::TestWithParam<int> {};

TEST_P(ExpectedPeersTest, TakesWhoIsExpected) {
  Connection c(GetParam());
  ExpectedPeers expected;
  ASSERT_TRUE(
      expected.Set(c.client, nullptr, 0, EntityId("user", absl::StrCat("uid:", getuid()))).ok());
  EXPECT_TRUE(expected.Expects(c.client, nullptr, 0));
  c.Connect();
  const absl::StatusOr<PeerToken> token = expected.Check(c.client, nullptr, 0, Numbers());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(ToString(token->principal().id), Self());
  EXPECT_EQ(send(c.client, "x", 1, MSG_NOSIGNAL), 1);
}

TEST_P(ExpectedPeersTest, ShutsTheConnectionDownWhereItIsAnother) {
  Connection c(GetParam());
  ExpectedPeers expected;
  ASSERT_TRUE(expected.Set(c.client, nullptr, 0, EntityId("user", "ada")).ok());
  c.Connect();
  const absl::StatusOr<PeerToken> token = expected.Check(c.client, nullptr, 0, Numbers());
  EXPECT_EQ(PeerErrorOf(token.status()), PeerError::kMismatch);
  EXPECT_EQ(token.status().message(),
            absl::StrCat("the peer is `", Self(),
                         "`, and `user:ada` is expected; look who listens at that address"));
  EXPECT_LT(send(c.client, "x", 1, MSG_NOSIGNAL), 0);
  char byte;
  EXPECT_EQ(recv(c.server, &byte, 1, 0), 0);
}

INSTANTIATE_TEST_SUITE_P(, ExpectedPeersTest, ::testing::Values(AF_INET, AF_UNIX),
                         [](const auto& info) { return info.param == AF_INET ? "Tcp" : "Unix"; });

TEST(ExpectationTest, IsAnotherIfNobodyVouches) {
  Connection c(AF_INET);
  ExpectedPeers expected;
  ASSERT_TRUE(expected.Set(c.client, nullptr, 0, EntityId("user", "ada")).ok());
  c.Connect();
  EXPECT_EQ(PeerErrorOf(expected.Check(c.client, nullptr, 0, Numbers(false)).status()),
            PeerError::kMismatch);
  EXPECT_LT(send(c.client, "x", 1, MSG_NOSIGNAL), 0);
}

TEST(ExpectationTest, MayBeTheHost) {
  Connection c(AF_INET);
  ExpectedPeers expected;
  ASSERT_TRUE(expected.Set(c.client, nullptr, 0, EntityId("host", "web-1")).ok());
  c.Connect();
  const Source source(Host(true));
  PeerOptions options = Numbers();
  options.sources = {&source};
  EXPECT_TRUE(expected.Check(c.client, nullptr, 0, options).ok());
}

// The listener's owner, for a connection that nobody has accepted yet.
TEST(ExpectationTest, IsKnownBeforeItAccepts) {
  Connection c(AF_INET);
  ASSERT_EQ(connect(c.client, reinterpret_cast<sockaddr*>(&c.to), c.to_size), 0);
  const absl::StatusOr<PeerToken> token = ExpectedPeers().Check(c.client, nullptr, 0, Numbers());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(ToString(token->principal().id), Self());
  EXPECT_NE(token->principal().evidence.find(" socket=listening"), std::string::npos);
}

TEST(ExpectationTest, RefusesWhatCannotBeExpected) {
  ExpectedPeers expected;
  Connection c(AF_INET);
  EXPECT_EQ(expected.Set(c.client, nullptr, 0, EntityId("user", "")).code(),
            absl::StatusCode::kInvalidArgument);
  c.Connect();
  EXPECT_EQ(expected.Set(c.client, nullptr, 0, EntityId("user", "ada")).code(),
            absl::StatusCode::kFailedPrecondition);
  const int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(PeerErrorOf(expected.Set(datagram, nullptr, 0, EntityId("user", "ada"))),
            PeerError::kType);
  close(datagram);
  EXPECT_EQ(PeerErrorOf(expected.Set(datagram, nullptr, 0, EntityId("user", "ada"))),
            PeerError::kNotSocket);
  EXPECT_EQ(expected.size(), 0u);
}

// It belongs to the socket and not to the number of the descriptor.
TEST(ExpectationTest, IsOfOneSocket) {
  ExpectedPeers expected;
  const int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_TRUE(expected.Set(first, nullptr, 0, EntityId("user", "ada")).ok());
  close(first);
  const int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(second, first);
  EXPECT_FALSE(expected.Expects(second, nullptr, 0));
  close(second);
}

TEST(ExpectationTest, OfDatagramsIsOfOnePeer) {
  ExpectedPeers expected;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in a = {}, b = {};
  a.sin_family = b.sin_family = AF_INET;
  a.sin_addr.s_addr = b.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(1);
  b.sin_port = htons(2);
  const auto* to_a = reinterpret_cast<sockaddr*>(&a);
  const auto* to_b = reinterpret_cast<sockaddr*>(&b);
  ASSERT_TRUE(expected.Set(fd, to_a, sizeof(a), EntityId("user", "ada")).ok());
  EXPECT_TRUE(expected.Expects(fd, to_a, sizeof(a)));
  EXPECT_FALSE(expected.Expects(fd, to_b, sizeof(b)));
  EXPECT_EQ(PeerErrorOf(expected.Check(fd, to_a, sizeof(a), Numbers()).status()),
            PeerError::kMismatch);
  EXPECT_EQ(PeerErrorOf(expected.Check(fd, to_b, sizeof(b), Numbers()).status()),
            PeerError::kNoToken);
  EXPECT_TRUE(expected.Clear(fd, to_a, sizeof(a)).ok());
  EXPECT_TRUE(expected.Clear(fd, to_a, sizeof(a)).ok());
  EXPECT_EQ(expected.size(), 0u);
  close(fd);
}

TEST(ExpectationTest, AreBounded) {
  ExpectedPeers expected;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  const auto set = [&](size_t i) {
    peer.sin_addr.s_addr = htonl(0x0A000000 + i);
    peer.sin_port = htons(1);
    return expected.Set(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer),
                        EntityId("user", "ada"));
  };
  for (size_t i = 0; i < ExpectedPeers::kMaxExpectations; ++i) ASSERT_TRUE(set(i).ok()) << i;
  EXPECT_TRUE(absl::IsResourceExhausted(set(ExpectedPeers::kMaxExpectations)));
  EXPECT_TRUE(set(0).ok());  // In place of itself.
  close(fd);
}

}  // namespace
}  // namespace reeve
