// Conversions between types, and size().
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/notation.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/rfc3339.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve::cel {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

Cell NoOverload(std::string_view name) { return Cell::Error(ErrorCode::kNoSuchOverload, name); }
Cell BadText(std::string_view text) { return Cell::Error(ErrorCode::kBadConversion, text); }
Cell OutOfRange() { return Cell::Error(ErrorCode::kOverflow); }

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// Drops the digits at the front of `text`; returns how many there were.
size_t SkipDigits(std::string_view* text) {
  size_t n = 0;
  while (n < text->size() && IsDigit((*text)[n])) ++n;
  text->remove_prefix(n);
  return n;
}

bool Take(char c, std::string_view* text) {
  if (text->empty() || (*text)[0] != c) return false;
  text->remove_prefix(1);
  return true;
}

// All of `text` as a whole number: digits, for an int after a sign.
template <typename T>
std::optional<Cell> ParseWhole(std::string_view text, Cell (*make)(T)) {
  T value;
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  return result.ec == std::errc() ? make(value) : OutOfRange();
}

// As strconv.ParseFloat() of Go reads decimal numbers: `1`, `.5`, `-1.e3`, `+Inf`, `nan`.
Cell ParseDouble(std::string_view text) {
  std::string_view rest = text;
  const bool negative = Take('-', &rest);
  const bool has_sign = negative || Take('+', &rest);
  if (absl::EqualsIgnoreCase(View(rest), "inf") || absl::EqualsIgnoreCase(View(rest), "infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return Cell::Double(negative ? -infinity : infinity);
  }
  if (absl::EqualsIgnoreCase(View(rest), "nan") && !has_sign) {
    return Cell::Double(std::numeric_limits<double>::quiet_NaN());
  }
  const std::string_view number = rest;
  const size_t whole = SkipDigits(&rest);
  const size_t fraction = Take('.', &rest) ? SkipDigits(&rest) : 0;
  if (whole + fraction == 0) return BadText(text);
  if (Take('e', &rest) || Take('E', &rest)) {
    if (!Take('-', &rest)) Take('+', &rest);
    if (SkipDigits(&rest) == 0) return BadText(text);
  }
  if (!rest.empty()) return BadText(text);
  double value = 0;
  const absl::from_chars_result result =
      absl::from_chars(number.data(), number.data() + number.size(), value);
  // Too small a number is 0, too large a one the largest.
  if (result.ec != std::errc() && value > 1) return OutOfRange();
  return Cell::Double(negative ? -value : value);
}

struct Unit {
  std::string_view name;
  int64_t nanos;
};
constexpr Unit kUnits[] = {
    {"ns", 1},
    {"us", 1000},
    {"\u00B5s", 1000},  // micro sign
    {"\u03BCs", 1000},  // Greek mu
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * int64_t{1000000000}},
    {"h", 3600 * int64_t{1000000000}},
};

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Takes one term, `1.5h`, from the front of *text, a part of `all`, and adds it to *nanos. A null
// cell, or an error.
Cell TakeTerm(std::string_view all, std::string_view* text, uint64_t* nanos) {
  std::string_view rest = *text;
  const size_t whole_digits = SkipDigits(&rest);
  const std::string_view whole = text->substr(0, whole_digits);
  std::string_view fraction;
  if (Take('.', &rest)) {
    const std::string_view digits = rest;
    fraction = digits.substr(0, SkipDigits(&rest));
  }
  if (whole.empty() && fraction.empty()) return BadText(all);
  size_t length = 0;
  while (length < rest.size() && rest[length] != '.' && !IsDigit(rest[length])) ++length;
  const Unit* unit = FindUnit(rest.substr(0, length));
  if (unit == nullptr) return BadText(all);
  *text = rest.substr(length);

  uint64_t value = 0;
  for (const char digit : whole) {
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(digit - '0'), &value)) {
      return OutOfRange();
    }
  }
  if (__builtin_mul_overflow(value, static_cast<uint64_t>(unit->nanos), &value)) {
    return OutOfRange();
  }
  // In doubles, as Go has it: `0.3333333333333333333h` is 20 minutes. Digits from the first on that
  // does not fit are dropped, and so is what is smaller than a nanosecond.
  constexpr uint64_t kMost = uint64_t{1} << 63;
  uint64_t digits = 0;
  double scale = 1;
  for (const char digit : fraction) {
    if (digits > (kMost - 1) / 10) break;
    const uint64_t more = digits * 10 + static_cast<uint64_t>(digit - '0');
    if (more > kMost) break;
    digits = more;
    scale *= 10;
  }
  // At most one unit; 0 if the scale has become infinite.
  const double part = static_cast<double>(digits) * (static_cast<double>(unit->nanos) / scale);
  if (__builtin_add_overflow(value, static_cast<uint64_t>(part), &value) ||
      __builtin_add_overflow(*nanos, value, nanos)) {
    return OutOfRange();
  }
  return Cell::Null();
}

// As time.ParseDuration() of Go: `1h30m`, `-1.5h`, `0`.
Cell ParseDuration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = Take('-', &rest);
  if (!negative) Take('+', &rest);
  if (rest == "0") return Cell::Duration(0, 0);
  if (rest.empty()) return BadText(text);
  uint64_t nanos = 0;
  while (!rest.empty()) {
    const Cell error = TakeTerm(text, &rest, &nanos);
    if (error.is_error()) return error;
  }
  constexpr uint64_t kNanosPerSecond = 1000000000;
  int64_t seconds = static_cast<int64_t>(nanos / kNanosPerSecond);
  uint64_t fraction = nanos % kNanosPerSecond;
  if (negative) {
    seconds = -seconds;
    if (fraction > 0) --seconds, fraction = kNanosPerSecond - fraction;
  }
  return CheckedDuration(seconds, static_cast<uint32_t>(fraction));
}

Cell ParseTimestamp(std::string_view text) {
  // Other readers of this form may leave out the seconds; RFC 3339 does not.
  constexpr size_t kMinutesEnd = 16;
  if (text.size() <= kMinutesEnd || text[kMinutesEnd] != ':') return BadText(text);
  const std::optional<absl::Time> time = ParseRfc3339(text);
  return time.has_value() ? Cell::Of(Value::Timestamp(*time)) : BadText(text);
}

Cell ToBool(absl::Span<const Cell> arguments, Context&) {
  const Cell& value = arguments[0];
  if (value.kind() == Kind::kBool) return value;
  if (value.kind() != Kind::kString) return NoOverload("bool");
  for (const std::string_view text : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (value.text() == text) return Cell::Bool(true);
  }
  for (const std::string_view text : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (value.text() == text) return Cell::Bool(false);
  }
  return BadText(value.text());
}

Cell ToInt(absl::Span<const Cell> arguments, Context& context) {
  const Cell& value = arguments[0];
  switch (value.kind()) {
    case Kind::kInt:
      return value;
    case Kind::kUint:
      if (value.uint_value() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) break;
      return Cell::Int(static_cast<int64_t>(value.uint_value()));
    case Kind::kDouble:
      // Both ends are out (cel-spec, "Overflow"); so is NaN.
      if (!(value.double_value() > -kTwoTo63 && value.double_value() < kTwoTo63)) break;
      return Cell::Int(static_cast<int64_t>(value.double_value()));
    case Kind::kTimestamp:
      return Cell::Int(value.seconds());
    case Kind::kString: {
      std::string_view text = value.text();
      if (!context.Charge(text.size() / 16)) return context.LimitError();
      if (text.size() > 1 && text[0] == '+' && IsDigit(text[1])) text.remove_prefix(1);
      return ParseWhole<int64_t>(text, &Cell::Int).value_or(BadText(value.text()));
    }
    default:
      return NoOverload("int");
  }
  return OutOfRange();
}

Cell ToUint(absl::Span<const Cell> arguments, Context& context) {
  const Cell& value = arguments[0];
  switch (value.kind()) {
    case Kind::kUint:
      return value;
    case Kind::kInt:
      if (value.int_value() < 0) break;
      return Cell::Uint(static_cast<uint64_t>(value.int_value()));
    case Kind::kDouble:
      if (!(value.double_value() >= 0 && value.double_value() < kTwoTo64)) break;
      return Cell::Uint(static_cast<uint64_t>(value.double_value()));
    case Kind::kString:
      if (!context.Charge(value.text().size() / 16)) return context.LimitError();
      return ParseWhole<uint64_t>(value.text(), &Cell::Uint).value_or(BadText(value.text()));
    default:
      return NoOverload("uint");
  }
  return OutOfRange();
}

Cell ToDouble(absl::Span<const Cell> arguments, Context& context) {
  const Cell& value = arguments[0];
  switch (value.kind()) {
    case Kind::kDouble:
      return value;
    case Kind::kInt:
      return Cell::Double(static_cast<double>(value.int_value()));
    case Kind::kUint:
      return Cell::Double(static_cast<double>(value.uint_value()));
    case Kind::kString:
      if (!context.Charge(value.text().size() / 16)) return context.LimitError();
      return ParseDouble(value.text());
    default:
      return NoOverload("double");
  }
}

Cell ToText(absl::Span<const Cell> arguments, Context& context) {
  const Cell& value = arguments[0];
  char text[kMaxNotation];
  switch (value.kind()) {
    case Kind::kString:
      return value;
    case Kind::kBool:
      return Cell::String(value.bool_value() ? "true" : "false");
    case Kind::kInt:
      return context.CopyString(WriteInt(value.int_value(), text));
    case Kind::kUint:
      return context.CopyString(WriteUint(value.uint_value(), text));
    case Kind::kDouble:
      return context.CopyString(WriteDouble(value.double_value(), text));
    case Kind::kBytes:
      if (!context.Charge(value.text().size() / 16)) return context.LimitError();
      if (!IsValidUtf8(value.text())) {
        return Cell::Error(ErrorCode::kBadConversion, "bytes that are not UTF-8");
      }
      return Cell::String(value.text());
    case Kind::kTimestamp:
      return context.CopyString(WriteTimestamp(value.seconds(), value.nanos(), text));
    case Kind::kDuration:
      return context.CopyString(WriteDuration(value.seconds(), value.nanos(), text));
    case Kind::kIp:
    case Kind::kCidr:
      return context.CopyString(WriteAddress(value, text));
    default:
      return NoOverload("string");
  }
}

Cell ToBytes(absl::Span<const Cell> arguments, Context&) {
  const Cell& value = arguments[0];
  if (value.kind() == Kind::kBytes) return value;
  return value.kind() == Kind::kString ? Cell::Bytes(value.text()) : NoOverload("bytes");
}

Cell ToTimestamp(absl::Span<const Cell> arguments, Context&) {
  const Cell& value = arguments[0];
  switch (value.kind()) {
    case Kind::kTimestamp:
      return value;
    case Kind::kInt:
      return CheckedTimestamp(value.int_value(), 0);
    case Kind::kString:
      return ParseTimestamp(value.text());
    default:
      return NoOverload("timestamp");
  }
}

Cell ToDuration(absl::Span<const Cell> arguments, Context& context) {
  const Cell& value = arguments[0];
  if (value.kind() == Kind::kDuration) return value;
  if (value.kind() != Kind::kString) return NoOverload("duration");
  if (!context.Charge(value.text().size() / 16)) return context.LimitError();
  return ParseDuration(value.text());
}

Cell ToDyn(absl::Span<const Cell> arguments, Context&) { return arguments[0]; }

Cell ToType(absl::Span<const Cell> arguments, Context&) { return TypeOf(arguments[0]); }

Cell SizeOf(absl::Span<const Cell> arguments, Context& context) {
  return Size(arguments[0], context);
}

constexpr Function kFunctions[] = {
    {"bool", 1, 1, ToBool},
    {"bytes", 1, 1, ToBytes},
    {"double", 1, 1, ToDouble},
    {"duration", 1, 1, ToDuration, /*costly=*/true},
    {"dyn", 1, 1, ToDyn},
    {"int", 1, 1, ToInt},
    {"size", 1, 1, SizeOf},
    {"string", 1, 1, ToText, /*costly=*/true},
    {"timestamp", 1, 1, ToTimestamp, /*costly=*/true},
    {"type", 1, 1, ToType},
    {"uint", 1, 1, ToUint},
};

}  // namespace

absl::Span<const Function> ConversionFunctions() { return kFunctions; }

}  // namespace reeve::cel
