#ifndef REEVE_ENGINE_ENGINE_H_
#define REEVE_ENGINE_ENGINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity_provider.h"
#include "reeve/engine/prepared.h"
#include "reeve/engine/request.h"
#include "reeve/engine/snapshot.h"

namespace reeve {

// Answers one question: may this principal do this action to this resource? Start here.
//
// Thread-safe: any thread may call any method at any time.
class Engine {
 public:
  struct Options {
    // Where records go. Required unless audit_level is kOff. Not owned; must outlive the engine.
    AuditSink* audit = nullptr;
    // What an answer waits for. kOff is for tests and for callers that keep records themselves.
    AuditLevel audit_level = AuditLevel::kRecorded;
    // Not owned; must outlive the engine. Not null.
    const Clock* clock = &Clock::System();
    // What the conditions of one decision may need before it denies with Reason::kLimit: steps,
    // each about the price of an operation on numbers, of which a walk over a list takes some for
    // each element and text one for each 16 bytes; and bytes of what they make. Both at least 1.
    uint64_t max_condition_steps = 1'000'000;
    size_t max_condition_bytes = size_t{1} << 20;
    // The ids of the obligations that this program can meet. If it is given, an allow with another
    // one denies (Reason::kDenyUnknown), and is recorded so; if not, the caller of Decide() must
    // look at Decision::obligations() and treat one that it does not know as a deny.
    std::optional<std::vector<std::string>> known_obligations;
    // Asked for what it knows of the principal and the resource, before each decision. May be null.
    // Not owned; must outlive the engine.
    const EntityProvider* entities = nullptr;
  };

  // InvalidArgument if `options` breaks a rule stated above.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const Options& options);
  ~Engine();

  // Not movable: an engine is shared by many threads. Hold it by std::unique_ptr.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Decides `request` under the snapshot that is installed when the call begins, keeps the record,
  // then returns. Until Replace() was called every request is denied (Reason::kNoPolicy). Never
  // throws or logs. Blocks only in AuditSink::Append(), and allocates nothing once the thread has
  // decided on the like of it, but for these: the first call after Replace(), and every call on a
  // thread that asks more than four engines in turn, take a lock and allocate; so does a regular
  // expression that meets new texts, inside RE2; a decision that more than four rules determined
  // allocates their list, and one with obligations, or with facts in its message, these texts; so
  // do a failing EntityProvider and a shadow set.
  Decision Decide(const Request& request) const;

  // Makes `principal` ready for the requests of a connection: of each, less is left to do. It can
  // be made before any snapshot is installed, and follows the engine to others; it is for one
  // thread at a time. Nothing is kept for it here.
  PreparedPrincipal Prepare(Principal principal) const;

  // Decides and records each of `requests`, in their order, as Decide() would, but under one
  // snapshot and at one time of the clock. Of requests that follow each other with the same
  // principal, by its address, what it lies in is looked up once. Allocates the answers.
  std::vector<Decision> DecideAll(absl::Span<const Request> requests) const;

  // Which of `resources`, and which of `actions`, are allowed, by their places, in their order: for
  // a page that shows what somebody can open, and which buttons. The rest of the request is that of
  // `request`, but for what that says of its resource: of `resources` nothing is known but their
  // names and what the snapshot and the provider tell. Each is decided and recorded as by
  // DecideAll(); one that is listed may still have obligations, which only DecideAll() tells.
  std::vector<size_t> ListAllowed(const Request& request,
                                  absl::Span<const EntityView> resources) const;
  std::vector<size_t> ListAllowed(const Request& request,
                                  absl::Span<const std::string_view> actions) const;

  // Installs `snapshot` for calls that begin after this returns; calls under way finish under the
  // old one, and nobody waits. InvalidArgument if it is null, and then the old one stays.
  //
  // The old one lives as long as a decision that was made under it, and until the threads that used
  // it last decide again or end. No decision frees it: the next Replace() does, or Reclaim().
  absl::Status Replace(std::shared_ptr<const Snapshot> snapshot);

  // Frees the snapshots that were replaced and that nobody uses any more. Returns how many are left
  // that somebody does. Takes as long as that; for a thread that can wait.
  size_t Reclaim();

  // What is installed; null before the first Replace().
  std::shared_ptr<const Snapshot> snapshot() const;
  // How often Replace() has installed one: that of the decisions that begin now.
  uint64_t generation() const;

  // Has each decision from now on evaluated under `snapshot` as well, which never decides: what it
  // would have answered is Decision::shadow(), and stands in the record. Null ends that.
  //
  // It costs a decision a second evaluation, of the same facts and the same time and with limits of
  // its own, and one allocation; and the thread one more of the four engines that it remembers. It
  // comes after the answer is found, and before it is recorded.
  void ReplaceShadow(std::shared_ptr<const Snapshot> snapshot);
  // What is evaluated beside it; null if nothing.
  std::shared_ptr<const Snapshot> shadow() const;

 private:
  class Installed;

  explicit Engine(const Options& options);

  // What the decisions of one call have in common.
  struct Call;

  // Makes *decision, a default-constructed one, where it is to stay.
  void Decide(const Request& request, Call& call, Decision* decision) const;
  // With what a provider told in the request, and what went wrong there.
  void Decide(const Request& request, Call& call, std::chrono::steady_clock::time_point begin,
              std::string provider_error, Decision* decision) const;
  // Of each of `count` requests, which request_at(i) gives, calls visit(i, decide), which is to
  // call decide(&decision).
  template <typename RequestAt, typename Visit>
  void DecideEach(size_t count, RequestAt request_at, Visit visit) const;

  const Options options_;
  const std::unique_ptr<Installed> installed_;
  const std::unique_ptr<Installed> shadow_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENGINE_H_
