// Finds and reads the files of a policy set.
#ifndef REEVE_POLICY_SOURCE_FILES_H_
#define REEVE_POLICY_SOURCE_FILES_H_

#include <string>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"

namespace reeve {

// Adds the files of the set at `path`, as LoadPolicy() describes it, to *files, and what cannot be
// read to *issues.
void ReadSourceFiles(const std::string& path, const LoadLimits& limits,
                     std::vector<SourceFile>* files, std::vector<Issue>* issues);

}  // namespace reeve

#endif  // REEVE_POLICY_SOURCE_FILES_H_
