#include "reeve/engine/engine.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/decision_id.h"
#include "engine/evaluator.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"

namespace reeve {

// The installed snapshot. Each thread keeps a handle of its own to it, with a reference count that
// no other thread writes while it decides, and looks for a new one only when the generation has
// changed. What was replaced is kept here until nobody else has it, so that no decision frees it.
class Engine::Installed {
 public:
  struct Handle {
    uint64_t owner = 0;
    uint64_t generation = 0;
    std::shared_ptr<const Snapshot> snapshot;
    uint64_t count = 0;  // How many were installed up to this one.
  };

  // Null if nothing was ever installed. Valid until this thread calls Get() again.
  const Handle* Get() const {
    const uint64_t generation = generation_.load(std::memory_order_acquire);
    if (generation == 0) return nullptr;
    static thread_local Handles of_thread;
    for (const Handle& handle : of_thread.handles) {
      if (handle.generation == generation) return &handle;
    }
    return NewHandle(of_thread);
  }

  void Set(std::shared_ptr<const Snapshot> snapshot) {
    std::vector<std::shared_ptr<const Snapshot>> unused;  // Freed once the lock is.
    MutexLock lock(mutex_);
    current_.swap(snapshot);
    ++count_;
    generation_.store(++numbers, std::memory_order_release);
    // Each once, though one may return, so that its last reference can be told.
    replaced_.erase(std::remove(replaced_.begin(), replaced_.end(), current_), replaced_.end());
    if (snapshot != nullptr && snapshot != current_) replaced_.push_back(snapshot);
    snapshot = nullptr;
    unused = TakeUnused();
  }

  // Returns how many are left.
  size_t Reclaim() {
    std::vector<std::shared_ptr<const Snapshot>> unused;
    MutexLock lock(mutex_);
    unused = TakeUnused();
    return replaced_.size();
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
  struct Handles {
    std::array<Handle, 4> handles;  // Of the engines that this thread asks.
    size_t next = 0;
  };

  const Handle* NewHandle(Handles& of_thread) const {
    const auto known = std::find_if(of_thread.handles.begin(), of_thread.handles.end(),
                                    [this](const Handle& h) { return h.owner == number_; });
    Handle& handle = known != of_thread.handles.end()
                         ? *known
                         : of_thread.handles[of_thread.next++ % of_thread.handles.size()];
    MutexLock lock(mutex_);
    // Shares the lifetime of an owner that is this thread's alone.
    auto owner = std::make_shared<std::shared_ptr<const Snapshot>>(current_);
    const Snapshot* snapshot = owner->get();
    handle = {
        number_, generation_.load(std::memory_order_relaxed), {std::move(owner), snapshot}, count_};
    return &handle;
  }

  // What nobody else has, nobody else can get.
  std::vector<std::shared_ptr<const Snapshot>> TakeUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto first =
        std::partition(replaced_.begin(), replaced_.end(),
                       [](const std::shared_ptr<const Snapshot>& s) { return s.use_count() > 1; });
    std::vector<std::shared_ptr<const Snapshot>> unused(std::make_move_iterator(first),
                                                        std::make_move_iterator(replaced_.end()));
    replaced_.erase(first, replaced_.end());
    return unused;
  }

  // Numbers engines and generations: none is given twice in a process, so that a handle cannot be
  // mistaken for that of another engine.
  static inline std::atomic<uint64_t> numbers{0};

  const uint64_t number_ = ++numbers;
  // What every decision reads, apart from what a thread writes that replaces or takes a handle.
  alignas(64) std::atomic<uint64_t> generation_{0};  // 0: nothing was ever installed.
  alignas(64) mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(mutex_);
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<const Snapshot>> replaced_ ABSL_GUARDED_BY(mutex_);
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

struct Engine::Call {
  explicit Call(const Engine& engine) : clock_time(engine.options_.clock->Now()) {
    if (const Installed::Handle* handle = engine.installed_->Get(); handle != nullptr) {
      snapshot = handle->snapshot;
      generation = handle->count;
    }
    if (const Installed::Handle* handle = engine.shadow_->Get(); handle != nullptr) {
      shadow = handle->snapshot;
    }
  }

  const absl::Time clock_time;
  std::shared_ptr<const Snapshot> snapshot;
  uint64_t generation = 0;
  std::shared_ptr<const Snapshot> shadow;
  // Whose facts these are: those of the principal of the request before, unless that was prepared.
  const Principal* principal = nullptr;
  PrincipalFacts* facts = nullptr;  // Null if it is the only request.
  bool last = true;                 // No other request will need the snapshot.
};

Decision Engine::Decide(const Request& request) const {
  Call call(*this);
  Decision decision;
  Decide(request, call, &decision);
  return decision;
}

template <typename RequestAt, typename Visit>
void Engine::DecideEach(size_t count, RequestAt request_at, Visit visit) const {
  // The memory of one batch, which the next one on this thread takes over; one that an audit sink
  // makes within another has its own.
  static thread_local std::unique_ptr<PrincipalFacts> spare;
  std::unique_ptr<PrincipalFacts> facts = std::move(spare);
  if (facts == nullptr) facts = std::make_unique<PrincipalFacts>();
  Call call(*this);
  call.facts = facts.get();
  call.last = false;
  for (size_t i = 0; i < count; ++i) {
    const Request& request = request_at(i);
    if (i == 0 || request.principal != call.principal) {
      facts->Forget();
      call.principal = request.principal;
    }
    visit(i, [&](Decision* decision) { Decide(request, call, decision); });
  }
  spare = std::move(facts);
}

std::vector<Decision> Engine::DecideAll(absl::Span<const Request> requests) const {
  std::vector<Decision> decisions;
  decisions.reserve(requests.size());
  DecideEach(
      requests.size(), [requests](size_t i) -> const Request& { return requests[i]; },
      [&decisions](size_t, auto decide) { decide(&decisions.emplace_back()); });
  return decisions;
}

std::vector<size_t> Engine::ListAllowed(const Request& request,
                                        absl::Span<const EntityView> resources) const {
  Request one = request;
  one.resource_attributes = nullptr;
  one.resource_parents = {};
  one.provided_resource = nullptr;
  std::vector<size_t> allowed;
  DecideEach(
      resources.size(),
      [&](size_t i) -> const Request& {
        one.resource = resources[i];
        return one;
      },
      [&allowed](size_t i, auto decide) {
        Decision decision;
        decide(&decision);
        if (decision.allowed()) allowed.push_back(i);
      });
  return allowed;
}

std::vector<size_t> Engine::ListAllowed(const Request& request,
                                        absl::Span<const std::string_view> actions) const {
  Request one = request;
  std::vector<size_t> allowed;
  DecideEach(
      actions.size(),
      [&](size_t i) -> const Request& {
        one.action = actions[i];
        return one;
      },
      [&allowed](size_t i, auto decide) {
        Decision decision;
        decide(&decision);
        if (decision.allowed()) allowed.push_back(i);
      });
  return allowed;
}

PreparedPrincipal Engine::Prepare(Principal principal) const {
  PreparedPrincipal prepared(std::move(principal));
  if (const Installed::Handle* installed = installed_->Get(); installed != nullptr) {
    prepared.facts().GatherAgain(installed->snapshot->compiled(), prepared.principal());
  }
  return prepared;
}

void Engine::Decide(const Request& request, Call& call, Decision* decision) const {
  using Stopwatch = std::chrono::steady_clock;
  const Stopwatch::time_point begin =
      options_.audit == nullptr ? Stopwatch::time_point() : Stopwatch::now();
  if (options_.entities == nullptr) return Decide(request, call, begin, {}, decision);
  // Nobody is asked for a name that is malformed.
  if (!DefectOf(request).empty()) return Decide(request, call, begin, {}, decision);
  ProvidedEntity principal, resource;
  std::string error;
  ReadEntity(*options_.entities, request.principal->id, &principal, &error);
  ReadEntity(*options_.entities, request.resource, &resource, &error);
  Request provided = request;
  provided.provided_principal = &principal;
  provided.provided_resource = &resource;
  Decide(provided, call, begin, std::move(error), decision);
}

void Engine::Decide(const Request& request, Call& call, std::chrono::steady_clock::time_point begin,
                    std::string provider_error, Decision* decision) const {
  using Stopwatch = std::chrono::steady_clock;
  const absl::Time now = request.time.value_or(call.clock_time);
  const ConditionLimits limits = {options_.max_condition_steps, options_.max_condition_bytes};
  const std::vector<std::string>* const known =
      options_.known_obligations.has_value() ? &*options_.known_obligations : nullptr;
  PrincipalFacts* const facts =
      request.prepared != nullptr ? &request.prepared->facts() : call.facts;
  Evaluator::Decide(call.last ? std::move(call.snapshot) : call.snapshot, request, now, limits,
                    known, facts, decision);
  decision->generation_ = call.generation;
  if (call.shadow != nullptr) {
    auto shadow = std::make_shared<Decision>();
    Evaluator::Decide(call.shadow, request, now, limits, known, nullptr, shadow.get());
    decision->shadow_ = std::move(shadow);
  }
  if (!provider_error.empty() && decision->error_.empty() && decision->defect_.empty()) {
    decision->error_ = std::move(provider_error);
  }
  decision->clock_time_ = call.clock_time;
  decision->id_ = NewDecisionId(call.clock_time);
  decision->audit_level_ = std::max(options_.audit_level, decision->audit_level_);
  if (decision->audit_level_ == AuditLevel::kOff) return;

  const absl::Status kept =
      options_.audit == nullptr
          ? absl::FailedPreconditionError(
                "a rule asks for a record and the engine has no audit sink")
          : options_.audit->Append({request, *decision, absl::FromChrono(Stopwatch::now() - begin)},
                                   decision->audit_level_);
  if (kept.ok()) return;
  decision->error_ = std::string(kept.message());
  decision->record_failed_ = true;
  if (decision->allowed()) {
    decision->reason_ = Reason::kAuditFailed;
    decision->rules_.clear();
    decision->message_ = {};
    decision->made_ = nullptr;
  }
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

size_t Engine::Reclaim() { return installed_->Reclaim() + shadow_->Reclaim(); }

uint64_t Engine::generation() const { return installed_->count(); }

std::shared_ptr<const Snapshot> Engine::snapshot() const { return installed_->current(); }

}  // namespace reeve
