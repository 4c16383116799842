#include "reeve/engine/cel/context.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace reeve::cel {
namespace {

constexpr size_t kAlignment = 16;
constexpr size_t kFirstBlock = 4096;
static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= kAlignment);

}  // namespace

void* Arena::Allocate(size_t bytes) {
  if (bytes > limit_ - used_) return nullptr;
  const size_t rounded = (bytes + kAlignment - 1) & ~(kAlignment - 1);
  while (block_ < blocks_.size() && rounded > blocks_[block_].size - offset_) {
    ++block_;
    offset_ = 0;
  }
  if (block_ == blocks_.size()) {
    // Doubles, so that there are few blocks.
    const size_t size = std::max(rounded, blocks_.empty() ? kFirstBlock : 2 * blocks_.back().size);
    blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
  }
  void* result = blocks_[block_].bytes.get() + offset_;
  offset_ += rounded;
  used_ += std::min(rounded, limit_ - used_);
  return result;
}

void Arena::Reset(size_t limit) {
  block_ = 0;
  offset_ = 0;
  used_ = 0;
  limit_ = std::min(limit, std::numeric_limits<size_t>::max() / 4);
}

void Context::Reset(uint64_t cost, size_t memory) {
  arena_.Reset(memory);
  budget_ = cost;
  exhausted_ = false;
  out_of_memory_ = false;
}

bool Context::Exhaust() {
  budget_ = 0;
  exhausted_ = true;
  return false;
}

void* Context::AllocateBytes(size_t bytes) {
  if (!Charge(bytes / 16 + 1)) return nullptr;
  void* result = arena_.Allocate(bytes);
  if (result == nullptr) {
    out_of_memory_ = true;
    Exhaust();
  }
  return result;
}

Cell Context::CopyString(std::string_view text) {
  Cell copy = CopyBytes(text);
  return copy.is_error() ? copy : Cell::String(copy.text());
}

Cell Context::CopyBytes(std::string_view bytes) {
  if (bytes.empty()) return Cell::Bytes({});
  char* copy = Allocate<char>(bytes.size());
  if (copy == nullptr) return LimitError();
  std::memcpy(copy, bytes.data(), bytes.size());
  return Cell::Bytes({copy, bytes.size()});
}

Cell Context::MakeList(absl::Span<const Cell> elements) {
  if (!Charge(elements.size())) return LimitError();
  int depth = 0;
  for (const Cell& element : elements) depth = std::max(depth, element.depth());
  if (depth >= kMaxCellDepth) return Cell::Error(ErrorCode::kTooDeep);
  return Cell::List(elements, depth + 1);
}

}  // namespace reeve::cel
