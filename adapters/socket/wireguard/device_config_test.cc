#include "reeve/adapters/socket/wireguard/device_config.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

constexpr char kBase64[] = "jNQKmw+IF4llmxOlGRPGQV3wFwCTJfXn6dEW2V3RDRQ=";
constexpr char kHex[] = "8cd40a9b0f881789659b13a51913c6415df017009325f5e7e9d116d95dd10d14";

TEST(WireguardKeyTest, IsTheSameInBothSpellings) {
  const std::optional<WireguardKey> key = ParseBase64Key(kBase64);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(ToBase64(*key), kBase64);
  EXPECT_EQ(ParseHexKey(kHex), key);
}

TEST(WireguardKeyTest, HasOneSpelling) {
  const std::string base64 = kBase64;
  struct Case {
    const char* name;
    std::string text;
  };
  const Case cases[] = {
      {"Empty", ""},
      {"NoPadding", base64.substr(0, 43)},
      {"MorePadding", base64 + "="},
      {"Space", base64 + " "},
      {"SpaceInside", base64.substr(0, 20) + " " + base64.substr(20)},
      // The last character has two bits that no byte has.
      {"BitsOfNoByte", base64.substr(0, 42) + "R="},
      {"WebSafe", base64.substr(0, 6) + "-" + base64.substr(7)},
      {"Short", "AAAA"},
      {"Long", base64.substr(0, 42) + "QQ"},
      {"Hex", kHex},
  };
  for (const Case& c : cases) EXPECT_FALSE(ParseBase64Key(c.text).has_value()) << c.name;
  const std::string hex = kHex;
  for (const std::string& text :
       {std::string(), hex.substr(1), hex + "0", "g" + hex.substr(1), " " + hex.substr(1)}) {
    EXPECT_FALSE(ParseHexKey(text).has_value()) << text;
  }
}

// "10.9.0.0/24", or "malformed".
std::string Text(const std::optional<IpPrefix>& prefix) {
  return prefix.has_value() ? prefix->address.ToString() + "/" + std::to_string(prefix->length)
                            : "malformed";
}

TEST(AllowedIpTest, Parses) {
  struct Case {
    std::string text;
    std::string want;
  };
  const Case cases[] = {
      {"10.9.0.2/32", "10.9.0.2/32"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"fd09::2/128", "fd09::2/128"},
      {"::/0", "::/0"},
      {"::ffff:10.9.0.2/128", "::ffff:10.9.0.2/128"},
      {"::ffff:10.0.0.0/8", "::ffff:10.0.0.0/8"},
      {"10.9.0.2/33", "malformed"},
      {"10.9.0.2/-1", "malformed"},
      {"10.9.0.2/", "malformed"},
      {"10.9.0/24", "malformed"},
      {"fd09::2/129", "malformed"},
      {"fd09::2/+1", "malformed"},
      {"fd09::2/0001", "malformed"},
      {"fd09::2/", "malformed"},
      {"fd09::2", "malformed"},
      {"fd09::g/64", "malformed"},
      {"fe80::1%lo/64", "malformed"},
      {std::string("fd09::2\0/64", 11), "malformed"},
      {"", "malformed"},
      {"-10.9.0.2/32", "malformed"},
  };
  for (const Case& c : cases) EXPECT_EQ(Text(ParseAllowedIp(c.text)), c.want) << c.text;
}

TEST(AllowedIpTest, IsMadeOfBytes) {
  const std::vector<uint8_t> v4 = {10, 9, 0, 2};
  const std::vector<uint8_t> v6 = {0xFD, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET, v4, 24)), "10.9.0.2/24");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET6, v6, 128)), "fd09::2/128");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET, v4, 33)), "malformed");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET, v4, -1)), "malformed");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET6, v6, 129)), "malformed");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET, v6, 24)), "malformed");
  EXPECT_EQ(Text(MakeAllowedIp(AF_INET6, v4, 24)), "malformed");
  EXPECT_EQ(Text(MakeAllowedIp(AF_UNIX, v4, 24)), "malformed");
}

ConfiguredPeer Peer(uint8_t key, const std::vector<std::string>& prefixes) {
  ConfiguredPeer peer;
  peer.key[0] = key;
  for (const std::string& prefix : prefixes) peer.allowed_ips.push_back(*ParseAllowedIp(prefix));
  return peer;
}

TEST(FindAllowedPeerTest, TheLongestPrefixWins) {
  const DeviceConfig config = {{
      Peer(1, {"10.9.0.0/24", "fd09::/64"}),
      Peer(2, {"10.9.0.2/32", "fd09::2/128"}),
      Peer(3, {"0.0.0.0/0", "192.168.0.0/16"}),
      Peer(4, {"::ffff:10.0.0.0/104"}),
      Peer(5, {}),
  }};
  struct Case {
    const char* address;
    int key;  // 0: nobody
    const char* prefix;
  };
  const Case cases[] = {
      {"10.9.0.2", 2, "10.9.0.2/32"},
      {"10.9.0.3", 1, "10.9.0.0/24"},
      {"10.9.1.2", 3, "0.0.0.0/0"},
      {"192.168.3.4", 3, "192.168.0.0/16"},
      {"fd09::2", 2, "fd09::2/128"},
      {"fd09::3", 1, "fd09::/64"},
      {"fd0a::1", 0, ""},
      {"::1", 0, ""},
      {"::ffff:10.9.0.2", 2, "10.9.0.2/32"},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<AllowedPeer> found = FindAllowedPeer(config, *IpAddress::Parse(c.address));
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->peer == nullptr ? 0 : found->peer->key[0], c.key) << c.address;
    EXPECT_EQ(found->peer == nullptr ? "" : Text(found->prefix), c.prefix) << c.address;
  }
}

TEST(FindAllowedPeerTest, RefusesWhatTwoHave) {
  const IpAddress address = *IpAddress::Parse("10.9.0.2");
  const auto error = [&address](const DeviceConfig& config) {
    return PeerErrorOf(FindAllowedPeer(config, address).status());
  };
  EXPECT_EQ(error({{Peer(1, {"10.9.0.0/24"}), Peer(2, {"10.9.0.0/24"})}}), PeerError::kAmbiguous);
  // Bits beyond the length make no difference.
  EXPECT_EQ(error({{Peer(1, {"10.9.0.7/24"}), Peer(2, {"10.9.0.9/24"})}}), PeerError::kAmbiguous);
  // A longer one decides, before and after.
  EXPECT_EQ(error({{Peer(1, {"10.9.0.0/24"}), Peer(2, {"10.9.0.0/24"}), Peer(3, {"10.9.0.2/32"})}}),
            std::nullopt);
  EXPECT_EQ(error({{Peer(3, {"10.9.0.2/32"}), Peer(1, {"10.9.0.0/24"}), Peer(2, {"10.9.0.0/24"})}}),
            std::nullopt);
  // One peer that has it twice.
  EXPECT_EQ(error({{Peer(1, {"10.9.0.0/24", "10.9.0.0/24"})}}), std::nullopt);
}

}  // namespace
}  // namespace reeve::socket_internal
