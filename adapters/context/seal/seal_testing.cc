#include "reeve/adapters/context/seal/seal_testing.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/host_seal.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/socket/peer_testing.h"

namespace reeve::seal_testing {

absl::Span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

bool IsSanitized() {
  // The kernel has no such page.
  return mlock(reinterpret_cast<void*>(uintptr_t{0} - 8192), 1) == 0;
}

std::string Why(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::optional<ContextError> error = ContextErrorOf(status);
  const std::string word =
      error.has_value() ? std::string(ToString(*error)) : absl::StatusCodeToString(status.code());
  return absl::StrCat(word, ": ", status.message());
}

std::string Outcome(const absl::StatusOr<OpenedSeal>& opened) {
  return opened.ok() ? std::string(opened->body.view()) : Why(opened.status());
}

void Die(const absl::Status& status) {
  std::fprintf(stderr, "seal_testing: %s\n", status.ToString().c_str());
  std::abort();
}

PeerToken OwnToken() {
  peer_testing::Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  PeerToken token = Must(PeerToken::FromSocket(fd, peer_testing::kPlain));
  close(client);
  close(fd);
  return token;
}

Seals Seals::Make(SealKind kind, const SealOptions& options, size_t capacity, absl::Time begin) {
  Seals seals;
  seals.single_use = Must(SingleUse::Create(capacity, begin));
  switch (kind) {
    case SealKind::kRing:
      seals.ring = Must(KeyRing::Generate(kNow - absl::Hours(1)));
      seals.sealer = Must(KeyRingSealer::Create(seals.ring.get(), "web", kMachine, options));
      seals.opener = Must(KeyRingOpener::Create(seals.ring.get(), "web", kMachine,
                                                seals.single_use.get(), options));
      break;
    case SealKind::kProcess: {
      seals.exporter = std::make_unique<PeerToken>(OwnToken());
      seals.exporter_process = Must(ProcessKey::Create());
      seals.own_process = Must(ProcessKey::Create());
      seals.sealer =
          Must(ProcessSealer::Create(seals.exporter_process.get(), seals.own_process->public_key(),
                                     *seals.exporter, kMachine, options));
      ProcessOpener::Options opener_options;
      opener_options.seal = options;
      std::unique_ptr<ProcessOpener> opener = Must(ProcessOpener::Create(
          seals.own_process.get(), kMachine, seals.single_use.get(), opener_options));
      const absl::Status trusted =
          opener->Trust(seals.exporter_process->public_key(), *seals.exporter);
      if (!trusted.ok()) Die(trusted);
      seals.opener = std::move(opener);
      break;
    }
    case SealKind::kHost:
      seals.exporter_host = Must(HostKey::Generate("web-1.example.com", kNow));
      seals.own_host = Must(HostKey::Generate("db-1.example.com", kNow));
      seals.sealer = Must(
          HostSealer::Create(seals.exporter_host.get(), seals.own_host->public_key(), options));
      seals.opener =
          Must(HostOpener::Create(seals.own_host.get(), {seals.exporter_host->public_key()},
                                  seals.single_use.get(), options));
      break;
  }
  return seals;
}

std::string Seals::Seal(std::string_view body, absl::Time not_before,
                        absl::Duration lifetime) const {
  return Must(sealer->Seal(Bytes(body), not_before, not_before + lifetime));
}

std::string Seals::Open(std::string_view packed, absl::Time now) const {
  return Outcome(opener->Open(Bytes(packed), now, exporter.get()));
}

}  // namespace reeve::seal_testing
