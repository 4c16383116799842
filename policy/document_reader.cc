#include "policy/document_reader.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "policy/entities_reader.h"
#include "policy/field_reader.h"
#include "policy/policy_reader.h"
#include "policy/schema_reader.h"
#include "policy/tests_reader.h"

namespace reeve {
namespace {

// Finds out of which kind a file is.
class RootReader : public FieldReader {
 public:
  RootReader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues)
      : FieldReader(file, limits, issues), issues_(issues) {}

  void Read(YamlNode root, const ProgramBytes& programs, Documents* documents);

 private:
  std::vector<Issue>* const issues_;
};

void RootReader::Read(YamlNode root, const ProgramBytes& programs, Documents* documents) {
  if (root.IsNull()) {
    return Report(
        {},
        "the file is empty; begin it with `reeve: 1` and `policy:`, `entities:`, `schema:` or "
        "`tests:`");
  }
  if (!root.IsMapping()) {
    return Report(root.position(),
                  "the file is not a mapping; begin it with `reeve: 1` and `policy:`, `entities:`, "
                  "`schema:` or `tests:`");
  }
  std::optional<YamlMember> policy;
  std::optional<YamlMember> entities;
  std::optional<YamlMember> schema;
  std::optional<YamlMember> tests;
  bool first = true;
  for (const YamlMember member : root.members()) {
    const std::string_view key = member.key.text();
    if (first && key != "reeve") {
      Report(member.key.position(), "every file begins with `reeve: 1`");
    }
    first = false;
    if (key == "reeve" &&
        !(member.value.IsScalar() && member.value.plain() && member.value.text() == "1")) {
      Report(member.value.position(), "this version reads files that begin with `reeve: 1`");
    } else if (key == "policy") {
      policy = member;
    } else if (key == "entities") {
      entities = member;
    } else if (key == "schema") {
      schema = member;
    } else if (key == "tests") {
      tests = member;
    }
  }
  // A schema has `entities` of its own.
  if (schema.has_value()) entities.reset();
  bool is_known = false;
  for (const std::optional<YamlMember>& kind : {policy, entities, schema, tests}) {
    if (kind.has_value() && is_known) {
      return Report(
          kind->key.position(),
          "a file is of one kind: `policy`, `entities`, `schema` or `tests`; make two files");
    }
    is_known |= kind.has_value();
  }
  if (policy.has_value()) {
    documents->policies.push_back(
        PolicyReader(file(), limits(), issues_, documents->scope.get()).Read(root, programs));
  } else if (schema.has_value()) {
    documents->schemas.push_back(SchemaReader(file(), limits(), issues_).Read(root));
  } else if (entities.has_value()) {
    documents->entities.push_back(
        EntitiesReader(file(), limits(), issues_, documents->scope.get()).Read(root));
  } else if (tests.has_value()) {
    documents->tests.push_back(
        TestsReader(file(), limits(), issues_, documents->scope.get()).Read(root));
  } else {
    Report(root.position(),
           "the file has none of `policy`, `entities`, `schema` and `tests`, so it says nothing");
  }
}

}  // namespace

bool IsSchema(const YamlDocument& yaml) {
  if (!yaml.root().IsMapping()) return false;
  for (const YamlMember member : yaml.root().members()) {
    if (member.key.text() == "schema") return true;
  }
  return false;
}

void ReadDocument(std::string_view file, const YamlDocument& yaml, const LoadLimits& limits,
                  Documents* documents, std::vector<Issue>* issues, const ProgramBytes& programs) {
  RootReader(file, limits, issues).Read(yaml.root(), programs, documents);
}

}  // namespace reeve
