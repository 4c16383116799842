#include "reeve/engine/explain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/evaluator.h"
#include "engine/matcher.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Match = RuleExplanation::Match;
using Node = EntityGraph::Node;

Match ToMatch(Truth truth) {
  switch (truth) {
    case Truth::kFalse:
      return Match::kNo;
    case Truth::kUnknown:
      return Match::kUnknown;
    case Truth::kTrue:
      return Match::kYes;
  }
  return Match::kUnknown;
}

constexpr size_t kMaxError = 1000;  // Bytes.
constexpr ConditionLimits kLimits = {1'000'000, size_t{1} << 20};

std::vector<ClauseExplanation> ExplainClauses(const std::vector<Condition>& when,
                                              const std::vector<Matcher::Clause>& clauses) {
  std::vector<ClauseExplanation> explained;
  explained.reserve(clauses.size());
  for (size_t i = 0; i < clauses.size(); ++i) {
    const cel::Cell& value = clauses[i].value;
    ClauseExplanation& clause = explained.emplace_back();
    clause.clause = &when[i];
    clause.outcome = OutcomeOf(value);
    if (clause.outcome == ClauseOutcome::kUnknown) {
      // Of a value only the type: it may be large.
      clause.error =
          Printable(value.is_error() ? cel::ToString(value)
                                     : absl::StrCat("neither true nor false, but of type ",
                                                    std::string(cel::TypeOf(value).text())),
                    kMaxError);
    }
    for (const Matcher::SeenFact& fact : clauses[i].facts) {
      clause.facts.push_back({Printable(fact.path, kMaxError),
                              Printable(cel::ToString(fact.value), FactExplanation::kMaxBytes),
                              !fact.value.is_error()});
    }
  }
  return explained;
}

// Finds out why patterns match one request.
class Finder {
 public:
  Finder(const CompiledSet& set, const Request& request, Matcher& matcher)
      : set_(set), request_(request), matcher_(matcher) {}

  RuleExplanation::By Principal(const Rule& rule) {
    const Facts& facts = matcher_.facts();
    RuleExplanation::By by;
    for (const Pattern& pattern : rule.principals) {
      bool matches = false;
      switch (pattern.kind()) {
        case Pattern::Kind::kAuthenticated:
          matches = !request_.principal->anonymous();
          break;
        case Pattern::Kind::kRole:
          matches = HasRole(pattern.text(), &by.through);
          break;
        default:
          matches = Matches(pattern, facts.principal_text(), facts.principal(), &by.through);
      }
      if (!matches) continue;
      by.pattern = &pattern;
      return by;
    }
    return by;
  }

  RuleExplanation::By Resource(const Rule& rule) {
    const Facts& facts = matcher_.facts();
    RuleExplanation::By by;
    for (const Pattern& pattern : rule.resources) {
      if (!Matches(pattern, facts.resource_text(), facts.resource(), &by.through)) continue;
      by.pattern = &pattern;
      return by;
    }
    return by;
  }

  RuleExplanation::By Action(const Rule& rule) {
    const auto found =
        std::find_if(rule.actions.begin(), rule.actions.end(), [&](const Pattern& p) {
          return p.kind() == Pattern::Kind::kLiteral
                     ? p.text() == request_.action
                     : p.kind() == Pattern::Kind::kAny || p.glob().Matches(request_.action);
        });
    return {found == rule.actions.end() ? nullptr : &*found, {}};
  }

  // The number of a role by condition.
  std::optional<uint32_t> ConditionalRoleOf(std::string_view name) const {
    const auto roles = set_.conditional_roles();
    for (uint32_t i = 0; i < roles.size(); ++i) {
      if (roles[i].name == name) return i;
    }
    return std::nullopt;
  }

 private:
  bool Matches(const Pattern& pattern, std::string_view text, const Ancestry& ancestry,
               std::vector<std::string>* through) {
    switch (pattern.kind()) {
      case Pattern::Kind::kAny:
        return true;
      case Pattern::Kind::kLiteral:
        return LiesIn(pattern.text(), text, ancestry, through);
      case Pattern::Kind::kGlob:
        return pattern.glob().Matches(text);
      case Pattern::Kind::kRegex:
        return pattern.RegexMatches(text);
      default:
        return false;
    }
  }

  bool HasRole(std::string_view name, std::vector<std::string>* through) {
    const Facts& facts = matcher_.facts();
    if (const std::optional<uint32_t> role = ConditionalRoleOf(name); role.has_value()) {
      return matcher_.HasRole(*role) == Truth::kTrue;
    }
    return LiesIn(absl::StrCat(std::string(kRoleType), ":", std::string(name)),
                  facts.principal_text(), facts.principal(), through);
  }

  // Whether the entity `text`, of this ancestry, is or lies in the one of this name.
  bool LiesIn(std::string_view name, std::string_view text, const Ancestry& ancestry,
              std::vector<std::string>* through) {
    const Node target = set_.graph().Find(name);
    if (target == EntityGraph::kNone || !ancestry.Contains(target)) return false;
    if (name == text) return true;
    // One of those that the request names leads there, unless a pattern of the role does.
    through->reserve(4);
    through->emplace_back(text);
    if (const Node self = set_.graph().Find(text); IsOrLeads(self, target)) {
      AddWay(self, target, through);
      return true;
    }
    const auto goes_by = [&](EntityView direct) {
      const Node node = set_.graph().Find(direct);
      if (!IsOrLeads(node, target)) return false;
      through->push_back(ToString(direct));
      AddWay(node, target, through);
      return true;
    };
    const auto goes_by_one = [&](absl::Span<const EntityId> parents) {
      return std::any_of(parents.begin(), parents.end(), goes_by);
    };
    if (text == matcher_.facts().principal_text()) {
      for (const std::string& group : request_.principal->groups) {
        if (goes_by({"group", group})) return true;
      }
      if (goes_by_one(request_.principal->parents)) return true;
    }
    if (text == matcher_.facts().resource_text() && goes_by_one(request_.resource_parents)) {
      return true;
    }
    through->emplace_back(name);
    return true;
  }

  bool IsOrLeads(Node from, Node to) const {
    return from != EntityGraph::kNone && (from == to || Leads(from, to));
  }

  bool Leads(Node from, Node to) const {
    Ancestry ancestry;
    ancestry.Begin(set_.graph());
    ancestry.Add(from);
    return ancestry.Close(Facts::kMaxAncestors) && ancestry.Contains(to);
  }

  // Adds the names of the nodes after `from` on one way to `to`, which `from` is or lies in.
  void AddWay(Node from, Node to, std::vector<std::string>* way) const {
    while (from != to) {
      const std::vector<Node> parents = set_.graph().Parents(from);
      const auto next = std::find_if(parents.begin(), parents.end(), [&](Node parent) {
        return parent == to || Leads(parent, to);
      });
      if (next == parents.end()) break;
      from = *next;
      way->push_back(ToString(set_.graph().NameOf(from)));
    }
  }

  const CompiledSet& set_;
  const Request& request_;
  Matcher& matcher_;
};

RuleExplanation ExplainRule(const CompiledSet& set, uint32_t number, const Matcher::Parts& parts,
                            Finder& finder) {
  RuleExplanation explanation;
  explanation.rule = std::make_shared<const Rule>(set.rule(number));
  explanation.number = number;
  const Rule& rule = *explanation.rule;
  explanation.principals = ToMatch(parts.principals);
  explanation.actions = ToMatch(parts.actions);
  explanation.resources = ToMatch(parts.resources);
  explanation.principals_by = finder.Principal(rule);
  explanation.actions_by = finder.Action(rule);
  explanation.resources_by = finder.Resource(rule);
  explanation.clauses = ExplainClauses(rule.when, parts.clauses);
  explanation.all = ToMatch(parts.all);
  return explanation;
}

// Whether a rule of such patterns is worth a word.
bool IsRelevant(const Matcher::Parts& parts) {
  const int missed = (parts.principals == Truth::kFalse) + (parts.actions == Truth::kFalse) +
                     (parts.resources == Truth::kFalse);
  return missed <= 1;
}

std::vector<RoleExplanation> ExplainRoles(const CompiledSet& set,
                                          const std::vector<RuleExplanation>& rules,
                                          const Finder& finder, Matcher& matcher) {
  std::vector<uint32_t> numbers;
  const auto add = [&numbers](uint32_t number) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) {
      numbers.push_back(number);
    }
  };
  for (const RuleExplanation& rule : rules) {
    for (const Pattern& pattern : rule.rule->principals) {
      if (pattern.kind() != Pattern::Kind::kRole) continue;
      const std::optional<uint32_t> number = finder.ConditionalRoleOf(pattern.text());
      if (number.has_value()) add(*number);
    }
  }
  // Grows meanwhile: those that they name come with them.
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto members = set.Roles(set.conditional_roles()[numbers[i]].members);
    std::for_each(members.begin(), members.end(), add);
  }
  std::vector<RoleExplanation> roles;
  for (const uint32_t number : numbers) {
    matcher.Renew(kLimits);
    const ConditionalRole& role = set.conditional_roles()[number];
    const Matcher::RoleParts parts = matcher.ExplainRole(number);
    roles.push_back({role.name, ToMatch(parts.members), ExplainClauses(role.when, parts.clauses),
                     ToMatch(parts.all)});
  }
  std::sort(roles.begin(), roles.end(),
            [](const RoleExplanation& a, const RoleExplanation& b) { return a.name < b.name; });
  return roles;
}

std::vector<NearestMiss> FindNearest(const std::vector<RuleExplanation>& rules) {
  std::vector<NearestMiss> misses;
  for (size_t i = 0; i < rules.size(); ++i) {
    const RuleExplanation& rule = rules[i];
    if (rule.rule->effect != Effect::kAllow || rule.rule->shadow) continue;
    NearestMiss miss = {i,
                        rule.principals != Match::kYes,
                        rule.actions != Match::kYes,
                        rule.resources != Match::kYes,
                        {}};
    for (size_t c = 0; c < rule.clauses.size(); ++c) {
      if (rule.clauses[c].outcome != ClauseOutcome::kTrue) miss.clauses.push_back(c);
    }
    misses.push_back(std::move(miss));
  }
  std::stable_sort(misses.begin(), misses.end(), [&](const NearestMiss& a, const NearestMiss& b) {
    if (a.size() != b.size()) return a.size() < b.size();
    return a.Of(rules).rule->id < b.Of(rules).rule->id;
  });
  size_t count = 0;
  while (count < std::min(misses.size(), Decision::kMaxNearMisses) &&
         misses[count].size() == misses[0].size()) {
    ++count;
  }
  misses.resize(count);
  return misses;
}

}  // namespace

std::string_view ToString(RuleExplanation::Match match) {
  switch (match) {
    case Match::kNo:
      return "no";
    case Match::kUnknown:
      return "unknown";
    case Match::kYes:
      return "yes";
  }
  return "unknown";
}

Explanation Explain(const Decision& decision, const Request& request) {
  Explanation explanation;
  if (decision.snapshot() == nullptr) return explanation;
  const CompiledSet& set = decision.snapshot()->compiled();
  // Without a schema what is malformed shows where it is looked up.
  if (set.schema() != nullptr && !DefectUnder(set, request).empty()) return explanation;
  // The memory of one explanation, which the next one on this thread takes over.
  static thread_local Matcher matcher;
  if (matcher.Begin(set, request, decision.time(), kLimits) != Gathered::kSound) return explanation;
  matcher.Renew(kLimits);
  std::vector<uint32_t> near;
  matcher.facts().FindNear(&near);
  struct Relevant {
    uint32_t number;
    CompiledRule rule;
    Matcher::Parts parts;
  };
  std::vector<Relevant> relevant;
  for (const uint32_t i : near) {
    const CompiledRule rule = set.compiled(i);
    const Matcher::Parts parts = matcher.AskPatterns(rule);
    if (IsRelevant(parts)) relevant.push_back({i, rule, parts});
  }
  Finder finder(set, request, matcher);
  std::vector<RuleExplanation>& rules = explanation.rules;
  rules.reserve(relevant.size());
  for (Relevant& one : relevant) {
    // Each rule with a budget of its own, so that one that needs too much does not hide the others.
    matcher.Renew(kLimits);
    // What is known of these depends on the budget.
    if (one.rule.principals.roles.count > 0) one.parts = matcher.AskPatterns(one.rule);
    matcher.Explain(one.rule, &one.parts);
    if (IsRelevant(one.parts)) rules.push_back(ExplainRule(set, one.number, one.parts, finder));
  }
  std::sort(rules.begin(), rules.end(), [](const RuleExplanation& a, const RuleExplanation& b) {
    return a.matched() != b.matched() ? a.matched() : a.number < b.number;
  });
  explanation.roles = ExplainRoles(set, rules, finder, matcher);
  if (!decision.allowed()) explanation.nearest = FindNearest(rules);
  return explanation;
}

}  // namespace reeve
