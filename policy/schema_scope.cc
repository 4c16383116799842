#include "policy/schema_scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using cel::Environment;
using cel::Type;
using cel::TypeKind;
using Field = Environment::Record::Field;

// "`a`, `b` or 3 others"
std::string Quote(const std::vector<std::string>& names) {
  constexpr size_t kMaxShown = 4;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMaxShown); ++i) {
    absl::StrAppend(&text, i > 0 ? ", " : "", "`", Printable(names[i]), "`");
  }
  if (names.size() > kMaxShown) {
    absl::StrAppend(&text, " and ", names.size() - kMaxShown, " more");
  }
  return text;
}

// What a message about a name begins with that none of `names` has.
std::string Lacks(const std::string& prefix, const std::vector<std::string>& names) {
  if (names.size() == 1) return absl::StrCat(prefix, Quote(names), " has no");
  return absl::StrCat("none of ", prefix, Quote(names), " has");
}

Field Text(bool may_be_missing = false) { return {Type::Of(TypeKind::kString), may_be_missing}; }

}  // namespace

SchemaScope::SchemaScope(Schema schema) : schema_(std::move(schema)) {
  const std::string anonymous(Principal::kAnonymousType);
  for (const Schema::EntityType& type : schema_.entities) {
    type_numbers_.emplace(type.name, type_numbers_.size());
  }
  if (type_numbers_.count(anonymous) == 0) {
    type_numbers_.emplace(anonymous, type_numbers_.size());
    schema_.entities.push_back({anonymous, {}, {}, false});
  }
  anonymous_ = type_numbers_.find(anonymous)->second;
  for (const Schema::Action& action : schema_.actions) {
    action_numbers_.emplace(action.name, action_numbers_.size());
  }
  const size_t count = schema_.entities.size();
  std::vector<std::vector<size_t>> children(count);
  for (size_t i = 0; i < count; ++i) {
    for (const std::string& parent : schema_.entities[i].parents) {
      children[type_numbers_.find(parent)->second].push_back(i);
    }
  }
  inside_.assign(count, std::vector<bool>(count));
  for (size_t i = 0; i < count; ++i) {
    std::vector<size_t> to_visit = {i};
    inside_[i][i] = true;
    while (!to_visit.empty()) {
      const size_t type = to_visit.back();
      to_visit.pop_back();
      for (const size_t child : children[type]) {
        if (inside_[i][child]) continue;
        inside_[i][child] = true;
        to_visit.push_back(child);
      }
    }
  }
}

std::vector<std::string_view> SchemaScope::types() const {
  std::vector<std::string_view> names;
  for (const auto& [name, number] : type_numbers_) names.push_back(name);
  return names;
}

std::vector<std::string_view> SchemaScope::actions() const {
  std::vector<std::string_view> names;
  for (const auto& [name, number] : action_numbers_) names.push_back(name);
  return names;
}

const Schema::EntityType* SchemaScope::FindType(std::string_view name) const {
  const auto at = type_numbers_.find(name);
  return at == type_numbers_.end() ? nullptr : &schema_.entities[at->second];
}

bool SchemaScope::HasAction(std::string_view name) const {
  return action_numbers_.find(name) != action_numbers_.end();
}

Reach SchemaScope::Everything() const {
  const std::vector<bool> types(schema_.entities.size(), true);
  return {types, types, std::vector<bool>(schema_.actions.size(), true)};
}

Reach SchemaScope::Nothing() const {
  const std::vector<bool> types(schema_.entities.size());
  return {types, types, std::vector<bool>(schema_.actions.size())};
}

void SchemaScope::AddTypes(const Pattern& pattern, std::vector<bool>* types) const {
  switch (pattern.kind()) {
    case Pattern::Kind::kLiteral:
    case Pattern::Kind::kGlob: {
      const auto at = type_numbers_.find(pattern.type());
      if (at == type_numbers_.end()) return;
      (*types)[at->second] = true;
      if (pattern.kind() == Pattern::Kind::kGlob) return;
      for (size_t i = 0; i < types->size(); ++i) {
        if (inside_[at->second][i]) (*types)[i] = true;
      }
      return;
    }
    case Pattern::Kind::kAuthenticated:
      for (size_t i = 0; i < types->size(); ++i) {
        if (i != anonymous_) (*types)[i] = true;
      }
      return;
    case Pattern::Kind::kAny:
    case Pattern::Kind::kRegex:
    case Pattern::Kind::kRole:
      types->assign(types->size(), true);
      return;
  }
}

bool SchemaScope::AddActions(const Pattern& pattern, std::vector<bool>* actions) const {
  bool any = false;
  for (const auto& [name, number] : action_numbers_) {
    const bool matches = pattern.kind() == Pattern::Kind::kAny ||
                         (pattern.kind() == Pattern::Kind::kGlob ? pattern.glob().Matches(name)
                                                                 : pattern.text() == name);
    if (!matches) continue;
    (*actions)[number] = true;
    any = true;
  }
  return any;
}

bool SchemaScope::Narrow(Reach* reach) const {
  Reach narrow = Nothing();
  bool any = false;
  for (size_t i = 0; i < schema_.actions.size(); ++i) {
    if (!reach->actions[i]) continue;
    std::vector<size_t> principals;
    std::vector<size_t> resources;
    if (reach->principals[anonymous_]) principals.push_back(anonymous_);
    for (const std::string& type : schema_.actions[i].principals) {
      const size_t number = type_numbers_.find(type)->second;
      if (reach->principals[number]) principals.push_back(number);
    }
    for (const std::string& type : schema_.actions[i].resources) {
      const size_t number = type_numbers_.find(type)->second;
      if (reach->resources[number]) resources.push_back(number);
    }
    if (principals.empty() || resources.empty()) continue;
    any = true;
    narrow.actions[i] = true;
    for (const size_t number : principals) narrow.principals[number] = true;
    for (const size_t number : resources) narrow.resources[number] = true;
  }
  if (any) *reach = std::move(narrow);
  return any;
}

Type SchemaScope::ToType(const SchemaType& type, const std::string& name,
                         Environment* environment) const {
  switch (type.kind) {
    case SchemaType::Kind::kAny:
      return Type::Dyn();
    case SchemaType::Kind::kNull:
      return Type::Of(TypeKind::kNull);
    case SchemaType::Kind::kBool:
      return Type::Of(TypeKind::kBool);
    case SchemaType::Kind::kInt:
      return Type::Of(TypeKind::kInt);
    case SchemaType::Kind::kUint:
      return Type::Of(TypeKind::kUint);
    case SchemaType::Kind::kDouble:
      return Type::Of(TypeKind::kDouble);
    case SchemaType::Kind::kString:
      return Type::Of(TypeKind::kString);
    case SchemaType::Kind::kBytes:
      return Type::Of(TypeKind::kBytes);
    case SchemaType::Kind::kTimestamp:
      return Type::Of(TypeKind::kTimestamp);
    case SchemaType::Kind::kDuration:
      return Type::Of(TypeKind::kDuration);
    case SchemaType::Kind::kList:
      return Type::List(ToType(type.element[0], name, environment));
    case SchemaType::Kind::kMap:
      return Type::Map(Type::Of(TypeKind::kString), ToType(type.element[0], name, environment));
    case SchemaType::Kind::kRecord:
      break;
  }
  // Named by what it is, so that records of one form are one type.
  const std::string form = ToString(type);
  if (environment->FindRecord(form) == nullptr) {
    Environment::Record record;
    record.lacks = absl::StrCat("`", name, "` has no");
    for (const SchemaField& field : type.fields) {
      record.fields.emplace(
          field.name,
          Field{ToType(field.type, Printable(field.name), environment), !field.required});
    }
    environment->AddRecord(form, std::move(record));
  }
  return Type::Record(form);
}

void SchemaScope::Join(const std::vector<SchemaField>& fields, bool first,
                       std::map<std::string, SchemaField>* joined) const {
  std::map<std::string, bool> here;
  for (const SchemaField& field : fields) {
    here[field.name] = true;
    const auto [at, is_new] = joined->try_emplace(field.name, field);
    SchemaField& known = at->second;
    known.required = known.required && field.required && (first || !is_new);
    if (known.type != field.type) known.type = SchemaType();
  }
  for (auto& [name, field] : *joined) {
    if (here.count(name) == 0) field.required = false;
  }
}

Environment::Record SchemaScope::RecordOf(const std::vector<bool>& types,
                                          Environment* environment) const {
  Environment::Record record;
  std::map<std::string, SchemaField> joined;
  std::vector<std::string> names;
  bool first = true;
  for (size_t i = 0; i < types.size(); ++i) {
    if (!types[i]) continue;
    const Schema::EntityType& type = schema_.entities[i];
    Join(type.attributes, first, &joined);
    first = false;
    record.open |= type.open;
    // Few think of it when they write a condition.
    if (i != anonymous_ || !type.attributes.empty()) names.push_back(type.name);
  }
  if (names.empty()) names.emplace_back(Principal::kAnonymousType);
  record.lacks = Lacks("", names);
  for (const auto& [name, field] : joined) {
    record.fields[name] = {ToType(field.type, Printable(name), environment), !field.required};
    // An open type may have another under the same name.
    if (record.open) record.fields[name].may_be_missing = true;
    if (record.open) record.fields[name].type = Type::Dyn();
  }
  for (const char* name : {"type", "id", "name"}) record.fields[name] = Text();
  return record;
}

std::map<std::string, SchemaField> SchemaScope::JoinContexts(
    const std::vector<bool>& actions, std::vector<std::string>* names) const {
  std::map<std::string, SchemaField> joined;
  for (size_t i = 0; i < actions.size(); ++i) {
    if (!actions[i]) continue;
    std::vector<SchemaField> fields = schema_.actions[i].context;
    fields.insert(fields.end(), schema_.context.begin(), schema_.context.end());
    Join(fields, names->empty(), &joined);
    names->push_back(schema_.actions[i].name);
  }
  return joined;
}

std::vector<SchemaField> SchemaScope::ContextFields() const {
  std::vector<std::string> names;
  std::vector<SchemaField> fields;
  for (auto& [name, field] : JoinContexts(Everything().actions, &names)) {
    fields.push_back(field);
  }
  return fields;
}

void SchemaScope::Declare(const Reach& reach, Environment* environment) const {
  Environment::Record principal = RecordOf(reach.principals, environment);
  for (const char* name : {"groups", "roles"}) {
    principal.fields[name] = {Type::List(Type::Of(TypeKind::kString)), false};
  }
  principal.fields["assurance"] = Text();
  for (const char* name : {"via", "host", "actor"}) principal.fields[name] = Text(true);
  Environment::Record context;
  std::vector<std::string> names;
  const std::map<std::string, SchemaField> joined = JoinContexts(reach.actions, &names);
  context.lacks = Lacks("the context of ", names);
  for (const auto& [name, field] : joined) {
    context.fields[name] = {ToType(field.type, Printable(name), environment), !field.required};
  }
  context.fields["time"] = {Type::Of(TypeKind::kTimestamp), false};
  environment->AddRecord("resource", RecordOf(reach.resources, environment));
  environment->AddRecord("principal", std::move(principal));
  environment->AddRecord("context", std::move(context));
  for (const char* name : {"principal", "resource", "context"}) {
    environment->AddVariable(name, Type::Record(name));
  }
}

}  // namespace reeve
