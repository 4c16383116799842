#include "reeve/adapters/context/seal/envelope.h"

#include <sodium.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"

namespace reeve::seal_internal {
namespace {

static_assert(kSealKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(sizeof(EnvelopeHeader::nonce) == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);

constexpr char kMagic[4] = {'R', 'V', 'S', 'C'};
constexpr uint8_t kVersion = 1;

// Where the fields are.
constexpr size_t kVersionAt = 4;
constexpr size_t kKindAt = 5;
constexpr size_t kFlagsAt = 6;
constexpr size_t kKeyIdAt = 8;
constexpr size_t kTokenIdAt = 16;
constexpr size_t kTargetAt = 32;
constexpr size_t kNotBeforeAt = 64;
constexpr size_t kExpiresAt = 72;
constexpr size_t kNonceAt = 80;
constexpr size_t kBodyBytesAt = 104;
constexpr size_t kReservedAt = 108;

// Numbers stand with the low byte first.
template <typename Number>
void Store(Number number, uint8_t* out) {
  for (size_t i = 0; i < sizeof(Number); ++i) out[i] = static_cast<uint8_t>(number >> (8 * i));
}
template <typename Number>
Number Load(const uint8_t* in) {
  Number number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) number |= Number{in[i]} << (8 * i);
  return number;
}

// What surrounds the body.
size_t ExtraBytes(SealKind kind) {
  const size_t asymmetric = kind == SealKind::kHost ? kEphemeralKeyBytes + kSignatureBytes : 0;
  return kHeaderBytes + kTagBytes + asymmetric;
}
static_assert(kMaxSealedBodyBytes + kHeaderBytes + kTagBytes + kEphemeralKeyBytes +
                  kSignatureBytes <=
              kMaxPackedBytes);

absl::Status Malformed(std::string_view what) {
  return MakeContextError(ContextError::kMalformed,
                          absl::StrCat("the context ", absl::string_view(what.data(), what.size()),
                                       "; hand over the bytes that the exporter sealed"));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

absl::Status TooLong(absl::Duration lifetime, const SealOptions& options) {
  return MakeContextError(
      ContextError::kMalformed,
      absl::StrCat("the context lives for ", absl::FormatDuration(lifetime), ", and at most ",
                   absl::FormatDuration(options.max_lifetime),
                   " are allowed; seal it for a shorter time, or raise `max_lifetime` on both "
                   "sides"));
}

}  // namespace

std::string_view ToString(SealKind kind) {
  switch (kind) {
    case SealKind::kRing:
      return "ring";
    case SealKind::kProcess:
      return "process";
    case SealKind::kHost:
      return "host";
  }
  return "";
}

size_t PackedBytes(SealKind kind, size_t body_bytes) { return ExtraBytes(kind) + body_bytes; }

absl::StatusOr<EnvelopeHeader> NewHeader(SealKind kind, const KeyId& key_id, const Target& target,
                                         size_t body_bytes, absl::Time not_before,
                                         absl::Time expires, const SealOptions& options) {
  if (body_bytes > kMaxSealedBodyBytes) {
    return MakeContextError(ContextError::kMalformed,
                            absl::StrCat("the context holds ", body_bytes, " bytes, and at most ",
                                         kMaxSealedBodyBytes, " can be sealed; export less"));
  }
  if (expires - not_before > options.max_lifetime) {
    return TooLong(expires - not_before, options);
  }
  EnvelopeHeader header;
  // As they will be read.
  header.not_before = absl::FromUnixNanos(absl::ToUnixNanos(not_before));
  header.expires = absl::FromUnixNanos(absl::ToUnixNanos(expires));
  if (header.not_before >= header.expires) {
    return MakeContextError(ContextError::kMalformed,
                            absl::StrCat("the context would expire at ", TimeText(expires),
                                         " and not be valid before ", TimeText(not_before),
                                         "; seal it for some time, within the years 1678 to 2261"));
  }
  header.kind = kind;
  header.key_id = key_id;
  header.target = target;
  header.body_bytes = static_cast<uint32_t>(body_bytes);
  // One call, for it is a system call.
  uint8_t random[sizeof(header.token_id) + sizeof(header.nonce)];
  randombytes_buf(random, sizeof(random));
  std::memcpy(header.token_id.data(), random, header.token_id.size());
  std::memcpy(header.nonce.data(), random + header.token_id.size(), header.nonce.size());
  return header;
}

void EncodeHeader(const EnvelopeHeader& header, uint8_t* out) {
  std::memcpy(out, kMagic, sizeof(kMagic));
  out[kVersionAt] = kVersion;
  out[kKindAt] = static_cast<uint8_t>(header.kind);
  Store(uint16_t{0}, out + kFlagsAt);
  std::memcpy(out + kKeyIdAt, header.key_id.data(), header.key_id.size());
  std::memcpy(out + kTokenIdAt, header.token_id.data(), header.token_id.size());
  std::memcpy(out + kTargetAt, header.target.data(), header.target.size());
  Store(static_cast<uint64_t>(absl::ToUnixNanos(header.not_before)), out + kNotBeforeAt);
  Store(static_cast<uint64_t>(absl::ToUnixNanos(header.expires)), out + kExpiresAt);
  std::memcpy(out + kNonceAt, header.nonce.data(), header.nonce.size());
  Store(header.body_bytes, out + kBodyBytesAt);
  std::memset(out + kReservedAt, 0, kHeaderBytes - kReservedAt);
}

absl::StatusOr<EnvelopeHeader> DecodeHeader(absl::Span<const uint8_t> packed) {
  if (packed.size() < kHeaderBytes + kTagBytes) return Malformed("is too short");
  if (packed.size() > kMaxPackedBytes) return Malformed("is too long");
  const uint8_t* const in = packed.data();
  if (std::memcmp(in, kMagic, sizeof(kMagic)) != 0) return Malformed("is not a sealed one");
  if (in[kVersionAt] != kVersion) {
    return MakeContextError(
        ContextError::kUnsupportedVersion,
        absl::StrCat("the context is of version ", in[kVersionAt],
                     " of the format, and this program knows version ", kVersion, "; update it"));
  }
  const uint8_t kind_number = in[kKindAt];
  if (kind_number < 1 || kind_number > 3) {
    return MakeContextError(ContextError::kUnsupportedVersion,
                            absl::StrCat("the context has a seal of kind ", kind_number,
                                         ", which this program does not know; update it"));
  }
  for (size_t i = kFlagsAt; i < kKeyIdAt; ++i) {
    if (in[i] != 0) return Malformed("has flags, which version 1 has not");
  }
  for (size_t i = kReservedAt; i < kHeaderBytes; ++i) {
    if (in[i] != 0) return Malformed("has bytes that version 1 leaves zero");
  }
  EnvelopeHeader header;
  header.kind = static_cast<SealKind>(kind_number);
  header.body_bytes = Load<uint32_t>(in + kBodyBytesAt);
  if (header.body_bytes > kMaxSealedBodyBytes ||
      packed.size() != PackedBytes(header.kind, header.body_bytes)) {
    return Malformed("is not as long as it says");
  }
  header.not_before = absl::FromUnixNanos(static_cast<int64_t>(Load<uint64_t>(in + kNotBeforeAt)));
  header.expires = absl::FromUnixNanos(static_cast<int64_t>(Load<uint64_t>(in + kExpiresAt)));
  if (header.not_before >= header.expires) return Malformed("expires before it is valid");
  std::memcpy(header.key_id.data(), in + kKeyIdAt, header.key_id.size());
  std::memcpy(header.token_id.data(), in + kTokenIdAt, header.token_id.size());
  std::memcpy(header.target.data(), in + kTargetAt, header.target.size());
  std::memcpy(header.nonce.data(), in + kNonceAt, header.nonce.size());
  return header;
}

absl::StatusOr<EnvelopeHeader> DecodeHeader(absl::Span<const uint8_t> packed, SealKind kind) {
  absl::StatusOr<EnvelopeHeader> header = DecodeHeader(packed);
  if (!header.ok()) return header;
  if (header->kind != kind) {
    const std::string_view has = ToString(header->kind);
    const std::string_view wants = ToString(kind);
    return MakeContextError(ContextError::kUnknownKey,
                            absl::StrCat("the context has a seal of the kind `",
                                         absl::string_view(has.data(), has.size()), "`, and `",
                                         absl::string_view(wants.data(), wants.size()),
                                         "` is opened here; seal it for this program"));
  }
  return header;
}

void EncryptBody(const EnvelopeHeader& header, absl::Span<const uint8_t> body, const uint8_t* key,
                 const uint8_t* encoded_header, uint8_t* out) {
  crypto_aead_xchacha20poly1305_ietf_encrypt(out, nullptr, body.data(), body.size(), encoded_header,
                                             kHeaderBytes, nullptr, header.nonce.data(), key);
}

std::string SealBody(const EnvelopeHeader& header, absl::Span<const uint8_t> body,
                     const uint8_t* key) {
  std::string packed(PackedBytes(header.kind, body.size()), '\0');
  auto* const out = reinterpret_cast<uint8_t*>(packed.data());
  EncodeHeader(header, out);
  EncryptBody(header, body, key, out, out + kHeaderBytes);
  return packed;
}

absl::StatusOr<SecretBytes> OpenBody(const EnvelopeHeader& header, absl::Span<const uint8_t> packed,
                                     absl::Span<const uint8_t> ciphertext, const uint8_t* key) {
  SecretBytes body(header.body_bytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(body.data(), nullptr, nullptr, ciphertext.data(),
                                                 ciphertext.size(), packed.data(), kHeaderBytes,
                                                 header.nonce.data(), key) != 0) {
    return AuthenticationFailed();
  }
  return body;
}

absl::Status AuthenticationFailed() {
  return MakeContextError(
      ContextError::kAuthenticationFailed,
      "the context was changed on its way, or was not made by who it says; do not use it");
}

absl::Status UnknownKey() {
  return MakeContextError(
      ContextError::kUnknownKey,
      "the context is sealed by a key that is not known here; give this program the key of the "
      "exporter, or seal it for this program");
}

absl::Status InForkedChild() {
  return MakeContextError(ContextError::kWrongTarget,
                          "the keys are those of the process that this one was forked from; make "
                          "or load them after fork()");
}

absl::Status CheckTarget(const EnvelopeHeader& header, const Target& own) {
  if (header.target == own) return absl::OkStatus();  // Both are known to whoever sealed.
  return MakeContextError(ContextError::kWrongTarget,
                          absl::StrCat("the context is sealed for another ",
                                       header.kind == SealKind::kRing ? "service, machine or boot"
                                       : header.kind == SealKind::kProcess ? "process"
                                                                           : "host",
                                       "; seal it for this one"));
}

absl::Status CheckTime(const EnvelopeHeader& header, const SealOptions& options, absl::Time now) {
  if (header.expires - header.not_before > options.max_lifetime) {
    return TooLong(header.expires - header.not_before, options);
  }
  if (now < header.not_before - options.clock_skew) {
    return MakeContextError(ContextError::kNotYetValid,
                            absl::StrCat("the context is valid from ", TimeText(header.not_before),
                                         " on, and it is ", TimeText(now), "; set the clocks"));
  }
  if (now >= header.expires + options.clock_skew) {
    return MakeContextError(ContextError::kExpired,
                            absl::StrCat("the context expired at ", TimeText(header.expires),
                                         ", and it is ", TimeText(now), "; export it again"));
  }
  return absl::OkStatus();
}

SingleUse::Id IdOf(const EnvelopeHeader& header) {
  const uint8_t kind[] = {static_cast<uint8_t>(header.kind)};
  SingleUse::Id id;
  Derive(absl::MakeSpan(id), {}, "reeve context id 1", {kind, header.key_id, header.token_id});
  return id;
}

absl::StatusOr<OpenedSeal> Finish(const EnvelopeHeader& header, SecretBytes body,
                                  const SealOptions& options, absl::Time now,
                                  SingleUse* single_use) {
  const SingleUse::Id id = IdOf(header);
  if (absl::Status status = single_use->Use(id, header.not_before - options.clock_skew,
                                            header.expires + options.clock_skew, now);
      !status.ok()) {
    return status;
  }
  OpenedSeal opened;
  opened.body = std::move(body);
  opened.not_before = header.not_before;
  opened.expires = header.expires;
  opened.evidence.reserve(80);
  opened.evidence.append("seal=").append(ToString(header.kind)).append(" key=");
  AppendHex(header.key_id, &opened.evidence);
  opened.evidence.append(" id=");
  AppendHex(id, &opened.evidence);
  return opened;
}

}  // namespace reeve::seal_internal
