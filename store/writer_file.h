#ifndef REEVE_STORE_WRITER_FILE_H_
#define REEVE_STORE_WRITER_FILE_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/engine/clock.h"
#include "reeve/store/segment.h"

namespace reeve {

// One writer's hold on an audit file: opens it, gives the writer a row and its records numbers from
// 1, writes segments, and opens the file again after what makes a connection unfit. A file that was
// moved away or removed is completed, left, and begun anew.
//
// One thread at a time.
class WriterFile {
 public:
  // See AuditStore::Open(). `max_wait` bounds each wait for another process's lock. `clock` is not
  // owned.
  static absl::StatusOr<std::unique_ptr<WriterFile>> Open(const std::string& path,
                                                          std::chrono::nanoseconds max_wait,
                                                          const Clock& clock);
  // Notes that the writer ended in order, unless it was abandoned.
  ~WriterFile();
  WriterFile(const WriterFile&) = delete;
  WriterFile& operator=(const WriterFile&) = delete;

  // Begins a transaction, so that nobody else can be in the way of Commit(). Opens the file again
  // if need be.
  absl::Status Begin();
  // Ends the transaction without a trace.
  void RollBack();
  // Adds what `records` holds as one segment with its rows, to a transaction that Begin() began.
  // Clears `records`. On an error the transaction has ended without a trace.
  absl::Status Add(SegmentEncoder& records);
  // Commits what was added, and waits for the disk. On an error nothing was written, except that
  // the disk may have kept a commit that it reported as failed.
  absl::Status Commit();
  // After a Begin() that was OK: whether the last commit that failed is in the file after all.
  bool previous_kept() const { return previous_kept_; }
  // Of the segments of the last transaction.
  int64_t bytes() const { return transaction_bytes_; }
  // Copies what was committed into the main file once there is much of it. Between transactions.
  void Checkpoint();
  // Records were lost: the writer does not end in order.
  void Abandon() { abandoned_ = true; }

 private:
  struct Connection;

  WriterFile(std::string path, std::string name, std::chrono::nanoseconds max_wait,
             const Clock& clock);

  absl::Status Connect();
  absl::Status Register();
  absl::Status Write(SegmentEncoder& records);
  absl::Status Fail(absl::Status status);
  bool IsMoved();
  void Leave(bool moved);
  static int WaitForLock(void* self, int count);
  void AllowWait() { lock_deadline_ = std::chrono::steady_clock::now() + max_wait_; }

  const std::string path_;  // Absolute, and its directory without symbolic links.
  const std::string name_;  // As the caller wrote it, for messages.
  const std::chrono::nanoseconds max_wait_;
  const Clock& clock_;

  std::unique_ptr<Connection> connection_;  // Null after it became unfit.
  std::chrono::steady_clock::time_point lock_deadline_;
  std::array<char, 16> uuid_;  // of the writer's row; drawn anew for each file
  int64_t writer_ = 0;         // 0 before there is a row
  int64_t next_seq_ = 1;       // after the last commit
  int64_t added_ = 0;          // records of the transaction
  int64_t uncertain_ = 0;  // records of a commit that failed, until it is known what became of it
  bool previous_kept_ = false;
  bool abandoned_ = false;
  int64_t transaction_bytes_ = 0;
  std::string bytes_;
};

}  // namespace reeve

#endif  // REEVE_STORE_WRITER_FILE_H_
