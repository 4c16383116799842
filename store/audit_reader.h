#ifndef REEVE_STORE_AUDIT_READER_H_
#define REEVE_STORE_AUDIT_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/decision.h"

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
  std::string obligations;
  std::string policy;
  std::string audit_level;
  std::string process;  // name[pid]
  std::string machine;
  bool groups_complete = true;
  bool escaped = false;     // some text was malformed, and is escaped or cut
  bool time_fixed = false;  // the request fixed the clock
  absl::Duration latency;
  int64_t writer = 0;
  int64_t seq = 0;
  int64_t number = 0;   // counts the rows of the file as they were written
  int64_t unix_us = 0;  // `time` in microseconds since 1970
};

// Where a page ended.
struct AuditCursor {
  explicit AuditCursor(const AuditRow& row)
      : unix_us(row.unix_us), writer(row.writer), seq(row.seq) {}

  int64_t unix_us;
  int64_t writer;
  int64_t seq;
};

// Which records to return. All conditions must hold; absent or empty means no condition.
struct AuditQuery {
  enum class Order {
    kNewestFirst,  // by time, then writer, then sequence number
    kOldestFirst,
    kAsWritten,  // by number: what a `tail -f` reads
  };

  std::optional<absl::Time> since;  // at or after it
  std::optional<absl::Time> until;  // before it
  std::string principal;            // `type:id`
  std::string action;
  std::string resource;         // `type:id`
  std::string resource_prefix;  // of `type:id`: `doc:/finance/`
  std::optional<bool> allowed;
  std::optional<Reason> reason;
  std::string rule;  // the id of a rule that determined the answer
  std::string id;    // the decision's: a UUID as text

  Order order = Order::kNewestFirst;
  // Only what comes after it in `order`, which is not kAsWritten: the next page.
  std::optional<AuditCursor> after;
  // Only rows whose number is higher.
  std::optional<int64_t> after_number;
  size_t limit = 100;
};

// Asks an audit file, while others write, and holds no lock between two calls. Rows follow what was
// committed by a moment: where it may write, a question first makes those that are missing.
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

  // InvalidArgument if `query.id` is not a UUID or `query.after` does not fit the order; else
  // errors of reading, as above.
  absl::StatusOr<std::vector<AuditRow>> Query(const AuditQuery& query);

  // How many records were committed and could not be shown by the last call of Query() or
  // LastNumber(): this process may not write to the file, or they were too many to wait for.
  int64_t behind() const { return behind_; }

  // The number of the newest row; 0 if there is none. A `tail -f` begins after it.
  absl::StatusOr<int64_t> LastNumber();

 private:
  AuditReader(std::string path, std::unique_ptr<Database> database);

  absl::Status CatchUp();
  absl::StatusOr<std::vector<int64_t>> Choose(const AuditQuery& query);

  const std::string path_;
  const std::unique_ptr<Database> database_;
  int64_t behind_ = 0;
};

}  // namespace reeve

#endif  // REEVE_STORE_AUDIT_READER_H_
