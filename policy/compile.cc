#include "reeve/policy/compile.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "policy/document_reader.h"
#include "policy/load_programs.h"
#include "reeve/engine/snapshot_image.h"
#include "reeve/engine/text.h"
#include "reeve/policy/snapshot_file.h"
#include "reeve/policy/source_files.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

// A name as the snapshot file keeps it: that below `path`, or the last one of it.
std::string NameBelow(const std::string& path, const std::string& name) {
  std::string_view rest = name;
  if (rest.size() > path.size() && rest.substr(0, path.size()) == path) {
    rest.remove_prefix(path.size());
    while (!rest.empty() && rest[0] == '/') rest.remove_prefix(1);
    return std::string(rest);
  }
  return std::string(rest.substr(rest.rfind('/') + 1));
}

bool HasError(const std::vector<Issue>& issues) {
  return std::any_of(issues.begin(), issues.end(),
                     [](const Issue& issue) { return issue.severity == Issue::Severity::kError; });
}

// `loaded` is the set of `files`. Returns the same set as it is loaded in the order of `names`, by
// which its numbers go.
std::shared_ptr<const Snapshot> InOrderOfNames(std::shared_ptr<const Snapshot> loaded,
                                               const std::vector<SourceFile>& files,
                                               const std::vector<std::string>& names,
                                               const LoadLimits& limits) {
  std::vector<size_t> order(files.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return files[a].name < files[b].name; });
  if (std::is_sorted(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return names[a] < names[b]; })) {
    return loaded;
  }
  std::vector<SourceFile> named;
  for (size_t i = 0; i < files.size(); ++i) named.push_back({names[i], files[i].text});
  return LoadPolicy(std::move(named), limits).snapshot;
}

// `files`, of which the snapshot file keeps `names`. `issues` are those of finding them.
CompileResult Compile(const std::vector<SourceFile>& files, std::vector<std::string> names,
                      std::vector<Issue> issues, const uint8_t* signing_key,
                      const LoadLimits& limits) {
  CompileResult result;
  absl::flat_hash_set<std::string> seen;
  for (size_t i = 0; i < files.size(); ++i) {
    const char* wrong = nullptr;
    if (HasControlCharacter(names[i])) wrong = "has a name with control characters; rename it";
    if (!seen.insert(names[i]).second) wrong = "has the name of another file of the set; rename it";
    if (wrong != nullptr) issues.push_back({Issue::Severity::kError, files[i].name, {}, wrong});
  }
  if (HasError(issues)) {
    result.loaded.issues = std::move(issues);
    return result;
  }
  // The texts are loaded as they are: who has signed them was asked before.
  LoadLimits plain = limits;
  plain.trusted_keys = nullptr;
  absl::flat_hash_map<std::string, std::string> programs;
  result.loaded = LoadPolicyAndPrograms(files, plain, &programs);
  const bool has_issues = !result.loaded.issues.empty();
  result.loaded.issues.insert(result.loaded.issues.begin(), issues.begin(), issues.end());
  if (!result.loaded.ok()) return result;
  YamlLimits yaml_limits;
  yaml_limits.max_bytes = limits.max_file_bytes;
  std::vector<YamlDocument> trees;
  for (const SourceFile& file : files) {
    // It was just read without an issue.
    trees.push_back(*ReadYaml(file.name, file.text, yaml_limits, &issues));
  }
  std::string image;
  if (!has_issues)
    image = EncodeSnapshot(*InOrderOfNames(result.loaded.snapshot, files, names, plain));
  std::vector<SnapshotPart> parts;
  for (size_t i = 0; i < files.size(); ++i) {
    parts.push_back({std::move(names[i]), &files[i].text, &trees[i],
                     std::move(programs[files[i].name]), IsSchema(trees[i])});
  }
  result.bytes = EncodeSnapshotFile(std::move(parts), image, signing_key);
  return result;
}

}  // namespace

CompileResult CompilePolicy(const std::string& path, const std::vector<std::string>& entity_files,
                            const uint8_t* signing_key, const LoadLimits& limits) {
  std::vector<Issue> issues;
  std::vector<SourceFile> files;
  std::vector<std::string> names;
  std::vector<std::string> paths = {path};
  paths.insert(paths.end(), entity_files.begin(), entity_files.end());
  for (const std::string& one : paths) {
    std::vector<SourceFile> found;
    UnpackedFiles unpacked;  // The texts are read and compiled anew.
    ReadSourceFiles(one, limits, &found, &issues);
    UnpackSnapshotFiles(limits, &found, &unpacked, &issues);
    for (SourceFile& file : found) {
      names.push_back(NameBelow(one, file.name));
      files.push_back(std::move(file));
    }
  }
  if (files.empty() && issues.empty()) {
    issues.push_back({Issue::Severity::kError, path, {}, "holds no `*.yaml` file"});
  }
  return Compile(files, std::move(names), std::move(issues), signing_key, limits);
}

CompileResult CompilePolicy(const std::vector<SourceFile>& files, const uint8_t* signing_key,
                            const LoadLimits& limits) {
  std::vector<SourceFile> found = files;
  std::vector<Issue> issues;
  UnpackedFiles unpacked;
  UnpackSnapshotFiles(limits, &found, &unpacked, &issues);
  std::vector<std::string> names;
  for (const SourceFile& file : found) names.push_back(file.name);
  return Compile(found, std::move(names), std::move(issues), signing_key, limits);
}

bool HasRulesOfItsTexts(const SourceFile& file, const LoadLimits& limits) {
  LoadLimits plain = limits;
  plain.trusted_keys = nullptr;
  const std::string rules = RulesOf(file, plain);
  if (rules.empty()) return true;
  return RulesOf({file.name, CompilePolicy({file}, nullptr, plain).bytes}, plain) == rules;
}

}  // namespace reeve
