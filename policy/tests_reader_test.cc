// What files of tests may say, and every message about what they may not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "reeve/policy/load.h"
#include "reeve/policy/load_tests.h"
#include "reeve/policy/test_suite.h"

namespace reeve {
namespace {

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
rules:
  - id: editors-edit
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: [any]
    when: [action == "doc.read", resource.x]
  - {id: no-ledger, effect: deny, principals: [anyone], actions: [any], resources: ["doc:/ledger"]}
)";

std::string Issues(const LoadResult& result) {
  std::string text;
  for (const Issue& issue : result.issues) text += ToString(issue) + "\n";
  return text;
}

struct Case {
  const char* name;
  std::string text;
  const char* issues;  // Of the file `t.yaml`; empty: it loads.
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class TestsReaderTest : public testing::TestWithParam<Case> {};

TEST_P(TestsReaderTest, LoadsOrReportsAllThatIsWrong) {
  const LoadResult result = LoadPolicy({{"p.yaml", kPolicy}, {"t.yaml", GetParam().text}});
  EXPECT_EQ(Issues(result), GetParam().issues);
}

#define DENY ", expect: {decision: deny}"
#define HEAD "reeve: 1\ntests: t\n"
// Line 3 has the keys before the cases, line 4 the one case, which is complete but for `fields`.
#define TESTS(fixtures, fields) HEAD fixtures "\ncases: [{name: c, " fields "}]\n"
#define ONE "principals: 'user:ada', actions: doc.read, resources: 'doc:1'"
#define MATRIX \
  "principals: ['user:ada', 'user:bob'], actions: [doc.read, doc.write], resources: 'doc:1'"

const Case kFileCases[] = {
    {"Smallest", TESTS("", ONE DENY ""), ""},
    {"Everything", R"(reeve: 1
tests: everything
description: All keys.
time: 2026-11-20T09:00:00Z
principals:
  ada:
    id: user:ada
    groups: [staff]
    groups_complete: false
    parents: [team:a]
    attributes: {level: 7}
    assurance: kernel
    via: unix
    host: web-1
    actor: user:bob
  bob: user:bob
resources:
  q3: {id: "doc:/q3", parents: [folder:finance], attributes: {owner: ada}}
  q4: doc:/q4
contexts:
  late: {time: "2026-11-20T23:00:00+01:00", ip: "10.0.0.1"}
cases:
  - name: matrix
    description: A matrix.
    time: "2026-11-20T10:00:00Z"
    principals: [ada, bob, anonymous, "user:eve"]
    actions: [doc.read, doc.write]
    resources: [q3, q4, "doc:/q5"]
    contexts: [late]
    expect:
      - principals: ada
        actions: doc.read
        resources: [q3, q4]
        decision: allow
        reason: allow_rule
        rules: [documents/editors-edit]
        shadow_rules: [documents/no-ledger]
        message: Read it.
        obligations: [page]
)",
     ""},
    {"TwoKinds", "reeve: 1\ntests: t\npolicy: p\n",
     "t.yaml:2:1: a file is of one kind: `policy`, `entities`, `schema` or `tests`; make two "
     "files\n"},
    {"ListUnderTests", "reeve: 1\ntests:\n  - name: c\n",
     "t.yaml:1:1: the file has no `cases`\n"
     "t.yaml:3:3: `tests` is the name of the tests; list them under `cases`\n"},
    {"NoName", "reeve: 1\ntests:\ncases: [{name: c, " ONE DENY "}]\n",
     "t.yaml:2:1: `tests` has no value; write one or remove the key\n"},
    {"BadName", "reeve: 1\ntests: a b\ncases: [{name: c, " ONE DENY "}]\n",
     "t.yaml:2:8: the name of the tests `a b` is not a name; use letters, digits and `_-.`, and "
     "begin with a letter, a digit or `_`\n"},
    {"UnknownKey", HEAD "casse: []\n",
     "t.yaml:3:1: unknown key `casse` in the tests; did you mean `cases`?\n"},
    {"NoCases", HEAD "cases: []\n", "t.yaml:3:8: `cases` is empty; write one or remove the file\n"},
    {"CasesAreNoList", HEAD "cases: {}\n", "t.yaml:3:8: `cases` is not a list\n"},
    {"BadTime", TESTS("time: '2026-11-20'", ONE DENY ""),
     "t.yaml:3:7: `time` is `2026-11-20`; write it as in `2026-11-20T09:00:00Z` (RFC 3339)\n"},
    {"BadTimeOfACase", TESTS("", ONE DENY ", time: noon"),
     "t.yaml:4:114: `time` is `noon`; write it as in `2026-11-20T09:00:00Z` (RFC 3339)\n"},
};

INSTANTIATE_TEST_SUITE_P(Files, TestsReaderTest, testing::ValuesIn(kFileCases),
                         [](const auto& info) { return info.param.name; });

#define ADA ", principals: ada, actions: doc.read, resources: 'doc:1'" DENY
#define PRINCIPAL(fields) HEAD "principals: {ada: " fields "}\ncases: [{name: c" ADA "}]\n"
#define Q3 ", principals: 'user:ada', actions: doc.read, resources: q3" DENY
#define RESOURCE(fields) HEAD "resources: {q3: " fields "}\ncases: [{name: c" Q3 "}]\n"

const Case kFixtureCases[] = {
    {"PrincipalsAreNoMapping", TESTS("principals: [ada]", ONE DENY ""),
     "t.yaml:3:13: `principals` is not a mapping; write a name before each principal\n"},
    {"NoPrincipals", TESTS("principals: {}", ONE DENY ""),
     "t.yaml:3:13: `principals` is empty; write a principal or remove the key\n"},
    {"BadFixtureName", TESTS("principals: {'user:ada': user:ada}", ONE DENY ""),
     "t.yaml:3:14: the name of a principal `user:ada` is not a name; use letters, digits and "
     "`_-.`, and begin with a letter, a digit or `_`\n"},
    {"Anonymous", TESTS("principals: {anonymous: user:ada}", ONE DENY ""),
     "t.yaml:3:14: `anonymous` is the principal that could not be identified; use another name\n"},
    {"NullPrincipal", PRINCIPAL(""), "t.yaml:3:14: principal `ada` has no value\n"},
    {"ListAsPrincipal", PRINCIPAL("[a]"),
     "t.yaml:3:19: principal `ada` is not a mapping of keys to values\n"},
    {"NoId", PRINCIPAL("{groups: [staff]}"), "t.yaml:3:19: principal `ada` has no `id`\n"},
    {"MalformedId", PRINCIPAL("ada"), "t.yaml:3:19: `ada` is not an entity; write `type:id`\n"},
    {"UnknownKeyOfAPrincipal", PRINCIPAL("{id: 'user:ada', group: [staff]}"),
     "t.yaml:3:36: unknown key `group` in principal `ada`; did you mean `groups`?\n"},
    {"GroupWithItsType", PRINCIPAL("{id: 'user:ada', groups: ['group:staff']}"),
     "t.yaml:3:45: groups are named by their ids; write `staff`\n"},
    {"MalformedGroup", PRINCIPAL("{id: 'user:ada', groups: [a/../b]}"),
     "t.yaml:3:45: group `a/../b`: the entity id has a `.` or `..` segment\n"},
    {"GroupsAreNoList", PRINCIPAL("{id: 'user:ada', groups: staff}"),
     "t.yaml:3:44: `groups` is not a list; write `[staff]`\n"},
    {"Assurance", PRINCIPAL("{id: 'user:ada', assurance: kernal}"),
     "t.yaml:3:47: `assurance` is `kernal`; it is `none`, `asserted`, `kernel_weak`, `kernel` or "
     "`crypto`; did you mean `kernel`?\n"},
    {"GroupsComplete", PRINCIPAL("{id: 'user:ada', groups_complete: no}"),
     "t.yaml:3:53: `groups_complete` is neither `true` nor `false`\n"},
    {"Actor", PRINCIPAL("{id: 'user:ada', actor: bob}"),
     "t.yaml:3:43: `bob` is not an entity; write `type:id`\n"},
    {"NullVia", PRINCIPAL("{id: 'user:ada', via: }"),
     "t.yaml:3:36: `via` has no value; write one or remove the key\n"},
    {"AttributesAreNoMapping", PRINCIPAL("{id: 'user:ada', attributes: [a]}"),
     "t.yaml:3:48: `attributes` is not a mapping of names to values\n"},
    {"BadValue", PRINCIPAL("{id: 'user:ada', attributes: {a: 010}}"),
     "t.yaml:3:52: `010` is not a plain decimal number; write it as one, or put it in quotes\n"},
    {"UnusedPrincipal", TESTS("principals: {ada: user:ada}", ONE DENY ""),
     "t.yaml:3:14: warning: principal `ada` is not used by any case [unused-fixture]\n"},
    {"UnusedResource", TESTS("resources: {q3: doc:q3}", ONE DENY ""),
     "t.yaml:3:13: warning: resource `q3` is not used by any case [unused-fixture]\n"},
    {"AcceptedWarning", TESTS("accept: [unused-fixture]\nprincipals: {ada: user:ada}", ONE DENY),
     ""},
    {"UnusedContext", TESTS("contexts: {c: {}}", ONE DENY ""),
     "t.yaml:3:12: warning: context `c` is not used by any case [unused-fixture]\n"},
    {"UnknownKeyOfAResource", RESOURCE("{id: 'doc:1', groups: [a]}"),
     "t.yaml:3:31: unknown key `groups` in resource `q3`\n"},
    {"PathThatIsNotCanonical", RESOURCE("doc:/a//b"),
     "t.yaml:3:17: `doc:/a//b`: the entity id has an empty path segment\n"},
    {"NoParents", RESOURCE("{id: 'doc:1', parents: []}"),
     "t.yaml:3:40: `parents` is empty; remove the key if there are none\n"},
    {"ContextIsNoMapping", TESTS("contexts: {c: [1]}", ONE ", contexts: c" DENY),
     "t.yaml:3:15: context `c` is not a mapping of names to values\n"},
    {"TimeOfAContext", TESTS("contexts: {c: {time: 9}}", ONE ", contexts: c" DENY),
     "t.yaml:3:22: `time` is `9`; write it as in `2026-11-20T09:00:00Z` (RFC 3339)\n"},
};

INSTANTIATE_TEST_SUITE_P(Fixtures, TestsReaderTest, testing::ValuesIn(kFixtureCases),
                         [](const auto& info) { return info.param.name; });

const Case kCaseCases[] = {
    {"CaseIsNoMapping", HEAD "cases: [c]\n",
     "t.yaml:3:9: the case is not a mapping of keys to values\n"},
    {"CaseLacksAll", HEAD "cases: [{description: x}]\n",
     "t.yaml:3:9: the case has no `name`\nt.yaml:3:9: the case has no `principals`\nt.yaml:3:9: "
     "the case has no `actions`\nt.yaml:3:9: the case has no `resources`\nt.yaml:3:9: the case has "
     "no `expect`\n"},
    {"NumberAsName", HEAD "cases: [{name: 1, " ONE DENY "}]\n",
     "t.yaml:3:16: the name of the case `1` is not text; put it in quotes if it is meant as "
     "text\n"},
    {"NameOfTwoLines", HEAD "cases: [{name: \"a\\nb\", " ONE DENY "}]\n",
     "t.yaml:3:16: the name of the case has several lines or tabs; write it in one\n"},
    {"NameTwice", HEAD "cases:\n  - {name: c, " ONE DENY "}\n  - {name: c, " ONE DENY "}\n",
     "t.yaml:5:12: case `c` is defined twice; first at 4:12\n"},
    {"UnknownKeyOfACase", TESTS("", ONE DENY ", tiem: x"),
     "t.yaml:4:108: unknown key `tiem` in case `c`; did you mean `time`?\n"},
    {"MisspeltKeyIsNotMissed",
     TESTS("", "principle: 'user:ada', actions: doc.read, resources: 'doc:1'" DENY),
     "t.yaml:4:19: unknown key `principle` in case `c`; did you mean `principals`?\n"},
    {"MappingAsNames", TESTS("", "principals: {a: b}, actions: a, resources: 'd:1'" DENY),
     "t.yaml:4:31: `principals` is not a list\n"},
    {"EmptyList", TESTS("", "principals: [], actions: a, resources: 'd:1'" DENY),
     "t.yaml:4:31: `principals` is empty; write at least one\n"},
    {"ListedTwice", TESTS("", "principals: ['u:a', 'u:a'], actions: a, resources: 'd:1'" DENY),
     "t.yaml:4:39: `u:a` is listed twice; first at 4:32\n"},
    {"UnknownPrincipal",
     TESTS("principals: {ada: user:ada}",
           "principals: [ada, adda, zoe], actions: a, resources: 'd:1'" DENY),
     "t.yaml:4:37: unknown principal `adda` in case `c`; did you mean `ada`?\n"
     "t.yaml:4:43: unknown principal `zoe` in case `c`; define it under `principals`, or write an "
     "entity as `type:id`\n"},
    {"UnknownResource", TESTS("", "principals: 'u:a', actions: a, resources: q3" DENY),
     "t.yaml:4:61: unknown resource `q3` in case `c`; define it under `resources`, or write an "
     "entity as `type:id`\n"},
    {"UnknownContext", TESTS("", ONE ", contexts: office" DENY),
     "t.yaml:4:92: unknown context `office` in case `c`; define it under `contexts`\n"},
    {"MalformedEntity", TESTS("", "principals: 'u:a', actions: a, resources: 'd:/a/'" DENY),
     "t.yaml:4:61: `d:/a/`: the entity id has an empty path segment\n"},
    {"PatternAsAction", TESTS("", "principals: 'u:a', actions: 'doc.*', resources: 'd:**'" DENY),
     "t.yaml:4:47: warning: `doc.*` is taken literally: a request is about one action, not about a "
     "pattern [literal-pattern]\nt.yaml:4:67: warning: `d:**` is taken literally: a request is "
     "about one resource, not about a pattern [literal-pattern]\n"},
    {"Invisible", TESTS("", "principals: 'u:a', actions: ' a', resources: 'd:1'" DENY),
     "t.yaml:4:47: a name under `actions` ` a` has a space at its beginning, its end or behind the "
     "colon; remove it\n"},
};

INSTANTIATE_TEST_SUITE_P(Cases, TestsReaderTest, testing::ValuesIn(kCaseCases),
                         [](const auto& info) { return info.param.name; });

#define ALLOW(fields) TESTS("", ONE ", expect: {decision: allow, " fields "}")
#define O8 "o, o, o, o, o, o, o, o, "
#define EXPECT_ITEM(item) TESTS("", MATRIX ", expect: [" item "]")

const Case kExpectationCases[] = {
    {"NoExpect", TESTS("", ONE), "t.yaml:4:9: case `c` has no `expect`\n"},
    {"NoDecision", TESTS("", ONE ", expect: {reason: no_rule}"),
     "t.yaml:4:90: the expectation has no `decision`\n"},
    {"WordAsExpect", TESTS("", ONE ", expect: deny"),
     "t.yaml:4:90: `expect` is neither a mapping nor a list; write `{decision: deny}`\n"},
    {"AxesInTheExpectationOfAll", TESTS("", ONE ", expect: {decision: deny, actions: x}"),
     "t.yaml:4:107: unknown key `actions` in the expectation\n"},
    {"Decision", TESTS("", ONE ", expect: {decision: alow}"),
     "t.yaml:4:101: `decision` is `alow`; it is `allow` or `deny`; did you mean `allow`?\n"},
    {"Reason", ALLOW("reason: allowed"),
     "t.yaml:4:116: `reason` is `allowed`; it is `allow_rule`, `deny_rule`, `deny_unknown`, "
     "`no_rule`, `bad_request` or `limit`\n"},
    {"ReasonThatDenies", ALLOW("reason: no_rule"),
     "t.yaml:4:90: the expectation has the decision `allow` and the reason `no_rule`, which never "
     "go together\n"},
    {"ReasonThatAllows", TESTS("", ONE ", expect: {decision: deny, reason: allow_rule}"),
     "t.yaml:4:90: the expectation has the decision `deny` and the reason `allow_rule`, which "
     "never go together\n"},
    {"RulesWithoutRules",
     TESTS("", ONE ", expect: {decision: deny, reason: no_rule, rules: documents/no-ledger}"),
     "t.yaml:4:90: the expectation has rules, and the reason `no_rule`, which is of no rule; "
     "remove one of them\n"},
    {"NoRules", ALLOW("rules: []"), "t.yaml:4:115: `rules` is empty; write at least one\n"},
    {"TooManyObligations", ALLOW("obligations: [" O8 O8 O8 O8 O8 O8 O8 O8 "o]"),
     "t.yaml:4:121: `obligations` has more than 64 items\n"},
    {"NoObligations", ALLOW("obligations: []"),
     "t.yaml:4:121: `obligations` is empty; remove the key if there are none\n"},
    {"UnknownRule", ALLOW("rules: documents/editor-edit"),
     "t.yaml:4:115: no policy has a rule `documents/editor-edit`; did you mean "
     "`documents/editors-edit`?\n"},
    {"RuleWithoutItsPolicy", ALLOW("rules: no-ledger"),
     "t.yaml:4:115: no policy has a rule `no-ledger`; did you mean `documents/no-ledger`?\n"},
    {"UnknownShadowRule", ALLOW("shadow_rules: documents/x-y-z-quite-other"),
     "t.yaml:4:122: no policy has a rule `documents/x-y-z-quite-other`\n"},
    {"EmptyExpect", TESTS("", ONE ", expect: []"),
     "t.yaml:4:90: `expect` is empty; write `{decision: deny}` if all is denied\n"},
    {"ItemIsNoMapping", EXPECT_ITEM("allow"),
     "t.yaml:4:118: the expectation is not a mapping of keys to values\n"},
    {"UnknownKeyOfAnItem",
     EXPECT_ITEM("{principals: 'user:ada', actions: doc.read, decison: deny}"),
     "t.yaml:4:162: unknown key `decison` in the expectation; did you mean `decision`?\n"},
    {"ItemThatLeavesOut", EXPECT_ITEM("{principals: 'user:ada', decision: deny}"),
     "t.yaml:4:118: the expectation has no `actions`, and case `c` has 2; list those that it is "
     "about\n"},
    {"ItemOfOthers", EXPECT_ITEM("{principals: 'user:ida', actions: doc.raed, decision: deny}"),
     "t.yaml:4:131: `user:ida` is not among the `principals` of case `c`; did you mean "
     "`user:ada`?\nt.yaml:4:152: `doc.raed` is not among the `actions` of case `c`; did you mean "
     "`doc.read`?\n"},
    {"ContextOfNone",
     EXPECT_ITEM("{principals: 'user:ada', actions: doc.read, contexts: x, decision: deny}"),
     "t.yaml:4:172: `x` is not among the `contexts` of case `c`\n"},
    {"SaidTwice",
     EXPECT_ITEM("{principals: 'user:ada', actions: [doc.read], decision: allow}, {principals: "
                 "['user:ada', 'user:bob'], actions: doc.read, decision: deny}"),
     "t.yaml:4:182: what `user:ada` `doc.read` `doc:1` comes to is said twice; first at 4:118\n"},
};

INSTANTIATE_TEST_SUITE_P(Expectations, TestsReaderTest, testing::ValuesIn(kExpectationCases),
                         [](const auto& info) { return info.param.name; });

std::string Tests(const std::string& name) {
  return "reeve: 1\ntests: " + name + "\ncases: [{name: c, " ONE DENY "}]\n";
}

TEST(TestsTest, NamesOfSuitesAreUnique) {
  EXPECT_EQ(
      Issues(LoadPolicy({{"p.yaml", kPolicy}, {"a.yaml", Tests("x")}, {"b.yaml", Tests("x")}})),
      "b.yaml:2:8: tests `x` are defined twice; first at a.yaml:2:8\n");
}

TEST(TestsTest, AreNotInTheDigest) {
  const LoadResult without = LoadPolicy({{"p.yaml", kPolicy}});
  const LoadResult with = LoadPolicy({{"a.yaml", Tests("x")}, {"p.yaml", kPolicy}});
  ASSERT_TRUE(without.ok() && with.ok()) << Issues(with);
  EXPECT_EQ(with.snapshot->digest(), without.snapshot->digest());
}

TEST(TestsTest, AreNoPolicy) {
  EXPECT_EQ(Issues(LoadPolicy({{"t.yaml", Tests("x")}})),
            "t.yaml: the set has no file with `policy:`, so it has no rules\n");
}

TEST(TestsTest, HaveALimitOfRequests) {
  std::string list = "[a0";
  for (int i = 1; i < 1001; ++i) list += ", a" + std::to_string(i);
  list += "]";
  std::string users = "['u:0'";
  for (int i = 1; i < 1000; ++i) users += ", 'u:" + std::to_string(i) + "'";
  users += "]";
  EXPECT_EQ(Issues(LoadPolicy(
                {{"p.yaml", kPolicy},
                 {"t.yaml", "reeve: 1\ntests: t\ncases:\n  - name: c\n    principals: " + users +
                                "\n    actions: " + list +
                                "\n    resources: 'd:1'\n    expect: {decision: deny}\n"}})),
            "t.yaml:4:5: the cases of this file make more than 1000000 requests\n");
}

class LoadPolicyTestsTest : public testing::Test {
 protected:
  LoadPolicyTestsTest() {
    std::string path = testing::TempDir() + "/tests_XXXXXX";
    root_ = mkdtemp(path.data());
    std::ofstream(root_ / "p.yaml") << kPolicy;
  }
  ~LoadPolicyTestsTest() override { std::filesystem::remove_all(root_); }

  std::filesystem::path root_;
};

TEST_F(LoadPolicyTestsTest, KeepsWhatTheTestsSay) {
  std::ofstream(root_ / "t.yaml") << kFileCases[1].text;
  const PolicyTests tests = LoadPolicyTests(root_);
  ASSERT_TRUE(tests.loaded.ok()) << Issues(tests.loaded);
  ASSERT_EQ(tests.suites.size(), 1u);
  const TestSuite& suite = tests.suites[0];
  EXPECT_EQ(suite.name, "everything");
  const Principal& ada = suite.principals[0].principal;
  EXPECT_EQ(ToString(ada.id), "user:ada");
  EXPECT_EQ(ada.groups, std::vector<std::string>{"staff"});
  EXPECT_FALSE(ada.groups_complete);
  EXPECT_EQ(ada.parents, std::vector<EntityId>({EntityId("team", "a")}));
  EXPECT_EQ(ada.attributes, Attributes({{"level", Value::Int(7)}}));
  EXPECT_EQ(ada.assurance, Assurance::kKernel);
  EXPECT_EQ(ada.via + " " + ada.host + " " + ada.actor, "unix web-1 user:bob");
  EXPECT_EQ(suite.principals[1].principal.assurance, Assurance::kAsserted);
  EXPECT_TRUE(suite.principals[2].principal.anonymous());
  EXPECT_EQ(suite.principals[3].name, "user:eve");
  // The time is the request's, and no attribute.
  EXPECT_EQ(suite.contexts[0].attributes, Attributes({{"ip", Value::String("10.0.0.1")}}));
  EXPECT_EQ(suite.contexts[0].time, absl::FromUnixSeconds(1795212000));
  const TestCase& one = suite.cases[0];
  EXPECT_EQ(one.time, absl::FromUnixSeconds(1795168800));
  ASSERT_EQ(one.requests.size(), 4u * 2 * 3);
  size_t listed = 0;
  for (const TestRequest& request : one.requests) {
    if (request.expectation == TestRequest::kNone) continue;
    ++listed;
    EXPECT_EQ(request.principal, 0u);
    EXPECT_EQ(request.action, 0u);
    EXPECT_LT(request.resource, 2u);
  }
  EXPECT_EQ(listed, 2u);
  const TestExpectation& expected = one.expectations[0];
  EXPECT_TRUE(expected.allowed);
  EXPECT_EQ(expected.reason, Reason::kAllowRule);
  EXPECT_EQ(expected.rules[0].text, "documents/editors-edit");
  EXPECT_EQ(expected.shadow_rules[0].text, "documents/no-ledger");
  EXPECT_EQ(expected.message, "Read it.");
  EXPECT_EQ(expected.obligations[0].text, "page");
}

TEST_F(LoadPolicyTestsTest, KnowsWhereRulesStand) {
  std::ofstream(root_ / "t.yaml") << Tests("t");
  const PolicyTests tests = LoadPolicyTests(root_);
  ASSERT_EQ(tests.sources.size(), 1u);
  EXPECT_EQ(tests.sources[0].text, kPolicy);
  const auto& rules = tests.sources[0].rules;
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].id, "documents/editors-edit");
  EXPECT_EQ(rules[0].position, (Position{4, 9}));
  EXPECT_EQ(rules[0].when, (std::vector<Position>{{9, 12}, {9, 34}}));
  EXPECT_TRUE(rules[1].when.empty());
}

constexpr char kSchema[] = R"(reeve: 1
schema: s
entities:
  user: {parents: [group], attributes: {level: double, since: timestamp}, open: true}
  doc: {attributes: {x: bool}, parents: [folder]}
  folder: {}
  group: {}
actions:
  doc.read: {principals: [user], resources: [doc], context: {load: double, at: timestamp}}
  doc.write: {principals: [user], resources: [doc], context: {at: string}}
)";

// As a program would pass them.
TEST_F(LoadPolicyTestsTest, ValuesAreOfTheTypesOfTheSchema) {
  std::ofstream(root_ / "s.yaml") << kSchema;
  std::ofstream(root_ / "t.yaml") << R"(reeve: 1
tests: t
principals:
  ada: {id: "user:ada", attributes: {level: 7, since: "2026-11-20T09:00:00Z", other: 7}}
contexts:
  now: {load: 1, at: "2026-11-20T09:00:00Z", other: 1}
cases:
  - {name: c, principals: [ada, "robot:r"], actions: doc.read, resources: "doc:1", contexts: now,
     expect: {decision: deny}}
)";
  const PolicyTests tests = LoadPolicyTests(root_);
  ASSERT_TRUE(tests.loaded.ok()) << Issues(tests.loaded);
  const TestSuite& suite = tests.suites[0];
  EXPECT_EQ(suite.principals[0].principal.attributes,
            Attributes({{"level", Value::Double(7)},
                        {"other", Value::Int(7)},
                        {"since", Value::Timestamp(absl::FromUnixSeconds(1795165200))}}));
  // `at` is of two types, so either may be meant.
  EXPECT_EQ(suite.contexts[0].attributes, Attributes({{"load", Value::Double(1)},
                                                      {"at", Value::String("2026-11-20T09:00:00Z")},
                                                      {"other", Value::Int(1)}}));
}

TEST(TestsTest, AreHeldToTheSchema) {
  EXPECT_EQ(Issues(LoadPolicy({{"p.yaml", kPolicy}, {"s.yaml", kSchema}, {"t.yaml", R"(reeve: 1
tests: t
principals:
  ada: {id: "user:ada", parents: [folder:f], attributes: {level: high}}
resources:
  d: {id: "doc:1", parents: [team:t, folder:f], attributes: {owner: 1, x: 1}}
contexts:
  now: {load: much}
cases:
  - {name: c, principals: ada, actions: doc.read, resources: d, contexts: now,
     expect: {decision: deny}}
)"}})),
            "t.yaml:4:35: `user` cannot lie in `folder` by the schema; add it to its `parents` "
            "there\n"
            "t.yaml:4:66: `level` is `high`, and the schema says `double`\n"
            "t.yaml:6:30: entity type `team` is not declared by the schema\n"
            "t.yaml:6:62: `doc` has no `owner` by the schema\n"
            "t.yaml:6:75: `x` is `1`, and the schema says `bool`\n"
            "t.yaml:8:15: `load` is `much`, and the schema says `double`\n");
}

TEST_F(LoadPolicyTestsTest, OtherFilesMayHoldThem) {
  EXPECT_TRUE(LoadPolicyTests(root_).suites.empty());
  std::filesystem::create_directory(root_ / "elsewhere");
  std::ofstream(root_ / "elsewhere/t.yaml") << Tests("t");
  EXPECT_EQ(LoadPolicyTests(root_ / "p.yaml", {root_ / "elsewhere"}).suites.size(), 1u);
}

}  // namespace
}  // namespace reeve
