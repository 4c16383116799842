#include "policy/cel/parser.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace reeve::cel {
namespace {

struct Row {
  std::string source;
  std::string want;
};

// The tree as text, or each defect as `begin-end: message` on a line.
std::string Outcome(const std::string& source, bool expand_macros) {
  std::vector<Defect> defects;
  const std::optional<Ast> ast = Parse(source, {expand_macros}, &defects);
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
    EXPECT_EQ(Outcome(row.source, /*expand_macros=*/false), row.want) << row.source;
  }
}

TEST(ParserTest, Operators) {
  Expect({
      {"a && b && c || d && e || f", "_||_(_&&_(a, b, c), _&&_(d, e), f)"},
      {"(a && b) && c", "_&&_(_&&_(a, b), c)"},
      {"a && (b && c)", "_&&_(a, _&&_(b, c))"},
      {"a || (b || c) || d", "_||_(a, _||_(b, c), d)"},
      {"a ? b : c ? d : e", "_?_:_(a, b, _?_:_(c, d, e))"},
      {"a ? (b ? c : d) : e", "_?_:_(a, _?_:_(b, c, d), e)"},
      {"a || b ? c && d : e == f", "_?_:_(_||_(a, b), _&&_(c, d), _==_(e, f))"},
      {"a < b <= c > d >= e == f != g in h",
       "@in(_!=_(_==_(_>=_(_>_(_<=_(_<_(a, b), c), d), e), f), g), h)"},
      {"1 - 2 - 3 * 4 / 5 % 6 + 7", "_+_(_-_(_-_(1, 2), _%_(_/_(_*_(3, 4), 5), 6)), 7)"},
      {"(1 - 2) * 3", "_*_(_-_(1, 2), 3)"},
      {"-a.b", "-_(a.b)"},
      {"--1", "-_(-_(1))"},
      {"!-1", "!_(-1)"},
      {"!!a", "!_(!_(a))"},
      {"- 1", "-1"},
      {"1 -1", "_-_(1, 1)"},
      {"4--4", "_-_(4, -4)"},
      {"-1.f()", "-1.f()"},
      {"(-1).f()", "-1.f()"},
      {"-1u", "-_(1u)"},
      {"-(1)", "-_(1)"},
  });
}

TEST(ParserTest, OperatorDefects) {
  Expect({
      {"a ? b ? c : d : e",
       "6-7: a conditional between `?` and `:` needs parentheses: `a ? (b ? c : d) : e`"},
      {"a ? b", "2-3: `?` has no `:`"},
      {"a ? b :", "7-7: expected an expression after `:`"},
      {"a : b", "2-3: `:` has no `?` before it"},
      {"!-a", "1-2: `!` and `-` cannot stand together; write parentheses: `!(-a)`"},
      {"-!a", "1-2: `!` and `-` cannot stand together; write parentheses: `!(-a)`"},
      {"&& a", "0-2: expected an expression, not `&&`"},
      {"a &&", "4-4: expected an expression after `&&`"},
      {"a && && b", "5-7: expected an expression after `&&`, not `&&`"},
      {"1 + +", "4-5: expected an expression after `+`, not `+`"},
      {"1 + * 2", "4-5: expected an expression after `+`, not `*`"},
      {"--", "2-2: expected an expression after `-`"},
      {"a b", "2-3: expected an operator before `b`"},
      {"a,b", "1-2: expected an operator, not `,`"},
      {"(a b)", "3-4: expected an operator before `b`"},
      {"[a b]", "3-4: expected an operator before `b`"},
      {"f(a b)", "4-5: expected an operator before `b`"},
      {"{a: b c}", "6-7: expected an operator before `c`"},
  });
}

TEST(ParserTest, OtherOperatorsAsNames) {
  Expect({
      {"and", "and"},
      {"not (a)", "not(a)"},
      {"and(b)", "and(b)"},
      {"a.or", "a.or"},
      {"x.and(or)", "x.and(or)"},
  });
}

TEST(ParserTest, OperatorsOfOtherLanguages) {
  Expect({
      {"a = b & c | d",
       "2-3: `=` is not an operator; did you mean `==`?\n6-7: `&` is not an operator; did you mean "
       "`&&`?\n10-11: `|` is not an operator; did you mean `||`?"},
      {"a === b !== c <> d",
       "2-5: `===` is not an operator; did you mean `==`?\n8-11: `!==` is not an operator; did you "
       "mean `!=`?\n14-16: `<>` is not an operator; did you mean `!=`?"},
      {"a =< b => c",
       "2-4: `=<` is not an operator; did you mean `<=`?\n7-9: `=>` is not an operator; did you "
       "mean `>=`?"},
      {"a ≤ b ≥ c ≠ d",
       "2-5: `≤` is not an operator; did you mean `<=`?\n8-11: `≥` is not an operator; did you "
       "mean `>=`?\n14-17: `≠` is not an operator; did you mean `!=`?"},
      {"a − b × c – d",
       "2-5: `−` is not an operator; did you mean `-`?\n8-10: `×` is not an operator; did you mean "
       "`*`?\n13-16: `–` is not an operator; did you mean `-`?"},
      {"a and b or not c",
       "2-5: `and` is not an operator; did you mean `&&`?\n8-10: `or` is not an operator; did you "
       "mean `||`?\n11-14: `not` is not an operator; did you mean `!`?"},
      {"a AND b OR NOT c",
       "2-5: `AND` is not an operator; did you mean `&&`?\n8-10: `OR` is not an operator; did you "
       "mean `||`?\n11-14: `NOT` is not an operator; did you mean `!`?"},
      {"a is b", "2-4: `is` is not an operator; did you mean `==`?"},
      {"a IN b", "2-4: `IN` is not an operator; did you mean `in`?"},
      {"not not a",
       "0-3: `not` is not an operator; did you mean `!`?\n4-7: `not` is not an operator; did you "
       "mean `!`?"},
      {"a =~ b", R"(2-4: `=~` is not an operator; write `text.matches("pattern")`)"},
      {"a ^ b", "2-3: `^` is not an operator"},
      {"~a", "0-1: `~` is not an operator"},
      {"a /* b */",
       "2-4: `/*` is not the beginning of a comment; `//` is, up to the end of the line"},
      {"# a", "0-1: `#` has no meaning; a comment begins with `//`"},
      {"a; b", "1-2: `;` has no meaning outside of a string"},
      {"1 + $", "4-5: `$` has no meaning outside of a string"},
      {"@result", "0-1: `@` has no meaning outside of a string"},
  });
}

TEST(ParserTest, Numbers) {
  Expect({
      {"0", "0"},
      {"01", "1"},
      {"42", "42"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"-0", "0"},
      {"0xfF", "255"},
      {"-0x8000000000000000", "-9223372036854775808"},
      {"0x7FFFFFFFFFFFFFFF", "9223372036854775807"},
      {"0u", "0u"},
      {"42U", "42u"},
      {"0xFFu", "255u"},
      {"18446744073709551615u", "18446744073709551615u"},
      {"0xFFFFFFFFFFFFFFFFu", "18446744073709551615u"},
      {"0.0", "0.0"},
      {"-0.0", "-0.0"},
      {".5", "0.5"},
      {"-.5", "-0.5"},
      {"1.5", "1.5"},
      {"1e5", "1e+05"},
      {"1E+5", "1e+05"},
      {"15e-1", "1.5"},
      {"1.5E-3", "0.0015"},
      {"0.1", "0.1"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"4.9e-324", "5e-324"},
      {"1e-400", "0.0"},
      {"100000000000000000000.0", "1e+20"},
      {"1in [1]", "@in(1, [1])"},
      {"1uin [1u]", "@in(1u, [1u])"},
      {"1.e5", "1.e5"},
      {"1.f()", "1.f()"},
  });
}

TEST(ParserTest, NumberDefects) {
  Expect({
      {"9223372036854775808", "0-19: `9223372036854775808` does not fit an int of 64 bits"},
      {"-9223372036854775809", "0-20: `-9223372036854775809` does not fit an int of 64 bits"},
      {"--9223372036854775808", "2-21: `9223372036854775808` does not fit an int of 64 bits"},
      {"0x8000000000000000", "0-18: `0x8000000000000000` does not fit an int of 64 bits"},
      {"-0x8000000000000001", "0-19: `-0x8000000000000001` does not fit an int of 64 bits"},
      {"18446744073709551616u", "0-21: `18446744073709551616u` does not fit a uint of 64 bits"},
      {"0x10000000000000000u", "0-20: `0x10000000000000000u` does not fit a uint of 64 bits"},
      {"1.99e90000009", "0-13: `1.99e90000009` does not fit a double"},
      {"-1e309", "0-6: `-1e309` does not fit a double"},
      {"1.", "2-2: expected a name after `.`"},
      {"0x", "0-2: `0x` is not a number"},
      {"0X1F", "0-4: `0X1F` is not a number"},
      {"0x1G", "0-4: `0x1G` is not a number"},
      {"1a", "0-2: `1a` is not a number"},
      {"1_000", "0-5: `1_000` is not a number"},
      {"1e", "0-2: `1e` is not a number"},
      {"1u8", "0-3: `1u8` is not a number"},
      {"1.5u", "0-4: `1.5u` is not a number"},
      {"5m", "0-2: `5m` is not a number"},
      {"a.5", "1-3: expected an operator before `.5`"},
      {"[1].0", "3-5: expected an operator before `.0`"},
      {"9223372036854775808 + 1e400",
       "0-19: `9223372036854775808` does not fit an int of 64 bits\n22-27: `1e400` does not fit a "
       "double"},
  });
}

TEST(ParserTest, Strings) {
  Expect({
      {R"("")", R"("")"},
      {"''", R"("")"},
      {R"("a")", R"("a")"},
      {"'a'", R"("a")"},
      {R"("""a""")", R"("a")"},
      {"'''a'''", R"("a")"},
      {R"("""""")", R"("")"},
      {"''''''", R"("")"},
      {R"('a"b')", R"("a\"b")"},
      {R"("a'b")", R"("a\'b")"},
      {"'''a'b''c'''", R"("a\'b\'\'c")"},
      {R"(""""a""")", R"("\"a")"},
      {R"("\a\b\f\n\r\t\v\\\?\"\'\`")", R"("\007\010\014\n\r\t\013\\?\"\'`")"},
      {R"('\'')", R"("\'")"},
      {R"('''\'''')", R"("\'")"},
      {R"("\x41\X41\xff\xFf")", "\"AAÿÿ\""},
      {R"("\101\000\377")", "\"A\\000ÿ\""},
      {R"("\u00e9\u20AC\uFFFF")", "\"é€\xef\xbf\xbf\""},
      {R"("\U0001F431\U0010ffff")", "\"🐱\xf4\x8f\xbf\xbf\""},
      {"\"é€🐱\"", "\"é€🐱\""},
      {R"("// no comment")", R"("// no comment")"},
      {R"(r"\d\")", R"("\\d\\")"},
      {R"(R'\')", R"("\\")"},
      {R"(r"""a\"b""")", R"("a\\\"b")"},
      {"\"\"\"a\nb\"\"\"", R"("a\nb")"},
      {"\"\"\"a\r\nb\rc\n\"\"\"", R"("a\nb\nc\n")"},
      {"'''\\n\n'''", R"("\n\n")"},
      {"\"\t\"", R"("\t")"},
      {R"("a" + 'b')", R"(_+_("a", "b"))"},
  });
}

TEST(ParserTest, Bytes) {
  Expect({
      {R"(b"")", R"(b"")"},
      {R"(b"abc")", R"(b"abc")"},
      {"B'abc'", R"(b"abc")"},
      {"b\"\"\"a\nb\"\"\"", R"(b"a\nb")"},
      {R"(b"\xff\xFf\377\000")", R"(b"\377\377\377\000")"},
      {"b\"é\"", R"(b"\303\251")"},
      {R"(b"\a\b\f\n\r\t\v\\\?\"\'\`")", R"(b"\007\010\014\n\r\t\013\\?\"\'`")"},
      {R"(br'\xff')", R"(b"\\xff")"},
      {R"(bR'\xff')", R"(b"\\xff")"},
      {R"(BR"\xff")", R"(b"\\xff")"},
      {R"(Br"""\xff""")", R"(b"\\xff")"},
  });
}

TEST(ParserTest, StringDefects) {
  Expect({
      {R"("a)", R"(0-2: the " that ends the string is missing)"},
      {"'a", "0-2: the ' that ends the string is missing"},
      {R"(")", R"(0-1: the " that ends the string is missing)"},
      {"\"a\nb\"",
       "0-2: the \" that ends the string is missing; a string that spans lines stands in three "
       "quotes"},
      {"\"a\rb\"",
       "0-2: the \" that ends the string is missing; a string that spans lines stands in three "
       "quotes"},
      {R"("""abc")", R"(0-7: the """ that ends the string is missing)"},
      {R"(r"a)", R"(0-3: the " that ends the string is missing)"},
      {R"("a\")", R"(0-4: the " that ends the string is missing)"},
      {R"("a\)", R"(0-3: the " that ends the string is missing)"},
      {R"('''a\''')", "0-8: the ''' that ends the string is missing"},
      {R"("\q")",
       R"(1-3: `\q` is not an escape sequence; write `\\` for a backslash, or `r` before the string if all of them are meant)"},
      {"\"\\é\"",
       "1-4: `\\é` is not an escape sequence; write `\\\\` for a backslash, or `r` before the "
       "string if all of them are meant"},
      {R"("\xFh")", R"(1-4: `\x` needs 2 hexadecimal digits)"},
      {R"("\x")", R"(1-3: `\x` needs 2 hexadecimal digits)"},
      {R"("\u12")", R"(1-5: `\u` needs 4 hexadecimal digits)"},
      {R"("\U0001F43")", R"(1-10: `\U` needs 8 hexadecimal digits)"},
      {R"("\ud800")", R"(1-7: `\ud800` is not a character of Unicode)"},
      {R"("\udfff")", R"(1-7: `\udfff` is not a character of Unicode)"},
      {R"("\ud83d\ude03")",
       "1-7: `\\ud83d` is not a character of Unicode\n7-13: `\\ude03` is not a character of "
       "Unicode"},
      {R"("\U00110000")", R"(1-11: `\U00110000` is not a character of Unicode)"},
      {R"("\UFFFFFFFF")", R"(1-11: `\UFFFFFFFF` is not a character of Unicode)"},
      {R"("\8")", R"(1-3: a backslash and a digit begin three octal digits, `\000` to `\377`)"},
      {R"("\400")", R"(1-3: a backslash and a digit begin three octal digits, `\000` to `\377`)"},
      {R"("\18")", R"(1-3: a backslash and a digit begin three octal digits, `\000` to `\377`)"},
      {R"("\01")", R"(1-4: a backslash and a digit begin three octal digits, `\000` to `\377`)"},
      {R"(b"\u00e9")",
       R"(2-8: `\u00e9` has no meaning in bytes; write the character itself, or its bytes as `\xHH`)"},
      {R"(b"\U0001F431")",
       R"(2-12: `\U0001F431` has no meaning in bytes; write the character itself, or its bytes as `\xHH`)"},
      {R"(rb"a")", "0-2: the letters before raw bytes are `br`, in this order"},
      {R"(rx"a")", R"(2-5: expected an operator before `"a"`)"},
      {R"("\q" == "\xg")",
       "1-3: `\\q` is not an escape sequence; write `\\\\` for a backslash, or `r` before the "
       "string if all of them are meant\n9-11: `\\x` needs 2 hexadecimal digits"},
      {"“abc” == a", "0-3: `“` does not begin a string; write `\"` or `'`"},
      {"‘abc", "0-3: `‘` does not begin a string; write `\"` or `'`"},
      {R"(a == "b" "c")", R"(9-12: expected an operator before `"c"`)"},
      {"'a''b'", "3-6: expected an operator before `'b'`"},
  });
}

TEST(ParserTest, Names) {
  Expect({
      {"a", "a"},
      {"_a1_B", "_a1_B"},
      {"inn", "inn"},
      {"nulls", "nulls"},
      {".a", ".a"},
      {".a.b", ".a.b"},
      {". a", ".a"},
      {"a . b . c", "a.b.c"},
      {"a.for", "a.for"},
      {"a.package()", "a.package()"},
      {"a()", "a()"},
      {"a(b, c)", "a(b, c)"},
      {".a(b)", ".a(b)"},
      {"a.b()", "a.b()"},
      {"a.`b-c`", "a.`b-c`"},
      {"a.`/foo`", "a.`/foo`"},
      {"a.`b c`.`d.e`", "a.`b c`.`d.e`"},
      {"a.`in`", "a.in"},
      {"`b-c`", "`b-c`"},
      {"`b-c`()", "`b-c`()"},
      {".`b-c`", "`.b-c`"},
      {"a.`b.c`()", "a.`b.c`()"},
      {"a.?`b-c`", "a.?`b-c`"},
  });
}

TEST(ParserTest, NameDefects) {
  Expect({
      {"for", "0-3: `for` is a reserved word; choose another name"},
      {"if", "0-2: `if` is a reserved word; write `condition ? a : b`"},
      {"for.b", "0-3: `for` is a reserved word; choose another name"},
      {".else", "1-5: `else` is a reserved word; choose another name"},
      {"void(a)", "0-4: `void` is a reserved word; choose another name"},
      {"a + let", "4-7: `let` is a reserved word; choose another name"},
      {"[1].map(var, var * var)",
       "8-11: `var` is a reserved word; choose another name\n13-16: `var` is a reserved word; "
       "choose another name\n19-22: `var` is a reserved word; choose another name"},
      {"if (a)", "0-2: `if` is a reserved word; write `condition ? a : b`"},
      {"if a", "0-2: `if` is a reserved word; write `condition ? a : b`"},
      {"in", "0-2: expected an expression, not `in`"},
      {"in.a", "0-2: expected an expression, not `in`"},
      {"null()", "4-5: expected an operator, not `(`"},
      {"a.true", "2-6: `true` is a keyword; as the name of a field it needs back-quotes around it"},
      {"a.in == 1",
       "2-4: `in` is a keyword; as the name of a field it needs back-quotes around it"},
      {"a.null()",
       "2-6: `null` is a keyword; as the name of a field it needs back-quotes around it"},
      {"a.", "2-2: expected a name after `.`"},
      {"a.?", "3-3: expected a name after `?`"},
      {"a..b", "2-3: expected a name after `.`, not `.`"},
      {"a.(b)", "2-3: expected a name after `.`, not `(`"},
      {"a.?b(c)", "4-5: `.?` selects a field; it cannot call a function"},
      {"a()(b)", "3-4: expected an operator, not `(`"},
      {"a.b()(c)", "5-6: expected an operator, not `(`"},
      {"a.``", "2-4: there is no name between the back-quotes"},
      {"a.`b", "2-4: the back-quote that ends the name is missing"},
      {"a.`b!`",
       "4-5: a name in back-quotes cannot hold `!`, only letters of ASCII, digits, and `_`, `.`, "
       "`-`, `/` and spaces"},
      {"a.`bé`",
       "4-6: a name in back-quotes cannot hold `é`, only letters of ASCII, digits, and `_`, `.`, "
       "`-`, `/` and spaces"},
      {"`_-_`(1, 2)", "0-5: `_-_` is not the name of a function"},
      {"`-_`(1)", "0-4: `-_` is not the name of a function"},
      {".`_/_`(1, 2)", "0-6: `_/_` is not the name of a function"},
      {"a.`_`(b)", "2-5: `_` is not the name of a function"},
      {"été",
       "0-2: `é` has no meaning outside of a string\n3-5: `é` has no meaning outside of a string"},
      {"a.é", "2-4: `é` has no meaning outside of a string"},
      {"a.`b\n`",
       "2-4: the back-quote that ends the name is missing\n5-6: the back-quote that ends the name "
       "is missing"},
  });
}

TEST(ParserTest, Selections) {
  Expect({
      {"a.?b", "a.?b"},
      {"a.?b.c.?d", "a.?b.c.?d"},
      {"a[b]", "_[_](a, b)"},
      {"a[?b]", "_[?_](a, b)"},
      {R"(a["b"][0])", R"(_[_](_[_](a, "b"), 0))"},
      {"a.b[c].d(e)[f]", "_[_](_[_](a.b, c).d(e), f)"},
      {"true.b", "true.b"},
      {R"("a".b)", R"("a".b)"},
      {"[a].b", "[a].b"},
      {"{a: b}.c", "{a: b}.c"},
      {"(a + b).c", "_+_(a, b).c"},
      {"a ? b : c.d", "_?_:_(a, b, c.d)"},
  });
}

TEST(ParserTest, ListsAndMaps) {
  Expect({
      {"[]", "[]"},
      {"[,]", "[]"},
      {"[a]", "[a]"},
      {"[a, b, c]", "[a, b, c]"},
      {"[a, b,]", "[a, b]"},
      {"[?a, b, ?c]", "[?a, b, ?c]"},
      {"[a, ?b]", "[a, ?b]"},
      {"{}", "{}"},
      {"{,}", "{}"},
      {"{a: b}", "{a: b}"},
      {R"({a: b, "c": d,})", R"({a: b, "c": d})"},
      {"{?a: b, c: d}", "{?a: b, c: d}"},
      {"{a: b, ?c: d}", "{a: b, ?c: d}"},
      {"{a ? b : c : d}", "{_?_:_(a, b, c): d}"},
      {"[[{a: []}]]", "[[{a: []}]]"},
  });
}

TEST(ParserTest, BracketDefects) {
  Expect({
      {"(a", "0-1: `(` is not closed"},
      {"(a]", "2-3: expected `)`, not `]`"},
      {"a)", "1-2: `)` closes nothing"},
      {"a]", "1-2: `]` closes nothing"},
      {"a}", "1-2: `}` closes nothing"},
      {"()", "1-2: expected an expression after `(`, not `)`"},
      {"[a", "0-1: `[` is not closed"},
      {"[a}", "2-3: expected `,` or `]`, not `}`"},
      {"[,a]", "1-2: expected an expression after `[`, not `,`"},
      {"[a,,]", "3-4: expected an expression after `,`, not `,`"},
      {"{,a: b}", "1-2: expected an expression after `{`, not `,`"},
      {"[a,,b]", "3-4: expected an expression after `,`, not `,`"},
      {"{a", "2-2: expected `:` and a value"},
      {"{a}", "2-3: expected `:` and a value, not `}`"},
      {"{a,b}", "2-3: expected `:` and a value, not `,`"},
      {"{a: b", "0-1: `{` is not closed"},
      {"{a:}", "3-4: expected an expression after `:`, not `}`"},
      {"{: a}", "1-2: expected an expression after `{`, not `:`"},
      {"a[", "2-2: expected an expression after `[`"},
      {"a[]", "2-3: expected an expression after `[`, not `]`"},
      {"a[b", "1-2: `[` is not closed"},
      {"a[b, c]", "3-4: expected `]`, not `,`"},
      {"f(a", "1-2: `(` is not closed"},
      {"f(a,)", "4-5: expected an expression after `,`, not `)`"},
      {"f(,)", "2-3: expected an expression after `(`, not `,`"},
      {"f(a]", "3-4: expected `,` or `)`, not `]`"},
  });
}

TEST(ParserTest, Messages) {
  Expect({
      {"a{}", R"(@message("a"))"},
      {"a{,}", R"(@message("a"))"},
      {".a.b{c: 1}", R"(@message(".a.b", "c": 1))"},
      {R"(a.b{c: 1, d: "e",})", R"(@message("a.b", "c": 1, "d": "e"))"},
      {"a{?b: c, d: e}", R"(@message("a", ?"b": c, "d": e))"},
      {"a{`b-c`: d}", R"(@message("a", "b-c": d))"},
      {"a{`in`: b}", R"(@message("a", "in": b))"},
      {"a{for: 1}", R"(@message("a", "for": 1))"},
      {"for.if{}", R"(@message("for.if"))"},
      {"a{b: c{d: e}}.f", R"(@message("a", "b": @message("c", "d": e)).f)"},
  });
}

TEST(ParserTest, MessageDefects) {
  Expect({
      {"a{}()", "3-4: expected an operator, not `(`"},
      {"a{b}", "3-4: expected `:` and a value, not `}`"},
      {"a{b: }", "5-6: expected an expression after `:`, not `}`"},
      {"a{:b}", "2-3: expected a name after `{`, not `:`"},
      {"a{{b}}", "2-3: expected a name after `{`, not `{`"},
      {"a{in: 1}", "2-4: `in` is a keyword; as the name of a field it needs back-quotes around it"},
      {"a{1: 2}", "2-3: expected a name after `{`, not `1`"},
      {"x{.", "2-3: expected a name after `{`, not `.`"},
      {"x{?.", "3-4: expected a name after `?`, not `.`"},
      {"a.`b`{}", "5-6: expected an operator, not `{`"},
      {"f(a){}", "4-5: expected an operator, not `{`"},
      {"a{b: 1", "1-2: `{` is not closed"},
  });
}

TEST(ParserTest, Space) {
  Expect({
      {"a\n\t\r\x0c + b", "_+_(a, b)"},
      {"a // b\n + c // d", "_+_(a, c)"},
      {"// a\nb", "b"},
      {"a//", "a"},
      {R"("a"//"b")", R"("a")"},
  });
}

TEST(ParserTest, SpaceDefects) {
  Expect({
      {"", "0-0: there is no expression"},
      {" \n", "0-0: there is no expression"},
      {"// a", "0-0: there is no expression"},
      {"a +\n// b\n", "3-3: expected an expression after `+`"},
      {"a\u00a0+ b", "1-3: this is a no-break space; write a plain one"},
      {"a\u200b", R"(1-4: `\u{200b}` has no meaning outside of a string)"},
      {"a\x0b", R"(1-2: `\x0b` has no meaning outside of a string)"},
      {std::string("a\0", 2), R"(1-2: `\x00` has no meaning outside of a string)"},
      {"a\xff"
       "b",
       "1-2: this byte is not UTF-8"},
      {"// \xc3", "3-4: this byte is not UTF-8"},
      {"\"\xc0\x80\"", "1-2: this byte is not UTF-8"},
      {"\"\xed\xa0\x80\"", "1-2: this byte is not UTF-8"},
      {"é", "0-2: `é` has no meaning outside of a string"},
  });
}

std::string Repeat(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

struct Limit {
  const char* name;
  std::string source;
  std::string want;  // empty: it is read
};

void ExpectLimits(const std::vector<Limit>& rows) {
  for (const Limit& row : rows) {
    const std::string outcome = Outcome(row.source, /*expand_macros=*/true);
    if (row.want.empty()) {
      EXPECT_FALSE(outcome.empty() || absl::ascii_isdigit(outcome[0])) << row.name << outcome;
    } else {
      EXPECT_EQ(outcome, row.want) << row.name;
    }
  }
}

// cel-spec, "Syntax": what must be read at least; and what is read here at most.
TEST(ParserTest, WhatFits) {
  ExpectLimits({
      {"Or", "a" + Repeat(" || a", 5000), ""},
      {"And", "a" + Repeat(" && a", 5000), ""},
      {"Arguments", "f(a" + Repeat(", a", 5000) + ")", ""},
      {"List", "[a" + Repeat(", a", 5000) + "]", ""},
      {"Map", "{a: b" + Repeat(", a: b", 5000) + "}", ""},
      {"Message", "a{b: c" + Repeat(", b: c", 5000) + "}", ""},
      {"Conditionals", Repeat("a ? b : ", 199) + "c", ""},
      {"Sum", "a" + Repeat(" + a", 199), ""},
      {"Relations", "a" + Repeat(" < a", 199), ""},
      {"Calls", Repeat("f(", 199) + "a" + Repeat(")", 199), ""},
      {"Methods", "a" + Repeat(".f()", 199), ""},
      {"Selections", "a" + Repeat(".b", 199), ""},
      {"Indexes", "a" + Repeat("[b]", 199), ""},
      {"Lists", Repeat("[", 199) + "a" + Repeat("]", 199), ""},
      {"Maps", Repeat("{a: ", 199) + "a" + Repeat("}", 199), ""},
      {"Messages", Repeat("a{b: ", 199) + "a" + Repeat("}", 199), ""},
      {"Parentheses", Repeat("(", 199) + "a" + Repeat(")", 199), ""},
      {"Not", Repeat("!", 199) + "a", ""},
      {"Macros", Repeat("[a].all(x, ", 60) + "x" + Repeat(")", 60), ""},
      {"Bytes", "a" + Repeat(" ", 65535), ""},
  });
}

TEST(ParserTest, WhatDoesNotFit) {
  const std::string deep = ": the expression is nested more than 200 deep";
  const std::string large = ": the expression has more than 20000 parts";
  ExpectLimits({
      {"Parentheses", Repeat("(", 200) + "a" + Repeat(")", 200), "200-201" + deep},
      {"OpenParentheses", Repeat("(", 20000), "200-201" + deep},
      {"OpenBrackets", Repeat("[", 20000), "200-201" + deep},
      {"OpenBraces", Repeat("{", 20000), "200-201" + deep},
      {"OpenCalls", Repeat("f(", 20000), "400-401" + deep},
      {"OpenIndexes", Repeat("a[", 20000), "400-401" + deep},
      {"Not", Repeat("!", 60000) + "a", "59800-59801" + deep},
      {"Minus", Repeat("-", 60000) + "a", "59800-59801" + deep},
      {"Selections", "a" + Repeat(".a", 30000), "399-400" + deep},
      {"Sum", "a" + Repeat("+a", 30000), "399-400" + deep},
      {"Conditionals", Repeat("a?b:", 15000) + "c", "800-801" + deep},
      {"Macros", Repeat("a.all(x,", 100) + "x" + Repeat(")", 100), "2-5" + deep},
      {"Block", "cel.block([" + Repeat("1,", 300) + "], 1)", "4-9" + deep},
      {"Parts", "[" + Repeat("a,", 30000) + "]", "40001-40002" + large},
      {"PartsOfMacros", "[" + Repeat("a.all(e,e),", 3000) + "]", "14666-14669" + large},
      {"Bytes", "a" + Repeat(" ", 65536), "65536-65536: the expression is longer than 65536 bytes"},
      {"MegabyteOfNot", Repeat("!", 1 << 20),
       "65536-65536: the expression is longer than 65536 bytes"},
  });
}

TEST(ParserTest, SaysAFewDefectsOfMany) {
  std::vector<Defect> defects;
  EXPECT_FALSE(Parse(Repeat("a = ", 10000) + "a", {}, &defects).has_value());
  EXPECT_EQ(defects.size(), 20u);
  EXPECT_FALSE(Parse("[" + Repeat("has(a),", 1000) + "]", {}, &defects).has_value());
  EXPECT_EQ(defects.size(), 40u) << "what was there stays";
}

// Each node is shown where its name, its operator or its bracket stands.
TEST(ParserTest, Places) {
  const std::string source = "a.b(-1, c[d] + .e) ? [f.?g] : {'h': M{i: `j`}}";
  std::vector<Defect> defects;
  const std::optional<Ast> ast = Parse(source, {}, &defects);
  ASSERT_TRUE(ast.has_value());
  std::string places;
  for (ExprId id = 0; id < ast->nodes.size(); ++id) {
    const SourceRange place = (*ast)[id].place;
    absl::StrAppend(&places, source.substr(place.begin, place.end - place.begin), " ");
  }
  EXPECT_EQ(places, "a -1 c d [ .e + b f . [ 'h' M i `j` M { ? ");
}

}  // namespace
}  // namespace reeve::cel
