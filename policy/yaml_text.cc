#include "policy/yaml_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Whether some reader of YAML, of any version, may take the text for something else: a number, also
// in groups, in base 60 or with a point, a date, a boolean, null.
bool IsAmbiguous(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(View(text));
  for (const char* word : {"~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=",
                           "<<", ".inf", "+.inf", "-.inf", ".nan"}) {
    if (lower == word) return true;
  }
  if (LooksLikeNumber(text)) return true;
  const size_t sign = lower[0] == '-' || lower[0] == '+' ? 1 : 0;
  return sign < lower.size() && (absl::ascii_isdigit(lower[sign]) || lower[sign] == '.') &&
         lower.find_first_not_of("0123456789abcdefox_.:+-tz ", sign) == std::string::npos;
}

bool IsPlain(std::string_view text, bool in_flow) {
  if (text.empty() || IsAmbiguous(text)) return false;
  if (text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  // Nothing of what means something to YAML at the beginning.
  if (View("-?:,[]{}#&*!|>'\"%@`").find(text.front()) != absl::string_view::npos) return false;
  if (absl::StartsWith(View(text), "...") || text.find('\n') != std::string_view::npos ||
      text.find('\t') != std::string_view::npos || absl::StrContains(View(text), ": ") ||
      absl::StrContains(View(text), " #")) {
    return false;
  }
  // In brackets readers differ about `?` and quotes within what is not quoted.
  return !in_flow || text.find_first_of(",?[]{}\"'") == std::string_view::npos;
}

}  // namespace

bool LooksLikeNumber(std::string_view text) {
  if (text.empty()) return false;
  std::string_view digits = text;
  if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF" || digits == ".nan" ||
      digits == ".NaN" || digits == ".NAN") {
    return true;
  }
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
    return std::all_of(digits.begin() + 2, digits.end(), absl::ascii_isxdigit);
  }
  if (digits.empty() || !(absl::ascii_isdigit(digits[0]) || digits[0] == '.')) return false;
  bool any_digit = false;
  bool exponent = false;
  for (size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[i];
    if (absl::ascii_isdigit(c)) {
      any_digit = true;
    } else if ((c == 'e' || c == 'E') && any_digit && !exponent && i + 1 < digits.size()) {
      exponent = true;
      if ((digits[i + 1] == '+' || digits[i + 1] == '-') && i + 2 < digits.size()) ++i;
    } else if (c != '.' || exponent) {
      return false;
    }
  }
  return any_digit;
}

bool LooksLikeBool(std::string_view text) {
  return text == "true" || text == "false" || text == "True" || text == "False" || text == "TRUE" ||
         text == "FALSE";
}

bool IsText(YamlNode scalar) {
  if (!scalar.plain()) return true;
  const std::string_view text = scalar.text();
  return !scalar.IsNull() && !LooksLikeNumber(text) && !LooksLikeBool(text);
}

std::string YamlText(std::string_view text, bool in_flow) {
  if (IsPlain(text, in_flow)) return std::string(text);
  const auto count = [text](char c) { return std::count(text.begin(), text.end(), c); };
  const bool one_line = count('\n') == 0 && count('\t') == 0;
  if (one_line && count('\'') < count('"') + count('\\')) {
    return absl::StrCat("'", absl::StrReplaceAll(View(text), {{"'", "''"}}), "'");
  }
  return absl::StrCat(
      "\"",
      absl::StrReplaceAll(View(text),
                          {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}, {"\t", "\\t"}}),
      "\"");
}

}  // namespace reeve
