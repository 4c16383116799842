#include "reeve/adapters/context/seal/derivation.h"

#include <sodium.h>

#include <cstdlib>
#include <cstring>

#include "reeve/adapters/context/context_error.h"

namespace reeve::seal_internal {
namespace {

constexpr std::string_view kTargetLabel = "reeve target 1";

// Numbers are those of SealKind.
constexpr uint8_t kService[] = {1};
constexpr uint8_t kProcess[] = {2};
constexpr uint8_t kHost[] = {3};

std::array<uint8_t, 32> TargetOf(std::initializer_list<Bytes> fields) {
  std::array<uint8_t, 32> target;
  Derive(absl::MakeSpan(target), {}, kTargetLabel, fields);
  return target;
}

}  // namespace

absl::Status InitSodium() {
  // Thread-safe, and cheap when it was called before.
  if (sodium_init() >= 0) return absl::OkStatus();
  return MakeContextError(
      ContextError::kInternal,
      "libsodium finds no source of random numbers; make /dev/urandom readable");
}

Bytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

void Derive(absl::Span<uint8_t> out, Bytes key, std::string_view label,
            std::initializer_list<Bytes> fields) {
  uint8_t message[kMaxDerivedFromBytes];
  size_t size = 0;
  const auto add = [&message, &size](Bytes field) {
    if (field.size() + 2 > sizeof(message) - size) std::abort();
    message[size++] = static_cast<uint8_t>(field.size());
    message[size++] = static_cast<uint8_t>(field.size() >> 8);
    if (!field.empty()) std::memcpy(message + size, field.data(), field.size());
    size += field.size();
  };
  add(AsBytes(label));
  for (const Bytes field : fields) add(field);
  crypto_generichash(out.data(), out.size(), message, size, key.data(), key.size());
}

std::array<uint8_t, 8> KeyIdOf(Bytes key) {
  uint8_t hash[16];
  Derive(hash, key, "reeve key id 1", {});
  std::array<uint8_t, 8> id;
  std::memcpy(id.data(), hash, id.size());
  return id;
}

std::array<uint8_t, 32> ServiceTarget(const Machine& machine, std::string_view service) {
  return TargetOf(
      {kService, AsBytes(machine.machine_id), AsBytes(machine.boot_id), AsBytes(service)});
}

std::array<uint8_t, 32> ProcessTarget(const Machine& machine, uint64_t process_number) {
  uint8_t number[8];
  for (size_t i = 0; i < sizeof(number); ++i) number[i] = process_number >> (8 * i);
  return TargetOf({kProcess, AsBytes(machine.machine_id), AsBytes(machine.boot_id), number});
}

std::array<uint8_t, 32> HostTarget(Bytes opening_key) { return TargetOf({kHost, opening_key}); }

void AppendHex(Bytes bytes, std::string* text) {
  const size_t end = text->size();
  text->resize(end + 2 * bytes.size());
  char* out = &(*text)[end];
  for (const uint8_t byte : bytes) {
    *out++ = "0123456789abcdef"[byte >> 4];
    *out++ = "0123456789abcdef"[byte & 15];
  }
}

std::string HexOf(Bytes bytes) {
  std::string text;
  AppendHex(bytes, &text);
  return text;
}

}  // namespace reeve::seal_internal
