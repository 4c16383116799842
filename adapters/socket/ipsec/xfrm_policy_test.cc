// What policies that `ip xfrm` sets in a network of its own require, as the kernel tells them.
#include "reeve/adapters/socket/ipsec/xfrm_policy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::Identity;
using peer_testing::Network;
using socket_internal::CheckPoliciesApply;
using socket_internal::FindState;
using socket_internal::ListPolicies;
using socket_internal::Netlink;
using socket_internal::RequirementOf;
using socket_internal::XfrmFlow;
using socket_internal::XfrmPolicy;
using socket_internal::XfrmRequirement;
using socket_internal::XfrmState;

// What the policies of the calling process's network require.
std::string Required(const char* from, const char* to, uint8_t protocol) {
  Netlink netlink;
  if (const int error = netlink.Open(NETLINK_XFRM); error != 0) return std::strerror(error);
  const absl::StatusOr<std::vector<XfrmPolicy>> policies = ListPolicies(netlink);
  if (!policies.ok()) return std::string(policies.status().message());
  const XfrmFlow flow = {{*IpAddress::Parse(from), 5000}, {*IpAddress::Parse(to), 80}, protocol};
  const absl::StatusOr<XfrmRequirement> required = RequirementOf(*policies, flow);
  if (absl::IsNotFound(required.status())) return "open";
  if (!required.ok()) return absl::StrCat("unproved: ", required.status().message());
  std::string text =
      absl::StrCat(required->protocol == IPPROTO_ESP ? "esp" : "ah", " ",
                   required->mode == 1 ? "tunnel" : "transport", " ", required->reqid);
  if (required->mode == 1) {
    absl::StrAppend(&text, " ", required->source.ToString(), " ", required->destination.ToString());
  }
  return text;
}

#define IN_OF(what) "src 10.97.0.2/32 dst 10.97.0.1/32 " what " dir in "
#define IN IN_OF("")
#define ESP "tmpl src 10.98.0.2 dst 10.98.0.1 proto esp reqid 7 mode tunnel "
#define PROVED "esp tunnel 7 10.98.0.2 10.98.0.1"

struct Case {
  const char* name;
  std::vector<const char*> policies;
  const char* want;  // Whole; but of a refusal a part.
  const char* from = "10.97.0.2";
  const char* to = "10.97.0.1";
  uint8_t protocol = IPPROTO_TCP;
};

const Case kCases[] = {
    {"None", {}, "open"},
    {"Tunnel", {IN ESP}, PROVED},
    {"Transport",
     {"src 10.98.0.2 dst 10.98.0.1 dir in tmpl proto esp reqid 9 mode transport"},
     "esp transport 9",
     "10.98.0.2",
     "10.98.0.1"},
    {"Ah",
     {IN "tmpl src 10.98.0.2 dst 10.98.0.1 proto ah reqid 7 mode tunnel"},
     "ah tunnel 7 10.98.0.2 10.98.0.1"},
    {"CompressedToo",
     {IN "tmpl src 10.98.0.2 dst 10.98.0.1 proto comp reqid 7 mode tunnel level use "
         "tmpl proto esp reqid 7 mode transport"},
     "esp transport 7"},
    {"Network", {"src 10.97.0.0/24 dst 10.97.0.0/28 dir in " ESP}, PROVED},
    {"Everything", {"src 0.0.0.0/0 dst 0.0.0.0/0 dir in " ESP}, PROVED},
    {"OddLength", {"src 10.96.0.0/15 dst 10.97.0.1 dir in " ESP}, PROVED},
    {"Ipv6",
     {"src fd00::2 dst fd00::/64 dir in tmpl src fd01::2 dst fd01::1 proto esp reqid 7 mode "
      "tunnel"},
     "esp tunnel 7 fd01::2 fd01::1",
     "fd00::2",
     "fd00::1"},
    {"Ipv6Within4",
     {"src fd00::/32 dst fd00::/32 dir in " ESP},
     PROVED,
     "fd00:0::2",
     "fd00:0:1::1"},

    {"OtherPeer", {"src 10.97.0.3/32 dst 10.97.0.1/32 dir in " ESP}, "open"},
    {"OtherEnd", {"src 10.97.0.2/32 dst 10.97.0.3/32 dir in " ESP}, "open"},
    {"OtherNetwork", {"src 10.97.0.128/25 dst 10.97.0.1 dir in " ESP}, "open"},
    {"TheOtherWayRound", {"src 10.97.0.1/32 dst 10.97.0.2/32 dir in " ESP}, "open"},
    {"OtherFamily", {"src ::/0 dst ::/0 dir in tmpl proto esp reqid 7 mode transport"}, "open"},
    {"OnlyOut", {"src 10.97.0.2/32 dst 10.97.0.1/32 dir out " ESP}, "open"},
    {"OnlyForwarded", {"src 10.97.0.2/32 dst 10.97.0.1/32 dir fwd " ESP}, "open"},

    {"NoTemplate", {IN}, "unproved: the inbound IPsec policy"},
    {"LevelUse", {IN ESP "level use"}, "lets clear text in"},
    {"OnlyCompressed",
     {IN "tmpl src 10.98.0.2 dst 10.98.0.1 proto comp reqid 7 mode tunnel"},
     "lets clear text in"},
    {"Block", {IN "action block"}, "blocks"},
    {"BlockWithTemplate", {IN "action block " ESP}, "blocks"},
    {"AnyReqid",
     {IN "tmpl src 10.98.0.2 dst 10.98.0.1 proto esp mode tunnel"},
     "takes any security association"},
    {"Beet",
     {IN "tmpl src 10.98.0.2 dst 10.98.0.1 proto esp reqid 7 mode beet"},
     "neither tunnel nor transport"},

    // Which one decides.
    {"OpenOneFirst",
     {IN "priority 10 " ESP, "src 10.97.0.2 dst 0.0.0.0/0 dir in priority 5"},
     "lets clear text in"},
    {"OpenOneFirstSetFirst",
     {"src 10.97.0.2 dst 0.0.0.0/0 dir in priority 5", IN "priority 10 " ESP},
     "lets clear text in"},
    {"OpenOneLater",
     {IN "priority 5 " ESP, "src 10.97.0.2 dst 0.0.0.0/0 dir in priority 10"},
     PROVED},
    {"BlockLater",
     {IN "priority 5 " ESP,
      "src 0.0.0.0/0 dst 0.0.0.0/0 dir in priority 10 "
      "action block"},
     PROVED},
    {"OpenOneAlike",
     {IN "priority 5 " ESP, "src 10.97.0.2 dst 0.0.0.0/0 dir in priority 5"},
     "lets clear text in"},
    {"OpenOneAlikeSetFirst",
     {"src 10.97.0.2 dst 0.0.0.0/0 dir in priority 5", IN "priority 5 " ESP},
     "lets clear text in"},
    {"AnotherReqidAlike",
     {IN "priority 5 " ESP,
      "src 10.97.0.0/24 dst 10.97.0.1 dir in priority 5 tmpl src 10.98.0.2 dst 10.98.0.1 proto esp "
      "reqid 8 mode tunnel"},
     "requires another security association"},
    {"AnotherReqidLater",
     {IN "priority 5 " ESP,
      "src 10.97.0.0/24 dst 10.97.0.1 dir in priority 6 tmpl src 10.98.0.2 dst 10.98.0.1 proto esp "
      "reqid 8 mode tunnel"},
     PROVED},
    {"SameAlike",
     {IN "priority 5 " ESP, "src 10.97.0.0/24 dst 10.97.0.1 dir in priority 5 " ESP},
     PROVED},

    // Protocols and ports. The flow is from 5000 to 80.
    {"Tcp", {IN_OF("proto tcp") ESP}, PROVED},
    {"TcpOfUdp", {IN_OF("proto tcp") ESP}, "open", "10.97.0.2", "10.97.0.1", IPPROTO_UDP},
    {"Udp", {IN_OF("proto udp") ESP}, "open"},
    {"UdpOfUdp", {IN_OF("proto udp") ESP}, PROVED, "10.97.0.2", "10.97.0.1", IPPROTO_UDP},
    {"Port", {IN_OF("proto tcp dport 80") ESP}, PROVED},
    {"BothPorts", {IN_OF("proto tcp sport 5000 dport 80") ESP}, PROVED},
    {"OtherPort", {IN_OF("proto tcp dport 81") ESP}, "open"},
    {"OtherSourcePort", {IN_OF("proto tcp sport 80") ESP}, "open"},
    {"PortIsOpen",
     {IN "priority 10 " ESP, IN_OF("proto tcp dport 80") "priority 5"},
     "lets clear text in"},
    {"OtherPortIsOpen", {IN "priority 10 " ESP, IN_OF("proto tcp dport 81") "priority 5"}, PROVED},

    // Of packets that a socket does not tell from others.
    {"Mark", {IN "mark 0x1 mask 0xff " ESP}, "is for some packets only"},
    {"MarkOfNone", {IN "mark 0x0 mask 0xff " ESP}, "is for some packets only"},
    {"InterfaceId", {IN "if_id 42 " ESP}, "is for some packets only"},
    {"Interface", {IN_OF("dev lo") ESP}, "is for some packets only"},
    {"SecondTable", {IN "ptype sub " ESP}, "is for some packets only"},
    {"OpenSecondTable", {IN "priority 5 " ESP, IN "ptype sub priority 10"}, "lets clear text in"},
    {"SameInSecondTable", {IN ESP, IN "ptype sub " ESP}, PROVED},
    {"OpenMarkFirst",
     {IN "priority 10 " ESP, IN "priority 5 mark 0x1 mask 0xff"},
     "lets clear text in"},
    {"OpenMarkLater", {IN "priority 5 " ESP, IN "priority 10 mark 0x1 mask 0xff"}, PROVED},
    {"SameMarkFirst", {IN "priority 10 " ESP, IN "priority 5 mark 0x1 mask 0xff " ESP}, PROVED},
    {"AnotherMarkFirst",
     {IN "priority 10 " ESP,
      IN "priority 5 mark 0x1 mask 0xff tmpl src 10.98.0.2 dst 10.98.0.1 proto esp reqid 8 mode "
         "tunnel"},
     "requires another security association"},
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class PolicyTest : public testing::TestWithParam<Case> {};

TEST_P(PolicyTest, Requires) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  const Case& c = GetParam();
  const Network network;
  for (const char* policy : c.policies) {
    network.Run({"sh", "-c", absl::StrCat("ip xfrm policy add ", policy)});
  }
  const std::string required = network
                                   .Start([&c](const Child::Pipes& pipes) {
                                     pipes.Say(Required(c.from, c.to, c.protocol));
                                     return 0;
                                   })
                                   ->Hear();
  if (absl::StartsWith(required, "unproved: ")) {
    EXPECT_TRUE(absl::StrContains(required, c.want)) << required;
  } else {
    EXPECT_EQ(required, c.want);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, PolicyTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// Runs `body` in a network with an interface `va`, and returns what it says.
std::string InNetwork(const std::vector<std::string>& commands,
                      const std::function<std::string()>& body) {
  const Network network;
  network.Run({"ip", "link", "add", "va", "type", "veth", "peer", "name", "vb"});
  for (const std::string& command : commands) network.Run({"sh", "-c", command});
  return network
      .Start([&body](const Child::Pipes& pipes) {
        pipes.Say(body());
        return 0;
      })
      ->Hear();
}

TEST(PoliciesTest, ManyAreListed) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  // Several datagrams; the last one decides.
  EXPECT_EQ(InNetwork({"for i in $(seq 3000); do echo xfrm policy add src "
                       "10.$((i / 250)).$((i % 250)).0/24 dst 10.97.0.1 dir in priority 7 "
                       "tmpl proto esp reqid $i mode transport; done | ip -batch -",
                       "ip xfrm policy add " IN ESP "priority 8"},
                      [] { return Required("10.97.0.2", "10.97.0.1", IPPROTO_TCP); }),
            PROVED);
  EXPECT_EQ(InNetwork({"for i in $(seq 3000); do echo xfrm policy add src "
                       "10.$((i / 250)).$((i % 250)).0/24 dst 10.97.0.1 dir in priority 7 "
                       "tmpl proto esp reqid $i mode transport; done | ip -batch -"},
                      [] { return Required("10.3.77.2", "10.97.0.1", IPPROTO_TCP); }),
            "esp transport 827");
}

TEST(PoliciesTest, NeedsTheRightToReadThem) {
  REQUIRE_NETWORKS();
  REQUIRE_OTHER_USERS();
  EXPECT_EQ(InNetwork({},
                      [] {
                        peer_testing::Become(Identity{1234, 1234, {}});
                        return Required("10.97.0.2", "10.97.0.1", IPPROTO_TCP);
                      }),
            "the kernel tells the IPsec policies to who has CAP_NET_ADMIN only; give it to this "
            "process");
}

TEST(PoliciesTest, StateThatIsNotThere) {
  REQUIRE_NETWORKS();
  EXPECT_EQ(InNetwork({},
                      []() -> std::string {
                        Netlink netlink;
                        if (netlink.Open(NETLINK_XFRM) != 0) return "open";
                        const absl::StatusOr<std::optional<XfrmState>> state = FindState(
                            netlink, *IpAddress::Parse("10.98.0.1"), IPPROTO_ESP, 0x1234567);
                        if (!state.ok()) return std::string(state.status().message());
                        return state->has_value() ? "there" : "not there";
                      }),
            "not there");
}

struct SysctlCase {
  const char* name;
  const char* command;
  bool v6;
  const char* want;
};

std::ostream& operator<<(std::ostream& os, const SysctlCase& c) { return os << c.name; }

class DisablePolicyTest : public testing::TestWithParam<SysctlCase> {};

TEST_P(DisablePolicyTest, IsSeen) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  if (GetParam().v6 && access("/proc/sys/net/ipv6", F_OK) != 0) GTEST_SKIP() << "needs IPv6";
  const std::string said = InNetwork({GetParam().command}, [] {
    return std::string(CheckPoliciesApply(GetParam().v6).message());
  });
  if (*GetParam().want == '\0') {
    EXPECT_EQ(said, "");
  } else {
    EXPECT_TRUE(absl::StrContains(said, GetParam().want)) << said;
  }
}

#define SET4 "echo 1 >/proc/sys/net/ipv4/conf/"
#define SET6 "echo 1 >/proc/sys/net/ipv6/conf/"

INSTANTIATE_TEST_SUITE_P(
    Sysctls, DisablePolicyTest,
    testing::Values(SysctlCase{"None", "true", false, ""}, SysctlCase{"None6", "true", true, ""},
                    SysctlCase{"Interface", SET4 "va/disable_policy", false,
                               "what comes in over va; set net.ipv4.conf.va.disable_policy to 0"},
                    SysctlCase{"Interface6", SET6 "va/disable_policy", true, "over va"},
                    SysctlCase{"All", SET4 "all/disable_policy", false, "over all"},
                    SysctlCase{"All6", SET6 "all/disable_policy", true, "over all"},
                    // The kernel sets it for lo.
                    SysctlCase{"Loopback", SET4 "lo/disable_policy", false, ""},
                    SysctlCase{"Loopback6", SET6 "lo/disable_policy", true, "over lo"},
                    SysctlCase{"Default", SET4 "default/disable_policy", false, ""},
                    SysctlCase{"OtherFamily", SET6 "va/disable_policy", false, ""}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
