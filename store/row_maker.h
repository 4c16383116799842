#ifndef REEVE_STORE_ROW_MAKER_H_
#define REEVE_STORE_ROW_MAKER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/store/sqlite.h"
#include "reeve/store/unfold.h"

namespace reeve {

// Makes the rows of the segments that have none yet, in batches. Which they are says the table
// `unfolded`, for each writer the number of its first record without a row, and each batch changes
// it together with the rows: after a crash, and whoever goes on, there is one row for each record.
//
// One thread at a time; several, in several processes, may work on one file.
class RowMaker {
 public:
  // Opens `path`, an audit store of the newest version, for a RowMaker. Unlike a writer of segments
  // it does not wait for the disk: rows that a crash takes are made again.
  static absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path,
                                                                std::string name);
  // `database` must outlive this.
  static absl::StatusOr<std::unique_ptr<RowMaker>> Create(Database& database);

  struct Batch {
    int64_t records = 0;        // whose rows were made
    bool more = false;          // there are segments without rows still
    int64_t damaged = 0;        // segments that could not be read, and were passed over
    std::string first_damaged;  // a message about the first one
  };

  // Who makes rows at present, if several could: whoever holds the lease. It is renewed with each
  // batch, and lost if it is not.
  struct Lease {
    std::string_view owner;  // 16 bytes
    absl::Time now;
  };

  // Makes the rows of some segments, the oldest first, in one transaction, for a fraction of a
  // second; shorter if `wanted` is not null and true: somebody waits for the file. If `lease` is
  // not null and another one holds it, does nothing. Errors are those of SQLite.
  absl::StatusOr<Batch> Step(const Lease* lease = nullptr,
                             const std::atomic<bool>* wanted = nullptr);
  // Steps until there is nothing left, or the time is up.
  absl::StatusOr<Batch> Run(std::chrono::steady_clock::time_point deadline =
                                std::chrono::steady_clock::time_point::max());

  // Drops all rows.
  absl::Status Clear();

 private:
  struct Pending;

  RowMaker(Database& database, std::unique_ptr<Unfolder> unfolder)
      : database_(database), unfolder_(std::move(unfolder)) {}

  absl::StatusOr<bool> IsWanted(const Lease* lease);
  absl::StatusOr<bool> TakeLease(const Lease* lease);
  absl::Status MakeRows(const std::atomic<bool>* wanted, Batch* batch);
  absl::StatusOr<bool> FindNext(Pending* pending);

  Database& database_;
  const std::unique_ptr<Unfolder> unfolder_;
  Statement any_, begin_, commit_, lease_, set_lease_, writers_, next_, set_next_;
  int64_t known_turn_ = -1;  // of the last batch that was this one's
};

// How many records of `database` have no row yet.
absl::StatusOr<int64_t> RecordsWithoutRows(Database& database);

}  // namespace reeve

#endif  // REEVE_STORE_ROW_MAKER_H_
