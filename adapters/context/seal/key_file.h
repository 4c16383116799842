// Files of keys: how they are read and written, and their lines. Callers need ExistingFile; the
// rest is private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_KEY_FILE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_KEY_FILE_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/secret_memory.h"

namespace reeve {

// What becomes of a file that is there already.
enum class ExistingFile {
  kKeep,     // AlreadyExists
  kReplace,  // the new one takes its place, as one step
};

namespace seal_internal {

inline constexpr size_t kMaxKeyFileBytes = 16384;

// Which file it was, and in which state.
struct FileStamp {
  dev_t device;
  ino_t inode;
  off_t size;
  timespec modified;
  timespec changed;
};
FileStamp StampOf(const struct stat& file);
bool operator==(const FileStamp& a, const FileStamp& b);

// The stamp of what `path` names; nothing if that cannot be told.
std::optional<FileStamp> StampOf(const std::string& path);

struct KeyFile {
  SecretMemory text;
  FileStamp stamp;
};

enum class Readers {
  kOwner,    // nobody else may read or write it
  kAnybody,  // nobody else may write it
};

// Reads a regular file, that is no symbolic link, of the effective user or of root.
// Errors: kNoCredentials, kMalformed (too large), kResourceExhausted, kInternal.
absl::StatusOr<KeyFile> ReadKeyFile(const std::string& path, Readers readers,
                                    SecretMemory::Lock lock);

// Writes a file, of mode 0600 or 0644, so that whoever reads sees the whole of it or what was
// there. It is on the disk when this returns. Errors: AlreadyExists, kInternal.
absl::StatusOr<FileStamp> WriteKeyFile(const std::string& path, absl::Span<const uint8_t> text,
                                       Readers readers, ExistingFile existing);

// Reads the words of a text, line by line: words are parted by one space, and each line ends. Every
// error is of the place, "ring.keys:3: ", and holds nothing of the text, which is secret.
//
// One thread at a time.
class KeyText {
 public:
  // Both must outlive this.
  KeyText(absl::Span<const uint8_t> text, std::string_view file_name);

  // Reads the first line, "reeve-keys 1": `format` and a version. kMalformed, or
  // kUnsupportedVersion.
  absl::Status ReadFormat(std::string_view format);

  bool at_end() const { return rest_.empty(); }
  // Begins the next line. kMalformed if there is none, or it does not begin with `word`.
  absl::Status ReadLine(std::string_view word);
  // The next word of the line; kMalformed if there is none. `what` names it in the message.
  absl::StatusOr<std::string_view> ReadWord(std::string_view what);
  // A time like 2026-11-20T09:00:00Z, in this form only.
  absl::StatusOr<absl::Time> ReadTime(std::string_view what);
  // Base64 of exactly `out.size()` bytes.
  absl::Status ReadKey(std::string_view what, absl::Span<uint8_t> out);
  // kMalformed if the line has another word.
  absl::Status EndLine();

  // kMalformed at this line; `message` must hold nothing secret.
  absl::Status Error(std::string_view message) const;

 private:
  absl::Status NextLine();

  std::string_view rest_;
  std::string_view line_;
  std::string_view file_name_;
  int number_ = 0;
};

// The time as ReadTime() takes it. Requires CheckKeyTime().
std::string KeyTimeText(absl::Time time);
// kMalformed unless it can be written, and sealed: the years 1678 to 2261. `what` names it.
absl::Status CheckKeyTime(absl::Time time, std::string_view what);

// Writes lines into memory that is locked, of a size that was stated.
//
// One thread at a time.
class KeyTextWriter {
 public:
  // `memory` must outlive this, and be large enough.
  explicit KeyTextWriter(SecretMemory* memory) : memory_(*memory) {}
  void Add(std::string_view text);
  // As Base64, of which no copy stays behind.
  void AddKey(absl::Span<const uint8_t> key);
  absl::Span<const uint8_t> text() const { return {memory_.data(), used_}; }

 private:
  SecretMemory& memory_;
  size_t used_ = 0;
};

}  // namespace seal_internal
}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_KEY_FILE_H_
