#include "reeve/policy/issue.h"

#include <gtest/gtest.h>

#include <string>

namespace reeve {
namespace {

std::string Repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(IssueTest, ToStringNamesThePlace) {
  EXPECT_EQ(ToString(Issue{Issue::Severity::kError, "p.yaml", {3, 7}, "it is wrong"}),
            "p.yaml:3:7: it is wrong");
  EXPECT_EQ(ToString(Issue{Issue::Severity::kWarning, "p.yaml", {3, 7}, "it is odd"}),
            "p.yaml:3:7: warning: it is odd");
  EXPECT_EQ(ToString(Issue{
                Issue::Severity::kNote, "p.yaml", {3, 7}, "it is", {}, 1, Warning::kShadowRule}),
            "p.yaml:3:7: note: it is [shadow-rule]");
  EXPECT_EQ(ToString(Issue{Issue::Severity::kError, "p.yaml", {}, "it is empty"}),
            "p.yaml: it is empty");
}

struct Case {
  const char* name;
  std::string line;
  int column;
  int width;
  std::string excerpt;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class ExcerptTest : public testing::TestWithParam<Case> {};

TEST_P(ExcerptTest, ShowsTheLineAndThePlace) {
  const Case& c = GetParam();
  const Issue issue = {Issue::Severity::kError, "p.yaml", {1, c.column}, "x", c.line, c.width};
  EXPECT_EQ(Excerpt(issue), c.excerpt);
}

const Case kCases[] = {
    {"Word", "when: wrong == 1", 7, 5,
     "  when: wrong == 1\n"
     "        ^~~~~\n"},
    {"OneColumn", "a b", 3, 1, "  a b\n    ^\n"},
    {"FirstColumn", "abc", 1, 2, "  abc\n  ^~\n"},
    {"Tabs", "a\t\twrong", 4, 5, "  a  wrong\n     ^~~~~\n"},
    {"TabInside", "wr\tong", 1, 6, "  wr ong\n  ^~~~~~\n"},
    {"MultiByteCharactersBefore", "\u00e9\u4e16\U0001F600 wrong", 5, 5,
     "  \u00e9\u4e16\U0001F600 wrong\n"
     "      ^~~~~\n"},
    {"MultiByteCharactersInside", "x \u00e9\u4e16 y", 3, 2, "  x \u00e9\u4e16 y\n    ^~\n"},
    {"ControlCharactersBefore", "\x01\x7f wrong", 4, 5,
     "  \\x01\\x7f wrong\n"
     "           ^~~~~\n"},
    {"EscapeSequence", "\x1b[31mwrong", 1, 2, "  \\x1b[31mwrong\n  ^~~~~\n"},
    {"HiddenCharacters", "a\u202e\u200b wrong", 5, 5,
     "  a\\u{202e}\\u{200b} wrong\n"
     "                    ^~~~~\n"},
    {"HiddenCharacterItself", "ab\u202ecd", 3, 2, "  ab\\u{202e}cd\n    ^~~~~~~~~\n"},
    {"InvalidUtf8", "a\xff\xfe wrong", 5, 5, "  a\\xff\\xfe wrong\n            ^~~~~\n"},
    {"WidthBeyondTheEnd", "abc", 2, 100, "  abc\n   ^~\n"},
    {"BehindTheLastCharacter", "a &&", 5, 1, "  a &&\n      ^\n"},
    {"BehindTheLastCharacterAndWide", "a &&", 5, 7, "  a &&\n      ^\n"},
    {"FarBehindTheEnd", "abc", 8, 1, "  abc\n         ^\n"},
    {"EmptyLine", "", 1, 1, ""},
    {"NoColumn", "abc", 0, 1, ""},
    {"Blanks", "   ", 2, 1, "     \n   ^\n"},
    // 100 columns of a line are shown, 60 of them before the place.
    {"LongLine", std::string(100, 'a') + "wrong" + std::string(100, 'b'), 101, 5,
     "  " + std::string(60, 'a') + "wrong" + std::string(35, 'b') + "\n  " + std::string(60, ' ') +
         "^~~~~\n"},
    {"LongLineFromTheBegin", "wrong" + std::string(200, 'b'), 1, 5,
     "  wrong" + std::string(95, 'b') + "\n  ^~~~~\n"},
    {"LongWidth", std::string(300, 'a'), 61, 300,
     "  " + std::string(100, 'a') + "\n  " + std::string(60, ' ') + "^" + std::string(39, '~') +
         "\n"},
    {"LongLineOfMultiByteCharacters", Repeat("\u4e16", 200), 150, 2,
     "  " + Repeat("\u4e16", 100) + "\n  " + std::string(60, ' ') + "^~\n"},
    {"LongLineAndItsEnd", std::string(200, 'a'), 201, 1,
     "  " + std::string(60, 'a') + "\n  " + std::string(60, ' ') + "^\n"},
};

INSTANTIATE_TEST_SUITE_P(All, ExcerptTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reeve
