#include "reeve/store/audit_reader.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/schema.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeTempDir;
using testing::Select;

constexpr int64_t kStart = 1800000000;  // of the Decider's clock

// Ten decisions, a second apart, and two at the same time.
class AuditReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = MakeTempDir() + "audit.db";
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    store_ = *AuditStore::Open(path_, options);
    const struct {
      int second;
      const char* principal;
      const char* action;
      const char* resource;
    } kDecisions[] = {
        {0, "user:ada", "doc.read", "doc:/finance/q1"},
        {1, "user:ada", "doc.delete", "doc:/finance/q1"},
        {2, "user:bob", "doc.read", "doc:/finance/q2"},
        {3, "user:ada", "doc.read", "doc:/secret/a%b"},
        {4, "user:ada", "doc.read", "doc:/secret/a_b"},
        {5, "user:ada", "doc.read", "doc:/secret/axb"},
        {6, "user:eve", "doc.delete", "doc:/finance"},
        {7, "user:eve", "doc.delete", "doc:/financed"},
        {8, "user:' OR 1=1 --", "doc.read", "doc:x"},
        {9, "user:ada", "doc.read", "doc:\u00e9\U0010FFFD"},
        {9, "user:ada", "doc.read", "doc:\u00e9"},
        {5, "user:ada", "doc.read", "doc:late"},
    };
    for (const auto& d : kDecisions) {
      decider_.clock.now = absl::FromUnixSeconds(kStart + d.second);
      const Principal principal = MakePrincipal(d.principal);
      const EntityId resource = MakeId(d.resource);
      ASSERT_EQ(decider_.Append(*store_, Request(principal, d.action, resource)), absl::OkStatus());
    }
    reader_ = *AuditReader::Open(path_);
  }

  // The numbers of the records that answer `query`.
  std::string Numbers(const AuditQuery& query) {
    const absl::StatusOr<std::vector<AuditRow>> rows = reader_->Query(query);
    if (!rows.ok()) return rows.status().ToString();
    return absl::StrJoin(*rows, " ", [](std::string* out, const AuditRow& row) {
      absl::StrAppend(out, row.number);
    });
  }

  std::string path_;
  Decider decider_;
  std::unique_ptr<AuditStore> store_;
  std::unique_ptr<AuditReader> reader_;
};

TEST_F(AuditReaderTest, Filters) {
  const auto at = [](double second) {
    return absl::FromUnixSeconds(kStart) + absl::Seconds(1) * second;
  };
  const struct {
    const char* name;
    std::function<void(AuditQuery&)> set;
    const char* want;  // oldest first
  } kCases[] = {
      {"All", [](AuditQuery&) {}, "1 2 3 4 5 6 12 7 8 9 10 11"},
      {"Since", [&](AuditQuery& q) { q.since = at(8); }, "9 10 11"},
      {"SinceBetween", [&](AuditQuery& q) { q.since = at(7.0000001); }, "9 10 11"},
      {"Until", [&](AuditQuery& q) { q.until = at(2); }, "1 2"},
      {"UntilBetween", [&](AuditQuery& q) { q.until = at(1.9999999); }, "1 2"},
      {"UntilAfter", [&](AuditQuery& q) { q.until = at(2.0000001); }, "1 2 3"},
      {"SinceUntil", [&](AuditQuery& q) { q.since = at(5), q.until = at(6); }, "6 12"},
      {"SinceForever", [&](AuditQuery& q) { q.since = absl::InfinitePast(); },
       "1 2 3 4 5 6 12 7 8 9 10 11"},
      {"SinceNever", [&](AuditQuery& q) { q.since = absl::InfiniteFuture(); }, ""},
      {"Principal", [](AuditQuery& q) { q.principal = "user:eve"; }, "7 8"},
      {"NoSuchPrincipal", [](AuditQuery& q) { q.principal = "user:e"; }, ""},
      {"PrincipalThatIsSql", [](AuditQuery& q) { q.principal = "user:' OR 1=1 --"; }, "9"},
      {"Action", [](AuditQuery& q) { q.action = "doc.delete"; }, "2 7 8"},
      {"Resource", [](AuditQuery& q) { q.resource = "doc:/finance"; }, "7"},
      {"ResourcePrefix", [](AuditQuery& q) { q.resource_prefix = "doc:/finance/"; }, "1 2 3"},
      {"ResourcePrefixInAWord", [](AuditQuery& q) { q.resource_prefix = "doc:/finance"; },
       "1 2 3 7 8"},
      {"ResourcePrefixIsNoPattern", [](AuditQuery& q) { q.resource_prefix = "doc:/secret/a%"; },
       "4"},
      {"ResourcePrefixUnderscore", [](AuditQuery& q) { q.resource_prefix = "doc:/secret/a_"; },
       "5"},
      {"ResourcePrefixBeyondAscii", [](AuditQuery& q) { q.resource_prefix = "doc:\u00e9"; },
       "10 11"},
      {"Allowed", [](AuditQuery& q) { q.allowed = true; }, "1 4 5 6 12 10 11"},
      {"Denied", [](AuditQuery& q) { q.allowed = false; }, "2 3 7 8 9"},
      {"Reason", [](AuditQuery& q) { q.reason = Reason::kNoRule; }, "3 9"},
      {"Rule", [](AuditQuery& q) { q.rule = "docs/never"; }, "2 7 8"},
      {"RuleSince", [&](AuditQuery& q) { q.rule = "docs/never", q.since = at(7); }, "8"},
      {"RuleAndPrincipal", [](AuditQuery& q) { q.rule = "docs/never", q.principal = "user:ada"; },
       "2"},
      {"ShadowRuleDidNotDecide", [](AuditQuery& q) { q.rule = "docs/later"; }, ""},
      {"AllAtOnce",
       [&](AuditQuery& q) {
         q.since = at(0), q.until = at(9), q.principal = "user:ada", q.action = "doc.read";
         q.resource_prefix = "doc:/secret/", q.allowed = true, q.reason = Reason::kAllowRule;
         q.rule = "docs/read", q.after_number = 4;
       },
       "5 6"},
      {"Limit", [](AuditQuery& q) { q.limit = 3; }, "1 2 3"},
      {"LimitZero", [](AuditQuery& q) { q.limit = 0; }, ""},
      {"NewestFirst", [](AuditQuery& q) { q.order = AuditQuery::Order::kNewestFirst; },
       "11 10 9 8 7 12 6 5 4 3 2 1"},
      {"NewestDenials",
       [](AuditQuery& q) {
         q.order = AuditQuery::Order::kNewestFirst, q.allowed = false, q.limit = 2;
       },
       "9 8"},
      {"NewestByRule",
       [](AuditQuery& q) {
         q.order = AuditQuery::Order::kNewestFirst, q.rule = "docs/never", q.limit = 2;
       },
       "8 7"},
      {"AsWritten", [](AuditQuery& q) { q.order = AuditQuery::Order::kAsWritten; },
       "1 2 3 4 5 6 7 8 9 10 11 12"},
      {"Tail", [](AuditQuery& q) { q.order = AuditQuery::Order::kAsWritten, q.after_number = 9; },
       "10 11 12"},
      {"TailByRule",
       [](AuditQuery& q) {
         q.order = AuditQuery::Order::kAsWritten, q.after_number = 2, q.rule = "docs/never";
       },
       "7 8"},
  };
  for (const auto& c : kCases) {
    AuditQuery query;
    query.order = AuditQuery::Order::kOldestFirst;
    c.set(query);
    EXPECT_EQ(Numbers(query), c.want) << c.name;
  }
}

TEST_F(AuditReaderTest, FindsADecisionByItsId) {
  const std::string id = testing::SelectOne(path_, "SELECT id FROM decisions WHERE number = 4");
  AuditQuery query;
  query.id = id;
  EXPECT_EQ(Numbers(query), "4");
  query.id = absl::AsciiStrToUpper(id);
  EXPECT_EQ(Numbers(query), "4");
  for (const char* bad : {"x", "0192", "' OR 1=1", "01920f6e-7d2a-7c3b-9e41-5d0c8a7b6fzz",
                          "01920f6e7d2a-7c3b-9e41-5d0c8a7b6f2-1"}) {
    query.id = bad;
    EXPECT_EQ(reader_->Query(query).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST_F(AuditReaderTest, PagesFollowOneAnother) {
  for (AuditQuery::Order order :
       {AuditQuery::Order::kNewestFirst, AuditQuery::Order::kOldestFirst}) {
    for (const char* rule : {"", "docs/read"}) {
      AuditQuery query;
      query.order = order;
      query.rule = rule;
      const std::string all = Numbers(query);
      for (size_t limit : {1, 2, 5, 12}) {
        query.limit = limit;
        query.after.reset();
        std::string pages;
        while (true) {
          const absl::StatusOr<std::vector<AuditRow>> rows = reader_->Query(query);
          ASSERT_EQ(rows.status(), absl::OkStatus());
          if (rows->empty()) break;
          ASSERT_LE(rows->size(), limit);
          for (const AuditRow& row : *rows) {
            absl::StrAppend(&pages, pages.empty() ? "" : " ", row.number);
          }
          query.after = AuditCursor(rows->back());
        }
        EXPECT_EQ(pages, all) << limit << rule;
      }
    }
  }
  AuditQuery query;
  query.order = AuditQuery::Order::kAsWritten;
  query.after = AuditCursor(AuditRow());
  EXPECT_EQ(reader_->Query(query).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AuditReaderTest, SeesWhatIsWrittenMeanwhile) {
  EXPECT_EQ(*reader_->LastNumber(), 12);
  ASSERT_TRUE(decider_.Append(*store_, "doc.read", "doc:new").ok());
  EXPECT_EQ(*reader_->LastNumber(), 13);
  AuditQuery query;
  query.resource = "doc:new";
  EXPECT_EQ(Numbers(query), "13");
  store_.reset();
  EXPECT_EQ(Numbers(query), "13");
}

TEST_F(AuditReaderTest, ARowHoldsAllColumns) {
  AuditQuery query;
  query.rule = "docs/never";
  query.limit = 1;
  const absl::StatusOr<std::vector<AuditRow>> rows = reader_->Query(query);
  ASSERT_EQ(rows.status(), absl::OkStatus());
  const AuditRow& row = rows->at(0);
  const struct {
    const char* column;
    std::string got;
  } kCases[] = {
      {"id", row.id},
      {"time", row.time},
      {"decision", row.decision},
      {"reason", row.reason},
      {"principal", row.principal},
      {"action", row.action},
      {"resource", row.resource},
      {"rules", row.rules},
      {"message", row.message},
      {"coalesce(error, '')", row.error},
      {"principal_assurance", row.principal_assurance},
      {"coalesce(via, '')", row.via},
      {"coalesce(host, '')", row.host},
      {"coalesce(actor, '')", row.actor},
      {"coalesce(evidence, '')", row.evidence},
      {"groups", row.groups},
      {"principal_parents", row.principal_parents},
      {"principal_attributes", row.principal_attributes},
      {"resource_parents", row.resource_parents},
      {"resource_attributes", row.resource_attributes},
      {"context", row.context},
      {"near_misses", row.near_misses},
      {"shadow_rules", row.shadow_rules},
      {"clauses", row.clauses},
      {"obligations", row.obligations},
      {"policy", row.policy},
      {"audit_level", row.audit_level},
      {"process", row.process},
      {"machine", row.machine},
      {"groups_complete", row.groups_complete ? "1" : "0"},
      {"escaped", row.escaped ? "1" : "0"},
      {"time_fixed", row.time_fixed ? "1" : "0"},
      {"latency_ns", absl::StrCat(absl::ToInt64Nanoseconds(row.latency))},
      {"writer", absl::StrCat(row.writer)},
      {"seq", absl::StrCat(row.seq)},
      {"unix_us", absl::StrCat(row.unix_us)},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(c.got, testing::SelectOne(
                         path_, absl::StrCat("SELECT ", c.column,
                                             " FROM decisions WHERE number = ", row.number)))
        << c.column;
  }
  EXPECT_EQ(row.latency, absl::Nanoseconds(1234));
}

// What an index is there for is found by it. A scan of `records` would take minutes in a large
// file.
TEST_F(AuditReaderTest, PeopleQueriesUseIndexes) {
  const struct {
    const char* sql;
    const char* want;
  } kCases[] = {
      {"SELECT * FROM decisions ORDER BY unix_us DESC LIMIT 10", "records_by_time"},
      {"SELECT * FROM decisions WHERE number IN (SELECT number FROM numbers "
       "WHERE kind = 'principal' AND name = 'user:ada') ORDER BY unix_us DESC LIMIT 10",
       "SEARCH r USING INTEGER PRIMARY KEY"},
      {"SELECT number FROM numbers WHERE kind = 'rule' AND name = 'docs/read'",
       "SEARCH l USING PRIMARY KEY (span=? AND kind=? AND name=?)"},
  };
  for (const auto& c : kCases) {
    const std::string plan =
        absl::StrJoin(Select(path_, absl::StrCat("EXPLAIN QUERY PLAN ", c.sql)), "\n");
    EXPECT_TRUE(absl::StrContains(plan, c.want)) << c.sql << "\n" << plan;
  }
}

TEST(AuditReaderOpenTest, RefusesWhatIsNotAnAuditStore) {
  const struct {
    const char* name;
    void (*prepare)(const std::string& path);
    absl::StatusCode want;
    const char* message;
  } kCases[] = {
      {"Missing", [](const std::string&) {}, absl::StatusCode::kNotFound, "no such file"},
      {"Directory", [](const std::string& path) { ASSERT_EQ(mkdir(path.c_str(), 0700), 0); },
       absl::StatusCode::kFailedPrecondition, "is not a file"},
      {"Fifo", [](const std::string& path) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); },
       absl::StatusCode::kFailedPrecondition, "is not a file"},
      {"Empty", [](const std::string& path) { std::ofstream(path).flush(); },
       absl::StatusCode::kFailedPrecondition, "is empty"},
      {"Garbage", [](const std::string& path) { std::ofstream(path) << std::string(5000, 'g'); },
       absl::StatusCode::kDataLoss, "is not a SQLite database"},
      {"AnotherDatabase",
       [](const std::string& path) {
         std::ofstream(path).flush();
         ASSERT_TRUE(Select(path, "CREATE TABLE t(x)").empty());
       },
       absl::StatusCode::kFailedPrecondition, "another database"},
      {"NewerVersion",
       [](const std::string& path) {
         ASSERT_TRUE(AuditStore::Open(path).ok());
         ASSERT_TRUE(Select(path, "PRAGMA user_version = 99").empty());
       },
       absl::StatusCode::kFailedPrecondition, "newer than this program"},
      {"OlderVersion",
       [](const std::string& path) {
         ASSERT_TRUE(AuditStore::Open(path).ok());
         ASSERT_TRUE(Select(path, "PRAGMA user_version = 0").empty());
       },
       absl::StatusCode::kFailedPrecondition, "is older than"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string path = MakeTempDir() + "audit.db";
    c.prepare(path);
    const absl::Status status = AuditReader::Open(path).status();
    EXPECT_EQ(status.code(), c.want) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << status;
  }
}

// Makes file modes hold for the superuser too, on this thread.
class WithoutPrivileges {
 public:
  WithoutPrivileges() {
    EXPECT_EQ(syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    now[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    EXPECT_EQ(syscall(SYS_capset, &header_, now), 0);
  }
  ~WithoutPrivileges() { syscall(SYS_capset, &header_, before_); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2];
};

TEST(AuditReaderOpenTest, SeesWhatIsCommitted) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.make_rows = false;
  auto store = *AuditStore::Open(path, options);
  absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(path);
  ASSERT_EQ(reader.status(), absl::OkStatus());
  for (int64_t i = 1; i < 4; ++i) {
    ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
    EXPECT_EQ((*reader)->Query({})->size(), static_cast<size_t>(i));
    EXPECT_EQ(*(*reader)->LastNumber(), i);
    EXPECT_EQ((*reader)->behind(), 0);
  }
}

TEST(AuditReaderOpenTest, ReadsWhereItCannotWrite) {
  const std::string dir = MakeTempDir(), path = dir + "au%d?it#.db";
  ASSERT_TRUE(Decider().Append(**AuditStore::Open(path), "doc.read", "doc:1").ok());
  ASSERT_EQ(chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(chmod(dir.c_str(), 0555), 0);
  {
    const WithoutPrivileges without;
    absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(path);
    ASSERT_EQ(reader.status(), absl::OkStatus());
    EXPECT_EQ(*(*reader)->LastNumber(), 1);
  }
  ASSERT_EQ(chmod(dir.c_str(), 0755), 0);
}

TEST(AuditReaderOpenTest, ReadsBesideAWriterWhereItCannotWrite) {
  const std::string dir = MakeTempDir(), path = dir + "audit.db";
  AuditStore::Options options;
  options.make_rows = false;
  auto store = *AuditStore::Open(path, options);
  ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
  ASSERT_EQ(store->Unfold(), absl::OkStatus());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    ASSERT_EQ(chmod((path + suffix).c_str(), 0444), 0);
  }
  ASSERT_EQ(chmod(dir.c_str(), 0555), 0);
  {
    const WithoutPrivileges without;
    absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(path);
    ASSERT_EQ(reader.status(), absl::OkStatus());
    EXPECT_EQ(*(*reader)->LastNumber(), 1);
    EXPECT_EQ((*reader)->behind(), 0);
    ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
    EXPECT_EQ(*(*reader)->LastNumber(), 1);
    EXPECT_EQ((*reader)->behind(), 1);
    ASSERT_EQ(store->Unfold(), absl::OkStatus());
    EXPECT_EQ(*(*reader)->LastNumber(), 2);
    EXPECT_EQ((*reader)->behind(), 0);
  }
  ASSERT_EQ(chmod(dir.c_str(), 0755), 0);
}

TEST(AuditReaderOpenTest, SaysSoWhereItMayNotRead) {
  const std::string path = MakeTempDir() + "audit.db";
  ASSERT_TRUE(AuditStore::Open(path).ok());
  ASSERT_EQ(chmod(path.c_str(), 0000), 0);
  const WithoutPrivileges without;
  const absl::Status status = AuditReader::Open(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(status.message(), "check the permissions")) << status;
}

}  // namespace
}  // namespace reeve
