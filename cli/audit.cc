// `reeve audit query|tail`: asks the log.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/store/audit_reader.h"

namespace reeve {
namespace {

struct Options {
  std::string db;
  std::string since;
  std::string until;
  std::string decision;
  std::string reason;
  AuditQuery query;
  bool oldest_first = false;
  bool follow = false;
  Format format = Format::kText;
};

// Whether the file begins as one of SQLite does (sqlite.org/fileformat2.html, section 1.3).
bool IsSqlite(const std::string& path) {
  constexpr char kMagic[] = "SQLite format 3";  // with its NUL
  char begin[sizeof kMagic] = {};
  std::FILE* const file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return false;
  const size_t got = std::fread(begin, 1, sizeof begin, file);
  std::fclose(file);
  return got == sizeof begin && std::memcmp(begin, kMagic, sizeof begin) == 0;
}

// Opens the file; if it cannot, says why and leaves the exit status in *status.
std::unique_ptr<AuditReader> Open(const std::string& path, int* status) {
  absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(path);
  if (reader.ok()) return *std::move(reader);
  *status = FailOfAudit(path, reader.status());
  return nullptr;
}

int Refuse(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return kBadCall;
}

// JSON that the store wrote; a value that was not kept is null.
nlohmann::ordered_json Parsed(const std::string& json) {
  return json.empty() ? nlohmann::ordered_json()
                      : nlohmann::ordered_json::parse(json, nullptr, false);
}

std::string ToJsonLine(const AuditRow& row) {
  const nlohmann::ordered_json json = {
      {"id", row.id},
      {"time", row.time},
      {"decision", row.decision},
      {"reason", row.reason},
      {"principal", row.principal},
      {"action", row.action},
      {"resource", row.resource},
      {"rules", Parsed(row.rules)},
      {"message", row.message},
      {"obligations", Parsed(row.obligations)},
      {"error", row.error},
      {"near_misses", Parsed(row.near_misses)},
      {"shadow_rules", Parsed(row.shadow_rules)},
      {"clauses", Parsed(row.clauses)},
      {"principal_assurance", row.principal_assurance},
      {"via", row.via},
      {"host", row.host},
      {"actor", row.actor},
      {"evidence", row.evidence},
      {"groups", Parsed(row.groups)},
      {"groups_complete", row.groups_complete},
      {"principal_parents", Parsed(row.principal_parents)},
      {"principal_attributes", Parsed(row.principal_attributes)},
      {"resource_parents", Parsed(row.resource_parents)},
      {"resource_attributes", Parsed(row.resource_attributes)},
      {"context", Parsed(row.context)},
      {"policy", row.policy},
      {"audit_level", row.audit_level},
      {"latency_ns", absl::ToInt64Nanoseconds(row.latency)},
      {"process", row.process},
      {"machine", row.machine},
      {"writer", row.writer},
      {"seq", row.seq},
  };
  return JsonText(json);
}

// `["a","b"]` as `a, b`.
std::string ListOf(const std::string& json) {
  std::string text;
  for (const auto& item : Parsed(json)) {
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

// Where there is little room, the time is cut to the second, and the reason goes: it says again
// what was decided.
bool IsNarrow() {
  constexpr size_t kWide = 110;
  const size_t width = TerminalWidth();
  return width > 0 && width < kWide;
}

// What a line of text shows of a record.
std::vector<std::string> CellsOf(const AuditRow& row, bool narrow) {
  std::vector<std::string> cells = {ShortTime(row.time, narrow),
                                    row.decision,
                                    row.reason,
                                    row.principal,
                                    row.action,
                                    row.resource == ":" ? "" : row.resource,
                                    row.error.empty() ? ListOf(row.rules) : row.error};
  if (narrow) cells.erase(cells.begin() + 2);
  return cells;
}

void Print(const std::vector<AuditRow>& rows, Format format) {
  if (format == Format::kJson) {
    for (const AuditRow& row : rows) std::puts(ToJsonLine(row).c_str());
    return;
  }
  if (rows.empty()) return;
  const bool narrow = IsNarrow();
  std::vector<std::string> head = {"time",   "decision", "reason", "principal",
                                   "action", "resource", "rules"};
  if (narrow) head.erase(head.begin() + 2);
  Table table(head, narrow ? 2 : 3);
  for (const AuditRow& row : rows) table.AddRow(CellsOf(row, narrow));
  std::fputs(table.ToString(TerminalWidth()).c_str(), stdout);
}

std::optional<Reason> FindReason(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Reason::kAuditFailed); ++i) {
    const auto reason = static_cast<Reason>(i);
    if (ToString(reason) == name) return reason;
  }
  return std::nullopt;
}

// What both subcommands filter by. Returns nothing, having said why, if a word is not understood.
std::optional<AuditQuery> QueryOf(const Options& options) {
  AuditQuery query = options.query;
  const absl::Time now = absl::Now();
  for (const auto& [text, moment] :
       {std::pair(&options.since, &query.since), std::pair(&options.until, &query.until)}) {
    if (text->empty()) continue;
    *moment = ParseMoment(*text, now);
    if (!moment->has_value()) {
      Refuse(absl::StrCat("`", *text,
                          "` is not a time; write `30m`, `1h`, `7d` or "
                          "`2026-11-20T09:00:00Z`"));
      return std::nullopt;
    }
  }
  if (!options.decision.empty()) query.allowed = options.decision == "allow";
  if (!options.reason.empty()) {
    query.reason = FindReason(options.reason);
    if (!query.reason.has_value()) {
      Refuse(absl::StrCat("`", options.reason, "` is not a reason; see doc/audit-format.md"));
      return std::nullopt;
    }
  }
  return query;
}

// Says so if the file has records that cannot be shown.
void SayIfBehind(const AuditReader& reader) {
  if (reader.behind() == 0) return;
  std::fprintf(stderr,
               "%lld newer records are not shown: rows are made for them by the program that "
               "writes to the file, or by a reader who may write to it\n",
               static_cast<long long>(reader.behind()));
}

int Query(const Options& options) {
  std::optional<AuditQuery> query = QueryOf(options);
  if (!query.has_value()) return kBadCall;
  if (options.oldest_first) query->order = AuditQuery::Order::kOldestFirst;
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = Open(options.db, &status);
  if (reader == nullptr) return status;
  const size_t limit = query->limit;
  ++query->limit;  // one more tells whether there are more
  absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(*query);
  if (!rows.ok()) return FailOfAudit(options.db, rows.status());
  SayIfBehind(*reader);
  const bool more = rows->size() > limit;
  if (more) rows->resize(limit);
  Print(*rows, options.format);
  if (options.format == Format::kText && (more || rows->empty())) {
    std::fprintf(stderr,
                 more ? "%zu records shown; there are more, see --limit\n" : "no record matches\n",
                 limit);
  }
  return kYes;
}

// Prints what is written after the row of this number, until it fails or is interrupted.
int Follow(AuditReader& reader, const std::string& db, AuditQuery query, int64_t after,
           Format format) {
  query.order = AuditQuery::Order::kAsWritten;
  query.after_number = after;
  constexpr size_t kPage = 1000;
  query.limit = kPage;
  while (FlushOutput()) {
    const absl::StatusOr<std::vector<AuditRow>> rows = reader.Query(query);
    if (!rows.ok()) return FailOfAudit(db, rows.status());
    for (const AuditRow& row : *rows) {
      if (format == Format::kJson) {
        std::puts(ToJsonLine(row).c_str());
      } else {
        std::fputs(Table(CellsOf(row, IsNarrow())).ToString(0).c_str(), stdout);
      }
      query.after_number = row.number;
    }
    constexpr auto kBetweenLooks = std::chrono::milliseconds(200);
    if (FlushOutput() && rows->size() < kPage) std::this_thread::sleep_for(kBetweenLooks);
  }
  return kFailure;
}

int Tail(const Options& options) {
  const std::optional<AuditQuery> query = QueryOf(options);
  if (!query.has_value()) return kBadCall;
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = Open(options.db, &status);
  if (reader == nullptr) return status;
  const absl::StatusOr<int64_t> last = reader->LastNumber();
  if (!last.ok()) return FailOfAudit(options.db, last.status());
  absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(*query);
  if (!rows.ok()) return FailOfAudit(options.db, rows.status());
  SayIfBehind(*reader);
  if (options.follow) {
    // What was written since is among what follows, all of it and once.
    rows->erase(std::remove_if(rows->begin(), rows->end(),
                               [&last](const AuditRow& row) { return row.number > *last; }),
                rows->end());
  }
  std::reverse(rows->begin(), rows->end());
  Print(*rows, options.format);
  return options.follow ? Follow(*reader, options.db, *query, *last, options.format) : kYes;
}

// Filters that are given say something: an empty one, such as a variable that is not set, would
// let everything through.
const CLI::Validator& NotEmpty() {
  static const CLI::Validator validator(
      [](const std::string& text) {
        return std::string(text.empty() ? "the value is empty; leave out the option to see all"
                                        : "");
      },
      "");
  return validator;
}

const CLI::Validator& TypeAndId() {
  static const CLI::Validator validator(
      [](const std::string& text) {
        return absl::StrContains(text, ':')
                   ? std::string()
                   : absl::StrCat("`", Printable(text), "` has no type; write `type:id`");
      },
      "");
  return validator;
}

void AddFilters(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_option("DB", options->db, "an audit file")->required();
  command->add_option("--since", options->since, "not before: 30m, 1h, 7d, 2026-11-20T09:00:00Z")
      ->check(NotEmpty())
      ->option_text("TIME");
  command->add_option("--until", options->until, "before that time")
      ->check(NotEmpty())
      ->option_text("TIME");
  command->add_option("--principal", options->query.principal, "by this principal, type:id")
      ->check(TypeAndId())
      ->option_text("TYPE:ID");
  command->add_option("--action", options->query.action, "this action")
      ->check(NotEmpty())
      ->option_text("NAME");
  command
      ->add_option("--resource", options->query.resource_prefix,
                   "resources that begin with this: doc:/finance/")
      ->check(NotEmpty())
      ->option_text("PREFIX");
  command->add_option("--decision", options->decision, "only these")
      ->check(CLI::IsMember({"allow", "deny"}))
      ->option_text("allow|deny");
  command->add_option("--reason", options->reason, "deny_rule, no_rule, bad_request, ...")
      ->check(NotEmpty())
      ->option_text("REASON");
  command->add_option("--rule", options->query.rule, "determined by this rule: documents/editors")
      ->check(NotEmpty())
      ->option_text("ID");
  command->add_option("--id", options->query.id, "the decision of this id")
      ->check(NotEmpty())
      ->option_text("UUID");
  AddFormat(command, &options->format);
}

}  // namespace

int FailOfAudit(const std::string& path, const absl::Status& status) {
  if (absl::IsDataLoss(status) && !IsSqlite(path)) {
    std::fprintf(stderr,
                 "%s: is not an audit file; name one that `reeve check --audit` or a "
                 "server wrote\n",
                 Printable(path, 1000).c_str());
    return kBadCall;
  }
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  const bool call = absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
                    absl::IsFailedPrecondition(status);
  return call ? kBadCall : kFailure;
}

void AddAudit(CLI::App* app, int* status) {
  CLI::App* audit = app->add_subcommand("audit", "Ask the log of decisions.");
  audit->require_subcommand(1);

  CLI::App* query = audit->add_subcommand(
      "query",
      "Show recorded decisions, newest first. JSON is one record a line.\n"
      "Exit status: 0 done, 2 the call is wrong or DB is no audit file, 3 it cannot be read.");
  auto options = std::make_shared<Options>();
  AddFilters(query, options);
  query->add_option("--limit", options->query.limit, "show so many")
      ->check(CLI::Range(size_t{1}, size_t{1000000}))
      ->option_text("N [100]");
  query->add_flag("--oldest-first", options->oldest_first, "from the oldest");
  query->footer(
      "Examples:\n"
      "  reeve audit query audit.db --since 1h --decision deny\n"
      "  reeve audit query audit.db --principal user:ada --resource doc:/finance/\n"
      "  reeve audit query audit.db --rule documents/never-the-ledger --format json\n"
      "The file is SQLite, and its view `decisions` is for everyone:\n"
      "  sqlite3 audit.db 'select principal, count(*) from decisions group by 1'");
  query->callback([options, status] { *status = Query(*options); });

  CLI::App* tail = audit->add_subcommand(
      "tail",
      "Show the last decisions, and follow new ones.\n"
      "Exit status: 0 done, 2 the call is wrong or DB is no audit file, 3 it cannot be read.");
  auto tail_options = std::make_shared<Options>();
  tail_options->query.limit = 10;
  AddFilters(tail, tail_options);
  tail->add_option("-n,--limit", tail_options->query.limit, "begin with so many")
      ->check(CLI::Range(size_t{1}, size_t{1000000}))
      ->option_text("N [10]");
  tail->add_flag("-f,--follow", tail_options->follow, "go on with new ones until interrupted");
  tail->footer(
      "Examples:\n"
      "  reeve audit tail audit.db\n"
      "  reeve audit tail -f audit.db --decision deny");
  tail->callback([tail_options, status] { *status = Tail(*tail_options); });

  AddAuditVerify(audit, status);
  AddAuditReindex(audit, status);
  AddAuditBackup(audit, status);
}

}  // namespace reeve
