#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_SINGLE_USE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_SINGLE_USE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/engine/mutex.h"

namespace reeve {

// Remembers which contexts were opened, so that none is opened twice. An id is remembered until its
// context can no longer be opened, and for a while beyond; never less. One serves any number of
// openers of one process.
//
// Openers that share one, and can open the same contexts, must have the same
// SealOptions::clock_skew: by the longer one a context opens when that of the shorter is forgotten.
//
// What was opened before this was made is not remembered. So a context that could have been opened
// then is refused: one of a key ring or a host that was sealed before a restart is not taken after
// it.
//
// Allocates nothing after Create(). Thread-safe: of any number of threads that use one id, one
// succeeds.
class SingleUse {
 public:
  static constexpr size_t kMaxCapacity = size_t{1} << 24;

  // `capacity`: how many ids can be remembered at once, from 1 to kMaxCapacity; about 50 bytes
  // each. None is forgotten early, so that more are refused: have room for as many as are opened
  // within the lifetime of a context. `now`: when it begins to remember. Errors: InvalidArgument
  // (`capacity`), kResourceExhausted, kInternal.
  static absl::StatusOr<std::unique_ptr<SingleUse>> Create(size_t capacity, absl::Time now);
  SingleUse(const SingleUse&) = delete;
  SingleUse& operator=(const SingleUse&) = delete;

  // 16 bytes that no two contexts share, but by chance.
  using Id = std::array<uint8_t, 16>;

  // Uses `id` up, at `now`. Its context can be opened from `from` on, and no longer when `until`
  // has come; whoever calls has found that it can be opened now. Errors:
  //   kReplayed           it was used before; or it could have been, before this was made, or after
  //                       a clock that has since been put back had passed `until`
  //   kResourceExhausted  there is no room: as many ids are of contexts that can still be opened,
  //   or
  //                       could a quarter of a second ago
  //   kWrongTarget        this process was forked from the one that made this, which remembers
  //                       elsewhere
  absl::Status Use(const Id& id, absl::Time from, absl::Time until, absl::Time now);

 private:
  // An id that is remembered, in the list of a slot of the wheel; or free.
  struct Entry {
    Id id;
    int64_t until;
    uint32_t next;
    uint32_t home;  // Its first place in the table.
  };

  SingleUse(int64_t now, SecretMemory mark, std::unique_ptr<Entry[]> entries,
            std::unique_ptr<uint32_t[]> table, uint32_t table_size);

  uint32_t HomeOf(const Id& id) const;
  // Where `id` is in the table, or the free place where it belongs.
  size_t Find(const Id& id, uint32_t home) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(uint32_t entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Sweep(int64_t now, size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Times are in nanoseconds since 1970.
  const int64_t begin_;
  // Tells a forked child, and holds the key of the hash, so that nobody can choose ids that meet.
  const SecretMemory mark_;
  const uint32_t mask_;

  Mutex mutex_;
  std::unique_ptr<Entry[]> entries_ ABSL_GUARDED_BY(mutex_);
  uint32_t free_ ABSL_GUARDED_BY(mutex_);  // The list of those that are free.
  // Open addressing: the number of an entry, or none. At most half full.
  std::unique_ptr<uint32_t[]> table_ ABSL_GUARDED_BY(mutex_);
  // Entries by when they end, in ticks, round and round: each slot has the list of its entries.
  std::array<uint32_t, 1024> wheel_ ABSL_GUARDED_BY(mutex_);
  int64_t swept_ ABSL_GUARDED_BY(mutex_);  // The last tick whose slot was looked through.
  // The latest `until` of those that are forgotten.
  int64_t forgotten_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_SINGLE_USE_H_
