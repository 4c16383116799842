// Sealing and opening contexts of 300 bytes, single use included, beside the calls of libsodium
// that they cannot do without, in one run:
//
//   bazel run -c opt //bench:seal_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only
//
// Each context is opened once, a millisecond after the one before; it lives for 10 s, so that
// 10,000 ids are remembered at any time.

#include <benchmark/benchmark.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/host_seal.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer.h"

namespace reeve {
namespace {

constexpr size_t kBodyBytes = 300;
constexpr size_t kHeaderBytes = 120;
constexpr size_t kContexts = 50000;
constexpr size_t kRoom = 16384;
const absl::Time kNow = absl::FromUnixSeconds(1800000000);
const absl::Duration kLifetime = absl::Seconds(10);

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::exit(1);
}

const std::vector<uint8_t>& Body() {
  static const auto& body = *new std::vector<uint8_t>(kBodyBytes, 'p');
  return body;
}

const Machine& ThisMachine() {
  static const auto& machine =
      *new Machine{"0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"};
  return machine;
}

// The floors.

void BM_SodiumSeal(benchmark::State& state) {
  std::vector<uint8_t> key(32, 'k');
  std::vector<uint8_t> out(kHeaderBytes + kBodyBytes + 16, 'h');
  uint8_t random[40];
  for (auto _ : state) {
    randombytes_buf(random, sizeof(random));
    crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kHeaderBytes, nullptr, Body().data(),
                                               kBodyBytes, out.data(), kHeaderBytes, nullptr,
                                               random, key.data());
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_SodiumSeal);

// Of as many contexts as below, for those that were not opened before are not in the cache, either.
// `digests`: and the digest by which a record names the context.
void BM_SodiumOpen(benchmark::State& state, bool digests) {
  std::vector<uint8_t> key(32, 'k');
  std::vector<std::vector<uint8_t>> contexts(kContexts);
  std::vector<uint8_t> body(kBodyBytes);
  const uint8_t nonce[24] = {};
  for (std::vector<uint8_t>& packed : contexts) {
    packed.resize(kHeaderBytes + kBodyBytes + 16, 'h');
    crypto_aead_xchacha20poly1305_ietf_encrypt(packed.data() + kHeaderBytes, nullptr, Body().data(),
                                               kBodyBytes, packed.data(), kHeaderBytes, nullptr,
                                               nonce, key.data());
  }
  size_t next = 0;
  for (auto _ : state) {
    const std::vector<uint8_t>& packed = contexts[next];
    next = next + 1 == kContexts ? 0 : next + 1;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            body.data(), nullptr, nullptr, packed.data() + kHeaderBytes, kBodyBytes + 16,
            packed.data(), kHeaderBytes, nonce, key.data()) != 0) {
      state.SkipWithError("does not open");
      return;
    }
    benchmark::DoNotOptimize(body.data());
    if (!digests) continue;
    uint8_t id[16];
    crypto_generichash(id, sizeof(id), packed.data(), 45, nullptr, 0);
    benchmark::DoNotOptimize(id);
  }
}
BENCHMARK_CAPTURE(BM_SodiumOpen, alone, false);
BENCHMARK_CAPTURE(BM_SodiumOpen, and_digest, true);

// Of a host, beyond that: two multiplications and a signature.
void BM_SodiumSealToHost(benchmark::State& state) {
  uint8_t sign_public[32], sign_secret[64], peer[32], secret[32], point[32], shared[32], random[72];
  crypto_sign_keypair(sign_public, sign_secret);
  crypto_box_keypair(peer, secret);
  std::vector<uint8_t> out(kHeaderBytes + 32 + kBodyBytes + 16 + 64, 'h');
  for (auto _ : state) {
    randombytes_buf(random, sizeof(random));
    crypto_scalarmult_base(point, random + 40);
    if (crypto_scalarmult(shared, random + 40, peer) != 0) std::abort();
    crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kHeaderBytes + 32, nullptr,
                                               Body().data(), kBodyBytes, out.data(), kHeaderBytes,
                                               nullptr, random, shared);
    crypto_sign_detached(out.data() + out.size() - 64, nullptr, out.data(), out.size() - 64,
                         sign_secret);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_SodiumSealToHost);

void BM_SodiumOpenFromHost(benchmark::State& state) {
  uint8_t sign_public[32], sign_secret[64], peer[32], secret[32], shared[32];
  crypto_sign_keypair(sign_public, sign_secret);
  crypto_box_keypair(peer, secret);
  if (crypto_scalarmult(shared, secret, peer) != 0) std::abort();
  std::vector<uint8_t> packed(kHeaderBytes + 32 + kBodyBytes + 16 + 64, 'h');
  std::vector<uint8_t> body(kBodyBytes);
  const uint8_t nonce[24] = {};
  uint8_t* const ciphertext = packed.data() + kHeaderBytes + 32;
  uint8_t* const signature = packed.data() + packed.size() - 64;
  crypto_aead_xchacha20poly1305_ietf_encrypt(ciphertext, nullptr, Body().data(), kBodyBytes,
                                             packed.data(), kHeaderBytes, nullptr, nonce, shared);
  crypto_sign_detached(signature, nullptr, packed.data(), packed.size() - 64, sign_secret);
  for (auto _ : state) {
    if (crypto_sign_verify_detached(signature, packed.data(), packed.size() - 64, sign_public) !=
            0 ||
        crypto_scalarmult(shared, secret, peer) != 0 ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(body.data(), nullptr, nullptr, ciphertext,
                                                   kBodyBytes + 16, packed.data(), kHeaderBytes,
                                                   nonce, shared) != 0) {
      state.SkipWithError("does not open");
      return;
    }
    benchmark::DoNotOptimize(body.data());
  }
}
BENCHMARK(BM_SodiumOpenFromHost);

// Reeve.

PeerToken OwnToken() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof(address);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0 ||
      listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      connect(client, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    std::perror("socket");
    std::exit(1);
  }
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  PeerOptions options;
  options.names = &NameService::Numbers();
  PeerToken token = Must(PeerToken::FromSocket(fd, options));
  for (const int open : {listener, client, fd}) close(open);
  return token;
}

enum class Kind { kRing, kProcess, kHost };

// Keys, a sealer, and as many openers as are asked for.
struct World {
  explicit World(Kind its_kind) : kind(its_kind) {
    switch (kind) {
      case Kind::kRing:
        ring = Must(KeyRing::Generate(kNow));
        sealer = Must(KeyRingSealer::Create(ring.get(), "web", ThisMachine()));
        break;
      case Kind::kProcess:
        exporter_process = Must(ProcessKey::Create());
        own_process = Must(ProcessKey::Create());
        token = std::make_unique<PeerToken>(OwnToken());
        sealer = Must(ProcessSealer::Create(exporter_process.get(), own_process->public_key(),
                                            *token, ThisMachine()));
        break;
      case Kind::kHost:
        exporter_host = Must(HostKey::Generate("web-1", kNow));
        own_host = Must(HostKey::Generate("db-1", kNow));
        sealer = Must(HostSealer::Create(exporter_host.get(), own_host->public_key()));
        break;
    }
  }

  void NewOpener() {
    single_use = Must(SingleUse::Create(kRoom, kNow));
    switch (kind) {
      case Kind::kRing:
        opener = Must(KeyRingOpener::Create(ring.get(), "web", ThisMachine(), single_use.get()));
        break;
      case Kind::kProcess: {
        auto made =
            Must(ProcessOpener::Create(own_process.get(), ThisMachine(), single_use.get(), {}));
        if (!made->Trust(exporter_process->public_key(), *token).ok()) std::abort();
        opener = std::move(made);
        break;
      }
      case Kind::kHost:
        opener = Must(HostOpener::Create(own_host.get(), {exporter_host->public_key()},
                                         single_use.get(), SealOptions()));
        break;
    }
  }

  Kind kind;
  std::unique_ptr<KeyRing> ring;
  std::unique_ptr<ProcessKey> exporter_process, own_process;
  std::unique_ptr<HostKey> exporter_host, own_host;
  std::unique_ptr<PeerToken> token;
  std::unique_ptr<ContextSealer> sealer;
  std::unique_ptr<SingleUse> single_use;
  std::unique_ptr<ContextOpener> opener;
};

void BM_Seal(benchmark::State& state, Kind kind) {
  const World world(kind);
  for (auto _ : state) {
    const absl::StatusOr<std::string> packed = world.sealer->Seal(Body(), kNow, kNow + kLifetime);
    if (!packed.ok()) {
      state.SkipWithError(packed.status().ToString().c_str());
      return;
    }
  }
}
BENCHMARK_CAPTURE(BM_Seal, ring, Kind::kRing);
BENCHMARK_CAPTURE(BM_Seal, process, Kind::kProcess);
BENCHMARK_CAPTURE(BM_Seal, host, Kind::kHost);

void BM_Open(benchmark::State& state, Kind kind) {
  World world(kind);
  const size_t count = kind == Kind::kHost ? kContexts / 50 : kContexts;
  std::vector<std::string> contexts(count);
  const auto time_of = [](size_t i) { return kNow + absl::Milliseconds(i); };
  for (size_t i = 0; i < count; ++i) {
    contexts[i] = Must(world.sealer->Seal(Body(), time_of(i), time_of(i) + kLifetime));
  }
  size_t next = count;
  for (auto _ : state) {
    if (next == count) {
      state.PauseTiming();
      world.NewOpener();
      next = 0;
      state.ResumeTiming();
    }
    const std::string& packed = contexts[next];
    const absl::StatusOr<OpenedSeal> opened =
        world.opener->Open({reinterpret_cast<const uint8_t*>(packed.data()), packed.size()},
                           time_of(next), world.token.get());
    ++next;
    if (!opened.ok()) {
      state.SkipWithError(opened.status().ToString().c_str());
      return;
    }
  }
}
BENCHMARK_CAPTURE(BM_Open, ring, Kind::kRing);
BENCHMARK_CAPTURE(BM_Open, process, Kind::kProcess);
BENCHMARK_CAPTURE(BM_Open, host, Kind::kHost);

// The single use alone.
void BM_Use(benchmark::State& state) {
  const std::unique_ptr<SingleUse> use = Must(SingleUse::Create(kRoom, kNow));
  uint64_t number = 0;
  for (auto _ : state) {
    SingleUse::Id id = {};
    for (size_t i = 0; i < sizeof(number); ++i) id[i] = static_cast<uint8_t>(number >> (8 * i));
    const absl::Time now = kNow + absl::Milliseconds(++number);
    if (!use->Use(id, now, now + kLifetime, now).ok()) {
      state.SkipWithError("refused");
      return;
    }
  }
}
BENCHMARK(BM_Use);

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  if (sodium_init() < 0) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
