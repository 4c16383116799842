// A context from host to host, whose randomness is given. Private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_HOST_ENVELOPE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_HOST_ENVELOPE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/host_key.h"

namespace reeve::seal_internal {

// `ephemeral` is a secret key of X25519, used for this context alone.
// kMalformed if `target` is a point of low order.
absl::StatusOr<std::string> SealToHost(const EnvelopeHeader& header, absl::Span<const uint8_t> body,
                                       const HostKey& own, const PublicKey& target,
                                       const uint8_t* ephemeral);

}  // namespace reeve::seal_internal

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_HOST_ENVELOPE_H_
