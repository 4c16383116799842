// Which of several that vouch for a peer is believed: PeerOptions::sources and the kernel.
#include "reeve/adapters/socket/peer_source.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace {

using peer_testing::AwaitEvents;
using peer_testing::Become;
using peer_testing::Bind;
using peer_testing::Child;
using peer_testing::Connect;
using peer_testing::InetAddress;
using peer_testing::InetPeerTest;
using peer_testing::kPlain;
using peer_testing::Listener;
using peer_testing::Loopback;
using peer_testing::MakeSocket;
using peer_testing::MakeSocketOf;
using peer_testing::Network;
using peer_testing::ReceiveFrom;
using peer_testing::SendTo;
using peer_testing::TcpListener;
using peer_testing::User;
using peer_testing::Verdict;
using peer_testing::VerdictOf;
using peer_testing::WeakUser;
using Mechanism = PeerSource::Mechanism;
using Answer = absl::StatusOr<PeerIdentity>;

// Gives an answer that the test says, and keeps what it was asked.
class TestSource final : public PeerSource {
 public:
  TestSource(Mechanism mechanism, Answer answer)
      : mechanism_(mechanism), answer_(std::move(answer)) {}

  Mechanism mechanism() const override { return mechanism_; }
  Answer Identify(const SocketPeer& peer) const override {
    asked = absl::StrCat("fd=", peer.fd, " family=", peer.family, " type=", peer.type, " ",
                         peer.local.ToString(), " ", peer.peer.ToString(), " ",
                         peer.peer_is_local ? "local" : "remote");
    return answer_;
  }

  mutable std::string asked;

 private:
  Mechanism mechanism_;
  Answer answer_;
};

Principal Named(const char* type, const std::string& id, const char* via) {
  Principal principal;
  principal.id = EntityId(type, id);
  principal.assurance = Assurance::kCrypto;
  principal.via = via;
  return principal;
}

Answer AUser(const std::string& id, const char* via, bool encrypted = false) {
  PeerIdentity identity;
  identity.user = Named("user", id, via);
  identity.encrypted = encrypted;
  return identity;
}
Answer AHost(const std::string& id, const char* via, bool encrypted = false) {
  PeerIdentity identity;
  identity.host = Named("host", id, via);
  identity.encrypted = encrypted;
  return identity;
}
Answer Both(const std::string& user, const std::string& host, const char* via) {
  PeerIdentity identity;
  identity.user = Named("user", user, via);
  identity.host = Named("host", host, via);
  return identity;
}
const Answer kNobody = absl::NotFoundError("knows nobody");
const Answer kEmpty = PeerIdentity();

Answer Error(PeerError error) { return MakePeerError(error, "the test says so"); }

struct SourceCase {
  const char* name;
  std::vector<std::pair<Mechanism, Answer>> sources;
  bool local_tcp;
  std::string want;       // Of a peer of uid 1234.
  const char* host = "";  // Besides.
};
std::ostream& operator<<(std::ostream& os, const SourceCase& c) { return os << c.name; }

constexpr Mechanism kTls = Mechanism::kTls;
constexpr Mechanism kIpsec = Mechanism::kIpsec;
constexpr Mechanism kWireguard = Mechanism::kWireguard;
constexpr Mechanism kOther = Mechanism::kOther;

const SourceCase kSourceCases[] = {
    {"None", {}, true, User(1234)},
    {"NoneAndNotTheKernel", {}, false, "no_token"},
    {"PassedOver", {{kTls, kNobody}, {kIpsec, kNobody}}, true, User(1234)},
    {"PassedOverAndNotTheKernel", {{kTls, kNobody}, {kIpsec, kNobody}}, false, "no_token"},
    {"PassedOverToAnother",
     {{kTls, kNobody}, {kIpsec, AUser("ada", "ipsec")}},
     false,
     "user:ada [] crypto ipsec secured"},
    {"KnowsNothingYetHasToDoWithIt", {{kTls, kEmpty}}, false, "no_token"},
    {"KnowsNothingAndTheKernelDoes", {{kTls, kEmpty}}, true, User(1234)},

    // Any error ends the call, whoever else knows.
    {"Unproved", {{kIpsec, Error(PeerError::kUnproved)}}, true, "unproved"},
    {"Unavailable", {{kIpsec, Error(PeerError::kUnavailable)}}, true, "unavailable"},
    {"Mismatch", {{kTls, Error(PeerError::kMismatch)}}, true, "mismatch"},
    {"NoToken", {{kTls, Error(PeerError::kNoToken)}}, true, "no_token"},
    {"OfNoReason",
     {{kOther, absl::InternalError("the test says so")}},
     true,
     "INTERNAL: the test says so"},
    {"ErrorBeforeAUser",
     {{kTls, Error(PeerError::kUnavailable)}, {kWireguard, AUser("ada", "wireguard")}},
     false,
     "unavailable"},
    {"ErrorAfterAUser",
     {{kTls, AUser("ada", "tls")}, {kWireguard, Error(PeerError::kAmbiguous)}},
     false,
     "ambiguous"},

    // In the order of mechanisms, whatever that of the list; then in that of the list.
    {"Best",
     {{kOther, AUser("ada", "other")},
      {kWireguard, AUser("ada", "wireguard")},
      {kIpsec, AUser("ada", "ipsec")},
      {kTls, AUser("ada", "tls")}},
     false,
     "user:ada [] crypto tls secured"},
    {"BestOfTheRest",
     {{kOther, AUser("ada", "other")},
      {kWireguard, AUser("ada", "wireguard")},
      {kIpsec, AUser("ada", "ipsec")},
      {kTls, kNobody}},
     false,
     "user:ada [] crypto ipsec secured"},
    {"FirstOfTwoAlike",
     {{kTls, AUser("ada", "first")}, {kTls, AUser("ada", "second")}},
     false,
     "user:ada [] crypto first secured"},
    {"ErrorOfTheFirst",
     {{kWireguard, Error(PeerError::kUnavailable)}, {kTls, Error(PeerError::kMismatch)}},
     false,
     "mismatch"},

    // Two users.
    {"TwoUsers",
     {{kTls, AUser("ada", "tls")}, {kIpsec, AUser("bob", "ipsec")}},
     false,
     "ambiguous"},
    {"AnotherThanTheKernels", {{kTls, AUser("ada", "tls")}}, true, "ambiguous"},
    {"TheKernels", {{kTls, AUser("uid:1234", "tls")}}, true, "user:uid:1234 [] crypto tls secured"},
    {"OneOfThreeDiffers",
     {{kTls, AUser("uid:1234", "tls")}, {kIpsec, AUser("uid:0", "ipsec")}},
     true,
     "ambiguous"},

    // Users and hosts.
    {"AHostOnly",
     {{kIpsec, AHost("lap7", "ipsec")}},
     false,
     "host:lap7 [] crypto ipsec secured",
     "host:lap7"},
    {"AHostAndTheKernelsUser", {{kTls, AHost("lap7", "tls")}}, true, User(1234), "host:lap7"},
    {"UserBeforeHost",
     {{kTls, AHost("lap7", "tls")}, {kOther, AUser("ada", "other")}},
     false,
     "user:ada [] crypto other secured",
     "host:lap7"},
    {"BothOfOne",
     {{kTls, Both("ada", "lap7", "tls")}},
     false,
     "user:ada [] crypto tls secured",
     "host:lap7"},
    {"BestOfTwoHosts",
     {{kWireguard, AHost("key", "wireguard")}, {kIpsec, AHost("lap7", "ipsec")}},
     false,
     "host:lap7 [] crypto ipsec secured",
     "host:lap7"},

    {"EncryptedByOne",
     {{kTls, AUser("ada", "tls")}, {kIpsec, AHost("lap7", "ipsec", true)}},
     false,
     "user:ada [] crypto tls secured encrypted",
     "host:lap7"},
    {"EncryptedByTheFirst",
     {{kTls, AUser("ada", "tls", true)}, {kIpsec, AHost("lap7", "ipsec")}},
     false,
     "user:ada [] crypto tls secured encrypted",
     "host:lap7"},
};

// The sources of a row, and options that name them.
struct Asked {
  explicit Asked(const std::vector<std::pair<Mechanism, Answer>>& answers, bool local) {
    options.local_tcp = options.local_udp = local;
    for (const auto& [mechanism, answer] : answers) sources.emplace_back(mechanism, answer);
    for (const TestSource& source : sources) options.sources.push_back(&source);
  }

  std::deque<TestSource> sources;
  PeerOptions options = kPlain;
};

class SourceTest : public InetPeerTest, public ::testing::WithParamInterface<SourceCase> {};

TEST_P(SourceTest, IsBelievedOrNot) {
  REQUIRE_OTHER_USERS();
  const SourceCase& c = GetParam();
  TcpListener listener;
  const int client = MakeSocketOf(1234, AF_INET, SOCK_STREAM);
  Connect(client, listener.address());
  const int fd = listener.Accept();
  const Asked asked(c.sources, c.local_tcp);
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, asked.options);
  EXPECT_EQ(Verdict(token), c.want);
  if (token.ok()) {
    EXPECT_EQ(token->host() == nullptr ? "" : ToString(token->host()->id), c.host);
    // What the kernel told beside another is kept.
    EXPECT_EQ(token->uid(), c.local_tcp ? 1234u : static_cast<uid_t>(-1));
    EXPECT_EQ(&token->principal(), token->user() != nullptr ? token->user() : token->host());
  }
  close(client);
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, SourceTest, ::testing::ValuesIn(kSourceCases),
                         [](const auto& info) { return info.param.name; });

// The kernel is a source like the others: that it cannot tell is no reason to believe less.
TEST_F(InetPeerTest, IsNotAHostIfTheUserHasGone) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const int client = MakeSocketOf(1234, AF_INET, SOCK_STREAM);
  Connect(client, listener.address());
  const int fd = listener.Accept();
  close(client);
  AwaitEvents(fd, POLLRDHUP);
  EXPECT_EQ(VerdictOf(fd, Asked({{kIpsec, AHost("lap7", "ipsec")}}, true).options), "stale");
  EXPECT_EQ(VerdictOf(fd, Asked({{kTls, AUser("ada", "tls")}}, true).options), "stale");
  EXPECT_EQ(VerdictOf(fd, Asked({{kTls, AUser("ada", "tls")}}, false).options),
            "user:ada [] crypto tls secured");
  close(fd);
}

TEST_F(InetPeerTest, AsksTheSourcesAboutBothEnds) {
  TcpListener listener;
  const int client = MakeSocket(AF_INET, SOCK_STREAM);
  Connect(client, listener.address());
  const int fd = listener.Accept();
  const Asked asked({{kTls, kNobody}, {kOther, AUser("uid:0", "other")}}, true);
  EXPECT_EQ(VerdictOf(fd, asked.options), "user:uid:0 [] crypto other secured");
  const std::string want =
      absl::StrCat("fd=", fd, " family=2 type=1 127.0.0.1:", listener.address().port(),
                   " 127.0.0.1:", InetAddress::OfSocket(client).port(), " local");
  EXPECT_EQ(asked.sources[0].asked, want);
  EXPECT_EQ(asked.sources[1].asked, want);
  close(client);
  close(fd);
}

TEST_F(InetPeerTest, AsksTheSourcesAboutTheSenderOfADatagram) {
  REQUIRE_OTHER_USERS();
  const int server = MakeSocket(AF_INET6, SOCK_DGRAM);
  Bind(server, InetAddress::Of("::1"));
  const int sender = MakeSocketOf(1234, AF_INET6, SOCK_DGRAM);
  SendTo(sender, "hello", InetAddress::OfSocket(server));
  const InetAddress from = ReceiveFrom(server);
  const Asked asked({{kTls, kNobody}}, true);
  EXPECT_EQ(Verdict(PeerToken::FromSocket(server, from.get(), from.size, asked.options)),
            WeakUser(1234, "[::1]"));
  EXPECT_EQ(asked.sources[0].asked,
            absl::StrCat("fd=", server, " family=10 type=2 [::1]:",
                         InetAddress::OfSocket(server).port(), " [::1]:", from.port(), " local"));
  close(sender);
  close(server);
}

TEST_F(InetPeerTest, AsksNoSourceAboutAUnixSocket) {
  Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  const Asked asked({{kTls, Error(PeerError::kMismatch)}}, true);
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, asked.options);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->principal().via, "unix");
  EXPECT_TRUE(token->secured());
  EXPECT_EQ(asked.sources[0].asked, "");
  close(client);
  close(fd);
}

TEST_F(InetPeerTest, AsksNoSourceAboutWhatIsNoConnection) {
  TcpListener listener;
  const Asked asked({{kTls, AUser("ada", "tls")}}, true);
  EXPECT_EQ(VerdictOf(listener.fd(), asked.options), "not_connected");
  EXPECT_EQ(asked.sources[0].asked, "");
}

// Who is elsewhere is known to sources only.
TEST_F(InetPeerTest, IsSecuredFromElsewhereOnlyIfASourceSaysSo) {
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
    const Asked nobody({{kTls, kNobody}}, true);
    pipes.Say(VerdictOf(fd, nobody.options));
    pipes.Say(nobody.sources[0].asked.substr(nobody.sources[0].asked.rfind(' ') + 1));
    pipes.Say(VerdictOf(fd, Asked({{kTls, AUser("ada", "tls", true)}}, true).options));
    pipes.Say(VerdictOf(fd, Asked({{kIpsec, AHost("lap7", "ipsec")}}, true).options));
    return 0;
  });
  const auto port = static_cast<uint16_t>(std::atoi(server->Hear().c_str()));
  const auto client = there.Start([&](const Child::Pipes& pipes) {
    Connect(MakeSocket(AF_INET, SOCK_STREAM), InetAddress::Of("10.98.0.1", port));
    pipes.Await();
    return 0;
  });
  EXPECT_EQ(server->Hear(), "no_token");
  EXPECT_EQ(server->Hear(), "remote");
  EXPECT_EQ(server->Hear(), "user:ada [] crypto tls secured encrypted");
  EXPECT_EQ(server->Hear(), "host:lap7 [] crypto ipsec secured");
}

}  // namespace
}  // namespace reeve
