// The schema, the tables and the loader say the same. The validator here knows the part of JSON
// Schema 2020-12 that the schema has, and fails at the rest.
#include "reeve/policy/json_schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "policy/document_reader.h"
#include "policy/file_format.h"
#include "policy/yaml_text.h"
#include "re2/re2.h"
#include "reeve/policy/warning.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ValueFormat::Kind;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Json& Schema() {
  static const Json* const schema = new Json(Json::parse(*JsonSchema("")));
  return *schema;
}

bool HasType(const Json& value, const std::string& type) {
  return type == "null"      ? value.is_null()
         : type == "boolean" ? value.is_boolean()
         : type == "number"  ? value.is_number()
         : type == "string"  ? value.is_string()
         : type == "array"   ? value.is_array()
         : type == "object"  ? value.is_object()
                             : throw std::logic_error("unknown type " + type);
}

size_t LengthOf(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool IsValid(const Json& value, const Json& schema);

bool IsValidBy(const Json& value, const Json& schema, const std::string& keyword, const Json& of) {
  const auto valid_by = [&](const Json& one) { return IsValid(value, one); };
  if (keyword == "$schema" || keyword == "$id" || keyword == "title" || keyword == "description" ||
      keyword == "$defs") {
    return true;
  }
  if (keyword == "$ref") {
    return IsValid(value, Schema().at(Json::json_pointer(of.get<std::string>().substr(1))));
  }
  if (keyword == "oneOf") return std::count_if(of.begin(), of.end(), valid_by) == 1;
  if (keyword == "anyOf") return std::any_of(of.begin(), of.end(), valid_by);
  if (keyword == "not") return !IsValid(value, of);
  if (keyword == "const") return value == of;
  if (keyword == "enum") return std::find(of.begin(), of.end(), value) != of.end();
  if (keyword == "type") {
    return of.is_string() ? HasType(value, of)
                          : std::any_of(of.begin(), of.end(),
                                        [&](const Json& type) { return HasType(value, type); });
  }
  if (keyword == "pattern") {
    return !value.is_string() || RE2::PartialMatch(value.get<std::string>(), of.get<std::string>());
  }
  if (keyword == "minLength") return !value.is_string() || LengthOf(value) >= of.get<size_t>();
  if (keyword == "maxLength") return !value.is_string() || LengthOf(value) <= of.get<size_t>();
  if (keyword == "minItems") return !value.is_array() || value.size() >= of.get<size_t>();
  if (keyword == "maxItems") return !value.is_array() || value.size() <= of.get<size_t>();
  if (keyword == "minProperties") return !value.is_object() || value.size() >= of.get<size_t>();
  if (keyword == "maxProperties") return !value.is_object() || value.size() <= of.get<size_t>();
  if (keyword == "items") {
    return !value.is_array() || std::all_of(value.begin(), value.end(),
                                            [&](const Json& item) { return IsValid(item, of); });
  }
  if (keyword == "required") {
    return !value.is_object() || std::all_of(of.begin(), of.end(), [&](const Json& key) {
      return value.contains(key.get<std::string>());
    });
  }
  if (keyword == "properties" || keyword == "additionalProperties" || keyword == "propertyNames") {
    if (!value.is_object()) return true;
    const Json& known = schema.value("properties", Json::object());
    for (const auto& [key, member] : value.items()) {
      if (keyword == "propertyNames" && !IsValid(key, of)) return false;
      if (keyword == "properties" && of.contains(key) && !IsValid(member, of[key])) return false;
      if (keyword == "additionalProperties" && !known.contains(key) && !IsValid(member, of)) {
        return false;
      }
    }
    return true;
  }
  throw std::logic_error("unknown keyword " + keyword);
}

bool IsValid(const Json& value, const Json& schema) {
  if (schema.is_boolean()) return schema.get<bool>();
  return std::all_of(schema.items().begin(), schema.items().end(), [&](const auto& item) {
    return IsValidBy(value, schema, item.key(), item.value());
  });
}

Json ToJson(YamlNode node) {
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const YamlNode item : node.items()) list.push_back(ToJson(item));
    return list;
  }
  if (node.IsMapping()) {
    Json map = Json::object();
    for (const auto [key, value] : node.members()) map[std::string(key.text())] = ToJson(value);
    return map;
  }
  const std::string text(node.text());
  int64_t integer;
  double number;
  if (IsText(node)) return text;
  if (node.IsNull()) return nullptr;
  if (text == "true" || text == "false") return text == "true";
  if (absl::SimpleAtoi(text, &integer)) return integer;
  if (absl::SimpleAtod(text, &number)) return number;
  return text;
}

// Whether a file is read without errors; nothing if it is not even YAML. `json` is what it says.
std::optional<bool> Reads(const std::string& text, Json* json) {
  std::vector<Issue> issues;
  const std::optional<YamlDocument> yaml = ReadYaml("f.yaml", text, {}, &issues);
  if (!yaml.has_value()) return std::nullopt;
  *json = ToJson(yaml->root());
  Documents documents;
  const LoadLimits limits;
  ReadDocument("f.yaml", *yaml, limits, &documents, &issues);
  return std::none_of(issues.begin(), issues.end(),
                      [](const Issue& issue) { return issue.severity == Issue::Severity::kError; });
}

// --- Files made from the tables ---

// A value of the format, with all keys there are; of alternatives the one of that number.
Json Example(const ValueFormat& format, size_t alternative) {
  switch (format.kind) {
    case Kind::kVersion:
      return 1;
    case Kind::kBool:
      return true;
    case Kind::kWord:
      return std::string(format.words[0]);
    case Kind::kName:
      return "a";
    case Kind::kText:
      return "text";
    case Kind::kCondition:
      return "context.x == 1";
    case Kind::kPrincipal:
    case Kind::kResource:
    case Kind::kEntityId:
      return "user:b";
    case Kind::kTypeName:
      return "a";
    case Kind::kType:
      return "list(string)";
    case Kind::kReference:
      return "user:b";
    case Kind::kContext:
      return "n";
    case Kind::kTime:
      return "2026-11-20T09:00:00Z";
    case Kind::kAction:
      return "act";
    case Kind::kWarning:
      return std::string(NameOf(Warning::kOpenAllow));
    case Kind::kList:
      return Json::array({Example(*format.item, alternative)});
    case Kind::kMapping: {
      Json mapping = Json::object();
      for (const KeyFormat& key : format.keys) {
        mapping[std::string(key.name)] = Example(*key.value, alternative);
      }
      return mapping;
    }
    case Kind::kNamed:
      return {{"n", Example(*format.item, alternative)}};
    case Kind::kAnyOf:
      return Example(*format.alternatives[std::min(alternative, format.alternatives.size() - 1)],
                     alternative);
    case Kind::kValue:
      return {{"list", {1, "x", nullptr}}};
  }
  return nullptr;
}

struct Change {
  std::string what;
  Json file;
  bool valid;
};

// Each way to change one place of a file, by the tables. `at` is the place.
void AddChanges(const ValueFormat& format, const Json& file, const Json::json_pointer& at,
                size_t alternative, std::vector<Change>* changes) {
  const auto change = [&](const std::string& what, bool valid, const auto& edit) {
    Json changed = file;
    edit(changed[at]);
    changes->push_back({what + " at " + at.to_string(), std::move(changed), valid});
  };
  switch (format.kind) {
    case Kind::kVersion:
      change("version 2", false, [](Json& value) { value = 2; });
      break;
    case Kind::kBool:
      change("text for a boolean", false, [](Json& value) { value = "x"; });
      change("the other boolean", true, [](Json& value) { value = false; });
      break;
    case Kind::kWord:
      for (const std::string_view word : format.words) {
        change("another word", true, [&](Json& value) { value = std::string(word); });
      }
      change("no such word", false, [](Json& value) { value = "x"; });
      break;
    case Kind::kName:
      change("no name", false, [](Json& value) { value = "a b"; });
      change("longest name", true, [](Json& value) { value = std::string(kMaxNameBytes, 'a'); });
      change("too long a name", false,
             [](Json& value) { value = std::string(kMaxNameBytes + 1, 'a'); });
      break;
    case Kind::kText:
      change("empty text", false, [](Json& value) { value = ""; });
      change("longest text", true, [&](Json& value) { value = std::string(format.most, 'a'); });
      change("too long a text", false,
             [&](Json& value) { value = std::string(format.most + 1, 'a'); });
      break;
    case Kind::kCondition:
      change("empty condition", false, [](Json& value) { value = ""; });
      change("boolean for a condition", false, [](Json& value) { value = true; });
      break;
    case Kind::kPrincipal:
      for (const char* word : {"anyone", "authenticated"}) {
        change("a word", true, [&](Json& value) { value = word; });
      }
      change("any", false, [](Json& value) { value = "any"; });
      break;
    case Kind::kResource:
      change("any", true, [](Json& value) { value = "any"; });
      change("anyone", false, [](Json& value) { value = "anyone"; });
      break;
    case Kind::kAction:
      change("any", true, [](Json& value) { value = "any"; });
      change("a star", false, [](Json& value) { value = "*"; });
      break;
    case Kind::kEntityId:
      change("no entity", false, [](Json& value) { value = "b"; });
      change("a space", false, [](Json& value) { value = "user: b"; });
      break;
    case Kind::kTypeName:
      change("no type", false, [](Json& value) { value = "a b"; });
      change("an entity", false, [](Json& value) { value = "a:b"; });
      change("longest type", true, [](Json& value) { value = std::string(kMaxTypeBytes, 'a'); });
      change("too long a type", false,
             [](Json& value) { value = std::string(kMaxTypeBytes + 1, 'a'); });
      break;
    case Kind::kType:
      for (const Json& type : {Json("int"), Json(nullptr), Json({{"type", "int"}}),
                               Json({{"type", "list"}, {"of", {{"type", "map(any)"}}}}),
                               Json({{"fields", {{"x", "int"}}}, {"required", false}})}) {
        change("another type", true, [&](Json& value) { value = type; });
      }
      change("a list for a type", false, [](Json& value) { value = Json::array({"int"}); });
      change("an unknown key of a type", false, [](Json& value) {
        value = {{"type", "int"}, {"optional", true}};
      });
      break;
    case Kind::kReference:
      change("empty text", false, [](Json& value) { value = ""; });
      break;
    case Kind::kContext:
      change("no name", false, [](Json& value) { value = "a b"; });
      break;
    case Kind::kTime:
      change("no time", false, [](Json& value) { value = "noon"; });
      break;
    case Kind::kWarning:
      change("no warning", false, [](Json& value) { value = "open"; });
      break;
    case Kind::kList:
      change("an empty list", false, [](Json& value) { value = Json::array(); });
      change("no list", false, [](Json& value) { value = 7; });
      if (format.most <= 100) {
        const auto fill = [&](size_t count) {
          return [=](Json& value) {
            const Json item = value[0];
            while (value.size() < count) value.push_back(item);
          };
        };
        change("the longest list", true, fill(format.most));
        change("too long a list", false, fill(format.most + 1));
      }
      AddChanges(*format.item, file, at / 0, alternative, changes);
      break;
    case Kind::kMapping:
      change("an unknown key", false, [](Json& value) { value["zzz"] = 1; });
      change("no mapping", false, [](Json& value) { value = 7; });
      for (const KeyFormat& key : format.keys) {
        const std::string name(key.name);
        // What names a context needs one: no schema sees that.
        if (name != "contexts") {
          change("without " + name, !key.required, [&](Json& value) { value.erase(name); });
        }
        change("null for " + name, false, [&](Json& value) { value[name] = nullptr; });
        AddChanges(*key.value, file, at / name, alternative, changes);
      }
      break;
    case Kind::kNamed:
      change("no mapping", false, [](Json& value) { value = 7; });
      // Others have names of any kind.
      if (format.item->kind != Kind::kValue && format.item->kind != Kind::kType &&
          format.item != &kSchemaActionFormat) {
        change("no name", false, [](Json& value) { value["a b"] = value["n"]; });
      }
      AddChanges(*format.item, file, at / "n", alternative, changes);
      break;
    case Kind::kAnyOf:
      AddChanges(*format.alternatives[std::min(alternative, format.alternatives.size() - 1)], file,
                 at, alternative, changes);
      break;
    case Kind::kValue:
      change("another value", true, [](Json& value) { value = 7; });
      break;
  }
}

TEST(JsonSchemaTest, TablesReadersAndSchemaAgree) {
  for (const FileFormat& format : FileFormats()) {
    for (size_t alternative = 0; alternative < 2; ++alternative) {
      const Json file = Example(*format.root, alternative);
      std::vector<Change> changes = {{"nothing", file, true}};
      AddChanges(*format.root, file, Json::json_pointer(), alternative, &changes);
      EXPECT_GT(changes.size(), 20u);
      for (const Change& change : changes) {
        const std::string text = change.file.dump();
        Json again;
        EXPECT_EQ(Reads(text, &again), change.valid) << format.kind << ": " << change.what << "\n"
                                                     << text.substr(0, 1000);
        EXPECT_EQ(IsValid(change.file, Schema()), change.valid)
            << format.kind << ": " << change.what << "\n"
            << text.substr(0, 1000);
      }
    }
  }
}

// Whatever the loader takes the schema takes; and of what it refuses the schema sees a good part.
TEST(JsonSchemaTest, TakesAllThatLoads) {
  size_t taken = 0;
  size_t refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator("policy/load_corpus")) {
    Json json;
    const std::optional<bool> reads = Reads(ReadFile(entry.path().string()), &json);
    if (!reads.has_value()) continue;
    const bool valid = IsValid(json, Schema());
    EXPECT_TRUE(valid || !*reads) << entry.path() << "\n" << json;
    taken += *reads;
    refused += !*reads && !valid;
  }
  EXPECT_GT(taken, 50u);
  EXPECT_GT(refused, 50u);
}

TEST(JsonSchemaTest, OfOneKind) {
  EXPECT_FALSE(JsonSchema("polciy").has_value());
  for (const std::string_view kind : JsonSchemaKinds()) {
    const Json one = Json::parse(*JsonSchema(kind));
    const std::string name(kind);
    EXPECT_EQ(one["oneOf"], Json::array({{{"$ref", "#/$defs/" + name}}}));
    EXPECT_EQ(one["$defs"][name], Schema()["$defs"][name]);
    EXPECT_EQ(one["$id"], "urn:reeve:policy-files:1");
  }
}

// `reeve schema > doc/schema/reeve-1.schema.json` mends it.
TEST(JsonSchemaTest, TheOneInDocIsUpToDate) {
  EXPECT_EQ(ReadFile("doc/schema/reeve-1.schema.json"), *JsonSchema(""));
}

}  // namespace
}  // namespace reeve
