#include "reeve/store/audit_store.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"
#include "reeve/store/chain.h"
#include "reeve/store/mask.h"
#include "reeve/store/record.h"
#include "reeve/store/segment.h"
#include "reeve/store/writer_file.h"

namespace reeve {
namespace {

using Time = std::chrono::steady_clock::time_point;

// What a thread keeps from one record to the next.
constexpr size_t kMaxKeptBytes = 1 << 20;

// A batch becomes several segments if it is larger, so that a reader needs little memory at once.
constexpr size_t kMaxSegmentRecords = 1024;
constexpr size_t kMaxSegmentBytes = 1 << 20;

// Between attempts to write what is held, beside those that a new record causes.
constexpr std::chrono::nanoseconds kMinRetryDelay = std::chrono::milliseconds(10);
constexpr std::chrono::nanoseconds kMaxRetryDelay = std::chrono::seconds(1);

std::chrono::nanoseconds ToChrono(absl::Duration wait) {
  return absl::ToChronoNanoseconds(std::min(wait, absl::Hours(24 * 365)));
}

// Between two batches of rows, while there are more and while there are none.
constexpr std::chrono::nanoseconds kBetweenBatches = std::chrono::milliseconds(1);
constexpr std::chrono::nanoseconds kBetweenRows = std::chrono::milliseconds(200);
// How long the end of a store waits at most for the rows that are left.
constexpr std::chrono::nanoseconds kLastRows = std::chrono::seconds(2);

// Has the cache get `size` bytes, which will be written. They need not be anybody's.
void FetchToWrite(const void* from, size_t size) {
  constexpr size_t kLine = 64, kMaxLines = 8;
  const auto begin = reinterpret_cast<uintptr_t>(from);
  for (size_t line = 0; line * kLine < size && line < kMaxLines; ++line) {
    __builtin_prefetch(reinterpret_cast<const void*>(begin + line * kLine), 1);
  }
}

Time Now() { return std::chrono::steady_clock::now(); }

// With why there is no key, if there should be one.
absl::StatusOr<std::unique_ptr<const MaskSet>> MakeMasks(const AuditStore::Options& options,
                                                         absl::Status* key_status) {
  const bool hashes =
      std::any_of(options.masks.begin(), options.masks.end(),
                  [](const AuditMask& mask) { return mask.kind == AuditMask::Kind::kHash; });
  if (!options.mask_key.empty() && !options.mask_key_file.empty()) {
    return absl::InvalidArgumentError(
        "the audit store has both `mask_key` and `mask_key_file`; give it one");
  }
  if (hashes && options.mask_key.empty() && options.mask_key_file.empty()) {
    return absl::InvalidArgumentError(
        "a mask of the audit store hashes and there is no key; give it `mask_key_file`");
  }
  std::string key = options.mask_key;
  if (!options.mask_key_file.empty()) {
    absl::StatusOr<std::string> read = ReadMaskKey(options.mask_key_file);
    if (read.ok()) {
      key = *std::move(read);
    } else {
      *key_status = read.status();
    }
  }
  return MaskSet::Create(options.masks, std::move(key));
}

}  // namespace

// The queue. Records gather in the open batch. The writer takes the lock on the file first and the
// open batch second, so that a record which waits for another process can still be withdrawn.
//
// An entry is waited for, by the caller of Append(), or it is not: then its caller has its answer,
// and the entry is held until it is written.
class AuditStore::Impl {
 public:
  Impl(std::string name, std::unique_ptr<WriterFile> file, const Options& options,
       std::unique_ptr<const MaskSet> masks, const absl::Status& mask_status)
      : name_(std::move(name)),
        masks_(std::move(masks)),
        mask_failure_(mask_status.code()),
        mask_message_(mask_status.message()),
        max_wait_(ToChrono(options.max_wait)),
        flush_interval_(ToChrono(options.flush_interval)),
        max_records_(options.max_queued_records),
        max_bytes_(options.max_queued_bytes),
        checkpoint_interval_(ToChrono(options.checkpoint_interval)),
        checkpoint_records_(options.checkpoint_records),
        makes_checkpoints_(!options.checkpoint_key.empty()),
        makes_rows_(options.make_rows),
        file_(std::move(file)),
        open_(NewBatch()) {
    NoteSetAside();
  }

  ~Impl() {
    if (!started_) return;
    {
      MutexLock lock(mutex_);
      stop_ = true;
      work_.NotifyAll();
      row_work_.NotifyAll();
    }
    pthread_join(thread_, nullptr);
    if (makes_rows_) pthread_join(row_thread_, nullptr);
    // For whoever looks at the file now. What takes longer, the next one does.
    const Time deadline = Now() + kLastRows;
    while (makes_rows_ && MakeRows(/*always=*/true) && Now() < deadline) {
    }
    // An end in order is noted only if nothing was lost.
    if (!held_.entries.empty()) file_->Abandon();
  }

  absl::Status Start() {
    // Signals are the host program's affair: its handlers run on its threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(
        &thread_, nullptr,
        [](void* self) -> void* {
          static_cast<Impl*>(self)->Run();
          return nullptr;
        },
        this);
    if (error == 0) {
      started_ = true;
      pthread_setname_np(thread_, "reeve-audit");
    }
    if (error == 0 && makes_rows_) {
      error = pthread_create(
          &row_thread_, nullptr,
          [](void* self) -> void* {
            static_cast<Impl*>(self)->RunRows();
            return nullptr;
          },
          this);
      makes_rows_ = error == 0;
      if (makes_rows_) pthread_setname_np(row_thread_, "reeve-rows");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return absl::UnavailableError("the audit store cannot start a thread");
    return absl::OkStatus();
  }

  absl::Status Append(const AuditRecord& record, AuditLevel level) {
    thread_local FlatRecord flat;
    Flatten(record, level, *masks_, &flat);
    absl::Status status = Append(flat);
    if (flat.bytes.capacity() > kMaxKeptBytes) flat.bytes = std::string();
    return status;
  }

  absl::Status Flush() {
    MutexLock lock(mutex_);
    Batch& batch = *open_;
    if (++batch.waiters == 1) work_.NotifyOne();
    return Wait(batch, kNoEntry, Deadline());
  }

  absl::Status Unfold() {
    std::string damaged;
    while (true) {
      absl::StatusOr<RowMaker::Batch> batch = file_->MakeRows(/*always=*/true);
      if (!batch.ok()) return batch.status();
      if (damaged.empty()) damaged = batch->first_damaged;
      MutexLock lock(mutex_);
      stats_.rows += batch->records;
      if (!batch->more) break;
    }
    return damaged.empty() ? absl::OkStatus() : absl::DataLossError(damaged);
  }

  Stats stats() const {
    MutexLock lock(mutex_);
    Stats stats = stats_;
    const int64_t open = static_cast<int64_t>(open_->entries.size());
    stats.kept = static_cast<int64_t>(held_records_);
    stats.queued = stats.kept + static_cast<int64_t>(taken_records_) + open;
    stats.status = absl::Status(failure_, failure_message_);
    stats.set_aside_status = absl::Status(set_aside_failure_, set_aside_message_);
    stats.mask_status = absl::Status(mask_failure_, mask_message_);
    stats.rows_status = absl::Status(row_failure_, row_message_);
    stats.checkpoint_status = absl::Status(checkpoint_failure_, checkpoint_message_);
    const Time oldest = stats.queued > open ? oldest_taken_ : open_->begun;
    if (stats.queued > 0) {
      stats.lag = absl::FromChrono(Now() - oldest);
    }
    return stats;
  }

 private:
  struct Entry {
    RecordHead head;
    std::array<uint32_t, kFieldCount> sizes;
    size_t begin;  // of its bytes
    bool waited_for;
    bool withdrawn;
  };

  struct Batch {
    std::vector<Entry> entries;
    std::string bytes;  // of all entries
    Time begun;         // when it got its first entry
    size_t waiters = 0;
    bool done = false;
    // The result, in parts: what a status shares stays on one thread.
    absl::StatusCode code = absl::StatusCode::kOk;
    std::string message;
    CondVar committed;

    void Add(const RecordHead& head, const std::array<uint32_t, kFieldCount>& sizes,
             std::string_view all, bool waited_for) {
      entries.push_back({head, sizes, bytes.size(), waited_for, false});
      bytes.append(all);
      // Where the next one goes is not in the cache yet.
      FetchToWrite(&bytes[0] + bytes.size(), 2 * all.size());
      FetchToWrite(entries.data() + entries.size(), sizeof(Entry));
    }
    void Clear() {
      entries.clear();
      bytes.clear();
    }
  };

  static constexpr size_t kNoEntry = static_cast<size_t>(-1);

  Time Deadline() const { return Now() + max_wait_; }

  absl::Status Append(const FlatRecord& flat) {
    bool wake;
    {
      MutexLock lock(mutex_);
      Time deadline;
      if (!HasRoom(flat.bytes.size())) {
        ++stats_.waited;
        deadline = Deadline();
        while (!HasRoom(flat.bytes.size())) {
          if (!room_.WaitUntil(mutex_, deadline) && !HasRoom(flat.bytes.size())) {
            ++stats_.refused;
            return TooSlow("the queue stayed full; the record was not written");
          }
        }
      }
      Batch& batch = *open_;
      const size_t at = batch.entries.size();
      const bool wait =
          flat.head.level == AuditLevel::kDurable || failure_ != absl::StatusCode::kOk;
      if (at == 0) batch.begun = Now();
      batch.Add(flat.head, flat.sizes, flat.bytes, wait);
      if (wait) {
        if (++batch.waiters == 1) work_.NotifyOne();
        if (deadline == Time()) deadline = Deadline();
        absl::Status status = Wait(batch, at, deadline);
        if (!status.ok()) ++stats_.refused;
        return status;
      }
      // It sleeps until there is something, and then until the interval is over or there is much.
      wake = at == 0 || IsMuch();
    }
    if (wake) work_.NotifyOne();
    return absl::OkStatus();
  }

  // Waits until `batch`, of which the caller is one waiter, is done. Withdraws the entry `at` if
  // that is still possible when the time is up.
  absl::Status Wait(Batch& batch, size_t at, Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::Status status;
    while (!batch.done) {
      if (batch.committed.WaitUntil(mutex_, deadline) || batch.done) continue;
      if (at == kNoEntry) {
        status = TooSlow("not all records were written");
      } else if (&batch == open_) {
        batch.entries[at].withdrawn = true;
        status = TooSlow("the record was not written");
      } else {
        status = TooSlow("the disk did not finish writing; the record may be kept nevertheless");
      }
      break;
    }
    if (status.ok()) status = absl::Status(batch.code, batch.message);
    // The last one makes it ready for use again.
    if (--batch.waiters == 0 && batch.done) Recycle(batch);
    return status;
  }

  absl::Status TooSlow(const char* what) const {
    return absl::UnavailableError(absl::StrCat(
        name_, ": ", what, " within ", absl::FormatDuration(absl::FromChrono(max_wait_)),
        "; see what holds up the disk, or raise `max_wait`"));
  }

  bool HasRoom(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t records = held_records_ + open_->entries.size();
    return records == 0 ||
           (records < max_records_ && held_bytes_ + open_->bytes.size() + bytes <= max_bytes_);
  }

  // Whether the open batch should not wait for more.
  bool IsMuch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return held_records_ + open_->entries.size() >= max_records_ / 2 ||
           held_bytes_ + open_->bytes.size() >= max_bytes_ / 2;
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

  void Recycle(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    batch.Clear();
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
      int64_t written = 0;
      if (status.ok()) {
        if (file_->previous_kept()) {
          written = static_cast<int64_t>(tried_);
          held_.entries.erase(held_.entries.begin(), held_.entries.begin() + tried_);
        }
        tried_ = 0;
        status = Write(batch);
        if (status.ok()) {
          written += static_cast<int64_t>(to_write_.size());
          held_.Clear();
        } else {
          Hold(batch);
          tried_ = held_.entries.size();
        }
      } else {
        Hold(batch);
      }
      Publish(batch, status, written);
      file_->TrimLog();
    }
  }

  // The other thread: makes rows now and then, and more often while there is much.
  void RunRows() {
    bool more = false;
    while (true) {
      {
        MutexLock lock(mutex_);
        // The writer has its turn in between.
        const Time due = Now() + (more ? kBetweenBatches : kBetweenRows);
        while (!stop_ && Now() < due) row_work_.WaitUntil(mutex_, due);
        if (stop_) return;
      }
      more = MakeRows(/*always=*/false);
    }
  }

  // Makes some rows. Returns whether there are more to make.
  bool MakeRows(bool always) {
    const absl::StatusOr<RowMaker::Batch> batch = file_->MakeRows(always);
    MutexLock lock(mutex_);
    row_failure_ = batch.status().code();
    row_message_ = std::string(batch.status().message());
    if (!batch.ok()) return false;
    stats_.rows += batch->records;
    if (batch->damaged > 0) {
      row_failure_ = absl::StatusCode::kDataLoss;
      row_message_ = batch->first_damaged;
    }
    return batch->more;
  }

  // Writes what is held and what `batch` has, in a transaction that has begun.
  absl::Status Write(const Batch& batch) {
    // Nobody changes a batch that was taken.
    to_write_.clear();
    for (const Batch* from : {static_cast<const Batch*>(&held_), &batch}) {
      for (const Entry& entry : from->entries) {
        if (!entry.withdrawn) to_write_.push_back({&entry, from->bytes.data() + entry.begin});
      }
    }
    const auto count = static_cast<int64_t>(to_write_.size());
    const bool checkpoint = makes_checkpoints_ && (unsigned_ + count >= checkpoint_records_ ||
                                                   (unsigned_ > 0 && Now() >= checkpoint_due_));
    committed_ = count > 0 || checkpoint;
    if (!committed_) {
      file_->RollBack();
      return absl::OkStatus();
    }
    size_t bytes = 0;
    for (const auto& [entry, begin] : to_write_) {
      encoder_.Add(entry->head, FieldsOf(entry->sizes, begin));
      bytes += SizeOf(*entry);
      if (encoder_.count() < kMaxSegmentRecords && bytes < kMaxSegmentBytes) continue;
      if (absl::Status status = file_->Add(encoder_); !status.ok()) return status;
      bytes = 0;
    }
    if (encoder_.count() > 0) {
      if (absl::Status status = file_->Add(encoder_); !status.ok()) return status;
    }
    if (checkpoint) {
      if (absl::Status status = file_->AddCheckpoint(); !status.ok()) return status;
    }
    if (absl::Status status = file_->Commit(); !status.ok()) return status;
    if (unsigned_ == 0) checkpoint_due_ = Now() + checkpoint_interval_;
    unsigned_ = checkpoint || !makes_checkpoints_ ? 0 : unsigned_ + count;
    if (checkpoint) {
      MutexLock lock(mutex_);
      ++stats_.checkpoints;
    }
    return absl::OkStatus();
  }

  // Holds those entries of `batch` that nobody waits for.
  void Hold(const Batch& batch) {
    for (const Entry& entry : batch.entries) {
      if (entry.waited_for || entry.withdrawn) continue;
      if (held_.entries.empty()) held_.begun = batch.begun;
      held_.Add(entry.head, entry.sizes, {batch.bytes.data() + entry.begin, SizeOf(entry)}, false);
    }
  }

  static size_t SizeOf(const Entry& entry) {
    return std::accumulate(entry.sizes.begin(), entry.sizes.end(), size_t{0});
  }

  // False once there will be none.
  bool WaitForWork() {
    MutexLock lock(mutex_);
    while (true) {
      const bool any = !open_->entries.empty() || held_records_ > 0;
      if (open_->waiters > 0) return true;
      if (stop_) {
        const bool once = any && !stopping_;
        stopping_ = true;
        return once;
      }
      if (!any && unsigned_ == 0) {
        work_.Wait(mutex_);
        continue;
      }
      const bool failed = failure_ != absl::StatusCode::kOk;
      if (!failed && any && IsMuch()) return true;
      Time due = any ? open_->begun + flush_interval_ : checkpoint_due_;
      if (failed) due = std::max(retry_at_, any ? Time() : checkpoint_due_);
      if (Now() >= due) return true;
      work_.WaitUntil(mutex_, due);
    }
  }

  Batch& TakeBatch() {
    MutexLock lock(mutex_);
    Batch& batch = *open_;
    taken_records_ = batch.entries.size();
    if (held_records_ == 0) oldest_taken_ = batch.begun;
    open_ = NewBatch();
    room_.NotifyAll();
    return batch;
  }

  void NoteSetAside() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const FilesSetAside& files = file_->set_aside();
    if (files.count == stats_.set_aside) return;
    stats_.set_aside = files.count;
    stats_.set_aside_file = files.last;
    set_aside_failure_ = files.why.code();
    set_aside_message_ = std::string(files.why.message());
  }

  // Answers those who wait for `batch`. `written` records were committed, or an attempt failed.
  void Publish(Batch& batch, const absl::Status& status, int64_t written) {
    MutexLock lock(mutex_);
    stats_.written += written;
    NoteSetAside();
    if (written > 0) stats_.bytes += file_->bytes();
    if (!status.ok()) {
      ++stats_.failed_commits;
      retry_at_ = Now() + retry_delay_;
      retry_delay_ = std::min(kMaxRetryDelay, 2 * retry_delay_);
    }
    if (!status.ok() || committed_) {
      if (status.ok()) retry_delay_ = kMinRetryDelay;
      failure_ = status.code();
      failure_message_ = std::string(status.message());
      checkpoint_failure_ = file_->checkpoint_status().code();
      checkpoint_message_ = std::string(file_->checkpoint_status().message());
    }
    taken_records_ = 0;
    held_records_ = held_.entries.size();
    held_bytes_ = held_.bytes.size();
    oldest_taken_ = held_.begun;
    room_.NotifyAll();

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
  const std::unique_ptr<const MaskSet> masks_;
  const absl::StatusCode mask_failure_;
  const std::string mask_message_;
  const std::chrono::nanoseconds max_wait_;
  const std::chrono::nanoseconds flush_interval_;
  const size_t max_records_;
  const size_t max_bytes_;
  const std::chrono::nanoseconds checkpoint_interval_;
  const int64_t checkpoint_records_;
  const bool makes_checkpoints_;
  bool makes_rows_;  // Changes in Start() only.

  std::unique_ptr<WriterFile> file_;
  // The writer's thread alone, once it runs.
  SegmentEncoder encoder_;
  Batch held_;        // entries that nobody waits for, of attempts that failed
  size_t tried_ = 0;  // how many of them the last commit had: they may be in the file
  std::vector<std::pair<const Entry*, const char*>> to_write_;  // with the bytes
  bool committed_ = false;  // the last attempt had something to commit
  bool stopping_ = false;   // the last attempt was begun
  int64_t unsigned_ = 0;    // records since the last checkpoint, if they are made
  Time checkpoint_due_;     // if there are some

  mutable Mutex mutex_;
  CondVar work_;      // there is something to write, or nothing more to come
  CondVar row_work_;  // nothing more to come
  CondVar room_;      // the writer took a batch, or holds less
  std::vector<std::unique_ptr<Batch>> batches_ ABSL_GUARDED_BY(mutex_);
  std::vector<Batch*> free_ ABSL_GUARDED_BY(mutex_);
  Batch* open_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  // Why the last attempt to write failed, in parts as above.
  absl::StatusCode failure_ ABSL_GUARDED_BY(mutex_) = absl::StatusCode::kOk;
  std::string failure_message_ ABSL_GUARDED_BY(mutex_);
  absl::StatusCode checkpoint_failure_ ABSL_GUARDED_BY(mutex_) = absl::StatusCode::kOk;
  std::string checkpoint_message_ ABSL_GUARDED_BY(mutex_);
  absl::StatusCode set_aside_failure_ ABSL_GUARDED_BY(mutex_) = absl::StatusCode::kOk;
  std::string set_aside_message_ ABSL_GUARDED_BY(mutex_);
  absl::StatusCode row_failure_ ABSL_GUARDED_BY(mutex_) = absl::StatusCode::kOk;
  std::string row_message_ ABSL_GUARDED_BY(mutex_);
  Time retry_at_ ABSL_GUARDED_BY(mutex_);
  std::chrono::nanoseconds retry_delay_ ABSL_GUARDED_BY(mutex_) = kMinRetryDelay;
  size_t held_records_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t held_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t taken_records_ ABSL_GUARDED_BY(mutex_) = 0;
  Time oldest_taken_ ABSL_GUARDED_BY(mutex_);  // of what is held or being written
  Stats stats_ ABSL_GUARDED_BY(mutex_);        // its counters

  pthread_t thread_ = {};
  pthread_t row_thread_ = {};
  bool started_ = false;
};

AuditStore::AuditStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AuditStore::~AuditStore() = default;

absl::StatusOr<std::unique_ptr<AuditStore>> AuditStore::Open(const std::string& path,
                                                             const Options& options) {
  if (options.max_wait <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("`max_wait` of the audit store is not more than zero");
  }
  if (options.flush_interval < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("`flush_interval` of the audit store is less than zero");
  }
  if (options.max_queued_records == 0 || options.max_queued_bytes == 0) {
    return absl::InvalidArgumentError("the queue of the audit store has no room");
  }
  if (options.clock == nullptr) {
    return absl::InvalidArgumentError("`clock` of the audit store is null");
  }
  CheckpointPlace checkpoints;
  if (!options.checkpoint_key.empty()) {
    absl::StatusOr<std::unique_ptr<CheckpointKey>> key =
        CheckpointKey::FromSeed(options.checkpoint_key);
    if (!key.ok()) return key.status();
    checkpoints.key = *std::move(key);
  } else if (!options.checkpoint_file.empty()) {
    return absl::InvalidArgumentError(
        "the audit store has a file for checkpoints and no key; give it `checkpoint_key`");
  }
  if (options.checkpoint_interval <= absl::ZeroDuration() || options.checkpoint_records < 1) {
    return absl::InvalidArgumentError(
        "`checkpoint_interval` or `checkpoint_records` of the audit store is not more than zero");
  }
  checkpoints.file = options.checkpoint_file;
  absl::Status mask_status;
  absl::StatusOr<std::unique_ptr<const MaskSet>> masks = MakeMasks(options, &mask_status);
  if (!masks.ok()) return masks.status();
  absl::StatusOr<std::unique_ptr<WriterFile>> file =
      WriterFile::Open(path, ToChrono(options.max_wait), *options.clock, std::move(checkpoints),
                       options.damaged == Options::Damaged::kSetAside,
                       options.compression == Options::Compression::kZstd);
  if (!file.ok()) return file.status();
  auto impl = std::make_unique<Impl>(Printable(path, 1000), *std::move(file), options,
                                     *std::move(masks), mask_status);
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<AuditStore>(new AuditStore(std::move(impl)));
}

absl::Status AuditStore::Append(const AuditRecord& record, AuditLevel level) {
  if (level == AuditLevel::kOff) {
    return absl::InvalidArgumentError("the level `off` asks for no record");
  }
  return impl_->Append(record, level);
}

absl::Status AuditStore::Flush() { return impl_->Flush(); }

absl::Status AuditStore::Unfold() { return impl_->Unfold(); }

AuditStore::Stats AuditStore::stats() const { return impl_->stats(); }

}  // namespace reeve
