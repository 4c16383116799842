#ifndef REEVE_ENGINE_VALUE_H_
#define REEVE_ENGINE_VALUE_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace reeve {

class Attributes;

// One fact about a principal, a resource or a request: a value of the Common Expression Language
// (cel-spec, "Values"), without its messages and types. Maps have string keys, as in YAML and JSON.
//
// Immutable: any thread. A copy of a list or a map shares its content.
class Value {
 public:
  enum class Kind : uint8_t {
    kNull,
    kBool,
    kInt,
    kUint,
    kDouble,
    kString,
    kBytes,
    kList,
    kMap,
    kTimestamp,
    kDuration,
  };
  using List = std::vector<Value>;

  Value() = default;  // null
  static Value Bool(bool value) { return Value(Data(value)); }
  static Value Int(int64_t value) { return Value(Data(value)); }
  static Value Uint(uint64_t value) { return Value(Data(value)); }
  static Value Double(double value) { return Value(Data(value)); }
  // Valid UTF-8; the engine denies a request whose strings are not (Reason::kBadRequest).
  static Value String(std::string value) { return Value(Data(std::move(value))); }
  static Value Bytes(std::string value) { return Value(Data(BytesData{std::move(value)})); }
  static Value Of(List value);
  static Value Of(Attributes value);
  static Value Timestamp(absl::Time value) { return Value(Data(value)); }
  static Value Duration(absl::Duration value) { return Value(Data(value)); }

  Kind kind() const { return static_cast<Kind>(data_.index()); }

  // Each requires the matching kind().
  bool bool_value() const { return std::get<bool>(data_); }
  int64_t int_value() const { return std::get<int64_t>(data_); }
  uint64_t uint_value() const { return std::get<uint64_t>(data_); }
  double double_value() const { return std::get<double>(data_); }
  std::string_view string_value() const { return std::get<std::string>(data_); }
  std::string_view bytes_value() const { return std::get<BytesData>(data_).bytes; }
  const List& list_value() const { return *std::get<std::shared_ptr<const List>>(data_); }
  const Attributes& map_value() const {
    return *std::get<std::shared_ptr<const Attributes>>(data_);
  }
  absl::Time timestamp_value() const { return std::get<absl::Time>(data_); }
  absl::Duration duration_value() const { return std::get<absl::Duration>(data_); }

  // As a CEL expression would write it: `[1, 2u, "x"]`, `timestamp("2026-11-20T09:00:00Z")`.
  std::string ToString() const;

 private:
  struct BytesData {
    std::string bytes;
  };
  // The alternatives stand in the order of Kind.
  using Data = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, BytesData,
                            std::shared_ptr<const List>, std::shared_ptr<const Attributes>,
                            absl::Time, absl::Duration>;

  explicit Value(Data data) : data_(std::move(data)) {}

  Data data_;
};

// Equal means the same kind and the same content; unlike CEL's `==`, 1 and 1u differ. Doubles
// compare by value, so that NaN differs from itself.
bool operator==(const Value& a, const Value& b);
inline bool operator!=(const Value& a, const Value& b) { return !(a == b); }

// Named values, sorted by name; each name stands once. A value type.
//
// Thread-compatible: const methods from any threads, others alone.
class Attributes {
 public:
  using Entry = std::pair<std::string, Value>;

  Attributes() = default;
  // Of two entries with one name the later stands.
  Attributes(std::initializer_list<Entry> entries);

  // Null when there is none. Valid until the next change.
  const Value* Find(std::string_view name) const;
  // Adds or replaces. Returns false if it replaced.
  bool Set(std::string name, Value value);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

inline bool operator==(const Attributes& a, const Attributes& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}
inline bool operator!=(const Attributes& a, const Attributes& b) { return !(a == b); }

// What a request's values must keep to; a request beyond them is malformed (Reason::kBadRequest).
inline constexpr int kMaxValueDepth = 16;             // A list in a map is depth 2.
inline constexpr size_t kMaxValueElements = 4096;     // Of one set of attributes, at all depths.
inline constexpr size_t kMaxStringBytes = 64 * 1024;  // One string, bytes value or name.

// Empty if `attributes` keep to the limits above and their strings are valid UTF-8; else what is
// wrong, a text that lives as long as the program. Allocates nothing.
std::string_view DefectOf(const Attributes& attributes);

}  // namespace reeve

#endif  // REEVE_ENGINE_VALUE_H_
