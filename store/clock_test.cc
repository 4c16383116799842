// What a clock that is set back does to what a file says: order, ranges, counts and verification.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/engine/testing.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/reindex.h"
#include "reeve/store/replay.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::FakeClock;
using testing::MakeTempDir;
using testing::Select;
using testing::Verify;

constexpr int64_t kEight = 1800000000;  // 2027-01-15T08:00:00Z

absl::Time At(int64_t minutes) { return absl::FromUnixSeconds(kEight + 60 * minutes); }

// Four records of one writer; before the third the clock goes back by 40 minutes, before the end of
// the writer by two hours.
class ClockTest : public ::testing::Test {
 protected:
  ClockTest() : path_(MakeTempDir() + "audit.db") {
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.clock = &decider_.clock;
    options.checkpoint_key = std::string(32, 's');
    options.checkpoint_file = path_ + ".checkpoints";
    options.checkpoint_records = 1;
    decider_.clock.now = At(0);
    const auto store = AuditStore::Open(path_, options);
    EXPECT_EQ(store.status(), absl::OkStatus());
    int number = 0;
    for (const int64_t minutes : {1, 70, 30, 90}) {
      decider_.clock.now = At(minutes);
      EXPECT_EQ(decider_.Append(**store, "doc.read", absl::StrCat("doc:", ++number)),
                absl::OkStatus());
    }
    decider_.clock.now = At(-120);
  }

  // The records that `query` finds, page by page.
  std::string Found(AuditQuery query) {
    const auto reader = *AuditReader::Open(path_);
    query.limit = 1;
    std::string found;
    for (int page = 0; page < 10; ++page) {
      const auto rows = reader->Query(query);
      EXPECT_EQ(rows.status(), absl::OkStatus());
      if (!rows.ok() || rows->empty()) break;
      found += rows->at(0).resource.substr(4);
      query.after = AuditCursor(rows->back());
    }
    return found;
  }

  Decider decider_;
  const std::string path_;
};

TEST_F(ClockTest, OrdersAndRangesAreOfTheClockAndNumbersOfTheWriting) {
  using Order = AuditQuery::Order;
  const struct {
    const char* name;
    Order order;
    std::optional<absl::Time> since, until;
    const char* want;
  } kCases[] = {
      {"NewestFirst", Order::kNewestFirst, {}, {}, "4231"},
      {"OldestFirst", Order::kOldestFirst, {}, {}, "1324"},
      {"AsWritten", Order::kAsWritten, {}, {}, "1234"},
      {"Since", Order::kNewestFirst, At(30), {}, "423"},
      {"Until", Order::kNewestFirst, {}, At(70), "31"},
      {"Between", Order::kOldestFirst, At(2), At(71), "32"},
      {"BetweenAsWritten", Order::kAsWritten, At(2), At(71), "23"},
      {"AnHour", Order::kAsWritten, At(60), At(120), "24"},
  };
  for (const char* made : {"at first", "anew"}) {
    SCOPED_TRACE(made);
    for (const auto& c : kCases) {
      AuditQuery query;
      query.order = c.order;
      query.since = c.since;
      query.until = c.until;
      EXPECT_EQ(Found(query), c.want) << c.name;
      EXPECT_EQ(*(*AuditReader::Open(path_))->Count(query), std::string(c.want).size()) << c.name;
      query.principal = "user:ada";  // by lists, not by the index
      EXPECT_EQ(Found(query), c.want) << c.name;
    }
    EXPECT_EQ(
        Select(path_, "SELECT hour, count FROM decisions_by_hour WHERE rule IS NULL ORDER BY 1"),
        (std::vector<std::string>{"2027-01-15T08:00:00Z|2", "2027-01-15T09:00:00Z|2"}));
    EXPECT_EQ(Select(path_, "SELECT resource, seq FROM decisions ORDER BY number"),
              (std::vector<std::string>{"doc:1|1", "doc:2|2", "doc:3|3", "doc:4|4"}));
    ASSERT_EQ(Reindex(path_), absl::OkStatus());
  }
}

TEST_F(ClockTest, ReplayReadsAsWasWritten) {
  const auto replay = *AuditReplay::Open(path_);
  const auto all = [&](const AuditReplay::Range& range) {
    std::string found;
    EXPECT_EQ(replay->ForEach(range,
                              [&](const ReplayRecord& record) {
                                found += record.decision.resource.id;
                                return true;
                              }),
              absl::OkStatus());
    return found;
  };
  EXPECT_EQ(all({}), "4321");
  EXPECT_EQ(all({At(2), At(71)}), "32");
  // Each is found by its id, in which its time stands.
  for (const std::string& id : Select(path_, "SELECT id FROM decisions")) {
    int found = 0;
    EXPECT_EQ(replay->Find(id,
                           [&](const ReplayRecord&) {
                             ++found;
                             return true;
                           }),
              absl::OkStatus());
    EXPECT_EQ(found, 1) << id;
  }
}

// Times prove nothing, and so nothing is made of them: numbers and hashes are what holds.
TEST_F(ClockTest, VerificationFindsItAsItWasWritten) {
  EXPECT_EQ(Verify(path_), "");
  AuditVerifier::Options options;
  options.checkpoint_file = path_ + ".checkpoints";
  const auto report = AuditVerifier::Verify(path_, options);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->intact());
  ASSERT_EQ(report->writers.size(), 1u);
  EXPECT_LT(report->writers[0].closed, report->writers[0].opened);
  EXPECT_EQ(report->writers[0].last_seq, 4);
  // That a time was changed is found all the same.
  Select(path_, "UPDATE segments SET min_time = min_time - 1 WHERE first_seq = 3");
  EXPECT_NE(Verify(path_), "");
}

}  // namespace
}  // namespace reeve
