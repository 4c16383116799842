// `reeve lint`: every problem of a policy set.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/trust.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/policy/load.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/warning.h"

namespace reeve {
namespace {

struct Options {
  std::string policy;
  std::vector<std::string> entities;
  Trust trust;
  std::vector<std::string> deny;
  bool strict = false;
  bool list = false;
  Format format = Format::kText;
};

// What counts as "no": all warnings, or those that are named.
struct Denied {
  bool all = false;
  std::set<Warning> named;

  bool Holds(const Issue& issue) const {
    return (all && issue.severity == Issue::Severity::kWarning) || named.count(issue.warning) > 0;
  }
};

const char* ToString(Issue::Severity severity) {
  switch (severity) {
    case Issue::Severity::kError:
      return "error";
    case Issue::Severity::kWarning:
      return "warning";
    case Issue::Severity::kNote:
      return "note";
  }
  return "";
}

void PrintJson(const LoadResult& loaded, const Denied& denied) {
  nlohmann::ordered_json issues = nlohmann::ordered_json::array();
  for (const Issue& issue : loaded.issues) {
    issues.push_back({{"file", issue.file},
                      {"line", issue.position.line},
                      {"column", issue.position.column},
                      {"width", issue.width},
                      {"severity", ToString(issue.severity)},
                      {"name", std::string(NameOf(issue.warning))},
                      {"denied", denied.Holds(issue)},
                      {"message", issue.message},
                      {"source", issue.line}});
  }
  nlohmann::ordered_json json = {{"ok", loaded.ok()}, {"issues", std::move(issues)}};
  if (loaded.ok()) {
    json["rules"] = loaded.snapshot->rule_count();
    json["entities"] = loaded.snapshot->entity_count();
    json["policy"] = std::string(loaded.snapshot->digest());
  }
  std::puts(JsonText(json).c_str());
}

std::string Count(size_t count, const char* what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

void PrintText(const LoadResult& loaded, size_t denied) {
  for (const Issue& issue : loaded.issues)
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  const auto count = [&loaded](Issue::Severity severity) {
    return static_cast<size_t>(
        std::count_if(loaded.issues.begin(), loaded.issues.end(),
                      [=](const Issue& issue) { return issue.severity == severity; }));
  };
  if (!loaded.ok()) {
    std::fprintf(stderr, "%s; nothing is loaded\n",
                 Count(count(Issue::Severity::kError), "error").c_str());
    return;
  }
  const size_t notes = count(Issue::Severity::kNote);
  std::printf("%s, %zu entities, %s%s%s\n%s\n",
              Count(loaded.snapshot->rule_count(), "rule").c_str(), loaded.snapshot->entity_count(),
              Count(count(Issue::Severity::kWarning), "warning").c_str(),
              notes == 0 ? "" : absl::StrCat(", ", Count(notes, "note")).c_str(),
              denied == 0 ? "" : absl::StrCat("; ", denied, " denied").c_str(),
              std::string(loaded.snapshot->digest()).c_str());
}

void PrintList(Format format) {
  if (format == Format::kJson) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const WarningInfo& info : AllWarnings()) {
      list.push_back({{"name", std::string(info.name)}, {"summary", std::string(info.summary)}});
    }
    std::puts(JsonText(list).c_str());
    return;
  }
  for (const WarningInfo& info : AllWarnings()) {
    std::printf("%-20s %s\n", std::string(info.name).c_str(), std::string(info.summary).c_str());
  }
}

// Says what is wrong with the names, if they are no names of warnings.
bool ReadDenied(const Options& options, Denied* denied) {
  denied->all = options.strict;
  bool ok = true;
  for (const std::string& name : options.deny) {
    if (name == "all") {
      denied->all = true;
    } else if (const std::optional<Warning> warning = WarningNamed(name)) {
      denied->named.insert(*warning);
    } else {
      std::vector<std::string_view> known = {"all"};
      for (const WarningInfo& info : AllWarnings()) known.push_back(info.name);
      std::fprintf(stderr, "reeve lint: `%s` is not a warning%s; `reeve lint --list` names them\n",
                   Printable(name).c_str(), DidYouMean(name, known).c_str());
      ok = false;
    }
  }
  return ok;
}

int Lint(Options& options) {
  if (options.list) {
    PrintList(options.format);
    return kYes;
  }
  Denied denied;
  if (!ReadDenied(options, &denied)) return kBadCall;
  if (options.policy.empty()) {
    std::fputs("reeve lint: name a policy file or a directory\n", stderr);
    return kBadCall;
  }
  if (!options.trust.Read()) return kBadCall;
  const LoadResult loaded = LintPolicy(options.policy, options.entities, options.trust.limits());
  const auto count = static_cast<size_t>(
      std::count_if(loaded.issues.begin(), loaded.issues.end(),
                    [&denied](const Issue& issue) { return denied.Holds(issue); }));
  if (options.format == Format::kJson) {
    PrintJson(loaded, denied);
  } else {
    PrintText(loaded, count);
  }
  if (!loaded.ok()) return kBadCall;
  return count > 0 ? kNo : kYes;
}

}  // namespace

void AddLint(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "lint",
      "Report every problem of a policy set, as FILE:LINE:COLUMN: MESSAGE, and warn of rules that\n"
      "are risky or without effect. doc/lint.md explains the warnings, and how to accept one.\n"
      "Exit status: 0 it loads, 1 it has warnings that --deny or --strict names, 2 it does not "
      "load.");
  auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them");
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with it; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  options->trust.AddOption(command);
  command
      ->add_option("--deny", options->deny,
                   "end with status 1 if there is this warning; `all` means every one but notes;\n"
                   "may be repeated")
      ->allow_extra_args(false)
      ->option_text("NAME|all");
  command->add_flag("--strict", options->strict, "the same as --deny all");
  command->add_flag("--list", options->list, "print the names of all warnings, and what they mean");
  AddFormat(command, &options->format);
  command->footer(
      "A file accepts warnings by `accept: [NAME, ...]`, beside `rules` or in a rule.\n\n"
      "In JSON an issue has `file`, `line`, `column`, `width` (the columns that it is about),\n"
      "`severity` (error, warning or note), `name` (of the warning; empty if it is an error),\n"
      "`denied`, `message` and `source` (the line; empty if there is none to show).\n\n"
      "Examples:\n"
      "  reeve lint policy/\n"
      "  reeve lint --deny open-allow --deny covered-by-deny policy/\n"
      "  reeve lint --strict --format json policy/ | jq '.issues[].message'");
  command->callback([options, status] { *status = Lint(*options); });
}

}  // namespace reeve
