#include "policy/cel/checker.h"

#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "policy/cel/parser.h"
#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

Type T(std::string_view text) {
  auto type = ParseType(text);
  EXPECT_TRUE(type.ok()) << text;
  return *type;
}

// `name:type` of each variable.
Environment With(const std::vector<std::string>& variables, std::string container = "") {
  Environment environment;
  for (const std::string& variable : variables) {
    const size_t colon = variable.find(':');
    environment.AddVariable(variable.substr(0, colon), T(variable.substr(colon + 1)));
  }
  environment.SetContainer(std::move(container));
  return environment;
}

const Environment& Usual() {
  static const Environment* const usual = new Environment(
      With({"i:int", "u:uint", "d:double", "s:string", "b:bool", "by:bytes", "t:timestamp",
            "du:duration", "l:list(int)", "m:map(string, int)", "o:optional_type(int)", "x:dyn",
            "principal:map(string, dyn)", "resource:map(string, dyn)", "com.example.limit:int"}));
  return *usual;
}

Ast Tree(std::string_view source, bool expand_macros = true) {
  std::vector<Defect> defects;
  ParseOptions options;
  options.expand_macros = expand_macros;
  auto ast = Parse(source, options, &defects);
  EXPECT_TRUE(ast.has_value()) << source << ": " << (defects.empty() ? "" : defects[0].message);
  return ast ? *std::move(ast) : Tree("null");
}

// `4-7: what is wrong`, a line for each defect.
std::string Text(const std::vector<Defect>& defects) {
  std::vector<std::string> lines;
  for (const Defect& defect : defects) {
    lines.push_back(absl::StrCat(defect.place.begin, "-", defect.place.end, ": ", defect.message));
  }
  return absl::StrJoin(lines, "\n");
}

// The type of `source`, or its defects.
std::string Outcome(std::string_view source, const Environment& environment,
                    bool check_types = true) {
  CheckOptions options;
  options.check_types = check_types;
  std::vector<Defect> defects;
  const auto checked = Check(Tree(source), environment, options, &defects);
  EXPECT_EQ(checked.has_value(), defects.empty());
  return checked ? ToString(checked->type()) : Text(defects);
}

struct Row {
  const char* name;
  const char* source;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const Row& row) { return os << row.name; }
std::string NameOf(const testing::TestParamInfo<Row>& info) { return info.param.name; }

TEST(Type, ReadsWhatItWrites) {
  for (const char* text : {"dyn", "null", "bool", "int", "uint", "double", "string", "bytes",
                           "timestamp", "duration", "type", "type(int)", "list(map(string, dyn))",
                           "optional_type(int)", "net.IP", "tuple(A, list(B), int)", "error"}) {
    EXPECT_EQ(ToString(T(text)), text);
  }
  EXPECT_EQ(T("type_param(Key)"), Type::Parameter("Key"));
  EXPECT_EQ(T("T"), Type::Parameter("T"));
  EXPECT_EQ(T("abstract(optional_type, int)"), Type::Optional(Type::Of(TypeKind::kInt)));
  EXPECT_EQ(T("abstract(tuple)").name, "tuple");
  EXPECT_EQ(T("list"), Type::List(Type::Dyn()));
  EXPECT_EQ(T("map"), Type::Map(Type::Dyn(), Type::Dyn()));
  EXPECT_EQ(T(" map( string ,int ) "), T("map(string, int)"));
  EXPECT_EQ(T("google.protobuf.Timestamp"), Type::Of(TypeKind::kTimestamp));
}

TEST(Type, RefusesWhatIsNone) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "list(";
  for (const std::string& text :
       {std::string(), std::string("strnig"), std::string("list()"), std::string("list(int"),
        std::string("list(int, int)"), std::string("map(int)"), std::string("int(int)"),
        std::string("int int"), std::string("list(int))"), std::string("type(int, int)"),
        std::string("type_param()"), std::string("type_param(A, int)"), std::string("abstract"),
        std::string("()"), std::string("list(,int)"), deep}) {
    EXPECT_EQ(ParseType(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Environment, DeclaresWhatTheEngineHas) {
  std::set<std::string> declared;
  for (const auto& [name, overloads] : Environment::Standard().functions()) {
    // Operators, and what macros make of accumulators, are no functions.
    if (name.find('_') != std::string::npos || name == op::kIn || name == op::kAppend ||
        name == op::kPut) {
      continue;
    }
    declared.insert(name);
    const Function* function = FindFunction(name);
    if (function == nullptr) continue;
    for (const Overload& overload : overloads) {
      EXPECT_LE(function->min_arguments, overload.arguments.size()) << name;
      if (function->max_arguments == kAnyNumber) continue;
      EXPECT_FALSE(overload.variadic) << name;
      EXPECT_GE(function->max_arguments, overload.arguments.size()) << name;
    }
  }
  std::set<std::string> there;
  for (const Function& function : Functions()) there.insert(std::string(function.name));
  EXPECT_EQ(declared, there);
}

class TypeOfTest : public testing::TestWithParam<Row> {};

TEST_P(TypeOfTest, IsDeduced) { EXPECT_EQ(Outcome(GetParam().source, Usual()), GetParam().want); }

const Row kTypes[] = {
    {"Null", "null", "null"},
    {"Bytes", "b'a'", "bytes"},
    {"Uint", "1u", "uint"},
    {"EmptyList", "[]", "list(dyn)"},
    {"EmptyMap", "{}", "map(dyn, dyn)"},
    {"List", "[1, 2]", "list(int)"},
    {"MixedList", "[1, 'a']", "list(dyn)"},
    {"ListWithDyn", "[1, dyn(1)]", "list(dyn)"},
    {"NestedEmptyLists", "[[], [[]], [[[]]]]", "list(list(list(list(dyn))))"},
    {"EmptyThenFull", "[[], [1]]", "list(list(int))"},
    {"FullThenEmpty", "[[1], []]", "list(list(int))"},
    {"NullAmongOptionals", "[o, null]", "list(optional_type(int))"},
    {"OptionalAfterNull", "[null, t]", "list(timestamp)"},
    {"Map", "{'a': 1}", "map(string, int)"},
    {"MixedMap", "{'a': 1, 2: 'b'}", "map(dyn, dyn)"},
    {"OptionalElement", "[?o, 2]", "list(int)"},
    {"OptionalEntry", "{?'a': o}", "map(string, int)"},
    {"Add", "1 + 2", "int"},
    {"AddTimes", "t + du", "timestamp"},
    {"SubtractTimes", "t - t", "duration"},
    {"AddLists", "[1] + []", "list(int)"},
    {"AddDyn", "x + 1", "int"},
    {"AddDyns", "x + x", "dyn"},
    {"CompareNumbers", "1 < 2.0 && 1u >= i && d > u", "bool"},
    {"EqualDyn", "x == 1 && 1.0 == dyn(i)", "bool"},
    {"EqualNull", "t == null || o != null", "bool"},
    {"ManyTerms", "b && b && x && b", "bool"},
    {"Conditional", "b ? 1 : 2", "int"},
    {"ConditionalDyn", "b ? 1 : x", "dyn"},
    {"ConditionalOfEmpty", "b ? [] : [1]", "list(int)"},
    {"In", "1 in l && 'a' in m && x in x", "bool"},
    {"IndexList", "l[0]", "int"},
    {"IndexMap", "m['a']", "int"},
    {"IndexDyn", "x[0]", "dyn"},
    {"IndexOptional", "optional.of(l)[0]", "optional_type(int)"},
    {"OptionalIndex", "m[?'a']", "optional_type(int)"},
    {"SelectMap", "m.a", "int"},
    {"SelectDyn", "principal.a.b.c", "dyn"},
    {"SelectOptional", "optional.of(m).a", "optional_type(int)"},
    {"OptionalSelect", "m.?a", "optional_type(int)"},
    {"OptionalSelectChain", "m.?a.orValue(1)", "int"},
    {"Has", "has(m.a)", "bool"},
    {"TypeValue", "type(1)", "type(int)"},
    {"TypesAreEqual", "type(1) == string", "bool"},
    {"TypeOfType", "type(type(1)) == type", "bool"},
    {"TypeName", "google.protobuf.Timestamp", "type(timestamp)"},
    {"Filter", "l.filter(e, e > 1)", "list(int)"},
    {"MapMacro", "l.map(e, string(e))", "list(string)"},
    {"MapOfMap", "m.map(k, k + 'a')", "list(string)"},
    {"MapOfEmpty", "[].map(e, e)", "list(dyn)"},
    {"SelectOfUnknown", "([].map(e, e))[0].foo", "dyn"},
    {"AllOfDyn", "x.all(e, e)", "bool"},
    {"TwoVariables", "m.transformList(k, v, v)", "list(int)"},
    {"IndexAndElement", "['a'].transformList(n, v, n)", "list(int)"},
    {"TransformMap", "m.transformMap(k, v, k)", "map(string, string)"},
    {"TransformMapEntry", "m.transformMapEntry(k, v, {v: k})", "map(int, string)"},
    {"ExistsOne", "l.exists_one(e, e == 1)", "bool"},
    {"SortBy", "['a'].sortBy(e, e.size())", "list(string)"},
    {"Bind", "cel.bind(a, 1, [a, a])", "list(int)"},
    {"BindShadows", "cel.bind(s, 1, s + 1)", "int"},
    {"OptMap", "o.optMap(v, string(v))", "optional_type(string)"},
    {"OptFlatMap", "o.optFlatMap(v, optional.of('a'))", "optional_type(string)"},
    {"OptionalNone", "[optional.none(), o]", "list(optional_type(int))"},
    {"Size", "size(s) + s.size() + l.size() + size(m)", "int"},
    {"Greatest", "math.greatest(1, 2, 3)", "int"},
    {"GreatestMixed", "math.greatest(1, 2.0, 3u)", "dyn"},
    {"GreatestDyn", "math.greatest(1, x)", "dyn"},
    {"GreatestOfList", "math.least([1.0, 2.0])", "double"},
    {"Sort", "[3, 1].sort()", "list(int)"},
    {"Flatten", "[[1], [2]].flatten()", "list(int)"},
    {"Split", "'a b'.split(' ')", "list(string)"},
    {"Network", "cidr('10.0.0.0/8').containsIP('10.1.1.1')", "bool"},
    {"CidrIp", "cidr('10.0.0.0/8').ip()", "net.IP"},
    {"NamespacedOverMember", "ip.isCanonical('1.2.3.4')", "bool"},
    {"Regex", "regex.extract('a', 'b')", "optional_type(string)"},
    {"IsIn",
     "principal.isIn('group:a') || resource.isIn(['a', 'b']) || principal.manager.isIn('a')",
     "bool"},
};
INSTANTIATE_TEST_SUITE_P(All, TypeOfTest, testing::ValuesIn(kTypes), NameOf);

class DefectTest : public testing::TestWithParam<Row> {};

TEST_P(DefectTest, IsToldAtItsPlace) {
  EXPECT_EQ(Outcome(GetParam().source, Usual()), GetParam().want);
}

const Row kDefects[] = {
    {"MisspeltName", "princpal.name == \"ada\"",
     "0-8: unknown name `princpal`; did you mean `principal`?"},
    {"MisspeltLiteral", "principal.nam && tru", "17-20: unknown name `tru`; did you mean `true`?"},
    {"TwoNames", "resorce.owner == principal.id && princpal.x",
     "0-7: unknown name `resorce`; did you mean `resource`?\n"
     "33-41: unknown name `princpal`; did you mean `principal`?"},
    {"MisspeltPath", "com.exmple.limit > 1",
     "0-3: unknown name `com.exmple.limit`; did you mean `com.example.limit`?"},
    {"Case", "Principal", "0-9: unknown name `Principal`; did you mean `principal`?"},
    {"FunctionAsName", "size", "0-4: `size` is a function; write `size(...)`"},
    {"MemberAsName", "startsWith", "0-10: `startsWith` is a function; write `x.startsWith(...)`"},
    {"MisspeltMember", "x.startWith(\"a\")",
     "2-11: unknown function `startWith`; did you mean `startsWith`?"},
    {"Argument", "s.startsWith(1)",
     "13-14: `startsWith` is not made for string.(int); it takes string.(string)"},
    {"Receiver", "i.startsWith(\"a\")",
     "2-12: `startsWith` is not made for int.(string); it takes string.(string)"},
    {"BothArguments", "i.startsWith(1)",
     "2-12: `startsWith` is not made for int.(int); it takes string.(string)"},
    {"MemberAsGlobal", "startsWith(s, \"a\")",
     "0-10: `startsWith` stands behind a dot; write `s.startsWith(...)`"},
    {"MemberAsGlobalBare", "startsWith()",
     "0-10: `startsWith` stands behind a dot; write `x.startsWith()`"},
    {"GlobalAsMember", "i.int()", "2-5: `int` does not stand behind a dot; write `int(i)`"},
    {"GlobalAsMemberMore", "s.int(1)",
     "2-5: `int` does not stand behind a dot; write `int(s, ...)`"},
    {"MisspeltGlobal", "sizee(s)", "0-5: unknown function `sizee`; did you mean `size`?"},
    {"MisspeltNamespaced", "math.greatst(1, 2)",
     "5-12: unknown function `math.greatst`; did you mean `math.greatest`?"},
    {"MisspeltNamespace", "maths.abs(1)",
     "6-9: unknown function `maths.abs`; did you mean `math.abs`?"},
    {"NamespacedArgument", "math.abs(\"x\")",
     "9-12: `math.abs` is not made for (string); it takes (int), (uint) or (double)"},
    {"Extreme", "math.greatest(1, \"a\")",
     "17-20: `math.greatest` is not made for (int, string); it takes (int...)"},
    {"TooMany", "s.substring(1, 2, 3)", "2-11: `substring` takes 1 or 2 arguments, not 3"},
    {"OneOfTwo", "s.substring(\"a\")",
     "12-15: `substring` is not made for string.(string); it takes string.(int)"},
    {"SizeOfMember", "s.size(1)", "2-6: `size` takes no arguments, not 1"},
    {"TooFew", "math.greatest()", "5-13: `math.greatest` takes 1 or more arguments, not 0"},
    {"IntPlusString", "i + s", "2-3: `+` is not made for (int, string); write `string(i)`"},
    {"StringPlusInt", "s + i", "2-3: `+` is not made for (string, int); write `string(i)`"},
    {"StringPlusLiteral", "\"a\" + 1", "4-5: `+` is not made for (string, int); write `string(1)`"},
    {"IntPlusDouble", "i + d", "2-3: `+` is not made for (int, double); write `double(i)`"},
    {"LiteralPlusDouble", "1 + d", "2-3: `+` is not made for (int, double); write `1.0`"},
    {"IntPlusUint", "i + 1u", "2-3: `+` is not made for (int, uint); write `int(1u)`"},
    {"UintPlusInt", "u + i", "2-3: `+` is not made for (uint, int); write `int(u)`"},
    {"EqualNumbers", "1 == 1.0",
     "2-4: `==` compares values of one type, not int and double; write `1.0`"},
    {"EqualString", "i == \"a\"", "2-4: `==` compares values of one type, not int and string"},
    {"EqualTime", "s == t",
     "2-4: `==` compares values of one type, not string and timestamp; write `timestamp(s)`"},
    {"CompareTime", "t > \"2024-01-01T00:00:00Z\"",
     "2-3: `>` is not made for (timestamp, string); write `timestamp(\"2024-01-01T00:00:00Z\")`"},
    {"CompareDuration", "du < \"1h\"",
     "3-4: `<` is not made for (duration, string); write `duration(\"1h\")`"},
    {"EqualNull", "i == null",
     "2-4: `==` compares values of one type, not int and null; this int is never null"},
    {"CompareString", "s < i", "2-3: `<` is not made for (string, int)"},
    {"NegateUint", "-u", "0-1: `-` takes int or double, not uint"},
    {"NotInt", "!i", "0-1: `!` takes bool, not int"},
    {"AndInt", "i && b", "0-1: `&&` takes bool, not int"},
    {"OrTwice", "b || s || i",
     "5-6: `||` takes bool, not string\n"
     "10-11: `||` takes bool, not int"},
    {"Condition", "i ? 1 : 2", "0-1: a condition is a bool, not int"},
    {"Branches", "b ? 1 : \"a\"",
     "2-3: `?:` gives int or string; make them one type, or write `dyn(1)`"},
    {"IndexList", "l[\"a\"]", "2-5: a list is indexed by int, not string"},
    {"IndexMap", "m[1]", "2-3: the keys of map(string, int) are not of type int"},
    {"IndexString", "s[0]",
     "1-2: only lists and maps are indexed, not string; write `s.charAt(0)`"},
    {"IndexInt", "i[0]", "1-2: only lists and maps are indexed, not int"},
    {"InList", "\"a\" in l", "4-6: `in` looks for string in list(int), which never holds one"},
    {"InMap", "1 in m", "2-4: `in` looks for a key, and map(string, int) has none of type int"},
    {"InString", "\"a\" in s",
     "4-6: `in` looks into a list or a map, not string; write `s.contains(\"a\")`"},
    {"InInt", "1 in i", "2-4: `in` looks into a list or a map, not int"},
    {"SelectInt", "i.x", "1-2: a value of type int has no field `x`"},
    {"HasInt", "has(i.x)", "0-3: a value of type int has no field `x`"},
    {"SelectString", "s.length", "1-2: a value of type string has no field `length`"},
    {"SelectSize", "l.size",
     "1-2: a value of type list(int) has no field `size`; write `size(...)`"},
    {"SelectElement", "l[0].x", "4-5: a value of type int has no field `x`"},
    {"SelectOfIntKeys", "{1: 2}.x",
     "6-7: the keys of map(int, int) are no names; write `[...]` to look one up"},
    {"AllNoBool", "[1].all(x, x + 1)", "13-14: a condition is a bool, not int"},
    {"ExistsNoBool", "[1].exists(x, x)", "14-15: a condition is a bool, not int"},
    {"FilterNoBool", "[1].filter(x, x + 1)", "16-17: a condition is a bool, not int"},
    {"ExistsOneNoBool", "[1].exists_one(x, \"a\")", "18-21: a condition is a bool, not string"},
    {"MapBody", "[1].map(x, x + \"a\")",
     "13-14: `+` is not made for (int, string); write `string(x)`"},
    {"Range", "i.all(x, true)", "0-1: only a list or a map has elements to go through, not int"},
    {"RangeString", "s.exists(c, c == \"a\")",
     "0-1: only a list or a map has elements to go through, not string"},
    {"OptionalElement", "[?1]",
     "2-3: `?` wants an optional, not int; leave out the `?` or write `optional.of(1)`"},
    {"OptionalEntry", "{\"a\": 1, ?\"b\": 2}",
     "15-16: `?` wants an optional, not int; leave out the `?` or write `optional.of(2)`"},
    {"DoubleKey", "{1.0: 1}", "1-4: a key is a bool, int, uint or string, not double"},
    {"ListKey", "{[1]: 1}", "1-2: a key is a bool, int, uint or string, not list(int)"},
    {"Message", "Foo{a: 1}", "0-3: messages are not supported; write a map: `{\"a\": 1}`"},
    {"MessagePath", "a.b.Foo{}", "0-7: messages are not supported; write a map: `{\"a\": 1}`"},
    {"MacroAsGlobal", "exists(l, true)",
     "0-6: `exists` goes through a list or a map; write `x.exists(...)`"},
    {"MacroNumber", "l.exists(1)", "2-8: `exists` has the wrong number of arguments"},
    {"MisspeltMacro", "l.exist(x, x > 1)", "2-7: unknown function `exist`; did you mean `exists`?"},
    {"OptMapBody", "o.optMap(x, x + \"a\")",
     "14-15: `+` is not made for (int, string); write `string(x)`"},
    {"OptMapOfInt", "i.optMap(x, x)",
     "2-8: only an optional can stand here before the dot, not int"},
    {"Several", "unknwn + 1 == 2 && foo(unknwn)",
     "0-6: unknown name `unknwn`\n"
     "19-22: unknown function `foo`\n"
     "23-29: unknown name `unknwn`"},
    {"NestedUnknown", "foo(bar(baz))",
     "0-3: unknown function `foo`\n"
     "4-7: unknown function `bar`\n"
     "8-11: unknown name `baz`"},
    {"TwoUnknown", "[undefined1, undefined2]",
     "1-11: unknown name `undefined1`\n"
     "13-23: unknown name `undefined2`"},
    {"TimestampOfDouble", "timestamp(1.0)",
     "10-13: `timestamp` is not made for (double); it takes (timestamp), (int) or (string)"},
    {"StringOfList", "string([1])",
     "7-8: `string` is not made for (list(int)); it takes (string), (int), (uint) or others"},
    {"EqualIp", "ip(\"1.2.3.4\") == \"1.2.3.4\"",
     "14-16: `==` compares values of one type, not net.IP and string"},
    {"ContainsIp", "cidr(\"10.0.0.0/8\").containsIP(1)",
     "30-31: `containsIP` is not made for net.CIDR.(int); it takes net.CIDR.(net.IP) or "
     "net.CIDR.(string)"},
    {"IsIn", "principal.isIn(1)",
     "15-16: `isIn` is not made for map(string, dyn).(int); it takes map(string, dyn).(string) or "
     "map(string, dyn).(list(string))"},
    {"IsInAsGlobal", "isIn(principal, \"a\")",
     "0-4: `isIn` stands behind a dot; write `principal.isIn(...)`"},
    {"SortBy", "[3, 1].sortBy(e, [e])",
     "7-13: elements have no order by a key of type list(list(int)); a number, a string or a time "
     "has"},
    {"BranchMap", "b ? principal : 1",
     "2-3: `?:` gives map(string, dyn) or int; make them one type, or write `dyn(principal)`"},
    {"Matches", "\"a\".matches(1)",
     "12-13: `matches` is not made for string.(int); it takes string.(string)"},
    {"Join", "[1].join()", "4-8: `join` is not made for list(int).(); it takes list(string).()"},
    {"EqualLists", "l == m",
     "2-4: `==` compares values of one type, not list(int) and map(string, int)"},
    {"Nested", "b == (i == 1.0)",
     "8-10: `==` compares values of one type, not int and double; write `double(i)`"},
    {"NegativeUint", "-(-1) == 1u",
     "6-8: `==` compares values of one type, not int and uint; write `int(1u)`"},
    {"Format", "\"%d\".format(1)",
     "12-13: `format` is not made for string.(int); it takes string.(list(dyn))"},
    {"Arguments", "duration(1, 2)", "0-8: `duration` takes 1 argument, not 2"},
    {"NoArguments", "optional.none(1)", "9-13: `optional.none` takes no arguments, not 1"},
    {"MemberNumber", "principal.groups.exists(g, g.isIn(1, 2))",
     "29-33: `isIn` takes 1 argument, not 2"},
    {"MisspeltLocal", "[1,2].all(elem, elm > 0)",
     "16-19: unknown name `elm`; did you mean `elem`?"},
    {"HasString", "has(s.x)", "0-3: a value of type string has no field `x`"},
    {"Quoted", "`a-b`", "0-5: unknown name `a-b`"},
    {"OptionalSelectInt", "i.?x", "1-2: a value of type int has no field `x`"},
    {"OptionalIndexString", "s[?0]",
     "1-2: only lists and maps are indexed, not string; write `s.charAt(0)`"},
};
INSTANTIATE_TEST_SUITE_P(All, DefectTest, testing::ValuesIn(kDefects), NameOf);

class UncheckedTest : public testing::TestWithParam<Row> {};

TEST_P(UncheckedTest, KnowsNamesOnly) {
  EXPECT_EQ(Outcome(GetParam().source, Usual(), /*check_types=*/false), GetParam().want);
}

const Row kUnchecked[] = {
    {"WrongTypes", "1 + 'a'", "dyn"},
    {"WrongBool", "'horses' && false", "dyn"},
    {"WrongArgument", "s.startsWith(1)", "dyn"},
    {"WrongIndex", "l['a'] || i[0] || i.x || 1 in 2", "dyn"},
    {"WrongRange", "1.all(e, e)", "dyn"},
    {"WrongKey", "{1.0: [?1]}", "dyn"},
    {"WrongConditional", "'cows' ? false : 17", "dyn"},
    {"Extreme", "math.greatest(1, 'a')", "dyn"},
    {"TypeName", "int", "type(int)"},
    {"UnknownName", "prncipal == 1", "0-8: unknown name `prncipal`; did you mean `principal`?"},
    {"UnknownFunction", "f(1)", "0-1: unknown function `f`"},
    {"WrongNumber", "'a'.indexOf('a', 0, 1)", "4-11: `indexOf` takes 1 or 2 arguments, not 3"},
    {"WrongStyle", "startsWith(s, 'a')",
     "0-10: `startsWith` stands behind a dot; write `s.startsWith(...)`"},
    {"Message", "A{}", "0-1: messages are not supported; write a map: `{\"a\": 1}`"},
};
INSTANTIATE_TEST_SUITE_P(All, UncheckedTest, testing::ValuesIn(kUnchecked), NameOf);

// What names become.
struct NameRow {
  const char* name;
  std::vector<std::string> variables;
  const char* container;
  const char* source;
  const char* want;  // the tree, or the defects
};
std::ostream& operator<<(std::ostream& os, const NameRow& row) { return os << row.name; }

class NameTest : public testing::TestWithParam<NameRow> {};

TEST_P(NameTest, IsResolved) {
  const NameRow& row = GetParam();
  Environment environment = With(row.variables, row.container);
  environment.AddFunction("a.b.f", {{T("int")}, T("int")});
  environment.AddFunction("com.example.g", {{T("int")}, T("int")});
  environment.AddFunction("h", {{T("int")}, T("int")});
  environment.AddFunction("com.h", {{T("int")}, T("int")});
  for (const bool check_types : {true, false}) {
    CheckOptions options;
    options.check_types = check_types;
    std::vector<Defect> defects;
    const auto checked = Check(Tree(row.source), environment, options, &defects);
    EXPECT_EQ(checked ? ToString(checked->ast) : Text(defects), row.want);
  }
}

const NameRow kNames[] = {
    {"Whole", {"a.b.c:int", "a.b:map(string, int)", "a:dyn"}, "", "a.b.c", "a.b.c"},
    {"LongestPrefix", {"a.b:map(string, dyn)", "a:dyn"}, "", "a.b.c.d", "a.b.c.d"},
    {"InnermostContainer", {"A.B.y:int", "A.y:int", "y:int"}, "A.B", "y", "A.B.y"},
    {"OuterContainer", {"A.y:int", "y:int"}, "A.B", "y", "A.y"},
    {"Root", {"y:int"}, "A.B", "y", "y"},
    {"LeadingDot", {"A.y:int", "y:int"}, "A", ".y", "y"},
    {"LeadingDotOfPath", {"A.y.z:int", "y.z:int"}, "A", ".y.z", "y.z"},
    {"LeadingDotOnlyRoot", {"A.y:int"}, "A", ".y", "0-2: unknown name `y`"},
    {"LocalHidesPath",
     {"y.z:int"},
     "",
     "[{'z': 0}].exists(y, y.z == 0)",
     "@fold([{\"z\": 0}], y, @result, false, @not_strictly_false(!_(@result)), "
     "_||_(@result, _==_(y.z, 0)), @result)"},
    {"LocalHidesContainer",
     {"A.y:string", "y:string"},
     "A",
     "[1].map(y, y + 1)",
     "@fold([1], y, @result, [], true, @append(@result, _+_(y, 1)), @result)"},
    {"DotSeesThroughLocal",
     {"y:int"},
     "",
     "[1].map(y, .y + y)",
     "@fold([1], y, @result, [], true, @append(@result, _+_(.y, y)), @result)"},
    {"DotSeesThroughLocalInPath",
     {"y:map(string, int)"},
     "",
     "[1].map(y, .y.z + y)",
     "@fold([1], y, @result, [], true, @append(@result, _+_(.y.z, y)), @result)"},
    {"NoDotWhereNothingHides",
     {"y:int"},
     "",
     "[1].map(z, .y)",
     "@fold([1], z, @result, [], true, @append(@result, y), @result)"},
    {"VariableIsNoLocalOutside",
     {"y:int"},
     "",
     "[1].map(y, y) == [y]",
     "_==_(@fold([1], y, @result, [], true, @append(@result, y), @result), [y])"},
    {"LocalIsUnknownInRange", {}, "", "[e].map(e, e)", "1-2: unknown name `e`"},
    {"VariableHidesType", {"int:bool"}, "", "int && true", "_&&_(int, true)"},
    {"TypeInContainer",
     {},
     "google.protobuf",
     "type(Timestamp)",
     "type(google.protobuf.Timestamp)"},
    {"Namespaced", {}, "", "a.b.f(1)", "a.b.f(1)"},
    {"NamespacedInContainer", {}, "a", "b.f(1)", "a.b.f(1)"},
    {"FunctionInContainer", {}, "com.example", "g(1) + h(1)", "_+_(com.example.g(1), com.h(1))"},
    {"FunctionWithDot", {}, "com", ".h(1)", "h(1)"},
    {"NamespacedOverVariable", {"math:dyn"}, "", "math.abs(1)", "math.abs(1)"},
    {"MemberOfPath", {"a.b:string"}, "", "a.b.size()", "a.b.size()"},
    {"Macro",
     {"a:list(int)"},
     "",
     "a.all(e, e > 0)",
     "@fold(a, e, @result, true, @not_strictly_false(@result), _&&_(@result, _>_(e, 0)), "
     "@result)"},
    {"HasOfPath", {"a.b:map(string, int)"}, "", "has(a.b.c)", "has(a.b.c)"},
};
INSTANTIATE_TEST_SUITE_P(All, NameTest, testing::ValuesIn(kNames),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Check, TellsGlobalsFromLocalsAndTypes) {
  std::vector<Defect> defects;
  const auto checked = Check(Tree("a.b == type(int)"), With({"a.b:dyn"}), {}, &defects);
  ASSERT_TRUE(checked.has_value()) << Text(defects);
  const Expr& equal = checked->ast[checked->ast.root];
  EXPECT_EQ(checked->ast[equal.args[0]].kind, ExprKind::kIdent);
  EXPECT_EQ(checked->ast[equal.args[0]].name, "a.b");
  EXPECT_FALSE(checked->is_type[equal.args[0]]);
  const ExprId type = checked->ast[equal.args[1]].args[0];
  EXPECT_TRUE(checked->is_type[type]);
  EXPECT_EQ(checked->type(type), T("type(int)"));
}

TEST(Check, PrintsEachNode) {
  std::vector<Defect> defects;
  const auto checked =
      Check(Tree("m.?a.orValue(1) in l && l.exists(e, e == m.b) || type(x) == int"), Usual(), {},
            &defects);
  ASSERT_TRUE(checked.has_value()) << Text(defects);
  EXPECT_EQ(ToString(*checked), R"(call _||_: bool
  call _&&_: bool
    call @in: bool
      call .orValue: int
        select ?a: optional_type(int)
          name m: map(string, int)
        literal 1: int
      name l: list(int)
    fold @result, e: bool
      name l: list(int)
      literal false: bool
      call @not_strictly_false: bool
        call !_: bool
          name @result: bool
      call _||_: bool
        name @result: bool
        call _==_: bool
          name e: int
          select b: int
            name m: map(string, int)
      name @result: bool
  call _==_: bool
    call type: type(dyn)
      name x: dyn
    type int: type(int)
)");
}

TEST(Environment, ACopyHasFunctionsOfItsOwn) {
  Environment copy = Environment::Standard();
  copy.AddFunction("h", {{T("int")}, T("int")});
  EXPECT_NE(copy.FindFunction("h"), nullptr);
  EXPECT_NE(copy.FindFunction("size"), nullptr);
  EXPECT_EQ(Environment::Standard().FindFunction("h"), nullptr);
}

TEST(Check, TakesFunctionsThatAreAdded) {
  Environment environment;
  environment.AddFunction("tuple", {{T("T"), T("U")}, T("tuple(T, U)")});
  environment.AddFunction("same", {{T("tuple(T, T)")}, T("T")});
  EXPECT_EQ(Outcome("tuple(1, 'a')", environment), "tuple(int, string)");
  EXPECT_EQ(Outcome("same(tuple(1, dyn(2u)))", environment), "dyn");
  EXPECT_EQ(Outcome("tuple(1, 2) == tuple(1, dyn(2))", environment), "bool");
  EXPECT_EQ(Outcome("same(tuple(1, 'a'))", environment),
            "5-10: `same` is not made for (tuple(int, string)); it takes (tuple(T, T))");
}

// Names that each double the type of the one before.
TEST(Check, BoundsTypes) {
  std::string source = "cel.bind(a0, optional.of(1), ";
  for (int i = 1; i < 40; ++i) {
    absl::StrAppend(&source, "cel.bind(a", i, ", pair(a", i - 1, ", [a", i - 1, "]), ");
  }
  source += "a39" + std::string(40, ')');
  Environment environment;
  environment.AddFunction("pair", {{T("T"), T("U")}, T("pair(T, U)")});
  const std::string type = Outcome(source, environment);
  EXPECT_EQ(type.substr(0, 5), "pair(");
  EXPECT_LT(type.size(), 600u);
  // The same with variables that are bound at last.
  source = "cel.bind(a0, [], ";
  for (int i = 1; i < 40; ++i) {
    absl::StrAppend(&source, "cel.bind(a", i, ", [pair(a", i - 1, ", a", i - 1, ")], ");
  }
  source += "a39 == a38 || a0 == [a39]" + std::string(40, ')');
  EXPECT_EQ(Outcome(source, environment), "bool");
}

TEST(Check, TellsAtMostAHundredDefects) {
  std::string source = "[";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&source, "unknown", i, ", f", i, "(1), ");
  std::vector<Defect> defects;
  EXPECT_FALSE(Check(Tree(source + "1]"), Usual(), {}, &defects).has_value());
  EXPECT_EQ(defects.size(), 100u);
}

TEST(Check, RefusesTreesThatAreTooDeep) {
  Ast ast;
  Expr leaf;
  leaf.literal = true;
  ExprId id = ast.Add(leaf);
  for (int i = 0; i < 5000; ++i) {
    Expr call;
    call.kind = ExprKind::kCall;
    call.name = op::kNot;
    call.args = {id};
    id = ast.Add(std::move(call));
  }
  ast.root = id;
  std::vector<Defect> defects;
  EXPECT_FALSE(Check(std::move(ast), Usual(), {}, &defects).has_value());
  EXPECT_EQ(Text(defects), "0-0: nested too deeply");
}

// Trees of the most nodes there can be, of different kinds. It would take minutes if it were not
// about linear.
TEST(Check, TakesLinearTime) {
  for (const char* term : {"x[0]", "[]", "i", "x.y", "{}", "x==x", "unknown"}) {
    std::string source = "[";
    for (int i = 0; i < 6000; ++i) absl::StrAppend(&source, term, ",");
    source += "]";
    const Ast ast = Tree(source);
    std::vector<Defect> defects;
    const auto checked = Check(ast, Usual(), {}, &defects);
    EXPECT_EQ(checked.has_value(), std::string_view(term) != "unknown") << term;
  }
  const std::string path = "m" + std::string(190, '.');
  std::string source;
  for (const char c : path) source += c == '.' ? ".ab" : std::string(1, c);
  std::string all = "[";
  for (int i = 0; i < 90; ++i) absl::StrAppend(&all, i > 0 ? "," : "", "x", source.substr(1));
  EXPECT_EQ(Outcome(all + "]", Usual()), "list(dyn)");
}

}  // namespace
}  // namespace reeve::cel
