#include "reeve/store/json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

void AppendEscape(char32_t unit, std::string* out) {
  absl::StrAppendFormat(out, "\\u%04x", static_cast<uint32_t>(unit));
}

void AppendString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    char32_t c = 0;
    const std::string_view character = text.substr(0, std::max<size_t>(1, DecodeUtf8(text, &c)));
    text.remove_prefix(character.size());
    if (c == '"' || c == '\\') {
      out->append(1, '\\').append(character);
    } else if (!IsControl(c) && !IsHidden(c)) {
      out->append(character);
    } else if (c < 0x10000) {
      AppendEscape(c, out);
    } else {  // a pair of surrogates (RFC 8259, section 7)
      AppendEscape(0xD800 + ((c - 0x10000) >> 10), out);
      AppendEscape(0xDC00 + ((c - 0x10000) & 0x3FF), out);
    }
  }
  out->push_back('"');
}

void AppendDouble(double value, std::string* out) {
  if (std::isnan(value)) {
    out->append("\"NaN\"");
  } else if (std::isinf(value)) {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    std::string text;
    for (int digits = 15; digits <= 17; ++digits) {  // the shortest that reads back the same
      text = absl::StrFormat("%.*g", digits, value);
      if (std::strtod(text.c_str(), nullptr) == value) break;
    }
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    out->append(text);
  }
}

void AppendMap(const Attributes& attributes, std::string* out);

// Recursive: its callers hold values to kMaxValueDepth.
void AppendJson(const Value& value, std::string* out) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      out->append("null");
      return;
    case Value::Kind::kBool:
      out->append(value.bool_value() ? "true" : "false");
      return;
    case Value::Kind::kInt:
      absl::StrAppend(out, value.int_value());
      return;
    case Value::Kind::kUint:
      absl::StrAppend(out, value.uint_value());
      return;
    case Value::Kind::kDouble:
      AppendDouble(value.double_value(), out);
      return;
    case Value::Kind::kString:
      AppendString(value.string_value(), out);
      return;
    case Value::Kind::kBytes: {
      const std::string_view bytes = value.bytes_value();
      absl::StrAppend(out, "\"", absl::Base64Escape({bytes.data(), bytes.size()}), "\"");
      return;
    }
    case Value::Kind::kList: {
      const char* separator = "[";
      for (const Value& item : value.list_value()) {
        out->append(separator);
        AppendJson(item, out);
        separator = ",";
      }
      out->append(value.list_value().empty() ? "[]" : "]");
      return;
    }
    case Value::Kind::kMap:
      AppendMap(value.map_value(), out);
      return;
    case Value::Kind::kTimestamp:
      absl::StrAppend(
          out, "\"",
          absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", value.timestamp_value(), absl::UTCTimeZone()),
          "\"");
      return;
    case Value::Kind::kDuration:
      absl::StrAppend(out, "\"", absl::FormatDuration(value.duration_value()), "\"");
      return;
  }
}

void AppendMap(const Attributes& attributes, std::string* out) {
  const char* separator = "{";
  for (const auto& [name, value] : attributes) {
    out->append(separator);
    AppendString(name, out);
    out->push_back(':');
    AppendJson(value, out);
    separator = ",";
  }
  out->append(attributes.empty() ? "{}" : "}");
}

}  // namespace

std::string ToJson(const std::vector<std::string_view>& texts) {
  std::string out;
  const char* separator = "[";
  for (std::string_view text : texts) {
    out.append(separator);
    AppendString(text, &out);
    separator = ",";
  }
  out.append(texts.empty() ? "[]" : "]");
  return out;
}

std::string ClausesToJson(const std::vector<RecordedRule>& rules) {
  std::string out;
  const char* separator = "[";
  for (const RecordedRule& rule : rules) {
    for (const RecordedClause& clause : rule.clauses) {
      out.append(separator).append("{\"rule\":");
      AppendString(rule.id, &out);
      out.append(",\"clause\":");
      if (clause.text.empty()) {
        out.append("null");
      } else {
        AppendString(clause.text, &out);
      }
      out.append(",\"outcome\":\"").append(ToString(clause.outcome)).append("\"}");
      separator = ",";
    }
  }
  out.append(out.empty() ? "[]" : "]");
  return out;
}

std::string ToJson(const Attributes& attributes) {
  std::string out;
  AppendMap(attributes, &out);
  return out;
}

}  // namespace reeve
