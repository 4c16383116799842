// Loads a policy set to compile it.
#ifndef REEVE_POLICY_LOAD_PROGRAMS_H_
#define REEVE_POLICY_LOAD_PROGRAMS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "reeve/policy/load.h"

namespace reeve {

// LoadPolicy() of files none of which is a snapshot file. What the conditions of each were compiled
// to goes to *programs, by its name, as ProgramBytes::made.
LoadResult LoadPolicyAndPrograms(std::vector<SourceFile> files, const LoadLimits& limits,
                                 absl::flat_hash_map<std::string, std::string>* programs);

// Whether the texts in a snapshot file compile to the rules in it. True of one without rules, and
// of what is no snapshot file.
bool HasRulesOfItsTexts(const SourceFile& file, const LoadLimits& limits);

}  // namespace reeve

#endif  // REEVE_POLICY_LOAD_PROGRAMS_H_
