// A layer between SQLite and the file system, for tests of what disks do.
#ifndef REEVE_STORE_TESTING_VFS_H_
#define REEVE_STORE_TESTING_VFS_H_

#include <sqlite3.h>

#include <string>

namespace reeve::testing {

// What is asked of the file system. Each method passes the call on; override those that matter.
// Calls may come from several threads at once. A result is one of SQLite's codes.
class Disk {
 public:
  virtual ~Disk() = default;

  // `path` is empty for a temporary file.
  virtual int Open(const std::string& path);
  virtual int Write(const std::string& path, sqlite3_file* file, const void* data, int size,
                    sqlite3_int64 at);
  virtual int Truncate(const std::string& path, sqlite3_file* file, sqlite3_int64 size);
  virtual int Sync(const std::string& path, sqlite3_file* file, int flags);
  virtual int MapShared(sqlite3_file* file, int region, int size, int extend,
                        void volatile** memory);
  virtual int Delete(sqlite3_vfs* below, const std::string& path, int sync);
};

// Puts `disk` before the file system for all of this program from now on; null takes it away. No
// file may be open.
void UseDisk(Disk* disk);

}  // namespace reeve::testing

#endif  // REEVE_STORE_TESTING_VFS_H_
