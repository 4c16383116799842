#ifndef REEVE_STORE_SQLITE_H_
#define REEVE_STORE_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reeve {

// A connection to a SQLite file. One thread at a time.
class Database {
 public:
  // Opens `path` with `flags`, of sqlite3_open_v2(). A relative path whose first component is a
  // URI scheme is a path nevertheless, unless `flags` have SQLITE_OPEN_URI. Messages begin with
  // `name`. Schemas are not trusted (SQLITE_DBCONFIG_TRUSTED_SCHEMA, _DEFENSIVE).
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, std::string name,
                                                        int flags);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements that yield nothing of interest.
  absl::Status Run(const char* sql);
  // Runs one statement and returns the first column of its first row; NotFound without a row.
  absl::StatusOr<int64_t> Number(const char* sql);
  absl::StatusOr<std::string> Text(const char* sql);

  // The status of `code`, which a call on this connection has just returned. `what` was tried:
  // "cannot write a record".
  //   Unavailable        locked by somebody else, not readable or writable, an I/O error
  //   ResourceExhausted  the disk is full
  //   DataLoss           the file is damaged, or not a database
  //   Internal           else
  absl::Status Error(int code, std::string_view what) const;

  sqlite3* get() const { return db_; }
  const std::string& name() const { return name_; }

 private:
  Database(sqlite3* db, std::string name) : db_(db), name_(std::move(name)) {}

  sqlite3* const db_;
  const std::string name_;
};

// A prepared statement. Parameters are bound by position, from 1; columns count from 0.
// One thread at a time.
class Statement {
 public:
  Statement() = default;
  // `database` must outlive this.
  static absl::StatusOr<Statement> Prepare(Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(Statement&& other) noexcept { *this = std::move(other); }
  Statement& operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(statement_, other.statement_);
    std::swap(code_, other.code_);
    return *this;
  }

  void Bind(int at, int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  // Texts and blobs must stay until Reset(). A text has no NUL.
  void BindText(int at, std::string_view text) {
    sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
  }
  void BindBlob(int at, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, at, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                        SQLITE_STATIC);
  }
  void BindNull(int at) { sqlite3_bind_null(statement_, at); }

  // True if there is a row.
  absl::StatusOr<bool> Step();
  // Steps to the end and resets.
  absl::Status Finish();
  // The result of the last step that failed, of SQLITE_...; SQLITE_OK if none did.
  int code() const { return code_; }
  // Makes it ready to run again; parameters become null.
  void Reset();

  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  int64_t Number(int column) const { return sqlite3_column_int64(statement_, column); }
  // Valid until the next step or reset.
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;

 private:
  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
};

}  // namespace reeve

#endif  // REEVE_STORE_SQLITE_H_
