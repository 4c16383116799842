#include "reeve/store/audit_reader.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/store/lists.h"
#include "reeve/store/record_finder.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/schema.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

// How long a question waits at most for rows to be made.
constexpr std::chrono::seconds kCatchUp(10);

// The columns that are read, in the order of ReadRow().
constexpr char kColumns[] =
    "d.id, d.time, d.decision, d.reason, d.principal, d.action, d.resource, d.rules, d.message, "
    "d.error, d.principal_assurance, d.via, d.host, d.actor, d.evidence, d.groups, "
    "d.principal_parents, d.principal_attributes, d.resource_parents, d.resource_attributes, "
    "d.context, d.near_misses, d.shadow_rules, d.clauses, d.obligations, d.policy, d.audit_level, "
    "d.process, "
    "d.machine, d.groups_complete, d.escaped, d.time_fixed, d.latency_ns, d.writer, d.seq, "
    "d.number, d.unix_us";

AuditRow ReadRow(const Statement& row) {
  AuditRow result;
  int column = 0;
  for (std::string AuditRow::*text : {&AuditRow::id,
                                      &AuditRow::time,
                                      &AuditRow::decision,
                                      &AuditRow::reason,
                                      &AuditRow::principal,
                                      &AuditRow::action,
                                      &AuditRow::resource,
                                      &AuditRow::rules,
                                      &AuditRow::message,
                                      &AuditRow::error,
                                      &AuditRow::principal_assurance,
                                      &AuditRow::via,
                                      &AuditRow::host,
                                      &AuditRow::actor,
                                      &AuditRow::evidence,
                                      &AuditRow::groups,
                                      &AuditRow::principal_parents,
                                      &AuditRow::principal_attributes,
                                      &AuditRow::resource_parents,
                                      &AuditRow::resource_attributes,
                                      &AuditRow::context,
                                      &AuditRow::near_misses,
                                      &AuditRow::shadow_rules,
                                      &AuditRow::clauses,
                                      &AuditRow::obligations,
                                      &AuditRow::policy,
                                      &AuditRow::audit_level,
                                      &AuditRow::process,
                                      &AuditRow::machine}) {
    result.*text = std::string(row.Text(column++));
  }
  for (bool AuditRow::*flag :
       {&AuditRow::groups_complete, &AuditRow::escaped, &AuditRow::time_fixed}) {
    result.*flag = row.Number(column++) != 0;
  }
  result.latency = absl::Nanoseconds(row.Number(column++));
  for (int64_t AuditRow::*number :
       {&AuditRow::writer, &AuditRow::seq, &AuditRow::number, &AuditRow::unix_us}) {
    result.*number = row.Number(column++);
  }
  return result;
}

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
  absl::StatusOr<Statement> statement = Statement::Prepare(
      *database_, absl::StrCat("SELECT ", kColumns, " FROM decisions d WHERE d.number = ?"));
  if (!statement.ok()) return statement.status();
  std::vector<AuditRow> rows;
  rows.reserve(numbers->size());
  for (const int64_t number : *numbers) {
    statement->Bind(1, number);
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (*row) rows.push_back(ReadRow(*statement));
    statement->Reset();
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
