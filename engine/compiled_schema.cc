#include "engine/compiled_schema.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Kind = SchemaType::Kind;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr std::string_view kGroupType = "group";

// "`a`, `b` and 3 more"; `none` if there are none.
template <typename List, typename Name>
std::string Names(const List& list, Name name, const char* none) {
  constexpr size_t kMaxShown = 8;
  std::vector<std::string> shown;
  for (const auto& item : list) {
    if (shown.size() == kMaxShown) break;
    shown.push_back(absl::StrCat("`", Printable(name(item)), "`"));
  }
  if (shown.empty()) return none;
  std::string text = absl::StrJoin(shown, ", ");
  if (list.size() > kMaxShown) absl::StrAppend(&text, " and ", list.size() - kMaxShown, " more");
  return text;
}

std::string Names(const std::vector<std::string>& list, const char* none) {
  return Names(
      list, [](const std::string& name) { return name; }, none);
}

bool Is(const Value& value, Kind kind) {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kNull:
      return value.kind() == Value::Kind::kNull;
    case Kind::kBool:
      return value.kind() == Value::Kind::kBool;
    case Kind::kInt:
      return value.kind() == Value::Kind::kInt;
    case Kind::kUint:
      return value.kind() == Value::Kind::kUint;
    case Kind::kDouble:
      return value.kind() == Value::Kind::kDouble;
    case Kind::kString:
      return value.kind() == Value::Kind::kString;
    case Kind::kBytes:
      return value.kind() == Value::Kind::kBytes;
    case Kind::kTimestamp:
      return value.kind() == Value::Kind::kTimestamp;
    case Kind::kDuration:
      return value.kind() == Value::Kind::kDuration;
    case Kind::kList:
      return value.kind() == Value::Kind::kList;
    case Kind::kMap:
    case Kind::kRecord:
      return value.kind() == Value::Kind::kMap;
  }
  return false;
}

bool NeverReserved(std::string_view) { return false; }

}  // namespace

class CompiledSchema::Compiler {
 public:
  explicit Compiler(CompiledSchema* compiled) : to_(*compiled) {}

  absl::Status Run() {
    AddAnonymous();
    const Schema& schema = to_.schema_;
    if (schema.entities.size() > kMaxSchemaTypes) {
      return Refuse(absl::StrCat("more than ", kMaxSchemaTypes, " entity types"));
    }
    if (schema.actions.size() > kMaxSchemaActions) {
      return Refuse(absl::StrCat("more than ", kMaxSchemaActions, " actions"));
    }
    for (const Schema::EntityType& type : schema.entities) {
      const auto number = static_cast<uint32_t>(to_.type_numbers_.size());
      if (!reeve::DefectOf(EntityView{type.name, "x"}).empty()) {
        return Refuse(absl::StrCat("`", Printable(type.name), "` cannot be an entity type"));
      }
      if (!to_.type_numbers_.try_emplace(type.name, number).second) {
        return Refuse(absl::StrCat("entity type `", type.name, "` is declared twice"));
      }
    }
    for (const Schema::EntityType& type : schema.entities) {
      if (absl::Status status = AddType(type); !status.ok()) return status;
    }
    for (const Schema::Action& action : schema.actions) {
      if (absl::Status status = AddAction(action); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Refuse(const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("schema: ", what));
  }

  // Like any other type, so that the rest need not think of it.
  void AddAnonymous() {
    std::vector<Schema::EntityType>& types = to_.schema_.entities;
    const bool declared = std::any_of(types.begin(), types.end(), [](const auto& type) {
      return type.name == Principal::kAnonymousType;
    });
    if (!declared) types.push_back({std::string(Principal::kAnonymousType), {}, {}, false});
  }

  absl::Status AddType(const Schema::EntityType& type) {
    const std::string what = absl::StrCat("entity type `", type.name, "`");
    EntityType added;
    if (absl::Status status = AddTypes(what, type.parents, &added.parents); !status.ok()) {
      return status;
    }
    added.wrong_parent =
        absl::StrCat("`", type.name, "` cannot lie in an entity of this type; it can lie in ",
                     Names(type.parents, "none"));
    // What is reserved for principals only is caught where an action names the type.
    absl::Status status = AddFields(type.attributes, absl::StrCat("`", type.name, "`"), "attribute",
                                    "", &IsReservedForResources, &added.attributes);
    added.attributes.open = type.open;
    to_.types_.push_back(std::move(added));
    return status;
  }

  absl::Status AddAction(const Schema::Action& action) {
    if (!DefectOfAction(action.name).empty()) {
      return Refuse(absl::StrCat("`", Printable(action.name), "` cannot be an action"));
    }
    const std::string name = absl::StrCat("`", Printable(action.name), "`");
    const std::string what = absl::StrCat("action ", name);
    const auto number = static_cast<uint32_t>(to_.actions_.size());
    if (!to_.action_numbers_.try_emplace(action.name, number).second) {
      return Refuse(absl::StrCat(what, " is declared twice"));
    }
    if (action.principals.empty() || action.resources.empty()) {
      return Refuse(
          absl::StrCat(what, " has no principals or no resources; empty never means any"));
    }
    Action added;
    absl::Status status = AddTypes(what, action.principals, &added.principals);
    if (status.ok()) status = AddTypes(what, action.resources, &added.resources);
    if (!status.ok()) return status;
    for (const std::string& type : action.principals) {
      for (const SchemaField& field : to_.schema_.entities[to_.FindType(type)].attributes) {
        if (!IsReservedForPrincipals(field.name)) continue;
        return Refuse(absl::StrCat("attribute `", field.name, "` of `", type,
                                   "` is reserved for principals, which ", what, " makes it"));
      }
    }
    added.principals[to_.FindType(Principal::kAnonymousType)] = true;
    added.wrong_principal = absl::StrCat(name, " is not for a principal of this type; it is for ",
                                         Names(action.principals, "none"));
    added.wrong_resource =
        absl::StrCat(name, " does not apply to a resource of this type; it applies to ",
                     Names(action.resources, "none"));
    std::vector<SchemaField> fields = action.context;
    fields.insert(fields.end(), to_.schema_.context.begin(), to_.schema_.context.end());
    status = AddFields(fields, absl::StrCat("the context of ", name), "field", "",
                       &IsReservedForContexts, &added.context);
    to_.actions_.push_back(std::move(added));
    return status;
  }

  absl::Status AddTypes(const std::string& what, const std::vector<std::string>& names,
                        std::vector<bool>* types) const {
    types->resize(to_.type_numbers_.size());
    for (const std::string& name : names) {
      const uint32_t number = to_.FindType(name);
      if (number == kNone) {
        return Refuse(absl::StrCat(what, " names `", Printable(name), "`, which is not declared"));
      }
      (*types)[number] = true;
    }
    return absl::OkStatus();
  }

  // `owner` is what has the fields, `path` what stands before a name: `address.`. Recursive, to
  // kMaxValueDepth.
  absl::Status AddFields(const std::vector<SchemaField>& fields, const std::string& owner,
                         const std::string& noun, const std::string& path, IsReserved is_reserved,
                         Record* record, int depth = 1) {
    if (fields.size() > kMaxSchemaFields) {
      return Refuse(absl::StrCat(owner, " has more than ", kMaxSchemaFields, " names"));
    }
    for (const SchemaField& field : fields) {
      const std::string name = absl::StrCat(path, Printable(field.name));
      if (field.name.empty() || field.name.size() > kMaxFieldNameBytes ||
          !IsValidUtf8(field.name)) {
        return Refuse(absl::StrCat("`", name, "` of ", owner, " cannot be a name"));
      }
      if (is_reserved(field.name)) {
        return Refuse(absl::StrCat("`", name, "` of ", owner, " is reserved"));
      }
      Field added;
      added.name = field.name;
      added.required = field.required;
      added.missing = absl::StrCat(owner, " lacks the ", noun, " `", name, "`, which is required");
      absl::Status status = AddValue(field.type, owner, noun, name, depth, &added.type);
      if (!status.ok()) return status;
      record->fields.push_back(std::move(added));
    }
    std::sort(record->fields.begin(), record->fields.end(),
              [](const Field& a, const Field& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(record->fields.begin(), record->fields.end(),
                           [](const Field& a, const Field& b) { return a.name == b.name; });
    if (twice != record->fields.end()) {
      return Refuse(
          absl::StrCat("`", path, Printable(twice->name), "` of ", owner, " is declared twice"));
    }
    const std::string inside = path.empty() ? "" : absl::StrCat(" inside `", path, "`");
    record->undeclared =
        absl::StrCat(owner, " has ", noun == "field" ? "a field" : "an attribute", inside,
                     " that is not declared; declared are ",
                     Names(
                         record->fields, [](const Field& field) { return field.name; }, "none"));
    return absl::OkStatus();
  }

  absl::Status AddValue(const SchemaType& type, const std::string& owner, const std::string& noun,
                        const std::string& name, int depth, Type* added) {
    if (depth > kMaxValueDepth) {
      return Refuse(absl::StrCat("`", name, "` of ", owner, " is nested more than ", kMaxValueDepth,
                                 " levels deep"));
    }
    added->kind = type.kind;
    const bool has_element = type.kind == Kind::kList || type.kind == Kind::kMap;
    if (type.element.size() != (has_element ? 1 : 0) ||
        (type.kind != Kind::kRecord && !type.fields.empty())) {
      return Refuse(absl::StrCat("the type of `", name, "` of ", owner, " is malformed"));
    }
    const std::string shown =
        type.kind == Kind::kRecord ? "a map" : absl::StrCat("of type ", KindOf(type));
    added->wrong = absl::StrCat("the ", noun, " `", name, "` of ", owner, " is not ", shown);
    if (has_element) {
      added->element = std::make_unique<Type>();
      return AddValue(type.element[0], owner, noun, absl::StrCat(name, "[]"), depth + 1,
                      added->element.get());
    }
    if (type.kind != Kind::kRecord) return absl::OkStatus();
    added->record = std::make_unique<Record>();
    return AddFields(type.fields, owner, noun, absl::StrCat(name, "."), &NeverReserved,
                     added->record.get(), depth + 1);
  }

  static std::string KindOf(const SchemaType& type) {
    if (type.kind == Kind::kList) return "list";
    if (type.kind == Kind::kMap) return "map";
    return ToString(type);
  }

  CompiledSchema& to_;
};

absl::StatusOr<std::unique_ptr<const CompiledSchema>> CompiledSchema::Compile(Schema schema) {
  std::unique_ptr<CompiledSchema> compiled(new CompiledSchema);
  compiled->schema_ = std::move(schema);
  if (absl::Status status = Compiler(compiled.get()).Run(); !status.ok()) return status;
  return std::unique_ptr<const CompiledSchema>(std::move(compiled));
}

uint32_t CompiledSchema::FindType(std::string_view name) const {
  const auto at = type_numbers_.find(View(name));
  return at == type_numbers_.end() ? kNone : at->second;
}

uint32_t CompiledSchema::FindAction(std::string_view name) const {
  const auto at = action_numbers_.find(View(name));
  return at == action_numbers_.end() ? kNone : at->second;
}

bool CompiledSchema::MayLieIn(const EntityType& type, std::string_view parent) const {
  const uint32_t number = FindType(parent);
  return number != kNone && type.parents[number];
}

// Recursive, to the depth of the schema.
std::string_view CompiledSchema::DefectOf(const Value& value, const Type& type) {
  if (!Is(value, type.kind)) return type.wrong;
  if (type.record != nullptr) {
    const Attributes& map = value.map_value();
    std::string_view defect = DefectOf(&map, *type.record, &NeverReserved);
    if (!defect.empty()) return defect;
    return Missing(*type.record, &map, nullptr, {}, [](EntityView) { return nullptr; });
  }
  if (type.element == nullptr || type.element->kind == Kind::kAny) return {};
  if (type.kind == Kind::kList) {
    for (const Value& item : value.list_value()) {
      if (std::string_view defect = DefectOf(item, *type.element); !defect.empty()) return defect;
    }
    return {};
  }
  for (const auto& [name, item] : value.map_value()) {
    if (std::string_view defect = DefectOf(item, *type.element); !defect.empty()) return defect;
  }
  return {};
}

// Both are sorted by name.
std::string_view CompiledSchema::DefectOf(const Attributes* attributes, const Record& record,
                                          IsReserved is_reserved) {
  if (attributes == nullptr) return {};
  auto field = record.fields.begin();
  for (const auto& [name, value] : *attributes) {
    while (field != record.fields.end() && field->name < name) ++field;
    if (field != record.fields.end() && field->name == name) {
      std::string_view defect = DefectOf(value, field->type);
      if (!defect.empty()) return defect;
    } else if (!record.open && !is_reserved(name)) {
      return record.undeclared;
    }
  }
  return {};
}

std::string_view CompiledSchema::Missing(const Record& record, const Attributes* attributes,
                                         const ProvidedEntity* provided, EntityView entity,
                                         Stored stored) {
  if (provided != nullptr && !provided->complete) return {};
  const auto has = [](const Attributes* layer, const std::string& name) {
    return layer != nullptr && layer->Find(name) != nullptr;
  };
  const Attributes* below = nullptr;
  bool looked = false;
  for (const Field& field : record.fields) {
    if (!field.required || has(attributes, field.name)) continue;
    if (provided != nullptr && has(provided->attributes, field.name)) continue;
    if (!looked) below = stored(entity);
    looked = true;
    if (!has(below, field.name)) return field.missing;
  }
  return {};
}

std::string_view CompiledSchema::DefectOf(const EntityType& type, const Attributes* attributes,
                                          absl::Span<const EntityId> parents,
                                          const ProvidedEntity* provided, IsReserved is_reserved,
                                          EntityView entity, Stored stored) const {
  const auto more = provided == nullptr ? absl::Span<const EntityId>() : provided->parents;
  for (const absl::Span<const EntityId> list : {parents, more}) {
    for (const EntityId& parent : list) {
      if (!MayLieIn(type, parent.type)) return type.wrong_parent;
    }
  }
  std::string_view defect = DefectOf(attributes, type.attributes, is_reserved);
  if (!defect.empty()) return defect;
  if (provided != nullptr) {
    defect = DefectOf(provided->attributes, type.attributes, is_reserved);
    if (!defect.empty()) return defect;
  }
  return Missing(type.attributes, attributes, provided, entity, stored);
}

std::string_view CompiledSchema::DefectOf(const Request& request, Stored stored) const {
  const Principal& principal = *request.principal;
  const uint32_t principal_number = FindType(principal.id.type);
  if (principal_number == kNone) return "the principal's entity type is not declared";
  const uint32_t resource_number = FindType(request.resource.type);
  if (resource_number == kNone) return "the resource's entity type is not declared";
  const uint32_t action_number = FindAction(request.action);
  if (action_number == kNone) return "the action is not declared";
  const Action& action = actions_[action_number];
  if (!action.principals[principal_number]) return action.wrong_principal;
  if (!action.resources[resource_number]) return action.wrong_resource;

  const EntityType& type = types_[principal_number];
  if (!principal.groups.empty() && !MayLieIn(type, kGroupType)) return type.wrong_parent;
  std::string_view defect =
      DefectOf(type, &principal.attributes, principal.parents, request.provided_principal,
               &IsReservedForPrincipals, principal.id, stored);
  if (!defect.empty()) return defect;
  defect = DefectOf(types_[resource_number], request.resource_attributes, request.resource_parents,
                    request.provided_resource, &IsReservedForResources, request.resource, stored);
  if (!defect.empty()) return defect;
  defect = DefectOf(request.context, action.context, &IsReservedForContexts);
  if (!defect.empty()) return defect;
  return Missing(action.context, request.context, nullptr, {}, [](EntityView) { return nullptr; });
}

std::string_view CompiledSchema::DefectOf(const Entity& entity) const {
  const uint32_t number = FindType(entity.id.type);
  if (number == kNone) return "its type is not declared";
  const EntityType& type = types_[number];
  for (const EntityId& parent : entity.parents) {
    if (!MayLieIn(type, parent.type)) return type.wrong_parent;
  }
  return DefectOf(&entity.attributes, type.attributes, &IsReservedForResources);
}

}  // namespace reeve
