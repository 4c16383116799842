// Peers whose packets the kernel itself decrypts: the path that is proved. Needs a kernel with ESP;
// uml_test.sh runs this in a kernel of its own where the machine's has none.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ipsec/ipsec_peers.h"
#include "reeve/adapters/socket/ipsec/require_ipsec.h"
#include "reeve/adapters/socket/ipsec/swan_testing.h"

namespace reeve {
namespace {

using peer_testing::Eventually;
using peer_testing::Proof;
using peer_testing::Swan;
using peer_testing::SwanOptions;

#define REQUIRE_ESP()                               \
  REQUIRE_NETWORKS();                               \
  REQUIRE_PROGRAM("charon", "strongswan-charon");   \
  REQUIRE_PROGRAM("swanctl", "strongswan-swanctl"); \
  REQUIRE_PROGRAM("openssl", "openssl");            \
  REQUIRE_PROGRAM("ip", "iproute2");                \
  if (const std::string why = ::reeve::peer_testing::WhyNoEsp(); !why.empty()) GTEST_SKIP() << why

IpsecPeers::Options OptionsOf(const Swan& swan) {
  IpsecPeers::Options options;
  options.socket_path = swan.vici();
  return options;
}

struct Case {
  const char* name;
  SwanOptions swan;
  const char* who;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

SwanOptions With(Proof proof, bool tunnel = true, const char* proposals = "aes128gcm128") {
  SwanOptions options;
  options.proof = proof;
  options.tunnel = tunnel;
  options.esp_proposals = proposals;
  return options;
}

class ProvedTest : public testing::TestWithParam<Case> {};

// Scenario B10.
TEST_P(ProvedTest, IsWhatThePeerProved) {
  REQUIRE_ESP();
  Swan swan(GetParam().swan);
  swan.Up();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  EXPECT_EQ(connection->Who(), GetParam().who);
  std::printf("evidence: %s\n", connection->evidence().c_str());
  EXPECT_TRUE(absl::StrContains(connection->evidence(), " policy=in:")) << connection->evidence();
  EXPECT_TRUE(absl::StrContains(connection->evidence(), " ike-host=10.98.0.2"));
}

INSTANTIATE_TEST_SUITE_P(
    Proofs, ProvedTest,
    testing::Values(Case{"Certificate", With(Proof::kCertificate),
                         "host:laptop7.reeve.test encrypted"},
                    Case{"SharedKeyTransport", With(Proof::kSharedKey, false),
                         "host:laptop7.reeve.test encrypted"},
                    Case{"Account", With(Proof::kAccount), "user:alice@reeve.test encrypted"},
                    Case{"AuthenticationOnly", With(Proof::kCertificate, true, "null-sha256"),
                         "host:laptop7.reeve.test"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(EspTest, RekeyingKeepsTheTokenAndTheEndOfTheSaTakesIt) {
  REQUIRE_ESP();
  Swan swan(With(Proof::kAccount));
  swan.Up();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  const std::string who = "user:alice@reeve.test encrypted";
  EXPECT_EQ(connection->Who(), who);
  swan.Control(false, {"--rekey", "--child", "office"});
  swan.Control(false, {"--rekey", "--ike", "peer"});
  // At no time is it another, nor nobody's.
  for (int i = 0; i < 100; ++i) ASSERT_EQ(connection->Who(), who);
  swan.Down();
  EXPECT_TRUE(Eventually([&] {
    return absl::StartsWith(connection->Who(), "no_token: nobody vouches");
  })) << connection->Who();
}

// Scenario B11, its second half: the kernel drops what does not come by the SA.
TEST(EspTest, ClearTextBesideAnSaIsDropped) {
  REQUIRE_ESP();
  Swan swan(With(Proof::kAccount));
  swan.Up();
  const auto mismatches = [&] {
    return swan.server().Run({"grep", "XfrmInTmplMismatch", "/proc/net/xfrm_stat"});
  };
  const std::string before = mismatches();
  swan.SpoofInClearText();
  EXPECT_EQ(swan.WhoConnects(OptionsOf(swan)), "no connection");
  EXPECT_NE(mismatches(), before);
  std::printf("%s", mismatches().c_str());
}

TEST(EspTest, TakesNoTokenWhereAPathIsOpen) {
  REQUIRE_ESP();
  Swan swan(With(Proof::kCertificate));
  swan.Up();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  const std::string who = "host:laptop7.reeve.test encrypted";
  EXPECT_EQ(connection->Who(), who);

  swan.server().Run({"sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/va/disable_policy"});
  EXPECT_TRUE(absl::StartsWith(connection->Who(),
                               "unproved: IPsec policies do not apply to what comes in over va"))
      << connection->Who();
  swan.server().Run({"sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/va/disable_policy"});
  EXPECT_EQ(connection->Who(), who);

  // A policy before charon's lets clear text in.
  swan.server().Run({"ip", "xfrm", "policy", "add", "src", "10.97.0.0/24", "dst", "10.97.0.1",
                     "dir", "in", "priority", "1"});
  EXPECT_TRUE(absl::StrContains(connection->Who(), "lets clear text in")) << connection->Who();
  swan.server().Run(
      {"ip", "xfrm", "policy", "delete", "src", "10.97.0.0/24", "dst", "10.97.0.1", "dir", "in"});
  EXPECT_EQ(connection->Who(), who);

  swan.charon().Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return absl::StartsWith(connection->Who(), "unavailable: "); }));
}

// Scenario B13, with an SA: what has to go by it does.
TEST(EspTest, SocketThatRequiresIpsecConnectsByTheSa) {
  REQUIRE_ESP();
  SwanOptions options = With(Proof::kCertificate, false);
  options.reqid = "reqid = 7";
  Swan swan(options);
  const auto connects = [&swan](uint32_t reqid) {
    return swan.client().Do([reqid] {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (!RequireIpsec(fd, {true, reqid}).ok()) return 1;
      sockaddr_in to = {};
      to.sin_family = AF_INET;
      to.sin_port = htons(7);
      to.sin_addr.s_addr = htonl(0x0A620001);  // 10.98.0.1, where nobody listens.
      if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) return 2;
      return errno;
    });
  };
  const int before = connects(7);
  EXPECT_TRUE(before == EAGAIN || before == ESRCH) << before;
  swan.Up();
  EXPECT_EQ(connects(7), ECONNREFUSED);
  // By no other SA.
  for (const uint32_t other : {0, 8}) {
    const int without = connects(other);
    EXPECT_TRUE(without == EAGAIN || without == ESRCH) << without;
  }
}

TEST(EspTest, TwoAtOneAddressAreAmbiguous) {
  REQUIRE_ESP();
  Swan swan(With(Proof::kCertificate));
  swan.Up();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  EXPECT_EQ(connection->Who(), "host:laptop7.reeve.test encrypted");
  swan.Up("other");
  EXPECT_TRUE(absl::StartsWith(connection->Who(), "ambiguous: `host:laptop")) << connection->Who();
  swan.Down("other");
  EXPECT_TRUE(Eventually([&] { return connection->Who() == "host:laptop7.reeve.test encrypted"; }))
      << connection->Who();
}

}  // namespace
}  // namespace reeve
