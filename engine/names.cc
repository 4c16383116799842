#include "engine/names.h"

namespace reeve {

uint32_t Names::Add(uint32_t scope, std::string_view text) {
  // Two thirds of the slots are taken at most.
  if (3 * (size_ + 1) > 2 * slots_.size()) Grow();
  const uint64_t hash = Hash(scope, text);
  size_t i = hash & mask_;
  for (; slots_[i].number != kNone; i = (i + 1) & mask_) {
    if (Is(slots_[i], hash, scope) && SameText(TextOf(slots_[i]), text)) return slots_[i].number;
  }
  slots_[i] = {static_cast<uint32_t>(size_++), static_cast<uint32_t>(hash >> 32), scope,
               static_cast<uint32_t>(texts_.size())};
  const auto length = static_cast<uint32_t>(text.size());
  texts_.resize(texts_.size() + (sizeof length + text.size() + sizeof(Word) - 1) / sizeof(Word));
  char* const bytes = reinterpret_cast<char*>(texts_.data() + slots_[i].at);
  std::memcpy(bytes, &length, sizeof length);
  if (!text.empty()) std::memcpy(bytes + sizeof length, text.data(), text.size());
  return slots_[i].number;
}

void Names::Grow() {
  std::vector<Slot> old(slots_.empty() ? 8 : 2 * slots_.size());
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.number == kNone) continue;
    size_t i = Hash(slot.scope, TextOf(slot)) & mask_;
    while (slots_[i].number != kNone) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

}  // namespace reeve
