#ifndef REEVE_STORE_AUDIT_READER_H_
#define REEVE_STORE_AUDIT_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/store/audit_filter.h"
#include "reeve/store/statistics.h"

namespace reeve {

class Database;

// One record, as the view `decisions` shows it (doc/audit-format.md). No text holds a control
// character. Names may hold characters that leave no mark or change the direction of what follows,
// as some scripts need them: Printable() shows them.
struct AuditRow {
  std::string id;    // UUID
  std::string time;  // ISO 8601, UTC
  std::string decision;
  std::string reason;
  std::string principal;
  std::string action;
  std::string resource;
  std::string rules;  // JSON, a list of ids
  std::string message;
  std::string error;
  std::string principal_assurance;
  std::string via;
  std::string host;
  std::string actor;
  std::string evidence;
  // JSON; empty if it was malformed or too large to be kept.
  std::string groups;
  std::string principal_parents;
  std::string principal_attributes;
  std::string resource_parents;
  std::string resource_attributes;
  std::string context;
  // JSON.
  std::string near_misses;
  std::string shadow_rules;
  std::string clauses;
  std::string masked;  // an object: what is masked, and how
  std::string obligations;
  std::string policy;
  std::string audit_level;
  std::string process;  // name[pid]
  std::string machine;
  // ISO 8601, UTC: what the request fixed `context.time` to; empty if it did not.
  std::string fixed_time;
  bool groups_complete = true;
  // False if an EntityProvider could not tell all.
  bool principal_complete = true;
  bool resource_complete = true;
  bool escaped = false;     // some text was malformed, and is escaped or cut
  bool time_fixed = false;  // the request fixed the time that conditions saw
  absl::Duration latency;
  int64_t writer = 0;
  int64_t seq = 0;
  int64_t number = 0;   // counts the rows of the file as they were written
  int64_t unix_us = 0;  // `time` in microseconds since 1970
};

// Where a page ended: the last record of it, by its place in each order. A value.
struct AuditCursor {
  AuditCursor() = default;
  explicit AuditCursor(const AuditRow& row)
      : unix_us(row.unix_us), writer(row.writer), seq(row.seq), number(row.number) {}

  // As a word for a command line, and back: `1800000000000000.1.8120.8120`. Nothing if it is none.
  std::string ToString() const;
  static std::optional<AuditCursor> Parse(std::string_view text);

  int64_t unix_us = 0;
  int64_t writer = 0;
  int64_t seq = 0;
  int64_t number = 0;
};

// Which records to return, in which order, and how many at a time.
struct AuditQuery : AuditFilter {
  enum class Order {
    kNewestFirst,  // by time, then writer, then sequence number
    kOldestFirst,
    kAsWritten,  // by number: what a `tail -f` reads, and an export that will go on later
  };

  Order order = Order::kNewestFirst;
  // Only what comes after it in `order`: the next page. It need not exist any more, but in the
  // order kAsWritten it must, under the number that it had.
  std::optional<AuditCursor> after;
  // Only rows whose number is higher.
  std::optional<int64_t> after_number;
  size_t limit = 100;
};

// Asks an audit file, while others write, and holds no lock between two calls. Rows follow what was
// committed by a moment: where it may write, a question first makes those that are missing.
//
// What questions cost: those for a principal, resources or a rule find their records by lists,
// those for an id, and for denials or none of these, by an index in order of time; all other
// conditions are tested on what that yields. So the newest hundred of a principal take milliseconds
// in a file of ten million records, and a condition on `via` alone reads records until a hundred
// fit.
//
// A large answer is read in pages, in bounded memory:
//
//   AuditQuery query;
//   query.limit = 1000;
//   while (true) {
//     absl::StatusOr<std::vector<AuditRow>> page = reader->Query(query);
//     if (!page.ok() || page->empty()) break;
//     ...
//     query.after = AuditCursor(page->back());
//   }
//
// One thread at a time.
class AuditReader {
 public:
  // Errors:
  //   NotFound            there is no such file
  //   FailedPrecondition  a database of another kind, of a version newer than this program, or one
  //                       that is older and was not brought up to date by a writer yet
  //   DataLoss            it is no database, or damaged
  //   Unavailable         it cannot be read. SQLite must be able to write beside a file (`-shm`)
  //                       that a writer has open or that was not closed in order; any other is
  //                       read without
  static absl::StatusOr<std::unique_ptr<AuditReader>> Open(const std::string& path);
  ~AuditReader();
  AuditReader(const AuditReader&) = delete;
  AuditReader& operator=(const AuditReader&) = delete;

  // At most `query.limit` records, as of one moment. Errors of reading, as above, and:
  //   InvalidArgument     `query.id` is not a UUID
  //   FailedPrecondition  the order is kAsWritten, and the record of `query.after` has another
  //                       number now or is gone: the rows were made anew, or pruned
  absl::StatusOr<std::vector<AuditRow>> Query(const AuditQuery& query);

  // How many records `filter` means. Quick if it has times, a decision, a reason and a rule only:
  // whole hours are added up from `decisions_by_hour`. Errors as of Query().
  absl::StatusOr<int64_t> Count(const AuditFilter& filter);

  // What statistics.h says of the records that `filter` means. Errors as of Query().
  absl::StatusOr<AuditStatistics> Statistics(const AuditFilter& filter,
                                             const StatisticsOptions& options);

  // Makes the rows that are missing, for at most ten seconds. Each question begins with it; call it
  // before you ask in SQL.
  absl::Status CatchUp();

  // How many records were committed and could not be shown by the last call: this process may not
  // write to the file, or they were too many to wait for.
  int64_t behind() const { return behind_; }

  // The number of the newest row; 0 if there is none. A `tail -f` begins after it.
  absl::StatusOr<int64_t> LastNumber();

 private:
  AuditReader(std::string path, std::unique_ptr<Database> database);

  absl::StatusOr<std::vector<int64_t>> Choose(const AuditQuery& query);

  const std::string path_;
  const std::unique_ptr<Database> database_;
  int64_t behind_ = 0;
};

}  // namespace reeve

#endif  // REEVE_STORE_AUDIT_READER_H_
