#include "reeve/adapters/context/seal/ring_seal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/ring_keys.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using seal_internal::EnvelopeHeader;
using seal_internal::RingKeys;
using seal_internal::SealKind;

static_assert(RingKeys::kKeyBytes == seal_internal::kSealKeyBytes);

absl::Status Check(std::string_view service, const SealOptions& options) {
  if (service.empty() || service.size() > 255 || HasControlCharacter(service)) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(service),
                     "` cannot name a service; give 1 to 255 bytes of printable UTF-8"));
  }
  if (absl::Status status = CheckSealOptions(options); !status.ok()) return status;
  return seal_internal::InitSodium();
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyRingSealer>> KeyRingSealer::Create(const KeyRing* ring,
                                                                     std::string_view service,
                                                                     const Machine& machine,
                                                                     const SealOptions& options) {
  if (absl::Status status = Check(service, options); !status.ok()) return status;
  return std::unique_ptr<KeyRingSealer>(
      new KeyRingSealer(ring, seal_internal::ServiceTarget(machine, service), options));
}

absl::StatusOr<std::string> KeyRingSealer::Seal(absl::Span<const uint8_t> body,
                                                absl::Time not_before, absl::Time expires) const {
  const auto keys = ring_.Current();
  if (!keys.ok()) return keys.status();
  const RingKeys::Key* const key = (*keys)->SealingAt(not_before);
  if (key == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "no key of the ring seals yet; add one that seals from now on");
  }
  const absl::StatusOr<EnvelopeHeader> header = seal_internal::NewHeader(
      SealKind::kRing, key->id, target_, body.size(), not_before, expires, options_);
  if (!header.ok()) return header.status();
  return seal_internal::SealBody(*header, body, (*keys)->SecretOf(*key));
}

absl::StatusOr<std::unique_ptr<KeyRingOpener>> KeyRingOpener::Create(const KeyRing* ring,
                                                                     std::string_view service,
                                                                     const Machine& machine,
                                                                     SingleUse* single_use,
                                                                     const SealOptions& options) {
  if (absl::Status status = Check(service, options); !status.ok()) return status;
  return std::unique_ptr<KeyRingOpener>(
      new KeyRingOpener(ring, seal_internal::ServiceTarget(machine, service), single_use, options));
}

absl::StatusOr<OpenedSeal> KeyRingOpener::Open(absl::Span<const uint8_t> packed, absl::Time now,
                                               const PeerToken*) {
  const absl::StatusOr<EnvelopeHeader> header =
      seal_internal::DecodeHeader(packed, SealKind::kRing);
  if (!header.ok()) return header.status();
  const auto keys = ring_.Current();
  if (!keys.ok()) return keys.status();
  const RingKeys::Key* const key = (*keys)->Find(header->key_id);
  if (key == nullptr) return seal_internal::UnknownKey();
  absl::StatusOr<SecretBytes> body = seal_internal::OpenBody(
      *header, packed, packed.subspan(seal_internal::kHeaderBytes), (*keys)->SecretOf(*key));
  if (!body.ok()) return body.status();
  if (absl::Status status = CheckTarget(*header, target_); !status.ok()) return status;
  if (absl::Status status = CheckTime(*header, options_, now); !status.ok()) return status;
  return Finish(*header, *std::move(body), options_, now, &single_use_);
}

}  // namespace reeve
