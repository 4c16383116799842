#include "reeve/tests/reference/reference.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "policy/cel/parser.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

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

Truth And(Truth a, ClauseOutcome outcome) {
  return And(a, outcome == ClauseOutcome::kTrue    ? Truth::kTrue
                : outcome == ClauseOutcome::kFalse ? Truth::kFalse
                                                   : Truth::kUnknown);
}

Truth Certain(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

// Sentence 14. Compiles each expression once.
bool RegexMatches(const std::string& expression, std::string_view text) {
  static thread_local std::map<std::string, std::unique_ptr<RE2>> compiled;
  std::unique_ptr<RE2>& regex = compiled[expression];
  if (regex == nullptr) regex = std::make_unique<RE2>(expression, RE2::Quiet);
  return RE2::FullMatch(Piece(text), *regex);
}

// Sentence 22. Nothing if it does not match.
std::optional<std::map<std::string, std::string>> Bind(std::string_view glob,
                                                       std::string_view text) {
  struct Compiled {
    std::unique_ptr<RE2> regex;
    std::vector<std::string> names;
  };
  static thread_local std::map<std::string, Compiled> all;
  Compiled& compiled = all[std::string(glob)];
  if (compiled.regex == nullptr) {
    std::string regex = "(?s)";
    while (!glob.empty()) {
      size_t read = 1;
      if (glob.substr(0, 2) == "**") {
        regex += ".*?";
        read = 2;
      } else if (glob[0] == '*') {
        regex += "[^/]*?";
      } else if (glob[0] == '{') {
        read = glob.find('}') + 1;
        compiled.names.emplace_back(glob.substr(1, read - 2));
        regex += "([^/]+?)";
      } else {
        regex += RE2::QuoteMeta(Piece(glob.substr(0, 1)));
      }
      glob.remove_prefix(read);
    }
    compiled.regex = std::make_unique<RE2>(regex, RE2::Latin1);
  }
  std::array<re2::StringPiece, 17> groups;
  if (!compiled.regex->Match(Piece(text), 0, text.size(), RE2::ANCHOR_BOTH, groups.data(),
                             static_cast<int>(compiled.names.size()) + 1)) {
    return std::nullopt;
  }
  std::map<std::string, std::string> bindings;
  for (size_t i = 0; i < compiled.names.size(); ++i) {
    bindings[compiled.names[i]] = std::string(groups[i + 1].data(), groups[i + 1].size());
  }
  return bindings;
}

bool BindsNames(const Pattern& pattern) {
  return pattern.kind() == Pattern::Kind::kGlob && pattern.text().find('{') != std::string::npos;
}

// ---- Facts as conditions see them ----

RefValue ToRefValue(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return {RefNull{}};
    case Value::Kind::kBool:
      return {value.bool_value()};
    case Value::Kind::kInt:
      return {value.int_value()};
    case Value::Kind::kUint:
      return {value.uint_value()};
    case Value::Kind::kDouble:
      return {value.double_value()};
    case Value::Kind::kString:
      return {std::string(value.string_value())};
    case Value::Kind::kBytes:
      return {RefBytes{std::string(value.bytes_value())}};
    case Value::Kind::kTimestamp:
      return {RefTimestamp{absl::ToUnixNanos(value.timestamp_value())}};
    case Value::Kind::kDuration:
      return {RefDuration{absl::ToInt64Nanoseconds(value.duration_value())}};
    case Value::Kind::kList: {
      RefList list;
      for (const Value& element : value.list_value()) {
        list.elements.push_back(ToRefValue(element));
      }
      return {std::move(list)};
    }
    case Value::Kind::kMap: {
      RefMap map;
      for (const auto& [name, element] : value.map_value()) {
        map.entries.push_back({{name}, ToRefValue(element)});
      }
      return {std::move(map)};
    }
  }
  return {RefNull{}};
}

// Sentence 19. Overlays what `map` has and what is `reserved`.
void AddAttributes(const Attributes* attributes, const std::set<std::string>& reserved,
                   RefMap* map) {
  if (attributes == nullptr) return;
  for (const auto& [name, value] : *attributes) {
    const bool known = std::any_of(
        map->entries.begin(), map->entries.end(),
        [&name = name](const RefEntry& entry) { return *entry.key.As<std::string>() == name; });
    if (!known && reserved.count(name) == 0) map->entries.push_back({{name}, ToRefValue(value)});
  }
}

RefMap NamesOf(EntityView entity) {
  RefMap map;
  const std::string id(entity.id);
  map.entries = {{{std::string("type")}, {std::string(entity.type)}},
                 {{std::string("id")}, {id}},
                 {{std::string("name")}, {id[0] == '/' ? id : id.substr(0, id.find_last_of('@'))}}};
  return map;
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
  const auto parse = [this](const std::vector<Condition>& when) {
    for (const Condition& clause : when) {
      if (clauses_.count(clause.text) > 0) continue;
      cel::ParseOptions options;
      options.expand_macros = false;
      std::vector<cel::Defect> defects;
      std::optional<cel::Ast> ast = cel::Parse(clause.text, options, &defects);
      if (!ast.has_value()) {
        std::fprintf(stderr, "a clause does not parse: %s\n", clause.text.c_str());
        std::abort();
      }
      clauses_[clause.text] = *std::move(ast);
    }
  };
  const auto parse_text = [&parse](const TextTemplate& text) {
    for (const TextTemplate::Fact& fact : text.facts) {
      parse({{"string(" + fact.expression.text + ")", nullptr}});
    }
  };
  for (const Rule& rule : world.rules) {
    parse(rule.when);
    parse_text(rule.message);
    for (const Obligation& obligation : rule.obligations) {
      for (const auto& [name, text] : obligation.with) parse_text(text);
    }
  }
  for (const World::Role& role : world.roles) parse(role.when);
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

}  // namespace

Truth Evaluator::MatchesResource(const Pattern& pattern, const Question& question) {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:  // 13
      return Truth::kTrue;
    case Pattern::Kind::kLiteral:  // 11, 24
      if (question.resource_in.count(pattern.text()) > 0) return Truth::kTrue;
      return question.resource_complete ? Truth::kFalse : Truth::kUnknown;
    case Pattern::Kind::kGlob:  // 12
      return Certain(GlobMatches(pattern.text(), question.resource));
    case Pattern::Kind::kRegex:  // 14
      return Certain(RegexMatches(pattern.text(), question.resource));
    default:
      return Truth::kUnknown;  // cannot stand here
  }
}

Scope Evaluator::MakeScope(const Question& question, absl::Time now) const {
  const Request& request = question.request;
  const Principal& from = *request.principal;
  const auto stored = [this](EntityView id) -> const Attributes* {
    for (const Entity& entity : world_.entities) {
      if (EntityView(entity.id) == id) return &entity.attributes;
    }
    return nullptr;
  };

  RefMap principal = NamesOf(from.id);
  RefList groups;
  groups.partial = !from.groups_complete;
  for (const std::string& group : from.groups) groups.elements.push_back({group});
  principal.entries.push_back({{std::string("groups")}, {std::move(groups)}});
  static constexpr const char* kAssurances[] = {"none", "asserted", "kernel_weak", "kernel",
                                                "crypto"};
  principal.entries.push_back({{std::string("assurance")},
                               {std::string(kAssurances[static_cast<size_t>(from.assurance)])}});
  for (const auto& [name, text] : {std::pair<std::string, std::string>("via", from.via),
                                   {"host", from.host},
                                   {"actor", from.actor}}) {
    if (!text.empty()) {
      principal.entries.push_back({{name}, {text}});
    } else {
      principal.absent.push_back(name);
    }
  }
  static const auto* const kReserved = new std::set<std::string>{
      "type", "id", "name", "groups", "assurance", "via", "host", "actor", "roles"};
  // 24
  const auto add = [](const Attributes* of_request, const ProvidedEntity* provided,
                      const Attributes* of_set, const std::set<std::string>& reserved,
                      RefMap* map) {
    AddAttributes(of_request, reserved, map);
    if (provided != nullptr) AddAttributes(provided->attributes, reserved, map);
    map->partial = provided != nullptr && !provided->complete;
    if (!map->partial) AddAttributes(of_set, reserved, map);
  };
  add(&from.attributes, request.provided_principal, stored(from.id), *kReserved, &principal);
  principal.entity = "principal";  // for IsIn()

  RefMap resource = NamesOf(request.resource);
  add(request.resource_attributes, request.provided_resource, stored(request.resource), {},
      &resource);
  resource.entity = "resource";

  RefMap context;
  context.entries = {{{std::string("time")}, {RefTimestamp{absl::ToUnixNanos(now)}}}};
  AddAttributes(request.context, {}, &context);

  Scope scope;
  scope.variables = {{"principal", {std::move(principal)}},
                     {"action", {std::string(request.action)}},
                     {"resource", {std::move(resource)}},
                     {"context", {std::move(context)}}};
  scope.is_in = [this, &question](const RefValue& entity, const std::string& name) {
    return IsIn(question, entity.As<RefMap>()->entity == "principal", name);
  };
  return scope;
}

Outcome Evaluator::IsIn(const Question& question, bool principal, const std::string& name) const {
  if (name.substr(0, 5) == "role:") return {std::nullopt, true, false, "a role is no entity"};
  const Truth truth = principal                              ? LiesIn(name, question)
                      : question.resource_in.count(name) > 0 ? Truth::kTrue
                      : question.resource_complete           ? Truth::kFalse
                                                             : Truth::kUnknown;
  if (truth == Truth::kUnknown) return {std::nullopt, true, false, "not all groups are known"};
  return {RefValue{truth == Truth::kTrue}, false, false, {}};
}

// Sentences 11 and 5.
Truth Evaluator::LiesIn(const std::string& name, const Question& question) const {
  if (question.principal_in.count(name) > 0) return Truth::kTrue;
  // A group that is not listed may be the named one, or lie in it.
  const bool is_group = name.substr(0, 6) == "group:";
  const bool holds_groups = reachable_from_groups_.count(name) > 0;
  const bool all_known = question.request.principal->groups_complete;
  if (!question.principal_complete) return Truth::kUnknown;  // 24
  return !all_known && (is_group || holds_groups) ? Truth::kUnknown : Truth::kFalse;
}

Truth Evaluator::MatchesPrincipal(const Pattern& pattern, Question* question) const {
  const Principal& principal = *question->request.principal;
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:  // 13
      return Truth::kTrue;
    case Pattern::Kind::kAuthenticated:  // 13
      return Certain(principal.id.type != "anonymous" && principal.assurance != Assurance::kNone);
    case Pattern::Kind::kLiteral:
      return LiesIn(pattern.text(), *question);
    case Pattern::Kind::kGlob:  // 12
      return Certain(GlobMatches(pattern.text(), question->principal));
    case Pattern::Kind::kRegex:  // 14
      return Certain(RegexMatches(pattern.text(), question->principal));
    case Pattern::Kind::kRole:
      return HasRole(pattern.text(), question);
  }
  return Truth::kUnknown;
}

// Sentences 15 and 17.
Truth Evaluator::HasRole(const std::string& name, Question* question) const {
  if (const auto known = question->roles.find(name); known != question->roles.end()) {
    return known->second;
  }
  Truth truth = Truth::kFalse;
  for (const World::Role& role : world_.roles) {
    if (role.name != name) continue;
    for (const Pattern& member : role.members) {
      truth = Or(truth, MatchesPrincipal(member, question));
    }
    ClauseOutcomeList outcomes;
    truth = And(truth, AskAll(role.when, false, question, &outcomes));
  }
  question->roles[name] = truth;
  return truth;
}

// Sentence 17.
ClauseOutcome Evaluator::Ask(const Condition& clause, Question* question) const {
  Outcome outcome;
  if (clause.text.find("principal.roles") == std::string::npos) {
    outcome = Evaluate(clauses_.at(clause.text), question->scope);
  } else {  // 25
    Scope scope = question->scope;
    RefMap principal = *scope.variables["principal"].As<RefMap>();
    principal.entries.push_back({{std::string("roles")}, {RolesOf(question)}});
    scope.variables["principal"] = {std::move(principal)};
    outcome = Evaluate(clauses_.at(clause.text), scope);
  }
  question->limit |= outcome.limit;
  if (outcome.is_error) return ClauseOutcome::kUnknown;
  const bool* const value = outcome.value->As<bool>();
  if (value == nullptr) return ClauseOutcome::kUnknown;
  return *value ? ClauseOutcome::kTrue : ClauseOutcome::kFalse;
}

RefList Evaluator::RolesOf(Question* question) const {
  std::set<std::string> names;
  RefList list;
  for (const World::Role& role : world_.roles) {
    const Truth truth = HasRole(role.name, question);
    if (truth == Truth::kTrue) names.insert(role.name);
    if (truth == Truth::kUnknown) list.partial = true;
  }
  for (const std::string& name : names) list.elements.push_back({name});
  return list;
}

std::optional<std::string> Evaluator::ValueOf(const Condition& fact, Question* question) const {
  const Outcome outcome = Evaluate(clauses_.at("string(" + fact.text + ")"), question->scope);
  question->limit |= outcome.limit;
  if (outcome.is_error) return std::nullopt;
  const auto* const text = outcome.value->As<std::string>();
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::string Evaluator::Fill(const TextTemplate& text, bool printable, bool* known,
                            Question* question) const {
  std::string filled = text.text;
  for (auto fact = text.facts.rbegin(); fact != text.facts.rend(); ++fact) {
    std::optional<std::string> value = ValueOf(fact->expression, question);
    if (value.has_value() && printable) value = Printable(*value, 256);
    if (!value.has_value()) *known = false;
    filled.insert(fact->at, value.value_or("(unknown)"));
  }
  return filled;
}

// Sentences 26 to 28.
void Evaluator::MakeTexts(Question* question, Answer* answer) const {
  const std::map<std::string, RefValue> unbound = question->scope.variables;
  bool has_message = false, all_known = true;
  for (const NamedRule& named : answer->rules) {
    const Rule& rule = **std::find_if(rules_.begin(), rules_.end(),
                                      [&named](const Rule* r) { return r->id == named.id; });
    ClauseOutcomeList outcomes;
    bool no_way = false;
    Bindings bindings;
    AskRule(rule, false, question, &outcomes, &no_way, &bindings);
    for (const auto& [name, value] : bindings) question->scope.variables[name] = {value};
    bool known = true;
    if (!has_message && !rule.message.empty()) {
      answer->message = Fill(rule.message, true, &known, question);
      has_message = true;
    }
    for (const Obligation& obligation : rule.obligations) {
      known = true;
      std::string made = obligation.id;
      for (const auto& [name, text] : obligation.with) {
        made += made.back() == '"' ? "," : " {";
        std::string value = Fill(text, false, &known, question);
        if (value.size() > 4096) {
          known = false;
          value = "(unknown)";
        }
        made += "\"" + name + "\":\"" + value + "\"";
      }
      if (!obligation.with.empty()) made += "}";
      all_known = all_known && known;
      auto& all = answer->obligations;
      if (std::find(all.begin(), all.end(), made) == all.end()) all.push_back(made);
    }
    question->scope.variables = unbound;
  }
  if (answer->reason == Reason::kAllowRule && !all_known) {
    answer->reason = Reason::kDenyUnknown;
    answer->obligations.clear();
  }
}

Truth Evaluator::AskAll(const std::vector<Condition>& when, bool all, Question* question,
                        ClauseOutcomeList* outcomes) const {
  outcomes->assign(when.size(), ClauseOutcome::kNotEvaluated);
  Truth truth = Truth::kTrue;
  for (size_t i = 0; i < when.size(); ++i) {
    (*outcomes)[i] = Ask(when[i], question);
    truth = And(truth, (*outcomes)[i]);
    if (!all && (*outcomes)[i] == ClauseOutcome::kFalse) break;
  }
  return truth;
}

std::vector<Evaluator::Way> Evaluator::WaysOf(const Rule& rule, Question* question) const {
  std::vector<Way> principals, resources;
  Truth principal = Truth::kFalse;
  for (const Pattern& pattern : rule.principals) {
    if (!BindsNames(pattern)) principal = Or(principal, MatchesPrincipal(pattern, question));
  }
  if (principal != Truth::kFalse) principals.push_back({principal, {}});
  Truth resource = Truth::kFalse;
  for (const Pattern& pattern : rule.resources) {
    if (!BindsNames(pattern)) resource = Or(resource, MatchesResource(pattern, *question));
  }
  if (resource != Truth::kFalse) resources.push_back({resource, {}});
  for (const Pattern& pattern : rule.principals) {
    if (!BindsNames(pattern)) continue;
    if (auto bindings = Bind(pattern.text(), question->principal)) {
      principals.push_back({Truth::kTrue, *std::move(bindings)});
    }
  }
  for (const Pattern& pattern : rule.resources) {
    if (!BindsNames(pattern)) continue;
    if (auto bindings = Bind(pattern.text(), question->resource)) {
      resources.push_back({Truth::kTrue, *std::move(bindings)});
    }
  }
  std::vector<Way> ways;
  for (const Way& p : principals) {
    for (const Way& r : resources) {
      ways.push_back({And(p.truth, r.truth), p.bindings});
      ways.back().bindings.insert(r.bindings.begin(), r.bindings.end());
    }
  }
  return ways;
}

Truth Evaluator::AskRule(const Rule& rule, bool all, Question* question,
                         ClauseOutcomeList* outcomes, bool* no_way, Bindings* bindings) const {
  const std::vector<Way> ways = WaysOf(rule, question);
  *no_way = ways.empty();
  if (ways.empty()) {
    outcomes->assign(rule.when.size(), ClauseOutcome::kNotEvaluated);
    if (all) AskAll(rule.when, all, question, outcomes);
    return Truth::kFalse;
  }
  const std::map<std::string, RefValue> unbound = question->scope.variables;
  std::optional<Truth> nearest;
  for (const Way& way : ways) {
    for (const auto& [name, value] : way.bindings) question->scope.variables[name] = {value};
    ClauseOutcomeList of_way;
    const Truth truth = And(way.truth, AskAll(rule.when, all, question, &of_way));
    question->scope.variables = unbound;
    if (nearest.has_value() && truth <= *nearest) continue;
    nearest = truth;
    *outcomes = of_way;
    if (bindings != nullptr) *bindings = way.bindings;
  }
  return *nearest;
}

Answer Evaluator::Decide(const Request& request, absl::Time now, bool explain) const {
  Answer answer;
  if (IsMalformed(request)) {  // 10
    answer.reason = Reason::kBadRequest;
    return answer;
  }

  // 16
  const Principal& principal = *request.principal;
  Question question = {
      request, TextOf(principal.id), TextOf(request.resource), {}, {}, {}, true, true, {}};
  question.principal_in = {question.principal};
  for (const std::string& group : principal.groups) {
    question.principal_in.insert("group:" + group);
  }
  for (const EntityId& parent : principal.parents) question.principal_in.insert(TextOf(parent));
  if (const ProvidedEntity* provided = request.provided_principal) {  // 24
    for (const EntityId& parent : provided->parents) question.principal_in.insert(TextOf(parent));
    question.principal_complete = provided->complete;
  }
  question.principal_in = WithAncestors(question.principal_in);
  question.resource_in = {question.resource};
  for (const EntityId& parent : request.resource_parents) {
    question.resource_in.insert(TextOf(parent));
  }
  if (const ProvidedEntity* provided = request.provided_resource) {
    for (const EntityId& parent : provided->parents) question.resource_in.insert(TextOf(parent));
    question.resource_complete = provided->complete;
  }
  question.resource_in = WithAncestors(question.resource_in);
  question.scope = MakeScope(question, now);

  std::vector<NamedRule> allows, near_misses, denies;
  bool certainly_denied = false;
  for (const Rule* rule : rules_) {
    // 1
    RuleMatch match = {rule, Truth::kFalse, Truth::kFalse, Truth::kFalse, {}, false, Truth::kFalse};
    for (const Pattern& pattern : rule->principals) {
      match.principals = Or(match.principals, MatchesPrincipal(pattern, &question));
    }
    for (const Pattern& pattern : rule->actions) {
      match.actions = Or(match.actions, MatchesAction(pattern, request.action));
    }
    for (const Pattern& pattern : rule->resources) {
      match.resources = Or(match.resources, MatchesResource(pattern, question));
    }
    if (explain) {
      match.all =
          And(match.actions, AskRule(*rule, true, &question, &match.clauses, &match.no_way));
    }
    answer.matches.push_back(match);
    const Truth patterns = And(match.principals, And(match.actions, match.resources));
    if (patterns == Truth::kFalse) continue;
    NamedRule named = {rule->id, {}};
    bool no_way = false;
    const Truth truth =
        And(match.actions, AskRule(*rule, false, &question, &named.clauses, &no_way));

    // 3
    const bool matches = rule->effect == Effect::kDeny
                             ? truth == Truth::kTrue || truth == Truth::kUnknown
                             : truth == Truth::kTrue;
    if (rule->shadow) {  // 9
      if (matches) answer.shadow_rules.push_back(named);
    } else if (rule->effect == Effect::kDeny) {
      if (matches) denies.push_back(named);
      if (truth == Truth::kTrue) certainly_denied = true;
    } else {
      (matches ? allows : near_misses).push_back(named);
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
    if (near_misses.size() > 8) near_misses.resize(8);  // 23
    answer.near_misses = near_misses;
  }
  MakeTexts(&question, &answer);
  answer.limit = question.limit;
  return answer;
}

}  // namespace reeve::reference
