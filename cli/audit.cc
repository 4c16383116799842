// `reeve audit query|tail`: asks the log.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/command.h"
#include "reeve/cli/output.h"
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

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  const bool call = absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
                    absl::IsFailedPrecondition(status);
  return call ? kBadCall : kFailure;
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
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
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

void Print(const std::vector<AuditRow>& rows, Format format) {
  if (format == Format::kJson) {
    for (const AuditRow& row : rows) std::puts(ToJsonLine(row).c_str());
    return;
  }
  if (rows.empty()) return;
  // Where there is little room, the time is cut to the second, and the reason goes: it says again
  // what was decided.
  constexpr size_t kWide = 110;
  const size_t width = TerminalWidth();
  const bool narrow = width > 0 && width < kWide;
  std::vector<std::string> head = {"time",   "decision", "reason", "principal",
                                   "action", "resource", "rules"};
  if (narrow) head.erase(head.begin() + 2);
  Table table(head, narrow ? 2 : 3);
  for (const AuditRow& row : rows) {
    std::vector<std::string> cells = {ShortTime(row.time, narrow),
                                      row.decision,
                                      row.reason,
                                      row.principal,
                                      row.action,
                                      row.resource == ":" ? "" : row.resource,
                                      row.error.empty() ? ListOf(row.rules) : row.error};
    if (narrow) cells.erase(cells.begin() + 2);
    table.AddRow(cells);
  }
  std::fputs(table.ToString(width).c_str(), stdout);
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

int Query(const Options& options) {
  std::optional<AuditQuery> query = QueryOf(options);
  if (!query.has_value()) return kBadCall;
  if (options.oldest_first) query->order = AuditQuery::Order::kOldestFirst;
  const absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(options.db);
  if (!reader.ok()) return Fail(reader.status());
  const size_t limit = query->limit;
  ++query->limit;  // one more tells whether there are more
  absl::StatusOr<std::vector<AuditRow>> rows = (*reader)->Query(*query);
  if (!rows.ok()) return Fail(rows.status());
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

int Tail(const Options& options) {
  std::optional<AuditQuery> query = QueryOf(options);
  if (!query.has_value()) return kBadCall;
  const absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(options.db);
  if (!reader.ok()) return Fail(reader.status());
  const absl::StatusOr<int64_t> last = (*reader)->LastNumber();
  if (!last.ok()) return Fail(last.status());
  absl::StatusOr<std::vector<AuditRow>> rows = (*reader)->Query(*query);
  if (!rows.ok()) return Fail(rows.status());
  std::reverse(rows->begin(), rows->end());
  Print(*rows, options.format);
  query->order = AuditQuery::Order::kAsWritten;
  query->after_number = *last;
  while (options.follow) {
    if (std::fflush(stdout) != 0) return kFailure;
    constexpr auto kBetweenLooks = std::chrono::milliseconds(200);
    std::this_thread::sleep_for(kBetweenLooks);
    rows = (*reader)->Query(*query);
    if (!rows.ok()) return Fail(rows.status());
    for (const AuditRow& row : *rows) {
      if (options.format == Format::kJson) {
        std::puts(ToJsonLine(row).c_str());
      } else {
        Table line({ShortTime(row.time, false), row.decision, row.reason, row.principal, row.action,
                    row.resource, ListOf(row.rules)});
        std::fputs(line.ToString(0).c_str(), stdout);
      }
      query->after_number = row.number;
    }
  }
  return kYes;
}

void AddFilters(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_option("DB", options->db, "an audit file")->required();
  command->add_option("--since", options->since, "not before: 30m, 1h, 7d, 2026-11-20T09:00:00Z")
      ->option_text("TIME");
  command->add_option("--until", options->until, "before that time")->option_text("TIME");
  command->add_option("--principal", options->query.principal, "by this principal, type:id")
      ->option_text("TYPE:ID");
  command->add_option("--action", options->query.action, "this action")->option_text("NAME");
  command
      ->add_option("--resource", options->query.resource_prefix,
                   "resources that begin with this: doc:/finance/")
      ->option_text("PREFIX");
  command->add_option("--decision", options->decision, "only these")
      ->check(CLI::IsMember({"allow", "deny"}))
      ->option_text("allow|deny");
  command->add_option("--reason", options->reason, "deny_rule, no_rule, bad_request, ...")
      ->option_text("REASON");
  command->add_option("--rule", options->query.rule, "determined by this rule: documents/editors")
      ->option_text("ID");
  command->add_option("--id", options->query.id, "the decision of this id")->option_text("UUID");
  AddFormat(command, &options->format);
}

}  // namespace

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

  CLI::App* tail = audit->add_subcommand("tail", "Show the last decisions, and follow new ones.");
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
}

}  // namespace reeve
