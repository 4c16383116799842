// Seals, packages and records of contexts, for tests of this folder and those below it.
#ifndef REEVE_ADAPTERS_CONTEXT_CONTEXT_TESTING_H_
#define REEVE_ADAPTERS_CONTEXT_CONTEXT_TESTING_H_

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/import_authorizer.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/rule.h"

namespace reeve::context_testing {

// Seals by writing the times in front of the body, which anybody can; and opens that, each once.
//
// Thread-safe, but for its public members: set them before.
class PlainSeal final : public ContextSealer, public ContextOpener {
 public:
  absl::StatusOr<std::string> Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                   absl::Time expires) const override;
  absl::StatusOr<OpenedSeal> Open(absl::Span<const uint8_t> packed, absl::Time now,
                                  const PeerToken* exporter) override;

  // If not OK, what the two say instead.
  absl::Status sealing;
  absl::Status opening;
  std::string evidence = "seal=plain";

 private:
  mutable Mutex mutex_;
  mutable uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<uint64_t> opened_ ABSL_GUARDED_BY(mutex_);
};

// What one session does, counted: it ends with the context.
class TestSession final : public ContextSession {
 public:
  explicit TestSession(std::string state) : state_(std::move(state)) { ++alive; }
  ~TestSession() override { --alive; }

  // "encrypted:hello", "plain:hello".
  absl::StatusOr<std::string> Wrap(std::string_view message, bool encrypt) override;
  // Of those; kMessageAltered of others.
  absl::StatusOr<Message> Unwrap(std::string_view wrapped) override;
  // The state it was made of; an error if that is "broken".
  absl::StatusOr<SecretBytes> Export() override;

  static std::atomic<int> alive;

 private:
  const std::string state_;
};

// A package that makes of the bytes what `open` says.
class TestPackage final : public ContextPackage {
 public:
  using OpenFunction = std::function<absl::StatusOr<EstablishedContext>(std::string_view bytes)>;

  TestPackage(std::string name, bool sealed, OpenFunction open)
      : name_(std::move(name)), sealed_(sealed), open_(std::move(open)) {}

  std::string_view name() const override { return name_; }
  bool sealed() const override { return sealed_; }
  absl::StatusOr<EstablishedContext> Open(absl::Span<const uint8_t> bytes,
                                          absl::Time now) const override;

 private:
  const std::string name_;
  const bool sealed_;
  const OpenFunction open_;
};

// Keeps each record as a text, all that a context's import says:
//
//   allow allow_rule [staff] | user:uid:0 context.import user:ada in [group:staff] {} |
//   {"package": "reeve", ...} | the error
class TextSink final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord& record, AuditLevel level) override;
  std::vector<std::string> rows() const;
  // Of the same records, all of the principal: who handed over.
  std::vector<std::string> principals() const;

  absl::Status status;  // What Append() returns.

 private:
  mutable Mutex mutex_;
  std::vector<std::string> rows_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> principals_ ABSL_GUARDED_BY(mutex_);
};

// An engine with `rules`, of level kRecorded, whose records go to `sink`.
std::unique_ptr<Engine> MakeEngine(const std::vector<Rule>& rules, const Clock* clock,
                                   TextSink* sink);

// This process, as the kernel tells of a socket pair that it made: `user:uid:<N>`.
PeerToken ThisProcess(const NameService& names = NameService::Numbers());

// A principal of Kerberos, in the group `staff` and the realm `EXAMPLE.COM`.
Principal Ada();

// "user:ada@EXAMPLE.COM kernel [staff] in [realm:EXAMPLE.COM] {...} via krb5 ...", all of it.
std::string Describe(const Principal& principal);

// "OK", or the name of the ContextError, or of the code without one; and the message.
std::string Describe(const absl::Status& status);

}  // namespace reeve::context_testing

#endif  // REEVE_ADAPTERS_CONTEXT_CONTEXT_TESTING_H_
