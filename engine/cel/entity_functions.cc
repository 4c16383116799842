#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

Cell IsInNamed(const EntityFacts& entity, const Cell& name, Context& context) {
  if (name.kind() != Kind::kString) return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
  if (!context.Charge(name.text().size() / 16 + 1)) return context.LimitError();
  return entity.IsIn(name.text(), context);
}

// Any of them is enough; else one that cannot be told leaves all of it untold.
Cell IsInOneOf(const EntityFacts& entity, const Cell& names, Context& context) {
  Cell result = names.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : Cell::Bool(false);
  for (size_t i = 0; i < names.list_size(); ++i) {
    const Cell name = names.At(i);
    const Cell is_in = name.is_error() ? name : IsInNamed(entity, name, context);
    if (is_in.is_bool(true) || context.exhausted()) return is_in;
    if (is_in.is_error()) result = is_in;
  }
  return result;
}

Cell CallIsIn(absl::Span<const Cell> arguments, Context& context) {
  return IsIn(arguments[0], arguments[1], context);
}

constexpr Function kFunctions[] = {
    {"isIn", 2, 2, CallIsIn},
};

}  // namespace

Cell IsIn(const Cell& entity, const Cell& names, Context& context) {
  if (entity.kind() != Kind::kMap || entity.form() != Cell::Form::kEntity) {
    return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
  }
  return names.kind() == Kind::kList ? IsInOneOf(entity.entity(), names, context)
                                     : IsInNamed(entity.entity(), names, context);
}

absl::Span<const Function> EntityFunctions() { return kFunctions; }

}  // namespace reeve::cel
