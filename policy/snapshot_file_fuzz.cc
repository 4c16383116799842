// Loads any bytes as a snapshot file: as they are, and with the digests that belong to them, so
// that what these are of is reached.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "reeve/policy/compile.h"
#include "reeve/policy/load.h"
#include "reeve/policy/snapshot_file.h"
#include "reeve/policy/snapshot_file_testing.h"

namespace reeve {
namespace {

void Check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property broken: %s\n", what);
  std::abort();
}

void Load(const std::string& bytes) {
  const LoadResult loaded = LoadPolicy({{"fuzz", bytes}});
  for (const Issue& issue : loaded.issues) {
    for (const char c : ToString(issue)) {
      Check(static_cast<unsigned char>(c) >= 0x20, "an issue is one line");
    }
    Excerpt(issue);
  }
  LoadLimits limits;
  const std::vector<PolicyKey> nobody;
  limits.trusted_keys = &nobody;
  Check(!LoadPolicy({{"fuzz", bytes}}, limits).ok(), "nothing loads if nobody is trusted");
  if (!loaded.ok() || !IsSnapshotFile(bytes)) return;
  for (size_t i = 0; i < loaded.snapshot->rule_count(); ++i) loaded.snapshot->rule(i);
  // Its texts may not be YAML at all; if they are, and it is what they say, it has their digest.
  const CompileResult again = CompilePolicy({{"fuzz", bytes}});
  Check(!again.loaded.ok() || !LintPolicy({{"fuzz", bytes}}).ok() ||
            again.loaded.snapshot->digest() == loaded.snapshot->digest(),
        "the digest is that of the texts");
}

}  // namespace
}  // namespace reeve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  reeve::Load(bytes);
  using reeve::kSnapshotHeaderBytes;
  if (bytes.size() < kSnapshotHeaderBytes || !reeve::IsSnapshotFile(bytes)) return 0;
  const uint64_t rules =
      std::min<uint64_t>(reeve::RulesSize(bytes), bytes.size() - kSnapshotHeaderBytes);
  reeve::SealSnapshotFile(rules, &bytes);
  reeve::Load(bytes);
  return 0;
}
