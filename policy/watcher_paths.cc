#include "policy/watcher_paths.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // As the kernel: path_resolution(7).
constexpr int kMaxDepth = 32;  // As the loader.
constexpr size_t kMaxEntries = 100'000;

class Follower {
 public:
  explicit Follower(const WatchDirectory& watch) : watch_(watch) {}

  void Follow(const std::string& path) {
    std::error_code error;
    const std::string absolute = fs::absolute(path, error).string();
    if (error) return Print(path, "no working directory");
    const std::optional<std::string> end = Resolve(absolute);
    if (end.has_value()) FindBelow(*end);
  }

  std::string fingerprint() && { return std::move(fingerprint_); }

 private:
  struct Directory {
    std::string path;
    int depth;
  };

  // The directory that `path` leads to, without links; nothing if it is none.
  std::optional<std::string> Resolve(const std::string& path) {
    std::string directory = "/";
    std::deque<std::string> rest = absl::StrSplit(path, '/', absl::SkipEmpty());
    int links = 0;
    while (!rest.empty()) {
      const std::string name = std::move(rest.front());
      rest.pop_front();
      if (name == ".") continue;
      if (name == "..") {
        directory.erase(std::max<size_t>(directory.rfind('/'), 1));
        continue;
      }
      watch_(directory, name);
      const std::string child = Join(directory, name);
      struct stat status;
      if (lstat(child.c_str(), &status) != 0) {
        Print(child, "none");
        return std::nullopt;
      }
      if (S_ISLNK(status.st_mode)) {
        char target[PATH_MAX];
        const ssize_t size = readlink(child.c_str(), target, sizeof target);
        if (size < 0 || ++links > kMaxLinks) {
          Print(child, "leads nowhere");
          return std::nullopt;
        }
        const absl::string_view to(target, static_cast<size_t>(size));
        Print(child, to);
        if (to.substr(0, 1) == "/") directory = "/";
        const std::vector<std::string> first = absl::StrSplit(to, '/', absl::SkipEmpty());
        rest.insert(rest.begin(), first.begin(), first.end());
      } else if (S_ISDIR(status.st_mode)) {
        directory = child;
      } else {
        Print(child, status);
        return std::nullopt;
      }
    }
    return directory;
  }

  void FindBelow(const std::string& root) {
    std::vector<Directory> pending = {{root, 1}};
    while (!pending.empty()) {
      const Directory directory = std::move(pending.back());
      pending.pop_back();
      watch_(directory.path, "");
      // In an order of their own, so that the same files give the same fingerprint.
      std::vector<std::string> names;
      std::error_code error;
      fs::directory_iterator entry(directory.path, error);
      for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        if (++entries_ > kMaxEntries) return Print(root, "too much");
        names.push_back(entry->path().filename().string());
      }
      std::sort(names.begin(), names.end());
      for (const std::string& name : names) {
        if (name[0] == '.') continue;
        const std::string child = Join(directory.path, name);
        struct stat status;
        if (lstat(child.c_str(), &status) != 0) {
          Print(child, "none");
        } else if (S_ISLNK(status.st_mode)) {
          // To a file, which the loader takes if it is below the root. Directories it refuses.
          Resolve(child);
        } else if (!S_ISDIR(status.st_mode)) {
          Print(child, status);
        } else if (directory.depth < kMaxDepth) {
          Print(child, "directory");
          pending.push_back({child, directory.depth + 1});
        }
      }
    }
  }

  static std::string Join(const std::string& directory, const std::string& name) {
    return absl::StrCat(directory, directory == "/" ? "" : "/", name);
  }

  void Print(const std::string& path, absl::string_view what) {
    absl::StrAppend(&fingerprint_, path, absl::string_view("\0", 1), what,
                    absl::string_view("\0", 1));
  }
  void Print(const std::string& path, const struct stat& status) {
    Print(path,
          absl::StrCat(status.st_dev, " ", status.st_ino, " ", status.st_mode, " ", status.st_size,
                       " ", status.st_mtim.tv_sec, " ", status.st_mtim.tv_nsec, " ",
                       status.st_ctim.tv_sec, " ", status.st_ctim.tv_nsec));
  }

  const WatchDirectory& watch_;
  std::string fingerprint_;
  size_t entries_ = 0;
};

}  // namespace

std::string FollowPaths(const std::vector<std::string>& paths, const WatchDirectory& watch) {
  Follower follower(watch);
  for (const std::string& path : paths) follower.Follow(path);
  return std::move(follower).fingerprint();
}

}  // namespace reeve
