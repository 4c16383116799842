#include "reeve/adapters/context/seal/process_key.h"

#include <sodium.h>

#include <optional>
#include <utility>

#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/socket/process_number.h"

namespace reeve {

static_assert(sizeof(PublicKey) == crypto_box_PUBLICKEYBYTES);
static_assert(crypto_box_SECRETKEYBYTES == 32 && crypto_box_BEFORENMBYTES == 32);

absl::StatusOr<std::unique_ptr<ProcessKey>> ProcessKey::Create(SecretMemory::Lock lock) {
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  const std::optional<uint64_t> number = OwnProcessNumber();
  if (!number.has_value()) {
    return MakeContextError(ContextError::kNoCredentials,
                            "the kernel does not number processes, or no descriptor is left to ask "
                            "for it; run Linux 6.9 or later, or seal by a key ring");
  }
  absl::StatusOr<SecretMemory> secret = SecretMemory::Create(crypto_box_SECRETKEYBYTES, lock);
  if (!secret.ok()) return secret.status();
  PublicKey public_key;
  crypto_box_keypair(public_key.data(), secret->data());
  return std::unique_ptr<ProcessKey>(new ProcessKey(*std::move(secret), public_key, *number));
}

ProcessKey::ProcessKey(SecretMemory secret, const PublicKey& public_key, uint64_t process_number)
    : secret_(std::move(secret)), public_key_(public_key), process_number_(process_number) {}

absl::Status ProcessKey::Agree(const PublicKey& peer, absl::Span<uint8_t> shared) const {
  if (!here()) {
    return MakeContextError(ContextError::kWrongTarget,
                            "the process key is that of the process that this one was forked from; "
                            "make one after fork()");
  }
  if (crypto_box_beforenm(shared.data(), peer.data(), secret_.data()) != 0) {
    return MakeContextError(ContextError::kMalformed,
                            "the public key of the peer is none that a key pair has; do not talk "
                            "to it");
  }
  return absl::OkStatus();
}

}  // namespace reeve
