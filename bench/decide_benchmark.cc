// What one decision costs, from strings and without records, beside the floor in the same run: the
// least work that would tell the answer from the same strings, and when it was given.
//
// BM_Floor/*: looking strings up in a hash table that has as many keys as the policy set rules,
// hashing one, reading the clock. BM_Decide/*: `floor` is the floor measured with the same rules
// and requests within this run, all keys of a request looked up and the clock read once; `of_floor`
// is how many floors a decision costs, `allocs` what one allocates.
//
// BM_Prepared/*: the same requests by principals that were made ready; BM_Batch/*: 16 resources of
// one principal at a time, the time is that of one; BM_ListAllowed/*: the same without answers;
// BM_Shadow/*: with the same set as a shadow set beside it. `of_plain` is how many calls of
// Decide() on the same requests each costs. BM_Threads: `of_one` is how many times the decisions of
// one thread two threads make in the same time, each thread on a processor of its own. BM_Replace:
// a thread decides while another replaces the snapshot; the 50th, 99th and 99.9th percentile and
// the worst of its decisions in ns, and the same without replacing (`calm_`). BM_Memory: bytes and
// ns for each rule of a set.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "reeve/engine/testing.h"

namespace {
thread_local int64_t allocations = 0;
thread_local int64_t bytes_in_use = 0;
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  bytes_in_use += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}
void operator delete(void* memory) noexcept {
  bytes_in_use -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

namespace reeve {
namespace {

using testing::MakePrincipal;
using testing::MakeRule;

enum class Kind { kExact, kGroup, kGrid, kRole, kPath, kSuffix, kNoRule, kDeny, kDenyPath };

struct KindName {
  Kind kind;
  const char* name;
};

constexpr KindName kKinds[] = {
    {Kind::kExact, "exact"},    {Kind::kGroup, "group"}, {Kind::kGrid, "grid"},
    {Kind::kRole, "role"},      {Kind::kPath, "path"},   {Kind::kSuffix, "suffix"},
    {Kind::kNoRule, "no_rule"}, {Kind::kDeny, "deny"},   {Kind::kDenyPath, "deny_path"},
};

// One request and what it must be answered.
struct Question {
  Principal principal;
  std::string action;
  EntityId resource;
  Reason reason;
  std::vector<std::string> keys;  // The strings that any engine must look up.

  Request AsRequest() const { return Request(principal, action, resource); }
};

std::string Number(int64_t i) { return std::to_string(i); }

Rule RuleOf(Kind kind, int64_t i) {
  const std::string n = Number(i);
  switch (kind) {
    case Kind::kExact:
      return MakeRule("+" + n, {"user:u" + n + "@EXAMPLE.COM"}, {"doc.read"}, {"doc:report-" + n});
    case Kind::kGroup:
      return MakeRule("+" + n, {"group:g" + n}, {"doc.read"}, {"doc:report-" + n});
    case Kind::kGrid:  // A thousand users may each see many documents.
      return MakeRule("+" + n, {"user:u" + Number(i % 1000) + "@EXAMPLE.COM"}, {"doc.read"},
                      {"doc:report-" + Number(i / 1000)});
    case Kind::kRole:
      return MakeRule("+" + n, {"role:r" + Number(i % 100)}, {"doc.read"}, {"doc:report-" + n});
    case Kind::kPath:
    case Kind::kNoRule:
      return MakeRule("+" + n, {"authenticated"}, {"doc.read"}, {"doc:/projects/p" + n + "/**"});
    case Kind::kSuffix:
      return MakeRule("+" + n, {"authenticated"}, {"doc.read"},
                      {"doc:/projects/p" + n + "/*/plan.*"});
    case Kind::kDeny:
      return MakeRule("-" + n, {"group:g" + n}, {"doc.read"}, {"doc:report-" + n});
    case Kind::kDenyPath:
      return MakeRule("-" + n, {"authenticated"}, {"doc.read"}, {"doc:/projects/p" + n + "/**"});
  }
  std::abort();
}

// A request that rule `i` answers; under kNoRule one that none does.
Question QuestionOf(Kind kind, int64_t i) {
  const std::string n = Number(i);
  Question q;
  q.principal = MakePrincipal("user:u" + n + "@EXAMPLE.COM");
  q.action = "doc.read";
  q.resource = EntityId("doc", "report-" + n);
  const bool denies = kind == Kind::kDeny || kind == Kind::kDenyPath;
  q.reason = denies ? Reason::kDenyRule : Reason::kAllowRule;
  q.keys = {"doc.read", "user:u" + n + "@EXAMPLE.COM", "doc:report-" + n};
  switch (kind) {
    case Kind::kExact:
      break;
    case Kind::kGrid:
      q.principal = MakePrincipal("user:u" + Number(i % 1000) + "@EXAMPLE.COM");
      q.resource = EntityId("doc", "report-" + Number(i / 1000));
      q.keys = {"doc.read", ToString(q.principal.id), ToString(q.resource)};
      break;
    case Kind::kGroup:
    case Kind::kDeny:
      q.principal.groups = {"g" + n};
      q.keys.push_back("group:g" + n);
      break;
    case Kind::kRole:
      q.principal.groups = {"team-" + Number(i % 100)};
      q.keys.push_back("group:team-" + Number(i % 100));
      break;
    case Kind::kPath:
    case Kind::kSuffix:
    case Kind::kDenyPath:
    case Kind::kNoRule: {
      const std::string root = kind == Kind::kNoRule ? "/absent/p" : "/projects/p";
      q.resource = EntityId("doc", root + n + "/2026/plan.txt");
      if (kind == Kind::kNoRule) q.reason = Reason::kNoRule;
      q.keys = {q.action, q.principal.id.type + ":" + q.principal.id.id, "doc:" + root + n + "/"};
      break;
    }
  }
  return q;
}

// What this thread has used of a processor: what others do on the machine does not count.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Rules of one kind, and the table that its floor looks keys up in. Numbered 0 to `count` - 1.
struct Set {
  Set(Kind kind, int64_t count) : kind(kind), count(count) {
    SnapshotBuilder builder;
    for (int64_t i = 0; i < count; ++i) {
      builder.AddRule(RuleOf(kind, i));
      for (const std::string& key : QuestionOf(kind, i).keys) table.emplace(key, i);
    }
    for (int64_t i = 0; i < 100; ++i) {
      builder.AddRole("r" + Number(i), {testing::PrincipalPattern("group:team-" + Number(i)),
                                        testing::PrincipalPattern("user:boss-" + Number(i))});
    }
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    engine = *Engine::Create(options);
    if (!engine->Replace(*builder.Build()).ok()) std::abort();
  }

  Kind kind;
  int64_t count;
  std::unique_ptr<Engine> engine;
  absl::flat_hash_map<std::string, int64_t> table;
};

// 64 requests over and over, or as many as there are rules, up to 65,536, each about one at random.
std::vector<Question> Questions(Kind kind, int64_t rules, bool hot) {
  std::mt19937_64 random(1);
  std::vector<Question> questions;
  const int64_t count = hot ? 64 : std::clamp<int64_t>(rules, 64, 1 << 16);
  for (int64_t i = 0; i < count; ++i) {
    questions.push_back(QuestionOf(kind, static_cast<int64_t>(random() % rules)));
  }
  return questions;
}

int64_t LookUp(const Set& set, const Question& question) {
  int64_t found = 0;
  for (const std::string& key : question.keys) found += set.table.count(key);
  return found;
}

// Seconds for one decision of the floor, the best of several rounds.
double MeasureFloor(const Set& set, const std::vector<Question>& questions) {
  const int64_t repeats = std::max<int64_t>(1, (1 << 17) / static_cast<int64_t>(questions.size()));
  double best = 1;
  for (int i = 0; i < 5; ++i) {
    const double begin = CpuSeconds();
    int64_t found = 0;
    for (int64_t r = 0; r < repeats; ++r) {
      for (const Question& question : questions) {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        found += LookUp(set, question) + now.tv_nsec;
      }
    }
    benchmark::DoNotOptimize(found);
    best = std::min(best, (CpuSeconds() - begin) / static_cast<double>(repeats * questions.size()));
  }
  return best;
}

// The last set, since benchmarks of one set follow each other and a large one is slow to build.
const Set& GetSet(Kind kind, int64_t count) {
  static std::unique_ptr<Set> set;
  if (set == nullptr || set->kind != kind || set->count != count) {
    set.reset();
    set = std::make_unique<Set>(kind, count);
  }
  return *set;
}

void BM_Decide(benchmark::State& state, Kind kind, bool hot) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), hot);
  for (const Question& question : questions) {
    if (set.engine->Decide(question.AsRequest()).reason() == question.reason) continue;
    state.SkipWithError("a wrong answer");
    return;
  }
  const double floor = MeasureFloor(set, questions);
  const int64_t before = allocations;
  size_t next = 0;
  const double begin = CpuSeconds();
  for (auto _ : state) {
    benchmark::DoNotOptimize(set.engine->Decide(questions[next].AsRequest()).allowed());
    if (++next == questions.size()) next = 0;
  }
  const double each = (CpuSeconds() - begin) / static_cast<double>(state.iterations());
  state.counters["allocs"] =
      static_cast<double>(allocations - before) / static_cast<double>(state.iterations());
  state.counters["floor"] = floor;
  state.counters["of_floor"] = each / floor;
}

// Seconds for each of `count` things that `work` does, the best of several rounds.
template <typename Work>
double BestOf(size_t count, Work work) {
  double best = 1;
  for (int round = 0; round < 7; ++round) {
    const double begin = CpuSeconds();
    for (int i = 0; i < 64; ++i) work();
    best = std::min(best, (CpuSeconds() - begin) / (64.0 * static_cast<double>(count)));
  }
  return best;
}

// Both do the same work: runs `work`, and tells what it costs by `plain`.
template <typename Plain, typename Work>
void Compare(benchmark::State& state, size_t count, Plain plain, Work work) {
  const double plain_seconds = BestOf(count, plain);
  const double seconds = BestOf(count, work);
  const int64_t before = allocations;
  for (auto _ : state) work();
  const double decisions = static_cast<double>(state.iterations()) * static_cast<double>(count);
  state.counters["allocs"] = static_cast<double>(allocations - before) / decisions;
  state.counters["each"] = seconds;
  state.counters["of_plain"] = seconds / plain_seconds;
}

void BM_Prepared(benchmark::State& state, Kind kind) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), true);
  std::vector<PreparedPrincipal> prepared;
  for (const Question& question : questions) {
    prepared.push_back(set.engine->Prepare(question.principal));
  }
  const auto request = [&](size_t i) {
    return Request(prepared[i], questions[i].action, questions[i].resource);
  };
  for (size_t i = 0; i < questions.size(); ++i) {
    if (set.engine->Decide(request(i)).reason() == questions[i].reason) continue;
    state.SkipWithError("a wrong answer");
    return;
  }
  Compare(
      state, questions.size(),
      [&] {
        for (const Question& question : questions) {
          benchmark::DoNotOptimize(set.engine->Decide(question.AsRequest()).allowed());
        }
      },
      [&] {
        for (size_t i = 0; i < questions.size(); ++i) {
          benchmark::DoNotOptimize(set.engine->Decide(request(i)).allowed());
        }
      });
}

// One principal, who may see one of 16 resources. `list`: only which.
void BM_Batch(benchmark::State& state, Kind kind, bool list) {
  constexpr int64_t kBatch = 16;
  const Set& set = GetSet(kind, state.range(0));
  std::mt19937_64 random(1);
  std::vector<Question> questions;
  for (int64_t i = 0; i < kBatch; ++i) {
    questions.push_back(QuestionOf(kind, static_cast<int64_t>(random() % state.range(0))));
  }
  const Principal& principal = questions[0].principal;
  std::vector<Request> requests;
  std::vector<EntityView> resources;
  for (const Question& question : questions) {
    requests.emplace_back(principal, question.action, question.resource);
    resources.push_back(question.resource);
  }
  const auto single = [&] {
    for (const Request& request : requests) {
      benchmark::DoNotOptimize(set.engine->Decide(request).allowed());
    }
  };
  if (list) {
    Compare(state, requests.size(), single, [&] {
      benchmark::DoNotOptimize(set.engine->ListAllowed(requests[0], resources).size());
    });
  } else {
    Compare(state, requests.size(), single,
            [&] { benchmark::DoNotOptimize(set.engine->DecideAll(requests).back().allowed()); });
  }
}

// Decisions of `threads` threads in a second, the best of several.
double Throughput(const Set& set, const std::vector<Question>& questions, int threads) {
  constexpr int64_t kDecisions = 400'000;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> ready{0};
    std::vector<std::thread> running;
    std::vector<double> seconds(static_cast<size_t>(threads));
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        size_t next = 0;
        const auto decide = [&] {
          benchmark::DoNotOptimize(set.engine->Decide(questions[next].AsRequest()).allowed());
          if (++next == questions.size()) next = 0;
        };
        for (int i = 0; i < 1000; ++i) decide();
        ++ready;
        while (ready.load() < threads) std::this_thread::yield();
        const double begin = CpuSeconds();
        for (int64_t i = 0; i < kDecisions; ++i) decide();
        seconds[static_cast<size_t>(t)] = CpuSeconds() - begin;
      });
    }
    for (std::thread& thread : running) thread.join();
    double sum = 0;
    for (const double s : seconds) sum += kDecisions / s;
    best = std::max(best, sum);
  }
  return best;
}

void BM_Threads(benchmark::State& state, Kind kind) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), true);
  for (auto _ : state) {
    const double one = Throughput(set, questions, 1);
    const double two = Throughput(set, questions, 2);
    state.counters["one"] = one;
    state.counters["two"] = two;
    state.counters["of_one"] = two / one;
  }
}

// How long each of many decisions takes, sorted, in ns.
std::vector<int64_t> Latencies(const Engine& engine, const std::vector<Question>& questions) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kDecisions = 1'000'000;
  std::vector<int64_t> latencies;
  latencies.reserve(kDecisions);
  for (size_t i = 0; i < kDecisions; ++i) {
    const Clock::time_point begin = Clock::now();
    benchmark::DoNotOptimize(engine.Decide(questions[i % questions.size()].AsRequest()).allowed());
    latencies.push_back((Clock::now() - begin).count());
  }
  std::sort(latencies.begin(), latencies.end());
  return latencies;
}

void BM_Replace(benchmark::State& state, Kind kind) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), true);
  const auto report = [&state](const std::string& prefix, const std::vector<int64_t>& sorted) {
    const auto at = [&sorted](double part) {
      const auto i = static_cast<size_t>(part * static_cast<double>(sorted.size()));
      return static_cast<double>(sorted[std::min(i, sorted.size() - 1)]);
    };
    state.counters[prefix + "p50"] = at(0.5);
    state.counters[prefix + "p99"] = at(0.99);
    state.counters[prefix + "p999"] = at(0.999);
    state.counters[prefix + "worst"] = at(1);
  };
  for (auto _ : state) {
    report("calm_", Latencies(*set.engine, questions));
    std::atomic<bool> done{false};
    int64_t replaced = 0;
    std::thread replacing([&] {
      while (!done.load()) {
        SnapshotBuilder builder;
        for (int64_t i = 0; i < state.range(0); ++i) builder.AddRule(RuleOf(kind, i));
        if (!set.engine->Replace(*builder.Build()).ok()) std::abort();
        ++replaced;
      }
    });
    report("", Latencies(*set.engine, questions));
    done = true;
    replacing.join();
    state.counters["replaced"] = static_cast<double>(replaced);
  }
}

// What a set takes when it is built, the texts of its rules included.
void BM_Memory(benchmark::State& state, Kind kind) {
  for (auto _ : state) {
    const int64_t before = bytes_in_use;
    SnapshotBuilder builder;
    size_t text = 0;
    for (int64_t i = 0; i < state.range(0); ++i) {
      Rule rule = RuleOf(kind, i);
      text += rule.id.size() + rule.principals[0].text().size() + rule.actions[0].text().size() +
              rule.resources[0].text().size();
      builder.AddRule(std::move(rule));
    }
    const double begin = CpuSeconds();
    const std::shared_ptr<const Snapshot> snapshot = *builder.Build();
    const auto rules = static_cast<double>(state.range(0));
    state.counters["ns_a_rule"] = 1e9 * (CpuSeconds() - begin) / rules;
    state.counters["bytes_a_rule"] = static_cast<double>(bytes_in_use - before) / rules;
    state.counters["text_a_rule"] = static_cast<double>(text) / rules;
  }
}

void BM_Shadow(benchmark::State& state, Kind kind) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), true);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  if (!engine->Replace(set.engine->snapshot()).ok()) std::abort();
  engine->ReplaceShadow(set.engine->snapshot());
  const auto ask = [&questions](const Engine& asked) {
    for (const Question& question : questions) {
      benchmark::DoNotOptimize(asked.Decide(question.AsRequest()).shadow_differs());
    }
  };
  Compare(
      state, questions.size(), [&] { ask(*set.engine); }, [&] { ask(*engine); });
}

void BM_FloorLookUp(benchmark::State& state, bool hot) {
  const Set& set = GetSet(Kind::kExact, state.range(0));
  const std::vector<Question> questions = Questions(Kind::kExact, state.range(0), hot);
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(set.table.count(questions[next].keys.back()));
    if (++next == questions.size()) next = 0;
  }
}

void BM_FloorHash(benchmark::State& state) {
  const std::string text = "doc:/projects/p1234/2026/plan.txt";
  for (auto _ : state) {
    const absl::string_view view(text);
    benchmark::DoNotOptimize(absl::Hash<absl::string_view>()(view));
  }
}

void BM_FloorClock(benchmark::State& state) {
  timespec now;
  for (auto _ : state) {
    clock_gettime(CLOCK_REALTIME, &now);
    benchmark::DoNotOptimize(now);
  }
}

// `max_rules`: 100,000 unless asked for more.
void Register(int64_t max_rules) {
  benchmark::RegisterBenchmark("BM_Floor/hash", BM_FloorHash);
  benchmark::RegisterBenchmark("BM_Floor/clock_gettime", BM_FloorClock);
  for (int64_t rules : {10, 1000, 100000, 1000000}) {
    if (rules > max_rules) continue;
    for (const bool hot : {true, false}) {
      const std::string name = hot ? "/hot" : "/uniform";
      benchmark::RegisterBenchmark(("BM_Floor/look_up" + name).c_str(), BM_FloorLookUp, hot)
          ->Arg(rules);
    }
  }
  benchmark::RegisterBenchmark("BM_Shadow/group", BM_Shadow, Kind::kGroup)->Arg(1000);
  benchmark::RegisterBenchmark("BM_Shadow/path", BM_Shadow, Kind::kPath)->Arg(1000);
  for (const Kind kind : {Kind::kExact, Kind::kPath}) {
    const std::string name = kind == Kind::kExact ? "/exact" : "/path";
    for (int64_t rules : {1000, 100000, 1000000}) {
      if (rules > max_rules) continue;
      benchmark::RegisterBenchmark(("BM_Memory" + name).c_str(), BM_Memory, kind)
          ->Arg(rules)
          ->Iterations(1);
    }
    benchmark::RegisterBenchmark(("BM_Threads" + name).c_str(), BM_Threads, kind)
        ->Arg(1000)
        ->Iterations(1);
    benchmark::RegisterBenchmark(("BM_Replace" + name).c_str(), BM_Replace, kind)
        ->Arg(1000)
        ->Iterations(1);
  }
  for (const KindName& kind : kKinds) {
    for (int64_t rules : {1000, 100000, 1000000}) {
      if (rules > max_rules) continue;
      benchmark::RegisterBenchmark((std::string("BM_Prepared/") + kind.name).c_str(), BM_Prepared,
                                   kind.kind)
          ->Arg(rules);
      benchmark::RegisterBenchmark((std::string("BM_Batch/") + kind.name).c_str(), BM_Batch,
                                   kind.kind, false)
          ->Arg(rules);
      benchmark::RegisterBenchmark((std::string("BM_ListAllowed/") + kind.name).c_str(), BM_Batch,
                                   kind.kind, true)
          ->Arg(rules);
    }
  }
  for (const KindName& kind : kKinds) {
    for (int64_t rules : {10, 100, 1000, 100000, 1000000}) {
      if (rules > max_rules) continue;
      for (const bool hot : {true, false}) {
        const std::string name =
            std::string("BM_Decide/") + kind.name + (hot ? "/hot" : "/uniform");
        benchmark::RegisterBenchmark(name.c_str(), BM_Decide, kind.kind, hot)->Arg(rules);
      }
    }
  }
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  int64_t max_rules = 100000;
  if (argc == 2) max_rules = std::atoll(argv[1]);
  if (argc > 2 || max_rules < 10) {
    std::fprintf(stderr, "usage: %s [--benchmark_...] [MAX_RULES]\n", argv[0]);
    return 2;
  }
  reeve::Register(max_rules);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
