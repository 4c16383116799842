// Keys that the services of one machine share, and the file that holds them. doc/sealed-context.md
// has the format, and how to rotate them.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_KEY_RING_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_KEY_RING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/key_file.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/engine/mutex.h"

namespace reeve {

namespace seal_internal {
class RingKeys;
}  // namespace seal_internal

// Several keys, all of which open, and one of which seals: the one that began to last. To replace a
// key: Add() one that seals from a moment on by which every program has called Reload(); Drop() the
// old one when the new one has sealed for the longest lifetime of a context.
//
// In a process that was forked from the one that made it a ring is dead: its keys are zeros, and
// every call is kWrongTarget. Load it there anew.
//
// Thread-safe.
class KeyRing {
 public:
  static constexpr size_t kMaxKeys = 64;

  // A new ring of one new key, created `now`, that seals from `now` on.
  // Errors: kResourceExhausted, kInternal (SecretMemory::Create()).
  static absl::StatusOr<std::unique_ptr<KeyRing>> Generate(
      absl::Time now, SecretMemory::Lock lock = SecretMemory::Lock::kRequired);

  // The ring in the file `path`, which must be a regular file, not a symbolic link, of the
  // effective user or of root, that nobody else may read or write (chmod 600). Errors:
  //   kNoCredentials      it cannot be read, or is not such a file
  //   kMalformed          "ring.keys:3: ...": it does not hold a ring
  //   kUnsupportedVersion it holds one of another version
  //   kResourceExhausted, kInternal
  // No message holds what the file does, but for ids of keys.
  static absl::StatusOr<std::unique_ptr<KeyRing>> Load(
      const std::string& path, SecretMemory::Lock lock = SecretMemory::Lock::kRequired);

  // The ring that `text` describes as a file does. `name` stands for the file in messages.
  static absl::StatusOr<std::unique_ptr<KeyRing>> Parse(
      absl::Span<const uint8_t> text, std::string_view name,
      SecretMemory::Lock lock = SecretMemory::Lock::kRequired);

  ~KeyRing();
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  // Reads the file again that Load() read or Save() wrote, if it is another one or was changed
  // since (its inode, size, or times). Call it every few seconds, or when told to: it costs one
  // stat(2) then. On an error the keys stay as they were; what Add() and Drop() did and Save() did
  // not write is lost otherwise. FailedPrecondition if there is no file; else as Load().
  absl::Status Reload();

  // Adds a new key, and returns its id. It seals from `seals_from` on, which may be before or after
  // `created`; both are kept to the second, rounded down. Nothing is written: Save() it.
  // Errors: kMalformed (a time outside of the years 1678 to 2261), kResourceExhausted (kMaxKeys, or
  // memory), kInternal.
  absl::StatusOr<std::string> Add(absl::Time created, absl::Time seals_from);

  // Takes the key away: what it sealed opens no more. NotFound if there is none of that id;
  // FailedPrecondition if it is the last one.
  absl::Status Drop(std::string_view id);

  // Writes the ring to `path`, with mode 0600: a new file, which takes the place of an old one at
  // once, when it is on the disk; so that readers find the one or the other. Replacing the file of
  // Load() or Save(): FailedPrecondition if somebody else has changed it since; Reload() then, and
  // do it again. Errors: AlreadyExists (ExistingFile::kKeep), FailedPrecondition, kInternal.
  absl::Status Save(const std::string& path, ExistingFile existing);

  // What may be shown of a key.
  struct KeyInfo {
    std::string id;  // 16 hex digits, derived from the key
    absl::Time created;
    absl::Time seals_from;
    bool seals = false;  // this is the one that seals
  };
  // The keys, at `now`, in the order of the file: the latest to begin is last. None in a forked
  // child.
  std::vector<KeyInfo> Keys(absl::Time now) const;

  // Of no use to others than sealers and openers: the keys as they are now.
  absl::StatusOr<std::shared_ptr<const seal_internal::RingKeys>> Current() const;

 private:
  KeyRing(SecretMemory mark, SecretMemory::Lock lock,
          std::shared_ptr<const seal_internal::RingKeys> keys);

  // Whether this is the process that made the ring.
  absl::Status CheckHere() const;
  void Put(std::shared_ptr<const seal_internal::RingKeys> keys);

  const SecretMemory mark_;
  const SecretMemory::Lock lock_;
  Mutex change_mutex_;  // Held while the ring changes, and files are read and written.
  std::string path_ ABSL_GUARDED_BY(change_mutex_);
  std::optional<seal_internal::FileStamp> stamp_ ABSL_GUARDED_BY(change_mutex_);
  mutable Mutex keys_mutex_;  // Held to take or to put the pointer.
  std::shared_ptr<const seal_internal::RingKeys> keys_ ABSL_GUARDED_BY(keys_mutex_);
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_KEY_RING_H_
