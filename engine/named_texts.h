// Which entities the texts of a set name, by where the texts lie. Internal to engine/.
#ifndef REEVE_ENGINE_NAMED_TEXTS_H_
#define REEVE_ENGINE_NAMED_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace reeve {

// Conditions ask mostly about names that the set itself holds: constants, and attributes of its
// entities. What those name is found without reading them. Add(), then Find(). Then immutable: any
// thread.
class NamedTexts {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // `text` outlives this, where it is, and is not empty. Does nothing if it was added.
  void Add(std::string_view text, uint32_t number);

  // The number of the very text that was added, or kNone: one that lies elsewhere is another.
  uint32_t Find(std::string_view text) const {
    if (slots_.empty()) return kNone;
    for (size_t i = Home(text);; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.at == text.data() && slot.size == text.size()) return slot.number;
      if (slot.at == nullptr) return kNone;
    }
  }

 private:
  struct Slot {
    const char* at = nullptr;
    uint32_t size = 0;
    uint32_t number = kNone;
  };

  size_t Home(std::string_view text) const {
    return reinterpret_cast<uintptr_t>(text.data()) * uint64_t{0x9E3779B97F4A7C15} >> shift_;
  }
  Slot* FindSlot(std::string_view text);

  std::vector<Slot> slots_;  // A power of two of them, or none.
  size_t mask_ = 0;
  int shift_ = 0;
  size_t size_ = 0;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_NAMED_TEXTS_H_
