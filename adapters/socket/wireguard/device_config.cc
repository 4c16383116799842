#include "reeve/adapters/socket/wireguard/device_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string ToBase64(const WireguardKey& key) {
  return absl::Base64Escape(
      absl::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
}

std::optional<WireguardKey> ParseBase64Key(std::string_view text) {
  std::string bytes;
  WireguardKey key;
  if (!absl::Base64Unescape(ToAbsl(text), &bytes) || bytes.size() != key.size()) {
    return std::nullopt;
  }
  std::copy(bytes.begin(), bytes.end(), key.begin());
  // The decoder lets other spellings pass.
  if (ToBase64(key) != text) return std::nullopt;
  return key;
}

std::optional<WireguardKey> ParseHexKey(std::string_view text) {
  WireguardKey key;
  if (text.size() != 2 * key.size() ||
      text.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string bytes = absl::HexStringToBytes(ToAbsl(text));
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

std::optional<IpPrefix> MakeAllowedIp(int family, absl::Span<const uint8_t> address, int length) {
  IpPrefix prefix;
  prefix.address.is_v6 = family == AF_INET6;
  if ((family != AF_INET && family != AF_INET6) || address.size() != prefix.address.size() ||
      length < 0 || length > prefix.address.bits()) {
    return std::nullopt;
  }
  std::copy(address.begin(), address.end(), prefix.address.bytes.begin());
  prefix.length = length;
  return prefix;
}

std::optional<IpPrefix> ParseAllowedIp(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return IpPrefix::Parse(text);
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  in6_addr v6;
  // inet_pton() would stop at the NUL.
  if (slash == std::string_view::npos || address.find('\0') != std::string::npos ||
      inet_pton(AF_INET6, address.c_str(), &v6) != 1) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(slash + 1);
  int length;
  if (digits.empty() || digits.size() > 3 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(ToAbsl(digits), &length)) {
    return std::nullopt;
  }
  return MakeAllowedIp(AF_INET6, v6.s6_addr, length);
}

absl::StatusOr<AllowedPeer> FindAllowedPeer(const DeviceConfig& config, const IpAddress& address) {
  AllowedPeer best;
  bool ambiguous = false;
  for (const ConfiguredPeer& peer : config.peers) {
    for (const IpPrefix& prefix : peer.allowed_ips) {
      if (!prefix.Contains(address)) continue;
      if (best.peer == nullptr || prefix.length > best.prefix.length) {
        best = AllowedPeer{&peer, prefix};
        ambiguous = false;
      } else if (prefix.length == best.prefix.length && peer.key != best.peer->key) {
        ambiguous = true;
      }
    }
  }
  if (ambiguous) {
    return MakePeerError(
        PeerError::kAmbiguous,
        absl::StrCat("two peers may send as ", address.ToString(), " by a prefix of ",
                     best.prefix.length, " bits; ask again when the device is configured"));
  }
  return best;
}

}  // namespace reeve::socket_internal
