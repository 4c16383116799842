// Contexts that are sealed by the keys of a ring, for a named service on this machine.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_RING_SEAL_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_RING_SEAL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/single_use.h"

namespace reeve {

// Seals for one service. Whoever has the ring can open what it seals for any service, and seal for
// any: it keeps services apart that do not wish to harm one another. For a certain process, use
// ProcessSealer.
//
// Thread-safe.
class KeyRingSealer final : public ContextSealer {
 public:
  // `ring` is not owned and must outlive this. `service` names who opens: 1 to 255 bytes of
  // printable UTF-8.
  // Errors: InvalidArgument (`service`, `options`), kInternal.
  static absl::StatusOr<std::unique_ptr<KeyRingSealer>> Create(
      const KeyRing* ring, std::string_view service, const Machine& machine,
      const SealOptions& options = SealOptions());

  // By the key that seals at `not_before`. kNoCredentials if none does yet.
  absl::StatusOr<std::string> Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                   absl::Time expires) const override;

 private:
  KeyRingSealer(const KeyRing* ring, const std::array<uint8_t, 32>& target,
                const SealOptions& options)
      : ring_(*ring), target_(target), options_(options) {}

  const KeyRing& ring_;
  const std::array<uint8_t, 32> target_;
  const SealOptions options_;
};

// Opens for one service.
//
// Single use is this process's: where several processes open for one service, each can open a
// context once.
//
// Thread-safe, see ContextOpener.
class KeyRingOpener final : public ContextOpener {
 public:
  // As above. `single_use` is not owned and must outlive this.
  static absl::StatusOr<std::unique_ptr<KeyRingOpener>> Create(
      const KeyRing* ring, std::string_view service, const Machine& machine, SingleUse* single_use,
      const SealOptions& options = SealOptions());

  // `exporter` is not looked at and may be null: whoever has the ring may export.
  absl::StatusOr<OpenedSeal> Open(absl::Span<const uint8_t> packed, absl::Time now,
                                  const PeerToken* exporter) override;

 private:
  KeyRingOpener(const KeyRing* ring, const std::array<uint8_t, 32>& target, SingleUse* single_use,
                const SealOptions& options)
      : ring_(*ring), target_(target), single_use_(*single_use), options_(options) {}

  const KeyRing& ring_;
  const std::array<uint8_t, 32> target_;
  SingleUse& single_use_;
  const SealOptions options_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_RING_SEAL_H_
