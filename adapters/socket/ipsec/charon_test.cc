// The peers that a real charon tells of. Here it does ESP by itself (kernel-libipsec), which works
// on each kernel, and is the case in which an address proves nothing: whoever writes it into a
// packet gets in. esp_test.cc has the kernel's ESP.
#include "reeve/adapters/socket/ipsec/charon.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ipsec/ipsec_peers.h"
#include "reeve/adapters/socket/ipsec/swan_testing.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve {
namespace {

using peer_testing::Esp;
using peer_testing::Eventually;
using peer_testing::Proof;
using peer_testing::Swan;
using peer_testing::SwanOptions;
using socket_internal::Charon;
using socket_internal::ChildSa;
using socket_internal::Deadline;
using socket_internal::IkeNameRules;
using socket_internal::IkeSa;

#define REQUIRE_SWAN()                              \
  REQUIRE_NETWORKS();                               \
  REQUIRE_PROGRAM("charon", "strongswan-charon");   \
  REQUIRE_PROGRAM("swanctl", "strongswan-swanctl"); \
  REQUIRE_PROGRAM("openssl", "openssl");            \
  REQUIRE_PROGRAM("ip", "iproute2");                \
  if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun"

SwanOptions UserSpace(Proof proof) {
  SwanOptions options;
  options.proof = proof;
  options.esp = Esp::kUserSpace;
  return options;
}

IpsecPeers::Options OptionsOf(const Swan& swan) {
  IpsecPeers::Options options;
  options.socket_path = swan.vici();
  return options;
}

// One line for each SA, of what charon says of it.
std::string Sas(const Swan& swan) {
  absl::StatusOr<Charon> charon = Charon::Ask(swan.vici(), Deadline(absl::Seconds(1)));
  if (!charon.ok()) return charon.status().ToString();
  const absl::StatusOr<std::vector<IkeSa>> sas = charon->Sas();
  if (!sas.ok()) return sas.status().ToString();
  std::string text;
  for (const IkeSa& sa : *sas) {
    absl::StatusOr<EntityId> entity = charon->IdentityOf(sa, IkeNameRules());
    absl::StrAppend(&text, sa.state, " ", sa.local_host, "-", sa.remote_host, " ",
                    entity.ok() ? ToString(*entity) : std::string(entity.status().message()));
    for (const ChildSa& child : sa.children) {
      absl::StrAppend(&text, " [", child.name, " ", child.state, " ", child.mode, " ",
                      child.protocol, child.installed() ? " installed" : "",
                      child.encrypts() ? " encrypts" : "", child.protects() ? " protects" : "",
                      child.reqid != 0 ? " reqid" : "", child.spi_in != 0 ? " spi" : "");
      for (const std::string& selector : child.local) absl::StrAppend(&text, " ", selector);
      for (const std::string& selector : child.remote) absl::StrAppend(&text, " ", selector);
      absl::StrAppend(&text, "]");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

struct Case {
  const char* name;
  Proof proof;
  const char* entity;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class IdentityTest : public testing::TestWithParam<Case> {};

// Scenario B10.
TEST_P(IdentityTest, IsWhatThePeerProved) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(GetParam().proof));
  EXPECT_EQ(Sas(swan), "");
  swan.Up();
  const std::string up =
      absl::StrCat("ESTABLISHED 10.98.0.1-10.98.0.2 ", GetParam().entity,
                   " [office INSTALLED TUNNEL ESP installed encrypts protects reqid spi "
                   "10.97.0.1/32 10.97.0.2/32]\n");
  EXPECT_EQ(Sas(swan), up);
  // Whoever is there: that it is the peer is not proved.
  EXPECT_TRUE(absl::StrContains(
      swan.WhoConnects(OptionsOf(swan)),
      "unproved: a security association covers the peer, and no inbound IPsec policy of the "
      "kernel does"));
  swan.Down();
  EXPECT_TRUE(Eventually([&] { return Sas(swan).empty(); })) << Sas(swan);
}

INSTANTIATE_TEST_SUITE_P(
    Proofs, IdentityTest,
    testing::Values(
        Case{"Certificate", Proof::kCertificate, "host:laptop7.reeve.test"},
        Case{"SharedKey", Proof::kSharedKey, "host:laptop7.reeve.test"},
        Case{"Account", Proof::kAccount, "user:alice@reeve.test"},
        // The IKE id looks like a host's name, and is that of an account.
        Case{"AccountAlone", Proof::kAccountAlone,
             "the IKE identity `bob.smith` has no realm, and could be mistaken for a user of this "
             "machine; set default_realm, or use names such as ada@example.com"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CharonTest, RekeyingKeepsTheIdentity) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(Proof::kCertificate));
  swan.Up();
  const std::string before = Sas(swan);
  swan.Control(false, {"--rekey", "--child", "office"});
  swan.Control(false, {"--rekey", "--ike", "peer"});
  // Old and new ones are there for a while.
  EXPECT_TRUE(Eventually([&] { return Sas(swan) == before; })) << Sas(swan);
}

TEST(CharonTest, ConnectionThatIsUnloadedProvesNothing) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(Proof::kCertificate));
  swan.Up();
  swan.server().Run({"sh", "-c", absl::StrCat("echo >$(dirname ", swan.vici(), ")/swanctl.conf")});
  swan.Control(true, {"--load-conns"});
  EXPECT_TRUE(absl::StrContains(Sas(swan), "charon has no connection `peer` any more"))
      << Sas(swan);
}

// Scenario B11, its first half: a stranger who writes the peer's address gets in, and gets no
// token.
TEST(CharonTest, ClearTextBesideAnSaIsUnproved) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(Proof::kAccount));
  EXPECT_TRUE(absl::StartsWith(swan.WhoConnects(OptionsOf(swan)), "no connection"));
  swan.Up();
  swan.SpoofInClearText();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  EXPECT_TRUE(absl::StartsWith(connection->Who(), "unproved: a security association covers"))
      << connection->Who();

  // A policy that asks for what charon has, but that no kernel SA can fulfil.
  const absl::StatusOr<std::vector<IkeSa>> sas =
      Charon::Ask(swan.vici(), Deadline(absl::Seconds(1)))->Sas();
  ASSERT_TRUE(sas.ok() && sas->size() == 1 && (*sas)[0].children.size() == 1);
  const std::string reqid = absl::StrCat((*sas)[0].children[0].reqid);
  const std::vector<std::string> policy = {
      "ip",        "xfrm",  "policy",   "add",  "src",    "10.97.0.2", "dst",       "10.97.0.1",
      "dir",       "in",    "priority", "1",    "tmpl",   "src",       "10.98.0.2", "dst",
      "10.98.0.1", "proto", "esp",      "mode", "tunnel", "reqid",     reqid};
  swan.server().Run(policy);
  EXPECT_TRUE(absl::StrContains(connection->Who(),
                                "security association for the peer is not in this machine's "
                                "kernel: it does ESP by itself (kernel-libipsec)"))
      << connection->Who();
  // One that asks for another one.
  swan.server().Run({"ip", "xfrm", "policy", "flush"});
  std::vector<std::string> of_another = policy;
  of_another.back() = "4711";
  swan.server().Run(of_another);
  EXPECT_TRUE(absl::StrContains(connection->Who(),
                                "requires reqid 4711, which is not that of a security association "
                                "that covers the peer"))
      << connection->Who();
  // A policy, and no SA any more.
  swan.Control(true, {"--terminate", "--ike", "peer", "--force", "--timeout", "5"});
  EXPECT_TRUE(Eventually([&] { return Sas(swan).empty(); })) << Sas(swan);
  EXPECT_TRUE(absl::StartsWith(connection->Who(), "stale: the inbound IPsec policy"))
      << connection->Who();
  // Neither.
  swan.server().Run({"ip", "xfrm", "policy", "flush"});
  EXPECT_TRUE(absl::StartsWith(connection->Who(), "no_token: nobody vouches for the peer"))
      << connection->Who();
}

// Scenario B21.
TEST(CharonTest, CharonThatHangsOrIsGoneGivesNoToken) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(Proof::kCertificate));
  swan.Up();
  const auto connection = swan.Connect(OptionsOf(swan));
  ASSERT_TRUE(connection->connected());
  int milliseconds = 0;
  EXPECT_TRUE(absl::StartsWith(connection->Who(&milliseconds), "unproved: ")) << connection->Who();
  RecordProperty("answered_ms", milliseconds);

  swan.charon().Signal(SIGSTOP);
  // The backlog of charon's socket takes three: with the fourth connect(2) hangs, too.
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(absl::StrContains(connection->Who(&milliseconds),
                                  "charon did not answer in time; see whether it hangs"));
    EXPECT_GE(milliseconds, 900);
    EXPECT_LE(milliseconds, 3000);
  }
  swan.charon().Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return absl::StartsWith(connection->Who(), "unproved: "); }));

  swan.charon().Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(connection->Who(&milliseconds),
                             "charon does not listen: Connection refused");
  })) << connection->Who();
  EXPECT_TRUE(absl::StartsWith(connection->Who(), "unavailable: "));
  EXPECT_EQ(unlink(swan.vici().c_str()), 0);
  EXPECT_TRUE(absl::StrContains(connection->Who(), "charon's control socket cannot be found"));
}

TEST(CharonTest, SocketThatOthersMayWriteToIsNotAsked) {
  REQUIRE_SWAN();
  Swan swan(UserSpace(Proof::kCertificate));
  const auto ask = [&] {
    return std::string(Charon::Ask(swan.vici(), Deadline(absl::Seconds(1))).status().message());
  };
  EXPECT_EQ(ask(), "");
  // For the group: charon's own configuration gives it to one.
  ASSERT_EQ(chmod(swan.vici().c_str(), 0770), 0);
  EXPECT_EQ(ask(), "");
  ASSERT_EQ(chmod(swan.vici().c_str(), 0772), 0);
  EXPECT_TRUE(absl::StrContains(ask(), "anybody may write to it")) << ask();
  ASSERT_EQ(chmod(swan.vici().c_str(), 0770), 0);
  ASSERT_EQ(lchown(swan.vici().c_str(), 1234, 0), 0);
  EXPECT_TRUE(absl::StrContains(ask(), "belongs to uid 1234")) << ask();
}

}  // namespace
}  // namespace reeve
