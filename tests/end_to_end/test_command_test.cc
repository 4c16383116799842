// The command `reeve test` as a script calls it.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
rules:
  - id: owners-edit
    effect: allow
    principals: [group:staff]
    actions: [doc.read, doc.write]
    resources: ["doc:/**"]
    when:
      - resource.owner == principal.id
      - '"<b>" != action'
  - id: never-the-ledger
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: ["doc:/ledger/**"]
    message: Nobody touches <the> ledger.
    obligations: [{id: page-security}]
  - id: late
    effect: deny
    principals: [anyone]
    actions: [doc.write]
    resources: [any]
    shadow: true
    when: context.time >= timestamp("2026-11-20T18:00:00Z")
)";

// Passes but for what `more` adds.
std::string TestsWith(const std::string& more) {
  return R"(reeve: 1
tests: documents
principals:
  ada: {id: "user:ada", groups: [staff]}
  bob: user:bob
resources:
  hers: {id: "doc:/plan", attributes: {owner: ada}}
  unowned: doc:/other
  ledger: {id: "doc:/ledger/1", attributes: {owner: ada}}
contexts:
  late: {time: "2026-11-20T18:00:00Z"}
cases:
  - name: editing
    principals: [ada, bob]
    actions: [doc.read, doc.write]
    resources: [hers, unowned, ledger]
    expect:
      - principals: ada
        actions: [doc.read, doc.write]
        resources: hers
        decision: allow
        reason: allow_rule
        rules: documents/owners-edit
      - principals: [ada, bob]
        actions: doc.write
        resources: ledger
        decision: deny
        rules: documents/never-the-ledger
        message: Nobody touches <the> ledger.
        obligations: [page-security]
  - name: late
    principals: ada
    actions: doc.write
    resources: hers
    contexts: late
    expect:
      decision: allow
      shadow_rules: documents/late
)" + more;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TestCommandTest : public testing::Test {
 protected:
  TestCommandTest() { directory_.Write("policy/documents.yaml", kPolicy); }

  // The policy's directory stands as `policy` in what is printed.
  Ended Test(const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"cli/reeve", "test", directory_ / "policy"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    Ended ended = RunProgram(arguments);
    const std::string root = directory_ / "";
    for (std::string* text : {&ended.out, &ended.err}) {
      for (size_t at; (at = text->find(root)) != std::string::npos;) text->erase(at, root.size());
    }
    return ended;
  }
  void WriteTests(const std::string& text) { directory_.Write("policy/tests.yaml", text); }

  const end_to_end::WorkDirectory directory_;
};

TEST_F(TestCommandTest, AllPass) {
  WriteTests(TestsWith(""));
  const Ended ended = Test();
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out,
            "ok    documents/editing  12\n"
            "ok    documents/late  1\n"
            "2 cases, 13 requests: 13 passed, 0 failed\n");
  EXPECT_EQ(ended.err, "");
}

TEST_F(TestCommandTest, VerboseShowsEachRequest) {
  WriteTests(TestsWith(""));
  const Ended ended = Test({"--verbose", "--filter", "bob doc.read|/late"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out,
            "ok    documents/editing  3\n"
            "  ok    bob doc.read hers\n"
            "  ok    bob doc.read unowned\n"
            "  ok    bob doc.read ledger\n"
            "ok    documents/late  1\n"
            "  ok    ada doc.write hers late\n"
            "2 cases, 4 requests: 4 passed, 0 failed\n");
}

struct Failure {
  const char* name;
  const char* asked;  // Keys of a case.
  const char* expect;
  const char* output;  // But for the summary.
  const char* summary = "1 case, 1 request: 0 passed, 1 failed\n";
};

std::ostream& operator<<(std::ostream& out, const Failure& failure) { return out << failure.name; }

class FailureTest : public TestCommandTest, public testing::WithParamInterface<Failure> {};

TEST_P(FailureTest, SaysWhatCameOutOtherwiseAndWhy) {
  WriteTests(TestsWith("  - {name: wrong, " + std::string(GetParam().asked) +
                       ",\n     expect: " + GetParam().expect + "}\n"));
  const Ended ended = Test({"--filter", "wrong"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out, std::string(GetParam().output) + GetParam().summary);
}

#define FAILED "FAIL  documents/wrong  1 of 1 failed\npolicy/tests.yaml:40:14: "

const Failure kFailures[] = {
    {"DeniedByARule", "principals: ada, actions: doc.read, resources: ledger",
     "{decision: allow, rules: documents/owners-edit}",
     FAILED
     "ada doc.read ledger\n"
     "  decision: expected allow, got deny\n"
     "  rules: expected documents/owners-edit, got documents/never-the-ledger\n"
     "  answer: deny, deny_rule, by documents/never-the-ledger\n"
     "  documents/never-the-ledger at policy/documents.yaml:12:9: deny; principals yes, actions "
     "yes, resources yes\n"
     "  documents/owners-edit at policy/documents.yaml:4:9: allow; principals yes, actions yes, "
     "resources yes\n"
     "    true    resource.owner == principal.id\n"
     "    true    \"<b>\" != action\n"},
    {"UnknownClause", "principals: ada, actions: doc.read, resources: unowned", "{decision: allow}",
     FAILED
     "ada doc.read unowned\n"
     "  decision: expected allow, got deny\n"
     "  answer: deny, no_rule\n"
     "  documents/owners-edit at policy/documents.yaml:4:9: allow; principals yes, actions yes, "
     "resources yes\n"
     "    unknown resource.owner == principal.id  # no such key: owner\n"
     "    true    \"<b>\" != action\n"},
    {"NothingIsNear", "principals: bob, actions: doc.drop, resources: hers", "{decision: allow}",
     FAILED "bob doc.drop hers\n"
            "  decision: expected allow, got deny\n"
            "  answer: deny, no_rule\n"
            "  no allow rule matches more than one of principal, action and resource\n"},
    {"AllowedAgainstExpectation", "principals: ada, actions: doc.read, resources: hers",
     "{decision: deny}",
     FAILED
     "ada doc.read hers\n"
     "  decision: expected deny, got allow\n"
     "  answer: allow, allow_rule, by documents/owners-edit\n"
     "  documents/owners-edit at policy/documents.yaml:4:9: allow; principals yes, actions yes, "
     "resources yes\n"
     "    true    resource.owner == principal.id\n"
     "    true    \"<b>\" != action\n"},
    {"NotListed", "principals: ada, actions: [doc.read, doc.write], resources: hers",
     "[{actions: doc.write, decision: allow}]",
     "FAIL  documents/wrong  1 of 2 failed\npolicy/tests.yaml:39:5: "
     "ada doc.read hers\n"
     "  decision: expected deny, got allow\n"
     "  answer: allow, allow_rule, by documents/owners-edit\n"
     "  not listed under `expect`, and therefore denied\n"
     "  documents/owners-edit at policy/documents.yaml:4:9: allow; principals yes, actions yes, "
     "resources yes\n"
     "    true    resource.owner == principal.id\n"
     "    true    \"<b>\" != action\n",
     "1 case, 2 requests: 1 passed, 1 failed\n"},
    {"Reason", "principals: bob, actions: doc.drop, resources: hers",
     "{decision: deny, reason: deny_rule}",
     FAILED "bob doc.drop hers\n"
            "  reason: expected deny_rule, got no_rule\n"
            "  answer: deny, no_rule\n"
            "  no allow rule matches more than one of principal, action and resource\n"},
    {"MessageAndObligations", "principals: bob, actions: doc.read, resources: ledger",
     "{decision: deny, message: No., obligations: [other]}",
     FAILED
     "bob doc.read ledger\n"
     "  obligations: expected other, got page-security\n"
     "  message: expected No., got Nobody touches <the> ledger.\n"
     "  answer: deny, deny_rule, by documents/never-the-ledger\n"
     "  documents/never-the-ledger at policy/documents.yaml:12:9: deny; principals yes, actions "
     "yes, resources yes\n"},
    {"ShadowRule", "principals: bob, actions: doc.drop, resources: hers",
     "{decision: deny, shadow_rules: documents/late}",
     FAILED
     "bob doc.drop hers\n"
     "  shadow rules: expected documents/late, got none\n"
     "  answer: deny, no_rule\n"
     "  documents/late at policy/documents.yaml:19:9: deny; principals yes, actions no, resources "
     "yes\n"
     "    false   context.time >= timestamp(\"2026-11-20T18:00:00Z\")  # context.time = "
     "timestamp(\"2000-01-01T00:00:00Z\")\n"},
    {"TheTimeOfTheCase",
     "principals: ada, actions: doc.write, resources: hers, time: \"2026-11-20T17:59:59Z\"",
     "{decision: allow, shadow_rules: documents/late}",
     FAILED
     "ada doc.write hers\n"
     "  shadow rules: expected documents/late, got none\n"
     "  answer: allow, allow_rule, by documents/owners-edit\n"
     "  documents/owners-edit at policy/documents.yaml:4:9: allow; principals yes, actions yes, "
     "resources yes\n"
     "    true    resource.owner == principal.id\n"
     "    true    \"<b>\" != action\n"
     "  documents/late at policy/documents.yaml:19:9: deny; principals yes, actions yes, resources "
     "yes\n"
     "    false   context.time >= timestamp(\"2026-11-20T18:00:00Z\")  # context.time = "
     "timestamp(\"2026-11-20T17:59:59Z\")\n"},
};

INSTANTIATE_TEST_SUITE_P(Failures, FailureTest, testing::ValuesIn(kFailures),
                         [](const auto& info) { return info.param.name; });

TEST_F(TestCommandTest, CoverageNamesWhatNoTestReached) {
  WriteTests(TestsWith(""));
  const Ended some = Test({"--coverage"});
  EXPECT_EQ(some.status, 0);
  EXPECT_NE(
      some.out.find("policy/documents.yaml:10:9: clause `resource.owner == principal.id` was never "
                    "false\n"
                    "policy/documents.yaml:11:9: clause `\"<b>\" != action` was never false\n"
                    "coverage: rules 3 of 3 (100.0 %), outcomes of clauses 4 of 6 (66.7 %)\n"
                    "2 cases, 13 requests: 13 passed, 0 failed\n"),
      std::string::npos)
      << some.out;
  EXPECT_EQ(Test({"--coverage", "100"}).status, 0);
  const Ended clauses = Test({"--clause-coverage", "67"});
  EXPECT_EQ(clauses.status, 1);
  EXPECT_EQ(clauses.err, "coverage of outcomes of clauses is 66.7 %, and is to be at least 67 %\n");
  const Ended rules = Test({"--coverage", "67", "--filter", "late"});
  EXPECT_EQ(rules.status, 1);
  EXPECT_EQ(rules.err, "coverage of rules is 66.7 %, and is to be at least 67 %\n");
  EXPECT_NE(
      rules.out.find("policy/documents.yaml:12:9: rule `documents/never-the-ledger` determined no "
                     "decision\n"),
      std::string::npos)
      << rules.out;
  EXPECT_EQ(Test({"--coverage", "66.6", "--filter", "late"}).status, 0);
}

TEST_F(TestCommandTest, CoverageCountsClausesUpToTheFirstThatIsFalse) {
  WriteTests(R"(reeve: 1
tests: t
principals: {ada: {id: "user:ada", groups: [staff]}}
resources: {bobs: {id: "doc:/b", attributes: {owner: bob}}}
cases: [{name: c, principals: ada, actions: doc.read, resources: bobs, expect: {decision: deny}}]
)");
  const json coverage = json::parse(Test({"--coverage", "--format", "json"}).out)["coverage"];
  const json& clauses = coverage["by_rule"][0]["clauses"];
  const auto counts = [](const json& clause) {
    return std::vector<int>{clause["true"], clause["false"], clause["unknown"]};
  };
  EXPECT_EQ(counts(clauses[0]), (std::vector<int>{0, 1, 0}));
  EXPECT_EQ(counts(clauses[1]), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(coverage["clause_outcomes"]["covered"], 1);
}

struct BadCall {
  const char* name;
  const char* tests;  // Null: no file.
  std::vector<std::string> options;
  int status;
  const char* error;  // That standard error begins with.
};

std::ostream& operator<<(std::ostream& out, const BadCall& call) { return out << call.name; }

class BadCallTest : public TestCommandTest, public testing::WithParamInterface<BadCall> {};

TEST_P(BadCallTest, IsRefused) {
  if (GetParam().tests != nullptr) WriteTests(GetParam().tests);
  const Ended ended = Test(GetParam().options);
  EXPECT_EQ(ended.status, GetParam().status);
  EXPECT_EQ(ended.err.substr(0, std::string(GetParam().error).size()), GetParam().error);
}

#define PASSING                                                                             \
  "reeve: 1\ntests: t\ncases: [{name: c, principals: 'u:a', actions: x, resources: 'd:1', " \
  "expect: {decision: "                                                                     \
  "deny}}]\n"

const BadCall kBadCalls[] = {
    {"NoTests",
     nullptr,
     {},
     2,
     "policy: holds no tests; write a file that begins with `reeve: 1` and `tests: NAME`, and has "
     "`cases`\n"},
    {"TestsDoNotLoad",
     "reeve: 1\ntests: t\ncases: []\n",
     {},
     2,
     "policy/tests.yaml:3:8: `cases` is empty; write one or remove the file\n"},
    {"FilterOfNothing",
     PASSING,
     {"--filter", "zzz"},
     2,
     "--filter `zzz`: matches no request; `--verbose` shows their names\n"},
    {"FilterThatIsNone", PASSING, {"--filter", "("}, 2, "--filter `(`: missing ): (\n"},
    {"CoverageOfAPath",
     PASSING,
     {"--coverage", "all"},
     2,
     "--coverage: `all` is not a percentage from 0 to 100; name the policy before the option\n"},
    {"CoverageOfTooMuch",
     PASSING,
     {"--coverage", "101"},
     2,
     "--coverage: `101` is not a percentage from 0 to 100; name the policy before the option\n"},
    {"ReportOfUnknownKind",
     PASSING,
     {"--report", "x.pdf"},
     2,
     "--report x.pdf: the name of a report ends in `.html`, `.txt` or `.json`\n"},
    {"ReportThatCannotBeWritten",
     PASSING,
     {"--report", "/nonexistent/x.txt"},
     3,
     "/nonexistent/x.txt: cannot be written: No such file or directory\n"},
    {"JunitThatCannotBeWritten",
     PASSING,
     {"--junit", "/nonexistent/x.xml"},
     3,
     "/nonexistent/x.xml: cannot be written: No such file or directory\n"},
};

INSTANTIATE_TEST_SUITE_P(BadCalls, BadCallTest, testing::ValuesIn(kBadCalls),
                         [](const auto& info) { return info.param.name; });

TEST_F(TestCommandTest, TestsMayLieElsewhere) {
  directory_.Write("elsewhere/tests.yaml", TestsWith(""));
  EXPECT_EQ(Test({"--tests", directory_ / "elsewhere"}).status, 0);
}

TEST_F(TestCommandTest, LintChecksTests) {
  WriteTests(TestsWith(
      "  - {name: x, principals: adda, actions: a, resources: hers, expect: {decision: deny}}\n"));
  const Ended ended = RunProgram({"cli/reeve", "lint", directory_ / "policy"});
  EXPECT_EQ(ended.status, 2);
  EXPECT_NE(ended.err.find(
                "tests.yaml:39:27: unknown principal `adda` in case `x`; did you mean `ada`?\n"),
            std::string::npos)
      << ended.err;
}

// One that passes and one that fails, with what XML and HTML take for their own in every text.
constexpr char kMarkup[] =
    R"(  - {name: "a <b> & \"c\"", principals: [ada, bob], actions: doc.read, resources: ledger, expect: [{principals: ada, decision: deny}, {principals: bob, decision: allow}]}
)";

TEST_F(TestCommandTest, JsonIsForPrograms) {
  WriteTests(TestsWith(kMarkup));
  const std::string report = directory_ / "report.json";
  const Ended ended = Test({"--format", "json", "--report", report, "--filter", "a <b>"});
  EXPECT_EQ(ended.status, 1);
  json got = json::parse(ended.out);
  EXPECT_EQ(got["passed"], 1);
  EXPECT_EQ(got["failed"], 1);
  EXPECT_EQ(got["results"][0], json({{"suite", "documents"},
                                     {"case", "a <b> & \"c\""},
                                     {"principal", "ada"},
                                     {"action", "doc.read"},
                                     {"resource", "ledger"},
                                     {"file", "policy/tests.yaml"},
                                     {"line", 39},
                                     {"column", 100},
                                     {"passed", true},
                                     {"expected", {{"decision", false}}}}));
  EXPECT_EQ(got["results"][1]["differences"],
            json::array({{{"what", "decision"}, {"expected", "allow"}, {"actual", "deny"}}}));
  EXPECT_EQ(got["results"][1]["answer"], "deny, deny_rule, by documents/never-the-ledger");
  EXPECT_EQ(got["coverage"]["rules"]["covered"], 1);
  EXPECT_EQ(got["coverage"]["by_rule"][0]["clauses"][0],
            json({{"clause", "resource.owner == principal.id"},
                  {"line", 10},
                  {"column", 9},
                  {"true", 1},
                  {"false", 0},
                  {"unknown", 0}}));
  EXPECT_EQ(json::parse(ReadFile(report))["results"].size(), 2u);
}

// Well-formed, and with no element, attribute or count that CI servers do not expect: what the
// schema of Jenkins' xUnit plugin (junit-10.xsd) allows, and `file`, which GitLab reads.
constexpr char kCheckJunit[] = R"(
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
allowed = {'testsuites': {'name', 'tests', 'failures', 'errors', 'disabled', 'time'},
           'testsuite': {'name', 'tests', 'failures', 'errors', 'skipped', 'time', 'package', 'timestamp'},
           'testcase': {'name', 'classname', 'time', 'file'},
           'failure': {'type', 'message'}}
for element in root.iter():
    assert set(element.attrib) <= allowed[element.tag], (element.tag, element.attrib)
assert root.tag == 'testsuites'
for part in [root] + root.findall('testsuite'):
    cases = list(part.iter('testcase'))
    assert int(part.get('tests')) == len(cases)
    assert int(part.get('failures')) == sum(1 for case in cases if case.find('failure') is not None)
for case in root.iter('testcase'):
    failure = case.find('failure')
    print(case.get('classname'), '|', case.get('name'), '|', '-' if failure is None else failure.get('message'))
)";

TEST_F(TestCommandTest, JunitIsForCiServers) {
  WriteTests(TestsWith(kMarkup));
  const std::string report = directory_ / "report.xml";
  EXPECT_EQ(Test({"--junit", report, "--filter", "a <b>|/late"}).status, 1);
  const Ended checked = RunProgram({"/usr/bin/python3", "-c", kCheckJunit, report});
  EXPECT_EQ(checked.err, "");
  EXPECT_EQ(checked.out,
            "documents | late: ada doc.write hers late | -\n"
            "documents | a <b> & \"c\": ada doc.read ledger | -\n"
            "documents | a <b> & \"c\": bob doc.read ledger | decision is deny, expected allow\n");
}

TEST_F(TestCommandTest, HtmlShowsThePolicy) {
  WriteTests(TestsWith(kMarkup));
  const std::string report = directory_ / "report.html";
  EXPECT_EQ(Test({"--report", report}).status, 1);
  const std::string html = ReadFile(report);
  for (const char* part :
       {"3 cases, 15 requests: 14 passed, 1 failed",
        "<td>documents/a &lt;b&gt; &amp; &quot;c&quot;</td><td class=\"n\">2</td><td class=\"n "
        "bad\">1</td>",
        "decision is deny, expected allow",
        "<tr class=\"hit\"><td class=\"line\">4</td><td>  - id: owners-edit</td><td "
        "class=\"note\">determined 3</td></tr>",
        "<tr class=\"part\"><td class=\"line\">11</td><td>      - '&quot;&lt;b&gt;&quot; != "
        "action'</td><td class=\"note\">true 8, false 0, unknown 0</td></tr>",
        "</html>\n"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
}

TEST_F(TestCommandTest, TextReportHasAll) {
  WriteTests(TestsWith(""));
  const std::string report = directory_ / "report.txt";
  EXPECT_EQ(Test({"--report", report, "--filter", "late"}).status, 0);
  const std::string text = ReadFile(report);
  EXPECT_NE(text.find("  ok    ada doc.write hers late\n"), std::string::npos) << text;
  EXPECT_NE(text.find("rule `documents/owners-edit` determined 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("was true 1, false 0, unknown 0\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace reeve
