#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_KEY_EXCHANGE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_KEY_EXCHANGE_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/seal/process_key.h"

namespace reeve {

// Tells the process at the other end of `fd` this one's public key, and returns its. Both ends call
// it. `fd` is a connected stream socket of AF_UNIX, blocking or not; it is not owned, and nothing
// beyond the key is read from it. 40 bytes go each way: doc/sealed-context.md.
//
// What it returns is the key of whoever wrote: of the process that connected, or of one that it
// gave the socket to. ProcessSealer and ProcessOpener bind it to the process that the kernel names
// (PeerToken), so that a context for a key of another process does not open there.
//
// Blocks for at most `timeout`, which is cut to a minute.
// Errors:
//   InvalidArgument     `fd` is no stream socket of AF_UNIX
//   Unavailable         the peer closed, or did not answer in time
//   kMalformed, kUnsupportedVersion  what it sent is no key
//   kInternal
absl::StatusOr<PublicKey> ExchangePublicKeys(int fd, const PublicKey& own, absl::Duration timeout);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_KEY_EXCHANGE_H_
