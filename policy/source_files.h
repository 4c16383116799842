// Finds and reads the files of a policy set.
#ifndef REEVE_POLICY_SOURCE_FILES_H_
#define REEVE_POLICY_SOURCE_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"

namespace reeve {

// Adds the files of the set at `path`, as LoadPolicy() describes it, to *files, and what cannot be
// read to *issues.
void ReadSourceFiles(const std::string& path, const LoadLimits& limits,
                     std::vector<SourceFile>* files, std::vector<Issue>* issues);

// Reads the snapshot file at `path` but for its files, of *left_out bytes: as
// UnpackSnapshotRules() takes it. False if it is something else, is longer than `limits` allow or
// cannot be read.
bool ReadSnapshotRules(const std::string& path, const LoadLimits& limits, SourceFile* file,
                       size_t* left_out);

}  // namespace reeve

#endif  // REEVE_POLICY_SOURCE_FILES_H_
