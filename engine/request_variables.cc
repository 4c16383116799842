#include "engine/request_variables.h"

#include <algorithm>
#include <array>

#include "reeve/engine/cel/operators.h"

namespace reeve {
namespace {

using cel::Cell;
using cel::ErrorCode;

Cell Missing(std::string_view name) { return Cell::Error(ErrorCode::kNoSuchKey, name); }

// A text that is empty is a fact that is not known.
Cell Text(std::string_view name, std::string_view text) {
  return text.empty() ? Missing(name) : Cell::String(text);
}

size_t ParentCount(const ProvidedEntity* provided) {
  return provided == nullptr ? 0 : provided->parents.size();
}

Cell OfTruth(Truth truth, const ProvidedEntity* provided) {
  if (truth != Truth::kUnknown) return Cell::Bool(truth == Truth::kTrue);
  const bool partial = provided != nullptr && !provided->complete;
  return Cell::Error(partial ? ErrorCode::kPartialFacts : ErrorCode::kIncomplete);
}

// Roles are what a policy grants, and no entities that something lies in.
bool NamesRole(std::string_view name) { return name.substr(0, kRoleType.size() + 1) == "role:"; }

Cell RolesAreNone() { return Cell::Error(ErrorCode::kBadArgument, "a role is no entity"); }

}  // namespace

cel::Variables::Layers RequestVariables::LayersOf(const Attributes* request,
                                                  const ProvidedEntity* provided,
                                                  const Attributes* stored) {
  // What the request says is found first, and mostly it says nothing.
  if (request != nullptr && request->empty()) request = nullptr;
  if (provided == nullptr) {
    return request == nullptr ? Layers{stored} : Layers{request, stored};
  }
  // What a provider did not tell could overlay what is stored.
  if (!provided->complete) return {request, provided->attributes, nullptr, true};
  if (provided->attributes == nullptr) return {request, stored};
  return {request, provided->attributes, stored};
}

void RequestVariables::Begin(const Request& request, const Facts& facts, absl::Time now) {
  request_ = &request;
  facts_ = &facts;
  now_ = now;
  layers_[kPrincipal] = LayersOf(&request.principal->attributes, request.provided_principal,
                                 facts.stored_principal());
  layers_[kResource] =
      LayersOf(request.resource_attributes, request.provided_resource, facts.stored_resource());
  layers_[kContext] = {request.context};
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

Cell RequestVariables::GetMember(uint32_t number, std::string_view name, cel::Context&) const {
  const Principal& principal = *request_->principal;
  switch (number) {
    case kPrincipalType:
      return Cell::String(principal.id.type);
    case kPrincipalId:
      return Cell::String(principal.id.id);
    case kPrincipalName:
      return Cell::String(principal.name());
    case kPrincipalGroups: {
      const Cell groups = Cell::Strings(principal.groups);
      return principal.groups_complete ? groups : groups.Partial();
    }
    case kPrincipalAssurance:
      return Cell::String(ToString(principal.assurance));
    case kPrincipalVia:
      return Text(name, principal.via);
    case kPrincipalHost:
      return Text(name, principal.host);
    case kPrincipalActor:
      return Text(name, principal.actor);
    case kPrincipalRoles:
      return roles_;
    case kPrincipalAttribute:
      return GetAttribute(layers_[kPrincipal], name);
    case kResourceType:
      return Cell::String(request_->resource.type);
    case kResourceId:
      return Cell::String(request_->resource.id);
    case kResourceName:
      return Cell::String(NameOf(request_->resource));
    case kResourceAttribute:
      return GetAttribute(layers_[kResource], name);
    case kContextTime:
      return Cell::Of(Value::Timestamp(now_));
    case kContextAttribute:
      return GetAttribute(layers_[kContext], name);
    default:
      return Cell::Error(ErrorCode::kNoSuchOverload, ".");
  }
}

Cell RequestVariables::Map::Find(std::string_view name, cel::Context& context) const {
  // What is reserved cannot be claimed by an attribute of that name.
  const Member member = MemberOf(variable_, name);
  if (member == kPrincipalRoles) {
    // Which roles they are depends on the policy, and which conditions ask is known beforehand.
    return Cell::Error(ErrorCode::kBadArgument, "roles are read as principal.roles only");
  }
  return variables_.GetMember(member, name, context);
}

Cell RequestVariables::Map::All(cel::Context& context) const {
  const ReservedNames reserved = ReservedNamesOf(variable_);
  const auto is_reserved = [&reserved](std::string_view name) {
    return std::find(reserved.names.begin(), reserved.names.end(), name) != reserved.names.end();
  };
  cel::MapBuilder builder(reserved.names.size(), context);
  for (const std::string_view name : reserved.names) {
    const Cell value = Find(name, context);
    if (value.is_error()) continue;  // not known
    if (const Cell added = builder.Add(Cell::String(name), value); added.is_error()) return added;
  }
  const Layers& layers = variables_.layers_[variable_];
  if (layers.partial) return Cell::Error(ErrorCode::kPartialFacts);
  const std::array<const Attributes*, 3> all = {layers.first, layers.second, layers.third};
  for (auto attributes = all.begin(); attributes != all.end(); ++attributes) {
    if (*attributes == nullptr) continue;
    for (const auto& [name, value] : **attributes) {
      const auto overlays = [&name = name](const Attributes* above) {
        return above != nullptr && above->Find(name) != nullptr;
      };
      if (is_reserved(name) || std::any_of(all.begin(), attributes, overlays)) continue;
      const Cell cell = Cell::Of(value);
      if (cell.is_error()) return cell;
      if (const Cell added = builder.Add(Cell::String(name), cell); added.is_error()) return added;
    }
  }
  return builder.Build();
}

Cell RequestVariables::Map::IsIn(std::string_view name, cel::Context& context) const {
  if (variable_ == kContext) return Cell::Error(ErrorCode::kNoSuchOverload, "isIn");
  if (NamesRole(name)) return RolesAreNone();
  const Request& request = *variables_.request_;
  const Facts& facts = *variables_.facts_;
  const bool of_principal = variable_ == kPrincipal;
  const ProvidedEntity* const provided =
      of_principal ? request.provided_principal : request.provided_resource;
  const EntityGraph::Node node = facts.NodeOf(name);
  if (node != EntityGraph::kNone) {
    return OfTruth(of_principal ? facts.PrincipalLiesIn(node) : facts.ResourceLiesIn(node),
                   provided);
  }
  // It is then looked for among all that the request names.
  const size_t named = ParentCount(provided) + (of_principal ? request.principal->groups.size() +
                                                                   request.principal->parents.size()
                                                             : request.resource_parents.size());
  if (!context.Charge(named)) return context.LimitError();
  return OfTruth(of_principal ? facts.PrincipalIsNamed(name) : facts.ResourceIsNamed(name),
                 provided);
}

}  // namespace reeve
