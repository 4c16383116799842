// What the functions of conditions share: texts and lists that grow in the arena, and what they
// answer when they cannot. Internal.
#ifndef REEVE_ENGINE_CEL_BUILDERS_H_
#define REEVE_ENGINE_CEL_BUILDERS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve::cel {

// The price of going over `bytes` of text once.
inline uint64_t TextCost(size_t bytes) { return bytes / 16 + 1; }

inline Cell NoSuchOverload(std::string_view function) {
  return Cell::Error(ErrorCode::kNoSuchOverload, function);
}

// Collects text in the arena. What is added after a limit was met is dropped. One thread at a time.
class TextBuilder {
 public:
  explicit TextBuilder(Context& context) : context_(context) {}

  void Append(std::string_view text);
  void Append(char byte) { Append(std::string_view(&byte, 1)); }
  // What was added, which is valid UTF-8 as a whole; or LimitError().
  Cell Build() const;

 private:
  Context& context_;
  char* text_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  bool failed_ = false;
};

// Collects the elements of a list in the arena. An element that is an error is the result; what is
// added after it, or after a limit was met, is dropped. One thread at a time.
class ListBuilder {
 public:
  explicit ListBuilder(Context& context) : context_(context) {}

  void Add(const Cell& element);
  size_t size() const { return size_; }
  const Cell* cells() const { return cells_; }
  // Whether the result is an error, so that the rest of the work is in vain.
  bool failed() const { return error_.is_error(); }
  // The list, or an error.
  Cell Build() const;

 private:
  Context& context_;
  Cell* cells_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  Cell error_;  // Null if there is none.
};

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_BUILDERS_H_
