#ifndef REEVE_STORE_AUDIT_STORE_H_
#define REEVE_STORE_AUDIT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/clock.h"
#include "reeve/store/audit_mask.h"

namespace reeve {

// Keeps records in one SQLite file, for Engine::Options::audit. Start here; AuditReader asks the
// file. The file stays readable for `sqlite3` and others while this writes.
//
// A thread of its own writes, another one makes rows. What queues up while it waits for the disk
// goes into the next transaction together. Several stores, in one process or in several, may write
// to one file. Do not use a store in a child after fork(2).
//
// Thread-safe: any thread may call any method at any time.
class AuditStore final : public AuditSink {
 public:
  struct Options {
    // How long Append() waits at most: for room in the queue, for other processes that write to the
    // file, and for the disk. More than zero.
    absl::Duration max_wait = absl::Seconds(1);
    // How long a record of the level `recorded` waits for others at most before the writer begins
    // to write: what a crash can take. Not negative.
    absl::Duration flush_interval = absl::Milliseconds(10);
    // What may wait for the writer, beside what it is writing. Both at least 1. One record alone
    // may exceed the bytes.
    size_t max_queued_records = 65536;
    size_t max_queued_bytes = 32 << 20;
    // Whether a second thread makes the rows for people from what was committed, at most two
    // seconds later. Of several stores on one file one does it. If none does, the next AuditReader
    // will.
    bool make_rows = true;
    // Checkpoints: signed statements of where the chain of segments stands. They go into the store,
    // and there is no key that could make others; with them AuditVerifier finds that a file was
    // written anew or lacks its newest records. Made after so many records or so much time,
    // whichever is first, if there are new records; and at the end.
    // The seed of an Ed25519 key, 32 bytes; empty means none are made.
    std::string checkpoint_key;
    // A file that they are appended to as well, one line each: best on another machine, where this
    // process can only append. Created with mode 0600. The writer waits for it. Empty means none.
    std::string checkpoint_file;
    absl::Duration checkpoint_interval = absl::Minutes(1);  // More than zero.
    int64_t checkpoint_records = 100000;                    // At least 1.
    // What records must not hold as it is. At most 60.
    std::vector<AuditMask> masks;
    // The key of those that hash: 32 to 64 random bytes, the same for all stores whose records are
    // to be joined. Or a file that holds nothing else, with mode 0600. If the file cannot be used
    // the store opens all the same, and what would be hashed is dropped: see Stats::mask_status.
    std::string mask_key;
    std::string mask_key_file;
    // Whether segments are compressed: to about a third, which costs the writer's thread about as
    // much as it saves on the disk. Rows are not. A file may hold both, and all that reads one
    // reads both.
    enum class Compression {
      kNone,
      kZstd,  // Zstandard; a segment that would not become smaller stays as it is
    };
    Compression compression = Compression::kNone;
    // What becomes of a file that is found to be damaged (DataLoss), at the opening or later.
    enum class Damaged {
      // It stays, and nothing is written until somebody has seen to it: no allows.
      kRefuse,
      // It is renamed to `NAME.20261127T153000Z.damaged`, with `-wal` and `-shm`, never over
      // another file, and another one begun, whose first writer names it (column `follows` of
      // `writers`): see Stats::set_aside. What was answered from it stays there. A file that is no
      // database at all is set aside as well; a database of another kind, or of a newer version, is
      // not. All stores of a file should say the same.
      kSetAside,
    };
    Damaged damaged = Damaged::kRefuse;
    // Tells when the store was opened and closed; records bring their own time. Not owned; must
    // outlive the store. Not null.
    const Clock* clock = &Clock::System();
  };

  // What happened since the store was opened, and what is the case now.
  struct Stats {
    int64_t queued = 0;   // records that were taken and are not on disk, now
    int64_t kept = 0;     // of them, those of which an attempt to write failed: it is repeated
    int64_t written = 0;  // records on disk
    int64_t bytes = 0;    // of their segments
    int64_t waited = 0;   // calls of Append() that found no room in the queue at first
    int64_t refused = 0;  // calls of Append() that returned an error
    int64_t failed_commits = 0;  // attempts to write that failed
    int64_t checkpoints = 0;     // that were made
    int64_t rows = 0;            // that this store made, also of others' records
    absl::Duration lag;          // the age of the oldest queued record
    // Why the last attempt to write failed; OK if it did not.
    absl::Status status;
    // Why the last checkpoint did not get into checkpoint_file. It is in the store nevertheless.
    absl::Status checkpoint_status;
    // Why there is no key for masks that hash; OK if there is one, or none is needed.
    absl::Status mask_status;
    int64_t set_aside = 0;          // damaged files that this store renamed
    std::string set_aside_file;     // the last part of the new name of the last one
    absl::Status set_aside_status;  // what was wrong with it
    // Why the last attempt to make rows failed. It is repeated, and nothing else waits for it.
    absl::Status rows_status;
  };

  // Opens `path` for writing. A file that does not exist, or is empty, becomes an audit store; one
  // of an older version is brought to the newest. A new file and what SQLite puts beside it
  // (`-wal`, `-shm`) have mode 0600, whatever the umask. Errors:
  //   InvalidArgument     `options` breaks a rule stated above
  //   FailedPrecondition  `path` is a symbolic link, a directory or another special file, a
  //                       database of another kind, or of a version newer than this program
  //   DataLoss            it is no database, or damaged; see Options::damaged
  //   Unavailable         it cannot be opened or written, or another process holds its lock
  //   ResourceExhausted   the disk is full
  static absl::StatusOr<std::unique_ptr<AuditStore>> Open(const std::string& path,
                                                          const Options& options);
  static absl::StatusOr<std::unique_ptr<AuditStore>> Open(const std::string& path) {
    return Open(path, Options());
  }

  // Writes what is queued, notes in the file that the writer ended in order, and closes it. No call
  // of another method may be under way. If the last attempt to write fails records are lost, and
  // the note is left out: call Flush() before to know.
  ~AuditStore() override;
  AuditStore(const AuditStore&) = delete;
  AuditStore& operator=(const AuditStore&) = delete;

  // Keeps `record`. When this returns OK
  //   kDurable   the record is committed and synced to disk: a crash of the program or of the
  //              machine does not take it
  //   kRecorded  the record is in the queue, from where it is written as above within
  //              flush_interval and the time that the disk needs: a crash takes it until then
  // Any error means that the decision must deny:
  //   Unavailable        no room or no commit within max_wait; the file cannot be written
  //   ResourceExhausted  the disk is full
  //   DataLoss           the file is damaged
  // Once an attempt to write has failed, records of both levels wait for their commit as durable
  // ones do, until one succeeds: so no more is promised than was kept. What was taken as kRecorded
  // before is held, counts against the room in the queue, and is written with the next attempt that
  // succeeds; attempts are made with each record, and in between.
  //
  // The store recovers by itself, and a file that was moved away or removed is begun anew. A record
  // that failed is not written later, but for one case: if max_wait ended, or the disk failed, in
  // the middle of its commit, it may be in the file after all. So a record in the file may be of an
  // allow that was answered as a deny; never is an allow answered without a record. Allocates
  // nothing on the calling thread once its buffers have grown.
  absl::Status Append(const AuditRecord& record, AuditLevel level) override;

  // Returns OK once all that was taken before is committed and synced, else why it is not after
  // one attempt or max_wait. It is held nevertheless.
  absl::Status Flush();

  // Makes the rows of all that is committed, whoever wrote it. DataLoss names the first segment
  // that is damaged, after all others are done; else errors are as above.
  absl::Status Unfold();

  Stats stats() const;

 private:
  class Impl;

  explicit AuditStore(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace reeve

#endif  // REEVE_STORE_AUDIT_STORE_H_
