#include "engine/request_variables.h"

#include <algorithm>
#include <array>

#include "reeve/engine/cel/operators.h"

namespace reeve {
namespace {

using cel::Cell;
using cel::ErrorCode;

constexpr std::array<std::string_view, 8> kOfPrincipals = {
    "type", "id", "name", "groups", "assurance", "via", "host", "actor"};
constexpr std::array<std::string_view, 3> kOfResources = {"type", "id", "name"};
constexpr std::array<std::string_view, 1> kOfContexts = {"time"};

Cell Missing(std::string_view name) { return Cell::Error(ErrorCode::kNoSuchKey, name); }

// A text that is empty is a fact that is not known.
Cell Text(std::string_view name, std::string_view text) {
  return text.empty() ? Missing(name) : Cell::String(text);
}

Cell OfTruth(Truth truth) {
  return truth == Truth::kUnknown ? Cell::Error(ErrorCode::kIncomplete)
                                  : Cell::Bool(truth == Truth::kTrue);
}

// Roles are what a policy grants, and no entities that something lies in.
bool NamesRole(std::string_view name) {
  return name.substr(0, kRoleType.size() + 1) == "role:";
}

Cell RolesAreNone() { return Cell::Error(ErrorCode::kBadArgument, "a role is no entity"); }

}  // namespace

void RequestVariables::Begin(const Request& request, const Facts& facts, absl::Time now) {
  request_ = &request;
  facts_ = &facts;
  now_ = Cell::Of(now);
}

Cell RequestVariables::Get(uint32_t number, cel::Context&) const {
  switch (number) {
    case kPrincipal:
      return Cell::Entity(&principal_);
    case kAction:
      return Cell::String(request_->action);
    case kResource:
      return Cell::Entity(&resource_);
    case kContext:
      return Cell::Entity(&context_);
    default: {
      const uint32_t binding = number - kFirstBinding;
      if (binding >= bindings_.size() || bindings_[binding].data() == nullptr) {
        return Cell::Error(ErrorCode::kNoSuchVariable);
      }
      return Cell::String(bindings_[binding]);
    }
  }
}

Cell RequestVariables::Map::Find(std::string_view name, cel::Context&) const {
  const auto names = reserved();
  // What is reserved cannot be claimed by an attribute of that name.
  if (std::find(names.begin(), names.end(), name) != names.end()) return FindReserved(name);
  for (const Attributes* attributes : {given(), stored()}) {
    if (attributes == nullptr) continue;
    if (const Value* value = attributes->Find(name); value != nullptr) return Cell::Of(*value);
  }
  return Missing(name);
}

Cell RequestVariables::Map::All(cel::Context& context) const {
  cel::MapBuilder builder(reserved().size(), context);
  const auto add = [&builder](std::string_view name, const Cell& value) {
    return builder.Add(Cell::String(name), value);
  };
  for (const std::string_view name : reserved()) {
    const Cell value = FindReserved(name);
    if (value.is_error()) continue;
    if (const Cell added = add(name, value); added.is_error()) return added;
  }
  for (const Attributes* attributes : {given(), stored()}) {
    if (attributes == nullptr) continue;
    const Attributes* const above = attributes == stored() ? given() : nullptr;
    for (const auto& [name, value] : *attributes) {
      const auto names = reserved();
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      if (above != nullptr && above->Find(name) != nullptr) continue;
      const Cell cell = Cell::Of(value);
      if (cell.is_error()) return cell;
      if (const Cell added = add(name, cell); added.is_error()) return added;
    }
  }
  return builder.Build();
}

Cell RequestVariables::PrincipalMap::FindReserved(std::string_view name) const {
  const reeve::Principal& principal = *variables_.request_->principal;
  if (name == "type") return Cell::String(principal.id.type);
  if (name == "id") return Cell::String(principal.id.id);
  if (name == "name") return Cell::String(principal.name());
  if (name == "assurance") return Cell::String(ToString(principal.assurance));
  if (name == "via") return Text(name, principal.via);
  if (name == "host") return Text(name, principal.host);
  if (name == "actor") return Text(name, principal.actor);
  const Cell groups = Cell::Strings(principal.groups);
  return principal.groups_complete ? groups : groups.Partial();
}

absl::Span<const std::string_view> RequestVariables::PrincipalMap::reserved() const {
  return kOfPrincipals;
}

const Attributes* RequestVariables::PrincipalMap::given() const {
  return &variables_.request_->principal->attributes;
}

const Attributes* RequestVariables::PrincipalMap::stored() const {
  return variables_.facts_->stored_principal();
}

Cell RequestVariables::PrincipalMap::IsIn(std::string_view name) const {
  return NamesRole(name) ? RolesAreNone() : OfTruth(variables_.facts_->PrincipalIsIn(name));
}

Cell RequestVariables::ResourceMap::FindReserved(std::string_view name) const {
  const EntityView resource = variables_.request_->resource;
  if (name == "type") return Cell::String(resource.type);
  if (name == "id") return Cell::String(resource.id);
  return Cell::String(NameOf(resource));
}

absl::Span<const std::string_view> RequestVariables::ResourceMap::reserved() const {
  return kOfResources;
}

const Attributes* RequestVariables::ResourceMap::given() const {
  return variables_.request_->resource_attributes;
}

const Attributes* RequestVariables::ResourceMap::stored() const {
  return variables_.facts_->stored_resource();
}

Cell RequestVariables::ResourceMap::IsIn(std::string_view name) const {
  return NamesRole(name) ? RolesAreNone() : OfTruth(variables_.facts_->ResourceIsIn(name));
}

Cell RequestVariables::ContextMap::FindReserved(std::string_view) const {
  return variables_.now_;
}

absl::Span<const std::string_view> RequestVariables::ContextMap::reserved() const {
  return kOfContexts;
}

const Attributes* RequestVariables::ContextMap::given() const {
  return variables_.request_->context;
}

const Attributes* RequestVariables::ContextMap::stored() const { return nullptr; }

Cell RequestVariables::ContextMap::IsIn(std::string_view) const {
  return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
}

}  // namespace reeve
