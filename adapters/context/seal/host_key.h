// The keys of a host, private and public, and the files that hold them. doc/sealed-context.md has
// the formats.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_HOST_KEY_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_HOST_KEY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/key_file.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/secret_memory.h"

namespace reeve {

// What other hosts must know of one, to seal to it and to open what it seals. A value; no secret,
// but must come from where it says: give it to another host by a way that nobody can change.
struct HostPublicKey {
  // For people and records: 1 to 253 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`.
  std::string name;
  absl::Time created;
  PublicKey signing;  // Ed25519: it made what it seals.
  PublicKey opening;  // X25519: it can open what is sealed to it.

  // 16 hex digits, derived from `signing`.
  std::string id() const;

  // The key in the file `path`: a regular file of the effective user or of root, that nobody else
  // may write.
  // Errors: kNoCredentials, kMalformed ("web-1.pub:3: ..."), kUnsupportedVersion, kInternal.
  static absl::StatusOr<HostPublicKey> Load(const std::string& path);
  static absl::StatusOr<HostPublicKey> Parse(std::string_view text, std::string_view file_name);
  // The text of such a file.
  std::string ToText() const;
  // Writes it, with mode 0644, as KeyRing::Save() does.
  absl::Status Save(const std::string& path, ExistingFile existing) const;
};

// The private keys of a host: one to sign what it seals, one to open what is sealed to it.
//
// In a process that was forked from the one that made it, it is dead: load it there anew.
//
// Immutable: any thread.
class HostKey {
 public:
  // New keys. `name` as HostPublicKey has it.
  // Errors: InvalidArgument (`name`), kMalformed (a time outside of the years 1678 to 2261),
  // kResourceExhausted, kInternal.
  static absl::StatusOr<std::unique_ptr<HostKey>> Generate(
      std::string_view name, absl::Time created,
      SecretMemory::Lock lock = SecretMemory::Lock::kRequired);
  // From a file; as KeyRing::Load().
  static absl::StatusOr<std::unique_ptr<HostKey>> Load(
      const std::string& path, SecretMemory::Lock lock = SecretMemory::Lock::kRequired);
  static absl::StatusOr<std::unique_ptr<HostKey>> Parse(
      absl::Span<const uint8_t> text, std::string_view file_name,
      SecretMemory::Lock lock = SecretMemory::Lock::kRequired);
  HostKey(const HostKey&) = delete;
  HostKey& operator=(const HostKey&) = delete;

  // Writes it, with mode 0600, as KeyRing::Save() does.
  // Errors: AlreadyExists (ExistingFile::kKeep), kWrongTarget (this is a forked child), kInternal.
  absl::Status Save(const std::string& path, ExistingFile existing) const;

  const HostPublicKey& public_key() const { return public_key_; }
  // False in a forked child.
  bool here() const { return secret_.here(); }

  // Of no use to others than sealers and openers: 64 bytes as crypto_sign(3) has them, 32 bytes of
  // X25519.
  const uint8_t* signing_key() const { return secret_.data(); }
  const uint8_t* opening_key() const { return secret_.data() + 64; }

 private:
  HostKey(SecretMemory secret, HostPublicKey public_key);

  const SecretMemory secret_;
  const HostPublicKey public_key_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_HOST_KEY_H_
