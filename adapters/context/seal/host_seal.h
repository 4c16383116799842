// Contexts that one host seals to another: encrypted to the one, signed by the other.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_HOST_SEAL_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_HOST_SEAL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/single_use.h"

namespace reeve {

// Seals to one host.
//
// Thread-safe.
class HostSealer final : public ContextSealer {
 public:
  // `own` is not owned and must outlive this.
  // Errors: InvalidArgument (`options`), kInternal.
  static absl::StatusOr<std::unique_ptr<HostSealer>> Create(
      const HostKey* own, const HostPublicKey& target, const SealOptions& options = SealOptions());

  // kMalformed also if the target's key is a point of low order.
  absl::StatusOr<std::string> Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                   absl::Time expires) const override;

 private:
  HostSealer(const HostKey* own, const HostPublicKey& target, const SealOptions& options);

  const HostKey& own_;
  const PublicKey target_key_;
  const std::array<uint8_t, 8> key_id_;
  const std::array<uint8_t, 32> target_;
  const SealOptions options_;
};

// Opens what was sealed to this host, by hosts that it trusts. What one of them seals is believed
// whatever it says: trust hosts that may vouch for your users.
//
// Single use is this process's: where several processes of a host open, each can open a context
// once.
//
// Thread-safe, see ContextOpener.
class HostOpener final : public ContextOpener {
 public:
  // What is right between hosts: 60 s, and clocks that differ by 30.
  static SealOptions DefaultOptions();

  // `own` and `single_use` are not owned and must outlive this.
  // Errors: InvalidArgument (`options`; `trusted` is empty or holds a name or a key twice),
  // kInternal.
  static absl::StatusOr<std::unique_ptr<HostOpener>> Create(
      const HostKey* own, std::vector<HostPublicKey> trusted, SingleUse* single_use,
      const SealOptions& options = DefaultOptions());

  // `exporter` is not looked at and may be null: the signature tells the host. The evidence names
  // it, too: "seal=host key=... id=... exporter=web-1".
  absl::StatusOr<OpenedSeal> Open(absl::Span<const uint8_t> packed, absl::Time now,
                                  const PeerToken* exporter) override;

 private:
  struct Exporter {
    HostPublicKey key;
    std::array<uint8_t, 8> key_id;
  };

  HostOpener(const HostKey* own, std::vector<Exporter> trusted, SingleUse* single_use,
             const SealOptions& options);

  const HostKey& own_;
  const std::vector<Exporter> trusted_;
  const std::array<uint8_t, 32> target_;
  SingleUse& single_use_;
  const SealOptions options_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_HOST_SEAL_H_
