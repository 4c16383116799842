// What the macros stand for.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "policy/cel/parser.h"

namespace reeve::cel {
namespace {

struct Row {
  std::string source;
  std::string want;
};

// The tree as text, or each defect as `begin-end: message` on a line.
std::string Outcome(const std::string& source) {
  std::vector<Defect> defects;
  const std::optional<Ast> ast = Parse(source, {/*expand_macros=*/true}, &defects);
  EXPECT_EQ(ast.has_value(), defects.empty());
  if (ast.has_value()) return ToString(*ast);
  std::string out;
  for (const Defect& defect : defects) {
    absl::StrAppend(&out, out.empty() ? "" : "\n", defect.place.begin, "-", defect.place.end, ": ",
                    defect.message);
  }
  return out;
}

void Expect(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(Outcome(row.source), row.want) << row.source;

    // Expanding later is the same.
    std::vector<Defect> defects;
    std::optional<Ast> ast = Parse(row.source, {/*expand_macros=*/false}, &defects);
    ASSERT_TRUE(ast.has_value()) << row.source;
    if (ExpandMacros(&*ast, &defects)) {
      EXPECT_EQ(ToString(*ast), row.want) << row.source;
    } else {
      EXPECT_FALSE(defects.empty()) << row.source;
    }
  }
}

TEST(MacrosTest, Has) {
  Expect({
      {"has(a.b)", "has(a.b)"},
      {"has(a.b.c)", "has(a.b.c)"},
      {"has(a.?b.c)", "has(a.?b.c)"},
      {R"(has({"a": 1}.a))", R"(has({"a": 1}.a))"},
      {"has(a.`b-c`)", "has(a.`b-c`)"},
      {"has(f().a)", "has(f().a)"},
  });
}

TEST(MacrosTest, HasDefects) {
  Expect({
      {"has(a)", "4-5: `has` asks for a field: `has(a.b)`"},
      {"has(a.?b)", "5-6: `has` asks for a field: `has(a.b)`"},
      {R"(has(a["b"]))", "5-6: `has` asks for a field: `has(a.b)`; for a key write `key in a`"},
      {"has(has(a.b))", "4-7: `has` asks for a field: `has(a.b)`"},
      {"has(a.b())", "6-7: `has` asks for a field: `has(a.b)`"},
      {"has(1) || has(2)",
       "4-5: `has` asks for a field: `has(a.b)`\n14-15: `has` asks for a field: `has(a.b)`"},
  });
}

TEST(MacrosTest, Quantifiers) {
  Expect({
      {"x.all(e, e > 0)",
       "@fold(x, e, @result, true, @not_strictly_false(@result), _&&_(@result, _>_(e, 0)), "
       "@result)"},
      {"x.exists(e, e > 0)",
       "@fold(x, e, @result, false, @not_strictly_false(!_(@result)), _||_(@result, _>_(e, 0)), "
       "@result)"},
      {"x.exists_one(e, e > 0)",
       "@fold(x, e, @result, 0, true, _?_:_(_>_(e, 0), _+_(@result, 1), @result), _==_(@result, "
       "1))"},
      {"x.existsOne(e, e > 0)",
       "@fold(x, e, @result, 0, true, _?_:_(_>_(e, 0), _+_(@result, 1), @result), _==_(@result, "
       "1))"},
      {"x.all(i, e, i < e)",
       "@fold(x, i, e, @result, true, @not_strictly_false(@result), _&&_(@result, _<_(i, e)), "
       "@result)"},
      {"x.exists(i, e, i < e)",
       "@fold(x, i, e, @result, false, @not_strictly_false(!_(@result)), _||_(@result, _<_(i, e)), "
       "@result)"},
      {"x.exists_one(i, e, i < e)",
       "@fold(x, i, e, @result, 0, true, _?_:_(_<_(i, e), _+_(@result, 1), @result), _==_(@result, "
       "1))"},
      {"x.existsOne(i, e, i < e)",
       "@fold(x, i, e, @result, 0, true, _?_:_(_<_(i, e), _+_(@result, 1), @result), _==_(@result, "
       "1))"},
      {"x.all(e, a && b)",
       "@fold(x, e, @result, true, @not_strictly_false(@result), _&&_(@result, _&&_(a, b)), "
       "@result)"},
  });
}

TEST(MacrosTest, ListsAndMaps) {
  Expect({
      {"x.map(e, e + 1)", "@fold(x, e, @result, [], true, @append(@result, _+_(e, 1)), @result)"},
      {"x.map(e, e > 0, e + 1)",
       "@fold(x, e, @result, [], true, _?_:_(_>_(e, 0), @append(@result, _+_(e, 1)), @result), "
       "@result)"},
      {"x.filter(e, e > 0)",
       "@fold(x, e, @result, [], true, _?_:_(_>_(e, 0), @append(@result, e), @result), @result)"},
      {"x.transformList(i, e, i + e)",
       "@fold(x, i, e, @result, [], true, @append(@result, _+_(i, e)), @result)"},
      {"x.transformList(i, e, i < e, i + e)",
       "@fold(x, i, e, @result, [], true, _?_:_(_<_(i, e), @append(@result, _+_(i, e)), @result), "
       "@result)"},
      {"x.transformMap(k, v, v + 1)",
       "@fold(x, k, v, @result, {}, true, @put(@result, k, _+_(v, 1)), @result)"},
      {"x.transformMap(k, v, v > 0, v + 1)",
       "@fold(x, k, v, @result, {}, true, _?_:_(_>_(v, 0), @put(@result, k, _+_(v, 1)), @result), "
       "@result)"},
      {"x.transformMapEntry(k, v, {v: k})",
       "@fold(x, k, v, @result, {}, true, @put(@result, v, k), @result)"},
      {"x.transformMapEntry(k, v, v > 0, {v: k})",
       "@fold(x, k, v, @result, {}, true, _?_:_(_>_(v, 0), @put(@result, v, k), @result), "
       "@result)"},
      {"x.transformMapEntry(k, v, {v: k, k: v})",
       "@fold(x, k, v, @result, {}, true, @put(@put(@result, v, k), k, v), @result)"},
      {"x.transformMapEntry(k, v, {})", "@fold(x, k, v, @result, {}, true, @result, @result)"},
  });
}

TEST(MacrosTest, Nested) {
  Expect({
      {"x.map(e, y.map(f, e + f))",
       "@fold(x, e, @result, [], true, @append(@result, @fold(y, f, @result, [], true, "
       "@append(@result, _+_(e, f)), @result)), @result)"},
      {"x.map(e, e).filter(e, e)",
       "@fold(@fold(x, e, @result, [], true, @append(@result, e), @result), e, @result, [], true, "
       "_?_:_(e, @append(@result, e), @result), @result)"},
      {"x.all(e, y.exists(e, has(e.a)))",
       "@fold(x, e, @result, true, @not_strictly_false(@result), _&&_(@result, @fold(y, e, "
       "@result, false, @not_strictly_false(!_(@result)), _||_(@result, has(e.a)), @result)), "
       "@result)"},
      {"f(x.all(e, e))[y.all(e, e)]",
       "_[_](f(@fold(x, e, @result, true, @not_strictly_false(@result), _&&_(@result, e), "
       "@result)), @fold(y, e, @result, true, @not_strictly_false(@result), _&&_(@result, e), "
       "@result))"},
      {"[has(a.b)].exists(e, {e: has(c.d)})",
       "@fold([has(a.b)], e, @result, false, @not_strictly_false(!_(@result)), _||_(@result, {e: "
       "has(c.d)}), @result)"},
  });
}

TEST(MacrosTest, VariableDefects) {
  Expect({
      {"x.all(1, true)", "6-7: expected the name of a variable, without a dot"},
      {"x.all(a.b, true)", "7-8: expected the name of a variable, without a dot"},
      {"x.all(.a, true)", "6-8: expected the name of a variable, without a dot"},
      {"x.all(a(), true)", "6-7: expected the name of a variable, without a dot"},
      {"x.all(`a-b`, true)", "6-11: expected the name of a variable, without a dot"},
      {"x.all(`a.b`, true)", "6-11: expected the name of a variable, without a dot"},
      {"x.all(i, 1, true)", "9-10: expected the name of a variable, without a dot"},
      {"x.all(1, i, true)", "6-7: expected the name of a variable, without a dot"},
      {"x.all(e, e, true)", "9-10: `e` cannot name both variables"},
      {R"(x.exists("a", true))", "9-12: expected the name of a variable, without a dot"},
      {"x.map(e.f, e, e)", "7-8: expected the name of a variable, without a dot"},
      {"x.filter(null, true)", "9-13: expected the name of a variable, without a dot"},
      {"x.transformMap(e, e, e)", "18-19: `e` cannot name both variables"},
      {"x.all(__result__, true)",
       "6-16: `__result__` is kept for the language; choose another name"},
      {"x.all(i, __result__, true)",
       "9-19: `__result__` is kept for the language; choose another name"},
      {"x.map(cel.index(0), 1)", "10-15: expected the name of a variable, without a dot"},
      {"x.transformMapEntry(k, v, v)",
       "26-27: the last argument of `transformMapEntry` is an entry: `{key: value}`"},
      {"x.transformMapEntry(k, v, true, {?v: k})",
       "32-33: the last argument of `transformMapEntry` is an entry: `{key: value}`"},
      {"has(x) && y.all(1, true) && z.map(has(a), 1)",
       "4-5: `has` asks for a field: `has(a.b)`\n16-17: expected the name of a variable, without a "
       "dot\n34-37: expected the name of a variable, without a dot\n38-39: `has` asks for a field: "
       "`has(a.b)`"},
  });
}

TEST(MacrosTest, Bindings) {
  Expect({
      {"cel.bind(a, 1, a + a)", "@bind(a, 1, _+_(a, a))"},
      {"cel.bind(a, 1, cel.bind(b, a, b))", "@bind(a, 1, @bind(b, a, b))"},
      {"x.optMap(v, v + 1)",
       "@bind(@input, x, _?_:_(@input.hasValue(), optional.of(@bind(v, @input.value(), _+_(v, "
       "1))), optional.none()))"},
      {"x.optFlatMap(v, v.?a)",
       "@bind(@input, x, _?_:_(@input.hasValue(), @bind(v, @input.value(), v.?a), "
       "optional.none()))"},
      {"x.optMap(v, v).optFlatMap(w, w)",
       "@bind(@input, @bind(@input, x, _?_:_(@input.hasValue(), optional.of(@bind(v, "
       "@input.value(), v)), optional.none())), _?_:_(@input.hasValue(), @bind(w, @input.value(), "
       "w), optional.none()))"},
      {"x.sortBy(e, -e)",
       "@bind(@input, x, @sortByAssociatedKeys(@input, @fold(@input, e, @result, [], true, "
       "@append(@result, -_(e)), @result)))"},
      {"cel.block([1, cel.index(0) + 1], cel.index(1))",
       "@bind(@index0, 1, @bind(@index1, _+_(@index0, 1), @index1))"},
      {"cel.block([], x)", "x"},
      {"x.map(cel.iterVar(0, 1), cel.iterVar(0, 1) + cel.accuVar(2, 3))",
       "@fold(x, @it:0:1, @result, [], true, @append(@result, _+_(@it:0:1, @ac:2:3)), @result)"},
  });
}

TEST(MacrosTest, BindingDefects) {
  Expect({
      {"cel.bind(a.b, 1, a)", "10-11: expected the name of a variable, without a dot"},
      {"cel.bind(1, 1, a)", "9-10: expected the name of a variable, without a dot"},
      {"x.optMap(1, v)", "9-10: expected the name of a variable, without a dot"},
      {"x.optFlatMap(v.w, v)", "14-15: expected the name of a variable, without a dot"},
      {"x.sortBy(1, e)", "9-10: expected the name of a variable, without a dot"},
      {"cel.block(a, 1)", "10-11: the first argument of `cel.block` is a list: `[value, …]`"},
      {"cel.block([?a], 1)", "10-11: the first argument of `cel.block` is a list: `[value, …]`"},
      {"cel.index(-1)", "10-12: an argument of `cel.index` is a number that is not negative"},
      {"cel.index(1u)", "10-12: an argument of `cel.index` is a number that is not negative"},
      {"cel.index(a)", "10-11: an argument of `cel.index` is a number that is not negative"},
      {R"(cel.iterVar(0, "a"))",
       "15-18: an argument of `cel.iterVar` is a number that is not negative"},
  });
}

TEST(MacrosTest, WhatIsNoMacro) {
  Expect({
      {"has()", "has()"},
      {"has(a, b)", "has(a, b)"},
      {".has(a.b)", ".has(a.b)"},
      {"x.has(a.b)", "x.has(a.b)"},
      {"all(x, y)", "all(x, y)"},
      {"x.all(e)", "x.all(e)"},
      {"x.all(a, b, c, d)", "x.all(a, b, c, d)"},
      {"x.map(a)", "x.map(a)"},
      {"x.filter(e, e, e)", "x.filter(e, e, e)"},
      {".cel.bind(a, 1, a)", ".cel.bind(a, 1, a)"},
      {"x.bind(a, 1, a)", "x.bind(a, 1, a)"},
      {"bind(a, 1, a)", "bind(a, 1, a)"},
      {"a.cel.bind(a, 1, a)", "a.cel.bind(a, 1, a)"},
      {"cel.bind(a, 1)", "cel.bind(a, 1)"},
      {"cel.index()", "cel.index()"},
      {"x.index(0)", "x.index(0)"},
      {"optMap(x, y)", "optMap(x, y)"},
      {"x.optMap(y)", "x.optMap(y)"},
      {"math.greatest(1, 2)", "math.greatest(1, 2)"},
  });
}

// A node that a macro made is shown where the macro's name stands.
TEST(MacrosTest, Places) {
  const std::string source = "x.all(e, has(e.f))";
  std::vector<Defect> defects;
  const std::optional<Ast> ast = Parse(source, {}, &defects);
  ASSERT_TRUE(ast.has_value());
  const auto place = [&](ExprId id) {
    return source.substr((*ast)[id].place.begin, (*ast)[id].place.end - (*ast)[id].place.begin);
  };
  const Comprehension& fold = *(*ast)[ast->root].comprehension;
  EXPECT_EQ(place(ast->root), "all");
  EXPECT_EQ(place(fold.range), "x");
  for (const ExprId made : {fold.init, fold.condition, fold.step, fold.result}) {
    EXPECT_EQ(place(made), "all");
  }
  EXPECT_EQ(place((*ast)[fold.step].args[1]), "has");
}

}  // namespace
}  // namespace reeve::cel
