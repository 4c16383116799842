#include "reeve/adapters/json/json_value.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// Makes values of the parser's events. One frame stands for each open list or object.
class ValueBuilder {
 public:
  explicit ValueBuilder(const JsonLimits& limits) : limits_(limits) {}

  JsonValue Finish(bool complete) && {
    if (!complete && defect_ == JsonDefect::kNone) defect_ = JsonDefect::kNotJson;
    if (defect_ != JsonDefect::kNone) return {Value(), defect_};
    return {std::move(root_), JsonDefect::kNone};
  }

  // What nlohmann::json::sax_parse() calls; false stops it.
  bool null() { return Add(Value()); }
  bool boolean(bool value) { return Add(Value::Bool(value)); }
  bool number_integer(int64_t value) { return Add(Value::Int(value)); }
  bool number_unsigned(uint64_t value) {
    constexpr uint64_t kMaxInt = std::numeric_limits<int64_t>::max();
    return Add(value <= kMaxInt ? Value::Int(static_cast<int64_t>(value)) : Value::Uint(value));
  }
  // Integers beyond 64 bits arrive here too, already rounded; their text tells them apart.
  bool number_float(double value, const std::string& text) {
    if (text.find_first_of(".eE") == std::string::npos) return Fail(JsonDefect::kOutOfRange);
    return Add(Value::Double(value));
  }
  bool string(std::string& value) { return Add(Value::String(std::move(value))); }
  bool binary(std::vector<uint8_t>&) { return Fail(JsonDefect::kNotJson); }
  bool start_object(size_t) { return Open(false); }
  bool start_array(size_t) { return Open(true); }

  bool key(std::string& name) {
    open_.back().members.emplace_back(std::move(name), Value());
    return Count();
  }

  bool end_object() {
    std::vector<Attributes::Entry> members = std::move(open_.back().members);
    open_.pop_back();
    std::sort(members.begin(), members.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (std::adjacent_find(members.begin(), members.end(), same_name) != members.end()) {
      return Fail(JsonDefect::kRepeated);
    }
    Attributes object;
    for (auto& [name, value] : members) object.Set(std::move(name), std::move(value));
    Place(Value::Of(std::move(object)));
    return true;
  }

  bool end_array() {
    Value::List list = std::move(open_.back().list);
    open_.pop_back();
    Place(Value::Of(std::move(list)));
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) {
    constexpr int kNumberOverflow = 406;  // as documented with nlohmann::json::out_of_range
    return Fail(error.id == kNumberOverflow ? JsonDefect::kOutOfRange : JsonDefect::kNotJson);
  }

 private:
  struct Frame {
    bool is_list;
    Value::List list;
    std::vector<Attributes::Entry> members;  // The last one's value is yet to come.
  };

  bool Fail(JsonDefect defect) {
    if (defect_ == JsonDefect::kNone) defect_ = defect;
    return false;
  }

  bool Count() { return ++count_ <= limits_.values || Fail(JsonDefect::kTooMany); }

  bool Open(bool is_list) {
    if (open_.size() == limits_.depth) return Fail(JsonDefect::kTooDeep);
    open_.push_back({is_list, {}, {}});
    return Count();
  }

  bool Add(Value&& value) {
    Place(std::move(value));
    return Count();
  }

  void Place(Value&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_list) {
      open_.back().list.push_back(std::move(value));
    } else {
      open_.back().members.back().second = std::move(value);
    }
  }

  const JsonLimits& limits_;
  std::vector<Frame> open_;
  Value root_;
  size_t count_ = 0;
  JsonDefect defect_ = JsonDefect::kNone;
};

}  // namespace

std::string_view ToString(JsonDefect defect) {
  switch (defect) {
    case JsonDefect::kNone:
      return "";
    case JsonDefect::kTooLarge:
      return "is too large";
    case JsonDefect::kNotUtf8:
      return "is not valid UTF-8";
    case JsonDefect::kNotJson:
      return "is not JSON";
    case JsonDefect::kTooDeep:
      return "is nested too deeply";
    case JsonDefect::kTooMany:
      return "has too many values";
    case JsonDefect::kRepeated:
      return "has a member twice";
    case JsonDefect::kOutOfRange:
      return "has a number that is out of range";
  }
  return "";
}

JsonValue ReadJson(std::string_view json, const JsonLimits& limits) {
  if (json.size() > limits.bytes) return {Value(), JsonDefect::kTooLarge};
  if (!IsValidUtf8(json)) return {Value(), JsonDefect::kNotUtf8};
  // The parser takes a zero byte for the end of the text.
  if (json.find('\0') != std::string_view::npos) return {Value(), JsonDefect::kNotJson};
  ValueBuilder builder(limits);
  const bool complete = nlohmann::json::sax_parse(json.begin(), json.end(), &builder);
  return std::move(builder).Finish(complete);
}

}  // namespace reeve
