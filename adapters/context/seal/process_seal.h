// Contexts that are sealed to one running process, by another that it knows. Start here, after both
// have connected by a Unix socket:
//
//   // Once in each process.
//   const auto own = reeve::ProcessKey::Create();
//   const auto machine = reeve::Machine::Read();
//   // The exporter, on a connection from the importer:
//   const auto importer = reeve::PeerToken::FromSocket(fd, accepted);
//   const auto key = reeve::ExchangePublicKeys(fd, (*own)->public_key(), absl::Seconds(1));
//   const auto sealer = reeve::ProcessSealer::Create(own->get(), *key, *importer, *machine);
//   // The importer, on its side of it, or on a connection from the exporter:
//   const auto exporter = reeve::PeerToken::FromSocket(fd, inherited);
//   const auto key = reeve::ExchangePublicKeys(fd, (*own)->public_key(), absl::Seconds(1));
//   opener->Trust(*key, *exporter);
#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_SEAL_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_SEAL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/mutex.h"

namespace reeve {

// Seals to one process: nobody else opens it, not even its child, nor a later process of its
// number.
//
// Thread-safe.
class ProcessSealer final : public ContextSealer {
 public:
  // `own` is not owned and must outlive this. `target_key` is what the process `target` told as its
  // public key. `target` is used during the call only.
  // Errors: InvalidArgument (`options`), kMalformed (`target_key`), kWrongTarget (`target` has
  // exited; this is a forked child), kNoCredentials (`target` has no pidfd with a number: it is not
  // of AF_UNIX, or Linux is before 6.9), kResourceExhausted, kInternal.
  static absl::StatusOr<std::unique_ptr<ProcessSealer>> Create(
      const ProcessKey* own, const PublicKey& target_key, const PeerToken& target,
      const Machine& machine, const SealOptions& options = SealOptions(),
      SecretMemory::Lock lock = SecretMemory::Lock::kRequired);
  ~ProcessSealer() override;

  // kWrongTarget if the target has exited by now.
  absl::StatusOr<std::string> Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                   absl::Time expires) const override;

 private:
  ProcessSealer(int pidfd, SecretMemory key, const std::array<uint8_t, 8>& key_id,
                const std::array<uint8_t, 32>& target, const SealOptions& options);

  const int pidfd_;  // Owned: the target.
  const SecretMemory key_;
  const std::array<uint8_t, 8> key_id_;
  const std::array<uint8_t, 32> target_;
  const SealOptions options_;
};

// Opens what was sealed to this process, by exporters that it was told of.
//
// Thread-safe, see ContextOpener.
class ProcessOpener final : public ContextOpener {
 public:
  static constexpr size_t kMaxExporters = 4096;

  struct Options {
    SealOptions seal;
    // How many exporters that live can be trusted at once, from 1 to kMaxExporters; a page of
    // locked memory and a descriptor each.
    size_t max_exporters = 64;
    SecretMemory::Lock lock = SecretMemory::Lock::kRequired;
  };

  // `own` and `single_use` are not owned and must outlive this.
  // Errors: InvalidArgument (`options`), kWrongTarget (this is a forked child), kResourceExhausted,
  // kInternal.
  static absl::StatusOr<std::unique_ptr<ProcessOpener>> Create(const ProcessKey* own,
                                                               const Machine& machine,
                                                               SingleUse* single_use,
                                                               const Options& options);
  ~ProcessOpener() override;

  // From now on takes contexts of the process `exporter`, which told `exporter_key` as its public
  // key. Whether it may export is the caller's to know: by its uid, its group. `exporter` is used
  // during the call only. Told again, it is no error. An exporter that has exited is forgotten when
  // its place is needed.
  // Errors: kMalformed (`exporter_key`), kExporterNotAllowed (it has exited, has no pidfd with a
  // number, or the key is known as another process's), kWrongTarget (this is a forked child),
  // kResourceExhausted (`max_exporters`, or no descriptor is left), kInternal.
  absl::Status Trust(const PublicKey& exporter_key, const PeerToken& exporter);

  // Takes none of that key any more. NotFound if it is not trusted.
  absl::Status Distrust(const PublicKey& exporter_key);

  // `exporter` is required: who handed over `packed`, which must be the process that sealed it, and
  // run.
  absl::StatusOr<OpenedSeal> Open(absl::Span<const uint8_t> packed, absl::Time now,
                                  const PeerToken* exporter) override;

 private:
  struct Exporter;

  ProcessOpener(const ProcessKey* own, const std::array<uint8_t, 32>& target, SingleUse* single_use,
                const Options& options);
  // Null if there is none.
  std::shared_ptr<const Exporter> Find(const std::array<uint8_t, 8>& key_id);

  const ProcessKey& own_;
  const std::array<uint8_t, 32> target_;
  SingleUse& single_use_;
  const Options options_;

  Mutex mutex_;
  std::vector<std::shared_ptr<const Exporter>> exporters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_PROCESS_SEAL_H_
