#include "reeve/adapters/authzen/json_value.h"

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

constexpr std::string_view kNotJson = "the request is not JSON";
constexpr std::string_view kOutOfRange = "a number is out of range";

// Makes values of the parser's events. One frame stands for each open list or object.
class ValueBuilder {
 public:
  JsonValue Finish(bool complete) && {
    if (!complete && defect_.empty()) defect_ = kNotJson;
    if (!defect_.empty()) return {Value(), defect_};
    return {std::move(root_), {}};
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
    if (text.find_first_of(".eE") == std::string::npos) return Fail(kOutOfRange);
    return Add(Value::Double(value));
  }
  bool string(std::string& value) { return Add(Value::String(std::move(value))); }
  bool binary(std::vector<uint8_t>&) { return Fail(kNotJson); }
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
      return Fail("a member is repeated");
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
    return Fail(error.id == kNumberOverflow ? kOutOfRange : kNotJson);
  }

 private:
  struct Frame {
    bool is_list;
    Value::List list;
    std::vector<Attributes::Entry> members;  // The last one's value is yet to come.
  };

  bool Fail(std::string_view defect) {
    if (defect_.empty()) defect_ = defect;
    return false;
  }

  bool Count() { return ++count_ <= kMaxJsonValues || Fail("the request has too many values"); }

  bool Open(bool is_list) {
    if (open_.size() == kMaxJsonDepth) return Fail("the request is nested too deeply");
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

  std::vector<Frame> open_;
  Value root_;
  size_t count_ = 0;
  std::string_view defect_;
};

}  // namespace

JsonValue ReadJson(std::string_view json) {
  if (json.size() > kMaxJsonBytes) return {Value(), "the request is too large"};
  if (!IsValidUtf8(json)) return {Value(), "the request is not valid UTF-8"};
  // The parser takes a zero byte for the end of the text.
  if (json.find('\0') != std::string_view::npos) return {Value(), kNotJson};
  ValueBuilder builder;
  const bool complete = nlohmann::json::sax_parse(json.begin(), json.end(), &builder);
  return std::move(builder).Finish(complete);
}

}  // namespace reeve
