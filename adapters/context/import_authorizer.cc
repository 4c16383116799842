#include "reeve/adapters/context/import_authorizer.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

Principal WithoutToken() {
  Principal principal;
  principal.via = "context";
  principal.evidence = "no exporter";
  return principal;
}

// "replayed: the context was imported before"
std::string Describe(const absl::Status& refusal) {
  const std::optional<ContextError> error = ContextErrorOf(refusal);
  const std::string_view word = error.has_value() ? ToString(*error) : "refused";
  return Printable(absl::StrCat(std::string(word), ": ", refusal.message()), 1000);
}

}  // namespace

absl::Status ImportByPolicy::Authorize(const ImportAttempt& attempt) {
  const Principal exporter =
      attempt.exporter == nullptr ? WithoutToken() : attempt.exporter->principal();
  const std::string package = Printable(attempt.package, 64);
  Attributes context;
  context.Set("package", Value::String(package));
  if (!attempt.evidence.empty()) {
    context.Set("seal", Value::String(std::string(attempt.evidence)));
  }
  EntityId resource("context", package);
  std::vector<EntityId> parents;
  const Attributes* attributes = nullptr;
  if (attempt.principal != nullptr) {
    const Principal& principal = *attempt.principal;
    context.Set("assurance", Value::String(std::string(ToString(principal.assurance))));
    context.Set("evidence", Value::String(principal.evidence));
    context.Set("expires", Value::Timestamp(attempt.expires));
    context.Set("groups_complete", Value::Bool(principal.groups_complete));
    context.Set("via", Value::String(principal.via));
    resource = principal.id;
    parents = principal.parents;
    for (const std::string& group : principal.groups) parents.emplace_back("group", group);
    attributes = &principal.attributes;
  }
  const std::string defect = attempt.refusal.ok() ? std::string() : Describe(attempt.refusal);

  Request request(exporter, kAction, resource);
  request.resource_attributes = attributes;
  request.resource_parents = parents;
  request.context = &context;
  request.defect = defect;
  const Decision decision = engine_.Decide(request);

  if (decision.record_failed()) {
    return MakeContextError(
        ContextError::kInternal,
        absl::StrCat("the import could not be recorded: ", std::string(decision.error())));
  }
  if (decision.reason() == Reason::kBadRequest) {
    return MakeContextError(
        ContextError::kExporterNotAllowed,
        absl::StrCat("no rule can be asked whether `", Printable(ToString(resource)),
                     "` may be handed over: ", std::string(decision.error())));
  }
  if (!decision.allowed()) {
    return MakeContextError(
        ContextError::kExporterNotAllowed,
        absl::StrCat("no rule lets `", Printable(ToString(exporter.id)), "` hand over `",
                     Printable(ToString(resource)), "` (", std::string(ToString(decision.reason())),
                     "); allow the action `", std::string(kAction), "`, or see the record ",
                     decision.id().ToString()));
  }
  if (decision.obligations().empty()) return absl::OkStatus();
  std::string obliging;
  for (const RuleOutcome& rule : decision.rules()) {
    if (!decision.snapshot()->rule(rule.number).obligations.empty()) {
      obliging = rule.id();
      break;
    }
  }
  return MakeContextError(ContextError::kExporterNotAllowed,
                          absl::StrCat("rule `", obliging,
                                       "` lets the context be imported with obligations, which "
                                       "nothing meets; take them off the rule"));
}

}  // namespace reeve
