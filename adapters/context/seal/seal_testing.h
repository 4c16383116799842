// Sealers and openers of each kind, for tests of this folder and of those that import contexts.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_TESTING_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_TESTING_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/socket/peer.h"

namespace reeve::seal_testing {

using seal_internal::SealKind;

// 2027-01-15T08:00:00Z.
inline const absl::Time kNow = absl::FromUnixSeconds(1800000000);
inline const Machine kMachine = {"0123456789abcdef0123456789abcdef",
                                 "01234567-89ab-cdef-0123-456789abcdef"};

absl::Span<const uint8_t> Bytes(std::string_view text);

// Whether a sanitizer is built in: then mlock(2) does nothing, and no memory ends the program.
bool IsSanitized();

// "OK", or "replayed: the context was opened before; export it again".
std::string Why(const absl::Status& status);
// The body, or why there is none.
std::string Outcome(const absl::StatusOr<OpenedSeal>& opened);

// The value; ends the program if there is none.
template <typename T>
T Must(absl::StatusOr<T> value);

// What the kernel says of this process, as of one that connected.
PeerToken OwnToken();

// A sealer, and an opener of what it seals, both in this process.
struct Seals {
  static Seals Make(SealKind kind, const SealOptions& options = SealOptions(),
                    size_t capacity = 1000, absl::Time begin = kNow);

  std::unique_ptr<KeyRing> ring;
  std::unique_ptr<ProcessKey> exporter_process, own_process;
  std::unique_ptr<HostKey> exporter_host, own_host;
  std::unique_ptr<SingleUse> single_use;
  std::unique_ptr<PeerToken> exporter;
  std::unique_ptr<ContextSealer> sealer;
  std::unique_ptr<ContextOpener> opener;

  // Of `body`, for a minute from `not_before` on.
  std::string Seal(std::string_view body, absl::Time not_before = kNow,
                   absl::Duration lifetime = absl::Minutes(1)) const;
  std::string Open(std::string_view packed, absl::Time now = kNow) const;
};

// Details.

[[noreturn]] void Die(const absl::Status& status);

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) Die(value.status());
  return *std::move(value);
}

}  // namespace reeve::seal_testing

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_TESTING_H_
