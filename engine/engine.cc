#include "reeve/engine/engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/decision_id.h"
#include "engine/evaluator.h"
#include "reeve/engine/mutex.h"

namespace reeve {

// The installed snapshot. Each thread keeps a handle of its own to it, with a reference count that
// no other thread writes while it decides, and looks for a new one only when the generation has
// changed.
class Engine::Installed {
 public:
  std::shared_ptr<const Snapshot> Get() const {
    const uint64_t generation = generation_.load(std::memory_order_acquire);
    if (generation == 0) return nullptr;
    static thread_local std::array<Handle, 4> handles;  // of the engines that this thread asks
    static thread_local size_t next = 0;
    for (Handle& handle : handles) {
      if (handle.generation == generation) return handle.snapshot;
    }
    Handle* handle = std::find_if(handles.begin(), handles.end(),
                                  [this](const Handle& h) { return h.owner == number_; });
    if (handle == handles.end()) handle = &handles[next++ % handles.size()];
    *handle = NewHandle();
    return handle->snapshot;
  }

  void Set(std::shared_ptr<const Snapshot> snapshot) {
    MutexLock lock(mutex_);
    current_.swap(snapshot);
    generation_.store(++numbers, std::memory_order_release);
  }

  std::shared_ptr<const Snapshot> current() const {
    MutexLock lock(mutex_);
    return current_;
  }

 private:
  struct Handle {
    uint64_t owner = 0;
    uint64_t generation = 0;
    std::shared_ptr<const Snapshot> snapshot;
  };

  Handle NewHandle() const {
    MutexLock lock(mutex_);
    // Shares the lifetime of an owner that is this thread's alone.
    auto owner = std::make_shared<std::shared_ptr<const Snapshot>>(current_);
    const Snapshot* snapshot = owner->get();
    return {number_, generation_.load(std::memory_order_relaxed), {std::move(owner), snapshot}};
  }

  // Numbers engines and generations: none is given twice in a process, so that a handle cannot be
  // mistaken for that of another engine.
  static inline std::atomic<uint64_t> numbers{0};

  const uint64_t number_ = ++numbers;
  std::atomic<uint64_t> generation_{0};  // 0: nothing was ever installed.
  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(mutex_);
};

Engine::Engine(const Options& options)
    : options_(options), installed_(std::make_unique<Installed>()) {}

Engine::~Engine() = default;

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(const Options& options) {
  if (options.clock == nullptr) return absl::InvalidArgumentError("the engine has no clock");
  if (options.audit == nullptr && options.audit_level != AuditLevel::kOff) {
    return absl::InvalidArgumentError(
        "the engine has no audit sink; give it one, or set the audit level to off");
  }
  if (options.max_condition_steps == 0 || options.max_condition_bytes == 0) {
    return absl::InvalidArgumentError("a limit of the conditions is 0");
  }
  return std::unique_ptr<Engine>(new Engine(options));
}

Decision Engine::Decide(const Request& request) const {
  using Stopwatch = std::chrono::steady_clock;
  const Stopwatch::time_point begin =
      options_.audit == nullptr ? Stopwatch::time_point() : Stopwatch::now();
  Decision decision = Evaluator::Decide(
      installed_->Get(), request, request.time.has_value() ? *request.time : options_.clock->Now(),
      {options_.max_condition_steps, options_.max_condition_bytes});
  decision.id_ = NewDecisionId(decision.time_);
  decision.audit_level_ = options_.audit_level;
  for (const RuleOutcome& rule : decision.rules_) {
    decision.audit_level_ = std::max(decision.audit_level_, rule->audit);
  }
  if (decision.audit_level_ == AuditLevel::kOff) return decision;

  const absl::Status kept =
      options_.audit == nullptr
          ? absl::FailedPreconditionError(
                "a rule asks for a record and the engine has no audit sink")
          : options_.audit->Append({request, decision, absl::FromChrono(Stopwatch::now() - begin)},
                                   decision.audit_level_);
  if (kept.ok()) return decision;
  decision.error_ = std::string(kept.message());
  if (decision.allowed()) {
    decision.reason_ = Reason::kAuditFailed;
    decision.rules_.clear();  // with them go the message and the obligations of an allow
  }
  return decision;
}

absl::Status Engine::Replace(std::shared_ptr<const Snapshot> snapshot) {
  if (snapshot == nullptr) return absl::InvalidArgumentError("the snapshot is null");
  installed_->Set(std::move(snapshot));
  return absl::OkStatus();
}

std::shared_ptr<const Snapshot> Engine::snapshot() const { return installed_->current(); }

}  // namespace reeve
