#include "reeve/adapters/socket/wireguard/kernel_device.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

using Buffer = std::vector<uint8_t>;

constexpr uint32_t kIndex = 7;

Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <typename T>
Buffer BufferOf(const T& value) {
  const Bytes bytes = BytesOf(value);
  return Buffer(bytes.begin(), bytes.end());
}

Buffer Attribute(uint16_t type, const Buffer& value) {
  nlattr header = {};
  header.nla_type = type;
  header.nla_len = static_cast<uint16_t>(sizeof(header) + value.size());
  Buffer bytes = BufferOf(header) + value;
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

Buffer Nest(uint16_t type, const Buffer& value) { return Attribute(NLA_F_NESTED | type, value); }

Buffer Header(uint8_t command = WG_CMD_GET_DEVICE) {
  genlmsghdr header = {};
  header.cmd = command;
  header.version = WG_GENL_VERSION;
  return BufferOf(header);
}

// What the first message of an answer has before its peers.
Buffer Device(uint32_t index = kIndex) {
  return Attribute(WGDEVICE_A_LISTEN_PORT, BufferOf(uint16_t{51820})) +
         Attribute(WGDEVICE_A_FWMARK, BufferOf(uint32_t{0})) +
         Attribute(WGDEVICE_A_IFINDEX, BufferOf(index)) +
         Attribute(WGDEVICE_A_IFNAME, {'w', 'g', '0', 0}) +
         Attribute(WGDEVICE_A_PRIVATE_KEY, Buffer(WG_KEY_LEN, 0xEE)) +
         Attribute(WGDEVICE_A_PUBLIC_KEY, Buffer(WG_KEY_LEN, 0xDD));
}

Buffer Key(uint8_t key) { return Attribute(WGPEER_A_PUBLIC_KEY, Buffer(WG_KEY_LEN, key)); }

Buffer Handshake(int64_t seconds) {
  __kernel_timespec time = {};
  time.tv_sec = seconds;
  time.tv_nsec = 5;
  return Attribute(WGPEER_A_LAST_HANDSHAKE_TIME, BufferOf(time));
}

Buffer AllowedIp(uint16_t family, const char* address, uint8_t length) {
  Buffer bytes(family == AF_INET ? 4 : 16);
  EXPECT_EQ(inet_pton(family, address, bytes.data()), 1) << address;
  return Nest(0, Attribute(WGALLOWEDIP_A_FAMILY, BufferOf(family)) +
                     Attribute(WGALLOWEDIP_A_IPADDR, bytes) +
                     Attribute(WGALLOWEDIP_A_CIDR_MASK, {length}));
}

Buffer AllowedIps(const Buffer& list) { return Nest(WGPEER_A_ALLOWEDIPS, list); }

// The first message's part of a peer, as the kernel orders it.
Buffer Peer(uint8_t key, int64_t handshake, const Buffer& allowed_ips) {
  return Nest(0, Key(key) + Handshake(handshake) +
                     Attribute(WGPEER_A_PRESHARED_KEY, Buffer(WG_KEY_LEN, 0xCC)) +
                     Attribute(WGPEER_A_TX_BYTES, BufferOf(uint64_t{1})) + AllowedIps(allowed_ips) +
                     Attribute(WGPEER_A_PROTOCOL_VERSION, BufferOf(uint32_t{1})));
}

Buffer Peers(const Buffer& list) { return Nest(WGDEVICE_A_PEERS, list); }

// "1@1700: 10.9.0.2/32 fd09::2/128; 2@0: ", or "malformed".
std::string Parsed(const std::vector<Buffer>& messages) {
  KernelDeviceParser parser(kIndex);
  for (const Buffer& message : messages) {
    const Buffer exact(message);
    parser.Take(exact);
  }
  if (!parser.complete()) return "malformed";
  std::string text;
  for (const ConfiguredPeer& peer : parser.Release().peers) {
    text += std::to_string(peer.key[31]) + "@" + std::to_string(peer.last_handshake) + ":";
    for (const IpPrefix& prefix : peer.allowed_ips) {
      text += " " + prefix.address.ToString() + "/" + std::to_string(prefix.length);
    }
    text += ";";
  }
  return text;
}

TEST(KernelDeviceParserTest, Parses) {
  const Buffer a = AllowedIp(AF_INET, "10.9.0.2", 32);
  const Buffer b = AllowedIp(AF_INET6, "fd09::2", 128);
  const Buffer c = AllowedIp(AF_INET, "10.9.1.0", 24);
  struct Case {
    const char* name;
    std::vector<Buffer> messages;
    std::string want;
  };
  const Case cases[] = {
      {"NoPeer", {Header() + Device()}, ""},
      {"EmptyPeers", {Header() + Device() + Peers({})}, ""},
      {"OnePeer",
       {Header() + Device() + Peers(Peer(1, 1700, a + b))},
       "1@1700: 10.9.0.2/32 fd09::2/128;"},
      {"NeverHadAHandshake", {Header() + Device() + Peers(Peer(1, 0, a))}, "1@0: 10.9.0.2/32;"},
      {"NoAllowedIp", {Header() + Device() + Peers(Nest(0, Key(1) + Handshake(5)))}, "1@5:;"},
      {"SeveralPeers",
       {Header() + Device() + Peers(Peer(1, 1700, a) + Peer(2, 1800, c))},
       "1@1700: 10.9.0.2/32;2@1800: 10.9.1.0/24;"},
      {"PeersInSeveralMessages",
       {Header() + Device() + Peers(Peer(1, 1700, a)), Header() + Peers(Peer(2, 1800, c))},
       "1@1700: 10.9.0.2/32;2@1800: 10.9.1.0/24;"},
      {"PeerInSeveralMessages",
       {Header() + Device() + Peers(Peer(1, 1700, a)),
        Header() + Attribute(WGDEVICE_A_IFNAME, {'w', 'g', '0', 0}) +
            Peers(Nest(0, Key(1) + AllowedIps(b))),
        Header() + Peers(Nest(0, Key(1) + AllowedIps(c)) + Peer(2, 1800, {}))},
       "1@1700: 10.9.0.2/32 fd09::2/128 10.9.1.0/24;2@1800:;"},
      {"MappedIsNoV4",
       {Header() + Device() + Peers(Peer(1, 1, AllowedIp(AF_INET6, "::ffff:10.9.0.2", 128)))},
       "1@1: ::ffff:10.9.0.2/128;"},
      {"UnknownAttributes",
       {Header() + Attribute(99, {1}) + Device() +
        Peers(Nest(0, Attribute(99, {}) + Key(1) + AllowedIps(a)))},
       "1@0: 10.9.0.2/32;"},
      {"Nothing", {}, "malformed"},
      {"EmptyMessage", {{}}, "malformed"},
      {"OtherCommand", {Header(WG_CMD_SET_DEVICE) + Device()}, "malformed"},
      {"OtherDevice", {Header() + Device(8)}, "malformed"},
      {"OtherDeviceLater", {Header() + Device(), Header() + Device(8)}, "malformed"},
      {"DeviceNotTold", {Header() + Peers(Peer(1, 1700, a))}, "malformed"},
      {"KeyNotTold", {Header() + Device() + Peers(Nest(0, AllowedIps(a)))}, "malformed"},
      {"KeyTooShort",
       {Header() + Device() + Peers(Nest(0, Attribute(WGPEER_A_PUBLIC_KEY, Buffer(31))))},
       "malformed"},
      {"HandshakeTooShort",
       {Header() + Device() +
        Peers(Nest(0, Key(1) + Attribute(WGPEER_A_LAST_HANDSHAKE_TIME, Buffer(8))))},
       "malformed"},
      {"HandshakeBeforeTime", {Header() + Device() + Peers(Peer(1, -1, a))}, "malformed"},
      {"PrefixTooLong",
       {Header() + Device() + Peers(Peer(1, 1, AllowedIp(AF_INET, "10.9.0.2", 33)))},
       "malformed"},
      {"PrefixNotWhole",
       {Header() + Device() + Peers(Peer(1, 1, Nest(0, Attribute(WGALLOWEDIP_A_CIDR_MASK, {1}))))},
       "malformed"},
      {"AddressOfTheOtherFamily",
       {Header() + Device() +
        Peers(Peer(1, 1,
                   Nest(0, Attribute(WGALLOWEDIP_A_FAMILY, BufferOf(uint16_t{AF_INET})) +
                               Attribute(WGALLOWEDIP_A_IPADDR, Buffer(16)) +
                               Attribute(WGALLOWEDIP_A_CIDR_MASK, {1}))))},
       "malformed"},
      {"MalformedPeers", {Header() + Device() + Peers({9, 0, 0, 0})}, "malformed"},
      {"MalformedPeer", {Header() + Device() + Peers(Nest(0, {3, 0, 0, 0}))}, "malformed"},
      {"MalformedMessage", {Header() + Device() + Buffer{9, 0, 0, 0}}, "malformed"},
      // Nothing heals it.
      {"MalformedThenNot", {Header() + Device(8), Header() + Device()}, "malformed"},
  };
  for (const Case& test : cases) EXPECT_EQ(Parsed(test.messages), test.want) << test.name;
}

TEST(ParseGenericFamilyTest, Parses) {
  const auto number = [](const Buffer& body) { return ParseGenericFamily(body); };
  const Buffer name = Attribute(CTRL_ATTR_FAMILY_NAME, {'w', 'g', 0});
  EXPECT_EQ(number(Header() + name + Attribute(CTRL_ATTR_FAMILY_ID, {30, 0})), uint16_t{30});
  EXPECT_EQ(number(Header() + name), std::nullopt);
  EXPECT_EQ(number(Header() + Attribute(CTRL_ATTR_FAMILY_ID, {30})), std::nullopt);
  // The numbers below are not those of families.
  EXPECT_EQ(number(Header() + Attribute(CTRL_ATTR_FAMILY_ID, {3, 0})), std::nullopt);
  EXPECT_EQ(number(Header() + Attribute(CTRL_ATTR_FAMILY_ID, {30, 0}) + Buffer{9, 0, 0, 0}),
            std::nullopt);
  EXPECT_EQ(number({}), std::nullopt);
}

TEST(FindGenericFamilyTest, AsksTheKernel) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_GENERIC), 0);
  uint16_t type = 0;
  EXPECT_EQ(FindGenericFamily(netlink, "nlctrl", &type), 0);
  EXPECT_EQ(type, GENL_ID_CTRL);
  EXPECT_EQ(FindGenericFamily(netlink, "no-such-family", &type), ENOENT);
}

TEST(AskKernelDeviceTest, SaysWhyNot) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const uint64_t network = NetworkOf(fd);
  close(fd);
  const Deadline deadline(absl::Seconds(1));
  const absl::StatusOr<DeviceConfig> other = AskKernelDevice(1, "lo", network + 999, deadline);
  EXPECT_EQ(PeerErrorOf(other.status()), PeerError::kWrongNamespace) << other.status();
  // `lo`: either the kernel has no WireGuard, or the device is not such.
  const absl::StatusOr<DeviceConfig> lo = AskKernelDevice(1, "lo", network, deadline);
  EXPECT_EQ(PeerErrorOf(lo.status()), PeerError::kUnavailable) << lo.status();
}

}  // namespace
}  // namespace reeve::socket_internal
