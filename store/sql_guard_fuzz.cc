// Whatever the statement is, it neither changes the file nor opens another one: every call of
// SQLite's virtual file system that would is an abort.
#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/sql_guard.h"
#include "reeve/store/testing.h"

namespace {

void Check(bool condition, const char* what, const char* name = "") {
  if (condition) return;
  std::fprintf(stderr, "%s %s\n", what, name == nullptr ? "(temporary)" : name);
  std::abort();
}

bool guarded = false;  // only statements run from here on
std::string path;

sqlite3_vfs* Below(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

bool IsOwn(const char* name) {
  return name != nullptr && std::strncmp(name, path.c_str(), path.size()) == 0;
}

void WatchFiles() {
  static sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
  vfs.pAppData = sqlite3_vfs_find(nullptr);
  vfs.zName = "watch";
  vfs.xOpen = [](sqlite3_vfs* v, const char* name, sqlite3_file* file, int flags, int* out) {
    Check(!guarded || IsOwn(name), "opens", name);
    return Below(v)->xOpen(Below(v), name, file, flags, out);
  };
  vfs.xDelete = [](sqlite3_vfs* v, const char* name, int sync) {
    Check(!guarded, "deletes", name);
    return Below(v)->xDelete(Below(v), name, sync);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* name, int flags, int* out) {
    Check(!guarded || IsOwn(name), "looks for", name);
    return Below(v)->xAccess(Below(v), name, flags, out);
  };
  vfs.xDlOpen = [](sqlite3_vfs*, const char* name) -> void* {
    Check(false, "loads", name);
    return nullptr;
  };
  Check(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK, "vfs");
}

std::string ReadFile() {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct World {
  World() {
    path = reeve::testing::MakeTempDir() + "audit.db";
    {
      auto store = *reeve::AuditStore::Open(path);
      reeve::testing::Decider decider;
      for (const char* action : {"doc.read", "doc.delete", "doc.read", "x"}) {
        Check(decider.Append(*store, action, "doc:/a/b").ok(), "append");
      }
      Check(store->Unfold().ok(), "unfold");
    }
    WatchFiles();
    guard = *reeve::SqlGuard::Open(path);
    before = ReadFile();
    guarded = true;
  }

  std::unique_ptr<reeve::SqlGuard> guard;
  std::string before;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* const world = new World;
  reeve::SqlLimits limits;
  limits.timeout = absl::Milliseconds(50);
  limits.max_rows = 100;
  limits.max_memory = 32 << 20;
  size_t width = 0, rows = 0;
  const auto answer = world->guard->Run(
      {reinterpret_cast<const char*>(data), size}, limits,
      [&width](const std::vector<std::string>& names) { width = names.size(); },
      [&](const std::vector<reeve::SqlValue>& row) {
        Check(row.size() == width, "width");
        return ++rows <= 100;
      });
  if (answer.ok()) Check(answer->rows == rows && rows <= 100, "rows");
  Check(ReadFile() == world->before, "changes");
  // And goes on to answer.
  std::string count;
  const auto after = world->guard->Run(
      "SELECT count(*) FROM decisions", reeve::SqlLimits(), [](const auto&) {},
      [&count](const std::vector<reeve::SqlValue>& row) {
        count = std::to_string(std::get<int64_t>(row[0]));
        return true;
      });
  Check(after.ok() && count == "4", "answers");
  return 0;
}
