// `reeve explain`: why a recorded decision came out so.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "cli/audit_command.h"
#include "cli/replay_engine.h"
#include "cli/trust.h"
#include "reeve/cli/explanation_output.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/store/replay.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string db;
  std::string id;
  std::string policy;
  std::vector<std::string> entities;
  Trust trust;
  Format format = Format::kText;
};

constexpr size_t kMaxShown = 1000;  // Bytes of a text.
// Of a record that was found, beside what it shares with others.
struct Found {
  RecordedDecision decision;
  std::string id;
  absl::Time time;
  absl::Time request_time;
  absl::Duration latency;
  AuditLevel level;
  int64_t writer;
  int64_t seq;
};

std::string Shown(std::string_view text) { return Printable(text, kMaxShown); }

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

bool IsAllowed(Reason reason) { return reason == Reason::kAllowRule; }

std::string RulesText(const char* part, const std::vector<ReplayedRule>& rules, bool colour) {
  std::string text;
  for (const ReplayedRule& rule : rules) {
    absl::StrAppend(&text, "\n", Shown(rule.id), "  ", part, "\n");
    for (size_t i = 0; i < rule.clauses.size(); ++i) {
      const ReplayedRule::Clause& clause = rule.clauses[i];
      absl::StrAppend(&text, i + 1 == rule.clauses.size() ? "└─ " : "├─ ", i + 1, " ",
                      ColouredOutcome(ToString(clause.outcome), 14, colour),
                      clause.text.empty() ? "(not kept)" : OneLine(clause.text), "\n");
    }
  }
  return text;
}

// "allowed if clause 2 were true", of an allow rule that missed by clauses alone.
std::string MissText(const ReplayedRule& rule) {
  std::vector<size_t> missed, not_asked;
  for (size_t i = 0; i < rule.clauses.size(); ++i) {
    const ClauseOutcome outcome = rule.clauses[i].outcome;
    if (outcome == ClauseOutcome::kTrue) continue;
    // What comes behind a false clause is not asked.
    (outcome == ClauseOutcome::kNotEvaluated ? not_asked : missed).push_back(i + 1);
  }
  const auto list = [](const std::vector<size_t>& clauses) {
    return absl::StrCat(clauses.size() == 1 ? "clause " : "clauses ", absl::StrJoin(clauses, ", "));
  };
  std::string text = absl::StrCat(Shown(rule.id), " would allow if ");
  if (missed.empty()) {
    absl::StrAppend(&text, "the principal were known to be one of its principals");
  } else {
    absl::StrAppend(&text, list(missed), " were true");
  }
  if (!not_asked.empty()) absl::StrAppend(&text, ", and ", list(not_asked), ", not asked here");
  return text + "\n";
}

void PrintText(const Found& found) {
  const bool colour = IsTerminal();
  const RecordedDecision& d = found.decision;
  const Principal& p = d.principal;
  std::string text = absl::StrCat(
      IsAllowed(d.reason) ? Colour("allow", kGreen, colour) : Colour("deny", kRed, colour), "  ",
      std::string(ToString(d.reason)));
  for (size_t i = 0; i < d.rules.size(); ++i)
    absl::StrAppend(&text, i == 0 ? "  " : ", ", Shown(d.rules[i].id));
  text += "\n";
  const auto add = [&text](const char* name, std::string_view value) {
    if (!value.empty()) absl::StrAppend(&text, name, ": ", Shown(value), "\n");
  };
  add("error", d.error);
  add("message", d.message);
  for (const std::string& obligation : d.obligations) add("obligation", obligation);
  add("id", found.id);
  add("time", TimeText(found.time));
  if (d.time_fixed) add("time that the request fixed", TimeText(found.request_time));
  for (const auto& [path, how] : d.masked) add("masked", absl::StrCat(path, " (", how, ")"));
  absl::StrAppend(&text, "\n", Shown(ToString(EntityView(p.id))), " ", Shown(d.action), " ",
                  Shown(ToString(EntityView(d.resource))), "\n");
  add("assurance", ToString(p.assurance));
  add("via", p.via);
  add("host", p.host);
  add("actor", p.actor);
  add("evidence", p.evidence);
  add("groups",
      absl::StrCat(absl::StrJoin(p.groups, ", "), p.groups_complete ? "" : " and perhaps others"));
  add("policy", d.policy_digest);
  add("record",
      absl::StrCat(std::string(ToString(found.level)), ", writer ", found.writer, ", number ",
                   found.seq, ", decided in ", absl::FormatDuration(found.latency)));
  text += RulesText(IsAllowed(d.reason) ? "decides" : "denies", d.rules, colour);
  text += RulesText("allow, missed", d.near_misses, colour);
  text += RulesText("shadow, matches", d.shadow_rules, colour);
  if (!d.near_misses.empty()) text += "\n";
  for (const ReplayedRule& rule : d.near_misses) text += MissText(rule);
  std::fputs(text.c_str(), stdout);
}

Json RulesJson(const std::vector<ReplayedRule>& rules) {
  Json json = Json::array();
  for (const ReplayedRule& rule : rules) {
    Json clauses = Json::array();
    for (const ReplayedRule::Clause& clause : rule.clauses) {
      clauses.push_back({{"clause", clause.text.empty() ? Json() : Json(clause.text)},
                         {"outcome", ToString(clause.outcome)}});
    }
    json.push_back({{"rule", rule.id}, {"clauses", std::move(clauses)}});
  }
  return json;
}

Json ToJson(const Found& found) {
  const RecordedDecision& d = found.decision;
  const Principal& p = d.principal;
  Json masked = Json::object();
  for (const auto& [path, how] : d.masked) masked[path] = how;
  return {{"id", found.id},
          {"time", TimeText(found.time)},
          {"time_fixed", d.time_fixed},
          {"fixed_time", d.time_fixed ? Json(TimeText(found.request_time)) : Json()},
          {"masked", std::move(masked)},
          {"decision", IsAllowed(d.reason) ? "allow" : "deny"},
          {"reason", ToString(d.reason)},
          {"principal", ToString(EntityView(p.id))},
          {"action", d.action},
          {"resource", ToString(EntityView(d.resource))},
          {"assurance", ToString(p.assurance)},
          {"via", p.via},
          {"host", p.host},
          {"actor", p.actor},
          {"evidence", p.evidence},
          {"groups", p.groups},
          {"groups_complete", p.groups_complete},
          {"rules", RulesJson(d.rules)},
          {"near_misses", RulesJson(d.near_misses)},
          {"shadow_rules", RulesJson(d.shadow_rules)},
          {"message", d.message},
          {"obligations", d.obligations},
          {"error", d.error},
          {"policy", d.policy_digest},
          {"audit_level", ToString(found.level)},
          {"latency_ns", absl::ToInt64Nanoseconds(found.latency)},
          {"writer", found.writer},
          {"seq", found.seq},
          {"obstacle", d.obstacle()}};
}

// The record as it is under `policy`. Returns the exit status.
int Redecide(const Found& found, const ReplayEngine& engine, const Options& options, Json* json) {
  const RecordedDecision& recorded = found.decision;
  if (!recorded.obstacle().empty()) {
    std::fprintf(stderr,
                 "the record does not hold what was asked (%s), so it cannot be decided again\n",
                 std::string(recorded.obstacle()).c_str());
    return kBadCall;
  }
  const Request request = recorded.RequestAt(found.request_time);
  const Decision decision = engine.Decide(request);
  const bool same_policy = decision.policy_digest() == recorded.policy_digest;
  const bool same = SameAnswer(recorded, decision);
  if (options.format == Format::kJson) {
    (*json)["again"] = {{"policy", decision.policy_digest()},
                        {"same_policy", same_policy},
                        {"reproduced", same},
                        {"decision", decision.allowed() ? "allow" : "deny"},
                        {"reason", ToString(decision.reason())},
                        {"explanation", ExplanationJson(decision, request)}};
    return kYes;
  }
  std::printf("\ndecided again by %s: %s  %s; %s\n\n%s",
              same_policy ? "the same policy" : "ANOTHER policy than the record's",
              decision.allowed() ? "allow" : "deny",
              std::string(ToString(decision.reason())).c_str(),
              same ? "as recorded" : "NOT as recorded",
              ExplanationText(decision, request, IsTerminal()).c_str());
  return kYes;
}

int Explain(Options& options) {
  std::unique_ptr<ReplayEngine> engine;
  if (!options.policy.empty()) {
    if (!options.trust.Read()) return kBadCall;
    int status = kYes;
    engine = ReplayEngine::Load(options.policy, options.entities, options.trust.limits(), &status);
    if (engine == nullptr) return status;
  }
  const absl::StatusOr<std::unique_ptr<AuditReplay>> replay = AuditReplay::Open(options.db);
  if (!replay.ok()) return FailOfAudit(options.db, replay.status());
  std::vector<Found> found;
  const absl::Status status =
      (*replay)->Find(absl::AsciiStrToLower(options.id), [&found](const ReplayRecord& record) {
        found.push_back({record.decision, record.id.ToString(), record.time, record.request_time,
                         record.latency, record.level, record.writer, record.seq});
        return found.size() < 2;
      });
  if (!status.ok()) return FailOfAudit(options.db, status);
  if ((*replay)->damage().segments > 0) {
    std::fprintf(stderr, "%s; `reeve audit verify` finds all that is damaged\n",
                 (*replay)->damage().first.c_str());
    if (found.empty()) return kFailure;
  }
  if (found.empty()) {
    std::fprintf(stderr, "%s: no decision has an id that begins with `%s`\n",
                 Shown(options.db).c_str(), Shown(options.id).c_str());
    return kNo;
  }
  if (found.size() > 1) {
    std::fprintf(
        stderr,
        "several decisions have an id that begins with `%s`, such as %s and %s; write more of it\n",
        Shown(options.id).c_str(), found[0].id.c_str(), found[1].id.c_str());
    return kBadCall;
  }
  Json json;
  if (options.format == Format::kJson) {
    json = ToJson(found[0]);
  } else {
    PrintText(found[0]);
  }
  const int result = engine == nullptr ? kYes : Redecide(found[0], *engine, options, &json);
  if (options.format == Format::kJson) std::puts(JsonText(json).c_str());
  return result;
}

}  // namespace

void AddExplain(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "explain",
      "Show why a recorded decision came out so: its rules, their clauses and what each came to.\n"
      "Exit status: 0 shown, 1 there is no such decision, 2 the call is wrong, several ids begin "
      "so, or "
      "the record does not hold what was asked, 3 the file cannot be read.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  command
      ->add_option("ID", options->id,
                   "the id of the decision, or the beginning of it if no other begins so")
      ->required();
  command
      ->add_option("--policy", options->policy,
                   "decide the recorded request again by this policy set, at the recorded time, "
                   "and show the "
                   "facts that the clauses saw")
      ->option_text("POLICY");
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with the policy; may be repeated")
      ->allow_extra_args(false)
      ->needs("--policy")
      ->option_text("FILE");
  options->trust.AddOption(command)->needs("--policy");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve explain audit.db 01920f6e-7d2a\n"
      "  reeve explain audit.db 01920f6e-7d2a-7c3b-9e41-5d0c8a7b6f21 --policy policy/");
  command->callback([options, status] { *status = Explain(*options); });
}

}  // namespace reeve
