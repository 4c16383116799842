// What LintPolicy() warns of, with its place; and what it does not warn of.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/pattern_cover.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

struct Case {
  const char* name;
  const char* policy;    // the file `p.yaml`, behind `reeve: 1` and `policy: p`
  const char* entities;  // the file `e.yaml`, behind `reeve: 1`; none if empty
  const char* issues;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class LintTest : public testing::TestWithParam<Case> {};

std::vector<SourceFile> FilesOf(const Case& c) {
  std::vector<SourceFile> files = {{"p.yaml", std::string("reeve: 1\npolicy: p\n") + c.policy}};
  if (*c.entities != '\0') files.push_back({"e.yaml", std::string("reeve: 1\n") + c.entities});
  return files;
}

TEST_P(LintTest, WarnsOfAllAndNoMore) {
  const LoadResult result = LintPolicy(FilesOf(GetParam()));
  std::string issues;
  for (const Issue& issue : result.issues) {
    if (issue.warning == Warning::kNoSchema) continue;  // None of them has.
    issues += ToString(issue) + "\n";
    EXPECT_EQ(issue.severity == Issue::Severity::kError, issue.warning == Warning::kNone);
    EXPECT_TRUE(issue.position.line == 0 || !issue.line.empty());
  }
  EXPECT_EQ(issues, GetParam().issues);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.snapshot->digest(), LoadPolicy(FilesOf(GetParam())).snapshot->digest());
}

#define ALLOW(id, who, what, where)                                                                \
  "  - {id: " id ", effect: allow, principals: [" who "], actions: [" what "], resources: [" where \
  "]}\n"
#define ALLOW_WHEN(id, who, what, where, when)                                             \
  "  - {id: " id ", effect: allow, when: " when ", principals: [" who "], actions: [" what \
  "], resources: [" where "]}\n"
#define DENY(id, who, what, where)                                                                \
  "  - {id: " id ", effect: deny, principals: [" who "], actions: [" what "], resources: [" where \
  "]}\n"
#define DENY_WHEN(id, who, what, where, when)                                             \
  "  - {id: " id ", effect: deny, when: " when ", principals: [" who "], actions: [" what \
  "], resources: [" where "]}\n"

const Case kCases[] = {
    {"Good", "rules:\n" ALLOW("r", "group:staff", "doc.read", "'doc:/finance/**'"), "", ""},
    // Clauses.
    {"False", "rules:\n" ALLOW_WHEN("r", "user:a", "x", "d:e", "'1 == 2'"), "",
     "p.yaml:4:34: warning: clause `1 == 2` is false of every request, so the rule allows nothing; "
     "mend it, or remove the rule [clause-never-true]\n"},
    {"FalseAmongOthers",
     "rules:\n" ALLOW_WHEN("r", "user:a", "x", "d:e", "[context.x == 1, context.x == 1 && false]"),
     "",
     "p.yaml:4:51: warning: clause `context.x == 1 && false` is false of every request, so the "
     "rule "
     "allows nothing; mend it, or remove the rule [clause-never-true]\n"},
    {"FalseInADeny", "rules:\n" DENY_WHEN("r", "user:a", "x", "d:e", "'size([]) > 0'"), "",
     "p.yaml:4:33: warning: clause `size([]) > 0` is false of every request, so the rule denies "
     "nothing; mend it, or remove the rule [clause-never-true]\n"},
    {"TrueThroughAName",
     "let: {open: 'true || context.x'}\nrules:\n" ALLOW_WHEN("r", "user:a", "x", "d:e", "open"), "",
     "p.yaml:5:34: warning: clause `open` is true of every request; remove it, or mend it "
     "[clause-always-true]\n"},
    {"NoValue", "rules:\n" DENY_WHEN("r", "user:a", "x", "d:e", "'[1][2] == 3'"), "",
     "p.yaml:4:33: warning: clause `[1][2] == 3` never has a value, so the rule denies as if it "
     "were "
     "true; mend it [clause-never-true]\n"},
    {"RoleOfNobody", "roles: {m: {when: 'false'}}\nrules:\n" ALLOW("r", "role:m", "x", "d:e"), "",
     "p.yaml:3:19: warning: clause `false` is false of every request, so nobody has the role; mend "
     "it, or remove the role [clause-never-true]\n"},
    {"NotConstant",
     "rules:\n" ALLOW_WHEN("r", "user:a", "x", "d:e",
                           "\"context.x == context.x || [1, 2].exists(i, i == context.y)\""),
     "", ""},
    // Denials of what is unknown.
    {"DenyOnUnknown",
     "rules:\n" DENY_WHEN("r", "user:a", "x", "d:e",
                          "[resource.owner != principal.id, \"resource.owner == context.ip\"]"),
     "",
     "p.yaml:4:34: warning: `resource.owner` may be missing, and then this rule denies; write "
     "`has(resource.owner) && …` if it should not [deny-on-unknown]\n"
     "p.yaml:4:66: warning: `context.ip` may be missing, and then this rule denies; write "
     "`has(context.ip) && …` if it should not [deny-on-unknown]\n"},
    {"DenyWithHas",
     "rules:\n" DENY_WHEN("r", "user:a", "x", "d:e",
                          "[has(resource.owner), resource.owner == principal.id]"),
     "", ""},
    {"DenyByWhatIsThere",
     "rules:\n" DENY_WHEN("r", "user:a", "x", "d:e",
                          "\"principal.assurance == 'asserted' || 'a' in principal.groups\""),
     "", ""},
    {"DenyByRoles",
     "roles: {m: [user:a]}\nrules:\n" DENY_WHEN("r", "anyone", "x", "d:e",
                                                "\"'m' in principal.roles\""),
     "", ""},
    {"AllowOnUnknownDoesNotMatch",
     "rules:\n" ALLOW_WHEN("r", "user:a", "x", "d:e", "resource.owner == 1"), "", ""},
    // Allow rules for anyone.
    {"OpenAllow",
     "rules:\n" ALLOW("all", "anyone", "any", "any") ALLOW("action", "anyone", "x", "any")
         ALLOW("resource", "anyone", "any", "d:e") ALLOW("narrow", "anyone", "y", "d:f")
             ALLOW_WHEN("asks", "anyone", "any", "any", "principal.name == 'a'")
                 DENY("deny", "anyone", "any", "d:x"),
     "",
     "p.yaml:4:10: warning: rule `p/all` allows anyone, also who could not be identified, every "
     "action on every resource; name the principals, or write `authenticated` [open-allow]\n"
     "p.yaml:5:10: warning: rule `p/action` allows anyone, also who could not be identified, its "
     "actions on every resource; name the principals, or write `authenticated` [open-allow]\n"
     "p.yaml:5:10: warning: rule `p/action` allows nothing that `p/all` at 4:10 does not; remove "
     "it, "
     "or narrow the other [covered-by-allow]\n"
     "p.yaml:6:10: warning: rule `p/resource` allows anyone, also who could not be identified, "
     "every action on its resources; name the principals, or write `authenticated` [open-allow]\n"
     "p.yaml:6:10: warning: rule `p/resource` allows nothing that `p/all` at 4:10 does not; remove "
     "it, or narrow the other [covered-by-allow]\n"
     "p.yaml:7:10: warning: rule `p/narrow` allows nothing that `p/all` at 4:10 does not; remove "
     "it, "
     "or narrow the other [covered-by-allow]\n"
     "p.yaml:8:10: warning: rule `p/asks` allows nothing that `p/all` at 4:10 does not; remove it, "
     "or narrow the other [covered-by-allow]\n"},
    // Globs.
    {"WideGlobs",
     "rules:\n" ALLOW("r", "user:a", "'doc*', doc.read",
                      "'doc:/finance*', 'doc:/audit**', 'doc:/q-*', 'doc:/f/**', 'page:q*'"),
     "",
     "p.yaml:4:59: warning: `doc*` also matches actions such as `docs.read`; write `doc.*` "
     "[wide-glob]\n"
     "p.yaml:4:91: warning: `doc:/finance*` also matches `doc:/finance-old`; write `doc:/finance` "
     "and `doc:/finance/*`, or only what you mean of them [wide-glob]\n"
     "p.yaml:4:108: warning: `doc:/audit**` also matches `doc:/audit-old`; write `doc:/audit` and "
     "`doc:/audit/**`, or only what you mean of them [wide-glob]\n"},
    {"WideGlobInARole", "roles: {m: ['host:/a*']}\nrules:\n" ALLOW("r", "role:m", "x", "d:e"), "",
     "p.yaml:3:13: warning: `host:/a*` also matches `host:/a-old`; write `host:/a` and "
     "`host:/a/*`, "
     "or only what you mean of them [wide-glob]\n"},
    {"NarrowGlob",
     "rules:\n" ALLOW("r", "'user:*'", "x", "'doc:*'") DENY("s", "user:b", "x", "'doc:/a/**'"), "",
     "p.yaml:4:78: warning: `doc:*` matches no id with a `/`, such as `/a/**`; write `doc:**` "
     "[narrow-glob]\n"},
    // Entities.
    {"Unmatched",
     "roles: {m: [group:boards]}\nrules:\n" ALLOW(
         "r", "role:m, user:eve, user:ada", "x",
         "'doc:/finnance/**', 'doc:/finance/**', 'doc:/finance/*/x', folder:f, other:x, "
         "'page:{p}'"),
     "entities:\n  - {id: 'user:ada', parents: ['group:board']}\n  - {id: group:board}\n"
     "  - {id: 'doc:/finance/q3', parents: [folder:f]}\n  - {id: folder:g}\n",
     "p.yaml:3:13: warning: `group:boards` matches none of the entities of type `group` in this "
     "set; "
     "did you mean `group:board`? [unmatched-pattern]\n"
     "p.yaml:5:49: note: `user:eve` matches none of the entities of type `user` in this set; that "
     "is "
     "well if requests bring others [unmatched-pattern]\n"
     "p.yaml:5:96: warning: `doc:/finnance/**` matches none of the entities of type `doc` in this "
     "set; did you mean `doc:/finance/`? [unmatched-pattern]\n"
     "p.yaml:5:135: note: `doc:/finance/*/x` matches none of the entities of type `doc` in this "
     "set; "
     "that is well if requests bring others [unmatched-pattern]\n"},
    // Rules that are in vain.
    {"CoveredByDeny",
     "roles: {m: [user:a, user:b]}\nrules:\n" ALLOW("a", "role:m", "doc.read", "'doc:/l/{y}/x'")
         DENY("d", "user:c, user:b, user:a", "'doc.*'", "'doc:/l/**'"),
     "",
     "p.yaml:5:10: warning: rule `p/a` allows nothing, because `p/d` at 6:10 denies all of it; "
     "remove "
     "it, or narrow the other [covered-by-deny]\n"},
    // The deny does not see what lies in doc:/l/x under another name.
    {"NotCoveredByDeny",
     "rules:\n" ALLOW("a", "user:a", "x", "'doc:/l/x'") DENY("d", "anyone", "x", "'doc:/l/**'")
         ALLOW("b", "user:a", "y", "d:e, d:f")
             DENY_WHEN("e", "anyone", "y", "any", "principal.name == 'a'")
                 ALLOW("c", "authenticated", "z", "d:e") DENY("f", "'user:*'", "z", "any"),
     "", ""},
    {"CoveredWithTheSameClause",
     "rules:\n" ALLOW_WHEN("a", "user:a", "x", "d:e", "[principal.name == 'a', context.n > 1]")
         DENY_WHEN("d", "anyone", "x", "any", "\"principal.name == 'a'\"")
             ALLOW_WHEN("b", "user:a", "'y.*'", "'d:{n}'", "n == 'a'")
                 DENY_WHEN("e", "user:a", "'y.*'", "'d:{n}'", "n == 'a'"),
     "",
     "p.yaml:4:10: warning: rule `p/a` allows nothing, because `p/d` at 5:10 denies all of it; "
     "remove "
     "it, or narrow the other [covered-by-deny]\n"},
    {"CoveredByAllow",
     "rules:\n" ALLOW("a", "user:a", "'doc.r*d'", "'doc:/a/*'")
         ALLOW("b", "anyone", "'doc.*'", "'doc:/**'"),
     "",
     "p.yaml:4:10: warning: rule `p/a` allows nothing that `p/b` at 5:10 does not; remove it, or "
     "narrow the other [covered-by-allow]\n"},
    {"CoveredByEachOther",
     "rules:\n" ALLOW("a", "user:a", "'doc.*'", "d:e")
         ALLOW("b", "user:a", "'doc.*', doc.x", "d:e"),
     "",
     "p.yaml:5:10: warning: rule `p/b` allows nothing that `p/a` at 4:10 does not; remove it, or "
     "narrow the other [covered-by-allow]\n"},
    {"CoveredButAddsAnObligation",
     "rules:\n" ALLOW("a", "user:a", "'doc.*'",
                      "any") "  - {id: b, effect: allow, principals: [user:a], actions: [doc.x], "
                             "resources: [any], "
                             "obligations: [{id: o}]}\n"
                             "  - {id: c, effect: allow, principals: [user:a], actions: [doc.x], "
                             "resources: [any], "
                             "audit: durable}\n",
     "", ""},
    {"Duplicate",
     "rules:\n" ALLOW_WHEN("a", "user:a, user:b", "x, y", "d:e", "'context.n > 1'")
         ALLOW_WHEN("b", "user:b, user:a", "y, x", "d:e", "[context.n > 1]"),
     "",
     "p.yaml:5:10: warning: rule `p/b` says the same as `p/a` at 4:10; remove one of them "
     "[duplicate-rule]\n"},
    {"Shadow",
     "rules:\n" ALLOW("a", "user:a", "x", "d:e") "  - {id: s, effect: deny, principals: [anyone], "
                                                 "actions: [any], resources: [any], shadow: "
                                                 "true}\n",
     "",
     "p.yaml:5:10: note: rule `p/s` is on trial and decides nothing; remove `shadow` when it is to "
     "count [shadow-rule]\n"},
    // What is accepted.
    {"Accepted",
     "accept: [shadow-rule]\nrules:\n"
     "  - {id: a, effect: allow, principals: [anyone], actions: [any], resources: [any],\n"
     "     accept: [open-allow]}\n"
     "  - {id: s, effect: deny, principals: [anyone], actions: [any], resources: [any], shadow: "
     "true}\n",
     "", ""},
    {"AcceptedInVain",
     "accept: [shadow-rule]\nrules:\n"
     "  - {id: a, effect: allow, principals: [user:a], actions: [any], resources: [any],\n"
     "     accept: [open-allow, open-allow]}\n",
     "accept: [wide-glob]\nentities: [{id: user:a}]\n",
     "e.yaml:2:10: warning: there is no `wide-glob` in this file to accept; remove it "
     "[useless-accept]\n"
     "p.yaml:3:10: warning: there is no `shadow-rule` in this file to accept; remove it "
     "[useless-accept]\n"
     "p.yaml:6:15: warning: there is no `open-allow` in this rule to accept; remove it "
     "[useless-accept]\n"
     "p.yaml:6:27: warning: there is no `open-allow` in this rule to accept; remove it "
     "[useless-accept]\n"},
    {"AcceptedInVainIsAccepted",
     "accept: [shadow-rule, useless-accept]\nrules:\n" ALLOW("a", "user:a", "x", "d:e"), "", ""},
    {"NothingInVainToAccept", "accept: [useless-accept]\nrules:\n" ALLOW("a", "user:a", "x", "d:e"),
     "",
     "p.yaml:3:10: warning: there is no `useless-accept` in this file to accept; remove it "
     "[useless-accept]\n"},
    // Those of the reader are here, too.
    {"Unused", "roles: {m: [user:a]}\nrules:\n" ALLOW("a", "user:a", "x", "d:e"), "",
     "p.yaml:3:9: warning: role `m` is not used by any rule [unused-role]\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LintTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Of what a schema requires a rule need not ask whether it is there.
TEST(LintWithSchemaTest, KnowsWhatMayBeMissing) {
  const std::string schema = R"(reeve: 1
schema: s
entities:
  user: {}
  doc: {attributes: {owner: string, note: {type: string, required: false}}}
  file: {attributes: {owner: string}}
  box: {open: true}
actions:
  read: {principals: [user], resources: [doc, file, box], context: {ip: string}}
  write: {principals: [user], resources: [doc]}
)";
  const struct {
    const char* name;
    const char* resource;
    const char* action;
    const char* clause;
    const char* missing;  // Empty: nothing is warned of.
  } rows[] = {
      {"required", "doc:**", "read", "resource.owner == '' && context.ip == ''", ""},
      {"not required", "doc:**", "read", "resource.note == ''", "resource.note"},
      {"asked for", "doc:**", "read", "has(resource.note) && resource.note == ''", ""},
      {"required of each type", "any", "read", "resource.owner == ''", "resource.owner"},
      {"of two types that have it", "doc:**', 'file:**", "read", "resource.owner == ''", ""},
      {"of another type", "doc:**', 'file:**", "read", "resource.note == ''", "resource.note"},
      {"open", "box:**", "read", "resource.owner == ''", "resource.owner"},
      {"a context of one action", "doc:**", "read', 'write", "context.ip == ''", "context.ip"},
      {"through a name", "doc:**", "read", "named", "resource.owner"},
  };
  for (const auto& row : rows) {
    const std::string text =
        "reeve: 1\npolicy: p\nlet: {named: resource.owner == ''}\nrules:\n  - {id: r, effect: "
        "deny, principals: [user:a], "
        "actions: ['" +
        std::string(row.action) + "'], resources: ['" + row.resource + "'],\n     when: \"" +
        row.clause + "\"}\n";
    const LoadResult result = LintPolicy({{"s.yaml", schema}, {"p.yaml", text}});
    std::string missing;
    for (const Issue& issue : result.issues) {
      if (issue.warning == Warning::kUnusedLet) continue;
      missing += issue.message.substr(1, issue.message.find('`', 1) - 1);
    }
    EXPECT_EQ(missing, row.missing) << row.name;
  }
}

TEST(LintPolicyTest, NamesPlacesInOtherFiles) {
  const std::string rule =
      "  - {id: r, effect: allow, principals: [user:a], actions: [x], resources: [d:e]}\n";
  const LoadResult result = LintPolicy({{"a.yaml", "reeve: 1\npolicy: a\nrules:\n" + rule},
                                        {"b.yaml", "reeve: 1\npolicy: b\nrules:\n" + rule}});
  ASSERT_EQ(result.issues.size(), 2u);
  EXPECT_EQ(result.issues[0].warning, Warning::kNoSchema);
  EXPECT_EQ(ToString(result.issues[1]),
            "b.yaml:4:10: warning: rule `b/r` says the same as `a/r` at a.yaml:4:10; remove one of "
            "them [duplicate-rule]");
}

TEST(LintPolicyTest, LooksForNothingWhereThereAreErrors) {
  const LoadResult result =
      LintPolicy({{"a.yaml", "reeve: 1\npolicy: a\naccept: [open-allow]\nrules:\n" ALLOW(
                                 "r", "anyone", "any", "any")},
                  {"b.yaml", "reeve: 1\npolicy: b\nrules: []\n"}});
  EXPECT_FALSE(result.ok());
  ASSERT_EQ(result.issues.size(), 1u);
  EXPECT_EQ(result.issues[0].file, "b.yaml");
}

// Every warning has one name, and the names are those that can be accepted.
TEST(WarningTest, NamesAreUniqueAndSorted) {
  std::string_view last;
  for (const WarningInfo& info : AllWarnings()) {
    EXPECT_LT(last, info.name);
    last = info.name;
    EXPECT_EQ(NameOf(info.warning), info.name);
    EXPECT_EQ(WarningNamed(info.name), info.warning);
    EXPECT_FALSE(info.summary.empty());
  }
  EXPECT_EQ(AllWarnings().size(), static_cast<size_t>(Warning::kWideGlob));
  EXPECT_EQ(NameOf(Warning::kNone), "");
}

// Of all globs of up to four symbols from a small alphabet: whatever Covers() says is so of all
// short texts.
TEST(PatternCoverTest, IsCertain) {
  const std::vector<std::string> symbols = {"a", "/", "*", "**", "{n}"};
  std::vector<std::string> globs = {""};
  std::vector<std::string> texts = {""};
  for (size_t begin = 0, round = 0; round < 4; ++round) {
    const size_t end = globs.size();
    for (; begin < end; ++begin) {
      for (const std::string& symbol : symbols) globs.push_back(globs[begin] + symbol);
    }
  }
  for (size_t begin = 0, round = 0; round < 5; ++round) {
    const size_t end = texts.size();
    for (; begin < end; ++begin) {
      for (const char* c : {"a", "b", "/"}) texts.push_back(texts[begin] + c);
    }
  }
  struct Known {
    std::vector<Pattern> pattern;
    std::vector<bool> matches;
  };
  std::vector<Known> known;
  for (const std::string& glob : globs) {
    const absl::StatusOr<Pattern> pattern = Pattern::Action("x" + glob);
    if (!pattern.ok() || pattern->kind() != Pattern::Kind::kGlob) continue;
    Known one = {{*pattern}, {}};
    for (const std::string& text : texts)
      one.matches.push_back(pattern->glob().Matches("x" + text));
    known.push_back(std::move(one));
  }
  ASSERT_GT(known.size(), 50u);
  const PatternCover::Roles roles;
  PatternCover cover(roles);
  size_t covered = 0;
  size_t missed = 0;
  for (const Known& outer : known) {
    for (const Known& inner : known) {
      bool is_so = true;
      for (size_t i = 0; i < texts.size() && is_so; ++i) {
        is_so = outer.matches[i] || !inner.matches[i];
      }
      const bool said = cover.Covers(outer.pattern, inner.pattern, PatternOf::kActions);
      ASSERT_TRUE(is_so || !said) << outer.pattern[0].text() << " " << inner.pattern[0].text();
      covered += said;
      missed += is_so && !said;
    }
  }
  EXPECT_GT(covered, known.size());
  EXPECT_LT(missed, covered / 10);
}

}  // namespace
}  // namespace reeve
