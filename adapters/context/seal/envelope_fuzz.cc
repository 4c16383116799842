// Whatever bytes are opened: nothing opens but what was sealed, unchanged, once; and every refusal
// says why in one line. The first byte of the input says what the rest is: 0 a context; 1 to 3
// changes to a genuine one of that kind, each a place (two bytes) and what to flip there.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/host_envelope.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/host_seal.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/engine/text.h"

namespace {

using reeve::ContextErrorOf;
using reeve::OpenedSeal;
using reeve::seal_internal::Bytes;
using reeve::seal_internal::EnvelopeHeader;
using reeve::seal_internal::SealKind;

void Check(bool condition) {
  if (!condition) std::abort();
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  Check(value.ok());
  return *std::move(value);
}

const absl::Time kNow = absl::FromUnixSeconds(1800000000);
const reeve::Machine kMachine = {"0123456789abcdef0123456789abcdef",
                                 "01234567-89ab-cdef-0123-456789abcdef"};
constexpr std::string_view kBody = "user:ada";
constexpr std::string_view kRing =
    "reeve-keys 1\n"
    "key 65b2dd9b58a3a949 2026-11-20T09:00:00Z 2026-11-20T09:00:00Z "
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
constexpr std::string_view kHost =
    "reeve-host-key 1\n"
    "name web-1\n"
    "created 2026-11-20T09:00:00Z\n"
    "signing nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"
    "opening dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n";

template <size_t size>
std::array<uint8_t, size> Counted(uint8_t first) {
  std::array<uint8_t, size> bytes;
  for (uint8_t& byte : bytes) byte = first++;
  return bytes;
}

// All that is kept from input to input: keys, and a context of each kind.
struct World {
  std::unique_ptr<reeve::KeyRing> ring =
      Must(reeve::KeyRing::Parse(reeve::seal_internal::AsBytes(kRing), "ring"));
  std::unique_ptr<reeve::HostKey> host =
      Must(reeve::HostKey::Parse(reeve::seal_internal::AsBytes(kHost), "host"));
  // Stands for what two processes agreed on.
  std::array<uint8_t, 32> process_key = Counted<32>(0x20);
  reeve::seal_internal::Target process_target = reeve::seal_internal::ProcessTarget(kMachine, 4711);
  std::array<std::string, 4> genuine;

  World() {
    const auto header = [](SealKind kind, Bytes id_of, const reeve::seal_internal::Target& target) {
      EnvelopeHeader made;
      made.kind = kind;
      made.key_id = reeve::seal_internal::KeyIdOf(id_of);
      made.token_id = Counted<16>(0xA0);
      made.target = target;
      made.not_before = kNow;
      made.expires = kNow + absl::Minutes(1);
      made.nonce = Counted<24>(0xB0);
      made.body_bytes = kBody.size();
      return made;
    };
    const Bytes body = reeve::seal_internal::AsBytes(kBody);
    const auto ring_key = Counted<32>(0);
    genuine[1] = SealBody(
        header(SealKind::kRing, ring_key, reeve::seal_internal::ServiceTarget(kMachine, "web")),
        body, ring_key.data());
    genuine[2] =
        SealBody(header(SealKind::kProcess, process_key, process_target), body, process_key.data());
    const reeve::HostPublicKey& key = host->public_key();
    genuine[3] = Must(SealToHost(
        header(SealKind::kHost, key.signing, reeve::seal_internal::HostTarget(key.opening)), body,
        *host, key.opening, Counted<32>(0x60).data()));
  }
};

// As ProcessOpener does, without processes.
absl::StatusOr<OpenedSeal> OpenProcess(const World& world, Bytes packed,
                                       reeve::SingleUse* single_use) {
  const auto header = DecodeHeader(packed, SealKind::kProcess);
  if (!header.ok()) return header.status();
  if (header->key_id != reeve::seal_internal::KeyIdOf(world.process_key)) {
    return reeve::seal_internal::UnknownKey();
  }
  auto body = OpenBody(*header, packed, packed.subspan(reeve::seal_internal::kHeaderBytes),
                       world.process_key.data());
  if (!body.ok()) return body.status();
  if (auto status = CheckTarget(*header, world.process_target); !status.ok()) return status;
  if (auto status = CheckTime(*header, {}, kNow); !status.ok()) return status;
  return Finish(*header, *std::move(body), {}, kNow, single_use);
}

void CheckRefusal(const absl::Status& status) {
  Check(ContextErrorOf(status).has_value());
  const std::string message(status.message());
  Check(!message.empty() && !reeve::HasControlCharacter(message) && message.size() < 500);
}

void Open(const World& world, const std::string& packed) {
  const Bytes bytes = reeve::seal_internal::AsBytes(packed);
  const auto single_use = Must(reeve::SingleUse::Create(4, kNow));
  const auto ring_opener =
      Must(reeve::KeyRingOpener::Create(world.ring.get(), "web", kMachine, single_use.get()));
  const auto host_opener = Must(reeve::HostOpener::Create(
      world.host.get(), {world.host->public_key()}, single_use.get(), {}));
  for (int round = 0; round < 2; ++round) {
    for (int kind = 1; kind <= 3; ++kind) {
      const absl::StatusOr<OpenedSeal> opened = kind == 1 ? ring_opener->Open(bytes, kNow, nullptr)
                                                : kind == 2
                                                    ? OpenProcess(world, bytes, single_use.get())
                                                    : host_opener->Open(bytes, kNow, nullptr);
      const bool genuine = packed == world.genuine[kind];
      Check(opened.ok() == (genuine && round == 0));
      if (opened.ok()) {
        Check(opened->body.view() == kBody && opened->not_before == kNow);
      } else {
        CheckRefusal(opened.status());
        if (genuine) Check(ContextErrorOf(opened.status()) == reeve::ContextError::kReplayed);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const World& world = *new World;
  if (size == 0) return 0;
  std::string packed;
  if (data[0] % 4 == 0) {
    packed.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  } else {
    packed = world.genuine[data[0] % 4];
    for (size_t i = 1; i + 3 <= size; i += 3) {
      const size_t place = data[i] | data[i + 1] << 8;
      if (place < packed.size()) {
        packed[place] = static_cast<char>(packed[place] ^ data[i + 2]);
      } else {
        packed.resize(place - std::min<size_t>(place, data[i + 2]), static_cast<char>(data[i + 2]));
      }
    }
  }
  Open(world, packed);

  // A header that is read is written as it was.
  const Bytes bytes = reeve::seal_internal::AsBytes(packed);
  for (const SealKind kind : {SealKind::kRing, SealKind::kProcess, SealKind::kHost}) {
    const auto header = DecodeHeader(bytes, kind);
    if (!header.ok()) continue;
    uint8_t encoded[reeve::seal_internal::kHeaderBytes];
    EncodeHeader(*header, encoded);
    Check(packed.compare(0, sizeof(encoded), reinterpret_cast<const char*>(encoded),
                         sizeof(encoded)) == 0);
    Check(header->body_bytes <= reeve::kMaxSealedBodyBytes);
    Check(packed.size() == PackedBytes(kind, header->body_bytes));
  }
  return 0;
}
