#include "policy/entities_reader.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

EntitiesDocument EntitiesReader::Read(YamlNode root) {
  document_.file = file();
  const std::optional<Fields> fields = ReadFields(root, "the file", kEntitiesFormat);
  CheckDescription(*fields);
  ReadAccept(*fields, std::nullopt, &document_.accepted);
  if (const auto node = Find(*fields, "entities")) ReadEntities(*node);
  return std::move(document_);
}

void EntitiesReader::ReadEntities(YamlNode node) {
  if (!node.IsSequence()) return Report(node.position(), "`entities` is not a list");
  if (node.size() == 0) {
    return Report(node.position(), "`entities` is empty; write one or remove the file");
  }
  if (node.size() > limits().max_entities) {
    return Report(node.position(),
                  absl::StrCat("`entities` has more than ", limits().max_entities, " items"));
  }
  document_.entities.reserve(node.size());
  for (const YamlNode item : node.items()) ReadEntity(item);
}

std::optional<EntityId> EntitiesReader::ReadEntityId(YamlNode node) {
  const auto text = ReadVisibleText(node, "an entity");
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<EntityId> id = ParseEntityId(*text);
  if (id.ok()) return *std::move(id);
  Report(node.position(), std::string(id.status().message()));
  return std::nullopt;
}

void EntitiesReader::ReadEntity(YamlNode node) {
  const auto fields = ReadFields(node, "the entity", kEntityFormat);
  if (!fields.has_value()) return;
  const auto id_node = Require(*fields, "id", node.position(), "the entity");
  EntitiesDocument::EntityDefinition definition;
  bool complete = false;
  if (id_node.has_value()) {
    definition.id = id_node->position();
    if (std::optional<EntityId> id = ReadEntityId(*id_node)) {
      definition.entity.id = *std::move(id);
      complete = true;
    }
  }
  if (const auto list = Find(*fields, "parents")) {
    if (CheckList(*list, "parents", "; remove the key if there are none")) {
      for (const YamlNode item : list->items()) {
        if (std::optional<EntityId> parent = ReadEntityId(item)) {
          definition.entity.parents.push_back(*std::move(parent));
        }
      }
    }
  }
  if (const auto attributes = Find(*fields, "attributes")) {
    if (std::optional<Attributes> read = ReadAttributes(*attributes, 1)) {
      if (const std::string_view defect = DefectOf(*read); !defect.empty()) {
        Report(attributes->position(), std::string(defect));
      }
      definition.entity.attributes = *std::move(read);
    }
  }
  if (complete) document_.entities.push_back(std::move(definition));
}

// Recursive, to kMaxValueDepth.
std::optional<Attributes> EntitiesReader::ReadAttributes(YamlNode node, int depth) {
  if (!node.IsMapping()) {
    Report(node.position(), "`attributes` is not a mapping of names to values");
    return std::nullopt;
  }
  Attributes attributes;
  for (const auto [key, value] : node.members()) {
    if (std::optional<Value> read = ReadValue(value, depth)) {
      attributes.Set(std::string(key.text()), *std::move(read));
    }
  }
  return attributes;
}

std::optional<Value> EntitiesReader::ReadValue(YamlNode node, int depth) {
  if (node.IsScalar()) {
    return node.plain() ? ReadPlainValue(node) : Value::String(std::string(node.text()));
  }
  if (depth == kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  if (node.IsMapping()) {
    std::optional<Attributes> map = ReadAttributes(node, depth + 1);
    if (!map.has_value()) return std::nullopt;
    return Value::Of(*std::move(map));
  }
  Value::List list;
  for (const YamlNode item : node.items()) {
    if (std::optional<Value> value = ReadValue(item, depth + 1)) list.push_back(*std::move(value));
  }
  return Value::Of(std::move(list));
}

std::optional<Value> EntitiesReader::ReadPlainValue(YamlNode node) {
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
