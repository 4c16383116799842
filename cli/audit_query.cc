// `reeve audit query|tail`: shows records.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/cli/records.h"
#include "reeve/engine/text.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/sql_guard.h"

namespace reeve {
namespace {

constexpr size_t kPage = 1000;

struct Options {
  std::string db;
  FilterOptions filter;
  std::string after;
  std::string columns;
  std::string sql;
  std::string timeout = "30s";
  size_t limit = 100;
  bool oldest_first = false;
  bool count = false;
  bool fail_if_none = false;
  bool follow = false;
  RecordFormat format = RecordFormat::kText;
};

// What is shown of a record, and how.
class View {
 public:
  // Nothing, having said why, if a word is not understood.
  static std::optional<View> Of(const Options& options) {
    View view;
    view.format_ = options.format;
    if (options.columns.empty()) {
      view.columns_ = RecordColumns();
      view.summary_ = options.format == RecordFormat::kText;
      return view;
    }
    std::string error;
    std::optional<std::vector<RecordColumn>> columns = FindColumns(options.columns, &error);
    if (!columns.has_value()) {
      Refuse(error);
      return std::nullopt;
    }
    view.columns_ = *std::move(columns);
    return view;
  }

  RecordPrinter Printer() const {
    std::vector<std::string> names;
    for (const RecordColumn& column : columns_) names.push_back(column.name);
    return RecordPrinter(stdout, format_, "records", summary_ ? SummaryNames(narrow_) : names,
                         summary_ ? (narrow_ ? 2 : 3) : 0);
  }
  std::vector<Cell> Cells(const AuditRow& row) const {
    return summary_ ? SummaryOf(row, narrow_) : CellsOf(row, columns_);
  }
  // A record by itself, after the first ones.
  void PrintAlone(const AuditRow& row) const {
    std::vector<std::string> names, texts;
    for (const RecordColumn& column : columns_) names.push_back(column.name);
    const std::vector<Cell> cells = Cells(row);
    for (const Cell& cell : cells) texts.push_back(cell.text);
    const std::string line = format_ == RecordFormat::kText  ? Table(texts).ToString(0)
                             : format_ == RecordFormat::kCsv ? CsvLine(cells)
                                                             : JsonObject(names, cells) + "\n";
    std::fputs(line.c_str(), stdout);
  }

 private:
  RecordFormat format_ = RecordFormat::kText;
  bool summary_ = false;
  bool narrow_ = IsNarrow();
  std::vector<RecordColumn> columns_;
};

int Count(AuditReader& reader, const Options& options, const AuditFilter& filter) {
  const absl::StatusOr<int64_t> count = reader.Count(filter);
  if (!count.ok()) return FailOfAudit(options.db, count.status());
  SayIfBehind(reader);
  const char* const form = options.format == RecordFormat::kText  ? "%lld\n"
                           : options.format == RecordFormat::kCsv ? "count\r\n%lld\r\n"
                                                                  : "{\"count\":%lld}\n";
  std::printf(form, static_cast<long long>(*count));
  return options.fail_if_none && *count == 0 ? kNo : kYes;
}

int Show(AuditReader& reader, const Options& options, AuditQuery query, const View& view) {
  RecordPrinter printer = view.Printer();
  size_t shown = 0;
  std::optional<AuditCursor> next;
  while (true) {
    // One more tells whether there are more.
    query.limit = std::min(kPage, options.limit - shown + 1);
    absl::StatusOr<std::vector<AuditRow>> rows = reader.Query(query);
    if (!rows.ok()) return FailOfAudit(options.db, rows.status());
    const bool last = rows->size() < query.limit;
    const size_t room = options.limit - shown;
    if (rows->size() > room) {
      rows->resize(room);
      next = AuditCursor(rows->back());
    }
    for (const AuditRow& row : *rows) printer.Print(view.Cells(row));
    shown += rows->size();
    if (last || next.has_value() || !FlushOutput()) break;
    query.after = AuditCursor(rows->back());
  }
  printer.Finish(
      absl::StrCat(",\"next\":", next.has_value() ? JsonString(next->ToString()) : "null"));
  SayIfBehind(reader);
  if (next.has_value() && options.format != RecordFormat::kJson) {
    std::fprintf(stderr, "%zu records shown; the next ones: --after %s\n", shown,
                 next->ToString().c_str());
  }
  if (shown == 0 && options.format == RecordFormat::kText) {
    std::fputs("no record matches\n", stderr);
  }
  return options.fail_if_none && shown == 0 ? kNo : kYes;
}

Cell CellOf(const SqlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return Cell::Json(absl::StrCat(*number));
  if (const auto* real = std::get_if<double>(&value)) return Cell::Json(JsonNumber(*real));
  if (const auto* text = std::get_if<std::string>(&value)) return Cell::Text(*text);
  if (const auto* blob = std::get_if<SqlBlob>(&value)) {
    return Cell::Text(absl::BytesToHexString(blob->bytes));
  }
  return Cell();
}

int Ask(AuditReader& reader, const Options& options) {
  SqlLimits limits;
  limits.max_rows = options.limit;
  if (!absl::ParseDuration(options.timeout, &limits.timeout) ||
      limits.timeout <= absl::ZeroDuration()) {
    return Refuse(absl::StrCat("`", Printable(options.timeout),
                               "` is not a time to wait; write `500ms`, `30s` or `10m`"));
  }
  if (absl::Status status = reader.CatchUp(); !status.ok()) return FailOfAudit(options.db, status);
  SayIfBehind(reader);
  absl::StatusOr<std::unique_ptr<SqlGuard>> guard = SqlGuard::Open(options.db);
  if (!guard.ok()) return FailOfAudit(options.db, guard.status());
  std::unique_ptr<RecordPrinter> printer;
  std::string twice;
  const auto columns = [&](const std::vector<std::string>& names) {
    std::vector<std::string> sorted = names;
    std::sort(sorted.begin(), sorted.end());
    const auto same = std::adjacent_find(sorted.begin(), sorted.end());
    if (same != sorted.end() &&
        (options.format == RecordFormat::kJson || options.format == RecordFormat::kJsonl)) {
      twice = *same;
      return;
    }
    printer = std::make_unique<RecordPrinter>(stdout, options.format, "rows", names);
  };
  const auto row = [&](const std::vector<SqlValue>& values) {
    if (printer == nullptr) return false;
    std::vector<Cell> cells;
    cells.reserve(values.size());
    for (const SqlValue& value : values) cells.push_back(CellOf(value));
    printer->Print(cells);
    return std::ferror(stdout) == 0;
  };
  const absl::StatusOr<SqlGuard::Answer> answer = (*guard)->Run(options.sql, limits, columns, row);
  if (!twice.empty()) {
    return Refuse(
        absl::StrCat("two columns are called `", Printable(twice), "`; give them names with AS"));
  }
  if (!answer.ok()) return FailOfAudit(options.db, answer.status());
  printer->Finish(absl::StrCat(",\"more\":", answer->more ? "true" : "false"));
  if (answer->more && options.format != RecordFormat::kJson) {
    std::fprintf(stderr, "%zu rows shown; there are more, see --limit\n", answer->rows);
  }
  return options.fail_if_none && answer->rows == 0 ? kNo : kYes;
}

int Query(const Options& options) {
  AuditQuery query;
  const std::optional<AuditFilter> filter = FilterOf(options.filter);
  if (!filter.has_value()) return kBadCall;
  static_cast<AuditFilter&>(query) = *filter;
  if (options.oldest_first) query.order = AuditQuery::Order::kOldestFirst;
  if (!options.after.empty()) {
    query.after = AuditCursor::Parse(options.after);
    if (!query.after.has_value()) {
      return Refuse(absl::StrCat("`", Printable(options.after),
                                 "` is not a cursor; write what followed `--after` or `next`"));
    }
  }
  const std::optional<View> view = View::Of(options);
  if (!view.has_value()) return kBadCall;
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = OpenAudit(options.db, &status);
  if (reader == nullptr) return status;
  if (!options.sql.empty()) return Ask(*reader, options);
  if (options.count) return Count(*reader, options, query);
  return Show(*reader, options, query, *view);
}

// Prints what is written after the row of this number, until it fails or is interrupted.
int Follow(AuditReader& reader, const std::string& db, AuditQuery query, int64_t after,
           const View& view) {
  query.order = AuditQuery::Order::kAsWritten;
  query.after_number = after;
  query.limit = kPage;
  while (FlushOutput()) {
    const absl::StatusOr<std::vector<AuditRow>> rows = reader.Query(query);
    if (!rows.ok()) return FailOfAudit(db, rows.status());
    for (const AuditRow& row : *rows) {
      view.PrintAlone(row);
      query.after_number = row.number;
    }
    constexpr auto kBetweenLooks = std::chrono::milliseconds(200);
    if (FlushOutput() && rows->size() < kPage) std::this_thread::sleep_for(kBetweenLooks);
  }
  return kFailure;
}

int Tail(Options options) {
  AuditQuery query;
  const std::optional<AuditFilter> filter = FilterOf(options.filter);
  if (!filter.has_value()) return kBadCall;
  static_cast<AuditFilter&>(query) = *filter;
  query.limit = options.limit;
  // What may have no end is no document.
  if (options.format == RecordFormat::kJson) options.format = RecordFormat::kJsonl;
  const std::optional<View> view = View::Of(options);
  if (!view.has_value()) return kBadCall;
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = OpenAudit(options.db, &status);
  if (reader == nullptr) return status;
  const absl::StatusOr<int64_t> last = reader->LastNumber();
  if (!last.ok()) return FailOfAudit(options.db, last.status());
  absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(query);
  if (!rows.ok()) return FailOfAudit(options.db, rows.status());
  SayIfBehind(*reader);
  if (options.follow) {
    // What was written since is among what follows, all of it and once.
    rows->erase(std::remove_if(rows->begin(), rows->end(),
                               [&last](const AuditRow& row) { return row.number > *last; }),
                rows->end());
  }
  std::reverse(rows->begin(), rows->end());
  RecordPrinter printer = view->Printer();
  for (const AuditRow& row : *rows) printer.Print(view->Cells(row));
  printer.Finish();
  return options.follow ? Follow(*reader, options.db, query, *last, *view) : kYes;
}

void AddShared(CLI::App* command, const std::shared_ptr<Options>& options) {
  static const std::map<std::string, RecordFormat> formats = {{"text", RecordFormat::kText},
                                                              {"table", RecordFormat::kText},
                                                              {"json", RecordFormat::kJson},
                                                              {"jsonl", RecordFormat::kJsonl},
                                                              {"csv", RecordFormat::kCsv}};
  command->add_option("DB", options->db, "an audit file")->required();
  AddFilters(command, &options->filter);
  command
      ->add_option("--columns", options->columns,
                   "only these columns of the view `decisions`, separated by commas")
      ->check(NotEmpty())
      ->option_text("NAMES");
  command
      ->add_option("--format", options->format,
                   "text or table for a person, json for one document, jsonl for a record a line, "
                   "csv (RFC 4180) for a spreadsheet")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case))
      ->option_text("text|table|json|jsonl|csv [text]");
}

// What is given beside `--sql`, and means nothing there; empty if nothing is.
std::string BesideSql(const CLI::App* command) {
  for (const CLI::Option* option : command->get_options()) {
    const std::string name = option->get_name();
    if (option->count() > 0 && name != "DB" && name != "--sql" && name != "--format" &&
        name != "--limit" && name != "--timeout" && name != "-e" && name != "--exit-status") {
      return name;
    }
  }
  return "";
}

}  // namespace

void AddAuditQuery(CLI::App* audit, int* status) {
  CLI::App* query = audit->add_subcommand(
      "query",
      "Show recorded decisions, newest first, or count them, or ask in SQL.\n"
      "Exit status: 0 done, 1 nothing was found and -e is given, 2 the call is wrong or DB is no "
      "audit file, 3 it cannot be read, or the SQL takes too long or too much memory.");
  auto options = std::make_shared<Options>();
  AddShared(query, options);
  query->add_option("--limit", options->limit, "show so many")
      ->check(CLI::Range(size_t{1}, size_t{1000000000}))
      ->option_text("N [100]");
  query
      ->add_option("--after", options->after,
                   "the next ones: what a page before said on standard error, or as `next`")
      ->check(NotEmpty())
      ->option_text("CURSOR");
  query->add_flag("--oldest-first", options->oldest_first, "from the oldest");
  CLI::Option* const count =
      query->add_flag("--count", options->count, "only say how many there are");
  for (const char* other : {"--limit", "--after", "--oldest-first", "--columns"}) {
    count->excludes(other);
  }
  query
      ->add_option("--sql", options->sql,
                   "answer this SELECT on the views `decisions` and `decisions_by_hour`; it can "
                   "change nothing")
      ->check(NotEmpty())
      ->option_text("STATEMENT");
  query->add_option("--timeout", options->timeout, "what the SQL may take")
      ->check(NotEmpty())
      ->needs("--sql")
      ->option_text("TIME [30s]");
  query->add_flag("-e,--exit-status", options->fail_if_none, "exit with 1 if nothing is found");
  query->footer(
      "Examples:\n"
      "  reeve audit query audit.db --since 1h --decision deny\n"
      "  reeve audit query audit.db --principal user:ada --resource doc:/finance/\n"
      "  reeve audit query audit.db --rule documents/never-the-ledger --format jsonl\n"
      "  reeve audit query audit.db --since 7d --columns time,principal,resource --format csv\n"
      "  reeve audit query audit.db --sql \"select principal, count(*) from decisions group by "
      "1\"\n"
      "doc/audit-queries.md has questions with their answers.");
  query->callback([options, query, status] {
    const std::string beside = options->sql.empty() ? "" : BesideSql(query);
    if (!beside.empty()) {
      *status = Refuse(absl::StrCat("`", beside,
                                    "` means nothing beside --sql; put it into the "
                                    "statement"));
      return;
    }
    *status = Query(*options);
  });
}

void AddAuditTail(CLI::App* audit, int* status) {
  CLI::App* tail = audit->add_subcommand(
      "tail",
      "Show the last decisions, and follow new ones. Here json is a record a line, as jsonl.\n"
      "Exit status: 0 done, 2 the call is wrong or DB is no audit file, 3 it cannot be read.");
  auto options = std::make_shared<Options>();
  options->limit = 10;
  AddShared(tail, options);
  tail->add_option("-n,--limit", options->limit, "begin with so many")
      ->check(CLI::Range(size_t{0}, size_t{1000000}))
      ->option_text("N [10]");
  tail->add_flag("-f,--follow", options->follow, "go on with new ones until interrupted");
  tail->footer(
      "Examples:\n"
      "  reeve audit tail audit.db\n"
      "  reeve audit tail -f audit.db --decision deny\n"
      "  reeve audit tail -f audit.db -n 0 --format jsonl --columns time,principal,reason");
  tail->callback([options, status] { *status = Tail(*options); });
}

}  // namespace reeve
