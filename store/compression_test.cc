// A file whose segments are compressed, or some of them, is as one whose are not.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/backup.h"
#include "reeve/store/prune.h"
#include "reeve/store/reindex.h"
#include "reeve/store/replay.h"
#include "reeve/store/segment.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::FakeClock;
using testing::MakePrincipal;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

using Compression = AuditStore::Options::Compression;

constexpr int kRecords = 30;  // of a writer, in three segments

absl::Time At(int n) { return absl::FromUnixSeconds(1800000000) + absl::Minutes(n); }

// A file of one writer for each item.
std::string Write(const std::vector<Compression>& writers) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  Decider decider;
  int n = 0;
  for (const Compression compression : writers) {
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.flush_interval = absl::Hours(1);
    options.compression = compression;
    options.clock = &clock;
    auto store = *AuditStore::Open(path, options);
    for (int i = 0; i < kRecords; ++i) {
      clock.now = decider.clock.now = At(++n);
      const Principal principal = MakePrincipal(absl::StrCat("user:person", n % 7), {"staff"});
      const EntityId id("doc", absl::StrCat("/reports/2027/", n));
      const Request request(principal, n % 3 == 0 ? "doc.delete" : "doc.read", id);
      EXPECT_EQ(decider.Append(*store, request, AuditLevel::kRecorded), absl::OkStatus());
      if (i % 10 == 9) {
        EXPECT_EQ(store->Flush(), absl::OkStatus());
      }
    }
  }
  return path;
}

std::string Formats(const std::string& path) {
  return SelectOne(path,
                   "SELECT group_concat(format, '') FROM (SELECT format FROM segments "
                   "ORDER BY writer, first_seq)");
}

// What is asked of a file: the view but for what is drawn, the reader, what follows a record, and
// what is replayed.
std::string Answers(const std::string& path) {
  std::vector<std::string> answers =
      Select(path,
             "SELECT time, decision, reason, principal, action, resource, rules, clauses, groups, "
             "writer, seq, number FROM decisions ORDER BY number");
  const auto reader = AuditReader::Open(path);
  EXPECT_EQ(reader.status(), absl::OkStatus());
  AuditQuery query;
  query.order = AuditQuery::Order::kAsWritten;
  query.after_number = 40;
  const absl::StatusOr<std::vector<AuditRow>> rows = (*reader)->Query(query);
  EXPECT_EQ(rows.status(), absl::OkStatus());
  for (const AuditRow& row : *rows) {
    answers.push_back(absl::StrCat(row.number, " ", row.resource, " ", row.rules));
  }
  const auto replay = AuditReplay::Open(path);
  EXPECT_EQ(replay.status(), absl::OkStatus());
  EXPECT_EQ((*replay)->ForEach(
                {},
                [&](const ReplayRecord& record) {
                  answers.push_back(absl::StrCat(
                      record.writer, ".", record.seq, " ", record.decision.resource.id, " ",
                      record.decision.rules.empty() ? "-" : record.decision.rules[0].id));
                  return true;
                }),
            absl::OkStatus());
  EXPECT_EQ((*replay)->damage().segments, 0) << (*replay)->damage().first;
  return absl::StrJoin(answers, "\n");
}

TEST(CompressionTest, AnswersAreThoseOfAFileWithout) {
  constexpr Compression kNone = Compression::kNone, kZstd = Compression::kZstd;
  const std::string plain = Write({kNone, kNone, kNone});
  ASSERT_EQ(Formats(plain), "333333333");
  const std::string want = Answers(plain);
  const struct {
    const char* name;
    std::vector<Compression> writers;
    const char* formats;
  } kCases[] = {
      {"All", {kZstd, kZstd, kZstd}, "444444444"},
      {"First", {kZstd, kNone, kNone}, "444333333"},
      {"Between", {kNone, kZstd, kNone}, "333444333"},
  };
  PruneOptions half;
  half.before = At(45);
  const std::string pruned_plain = Write({kNone, kNone, kNone});
  ASSERT_EQ(Prune(pruned_plain, half).status(), absl::OkStatus());
  const std::string want_pruned = Answers(pruned_plain);
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = Write(c.writers);
    EXPECT_EQ(Formats(path), c.formats);
    EXPECT_EQ(Answers(path), want);
    EXPECT_EQ(Verify(path), "");
    ASSERT_EQ(Reindex(path), absl::OkStatus());
    EXPECT_EQ(Answers(path), want);
    const std::string copy = MakeTempDir() + "copy.db";
    ASSERT_EQ(Backup(path, copy), absl::OkStatus());
    EXPECT_EQ(Formats(copy), c.formats);
    EXPECT_EQ(Answers(copy), want);
    EXPECT_EQ(Verify(copy), "");

    const absl::StatusOr<PruneResult> pruned = Prune(path, half);
    ASSERT_EQ(pruned.status(), absl::OkStatus());
    EXPECT_EQ(pruned->records, 40);
    EXPECT_EQ(Formats(path), std::string(c.formats).substr(4));
    EXPECT_EQ(Answers(path), want_pruned);
    EXPECT_EQ(Verify(path), "");
    ASSERT_EQ(Reindex(path), absl::OkStatus());
    EXPECT_EQ(Verify(path), "");
  }
}

// The same records in the other form are not what was hashed.
TEST(CompressionTest, AnotherFormIsFound) {
  for (const Compression compression : {Compression::kNone, Compression::kZstd}) {
    const std::string path = Write({compression});
    const std::string where = " WHERE first_seq = 11";
    std::string bytes =
        absl::HexStringToBytes(SelectOne(path, "SELECT hex(bytes) FROM segments" + where));
    if (compression == Compression::kNone) {
      SegmentCompressor().Compress(&bytes);
      ASSERT_EQ(bytes[0], kCompressedFormat);
    } else {
      const absl::StatusOr<Segment> segment = DecodeSegment(bytes);
      ASSERT_EQ(segment.status(), absl::OkStatus());
      SegmentEncoder encoder;
      for (const Segment::Record& r : segment->records) encoder.Add(r.head, segment->fields(r));
      std::string plain;
      encoder.Finish(&plain);
      bytes = plain;
    }
    Select(path, absl::StrCat("UPDATE segments SET format = ", static_cast<int>(bytes[0]),
                              ", bytes = x'", absl::BytesToHexString(bytes), "'", where));
    EXPECT_EQ(Verify(path), path +
                                ": writer 1, record 11: hash does not match; records 1 to 10, "
                                "21 to 30 are intact");
  }
}

TEST(CompressionTest, StatisticsCountWhatIsOnTheDisk) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.compression = Compression::kZstd;
  auto store = *AuditStore::Open(path, options);
  Decider decider;
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:" + std::string(1000, 'x')), absl::OkStatus());
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:1"), absl::OkStatus());
  EXPECT_EQ(absl::StrCat(store->stats().bytes),
            SelectOne(path, "SELECT sum(length(bytes)) FROM segments"));
  EXPECT_LT(store->stats().bytes, 1000);
}

}  // namespace
}  // namespace reeve
