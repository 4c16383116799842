#ifndef REEVE_STORE_SET_ASIDE_H_
#define REEVE_STORE_SET_ASIDE_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reeve {

// A lock among those who create, or set aside, files of one directory, for as long as it lives.
class DirectoryLock {
 public:
  // `path` is that of a file in the directory, absolute; messages begin with `name`. Waits for
  // about a second.
  static absl::StatusOr<DirectoryLock> Take(const std::string& path, const std::string& name);
  DirectoryLock(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

  // Others can hold this lock, too, for as long as they like.
  bool taken() const { return taken_; }
  // Syncs the names of the directory to the disk. Returns an errno, or 0.
  int Sync() const;

 private:
  DirectoryLock(int directory, bool taken) : directory_(directory), taken_(taken) {}

  int directory_;
  bool taken_;
};

// Renames the damaged file `path`, and what SQLite keeps beside it, to a name that is not in use:
//   audit.db.20261127T153000Z.damaged      and -wal, -shm
// with `-2` and so on behind it if it is. Nothing is followed, changed or written over. Returns the
// last part of the new name. Errors:
//   NotFound     `path` is not, or not any more, a file with that inode: leave it alone
//   Unavailable  it cannot be renamed; it stands where it stood
absl::StatusOr<std::string> SetAside(const std::string& path, const std::string& name, ino_t inode,
                                     absl::Time now);

// The last part of the name of the file that SetAside() gave the latest time of those that stand
// beside `path`; empty if there is none.
std::string NewestSetAside(const std::string& path);

// The status of a system call that failed with `error`.
absl::Status SystemError(int error, const std::string& name, const char* what);

}  // namespace reeve

#endif  // REEVE_STORE_SET_ASIDE_H_
