#include "reeve/policy/format.h"

#include <gtest/gtest.h>

#include <string>

namespace reeve {
namespace {

struct Case {
  const char* name;
  const char* text;
  const char* formatted;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class FormatTest : public testing::TestWithParam<Case> {};

TEST_P(FormatTest, LaysOutCanonically) {
  const FormatResult result = FormatFile({"p.yaml", GetParam().text});
  for (const Issue& issue : result.issues) ADD_FAILURE() << ToString(issue);
  ASSERT_TRUE(result.text.has_value());
  EXPECT_EQ(*result.text, GetParam().formatted);
  const FormatResult again = FormatFile({"p.yaml", *result.text});
  ASSERT_TRUE(again.text.has_value());
  EXPECT_EQ(*again.text, *result.text);
}

// A policy with these lines in front of its only rule.
#define RULE                   \
  "rules:\n"                   \
  "  - id: r\n"                \
  "    effect: allow\n"        \
  "    principals: [user:a]\n" \
  "    actions: [x]\n"         \
  "    resources: [d:e]\n"
#define POLICY(lines) "reeve: 1\npolicy: p\n" lines RULE

const Case kCases[] = {
    {"Canonical", POLICY("\n"), POLICY("\n")},
    {"OneLine",
     "{reeve: 1, rules: [{resources: ['d:e'], actions: [\"x\"], principals: [user:a], effect: "
     "allow, id: r}], "
     "policy: p}\n",
     POLICY("\n")},
    {"KeysInOrder",
     "reeve: 1\nrules:\n- shadow: true\n  audit: durable\n  obligations: [{id: o}]\n  message: m\n"
     "  when: context.x\n  resources: [d:e]\n  actions: [x]\n  principals: [user:a]\n"
     "  effect: deny\n  description: d\n  id: r\n  accept: [shadow-rule]\n"
     "actions: {s: [x]}\nlet: {b: 'true', a: b}\nroles: {m: {when: a, principals: [user:c]}}\n"
     "accept: [unused-role]\ndescription: d\npolicy: p\n",
     "reeve: 1\npolicy: p\ndescription: d\naccept: [unused-role]\n\n"
     "roles:\n  m: {principals: [user:c], when: a}\n\n"
     "let:\n  b: \"true\"\n  a: b\n\n"
     "actions:\n  s: [x]\n\n"
     "rules:\n  - id: r\n    description: d\n    effect: deny\n    principals: [user:a]\n"
     "    actions: [x]\n    resources: [d:e]\n    when: context.x\n    message: m\n"
     "    obligations: [{id: o}]\n    audit: durable\n    shadow: true\n"
     "    accept: [shadow-rule]\n"},
    {"EmptyLines",
     "\n\nreeve: 1\n\n\npolicy: p\nroles:\n\n  a: [user:a]\n\n\n  b: [user:b]\n  c: [user:c]\n"
     "rules:\n\n  - id: r\n\n    effect: allow\n    principals: [role:a, role:b, role:c]\n\n\n"
     "    actions: [x]\n    resources: [d:e]\n"
     "  - {id: s, effect: deny, principals: [user:a], actions: [x], resources: [d:e]}\n\n\n",
     "reeve: 1\n\npolicy: p\n\nroles:\n  a: [user:a]\n\n  b: [user:b]\n  c: [user:c]\n\n"
     "rules:\n  - id: r\n    effect: allow\n    principals: [role:a, role:b, role:c]\n"
     "    actions: [x]\n    resources: [d:e]\n\n"
     "  - id: s\n    effect: deny\n    principals: [user:a]\n    actions: [x]\n"
     "    resources: [d:e]\n"},
    {"Quotes",
     "reeve: 1\nentities:\n  - id: 'user:ada'\n    attributes:\n      a: 'plain'\n      b: \"7\"\n"
     "      c: 'yes'\n      d: \"2020-01-01\"\n      e: '1_000'\n      f: \"it's\"\n"
     "      g: 'say \"hi\" \\ '\n      h: \"a: b\"\n      i: 'a # b'\n      j: 'a,b'\n"
     "      k: \"tab\\there\"\n      l: '-x'\n      'm n': ''\n      'null': null\n      o: "
     "\"line\\n\"\n"
     "      p: no\n      q: 1.50\n      r: 'a:b'\n      s: '12:30'\n      t: 'ends:'\n      u: "
     "'\xC3\xA9'\n",
     "reeve: 1\n\nentities:\n  - id: user:ada\n    attributes:\n      a: plain\n      b: \"7\"\n"
     "      c: \"yes\"\n      d: \"2020-01-01\"\n      e: \"1_000\"\n      f: it's\n"
     "      g: 'say \"hi\" \\ '\n      h: \"a: b\"\n      i: \"a # b\"\n      j: a,b\n"
     "      k: \"tab\\there\"\n      l: \"-x\"\n      m n: \"\"\n      \"null\": null\n"
     "      o: \"line\\n\"\n      p: \"no\"\n      q: 1.50\n      r: a:b\n      s: \"12:30\"\n"
     "      t: \"ends:\"\n      u: \xC3\xA9\n"},
    {"QuotesInBrackets",
     "reeve: 1\nentities:\n  - {id: user:a, attributes: {a: 'x?', b: \"it's\", c: '{}', d: 'p q', "
     "e: [], f: {}}}\n",
     "reeve: 1\n\nentities:\n  - {id: user:a, attributes: {a: \"x?\", b: \"it's\", c: \"{}\", d: p "
     "q, "
     "e: [], f: {}}}\n"},
    {"LongListsAreBlocks",
     POLICY(
         "roles: {m: ['user:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'user:bbbbbbbbbbbbbbbbbbbbbbbbbbbbb', "
         "user:ccccccccccccccc],\n"
         "  o: ['user:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'user:bbbbbbbbbbbbbbbbbbbbbbbbbbbbb', "
         "user:cccccccccccccccc]}\n"),
     POLICY("\nroles:\n"
            "  m: [user:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, user:bbbbbbbbbbbbbbbbbbbbbbbbbbbbb, "
            "user:ccccccccccccccc]\n"
            "  o:\n    - user:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
            "    - user:bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n    - user:cccccccccccccccc\n\n")},
    {"Clauses", POLICY("") "    when: [context.a, 'context.b == \"c, d\"']\n",
     POLICY("\n") "    when:\n      - context.a\n      - context.b == \"c, d\"\n"},
    {"LinesOfTextAreKept",
     POLICY(
         "description: >-\n    Who may\n    read.\n\n    And write.\n") "    when: context.a\n     "
                                                                        "     "
                                                                        "&& context.b\n    "
                                                                        "message: \"one\n\n      "
                                                                        "two \\\n      three\"\n",
     POLICY("description: >-\n  Who may\n  read.\n\n  And write.\n\n") "    when: context.a\n      "
                                                                       "&& context.b\n    message: "
                                                                       "\"one\n\n      two \\\n    "
                                                                       "  three\"\n"},
    {"Blocks",
     POLICY("") "    when:\n    - |+\n       context.a ||\n         context.b\n\n    - >\n      "
                "context.c\n"
                "    description: |-\n           - a\n\n            b\n\n\n",
     "reeve: 1\npolicy: p\n\nrules:\n  - id: r\n    description: |-\n      - a\n\n       b\n"
     "    effect: allow\n    principals: [user:a]\n    actions: [x]\n    resources: [d:e]\n"
     "    when:\n      - \"context.a ||\\n  context.b\\n\\n\"\n      - >\n        context.c\n"},
    {"CarriageReturns", "reeve: 1\r\npolicy: p\r\ndescription: |\r\n    a\r\n    b\r\n" RULE,
     POLICY("description: |\n  a\n  b\n\n")},
    {"Markers", "--- # c\nreeve: 1\npolicy: p\n" RULE "...\n# end\n",
     "# c\nreeve: 1\npolicy: p\n\n" RULE "# end\n"},
    {"Comments",
     "# a\n\n# b\n\nreeve: 1\npolicy: p # c\n# d\nrules: # e\n  # f\n  - # g\n    # h\n    id: r # "
     "i\n"
     "    effect: allow\n    # j\n    principals: [user:a] # k\n    actions: [ # l\n      x, # m\n"
     "      # n\n      z\n      # o\n      ] # p\n    resources: [d:e]\n    # q\n  # r\n\n  # s\n# "
     "t\n",
     "# a\n\n# b\n\nreeve: 1\npolicy: p  # c\n\n# d\nrules:  # e\n  # f\n  # g\n  # h\n  - id: r  "
     "# i\n"
     "    effect: allow\n    # j\n    principals: [user:a]  # k\n    # l\n    actions:  # p\n"
     "      - x  # m\n      # n\n      - z\n      # o\n    resources: [d:e]\n    # q\n  # r\n\n  # "
     "s\n"
     "# t\n"},
    {"CommentsBetweenRules",
     POLICY("\n") "\n  # - id: old\n  #   effect: deny\n\n  # new\n"
                  "  - {id: s, effect: deny, principals: [user:a], actions: [x], resources: [d:e]} "
                  " # s\n",
     POLICY("\n") "\n  # - id: old\n  #   effect: deny\n\n  # new\n  # s\n  - id: s\n    effect: "
                  "deny\n"
                  "    principals: [user:a]\n    actions: [x]\n    resources: [d:e]\n"},
    {"ListsInLists",
     "reeve: 1\nentities:\n- id: user:a\n  attributes:\n    x:\n    - - 1\n      # c\n      - 2\n"
     "    - # d\n      - 3\n    -\n      k: 4\n      l: 5\n",
     "reeve: 1\n\nentities:\n  - id: user:a\n    attributes:\n      x:\n        - - 1\n          # "
     "c\n"
     "          - 2\n        # d\n        - [3]\n        - {k: 4, l: 5}\n"},
    {"CommentOfTheFirstOfAListInAList",
     "reeve: 1\nentities:\n- id: user:a\n  attributes:\n    x:\n    - -\n        # c\n        k: "
     "4\n",
     "reeve: 1\n\nentities:\n  - id: user:a\n    attributes:\n      x:\n        # c\n"
     "        - [{k: 4}]\n"},
    {"CommentInAnEmptyList",
     "reeve: 1\nentities:\n  - id: user:a\n    attributes: {x: [ # c\n      ]}\n",
     "reeve: 1\n\nentities:\n  - id: user:a\n    attributes:\n      x: []  # c\n"},
};

INSTANTIATE_TEST_SUITE_P(All, FormatTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(FormatErrorTest, LeavesAlone) {
  const struct {
    const char* text;
    const char* issue;
  } cases[] = {
      {"",
       "p.yaml: the file is empty; begin it with `reeve: 1` and `policy:`, `entities:`, `schema:` "
       "or `tests:`"},
      {"a: [", "p.yaml:1:4: `[` is never closed"},
      {"reeve: 1\npolicy: p\nrulez: []\n",
       "p.yaml:3:1: unknown key `rulez` in the policy; did you mean `rules`?"},
      {"reeve: 1\npolicy: p\nrules: []\n",
       "p.yaml:3:8: `rules` is empty; write a rule or remove the file"},
  };
  for (const auto& c : cases) {
    const FormatResult result = FormatFile({"p.yaml", c.text});
    EXPECT_FALSE(result.text.has_value()) << c.text;
    ASSERT_FALSE(result.issues.empty()) << c.text;
    EXPECT_EQ(ToString(result.issues[0]), c.issue);
  }
}

// Warnings are no errors: what lint says is not fmt's affair.
TEST(FormatErrorTest, PassesOverWarnings) {
  const FormatResult result = FormatFile({"p.yaml", POLICY("\nroles:\n  unused: [user:a]\n\n")});
  EXPECT_TRUE(result.issues.empty());
  EXPECT_EQ(result.text, POLICY("\nroles:\n  unused: [user:a]\n\n"));
}

}  // namespace
}  // namespace reeve
