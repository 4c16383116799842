// Snapshot files that EncodeSnapshotFile() did not make. For tests and fuzzers.
#ifndef REEVE_POLICY_SNAPSHOT_FILE_TESTING_H_
#define REEVE_POLICY_SNAPSHOT_FILE_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "reeve/policy/snapshot_file.h"

namespace reeve {

// Gives the bytes of an unsigned snapshot file, of at least kSnapshotHeaderBytes, the digests that
// belong to them, and the length of its files. `rules` is that of its rules.
void SealSnapshotFile(uint64_t rules, std::string* bytes);

// The length that it states of its rules.
uint64_t RulesSize(std::string_view bytes);

}  // namespace reeve

#endif  // REEVE_POLICY_SNAPSHOT_FILE_TESTING_H_
