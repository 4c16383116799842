#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

Cell IsInNamed(const EntityFacts& entity, const Cell& name, Context& context) {
  if (name.kind() != Kind::kString) return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
  if (!context.Charge(name.text().size() / 16 + 1)) return context.LimitError();
  return entity.IsIn(name.text(), context);
}

// Of a list: any of it is enough; else one that cannot be told leaves all of it untold.
Cell IsIn(absl::Span<const Cell> arguments, Context& context) {
  const Cell& map = arguments[0];
  const Cell& names = arguments[1];
  if (map.kind() != Kind::kMap || map.form() != Cell::Form::kEntity) {
    return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
  }
  if (names.kind() != Kind::kList) return IsInNamed(map.entity(), names, context);
  Cell result = names.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : Cell::Bool(false);
  for (size_t i = 0; i < names.list_size(); ++i) {
    const Cell name = names.At(i);
    const Cell is_in = name.is_error() ? name : IsInNamed(map.entity(), name, context);
    if (is_in.is_bool(true) || context.exhausted()) return is_in;
    if (is_in.is_error()) result = is_in;
  }
  return result;
}

constexpr Function kFunctions[] = {
    {"isIn", 2, 2, IsIn, /*costly=*/true},
};

}  // namespace

absl::Span<const Function> EntityFunctions() { return kFunctions; }

}  // namespace reeve::cel
