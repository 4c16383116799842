#include "reeve/engine/value.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

bool NameLess(const Attributes::Entry& entry, std::string_view name) { return entry.first < name; }

std::string Quote(std::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape({text.data(), text.size()}), "\"");
}

std::string DoubleToString(double value) {
  if (std::isnan(value)) return "double(\"NaN\")";
  if (std::isinf(value)) return value > 0 ? "double(\"Infinity\")" : "double(\"-Infinity\")";
  std::string text = absl::StrFormat("%.17g", value);
  for (int digits = 1; digits < 17; ++digits) {  // the shortest text that reads back the same
    std::string shorter = absl::StrFormat("%.*g", digits, value);
    if (std::strtod(shorter.c_str(), nullptr) == value) {
      text = shorter;
      break;
    }
  }
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// Visits `attributes` without recursion, keeping one frame for each open list or map.
class DefectFinder {
 public:
  std::string_view Find(const Attributes& attributes) {
    if (std::string_view defect = Open(nullptr, &attributes); !defect.empty()) return defect;
    while (depth_ > 0) {
      Frame& frame = frames_[depth_ - 1];
      const Value* value = Next(frame);
      if (value == nullptr) {
        --depth_;
        continue;
      }
      if (std::string_view defect = Check(*value); !defect.empty()) return defect;
    }
    return defect_;
  }

 private:
  struct Frame {
    const Value::List* list;
    const Attributes* map;
    size_t next;
  };

  std::string_view Open(const Value::List* list, const Attributes* map) {
    elements_ += list != nullptr ? list->size() : map->size();
    if (elements_ > kMaxValueElements) return "too many values in one set of attributes";
    if (depth_ == frames_.size()) return "values are nested too deeply";
    frames_[depth_++] = {list, map, 0};
    return {};
  }

  const Value* Next(Frame& frame) {
    if (frame.list != nullptr) {
      return frame.next < frame.list->size() ? &(*frame.list)[frame.next++] : nullptr;
    }
    if (frame.next == frame.map->size()) return nullptr;
    const Attributes::Entry& entry = *(frame.map->begin() + frame.next++);
    if (defect_.empty()) defect_ = StringDefect(entry.first);
    return &entry.second;
  }

  std::string_view Check(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::kString:
        return StringDefect(value.string_value());
      case Value::Kind::kBytes:
        return value.bytes_value().size() > kMaxStringBytes ? kTooLong : std::string_view();
      case Value::Kind::kList:
        return Open(&value.list_value(), nullptr);
      case Value::Kind::kMap:
        return Open(nullptr, &value.map_value());
      default:
        return {};
    }
  }

  static std::string_view StringDefect(std::string_view text) {
    if (text.size() > kMaxStringBytes) return kTooLong;
    return IsValidUtf8(text) ? std::string_view() : "an attribute is not valid UTF-8";
  }

  static constexpr std::string_view kTooLong = "an attribute is too long";

  std::array<Frame, kMaxValueDepth> frames_;
  size_t depth_ = 0;
  size_t elements_ = 0;
  std::string_view defect_;  // of a name
};

}  // namespace

Value Value::Of(List value) { return Value(Data(std::make_shared<const List>(std::move(value)))); }

Value Value::Of(Attributes value) {
  return Value(Data(std::make_shared<const Attributes>(std::move(value))));
}

// Recursive, so for values within kMaxValueDepth: those of a snapshot and of a checked request.
std::string Value::ToString() const {
  switch (kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return bool_value() ? "true" : "false";
    case Kind::kInt:
      return absl::StrCat(int_value());
    case Kind::kUint:
      return absl::StrCat(uint_value(), "u");
    case Kind::kDouble:
      return DoubleToString(double_value());
    case Kind::kString:
      return Quote(string_value());
    case Kind::kBytes: {
      const std::string_view bytes = bytes_value();
      return absl::StrCat("b\"", absl::CHexEscape({bytes.data(), bytes.size()}), "\"");
    }
    case Kind::kList: {
      std::string text = "[";
      for (const Value& value : list_value()) {
        absl::StrAppend(&text, text.size() > 1 ? ", " : "", value.ToString());
      }
      return text + "]";
    }
    case Kind::kMap: {
      std::string text = "{";
      for (const auto& [name, value] : map_value()) {
        absl::StrAppend(&text, text.size() > 1 ? ", " : "", Quote(name), ": ", value.ToString());
      }
      return text + "}";
    }
    case Kind::kTimestamp:
      return absl::StrCat(
          "timestamp(\"",
          absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", timestamp_value(), absl::UTCTimeZone()), "\")");
    case Kind::kDuration:
      return absl::StrCat("duration(\"", absl::FormatDuration(duration_value()), "\")");
  }
  return {};
}

bool operator==(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::kNull:
      return true;
    case Value::Kind::kBool:
      return a.bool_value() == b.bool_value();
    case Value::Kind::kInt:
      return a.int_value() == b.int_value();
    case Value::Kind::kUint:
      return a.uint_value() == b.uint_value();
    case Value::Kind::kDouble:
      return a.double_value() == b.double_value();
    case Value::Kind::kString:
      return a.string_value() == b.string_value();
    case Value::Kind::kBytes:
      return a.bytes_value() == b.bytes_value();
    case Value::Kind::kList:
      return a.list_value() == b.list_value();
    case Value::Kind::kMap:
      return a.map_value() == b.map_value();
    case Value::Kind::kTimestamp:
      return a.timestamp_value() == b.timestamp_value();
    case Value::Kind::kDuration:
      return a.duration_value() == b.duration_value();
  }
  return false;
}

Attributes::Attributes(std::initializer_list<Entry> entries) {
  for (const Entry& entry : entries) Set(entry.first, entry.second);
}

const Value* Attributes::Find(std::string_view name) const {
  constexpr size_t kFew = 8;  // are as quickly looked through
  if (entries_.size() <= kFew) {
    for (const Entry& entry : entries_) {
      if (SameText(entry.first, name)) return &entry.second;
    }
    return nullptr;
  }
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name, NameLess);
  return at != entries_.end() && at->first == name ? &at->second : nullptr;
}

bool Attributes::Set(std::string name, Value value) {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), std::string_view(name), NameLess);
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
    return false;
  }
  entries_.insert(at, {std::move(name), std::move(value)});
  return true;
}

std::string_view DefectOf(const Attributes& attributes) {
  DefectFinder finder;  // As `DefectFinder()` it would be filled with zeros first.
  return finder.Find(attributes);
}

}  // namespace reeve
