// `reeve diff`: what changes between two policy sets.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/audit_command.h"
#include "cli/replay_engine.h"
#include "cli/trust.h"
#include "reeve/cli/output.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/text.h"
#include "reeve/store/replay.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string old_policy;
  std::string new_policy;
  std::vector<std::string> entities;
  Trust trust;
  std::string db;
  std::string since;
  std::string until;
  int64_t limit = std::numeric_limits<int64_t>::max();
  Format format = Format::kText;
};

// Two sets rule by rule.

std::vector<std::string> TextsOf(const std::vector<Pattern>& patterns) {
  std::vector<std::string> texts;
  for (const Pattern& pattern : patterns) {
    texts.push_back(absl::StrCat(static_cast<int>(pattern.kind()), pattern.text()));
  }
  std::sort(texts.begin(), texts.end());  // their order means nothing
  return texts;
}

// What the clauses say, with what the names under `let` stand for.
std::vector<std::string> TextsOf(const std::vector<Condition>& when) {
  std::vector<std::string> texts;
  for (const Condition& condition : when) texts.push_back(condition.program->text);
  return texts;
}

std::vector<std::string> TextsOf(const TextTemplate& text) {
  std::vector<std::string> texts = {text.text};
  for (const TextTemplate::Fact& fact : text.facts) {
    texts.push_back(absl::StrCat(fact.at, " ", fact.expression.program->text));
  }
  return texts;
}

std::vector<std::vector<std::string>> TextsOf(const std::vector<Obligation>& obligations) {
  std::vector<std::vector<std::string>> texts;
  for (const Obligation& obligation : obligations) {
    texts.push_back({obligation.id});
    for (const auto& [name, text] : obligation.with) {
      texts.push_back(TextsOf(text));
      texts.back().push_back(name);
    }
  }
  return texts;
}

// The parts in which the rules differ.
std::vector<std::string> Differences(const Rule& a, const Rule& b) {
  std::vector<std::string> parts;
  const auto add = [&parts](bool differs, const char* part) {
    if (differs) parts.emplace_back(part);
  };
  add(a.effect != b.effect, "effect");
  add(TextsOf(a.principals) != TextsOf(b.principals), "principals");
  add(TextsOf(a.actions) != TextsOf(b.actions), "actions");
  add(TextsOf(a.resources) != TextsOf(b.resources), "resources");
  add(TextsOf(a.when) != TextsOf(b.when), "when");
  add(a.shadow != b.shadow, "shadow");
  add(a.audit != b.audit, "audit");
  add(TextsOf(a.message) != TextsOf(b.message), "message");
  add(TextsOf(a.obligations) != TextsOf(b.obligations), "obligations");
  return parts;
}

int DiffRules(const Snapshot& before, const Snapshot& after, Format format) {
  std::vector<std::string> added, removed;
  std::map<std::string, std::vector<std::string>> changed;
  size_t a = 0, b = 0;
  while (a < before.rule_count() || b < after.rule_count()) {
    const bool a_ends = a == before.rule_count();
    const bool b_ends = b == after.rule_count();
    if (b_ends || (!a_ends && before.rule_id(a) < after.rule_id(b))) {
      removed.emplace_back(before.rule_id(a++));
    } else if (a_ends || after.rule_id(b) < before.rule_id(a)) {
      added.emplace_back(after.rule_id(b++));
    } else {
      const Rule rule = before.rule(a++);
      std::vector<std::string> parts = Differences(rule, after.rule(b++));
      if (!parts.empty()) changed[rule.id] = std::move(parts);
    }
  }
  const bool same = added.empty() && removed.empty() && changed.empty();
  const bool same_text = before.digest() == after.digest();
  if (format == Format::kJson) {
    Json changes = Json::array();
    for (const auto& [id, parts] : changed) changes.push_back({{"rule", id}, {"parts", parts}});
    std::puts(JsonText(Json{{"old_policy", before.digest()},
                            {"new_policy", after.digest()},
                            {"added", added},
                            {"removed", removed},
                            {"changed", std::move(changes)}})
                  .c_str());
  } else {
    const bool colour = IsTerminal();
    for (const std::string& id : removed) std::puts(Colour("- " + id, kRed, colour).c_str());
    for (const std::string& id : added) std::puts(Colour("+ " + id, kGreen, colour).c_str());
    for (const auto& [id, parts] : changed) {
      std::printf("~ %s: %s\n", id.c_str(), absl::StrJoin(parts, ", ").c_str());
    }
    if (same) {
      std::puts(same_text ? "the same policy"
                          : "the same rules; roles, entities or what means nothing may differ: see "
                            "--audit");
    }
  }
  return same && same_text ? kYes : kNo;
}

// Recorded decisions under both.

std::string RuleIds(Decision::Rules rules) {
  return absl::StrJoin(rules, ", ",
                       [](std::string* out, const RuleOutcome& rule) { out->append(rule.id()); });
}

// What the caller gets to see and must do.
bool SameForCaller(const Decision& a, const Decision& b) {
  std::vector<std::string> of_a, of_b;
  for (const auto& [decision, ids] : {std::pair(&a, &of_a), std::pair(&b, &of_b)}) {
    for (const MadeObligation& obligation : decision->obligations()) {
      ids->emplace_back(obligation.id());
    }
    std::sort(ids->begin(), ids->end());
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }
  return a.allowed() == b.allowed() && of_a == of_b && a.message() == b.message();
}

std::string AnswerText(const Decision& decision) {
  return decision.rules().empty() ? std::string(ToString(decision.reason()))
                                  : absl::StrCat(std::string(ToString(decision.reason())), ": ",
                                                 RuleIds(decision.rules()));
}

// Records that change in one way, of one principal.
struct Group {
  std::string change;  // "allow -> deny", or "allow" if only obligations or the message do.
  std::string before;  // reason and rules
  std::string after;
  std::string principal;
  int64_t count = 0;
  std::string example;  // The id of the newest.
};

struct Totals {
  int64_t records = 0;  // that were read
  int64_t changed = 0;
  int64_t other_rules = 0;     // the same answer for other rules or another reason
  int64_t not_reproduced = 0;  // the old policy does not answer as recorded
  int64_t malformed = 0;       // what was malformed is not in the record
  std::map<std::string, int64_t> obstacles;
  int64_t groups_left_out = 0;  // records in groups beyond the most that are kept
};

class AuditDiff {
 public:
  AuditDiff(const ReplayEngine& before, const ReplayEngine& after)
      : before_(before),
        after_(after),
        reads_time_(before.snapshot().reads_time() || after.snapshot().reads_time()) {}

  void Add(const ReplayRecord& record) {
    ++totals_.records;
    const RecordedDecision& decision = record.decision;
    Result made;
    Result* result = &made;
    if (reads_time_) {
      made = Decide(decision, record.request_time);
    } else {
      if (results_.size() > kMaxResults) results_.clear();
      const auto [known, is_new] = results_.try_emplace(decision.number);
      if (is_new) known->second = Decide(decision, record.request_time);
      result = &known->second;
    }
    Count(*result, record);
  }

  const Totals& totals() const { return totals_; }

  // The largest first.
  std::vector<Group> Groups() const {
    std::vector<Group> groups;
    for (const auto& [key, group] : groups_) groups.push_back(*group);
    std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
      if (a.count != b.count) return a.count > b.count;
      return std::tie(a.change, a.before, a.after, a.principal) <
             std::tie(b.change, b.before, b.after, b.principal);
    });
    return groups;
  }

 private:
  static constexpr size_t kMaxResults = 200000;
  static constexpr size_t kMaxGroups = 100000;

  struct Result {
    enum class Kind { kObstacle, kMalformed, kSame, kOtherRules, kChanged };
    Kind kind = Kind::kSame;
    bool reproduced = true;
    Group* group = nullptr;  // Of kChanged; null if there are too many.
  };

  Result Decide(const RecordedDecision& recorded, absl::Time time) {
    Result result;
    if (!recorded.obstacle().empty()) {
      result.kind = Result::Kind::kObstacle;
      return result;
    }
    const Request request = recorded.RequestAt(time);
    const Decision before = before_.Decide(request);
    if (recorded.reason == Reason::kBadRequest && before.reason() != Reason::kBadRequest) {
      // Whoever made the request found it malformed, by what does not stand in it.
      result.kind = Result::Kind::kMalformed;
      return result;
    }
    const Decision after = after_.Decide(request);
    result.reproduced = SameAnswer(recorded, before);
    const std::string of_before = AnswerText(before), of_after = AnswerText(after);
    if (!SameForCaller(before, after)) {
      result.kind = Result::Kind::kChanged;
      const char* const words[] = {"deny", "allow"};
      std::string change = words[before.allowed()];
      if (before.allowed() != after.allowed()) {
        absl::StrAppend(&change, " -> ", words[after.allowed()]);
      } else {
        change += ", told otherwise";
      }
      result.group = GroupOf(std::move(change), of_before, of_after,
                             ToString(EntityView(recorded.principal.id)));
    } else if (of_before != of_after) {
      result.kind = Result::Kind::kOtherRules;
    }
    return result;
  }

  Group* GroupOf(std::string change, const std::string& before, const std::string& after,
                 const std::string& principal) {
    const std::string key = absl::StrJoin({change, before, after, principal}, "\n");
    const auto known = groups_.find(key);
    if (known != groups_.end()) return known->second.get();
    if (groups_.size() >= kMaxGroups) return nullptr;
    auto group = std::make_unique<Group>(Group{std::move(change), before, after, principal, 0, ""});
    return groups_.emplace(key, std::move(group)).first->second.get();
  }

  void Count(const Result& result, const ReplayRecord& record) {
    totals_.not_reproduced += result.reproduced ? 0 : 1;
    switch (result.kind) {
      case Result::Kind::kObstacle:
        ++totals_.obstacles[std::string(record.decision.obstacle())];
        break;
      case Result::Kind::kMalformed:
        ++totals_.malformed;
        break;
      case Result::Kind::kSame:
        break;
      case Result::Kind::kOtherRules:
        ++totals_.other_rules;
        break;
      case Result::Kind::kChanged:
        ++totals_.changed;
        if (result.group == nullptr) {
          ++totals_.groups_left_out;
        } else if (result.group->count++ == 0) {
          result.group->example = record.id.ToString();
        }
        break;
    }
  }

  const ReplayEngine& before_;
  const ReplayEngine& after_;
  const bool reads_time_;
  absl::flat_hash_map<uint64_t, Result> results_;  // By RecordedDecision::number.
  absl::flat_hash_map<std::string, std::unique_ptr<Group>> groups_;
  Totals totals_;
};

void PrintText(const AuditDiff& diff) {
  const std::vector<Group> groups = diff.Groups();
  if (!groups.empty()) {
    Table table({"change", "count", "principal", "old", "new", "example"}, 2);
    for (const Group& group : groups) {
      table.AddRow({group.change, absl::StrCat(group.count), group.principal, group.before,
                    group.after, group.example});
    }
    std::fputs(table.ToString(TerminalWidth()).c_str(), stdout);
  }
  const Totals& totals = diff.totals();
  std::printf("%lld of %lld recorded decisions change; %lld keep their answer for other rules\n",
              static_cast<long long>(totals.changed), static_cast<long long>(totals.records),
              static_cast<long long>(totals.other_rules));
}

// What the answer does not cover, on standard error.
void SayWhatIsMissing(const AuditDiff& diff, const AuditReplay::Damage& damage) {
  const Totals& totals = diff.totals();
  for (const auto& [why, count] : totals.obstacles) {
    std::fprintf(stderr, "%lld records do not hold what was asked (%s) and are left out\n",
                 static_cast<long long>(count), why.c_str());
  }
  if (totals.malformed > 0) {
    std::fprintf(stderr,
                 "%lld requests were malformed in a way that is not recorded, and are left out\n",
                 static_cast<long long>(totals.malformed));
  }
  if (totals.not_reproduced > 0) {
    std::fprintf(
        stderr,
        "the old policy answers %lld records otherwise than recorded: it is not what was in "
        "force, or entities or limits were others\n",
        static_cast<long long>(totals.not_reproduced));
  }
  if (totals.groups_left_out > 0) {
    std::fprintf(stderr, "%lld changes are counted and not listed: there are too many kinds\n",
                 static_cast<long long>(totals.groups_left_out));
  }
  if (damage.segments > 0) {
    std::fprintf(stderr, "%lld segments are damaged and are left out; the first: %s\n",
                 static_cast<long long>(damage.segments), damage.first.c_str());
  }
}

void PrintJson(const AuditDiff& diff, const AuditReplay::Damage& damage, const Snapshot& before,
               const Snapshot& after) {
  Json groups = Json::array();
  for (const Group& group : diff.Groups()) {
    groups.push_back({{"change", group.change},
                      {"old", group.before},
                      {"new", group.after},
                      {"principal", group.principal},
                      {"count", group.count},
                      {"example", group.example}});
  }
  const Totals& totals = diff.totals();
  Json left_out = Json::object();
  for (const auto& [why, count] : totals.obstacles) left_out[why] = count;
  if (totals.malformed > 0) left_out["malformed"] = totals.malformed;
  std::puts(JsonText(Json{{"old_policy", before.digest()},
                          {"new_policy", after.digest()},
                          {"records", totals.records},
                          {"changed", totals.changed},
                          {"other_rules", totals.other_rules},
                          {"not_reproduced", totals.not_reproduced},
                          {"left_out", std::move(left_out)},
                          {"damaged_segments", damage.segments},
                          {"groups", std::move(groups)},
                          {"changes_not_listed", totals.groups_left_out}})
                .c_str());
}

int DiffAudit(const Options& options, const ReplayEngine& before, const ReplayEngine& after) {
  AuditReplay::Range range;
  const absl::Time now = absl::Now();
  for (const auto& [text, moment] :
       {std::pair(&options.since, &range.since), std::pair(&options.until, &range.until)}) {
    if (text->empty()) continue;
    *moment = ParseMoment(*text, now);
    if (moment->has_value()) continue;
    std::fprintf(stderr, "`%s` is not a time; write `30m`, `1h`, `7d` or `2026-11-20T09:00:00Z`\n",
                 Printable(*text).c_str());
    return kBadCall;
  }
  const absl::StatusOr<std::unique_ptr<AuditReplay>> replay = AuditReplay::Open(options.db);
  if (!replay.ok()) return FailOfAudit(options.db, replay.status());
  AuditDiff diff(before, after);
  const absl::Status status = (*replay)->ForEach(
      range,
      [&](const ReplayRecord& record) {
        diff.Add(record);
        return diff.totals().records < options.limit;
      },
      ShowProgress);
  if (!status.ok()) return FailOfAudit(options.db, status);
  SayWhatIsMissing(diff, (*replay)->damage());
  if (options.format == Format::kJson) {
    PrintJson(diff, (*replay)->damage(), before.snapshot(), after.snapshot());
  } else {
    PrintText(diff);
  }
  if ((*replay)->damage().segments > 0) return kFailure;
  return diff.totals().changed > 0 ? kNo : kYes;
}

int Diff(Options& options) {
  if (!options.trust.Read()) return kBadCall;
  const auto load = [&options](const std::string& policy, int* status) {
    return ReplayEngine::Load(policy, options.entities, options.trust.limits(), status);
  };
  int status = kYes;
  const std::unique_ptr<ReplayEngine> before = load(options.old_policy, &status);
  if (before == nullptr) return status;
  const std::unique_ptr<ReplayEngine> after = load(options.new_policy, &status);
  if (after == nullptr) return status;
  return options.db.empty() ? DiffRules(before->snapshot(), after->snapshot(), options.format)
                            : DiffAudit(options, *before, *after);
}

}  // namespace

void AddDiff(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "diff",
      "Show what changes between two policy sets: rule by rule, or, with --audit, which recorded "
      "decisions would come out otherwise, by rule and principal.\n"
      "Exit status: 0 nothing changes, 1 something does, 2 a policy or the call is wrong, 3 the "
      "file cannot be read or is damaged.");
  auto options = std::make_shared<Options>();
  command->add_option("OLD", options->old_policy, "a policy file, or a directory of them")
      ->required();
  command->add_option("NEW", options->new_policy, "another")->required();
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with both; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  options->trust.AddOption(command);
  CLI::Option* const audit =
      command
          ->add_option("--audit", options->db,
                       "decide what this file has recorded again by both, at the recorded times")
          ->check(NotEmpty())
          ->option_text("DB");
  command->add_option("--since", options->since, "not before: 30m, 1h, 7d, 2026-11-20T09:00:00Z")
      ->check(NotEmpty())
      ->needs(audit)
      ->option_text("TIME");
  command->add_option("--until", options->until, "before that time")
      ->check(NotEmpty())
      ->needs(audit)
      ->option_text("TIME");
  command->add_option("--limit", options->limit, "no more than so many records, the newest")
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()))
      ->needs(audit)
      ->option_text("N");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve diff policy/ policy.new/\n"
      "  reeve diff policy/ policy.new/ --audit audit.db --since 7d");
  command->callback([options, status] { *status = Diff(*options); });
}

}  // namespace reeve
