// The bytes of a sealed context: the header, and what goes between a key and a body. What is
// private to sealers and openers; doc/sealed-context.md has every byte.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_ENVELOPE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_ENVELOPE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/single_use.h"

namespace reeve::seal_internal {

// The numbers are those of the format.
enum class SealKind : uint8_t { kRing = 1, kProcess = 2, kHost = 3 };
// "ring", "process", "host".
std::string_view ToString(SealKind kind);

inline constexpr size_t kHeaderBytes = 120;
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kSealKeyBytes = 32;
// What contexts of SealKind::kHost have beyond: a public key before the body, a signature behind.
inline constexpr size_t kEphemeralKeyBytes = 32;
inline constexpr size_t kSignatureBytes = 64;

using KeyId = std::array<uint8_t, 8>;
using Target = std::array<uint8_t, 32>;

struct EnvelopeHeader {
  SealKind kind = SealKind::kRing;
  KeyId key_id = {};
  std::array<uint8_t, 16> token_id = {};  // random: the name of this context
  Target target = {};
  absl::Time not_before;
  absl::Time expires;
  std::array<uint8_t, 24> nonce = {};  // random
  uint32_t body_bytes = 0;
};

// The size of a whole context.
size_t PackedBytes(SealKind kind, size_t body_bytes);

// The header of a new context, with a random name and nonce.
// Errors: kMalformed: the body is too long, the time empty or longer than `options` let it be.
absl::StatusOr<EnvelopeHeader> NewHeader(SealKind kind, const KeyId& key_id, const Target& target,
                                         size_t body_bytes, absl::Time not_before,
                                         absl::Time expires, const SealOptions& options);

// Writes it: kHeaderBytes.
void EncodeHeader(const EnvelopeHeader& header, uint8_t* out);

// Reads the header of `packed`, whose size must be what the header says. Nothing of it is known to
// be true. Errors: kMalformed, kUnsupportedVersion.
absl::StatusOr<EnvelopeHeader> DecodeHeader(absl::Span<const uint8_t> packed);
// The same; kUnknownKey if it is of another kind than `kind`.
absl::StatusOr<EnvelopeHeader> DecodeHeader(absl::Span<const uint8_t> packed, SealKind kind);

// What its context is called in records, and remembered by: no byte of its name can be told from
// it.
SingleUse::Id IdOf(const EnvelopeHeader& header);

// Encrypts `body` to `out`, with its tag behind, so that it opens with that header alone, which is
// `encoded_header` in bytes.
void EncryptBody(const EnvelopeHeader& header, absl::Span<const uint8_t> body, const uint8_t* key,
                 const uint8_t* encoded_header, uint8_t* out);

// A whole context of kRing or kProcess, by a key of kSealKeyBytes.
std::string SealBody(const EnvelopeHeader& header, absl::Span<const uint8_t> body,
                     const uint8_t* key);

// Decrypts `ciphertext` (a body and its tag), which is part of `packed`, by its header.
// kAuthenticationFailed if it was not made of that header by that key.
absl::StatusOr<SecretBytes> OpenBody(const EnvelopeHeader& header, absl::Span<const uint8_t> packed,
                                     absl::Span<const uint8_t> ciphertext, const uint8_t* key);

// Whoever opens has found that the context is not authentic; has no key for it; is a forked child.
absl::Status AuthenticationFailed();
absl::Status UnknownKey();
absl::Status InForkedChild();

// The checks that follow authenticity. kWrongTarget.
absl::Status CheckTarget(const EnvelopeHeader& header, const Target& own);
// kMalformed (it lives longer than `options` let it), kNotYetValid, kExpired.
absl::Status CheckTime(const EnvelopeHeader& header, const SealOptions& options, absl::Time now);

// Uses the context up, and makes the result of `body`. The last check.
absl::StatusOr<OpenedSeal> Finish(const EnvelopeHeader& header, SecretBytes body,
                                  const SealOptions& options, absl::Time now,
                                  SingleUse* single_use);

}  // namespace reeve::seal_internal

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_ENVELOPE_H_
