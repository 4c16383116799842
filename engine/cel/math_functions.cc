#include <cmath>
#include <limits>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

using Arguments = absl::Span<const Cell>;

// Which of two comes out: the one that Compare() puts on the side `wanted`, and the first if they
// are equal.
Cell Pick(const Cell& a, const Cell& b, int wanted, std::string_view function) {
  if (!b.is_number()) return NoSuchOverload(function);
  const int order = Compare(b, a);
  if (order == 2) return Cell::Error(ErrorCode::kBadArgument, "NaN has no order");
  return order == wanted ? b : a;
}

Cell PickOfAll(Arguments arguments, int wanted, std::string_view function, Context& context) {
  if (arguments[0].kind() != Kind::kList) {
    if (!context.Charge(arguments.size())) return context.LimitError();
    Cell best = arguments[0];
    if (!best.is_number()) return NoSuchOverload(function);
    for (size_t i = 1; i < arguments.size() && !best.is_error(); ++i) {
      best = Pick(best, arguments[i], wanted, function);
    }
    return best;
  }
  const Cell& list = arguments[0];
  if (arguments.size() > 1) return NoSuchOverload(function);
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  if (list.list_size() == 0) return Cell::Error(ErrorCode::kBadArgument, "the list is empty");
  if (!context.Charge(list.list_size())) return context.LimitError();
  Cell best = list.At(0);
  if (best.is_error()) return best;
  if (!best.is_number()) return NoSuchOverload(function);
  for (size_t i = 1; i < list.list_size() && !best.is_error(); ++i) {
    const Cell element = list.At(i);
    best = element.is_error() ? element : Pick(best, element, wanted, function);
  }
  return best;
}

Cell Greatest(Arguments arguments, Context& context) {
  return PickOfAll(arguments, 1, "math.greatest", context);
}

Cell Least(Arguments arguments, Context& context) {
  return PickOfAll(arguments, -1, "math.least", context);
}

Cell Ceil(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.ceil");
  return Cell::Double(std::ceil(arguments[0].double_value()));
}

Cell Floor(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.floor");
  return Cell::Double(std::floor(arguments[0].double_value()));
}

Cell Round(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.round");
  return Cell::Double(std::round(arguments[0].double_value()));
}

Cell Trunc(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.trunc");
  return Cell::Double(std::trunc(arguments[0].double_value()));
}

Cell IsInf(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.isInf");
  return Cell::Bool(std::isinf(arguments[0].double_value()));
}

Cell IsNaN(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.isNaN");
  return Cell::Bool(std::isnan(arguments[0].double_value()));
}

Cell IsFinite(Arguments arguments, Context&) {
  if (arguments[0].kind() != Kind::kDouble) return NoSuchOverload("math.isFinite");
  return Cell::Bool(std::isfinite(arguments[0].double_value()));
}

Cell Abs(Arguments arguments, Context&) {
  const Cell& number = arguments[0];
  switch (number.kind()) {
    case Kind::kInt:
      if (number.int_value() == std::numeric_limits<int64_t>::min()) {
        return Cell::Error(ErrorCode::kOverflow);
      }
      return number.int_value() < 0 ? Cell::Int(-number.int_value()) : number;
    case Kind::kUint:
      return number;
    case Kind::kDouble:
      return Cell::Double(std::fabs(number.double_value()));
    default:
      return NoSuchOverload("math.abs");
  }
}

Cell Sign(Arguments arguments, Context&) {
  const Cell& number = arguments[0];
  switch (number.kind()) {
    case Kind::kInt:
      return Cell::Int((number.int_value() > 0) - (number.int_value() < 0));
    case Kind::kUint:
      return Cell::Uint(number.uint_value() > 0);
    case Kind::kDouble: {
      const double value = number.double_value();
      if (std::isnan(value)) return number;
      return Cell::Double((value > 0) - (value < 0));
    }
    default:
      return NoSuchOverload("math.sign");
  }
}

Cell Sqrt(Arguments arguments, Context&) {
  const Cell& number = arguments[0];
  switch (number.kind()) {
    case Kind::kInt:
      return Cell::Double(std::sqrt(static_cast<double>(number.int_value())));
    case Kind::kUint:
      return Cell::Double(std::sqrt(static_cast<double>(number.uint_value())));
    case Kind::kDouble:
      return Cell::Double(std::sqrt(number.double_value()));
    default:
      return NoSuchOverload("math.sqrt");
  }
}

bool IsInteger(const Cell& cell) { return cell.kind() == Kind::kInt || cell.kind() == Kind::kUint; }

uint64_t BitsOf(const Cell& integer) {
  return integer.kind() == Kind::kInt ? static_cast<uint64_t>(integer.int_value())
                                      : integer.uint_value();
}

// An integer of the kind of `like`.
Cell OfBits(uint64_t bits, const Cell& like) {
  return like.kind() == Kind::kInt ? Cell::Int(static_cast<int64_t>(bits)) : Cell::Uint(bits);
}

bool ArePair(Arguments arguments) {
  return IsInteger(arguments[0]) && arguments[0].kind() == arguments[1].kind();
}

Cell BitAnd(Arguments arguments, Context&) {
  if (!ArePair(arguments)) return NoSuchOverload("math.bitAnd");
  return OfBits(BitsOf(arguments[0]) & BitsOf(arguments[1]), arguments[0]);
}

Cell BitOr(Arguments arguments, Context&) {
  if (!ArePair(arguments)) return NoSuchOverload("math.bitOr");
  return OfBits(BitsOf(arguments[0]) | BitsOf(arguments[1]), arguments[0]);
}

Cell BitXor(Arguments arguments, Context&) {
  if (!ArePair(arguments)) return NoSuchOverload("math.bitXor");
  return OfBits(BitsOf(arguments[0]) ^ BitsOf(arguments[1]), arguments[0]);
}

Cell BitNot(Arguments arguments, Context&) {
  if (!IsInteger(arguments[0])) return NoSuchOverload("math.bitNot");
  return OfBits(~BitsOf(arguments[0]), arguments[0]);
}

// `left`, else right: then zeros come in from the left, of an int too.
Cell Shift(Arguments arguments, bool left, std::string_view function) {
  if (!IsInteger(arguments[0]) || arguments[1].kind() != Kind::kInt) {
    return NoSuchOverload(function);
  }
  const int64_t places = arguments[1].int_value();
  if (places < 0) return Cell::Error(ErrorCode::kBadArgument, "negative offset");
  if (places >= 64) return OfBits(0, arguments[0]);
  const uint64_t bits = BitsOf(arguments[0]);
  return OfBits(left ? bits << places : bits >> places, arguments[0]);
}

Cell BitShiftLeft(Arguments arguments, Context&) {
  return Shift(arguments, true, "math.bitShiftLeft");
}

Cell BitShiftRight(Arguments arguments, Context&) {
  return Shift(arguments, false, "math.bitShiftRight");
}

constexpr Function kFunctions[] = {
    {"math.abs", 1, 1, Abs},
    {"math.bitAnd", 2, 2, BitAnd},
    {"math.bitNot", 1, 1, BitNot},
    {"math.bitOr", 2, 2, BitOr},
    {"math.bitShiftLeft", 2, 2, BitShiftLeft},
    {"math.bitShiftRight", 2, 2, BitShiftRight},
    {"math.bitXor", 2, 2, BitXor},
    {"math.ceil", 1, 1, Ceil},
    {"math.floor", 1, 1, Floor},
    {"math.greatest", 1, kAnyNumber, Greatest},
    {"math.isFinite", 1, 1, IsFinite},
    {"math.isInf", 1, 1, IsInf},
    {"math.isNaN", 1, 1, IsNaN},
    {"math.least", 1, kAnyNumber, Least},
    {"math.round", 1, 1, Round},
    {"math.sign", 1, 1, Sign},
    {"math.sqrt", 1, 1, Sqrt},
    {"math.trunc", 1, 1, Trunc},
};

}  // namespace

absl::Span<const Function> MathFunctions() { return kFunctions; }

}  // namespace reeve::cel
