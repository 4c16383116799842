#include "reeve/engine/schema.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/clause_set.h"
#include "reeve/engine/rfc3339.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

bool IsReserved(Variable variable, std::string_view name) {
  const auto names = ReservedNamesOf(variable).names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

SchemaType SchemaType::List(SchemaType element) {
  SchemaType type = Kind::kList;
  type.element.push_back(std::move(element));
  return type;
}

SchemaType SchemaType::Map(SchemaType element) {
  SchemaType type = Kind::kMap;
  type.element.push_back(std::move(element));
  return type;
}

SchemaType SchemaType::Record(std::vector<SchemaField> fields) {
  SchemaType type = Kind::kRecord;
  type.fields = std::move(fields);
  return type;
}

bool operator==(const SchemaField& a, const SchemaField& b) {
  return a.name == b.name && a.required == b.required && a.type == b.type;
}

bool operator==(const SchemaType& a, const SchemaType& b) {
  return a.kind == b.kind && a.element == b.element && a.fields.size() == b.fields.size() &&
         std::is_permutation(a.fields.begin(), a.fields.end(), b.fields.begin());
}

// Recursive, as deep as the type is.
Value As(const SchemaType& type, Value value) {
  using Kind = SchemaType::Kind;
  const bool is_text = value.kind() == Value::Kind::kString;
  const bool is_int = value.kind() == Value::Kind::kInt;
  switch (type.kind) {
    case Kind::kUint:
      if (is_int && value.int_value() >= 0) return Value::Uint(value.int_value());
      return value;
    case Kind::kDouble: {
      // Up to 2^53 each has a double of its own.
      constexpr int64_t kExact = int64_t{1} << 53;
      if (is_int && value.int_value() >= -kExact && value.int_value() <= kExact) {
        return Value::Double(static_cast<double>(value.int_value()));
      }
      return value;
    }
    case Kind::kTimestamp:
      if (is_text) {
        if (const auto time = ParseRfc3339(value.string_value())) return Value::Timestamp(*time);
      }
      return value;
    case Kind::kDuration: {
      absl::Duration duration;
      if (is_text &&
          absl::ParseDuration({value.string_value().data(), value.string_value().size()},
                              &duration) &&
          duration != absl::InfiniteDuration() && duration != -absl::InfiniteDuration()) {
        return Value::Duration(duration);
      }
      return value;
    }
    case Kind::kList: {
      if (value.kind() != Value::Kind::kList) return value;
      Value::List list = value.list_value();
      for (Value& element : list) element = As(type.element[0], std::move(element));
      return Value::Of(std::move(list));
    }
    case Kind::kMap: {
      if (value.kind() != Value::Kind::kMap) return value;
      Attributes map;
      for (const auto& [name, element] : value.map_value()) {
        map.Set(name, As(type.element[0], element));
      }
      return Value::Of(std::move(map));
    }
    case Kind::kRecord:
      if (value.kind() != Value::Kind::kMap) return value;
      return Value::Of(As(type.fields, value.map_value()));
    case Kind::kAny:
    case Kind::kNull:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kString:
    case Kind::kBytes:
      return value;
  }
  return value;
}

Attributes As(const std::vector<SchemaField>& fields, Attributes attributes) {
  for (const SchemaField& field : fields) {
    if (const Value* value = attributes.Find(field.name)) {
      attributes.Set(field.name, As(field.type, *value));
    }
  }
  return attributes;
}

const Schema::EntityType* Schema::FindType(std::string_view type_name) const {
  const auto found = std::find_if(entities.begin(), entities.end(),
                                  [&](const EntityType& type) { return type.name == type_name; });
  return found == entities.end() ? nullptr : &*found;
}

const Schema::Action* Schema::FindAction(std::string_view action_name) const {
  const auto found = std::find_if(actions.begin(), actions.end(),
                                  [&](const Action& action) { return action.name == action_name; });
  return found == actions.end() ? nullptr : &*found;
}

std::string ToString(const SchemaType& type) {
  switch (type.kind) {
    case SchemaType::Kind::kAny:
      return "any";
    case SchemaType::Kind::kNull:
      return "null";
    case SchemaType::Kind::kBool:
      return "bool";
    case SchemaType::Kind::kInt:
      return "int";
    case SchemaType::Kind::kUint:
      return "uint";
    case SchemaType::Kind::kDouble:
      return "double";
    case SchemaType::Kind::kString:
      return "string";
    case SchemaType::Kind::kBytes:
      return "bytes";
    case SchemaType::Kind::kTimestamp:
      return "timestamp";
    case SchemaType::Kind::kDuration:
      return "duration";
    case SchemaType::Kind::kList:
      return absl::StrCat("list(", ToString(type.element[0]), ")");
    case SchemaType::Kind::kMap:
      return absl::StrCat("map(", ToString(type.element[0]), ")");
    case SchemaType::Kind::kRecord:
      break;
  }
  std::string text = "{";
  for (const SchemaField& field : type.fields) {
    absl::StrAppend(&text, text.size() > 1 ? ", " : "", Printable(field.name), ": ",
                    ToString(field.type), field.required ? "" : " or missing");
  }
  return text + "}";
}

bool IsReservedForPrincipals(std::string_view name) { return IsReserved(kPrincipal, name); }

bool IsReservedForResources(std::string_view name) { return IsReserved(kResource, name); }

bool IsReservedForContexts(std::string_view name) { return IsReserved(kContext, name); }

}  // namespace reeve
