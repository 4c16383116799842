// What it costs to ask a log, beside SQLite's own look at a row of it.
//
// BM_Row: one record by its number, by a prepared SELECT: what nothing can be quicker than. `rows`
// of the others is how many of these they take. BM_NewestOfPrincipal, BM_NewestDenials,
// BM_NewestOfPrefix: the newest hundred of a principal, of all denials, and of the resources under
// a prefix (`resources` of them). BM_SortedPrefix: the last one as SQLite answers it from the view.
// BM_RulesOfAMonth: counts by rule and hour over 30 days (`hours` of them). BM_Count: denials of
// 29 days and a half.
//
// The file is made once, in $TMPDIR or /tmp, or stays at $REEVE_QUERY_FILE, and is used again if it
// is there; $REEVE_QUERY_RECORDS records (200,000), spread over 30 days.
//   REEVE_QUERY_RECORDS=10000000 REEVE_QUERY_FILE=/var/tmp/audit.db
//     bazel run -c opt //bench:audit_query_benchmark
#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"

namespace reeve {
namespace {

constexpr int64_t kEnd = 1800000000;
constexpr absl::Duration kSpan = absl::Hours(24 * 30);
constexpr int kPrincipals = 1000, kFolders = 50, kDocuments = 4000;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s failed\n", what);
  std::abort();
}

int64_t Records() {
  int64_t records = 200000;
  const char* const text = std::getenv("REEVE_QUERY_RECORDS");
  if (text != nullptr) Check(absl::SimpleAtoi(text, &records), "REEVE_QUERY_RECORDS");
  return records;
}

// Every tenth is denied; 200,000 resources in 50 folders.
void Fill(const std::string& path) {
  testing::FakeClock clock;
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  options.clock = &clock;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  SnapshotBuilder builder;
  for (int i = 0; i < kFolders; ++i) {
    builder.AddRule(testing::MakeRule(absl::StrCat("+docs/read-", i), {"group:staff"}, {"doc.read"},
                                      {absl::StrCat("doc:/f", i, "/**")}));
  }
  Check(engine->Replace(*builder.Build()).ok(), "Replace");
  std::vector<Principal> principals;
  for (int i = 0; i < kPrincipals; ++i) {
    principals.push_back(testing::MakePrincipal(absl::StrCat("user:person", i), {"staff"}));
  }
  std::vector<EntityId> resources;
  for (int i = 0; i < kFolders * kDocuments; ++i) {
    resources.emplace_back("doc", absl::StrCat("/f", i % kFolders, "/report-", i / kFolders));
  }
  AuditStore::Options store_options;
  store_options.max_wait = absl::Seconds(600);
  std::unique_ptr<AuditStore> store = *AuditStore::Open(path, store_options);
  const int64_t records = Records();
  uint64_t random = 1;
  for (int64_t i = 0; i < records; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t chance = random >> 20;
    clock.now = absl::FromUnixSeconds(kEnd) - kSpan + kSpan * i / records;
    const Request request(principals[chance % kPrincipals],
                          chance % 10 == 0 ? "doc.write" : "doc.read",
                          resources[(chance >> 12) % resources.size()]);
    const Decision decision = engine->Decide(request);
    Check(store
              ->Append({request, decision, absl::Nanoseconds(300 + chance % 1000)},
                       AuditLevel::kRecorded)
              .ok(),
          "Append");
  }
  Check(store->Flush().ok() && store->Unfold().ok(), "Flush");
}

const std::string& File() {
  static const std::string* const file = [] {
    const char* const kept = std::getenv("REEVE_QUERY_FILE");
    if (kept != nullptr) {
      if (access(kept, F_OK) != 0) Fill(kept);
      return new std::string(kept);
    }
    const char* const parent = std::getenv("TMPDIR");
    static std::string directory =
        absl::StrCat(parent == nullptr ? "/tmp" : parent, "/audit_query_benchmark.XXXXXX");
    Check(mkdtemp(directory.data()) != nullptr, "mkdtemp");
    std::atexit([] { std::filesystem::remove_all(directory); });
    const std::string path = directory + "/audit.db";
    Fill(path);
    return new std::string(path);
  }();
  return *file;
}

// Nanoseconds for a record by its number, of a hundred that lie together.
double RowCost() {
  static const double cost = [] {
    sqlite3* db = nullptr;
    Check(sqlite3_open_v2(File().c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK, "open");
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v2(db, "SELECT * FROM decisions WHERE number = ?", -1, &statement,
                             nullptr) == SQLITE_OK,
          "prepare");
    constexpr int kRounds = 2000;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) {
      sqlite3_bind_int64(statement, 1, Records() - i % 100);
      Check(sqlite3_step(statement) == SQLITE_ROW, "step");
      for (int c = 0; c < sqlite3_column_count(statement); ++c) {
        benchmark::DoNotOptimize(sqlite3_column_text(statement, c));
      }
      sqlite3_reset(statement);
    }
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return taken.count() / kRounds;
  }();
  return cost;
}

AuditReader& Reader() {
  static AuditReader* const reader = AuditReader::Open(File())->release();
  return *reader;
}

template <typename Ask>
void Measure(benchmark::State& state, const Ask& ask) {
  ask();  // warm
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) ask();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
  state.counters["rows"] = taken.count() / static_cast<double>(state.iterations()) / RowCost();
}

void MeasureQuery(benchmark::State& state, const AuditQuery& query) {
  Measure(state, [&query] {
    const absl::StatusOr<std::vector<AuditRow>> rows = Reader().Query(query);
    Check(rows.ok() && rows->size() == query.limit, "Query");
  });
}

void BM_Row(benchmark::State& state) {
  for (auto _ : state) state.SetIterationTime(RowCost() / 1e9);
}
BENCHMARK(BM_Row)->UseManualTime()->Iterations(1);

void BM_NewestOfPrincipal(benchmark::State& state) {
  AuditQuery query;
  query.principal = "user:person7";
  MeasureQuery(state, query);
}
BENCHMARK(BM_NewestOfPrincipal)->Unit(benchmark::kMicrosecond);

void BM_NewestDenials(benchmark::State& state) {
  AuditQuery query;
  query.allowed = false;
  MeasureQuery(state, query);
}
BENCHMARK(BM_NewestDenials)->Unit(benchmark::kMicrosecond);

void BM_NewestOfPrefix(benchmark::State& state) {
  AuditQuery query;
  query.resource_prefix = state.range(0) == 0 ? "doc:/f7/" : "doc:/f7/report-1";
  MeasureQuery(state, query);
  state.counters["resources"] = state.range(0) == 0 ? kDocuments : 1111;
}
BENCHMARK(BM_NewestOfPrefix)->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void BM_SortedPrefix(benchmark::State& state) {
  sqlite3* db = nullptr;
  Check(sqlite3_open_v2(File().c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK, "open");
  Measure(state, [db] {
    Check(sqlite3_exec(db,
                       "SELECT * FROM decisions WHERE resource >= 'doc:/f7/' AND resource < "
                       "'doc:/f70' ORDER BY unix_us DESC LIMIT 100",
                       nullptr, nullptr, nullptr) == SQLITE_OK,
          "exec");
  });
  sqlite3_close(db);
}
BENCHMARK(BM_SortedPrefix)->Unit(benchmark::kMicrosecond);

void BM_RulesOfAMonth(benchmark::State& state) {
  AuditFilter filter;
  filter.since = absl::FromUnixSeconds(kEnd) - kSpan + absl::Minutes(30);
  StatisticsOptions options;
  options.refused = options.latency = false;
  size_t hours = 0;
  Measure(state, [&] {
    const absl::StatusOr<AuditStatistics> statistics = Reader().Statistics(filter, options);
    Check(statistics.ok() && statistics->rules.size() == kFolders, "Statistics");
    hours = statistics->hours.size();
  });
  state.counters["hours"] = static_cast<double>(hours);
}
BENCHMARK(BM_RulesOfAMonth)->Unit(benchmark::kMicrosecond);

void BM_Count(benchmark::State& state) {
  AuditFilter filter;
  filter.since = absl::FromUnixSeconds(kEnd) - kSpan + absl::Minutes(750);
  filter.allowed = false;
  Measure(state, [&filter] { Check(Reader().Count(filter).ok(), "Count"); });
}
BENCHMARK(BM_Count)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
