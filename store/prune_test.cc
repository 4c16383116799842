#include "reeve/store/prune.h"

#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/backup.h"
#include "reeve/store/chain.h"
#include "reeve/store/reindex.h"
#include "reeve/store/replay.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::CatchUp;
using testing::Decider;
using testing::FakeClock;
using testing::MakePrincipal;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

const std::string kSeed(32, 's');

// Record `n` of a file is decided `n` minutes later.
absl::Time At(int n) { return absl::FromUnixSeconds(1800000000) + absl::Minutes(n); }

// Three writers, whose segments hold these records:
//   1  1-2, 3, 4-5     of minutes 1 to 5, closed
//   2  1, 2-4          of minutes 6 to 9, not closed
//   3  1-2, 3          of minutes 10 to 12, closed
class PruneTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (base_ != nullptr) return;
    const std::string dir = MakeTempDir(), first = dir + "first.db";
    base_ = new std::string(dir + "audit.db");
    beside_ = new std::string(dir + "checkpoints");
    int n = 0;
    Write(first, {2, 1, 2}, &n);
    {
      const std::unique_ptr<AuditStore> store = Write(first, {1, 3}, &n);
      Select(first, absl::StrCat("VACUUM INTO '", *base_, "'"));
      std::filesystem::copy_file(*beside_, *beside_ + ".now");
    }
    // The checkpoint that the second writer made at its end is not of this file.
    std::filesystem::rename(*beside_ + ".now", *beside_);
    Write(*base_, {2, 1}, &n);
    EXPECT_EQ(Verify(*base_), "");
  }

  static std::unique_ptr<AuditStore> Write(const std::string& path, const std::vector<int>& counts,
                                           int* n) {
    static FakeClock clock;
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.flush_interval = absl::Hours(1);
    options.clock = &clock;
    options.checkpoint_key = kSeed;
    options.checkpoint_file = *beside_;
    // Of some writers: a file may hold both.
    if (path != *base_) options.compression = AuditStore::Options::Compression::kZstd;
    options.checkpoint_records = 2;
    auto store = *AuditStore::Open(path, options);
    Decider decider;
    for (const int count : counts) {
      for (int i = 0; i < count; ++i) {
        clock.now = decider.clock.now = At(++*n);
        // Each has a name of its own, and a rule now and then.
        const Principal principal = MakePrincipal(absl::StrCat("user:secret-name-", *n), {"staff"});
        const EntityId id("doc", absl::StrCat("/secret-path-", *n));
        const Request request(principal, *n % 3 == 0 ? "doc.delete" : "doc.read", id);
        EXPECT_EQ(decider.Append(*store, request, AuditLevel::kRecorded), absl::OkStatus());
      }
      EXPECT_EQ(store->Flush(), absl::OkStatus());
    }
    return store;
  }

  static std::string Copy() {
    const std::string path = MakeTempDir() + "audit.db";
    std::filesystem::copy_file(*base_, path);
    std::filesystem::copy_file(*beside_, path + ".checkpoints");
    return path;
  }

  // What is done at minute 100.
  static PruneOptions Before(int n) {
    static FakeClock clock;
    clock.now = At(100);
    PruneOptions options;
    options.before = At(n);
    options.reason = "kept for ninety days";
    options.clock = &clock;
    return options;
  }

  // The same, signed.
  static PruneOptions Signed(int n, const std::string& path) {
    PruneOptions options = Before(n);
    options.key = kSeed;
    options.checkpoint_file = path + ".checkpoints";
    return options;
  }

  static AuditVerifier::Options AllOptions(const std::string& path) {
    AuditVerifier::Options options;
    options.keys = {*AuditVerifier::PublicKey(kSeed)};
    options.checkpoint_file = path + ".checkpoints";
    options.rows = true;
    return options;
  }

  static AuditReport Report(const std::string& path, const AuditVerifier::Options& options) {
    absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, options);
    EXPECT_EQ(report.status(), absl::OkStatus());
    return report.ok() ? *std::move(report) : AuditReport();
  }

  // What is found, without the file's name.
  static std::vector<std::string> Findings(const std::string& path,
                                           const AuditVerifier::Options& options) {
    std::vector<std::string> messages;
    for (const AuditFinding& finding : Report(path, options).findings) {
      EXPECT_TRUE(absl::StartsWith(finding.message, path + ": ")) << finding.message;
      messages.push_back(finding.message.substr(path.size() + 2));
    }
    return messages;
  }

  // Runs statements.
  static void Run(const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db) << ": " << sql;
    sqlite3_close(db);
  }

  // The records whose rows are there: "writer/seq".
  static std::string There(const std::string& path) {
    return SelectOne(path,
                     "SELECT coalesce(group_concat(writer || '/' || seq, ' '), '') FROM "
                     "(SELECT writer, seq FROM decisions ORDER BY writer, seq)");
  }

  static std::string* base_;
  static std::string* beside_;
};

std::string* PruneTest::base_;
std::string* PruneTest::beside_;

TEST_F(PruneTest, WholeSegmentsThatAreOlderAreRemoved) {
  const struct {
    const char* name;
    int before;
    int64_t records, segments, oldest, newest;
    const char* there;
  } kCases[] = {
      {"Nothing", 1, 0, 0, 0, 0, "1/1 1/2 1/3 1/4 1/5 2/1 2/2 2/3 2/4 3/1 3/2 3/3"},
      {"OneRecordStays", 2, 0, 0, 0, 0, "1/1 1/2 1/3 1/4 1/5 2/1 2/2 2/3 2/4 3/1 3/2 3/3"},
      {"First", 3, 2, 1, 1, 2, "1/3 1/4 1/5 2/1 2/2 2/3 2/4 3/1 3/2 3/3"},
      {"ThatMinuteStays", 5, 3, 2, 1, 3, "1/4 1/5 2/1 2/2 2/3 2/4 3/1 3/2 3/3"},
      {"AWriter", 6, 5, 3, 1, 5, "2/1 2/2 2/3 2/4 3/1 3/2 3/3"},
      {"OfTwo", 9, 6, 4, 1, 6, "2/2 2/3 2/4 3/1 3/2 3/3"},
      {"AWriterThatDidNotClose", 11, 9, 5, 1, 9, "3/1 3/2 3/3"},
      {"All", 50, 12, 7, 1, 12, ""},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const bool is_signed : {false, true}) {
      for (const int64_t batch : {1, 3, 1000}) {
        const std::string path = Copy();
        PruneOptions options = is_signed ? Signed(c.before, path) : Before(c.before);
        options.max_batch_records = batch;
        PruneOptions rehearsal = options;
        rehearsal.dry_run = true;
        for (const PruneOptions& done : {rehearsal, options}) {
          const absl::StatusOr<PruneResult> result = Prune(path, done);
          ASSERT_EQ(result.status(), absl::OkStatus());
          EXPECT_EQ(result->records, c.records);
          EXPECT_EQ(result->segments, c.segments);
          if (c.records > 0) {
            EXPECT_EQ(result->oldest, At(c.oldest));
            EXPECT_EQ(result->newest, At(c.newest));
          }
        }
        EXPECT_EQ(There(path), c.there);
        AuditVerifier::Options verify = AllOptions(path);
        if (!is_signed) verify.keys.clear();
        const AuditReport report = Report(path, verify);
        EXPECT_TRUE(report.intact()) << report.findings[0].message;
        EXPECT_EQ(report.records, 12 - c.records);
        EXPECT_EQ(report.rows, 12 - c.records);
        EXPECT_EQ(report.pruned_records, c.records);
        // Again there is nothing to do.
        const absl::StatusOr<PruneResult> again = Prune(path, options);
        ASSERT_EQ(again.status(), absl::OkStatus());
        EXPECT_EQ(again->records, 0);
        EXPECT_EQ(Verify(path), "");
      }
    }
  }
}

TEST_F(PruneTest, TheFileSaysWhatWasRemoved) {
  const std::string path = Copy();
  PruneOptions options = Signed(9, path);
  options.max_batch_records = 1;
  ASSERT_EQ(Prune(path, options).status(), absl::OkStatus());
  options = Before(11);
  options.reason.clear();
  ASSERT_EQ(Prune(path, options).status(), absl::OkStatus());
  EXPECT_EQ(
      Select(path,
             absl::StrCat("SELECT id, writer, first_seq, last_seq, (min_time - 1800000000000000) / "
                          "60000000, (max_time - 1800000000000000) / 60000000, time = ",
                          absl::ToUnixMicros(At(100)),
                          ", uid, reason, length(hash), length(key), length(signature) "
                          "FROM prunings ORDER BY id")),
      (std::vector<std::string>{
          absl::StrCat("1|1|1|2|1|2|1|", getuid(), "|kept for ninety days|32|32|64"),
          absl::StrCat("2|1|3|3|3|3|1|", getuid(), "|kept for ninety days|32|32|64"),
          absl::StrCat("3|1|4|5|4|5|1|", getuid(), "|kept for ninety days|32|32|64"),
          absl::StrCat("4|2|1|1|6|6|1|", getuid(), "|kept for ninety days|32|32|64"),
          absl::StrCat("5|2|2|4|7|9|1|", getuid(), "||32|NULL|NULL")}));
  AuditVerifier::Options verify = AllOptions(path);
  verify.keys.clear();
  const AuditReport report = Report(path, verify);
  EXPECT_TRUE(report.intact()) << report.findings[0].message;
  ASSERT_EQ(report.prunings.size(), 3u);
  const AuditPruning& first = report.prunings[0];
  EXPECT_EQ(first.writer, 1);
  EXPECT_EQ(first.first, 1);
  EXPECT_EQ(first.last, 5);
  EXPECT_EQ(first.min_time, absl::ToUnixMicros(At(1)));
  EXPECT_EQ(first.max_time, absl::ToUnixMicros(At(5)));
  EXPECT_EQ(first.time, absl::ToUnixMicros(At(100)));
  EXPECT_EQ(first.uid, getuid());
  EXPECT_EQ(first.reason, "kept for ninety days");
  EXPECT_TRUE(first.is_signed);
  EXPECT_FALSE(report.prunings[2].is_signed);
  EXPECT_EQ(report.writers[0].pruned, 5);
  EXPECT_EQ(report.writers[1].pruned, 4);
  EXPECT_EQ(report.writers[2].pruned, 0);
  EXPECT_TRUE(report.writers[0].intact.empty());
  // One checkpoint is of records in between, others stand where a pruning ends.
  EXPECT_GT(report.checkpoints, 0);
  EXPECT_EQ(report.checkpoints + report.checkpoints_beside + report.checkpoints_pruned,
            // and the line of the run that was signed
            1 + 2 * std::stoll(SelectOne(path, "SELECT count(*) FROM checkpoints")));
}

// What is gone is not left in names, texts, lists, free pages or the log.
TEST_F(PruneTest, NothingOfWhatWasRemovedIsLeft) {
  for (const bool vacuum : {false, true}) {
    const std::string path = Copy();
    PruneOptions options = Before(9);
    options.vacuum = vacuum;
    ASSERT_EQ(Prune(path, options).status(), absl::OkStatus());
    std::string bytes;
    for (const char* suffix : {"", "-wal"}) {
      std::ifstream file(path + suffix, std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    for (int n = 1; n <= 12; ++n) {
      for (const char* word : {"secret-name-", "secret-path-"}) {
        const std::string name = absl::StrCat(word, n);
        bool found = false;
        for (size_t at = 0; (at = bytes.find(name, at)) != std::string::npos; ++at) {
          const char next = at + name.size() < bytes.size() ? bytes[at + name.size()] : ' ';
          found = found || next < '0' || next > '9';
        }
        EXPECT_EQ(found, n > 6) << name;
      }
    }
    EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM names WHERE name LIKE 'user:%'"), "6");
    EXPECT_EQ(SelectOne(path, "SELECT sum(count) FROM hours WHERE rule = 0"), "6");
    EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM hours WHERE count <= 0"), "0");
    EXPECT_EQ(Verify(path), "");
  }
}

// What records say of their masks stays with those that stay, and goes with the others.
TEST_F(PruneTest, OfMaskedRecords) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  clock.now = At(0);
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  options.clock = &clock;
  const std::vector<AuditMask> masks[] = {
      {{"any", "principal.id", AuditMask::Kind::kReplace, "nobody"}},
      {{"any", "resource.id", AuditMask::Kind::kReplace, "nothing"}}};
  int n = 0;
  for (const std::vector<AuditMask>& mask : masks) {
    options.masks = mask;
    auto store = *AuditStore::Open(path, options);
    Decider decider;
    for (int i = 0; i < 2; ++i) {
      decider.clock.now = At(++n);
      const Principal principal = MakePrincipal("user:ada");
      EXPECT_EQ(decider.Append(*store, Request(principal, "doc.read", EntityId("doc", "/x")),
                               AuditLevel::kDurable),
                absl::OkStatus());
    }
  }
  ASSERT_EQ(Verify(path), "");
  const std::string all =
      "SELECT group_concat(principal || ' ' || resource || ' ' || masked) FROM "
      "(SELECT * FROM decisions ORDER BY unix_us)";
  ASSERT_EQ(SelectOne(path, all),
            "user:nobody doc:/x {\"principal.id\":\"replace\"},"
            "user:nobody doc:/x {\"principal.id\":\"replace\"},"
            "user:ada doc:nothing {\"resource.id\":\"replace\"},"
            "user:ada doc:nothing {\"resource.id\":\"replace\"}");
  ASSERT_EQ(Prune(path, Before(4)).status(), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, all), "user:ada doc:nothing {\"resource.id\":\"replace\"}");
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM texts WHERE text LIKE '%principal.id%'"), "0");
  EXPECT_EQ(Verify(path), "");
}

// Many records, some of long texts, in one file.
void WriteMany(const std::string& path, int records) {
  FakeClock clock;  // The store reads it on threads of its own.
  clock.now = At(0);
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  options.flush_interval = absl::Hours(1);
  options.clock = &clock;
  auto store = *AuditStore::Open(path, options);
  Decider decider;
  for (int i = 0; i < records; ++i) {
    decider.clock.now = At(i);
    const Principal principal = MakePrincipal(absl::StrCat("user:", i % 1000));
    const EntityId id("doc", absl::StrCat(i, std::string(i % 100, 'x')));
    ASSERT_EQ(decider.Append(*store, Request(principal, "doc.read", id), AuditLevel::kRecorded),
              absl::OkStatus());
    if (i % 100 == 99) {
      ASSERT_EQ(store->Flush(), absl::OkStatus());
    }
  }
}

TEST_F(PruneTest, UntilTheFileIsOfASize) {
  const std::string base = MakeTempDir() + "audit.db";
  WriteMany(base, 8000);
  ASSERT_EQ(Verify(base), "");
  const auto size = static_cast<int64_t>(std::filesystem::file_size(base));
  for (const int percent : {100, 90, 50, 10, 0}) {
    SCOPED_TRACE(percent);
    const std::string path = MakeTempDir() + "audit.db";
    std::filesystem::copy_file(base, path);
    PruneOptions options;
    options.max_bytes = size * percent / 100;
    options.vacuum = percent == 50;
    options.dry_run = true;
    const absl::StatusOr<PruneResult> estimate = Prune(path, options);
    ASSERT_EQ(estimate.status(), absl::OkStatus());
    options.dry_run = false;
    const absl::StatusOr<PruneResult> result = Prune(path, options);
    ASSERT_EQ(result.status(), absl::OkStatus());
    EXPECT_EQ(Verify(path), "");
    EXPECT_EQ(result->bytes_before, size);
    // What is left when nothing is there takes some space, too.
    if (percent > 0) {
      EXPECT_LE(result->bytes_after, size * percent / 100);
    } else {
      EXPECT_EQ(result->records, 8000);
    }
    EXPECT_EQ(result->records,
              8000 - std::stoll(SelectOne(path, "SELECT count(*) FROM decisions")));
    EXPECT_NEAR(static_cast<double>(result->records), static_cast<double>(estimate->records), 1500);
    // Not more than is asked for, and the oldest.
    EXPECT_NEAR(static_cast<double>(result->records), 80.0 * (100 - percent), 1500);
    EXPECT_EQ(SelectOne(path, "SELECT coalesce(min(seq), 8001) FROM decisions"),
              absl::StrCat(result->records + 1));
    const auto now = static_cast<int64_t>(std::filesystem::file_size(path));
    EXPECT_EQ(now, result->file_bytes);
    EXPECT_EQ(now < size, options.vacuum);
  }
}

TEST_F(PruneTest, WhatEitherAsksForGoes) {
  const std::string base = MakeTempDir() + "audit.db";
  WriteMany(base, 2000);
  ASSERT_EQ(Verify(base), "");
  const auto size = static_cast<int64_t>(std::filesystem::file_size(base));
  const struct {
    const char* name;
    int before;
    int percent;
    int64_t at_least, at_most;
  } kCases[] = {{"OnlyTheTime", 500, 100, 500, 500},
                {"TheSizeAfterTheTime", 500, 40, 700, 1600},
                {"NeitherAsks", 0, 100, 0, 0}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = MakeTempDir() + "audit.db";
    std::filesystem::copy_file(base, path);
    PruneOptions options;
    options.before = At(c.before);
    options.max_bytes = size * c.percent / 100;
    const absl::StatusOr<PruneResult> result = Prune(path, options);
    ASSERT_EQ(result.status(), absl::OkStatus());
    EXPECT_GE(result->records, c.at_least);
    EXPECT_LE(result->records, c.at_most);
    EXPECT_EQ(Verify(path), "");
  }
}

TEST_F(PruneTest, RefusesWhatItCannotDo) {
  const struct {
    const char* name;
    void (*change)(PruneOptions*);
    absl::StatusCode want;
  } kCases[] = {
      {"NothingAsked", [](PruneOptions* o) { o->before.reset(); },
       absl::StatusCode::kInvalidArgument},
      {"SizeBelow0", [](PruneOptions* o) { o->max_bytes = -1; },
       absl::StatusCode::kInvalidArgument},
      {"ReasonOfTwoLines", [](PruneOptions* o) { o->reason = "a\nb"; },
       absl::StatusCode::kInvalidArgument},
      {"LongReason", [](PruneOptions* o) { o->reason.assign(1025, 'x'); },
       absl::StatusCode::kInvalidArgument},
      {"ShortKey", [](PruneOptions* o) { o->key = "k"; }, absl::StatusCode::kInvalidArgument},
      {"FileWithoutKey", [](PruneOptions* o) { o->checkpoint_file = "x"; },
       absl::StatusCode::kInvalidArgument},
      {"EmptyBatch", [](PruneOptions* o) { o->max_batch_records = 0; },
       absl::StatusCode::kInvalidArgument},
  };
  const std::string path = Copy();
  for (const auto& c : kCases) {
    PruneOptions options = Before(50);
    c.change(&options);
    EXPECT_EQ(Prune(path, options).status().code(), c.want) << c.name;
  }
  EXPECT_EQ(Prune(path + ".no", Before(50)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Report(path, AllOptions(path)).records, 12);
}

TEST_F(PruneTest, CanBeCancelledAndGoneOnWith) {
  const std::string path = Copy();
  PruneOptions options = Before(50);
  options.max_batch_records = 1;
  int64_t last = 0;
  options.progress = [&last](int64_t done, int64_t of) {
    EXPECT_GT(done, last);
    EXPECT_LE(done, of);
    last = done;
    return done < of / 2;
  };
  EXPECT_EQ(Prune(path, options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Verify(path), "");
  const int64_t left = Report(path, {}).records;
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 12);
  const absl::StatusOr<PruneResult> rest = Prune(path, Before(50));
  ASSERT_EQ(rest.status(), absl::OkStatus());
  EXPECT_EQ(rest->records, left);
  EXPECT_EQ(Verify(path), "");
}

TEST_F(PruneTest, RowsThatWereNeverMadeAreNotMissed) {
  const std::string path = Copy();
  Run(path,
      "DELETE FROM records; DELETE FROM lists; DELETE FROM spans; DELETE FROM names; "
      "DELETE FROM texts; DELETE FROM hours; DELETE FROM unfolded");
  ASSERT_EQ(Prune(path, Before(9)).status(), absl::OkStatus());
  EXPECT_EQ(Verify(path), "");
  EXPECT_EQ(There(path), "2/2 2/3 2/4 3/1 3/2 3/3");
}

// What was tampered with is not swept away.
TEST_F(PruneTest, WhatIsNotAsItWasWrittenIsNotRemoved) {
  const struct {
    const char* name;
    const char* sql;
    const char* want;
  } kCases[] = {
      {"Changed", "UPDATE segments SET max_time = max_time + 1 WHERE writer = 1 AND first_seq = 3",
       ": writer 1, record 3: hash does not match; "},
      {"Missing", "DELETE FROM segments WHERE writer = 1 AND first_seq = 3",
       ": writer 1, record 4: records before it are missing; "},
      {"MissingFirst", "DELETE FROM segments WHERE writer = 1 AND first_seq = 1",
       ": writer 1, record 3: records before it are missing; "},
      {"PutIn",
       "INSERT INTO segments SELECT writer, 0, count, min_time, max_time, format, bytes, previous, "
       "hash FROM segments WHERE writer = 1 AND first_seq = 3",
       ": writer 1, record 0: is not where it should be; "},
      {"NoWriter", "DELETE FROM writers WHERE id = 1",
       ": writer 1, record 0: its writer is not in the file; "},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = Copy();
    Run(path, c.sql);
    const std::vector<std::string> before = Findings(path, AllOptions(path));
    PruneOptions options = Before(50);
    options.max_batch_records = 1;
    const absl::Status status = Prune(path, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(absl::StartsWith(status.message(), path + c.want)) << status;
    AuditVerifier::Options verify = AllOptions(path);
    verify.keys.clear();
    EXPECT_FALSE(Report(path, verify).intact());
  }
}

// A file that was pruned, signed: 1/1-5 and 2/1 are gone, in three prunings.
class TamperedTest : public PruneTest {
 protected:
  std::string Pruned() {
    const std::string path = Copy();
    PruneOptions options = Signed(9, path);
    options.max_batch_records = 3;
    EXPECT_EQ(Prune(path, options).status(), absl::OkStatus());
    EXPECT_EQ(Findings(path, AllOptions(path)), std::vector<std::string>());
    return path;
  }
};

TEST_F(TamperedTest, IsFoundAndNamed) {
  const struct {
    const char* name;
    const char* sql;
    std::vector<std::string> want;  // the first ones
  } kCases[] = {
      {"ASegmentWithoutAPruning",
       "DELETE FROM segments WHERE writer = 2 AND first_seq = 2",
       {"writer 2, record 2: records 2 to 4 are missing, which checkpoint 4 has seen; no record is "
        "intact"}},
      {"TheFirstOfAClosedWriter",
       "DELETE FROM segments WHERE writer = 3 AND first_seq = 1",
       {"writer 3, record 1: records 1 to 2 are missing; records 3 are intact"}},
      {"TheLastPruning",
       "DELETE FROM prunings WHERE id = 3",
       {"writer 2, record 1: record 1 is missing; records 2 to 4 are intact"}},
      {"APruningInTheMiddle",
       "DELETE FROM prunings WHERE id = 2",
       {"writer 2: pruning 3: does not follow the one before; records 2 to 4 are intact"}},
      {"AllPrunings",
       "DELETE FROM prunings",
       {"writer 2, record 1: record 1 is missing; records 2 to 4 are intact",
        "writer 1, record 1: records 1 to 5 are missing; no record is intact"}},
      {"MoreThanIsGone",
       "UPDATE prunings SET last_seq = 4 WHERE id = 3",
       {"writer 2: pruning 3: hash does not match; records 2 to 4 are intact",
        "writer 2, record 1: record 1 is missing"}},
      {"LessThanIsGone",
       "UPDATE prunings SET last_seq = 4 WHERE id = 2",
       {"writer 1: pruning 2: hash does not match; no record is intact"}},
      {"AnotherReason",
       "UPDATE prunings SET reason = 'because' WHERE id = 1",
       {"writer 1: pruning 1: hash does not match; no record is intact"}},
      {"AnotherUser",
       "UPDATE prunings SET uid = uid + 1 WHERE id = 1",
       {"writer 1: pruning 1: hash does not match; no record is intact"}},
      {"NotSigned",
       "UPDATE prunings SET key = NULL, signature = NULL WHERE id = 3",
       {"writer 2: pruning 3: is not signed; records 2 to 4 are intact"}},
      {"AnotherSignature",
       "UPDATE prunings SET signature = (SELECT signature FROM prunings WHERE id = 2) WHERE id = 3",
       {"writer 2: pruning 3: has a wrong signature; records 2 to 4 are intact"}},
      {"OfAnotherWriter",
       "UPDATE prunings SET writer = 9 WHERE id = 3",
       {"pruning 3: is of a writer that is not here"}},
      {"ARowOfWhatIsGone",
       "UPDATE records SET seq = 1 WHERE writer = 2 AND seq = 2",
       {"writer 2, record 1: row 7 is of no record, or is the second one"}},
      {"CountsOfWhatIsGone",
       "INSERT INTO hours VALUES(500000, 0, 1, 7)",
       {"the counts of `hours` differ from what the segments say"}},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = Pruned();
    AuditVerifier::Options options = AllOptions(path);
    options.checkpoint_file.clear();
    Run(path, c.sql);
    std::vector<std::string> got = Findings(path, options);
    if (got.size() > c.want.size()) got.resize(c.want.size());
    EXPECT_EQ(got, c.want);
  }
}

// A segment that a pruning says is gone, put back.
TEST_F(TamperedTest, APruningThatClaimsMoreThanIsGone) {
  const std::string path = Pruned();
  Run(path, absl::StrCat("ATTACH '", *base_,
                         "' AS old; INSERT INTO segments SELECT * FROM old.segments "
                         "WHERE writer = 2 AND first_seq = 1"));
  AuditVerifier::Options options;
  options.keys = AllOptions(path).keys;
  EXPECT_EQ(Findings(path, options)[0],
            "writer 2, record 1: is there, though a pruning says that it is gone; "
            "records 1 to 4 are intact");
}

TEST_F(TamperedTest, EveryChangedValueIsFound) {
  const std::string base = Pruned();
  int changes = 0;
  for (const std::string id : {"1", "2", "3"}) {
    for (const std::string& column :
         Select(base, "SELECT name FROM pragma_table_info('prunings')")) {
      for (const std::string& value :
           {"CASE typeof(" + column + ") WHEN 'integer' THEN " + column +
                " + 1000 WHEN 'text' THEN " + column + " || 'x' ELSE " + column + " || x'00' END",
            "CASE typeof(" + column + ") WHEN 'integer' THEN " + column +
                " - 1 WHEN 'text' THEN '' " + "ELSE zeroblob(length(" + column + ")) END"}) {
        if (column == "id" && value.find("- 1") != std::string::npos && id != "1") continue;
        const std::string path = MakeTempDir() + "audit.db";
        std::filesystem::copy_file(base, path);
        const std::string sql =
            "UPDATE prunings SET " + column + " = " + value + " WHERE id = " + id;
        Run(path, sql);
        AuditVerifier::Options options;
        options.keys = AllOptions(path).keys;
        EXPECT_NE(Findings(path, options), std::vector<std::string>()) << sql;
        // All but the signature without a key, too.
        if (column != "key" && column != "signature") {
          EXPECT_NE(Findings(path, {}), std::vector<std::string>()) << sql;
        }
        ++changes;
      }
    }
  }
  EXPECT_GT(changes, 60);
}

// Somebody who can write to the file, and does not know the key.
TEST_F(TamperedTest, AForgedPruningIsFound) {
  const std::string base = Pruned();
  for (const bool with_checkpoints : {false, true}) {
    for (const bool with_key : {false, true}) {
      SCOPED_TRACE(absl::StrCat("checkpoints ", with_checkpoints, ", key ", with_key));
      const std::string path = MakeTempDir() + "audit.db";
      std::filesystem::copy_file(base, path);
      // 2/2-4 go as well, by a program that does the same as ours.
      PruneOptions forged = Before(11);
      forged.key = std::string(32, 'f');
      ASSERT_EQ(Prune(path, forged).status(), absl::OkStatus());
      AuditVerifier::Options options;
      if (with_key) options.keys = AllOptions(base).keys;
      if (with_checkpoints) options.checkpoint_file = base + ".checkpoints";
      const std::vector<std::string> got = Findings(path, options);
      if (with_key) {
        ASSERT_FALSE(got.empty());
        EXPECT_EQ(got[0], "writer 2: pruning 4: is signed by another key; no record is intact");
      } else {
        // It is a pruning as any other, and in the report.
        EXPECT_EQ(got, std::vector<std::string>());
        EXPECT_EQ(Report(path, options).pruned_records, 9);
      }
    }
  }
}

// Whoever writes all prunings anew cannot change what stands elsewhere.
TEST_F(TamperedTest, PrunedOtherwiseIsFoundByWhatStandsElsewhere) {
  const std::string pruned = Pruned();
  const struct {
    const char* name;
    int before;
    const char* want;
  } kCases[] = {
      {"WithAnotherReason", 9, "writer 2: pruning 3 differs from what checkpoint in "},
      {"Less", 3, "writer 2: pruning 3 is missing, which checkpoint in "},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = Copy();
    PruneOptions options = Before(c.before);
    options.reason = "something else";
    options.max_batch_records = 3;
    ASSERT_EQ(Prune(path, options).status(), absl::OkStatus());
    AuditVerifier::Options verify;
    verify.checkpoint_file = pruned + ".checkpoints";
    const std::vector<std::string> got = Findings(path, verify);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_TRUE(absl::StartsWith(got[0], c.want)) << got[0];
  }
}

// The last hash that a pruning names is that of the segment before what is left.
TEST_F(TamperedTest, AnotherHistoryBeforeWhatIsLeft) {
  const std::string path = Pruned();
  const auto blob = [&path](const std::string& what) {
    return absl::HexStringToBytes(SelectOne(path, "SELECT hex(" + what + ")"));
  };
  const std::string uuid = blob("uuid) FROM writers WHERE (id = 2");
  const std::string last_hash(32, 'x');
  Pruning pruning;
  pruning.id = 3;
  pruning.uuid = uuid;
  pruning.first_seq = pruning.last_seq = 1;
  pruning.last_hash = last_hash;
  const Hash hash = HashOfPruning(pruning, blob("hash) FROM prunings WHERE (id = 2"));
  Run(path, absl::StrCat("UPDATE prunings SET min_time = 0, max_time = 0, time = 0, uid = 0, "
                         "reason = '', key = NULL, signature = NULL, last_hash = x'",
                         absl::BytesToHexString(last_hash), "', hash = x'",
                         absl::BytesToHexString({hash.data(), hash.size()}), "' WHERE id = 3"));
  EXPECT_EQ(Findings(path, {})[0],
            "writer 2, record 2: was written after another record than the last one that was "
            "pruned; records 2 to 4 are intact");
}

// A writer at work whose records are all gone goes on with its chain.
TEST_F(PruneTest, AWriterGoesOnAfterAllOfItsRecordsAreGone) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  auto store = *AuditStore::Open(path, options);
  Decider decider;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", round, "-", i)),
                absl::OkStatus());
    }
    ASSERT_EQ(store->Unfold(), absl::OkStatus());
    PruneOptions all;
    all.before = absl::InfiniteFuture();
    const absl::StatusOr<PruneResult> result = Prune(path, all);
    ASSERT_EQ(result.status(), absl::OkStatus());
    EXPECT_EQ(result->records, 5);
    EXPECT_EQ(Verify(path), "");
  }
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:last"), absl::OkStatus());
  store.reset();
  EXPECT_EQ(Verify(path), "");
  EXPECT_EQ(SelectOne(path, "SELECT seq || ' ' || resource FROM decisions"), "16 doc:last");
}

// Nothing is lost that was not pruned.
TEST_F(PruneTest, WhileOthersWrite) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  auto first = *AuditStore::Open(path, options), second = *AuditStore::Open(path, options);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> written{0};
  std::vector<std::thread> threads;
  for (AuditStore* store : {first.get(), second.get()}) {
    threads.emplace_back([&stop, &written, store] {
      Decider decider;
      const Principal ada = MakePrincipal("user:ada");
      for (int i = 0; i < 200000 && !stop; ++i) {
        const EntityId id("doc", absl::StrCat(i));
        const AuditLevel level = i % 50 == 0 ? AuditLevel::kDurable : AuditLevel::kRecorded;
        EXPECT_EQ(decider.Append(*store, Request(ada, "doc.read", id), level), absl::OkStatus());
        ++written;
      }
    });
  }
  int64_t pruned = 0;
  for (int round = 0; round < 20; ++round) {
    PruneOptions prune;
    prune.max_bytes = round % 4 == 3 ? 0 : 300000;
    prune.max_batch_records = 500;
    const absl::StatusOr<PruneResult> result = Prune(path, prune);
    EXPECT_EQ(result.status(), absl::OkStatus());
    if (result.ok()) pruned += result->records;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first->stats().refused + second->stats().refused, 0);
  first.reset();
  second.reset();
  EXPECT_EQ(Verify(path), "");
  const AuditReport report = Report(path, {});
  EXPECT_EQ(report.pruned_records, pruned);
  EXPECT_EQ(report.records + pruned, written);
  EXPECT_GT(pruned, 0);
}

TEST_F(PruneTest, TheRestCanBeAskedCopiedAndMadeAnew) {
  const std::string path = Copy();
  ASSERT_EQ(Prune(path, Before(9)).status(), absl::OkStatus());
  const std::vector<std::string> before =
      Select(path, "SELECT id, principal, resource, rules FROM decisions ORDER BY unix_us");
  ASSERT_EQ(before.size(), 6u);

  auto reader = *AuditReader::Open(path);
  EXPECT_EQ(*reader->Count({}), 6);
  AuditFilter gone, kept;
  gone.principal = "user:secret-name-6";
  kept.principal = "user:secret-name-7";
  EXPECT_EQ(*reader->Count(gone), 0);
  EXPECT_EQ(*reader->Count(kept), 1);
  AuditQuery query;
  query.limit = 100;
  const absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(query);
  ASSERT_EQ(rows.status(), absl::OkStatus());
  EXPECT_EQ(rows->size(), 6u);
  query.principal = "user:secret-name-6";
  EXPECT_EQ(reader->Query(query)->size(), 0u);
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM numbers WHERE kind = 'principal'"), "6");

  int replayed = 0;
  auto replay = *AuditReplay::Open(path);
  EXPECT_EQ(replay->ForEach(
                {}, [&replayed](const ReplayRecord&) { return ++replayed > 0; }, nullptr),
            absl::OkStatus());
  EXPECT_EQ(replayed, 6);

  const std::string copy = path + ".copy";
  ASSERT_EQ(Backup(path, copy), absl::OkStatus());
  EXPECT_EQ(Verify(copy), "");
  EXPECT_EQ(Report(copy, {}).pruned_records, 6);

  ASSERT_EQ(Reindex(path), absl::OkStatus());
  EXPECT_EQ(Verify(path), "");
  EXPECT_EQ(Select(path, "SELECT id, principal, resource, rules FROM decisions ORDER BY unix_us"),
            before);
}

}  // namespace
}  // namespace reeve
