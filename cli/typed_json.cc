#include "reeve/cli/typed_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve {
namespace {

using cel::Cell;
using cel::Context;
using cel::Kind;
using nlohmann::json;
using nlohmann::ordered_json;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<Cell> Valid(const Cell& cell) {
  if (cell.is_error()) return Wrong(cel::ToString(cell));
  return cell;
}

// A number that may be written as a string.
template <typename Integer>
bool ReadInteger(const json& value, Integer* integer) {
  if (value.is_string()) return absl::SimpleAtoi(value.get_ref<const std::string&>(), integer);
  if (!value.is_number_integer()) return false;
  return absl::SimpleAtoi(value.dump(), integer);
}

// The value that one of CEL's conversions makes of a text.
absl::StatusOr<Cell> Convert(std::string_view function, const json& value, Context& context) {
  if (!value.is_string()) return Wrong(absl::StrCat("a ", std::string(function), " is a string"));
  const Cell text = context.CopyString(value.get_ref<const std::string&>());
  if (text.is_error()) return Valid(text);
  return Valid(cel::FindFunction(function)->call({&text, 1}, context));
}

absl::StatusOr<Cell> ReadTime(bool timestamp, const json& object, Context& context) {
  if (object.contains("seconds")) {
    int64_t seconds;
    int64_t nanos = 0;
    if (!ReadInteger(object["seconds"], &seconds) ||
        (object.contains("nanos") && !ReadInteger(object["nanos"], &nanos)) ||
        nanos <= -1000000000 || nanos >= 1000000000 ||
        seconds == std::numeric_limits<int64_t>::min()) {
      return Wrong("`seconds` or `nanos` is not a number of them");
    }
    if (nanos < 0) {
      --seconds;
      nanos += 1000000000;
    }
    return timestamp ? Cell::Timestamp(seconds, static_cast<uint32_t>(nanos))
                     : Cell::Duration(seconds, static_cast<uint32_t>(nanos));
  }
  return Convert(timestamp ? "timestamp" : "duration", object["value"], context);
}

template <typename Read>
absl::StatusOr<Cell> ReadList(const json& array, Context& context, Read read) {
  Cell* const elements = context.Allocate<Cell>(array.size());
  if (elements == nullptr) return Valid(context.LimitError());
  size_t size = 0;
  for (const json& item : array) {
    absl::StatusOr<Cell> element = read(item);
    if (!element.ok()) return element;
    elements[size++] = *element;
  }
  return Valid(context.MakeList({elements, size}));
}

std::string DoubleText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string result(text.data(), end);
  if (result.find_first_of(".e") == std::string::npos) result += ".0";
  return result;
}

// What is exhausted in between is seen by the context.
ordered_json Typed(const Cell& cell, Context& context) {
  const bool has_text = cell.kind() == Kind::kString || cell.kind() == Kind::kBytes;
  if (!context.Charge(1 + (has_text ? cell.text().size() / 16 : 0))) return {};
  const auto text_of = [&context](const Cell& value) {
    const Cell text = cel::FindFunction("string")->call({&value, 1}, context);
    return std::string(text.is_error() ? std::string_view() : text.text());
  };
  switch (cell.kind()) {
    case Kind::kBool:
      return {{"type", "bool"}, {"value", cell.bool_value()}};
    case Kind::kInt:
      return {{"type", "int"}, {"value", std::to_string(cell.int_value())}};
    case Kind::kUint:
      return {{"type", "uint"}, {"value", std::to_string(cell.uint_value())}};
    case Kind::kDouble:
      return {{"type", "double"}, {"value", DoubleText(cell.double_value())}};
    case Kind::kString:
      return {{"type", "string"}, {"value", cell.text()}};
    case Kind::kBytes:
      return {{"type", "bytes"},
              {"value", absl::Base64Escape({cell.text().data(), cell.text().size()})}};
    case Kind::kTimestamp:
    case Kind::kDuration: {
      // Of a negative duration seconds and nanoseconds are both negative, as in protobuf.
      int64_t seconds = cell.seconds();
      int64_t nanos = cell.nanos();
      const bool timestamp = cell.kind() == Kind::kTimestamp;
      if (!timestamp && seconds < 0 && nanos > 0) {
        ++seconds;
        nanos -= 1000000000;
      }
      return {{"type", timestamp ? "timestamp" : "duration"},
              {"value", text_of(cell)},
              {"seconds", std::to_string(seconds)},
              {"nanos", nanos}};
    }
    case Kind::kList: {
      ordered_json elements = ordered_json::array();
      for (size_t i = 0; i < cell.list_size() && !context.exhausted(); ++i) {
        elements.push_back(Typed(cell.At(i), context));
      }
      return {{"type", "list"}, {"value", std::move(elements)}};
    }
    case Kind::kMap: {
      ordered_json entries = ordered_json::array();
      const Cell keys = cel::Elements(cell, context);
      if (keys.is_error()) return {};
      for (size_t i = 0; i < keys.list_size() && !context.exhausted(); ++i) {
        const Cell value = cel::Index(cell, keys.At(i), context);
        entries.push_back({{"key", Typed(keys.At(i), context)}, {"value", Typed(value, context)}});
      }
      return {{"type", "map"}, {"value", std::move(entries)}};
    }
    case Kind::kType:
      return {{"type", "type"}, {"value", cell.text()}};
    case Kind::kOptional:
      return {{"type", "optional_type"},
              {"value", cell.optional_value() == nullptr ? ordered_json()
                                                         : Typed(*cell.optional_value(), context)}};
    case Kind::kIp:
      return {{"type", "net.IP"}, {"value", text_of(cell)}};
    case Kind::kCidr:
      return {{"type", "net.CIDR"}, {"value", text_of(cell)}};
    case Kind::kNull:
    case Kind::kError:
      break;
  }
  return {{"type", "null"}, {"value", nullptr}};
}

}  // namespace

absl::StatusOr<json> ParseJson(std::string_view text) {
  // Values are walked by recursion, so their depth is looked at first.
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        in_string = false;
      continue;
    }
    if (text[i] == '"') in_string = true;
    if (text[i] == '[' || text[i] == '{') ++depth;
    if (text[i] == ']' || text[i] == '}') --depth;
    if (depth > kMaxJsonNesting) {
      return Wrong(absl::StrCat("arrays and objects are nested deeper than ", kMaxJsonNesting));
    }
  }
  json value = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return Wrong("is not JSON");
  return value;
}

absl::StatusOr<Cell> FromTypedJson(const json& json, Context& context) {
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) {
    return Wrong("a value is an object with `type` and `value`");
  }
  const std::string& type = json["type"].get_ref<const std::string&>();
  const nlohmann::json value = json.contains("value") ? json["value"] : nlohmann::json();
  if (type == "null") return Cell::Null();
  if (type == "bool" && value.is_boolean()) return Cell::Bool(value.get<bool>());
  if (type == "int") {
    if (int64_t number; ReadInteger(value, &number)) return Cell::Int(number);
  }
  if (type == "uint") {
    if (uint64_t number; ReadInteger(value, &number)) return Cell::Uint(number);
  }
  if (type == "double" && value.is_number()) return Cell::Double(value.get<double>());
  if (type == "double") return Convert("double", value, context);
  if (type == "string" && value.is_string()) {
    return Valid(context.CopyString(value.get_ref<const std::string&>()));
  }
  if (type == "bytes" && value.is_string()) {
    std::string bytes;
    if (!absl::Base64Unescape(value.get_ref<const std::string&>(), &bytes)) {
      return Wrong("the value of `bytes` is not base64");
    }
    return Valid(context.CopyBytes(bytes));
  }
  if (type == "timestamp" || type == "duration") {
    return ReadTime(type == "timestamp", json, context);
  }
  if (type == "type" && value.is_string()) {
    const Cell name = context.CopyString(value.get_ref<const std::string&>());
    return name.is_error() ? Valid(name) : Cell::Type(name.text());
  }
  if (type == "net.IP") return Convert("ip", value, context);
  if (type == "net.CIDR") return Convert("cidr", value, context);
  if (type == "list" && value.is_array()) {
    return ReadList(value, context,
                    [&](const nlohmann::json& item) { return FromTypedJson(item, context); });
  }
  if (type == "map" && value.is_array()) {
    cel::MapBuilder builder(value.size(), context);
    for (const nlohmann::json& entry : value) {
      if (!entry.is_object() || !entry.contains("key") || !entry.contains("value")) {
        return Wrong("an entry of a map has a `key` and a `value`");
      }
      const absl::StatusOr<Cell> key = FromTypedJson(entry["key"], context);
      if (!key.ok()) return key;
      const absl::StatusOr<Cell> of_key = FromTypedJson(entry["value"], context);
      if (!of_key.ok()) return of_key;
      if (const Cell added = builder.Add(*key, *of_key); added.is_error()) return Valid(added);
    }
    return Valid(builder.Build());
  }
  if (type == "optional_type") {
    if (value.is_null()) return Cell::Optional(nullptr, 1);
    const absl::StatusOr<Cell> held = FromTypedJson(value, context);
    return held.ok() ? Valid(cel::MakeOptional(*held, context)) : held;
  }
  return Wrong(absl::StrCat("`", type, "` is no type of values, or its value is wrong"));
}

absl::StatusOr<ordered_json> ToTypedJson(const Cell& cell) {
  cel::Context context;
  context.Reset(200'000, size_t{16} << 20);
  ordered_json json = Typed(cell, context);
  if (context.exhausted()) return absl::ResourceExhaustedError("the value is too large for JSON");
  return json;
}

absl::StatusOr<Cell> FromPlainJson(const json& json, Context& context) {
  switch (json.type()) {
    case json::value_t::boolean:
      return Cell::Bool(json.get<bool>());
    case json::value_t::number_integer:
      return Cell::Int(json.get<int64_t>());
    case json::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
                 ? Cell::Int(static_cast<int64_t>(number))
                 : Cell::Uint(number);
    }
    case json::value_t::number_float:
      return Cell::Double(json.get<double>());
    case json::value_t::string:
      return Valid(context.CopyString(json.get_ref<const std::string&>()));
    case json::value_t::array:
      return ReadList(json, context,
                      [&](const nlohmann::json& item) { return FromPlainJson(item, context); });
    case json::value_t::object: {
      cel::MapBuilder builder(json.size(), context);
      for (const auto& [name, value] : json.items()) {
        const absl::StatusOr<Cell> cell = FromPlainJson(value, context);
        if (!cell.ok()) return cell;
        const Cell key = context.CopyString(name);
        if (key.is_error()) return Valid(key);
        if (const Cell added = builder.Add(key, *cell); added.is_error()) return Valid(added);
      }
      return Valid(builder.Build());
    }
    default:
      return Cell::Null();
  }
}

}  // namespace reeve
