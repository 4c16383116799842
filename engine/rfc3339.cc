#include "reeve/engine/rfc3339.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"

namespace reeve {
namespace {

// Takes a text apart from the left. After the first mismatch nothing more is taken.
class Scanner {
 public:
  explicit Scanner(std::string_view rest) : rest_(rest) {}

  bool AtEnd() const { return ok_ && rest_.empty(); }

  // Exactly `digits` digits, at most 9, with a value from `min` to `max`.
  int Number(size_t digits, int min, int max) {
    if (rest_.size() < digits) ok_ = false;
    int value = 0;
    for (size_t i = 0; ok_ && i < digits; ++i) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(rest_[i]))) ok_ = false;
      value = value * 10 + (rest_[i] - '0');
    }
    if (!ok_ || value < min || value > max) {
      ok_ = false;
      return min;
    }
    rest_.remove_prefix(digits);
    return value;
  }

  // `c`; a letter in upper case also stands for the lower.
  void Expect(char c) { ok_ = Take(c); }

  bool Take(char c) {
    if (!ok_ || rest_.empty() || absl::ascii_toupper(static_cast<unsigned char>(rest_[0])) != c) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  // One to nine digits after the decimal point.
  int64_t Nanoseconds() {
    int64_t value = 0;
    size_t digits = 0;
    while (ok_ && digits < rest_.size() &&
           absl::ascii_isdigit(static_cast<unsigned char>(rest_[digits]))) {
      if (digits == 9) {
        ok_ = false;
        return 0;
      }
      value = value * 10 + (rest_[digits++] - '0');
    }
    if (digits == 0) ok_ = false;
    if (ok_) rest_.remove_prefix(digits);
    for (; digits < 9; ++digits) value *= 10;
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Minutes east of Greenwich.
int Offset(Scanner& in) {
  if (in.Take('Z')) return 0;
  const bool west = in.Take('-');
  if (!west) in.Expect('+');
  const int hours = in.Number(2, 0, 23);
  in.Expect(':');
  const int minutes = hours * 60 + in.Number(2, 0, 59);
  return west ? -minutes : minutes;
}

}  // namespace

std::optional<absl::Time> ParseRfc3339(std::string_view text) {
  Scanner in(text);
  const int year = in.Number(4, 0, 9999);
  in.Expect('-');
  const int month = in.Number(2, 1, 12);
  in.Expect('-');
  const int day = in.Number(2, 1, 31);
  in.Expect('T');
  const int hour = in.Number(2, 0, 23);
  in.Expect(':');
  const int minute = in.Number(2, 0, 59);
  int second = 0;
  int64_t nanoseconds = 0;
  if (in.Take(':')) {
    second = in.Number(2, 0, 59);
    if (in.Take('.')) nanoseconds = in.Nanoseconds();
  }
  const int offset = Offset(in);
  if (!in.AtEnd()) return std::nullopt;

  const absl::CivilSecond civil(year, month, day, hour, minute, second);
  if (civil.day() != day) return std::nullopt;  // 30 February became 2 March.
  const absl::Time time = absl::FromCivil(civil, absl::UTCTimeZone()) - absl::Minutes(offset) +
                          absl::Nanoseconds(nanoseconds);
  const absl::CivilYear utc_year = absl::ToCivilYear(time, absl::UTCTimeZone());
  if (utc_year.year() < 1 || utc_year.year() > 9999) return std::nullopt;
  return time;
}

}  // namespace reeve
