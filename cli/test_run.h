// Runs the tests of a policy set, and counts what of the set they reach.
#ifndef REEVE_CLI_TEST_RUN_H_
#define REEVE_CLI_TEST_RUN_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/no_record.h"
#include "re2/re2.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/load_tests.h"
#include "reeve/policy/test_suite.h"

namespace reeve {

// What one rule has done, or one clause of it, in all requests.
struct ClauseCoverage {
  size_t CountOf(ClauseOutcome outcome) const { return counts[static_cast<size_t>(outcome)]; }

  std::array<size_t, 4> counts = {};  // By ClauseOutcome.
};
struct RuleCoverage {
  const Rule* rule;
  const PolicySource* source;
  const PolicySource::RulePlace* place;
  size_t determined = 0;  // Of a shadow rule: matched.
  std::vector<ClauseCoverage> clauses;
};

struct Coverage {
  // A number of things that are covered, of all there are.
  struct Part {
    size_t covered = 0;
    size_t all = 0;
    // Of nothing all is covered.
    double percent() const { return all == 0 ? 100 : 100.0 * covered / all; }
  };
  // Rules that determined a decision at least once.
  Part Rules() const;
  // Clauses that were true, and clauses that were false; each clause counts twice. That one was
  // unknown is counted for reports only: many cannot be.
  Part ClauseOutcomes() const;

  std::vector<RuleCoverage> rules;  // By file and place.
};

// One thing that came out otherwise.
struct TestDifference {
  std::string what;  // "decision"
  std::string expected;
  std::string actual;
};

// What became of one request.
struct TestResult {
  bool passed() const { return differences.empty(); }

  const TestRequest* request;
  std::vector<TestDifference> differences;
  // Of one that failed: where it is written what was expected, what the answer was, and for a
  // person how far the rules matched that matter, in lines.
  Position position = {};
  std::string answer = {};
  std::vector<std::string> explanation = {};
};

struct CaseResult {
  size_t failed() const;

  const TestSuite* suite;
  const TestCase* test_case;
  std::vector<TestResult> results;  // Of the requests that were asked.
};

// One thread at a time.
class TestRunner {
 public:
  // `tests` must have loaded, and outlive this. Coverage takes time for each rule and request.
  static absl::StatusOr<std::unique_ptr<TestRunner>> Create(const PolicyTests& tests,
                                                            bool with_coverage);

  // Asks the requests of a case whose name, as in NameOf(), `filter` matches; all if it is null.
  CaseResult Run(const TestSuite& suite, const TestCase& test_case, const RE2* filter);

  const Coverage& coverage() const { return coverage_; }

 private:
  TestRunner(const PolicyTests& tests, bool with_coverage);

  void Count(const Decision& decision, const Request& request);
  void Explain(const Decision& decision, const Request& request, const TestExpectation& expected,
               TestResult* result) const;
  // "documents/editors-edit at policy/documents.yaml:9:9".
  std::string PlaceOf(const Rule& rule) const;

  const bool with_coverage_;
  std::vector<Rule> rules_;
  NoRecord no_record_;  // So that rules may ask for one.
  std::unique_ptr<Engine> engine_;
  Coverage coverage_;
  std::unordered_map<std::string_view, size_t> by_id_;  // Into coverage_.rules.
};

// "ada doc.read q3", with the context behind it if there is one.
std::string NameOf(const TestSuite& suite, const TestCase& test_case, const TestRequest& request);
// "documents/editors edit: ada doc.read q3".
std::string FullNameOf(const TestSuite& suite, const TestCase& test_case,
                       const TestRequest& request);

}  // namespace reeve

#endif  // REEVE_CLI_TEST_RUN_H_
