// What a condition costs to load: from its text, and from the bytes of its program.
//
// BM_FromText/NAME compiles the text; BM_FromBytes/NAME decodes the program, which verifies it, and
// has its bytes as `bytes`.
#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/conditions.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/encoding.h"

namespace reeve {
namespace {

struct Text {
  const char* name;
  const char* text;
};

constexpr Text kTexts[] = {
    {"compare", "principal.level >= 3"},
    {"compare_facts", "resource.owner == principal.id"},
    {"two_tests", "resource.owner == principal.id || resource.tag == 't7'"},
    {"constants", "context.office in ['paris', 'berlin', 'rome', 'oslo']"},
    {"group", "principal.isIn('group:staff')"},
    {"hours", "context.time.getHours('Europe/Berlin') >= 8"},
    {"exists", "resource.tags.exists(t, t == 'q3' || t == 'q4')"},
    {"matches", "principal.mail.matches('^[a-z]+@example\\\\.com$')"},
};

std::optional<Condition> Compile(const char* text, Conditions* conditions) {
  std::vector<std::string> used;
  ConditionDefects defects;
  return conditions->Compile(text, {}, &used, &defects);
}

void BM_FromText(benchmark::State& state, const char* text) {
  for (auto _ : state) {
    // Each remembers what it has compiled.
    state.PauseTiming();
    auto conditions = std::make_unique<Conditions>("bench");
    state.ResumeTiming();
    if (!Compile(text, conditions.get()).has_value())
      return state.SkipWithError("does not compile");
    state.PauseTiming();
    conditions = nullptr;
    state.ResumeTiming();
  }
}

void BM_FromBytes(benchmark::State& state, const char* text) {
  Conditions conditions("bench");
  const std::optional<Condition> condition = Compile(text, &conditions);
  if (!condition.has_value()) return state.SkipWithError("does not compile");
  const std::string bytes = cel::EncodingOf(*condition->program);
  cel::ProgramDecoder decoder;
  for (auto _ : state) {
    ByteReader reader(bytes);
    if (!decoder.Decode(&reader).ok()) return state.SkipWithError("does not decode");
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const reeve::Text& text : reeve::kTexts) {
    const std::string name = text.name;
    benchmark::RegisterBenchmark(("BM_FromText/" + name).c_str(), reeve::BM_FromText, text.text);
    benchmark::RegisterBenchmark(("BM_FromBytes/" + name).c_str(), reeve::BM_FromBytes, text.text);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
