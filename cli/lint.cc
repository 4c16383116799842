// `reeve lint`: every problem of a policy set.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "reeve/cli/output.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

struct Options {
  std::string policy;
  std::vector<std::string> entities;
  bool strict = false;
  Format format = Format::kText;
};

void PrintJson(const LoadResult& loaded) {
  nlohmann::ordered_json issues = nlohmann::ordered_json::array();
  for (const Issue& issue : loaded.issues) {
    issues.push_back({{"file", issue.file},
                      {"line", issue.position.line},
                      {"column", issue.position.column},
                      {"width", issue.width},
                      {"severity", issue.severity == Issue::Severity::kError ? "error" : "warning"},
                      {"message", issue.message},
                      {"source", issue.line}});
  }
  nlohmann::ordered_json json = {{"ok", loaded.ok()}, {"issues", std::move(issues)}};
  if (loaded.ok()) {
    json["rules"] = loaded.snapshot->rules().size();
    json["entities"] = loaded.snapshot->entity_count();
    json["policy"] = std::string(loaded.snapshot->digest());
  }
  std::puts(JsonText(json).c_str());
}

void PrintText(const LoadResult& loaded, size_t warnings) {
  for (const Issue& issue : loaded.issues)
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  if (!loaded.ok()) {
    const size_t errors = loaded.issues.size() - warnings;
    std::fprintf(stderr, "%zu %s; nothing is loaded\n", errors, errors == 1 ? "error" : "errors");
    return;
  }
  std::printf("%zu rules, %zu entities, %zu warnings\n%s\n", loaded.snapshot->rules().size(),
              loaded.snapshot->entity_count(), warnings,
              std::string(loaded.snapshot->digest()).c_str());
}

int Lint(const Options& options) {
  const LoadResult loaded = LoadPolicy(options.policy, options.entities);
  const size_t warnings =
      std::count_if(loaded.issues.begin(), loaded.issues.end(),
                    [](const Issue& issue) { return issue.severity == Issue::Severity::kWarning; });
  if (options.format == Format::kJson) {
    PrintJson(loaded);
  } else {
    PrintText(loaded, warnings);
  }
  if (!loaded.ok()) return kBadCall;
  return options.strict && warnings > 0 ? kNo : kYes;
}

}  // namespace

void AddLint(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "lint",
      "Report every problem of a policy set, as FILE:LINE:COLUMN: MESSAGE.\n"
      "Exit status: 0 it loads, 1 it has warnings and --strict was given, 2 it does not load.");
  auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them")
      ->required();
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with it; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  command->add_flag("--strict", options->strict, "exit with status 1 if there are warnings");
  AddFormat(command, &options->format);
  command->footer(
      "In JSON an issue has `file`, `line`, `column`, `width` (the columns that it is about),\n"
      "`severity`, `message` and `source` (the line; empty if there is none to show).\n\n"
      "Examples:\n"
      "  reeve lint policy/\n"
      "  reeve lint --strict --format json policy/ | jq '.issues[].message'");
  command->callback([options, status] { *status = Lint(*options); });
}

}  // namespace reeve
