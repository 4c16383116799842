// The peers of a WireGuard device, from whichever implementation it has. Private to
// adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_CONFIG_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_CONFIG_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/adapters/socket/ip_address.h"

namespace reeve::socket_internal {

// A Curve25519 public key.
using WireguardKey = std::array<uint8_t, 32>;

// As wg(8) writes keys: 44 characters of base64.
std::string ToBase64(const WireguardKey& key);
// Nothing if `text` is not what ToBase64() writes.
std::optional<WireguardKey> ParseBase64Key(std::string_view text);
// As the configuration protocol writes keys: 64 hexadecimal digits.
std::optional<WireguardKey> ParseHexKey(std::string_view text);

// "10.9.0.2/32". Unlike IpPrefix::Parse(), and as the devices do, it takes what has a colon for an
// IPv6 prefix whatever it says: `::ffff:10.0.0.0/104` covers no IPv4 address.
std::optional<IpPrefix> ParseAllowedIp(std::string_view text);
// Of the bytes of an address, in network order. Nothing if their number is not that of the family,
// AF_INET or AF_INET6, or `length` is beyond them.
std::optional<IpPrefix> MakeAllowedIp(int family, absl::Span<const uint8_t> address, int length);

struct ConfiguredPeer {
  WireguardKey key = {};
  // When it last proved that it has the key, in seconds of Unix time by the device's clock; 0 if
  // never.
  int64_t last_handshake = 0;
  std::vector<IpPrefix> allowed_ips;
};

struct DeviceConfig {
  std::vector<ConfiguredPeer> peers;
};

// More than a device can be used with; what has more is refused.
inline constexpr size_t kMaxAllowedIps = 1 << 20;

// The peer that may send as an address, and the prefix that says so.
struct AllowedPeer {
  const ConfiguredPeer* peer = nullptr;
  IpPrefix prefix;
};

// Whom the device lets send as `address`: the peer of the longest prefix that covers it, as in its
// own table (wireguard.com, "cryptokey routing"). Null if nobody. kAmbiguous if two peers have the
// prefix, which no device lets happen. Points into `config`.
absl::StatusOr<AllowedPeer> FindAllowedPeer(const DeviceConfig& config, const IpAddress& address);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_DEVICE_CONFIG_H_
