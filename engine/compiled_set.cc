#include "engine/compiled_set.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// What a resource glob cannot match without: the literal beginning of the id, up to its last slash.
std::string_view IndexedPrefix(const Pattern& pattern) {
  std::string_view literal = pattern.glob().literal_prefix();
  literal.remove_prefix(literal.find(':') + 1);
  return literal.substr(0, literal.rfind('/') + 1);  // npos + 1 is 0
}

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

}  // namespace

void RuleLists::Close(size_t keys, Others others) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key < b.key : a.rule < b.rule;
  });
  lists_.resize(keys);
  for (const Entry& entry : entries_) ++lists_[entry.key].count;
  for (const Entry& entry : entries_) {
    Slice& list = lists_[entry.key];
    if (list.count == 1) {
      list.begin = entry.rule;
      continue;
    }
    const bool first = &entry == entries_.data() || (&entry)[-1].key != entry.key;
    if (first) list.begin = static_cast<uint32_t>(rules_.size());
    rules_.push_back(entry.rule);
  }
  entries_ = {};
  std::vector<std::pair<uint32_t, uint32_t>> with;
  std::vector<uint32_t> without;
  for (uint32_t key = 0; key < keys; ++key) {
    if (lists_[key].count <= kLong) continue;
    with.clear();
    without.clear();
    for (const uint32_t rule : At(key)) {
      const absl::Span<const uint32_t> literals = others(rule);
      for (const uint32_t literal : literals) with.emplace_back(literal, rule);
      if (literals.empty()) without.push_back(rule);
    }
    if (with.empty()) continue;
    long_[key] = {{static_cast<uint32_t>(others_.size()), static_cast<uint32_t>(with.size())},
                  {static_cast<uint32_t>(rules_.size()), static_cast<uint32_t>(without.size())}};
    std::sort(with.begin(), with.end());
    for (const auto& [literal, rule] : with) {
      others_.push_back(literal);
      rules_of_others_.push_back(rule);
    }
    rules_.insert(rules_.end(), without.begin(), without.end());
  }
  rules_.shrink_to_fit();
  others_.shrink_to_fit();
  rules_of_others_.shrink_to_fit();
}

uint32_t PrefixTree::Add(uint32_t type, std::string_view prefix) {
  if (roots_.size() <= type) roots_.resize(type + 1, kNone);
  if (roots_[type] == kNone) roots_[type] = size_++;
  uint32_t node = roots_[type];
  while (!prefix.empty()) {
    const size_t slash = prefix.find('/');
    const uint32_t segment = segments_.Add(node, prefix.substr(0, slash));
    if (segment == nodes_.size()) nodes_.push_back(size_++);
    node = nodes_[segment];
    prefix.remove_prefix(slash + 1);
  }
  return node;
}

// Compiles in three steps: names to nodes, rules to numbers, rules into the index.
class CompiledSet::Compiler {
 public:
  explicit Compiler(CompiledSet* set) : set_(*set) {}

  absl::Status AddEntities(std::vector<Entity> entities) {
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
      if (!set_.attributes_.try_emplace(node, std::move(entity.attributes)).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("entity `", ToString(entity.id), "` is given twice"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddRoles(const std::vector<Role>& roles) {
    std::vector<absl::Span<const Pattern>> members;
    size_t count = 0;
    for (const Role& role : roles) count += role.members.size();
    set_.role_patterns_.reserve(count);  // what points to them stays true
    for (const Role& role : roles) {
      const Pattern* const first = set_.role_patterns_.data() + set_.role_patterns_.size();
      members.emplace_back(first, role.members.size());
      for (const Pattern& member : role.members) set_.role_patterns_.push_back(member);
    }
    std::vector<uint32_t> order;
    if (absl::Status status = SortRoles(roles, &order); !status.ok()) return status;
    for (const uint32_t i : order) {
      if (absl::Status status = AddRole(roles[i], members[i]); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Those that a role names before it. Depth first with its own stack, as the depth is the user's.
  static absl::Status SortRoles(const std::vector<Role>& roles, std::vector<uint32_t>* order) {
    absl::flat_hash_map<absl::string_view, uint32_t> numbers;
    for (uint32_t i = 0; i < roles.size(); ++i) {
      if (!numbers.try_emplace(roles[i].name, i).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("role `", roles[i].name, "` is given twice"));
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

  // `members` are those of `role`, where they stay. The roles among them were added before.
  absl::Status AddRole(const Role& role, absl::Span<const Pattern> members) {
    NamedRole named;
    const bool conditional =
        !role.when.empty() ||
        std::any_of(members.begin(), members.end(), [this](const Pattern& member) {
          return member.kind() == Pattern::Kind::kRole &&
                 roles_.at(member.text()).node == EntityGraph::kNone;
        });
    if (!conditional) {
      named.node = set_.graph_.AddRole(role.name);
    } else {
      named.conditional = static_cast<uint32_t>(set_.conditional_roles_.size());
    }
    roles_.try_emplace(role.name, named);
    Alternatives alternatives;
    std::vector<uint32_t> literals;
    std::vector<uint32_t> conditional_members;
    for (const Pattern& member : members) {
      if (!CanStandInPrincipals(member)) {
        return absl::InvalidArgumentError(absl::StrCat("role `", role.name, "` has the member `",
                                                       Printable(member.text()),
                                                       "`, which is no pattern of principals"));
      }
      absl::Status declared = CheckDeclared(absl::StrCat("role `", role.name, "`"), member);
      if (!declared.ok()) return declared;
      EntityGraph::Node node = EntityGraph::kNone;
      if (member.kind() == Pattern::Kind::kRole) {
        const NamedRole& other = roles_.at(member.text());
        if (other.node == EntityGraph::kNone) conditional_members.push_back(other.conditional);
        node = other.node;
      } else if (member.kind() == Pattern::Kind::kLiteral) {
        node = set_.graph_.Add(member.entity());
      }
      if (node == EntityGraph::kNone) continue;
      if (!conditional) {
        set_.graph_.AddParent(node, named.node);
      } else {
        literals.push_back(node);
      }
    }
    const bool more = AddPatterns(members, &alternatives);
    if (!conditional) {
      if (more) set_.dynamic_roles_.push_back({named.node, alternatives});
      return absl::OkStatus();
    }
    alternatives.literals = AddNodes(std::move(literals));
    alternatives.roles = AddRolesTo(conditional_members);
    ConditionalRole added = {alternatives, {}, role.name, role.when};
    const std::string what = absl::StrCat("role `", role.name, "`");
    if (std::any_of(role.when.begin(), role.when.end(), ReadsRoles)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has a condition that reads `principal.roles`"));
    }
    absl::Status status = AddClauses(what, role.when, {}, 0, &added.clauses);
    set_.conditional_roles_.push_back(std::move(added));
    return status;
  }

  // Numbers the clauses of the rule or role that `what` names.
  absl::Status AddClauses(const std::string& what, const std::vector<Condition>& when,
                          const std::vector<std::string_view>& bindings, uint32_t policy,
                          Slice* clauses) {
    if (when.size() > kMaxClauses) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has more than ", kMaxClauses, " clauses"));
    }
    *clauses = {static_cast<uint32_t>(set_.clause_pool_.size()),
                static_cast<uint32_t>(when.size())};
    for (const Condition& condition : when) {
      if (condition.program == nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(what, " has a clause that is not compiled"));
      }
      set_.clause_pool_.push_back(set_.clauses_.Add(condition, bindings, policy));
    }
    return absl::OkStatus();
  }

  // The facts that the texts of `rule` hold.
  static std::vector<const Condition*> FactsOf(const Rule& rule) {
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

  absl::Status AddTexts(const Rule& rule, const std::vector<std::string_view>& bindings,
                        uint32_t policy, Slice* texts) {
    const std::vector<const Condition*> facts = FactsOf(rule);
    *texts = {static_cast<uint32_t>(set_.clause_pool_.size()), static_cast<uint32_t>(facts.size())};
    for (const Condition* fact : facts) {
      if (fact->program == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("rule `", rule.id, "` has a text that is not compiled"));
      }
      set_.clause_pool_.push_back(set_.clauses_.Add(*fact, bindings, policy));
    }
    return absl::OkStatus();
  }

  // The names that the patterns of `rule` bind and its clauses and texts read.
  static std::vector<std::string_view> BindingsOf(const Rule& rule) {
    std::vector<const Condition*> conditions = FactsOf(rule);
    for (const Condition& condition : rule.when) conditions.push_back(&condition);
    std::vector<std::string_view> names;
    for (const Condition* condition : conditions) {
      if (condition->program == nullptr) continue;
      for (const std::string_view variable : condition->program->variables()) {
        if (!IsBound(variable, rule.principals) && !IsBound(variable, rule.resources)) continue;
        if (std::find(names.begin(), names.end(), variable) == names.end()) {
          names.push_back(variable);
        }
      }
    }
    return names;
  }

  // The number of the policy of a rule, for conditions of it that read `principal.roles`.
  uint32_t PolicyOf(const Rule& rule) {
    const auto facts = FactsOf(rule);
    const bool reads = std::any_of(rule.when.begin(), rule.when.end(), ReadsRoles) ||
                       std::any_of(facts.begin(), facts.end(),
                                   [](const Condition* fact) { return ReadsRoles(*fact); });
    if (!reads) return ClauseSet::kReadsNoRoles;
    const std::string_view policy = PolicyOfName(rule.id);
    const auto [at, is_new] =
        policies_.try_emplace(std::string(policy), static_cast<uint32_t>(policies_.size()));
    if (is_new) {
      std::vector<VisibleRole> roles;
      for (const auto& [name, role] : roles_) {
        if (PolicyOfName(name) != policy) continue;
        const size_t skipped = policy.size() + (policy.size() < name.size() ? 1 : 0);
        roles.push_back(
            {policy.empty() ? name : name.substr(skipped), role.node, role.conditional});
      }
      std::sort(roles.begin(), roles.end(),
                [](const VisibleRole& a, const VisibleRole& b) { return a.name < b.name; });
      set_.roles_by_policy_.push_back(std::move(roles));
    }
    return at->second;
  }

  // `documents` of `documents/editors-edit`; empty if it says none.
  static std::string_view PolicyOfName(std::string_view name) {
    const size_t slash = name.find('/');
    return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
  }

  static bool IsBound(std::string_view name, const std::vector<Pattern>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(), [name](const Pattern& pattern) {
      return pattern.kind() == Pattern::Kind::kGlob && pattern.glob().Binds(name);
    });
  }

  absl::Status AddRules(std::vector<Rule> rules) {
    std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) { return a.id < b.id; });
    set_.rules_ = std::move(rules);
    set_.compiled_rules_.resize(set_.rules_.size());
    for (size_t i = 0; i < set_.rules_.size(); ++i) {
      const Rule& rule = set_.rules_[i];
      if (i > 0 && rule.id == set_.rules_[i - 1].id) {
        return absl::InvalidArgumentError(absl::StrCat("rule `", rule.id, "` is given twice"));
      }
      if (rule.principals.empty() || rule.actions.empty() || rule.resources.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "rule `", rule.id, "` has no principals, actions or resources; empty never means any"));
      }
      if (const Pattern* pattern = FindMisplaced(rule); pattern != nullptr) {
        return absl::InvalidArgumentError(absl::StrCat("rule `", rule.id, "` has the pattern `",
                                                       Printable(pattern->text()),
                                                       "` where it cannot stand"));
      }
      for (const auto* patterns : {&rule.principals, &rule.resources}) {
        for (const Pattern& pattern : *patterns) {
          absl::Status declared = CheckDeclared(absl::StrCat("rule `", rule.id, "`"), pattern);
          if (!declared.ok()) return declared;
        }
      }
      for (const Pattern& action : rule.actions) {
        if (set_.schema_ == nullptr || action.kind() != Pattern::Kind::kLiteral ||
            set_.schema_->IsDeclaredAction(action.text())) {
          continue;
        }
        return absl::InvalidArgumentError(absl::StrCat("rule `", rule.id, "` names action `",
                                                       Printable(action.text()),
                                                       "`, which is not declared"));
      }
      CompiledRule& compiled = set_.compiled_rules_[i];
      if (absl::Status status = AddEntityAlternatives(rule, rule.principals, &compiled.principals);
          !status.ok()) {
        return status;
      }
      if (absl::Status status = AddEntityAlternatives(rule, rule.resources, &compiled.resources);
          !status.ok()) {
        return status;
      }
      AddActionAlternatives(rule.actions, &compiled.actions);
      const std::vector<std::string_view> bindings = BindingsOf(rule);
      compiled.bindings = {static_cast<uint32_t>(set_.binding_pool_.size()),
                           static_cast<uint32_t>(bindings.size())};
      set_.binding_pool_.insert(set_.binding_pool_.end(), bindings.begin(), bindings.end());
      const uint32_t policy = PolicyOf(rule);
      if (absl::Status status = AddClauses(absl::StrCat("rule `", rule.id, "`"), rule.when,
                                           bindings, policy, &compiled.clauses);
          !status.ok()) {
        return status;
      }
      if (absl::Status status = AddTexts(rule, bindings, policy, &compiled.texts); !status.ok()) {
        return status;
      }
    }
    set_.clauses_.Close();
    return absl::OkStatus();
  }

  // Files each rule under principals, resources or actions: where its longest list is shortest.
  void BuildIndex() {
    std::vector<uint32_t> of_principal(set_.graph_.size());
    std::vector<uint32_t> of_resource(set_.graph_.size());
    std::vector<uint32_t> of_action(set_.actions_.size());
    std::vector<uint32_t> of_prefix;
    set_.heads_.resize(set_.rules_.size());
    for (size_t i = 0; i < set_.rules_.size(); ++i) {
      const CompiledRule& rule = set_.compiled_rules_[i];
      for (const uint32_t node : set_.Literals(rule.principals)) ++of_principal[node];
      for (const uint32_t node : set_.Literals(rule.resources)) ++of_resource[node];
      for (const uint32_t action : set_.Literals(rule.actions)) ++of_action[action];
      for (const Pattern* pattern : set_.Patterns(rule.resources)) {
        if (pattern->kind() != Pattern::Kind::kGlob) continue;
        const uint32_t prefix = AddPrefix(*pattern);
        of_prefix.resize(set_.prefixes_.size());
        ++of_prefix[prefix];
      }
    }
    const auto longest = [](absl::Span<const uint32_t> keys, const std::vector<uint32_t>& counts) {
      uint32_t most = 0;
      for (const uint32_t key : keys) most = std::max(most, counts[key]);
      return most;
    };
    for (uint32_t i = 0; i < set_.rules_.size(); ++i) {
      const CompiledRule& rule = set_.compiled_rules_[i];
      const auto principals = set_.Literals(rule.principals);
      const auto resources = set_.Literals(rule.resources);
      const auto actions = set_.Literals(rule.actions);
      const std::optional<std::vector<uint32_t>> prefixes = PrefixesOf(rule.resources);
      constexpr uint32_t kNever = UINT32_MAX;
      const uint32_t resource_cost =
          rule.resources.any || !prefixes.has_value()
              ? kNever
              : std::max(longest(resources, of_resource), longest(*prefixes, of_prefix));
      const uint32_t principal_cost =
          OnlyLiterals(rule.principals) ? longest(principals, of_principal) : kNever;
      const uint32_t action_cost =
          OnlyLiterals(rule.actions) ? longest(actions, of_action) : kNever;
      const uint32_t least = std::min({resource_cost, principal_cost, action_cost});
      set_.heads_[i] = HeadOf(set_.rules_[i], rule, least == resource_cost);
      if (least == kNever) {
        set_.unfiled_.push_back(i);
      } else if (least == resource_cost) {
        for (const uint32_t node : resources) {
          set_.by_resource_.Add(set_.graph_.MarkOf(node), i);
        }
        if (!resources.empty()) set_.filed_by_resource_.push_back(i);
        for (const uint32_t prefix : *prefixes) set_.by_prefix_.Add(prefix, i);
      } else if (least == principal_cost) {
        for (const uint32_t node : principals) {
          set_.by_principal_.Add(set_.graph_.MarkOf(node), i);
        }
        set_.filed_by_principal_.push_back(i);
      } else {
        for (const uint32_t action : actions) set_.by_action_.Add(action, i);
      }
    }
    const auto principals = [this](uint32_t rule) {
      const Alternatives& alternatives = set_.compiled_rules_[rule].principals;
      return OnlyLiterals(alternatives) ? set_.Literals(alternatives)
                                        : absl::Span<const uint32_t>();
    };
    const auto resources = [this](uint32_t rule) {
      const Alternatives& alternatives = set_.compiled_rules_[rule].resources;
      return OnlyLiterals(alternatives) ? set_.Literals(alternatives)
                                        : absl::Span<const uint32_t>();
    };
    const auto none = [](uint32_t) { return absl::Span<const uint32_t>(); };
    set_.by_resource_.Close(set_.graph_.mark_count(), principals);
    set_.by_principal_.Close(set_.graph_.mark_count(), resources);
    set_.by_action_.Close(set_.actions_.size(), none);
    set_.by_prefix_.Close(set_.prefixes_.size(), principals);
  }

 private:
  absl::Status CheckName(EntityView entity) {
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

  // Whether the type that a pattern of entities says is one of the schema.
  absl::Status CheckDeclared(const std::string& what, const Pattern& pattern) const {
    const bool has_type =
        pattern.kind() == Pattern::Kind::kLiteral || pattern.kind() == Pattern::Kind::kGlob;
    if (set_.schema_ == nullptr || !has_type || set_.schema_->IsDeclared(pattern.type())) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        what, " names entity type `", View(pattern.type()), "`, which is not declared"));
  }

  // Takes what is not literal. Returns whether there was any.
  bool AddPatterns(absl::Span<const Pattern> patterns, Alternatives* alternatives) {
    alternatives->patterns.begin = static_cast<uint32_t>(set_.pattern_pool_.size());
    for (const Pattern& pattern : patterns) {
      switch (pattern.kind()) {
        case Pattern::Kind::kAny:
          alternatives->any = true;
          break;
        case Pattern::Kind::kAuthenticated:
          alternatives->authenticated = true;
          break;
        case Pattern::Kind::kGlob:
        case Pattern::Kind::kRegex:
          set_.pattern_pool_.push_back(&pattern);
          alternatives->binds |= pattern.kind() == Pattern::Kind::kGlob && pattern.glob().binds();
          break;
        case Pattern::Kind::kLiteral:
        case Pattern::Kind::kRole:
          break;
      }
    }
    alternatives->patterns.count =
        static_cast<uint32_t>(set_.pattern_pool_.size()) - alternatives->patterns.begin;
    return alternatives->any || alternatives->authenticated || alternatives->patterns.count > 0;
  }

  Slice AddLiterals(std::vector<uint32_t> literals) {
    std::sort(literals.begin(), literals.end());
    literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
    const Slice slice = {static_cast<uint32_t>(set_.literal_pool_.size()),
                         static_cast<uint32_t>(literals.size())};
    set_.literal_pool_.insert(set_.literal_pool_.end(), literals.begin(), literals.end());
    return slice;
  }

  // The same of nodes, which a request is then asked for.
  Slice AddNodes(std::vector<EntityGraph::Node> nodes) {
    for (const EntityGraph::Node node : nodes) set_.graph_.Mark(node);
    return AddLiterals(std::move(nodes));
  }

  Slice AddRolesTo(const std::vector<uint32_t>& conditional) {
    const Slice slice = {static_cast<uint32_t>(set_.role_pool_.size()),
                         static_cast<uint32_t>(conditional.size())};
    set_.role_pool_.insert(set_.role_pool_.end(), conditional.begin(), conditional.end());
    return slice;
  }

  absl::Status AddEntityAlternatives(const Rule& rule, const std::vector<Pattern>& patterns,
                                     Alternatives* alternatives) {
    std::vector<uint32_t> nodes;
    std::vector<uint32_t> conditional;
    for (const Pattern& pattern : patterns) {
      if (pattern.kind() == Pattern::Kind::kLiteral) {
        nodes.push_back(set_.graph_.Add(pattern.entity()));
      } else if (pattern.kind() == Pattern::Kind::kRole) {
        const auto role = roles_.find(pattern.text());
        if (role == roles_.end()) {
          return absl::InvalidArgumentError(absl::StrCat(
              "rule `", rule.id, "` names role `", pattern.text(), "`, which does not exist"));
        }
        if (role->second.node != EntityGraph::kNone) {
          nodes.push_back(role->second.node);
        } else {
          conditional.push_back(role->second.conditional);
        }
      }
    }
    alternatives->literals = AddNodes(std::move(nodes));
    alternatives->roles = AddRolesTo(conditional);
    AddPatterns(patterns, alternatives);
    return absl::OkStatus();
  }

  void AddActionAlternatives(const std::vector<Pattern>& patterns, Alternatives* alternatives) {
    std::vector<uint32_t> numbers;
    for (const Pattern& pattern : patterns) {
      if (pattern.kind() != Pattern::Kind::kLiteral) continue;
      numbers.push_back(set_.actions_.Add(0, pattern.text()));
    }
    alternatives->literals = AddLiterals(std::move(numbers));
    AddPatterns(patterns, alternatives);
  }

  uint32_t AddPrefix(const Pattern& pattern) {
    return set_.prefixes_.Add(set_.graph_.AddType(pattern.type()), IndexedPrefix(pattern));
  }

  // Nothing if a regular expression is among the patterns.
  std::optional<std::vector<uint32_t>> PrefixesOf(const Alternatives& alternatives) {
    std::vector<uint32_t> prefixes;
    for (const Pattern* pattern : set_.Patterns(alternatives)) {
      if (pattern->kind() != Pattern::Kind::kGlob) return std::nullopt;
      prefixes.push_back(AddPrefix(*pattern));
    }
    std::sort(prefixes.begin(), prefixes.end());
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    return prefixes;
  }

  // `by_resource`: the index finds the rule by its resources alone.
  RuleHead HeadOf(const Rule& rule, const CompiledRule& compiled, bool by_resource) const {
    RuleHead head;
    head.principals = PartOf(compiled.principals, &head.principal);
    head.actions = PartOf(compiled.actions, &head.action);
    head.resources = PartOf(compiled.resources, &head.resource);
    const auto patterns = set_.Patterns(compiled.resources);
    const bool under_prefix = patterns.size() == 1 && compiled.resources.literals.count == 0 &&
                              patterns[0]->kind() == Pattern::Kind::kGlob &&
                              IsWholeTree(*patterns[0]);
    if (by_resource && under_prefix) head.resources = RuleHead::Part::kIndexed;
    head.deny = rule.effect == Effect::kDeny;
    head.shadow = rule.shadow;
    head.binds = compiled.bindings.count > 0;
    head.has_text = !rule.obligations.empty() || !rule.message.constant();
    head.audit = rule.audit;
    head.clauses = compiled.clauses;
    return head;
  }

  // Sets *one if there is but one literal.
  RuleHead::Part PartOf(const Alternatives& alternatives, uint32_t* one) const {
    if (alternatives.any) return RuleHead::Part::kAny;
    if (alternatives.patterns.count > 0 || alternatives.roles.count > 0) {
      return RuleHead::Part::kMore;
    }
    if (alternatives.authenticated && alternatives.literals.count == 0) {
      return RuleHead::Part::kAuthenticated;
    }
    if (alternatives.authenticated || alternatives.literals.count != 1) {
      return RuleHead::Part::kMore;
    }
    *one = set_.Literals(alternatives)[0];
    return RuleHead::Part::kOne;
  }

  // Whether a glob is its prefix in the index and `**`.
  static bool IsWholeTree(const Pattern& pattern) {
    const size_t prefix = pattern.type().size() + 1 + IndexedPrefix(pattern).size();
    return std::string_view(pattern.text()).substr(prefix) == "**";
  }

  static bool OnlyLiterals(const Alternatives& alternatives) {
    return !alternatives.any && !alternatives.authenticated && alternatives.patterns.count == 0 &&
           alternatives.roles.count == 0;
  }

  // A node, or the number of a conditional role.
  struct NamedRole {
    EntityGraph::Node node = EntityGraph::kNone;
    uint32_t conditional = 0;
  };

  CompiledSet& set_;
  absl::flat_hash_map<std::string, NamedRole> roles_;
  absl::flat_hash_map<std::string, uint32_t> policies_;  // That read `principal.roles`.
};

absl::StatusOr<std::unique_ptr<const CompiledSet>> CompiledSet::Compile(
    std::vector<Rule> rules, const std::vector<Role>& roles, std::vector<Entity> entities,
    std::unique_ptr<const CompiledSchema> schema, std::vector<EntityId>* cycle) {
  static std::atomic<uint64_t> sets{0};
  std::unique_ptr<CompiledSet> set(new CompiledSet);
  set->number_ = ++sets;
  set->schema_ = std::move(schema);
  Compiler compiler(set.get());
  if (absl::Status status = compiler.AddEntities(std::move(entities)); !status.ok()) return status;
  if (absl::Status status = compiler.AddRoles(roles); !status.ok()) return status;
  if (absl::Status status = compiler.AddRules(std::move(rules)); !status.ok()) return status;
  if (std::vector<EntityId> found = set->graph_.Close(); !found.empty()) {
    constexpr size_t kShown = 8;
    const size_t shown = std::min(found.size(), kShown);
    std::string path = absl::StrJoin(
        found.begin(), found.begin() + shown, " -> ",
        [](std::string* out, const EntityId& id) { absl::StrAppend(out, "`", ToString(id), "`"); });
    if (found.size() > shown) absl::StrAppend(&path, " … (", found.size(), " in all)");
    if (cycle != nullptr) *cycle = std::move(found);
    return absl::InvalidArgumentError(absl::StrCat("parents form a cycle: ", path));
  }
  compiler.BuildIndex();
  return std::unique_ptr<const CompiledSet>(std::move(set));
}

const Attributes* CompiledSet::StoredAttributes(EntityGraph::Node node) const {
  if (node == EntityGraph::kNone || attributes_.empty()) return nullptr;
  const auto at = attributes_.find(node);
  return at == attributes_.end() ? nullptr : &at->second;
}

}  // namespace reeve
