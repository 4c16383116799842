#include "reeve/cli/records.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

TEST(RecordsTest, CsvIsThatOfRfc4180AndNoFormula) {
  const struct {
    const char* name;
    Cell cell;
    const char* want;
  } kCases[] = {
      {"Plain", Cell::Text("a b"), "a b"},
      {"Null", Cell(), ""},
      {"Comma", Cell::Text("a,b"), "\"a,b\""},
      {"Quote", Cell::Text("a\"b"), "\"a\"\"b\""},
      {"LineFeed", Cell::Text("a\nb"), "a\\x0ab"},
      {"Escape", Cell::Text("\x1b[31m"), "\\x1b[31m"},
      {"Formula", Cell::Text("=1+1"), "'=1+1"},
      {"FormulaWithComma", Cell::Text("=A(1,2)"), "\"'=A(1,2)\""},
      {"Plus", Cell::Text("+1"), "'+1"},
      {"Minus", Cell::Text("-1"), "'-1"},
      {"At", Cell::Text("@SUM(A1)"), "'@SUM(A1)"},
      {"Number", Cell::Json("-1"), "-1"},
      {"List", Cell::Json("[\"a\",\"b\"]"), "\"[\"\"a\"\",\"\"b\"\"]\""},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(CsvLine({Cell::Text("x"), c.cell}), "x," + std::string(c.want) + "\r\n") << c.name;
  }
}

TEST(RecordsTest, JsonIsThatOfTheStore) {
  EXPECT_EQ(JsonObject({"a", "b\"", "c"}, {Cell::Text("\x1b\"\xff"), Cell::Json("[1]"), Cell()}),
            "{\"a\":\"\\u001b\\\"\xEF\xBF\xBD\",\"b\\\"\":[1],\"c\":null}");
  EXPECT_EQ(JsonNumber(0.1), "0.1");
}

TEST(RecordsTest, FindsColumns) {
  const struct {
    const char* name;
    const char* words;
    size_t want;
    const char* error;
  } kCases[] = {
      {"Two", "time,principal", 2, ""},
      {"Mistyped", "time,principle", 0,
       "`principle` is not a column; did you mean `principal`?; see doc/audit-format.md"},
      {"Twice", "time,id,time", 0, "the column `time` stands twice"},
      {"Empty", "time,", 0, "`` is not a column; see doc/audit-format.md"},
      {"Space", "time, id", 0,
       "` id` is not a column; did you mean `id`?; see doc/audit-format.md"},
  };
  for (const auto& c : kCases) {
    std::string error;
    const std::optional<std::vector<RecordColumn>> found = FindColumns(c.words, &error);
    EXPECT_EQ(found.has_value() ? found->size() : 0, c.want) << c.name;
    EXPECT_EQ(error, c.error) << c.name;
  }
}

}  // namespace
}  // namespace reeve
