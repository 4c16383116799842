#include "reeve/policy/unicode.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace reeve {
namespace {

TEST(FaultOf, KnowsControlAndHiddenCharacters) {
  for (const char32_t c : {0x00, 0x08, 0x0B, 0x0D, 0x1B, 0x7F, 0x85, 0x9F}) {
    EXPECT_EQ(FaultOf(c), CharacterFault::kControl) << CodePointName(c);
  }
  for (const char32_t c : {0xAD, 0x61C, 0x200B, 0x200F, 0x2028, 0x202A, 0x202E, 0x2060, 0x2066,
                           0x2069, 0xFEFF, 0xE0041}) {
    EXPECT_EQ(FaultOf(c), CharacterFault::kHidden) << CodePointName(c);
  }
  for (const char32_t c :
       {0x09, 0x0A, 0x20, 0x7E, 0xA0, 0xE9, 0x200A, 0x2010, 0x2030, 0x4E2D, 0x1F600}) {
    EXPECT_EQ(FaultOf(c), CharacterFault::kNone) << CodePointName(c);
  }
}

TEST(Quoted, IsSafeToPrint) {
  EXPECT_EQ(Quoted("a b"), "`a b`");
  EXPECT_EQ(Quoted("\x1B[2J\n\t\x7F"), "`\\u{1b}[2J\\n\\t\\u{7f}`");
  EXPECT_EQ(Quoted("a\xE2\x80\xAE z\xC2\xA0"), "`a\\u{202e} z\\u{a0}`");
  EXPECT_EQ(Quoted("a\xFF\xC3"), "`a\\xff\\xc3`");
  EXPECT_EQ(Quoted(std::string(60, 'x')), "`" + std::string(60, 'x') + "`");
  EXPECT_EQ(Quoted(std::string(61, 'x')), "`" + std::string(60, 'x') + "...`");
}

TEST(CodePointName, HasFourDigitsOrMore) {
  EXPECT_EQ(CodePointName(0), "U+0000");
  EXPECT_EQ(CodePointName(0x202E), "U+202E");
  EXPECT_EQ(CodePointName(0x1F600), "U+1F600");
}

}  // namespace
}  // namespace reeve
