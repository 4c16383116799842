// What a PolicyWatcher looks at: all directories in which something could change what a path leads
// to. Internal.
#ifndef REEVE_POLICY_WATCHER_PATHS_H_
#define REEVE_POLICY_WATCHER_PATHS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace reeve {

// Called with a directory and the name of an entry in it that matters; an empty name is all but
// those that begin with a dot. Called before the directory is read, so that what changes afterwards
// is seen either by whoever watches it or by the reading.
using WatchDirectory = std::function<void(const std::string& directory, std::string_view name)>;

// Follows each of `paths`, from the root of the file system or, if it is relative, the working
// directory: over symbolic links, up to what is not there, and down into directories. Returns a
// fingerprint of all that it found, which is another one when a file was changed, replaced, added
// or removed. Bounded: of a tree that is too large or too deep to be loaded it sees a part only.
//
// Reads no file; what cannot be looked at is taken for not there.
std::string FollowPaths(const std::vector<std::string>& paths, const WatchDirectory& watch);

}  // namespace reeve

#endif  // REEVE_POLICY_WATCHER_PATHS_H_
