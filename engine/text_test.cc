#include "reeve/engine/text.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

struct Case {
  const char* name;
  std::string text;
  bool valid;
  bool hidden;  // of valid text
  const char* printable;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class TextTest : public testing::TestWithParam<Case> {};

TEST_P(TextTest, IsJudgedAndPrinted) {
  const Case& c = GetParam();
  EXPECT_EQ(IsValidUtf8(c.text), c.valid);
  EXPECT_EQ(HasHiddenCharacter(c.text), c.hidden || !c.valid);
  EXPECT_EQ(Printable(c.text), c.printable);
}

const Case kCases[] = {
    {"Empty", "", true, false, ""},
    {"Ascii", "a ~", true, false, "a ~"},
    {"TwoThreeFourBytes", "ß€😀", true, false, "ß€😀"},
    {"Newline", "a\nb", true, true, "a\\x0ab"},
    {"Nul", std::string("a\0b", 3), true, true, "a\\x00b"},
    {"Escape", "\x1b[31m", true, true, "\\x1b[31m"},
    {"Delete", "\x7f", true, true, "\\x7f"},
    {"Latin1Control", "\xc2\x85", true, true, "\\u{0085}"},
    {"ZeroWidthSpace", "adm\xe2\x80\x8bin", true, true, "adm\\u{200b}in"},
    {"RightToLeftOverride", "\xe2\x80\xae", true, true, "\\u{202e}"},
    {"LineSeparator", "\xe2\x80\xa8", true, true, "\\u{2028}"},
    {"Isolate", "\xe2\x81\xa6", true, true, "\\u{2066}"},
    {"ByteOrderMark", "\xef\xbb\xbf", true, true, "\\u{feff}"},
    {"Overlong2", "\xc0\xaf", false, false, "\\xc0\\xaf"},
    {"Overlong3", "\xe0\x80\xaf", false, false, "\\xe0\\x80\\xaf"},
    {"Overlong4", "\xf0\x80\x80\xaf", false, false, "\\xf0\\x80\\x80\\xaf"},
    {"Surrogate", "\xed\xa0\x80", false, false, "\\xed\\xa0\\x80"},
    {"BeyondUnicode", "\xf4\x90\x80\x80", false, false, "\\xf4\\x90\\x80\\x80"},
    {"Truncated", "a\xe2\x82", false, false, "a\\xe2\\x82"},
    {"StrayContinuation", "\x80", false, false, "\\x80"},
};

INSTANTIATE_TEST_SUITE_P(All, TextTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(PrintableTest, IsShortened) { EXPECT_EQ(Printable(std::string(20, 'x'), 5), "xxxxx..."); }

}  // namespace
}  // namespace reeve
