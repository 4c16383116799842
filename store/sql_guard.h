#ifndef REEVE_STORE_SQL_GUARD_H_
#define REEVE_STORE_SQL_GUARD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reeve {

class Database;

struct SqlBlob {
  std::string bytes;
};
// NULL, INTEGER, REAL, TEXT, BLOB. A text may hold any bytes.
using SqlValue = std::variant<std::monostate, int64_t, double, std::string, SqlBlob>;

// What one statement may take.
struct SqlLimits {
  absl::Duration timeout = absl::Seconds(30);
  size_t max_rows = 1000;
  // How much the memory of SQLite in this process may grow meanwhile: sorting is done in memory,
  // for a statement touches no other file. 0 means no limit.
  int64_t max_memory = int64_t{256} << 20;
};

// Answers one statement of SQL after the other on an audit file, whoever wrote them: none changes
// the file, and none opens another one.
//
// The file is opened for reading only. A statement must be a single SELECT or VALUES, or EXPLAIN of
// one; it may use the views `decisions`, `decisions_by_hour` and `numbers`, the tables `writers`,
// `segments`, `checkpoints`, `prunings` and `sqlite_schema`, json_each() and json_tree(), and those
// functions of SQLite that reckon with values. All else is refused by SQLite's authorizer before it
// runs (PRAGMA, ATTACH, VACUUM INTO, extensions among it), and once more by the connection. A value
// has at most 16 MiB, and a statement 100 KB. Source: sqlite.org/security.html,
// c3ref/set_authorizer.html, c3ref/limit.html, c3ref/stmt_readonly.html.
//
// One thread at a time.
class SqlGuard {
 public:
  // Errors as of AuditReader::Open().
  static absl::StatusOr<std::unique_ptr<SqlGuard>> Open(const std::string& path);
  ~SqlGuard();
  SqlGuard(const SqlGuard&) = delete;
  SqlGuard& operator=(const SqlGuard&) = delete;

  struct Answer {
    size_t rows = 0;
    bool more = false;  // there are more than `limits.max_rows`
  };
  using OnColumns = std::function<void(const std::vector<std::string>& names)>;
  // False ends the answer.
  using OnRow = std::function<bool(const std::vector<SqlValue>& row)>;

  // Calls `columns` once and then `row` for each row. Errors, also after some rows:
  //   InvalidArgument    no single statement that may be run, or its SQL is wrong
  //   DeadlineExceeded   it took longer than `limits.timeout`
  //   ResourceExhausted  it took more than `limits.max_memory`, or a value was too large
  //   else               the file cannot be read, as of AuditReader::Open()
  absl::StatusOr<Answer> Run(std::string_view sql, const SqlLimits& limits,
                             const OnColumns& columns, const OnRow& row);

 private:
  struct State;

  SqlGuard(std::unique_ptr<Database> database, std::unique_ptr<State> state);

  absl::Status Fail(int code, std::string_view sql) const;

  const std::unique_ptr<Database> database_;
  const std::unique_ptr<State> state_;
};

}  // namespace reeve

#endif  // REEVE_STORE_SQL_GUARD_H_
