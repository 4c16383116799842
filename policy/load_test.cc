#include "reeve/policy/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "reeve/engine/engine.h"

namespace reeve {
namespace {

std::string Issues(const LoadResult& result) {
  std::string text;
  for (const Issue& issue : result.issues) text += ToString(issue) + "\n";
  return text;
}

struct Case {
  const char* name;
  const char* text;
  const char* issues;  // of the file `p.yaml`; empty: it loads
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class LoadTest : public testing::TestWithParam<Case> {};

TEST_P(LoadTest, LoadsOrReportsAllThatIsWrong) {
  const LoadResult result = LoadPolicy({{"p.yaml", GetParam().text}});
  EXPECT_EQ(Issues(result), GetParam().issues);
  const bool only_warnings = Issues(result).find("p.yaml:") == std::string::npos ||
                             Issues(result).find(": warning: ") != std::string::npos;
  EXPECT_EQ(result.ok(), only_warnings);
}

// A policy whose rule `r` has these lines, in a flow mapping.
#define RULE(fields) "reeve: 1\npolicy: p\nrules:\n  - {id: r, effect: allow, " fields "}\n"
#define ANY "principals: [anyone], actions: [any], resources: [any]"

const Case kCases[] = {
    {"Smallest", RULE(ANY), ""},
    {"Everything", R"(reeve: 1
policy: documents
description: Who may read and change documents.
roles:
  editor: [group:staff, user:ada@EXAMPLE.COM, {re: "user:ed-[0-9]+"}]
actions:
  change: [edit, doc.delete]
  edit: [doc.write, doc.rename]
rules:
  - id: editors
    description: They edit.
    effect: allow
    principals: [role:editor, authenticated]
    actions: [change, doc.read, "admin.*"]
    resources: ["doc:/finance/**", {re: "doc:/q[1-4]"}, any]
    shadow: true
    message: Ask Ada.
    audit: durable
    obligations: [{id: page-security}]
)",
     ""},
    // Files.
    {"Empty", "",
     "p.yaml: the file is empty; begin it with `reeve: 1` and `policy:` or `entities:`\n"},
    {"CommentOnly", "# nothing\n",
     "p.yaml: the file is empty; begin it with `reeve: 1` and `policy:` or `entities:`\n"},
    {"ListRoot", "- a\n",
     "p.yaml:1:1: the file is not a mapping; begin it with `reeve: 1` and `policy:` or "
     "`entities:`\n"},
    {"NoVersion", "policy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:1: every file begins with `reeve: 1`\n"},
    {"OtherVersion", "reeve: 2\npolicy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:8: this version reads files that begin with `reeve: 1`\n"},
    {"QuotedVersion", "reeve: '1'\npolicy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:8: this version reads files that begin with `reeve: 1`\n"},
    {"NoKind", "reeve: 1\nrules: []\n",
     "p.yaml:1:1: the file has neither `policy` nor `entities`, so it says nothing\n"},
    {"TwoKinds", "reeve: 1\npolicy: p\nentities: []\n",
     "p.yaml:3:1: a file is of one kind: `policy` or `entities`; make two files\n"},
    {"Schema", "reeve: 1\nschema: x\n",
     "p.yaml:2:1: `schema` files are not supported by this version\n"},
    {"BadPolicyName", "reeve: 1\npolicy: a/b\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:2:9: the name of the policy `a/b` is not a name; use letters, digits and `_-.`, and "
     "begin with a letter, a digit or `_`\n"},
    {"UnknownTopKey", "reeve: 1\npolicy: p\nrulez: []\n",
     "p.yaml:3:1: unknown key `rulez` in the policy; did you mean `rules`?\n"},
    {"NoRules", "reeve: 1\npolicy: p\nrules: []\n",
     "p.yaml:3:8: `rules` is empty; write a rule or remove the file\n"},
    {"NullRules", "reeve: 1\npolicy: p\nrules:\n",
     "p.yaml:3:1: `rules` has no value; write one or remove the key\n"},
    {"Let", "reeve: 1\npolicy: p\nlet: {a: b}\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:3:1: `let` is not supported by this version\n"},
    // Rules.
    {"RuleIsNoMapping", "reeve: 1\npolicy: p\nrules: [r]\n",
     "p.yaml:3:9: the rule is not a mapping of keys to values\n"},
    {"RuleLacksAll", "reeve: 1\npolicy: p\nrules:\n  - description: x\n",
     "p.yaml:4:5: the rule has no `id`\n"
     "p.yaml:4:5: the rule has no `effect`\n"
     "p.yaml:4:5: the rule has no `principals`\n"
     "p.yaml:4:5: the rule has no `actions`\n"
     "p.yaml:4:5: the rule has no `resources`\n"},
    {"AllIsReportedAtOnce", RULE("principels: [anyone], actions: [], resources: any"),
     "p.yaml:4:28: unknown key `principels` in rule `r`; did you mean `principals`?\n"
     "p.yaml:4:59: `actions` is empty; write `[any]` to mean every action\n"
     "p.yaml:4:74: `resources` is not a list; write `[any]`\n"},
    {"TwiceTheSameRule",
     "reeve: 1\npolicy: p\nrules:\n  - {id: r, effect: allow, " ANY
     "}\n  - {id: r, effect: deny, " ANY "}\n",
     "p.yaml:5:10: rule `r` is defined twice; first at 4:10\n"},
    {"NumberAsId", "reeve: 1\npolicy: p\nrules: [{id: 010, effect: allow, " ANY "}]\n",
     "p.yaml:3:14: the id `010` is not text; put it in quotes if it is meant as text\n"},
    {"UnderscoredId", "reeve: 1\npolicy: p\nrules: [{id: 1_000, effect: allow, " ANY "}]\n", ""},
    {"EffectTypo", "reeve: 1\npolicy: p\nrules: [{id: r, effect: dney, " ANY "}]\n",
     "p.yaml:3:25: `effect` is `dney`; it is `allow` or `deny`; did you mean `deny`?\n"},
    {"NullEffect",
     "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect:\n    principals: [anyone]\n"
     "    actions: [any]\n    resources: [any]\n",
     "p.yaml:5:5: `effect` has no value; write one or remove the key\n"},
    {"When", RULE(ANY ", when: 'true'"),
     "p.yaml:4:84: `when` is not supported by this version, so the rule cannot be loaded\n"},
    {"EmptyWhen",
     "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect: allow\n    when:\n"
     "    principals: [anyone]\n    actions: [any]\n    resources: [any]\n",
     "p.yaml:6:5: `when` has no value; an empty condition does not mean always\n"},
    {"ShadowTypo", RULE(ANY ", shadow: yes"),
     "p.yaml:4:92: `shadow` is neither `true` nor `false`\n"},
    {"AuditOffIsNoRaise", RULE(ANY ", audit: off"),
     "p.yaml:4:91: `audit` is `off`; a rule can raise the level to `recorded` or `durable`\n"},
    {"AuditTypo", RULE(ANY ", audit: durabel"),
     "p.yaml:4:91: `audit` is `durabel`; a rule can raise the level to `recorded` or `durable`; "
     "did you mean `durable`?\n"},
    {"EmptyMessage", RULE(ANY ", message: ''"), "p.yaml:4:93: `message` is empty\n"},
    {"Obligations", RULE(ANY ", obligations: [{id: a, with: b}, c]"),
     "p.yaml:4:106: unknown key `with` in the obligation\n"
     "p.yaml:4:116: the obligation is not a mapping of keys to values\n"},
    // Patterns.
    {"PrincipalWithoutType",
     RULE("principals: [staff, any, autenticated], actions: [any], resources: [any]"),
     "p.yaml:4:41: `staff` is not a principal; write `type:id`, `anyone` or `authenticated`\n"
     "p.yaml:4:48: `any` is not a principal; write `type:id`, `anyone` or `authenticated`; did you "
     "mean `anyone`?\n"
     "p.yaml:4:53: `autenticated` is not a principal; write `type:id`, `anyone` or "
     "`authenticated`; did you mean `authenticated`?\n"},
    {"NullPrincipal", RULE("principals: [null], actions: [any], resources: [any]"),
     "p.yaml:4:41: a principal is empty\n"},
    {"PrincipalIsAList", RULE("principals: [[anyone]], actions: [any], resources: [any]"),
     "p.yaml:4:41: a principal is not text\n"},
    {"ResourceWithoutType", RULE("principals: [anyone], actions: [any], resources: [x, '*']"),
     "p.yaml:4:78: `x` is not a resource; write `type:id` or `any`\n"
     "p.yaml:4:81: `*` is not a resource; write `type:id` or `any`; did you mean `any`?\n"},
    {"UnknownRole",
     "reeve: 1\npolicy: p\nroles: {editor: [anyone]}\nrules: [{id: r, effect: allow, principals: "
     "[role:editor, role:editr], actions: [any], resources: [any]}]\n",
     "p.yaml:4:58: role `editr` is not defined in this file; did you mean `editor`?\n"},
    {"ResourceOutsideItsPath",
     RULE("principals: [anyone], actions: [any], resources: ['doc:/a/../b']"),
     "p.yaml:4:78: `doc:/a/../b`: can never match: the entity id has a `.` or `..` segment\n"},
    {"BindingTwice",
     RULE("principals: ['user:{n}'], actions: [any], resources: ['d:{m}', 'd:/{n}/x']"),
     "p.yaml:4:91: `{n}` is bound by another list of this rule; use another name\n"},
    {"BindingInAlternatives",
     RULE("principals: [anyone], actions: [any], resources: ['d:{n}', 'd:/{n}/x']"), ""},
    {"BindingInAction", RULE("principals: [anyone], actions: ['doc.{n}'], resources: [any]"),
     "p.yaml:4:60: `doc.{n}` binds a name in an action; write `*`\n"},
    {"RegexTypo", RULE("principals: [{rex: 'a'}], actions: [any], resources: [any]"),
     "p.yaml:4:42: unknown key `rex` in the pattern of a principal; did you mean `re`?\n"},
    {"BadRegex", RULE("principals: [{re: 'user:('}], actions: [any], resources: [any]"),
     "p.yaml:4:46: `user:(`: missing ): user:(\n"},
    {"SpacesThatDoNotShow",
     RULE("principals: ['user: ada', 'group:staff '], actions: ['doc.read '], resources: [any]"),
     "p.yaml:4:41: a principal `user: ada` has a space at its beginning, its end or behind the "
     "colon; remove it\n"
     "p.yaml:4:54: a principal `group:staff ` has a space at its beginning, its end or behind the "
     "colon; remove it\n"
     "p.yaml:4:81: an action `doc.read ` has a space at its beginning, its end or behind the "
     "colon; "
     "remove it\n"},
    {"VariationSelector",
     RULE("principals: [anyone], actions: [any], resources: ['doc:/ledger\xEF\xB8\x8F/**']"),
     "p.yaml:4:78: a resource `doc:/ledger\xEF\xB8\x8F/**` has the character U+FE0F, which cannot "
     "be "
     "seen or told from a space; remove it\n"},
    {"NoBreakSpace", RULE("principals: ['user:a\xC2\xA0z'], actions: [any], resources: [any]"),
     "p.yaml:4:41: a principal `user:a\\u{a0}z` has the character U+00A0, which cannot be seen or "
     "told from a space; remove it\n"},
    {"StarForEveryAction", RULE("principals: [anyone], actions: ['*'], resources: [any]"),
     "p.yaml:4:60: `*` is not an action; did you mean `any`?\n"},
    {"GlobOfGroups", RULE("principals: ['group:*-guests'], actions: [any], resources: [any]"),
     "p.yaml:4:41: warning: `group:*-guests` matches a principal that is a group, not the members "
     "of "
     "groups; name the groups\n"},
    {"ActionSetMisspelt",
     "reeve: 1\npolicy: p\nactions: {edit: [a, b]}\nrules: [{id: r, effect: deny, principals: "
     "[anyone], actions: [edit, edti, all], resources: [any]}]\n",
     "p.yaml:4:69: warning: `edti` is an action, not an action set; did you mean `edit`?\n"
     "p.yaml:4:75: warning: `all` is an action of that name; write `any` to mean every action\n"},
    {"ActionSetUsedThroughAnother",
     "reeve: 1\npolicy: p\nactions: {inner: [a], outer: [inner], other: [deep], deep: [b]}\nrules: "
     "[{id: r, effect: deny, principals: [anyone], actions: [outer], resources: [any]}]\n",
     "p.yaml:3:39: warning: action set `other` is not used by any rule\n"
     "p.yaml:3:54: warning: action set `deep` is not used by any rule\n"},
    // Roles and action sets.
    {"UnusedRoleAndSet",
     "reeve: 1\npolicy: p\nroles: {editor: [anyone]}\nactions: {edit: [a]}\nrules: [{id: r, "
     "effect: "
     "allow, " ANY "}]\n",
     "p.yaml:3:9: warning: role `editor` is not used by any rule\n"
     "p.yaml:4:11: warning: action set `edit` is not used by any rule\n"},
    {"RoleByCondition",
     "reeve: 1\npolicy: p\nroles: {owner: {when: x}}\nrules: [{id: r, effect: allow, principals: "
     "[role:owner], actions: [any], resources: [any]}]\n",
     "p.yaml:3:16: role `owner` is given by a condition, which this version does not support; list "
     "its principals\n"},
    {"RoleOfRoles",
     "reeve: 1\npolicy: p\nroles: {a: [anyone], b: ['role:a']}\nrules: [{id: r, effect: allow, "
     "principals: ['role:a', 'role:b'], actions: [any], resources: [any]}]\n",
     "p.yaml:3:26: `role:a` is a role, and roles of roles are not supported by this version; list "
     "the "
     "principals\n"},
    {"EmptyRole",
     "reeve: 1\npolicy: p\nroles: {a: []}\nrules: [{id: r, effect: allow, principals: "
     "['role:a'], actions: [any], resources: [any]}]\n",
     "p.yaml:3:12: `a` is empty; list the principals of the role\n"},
    {"ActionSetCycle",
     "reeve: 1\npolicy: p\nactions:\n  a: [x, b]\n  b: [c]\n  c: [a]\nrules: [{id: r, effect: "
     "allow, "
     "principals: [anyone], actions: [a], resources: [any]}]\n",
     "p.yaml:6:7: action set `c` contains itself through `a`\n"},
    {"ActionSetNamedAny",
     "reeve: 1\npolicy: p\nactions: {any: [x]}\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:3:11: `any` means every action; give the set another name\n"},
    // The reader below is at work.
    {"DuplicateKey", RULE("effect: deny, " ANY),
     "p.yaml:4:28: key `effect` is given twice; first at 4:13\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LoadTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

constexpr char kPolicy[] = "reeve: 1\npolicy: p\nrules: [{id: r, effect: allow, " ANY "}]\n";

struct EntityCase {
  const char* name;
  const char* entities;  // behind `entities:`
  const char* issues;    // of the file `e.yaml`
};

std::ostream& operator<<(std::ostream& os, const EntityCase& c) { return os << c.name; }

class LoadEntitiesTest : public testing::TestWithParam<EntityCase> {};

TEST_P(LoadEntitiesTest, LoadsOrReportsAllThatIsWrong) {
  const LoadResult result =
      LoadPolicy({{"e.yaml", std::string("reeve: 1\nentities:") + GetParam().entities + "\n"},
                  {"p.yaml", kPolicy}});
  EXPECT_EQ(Issues(result), GetParam().issues);
  EXPECT_EQ(result.ok(), *GetParam().issues == '\0');
}

#define VALUE(text) " [{id: 'a:1', attributes: {v: " text "}}]"
const EntityCase kEntityCases[] = {
    {"Entity", " [{id: 'a:1', parents: ['b:1', 'b:2'], attributes: {n: 7, s: [x, {y: 1.5}]}}]", ""},
    {"ParentsMayBeUnknown", " [{id: 'a:1', parents: ['b:1']}]", ""},
    {"Empty", " []", "e.yaml:2:11: `entities` is empty; write one or remove the file\n"},
    {"NoId", " [{parents: ['b:1']}]", "e.yaml:2:12: the entity has no `id`\n"},
    {"BadId", " [{id: ada}]", "e.yaml:2:17: `ada` is not an entity; write `type:id`\n"},
    {"RoleIsReserved", " [{id: 'a:1', parents: ['role:p/admin']}]",
     "e.yaml:2:34: `role:p/admin`: the entity type `role` is reserved for roles of a policy\n"},
    {"UnknownKey", " [{id: 'a:1', parent: ['b:1']}]",
     "e.yaml:2:24: unknown key `parent` in the entity; did you mean `parents`?\n"},
    {"Twice", " [{id: 'a:1'}, {id: 'a:1'}]",
     "e.yaml:2:30: entity `a:1` is defined twice; first at 2:17\n"},
    {"Cycle", " [{id: 'x:1'}, {id: 'a:1', parents: ['a:2']}, {id: 'a:2', parents: ['a:1']}]",
     "e.yaml:2:30: parents form a cycle: `a:1` -> `a:2`\n"},
    {"NullValue", VALUE("null"), ""},
    {"MissingValue", " [{id: 'a:1', attributes: {v: , w: 1}}]",
     "e.yaml:2:39: a value is missing; write `null` if that is meant, or `\"\"`\n"},
    {"OtherNull", VALUE("~"),
     "e.yaml:2:40: `~` is another spelling of null; write `null`, or put "
     "it in quotes\n"},
    {"OtherBool", VALUE("True"),
     "e.yaml:2:40: `True` is another spelling of a boolean; write `true` or `false`, or put it in "
     "quotes\n"},
    {"Octal", VALUE("010"),
     "e.yaml:2:40: `010` is not a plain decimal number; write it as one, or put it in quotes\n"},
    {"Hex", VALUE("0x1F"),
     "e.yaml:2:40: `0x1F` is not a plain decimal number; write it as one, or put it in quotes\n"},
    {"Plus", VALUE("+5"),
     "e.yaml:2:40: `+5` is not a plain decimal number; write it as one, or put it in quotes\n"},
    {"NotANumber", VALUE(".nan"),
     "e.yaml:2:40: `.nan` is not a plain decimal number; write it as one, or put it in quotes\n"},
    {"TooLarge", VALUE("9223372036854775808"),
     "e.yaml:2:40: `9223372036854775808` does not fit 64 bits; put it in quotes\n"},
    {"Infinite", VALUE("1e999"),
     "e.yaml:2:40: `1e999` is not a number that a double can hold; put it in quotes\n"},
    {"TooDeep", VALUE("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"),
     "e.yaml:2:55: values are nested more than 16 levels deep\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LoadEntitiesTest, testing::ValuesIn(kEntityCases),
                         [](const auto& info) { return info.param.name; });

TEST(LoadSetTest, NamesAreUniqueInTheSet) {
  const LoadResult result = LoadPolicy({{"b.yaml", kPolicy}, {"a.yaml", kPolicy}});
  EXPECT_EQ(Issues(result), "b.yaml:2:9: policy `p` is defined twice; first at a.yaml:2:9\n");
}

TEST(LoadSetTest, ReportsTheIssuesOfAllFilesByFileAndPlace) {
  const LoadResult result = LoadPolicy({{"b.yaml", "reeve: 1\npolicy: b\nrules: []\n"},
                                        {"a.yaml", "reeve: 1\npolicy: [\n"},
                                        {"c.yaml", kPolicy}});
  ASSERT_EQ(result.issues.size(), 2u) << Issues(result);
  EXPECT_EQ(result.issues[0].file, "a.yaml");
  EXPECT_EQ(result.issues[1].file, "b.yaml");
  EXPECT_FALSE(result.ok());
}

TEST(LoadSetTest, NeedsARule) {
  EXPECT_EQ(Issues(LoadPolicy({{"e.yaml", "reeve: 1\nentities: [{id: 'a:1'}]\n"}})),
            "e.yaml: the set has no file with `policy:`, so it has no rules\n");
}

TEST(LoadSetTest, DigestIsOfTheTextsAndNotOfTheirNamesOrOrder) {
  const std::string entities = "reeve: 1\nentities: [{id: 'a:1'}]\n";
  const auto digest = [](std::vector<SourceFile> files) {
    return std::string(LoadPolicy(std::move(files)).snapshot->digest());
  };
  const std::string one = digest({{"a", kPolicy}, {"b", entities}});
  EXPECT_EQ(one.substr(0, 7), "sha256:");
  EXPECT_EQ(one.size(), 7u + 64);
  EXPECT_EQ(digest({{"z", kPolicy}, {"y", entities}}), one);
  EXPECT_NE(digest({{"a", kPolicy}}), one);
  EXPECT_NE(digest({{"a", std::string(kPolicy) + "# x\n"}, {"b", entities}}), one);
}

TEST(LoadSetTest, KeepsToItsLimits) {
  LoadLimits limits;
  limits.max_rules = 1;
  limits.max_list = 1;
  EXPECT_EQ(Issues(LoadPolicy({{"p.yaml",
                                "reeve: 1\npolicy: p\nrules: [{id: r, effect: allow, principals: "
                                "[anyone, anyone], actions: [any], resources: [any]}]\n"}},
                              limits)),
            "p.yaml:3:44: `principals` has more than 1 items\n");
  EXPECT_EQ(Issues(LoadPolicy(
                {{"p.yaml", kPolicy},
                 {"q.yaml", "reeve: 1\npolicy: q\nrules: [{id: r, effect: allow, " ANY "}]\n"}},
                limits)),
            "q.yaml: the set has more than 1 rules\n");
}

// Small files that would unfold into much: each is refused, or costs what its size says.
TEST(LoadSetTest, DoesNotUnfoldWithoutALimit) {
  std::string doubling = "reeve: 1\npolicy: p\nactions:\n  s0: [a]\n";
  for (int i = 1; i <= 40; ++i) {
    const std::string before = "s" + std::to_string(i - 1);
    doubling += "  s" + std::to_string(i) + ": [" + before + ", " + before + "]\n";
  }
  doubling +=
      "rules: [{id: r, effect: deny, principals: [anyone], actions: [s40], resources: [any]}]\n";
  EXPECT_TRUE(LoadPolicy({{"p.yaml", doubling}}).ok());

  std::string shared = "reeve: 1\npolicy: p\nactions:\n  s: [a0";
  for (int i = 1; i < 2000; ++i) shared += ", a" + std::to_string(i);
  shared += "]\nrules:\n";
  for (int i = 0; i < 600; ++i) {
    shared += "  - {id: r" + std::to_string(i) +
              ", effect: deny, principals: [anyone], actions: [s], resources: [any]}\n";
  }
  EXPECT_NE(Issues(LoadPolicy({{"p.yaml", shared}}))
                .find("action sets of this file stand for more than 1000000 actions in all"),
            std::string::npos);

  std::string regexes = "reeve: 1\npolicy: p\nrules:\n";
  for (int i = 0; i < 200; ++i) {
    regexes +=
        "  - {id: r" + std::to_string(i) +
        ", effect: deny, principals: [anyone], actions: [any], resources: [{re: 'd:(\\pL\\pN){20}" +
        std::to_string(i) + "'}]}\n";
  }
  EXPECT_NE(Issues(LoadPolicy({{"p.yaml", regexes}})).find("have more than 1000000 steps in all"),
            std::string::npos);
}

TEST(LoadSetTest, MeansWhatItSays) {
  const LoadResult result = LoadPolicy({{"p.yaml", R"(reeve: 1
policy: documents
roles:
  editor: [group:staff]
actions:
  edit: [doc.write, doc.rename]
rules:
  - id: editors-edit
    effect: allow
    principals: [role:editor]
    actions: [edit]
    resources: ["doc:/finance/**", folder:drafts]
  - id: never-the-ledger
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: ["doc:/finance/ledger/**"]
    message: Ledger documents are never changed.
    obligations: [{id: page-security}]
)"},
                                        {"e.yaml", R"(reeve: 1
entities:
  - {id: "group:leads", parents: ["group:staff"]}
  - {id: "user:ada", parents: ["group:leads"], attributes: {level: 7}}
  - {id: "doc:plan", parents: ["folder:drafts"]}
)"}});
  ASSERT_TRUE(result.ok()) << Issues(result);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = *Engine::Create(options);
  ASSERT_TRUE(engine->Replace(result.snapshot).ok());
  const Principal ada(EntityId("user", "ada"), Assurance::kAsserted);
  const Principal bob(EntityId("user", "bob"), Assurance::kAsserted);
  const auto reason = [&engine](const Principal& who, const char* action, EntityView what) {
    return engine->Decide(Request(who, action, what)).reason();
  };
  EXPECT_EQ(reason(ada, "doc.write", {"doc", "/finance/q3"}), Reason::kAllowRule);
  EXPECT_EQ(reason(ada, "doc.rename", {"doc", "plan"}), Reason::kAllowRule);
  EXPECT_EQ(reason(ada, "doc.read", {"doc", "/finance/q3"}), Reason::kNoRule);
  EXPECT_EQ(reason(bob, "doc.write", {"doc", "/finance/q3"}), Reason::kNoRule);
  const Decision denied = engine->Decide(Request(ada, "doc.write", {"doc", "/finance/ledger/1"}));
  EXPECT_EQ(denied.reason(), Reason::kDenyRule);
  ASSERT_EQ(denied.rules().size(), 1u);
  EXPECT_EQ(denied.rules()[0]->id, "documents/never-the-ledger");
  EXPECT_EQ(denied.message(), "Ledger documents are never changed.");
  ASSERT_EQ(denied.rules()[0]->obligations.size(), 1u);
  EXPECT_EQ(denied.rules()[0]->obligations[0].id, "page-security");
}

// A directory that lives as long as the test.
class LoadFilesTest : public testing::Test {
 protected:
  LoadFilesTest() {
    std::string path = testing::TempDir() + "/load_XXXXXX";
    root_ = mkdtemp(path.data());
  }
  ~LoadFilesTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  // Issues with the directory's name cut out.
  std::string IssuesOf(const LoadResult& result) const {
    std::string text = Issues(result);
    for (size_t at; (at = text.find(root_.string())) != std::string::npos;) {
      text.erase(at, root_.string().size());
    }
    return text;
  }

  std::filesystem::path root_;
};

TEST_F(LoadFilesTest, ReadsADirectoryRecursively) {
  Write("a.yaml", kPolicy);
  Write("sub/deep/e.yml", "reeve: 1\nentities: [{id: 'a:1'}]\n");
  Write(".hidden.yaml", "not read");
  Write(".git/x.yaml", "not read");
  Write("README.md", "not read");
  Write("x.yaml.bak", "not read");
  const LoadResult result = LoadPolicy(root_);
  ASSERT_TRUE(result.ok()) << Issues(result);
  EXPECT_EQ(result.snapshot->entity_count(), 1u);
}

TEST_F(LoadFilesTest, ReadsOneFileAndEntityFiles) {
  Write("a.yaml", kPolicy);
  Write("e.yaml", "reeve: 1\nentities: [{id: 'a:1'}]\n");
  const LoadResult result = LoadPolicy(root_ / "a.yaml", {root_ / "e.yaml"});
  ASSERT_TRUE(result.ok()) << Issues(result);
  EXPECT_EQ(result.snapshot->entity_count(), 1u);
}

TEST_F(LoadFilesTest, FollowsLinksInsideOnly) {
  // As Kubernetes lays out a ConfigMap: names link through a hidden directory that is swapped.
  Write("..2026/a.yaml", kPolicy);
  std::filesystem::create_directory_symlink("..2026", root_ / "..data");
  std::filesystem::create_symlink("..data/a.yaml", root_ / "a.yaml");
  EXPECT_TRUE(LoadPolicy(root_).ok()) << Issues(LoadPolicy(root_));
  std::filesystem::create_symlink("/etc/hostname", root_ / "out.yaml");
  std::filesystem::create_symlink("nowhere", root_ / "broken.yaml");
  Write("sub/README", "");
  std::filesystem::create_directory_symlink("sub", root_ / "again");
  EXPECT_EQ(IssuesOf(LoadPolicy(root_)),
            "/again: is a symbolic link to a directory, whose files would be read twice\n"
            "/broken.yaml: is a symbolic link that leads nowhere\n"
            "/out.yaml: is a symbolic link that leads out of the directory\n");
}

TEST_F(LoadFilesTest, SaysWhatCannotBeRead) {
  EXPECT_EQ(IssuesOf(LoadPolicy(root_)), ": holds no `*.yaml` file\n");
  EXPECT_EQ(IssuesOf(LoadPolicy(root_ / "x.yaml")),
            "/x.yaml: cannot be read: No such file or directory\n");
  ASSERT_EQ(mkfifo((root_ / "pipe.yaml").c_str(), 0600), 0);
  EXPECT_EQ(IssuesOf(LoadPolicy(root_)), "/pipe.yaml: is not a regular file\n");
  LoadLimits limits;
  limits.max_file_bytes = 10;
  Write("pipe.yaml.d/long.yaml", kPolicy);
  std::filesystem::remove(root_ / "pipe.yaml");
  EXPECT_EQ(IssuesOf(LoadPolicy(root_, {}, limits)),
            "/pipe.yaml.d/long.yaml: is longer than 10 bytes\n");
}

}  // namespace
}  // namespace reeve
