#include "reeve/policy/load.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "policy/conditions.h"
#include "policy/document_reader.h"
#include "policy/lint.h"
#include "policy/load_programs.h"
#include "policy/schema_merger.h"
#include "reeve/engine/snapshot_image.h"
#include "reeve/policy/load_tests.h"
#include "reeve/policy/snapshot_file.h"
#include "reeve/policy/source_files.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

using Sha256 = std::array<unsigned char, crypto_hash_sha256_BYTES>;

Sha256 Hash(std::string_view text) {
  Sha256 hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return hash;
}

// Of the texts of files alone: neither their names nor their order change what a set means.
std::string DigestOf(std::vector<Sha256> hashes) {
  std::sort(hashes.begin(), hashes.end());
  std::string all;
  for (const Sha256& hash : hashes) all.append(hash.begin(), hash.end());
  const Sha256 digest = Hash(all);
  return absl::StrCat(
      "sha256:",
      absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()}));
}

// Where something was defined first.
struct Place {
  const std::string* file;
  Position position;
};

std::string ToString(const Place& place, const std::string& seen_from) {
  return absl::StrCat(*place.file == seen_from ? "" : absl::StrCat(*place.file, ":"),
                      place.position.line, ":", place.position.column);
}

// What only the files together can show: names that are given twice.
void CheckNames(const Documents& documents, const LoadLimits& limits, std::vector<Issue>* issues) {
  absl::flat_hash_map<std::string, Place> policies;
  size_t rules = 0;
  for (const PolicyDocument& policy : documents.policies) {
    rules += policy.rules.size();
    if (policy.name.empty()) continue;  // reported
    const auto [first, is_new] =
        policies.try_emplace(policy.name, Place{&policy.file, policy.name_position});
    if (is_new) continue;
    issues->push_back({Issue::Severity::kError, policy.file, policy.name_position,
                       absl::StrCat("policy `", policy.name, "` is defined twice; first at ",
                                    ToString(first->second, policy.file))});
  }
  if (rules > limits.max_rules) {
    issues->push_back({Issue::Severity::kError,
                       documents.policies.back().file,
                       {},
                       absl::StrCat("the set has more than ", limits.max_rules, " rules")});
  }
  absl::flat_hash_map<std::string, Place> entities;
  for (const EntitiesDocument& document : documents.entities) {
    for (const EntitiesDocument::EntityDefinition& definition : document.entities) {
      const std::string name = ToString(definition.entity.id);
      const auto [first, is_new] = entities.try_emplace(name, Place{&document.file, definition.id});
      if (is_new) continue;
      issues->push_back({Issue::Severity::kError, document.file, definition.id,
                         absl::StrCat("entity `", name, "` is defined twice; first at ",
                                      ToString(first->second, document.file))});
    }
  }
  if (entities.size() > limits.max_entities) {
    issues->push_back({Issue::Severity::kError,
                       documents.entities.back().file,
                       {},
                       absl::StrCat("the set has more than ", limits.max_entities, " entities")});
  }
}

// At the first entity on the cycle that a file defines.
Issue CycleIssue(const std::vector<EntityId>& cycle, const std::vector<EntitiesDocument>& documents,
                 std::string message) {
  for (const EntityId& id : cycle) {
    for (const EntitiesDocument& document : documents) {
      for (const EntitiesDocument::EntityDefinition& definition : document.entities) {
        if (definition.entity.id == id) {
          return {Issue::Severity::kError, document.file, definition.id, std::move(message)};
        }
      }
    }
  }
  const std::string file = documents.empty() ? std::string() : documents[0].file;
  return {Issue::Severity::kError, file, {}, std::move(message)};
}

bool HasError(const std::vector<Issue>& issues) {
  return std::any_of(issues.begin(), issues.end(),
                     [](const Issue& issue) { return issue.severity == Issue::Severity::kError; });
}

// Removes the warnings that are accepted. Those of `accepted` that accept nothing stay in it.
void RemoveAccepted(std::vector<AcceptedWarning>* accepted, std::vector<Issue>* issues) {
  if (accepted->empty()) return;
  // Where they begin to hold, as 0:0 of a whole file. Rules do not overlap.
  using Key = std::tuple<std::string_view, Warning, int, int>;
  std::map<Key, std::vector<size_t>> by_begin;
  for (size_t i = 0; i < accepted->size(); ++i) {
    const AcceptedWarning& one = (*accepted)[i];
    by_begin[{one.file, one.warning, one.begin.line, one.begin.column}].push_back(i);
  }
  std::vector<char> used(accepted->size(), false);
  const auto is_accepted = [&](const Issue& issue) {
    const auto [line, column] = issue.position;
    bool found = false;
    const auto use = [&](const std::vector<size_t>& those) {
      for (const size_t i : those) used[i] = true;
      found = true;
    };
    const auto file = by_begin.find({issue.file, issue.warning, 0, 0});
    if (file != by_begin.end()) use(file->second);
    const auto behind = by_begin.upper_bound({issue.file, issue.warning, line, column});
    if (behind == by_begin.begin()) return found;
    const auto rule = std::prev(behind);
    const AcceptedWarning& one = (*accepted)[rule->second[0]];
    if (rule != file && one.file == issue.file && one.warning == issue.warning &&
        std::make_pair(line, column) <= std::make_pair(one.end.line, one.end.column)) {
      use(rule->second);
    }
    return found;
  };
  issues->erase(std::remove_if(issues->begin(), issues->end(), is_accepted), issues->end());
  size_t kept = 0;
  for (size_t i = 0; i < accepted->size(); ++i) {
    if (!used[i]) (*accepted)[kept++] = (*accepted)[i];
  }
  accepted->resize(kept);
}

// A file that lint looks at again.
struct KeptFile {
  std::string name;
  YamlDocument yaml;
  size_t policies;  // How many there are in the files up to this one.
};

// All warnings of a set without errors but those that it accepts, and those accepted in vain.
void AddWarnings(const Documents& documents, const std::vector<KeptFile>& files,
                 std::vector<AcceptedWarning> accepted, std::vector<Issue>* issues) {
  std::vector<YamlNode> roots;
  for (const KeptFile& file : files) {
    if (file.policies > roots.size()) roots.push_back(file.yaml.root());
  }
  std::vector<Issue> found;
  Lint(documents, roots, &found);
  issues->insert(issues->end(), found.begin(), found.end());
  RemoveAccepted(&accepted, issues);
  // What is accepted in vain may be accepted, too; what accepts nothing even then is reported once
  // more.
  for (int round = 0; round < 2; ++round) {
    std::vector<AcceptedWarning> left;
    for (const AcceptedWarning& one : accepted) {
      if ((one.warning == Warning::kUselessAccept) != (round == 1)) {
        left.push_back(one);
        continue;
      }
      issues->push_back({Issue::Severity::kWarning,
                         one.file,
                         one.position,
                         absl::StrCat("there is no `", std::string(NameOf(one.warning)), "` ",
                                      one.begin == Position() ? "in this file" : "in this rule",
                                      " to accept; remove it"),
                         {},
                         1,
                         Warning::kUselessAccept});
    }
    accepted = std::move(left);
    if (round == 0) RemoveAccepted(&accepted, issues);
  }
  SortIssues(issues);
  for (const KeptFile& file : files) {
    const auto first = std::find_if(issues->begin(), issues->end(),
                                    [&](const Issue& issue) { return issue.file == file.name; });
    const auto last = std::find_if(first, issues->end(),
                                   [&](const Issue& issue) { return issue.file != file.name; });
    if (first == last) continue;
    AddLines(file.yaml.source(), absl::MakeSpan(&*first, static_cast<size_t>(last - first)));
  }
}

std::vector<AcceptedWarning> AcceptedBy(const Documents& documents) {
  std::vector<AcceptedWarning> all;
  for (const PolicyDocument& policy : documents.policies) {
    all.insert(all.end(), policy.accepted.begin(), policy.accepted.end());
  }
  for (const EntitiesDocument& document : documents.entities) {
    all.insert(all.end(), document.accepted.begin(), document.accepted.end());
  }
  for (const TestsDocument& document : documents.tests) {
    all.insert(all.end(), document.accepted.begin(), document.accepted.end());
  }
  return all;
}

// Whether the file can have a key `schema`: else that word, or an escape that stands for a part of
// it, would be in it.
bool MayBeSchema(std::string_view text) {
  return text.find("schema") != std::string_view::npos || text.find('\\') != std::string_view::npos;
}

PolicySource SourceOf(const PolicyDocument& policy, std::string text) {
  PolicySource source = {policy.file, std::move(text), {}};
  for (const PolicyDocument::RuleDefinition& definition : policy.rules) {
    source.rules.push_back({definition.rule.id, definition.id, definition.when});
  }
  return source;
}

Issue NotCompiledFrom(const std::string& file) {
  return {Issue::Severity::kError,
          file,
          {},
          "is not what the snapshot file decides by: `reeve compile` did not make it; "
          "compile it again, and look for who wrote it"};
}

// Reads `file`, or takes its tree from `unpacked` if it comes from a snapshot file. To `lint` is to
// read it all the same, and to see whether the tree is that of the text.
std::optional<YamlDocument> ReadTree(const SourceFile& file, const LoadLimits& limits, bool lint,
                                     UnpackedFiles* unpacked, std::vector<Issue>* issues) {
  const auto tree = unpacked->find(file.name);
  if (tree != unpacked->end() && !lint) return std::move(tree->second.yaml);
  YamlLimits yaml_limits;
  yaml_limits.max_bytes = limits.max_file_bytes;
  std::optional<YamlDocument> yaml = ReadYaml(file.name, file.text, yaml_limits, issues);
  if (yaml.has_value() && tree != unpacked->end() && !AreEqual(*yaml, tree->second.yaml)) {
    issues->push_back(NotCompiledFrom(file.name));
  }
  return yaml;
}

// Reports snapshot files that decide by other rules than their texts say.
void CheckRules(const std::vector<SourceFile>& files, const LoadLimits& limits,
                std::vector<Issue>* issues) {
  for (const SourceFile& file : files) {
    if (!HasRulesOfItsTexts(file, limits)) issues->push_back(NotCompiledFrom(file.name));
  }
}

// `documents` are the schemas. Null if there is an issue.
std::shared_ptr<const Snapshot> Decode(const SnapshotRules& rules, const Documents& documents,
                                       const LoadLimits& limits, std::vector<Issue>* issues) {
  const SnapshotImageLimits most = {limits.max_rules, limits.max_entities, limits.max_list,
                                    kMaxRegexSteps * rules.files};
  std::optional<Schema> schema;
  if (documents.scope != nullptr) schema = documents.scope->schema();
  auto snapshot = DecodeSnapshot(rules.image(), std::move(schema), most);
  if (snapshot.ok()) return *std::move(snapshot);
  std::string message(snapshot.status().message());
  if (!absl::IsResourceExhausted(snapshot.status())) {
    message = absl::StrCat("is damaged: its rules are none that can be read: ", message,
                           "; compile it again");
  }
  issues->push_back({Issue::Severity::kError, rules.file, {}, std::move(message)});
  return nullptr;
}

using ProgramsByFile = absl::flat_hash_map<std::string, std::string>;

// Whether a snapshot file may have these programs for a file whose conditions come to `made`. None,
// and those of other schemas or another version of Reeve, decide nothing.
bool AreProgramsOf(std::string_view programs, std::string_view made, std::string_view schemas) {
  return programs == made || !Conditions::CanImport(programs, schemas);
}

// What a set is made of, without snapshot files: these are unpacked.
struct Input {
  std::vector<SourceFile> files;
  UnpackedFiles unpacked;
  SnapshotRules rules;
  std::vector<Issue> issues;
};

// What tests need goes to *tests, unless that is null.
LoadResult LoadUnpacked(Input input, const LoadLimits& limits, bool lint,
                        PolicyTests* tests = nullptr, ProgramsByFile* programs = nullptr) {
  std::vector<SourceFile>& files = input.files;
  UnpackedFiles& unpacked = input.unpacked;
  const SnapshotRules& rules = input.rules;
  LoadResult result;
  result.issues = std::move(input.issues);
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  std::vector<Sha256> hashes;
  Documents documents;
  std::vector<KeptFile> kept;
  const auto add_lines = [&result](std::string_view text, size_t before) {
    if (result.issues.size() > before) {
      AddLines(text, absl::MakeSpan(result.issues).subspan(before));
    }
  };
  std::string schemas_digest;  // Empty without any.
  const auto read = [&](const std::string& name, YamlDocument yaml) {
    const size_t before = result.issues.size();
    const size_t policies = documents.policies.size();
    const size_t suites = documents.tests.size();
    ProgramBytes conditions = {schemas_digest, {}, nullptr};
    const auto from = unpacked.find(name);
    std::string made;
    if (programs != nullptr) conditions.made = &(*programs)[name];
    if (from != unpacked.end() && lint) conditions.made = &made;
    if (from != unpacked.end() && !lint) conditions.given = from->second.programs;
    ReadDocument(name, yaml, limits, &documents, &result.issues, conditions);
    if (from != unpacked.end() && lint &&
        !AreProgramsOf(from->second.programs, made, schemas_digest)) {
      result.issues.push_back(NotCompiledFrom(name));
    }
    if (from != unpacked.end()) from->second.programs = std::string();
    add_lines(yaml.source(), before);
    // Tests are no part of what the set means.
    if (documents.tests.size() == suites) hashes.push_back(Hash(yaml.source()));
    if (tests != nullptr && documents.policies.size() > policies) {
      tests->sources.push_back(SourceOf(documents.policies.back(), std::string(yaml.source())));
    }
    if (lint) kept.push_back({name, std::move(yaml), documents.policies.size()});
  };
  // Schemas first: the others are held to them.
  std::stable_partition(files.begin(), files.end(),
                        [](const SourceFile& file) { return MayBeSchema(file.text); });
  std::vector<std::pair<std::string, YamlDocument>> schemas;
  std::vector<std::pair<std::string, YamlDocument>> waiting;
  bool more_schemas = true;
  const auto end_schemas = [&] {
    more_schemas = false;
    for (const auto& [name, yaml] : schemas) {
      const size_t before = result.issues.size();
      ReadDocument(name, yaml, limits, &documents, &result.issues);
      add_lines(yaml.source(), before);
      hashes.push_back(Hash(yaml.source()));
    }
    if (!schemas.empty()) schemas_digest = DigestOf(hashes);
    if (!schemas.empty() && !HasError(result.issues)) {
      std::vector<Issue> found;
      if (auto schema = MergeSchemas(documents.schemas, &found)) {
        documents.scope = std::make_unique<SchemaScope>(*std::move(schema));
      }
      for (Issue& issue : found) {
        const auto file =
            std::find_if(schemas.begin(), schemas.end(),
                         [&issue](const auto& schema) { return schema.first == issue.file; });
        AddLines(file->second.source(), absl::MakeSpan(&issue, 1));
        result.issues.push_back(std::move(issue));
      }
    }
    schemas.clear();
    for (auto& [name, yaml] : waiting) read(name, std::move(yaml));
    waiting.clear();
  };
  for (SourceFile& file : files) {
    if (more_schemas && !MayBeSchema(file.text)) end_schemas();
    const size_t before = result.issues.size();
    std::optional<YamlDocument> yaml = ReadTree(file, limits, lint, &unpacked, &result.issues);
    add_lines(file.text, before);
    file.text = std::string();
    if (!yaml.has_value()) continue;
    if (!more_schemas) {
      read(file.name, *std::move(yaml));
    } else {
      (IsSchema(*yaml) ? schemas : waiting).emplace_back(file.name, *std::move(yaml));
    }
  }
  if (more_schemas) end_schemas();
  CheckNames(documents, limits, &result.issues);
  CheckTests(documents, &result.issues);
  if (documents.policies.empty() && !rules.are_there() && !HasError(result.issues)) {
    result.issues.push_back({Issue::Severity::kError,
                             files.empty() ? "" : files[0].name,
                             {},
                             "the set has no file with `policy:`, so it has no rules"});
  }
  std::vector<AcceptedWarning> accepted = AcceptedBy(documents);
  if (lint && !HasError(result.issues)) {
    AddWarnings(documents, kept, std::move(accepted), &result.issues);
  } else {
    RemoveAccepted(&accepted, &result.issues);
  }
  kept.clear();
  if (rules.are_there()) {
    if (!HasError(result.issues))
      result.snapshot = Decode(rules, documents, limits, &result.issues);
  } else if (!HasError(result.issues)) {
    // What the set says is handed over piece by piece; entities are kept to name the place of a
    // cycle.
    SnapshotBuilder builder;
    builder.SetDigest(DigestOf(std::move(hashes)));
    if (documents.scope != nullptr) builder.SetSchema(documents.scope->schema());
    for (PolicyDocument& policy : documents.policies) {
      for (PolicyDocument::RoleDefinition& role : policy.roles) {
        builder.AddRole(std::move(role.name), std::move(role.members), std::move(role.when));
      }
      for (PolicyDocument::RuleDefinition& definition : policy.rules) {
        builder.AddRule(std::move(definition.rule));
      }
    }
    for (const EntitiesDocument& document : documents.entities) {
      for (const EntitiesDocument::EntityDefinition& definition : document.entities) {
        builder.AddEntity(definition.entity);
      }
    }
    std::vector<EntityId> cycle;
    absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot = builder.Build(&cycle);
    if (snapshot.ok()) {
      result.snapshot = *std::move(snapshot);
      if (tests != nullptr) {
        for (TestsDocument& document : documents.tests) {
          tests->suites.push_back(std::move(document.suite));
        }
      }
    } else {
      result.issues.push_back(
          CycleIssue(cycle, documents.entities, std::string(snapshot.status().message())));
    }
  }
  SortIssues(&result.issues);
  return result;
}

// `issues` are those of finding the files.
LoadResult Load(std::vector<SourceFile> files, std::vector<Issue> issues, const LoadLimits& limits,
                bool lint, PolicyTests* tests = nullptr, ProgramsByFile* programs = nullptr) {
  Input input = {std::move(files), {}, {}, std::move(issues)};
  const bool decides = !lint && tests == nullptr && programs == nullptr;
  if (lint) CheckRules(input.files, limits, &input.issues);
  UnpackSnapshotFiles(limits, &input.files, &input.unpacked, &input.issues,
                      decides ? &input.rules : nullptr);
  return LoadUnpacked(std::move(input), limits, lint, tests, programs);
}

LoadResult LoadFiles(const std::string& path, const std::vector<std::string>& more_files,
                     const LoadLimits& limits, bool lint, PolicyTests* tests = nullptr) {
  std::vector<SourceFile> files;
  std::vector<Issue> issues;
  ReadSourceFiles(path, limits, &files, &issues);
  for (const std::string& file : more_files) ReadSourceFiles(file, limits, &files, &issues);
  if (files.empty() && issues.empty()) {
    issues.push_back({Issue::Severity::kError, path, {}, "holds no `*.yaml` file"});
  }
  return Load(std::move(files), std::move(issues), limits, lint, tests);
}

// Reads no more of a snapshot file than it needs. Nothing if `path` is anything else, or if it must
// be seen whole: for what is wrong with it, or its trees.
std::optional<LoadResult> LoadRules(const std::string& path, const LoadLimits& limits) {
  Input input;
  SourceFile file;
  size_t left_out;
  if (!ReadSnapshotRules(path, limits, &file, &left_out) ||
      !UnpackSnapshotRules(std::move(file), left_out, limits, &input.files, &input.unpacked,
                           &input.rules)) {
    return std::nullopt;
  }
  return LoadUnpacked(std::move(input), limits, /*lint=*/false);
}

}  // namespace

LoadResult LoadPolicy(const std::string& path, const std::vector<std::string>& entity_files,
                      const LoadLimits& limits) {
  if (entity_files.empty()) {
    if (std::optional<LoadResult> loaded = LoadRules(path, limits)) return *std::move(loaded);
  }
  return LoadFiles(path, entity_files, limits, /*lint=*/false);
}

PolicyTests LoadPolicyTests(const std::string& path, const std::vector<std::string>& more_files,
                            const LoadLimits& limits) {
  PolicyTests tests;
  tests.loaded = LoadFiles(path, more_files, limits, /*lint=*/false, &tests);
  return tests;
}

LoadResult LoadPolicy(std::vector<SourceFile> files, const LoadLimits& limits) {
  return Load(std::move(files), {}, limits, /*lint=*/false);
}

LoadResult LoadPolicyAndPrograms(std::vector<SourceFile> files, const LoadLimits& limits,
                                 absl::flat_hash_map<std::string, std::string>* programs) {
  return Load(std::move(files), {}, limits, /*lint=*/false, nullptr, programs);
}

LoadResult LintPolicy(const std::string& path, const std::vector<std::string>& entity_files,
                      const LoadLimits& limits) {
  return LoadFiles(path, entity_files, limits, /*lint=*/true);
}

LoadResult LintPolicy(std::vector<SourceFile> files, const LoadLimits& limits) {
  return Load(std::move(files), {}, limits, /*lint=*/true);
}

}  // namespace reeve
