#include "reeve/store/sqlite.h"

#include <sys/stat.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::Status MakeError(int code, std::string_view detail, const std::string& name,
                       std::string_view what) {
  absl::StatusCode status = absl::StatusCode::kInternal;
  std::string_view why;
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      status = absl::StatusCode::kUnavailable;
      why = "another process holds its lock; try again, or end that process";
      break;
    case SQLITE_FULL:
      status = absl::StatusCode::kResourceExhausted;
      why = "the disk is full; free some space";
      break;
    case SQLITE_READONLY:
      status = absl::StatusCode::kUnavailable;
      why = "it is read-only; make the file and its directory writable";
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      status = absl::StatusCode::kUnavailable;
      why = "it cannot be opened; check the permissions of the file and of its directory";
      break;
    case SQLITE_IOERR:
      status = absl::StatusCode::kUnavailable;
      why = "the disk or its file system failed; check both";
      break;
    case SQLITE_CORRUPT:
      status = absl::StatusCode::kDataLoss;
      why = "the file is damaged; keep it, and let a new one begin";
      break;
    case SQLITE_NOTADB:
      status = absl::StatusCode::kDataLoss;
      why = "it is not a SQLite database; name another file";
      break;
    case SQLITE_NOMEM:
      status = absl::StatusCode::kResourceExhausted;
      why = "out of memory";
      break;
    default:
      why = "SQLite refused";
      break;
  }
  const std::string more = Printable(detail, 300);
  return absl::Status(status, absl::StrCat(name, ": ", absl::string_view(what.data(), what.size()),
                                           ": ", absl::string_view(why.data(), why.size()), " (",
                                           more, ", SQLite ", code, ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, std::string name,
                                                         int flags) {
  sqlite3* db = nullptr;
  // Without the flag, `file:` would be a scheme only if SQLite was built so; `./` rules it out.
  const bool is_path = (flags & SQLITE_OPEN_URI) == 0;
  const std::string file = is_path && path[0] != '/' ? absl::StrCat("./", path) : path;
  const int code = sqlite3_open_v2(file.c_str(), &db, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  if (db == nullptr) return absl::ResourceExhaustedError(absl::StrCat(name, ": out of memory"));
  std::unique_ptr<Database> database(new Database(db, std::move(name)));
  if (code != SQLITE_OK) return database->Error(code, "cannot open the file");
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Database::~Database() { sqlite3_close(db_); }

absl::Status Database::Run(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return absl::OkStatus();
  return Error(code, absl::StrCat("cannot run `", Printable({sql, std::strlen(sql)}, 60), "`"));
}

absl::StatusOr<int64_t> Database::Number(const char* sql) {
  absl::StatusOr<Statement> statement = Statement::Prepare(*this, sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(absl::StrCat(name_, ": no row for `", sql, "`"));
  return statement->Number(0);
}

absl::StatusOr<std::string> Database::Text(const char* sql) {
  absl::StatusOr<Statement> statement = Statement::Prepare(*this, sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(absl::StrCat(name_, ": no row for `", sql, "`"));
  return std::string(statement->Text(0));
}

absl::Status Database::Error(int code, std::string_view what) const {
  std::string detail = sqlite3_errmsg(db_);
  if (const int number = sqlite3_system_errno(db_); number != 0 && (code & 0xFF) != SQLITE_BUSY) {
    absl::StrAppend(&detail, ", errno ", number);
  }
  return MakeError(code, detail, name_, what);
}

absl::StatusOr<Statement> Statement::Prepare(Database& database, std::string_view sql) {
  Statement statement;
  statement.database_ = &database;
  const int code = sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement.statement_, nullptr);
  if (code != SQLITE_OK) {
    return database.Error(code, absl::StrCat("cannot prepare `", Printable(sql, 60), "`"));
  }
  return statement;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  code_ = code;
  absl::Status status = database_->Error(
      code, absl::StrCat("cannot run `", Printable(sqlite3_sql(statement_), 60), "`"));
  sqlite3_reset(statement_);
  return status;
}

absl::Status Statement::Finish() {
  absl::Status status;
  while (true) {
    absl::StatusOr<bool> row = Step();
    if (!row.ok()) status = row.status();
    if (!row.ok() || !*row) break;
  }
  Reset();
  return status;
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::string_view Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::Blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace reeve
