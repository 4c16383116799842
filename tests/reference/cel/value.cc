#include "tests/reference/cel/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace reeve::reference {
namespace {

template <typename T>
int Order(const T& a, const T& b) {
  if (a < b) return -1;
  if (b < a) return 1;
  return 0;
}

// Nothing if it is a double.
std::optional<Wide> Integer(const RefValue& value) {
  if (const auto* i = value.As<int64_t>()) return Wide{*i};
  if (const auto* u = value.As<uint64_t>()) return Wide{*u};
  return std::nullopt;
}

int CompareIntegerToDouble(Wide integer, double real, Wide largest) {
  constexpr double kFarAway = 1e20;  // No 64-bit integer is.
  if (real > kFarAway) return -1;
  if (real < -kFarAway) return 1;
  const Wide whole = static_cast<Wide>(real);
  // The conformance suite has it so: the largest integer is what conversion makes of it.
  if (integer == largest && whole == largest + 1) return 0;
  if (integer != whole) return Order(integer, whole);
  return Order(0.0, real - static_cast<double>(whole));
}

Wide LargestOf(const RefValue& integer) {
  if (integer.As<int64_t>() != nullptr) return std::numeric_limits<int64_t>::max();
  return std::numeric_limits<uint64_t>::max();
}

std::string Escaped(std::string_view text, bool bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const std::string hex = {kHex[byte >> 4], kHex[byte & 15]};
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (bytes) {
      if (byte < 0x20 || byte > 0x7e) {
        out += "\\x" + hex;
      } else {
        out += c;
      }
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00" + hex;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string SecondsAndNanos(Wide nanos) {
  const Wide seconds = FloorDivide(nanos, kNanosPerSecond);
  return "(" + ToText(seconds) + ", " + ToText(nanos - seconds * kNanosPerSecond) + ")";
}

std::string DoubleText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end.ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Digits only, and no zero before others. Nothing if it is none, or above `max`.
std::optional<int> ParsePlainNumber(std::string_view text, int max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  if (number > max) return std::nullopt;
  return number;
}

std::optional<std::vector<uint8_t>> ParseIpv4(std::string_view text) {
  const std::vector<std::string> parts = Split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::vector<uint8_t> bytes;
  for (const std::string& part : parts) {
    const std::optional<int> number = ParsePlainNumber(part, 255);
    if (!number.has_value()) return std::nullopt;
    bytes.push_back(static_cast<uint8_t>(*number));
  }
  return bytes;
}

// Groups between colons; the last may be an IPv4 address if `last` allows it.
std::optional<std::vector<uint8_t>> ParseGroups(std::string_view text, bool last, bool* dotted) {
  std::vector<uint8_t> bytes;
  if (text.empty()) return bytes;
  const std::vector<std::string> groups = Split(text, ':');
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string& group = groups[i];
    if (last && i + 1 == groups.size() && group.find('.') != std::string::npos) {
      const auto v4 = ParseIpv4(group);
      if (!v4.has_value()) return std::nullopt;
      bytes.insert(bytes.end(), v4->begin(), v4->end());
      *dotted = true;
      continue;
    }
    if (group.empty() || group.size() > 4) return std::nullopt;
    int number = 0;
    for (const char c : group) {
      const int lower = c | 0x20;
      if (c >= '0' && c <= '9') {
        number = number * 16 + (c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        number = number * 16 + (lower - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    bytes.push_back(static_cast<uint8_t>(number >> 8));
    bytes.push_back(static_cast<uint8_t>(number & 255));
  }
  return bytes;
}

std::string TwoDigits(int number) { return (number < 10 ? "0" : "") + std::to_string(number); }

}  // namespace

std::string ToText(Wide number) {
  if (number < 0) return "-" + ToText(-number);
  std::string text;
  do {
    text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
  } while (number > 0);
  return text;
}

std::string TypeName(const RefValue& value) {
  static constexpr const char* kNames[] = {"null_type",
                                           "bool",
                                           "int",
                                           "uint",
                                           "double",
                                           "string",
                                           "bytes",
                                           "list",
                                           "map",
                                           "google.protobuf.Timestamp",
                                           "google.protobuf.Duration",
                                           "type",
                                           "optional_type",
                                           "net.IP",
                                           "net.CIDR"};
  return kNames[value.v.index()];
}

bool IsNumber(const RefValue& value) {
  return value.As<int64_t>() != nullptr || value.As<uint64_t>() != nullptr ||
         value.As<double>() != nullptr;
}

std::optional<int> CompareNumbers(const RefValue& a, const RefValue& b) {
  const auto* x = a.As<double>();
  const auto* y = b.As<double>();
  if ((x != nullptr && std::isnan(*x)) || (y != nullptr && std::isnan(*y))) return std::nullopt;
  if (x != nullptr && y != nullptr) return Order(*x, *y);
  if (y != nullptr) return CompareIntegerToDouble(*Integer(a), *y, LargestOf(a));
  if (x != nullptr) return -CompareIntegerToDouble(*Integer(b), *x, LargestOf(b));
  return Order(*Integer(a), *Integer(b));
}

std::optional<int> Compare(const RefValue& a, const RefValue& b) {
  if (IsNumber(a) && IsNumber(b)) return CompareNumbers(a, b).value_or(2);
  if (a.v.index() != b.v.index()) return std::nullopt;
  if (const auto* x = a.As<bool>()) return Order(*x, *b.As<bool>());
  if (const auto* x = a.As<std::string>()) {
    return Order(CodePoints(*x), CodePoints(*b.As<std::string>()));
  }
  if (const auto* x = a.As<RefBytes>()) {
    const std::string& y = b.As<RefBytes>()->bytes;
    return Order(std::vector<uint8_t>(x->bytes.begin(), x->bytes.end()),
                 std::vector<uint8_t>(y.begin(), y.end()));
  }
  if (const auto* x = a.As<RefTimestamp>()) return Order(x->nanos, b.As<RefTimestamp>()->nanos);
  if (const auto* x = a.As<RefDuration>()) return Order(x->nanos, b.As<RefDuration>()->nanos);
  return std::nullopt;
}

Outcome Equal(const RefValue& a, const RefValue& b) {
  if (IsNumber(a) && IsNumber(b)) return Ok(CompareNumbers(a, b) == 0);
  if (a.v.index() != b.v.index()) return Ok(false);
  if (a.As<RefNull>() != nullptr) return Ok(true);
  if (const std::optional<int> order = Compare(a, b)) return Ok(*order == 0);
  if (const auto* x = a.As<RefType>()) return Ok(x->name == b.As<RefType>()->name);
  if (const auto* x = a.As<RefList>()) {
    const auto* y = b.As<RefList>();
    if (x->partial || y->partial) return Fail("not all elements are known");
    if (x->elements.size() != y->elements.size()) return Ok(false);
    for (size_t i = 0; i < x->elements.size(); ++i) {
      Outcome same = Equal(x->elements[i], y->elements[i]);
      if (same.is_error || !std::get<bool>(same.value->v)) return same;
    }
    return Ok(true);
  }
  if (const auto* x = a.As<RefMap>()) {
    const auto* y = b.As<RefMap>();
    if (x->entries.size() != y->entries.size()) return Ok(false);
    for (const RefEntry& entry : x->entries) {
      const RefEntry* found = nullptr;
      for (const RefEntry& other : y->entries) {
        if (std::get<bool>(Equal(entry.key, other.key).value->v)) found = &other;
      }
      if (found == nullptr) return Ok(false);
      Outcome same = Equal(entry.value, found->value);
      if (same.is_error || !std::get<bool>(same.value->v)) return same;
    }
    return Ok(true);
  }
  if (const auto* x = a.As<RefOptional>()) {
    const auto* y = b.As<RefOptional>();
    if (x->value.empty() || y->value.empty()) return Ok(x->value.empty() && y->value.empty());
    return Equal(x->value[0], y->value[0]);
  }
  if (const auto* x = a.As<RefIp>()) {
    return Ok(ToText(*x) == ToText(*b.As<RefIp>()) && x->v6 == b.As<RefIp>()->v6);
  }
  const auto* x = a.As<RefCidr>();
  const auto* y = b.As<RefCidr>();
  return Ok(x->address.v6 == y->address.v6 && ToText(*x) == ToText(*y));
}

int Depth(const RefValue& value) {
  int inner = 0;
  if (const auto* list = value.As<RefList>()) {
    for (const RefValue& element : list->elements) inner = std::max(inner, Depth(element));
  } else if (const auto* map = value.As<RefMap>()) {
    for (const RefEntry& entry : map->entries) inner = std::max(inner, Depth(entry.value));
  } else if (const auto* optional = value.As<RefOptional>()) {
    for (const RefValue& held : optional->value) inner = std::max(inner, Depth(held));
  } else {
    return 0;
  }
  return inner + 1;
}

bool DecodeOne(std::string_view text, size_t* at, char32_t* code_point) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[*at + i]); };
  const unsigned char first = byte(0);
  size_t length = 0;
  char32_t lowest = 0;
  char32_t value = 0;
  if (first < 0x80) {
    length = 1;
    value = first;
  } else if (first >= 0xC0 && first < 0xE0) {
    length = 2;
    lowest = 0x80;
    value = first & 0x1F;
  } else if (first >= 0xE0 && first < 0xF0) {
    length = 3;
    lowest = 0x800;
    value = first & 0x0F;
  } else if (first >= 0xF0 && first < 0xF8) {
    length = 4;
    lowest = 0x10000;
    value = first & 0x07;
  }
  if (length == 0 || *at + length > text.size()) return false;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return false;
    value = (value << 6) | (byte(i) & 0x3F);
  }
  if (value < lowest || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
  *code_point = value;
  *at += length;
  return true;
}

std::optional<std::u32string> DecodeUtf8(std::string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    char32_t code_point = 0;
    if (!DecodeOne(text, &at, &code_point)) return std::nullopt;
    out += code_point;
  }
  return out;
}

std::u32string CodePoints(std::string_view text) { return DecodeUtf8(text).value(); }

std::string EncodeUtf8(const std::u32string& text) {
  std::string out;
  for (const char32_t c : text) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xC0 | (c >> 6));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xE0 | (c >> 12));
      out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | (c >> 18));
      out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return out;
}

std::string ShortestDigits(double value, int* exponent) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string text(buffer, end.ptr);  // d.ddde+xx
  const size_t e = text.find('e');
  std::string digits = text.substr(0, e);
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  *exponent = std::stoi(text.substr(e + 1)) + 1;
  return digits;
}

std::string PlainText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::signbit(value)) return "-" + PlainText(-value);
  if (std::isinf(value)) return "Infinity";
  int exponent = 0;
  std::string digits = ShortestDigits(value, &exponent);
  if (exponent <= 0) return "0." + std::string(static_cast<size_t>(-exponent), '0') + digits;
  const auto whole = static_cast<size_t>(exponent);
  if (digits.size() <= whole) return digits + std::string(whole - digits.size(), '0');
  return digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string ShortText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  if (std::signbit(value)) return "-" + ShortText(-value);
  int exponent = 0;
  const std::string digits = ShortestDigits(value, &exponent);
  const int power = exponent - 1;
  if (value == 0 || (power >= -4 && power <= 5)) return PlainText(value);
  std::string text = digits.substr(0, 1);
  if (digits.size() > 1) text += "." + digits.substr(1);
  return text + (power < 0 ? "e-" : "e+") + TwoDigits(std::abs(power));
}

std::string ToText(const RefIp& address) {
  if (!address.v6) {
    std::string text;
    for (size_t i = 0; i < 4; ++i) text += (i == 0 ? "" : ".") + std::to_string(address.bytes[i]);
    return text;
  }
  std::array<int, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = address.bytes[2 * i] * 256 + address.bytes[2 * i + 1];
  // The longest run of two or more zeros, the first of several.
  size_t best = 8;
  size_t best_length = 1;
  for (size_t i = 0; i < 8; ++i) {
    size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) {
      best = i;
      best_length = length;
    }
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char buffer[8];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), groups[i], 16);
    text.append(buffer, end.ptr);
  }
  return text;
}

std::string ToText(const RefCidr& block) {
  return ToText(block.address) + "/" + std::to_string(block.prefix);
}

std::optional<RefIp> ParseIp(std::string_view text) {
  RefIp address;
  if (text.find(':') == std::string_view::npos) {
    const auto bytes = ParseIpv4(text);
    if (!bytes.has_value()) return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), address.bytes.begin());
    return address;
  }
  address.v6 = true;
  bool dotted = false;
  const size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto bytes = ParseGroups(text, true, &dotted);
    if (!bytes.has_value() || bytes->size() != 16) return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), address.bytes.begin());
  } else {
    if (text.find("::", gap + 1) != std::string_view::npos) return std::nullopt;
    const auto left = ParseGroups(text.substr(0, gap), false, &dotted);
    const auto right = ParseGroups(text.substr(gap + 2), true, &dotted);
    if (!left.has_value() || !right.has_value() || left->size() + right->size() > 14) {
      return std::nullopt;
    }
    std::copy(left->begin(), left->end(), address.bytes.begin());
    std::copy(right->rbegin(), right->rend(), address.bytes.rbegin());
  }
  // An IPv4 address in disguise may not be written so.
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
  if (dotted && std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return std::nullopt;
  }
  return address;
}

std::optional<RefCidr> ParseCidr(std::string_view text) {
  const size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<RefIp> address = ParseIp(text.substr(0, slash));
  if (!address.has_value()) return std::nullopt;
  const auto prefix = ParsePlainNumber(text.substr(slash + 1), address->v6 ? 128 : 32);
  if (!prefix.has_value()) return std::nullopt;
  return RefCidr{*address, *prefix};
}

bool IsLeapYear(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[month - 1];
}

Civil ToCivil(Wide unix_seconds) {
  auto days = static_cast<int64_t>(FloorDivide(unix_seconds, 86400));
  const auto in_day = static_cast<int>(unix_seconds - Wide{days} * 86400);
  Civil civil{};
  civil.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);  // The epoch was a Thursday.
  civil.hour = in_day / 3600;
  civil.minute = in_day / 60 % 60;
  civil.second = in_day % 60;
  civil.year = 1970;
  while (days < 0) days += IsLeapYear(--civil.year) ? 366 : 365;
  while (days >= (IsLeapYear(civil.year) ? 366 : 365)) days -= IsLeapYear(civil.year++) ? 366 : 365;
  civil.day_of_year = static_cast<int>(days);
  civil.month = 1;
  while (days >= DaysInMonth(civil.year, civil.month)) {
    days -= DaysInMonth(civil.year, civil.month++);
  }
  civil.day = static_cast<int>(days) + 1;
  return civil;
}

Wide ToUnixSeconds(const Civil& civil) {
  Wide days = 0;
  for (int64_t year = 1970; year < civil.year; ++year) days += IsLeapYear(year) ? 366 : 365;
  for (int64_t year = civil.year; year < 1970; ++year) days -= IsLeapYear(year) ? 366 : 365;
  for (int month = 1; month < civil.month; ++month) days += DaysInMonth(civil.year, month);
  days += civil.day - 1;
  return ((days * 24 + civil.hour) * 60 + civil.minute) * 60 + civil.second;
}

std::string ToText(const RefTimestamp& timestamp) {
  const Wide seconds = FloorDivide(timestamp.nanos, kNanosPerSecond);
  const Civil civil = ToCivil(seconds);
  std::string year = std::to_string(civil.year);
  year.insert(0, 4 - year.size(), '0');
  std::string text = year + "-" + TwoDigits(civil.month) + "-" + TwoDigits(civil.day) + "T" +
                     TwoDigits(civil.hour) + ":" + TwoDigits(civil.minute) + ":" +
                     TwoDigits(civil.second);
  const Wide nanos = timestamp.nanos - seconds * kNanosPerSecond;
  if (nanos != 0) {
    std::string fraction = ToText(nanos + kNanosPerSecond).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += "." + fraction;
  }
  return text + "Z";
}

std::string ToString(const RefValue& value) {
  if (value.As<RefNull>() != nullptr) return "null";
  if (const auto* x = value.As<bool>()) return *x ? "true" : "false";
  if (const auto* x = value.As<int64_t>()) return std::to_string(*x);
  if (const auto* x = value.As<uint64_t>()) return std::to_string(*x) + "u";
  if (const auto* x = value.As<double>()) return DoubleText(*x);
  if (const auto* x = value.As<std::string>()) return Escaped(*x, false);
  if (const auto* x = value.As<RefBytes>()) return "b" + Escaped(x->bytes, true);
  if (const auto* x = value.As<RefList>()) {
    std::string text;
    for (const RefValue& element : x->elements) {
      text += (text.empty() ? "" : ", ") + ToString(element);
    }
    if (x->partial) text += text.empty() ? "..." : ", ...";
    return "[" + text + "]";
  }
  if (const auto* x = value.As<RefMap>()) {
    std::vector<std::string> entries;
    for (const RefEntry& entry : x->entries) {
      entries.push_back(ToString(entry.key) + ": " + ToString(entry.value));
    }
    std::sort(entries.begin(), entries.end());
    std::string text;
    for (const std::string& entry : entries) text += (text.empty() ? "" : ", ") + entry;
    return "{" + text + "}";
  }
  if (const auto* x = value.As<RefTimestamp>()) return "timestamp" + SecondsAndNanos(x->nanos);
  if (const auto* x = value.As<RefDuration>()) return "duration" + SecondsAndNanos(x->nanos);
  if (const auto* x = value.As<RefType>()) return "type(" + x->name + ")";
  if (const auto* x = value.As<RefOptional>()) {
    return "optional(" + (x->value.empty() ? "" : ToString(x->value[0])) + ")";
  }
  if (const auto* x = value.As<RefIp>()) return "ip(" + ToText(*x) + ")";
  return "cidr(" + ToText(*value.As<RefCidr>()) + ")";
}

std::string ToString(const Outcome& outcome) {
  return outcome.is_error ? "error" : ToString(*outcome.value);
}

}  // namespace reeve::reference
