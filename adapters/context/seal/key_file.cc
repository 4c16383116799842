#include "reeve/adapters/context/seal/key_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/rfc3339.h"
#include "reeve/engine/text.h"

namespace reeve::seal_internal {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Unusable(const std::string& path, std::string_view why) {
  return MakeContextError(ContextError::kNoCredentials,
                          absl::StrCat(Printable(path), ": ", View(why)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// "" if the file may be trusted, else why not and what to do.
std::string DefectOfFile(const struct stat& file, Readers readers) {
  if (!S_ISREG(file.st_mode)) return "is not a regular file; name one";
  if (file.st_uid != 0 && file.st_uid != geteuid()) {
    return absl::StrCat("belongs to uid ", file.st_uid,
                        ", who can change it; give it to root or to uid ", geteuid());
  }
  if (readers == Readers::kOwner && (file.st_mode & 077) != 0) {
    return absl::StrCat("has mode ", absl::Hex(file.st_mode >> 6 & 7),
                        absl::Hex(file.st_mode >> 3 & 7), absl::Hex(file.st_mode & 7),
                        ", so that others than its owner can use it; make the keys anew, or "
                        "`chmod 600` if nobody else was there");
  }
  if ((file.st_mode & 022) != 0) {
    return absl::StrCat(
        "has mode ", absl::Hex(file.st_mode >> 6 & 7), absl::Hex(file.st_mode >> 3 & 7),
        absl::Hex(file.st_mode & 7),
        ", so that others than its owner can change it; `chmod 644` and look at it");
  }
  return "";
}

// Reads `size` bytes. False if there are less or more.
bool ReadAll(int fd, uint8_t* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, out + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  char more;
  return read(fd, &more, 1) == 0;
}

bool WriteAll(int fd, absl::Span<const uint8_t> text) {
  while (!text.empty()) {
    const ssize_t done = write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<size_t>(done));
  }
  return true;
}

absl::Status CannotWrite(const std::string& path, std::string_view what, int error) {
  return MakeContextError(ContextError::kInternal,
                          absl::StrCat(Printable(path), ": cannot ", View(what), ": ",
                                       std::strerror(error), "; see to the disk and the folder"));
}

// What is renamed into a folder is there after a crash.
bool SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() >= 0 && fsync(fd.get()) == 0;
}

}  // namespace

FileStamp StampOf(const struct stat& file) {
  return {file.st_dev, file.st_ino, file.st_size, file.st_mtim, file.st_ctim};
}

bool operator==(const FileStamp& a, const FileStamp& b) {
  const auto same = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         same(a.modified, b.modified) && same(a.changed, b.changed);
}

std::optional<FileStamp> StampOf(const std::string& path) {
  struct stat file;
  if (lstat(path.c_str(), &file) != 0) return std::nullopt;
  return StampOf(file);
}

absl::StatusOr<KeyFile> ReadKeyFile(const std::string& path, Readers readers,
                                    SecretMemory::Lock lock) {
  // Not held up by a pipe.
  const Descriptor fd(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) {
    if (errno == ELOOP) return Unusable(path, "is a symbolic link; name the file itself");
    return Unusable(path, absl::StrCat("cannot be opened: ", std::strerror(errno),
                                       "; make a file of keys, or name another"));
  }
  struct stat file;
  if (fstat(fd.get(), &file) != 0) return Unusable(path, "cannot be looked at; name another");
  if (const std::string defect = DefectOfFile(file, readers); !defect.empty()) {
    return Unusable(path, defect);
  }
  if (file.st_size > static_cast<off_t>(kMaxKeyFileBytes)) {
    return MakeContextError(
        ContextError::kMalformed,
        absl::StrCat(Printable(path), ": has ", file.st_size, " bytes, and at most ",
                     kMaxKeyFileBytes, " are read; drop old keys"));
  }
  absl::StatusOr<SecretMemory> text = SecretMemory::Create(static_cast<size_t>(file.st_size), lock);
  if (!text.ok()) return text.status();
  if (!ReadAll(fd.get(), text->data(), text->size())) {
    return Unusable(path, "was changed while it was read; put a new file in its place instead");
  }
  return KeyFile{*std::move(text), StampOf(file)};
}

absl::StatusOr<FileStamp> WriteKeyFile(const std::string& path, absl::Span<const uint8_t> text,
                                       Readers readers, ExistingFile existing) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor fd(mkostemp(temporary.data(), O_CLOEXEC));  // Of mode 0600.
  if (fd.get() < 0) return CannotWrite(path, "make a file beside it", errno);
  const auto fail = [&](std::string_view what) {
    const int error = errno;
    unlink(temporary.c_str());
    return CannotWrite(path, what, error);
  };
  const mode_t mode = readers == Readers::kOwner ? 0600 : 0644;
  if (fchmod(fd.get(), mode) != 0) return fail("set the mode");
  if (!WriteAll(fd.get(), text)) return fail("write");
  if (fsync(fd.get()) != 0) return fail("write");
  if (existing == ExistingFile::kReplace) {
    if (rename(temporary.c_str(), path.c_str()) != 0) return fail("put it there");
  } else {
    if (link(temporary.c_str(), path.c_str()) != 0) {
      if (errno != EEXIST) return fail("put it there");
      unlink(temporary.c_str());
      return absl::AlreadyExistsError(
          absl::StrCat(Printable(path), ": is there already; name another, or remove it first"));
    }
    unlink(temporary.c_str());
  }
  if (!SyncFolderOf(path)) return CannotWrite(path, "see the folder to the disk", errno);
  struct stat file;
  if (fstat(fd.get(), &file) != 0) return CannotWrite(path, "look at it", errno);
  return StampOf(file);
}

KeyText::KeyText(absl::Span<const uint8_t> text, std::string_view file_name)
    : rest_(reinterpret_cast<const char*>(text.data()), text.size()), file_name_(file_name) {}

absl::Status KeyText::Error(std::string_view message) const {
  return MakeContextError(ContextError::kMalformed,
                          absl::StrCat(Printable(file_name_), ":", number_, ": ", View(message)));
}

absl::Status KeyText::NextLine() {
  ++number_;
  const size_t end = rest_.find('\n');
  if (end == std::string_view::npos) {
    return Error(rest_.empty() ? "there is a line less than there must be; the file was cut short"
                               : "the line does not end; the file was cut short");
  }
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return absl::OkStatus();
}

absl::Status KeyText::ReadFormat(std::string_view format) {
  if (absl::Status status = NextLine(); !status.ok()) return status;
  const absl::StatusOr<std::string_view> word = ReadWord("format");
  if (!word.ok() || *word != format) {
    return Error(absl::StrCat("the file does not begin with `", View(format),
                              " 1`; it is no file of this kind"));
  }
  const absl::StatusOr<std::string_view> version = ReadWord("version");
  if (!version.ok()) return version.status();
  if (*version != "1") {
    return MakeContextError(ContextError::kUnsupportedVersion,
                            absl::StrCat(Printable(file_name_), ":", number_,
                                         ": the version is not 1, which is what this program "
                                         "knows; update it"));
  }
  return EndLine();
}

absl::Status KeyText::ReadLine(std::string_view word) {
  if (absl::Status status = NextLine(); !status.ok()) return status;
  const absl::StatusOr<std::string_view> first = ReadWord("word");
  if (first.ok() && *first == word) return absl::OkStatus();
  return Error(absl::StrCat("the line does not begin with `", View(word), "`"));
}

absl::StatusOr<std::string_view> KeyText::ReadWord(std::string_view what) {
  const size_t end = std::min(line_.find(' '), line_.size());
  const std::string_view word = line_.substr(0, end);
  if (word.empty()) {
    return Error(absl::StrCat("there is no ", View(what), " after one space"));
  }
  line_.remove_prefix(end);
  // A space that nothing follows is left, and is an error.
  if (line_.size() > 1) line_.remove_prefix(1);
  return word;
}

absl::StatusOr<absl::Time> KeyText::ReadTime(std::string_view what) {
  const absl::StatusOr<std::string_view> word = ReadWord(what);
  if (!word.ok()) return word.status();
  const std::optional<absl::Time> time = ParseRfc3339(*word);
  if (!time.has_value() || !CheckKeyTime(*time, what).ok() || KeyTimeText(*time) != *word) {
    return Error(absl::StrCat("the ", View(what),
                              " is no time like 2026-11-20T09:00:00Z of the years 1678 to 2261"));
  }
  return *time;
}

absl::Status KeyText::ReadKey(std::string_view what, absl::Span<uint8_t> out) {
  const absl::StatusOr<std::string_view> word = ReadWord(what);
  if (!word.ok()) return word.status();
  // It takes bytes above 127 for letters.
  const bool ascii = std::all_of(word->begin(), word->end(), absl::ascii_isascii);
  size_t size = 0;
  if (!ascii ||
      sodium_base642bin(out.data(), out.size(), word->data(), word->size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      size != out.size()) {
    return Error(absl::StrCat("the ", View(what), " is not Base64 of ", out.size(), " bytes"));
  }
  return absl::OkStatus();
}

absl::Status KeyText::EndLine() {
  if (line_.empty()) return absl::OkStatus();
  return Error("the line has more words than it must have");
}

std::string KeyTimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::Status CheckKeyTime(absl::Time time, std::string_view what) {
  const absl::CivilSecond least(1678, 1, 1);
  const absl::CivilSecond end(2262, 1, 1);
  const absl::TimeZone utc = absl::UTCTimeZone();
  if (time >= absl::FromCivil(least, utc) && time < absl::FromCivil(end, utc)) {
    return absl::OkStatus();
  }
  return MakeContextError(
      ContextError::kMalformed,
      absl::StrCat("the ", View(what), " is not within the years 1678 to 2261; give one that is"));
}

void KeyTextWriter::Add(std::string_view text) {
  std::memcpy(memory_.data() + used_, text.data(), text.size());
  used_ += text.size();
}

void KeyTextWriter::AddKey(absl::Span<const uint8_t> key) {
  auto* const out = reinterpret_cast<char*>(memory_.data()) + used_;
  // It ends with a zero, which the next text takes the place of.
  sodium_bin2base64(out, memory_.size() - used_, key.data(), key.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  used_ += sodium_base64_encoded_len(key.size(), sodium_base64_VARIANT_ORIGINAL) - 1;
}

}  // namespace reeve::seal_internal
