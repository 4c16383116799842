#include "engine/matcher.h"

#include <algorithm>

#include "absl/base/attributes.h"
#include "reeve/engine/cel/operators.h"

namespace reeve {

ClauseOutcome OutcomeOf(const cel::Cell& value) {
  if (value.kind() != cel::Kind::kBool) return ClauseOutcome::kUnknown;
  return value.bool_value() ? ClauseOutcome::kTrue : ClauseOutcome::kFalse;
}

namespace {

Truth TruthOf(ClauseOutcome outcome) {
  return outcome == ClauseOutcome::kTrue    ? Truth::kTrue
         : outcome == ClauseOutcome::kFalse ? Truth::kFalse
                                            : Truth::kUnknown;
}

}  // namespace

Gathered Matcher::Begin(const CompiledSet& set, const Request& request, absl::Time now,
                        const ConditionLimits& limits, PrincipalFacts* principal) {
  set_ = &set;
  request_ = &request;
  now_ = now;
  limits_ = &limits;
  ready_ = false;
  return facts_.Gather(set, request, principal);
}

void Matcher::Renew(const ConditionLimits& limits) {
  ready_ = true;
  variables_.Begin(*request_, facts_, now_);
  machine_.Begin(limits.steps, limits.bytes, set_->clauses().room());
  roles_known_.assign(set_->conditional_roles().size(), false);
  roles_.resize(set_->conditional_roles().size());
  policy_roles_known_.assign(set_->policies_that_read_roles(), false);
  policy_roles_.resize(set_->policies_that_read_roles());
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline cel::Cell Matcher::Evaluate(uint32_t number) {
  const ClauseSet& clauses = set_->clauses();
  if (ABSL_PREDICT_FALSE(clauses.read_roles())) {
    const uint32_t policy = clauses.policy(number);
    if (policy != ClauseSet::kReadsNoRoles) variables_.set_roles(RolesOfPolicy(policy));
  }
  return machine_.Run(clauses.clause(number), variables_);
}

Truth Matcher::EvaluateAll(Slice clauses, ClauseOutcomes* outcomes) {
  Truth truth = Truth::kTrue;
  ClauseOutcomes known;
  size_t i = 0;
  for (const uint32_t number : set_->Clauses(clauses)) {
    const ClauseOutcome outcome = OutcomeOf(Evaluate(number));
    known.Set(i++, outcome);
    truth = And(truth, TruthOf(outcome));
    if (truth == Truth::kFalse) break;
  }
  *outcomes = known;
  return truth;
}

// Asks the roles that it needs first, with a stack of its own: how deep they name one another is up
// to the user.
Truth Matcher::HasRole(uint32_t number) {
  if (roles_known_[number]) return roles_[number];
  roles_asked_.assign(1, number);
  while (!roles_asked_.empty()) {
    const uint32_t asked = roles_asked_.back();
    const ConditionalRole& role = set_->conditional_roles()[asked];
    Truth truth = facts_.MatchesPrincipal(role.members, Facts::kAllPatterns);
    bool waits = false;
    for (const uint32_t member : set_->Roles(role.members)) {
      if (truth == Truth::kTrue) break;
      waits = !roles_known_[member];
      if (waits) {
        roles_asked_.push_back(member);
        break;
      }
      truth = Or(truth, roles_[member]);
    }
    if (waits) continue;
    ClauseOutcomes outcomes;
    if (truth != Truth::kFalse) truth = And(truth, EvaluateAll(role.clauses, &outcomes));
    roles_[asked] = truth;
    roles_known_[asked] = true;
    roles_asked_.pop_back();
  }
  return roles_[number];
}

cel::Cell Matcher::RolesOfPolicy(uint32_t policy) {
  if (policy_roles_known_[policy]) return policy_roles_[policy];
  const absl::Span<const VisibleRole> roles = set_->RolesOfPolicy(policy);
  cel::Context& context = machine_.context();
  auto* const names = context.Allocate<cel::Cell>(roles.size());
  if (names == nullptr) return context.LimitError();
  size_t size = 0;
  bool partial = false;
  for (const VisibleRole& role : roles) {
    const Truth truth = role.node != EntityGraph::kNone ? facts_.PrincipalLiesIn(role.node)
                                                        : HasRole(role.conditional);
    if (truth == Truth::kTrue) names[size++] = cel::Cell::String(role.name);
    partial |= truth == Truth::kUnknown;
  }
  const cel::Cell list = context.MakeList({names, size});
  policy_roles_[policy] = partial && !list.is_error() ? list.Partial() : list;
  policy_roles_known_[policy] = true;
  return policy_roles_[policy];
}

Truth Matcher::MatchesPrincipal(const Alternatives& alternatives) {
  Truth truth = facts_.MatchesPrincipal(alternatives, Facts::kAllPatterns);
  for (const uint32_t role : set_->Roles(alternatives)) {
    if (truth == Truth::kTrue) break;
    truth = Or(truth, HasRole(role));
  }
  return truth;
}

Truth Matcher::Matches(Facts::Candidate candidate, ClauseOutcomes* clauses, Truth* patterns) {
  const RuleHead& head = set_->head(candidate.rule);
  if (!head.IsWhole()) return MatchesRest(candidate, clauses, patterns);
  *patterns = candidate.head;
  if (head.clause_count == 0) return candidate.head;
  MakeReady();
  return And(candidate.head, EvaluateAll(head.clauses(), clauses));
}

Truth Matcher::MatchesRest(Facts::Candidate candidate, ClauseOutcomes* clauses, Truth* patterns) {
  using Part = RuleHead::Part;
  const RuleHead& head = set_->head(candidate.rule);
  const CompiledRule rule = set_->compiled(candidate.rule);
  MakeReady();
  *patterns = Truth::kFalse;
  if (head.actions == Part::kMore && facts_.MatchesAction(rule) == Truth::kFalse) {
    return Truth::kFalse;
  }
  if (head.binds) return MatchesBinding(rule, clauses, patterns);
  Truth truth = candidate.head;
  if (head.resources == Part::kMore) {
    truth = And(truth, facts_.MatchesResource(rule.resources, Facts::kAllPatterns));
    if (truth == Truth::kFalse) return truth;
  }
  if (head.principals == Part::kMore) truth = And(truth, MatchesPrincipal(rule.principals));
  *patterns = truth;
  if (truth == Truth::kFalse || head.clause_count == 0) return truth;
  return And(truth, EvaluateAll(head.clauses(), clauses));
}

bool Matcher::MatchesPatterns(const CompiledRule& rule) const {
  return facts_.MatchesAction(rule) != Truth::kFalse &&
         facts_.MatchesResource(rule.resources, Facts::kAllPatterns) != Truth::kFalse &&
         (rule.principals.roles.count > 0 ||
          facts_.MatchesPrincipal(rule.principals, Facts::kAllPatterns) != Truth::kFalse);
}

void Matcher::FindWays(const Alternatives& alternatives, std::string_view text, Truth without,
                       Ways* ways) {
  ways->clear();
  if (without != Truth::kFalse) ways->push_back({without, Way::kNone});
  if (!alternatives.binds) return;
  for (const uint32_t number : set_->Patterns(alternatives)) {
    if (set_->patterns().Binds(number) && set_->patterns().Matches(number, text)) {
      ways->push_back({Truth::kTrue, number});
    }
  }
}

void Matcher::Bind(const CompiledRule& rule, uint32_t pattern, std::string_view text) {
  Glob::Binding bindings[Glob::kMaxWildcards] = {};
  set_->patterns().glob(pattern).Bind(text, bindings);
  const auto names = set_->Bindings(rule);
  for (const Glob::Binding& binding : bindings) {
    const auto name = std::find_if(names.begin(), names.end(), [&](uint32_t number) {
      return set_->binding(number) == binding.name;
    });
    if (binding.name.data() != nullptr && name != names.end()) {
      variables_.bindings()[name - names.begin()] = binding.value;
    }
  }
}

template <typename Visit>
void Matcher::ForEachWay(const CompiledRule& rule, Visit visit) {
  Truth principals = facts_.MatchesPrincipal(rule.principals, Facts::kWithoutBindings);
  for (const uint32_t role : set_->Roles(rule.principals)) {
    if (principals == Truth::kTrue) break;
    principals = Or(principals, HasRole(role));
  }
  FindWays(rule.principals, facts_.principal_text(), principals, &principal_ways_);
  FindWays(rule.resources, facts_.resource_text(),
           facts_.MatchesResource(rule.resources, Facts::kWithoutBindings), &resource_ways_);
  for (const Way& principal : principal_ways_) {
    for (const Way& resource : resource_ways_) {
      if (!machine_.context().Charge(1)) return;
      variables_.bindings().assign(rule.bindings.count, std::string_view());
      if (principal.binding != Way::kNone) Bind(rule, principal.binding, facts_.principal_text());
      if (resource.binding != Way::kNone) Bind(rule, resource.binding, facts_.resource_text());
      if (!visit(And(principal.truth, resource.truth))) return;
    }
  }
}

Truth Matcher::MatchesBinding(const CompiledRule& rule, ClauseOutcomes* clauses, Truth* patterns,
                              Truth enough) {
  Truth best = Truth::kFalse;
  bool first = true;
  ForEachWay(rule, [&](Truth matched) {
    *patterns = Or(*patterns, matched);
    ClauseOutcomes outcomes;
    const Truth truth = And(matched, EvaluateAll(rule.clauses, &outcomes));
    if (first || truth > best) *clauses = outcomes;
    first = false;
    best = Or(best, truth);
    return best < enough;
  });
  return best;
}

void Matcher::BindAgain(const CompiledRule& rule) {
  MakeReady();
  if (rule.bindings.count == 0) return;
  ClauseOutcomes clauses;
  Truth patterns = Truth::kFalse;
  const Truth best = MatchesBinding(rule, &clauses, &patterns);
  // That of a true way was the last. Of those that are unknown it may have been another.
  if (best == Truth::kUnknown) MatchesBinding(rule, &clauses, &patterns, best);
}

cel::Cell Matcher::Fact(uint32_t clause) { return Evaluate(clause); }

Matcher::Parts Matcher::AskPatterns(const CompiledRule& rule) {
  Parts parts;
  parts.principals = MatchesPrincipal(rule.principals);
  parts.actions = facts_.MatchesAction(rule);
  parts.resources = facts_.MatchesResource(rule.resources, Facts::kAllPatterns);
  parts.all = And(parts.actions, And(parts.principals, parts.resources));
  return parts;
}

std::vector<Matcher::SeenFact> Matcher::FactsOf(const cel::Link& clause) {
  const cel::ProgramShape& shape = *clause.shape;
  std::vector<SeenFact> facts;
  for (size_t i = 0; i < shape.paths().size(); ++i) {
    const cel::Path& path = shape.paths()[i];
    const absl::Span<const cel::Cell> names = shape.names(path);
    std::string name(shape.variable(path.variable));
    for (const cel::Cell& part : names) name.append(1, '.').append(part.text());
    cel::Cell value =
        variables_.GetMember(clause.paths[i].member, names[0].text(), machine_.context());
    for (size_t part = 1; part < names.size() && !value.is_error(); ++part) {
      value = cel::Select(value, names[part].text(), machine_.context());
    }
    facts.push_back({std::move(name), value});
  }
  for (const cel::Instruction& i : shape.code()) {
    if (i.op != cel::Op::kVariable) continue;
    // The others are read by their members, or asked what they lie in.
    const uint32_t variable = clause.variables[i.c];
    if (variable != kAction && variable < kFirstBinding) continue;
    const std::string name(shape.variable(i.c));
    if (std::any_of(facts.begin(), facts.end(),
                    [&](const SeenFact& f) { return f.path == name; })) {
      continue;
    }
    facts.push_back({name, variables_.Get(variable, machine_.context())});
  }
  return facts;
}

Truth Matcher::ExplainAll(Slice clauses, std::vector<Clause>* explained) {
  Truth truth = Truth::kTrue;
  for (const uint32_t number : set_->Clauses(clauses)) {
    const cel::Cell value = Evaluate(number);
    explained->push_back({value, FactsOf(set_->clauses().clause(number))});
    truth = And(truth, TruthOf(OutcomeOf(value)));
  }
  return truth;
}

void Matcher::Explain(const CompiledRule& rule, Parts* parts) {
  if (rule.bindings.count == 0) {
    parts->all = And(parts->all, ExplainAll(rule.clauses, &parts->clauses));
    return;
  }
  // Of several ways to bind names the one that comes nearest to a match.
  Truth best = Truth::kFalse;
  ForEachWay(rule, [&](Truth patterns) {
    std::vector<Clause> clauses;
    const Truth truth = And(patterns, ExplainAll(rule.clauses, &clauses));
    if (parts->clauses.empty() || truth > best) parts->clauses = std::move(clauses);
    best = Or(best, truth);
    return best != Truth::kTrue;
  });
  parts->all = And(parts->actions, best);
}

Matcher::RoleParts Matcher::ExplainRole(uint32_t number) {
  const ConditionalRole& role = set_->conditional_roles()[number];
  RoleParts parts;
  parts.members = MatchesPrincipal(role.members);
  parts.all = And(parts.members, ExplainAll(role.clauses, &parts.clauses));
  return parts;
}

}  // namespace reeve
