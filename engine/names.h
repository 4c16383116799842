// Texts as small numbers. Internal to engine/.
#ifndef REEVE_ENGINE_NAMES_H_
#define REEVE_ENGINE_NAMES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/text.h"

namespace reeve {

// Numbers texts from 0, each within a scope: a number that the caller gives a meaning. To look one
// up hashes it once and touches two cache lines, one of its slot and one of its text.
//
// Thread-compatible: const methods from any threads, others alone.
class Names {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The number of `text` in `scope`, new or known. At most 2^32 - 2 texts, each below 4 GiB, with
  // 32 GiB in all.
  uint32_t Add(uint32_t scope, std::string_view text);
  // Makes room for as many texts in all.
  void Reserve(size_t texts);
  // Gives back the memory that it holds for more of them.
  void Close();

  // kNone if it was not added.
  uint32_t Find(uint32_t scope, std::string_view text) const {
    if (places_.empty()) return kNone;
    const uint64_t hash = Hash(scope, text);
    const Slot* const slots = slots_.data();
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot slot = slots[i];
      if (slot.place == kNone) return kNone;
      if (slot.hash != static_cast<uint32_t>(hash >> 32)) continue;
      const Head head = HeadAt(slot.place);
      if (head.scope == scope && SameText(TextAt(slot.place), text)) return head.number;
    }
  }

  // Fetches into the cache what Find() will look at first.
  void Prefetch(uint32_t scope, std::string_view text) const {
    if (!places_.empty()) __builtin_prefetch(&slots_[Hash(scope, text) & mask_]);
  }

  size_t size() const { return places_.size(); }

  // Of a number that was given.
  uint32_t ScopeOf(uint32_t number) const { return HeadAt(places_[number]).scope; }
  std::string_view TextOf(uint32_t number) const { return TextAt(places_[number]); }

 private:
  struct Slot {
    uint32_t place = kNone;  // Where in texts_.
    uint32_t hash = 0;       // The upper half.
  };
  // The texts lie one behind the other: a head, then the bytes, filled up to whole words.
  using Word = uint64_t;
  struct Head {
    uint32_t number;
    uint32_t scope;
    uint32_t length;
  };

  // Multiplies 16 bytes at a time, as wyhash does. (absl::Hash calls a function for each text, and
  // takes five times as long for a short one.) Whoever asks cannot choose what is in the table, so
  // that nobody can make a question slow but who wrote the policy.
  static uint64_t Hash(uint32_t scope, std::string_view text) {
    const char* at = text.data();
    size_t left = text.size();
    uint64_t hash = scope * uint64_t{0x9E3779B97F4A7C15} + left;
    for (; left > 16; at += 16, left -= 16) {
      hash = Mix(Load<uint64_t>(at) ^ hash, Load<uint64_t>(at + 8) ^ 0xE7037ED1A0B428DB);
    }
    uint64_t first = 0;
    uint64_t last = 0;
    if (left >= 8) {
      first = Load<uint64_t>(at), last = Load<uint64_t>(at + left - 8);
    } else if (left >= 4) {
      first = Load<uint32_t>(at), last = Load<uint32_t>(at + left - 4);
    } else if (left > 0) {
      first = static_cast<unsigned char>(at[0]) << 8 | static_cast<unsigned char>(at[left / 2]);
      last = static_cast<unsigned char>(at[left - 1]);
    }
    return Mix(first ^ hash ^ 0xA0761D6478BD642F, last ^ 0x8EBC6AF09C88C6E3);
  }
  static uint64_t Mix(uint64_t a, uint64_t b) {
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  template <typename T>
  static T Load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  const char* BytesAt(uint32_t place) const {
    return reinterpret_cast<const char*>(texts_.data() + place);
  }
  Head HeadAt(uint32_t place) const { return Load<Head>(BytesAt(place)); }
  std::string_view TextAt(uint32_t place) const {
    return {BytesAt(place) + sizeof(Head), HeadAt(place).length};
  }

  void Resize(size_t slots);

  std::vector<Slot> slots_;  // A power of two of them, or none.
  size_t mask_ = 0;
  std::vector<Word> texts_;
  std::vector<uint32_t> places_;  // By number: where in texts_.
};

}  // namespace reeve

#endif  // REEVE_ENGINE_NAMES_H_
