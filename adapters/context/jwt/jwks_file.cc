#include "reeve/adapters/context/jwt/jwks_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::Status Unreadable(int error) {
  return absl::UnavailableError(absl::StrCat("cannot be read: ", std::strerror(error)));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  // Not blocking, so that a pipe in the place of the file does not hang the program.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return Unreadable(errno);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return Unreadable(errno);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError("is not a regular file");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::InvalidArgumentError("may be written by its group or by others; chmod go-w it");
  }
  // One byte more than the longest set, so that what is longer shows.
  std::string text(kMaxJwkSetBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd, &text[size], text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(errno);
    if (got == 0) break;
    size += got;
  }
  text.resize(size);
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JwksFile>> JwksFile::Open(std::string path,
                                                         const JwksFileOptions& options,
                                                         absl::Time now) {
  if (options.check_interval < absl::ZeroDuration() ||
      options.max_key_age <= options.check_interval) {
    return absl::InvalidArgumentError("check_interval is negative, or max_key_age is not above it");
  }
  std::unique_ptr<JwksFile> file(new JwksFile(std::move(path), options));
  if (absl::Status status = file->Reload(now); !status.ok()) return status;
  return file;
}

absl::Status JwksFile::Reload(absl::Time now) {
  const MutexLock lock(reading_);
  return Read(now);
}

absl::Status JwksFile::Read(absl::Time now) const {
  std::shared_ptr<const JwkSet> keys;
  absl::Status status;
  absl::StatusOr<std::string> text = ReadFile(path_);
  if (!text.ok()) {
    status = text.status();
  } else if (text_ != *text) {
    absl::StatusOr<std::shared_ptr<const JwkSet>> parsed = JwkSet::Parse(*text, options_.use);
    status = parsed.status();
    if (parsed.ok()) {
      keys = *std::move(parsed);
      text_ = *std::move(text);
    }
  }
  if (!status.ok()) {
    status = absl::Status(status.code(), absl::StrCat(Printable(path_), ": ", status.message()));
  }
  const MutexLock lock(mutex_);
  if (keys != nullptr) state_.keys = std::move(keys);
  if (status.ok()) state_.good = now;
  state_.checked = now;
  state_.error = status;
  return status;
}

absl::StatusOr<std::shared_ptr<const JwkSet>> JwksFile::Keys(absl::Time now) const {
  bool check;
  {
    const MutexLock lock(mutex_);
    // A clock that was set back is no reason not to look. Threads may differ by less.
    check = !checking_ && (now >= state_.checked + options_.check_interval ||
                           now + options_.check_interval < state_.checked);
    if (check) checking_ = true;
  }
  if (check) {
    const MutexLock lock(reading_);
    // The error is kept with the state.
    Read(now).IgnoreError();
  }
  const MutexLock lock(mutex_);
  if (check) checking_ = false;
  if (now >= state_.good + options_.max_key_age) {
    return MakeContextError(
        ContextError::kNoCredentials,
        absl::StrCat("the keys were last read at ",
                     absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", state_.good, absl::UTCTimeZone()),
                     ", too long ago: ", state_.error.message()));
  }
  return state_.keys;
}

JwksFile::State JwksFile::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

}  // namespace reeve
