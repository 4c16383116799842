// What loading a policy set costs, part by part.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/policy/document_reader.h"
#include "reeve/policy/load.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

std::string Text(int rules) {
  std::string text = "reeve: 1\npolicy: documents\nroles:\n  editor: [group:staff]\nrules:\n";
  for (int i = 0; i < rules; ++i) {
    absl::StrAppend(&text, "  - id: rule-", i, "\n    effect: ", i % 10 == 0 ? "deny" : "allow",
                    "\n    principals: [", i % 3 == 0 ? "role:editor" : absl::StrCat("user:u", i),
                    "]\n    actions: [doc.read, doc.write]\n    resources: [\"doc:/projects/p", i,
                    "/**\"]\n");
    if (i % 2 == 0) {
      absl::StrAppend(&text, "    when:\n      - principal.level >= ", i % 50,
                      "\n      - resource.owner == principal.id || resource.tag == \"t", i, "\"\n");
    }
  }
  return text;
}

void BM_Load(benchmark::State& state) {
  const std::string text = Text(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    if (!LoadPolicy({{"a.yaml", text}}).ok()) std::abort();
  }
}
BENCHMARK(BM_Load)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

void BM_Yaml(benchmark::State& state) {
  const std::string text = Text(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    std::vector<Issue> issues;
    benchmark::DoNotOptimize(ReadYaml("a.yaml", text, {}, &issues));
  }
}
BENCHMARK(BM_Yaml)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

void BM_Document(benchmark::State& state) {
  const std::string text = Text(static_cast<int>(state.range(0)));
  std::vector<Issue> issues;
  const auto yaml = ReadYaml("a.yaml", text, {}, &issues);
  for (auto _ : state) {
    Documents documents;
    ReadDocument("a.yaml", *yaml, {}, &documents, &issues);
    benchmark::DoNotOptimize(documents);
  }
}
BENCHMARK(BM_Document)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
