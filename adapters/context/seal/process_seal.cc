#include "reeve/adapters/context/seal/process_seal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/process_envelope.h"
#include "reeve/adapters/socket/process_number.h"

namespace reeve {
namespace {

using seal_internal::EnvelopeHeader;
using seal_internal::kSealKeyBytes;
using seal_internal::SealKind;

absl::Status TargetGone() {
  return MakeContextError(ContextError::kWrongTarget,
                          "the process that the context is to be sealed to has exited; seal it to "
                          "one that runs");
}

absl::Status NotAllowed(std::string_view why) {
  return MakeContextError(ContextError::kExporterNotAllowed, why);
}

// The key for what `exporter` seals to `target`, one of which is `own`.
absl::StatusOr<SecretMemory> KeyFor(const ProcessKey& own, const PublicKey& peer,
                                    const PublicKey& exporter, const PublicKey& target,
                                    SecretMemory::Lock lock) {
  // What they share is only needed here.
  absl::StatusOr<SecretMemory> memory = SecretMemory::Create(2 * kSealKeyBytes, lock);
  if (!memory.ok()) return memory.status();
  const absl::Span<uint8_t> key(memory->data(), kSealKeyBytes);
  const absl::Span<uint8_t> shared(memory->data() + kSealKeyBytes, kSealKeyBytes);
  if (absl::Status status = own.Agree(peer, shared); !status.ok()) return status;
  seal_internal::DeriveProcessKey(shared, exporter, target, key);
  explicit_bzero(shared.data(), shared.size());
  return memory;
}

seal_internal::KeyId KeyIdOf(const SecretMemory& key) {
  return seal_internal::KeyIdOf({key.data(), kSealKeyBytes});
}

// A copy of a token's pidfd.
absl::StatusOr<int> CopyOf(int pidfd) {
  const int copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0) return copy;
  return MakeContextError(
      ContextError::kResourceExhausted,
      absl::StrCat("no descriptor is left for the peer's process: ", std::strerror(errno),
                   "; raise the limit or close connections"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessSealer>> ProcessSealer::Create(
    const ProcessKey* own, const PublicKey& target_key, const PeerToken& target,
    const Machine& machine, const SealOptions& options, SecretMemory::Lock lock) {
  if (absl::Status status = CheckSealOptions(options); !status.ok()) return status;
  if (!target.process_number().has_value()) {
    return MakeContextError(ContextError::kNoCredentials,
                            "the kernel does not number the process that the context is to be "
                            "sealed to; connect to it by a Unix socket, on Linux 6.9 or later");
  }
  if (!IsRunning(target.pidfd())) return TargetGone();
  absl::StatusOr<SecretMemory> key = KeyFor(*own, target_key, own->public_key(), target_key, lock);
  if (!key.ok()) return key.status();
  const absl::StatusOr<int> pidfd = CopyOf(target.pidfd());
  if (!pidfd.ok()) return pidfd.status();
  const seal_internal::KeyId key_id = KeyIdOf(*key);
  return std::unique_ptr<ProcessSealer>(
      new ProcessSealer(*pidfd, *std::move(key), key_id,
                        seal_internal::ProcessTarget(machine, *target.process_number()), options));
}

ProcessSealer::ProcessSealer(int pidfd, SecretMemory key, const std::array<uint8_t, 8>& key_id,
                             const std::array<uint8_t, 32>& target, const SealOptions& options)
    : pidfd_(pidfd), key_(std::move(key)), key_id_(key_id), target_(target), options_(options) {}

ProcessSealer::~ProcessSealer() { close(pidfd_); }

absl::StatusOr<std::string> ProcessSealer::Seal(absl::Span<const uint8_t> body,
                                                absl::Time not_before, absl::Time expires) const {
  if (!key_.here()) return seal_internal::InForkedChild();
  const absl::StatusOr<EnvelopeHeader> header = seal_internal::NewHeader(
      SealKind::kProcess, key_id_, target_, body.size(), not_before, expires, options_);
  if (!header.ok()) return header.status();
  if (!IsRunning(pidfd_)) return TargetGone();
  return seal_internal::SealBody(*header, body, key_.data());
}

struct ProcessOpener::Exporter {
  Exporter(const PublicKey& its_public_key, uint64_t its_process_number, SecretMemory shared_key,
           int its_pidfd)
      : public_key(its_public_key),
        process_number(its_process_number),
        key(std::move(shared_key)),
        key_id(KeyIdOf(key)),
        pidfd(its_pidfd) {}
  ~Exporter() { close(pidfd); }

  const PublicKey public_key;
  const uint64_t process_number;
  const SecretMemory key;
  const seal_internal::KeyId key_id;
  const int pidfd;  // Owned.
};

absl::StatusOr<std::unique_ptr<ProcessOpener>> ProcessOpener::Create(const ProcessKey* own,
                                                                     const Machine& machine,
                                                                     SingleUse* single_use,
                                                                     const Options& options) {
  if (absl::Status status = CheckSealOptions(options.seal); !status.ok()) return status;
  if (options.max_exporters < 1 || options.max_exporters > kMaxExporters) {
    return absl::InvalidArgumentError(absl::StrCat("`max_exporters` is ", options.max_exporters,
                                                   "; it must be from 1 to ", kMaxExporters));
  }
  if (!own->here()) return seal_internal::InForkedChild();
  return std::unique_ptr<ProcessOpener>(new ProcessOpener(
      own, seal_internal::ProcessTarget(machine, own->process_number()), single_use, options));
}

ProcessOpener::ProcessOpener(const ProcessKey* own, const std::array<uint8_t, 32>& target,
                             SingleUse* single_use, const Options& options)
    : own_(*own), target_(target), single_use_(*single_use), options_(options) {}

ProcessOpener::~ProcessOpener() = default;

absl::Status ProcessOpener::Trust(const PublicKey& exporter_key, const PeerToken& exporter) {
  if (!own_.here()) return seal_internal::InForkedChild();
  if (!exporter.process_number().has_value()) {
    return NotAllowed(
        "the kernel does not number the process of the exporter; let it connect by a Unix socket, "
        "on Linux 6.9 or later");
  }
  if (!IsRunning(exporter.pidfd())) {
    return NotAllowed("the process of the exporter has exited; trust one that runs");
  }
  absl::StatusOr<SecretMemory> key =
      KeyFor(own_, exporter_key, exporter_key, own_.public_key(), options_.lock);
  if (!key.ok()) return key.status();
  const absl::StatusOr<int> pidfd = CopyOf(exporter.pidfd());
  if (!pidfd.ok()) return pidfd.status();
  const auto added = std::make_shared<const Exporter>(exporter_key, *exporter.process_number(),
                                                      *std::move(key), *pidfd);

  // Those that are forgotten go when the lock is given back.
  std::vector<std::shared_ptr<const Exporter>> gone;
  const MutexLock lock(mutex_);
  for (const auto& known : exporters_) {
    if (known->public_key != exporter_key) continue;
    if (known->process_number == added->process_number) return absl::OkStatus();
    return NotAllowed(
        "the public key of the exporter is that of another process; let each make its own");
  }
  if (exporters_.size() >= options_.max_exporters) {
    const auto runs = [](const std::shared_ptr<const Exporter>& e) { return IsRunning(e->pidfd); };
    const auto end = std::stable_partition(exporters_.begin(), exporters_.end(), runs);
    gone.assign(end, exporters_.end());
    exporters_.erase(end, exporters_.end());
  }
  if (exporters_.size() >= options_.max_exporters) {
    return MakeContextError(ContextError::kResourceExhausted,
                            absl::StrCat(exporters_.size(),
                                         " exporters are trusted, and all run; raise "
                                         "`max_exporters`, or distrust some"));
  }
  exporters_.push_back(added);
  return absl::OkStatus();
}

absl::Status ProcessOpener::Distrust(const PublicKey& exporter_key) {
  if (!own_.here()) return seal_internal::InForkedChild();
  std::shared_ptr<const Exporter> gone;
  const MutexLock lock(mutex_);
  for (auto known = exporters_.begin(); known != exporters_.end(); ++known) {
    if ((*known)->public_key != exporter_key) continue;
    gone = *known;
    exporters_.erase(known);
    return absl::OkStatus();
  }
  return absl::NotFoundError("no exporter of that public key is trusted");
}

std::shared_ptr<const ProcessOpener::Exporter> ProcessOpener::Find(
    const std::array<uint8_t, 8>& key_id) {
  const MutexLock lock(mutex_);
  for (const auto& exporter : exporters_) {
    if (exporter->key_id == key_id) return exporter;
  }
  return nullptr;
}

absl::StatusOr<OpenedSeal> ProcessOpener::Open(absl::Span<const uint8_t> packed, absl::Time now,
                                               const PeerToken* exporter) {
  const absl::StatusOr<EnvelopeHeader> header =
      seal_internal::DecodeHeader(packed, SealKind::kProcess);
  if (!header.ok()) return header.status();
  if (!own_.here()) return seal_internal::InForkedChild();
  const std::shared_ptr<const Exporter> sealed_by = Find(header->key_id);
  if (sealed_by == nullptr) return seal_internal::UnknownKey();
  absl::StatusOr<SecretBytes> body = seal_internal::OpenBody(
      *header, packed, packed.subspan(seal_internal::kHeaderBytes), sealed_by->key.data());
  if (!body.ok()) return body.status();
  if (absl::Status status = CheckTarget(*header, target_); !status.ok()) return status;
  if (absl::Status status = CheckTime(*header, options_.seal, now); !status.ok()) return status;
  if (exporter == nullptr || exporter->process_number() != sealed_by->process_number) {
    return NotAllowed(
        "the context was handed over by another process than the one that sealed it; receive it "
        "from that one");
  }
  if (!exporter->alive().value_or(false)) {
    return NotAllowed("the process that sealed the context has exited; export it again");
  }
  return Finish(*header, *std::move(body), options_.seal, now, &single_use_);
}

}  // namespace reeve
