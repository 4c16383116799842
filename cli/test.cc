// `reeve test`: runs the tests of a policy set.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/test_report.h"
#include "cli/test_run.h"
#include "re2/re2.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/policy/load_tests.h"

namespace reeve {
namespace {

struct Options {
  std::string policy;
  std::vector<std::string> more;
  std::string filter;
  bool coverage = false;
  double least_rules = 0;
  double least_clauses = 0;
  std::vector<std::string> reports;
  std::string junit;
  bool verbose = false;
  Format format = Format::kText;
};

// "" or what is wrong with a number of percent.
std::string ReadPercent(const std::string& text, double* percent) {
  if (absl::SimpleAtod(text, percent) && *percent >= 0 && *percent <= 100) return {};
  return absl::StrCat("`", Printable(text),
                      "` is not a percentage from 0 to 100; name the policy "
                      "before the option");
}

bool WriteReport(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file.good()) return true;
  std::fprintf(stderr, "%s: cannot be written: %s\n", Printable(path).c_str(),
               std::strerror(errno));
  return false;
}

enum class ReportKind { kText, kJson, kHtml };

std::optional<ReportKind> KindOf(const std::string& path) {
  if (absl::EndsWith(path, ".txt")) return ReportKind::kText;
  if (absl::EndsWith(path, ".json")) return ReportKind::kJson;
  if (absl::EndsWith(path, ".html")) return ReportKind::kHtml;
  return std::nullopt;
}

bool WriteReports(const Options& options, const TestRun& run,
                  const std::vector<PolicySource>& sources) {
  bool written = true;
  for (const std::string& path : options.reports) {
    const ReportKind kind = *KindOf(path);
    written &= WriteReport(path, kind == ReportKind::kText   ? TextReport(run)
                                 : kind == ReportKind::kJson ? JsonReport(run)
                                                             : HtmlReport(run, sources));
  }
  if (!options.junit.empty()) written &= WriteReport(options.junit, JunitReport(run));
  return written;
}

// Says on standard error which of the thresholds is missed.
bool ReachesThresholds(const Options& options, const Coverage& coverage) {
  bool reached = true;
  const auto check = [&reached](const char* what, const Coverage::Part& part, double least) {
    if (part.percent() >= least) return;
    std::fprintf(stderr, "coverage of %s is %.1f %%, and is to be at least %g %%\n", what,
                 part.percent(), least);
    reached = false;
  };
  check("rules", coverage.Rules(), options.least_rules);
  check("outcomes of clauses", coverage.ClauseOutcomes(), options.least_clauses);
  return reached;
}

int Test(const Options& options) {
  for (const std::string& path : options.reports) {
    if (KindOf(path).has_value()) continue;
    std::fprintf(stderr, "--report %s: the name of a report ends in `.html`, `.txt` or `.json`\n",
                 Printable(path).c_str());
    return kBadCall;
  }
  std::unique_ptr<RE2> filter;
  if (!options.filter.empty()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    filter = std::make_unique<RE2>(options.filter, quiet);
    if (!filter->ok()) {
      std::fprintf(stderr, "--filter `%s`: %s\n", Printable(options.filter).c_str(),
                   Printable(filter->error()).c_str());
      return kBadCall;
    }
  }
  const PolicyTests tests = LoadPolicyTests(options.policy, options.more);
  for (const Issue& issue : tests.loaded.issues) {
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  }
  if (!tests.loaded.ok()) return kBadCall;
  if (tests.suites.empty()) {
    std::fprintf(stderr,
                 "%s: holds no tests; write a file that begins with `reeve: 1` and `tests: NAME`, "
                 "and has `cases`\n",
                 Printable(options.policy).c_str());
    return kBadCall;
  }
  const bool with_coverage = options.coverage || !options.reports.empty();
  const absl::StatusOr<std::unique_ptr<TestRunner>> runner =
      TestRunner::Create(tests, with_coverage);
  if (!runner.ok()) return kFailure;
  TestRun run;
  for (const TestSuite& suite : tests.suites) {
    for (const TestCase& test_case : suite.cases) {
      CaseResult result = (*runner)->Run(suite, test_case, filter.get());
      if (result.results.empty()) continue;
      if (options.format == Format::kText) {
        std::fputs(CaseText(result, options.verbose, IsTerminal()).c_str(), stdout);
        if (IsTerminal() && !FlushOutput()) return kFailure;
      }
      run.cases.push_back(std::move(result));
    }
  }
  if (run.cases.empty()) {
    std::fprintf(stderr, "--filter `%s`: matches no request; `--verbose` shows their names\n",
                 Printable(options.filter).c_str());
    return kBadCall;
  }
  if (with_coverage) run.coverage = &(*runner)->coverage();
  if (options.format == Format::kJson) {
    std::fputs(JsonReport(run).c_str(), stdout);
  } else {
    if (options.coverage) {
      std::fputs(CoverageText(*run.coverage, options.verbose).c_str(), stdout);
    }
    std::fputs(SummaryText(run).c_str(), stdout);
  }
  if (!WriteReports(options, run, tests.sources)) return kFailure;
  std::fflush(stdout);  // what follows is about it
  const bool reached = !options.coverage || ReachesThresholds(options, *run.coverage);
  return run.failed() == 0 && reached ? kYes : kNo;
}

}  // namespace

void AddTest(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "test",
      "Run the tests of a policy set: the files in it that begin with `tests:`.\n"
      "Exit status: 0 all passed, 1 one failed or too little is covered, 2 the policy does not "
      "load "
      "or has no\ntests, 3 a report could not be written.");
  auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them")
      ->required();
  command
      ->add_option("--tests,--entities", options->more,
                   "a file, or a directory, to load with it; may be repeated")
      ->allow_extra_args(false)
      ->option_text("PATH");
  command
      ->add_option("--filter", options->filter,
                   "ask only requests with a match of this in `SUITE/CASE: PRINCIPAL ACTION "
                   "RESOURCE CONTEXT`")
      ->option_text("RE");
  command
      ->add_option_function<std::vector<std::string>>(
          "--coverage",
          [options](const std::vector<std::string>& values) {
            options->coverage = true;
            if (values.empty() || values[0].empty()) return;
            const std::string wrong = ReadPercent(values[0], &options->least_rules);
            if (!wrong.empty()) throw CLI::ValidationError("--coverage", wrong);
          },
          "say what no test reached; fail if less than MIN percent of the rules determine a "
          "decision")
      ->expected(0, 1)
      ->option_text("[MIN]");
  command
      ->add_option_function<std::string>(
          "--clause-coverage",
          [options](const std::string& value) {
            options->coverage = true;
            const std::string wrong = ReadPercent(value, &options->least_clauses);
            if (!wrong.empty()) throw CLI::ValidationError("--clause-coverage", wrong);
          },
          "likewise, and fail if less than MIN percent of `each clause was true` and `each clause "
          "was false` hold")
      ->option_text("MIN");
  command
      ->add_option("--report", options->reports,
                   "write results and coverage to a file that ends in .html, .txt or .json; may be "
                   "repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  command->add_option("--junit", options->junit, "write results as JUnit XML")->option_text("FILE");
  command->add_flag("--verbose", options->verbose, "show each request, rule and clause");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve test policy/\n"
      "  reeve test policy/ --filter 'editors.*doc.write'\n"
      "  reeve test policy/ --coverage 100 --report coverage.html --junit results.xml");
  command->callback([options, status] { *status = Test(*options); });
}

}  // namespace reeve
