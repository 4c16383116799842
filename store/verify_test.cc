#include "reeve/store/verify.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/chain.h"
#include "reeve/store/segment.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::FakeClock;
using testing::MakePrincipal;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;

const std::string kSeed(32, 's');

// A file of three writers, with a file of checkpoints:
//   1  five records in three segments (1-2, 3, 4-5), closed in order
//   2  the same, not closed
//   3  two records in one segment, closed
// The second of a segment has a time that its request fixed, and something that was masked.
class VerifyTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string dir = MakeTempDir(), first = dir + "first.db";
    base_ = new std::string(dir + "audit.db");
    beside_ = new std::string(dir + "checkpoints");
    Write(first, {2, 1, 2});
    {
      const std::unique_ptr<AuditStore> store = Write(first, {2, 1, 2});
      Select(first, absl::StrCat("VACUUM INTO '", *base_, "'"));
      std::filesystem::copy_file(*beside_, *beside_ + ".now");
    }
    // The checkpoint that the second writer made at its end is not of this file.
    std::filesystem::rename(*beside_ + ".now", *beside_);
    Write(*base_, {2});
    ASSERT_EQ(SelectOne(*base_, "SELECT group_concat(format) FROM segments"), "4,3,4,4,3,4,3");
  }

  static std::unique_ptr<AuditStore> Write(const std::string& path,
                                           const std::vector<int>& counts) {
    static FakeClock clock;
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.flush_interval = absl::Hours(1);
    options.clock = &clock;
    options.checkpoint_key = kSeed;
    options.checkpoint_file = *beside_;
    // Of some writers: a file may hold both.
    if (path != *base_) options.compression = AuditStore::Options::Compression::kZstd;
    options.checkpoint_records = 3;
    options.masks = {{"any", "context.ip", AuditMask::Kind::kReplace, "hidden"}};
    auto store = *AuditStore::Open(path, options);
    static Decider decider;
    static int resource = 0;
    const Principal ada = MakePrincipal("user:ada", {"staff"});
    const Attributes context = {{"ip", Value::String("192.0.2.7")}};
    for (int count : counts) {
      for (int i = 0; i < count; ++i) {
        clock.now += absl::Milliseconds(1);
        decider.clock.now = clock.now;
        const EntityId id("doc", absl::StrCat("/secret/", ++resource));
        Request request(ada, i == 0 ? "doc.read" : "doc.delete", id);
        if (i > 0) {
          request.context = &context;
          request.time = absl::FromUnixSeconds(resource);
        }
        EXPECT_EQ(decider.Append(*store, request, AuditLevel::kRecorded), absl::OkStatus());
      }
      EXPECT_EQ(store->Flush(), absl::OkStatus());
    }
    return store;
  }

  // A copy to spoil.
  static std::string Copy() {
    const std::string path = MakeTempDir() + "audit.db";
    std::filesystem::copy_file(*base_, path);
    return path;
  }

  static AuditVerifier::Options AllOptions() {
    AuditVerifier::Options options;
    options.keys = {*AuditVerifier::PublicKey(kSeed)};
    options.checkpoint_file = *beside_;
    options.rows = true;
    return options;
  }

  static AuditReport VerifyFile(const std::string& path,
                                const AuditVerifier::Options& options = AllOptions()) {
    absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, options);
    EXPECT_EQ(report.status(), absl::OkStatus());
    return report.ok() ? *std::move(report) : AuditReport();
  }

  // Runs statements.
  static void Run(const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db) << ": " << sql;
    sqlite3_close(db);
  }

  // What is found after `sql`, without the file's name; of rows alone, or of the rest, if so said.
  static std::vector<std::string> After(const std::string& sql,
                                        const AuditVerifier::Options& options = AllOptions(),
                                        std::optional<bool> of_rows = std::nullopt) {
    const std::string path = Copy();
    Run(path, sql);
    std::vector<std::string> messages;
    for (const AuditFinding& finding : VerifyFile(path, options).findings) {
      if (options.rows && of_rows.has_value() &&
          *of_rows != (finding.kind == AuditFinding::Kind::kRow)) {
        continue;
      }
      EXPECT_TRUE(absl::StartsWith(finding.message, path + ": ")) << finding.message;
      messages.push_back(finding.message.substr(path.size() + 2));
    }
    return messages;
  }

  static std::string* base_;
  static std::string* beside_;
};

std::string* VerifyTest::base_;
std::string* VerifyTest::beside_;

TEST_F(VerifyTest, SaysWhatIsThere) {
  int64_t last_done = 0;
  AuditVerifier::Options options = AllOptions();
  options.progress = [&](int64_t done, int64_t of) {
    EXPECT_EQ(of, 7);
    last_done = done;
    return true;
  };
  const AuditReport report = VerifyFile(*base_, options);
  EXPECT_TRUE(report.intact()) << report.findings[0].message;
  EXPECT_EQ(report.segments, 7);
  EXPECT_EQ(report.records, 12);
  EXPECT_EQ(report.rows, 12);
  EXPECT_EQ(absl::StrCat(report.bytes),
            SelectOne(*base_, "SELECT sum(length(bytes)) FROM segments"));
  EXPECT_EQ(report.unchained_records, 0);
  EXPECT_EQ(report.checkpoints, 4);
  EXPECT_EQ(report.checkpoints_beside, 4);
  EXPECT_EQ(last_done, 7);
  ASSERT_EQ(report.writers.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const AuditWriter& writer = report.writers[i];
    EXPECT_EQ(writer.id, i + 1);
    EXPECT_TRUE(writer.chained);
    EXPECT_EQ(writer.closed == 0, i == 1);
    EXPECT_EQ(writer.last_seq, i == 2 ? 2 : 5);
    ASSERT_EQ(writer.intact.size(), 1u);
    EXPECT_EQ(writer.intact[0].first, 1);
    EXPECT_EQ(writer.intact[0].last, writer.last_seq);
  }
}

TEST_F(VerifyTest, NamesTheFirstBadPlaceAndWhatIsIntact) {
  const struct {
    const char* name;
    const char* sql;
    std::vector<std::string> want;  // the first ones
    bool of_rows = false;
  } kCases[] = {
      {"ChangedInTheMiddle",
       "UPDATE segments SET bytes = bytes || x'00' WHERE writer = 1 AND first_seq = 3",
       {"writer 1, record 3: hash does not match; records 1 to 2, 4 to 5 are intact"}},
      {"ChangedFirst",
       "UPDATE segments SET max_time = max_time + 1 WHERE writer = 2 AND first_seq = 1",
       {"writer 2, record 1: hash does not match; records 3 to 5 are intact"}},
      {"ChangedHash",
       "UPDATE segments SET hash = zeroblob(32) WHERE writer = 3",
       {"writer 3, record 1: hash does not match; no record is intact"}},
      {"Removed",
       "DELETE FROM segments WHERE writer = 1 AND first_seq = 3",
       {"writer 1, record 3: record 3 is missing; records 1 to 2, 4 to 5 are intact",
        "writer 1, record 3: differs from what checkpoint 1 says"}},
      {"RemovedFirst",
       "DELETE FROM segments WHERE writer = 2 AND first_seq = 1",
       {"writer 2, record 1: records 1 to 2 are missing; records 3 to 5 are intact"}},
      {"RemovedLastOfAClosedWriter",
       "DELETE FROM segments WHERE writer = 1 AND first_seq = 4",
       {"writer 1, record 4: records 4 to 5 are missing; records 1 to 3 are intact",
        "writer 1, record 4: records 4 to 5 are missing, which checkpoint 2 has seen"}},
      {"RemovedWriter",
       "DELETE FROM writers WHERE id = 2",
       {"writer 2: is missing",
        "writer 3: its row does not match the hash of its opening; records 1 to 2 are intact",
        "checkpoint 3 is of a writer that is not here",
        "writer 2, record 1: its writer is not in the file",
        "writer 2, record 3: its writer is not in the file",
        "writer 2, record 4: its writer is not in the file"}},
      {"AnotherTimeOfClosing",
       "UPDATE writers SET closed = closed + 1 WHERE id = 1",
       {"writer 1: its end does not match the hash of its closing; records 1 to 3 are intact"}},
      {"AnotherHost",
       "UPDATE writers SET host = 'elsewhere' WHERE id = 1",
       {"writer 1: its row does not match the hash of its opening; records 1 to 5 are intact"}},
      {"NotClosed",
       "UPDATE writers SET closed = NULL WHERE id = 1",
       {"writer 1: its row is malformed; records 1 to 5 are intact"}},
      // Whoever lets a writer look as if it was killed, and removes its end, does not know the key.
      {"CutOff",
       "BEGIN; DELETE FROM segments WHERE writer = 3; "
       "UPDATE writers SET closed = NULL, last_seq = NULL, closed_hash = NULL WHERE id = 3; COMMIT",
       {"writer 3, record 1: records 1 to 2 are missing, which checkpoint 4 has seen; "
        "no record is intact"}},
      {"CheckpointOfTheMiddle",
       "DELETE FROM checkpoints WHERE id = 2",
       {"checkpoint 2 is missing"}},
      {"ChangedRow",
       "UPDATE records SET reason = 1 WHERE writer = 1 AND seq = 2",
       {"writer 1, record 2: row 2 differs from the segment in \"decision\""},
       true},
      {"RemovedRow",
       "DELETE FROM records WHERE writer = 2 AND seq = 2",
       {"writer 2, record 2: has no row"},
       true},
      {"RemovedList",
       "DELETE FROM lists WHERE kind = 3 AND first <= 3",
       {"`lists` differs from the rows in span 0"},
       true},
      {"AnotherView", "DROP VIEW decisions", {"`decisions` of the schema is missing"}, true},
      {"Trigger",
       "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
       {"`t` of the schema was put in"},
       true},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    AuditVerifier::Options options = AllOptions();
    options.checkpoint_file.clear();
    std::vector<std::string> got = After(c.sql, options, c.of_rows);
    if (got.size() > c.want.size()) got.resize(c.want.size());
    EXPECT_EQ(got, c.want);
  }
}

// All but `unfolding`, where whoever makes rows says so.
const char* const kTables[] = {"writers", "segments", "checkpoints", "records", "lists",
                               "spans",   "names",    "texts",       "hours",   "unfolded"};

std::string KeyOf(const std::string& table) {
  if (table == "lists") return "kind * 1000000 + name * 1000 + first";
  if (table == "hours") return "hour * 1000000 + rule * 100 + reason";
  return "rowid";
}

// Each value of each row of each table.
TEST_F(VerifyTest, EveryChangedValueIsFound) {
  int changes = 0;
  for (const std::string table : kTables) {
    const std::string key = KeyOf(table);
    for (const std::string& row : Select(*base_, "SELECT " + key + " FROM " + table)) {
      for (const std::string& column :
           Select(*base_, "SELECT name FROM pragma_table_info('" + table + "')")) {
        // Finds texts when rows are made, and says nothing.
        if (table == "texts" && column == "hash") continue;
        std::vector<std::string> values = {"CASE typeof(" + column + ") WHEN 'integer' THEN " +
                                           column + " + 1000 WHEN 'text' THEN " + column +
                                           " || 'x' WHEN 'blob' THEN " + column +
                                           " || x'00' ELSE 1 END"};
        if (SelectOne(*base_, "SELECT \"notnull\" + pk FROM pragma_table_info('" + table +
                                  "') WHERE name = '" + column + "'") == "0" &&
            SelectOne(*base_, "SELECT " + column + " IS NULL FROM " + table + " WHERE " + key +
                                  " = " + row) == "0") {
          values.push_back("NULL");
        }
        for (const std::string& value : values) {
          const std::string sql =
              "UPDATE " + table + " SET " + column + " = " + value + " WHERE " + key + " = " + row;
          EXPECT_FALSE(After(sql).empty()) << sql;
          ++changes;
        }
      }
    }
  }
  EXPECT_GT(changes, 500);
}

TEST_F(VerifyTest, EveryChangedByteOfASegmentIsFoundAndNamed) {
  AuditVerifier::Options options;  // the chain alone
  for (const std::string& row :
       Select(*base_, "SELECT writer, first_seq, length(bytes) FROM segments")) {
    const std::vector<std::string> columns = absl::StrSplit(row, '|');
    for (int at = 1; at <= std::stoi(columns[2]); ++at) {
      const std::string sql = absl::StrCat(
          "UPDATE segments SET bytes = CAST(substr(bytes, 1, ", at, " - 1) || iif(substr(bytes, ",
          at, ", 1) = x'07', x'06', x'07') || substr(bytes, ", at,
          " + 1) AS BLOB) WHERE writer = ", columns[0], " AND first_seq = ", columns[1]);
      const std::vector<std::string> got = After(sql, options);
      ASSERT_FALSE(got.empty()) << sql;
      EXPECT_TRUE(absl::StartsWith(
          got[0], absl::StrCat("writer ", columns[0], ", record ", columns[1], ": hash")))
          << got[0];
    }
  }
}

// Somebody who knows how changes a segment and its hash: those after it tell.
TEST_F(VerifyTest, ASegmentThatWasWrittenAnewIsFound) {
  const struct {
    int64_t writer, first_seq, count;
    const char* want;
  } kCases[] = {
      {1, 1, 2,
       "writer 1, record 1: is not what record 3 was written after; "
       "records 3 to 5 are intact"},
      {1, 3, 1,
       "writer 1, record 3: differs from what checkpoint 1 says; "
       "records 1 to 2, 4 to 5 are intact"},
      {1, 4, 2,
       "writer 1: its end does not match the hash of its closing; "
       "records 1 to 3 are intact"},
  };
  for (const auto& c : kCases) {
    const std::string where =
        absl::StrCat(" WHERE writer = ", c.writer, " AND first_seq = ", c.first_seq);
    const auto blob = [&](const char* column) {
      return absl::HexStringToBytes(
          SelectOne(*base_, absl::StrCat("SELECT hex(", column, ") FROM segments", where)));
    };
    const auto number = [&](const char* column) {
      return std::stoll(
          SelectOne(*base_, absl::StrCat("SELECT ", column, " FROM segments", where)));
    };
    // Another latency: the bytes are still a segment.
    const std::string before = blob("bytes");
    const absl::StatusOr<Segment> segment = DecodeSegment(before);
    ASSERT_EQ(segment.status(), absl::OkStatus());
    SegmentEncoder encoder;
    for (Segment::Record record : segment->records) {
      ++record.head.latency;
      encoder.Add(record.head, segment->fields(record));
    }
    std::string bytes;
    encoder.Finish(&bytes);
    if (before[0] == kCompressedFormat) SegmentCompressor().Compress(&bytes);
    ASSERT_EQ(bytes[0], before[0]);
    const Hash hash = HashOfSegment(
        absl::HexStringToBytes(
            SelectOne(*base_, absl::StrCat("SELECT hex(uuid) FROM writers WHERE id = ", c.writer))),
        {c.first_seq, c.count, number("min_time"), number("max_time"), bytes}, blob("previous"));
    const std::string sql = absl::StrCat(
        "UPDATE segments SET bytes = x'", absl::BytesToHexString(bytes), "', hash = x'",
        absl::BytesToHexString({hash.data(), hash.size()}), "'", where);
    AuditVerifier::Options options;  // the chain alone
    const std::vector<std::string> got = After(sql, options);
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got[0], c.want);
  }
}

TEST_F(VerifyTest, EveryRemovedRowIsFound) {
  for (const std::string table : kTables) {
    const std::string key = KeyOf(table);
    for (const std::string& row : Select(*base_, "SELECT " + key + " FROM " + table)) {
      // The newest one guards nothing but itself, and stands in the file beside.
      if (table == "checkpoints" && row == "4") continue;
      const std::string sql = "DELETE FROM " + table + " WHERE " + key + " = " + row;
      EXPECT_FALSE(After(sql).empty()) << sql;
    }
  }
}

TEST_F(VerifyTest, WhateverIsSwappedIsFound) {
  const std::vector<std::string> rows = Select(*base_, "SELECT rowid FROM segments");
  for (const std::string& a : rows) {
    for (const std::string& b : rows) {
      if (a >= b) continue;
      for (const std::string columns : {"bytes", "writer, first_seq", "hash", "previous, hash",
                                        "bytes, hash, previous, count, min_time, max_time"}) {
        const std::string where = " WHERE rowid = ";
        // In two steps, since two rows of one place cannot be.
        const std::string sql =
            "BEGIN; CREATE TEMP TABLE s AS SELECT rowid AS r, * FROM segments WHERE rowid IN (" +
            a + ", " + b +
            "); UPDATE segments SET first_seq = first_seq + 1000 WHERE rowid = " + a +
            "; UPDATE segments SET first_seq = first_seq + 2000 WHERE rowid = " + b +
            "; UPDATE segments SET first_seq = (SELECT first_seq FROM s WHERE r = segments.rowid) "
            "WHERE 'first_seq' NOT IN ('" +
            std::string(absl::StrContains(columns, "first_seq") ? "first_seq" : "") +
            "') AND rowid IN (" + a + ", " + b + "); UPDATE segments SET (" + columns +
            ") = (SELECT " + columns + " FROM s WHERE r = iif(segments.rowid = " + a + ", " + b +
            ", " + a + ")) WHERE rowid IN (" + a + ", " + b + "); DROP TABLE s; COMMIT";
        EXPECT_FALSE(After(sql, {}).empty()) << sql;
      }
    }
  }
}

TEST_F(VerifyTest, WhateverIsPutInIsFound) {
  for (const std::string& row : Select(*base_, "SELECT rowid FROM segments")) {
    for (const std::string writer : {"1", "2", "3", "4"}) {
      for (const std::string seq : {"-3", "0", "6", "100",
                                    "(SELECT max(first_seq + count) FROM "
                                    "segments s WHERE s.writer = w)"}) {
        const std::string sql =
            "INSERT INTO segments SELECT w, " + seq +
            ", count, min_time, max_time, format, bytes, previous, hash FROM segments, (SELECT " +
            writer + " AS w) WHERE segments.rowid = " + row;
        if (writer == "4" && seq.size() > 4) continue;  // NULL
        EXPECT_FALSE(After(sql, {}).empty()) << sql;
      }
    }
  }
  for (const std::string sql :
       {"INSERT INTO records SELECT number + 1000, writer, seq, time, id, latency, level, reason, "
        "assurance, flags, principal, action, resource, via, host, actor, policy, evidence, "
        "groups, principal_parents, principal_attributes, resource_parents, resource_attributes, "
        "context, rules, near_misses, shadow_rules, message, obligations, error, clauses, "
        "masked, fixed_time FROM records WHERE number = 3",
        "INSERT INTO lists SELECT span, 2, name, first, offsets FROM lists WHERE kind = 1 LIMIT 1",
        "UPDATE unfolding SET next_number = next_number - 1",
        "INSERT INTO writers SELECT id + 3, x'01', host, boot, pid, started, process, opened, "
        "closed, last_seq, opened_hash, closed_hash, follows FROM writers WHERE id = 1",
        "INSERT INTO writers(id, uuid, host, boot, pid, started, process, opened) "
        "VALUES(4, x'01', '', '', 1, 1, '', 1)",
        "INSERT INTO checkpoints SELECT 5, 1, 5, time, hash, key, signature FROM checkpoints "
        "WHERE id = 1"}) {
    EXPECT_FALSE(After(sql).empty()) << sql;
  }
}

// Against the file beside, whatever was done to the audit file.
TEST_F(VerifyTest, RemovingTheNewestIsFoundByTheFileOfCheckpoints) {
  const struct {
    const char* name;
    const char* sql;
    const char* want;
  } kCases[] = {
      {"TheEndOfAWriter",
       "BEGIN; DELETE FROM checkpoints WHERE id > 2; DELETE FROM segments WHERE writer = 2 AND "
       "first_seq > 1; DELETE FROM segments WHERE writer = 3; DELETE FROM writers WHERE id = 3; "
       "COMMIT",
       "writer 2, record 3: record 3 is missing, which checkpoint in "},
      {"AWriter",
       "BEGIN; DELETE FROM checkpoints WHERE writer = 3; DELETE FROM segments WHERE writer = 3; "
       "DELETE FROM writers WHERE id = 3; COMMIT",
       ", line 4, is of a writer that is not here, "},
      {"Everything",
       "BEGIN; DELETE FROM checkpoints; DELETE FROM segments; DELETE FROM writers; COMMIT",
       ", line 1, is of a writer that is not here, "},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    AuditVerifier::Options options = AllOptions();
    options.rows = false;
    bool found = false;
    for (const std::string& message : After(c.sql, options)) {
      found = found || absl::StrContains(message, c.want);
    }
    EXPECT_TRUE(found);
    // And without it the file seems whole.
    options.checkpoint_file.clear();
    EXPECT_EQ(After(c.sql, options), std::vector<std::string>());
  }
}

TEST_F(VerifyTest, EveryChangedLineOfCheckpointsIsFound) {
  std::ifstream file(*beside_);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 4u);
  AuditVerifier::Options options;
  options.checkpoint_file = MakeTempDir() + "checkpoints";
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t at = 0; at < lines[i].size(); at += 3) {
      std::vector<std::string> changed = lines;
      changed[i][at] = changed[i][at] == '7' ? '8' : '7';
      {
        std::ofstream out(options.checkpoint_file);
        for (const std::string& line : changed) out << line << "\n";
      }
      const AuditReport report = VerifyFile(*base_, options);
      ASSERT_EQ(report.findings.size(), 1u) << at;
      EXPECT_EQ(report.findings[0].kind, AuditFinding::Kind::kCheckpoint);
      EXPECT_TRUE(absl::StrContains(report.findings[0].message, absl::StrCat("line ", i + 1, ",")))
          << report.findings[0].message;
    }
  }
}

TEST_F(VerifyTest, AForgedCheckpointIsFound) {
  AuditVerifier::Options options = AllOptions();
  options.keys = {*AuditVerifier::PublicKey(std::string(32, 't'))};
  const AuditReport report = VerifyFile(*base_, options);
  EXPECT_EQ(report.checkpoints, 0);
  ASSERT_EQ(report.findings.size(), 8u);
  EXPECT_EQ(
      report.findings[0].message,
      *base_ + ": writer 1: checkpoint 1 is signed by another key; records 1 to 5 are intact");
}

TEST_F(VerifyTest, FindingsAreBounded) {
  AuditVerifier::Options options;
  options.max_findings = 2;
  const std::string path = Copy();
  Run(path, "UPDATE segments SET first_seq = first_seq + 100 * rowid");
  const AuditReport report = VerifyFile(path, options);
  EXPECT_EQ(report.findings.size(), 2u);
  EXPECT_GT(report.more_findings, 5);
}

TEST_F(VerifyTest, CanBeCancelled) {
  AuditVerifier::Options options;
  options.progress = [](int64_t, int64_t) { return false; };
  EXPECT_EQ(AuditVerifier::Verify(*base_, options).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(VerifyTest, RefusesWhatItCannotUse) {
  AuditVerifier::Options key, file;
  key.keys = {"short"};
  file.checkpoint_file = *base_ + ".no";
  EXPECT_EQ(AuditVerifier::Verify(*base_, key).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AuditVerifier::Verify(*base_, file).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(AuditVerifier::Verify(*base_ + ".no", {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace reeve
