#include "reeve/adapters/context/watched_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::Status Unreadable(int error) {
  return absl::UnavailableError(absl::StrCat("cannot be read: ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::string> ReadGuardedFile(const std::string& path, size_t max_bytes) {
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
  // One byte more than the longest, so that what is longer shows.
  std::string text(max_bytes + 1, '\0');
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

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(
      status.code(),
      absl::StrCat(Printable(path), absl::StartsWith(status.message(), ":") ? "" : ": ",
                   status.message()));
}

}  // namespace reeve
