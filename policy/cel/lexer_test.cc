#include "policy/cel/lexer.h"

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace reeve::cel {
namespace {

struct LexerCase {
  const char* name;
  std::string_view source;
  const char* words;         // After a line feed.
  const char* defects = "";  // `begin-end: message`, a line each.
};

std::ostream& operator<<(std::ostream& os, const LexerCase& c) { return os << c.name; }

class LexerTest : public testing::TestWithParam<LexerCase> {};

TEST_P(LexerTest, PrintsTheWords) {
  const LexerCase& c = GetParam();
  std::vector<Defect> defects;
  const std::vector<Token> tokens = Tokenize(c.source, &defects);
  EXPECT_EQ("\n" + ToString(c.source, tokens), c.words);
  std::string text;
  for (const Defect& defect : defects) {
    absl::StrAppend(&text, defect.place.begin, "-", defect.place.end, ": ", defect.message, "\n");
  }
  EXPECT_EQ(text, c.defects);
}

const LexerCase kCases[] = {
    {"Nothing", "", R"(
0-0 End
)"},
    {"SpaceAndComments", " \t\r\n// a + b\n1 // c", R"(
13-14 Int 1
19-19 End
)"},
    {"Names", "a _b c9 `d-e` true false null in", R"(
0-1 Ident a
2-4 Ident _b
5-7 Ident c9
8-13 QuotedIdent `d-e`
14-18 True
19-24 False
25-29 Null
30-32 In
32-32 End
)"},
    {"Numbers", "0 17 0x1F 7u 0xAU 1.5 .5 1e3 2.5E-7", R"(
0-1 Int 0
2-4 Int 17
5-9 Int 0x1F
10-12 Uint 7u
13-17 Uint 0xAU
18-21 Double 1.5
22-24 Double .5
25-28 Double 1e3
29-35 Double 2.5E-7
35-35 End
)"},
    {"NumbersAndDots", "1.x a.b", R"(
0-1 Int 1
1-2 Dot
2-3 Ident x
4-5 Ident a
5-6 Dot
6-7 Ident b
7-7 End
)"},
    {"Strings", R"-("a" 'b\'' r"\d" """c"d""" '''e''' "\u00e9\x41\101")-", R"(
0-3 String a
4-9 String b'
10-15 String \d
16-25 String c"d
26-33 String e
34-50 String éAA
50-50 End
)"},
    {"Bytes", R"-(b"a" br"\x" BR'\y' b"\x41\101")-", R"(
0-4 Bytes a
5-11 Bytes \x
12-18 Bytes \y
19-30 Bytes AA
30-30 End
)"},
    {"LettersOfBytesExchanged", "rb'a'", R"(
0-5 Bytes a
5-5 End
)",
     "0-2: the letters before raw bytes are `br`, in this order\n"},
    {"Operators", "== != < <= > >= && || ! + - * / % ? : , . ( ) [ ] { }", R"(
0-2 Equal
3-5 NotEqual
6-7 Less
8-10 LessOrEqual
11-12 Greater
13-15 GreaterOrEqual
16-18 And
19-21 Or
22-23 Not
24-25 Plus
26-27 Minus
28-29 Star
30-31 Slash
32-33 Percent
34-35 Question
36-37 Colon
38-39 Comma
40-41 Dot
42-43 LeftParen
44-45 RightParen
46-47 LeftBracket
48-49 RightBracket
50-51 LeftBrace
52-53 RightBrace
53-53 End
)"},
    {"OperatorsWithoutSpace", "a<=b<c>=d!=!e", R"(
0-1 Ident a
1-3 LessOrEqual
3-4 Ident b
4-5 Less
5-6 Ident c
6-8 GreaterOrEqual
8-9 Ident d
9-11 NotEqual
11-12 Not
12-13 Ident e
13-13 End
)"},
    {"NotUtf8", "a \xff b", R"(
2-3 Bad \xff
3-3 End
)",
     "2-3: this byte is not UTF-8\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LexerTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve::cel
