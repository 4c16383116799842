#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_KEY_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_KEY_H_

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/secret_memory.h"

namespace reeve {

// Of X25519 (RFC 7748), or of Ed25519 (RFC 8032).
using PublicKey = std::array<uint8_t, 32>;

// The key of this process: made when it starts, never stored, gone with it. A forked child does not
// have it.
//
// Immutable: any thread.
class ProcessKey {
 public:
  // A new key. Make one for a process, before it accepts.
  // Errors: kNoCredentials (before Linux 6.9, where a process has no number), kResourceExhausted,
  // kInternal.
  static absl::StatusOr<std::unique_ptr<ProcessKey>> Create(
      SecretMemory::Lock lock = SecretMemory::Lock::kRequired);
  ProcessKey(const ProcessKey&) = delete;
  ProcessKey& operator=(const ProcessKey&) = delete;

  // X25519.
  const PublicKey& public_key() const { return public_key_; }
  // The inode of this process's pidfd, unique to it until the next boot.
  uint64_t process_number() const { return process_number_; }
  // False in a forked child.
  bool here() const { return secret_.here(); }

  // Of no use to others than sealers and openers: what this and the owner of `peer` alone can
  // compute, in `*shared`. kMalformed if `peer` is a point of low order, kWrongTarget if !here().
  absl::Status Agree(const PublicKey& peer, absl::Span<uint8_t> shared) const;

 private:
  ProcessKey(SecretMemory secret, const PublicKey& public_key, uint64_t process_number);

  const SecretMemory secret_;
  const PublicKey public_key_;
  const uint64_t process_number_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_KEY_H_
