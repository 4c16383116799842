#include "reeve/engine/cel/notation.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace reeve::cel {
namespace {

// Where `%g` goes over from digits to an exponent.
constexpr double kLeastFixed = 1e-4;
constexpr double kLeastScientific = 1e6;

std::string_view Put(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return {out, text.size()};
}

// Writes `.5` for 500,000,000; nothing for 0. Returns the end.
char* WriteFraction(uint32_t nanos, char* out) {
  if (nanos == 0) return out;
  *out++ = '.';
  for (uint32_t unit = 100000000; nanos > 0; unit /= 10) {
    *out++ = static_cast<char>('0' + nanos / unit);
    nanos %= unit;
  }
  return out;
}

char* WriteV4(const IpBytes& ip, char* out, char* end) {
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) *out++ = '.';
    out = std::to_chars(out, end, ip.bytes[i]).ptr;
  }
  return out;
}

// The first of the longest runs of two or more zero groups is `::`.
char* WriteV6(const IpBytes& ip, char* out, char* end) {
  constexpr size_t kGroups = 8;
  uint16_t groups[kGroups];
  for (size_t i = 0; i < kGroups; ++i) {
    groups[i] = static_cast<uint16_t>(ip.bytes[2 * i] << 8 | ip.bytes[2 * i + 1]);
  }
  size_t run = kGroups;
  size_t run_size = 1;
  for (size_t i = 0; i < kGroups; ++i) {
    size_t size = 0;
    while (i + size < kGroups && groups[i + size] == 0) ++size;
    if (size > run_size) {
      run = i;
      run_size = size;
    }
  }
  for (size_t i = 0; i < kGroups; ++i) {
    if (i == run) {
      *out++ = ':';
      *out++ = ':';
      i += run_size - 1;
      continue;
    }
    if (i > 0 && out[-1] != ':') *out++ = ':';
    out = std::to_chars(out, end, groups[i], 16).ptr;
  }
  return out;
}

}  // namespace

std::string_view WriteInt(int64_t value, char (&out)[kMaxNotation]) {
  const std::to_chars_result end = std::to_chars(out, out + kMaxNotation, value);
  return {out, static_cast<size_t>(end.ptr - out)};
}

std::string_view WriteUint(uint64_t value, char (&out)[kMaxNotation]) {
  const std::to_chars_result end = std::to_chars(out, out + kMaxNotation, value);
  return {out, static_cast<size_t>(end.ptr - out)};
}

std::string_view WriteDouble(double value, char (&out)[kMaxNotation]) {
  if (std::isnan(value)) return Put("NaN", out);
  if (std::isinf(value)) return Put(value > 0 ? "+Inf" : "-Inf", out);
  const double size = std::fabs(value);
  const bool fixed = size == 0 || (size >= kLeastFixed && size < kLeastScientific);
  const std::to_chars_result end =
      std::to_chars(out, out + kMaxNotation, value,
                    fixed ? std::chars_format::fixed : std::chars_format::scientific);
  return {out, static_cast<size_t>(end.ptr - out)};
}

std::string_view WriteTimestamp(int64_t seconds, uint32_t nanos, char (&out)[kMaxNotation]) {
  const absl::CivilSecond civil =
      absl::ToCivilSecond(absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
  const int length = std::snprintf(out, kMaxNotation, "%04d-%02d-%02dT%02d:%02d:%02d",
                                   static_cast<int>(civil.year()), civil.month(), civil.day(),
                                   civil.hour(), civil.minute(), civil.second());
  char* end = WriteFraction(nanos, out + length);
  *end++ = 'Z';
  return {out, static_cast<size_t>(end - out)};
}

std::string_view WriteDuration(int64_t seconds, uint32_t nanos, char (&out)[kMaxNotation]) {
  char* end = out;
  if (seconds < 0) {
    *end++ = '-';
    if (nanos > 0) ++seconds, nanos = 1000000000 - nanos;  // count downwards from zero
    seconds = -seconds;
  }
  end = WriteFraction(nanos, std::to_chars(end, out + kMaxNotation, seconds).ptr);
  *end++ = 's';
  return {out, static_cast<size_t>(end - out)};
}

std::string_view WriteAddress(const Cell& address, char (&out)[kMaxNotation]) {
  char* const limit = out + kMaxNotation;
  char* end =
      address.is_v6() ? WriteV6(address.ip(), out, limit) : WriteV4(address.ip(), out, limit);
  if (address.kind() == Kind::kCidr) {
    *end++ = '/';
    end = std::to_chars(end, limit, address.prefix()).ptr;
  }
  return {out, static_cast<size_t>(end - out)};
}

}  // namespace reeve::cel
