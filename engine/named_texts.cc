#include "reeve/engine/named_texts.h"

#include <utility>

namespace reeve {

void NamedTexts::Add(std::string_view text, uint32_t number) {
  if (2 * (size_ + 1) > slots_.size()) {
    std::vector<Slot> old(slots_.empty() ? 8 : 2 * slots_.size());
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    shift_ = 64 - __builtin_ctzll(slots_.size());
    for (const Slot& slot : old) {
      if (slot.at != nullptr) *FindSlot({slot.at, slot.size}) = slot;
    }
  }
  Slot* const slot = FindSlot(text);
  if (slot->at != nullptr) return;
  *slot = {text.data(), static_cast<uint32_t>(text.size()), number};
  ++size_;
}

NamedTexts::Slot* NamedTexts::FindSlot(std::string_view text) {
  size_t i = Home(text);
  while (slots_[i].at != nullptr &&
         (slots_[i].at != text.data() || slots_[i].size != text.size())) {
    i = (i + 1) & mask_;
  }
  return &slots_[i];
}

}  // namespace reeve
