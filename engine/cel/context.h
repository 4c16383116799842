// What an evaluation may use up, and where it puts what it makes. Internal.
#ifndef REEVE_ENGINE_CEL_CONTEXT_H_
#define REEVE_ENGINE_CEL_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"

namespace reeve::cel {

// Memory for one evaluation, given back all at once and used again by the next. One thread at a
// time.
class Arena {
 public:
  // Null once more than the limit of Reset() is asked for. Aligned to 16 bytes; not cleared.
  void* Allocate(size_t bytes);
  // Takes back everything; keeps the memory for the next evaluation.
  void Reset(size_t limit);
  size_t used() const { return used_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0;   // In use; those before it are full.
  size_t offset_ = 0;  // In blocks_[block_].
  size_t used_ = 0;
  size_t limit_ = 0;
};

// The budget and the arena of one evaluation, or of all those of one decision. One thread at a
// time.
class Context {
 public:
  // Starts anew. `cost` is in units of about the price of an operation on numbers.
  void Reset(uint64_t cost, size_t memory);

  // Takes `units` from the budget. Returns false once it is spent: then the evaluation must end
  // with LimitError(). An operation that takes time in proportion to something charges for it
  // *before* it begins: a unit for each element or for each 16 bytes of text.
  bool Charge(uint64_t units) {
    if (units > budget_) return Exhaust();
    budget_ -= units;
    return true;
  }
  // Whether a limit was met. It stays so until Reset(), whatever becomes of the error.
  bool exhausted() const { return exhausted_; }
  Cell LimitError() const {
    return Cell::Error(out_of_memory_ ? ErrorCode::kMemoryLimit : ErrorCode::kCostLimit);
  }
  uint64_t budget() const { return budget_; }
  // Bytes that were allocated since Reset().
  size_t used() const { return arena_.used(); }

  // Uninitialised room for `count` of T; null at a limit (return LimitError()). Charges a unit for
  // each 16 bytes.
  template <typename T>
  T* Allocate(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count > SIZE_MAX / 2 / sizeof(T)) count = SIZE_MAX / 2 / sizeof(T);
    return static_cast<T*>(AllocateBytes(count * sizeof(T)));
  }
  // A cell with a copy of `text`, or LimitError().
  Cell CopyString(std::string_view text);
  Cell CopyBytes(std::string_view bytes);
  // A list of `elements`, which lie in the arena; LimitError(), or kTooDeep.
  Cell MakeList(absl::Span<const Cell> elements);

 private:
  bool Exhaust();
  void* AllocateBytes(size_t bytes);

  Arena arena_;
  uint64_t budget_ = 0;
  bool exhausted_ = false;
  bool out_of_memory_ = false;
};

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_CONTEXT_H_
