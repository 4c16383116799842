#include "policy/value_reader.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::optional<EntityId> ValueReader::ReadEntityId(YamlNode node) {
  const auto text = ReadVisibleText(node, "an entity");
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<EntityId> id = ParseEntityId(*text);
  if (id.ok()) return *std::move(id);
  Report(node.position(), std::string(id.status().message()));
  return std::nullopt;
}

const Schema::EntityType* ValueReader::FindType(const EntityId& id, Position position) {
  if (schema_ == nullptr) return nullptr;
  const Schema::EntityType* const type = schema_->FindType(id.type);
  if (type == nullptr) {
    Report(position, absl::StrCat("entity type `", id.type, "` is not declared by the schema",
                                  Suggest(id.type, schema_->types())));
  }
  return type;
}

std::vector<EntityId> ValueReader::ReadParents(const Fields& fields,
                                               const Schema::EntityType* type) {
  std::vector<EntityId> parents;
  const auto list = Find(fields, "parents");
  if (!list.has_value()) return parents;
  if (!CheckList(*list, "parents", "; remove the key if there are none")) return parents;
  for (const YamlNode item : list->items()) {
    std::optional<EntityId> parent = ReadEntityId(item);
    if (!parent.has_value()) continue;
    if (type != nullptr && FindType(*parent, item.position()) != nullptr &&
        std::find(type->parents.begin(), type->parents.end(), parent->type) ==
            type->parents.end()) {
      Report(item.position(), absl::StrCat("`", type->name, "` cannot lie in `", parent->type,
                                           "` by the schema; add it to its `parents` there"));
    }
    parents.push_back(*std::move(parent));
  }
  return parents;
}

ValueReader::Declared ValueReader::AttributesOf(const Schema::EntityType* type) const {
  if (type == nullptr) return {};
  return {&type->attributes, nullptr, type->open, absl::StrCat("`", type->name, "`")};
}

Attributes ValueReader::ReadAttributes(YamlNode node, const std::string& what,
                                       const Declared& declared) {
  if (!node.IsMapping()) {
    Report(node.position(), absl::StrCat(what, " is not a mapping of names to values"));
    return {};
  }
  Attributes attributes = ReadMap(node, 1, declared);
  if (const std::string_view defect = DefectOf(attributes); !defect.empty()) {
    Report(node.position(), std::string(defect));
  }
  return attributes;
}

// Recursive, to kMaxValueDepth.
Attributes ValueReader::ReadMap(YamlNode node, int depth, const Declared& declared) {
  Attributes attributes;
  std::set<std::string> present;
  for (const auto [key, value] : node.members()) {
    const std::string name(key.text());
    present.insert(name);
    const SchemaType* type = declared.each;
    if (declared.fields != nullptr) {
      const auto field = std::find_if(declared.fields->begin(), declared.fields->end(),
                                      [&](const SchemaField& f) { return f.name == name; });
      if (field != declared.fields->end()) {
        type = &field->type;
      } else if (!declared.open && !(depth == 1 && declared.is_reserved(name))) {
        std::vector<std::string_view> words;
        for (const SchemaField& f : *declared.fields) words.push_back(f.name);
        Report(key.position(), absl::StrCat(declared.owner, " has no ", Quoted(name),
                                            " by the schema", Suggest(name, words)));
        continue;
      }
    }
    if (std::optional<Value> read = ReadValue(value, depth, name, type)) {
      attributes.Set(name, *std::move(read));
    }
  }
  // Of the entity itself a request may bring them.
  if (declared.fields != nullptr && depth > 1) {
    for (const SchemaField& field : *declared.fields) {
      if (!field.required || present.count(field.name) > 0) continue;
      Report(node.position(), absl::StrCat(declared.owner, " lacks ", Quoted(field.name),
                                           ", which the schema requires"));
    }
  }
  return attributes;
}

std::optional<Value> ValueReader::ReadValue(YamlNode node, int depth, const std::string& name,
                                            const SchemaType* type) {
  using Kind = SchemaType::Kind;
  if (type != nullptr && type->kind == Kind::kAny) type = nullptr;
  if (node.IsScalar()) {
    std::optional<Value> value =
        node.plain() ? ReadPlainValue(node) : Value::String(std::string(node.text()));
    if (!value.has_value() || type == nullptr) return value;
    return Fit(node, name, *std::move(value), *type);
  }
  if (depth == kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  const bool is_map = node.IsMapping();
  const bool fits =
      type == nullptr || (is_map ? type->kind == Kind::kMap || type->kind == Kind::kRecord
                                 : type->kind == Kind::kList);
  if (!fits) {
    Report(node.position(), absl::StrCat(Quoted(name), " is a ", is_map ? "map" : "list",
                                         ", and the schema says `", ToString(*type), "`"));
    return std::nullopt;
  }
  if (is_map) {
    Declared declared;
    if (type != nullptr && type->kind == Kind::kMap) declared.each = &type->element[0];
    if (type != nullptr && type->kind == Kind::kRecord) declared.fields = &type->fields;
    declared.owner = Quoted(name);
    return Value::Of(ReadMap(node, depth + 1, declared));
  }
  Value::List list;
  for (const YamlNode item : node.items()) {
    if (std::optional<Value> value =
            ReadValue(item, depth + 1, name, type == nullptr ? nullptr : &type->element[0])) {
      list.push_back(*std::move(value));
    }
  }
  return Value::Of(std::move(list));
}

std::optional<Value> ValueReader::Fit(YamlNode node, const std::string& name, Value value,
                                      const SchemaType& type) {
  using Kind = SchemaType::Kind;
  const auto accept = [&](Value::Kind kind, const char* hint) -> std::optional<Value> {
    Value read = As(type, std::move(value));
    if (read.kind() == kind) return read;
    Report(node.position(), absl::StrCat(Quoted(name), " is ", Quoted(node.text()),
                                         ", and the schema says `", ToString(type), "`", hint));
    return std::nullopt;
  };
  switch (type.kind) {
    case Kind::kAny:
      return value;
    case Kind::kNull:
      return accept(Value::Kind::kNull, "");
    case Kind::kBool:
      return accept(Value::Kind::kBool, "");
    case Kind::kInt:
      return accept(Value::Kind::kInt, "");
    case Kind::kUint:
      return accept(Value::Kind::kUint, "");
    case Kind::kDouble:
      return accept(Value::Kind::kDouble, "");
    case Kind::kString:
      return accept(Value::Kind::kString, "; put it in quotes if it is meant as text");
    case Kind::kTimestamp:
      return accept(Value::Kind::kTimestamp, "; write it as \"2026-11-20T09:00:00Z\"");
    case Kind::kDuration:
      return accept(Value::Kind::kDuration, "; write it as \"1h30m\"");
    case Kind::kBytes:
      return accept(Value::Kind::kBytes, ", which files cannot hold; use `string`");
    case Kind::kList:
      return accept(Value::Kind::kList, "");
    case Kind::kMap:
    case Kind::kRecord:
      return accept(Value::Kind::kMap, "");
  }
  return value;
}

std::optional<Value> ValueReader::ReadPlainValue(YamlNode node) {
  const std::string_view text = node.text();
  const auto refuse = [this, node, text](const char* what) {
    Report(node.position(), absl::StrCat(Quoted(text), " ", what));
    return std::nullopt;
  };
  if (text.empty()) {
    Report(node.position(), "a value is missing; write `null` if that is meant, or `\"\"`");
    return std::nullopt;
  }
  if (text == "null") return Value();
  if (node.IsNull())
    return refuse("is another spelling of null; write `null`, or put it in quotes");
  if (text == "true" || text == "false") return Value::Bool(text == "true");
  if (LooksLikeBool(text)) {
    return refuse("is another spelling of a boolean; write `true` or `false`, or put it in quotes");
  }
  if (!LooksLikeNumber(text)) return Value::String(std::string(text));

  std::string_view digits = text;
  if (digits[0] == '-') digits.remove_prefix(1);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && absl::ascii_isdigit(digits[1]);
  const bool decimal = absl::ascii_isdigit(digits[0]) && absl::ascii_isdigit(digits.back());
  if (leading_zero || !decimal || digits.find_first_of("xo") != std::string_view::npos) {
    return refuse("is not a plain decimal number; write it as one, or put it in quotes");
  }
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    int64_t integer;
    if (absl::SimpleAtoi(View(text), &integer)) return Value::Int(integer);
    return refuse("does not fit 64 bits; put it in quotes");
  }
  double number;
  if (absl::SimpleAtod(View(text), &number) && std::isfinite(number)) return Value::Double(number);
  return refuse("is not a number that a double can hold; put it in quotes");
}

}  // namespace reeve
