#include "policy/cel/unifier.h"

#include <algorithm>

namespace reeve::cel {
namespace {

bool IsDynOrError(TypeKind kind) { return kind == TypeKind::kDyn || kind == TypeKind::kError; }

// cel-go lets null stand for these.
bool TakesNull(TypeKind kind) {
  return kind == TypeKind::kNull || kind == TypeKind::kAbstract || kind == TypeKind::kTimestamp ||
         kind == TypeKind::kDuration;
}

}  // namespace

const Unifier::Node* Unifier::SimpleNodes() {
  static const Node* const nodes = [] {
    auto* made = new Node[kSimple];
    for (TypeId id = 0; id < kSimple; ++id) {
      made[id].kind = static_cast<TypeKind>(id);
      made[id].binding = id;
    }
    return made;
  }();
  return nodes;
}

Unifier::Node& Unifier::AddNode(TypeKind kind) {
  const auto id = static_cast<TypeId>(size());
  Node& node = nodes_.emplace_back();
  node.kind = kind;
  node.binding = id;
  return node;
}

TypeId Unifier::NewVariable() {
  Node& node = AddNode(TypeKind::kParameter);
  node.open = true;
  return node.binding;
}

TypeId Unifier::Make(TypeKind kind, std::string_view name, Parameters parameters) {
  uint32_t parts = 1;
  for (const TypeId parameter : parameters) parts += (*this)[parameter].parts;
  if (parts > kMaxTypeParts) {
    parts = 1 + static_cast<uint32_t>(parameters.size());
    std::fill(parameters.begin(), parameters.end(), Of(TypeKind::kDyn));
  }
  if (const auto made = made_.find(Key{kind, name, parameters}); made != made_.end()) {
    return made->second;
  }
  Node& node = AddNode(kind);
  node.name = name;
  node.parts = parts;
  for (const TypeId parameter : parameters) node.open |= (*this)[parameter].open;
  node.parameters = std::move(parameters);
  made_.emplace(Key{kind, node.name, node.parameters}, node.binding);
  return node.binding;
}

TypeId Unifier::Import(const Type& type, Variables* variables) {
  if (type.kind == TypeKind::kParameter) {
    for (const auto& [name, variable] : *variables) {
      if (name == type.name) return variable;
    }
    return variables->emplace_back(type.name, NewVariable()).second;
  }
  if (type.parameters.empty() && type.kind != TypeKind::kAbstract &&
      type.kind != TypeKind::kRecord) {
    return Of(type.kind);
  }
  Parameters parameters;
  for (const Type& parameter : type.parameters) parameters.push_back(Import(parameter, variables));
  return Make(type.kind, type.name, std::move(parameters));
}

Type Unifier::Export(TypeId id) const {
  uint32_t parts = 0;
  return Export(id, &parts);
}

Type Unifier::Export(TypeId id, uint32_t* parts) const {
  if (++*parts > kMaxTypeParts) return Type::Dyn();
  for (uint32_t steps = 0; (*this)[id].binding != id; id = (*this)[id].binding) {
    if (++steps > kMaxSteps) return Type::Dyn();
  }
  const Node& node = (*this)[id];
  if (node.kind == TypeKind::kParameter) return Type::Dyn();
  Type type{node.kind, node.name, {}};
  type.parameters.reserve(node.parameters.size());
  for (const TypeId parameter : node.parameters)
    type.parameters.push_back(Export(parameter, parts));
  return type;
}

TypeId Unifier::Resolve(TypeId id) {
  uint32_t steps = 0;
  return Resolve(id, &steps);
}

TypeId Unifier::Resolve(TypeId id, uint32_t* steps) {
  for (; (*this)[id].binding != id; id = (*this)[id].binding) {
    if (++*steps > kMaxSteps) return Of(TypeKind::kDyn);
  }
  const Node& node = (*this)[id];
  if (!node.open || node.kind == TypeKind::kParameter) return id;
  if (++*steps > kMaxSteps) return Of(TypeKind::kDyn);
  Parameters parameters;
  for (const TypeId parameter : node.parameters) parameters.push_back(Resolve(parameter, steps));
  return parameters == node.parameters ? id : Make(node.kind, node.name, std::move(parameters));
}

void Unifier::Bind(TypeId variable, TypeId type) {
  TypeId& binding = nodes_[variable - kSimple].binding;
  trail_.emplace_back(variable, binding);
  binding = type;
}

bool Unifier::Assign(absl::Span<const Pair> pairs) {
  trail_.clear();
  for (const auto& [a, b] : pairs) {
    steps_ = 0;
    if (Assignable(a, b)) continue;
    for (; !trail_.empty(); trail_.pop_back()) {
      nodes_[trail_.back().first - kSimple].binding = trail_.back().second;
    }
    return false;
  }
  return true;
}

TypeId Unifier::Join(TypeId a, TypeId b) {
  if (!Assign(a, b)) return Of(TypeKind::kDyn);
  return MoreGeneral(a, b) ? a : b;
}

bool Unifier::Assignable(TypeId a, TypeId b) {
  if (!Step()) return true;
  const Node& left = (*this)[a];
  const Node& right = (*this)[b];
  if (right.kind == TypeKind::kParameter) {
    bool bound = false;
    if (Substitutable(a, b, &bound)) return true;
    if (bound) return false;
  }
  if (left.kind == TypeKind::kParameter) {
    bool bound = false;
    return Substitutable(b, a, &bound);
  }
  if (IsDynOrError(left.kind) || IsDynOrError(right.kind)) return true;
  if (left.kind == TypeKind::kNull) return TakesNull(right.kind);
  if (right.kind == TypeKind::kNull) return TakesNull(left.kind);
  // A record is a map of strings to anything.
  for (const auto& [record, map] : {std::pair(&left, &right), std::pair(&right, &left)}) {
    if (record->kind != TypeKind::kRecord || map->kind != TypeKind::kMap) continue;
    return Assignable(Of(TypeKind::kString), map->parameters[0]) &&
           Assignable(Of(TypeKind::kDyn), map->parameters[1]);
  }
  if (left.kind != right.kind || left.kind == TypeKind::kType) return left.kind == right.kind;
  if (left.name != right.name || left.parameters.size() != right.parameters.size()) return false;
  for (size_t i = 0; i < left.parameters.size(); ++i) {
    if (!Assignable(left.parameters[i], right.parameters[i])) return false;
  }
  return true;
}

// Whether `type` can be what `variable` stands for. *bound tells whether it stood for something.
bool Unifier::Substitutable(TypeId type, TypeId variable, bool* bound) {
  *bound = true;
  const TypeId known = (*this)[variable].binding;
  if (type == variable || type == known) return true;
  if (known == variable) {
    *bound = false;
    if (OccursIn(variable, type)) return false;
    Bind(variable, type);
    return true;
  }
  if (!Assignable(type, known)) return false;
  const TypeId general = MoreGeneral(type, known) ? type : known;
  if (general != known && !OccursIn(variable, general)) Bind(variable, general);
  return true;
}

bool Unifier::OccursIn(TypeId variable, TypeId type) {
  if (variable == type || !Step()) return true;
  const Node& node = (*this)[type];
  if (!node.open) return false;
  if (node.kind == TypeKind::kParameter) {
    return node.binding != type && OccursIn(variable, node.binding);
  }
  return std::any_of(node.parameters.begin(), node.parameters.end(),
                     [&](TypeId parameter) { return OccursIn(variable, parameter); });
}

// Whether `a` says less than `b`, or the same. Both are known to be assignable. Null gives
// way to all: what may be null is still what it is otherwise.
bool Unifier::MoreGeneral(TypeId a, TypeId b) const {
  const Node& left = (*this)[a];
  const Node& right = (*this)[b];
  if (a == b || IsDynOrError(left.kind) || left.kind == TypeKind::kParameter) return true;
  if (IsDynOrError(right.kind) || right.kind == TypeKind::kParameter) return false;
  if (left.kind != right.kind) {
    return right.kind == TypeKind::kNull || right.kind == TypeKind::kRecord;
  }
  if (left.kind == TypeKind::kType) return true;
  if (left.name != right.name || left.parameters.size() != right.parameters.size()) return false;
  for (size_t i = 0; i < left.parameters.size(); ++i) {
    if (!MoreGeneral(left.parameters[i], right.parameters[i])) return false;
  }
  return true;
}

}  // namespace reeve::cel
