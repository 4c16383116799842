// What it costs to ask whether one entity lies in another, how long a graph takes to load, and what
// memory it holds: of 1,000 to 1,000,000 entities, in trees, in one chain, and of members of
// several groups.
//
// BM_Ask/*: decisions about random entities; `named` by a rule that names the root, `asked` by a
// condition that asks for a random entity above. `floor` is a decision about an entity of the same
// name under the same rule without any entities, within this run, and `of_floor` how many of them
// one takes. BM_Load/*: `bytes` are those of the heap for each entity, names and all.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "policy/conditions.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::MakeRule;

enum class Shape { kTree, kChain, kGroups };

struct ShapeName {
  Shape shape;
  const char* name;
};

constexpr ShapeName kShapes[] = {
    {Shape::kTree, "tree"}, {Shape::kChain, "chain"}, {Shape::kGroups, "groups"}};

EntityId Name(int64_t i) { return EntityId("node", "member-" + std::to_string(i)); }

// The parents of each entity, all of which come before it; 0 is above all.
std::vector<std::vector<int64_t>> Parents(Shape shape, int64_t count) {
  std::vector<std::vector<int64_t>> parents(static_cast<size_t>(count));
  std::mt19937_64 random(1);
  const int64_t groups = std::max<int64_t>(count / 100, 10);
  for (int64_t i = 1; i < count; ++i) {
    auto& mine = parents[static_cast<size_t>(i)];
    if (shape == Shape::kChain) {
      mine = {i - 1};
    } else if (shape == Shape::kTree || i < groups) {
      mine = {(i - 1) / 10};
    } else {
      // A hundred members a group on average, each of five.
      for (int n = 0; n < 5; ++n) mine.push_back(static_cast<int64_t>(random() % groups));
    }
  }
  return parents;
}

Condition AsksForContext() {
  std::vector<std::string> used;
  ConditionDefects defects;
  auto condition = Conditions("p").Compile("principal.isIn(context.above)", {}, &used, &defects);
  if (!condition.has_value()) std::abort();
  return *std::move(condition);
}

std::shared_ptr<const Snapshot> Load(const std::vector<std::vector<int64_t>>& parents, bool asked) {
  SnapshotBuilder builder;
  Rule rule = MakeRule("+r", {asked ? "anyone" : "node:member-0"}, {"read"}, {"doc:1"});
  if (asked) rule.when = {AsksForContext()};
  builder.AddRule(std::move(rule));
  for (size_t i = 0; i < parents.size(); ++i) {
    Entity entity;
    entity.id = Name(static_cast<int64_t>(i));
    for (const int64_t parent : parents[i]) entity.parents.push_back(Name(parent));
    builder.AddEntity(std::move(entity));
  }
  return *builder.Build();
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Question {
  Principal principal;
  Attributes context;
};

bool Ask(const Engine& engine, const Question& question) {
  Request request(question.principal, "read", {"doc", "1"});
  request.context = &question.context;
  return engine.Decide(request).allowed();
}

// Seconds for one question, the best of several rounds.
double Measure(const Engine& engine, const std::vector<Question>& questions) {
  double best = 1;
  for (int round = 0; round < 5; ++round) {
    const double begin = CpuSeconds();
    for (int i = 0; i < 4; ++i) {
      for (const Question& question : questions) benchmark::DoNotOptimize(Ask(engine, question));
    }
    best = std::min(best, (CpuSeconds() - begin) / (4.0 * static_cast<double>(questions.size())));
  }
  return best;
}

void BM_Ask(benchmark::State& state, Shape shape, bool asked) {
  const int64_t count = state.range(0);
  const auto parents = Parents(shape, count);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  const std::unique_ptr<Engine> floor_engine = *Engine::Create(options);
  if (!engine->Replace(Load(parents, asked)).ok() || !floor_engine->Replace(Load({}, asked)).ok()) {
    std::abort();
  }
  std::mt19937_64 random(2);
  std::vector<Question> questions(8192);
  for (Question& question : questions) {
    const auto start = static_cast<int64_t>(1 + random() % static_cast<uint64_t>(count - 1));
    question.principal = Principal(Name(start), Assurance::kKernel);
    // One on some way up; of a chain any.
    int64_t above = shape == Shape::kChain ? static_cast<int64_t>(random() % (start + 1)) : start;
    for (int step = 0; shape != Shape::kChain && step < 3; ++step) {
      const auto& up = parents[static_cast<size_t>(above)];
      if (!up.empty()) above = up[random() % up.size()];
    }
    question.context.Set("above", Value::String(ToString(Name(above))));
    if (Ask(*engine, question)) continue;
    state.SkipWithError("a wrong answer");
    return;
  }
  const double floor = Measure(*floor_engine, questions);
  size_t next = 0;
  const double begin = CpuSeconds();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Ask(*engine, questions[next]));
    next = (next + 1) % questions.size();
  }
  const double each = (CpuSeconds() - begin) / static_cast<double>(state.iterations());
  state.counters["floor"] = floor;
  state.counters["of_floor"] = each / floor;
}

void BM_Load(benchmark::State& state, Shape shape) {
  const auto parents = Parents(shape, state.range(0));
  double bytes = 0;
  for (auto _ : state) {
    malloc_trim(0);
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    const std::shared_ptr<const Snapshot> snapshot = Load(parents, false);
    bytes = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - before);
  }
  state.counters["bytes"] = bytes / static_cast<double>(state.range(0));
}

void Register() {
  for (const ShapeName& shape : kShapes) {
    for (const int64_t count : {1000, 100000, 1000000}) {
      const std::string name = shape.name;
      benchmark::RegisterBenchmark(("BM_Ask/named/" + name).c_str(), BM_Ask, shape.shape, false)
          ->Arg(count);
      benchmark::RegisterBenchmark(("BM_Ask/asked/" + name).c_str(), BM_Ask, shape.shape, true)
          ->Arg(count);
      benchmark::RegisterBenchmark(("BM_Load/" + name).c_str(), BM_Load, shape.shape)
          ->Arg(count)
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  reeve::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
