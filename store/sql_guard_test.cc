#include "reeve/store/sql_guard.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeTempDir;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A closed file of two records, alone in its directory, and a guard on it.
class SqlGuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    {
      auto store = *AuditStore::Open(path_);
      Decider decider;
      ASSERT_TRUE(decider.Append(*store, "doc.read", "doc:1").ok());
      ASSERT_TRUE(decider.Append(*store, "doc.delete", "doc:2").ok());
      ASSERT_TRUE(store->Unfold().ok());
    }
    guard_ = *SqlGuard::Open(path_);
  }

  // The names, and the rows, as text; or the error.
  std::string Run(std::string_view sql, const SqlLimits& limits = {}) {
    std::string text;
    const auto add = [&text](const std::string& word, bool last) {
      absl::StrAppend(&text, word, last ? "\n" : "|");
    };
    const absl::StatusOr<SqlGuard::Answer> answer = guard_->Run(
        sql, limits,
        [&](const std::vector<std::string>& names) {
          for (const std::string& name : names) add(name, &name == &names.back());
        },
        [&](const std::vector<SqlValue>& row) {
          for (const SqlValue& value : row) {
            const bool last = &value == &row.back();
            if (const auto* number = std::get_if<int64_t>(&value)) add(absl::StrCat(*number), last);
            if (const auto* real = std::get_if<double>(&value)) add(absl::StrCat(*real), last);
            if (const auto* words = std::get_if<std::string>(&value)) add(*words, last);
            if (const auto* blob = std::get_if<SqlBlob>(&value)) {
              add(absl::StrCat(blob->bytes.size(), " bytes"), last);
            }
            if (value.index() == 0) add("NULL", last);
          }
          return true;
        });
    if (!answer.ok()) return answer.status().ToString();
    return answer->more ? text + "more\n" : text;
  }

  const std::string directory_ = MakeTempDir();
  const std::string path_ = directory_ + "audit.db";
  std::unique_ptr<SqlGuard> guard_;
};

TEST_F(SqlGuardTest, Answers) {
  const struct {
    const char* name;
    const char* sql;
    const char* want;
  } kCases[] = {
      {"View", "SELECT decision, resource FROM decisions ORDER BY number",
       "decision|resource\nallow|doc:1\ndeny|doc:2\n"},
      {"Hours", "select rule, sum(count) from decisions_by_hour group by 1 order by 1",
       "rule|sum(count)\nNULL|2\ndocs/never|1\ndocs/read|1\n"},
      {"OneColumn", "SELECT number FROM decisions", "number\n1\n2\n"},
      {"Grouped",
       "SELECT principal, count(*) AS n FROM decisions WHERE decision = 'deny' GROUP BY 1",
       "principal|n\nuser:ada|1\n"},
      {"Joined",
       "SELECT count(*) AS n FROM decisions a JOIN decisions b ON a.principal = b.principal "
       "WHERE a.action <> b.action",
       "n\n2\n"},
      {"Numbers",
       "SELECT resource FROM decisions WHERE number IN (SELECT number FROM numbers WHERE kind = "
       "'principal' AND name = 'user:ada') ORDER BY number",
       "resource\ndoc:1\ndoc:2\n"},
      {"Count", "SELECT count(*) FROM decisions", "count(*)\n2\n"},
      {"Json", "SELECT j.value FROM decisions, json_each(rules) j ORDER BY 1",
       "value\ndocs/never\ndocs/read\n"},
      {"Members", "SELECT context ->> 'x' AS x FROM decisions LIMIT 1", "x\nNULL\n"},
      {"With", "WITH a AS (SELECT * FROM decisions) SELECT count(*) AS n FROM a", "n\n2\n"},
      {"Recursive",
       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) "
       "SELECT sum(i) AS s FROM n",
       "s\n6\n"},
      {"Window", "SELECT row_number() OVER (ORDER BY number) AS n FROM decisions", "n\n1\n2\n"},
      {"Tables", "SELECT w.id, s.count FROM writers w JOIN segments s ON s.writer = w.id LIMIT 1",
       "id|count\n1|1\n"},
      {"Schema", "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY 1",
       "name\ndecisions\ndecisions_by_hour\nnumbers\n"},
      {"Values", "VALUES (NULL, 1, 1.5, 'a', x'00ff')",
       "column1|column2|column3|column4|column5\nNULL|1|1.5|a|2 bytes\n"},
      {"Comment", "SELECT 1 AS one; -- the end", "one\n1\n"},
      {"Semicolons", ";; SELECT 1 AS one ;; /* x */ ;", "one\n1\n"},
  };
  for (const auto& c : kCases) EXPECT_EQ(Run(c.sql), c.want) << c.name;
  EXPECT_TRUE(absl::StrContains(
      Run("EXPLAIN QUERY PLAN SELECT * FROM decisions WHERE principal = 'user:ada'"), "SEARCH"));
}

TEST_F(SqlGuardTest, RefusesAllElseAndChangesNothing) {
  constexpr char kOnlySelect[] = "INVALID_ARGUMENT: only a SELECT may be run here";
  constexpr char kMore[] =
      "INVALID_ARGUMENT: there is more than one statement; run them one after the other";
  const std::string attach = absl::StrCat("ATTACH '", directory_, "x.db' AS x");
  const std::string into = absl::StrCat("VACUUM INTO '", directory_, "x.db'");
  const struct {
    const char* name;
    std::string sql;
    std::string want;
  } kCases[] = {
      {"Delete", "DELETE FROM segments", kOnlySelect},
      {"Update", "UPDATE records SET reason = 1", kOnlySelect},
      {"Insert", "INSERT INTO names VALUES(9, 'x')", kOnlySelect},
      {"Replace", "REPLACE INTO names VALUES(9, 'x')", kOnlySelect},
      {"Returning", "DELETE FROM segments RETURNING *", kOnlySelect},
      {"WithDelete", "WITH a AS (SELECT 1) DELETE FROM segments", kOnlySelect},
      {"ExplainDelete", "EXPLAIN DELETE FROM segments", kOnlySelect},
      {"Create", "CREATE TABLE x(a)", kOnlySelect},
      {"CreateTemp", "CREATE TEMP TABLE x(a)", kOnlySelect},
      {"CreateVirtual", "CREATE VIRTUAL TABLE temp.x USING fts5(a)", kOnlySelect},
      {"Drop", "DROP VIEW decisions", kOnlySelect},
      {"Alter", "ALTER TABLE writers ADD COLUMN x", kOnlySelect},
      {"Attach", attach, kOnlySelect},
      {"Detach", "DETACH main", kOnlySelect},
      {"Vacuum", "VACUUM", kOnlySelect},
      {"VacuumInto", into, kOnlySelect},
      {"Pragma", "PRAGMA user_version = 1", kOnlySelect},
      {"PragmaThatReads", "PRAGMA user_version", kOnlySelect},
      {"QueryOnly", "PRAGMA query_only = 0", kOnlySelect},
      {"Begin", "BEGIN", kOnlySelect},
      {"Savepoint", "SAVEPOINT x", kOnlySelect},
      {"Analyze", "ANALYZE", kOnlySelect},
      {"Reindex", "REINDEX", kOnlySelect},
      {"Two", "SELECT 1; SELECT 2", kMore},
      {"TwoWithDelete", "SELECT 1; DELETE FROM segments", kMore},
      {"Rubbish", "SELECT 1; x", kMore},
      {"None", " -- nothing", "INVALID_ARGUMENT: there is no statement; write a SELECT"},
      {"Empty", "", "INVALID_ARGUMENT: there is no statement; write a SELECT"},
      {"Nul", std::string("SELECT 1\0;", 10), "INVALID_ARGUMENT: the SQL holds a NUL; write text"},
      {"Extension", "SELECT load_extension('x')",
       "INVALID_ARGUMENT: the function `load_extension` may not be called here"},
      {"Tokenizer", "SELECT fts3_tokenizer('simple')",
       "INVALID_ARGUMENT: the function `fts3_tokenizer` may not be called here"},
      {"Log", "SELECT SQLITE_LOG(1, 'x')",
       "INVALID_ARGUMENT: the function `sqlite_log` may not be called here"},
      {"InnerTable", "SELECT * FROM names",
       "INVALID_ARGUMENT: `names` may not be read here; ask `decisions`, `decisions_by_hour`, "
       "`numbers`, `writers`, `segments`, `checkpoints` or `prunings`"},
      {"Pages", "SELECT * FROM sqlite_dbpage", "INVALID_ARGUMENT: "},
      {"PragmaTable", "SELECT * FROM pragma_user_version", "INVALID_ARGUMENT: "},
      {"Statistics", "SELECT * FROM dbstat", kOnlySelect},
      {"Syntax", "SELECT FROM decisions",
       "INVALID_ARGUMENT: the SQL is wrong at character 8: near \"FROM\": syntax error"},
      {"Column", "SELECT principle FROM decisions",
       "INVALID_ARGUMENT: the SQL is wrong at character 8: no such column: principle"},
      {"DoubleQuotes", "SELECT * FROM decisions WHERE principal = \"user:ada\"",
       "INVALID_ARGUMENT: the SQL is wrong at character 43: no such column: user:ada"},
      {"Parameter", "SELECT ?", "INVALID_ARGUMENT: "},
      {"NotJson", "SELECT json_extract('x', '$')",
       "INVALID_ARGUMENT: the SQL is wrong: malformed JSON"},
      {"Large", "SELECT zeroblob(100000000)", "RESOURCE_EXHAUSTED: "},
      {"Deep", absl::StrCat("SELECT ", std::string(300, '('), "1", std::string(300, ')')),
       "INVALID_ARGUMENT: "},
      {"Long", absl::StrCat("SELECT '", std::string(100000, 'x'), "'"), "RESOURCE_EXHAUSTED: "},
  };
  const std::string before = ReadFile(path_);
  for (const auto& c : kCases) {
    EXPECT_EQ(Run(c.sql).substr(0, c.want.size()), c.want) << c.name << ": " << Run(c.sql);
  }
  guard_.reset();
  EXPECT_EQ(ReadFile(path_), before);
  // Nothing lies beside it but what SQLite itself puts there.
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name == "audit.db" || name == "audit.db-shm" || name == "audit.db-wal") << name;
  }
}

TEST_F(SqlGuardTest, EndsWhatTakesTooMuch) {
  constexpr char kEndless[] =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  SqlLimits limits;
  limits.timeout = absl::Milliseconds(20);
  EXPECT_EQ(Run(kEndless, limits),
            "DEADLINE_EXCEEDED: the statement takes too long; ask for a shorter time, or "
            "give it more");
}

TEST_F(SqlGuardTest, BoundsMemoryAndRows) {
  SqlLimits limits;
  limits.max_memory = 1 << 20;
  EXPECT_TRUE(absl::StrContains(
      Run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
          "SELECT i, hex(randomblob(50)) AS x FROM n ORDER BY x",
          limits),
      "RESOURCE_EXHAUSTED: the statement takes too much memory"));
  limits = {};
  limits.max_rows = 2;
  EXPECT_EQ(Run("VALUES (1), (2), (3)", limits), "column1\n1\n2\nmore\n");
  EXPECT_EQ(Run("VALUES (1), (2)", limits), "column1\n1\n2\n");
  limits.max_rows = 0;
  EXPECT_EQ(Run("VALUES (1)", limits), "column1\nmore\n");
}

TEST_F(SqlGuardTest, SeesWhatIsWrittenMeanwhile) {
  auto store = *AuditStore::Open(path_);
  ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:3").ok());
  ASSERT_TRUE(store->Unfold().ok());
  EXPECT_EQ(Run("SELECT count(*) AS n FROM decisions"), "n\n3\n");
}

}  // namespace
}  // namespace reeve
