#ifndef REEVE_ADAPTERS_AUTHZEN_JSON_VALUE_H_
#define REEVE_ADAPTERS_AUTHZEN_JSON_VALUE_H_

#include <string_view>

#include "reeve/engine/value.h"

namespace reeve {

inline constexpr size_t kMaxJsonBytes = 1024 * 1024;
// A request in a list of requests holds an entity that holds attributes.
inline constexpr size_t kMaxJsonDepth = 4 + kMaxValueDepth;
// Values and member names, at all depths: more than any well-formed request has.
inline constexpr size_t kMaxJsonValues = 128 * 1024;

// What a text says, or what is wrong with it.
struct JsonValue {
  Value value;
  // Empty if there is a value; else a text that lives as long as the program.
  std::string_view defect;
};

// Reads one JSON text (RFC 8259) within the limits above. Strict where JSON leaves room: valid
// UTF-8 without lone surrogates, no member name twice in one object, no number that would be
// rounded to another one. Integers become kInt, or kUint above its range; numbers with a fraction
// or an exponent become kDouble. Takes time and memory proportional to the text, and does not
// recurse.
JsonValue ReadJson(std::string_view json);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_AUTHZEN_JSON_VALUE_H_
