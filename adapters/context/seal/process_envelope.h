// The key that two processes share for one direction. Private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_ENVELOPE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_ENVELOPE_H_

#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/process_key.h"

namespace reeve::seal_internal {

// In `out`, of 32 bytes: `shared` is what ProcessKey::Agree() gives.
inline void DeriveProcessKey(Bytes shared, const PublicKey& exporter, const PublicKey& target,
                             absl::Span<uint8_t> out) {
  Derive(out, shared, "reeve process seal 1", {exporter, target});
}

}  // namespace reeve::seal_internal

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_ENVELOPE_H_
