// What a CEL expression is worth, worked out the slow and plain way: a walk over the tree as it was
// written, macros and all. It shares the parser with the engine, and nothing else.
#ifndef REEVE_TESTS_REFERENCE_CEL_EVALUATE_H_
#define REEVE_TESTS_REFERENCE_CEL_EVALUATE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/cel/ast.h"

namespace reeve::reference {

__extension__ typedef __int128 Wide;

struct RefValue;
struct RefEntry;

struct RefNull {};
struct RefBytes {
  std::string bytes;
};
// Nanoseconds since the epoch.
struct RefTimestamp {
  Wide nanos = 0;
};
struct RefDuration {
  Wide nanos = 0;
};
struct RefType {
  std::string name;
};
struct RefIp {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // Of an IPv4 address the first 4 count.
};
struct RefCidr {
  RefIp address;
  int prefix = 0;
};
struct RefList {
  std::vector<RefValue> elements;
  // More elements may exist that are not known; see Cell::Partial() in the engine.
  bool partial = false;
};
struct RefMap {
  std::vector<RefEntry> entries;  // In the order in which they are walked.
  std::string entity;             // Of `principal` and `resource`: `type:id`.
  // More entries may exist that are not known: one that is not found is an error, and so is what
  // depends on all.
  bool partial = false;
  std::vector<std::string> absent = {};  // Of these it is known that they do not.
};
struct RefOptional {
  std::vector<RefValue> value;  // One or none.
};

// Any value. Strings are UTF-8.
struct RefValue {
  using Variant =
      std::variant<RefNull, bool, int64_t, uint64_t, double, std::string, RefBytes, RefList, RefMap,
                   RefTimestamp, RefDuration, RefType, RefOptional, RefIp, RefCidr>;
  Variant v;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&v);
  }
};

struct RefEntry {
  RefValue key;
  RefValue value;
};

struct Outcome {
  std::optional<RefValue> value;
  bool is_error = false;
  bool limit = false;  // The bound on steps was met; then is_error too.
  std::string error;   // For people.
};

// What an expression may speak of.
struct Scope {
  std::map<std::string, RefValue> variables;  // `a.b` may be a name.
  std::string container;                      // Names are looked up in it first.
  // Whether `entity` is, or lies in, the one of this name.
  std::function<Outcome(const RefValue& entity, const std::string& name)> is_in;
  // Bounds time and memory: a step for each node that is evaluated and for each element or 16 bytes
  // of its value.
  uint64_t max_steps = 200000;
};

// `raw` comes from the parser without its macros expanded.
Outcome Evaluate(const cel::Ast& raw, const Scope& scope);

// The one text of a value, its type included, so that two evaluators can be compared:
//   null  true  1  1u  1.5  1.0  1e+300  NaN  inf  -inf: doubles as the shortest digits that give
//       them back, as std::to_chars() chooses the form, with `.0` if there is neither point nor
//       exponent
//   "a\"\\\n\u0001": escaped are quotes, backslashes, \n, \r, \t and other controls below 0x80
//   b"a\xff": escaped as above, but with \x for all bytes below 0x20 and above 0x7e
//   [1, 2], and [1, 2, ...] if partial  {"a": 1, 2: 3}: by the texts of the keys
//   timestamp(-1, 999999999)  duration(1, 0): seconds, and nanoseconds upwards from them
//   type(int)  optional(1)  optional()  ip(::1)  cidr(10.0.0.0/8)
std::string ToString(const RefValue& value);
// The same of the value, or `error`.
std::string ToString(const Outcome& outcome);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_CEL_EVALUATE_H_
