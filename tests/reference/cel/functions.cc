#include "reeve/tests/reference/cel/functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "tests/reference/cel/value.h"

namespace reeve::reference {
namespace {

constexpr int64_t kIntMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kIntMax = std::numeric_limits<int64_t>::max();
constexpr uint64_t kUintMax = std::numeric_limits<uint64_t>::max();
constexpr int kMaxPrecision = 1000;

// The arguments of one call.
struct Call {
  std::string name;
  const Arguments& arguments;
  Steps* steps;

  size_t size() const { return arguments.size(); }
  const RefValue& operator[](size_t i) const { return arguments[i]; }
  // Null if there is no such argument, or one of another type.
  template <typename T>
  const T* As(size_t i) const {
    return i < arguments.size() ? arguments[i].As<T>() : nullptr;
  }
  Outcome Mismatch() const { return NoOverload(name); }
  Outcome Spent() const { return {std::nullopt, true, true, "too many steps"}; }
};

Outcome Overflow() { return Fail("overflow"); }

Outcome OkInt(Wide number) {
  if (number < kIntMin || number > kIntMax) return Overflow();
  return Ok(static_cast<int64_t>(number));
}

Outcome OkUint(Wide number) {
  if (number < 0 || number > Wide{kUintMax}) return Overflow();
  return Ok(static_cast<uint64_t>(number));
}

Outcome OkText(std::string text) { return Ok(RefValue::Variant(std::move(text))); }
Outcome OkText(const std::u32string& text) { return OkText(EncodeUtf8(text)); }

Outcome OkList(std::vector<RefValue> elements) {
  return Ok(RefValue::Variant(RefList{std::move(elements), false}));
}

Outcome OkOptional(std::vector<RefValue> value) {
  return Ok(RefValue::Variant(RefOptional{std::move(value)}));
}

bool IsTrue(const Outcome& outcome) {
  return !outcome.is_error && outcome.value->As<bool>() != nullptr && *outcome.value->As<bool>();
}

// A list of which all elements are known; null of anything else.
const std::vector<RefValue>* WholeList(const Call& call, size_t i) {
  const auto* list = call.As<RefList>(i);
  return list == nullptr || list->partial ? nullptr : &list->elements;
}

// ---- Conversions ----

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Nothing if it is not digits, or more than a 64-bit number can be.
std::optional<Wide> ParseDigits(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Wide number = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    number = number * 10 + (c - '0');
    if (number > Wide{kUintMax}) return std::nullopt;
  }
  return number;
}

// Takes a sign off the front: 1 or -1.
int TakeSign(std::string_view* text) {
  if (text->empty() || ((*text)[0] != '-' && (*text)[0] != '+')) return 1;
  const int sign = (*text)[0] == '-' ? -1 : 1;
  text->remove_prefix(1);
  return sign;
}

Outcome ToInt(const Call& call) {
  if (call.As<int64_t>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<uint64_t>(0)) return OkInt(Wide{*x});
  if (const auto* x = call.As<double>(0)) {
    // Both ends are out.
    if (!(*x > -0x1p63 && *x < 0x1p63)) return Overflow();
    return Ok(static_cast<int64_t>(*x));
  }
  if (const auto* x = call.As<std::string>(0)) {
    std::string_view text = *x;
    const int sign = TakeSign(&text);
    const std::optional<Wide> number = ParseDigits(text);
    if (!number.has_value()) return Fail("not an int");
    return OkInt(*number * sign);
  }
  if (const auto* x = call.As<RefTimestamp>(0)) {
    return OkInt(FloorDivide(x->nanos, kNanosPerSecond));
  }
  return call.Mismatch();
}

Outcome ToUint(const Call& call) {
  if (call.As<uint64_t>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<int64_t>(0)) return OkUint(*x);
  if (const auto* x = call.As<double>(0)) {
    if (!(*x >= 0 && *x < 0x1p64)) return Overflow();
    return Ok(static_cast<uint64_t>(*x));
  }
  if (const auto* x = call.As<std::string>(0)) {
    const std::optional<Wide> number = ParseDigits(*x);
    return number.has_value() ? OkUint(*number) : Fail("not a uint");
  }
  return call.Mismatch();
}

// What a number looks like: a point needs a digit beside it.
bool IsDecimal(const std::string& text) {
  static const RE2* const kDecimal =
      new RE2(R"([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)");
  return RE2::FullMatch(text, *kDecimal);
}

Outcome ToDouble(const Call& call) {
  if (call.As<double>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<int64_t>(0)) return Ok(static_cast<double>(*x));
  if (const auto* x = call.As<uint64_t>(0)) return Ok(static_cast<double>(*x));
  if (const auto* x = call.As<std::string>(0)) {
    static const RE2* const kInfinity = new RE2(R"((?i)([+-]?)inf(?:inity)?)");
    static const RE2* const kNan = new RE2(R"((?i)nan)");
    std::string sign;
    if (RE2::FullMatch(*x, *kNan)) return Ok(std::numeric_limits<double>::quiet_NaN());
    if (RE2::FullMatch(*x, *kInfinity, &sign)) return Ok(sign == "-" ? -HUGE_VAL : HUGE_VAL);
    if (!IsDecimal(*x)) return Fail("not a double");
    const double number = std::strtod(x->c_str(), nullptr);
    if (std::isinf(number)) return Overflow();
    return Ok(number);
  }
  return call.Mismatch();
}

std::string SecondsText(Wide nanos) {
  if (nanos < 0) return "-" + SecondsText(-nanos);
  std::string text = ToText(nanos / kNanosPerSecond);
  if (nanos % kNanosPerSecond != 0) {
    std::string fraction = ToText(nanos % kNanosPerSecond + kNanosPerSecond).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += "." + fraction;
  }
  return text + "s";
}

Outcome ToStringFunction(const Call& call) {
  if (call.As<std::string>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<bool>(0)) return OkText(std::string(*x ? "true" : "false"));
  if (const auto* x = call.As<int64_t>(0)) return OkText(std::to_string(*x));
  if (const auto* x = call.As<uint64_t>(0)) return OkText(std::to_string(*x));
  if (const auto* x = call.As<double>(0)) return OkText(ShortText(*x));
  if (const auto* x = call.As<RefBytes>(0)) {
    return DecodeUtf8(x->bytes).has_value() ? OkText(x->bytes) : Fail("invalid UTF-8");
  }
  if (const auto* x = call.As<RefTimestamp>(0)) return OkText(ToText(*x));
  if (const auto* x = call.As<RefDuration>(0)) return OkText(SecondsText(x->nanos));
  if (const auto* x = call.As<RefIp>(0)) return OkText(ToText(*x));
  if (const auto* x = call.As<RefCidr>(0)) return OkText(ToText(*x));
  return call.Mismatch();
}

Outcome ToBytes(const Call& call) {
  if (call.As<RefBytes>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<std::string>(0)) return Ok(RefValue::Variant(RefBytes{*x}));
  return call.Mismatch();
}

Outcome ToBool(const Call& call) {
  if (call.As<bool>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<std::string>(0)) {
    for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
      if (*x == yes) return Ok(true);
    }
    for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) {
      if (*x == no) return Ok(false);
    }
    return Fail("not a bool");
  }
  return call.Mismatch();
}

Outcome OkDuration(Wide nanos) {
  if (nanos < kIntMin || nanos > kIntMax) return Overflow();
  return Ok(RefValue::Variant(RefDuration{nanos}));
}

Outcome OkTimestamp(Wide nanos) {
  static const Wide kFirst = ToUnixSeconds({1, 1, 1, 0, 0, 0, 0, 0}) * kNanosPerSecond;
  static const Wide kEnd = ToUnixSeconds({10000, 1, 1, 0, 0, 0, 0, 0}) * kNanosPerSecond;
  if (nanos < kFirst || nanos >= kEnd) return Overflow();
  return Ok(RefValue::Variant(RefTimestamp{nanos}));
}

// `1h30m`, `-1.5s`, `0`.
std::optional<Wide> ParseDuration(std::string_view text) {
  static const std::pair<const char*, Wide> kUnits[] = {
      {"ns", 1},
      {"us", 1000},
      {"\xC2\xB5s", 1000},  // The micro sign, and the Greek letter.
      {"\xCE\xBCs", 1000},
      {"ms", 1000000},
      {"s", kNanosPerSecond},
      {"m", 60 * kNanosPerSecond},
      {"h", 3600 * kNanosPerSecond}};
  constexpr Wide kFar = Wide{1} << 100;
  const int sign = TakeSign(&text);
  if (text == "0") return Wide{0};
  if (text.empty()) return std::nullopt;
  Wide total = 0;
  while (!text.empty()) {
    Wide whole = 0;
    Wide fraction = 0;
    double scale = 1;
    size_t digits = 0;
    while (digits < text.size() && IsDigit(text[digits])) {
      if (whole <= Wide{kUintMax}) whole = whole * 10 + (text[digits] - '0');
      ++digits;
    }
    size_t at = digits;
    if (at < text.size() && text[at] == '.') {
      ++at;
      bool full = false;
      while (at < text.size() && IsDigit(text[at])) {
        const Wide more = fraction * 10 + (text[at] - '0');
        full = full || more > Wide{kIntMax} + 1;
        if (!full) {
          fraction = more;
          scale *= 10;
        }
        ++digits;
        ++at;
      }
    }
    if (digits == 0) return std::nullopt;
    size_t end = at;
    while (end < text.size() && text[end] != '.' && !IsDigit(text[end])) ++end;
    Wide unit = 0;
    for (const auto& [name, nanos] : kUnits) {
      if (text.substr(at, end - at) == name) unit = nanos;
    }
    if (unit == 0) return std::nullopt;
    // Go works out the fraction in doubles.
    total += whole * unit +
             static_cast<Wide>(static_cast<double>(fraction) * (static_cast<double>(unit) / scale));
    if (total > kFar) total = kFar;
    text.remove_prefix(end);
  }
  return total * sign;
}

Outcome ToDuration(const Call& call) {
  if (call.As<RefDuration>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<std::string>(0)) {
    const std::optional<Wide> nanos = ParseDuration(*x);
    return nanos.has_value() ? OkDuration(*nanos) : Fail("not a duration");
  }
  return call.Mismatch();
}

// RFC 3339.
std::optional<Wide> ParseTimestamp(const std::string& text) {
  static const RE2* const kForm = new RE2(
      R"((\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2}):(\d{2})))");
  Civil civil{};
  std::string fraction;
  std::string sign;
  std::string hours;
  std::string minutes;
  if (!RE2::FullMatch(text, *kForm, &civil.year, &civil.month, &civil.day, &civil.hour,
                      &civil.minute, &civil.second, &fraction, &sign, &hours, &minutes)) {
    return std::nullopt;
  }
  if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
      civil.day > DaysInMonth(civil.year, civil.month) || civil.hour > 23 || civil.minute > 59 ||
      civil.second > 59) {
    return std::nullopt;
  }
  Wide seconds = ToUnixSeconds(civil);
  if (!sign.empty()) {
    const int offset_hours = std::stoi(hours);
    const int offset_minutes = std::stoi(minutes);
    if (offset_hours > 23 || offset_minutes > 59) return std::nullopt;
    const int offset = (offset_hours * 60 + offset_minutes) * 60;
    seconds -= sign == "-" ? -offset : offset;
  }
  fraction.resize(9, '0');  // What is less than a nanosecond is cut off.
  return seconds * kNanosPerSecond + std::stoll(fraction);
}

Outcome ToTimestamp(const Call& call) {
  if (call.As<RefTimestamp>(0) != nullptr) return Ok(call[0]);
  if (const auto* x = call.As<int64_t>(0)) return OkTimestamp(Wide{*x} * kNanosPerSecond);
  if (const auto* x = call.As<std::string>(0)) {
    const std::optional<Wide> nanos = ParseTimestamp(*x);
    return nanos.has_value() ? OkTimestamp(*nanos) : Fail("not a timestamp");
  }
  return call.Mismatch();
}

Outcome TypeOf(const Call& call) { return Ok(RefValue::Variant(RefType{TypeName(call[0])})); }
Outcome Dyn(const Call& call) { return Ok(call[0]); }

Outcome Size(const Call& call) {
  if (const auto* x = call.As<std::string>(0))
    return OkInt(static_cast<Wide>(CodePoints(*x).size()));
  if (const auto* x = call.As<RefBytes>(0)) return OkInt(static_cast<Wide>(x->bytes.size()));
  if (const auto* x = WholeList(call, 0)) return OkInt(static_cast<Wide>(x->size()));
  if (const auto* x = call.As<RefMap>(0)) {
    if (x->partial) return Fail("not all entries are known");
    return OkInt(static_cast<Wide>(x->entries.size()));
  }
  return call.Mismatch();
}

// ---- Time ----

// Seconds east of UTC; nothing if there is no such time zone.
std::optional<Wide> OffsetAt(const std::string& zone, Wide unix_seconds) {
  static const RE2* const kFixed = new RE2(R"(([+-]?)(\d{2}):(\d{2}))");
  static const RE2* const kName = new RE2(R"([A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*)");
  std::string sign;
  int hours = 0;
  int minutes = 0;
  if (RE2::FullMatch(zone, *kFixed, &sign, &hours, &minutes)) {
    if (hours > 23 || minutes > 59) return std::nullopt;
    const Wide offset = (hours * 60 + minutes) * 60;
    return sign == "-" ? -offset : offset;
  }
  // What the machine's own zone is may not matter.
  if (!RE2::FullMatch(zone, *kName) || zone == "localtime" || zone == "Local") return std::nullopt;
  absl::TimeZone found;
  if (!absl::LoadTimeZone(zone, &found)) return std::nullopt;
  return Wide{found.At(absl::FromUnixSeconds(static_cast<int64_t>(unix_seconds))).offset};
}

// `part` of a timestamp in a time zone; `of_duration` of a duration, or null.
Outcome TimePart(const Call& call, const std::function<Wide(const Civil&, Wide)>& part,
                 const std::function<Wide(Wide)>& of_duration) {
  if (const auto* x = call.As<RefDuration>(0)) {
    if (call.size() > 1 || of_duration == nullptr) return call.Mismatch();
    return OkInt(of_duration(x->nanos));
  }
  const auto* x = call.As<RefTimestamp>(0);
  if (x == nullptr) return call.Mismatch();
  Wide seconds = FloorDivide(x->nanos, kNanosPerSecond);
  const Wide nanos = x->nanos - seconds * kNanosPerSecond;
  if (call.size() > 1) {
    const auto* zone = call.As<std::string>(1);
    if (zone == nullptr) return call.Mismatch();
    const std::optional<Wide> offset = OffsetAt(*zone, seconds);
    if (!offset.has_value()) return Fail("no such time zone");
    seconds += *offset;
  }
  return OkInt(part(ToCivil(seconds), nanos));
}

Outcome GetFullYear(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.year}; }, nullptr);
}
Outcome GetMonth(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.month - 1}; }, nullptr);
}
Outcome GetDate(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.day}; }, nullptr);
}
Outcome GetDayOfMonth(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.day - 1}; }, nullptr);
}
Outcome GetDayOfWeek(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.weekday}; }, nullptr);
}
Outcome GetDayOfYear(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.day_of_year}; }, nullptr);
}
Outcome GetHours(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.hour}; },
      [](Wide nanos) { return nanos / (3600 * kNanosPerSecond); });
}
Outcome GetMinutes(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.minute}; },
      [](Wide nanos) { return nanos / (60 * kNanosPerSecond); });
}
Outcome GetSeconds(const Call& call) {
  return TimePart(
      call, [](const Civil& civil, Wide) { return Wide{civil.second}; },
      [](Wide nanos) { return nanos / kNanosPerSecond; });
}
// Of both the milliseconds within the second.
Outcome GetMilliseconds(const Call& call) {
  return TimePart(
      call, [](const Civil&, Wide nanos) { return nanos / 1000000; },
      [](Wide nanos) { return nanos % kNanosPerSecond / 1000000; });
}

// ---- Strings ----

Outcome Contains(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  return Ok(CodePoints(*text).find(CodePoints(*part)) != std::u32string::npos);
}

Outcome StartsWith(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  const std::u32string start = CodePoints(*part);
  return Ok(CodePoints(*text).substr(0, start.size()) == start);
}

Outcome EndsWith(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  const std::u32string whole = CodePoints(*text);
  const std::u32string end = CodePoints(*part);
  return Ok(end.size() <= whole.size() && whole.substr(whole.size() - end.size()) == end);
}

Outcome Matches(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* pattern = call.As<std::string>(1);
  if (text == nullptr || pattern == nullptr) return call.Mismatch();
  const RE2 regex(*pattern, RE2::Quiet);
  if (!regex.ok()) return Fail("bad pattern");
  return Ok(RE2::PartialMatch(*text, regex));
}

Outcome CharAt(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* at = call.As<int64_t>(1);
  if (text == nullptr || at == nullptr) return call.Mismatch();
  const std::u32string points = CodePoints(*text);
  if (*at < 0 || static_cast<uint64_t>(*at) > points.size()) return Fail("index out of range");
  return OkText(points.substr(static_cast<size_t>(*at), 1));
}

Outcome IndexOf(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  const std::u32string points = CodePoints(*text);
  const std::u32string wanted = CodePoints(*part);
  int64_t from = 0;
  if (call.size() > 2) {
    if (call.As<int64_t>(2) == nullptr) return call.Mismatch();
    from = *call.As<int64_t>(2);
  }
  if (wanted.empty()) return Ok(from);
  if (from < 0) return Fail("index out of range");
  for (size_t i = 0; i < points.size(); ++i) {
    if (i >= static_cast<uint64_t>(from) && points.substr(i, wanted.size()) == wanted) {
      return OkInt(static_cast<Wide>(i));
    }
  }
  return Ok(int64_t{-1});
}

Outcome LastIndexOf(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  const std::u32string points = CodePoints(*text);
  const std::u32string wanted = CodePoints(*part);
  const auto length = static_cast<int64_t>(points.size());
  int64_t from = length;
  if (call.size() > 2) {
    if (call.As<int64_t>(2) == nullptr) return call.Mismatch();
    from = *call.As<int64_t>(2);
    if (wanted.empty()) return Ok(from);
    if (from < 0) return Fail("index out of range");
    if (from >= length) return Ok(int64_t{-1});
  }
  if (wanted.empty()) return Ok(from);
  for (int64_t i = from; i >= 0; --i) {
    if (points.substr(static_cast<size_t>(i), wanted.size()) == wanted) return Ok(i);
  }
  return Ok(int64_t{-1});
}

Outcome MapAscii(const Call& call, char32_t first, char32_t last, int shift) {
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  std::u32string points = CodePoints(*text);
  for (char32_t& c : points) {
    if (c >= first && c <= last) c = static_cast<char32_t>(static_cast<int>(c) + shift);
  }
  return OkText(points);
}
Outcome LowerAscii(const Call& call) { return MapAscii(call, U'A', U'Z', 'a' - 'A'); }
Outcome UpperAscii(const Call& call) { return MapAscii(call, U'a', U'z', 'A' - 'a'); }

Outcome Replace(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* old_part = call.As<std::string>(1);
  const auto* new_part = call.As<std::string>(2);
  if (text == nullptr || old_part == nullptr || new_part == nullptr) return call.Mismatch();
  int64_t limit = -1;
  if (call.size() > 3) {
    if (call.As<int64_t>(3) == nullptr) return call.Mismatch();
    limit = *call.As<int64_t>(3);
  }
  const std::u32string points = CodePoints(*text);
  const std::u32string from = CodePoints(*old_part);
  const std::u32string to = CodePoints(*new_part);
  std::u32string out;
  int64_t replaced = 0;
  // Nothing is found before each code point and at the end.
  for (size_t i = 0; i <= points.size();) {
    const bool found = i + from.size() <= points.size() && points.substr(i, from.size()) == from;
    if (found && (limit < 0 || replaced < limit)) {
      if (!call.steps->Take(1 + to.size() / 16)) return call.Spent();
      out += to;
      ++replaced;
      if (!from.empty()) {
        i += from.size();
        continue;
      }
    }
    if (i < points.size()) out += points[i];
    ++i;
  }
  return OkText(out);
}

Outcome SplitFunction(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* part = call.As<std::string>(1);
  if (text == nullptr || part == nullptr) return call.Mismatch();
  int64_t limit = -1;
  if (call.size() > 2) {
    if (call.As<int64_t>(2) == nullptr) return call.Mismatch();
    limit = *call.As<int64_t>(2);
  }
  std::u32string rest = CodePoints(*text);
  const std::u32string separator = CodePoints(*part);
  std::vector<RefValue> parts;
  const auto may_split = [&] {
    return limit < 0 || static_cast<int64_t>(parts.size()) < limit - 1;
  };
  if (limit == 0) return OkList({});
  if (separator.empty()) {
    // Between all code points.
    while (rest.size() > 1 && may_split()) {
      parts.push_back({EncodeUtf8(rest.substr(0, 1))});
      rest.erase(0, 1);
    }
    if (!rest.empty()) parts.push_back({EncodeUtf8(rest)});
    return OkList(std::move(parts));
  }
  while (may_split()) {
    const size_t at = rest.find(separator);
    if (at == std::u32string::npos) break;
    parts.push_back({EncodeUtf8(rest.substr(0, at))});
    rest.erase(0, at + separator.size());
  }
  parts.push_back({EncodeUtf8(rest)});
  return OkList(std::move(parts));
}

Outcome Substring(const Call& call) {
  const auto* text = call.As<std::string>(0);
  const auto* start = call.As<int64_t>(1);
  if (text == nullptr || start == nullptr) return call.Mismatch();
  const std::u32string points = CodePoints(*text);
  auto end = static_cast<int64_t>(points.size());
  if (call.size() > 2) {
    if (call.As<int64_t>(2) == nullptr) return call.Mismatch();
    end = *call.As<int64_t>(2);
  }
  if (*start < 0 || *start > end || end > static_cast<int64_t>(points.size())) {
    return Fail("index out of range");
  }
  return OkText(points.substr(static_cast<size_t>(*start), static_cast<size_t>(end - *start)));
}

bool IsSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Outcome Trim(const Call& call) {
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  std::u32string points = CodePoints(*text);
  while (!points.empty() && IsSpace(points.back())) points.pop_back();
  while (!points.empty() && IsSpace(points.front())) points.erase(0, 1);
  return OkText(points);
}

Outcome Reverse(const Call& call) {
  if (const auto* text = call.As<std::string>(0)) {
    std::u32string points = CodePoints(*text);
    std::reverse(points.begin(), points.end());
    return OkText(points);
  }
  if (const auto* list = WholeList(call, 0)) {
    return OkList(std::vector<RefValue>(list->rbegin(), list->rend()));
  }
  return call.Mismatch();
}

Outcome Join(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  std::string separator;
  if (call.size() > 1) {
    if (call.As<std::string>(1) == nullptr) return call.Mismatch();
    separator = *call.As<std::string>(1);
  }
  std::string out;
  for (size_t i = 0; i < list->size(); ++i) {
    const auto* text = (*list)[i].As<std::string>();
    if (text == nullptr) return call.Mismatch();
    if (!call.steps->Take(1 + (separator.size() + text->size()) / 16)) return call.Spent();
    if (i > 0) out += separator;
    out += *text;
  }
  return OkText(out);
}

Outcome Quote(const Call& call) {
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  static const std::map<char, std::string> kEscapes = {
      {'\a', "\\a"}, {'\b', "\\b"}, {'\f', "\\f"},  {'\n', "\\n"}, {'\r', "\\r"},
      {'\t', "\\t"}, {'\v', "\\v"}, {'\\', "\\\\"}, {'"', "\\\""}};
  std::string out = "\"";
  for (const char c : *text) {
    const auto found = kEscapes.find(c);
    out += found == kEscapes.end() ? std::string(1, c) : found->second;
  }
  return OkText(out + "\"");
}

// ---- format() ----

// As `%s`.
Outcome FormatString(const RefValue& value, Steps* steps) {
  if (!steps->Take(1)) return {std::nullopt, true, true, "too many steps"};
  if (value.As<RefNull>() != nullptr) return OkText(std::string("null"));
  if (const auto* x = value.As<bool>()) return OkText(std::string(*x ? "true" : "false"));
  if (const auto* x = value.As<int64_t>()) return OkText(std::to_string(*x));
  if (const auto* x = value.As<uint64_t>()) return OkText(std::to_string(*x));
  if (const auto* x = value.As<double>()) return OkText(PlainText(*x));
  if (const auto* x = value.As<std::string>()) return OkText(*x);
  if (const auto* x = value.As<RefBytes>()) {
    std::u32string out;
    bool in_rubbish = false;
    for (size_t at = 0; at < x->bytes.size();) {
      char32_t code_point = 0;
      if (DecodeOne(x->bytes, &at, &code_point)) {
        out += code_point;
        in_rubbish = false;
        continue;
      }
      if (!in_rubbish) out += U'\uFFFD';
      in_rubbish = true;
      ++at;
    }
    return OkText(out);
  }
  if (const auto* x = value.As<RefTimestamp>()) return OkText(ToText(*x));
  if (const auto* x = value.As<RefDuration>()) {
    const auto seconds = static_cast<double>(x->nanos / kNanosPerSecond);
    const auto nanos = static_cast<double>(x->nanos % kNanosPerSecond);
    return OkText(PlainText(seconds + nanos / 1e9) + "s");
  }
  if (const auto* x = value.As<RefType>()) return OkText(x->name);
  if (const auto* x = value.As<RefList>()) {
    if (x->partial) return Fail("not all elements are known");
    std::string out;
    for (size_t i = 0; i < x->elements.size(); ++i) {
      const Outcome element = FormatString(x->elements[i], steps);
      if (element.is_error) return element;
      out += (i == 0 ? "" : ", ") + *element.value->As<std::string>();
    }
    return OkText("[" + out + "]");
  }
  if (const auto* x = value.As<RefMap>()) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (const RefEntry& entry : x->entries) {
      const Outcome key = FormatString(entry.key, steps);
      if (key.is_error) return key;
      const Outcome held = FormatString(entry.value, steps);
      if (held.is_error) return held;
      entries.emplace_back(*key.value->As<std::string>(), *held.value->As<std::string>());
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string out;
    for (const auto& [key, held] : entries) {
      out += std::string(out.empty() ? "" : ", ").append(key).append(": ").append(held);
    }
    return OkText("{" + out + "}");
  }
  return NoOverload("format");
}

std::string InBase(Wide number, int base, bool upper) {
  if (number < 0) return "-" + InBase(-number, base, upper);
  std::string text;
  do {
    const auto digit = static_cast<size_t>(number % base);
    text.insert(text.begin(), (upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit]);
    number /= base;
  } while (number > 0);
  return text;
}

std::optional<Wide> IntegerOf(const RefValue& value) {
  if (const auto* x = value.As<int64_t>()) return Wide{*x};
  if (const auto* x = value.As<uint64_t>()) return Wide{*x};
  return std::nullopt;
}

// As `%f` and `%e`.
Outcome FormatReal(const RefValue& value, char form, int precision) {
  long double real = 0;  // Holds integers as they are.
  if (const auto* x = value.As<double>()) {
    if (std::isnan(*x) || std::isinf(*x)) return OkText(PlainText(*x));
    real = *x;
  } else if (const std::optional<Wide> integer = IntegerOf(value)) {
    real = static_cast<long double>(*integer);
  } else {
    return NoOverload("format");
  }
  const std::string pattern = std::string("%.*L") + form;
  char buffer[8000];
  const int length = std::snprintf(buffer, sizeof(buffer), pattern.c_str(), precision, real);
  return OkText(std::string(buffer, static_cast<size_t>(length)));
}

Outcome FormatClause(const RefValue& value, char clause, int precision, Steps* steps) {
  const std::optional<Wide> integer = IntegerOf(value);
  switch (clause) {
    case 's':
      return FormatString(value, steps);
    case 'd':
      if (integer.has_value() || value.As<double>() != nullptr) return FormatString(value, steps);
      break;
    case 'f':
    case 'e':
      return FormatReal(value, clause, precision);
    case 'b':
      if (const auto* x = value.As<bool>()) return OkText(std::string(*x ? "1" : "0"));
      if (integer.has_value()) return OkText(InBase(*integer, 2, false));
      break;
    case 'o':
      if (integer.has_value()) return OkText(InBase(*integer, 8, false));
      break;
    case 'x':
    case 'X': {
      if (integer.has_value()) return OkText(InBase(*integer, 16, clause == 'X'));
      std::string bytes;
      if (const auto* x = value.As<std::string>()) {
        bytes = *x;
      } else if (const auto* y = value.As<RefBytes>()) {
        bytes = y->bytes;
      } else {
        break;
      }
      std::string out;
      for (const char c : bytes) {
        const std::string two = InBase(0x100 + static_cast<unsigned char>(c), 16, clause == 'X');
        out += two.substr(1);
      }
      return OkText(out);
    }
    default:
      return Fail("unknown clause");
  }
  return NoOverload("format");
}

Outcome Format(const Call& call) {
  const auto* format = call.As<std::string>(0);
  const auto* list = WholeList(call, 1);
  if (format == nullptr || list == nullptr) return call.Mismatch();
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < format->size(); ++i) {
    if ((*format)[i] != '%') {
      out += (*format)[i];
      continue;
    }
    ++i;
    if (i < format->size() && (*format)[i] == '%') {
      out += '%';
      continue;
    }
    int precision = 6;
    if (i < format->size() && (*format)[i] == '.') {
      ++i;
      std::string digits;
      while (i < format->size() && IsDigit((*format)[i])) digits += (*format)[i++];
      const std::optional<Wide> number = ParseDigits(digits);
      if (!number.has_value() || *number > kMaxPrecision) return Fail("bad precision");
      precision = static_cast<int>(*number);
    }
    if (i >= format->size()) return Fail("unfinished clause");
    if (next >= list->size()) return Fail("too few arguments");
    const Outcome part = FormatClause((*list)[next++], (*format)[i], precision, call.steps);
    if (part.is_error) return part;
    const std::string& text = *part.value->As<std::string>();
    if (!call.steps->Take(1 + text.size() / 16)) return call.Spent();
    out += text;
  }
  return OkText(out);
}

// ---- Base 64 ----

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Outcome Base64Encode(const Call& call) {
  const auto* bytes = call.As<RefBytes>(0);
  if (bytes == nullptr) return call.Mismatch();
  std::string out;
  for (size_t i = 0; i < bytes->bytes.size(); i += 3) {
    const std::string three = bytes->bytes.substr(i, 3);
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < three.size() ? static_cast<unsigned char>(three[j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += j <= three.size() ? kBase64[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return OkText(out);
}

Outcome Base64Decode(const Call& call) {
  const auto* argument = call.As<std::string>(0);
  if (argument == nullptr) return call.Mismatch();
  std::string text;
  for (const char c : *argument) {
    if (c != '\r' && c != '\n') text += c;  // Anywhere, as Go has it.
  }
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.pop_back();
  }
  if (text.size() % 4 == 1) return Fail("not base64");
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return Fail("not base64");
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xFFFF;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return Ok(RefValue::Variant(RefBytes{out}));
}

// ---- Numbers ----

// The one that comes first in `order`.
Outcome Extreme(const Call& call, int order) {
  Arguments numbers = call.arguments;
  if (call.size() == 1 && call.As<RefList>(0) != nullptr) {
    if (call.As<RefList>(0)->partial) return Fail("not all elements are known");
    numbers = call.As<RefList>(0)->elements;
  }
  if (numbers.empty()) return Fail("no numbers");
  for (const RefValue& number : numbers) {
    if (!IsNumber(number)) return call.Mismatch();
  }
  RefValue best = numbers[0];
  for (size_t i = 1; i < numbers.size(); ++i) {
    const std::optional<int> found = CompareNumbers(numbers[i], best);
    if (!found.has_value()) return Fail("NaN has no order");
    if (*found == order) best = numbers[i];
  }
  return Ok(best);
}
Outcome Greatest(const Call& call) { return Extreme(call, 1); }
Outcome Least(const Call& call) { return Extreme(call, -1); }

template <double (*kFunction)(double)>
Outcome OfDouble(const Call& call) {
  const auto* x = call.As<double>(0);
  return x == nullptr ? call.Mismatch() : Ok(kFunction(*x));
}
double Ceil(double x) { return std::ceil(x); }
double Floor(double x) { return std::floor(x); }
double Round(double x) { return std::round(x); }
double Trunc(double x) { return std::trunc(x); }

template <bool (*kFunction)(double)>
Outcome IfDouble(const Call& call) {
  const auto* x = call.As<double>(0);
  return x == nullptr ? call.Mismatch() : Ok(kFunction(*x));
}
bool IsInf(double x) { return std::isinf(x); }
bool IsNan(double x) { return std::isnan(x); }
bool IsFinite(double x) { return std::isfinite(x); }

Outcome Abs(const Call& call) {
  if (const auto* x = call.As<double>(0)) return Ok(std::fabs(*x));
  if (const auto* x = call.As<int64_t>(0)) return OkInt(*x < 0 ? -Wide{*x} : Wide{*x});
  if (call.As<uint64_t>(0) != nullptr) return Ok(call[0]);
  return call.Mismatch();
}

Outcome Sign(const Call& call) {
  if (const auto* x = call.As<double>(0)) {
    if (std::isnan(*x)) return Ok(*x);
    return Ok(*x > 0 ? 1.0 : *x < 0 ? -1.0 : 0.0);
  }
  if (const auto* x = call.As<int64_t>(0)) return Ok(int64_t{*x > 0 ? 1 : *x < 0 ? -1 : 0});
  if (const auto* x = call.As<uint64_t>(0)) return Ok(uint64_t{*x > 0 ? 1u : 0u});
  return call.Mismatch();
}

Outcome Sqrt(const Call& call) {
  if (const auto* x = call.As<double>(0)) return Ok(std::sqrt(*x));
  if (const auto* x = call.As<int64_t>(0)) return Ok(std::sqrt(static_cast<double>(*x)));
  if (const auto* x = call.As<uint64_t>(0)) return Ok(std::sqrt(static_cast<double>(*x)));
  return call.Mismatch();
}

// `function` of the bits of two ints or two uints.
Outcome OfBits(const Call& call, const std::function<uint64_t(uint64_t, uint64_t)>& function) {
  if (call.As<int64_t>(0) != nullptr && call.As<int64_t>(1) != nullptr) {
    return Ok(static_cast<int64_t>(function(static_cast<uint64_t>(*call.As<int64_t>(0)),
                                            static_cast<uint64_t>(*call.As<int64_t>(1)))));
  }
  if (call.As<uint64_t>(0) != nullptr && call.As<uint64_t>(1) != nullptr) {
    return Ok(function(*call.As<uint64_t>(0), *call.As<uint64_t>(1)));
  }
  return call.Mismatch();
}
Outcome BitAnd(const Call& call) {
  return OfBits(call, [](uint64_t a, uint64_t b) { return a & b; });
}
Outcome BitOr(const Call& call) {
  return OfBits(call, [](uint64_t a, uint64_t b) { return a | b; });
}
Outcome BitXor(const Call& call) {
  return OfBits(call, [](uint64_t a, uint64_t b) { return a ^ b; });
}

Outcome BitNot(const Call& call) {
  if (const auto* x = call.As<int64_t>(0)) return Ok(~*x);
  if (const auto* x = call.As<uint64_t>(0)) return Ok(~*x);
  return call.Mismatch();
}

// One bit after the other.
Outcome Shift(const Call& call, bool left) {
  const auto* places = call.As<int64_t>(1);
  const auto* natural = call.As<uint64_t>(0);
  const auto* integer = call.As<int64_t>(0);
  if (places == nullptr || (natural == nullptr && integer == nullptr)) return call.Mismatch();
  if (*places < 0) return Fail("negative shift");
  uint64_t bits = natural != nullptr ? *natural : static_cast<uint64_t>(*integer);
  for (int64_t i = 0; i < std::min<int64_t>(*places, 64); ++i) bits = left ? bits << 1 : bits >> 1;
  if (natural != nullptr) return Ok(bits);
  return Ok(static_cast<int64_t>(bits));
}
Outcome BitShiftLeft(const Call& call) { return Shift(call, true); }
Outcome BitShiftRight(const Call& call) { return Shift(call, false); }

// ---- Lists and sets ----

// Whether `elements` has one that is equal; an error if that cannot be known.
Outcome Has(const std::vector<RefValue>& elements, const RefValue& wanted, Steps* steps) {
  for (const RefValue& element : elements) {
    if (!steps->Take(1)) return {std::nullopt, true, true, "too many steps"};
    Outcome same = Equal(element, wanted);
    if (same.is_error || IsTrue(same)) return same;
  }
  return Ok(false);
}

Outcome Distinct(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  std::vector<RefValue> out;
  for (const RefValue& element : *list) {
    const Outcome seen = Has(out, element, call.steps);
    if (seen.is_error) return seen;
    if (!IsTrue(seen)) out.push_back(element);
  }
  return OkList(std::move(out));
}

bool Flatten(const std::vector<RefValue>& elements, int64_t depth, std::vector<RefValue>* out) {
  for (const RefValue& element : elements) {
    const auto* inner = element.As<RefList>();
    if (inner == nullptr || depth == 0) {
      out->push_back(element);
    } else if (inner->partial || !Flatten(inner->elements, depth - 1, out)) {
      return false;
    }
  }
  return true;
}

Outcome FlattenFunction(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  int64_t depth = 1;
  if (call.size() > 1) {
    if (call.As<int64_t>(1) == nullptr) return call.Mismatch();
    depth = *call.As<int64_t>(1);
  }
  if (depth < 0) return Fail("negative depth");
  std::vector<RefValue> out;
  if (!Flatten(*list, depth, &out)) return Fail("not all elements are known");
  return OkList(std::move(out));
}

Outcome Range(const Call& call) {
  const auto* count = call.As<int64_t>(0);
  if (count == nullptr) return call.Mismatch();
  if (*count > 0 && !call.steps->Take(static_cast<uint64_t>(*count))) return call.Spent();
  std::vector<RefValue> out;
  for (int64_t i = 0; i < *count; ++i) out.push_back({i});
  return OkList(std::move(out));
}

Outcome Slice(const Call& call) {
  const auto* list = WholeList(call, 0);
  const auto* start = call.As<int64_t>(1);
  const auto* end = call.As<int64_t>(2);
  if (list == nullptr || start == nullptr || end == nullptr) return call.Mismatch();
  if (*start < 0 || *start > *end || *end > static_cast<int64_t>(list->size())) {
    return Fail("index out of range");
  }
  return OkList(std::vector<RefValue>(list->begin() + *start, list->begin() + *end));
}

Outcome Sort(const Call& call) {
  const auto* list = WholeList(call, 0);
  return list == nullptr ? call.Mismatch() : SortByKeys(*list, *list);
}

Outcome First(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  return list->empty() ? OkOptional({}) : OkOptional({list->front()});
}

Outcome Last(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  return list->empty() ? OkOptional({}) : OkOptional({list->back()});
}

Outcome ContainsAll(const std::vector<RefValue>& all, const std::vector<RefValue>& some,
                    Steps* steps) {
  for (const RefValue& element : some) {
    Outcome found = Has(all, element, steps);
    if (found.is_error || !IsTrue(found)) return found;
  }
  return Ok(true);
}

Outcome SetsContains(const Call& call) {
  const auto* a = WholeList(call, 0);
  const auto* b = WholeList(call, 1);
  if (a == nullptr || b == nullptr) return call.Mismatch();
  return ContainsAll(*a, *b, call.steps);
}

Outcome SetsEquivalent(const Call& call) {
  const auto* a = WholeList(call, 0);
  const auto* b = WholeList(call, 1);
  if (a == nullptr || b == nullptr) return call.Mismatch();
  Outcome there = ContainsAll(*a, *b, call.steps);
  if (there.is_error || !IsTrue(there)) return there;
  return ContainsAll(*b, *a, call.steps);
}

Outcome SetsIntersects(const Call& call) {
  const auto* a = WholeList(call, 0);
  const auto* b = WholeList(call, 1);
  if (a == nullptr || b == nullptr) return call.Mismatch();
  for (const RefValue& element : *a) {
    Outcome found = Has(*b, element, call.steps);
    if (found.is_error || IsTrue(found)) return found;
  }
  return Ok(false);
}

// ---- Optionals ----

Outcome OptionalNone(const Call&) { return OkOptional({}); }
Outcome OptionalOf(const Call& call) { return OkOptional({call[0]}); }

bool IsZero(const RefValue& value) {
  if (value.As<RefNull>() != nullptr) return true;
  if (const auto* x = value.As<bool>()) return !*x;
  if (IsNumber(value)) return CompareNumbers(value, {int64_t{0}}) == 0;
  if (const auto* x = value.As<std::string>()) return x->empty();
  if (const auto* x = value.As<RefBytes>()) return x->bytes.empty();
  if (const auto* x = value.As<RefList>()) return x->elements.empty();
  if (const auto* x = value.As<RefMap>()) return x->entries.empty();
  if (const auto* x = value.As<RefDuration>()) return x->nanos == 0;
  if (const auto* x = value.As<RefTimestamp>()) return x->nanos == 0;
  return false;
}

Outcome OptionalOfNonZeroValue(const Call& call) {
  const auto* list = call.As<RefList>(0);
  if (list != nullptr && list->partial && list->elements.empty()) {
    return Fail("not all elements are known");
  }
  return IsZero(call[0]) ? OkOptional({}) : OkOptional({call[0]});
}

Outcome HasValue(const Call& call) {
  const auto* x = call.As<RefOptional>(0);
  return x == nullptr ? call.Mismatch() : Ok(!x->value.empty());
}

Outcome ValueOf(const Call& call) {
  const auto* x = call.As<RefOptional>(0);
  if (x == nullptr) return call.Mismatch();
  return x->value.empty() ? Fail("no value") : Ok(x->value[0]);
}

Outcome Unwrap(const Call& call) {
  const auto* list = WholeList(call, 0);
  if (list == nullptr) return call.Mismatch();
  std::vector<RefValue> out;
  for (const RefValue& element : *list) {
    const auto* optional = element.As<RefOptional>();
    if (optional == nullptr) return call.Mismatch();
    if (!optional->value.empty()) out.push_back(optional->value[0]);
  }
  return OkList(std::move(out));
}

// ---- Networks ----

// A call and a member call of one name are one function here: the address that a text writes, or
// that of a block.
Outcome ToIp(const Call& call) {
  if (const auto* cidr = call.As<RefCidr>(0)) return Ok(RefValue::Variant(cidr->address));
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  const std::optional<RefIp> ip = ParseIp(*text);
  return ip.has_value() ? Ok(RefValue::Variant(*ip)) : Fail("not an address");
}

Outcome ToCidr(const Call& call) {
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  const std::optional<RefCidr> cidr = ParseCidr(*text);
  return cidr.has_value() ? Ok(RefValue::Variant(*cidr)) : Fail("not a block of addresses");
}

Outcome IsIp(const Call& call) {
  const auto* text = call.As<std::string>(0);
  return text == nullptr ? call.Mismatch() : Ok(ParseIp(*text).has_value());
}

Outcome IsCidr(const Call& call) {
  const auto* text = call.As<std::string>(0);
  return text == nullptr ? call.Mismatch() : Ok(ParseCidr(*text).has_value());
}

Outcome IsCanonical(const Call& call) {
  const auto* text = call.As<std::string>(0);
  if (text == nullptr) return call.Mismatch();
  const std::optional<RefIp> ip = ParseIp(*text);
  return ip.has_value() ? Ok(ToText(*ip) == *text) : Fail("not an address");
}

Outcome Family(const Call& call) {
  const auto* ip = call.As<RefIp>(0);
  return ip == nullptr ? call.Mismatch() : Ok(int64_t{ip->v6 ? 6 : 4});
}

// Whether the first `prefix` bits are the same.
bool SamePrefix(const RefIp& a, const RefIp& b, int prefix) {
  if (a.v6 != b.v6) return false;
  for (int i = 0; i < prefix; ++i) {
    const int bit = 7 - i % 8;
    const auto at = static_cast<size_t>(i / 8);
    if ((a.bytes[at] >> bit & 1) != (b.bytes[at] >> bit & 1)) return false;
  }
  return true;
}

// Whether the address lies in one of these blocks.
bool InAny(const RefIp& ip, std::initializer_list<const char*> blocks) {
  for (const char* block : blocks) {
    const RefCidr cidr = ParseCidr(block).value();
    if (SamePrefix(ip, cidr.address, cidr.prefix)) return true;
  }
  return false;
}
bool IsUnspecified(const RefIp& ip) { return InAny(ip, {"0.0.0.0/32", "::/128"}); }
bool IsLoopback(const RefIp& ip) { return InAny(ip, {"127.0.0.0/8", "::1/128"}); }
bool IsLinkLocalUnicast(const RefIp& ip) { return InAny(ip, {"169.254.0.0/16", "fe80::/10"}); }
bool IsLinkLocalMulticast(const RefIp& ip) {
  if (!ip.v6) return InAny(ip, {"224.0.0.0/24"});
  return ip.bytes[0] == 0xFF && (ip.bytes[1] & 0x0F) == 0x02;  // Whatever its flags.
}
bool IsGlobalUnicast(const RefIp& ip) {
  return !IsUnspecified(ip) && !IsLoopback(ip) && !IsLinkLocalUnicast(ip) &&
         !InAny(ip, {"224.0.0.0/4", "ff00::/8", "255.255.255.255/32"});
}

template <bool (*kFunction)(const RefIp&)>
Outcome OfIp(const Call& call) {
  const auto* ip = call.As<RefIp>(0);
  return ip == nullptr ? call.Mismatch() : Ok(kFunction(*ip));
}

Outcome ContainsIp(const Call& call) {
  const auto* cidr = call.As<RefCidr>(0);
  if (cidr == nullptr) return call.Mismatch();
  std::optional<RefIp> ip;
  if (const auto* x = call.As<RefIp>(1)) {
    ip = *x;
  } else if (const auto* text = call.As<std::string>(1)) {
    ip = ParseIp(*text);
    if (!ip.has_value()) return Fail("not an address");
  } else {
    return call.Mismatch();
  }
  return Ok(SamePrefix(cidr->address, *ip, cidr->prefix));
}

Outcome ContainsCidr(const Call& call) {
  const auto* outer = call.As<RefCidr>(0);
  if (outer == nullptr) return call.Mismatch();
  std::optional<RefCidr> inner;
  if (const auto* x = call.As<RefCidr>(1)) {
    inner = *x;
  } else if (const auto* text = call.As<std::string>(1)) {
    inner = ParseCidr(*text);
    if (!inner.has_value()) return Fail("not a block of addresses");
  } else {
    return call.Mismatch();
  }
  return Ok(inner->prefix >= outer->prefix &&
            SamePrefix(outer->address, inner->address, outer->prefix));
}

Outcome Masked(const Call& call) {
  const auto* cidr = call.As<RefCidr>(0);
  if (cidr == nullptr) return call.Mismatch();
  RefCidr masked = *cidr;
  for (int i = cidr->prefix; i < (cidr->address.v6 ? 128 : 32); ++i) {
    auto& byte = masked.address.bytes[static_cast<size_t>(i / 8)];
    byte = static_cast<uint8_t>(byte & ~(0x80 >> i % 8));
  }
  return Ok(RefValue::Variant(masked));
}

Outcome PrefixLength(const Call& call) {
  const auto* cidr = call.As<RefCidr>(0);
  return cidr == nullptr ? call.Mismatch() : Ok(int64_t{cidr->prefix});
}

// ---- All of them ----

struct Entry {
  size_t min;
  size_t max;
  Outcome (*call)(const Call&);
};

constexpr size_t kAny = 1000000;

// A dot in front: what stands before the dot of the call is the first argument.
const std::map<std::string, Entry>& Entries() {
  static const auto* const kEntries = new std::map<std::string, Entry>{
      {"int", {1, 1, ToInt}},
      {"uint", {1, 1, ToUint}},
      {"double", {1, 1, ToDouble}},
      {"string", {1, 1, ToStringFunction}},
      {"bytes", {1, 1, ToBytes}},
      {"bool", {1, 1, ToBool}},
      {"duration", {1, 1, ToDuration}},
      {"timestamp", {1, 1, ToTimestamp}},
      {"type", {1, 1, TypeOf}},
      {"dyn", {1, 1, Dyn}},
      {"size", {1, 1, Size}},
      {".size", {1, 1, Size}},
      {".getFullYear", {1, 2, GetFullYear}},
      {".getMonth", {1, 2, GetMonth}},
      {".getDate", {1, 2, GetDate}},
      {".getDayOfMonth", {1, 2, GetDayOfMonth}},
      {".getDayOfWeek", {1, 2, GetDayOfWeek}},
      {".getDayOfYear", {1, 2, GetDayOfYear}},
      {".getHours", {1, 2, GetHours}},
      {".getMinutes", {1, 2, GetMinutes}},
      {".getSeconds", {1, 2, GetSeconds}},
      {".getMilliseconds", {1, 2, GetMilliseconds}},
      {".contains", {2, 2, Contains}},
      {".startsWith", {2, 2, StartsWith}},
      {".endsWith", {2, 2, EndsWith}},
      {"matches", {2, 2, Matches}},
      {".matches", {2, 2, Matches}},
      {".charAt", {2, 2, CharAt}},
      {".indexOf", {2, 3, IndexOf}},
      {".lastIndexOf", {2, 3, LastIndexOf}},
      {".lowerAscii", {1, 1, LowerAscii}},
      {".upperAscii", {1, 1, UpperAscii}},
      {".replace", {3, 4, Replace}},
      {".split", {2, 3, SplitFunction}},
      {".substring", {2, 3, Substring}},
      {".trim", {1, 1, Trim}},
      {".reverse", {1, 1, Reverse}},
      {".join", {1, 2, Join}},
      {".format", {2, 2, Format}},
      {"strings.quote", {1, 1, Quote}},
      {"base64.encode", {1, 1, Base64Encode}},
      {"base64.decode", {1, 1, Base64Decode}},
      {"math.greatest", {1, kAny, Greatest}},
      {"math.least", {1, kAny, Least}},
      {"math.ceil", {1, 1, OfDouble<Ceil>}},
      {"math.floor", {1, 1, OfDouble<Floor>}},
      {"math.round", {1, 1, OfDouble<Round>}},
      {"math.trunc", {1, 1, OfDouble<Trunc>}},
      {"math.isInf", {1, 1, IfDouble<IsInf>}},
      {"math.isNaN", {1, 1, IfDouble<IsNan>}},
      {"math.isFinite", {1, 1, IfDouble<IsFinite>}},
      {"math.abs", {1, 1, Abs}},
      {"math.sign", {1, 1, Sign}},
      {"math.sqrt", {1, 1, Sqrt}},
      {"math.bitAnd", {2, 2, BitAnd}},
      {"math.bitOr", {2, 2, BitOr}},
      {"math.bitXor", {2, 2, BitXor}},
      {"math.bitNot", {1, 1, BitNot}},
      {"math.bitShiftLeft", {2, 2, BitShiftLeft}},
      {"math.bitShiftRight", {2, 2, BitShiftRight}},
      {".distinct", {1, 1, Distinct}},
      {".flatten", {1, 2, FlattenFunction}},
      {"lists.range", {1, 1, Range}},
      {".slice", {3, 3, Slice}},
      {".sort", {1, 1, Sort}},
      {".first", {1, 1, First}},
      {".last", {1, 1, Last}},
      {"sets.contains", {2, 2, SetsContains}},
      {"sets.equivalent", {2, 2, SetsEquivalent}},
      {"sets.intersects", {2, 2, SetsIntersects}},
      {"optional.none", {0, 0, OptionalNone}},
      {"optional.of", {1, 1, OptionalOf}},
      {"optional.ofNonZeroValue", {1, 1, OptionalOfNonZeroValue}},
      {"optional.unwrap", {1, 1, Unwrap}},
      {".unwrapOpt", {1, 1, Unwrap}},
      {".hasValue", {1, 1, HasValue}},
      {".value", {1, 1, ValueOf}},
      {"ip", {1, 1, ToIp}},
      {"cidr", {1, 1, ToCidr}},
      {"isIP", {1, 1, IsIp}},
      {"isCIDR", {1, 1, IsCidr}},
      {"ip.isCanonical", {1, 1, IsCanonical}},
      {".family", {1, 1, Family}},
      {".isUnspecified", {1, 1, OfIp<IsUnspecified>}},
      {".isLoopback", {1, 1, OfIp<IsLoopback>}},
      {".isLinkLocalUnicast", {1, 1, OfIp<IsLinkLocalUnicast>}},
      {".isLinkLocalMulticast", {1, 1, OfIp<IsLinkLocalMulticast>}},
      {".isGlobalUnicast", {1, 1, OfIp<IsGlobalUnicast>}},
      {".containsIP", {2, 2, ContainsIp}},
      {".containsCIDR", {2, 2, ContainsCidr}},
      {".ip", {1, 1, ToIp}},
      {".masked", {1, 1, Masked}},
      {".prefixLength", {1, 1, PrefixLength}},
  };
  return *kEntries;
}

}  // namespace

bool IsFunction(const std::string& name, bool member) {
  return Entries().count((member ? "." : "") + name) != 0;
}

Outcome CallFunction(const std::string& name, bool member, const Arguments& arguments,
                     Steps* steps) {
  const auto found = Entries().find((member ? "." : "") + name);
  if (found == Entries().end()) return Fail("unknown function: " + name);
  if (arguments.size() < found->second.min || arguments.size() > found->second.max) {
    return NoOverload(name);
  }
  return found->second.call(Call{name, arguments, steps});
}

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : Entries()) names.push_back(name);
  return names;
}

Outcome SortByKeys(const std::vector<RefValue>& elements, const std::vector<RefValue>& keys) {
  std::vector<std::pair<RefValue, RefValue>> pairs;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (keys[i].v.index() != keys[0].v.index() || !Compare(keys[i], keys[i]).has_value()) {
      return NoOverload("sort");
    }
    if (*Compare(keys[i], keys[i]) == 2) return Fail("NaN has no order");
    pairs.emplace_back(keys[i], elements[i]);
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return *Compare(a.first, b.first) == -1; });
  std::vector<RefValue> out;
  for (auto& [key, element] : pairs) out.push_back(element);
  return OkList(std::move(out));
}

}  // namespace reeve::reference
