// What values are to each other, and the texts of some. For the reference alone.
#ifndef REEVE_TESTS_REFERENCE_CEL_VALUE_H_
#define REEVE_TESTS_REFERENCE_CEL_VALUE_H_

#include <optional>
#include <string>
#include <string_view>

#include "reeve/tests/reference/cel/evaluate.h"

namespace reeve::reference {

inline constexpr Wide kNanosPerSecond = 1000000000;

inline Outcome Ok(RefValue::Variant value) {
  return {RefValue{std::move(value)}, false, false, {}};
}
inline Outcome Ok(RefValue value) { return {std::move(value), false, false, {}}; }
inline Outcome Fail(std::string error) { return {std::nullopt, true, false, std::move(error)}; }
inline Outcome NoOverload(std::string_view name) {
  return Fail("no such overload: " + std::string(name));
}

// Towards minus infinity; `b` is positive.
inline Wide FloorDivide(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }
std::string ToText(Wide number);

// The name that type(value) gives.
std::string TypeName(const RefValue& value);

bool IsNumber(const RefValue& value);
// -1, 0, 1: exact, but that the largest int and uint are the same as the next power of two as a
// double. Nothing if NaN is among them. Both are numbers.
std::optional<int> CompareNumbers(const RefValue& a, const RefValue& b);
// Of two numbers or two values of one kind that has an order: -1, 0, 1, or 2 if NaN is among them.
// Nothing of all others.
std::optional<int> Compare(const RefValue& a, const RefValue& b);
// A bool; an error only if a partial list was met.
Outcome Equal(const RefValue& a, const RefValue& b);
// Lists, maps and optionals that contain each other.
int Depth(const RefValue& value);

// What can be said of it in code points; nothing if it is not UTF-8.
std::optional<std::u32string> DecodeUtf8(std::string_view text);
// Valid input only.
std::u32string CodePoints(std::string_view text);
std::string EncodeUtf8(const std::u32string& text);
// Whether a code point stands at `at`; if so it and what follows it.
bool DecodeOne(std::string_view text, size_t* at, char32_t* code_point);

// The shortest decimal digits that give `value` back; it is finite and not negative. The point
// stands before the first digit, `exponent` places to the left: 12.5 has "125" and 2.
std::string ShortestDigits(double value, int* exponent);
// Without an exponent: 0.001, 1000000, NaN, -Infinity.
std::string PlainText(double value);
// With an exponent if that is below -4 or above 5, as %g of Go: 1e+06, NaN, +Inf, -Inf.
std::string ShortText(double value);

std::string ToText(const RefIp& address);
std::string ToText(const RefCidr& block);
std::optional<RefIp> ParseIp(std::string_view text);
std::optional<RefCidr> ParseCidr(std::string_view text);

// A moment in the calendar.
struct Civil {
  int64_t year;
  int month, day, hour, minute, second;  // From 1: month and day.
  int day_of_year, weekday;              // From 0; Sunday is 0.
};
Civil ToCivil(Wide unix_seconds);
bool IsLeapYear(int64_t year);
int DaysInMonth(int64_t year, int month);
Wide ToUnixSeconds(const Civil& civil);  // By all but the last two.
std::string ToText(const RefTimestamp& timestamp);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_CEL_VALUE_H_
