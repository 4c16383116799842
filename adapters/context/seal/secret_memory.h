#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_SECRET_MEMORY_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_SECRET_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace reeve {

// Bytes in pages of their own, for keys: never written to swap space (mlock(2)), left out of core
// dumps (MADV_DONTDUMP), zeros in a forked child (MADV_WIPEONFORK), and zeroed when they go. A
// child that shares memory with its parent, as between vfork(2) and execve(2), is its parent here.
//
// Costs whole pages, of memory and of RLIMIT_MEMLOCK.
//
// Thread-compatible: const methods from any threads, others alone.
class SecretMemory {
 public:
  enum class Lock {
    // An error where the pages cannot be locked.
    kRequired,
    // Pages that cannot be locked are used as they are: the keys may be written to swap space. For
    // programs whose RLIMIT_MEMLOCK is too low and whose machine has no swap, or encrypts it.
    kIfAllowed,
  };

  // None: no bytes, and not here().
  SecretMemory() = default;
  // `size` zeros. May be 0: then it only tells a forked child from its parent.
  // Errors: kResourceExhausted (no memory, RLIMIT_AS, RLIMIT_MEMLOCK), kInternal (before Linux
  // 4.14).
  static absl::StatusOr<SecretMemory> Create(size_t size, Lock lock = Lock::kRequired);

  SecretMemory(SecretMemory&& other) noexcept;
  SecretMemory& operator=(SecretMemory&& other) noexcept;
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;
  ~SecretMemory();

  uint8_t* data() { return bytes_; }
  const uint8_t* data() const { return bytes_; }
  size_t size() const { return size_; }
  absl::Span<const uint8_t> span() const { return {bytes_, size_}; }

  // False in a process that was forked from the one that made this, where the bytes are zeros: ask
  // before each use. Takes no lock, so that it answers in a child, too, whose parent had threads.
  bool here() const;

 private:
  // The pages: a mark that is not zero, then the bytes.
  uint8_t* pages_ = nullptr;
  size_t mapped_ = 0;
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_SECRET_MEMORY_H_
