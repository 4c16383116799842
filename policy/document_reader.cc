#include "policy/document_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxObligations = 64;
constexpr size_t kMaxDescriptionBytes = 64 * 1024;

// Names of policies, rules, roles, action sets and obligations.
bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (!absl::ascii_isalnum(name[0]) && name[0] != '_') return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

// Plain scalars that YAML 1.1 or 1.2 reads as something else than a string.
bool LooksLikeNumber(std::string_view text) {
  if (text.empty()) return false;
  std::string_view digits = text;
  if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF" || digits == ".nan" ||
      digits == ".NaN" || digits == ".NAN") {
    return true;
  }
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
    return std::all_of(digits.begin() + 2, digits.end(), absl::ascii_isxdigit);
  }
  if (digits.empty() || !(absl::ascii_isdigit(digits[0]) || digits[0] == '.')) return false;
  bool any_digit = false;
  bool exponent = false;
  for (size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[i];
    if (absl::ascii_isdigit(c)) {
      any_digit = true;
    } else if ((c == 'e' || c == 'E') && any_digit && !exponent && i + 1 < digits.size()) {
      exponent = true;
      if ((digits[i + 1] == '+' || digits[i + 1] == '-') && i + 2 < digits.size()) ++i;
    } else if (c != '.' || exponent) {
      return false;
    }
  }
  return any_digit;
}

bool LooksLikeBool(std::string_view text) {
  return text == "true" || text == "false" || text == "True" || text == "False" || text == "TRUE" ||
         text == "FALSE";
}

// One file. Each Read function reports what is wrong where it stands and returns nothing then, so
// that the rest is read on.
class Reader {
 public:
  Reader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues)
      : file_(file), limits_(limits), issues_(*issues) {}

  void Read(YamlNode root, Documents* documents);

 private:
  // The values of a mapping by their keys.
  using Fields = std::map<std::string_view, YamlMember>;

  void Report(Position position, std::string message,
              Issue::Severity severity = Issue::Severity::kError) {
    issues_.push_back({severity, file_, position, std::move(message)});
  }
  void Warn(Position position, std::string message) {
    Report(position, std::move(message), Issue::Severity::kWarning);
  }

  // Takes a mapping apart. Reports keys that are not among `known`; `what` says in what they stand.
  std::optional<Fields> ReadFields(YamlNode node, const std::string& what,
                                   const std::vector<std::string_view>& known);
  // The value under `key`, if it is there and not null.
  std::optional<YamlNode> Find(const Fields& fields, std::string_view key);
  // The same, and it must be there; else it is missed at `owner`.
  std::optional<YamlNode> Require(const Fields& fields, std::string_view key, Position owner,
                                  const std::string& what);

  // Text that cannot be mistaken for something else.
  std::optional<std::string_view> ReadText(YamlNode node, std::string_view what, size_t most);
  std::optional<std::string_view> ReadName(YamlNode node, std::string_view what);
  std::optional<bool> ReadBool(YamlNode node, std::string_view what);
  // A list that is not empty.
  bool CheckList(YamlNode node, std::string_view what, const std::string& if_empty);

  void ReadPolicy(const Fields& fields, Position begin, PolicyDocument* policy);
  void ReadActionSets(YamlNode node);
  void ExpandActionSets();
  void ReadRoles(YamlNode node, PolicyDocument* policy);
  void ReadRule(YamlNode node, PolicyDocument* policy);
  void ReadObligations(YamlNode node, Rule* rule);
  void WarnOfUnused();

  std::optional<Pattern> ReadRegex(YamlNode node, std::string_view what);
  std::optional<Pattern> ReadPrincipal(YamlNode node, const PolicyDocument& policy, bool in_role);
  std::optional<Pattern> ReadResource(YamlNode node);
  // An action, or the members of a set.
  void ReadActions(YamlNode node, std::vector<Pattern>* actions);
  // Reports `pattern` if it binds a name that `bound` holds, and adds what it binds.
  void CheckBindings(const Pattern& pattern, Position position,
                     const std::vector<std::string>& bound_elsewhere,
                     std::vector<std::string>* bound);

  void ReadEntities(YamlNode node, EntitiesDocument* document);
  void ReadEntity(YamlNode node, EntitiesDocument* document);
  std::optional<EntityId> ReadEntityId(YamlNode node);
  std::optional<Attributes> ReadAttributes(YamlNode node, int depth);
  std::optional<Value> ReadValue(YamlNode node, int depth);
  std::optional<Value> ReadPlainValue(YamlNode node);

  const std::string file_;
  const LoadLimits& limits_;
  std::vector<Issue>& issues_;

  struct NamedSet {
    Position position;
    bool used = false;
  };
  struct ActionSet : NamedSet {
    std::vector<YamlNode> members;
    enum { kNew, kOpen, kDone } state = kNew;
    std::vector<Pattern> actions;  // When it is done.
  };
  std::map<std::string, ActionSet, std::less<>> action_sets_;
  std::map<std::string, NamedSet, std::less<>> roles_;
  absl::flat_hash_map<std::string, Position> rule_ids_;
};

template <typename Map>
std::vector<std::string_view> Keys(const Map& map) {
  std::vector<std::string_view> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  return keys;
}

const std::vector<std::string_view> kPolicyKeys = {"reeve", "policy",  "description", "roles",
                                                   "let",   "actions", "rules"};
const std::vector<std::string_view> kEntitiesKeys = {"reeve", "entities", "description"};
const std::vector<std::string_view> kRuleKeys = {
    "id",    "effect",  "principals", "actions",     "resources",  "when",
    "audit", "message", "shadow",     "obligations", "description"};

std::optional<Reader::Fields> Reader::ReadFields(YamlNode node, const std::string& what,
                                                 const std::vector<std::string_view>& known) {
  if (!node.IsMapping()) {
    Report(node.position(), absl::StrCat(what, " is not a mapping of keys to values"));
    return std::nullopt;
  }
  Fields fields;
  for (const YamlMember member : node.members()) {
    const std::string_view key = member.key.text();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      Report(member.key.position(),
             absl::StrCat("unknown key ", Quoted(key), " in ", what, DidYouMean(key, known)));
    } else {
      fields.emplace(key, member);
    }
  }
  return fields;
}

std::optional<YamlNode> Reader::Find(const Fields& fields, std::string_view key) {
  const auto at = fields.find(key);
  if (at == fields.end()) return std::nullopt;
  const YamlMember& member = at->second;
  if (member.value.IsNull()) {
    Report(member.key.position(),
           absl::StrCat("`", View(key), "` has no value; write one or remove the key"));
    return std::nullopt;
  }
  return member.value;
}

std::optional<YamlNode> Reader::Require(const Fields& fields, std::string_view key, Position owner,
                                        const std::string& what) {
  if (fields.find(key) == fields.end()) {
    Report(owner, absl::StrCat(what, " has no `", View(key), "`"));
    return std::nullopt;
  }
  return Find(fields, key);
}

std::optional<std::string_view> Reader::ReadText(YamlNode node, std::string_view what,
                                                 size_t most) {
  if (!node.IsScalar()) {
    Report(node.position(), absl::StrCat(View(what), " is not text"));
    return std::nullopt;
  }
  const std::string_view text = node.text();
  if (node.IsNull() || text.empty()) {
    Report(node.position(), absl::StrCat(View(what), " is empty"));
    return std::nullopt;
  }
  if (node.plain() && (LooksLikeNumber(text) || LooksLikeBool(text))) {
    Report(node.position(), absl::StrCat(View(what), " ", Quoted(text),
                                         " is not text; put it in quotes if it is meant as text"));
    return std::nullopt;
  }
  if (text.size() > most) {
    Report(node.position(), absl::StrCat(View(what), " is longer than ", most, " bytes"));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string_view> Reader::ReadName(YamlNode node, std::string_view what) {
  const std::optional<std::string_view> text = ReadText(node, what, kMaxNameBytes);
  if (text.has_value() && !IsName(*text)) {
    Report(node.position(), absl::StrCat(View(what), " ", Quoted(*text),
                                         " is not a name; use letters, digits and `_-.`, and begin "
                                         "with a letter, a digit or `_`"));
    return std::nullopt;
  }
  return text;
}

std::optional<bool> Reader::ReadBool(YamlNode node, std::string_view what) {
  if (node.IsScalar() && node.plain() && (node.text() == "true" || node.text() == "false")) {
    return node.text() == "true";
  }
  Report(node.position(), absl::StrCat("`", View(what), "` is neither `true` nor `false`"));
  return std::nullopt;
}

bool Reader::CheckList(YamlNode node, std::string_view what, const std::string& if_empty) {
  if (!node.IsSequence()) {
    const std::string shown =
        node.IsScalar() ? absl::StrCat("; write `[", View(node.text().substr(0, 60)), "]`") : "";
    Report(node.position(), absl::StrCat("`", View(what), "` is not a list", shown));
    return false;
  }
  if (node.size() == 0) {
    Report(node.position(), absl::StrCat("`", View(what), "` is empty", if_empty));
    return false;
  }
  if (node.size() > limits_.max_list) {
    Report(node.position(),
           absl::StrCat("`", View(what), "` has more than ", limits_.max_list, " items"));
    return false;
  }
  return true;
}

void Reader::Read(YamlNode root, Documents* documents) {
  if (root.IsNull()) {
    return Report({}, "the file is empty; begin it with `reeve: 1` and `policy:` or `entities:`");
  }
  if (!root.IsMapping()) {
    return Report(
        root.position(),
        "the file is not a mapping; begin it with `reeve: 1` and `policy:` or `entities:`");
  }
  std::optional<YamlMember> policy;
  std::optional<YamlMember> entities;
  bool first = true;
  for (const YamlMember member : root.members()) {
    const std::string_view key = member.key.text();
    if (first && key != "reeve") {
      Report(member.key.position(), "every file begins with `reeve: 1`");
    }
    first = false;
    if (key == "reeve" &&
        !(member.value.IsScalar() && member.value.plain() && member.value.text() == "1")) {
      Report(member.value.position(), "this version reads files that begin with `reeve: 1`");
    } else if (key == "policy") {
      policy = member;
    } else if (key == "entities") {
      entities = member;
    } else if (key == "schema" || key == "tests") {
      return Report(member.key.position(),
                    absl::StrCat("`", View(key), "` files are not supported by this version"));
    }
  }
  if (policy.has_value() && entities.has_value()) {
    return Report(entities->key.position(),
                  "a file is of one kind: `policy` or `entities`; make two files");
  }
  if (policy.has_value()) {
    const std::optional<Fields> fields = ReadFields(root, "the policy", kPolicyKeys);
    PolicyDocument document;
    document.file = file_;
    ReadPolicy(*fields, root.position(), &document);
    documents->policies.push_back(std::move(document));
  } else if (entities.has_value()) {
    const std::optional<Fields> fields = ReadFields(root, "the file", kEntitiesKeys);
    EntitiesDocument document;
    document.file = file_;
    if (const auto node = Find(*fields, "description")) {
      ReadText(*node, "`description`", kMaxDescriptionBytes);
    }
    if (const auto node = Find(*fields, "entities")) ReadEntities(*node, &document);
    documents->entities.push_back(std::move(document));
  } else {
    ReadFields(root, "the file", kPolicyKeys);
    Report(root.position(), "the file has neither `policy` nor `entities`, so it says nothing");
  }
}

void Reader::ReadPolicy(const Fields& fields, Position begin, PolicyDocument* policy) {
  if (const auto node = Find(fields, "policy")) {
    policy->name_position = node->position();
    if (const auto name = ReadName(*node, "the name of the policy")) policy->name = *name;
  }
  if (const auto node = Find(fields, "description")) {
    ReadText(*node, "`description`", kMaxDescriptionBytes);
  }
  if (const auto let = fields.find("let"); let != fields.end()) {
    Report(let->second.key.position(), "`let` is not supported by this version");
  }
  if (const auto node = Find(fields, "actions")) ReadActionSets(*node);
  if (const auto node = Find(fields, "roles")) ReadRoles(*node, policy);
  const auto rules = Require(fields, "rules", begin, "the policy");
  if (!rules.has_value()) return;
  if (!rules->IsSequence()) return Report(rules->position(), "`rules` is not a list");
  if (rules->size() == 0) {
    return Report(rules->position(), "`rules` is empty; write a rule or remove the file");
  }
  if (rules->size() > limits_.max_rules) {
    return Report(rules->position(),
                  absl::StrCat("`rules` has more than ", limits_.max_rules, " items"));
  }
  policy->rules.reserve(rules->size());
  for (const YamlNode rule : rules->items()) ReadRule(rule, policy);
  WarnOfUnused();
}

void Reader::WarnOfUnused() {
  for (const auto& [name, role] : roles_) {
    if (!role.used) Warn(role.position, absl::StrCat("role `", name, "` is not used by any rule"));
  }
  for (const auto& [name, set] : action_sets_) {
    if (!set.used)
      Warn(set.position, absl::StrCat("action set `", name, "` is not used by any rule"));
  }
}

void Reader::ReadActionSets(YamlNode node) {
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
void Reader::ExpandActionSets() {
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
        set.state = ActionSet::kDone;
        path.pop_back();
        continue;
      }
      const YamlNode member = set.members[visit.next++];
      const auto nested = member.IsScalar() ? action_sets_.find(member.text()) : action_sets_.end();
      if (nested == action_sets_.end()) {
        ReadActions(member, &set.actions);
      } else if (nested->second.state == ActionSet::kOpen) {
        Report(member.position(),
               absl::StrCat("action set `", View(visit.name), "` contains itself through `",
                            View(member.text()), "`"));
      } else if (nested->second.state == ActionSet::kNew) {
        --visit.next;  // again, when it is done
        path.push_back({&nested->second, nested->first, 0});
      } else {
        ReadActions(member, &set.actions);
      }
    }
  }
}

void Reader::ReadRoles(YamlNode node, PolicyDocument* policy) {
  if (!node.IsMapping()) {
    return Report(node.position(), "`roles` is not a mapping of names to lists of principals");
  }
  for (const auto [key, value] : node.members()) {
    const auto name = ReadName(key, "the name of the role");
    if (!name.has_value()) continue;
    roles_[std::string(*name)].position = key.position();
    PolicyDocument::RoleDefinition role = {absl::StrCat(policy->name, "/", View(*name)), {}};
    if (value.IsNull()) {
      Report(key.position(), absl::StrCat("role `", View(*name), "` has no value"));
    } else if (value.IsMapping()) {
      Report(value.position(), absl::StrCat("role `", View(*name),
                                            "` is given by a condition, which this version does "
                                            "not support; list its principals"));
    } else if (CheckList(value, *name, "; list the principals of the role")) {
      for (const YamlNode item : value.items()) {
        std::optional<Pattern> member = ReadPrincipal(item, *policy, true);
        if (member.has_value()) role.members.push_back(*std::move(member));
      }
    }
    policy->roles.push_back(std::move(role));
  }
}

std::optional<Pattern> Reader::ReadRegex(YamlNode node, std::string_view what) {
  const auto fields = ReadFields(node, absl::StrCat("the pattern of ", View(what)), {"re"});
  if (!fields.has_value()) return std::nullopt;
  const auto expression = Require(*fields, "re", node.position(), "the pattern");
  if (!expression.has_value()) return std::nullopt;
  const auto text = ReadText(*expression, "the regular expression", kMaxIdBytes);
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<Pattern> pattern = Pattern::Regex(*text);
  if (pattern.ok()) return *std::move(pattern);
  Report(expression->position(), std::string(pattern.status().message()));
  return std::nullopt;
}

std::optional<Pattern> Reader::ReadPrincipal(YamlNode node, const PolicyDocument& policy,
                                             bool in_role) {
  if (node.IsMapping()) return ReadRegex(node, "a principal");
  const auto text = ReadText(node, "a principal", kMaxTypeBytes + 1 + kMaxIdBytes);
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
                                           DidYouMean(name, Keys(roles_))));
      return std::nullopt;
    }
    role->second.used = true;
    return Pattern::Role(absl::StrCat(policy.name, "/", View(name)));
  }
  if (text->find(':') == std::string_view::npos) {
    const std::vector<std::string_view> words = {"anyone", "authenticated"};
    const std::string meant = *text == "any" || *text == "*" || *text == "**" || *text == "everyone"
                                  ? "; did you mean `anyone`?"
                                  : DidYouMean(*text, words);
    Report(node.position(), absl::StrCat(Quoted(*text),
                                         " is not a principal; write `type:id`, "
                                         "`anyone` or `authenticated`",
                                         meant));
    return std::nullopt;
  }
  absl::StatusOr<Pattern> pattern = Pattern::Principal(*text);
  if (!pattern.ok()) {
    Report(node.position(), std::string(pattern.status().message()));
    return std::nullopt;
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

std::optional<Pattern> Reader::ReadResource(YamlNode node) {
  if (node.IsMapping()) return ReadRegex(node, "a resource");
  const auto text = ReadText(node, "a resource", kMaxTypeBytes + 1 + kMaxIdBytes);
  if (!text.has_value()) return std::nullopt;
  if (*text == "any") return Pattern::Any();
  if (text->find(':') == std::string_view::npos) {
    const bool meant_any = *text == "*" || *text == "**" || *text == "anything" || *text == "all";
    Report(node.position(),
           absl::StrCat(Quoted(*text), " is not a resource; write `type:id` or `any`",
                        meant_any ? "; did you mean `any`?" : ""));
    return std::nullopt;
  }
  absl::StatusOr<Pattern> pattern = Pattern::Resource(*text);
  if (pattern.ok()) return *std::move(pattern);
  Report(node.position(), std::string(pattern.status().message()));
  return std::nullopt;
}

void Reader::ReadActions(YamlNode node, std::vector<Pattern>* actions) {
  const auto text = ReadText(node, "an action", kMaxIdBytes);
  if (!text.has_value()) return;
  if (*text == "any") {
    actions->push_back(Pattern::Any());
    return;
  }
  if (const auto set = action_sets_.find(*text); set != action_sets_.end()) {
    set->second.used = true;
    actions->insert(actions->end(), set->second.actions.begin(), set->second.actions.end());
    return;
  }
  absl::StatusOr<Pattern> pattern = Pattern::Action(*text);
  if (pattern.ok()) {
    actions->push_back(*std::move(pattern));
  } else {
    Report(node.position(), std::string(pattern.status().message()));
  }
}

void Reader::CheckBindings(const Pattern& pattern, Position position,
                           const std::vector<std::string>& bound_elsewhere,
                           std::vector<std::string>* bound) {
  if (pattern.kind() != Pattern::Kind::kGlob) return;
  for (const std::string_view name : pattern.glob().binding_names()) {
    if (std::find(bound_elsewhere.begin(), bound_elsewhere.end(), name) != bound_elsewhere.end()) {
      Report(position, absl::StrCat("`{", View(name),
                                    "}` is bound by another list of this rule; "
                                    "use another name"));
    }
    bound->emplace_back(name);
  }
}

void Reader::ReadRule(YamlNode node, PolicyDocument* policy) {
  std::string what = "the rule";
  if (node.IsMapping()) {
    for (const auto [key, value] : node.members()) {
      if (key.text() == "id" && value.IsScalar())
        what = absl::StrCat("rule ", Quoted(value.text()));
    }
  }
  const auto fields = ReadFields(node, what, kRuleKeys);
  if (!fields.has_value()) return;
  PolicyDocument::RuleDefinition definition;
  Rule& rule = definition.rule;
  definition.id = node.position();
  if (const auto id = Require(*fields, "id", node.position(), what)) {
    definition.id = id->position();
    if (const auto name = ReadName(*id, "the id")) {
      rule.id = absl::StrCat(policy->name, "/", View(*name));
      const auto [first, is_new] = rule_ids_.try_emplace(std::string(*name), id->position());
      if (!is_new) {
        Report(id->position(), absl::StrCat("rule `", View(*name), "` is defined twice; first at ",
                                            first->second.line, ":", first->second.column));
      }
    }
  }
  if (const auto effect = Require(*fields, "effect", node.position(), what)) {
    const std::string_view text = effect->IsScalar() ? effect->text() : std::string_view();
    if (text == "allow") {
      rule.effect = Effect::kAllow;
    } else if (text != "deny") {
      Report(effect->position(),
             absl::StrCat("`effect` is ", Quoted(text), "; it is `allow` or `deny`",
                          DidYouMean(text, {"allow", "deny"})));
    }
  }
  std::vector<std::string> bound_by_principals;
  if (const auto list = Require(*fields, "principals", node.position(), what)) {
    if (CheckList(*list, "principals", "; write `[anyone]` to mean anyone")) {
      rule.principals.reserve(list->size());
      for (const YamlNode item : list->items()) {
        std::optional<Pattern> pattern = ReadPrincipal(item, *policy, false);
        if (!pattern.has_value()) continue;
        CheckBindings(*pattern, item.position(), {}, &bound_by_principals);
        rule.principals.push_back(*std::move(pattern));
      }
    }
  }
  if (const auto list = Require(*fields, "actions", node.position(), what)) {
    if (CheckList(*list, "actions", "; write `[any]` to mean every action")) {
      for (const YamlNode item : list->items()) {
        const size_t first = rule.actions.size();
        ReadActions(item, &rule.actions);
        for (size_t i = first; i < rule.actions.size(); ++i) {
          const Pattern& pattern = rule.actions[i];
          if (pattern.kind() == Pattern::Kind::kGlob && !pattern.glob().binding_names().empty()) {
            Report(item.position(),
                   absl::StrCat(Quoted(pattern.text()), " binds a name in an action; write `*`"));
          }
        }
      }
    }
  }
  if (const auto list = Require(*fields, "resources", node.position(), what)) {
    if (CheckList(*list, "resources", "; write `[any]` to mean every resource")) {
      std::vector<std::string> bound;
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
    const Position position = when->second.key.position();
    if (when->second.value.IsNull()) {
      Report(position, "`when` has no value; an empty condition does not mean always");
    } else {
      Report(position, "`when` is not supported by this version, so the rule cannot be loaded");
    }
  }
  if (const auto value = Find(*fields, "message")) {
    if (const auto text = ReadText(*value, "`message`", kMaxMessageBytes)) rule.message = *text;
  }
  if (const auto value = Find(*fields, "description")) {
    ReadText(*value, "`description`", kMaxDescriptionBytes);
  }
  if (const auto value = Find(*fields, "shadow")) {
    rule.shadow = ReadBool(*value, "shadow").value_or(false);
  }
  if (const auto value = Find(*fields, "audit")) {
    const std::string_view text = value->IsScalar() ? value->text() : std::string_view();
    if (text == "durable") {
      rule.audit = AuditLevel::kDurable;
    } else if (text == "recorded") {
      rule.audit = AuditLevel::kRecorded;
    } else {
      Report(value->position(),
             absl::StrCat("`audit` is ", Quoted(text),
                          "; a rule can raise the level to `recorded` or `durable`",
                          DidYouMean(text, {"recorded", "durable"})));
    }
  }
  if (const auto value = Find(*fields, "obligations")) ReadObligations(*value, &rule);
  policy->rules.push_back(std::move(definition));
}

void Reader::ReadObligations(YamlNode node, Rule* rule) {
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

void Reader::ReadEntities(YamlNode node, EntitiesDocument* document) {
  if (!node.IsSequence()) return Report(node.position(), "`entities` is not a list");
  if (node.size() == 0) {
    return Report(node.position(), "`entities` is empty; write one or remove the file");
  }
  if (node.size() > limits_.max_entities) {
    return Report(node.position(),
                  absl::StrCat("`entities` has more than ", limits_.max_entities, " items"));
  }
  document->entities.reserve(node.size());
  for (const YamlNode item : node.items()) ReadEntity(item, document);
}

std::optional<EntityId> Reader::ReadEntityId(YamlNode node) {
  const auto text = ReadText(node, "an entity", kMaxTypeBytes + 1 + kMaxIdBytes);
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<EntityId> id = ParseEntityId(*text);
  if (id.ok()) return *std::move(id);
  Report(node.position(), std::string(id.status().message()));
  return std::nullopt;
}

void Reader::ReadEntity(YamlNode node, EntitiesDocument* document) {
  const auto fields = ReadFields(node, "the entity", {"id", "parents", "attributes"});
  if (!fields.has_value()) return;
  const auto id_node = Require(*fields, "id", node.position(), "the entity");
  EntitiesDocument::EntityDefinition definition;
  bool complete = false;
  if (id_node.has_value()) {
    definition.id = id_node->position();
    if (std::optional<EntityId> id = ReadEntityId(*id_node)) {
      definition.entity.id = *std::move(id);
      complete = true;
    }
  }
  if (const auto list = Find(*fields, "parents")) {
    if (CheckList(*list, "parents", "; remove the key if there are none")) {
      for (const YamlNode item : list->items()) {
        if (std::optional<EntityId> parent = ReadEntityId(item)) {
          definition.entity.parents.push_back(*std::move(parent));
        }
      }
    }
  }
  if (const auto attributes = Find(*fields, "attributes")) {
    if (std::optional<Attributes> read = ReadAttributes(*attributes, 1)) {
      if (const std::string_view defect = DefectOf(*read); !defect.empty()) {
        Report(attributes->position(), std::string(defect));
      }
      definition.entity.attributes = *std::move(read);
    }
  }
  if (complete) document->entities.push_back(std::move(definition));
}

// Recursive, to kMaxValueDepth.
std::optional<Attributes> Reader::ReadAttributes(YamlNode node, int depth) {
  if (!node.IsMapping()) {
    Report(node.position(), "`attributes` is not a mapping of names to values");
    return std::nullopt;
  }
  Attributes attributes;
  for (const auto [key, value] : node.members()) {
    if (std::optional<Value> read = ReadValue(value, depth)) {
      attributes.Set(std::string(key.text()), *std::move(read));
    }
  }
  return attributes;
}

std::optional<Value> Reader::ReadValue(YamlNode node, int depth) {
  if (node.IsScalar()) {
    return node.plain() ? ReadPlainValue(node) : Value::String(std::string(node.text()));
  }
  if (depth == kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  if (node.IsMapping()) {
    std::optional<Attributes> map = ReadAttributes(node, depth + 1);
    if (!map.has_value()) return std::nullopt;
    return Value::Of(*std::move(map));
  }
  Value::List list;
  for (const YamlNode item : node.items()) {
    if (std::optional<Value> value = ReadValue(item, depth + 1)) list.push_back(*std::move(value));
  }
  return Value::Of(std::move(list));
}

std::optional<Value> Reader::ReadPlainValue(YamlNode node) {
  const std::string_view text = node.text();
  const auto refuse = [this, node, text](const char* what) {
    Report(node.position(), absl::StrCat(Quoted(text), " ", what));
    return std::nullopt;
  };
  if (text.empty()) {
    Report(node.position(), "a value is missing; write `null` if that is meant, or `\"\"`");
    return std::nullopt;
  }
  if (text == "null") return Value();
  if (node.IsNull())
    return refuse("is another spelling of null; write `null`, or put it in quotes");
  if (text == "true" || text == "false") return Value::Bool(text == "true");
  if (LooksLikeBool(text)) {
    return refuse("is another spelling of a boolean; write `true` or `false`, or put it in quotes");
  }
  if (!LooksLikeNumber(text)) return Value::String(std::string(text));

  std::string_view digits = text;
  if (digits[0] == '-') digits.remove_prefix(1);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && absl::ascii_isdigit(digits[1]);
  const bool decimal = absl::ascii_isdigit(digits[0]) && absl::ascii_isdigit(digits.back());
  if (leading_zero || !decimal || digits.find_first_of("xo") != std::string_view::npos) {
    return refuse("is not a plain decimal number; write it as one, or put it in quotes");
  }
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    int64_t integer;
    if (absl::SimpleAtoi(View(text), &integer)) return Value::Int(integer);
    return refuse("does not fit 64 bits; put it in quotes");
  }
  double number;
  if (absl::SimpleAtod(View(text), &number) && std::isfinite(number)) return Value::Double(number);
  return refuse("is not a number that a double can hold; put it in quotes");
}

}  // namespace

void ReadDocument(std::string_view file, const YamlDocument& yaml, const LoadLimits& limits,
                  Documents* documents, std::vector<Issue>* issues) {
  Reader(file, limits, issues).Read(yaml.root(), documents);
}

}  // namespace reeve
