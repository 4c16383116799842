#include "reeve/policy/spelling.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

TEST(SpellingTest, FindsSlipsAndNothingElse) {
  const std::vector<std::string_view> known = {"principals", "actions", "id", "allow", "deny"};
  EXPECT_EQ(NearestWord("principels", known), "principals");
  EXPECT_EQ(NearestWord("action", known), "actions");
  EXPECT_EQ(NearestWord("dney", known), "deny");
  EXPECT_EQ(NearestWord("if", known), "id");
  EXPECT_EQ(NearestWord("resources", known), "");
  EXPECT_EQ(NearestWord("", known), "");
  EXPECT_EQ(NearestWord(std::string(100000, 'a'), known), "");
  EXPECT_EQ(DidYouMean("alow", known), "; did you mean `allow`?");
  EXPECT_EQ(DidYouMean("zzzzzz", known), "");
}

}  // namespace
}  // namespace reeve
