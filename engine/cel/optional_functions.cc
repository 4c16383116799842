#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

Cell NoOverload(std::string_view name) { return Cell::Error(ErrorCode::kNoSuchOverload, name); }

Cell None(absl::Span<const Cell>, Context&) { return Cell::Optional(nullptr, 0); }

Cell Of(absl::Span<const Cell> arguments, Context& context) {
  return MakeOptional(arguments[0], context);
}

// Whether `value` is what its type has when nothing was set; an error if that is not known.
Cell IsZero(const Cell& value, Context& context) {
  switch (value.kind()) {
    case Kind::kNull:
      return Cell::Bool(true);
    case Kind::kBool:
      return Cell::Bool(!value.bool_value());
    case Kind::kInt:
      return Cell::Bool(value.int_value() == 0);
    case Kind::kUint:
      return Cell::Bool(value.uint_value() == 0);
    case Kind::kDouble:
      return Cell::Bool(value.double_value() == 0);
    case Kind::kString:
    case Kind::kBytes:
      return Cell::Bool(value.text().empty());
    case Kind::kTimestamp:
      return Cell::Bool(value.seconds() == 0 && value.nanos() == 0);
    case Kind::kDuration:
      return Cell::Bool(value.seconds() == 0 && value.nanos() == 0);
    case Kind::kList:
      if (value.list_size() > 0) return Cell::Bool(false);
      [[fallthrough]];
    case Kind::kMap: {
      const Cell size = Size(value, context);
      return size.is_error() ? size : Cell::Bool(size.int_value() == 0);
    }
    default:
      return Cell::Bool(false);
  }
}

Cell OfNonZeroValue(absl::Span<const Cell> arguments, Context& context) {
  const Cell zero = IsZero(arguments[0], context);
  if (zero.is_error()) return zero;
  return zero.bool_value() ? None(arguments, context) : MakeOptional(arguments[0], context);
}

Cell HasValue(absl::Span<const Cell> arguments, Context&) {
  if (arguments[0].kind() != Kind::kOptional) return NoOverload("hasValue");
  return Cell::Bool(arguments[0].optional_value() != nullptr);
}

Cell ValueOf(absl::Span<const Cell> arguments, Context&) {
  if (arguments[0].kind() != Kind::kOptional) return NoOverload("value");
  const Cell* value = arguments[0].optional_value();
  return value != nullptr ? *value : Cell::Error(ErrorCode::kNoValue);
}

Cell Or(absl::Span<const Cell> arguments, Context&) {
  if (arguments[0].kind() != Kind::kOptional || arguments[1].kind() != Kind::kOptional) {
    return NoOverload("or");
  }
  return arguments[0].optional_value() != nullptr ? arguments[0] : arguments[1];
}

Cell OrValue(absl::Span<const Cell> arguments, Context&) {
  if (arguments[0].kind() != Kind::kOptional) return NoOverload("orValue");
  const Cell* value = arguments[0].optional_value();
  return value != nullptr ? *value : arguments[1];
}

// The values of those elements that have one.
Cell Unwrap(absl::Span<const Cell> arguments, Context& context) {
  const Cell& list = arguments[0];
  if (list.kind() != Kind::kList) return NoOverload("unwrapOpt");
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  Cell* values = context.Allocate<Cell>(list.list_size());
  if (values == nullptr) return context.LimitError();
  size_t size = 0;
  for (size_t i = 0; i < list.list_size(); ++i) {
    const Cell element = list.At(i);
    if (element.is_error()) return element;
    if (element.kind() != Kind::kOptional) return NoOverload("unwrapOpt");
    if (element.optional_value() != nullptr) values[size++] = *element.optional_value();
  }
  return context.MakeList({values, size});
}

constexpr Function kFunctions[] = {
    {"hasValue", 1, 1, HasValue},      {"optional.none", 0, 0, None},
    {"optional.of", 1, 1, Of},         {"optional.ofNonZeroValue", 1, 1, OfNonZeroValue},
    {"optional.unwrap", 1, 1, Unwrap}, {"or", 2, 2, Or},
    {"orValue", 2, 2, OrValue},        {"unwrapOpt", 1, 1, Unwrap},
    {"value", 1, 1, ValueOf},
};

}  // namespace

absl::Span<const Function> OptionalFunctions() { return kFunctions; }

}  // namespace reeve::cel
