#include "reeve/store/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
#include "reeve/store/schema.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

constexpr int kPagesAtOnce = 1024;

absl::Status SystemError(int error, const std::string& name, const char* what) {
  const absl::StatusCode code = error == ENOSPC || error == EDQUOT
                                    ? absl::StatusCode::kResourceExhausted
                                : error == EEXIST ? absl::StatusCode::kAlreadyExists
                                                  : absl::StatusCode::kUnavailable;
  return absl::Status(code, absl::StrCat(name, ": ", what, ": ", std::strerror(error)));
}

absl::Status Create(const std::string& path, const std::string& name) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the copy has no name; name a file that does not exist");
  }
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return SystemError(
        errno, name,
        errno == EEXIST ? "a copy is not written over what is there" : "cannot create the copy");
  }
  const int error = fchmod(file, 0600) == 0 ? 0 : errno;
  close(file);
  return error == 0 ? absl::OkStatus() : SystemError(error, name, "cannot create the copy");
}

// Sees to it that the file and its name are on the disk.
absl::Status Sync(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  for (const std::string& synced : {path, directory}) {
    const int file = open(synced.c_str(), O_RDONLY | O_CLOEXEC);
    const bool ok = file >= 0 && fsync(file) == 0;
    const int error = errno;
    if (file >= 0) close(file);
    if (!ok) return SystemError(error, name, "cannot sync the copy");
  }
  return absl::OkStatus();
}

absl::Status CopyPages(Database& from, Database& to,
                       const std::function<bool(int64_t done, int64_t of)>& progress) {
  // A transaction, so that what others write meanwhile does not begin the copy anew.
  if (absl::Status status = from.Run("BEGIN; SELECT count(*) FROM sqlite_schema"); !status.ok()) {
    return status;
  }
  sqlite3_backup* const backup = sqlite3_backup_init(to.get(), "main", from.get(), "main");
  if (backup == nullptr) {
    return to.Error(sqlite3_errcode(to.get()), "cannot begin the copy");
  }
  int code = SQLITE_OK;
  bool goes_on = true;
  while (code == SQLITE_OK && goes_on) {
    code = sqlite3_backup_step(backup, kPagesAtOnce);
    const int64_t of = sqlite3_backup_pagecount(backup);
    goes_on = progress == nullptr || progress(of - sqlite3_backup_remaining(backup), of);
  }
  sqlite3_backup_finish(backup);
  if (!goes_on) return absl::CancelledError("the copy was cancelled");
  if (code == SQLITE_DONE) return absl::OkStatus();
  return to.Error(code, "cannot copy the file");
}

// Fills the empty file `copy`.
absl::Status Fill(Database& from, const std::string& copy, const std::string& name,
                  const std::function<bool(int64_t done, int64_t of)>& progress) {
  absl::StatusOr<std::unique_ptr<Database>> to = Database::Open(
      copy, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW);
  if (!to.ok()) return to.status();
  // Nobody else knows the copy, and one that does not become whole is removed.
  absl::Status status = (*to)->Run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  if (status.ok()) status = CopyPages(from, **to, progress);
  *to = nullptr;
  return status.ok() ? Sync(copy, name) : status;
}

}  // namespace

absl::Status Backup(const std::string& path, const std::string& copy,
                    const std::function<bool(int64_t done, int64_t of)>& progress) {
  absl::StatusOr<std::unique_ptr<Database>> from = OpenForReading(path);
  if (!from.ok()) return from.status();
  const std::string name = Printable(copy, 1000);
  if (absl::Status status = Create(copy, name); !status.ok()) return status;
  absl::Status status = Fill(**from, copy, name, progress);
  if (!status.ok()) unlink(copy.c_str());
  return status;
}

}  // namespace reeve
