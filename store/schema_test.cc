#include "reeve/store/schema.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/reindex.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::AllDecisions;
using testing::Decider;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

// A history of three versions, of which a program may know the first ones only.
constexpr Migration kHistory[] = {
    {"CREATE TABLE t(a); INSERT INTO t VALUES(1)"},
    {"ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a + 1"},
    {"CREATE VIEW v AS SELECT a + b AS c FROM t"},
};

absl::Span<const Migration> Known(size_t versions) {
  return absl::MakeConstSpan(kHistory, versions);
}

class SchemaTest : public ::testing::Test {
 protected:
  std::unique_ptr<Database> Open() {
    return *Database::Open(path_, "audit.db", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  }
  // Runs the statements that a file holds.
  void Load(const std::string& dump) {
    std::ifstream file(dump);
    const std::string sql(std::istreambuf_iterator<char>(file), {});
    ASSERT_FALSE(sql.empty());
    ASSERT_EQ(Open()->Run(sql.c_str()), absl::OkStatus());
  }
  std::string Version() { return SelectOne(path_, "PRAGMA user_version"); }

  const std::string path_ = MakeTempDir() + "audit.db";
};

TEST_F(SchemaTest, AnyVersionIsBroughtToTheNewest) {
  for (size_t from = 0; from <= 3; ++from) {
    const std::string path = MakeTempDir() + "audit.db";
    auto database = *Database::Open(path, "audit.db", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (from > 0) {
      ASSERT_EQ(Migrate(*database, Known(from)), absl::OkStatus());
    }
    EXPECT_EQ(SelectOne(path, "PRAGMA user_version"), std::to_string(from));
    ASSERT_EQ(Migrate(*database, Known(3)), absl::OkStatus()) << from;
    EXPECT_EQ(SelectOne(path, "PRAGMA user_version"), "3");
    EXPECT_EQ(SelectOne(path, "SELECT c FROM v"), "3");
    EXPECT_EQ(*Identify(*database, 3), FileKind::kReeve);
    // Once more changes nothing.
    ASSERT_EQ(Migrate(*database, Known(3)), absl::OkStatus());
    EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM t"), "1");
  }
}

TEST_F(SchemaTest, ANewerVersionIsRefusedAndLeftAlone) {
  ASSERT_EQ(Migrate(*Open(), Known(3)), absl::OkStatus());
  const absl::Status status = Migrate(*Open(), Known(2));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "audit.db: version 3 of the audit store is newer than this program, which knows 2; "
            "use a newer program");
  EXPECT_EQ(Version(), "3");
  EXPECT_EQ(Identify(*Open(), 2).status(), status);
}

TEST_F(SchemaTest, AStepThatFailsChangesNothing) {
  ASSERT_EQ(Migrate(*Open(), Known(1)), absl::OkStatus());
  const Migration broken[] = {kHistory[0], kHistory[1], {"CREATE TABLE u(x); SELECT nonsense"}};
  auto database = Open();
  EXPECT_FALSE(Migrate(*database, broken).ok());
  EXPECT_EQ(Version(), "1");
  EXPECT_EQ(Select(path_, "SELECT name FROM sqlite_schema"), std::vector<std::string>{"t"});
  EXPECT_EQ(Select(path_, "SELECT * FROM t"), std::vector<std::string>{"1"});
  // And the connection is fit to try again.
  EXPECT_EQ(Migrate(*database, Known(3)), absl::OkStatus());
}

TEST_F(SchemaTest, AnotherDatabaseIsLeftAlone) {
  ASSERT_EQ(Open()->Run("CREATE TABLE other(x)"), absl::OkStatus());
  EXPECT_EQ(Migrate(*Open(), Known(3)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Version(), "0");
  EXPECT_EQ(SelectOne(path_, "PRAGMA application_id"), "0");
  EXPECT_EQ(Select(path_, "SELECT name FROM sqlite_schema"), std::vector<std::string>{"other"});
}

// Whenever another process makes the file while this one looks at it, it is empty or an audit
// store.
TEST_F(SchemaTest, AFileThatIsMadeMeanwhileIsNoOtherDatabase) {
  for (int before = 1; before <= 3; ++before) {
    const std::string path = MakeTempDir() + "audit.db";
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    auto database = *Database::Open(path, "audit.db", kFlags);
    struct Maker {
      Database* other;
      int statements;
      static int OnStatement(unsigned, void* self, void*, void*) {
        auto& maker = *static_cast<Maker*>(self);
        if (--maker.statements == 0) {
          EXPECT_EQ(Migrate(*maker.other, Known(3)), absl::OkStatus());
        }
        return 0;
      }
    };
    auto other = *Database::Open(path, "audit.db", kFlags);
    Maker maker = {other.get(), before};
    ASSERT_EQ(sqlite3_trace_v2(database->get(), SQLITE_TRACE_STMT, &Maker::OnStatement, &maker),
              SQLITE_OK);
    const absl::StatusOr<FileKind> kind = Identify(*database, 3);
    EXPECT_EQ(kind.status(), absl::OkStatus()) << before;
    sqlite3_trace_v2(database->get(), 0, nullptr, nullptr);
    EXPECT_EQ(*Identify(*database, 3), maker.statements > 0 ? FileKind::kEmpty : FileKind::kReeve);
  }
}

// What the columns that version 6 added show of an older record.
constexpr char kNewColumns[] = "|{}|NULL|1|1";

// A file as the first version left it, whose records are then shown as they were.
TEST_F(SchemaTest, Version1IsBroughtForwards) {
  Load("store/testdata/version_1.sql");
  ASSERT_EQ(Version(), "1");
  const std::vector<std::string> before = AllDecisions(path_);
  ASSERT_EQ(before.size(), 2u);
  std::vector<std::string> after;
  for (const std::string& row : before) after.push_back(row + "|[]" + kNewColumns);

  auto database = Open();
  ASSERT_EQ(Migrate(*database), absl::OkStatus());
  EXPECT_EQ(Version(), std::to_string(SchemaVersion()));
  EXPECT_EQ(AllDecisions(path_), after);
  EXPECT_EQ(Verify(path_), "");
  EXPECT_EQ(SelectOne(path_, "SELECT group_concat(format) FROM segments"), "1,1");

  // The rows come from the old segments as they came from them then.
  ASSERT_EQ(Reindex(path_), absl::OkStatus());
  EXPECT_EQ(AllDecisions(path_), after);
  EXPECT_EQ(Select(path_, "SELECT rules, shadow_rules FROM decisions ORDER BY number"),
            (std::vector<std::string>{R"(["docs/never"]|[])", R"(["docs/read"]|["docs/later"])"}));

  // And new ones follow them.
  auto store = AuditStore::Open(path_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  ASSERT_EQ(Decider().Append(**store, "doc.read", "doc:1"), absl::OkStatus());
  EXPECT_EQ(SelectOne(path_, "SELECT group_concat(format) FROM segments"), "1,1,3");
  EXPECT_EQ(SelectOne(path_, "SELECT group_concat(hash IS NULL) FROM segments"), "1,1,0");
  EXPECT_EQ(SelectOne(path_, "SELECT count(*) FROM decisions"), "3");
  EXPECT_EQ(Verify(path_), "");
}

// What has no chain stays readable, is told apart, and is followed by what has one.
TEST_F(SchemaTest, Version2IsBroughtForwards) {
  Load("store/testdata/version_2.sql");
  ASSERT_EQ(Version(), "2");
  std::vector<std::string> before = AllDecisions(path_);
  ASSERT_EQ(before.size(), 3u);
  auto store = AuditStore::Open(path_);
  ASSERT_EQ(store.status(), absl::OkStatus());
  ASSERT_EQ(Decider().Append(**store, "doc.read", "doc:1"), absl::OkStatus());
  store->reset();
  EXPECT_EQ(Version(), std::to_string(SchemaVersion()));
  std::vector<std::string> after = AllDecisions(path_);
  ASSERT_EQ(after.size(), 4u);
  after.pop_back();
  for (std::string& row : before) row += kNewColumns;
  EXPECT_EQ(after, before);
  EXPECT_EQ(Verify(path_), "");

  const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path_, {});
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(report->unchained_records, 3);
  EXPECT_EQ(report->records, 4);
  std::vector<bool> chained, closed;
  for (const AuditWriter& writer : report->writers) {
    chained.push_back(writer.chained);
    closed.push_back(writer.closed != 0);
  }
  EXPECT_EQ(chained, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(closed, (std::vector<bool>{true, false, true}));
}

// Of a request that fixed the time there is one time, as which it was recorded.
TEST_F(SchemaTest, Version5IsBroughtForwards) {
  Load("store/testdata/version_5.sql");
  ASSERT_EQ(Version(), "5");
  const std::vector<std::string> times = {
      "2026-11-27T15:14:58.309735Z|0|NULL",
      "2026-11-20T09:00:00.123456Z|1|2026-11-20T09:00:00.123456Z",
      "2026-11-27T15:14:58.333524Z|0|NULL"};
  const char* const kTimes = "SELECT time, time_fixed, fixed_time FROM decisions ORDER BY number";
  ASSERT_EQ(Migrate(*Open()), absl::OkStatus());
  EXPECT_EQ(Select(path_, kTimes), times);
  EXPECT_EQ(Select(path_, "SELECT DISTINCT masked FROM decisions"), std::vector<std::string>{"{}"});
  ASSERT_EQ(Reindex(path_), absl::OkStatus());
  EXPECT_EQ(Select(path_, kTimes), times);
  EXPECT_EQ(Verify(path_), "");
  EXPECT_EQ(SelectOne(path_, "SELECT DISTINCT format FROM segments"), "2");
}

// What is there stays as it is, and compressed segments may follow.
TEST_F(SchemaTest, Version6IsBroughtForwards) {
  Load("store/testdata/version_6.sql");
  ASSERT_EQ(Version(), "6");
  const std::vector<std::string> before = AllDecisions(path_);
  ASSERT_EQ(before.size(), 3u);
  ASSERT_EQ(Migrate(*Open()), absl::OkStatus());
  EXPECT_EQ(Version(), "7");
  EXPECT_EQ(AllDecisions(path_), before);
  EXPECT_EQ(Verify(path_), "");
  EXPECT_EQ(Migrate(*Open(), Migrations().first(6)).message(),
            "audit.db: version 7 of the audit store is newer than this program, which knows 6; "
            "use a newer program");
  AuditStore::Options options;
  options.compression = AuditStore::Options::Compression::kZstd;
  auto store = AuditStore::Open(path_, options);
  ASSERT_EQ(store.status(), absl::OkStatus());
  ASSERT_EQ(Decider().Append(**store, "doc.read", "doc:" + std::string(500, 'x')),
            absl::OkStatus());
  store->reset();
  EXPECT_EQ(SelectOne(path_, "SELECT group_concat(format) FROM segments"), "3,3,3,4");
  std::vector<std::string> after = AllDecisions(path_);
  ASSERT_EQ(after.size(), 4u);
  after.pop_back();
  EXPECT_EQ(after, before);
  ASSERT_EQ(Reindex(path_), absl::OkStatus());
  EXPECT_EQ(Verify(path_), "");
}

// The columns that scripts rely on: append, never remove or rename.
TEST_F(SchemaTest, TheViewHasItsColumns) {
  EXPECT_EQ(Migrate(*Open()), absl::OkStatus());
  EXPECT_EQ(SelectOne(path_, "SELECT group_concat(name, ' ') FROM pragma_table_info('numbers')"),
            "kind name number");
  ASSERT_EQ(Migrate(*Open()), absl::OkStatus());
  EXPECT_EQ(
      SelectOne(path_, "SELECT group_concat(name, ' ') FROM pragma_table_info('decisions')"),
      "id time decision reason principal action resource rules message error principal_assurance "
      "via host actor evidence groups groups_complete principal_parents principal_attributes "
      "resource_parents resource_attributes context near_misses shadow_rules obligations policy "
      "latency_ns audit_level escaped time_fixed writer seq process machine number unix_us "
      "clauses masked fixed_time principal_complete resource_complete");
}

}  // namespace
}  // namespace reeve
