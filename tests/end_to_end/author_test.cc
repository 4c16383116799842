// What an author of policies calls: `reeve lint`, `reeve fmt`, `reeve schema`.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/end_to_end/process.h"
#include "tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;

constexpr char kOpen[] = R"(reeve: 1
policy: p

roles:
  m: [user:a]

rules:
  - id: all
    effect: allow
    principals: [anyone]
    actions: [any]
    resources: [any]

  - id: trial
    effect: deny
    principals: [user:b]
    actions: [any]
    resources: [any]
    shadow: true
)";

constexpr char kUntidy[] =
    "reeve: 1\npolicy: p\nrules:\n- {id: r, effect: deny, principals: [user:a], actions: ['x'], "
    "resources: [any]} # r\n";
constexpr char kTidy[] = R"(reeve: 1
policy: p

rules:
  # r
  - id: r
    effect: deny
    principals: [user:a]
    actions: [x]
    resources: [any]
)";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class AuthorTest : public testing::Test {
 protected:
  Ended Reeve(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments, input);
  }

  std::vector<std::string> FilesIn(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const end_to_end::WorkDirectory directory_;
};

// --- lint ---

TEST_F(AuthorTest, LintShowsNamesPlacesAndLines) {
  const std::string file = directory_.Write("p.yaml", kOpen);
  const Ended ended = Reeve({"lint", file});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, file +
                           ":5:3: warning: role `m` is not used by any rule [unused-role]\n"
                           "    m: [user:a]\n"
                           "    ^\n" +
                           file +
                           ":8:9: warning: rule `p/all` allows anyone, also who could not be "
                           "identified, every action on every resource; name the principals, or "
                           "write `authenticated` [open-allow]\n"
                           "    - id: all\n"
                           "          ^\n" +
                           file +
                           ":14:9: note: rule `p/trial` is on trial and decides nothing; remove "
                           "`shadow` when it is to count [shadow-rule]\n"
                           "    - id: trial\n"
                           "          ^\n");
  EXPECT_EQ(ended.out.substr(0, ended.out.find('\n')), "2 rules, 0 entities, 2 warnings, 1 note");
}

TEST_F(AuthorTest, LintDeniesWhatItIsTold) {
  const std::string file = directory_.Write("p.yaml", kOpen);
  const struct {
    std::vector<std::string> options;
    int status;
    const char* denied;  // at the end of the first line
  } cases[] = {
      {{"--strict"}, 1, "; 2 denied"},
      {{"--deny", "all"}, 1, "; 2 denied"},
      {{"--deny", "open-allow"}, 1, "; 1 denied"},
      {{"--deny", "shadow-rule"}, 1, "; 1 denied"},
      {{"--deny", "all", "--deny", "shadow-rule"}, 1, "; 3 denied"},
      {{"--deny", "wide-glob", "--deny", "narrow-glob"}, 0, ""},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments = {"lint", file};
    arguments.insert(arguments.end(), c.options.begin(), c.options.end());
    const Ended ended = Reeve(arguments);
    EXPECT_EQ(ended.status, c.status) << c.options.back();
    EXPECT_EQ(ended.out.substr(0, ended.out.find('\n')),
              std::string("2 rules, 0 entities, 2 warnings, 1 note") + c.denied);
  }
  const Ended typo = Reeve({"lint", "--deny", "open-alow", file});
  EXPECT_EQ(typo.status, 2);
  EXPECT_EQ(typo.err,
            "reeve lint: `open-alow` is not a warning; did you mean `open-allow`?; `reeve lint "
            "--list` names them\n");
}

TEST_F(AuthorTest, LintAsJson) {
  const std::string file = directory_.Write("p.yaml", kOpen);
  const Ended ended = Reeve({"lint", "--format", "json", "--deny", "open-allow", file});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, "");
  const json out = json::parse(ended.out);
  EXPECT_EQ(out["ok"], true);
  ASSERT_EQ(out["issues"].size(), 3u);
  EXPECT_EQ(out["issues"][1],
            json({{"file", file},
                  {"line", 8},
                  {"column", 9},
                  {"width", 1},
                  {"severity", "warning"},
                  {"name", "open-allow"},
                  {"denied", true},
                  {"message",
                   "rule `p/all` allows anyone, also who could not be identified, every action on "
                   "every resource; name the principals, or write `authenticated`"},
                  {"source", "  - id: all"}}));
  EXPECT_EQ(out["issues"][2]["severity"], "note");
  EXPECT_EQ(out["issues"][2]["denied"], false);
}

TEST_F(AuthorTest, LintListsAllNames) {
  const Ended text = Reeve({"lint", "--list"});
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.out.find("\nopen-allow           a rule allows anyone"), std::string::npos);
  const json list = json::parse(Reeve({"lint", "--list", "--format", "json"}).out);
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), list.size());
  const Ended nothing = Reeve({"lint"});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_EQ(nothing.err, "reeve lint: name a policy file or a directory\n");
}

// A server gets what one file shows, and lint the rest.
TEST_F(AuthorTest, OnlyLintLooksAtRulesTogether) {
  const std::string file = directory_.Write("p.yaml", kOpen);
  const std::string request = R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "x"},)"
                              R"( "resource": {"type": "d", "id": "e"}})";
  const Ended ended = Reeve({"check", file}, request);
  EXPECT_NE(ended.err.find("unused-role"), std::string::npos) << ended.err;
  EXPECT_EQ(ended.err.find("open-allow"), std::string::npos) << ended.err;
}

// --- fmt ---

TEST_F(AuthorTest, FmtReplacesFiles) {
  const std::string folder = directory_ / "policy";
  const std::string untidy = directory_.Write("policy/a.yaml", kUntidy);
  directory_.Write("policy/b.yaml", std::string(kTidy).replace(17, 1, "q"));
  ASSERT_EQ(chmod(untidy.c_str(), 0640), 0);
  const Ended ended = Reeve({"fmt", folder});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, untidy + "\n");
  EXPECT_EQ(ReadFile(untidy), kTidy);
  struct stat status;
  ASSERT_EQ(stat(untidy.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(FilesIn(folder), (std::vector<std::string>{"a.yaml", "b.yaml"}));
  const Ended again = Reeve({"fmt", folder});
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.out + again.err, "");
}

TEST_F(AuthorTest, FmtChecksWithoutWriting) {
  const std::string file = directory_.Write("p.yaml", kUntidy);
  const Ended check = Reeve({"fmt", "--check", file});
  EXPECT_EQ(check.status, 1);
  EXPECT_EQ(check.out, file + "\n");
  const Ended diff = Reeve({"fmt", "--diff", file});
  EXPECT_EQ(diff.status, 1);
  EXPECT_EQ(diff.out, "--- " + file + "\n+++ " + file +
                          "\n@@ -1,4 +1,10 @@\n reeve: 1\n policy: p\n+\n rules:\n"
                          "-- {id: r, effect: deny, principals: [user:a], actions: ['x'], "
                          "resources: [any]} # r\n"
                          "+  # r\n+  - id: r\n+    effect: deny\n+    principals: [user:a]\n"
                          "+    actions: [x]\n+    resources: [any]\n");
  EXPECT_EQ(ReadFile(file), kUntidy);
  const json out = json::parse(Reeve({"fmt", "--check", "--format", "json", file}).out);
  EXPECT_EQ(out, json({{"files", {{{"file", file}, {"outcome", "would_change"}}}},
                       {"issues", json::array()}}));
  const std::string tidy = directory_.Write("tidy.yaml", kTidy);
  EXPECT_EQ(Reeve({"fmt", "--check", tidy}).status, 0);
  EXPECT_EQ(Reeve({"fmt", "--diff", tidy}).out, "");
}

TEST_F(AuthorTest, FmtOfStandardInput) {
  const Ended ended = Reeve({"fmt", "-"}, kUntidy);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, kTidy);
  EXPECT_EQ(Reeve({"fmt", "--check", "-"}, kUntidy).status, 1);
}

TEST_F(AuthorTest, FmtLeavesWhatIsWrongAloneAndDoesTheRest) {
  const std::string bad = directory_.Write("a.yaml", "reeve: 1\npolicy: p\nrulez: []\n");
  const std::string good = directory_.Write("b.yaml", kUntidy);
  const Ended ended = Reeve({"fmt", bad, good});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.err, bad +
                           ":3:1: unknown key `rulez` in the policy; did you mean `rules`?\n"
                           "  rulez: []\n"
                           "  ^\n");
  EXPECT_EQ(ended.out, good + "\n");
  EXPECT_EQ(ReadFile(bad), "reeve: 1\npolicy: p\nrulez: []\n");
  EXPECT_EQ(ReadFile(good), kTidy);
  EXPECT_EQ(Reeve({"fmt", directory_ / "nowhere"}).status, 2);
  EXPECT_EQ(Reeve({"fmt"}).status, 2);
}

TEST_F(AuthorTest, FmtKeepsSymbolicLinks) {
  const std::string file = directory_.Write("real/p.yaml", kUntidy);
  const std::string link = directory_ / "link.yaml";
  ASSERT_EQ(symlink("real/p.yaml", link.c_str()), 0);
  EXPECT_EQ(Reeve({"fmt", link}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadFile(file), kTidy);
}

// Where a file may have few bytes: as on a disk that is full.
TEST_F(AuthorTest, FmtChangesNothingIfItCannotWriteAll) {
  const std::string file = directory_.Write("full/p.yaml", kUntidy);
  end_to_end::Process fmt({"cli/reeve", "fmt", file}, "", [] {
    const rlimit few = {100, 100};
    return std::signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &few) == 0;
  });
  EXPECT_EQ(fmt.ReadAll(), std::vector<std::string>{file + ": cannot be written: File too large"});
  EXPECT_EQ(fmt.Wait(), 3);
  EXPECT_EQ(ReadFile(file), kUntidy);
  EXPECT_EQ(FilesIn(directory_ / "full"), std::vector<std::string>{"p.yaml"});
}

// --- schema ---

TEST_F(AuthorTest, SchemaIsPrinted) {
  const Ended all = Reeve({"schema"});
  EXPECT_EQ(all.status, 0);
  EXPECT_EQ(all.out, ReadFile("doc/schema/reeve-1.schema.json"));
  const Ended one = Reeve({"schema", "policy"});
  EXPECT_EQ(one.status, 0);
  EXPECT_FALSE(json::parse(one.out)["$defs"].contains("entities"));
  const Ended typo = Reeve({"schema", "polcy"});
  EXPECT_EQ(typo.status, 2);
  EXPECT_EQ(typo.err, "reeve schema: `polcy` is not a kind of files; did you mean `policy`?\n");
  EXPECT_EQ(typo.out, "");
}

// By a validator that others have written, if this machine has one: the schema is one of JSON
// Schema 2020-12, it takes the examples, and it refuses what it should.
TEST_F(AuthorTest, SchemaHoldsForAnotherValidator) {
  if (RunProgram({"/usr/bin/python3", "-c", "import jsonschema, yaml"}, "").status != 0) {
    GTEST_SKIP() << "python3-jsonschema or python3-yaml is not installed";
  }
  const std::string schema = directory_.Write("schema.json", Reeve({"schema"}).out);
  const std::string program = directory_.Write("validate.py", R"(
import json, sys, jsonschema, yaml
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
  print("yes" if validator.is_valid(yaml.safe_load(open(name))) else "no")
)");
  const struct {
    std::string file;
    bool valid;
  } cases[] = {
      {"examples/document_server/policy/documents.yaml", true},
      {"examples/document_server/policy/entities.yaml", true},
      {"examples/handoff/policy/handoff.yaml", true},
      {"examples/handoff/policy/entities.yaml", true},
      {directory_.Write("open.yaml", kOpen), true},
      {directory_.Write("1.yaml", "reeve: 1\npolicy: p\nrulez: []\n"), false},
      {directory_.Write("2.yaml", "reeve: 2\npolicy: p\nrules: []\n"), false},
      {directory_.Write("3.yaml", std::string(kTidy) + "    shadow: maybe\n"), false},
      {directory_.Write("4.yaml", std::string(kTidy) + "    message: ''\n"), false},
      {directory_.Write("5.yaml", "reeve: 1\nentities: [{parents: ['a:b']}]\n"), false},
  };
  std::vector<std::string> arguments = {"/usr/bin/python3", program, schema};
  std::string want;
  for (const auto& c : cases) {
    arguments.push_back(c.file);
    want += c.valid ? "yes\n" : "no\n";
  }
  const Ended ended = RunProgram(arguments, "");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, want);
}

TEST_F(AuthorTest, HelpNamesExitStatusesAndExamples) {
  for (const char* command : {"lint", "fmt", "schema"}) {
    const Ended ended = Reeve({command, "--help"});
    EXPECT_EQ(ended.status, 0);
    for (const char* word : {"Exit status: 0", "Examples:", "Usage: reeve"}) {
      EXPECT_NE(ended.out.find(word), std::string::npos) << command << ": " << word;
    }
  }
}

}  // namespace
}  // namespace reeve
