// Addresses of the Internet protocols, as the sources of peers compare them. Private to this
// folder.
#ifndef REEVE_ADAPTERS_SOCKET_IP_ADDRESS_H_
#define REEVE_ADAPTERS_SOCKET_IP_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reeve {

// An IPv4 or IPv6 address. An IPv4 address that is mapped into IPv6 (RFC 4291, 2.5.5.2) is the IPv4
// address: the kernel makes no difference between them. Equal if the same.
struct IpAddress {
  std::array<uint8_t, 16> bytes = {};  // In network order; IPv4 has the first four.
  bool is_v6 = false;
  uint32_t scope = 0;  // The interface of a link-local address; else 0.

  // "10.1.2.3" or "fe80::1" (inet_pton(3)); no port, no prefix, no zone.
  static std::optional<IpAddress> Parse(std::string_view text);

  // 4 or 16.
  size_t size() const { return is_v6 ? 16 : 4; }
  int bits() const { return is_v6 ? 128 : 32; }
  bool is_unspecified() const;  // 0.0.0.0 or ::
  bool is_loopback() const;     // 127.0.0.0/8 or ::1
  // As inet_ntop(3) has it; with %scope if there is one.
  std::string ToString() const;

  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.is_v6 == b.is_v6 && a.bytes == b.bytes && a.scope == b.scope;
  }
  friend bool operator!=(const IpAddress& a, const IpAddress& b) { return !(a == b); }
};

// "10.0.0.0/8"; an address alone is a prefix of all its bits.
struct IpPrefix {
  IpAddress address;
  int length = 0;

  // Nothing if it is not a prefix: the length is beyond the address, or not a plain number. Bits
  // beyond the length are allowed and mean nothing.
  static std::optional<IpPrefix> Parse(std::string_view text);

  // False for an address of the other family. Scopes are not compared.
  bool Contains(const IpAddress& other) const;
};

struct IpEndpoint {
  IpAddress address;
  uint16_t port = 0;

  // Nothing for another family than AF_INET and AF_INET6, or one that is cut short.
  static std::optional<IpEndpoint> From(const sockaddr* address, socklen_t size);

  // "127.0.0.1:80", "[::1]:80".
  std::string ToString() const;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IP_ADDRESS_H_
