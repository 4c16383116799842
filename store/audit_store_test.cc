#include "reeve/store/audit_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/reindex.h"
#include "reeve/store/schema.h"
#include "reeve/store/testing.h"
#include "reeve/store/verify.h"

namespace {
thread_local int64_t allocations = 0;
}  // namespace

// Counts what the calling thread allocates.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace reeve {
namespace {

using testing::AllDecisions;
using testing::Decider;
using testing::Eventually;
using testing::FakeClock;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

std::unique_ptr<AuditStore> OpenOrDie(const std::string& path, AuditStore::Options options = {}) {
  // Long enough for a disk that is busy with other tests.
  if (options.max_wait == absl::Seconds(1)) options.max_wait = absl::Seconds(60);
  absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path, options);
  if (!store.ok()) {
    ADD_FAILURE() << store.status();
    std::abort();
  }
  return *std::move(store);
}

// Holds the lock for writing on a file, as a foreign program would.
class Lock {
 public:
  explicit Lock(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db_);
  }
  ~Lock() { sqlite3_close(db_); }

 private:
  sqlite3* db_ = nullptr;
};

TEST(AuditStoreTest, ARowSaysAll) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  AuditStore::Options options;
  options.clock = &clock;
  auto store = OpenOrDie(path, options);
  Decider decider;
  decider.clock.now = absl::FromUnixNanos(1800000000123456789);

  Principal ada = MakePrincipal("user:ada", {"staff", "leads"});
  ada.via = "unix";
  ada.host = "web-1";
  ada.actor = "host:proxy";
  ada.evidence = "pid=812 uid=1000";
  ada.groups_complete = false;
  ada.parents = {MakeId("org:acme")};
  ada.attributes = {{"level", Value::Int(7)}};
  const EntityId resource = MakeId("doc:/secret/q3");
  const std::vector<EntityId> parents = {MakeId("folder:secret")};
  const Attributes facts = {{"owner", Value::String("bob")}};
  const Attributes context = {{"ip", Value::String("::1")}, {"tls", Value::Bool(true)}};
  Request request(ada, "doc.read", resource);
  request.resource_parents = parents;
  request.resource_attributes = &facts;
  request.context = &context;
  const Decision decision = decider.Decide(request);
  ASSERT_EQ(store->Append({request, decision, absl::Nanoseconds(1234)}, AuditLevel::kRecorded),
            absl::OkStatus());
  ASSERT_EQ(store->Flush(), absl::OkStatus());

  const struct {
    const char* column;
    std::string want;
  } kCases[] = {
      {"id", decision.id().ToString()},
      {"time", "2027-01-15T08:00:00.123456Z"},
      {"decision", "allow"},
      {"reason", "allow_rule"},
      {"principal", "user:ada"},
      {"action", "doc.read"},
      {"resource", "doc:/secret/q3"},
      {"rules", R"(["docs/read"])"},
      {"message", "NULL"},
      {"error", "NULL"},
      {"principal_assurance", "kernel"},
      {"via", "unix"},
      {"host", "web-1"},
      {"actor", "host:proxy"},
      {"evidence", "pid=812 uid=1000"},
      {"groups", R"(["staff","leads"])"},
      {"groups_complete", "0"},
      {"principal_parents", R"(["org:acme"])"},
      {"principal_attributes", R"({"level":7})"},
      {"resource_parents", R"(["folder:secret"])"},
      {"resource_attributes", R"({"owner":"bob"})"},
      {"context", R"({"ip":"::1","tls":true})"},
      {"near_misses", "[]"},
      {"shadow_rules", R"(["docs/later"])"},
      {"obligations", "[]"},
      {"policy", "sha256:c0ffee"},
      {"latency_ns", "1234"},
      {"audit_level", "recorded"},
      {"escaped", "0"},
      {"time_fixed", "0"},
      {"writer", "1"},
      {"seq", "1"},
      {"number", "1"},
      {"unix_us", "1800000000123456"},
      {"clauses", "[]"},
      {"masked", "{}"},
      {"fixed_time", "NULL"},
      {"principal_complete", "1"},
      {"resource_complete", "1"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(SelectOne(path, absl::StrCat("SELECT ", c.column, " FROM decisions")), c.want)
        << c.column;
  }
  EXPECT_EQ(SelectOne(path,
                      "SELECT d.process LIKE '%[' || w.pid || ']' AND w.host = d.machine "
                      "FROM decisions d, writers w"),
            "1");
}

TEST(AuditStoreTest, ADenialSaysItsMessageAndObligations) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  ASSERT_EQ(Decider().Append(*store, "doc.delete", "doc:1"), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT decision, reason, rules, message, obligations FROM decisions"),
            "deny|deny_rule|[\"docs/never\"]|Documents are never deleted.|"
            "[\"page-security\",\"tell-owner\"]");
}

TEST(AuditStoreTest, ParametersOfObligationsAreJson) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Engine::Options options;
  options.audit = store.get();
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  SnapshotBuilder builder;
  Rule rule = MakeRule("+docs/read", {"anyone"}, {"any"}, {"any"});
  rule.obligations = {{"stamp"}, {"tell", {{"whom", "b\"ob\n"}, {"how", "mail"}}}};
  builder.AddRule(rule);
  ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
  EXPECT_TRUE(engine->Decide(Request(MakePrincipal("user:ada"), "x", {"doc", "1"})).allowed());
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT obligations->>0 FROM decisions"), "stamp");
  EXPECT_EQ(SelectOne(path, "SELECT obligations->>1 FROM decisions"),
            R"(tell {"whom":"b\"ob\u000a","how":"mail"})");
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, WhatAShadowSetWouldHaveAnswered) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Engine::Options options;
  options.audit = store.get();
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  SnapshotBuilder live, shadow;
  live.AddRule(MakeRule("+docs/read", {"anyone"}, {"any"}, {"any"}));
  Rule trial = MakeRule("-docs/trial", {"anyone"}, {"any"}, {"any"});
  trial.shadow = true;
  live.AddRule(trial);
  shadow.SetDigest("sha256:5ad0");
  shadow.AddRule(MakeRule("-docs/never", {"anyone"}, {"any"}, {"doc:1"}));
  ASSERT_TRUE(engine->Replace(*live.Build()).ok());
  engine->ReplaceShadow(*shadow.Build());
  const Principal ada = MakePrincipal("user:ada");
  EXPECT_TRUE(engine->Decide(Request(ada, "x", {"doc", "1"})).allowed());
  EXPECT_TRUE(engine->Decide(Request(ada, "x", {"doc", "2"})).allowed());
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(Select(path, "SELECT rules, shadow_rules FROM decisions ORDER BY number"),
            (std::vector<std::string>{
                R"(["docs/read"]|["docs/trial","@deny deny_rule sha256:5ad0","@docs/never"])",
                R"(["docs/read"]|["docs/trial","@deny no_rule sha256:5ad0"])"}));
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, WhatAProviderTold) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  const Attributes attributes = {{"level", Value::Int(1)}, {"badge", Value::String("blue")}};
  const std::vector<EntityId> parents = {MakeId("team:red")};
  ProvidedEntity principal, resource;
  principal.attributes = &attributes;
  principal.parents = parents;
  principal.complete = false;
  resource.attributes = &attributes;
  Principal ada = MakePrincipal("user:ada");
  ada.attributes = {{"level", Value::Int(7)}};
  ada.parents = {MakeId("org:acme")};
  Request request(ada, "doc.read", {"doc", "1"});
  request.provided_principal = &principal;
  request.provided_resource = &resource;
  ASSERT_EQ(Decider().Append(*store, request), absl::OkStatus());
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(
      SelectOne(path,
                "SELECT principal_attributes, principal_parents, groups_complete, "
                "resource_attributes, resource_parents FROM decisions"),
      R"({"badge":"blue","level":7}|["org:acme","team:red"]|0|{"badge":"blue","level":1}|[])");
  EXPECT_EQ(Verify(path), "");
}

using Clauses = std::vector<std::pair<ClauseOutcome, std::string>>;

// A set of one rule, whose clauses say so.
std::shared_ptr<const Snapshot> RuleWith(std::string_view id, const Clauses& clauses) {
  Rule rule = testing::MakeRule(absl::StrCat("+", std::string(id)), {"anyone"}, {"any"}, {"any"});
  for (const auto& clause : clauses) rule.when.push_back(testing::MakeCondition(clause.second));
  SnapshotBuilder builder;
  builder.AddRule(std::move(rule));
  return *builder.Build();
}

RuleOutcome OutcomeOf(const std::shared_ptr<const Snapshot>& rule, const Clauses& clauses) {
  RuleOutcome outcome = {rule.get(), 0, ClauseOutcomes()};
  for (size_t i = 0; i < clauses.size(); ++i) outcome.clauses.Set(i, clauses[i].first);
  return outcome;
}

// Records a decision of three lists of rules.
absl::Status AppendWith(AuditStore& store, Decision::Rules rules, Decision::Rules near_misses,
                        Decision::Rules shadow_rules) {
  const Principal ada = MakePrincipal("user:ada");
  const EntityId resource = MakeId("doc:1");
  const Request request(ada, "doc.read", resource);
  Decision decision = Decider().Decide(request);
  DecisionBuilder::SetRules(rules, near_misses, shadow_rules, &decision);
  return store.Append({request, decision, absl::Nanoseconds(1234)}, AuditLevel::kDurable);
}

// The query that doc/audit-format.md shows for clauses.
std::string DocumentedClauseQuery() {
  std::ifstream file("doc/audit-format.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t clause = text.find("json_each(clauses)");
  const size_t begin = text.rfind("SELECT", clause);
  return clause == std::string::npos ? "" : text.substr(begin, text.find(';', clause) - begin);
}

TEST(AuditStoreTest, ARecordSaysWhatTheClausesCameOutAs) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  const Clauses level = {{ClauseOutcome::kTrue, "principal.level > 3"},
                         {ClauseOutcome::kUnknown, "office_hours"}};
  const Clauses lines = {{ClauseOutcome::kFalse, "a &&\n  b"}, {ClauseOutcome::kNotEvaluated, "c"}};
  const Clauses shadow = {{ClauseOutcome::kTrue, "context.tls"}};
  const auto one = RuleWith("docs/one", level), plain = RuleWith("docs/plain", {}),
             near = RuleWith("docs/near", lines), later = RuleWith("docs/later", shadow);
  const RuleOutcome rules[] = {OutcomeOf(one, level), OutcomeOf(plain, {})};
  const RuleOutcome near_misses[] = {OutcomeOf(near, lines)};
  const RuleOutcome shadow_rules[] = {OutcomeOf(later, shadow)};
  ASSERT_EQ(AppendWith(*store, rules, near_misses, shadow_rules), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT rules, near_misses, shadow_rules, escaped FROM decisions"),
            R"(["docs/one","docs/plain"]|["docs/near"]|["docs/later"]|0)");
  EXPECT_EQ(SelectOne(path, "SELECT clauses FROM decisions"),
            R"([{"rule":"docs/one","clause":"principal.level > 3","outcome":"true"},)"
            R"({"rule":"docs/one","clause":"office_hours","outcome":"unknown"},)"
            R"({"rule":"docs/near","clause":"a &&\u000a  b","outcome":"false"},)"
            R"({"rule":"docs/near","clause":"c","outcome":"not_evaluated"},)"
            R"({"rule":"docs/later","clause":"context.tls","outcome":"true"}])");
  EXPECT_EQ(Select(path, DocumentedClauseQuery()),
            std::vector<std::string>{SelectOne(path,
                                               "SELECT time || '|user:ada|docs/one|office_hours' "
                                               "FROM decisions")});

  // The same rules with other outcomes are another text; the ids stay one.
  const RuleOutcome others[] = {OutcomeOf(one, {}), OutcomeOf(plain, {})};
  ASSERT_EQ(AppendWith(*store, others, {}, {}), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT clauses FROM decisions WHERE number = 2"),
            R"([{"rule":"docs/one","clause":"principal.level > 3","outcome":"not_evaluated"},)"
            R"({"rule":"docs/one","clause":"office_hours","outcome":"not_evaluated"}])");
  EXPECT_EQ(SelectOne(path, "SELECT count(DISTINCT rules) FROM records"), "1");

  const std::vector<std::string> before = AllDecisions(path);
  ASSERT_EQ(Reindex(path), absl::OkStatus());
  EXPECT_EQ(AllDecisions(path), before);
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, ClausesAreBounded) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  const std::string huge(65536, 'x');
  std::string wide;  // whose characters do not end where it is cut
  for (int i = 0; i < 10000; ++i) wide += "\u20ac";
  const auto clauses = [](size_t count, const std::string& text) {
    return Clauses(count, {ClauseOutcome::kTrue, text});
  };
  const struct {
    const char* name;
    std::vector<Clauses> rules;
    const char* column;
    std::string want;
  } kCases[] = {
      {"AsLongAsItMayBe",
       {clauses(1, std::string(8192, 'x'))},
       "length(json_extract(clauses, '$[0].clause')), escaped",
       "8192|0"},
      {"Cut",
       {clauses(1, huge)},
       "length(json_extract(clauses, '$[0].clause')), "
       "substr(json_extract(clauses, '$[0].clause'), -4), escaped",
       "8131|x...|1"},
      {"CutBetweenCharacters",
       {clauses(1, wide)},
       "length(json_extract(clauses, '$[0].clause')), "
       "substr(json_extract(clauses, '$[0].clause'), -4), escaped",
       "2712|\u20ac...|1"},
      {"CutOverLines",
       {clauses(1, "a\n" + huge)},
       "substr(json_extract(clauses, '$[0].clause'), 1, 3) = 'a' || char(10) || 'x', escaped",
       "1|1"},
      {"NotUtf8",
       {clauses(1, "a\xff")},
       "json_extract(clauses, '$[0].clause'), escaped",
       "a\\xff|1"},
      // Of each list 8 texts of 8128 + 3 bytes, and no ninth.
      {"FullOfText",
       {clauses(32, huge)},
       "(SELECT count(json_extract(value, '$.clause')) || ' of ' || count(*) "
       "FROM json_each(clauses) WHERE json_extract(value, '$.outcome') = 'true'), escaped",
       "24 of 96|1"},
      {"ManyRules", std::vector<Clauses>(100, clauses(32, huge)),
       "(SELECT count(json_extract(value, '$.clause')) || ' of ' || count(*) "
       "FROM json_each(clauses)), json_array_length(rules), escaped",
       "24 of 3072|100|1"},
      // What is short still fits after what is long.
      {"ShortAfterLong",
       {clauses(32, huge), clauses(1, "x")},
       "json_extract(clauses, '$[32].clause'), escaped",
       "x|1"},
  };
  int64_t number = 0;
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    std::vector<std::shared_ptr<const Snapshot>> rules;
    for (const Clauses& each : c.rules) {
      rules.push_back(RuleWith(absl::StrCat("docs/", rules.size()), each));
    }
    std::vector<RuleOutcome> outcomes;
    for (size_t i = 0; i < rules.size(); ++i) outcomes.push_back(OutcomeOf(rules[i], c.rules[i]));
    ASSERT_EQ(AppendWith(*store, outcomes, outcomes, outcomes), absl::OkStatus());
    ++number;
    EXPECT_EQ(SelectOne(path, absl::StrCat("SELECT ", c.column,
                                           " FROM (SELECT rules, escaped, near_misses, clauses "
                                           "FROM decisions WHERE number = ",
                                           number, ")")),
              c.want);
    EXPECT_EQ(SelectOne(path, absl::StrCat("SELECT max(length(bytes)) < 220000 FROM segments")),
              "1");
  }
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, TimesBeforeTheEpochAndOutsideOfTheCalendar) {
  const struct {
    absl::Time time;
    const char* want;
  } kCases[] = {
      {absl::UnixEpoch() - absl::Microseconds(1), "1969-12-31T23:59:59.999999Z"},
      {absl::UnixEpoch(), "1970-01-01T00:00:00.000000Z"},
      {absl::UnixEpoch() - absl::Nanoseconds(1), "1969-12-31T23:59:59.999999Z"},
      {absl::InfinitePast(), "0001-01-01T00:00:00.000000Z"},
      {absl::InfiniteFuture(), "9999-12-31T23:59:59.999999Z"},
      {absl::FromUnixSeconds(253402300800), "9999-12-31T23:59:59.999999Z"},
  };
  for (const auto& c : kCases) {
    const std::string path = MakeTempDir() + "audit.db";
    auto store = OpenOrDie(path);
    const Principal ada = MakePrincipal("user:ada");
    const EntityId resource = MakeId("doc:1");
    Request request(ada, "doc.read", resource);
    Decider decider;
    request.time = c.time;
    ASSERT_EQ(decider.Append(*store, request), absl::OkStatus());
    request.time = std::nullopt;
    decider.clock.now = c.time;
    ASSERT_EQ(decider.Append(*store, request), absl::OkStatus());
    EXPECT_EQ(Select(path, "SELECT time, time_fixed, fixed_time FROM decisions ORDER BY seq"),
              (std::vector<std::string>{absl::StrCat("2027-01-15T08:00:00.000000Z|1|", c.want),
                                        absl::StrCat(c.want, "|0|NULL")}));
    EXPECT_EQ(Verify(path), "");
  }
}

TEST(AuditStoreTest, JunkIsKeptEscapedAndBounded) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Decider decider;
  const std::string huge(10 << 20, 'x');
  Value deep = Value::Int(1);
  for (int i = 0; i < 1000; ++i) deep = Value::Of(Value::List{deep});
  const Attributes deep_map = {{"deep", deep}};
  const Attributes huge_map = {{"huge", Value::String(huge)}};
  const Attributes broken_map = {{"broken", Value::String("\xFF")}};

  const Principal ada = MakePrincipal("user:ada");
  const struct Case {
    const char* name;
    const char* column;
    std::string want;
    std::string action;
    EntityId resource;
    const Attributes* context;
    std::vector<std::string> groups;
  } kCases[] = {
      {"EscapeSequence", "action", R"(\x1b[31mred)", "\x1b[31mred", MakeId("doc:1"), nullptr, {}},
      {"NotUtf8", "resource", R"(doc:\xff\xfe)", "a", EntityId("doc", "\xff\xfe"), nullptr, {}},
      {"Nul", "action", R"(a\x00b)", std::string("a\0b", 3), MakeId("doc:1"), nullptr, {}},
      {"HugeAction", "length(action)", "8131", huge, MakeId("doc:1"), nullptr, {}},
      {"HugeResource", "length(resource) < 8200", "1", "a", EntityId(huge, huge), nullptr, {}},
      {"HugeJunk",
       "length(action) < 8200",
       "1",
       std::string(10 << 20, '\xff'),
       MakeId("doc:1"),
       nullptr,
       {}},
      {"Empty", "action || resource", ":", "", EntityId(), nullptr, {}},
      {"DeepContext", "context", "NULL", "a", MakeId("doc:1"), &deep_map, {}},
      {"HugeContext", "context", "NULL", "a", MakeId("doc:1"), &huge_map, {}},
      {"BrokenContext", "context", "NULL", "a", MakeId("doc:1"), &broken_map, {}},
      {"BrokenGroup", "groups", R"(["a\\x0ab",""])", "a", MakeId("doc:1"), nullptr, {"a\nb", ""}},
      {"TooManyGroups", "groups", "NULL", "a", MakeId("doc:1"), nullptr,
       std::vector<std::string>(70000, "g")},
      {"HugeGroups", "groups", "NULL", "a", MakeId("doc:1"), nullptr,
       std::vector<std::string>(60000, std::string(9000, '\xff'))},
  };
  int64_t number = 0;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Principal principal = ada;
    principal.groups = c.groups;
    Request request(principal, c.action, c.resource);
    request.context = c.context;
    EXPECT_EQ(decider.Append(*store, request), absl::OkStatus());
    ++number;
    EXPECT_EQ(SelectOne(path, absl::StrCat("SELECT ", c.column, ", reason FROM decisions ",
                                           "WHERE number = ", number)),
              c.want + "|bad_request");
  }
  EXPECT_EQ(SelectOne(path, "SELECT escaped FROM decisions WHERE number = 1"), "1");
  EXPECT_EQ(Verify(path), "");
}

// Wherever a byte that is not printable stands among eight or more.
TEST(AuditStoreTest, EachByteAtEachPlaceIsEscapedIfItMustBe) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Decider decider;
  const Principal ada = MakePrincipal("user:ada");
  const EntityId resource = MakeId("doc:1");
  constexpr int kPlaces = 17;
  for (int c = 0; c < 256; ++c) {
    for (int place = 0; place < kPlaces; ++place) {
      std::string action(kPlaces, 'a');
      action[place] = static_cast<char>(c);
      ASSERT_EQ(decider.Append(*store, Request(ada, action, resource), AuditLevel::kRecorded),
                absl::OkStatus());
    }
  }
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*), sum(escaped) FROM decisions"),
            absl::StrCat(256 * kPlaces, "|", (32 + 1 + 128) * kPlaces));
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, ControlCharactersInAttributesAreEscapedInJson) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  const Principal ada = MakePrincipal("user:ada");
  const EntityId resource = MakeId("doc:1");
  const Attributes context = {
      {"k\x1b", Value::String("\"\\\n\x1b[2J\u202E\U000E0041 \u00e9 \U0001F600")}};
  Request request(ada, "doc.read", resource);
  request.context = &context;
  ASSERT_EQ(Decider().Append(*store, request), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT context FROM decisions"),
            R"({"k\u001b":"\"\\\u000a\u001b[2J\u202e\udb40\udc41 )"
            "\u00e9 \U0001F600\"}");
  EXPECT_EQ(SelectOne(path, "SELECT json_valid(context) FROM decisions"), "1");
}

// Persian words are written with them: one name, one string, wherever it stands.
TEST(AuditStoreTest, HiddenCharactersOfANameAreKept) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:a\u200Cb"), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT reason, resource, escaped FROM decisions"),
            "allow_rule|doc:a\u200Cb|0");
}

TEST(AuditStoreTest, RowsCanBeRebuiltFromSegments) {
  const std::string path = MakeTempDir() + "audit.db";
  Decider decider;
  for (int writer = 0; writer < 3; ++writer) {
    auto store = OpenOrDie(path);
    for (int i = 0; i < 20; ++i) {
      Principal principal = MakePrincipal("user:ada", {"g1", absl::StrCat("g", i % 3)});
      principal.evidence = absl::StrCat("pid=", i % 5);
      principal.attributes = {{"level", Value::Int(i % 4)}};
      const EntityId resource = MakeId(absl::StrCat("doc:/secret/", i % 7));
      const Attributes context = {{"i", Value::Int(i)}};
      Request request(principal, i % 2 == 0 ? "doc.read" : "doc.delete", resource);
      request.context = &context;
      decider.clock.now += absl::Milliseconds(1);
      ASSERT_EQ(decider.Append(*store, request), absl::OkStatus());
    }
  }
  const std::vector<std::string> before = AllDecisions(path);
  ASSERT_EQ(before.size(), 60u);
  const std::string by_rule = "SELECT name, number FROM numbers WHERE kind = 'rule' ORDER BY 1, 2";
  const std::vector<std::string> rules_before = Select(path, by_rule);
  ASSERT_EQ(rules_before.size(), 60u);

  // Whatever happened to the rows.
  ASSERT_TRUE(Select(path, "UPDATE records SET reason = 1, action = 1").empty());
  ASSERT_TRUE(Select(path, "DELETE FROM texts").empty());
  ASSERT_TRUE(Select(path, "DELETE FROM names WHERE id % 2").empty());
  ASSERT_TRUE(Select(path, "DELETE FROM lists").empty());
  int64_t done = 0;
  ASSERT_EQ(Reindex(path,
                    [&](int64_t now, int64_t of) {
                      EXPECT_EQ(of, 60);
                      done = now;
                      return true;
                    }),
            absl::OkStatus());
  EXPECT_EQ(done, 60);
  EXPECT_EQ(AllDecisions(path), before);
  EXPECT_EQ(Select(path, by_rule), rules_before);
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, ReindexingUnderAWriterIsSafe) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Decider decider;
  // So that the ids of names change: the first names go with the first writer's segments.
  ASSERT_EQ(decider.Append(*store, "doc.delete", "doc:1"), absl::OkStatus());
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:2"), absl::OkStatus());
  ASSERT_TRUE(Select(path, "DELETE FROM segments WHERE first_seq = 1").empty());
  ASSERT_EQ(Reindex(path), absl::OkStatus());
  ASSERT_EQ(decider.Append(*store, "doc.delete", "doc:1"), absl::OkStatus());
  EXPECT_EQ(Select(path, "SELECT seq, action, resource, rules FROM decisions ORDER BY seq"),
            (std::vector<std::string>{"2|doc.read|doc:2|[\"docs/read\"]",
                                      "3|doc.delete|doc:1|[\"docs/never\"]"}));
}

TEST(AuditStoreTest, ADamagedSegmentIsPassedOverAndNamed) {
  const std::string path = MakeTempDir() + "audit.db";
  {
    auto store = OpenOrDie(path);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
  }
  ASSERT_TRUE(Select(path, "UPDATE segments SET bytes = x'0102' WHERE first_seq = 2").empty());
  absl::Status status = Reindex(path);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(status.message(), "audit.db: writer 1, record 2: ")) << status;
  EXPECT_EQ(Select(path, "SELECT seq FROM decisions"), (std::vector<std::string>{"1", "3"}));

  ASSERT_TRUE(Select(path, "UPDATE segments SET count = 2 WHERE first_seq = 3").empty());
  AuditStore::Options options;
  options.make_rows = false;
  auto store = OpenOrDie(path, options);
  ASSERT_TRUE(Select(path, "DELETE FROM records").empty());
  ASSERT_TRUE(Select(path, "DELETE FROM unfolded").empty());
  status = store->Unfold();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(status.message(), "audit.db: writer 1, record 2: ")) << status;
}

TEST(AuditStoreTest, OpeningAndClosingAreRecorded) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  AuditStore::Options options;
  options.clock = &clock;
  clock.now = absl::FromUnixMicros(1000);
  auto store = OpenOrDie(path, options);
  ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
  const std::string sql =
      "SELECT id, opened, closed, last_seq, pid > 1, length(uuid), length(boot), started > 0 "
      "FROM writers";
  EXPECT_EQ(SelectOne(path, sql), "1|1000|NULL|NULL|1|16|36|1");
  clock.now = absl::FromUnixMicros(2000);
  store.reset();
  EXPECT_EQ(SelectOne(path, sql), "1|1000|2000|1|1|16|36|1");
  EXPECT_NE(access((path + "-wal").c_str(), F_OK), 0) << "the log was not folded in";
}

TEST(AuditStoreTest, TheFileSyncsOnEachCommit) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  EXPECT_EQ(SelectOne(path, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(SelectOne(path, "PRAGMA user_version"), absl::StrCat(SchemaVersion()));
  EXPECT_EQ(SelectOne(path, "PRAGMA application_id"), absl::StrCat(kApplicationId));
}

TEST(AuditStoreTest, FilesAreForTheirOwnerOnly) {
  for (mode_t mask : {0000, 0022, 0777}) {
    const std::string path = MakeTempDir() + "audit.db";
    const mode_t before = umask(mask);
    auto store = OpenOrDie(path);
    ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
    umask(before);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      struct stat info;
      ASSERT_EQ(stat((path + suffix).c_str(), &info), 0) << suffix;
      EXPECT_EQ(info.st_mode & 07777, 0600u) << "umask " << mask << " " << suffix;
    }
  }
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(AuditStoreTest, RefusesWhatIsNotAnAuditStore) {
  const struct Case {
    const char* name;
    void (*prepare)(const std::string& path);
    absl::StatusCode want;
    const char* message;
  } kCases[] = {
      {"SymbolicLink",
       [](const std::string& path) {
         OpenOrDie(path + ".real");
         ASSERT_EQ(symlink((path + ".real").c_str(), path.c_str()), 0);
       },
       absl::StatusCode::kFailedPrecondition, "is a symbolic link"},
      {"DanglingLink",
       [](const std::string& path) { ASSERT_EQ(symlink("/nowhere/x", path.c_str()), 0); },
       absl::StatusCode::kFailedPrecondition, "is a symbolic link"},
      {"Directory", [](const std::string& path) { ASSERT_EQ(mkdir(path.c_str(), 0700), 0); },
       absl::StatusCode::kFailedPrecondition, "is a directory"},
      {"Fifo", [](const std::string& path) { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); },
       absl::StatusCode::kFailedPrecondition, "is not a regular file"},
      {"Garbage", [](const std::string& path) { WriteFile(path, std::string(5000, 'g')); },
       absl::StatusCode::kDataLoss, "is not a SQLite database"},
      {"Short", [](const std::string& path) { WriteFile(path, "hello\n"); },
       absl::StatusCode::kDataLoss, "is not a SQLite database"},
      {"AnotherDatabase",
       [](const std::string& path) {
         sqlite3* db;
         sqlite3_open(path.c_str(), &db);
         sqlite3_exec(db, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
         sqlite3_close(db);
       },
       absl::StatusCode::kFailedPrecondition, "another database"},
      {"AnotherApplication",
       [](const std::string& path) {
         sqlite3* db;
         sqlite3_open(path.c_str(), &db);
         sqlite3_exec(db, "PRAGMA application_id = 7", nullptr, nullptr, nullptr);
         sqlite3_close(db);
       },
       absl::StatusCode::kFailedPrecondition, "another database"},
      {"NewerVersion",
       [](const std::string& path) {
         OpenOrDie(path);
         ASSERT_TRUE(Select(path, "PRAGMA user_version = 99").empty());
       },
       absl::StatusCode::kFailedPrecondition, "version 99 of the audit store is newer"},
      {"LogOfAnotherFile", [](const std::string& path) { WriteFile(path + "-wal", "frames"); },
       absl::StatusCode::kFailedPrecondition, "move it along"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::string dir = MakeTempDir(), path = dir + "audit.db";
    c.prepare(path);
    absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path);
    EXPECT_EQ(store.status().code(), c.want);
    EXPECT_TRUE(absl::StrContains(store.status().message(), c.message)) << store.status();
    EXPECT_TRUE(absl::StartsWith(store.status().message(), path + ": ")) << store.status();
  }
}

TEST(AuditStoreTest, RefusesPathsThatNameNoFile) {
  const std::string dir = MakeTempDir();
  const struct {
    std::string path;
    absl::StatusCode want;
  } kCases[] = {
      {"", absl::StatusCode::kInvalidArgument},
      {std::string("a\0b", 3), absl::StatusCode::kInvalidArgument},
      {dir, absl::StatusCode::kFailedPrecondition},
      {dir + "..", absl::StatusCode::kFailedPrecondition},
      {dir + "none/audit.db", absl::StatusCode::kUnavailable},
  };
  for (const auto& c : kCases)
    EXPECT_EQ(AuditStore::Open(c.path).status().code(), c.want) << c.path;
}

TEST(AuditStoreTest, RefusesOptionsThatCannotWork) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options wait, flush, records, bytes, clock, key, file, interval, count;
  wait.max_wait = absl::ZeroDuration();
  flush.flush_interval = -absl::Nanoseconds(1);
  records.max_queued_records = 0;
  bytes.max_queued_bytes = 0;
  clock.clock = nullptr;
  key.checkpoint_key = "short";
  file.checkpoint_file = "checkpoints";
  interval.checkpoint_interval = absl::ZeroDuration();
  count.checkpoint_records = 0;
  for (const AuditStore::Options& options :
       {wait, flush, records, bytes, clock, key, file, interval, count}) {
    EXPECT_EQ(AuditStore::Open(path, options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "a file was made";
}

TEST(AuditStoreTest, OpensAnEmptyFileAndPathsThatLookLikeSomethingElse) {
  const std::string dir = MakeTempDir();
  WriteFile(dir + "empty.db", "");
  ASSERT_EQ(symlink(dir.c_str(), (dir + "link").c_str()), 0);
  for (const char* name : {"empty.db", "link/audit.db", "file:x?mode=memory", ":memory:"}) {
    EXPECT_TRUE(AuditStore::Open(dir + name).ok()) << name;
    struct stat info;
    ASSERT_EQ(stat((dir + name).c_str(), &info), 0) << name;
    EXPECT_GT(info.st_size, 0) << name;
  }
}

TEST(AuditStoreTest, AppendRefusesTheLevelOff) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  const Principal ada = MakePrincipal("user:ada");
  EXPECT_EQ(Decider().Append(*store, Request(ada, "a", {"doc", "1"}), AuditLevel::kOff).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(AuditStoreTest, AnEngineDeniesWhatItCannotRecord) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(20);
  auto store = OpenOrDie(path, options);
  Engine::Options engine_options;
  engine_options.audit = store.get();
  engine_options.audit_level = AuditLevel::kDurable;
  auto engine = *Engine::Create(engine_options);
  SnapshotBuilder builder;
  builder.AddRule(testing::MakeRule("+all", {"anyone"}, {"any"}, {"any"}));
  ASSERT_TRUE(engine->Replace(*builder.Build()).ok());
  const Principal ada = MakePrincipal("user:ada");
  const Request request(ada, "doc.read", {"doc", "1"});
  {
    const Lock lock(path);
    const Decision decision = engine->Decide(request);
    EXPECT_EQ(decision.reason(), Reason::kAuditFailed);
    EXPECT_TRUE(absl::StrContains(std::string(decision.error()), "audit.db: ")) << decision.error();
  }
  EXPECT_TRUE(Eventually([&] { return engine->Decide(request).allowed(); }));
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, WhatWaitsTooLongForALockIsWithdrawn) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(20);
  auto store = OpenOrDie(path, options);
  Decider decider;
  {
    const Lock lock(path);
    const absl::Status status = decider.Append(*store, "doc.read", "doc:withdrawn");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }
  // However slow this machine is: until a record gets through.
  EXPECT_TRUE(Eventually([&] { return decider.Append(*store, "doc.read", "doc:kept").ok(); }));
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions WHERE resource = 'doc:withdrawn'"),
            "0");
  EXPECT_EQ(SelectOne(path, "SELECT count(*) >= 1 FROM decisions WHERE resource = 'doc:kept'"),
            "1");
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, AFullQueueIsAnError) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(50);
  options.max_queued_records = 2;
  auto store = OpenOrDie(path, options);
  std::atomic<int> failed = 0;
  {
    const Lock lock(path);
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        const absl::Status status = Decider().Append(*store, "doc.read", "doc:1");
        failed += status.code() == absl::StatusCode::kUnavailable;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(failed, 8);
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), "0");
}

// Of the level `recorded`: `doc.read` on `doc:<resource>`.
absl::Status Record(AuditStore& store, int resource) {
  thread_local Decider decider;
  const Principal ada = MakePrincipal("user:ada");
  const EntityId id("doc", absl::StrCat(resource));
  return decider.Append(store, Request(ada, "doc.read", id), AuditLevel::kRecorded);
}

TEST(RecordedTest, AnswersBeforeTheCommit) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  {
    const Lock lock(path);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
    const AuditStore::Stats stats = store->stats();
    EXPECT_EQ(stats.queued, 3);
    EXPECT_GT(stats.lag, absl::ZeroDuration());
    EXPECT_EQ(stats.written, 0);
    EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM segments"), "0");
  }
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(Select(path, "SELECT resource, audit_level FROM decisions ORDER BY seq"),
            (std::vector<std::string>{"doc:0|recorded", "doc:1|recorded", "doc:2|recorded"}));
  const AuditStore::Stats stats = store->stats();
  EXPECT_EQ(stats.queued, 0);
  EXPECT_EQ(stats.lag, absl::ZeroDuration());
  EXPECT_EQ(stats.written, 3);
  EXPECT_EQ(absl::StrCat(stats.bytes), SelectOne(path, "SELECT sum(length(bytes)) FROM segments"));
  EXPECT_EQ(stats.waited + stats.refused + stats.failed_commits + stats.kept, 0);
}

TEST(RecordedTest, IsWrittenWithoutAnotherCall) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  ASSERT_EQ(Record(*store, 1), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return store->stats().written > 0; }));
  EXPECT_EQ(SelectOne(path, "SELECT resource FROM decisions"), "doc:1");
}

TEST(RecordedTest, WaitsForTheIntervalOrForADurableOne) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.flush_interval = absl::Hours(1);
  auto store = OpenOrDie(path, options);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
  EXPECT_EQ(store->stats().written, 0);
  ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:5"), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT count(*), max(count) FROM segments"), "1|6");
  // What is in the queue at the end is written.
  ASSERT_EQ(Record(*store, 6), absl::OkStatus());
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), "7");
  EXPECT_EQ(SelectOne(path, "SELECT last_seq, closed IS NOT NULL FROM writers"), "7|1");
  EXPECT_EQ(Verify(path), "");
}

TEST(RecordedTest, AHalfFullQueueIsWritten) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.flush_interval = absl::Hours(1);
  options.max_queued_records = 10;
  auto store = OpenOrDie(path, options);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return store->stats().written >= 190; }));
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(SelectOne(path, "SELECT count(*), count(DISTINCT resource) FROM decisions"), "200|200");
}

TEST(RecordedTest, ALargeBatchBecomesSeveralSegments) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.flush_interval = absl::Hours(1);
  auto store = OpenOrDie(path, options);
  for (int i = 0; i < 2500; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(Select(path, "SELECT first_seq, count FROM segments ORDER BY 1"),
            (std::vector<std::string>{"1|1024", "1025|1024", "2049|452"}));
  EXPECT_EQ(Verify(path), "");
}

// What was answered is held and written once, and nothing more is promised until then.
TEST(RecordedTest, IsHeldWhileTheFileCannotBeWritten) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(20);
  auto store = OpenOrDie(path, options);
  int taken = 0;
  {
    const Lock lock(path);
    ASSERT_TRUE(Eventually([&] {
      if (Record(*store, taken).ok()) ++taken;
      return store->stats().failed_commits > 0;
    }));
    ASSERT_GT(taken, 0);
    EXPECT_EQ(Record(*store, -1).code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(store->Flush().code(), absl::StatusCode::kUnavailable);
    AuditStore::Stats stats = store->stats();
    EXPECT_EQ(stats.status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(stats.queued, taken);
    EXPECT_EQ(stats.written, 0);
    EXPECT_GE(stats.refused, 1);
  }
  // By itself, however slow this machine is.
  ASSERT_TRUE(Eventually([&] { return store->stats().queued == 0; }));
  EXPECT_EQ(store->stats().status, absl::OkStatus());
  EXPECT_EQ(store->stats().written, taken);
  ASSERT_EQ(Record(*store, taken), absl::OkStatus());
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*), count(DISTINCT resource) FROM decisions"),
            absl::StrCat(taken + 1, "|", taken + 1));
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions WHERE resource = 'doc:-1'"), "0");
  EXPECT_EQ(Verify(path), "");
}

TEST(RecordedTest, WhatIsHeldIsBounded) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(20);
  options.max_queued_records = 4;
  auto store = OpenOrDie(path, options);
  int taken = 0;
  {
    const Lock lock(path);
    for (int i = 0; i < 20; ++i) taken += Record(*store, i).ok();
    EXPECT_GE(taken, 4);
    EXPECT_LE(taken, 8);
    EXPECT_LE(store->stats().queued, taken);
    EXPECT_GE(store->stats().waited, 1);
  }
  ASSERT_TRUE(Eventually([&] { return store->stats().queued == 0; }));
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), absl::StrCat(taken));
}

// Then the writer does not say that it ended in order.
TEST(RecordedTest, WhatIsLostAtTheEndCanBeSeen) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_wait = absl::Milliseconds(20);
  auto store = OpenOrDie(path, options);
  {
    const Lock lock(path);
    ASSERT_EQ(Record(*store, 1), absl::OkStatus());
    EXPECT_EQ(store->Flush().code(), absl::StatusCode::kUnavailable);
    store.reset();
  }
  EXPECT_EQ(SelectOne(path, "SELECT closed, last_seq FROM writers"), "NULL|NULL");
}

TEST(RecordedTest, ManyThreadsOfBothLevelsAreCountedExactly) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_queued_records = 50;  // so that some wait for room
  auto store = OpenOrDie(path, options);
  constexpr int kThreads = 8, kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&store, t] {
      Decider decider;
      for (int i = 0; i < kEach; ++i) {
        if (i % 50 == 0) {
          EXPECT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", t * kEach + i)),
                    absl::OkStatus());
        } else {
          EXPECT_EQ(Record(*store, t * kEach + i), absl::OkStatus());
        }
        EXPECT_GE(store->stats().queued, 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  EXPECT_EQ(store->stats().written, kThreads * kEach);
  EXPECT_EQ(SelectOne(path, "SELECT count(*), count(DISTINCT resource), max(seq) FROM decisions"),
            "4000|4000|4000");
  EXPECT_EQ(Verify(path), "");
}

AuditStore::Options WithoutRows() {
  AuditStore::Options options;
  options.make_rows = false;
  return options;
}

TEST(RowsTest, FollowByThemselves) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return store->stats().rows >= 3; }));
  EXPECT_EQ(SelectOne(path, "SELECT next_seq FROM unfolded"), "4");
}

// A crash between two batches, and between rows and the note that they are there, is one and the
// same to the next one who goes on.
TEST(RowsTest, AreMadeOnceWhoeverMakesThem) {
  const std::string path = MakeTempDir() + "audit.db";
  std::vector<std::unique_ptr<AuditStore>> stores;
  for (int i = 0; i < 3; ++i) stores.push_back(OpenOrDie(path, WithoutRows()));
  std::vector<std::thread> threads;
  for (auto& store : stores) {
    threads.emplace_back([&store] {
      for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(Record(*store, i), absl::OkStatus());
        if (i % 20 == 0) {
          ASSERT_EQ(store->Flush(), absl::OkStatus());
          ASSERT_EQ(store->Unfold(), absl::OkStatus());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stores.clear();
  EXPECT_EQ(SelectOne(path, "SELECT count(*), count(DISTINCT writer * 1000 + seq) FROM decisions"),
            "900|900");
  EXPECT_EQ(Select(path, "SELECT * FROM unfolded"),
            (std::vector<std::string>{"1|301", "2|301", "3|301"}));
  EXPECT_EQ(Verify(path), "");
}

TEST(RowsTest, OneStoreOfSeveralMakesThemWhileItLives) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  AuditStore::Options options = WithoutRows();
  options.clock = &clock;
  auto writer = OpenOrDie(path, options);
  options.make_rows = true;
  auto first = OpenOrDie(path, options);
  ASSERT_EQ(Decider().Append(*writer, "doc.read", "doc:1"), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return first->stats().rows >= 1; }));
  // The clock stands still: the first one keeps the lease.
  auto second = OpenOrDie(path, options);
  ASSERT_EQ(Decider().Append(*writer, "doc.read", "doc:2"), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return first->stats().rows >= 2; }));
  EXPECT_EQ(second->stats().rows, 0);
  // It is gone without a word; when its lease is over another one goes on.
  first.reset();
  ASSERT_EQ(Decider().Append(*writer, "doc.read", "doc:3"), absl::OkStatus());
  clock.now += absl::Seconds(2);
  ASSERT_TRUE(Eventually([&] { return second->stats().rows >= 1; }));
  second.reset();
  writer.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), "3");
}

TEST(RowsTest, AClockThatWentBackKeepsNobodyFromIt) {
  const std::string path = MakeTempDir() + "audit.db";
  FakeClock clock;
  AuditStore::Options options;
  options.clock = &clock;
  {
    auto store = OpenOrDie(path, options);
    ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:1"), absl::OkStatus());
    ASSERT_TRUE(Eventually([&] { return store->stats().rows >= 1; }));
  }
  clock.now -= absl::Hours(1);
  auto store = OpenOrDie(path, options);
  ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:2"), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return store->stats().rows >= 1; }));
}

TEST(RowsTest, AreCountedByHourRuleAndReason) {
  const std::string path = MakeTempDir() + "audit.db";
  {
    auto store = OpenOrDie(path);
    const Principal ada = MakePrincipal("user:ada");
    const EntityId resource = MakeId("doc:1");
    for (absl::Time time : {absl::FromUnixSeconds(1800000000), absl::FromUnixSeconds(1800003599),
                            absl::FromUnixSeconds(1800003600), absl::FromUnixSeconds(-1)}) {
      for (const char* action : {"doc.read", "doc.read", "doc.delete", "doc.other"}) {
        Request request(ada, action, resource);
        // What a request fixes does not count.
        request.time = absl::FromUnixSeconds(1700000000);
        Decider decider;
        decider.clock.now = time;
        ASSERT_EQ(decider.Append(*store, request), absl::OkStatus());
      }
    }
  }
  const std::string sql =
      "SELECT hour, rule, decision, reason, count FROM decisions_by_hour ORDER BY 1, 2, 4";
  const std::vector<std::string> want = {
      "1969-12-31T23:00:00Z|NULL|allow|allow_rule|2",
      "1969-12-31T23:00:00Z|NULL|deny|deny_rule|1",
      "1969-12-31T23:00:00Z|NULL|deny|no_rule|1",
      "1969-12-31T23:00:00Z|docs/never|deny|deny_rule|1",
      "1969-12-31T23:00:00Z|docs/read|allow|allow_rule|2",
      "2027-01-15T08:00:00Z|NULL|allow|allow_rule|4",
      "2027-01-15T08:00:00Z|NULL|deny|deny_rule|2",
      "2027-01-15T08:00:00Z|NULL|deny|no_rule|2",
      "2027-01-15T08:00:00Z|docs/never|deny|deny_rule|2",
      "2027-01-15T08:00:00Z|docs/read|allow|allow_rule|4",
      "2027-01-15T09:00:00Z|NULL|allow|allow_rule|2",
      "2027-01-15T09:00:00Z|NULL|deny|deny_rule|1",
      "2027-01-15T09:00:00Z|NULL|deny|no_rule|1",
      "2027-01-15T09:00:00Z|docs/never|deny|deny_rule|1",
      "2027-01-15T09:00:00Z|docs/read|allow|allow_rule|2",
  };
  EXPECT_EQ(Select(path, sql), want);
  ASSERT_EQ(Reindex(path), absl::OkStatus());
  EXPECT_EQ(Select(path, sql), want);
}

TEST(RowsTest, AReindexThatWasInterruptedIsCompleted) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path, WithoutRows());
  for (int i = 0; i < 20000; ++i) ASSERT_EQ(Record(*store, i % 7), absl::OkStatus());
  ASSERT_EQ(store->Flush(), absl::OkStatus());
  ASSERT_EQ(store->Unfold(), absl::OkStatus());
  const std::vector<std::string> before = AllDecisions(path);
  EXPECT_EQ(before.size(), 20000u);
  // Rows are gone, and none is made yet.
  EXPECT_EQ(Reindex(path, [](int64_t, int64_t) { return false; }).code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM unfolded"), "0");
  EXPECT_EQ(AllDecisions(path), before);
  EXPECT_EQ(Verify(path), "");
}

// While rows are made the file is locked for a moment only.
TEST(RowsTest, DurableRecordsGoOnMeanwhile) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  for (int i = 0; i < 30000; ++i) ASSERT_EQ(Record(*store, i), absl::OkStatus());
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:1"), absl::OkStatus());
  }
  ASSERT_EQ(store->Unfold(), absl::OkStatus());
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), "30050");
}

TEST(CheckpointTest, AreMadeByCountByTimeAndAtTheEnd) {
  const std::string dir = MakeTempDir(), path = dir + "audit.db";
  AuditStore::Options options;
  options.checkpoint_key = std::string(32, 'k');
  options.checkpoint_file = dir + "checkpoints";
  options.checkpoint_records = 2;
  auto store = OpenOrDie(path, options);
  const auto append = [&] { return Decider().Append(*store, "doc.read", "doc:1"); };
  ASSERT_EQ(append(), absl::OkStatus());
  EXPECT_EQ(store->stats().checkpoints, 0);
  ASSERT_EQ(append(), absl::OkStatus());
  EXPECT_EQ(store->stats().checkpoints, 1);
  ASSERT_EQ(append(), absl::OkStatus());
  store.reset();
  EXPECT_EQ(Select(path, "SELECT seq FROM checkpoints"), (std::vector<std::string>{"2", "3"}));

  // Without another record.
  options.checkpoint_records = 1000;
  options.checkpoint_interval = absl::Milliseconds(1);
  store = OpenOrDie(path, options);
  ASSERT_EQ(append(), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return store->stats().checkpoints > 0; }));
  store.reset();
  EXPECT_EQ(Select(path, "SELECT writer, seq FROM checkpoints"),
            (std::vector<std::string>{"1|2", "1|3", "2|1", "2|1"}));

  struct stat info;
  ASSERT_EQ(stat(options.checkpoint_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  AuditVerifier::Options verify;
  verify.keys = {*AuditVerifier::PublicKey(options.checkpoint_key)};
  verify.checkpoint_file = options.checkpoint_file;
  const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, verify);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->intact()) << report->findings[0].message;
  EXPECT_EQ(report->checkpoints, 4);
  EXPECT_EQ(report->checkpoints_beside, 4);
}

TEST(CheckpointTest, AFileThatCannotBeWrittenIsSaidAndStopsNothing) {
  const std::string dir = MakeTempDir(), path = dir + "audit.db";
  AuditStore::Options options;
  options.checkpoint_key = std::string(32, 'k');
  options.checkpoint_file = dir + "later/checkpoints";
  options.checkpoint_records = 1;
  auto store = OpenOrDie(path, options);
  ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:1"), absl::OkStatus());
  EXPECT_EQ(store->stats().checkpoint_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(store->stats().checkpoint_status.message(), "later/checkpoints: "))
      << store->stats().checkpoint_status;
  ASSERT_EQ(mkdir((dir + "later").c_str(), 0700), 0);
  ASSERT_EQ(Decider().Append(*store, "doc.read", "doc:2"), absl::OkStatus());
  EXPECT_EQ(store->stats().checkpoint_status, absl::OkStatus());
  EXPECT_EQ(store->stats().checkpoints, 2);
}

TEST(AuditStoreTest, ManyThreadsAreCountedExactly) {
  const std::string path = MakeTempDir() + "audit.db";
  AuditStore::Options options;
  options.max_queued_records = 5;  // so that some wait for room
  options.max_queued_bytes = 600;
  auto store = OpenOrDie(path, options);
  constexpr int kThreads = 8, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&store, t] {
      Decider decider;
      for (int i = 0; i < kEach; ++i) {
        EXPECT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", t, "-", i)),
                  absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(SelectOne(path, "SELECT count(*), count(DISTINCT resource), max(seq) FROM decisions"),
            "400|400|400");
  EXPECT_EQ(SelectOne(path, "SELECT count(*) < 400, max(count) <= 5 FROM segments"), "1|1");
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, SeveralStoresShareAFile) {
  const std::string path = MakeTempDir() + "audit.db";
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&path] {
      auto store = OpenOrDie(path);  // all at once, on a file that does not exist
      Decider decider;
      for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", i)), absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Select(path, "SELECT writer, count(*), max(seq) FROM decisions GROUP BY 1"),
            (std::vector<std::string>{"1|30|30", "2|30|30", "3|30|30", "4|30|30"}));
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM writers WHERE last_seq = 30"), "4");
  EXPECT_EQ(Verify(path), "");
}

TEST(AuditStoreTest, AFileThatIsMovedAwayIsCompleteAndANewOneBegins) {
  const std::string dir = MakeTempDir(), path = dir + "audit.db", old = dir + "old.db";
  auto store = OpenOrDie(path);
  Decider decider;
  ASSERT_TRUE(decider.Append(*store, "doc.read", "doc:1").ok());
  ASSERT_EQ(rename(path.c_str(), old.c_str()), 0);
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:2"), absl::OkStatus());
  store.reset();
  EXPECT_EQ(SelectOne(old, "SELECT resource FROM decisions"), "doc:1");
  EXPECT_EQ(SelectOne(path, "SELECT resource FROM decisions"), "doc:2");
  EXPECT_EQ(SelectOne(old, "SELECT last_seq FROM writers"), "1");
  EXPECT_EQ(Verify(old), "");
  EXPECT_EQ(Verify(path), "");
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(AuditStoreTest, AFileThatIsMovedAwayBeforeTheEndIsComplete) {
  const std::string dir = MakeTempDir(), path = dir + "audit.db", old = dir + "old.db";
  auto store = OpenOrDie(path);
  ASSERT_TRUE(Decider().Append(*store, "doc.read", "doc:1").ok());
  ASSERT_EQ(rename(path.c_str(), old.c_str()), 0);
  store.reset();
  EXPECT_EQ(SelectOne(old, "SELECT count(*) FROM decisions"), "1");
  EXPECT_EQ(Verify(old), "");
}

TEST(AuditStoreTest, ALogThatIsRemovedLosesNothing) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path);
  Decider decider;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(decider.Append(*store, "doc.read", absl::StrCat("doc:", i)), absl::OkStatus());
    ASSERT_EQ(unlink((path + "-wal").c_str()), 0);
  }
  ASSERT_EQ(decider.Append(*store, "doc.read", "doc:3"), absl::OkStatus());
  store.reset();
  EXPECT_EQ(SelectOne(path, "SELECT count(*) FROM decisions"), "4");
  EXPECT_EQ(Verify(path), "");
}

void ExpectNoAllocations(const AuditStore::Options& options) {
  const std::string path = MakeTempDir() + "audit.db";
  auto store = OpenOrDie(path, options);
  Decider decider;
  Principal ada = MakePrincipal("user:ada", {"staff", "leads"});
  ada.attributes = {{"level", Value::Int(7)}, {"name", Value::String("Ada Lovelace")}};
  const Attributes context = {{"ip", Value::String("::1")}};
  Request request(ada, "doc.delete", {"doc", "1"});
  request.context = &context;
  Decision decision = decider.Decide(request);
  const Clauses clauses = {{ClauseOutcome::kTrue, "principal.level > 3 &&\n  context.ip != ''"}};
  const auto rule = RuleWith("docs/read", clauses);
  const RuleOutcome outcome = OutcomeOf(rule, clauses);
  DecisionBuilder::SetRules({&outcome, 1}, {&outcome, 1}, {}, &decision);
  for (AuditLevel level : {AuditLevel::kDurable, AuditLevel::kRecorded}) {
    int64_t allocated = 0;
    // Several batches take turns, and each must have grown.
    for (int round = 0; round < 10; ++round) {
      const int64_t before = allocations;
      for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(store->Append({request, decision, {}}, level).ok());
      }
      allocated = allocations - before;
      ASSERT_EQ(store->Flush(), absl::OkStatus());
    }
    EXPECT_EQ(allocated, 0) << ToString(level);
  }
}

TEST(AuditStoreTest, AppendAllocatesNothingOnTheCallingThread) { ExpectNoAllocations({}); }

TEST(AuditStoreTest, AppendWithMasksAllocatesNothingOnTheCallingThread) {
  AuditStore::Options options;
  options.masks = {{"any", "context.ip", AuditMask::Kind::kHash, ""},
                   {"any", "principal.id", AuditMask::Kind::kHash, ""},
                   {"docs/*", "principal.attributes.name", AuditMask::Kind::kReplace, "(name)"},
                   {"any", "principal.groups", AuditMask::Kind::kHash, ""},
                   {"any", "principal.attributes.level", AuditMask::Kind::kRemove, ""}};
  options.mask_key = std::string(32, 'k');
  ExpectNoAllocations(options);
}

}  // namespace
}  // namespace reeve
