#include "reeve/tests/differential/generate_schema.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace reeve::differential {
namespace {

using Kind = SchemaType::Kind;
using reference::World;

// What `value` is, as far as it goes.
SchemaType TypeOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return Kind::kNull;
    case Value::Kind::kBool:
      return Kind::kBool;
    case Value::Kind::kInt:
      return Kind::kInt;
    case Value::Kind::kUint:
      return Kind::kUint;
    case Value::Kind::kDouble:
      return Kind::kDouble;
    case Value::Kind::kString:
      return Kind::kString;
    case Value::Kind::kBytes:
      return Kind::kBytes;
    case Value::Kind::kTimestamp:
      return Kind::kTimestamp;
    case Value::Kind::kDuration:
      return Kind::kDuration;
    case Value::Kind::kList: {
      const Value::List& list = value.list_value();
      SchemaType type = SchemaType::List(list.empty() ? SchemaType() : TypeOf(list[0]));
      for (const Value& item : list) {
        if (TypeOf(item) != type.element[0]) type.element[0] = Kind::kAny;
      }
      return type;
    }
    case Value::Kind::kMap: {
      std::vector<SchemaField> fields;
      for (const auto& [name, item] : value.map_value()) fields.push_back({name, TypeOf(item)});
      return SchemaType::Record(std::move(fields));
    }
  }
  return {};
}

SchemaType MakeType(Choices& choices, std::string_view name) {
  if (choices.OneIn(4)) return Kind::kAny;
  if (name == "level") return Kind::kInt;
  if (name == "since") return Kind::kTimestamp;
  if (name == "tags") return SchemaType::List(choices.OneIn(3) ? Kind::kAny : Kind::kString);
  if (name == "meta" && choices.OneIn(2)) return SchemaType::Map(Kind::kAny);
  if (name == "meta")
    return SchemaType::Record({{"a", Kind::kInt, choices.OneIn(2)}, {"b", Kind::kAny, false}});
  return Kind::kString;
}

Value MakeValueOf(Choices& choices, const SchemaType& type) {
  switch (type.kind) {
    case Kind::kBool:
      return Value::Bool(choices.OneIn(2));
    case Kind::kInt:
    case Kind::kAny:
      return Value::Int(choices.Below(6));
    case Kind::kUint:
      return Value::Uint(choices.Below(6));
    case Kind::kDouble:
      return Value::Double(choices.Below(8) / 2.0);
    case Kind::kString:
      return Value::String(choices.OneIn(2) ? "n0" : "a");
    case Kind::kBytes:
      return Value::Bytes("a");
    case Kind::kTimestamp:
      return Value::Timestamp(absl::FromUnixSeconds(int64_t{choices.Below(4)} * 600000000));
    case Kind::kDuration:
      return Value::Duration(absl::Seconds(choices.Below(4)));
    case Kind::kList: {
      Value::List list;
      for (uint32_t n = choices.Below(3); n > 0; --n) {
        list.push_back(MakeValueOf(choices, type.element[0]));
      }
      return Value::Of(std::move(list));
    }
    case Kind::kMap:
      return Value::Of(Attributes{{"a", MakeValueOf(choices, type.element[0])}});
    case Kind::kRecord: {
      Attributes record;
      for (const SchemaField& field : type.fields) {
        if (field.required || choices.OneIn(2)) {
          record.Set(field.name, MakeValueOf(choices, field.type));
        }
      }
      return Value::Of(std::move(record));
    }
    case Kind::kNull:
      break;
  }
  return {};
}

// Leaves nothing that is not declared, and if `all` adds what is required.
void Fit(Choices& choices, const std::vector<SchemaField>& fields, bool all,
         Attributes* attributes) {
  Attributes fitting;
  for (const SchemaField& field : fields) {
    const bool had = attributes->Find(field.name) != nullptr;
    if ((all && field.required) || had) fitting.Set(field.name, MakeValueOf(choices, field.type));
    if (had && TypeOf(*attributes->Find(field.name)) == field.type) {
      fitting.Set(field.name, *attributes->Find(field.name));
    }
  }
  *attributes = std::move(fitting);
}

}  // namespace

Schema MakeSchema(Choices& choices, const World& world, const SchemaWords& words) {
  std::set<std::string> spoken_of;
  const auto speak_of = [&spoken_of](const std::vector<Pattern>& patterns) {
    for (const Pattern& pattern : patterns) {
      if (pattern.kind() == Pattern::Kind::kLiteral || pattern.kind() == Pattern::Kind::kGlob) {
        spoken_of.emplace(pattern.type());
      }
    }
  };
  for (const Rule& rule : world.rules) {
    speak_of(rule.principals);
    speak_of(rule.resources);
  }
  for (const World::Role& role : world.roles) speak_of(role.members);
  for (const Entity& entity : world.entities) {
    spoken_of.insert(entity.id.type);
    for (const EntityId& parent : entity.parents) spoken_of.insert(parent.type);
  }

  Schema schema;
  std::vector<std::string> types;
  for (const std::string_view type : words.types) {
    // What nothing speaks of may be left out.
    if (spoken_of.count(std::string(type)) > 0 || !choices.OneIn(4)) types.emplace_back(type);
  }
  if (types.empty()) types = {"user"};
  for (const std::string& name : types) {
    Schema::EntityType type = {name, {}, {}, choices.OneIn(6)};
    for (const std::string& parent : types) {
      if (choices.OneIn(2)) type.parents.push_back(parent);
    }
    std::set<std::string> attributes;
    for (const std::string_view attribute : words.attributes) {
      if (choices.OneIn(2)) attributes.emplace(attribute);
    }
    for (const Entity& entity : world.entities) {
      if (entity.id.type != name) continue;
      for (const EntityId& parent : entity.parents) type.parents.push_back(parent.type);
      for (const auto& [attribute, value] : entity.attributes) attributes.insert(attribute);
    }
    for (const std::string& attribute : attributes) {
      if (IsReservedForPrincipals(attribute)) {
        type.open = true;
        continue;
      }
      SchemaField field = {attribute, MakeType(choices, attribute), choices.OneIn(4)};
      bool first = true;
      for (const Entity& entity : world.entities) {
        const Value* value = entity.id.type == name ? entity.attributes.Find(attribute) : nullptr;
        if (value == nullptr) continue;
        const SchemaType stored = TypeOf(*value);
        field.type = first || field.type == stored ? stored : SchemaType();
        first = false;
      }
      type.attributes.push_back(std::move(field));
    }
    schema.entities.push_back(std::move(type));
  }
  const std::set<std::string> actions(words.actions.begin(), words.actions.end());
  for (const std::string& name : actions) {
    Schema::Action action = {name, {types[0]}, {types.back()}, {}};
    for (const std::string& type : types) {
      if (!choices.OneIn(4)) action.principals.push_back(type);
      if (!choices.OneIn(4)) action.resources.push_back(type);
    }
    if (choices.OneIn(2)) {
      action.context.push_back({"level", MakeType(choices, "level"), choices.OneIn(3)});
    }
    schema.actions.push_back(std::move(action));
  }
  if (choices.OneIn(2)) schema.context.push_back({"owner", Kind::kString, choices.OneIn(3)});
  if (choices.OneIn(2)) schema.context.push_back({"tags", MakeType(choices, "tags"), false});
  return schema;
}

void FitToSchema(Choices& choices, const Schema& schema, OwnedRequest* request) {
  for (const Schema::EntityType& type : schema.entities) {
    const auto no_parent = [&type](const EntityId& parent) {
      return std::find(type.parents.begin(), type.parents.end(), parent.type) == type.parents.end();
    };
    const auto fit = [&](bool all, Attributes* attributes, std::vector<EntityId>* parents) {
      Fit(choices, type.attributes, all, attributes);
      parents->erase(std::remove_if(parents->begin(), parents->end(), no_parent), parents->end());
    };
    // What is required may come from anywhere, or from nowhere.
    if (type.name == request->principal.id.type) {
      fit(!choices.OneIn(4), &request->principal.attributes, &request->principal.parents);
      fit(false, &request->provided_principal.attributes, &request->provided_principal.parents);
      if (no_parent(EntityId("group", "g"))) request->principal.groups.clear();
    }
    if (type.name == request->resource.type) {
      fit(!choices.OneIn(4), &request->resource_attributes, &request->resource_parents);
      fit(false, &request->provided_resource.attributes, &request->provided_resource.parents);
    }
  }
  for (const Schema::Action& action : schema.actions) {
    if (action.name != request->action) continue;
    std::vector<SchemaField> fields = schema.context;
    fields.insert(fields.end(), action.context.begin(), action.context.end());
    Fit(choices, fields, true, &request->context);
  }
}

}  // namespace reeve::differential
