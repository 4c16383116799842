#include "engine/names.h"

#include <utility>

namespace reeve {

uint32_t Names::Add(uint32_t scope, std::string_view text) {
  // Two thirds of the slots are taken at most.
  if (3 * (places_.size() + 1) > 2 * slots_.size()) {
    Resize(slots_.empty() ? 8 : 2 * slots_.size());
  }
  const uint64_t hash = Hash(scope, text);
  const auto upper = static_cast<uint32_t>(hash >> 32);
  size_t i = hash & mask_;
  for (; slots_[i].place != kNone; i = (i + 1) & mask_) {
    if (slots_[i].hash != upper) continue;
    const Head head = HeadAt(slots_[i].place);
    if (head.scope == scope && SameText(TextAt(slots_[i].place), text)) return head.number;
  }
  const Head head = {static_cast<uint32_t>(places_.size()), scope,
                     static_cast<uint32_t>(text.size())};
  slots_[i] = {static_cast<uint32_t>(texts_.size()), upper};
  places_.push_back(slots_[i].place);
  texts_.resize(texts_.size() + (sizeof head + text.size() + sizeof(Word) - 1) / sizeof(Word));
  char* const bytes = reinterpret_cast<char*>(texts_.data() + slots_[i].place);
  std::memcpy(bytes, &head, sizeof head);
  if (!text.empty()) std::memcpy(bytes + sizeof head, text.data(), text.size());
  return head.number;
}

void Names::Close() {
  // Room may have been made for too many.
  size_t slots = slots_.size();
  while (slots > 8 && 3 * places_.size() <= slots) slots /= 2;
  if (slots < slots_.size()) Resize(slots);
  texts_.shrink_to_fit();
  places_.shrink_to_fit();
}

void Names::Reserve(size_t texts) {
  size_t slots = slots_.empty() ? 8 : slots_.size();
  while (3 * texts > 2 * slots) slots *= 2;
  if (slots > slots_.size()) Resize(slots);
  places_.reserve(texts);
}

void Names::Resize(size_t count) {
  std::vector<Slot> slots(count);
  mask_ = slots.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.place == kNone) continue;
    size_t i = Hash(HeadAt(slot.place).scope, TextAt(slot.place)) & mask_;
    while (slots[i].place != kNone) i = (i + 1) & mask_;
    slots[i] = slot;
  }
  slots_ = std::move(slots);
}

}  // namespace reeve
