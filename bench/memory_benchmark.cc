// What a policy set takes to load from YAML, and to keep, in proportion to its rules.
//
// BM_Load/KIND/N: N rules of one kind, loaded once from memory. `us_per_rule`: processor time of
// the load; `parser_us`: that of yaml-cpp's parser, which only reports what it reads, on the same
// bytes; `of_parser`: how many of these a load costs. `bytes_per_rule`: what is allocated when the
// snapshot is there and its sources are gone; `source_bytes`: what a rule takes in YAML.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

enum class Kind { kExact, kPath, kConditions };

struct KindName {
  Kind kind;
  const char* name;
};

constexpr KindName kKinds[] = {
    {Kind::kExact, "exact"}, {Kind::kPath, "path"}, {Kind::kConditions, "conditions"}};

// A file has at most 64 MiB.
constexpr int kRulesOfFile = 100'000;

std::vector<SourceFile> Sources(Kind kind, int rules) {
  std::vector<SourceFile> files;
  for (int i = 0; i < rules; ++i) {
    if (i % kRulesOfFile == 0) {
      files.push_back({absl::StrCat(files.size(), ".yaml"),
                       absl::StrCat("reeve: 1\npolicy: p", files.size(), "\nrules:\n")});
    }
    std::string& text = files.back().text;
    absl::StrAppend(&text, "  - id: r", i, "\n    effect: allow\n    principals: [");
    if (kind == Kind::kExact) {
      absl::StrAppend(&text, "\"user:u", i, "@EXAMPLE.COM\"]\n    actions: [doc.read]\n",
                      "    resources: [\"doc:report-", i, "\"]\n");
    } else {
      absl::StrAppend(&text, "\"group:g", i % 1000, "\"]\n    actions: [doc.read]\n",
                      "    resources: [\"doc:/projects/p", i, "/**\"]\n");
    }
    if (kind == Kind::kConditions) {
      absl::StrAppend(&text, "    when:\n      - principal.level >= ", i % 50,
                      "\n      - resource.owner == principal.id || resource.tag == \"t", i, "\"\n");
    }
  }
  return files;
}

// What is allocated: of the arenas and by mmap.
double AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class CountingHandler final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override { ++events; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override { ++events; }
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { ++events; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    ++events;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    ++events;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    ++events;
  }
  void OnMapEnd() override {}

  int64_t events = 0;
};

double TimeOfParser(const std::vector<SourceFile>& files) {
  const double begin = Seconds();
  CountingHandler handler;
  for (const SourceFile& file : files) {
    std::istringstream text(file.text);
    YAML::Parser parser(text);
    while (parser.HandleNextDocument(handler)) {
    }
  }
  benchmark::DoNotOptimize(handler.events);
  return Seconds() - begin;
}

void BM_Load(benchmark::State& state, Kind kind) {
  const int rules = static_cast<int>(state.range(0));
  double load = 0, parser = 0, kept = 0, source = 0;
  for (auto _ : state) {
    std::vector<SourceFile> files = Sources(kind, rules);
    for (const SourceFile& file : files) source += static_cast<double>(file.text.size());
    parser += TimeOfParser(files);
    malloc_trim(0);
    double before = AllocatedBytes();
    for (const SourceFile& file : files) before -= static_cast<double>(file.text.capacity());
    const double begin = Seconds();
    LoadResult loaded = LoadPolicy(std::move(files));
    load += Seconds() - begin;
    if (!loaded.ok()) {
      state.SkipWithError("does not load");
      return;
    }
    files = {};
    kept += AllocatedBytes() - before;
  }
  const double all = static_cast<double>(state.iterations()) * rules;
  state.counters["us_per_rule"] = 1e6 * load / all;
  state.counters["parser_us"] = 1e6 * parser / all;
  state.counters["of_parser"] = load / parser;
  state.counters["bytes_per_rule"] = kept / all;
  state.counters["source_bytes"] = source / all;
}

void Register(int64_t max_rules) {
  for (const KindName& kind : kKinds) {
    for (const int64_t rules : {1000, 100'000, 1'000'000}) {
      if (rules > max_rules) continue;
      benchmark::RegisterBenchmark(absl::StrCat("BM_Load/", kind.name).c_str(), BM_Load, kind.kind)
          ->Arg(rules)
          ->Iterations(rules == 1000 ? 20 : 1)
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  int64_t max_rules = 100'000;
  if (argc == 2) max_rules = std::atoll(argv[1]);
  if (argc > 2 || max_rules < 1000) {
    std::fprintf(stderr, "usage: %s [--benchmark_...] [MAX_RULES]\n", argv[0]);
    return 2;
  }
  reeve::Register(max_rules);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
