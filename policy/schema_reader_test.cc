// What schema files say, and what policies and entities beside them are held to. A row for each
// message, with its place.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

std::string Issues(const LoadResult& result) {
  std::string text;
  for (const Issue& issue : result.issues) text += ToString(issue) + "\n";
  return text;
}

constexpr char kSchema[] = R"(reeve: 1
schema: documents
entities:
  group: {parents: [group]}
  user:
    parents: [group]
    attributes:
      level: int
      email: {type: string, required: false}
      address: {fields: {city: string, zip: {type: int, required: false}}, required: false}
      tags: list(string)
      homes: {type: list, of: {fields: {city: string}}, required: false}
      limits: {type: map(int), required: false}
      hired: {type: timestamp, required: false}
      leave: {type: duration, required: false}
      score: {type: double, required: false}
      size: {type: uint, required: false}
      extra: {type: any, required: false}
  token: {open: true}
  folder: {parents: [folder], attributes: {owner: string}}
  doc: {parents: [folder], attributes: {owner: string, pages: {type: int, required: false}}}
actions:
  doc.read: {principals: [user, token], resources: [doc]}
  doc.write: {principals: [user], resources: [doc], context: {reason: string}}
  folder.list: {principals: [user], resources: [folder]}
context:
  secure: {type: bool, required: false}
)";

// Says nothing that a schema could be against.
constexpr char kPolicy[] =
    R"(reeve: 1
policy: p
rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: [any]}]
)";

struct Case {
  const char* name;
  std::vector<SourceFile> files;
  const char* issues;  // Empty: it loads.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class SchemaReaderTest : public ::testing::TestWithParam<Case> {};

TEST_P(SchemaReaderTest, LoadsOrReportsAllThatIsWrong) {
  const std::string want = GetParam().issues;
  const LoadResult result = LoadPolicy(GetParam().files);
  EXPECT_EQ(Issues(result), want);
  const bool warnings_only = want.empty() || want.find(": warning: ") != std::string::npos;
  EXPECT_EQ(result.ok(), warnings_only && want.find("declare") == std::string::npos);
  for (const Issue& issue : result.issues) EXPECT_NE(issue.line, "") << ToString(issue);
  // The order of files does not matter.
  std::vector<SourceFile> reversed(GetParam().files.rbegin(), GetParam().files.rend());
  EXPECT_EQ(Issues(LoadPolicy(reversed)), want);
}

const Case kCases[] = {
    {"Fits",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.level > 2 && resource.owner == principal.id
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"Minimal",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     ""},
    {"Nothing",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
description: x
)y"}},
     R"y(s.yaml:1:1: the schema declares nothing; write `entities` and `actions`, or remove the file
)y"},
    {"UnknownKey",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entitys: {}
)y"}},
     R"y(s.yaml:1:1: the schema declares nothing; write `entities` and `actions`, or remove the file
s.yaml:3:1: unknown key `entitys` in the schema; did you mean `entities`?
)y"},
    {"EntitiesNoMapping",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: [u]
)y"}},
     R"y(s.yaml:3:11: `entities` is not a mapping of types to what they are
)y"},
    {"EntitiesEmpty",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {}
)y"}},
     R"y(s.yaml:3:11: `entities` is empty; write a type or remove the key
)y"},
    {"ActionsNoMapping",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
actions: [a]
)y"}},
     R"y(s.yaml:3:10: `actions` is not a mapping of actions to what they apply to
)y"},
    {"ActionsEmpty",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
actions: {}
)y"}},
     R"y(s.yaml:3:10: `actions` is empty; write an action or remove the key
)y"},
    {"NoActions",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}}
)y"}},
     R"y(s.yaml:2:9: no schema of the set declares actions; write them under `actions`
)y"},
    {"NoEntities",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
actions: {a: {principals: [anyone], resources: [any]}}
)y"}},
     R"y(s.yaml:2:9: no schema of the set declares entity types; write them under `entities`
)y"},
    {"TypeName",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {"1u": {}, role: {}, "a b": {}}
actions: {a: {principals: [anyone], resources: [any]}}
)y"}},
     R"y(s.yaml:3:12: `1u` cannot be an entity type
s.yaml:3:22: `role` cannot be an entity type: roles are what a policy grants
s.yaml:3:32: `a b` cannot be an entity type
)y"},
    {"TypeWithoutValue",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: }
)y"}},
     R"y(s.yaml:3:12: entity type `u` has no value; write `{}` if there is nothing to say of it
)y"},
    {"TypeUnknownKey",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {parent: [u]}}
)y"}},
     R"y(s.yaml:3:16: unknown key `parent` in entity type `u`; did you mean `parents`?
)y"},
    {"ParentUndeclared",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {parents: [usr, uu]}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:26: entity type `usr` is not declared
s.yaml:3:31: entity type `uu` is not declared; did you mean `u`?
)y"},
    {"ParentOfAnId",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {parents: ["u:x"]}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:26: `u:x` is not an entity type; write `u`
)y"},
    {"ParentsEmptyOrTwice",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {parents: []}, d: {parents: [u, u]}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:25: `parents` is empty; remove the key if there are none
s.yaml:3:47: `u` is listed twice; remove one
)y"},
    {"OpenNoBool",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {open: yes}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:22: `open` is neither `true` nor `false`
)y"},
    {"ReservedAttributes",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {id: string, host: string}}, d: {attributes: {name: int, host: string}}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:29: `id` is reserved: conditions read a part of the entity's name by it; give the attribute another name
s.yaml:3:74: `name` is reserved: conditions read a part of the entity's name by it; give the attribute another name
)y"},
    {"ReservedContext",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
context: {time: timestamp}
)y"}},
     R"y(s.yaml:5:11: `time` is reserved: conditions read the time of the decision by it; remove it
)y"},
    {"ReservedContextOfAction",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d], context: {time: timestamp}}}
)y"}},
     R"y(s.yaml:4:58: `time` is reserved: conditions read the time of the decision by it; remove it
)y"},
    {"UnknownTypes",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {a: strin, b: long, c: Bool, d: list, e: "map(string, int)", f: list(strng), g: 7, h: [int], i: object, j: "", k: }}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:32: `strin` is not a type; did you mean `string`?
s.yaml:3:42: `long` is not a type; did you mean `int`?
s.yaml:3:51: `Bool` is not a type; did you mean `bool`?
s.yaml:3:60: `list` is not a type; did you mean `list(any)`?
s.yaml:3:69: `map(string, int)` is not a type: keys are strings always; write `map(int)`
s.yaml:3:92: `strng` is not a type; did you mean `string`?
s.yaml:3:108: the type of `g` `7` is not text; put it in quotes if it is meant as text
s.yaml:3:114: `h` is not a mapping of keys to values
s.yaml:3:124: `object` is not a type; did you mean `map(any)`?
s.yaml:3:132: `j` has no type; write one, or `any`
s.yaml:3:139: `k` has no type; write one, or `any`
)y"},
    {"LongForms",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {a: {typ: int}, b: {required: true}, c: {type: list}, d: {type: int, of: int}, e: {type: int, fields: {x: int}}, f: {type: int, required: no}, g: {type: list, of: {type: int, required: false}}, h: {fields: {}}, i: {type: [int]}}}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:33: unknown key `typ` in `a`; did you mean `type`?
s.yaml:3:47: `b` has no `type`; write one, or `fields`
s.yaml:3:75: `c` is a list of what? Write `of`, or `list(any)`
s.yaml:3:101: `of` goes with the types `list` and `map` only; remove it
s.yaml:3:130: `e` has `fields`, so it is a record; remove `type` and `of`
s.yaml:3:166: `required` is neither `true` nor `false`
s.yaml:3:203: unknown key `required` in `g`
s.yaml:3:234: `h` has an empty list of names; remove the key
s.yaml:3:249: the type of `i` is not text; write `fields` for a record
)y"},
    {"TooDeep",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {a: "list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(int))))))))))))))))"}}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:3:32: values are nested more than 16 levels deep
)y"},
    {"DeepEnough",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {a: "list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(int)))))))))))))))"}}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     ""},
    {"ActionWords",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {"doc.*": {principals: [u], resources: [d]}, any: {principals: [u], resources: [d]}, a: {principals: [u], resources: [d]}}
)y"}},
     R"y(s.yaml:4:11: `doc.*` cannot be an action; a schema names each action
s.yaml:4:55: `any` cannot be an action; a schema names each action
)y"},
    {"ActionWithoutLists",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {}, b: {principals: [], resources: [any]}, c: {principal: [u], resources: [d]}, d: }
)y"}},
     R"y(s.yaml:4:11: action `a` has no `principals`
s.yaml:4:11: action `a` has no `resources`
s.yaml:4:34: `principals` is empty; write `[anyone]` to mean every type
s.yaml:4:61: unknown key `principal` in action `c`; did you mean `principals`?
s.yaml:4:94: action `d` has no value; write its `principals` and `resources`
)y"},
    {"ActionOfUndeclared",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [usr, anyon], resources: [doc, anyone]}}
)y"}},
     R"y(s.yaml:4:28: entity type `usr` is not declared
s.yaml:4:33: entity type `anyon` is not declared; did you mean `anyone`?
s.yaml:4:53: entity type `doc` is not declared
s.yaml:4:58: entity type `anyone` is not declared
)y"},
    {"ContextAlsoOfAction",
     {{"p.yaml", kPolicy}, {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d], context: {x: int, y: bool}}}
context: {x: string, y: bool}
)y"}},
     R"y(s.yaml:4:58: `x` of the context of `a` is `int` here and `string` at 5:11; make them the same
s.yaml:5:11: `x` of the context of `a` is `string` here and `int` at 4:58; make them the same
)y"},
    {"TwoKinds",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules: [{id: r, effect: deny, principals: [anyone], actions: [any], resources: [any]}]
schema: s
)y"}},
     R"y(p.yaml:4:1: a file is of one kind: `policy`, `entities`, `schema` or `tests`; make two files
)y"},
    {"TwoFiles",
     {{"p.yaml", kPolicy},
      {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"},
      {"t.yaml", R"y(reeve: 1
schema: t
entities: {u: {parents: [g], attributes: {x: int}}, g: {}}
actions: {b: {principals: [u], resources: [g]}}
)y"}},
     ""},
    {"SameTwice",
     {{"p.yaml", kPolicy},
      {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {x: {fields: {a: int, b: int}}}}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"},
      {"t.yaml", R"y(reeve: 1
schema: t
entities: {u: {attributes: {x: {fields: {b: int, a: int}}}}}
)y"}},
     ""},
    {"Contradiction",
     {{"p.yaml", kPolicy},
      {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {attributes: {x: int, y: int, z: list(int)}}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
context: {c: int}
)y"},
      {"t.yaml", R"y(reeve: 1
schema: t
entities: {u: {attributes: {x: string, y: {type: int, required: false}, z: list(int)}}}
context: {c: bool}
)y"}},
     R"y(s.yaml:3:29: `x` of `u` is `int` here and `string` at t.yaml:3:29; make them the same
s.yaml:3:37: `y` of `u` is `int` here and `int`, not required at t.yaml:3:40; make them the same
s.yaml:5:11: `c` of the context is `int` here and `bool` at t.yaml:4:11; make them the same
t.yaml:3:29: `x` of `u` is `string` here and `int` at s.yaml:3:29; make them the same
t.yaml:3:40: `y` of `u` is `int`, not required here and `int` at s.yaml:3:37; make them the same
t.yaml:4:11: `c` of the context is `bool` here and `int` at s.yaml:5:11; make them the same
)y"},
    {"SameName",
     {{"p.yaml", kPolicy},
      {"s.yaml", R"y(reeve: 1
schema: s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"},
      {"t.yaml", R"y(reeve: 1
schema: s
entities: {x: {}}
)y"}},
     R"y(t.yaml:2:9: schema `s` is defined twice; first at s.yaml:2:9
)y"},
    {"EscapedKey",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules: [{id: r, effect: deny, principals: ["x:1"], actions: [any], resources: [any]}]
)y"},
      {"s.yaml", R"y(reeve: 1
"\x73chema": s
entities: {u: {}, d: {}}
actions: {a: {principals: [u], resources: [d]}}
)y"}},
     R"y(p.yaml:3:44: entity type `x` is not declared by the schema; did you mean `d`?
)y"},
    {"Misspelt",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      resource.ownr == "x"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:15: `doc` has no `ownr`; did you mean `owner`?
)y"},
    {"MisspeltInHas",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      has(principal.emial)
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:7: `user` has no `emial`; did you mean `email`?
)y"},
    {"MisspeltOptional",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.?emial.orValue("") == ""
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:16: `user` has no `emial`; did you mean `email`?
)y"},
    {"MisspeltIndex",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal["emial"] == ""
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:16: `user` has no `emial`; did you mean `email`?
)y"},
    {"WrongType",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.level == "7"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:23: `==` compares values of one type, not int and string
)y"},
    {"Nested",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.address.ciy == "Bonn"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:24: `address` has no `ciy`; did you mean `city`?
)y"},
    {"NestedType",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.address.zip == "5"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:29: `==` compares values of one type, not int and string
)y"},
    {"InList",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.homes.exists(h, h.ciy == "x")
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:34: `homes` has no `ciy`; did you mean `city`?
)y"},
    {"ListType",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      7 in principal.tags
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:9: `in` looks for int in list(string), which never holds one
)y"},
    {"MapOfInt",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.limits.anything > 3 && principal.limits["x"] > "a"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:62: `>` is not made for (int, string)
)y"},
    {"Any",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.extra.x[3] > 2
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"Reserved",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.groups.exists(g, g == "x") && principal.host != principal.name && resource.id != ""
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"ReservedOfPrincipals",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      resource.host == "x"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:15: `doc` has no `host`
)y"},
    {"Context",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      context.secure && context.time > timestamp("2026-01-01T00:00:00Z")
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"ContextMisspelt",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      context.secur
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:14: the context of `doc.read` has no `secur`; did you mean `secure`?
)y"},
    {"ContextOfAnotherAction",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      context.reason == "x"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:14: the context of `doc.read` has no `reason`
)y"},
    {"ContextOfOneOfTheActions",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read, doc.write]
    resources: ["doc:/**"]
    when: |
      context.reason == "x"
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"ResourceTypes",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [any]
    resources: [any]
    when: |
      resource.pages > 3
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"NoneOfTheTypes",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [any]
    resources: [any]
    when: |
      resource.level > 3
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:15: none of `doc`, `folder` has `level`
)y"},
    {"GlobOfAnotherType",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [folder.list]
    resources: ["folder:*"]
    when: |
      resource.pages > 3
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:15: `folder` has no `pages`
)y"},
    {"AGlobIsOfItsTypeOnly",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [any]
    resources: ["folder:*"]
    when: |
      resource.pages > 3
)y"},
      {"s.yaml", kSchema}},
     "p.yaml:10:15: `folder` has no `pages`\n"},
    {"InAFolder",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: [folder:f]
    when: |
      resource.pages > 3
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"ByTheAction",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [folder.list]
    resources: [any]
    when: |
      resource.pages > 3
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:15: `folder` has no `pages`
)y"},
    {"PrincipalByGroup",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.level > 3
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"PrincipalOpen",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [anyone]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.whatever > 3 && principal.level > 3
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"PrincipalOpenAlone",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: ["token:*"]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.whatever > 3
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"Anonymous",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: ["anonymous:*"]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.level > 3
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:16: `anonymous` has no `level`
)y"},
    {"WholeRecords",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      "level" in principal && size(principal.address) > 1 && principal.address == {"city": "x"} && principal.all(k, k != "x")
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"RecordIsNotText",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.address == "x"
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:25: `==` compares values of one type, not {city: string, zip: int or missing} and string
)y"},
    {"RecordIsNeverNull",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.address == null
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:10:25: `==` compares values of one type, not {city: string, zip: int or missing} and null; this {city: string, zip: int or missing} is never null
)y"},
    {"Role",
     {{"p.yaml", R"y(reeve: 1
policy: p
roles:
  a: {principals: ["user:*"], when: principal.levl > 3}
rules:
  - id: r
    effect: allow
    principals: [role:a]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      1 == 1
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:46: `user` has no `levl`; did you mean `level`?
)y"},
    {"RoleOfAnyone",
     {{"p.yaml", R"y(reeve: 1
policy: p
roles:
  a: {when: principal.level > 3}
rules:
  - id: r
    effect: allow
    principals: [role:a]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      1 == 1
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"RoleOfTokens",
     {{"p.yaml", R"y(reeve: 1
policy: p
roles:
  a: ["user:*"]
rules:
  - id: r
    effect: allow
    principals: [role:a]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      principal.emial == ""
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:12:16: `user` has no `emial`; did you mean `email`?
)y"},
    {"Let",
     {{"p.yaml", R"y(reeve: 1
policy: p
let:
  owns: resource.ownr == principal.id
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      owns
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:17: none of `doc`, `folder` has `ownr`; did you mean `owner`?
)y"},
    {"LetElsewhere",
     {{"p.yaml", R"y(reeve: 1
policy: p
let:
  long: resource.pages > 3
  both: long && principal.level > 3
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [folder.list]
    resources: ["folder:*"]
    when: |
      both
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:13:7: `both` cannot be used here: `folder` has no `pages`
)y"},
    {"LetHere",
     {{"p.yaml", R"y(reeve: 1
policy: p
let:
  long: resource.pages > 3
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [doc.read]
    resources: ["doc:/**"]
    when: |
      long
)y"},
      {"s.yaml", kSchema}},
     ""},
    {"Types",
     {{"p.yaml", R"y(reeve: 1
policy: p
roles:
  a: ["gruop:x"]
rules:
  - id: r
    effect: allow
    principals: ["usr:ada", "user:*"]
    actions: [doc.raed, "dox.*", "doc.*", x]
    resources: ["dok:/**", "file:x"]
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:3: warning: role `a` is not used by any rule [unused-role]
p.yaml:4:7: entity type `gruop` is not declared by the schema; did you mean `group`?
p.yaml:8:18: entity type `usr` is not declared by the schema; did you mean `user`?
p.yaml:9:15: `doc.raed` is not an action that the schema declares; did you mean `doc.read`?
p.yaml:9:25: `dox.*` matches no action that the schema declares
p.yaml:9:43: `x` is not an action that the schema declares
p.yaml:10:17: entity type `dok` is not declared by the schema; did you mean `doc`?
p.yaml:10:28: entity type `file` is not declared by the schema
)y"},
    {"ActionSets",
     {{"p.yaml", R"y(reeve: 1
policy: p
actions:
  both: [doc.read, doc.wriet]
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [both]
    resources: ["doc:/**"]
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:20: `doc.wriet` is not an action that the schema declares; did you mean `doc.write`?
)y"},
    {"Impossible",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [user:*]
    actions: [folder.list]
    resources: ["doc:/**"]
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:9: warning: this rule can never match: by the schema none of its actions is for its principals and applies to its resources [impossible-rule]
)y"},
    {"ImpossiblePrincipal",
     {{"p.yaml", R"y(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: ["token:*"]
    actions: [doc.write]
    resources: ["doc:/**"]
)y"},
      {"s.yaml", kSchema}},
     R"y(p.yaml:4:9: warning: this rule can never match: by the schema none of its actions is for its principals and applies to its resources [impossible-rule]
)y"},
    {"EntityFits",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "user:ada", parents: ["group:g"], attributes: {level: 7, tags: [a], address: {city: Bonn}, homes: [{city: Bonn}], limits: {a: 1}, extra: [1, null]}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     ""},
    {"EntityReads",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "user:ada", attributes: {hired: "2026-11-20T09:00:00Z", leave: 1h30m, score: 1, size: 3}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     ""},
    {"EntityType",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "usr:ada"}
  - {id: "user:ada", parents: ["grp:x", "folder:f", "group:g"]}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     R"y(e.yaml:3:10: entity type `usr` is not declared by the schema; did you mean `user`?
e.yaml:4:32: entity type `grp` is not declared by the schema
e.yaml:4:41: `user` cannot lie in `folder` by the schema; add it to its `parents` there
)y"},
    {"EntityNames",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "user:ada", attributes: {levl: 1, address: {town: x, zip: 1}, homes: [{city: 7}, {}]}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     R"y(e.yaml:3:35: `user` has no `levl` by the schema; did you mean `level`?
e.yaml:3:53: `address` lacks `city`, which the schema requires
e.yaml:3:54: `address` has no `town` by the schema
e.yaml:3:87: `city` is `7`, and the schema says `string`; put it in quotes if it is meant as text
e.yaml:3:91: `homes` lacks `city`, which the schema requires
)y"},
    {"EntityValues",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "user:ada", attributes: {level: "7", tags: x, address: x, limits: {a: x}, hired: yesterday, leave: long, score: x, size: -1, email: 7}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     R"y(e.yaml:3:42: `level` is `7`, and the schema says `int`
e.yaml:3:53: `tags` is `x`, and the schema says `list(string)`
e.yaml:3:65: `address` is `x`, and the schema says `{city: string, zip: int or missing}`
e.yaml:3:80: `a` is `x`, and the schema says `int`
e.yaml:3:91: `hired` is `yesterday`, and the schema says `timestamp`; write it as "2026-11-20T09:00:00Z"
e.yaml:3:109: `leave` is `long`, and the schema says `duration`; write it as "1h30m"
e.yaml:3:122: `score` is `x`, and the schema says `double`
e.yaml:3:131: `size` is `-1`, and the schema says `uint`
e.yaml:3:142: `email` is `7`, and the schema says `string`; put it in quotes if it is meant as text
)y"},
    {"EntityListForMap",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "user:ada", attributes: {tags: {a: b}, address: [x], email: null}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     R"y(e.yaml:3:41: `tags` is a map, and the schema says `list(string)`
e.yaml:3:58: `address` is a list, and the schema says `{city: string, zip: int or missing}`
e.yaml:3:70: `email` is `null`, and the schema says `string`; put it in quotes if it is meant as text
)y"},
    {"EntityReservedAndOpen",
     {{"e.yaml", R"y(reeve: 1
entities:
  - {id: "token:t", attributes: {id: 1, x: [1]}}
)y"},
      {"p.yaml", kPolicy},
      {"s.yaml", kSchema}},
     ""},
};
INSTANTIATE_TEST_SUITE_P(All, SchemaReaderTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// One note, at the first policy, if there is no schema; `accept` is for it, too.
TEST(SchemaReaderTest, LintAsksForASchema) {
  const auto count = [](const LoadResult& result) {
    return std::count_if(result.issues.begin(), result.issues.end(),
                         [](const Issue& issue) { return issue.warning == Warning::kNoSchema; });
  };
  const std::string policy = kPolicy;
  EXPECT_EQ(count(LintPolicy({{"p.yaml", policy}})), 1);
  EXPECT_EQ(count(LoadPolicy({{"p.yaml", policy}})), 0);
  EXPECT_EQ(count(LintPolicy({{"p.yaml", policy + "accept: [no-schema]\n"}})), 0);
  EXPECT_EQ(count(LintPolicy({{"p.yaml", policy}, {"s.yaml", kSchema}})), 0);
}

TEST(SchemaReaderTest, ReadsWhatItSays) {
  const LoadResult result = LoadPolicy({{"p.yaml", kPolicy}, {"s.yaml", kSchema}});
  ASSERT_TRUE(result.ok()) << Issues(result);
  const Schema* const schema = result.snapshot->schema();
  ASSERT_NE(schema, nullptr);
  std::string text;
  for (const Schema::EntityType& type : schema->entities) {
    text += (type.open ? "open " : "") + type.name + " in";
    for (const std::string& parent : type.parents) text += " " + parent;
    text += " " + ToString(SchemaType::Record(type.attributes)) + "\n";
  }
  for (const Schema::Action& action : schema->actions) {
    text += action.name + " by";
    for (const std::string& type : action.principals) text += " " + type;
    text += " to";
    for (const std::string& type : action.resources) text += " " + type;
    text += " " + ToString(SchemaType::Record(action.context)) + "\n";
  }
  text += ToString(SchemaType::Record(schema->context));
  EXPECT_EQ(text,
            "doc in folder {owner: string, pages: int or missing}\n"
            "folder in folder {owner: string}\n"
            "group in group {}\n"
            "open token in {}\n"
            "user in group {address: {city: string, zip: int or missing} or missing, email: string "
            "or missing, extra: any or missing, hired: timestamp or missing, homes: list({city: "
            "string}) or missing, leave: duration or missing, level: int, limits: map(int) or "
            "missing, score: double or missing, size: uint or missing, tags: list(string)}\n"
            "anonymous in {}\n"
            "doc.read by token user to doc {}\n"
            "doc.write by user to doc {reason: string}\n"
            "folder.list by user to folder {}\n"
            "{secure: bool or missing}");
  EXPECT_EQ(LoadPolicy({{"p.yaml", kPolicy}}).snapshot->schema(), nullptr);
}

// What a file of entities says is of the type that the schema says, and conditions see it so.
TEST(SchemaReaderTest, DecidesByWhatFilesSay) {
  const LoadResult result = LoadPolicy({{"s.yaml", kSchema},
                                        {"p.yaml", R"(reeve: 1
policy: p
rules:
  - id: r
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: [folder:f]
    when:
      - principal.hired < timestamp("2027-01-01T00:00:00Z") && principal.leave == duration("90m")
      - principal.score == 1.0 && principal.size == 3u && principal.level == 7
      - resource.owner == principal.id
)"},
                                        {"e.yaml", R"(reeve: 1
entities:
  - {id: "folder:f", attributes: {owner: bob}}
  - {id: "doc:a", parents: ["folder:f"], attributes: {owner: ada}}
  - {id: "user:ada", parents: ["group:staff"], attributes: {tags: [], hired: "2026-11-20T09:00:00Z",
     leave: 1h30m, score: 1, size: 3}}
)"}});
  ASSERT_TRUE(result.ok()) << Issues(result);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  auto engine = Engine::Create(options);
  ASSERT_TRUE(engine.ok());
  ASSERT_TRUE((*engine)->Replace(result.snapshot).ok());
  Principal ada = testing::MakePrincipal("user:ada");
  ada.assurance = Assurance::kAsserted;
  const EntityId doc = testing::MakeId("doc:a");
  EXPECT_EQ((*engine)->Decide({ada, "doc.read", doc}).error(),
            "`user` lacks the attribute `level`, which is required");
  ada.attributes.Set("level", Value::Int(7));
  const Decision got = (*engine)->Decide({ada, "doc.read", doc});
  EXPECT_EQ(got.reason(), Reason::kAllowRule) << got.error();
  EXPECT_EQ(testing::Ids(got.rules()), "p/r");
  EXPECT_EQ((*engine)->Decide({ada, "doc.write", doc}).error(),
            "the context of `doc.write` lacks the field `reason`, which is required");
}

}  // namespace
}  // namespace reeve
