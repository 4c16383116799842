// What it costs to load a policy set from disk, from YAML and compiled, in processor time.
//
// BM_Load/N: N rules, of which a half has two conditions of its own. `yaml_ms`, `compiled_ms`: one
// load of each, without giving its memory back; `yaml_of_compiled`: how many compiled ones it
// costs; `compiled_of_floor`: how many digests of its rules a compiled one does.
#include <benchmark/benchmark.h>
#include <endian.h>
#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "reeve/policy/compile.h"
#include "reeve/policy/load.h"

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

// The files of a set, which are there until this goes.
class Files {
 public:
  explicit Files(int rules) {
    std::string path = std::filesystem::temp_directory_path() / "load_benchmark_XXXXXX";
    root_ = mkdtemp(path.data());
    const std::string text = Text(rules);
    std::ofstream(yaml()) << text;
    bytes_ = CompilePolicy({{"policy.yaml", text}}).bytes;
    std::ofstream(compiled(), std::ios::binary) << bytes_;
  }
  ~Files() { std::filesystem::remove_all(root_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::string yaml() const { return root_ / "policy.yaml"; }
  std::string compiled() const { return root_ / "policy.reeve"; }
  const std::string& compiled_bytes() const { return bytes_; }

 private:
  std::filesystem::path root_;
  std::string bytes_;
};

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Processor time of loading the file at `path`, in seconds.
double TimeOf(const std::string& path) {
  const double begin = Seconds();
  const LoadResult loaded = LoadPolicy(path);
  const double end = Seconds();
  if (!loaded.ok()) std::abort();
  return end - begin;
}

// How many bytes of a compiled set its rules are (doc/compiled-sets.md).
uint64_t RulesSize(const std::string& compiled) {
  uint64_t size = 0;
  std::memcpy(&size, &compiled[16], sizeof size);
  return le64toh(size);
}

// What a digest of the rules costs: no load that looks at them all comes to less.
double TimeOfFloor(std::string_view bytes) {
  unsigned char digest[32];
  const double begin = Seconds();
  crypto_generichash(digest, sizeof digest, reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size(), nullptr, 0);
  benchmark::DoNotOptimize(digest);
  return Seconds() - begin;
}

void BM_Load(benchmark::State& state) {
  const Files files(static_cast<int>(state.range(0)));
  const std::string& bytes = files.compiled_bytes();
  double yaml = 0, compiled = 0, floor = 0;
  for (auto _ : state) {
    // In turn, so that both see the same machine.
    yaml += TimeOf(files.yaml());
    compiled += TimeOf(files.compiled());
    floor += TimeOfFloor(std::string_view(bytes).substr(0, RulesSize(bytes)));
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["yaml_ms"] = 1e3 * yaml / rounds;
  state.counters["compiled_ms"] = 1e3 * compiled / rounds;
  state.counters["yaml_of_compiled"] = yaml / compiled;
  state.counters["compiled_of_floor"] = compiled / floor;
}
BENCHMARK(BM_Load)->Arg(100)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  if (sodium_init() < 0) return 1;
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
