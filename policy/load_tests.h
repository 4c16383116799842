// Loads a policy set with its tests.
#ifndef REEVE_POLICY_LOAD_TESTS_H_
#define REEVE_POLICY_LOAD_TESTS_H_

#include <string>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"
#include "reeve/policy/test_suite.h"

namespace reeve {

// A file of rules as its author sees it, for reports.
struct PolicySource {
  struct RulePlace {
    std::string id;  // `documents/editors-edit`
    Position position;
    std::vector<Position> when;  // Of each clause.
  };

  std::string file;
  std::string text;
  std::vector<RulePlace> rules;  // In the order of the file.
};

struct PolicyTests {
  LoadResult loaded;
  std::vector<TestSuite> suites;      // By file; none unless it loaded.
  std::vector<PolicySource> sources;  // Likewise.
};

// LoadPolicy(), and keeps the tests, which it only checks. `more_files` are loaded with the set, as
// if they lay in it.
PolicyTests LoadPolicyTests(const std::string& path,
                            const std::vector<std::string>& more_files = {},
                            const LoadLimits& limits = {});

}  // namespace reeve

#endif  // REEVE_POLICY_LOAD_TESTS_H_
