#include "reeve/store/replay.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeTempDir;
using testing::Select;

constexpr int64_t kStart = 1800000000;

absl::Time At(int64_t second) { return absl::FromUnixSeconds(kStart + second); }

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() : path_(MakeTempDir() + "audit.db"), store_(*AuditStore::Open(path_)) {}

  void Append(int64_t second, const Principal& principal, const std::string& action,
              const std::string& resource) {
    decider_.clock.now = At(second);
    const EntityId id = MakeId(resource);
    ASSERT_TRUE(decider_.Append(*store_, Request(principal, action, id)).ok());
  }

  // `resource@second` of each record, as they come.
  std::string All(const AuditReplay::Range& range = {}, size_t limit = 100) {
    const auto replay = AuditReplay::Open(path_);
    if (!replay.ok()) return replay.status().ToString();
    std::string text;
    size_t count = 0;
    const absl::Status status = (*replay)->ForEach(range, [&](const ReplayRecord& record) {
      absl::StrAppend(&text, text.empty() ? "" : " ", record.decision.resource.id, "@",
                      absl::ToInt64Seconds(record.time - At(0)));
      return ++count < limit;
    });
    if (!status.ok()) return status.ToString();
    if ((*replay)->damage().segments > 0) absl::StrAppend(&text, " ", (*replay)->damage().first);
    return text;
  }

  const std::string path_;
  const std::unique_ptr<AuditStore> store_;
  Decider decider_;
};

TEST_F(ReplayTest, ReturnsWhatWasAskedAndAnswered) {
  Principal ada(MakeId("user:ada@X"), Assurance::kCrypto);
  ada.groups = {"staff", "leads"};
  ada.groups_complete = false;
  ada.parents = {MakeId("team:x")};
  ada.attributes = {{"level", Value::Int(7)}, {"since", Value::Timestamp(At(1))}};
  ada.via = "tls";
  ada.host = "web-1";
  ada.actor = "service:front";
  ada.evidence = "serial=1";
  const EntityId parents[] = {MakeId("folder:a:b")};
  const Attributes attributes = {{"owner", Value::String("ada")}};
  const Attributes context = {{"ip", Value::Bytes("\x01")}};
  Request request(ada, "doc.delete", {"doc", "/a:1"});
  request.resource_parents = parents;
  request.resource_attributes = &attributes;
  request.context = &context;
  request.time = At(5) + absl::Nanoseconds(123);
  const Decision decision = decider_.Decide(request);
  ASSERT_TRUE(decider_.Append(*store_, request).ok());

  const auto replay = AuditReplay::Open(path_);
  ASSERT_TRUE(replay.ok());
  int records = 0;
  ASSERT_TRUE(
      (*replay)
          ->ForEach({},
                    [&](const ReplayRecord& record) {
                      ++records;
                      const RecordedDecision& d = record.decision;
                      EXPECT_EQ(record.time, decision.clock_time());
                      EXPECT_EQ(record.request_time, *request.time);
                      EXPECT_EQ(record.level, AuditLevel::kDurable);
                      EXPECT_EQ(record.latency, absl::Nanoseconds(1234));
                      EXPECT_EQ(record.seq, 1);
                      EXPECT_EQ(d.obstacle(), "");
                      EXPECT_TRUE(d.time_fixed);
                      EXPECT_EQ(d.reason, Reason::kDenyRule);
                      EXPECT_EQ(d.rules.size(), 1u);
                      EXPECT_EQ(d.rules[0].id, "docs/never");
                      EXPECT_EQ(d.message, decision.message());
                      EXPECT_EQ(d.policy_digest, "sha256:c0ffee");
                      EXPECT_EQ(d.obligations.size(), 2u);
                      const Request got = d.RequestAt(record.request_time);
                      EXPECT_EQ(EntityView(got.principal->id), EntityView(ada.id));
                      EXPECT_EQ(got.principal->assurance, ada.assurance);
                      EXPECT_EQ(got.principal->groups, ada.groups);
                      EXPECT_FALSE(got.principal->groups_complete);
                      EXPECT_EQ(EntityView(got.principal->parents[0]), EntityView(ada.parents[0]));
                      EXPECT_EQ(got.principal->attributes, ada.attributes);
                      EXPECT_EQ(got.principal->via, ada.via);
                      EXPECT_EQ(got.principal->host, ada.host);
                      EXPECT_EQ(got.principal->actor, ada.actor);
                      EXPECT_EQ(got.principal->evidence, ada.evidence);
                      EXPECT_EQ(got.action, request.action);
                      EXPECT_EQ(got.resource, request.resource);
                      EXPECT_EQ(EntityView(got.resource_parents[0]), EntityView(parents[0]));
                      EXPECT_EQ(*got.resource_attributes, attributes);
                      EXPECT_EQ(*got.context, context);
                      EXPECT_EQ(got.time, request.time);
                      return true;
                    })
          .ok());
  EXPECT_EQ(records, 1);
}

TEST_F(ReplayTest, TheNewestFirstWithinTheRange) {
  const Principal ada = MakePrincipal("user:ada");
  for (int i = 0; i < 5; ++i) Append(i, ada, "doc.read", absl::StrCat("doc:", i));
  Append(2, ada, "doc.read", "doc:late");
  EXPECT_EQ(All(), "late@2 4@4 3@3 2@2 1@1 0@0");
  EXPECT_EQ(All({At(2), std::nullopt}), "late@2 4@4 3@3 2@2");
  EXPECT_EQ(All({std::nullopt, At(2)}), "1@1 0@0");
  EXPECT_EQ(All({At(2), At(3)}), "late@2 2@2");
  EXPECT_EQ(All({At(9), std::nullopt}), "");
  EXPECT_EQ(All({}, 2), "late@2 4@4");
}

// Equal records share what they say; others do not, whatever segments they are in.
TEST_F(ReplayTest, EqualRecordsAreOne) {
  const Principal ada = MakePrincipal("user:ada"), bob = MakePrincipal("user:bob");
  for (const Principal* principal : {&ada, &bob, &ada, &ada}) {
    Append(1, *principal, "doc.read", "doc:1");
    ASSERT_TRUE(store_->Flush().ok());
  }
  const auto replay = AuditReplay::Open(path_);
  std::vector<uint64_t> numbers;
  ASSERT_TRUE((*replay)
                  ->ForEach({},
                            [&](const ReplayRecord& record) {
                              numbers.push_back(record.decision.number);
                              return true;
                            })
                  .ok());
  EXPECT_EQ(numbers, (std::vector<uint64_t>{1, 1, 2, 1}));
}

TEST_F(ReplayTest, FindsByTheBeginningOfAnId) {
  const Principal ada = MakePrincipal("user:ada");
  Append(0, ada, "doc.read", "doc:1");
  Append(0, ada, "doc.read", "doc:2");
  Append(100000, ada, "doc.read", "doc:3");
  const auto ids = Select(path_, "SELECT id FROM decisions ORDER BY number");
  ASSERT_EQ(ids.size(), 3u);
  const struct {
    std::string prefix;
    int want;  // -1: InvalidArgument
  } kCases[] = {
      {ids[0], 1},
      {ids[1], 1},
      {ids[2], 1},
      {ids[0].substr(0, 13), 2},
      {ids[2].substr(0, 13), 1},
      {ids[0].substr(0, 2), 3},
      {"f", 0},
      {"00000000-0000", 0},
      {"", -1},
      {"x", -1},
      {"A", -1},
      {ids[0] + "0", -1},
      {ids[0].substr(0, 8) + "0", -1},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.prefix);
    const auto replay = AuditReplay::Open(path_);
    int found = 0;
    const absl::Status status = (*replay)->Find(c.prefix, [&](const ReplayRecord& record) {
      EXPECT_TRUE(absl::StartsWith(record.id.ToString(), c.prefix));
      ++found;
      return true;
    });
    EXPECT_EQ(status.ok() ? found : -1, c.want) << status;
  }
}

// The segments tell what they had to be looked at for: all but one are damaged.
TEST_F(ReplayTest, FindsAWholeIdByItsRowIfThereIsOne) {
  const Principal ada = MakePrincipal("user:ada");
  for (int i = 0; i < 5; ++i) Append(0, ada, "doc.read", absl::StrCat("doc:", i));
  ASSERT_TRUE(store_->Unfold().ok());
  const std::string id = Select(path_, "SELECT id FROM decisions WHERE seq = 3")[0];
  Select(path_, "UPDATE segments SET bytes = x'0201' WHERE first_seq <> 3");
  const struct {
    const char* name;
    const char* sql;
    std::string id;
    int found;
    int64_t damaged;
  } kCases[] = {
      {"ByItsRow", "SELECT 1", id, 1, 0},
      {"ByTheBeginning", "SELECT 1", id.substr(0, 35), 1, 4},
      {"RowOfAnotherRecord", "UPDATE records SET seq = 9 - seq WHERE seq IN (3, 6)", id, 1, 2},
      {"RowOfAWriterThatIsNotThere", "UPDATE records SET writer = 9 WHERE seq = 6", id, 1, 2},
      {"NoRow", "DELETE FROM records", id, 1, 2},
      {"NoRecord", "DELETE FROM segments WHERE first_seq = 3", id, 0, 4},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    Select(path_, c.sql);
    const auto replay = AuditReplay::Open(path_);
    int found = 0;
    const absl::Status status = (*replay)->Find(c.id, [&](const ReplayRecord& record) {
      EXPECT_EQ(record.id.ToString(), id);
      EXPECT_EQ(record.decision.resource.id, "2");
      ++found;
      return true;
    });
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(found, c.found);
    EXPECT_EQ((*replay)->damage().segments, c.damaged);
  }
}

TEST_F(ReplayTest, SaysWhatARecordDoesNotHold) {
  const Principal ada = MakePrincipal("user:ada");
  Principal odd = ada;
  odd.evidence = "a\nb";
  Append(0, odd, "doc.read", "doc:escaped");
  odd = ada;
  odd.attributes = {{"x", Value::String("\xff")}};
  Append(0, odd, "doc.read", "doc:left_out");
  const auto replay = AuditReplay::Open(path_);
  ASSERT_TRUE((*replay)
                  ->ForEach({},
                            [&](const ReplayRecord& record) {
                              EXPECT_EQ(record.decision.obstacle(), record.decision.resource.id);
                              return true;
                            })
                  .ok());
}

TEST_F(ReplayTest, LeavesOutWhatIsDamaged) {
  const Principal ada = MakePrincipal("user:ada");
  for (int i = 0; i < 3; ++i) {
    Append(i, ada, "doc.read", absl::StrCat("doc:", i));
    ASSERT_TRUE(store_->Flush().ok());
  }
  Select(path_, "UPDATE segments SET bytes = x'0201' WHERE first_seq = 2");
  EXPECT_TRUE(absl::StartsWith(All(), "2@2 0@0 " + path_ + ": writer 1, segment 2: ")) << All();
}

TEST(ReplayOpenTest, SaysWhyItCannot) {
  EXPECT_EQ(AuditReplay::Open("/nowhere/a.db").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(AuditReplay::Open("/dev/null").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace reeve
