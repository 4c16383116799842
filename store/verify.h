#ifndef REEVE_STORE_VERIFY_H_
#define REEVE_STORE_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace reeve {

// Something in an audit file that is not as it was written.
struct AuditFinding {
  enum class Kind : uint8_t {
    kChanged,     // a writer or a segment was changed, moved, or put in
    kMissing,     // a writer or records were removed
    kCheckpoint,  // a checkpoint does not fit what is there, or is not what it seems
    kPruning,     // a pruning is not what it seems, or what it says is gone is there
    kRow,         // what was made from segments for people differs from what they say
  };

  Kind kind = Kind::kChanged;
  int64_t writer = 0;  // 0: not about one writer
  int64_t seq = 0;     // the number of the first record that it is about; 0: not about a record
  // One line, with the file. The first one about a writer also says which of its records are
  // intact: `audit.db: writer 3, record 8121: hash does not match; records 1 to 8120 are intact`
  std::string message;
};

// Records of one writer, by number.
struct AuditRange {
  int64_t first = 0;
  int64_t last = 0;
};

// What a file says about a writer, and how much of it can be relied on.
struct AuditWriter {
  int64_t id = 0;
  std::string uuid;     // as text
  std::string process;  // name[pid]
  std::string machine;
  // The damaged file that was set aside before this one began with this writer; empty if none was.
  std::string follows;
  int64_t opened = 0;  // microseconds since 1970
  // 0 if it did not end in order: it is at work, or was killed, and its newest records may have
  // been lost with it.
  int64_t closed = 0;
  bool chained = false;  // false: an older program wrote it, and changes cannot be found
  int64_t pruned = 0;    // so many of its first records were removed on purpose
  int64_t last_seq = 0;  // of the newest record that is there, or was pruned
  std::vector<AuditRange> intact;
};

// Records that were removed on purpose: consecutive ones of one writer, in one run of Prune().
struct AuditPruning {
  int64_t writer = 0;
  int64_t first = 0, last = 0;         // by number
  int64_t min_time = 0, max_time = 0;  // of the records, in microseconds since 1970
  int64_t time = 0;                    // when, likewise
  int64_t uid = 0;                     // of the process that did it
  std::string reason;                  // what it was asked, and why
  bool is_signed = false;
};

struct AuditReport {
  bool intact() const { return findings.empty(); }

  std::vector<AuditWriter> writers;
  std::vector<AuditPruning> prunings;  // In the order in which they were done.
  std::vector<AuditFinding> findings;  // The first max_findings.
  int64_t more_findings = 0;           // Beyond those.
  int64_t segments = 0;
  int64_t records = 0;
  int64_t bytes = 0;              // of segments
  int64_t unchained_records = 0;  // of writers without a chain
  int64_t pruned_records = 0;
  int64_t checkpoints = 0;         // in the file that fit
  int64_t checkpoints_beside = 0;  // in checkpoint_file that fit
  int64_t checkpoints_pruned = 0;  // of both, of records that were pruned: nothing to compare with
  int64_t rows = 0;                // that were compared
};

// Finds out whether an audit file is as it was written. While others write it sees what was there
// when it began.
//
// The chain of hashes shows every change of a part: whoever can write to the file can also write
// all of it anew, with other hashes, or leave out the newest records of a writer that has not
// closed. Against that stand checkpoints: what was signed cannot be written anew without the key,
// and what is in a file elsewhere cannot be left out.
//
// Records that a pruning says are gone are not missing. Whoever can write to the file can add one,
// if it need not be signed.
class AuditVerifier {
 public:
  struct Options {
    // The Ed25519 public keys that checkpoints may have, 32 bytes each, and that prunings must
    // have. If empty any key may be used, and prunings need none, which finds mistakes and no
    // forger.
    std::vector<std::string> keys;
    // What AuditStore::Options::checkpoint_file was. Each line must fit this file. Empty: none.
    std::string checkpoint_file;
    // Whether the rows of `decisions` are compared with the segments, and the pages of the file
    // are checked: takes several times as long.
    bool rows = false;
    size_t max_findings = 1000;
    // Called now and then with how much of how much is done. If it returns false the work ends with
    // Cancelled.
    std::function<bool(int64_t done, int64_t of)> progress;
  };

  // Errors: InvalidArgument if a key does not have 32 bytes; NotFound if the file or the file of
  // checkpoints is not there; else those of AuditReader::Open(). What is wrong with the content of
  // tables is in the report, not an error.
  static absl::StatusOr<AuditReport> Verify(const std::string& path, const Options& options);

  // The public key to a seed for AuditStore::Options::checkpoint_key.
  static absl::StatusOr<std::string> PublicKey(std::string_view seed);
};

}  // namespace reeve

#endif  // REEVE_STORE_VERIFY_H_
