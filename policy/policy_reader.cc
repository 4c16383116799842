#include "policy/policy_reader.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxObligations = 64;
constexpr size_t kMaxRegexSteps = 1'000'000;
constexpr size_t kMaxExpandedActions = 1'000'000;

// Keeps one of those that are the same.
void Unite(std::vector<Pattern>* patterns) {
  absl::flat_hash_set<std::string> seen;
  const auto is_again = [&seen](const Pattern& pattern) {
    const char* const kind = pattern.kind() == Pattern::Kind::kAny ? "any " : "";
    return !seen.insert(absl::StrCat(kind, pattern.text())).second;
  };
  patterns->erase(std::remove_if(patterns->begin(), patterns->end(), is_again), patterns->end());
}

const std::vector<std::string_view> kPolicyKeys = {"reeve", "policy",  "description", "roles",
                                                   "let",   "actions", "rules"};
const std::vector<std::string_view> kRuleKeys = {
    "id",    "effect",  "principals", "actions",     "resources",  "when",
    "audit", "message", "shadow",     "obligations", "description"};

template <typename Map>
std::vector<std::string_view> Keys(const Map& map) {
  std::vector<std::string_view> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  return keys;
}

}  // namespace

PolicyDocument PolicyReader::Read(YamlNode root) {
  policy_.file = file();
  const std::optional<Fields> fields = ReadFields(root, "the policy", kPolicyKeys);
  if (const auto node = Find(*fields, "policy")) {
    policy_.name_position = node->position();
    if (const auto name = ReadName(*node, "the name of the policy")) policy_.name = *name;
  }
  CheckDescription(*fields);
  if (const auto let = fields->find("let"); let != fields->end()) {
    Report(let->second.key.position(), "`let` is not supported by this version");
  }
  if (const auto node = Find(*fields, "actions")) ReadActionSets(*node);
  if (const auto node = Find(*fields, "roles")) ReadRoles(*node);
  if (const auto node = Require(*fields, "rules", root.position(), "the policy")) ReadRules(*node);
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
  for (const auto& [name, role] : roles_) {
    if (!role.used) Warn(role.position, absl::StrCat("role `", name, "` is not used by any rule"));
  }
  // A set is also used through the sets that name it.
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
      Warn(set.position, absl::StrCat("action set `", name, "` is not used by any rule"));
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

void PolicyReader::ReadRoles(YamlNode node) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`roles` is not a mapping of names to lists of principals");
  }
  for (const auto [key, value] : node.members()) {
    const auto name = ReadName(key, "the name of the role");
    if (!name.has_value()) continue;
    roles_[std::string(*name)].position = key.position();
    PolicyDocument::RoleDefinition role = {absl::StrCat(policy_.name, "/", View(*name)), {}};
    if (value.IsNull()) {
      Report(key.position(), absl::StrCat("role `", View(*name), "` has no value"));
    } else if (value.IsMapping()) {
      Report(value.position(), absl::StrCat("role `", View(*name),
                                            "` is given by a condition, which this version does "
                                            "not support; list its principals"));
    } else if (CheckList(value, *name, "; list the principals of the role")) {
      for (const YamlNode item : value.items()) {
        std::optional<Pattern> member = ReadPrincipal(item, true);
        if (member.has_value()) role.members.push_back(*std::move(member));
      }
    }
    policy_.roles.push_back(std::move(role));
  }
}

std::optional<Pattern> PolicyReader::ReadRegex(YamlNode node, std::string_view what) {
  const auto fields = ReadFields(node, absl::StrCat("the pattern of ", View(what)), {"re"});
  if (!fields.has_value()) return std::nullopt;
  const auto expression = Require(*fields, "re", node.position(), "the pattern");
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
    Report(expression->position(),
           absl::StrCat("the regular expressions of this file have more than ", kMaxRegexSteps,
                        " steps in all; write globs, or simpler expressions"));
    return std::nullopt;
  }
  return *std::move(pattern);
}

std::optional<Pattern> PolicyReader::ReadPrincipal(YamlNode node, bool in_role) {
  if (node.IsMapping()) return ReadRegex(node, "a principal");
  const auto text = ReadVisibleText(node, "a principal");
  if (!text.has_value()) return std::nullopt;
  if (*text == "anyone") return Pattern::Any();
  if (*text == "authenticated") return Pattern::Authenticated();
  if (absl::StartsWith(View(*text), "role:")) {
    const std::string_view name = text->substr(5);
    if (in_role) {
      Report(node.position(), absl::StrCat(Quoted(*text),
                                           " is a role, and roles of roles are not "
                                           "supported by this version; list the principals"));
      return std::nullopt;
    }
    const auto role = roles_.find(name);
    if (role == roles_.end()) {
      Report(node.position(), absl::StrCat("role ", Quoted(name), " is not defined in this file",
                                           Suggest(name, Keys(roles_))));
      return std::nullopt;
    }
    role->second.used = true;
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
  if (pattern->kind() == Pattern::Kind::kGlob && pattern->type() == "group") {
    Warn(node.position(), absl::StrCat(Quoted(*text),
                                       " matches a principal that is a group, not "
                                       "the members of groups; name the groups"));
  }
  if (in_role && pattern->kind() == Pattern::Kind::kGlob &&
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
  if (pattern.ok()) return *std::move(pattern);
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
  const std::vector<std::string_view> words = {"all", "anything", "everything"};
  if (std::find(words.begin(), words.end(), *text) != words.end()) {
    Warn(node.position(), absl::StrCat("`", View(*text),
                                       "` is an action of that name; write `any` to "
                                       "mean every action"));
  } else if (const std::string meant = Suggest(*text, Keys(action_sets_));
             !meant.empty() && text->size() > 2) {
    Warn(node.position(), absl::StrCat(Quoted(*text), " is an action, not an action set", meant));
  }
  absl::StatusOr<Pattern> pattern = Pattern::Action(*text);
  if (!pattern.ok()) return Report(node.position(), std::string(pattern.status().message()));
  if (pattern->kind() == Pattern::Kind::kGlob && !pattern->glob().binding_names().empty()) {
    Report(node.position(), absl::StrCat(Quoted(*text), " binds a name in an action; write `*`"));
  }
  actions->push_back(*std::move(pattern));
}

void PolicyReader::CheckBindings(const Pattern& pattern, Position position,
                                 const Names& bound_elsewhere, Names* bound) {
  if (pattern.kind() != Pattern::Kind::kGlob) return;
  for (const std::string_view name : pattern.glob().binding_names()) {
    if (bound_elsewhere.contains(View(name))) {
      Report(position, absl::StrCat("`{", View(name),
                                    "}` is bound by another list of this rule; "
                                    "use another name"));
    }
    bound->insert(std::string(name));
  }
}

void PolicyReader::ReadRule(YamlNode node) {
  std::string what = "the rule";
  if (node.IsMapping()) {
    for (const auto [key, value] : node.members()) {
      if (key.text() == "id" && value.IsScalar()) {
        what = absl::StrCat("rule ", Quoted(value.text()));
      }
    }
  }
  const auto fields = ReadFields(node, what, kRuleKeys);
  if (!fields.has_value()) return;
  PolicyDocument::RuleDefinition definition;
  Rule& rule = definition.rule;
  definition.id = node.position();
  if (const auto id = Require(*fields, "id", node.position(), what)) {
    definition.id = id->position();
    ReadRuleId(*id, &rule);
  }
  if (const auto effect = Require(*fields, "effect", node.position(), what)) {
    ReadEffect(*effect, &rule);
  }
  Names bound_by_principals;
  if (const auto list = Require(*fields, "principals", node.position(), what)) {
    if (CheckList(*list, "principals", "; write `[anyone]` to mean anyone")) {
      rule.principals.reserve(list->size());
      for (const YamlNode item : list->items()) {
        std::optional<Pattern> pattern = ReadPrincipal(item, false);
        if (!pattern.has_value()) continue;
        CheckBindings(*pattern, item.position(), {}, &bound_by_principals);
        rule.principals.push_back(*std::move(pattern));
      }
    }
  }
  if (const auto list = Require(*fields, "actions", node.position(), what)) {
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
  if (const auto list = Require(*fields, "resources", node.position(), what)) {
    if (CheckList(*list, "resources", "; write `[any]` to mean every resource")) {
      Names bound;
      rule.resources.reserve(list->size());
      for (const YamlNode item : list->items()) {
        std::optional<Pattern> pattern = ReadResource(item);
        if (!pattern.has_value()) continue;
        CheckBindings(*pattern, item.position(), bound_by_principals, &bound);
        rule.resources.push_back(*std::move(pattern));
      }
    }
  }
  if (const auto when = fields->find("when"); when != fields->end()) {
    Report(when->second.key.position(),
           when->second.value.IsNull()
               ? "`when` has no value; an empty condition does not mean always"
               : "`when` is not supported by this version, so the rule cannot be loaded");
  }
  CheckDescription(*fields);
  if (const auto value = Find(*fields, "message")) {
    if (const auto text = ReadText(*value, "`message`", kMaxMessageBytes)) rule.message = *text;
  }
  if (const auto value = Find(*fields, "shadow")) {
    rule.shadow = ReadBool(*value, "shadow").value_or(false);
  }
  if (const auto value = Find(*fields, "audit")) ReadAuditLevel(*value, &rule);
  if (const auto value = Find(*fields, "obligations")) ReadObligations(*value, &rule);
  policy_.rules.push_back(std::move(definition));
}

void PolicyReader::ReadRuleId(YamlNode node, Rule* rule) {
  const auto name = ReadName(node, "the id");
  if (!name.has_value()) return;
  rule->id = absl::StrCat(policy_.name, "/", View(*name));
  const auto [first, is_new] = rule_ids_.try_emplace(std::string(*name), node.position());
  if (is_new) return;
  Report(node.position(), absl::StrCat("rule `", View(*name), "` is defined twice; first at ",
                                       first->second.line, ":", first->second.column));
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

void PolicyReader::ReadObligations(YamlNode node, Rule* rule) {
  if (!CheckList(node, "obligations", "; write one or remove the key")) return;
  if (node.size() > kMaxObligations) {
    return Report(node.position(),
                  absl::StrCat("`obligations` has more than ", kMaxObligations, " items"));
  }
  for (const YamlNode item : node.items()) {
    const auto fields = ReadFields(item, "the obligation", {"id"});
    if (!fields.has_value()) continue;
    const auto id = Require(*fields, "id", item.position(), "the obligation");
    if (!id.has_value()) continue;
    if (const auto name = ReadName(*id, "the id"))
      rule->obligations.push_back({std::string(*name)});
  }
}

}  // namespace reeve
