// The functions that conditions can call, by name. Internal.
#ifndef REEVE_ENGINE_CEL_FUNCTION_H_
#define REEVE_ENGINE_CEL_FUNCTION_H_

#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve::cel {

// One name. What stands before the dot of a call is its first argument: `"a".size()` and
// `size("a")` are the same. The function looks at the kinds of its arguments, and answers those
// that it is not made for with kNoSuchOverload. No argument is an error.
struct Function {
  std::string_view name;  // "size", "math.greatest", "ip.isCanonical"
  uint8_t min_arguments;
  uint8_t max_arguments;  // kAnyNumber: no limit
  Cell (*call)(absl::Span<const Cell> arguments, Context& context);
  // Whether it is worth evaluating once for a whole decision rather than in each condition.
  bool costly = false;
};
inline constexpr uint8_t kAnyNumber = 255;

// All of them, sorted by name. A function's number is its place here, in one build of Reeve.
absl::Span<const Function> Functions();
// Null if there is none.
const Function* FindFunction(std::string_view name);

// The parts, one for each file of functions.
absl::Span<const Function> ConversionFunctions();
absl::Span<const Function> TimeFunctions();
absl::Span<const Function> StringFunctions();
absl::Span<const Function> FormatFunctions();
absl::Span<const Function> MathFunctions();
absl::Span<const Function> ListFunctions();  // lists and sets
absl::Span<const Function> EncoderFunctions();
absl::Span<const Function> NetworkFunctions();
absl::Span<const Function> OptionalFunctions();
absl::Span<const Function> EntityFunctions();  // isIn

// `entity.isIn(names)`, where neither is an error.
Cell IsIn(const Cell& entity, const Cell& names, Context& context);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_FUNCTION_H_
