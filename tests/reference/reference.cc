#include "reeve/tests/reference/reference.h"

#include <re2/re2.h>

#include <algorithm>
#include <memory>

namespace reeve::reference {
namespace {

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

std::string TextOf(EntityView entity) {
  return std::string(entity.type) + ":" + std::string(entity.id);
}

// Sentence 2.
Truth And(Truth a, Truth b) {
  if (a == Truth::kFalse || b == Truth::kFalse) return Truth::kFalse;
  if (a == Truth::kTrue && b == Truth::kTrue) return Truth::kTrue;
  return Truth::kUnknown;
}

Truth Or(Truth a, Truth b) {
  if (a == Truth::kTrue || b == Truth::kTrue) return Truth::kTrue;
  if (a == Truth::kFalse && b == Truth::kFalse) return Truth::kFalse;
  return Truth::kUnknown;
}

Truth Certain(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

// Sentence 14. Compiles each expression once.
bool RegexMatches(const std::string& expression, std::string_view text) {
  static thread_local std::map<std::string, std::unique_ptr<RE2>> compiled;
  std::unique_ptr<RE2>& regex = compiled[expression];
  if (regex == nullptr) regex = std::make_unique<RE2>(expression, RE2::Quiet);
  return RE2::FullMatch(Piece(text), *regex);
}

// ---- What makes a request malformed: the limits and alphabets of the public headers. ----

// The grammar of RFC 3629, section 4, over bytes.
bool IsUtf8(std::string_view text) {
  static const RE2* const kUtf8 = new RE2(
      R"((?s)([\x00-\x7F]|[\xC2-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|)"
      R"([\xE1-\xEC][\x80-\xBF]{2}|\xED[\x80-\x9F][\x80-\xBF]|[\xEE-\xEF][\x80-\xBF]{2}|)"
      R"(\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}|\xF4[\x80-\x8F][\x80-\xBF]{2})*)",
      RE2::Latin1);
  return RE2::FullMatch(Piece(text), *kUtf8);
}

bool IsPlainText(std::string_view text) {
  static const RE2* const kControl = new RE2(R"([\x{00}-\x{1F}\x{7F}-\x{9F}])");
  return IsUtf8(text) && !RE2::PartialMatch(Piece(text), *kControl);
}

bool IsEntityName(EntityView name) {
  static const RE2* const kType = new RE2(R"([A-Za-z_][A-Za-z0-9_.\-]*)");
  if (name.type.size() > 64 || !RE2::FullMatch(Piece(name.type), *kType) || name.type == "role" ||
      name.id.empty() || name.id.size() > 4096 || !IsPlainText(name.id)) {
    return false;
  }
  std::vector<std::string> segments(1);
  for (const char c : name.id) {
    if (c == '/') {
      segments.emplace_back();
    } else {
      segments.back() += c;
    }
  }
  for (const std::string& segment : segments) {
    if (segment == "." || segment == "..") return false;
  }
  if (name.id[0] != '/' || name.id == "/") return true;
  // An absolute path: nothing before its first slash, something between and after the others.
  return std::find(segments.begin() + 1, segments.end(), "") == segments.end();
}

// Counts the values inside `value` into `count`. Returns false for one that is too deep, too long
// or not text.
bool CheckValue(const Value& value, int depth, size_t* count) {
  const auto is_text = [](std::string_view text) { return text.size() <= 65536 && IsUtf8(text); };
  switch (value.kind()) {
    case Value::Kind::kString:
      return is_text(value.string_value());
    case Value::Kind::kBytes:
      return value.bytes_value().size() <= 65536;
    case Value::Kind::kList:
      if (depth == 16) return false;
      for (const Value& element : value.list_value()) {
        if (++*count > 4096 || !CheckValue(element, depth + 1, count)) return false;
      }
      return true;
    case Value::Kind::kMap:
      if (depth == 16) return false;
      for (const auto& [name, element] : value.map_value()) {
        if (!is_text(name)) return false;
        if (++*count > 4096 || !CheckValue(element, depth + 1, count)) return false;
      }
      return true;
    default:
      return true;
  }
}

bool AreAttributes(const Attributes& attributes) {
  size_t count = 0;
  return CheckValue(Value::Of(attributes), 0, &count);
}

}  // namespace

// Sentence 12.
bool GlobMatches(std::string_view glob, std::string_view text) {
  // matched[n]: what was read of the glob matches the first n characters of the text.
  std::vector<char> matched(text.size() + 1);
  matched[0] = true;
  while (!glob.empty()) {
    std::vector<char> next(text.size() + 1);
    size_t read = 1;
    if (glob.substr(0, 2) == "**") {
      read = 2;
      for (size_t n = 0; n <= text.size(); ++n) next[n] = matched[n] || (n > 0 && next[n - 1]);
    } else if (glob[0] == '*') {
      for (size_t n = 0; n <= text.size(); ++n) {
        next[n] = matched[n] || (n > 0 && next[n - 1] && text[n - 1] != '/');
      }
    } else if (glob[0] == '{') {
      read = glob.find('}') + 1;
      for (size_t n = 1; n <= text.size(); ++n) {
        next[n] = (matched[n - 1] || next[n - 1]) && text[n - 1] != '/';
      }
    } else {
      read = std::min(glob.find_first_of("*{"), glob.size());
      for (size_t n = 0; n + read <= text.size(); ++n) {
        next[n + read] = matched[n] && text.compare(n, read, glob.substr(0, read)) == 0;
      }
    }
    glob.remove_prefix(read);
    matched = std::move(next);
  }
  return matched.back();
}

Evaluator::Evaluator(const World& world) : world_(world) {
  for (const Rule& rule : world.rules) rules_.push_back(&rule);
  std::sort(rules_.begin(), rules_.end(), [](auto* a, auto* b) { return a->id < b->id; });
  for (const Entity& entity : world.entities) {
    for (const EntityId& parent : entity.parents) {
      parents_[TextOf(entity.id)].insert(TextOf(parent));
    }
  }
  for (const Entity& entity : world.entities) {
    if (entity.id.type == "group") reachable_from_groups_.insert(TextOf(entity.id));
  }
  reachable_from_groups_ = WithAncestors(reachable_from_groups_);
}

Evaluator::Names Evaluator::WithAncestors(Names names) const {
  std::vector<std::string> to_visit(names.begin(), names.end());
  while (!to_visit.empty()) {
    const auto at = parents_.find(to_visit.back());
    to_visit.pop_back();
    if (at == parents_.end()) continue;
    for (const std::string& parent : at->second) {
      if (names.insert(parent).second) to_visit.push_back(parent);
    }
  }
  return names;
}

bool Evaluator::IsDeclared(std::string_view type) const {
  if (world_.types.empty() || type == "anonymous") return true;
  return std::find(world_.types.begin(), world_.types.end(), type) != world_.types.end();
}

bool Evaluator::IsMalformed(const Request& request) const {
  const Principal& principal = *request.principal;
  if (!request.defect.empty()) return true;
  if (!IsEntityName(principal.id) || !IsDeclared(principal.id.type)) return true;
  if (principal.groups.size() > 65536) return true;
  for (const std::string& group : principal.groups) {
    if (!IsEntityName({"group", group}) || !IsDeclared("group")) return true;
  }
  if (principal.parents.size() > 1024) return true;
  for (const EntityId& parent : principal.parents) {
    if (!IsEntityName(parent) || !IsDeclared(parent.type)) return true;
  }
  if (!AreAttributes(principal.attributes)) return true;
  if (request.action.empty() || request.action.size() > 256 || !IsPlainText(request.action)) {
    return true;
  }
  if (!IsEntityName(request.resource) || !IsDeclared(request.resource.type)) return true;
  if (request.resource_parents.size() > 1024) return true;
  for (const EntityId& parent : request.resource_parents) {
    if (!IsEntityName(parent) || !IsDeclared(parent.type)) return true;
  }
  if (request.resource_attributes != nullptr && !AreAttributes(*request.resource_attributes)) {
    return true;
  }
  return request.context != nullptr && !AreAttributes(*request.context);
}

Truth Evaluator::MatchesPrincipal(const Pattern& pattern, const Principal& principal,
                                  const std::string& name, const Names& lies_in) const {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:  // 13
      return Truth::kTrue;
    case Pattern::Kind::kAuthenticated:  // 13
      return Certain(principal.id.type != "anonymous" && principal.assurance != Assurance::kNone);
    case Pattern::Kind::kLiteral: {
      if (lies_in.count(pattern.text()) > 0) return Truth::kTrue;  // 11
      // 5. A group that is not listed may be the named one, or lie in it.
      const bool is_group = pattern.text().substr(0, 6) == "group:";
      const bool holds_groups = reachable_from_groups_.count(pattern.text()) > 0;
      if (!principal.groups_complete && (is_group || holds_groups)) return Truth::kUnknown;
      return Truth::kFalse;
    }
    case Pattern::Kind::kGlob:  // 12
      return Certain(GlobMatches(pattern.text(), name));
    case Pattern::Kind::kRegex:  // 14
      return Certain(RegexMatches(pattern.text(), name));
    case Pattern::Kind::kRole: {  // 15
      Truth truth = Truth::kFalse;
      for (const World::Role& role : world_.roles) {
        if (role.name != pattern.text()) continue;
        for (const Pattern& member : role.members) {
          truth = Or(truth, MatchesPrincipal(member, principal, name, lies_in));
        }
      }
      return truth;
    }
  }
  return Truth::kUnknown;
}

namespace {

Truth MatchesAction(const Pattern& pattern, std::string_view action) {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:  // 13
      return Truth::kTrue;
    case Pattern::Kind::kLiteral:
      return Certain(action == pattern.text());
    case Pattern::Kind::kGlob:  // 12
      return Certain(GlobMatches(pattern.text(), action));
    default:
      return Truth::kUnknown;  // cannot stand here
  }
}

Truth MatchesResource(const Pattern& pattern, const std::string& resource,
                      const std::set<std::string>& lies_in) {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:  // 13
      return Truth::kTrue;
    case Pattern::Kind::kLiteral:  // 11
      return Certain(lies_in.count(pattern.text()) > 0);
    case Pattern::Kind::kGlob:  // 12
      return Certain(GlobMatches(pattern.text(), resource));
    case Pattern::Kind::kRegex:  // 14
      return Certain(RegexMatches(pattern.text(), resource));
    default:
      return Truth::kUnknown;  // cannot stand here
  }
}

}  // namespace

Answer Evaluator::Decide(const Request& request) const {
  Answer answer;
  if (IsMalformed(request)) {  // 10
    answer.reason = Reason::kBadRequest;
    return answer;
  }

  // 16
  const Principal& principal = *request.principal;
  const std::string name = TextOf(principal.id);
  Names principal_in = {name};
  for (const std::string& group : principal.groups) principal_in.insert("group:" + group);
  for (const EntityId& parent : principal.parents) principal_in.insert(TextOf(parent));
  principal_in = WithAncestors(principal_in);

  const std::string resource = TextOf(request.resource);
  Names resource_in = {resource};
  for (const EntityId& parent : request.resource_parents) resource_in.insert(TextOf(parent));
  resource_in = WithAncestors(resource_in);

  std::vector<std::string> allows, near_misses, denies;
  bool certainly_denied = false;
  for (const Rule* rule : rules_) {
    // 1
    RuleMatch match = {rule, Truth::kFalse, Truth::kFalse, Truth::kFalse};
    for (const Pattern& pattern : rule->principals) {
      match.principals =
          Or(match.principals, MatchesPrincipal(pattern, principal, name, principal_in));
    }
    for (const Pattern& pattern : rule->actions) {
      match.actions = Or(match.actions, MatchesAction(pattern, request.action));
    }
    for (const Pattern& pattern : rule->resources) {
      match.resources = Or(match.resources, MatchesResource(pattern, resource, resource_in));
    }
    answer.matches.push_back(match);
    const Truth truth = And(match.principals, And(match.actions, match.resources));

    // 3
    const bool matches = rule->effect == Effect::kDeny
                             ? truth == Truth::kTrue || truth == Truth::kUnknown
                             : truth == Truth::kTrue;
    if (rule->shadow) {  // 9
      if (matches) answer.shadow_rules.push_back(rule->id);
    } else if (rule->effect == Effect::kDeny) {
      if (matches) denies.push_back(rule->id);
      if (truth == Truth::kTrue) certainly_denied = true;
    } else {
      if (matches) allows.push_back(rule->id);
      if (truth == Truth::kUnknown) near_misses.push_back(rule->id);
    }
  }

  // 4, 6, 7
  if (!denies.empty()) {
    answer.reason = certainly_denied ? Reason::kDenyRule : Reason::kDenyUnknown;
    answer.rules = denies;
  } else if (!allows.empty()) {
    answer.reason = Reason::kAllowRule;
    answer.rules = allows;
  } else {
    answer.reason = Reason::kNoRule;
    answer.near_misses = near_misses;
  }
  return answer;
}

}  // namespace reeve::reference
