#ifndef REEVE_CLI_TYPED_JSON_H_
#define REEVE_CLI_TYPED_JSON_H_

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve {

// Reads one JSON text, of at most kMaxJsonNesting arrays and objects in each other. InvalidArgument
// if it is none.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text);
inline constexpr int kMaxJsonNesting = 200;

// `{"type": "int", "value": "5"}`: how values of conditions are written as JSON without losing
// their type. int and uint are decimal strings; double its shortest text, `NaN`, `Infinity`,
// `-Infinity`; bytes base64; list an array of values; map an array of `{"key": …, "value": …}`;
// timestamp and duration a text with `seconds` (a string) and `nanos` beside it; type, net.IP and
// net.CIDR their text; optional_type a value, or null for none.
//
// InvalidArgument if `json` is none. The cell is valid until the context is reset.
absl::StatusOr<cel::Cell> FromTypedJson(const nlohmann::json& json, cel::Context& context);
// `cell` is no error. ResourceExhausted if it takes too much to write, as it may if its parts are
// shared.
absl::StatusOr<nlohmann::ordered_json> ToTypedJson(const cel::Cell& cell);

// Plain JSON: a number is an int, a uint if it is too large for one, or a double if it is written
// with a fraction or an exponent; an object a map.
absl::StatusOr<cel::Cell> FromPlainJson(const nlohmann::json& json, cel::Context& context);

}  // namespace reeve

#endif  // REEVE_CLI_TYPED_JSON_H_
