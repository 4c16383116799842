#include "reeve/engine/named_texts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace reeve {
namespace {

TEST(NamedTextsTest, KnowsTextsByWhereTheyLie) {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back("group:" + std::to_string(i));
  NamedTexts named;
  EXPECT_EQ(named.Find(texts[0]), NamedTexts::kNone);
  for (uint32_t i = 0; i < texts.size(); ++i) named.Add(texts[i], i);
  named.Add(texts[7], 8);
  for (uint32_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(named.Find(texts[i]), i);
    const std::string copy = texts[i];
    EXPECT_EQ(named.Find(copy), NamedTexts::kNone);
  }
}

TEST(NamedTextsTest, APartIsAnotherText) {
  const std::string text = "group:staff";
  const std::string_view part = std::string_view(text).substr(0, 7);
  NamedTexts named;
  named.Add(text, 1);
  EXPECT_EQ(named.Find(part), NamedTexts::kNone);
  EXPECT_EQ(named.Find(std::string_view(text).substr(1)), NamedTexts::kNone);
  named.Add(part, 2);
  EXPECT_EQ(named.Find(part), 2u);
  EXPECT_EQ(named.Find(text), 1u);
}

}  // namespace
}  // namespace reeve
