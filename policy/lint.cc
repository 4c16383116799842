#include "policy/lint.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policy/pattern_cover.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// What comparing may cost in all; beyond that the rest is not compared.
constexpr int64_t kMaxCoverCost = 200'000'000;
constexpr int64_t kMaxMatchCost = 50'000'000;
// Of one clause, when it is evaluated without any facts.
constexpr uint64_t kClauseCost = 100'000;
constexpr size_t kClauseMemory = size_t{1} << 20;

constexpr std::string_view kVariables[] = {"principal", "action", "resource", "context"};

// Whether `variable.name` is there in every request. Attributes may be missing.
bool IsAlwaysThere(std::string_view variable, std::string_view name) {
  static const std::map<std::string_view, std::set<std::string_view>> names = {
      {"principal", {"type", "id", "name", "groups", "assurance", "via", "host", "actor", "roles"}},
      {"resource", {"type", "id", "name"}},
      {"context", {"time"}}};
  const auto found = names.find(variable);
  return found == names.end() || found->second.count(name) > 0;
}

// A request of which nothing is known.
class NoFacts final : public cel::Variables {
 public:
  cel::Cell Get(uint32_t, cel::Context&) const override {
    return cel::Cell::Error(cel::ErrorCode::kNoSuchVariable);
  }
  cel::Cell GetMember(uint32_t, std::string_view, cel::Context&) const override {
    return cel::Cell::Error(cel::ErrorCode::kNoSuchVariable);
  }
};

enum class Constant { kNone, kTrue, kFalse, kNoValue };

// What the clause is whatever the request says. Operations on an error are errors but where the
// other operands alone decide; so what a clause is without any facts it is with all.
Constant ConstantOf(const cel::Program& program) {
  std::vector<uint32_t> numbers(program.variable_count());
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<cel::Link::Path> paths;
  for (const cel::Path& path : program.paths()) {
    paths.emplace_back(program.names(path), path.variable, cel::Link::kNone);
  }
  const std::vector<uint32_t> not_kept(program.shared().size(), cel::Link::kNone);
  cel::Machine machine;
  cel::Machine::Room room;
  room.Add(program);
  machine.Begin(kClauseCost, kClauseMemory, room);
  const cel::Cell value = machine.Run(cel::Link(program, numbers, paths, not_kept), NoFacts());
  if (machine.context().exhausted()) return Constant::kNone;
  if (value.is_bool(true)) return Constant::kTrue;
  if (value.is_bool(false)) return Constant::kFalse;
  return program.variable_count() == 0 ? Constant::kNoValue : Constant::kNone;
}

// The attributes, as "variable.name", whose absence may leave the clause without a value; those
// that `has()` asks for go to *guarded.
std::vector<std::string> AttributesOf(const cel::Program& program, std::set<std::string>* guarded) {
  std::set<std::string> used;
  const auto name_of = [&program](size_t path) -> std::string {
    const cel::Path& of = program.paths()[path];
    const std::string_view variable = program.variable(of.variable);
    const std::string_view name = program.names(of)[0].text();
    return IsAlwaysThere(variable, name) ? "" : absl::StrCat(View(variable), ".", View(name));
  };
  for (const cel::Instruction& step : program.code()) {
    switch (step.op) {
      case cel::Op::kPath:
        used.insert(name_of(step.c));
        break;
      case cel::Op::kComparePaths:
        used.insert(name_of(step.b));
        used.insert(name_of(step.c));
        break;
      case cel::Op::kCompare:
      case cel::Op::kInPath:
      case cel::Op::kPathInSet:
        used.insert(name_of(step.b));
        break;
      case cel::Op::kHasPath:
        guarded->insert(name_of(step.b));
        break;
      default:
        break;
    }
  }
  used.erase("");
  return {used.begin(), used.end()};
}

std::optional<YamlNode> MemberOf(YamlNode mapping, std::string_view name) {
  for (const auto [key, value] : mapping.members()) {
    if (key.text() == name) return value;
  }
  return std::nullopt;
}

// The places of the items of a list, or of what stands for a list of one.
std::vector<Position> PlacesOf(std::optional<YamlNode> list) {
  std::vector<Position> places;
  if (!list.has_value()) return places;
  if (!list->IsSequence()) return {list->position()};
  for (const YamlNode item : list->items()) places.push_back(item.position());
  return places;
}

bool IsGlob(const Pattern& pattern) { return pattern.kind() == Pattern::Kind::kGlob; }
bool IsLiteral(const Pattern& pattern) { return pattern.kind() == Pattern::Kind::kLiteral; }
bool IsAny(const Pattern& pattern) { return pattern.kind() == Pattern::Kind::kAny; }

// The id of an entity's pattern: what stands behind the type and the colon.
std::string_view IdOf(const Pattern& pattern) {
  return std::string_view(pattern.text()).substr(pattern.type().size() + 1);
}

class Linter {
 public:
  Linter(const Documents& documents, std::vector<Issue>* issues)
      : documents_(documents), issues_(*issues), cover_(roles_) {}

  void Run(const std::vector<YamlNode>& policies);

 private:
  // A rule, and where its parts stand.
  struct RuleAt {
    const Rule* rule;
    const std::string* file;
    Position id;
    std::vector<std::string> clauses = {};  // Sorted; what their programs are.
    bool binds = false;                     // Whether a clause reads what a pattern binds.
    bool is_duplicate = false;
  };

  void Warn(const std::string& file, Position position, Warning warning, std::string message,
            Issue::Severity severity = Issue::Severity::kWarning) {
    issues_.push_back({severity, file, position, std::move(message), {}, 1, warning});
  }
  void Note(const std::string& file, Position position, Warning warning, std::string message) {
    Warn(file, position, warning, std::move(message), Issue::Severity::kNote);
  }
  std::string Place(const RuleAt& at, const std::string& seen_from) const {
    return absl::StrCat(*at.file == seen_from ? "" : absl::StrCat(*at.file, ":"), at.id.line, ":",
                        at.id.column);
  }

  void GatherNames();
  void CheckRoles(const PolicyDocument& policy, YamlNode root);
  void CheckRule(const std::string& file, const PolicyDocument::RuleDefinition& definition,
                 YamlNode node);
  void CheckClauses(const std::string& file, const std::vector<Condition>& clauses,
                    const std::vector<Position>& places,
                    const PolicyDocument::RuleDefinition* definition);
  void CheckPatterns(const std::string& file, const std::vector<Pattern>& patterns,
                     const std::vector<Position>& places);
  void CheckActionGlobs(const std::string& file, const std::vector<Pattern>& actions,
                        Position place);
  void CheckUnmatched(const std::string& file, const Pattern& pattern, Position place);
  std::string MeantBy(const Pattern& pattern, const std::vector<std::string>& names);
  void FindDuplicates();
  void FindCovered();
  bool Covers(const RuleAt& outer, const RuleAt& inner);

  const Documents& documents_;
  std::vector<Issue>& issues_;
  PatternCover::Roles roles_;
  PatternCover cover_;
  std::vector<RuleAt> rules_;

  // What the set says there is, by type.
  absl::flat_hash_map<std::string, std::vector<std::string>> declared_;  // As "type:id".
  absl::flat_hash_set<std::string> named_;                               // And as parents.
  absl::flat_hash_map<std::string, std::string> id_with_slash_;          // One for each type.
  std::set<std::string> action_prefixes_;                                // "doc." of `doc.read`.
  absl::flat_hash_map<const cel::Program*, Constant> constants_;
  int64_t match_cost_ = 0;
  int suggestions_ = 0;
};

void Linter::Run(const std::vector<YamlNode>& policies) {
  GatherNames();
  size_t index = 0;
  for (const PolicyDocument& policy : documents_.policies) {
    const YamlNode root = policies[index++];
    CheckRoles(policy, root);
    size_t rule = 0;
    for (const YamlNode node : MemberOf(root, "rules")->items()) {
      CheckRule(policy.file, policy.rules[rule++], node);
    }
  }
  if (documents_.scope == nullptr && !documents_.policies.empty()) {
    const PolicyDocument& first = documents_.policies[0];
    Note(first.file, first.name_position, Warning::kNoSchema,
         "the set has no schema, so that a misspelt attribute, type or action is a rule that never "
         "matches, and a request may hold anything; declare them in a file with `schema:`");
  }
  FindDuplicates();
  FindCovered();
  if (match_cost_ > kMaxMatchCost) {
    Note(documents_.policies[0].file, {}, Warning::kUnchecked,
         "the set has too many patterns and entities to compare all of them; `unmatched-pattern` "
         "is not complete");
  }
}

void Linter::GatherNames() {
  const auto see_id = [this](std::string_view type, std::string_view id) {
    if (id.find('/') != std::string_view::npos) {
      id_with_slash_.try_emplace(std::string(type), std::string(id));
    }
  };
  for (const EntitiesDocument& document : documents_.entities) {
    for (const EntitiesDocument::EntityDefinition& definition : document.entities) {
      const Entity& entity = definition.entity;
      declared_[entity.id.type].push_back(ToString(entity.id));
      named_.insert(ToString(entity.id));
      for (const EntityId& parent : entity.parents) named_.insert(ToString(parent));
      see_id(entity.id.type, entity.id.id);
    }
  }
  for (const PolicyDocument& policy : documents_.policies) {
    for (const PolicyDocument::RoleDefinition& role : policy.roles) roles_[role.name] = &role;
    for (const PolicyDocument::RuleDefinition& definition : policy.rules) {
      for (const Pattern& action : definition.rule.actions) {
        const std::string& text = action.text();
        const size_t dot = text.find('.');
        if (!IsAny(action) && dot < text.find_first_of("*{")) {
          action_prefixes_.insert(text.substr(0, dot + 1));
        }
      }
      for (const auto* patterns : {&definition.rule.principals, &definition.rule.resources}) {
        for (const Pattern& pattern : *patterns) {
          // A wildcard says nothing of what there is.
          if (IsLiteral(pattern) ||
              (IsGlob(pattern) && absl::StartsWith(View(IdOf(pattern)), "/"))) {
            see_id(pattern.type(), IdOf(pattern));
          }
        }
      }
    }
  }
}

void Linter::CheckRoles(const PolicyDocument& policy, YamlNode root) {
  const std::optional<YamlNode> roles = MemberOf(root, "roles");
  if (!roles.has_value()) return;
  size_t index = 0;
  for (const auto [key, value] : roles->members()) {
    const PolicyDocument::RoleDefinition& role = policy.roles[index++];
    const std::optional<YamlNode> list =
        value.IsMapping() ? MemberOf(value, "principals") : std::optional<YamlNode>(value);
    if (list.has_value()) CheckPatterns(policy.file, role.members, PlacesOf(list));
    if (value.IsMapping()) {
      CheckClauses(policy.file, role.when, PlacesOf(MemberOf(value, "when")), nullptr);
    }
  }
}

void Linter::CheckRule(const std::string& file, const PolicyDocument::RuleDefinition& definition,
                       YamlNode node) {
  const Rule& rule = definition.rule;
  RuleAt at = {&rule, &file, definition.id};
  for (const Condition& clause : rule.when) {
    at.clauses.push_back(cel::EncodingOf(*clause.program));
    for (const std::string_view name : clause.program->variables()) {
      at.binds |=
          std::find(std::begin(kVariables), std::end(kVariables), name) == std::end(kVariables);
    }
  }
  std::sort(at.clauses.begin(), at.clauses.end());
  rules_.push_back(std::move(at));

  CheckClauses(file, rule.when, PlacesOf(MemberOf(node, "when")), &definition);
  CheckPatterns(file, rule.principals, PlacesOf(MemberOf(node, "principals")));
  CheckPatterns(file, rule.resources, PlacesOf(MemberOf(node, "resources")));
  CheckActionGlobs(file, rule.actions, MemberOf(node, "actions")->position());
  if (rule.shadow) {
    Note(file, definition.id, Warning::kShadowRule,
         absl::StrCat("rule `", rule.id,
                      "` is on trial and decides nothing; remove `shadow` when it is to count"));
    return;
  }
  const bool any_action = std::any_of(rule.actions.begin(), rule.actions.end(), IsAny);
  const bool any_resource = std::any_of(rule.resources.begin(), rule.resources.end(), IsAny);
  const bool asks_who =
      std::any_of(rule.when.begin(), rule.when.end(), [](const Condition& clause) {
        const std::vector<std::string_view> names = clause.program->variables();
        return std::find(names.begin(), names.end(), "principal") != names.end();
      });
  if (rule.effect == Effect::kAllow && (any_action || any_resource) && !asks_who &&
      std::any_of(rule.principals.begin(), rule.principals.end(), IsAny)) {
    Warn(file, definition.id, Warning::kOpenAllow,
         absl::StrCat("rule `", rule.id, "` allows anyone, also who could not be identified, ",
                      any_action && any_resource ? "every action on every resource"
                      : any_action               ? "every action on its resources"
                                                 : "its actions on every resource",
                      "; name the principals, or write `authenticated`"));
  }
}

void Linter::CheckClauses(const std::string& file, const std::vector<Condition>& clauses,
                          const std::vector<Position>& places,
                          const PolicyDocument::RuleDefinition* definition) {
  const Rule* const rule = definition == nullptr ? nullptr : &definition->rule;
  const bool deny = rule != nullptr && rule->effect == Effect::kDeny;
  const std::string what = rule == nullptr ? "the role"
                           : deny          ? "the rule denies nothing"
                                           : "the rule allows nothing";
  std::set<std::string> known;
  for (size_t i = 0; i < clauses.size(); ++i) {
    const cel::Program& program = *clauses[i].program;
    const auto [constant, is_new] = constants_.try_emplace(&program, Constant::kNone);
    if (is_new) constant->second = ConstantOf(program);
    switch (constant->second) {
      case Constant::kTrue:
        Warn(file, places[i], Warning::kClauseAlwaysTrue,
             absl::StrCat("clause ", Quoted(clauses[i].text),
                          " is true of every request; remove it, or mend it"));
        break;
      case Constant::kFalse:
        Warn(file, places[i], Warning::kClauseNeverTrue,
             absl::StrCat("clause ", Quoted(clauses[i].text), " is false of every request, so ",
                          rule == nullptr ? "nobody has the role" : what,
                          "; mend it, or remove the ", rule == nullptr ? "role" : "rule"));
        break;
      case Constant::kNoValue:
        Warn(file, places[i], Warning::kClauseNeverTrue,
             absl::StrCat("clause ", Quoted(clauses[i].text), " never has a value, so ",
                          rule == nullptr ? "nobody has the role for certain"
                          : deny          ? "the rule denies as if it were true"
                                          : what,
                          "; mend it"));
        break;
      case Constant::kNone:
        break;
    }
    if (!deny || rule->shadow) continue;
    for (const std::string& attribute : AttributesOf(program, &known)) {
      const auto& may_be_missing = definition->may_be_missing;
      if (may_be_missing.has_value() && may_be_missing->count(attribute) == 0) continue;
      // Once for a rule; and what a clause before has asked for is there.
      if (!known.insert(attribute).second) continue;
      Warn(file, places[i], Warning::kDenyOnUnknown,
           absl::StrCat("`", attribute, "` may be missing, and then this rule denies; write `has(",
                        attribute, ") && …` if it should not"));
    }
  }
}

void Linter::CheckPatterns(const std::string& file, const std::vector<Pattern>& patterns,
                           const std::vector<Position>& places) {
  for (size_t i = 0; i < patterns.size(); ++i) {
    const Pattern& pattern = patterns[i];
    CheckUnmatched(file, pattern, places[i]);
    if (!IsGlob(pattern)) continue;
    const std::string& text = pattern.text();
    const std::string_view id = IdOf(pattern);
    const auto with_slash = id_with_slash_.find(View(pattern.type()));
    if (id == "*" && with_slash != id_with_slash_.end()) {
      Warn(file, places[i], Warning::kNarrowGlob,
           absl::StrCat("`", text, "` matches no id with a `/`, such as ",
                        Quoted(with_slash->second), "; write `", View(pattern.type()), ":**`"));
      continue;
    }
    // `doc:/finance*`, `doc:/finance**`
    const size_t last = text.find_last_not_of('*');
    if (id[0] != '/' || last + 1 == text.size() || !absl::ascii_isalnum(text[last])) continue;
    const std::string name = text.substr(0, last + 1);
    const std::string stars = text.substr(last + 1);
    Warn(file, places[i], Warning::kWideGlob,
         absl::StrCat(Quoted(text), " also matches ", Quoted(absl::StrCat(name, "-old")),
                      "; write ", Quoted(name), " and ", Quoted(absl::StrCat(name, "/", stars)),
                      ", or only what you mean of them"));
  }
}

void Linter::CheckActionGlobs(const std::string& file, const std::vector<Pattern>& actions,
                              Position place) {
  for (const Pattern& action : actions) {
    if (!IsGlob(action)) continue;
    const std::string& text = action.text();
    const size_t last = text.find_last_not_of('*');
    if (last == std::string::npos || last + 1 == text.size()) continue;
    const std::string name = text.substr(0, last + 1);
    if (action_prefixes_.count(absl::StrCat(name, ".")) == 0) continue;
    Warn(file, place, Warning::kWideGlob,
         absl::StrCat(Quoted(text), " also matches actions such as ",
                      Quoted(absl::StrCat(name, "s.read")), "; write ",
                      Quoted(absl::StrCat(name, ".*"))));
  }
}

void Linter::CheckUnmatched(const std::string& file, const Pattern& pattern, Position place) {
  if (!IsLiteral(pattern) && !IsGlob(pattern)) return;
  const auto of_type = declared_.find(View(pattern.type()));
  if (of_type == declared_.end()) return;
  if (IsLiteral(pattern)) {
    if (named_.contains(pattern.text())) return;
  } else {
    match_cost_ += static_cast<int64_t>(of_type->second.size());
    if (match_cost_ > kMaxMatchCost) return;  // said at the end
    for (const std::string& name : of_type->second) {
      if (pattern.glob().Matches(name)) return;
    }
  }
  const std::string meant = MeantBy(pattern, of_type->second);
  Warn(file, place, Warning::kUnmatchedPattern,
       absl::StrCat(Quoted(pattern.text()), " matches none of the entities of type `",
                    View(pattern.type()), "` in this set",
                    meant.empty() ? "; that is well if requests bring others" : meant),
       meant.empty() ? Issue::Severity::kNote : Issue::Severity::kWarning);
}

// What `pattern` is spelt nearly like: of a name, other names; of a glob, the folder that it begins
// with.
std::string Linter::MeantBy(const Pattern& pattern, const std::vector<std::string>& names) {
  constexpr int kMaxSuggestions = 100;
  constexpr size_t kMaxKnown = 1000;
  if (suggestions_ == kMaxSuggestions) return {};
  const std::string& text = pattern.text();
  if (IsLiteral(pattern)) {
    if (names.size() > kMaxKnown) return {};
    ++suggestions_;
    return DidYouMean(text, {names.begin(), names.end()});
  }
  const size_t slash = text.rfind('/', text.find_first_of("*{"));
  if (slash == std::string::npos) return {};
  const std::string folder = text.substr(0, slash + 1);
  const auto depth = std::count(folder.begin(), folder.end(), '/');
  std::set<std::string_view> folders;
  for (const std::string_view name : names) {
    size_t end = std::string_view::npos;
    for (auto i = depth; i > 0; --i) {
      end = name.find('/', i == depth ? 0 : end + 1);
      if (end == std::string_view::npos) break;
    }
    if (end == std::string_view::npos) continue;
    folders.insert(name.substr(0, end + 1));
    if (folders.size() > kMaxKnown) return {};
  }
  if (folders.count(folder) > 0) return {};
  ++suggestions_;
  return DidYouMean(folder, {folders.begin(), folders.end()});
}

void AppendSense(const TextTemplate& text, std::string* sense) {
  absl::StrAppend(sense, "\n", text.text);
  for (const TextTemplate::Fact& fact : text.facts) {
    absl::StrAppend(sense, "\n", fact.at, " ", fact.expression.text);
  }
}

// What a rule says but for its name, as text.
std::string SenseOf(const Rule& rule, const std::vector<std::string>& clauses) {
  std::string sense = absl::StrCat(rule.effect, rule.shadow, rule.audit);
  AppendSense(rule.message, &sense);
  for (const Obligation& obligation : rule.obligations) {
    absl::StrAppend(&sense, "\n\n", obligation.id);
    for (const auto& [name, text] : obligation.with) {
      absl::StrAppend(&sense, "\n", name);
      AppendSense(text, &sense);
    }
  }
  for (const auto* patterns : {&rule.principals, &rule.actions, &rule.resources}) {
    std::set<std::string> texts;
    for (const Pattern& pattern : *patterns) {
      texts.insert(absl::StrCat(pattern.kind(), ":", pattern.text()));
    }
    absl::StrAppend(&sense, "\n\n", absl::StrJoin(texts, "\n"));
  }
  return absl::StrCat(sense, "\n\n", absl::StrJoin(clauses, "\n\n"));
}

void Linter::FindDuplicates() {
  absl::flat_hash_map<std::string, const RuleAt*> senses;
  for (RuleAt& at : rules_) {
    const auto [first, is_new] = senses.try_emplace(SenseOf(*at.rule, at.clauses), &at);
    if (is_new) continue;
    at.is_duplicate = true;
    Warn(*at.file, at.id, Warning::kDuplicateRule,
         absl::StrCat("rule `", at.rule->id, "` says the same as `", first->second->rule->id,
                      "` at ", Place(*first->second, *at.file), "; remove one of them"));
  }
}

// Whether `outer` matches for certain whenever `inner` does.
bool Linter::Covers(const RuleAt& outer, const RuleAt& inner) {
  if (!outer.clauses.empty() &&
      (outer.binds || !std::includes(inner.clauses.begin(), inner.clauses.end(),
                                     outer.clauses.begin(), outer.clauses.end()))) {
    return false;
  }
  const Rule& a = *outer.rule;
  const Rule& b = *inner.rule;
  return cover_.Covers(a.actions, b.actions, PatternOf::kActions) &&
         cover_.Covers(a.resources, b.resources, PatternOf::kResources) &&
         cover_.Covers(a.principals, b.principals, PatternOf::kPrincipals);
}

void Linter::FindCovered() {
  int64_t pairs = 0;
  for (const RuleAt& inner : rules_) {
    if (inner.rule->effect != Effect::kAllow || inner.rule->shadow || inner.is_duplicate) continue;
    // What it adds to an answer another rule does not.
    const bool adds = !inner.rule->obligations.empty() || inner.rule->audit != AuditLevel::kOff;
    const RuleAt* deny = nullptr;
    const RuleAt* allow = nullptr;
    for (const RuleAt& outer : rules_) {
      ++pairs;
      if (&outer == &inner || outer.rule->shadow || outer.is_duplicate) continue;
      const bool denies = outer.rule->effect == Effect::kDeny;
      if (denies ? deny != nullptr : adds || allow != nullptr) continue;
      if (!Covers(outer, inner)) continue;
      if (denies) {
        deny = &outer;
      } else if (&outer < &inner || !Covers(inner, outer)) {
        allow = &outer;  // of two that cover each other only the second is in vain
      }
      if (deny != nullptr) break;
    }
    if (pairs + cover_.cost() > kMaxCoverCost) {
      Note(*inner.file, {}, Warning::kUnchecked,
           absl::StrCat("the set has too many rules to compare each with each; `covered-by-allow` "
                        "and `covered-by-deny` are not complete from rule `",
                        inner.rule->id, "` on"));
      return;
    }
    const RuleAt* const other = deny != nullptr ? deny : allow;
    if (other == nullptr) continue;
    const std::string named =
        absl::StrCat("`", other->rule->id, "` at ", Place(*other, *inner.file));
    Warn(*inner.file, inner.id, deny ? Warning::kCoveredByDeny : Warning::kCoveredByAllow,
         deny ? absl::StrCat("rule `", inner.rule->id, "` allows nothing, because ", named,
                             " denies all of it; remove it, or narrow the other")
              : absl::StrCat("rule `", inner.rule->id, "` allows nothing that ", named,
                             " does not; remove it, or narrow the other"));
  }
}

}  // namespace

void Lint(const Documents& documents, const std::vector<YamlNode>& policies,
          std::vector<Issue>* issues) {
  Linter(documents, issues).Run(policies);
}

}  // namespace reeve
