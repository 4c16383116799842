// The keys of a ring, as they are at one time. Private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_RING_KEYS_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_RING_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "reeve/adapters/context/seal/secret_memory.h"

namespace reeve::seal_internal {

// Immutable: any thread.
class RingKeys {
 public:
  static constexpr size_t kKeyBytes = 32;

  struct Key {
    std::array<uint8_t, 8> id;
    absl::Time created;
    absl::Time seals_from;
    size_t number = 0;  // which of the secrets it is
  };

  // `keys` by `seals_from`, the latest last.
  RingKeys(std::vector<Key> keys, SecretMemory secrets)
      : keys_(std::move(keys)), secrets_(std::move(secrets)) {}

  const std::vector<Key>& keys() const { return keys_; }
  const uint8_t* SecretOf(const Key& key) const { return secrets_.data() + key.number * kKeyBytes; }

  // Null if there is none of that id.
  const Key* Find(const std::array<uint8_t, 8>& id) const {
    for (const Key& key : keys_) {
      if (key.id == id) return &key;
    }
    return nullptr;
  }

  // The key that seals at `time`; null if none does yet.
  const Key* SealingAt(absl::Time time) const {
    for (size_t i = keys_.size(); i > 0; --i) {
      if (keys_[i - 1].seals_from <= time) return &keys_[i - 1];
    }
    return nullptr;
  }

 private:
  const std::vector<Key> keys_;
  const SecretMemory secrets_;
};

}  // namespace reeve::seal_internal

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_RING_KEYS_H_
