// The YAML reader against yaml-test-suite, and against files with faults in them. Both are looked
// for in $REEVE_SHARED/conformance; without them nothing is tested, and the output says so.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

using nlohmann::json;

// The directory of a suite, if there is one.
std::optional<std::filesystem::path> Suite(const std::string& name) {
  const char* shared = std::getenv("REEVE_SHARED");
  if (shared == nullptr || *shared == '\0') return std::nullopt;
  std::filesystem::path path = std::filesystem::path(shared) / "conformance" / name;
  if (!std::filesystem::is_directory(path)) return std::nullopt;
  return path;
}

#define SKIP_WITHOUT(suite, name)                                                \
  if (!(suite)) {                                                                \
    std::cout << name << " is not tried: no such directory in $REEVE_SHARED\n";  \
    GTEST_SKIP() << name << " is not tried: no such directory in $REEVE_SHARED"; \
  }

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whether `node` is what `want` says. A plain scalar is a number, a boolean or null if JSON says
// so.
bool Equal(YamlNode node, const json& want) {
  switch (node.kind()) {
    case YamlKind::kSequence: {
      if (!want.is_array() || want.size() != node.size()) return false;
      size_t i = 0;
      for (const YamlNode item : node.items()) {
        if (!Equal(item, want[i++])) return false;
      }
      return true;
    }
    case YamlKind::kMapping: {
      if (!want.is_object() || want.size() != node.size()) return false;
      for (const auto [key, value] : node.members()) {
        const auto found = want.find(std::string(key.text()));
        if (found == want.end() || !Equal(value, *found)) return false;
      }
      return true;
    }
    case YamlKind::kScalar:
      break;
  }
  const std::string text(node.text());
  if (want.is_string()) return want == text;
  if (!node.plain()) return false;
  if (want.is_null()) return node.IsNull();
  if (want.is_boolean()) return text == (want.get<bool>() ? "true" : "false");
  if (!want.is_number()) return false;
  char* end;
  const double number = std::strtod(text.c_str(), &end);
  // Octal, as YAML 1.2 writes it.
  if (text.rfind("0o", 0) == 0) return std::stol(text.substr(2), nullptr, 8) == want.get<double>();
  return *end == '\0' && number == want.get<double>();
}

// What Reeve leaves out of YAML: the beginning or a telling part of the message. A valid input that
// is refused must be refused for one of these; a message of mere syntax is a bug.
struct Reason {
  const char* tag;
  const char* message;
};
constexpr Reason kLeftOut[] = {
    {"directive", "directive "},
    {"multi-document", "a second document"},
    {"multi-document", "the end of the document"},
    {"anchor", "YAML anchor"},
    {"alias", "is a YAML alias"},
    {"tag", "YAML tag"},
    {"complex-key", "complex key"},
    {"complex-key", "a key must be text"},
    {"empty-key", "no key before this `:`"},
    {"null-key", "is null; put it in quotes"},
    {"merge-key", "merge key"},
    {"duplicate-key", "is given twice"},
    {"multi-line-key", "a key must stand on one line"},
    {"tab", "a tab may not"},
    {"control-character", "control character"},
    {"hidden-character", "hidden character"},
    {"indentation-indicator", "indentation indicator"},
    {"flow-pair", "which is not in a `{...}`"},
    {"flow-key-without-value", "has no value; write"},
    {"flow-text-of-many-lines", "no `,` before"},
    {"flow-not-indented", "indent this line more than"},
    {"block-at-end-of-file", "the file ends within a block"},
    {"readers-differ", "readers of YAML differ"},
};

const char* TagOf(const std::string& message) {
  for (const Reason& reason : kLeftOut) {
    if (message.find(reason.message) != std::string::npos) return reason.tag;
  }
  return nullptr;
}

TEST(YamlSuite, InvalidIsRefusedAndValidIsReadRight) {
  const auto suite = Suite("yaml_suite");
  SKIP_WITHOUT(suite, "yaml_suite");
  std::ifstream lines(*suite / "cases.jsonl");
  int invalid = 0;
  int accepted = 0;
  int compared = 0;
  std::map<std::string, int> left_out;
  std::string line;
  while (std::getline(lines, line)) {
    const json test = json::parse(line);
    const std::string id = test["id"];
    const std::string input = test["input"];
    SCOPED_TRACE(id + " " + test["name"].get<std::string>() + "\n" + input);
    std::vector<Issue> issues;
    const auto document = ReadYaml("in", input, {}, &issues);
    ASSERT_EQ(document.has_value(), issues.empty());
    for (const Issue& issue : issues) {
      EXPECT_GT(issue.position.line, 0);
      EXPECT_GT(issue.position.column, 0);
    }
    if (!test["valid"]) {
      ++invalid;
      EXPECT_FALSE(document.has_value()) << "accepted";
      continue;
    }
    if (document.has_value()) {
      ++accepted;
      if (!test.contains("json_documents") || test["json_documents"].size() != 1) continue;
      ++compared;
      EXPECT_TRUE(Equal(document->root(), test["json_documents"][0])) << test["json_documents"][0];
      continue;
    }
    const char* tag = TagOf(issues.front().message);
    EXPECT_NE(tag, nullptr) << ToString(issues.front());
    if (tag != nullptr) ++left_out[tag];
  }
  std::cout << "yaml_suite: " << invalid << " invalid inputs; of the valid ones " << accepted
            << " accepted, " << compared << " of them compared; refused by choice:\n";
  for (const auto& [tag, count] : left_out) std::cout << "  " << tag << " " << count << "\n";
}

// Files whose fault lies in what they say, not in their YAML: the loader's to refuse.
const std::set<std::string> kWellFormed = {
    "empty_file",
    "null_document",
    "list_root",
    "unknown_field_typo",
    "integer_key",
    "scalar_where_list",
    "null_actions",
    "null_condition",
    "missing_effect",
    "effect_typo",
    "duplicate_rule_id",
    "on_key",
    "octal_like",
    "underscored_int",
    "id_number",
    "inf_nan",
    "number_condition",
    "quadratic_blowup",
    "long_cel_chain",
    "cel_deep_list",
    "cel_string_doubling",
    "regex_huge_repeat",
    "many_rules",
    "cel_error_single_quoted",
    "cel_error_literal_block",
    "cel_comment_in_folded",
    "cel_non_boolean",
    "cel_unknown_variable",
};

TEST(BadYaml, FaultsOfYamlAreRefusedAtTheirPlace) {
  const auto suite = Suite("bad_yaml");
  SKIP_WITHOUT(suite, "bad_yaml");
  const json index = json::parse(ReadFile(*suite / "index.json"));
  int refused = 0;
  for (const json& test : index) {
    const std::string name = test["name"];
    const std::filesystem::path path = *suite / test["file"].get<std::string>();
    if (!std::filesystem::exists(path)) continue;  // Some of the big ones are made when wanted.
    SCOPED_TRACE(name);
    std::vector<Issue> issues;
    const auto document = ReadYaml(name, ReadFile(path), {}, &issues);
    EXPECT_EQ(document.has_value(), kWellFormed.count(name) > 0);
    if (document.has_value()) continue;
    ++refused;
    // A verdict of "choose" states no more than where others report it.
    if (test["line"].is_null() || test["verdict"] == "choose") continue;
    const Position want = {test["line"], test["column"]};
    // One of the issues: an anchor, for one, is reported before the alias that makes a cycle of it.
    bool found = false;
    for (const Issue& issue : issues) found = found || issue.position == want;
    EXPECT_TRUE(found) << "none is at " << want.line << ":" << want.column;
  }
  std::cout << "bad_yaml: " << refused << " refused by the reader\n";
}

}  // namespace
}  // namespace reeve
