#include "reeve/store/audit_reader.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/store/filter_sql.h"
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

// By time, then writer, then sequence number: the order of pages.
struct Place {
  int64_t time = 0, writer = 0, seq = 0, number = 0;

  bool operator<(const Place& other) const {
    return std::tie(time, writer, seq) < std::tie(other.time, other.writer, other.seq);
  }
};

Place PlaceOf(const Statement& row) {
  return {row.Number(0), row.Number(1), row.Number(2), row.Number(3)};
}

// `time` names the column of the time in the index.
std::string OrderBy(AuditQuery::Order order, const char* time) {
  switch (order) {
    case AuditQuery::Order::kNewestFirst:
      return absl::StrCat(" ORDER BY ", time, " DESC, r.writer DESC, r.seq DESC");
    case AuditQuery::Order::kOldestFirst:
      return absl::StrCat(" ORDER BY ", time, ", r.writer, r.seq");
    case AuditQuery::Order::kAsWritten:
      return " ORDER BY r.number";
  }
  return {};
}

// Adds the condition that a record comes after the page before.
absl::Status AddAfter(Database& database, const AuditQuery& query, FilterSql* sql) {
  if (query.after_number.has_value()) sql->Add("r.number > ?", *query.after_number);
  if (!query.after.has_value()) return absl::OkStatus();
  const AuditCursor& after = *query.after;
  if (query.order != AuditQuery::Order::kAsWritten) {
    const bool newest_first = query.order == AuditQuery::Order::kNewestFirst;
    const char* const time = sql->driver() == Driver::kId ? "+r.time" : sql->time();
    sql->Add(absl::StrCat(time, newest_first ? " <= ?" : " >= ?"), after.unix_us);
    sql->Add(newest_first ? "(+r.time, r.writer, r.seq) < (?, ?, ?)"
                          : "(+r.time, r.writer, r.seq) > (?, ?, ?)",
             after.unix_us);
    sql->Value(after.writer);
    sql->Value(after.seq);
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
  sql->Add("r.number > ?", after.number);
  return absl::OkStatus();
}

// How many resources are asked one after the other at once. If there are more, and so many of the
// newest records are on them that a page is full before kProbe are seen, that is quicker.
constexpr size_t kFewResources = 2000;
constexpr int64_t kProbe = 20000;

// Chooses the records of a prefix, in order of time: of each resource those that may be among the
// first ones, which becomes fewer the more are found. Sorting all, or reading all in order of time,
// would take as long as there are records.
class PrefixChooser {
 public:
  PrefixChooser(Database& database, const AuditQuery& query, FilterSql sql)
      : database_(database), query_(query), sql_(std::move(sql)) {}

  absl::StatusOr<std::vector<int64_t>> Choose() {
    if (absl::Status status = FindResources(); !status.ok()) return status;
    if (query_.limit == 0 || resources_.empty()) return std::vector<int64_t>();
    if (resources_.size() > kFewResources) {
      absl::StatusOr<bool> full = Probe();
      if (!full.ok()) return full.status();
      if (*full) return Numbers();
      best_.clear();
    }
    if (absl::Status status = Merge(); !status.ok()) return status;
    return Numbers();
  }

 private:
  bool newest_first() const { return query_.order == AuditQuery::Order::kNewestFirst; }

  // Whether `a` comes before `b` in the answer.
  bool Before(const Place& a, const Place& b) const { return newest_first() ? b < a : a < b; }

  absl::Status FindResources() {
    absl::StatusOr<Statement> find =
        Statement::Prepare(database_, "SELECT id FROM names WHERE name >= ? AND name < ?");
    if (!find.ok()) return find.status();
    const std::string end = query_.resource_prefix + "\xFF";
    find->BindText(1, query_.resource_prefix);
    find->BindText(2, end);
    while (true) {
      absl::StatusOr<bool> row = find->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      resources_.insert(find->Number(0));
    }
  }

  // Looks through the first records in order of time. Whether the page is full.
  absl::StatusOr<bool> Probe() {
    const std::string statement =
        absl::StrCat("SELECT r.time, r.writer, r.seq, r.number, r.resource", sql_.from(),
                     sql_.where(), OrderBy(query_.order, "r.time"), " LIMIT ", kProbe);
    absl::StatusOr<Statement> probe = Statement::Prepare(database_, statement);
    if (!probe.ok()) return probe.status();
    sql_.Bind(*probe);
    while (best_.size() < query_.limit) {
      absl::StatusOr<bool> row = probe->Step();
      if (!row.ok()) return row.status();
      if (!*row) return false;
      if (resources_.contains(probe->Number(4))) best_.push_back(PlaceOf(*probe));
    }
    return true;
  }

  absl::Status Merge() {
    FilterSql sql = sql_;
    sql.Add("r.resource = ?");
    sql.Add(newest_first() ? "r.time >= ?" : "r.time <= ?");
    absl::StatusOr<Statement> next = Statement::Prepare(
        database_, absl::StrCat("SELECT r.time, r.writer, r.seq, r.number", sql.from(), sql.where(),
                                OrderBy(query_.order, "r.time"), " LIMIT ", query_.limit));
    if (!next.ok()) return next.status();
    const auto before = [this](const Place& a, const Place& b) { return Before(a, b); };
    for (const int64_t resource : resources_) {
      const int at = sql_.Bind(*next);
      const bool full = best_.size() == query_.limit;
      next->Bind(at, resource);
      next->Bind(at + 1, full             ? best_.front().time
                         : newest_first() ? std::numeric_limits<int64_t>::min()
                                          : std::numeric_limits<int64_t>::max());
      while (true) {
        absl::StatusOr<bool> row = next->Step();
        if (!row.ok()) return row.status();
        if (!*row) break;
        const Place place = PlaceOf(*next);
        // `best_` is a heap with the last one of the page in front.
        if (best_.size() == query_.limit) {
          if (!before(place, best_.front())) break;
          std::pop_heap(best_.begin(), best_.end(), before);
          best_.pop_back();
        }
        best_.push_back(place);
        std::push_heap(best_.begin(), best_.end(), before);
      }
      next->Reset();
    }
    std::sort_heap(best_.begin(), best_.end(), before);
    return absl::OkStatus();
  }

  std::vector<int64_t> Numbers() const {
    std::vector<int64_t> numbers;
    numbers.reserve(best_.size());
    for (const Place& place : best_) numbers.push_back(place.number);
    return numbers;
  }

  Database& database_;
  const AuditQuery& query_;
  const FilterSql sql_;
  absl::flat_hash_set<int64_t> resources_;
  std::vector<Place> best_;
};

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
  absl::StatusOr<FilterSql> sql =
      FilterSql::Create(query, query.order == AuditQuery::Order::kAsWritten ? Purpose::kPageByNumber
                                                                            : Purpose::kPageByTime);
  if (!sql.ok()) return sql.status();
  if (absl::Status status = AddAfter(*database_, query, &*sql); !status.ok()) return status;
  if (sql->driver() == Driver::kResourcePrefix) {
    return PrefixChooser(*database_, query, *std::move(sql)).Choose();
  }
  const std::string text = absl::StrCat("SELECT r.number", sql->from(), sql->where(),
                                        OrderBy(query.order, sql->time()), " LIMIT ", query.limit);
  absl::StatusOr<Statement> statement = Statement::Prepare(*database_, text);
  if (!statement.ok()) return statement.status();
  sql->Bind(*statement);
  std::vector<int64_t> numbers;
  while (true) {
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return numbers;
    numbers.push_back(statement->Number(0));
  }
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
