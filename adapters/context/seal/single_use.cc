#include "reeve/adapters/context/seal/single_use.h"

#include <sodium.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"

namespace reeve {
namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr int64_t kTick = 250'000'000;  // Nanoseconds.
// How many are forgotten by one call, so that no call has to pay for many others.
constexpr size_t kForgottenAtOnce = 16;

int64_t TickOf(int64_t time) { return time / kTick - (time % kTick < 0 ? 1 : 0); }

// At most half full.
uint32_t TableSize(size_t capacity) {
  uint32_t size = 2;
  while (size < 2 * capacity) size *= 2;
  return size;
}

absl::Status Replayed(std::string_view why) {
  return MakeContextError(
      ContextError::kReplayed,
      absl::StrCat("the context ", absl::string_view(why.data(), why.size()), "; export it again"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SingleUse>> SingleUse::Create(size_t capacity, absl::Time now) {
  if (capacity < 1 || capacity > kMaxCapacity) {
    return absl::InvalidArgumentError(
        absl::StrCat("room for ", capacity, " contexts is asked for; ask for 1 to ", kMaxCapacity));
  }
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  absl::StatusOr<SecretMemory> mark =
      SecretMemory::Create(crypto_shorthash_KEYBYTES, SecretMemory::Lock::kIfAllowed);
  if (!mark.ok()) return mark.status();
  crypto_shorthash_keygen(mark->data());
  const uint32_t table_size = TableSize(capacity);
  std::unique_ptr<Entry[]> entries(new (std::nothrow) Entry[capacity]);
  std::unique_ptr<uint32_t[]> table(new (std::nothrow) uint32_t[table_size]);
  if (entries == nullptr || table == nullptr) {
    return MakeContextError(ContextError::kResourceExhausted,
                            absl::StrCat("there is no memory to remember ", capacity,
                                         " contexts; ask for less, or raise RLIMIT_AS"));
  }
  for (uint32_t i = 0; i < capacity; ++i) entries[i].next = i + 1 < capacity ? i + 1 : kNone;
  std::fill_n(table.get(), table_size, kNone);
  return std::unique_ptr<SingleUse>(new SingleUse(
      absl::ToUnixNanos(now), *std::move(mark), std::move(entries), std::move(table), table_size));
}

SingleUse::SingleUse(int64_t now, SecretMemory mark, std::unique_ptr<Entry[]> entries,
                     std::unique_ptr<uint32_t[]> table, uint32_t table_size)
    : begin_(now),
      mark_(std::move(mark)),
      mask_(table_size - 1),
      entries_(std::move(entries)),
      free_(0),
      table_(std::move(table)),
      swept_(TickOf(now) - 1),
      forgotten_(std::numeric_limits<int64_t>::min()) {
  wheel_.fill(kNone);
}

uint32_t SingleUse::HomeOf(const Id& id) const {
  uint8_t hash[crypto_shorthash_BYTES];
  crypto_shorthash(hash, id.data(), id.size(), mark_.data());
  return (hash[0] | hash[1] << 8 | hash[2] << 16 | uint32_t{hash[3]} << 24) & mask_;
}

size_t SingleUse::Find(const Id& id, uint32_t home) const {
  size_t place = home;
  while (table_[place] != kNone && entries_[table_[place]].id != id) place = (place + 1) & mask_;
  return place;
}

void SingleUse::Forget(uint32_t entry) {
  size_t hole = entries_[entry].home;
  while (table_[hole] != entry) hole = (hole + 1) & mask_;
  // Those behind that would no longer be found move up.
  for (size_t next = (hole + 1) & mask_; table_[next] != kNone; next = (next + 1) & mask_) {
    const size_t home = entries_[table_[next]].home;
    if (((next - home) & mask_) < ((next - hole) & mask_)) continue;
    table_[hole] = table_[next];
    hole = next;
  }
  table_[hole] = kNone;
  forgotten_ = std::max(forgotten_, entries_[entry].until);
  entries_[entry].next = free_;
  free_ = entry;
}

void SingleUse::Sweep(int64_t now, size_t most) {
  // In this tick some may yet end.
  const int64_t last = TickOf(now) - 1;
  if (last < swept_) {
    // The clock was put back, or another thread read it later. What is looked through once more has
    // lost nothing by it.
    swept_ = last;
    return;
  }
  const auto slots = static_cast<int64_t>(wheel_.size());
  for (swept_ = std::max(swept_, last - slots); swept_ < last; ++swept_) {
    uint32_t* link = &wheel_[static_cast<uint64_t>(swept_ + 1) % wheel_.size()];
    while (*link != kNone) {
      const uint32_t entry = *link;
      if (entries_[entry].until > now) {  // It ends when the wheel has gone round again.
        link = &entries_[entry].next;
        continue;
      }
      if (most-- == 0) return;
      *link = entries_[entry].next;
      Forget(entry);
    }
  }
}

absl::Status SingleUse::Use(const Id& id, absl::Time from_time, absl::Time until_time,
                            absl::Time now_time) {
  const int64_t from = absl::ToUnixNanos(from_time);
  const int64_t until = absl::ToUnixNanos(until_time);
  const int64_t now = absl::ToUnixNanos(now_time);
  if (!mark_.here()) {
    return MakeContextError(ContextError::kWrongTarget,
                            "this process was forked from the one that remembers which contexts "
                            "were opened; open them there");
  }
  if (from < begin_) return Replayed("could have been opened before this program began");
  const uint32_t home = HomeOf(id);
  const MutexLock lock(mutex_);
  Sweep(now, kForgottenAtOnce);
  if (free_ == kNone) Sweep(now, kMaxCapacity);
  if (until <= forgotten_) return Replayed("had expired by a clock that was put back since");
  const size_t place = Find(id, home);
  if (table_[place] != kNone) return Replayed("was opened before");
  if (free_ == kNone) {
    return MakeContextError(
        ContextError::kResourceExhausted,
        "as many contexts were opened as can be remembered until they expire; try again when some "
        "have, make them live shorter, or make room for more");
  }
  const uint32_t entry = free_;
  free_ = entries_[entry].next;
  uint32_t& slot = wheel_[static_cast<uint64_t>(TickOf(until)) % wheel_.size()];
  entries_[entry] = Entry{id, until, slot, home};
  slot = entry;
  table_[place] = entry;
  return absl::OkStatus();
}

}  // namespace reeve
