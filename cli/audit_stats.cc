// `reeve audit stats`: what the log comes to.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "cli/audit_command.h"
#include "reeve/cli/chart.h"
#include "reeve/cli/output.h"
#include "reeve/engine/snapshot.h"
#include "reeve/engine/text.h"
#include "reeve/policy/load.h"
#include "reeve/policy/spelling.h"
#include "reeve/store/audit_reader.h"

namespace reeve {
namespace {

struct Options {
  std::string db;
  FilterOptions filter;
  std::string policy;
  std::string only;
  size_t top = 10;
  Format format = Format::kText;
};

// The parts of the answer that are wanted.
struct Parts {
  bool reasons = true, rules = true, hours = true, refused = true, latency = true;
};

std::optional<Parts> PartsOf(const std::string& only) {
  if (only.empty()) return Parts();
  Parts parts = {false, false, false, false, false};
  for (const absl::string_view part : absl::StrSplit(only, ',')) {
    const std::string word(part);
    bool* const wanted = word == "reasons"   ? &parts.reasons
                         : word == "rules"   ? &parts.rules
                         : word == "hours"   ? &parts.hours
                         : word == "refused" ? &parts.refused
                         : word == "latency" ? &parts.latency
                                             : nullptr;
    if (wanted == nullptr) {
      Refuse(absl::StrCat(
          "`", Printable(word), "` is no part of the answer",
          DidYouMean(word, {"reasons", "rules", "hours", "refused", "latency"}),
          "; write `reasons`, `rules`, `hours`, `refused` or `latency`, separated by commas"));
      return std::nullopt;
    }
    *wanted = true;
  }
  return parts;
}

// The rules of a policy set that no record names.
struct Unused {
  std::string digest;
  std::vector<std::string> rules;         // that determined no answer
  std::vector<std::string> shadow_rules;  // that would have matched nothing
};

Unused UnusedOf(const Snapshot& snapshot, const AuditStatistics& statistics) {
  std::set<std::string> used, shadows;
  for (const AuditStatistics::Count& count : statistics.rules) used.insert(count.name);
  for (const AuditStatistics::Count& count : statistics.shadow_rules) shadows.insert(count.name);
  Unused unused;
  unused.digest = std::string(snapshot.digest());
  for (size_t i = 0; i < snapshot.rule_count(); ++i) {
    const Rule rule = snapshot.rule(i);
    if (rule.shadow) {
      if (shadows.count(rule.id) == 0) unused.shadow_rules.push_back(rule.id);
    } else if (used.count(rule.id) == 0) {
      unused.rules.push_back(rule.id);
    }
  }
  std::sort(unused.rules.begin(), unused.rules.end());
  std::sort(unused.shadow_rules.begin(), unused.shadow_rules.end());
  return unused;
}

using Json = nlohmann::ordered_json;

Json CountsJson(const std::vector<AuditStatistics::Count>& counts, const char* name, size_t top) {
  Json list = Json::array();
  for (size_t i = 0; i < std::min(top, counts.size()); ++i) {
    list.push_back(
        {{name, counts[i].name}, {"allowed", counts[i].allowed}, {"denied", counts[i].denied}});
  }
  return list;
}

Json RefusedJson(const std::vector<AuditStatistics::Count>& counts, const char* name) {
  Json list = Json::array();
  for (const AuditStatistics::Count& count : counts) {
    list.push_back({{name, count.name}, {"denied", count.denied}});
  }
  return list;
}

void PrintJson(const AuditStatistics& statistics, const Options& options, const Parts& parts,
               const std::optional<Unused>& unused) {
  Json json = {{"decisions", statistics.allowed + statistics.denied},
               {"allowed", statistics.allowed},
               {"denied", statistics.denied}};
  if (parts.reasons) {
    Json& reasons = json["reasons"] = Json::array();
    for (const AuditStatistics::ReasonCount& reason : statistics.reasons) {
      reasons.push_back({{"reason", ToString(reason.reason)}, {"count", reason.count}});
    }
  }
  if (parts.rules) json["rules"] = CountsJson(statistics.rules, "rule", options.top);
  if (parts.refused) {
    json["refused"] = {{"principals", RefusedJson(statistics.refused_principals, "principal")},
                       {"actions", RefusedJson(statistics.refused_actions, "action")},
                       {"resources", RefusedJson(statistics.refused_resources, "resource")}};
  }
  if (parts.hours) {
    Json& hours = json["hours"] = Json::array();
    for (const AuditStatistics::Hour& hour : statistics.hours) {
      hours.push_back(
          {{"hour", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", hour.begin, absl::UTCTimeZone())},
           {"allowed", hour.allowed},
           {"denied", hour.denied}});
    }
  }
  if (parts.latency) {
    const AuditStatistics::Latency& latency = statistics.latency;
    Json& times = json["latency_ns"] = {{"count", latency.count}};
    if (latency.count > 0) {
      for (const auto& [name, time] :
           {std::pair("min", latency.min), std::pair("p50", latency.p50),
            std::pair("p90", latency.p90), std::pair("p99", latency.p99),
            std::pair("p999", latency.p999), std::pair("max", latency.max)}) {
        times[name] = absl::ToInt64Nanoseconds(time);
      }
    }
  }
  if (unused.has_value()) {
    json["policy"] = unused->digest;
    json["unused_rules"] = unused->rules;
    json["unused_shadow_rules"] = unused->shadow_rules;
  }
  std::puts(JsonText(json).c_str());
}

void PrintCounts(const char* head, const std::vector<AuditStatistics::Count>& counts, size_t top) {
  if (counts.empty()) return;
  Table table({head, "ALLOWED", "DENIED"});
  const size_t shown = std::min(top, counts.size());
  for (size_t i = 0; i < shown; ++i) {
    table.AddRow({counts[i].name, absl::StrCat(counts[i].allowed), absl::StrCat(counts[i].denied)});
  }
  std::printf("\n%s", table.ToString(TerminalWidth()).c_str());
  if (shown < counts.size()) std::printf("and %zu more, see --top\n", counts.size() - shown);
}

void PrintRefused(const char* head, const std::vector<AuditStatistics::Count>& counts) {
  if (counts.empty()) return;
  Table table({head, "DENIED"});
  for (const AuditStatistics::Count& count : counts) {
    table.AddRow({count.name, absl::StrCat(count.denied)});
  }
  std::printf("\n%s", table.ToString(TerminalWidth()).c_str());
}

void PrintText(const AuditStatistics& statistics, const Options& options, const Parts& parts,
               const std::optional<Unused>& unused) {
  std::printf("%lld decisions: %lld allowed, %lld denied\n",
              static_cast<long long>(statistics.allowed + statistics.denied),
              static_cast<long long>(statistics.allowed),
              static_cast<long long>(statistics.denied));
  if (parts.reasons && !statistics.reasons.empty()) {
    Table table({"REASON", "COUNT"});
    for (const AuditStatistics::ReasonCount& reason : statistics.reasons) {
      table.AddRow({std::string(ToString(reason.reason)), absl::StrCat(reason.count)});
    }
    std::printf("\n%s", table.ToString(TerminalWidth()).c_str());
  }
  if (parts.rules) PrintCounts("RULE", statistics.rules, options.top);
  if (parts.refused) {
    PrintRefused("REFUSED PRINCIPAL", statistics.refused_principals);
    PrintRefused("REFUSED ACTION", statistics.refused_actions);
    PrintRefused("REFUSED RESOURCE", statistics.refused_resources);
  }
  if (parts.hours && !statistics.hours.empty()) {
    ChartStyle style;
    style.width = TerminalWidth();
    style.blocks = isatty(STDOUT_FILENO) != 0;
    style.colours = IsTerminal();
    std::printf("\nTIME (UTC)\n%s", Chart(statistics.hours, style).c_str());
  }
  if (parts.latency && statistics.latency.count > 0) {
    const AuditStatistics::Latency& latency = statistics.latency;
    Table table({"LATENCY", "MIN", "P50", "P90", "P99", "P99.9", "MAX"});
    std::vector<std::string> cells = {""};
    for (const absl::Duration time :
         {latency.min, latency.p50, latency.p90, latency.p99, latency.p999, latency.max}) {
      cells.push_back(absl::FormatDuration(time));
    }
    table.AddRow(cells);
    std::printf("\n%s", table.ToString(TerminalWidth()).c_str());
  }
  if (!unused.has_value()) return;
  std::printf("\nRULES WITHOUT A RECORD: %zu of %s\n",
              unused->rules.size() + unused->shadow_rules.size(), unused->digest.c_str());
  for (const std::string& rule : unused->rules) std::printf("  %s\n", Printable(rule).c_str());
  for (const std::string& rule : unused->shadow_rules) {
    std::printf("  %s (shadow)\n", Printable(rule).c_str());
  }
}

int Stats(const Options& options) {
  const std::optional<AuditFilter> filter = FilterOf(options.filter);
  if (!filter.has_value()) return kBadCall;
  const std::optional<Parts> parts = PartsOf(options.only);
  if (!parts.has_value()) return kBadCall;
  StatisticsOptions wanted;
  wanted.top = options.top;
  wanted.refused = parts->refused;
  wanted.latency = parts->latency;
  LoadResult loaded;
  if (!options.policy.empty()) {
    loaded = LoadPolicy(options.policy, {});
    for (const Issue& issue : loaded.issues) {
      if (issue.severity != Issue::Severity::kError) continue;
      std::fprintf(stderr, "%s\n", ToString(issue).c_str());
    }
    if (!loaded.ok()) return kBadCall;
    for (size_t i = 0; i < loaded.snapshot->rule_count(); ++i) {
      wanted.shadow_rules |= loaded.snapshot->rule(i).shadow;
    }
  }
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = OpenAudit(options.db, &status);
  if (reader == nullptr) return status;
  const absl::StatusOr<AuditStatistics> statistics = reader->Statistics(*filter, wanted);
  if (!statistics.ok()) return FailOfAudit(options.db, statistics.status());
  SayIfBehind(*reader);
  std::optional<Unused> unused;
  if (!options.policy.empty()) unused = UnusedOf(*loaded.snapshot, *statistics);
  options.format == Format::kJson ? PrintJson(*statistics, options, *parts, unused)
                                  : PrintText(*statistics, options, *parts, unused);
  return kYes;
}

}  // namespace

void AddAuditStats(CLI::App* audit, int* status) {
  CLI::App* command = audit->add_subcommand(
      "stats",
      "Say what the log comes to: reasons, which rules decide most, who and what is refused most, "
      "how many an hour, how long decisions take, and which rules are never used.\n"
      "Exit status: 0 done, 2 the call is wrong, DB is no audit file or POLICY does not load, 3 "
      "DB cannot be read.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  AddFilters(command, &options->filter);
  command
      ->add_option("--policy", options->policy, "say which rules of this policy set have no record")
      ->check(NotEmpty())
      ->option_text("POLICY");
  command->add_option("--top", options->top, "so many of each list")
      ->check(CLI::Range(size_t{1}, size_t{1000000}))
      ->option_text("N [10]");
  command
      ->add_option("--only", options->only,
                   "reasons, rules, hours, refused, latency: what is wanted, separated by commas. "
                   "With times alone the first three are counted already, and take no time")
      ->check(NotEmpty())
      ->option_text("PARTS");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve audit stats audit.db --since 7d\n"
      "  reeve audit stats audit.db --since 30d --only rules,hours\n"
      "  reeve audit stats audit.db --since 90d --only rules --policy policy/");
  command->callback([options, status] { *status = Stats(*options); });
}

}  // namespace reeve
