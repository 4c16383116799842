#ifndef REEVE_ADAPTERS_JSON_JSON_VALUE_H_
#define REEVE_ADAPTERS_JSON_JSON_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "reeve/engine/value.h"

namespace reeve {

// Beyond these a text is refused.
struct JsonLimits {
  size_t bytes;
  size_t depth;   // A list in an object is depth 2.
  size_t values;  // Values and member names, at all depths.
};

enum class JsonDefect : uint8_t {
  kNone,
  kTooLarge,
  kNotUtf8,
  kNotJson,
  kTooDeep,
  kTooMany,
  kRepeated,    // one object has two members of one name
  kOutOfRange,  // a number is none that a Value can be
};

// What is wrong with a text, to be read after what it is: "is not JSON". Empty of kNone. Lives as
// long as the program.
std::string_view ToString(JsonDefect defect);

// What a text says, if there is no defect; else null.
struct JsonValue {
  Value value;
  JsonDefect defect = JsonDefect::kNone;
};

// Reads one JSON text (RFC 8259). Strict where JSON leaves room: valid UTF-8 without lone
// surrogates, no member name twice in one object, no integer that would be rounded to another one.
// Integers become kInt, or kUint above its range; numbers with a fraction or an exponent become
// kDouble, the nearest. Takes time and memory proportional to the text, and does not recurse.
JsonValue ReadJson(std::string_view json, const JsonLimits& limits);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_JSON_JSON_VALUE_H_
