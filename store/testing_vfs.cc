#include "reeve/store/testing_vfs.h"

#include <cstdlib>
#include <new>

namespace reeve::testing {
namespace {

Disk pass_on;
Disk* disk = &pass_on;

// The file below stands behind it in memory.
struct File {
  sqlite3_file base;
  std::string* path;
};

sqlite3_file* Below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}
const std::string& Path(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->path; }

const sqlite3_io_methods kMethods = {
    2,
    [](sqlite3_file* f) {
      delete reinterpret_cast<File*>(f)->path;
      return Below(f)->pMethods->xClose(Below(f));
    },
    [](sqlite3_file* f, void* data, int size, sqlite3_int64 at) {
      return Below(f)->pMethods->xRead(Below(f), data, size, at);
    },
    [](sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
      return disk->Write(Path(f), Below(f), data, size, at);
    },
    [](sqlite3_file* f, sqlite3_int64 size) { return disk->Truncate(Path(f), Below(f), size); },
    [](sqlite3_file* f, int flags) { return disk->Sync(Path(f), Below(f), flags); },
    [](sqlite3_file* f, sqlite3_int64* size) {
      return Below(f)->pMethods->xFileSize(Below(f), size);
    },
    [](sqlite3_file* f, int level) { return Below(f)->pMethods->xLock(Below(f), level); },
    [](sqlite3_file* f, int level) { return Below(f)->pMethods->xUnlock(Below(f), level); },
    [](sqlite3_file* f, int* out) { return Below(f)->pMethods->xCheckReservedLock(Below(f), out); },
    [](sqlite3_file* f, int op, void* arg) {
      return Below(f)->pMethods->xFileControl(Below(f), op, arg);
    },
    [](sqlite3_file* f) { return Below(f)->pMethods->xSectorSize(Below(f)); },
    [](sqlite3_file* f) { return Below(f)->pMethods->xDeviceCharacteristics(Below(f)); },
    [](sqlite3_file* f, int region, int size, int extend, void volatile** memory) {
      return disk->MapShared(Below(f), region, size, extend, memory);
    },
    [](sqlite3_file* f, int offset, int n, int flags) {
      return Below(f)->pMethods->xShmLock(Below(f), offset, n, flags);
    },
    [](sqlite3_file* f) { Below(f)->pMethods->xShmBarrier(Below(f)); },
    [](sqlite3_file* f, int remove) { return Below(f)->pMethods->xShmUnmap(Below(f), remove); },
    nullptr,
    nullptr,
};

sqlite3_vfs* Below(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const std::string path = name == nullptr ? "" : name;
  int code = disk->Open(path);
  if (code != SQLITE_OK) return code;
  code = Below(vfs)->xOpen(Below(vfs), name, Below(file), flags, out_flags);
  if (Below(file)->pMethods == nullptr) return code;
  reinterpret_cast<File*>(file)->path = new std::string(path);
  file->pMethods = &kMethods;
  return code;
}

bool Install() {
  sqlite3_vfs* below = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *below;
  vfs.zName = "testing";
  vfs.pAppData = below;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + below->szOsFile;
  vfs.xOpen = Open;
  vfs.xDelete = [](sqlite3_vfs* v, const char* name, int sync) {
    return disk->Delete(Below(v), name, sync);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* name, int flags, int* out) {
    return Below(v)->xAccess(Below(v), name, flags, out);
  };
  vfs.xFullPathname = [](sqlite3_vfs* v, const char* name, int size, char* out) {
    return Below(v)->xFullPathname(Below(v), name, size, out);
  };
  return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK;
}

}  // namespace

int Disk::Open(const std::string&) { return SQLITE_OK; }

int Disk::Write(const std::string&, sqlite3_file* file, const void* data, int size,
                sqlite3_int64 at) {
  return file->pMethods->xWrite(file, data, size, at);
}

int Disk::Truncate(const std::string&, sqlite3_file* file, sqlite3_int64 size) {
  return file->pMethods->xTruncate(file, size);
}

int Disk::Sync(const std::string&, sqlite3_file* file, int flags) {
  return file->pMethods->xSync(file, flags);
}

int Disk::MapShared(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  return file->pMethods->xShmMap(file, region, size, extend, memory);
}

int Disk::Delete(sqlite3_vfs* below, const std::string& path, int sync) {
  return below->xDelete(below, path.c_str(), sync);
}

void UseDisk(Disk* next) {
  static const bool installed = Install();
  if (!installed) std::abort();
  disk = next == nullptr ? &pass_on : next;
}

}  // namespace reeve::testing
