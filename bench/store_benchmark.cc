// What it costs to keep records, beside SQLite alone with as many bytes, and beside the disk.
//
// BM_Append/decisions: what Append() of the level `recorded` takes on the calling thread, without
// the decision, which is one of so many: few are in the cache, as one that was just made is.
// `allocs` what it allocates. BM_Accept: records a second that one or two threads get rid of until
// all are synced; `of_bare` over a loop that copies as many bytes into blobs and inserts them,
// synced every 10 ms; `cpu_us` and `bare_cpu_us` processor time of a record, `segment_bytes` what
// it takes in its segment, compressed or not. BM_Rows: records a
// second whose rows are made, in the first and in the last tenth (`first`, `last`); `bytes` a
// record takes in all, `rows_of_bare` over inserting rows of numbers with no index. BM_Query: the
// newest hundred of something. BM_Find: one record by its id. BM_Durable/threads: synced records a
// second; `of_fdatasync` over what the disk does in the same file system at the same time.
// BM_Verify: records a second; `of_scan` over reading and hashing the segments, `cpu_of_scan` of
// the processor. BM_Prune: records a second that are removed, half of a file with rows, on a disk
// that syncs each batch.
//
// Files are made in $TMPDIR or /tmp, which should be the disk in question.
//   bazel run -c opt //bench:store_benchmark -- [RECORDS]     (a million)
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/prune.h"
#include "reeve/store/replay.h"
#include "reeve/store/verify.h"

namespace {
thread_local int64_t allocations = 0;
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace reeve {
namespace {

int64_t total_records = 1000000;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s failed\n", what);
  std::abort();
}

// A directory that goes away.
class Directory {
 public:
  Directory() {
    const char* parent = std::getenv("TMPDIR");
    path_ = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/store_benchmark.XXXXXX");
    Check(mkdtemp(path_.data()) != nullptr, "mkdtemp");
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return absl::StrCat(path_, "/", name); }

 private:
  std::string path_;
};

// Of all threads of this process, in microseconds: says more than the time on a busy machine.
double CpuMicros() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

// Decisions to record: of 1,000 principals about 20,000 resources, by 50 rules.
class World {
 public:
  static constexpr size_t kDecisions = 20000;

  World() {
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    engine_ = *Engine::Create(options);
    SnapshotBuilder builder;
    builder.SetDigest("sha256:9b42391b2f75339b79bc5f513ec0bf0ce1af8a5525fe21d1476d4b3a5a9167d2");
    for (int i = 0; i < 50; ++i) {
      builder.AddRule(testing::MakeRule(absl::StrCat("+docs/read-", i), {"group:staff"},
                                        {"doc.read"}, {absl::StrCat("doc:/p", i, "/**")}));
    }
    Check(engine_->Replace(*builder.Build()).ok(), "Replace");
    principals_.reserve(1000);
    for (int i = 0; i < 1000; ++i) {
      principals_.push_back(
          testing::MakePrincipal(absl::StrCat("user:person", i, "@EXAMPLE.COM"), {"staff"}));
      principals_.back().via = "unix";
      principals_.back().host = "web-1";
      principals_.back().evidence = absl::StrCat("pid=", 1000 + i, " uid=", 2000 + i);
    }
    resources_.reserve(kDecisions);
    requests_.reserve(kDecisions);
    decisions_.reserve(kDecisions);
    for (size_t i = 0; i < kDecisions; ++i) {
      resources_.emplace_back("doc", absl::StrCat("/p", i % 60, "/reports/2027/", i));
      requests_.emplace_back(principals_[i * 7919 % principals_.size()], "doc.read",
                             resources_.back());
      decisions_.push_back(engine_->Decide(requests_.back()));
    }
  }

  bool Append(AuditStore& store, size_t i, AuditLevel level) const {
    i = i * 104729 % kDecisions;
    return store.Append({requests_[i], decisions_[i], absl::Nanoseconds(400)}, level).ok();
  }
  // The same with a decision of now: times and ids rise, as rows are used to.
  bool Decide(AuditStore& store, size_t i) const {
    i = i * 104729 % kDecisions;
    const Decision decision = engine_->Decide(requests_[i]);
    return store.Append({requests_[i], decision, absl::Nanoseconds(400)}, AuditLevel::kRecorded)
        .ok();
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::vector<Principal> principals_;
  std::vector<EntityId> resources_;
  std::vector<Request> requests_;
  std::vector<Decision> decisions_;
};

const World& TheWorld() {
  static const World* const world = new World;
  return *world;
}

std::unique_ptr<AuditStore> OpenStore(const std::string& path, bool make_rows,
                                      bool compresses = false) {
  AuditStore::Options options;
  if (compresses) options.compression = AuditStore::Options::Compression::kZstd;
  options.max_wait = absl::Seconds(60);
  options.make_rows = make_rows;
  return *AuditStore::Open(path, options);
}

void Sql(sqlite3* db, const char* sql) {
  Check(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
}

sqlite3* OpenBare(const std::string& path) {
  sqlite3* db = nullptr;
  Check(sqlite3_open(path.c_str(), &db) == SQLITE_OK, "sqlite3_open");
  Sql(db, "PRAGMA journal_mode = WAL");
  Sql(db, "PRAGMA synchronous = FULL");
  return db;
}

// Records a second: `bytes` each are copied into a blob of 1,024, and inserted; committed and
// synced every 10 ms.
double BareSegments(size_t bytes) {
  const Directory directory;
  sqlite3* const db = OpenBare(directory / "bare.db");
  Sql(db, "CREATE TABLE s(writer INTEGER, seq INTEGER, bytes BLOB, PRIMARY KEY(writer, seq))");
  sqlite3_stmt* add = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO s VALUES(1, ?, ?)", -1, &add, nullptr);
  const std::string record(bytes, 'r');
  std::string blob;
  const auto begin = std::chrono::steady_clock::now();
  auto commit_at = begin + std::chrono::milliseconds(10);
  Sql(db, "BEGIN IMMEDIATE");
  for (int64_t i = 0; i < total_records; i += 1024) {
    blob.clear();
    for (int r = 0; r < 1024; ++r) blob.append(record);
    sqlite3_bind_int64(add, 1, i);
    sqlite3_bind_blob64(add, 2, blob.data(), blob.size(), SQLITE_STATIC);
    Check(sqlite3_step(add) == SQLITE_DONE, "INSERT");
    sqlite3_reset(add);
    if (std::chrono::steady_clock::now() < commit_at) continue;
    Sql(db, "COMMIT");
    Sql(db, "BEGIN IMMEDIATE");
    commit_at = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
  }
  Sql(db, "COMMIT");
  const double rate = static_cast<double>(total_records) / Seconds(begin);
  sqlite3_finalize(add);
  sqlite3_close(db);
  return rate;
}

// Records a second: a row of 30 numbers each, 1,000 a transaction, no index.
double BareRows() {
  const Directory directory;
  sqlite3* const db = OpenBare(directory / "bare.db");
  Sql(db, "PRAGMA synchronous = NORMAL");
  std::string columns, values;
  for (int i = 0; i < 30; ++i) {
    absl::StrAppend(&columns, i == 0 ? "" : ", ", "c", i);
    absl::StrAppend(&values, i == 0 ? "" : ", ", "?");
  }
  Sql(db, absl::StrCat("CREATE TABLE r(", columns, ")").c_str());
  sqlite3_stmt* add = nullptr;
  sqlite3_prepare_v2(db, absl::StrCat("INSERT INTO r VALUES(", values, ")").c_str(), -1, &add,
                     nullptr);
  const int64_t count = std::min<int64_t>(total_records, 500000);
  const auto begin = std::chrono::steady_clock::now();
  Sql(db, "BEGIN");
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < 30; ++c) sqlite3_bind_int64(add, c + 1, i * c % 20000);
    Check(sqlite3_step(add) == SQLITE_DONE, "INSERT");
    sqlite3_reset(add);
    if (i % 1000 == 999) {
      Sql(db, "COMMIT");
      Sql(db, "BEGIN");
    }
  }
  Sql(db, "COMMIT");
  const double rate = static_cast<double>(count) / Seconds(begin);
  sqlite3_finalize(add);
  sqlite3_close(db);
  return rate;
}

// How many syncs of a file that grows by 4 KiB there are in a quarter of a second.
int CountSyncs(const std::string& path, double* seconds) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  Check(file >= 0, "open");
  const std::string page(4096, 'p');
  int count = 0;
  const auto begin = std::chrono::steady_clock::now();
  do {
    Check(write(file, page.data(), page.size()) == static_cast<ssize_t>(page.size()), "write");
    Check(fdatasync(file) == 0, "fdatasync");
    ++count;
  } while (Seconds(begin) < 0.25);
  *seconds += Seconds(begin);
  close(file);
  return count;
}

void BM_Append(benchmark::State& state) {
  const Directory directory;
  auto store = OpenStore(directory / "audit.db", false);
  const World& world = TheWorld();
  size_t i = 0;
  for (; i < 200000; ++i) Check(world.Append(*store, i, AuditLevel::kRecorded), "Append");
  Check(store->Flush().ok(), "Flush");
  int64_t allocated = 0;
  for (auto _ : state) {
    // The queue is emptied in between, so that nobody waits for room.
    if (i % 20000 == 0) {
      state.PauseTiming();
      Check(store->Flush().ok(), "Flush");
      state.ResumeTiming();
    }
    const int64_t before = allocations;
    Check(world.Append(*store, i++ % state.range(0), AuditLevel::kRecorded), "Append");
    allocated += allocations - before;
  }
  state.counters["allocs"] =
      benchmark::Counter(static_cast<double>(allocated), benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Append)->Arg(256)->Arg(World::kDecisions);

void BM_Accept(benchmark::State& state) {
  const World& world = TheWorld();
  for (auto _ : state) {
    const Directory directory;
    auto store = OpenStore(directory / "audit.db", false, state.range(1) != 0);
    const double cpu = CpuMicros();
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int64_t t = 0; t < state.range(0); ++t) {
      threads.emplace_back([&, t] {
        for (int64_t i = t; i < total_records; i += state.range(0)) {
          Check(world.Append(*store, i, AuditLevel::kRecorded), "Append");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    Check(store->Flush().ok(), "Flush");
    const double seconds = Seconds(begin);
    state.counters["cpu_us"] = (CpuMicros() - cpu) / static_cast<double>(total_records);
    state.SetIterationTime(seconds);
    const AuditStore::Stats stats = store->stats();
    const double rate = static_cast<double>(total_records) / seconds;
    state.counters["records/s"] = rate;
    state.counters["segment_bytes"] =
        static_cast<double>(stats.bytes) / static_cast<double>(stats.written);
    state.counters["waited"] = static_cast<double>(stats.waited);
    const double bare_cpu = CpuMicros();
    state.counters["of_bare"] = rate / BareSegments(stats.bytes / stats.written);
    state.counters["bare_cpu_us"] = (CpuMicros() - bare_cpu) / static_cast<double>(total_records);
  }
}
BENCHMARK(BM_Accept)
    ->ArgNames({"threads", "zstd"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void BM_Rows(benchmark::State& state) {
  const World& world = TheWorld();
  for (auto _ : state) {
    const Directory directory;
    const std::string path = directory / "audit.db";
    auto store = OpenStore(path, false);
    double sum = 0, first = 0, last = 0, cpu = 0;
    constexpr int kParts = 10;
    const int64_t part = total_records / kParts;
    for (int p = 0; p < kParts; ++p) {
      for (int64_t i = 0; i < part; ++i) {
        Check(world.Decide(*store, p * part + i), "Append");
      }
      Check(store->Flush().ok(), "Flush");
      const double cpu_before = CpuMicros();
      const auto begin = std::chrono::steady_clock::now();
      Check(store->Unfold().ok(), "Unfold");
      cpu += CpuMicros() - cpu_before;
      const double seconds = Seconds(begin);
      sum += seconds;
      if (p == 0) first = static_cast<double>(part) / seconds;
      last = static_cast<double>(part) / seconds;
    }
    state.SetIterationTime(sum);
    store.reset();
    const double rate = static_cast<double>(part * kParts) / sum;
    state.counters["records/s"] = rate;
    state.counters["cpu_us"] = cpu / static_cast<double>(part * kParts);
    state.counters["first"] = first;
    state.counters["last"] = last;
    state.counters["bytes"] =
        static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(part * kParts);
    state.counters["rows_of_bare"] = rate / BareRows();
  }
}
BENCHMARK(BM_Rows)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

// A file of all records, with rows.
const std::string& WholeFile() {
  static const Directory directory;
  static const std::string* const path = [] {
    auto* const made = new std::string(directory / "audit.db");
    auto store = OpenStore(*made, true);
    for (int64_t i = 0; i < total_records; ++i) {
      Check(TheWorld().Decide(*store, i), "Append");
    }
    Check(store->Flush().ok() && store->Unfold().ok(), "Flush");
    return made;
  }();
  return *path;
}

// The newest hundred of a principal (0), of all denials (1), of a prefix of resources (2).
void BM_Query(benchmark::State& state) {
  AuditQuery query;
  if (state.range(0) == 0) query.principal = "user:person7@EXAMPLE.COM";
  if (state.range(0) == 1) query.allowed = false;
  if (state.range(0) == 2) query.resource_prefix = "doc:/p7/";
  auto reader = *AuditReader::Open(WholeFile());
  for (auto _ : state) {
    const absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(query);
    Check(rows.ok() && rows->size() == 100, "Query");
  }
}
BENCHMARK(BM_Query)->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

// A record by its whole id (0), and by all but its last digit, which no row is looked for (1).
void BM_Find(benchmark::State& state) {
  AuditQuery query;
  query.order = AuditQuery::Order::kAsWritten;
  query.after_number = total_records / 2;
  query.limit = 1;
  std::string id = (*(*AuditReader::Open(WholeFile()))->Query(query))[0].id;
  id.resize(id.size() - state.range(0));
  for (auto _ : state) {
    int found = 0;
    auto replay = *AuditReplay::Open(WholeFile());
    const absl::Status status = replay->Find(id, [&](const ReplayRecord&) { return ++found < 2; });
    Check(status.ok() && found == 1, "Find");
  }
}
BENCHMARK(BM_Find)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

// Segments and rows at once, until both are there.
void BM_AcceptWithRows(benchmark::State& state) {
  const World& world = TheWorld();
  for (auto _ : state) {
    const Directory directory;
    auto store = OpenStore(directory / "audit.db", true);
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < total_records; ++i) {
      Check(world.Decide(*store, i), "Append");
    }
    Check(store->Flush().ok() && store->Unfold().ok(), "Flush");
    const double seconds = Seconds(begin);
    state.SetIterationTime(seconds);
    state.counters["records/s"] = static_cast<double>(total_records) / seconds;
  }
}
BENCHMARK(BM_AcceptWithRows)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

// In turn with the disk alone, a quarter of a second each: what else uses it meets both.
void BM_Durable(benchmark::State& state) {
  const World& world = TheWorld();
  for (auto _ : state) {
    const Directory directory;
    auto store = OpenStore(directory / "audit.db", false);
    int64_t syncs = 0;
    std::atomic<int64_t> count{0};
    double sync_seconds = 0, seconds = 0;
    for (int round = 0; round < 12; ++round) {
      syncs += CountSyncs(directory / "probe", &sync_seconds);
      std::atomic<bool> stop{false};
      const auto begin = std::chrono::steady_clock::now();
      std::vector<std::thread> threads;
      for (int64_t t = 0; t < state.range(0); ++t) {
        threads.emplace_back([&, t] {
          for (int64_t i = t; !stop; ++i) {
            Check(world.Append(*store, i, AuditLevel::kDurable), "Append");
            ++count;
          }
        });
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
      stop = true;
      for (std::thread& thread : threads) thread.join();
      seconds += Seconds(begin);
    }
    state.SetIterationTime(seconds);
    const double rate = static_cast<double>(count) / seconds;
    const double sync_rate = static_cast<double>(syncs) / sync_seconds;
    state.counters["records/s"] = rate;
    state.counters["fdatasync/s"] = sync_rate;
    state.counters["of_fdatasync"] = rate / sync_rate;
  }
}
BENCHMARK(BM_Durable)
    ->Arg(1)
    ->Arg(4)
    ->Arg(16)
    ->Arg(64)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Records a second.
double ScanAndHash(const std::string& path) {
  sqlite3* db = nullptr;
  Check(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK, "open");
  sqlite3_stmt* scan = nullptr;
  sqlite3_prepare_v2(db, "SELECT count, bytes FROM segments ORDER BY writer, first_seq", -1, &scan,
                     nullptr);
  unsigned char hash[32];
  int64_t records = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (sqlite3_step(scan) == SQLITE_ROW) {
    records += sqlite3_column_int64(scan, 0);
    const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(scan, 1));
    crypto_generichash(hash, sizeof hash, bytes, sqlite3_column_bytes(scan, 1), nullptr, 0);
  }
  const double rate = static_cast<double>(records) / Seconds(begin);
  Check(records == total_records, "scan");
  sqlite3_finalize(scan);
  sqlite3_close(db);
  return rate;
}

void BM_Verify(benchmark::State& state) {
  const Directory directory;
  const std::string path = directory / "audit.db";
  {
    auto store = OpenStore(path, false);
    for (int64_t i = 0; i < total_records; ++i) {
      Check(TheWorld().Append(*store, i, AuditLevel::kRecorded), "Append");
    }
  }
  ScanAndHash(path);
  for (auto _ : state) {
    const double start = CpuMicros();
    const double bare = ScanAndHash(path);
    const double between = CpuMicros();
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, {});
    const double seconds = Seconds(begin);
    Check(report.ok() && report->intact() && report->records == total_records, "Verify");
    state.SetIterationTime(seconds);
    const double rate = static_cast<double>(total_records) / seconds;
    state.counters["records/s"] = rate;
    state.counters["of_scan"] = rate / bare;
    state.counters["cpu_of_scan"] = (between - start) / (CpuMicros() - between);
  }
}
BENCHMARK(BM_Verify)->Iterations(3)->UseManualTime()->Unit(benchmark::kMillisecond);

void BM_Prune(benchmark::State& state) {
  for (auto _ : state) {
    const Directory directory;
    const std::string path = directory / "audit.db";
    {
      auto store = OpenStore(path, false);
      for (int64_t i = 0; i < total_records; ++i) Check(TheWorld().Decide(*store, i), "Append");
      Check(store->Unfold().ok(), "Unfold");
    }
    PruneOptions options;
    options.max_bytes = static_cast<int64_t>(std::filesystem::file_size(path) / 2);
    const double cpu = CpuMicros();
    const auto begin = std::chrono::steady_clock::now();
    const absl::StatusOr<PruneResult> result = Prune(path, options);
    const double seconds = Seconds(begin);
    Check(result.ok() && result->bytes_after <= *options.max_bytes, "Prune");
    state.SetIterationTime(seconds);
    state.counters["records/s"] = static_cast<double>(result->records) / seconds;
    state.counters["cpu_us"] = (CpuMicros() - cpu) / static_cast<double>(result->records);
    state.counters["pruned"] = static_cast<double>(result->records);
  }
}
BENCHMARK(BM_Prune)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc > 1) reeve::total_records = std::max(10240ll, std::atoll(argv[1]));
  if (sodium_init() < 0) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
