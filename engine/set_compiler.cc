#include "engine/set_compiler.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/set_words.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Whether `pattern` names entities. One made for actions may not say their type, or one that is
// malformed; the index relies on it, and whoever takes what the set knows for well formed.
bool NamesEntities(const Pattern& pattern) {
  switch (pattern.kind()) {
    case Pattern::Kind::kLiteral:
      return pattern.text().find(':') != std::string::npos && DefectOf(pattern.entity()).empty();
    case Pattern::Kind::kGlob:
      return pattern.glob().literal_prefix().find(':') != std::string_view::npos &&
             DefectOf(EntityView{pattern.type(), "x"}).empty();
    default:
      return true;
  }
}

bool CanStandInPrincipals(const Pattern& pattern) { return NamesEntities(pattern); }

bool CanStandInResources(const Pattern& pattern) {
  return pattern.kind() != Pattern::Kind::kAuthenticated &&
         pattern.kind() != Pattern::Kind::kRole && NamesEntities(pattern);
}

bool CanStandInActions(const Pattern& pattern) {
  return pattern.kind() == Pattern::Kind::kAny || pattern.kind() == Pattern::Kind::kGlob ||
         (pattern.kind() == Pattern::Kind::kLiteral && DefectOfAction(pattern.text()).empty());
}

// Null if each pattern can stand where it does.
const Pattern* FindMisplaced(const Rule& rule) {
  for (const auto& [patterns, can_stand] : {std::pair(&rule.principals, &CanStandInPrincipals),
                                            std::pair(&rule.actions, &CanStandInActions),
                                            std::pair(&rule.resources, &CanStandInResources)}) {
    for (const Pattern& pattern : *patterns) {
      if (!can_stand(pattern)) return &pattern;
    }
  }
  return nullptr;
}

// Gives back the memory that it holds for more elements, if that is worth a copy.
template <typename Elements>
void Trim(Elements* elements) {
  if (elements->capacity() - elements->size() > elements->size() / 8) elements->shrink_to_fit();
}

uint32_t SizeOf(const std::vector<uint32_t>& numbers) {
  return static_cast<uint32_t>(numbers.size());
}

}  // namespace

absl::Status CompiledSet::Compiler::AddEntities(std::vector<Entity> entities) {
  for (Entity& entity : entities) {
    if (absl::Status status = CheckName(entity.id); !status.ok()) return status;
    if (std::string_view defect = DefectOf(entity.attributes); !defect.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("entity `", ToString(entity.id), "`: ", View(defect)));
    }
    if (set_.schema_ != nullptr) {
      if (std::string_view defect = set_.schema_->DefectOf(entity); !defect.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("entity `", Printable(ToString(entity.id)),
                                                       "` does not fit: ", View(defect)));
      }
    }
    const EntityGraph::Node node = set_.graph_.Add(entity.id);
    for (const EntityId& parent : entity.parents) {
      if (absl::Status status = CheckName(parent); !status.ok()) return status;
      set_.graph_.AddParent(node, set_.graph_.Add(parent));
    }
    if (!KeepAttributes(node, std::move(entity.attributes))) {
      return absl::InvalidArgumentError(
          absl::StrCat("entity `", ToString(entity.id), "` is given twice"));
    }
  }
  return absl::OkStatus();
}

bool CompiledSet::Compiler::KeepAttributes(EntityGraph::Node node, Attributes attributes) {
  std::vector<uint32_t>& numbers = set_.attributes_of_nodes_;
  if (numbers.size() <= node) numbers.resize(node + 1, kNoAttributes);
  if (numbers[node] != kNoAttributes) return false;
  numbers[node] = static_cast<uint32_t>(set_.attributes_.size());
  set_.attributes_.push_back(std::move(attributes));
  return true;
}

absl::Status CompiledSet::Compiler::AddRoles(const std::vector<Role>& roles) {
  std::vector<uint32_t> order;
  if (absl::Status status = SortRoles(roles, &order); !status.ok()) return status;
  for (const uint32_t i : order) {
    if (absl::Status status = AddRole(roles[i]); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::SortRoles(const std::vector<Role>& roles,
                                              std::vector<uint32_t>* order) {
  absl::flat_hash_map<absl::string_view, uint32_t> numbers;
  for (uint32_t i = 0; i < roles.size(); ++i) {
    if (!numbers.try_emplace(roles[i].name, i).second) {
      return absl::InvalidArgumentError(absl::StrCat("role `", roles[i].name, "` is given twice"));
    }
  }
  enum State : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    uint32_t role;
    size_t next_member;
  };
  std::vector<State> states(roles.size(), kNew);
  std::vector<Visit> path;
  for (uint32_t root = 0; root < roles.size(); ++root) {
    if (states[root] == kNew) path.push_back({root, 0});
    while (!path.empty()) {
      Visit& visit = path.back();
      const Role& role = roles[visit.role];
      states[visit.role] = kOpen;
      if (visit.next_member == role.members.size()) {
        states[visit.role] = kDone;
        order->push_back(visit.role);
        path.pop_back();
        continue;
      }
      const Pattern& member = role.members[visit.next_member++];
      if (member.kind() != Pattern::Kind::kRole) continue;
      const auto named = numbers.find(member.text());
      if (named == numbers.end()) {
        return absl::InvalidArgumentError(absl::StrCat("role `", role.name, "` names role `",
                                                       member.text(), "`, which does not exist"));
      }
      if (states[named->second] == kOpen) {
        return absl::InvalidArgumentError(absl::StrCat(
            "role `", role.name, "` contains itself through role `", member.text(), "`"));
      }
      if (states[named->second] == kNew) path.push_back({named->second, 0});
    }
  }
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::AddRole(const Role& role) {
  const std::string what = absl::StrCat("role `", role.name, "`");
  for (const Pattern& member : role.members) {
    if (!CanStandInPrincipals(member)) {
      return absl::InvalidArgumentError(absl::StrCat(what, " has the member `",
                                                     Printable(member.text()),
                                                     "`, which is no pattern of principals"));
    }
    if (absl::Status declared = CheckDeclared(what, member); !declared.ok()) return declared;
  }
  if (std::any_of(role.when.begin(), role.when.end(), ReadsRoles)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has a condition that reads `principal.roles`"));
  }
  Listed members;
  if (absl::Status status = ListEntities(what, role.members, &members, nullptr); !status.ok()) {
    return status;
  }
  NamedRole named;
  if (!role.when.empty() || !members.roles.empty()) {
    named.conditional = static_cast<uint32_t>(set_.conditional_roles_.size());
    for (const EntityGraph::Node node : members.literals) set_.graph_.Mark(node);
    ConditionalRole added = {Append(members), {}, role.name, role.when};
    std::vector<uint32_t> clauses;
    absl::Status status = NumberClauses(what, role.when, {}, 0, &clauses);
    if (!status.ok()) return status;
    added.clauses = {SizeOf(set_.words_), SizeOf(clauses)};
    set_.words_.insert(set_.words_.end(), clauses.begin(), clauses.end());
    set_.conditional_roles_.push_back(std::move(added));
  } else {
    named.node = set_.graph_.AddRole(role.name);
    for (const EntityGraph::Node node : members.literals) {
      set_.graph_.AddParent(node, named.node);
    }
    members.literals.clear();
    if (members.any || members.authenticated || !members.patterns.empty()) {
      set_.dynamic_roles_.push_back({named.node, Append(members)});
    }
  }
  roles_.try_emplace(role.name, named);
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::NumberClauses(const std::string& what,
                                                  const std::vector<Condition>& when,
                                                  const std::vector<std::string_view>& bindings,
                                                  uint32_t policy, std::vector<uint32_t>* numbers) {
  if (when.size() > kMaxClauses) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has more than ", kMaxClauses, " clauses"));
  }
  for (const Condition& condition : when) {
    if (condition.program == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(what, " has a clause that is not compiled"));
    }
    numbers->push_back(set_.clauses_.Add(condition, bindings, policy));
  }
  return absl::OkStatus();
}

std::vector<const Condition*> CompiledSet::Compiler::FactsOf(const Rule& rule) {
  std::vector<const Condition*> facts;
  const auto add = [&facts](const TextTemplate& text) {
    for (const TextTemplate::Fact& fact : text.facts) facts.push_back(&fact.expression);
  };
  add(rule.message);
  for (const Obligation& obligation : rule.obligations) {
    for (const auto& [name, text] : obligation.with) add(text);
  }
  return facts;
}

std::vector<std::string> CompiledSet::Compiler::BindingsOf(const Rule& rule) {
  std::vector<const Condition*> conditions = FactsOf(rule);
  for (const Condition& condition : rule.when) conditions.push_back(&condition);
  std::vector<std::string> names;
  for (const Condition* condition : conditions) {
    if (condition->program == nullptr) continue;
    for (const std::string_view variable : condition->program->variables()) {
      if (!IsBound(variable, rule.principals) && !IsBound(variable, rule.resources)) continue;
      if (std::find(names.begin(), names.end(), variable) == names.end()) {
        names.emplace_back(variable);
      }
    }
  }
  return names;
}

uint32_t CompiledSet::Compiler::PolicyOf(const Rule& rule) {
  const auto facts = FactsOf(rule);
  const bool reads = std::any_of(rule.when.begin(), rule.when.end(), ReadsRoles) ||
                     std::any_of(facts.begin(), facts.end(),
                                 [](const Condition* fact) { return ReadsRoles(*fact); });
  return reads ? PolicyThatReadsRoles(rule.id) : ClauseSet::kReadsNoRoles;
}

uint32_t CompiledSet::Compiler::PolicyThatReadsRoles(std::string_view rule_id) {
  const std::string_view policy = PolicyOfName(rule_id);
  const auto [at, is_new] =
      policies_.try_emplace(std::string(policy), static_cast<uint32_t>(policies_.size()));
  if (is_new) {
    std::vector<VisibleRole> roles;
    for (const auto& [name, role] : roles_) {
      if (PolicyOfName(name) != policy) continue;
      const size_t skipped = policy.size() + (policy.size() < name.size() ? 1 : 0);
      roles.push_back({policy.empty() ? name : name.substr(skipped), role.node, role.conditional});
    }
    std::sort(roles.begin(), roles.end(),
              [](const VisibleRole& a, const VisibleRole& b) { return a.name < b.name; });
    set_.roles_by_policy_.push_back(std::move(roles));
  }
  return at->second;
}

std::string_view CompiledSet::Compiler::PolicyOfName(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

bool CompiledSet::Compiler::IsBound(std::string_view name, const std::vector<Pattern>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [name](const Pattern& pattern) {
    return pattern.kind() == Pattern::Kind::kGlob && pattern.glob().Binds(name);
  });
}

absl::Status CompiledSet::Compiler::AddRules(std::vector<Rule> rules) {
  std::vector<Rule*> sorted;
  sorted.reserve(rules.size());
  for (Rule& rule : rules) sorted.push_back(&rule);
  std::sort(sorted.begin(), sorted.end(),
            [](const Rule* a, const Rule* b) { return a->id < b->id; });
  set_.heads_.reserve(rules.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    Rule& rule = *sorted[i];
    if (i > 0 && rule.id == sorted[i - 1]->id) {
      return absl::InvalidArgumentError(absl::StrCat("rule `", rule.id, "` is given twice"));
    }
    if (absl::Status status = AddRule(rule); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void CompiledSet::Compiler::CloseRules() {
  set_.clauses_.Close();
  set_.conditions_.shrink_to_fit();
  // All of them stay where they are from now on.
  set_.when_.reserve(conditions_of_clauses_.size());
  for (const uint32_t number : conditions_of_clauses_) {
    set_.when_.push_back(&set_.conditions_[number]);
  }
  Trim(&set_.words_);
  Trim(&set_.written_);
  set_.texts_.shrink_to_fit();
  set_.attributes_.shrink_to_fit();
  set_.attributes_of_nodes_.shrink_to_fit();
  set_.patterns_.Close();
  set_.actions_.Close();
}

absl::Status CompiledSet::Compiler::AddRule(Rule& rule) {
  const std::string what = absl::StrCat("rule `", rule.id, "`");
  if (absl::Status status = CheckRule(what, rule); !status.ok()) return status;
  const std::vector<std::string> names = BindingsOf(rule);
  const std::vector<std::string_view> bindings(names.begin(), names.end());
  const uint32_t policy = PolicyOf(rule);

  NumberedRule numbered;
  numbered.head.deny = rule.effect == Effect::kDeny;
  numbered.head.shadow = rule.shadow;
  numbered.head.audit = rule.audit;
  absl::Status status = BeginRule(rule.id, &numbered.head);
  if (status.ok()) {
    status = ListEntities(what, rule.principals, &numbered.principals, &set_.written_);
  }
  if (status.ok()) status = ListActions(rule.actions, &numbered.actions, &set_.written_);
  if (status.ok()) {
    status = ListEntities(what, rule.resources, &numbered.resources, &set_.written_);
  }
  if (status.ok()) status = NumberClauses(what, rule.when, bindings, policy, &numbered.clauses);
  if (!status.ok()) return status;
  for (size_t i = 0; i < rule.when.size(); ++i) {
    numbered.conditions.push_back(Keep(std::move(rule.when[i]), numbered.clauses[i]));
  }
  for (const std::string_view name : bindings) numbered.bindings.push_back(NumberOfBinding(name));
  for (const Condition* fact : FactsOf(rule)) {
    if (fact->program == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(what, " has a text that is not compiled"));
    }
    numbered.facts.push_back(set_.clauses_.Add(*fact, bindings, policy));
  }
  RuleTexts texts = {std::move(rule.message), std::move(rule.obligations)};
  EndRule(numbered, &texts);
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::BeginRule(std::string_view id, RuleHead* head) {
  constexpr size_t kMost = UINT32_MAX - (size_t{1} << 30);  // No one rule takes more.
  if (set_.words_.size() > kMost || set_.written_.size() > kMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("rule `", View(id), "` is one more than a set can have"));
  }
  head->written = static_cast<uint32_t>(set_.written_.size());
  const auto size = static_cast<uint32_t>(id.size());
  set_.written_.append(reinterpret_cast<const char*>(&size), sizeof size).append(id);
  return absl::OkStatus();
}

void CompiledSet::Compiler::EndRule(const NumberedRule& rule, RuleTexts* texts) {
  RuleHead& head = set_.heads_.emplace_back(rule.head);
  head.binds = !rule.bindings.empty();
  head.has_text = !texts->obligations.empty() || !texts->message.empty();
  head.clause_count = static_cast<uint8_t>(rule.clauses.size());
  head.words = SizeOf(set_.words_);
  set_.words_.resize(head.words + 2 + rule.clauses.size() + MostWords(rule.principals) +
                     MostWords(rule.actions) + MostWords(rule.resources) + kMaxCounts +
                     rule.bindings.size() + rule.facts.size());
  uint32_t* const words = set_.words_.data();
  uint32_t* at = words + head.words;
  if (!rule.clauses.empty()) {
    *at++ = SizeOf(conditions_of_clauses_);
    at = WriteWords(rule.clauses, at);
    conditions_of_clauses_.insert(conditions_of_clauses_.end(), rule.conditions.begin(),
                                  rule.conditions.end());
  }
  const auto place = [words, &at] { return static_cast<uint32_t>(at - words); };
  head.principals = PartOf(rule.principals, place(), &head.principal);
  at = Write(rule.principals, at);
  head.actions = PartOf(rule.actions, place(), &head.action);
  at = Write(rule.actions, at);
  head.resources = PartOfResources(rule.resources, place(), &head.resource);
  at = Write(rule.resources, at);
  at = WriteCounts({0, {SizeOf(rule.bindings), SizeOf(rule.facts), 0}}, at);
  if (head.has_text) {
    *at++ = static_cast<uint32_t>(set_.texts_.size());
    set_.texts_.push_back(std::move(*texts));
  }
  at = WriteWords(rule.bindings, at);
  at = WriteWords(rule.facts, at);
  set_.words_.resize(place());
  uses_.by_principal.resize(set_.graph_.size());
  uses_.by_resource.resize(set_.graph_.size());
  uses_.by_action.resize(set_.actions_.size());
  for (const EntityGraph::Node node : rule.principals.literals) {
    set_.graph_.Mark(node);
    ++uses_.by_principal[node];
  }
  for (const EntityGraph::Node node : rule.resources.literals) {
    set_.graph_.Mark(node);
    ++uses_.by_resource[node];
  }
  for (const uint32_t action : rule.actions.literals) ++uses_.by_action[action];
  for (const uint32_t number : rule.resources.patterns) {
    if (set_.patterns_.kind(number) != Pattern::Kind::kGlob) continue;
    const uint32_t prefix = Indexed(number).prefix;
    uses_.by_prefix.resize(set_.prefixes_.size());
    ++uses_.by_prefix[prefix];
  }
}

void CompiledSet::Compiler::NameTexts() {
  if (!set_.clauses_.asks_membership()) return;
  for (const Attributes& attributes : set_.attributes_) NameTexts(attributes);
  for (uint32_t i = 0; i < set_.clauses_.size(); ++i) {
    for (const cel::Cell& constant : set_.clauses_.program(i).constants()) {
      if (constant.kind() == cel::Kind::kString) NameText(constant.text());
      if (constant.kind() != cel::Kind::kList) continue;
      for (size_t element = 0; element < constant.list_size(); ++element) {
        const cel::Cell cell = constant.At(element);
        if (cell.kind() == cel::Kind::kString) NameText(cell.text());
      }
    }
  }
}

void CompiledSet::Compiler::NameTexts(const Attributes& attributes) {
  for (const auto& [name, value] : attributes) NameTexts(value);
}

void CompiledSet::Compiler::NameTexts(const Value& value) {
  if (value.kind() == Value::Kind::kString) NameText(value.string_value());
  if (value.kind() == Value::Kind::kMap) NameTexts(value.map_value());
  if (value.kind() != Value::Kind::kList) return;
  for (const Value& element : value.list_value()) NameTexts(element);
}

void CompiledSet::Compiler::NameText(std::string_view text) {
  const EntityGraph::Node node =
      text.find(':') == std::string_view::npos ? EntityGraph::kNone : set_.graph_.Find(text);
  if (node != EntityGraph::kNone) set_.named_texts_.Add(text, node);
}

void CompiledSet::Compiler::BuildIndex() {
  using Part = RuleHead::Part;
  std::vector<uint32_t> found;
  const auto longest = [](absl::Span<const uint32_t> keys, const std::vector<uint32_t>& counts) {
    uint32_t most = 0;
    for (const uint32_t key : keys) most = std::max(most, counts[key]);
    return most;
  };
  const auto principals_of = [this](uint32_t rule) {
    const RuleHead& head = set_.heads_[rule];
    return LiteralsOf(head.principals, head.principal);
  };
  const auto resources_of = [this](uint32_t rule) {
    const RuleHead& head = set_.heads_[rule];
    return LiteralsOf(head.resources, head.resource);
  };
  for (uint32_t i = 0; i < set_.rule_count(); ++i) {
    RuleHead& head = set_.heads_[i];
    const auto principals = principals_of(i);
    const auto actions = LiteralsOf(head.actions, head.action);
    auto resources = resources_of(i);
    absl::Span<const uint32_t> prefixes;
    constexpr uint32_t kNever = UINT32_MAX;
    bool has_keys = head.resources != Part::kAny;
    if (head.resources == Part::kTree || head.resources == Part::kFolder) {
      prefixes = {&head.resource, 1};
    } else if (head.resources == Part::kMore) {
      const Alternatives alternatives = set_.compiled(i).resources;
      has_keys = FindPrefixes(alternatives, &found);
      resources = set_.Literals(alternatives);
      prefixes = found;
    }
    const uint32_t resource_cost = has_keys ? std::max(longest(resources, uses_.by_resource),
                                                       longest(prefixes, uses_.by_prefix))
                                            : kNever;
    const uint32_t principal_cost =
        principals.empty() ? kNever : longest(principals, uses_.by_principal);
    const uint32_t action_cost = actions.empty() ? kNever : longest(actions, uses_.by_action);
    const uint32_t least = std::min({resource_cost, principal_cost, action_cost});
    if (least == kNever) {
      set_.unfiled_.push_back(i);
    } else if (least == resource_cost) {
      if (head.resources == Part::kTree) head.resources = Part::kIndexed;
      for (const uint32_t node : resources) {
        set_.by_resource_.Add(set_.graph_.MarkOf(node), i);
      }
      if (!resources.empty()) set_.filed_by_resource_.push_back(i);
      for (const uint32_t prefix : prefixes) set_.by_prefix_.Add(prefix, i);
    } else if (least == principal_cost) {
      for (const uint32_t node : principals) {
        set_.by_principal_.Add(set_.graph_.MarkOf(node), i);
      }
      set_.filed_by_principal_.push_back(i);
    } else {
      for (const uint32_t action : actions) set_.by_action_.Add(action, i);
    }
  }
  const auto none = [](uint32_t) { return absl::Span<const uint32_t>(); };
  set_.by_resource_.Close(set_.graph_.mark_count(), principals_of);
  set_.by_principal_.Close(set_.graph_.mark_count(), resources_of);
  set_.by_action_.Close(set_.actions_.size(), none);
  set_.by_prefix_.Close(set_.prefixes_.size(), principals_of);
  set_.prefixes_.Close();
  set_.unfiled_.shrink_to_fit();
  set_.filed_by_principal_.shrink_to_fit();
  set_.filed_by_resource_.shrink_to_fit();
}

absl::Status CompiledSet::Compiler::CheckRule(const std::string& what, const Rule& rule) const {
  if (rule.principals.empty() || rule.actions.empty() || rule.resources.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has no principals, actions or resources; empty never means any"));
  }
  if (const Pattern* pattern = FindMisplaced(rule); pattern != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " has the pattern `", Printable(pattern->text()), "` where it cannot stand"));
  }
  for (const auto* patterns : {&rule.principals, &rule.resources}) {
    for (const Pattern& pattern : *patterns) {
      if (absl::Status declared = CheckDeclared(what, pattern); !declared.ok()) return declared;
    }
  }
  for (const Pattern& action : rule.actions) {
    if (set_.schema_ == nullptr || action.kind() != Pattern::Kind::kLiteral ||
        set_.schema_->IsDeclaredAction(action.text())) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        what, " names action `", Printable(action.text()), "`, which is not declared"));
  }
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::CheckName(EntityView entity) {
  if (std::string_view defect = DefectOf(entity); !defect.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(ToString(entity)), "`: ", View(defect)));
  }
  if (set_.schema_ != nullptr && !set_.schema_->IsDeclared(entity.type)) {
    return absl::InvalidArgumentError(
        absl::StrCat("entity type `", View(entity.type), "` is not declared"));
  }
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::CheckDeclared(const std::string& what,
                                                  const Pattern& pattern) const {
  const bool has_type =
      pattern.kind() == Pattern::Kind::kLiteral || pattern.kind() == Pattern::Kind::kGlob;
  if (set_.schema_ == nullptr || !has_type || set_.schema_->IsDeclared(pattern.type())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, " names entity type `", View(pattern.type()), "`, which is not declared"));
}

absl::Status CompiledSet::Compiler::ListEntities(const std::string& what,
                                                 const std::vector<Pattern>& patterns,
                                                 Listed* listed, std::string* written) {
  Begin(patterns, written);
  for (const Pattern& pattern : patterns) {
    uint64_t number = 0;
    if (pattern.kind() == Pattern::Kind::kLiteral) {
      number = set_.graph_.Add(pattern.entity());
      listed->literals.push_back(static_cast<uint32_t>(number));
    } else if (pattern.kind() == Pattern::Kind::kRole) {
      const auto at = roles_.find(pattern.text());
      if (at == roles_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat(what, " names role `", pattern.text(), "`, which does not exist"));
      }
      const NamedRole& role = at->second;
      if (role.node != EntityGraph::kNone) {
        listed->literals.push_back(role.node);
        number = uint64_t{role.node} << 1;
      } else {
        listed->roles.push_back(role.conditional);
        number = uint64_t{role.conditional} << 1 | 1;
      }
    } else {
      number = ListOther(pattern, listed);
    }
    Write(pattern, number, written);
  }
  Sort(&listed->literals);
  return absl::OkStatus();
}

absl::Status CompiledSet::Compiler::ListActions(const std::vector<Pattern>& patterns,
                                                Listed* listed, std::string* written) {
  Begin(patterns, written);
  for (const Pattern& pattern : patterns) {
    uint32_t number;
    if (pattern.kind() == Pattern::Kind::kLiteral) {
      number = set_.actions_.Add(0, pattern.text());
      listed->literals.push_back(number);
    } else {
      number = ListOther(pattern, listed);
    }
    Write(pattern, number, written);
  }
  Sort(&listed->literals);
  return absl::OkStatus();
}

uint32_t CompiledSet::Compiler::ListOther(const Pattern& pattern, Listed* listed) {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:
      listed->any = true;
      return 0;
    case Pattern::Kind::kAuthenticated:
      listed->authenticated = true;
      return 0;
    default:
      break;
  }
  listed->binds |= pattern.kind() == Pattern::Kind::kGlob && pattern.glob().binds();
  const auto [at, is_new] = patterns_.try_emplace(KeyOf(pattern.kind(), pattern.text()),
                                                  static_cast<uint32_t>(set_.patterns_.size()));
  if (is_new) set_.patterns_.Add(pattern);
  listed->patterns.push_back(at->second);
  return at->second;
}

std::string CompiledSet::Compiler::KeyOf(Pattern::Kind kind, std::string_view text) {
  return absl::StrCat(kind == Pattern::Kind::kGlob ? "glob " : "re ", View(text));
}

void CompiledSet::Compiler::Begin(const std::vector<Pattern>& patterns, std::string* written) {
  if (written != nullptr) AppendVarint(patterns.size(), written);
}

void CompiledSet::Compiler::Write(const Pattern& pattern, uint64_t number, std::string* written) {
  if (written == nullptr) return;
  AppendVarint(number << kKindBits | static_cast<uint64_t>(pattern.kind()), written);
}

void CompiledSet::Compiler::Sort(std::vector<uint32_t>* numbers) {
  // As most are.
  if (std::adjacent_find(numbers->begin(), numbers->end(), std::greater_equal<>()) ==
      numbers->end()) {
    return;
  }
  std::sort(numbers->begin(), numbers->end());
  numbers->erase(std::unique(numbers->begin(), numbers->end()), numbers->end());
}

size_t CompiledSet::Compiler::MostWords(const Listed& listed) {
  return kMaxCounts + listed.literals.size() + listed.patterns.size() + listed.roles.size();
}

uint32_t* CompiledSet::Compiler::Write(const Listed& listed, uint32_t* words) {
  const uint32_t flags = (listed.any ? kAnyFlag : 0) |
                         (listed.authenticated ? kAuthenticatedFlag : 0) |
                         (listed.binds ? kBindsFlag : 0);
  words = WriteCounts(
      {flags, {SizeOf(listed.literals), SizeOf(listed.patterns), SizeOf(listed.roles)}}, words);
  words = WriteWords(listed.literals, words);
  words = WriteWords(listed.patterns, words);
  return WriteWords(listed.roles, words);
}

Alternatives CompiledSet::Compiler::Append(const Listed& listed) {
  uint32_t begin = SizeOf(set_.words_);
  set_.words_.resize(begin + MostWords(listed));
  const uint32_t* const end = Write(listed, set_.words_.data() + begin);
  set_.words_.resize(end - set_.words_.data());
  return ReadAlternatives(set_.words_.data(), &begin);
}

uint32_t CompiledSet::Compiler::Keep(Condition condition, uint32_t clause) {
  const auto [at, is_new] =
      conditions_.try_emplace(absl::StrCat(clause, " ", condition.text), SizeOfConditions());
  if (is_new) set_.conditions_.push_back(std::move(condition));
  return at->second;
}

uint32_t CompiledSet::Compiler::NumberOfBinding(std::string_view name) {
  auto& names = set_.binding_names_;
  const size_t number = std::find(names.begin(), names.end(), name) - names.begin();
  if (number == names.size()) names.emplace_back(name);
  return static_cast<uint32_t>(number);
}

const CompiledSet::Compiler::IndexedGlob& CompiledSet::Compiler::Indexed(uint32_t glob) {
  if (indexed_globs_.size() <= glob) indexed_globs_.resize(set_.patterns_.size());
  IndexedGlob& indexed = indexed_globs_[glob];
  if (indexed.prefix != PrefixTree::kNone) return indexed;
  // It cannot match without the literal beginning of the id, up to its last slash.
  const std::string_view text = set_.patterns_.text(glob);
  const size_t id = text.find(':') + 1;
  const size_t slash = set_.patterns_.glob(glob).literal_prefix().rfind('/');
  const size_t end = slash == std::string_view::npos ? id : std::max(id, slash + 1);
  indexed.prefix =
      set_.prefixes_.Add(set_.graph_.AddType(text.substr(0, id - 1)), text.substr(id, end - id));
  const std::string_view wildcards = text.substr(end);
  if (wildcards == "*") indexed.part = RuleHead::Part::kFolder;
  if (wildcards == "**") indexed.part = RuleHead::Part::kTree;
  return indexed;
}

bool CompiledSet::Compiler::FindPrefixes(const Alternatives& alternatives,
                                         std::vector<uint32_t>* prefixes) {
  prefixes->clear();
  for (const uint32_t number : set_.Patterns(alternatives)) {
    if (set_.patterns_.kind(number) != Pattern::Kind::kGlob) return false;
    prefixes->push_back(Indexed(number).prefix);
  }
  Sort(prefixes);
  return true;
}

RuleHead::Part CompiledSet::Compiler::PartOf(const Listed& listed, uint32_t place,
                                             uint32_t* number) {
  if (listed.any) return RuleHead::Part::kAny;
  if (!listed.patterns.empty() || !listed.roles.empty()) return RuleHead::Part::kMore;
  if (listed.authenticated) {
    return listed.literals.empty() ? RuleHead::Part::kAuthenticated : RuleHead::Part::kMore;
  }
  const bool is_one = listed.literals.size() == 1;
  *number = is_one ? listed.literals[0] : place;
  return is_one ? RuleHead::Part::kOne : RuleHead::Part::kSome;
}

RuleHead::Part CompiledSet::Compiler::PartOfResources(const Listed& listed, uint32_t place,
                                                      uint32_t* number) {
  const RuleHead::Part part = PartOf(listed, place, number);
  if (part != RuleHead::Part::kMore || listed.patterns.size() != 1 || !listed.literals.empty() ||
      set_.patterns_.kind(listed.patterns[0]) != Pattern::Kind::kGlob) {
    return part;
  }
  const IndexedGlob& glob = Indexed(listed.patterns[0]);
  if (glob.part != RuleHead::Part::kMore) *number = glob.prefix;
  return glob.part;
}

absl::Span<const uint32_t> CompiledSet::Compiler::LiteralsOf(RuleHead::Part part,
                                                             const uint32_t& number) const {
  if (part == RuleHead::Part::kOne) return {&number, 1};
  return part == RuleHead::Part::kSome ? set_.SomeAt(number) : absl::Span<const uint32_t>();
}

std::unique_ptr<CompiledSet> CompiledSet::Compiler::NewSet(
    std::unique_ptr<const CompiledSchema> schema) {
  static std::atomic<uint64_t> sets{0};
  std::unique_ptr<CompiledSet> set(new CompiledSet);
  set->number_ = ++sets;
  set->schema_ = std::move(schema);
  return set;
}

absl::Status CompiledSet::Compiler::Close(std::vector<EntityId>* cycle) {
  CloseRules();
  if (std::vector<EntityId> found = set_.graph_.Close(); !found.empty()) {
    constexpr size_t kShown = 8;
    const size_t shown = std::min(found.size(), kShown);
    std::string path = absl::StrJoin(
        found.begin(), found.begin() + shown, " -> ",
        [](std::string* out, const EntityId& id) { absl::StrAppend(out, "`", ToString(id), "`"); });
    if (found.size() > shown) absl::StrAppend(&path, " … (", found.size(), " in all)");
    if (cycle != nullptr) *cycle = std::move(found);
    return absl::InvalidArgumentError(absl::StrCat("parents form a cycle: ", path));
  }
  BuildIndex();
  NameTexts();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const CompiledSet>> CompiledSet::Compile(
    std::vector<Rule> rules, const std::vector<Role>& roles, std::vector<Entity> entities,
    std::unique_ptr<const CompiledSchema> schema, std::vector<EntityId>* cycle) {
  std::unique_ptr<CompiledSet> set = Compiler::NewSet(std::move(schema));
  Compiler compiler(set.get());
  absl::Status status = compiler.AddEntities(std::move(entities));
  if (status.ok()) status = compiler.AddRoles(roles);
  if (status.ok()) status = compiler.AddRules(std::move(rules));
  if (status.ok()) status = compiler.Close(cycle);
  if (!status.ok()) return status;
  return std::unique_ptr<const CompiledSet>(std::move(set));
}

}  // namespace reeve
