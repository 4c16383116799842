#include "policy/policy_reader.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "policy/cel/parser.h"
#include "policy/text_template.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr size_t kMaxExpandedActions = 1'000'000;

// Keeps one of those that are the same.
void Unite(std::vector<Pattern>* patterns) {
  if (patterns->size() < 2) return;
  absl::flat_hash_set<std::string> seen;
  const auto is_again = [&seen](const Pattern& pattern) {
    const char* const kind = pattern.kind() == Pattern::Kind::kAny ? "any " : "";
    return !seen.insert(absl::StrCat(kind, pattern.text())).second;
  };
  patterns->erase(std::remove_if(patterns->begin(), patterns->end(), is_again), patterns->end());
}

// The name that the message of the checker says is unknown; empty if it says something else.
std::string UnknownName(const std::string& message) {
  constexpr absl::string_view kBefore = "unknown name `";
  if (!absl::StartsWith(message, kBefore)) return {};
  const size_t end = message.find('`', kBefore.size());
  return message.substr(kBefore.size(), end - kBefore.size());
}

template <typename Map>
std::vector<std::string_view> Keys(const Map& map) {
  std::vector<std::string_view> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  return keys;
}

}  // namespace

PolicyDocument PolicyReader::Read(YamlNode root, const ProgramBytes& programs) {
  policy_.file = file();
  const std::optional<Fields> fields = ReadFields(root, "the policy", kPolicyFormat);
  if (const auto node = Find(*fields, "policy")) {
    policy_.name_position = node->position();
    if (const auto name = ReadName(*node, "the name of the policy")) policy_.name = *name;
  }
  CheckDescription(*fields);
  ReadAccept(*fields, std::nullopt, &policy_.accepted);
  conditions_.emplace(policy_.name, schema_);
  if (!conditions_->Import(programs.given, programs.schemas)) {
    Report(root.position(),
           "the snapshot file holds other conditions than `reeve compile` makes of this file; "
           "compile it again");
    return std::move(policy_);
  }
  if (const auto node = Find(*fields, "let")) ReadNamedConditions(*node);
  if (const auto node = Find(*fields, "actions")) ReadActionSets(*node);
  if (const auto node = Find(*fields, "roles")) ReadRoles(*node);
  if (const auto node = Require(*fields, "rules", root, "the policy")) ReadRules(*node);
  if (programs.made != nullptr) *programs.made = conditions_->Export(programs.schemas);
  return std::move(policy_);
}

void PolicyReader::ReadRules(YamlNode node) {
  if (!node.IsSequence()) return Report(node.position(), "`rules` is not a list");
  if (node.size() == 0) {
    return Report(node.position(), "`rules` is empty; write a rule or remove the file");
  }
  if (node.size() > limits().max_rules) {
    return Report(node.position(),
                  absl::StrCat("`rules` has more than ", limits().max_rules, " items"));
  }
  policy_.rules.reserve(node.size());
  for (const YamlNode rule : node.items()) ReadRule(rule);
  WarnOfUnused();
}

void PolicyReader::WarnOfUnused() {
  for (const auto& [name, named] : named_conditions_) {
    // What cannot be read may use it.
    if (!named.used && !HasErrors()) {
      Warn(named.position, Warning::kUnusedLet,
           absl::StrCat("`", name, "` is not used by any condition"));
    }
  }
  // A role, and a set, is also used through those that name it.
  std::vector<const RoleSet*> used_roles;
  for (auto& [name, role] : roles_) {
    role.used |= roles_read_;
    if (role.used) used_roles.push_back(&role);
  }
  while (!used_roles.empty()) {
    const RoleSet& role = *used_roles.back();
    used_roles.pop_back();
    for (const auto& [name, position] : role.members) {
      RoleSet& member = roles_.find(name)->second;
      if (member.used) continue;
      member.used = true;
      used_roles.push_back(&member);
    }
  }
  for (const auto& [name, role] : roles_) {
    if (!role.used)
      Warn(role.position, Warning::kUnusedRole,
           absl::StrCat("role `", name, "` is not used by any rule"));
  }
  std::vector<const ActionSet*> used;
  for (const auto& [name, set] : action_sets_) {
    if (set.used) used.push_back(&set);
  }
  while (!used.empty()) {
    const ActionSet& set = *used.back();
    used.pop_back();
    for (const YamlNode member : set.members) {
      const auto nested = member.IsScalar() ? action_sets_.find(member.text()) : action_sets_.end();
      if (nested == action_sets_.end() || nested->second.used) continue;
      nested->second.used = true;
      used.push_back(&nested->second);
    }
  }
  for (const auto& [name, set] : action_sets_) {
    if (!set.used) {
      Warn(set.position, Warning::kUnusedActionSet,
           absl::StrCat("action set `", name, "` is not used by any rule"));
    }
  }
}

void PolicyReader::ReadActionSets(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`actions` is not a mapping of names to lists of actions");
  }
  for (const auto [key, value] : node.members()) {
    const auto name = ReadName(key, "the name of the action set");
    if (!name.has_value()) continue;
    if (*name == "any") {
      Report(key.position(), "`any` means every action; give the set another name");
      continue;
    }
    ActionSet& set = action_sets_[std::string(*name)];
    set.position = key.position();
    if (value.IsNull()) {
      Report(key.position(), absl::StrCat("action set `", View(*name), "` has no value"));
    } else if (CheckList(value, *name, "; write the actions of the set")) {
      for (const YamlNode member : value.items()) set.members.push_back(member);
    }
  }
  ExpandActionSets();
}

// Puts sets in the place of their names, in sets. Depth first with its own stack.
void PolicyReader::ExpandActionSets() {
  struct Visit {
    ActionSet* set;
    std::string_view name;
    size_t next;
  };
  for (auto& [root_name, root] : action_sets_) {
    std::vector<Visit> path;
    if (root.state == ActionSet::kNew) path.push_back({&root, root_name, 0});
    while (!path.empty()) {
      Visit& visit = path.back();
      ActionSet& set = *visit.set;
      set.state = ActionSet::kOpen;
      if (visit.next == set.members.size()) {
        Unite(&set.actions);
        set.state = ActionSet::kDone;
        path.pop_back();
        continue;
      }
      const YamlNode member = set.members[visit.next++];
      const auto nested = member.IsScalar() ? action_sets_.find(member.text()) : action_sets_.end();
      if (nested == action_sets_.end() || nested->second.state == ActionSet::kDone) {
        ReadActions(member, &set.actions);
      } else if (nested->second.state == ActionSet::kOpen) {
        Report(member.position(),
               absl::StrCat("action set `", View(visit.name), "` contains itself through `",
                            View(member.text()), "`"));
      } else if (nested->second.state == ActionSet::kNew) {
        --visit.next;  // again, when it is done
        path.push_back({&nested->second, nested->first, 0});
      }
    }
  }
}

void PolicyReader::ReadNamedConditions(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`let` is not a mapping of names to expressions");
  }
  absl::flat_hash_set<std::string> later;
  for (const auto [key, value] : node.members()) later.emplace(key.text());
  for (const auto [key, value] : node.members()) {
    const std::string name(key.text());
    if (conditions_->IsTaken(name)) {
      Report(key.position(), absl::StrCat("`", Printable(name),
                                          "` cannot be defined: it means something else, or is not "
                                          "an identifier"));
      continue;
    }
    named_conditions_[name].position = key.position();
    const auto text = ReadConditionText(value, absl::StrCat("`", name, "`"));
    if (!text.has_value()) {
      conditions_->AddUnreadable(name);
      continue;
    }
    ConditionDefects defects;
    std::vector<std::string> used;
    conditions_->AddNamed(name, *text, &used, &defects);
    for (const std::string& other : used) named_conditions_[other].used = true;
    for (cel::Defect& defect : defects.errors) {
      const std::string unknown = UnknownName(defect.message);
      if (unknown == name) {
        defect.message = absl::StrCat("`", name, "` is defined by itself");
      } else if (later.contains(unknown)) {
        defect.message = absl::StrCat("`", unknown, "` is defined below; move its definition up");
      }
    }
    ReportDefects(value, defects.errors);
  }
}

void PolicyReader::ReadRoles(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`roles` is not a mapping of names to lists of principals");
  }
  // All names first: a role may name one that stands below.
  std::vector<std::pair<std::string_view, YamlMember>> named;
  for (const YamlMember member : node.members()) {
    const auto name = ReadName(member.key, "the name of the role");
    if (!name.has_value()) continue;
    roles_[std::string(*name)].position = member.key.position();
    named.emplace_back(*name, member);
  }
  for (const auto& [name, member] : named) {
    if (member.value.IsNull()) {
      Report(member.key.position(), absl::StrCat("role `", View(name), "` has no value"));
    } else {
      ReadRole(name, member.value);
    }
  }
  CheckRoleCycles();
}

void PolicyReader::ReportRoleCycle(absl::Span<const std::string_view> names, Position position) {
  constexpr size_t kShown = 8;
  std::string path;
  for (const std::string_view name : names.subspan(0, kShown)) {
    absl::StrAppend(&path, "`", View(name), "` -> ");
  }
  if (names.size() > kShown) absl::StrAppend(&path, "… (", names.size(), " in all) -> ");
  Report(position, absl::StrCat("role `", View(names.back()), "` contains itself: ", path, "`",
                                View(names.front()), "`; take the role out of one of them"));
}

// Depth first with its own stack.
void PolicyReader::CheckRoleCycles() {
  enum State { kNew, kOpen, kDone };
  struct Visit {
    std::string_view name;
    const RoleSet* role;
    size_t next;
  };
  absl::flat_hash_map<const RoleSet*, State> states;
  for (const auto& [root_name, root] : roles_) {
    std::vector<Visit> path;
    if (states[&root] == kNew) path.push_back({root_name, &root, 0});
    while (!path.empty()) {
      Visit& visit = path.back();
      states[visit.role] = kOpen;
      if (visit.next == visit.role->members.size()) {
        states[visit.role] = kDone;
        path.pop_back();
        continue;
      }
      const auto& [name, position] = visit.role->members[visit.next++];
      const auto member = roles_.find(name);
      const State state = states[&member->second];
      if (state == kNew) path.push_back({member->first, &member->second, 0});
      if (state != kOpen) continue;
      std::vector<std::string_view> names;
      for (const Visit& v : path) {
        if (!names.empty() || v.role == &member->second) names.push_back(v.name);
      }
      ReportRoleCycle(names, position);
    }
  }
}

void PolicyReader::ReadRole(std::string_view name, YamlNode node) {
  PolicyDocument::RoleDefinition role = {absl::StrCat(policy_.name, "/", View(name)), {}, {}};
  const std::string what = absl::StrCat("role `", View(name), "`");
  if (!node.IsMapping()) {
    role.members = ReadMembers(name, node, name);
  } else if (const auto fields = ReadFields(node, what, kRoleFormat)) {
    if (const auto principals = Find(*fields, "principals")) {
      role.members = ReadMembers("principals", *principals, name);
    } else {
      role.members = {Pattern::Any()};  // whoever meets the condition
    }
    if (const YamlMember* const when = fields->Find("when")) {
      SetReachOfRole(role.members);
      role.when = ReadWhen(*when, what, {}, nullptr);
    } else if (std::find(fields->misspelt.begin(), fields->misspelt.end(), "when") ==
               fields->misspelt.end()) {
      Report(node.position(),
             absl::StrCat(what, " has no `when`; list its principals, or write the condition"));
    }
  }
  policy_.roles.push_back(std::move(role));
}

std::vector<Pattern> PolicyReader::ReadMembers(std::string_view key, YamlNode node,
                                               std::string_view name) {
  RoleSet& role = roles_.find(name)->second;
  std::vector<Pattern> members;
  if (!CheckList(node, key, "; list the principals of the role")) return members;
  for (const YamlNode item : node.items()) {
    std::optional<Pattern> member = ReadPrincipal(item, &role);
    if (member.has_value()) members.push_back(*std::move(member));
  }
  return members;
}

std::optional<std::string_view> PolicyReader::ReadConditionText(YamlNode node,
                                                                std::string_view what) {
  if (node.IsScalar() && node.plain() && LooksLikeBool(node.text())) {
    Report(node.position(), absl::StrCat(View(what), " is the boolean ", View(node.text()),
                                         " for YAML; write a condition as text"));
    return std::nullopt;
  }
  const auto text = ReadText(node, what, cel::kMaxExprBytes);
  if (!text.has_value() || node.style() == YamlStyle::kLiteral) return text;
  // YAML has joined lines, so that a comment may take what stands on lines of its own.
  for (const cel::SourceRange& comment : cel::FindComments(*text)) {
    const Position begin = node.PositionInScalar(comment.begin);
    if (begin.line == node.PositionInScalar(comment.end - 1).line) continue;
    Report(begin,
           "this comment also takes the lines below, which YAML joins to its own; write the "
           "condition as a block after `|`");
    return std::nullopt;
  }
  return text;
}

std::vector<Condition> PolicyReader::ReadWhen(
    YamlMember when, const std::string& what, const std::vector<std::string>& bindings,
    std::optional<std::set<std::string>>* may_be_missing) {
  std::vector<Condition> conditions;
  bool uses_names = false;
  std::set<std::string> missing;
  const auto read = [&](YamlNode node) {
    const auto text = ReadConditionText(node, "`when`");
    if (!text.has_value()) return;
    ConditionDefects defects;
    std::vector<std::string> used;
    std::optional<Condition> condition = conditions_->Compile(*text, bindings, &used, &defects);
    for (const std::string& name : used) named_conditions_[name].used = true;
    ReportDefects(node, defects.errors);
    if (!condition.has_value()) return;
    CountRegexes(*condition, {node, {}});
    CheckRolesRead(*condition, {node, {}}, may_be_missing == nullptr);
    uses_names |= !used.empty();
    missing.insert(defects.may_be_missing.begin(), defects.may_be_missing.end());
    conditions.push_back(*std::move(condition));
  };
  if (when.value.IsNull()) {
    Report(when.key.position(), "`when` has no value; an empty condition does not mean always");
  } else if (!when.value.IsSequence()) {
    read(when.value);
  } else if (CheckList(when.value, "when", "; an empty list of conditions does not mean always")) {
    if (when.value.size() > kMaxClauses) {
      Report(when.value.position(),
             absl::StrCat(what, " has more than ", kMaxClauses, " clauses; join some by `&&`"));
      return conditions;
    }
    conditions.reserve(when.value.size());
    for (const YamlNode item : when.value.items()) read(item);
  }
  // What stands under a name is checked for itself.
  if (may_be_missing != nullptr && schema_ != nullptr && !uses_names) {
    *may_be_missing = std::move(missing);
  }
  return conditions;
}

void PolicyReader::CheckRolesRead(const Condition& condition, Place place, bool in_role) {
  if (!Conditions::ReadsRoles(condition)) return;
  const Position position = place.position();
  if (in_role) {
    Report(position,
           "the condition of a role reads `principal.roles`, which is made of the roles; name the "
           "role among `principals`");
  } else if (roles_.empty()) {
    Report(
        position,
        "`principal.roles` are the roles of this file, which has none; define one under `roles`, "
        "or call the attribute something else");
  }
  roles_read_ = true;
}

void PolicyReader::ReportDefects(YamlNode node, const std::vector<cel::Defect>& defects,
                                 size_t offset) {
  for (const cel::Defect& defect : defects) {
    const Position begin = node.PositionInScalar(offset + defect.place.begin);
    const Position end = node.PositionInScalar(offset + defect.place.end);
    const int width = begin.line == end.line ? end.column - begin.column : 1;
    Report(begin, defect.message, width);
  }
}

void PolicyReader::CountRegexes(const Condition& condition, Place place) {
  if (condition.program->regexes().empty() || regex_steps_ > kMaxRegexSteps) return;
  // Conditions of one text share their program.
  if (!counted_programs_.insert(condition.program.get()).second) return;
  for (const cel::CompiledRegex& regex : condition.program->regexes()) {
    regex_steps_ += regex.regex->steps();
    if (regex_steps_ > kMaxRegexSteps) return ReportRegexSteps(place.position());
  }
}

void PolicyReader::ReportRegexSteps(Position position) {
  Report(position,
         absl::StrCat("the regular expressions of this file have more than ", kMaxRegexSteps,
                      " steps in all; write globs, or simpler expressions"));
}

std::optional<Pattern> PolicyReader::ReadRegex(YamlNode node, std::string_view what) {
  const auto fields = ReadFields(node, absl::StrCat("the pattern of ", View(what)), kRegexFormat);
  if (!fields.has_value()) return std::nullopt;
  const auto expression = Require(*fields, "re", node, "the pattern");
  if (!expression.has_value()) return std::nullopt;
  const auto text = ReadText(*expression, "the regular expression", kMaxIdBytes);
  if (!text.has_value()) return std::nullopt;
  if (regex_steps_ > kMaxRegexSteps) return std::nullopt;  // reported
  absl::StatusOr<Pattern> pattern = Pattern::Regex(*text);
  if (!pattern.ok()) {
    Report(expression->position(), std::string(pattern.status().message()));
    return std::nullopt;
  }
  regex_steps_ += pattern->regex_size();
  if (regex_steps_ > kMaxRegexSteps) {
    ReportRegexSteps(expression->position());
    return std::nullopt;
  }
  return *std::move(pattern);
}

std::optional<Pattern> PolicyReader::ReadPrincipal(YamlNode node, RoleSet* in_role) {
  if (node.IsMapping()) return ReadRegex(node, "a principal");
  const auto text = ReadVisibleText(node, "a principal");
  if (!text.has_value()) return std::nullopt;
  if (*text == "anyone") return Pattern::Any();
  if (*text == "authenticated") return Pattern::Authenticated();
  if (absl::StartsWith(View(*text), "role:")) {
    const std::string_view name = text->substr(5);
    const auto role = roles_.find(name);
    if (role == roles_.end()) {
      Report(node.position(), absl::StrCat("role ", Quoted(name), " is not defined in this file",
                                           Suggest(name, Keys(roles_))));
      return std::nullopt;
    }
    if (in_role == nullptr) {
      role->second.used = true;
    } else {
      in_role->members.emplace_back(name, node.position());
    }
    return Pattern::Role(absl::StrCat(policy_.name, "/", View(name)));
  }
  if (text->find(':') == std::string_view::npos) {
    const std::vector<std::string_view> words = {"anyone", "authenticated"};
    const std::string meant = *text == "any" || *text == "*" || *text == "**" || *text == "everyone"
                                  ? "; did you mean `anyone`?"
                                  : Suggest(*text, words);
    Report(node.position(), absl::StrCat(Quoted(*text),
                                         " is not a principal; write `type:id`, "
                                         "`anyone` or `authenticated`",
                                         meant));
    return std::nullopt;
  }
  absl::StatusOr<Pattern> pattern = Pattern::Entity(*text);
  if (!pattern.ok()) {
    Report(node.position(), std::string(pattern.status().message()));
    return std::nullopt;
  }
  CheckDeclared(*pattern, node);
  if (pattern->kind() == Pattern::Kind::kGlob && pattern->type() == "group") {
    Warn(node.position(), Warning::kGroupGlob,
         absl::StrCat(Quoted(*text),
                      " matches a principal that is a group, not "
                      "the members of groups; name the groups"));
  }
  if (in_role != nullptr && pattern->kind() == Pattern::Kind::kGlob &&
      !pattern->glob().binding_names().empty()) {
    Report(node.position(), absl::StrCat(Quoted(*text),
                                         " binds a name in a role, where no "
                                         "condition can see it; write `*`"));
    return std::nullopt;
  }
  return *std::move(pattern);
}

std::optional<Pattern> PolicyReader::ReadResource(YamlNode node) {
  if (node.IsMapping()) return ReadRegex(node, "a resource");
  const auto text = ReadVisibleText(node, "a resource");
  if (!text.has_value()) return std::nullopt;
  if (*text == "any") return Pattern::Any();
  if (text->find(':') == std::string_view::npos) {
    const bool meant_any = *text == "*" || *text == "**" || *text == "anything" || *text == "all";
    Report(node.position(),
           absl::StrCat(Quoted(*text), " is not a resource; write `type:id` or `any`",
                        meant_any ? "; did you mean `any`?" : ""));
    return std::nullopt;
  }
  absl::StatusOr<Pattern> pattern = Pattern::Entity(*text);
  if (pattern.ok()) {
    CheckDeclared(*pattern, node);
    return *std::move(pattern);
  }
  Report(node.position(), std::string(pattern.status().message()));
  return std::nullopt;
}

void PolicyReader::ReadActions(YamlNode node, std::vector<Pattern>* actions) {
  const auto text = ReadVisibleText(node, "an action");
  if (!text.has_value()) return;
  if (*text == "any") {
    actions->push_back(Pattern::Any());
    return;
  }
  if (*text == "*" || *text == "**") {
    return Report(node.position(),
                  absl::StrCat(Quoted(*text), " is not an action; did you mean `any`?"));
  }
  if (const auto set = action_sets_.find(*text); set != action_sets_.end()) {
    const std::vector<Pattern>& members = set->second.actions;
    expanded_actions_ += members.size();
    if (expanded_actions_ > kMaxExpandedActions) {
      if (expanded_actions_ - members.size() <= kMaxExpandedActions) {
        Report(node.position(), absl::StrCat("action sets of this file stand for more than ",
                                             kMaxExpandedActions, " actions in all"));
      }
      return;
    }
    actions->insert(actions->end(), members.begin(), members.end());
    return;
  }
  if (*text == "all" || *text == "anything" || *text == "everything") {
    Warn(node.position(), Warning::kSuspectAction,
         absl::StrCat("`", View(*text),
                      "` is an action of that name; write `any` to "
                      "mean every action"));
  } else if (const std::string meant = Suggest(*text, Keys(action_sets_));
             !meant.empty() && text->size() > 2) {
    Warn(node.position(), Warning::kSuspectAction,
         absl::StrCat(Quoted(*text), " is an action, not an action set", meant));
  }
  absl::StatusOr<Pattern> pattern = Pattern::Action(*text);
  if (!pattern.ok()) return Report(node.position(), std::string(pattern.status().message()));
  if (pattern->kind() == Pattern::Kind::kGlob && !pattern->glob().binding_names().empty()) {
    Report(node.position(), absl::StrCat(Quoted(*text), " binds a name in an action; write `*`"));
  }
  CheckDeclaredAction(*pattern, node);
  actions->push_back(*std::move(pattern));
}

void PolicyReader::CheckDeclared(const Pattern& pattern, YamlNode node) {
  if (schema_ == nullptr || schema_->FindType(pattern.type()) != nullptr) return;
  Report(node.position(),
         absl::StrCat("entity type `", View(pattern.type()), "` is not declared by the schema",
                      Suggest(pattern.type(), schema_->types())));
}

void PolicyReader::CheckDeclaredAction(const Pattern& pattern, YamlNode node) {
  if (schema_ == nullptr) return;
  Reach reach = schema_->Nothing();
  if (schema_->AddActions(pattern, &reach.actions)) return;
  const bool is_glob = pattern.kind() == Pattern::Kind::kGlob;
  Report(node.position(), absl::StrCat(Quoted(pattern.text()),
                                       is_glob ? " matches no action that the schema declares"
                                               : " is not an action that the schema declares",
                                       is_glob ? "" : Suggest(pattern.text(), schema_->actions())));
}

void PolicyReader::AddPrincipalTypes(const std::vector<Pattern>& patterns,
                                     std::vector<bool>* types) const {
  absl::flat_hash_set<std::string> asked;
  std::vector<const std::vector<Pattern>*> to_visit = {&patterns};
  while (!to_visit.empty()) {
    const std::vector<Pattern>& next = *to_visit.back();
    to_visit.pop_back();
    for (const Pattern& pattern : next) {
      if (pattern.kind() != Pattern::Kind::kRole) {
        schema_->AddTypes(pattern, types);
        continue;
      }
      if (!asked.insert(pattern.text()).second) continue;
      const auto role =
          std::find_if(policy_.roles.begin(), policy_.roles.end(),
                       [&](const auto& defined) { return defined.name == pattern.text(); });
      // One that is not read yet can be of anyone.
      if (role == policy_.roles.end()) {
        types->assign(types->size(), true);
      } else {
        to_visit.push_back(&role->members);
      }
    }
  }
}

void PolicyReader::SetReachOfRole(const std::vector<Pattern>& members) {
  if (schema_ == nullptr) return;
  Reach reach = schema_->Everything();
  reach.principals = schema_->Nothing().principals;
  AddPrincipalTypes(members, &reach.principals);
  schema_->Narrow(&reach);
  conditions_->SetReach(reach);
}

void PolicyReader::SetReachOfRule(const Rule& rule, Position position, bool has_errors) {
  if (schema_ == nullptr) return;
  Reach reach = schema_->Nothing();
  AddPrincipalTypes(rule.principals, &reach.principals);
  for (const Pattern& pattern : rule.actions) schema_->AddActions(pattern, &reach.actions);
  for (const Pattern& pattern : rule.resources) schema_->AddTypes(pattern, &reach.resources);
  if (has_errors) reach = schema_->Everything();
  if (!schema_->Narrow(&reach) && !has_errors) {
    Warn(position, Warning::kImpossibleRule,
         "this rule can never match: by the schema none of its actions is for its principals and "
         "applies to its resources");
  }
  conditions_->SetReach(reach);
}

void PolicyReader::CheckBindings(const Pattern& pattern, YamlNode node,
                                 const Names& bound_elsewhere, Names* bound) {
  if (pattern.kind() != Pattern::Kind::kGlob) return;
  for (const std::string_view name : pattern.glob().binding_names()) {
    if (named_conditions_.count(name) > 0 || conditions_->IsTaken(name)) {
      Report(
          node.position(),
          absl::StrCat("`{", View(name), "}` has another meaning in conditions; use another name"));
      continue;
    }
    if (bound_elsewhere.contains(View(name))) {
      Report(node.position(), absl::StrCat("`{", View(name),
                                           "}` is bound by another list of this rule; "
                                           "use another name"));
    }
    bound->insert(std::string(name));
  }
}

void PolicyReader::CheckAllBind(const Rule& rule, const Condition& condition, Place place,
                                Names* reported) {
  for (uint32_t i = 0; i < condition.program->variable_count(); ++i) {
    const std::string_view name = condition.program->variable(i);
    const auto binds = [name](const Pattern& pattern) {
      return pattern.kind() == Pattern::Kind::kGlob && pattern.glob().Binds(name);
    };
    for (const auto* patterns : {&rule.principals, &rule.resources}) {
      const auto bound = std::count_if(patterns->begin(), patterns->end(), binds);
      if (bound == 0 || bound == static_cast<std::ptrdiff_t>(patterns->size())) continue;
      if (!reported->emplace(name).second) continue;
      Report(place.position(),
             absl::StrCat("`", View(name), "` is bound by some patterns of ",
                          patterns == &rule.principals ? "`principals`" : "`resources`",
                          " only, so the condition has no value for the others; write two "
                          "rules"));
    }
  }
}

void PolicyReader::ReadRule(YamlNode node) {
  const size_t errors_before = errors();
  std::string what = "the rule";
  if (node.IsMapping()) {
    for (const auto [key, value] : node.members()) {
      if (key.text() == "id" && value.IsScalar()) {
        what = absl::StrCat("rule ", Quoted(value.text()));
      }
    }
  }
  const auto fields = ReadFields(node, what, kRuleFormat);
  if (!fields.has_value()) return;
  PolicyDocument::RuleDefinition definition;
  Rule& rule = definition.rule;
  const auto id = Require(*fields, "id", node, what);
  definition.id = id.value_or(node).position();
  if (id.has_value()) ReadRuleId(*id, &rule);
  if (const auto effect = Require(*fields, "effect", node, what)) {
    ReadEffect(*effect, &rule);
  }
  Names bound_by_principals;
  std::vector<std::string> bindings;
  if (const auto list = Require(*fields, "principals", node, what)) {
    if (CheckList(*list, "principals", "; write `[anyone]` to mean anyone")) {
      rule.principals.reserve(list->size());
      for (const YamlNode item : list->items()) {
        std::optional<Pattern> pattern = ReadPrincipal(item, nullptr);
        if (!pattern.has_value()) continue;
        CheckBindings(*pattern, item, {}, &bound_by_principals);
        rule.principals.push_back(*std::move(pattern));
      }
    }
  }
  if (const auto list = Require(*fields, "actions", node, what)) {
    if (CheckList(*list, "actions", "; write `[any]` to mean every action")) {
      for (const YamlNode item : list->items()) {
        if (const auto set = action_sets_.find(item.IsScalar() ? item.text() : std::string_view());
            set != action_sets_.end()) {
          set->second.used = true;
        }
        ReadActions(item, &rule.actions);
      }
      Unite(&rule.actions);
    }
  }
  if (const auto list = Require(*fields, "resources", node, what)) {
    if (CheckList(*list, "resources", "; write `[any]` to mean every resource")) {
      Names bound;
      rule.resources.reserve(list->size());
      for (const YamlNode item : list->items()) {
        std::optional<Pattern> pattern = ReadResource(item);
        if (!pattern.has_value()) continue;
        CheckBindings(*pattern, item, bound_by_principals, &bound);
        rule.resources.push_back(*std::move(pattern));
      }
      bindings.assign(bound.begin(), bound.end());
    }
  }
  bindings.insert(bindings.end(), bound_by_principals.begin(), bound_by_principals.end());
  std::sort(bindings.begin(), bindings.end());
  SetReachOfRule(rule, definition.id, errors() > errors_before);
  if (const YamlMember* const when = fields->Find("when")) {
    rule.when = ReadWhen(*when, what, bindings, &definition.may_be_missing);
    Names reported;
    for (const Condition& condition : rule.when) {
      CheckAllBind(rule, condition, {when->key, {}}, &reported);
    }
    const YamlNode clauses = when->value;
    if (clauses.IsSequence()) {
      for (const YamlNode clause : clauses.items()) definition.when.push_back(clause.position());
    } else {
      definition.when.push_back(clauses.position());
    }
  }
  CheckDescription(*fields);
  ReadAccept(*fields, node, &policy_.accepted);
  if (const auto value = Find(*fields, "message")) {
    if (auto text = ReadTemplate(*value, "`message`", bindings, rule)) {
      rule.message = *std::move(text);
    }
  }
  if (const auto value = Find(*fields, "shadow")) {
    rule.shadow = ReadBool(*value, "shadow").value_or(false);
  }
  if (const auto value = Find(*fields, "audit")) ReadAuditLevel(*value, &rule);
  if (const auto value = Find(*fields, "obligations")) ReadObligations(*value, bindings, &rule);
  policy_.rules.push_back(std::move(definition));
}

void PolicyReader::ReadRuleId(YamlNode node, Rule* rule) {
  const auto name = ReadName(node, "the id");
  if (!name.has_value()) return;
  rule->id = absl::StrCat(policy_.name, "/", View(*name));
  const auto [first, is_new] = rule_ids_.try_emplace(*name, node);
  if (is_new) return;
  const Position known = first->second.position();
  Report(node.position(), absl::StrCat("rule `", View(*name), "` is defined twice; first at ",
                                       known.line, ":", known.column));
}

void PolicyReader::ReadEffect(YamlNode node, Rule* rule) {
  const std::string_view text = node.IsScalar() ? node.text() : std::string_view();
  if (text == "allow") {
    rule->effect = Effect::kAllow;
  } else if (text != "deny") {
    Report(node.position(), absl::StrCat("`effect` is ", Quoted(text), "; it is `allow` or `deny`",
                                         Suggest(text, {"allow", "deny"})));
  }
}

void PolicyReader::ReadAuditLevel(YamlNode node, Rule* rule) {
  const std::string_view text = node.IsScalar() ? node.text() : std::string_view();
  if (text == "durable") {
    rule->audit = AuditLevel::kDurable;
  } else if (text == "recorded") {
    rule->audit = AuditLevel::kRecorded;
  } else {
    Report(node.position(), absl::StrCat("`audit` is ", Quoted(text),
                                         "; a rule can raise the level to `recorded` or `durable`",
                                         Suggest(text, {"recorded", "durable"})));
  }
}

std::optional<TextTemplate> PolicyReader::ReadTemplate(YamlNode node, std::string_view what,
                                                       const std::vector<std::string>& bindings,
                                                       const Rule& rule) {
  const auto text = ReadText(node, what, kMaxMessageBytes);
  if (!text.has_value()) return std::nullopt;
  std::vector<cel::Defect> errors;
  std::optional<TextParts> parts = ParseTextTemplate(*text, &errors);
  ReportDefects(node, errors);
  if (!parts.has_value()) return std::nullopt;
  TextTemplate read(std::move(parts->text));
  Names reported;
  for (const TextParts::Fact& fact : parts->facts) {
    const size_t begin = fact.place.begin;
    ConditionDefects defects;
    std::vector<std::string> used;
    std::optional<Condition> expression = conditions_->CompileFact(
        text->substr(begin, fact.place.end - begin), bindings, &used, &defects);
    for (const std::string& name : used) named_conditions_[name].used = true;
    ReportDefects(node, defects.errors, begin);
    if (!expression.has_value()) continue;
    const Place place = {node, begin};
    CountRegexes(*expression, place);
    CheckRolesRead(*expression, place, false);
    CheckAllBind(rule, *expression, place, &reported);
    read.facts.push_back({fact.at, *std::move(expression)});
  }
  return read;
}

void PolicyReader::ReadObligations(YamlNode node, const std::vector<std::string>& bindings,
                                   Rule* rule) {
  if (!CheckList(node, "obligations", "; write one or remove the key")) return;
  if (node.size() > kMaxObligations) {
    return Report(node.position(),
                  absl::StrCat("`obligations` has more than ", kMaxObligations, " items"));
  }
  for (const YamlNode item : node.items()) {
    const auto fields = ReadFields(item, "the obligation", kObligationFormat);
    if (!fields.has_value()) continue;
    Obligation obligation;
    if (const auto with = Find(*fields, "with")) {
      ReadParameters(*with, bindings, *rule, &obligation);
    }
    const auto id = Require(*fields, "id", item, "the obligation");
    if (!id.has_value()) continue;
    if (const auto name = ReadName(*id, "the id")) {
      obligation.id = *name;
      rule->obligations.push_back(std::move(obligation));
    }
  }
}

void PolicyReader::ReadParameters(YamlNode node, const std::vector<std::string>& bindings,
                                  const Rule& rule, Obligation* obligation) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`with` is not a mapping of names to texts");
  }
  if (node.size() == 0) {
    return Report(node.position(), "`with` is empty; write a parameter or remove the key");
  }
  if (node.size() > kMaxParameters) {
    return Report(node.position(),
                  absl::StrCat("`with` has more than ", kMaxParameters, " parameters"));
  }
  for (const auto [key, value] : node.members()) {
    const auto name = ReadName(key, "the name of the parameter");
    if (!name.has_value()) continue;
    const std::string what = absl::StrCat("`", View(*name), "`");
    if (auto text = ReadTemplate(value, what, bindings, rule)) {
      obligation->with.emplace_back(*name, *std::move(text));
    }
  }
}

}  // namespace reeve
