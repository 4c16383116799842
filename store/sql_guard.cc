#include "reeve/store/sql_guard.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/engine/text.h"
#include "reeve/store/schema.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

// Instructions of SQLite's machine between two looks at the clock: some microseconds.
constexpr int kBetweenLooks = 1000;

constexpr struct {
  int limit;
  int value;
} kLimits[] = {
    {SQLITE_LIMIT_LENGTH, 16 << 20},
    {SQLITE_LIMIT_SQL_LENGTH, 100000},
    {SQLITE_LIMIT_COLUMN, 200},
    {SQLITE_LIMIT_EXPR_DEPTH, 200},
    {SQLITE_LIMIT_COMPOUND_SELECT, 50},
    {SQLITE_LIMIT_VDBE_OP, 250000},
    {SQLITE_LIMIT_FUNCTION_ARG, 100},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

// What a statement may name itself; the other tables it reads through the views.
constexpr char kTables[] =
    "decisions decisions_by_hour numbers writers segments checkpoints prunings sqlite_schema "
    "sqlite_master json_each json_tree";

// Functions that reckon with their arguments, and those that tell the time or draw by lot. Not
// among them: what loads code, writes to a log or tells of the program.
constexpr char kFunctions[] =
    "-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce cos cosh "
    "count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank "
    "exp first_value floor format glob group_concat hex ifnull iif instr json json_array "
    "json_array_length json_extract json_group_array json_group_object json_insert json_object "
    "json_patch json_quote json_remove json_replace json_set json_type json_valid julianday lag "
    "last_value lead length like likelihood likely ln log log10 log2 lower ltrim max min mod "
    "nth_value ntile nullif percent_rank pi pow power printf quote radians random randomblob rank "
    "replace round row_number rtrim sign sin sinh soundex sqlite_version sqrt strftime string_agg "
    "substr substring sum tan tanh time timediff total trim trunc typeof unhex unicode unixepoch "
    "unlikely upper zeroblob octet_length concat concat_ws";

absl::flat_hash_set<std::string> SetOf(const char* words) { return absl::StrSplit(words, ' '); }

const absl::flat_hash_set<std::string>& Tables() {
  static const auto* const set = new absl::flat_hash_set<std::string>(SetOf(kTables));
  return *set;
}

const absl::flat_hash_set<std::string>& Functions() {
  static const auto* const set = new absl::flat_hash_set<std::string>(SetOf(kFunctions));
  return *set;
}

SqlValue ValueOf(sqlite3_stmt* statement, int column) {
  const auto bytes = [statement, column](const void* data) {
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return bytes(sqlite3_column_text(statement, column));
    case SQLITE_BLOB:
      return SqlBlob{bytes(sqlite3_column_blob(statement, column))};
    default:
      return std::monostate();
  }
}

}  // namespace

struct SqlGuard::State {
  absl::flat_hash_set<std::string> tables;  // all of the file
  std::string refused;                      // why the authorizer said no first
  std::chrono::steady_clock::time_point deadline;
  int64_t max_memory = 0;  // of sqlite3_memory_used(); 0 for no limit
  bool late = false, large = false;

  int Refuse(std::string why) {
    if (refused.empty()) refused = std::move(why);
    return SQLITE_DENY;
  }

  int Authorize(int action, const char* first, const char* second, const char* inside) {
    const auto text = [](const char* word) { return std::string(word == nullptr ? "" : word); };
    switch (action) {
      case SQLITE_SELECT:
      case SQLITE_RECURSIVE:
        return SQLITE_OK;
      case SQLITE_FUNCTION:
        if (Functions().contains(absl::AsciiStrToLower(text(second)))) return SQLITE_OK;
        return Refuse(
            absl::StrCat("the function `", Printable(text(second)), "` may not be called here"));
      case SQLITE_READ: {
        const std::string table = absl::AsciiStrToLower(text(first));
        // No column is named where the answer needs nothing of a table but how many rows it has:
        // also of tables behind a view, and of those that the statement makes itself (WITH).
        if (text(second).empty() || Tables().contains(table) ||
            (inside != nullptr && tables.contains(table))) {
          return SQLITE_OK;
        }
        return Refuse(absl::StrCat(
            "`", Printable(text(first)),
            "` may not be read here; ask `decisions`, "
            "`decisions_by_hour`, `numbers`, `writers`, `segments`, `checkpoints` or `prunings`"));
      }
      default:
        return Refuse("only a SELECT may be run here");
    }
  }

  // Whether the statement has to end.
  bool IsOver() {
    late = std::chrono::steady_clock::now() >= deadline;
    large = max_memory != 0 && sqlite3_memory_used() > max_memory;
    return late || large;
  }
};

SqlGuard::SqlGuard(std::unique_ptr<Database> database, std::unique_ptr<State> state)
    : database_(std::move(database)), state_(std::move(state)) {}

SqlGuard::~SqlGuard() = default;

absl::StatusOr<std::unique_ptr<SqlGuard>> SqlGuard::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
  sqlite3* const db = (*database)->get();
  for (const auto& [option, value] :
       {std::pair(SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
        std::pair(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        std::pair(SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0),
        std::pair(SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0),
        // A mistyped column in double quotes is an error, not a text.
        std::pair(SQLITE_DBCONFIG_DQS_DML, 0), std::pair(SQLITE_DBCONFIG_DQS_DDL, 0)}) {
    sqlite3_db_config(db, option, value, nullptr);
  }
  absl::Status status = (*database)->Run("PRAGMA query_only = 1; PRAGMA temp_store = MEMORY");
  if (!status.ok()) return status;
  auto state = std::make_unique<State>();
  absl::StatusOr<Statement> tables =
      Statement::Prepare(**database, "SELECT lower(name) FROM sqlite_schema WHERE type = 'table'");
  if (!tables.ok()) return tables.status();
  while (true) {
    absl::StatusOr<bool> row = tables->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    state->tables.insert(std::string(tables->Text(0)));
  }
  // SQLite declares these tables when they are used first, which is a change of the schema in the
  // eyes of the authorizer. All others of their kind cannot be declared any more.
  status = (*database)->Run("SELECT 1 FROM json_each('[]'), json_tree('[]')");
  if (!status.ok()) return status;
  for (const auto& limit : kLimits) sqlite3_limit(db, limit.limit, limit.value);
  sqlite3_set_authorizer(
      db,
      [](void* guard, int action, const char* first, const char* second, const char*,
         const char* inside) {
        return static_cast<State*>(guard)->Authorize(action, first, second, inside);
      },
      state.get());
  sqlite3_progress_handler(
      db, kBetweenLooks, [](void* guard) { return static_cast<State*>(guard)->IsOver() ? 1 : 0; },
      state.get());
  return std::unique_ptr<SqlGuard>(new SqlGuard(*std::move(database), std::move(state)));
}

absl::Status SqlGuard::Fail(int code, std::string_view sql) const {
  if (!state_->refused.empty()) return absl::InvalidArgumentError(state_->refused);
  switch (code & 0xFF) {
    case SQLITE_INTERRUPT:
      return state_->large
                 ? absl::ResourceExhaustedError(
                       "the statement takes too much memory; sort or collect fewer records")
                 : absl::DeadlineExceededError(
                       "the statement takes too long; ask for a shorter time, or give it more");
    case SQLITE_TOOBIG:
      return absl::ResourceExhaustedError(
          "the statement or a value in it is too large; cut it with substr()");
    case SQLITE_ERROR:
    case SQLITE_AUTH:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: {
      sqlite3* const db = database_->get();
      const int at = sqlite3_error_offset(db);
      return absl::InvalidArgumentError(
          absl::StrCat("the SQL is wrong", at >= 0 ? absl::StrCat(" at character ", at + 1) : "",
                       ": ", Printable(sqlite3_errmsg(db))));
    }
    default:
      return database_->Error(code, absl::StrCat("cannot run `", Printable(sql, 60), "`"));
  }
}

absl::StatusOr<SqlGuard::Answer> SqlGuard::Run(std::string_view sql, const SqlLimits& limits,
                                               const OnColumns& columns, const OnRow& row) {
  if (sql.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("the SQL holds a NUL; write text");
  }
  state_->refused.clear();
  state_->late = state_->large = false;
  const absl::Duration timeout =
      std::clamp(limits.timeout, absl::ZeroDuration(), absl::Hours(24 * 365));
  state_->deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  state_->max_memory = limits.max_memory == 0 ? 0 : sqlite3_memory_used() + limits.max_memory;

  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  sqlite3* const db = database_->get();
  int code = sqlite3_prepare_v2(db, sql.data() == nullptr ? "" : sql.data(),
                                static_cast<int>(sql.size()), &raw, &rest);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
  if (code != SQLITE_OK) return Fail(code, sql);
  if (raw == nullptr) return absl::InvalidArgumentError("there is no statement; write a SELECT");
  // What comes after it may be a comment.
  sqlite3_stmt* second = nullptr;
  const size_t used = rest - sql.data();
  code = sqlite3_prepare_v2(db, rest, static_cast<int>(sql.size() - used), &second, nullptr);
  const bool is_single = code == SQLITE_OK && second == nullptr;
  sqlite3_finalize(second);
  if (!is_single) {
    return absl::InvalidArgumentError(
        "there is more than one statement; run them one after the other");
  }
  if (sqlite3_bind_parameter_count(raw) > 0) {
    return absl::InvalidArgumentError("there is a parameter in the SQL; write the value itself");
  }
  if (sqlite3_stmt_readonly(raw) == 0) {
    return absl::InvalidArgumentError("only a SELECT may be run here");
  }

  const int width = sqlite3_column_count(raw);
  std::vector<std::string> names;
  for (int i = 0; i < width; ++i) {
    const char* const name = sqlite3_column_name(raw, i);
    names.emplace_back(name == nullptr ? "" : name);
  }
  columns(names);
  Answer answer;
  std::vector<SqlValue> values(width);
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    if (answer.rows == limits.max_rows) {
      answer.more = true;
      return answer;
    }
    for (int i = 0; i < width; ++i) values[i] = ValueOf(raw, i);
    ++answer.rows;
    if (!row(values)) return answer;
  }
  if (code != SQLITE_DONE) return Fail(code, sql);
  return answer;
}

}  // namespace reeve
