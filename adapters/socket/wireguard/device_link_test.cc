#include "reeve/adapters/socket/wireguard/device_link.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve::socket_internal {
namespace {

using peer_testing::Child;
using peer_testing::Network;

using Buffer = std::vector<uint8_t>;

Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Buffer Text(const std::string& text) { return Buffer(text.begin(), text.end()) + Buffer{0}; }

Buffer Attribute(uint16_t type, const Buffer& value) {
  const uint16_t size = static_cast<uint16_t>(4 + value.size());
  Buffer bytes = Buffer{static_cast<uint8_t>(size), static_cast<uint8_t>(size >> 8),
                        static_cast<uint8_t>(type), static_cast<uint8_t>(type >> 8)} +
                 value;
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

Buffer Header(int index) {
  ifinfomsg header = {};
  header.ifi_index = index;
  const Bytes bytes = BytesOf(header);
  return Buffer(bytes.begin(), bytes.end());
}

Buffer Info(const std::string& kind, const Buffer& data) {
  return Attribute(IFLA_LINKINFO,
                   Attribute(IFLA_INFO_KIND, Text(kind)) + Attribute(IFLA_INFO_DATA, data));
}

Buffer TunInfo(uint8_t type, uint8_t persistent, uint8_t multi_queue) {
  return Info("tun", Attribute(IFLA_TUN_TYPE, {type}) + Attribute(IFLA_TUN_PERSIST, {persistent}) +
                         Attribute(IFLA_TUN_MULTI_QUEUE, {multi_queue}));
}

// "7 wg0 wireguard"
std::string TextOf(const std::optional<DeviceLink>& link) {
  if (!link.has_value()) return "malformed";
  const char* const kinds[] = {"other", "wireguard", "tun", "shared tun"};
  return std::to_string(link->index) + " " + link->name + " " +
         kinds[static_cast<size_t>(link->kind)];
}

TEST(ParseDeviceLinkTest, Parses) {
  const Buffer wg0 = Header(7) + Attribute(IFLA_IFNAME, Text("wg0"));
  struct Case {
    const char* name;
    Buffer bytes;
    std::string want;
  };
  const Case cases[] = {
      {"Kernel", wg0 + Info("wireguard", {}), "7 wg0 wireguard"},
      {"Tun", wg0 + TunInfo(IFF_TUN, 0, 0), "7 wg0 tun"},
      {"PersistentTun", wg0 + TunInfo(IFF_TUN, 1, 0), "7 wg0 shared tun"},
      {"TunOfSeveralQueues", wg0 + TunInfo(IFF_TUN, 0, 1), "7 wg0 shared tun"},
      {"Tap", wg0 + TunInfo(IFF_TAP, 0, 0), "7 wg0 shared tun"},
      {"TunOfAnOlderKernel", wg0 + Info("tun", {}), "7 wg0 shared tun"},
      {"Other", wg0 + Info("veth", {}), "7 wg0 other"},
      {"NameThatBeginsSo", wg0 + Info("wireguard2", {}), "7 wg0 other"},
      {"NoKind", wg0, "7 wg0 other"},
      {"NoName", Header(7) + Info("wireguard", {}), "malformed"},
      {"NameOfNoFile", Header(7) + Attribute(IFLA_IFNAME, Text("../wg0")), "malformed"},
      {"NoIndex", Header(0) + Attribute(IFLA_IFNAME, Text("wg0")), "malformed"},
      {"NegativeIndex", Header(-1) + Attribute(IFLA_IFNAME, Text("wg0")), "malformed"},
      {"MalformedInfo", wg0 + Attribute(IFLA_LINKINFO, {3, 0, 1, 0}), "malformed"},
      {"MalformedTun", wg0 + Info("tun", {9, 0, 1, 0}), "malformed"},
      {"Empty", {}, "malformed"},
  };
  for (const Case& c : cases) {
    const Buffer exact(c.bytes);
    EXPECT_EQ(TextOf(ParseDeviceLink(exact)), c.want) << c.name;
  }
}

TEST(IsDeviceNameTest, IsAFileNameToo) {
  for (const char* name : {"wg0", "w", "fifteen-letters", "wg.0"}) {
    EXPECT_TRUE(IsDeviceName(name)) << name;
  }
  for (const std::string& name : {std::string(), std::string("sixteen-letters-"), std::string("."),
                                  std::string(".."), std::string("a/b"), std::string("a:b"),
                                  std::string("a b"), std::string("a\n"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(IsDeviceName(name)) << name;
  }
}

TEST(FindDeviceLinkTest, TellsTheKernelsDevices) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
  const Network network;
  network.Run({"ip", "link", "add", "veth0", "index", "50", "type", "veth", "peer", "name", "v1"});
  network.Run({"ip", "link", "property", "add", "dev", "veth0", "altname", "second"});
  network.Run({"ip", "tuntap", "add", "tun0", "mode", "tun"});
  network.Run({"ip", "tuntap", "add", "tap0", "mode", "tap"});
  const auto child = network.Start([](const Child::Pipes& pipes) {
    Netlink netlink;
    if (netlink.Open(NETLINK_ROUTE) != 0) return 1;
    const auto say = [&](uint32_t index, const std::string& name) {
      DeviceLink link;
      const int error = FindDeviceLink(netlink, index, name, &link);
      pipes.Say(error == 0 ? TextOf(link).substr(link.index == 50 ? 0 : TextOf(link).find(' '))
                           : "errno " + std::to_string(error));
    };
    say(50, "");
    say(0, "veth0");
    say(0, "tun0");
    say(0, "tap0");
    say(0, "lo");
    say(0, "second");
    say(0, "none");
    say(99, "");
    say(0, "");
    return 0;
  });
  EXPECT_EQ(child->Hear(), "50 veth0 other");
  EXPECT_EQ(child->Hear(), "50 veth0 other");
  // Persistent, for nobody has them.
  EXPECT_EQ(child->Hear(), " tun0 shared tun");
  EXPECT_EQ(child->Hear(), " tap0 shared tun");
  EXPECT_EQ(child->Hear(), " lo other");
  // Not by another name than its own.
  EXPECT_EQ(child->Hear(), "errno " + std::to_string(EPROTO));
  EXPECT_EQ(child->Hear(), "errno " + std::to_string(ENODEV));
  EXPECT_EQ(child->Hear(), "errno " + std::to_string(ENODEV));
  EXPECT_EQ(child->Hear(), "errno " + std::to_string(ENODEV));
}

}  // namespace
}  // namespace reeve::socket_internal
