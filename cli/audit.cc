// `reeve audit`: asks the log. Each of its subcommands has a file of its own; here is what they
// share.
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

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

// The value of `Enum`, up to `last`, whose name is `name`.
template <typename Enum>
std::optional<Enum> Find(const std::string& name, Enum last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Enum>(i);
    if (ToString(value) == name) return value;
  }
  return std::nullopt;
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

std::unique_ptr<AuditReader> OpenAudit(const std::string& path, int* status) {
  absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(path);
  if (reader.ok()) return *std::move(reader);
  *status = FailOfAudit(path, reader.status());
  return nullptr;
}

void SayIfBehind(const AuditReader& reader) {
  if (reader.behind() == 0) return;
  std::fprintf(stderr,
               "%lld newer records are not shown: rows are made for them by the program that "
               "writes to the file, or by a reader who may write to it\n",
               static_cast<long long>(reader.behind()));
}

int Refuse(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return kBadCall;
}

const CLI::Validator& NotEmpty() {
  static const CLI::Validator validator(
      [](const std::string& text) {
        return std::string(text.empty() ? "the value is empty; leave out the option to see all"
                                        : "");
      },
      "");
  return validator;
}

void AddTimes(CLI::App* command, FilterOptions* options) {
  command->add_option("--since", options->since, "not before: 30m, 2h, 7d, 2026-11-20T09:00:00Z")
      ->check(NotEmpty())
      ->option_text("TIME");
  command->add_option("--until", options->until, "before that time")
      ->check(NotEmpty())
      ->option_text("TIME");
}

void AddFilters(CLI::App* command, FilterOptions* options) {
  AuditFilter& filter = options->filter;
  AddTimes(command, options);
  const auto add = [command](const char* name, std::string& value, const char* what,
                             const char* text, const CLI::Validator& check) {
    command->add_option(name, value, what)->check(check)->option_text(text);
  };
  add("--principal", filter.principal, "by this principal", "TYPE:ID", TypeAndId());
  add("--actor", filter.actor, "by this one for the principal", "TYPE:ID", TypeAndId());
  add("--action", filter.action, "this action", "NAME", NotEmpty());
  add("--resource", filter.resource_prefix, "resources that begin with this: doc:/finance/",
      "PREFIX", NotEmpty());
  add("--exact-resource", filter.resource, "this resource alone", "TYPE:ID", TypeAndId());
  command->add_option("--decision", options->decision, "only these")
      ->check(CLI::IsMember({"allow", "deny"}))
      ->option_text("allow|deny");
  add("--reason", options->reason, "deny_rule, no_rule, bad_request, ...", "REASON", NotEmpty());
  add("--rule", filter.rule, "determined by this rule: documents/editors", "ID", NotEmpty());
  add("--shadow-rule", filter.shadow_rule, "where this shadow rule matched", "ID", NotEmpty());
  add("--policy-digest", filter.policy, "under the policy set of this digest", "DIGEST",
      NotEmpty());
  add("--assurance", options->assurance,
      "principals known like this: none, asserted, "
      "kernel_weak, kernel, crypto",
      "WORD", NotEmpty());
  add("--via", filter.via, "principals told by this mechanism: unix, krb5", "NAME", NotEmpty());
  add("--host", filter.host, "principals on this host", "NAME", NotEmpty());
  add("--machine", filter.machine, "records written on this machine", "NAME", NotEmpty());
  command->add_option("--writer", filter.writer, "records of this writer, as verify counts them")
      ->option_text("N");
  command->add_flag("--errors", filter.with_error, "only where something went wrong");
  add("--error", filter.error, "where what went wrong has this in it", "TEXT", NotEmpty());
  add("--min-latency", options->min_latency, "decisions that took so long: 50us, 2ms", "TIME",
      NotEmpty());
  add("--id", filter.id, "the decision of this id", "UUID", NotEmpty());
}

std::optional<AuditFilter> FilterOf(const FilterOptions& options) {
  AuditFilter filter = options.filter;
  const auto refuse = [](std::initializer_list<absl::string_view> parts) {
    std::string message;
    for (const absl::string_view part : parts) message += std::string(part);
    Refuse(message);
    return std::nullopt;
  };
  const absl::Time now = absl::Now();
  for (const auto& [text, moment] :
       {std::pair(&options.since, &filter.since), std::pair(&options.until, &filter.until)}) {
    if (text->empty()) continue;
    *moment = ParseMoment(*text, now);
    if (!moment->has_value()) {
      return refuse({"`", Printable(*text),
                     "` is not a time; write `30m`, `1h`, `7d` or `2026-11-20T09:00:00Z`"});
    }
  }
  if (!options.decision.empty()) filter.allowed = options.decision == "allow";
  if (!options.reason.empty()) {
    filter.reason = Find(options.reason, Reason::kAuditFailed);
    if (!filter.reason.has_value()) {
      return refuse({"`", Printable(options.reason), "` is not a reason; see doc/audit-format.md"});
    }
  }
  if (!options.assurance.empty()) {
    filter.assurance = Find(options.assurance, Assurance::kCrypto);
    if (!filter.assurance.has_value()) {
      return refuse({"`", Printable(options.assurance),
                     "` is not how a principal is known; write `none`, `asserted`, `kernel_weak`, "
                     "`kernel` or `crypto`"});
    }
  }
  if (!options.min_latency.empty()) {
    absl::Duration latency;
    if (!absl::ParseDuration(options.min_latency, &latency) || latency < absl::ZeroDuration()) {
      return refuse({"`", Printable(options.min_latency),
                     "` is not a time that a decision takes; write `500ns`, `50us` or `2ms`"});
    }
    filter.min_latency = latency;
  }
  return filter;
}

void AddAudit(CLI::App* app, int* status) {
  CLI::App* audit = app->add_subcommand("audit", "Ask the log of decisions.");
  audit->require_subcommand(1);
  AddAuditQuery(audit, status);
  AddAuditTail(audit, status);
  AddAuditStats(audit, status);
  AddAuditExport(audit, status);
  AddAuditVerify(audit, status);
  AddAuditPrune(audit, status);
  AddAuditReindex(audit, status);
  AddAuditBackup(audit, status);
}

}  // namespace reeve
