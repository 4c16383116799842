#ifndef REEVE_STORE_RECORD_FINDER_H_
#define REEVE_STORE_RECORD_FINDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/store/audit_filter.h"
#include "reeve/store/lists.h"
#include "reeve/store/sqlite.h"

namespace reeve {

// Microseconds since 1970, rounded up: the first ones that are not before `time`.
int64_t CeilMicros(absl::Time time);

// Finds the rows of `records` that a filter means: those of principals, resources and rules by
// their lists, others by the time, denials among them by an index of their own. All other
// conditions are tested on each row.
//
// One thread at a time.
class RecordFinder {
 public:
  // `database` must outlive this. InvalidArgument if `filter.id` is not a UUID; else errors of
  // reading.
  static absl::StatusOr<RecordFinder> Create(Database& database, const AuditFilter& filter);

  // Only records not newer, or not older than `micros`.
  void AddMaxTime(int64_t micros) { max_time_ = std::min(max_time_.value_or(micros), micros); }
  void AddMinTime(int64_t micros) { min_time_ = std::max(min_time_.value_or(micros), micros); }
  // Only records with a higher number.
  void AddAfterNumber(int64_t number);
  // Only records behind this one, in the order of First().
  void AddAfter(ListQuery::Order order, const RecordKey& key);

  // The numbers of the first `limit` records in `order`.
  absl::StatusOr<std::vector<int64_t>> First(ListQuery::Order order, size_t limit) const;

  // Calls `row` for each record, in no order, with `columns` of `records r`.
  absl::Status ForEach(const std::string& columns,
                       const std::function<void(const Statement& row)>& row) const;

 private:
  struct Value {
    enum class Kind { kNumber, kText, kBlob };

    Kind kind;
    int64_t number;
    std::string text;
  };

  explicit RecordFinder(Database& database) : database_(&database) {}

  void Add(const std::string& sql) { (where_ += " AND ") += sql; }
  void Add(const std::string& sql, int64_t value);
  void AddText(const std::string& sql, std::string value);
  absl::Status AddNames(const AuditFilter& filter);
  std::string Times(bool by_index) const;
  void Bind(Statement& statement, int at) const;
  absl::StatusOr<Statement> PrepareListed(const std::string& columns) const;
  ListQuery ListQueryOf(ListQuery::Order order, size_t limit) const;

  Database* database_;
  std::string where_;  // each condition with " AND " before it
  std::vector<Value> values_;
  std::vector<ListQuery::Names> names_;
  std::optional<int64_t> min_time_, max_time_, after_number_;
  // Of the id that is asked for, the milliseconds that one of version 7 begins with.
  std::optional<int64_t> id_millis_;
};

}  // namespace reeve

#endif  // REEVE_STORE_RECORD_FINDER_H_
