#include "reeve/store/audit_store.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"
#include "reeve/store/record.h"
#include "reeve/store/segment.h"
#include "reeve/store/writer_file.h"

namespace reeve {
namespace {

using Time = std::chrono::steady_clock::time_point;

// What a thread keeps from one record to the next.
constexpr size_t kMaxKeptBytes = 1 << 20;

std::chrono::nanoseconds ToChrono(absl::Duration wait) {
  return absl::ToChronoNanoseconds(std::min(wait, absl::Hours(24 * 365)));
}

}  // namespace

// The queue. Records gather in the open batch. The writer takes the lock on the file first and the
// open batch second, so that a record which waits for another process can still be withdrawn.
class AuditStore::Impl {
 public:
  Impl(std::string name, std::unique_ptr<WriterFile> file, const Options& options)
      : name_(std::move(name)),
        max_wait_(ToChrono(options.max_wait)),
        max_records_(options.max_queued_records),
        max_bytes_(options.max_queued_bytes),
        file_(std::move(file)),
        open_(NewBatch()) {}

  ~Impl() {
    if (!started_) return;
    {
      MutexLock lock(mutex_);
      stop_ = true;
      work_.NotifyAll();
    }
    pthread_join(thread_, nullptr);
  }

  absl::Status Start() {
    // Signals are the host program's affair: its handlers run on its threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(
        &thread_, nullptr,
        [](void* self) -> void* {
          static_cast<Impl*>(self)->Run();
          return nullptr;
        },
        this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return absl::UnavailableError("the audit store cannot start a thread");
    pthread_setname_np(thread_, "reeve-audit");
    started_ = true;
    return absl::OkStatus();
  }

  absl::Status Append(const AuditRecord& record, AuditLevel level) {
    thread_local FlatRecord flat;
    Flatten(record, level, &flat);
    const Time deadline = std::chrono::steady_clock::now() + max_wait_;
    absl::Status status = Append(flat, deadline);
    if (flat.bytes.capacity() > kMaxKeptBytes) flat.bytes = std::string();
    return status;
  }

 private:
  struct Entry {
    RecordHead head;
    std::array<uint32_t, kFieldCount> sizes;
    size_t begin;  // of its bytes
    bool withdrawn;
  };

  struct Batch {
    std::vector<Entry> entries;
    std::string bytes;  // of all entries
    size_t waiters = 0;
    bool done = false;
    // The result, in parts: what a status shares stays on one thread.
    absl::StatusCode code = absl::StatusCode::kOk;
    std::string message;
    CondVar committed;
  };

  absl::Status Append(const FlatRecord& flat, Time deadline) {
    MutexLock lock(mutex_);
    while (!HasRoom(flat.bytes.size())) {
      if (!room_.WaitUntil(mutex_, deadline) && !HasRoom(flat.bytes.size())) {
        return TooSlow("the queue stayed full; the record was not written");
      }
    }
    Batch& batch = *open_;
    const size_t at = batch.entries.size();
    batch.entries.push_back({flat.head, flat.sizes, batch.bytes.size(), false});
    batch.bytes.append(flat.bytes);
    ++batch.waiters;
    if (at == 0) work_.NotifyOne();

    while (!batch.done) {
      if (batch.committed.WaitUntil(mutex_, deadline) || batch.done) continue;
      absl::Status status;
      if (&batch == open_) {
        batch.entries[at].withdrawn = true;
        status = TooSlow("the record was not written");
      } else {
        status = TooSlow("the disk did not finish writing; the record may be kept nevertheless");
      }
      Release(batch);
      return status;
    }
    absl::Status status(batch.code, batch.message);
    Release(batch);
    return status;
  }

  absl::Status TooSlow(const char* what) const {
    return absl::UnavailableError(absl::StrCat(
        name_, ": ", what, " within ", absl::FormatDuration(absl::FromChrono(max_wait_)),
        "; see what holds up the disk, or raise `max_wait`"));
  }

  bool HasRoom(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return open_->entries.empty() ||
           (open_->entries.size() < max_records_ && open_->bytes.size() + bytes <= max_bytes_);
  }

  Batch* NewBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (free_.empty()) {
      batches_.push_back(std::make_unique<Batch>());
      free_.push_back(batches_.back().get());
    }
    Batch* const batch = free_.back();
    free_.pop_back();
    return batch;
  }

  // One thread less waits for `batch`. The last one makes it ready for use again.
  void Release(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (--batch.waiters == 0 && batch.done) Recycle(batch);
  }

  void Recycle(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    batch.entries.clear();
    batch.bytes.clear();
    batch.done = false;
    batch.code = absl::StatusCode::kOk;
    batch.message.clear();
    free_.push_back(&batch);
  }

  // The writer's thread.
  void Run() {
    while (WaitForWork()) {
      absl::Status status = file_->Begin();
      Batch& batch = TakeBatch();
      if (status.ok()) {
        // Nobody changes a batch that was taken.
        for (const Entry& entry : batch.entries) {
          if (entry.withdrawn) continue;
          encoder_.Add(entry.head, FieldsOf(entry.sizes, batch.bytes.data() + entry.begin));
        }
        if (encoder_.count() > 0) {
          status = file_->Commit(encoder_);
        } else {
          file_->RollBack();
        }
      }
      Publish(batch, status);
      file_->Checkpoint();
    }
    file_ = nullptr;
  }

  // False once there will be none.
  bool WaitForWork() {
    MutexLock lock(mutex_);
    while (open_->entries.empty()) {
      if (stop_) return false;
      work_.Wait(mutex_);
    }
    return true;
  }

  Batch& TakeBatch() {
    MutexLock lock(mutex_);
    Batch& batch = *open_;
    open_ = NewBatch();
    room_.NotifyAll();
    return batch;
  }

  void Publish(Batch& batch, const absl::Status& status) {
    MutexLock lock(mutex_);
    batch.code = status.code();
    batch.message = std::string(status.message());
    batch.done = true;
    if (batch.waiters == 0) {
      Recycle(batch);
    } else {
      batch.committed.NotifyAll();
    }
  }

  const std::string name_;
  const std::chrono::nanoseconds max_wait_;
  const size_t max_records_;
  const size_t max_bytes_;

  // The writer's thread alone, once it runs.
  std::unique_ptr<WriterFile> file_;
  SegmentEncoder encoder_;

  Mutex mutex_;
  CondVar work_;  // there is something to write, or nothing more to come
  CondVar room_;  // the writer took a batch
  std::vector<std::unique_ptr<Batch>> batches_ ABSL_GUARDED_BY(mutex_);
  std::vector<Batch*> free_ ABSL_GUARDED_BY(mutex_);
  Batch* open_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  pthread_t thread_ = {};
  bool started_ = false;
};

AuditStore::AuditStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AuditStore::~AuditStore() = default;

absl::StatusOr<std::unique_ptr<AuditStore>> AuditStore::Open(const std::string& path,
                                                             const Options& options) {
  if (options.max_wait <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("`max_wait` of the audit store is not more than zero");
  }
  if (options.max_queued_records == 0 || options.max_queued_bytes == 0) {
    return absl::InvalidArgumentError("the queue of the audit store has no room");
  }
  if (options.clock == nullptr) {
    return absl::InvalidArgumentError("`clock` of the audit store is null");
  }
  absl::StatusOr<std::unique_ptr<WriterFile>> file =
      WriterFile::Open(path, ToChrono(options.max_wait), *options.clock);
  if (!file.ok()) return file.status();
  auto impl = std::make_unique<Impl>(Printable(path, 1000), *std::move(file), options);
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<AuditStore>(new AuditStore(std::move(impl)));
}

absl::Status AuditStore::Append(const AuditRecord& record, AuditLevel level) {
  if (level == AuditLevel::kOff) {
    return absl::InvalidArgumentError("the level `off` asks for no record");
  }
  return impl_->Append(record, level);
}

}  // namespace reeve
