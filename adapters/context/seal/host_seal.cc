#include "reeve/adapters/context/seal/host_seal.h"

#include <sodium.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/host_envelope.h"

namespace reeve {

namespace seal_internal {
namespace {

static_assert(kEphemeralKeyBytes == crypto_scalarmult_BYTES);
static_assert(kSignatureBytes == crypto_sign_BYTES);

// Lives on the stack for the time of one context.
struct OneTimeKey {
  uint8_t bytes[kSealKeyBytes];
  ~OneTimeKey() { sodium_memzero(bytes, sizeof(bytes)); }
};

// The key of one context: `secret` is ours, `peer` the other side's. False of a point of low order.
bool DeriveHostKey(const uint8_t* secret, const uint8_t* peer, Bytes ephemeral, Bytes target,
                   Bytes exporter, OneTimeKey* key) {
  OneTimeKey shared;
  if (crypto_scalarmult(shared.bytes, secret, peer) != 0) return false;
  Derive(key->bytes, shared.bytes, "reeve host seal 1", {ephemeral, target, exporter});
  return true;
}

}  // namespace

absl::StatusOr<std::string> SealToHost(const EnvelopeHeader& header, absl::Span<const uint8_t> body,
                                       const HostKey& own, const PublicKey& target,
                                       const uint8_t* ephemeral) {
  std::string packed(PackedBytes(SealKind::kHost, body.size()), '\0');
  auto* const out = reinterpret_cast<uint8_t*>(packed.data());
  uint8_t* const ephemeral_public = out + kHeaderBytes;
  uint8_t* const ciphertext = ephemeral_public + kEphemeralKeyBytes;
  uint8_t* const signature = ciphertext + body.size() + kTagBytes;
  EncodeHeader(header, out);
  crypto_scalarmult_base(ephemeral_public, ephemeral);
  OneTimeKey key;
  if (!DeriveHostKey(ephemeral, target.data(), {ephemeral_public, kEphemeralKeyBytes}, target,
                     own.public_key().signing, &key)) {
    return MakeContextError(ContextError::kMalformed,
                            "the public key of the target is none that a key pair has; get the "
                            "right one");
  }
  EncryptBody(header, body, key.bytes, out, ciphertext);
  crypto_sign_detached(signature, nullptr, out, static_cast<size_t>(signature - out),
                       own.signing_key());
  return packed;
}

}  // namespace seal_internal

namespace {

using seal_internal::EnvelopeHeader;
using seal_internal::kEphemeralKeyBytes;
using seal_internal::kHeaderBytes;
using seal_internal::kSignatureBytes;
using seal_internal::SealKind;

}  // namespace

absl::StatusOr<std::unique_ptr<HostSealer>> HostSealer::Create(const HostKey* own,
                                                               const HostPublicKey& target,
                                                               const SealOptions& options) {
  if (absl::Status status = CheckSealOptions(options); !status.ok()) return status;
  return std::unique_ptr<HostSealer>(new HostSealer(own, target, options));
}

HostSealer::HostSealer(const HostKey* own, const HostPublicKey& target, const SealOptions& options)
    : own_(*own),
      target_key_(target.opening),
      key_id_(seal_internal::KeyIdOf(own->public_key().signing)),
      target_(seal_internal::HostTarget(target.opening)),
      options_(options) {}

absl::StatusOr<std::string> HostSealer::Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                             absl::Time expires) const {
  if (!own_.here()) return seal_internal::InForkedChild();
  const absl::StatusOr<EnvelopeHeader> header = seal_internal::NewHeader(
      SealKind::kHost, key_id_, target_, body.size(), not_before, expires, options_);
  if (!header.ok()) return header.status();
  seal_internal::OneTimeKey ephemeral;
  randombytes_buf(ephemeral.bytes, sizeof(ephemeral.bytes));
  return seal_internal::SealToHost(*header, body, own_, target_key_, ephemeral.bytes);
}

SealOptions HostOpener::DefaultOptions() {
  SealOptions options;
  options.clock_skew = absl::Seconds(30);
  return options;
}

absl::StatusOr<std::unique_ptr<HostOpener>> HostOpener::Create(const HostKey* own,
                                                               std::vector<HostPublicKey> trusted,
                                                               SingleUse* single_use,
                                                               const SealOptions& options) {
  if (absl::Status status = CheckSealOptions(options); !status.ok()) return status;
  if (trusted.empty()) {
    return absl::InvalidArgumentError("no host is trusted; name those that may export");
  }
  std::vector<Exporter> exporters;
  for (HostPublicKey& key : trusted) {
    const seal_internal::KeyId key_id = seal_internal::KeyIdOf(key.signing);
    for (const Exporter& other : exporters) {
      if (other.key_id == key_id || other.key.name == key.name) {
        return absl::InvalidArgumentError(
            absl::StrCat("`", key.name, "` and `", other.key.name,
                         "` are trusted by one name or one key; name each host once"));
      }
    }
    exporters.push_back({std::move(key), key_id});
  }
  return std::unique_ptr<HostOpener>(
      new HostOpener(own, std::move(exporters), single_use, options));
}

HostOpener::HostOpener(const HostKey* own, std::vector<Exporter> trusted, SingleUse* single_use,
                       const SealOptions& options)
    : own_(*own),
      trusted_(std::move(trusted)),
      target_(seal_internal::HostTarget(own->public_key().opening)),
      single_use_(*single_use),
      options_(options) {}

absl::StatusOr<OpenedSeal> HostOpener::Open(absl::Span<const uint8_t> packed, absl::Time now,
                                            const PeerToken*) {
  const absl::StatusOr<EnvelopeHeader> header =
      seal_internal::DecodeHeader(packed, SealKind::kHost);
  if (!header.ok()) return header.status();
  if (!own_.here()) return seal_internal::InForkedChild();
  const Exporter* exporter = nullptr;
  for (const Exporter& known : trusted_) {
    if (known.key_id == header->key_id) exporter = &known;
  }
  if (exporter == nullptr) return seal_internal::UnknownKey();

  const absl::Span<const uint8_t> is_signed = packed.first(packed.size() - kSignatureBytes);
  if (crypto_sign_verify_detached(packed.data() + is_signed.size(), is_signed.data(),
                                  is_signed.size(), exporter->key.signing.data()) != 0) {
    return seal_internal::AuthenticationFailed();
  }
  // Who signed knows for whom; without that check the next would fail in its place.
  if (absl::Status status = CheckTarget(*header, target_); !status.ok()) return status;
  const absl::Span<const uint8_t> ephemeral = packed.subspan(kHeaderBytes, kEphemeralKeyBytes);
  seal_internal::OneTimeKey key;
  if (!seal_internal::DeriveHostKey(own_.opening_key(), ephemeral.data(), ephemeral,
                                    own_.public_key().opening, exporter->key.signing, &key)) {
    return seal_internal::AuthenticationFailed();
  }
  absl::StatusOr<SecretBytes> body = seal_internal::OpenBody(
      *header, packed, is_signed.subspan(kHeaderBytes + kEphemeralKeyBytes), key.bytes);
  if (!body.ok()) return body.status();
  if (absl::Status status = CheckTime(*header, options_, now); !status.ok()) return status;
  absl::StatusOr<OpenedSeal> opened =
      Finish(*header, *std::move(body), options_, now, &single_use_);
  if (opened.ok()) absl::StrAppend(&opened->evidence, " exporter=", exporter->key.name);
  return opened;
}

}  // namespace reeve
