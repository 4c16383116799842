#include "reeve/tests/differential/generate.h"

#include <algorithm>
#include <optional>

#include "absl/time/time.h"
#include "policy/conditions.h"
#include "reeve/tests/differential/generate_cel.h"
#include "reeve/tests/differential/generate_schema.h"

namespace reeve::differential {
namespace {

using reference::World;

constexpr std::string_view kPrincipalTypes[] = {"user", "user", "user", "host", "group"};
constexpr std::string_view kHolderTypes[] = {"group", "group", "team"};
constexpr std::string_view kResourceTypes[] = {"doc", "doc", "doc", "file", "folder"};
// With what means something in a glob, a regular expression, a path, or between type and id.
constexpr std::string_view kSegments[] = {
    "a", "b", "ab", "aa", "aab", "x", "a:b", "b:", ":a", "a.", "...", "{", "a*", "a}", "-", "é"};
constexpr std::string_view kActions[] = {"read",      "write",    "doc.read",
                                         "doc.write", "doc.read", "a/b"};
constexpr std::string_view kActionPatterns[] = {
    "read", "write", "doc.read", "doc.write", "doc.*", "*", "**", "*.read", "r*d", "{a}.{b}", "a/*",
};
constexpr std::string_view kAttributes[] = {
    "level", "level", "owner", "owner",  "tags",      "tags", "meta",  "since", "color", "type",
    "id",    "name",  "time",  "groups", "assurance", "via",  "roles", "team",  "team",  "teams"};
// Of rules and of roles. Those that do not compile are left out.
constexpr std::string_view kClauses[] = {
    "principal.level > 3",
    "principal.level <= resource.level",
    "principal.level == resource.level ? true : resource.level > 2",
    "principal.level / resource.level > 1",
    "principal.level in [1, 2u, 3.0]",
    "resource.level in [1u, 'a', 2]",
    "principal.level",
    "resource.owner == principal.id",
    "resource.owner == principal.name",
    "resource.owner != 'a' && resource.level > 1",
    "resource.owner != 'a' || resource.level > 1",
    "has(resource.owner) && resource.owner.startsWith('n')",
    "resource.owner.matches('^[an]')",
    "resource.owner.matches('^[an]') && resource.color.matches('n')",
    "!has(resource.color)",
    "has(resource.tags) && 'a' in resource.tags",
    "'a' in resource.tags",
    "resource.tags.exists(t, t in principal.groups)",
    "resource.tags.all(t, t != 'b')",
    "resource.tags.exists_one(t, t == 'a')",
    "resource.tags.exists(t, principal.tags.exists(u, t == u))",
    "resource.tags.map(t, t + 'x').size() > 1",
    "resource.tags[0] == 'a'",
    "principal.meta.a == 1",
    "principal.meta.?a.orValue(2) == 2",
    "resource.meta.a < context.level",
    "resource.meta.b.c == 1",
    "principal.type == 'user'",
    "principal['type'] == 'user'",
    "principal['level'] == 1",
    "'via' in principal",
    "'level' in resource && resource['level'] == 1",
    "principal.name + resource.name != 'nn'",
    "resource.type == 'doc' && resource.id.startsWith('/')",
    "resource.name == principal.name",
    "'n0' in principal.groups",
    "principal.groups.exists(g, g == 'n1')",
    "principal.groups.exists(g, true)",
    "principal.groups.all(g, g.startsWith('n'))",
    "principal.groups.size() > 0",
    "principal.groups == ['n0']",
    "principal.isIn('group:n0')",
    "principal.isIn('group:n1')",
    "principal.isIn('group:unheard')",
    "principal.isIn('team:n0')",
    "principal.isIn('user:n0')",
    "principal.isIn('team:unheard')",
    "principal.isIn(['group:n1', 'user:a'])",
    "!principal.isIn('group:a')",
    "principal.isIn('group:' + resource.owner)",
    "principal.isIn('rol' + resource.owner)",
    "principal.isIn(['group:a', 'role:r0'])",
    "principal.isIn(resource.tags)",
    "principal.isIn(resource.team)",
    "principal.isIn(resource.teams)",
    "principal.isIn(context.team) || principal.isIn(principal.team)",
    "!resource.isIn(principal.team)",
    "!resource.isIn(resource.teams)",
    "context.isIn(context.team)",
    "resource.isIn('folder:n0')",
    "resource.isIn('group:n0')",
    "resource.isIn('folder:unheard')",
    "resource.isIn(['folder:a', 'doc:b', 'team:n0'])",
    "resource.isIn(principal.type + ':' + principal.id)",
    "context.isIn('group:n0')",
    "principal.assurance in ['kernel', 'crypto']",
    "principal.assurance == 'none'",
    "has(principal.via)",
    "principal.via == 'unix'",
    "principal.host != 'h'",
    "has(principal.actor) || principal.level == 1",
    "principal.actor.startsWith('user:')",
    "principal.all(k, k != 'level')",
    "principal.exists(k, v, v == 'n0')",
    "resource.exists(k, v, v == 1)",
    "size(resource) > 4",
    "context.size() == 1",
    "context.time.getHours() < 12",
    "context.time.getDayOfWeek('Europe/Berlin') == 1",
    "context.time > timestamp('2026-01-01T00:00:00Z')",
    "context['time'] > timestamp('2026-01-01T00:00:00Z')",
    "resource.since < context.time",
    "context.time - resource.since > duration('24h')",
    "context.level == 1",
    "context.owner == principal.name",
    "!has(context.tags)",
    "has(context.time)",
    "action == 'read'",
    "action.startsWith('doc.')",
    "action in ['read', 'write', 1]",
    "true",
    "false",
    "dyn(1)",
    "1 / resource.level == 1",
    "1 / 0 == 1 || action == 'read'",
};
// $a and $b are names that the patterns of the rule bind.
constexpr std::string_view kBindingClauses[] = {
    "$a == principal.id",
    "$a == principal.name",
    "$a == resource.owner",
    "$a == $b",
    "$a.startsWith('n')",
    "$a.matches('^[an]')",
    "$a != 'a' && $b != 'b'",
    "$a == 'a' || resource.level > 1",
    "$a in principal.groups",
    "principal.isIn('group:' + $a)",
    "resource.tags.exists(t, t == $a)",
    "$a.size() == 2 ? $b != 'ab' : 1 / 0 == 1",
    "$a + $b == $a + 'b'",
    "has($a.b)",
};
constexpr std::string_view kRegexes[] = {
    "user:.*a", "user:[a-c]+[0-9]*", "doc:.*", "(doc|file):/a.*", "doc:/?(a|b)(/.*)?", ".*",
    ".*:.*b",
};

template <typename T, size_t n>
const T& Pick(Choices& choices, const T (&from)[n]) {
  return from[choices.Below(n)];
}

template <typename T>
const T& Pick(Choices& choices, const std::vector<T>& from) {
  return from[choices.Below(static_cast<uint32_t>(std::min<size_t>(from.size(), 65536)))];
}

// A segment of a path or a name: one of a few, or one of `names` numbered ones.
std::string MakeSegment(Choices& choices, const Size& size) {
  if (choices.Below(4) != 0) return std::string(Pick(choices, kSegments));
  return "n" + std::to_string(choices.Below(size.names));
}

EntityId MakeName(Choices& choices, const Size& size, std::string_view type) {
  if (choices.OneIn(2)) {
    // Few enough that they meet.
    return EntityId(std::string(type), "n" + std::to_string(choices.Below(size.names)));
  }
  return EntityId(std::string(type), MakeSegment(choices, size));
}

EntityId MakeResourceName(Choices& choices, const Size& size) {
  const std::string_view type = Pick(choices, kResourceTypes);
  if (choices.OneIn(3)) return MakeName(choices, size, type);
  std::string path;
  if (!choices.OneIn(4)) path = "/";
  for (uint32_t depth = choices.Below(4) + 1; depth > 0; --depth) {
    path += MakeSegment(choices, size);
    if (depth > 1) path += '/';
  }
  return EntityId(std::string(type), path);
}

EntityId MakePrincipalName(Choices& choices, const Size& size) {
  if (choices.OneIn(12)) return EntityId("anonymous", "anonymous");
  return MakeName(choices, size, Pick(choices, kPrincipalTypes));
}

std::string TextOf(const EntityId& id) { return id.type + ":" + id.id; }

// `text` with some of its runs turned to wildcards, and with the characters gone that a glob cannot
// have.
std::string MakeGlobText(Choices& choices, const std::string& text, char binding) {
  const size_t colon = text.find(':');
  std::string glob = text.substr(0, colon + 1);
  uint32_t wildcards = 0;
  bool touches = false;
  for (size_t i = colon + 1; i < text.size();) {
    if (!touches && wildcards < 4 && choices.OneIn(3)) {
      const uint32_t kind = choices.Below(3);
      glob += kind == 0   ? "*"
              : kind == 1 ? "**"
                          : std::string("{") + binding + char('0' + wildcards) + "}";
      ++wildcards;
      touches = true;
      i += choices.Below(3);
      continue;
    }
    const char c = text[i++];
    if (c == '*' || c == '{' || c == '}') continue;
    glob += c;
    touches = false;
  }
  if (!touches && choices.OneIn(4)) glob += "**";
  return glob;
}

const EntityId* PickEntity(Choices& choices, const World& world) {
  return world.entities.empty() ? nullptr : &Pick(choices, world.entities).id;
}

// A name that it binds begins with `binding`.
Pattern MakeLiteralOrGlob(Choices& choices, const EntityId& name, char binding) {
  const std::string text = TextOf(name);
  if (choices.OneIn(3)) {
    const auto glob = Pattern::Entity(MakeGlobText(choices, text, binding));
    if (glob.ok()) return *glob;
  }
  const auto literal = Pattern::Entity(text);
  return literal.ok() ? *literal : *Pattern::Entity(name.type + ":n0");  // it has a `*` or a brace
}

Pattern MakeRegex(Choices& choices) { return *Pattern::Regex(Pick(choices, kRegexes)); }

Pattern MakePrincipalPattern(Choices& choices, const World& world, const Size& size, bool role) {
  switch (choices.Below(12)) {
    case 0:
      return choices.OneIn(3) ? Pattern::Any() : Pattern::Authenticated();
    case 1:
      return MakeRegex(choices);
    case 2:
    case 3:
      if (role && !world.roles.empty()) return Pattern::Role(Pick(choices, world.roles).name);
      break;
    case 4:
    case 5:
    case 6:
      if (const EntityId* known = PickEntity(choices, world)) {
        return MakeLiteralOrGlob(choices, *known, 'p');
      }
      break;
    case 7:
    case 8:
      return MakeLiteralOrGlob(choices, MakeName(choices, size, Pick(choices, kHolderTypes)), 'p');
    default:
      break;
  }
  return MakeLiteralOrGlob(choices, MakePrincipalName(choices, size), 'p');
}

Pattern MakeActionPattern(Choices& choices) {
  return choices.OneIn(5) ? Pattern::Any() : *Pattern::Action(Pick(choices, kActionPatterns));
}

Pattern MakeResourcePattern(Choices& choices, const World& world, const Size& size) {
  switch (choices.Below(10)) {
    case 0:
      return Pattern::Any();
    case 1:
      return MakeRegex(choices);
    case 2:
    case 3:
      if (const EntityId* known = PickEntity(choices, world)) {
        return MakeLiteralOrGlob(choices, *known, 'r');
      }
      break;
    default:
      break;
  }
  return MakeLiteralOrGlob(choices, MakeResourceName(choices, size), 'r');
}

Value MakeScalar(Choices& choices, const Size& size) {
  switch (choices.Below(10)) {
    case 0:
      return Value();
    case 1:
      return Value::Bool(choices.OneIn(2));
    case 2:
      return Value::Uint(choices.Below(5));
    case 3:
      return Value::Double(choices.Below(8) / 2.0);
    case 4:
    case 5:
    case 6:
      return Value::Int(static_cast<int64_t>(choices.Below(6)) - 1);
    default:
      return Value::String(MakeSegment(choices, size));
  }
}

// `type:id`, mostly of an entity that there may be.
std::string MakeEntityName(Choices& choices, const Size& size) {
  constexpr std::string_view kTypes[] = {"group", "team", "user", "folder", "doc", "role", ""};
  return absl::StrCat(std::string(Pick(choices, kTypes)), ":", MakeSegment(choices, size));
}

Value MakeValue(Choices& choices, const Size& size, std::string_view name) {
  if (choices.OneIn(6)) return MakeScalar(choices, size);  // maybe not what conditions expect
  if (name == "level") return Value::Int(choices.Below(6));
  if (name == "tags" || name == "groups") {
    Value::List tags;
    for (uint32_t n = choices.Below(4); n > 0; --n) {
      tags.push_back(choices.OneIn(6) ? MakeScalar(choices, size)
                                      : Value::String(MakeSegment(choices, size)));
    }
    return Value::Of(std::move(tags));
  }
  if (name == "team") return Value::String(MakeEntityName(choices, size));
  if (name == "teams") {
    Value::List teams;
    for (uint32_t n = choices.Below(4); n > 0; --n) {
      teams.push_back(Value::String(MakeEntityName(choices, size)));
    }
    return Value::Of(std::move(teams));
  }
  if (name == "meta") {
    Attributes meta;
    for (const char* key : {"a", "b"}) {
      if (choices.OneIn(2)) meta.Set(key, MakeScalar(choices, size));
    }
    return Value::Of(std::move(meta));
  }
  if (name == "since" || name == "time") {
    return Value::Timestamp(absl::FromUnixSeconds(int64_t{choices.Below(4)} * 600000000));
  }
  return Value::String(MakeSegment(choices, size));
}

void AddAttributes(Choices& choices, const Size& size, Attributes* attributes) {
  for (uint32_t n = choices.Below(4); n > 0; --n) {
    const std::string_view name = Pick(choices, kAttributes);
    attributes->Set(std::string(name), MakeValue(choices, size, name));
  }
}

// A random expression, with its variables bound to what conditions have.
std::string MakeRandomClause(Choices& choices) {
  constexpr std::string_view kFacts[] = {
      "principal.level",
      "resource.level",
      "resource.owner",
      "resource.tags",
      "principal.meta",
      "context.time",
      "context.level",
      "principal.groups",
      "action",
      "1",
      "'a'",
      "[1, 2]",
      "true",
  };
  std::string text = MakeExpression(choices, CelSize{3, 20, true});
  for (const CelVariable& variable : CelVariables()) {
    const std::string name = variable.name;
    if (name == "principal" || text.find(name) == std::string::npos) continue;
    text = "cel.bind(" + name + ", dyn(" + std::string(Pick(choices, kFacts)) + "), " + text + ")";
  }
  return text;
}

std::string ReplaceAll(std::string text, std::string_view from, const std::string& to) {
  for (size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  return text;
}

// `roles` if they may read those of the principal.
std::vector<Condition> MakeClauses(Choices& choices, const std::vector<std::string>& names,
                                   bool roles, Conditions* conditions) {
  constexpr std::string_view kRoleClauses[] = {
      "'r0' in principal.roles",
      "!('r1' in principal.roles)",
      "principal.roles == ['r0', 'r2']",
      "principal.roles.size() > 1",
      "has(principal.roles)",
      "principal.roles.exists(r, r == resource.owner || r == 'r2')",
  };
  std::vector<Condition> when;
  for (uint32_t n = choices.Below(4); n > 0; --n) {
    std::string text(Pick(choices, kClauses));
    if (!names.empty() && !choices.OneIn(3)) {
      text = ReplaceAll(std::string(Pick(choices, kBindingClauses)), "$a", Pick(choices, names));
      text = ReplaceAll(text, "$b", Pick(choices, names));
    } else if (choices.OneIn(12)) {
      text = MakeRandomClause(choices);
    } else if (roles && choices.OneIn(6)) {
      text = Pick(choices, kRoleClauses);
    }
    std::vector<std::string> used;
    ConditionDefects defects;
    std::optional<Condition> clause = conditions->Compile(text, names, &used, &defects);
    if (clause.has_value()) when.push_back(*std::move(clause));
  }
  return when;
}

std::vector<std::string> NamesBoundBy(const Rule& rule) {
  std::vector<std::string> names;
  for (const auto* patterns : {&rule.principals, &rule.resources}) {
    for (const Pattern& pattern : *patterns) {
      if (pattern.kind() != Pattern::Kind::kGlob) continue;
      for (const std::string_view name : pattern.glob().binding_names()) names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// A few entities in a long chain, the rest in earlier ones.
void AddEntities(Choices& choices, const Size& size, World* world) {
  const bool chain = choices.OneIn(4);
  for (uint32_t i = 0; i < size.entities; ++i) {
    Entity entity;
    switch (choices.Below(3)) {
      case 0:
        entity.id = MakePrincipalName(choices, size);
        break;
      case 1:
        entity.id = MakeName(choices, size, Pick(choices, kHolderTypes));
        break;
      default:
        entity.id = MakeResourceName(choices, size);
        break;
    }
    bool known = false;
    for (const Entity& other : world->entities) {
      known |= EntityView(other.id) == EntityView(entity.id);
    }
    if (known) continue;
    if (!world->entities.empty()) {
      if (chain) entity.parents.push_back(world->entities.back().id);
      for (uint32_t n = choices.Below(3); n > 0; --n) {
        // Only those before it, so that there is no cycle.
        entity.parents.push_back(Pick(choices, world->entities).id);
      }
    }
    if (choices.OneIn(2)) AddAttributes(choices, size, &entity.attributes);
    world->entities.push_back(std::move(entity));
  }
}

// What it does not find in `names` is one more name.
void AddId(Choices& choices, const World& world, const Size& size, std::vector<EntityId>* ids) {
  const EntityId* known = choices.OneIn(2) ? PickEntity(choices, world) : nullptr;
  ids->push_back(known != nullptr ? *known : MakeName(choices, size, Pick(choices, kHolderTypes)));
}

// What a pattern could match: its wildcards filled in.
std::string FillIn(Choices& choices, const Size& size, const std::string& glob) {
  std::string text;
  for (size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '{') {
      i = glob.find('}', i);
      text += MakeSegment(choices, size);
    } else if (glob.compare(i, 2, "**") == 0) {
      ++i;
      text += choices.OneIn(2) ? MakeSegment(choices, size)
                               : MakeSegment(choices, size) + "/" + MakeSegment(choices, size);
    } else if (glob[i] == '*') {
      text += choices.OneIn(3) ? "" : MakeSegment(choices, size);
    } else {
      text += glob[i];
    }
  }
  return text;
}

// Takes a name from a pattern of entities.
bool FillIn(Choices& choices, const Size& size, const std::vector<Pattern>& patterns,
            EntityId* id) {
  const Pattern& pattern = Pick(choices, patterns);
  if (pattern.kind() != Pattern::Kind::kLiteral && pattern.kind() != Pattern::Kind::kGlob) {
    return false;
  }
  const std::string text = FillIn(choices, size, pattern.text());
  const size_t colon = text.find(':');
  *id = EntityId(text.substr(0, colon), text.substr(colon + 1));
  return true;
}

Value Nested(int depth) {
  Value value;
  for (int i = 0; i < depth; ++i) value = Value::Of(Value::List{value});
  return value;
}

void Spoil(Choices& choices, OwnedRequest* request) {
  constexpr std::string_view kBadIds[] = {
      "",
      ".",
      "..",
      "/a/../b",
      "/a/./b",
      "a/..",
      "/a//b",
      "/a/",
      "//",
      "a\x01",
      "a\nb",
      "\x7f",
      "a\xc2\x85",
      "\xff",
      "\xc0\xaf",
      "\xed\xa0\x80",
      "\xe2\x80\xae",
      "\xef\xbb\xbf",
      "/..",
      "../a",
      "\xe2\x80",
      "\xf4\x90\x80\x80",
      "a//b",
      "...",
      "/",
      "/a/..b",
      "\xe2\x81\xa6",
      "\xd8\x9c",
  };
  constexpr std::string_view kBadTypes[] = {"",     "role",  "1a", "us er", "user:", "ünder",
                                            "disk", "u\x01", "-a", "Role",  "_",     "a.b-c"};
  const std::string bad_id(Pick(choices, kBadIds));
  const std::string bad_type(Pick(choices, kBadTypes));
  switch (choices.Below(18)) {
    case 0:
      request->principal.id.id = bad_id;
      break;
    case 1:
      request->principal.id.type = bad_type;
      break;
    case 2:
      request->principal.groups.push_back(bad_id);
      break;
    case 3:
      request->principal.parents.emplace_back("team", bad_id);
      break;
    case 4:
      request->principal.parents.emplace_back(bad_type, "a");
      break;
    case 5:
      request->action = bad_id;
      break;
    case 6:
    case 7:
    case 8:
      request->resource.id = bad_id;
      break;
    case 9:
      request->resource.type = bad_type;
      break;
    case 10:
      request->resource_parents.emplace_back("folder", bad_id);
      break;
    case 11:
      request->resource_parents.emplace_back(bad_type, "a");
      break;
    case 12:
      request->action = std::string(255 + choices.Below(3), 'a');
      break;
    case 13:
      request->resource.id = std::string(4095 + choices.Below(3), 'a');
      break;
    case 14:
      request->principal.id.type = std::string(63 + choices.Below(3), 'a');
      break;
    case 15:
      request->context.Set(bad_id, Value::String(bad_id));
      break;
    case 16:
      request->resource_attributes.Set("deep", Nested(static_cast<int>(choices.Below(20))));
      break;
    default:
      request->defect = "told so";
      break;
  }
}

}  // namespace

// A text with up to two facts.
TextTemplate MakeText(Choices& choices, const std::vector<std::string>& names,
                      Conditions* conditions) {
  constexpr std::string_view kFacts[] = {
      "principal.id",   "principal.level", "resource.owner",         "resource.name",
      "principal.host", "context.time",    "resource.level / 2",     "action + resource.color",
      "1 / 0",          "principal.tags",  "context.owner + '\x01'", "principal.meta.a"};
  TextTemplate text;
  for (uint32_t n = choices.Below(3); n > 0; --n) {
    text.text += choices.OneIn(2) ? "a " : "";
    const std::string fact = !names.empty() && choices.OneIn(2)
                                 ? Pick(choices, names)
                                 : std::string(Pick(choices, kFacts));
    std::vector<std::string> used;
    ConditionDefects defects;
    std::optional<Condition> compiled = conditions->CompileFact(fact, names, &used, &defects);
    if (compiled.has_value()) text.facts.push_back({text.text.size(), *std::move(compiled)});
  }
  if (text.empty() || choices.OneIn(2)) text.text += " b";
  return text;
}

void AddTexts(Choices& choices, const std::vector<std::string>& names, Conditions* conditions,
              Rule* rule) {
  if (choices.OneIn(2)) rule->message = MakeText(choices, names, conditions);
  for (uint32_t n = choices.Below(3); n > 0; --n) {
    Obligation obligation = {choices.OneIn(2) ? "stamp" : "page"};
    if (choices.OneIn(2)) obligation.with.emplace_back("to", MakeText(choices, names, conditions));
    if (choices.OneIn(3)) obligation.with.emplace_back("by", "mail");
    rule->obligations.push_back(std::move(obligation));
  }
}

World MakeWorld(Choices& choices, const Size& size) {
  World world;
  Conditions conditions("p");
  AddEntities(choices, size, &world);
  for (uint32_t i = 0; i < size.roles; ++i) {
    World::Role role;
    role.name = "r" + std::to_string(i);
    for (uint32_t n = choices.Below(4); n > 0; --n) {
      // Of the roles before it, so that there is no cycle.
      role.members.push_back(MakePrincipalPattern(choices, world, size, choices.OneIn(2)));
    }
    if (choices.OneIn(3)) role.when = MakeClauses(choices, {}, false, &conditions);
    world.roles.push_back(std::move(role));
  }
  // Numbers in another order than that of ids.
  const uint32_t offset = choices.Below(65536);
  for (uint32_t i = 0; i < size.rules; ++i) {
    Rule rule;
    rule.id = "p" + std::to_string((offset + i * 40503u) % 131072);
    rule.effect = choices.OneIn(3) ? Effect::kDeny : Effect::kAllow;
    rule.shadow = choices.OneIn(8);
    const auto how_many = [&choices] { return choices.OneIn(3) ? choices.Below(3) + 1 : 1; };
    for (uint32_t n = how_many(); n > 0; --n) {
      rule.principals.push_back(MakePrincipalPattern(choices, world, size, true));
    }
    for (uint32_t n = how_many(); n > 0; --n) rule.actions.push_back(MakeActionPattern(choices));
    for (uint32_t n = how_many(); n > 0; --n) {
      rule.resources.push_back(MakeResourcePattern(choices, world, size));
    }
    const std::vector<std::string> names = NamesBoundBy(rule);
    if (choices.OneIn(2)) rule.when = MakeClauses(choices, names, true, &conditions);
    if (choices.OneIn(3)) AddTexts(choices, names, &conditions, &rule);
    world.rules.push_back(std::move(rule));
  }
  if (choices.OneIn(4)) {
    constexpr std::string_view kTypes[] = {"user",   "group", "team", "doc",
                                           "folder", "host",  "file", "anonymous"};
    constexpr std::string_view kDeclared[] = {"level", "owner", "tags", "meta", "since", "color"};
    world.schema = MakeSchema(choices, world, {kTypes, kActions, kDeclared});
  }
  return world;
}

Request OwnedRequest::View() const {
  Request request(principal, action, resource);
  request.resource_parents = resource_parents;
  request.resource_attributes = &resource_attributes;
  request.context = &context;
  request.time = time;
  request.defect = defect;
  for (const auto& [provided, view] : {std::pair(&provided_principal, &request.provided_principal),
                                       {&provided_resource, &request.provided_resource}}) {
    if (!provided->told) continue;
    provided->view.attributes = &provided->attributes;
    provided->view.parents = provided->parents;
    provided->view.complete = provided->complete;
    *view = &provided->view;
  }
  return request;
}

void MakeRequest(Choices& choices, const World& world, const Size& size, uint32_t malformed,
                 OwnedRequest* request) {
  const Rule* like = nullptr;  // one that the request may match
  if (!world.rules.empty() && !choices.OneIn(3)) like = &Pick(choices, world.rules);

  Principal& principal = request->principal;
  if (like == nullptr || !FillIn(choices, size, like->principals, &principal.id)) {
    const EntityId* known = choices.OneIn(2) ? PickEntity(choices, world) : nullptr;
    principal.id = known != nullptr ? *known : MakePrincipalName(choices, size);
  }
  for (uint32_t n = choices.Below(3); n > 0; --n) {
    principal.groups.push_back(MakeName(choices, size, "group").id);
  }
  principal.groups_complete = !choices.OneIn(4);
  if (choices.OneIn(4)) AddId(choices, world, size, &principal.parents);

  request->action = Pick(choices, kActions);
  if (like == nullptr || !FillIn(choices, size, like->resources, &request->resource)) {
    const EntityId* known = choices.OneIn(3) ? PickEntity(choices, world) : nullptr;
    request->resource = known != nullptr ? *known : MakeResourceName(choices, size);
  }
  if (choices.OneIn(4)) AddId(choices, world, size, &request->resource_parents);
  constexpr Assurance kAssurances[] = {Assurance::kNone, Assurance::kAsserted,
                                       Assurance::kKernelWeak, Assurance::kKernel,
                                       Assurance::kCrypto};
  if (choices.OneIn(2)) principal.assurance = Pick(choices, kAssurances);
  if (choices.OneIn(3)) principal.via = "unix";
  if (choices.OneIn(4)) principal.host = choices.OneIn(2) ? "h" : "web-1";
  if (choices.OneIn(4)) principal.actor = "user:n0";
  AddAttributes(choices, size, &principal.attributes);
  AddAttributes(choices, size, &request->resource_attributes);
  AddAttributes(choices, size, &request->context);
  if (choices.OneIn(3)) {
    // What conditions ask for in many ways.
    request->resource_attributes.Set(
        "owner", Value::String(std::string(choices.OneIn(2) ? principal.name() : "n0")));
  }
  for (OwnedRequest::Provided* provided :
       {&request->provided_principal, &request->provided_resource}) {
    provided->told = choices.OneIn(4);
    if (!provided->told) continue;
    provided->complete = !choices.OneIn(3);
    AddAttributes(choices, size, &provided->attributes);
    for (uint32_t n = choices.Below(3); n > 0; --n) {
      AddId(choices, world, size, &provided->parents);
    }
  }
  request->time = absl::FromUnixSeconds(int64_t{choices.Below(65536)} * 40000);
  if (world.schema.has_value() && !choices.OneIn(5)) FitToSchema(choices, *world.schema, request);
  if (choices.OneIn(malformed)) Spoil(choices, request);
}

}  // namespace reeve::differential
