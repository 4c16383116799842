#include "reeve/cli/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace reeve {
namespace {

std::string Failed(const char* what) {
  return absl::StrCat("cannot be ", what, ": ", std::strerror(errno));
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::string ReplaceFile(const std::string& path, std::string_view old_text,
                        std::string_view new_text) {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) return absl::StrCat("cannot be found: ", error.message());
  struct stat status;
  if (stat(target.c_str(), &status) != 0) return Failed("read");
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  // Its folder may be writable where the file is meant not to be.
  if (access(target.c_str(), W_OK) != 0) return Failed("written");

  const std::string folder = target.parent_path().string();
  std::string temporary = absl::StrCat(folder, "/.", target.filename().string(), ".XXXXXX");
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Failed("written, for want of a new file beside it");
  const absl::Cleanup close_fd = [fd] { close(fd); };
  absl::Cleanup remove = [&temporary] { unlink(temporary.c_str()); };
  if (!WriteAll(fd, new_text)) return Failed("written");
  struct stat made;
  if (fstat(fd, &made) != 0) return Failed("written");
  if ((made.st_uid != status.st_uid || made.st_gid != status.st_gid) &&
      fchown(fd, status.st_uid, status.st_gid) != 0) {
    return Failed("replaced by one of the same owner");
  }
  if (fchmod(fd, status.st_mode & 07777) != 0 || fsync(fd) != 0) return Failed("written");
  {
    // Who has changed it meanwhile would lose that.
    std::ifstream file(target, std::ios::binary);
    const std::string now((std::istreambuf_iterator<char>(file)), {});
    if (!file || now != old_text) return "has changed meanwhile; run the command again";
  }
  if (std::rename(temporary.c_str(), target.c_str()) != 0) return Failed("replaced");
  std::move(remove).Cancel();
  // So that the new name is there after a crash.
  const int parent = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return {};
}

}  // namespace reeve
