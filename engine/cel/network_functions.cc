#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/network.h"
#include "reeve/engine/cel/notation.h"

namespace reeve::cel {
namespace {

using Arguments = absl::Span<const Cell>;

constexpr size_t kMaxTextSize = 49;  // Of an address of 45 characters, and `/128`.

struct Address {
  IpBytes ip = {};
  bool is_v6 = false;
  uint8_t prefix = 0;  // Of a network.
};

// `192.0.2.1`, without the leading zeros that some take for octal.
bool HasLeadingZero(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '0' && (i == 0 || text[i - 1] == '.') && text[i + 1] != '.') return true;
  }
  return false;
}

// Empty, or what is wrong.
std::string_view ParseIp(std::string_view text, Address* address) {
  constexpr std::string_view kNot = "not an IP address";
  char terminated[kMaxTextSize + 1];
  if (text.size() > kMaxTextSize || text.find('\0') != std::string_view::npos) return kNot;
  // With a zone it names an interface of one machine.
  if (text.find('%') != std::string_view::npos) return "an IP address with a zone";
  std::copy(text.begin(), text.end(), terminated);
  terminated[text.size()] = '\0';
  address->ip = {};
  address->is_v6 = text.find(':') != std::string_view::npos;
  if (!address->is_v6) {
    if (HasLeadingZero(text)) return kNot;
    return inet_pton(AF_INET, terminated, address->ip.bytes) == 1 ? std::string_view() : kNot;
  }
  const size_t point = text.find('.');
  if (point != std::string_view::npos && HasLeadingZero(text.substr(text.rfind(':') + 1))) {
    return kNot;
  }
  if (inet_pton(AF_INET6, terminated, address->ip.bytes) != 1) return kNot;
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (point != std::string_view::npos &&
      std::memcmp(address->ip.bytes, kMapped, sizeof(kMapped)) == 0) {
    return "an IPv4 address written as IPv6";
  }
  return {};
}

// Empty, or what is wrong.
std::string_view ParseCidr(std::string_view text, Address* address) {
  constexpr std::string_view kNot = "not a network as in 192.0.2.0/24";
  if (text.size() > kMaxTextSize) return kNot;
  const size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return kNot;
  const std::string_view defect = ParseIp(text.substr(0, slash), address);
  if (!defect.empty()) return defect;
  const std::string_view digits = text.substr(slash + 1);
  if (digits.empty() || digits.size() > 3 || (digits[0] == '0' && digits.size() > 1)) return kNot;
  uint8_t prefix = 0;
  const char* end = digits.data() + digits.size();
  const std::from_chars_result read = std::from_chars(digits.data(), end, prefix);
  if (read.ec != std::errc() || read.ptr != end) return kNot;
  if (prefix > (address->is_v6 ? 128 : 32)) return kNot;
  address->prefix = prefix;
  return {};
}

Cell MakeIp(const Address& address, Context& context) {
  IpBytes* bytes = context.Allocate<IpBytes>(1);
  if (bytes == nullptr) return context.LimitError();
  *bytes = address.ip;
  return Cell::Ip(bytes, address.is_v6);
}

Cell MakeCidr(const Address& address, Context& context) {
  IpBytes* bytes = context.Allocate<IpBytes>(1);
  if (bytes == nullptr) return context.LimitError();
  *bytes = address.ip;
  return Cell::Cidr(bytes, address.is_v6, address.prefix);
}

Address AddressOf(const Cell& cell) {
  return {cell.ip(), cell.is_v6(), cell.kind() == Kind::kCidr ? cell.prefix() : uint8_t{0}};
}

// Whether the first `bits` of two addresses are the same.
bool ShareBits(const IpBytes& a, const IpBytes& b, uint8_t bits) {
  const size_t whole = bits / 8;
  if (std::memcmp(a.bytes, b.bytes, whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest)) == 0;
}

IpBytes Masked(const IpBytes& ip, uint8_t bits) {
  IpBytes masked = {};
  for (size_t i = 0; i < sizeof(masked.bytes); ++i) {
    const int kept = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
    masked.bytes[i] = static_cast<uint8_t>(ip.bytes[i] & (0xFF00 >> kept));
  }
  return masked;
}

// `ip(string)` and `cidr.ip()`.
Cell Ip(Arguments arguments, Context& context) {
  const Cell& argument = arguments[0];
  if (argument.kind() == Kind::kCidr) return Cell::Ip(&argument.ip(), argument.is_v6());
  if (argument.kind() != Kind::kString) return NoSuchOverload("ip");
  Address address;
  const std::string_view defect = ParseIp(argument.text(), &address);
  if (!defect.empty()) return Cell::Error(ErrorCode::kBadConversion, defect);
  return MakeIp(address, context);
}

Cell MakeCidrOfText(Arguments arguments, Context& context) {
  if (arguments[0].kind() != Kind::kString) return NoSuchOverload("cidr");
  Address address;
  const std::string_view defect = ParseCidr(arguments[0].text(), &address);
  if (!defect.empty()) return Cell::Error(ErrorCode::kBadConversion, defect);
  return MakeCidr(address, context);
}

Cell IsIp(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kString) return NoSuchOverload("isIP");
  Address address;
  return Cell::Bool(ParseIp(arguments[0].text(), &address).empty());
}

Cell IsCidr(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kString) return NoSuchOverload("isCIDR");
  Address address;
  return Cell::Bool(ParseCidr(arguments[0].text(), &address).empty());
}

Cell IsCanonical(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kString) return NoSuchOverload("ip.isCanonical");
  Address address;
  const std::string_view defect = ParseIp(arguments[0].text(), &address);
  if (!defect.empty()) return Cell::Error(ErrorCode::kBadConversion, defect);
  char text[kMaxNotation];
  const Cell ip = Cell::Ip(&address.ip, address.is_v6);
  return Cell::Bool(WriteAddress(ip, text) == arguments[0].text());
}

Cell Family(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kIp) return NoSuchOverload("family");
  return Cell::Int(arguments[0].is_v6() ? 6 : 4);
}

size_t SizeOf(const Cell& ip) { return ip.is_v6() ? 16 : 4; }

// Whether all bytes but the last are zero, and that one is `last`.
bool IsOnly(const Cell& ip, uint8_t last) {
  const uint8_t* bytes = ip.ip().bytes;
  const size_t size = SizeOf(ip);
  return std::all_of(bytes, bytes + size - 1, [](uint8_t byte) { return byte == 0; }) &&
         bytes[size - 1] == last;
}

// Source: RFC 1122, section 3.2.1.3; RFC 3927; RFC 4291; RFC 5771; as Go's net/netip has them.
bool IsUnspecified(const Cell& ip) { return IsOnly(ip, 0); }

bool IsLoopback(const Cell& ip) { return ip.is_v6() ? IsOnly(ip, 1) : ip.ip().bytes[0] == 127; }

bool IsMulticast(const Cell& ip) {
  const uint8_t first = ip.ip().bytes[0];
  return ip.is_v6() ? first == 0xFF : first >> 4 == 0xE;
}

bool IsLinkLocalMulticast(const Cell& ip) {
  const uint8_t* bytes = ip.ip().bytes;
  if (ip.is_v6()) return bytes[0] == 0xFF && (bytes[1] & 0xF) == 2;
  return bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0;
}

bool IsLinkLocalUnicast(const Cell& ip) {
  const uint8_t* bytes = ip.ip().bytes;
  if (ip.is_v6()) return bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80;
  return bytes[0] == 169 && bytes[1] == 254;
}

bool IsGlobalUnicast(const Cell& ip) {
  constexpr uint8_t kBroadcast[4] = {255, 255, 255, 255};
  if (!ip.is_v6() && std::memcmp(ip.ip().bytes, kBroadcast, 4) == 0) return false;
  return !IsUnspecified(ip) && !IsLoopback(ip) && !IsMulticast(ip) && !IsLinkLocalUnicast(ip);
}

// `ip.<name>()`.
template <bool (*kTest)(const Cell&)>
Cell Test(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kIp) return NoSuchOverload("a test of an IP address");
  return Cell::Bool(kTest(arguments[0]));
}

// Whether the network `outer` has all of `inner`, which is one or, with the longest prefix, a
// single address.
bool Contains(const Cell& outer, const Address& inner, uint8_t prefix) {
  return outer.is_v6() == inner.is_v6 && outer.prefix() <= prefix &&
         ShareBits(outer.ip(), inner.ip, outer.prefix());
}

Cell ContainsIp(Arguments arguments, Context&) {
  const Cell& network = arguments[0];
  const Cell& ip = arguments[1];
  if (network.kind() != Kind::kCidr) return NoSuchOverload("containsIP");
  Address address;
  if (ip.kind() == Kind::kIp) {
    address = AddressOf(ip);
  } else if (ip.kind() == Kind::kString) {
    const std::string_view defect = ParseIp(ip.text(), &address);
    if (!defect.empty()) return Cell::Error(ErrorCode::kBadConversion, defect);
  } else {
    return NoSuchOverload("containsIP");
  }
  return Cell::Bool(Contains(network, address, 128));
}

Cell ContainsCidr(Arguments arguments, Context&) {
  const Cell& network = arguments[0];
  const Cell& inner = arguments[1];
  if (network.kind() != Kind::kCidr) return NoSuchOverload("containsCIDR");
  Address address;
  if (inner.kind() == Kind::kCidr) {
    address = AddressOf(inner);
  } else if (inner.kind() == Kind::kString) {
    const std::string_view defect = ParseCidr(inner.text(), &address);
    if (!defect.empty()) return Cell::Error(ErrorCode::kBadConversion, defect);
  } else {
    return NoSuchOverload("containsCIDR");
  }
  return Cell::Bool(Contains(network, address, address.prefix));
}

Cell Mask(Arguments arguments, Context& context) {
  if (arguments[0].kind() != Kind::kCidr) return NoSuchOverload("masked");
  Address address = AddressOf(arguments[0]);
  address.ip = Masked(address.ip, address.prefix);
  return MakeCidr(address, context);
}

Cell PrefixLength(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kCidr) return NoSuchOverload("prefixLength");
  return Cell::Int(arguments[0].prefix());
}

constexpr Function kFunctions[] = {
    {"cidr", 1, 1, MakeCidrOfText, /*costly=*/true},
    {"containsCIDR", 2, 2, ContainsCidr},
    {"containsIP", 2, 2, ContainsIp},
    {"family", 1, 1, Family},
    {"ip", 1, 1, Ip, /*costly=*/true},
    {"ip.isCanonical", 1, 1, IsCanonical, /*costly=*/true},
    {"isCIDR", 1, 1, IsCidr, /*costly=*/true},
    {"isGlobalUnicast", 1, 1, Test<IsGlobalUnicast>},
    {"isIP", 1, 1, IsIp, /*costly=*/true},
    {"isLinkLocalMulticast", 1, 1, Test<IsLinkLocalMulticast>},
    {"isLinkLocalUnicast", 1, 1, Test<IsLinkLocalUnicast>},
    {"isLoopback", 1, 1, Test<IsLoopback>},
    {"isUnspecified", 1, 1, Test<IsUnspecified>},
    {"masked", 1, 1, Mask},
    {"prefixLength", 1, 1, PrefixLength},
};

}  // namespace

Cell IpToString(const Cell& address, Context& context) {
  char text[kMaxNotation];
  return context.CopyString(WriteAddress(address, text));
}

absl::Span<const Function> NetworkFunctions() { return kFunctions; }

}  // namespace reeve::cel
