#include "reeve/store/audit_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
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

// A condition on `records r` or `rule_records x` with the values that it binds, in order.
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

  void Bind(Statement& statement) const {
    int at = 1;
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
  if (!query.principal.empty()) {
    out->AddText("r.principal = (SELECT id FROM names WHERE name = ?)", query.principal);
  }
  if (!query.action.empty()) {
    out->AddText("r.action = (SELECT id FROM names WHERE name = ?)", query.action);
  }
  if (!query.resource.empty()) {
    out->AddText("r.resource = (SELECT id FROM names WHERE name = ?)", query.resource);
  }
  if (!query.resource_prefix.empty()) {
    // Names are valid UTF-8, and so hold no byte FF: this range is that of the prefix.
    out->AddText("r.resource IN (SELECT id FROM names WHERE name >= ? AND name < ?)",
                 query.resource_prefix);
    out->TextValue(query.resource_prefix + "\xFF");
  }
  if (query.allowed.has_value()) out->Add(*query.allowed ? "r.reason = 1" : "r.reason <> 1");
  if (query.reason.has_value()) out->Add("r.reason = ?", static_cast<int64_t>(*query.reason));
  if (!query.id.empty()) {
    const std::string bytes = ParseUuid(query.id);
    if (bytes.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(query.id), "` is not the id of a decision; write a UUID"));
    }
    out->AddBlob("r.id = ?", bytes);
  }
  if (!query.rule.empty()) {
    out->AddText("x.rule = (SELECT id FROM names WHERE name = ?)", query.rule);
    // The same conditions on the time, where the index of rules can use them.
    if (query.since.has_value()) out->Add("x.time >= ?", CeilMicros(*query.since));
    if (query.until.has_value()) out->Add("x.time < ?", CeilMicros(*query.until));
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

// `time` names the column of the time in an index; the rest are columns of `table`.
std::string OrderBy(const AuditQuery& query, const char* time, const char* table) {
  switch (query.order) {
    case AuditQuery::Order::kNewestFirst:
      return absl::StrCat(" ORDER BY ", time, " DESC, ", table, ".writer DESC, ", table,
                          ".seq DESC");
    case AuditQuery::Order::kOldestFirst:
      return absl::StrCat(" ORDER BY ", time, ", ", table, ".writer, ", table, ".seq");
    case AuditQuery::Order::kAsWritten:
      return absl::StrCat(" ORDER BY ", table, ".number");
  }
  return {};
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

absl::StatusOr<std::vector<AuditRow>> AuditReader::Query(const AuditQuery& query) {
  Conditions conditions;
  if (absl::Status status = FillIn(query, &conditions); !status.ok()) return status;
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  // The rows are chosen by their numbers, and only then made readable. Two joins are CROSS: as
  // written is the fast way.
  const std::string sql = absl::StrCat(
      "SELECT ", kColumns, " FROM (SELECT r.number AS number FROM ",
      query.rule.empty() ? "records r"
                         : "rule_records x CROSS JOIN records r ON r.number = x.record",
      conditions.where(), OrderBy(query, query.rule.empty() ? "r.time" : "x.time", "r"), " LIMIT ",
      query.limit, ") q CROSS JOIN decisions d ON d.number = q.number",
      OrderBy(query, "d.unix_us", "d"));
  absl::StatusOr<Statement> statement = Statement::Prepare(*database_, sql);
  if (!statement.ok()) return statement.status();
  conditions.Bind(*statement);
  std::vector<AuditRow> rows;
  while (true) {
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return rows;
    rows.push_back(ReadRow(*statement));
  }
}

absl::StatusOr<int64_t> AuditReader::LastNumber() {
  if (absl::Status status = CatchUp(); !status.ok()) return status;
  return database_->Number("SELECT coalesce(max(number), 0) FROM records");
}

}  // namespace reeve
