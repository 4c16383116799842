// What a decision costs in Cedar's three workloads, from strings and without records.
//
// BM_Workload/NAME/N: N entities of each kind, 500 requests, of the plain variant. `median_ns` and
// `p99_ns` are of single decisions, each between two readings of the clock, of which the cost of
// the readings is taken off. `floor_ns`: looking the three names of a request up in a hash table of
// all names, as often; `of_floor`: how many of them a decision costs. `allocs`: what one allocates.
// BM_Template/NAME/N: the same with each grant a rule of its own; `of_plain` is how many decisions
// of the plain variant one costs, measured in turn.
//
// The answers are those of the walk over the store, checked before timing; workloads_test compares
// that with Cedar.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "reeve/bench/workloads/workloads.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/load.h"

namespace {
int64_t allocations = 0;
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace reeve::bench {
namespace {

constexpr int kRequests = 500;
constexpr uint64_t kSeed = 1;

// A request that keeps what it points to.
struct Question {
  Principal principal;
  std::string action;
  EntityId resource;
  bool allow;
  std::string keys[3];

  Request AsRequest() const { return Request(principal, action, resource); }
};

std::unique_ptr<Engine> MakeEngine(const Store& store, bool templates) {
  const LoadResult loaded = LoadPolicy(ToPolicySet(store, templates));
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  if (!loaded.ok() || !engine->Replace(loaded.snapshot).ok()) std::abort();
  return engine;
}

struct Set {
  Set(Kind kind, int n) {
    const Store store = MakeStore(kind, n, kSeed);
    plain = MakeEngine(store, false);
    if (!GrantsOf(store).empty()) templated = MakeEngine(store, true);
    for (const auto& [id, item] : store.items) table.emplace(ToString(id), table.size());
    for (const Asked& asked : MakeRequests(store, kRequests, kSeed)) {
      table.emplace(asked.action, table.size());
      questions.push_back({Principal(asked.principal, Assurance::kAsserted),
                           asked.action,
                           asked.resource,
                           asked.allow,
                           {ToString(asked.principal), asked.action, ToString(asked.resource)}});
    }
  }

  bool Answers(const Engine& engine) const {
    return std::all_of(questions.begin(), questions.end(), [&](const Question& question) {
      return engine.Decide(question.AsRequest()).allowed() == question.allow;
    });
  }

  std::unique_ptr<Engine> plain;
  std::unique_ptr<Engine> templated;  // Null if there are no grants.
  absl::flat_hash_map<std::string, size_t> table;
  std::vector<Question> questions;
};

double Now(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

// Nanoseconds of processor time of each of the calls `ask(question)`, the best of several rounds
// over all questions.
template <typename Ask>
double BestRound(const std::vector<Question>& questions, Ask ask) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 10; ++round) {
    const double begin = Now(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 10; ++i) {
      for (const Question& question : questions) ask(question);
    }
    best = std::min(
        best, (Now(CLOCK_THREAD_CPUTIME_ID) - begin) / static_cast<double>(10 * questions.size()));
  }
  return best;
}

double TimeOf(const Engine& engine, const std::vector<Question>& questions) {
  return BestRound(questions, [&](const Question& question) {
    benchmark::DoNotOptimize(engine.Decide(question.AsRequest()).allowed());
  });
}

// The middle and the 99th percentile of `samples`.
struct Percentiles {
  explicit Percentiles(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    median = samples[samples.size() / 2];
    p99 = samples[samples.size() * 99 / 100];
  }
  double median;
  double p99;
};

// Of single decisions, on the monotonic clock.
Percentiles Single(const Engine& engine, const std::vector<Question>& questions) {
  std::vector<double> empty, samples;
  for (int round = 0; round < 50; ++round) {
    for (const Question& question : questions) {
      const double begin = Now(CLOCK_MONOTONIC);
      benchmark::DoNotOptimize(engine.Decide(question.AsRequest()).allowed());
      const double end = Now(CLOCK_MONOTONIC);
      samples.push_back(end - begin);
      empty.push_back(Now(CLOCK_MONOTONIC) - end);
    }
  }
  const double clock = Percentiles(std::move(empty)).median;
  for (double& sample : samples) sample -= clock;
  return Percentiles(std::move(samples));
}

void Decide(benchmark::State& state, const Engine& engine, const Set& set) {
  if (!set.Answers(engine)) {
    state.SkipWithError("a wrong answer");
    return;
  }
  const int64_t before = allocations;
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine.Decide(set.questions[next].AsRequest()).allowed());
    if (++next == set.questions.size()) next = 0;
  }
  state.counters["allocs"] =
      static_cast<double>(allocations - before) / static_cast<double>(state.iterations());
  const Percentiles single = Single(engine, set.questions);
  state.counters["median_ns"] = single.median;
  state.counters["p99_ns"] = single.p99;
}

void BM_Workload(benchmark::State& state, Kind kind) {
  const Set set(kind, static_cast<int>(state.range(0)));
  Decide(state, *set.plain, set);
  const double floor = BestRound(set.questions, [&](const Question& question) {
    size_t found = 0;
    for (const std::string& key : question.keys) found += set.table.count(key);
    benchmark::DoNotOptimize(found);
  });
  state.counters["floor_ns"] = floor;
  state.counters["of_floor"] = TimeOf(*set.plain, set.questions) / floor;
}

void BM_Template(benchmark::State& state, Kind kind) {
  const Set set(kind, static_cast<int>(state.range(0)));
  Decide(state, *set.templated, set);
  const double plain = TimeOf(*set.plain, set.questions);
  state.counters["of_plain"] = TimeOf(*set.templated, set.questions) / plain;
  state.counters["rules"] = static_cast<double>(set.templated->snapshot()->rule_count());
}

void Register() {
  for (const Kind kind : kKinds) {
    const std::string name(ToString(kind));
    for (const int n : {5, 10, 15, 20, 30, 40, 50}) {
      benchmark::RegisterBenchmark(absl::StrCat("BM_Workload/", name).c_str(), BM_Workload, kind)
          ->Arg(n);
      if (kind == Kind::kTinyTodo) continue;
      benchmark::RegisterBenchmark(absl::StrCat("BM_Template/", name).c_str(), BM_Template, kind)
          ->Arg(n);
    }
  }
}

}  // namespace
}  // namespace reeve::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  reeve::bench::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
