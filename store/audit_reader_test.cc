#include "reeve/store/audit_reader.h"

#include <sys/stat.h>
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
using testing::WithoutPrivileges;

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
      Principal principal = MakePrincipal(d.principal);
      if (d.second == 2) {
        principal.assurance = Assurance::kCrypto;
        principal.via = "krb5", principal.host = "web-1", principal.actor = "service:front";
      }
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

  void CompareWithView(const AuditRow& row) {
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
        {"error", row.error},
        {"principal_assurance", row.principal_assurance},
        {"via", row.via},
        {"host", row.host},
        {"actor", row.actor},
        {"evidence", row.evidence},
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
    std::string columns, got;
    for (const auto& c : kCases) {
      absl::StrAppend(&columns, columns.empty() ? "" : ", ", "coalesce(", c.column, ", '')");
      absl::StrAppend(&got, &c == kCases ? "" : "|", c.got);
    }
    EXPECT_EQ(
        got, testing::SelectOne(path_, absl::StrCat("SELECT ", columns,
                                                    " FROM decisions WHERE number = ", row.number)))
        << columns;
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
      {"ShadowRule", [](AuditQuery& q) { q.shadow_rule = "docs/later"; }, "4 5 6"},
      {"NoSuchShadowRule", [](AuditQuery& q) { q.shadow_rule = "docs/late"; }, ""},
      {"Actor", [](AuditQuery& q) { q.actor = "service:front"; }, "3"},
      {"Via", [](AuditQuery& q) { q.via = "krb5"; }, "3"},
      {"Host", [](AuditQuery& q) { q.host = "web-1"; }, "3"},
      {"Assurance", [](AuditQuery& q) { q.assurance = Assurance::kCrypto; }, "3"},
      {"NoAssurance", [](AuditQuery& q) { q.assurance = Assurance::kNone; }, ""},
      {"Policy", [](AuditQuery& q) { q.policy = "sha256:c0ffee"; }, "1 2 3 4 5 6 12 7 8 9 10 11"},
      {"NoSuchPolicy", [](AuditQuery& q) { q.policy = "sha256:c0ffe"; }, ""},
      {"Writer", [](AuditQuery& q) { q.writer = 1, q.limit = 2; }, "1 2"},
      {"NoSuchWriter", [](AuditQuery& q) { q.writer = 0; }, ""},
      {"NoSuchMachine", [](AuditQuery& q) { q.machine = "nowhere"; }, ""},
      {"NoError", [](AuditQuery& q) { q.with_error = true; }, ""},
      {"NoSuchError", [](AuditQuery& q) { q.error = "disk"; }, ""},
      {"Slow", [](AuditQuery& q) { q.min_latency = absl::Nanoseconds(1234), q.limit = 1; }, "1"},
      {"NoneAsSlow", [](AuditQuery& q) { q.min_latency = absl::Nanoseconds(1234.5); }, ""},
      {"PrincipalAndPrefix",
       [](AuditQuery& q) { q.principal = "user:ada", q.resource_prefix = "doc:/finance"; }, "1 2"},
      {"PrefixDenied",
       [](AuditQuery& q) { q.resource_prefix = "doc:/finance", q.allowed = false, q.limit = 2; },
       "2 3"},
      {"PrefixSince",
       [&](AuditQuery& q) { q.resource_prefix = "doc:/finance", q.since = at(1), q.until = at(7); },
       "2 3 7"},
      {"PrefixNewest",
       [](AuditQuery& q) {
         q.resource_prefix = "doc:/", q.limit = 3, q.order = AuditQuery::Order::kNewestFirst;
       },
       "8 7 6"},
      {"ReasonThatDenies", [](AuditQuery& q) { q.reason = Reason::kDenyRule; }, "2 7 8"},
      {"Contradiction", [](AuditQuery& q) { q.reason = Reason::kDenyRule, q.allowed = true; }, ""},
      {"OtherContradiction",
       [](AuditQuery& q) { q.reason = Reason::kAllowRule, q.allowed = false; }, ""},
      {"SinceAsWritten",
       [&](AuditQuery& q) { q.order = AuditQuery::Order::kAsWritten, q.since = at(5); },
       "6 7 8 9 10 11 12"},
      {"SinceNeverAsWritten",
       [&](AuditQuery& q) { q.order = AuditQuery::Order::kAsWritten, q.since = at(50); }, ""},
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
        for (int page = 0; page < 100; ++page) {
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
}

TEST_F(AuditReaderTest, ACursorOfTheOrderOfWritingHoldsForThoseRowsOnly) {
  AuditQuery query;
  query.order = AuditQuery::Order::kAsWritten;
  query.limit = 5;
  const absl::StatusOr<std::vector<AuditRow>> rows = reader_->Query(query);
  ASSERT_EQ(rows.status(), absl::OkStatus());
  query.after = AuditCursor(rows->back());
  EXPECT_EQ(Numbers(query), "6 7 8 9 10");
  ++query.after->seq;
  EXPECT_EQ(reader_->Query(query).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AuditReaderTest, ACursorIsAWord) {
  AuditCursor cursor;
  cursor.unix_us = -5, cursor.writer = 1, cursor.seq = 8120, cursor.number = 8121;
  EXPECT_EQ(cursor.ToString(), "-5.1.8120.8121");
  EXPECT_EQ(AuditCursor::Parse("-5.1.8120.8121")->ToString(), "-5.1.8120.8121");
  for (const char* bad : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", "1.2.3.x", " 1.2.3.4",
                          "01.2.3.4", "1.2.3.99999999999999999999", "+1.2.3.4"}) {
    EXPECT_FALSE(AuditCursor::Parse(bad).has_value()) << bad;
  }
}

// Against the view, which shares nothing with the conditions on tables.
TEST_F(AuditReaderTest, CountsAndStatisticsAreThoseOfTheView) {
  const auto at = [](double second) {
    return absl::FromUnixSeconds(kStart) + absl::Seconds(1) * second;
  };
  // Hours before and after, so that whole hours and what is left on both sides are added up.
  for (int hour = -3; hour <= 3; ++hour) {
    for (const int second : {0, 1, 1800, 3599}) {
      decider_.clock.now = at(hour * 3600 + second);
      ASSERT_TRUE(decider_
                      .Append(*store_, hour % 2 == 0 ? "doc.read" : "doc.delete",
                              absl::StrCat("doc:/", second))
                      .ok());
    }
  }
  constexpr char kFrom[] = "unix_us >= 1800000000000000 + 1000000 * ";
  constexpr char kTo[] = "unix_us < 1800000000000000 + 1000000 * ";
  const struct {
    const char* name;
    std::function<void(AuditFilter&)> set;
    std::string where;
  } kCases[] = {
      {"All", [](AuditFilter&) {}, "1"},
      {"Since", [&](AuditFilter& f) { f.since = at(-7200); }, absl::StrCat(kFrom, -7200)},
      {"SinceWithin", [&](AuditFilter& f) { f.since = at(-7199); }, absl::StrCat(kFrom, -7199)},
      {"Until", [&](AuditFilter& f) { f.until = at(3600); }, absl::StrCat(kTo, 3600)},
      {"UntilWithin", [&](AuditFilter& f) { f.until = at(3601); }, absl::StrCat(kTo, 3601)},
      {"Both", [&](AuditFilter& f) { f.since = at(-3599), f.until = at(5400); },
       absl::StrCat(kFrom, -3599, " AND ", kTo, 5400)},
      {"WithinAnHour", [&](AuditFilter& f) { f.since = at(1), f.until = at(9); },
       absl::StrCat(kFrom, 1, " AND ", kTo, 9)},
      {"OneHour", [&](AuditFilter& f) { f.since = at(0), f.until = at(3600); },
       absl::StrCat(kFrom, 0, " AND ", kTo, 3600)},
      {"TwoParts", [&](AuditFilter& f) { f.since = at(1800), f.until = at(5400); },
       absl::StrCat(kFrom, 1800, " AND ", kTo, 5400)},
      {"Backwards", [&](AuditFilter& f) { f.since = at(9), f.until = at(1); }, "0"},
      {"Always",
       [](AuditFilter& f) { f.since = absl::InfinitePast(), f.until = absl::InfiniteFuture(); },
       "1"},
      {"Denied", [&](AuditFilter& f) { f.since = at(-3599), f.allowed = false; },
       absl::StrCat(kFrom, -3599, " AND decision = 'deny'")},
      {"Allowed", [](AuditFilter& f) { f.allowed = true; }, "decision = 'allow'"},
      {"Reason", [](AuditFilter& f) { f.reason = Reason::kNoRule; }, "reason = 'no_rule'"},
      {"Rule", [&](AuditFilter& f) { f.rule = "docs/never", f.until = at(4000); },
       absl::StrCat("rules LIKE '%docs/never%' AND ", kTo, 4000)},
      {"NoSuchRule", [](AuditFilter& f) { f.rule = "docs/none"; }, "0"},
      {"Principal", [](AuditFilter& f) { f.principal = "user:eve"; }, "principal = 'user:eve'"},
      {"Prefix", [](AuditFilter& f) { f.resource_prefix = "doc:/finance"; },
       "resource GLOB 'doc:/finance*'"},
      {"PrefixDenied", [](AuditFilter& f) { f.resource_prefix = "doc:/1", f.allowed = false; },
       "resource GLOB 'doc:/1*' AND decision = 'deny'"},
      {"Machine", [](AuditFilter& f) { f.machine = "nowhere"; }, "machine = 'nowhere'"},
  };
  const auto joined = [](const std::vector<AuditStatistics::Count>& counts) {
    return absl::StrJoin(counts, " ", [](std::string* out, const AuditStatistics::Count& count) {
      absl::StrAppend(out, count.name, "=", count.allowed, "/", count.denied);
    });
  };
  const auto select = [this](const std::string& sql) {
    return absl::StrJoin(Select(path_, sql), " ");
  };
  StatisticsOptions options;
  options.top = 2;
  options.shadow_rules = true;
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    AuditFilter filter;
    c.set(filter);
    const std::string from = absl::StrCat(" FROM decisions WHERE ", c.where);
    EXPECT_EQ(absl::StrCat(*reader_->Count(filter)), select(absl::StrCat("SELECT count(*)", from)));
    const absl::StatusOr<AuditStatistics> got = reader_->Statistics(filter, options);
    ASSERT_EQ(got.status(), absl::OkStatus());
    EXPECT_EQ(absl::StrCat(got->allowed, " ", got->denied),
              select(absl::StrCat("SELECT count(*) FILTER (WHERE decision = 'allow') || ' ' || "
                                  "count(*) FILTER (WHERE decision = 'deny')",
                                  from)));
    EXPECT_EQ(absl::StrJoin(got->reasons, " ",
                            [](std::string* out, const AuditStatistics::ReasonCount& reason) {
                              absl::StrAppend(out, std::string(ToString(reason.reason)), "=",
                                              reason.count);
                            }),
              select(absl::StrCat("SELECT reason || '=' || count(*)", from,
                                  " GROUP BY reason ORDER BY count(*) DESC, "
                                  "CASE reason WHEN 'allow_rule' THEN 1 WHEN 'deny_rule' THEN 2 "
                                  "ELSE 4 END")));
    EXPECT_EQ(absl::StrJoin(got->hours, " ",
                            [](std::string* out, const AuditStatistics::Hour& hour) {
                              absl::StrAppend(out, absl::ToUnixSeconds(hour.begin), "=",
                                              hour.allowed, "/", hour.denied);
                            }),
              select(absl::StrCat("SELECT (unix_us / 3600000000 * 3600) || '=' || "
                                  "count(*) FILTER (WHERE decision = 'allow') || '/' || "
                                  "count(*) FILTER (WHERE decision = 'deny')",
                                  from, " GROUP BY unix_us / 3600000000 ORDER BY 1")));
    for (const auto& [list, column] :
         {std::pair(got->rules, "rules"), std::pair(got->shadow_rules, "shadow_rules")}) {
      EXPECT_EQ(joined(list),
                select(absl::StrCat("SELECT j.value || '=' || "
                                    "count(*) FILTER (WHERE decision = 'allow') || '/' || "
                                    "count(*) FILTER (WHERE decision = 'deny') "
                                    "FROM decisions, json_each(",
                                    column, ") AS j WHERE ", c.where,
                                    " GROUP BY j.value ORDER BY count(*) DESC, j.value")));
    }
    for (const auto& [list, column] : {std::pair(got->refused_principals, "principal"),
                                       std::pair(got->refused_actions, "action"),
                                       std::pair(got->refused_resources, "resource")}) {
      EXPECT_EQ(joined(list),
                select(absl::StrCat("SELECT ", column, " || '=0/' || count(*)", from,
                                    " AND decision = 'deny' GROUP BY ", column,
                                    " ORDER BY count(*) DESC, ", column, " LIMIT 2")));
    }
  }
}

TEST_F(AuditReaderTest, LatencyIsThatOfTheRecords) {
  // Of the records the 1st, 2nd, ... takes so long.
  const std::string file = MakeTempDir() + "latency.db";
  std::unique_ptr<AuditStore> store = *AuditStore::Open(file);
  const Principal ada = MakePrincipal("user:ada");
  const EntityId resource = MakeId("doc:1");
  const Request request(ada, "doc.read", resource);
  const Decision decision = decider_.Decide(request);
  for (int64_t i = 1; i <= 1000; ++i) {
    const int64_t latency = i < 990 ? i : i * 1000000;
    ASSERT_TRUE(
        store->Append({request, decision, absl::Nanoseconds(latency)}, AuditLevel::kRecorded).ok());
  }
  ASSERT_TRUE(store->Flush().ok());
  const AuditStatistics::Latency got =
      (*AuditReader::Open(file))->Statistics({}, StatisticsOptions())->latency;
  EXPECT_EQ(got.count, 1000);
  EXPECT_EQ(got.min, absl::Nanoseconds(1));
  EXPECT_EQ(got.p50, absl::Nanoseconds(500));
  EXPECT_EQ(got.p90, absl::Nanoseconds(900));
  EXPECT_GE(got.p99, absl::Milliseconds(990));
  EXPECT_LE(got.p99, absl::Milliseconds(990) * (4097.0 / 4096));
  EXPECT_GE(got.p999, absl::Milliseconds(999));
  EXPECT_LE(got.p999, absl::Milliseconds(999) * (4097.0 / 4096));
  EXPECT_EQ(got.max, absl::Seconds(1));
  EXPECT_EQ((*AuditReader::Open(file))
                ->Statistics(
                    [] {
                      AuditFilter none;
                      none.principal = "user:none";
                      return none;
                    }(),
                    StatisticsOptions())
                ->latency.count,
            0);
}

// More resources than are asked one after the other before all else.
TEST_F(AuditReaderTest, AnswersAPrefixOfManyResources) {
  AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  const std::string file = MakeTempDir() + "many.db";
  std::unique_ptr<AuditStore> store = *AuditStore::Open(file, options);
  constexpr int kResources = 2500;
  for (int i = 0; i < 2 * kResources; ++i) {
    decider_.clock.now = absl::FromUnixSeconds(kStart + i);
    ASSERT_TRUE(decider_
                    .Append(*store,
                            Request(MakePrincipal("user:ada"), "doc.read",
                                    MakeId(absl::StrCat(i % 7 == 0 ? "doc:/b/" : "doc:/a/",
                                                        i * 31 % kResources))),
                            AuditLevel::kRecorded)
                    .ok());
  }
  // The newest are on others.
  for (int i = 0; i < 30000; ++i) {
    ASSERT_TRUE(decider_
                    .Append(*store,
                            Request(MakePrincipal("user:ada"), "doc.read", MakeId("doc:/c")),
                            AuditLevel::kRecorded)
                    .ok());
  }
  ASSERT_TRUE(store->Flush().ok());
  reader_ = *AuditReader::Open(file);
  for (const char* prefix : {"doc:/a/", "doc:/b/", "doc:/c", "doc:/"}) {
    for (const AuditQuery::Order order :
         {AuditQuery::Order::kNewestFirst, AuditQuery::Order::kOldestFirst}) {
      AuditQuery query;
      query.order = order;
      query.resource_prefix = prefix;
      query.limit = 40;
      std::string got = Numbers(query);
      query.after = AuditCursor(reader_->Query(query)->back());
      absl::StrAppend(&got, " ", Numbers(query));
      EXPECT_EQ(got,
                absl::StrJoin(
                    Select(file, absl::StrCat("SELECT number FROM decisions WHERE resource GLOB '",
                                              prefix, "*' ORDER BY ",
                                              order == AuditQuery::Order::kNewestFirst
                                                  ? "unix_us DESC, writer DESC, seq DESC"
                                                  : "unix_us, writer, seq",
                                              " LIMIT 80")),
                    " "))
          << prefix;
    }
  }
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

// Every column of every row is as in the view: of the first year, of the last, with what was not
// kept, what was escaped, and what a request said of itself.
TEST_F(AuditReaderTest, RowsAreThoseOfTheView) {
  Principal eve = MakePrincipal("user:eve", {"a", "b"});
  eve.groups_complete = false;
  eve.assurance = Assurance::kKernelWeak;
  eve.evidence = "pid=1\xff";
  eve.parents = {MakeId("team:x")};
  eve.attributes = {{"level", Value::Int(7)}};
  const EntityId resource = MakeId("doc:/secret/x");
  const Attributes context = {{"ip", Value::String("192.0.2.1")}};
  for (const int64_t seconds : {int64_t{-62135596800}, int64_t{-1}, int64_t{253402300799}}) {
    Request request(eve, "doc.read", resource);
    request.time = absl::FromUnixSeconds(seconds) + absl::Nanoseconds(123456789);
    request.context = &context;
    ASSERT_TRUE(decider_.Append(*store_, request, AuditLevel::kRecorded).ok());
    decider_.clock.now = *request.time;
    request.time = std::nullopt;
    ASSERT_TRUE(decider_.Append(*store_, request, AuditLevel::kRecorded).ok());
  }
  Principal large = eve;
  large.groups.assign(70000, "g");
  ASSERT_TRUE(decider_.Append(*store_, Request(large, "doc.read", resource)).ok());
  ASSERT_TRUE(store_->Flush().ok());
  const absl::StatusOr<std::vector<AuditRow>> rows = reader_->Query({});
  ASSERT_EQ(rows.status(), absl::OkStatus());
  EXPECT_EQ(rows->size(), 19u);
  EXPECT_EQ(Select(path_, "SELECT count(*) FROM decisions WHERE groups IS NULL"),
            std::vector<std::string>{"1"});
  for (const AuditRow& row : *rows) CompareWithView(row);
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
