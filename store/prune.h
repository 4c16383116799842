#ifndef REEVE_STORE_PRUNE_H_
#define REEVE_STORE_PRUNE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/clock.h"

namespace reeve {

// Which records of an audit file are to go, and what is left in their place.
struct PruneOptions {
  // What either of the two asks for is removed; at least one must be given.
  //
  // Records that were decided before that time.
  std::optional<absl::Time> before;
  // The oldest records, until what is in use of the file takes no more bytes. At least 0.
  std::optional<int64_t> max_bytes;

  // Why: stands in the file with what was removed. UTF-8 without control characters, at most 1024
  // bytes; may be empty.
  std::string reason;
  // The seed of the Ed25519 key that signs, as AuditStore::Options::checkpoint_key. If empty the
  // prunings are not signed, and a verification that asks for signatures does not accept them.
  std::string key;
  // With a key: the last pruning is also appended to this file, as a line of checkpoints is
  // (AuditStore::Options::checkpoint_file). Empty: to none.
  std::string checkpoint_file;

  // Whether nothing is removed, and only said what would be.
  bool dry_run = false;
  // Whether the file is made smaller in the end, to what is in use (VACUUM). That takes as long as
  // to copy it, and free space for two copies of what is left; writers wait meanwhile, and refuse
  // once their max_wait is over. Without it later records fill the space.
  bool vacuum = false;

  // How many records one transaction removes at most, but at least one segment: the fewer, the
  // shorter others wait. At least 1.
  int64_t max_batch_records = 65536;
  // Not owned.
  const Clock* clock = &Clock::System();
  // Called after each batch with how many bytes of segments of about how many were removed. If it
  // returns false the work ends with Cancelled.
  std::function<bool(int64_t done, int64_t of)> progress;
};

struct PruneResult {
  // What was removed, or would be.
  int64_t records = 0;
  int64_t segments = 0;
  int64_t bytes = 0;          // of segments
  absl::Time oldest, newest;  // of the records, if there are any
  // What is in use of the file: before, and after. With dry_run the latter is an estimate.
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;  // above max_bytes if there was nothing more to remove
  // Of the file itself, in the end, with what is free in it.
  int64_t file_bytes = 0;
};

// Removes the oldest records of the audit file `path`, while others write and read, and notes in it
// what was removed, by whom and why: AuditVerifier accepts that those are gone, and no others, and
// says so. With the records go their rows, their counts in `decisions_by_hour`, and the names and
// texts that no other record has; what is removed is overwritten in the file.
//
// Only whole segments go, the oldest of a writer first: one with a record that is to stay, stays,
// and so do those of its writer after it, and what is written from now on. A segment that is not as
// it was written is not removed.
//
// The work is done in batches of a fraction of a second, each one a transaction that leaves a file
// which verifies: after an error or a crash what was removed is noted, and another call goes on.
// After an error of the disk, too, what was committed before stays removed.
//
// Errors:
//   InvalidArgument      nothing is asked for, or an option breaks a rule stated above
//   NotFound, ...        those of AuditReader::Open()
//   DataLoss             what is to go is not as it was written; verify the file and keep it
//   Unavailable          another process holds the lock, the file cannot be written, or
//                        `checkpoint_file` cannot, after all else is done
//   ResourceExhausted    the disk is full: a batch needs some free space
//   Cancelled            `progress` said so
absl::StatusOr<PruneResult> Prune(const std::string& path, const PruneOptions& options);

}  // namespace reeve

#endif  // REEVE_STORE_PRUNE_H_
