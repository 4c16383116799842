#include "reeve/store/set_aside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace reeve {
namespace {

constexpr char kWord[] = ".damaged";
constexpr int kMaxTries = 100;
constexpr size_t kTimeSize = 16;  // 20261127T153000Z

// To a name that is not in use. Returns an errno, or 0.
int RenameToNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // The file system does not know how: a link is not made over a name either (link(2)).
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  return unlink(from.c_str()) == 0 ? 0 : errno;
}

bool IsThere(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 || errno != ENOENT;
}

bool IsSetAside(absl::string_view name, absl::string_view base) {
  if (!absl::ConsumePrefix(&name, base) || !absl::ConsumePrefix(&name, ".")) return false;
  if (name.size() < kTimeSize || name[8] != 'T' || name[kTimeSize - 1] != 'Z') return false;
  name.remove_prefix(kTimeSize);
  if (!absl::ConsumePrefix(&name, kWord)) return false;
  if (name.empty()) return true;
  return absl::ConsumePrefix(&name, "-") && !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

absl::Status SystemError(int error, const std::string& name, const char* what) {
  const absl::StatusCode code = error == ENOSPC || error == EDQUOT
                                    ? absl::StatusCode::kResourceExhausted
                                    : absl::StatusCode::kUnavailable;
  return absl::Status(code, absl::StrCat(name, ": ", what, ": ", std::strerror(error)));
}

absl::StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& path,
                                                  const std::string& name) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return SystemError(errno, name, "cannot open the directory");
  bool taken = false;
  for (int i = 0; i < 1000; ++i) {
    taken = flock(file, LOCK_EX | LOCK_NB) == 0;
    if (taken || errno != EWOULDBLOCK) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return DirectoryLock(file, taken);
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)), taken_(other.taken_) {}

DirectoryLock::~DirectoryLock() {
  if (directory_ >= 0) close(directory_);
}

int DirectoryLock::Sync() const { return fsync(directory_) == 0 ? 0 : errno; }

absl::StatusOr<std::string> SetAside(const std::string& path, const std::string& name, ino_t inode,
                                     absl::Time now) {
  const absl::StatusOr<DirectoryLock> lock = DirectoryLock::Take(path, name);
  if (!lock.ok()) return lock.status();
  if (!lock->taken()) {
    return absl::UnavailableError(absl::StrCat(
        name,
        ": is damaged, and another process holds the lock of its directory; it is tried again"));
  }
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_ino != inode) {
    return absl::NotFoundError(absl::StrCat(name, ": is not the file that was damaged"));
  }
  const std::string stem = absl::StrCat(
      path, ".", absl::FormatTime("%E4Y%m%dT%H%M%SZ", now, absl::UTCTimeZone()), kWord);
  for (int i = 1; i <= kMaxTries; ++i) {
    const std::string to = i == 1 ? stem : absl::StrCat(stem, "-", i);
    if (IsThere(to + "-wal") || IsThere(to + "-shm")) continue;
    int error = RenameToNew(path, to);
    if (error == EEXIST) continue;
    if (error == 0) {
      // Its log goes along, or all stays: apart they would lose what is in the log.
      for (const char* suffix : {"-wal", "-shm"}) {
        error = RenameToNew(path + suffix, to + suffix);
        if (error == ENOENT) error = 0;
        if (error == 0) continue;
        RenameToNew(to + "-wal", path + "-wal");
        RenameToNew(to, path);
        break;
      }
    }
    if (error == 0) error = lock->Sync();
    if (error != 0) return SystemError(error, name, "is damaged, and cannot be set aside");
    return to.substr(to.rfind('/') + 1);
  }
  return absl::UnavailableError(
      absl::StrCat(name, ": is damaged, and too many files were set aside at this second"));
}

std::string NewestSetAside(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string base = path.substr(slash + 1);
  std::string newest;
  DIR* const directory = opendir(path.substr(0, slash + 1).c_str());
  if (directory == nullptr) return newest;
  while (const dirent* entry = readdir(directory)) {
    if (IsSetAside(entry->d_name, base)) newest = std::max(newest, std::string(entry->d_name));
  }
  closedir(directory);
  return newest;
}

}  // namespace reeve
