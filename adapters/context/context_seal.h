// How a packed context is closed and opened. Three kinds of seal, in seal/: by keys that two
// services share, to one process, to another host. doc/sealed-context.md has every byte.
#ifndef REEVE_ADAPTERS_CONTEXT_CONTEXT_SEAL_H_
#define REEVE_ADAPTERS_CONTEXT_CONTEXT_SEAL_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/socket/peer.h"

namespace reeve {

// The longest packed context, and the longest of what one may hold.
inline constexpr size_t kMaxPackedBytes = 65536;
inline constexpr size_t kMaxSealedBodyBytes = kMaxPackedBytes - 512;

// Closes contexts. Implementations: KeyRingSealer, ProcessSealer, HostSealer.
//
// Thread-safe.
class ContextSealer {
 public:
  virtual ~ContextSealer() = default;

  // `body` as a packed context that can be opened from `not_before` on until `expires`, once.
  // Errors: kMalformed (too long, or an empty time), kWrongTarget (the target is no longer there,
  // or this process was forked from the one that has the key), kNoCredentials, kInternal.
  virtual absl::StatusOr<std::string> Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                           absl::Time expires) const = 0;
};

// What came out of a seal that was verified.
struct OpenedSeal {
  SecretBytes body;
  absl::Time not_before;
  absl::Time expires;
  // For records, no secret: "seal=ring key=0123456789abcdef id=..." The id is a digest of the
  // random name of this packed context.
  std::string evidence;
};

// Opens contexts. Implementations: KeyRingOpener, ProcessOpener, HostOpener.
//
// Thread-safe: of any number of threads that open one context at once, one succeeds.
class ContextOpener {
 public:
  virtual ~ContextOpener() = default;

  // What `packed` holds, if it was sealed by who may, for this program, is of now and was never
  // opened here. Checks in this order: shape, key, authenticity, target, time, exporter, single
  // use; nothing that `packed` says is acted on before its authenticity is proved, but the choice
  // of the key. `exporter` is whom `packed` was received from; may be null where the implementation
  // says so. Errors: kMalformed, kUnsupportedVersion, kUnknownKey, kAuthenticationFailed,
  // kWrongTarget, kExpired, kNotYetValid, kExporterNotAllowed, kReplayed, kResourceExhausted,
  // kNoCredentials, kInternal.
  virtual absl::StatusOr<OpenedSeal> Open(absl::Span<const uint8_t> packed, absl::Time now,
                                          const PeerToken* exporter) = 0;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_CONTEXT_SEAL_H_
