// `reeve eval --jsonl` against the suites of conditions in $REEVE_SHARED/conformance: those of CEL
// itself, and the rules and requests of other engines with their conditions translated. Their own
// judge says what passes; here stands how much has to.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;
using end_to_end::Ended;
using nlohmann::json;

constexpr char kPython[] = "/usr/bin/python3";

struct Suite {
  const char* name;
  std::vector<std::string> mode;  // What the judge is told before the file.
  const char* file;
  std::vector<std::string> options;
  const char* totals;                 // As JSON.
  std::vector<std::string> failures;  // Sorted.
};

std::ostream& operator<<(std::ostream& os, const Suite& suite) { return os << suite.name; }

class CelSuiteTest : public testing::TestWithParam<Suite> {};

TEST_P(CelSuiteTest, PassesWhatItPassed) {
  const Suite& suite = GetParam();
  const char* const shared = std::getenv("REEVE_SHARED");
  const fs::path root = fs::path(shared == nullptr ? "" : shared) / "conformance";
  const fs::path judge = root / "tools/judge.py";
  const fs::path file = root / suite.file;
  if (shared == nullptr || !fs::exists(judge) || !fs::exists(file) || access(kPython, X_OK) != 0) {
    std::cout << suite.file << " is not tried: no such file in $REEVE_SHARED, or no Python\n";
    GTEST_SKIP() << suite.file << " is not tried: no such file in $REEVE_SHARED, or no Python";
  }
  const end_to_end::WorkDirectory directory;
  const std::string verdict = directory / "verdict.json";
  std::vector<std::string> arguments = {kPython, judge.string()};
  arguments.insert(arguments.end(), suite.mode.begin(), suite.mode.end());
  arguments.push_back(file.string());
  arguments.insert(arguments.end(), suite.options.begin(), suite.options.end());
  arguments.insert(arguments.end(), {"--json", verdict, "--", "cli/reeve", "eval", "--jsonl"});
  const Ended ended = end_to_end::RunProgram(arguments);
  EXPECT_EQ(ended.status, suite.failures.empty() ? 0 : 1) << ended.out << ended.err;

  std::ifstream in(verdict);
  const json result = json::parse(in, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(result.is_object()) << ended.out << ended.err;
  EXPECT_EQ(result["totals"], json::parse(suite.totals)) << ended.out;
  std::vector<std::string> failures;
  for (const json& failure : result["failures"]) failures.push_back(failure[1]);
  std::sort(failures.begin(), failures.end());
  EXPECT_EQ(failures, suite.failures) << ended.out;
}

const Suite kSuites[] = {
    {"Standard",
     {"cel"},
     "cel/open.jsonl",
     {"--skip", "skipped_by_cel_go,skipped_by_cel_cpp"},
     R"({"pass": 639, "skipped": 13})",
     {}},
    // Functions that there are not do not load, even where another operand would decide.
    {"StandardWithWhatOthersSkip",
     {"cel"},
     "cel/open.jsonl",
     {},
     R"({"pass": 647, "fail": 5})",
     {"parse/receiver_function_names/break", "parse/receiver_function_names/else",
      "parse/receiver_function_names/package", "parse/receiver_function_names/return",
      "parse/receiver_function_names/while"}},
    {"Extensions", {"cel"}, "cel/ext_open.jsonl", {}, R"({"pass": 405})", {}},
    {"Types", {"cel"}, "cel/typecheck.jsonl", {}, R"({"pass": 26})", {}},
    {"Parser",
     {"parse"},
     "cel/parse_open.jsonl",
     {"--skip", "implementation_specific,optional_syntax,escaped_identifier,limit"},
     R"({"pass": 80, "skipped": 14})",
     {}},
    // One is of a parser without optionals.
    {"ParserWithOurWays",
     {"parse"},
     "cel/parse_open.jsonl",
     {},
     R"({"pass": 93, "fail": 1})",
     {"cel-go/parser/160"}},
    {"Cedar",
     {"rules", "cedar"},
     "cedar/open.jsonl",
     {"--fail-closed"},
     R"({"pass": 2810, "not_translated": 110})",
     {}},
    {"Casbin",
     {"rules", "casbin"},
     "casbin/cases.jsonl",
     {"--fail-closed"},
     R"({"pass": 48, "not_translated": 19})",
     {}},
    {"Cerbos",
     {"rules", "cerbos"},
     "cerbos/tutorial.jsonl",
     {"--fail-closed"},
     R"({"pass": 188})",
     {}},
};

INSTANTIATE_TEST_SUITE_P(All, CelSuiteTest, testing::ValuesIn(kSuites),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
