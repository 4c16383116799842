#include "reeve/cli/output.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

TEST(TableTest, LinesUpAndLeavesNoTrailingSpace) {
  Table table({"a", "bb", "c"});
  table.AddRow({"1", "ßß", ""});
  table.AddRow({"333", "4", "5"});
  EXPECT_EQ(table.ToString(0), "a    bb  c\n1    ßß\n333  4   5\n");
}

TEST(TableTest, CutsTheWidestColumnsButNotTheWholeOnes) {
  Table table({"when", "who", "what"}, 1);
  table.AddRow({"2026-11-21", "user:ada@EXAMPLE.COM", "doc:/finance/q3/draft"});
  EXPECT_EQ(table.ToString(40),
            "when        who            what\n2026-11-21  user:ada@EXA…  doc:/finance…\n");
  // Not below what can still be told apart.
  EXPECT_EQ(table.ToString(5), "when        who     what\n2026-11-21  user:…  doc:/…\n");
}

TEST(TableTest, CellsAreSafeToPrint) {
  Table table({"a"});
  table.AddRow({"\x1b[31m\n"});
  EXPECT_EQ(table.ToString(0), "a\n\\x1b[31m\\x0a\n");
}

TEST(ParseMomentTest, TakesSpansAndTimes) {
  const absl::Time now = absl::FromUnixSeconds(1800000000);
  EXPECT_EQ(ParseMoment("90s", now), now - absl::Seconds(90));
  EXPECT_EQ(ParseMoment("30m", now), now - absl::Minutes(30));
  EXPECT_EQ(ParseMoment("1h", now), now - absl::Hours(1));
  EXPECT_EQ(ParseMoment("7d", now), now - absl::Hours(168));
  EXPECT_EQ(ParseMoment("2w", now), now - absl::Hours(336));
  EXPECT_EQ(ParseMoment("1970-01-02T01:00:00+01:00", now), absl::FromUnixSeconds(86400));
  EXPECT_EQ(ParseMoment("1970-01-02", now), absl::FromUnixSeconds(86400));
  for (const char* text : {"", "h", "1", "-1h", "1y", "yesterday", "1970-13-01", "1h1"}) {
    EXPECT_EQ(ParseMoment(text, now), std::nullopt) << text;
  }
}

TEST(ColourTest, IsUsedOnlyWhereItShows) {
  EXPECT_EQ(Colour("x", kRed, true), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(Colour("x", kRed, false), "x");
}

}  // namespace
}  // namespace reeve
