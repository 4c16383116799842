#include "reeve/store/audit_reader.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/store/lists.h"
#include "reeve/store/record_finder.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/schema.h"
#include "reeve/store/segment.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

// How long a question waits at most for rows to be made.
constexpr std::chrono::seconds kCatchUp(10);

// Reads rows as the view `decisions` shows them; its test compares the two. The view looks every
// name and text up for every row, which here is done once: most rows have most of them in common.
// As of one moment: in another transaction the same number may be that of another name.
class RowReader {
 public:
  static absl::StatusOr<RowReader> Create(Database& database) {
    RowReader reader;
    const struct {
      Statement& statement;
      const char* sql;
    } table[] = {
        {reader.record_,
         "SELECT writer, seq, time, id, latency, level, reason, assurance, flags, principal, "
         "action, resource, via, host, actor, policy, evidence, groups, principal_parents, "
         "principal_attributes, resource_parents, resource_attributes, context, rules, "
         "near_misses, shadow_rules, message, obligations, error, clauses, masked, fixed_time "
         "FROM records "
         "WHERE number = ?"},
        {reader.names_.find, "SELECT name FROM names WHERE id = ?"},
        {reader.texts_.find, "SELECT text FROM texts WHERE id = ?"},
        {reader.processes_.find, "SELECT process || '[' || pid || ']' FROM writers WHERE id = ?"},
        {reader.machines_.find, "SELECT host FROM writers WHERE id = ?"},
    };
    for (const auto& row : table) {
      absl::StatusOr<Statement> statement = Statement::Prepare(database, row.sql);
      if (!statement.ok()) return statement.status();
      row.statement = *std::move(statement);
    }
    return reader;
  }

  // Nothing if there is no such row.
  absl::StatusOr<std::optional<AuditRow>> Read(int64_t number) {
    record_.Reset();
    record_.Bind(1, number);
    absl::StatusOr<bool> found = record_.Step();
    if (!found.ok()) return found.status();
    if (!*found) return std::nullopt;
    AuditRow row;
    int column = 0;
    row.writer = record_.Number(column++);
    row.seq = record_.Number(column++);
    row.number = number;
    row.unix_us = record_.Number(column++);
    row.time = TimeText(row.unix_us);
    const std::string_view id = record_.Blob(column++);
    DecisionId decision;
    if (id.size() == decision.bytes.size()) {
      std::copy(id.begin(), id.end(), decision.bytes.begin());
    }
    row.id = decision.ToString();
    row.latency = absl::Nanoseconds(record_.Number(column++));
    row.audit_level = ToString(static_cast<AuditLevel>(record_.Number(column++)));
    const auto reason = static_cast<Reason>(record_.Number(column++));
    row.decision = reason == Reason::kAllowRule ? "allow" : "deny";
    row.reason = ToString(reason);
    row.principal_assurance = ToString(static_cast<Assurance>(record_.Number(column++)));
    const auto flags = static_cast<uint32_t>(record_.Number(column++));
    row.groups_complete = (flags & kGroupsPartial) == 0;
    row.escaped = (flags & kEscaped) != 0;
    row.time_fixed = (flags & kTimeFixed) != 0;
    row.principal_complete = (flags & kPrincipalPartial) == 0;
    row.resource_complete = (flags & kResourcePartial) == 0;
    for (std::string AuditRow::*name :
         {&AuditRow::principal, &AuditRow::action, &AuditRow::resource, &AuditRow::via,
          &AuditRow::host, &AuditRow::actor, &AuditRow::policy}) {
      absl::Status status = Fill(names_, column++, "", &(row.*name));
      if (!status.ok()) return status;
    }
    const struct {
      std::string AuditRow::*text;
      const char* if_none;
      uint32_t dropped;  // the flag that says that it was not kept
    } texts[] = {
        {&AuditRow::evidence, "", 0},
        {&AuditRow::groups, "[]", kNoGroups},
        {&AuditRow::principal_parents, "[]", kNoPrincipalParents},
        {&AuditRow::principal_attributes, "{}", kNoPrincipalAttributes},
        {&AuditRow::resource_parents, "[]", kNoResourceParents},
        {&AuditRow::resource_attributes, "{}", kNoResourceAttributes},
        {&AuditRow::context, "{}", kNoContext},
        {&AuditRow::rules, "[]", 0},
        {&AuditRow::near_misses, "[]", 0},
        {&AuditRow::shadow_rules, "[]", 0},
        {&AuditRow::message, "", 0},
        {&AuditRow::obligations, "[]", 0},
        {&AuditRow::error, "", 0},
        {&AuditRow::clauses, "[]", 0},
        {&AuditRow::masked, "{}", 0},
    };
    for (const auto& text : texts) {
      const int at = column++;
      if ((flags & text.dropped) != 0) continue;
      absl::Status status = Fill(texts_, at, text.if_none, &(row.*text.text));
      if (!status.ok()) return status;
    }
    // Older formats know one time.
    if (row.time_fixed || !record_.IsNull(column)) {
      row.fixed_time = TimeText(record_.IsNull(column) ? row.unix_us : record_.Number(column));
    }
    for (const auto& [cache, text] :
         {std::pair(&processes_, &row.process), std::pair(&machines_, &row.machine)}) {
      if (absl::Status status = Find(*cache, row.writer, text); !status.ok()) return status;
    }
    return row;
  }

 private:
  struct Cache {
    Statement find;
    absl::flat_hash_map<int64_t, std::string> known;
    size_t bytes = 0;
  };

  static std::string TimeText(int64_t unix_us) {
    return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(unix_us),
                            absl::UTCTimeZone());
  }

  // What a column of the record refers to; `if_none` if it is NULL, or refers to nothing.
  absl::Status Fill(Cache& cache, int column, const char* if_none, std::string* text) {
    if (!record_.IsNull(column)) {
      if (absl::Status status = Find(cache, record_.Number(column), text); !status.ok()) {
        return status;
      }
    }
    if (text->empty()) *text = if_none;
    return absl::OkStatus();
  }

  static absl::Status Find(Cache& cache, int64_t id, std::string* text) {
    const auto known = cache.known.find(id);
    if (known != cache.known.end()) {
      *text = known->second;
      return absl::OkStatus();
    }
    cache.find.Reset();
    cache.find.Bind(1, id);
    absl::StatusOr<bool> found = cache.find.Step();
    if (!found.ok()) return found.status();
    if (*found) *text = std::string(cache.find.Text(0));
    // A page of large texts is not held twice.
    constexpr size_t kMaxBytes = 1 << 20;
    if ((cache.bytes += text->size()) > kMaxBytes) {
      cache.known.clear();
      cache.bytes = text->size();
    }
    cache.known.emplace(id, *text);
    return absl::OkStatus();
  }

  Statement record_;
  Cache names_, texts_, processes_, machines_;
};

// While it lives, the connection sees the file as of one moment.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database)
      : database_(database), status_(database.Run("BEGIN")) {}
  ~ReadTransaction() {
    if (status_.ok()) database_.Run("COMMIT").IgnoreError();
  }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  const absl::Status& status() const { return status_; }

 private:
  Database& database_;
  const absl::Status status_;
};

ListQuery::Order OrderOf(AuditQuery::Order order) {
  switch (order) {
    case AuditQuery::Order::kNewestFirst:
      return ListQuery::Order::kNewestFirst;
    case AuditQuery::Order::kOldestFirst:
      return ListQuery::Order::kOldestFirst;
    case AuditQuery::Order::kAsWritten:
      return ListQuery::Order::kByNumber;
  }
  return ListQuery::Order::kByNumber;
}

// Only what comes after the page before.
absl::Status AddAfter(Database& database, const AuditQuery& query, RecordFinder* finder) {
  if (query.after_number.has_value()) finder->AddAfterNumber(*query.after_number);
  if (!query.after.has_value()) return absl::OkStatus();
  const AuditCursor& after = *query.after;
  if (query.order != AuditQuery::Order::kAsWritten) {
    finder->AddAfter(OrderOf(query.order), {after.unix_us, after.writer, after.seq});
    return absl::OkStatus();
  }
  absl::StatusOr<Statement> same = Statement::Prepare(
      database, "SELECT 1 FROM records WHERE number = ? AND writer = ? AND seq = ?");
  if (!same.ok()) return same.status();
  same->Bind(1, after.number);
  same->Bind(2, after.writer);
  same->Bind(3, after.seq);
  absl::StatusOr<bool> found = same->Step();
  if (!found.ok()) return found.status();
  if (!*found) {
    return absl::FailedPreconditionError(absl::StrCat(
        database.name(), ": record ", after.seq, " of writer ", after.writer,
        " is not where the cursor says: rows were made anew or pruned since; begin without the "
        "cursor, from a time"));
  }
  finder->AddAfterNumber(after.number);
  return absl::OkStatus();
}

}  // namespace

std::string AuditCursor::ToString() const {
  return absl::StrCat(unix_us, ".", writer, ".", seq, ".", number);
}

std::optional<AuditCursor> AuditCursor::Parse(std::string_view text) {
  AuditCursor cursor;
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(text.data(), text.size()), '.');
  int64_t* const numbers[] = {&cursor.unix_us, &cursor.writer, &cursor.seq, &cursor.number};
  if (parts.size() != std::size(numbers)) return std::nullopt;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!absl::SimpleAtoi(parts[i], numbers[i])) return std::nullopt;
  }
  // One form for each, as it was written.
  if (cursor.ToString() != text) return std::nullopt;
  return cursor;
}

AuditReader::AuditReader(std::string path, std::unique_ptr<Database> database)
    : path_(std::move(path)), database_(std::move(database)) {}

AuditReader::~AuditReader() = default;

absl::StatusOr<std::unique_ptr<AuditReader>> AuditReader::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
  // What the newest records and their names lie on stays in memory from question to question.
  absl::Status status = (*database)->Run("PRAGMA cache_size = -65536");
  if (!status.ok()) return status;
  return std::unique_ptr<AuditReader>(new AuditReader(path, *std::move(database)));
}

absl::Status AuditReader::CatchUp() {
  absl::StatusOr<int64_t> behind = RecordsWithoutRows(*database_);
  if (behind.ok() && *behind > 0) {
    absl::StatusOr<std::unique_ptr<Database>> database =
        RowMaker::OpenDatabase(path_, database_->name());
    if (database.ok()) {
      absl::StatusOr<std::unique_ptr<RowMaker>> maker = RowMaker::Create(**database);
      // Whatever comes in between, the records that are not shown are counted.
      if (maker.ok()) {
        (*maker)->Run(std::chrono::steady_clock::now() + kCatchUp).status().IgnoreError();
      }
      behind = RecordsWithoutRows(*database_);
    }
  }
  if (!behind.ok()) return behind.status();
  behind_ = *behind;
  return absl::OkStatus();
}

// The numbers of the records that answer `query`, in its order.
absl::StatusOr<std::vector<int64_t>> AuditReader::Choose(const AuditQuery& query) {
  absl::StatusOr<RecordFinder> finder = RecordFinder::Create(*database_, query);
  if (!finder.ok()) return finder.status();
  if (absl::Status status = AddAfter(*database_, query, &*finder); !status.ok()) return status;
  return finder->First(OrderOf(query.order), query.limit);
}

absl::StatusOr<std::vector<AuditRow>> AuditReader::Query(const AuditQuery& query) {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  const ReadTransaction moment(*database_);
  if (!moment.status().ok()) return moment.status();
  absl::StatusOr<std::vector<int64_t>> numbers = Choose(query);
  if (!numbers.ok()) return numbers.status();
  absl::StatusOr<RowReader> reader = RowReader::Create(*database_);
  if (!reader.ok()) return reader.status();
  std::vector<AuditRow> rows;
  rows.reserve(numbers->size());
  for (const int64_t number : *numbers) {
    absl::StatusOr<std::optional<AuditRow>> row = reader->Read(number);
    if (!row.ok()) return row.status();
    if (row->has_value()) rows.push_back(**std::move(row));
  }
  return rows;
}

absl::StatusOr<int64_t> AuditReader::Count(const AuditFilter& filter) {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  const ReadTransaction moment(*database_);
  if (!moment.status().ok()) return moment.status();
  return CountRecords(*database_, filter);
}

absl::StatusOr<AuditStatistics> AuditReader::Statistics(const AuditFilter& filter,
                                                        const StatisticsOptions& options) {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  const ReadTransaction moment(*database_);
  if (!moment.status().ok()) return moment.status();
  return ComputeStatistics(*database_, filter, options);
}

absl::StatusOr<int64_t> AuditReader::LastNumber() {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  return database_->Number("SELECT coalesce(max(number), 0) FROM records");
}

}  // namespace reeve
