// What keys, targets and names are derived by. Private to this folder; doc/sealed-context.md.
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_DERIVATION_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_DERIVATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/seal/machine.h"

namespace reeve::seal_internal {

// Call it before libsodium is used: it chooses its implementation by what this machine can do.
// kInternal.
absl::Status InitSodium();

using Bytes = absl::Span<const uint8_t>;
Bytes AsBytes(std::string_view text);
void AppendHex(Bytes bytes, std::string* text);
std::string HexOf(Bytes bytes);

// All that is derived from, with the lengths.
inline constexpr size_t kMaxDerivedFromBytes = 512;

// BLAKE2b (RFC 7693) of `out.size()` bytes, 16 to 64, under `key`, which may be empty, over `label`
// and `fields`, each with its length before it as two bytes, the low one first. Ends the program if
// they are more than kMaxDerivedFromBytes.
void Derive(absl::Span<uint8_t> out, Bytes key, std::string_view label,
            std::initializer_list<Bytes> fields);

// The name of a key, that tells nothing of it.
std::array<uint8_t, 8> KeyIdOf(Bytes key);

// Whom a context is for: a service of this machine until its next boot, a process of it, a host.
std::array<uint8_t, 32> ServiceTarget(const Machine& machine, std::string_view service);
std::array<uint8_t, 32> ProcessTarget(const Machine& machine, uint64_t process_number);
std::array<uint8_t, 32> HostTarget(Bytes opening_key);

}  // namespace reeve::seal_internal

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_DERIVATION_H_
