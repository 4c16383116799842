#include "reeve/store/audit_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
#include "reeve/store/lists.h"
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

// A UUID as text to its 16 bytes. Empty if it is none.
std::string ParseUuid(std::string_view text) {
  std::string digits(text);
  if (digits.size() != 36) return {};
  for (size_t dash : {23, 18, 13, 8}) {
    if (digits[dash] != '-') return {};
    digits.erase(dash, 1);
  }
  if (!std::all_of(digits.begin(), digits.end(),
                   [](unsigned char c) { return absl::ascii_isxdigit(c); })) {
    return {};
  }
  return absl::HexStringToBytes(digits);
}

// Microseconds since 1970, rounded up: the first ones that are not before `time`.
int64_t CeilMicros(absl::Time time) {
  return absl::ToInt64Microseconds(absl::Ceil(time - absl::UnixEpoch(), absl::Microseconds(1)));
}

// A condition on `records r` with the values that it binds, in order.
class Conditions {
 public:
  void Add(std::string sql) { absl::StrAppend(&where_, where_.empty() ? " WHERE " : " AND ", sql); }
  void Add(std::string sql, int64_t value) {
    Add(std::move(sql));
    values_.push_back({value, {}, Kind::kNumber});
  }
  void AddText(std::string sql, std::string value) {
    Add(std::move(sql));
    values_.push_back({0, std::move(value), Kind::kText});
  }
  void AddBlob(std::string sql, std::string value) {
    Add(std::move(sql));
    values_.push_back({0, std::move(value), Kind::kBlob});
  }
  void Value(int64_t value) { values_.push_back({value, {}, Kind::kNumber}); }
  void TextValue(std::string value) { values_.push_back({0, std::move(value), Kind::kText}); }

  const std::string& where() const { return where_; }

  // From parameter `at` on.
  void Bind(Statement& statement, int at = 1) const {
    for (const Bound& value : values_) {
      switch (value.kind) {
        case Kind::kNumber:
          statement.Bind(at++, value.number);
          break;
        case Kind::kText:
          statement.BindText(at++, value.text);
          break;
        case Kind::kBlob:
          statement.BindBlob(at++, value.text);
          break;
      }
    }
  }

 private:
  enum class Kind { kNumber, kText, kBlob };
  struct Bound {
    int64_t number;
    std::string text;
    Kind kind;
  };

  std::string where_;
  std::vector<Bound> values_;
};

absl::Status FillIn(const AuditQuery& query, Conditions* out) {
  const bool newest_first = query.order == AuditQuery::Order::kNewestFirst;
  if (query.since.has_value()) out->Add("r.time >= ?", CeilMicros(*query.since));
  if (query.until.has_value()) out->Add("r.time < ?", CeilMicros(*query.until));
  if (!query.action.empty()) {
    out->AddText("r.action = (SELECT id FROM names WHERE name = ?)", query.action);
  }
  if (query.allowed.has_value()) out->Add(*query.allowed ? "r.reason = 1" : "r.reason <> 1");
  if (query.reason.has_value()) out->Add("r.reason = ?", static_cast<int64_t>(*query.reason));
  if (!query.id.empty()) {
    const std::string bytes = ParseUuid(query.id);
    if (bytes.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(query.id), "` is not the id of a decision; write a UUID"));
    }
    out->AddBlob("+r.id = ?", bytes);
  }
  if (query.after.has_value()) {
    if (query.order == AuditQuery::Order::kAsWritten) {
      return absl::InvalidArgumentError(
          "a cursor needs an order by time; use `after_number` for the order of writing");
    }
    const AuditCursor& after = *query.after;
    out->Add(newest_first ? "r.time <= ?" : "r.time >= ?", after.unix_us);
    out->Add(newest_first ? "(r.time, r.writer, r.seq) < (?, ?, ?)"
                          : "(r.time, r.writer, r.seq) > (?, ?, ?)",
             after.unix_us);
    out->Value(after.writer);
    out->Value(after.seq);
  }
  if (query.after_number.has_value()) out->Add("r.number > ?", *query.after_number);
  return absl::OkStatus();
}

std::string OrderBy(const AuditQuery& query) {
  switch (query.order) {
    case AuditQuery::Order::kNewestFirst:
      return " ORDER BY r.time DESC, r.writer DESC, r.seq DESC";
    case AuditQuery::Order::kOldestFirst:
      return " ORDER BY r.time, r.writer, r.seq";
    case AuditQuery::Order::kAsWritten:
      return " ORDER BY r.number";
  }
  return {};
}

// All of the first column of `statement`.
absl::StatusOr<std::vector<int64_t>> AllNumbers(Statement& statement) {
  std::vector<int64_t> numbers;
  while (true) {
    absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return numbers;
    numbers.push_back(statement.Number(0));
  }
}

// The names that `query` asks for, as their ids. Empty if it asks for none.
absl::StatusOr<std::vector<ListQuery::Names>> NamesOf(Database& database, const AuditQuery& query) {
  // Names are valid UTF-8, and so hold no byte FF: this range is that of a prefix.
  absl::StatusOr<Statement> find =
      Statement::Prepare(database, "SELECT id FROM names WHERE name >= ? AND name <= ?");
  if (!find.ok()) return find.status();
  std::vector<ListQuery::Names> all;
  const struct {
    ListKind kind;
    const std::string& first;
    std::string last;
  } asked[] = {
      {ListKind::kPrincipal, query.principal, query.principal},
      {ListKind::kResource, query.resource, query.resource},
      {ListKind::kResource, query.resource_prefix, query.resource_prefix + "\xFF"},
      {ListKind::kRule, query.rule, query.rule},
  };
  for (const auto& name : asked) {
    if (name.first.empty()) continue;
    find->BindText(1, name.first);
    find->BindText(2, name.last);
    absl::StatusOr<std::vector<int64_t>> ids = AllNumbers(*find);
    if (!ids.ok()) return ids.status();
    all.push_back({name.kind, *std::move(ids)});
    find->Reset();
  }
  return all;
}

// The milliseconds since 1970 that an id begins with (RFC 9562, version 7): those of the record's
// time.
int64_t MillisOf(std::string_view id) {
  int64_t millis = 0;
  for (int i = 0; i < 6; ++i) millis = millis << 8 | static_cast<unsigned char>(id[i]);
  return millis;
}

}  // namespace

AuditReader::AuditReader(std::string path, std::unique_ptr<Database> database)
    : path_(std::move(path)), database_(std::move(database)) {}

AuditReader::~AuditReader() = default;

absl::StatusOr<std::unique_ptr<AuditReader>> AuditReader::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
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
  Conditions conditions;
  if (absl::Status status = FillIn(query, &conditions); !status.ok()) return status;
  absl::StatusOr<std::vector<ListQuery::Names>> names = NamesOf(*database_, query);
  if (!names.ok()) return names.status();
  if (names->empty()) {
    // By the time in an id first. One that is not of version 7, or of a time that was clamped, is
    // looked for everywhere.
    Conditions near = conditions;
    if (!query.id.empty()) {
      const int64_t millis = MillisOf(ParseUuid(query.id));
      near.Add("r.time >= ?", millis * 1000);
      near.Add("r.time < ?", (millis + 1) * 1000);
    }
    for (const Conditions* tried : {&near, &conditions}) {
      absl::StatusOr<Statement> statement = Statement::Prepare(
          *database_, absl::StrCat("SELECT r.number FROM records r", tried->where(), OrderBy(query),
                                   " LIMIT ", query.limit));
      if (!statement.ok()) return statement.status();
      tried->Bind(*statement);
      absl::StatusOr<std::vector<int64_t>> numbers = AllNumbers(*statement);
      if (query.id.empty() || !numbers.ok() || !numbers->empty()) return numbers;
    }
    return std::vector<int64_t>();
  }

  absl::StatusOr<Statement> read = Statement::Prepare(
      *database_, absl::StrCat("SELECT r.time, r.writer, r.seq FROM (SELECT ? AS number) n "
                               "CROSS JOIN records r ON r.number = n.number",
                               conditions.where()));
  if (!read.ok()) return read.status();
  ListQuery list;
  list.names = *std::move(names);
  list.limit = query.limit;
  list.min_number = query.after_number;
  if (query.since.has_value()) list.min_time = CeilMicros(*query.since);
  if (query.until.has_value()) list.max_time = CeilMicros(*query.until);
  switch (query.order) {
    case AuditQuery::Order::kNewestFirst:
      list.order = ListQuery::Order::kNewestFirst;
      if (query.after.has_value()) list.max_time = query.after->unix_us;
      break;
    case AuditQuery::Order::kOldestFirst:
      list.order = ListQuery::Order::kOldestFirst;
      if (query.after.has_value()) list.min_time = query.after->unix_us;
      break;
    case AuditQuery::Order::kAsWritten:
      list.order = ListQuery::Order::kByNumber;
      break;
  }
  return FindListed(*database_, list,
                    [&](int64_t number) -> absl::StatusOr<std::optional<RecordKey>> {
                      read->Bind(1, number);
                      conditions.Bind(*read, 2);
                      absl::StatusOr<bool> row = read->Step();
                      std::optional<RecordKey> key;
                      if (row.ok() && *row)
                        key = RecordKey{read->Number(0), read->Number(1), read->Number(2)};
                      read->Reset();
                      if (!row.ok()) return row.status();
                      return key;
                    });
}

absl::StatusOr<std::vector<AuditRow>> AuditReader::Query(const AuditQuery& query) {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  absl::StatusOr<std::vector<int64_t>> numbers = Choose(query);
  if (!numbers.ok()) return numbers.status();
  absl::StatusOr<Statement> read = Statement::Prepare(
      *database_, absl::StrCat("SELECT ", kColumns, " FROM decisions d WHERE d.number = ?"));
  if (!read.ok()) return read.status();
  std::vector<AuditRow> rows;
  rows.reserve(numbers->size());
  for (const int64_t number : *numbers) {
    read->Bind(1, number);
    absl::StatusOr<bool> row = read->Step();
    if (!row.ok()) return row.status();
    if (*row) rows.push_back(ReadRow(*read));
    read->Reset();
  }
  return rows;
}

absl::StatusOr<int64_t> AuditReader::LastNumber() {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  return database_->Number("SELECT coalesce(max(number), 0) FROM records");
}

}  // namespace reeve
