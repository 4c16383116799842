// Makes snapshot files of policy sets, which load without reading YAML.
#ifndef REEVE_POLICY_COMPILE_H_
#define REEVE_POLICY_COMPILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "reeve/policy/load.h"

namespace reeve {

struct CompileResult {
  LoadResult loaded;  // As LoadPolicy() of the same.
  std::string bytes;  // Of the snapshot file; empty unless loaded.ok().
};

// Loads the set at `path` with `entity_files` and makes one snapshot file of it all, which
// LoadPolicy() takes anywhere: it decides the same, and has the same digest. What is compiled
// already is read anew from the texts that are in it. The same files, below `path`, give the same
// bytes, wherever they lie.
//
// If `signing_key` is not null, it is 64 bytes as crypto_sign(3) has them, and the file is signed.
CompileResult CompilePolicy(const std::string& path,
                            const std::vector<std::string>& entity_files = {},
                            const uint8_t* signing_key = nullptr, const LoadLimits& limits = {});

// The same from memory: the names of `files` are kept.
CompileResult CompilePolicy(const std::vector<SourceFile>& files,
                            const uint8_t* signing_key = nullptr, const LoadLimits& limits = {});

}  // namespace reeve

#endif  // REEVE_POLICY_COMPILE_H_
