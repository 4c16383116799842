#include "reeve/adapters/context/jwt/base64url.h"

#include <ostream>
#include <string>

#include "gtest/gtest.h"

namespace reeve {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  std::string text;
  std::optional<std::string> want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class Base64UrlTest : public testing::TestWithParam<Case> {};

TEST_P(Base64UrlTest, Decodes) { EXPECT_EQ(DecodeBase64Url(GetParam().text), GetParam().want); }

const Case kCases[] = {
    {"Empty", "", ""},
    {"One", "Zg", "f"},
    {"Two", "Zm8", "fo"},
    {"Three", "Zm9v", "foo"},
    {"Six", "Zm9vYmFy", "foobar"},
    // RFC 7515, appendix C.
    {"Rfc", "A-z_4ME", "\x03\xEC\xFF\xE0\xC1"},
    {"Zeros", "AAAA", "\0\0\0"s},
    {"Ones", "_____w", "\xFF\xFF\xFF\xFF"},

    {"OneDigit", "Z", std::nullopt},
    {"FiveDigits", "Zm9vY", std::nullopt},
    {"Padded", "Zg==", std::nullopt},
    {"PaddedOnce", "Zm8=", std::nullopt},
    {"BitsBehindOne", "Zh", std::nullopt},
    {"BitsBehindTwo", "Zm9", std::nullopt},
    {"Plus", "A+z_", std::nullopt},
    {"Slash", "A-z/", std::nullopt},
    {"SpaceBefore", " Zm9v", std::nullopt},
    {"SpaceAfter", "Zm9v ", std::nullopt},
    {"NewlineInside", "Zm9v\nYmFy", std::nullopt},
    {"Zero", "Zm9\0"s, std::nullopt},
    {"Dot", "Zm.v", std::nullopt},
    {"HighByte", "Zm9\xC3", std::nullopt},
};

INSTANTIATE_TEST_SUITE_P(Table, Base64UrlTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// As many texts of two digits are taken as there are bytes.
TEST(Base64UrlTest, NoTwoTextsAreTheSameBytes) {
  int decoded = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char text[] = {static_cast<char>(a), static_cast<char>(b)};
      if (DecodeBase64Url({text, 2}).has_value()) ++decoded;
    }
  }
  EXPECT_EQ(decoded, 256);
}

}  // namespace
}  // namespace reeve
