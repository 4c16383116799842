// What one decision costs, from strings and without records, beside the floor in the same run: the
// least work that would tell the answer from the same strings.
//
// BM_Floor/*: looking strings up in a hash table that has as many keys as the policy set rules,
// hashing one, reading the clock. BM_Decide/*: `floor` is the floor measured with the same rules
// and requests within this run, `of_floor` how many floors a decision costs, `allocs` what one
// allocates. BM_Shadow/*: the same with the same set as a shadow set beside it; `of_plain` is how
// many decisions without one it costs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "reeve/engine/testing.h"

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

namespace reeve {
namespace {

using testing::MakePrincipal;
using testing::MakeRule;

enum class Kind { kExact, kGroup, kRole, kPath, kNoRule, kDeny };

struct KindName {
  Kind kind;
  const char* name;
};

constexpr KindName kKinds[] = {
    {Kind::kExact, "exact"}, {Kind::kGroup, "group"},    {Kind::kRole, "role"},
    {Kind::kPath, "path"},   {Kind::kNoRule, "no_rule"}, {Kind::kDeny, "deny"},
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
    case Kind::kRole:
      return MakeRule("+" + n, {"role:r" + Number(i % 100)}, {"doc.read"}, {"doc:report-" + n});
    case Kind::kPath:
    case Kind::kNoRule:
      return MakeRule("+" + n, {"authenticated"}, {"doc.read"}, {"doc:/projects/p" + n + "/**"});
    case Kind::kDeny:
      return MakeRule("-" + n, {"group:g" + n}, {"doc.read"}, {"doc:report-" + n});
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
  q.reason = kind == Kind::kDeny ? Reason::kDenyRule : Reason::kAllowRule;
  q.keys = {"doc.read", "user:u" + n + "@EXAMPLE.COM", "doc:report-" + n};
  switch (kind) {
    case Kind::kExact:
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
    case Kind::kNoRule: {
      const std::string root = kind == Kind::kPath ? "/projects/p" : "/absent/p";
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

// Seconds for one round of the floor, the best of several.
double MeasureFloor(const Set& set, const std::vector<Question>& questions) {
  const int64_t repeats = std::max<int64_t>(1, (1 << 17) / static_cast<int64_t>(questions.size()));
  double best = 1;
  for (int i = 0; i < 5; ++i) {
    const double begin = CpuSeconds();
    int64_t found = 0;
    for (int64_t r = 0; r < repeats; ++r) {
      for (const Question& question : questions) found += LookUp(set, question);
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

void BM_Shadow(benchmark::State& state, Kind kind) {
  const Set& set = GetSet(kind, state.range(0));
  const std::vector<Question> questions = Questions(kind, state.range(0), true);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  if (!engine->Replace(set.engine->snapshot()).ok()) std::abort();
  engine->ReplaceShadow(set.engine->snapshot());
  const auto measure = [&questions](const Engine& asked) {
    double best = 1;
    for (int round = 0; round < 5; ++round) {
      const double begin = CpuSeconds();
      for (int i = 0; i < 64; ++i) {
        for (const Question& question : questions) {
          benchmark::DoNotOptimize(asked.Decide(question.AsRequest()).allowed());
        }
      }
      best = std::min(best, (CpuSeconds() - begin) / (64.0 * questions.size()));
    }
    return best;
  };
  const double plain = measure(*set.engine);
  const double shadowed = measure(*engine);
  const int64_t before = allocations;
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine->Decide(questions[next].AsRequest()).shadow_differs());
    if (++next == questions.size()) next = 0;
  }
  state.counters["allocs"] =
      static_cast<double>(allocations - before) / static_cast<double>(state.iterations());
  state.counters["of_plain"] = shadowed / plain;
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
  for (const KindName& kind : kKinds) {
    for (int64_t rules : {10, 1000, 100000, 1000000}) {
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
