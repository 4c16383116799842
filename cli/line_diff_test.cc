#include "reeve/cli/line_diff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace reeve {
namespace {

std::string Lines(int first, int last, const std::string& end = "\n") {
  std::string text;
  for (int i = first; i <= last; ++i) text += std::to_string(i) + end;
  return text;
}

struct Case {
  const char* name;
  std::string before;
  std::string after;
  std::string diff;  // Behind the two lines with names.
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class UnifiedDiffTest : public testing::TestWithParam<Case> {};

TEST_P(UnifiedDiffTest, IsThatOfDiff) {
  EXPECT_EQ(UnifiedDiff("f", GetParam().before, GetParam().after),
            "--- f\n+++ f\n" + GetParam().diff);
}

// As GNU diff -u prints them.
const Case kCases[] = {
    {"OneLine", "a\n", "b\n", "@@ -1 +1 @@\n-a\n+b\n"},
    {"FromNothing", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
    {"ToNothing", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
    {"Inserted", Lines(1, 8), Lines(1, 4) + "x\n" + Lines(5, 8),
     "@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n"},
    {"NoLineFeedAtTheEnd", "a\nb", "a\nb\n",
     "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
    {"NearChangesAreOneHunk", "x\n" + Lines(1, 6) + "x\n", "y\n" + Lines(1, 6) + "y\n",
     "@@ -1,8 +1,8 @@\n-x\n+y\n 1\n 2\n 3\n 4\n 5\n 6\n-x\n+y\n"},
    {"FarChangesAreTwo", "x\n" + Lines(1, 7) + "x\n", "y\n" + Lines(1, 7) + "y\n",
     "@@ -1,4 +1,4 @@\n-x\n+y\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-x\n+y\n"},
};

INSTANTIATE_TEST_SUITE_P(All, UnifiedDiffTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(UnifiedDiffTest, OfTheSameIsNothing) { EXPECT_EQ(UnifiedDiff("f", "a\n", "a\n"), ""); }

// Too many lines to compare each with each.
TEST(UnifiedDiffTest, OfMuchIsAllOfIt) {
  const std::string diff = UnifiedDiff("f", Lines(1, 3000, " a\n"), Lines(1, 3000, " b\n"));
  EXPECT_EQ(std::count(diff.begin(), diff.end(), '\n'), 3 + 6000);
}

}  // namespace
}  // namespace reeve
