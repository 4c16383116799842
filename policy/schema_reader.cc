#include "policy/schema_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/request.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr struct {
  std::string_view name;
  SchemaType::Kind kind;
} kTypes[] = {
    {"any", SchemaType::Kind::kAny},
    {"null", SchemaType::Kind::kNull},
    {"bool", SchemaType::Kind::kBool},
    {"int", SchemaType::Kind::kInt},
    {"uint", SchemaType::Kind::kUint},
    {"double", SchemaType::Kind::kDouble},
    {"string", SchemaType::Kind::kString},
    {"bytes", SchemaType::Kind::kBytes},
    {"timestamp", SchemaType::Kind::kTimestamp},
    {"duration", SchemaType::Kind::kDuration},
};

// What people from elsewhere write.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"boolean", "bool"},   {"integer", "int"},     {"long", "int"},           {"Long", "int"},
    {"number", "int"},     {"float", "double"},    {"str", "string"},         {"text", "string"},
    {"String", "string"},  {"Bool", "bool"},       {"datetime", "timestamp"}, {"time", "timestamp"},
    {"dyn", "any"},        {"array", "list(any)"}, {"object", "map(any)"},    {"set", "list(any)"},
    {"list", "list(any)"}, {"map", "map(any)"},    {"record", "map(any)"},
};

}  // namespace

SchemaDocument SchemaReader::Read(YamlNode root) {
  document_.file = file();
  const std::optional<Fields> fields = ReadFields(root, "the schema", kSchemaFormat);
  if (const auto node = Find(*fields, "schema")) {
    document_.name.position = node->position();
    if (const auto name = ReadName(*node, "the name of the schema")) document_.name.name = *name;
  }
  CheckDescription(*fields);
  if (const auto node = Find(*fields, "entities")) ReadEntityTypes(*node);
  if (const auto node = Find(*fields, "actions")) ReadActions(*node);
  if (const auto node = Find(*fields, "context")) {
    document_.context = ReadFieldTypes(*node, "the context", 1);
    for (const SchemaDocument::Field& field : document_.context) {
      if (!IsReservedForContexts(field.field.name)) continue;
      Report(field.position, absl::StrCat("`", field.field.name,
                                          "` is reserved: conditions read the time of the decision "
                                          "by it; remove it"));
    }
  }
  if (fields->Find("entities") == nullptr && fields->Find("actions") == nullptr &&
      fields->Find("context") == nullptr) {
    Report(root.position(),
           "the schema declares nothing; write `entities` and `actions`, or remove the file");
  }
  return std::move(document_);
}

void SchemaReader::ReadEntityTypes(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`entities` is not a mapping of types to what they are");
  }
  if (node.size() == 0) {
    return Report(node.position(), "`entities` is empty; write a type or remove the key");
  }
  if (node.size() > kMaxSchemaTypes) {
    return Report(node.position(),
                  absl::StrCat("`entities` has more than ", kMaxSchemaTypes, " types"));
  }
  for (const YamlMember member : node.members()) ReadEntityType(member);
}

void SchemaReader::ReadEntityType(YamlMember member) {
  const auto name = ReadVisibleText(member.key, "an entity type");
  if (!name.has_value()) return;
  if (*name == kRoleType || !DefectOf(EntityView{*name, "x"}).empty()) {
    return Report(member.key.position(),
                  absl::StrCat(Quoted(*name), " cannot be an entity type",
                               *name == kRoleType ? ": roles are what a policy grants" : ""));
  }
  SchemaDocument::EntityType type;
  type.name = {std::string(*name), member.key.position()};
  const std::string what = absl::StrCat("entity type `", type.name.name, "`");
  if (member.value.IsNull()) {
    return Report(member.key.position(),
                  absl::StrCat(what, " has no value; write `{}` if there is nothing to say of it"));
  }
  const auto fields = ReadFields(member.value, what, kEntityTypeFormat);
  if (!fields.has_value()) return;
  CheckDescription(*fields);
  if (const auto node = Find(*fields, "parents")) {
    type.parents = ReadTypeNames(*node, "parents", "; remove the key if there are none");
  }
  if (const auto node = Find(*fields, "attributes")) {
    type.attributes = ReadFieldTypes(*node, what, 1);
  }
  for (const SchemaDocument::Field& field : type.attributes) {
    if (!IsReservedForResources(field.field.name)) continue;
    Report(field.position, absl::StrCat("`", field.field.name,
                                        "` is reserved: conditions read a part of the entity's "
                                        "name by it; give the attribute another name"));
  }
  if (const auto node = Find(*fields, "open")) type.open = ReadBool(*node, "open").value_or(false);
  document_.entities.push_back(std::move(type));
}

void SchemaReader::ReadActions(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`actions` is not a mapping of actions to what they apply to");
  }
  if (node.size() == 0) {
    return Report(node.position(), "`actions` is empty; write an action or remove the key");
  }
  if (node.size() > kMaxSchemaActions) {
    return Report(node.position(),
                  absl::StrCat("`actions` has more than ", kMaxSchemaActions, " actions"));
  }
  for (const YamlMember member : node.members()) ReadAction(member);
}

void SchemaReader::ReadAction(YamlMember member) {
  const auto name = ReadVisibleText(member.key, "an action");
  if (!name.has_value()) return;
  const bool is_word = *name == "any" || name->find_first_of("*{}") != std::string_view::npos;
  if (is_word || !DefectOfAction(*name).empty()) {
    return Report(member.key.position(),
                  absl::StrCat(Quoted(*name), " cannot be an action",
                               is_word ? "; a schema names each action" : ""));
  }
  SchemaDocument::Action action;
  action.name = {std::string(*name), member.key.position()};
  const std::string what = absl::StrCat("action ", Quoted(*name));
  if (member.value.IsNull()) {
    return Report(member.key.position(),
                  absl::StrCat(what, " has no value; write its `principals` and `resources`"));
  }
  const auto fields = ReadFields(member.value, what, kSchemaActionFormat);
  if (!fields.has_value()) return;
  CheckDescription(*fields);
  if (const auto node = Require(*fields, "principals", member.key, what)) {
    action.principals = ReadTypeNames(*node, "principals", "; write `[anyone]` to mean every type");
  }
  if (const auto node = Require(*fields, "resources", member.key, what)) {
    action.resources = ReadTypeNames(*node, "resources", "; write `[any]` to mean every type");
  }
  if (const auto node = Find(*fields, "context")) {
    action.context = ReadFieldTypes(*node, absl::StrCat("the context of ", what), 1);
  }
  for (const SchemaDocument::Field& field : action.context) {
    if (!IsReservedForContexts(field.field.name)) continue;
    Report(
        field.position,
        absl::StrCat("`", field.field.name,
                     "` is reserved: conditions read the time of the decision by it; remove it"));
  }
  document_.actions.push_back(std::move(action));
}

std::vector<SchemaDocument::Name> SchemaReader::ReadTypeNames(YamlNode node, std::string_view what,
                                                              const std::string& if_empty) {
  std::vector<SchemaDocument::Name> names;
  if (!CheckList(node, what, if_empty)) return names;
  for (const YamlNode item : node.items()) {
    const auto name = ReadVisibleText(item, "an entity type");
    if (!name.has_value()) continue;
    const bool known = std::any_of(names.begin(), names.end(),
                                   [&](const auto& other) { return other.name == *name; });
    if (known) {
      Report(item.position(), absl::StrCat(Quoted(*name), " is listed twice; remove one"));
    } else if (name->find(':') != std::string_view::npos) {
      Report(item.position(), absl::StrCat(Quoted(*name), " is not an entity type; write ",
                                           Quoted(name->substr(0, name->find(':')))));
    } else if (!DefectOf(EntityView{*name, "x"}).empty()) {
      Report(item.position(), absl::StrCat(Quoted(*name), " cannot be an entity type"));
    } else {
      names.push_back({std::string(*name), item.position()});
    }
  }
  return names;
}

std::vector<SchemaDocument::Field> SchemaReader::ReadFieldTypes(YamlNode node,
                                                                const std::string& what,
                                                                int depth) {
  std::vector<SchemaDocument::Field> read;
  if (!node.IsMapping()) {
    Report(node.position(), absl::StrCat("what ", what, " has is not a mapping of names to types"));
    return read;
  }
  if (node.size() == 0) {
    Report(node.position(), absl::StrCat(what, " has an empty list of names; remove the key"));
    return read;
  }
  if (node.size() > kMaxSchemaFields) {
    Report(node.position(), absl::StrCat(what, " has more than ", kMaxSchemaFields, " names"));
    return read;
  }
  for (const auto [key, value] : node.members()) {
    const auto name = ReadVisibleText(key, "a name");
    if (!name.has_value()) continue;
    if (name->size() > kMaxFieldNameBytes) {
      Report(key.position(), absl::StrCat("a name is longer than ", kMaxFieldNameBytes, " bytes"));
      continue;
    }
    SchemaDocument::Field field;
    field.position = key.position();
    field.field.name = *name;
    if (value.IsScalar() && value.text().empty()) {
      Report(key.position(), absl::StrCat(Quoted(*name), " has no type; write one, or `any`"));
      continue;
    }
    std::optional<SchemaType> type = ReadType(value, Quoted(*name), depth, &field.field.required);
    if (!type.has_value()) continue;
    field.field.type = *std::move(type);
    read.push_back(std::move(field));
  }
  return read;
}

std::optional<SchemaType> SchemaReader::ReadType(YamlNode node, const std::string& what, int depth,
                                                 bool* required) {
  if (depth > kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  if (node.IsScalar()) {
    // `null` is a type here.
    if (node.text() == "null") return SchemaType(SchemaType::Kind::kNull);
    const auto text = ReadText(node, absl::StrCat("the type of ", what), kMaxNameBytes);
    return text.has_value() ? ParseType(node, *text, depth) : std::nullopt;
  }
  const auto fields = ReadFields(node, what, required != nullptr ? kFieldFormat : kElementFormat);
  if (!fields.has_value()) return std::nullopt;
  CheckDescription(*fields);
  if (const auto value = Find(*fields, "required"); value.has_value() && required != nullptr) {
    *required = ReadBool(*value, "required").value_or(true);
  }
  const auto record = Find(*fields, "fields");
  const auto of = Find(*fields, "of");
  const YamlMember* const named = fields->Find("type");
  if (record.has_value()) {
    if (named != nullptr || of.has_value()) {
      Report(record->position(),
             absl::StrCat(what, " has `fields`, so it is a record; remove `type` and `of`"));
      return std::nullopt;
    }
    std::vector<SchemaField> members;
    for (SchemaDocument::Field& field : ReadFieldTypes(*record, what, depth + 1)) {
      members.push_back(std::move(field.field));
    }
    return SchemaType::Record(std::move(members));
  }
  if (named == nullptr) {
    if (fields->misspelt.empty()) {
      Report(node.position(), absl::StrCat(what, " has no `type`; write one, or `fields`"));
    }
    return std::nullopt;
  }
  const YamlNode type = named->value;
  if (type.IsScalar() && (type.text() == "list" || type.text() == "map")) {
    if (!of.has_value()) {
      Report(type.position(),
             absl::StrCat(what, " is a ", View(type.text()), " of what? Write `of`, or `",
                          View(type.text()), "(any)`"));
      return std::nullopt;
    }
    std::optional<SchemaType> element = ReadType(*of, what, depth + 1, nullptr);
    if (!element.has_value()) return std::nullopt;
    return type.text() == "list" ? SchemaType::List(*std::move(element))
                                 : SchemaType::Map(*std::move(element));
  }
  if (of.has_value()) {
    Report(of->position(), "`of` goes with the types `list` and `map` only; remove it");
    return std::nullopt;
  }
  if (!type.IsScalar()) {
    Report(type.position(),
           absl::StrCat("the type of ", what, " is not text; write `fields` for a record"));
    return std::nullopt;
  }
  return ReadType(type, what, depth, nullptr);
}

std::optional<SchemaType> SchemaReader::ParseType(YamlNode node, std::string_view text, int depth) {
  if (depth > kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  for (const auto& [name, is_list] : {std::pair("list(", true), std::pair("map(", false)}) {
    const std::string_view before = name;
    if (text.substr(0, before.size()) != before || text.back() != ')') continue;
    std::string_view inner = text.substr(before.size(), text.size() - before.size() - 1);
    if (!is_list && absl::StartsWith(View(inner), "string,")) {
      inner.remove_prefix(7);
      while (!inner.empty() && inner.front() == ' ') inner.remove_prefix(1);
      Report(node.position(), absl::StrCat(Quoted(text),
                                           " is not a type: keys are strings always; "
                                           "write `map(",
                                           View(inner), ")`"));
      return std::nullopt;
    }
    std::optional<SchemaType> element = ParseType(node, inner, depth + 1);
    if (!element.has_value()) return std::nullopt;
    return is_list ? SchemaType::List(*std::move(element)) : SchemaType::Map(*std::move(element));
  }
  std::vector<std::string_view> words = {"list(any)", "map(any)"};
  for (const auto& type : kTypes) {
    if (type.name == text) return SchemaType(type.kind);
    words.push_back(type.name);
  }
  std::string meant;
  for (const auto& [word, type] : kOtherWords) {
    if (word == text) meant = absl::StrCat("; did you mean `", View(type), "`?");
  }
  if (meant.empty()) meant = Suggest(text, words);
  Report(node.position(), absl::StrCat(Quoted(text), " is not a type", meant));
  return std::nullopt;
}

}  // namespace reeve
