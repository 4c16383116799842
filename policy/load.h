// Loads a policy set: YAML files in, a Snapshot or all that is wrong with them out.
//
//   reeve::LoadResult loaded = reeve::LoadPolicy("/etc/server/policy");
//   if (!loaded.ok()) { for (const reeve::Issue& issue : loaded.issues) Log(ToString(issue)); }
//   else engine->Replace(loaded.snapshot);
#ifndef REEVE_POLICY_LOAD_H_
#define REEVE_POLICY_LOAD_H_

#include <memory>
#include <string>
#include <vector>

#include "reeve/engine/snapshot.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"

namespace reeve {

// What loading came to. Either a snapshot or at least one error: nothing is half loaded.
struct LoadResult {
  bool ok() const { return snapshot != nullptr; }

  std::shared_ptr<const Snapshot> snapshot;  // Null if there is an error among `issues`.
  // Errors and warnings of all files, by file and place.
  std::vector<Issue> issues;
};

// Loads the set at `path`, a file or a directory. A directory is read recursively: regular files
// named `*.yaml` or `*.yml`, in the order of their names; what begins with a dot is skipped, and a
// symbolic link that leads out of the directory is an error. `entity_files` are loaded with it, as
// if they lay in it. Each may be a snapshot file, as `reeve compile` makes them
// (doc/compiled-sets.md). Reads files; blocks as long as that takes.
LoadResult LoadPolicy(const std::string& path, const std::vector<std::string>& entity_files = {},
                      const LoadLimits& limits = {});

// The same from memory. The digest is of the texts alone: what files are called, and where they
// lie, does not change what a set means. Files of tests are checked, and are not in it.
LoadResult LoadPolicy(std::vector<SourceFile> files, const LoadLimits& limits = {});

// The same as LoadPolicy(), and looks for what is risky or without effect, and for warnings that
// are accepted in vain, in a set that has no errors. Takes longer: for `reeve lint` and tests, not
// for servers.
LoadResult LintPolicy(const std::string& path, const std::vector<std::string>& entity_files = {},
                      const LoadLimits& limits = {});
LoadResult LintPolicy(std::vector<SourceFile> files, const LoadLimits& limits = {});

}  // namespace reeve

#endif  // REEVE_POLICY_LOAD_H_
