#include "reeve/engine/testing.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "reeve/engine/cel/program.h"

namespace reeve {

void DecisionBuilder::SetRules(Decision::Rules rules, Decision::Rules near_misses,
                               Decision::Rules shadow_rules, Decision* decision) {
  decision->rules_.assign(rules.begin(), rules.end());
  decision->near_misses_.assign(near_misses.begin(), near_misses.end());
  decision->shadow_rules_.assign(shadow_rules.begin(), shadow_rules.end());
}

}  // namespace reeve

namespace reeve::testing {
namespace {

template <typename T>
T ValueOrDie(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  std::abort();
}

bool SkipPrefix(std::string_view prefix, std::string_view* text) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace

Pattern PrincipalPattern(std::string_view text) {
  if (text == "anyone") return Pattern::Any();
  if (text == "authenticated") return Pattern::Authenticated();
  if (SkipPrefix("role:", &text)) return Pattern::Role(std::string(text));
  if (SkipPrefix("re:", &text)) return ValueOrDie(Pattern::Regex(text));
  return ValueOrDie(Pattern::Entity(text));
}

Pattern ActionPattern(std::string_view text) {
  return text == "any" ? Pattern::Any() : ValueOrDie(Pattern::Action(text));
}

Pattern ResourcePattern(std::string_view text) {
  if (text == "any") return Pattern::Any();
  if (SkipPrefix("re:", &text)) return ValueOrDie(Pattern::Regex(text));
  return ValueOrDie(Pattern::Entity(text));
}

Rule MakeRule(std::string_view id, const std::vector<std::string>& principals,
              const std::vector<std::string>& actions, const std::vector<std::string>& resources) {
  Rule rule;
  rule.effect = id[0] == '+' ? Effect::kAllow : Effect::kDeny;
  rule.id = std::string(id.substr(1));
  for (const std::string& text : principals) rule.principals.push_back(PrincipalPattern(text));
  for (const std::string& text : actions) rule.actions.push_back(ActionPattern(text));
  for (const std::string& text : resources) rule.resources.push_back(ResourcePattern(text));
  return rule;
}

Condition MakeCondition(std::string text) {
  auto program = std::make_shared<cel::Program>();
  program->text = text;
  program->constants = {cel::Cell::Bool(true)};
  program->code = {{cel::Op::kConstant}, {cel::Op::kReturn}};
  program->stack = 1;
  return {std::move(text), std::move(program)};
}

EntityId MakeId(std::string_view text) { return ValueOrDie(ParseEntityId(text)); }

Entity MakeEntity(std::string_view id, const std::vector<std::string>& parents) {
  Entity entity;
  entity.id = MakeId(id);
  for (const std::string& parent : parents) entity.parents.push_back(MakeId(parent));
  return entity;
}

Principal MakePrincipal(std::string_view id, std::vector<std::string> groups) {
  Principal principal(MakeId(id), Assurance::kKernel);
  principal.groups = std::move(groups);
  return principal;
}

std::string Ids(Decision::Rules rules) {
  std::string text;
  for (const RuleOutcome& rule : rules) text.append(text.empty() ? "" : " ").append(rule.id());
  return text;
}

}  // namespace reeve::testing
