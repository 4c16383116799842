#include "reeve/policy/source_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/policy/snapshot_file.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDirectoryDepth = 32;

bool IsYaml(const std::string& name) {
  return absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml");
}

// What its author may take for a policy file.
bool IsNearlyYaml(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  return IsYaml(lower) || absl::EndsWith(lower, ".yaml.txt") || absl::EndsWith(lower, ".yaml,");
}

// Not blocking, so that a pipe among the files does not hang the loader.
int Open(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

// Whether there were `size` bytes, which are appended to *text.
bool ReadAt(int fd, uint64_t offset, uint64_t size, std::string* text) {
  const size_t before = text->size();
  text->resize(before + size);
  for (size_t got = 0; got < size;) {
    const ssize_t more =
        pread(fd, &(*text)[before + got], size - got, static_cast<off_t>(offset + got));
    if (more == 0 || (more < 0 && errno != EINTR)) return false;
    if (more > 0) got += static_cast<size_t>(more);
  }
  return true;
}

class Finder {
 public:
  Finder(const LoadLimits& limits, std::vector<SourceFile>* files, std::vector<Issue>* issues)
      : limits_(limits), files_(*files), issues_(*issues) {}

  void Find(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (error) {
      Report(path, absl::StrCat("cannot be read: ", error.message()));
    } else if (fs::is_directory(status)) {
      root_ = fs::canonical(path, error);
      if (error) return Report(path, absl::StrCat("cannot be read: ", error.message()));
      FindBelow(path);
    } else {
      Read(path);
    }
  }

 private:
  struct Directory {
    fs::path path;
    int depth;
  };

  void Report(const std::string& file, std::string message) {
    issues_.push_back({Issue::Severity::kError, file, {}, std::move(message)});
  }

  void FindBelow(const std::string& path) {
    std::vector<std::string> found;
    std::vector<Directory> pending = {{path, 1}};
    while (!pending.empty()) {
      const Directory directory = pending.back();
      pending.pop_back();
      std::error_code error;
      fs::directory_iterator entry(directory.path, error);
      for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        Sort(*entry, directory.depth, &pending, &found);
        if (found.size() > limits_.max_files) {
          return Report(path, absl::StrCat("holds more than ", limits_.max_files, " files"));
        }
      }
      if (error) {
        Report(directory.path.string(), absl::StrCat("cannot be read: ", error.message()));
      }
    }
    std::sort(found.begin(), found.end());
    for (const std::string& file : found) Read(file);
  }

  // Whether `entry` is a file to read, a directory to search, neither, or an error.
  void Sort(const fs::directory_entry& entry, int depth, std::vector<Directory>* pending,
            std::vector<std::string>* found) {
    const std::string name = entry.path().filename().string();
    if (name[0] == '.') return;
    std::error_code error;
    if (entry.is_symlink(error)) {
      const fs::path target = fs::canonical(entry.path(), error);
      if (error) {
        return Report(entry.path().string(), "is a symbolic link that leads nowhere");
      }
      const auto [root_end, ignored] =
          std::mismatch(root_.begin(), root_.end(), target.begin(), target.end());
      if (root_end != root_.end()) {
        return Report(entry.path().string(), "is a symbolic link that leads out of the directory");
      }
      if (fs::is_directory(target, error)) {
        return Report(entry.path().string(),
                      "is a symbolic link to a directory, whose files would be read twice");
      }
    }
    if (entry.is_directory(error)) {
      if (depth == kMaxDirectoryDepth) {
        return Report(entry.path().string(),
                      absl::StrCat("lies more than ", kMaxDirectoryDepth, " directories deep"));
      }
      pending->push_back({entry.path(), depth + 1});
    } else if (IsYaml(name)) {
      found->push_back(entry.path().string());
    } else if (IsNearlyYaml(name)) {
      issues_.push_back({Issue::Severity::kWarning,
                         entry.path().string(),
                         {},
                         "is not read; the names of policy files end in `.yaml` or `.yml`",
                         {},
                         1,
                         Warning::kUnreadFile});
    }
  }

  void Read(const std::string& path) {
    const int fd = Open(path);
    if (fd < 0) return Report(path, absl::StrCat("cannot be read: ", std::strerror(errno)));
    const absl::Cleanup close_fd = [fd] { close(fd); };
    struct stat status;
    if (fstat(fd, &status) != 0) {
      return Report(path, absl::StrCat("cannot be read: ", std::strerror(errno)));
    }
    if (!S_ISREG(status.st_mode)) return Report(path, "is not a regular file");
    SourceFile file = {path, {}};
    // As long as it says, and a byte more to see its end: it may grow meanwhile.
    constexpr size_t kLeast = size_t{1} << 12;
    constexpr size_t kMost = size_t{1} << 26;
    file.text.reserve(std::clamp(static_cast<size_t>(status.st_size) + 1, kLeast, kMost));
    while (true) {
      const size_t size = file.text.size();
      const size_t room = file.text.capacity() - size;
      file.text.resize(size + (room > 0 ? room : size));
      const ssize_t got = read(fd, &file.text[size], file.text.size() - size);
      if (got < 0 && errno != EINTR) {
        return Report(path, absl::StrCat("cannot be read: ", std::strerror(errno)));
      }
      file.text.resize(size + (got > 0 ? got : 0));
      if (got == 0) break;
      // What a snapshot file holds is looked at one by one.
      const size_t limit =
          IsSnapshotFile(file.text) ? limits_.max_total_bytes : limits_.max_file_bytes;
      if (file.text.size() > limit) {
        return Report(path, absl::StrCat("is longer than ", limit, " bytes"));
      }
    }
    total_bytes_ += file.text.size();
    if (total_bytes_ > limits_.max_total_bytes) {
      return Report(path,
                    absl::StrCat("makes the set longer than ", limits_.max_total_bytes, " bytes"));
    }
    files_.push_back(std::move(file));
  }

  const LoadLimits& limits_;
  std::vector<SourceFile>& files_;
  std::vector<Issue>& issues_;
  fs::path root_;  // Without symbolic links.
  size_t total_bytes_ = 0;
};

}  // namespace

bool ReadSnapshotRules(const std::string& path, const LoadLimits& limits, SourceFile* file,
                       size_t* left_out) {
  const int fd = Open(path);
  if (fd < 0) return false;
  const absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const auto size = static_cast<uint64_t>(status.st_size);
  *file = {path, {}};
  if (size > limits.max_total_bytes || size < kSnapshotHeaderBytes ||
      !ReadAt(fd, 0, kSnapshotHeaderBytes, &file->text)) {
    return false;
  }
  const std::optional<SnapshotEnds> ends = SnapshotEndsOf(file->text);
  if (!ends.has_value() || ends->files > size) return false;
  *left_out = ends->files - ends->rules;
  file->text.reserve(size - *left_out);
  return ReadAt(fd, kSnapshotHeaderBytes, ends->rules - kSnapshotHeaderBytes, &file->text) &&
         ReadAt(fd, ends->files, size - ends->files, &file->text);
}

void ReadSourceFiles(const std::string& path, const LoadLimits& limits,
                     std::vector<SourceFile>* files, std::vector<Issue>* issues) {
  Finder(limits, files, issues).Find(path);
}

}  // namespace reeve
