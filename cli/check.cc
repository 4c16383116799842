// `reeve check`: decides requests that are given as JSON.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/no_record.h"
#include "cli/trust.h"
#include "reeve/adapters/authzen/decision_json.h"
#include "reeve/adapters/authzen/evaluate_json.h"
#include "reeve/adapters/authzen/request_json.h"
#include "reeve/cli/explanation_output.h"
#include "reeve/cli/input.h"
#include "reeve/cli/output.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/text.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"

namespace reeve {
namespace {

struct Options {
  std::string policy;
  std::vector<std::string> entities;
  Trust trust;
  std::string shadow;
  std::string audit;
  std::string request = "-";
  bool explain = false;
  bool json_lines = false;
  Format format = Format::kText;
};

std::string RuleIds(Decision::Rules rules) {
  std::string ids;
  for (const RuleOutcome& rule : rules) ids.append(ids.empty() ? "" : ", ").append(rule.id());
  return ids;
}

std::string Shown(std::string_view text) { return Printable(text); }

void PrintText(const Decision& decision, const Request& request, bool explain) {
  const bool colour = IsTerminal();
  const std::string verdict =
      decision.allowed() ? Colour("allow", kGreen, colour) : Colour("deny", kRed, colour);
  std::printf("%s  %s", verdict.c_str(), std::string(ToString(decision.reason())).c_str());
  if (!decision.rules().empty()) std::printf("  %s", RuleIds(decision.rules()).c_str());
  std::puts("");
  if (!decision.error().empty()) std::printf("error: %s\n", Shown(decision.error()).c_str());
  if (!decision.message().empty()) std::printf("message: %s\n", Shown(decision.message()).c_str());
  for (const MadeObligation& obligation : decision.obligations()) {
    std::printf("obligation: %s\n", Shown(obligation.ToString()).c_str());
  }
  if (!decision.near_misses().empty()) {
    std::printf("nearest misses: %s\n", RuleIds(decision.near_misses()).c_str());
  }
  if (!decision.shadow_rules().empty()) {
    std::printf("shadow: %s\n", RuleIds(decision.shadow_rules()).c_str());
  }
  if (const Decision* shadow = decision.shadow(); shadow != nullptr) {
    std::printf("shadow set: %s  %s%s%s%s\n", shadow->allowed() ? "allow" : "deny",
                std::string(ToString(shadow->reason())).c_str(),
                shadow->rules().empty() ? "" : "  ", RuleIds(shadow->rules()).c_str(),
                decision.shadow_differs() ? "  (differs)" : "");
  }
  std::printf("id: %s\n", decision.id().ToString().c_str());
  if (explain) std::printf("\n%s", ExplanationText(decision, request, colour).c_str());
}

int StatusOf(bool allowed, bool malformed, bool record_failed) {
  if (record_failed) return kFailure;
  return malformed ? kBadCall : allowed ? kYes : kNo;
}

// The answer, and beside its reason why it is so.
std::string ExplainedJson(const Decision& decision, const Request& request) {
  nlohmann::ordered_json answer = nlohmann::ordered_json::parse(ToJson(decision));
  answer["context"]["explanation"] = ExplanationJson(decision, request);
  return JsonText(answer);
}

// One request, or one batch, which is always answered in JSON.
int CheckOne(const Engine& engine, const Options& options, const std::string& text) {
  const JsonBatch batch = JsonBatch::Parse(text, engine.snapshot()->schema());
  if (!batch.single) {
    const JsonAnswer answer = EvaluateJson(engine, text);
    std::puts(answer.json.c_str());
    return StatusOf(answer.allowed, answer.malformed, answer.record_failed);
  }
  const Request request = batch.requests[0].request();
  const Decision decision = engine.Decide(request);
  if (options.format == Format::kJson) {
    std::puts((options.explain ? ExplainedJson(decision, request) : ToJson(decision)).c_str());
  } else {
    PrintText(decision, request, options.explain);
  }
  return StatusOf(decision.allowed(), decision.reason() == Reason::kBadRequest,
                  decision.record_failed());
}

// The worst of the lines is the status of all.
int CheckLines(const Engine& engine, Input& in) {
  int status = kYes;
  bool any = false;
  for (std::string line; in.Read(false, &line); any = true) {
    const JsonAnswer answer = EvaluateJson(engine, line);
    std::puts(answer.json.c_str());
    if (!FlushOutput()) return kFailure;  // whoever asks line by line waits for the answer
    status = std::max(status, StatusOf(answer.allowed, answer.malformed, answer.record_failed));
  }
  if (in.Failed()) return std::max<int>(status, kBadCall);
  if (!any) {
    // Else a script whose requests got lost would take that for yes.
    std::fputs("no request was given\n", stderr);
    return kBadCall;
  }
  return status;
}

// Says what is wrong; null if it does not load.
std::shared_ptr<const Snapshot> Load(const std::string& policy, const Options& options) {
  const LoadResult loaded = LoadPolicy(policy, options.entities, options.trust.limits());
  for (const Issue& issue : loaded.issues)
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  return loaded.ok() ? loaded.snapshot : nullptr;
}

int Check(Options& options) {
  if (!options.trust.Read()) return kBadCall;
  const std::shared_ptr<const Snapshot> snapshot = Load(options.policy, options);
  if (snapshot == nullptr) return kBadCall;
  std::shared_ptr<const Snapshot> shadow;
  if (!options.shadow.empty()) {
    shadow = Load(options.shadow, options);
    if (shadow == nullptr) return kBadCall;
  }

  NoRecord no_record;
  std::unique_ptr<AuditStore> store;
  if (!options.audit.empty()) {
    absl::StatusOr<std::unique_ptr<AuditStore>> opened = AuditStore::Open(options.audit);
    if (!opened.ok()) {
      std::fprintf(stderr, "%s\n", std::string(opened.status().message()).c_str());
      return kFailure;
    }
    store = *std::move(opened);
  }
  Engine::Options engine_options;
  engine_options.audit = store != nullptr ? static_cast<AuditSink*>(store.get()) : &no_record;
  engine_options.audit_level = AuditLevel::kDurable;  // an answer says whether its record was kept
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(engine_options);
  if (!engine.ok() || !(*engine)->Replace(snapshot).ok()) return kFailure;
  if (shadow != nullptr) (*engine)->ReplaceShadow(shadow);

  Input in(options.request);
  if (options.json_lines) return CheckLines(**engine, in);
  std::string text;
  in.Read(true, &text);
  if (in.Failed()) return kBadCall;
  return CheckOne(**engine, options, text);
}

}  // namespace

void AddCheck(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "check",
      "Decide a request, an AuthZEN evaluation in JSON, by a policy set.\n"
      "Exit status: 0 allowed, 1 denied, 2 the policy or the request is wrong or missing, 3 no "
      "record could be kept.");
  auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them")
      ->required();
  command->add_option("REQUEST", options->request, "a file of JSON; - is standard input")
      ->option_text("FILE [-]");
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with the policy; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  options->trust.AddOption(command);
  command
      ->add_option("--shadow", options->shadow,
                   "another policy set, evaluated beside it: the answer says what it would be")
      ->option_text("POLICY");
  command->add_option("--audit", options->audit, "keep a record of each decision in this file")
      ->option_text("DB");
  command->add_flag(
      "--explain", options->explain,
      "show why: how far each relevant rule matched, by which pattern, "
      "what its clauses came to on which facts, and what would have had to be otherwise");
  command
      ->add_flag("--jsonl", options->json_lines,
                 "one request a line, one answer in JSON a line; the status is that of the worst")
      ->excludes("--explain");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  echo '{\"subject\": {\"type\": \"user\", \"id\": \"ada\"}, \"action\": {\"name\": "
      "\"doc.read\"},\n"
      "         \"resource\": {\"type\": \"doc\", \"id\": \"/finance/q3\"}}' | reeve check "
      "policy/\n"
      "  reeve check --explain policy/ request.json\n"
      "  reeve check --jsonl --audit audit.db policy/ < requests.jsonl");
  command->callback([options, status] { *status = Check(*options); });
}

}  // namespace reeve
