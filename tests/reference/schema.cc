#include "reeve/tests/reference/schema.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace reeve::reference {
namespace {

using Kind = SchemaType::Kind;
using Names = std::set<std::string>;
using Facts = std::map<std::string, Value>;

// `partial`: there may be facts that are not told.
bool FieldsFit(const std::vector<SchemaField>& fields, bool open, const Names& reserved,
               const Facts& facts, bool partial = false);

bool ValueFits(const SchemaType& type, const Value& value) {
  static const std::map<Kind, Value::Kind> kKinds = {
      {Kind::kNull, Value::Kind::kNull},         {Kind::kBool, Value::Kind::kBool},
      {Kind::kInt, Value::Kind::kInt},           {Kind::kUint, Value::Kind::kUint},
      {Kind::kDouble, Value::Kind::kDouble},     {Kind::kString, Value::Kind::kString},
      {Kind::kBytes, Value::Kind::kBytes},       {Kind::kTimestamp, Value::Kind::kTimestamp},
      {Kind::kDuration, Value::Kind::kDuration}, {Kind::kList, Value::Kind::kList},
      {Kind::kMap, Value::Kind::kMap},           {Kind::kRecord, Value::Kind::kMap},
  };
  if (type.kind == Kind::kAny) return true;
  if (kKinds.at(type.kind) != value.kind()) return false;
  if (type.kind == Kind::kList) {
    for (const Value& item : value.list_value()) {
      if (!ValueFits(type.element[0], item)) return false;
    }
  } else if (type.kind == Kind::kMap) {
    for (const auto& [name, item] : value.map_value()) {
      if (!ValueFits(type.element[0], item)) return false;
    }
  } else if (type.kind == Kind::kRecord) {
    const Facts facts(value.map_value().begin(), value.map_value().end());
    return FieldsFit(type.fields, false, {}, facts);
  }
  return true;
}

bool FieldsFit(const std::vector<SchemaField>& fields, bool open, const Names& reserved,
               const Facts& facts, bool partial) {
  Names declared;
  for (const SchemaField& field : fields) {
    declared.insert(field.name);
    const auto fact = facts.find(field.name);
    if (fact == facts.end()) {
      if (field.required && !partial) return false;
    } else if (!ValueFits(field.type, fact->second)) {
      return false;
    }
  }
  for (const auto& [name, value] : facts) {
    if (declared.count(name) == 0 && reserved.count(name) == 0 && !open) return false;
  }
  return true;
}

Facts Overlay(const Attributes* above, const ProvidedEntity* provided, const Attributes* below) {
  Facts facts;
  const Attributes* const middle = provided == nullptr ? nullptr : provided->attributes;
  for (const Attributes* attributes : {below, middle, above}) {
    if (attributes == nullptr) continue;
    for (const auto& [name, value] : *attributes) facts[name] = value;
  }
  return facts;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  for (const std::string& other : names) {
    if (other == name) return true;
  }
  return false;
}

}  // namespace

bool Fits(const Schema& schema, const Request& request, const Attributes* stored_principal,
          const Attributes* stored_resource) {
  std::map<std::string, Schema::EntityType> types = {{"anonymous", {"anonymous", {}, {}}}};
  for (const Schema::EntityType& type : schema.entities) types[type.name] = type;
  const Principal& principal = *request.principal;
  const auto principal_type = types.find(principal.id.type);
  const auto resource_type = types.find(std::string(request.resource.type));
  if (principal_type == types.end() || resource_type == types.end()) return false;

  const Schema::Action* action = nullptr;
  for (const Schema::Action& declared : schema.actions) {
    if (declared.name == request.action) action = &declared;
  }
  if (action == nullptr || !Contains(action->resources, resource_type->first)) return false;
  if (principal_type->first != "anonymous" &&
      !Contains(action->principals, principal_type->first)) {
    return false;
  }

  if (!principal.groups.empty() && !Contains(principal_type->second.parents, "group")) return false;
  const auto all_in = [](const auto& parents, const Schema::EntityType& type) {
    for (const EntityId& parent : parents) {
      if (!Contains(type.parents, parent.type)) return false;
    }
    return true;
  };
  const ProvidedEntity nothing;
  const ProvidedEntity& of_principal =
      request.provided_principal == nullptr ? nothing : *request.provided_principal;
  const ProvidedEntity& of_resource =
      request.provided_resource == nullptr ? nothing : *request.provided_resource;
  if (!all_in(principal.parents, principal_type->second) ||
      !all_in(of_principal.parents, principal_type->second) ||
      !all_in(request.resource_parents, resource_type->second) ||
      !all_in(of_resource.parents, resource_type->second)) {
    return false;
  }
  // What the provider tells fits also where the request overlays it.
  const auto provided_fits = [](const ProvidedEntity& provided, const Schema::EntityType& type,
                                const Names& reserved) {
    return FieldsFit(type.attributes, type.open, reserved, Overlay(nullptr, &provided, nullptr),
                     true);
  };
  const Names of_principals = {"type", "id",   "name",  "groups", "assurance",
                               "via",  "host", "actor", "roles"};
  const Names of_resources = {"type", "id", "name"};
  if (!provided_fits(of_principal, principal_type->second, of_principals) ||
      !provided_fits(of_resource, resource_type->second, of_resources)) {
    return false;
  }

  std::vector<SchemaField> context = schema.context;
  context.insert(context.end(), action->context.begin(), action->context.end());
  return FieldsFit(principal_type->second.attributes, principal_type->second.open, of_principals,
                   Overlay(&principal.attributes, &of_principal, stored_principal),
                   !of_principal.complete) &&
         FieldsFit(resource_type->second.attributes, resource_type->second.open, of_resources,
                   Overlay(request.resource_attributes, &of_resource, stored_resource),
                   !of_resource.complete) &&
         FieldsFit(context, false, {"time"}, Overlay(request.context, nullptr, nullptr));
}

}  // namespace reeve::reference
