#include "reeve/policy/json_schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/file_format.h"
#include "reeve/policy/warning.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ValueFormat::Kind;

// The version of the format of files, and so of what describes it.
constexpr char kId[] = "urn:reeve:policy-files:1";

constexpr char kName[] = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$";
constexpr char kIdentifier[] = "^[A-Za-z_][A-Za-z0-9_]*$";
constexpr char kTime[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}";
#define REEVE_ENTITY "[A-Za-z_][A-Za-z0-9_.-]{0,63}:[^ ].*"
constexpr char kTypeName[] = "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$";
constexpr char kEntity[] = "^" REEVE_ENTITY "$";
constexpr char kPrincipal[] = "^(anyone|authenticated|" REEVE_ENTITY ")$";
constexpr char kResource[] = "^(any|" REEVE_ENTITY ")$";

Json Matching(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

Json WarningNames() {
  Json names = Json::array();
  for (const WarningInfo& info : AllWarnings()) names.push_back(std::string(info.name));
  return names;
}

// Recursive: as deep as the tables.
Json SchemaOf(const ValueFormat& format) {
  switch (format.kind) {
    case Kind::kVersion:
      return {{"const", 1}};
    case Kind::kBool:
      return {{"type", "boolean"}};
    case Kind::kWord: {
      Json words = Json::array();
      for (const std::string_view word : format.words) words.push_back(std::string(word));
      return {{"enum", std::move(words)}};
    }
    case Kind::kName:
    case Kind::kContext: {
      Json schema = Matching(kName);
      schema["maxLength"] = kMaxNameBytes;
      return schema;
    }
    case Kind::kText:
    case Kind::kCondition: {
      // Of bytes, of which there are at least as many as characters.
      Json schema = {{"type", "string"}, {"minLength", 1}};
      if (format.most > 0) schema["maxLength"] = format.most;
      return schema;
    }
    case Kind::kPrincipal:
      return Matching(kPrincipal);
    case Kind::kResource:
      return Matching(kResource);
    case Kind::kAction:
      return {{"type", "string"}, {"minLength", 1}, {"not", {{"enum", {"*", "**"}}}}};
    case Kind::kEntityId:
      return Matching(kEntity);
    case Kind::kTypeName:
      return Matching(kTypeName);
    case Kind::kReference:
      return {{"type", "string"}, {"minLength", 1}};
    case Kind::kTime:
      return Matching(kTime);
    case Kind::kWarning:
      return {{"enum", WarningNames()}};
    case Kind::kList:
      return {{"type", "array"},
              {"items", SchemaOf(*format.item)},
              {"minItems", 1},
              {"maxItems", format.most}};
    case Kind::kMapping: {
      Json properties = Json::object();
      Json required = Json::array();
      for (const KeyFormat& key : format.keys) {
        Json& property = properties[std::string(key.name)];
        property["description"] = std::string(key.about);
        property.update(SchemaOf(*key.value));
        if (key.required) required.push_back(std::string(key.name));
      }
      return {{"type", "object"},
              {"properties", std::move(properties)},
              {"required", std::move(required)},
              {"additionalProperties", false}};
    }
    case Kind::kNamed: {
      Json schema = {{"type", "object"}};
      if (format.item->kind == Kind::kCondition) {
        schema["propertyNames"] = {{"pattern", kIdentifier}};
      } else if (format.item == &kEntityTypeFormat) {
        schema["propertyNames"] = {{"pattern", kTypeName}};
      } else if (format.item->kind != Kind::kValue && format.item->kind != Kind::kType &&
                 format.item != &kSchemaActionFormat) {
        schema["propertyNames"] = {{"pattern", kName}, {"maxLength", kMaxNameBytes}};
      }
      if (format.most > 0) {
        schema["minProperties"] = 1;
        schema["maxProperties"] = format.most;
      }
      schema["additionalProperties"] = SchemaOf(*format.item);
      return schema;
    }
    case Kind::kAnyOf: {
      Json alternatives = Json::array();
      for (const ValueFormat* alternative : format.alternatives) {
        alternatives.push_back(SchemaOf(*alternative));
      }
      return {{"anyOf", std::move(alternatives)}};
    }
    case Kind::kType:
      return {{"$ref", "#/$defs/type"}};
    case Kind::kValue:
      return {{"$ref", "#/$defs/value"}};
  }
  return {};
}

}  // namespace

std::vector<std::string_view> JsonSchemaKinds() {
  std::vector<std::string_view> kinds;
  for (const FileFormat& format : FileFormats()) kinds.push_back(format.kind);
  return kinds;
}

std::optional<std::string> JsonSchema(std::string_view kind) {
  Json references = Json::array();
  Json definitions = Json::object();
  for (const FileFormat& format : FileFormats()) {
    if (!kind.empty() && kind != format.kind) continue;
    const std::string name(format.kind);
    definitions[name] = SchemaOf(*format.root);
    references.push_back({{"$ref", "#/$defs/" + name}});
  }
  if (references.empty()) return std::nullopt;
  const Json value = {{"$ref", "#/$defs/value"}};
  definitions["value"] = {{"description", "What conditions see of an entity."},
                          {"type", {"null", "boolean", "number", "string", "array", "object"}},
                          {"items", value},
                          {"additionalProperties", value}};
  definitions["type"] = {{"description", "What a value may be."},
                         {"anyOf", {{{"type", {"string", "null"}}}, SchemaOf(kFieldFormat)}}};
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"$id", kId},
                 {"title", "A file of a Reeve policy set"}};
  schema["oneOf"] = std::move(references);
  schema["$defs"] = std::move(definitions);
  return schema.dump(2) + "\n";
}

}  // namespace reeve
