#include "reeve/engine/text.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

struct Case {
  const char* name;
  std::string text;
  bool valid;
  bool control;  // Of valid text.
  const char* printable;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class TextTest : public testing::TestWithParam<Case> {};

TEST_P(TextTest, IsJudgedAndPrinted) {
  const Case& c = GetParam();
  EXPECT_EQ(IsValidUtf8(c.text), c.valid);
  EXPECT_EQ(HasControlCharacter(c.text), c.control || !c.valid);
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
    {"ZeroWidthSpace", "adm\xe2\x80\x8bin", true, false, "adm\\u{200b}in"},
    {"RightToLeftOverride", "\xe2\x80\xae", true, false, "\\u{202e}"},
    {"LineSeparator", "\xe2\x80\xa8", true, false, "\\u{2028}"},
    {"Isolate", "\xe2\x81\xa6", true, false, "\\u{2066}"},
    {"ByteOrderMark", "\xef\xbb\xbf", true, false, "\\u{feff}"},
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

// Text is looked at by words: whatever stands beside a byte, and wherever.
TEST(HasControlCharacterTest, FindsABytePlacedAnywhere) {
  for (int byte = 0; byte < 0x100; ++byte) {
    const bool bad = byte < 0x20 || byte >= 0x7F;
    for (const char beside : {' ', '~'}) {
      for (size_t at = 0; at < 20; ++at) {
        std::string text(20, beside);
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(HasControlCharacter(text), bad) << byte << " at " << at;
      }
    }
  }
}

struct Piece {
  const char* name;
  std::string bytes;
};

std::ostream& operator<<(std::ostream& os, const Piece& p) { return os << p.name; }

class TextWithPieceTest : public testing::TestWithParam<Piece> {};

// A byte after the other.
void JudgeByBytes(std::string_view text, bool* valid, bool* control) {
  *valid = true;
  *control = false;
  while (!text.empty()) {
    char32_t c = 0;
    const size_t length = DecodeUtf8(text, &c);
    *valid &= length > 0;
    *control |= length == 0 || c < 0x20 || (c >= 0x7F && c < 0xA0);
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

TEST_P(TextWithPieceTest, IsJudgedAsByteByByteWhereverThePieceIs) {
  const std::string& piece = GetParam().bytes;
  for (const char beside : {' ', '~'}) {
    for (size_t size = 0; size <= 40; ++size) {
      for (size_t at = 0; at <= size; ++at) {
        // Bytes behind the text are none of it.
        const std::string bytes =
            std::string(at, beside) + piece + std::string(size - at, beside) + '\n';
        const std::string_view text = std::string_view(bytes).substr(0, size + piece.size());
        bool valid;
        bool control;
        JudgeByBytes(text, &valid, &control);
        ASSERT_EQ(IsValidUtf8(text), valid) << size << " at " << at;
        ASSERT_EQ(HasControlCharacter(text), control) << size << " at " << at;
        ASSERT_EQ(HasControlCharacter(text.substr(0, at)), false) << size << " at " << at;
      }
    }
  }
}

const Piece kPieces[] = {
    {"Nothing", ""},
    {"Nul", std::string(1, '\0')},
    {"Newline", "\n"},
    {"UnitSeparator", "\x1f"},
    {"Delete", "\x7f"},
    {"Latin1Control", "\xc2\x80"},
    {"Latin1Letter", "\xc3\x9f"},
    {"Euro", "\xe2\x82\xac"},
    {"Emoji", "\xf0\x9f\x98\x80"},
    {"LetterThenDelete", "\xc3\x9f\x7f"},
    {"LetterThenStray", "\xc3\x9f\x80"},
    {"Stray", "\x80"},
    {"HighestByte", "\xff"},
    {"Truncated", "\xe2\x82"},
};

INSTANTIATE_TEST_SUITE_P(All, TextWithPieceTest, testing::ValuesIn(kPieces),
                         [](const auto& info) { return info.param.name; });

TEST(FindByteTest, FindsTheFirstOfAnyLength) {
  const auto find = [](std::string_view text) {
    return FindByte(text,
                    [](uint64_t word) { return MarkByte(word, '*') | MarkByte(word, '\xff'); });
  };
  for (size_t size = 0; size <= 40; ++size) {
    // Beside a byte that is sought, the one above and the one below it are not.
    for (const char beside : {'+', ')', '\0', '\xfe'}) {
      const std::string without(size, beside);
      // What is behind the text is not looked at.
      const std::string behind = without + "*";
      EXPECT_EQ(find(std::string_view(behind).substr(0, size)), size);
      for (size_t at = 0; at < size; ++at) {
        std::string text = without;
        text[at] = '*';
        EXPECT_EQ(find(text), at) << size;
        for (size_t next = at + 1; next < size; ++next) {
          text[next] = '\xff';
          EXPECT_EQ(find(text), at) << size << " and " << next;
        }
      }
    }
  }
}

TEST(Utf8, DecodesWhatItAppendsOverAllCodePoints) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, &text);
    char32_t got = 0;
    ASSERT_EQ(DecodeUtf8(text, &got), text.size()) << static_cast<uint32_t>(c);
    ASSERT_EQ(got, c);
    text.pop_back();
    ASSERT_EQ(DecodeUtf8(text, &got), 0u) << "truncated " << static_cast<uint32_t>(c);
  }
}

TEST(Utf8, TwoBytesAreWellFormedExactlyFromC280ToDfbf) {
  for (int lead = 0x80; lead < 0x100; ++lead) {
    for (int second = 0; second < 0x100; ++second) {
      const std::string text = {static_cast<char>(lead), static_cast<char>(second)};
      char32_t c;
      const bool want = lead >= 0xC2 && lead <= 0xDF && second >= 0x80 && second <= 0xBF;
      ASSERT_EQ(DecodeUtf8(text, &c), want ? 2u : 0u) << lead << " " << second;
    }
  }
}

TEST(Utf8, RefusesOverlongSurrogatesAndWhatIsAboveUnicode) {
  char32_t c;
  for (const std::string_view text :
       {"\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\x80"}) {
    EXPECT_EQ(DecodeUtf8(text, &c), 0u);
  }
}

TEST(PrintableTest, IsShortened) { EXPECT_EQ(Printable(std::string(20, 'x'), 5), "xxxxx..."); }

TEST(SameTextTest, SaysWhatEqualitySays) {
  // Each length about those where words begin, and each place where two texts can differ.
  for (size_t size = 0; size <= 41; ++size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i);
    const std::string same = text;
    EXPECT_TRUE(SameText(text, same)) << size;
    EXPECT_FALSE(SameText(text, text + "x")) << size;
    EXPECT_FALSE(SameText(text + "x", text)) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = '\0';
      EXPECT_FALSE(SameText(text, other)) << size << " at " << at;
      EXPECT_FALSE(SameText(other, text)) << size << " at " << at;
    }
  }
  EXPECT_TRUE(SameText({}, ""));
}

}  // namespace
}  // namespace reeve
