#ifndef REEVE_STORE_WRITER_FILE_H_
#define REEVE_STORE_WRITER_FILE_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/mutex.h"
#include "reeve/store/chain.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/segment.h"

namespace reeve {

// Where checkpoints go, beside the audit file itself.
struct CheckpointPlace {
  std::unique_ptr<CheckpointKey> key;  // Null if none are made.
  std::string file;                    // Empty if they go nowhere else.
};

// Damaged files that were put out of the way.
struct FilesSetAside {
  int64_t count = 0;
  std::string last;  // the last part of its name
  absl::Status why;
};

// Appends `line`, with its end, to a file for checkpoints, and waits for the disk. Creates the
// file.
absl::Status AppendToCheckpoints(const std::string& file, const std::string& line);

// One writer's hold on an audit file: opens it, gives the writer a row and its records numbers from
// 1, writes segments and chains them, and opens the file again after what makes a connection unfit.
// A file that was moved away or removed is completed, left, and begun anew.
//
// One thread at a time, but for MakeRows(), which other threads may call at any time.
class WriterFile {
 public:
  // See AuditStore::Open(). `max_wait` bounds each wait for another process's lock. `clock` is not
  // owned. With `sets_aside` a damaged file is renamed and another one begun; with `compresses`
  // segments are compressed.
  static absl::StatusOr<std::unique_ptr<WriterFile>> Open(
      const std::string& path, std::chrono::nanoseconds max_wait, const Clock& clock,
      CheckpointPlace checkpoints = {}, bool sets_aside = false, bool compresses = false);
  // Notes that the writer ended in order, unless it was abandoned.
  ~WriterFile();
  WriterFile(const WriterFile&) = delete;
  WriterFile& operator=(const WriterFile&) = delete;

  // Begins a transaction, so that nobody else can be in the way of Commit(). Opens the file again
  // if need be.
  absl::Status Begin();
  // Ends the transaction without a trace.
  void RollBack();
  // Adds what `records` holds as one segment to a transaction that Begin() began.
  // Clears `records`. On an error the transaction has ended without a trace.
  absl::Status Add(SegmentEncoder& records);
  // Adds a signed statement of where the chain stands, if there is a key. As Add().
  absl::Status AddCheckpoint();
  // Commits what was added, and waits for the disk. A checkpoint is then appended to its file. On
  // an error nothing was written, except that the disk may have kept a commit that it reported as
  // failed.
  absl::Status Commit();
  // After a Begin() that was OK: whether the last commit that failed is in the file after all.
  bool previous_kept() const { return previous_kept_; }
  // Of the segments of the last transaction.
  int64_t bytes() const { return transaction_bytes_; }
  // Copies what was committed into the main file once there is much of it. Between transactions.
  void TrimLog();
  // Why the newest checkpoint did not get into its file; the next one is another attempt.
  const absl::Status& checkpoint_status() const { return checkpoint_status_; }
  // Makes some rows, over a connection of its own; see RowMaker::Step(). Unless `always`, only if
  // no other process does.
  absl::StatusOr<RowMaker::Batch> MakeRows(bool always);
  const FilesSetAside& set_aside() const { return set_aside_; }
  // Records were lost: the writer does not end in order.
  void Abandon() { abandoned_ = true; }

 private:
  struct Connection;
  struct RowConnection;

  WriterFile(std::string path, std::string name, std::chrono::nanoseconds max_wait,
             const Clock& clock, CheckpointPlace checkpoints, bool sets_aside, bool compresses);

  absl::Status Connect();
  absl::Status Join();
  absl::Status Register();
  absl::Status Write(SegmentEncoder& records);
  absl::Status Fail(absl::Status status);
  absl::Status InsertCheckpoint(const Hash& hash, int64_t seq);
  void SendCheckpoint();
  absl::Status Close();
  bool IsMoved();
  void Leave(bool moved);
  void Drop();
  void LeaveRows();
  static int WaitForLock(void* self, int count);
  void AllowWait() { lock_deadline_ = std::chrono::steady_clock::now() + max_wait_; }

  const std::string path_;  // Absolute, and its directory without symbolic links.
  const std::string name_;  // As the caller wrote it, for messages.
  const std::chrono::nanoseconds max_wait_;
  const Clock& clock_;
  const CheckpointPlace checkpoints_;
  const bool sets_aside_;
  const std::unique_ptr<SegmentCompressor> compressor_;  // Null if they are kept as they are.

  std::unique_ptr<Connection> connection_;  // Null after it became unfit.
  ino_t inode_ = 0;                         // of the file, when it was opened last
  absl::Status damage_;                     // found while it was written
  FilesSetAside set_aside_;
  std::chrono::steady_clock::time_point lock_deadline_;
  std::array<char, 16> uuid_;  // of the writer's row; drawn anew for each file
  int64_t writer_ = 0;         // 0 before there is a row
  Hash head_ = {};             // of the chain, after the last commit
  Hash added_head_ = {};       // and after what was added
  int64_t next_seq_ = 1;       // after the last commit
  int64_t added_ = 0;          // records of the transaction
  int64_t uncertain_ = 0;  // records of a commit that failed, until it is known what became of it
  bool previous_kept_ = false;
  bool abandoned_ = false;
  int64_t transaction_bytes_ = 0;
  std::string checkpoint_line_;  // of the transaction; empty if it has none
  absl::Status checkpoint_status_;
  std::string bytes_;

  // Other connections must not stay while this one begins anew.
  Mutex rows_mutex_;
  std::unique_ptr<RowConnection> rows_ ABSL_GUARDED_BY(rows_mutex_);
  ino_t log_ ABSL_GUARDED_BY(rows_mutex_) = 0;  // the write-ahead log in use; 0 if none is
  std::array<char, 16> lease_owner_;
  std::atomic<bool> wants_file_{false};  // the writer waits for its turn
};

}  // namespace reeve

#endif  // REEVE_STORE_WRITER_FILE_H_
