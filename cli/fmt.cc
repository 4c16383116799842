// `reeve fmt`: files in their canonical layout.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "cli/command.h"
#include "reeve/cli/line_diff.h"
#include "reeve/cli/output.h"
#include "reeve/cli/replace_file.h"
#include "reeve/policy/format.h"
#include "reeve/policy/source_files.h"

namespace reeve {
namespace {

struct Options {
  std::vector<std::string> paths;
  bool check = false;
  bool diff = false;
  Format format = Format::kText;
};

constexpr char kStandardInput[] = "-";

// What became of a file.
enum class Outcome { kUnchanged, kChanged, kWouldChange, kInvalid, kFailed };

const char* ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kUnchanged:
      return "unchanged";
    case Outcome::kChanged:
      return "changed";
    case Outcome::kWouldChange:
      return "would_change";
    case Outcome::kInvalid:
      return "invalid";
    case Outcome::kFailed:
      return "failed";
  }
  return "";
}

class Formatter {
 public:
  explicit Formatter(const Options& options) : options_(options) {}

  int Run();

 private:
  void FormatOne(const SourceFile& file);
  Outcome Write(const SourceFile& file, const std::string& text);
  void Report(const std::vector<Issue>& issues);
  void Add(const std::string& file, Outcome outcome);
  bool IsText() const { return options_.format == Format::kText; }

  const Options& options_;
  ExitStatus status_ = kYes;
  nlohmann::ordered_json files_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json issues_ = nlohmann::ordered_json::array();
};

void Formatter::Report(const std::vector<Issue>& issues) {
  for (const Issue& issue : issues) {
    if (issue.severity != Issue::Severity::kError) continue;
    if (IsText()) {
      std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
    } else {
      issues_.push_back({{"file", issue.file},
                         {"line", issue.position.line},
                         {"column", issue.position.column},
                         {"message", issue.message}});
    }
  }
}

// The worst that became of a file is the status.
void Formatter::Add(const std::string& file, Outcome outcome) {
  files_.push_back({{"file", file}, {"outcome", ToString(outcome)}});
  const ExitStatus status = outcome == Outcome::kFailed        ? kFailure
                            : outcome == Outcome::kInvalid     ? kBadCall
                            : outcome == Outcome::kWouldChange ? kNo
                                                               : kYes;
  status_ = std::max(status_, status);
}

Outcome Formatter::Write(const SourceFile& file, const std::string& text) {
  const std::string error = ReplaceFile(file.name, file.text, text);
  if (error.empty()) {
    if (IsText()) std::printf("%s\n", file.name.c_str());
    return Outcome::kChanged;
  }
  Issue issue;
  issue.file = file.name;
  issue.message = error;
  Report({issue});
  return Outcome::kFailed;
}

void Formatter::FormatOne(const SourceFile& file) {
  const FormatResult result = FormatFile(file);
  if (!result.text.has_value()) {
    Report(result.issues);
    return Add(file.name, Outcome::kInvalid);
  }
  const bool same = *result.text == file.text;
  if (options_.diff && !same && IsText()) {
    std::fputs(UnifiedDiff(file.name, file.text, *result.text).c_str(), stdout);
  }
  if (options_.check || options_.diff) {
    if (options_.check && !options_.diff && !same && IsText()) {
      std::printf("%s\n", file.name.c_str());
    }
    return Add(file.name, same ? Outcome::kUnchanged : Outcome::kWouldChange);
  }
  if (file.name == kStandardInput) {
    if (IsText()) std::fwrite(result.text->data(), 1, result.text->size(), stdout);
    return Add(file.name, same ? Outcome::kUnchanged : Outcome::kChanged);
  }
  Add(file.name, same ? Outcome::kUnchanged : Write(file, *result.text));
}

int Formatter::Run() {
  const LoadLimits limits;
  for (const std::string& path : options_.paths) {
    std::vector<SourceFile> files;
    std::vector<Issue> issues;
    if (path == kStandardInput) {
      std::string text;
      char buffer[65536];
      size_t got;
      while (text.size() <= limits.max_file_bytes &&
             (got = std::fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        text.append(buffer, got);
      }
      if (std::ferror(stdin) != 0) {
        std::fputs("-: cannot be read\n", stderr);
        Add(path, Outcome::kFailed);
        continue;
      }
      files.push_back({path, std::move(text)});
    } else {
      ReadSourceFiles(path, limits, &files, &issues);
      if (files.empty() && issues.empty()) {
        issues.push_back({Issue::Severity::kError, path, {}, "holds no `*.yaml` file"});
      }
    }
    Report(issues);
    for (const Issue& issue : issues) {
      if (issue.severity == Issue::Severity::kError) Add(issue.file, Outcome::kInvalid);
    }
    for (const SourceFile& file : files) FormatOne(file);
  }
  if (!IsText()) {
    std::puts(JsonText(nlohmann::ordered_json(
                           {{"files", std::move(files_)}, {"issues", std::move(issues_)}}))
                  .c_str());
  }
  return status_;
}

}  // namespace

void AddFmt(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "fmt",
      "Lay policy files out in the one canonical way, and print the names of those that changed.\n"
      "Comments are kept, and no file changes what it means. Files with errors are left alone.\n"
      "Exit status: 0 done, 1 with --check or --diff: a file would change, 2 a file has errors,\n"
      "3 a file cannot be written.");
  auto options = std::make_shared<Options>();
  command
      ->add_option("FILE", options->paths,
                   "files, directories of them, or `-` for standard input to standard output")
      ->required();
  command->add_flag("--check", options->check, "write nothing; print which files would change");
  command->add_flag("--diff", options->diff, "write nothing; print what would change");
  AddFormat(command, &options->format);
  command->footer(
      "A file is replaced at once, by a new one of the same mode and owner; a symbolic link "
      "stays,\n"
      "and the file that it leads to is replaced.\n\n"
      "In JSON `files` has each `file` with its `outcome` (unchanged, changed, would_change, "
      "invalid,\n"
      "failed), and `issues` what is wrong.\n\n"
      "Examples:\n"
      "  reeve fmt policy/\n"
      "  reeve fmt --check policy/ || echo 'run reeve fmt policy/'\n"
      "  reeve fmt - < draft.yaml");
  command->callback([options, status] { *status = Formatter(*options).Run(); });
}

}  // namespace reeve
