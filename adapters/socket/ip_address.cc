#include "reeve/adapters/socket/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace reeve {
namespace {

IpAddress FromV4(const in_addr& in) {
  IpAddress address;
  std::memcpy(address.bytes.data(), &in, sizeof(in));
  return address;
}

IpAddress FromV6(const in6_addr& in, uint32_t scope) {
  if (IN6_IS_ADDR_V4MAPPED(&in)) {
    in_addr v4;
    std::memcpy(&v4, in.s6_addr + 12, sizeof(v4));
    return FromV4(v4);
  }
  IpAddress address;
  std::memcpy(address.bytes.data(), &in, sizeof(in));
  address.is_v6 = true;
  if (IN6_IS_ADDR_LINKLOCAL(&in)) address.scope = scope;
  return address;
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string copy(text);
  // inet_pton() would stop at the NUL.
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  if (in_addr v4; inet_pton(AF_INET, copy.c_str(), &v4) == 1) return FromV4(v4);
  if (in6_addr v6; inet_pton(AF_INET6, copy.c_str(), &v6) == 1) return FromV6(v6, 0);
  return std::nullopt;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (!is_v6) return bytes[0] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t byte) { return byte == 0; }) &&
         bytes[15] == 1;
}

std::string IpAddress::ToString() const {
  // Each record of a local connection has one, and inet_ntop() is the half of what that costs.
  if (!is_v6) return absl::StrCat(bytes[0], ".", bytes[1], ".", bytes[2], ".", bytes[3]);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  return scope == 0 ? std::string(text) : absl::StrCat(text, "%", scope);
}

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.has_value()) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix{*address, address->bits()};
  const std::string_view digits = text.substr(slash + 1);
  int length;
  if (digits.empty() || digits.size() > 3 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &length) ||
      length > address->bits()) {
    return std::nullopt;
  }
  return IpPrefix{*address, length};
}

bool IpPrefix::Contains(const IpAddress& other) const {
  if (other.is_v6 != address.is_v6) return false;
  const int whole = length / 8;
  if (std::memcmp(address.bytes.data(), other.bytes.data(), whole) != 0) return false;
  const int rest = length % 8;
  if (rest == 0) return true;
  const int mask = 0xFF & ~(0xFF >> rest);
  return ((address.bytes[whole] ^ other.bytes[whole]) & mask) == 0;
}

std::optional<IpEndpoint> IpEndpoint::From(const sockaddr* address, socklen_t size) {
  if (address == nullptr || size < sizeof(sa_family_t)) return std::nullopt;
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof(in));
    return IpEndpoint{FromV4(in.sin_addr), ntohs(in.sin_port)};
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof(in));
    return IpEndpoint{FromV6(in.sin6_addr, in.sin6_scope_id), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

std::string IpEndpoint::ToString() const {
  return address.is_v6 ? absl::StrCat("[", address.ToString(), "]:", port)
                       : absl::StrCat(address.ToString(), ":", port);
}

}  // namespace reeve
