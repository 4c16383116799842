#include "reeve/store/filter_sql.h"

#include <algorithm>
#include <utility>

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

Driver ChooseDriver(const AuditFilter& filter, Purpose purpose) {
  if (purpose == Purpose::kPageByNumber) return Driver::kNumber;
  if (!filter.id.empty()) return Driver::kId;
  if (!filter.resource.empty()) return Driver::kResource;
  if (!filter.principal.empty()) return Driver::kPrincipal;
  if (!filter.rule.empty()) return Driver::kRule;
  if (!filter.resource_prefix.empty()) return Driver::kResourcePrefix;
  const bool denials = (filter.allowed.has_value() && !*filter.allowed) ||
                       (filter.reason.has_value() && *filter.reason != Reason::kAllowRule);
  return denials ? Driver::kDenials : Driver::kTime;
}

}  // namespace

int64_t CeilMicros(absl::Time time) {
  return absl::ToInt64Microseconds(absl::Ceil(time - absl::UnixEpoch(), absl::Microseconds(1)));
}

std::string FilterSql::from() const {
  return driver_ == Driver::kRule
             ? " FROM rule_records x CROSS JOIN records r ON r.number = x.record"
             : " FROM records r";
}

// Only the column of the driver may be looked for in an index: SQLite, which knows nothing of the
// values, might choose another one. A `+` keeps a column out.
void FilterSql::AddName(Driver driver, const char* column, const std::string& name) {
  if (name.empty()) return;
  AddText(absl::StrCat(driver_ == driver ? "r." : "+r.", column,
                       " = (SELECT id FROM names WHERE name = ?)"),
          name);
}

absl::StatusOr<FilterSql> FilterSql::Create(const AuditFilter& filter, Purpose purpose) {
  FilterSql sql;
  sql.driver_ = ChooseDriver(filter, purpose);
  const Driver driver = sql.driver_;
  if (!filter.id.empty()) {
    std::string bytes = ParseUuid(filter.id);
    if (bytes.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("`", Printable(filter.id), "` is not the id of a decision; write a UUID"));
    }
    sql.Add(driver == Driver::kId ? "r.id = ?" : "+r.id = ?");
    sql.values_.push_back({0, std::move(bytes), Kind::kBlob});
  }
  // Where the driver is in order of time, a range of times is a part of its index.
  const bool by_time = driver != Driver::kNumber && driver != Driver::kId;
  const std::string time = absl::StrCat(by_time ? "" : "+", sql.time());
  if (filter.since.has_value()) {
    sql.Add(absl::StrCat(time, " >= ?"), CeilMicros(*filter.since));
    if (driver == Driver::kNumber) {
      sql.Add("r.number >= (SELECT min(number) FROM records WHERE time >= ?)",
              CeilMicros(*filter.since));
    }
  }
  if (filter.until.has_value()) sql.Add(absl::StrCat(time, " < ?"), CeilMicros(*filter.until));
  if (!filter.rule.empty()) {
    constexpr char kRule[] = "(SELECT id FROM names WHERE name = ?)";
    sql.AddText(driver == Driver::kRule
                    ? absl::StrCat("x.rule = ", kRule)
                    : absl::StrCat("EXISTS(SELECT 1 FROM rule_records y WHERE y.rule = ", kRule,
                                   " AND y.time = r.time AND y.record = r.number)"),
                filter.rule);
  }
  if (!filter.shadow_rule.empty()) {
    sql.AddText(
        "EXISTS(SELECT 1 FROM texts t, json_each(t.text) j "
        "WHERE t.id = r.shadow_rules AND j.value = ?)",
        filter.shadow_rule);
  }
  sql.AddName(Driver::kPrincipal, "principal", filter.principal);
  sql.AddName(Driver::kResource, "resource", filter.resource);
  for (const auto& [column, name] :
       {std::pair("action", &filter.action), std::pair("actor", &filter.actor),
        std::pair("policy", &filter.policy), std::pair("via", &filter.via),
        std::pair("host", &filter.host)}) {
    sql.AddName(Driver::kTime, column, *name);
  }
  if (!filter.resource_prefix.empty() &&
      (driver != Driver::kResourcePrefix || purpose == Purpose::kCount)) {
    // Names are valid UTF-8, and so hold no byte FF: this range is that of the prefix.
    sql.AddText(absl::StrCat(driver == Driver::kResourcePrefix ? "" : "+",
                             "r.resource IN (SELECT id FROM names WHERE name >= ? AND name < ?)"),
                filter.resource_prefix);
    sql.values_.push_back({0, filter.resource_prefix + "\xFF", Kind::kText});
  }
  // As in the condition of the partial index, which SQLite takes for no other.
  if (driver == Driver::kDenials) sql.Add("r.reason <> 1");
  if (filter.allowed.has_value() && driver != Driver::kDenials) {
    sql.Add(*filter.allowed ? "+r.reason = 1" : "+r.reason <> 1");
  }
  if (filter.allowed.has_value() && *filter.allowed && driver == Driver::kDenials) {
    sql.Add("+r.reason = 1");  // of a reason that denies: none
  }
  if (filter.reason.has_value()) {
    sql.Add("+r.reason = ?", static_cast<int64_t>(*filter.reason));
  }
  if (filter.assurance.has_value()) {
    sql.Add("r.assurance = ?", static_cast<int64_t>(*filter.assurance));
  }
  if (!filter.machine.empty()) {
    sql.AddText("r.writer IN (SELECT id FROM writers WHERE host = ?)", filter.machine);
  }
  if (filter.writer.has_value()) sql.Add("r.writer = ?", *filter.writer);
  if (filter.with_error) sql.Add("r.error IS NOT NULL");
  if (!filter.error.empty()) {
    sql.AddText("instr((SELECT text FROM texts WHERE id = r.error), ?) > 0", filter.error);
  }
  if (filter.min_latency.has_value()) {
    sql.Add("r.latency >= ?",
            absl::ToInt64Nanoseconds(absl::Ceil(*filter.min_latency, absl::Nanoseconds(1))));
  }
  return sql;
}

int FilterSql::Bind(Statement& statement) const {
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
  return at;
}

}  // namespace reeve
