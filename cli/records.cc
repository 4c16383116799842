#include "reeve/cli/records.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"

namespace reeve {
namespace {

template <std::string AuditRow::*kField>
Cell TextCell(const AuditRow& row) {
  return Cell::Text(row.*kField);
}

template <std::string AuditRow::*kField>
Cell JsonCell(const AuditRow& row) {
  return Cell::Json(row.*kField);
}

template <int64_t AuditRow::*kField>
Cell NumberCell(const AuditRow& row) {
  return Cell::Json(absl::StrCat(row.*kField));
}

template <bool AuditRow::*kField>
Cell FlagCell(const AuditRow& row) {
  return Cell::Json(row.*kField ? "true" : "false");
}

// `["a","b"]` as `a, b`.
std::string ListOf(const std::string& json) {
  std::string text;
  for (const auto& item : nlohmann::json::parse(json, nullptr, false)) {
    if (item.is_string()) absl::StrAppend(&text, text.empty() ? "" : ", ", item.get<std::string>());
  }
  return text;
}

// `2026-11-21T08:26:51.479604Z` to the millisecond, or as `11-21 08:26:51`.
std::string ShortTime(const std::string& time, bool narrow) {
  if (time.size() < 23) return time;
  return narrow ? absl::StrCat(time.substr(5, 5), " ", time.substr(11, 8))
                : absl::StrCat(time.substr(0, 23), "Z");
}

}  // namespace

const std::vector<RecordColumn>& RecordColumns() {
  static const auto* const columns = new std::vector<RecordColumn>{
      {"id", TextCell<&AuditRow::id>},
      {"time", TextCell<&AuditRow::time>},
      {"decision", TextCell<&AuditRow::decision>},
      {"reason", TextCell<&AuditRow::reason>},
      {"principal", TextCell<&AuditRow::principal>},
      {"action", TextCell<&AuditRow::action>},
      {"resource", TextCell<&AuditRow::resource>},
      {"rules", JsonCell<&AuditRow::rules>},
      {"message", TextCell<&AuditRow::message>},
      {"obligations", JsonCell<&AuditRow::obligations>},
      {"error", TextCell<&AuditRow::error>},
      {"near_misses", JsonCell<&AuditRow::near_misses>},
      {"shadow_rules", JsonCell<&AuditRow::shadow_rules>},
      {"clauses", JsonCell<&AuditRow::clauses>},
      {"principal_assurance", TextCell<&AuditRow::principal_assurance>},
      {"via", TextCell<&AuditRow::via>},
      {"host", TextCell<&AuditRow::host>},
      {"actor", TextCell<&AuditRow::actor>},
      {"evidence", TextCell<&AuditRow::evidence>},
      {"groups", JsonCell<&AuditRow::groups>},
      {"groups_complete", FlagCell<&AuditRow::groups_complete>},
      {"principal_parents", JsonCell<&AuditRow::principal_parents>},
      {"principal_attributes", JsonCell<&AuditRow::principal_attributes>},
      {"resource_parents", JsonCell<&AuditRow::resource_parents>},
      {"resource_attributes", JsonCell<&AuditRow::resource_attributes>},
      {"context", JsonCell<&AuditRow::context>},
      {"policy", TextCell<&AuditRow::policy>},
      {"audit_level", TextCell<&AuditRow::audit_level>},
      {"latency_ns",
       [](const AuditRow& row) {
         return Cell::Json(absl::StrCat(absl::ToInt64Nanoseconds(row.latency)));
       }},
      {"escaped", FlagCell<&AuditRow::escaped>},
      {"time_fixed", FlagCell<&AuditRow::time_fixed>},
      {"fixed_time",
       [](const AuditRow& row) {
         return row.fixed_time.empty() ? Cell::Json("null") : Cell::Text(row.fixed_time);
       }},
      {"masked", JsonCell<&AuditRow::masked>},
      {"principal_complete", FlagCell<&AuditRow::principal_complete>},
      {"resource_complete", FlagCell<&AuditRow::resource_complete>},
      {"process", TextCell<&AuditRow::process>},
      {"machine", TextCell<&AuditRow::machine>},
      {"writer", NumberCell<&AuditRow::writer>},
      {"seq", NumberCell<&AuditRow::seq>},
      {"number", NumberCell<&AuditRow::number>},
      {"unix_us", NumberCell<&AuditRow::unix_us>},
  };
  return *columns;
}

std::optional<std::vector<RecordColumn>> FindColumns(std::string_view words, std::string* error) {
  std::vector<RecordColumn> found;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(words.data(), words.size()), ',')) {
    const std::string word(part);
    const auto named = [&word](const RecordColumn& column) { return word == column.name; };
    const auto& all = RecordColumns();
    const auto column = std::find_if(all.begin(), all.end(), named);
    if (column == all.end()) {
      std::vector<std::string_view> names;
      for (const RecordColumn& other : all) names.push_back(other.name);
      *error = absl::StrCat("`", Printable(word), "` is not a column", DidYouMean(word, names),
                            "; see doc/audit-format.md");
      return std::nullopt;
    }
    if (std::any_of(found.begin(), found.end(), named)) {
      *error = absl::StrCat("the column `", word, "` stands twice");
      return std::nullopt;
    }
    found.push_back(*column);
  }
  return found;
}

std::string JsonString(std::string_view text) { return JsonText(nlohmann::json(text)); }

std::string JsonNumber(double number) { return JsonText(nlohmann::json(number)); }

std::string JsonObject(const std::vector<std::string>& names, const std::vector<Cell>& row) {
  std::string json = "{";
  for (size_t i = 0; i < row.size(); ++i) {
    absl::StrAppend(&json, i == 0 ? "" : ",", JsonString(names[i]), ":");
    switch (row[i].kind) {
      case Cell::Kind::kNull:
        json += "null";
        break;
      case Cell::Kind::kText:
        json += JsonString(row[i].text);
        break;
      case Cell::Kind::kJson:
        json += row[i].text;
        break;
    }
  }
  return json + "}";
}

std::string CsvLine(const std::vector<Cell>& row) {
  std::string line;
  for (const Cell& cell : row) {
    if (&cell != &row.front()) line += ',';
    std::string text = Printable(cell.text, std::string::npos);
    constexpr std::string_view kFormula = "=+-@";
    if (cell.kind == Cell::Kind::kText && !text.empty() &&
        kFormula.find(text[0]) != std::string_view::npos) {
      text.insert(0, "'");
    }
    if (text.find_first_of(",\"") == std::string::npos) {
      line += text;
      continue;
    }
    line += '"';
    for (const char c : text) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\r\n";
}

RecordPrinter::RecordPrinter(std::FILE* out, RecordFormat format, const char* list,
                             std::vector<std::string> names, size_t whole)
    : out_(out), format_(format), list_(list), names_(std::move(names)), table_(names_, whole) {
  if (format_ == RecordFormat::kJson) std::fprintf(out_, "{\"%s\":[", list_);
  if (format_ != RecordFormat::kCsv) return;
  std::vector<Cell> head;
  for (const std::string& name : names_) head.push_back(Cell::Text(name));
  std::fputs(CsvLine(head).c_str(), out_);
}

void RecordPrinter::Print(const std::vector<Cell>& row) {
  switch (format_) {
    case RecordFormat::kText: {
      std::vector<std::string> cells;
      for (const Cell& cell : row) cells.push_back(cell.text);
      table_.AddRow(cells);
      break;
    }
    case RecordFormat::kJson:
      std::fprintf(out_, "%s\n%s", rows_ == 0 ? "" : ",", JsonObject(names_, row).c_str());
      break;
    case RecordFormat::kJsonl:
      std::fprintf(out_, "%s\n", JsonObject(names_, row).c_str());
      break;
    case RecordFormat::kCsv:
      std::fputs(CsvLine(row).c_str(), out_);
      break;
  }
  ++rows_;
}

void RecordPrinter::Finish(std::string_view more) {
  if (format_ == RecordFormat::kText && rows_ > 0) {
    std::fputs(table_.ToString(TerminalWidth()).c_str(), out_);
  }
  if (format_ == RecordFormat::kJson) {
    std::fprintf(out_, "\n]%s}\n", std::string(more).c_str());
  }
}

std::vector<std::string> SummaryNames(bool narrow) {
  std::vector<std::string> names = {"time",   "decision", "reason", "principal",
                                    "action", "resource", "rules"};
  if (narrow) names.erase(names.begin() + 2);
  return names;
}

std::vector<Cell> SummaryOf(const AuditRow& row, bool narrow) {
  std::vector<Cell> cells = {Cell::Text(ShortTime(row.time, narrow)),
                             Cell::Text(row.decision),
                             Cell::Text(row.reason),
                             Cell::Text(row.principal),
                             Cell::Text(row.action),
                             Cell::Text(row.resource == ":" ? "" : row.resource),
                             Cell::Text(row.error.empty() ? ListOf(row.rules) : row.error)};
  if (narrow) cells.erase(cells.begin() + 2);
  return cells;
}

bool IsNarrow() {
  constexpr size_t kWide = 110;
  const size_t width = TerminalWidth();
  return width > 0 && width < kWide;
}

std::vector<Cell> CellsOf(const AuditRow& row, const std::vector<RecordColumn>& columns) {
  std::vector<Cell> cells;
  cells.reserve(columns.size());
  for (const RecordColumn& column : columns) cells.push_back(column.cell(row));
  return cells;
}

}  // namespace reeve
