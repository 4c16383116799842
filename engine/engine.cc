#include "reeve/engine/engine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/decision_id.h"
#include "engine/evaluator.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"

namespace reeve {

// The installed snapshot. Each thread keeps a handle of its own to it, with a reference count that
// no other thread writes while it decides, and looks for a new one only when the generation has
// changed.
class Engine::Installed {
 public:
  // How many were installed up to this one goes to *count, if that is not null.
  std::shared_ptr<const Snapshot> Get(uint64_t* count = nullptr) const {
    const uint64_t generation = generation_.load(std::memory_order_acquire);
    if (generation == 0) return nullptr;
    static thread_local std::array<Handle, 4> handles;  // of the engines that this thread asks
    static thread_local size_t next = 0;
    for (Handle& handle : handles) {
      if (handle.generation == generation) return handle.Get(count);
    }
    Handle* handle = std::find_if(handles.begin(), handles.end(),
                                  [this](const Handle& h) { return h.owner == number_; });
    if (handle == handles.end()) handle = &handles[next++ % handles.size()];
    *handle = NewHandle();
    return handle->Get(count);
  }

  void Set(std::shared_ptr<const Snapshot> snapshot) {
    MutexLock lock(mutex_);
    current_.swap(snapshot);
    ++count_;
    generation_.store(++numbers, std::memory_order_release);
  }

  std::shared_ptr<const Snapshot> current() const {
    MutexLock lock(mutex_);
    return current_;
  }

  uint64_t count() const {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  struct Handle {
    std::shared_ptr<const Snapshot> Get(uint64_t* its_count) const {
      if (its_count != nullptr) *its_count = count;
      return snapshot;
    }

    uint64_t owner = 0;
    uint64_t generation = 0;
    std::shared_ptr<const Snapshot> snapshot;
    uint64_t count = 0;
  };

  Handle NewHandle() const {
    MutexLock lock(mutex_);
    // Shares the lifetime of an owner that is this thread's alone.
    auto owner = std::make_shared<std::shared_ptr<const Snapshot>>(current_);
    const Snapshot* snapshot = owner->get();
    return {
        number_, generation_.load(std::memory_order_relaxed), {std::move(owner), snapshot}, count_};
  }

  // Numbers engines and generations: none is given twice in a process, so that a handle cannot be
  // mistaken for that of another engine.
  static inline std::atomic<uint64_t> numbers{0};

  const uint64_t number_ = ++numbers;
  std::atomic<uint64_t> generation_{0};  // 0: nothing was ever installed.
  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(mutex_);
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

Engine::Engine(const Options& options)
    : options_(options),
      installed_(std::make_unique<Installed>()),
      shadow_(std::make_unique<Installed>()) {}

Engine::~Engine() = default;

namespace {

// Empty, or what is wrong with what a provider told.
std::string_view DefectOf(const ProvidedEntity& found) {
  if (found.parents.size() > kMaxParents) return "too many parents";
  for (const EntityId& parent : found.parents) {
    if (std::string_view defect = reeve::DefectOf(parent); !defect.empty()) return defect;
  }
  return found.attributes == nullptr ? std::string_view() : reeve::DefectOf(*found.attributes);
}

// Asks `provider`; after an error *found says that nothing is known.
void ReadEntity(const EntityProvider& provider, EntityView entity, ProvidedEntity* found,
                std::string* error) {
  std::string problem;
  try {
    if (absl::Status status = provider.Read(entity, found); !status.ok()) {
      problem = status.message().empty() ? "it failed" : std::string(status.message());
    }
  } catch (...) {  // Of a program that embeds the engine: nothing may leave Decide().
    problem = "it threw an exception";
  }
  if (problem.empty()) problem = DefectOf(*found);
  if (problem.empty()) return;
  *found = ProvidedEntity();
  found->complete = false;
  if (error->empty()) {
    *error = "the entity provider does not know `" + Printable(ToString(entity)) +
             "`: " + Printable(problem);
  }
}

}  // namespace

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
  if (options_.entities == nullptr) return Decide(request, begin, {});
  // Nobody is asked for a name that is malformed.
  if (!DefectOf(request).empty()) return Decide(request, begin, {});
  ProvidedEntity principal, resource;
  std::string error;
  ReadEntity(*options_.entities, request.principal->id, &principal, &error);
  ReadEntity(*options_.entities, request.resource, &resource, &error);
  Request provided = request;
  provided.provided_principal = &principal;
  provided.provided_resource = &resource;
  return Decide(provided, begin, std::move(error));
}

Decision Engine::Decide(const Request& request, std::chrono::steady_clock::time_point begin,
                        std::string provider_error) const {
  using Stopwatch = std::chrono::steady_clock;
  const absl::Time clock_time = options_.clock->Now();
  const absl::Time now = request.time.value_or(clock_time);
  const ConditionLimits limits = {options_.max_condition_steps, options_.max_condition_bytes};
  const std::vector<std::string>* const known =
      options_.known_obligations.has_value() ? &*options_.known_obligations : nullptr;
  uint64_t generation = 0;
  Decision decision = Evaluator::Decide(installed_->Get(&generation), request, now, limits, known);
  decision.generation_ = generation;
  if (std::shared_ptr<const Snapshot> shadow = shadow_->Get(); shadow != nullptr) {
    decision.shadow_ = std::make_shared<const Decision>(
        Evaluator::Decide(std::move(shadow), request, now, limits, known));
  }
  if (!provider_error.empty() && decision.error_.empty() && decision.defect_.empty()) {
    decision.error_ = std::move(provider_error);
  }
  decision.clock_time_ = clock_time;
  decision.id_ = NewDecisionId(clock_time);
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
  decision.record_failed_ = true;
  if (decision.allowed()) {
    decision.reason_ = Reason::kAuditFailed;
    decision.rules_.clear();
    decision.made_ = nullptr;
  }
  return decision;
}

absl::Status Engine::Replace(std::shared_ptr<const Snapshot> snapshot) {
  if (snapshot == nullptr) return absl::InvalidArgumentError("the snapshot is null");
  installed_->Set(std::move(snapshot));
  return absl::OkStatus();
}

void Engine::ReplaceShadow(std::shared_ptr<const Snapshot> snapshot) {
  shadow_->Set(std::move(snapshot));
}

std::shared_ptr<const Snapshot> Engine::shadow() const { return shadow_->current(); }

uint64_t Engine::generation() const { return installed_->count(); }

std::shared_ptr<const Snapshot> Engine::snapshot() const { return installed_->current(); }

}  // namespace reeve
