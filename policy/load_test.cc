#include "reeve/policy/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
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
  const bool has_error =
      std::any_of(result.issues.begin(), result.issues.end(),
                  [](const Issue& issue) { return issue.severity == Issue::Severity::kError; });
  EXPECT_EQ(result.ok(), !has_error);
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
     "p.yaml: the file is empty; begin it with `reeve: 1` and `policy:`, `entities:`, "
     "`schema:` or `tests:`\n"},
    {"CommentOnly", "# nothing\n",
     "p.yaml: the file is empty; begin it with `reeve: 1` and `policy:`, `entities:`, "
     "`schema:` or `tests:`\n"},
    {"ListRoot", "- a\n",
     "p.yaml:1:1: the file is not a mapping; begin it with `reeve: 1` and `policy:`, "
     "`entities:`, `schema:` or `tests:`\n"},
    {"NoVersion", "policy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:1: every file begins with `reeve: 1`\n"},
    {"OtherVersion", "reeve: 2\npolicy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:8: this version reads files that begin with `reeve: 1`\n"},
    {"QuotedVersion", "reeve: '1'\npolicy: p\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:1:8: this version reads files that begin with `reeve: 1`\n"},
    {"NoKind", "reeve: 1\nrules: []\n",
     "p.yaml:1:1: the file has none of `policy`, `entities`, `schema` and `tests`, so it says "
     "nothing\n"},
    {"TwoKinds", "reeve: 1\npolicy: p\nentities: []\n",
     "p.yaml:3:1: a file is of one kind: `policy`, `entities`, `schema` or `tests`; "
     "make two files\n"},
    {"Schema", "reeve: 1\nschema: x\n",
     "p.yaml:1:1: the schema declares nothing; write `entities` and `actions`, or remove the "
     "file\n"},
    {"BadPolicyName", "reeve: 1\npolicy: a/b\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:2:9: the name of the policy `a/b` is not a name; use letters, digits and `_-.`, and "
     "begin with a letter, a digit or `_`\n"},
    {"UnknownTopKey", "reeve: 1\npolicy: p\nrulez: []\n",
     "p.yaml:3:1: unknown key `rulez` in the policy; did you mean `rules`?\n"},
    {"NoRules", "reeve: 1\npolicy: p\nrules: []\n",
     "p.yaml:3:8: `rules` is empty; write a rule or remove the file\n"},
    {"NullRules", "reeve: 1\npolicy: p\nrules:\n",
     "p.yaml:3:1: `rules` has no value; write one or remove the key\n"},
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
    {"NullWhen",
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
     "p.yaml:4:112: `with` is not a mapping of names to texts\n"
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
     "groups; name the groups [group-glob]\n"},
    {"ActionSetMisspelt",
     "reeve: 1\npolicy: p\nactions: {edit: [a, b]}\nrules: [{id: r, effect: deny, principals: "
     "[anyone], actions: [edit, edti, all], resources: [any]}]\n",
     "p.yaml:4:69: warning: `edti` is an action, not an action set; did you mean `edit`? "
     "[suspect-action]\n"
     "p.yaml:4:75: warning: `all` is an action of that name; write `any` to mean every action "
     "[suspect-action]\n"},
    {"ActionSetUsedThroughAnother",
     "reeve: 1\npolicy: p\nactions: {inner: [a], outer: [inner], other: [deep], deep: [b]}\nrules: "
     "[{id: r, effect: deny, principals: [anyone], actions: [outer], resources: [any]}]\n",
     "p.yaml:3:39: warning: action set `other` is not used by any rule [unused-action-set]\n"
     "p.yaml:3:54: warning: action set `deep` is not used by any rule [unused-action-set]\n"},
    // Roles and action sets.
    {"UnusedRoleAndSet",
     "reeve: 1\npolicy: p\nroles: {editor: [anyone]}\nactions: {edit: [a]}\nrules: [{id: r, "
     "effect: "
     "allow, " ANY "}]\n",
     "p.yaml:3:9: warning: role `editor` is not used by any rule [unused-role]\n"
     "p.yaml:4:11: warning: action set `edit` is not used by any rule [unused-action-set]\n"},
    {"RoleOfRoles",
     "reeve: 1\npolicy: p\nroles: {a: [anyone], b: ['role:a']}\nrules: [{id: r, effect: allow, "
     "principals: ['role:b'], actions: [any], resources: [any]}]\n",
     ""},
    {"RoleOfAMisspeltRole",
     "reeve: 1\npolicy: p\nroles: {editor: [anyone], b: ['role:edtior']}\nrules: [{id: r, effect: "
     "allow, principals: ['role:b'], actions: [any], resources: [any]}]\n",
     "p.yaml:3:9: warning: role `editor` is not used by any rule [unused-role]\n"
     "p.yaml:3:31: role `edtior` is not defined in this file; did you mean `editor`?\n"},
    {"RoleOfItself",
     "reeve: 1\npolicy: p\nroles: {a: [anyone, 'role:a']}\nrules: [{id: r, effect: allow, "
     "principals: ['role:a'], actions: [any], resources: [any]}]\n",
     "p.yaml:3:21: role `a` contains itself: `a` -> `a`; take the role out of one of them\n"},
    {"RolesInCycles",
     "reeve: 1\npolicy: p\nroles:\n  a: ['role:b']\n  b: ['role:c', 'role:b']\n  c: "
     "{principals: ['role:a'], when: action == 'x'}\n  d: ['role:a']\nrules: [{id: r, effect: "
     "allow, "
     "principals: ['role:d'], actions: [any], resources: [any]}]\n",
     "p.yaml:5:17: role `b` contains itself: `b` -> `b`; take the role out of one of them\n"
     "p.yaml:6:20: role `c` contains itself: `a` -> `b` -> `c` -> `a`; take the role out of one of "
     "them\n"},
    {"RolesInALongCycle",
     "reeve: 1\npolicy: p\nroles:\n  a: ['role:b']\n  b: ['role:c']\n  c: ['role:d']\n  d: "
     "['role:e']\n  e: ['role:f']\n  f: ['role:g']\n  g: ['role:h']\n  h: ['role:i']\n  i: "
     "['role:a']\nrules: [{id: r, effect: allow, principals: ['role:a'], actions: [any], "
     "resources: "
     "[any]}]\n",
     "p.yaml:12:7: role `i` contains itself: `a` -> `b` -> `c` -> `d` -> `e` -> `f` -> `g` -> `h` "
     "-> "
     "… (9 in all) -> `a`; take the role out of one of them\n"},
    {"RolesReadByACondition",
     "reeve: 1\npolicy: p\nroles: {a: [anyone]}\nrules: [{id: r, effect: allow, " ANY
     ", when: '\"a\" in principal.roles'}]\n",
     ""},
    {"RolesReadByTheConditionOfARole",
     "reeve: 1\npolicy: p\nlet: {x: principal.roles.size()}\nroles: {a: {when: 'x > 0'}}\nrules: "
     "[{id: r, effect: allow, principals: ['role:a'], actions: [any], resources: [any]}]\n",
     "p.yaml:4:19: the condition of a role reads `principal.roles`, which is made of the roles; "
     "name "
     "the role among `principals`\n"},
    {"RolesReadWithoutRoles",
     RULE(ANY ", when: '\"a\" in principal.roles', message: 'x{principal.roles[0]}'"),
     "p.yaml:4:90: `principal.roles` are the roles of this file, which has none; define one under "
     "`roles`, or call the attribute something else\n"
     "p.yaml:4:128: `principal.roles` are the roles of this file, which has none; define one under "
     "`roles`, or call the attribute something else\n"},
    // Texts with facts.
    {"TextWithFacts",
     RULE(ANY ", message: '{{{principal.id}}}', obligations: [{id: x, with: {to: '{action}'}}]"),
     ""},
    {"BraceThatClosesNothing", RULE(ANY ", message: 'a } b'"),
     "p.yaml:4:96: a `}` that closes nothing; write `}}` for a brace\n"},
    {"BraceThatNothingCloses", RULE(ANY ", message: 'a {{ {b \"}\"'"),
     "p.yaml:4:99: a `{` that nothing closes; write `{{` for a brace\n"},
    {"BracesWithoutAFact", RULE(ANY ", message: 'a { }'"),
     "p.yaml:4:96: no fact stands between the braces; write one, or `{{}}` for braces\n"},
    {"TooManyFacts", RULE(ANY ", message: '{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}'"),
     "p.yaml:4:142: the text has more than 16 facts\n"},
    {"FactOfAnUnknownName", RULE(ANY ", message: 'a {principle.id}'"),
     "p.yaml:4:97: unknown name `principle`; did you mean `principal`?\n"},
    {"FactThatIsNoText", RULE(ANY ", message: 'a {principal.groups}'"),
     "p.yaml:4:106: `string` is not made for (list(string)); it takes (string), (int), (uint) or "
     "others\n"},
    {"FactThatDoesNotParse", RULE(ANY ", message: 'a {1 +}'"),
     "p.yaml:4:100: expected an expression after `+`\n"},
    {"FactThatClosesMore", RULE(ANY ", message: 'a {1) + (2}'"),
     "p.yaml:4:98: `)` closes nothing\n"},
    {"FactWithAComment", RULE(ANY ", message: 'a {1 // one}'"), ""},
    {"FactThatSomePatternsBind",
     RULE(
         "principals: [anyone], actions: [any], resources: ['d:{n}', 'e:x'], message: 'a {n} {n}'"),
     "p.yaml:4:108: `n` is bound by some patterns of `resources` only, so the condition has no "
     "value "
     "for the others; write two rules\n"},
    {"LetUsedByAFact",
     "reeve: 1\npolicy: p\nlet: {who: principal.id}\nrules: [{id: r, effect: allow, " ANY
     ", message: '{who}'}]\n",
     ""},
    {"ParametersThatAreNone", RULE(ANY ", obligations: [{id: x, with: {}}]"),
     "p.yaml:4:112: `with` is empty; write a parameter or remove the key\n"},
    {"ParameterThatIsNoText",
     RULE(ANY ", obligations: [{id: x, with: {to: [a], level: 7, 'a b': c}}]"),
     "p.yaml:4:117: `to` is not text\n"
     "p.yaml:4:129: `level` `7` is not text; put it in quotes if it is meant as text\n"
     "p.yaml:4:132: the name of the parameter `a b` is not a name; use letters, digits and `_-.`, "
     "and "
     "begin with a letter, a digit or `_`\n"},
    {"TooManyParameters",
     RULE(ANY
          ", obligations: [{id: x, with: {a: a, b: a, c: a, d: a, e: a, f: a, g: a, h: a, i: a, "
          "j: a, k: a, l: a, m: a, n: a, o: a, p: a, q: a}}]"),
     "p.yaml:4:112: `with` has more than 16 parameters\n"},
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
    // Warnings that are accepted.
    {"AcceptedByTheFile",
     "reeve: 1\npolicy: p\naccept: [unused-role]\nroles: {editor: [anyone]}\nactions: {edit: "
     "[a]}\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:5:11: warning: action set `edit` is not used by any rule [unused-action-set]\n"},
    {"AcceptedByOneRule",
     "reeve: 1\npolicy: p\nrules:\n"
     "  - {id: r, effect: deny, accept: [group-glob], principals: [anyone], actions: [a], "
     "resources: "
     "[any]}\n"
     "  - {id: s, effect: deny, principals: ['group:a*'], actions: [a], resources: [any]}\n"
     "  - {id: t, effect: deny, principals: ['group:b*'], actions: [a], resources: [any], accept: "
     "[group-glob]}\n",
     "p.yaml:5:40: warning: `group:a*` matches a principal that is a group, not the members of "
     "groups; name the groups [group-glob]\n"},
    {"AcceptWhatIsNoWarning",
     "reeve: 1\npolicy: p\naccept: [unused-rule, xyzzy]\nrules: [{id: r, effect: allow, accept: "
     "[], " ANY "}]\n",
     "p.yaml:3:10: `unused-rule` is not a warning; did you mean `unused-role`?\n"
     "p.yaml:3:23: `xyzzy` is not a warning; `reeve lint --list` names them\n"
     "p.yaml:4:40: `accept` is empty; name a warning or remove the key\n"},
    {"AcceptIsNoList", RULE("accept: open-allow, " ANY),
     "p.yaml:4:36: `accept` is not a list; write `[open-allow]`\n"},
    // The reader below is at work.
    {"DuplicateKey", RULE("effect: deny, " ANY),
     "p.yaml:4:28: key `effect` is given twice; first at 4:13\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LoadTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// A policy with these lines behind `let:`, and with this condition in a rule.
#define LET(lines, when)                \
  "reeve: 1\npolicy: p\nlet:\n" lines   \
  "rules:\n  - {id: r, effect: allow, " \
  "when: " when ", " ANY "}\n"

const Case kLetCases[] = {
    {"Used", LET("  a: context.x > 1\n  b: a && principal.name != ''\n", "b"), ""},
    {"Unused", LET("  a: context.x > 1\n  b: a && true\n", "'true'"),
     "p.yaml:5:3: warning: `b` is not used by any condition [unused-let]\n"},
    {"UsedByARoleOnly",
     "reeve: 1\npolicy: p\nlet: {a: context.x}\nroles: {m: {when: a}}\nrules:\n  - {id: r, "
     "effect: allow, principals: [role:m], actions: [any], resources: [any]}\n",
     ""},
    {"SeenBehindALocalName", LET("  a: context.x\n", "'[1].exists(a, .a)'"), ""},
    {"UnknownName", LET("  a: principl.x\n", "a"),
     "p.yaml:4:6: unknown name `principl`; did you mean `principal`?\n"},
    {"DefinedBelow", LET("  a: later && b\n  later: context.x\n  b: later\n", "a && b"),
     "p.yaml:4:6: `later` is defined below; move its definition up\n"
     "p.yaml:4:15: `b` is defined below; move its definition up\n"},
    {"DefinedByItself", LET("  a: context.x || a\n", "a"),
     "p.yaml:4:19: `a` is defined by itself\n"},
    {"BothDefinedByTheOther", LET("  a: context.x || b\n  b: a\n", "b"),
     "p.yaml:4:19: `b` is defined below; move its definition up\n"},
    {"NamesThatAreTaken",
     LET("  principal: '1'\n  action: '1'\n  resource: '1'\n  context: '1'\n  int: '1'\n  in: '1'\n"
         "  'true': '1'\n  'null': '1'\n  while: '1'\n  string: '1'\n  type: '1'\n",
         "'true'"),
     "p.yaml:4:3: `principal` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:5:3: `action` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:6:3: `resource` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:7:3: `context` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:8:3: `int` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:9:3: `in` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:10:3: `true` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:11:3: `null` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:12:3: `while` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:13:3: `string` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:14:3: `type` cannot be defined: it means something else, or is not an identifier\n"},
    {"NoIdentifiers",
     LET("  a.b: '1'\n  principal.id: '1'\n  .a: '1'\n  a-b: '1'\n  1a: '1'\n  '1': '1'\n"
         "  '': '1'\n  'a b': '1'\n  '`a`': '1'\n  'a ': '1'\n  'a // x': '1'\n  '@result': '1'\n"
         "  h\u00f6he: '1'\n",
         "'true'"),
     "p.yaml:4:3: `a.b` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:5:3: `principal.id` cannot be defined: it means something else, or is not an "
     "identifier\n"
     "p.yaml:6:3: `.a` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:7:3: `a-b` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:8:3: `1a` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:9:3: `1` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:10:3: `` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:11:3: `a b` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:12:3: ``a`` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:13:3: `a ` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:14:3: `a // x` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:15:3: `@result` cannot be defined: it means something else, or is not an identifier\n"
     "p.yaml:16:3: `h\u00f6he` cannot be defined: it means something else, or is not an "
     "identifier\n"},
    // Functions are called, so that a name can be both.
    {"NamesOfFunctions",
     LET("  size: context.x\n  math: context.y\n", "size(\"ab\") == 2 && size && math"), ""},
    {"Empty", LET("  a: ''\n", "a"), "p.yaml:4:6: `a` is empty\n"},
    {"Spaces", LET("  a: ' '\n", "a"), "p.yaml:4:7: there is no expression\n"},
    {"Null", LET("  a:\n", "a"), "p.yaml:4:5: `a` is empty\n"},
    {"Tilde", LET("  a: ~\n", "a"), "p.yaml:4:6: `a` is empty\n"},
    {"List", LET("  a: [b, c]\n", "a"), "p.yaml:4:6: `a` is not text\n"},
    {"Mapping", LET("  a: {b: c}\n", "a"), "p.yaml:4:6: `a` is not text\n"},
    {"Boolean", LET("  a: true\n", "a"),
     "p.yaml:4:6: `a` is the boolean true for YAML; write a condition as text\n"},
    {"Number", LET("  a: 5\n", "context.x < a"),
     "p.yaml:4:6: `a` `5` is not text; put it in quotes if it is meant as text\n"},
    {"NumberInQuotes", LET("  a: '5'\n", "context.x < a"), ""},
    {"NotABool", LET("  a: \"'x'\"\n", "a"),
     "p.yaml:6:34: the condition is of type string; it must be true or false\n"},
    {"ErrorIsReportedOnce", LET("  a: nothing.x\n  b: a + 1\n", "b == 2 && a"),
     "p.yaml:4:6: unknown name `nothing`\n"},
    {"ErrorInTheConditionThatUsesIt", LET("  a: context.x\n", "a && nothing"),
     "p.yaml:6:39: unknown name `nothing`\n"},
    {"SyntaxErrorInTheConditionThatUsesIt", LET("  a: context.x\n", "a &&"),
     "p.yaml:6:38: expected an expression after `&&`\n"},
    {"BadConstant", LET("  a: 'action.matches(\"(\")'\n", "a"),
     "p.yaml:4:22: this is no regular expression: missing ): (\n"},
    {"NotAMapping", "reeve: 1\npolicy: p\nlet: [a]\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:3:6: `let` is not a mapping of names to expressions\n"},
    {"NotAMappingButText",
     "reeve: 1\npolicy: p\nlet: a\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:3:6: `let` is not a mapping of names to expressions\n"},
    {"NoValue", "reeve: 1\npolicy: p\nlet:\nrules: [{id: r, effect: allow, " ANY "}]\n",
     "p.yaml:3:1: `let` has no value; write one or remove the key\n"},
    {"EmptyMapping", "reeve: 1\npolicy: p\nlet: {}\nrules: [{id: r, effect: allow, " ANY "}]\n",
     ""},
    {"Twice", LET("  a: context.x\n  a: context.y\n", "a"),
     "p.yaml:5:3: key `a` is given twice; first at 4:3\n"},
};

INSTANTIATE_TEST_SUITE_P(Let, LoadTest, testing::ValuesIn(kLetCases),
                         [](const auto& info) { return info.param.name; });

// A policy whose rule `r` has this condition.
#define WHEN(condition) RULE(ANY ", when: " condition)

// Eight clauses.
#define C4 "context.a, context.b, context.c, context.d, "
#define C8 C4 C4

const Case kWhenCases[] = {
    {"Text", WHEN("principal.id == resource.owner"), ""},
    {"List", WHEN("[context.x, 'true', action == 'read']"), ""},
    {"NestedList", WHEN("[context.x, [context.y]]"), "p.yaml:4:102: `when` is not text\n"},
    {"Mapping", WHEN("{x: y}"), "p.yaml:4:90: `when` is not text\n"},
    {"MappingInList", WHEN("[{x: y}]"), "p.yaml:4:91: `when` is not text\n"},
    {"Null", WHEN("null"),
     "p.yaml:4:84: `when` has no value; an empty condition does not mean always\n"},
    {"NullInList", WHEN("[context.x, null]"), "p.yaml:4:102: `when` is empty\n"},
    {"EmptyList", WHEN("[]"),
     "p.yaml:4:90: `when` is empty; an empty list of conditions does not mean always\n"},
    {"EmptyText", WHEN("''"), "p.yaml:4:90: `when` is empty\n"},
    {"EmptyTextInList", WHEN("['']"), "p.yaml:4:91: `when` is empty\n"},
    {"Spaces", WHEN("'  '"), "p.yaml:4:91: there is no expression\n"},
    {"CommentOnly", WHEN("'// x'"), "p.yaml:4:91: there is no expression\n"},
    {"Boolean", WHEN("true"),
     "p.yaml:4:90: `when` is the boolean true for YAML; write a condition as text\n"},
    {"BooleanOfOtherCase", WHEN("False"),
     "p.yaml:4:90: `when` is the boolean False for YAML; write a condition as text\n"},
    {"BooleanInList", WHEN("[false]"),
     "p.yaml:4:91: `when` is the boolean false for YAML; write a condition as text\n"},
    {"BooleanInQuotes", WHEN("'true'"), ""},
    {"WordThatYaml11TakesForABoolean", WHEN("yes"), "p.yaml:4:90: unknown name `yes`\n"},
    {"Number", WHEN("1"),
     "p.yaml:4:90: `when` `1` is not text; put it in quotes if it is meant as text\n"},
    {"NumberInQuotes", WHEN("'1'"),
     "p.yaml:4:91: the condition is of type int; it must be true or false\n"},
    {"ThirtyTwoClauses", WHEN("[" C8 C8 C8 C8 "]"), ""},
    {"ThirtyThreeClauses", WHEN("[" C8 C8 C8 C8 "action]"),
     "p.yaml:4:90: rule `r` has more than 32 clauses; join some by `&&`\n"},
    {"NotBool", WHEN("[principal.id + 'x', 'size(action)', '[1]', action, 'null', '{1: 2}', int]"),
     "p.yaml:4:104: the condition is of type string; it must be true or false\n"
     "p.yaml:4:112: the condition is of type int; it must be true or false\n"
     "p.yaml:4:128: the condition is of type list(int); it must be true or false\n"
     "p.yaml:4:134: the condition is of type string; it must be true or false\n"
     "p.yaml:4:143: the condition is of type null; it must be true or false\n"
     "p.yaml:4:151: the condition is of type map(int, int); it must be true or false\n"
     "p.yaml:4:160: the condition is of type type(int); it must be true or false\n"},
    {"DynIsLeftToTheDecision", WHEN("[context.x, principal.y.z, 'dyn(1)']"), ""},
    {"UnknownNames", WHEN("[principl.id == 'x', 'resource.id == context.y + x']"),
     "p.yaml:4:91: unknown name `principl`; did you mean `principal`?\n"
     "p.yaml:4:139: unknown name `x`\n"},
    {"UnknownFunction", WHEN("'starts(action, \"x\") && action.startWith(\"x\")'"),
     "p.yaml:4:91: unknown function `starts`\n"
     "p.yaml:4:121: unknown function `startWith`; did you mean `startsWith`?\n"},
    {"WrongArguments", WHEN("'action.startsWith(1) || action + 1 == \"x\" || size(1) == 1'"),
     "p.yaml:4:109: `startsWith` is not made for string.(int); it takes string.(string)\n"
     "p.yaml:4:122: `+` is not made for (string, int); write `string(1)`\n"
     "p.yaml:4:141: `size` is not made for (int); it takes (string), (bytes), (list(A)) or "
     "others\n"},
    {"WrongNumberOfArguments", WHEN("'action.startsWith() || size() == 1'"),
     "p.yaml:4:98: `startsWith` takes 1 argument, not 0\n"
     "p.yaml:4:114: `size` takes 1 argument, not 0\n"},
    {"ActionHasNoFields", WHEN("action.name == 'x'"),
     "p.yaml:4:96: a value of type string has no field `name`\n"},
    {"BadRegex", WHEN("'action.matches(\"a(b\") && matches(context.x, \"[\")'"),
     "p.yaml:4:106: this is no regular expression: missing ): a(b\n"},
    {"BadRegexWithControlCharacters", WHEN("\"action.matches('[\\\\n\\\\u202e')\""),
     "p.yaml:4:106: this is no regular expression: missing ]: [\\x0a\\u{202e}\n"},
    {"BadTimeZone", WHEN("context.time.getHours('Mars/Base') > 1"),
     "p.yaml:4:112: `Mars/Base` is no time zone; write a name such as `Europe/Berlin`, an offset "
     "such as `+01:00`, or `UTC`\n"},
    {"IsInRole", WHEN("\"principal.isIn('editors')\""),
     "p.yaml:4:106: `editors` names no entity; write `type:id`, such as `group:editors`\n"},
    {"IsInSomeOfRoles", WHEN("\"principal.isIn(['group:a', 'b', 'c'])\""),
     "p.yaml:4:106: `b` names no entity; write `type:id`, such as `group:b`\n"
     "p.yaml:4:106: `c` names no entity; write `type:id`, such as `group:c`\n"},
    {"SyntaxErrors", WHEN("['a b', '(context.x', 'context.x)', 'a = b', '&& a', 'x.all(1, true)']"),
     "p.yaml:4:94: expected an operator before `b`\n"
     "p.yaml:4:99: `(` is not closed\n"
     "p.yaml:4:122: `)` closes nothing\n"
     "p.yaml:4:129: `=` is not an operator; did you mean `==`?\n"
     "p.yaml:4:136: expected an expression, not `&&`\n"
     "p.yaml:4:150: expected the name of a variable, without a dot\n"},
    {"UnexpectedEnd", WHEN("'context.x && '"), "p.yaml:4:103: expected an expression after `&&`\n"},
    {"RoleOfAnotherKind", WHEN("\"principal.isIn('role:p/x')\""),
     "p.yaml:4:106: `role:p/x` is a role, which has no members; name a group\n"},
    // What never has a value.
    {"BadDuration", WHEN("duration('1x') == resource.d"),
     "p.yaml:4:90: this never has a value: cannot be converted: 1x; write hours, minutes and "
     "seconds, such as `720h` or `1h30m`\n"},
    {"BadTimestamp", WHEN("context.time > timestamp('yesterday')"),
     "p.yaml:4:105: this never has a value: cannot be converted: yesterday; write a time such as "
     "`2026-01-01T00:00:00Z`\n"},
    {"BadConversion", WHEN("'int(\"x\") == context.x || ip(\"1.2.3\") == ip(context.y)'"),
     "p.yaml:4:91: this never has a value: cannot be converted: x\n"
     "p.yaml:4:116: this never has a value: cannot be converted: not an IP address; write an "
     "address such as `10.0.0.1`\n"},
    {"DivisionByZero", WHEN("1 / 0 == context.x"), ""},
    // Comments.
    {"CommentInAPlainText",
     "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect: allow\n    principals: [anyone]\n    "
     "actions: [any]\n    resources: [any]\n    when: context.x // one\n      && context.y\n",
     "p.yaml:9:21: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
#define BLOCK(lines)                                                                          \
  "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect: allow\n    principals: [anyone]\n    " \
  "actions: [any]\n    resources: [any]\n    when: " lines
    {"CommentInAFoldedBlock", BLOCK(">\n      context.x // one\n      && context.y // two\n"),
     "p.yaml:10:17: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
    {"CommentOnTheLastLineOfAFoldedBlock", BLOCK(">\n      context.x\n      && context.y // two\n"),
     ""},
    {"CommentBeforeAnEmptyLineOfAFoldedBlock",
     BLOCK(">\n      context.x // one\n\n      && context.y\n"), ""},
    {"SecondCommentOfAFoldedBlock",
     BLOCK(">\n      context.x // one\n\n      && context.y // two\n      && context.z\n"),
     "p.yaml:12:20: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
    {"CommentInALiteralBlock", BLOCK("|\n      context.x // one\n      && context.y // two\n"), ""},
    {"CommentInDoubleQuotes", BLOCK("\"context.x // one\n      && context.y\"\n"),
     "p.yaml:9:22: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
    {"CommentInDoubleQuotesWithALineEnd", BLOCK("\"context.x // one\\n\n      && context.y\"\n"),
     ""},
    {"CommentInSingleQuotes", BLOCK("'context.x // one\n      && context.y'\n"),
     "p.yaml:9:22: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
    {"CommentOnOneLine", WHEN("'context.x // one'"), ""},
    {"SlashesInAText", BLOCK(">\n      context.x == 'a//b'\n      && context.y\n"), ""},
    {"CommentOfALet", LET("  a: >\n    context.x // one\n    && context.y\n", "a"),
     "p.yaml:5:15: this comment also takes the lines below, which YAML joins to its own; "
     "write the condition as a block after `|`\n"},
};

INSTANTIATE_TEST_SUITE_P(When, LoadTest, testing::ValuesIn(kWhenCases),
                         [](const auto& info) { return info.param.name; });

// A policy with these roles, the first of which is `m` and is given.
#define ROLES(roles)                                   \
  "reeve: 1\npolicy: p\nroles: " roles                 \
  "\nrules:\n  - {id: r, effect: allow, principals: [" \
  "role:m], actions: [any], resources: [any]}\n"
// A policy of one rule with these patterns and this condition.
#define BIND(principals, resources, when)                                                   \
  "reeve: 1\npolicy: p\nlet: {limit: '3'}\nrules:\n  - {id: r, effect: allow, principals: " \
  "[" principals "], actions: [any], resources: [" resources "], when: " when "}\n"

const Case kRoleCases[] = {
    {"ByCondition", ROLES("{m: {when: principal.id == resource.owner}}"), ""},
    {"ByConditions", ROLES("{m: {when: [context.x, context.y]}}"), ""},
    {"ByListAndCondition", ROLES("{m: {principals: [group:a], when: context.x}}"), ""},
    {"NoWhen", ROLES("{m: {principals: [group:a]}}"),
     "p.yaml:3:12: role `m` has no `when`; list its principals, or write the condition\n"},
    {"Neither", ROLES("{m: {}}"),
     "p.yaml:3:12: role `m` has no `when`; list its principals, or write the condition\n"},
    {"NullWhen", ROLES("{m: {principals: [group:a], when: }}"),
     "p.yaml:3:36: `when` has no value; an empty condition does not mean always\n"},
    {"EmptyWhen", ROLES("{m: {when: []}}"),
     "p.yaml:3:19: `when` is empty; an empty list of conditions does not mean always\n"},
    {"NullPrincipals", ROLES("{m: {principals: , when: context.x}}"),
     "p.yaml:3:13: `principals` has no value; write one or remove the key\n"},
    {"EmptyPrincipals", ROLES("{m: {principals: [], when: context.x}}"),
     "p.yaml:3:25: `principals` is empty; list the principals of the role\n"},
    {"PrincipalsThatAreNoList", ROLES("{m: {principals: anyone, when: context.x}}"),
     "p.yaml:3:25: `principals` is not a list; write `[anyone]`\n"},
    {"UnknownKey", ROLES("{m: {principals: [group:a], whem: context.x}}"),
     "p.yaml:3:36: unknown key `whem` in role `m`; did you mean `when`?\n"},
    {"OtherUnknownKey", ROLES("{m: {when: context.x, actions: [any]}}"),
     "p.yaml:3:30: unknown key `actions` in role `m`\n"},
    {"ErrorInTheCondition", ROLES("{m: {when: owner == principal.id}}"),
     "p.yaml:3:19: unknown name `owner`\n"},
    {"NotBool", ROLES("{m: {when: principal.id + 'x'}}"),
     "p.yaml:3:32: the condition is of type string; it must be true or false\n"},
    {"TooManyClauses", ROLES("{m: {when: [" C8 C8 C8 C8 "action]}}"),
     "p.yaml:3:19: role `m` has more than 32 clauses; join some by `&&`\n"},
    {"RoleOfRoles", ROLES("{m: {principals: [role:n], when: context.x}, n: [anyone]}"), ""},
    {"BindingInARole", ROLES("{m: {principals: ['user:{n}'], when: n == 'x'}}"),
     "p.yaml:3:26: `user:{n}` binds a name in a role, where no condition can see it; write `*`\n"
     "p.yaml:3:45: unknown name `n`\n"},
    {"BindingsOfRulesAreNotSeen",
     "reeve: 1\npolicy: p\nroles: {m: {when: n == 'x'}}\nrules:\n  - {id: r, effect: allow, "
     "principals: [role:m], actions: [any], resources: ['d:{n}'], when: n == 'x'}\n",
     "p.yaml:3:19: unknown name `n`\n"},
    {"Unused", ROLES("{m: [anyone], n: {when: context.x}}"),
     "p.yaml:3:22: warning: role `n` is not used by any rule [unused-role]\n"},
    {"Text", ROLES("{m: context.x}"), "p.yaml:3:12: `m` is not a list; write `[context.x]`\n"},
    // Bindings.
    {"BindingOfPrincipals", BIND("'user:{n}'", "any", "n == resource.owner && limit > 1"), ""},
    {"BindingOfResources", BIND("anyone", "'d:/{n}/**'", "n == principal.name && limit > 1"), ""},
    {"BindingsOfBoth", BIND("'user:{a}'", "'d:/{b}/**'", "a == b && limit > 1"), ""},
    {"BindingIsText", BIND("'user:{n}'", "any", "n > limit"),
     "p.yaml:5:96: `>` is not made for (string, int)\n"},
    {"BindingOfAllPatterns", BIND("anyone", "'d:{n}', 'e:/x/{n}'", "n == 'x' && limit > 1"), ""},
    {"BindingOfSomePatterns", BIND("anyone", "'d:{n}', 'e:*', any", "'n == \"x\" && limit > 1'"),
     "p.yaml:5:100: `n` is bound by some patterns of `resources` only, so the condition has no "
     "value for the others; write two rules\n"},
    {"BindingOfSomePrincipals",
     BIND("'user:{n}', 'group:a'", "any", "[n == 'x', n != limit, n == 'y']"),
     "p.yaml:5:99: `n` is bound by some patterns of `principals` only, so the condition has no "
     "value for the others; write two rules\n"
     "p.yaml:5:118: `!=` compares values of one type, not string and int\n"},
    {"BindingsOfSomePatternsEach", BIND("anyone", "'d:{a}', 'e:{b}'", "'a == b && limit > 1'"),
     "p.yaml:5:97: `a` is bound by some patterns of `resources` only, so the condition has no "
     "value for the others; write two rules\n"
     "p.yaml:5:97: `b` is bound by some patterns of `resources` only, so the condition has no "
     "value for the others; write two rules\n"},
    {"BindingOfSomePatternsThatIsNotRead", BIND("anyone", "'d:{n}', 'e:*'", "limit > 1"), ""},
    {"BindingOfSomePatternsHiddenByALocalName",
     BIND("anyone", "'d:{n}', 'e:*'", "'[1].exists(n, n == limit)'"), ""},
    {"BindingNamedAsALet", BIND("'user:{limit}'", "any", "limit == 3"),
     "p.yaml:5:41: `{limit}` has another meaning in conditions; use another name\n"},
    {"BindingNamedAsAVariable", BIND("'user:{principal}'", "any", "limit == 3"),
     "p.yaml:5:41: `{principal}` has another meaning in conditions; use another name\n"},
    {"BindingNamedAsAType", BIND("anyone", "'d:{int}'", "limit == 3"),
     "p.yaml:5:78: `{int}` has another meaning in conditions; use another name\n"},
    {"BindingNamedAsALetWithAnError",
     "reeve: 1\npolicy: p\nlet: {a: nothing}\nrules:\n  - {id: r, effect: allow, principals: "
     "['user:{a}'], actions: [any], resources: [any]}\n",
     "p.yaml:3:10: unknown name `nothing`\n"
     "p.yaml:5:41: `{a}` has another meaning in conditions; use another name\n"},
    {"UnknownBinding", BIND("'user:{name}'", "any", "nmae == 'x' && limit > 1"),
     "p.yaml:5:97: unknown name `nmae`; did you mean `name`?\n"},
    {"BindingOfAnotherRule",
     "reeve: 1\npolicy: p\nrules:\n  - {id: r, effect: allow, principals: ['user:{n}'], actions: "
     "[any], resources: [any], when: n == 'x'}\n  - {id: s, effect: allow, " ANY
     ", when: n == 'x'}\n",
     "p.yaml:5:90: unknown name `n`\n"},
};

INSTANTIATE_TEST_SUITE_P(Roles, LoadTest, testing::ValuesIn(kRoleCases),
                         [](const auto& info) { return info.param.name; });

// Where the word `wrong` is found, and what is shown of it.
struct PlaceCase {
  const char* name;
  const char* when;    // behind `when:`, which stands in line 9 from column 5 on
  const char* places;  // line:column+width of each issue
};

std::ostream& operator<<(std::ostream& os, const PlaceCase& c) { return os << c.name; }

class LoadPlaceTest : public testing::TestWithParam<PlaceCase> {};

TEST_P(LoadPlaceTest, IsThatOfTheWord) {
  const std::string text = BLOCK("") + std::string(GetParam().when);
  std::string places;
  for (const Issue& issue : LoadPolicy({{"p.yaml", text}}).issues) {
    if (!places.empty()) places += " ";
    places += std::to_string(issue.position.line) + ":" + std::to_string(issue.position.column) +
              "+" + std::to_string(issue.width);
  }
  EXPECT_EQ(places, GetParam().places);
}

const PlaceCase kPlaceCases[] = {
    {"Plain", "wrong == 1\n", "9:11+5"},
    {"PlainOfSeveralLines", "context.x &&\n        wrong ==\n      wrong.x\n", "10:9+5 11:7+5"},
    {"SingleQuoted", "'context.x == ''a'' && wrong'\n", "9:34+5"},
    {"SingleQuotedOfSeveralLines", "'context.x == ''a''\n        && wrong\n\n      || wrong'\n",
     "10:12+5 12:10+5"},
    {"DoubleQuoted", "\"context.x == \\\"\\u00e9\\\" && wrong\"\n", "9:39+5"},
    {"DoubleQuotedWithAnEscapeInside", "\"context.x && w\\x72ong\"\n", "9:25+8"},
    {"DoubleQuotedLineThatGoesOn", "\"context.x \\\n       && wrong\"\n", "10:11+5"},
    {"Literal", "|\n      context.x\n        && wrong\n      || wrong\n", "11:12+5 12:10+5"},
    {"LiteralThatIsStripped", "|-\n      wrong\n", "10:7+5"},
    {"LiteralBehindAComment", "|  # why\n      // wrong\n      wrong\n", "11:7+5"},
    {"Folded", ">\n      context.x &&\n      wrong\n      || wrong\n", "11:7+5 12:10+5"},
    {"FoldedWithDeeperLines", ">-\n      context.x\n         && wrong\n\n      || wrong\n",
     "11:13+5 13:10+5"},
    {"FlowSequence", "[context.x, wrong, 'wrong']\n", "9:23+5 9:31+5"},
    {"FlowSequenceOfSeveralLines",
     "[context.x,\n      wrong,\n       'context.y &&\n      wrong']\n", "10:7+5 12:7+5"},
    {"BlockSequence",
     "\n      - context.x\n      - wrong\n      - |\n        context.x ||\n"
     "          wrong\n",
     "11:9+5 14:11+5"},
    {"BehindMultiByteCharacters", "'context.x == \"\u00e9\u4e16\U0001F600\" && wrong'\n", "9:34+5"},
    {"OfMultiByteCharacters", "'context.x == \"a\" + \"\u00e9\u4e16\" + 1'\n", "9:36+1"},
    {"BehindATab", "'context.x\t&& wrong'\n", "9:25+5"},
    {"End", "context.x &&\n", "9:23+1"},
    {"EndInQuotes", "'context.x && '\n", "9:24+1"},
    {"EndOfALiteral", "|\n      context.x &&\n", "10:19+1"},
    {"EndOfALiteralWithEmptyLines", "|+\n      context.x &&\n\n\n", "10:19+1"},
    {"EndOfAFolded", ">\n      context.x\n      &&\n", "11:9+1"},
    {"EndInASequence", "[context.x &&, context.y ||]\n", "9:24+1 9:38+1"},
    {"WholeOfALongText", "'context.x == \"a\n       b'\n", "9:25+1"},
    {"TypeOfTheWhole", "'principal.id +   \"x\"'\n", "9:25+1"},
    {"WindowsLineEnds", "|\r\n      context.x &&\r\n      wrong\r\n", "11:7+5"},
};

INSTANTIATE_TEST_SUITE_P(All, LoadPlaceTest, testing::ValuesIn(kPlaceCases),
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

// --- Conditions that would take much time or memory ---

// A policy with these definitions and one rule for each condition.
std::string PolicyOf(const std::string& let, const std::vector<std::string>& conditions) {
  std::string text = "reeve: 1\npolicy: p\n" + let + "rules:\n";
  for (size_t i = 0; i < conditions.size(); ++i) {
    text += "  - {id: r" + std::to_string(i) + ", effect: allow, " ANY ", when: '" + conditions[i] +
            "'}\n";
  }
  return text;
}

std::string Repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// The first issue of the set without its place, or why a decision under it came out as it did.
std::string Outcome(const std::string& text) {
  const LoadResult loaded = LoadPolicy({{"p.yaml", text}});
  if (!loaded.ok()) return loaded.issues[0].message;
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = *Engine::Create(options);
  EXPECT_TRUE(engine->Replace(loaded.snapshot).ok());
  const Principal ada(EntityId("user", "ada"), Assurance::kAsserted);
  Attributes context;
  context.Set("x", Value::Int(1));
  Request request(ada, "read", {"doc", "plan"});
  request.context = &context;
  return std::string(ToString(engine->Decide(request).reason()));
}

std::string LetChain(int length, const std::string& first, const std::string& before,
                     const std::string& between, const std::string& behind) {
  std::string let = "let:\n  a0: '" + first + "'\n";
  for (int i = 1; i < length; ++i) {
    const std::string name = "a" + std::to_string(i - 1);
    let += "  a" + std::to_string(i) + ": '" + before + name + between + name + behind + "'\n";
  }
  return let;
}

TEST(LoadHostileTest, LetsThatUseTheOneBeforeTwice) {
  const char kTooLarge[] = "the expression is too large, with the named ones that it uses";
  EXPECT_EQ(Outcome(PolicyOf(LetChain(1000, "context.x", "", " + ", ""), {"a9 == 1"})), kTooLarge);
  EXPECT_EQ(Outcome(PolicyOf(LetChain(1000, "1", "", " + ", ""), {"a9 == 1"})), kTooLarge);
  EXPECT_EQ(Outcome(PolicyOf(LetChain(1000, "[1]", "[", ", ", "]"), {"a9 == [1]"})), kTooLarge);
}

TEST(LoadHostileTest, LongConditions) {
  const char kTooDeep[] = "the expression is nested more than 200 deep";
  EXPECT_EQ(Outcome(PolicyOf("", {Repeat("context.x == 1 || ", 3600) + "true"})), "allow_rule");
  EXPECT_EQ(Outcome(PolicyOf("", {Repeat("context.x == 1 || ", 3700) + "true"})),
            "`when` is longer than 65536 bytes");
  EXPECT_EQ(Outcome(PolicyOf("", {Repeat("(", 30000)})), kTooDeep);
  EXPECT_EQ(Outcome(PolicyOf("", {Repeat("[", 30000)})), kTooDeep);
  EXPECT_EQ(Outcome(PolicyOf("", {Repeat("u || ", 8000) + "u"})), "unknown name `u`");
}

TEST(LoadHostileTest, ConditionsOfOneTextShareTheirProgram) {
  const std::string text = "context.y.exists(v, v.matches(\"^[a-z]{1,100}$\")) || " +
                           Repeat("context.x == 2 || ", 200) + "false";
  EXPECT_EQ(Outcome(PolicyOf("", std::vector<std::string>(2000, text))), "no_rule");
}

TEST(LoadHostileTest, RegularExpressionsAreCountedOnce) {
  const auto condition = [](int i) {
    return "action.matches(r\"(\\pL\\pN){20}" + std::to_string(i) + "\")";
  };
  EXPECT_EQ(Outcome(PolicyOf("", std::vector<std::string>(200, condition(0)))), "no_rule");
  std::vector<std::string> all;
  for (int i = 0; i < 200; ++i) all.push_back(condition(i));
  EXPECT_EQ(Outcome(PolicyOf("", all)),
            "the regular expressions of this file have more than 1000000 steps in all; write "
            "globs, or simpler expressions");
}

TEST(LoadHostileTest, LongListsOfConstants) {
  EXPECT_EQ(Outcome(PolicyOf("", {"context.x in [" + Repeat("2, ", 9999) + "1]"})), "allow_rule");
  EXPECT_EQ(Outcome(PolicyOf("", {"[" + Repeat("1, ", 9999) + "1].exists(v, v == 2)"})), "no_rule");
}

TEST(LoadHostileTest, ConstantsThatGrow) {
  std::string nest = "1";
  for (int i = 0; i < 40; ++i) nest = "[1, 2, 3].map(v" + std::to_string(i) + ", " + nest + ")";
  EXPECT_EQ(Outcome(PolicyOf("", {nest + " == context.x"})), "limit");
  EXPECT_EQ(Outcome(PolicyOf("", {"[\"ab\"]" + Repeat(".map(s, s + s)", 40) + "[0] == context.x"})),
            "limit");
  std::string many = "context.x == 2";
  for (int i = 0; i < 1500; ++i) many += " || lists.range(9000).size() == " + std::to_string(i);
  EXPECT_EQ(Outcome(PolicyOf("", {many})), "limit");
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
  EXPECT_EQ(denied.rules()[0].id(), "documents/never-the-ledger");
  EXPECT_EQ(denied.message(), "Ledger documents are never changed.");
  ASSERT_EQ(denied.obligations().size(), 1u);
  EXPECT_EQ(denied.obligations()[0].id(), "page-security");
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
