#include "engine/cel/builders.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace reeve::cel {
namespace {

// Makes room for `count` elements more. Returns false at a limit.
template <typename T>
bool Grow(size_t count, T** elements, size_t size, size_t* capacity, Context& context) {
  if (count <= *capacity - size) return true;
  if (count > std::numeric_limits<uint32_t>::max() - size) {
    return context.Charge(std::numeric_limits<uint64_t>::max());  // Longer than a cell can hold.
  }
  constexpr size_t kLeast = 64 / sizeof(T);
  const size_t grown = std::max({size + count, *capacity * 2, kLeast});
  T* moved = context.Allocate<T>(grown);
  if (moved == nullptr) return false;
  std::copy_n(*elements, size, moved);
  *elements = moved;
  *capacity = grown;
  return true;
}

}  // namespace

void TextBuilder::Append(std::string_view text) {
  if (text.empty() || failed_) return;
  if (!context_.Charge(TextCost(text.size())) ||
      !Grow(text.size(), &text_, size_, &capacity_, context_)) {
    failed_ = true;
    return;
  }
  std::memcpy(text_ + size_, text.data(), text.size());
  size_ += text.size();
}

Cell TextBuilder::Build() const {
  if (failed_) return context_.LimitError();
  return Cell::String({text_, size_});
}

void ListBuilder::Add(const Cell& element) {
  if (failed()) return;
  if (element.is_error()) {
    error_ = element;
  } else if (!context_.Charge(1) || !Grow(1, &cells_, size_, &capacity_, context_)) {
    error_ = context_.LimitError();
  } else {
    cells_[size_++] = element;
  }
}

Cell ListBuilder::Build() const {
  if (failed()) return error_;
  return context_.MakeList({cells_, size_});
}

}  // namespace reeve::cel
