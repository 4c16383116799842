#include "reeve/tests/differential/compare.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/time/time.h"
#include "reeve/engine/explain.h"
#include "reeve/engine/snapshot_image.h"
#include "reeve/engine/text.h"

namespace reeve::differential {
namespace {

using reference::Answer;
using reference::RuleMatch;
using reference::Truth;
using reference::World;

using reference::ClauseOutcomeList;
using reference::NamedRule;

// `p7[true,not_evaluated]`
std::string Named(const std::string& id, const ClauseOutcomeList& clauses) {
  std::string text = " " + id;
  for (const ClauseOutcome clause : clauses) {
    text.append(1, text.find('[') == std::string::npos ? '[' : ',').append(ToString(clause));
  }
  return clauses.empty() ? text : text + "]";
}

std::string Join(Decision::Rules rules) {
  std::string text;
  for (const RuleOutcome& rule : rules) {
    ClauseOutcomeList clauses;
    for (size_t i = 0; i < rule.when().size(); ++i) clauses.push_back(rule.clauses[i]);
    text += Named(std::string(rule.id()), clauses);
  }
  return text;
}

std::string Join(const std::vector<NamedRule>& rules) {
  std::string text;
  for (const NamedRule& rule : rules) text += Named(rule.id, rule.clauses);
  return text;
}

std::string Summary(Reason reason, const std::string& rules, const std::string& near_misses,
                    const std::string& shadow_rules, std::string_view message,
                    const std::vector<std::string>& obligations) {
  std::string text = std::string(ToString(reason)) + ", rules:" + rules +
                     "; near misses:" + near_misses + "; shadow:" + shadow_rules +
                     "; message: " + std::string(message) + "; obligations:";
  for (const std::string& obligation : obligations) text += " " + Printable(obligation, 4096);
  return text;
}

std::vector<std::string> ObligationsOf(const Decision& decision) {
  std::vector<std::string> texts;
  for (const MadeObligation& obligation : decision.obligations()) {
    std::string text(obligation.id());
    for (size_t i = 0; i < obligation.size(); ++i) {
      text.append(i == 0 ? " {" : ",").append("\"").append(obligation.name(i));
      text.append("\":\"").append(obligation.value(i)).append("\"");
    }
    texts.push_back(obligation.size() == 0 ? text : text + "}");
  }
  return texts;
}

std::string Summary(const Decision& decision) {
  return Summary(decision.reason(), Join(decision.rules()), Join(decision.near_misses()),
                 Join(decision.shadow_rules()), decision.message(), ObligationsOf(decision));
}

std::string Summary(const Answer& answer) {
  return Summary(answer.reason, Join(answer.rules), Join(answer.near_misses),
                 Join(answer.shadow_rules), answer.message, answer.obligations);
}

bool Same(Decision::Rules got, const std::vector<NamedRule>& want) {
  return std::equal(got.begin(), got.end(), want.begin(), want.end(),
                    [](const RuleOutcome& rule, const NamedRule& named) {
                      ClauseOutcomes clauses;
                      for (size_t i = 0; i < named.clauses.size(); ++i) {
                        clauses.Set(i, named.clauses[i]);
                      }
                      return rule.id() == named.id && rule.clauses == clauses;
                    });
}

const char* Word(Truth truth) {
  return truth == Truth::kTrue ? "yes" : truth == Truth::kUnknown ? "unknown" : "no";
}

std::string Line(const std::string& id, const ClauseOutcomeList& clauses,
                 std::string_view principals, std::string_view actions,
                 std::string_view resources) {
  return Named(id, clauses)
             .append(" ")
             .append(principals)
             .append(" ")
             .append(actions)
             .append(" ")
             .append(resources) +
         "\n";
}

// Of clauses that nothing binds names for there is nothing to say.
std::string ExplanationOf(const Decision& decision, const Request& request, const Answer& answer) {
  std::string text;
  for (const RuleExplanation& e : Explain(decision, request).rules) {
    const auto match = std::find_if(answer.matches.begin(), answer.matches.end(),
                                    [&e](const RuleMatch& m) { return m.rule->id == e.rule->id; });
    ClauseOutcomeList clauses;
    if (match == answer.matches.end() || !match->no_way) {
      for (const ClauseExplanation& clause : e.clauses) clauses.push_back(clause.outcome);
    }
    text += Line(e.rule->id, clauses, ToString(e.principals), ToString(e.actions),
                 ToString(e.resources));
  }
  return text;
}

// The rules that matched, then those that missed by one pattern only.
std::string ExplanationOf(const Answer& answer) {
  std::string matched, missed_by_one;
  for (const RuleMatch& m : answer.matches) {
    int missed = 0;
    for (const Truth truth : {m.principals, m.actions, m.resources}) {
      if (truth == Truth::kFalse) ++missed;
    }
    if (missed > 1) continue;
    (m.all == Truth::kTrue ? matched : missed_by_one) +=
        Line(m.rule->id, m.no_way ? ClauseOutcomeList() : m.clauses, Word(m.principals),
             Word(m.actions), Word(m.resources));
  }
  return matched + missed_by_one;
}

std::shared_ptr<const Snapshot> MakeSnapshot(const World& world) {
  SnapshotBuilder builder;
  for (const Rule& rule : world.rules) builder.AddRule(rule);
  for (const World::Role& role : world.roles) {
    builder.AddRole(role.name, role.members, role.when);
  }
  for (const Entity& entity : world.entities) builder.AddEntity(entity);
  if (world.schema.has_value()) builder.SetSchema(*world.schema);
  auto snapshot = builder.Build();
  if (!snapshot.ok()) {
    std::fprintf(stderr, "the engine refuses a world: %s\n%s\n",
                 snapshot.status().ToString().c_str(), Describe(world).c_str());
    std::abort();
  }
  return *std::move(snapshot);
}

// The same set as it comes back from bytes; it itself, if it has a text that no file has.
std::shared_ptr<const Snapshot> Decoded(std::shared_ptr<const Snapshot> snapshot,
                                        const World& world) {
  const std::string image = EncodeSnapshot(*snapshot);
  auto decoded = DecodeSnapshot(image, world.schema, {1'000'000, 1'000'000, 1'000'000, 1'000'000});
  const std::string message(decoded.status().message());
  if (message.find("a text is malformed") != std::string::npos) return snapshot;
  if (!decoded.ok() || EncodeSnapshot(**decoded) != image) {
    std::fprintf(stderr, "a world does not come back from bytes: %s\n%s\n",
                 decoded.status().ToString().c_str(), Describe(world).c_str());
    std::abort();
  }
  return *std::move(decoded);
}

std::unique_ptr<Engine> MakeEngine(std::shared_ptr<const Snapshot> snapshot) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  auto engine = Engine::Create(options);
  if (!engine.ok() || !(*engine)->Replace(std::move(snapshot)).ok()) std::abort();
  return *std::move(engine);
}

// Empty if they agree, else how they differ.
std::string Difference(const Decision& got, const Answer& want, const Request& request,
                       bool explain) {
  if (want.limit || got.reason() == Reason::kLimit) return {};
  if (request.time.has_value() && got.time() != *request.time) return "another time\n";
  const bool same = got.reason() == want.reason && Same(got.rules(), want.rules) &&
                    Same(got.near_misses(), want.near_misses) &&
                    Same(got.shadow_rules(), want.shadow_rules) && got.message() == want.message &&
                    ObligationsOf(got) == want.obligations;
  if (!same) return "engine:    " + Summary(got) + "\nreference: " + Summary(want) + "\n";
  const bool want_error =
      got.reason() == Reason::kBadRequest ||
      // For an obligation that could not be made.
      (got.reason() == Reason::kDenyUnknown && got.rules()[0].effect() == Effect::kAllow);
  if (got.error().empty() == want_error) {
    return "the engine's error is: " + std::string(got.error()) + "\n";
  }
  if (!explain) return {};
  const std::string got_explanation = ExplanationOf(got, request, want);
  const std::string want_explanation = ExplanationOf(want);
  if (got_explanation == want_explanation) return {};
  return "engine explains:\n" + got_explanation + "reference explains:\n" + want_explanation;
}

// The same of the other ways to ask.
std::string DifferenceElsewhere(const Engine& engine, const Answer& want, Request request,
                                absl::Time time) {
  request.time = time;
  const PreparedPrincipal prepared(*request.principal);
  Request by_prepared = request;
  by_prepared.principal = &prepared.principal();
  by_prepared.prepared = &prepared;
  std::string difference = Difference(engine.Decide(by_prepared), want, by_prepared, false);
  if (!difference.empty()) return "of a prepared principal:\n" + difference;
  const Request batch[] = {request, by_prepared, request};
  for (const Decision& decision : engine.DecideAll(batch)) {
    difference = Difference(decision, want, request, false);
    if (!difference.empty()) return "in a batch:\n" + difference;
  }
  const bool more = request.resource_attributes != nullptr || !request.resource_parents.empty() ||
                    request.provided_resource != nullptr || want.limit;
  if (more) return {};
  const bool allows = want.reason == Reason::kAllowRule;
  const EntityView resources[] = {request.resource, request.resource};
  const std::string_view actions[] = {request.action};
  if (engine.ListAllowed(request, resources).size() != (allows ? 2 : 0) ||
      engine.ListAllowed(by_prepared, actions).size() != (allows ? 1 : 0)) {
    return "in a list\n";
  }
  return {};
}

std::string DifferenceUnder(const World& world, const Request& request, bool explain) {
  const std::shared_ptr<const Snapshot> snapshot = MakeSnapshot(world);
  const std::unique_ptr<Engine> engine = MakeEngine(snapshot);
  const Decision decision = engine->Decide(request);
  const Answer answer = reference::Evaluator(world).Decide(request, decision.time(), explain);
  const std::string difference = Difference(decision, answer, request, explain);
  if (!difference.empty()) return difference;
  return DifferenceElsewhere(*MakeEngine(Decoded(snapshot, world)), answer, request,
                             decision.time());
}

// Leaves out runs of rules, roles and entities for as long as the answers differ.
template <typename T>
void Shrink(World* world, std::vector<T> World::*part, const Request& request, bool explain) {
  std::vector<T>& all = world->*part;
  for (size_t run = std::max<size_t>(all.size() / 2, 1); run > 0; run /= 2) {
    for (size_t at = 0; at < all.size();) {
      const std::vector<T> before = all;
      const size_t end = std::min(at + run, all.size());
      all.erase(all.begin() + at, all.begin() + end);
      if (!DifferenceUnder(*world, request, explain).empty()) continue;
      all = before;
      at += run;
    }
  }
}

// Leaves out clauses.
void ShrinkClauses(World* world, const Request& request, bool explain) {
  const auto shrink = [&](std::vector<Condition>& when) {
    for (size_t i = when.size(); i-- > 0;) {
      const std::vector<Condition> before = when;
      when.erase(when.begin() + static_cast<ptrdiff_t>(i));
      if (DifferenceUnder(*world, request, explain).empty()) when = before;
    }
  };
  for (Rule& rule : world->rules) shrink(rule.when);
  for (World::Role& role : world->roles) shrink(role.when);
}

std::string Describe(const std::vector<Pattern>& patterns) {
  std::string text = "[";
  for (const Pattern& pattern : patterns) {
    if (text.size() > 1) text += ", ";
    if (pattern.kind() == Pattern::Kind::kRole) text += "role:";
    if (pattern.kind() == Pattern::Kind::kRegex) text += "re:";
    text += Printable(pattern.text(), 4096);
  }
  return text + "]";
}

std::string Describe(const std::vector<Condition>& when) {
  std::string text;
  for (const Condition& clause : when) text += "\n  when " + clause.text;
  return text;
}

std::string Describe(const std::vector<SchemaField>& fields) {
  return " " + ToString(SchemaType::Record(fields));
}

std::string Describe(const std::vector<std::string>& names) {
  std::string text = " [";
  for (const std::string& name : names) text += " " + name;
  return text + " ]";
}

std::string Describe(const Schema& schema) {
  std::string text = "context" + Describe(schema.context) + "\n";
  for (const Schema::EntityType& type : schema.entities) {
    text += (type.open ? "open type " : "type ") + type.name + Describe(type.parents) +
            Describe(type.attributes) + "\n";
  }
  for (const Schema::Action& action : schema.actions) {
    text += "action " + action.name + Describe(action.principals) + Describe(action.resources) +
            Describe(action.context) + "\n";
  }
  return text;
}

std::string Describe(const std::string& name, const TextTemplate& text) {
  if (text.empty()) return "";
  std::string described = "\n  " + name + " `" + text.text + "`";
  for (const TextTemplate::Fact& fact : text.facts) described += " {" + fact.expression.text + "}";
  return described;
}

std::string Describe(const Attributes* attributes) {
  if (attributes == nullptr || attributes->empty()) return "";
  return " " + Printable(Value::Of(*attributes).ToString(), 4096);
}

template <typename Ids>
std::string DescribeIds(const Ids& ids) {
  std::string text = "[";
  for (const EntityId& id : ids) {
    text += (text.size() > 1 ? ", " : "") + Printable(ToString(id));
  }
  return text + "]";
}

}  // namespace

Comparison::Comparison(const World& world) : world_(world), reference_(world) {
  const std::shared_ptr<const Snapshot> snapshot = MakeSnapshot(world);
  engine_ = MakeEngine(snapshot);
  from_bytes_ = MakeEngine(Decoded(snapshot, world));
}

bool Comparison::Agree(const Request& request, bool explain) {
  decision_ = engine_->Decide(request);
  const Answer answer = reference_.Decide(request, decision_.time(), explain);
  failure_ = Difference(decision_, answer, request, explain);
  // A quarter of them, as it takes some time.
  if (failure_.empty() && decision_.reason() != Reason::kLimit && asked_++ % 4 == 0) {
    failure_ = DifferenceElsewhere(*from_bytes_, answer, request, decision_.time());
  }
  if (failure_.empty()) return true;

  World smaller = world_;
  Shrink(&smaller, &World::rules, request, explain);
  Shrink(&smaller, &World::entities, request, explain);
  ShrinkClauses(&smaller, request, explain);
  // Rules and roles need the roles that they name.
  const auto unused = [&smaller](const World::Role& role) {
    const auto names = [&role](const std::vector<Pattern>& patterns) {
      return std::any_of(patterns.begin(), patterns.end(), [&role](const Pattern& p) {
        return p.kind() == Pattern::Kind::kRole && p.text() == role.name;
      });
    };
    return std::none_of(smaller.rules.begin(), smaller.rules.end(),
                        [&](const Rule& rule) { return names(rule.principals); }) &&
           std::none_of(smaller.roles.begin(), smaller.roles.end(),
                        [&](const World::Role& other) { return names(other.members); });
  };
  smaller.roles.erase(std::remove_if(smaller.roles.begin(), smaller.roles.end(), unused),
                      smaller.roles.end());
  const std::string difference = DifferenceUnder(smaller, request, explain);
  failure_ += Describe(request);
  failure_ += difference.empty() ? "in this world:\n" + Describe(world_)
                                 : "in the smaller world:\n" + Describe(smaller) + difference;
  return false;
}

std::string Comparison::failure() const { return failure_; }

std::string Describe(const World& world) {
  std::string text;
  if (world.schema.has_value()) text += Describe(*world.schema);
  for (const Entity& entity : world.entities) {
    text += "entity " + ToString(entity.id) + " in " + DescribeIds(entity.parents) +
            Describe(&entity.attributes) + "\n";
  }
  for (const World::Role& role : world.roles) {
    text += "role " + role.name + " " + Describe(role.members) + Describe(role.when) + "\n";
  }
  for (const Rule& rule : world.rules) {
    text += "rule " + rule.id + (rule.shadow ? " shadow " : " ") +
            std::string(ToString(rule.effect)) + " " + Describe(rule.principals) + " " +
            Describe(rule.actions) + " " + Describe(rule.resources) + Describe(rule.when) +
            Describe("message", rule.message);
    for (const Obligation& obligation : rule.obligations) {
      text += "\n  obligation " + obligation.id;
      for (const auto& [name, with] : obligation.with) text += Describe(name, with);
    }
    text += "\n";
  }
  return text;
}

std::string Describe(const Request& request) {
  const Principal& principal = *request.principal;
  std::string text = "principal " + Printable(ToString(principal.id)) + " groups [";
  for (const std::string& group : principal.groups) text += Printable(group) + " ";
  text += principal.groups_complete ? "]" : "and unknown ones]";
  text += " in " + DescribeIds(principal.parents) + Describe(&principal.attributes) +
          "\nknown by " + std::string(ToString(principal.assurance)) + " via `" + principal.via +
          "` host `" + principal.host + "` actor `" + principal.actor + "`\naction " +
          Printable(request.action) + "\nresource " + Printable(ToString(request.resource)) +
          " in " + DescribeIds(request.resource_parents) + Describe(request.resource_attributes) +
          "\ncontext" + Describe(request.context) + "\n";
  for (const ProvidedEntity* provided : {request.provided_principal, request.provided_resource}) {
    if (provided == nullptr) continue;
    text += std::string("provided") + (provided->complete ? "" : " a part") + " in " +
            DescribeIds(provided->parents) + Describe(provided->attributes) + "\n";
  }
  if (request.time.has_value()) text += "time " + absl::FormatTime(*request.time) + "\n";
  if (!request.defect.empty()) text += "defect " + Printable(request.defect) + "\n";
  return text;
}

}  // namespace reeve::differential
