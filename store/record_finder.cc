#include "reeve/store/record_finder.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

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

// The milliseconds since 1970 that an id begins with (RFC 9562, version 7): those of the record's
// time.
int64_t MillisOf(std::string_view id) {
  int64_t millis = 0;
  for (int i = 0; i < 6; ++i) millis = millis << 8 | static_cast<unsigned char>(id[i]);
  return millis;
}

std::string OrderBy(ListQuery::Order order) {
  switch (order) {
    case ListQuery::Order::kNewestFirst:
      return " ORDER BY r.time DESC, r.writer DESC, r.seq DESC";
    case ListQuery::Order::kOldestFirst:
      return " ORDER BY r.time, r.writer, r.seq";
    case ListQuery::Order::kByNumber:
      return " ORDER BY r.number";
  }
  return {};
}

}  // namespace

int64_t CeilMicros(absl::Time time) {
  return absl::ToInt64Microseconds(absl::Ceil(time - absl::UnixEpoch(), absl::Microseconds(1)));
}

void RecordFinder::Add(const std::string& sql, int64_t value) {
  Add(sql);
  values_.push_back({Value::Kind::kNumber, value, {}});
}

void RecordFinder::AddText(const std::string& sql, std::string value) {
  Add(sql);
  values_.push_back({Value::Kind::kText, 0, std::move(value)});
}

// The names that lists are kept of, as their ids.
absl::Status RecordFinder::AddNames(const AuditFilter& filter) {
  // Names are valid UTF-8, and so hold no byte FF: this range is that of a prefix.
  absl::StatusOr<Statement> find =
      Statement::Prepare(*database_, "SELECT id FROM names WHERE name >= ? AND name <= ?");
  if (!find.ok()) return find.status();
  const struct {
    ListKind kind;
    const std::string& first;
    std::string last;
  } asked[] = {
      {ListKind::kPrincipal, filter.principal, filter.principal},
      {ListKind::kResource, filter.resource, filter.resource},
      {ListKind::kResource, filter.resource_prefix, filter.resource_prefix + "\xFF"},
      {ListKind::kRule, filter.rule, filter.rule},
  };
  for (const auto& name : asked) {
    if (name.first.empty()) continue;
    find->BindText(1, name.first);
    find->BindText(2, name.last);
    std::vector<int64_t> ids;
    while (true) {
      absl::StatusOr<bool> row = find->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ids.push_back(find->Number(0));
    }
    find->Reset();
    names_.push_back({name.kind, std::move(ids)});
  }
  return absl::OkStatus();
}

absl::StatusOr<RecordFinder> RecordFinder::Create(Database& database, const AuditFilter& filter) {
  RecordFinder finder(database);
  if (!filter.id.empty()) {
    std::string bytes = ParseUuid(filter.id);
    if (bytes.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(filter.id), "` is not the id of a decision; write a UUID"));
    }
    finder.id_millis_ = MillisOf(bytes);
    finder.Add("r.id = ?");
    finder.values_.push_back({Value::Kind::kBlob, 0, std::move(bytes)});
  }
  if (absl::Status status = finder.AddNames(filter); !status.ok()) return status;
  if (filter.since.has_value()) finder.AddMinTime(CeilMicros(*filter.since));
  if (filter.until.has_value()) {
    const int64_t end = CeilMicros(*filter.until);
    finder.AddMaxTime(end == std::numeric_limits<int64_t>::min() ? end : end - 1);
  }
  for (const auto& [column, name] :
       {std::pair("action", &filter.action), std::pair("actor", &filter.actor),
        std::pair("policy", &filter.policy), std::pair("via", &filter.via),
        std::pair("host", &filter.host)}) {
    if (name->empty()) continue;
    finder.AddText(absl::StrCat("r.", column, " = (SELECT id FROM names WHERE name = ?)"), *name);
  }
  // As in the condition of the partial index, which SQLite takes for no other.
  const bool denials = (filter.allowed.has_value() && !*filter.allowed) ||
                       (filter.reason.has_value() && *filter.reason != Reason::kAllowRule);
  if (denials) finder.Add("r.reason <> 1");
  if (filter.allowed.value_or(false)) finder.Add("r.reason = 1");
  if (filter.reason.has_value()) {
    finder.Add("r.reason = ?", static_cast<int64_t>(*filter.reason));
  }
  if (!filter.shadow_rule.empty()) {
    finder.AddText(
        "EXISTS(SELECT 1 FROM texts t, json_each(t.text) j "
        "WHERE t.id = r.shadow_rules AND j.value = ?)",
        filter.shadow_rule);
  }
  if (filter.assurance.has_value()) {
    finder.Add("r.assurance = ?", static_cast<int64_t>(*filter.assurance));
  }
  if (!filter.machine.empty()) {
    finder.AddText("r.writer IN (SELECT id FROM writers WHERE host = ?)", filter.machine);
  }
  if (filter.writer.has_value()) finder.Add("r.writer = ?", *filter.writer);
  if (filter.with_error) finder.Add("r.error IS NOT NULL");
  if (!filter.error.empty()) {
    finder.AddText("instr((SELECT text FROM texts WHERE id = r.error), ?) > 0", filter.error);
  }
  if (filter.min_latency.has_value()) {
    finder.Add("r.latency >= ?",
               absl::ToInt64Nanoseconds(absl::Ceil(*filter.min_latency, absl::Nanoseconds(1))));
  }
  return finder;
}

void RecordFinder::AddAfterNumber(int64_t number) {
  after_number_ = std::max(after_number_.value_or(number), number);
  Add("r.number > ?", number);
}

void RecordFinder::AddAfter(ListQuery::Order order, const RecordKey& key) {
  const bool newest_first = order == ListQuery::Order::kNewestFirst;
  newest_first ? AddMaxTime(key.time) : AddMinTime(key.time);
  Add(newest_first ? "(+r.time, r.writer, r.seq) < (?, ?, ?)"
                   : "(+r.time, r.writer, r.seq) > (?, ?, ?)",
      key.time);
  for (const int64_t value : {key.writer, key.seq}) {
    values_.push_back({Value::Kind::kNumber, value, {}});
  }
}

// The range of times, each condition with " AND " before it. Without `by_index` it is tested on
// each row: a `+` keeps the column out of the choice of an index.
std::string RecordFinder::Times(bool by_index) const {
  const char* const column = by_index ? "r.time" : "+r.time";
  std::string sql;
  if (min_time_.has_value()) absl::StrAppend(&sql, " AND ", column, " >= ", *min_time_);
  if (max_time_.has_value()) absl::StrAppend(&sql, " AND ", column, " <= ", *max_time_);
  return sql;
}

void RecordFinder::Bind(Statement& statement, int at) const {
  for (const Value& value : values_) {
    switch (value.kind) {
      case Value::Kind::kNumber:
        statement.Bind(at++, value.number);
        break;
      case Value::Kind::kText:
        statement.BindText(at++, value.text);
        break;
      case Value::Kind::kBlob:
        statement.BindBlob(at++, value.text);
        break;
    }
  }
}

// Reads `columns` of the record whose number is parameter 1, if it is meant.
absl::StatusOr<Statement> RecordFinder::PrepareListed(const std::string& columns) const {
  return Statement::Prepare(*database_,
                            absl::StrCat("SELECT ", columns,
                                         " FROM (SELECT ? AS number) n "
                                         "CROSS JOIN records r ON r.number = n.number WHERE 1",
                                         Times(false), where_));
}

ListQuery RecordFinder::ListQueryOf(ListQuery::Order order, size_t limit) const {
  ListQuery list;
  list.names = names_;
  list.order = order;
  list.limit = limit;
  list.min_time = min_time_;
  list.max_time = max_time_;
  list.min_number = after_number_;
  return list;
}

absl::StatusOr<std::vector<int64_t>> RecordFinder::First(ListQuery::Order order,
                                                         size_t limit) const {
  if (!names_.empty()) {
    absl::StatusOr<Statement> read = PrepareListed("r.time, r.writer, r.seq");
    if (!read.ok()) return read.status();
    return FindListed(*database_, ListQueryOf(order, limit),
                      [&](int64_t number) -> absl::StatusOr<std::optional<RecordKey>> {
                        read->Bind(1, number);
                        Bind(*read, 2);
                        absl::StatusOr<bool> row = read->Step();
                        std::optional<RecordKey> key;
                        if (row.ok() && *row) {
                          key = RecordKey{read->Number(0), read->Number(1), read->Number(2)};
                        }
                        read->Reset();
                        if (!row.ok()) return row.status();
                        return key;
                      });
  }
  const bool by_number = order == ListQuery::Order::kByNumber;
  std::vector<std::string> tried = {Times(!by_number)};
  if (by_number && min_time_.has_value()) {
    absl::StrAppend(&tried[0],
                    " AND r.number >= (SELECT min(number) FROM records WHERE time >= ", *min_time_,
                    ")");
  }
  // By the time in an id first. One that is not of version 7, or of a time that was clamped, is
  // looked for everywhere.
  if (id_millis_.has_value()) {
    tried.insert(tried.begin(), absl::StrCat(tried[0], " AND r.time >= ", *id_millis_ * 1000,
                                             " AND r.time < ", (*id_millis_ + 1) * 1000));
  }
  std::vector<int64_t> numbers;
  for (const std::string& times : tried) {
    absl::StatusOr<Statement> statement =
        Statement::Prepare(*database_, absl::StrCat("SELECT r.number FROM records r WHERE 1", times,
                                                    where_, OrderBy(order), " LIMIT ", limit));
    if (!statement.ok()) return statement.status();
    Bind(*statement, 1);
    while (true) {
      absl::StatusOr<bool> row = statement->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      numbers.push_back(statement->Number(0));
    }
    if (!numbers.empty()) break;
  }
  return numbers;
}

absl::Status RecordFinder::ForEach(const std::string& columns,
                                   const std::function<void(const Statement& row)>& row) const {
  if (!names_.empty()) {
    absl::StatusOr<Statement> read = PrepareListed(columns);
    if (!read.ok()) return read.status();
    // None is kept: the limit is never reached.
    return FindListed(*database_, ListQueryOf(ListQuery::Order::kByNumber, 1),
                      [&](int64_t number) -> absl::StatusOr<std::optional<RecordKey>> {
                        read->Bind(1, number);
                        Bind(*read, 2);
                        absl::StatusOr<bool> found = read->Step();
                        if (found.ok() && *found) row(*read);
                        read->Reset();
                        if (!found.ok()) return found.status();
                        return std::nullopt;
                      })
        .status();
  }
  absl::StatusOr<Statement> read = Statement::Prepare(
      *database_, absl::StrCat("SELECT ", columns, " FROM records r WHERE 1", Times(true), where_));
  if (!read.ok()) return read.status();
  Bind(*read, 1);
  while (true) {
    absl::StatusOr<bool> found = read->Step();
    if (!found.ok()) return found.status();
    if (!*found) return absl::OkStatus();
    row(*read);
  }
}

}  // namespace reeve
