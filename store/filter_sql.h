#ifndef REEVE_STORE_FILTER_SQL_H_
#define REEVE_STORE_FILTER_SQL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/store/audit_filter.h"
#include "reeve/store/sqlite.h"

namespace reeve {

// Microseconds since 1970, rounded up: the first ones that are not before `time`.
int64_t CeilMicros(absl::Time time);

// What finds the records of a filter: the index of the condition that is likely to hold for the
// fewest. All other conditions are tested on each record that it yields.
enum class Driver {
  kNumber,          // the table, as it was written
  kId,              // records_by_id
  kPrincipal,       // records_by_principal: in order of time
  kResource,        // records_by_resource: in order of time
  kResourcePrefix,  // records_by_resource, for each of several resources
  kRule,            // rule_records: in order of time
  kDenials,         // denials_by_time: in order of time
  kTime,            // records_by_time: in order of time
};

// What a statement is for.
enum class Purpose {
  kCount,         // records in any order
  kPageByTime,    // the first ones in an order of time
  kPageByNumber,  // the first ones in the order of the table, whatever the conditions are
};

// A filter as SQL. Statements are made of what it has, in this order: a SELECT, from(), where().
class FilterSql {
 public:
  // InvalidArgument if `filter.id` is not a UUID. For a page by time whose driver is
  // kResourcePrefix the condition on the resource is left out: ask for one after the other.
  static absl::StatusOr<FilterSql> Create(const AuditFilter& filter, Purpose purpose);

  Driver driver() const { return driver_; }
  // " FROM records r" and what is joined.
  std::string from() const;
  // " WHERE …"; empty without conditions.
  const std::string& where() const { return where_; }
  // The column that is the time in the index of the driver.
  const char* time() const { return driver_ == Driver::kRule ? "x.time" : "r.time"; }

  // A further condition, with values for its `?` in order.
  void Add(const std::string& sql) { (where_ += where_.empty() ? " WHERE " : " AND ") += sql; }
  void Add(const std::string& sql, int64_t value) {
    Add(sql);
    values_.push_back({value, {}, Kind::kNumber});
  }
  void AddText(const std::string& sql, std::string value) {
    Add(sql);
    values_.push_back({0, std::move(value), Kind::kText});
  }
  void Value(int64_t value) { values_.push_back({value, {}, Kind::kNumber}); }

  // Binds the values from parameter 1 on; returns the next one. This must outlive the run of
  // `statement`.
  int Bind(Statement& statement) const;

 private:
  enum class Kind { kNumber, kText, kBlob };
  struct Bound {
    int64_t number;
    std::string text;
    Kind kind;
  };

  void AddName(Driver driver, const char* column, const std::string& name);

  Driver driver_ = Driver::kTime;
  std::string where_;
  std::vector<Bound> values_;
};

}  // namespace reeve

#endif  // REEVE_STORE_FILTER_SQL_H_
