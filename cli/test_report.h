// What `reeve test` says of a run, for each of those who read it.
#ifndef REEVE_CLI_TEST_REPORT_H_
#define REEVE_CLI_TEST_REPORT_H_

#include <string>
#include <vector>

#include "cli/test_run.h"

namespace reeve {

// A whole run. Points to what the runner and the tests hold.
struct TestRun {
  size_t passed() const;
  size_t failed() const;

  std::vector<CaseResult> cases;       // Those of which a request was asked.
  const Coverage* coverage = nullptr;  // Null if it was not asked for.
};

// Lines about one case: one if it passed, and for each request that failed what, where and why.
// With `verbose`, a line for each request.
std::string CaseText(const CaseResult& result, bool verbose, bool colour);
// What of the policy no test reached, and how much that is; with `verbose` all rules and clauses.
std::string CoverageText(const Coverage& coverage, bool verbose);
// The last line: "3 cases, 12 requests: 11 passed, 1 failed".
std::string SummaryText(const TestRun& run);

// For a person, without colours.
std::string TextReport(const TestRun& run);
// For a program: doc/testing.md has its members.
std::string JsonReport(const TestRun& run);
// For Jenkins, GitLab and their like: a `testcase` for each request.
std::string JunitReport(const TestRun& run);
// One page without anything else to load: failures, and the policy files with what the tests
// reached of them. `sources` are those of the tests.
std::string HtmlReport(const TestRun& run, const std::vector<PolicySource>& sources);

}  // namespace reeve

#endif  // REEVE_CLI_TEST_REPORT_H_
