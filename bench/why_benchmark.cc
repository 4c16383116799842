// What it costs to explain a decision, beside deciding, and to decide recorded requests again under
// two policy sets, beside reading the bytes of the segments.
#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "reeve/engine/explain.h"
#include "reeve/engine/testing.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/replay.h"

namespace reeve {
namespace {

using testing::MakePrincipal;
using testing::MakeRule;

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(1);
}

std::unique_ptr<Engine> EngineOf(int64_t rules, AuditSink* sink, AuditLevel level) {
  SnapshotBuilder builder;
  for (int64_t i = 0; i < rules; ++i) {
    const std::string n = std::to_string(i);
    builder.AddRule(
        MakeRule("+" + n, {"group:g" + n}, {"doc.read"}, {"doc:/projects/p" + n + "/**"}));
  }
  Engine::Options options;
  options.audit = sink;
  options.audit_level = level;
  auto engine = *Engine::Create(options);
  if (!engine->Replace(*builder.Build()).ok()) std::abort();
  return engine;
}

void BM_Explain(benchmark::State& state) {
  const auto engine = EngineOf(state.range(0), nullptr, AuditLevel::kOff);
  const Principal principal = MakePrincipal("user:ada", {"g1"});
  const Request request(principal, "doc.read", {"doc", "/projects/p1/a"});
  const Decision decision = engine->Decide(request);
  for (auto _ : state) benchmark::DoNotOptimize(Explain(decision, request));
}
BENCHMARK(BM_Explain)->Arg(10)->Arg(1000)->Arg(100000);

void BM_Decide(benchmark::State& state) {
  const auto engine = EngineOf(state.range(0), nullptr, AuditLevel::kOff);
  const Principal principal = MakePrincipal("user:ada", {"g1"});
  const Request request(principal, "doc.read", {"doc", "/projects/p1/a"});
  for (auto _ : state) benchmark::DoNotOptimize(engine->Decide(request));
}
BENCHMARK(BM_Decide)->Arg(10)->Arg(1000)->Arg(100000);

constexpr int kRecords = 200000;

// A file of kRecords, of `distinct` different requests. Removed at the end of the program.
class Log {
 public:
  explicit Log(int64_t distinct) {
    char directory[] = "/tmp/why_benchmark.XXXXXX";
    if (mkdtemp(directory) == nullptr) Fail("no temporary directory");
    directory_ = directory;
    path_ = directory_ + "/audit.db";
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.make_rows = false;
    auto store = AuditStore::Open(path_, options);
    if (!store.ok()) Fail(store.status().ToString());
    const auto engine = EngineOf(1000, store->get(), AuditLevel::kRecorded);
    for (int64_t i = 0; i < kRecords; ++i) {
      const std::string n = std::to_string(i % distinct), rule = std::to_string(i % 1000);
      const Principal principal = MakePrincipal("user:u" + n, {"g" + rule});
      const EntityId resource("doc", "/projects/p" + rule + "/" + n);
      if (!engine->Decide(Request(principal, "doc.read", resource)).allowed()) Fail("denied");
    }
  }
  ~Log() {
    for (const char* end : {"", "-wal", "-shm"}) std::remove((path_ + end).c_str());
    std::remove(directory_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  std::string directory_;
  std::string path_;
};

const Log& LogOf(int64_t distinct) {
  static const Log few(1000);
  static const Log all(kRecords);
  return distinct == 1000 ? few : all;
}

void BM_ReadSegments(benchmark::State& state) {
  const Log& log = LogOf(state.range(0));
  for (auto _ : state) {
    sqlite3* db = nullptr;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_open(log.path().c_str(), &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT bytes FROM segments", -1, &statement, nullptr) !=
            SQLITE_OK) {
      Fail("cannot read");
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, 0));
      uint64_t sum = 0;
      for (int i = sqlite3_column_bytes(statement, 0); i-- > 0;) sum += bytes[i];
      benchmark::DoNotOptimize(sum);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_ReadSegments)->Arg(1000)->Arg(kRecords)->Unit(benchmark::kMillisecond);

// `remembers`: whether an equal request is decided once, as when no condition reads the clock.
void BM_DecideAgainTwice(benchmark::State& state) {
  const Log& log = LogOf(state.range(0));
  const auto before = EngineOf(1000, nullptr, AuditLevel::kOff);
  const auto after = EngineOf(999, nullptr, AuditLevel::kOff);
  const bool remembers = state.range(1) != 0;
  for (auto _ : state) {
    auto replay = AuditReplay::Open(log.path());
    if (!replay.ok()) Fail(replay.status().ToString());
    uint64_t newest = 0, changed = 0;
    const absl::Status status = (*replay)->ForEach({}, [&](const ReplayRecord& record) {
      if (remembers && record.decision.number <= newest) return true;
      newest = record.decision.number;
      const Request request = record.decision.RequestAt(record.request_time);
      changed += before->Decide(request).allowed() != after->Decide(request).allowed();
      return true;
    });
    if (!status.ok() || changed == 0) Fail("nothing changed");
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_DecideAgainTwice)
    ->ArgNames({"distinct", "remembers"})
    ->Args({1000, 1})
    ->Args({1000, 0})
    ->Args({kRecords, 0})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
