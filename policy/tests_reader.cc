#include "policy/tests_reader.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "policy/document_reader.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rfc3339.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr size_t kMaxRequests = 1'000'000;  // Of all cases of a file.

// When no file says what time it is: always the same, so that a test does not depend on the day.
constexpr std::string_view kDefaultTime = "2000-01-01T00:00:00Z";

// In the order of the words of the tables.
constexpr Assurance kAssurances[] = {Assurance::kNone, Assurance::kAsserted, Assurance::kKernelWeak,
                                     Assurance::kKernel, Assurance::kCrypto};
constexpr Reason kReasons[] = {Reason::kAllowRule, Reason::kDenyRule,   Reason::kDenyUnknown,
                               Reason::kNoRule,    Reason::kBadRequest, Reason::kLimit};

std::string At(Position position) { return absl::StrCat(position.line, ":", position.column); }

}  // namespace

TestsDocument TestsReader::Read(YamlNode root) {
  suite_.file = file();
  time_ = *ParseRfc3339(kDefaultTime);
  const std::optional<Fields> fields = ReadFields(root, "the tests", kTestsFormat);
  CheckDescription(*fields);
  ReadAccept(*fields, std::nullopt, &accepted_);
  if (const auto node = Find(*fields, "tests")) {
    suite_.name_position = node->position();
    if (node->IsScalar()) {
      if (const auto name = ReadName(*node, "the name of the tests")) suite_.name = *name;
    } else {
      Report(node->position(), "`tests` is the name of the tests; list them under `cases`");
    }
  }
  if (const auto node = Find(*fields, "time")) time_ = ReadTime(*node).value_or(time_);
  ReadFixtures(*fields, "principals", &principals_, &TestsReader::ReadPrincipal);
  ReadFixtures(*fields, "resources", &resources_, &TestsReader::ReadResource);
  ReadFixtures(*fields, "contexts", &contexts_, &TestsReader::ReadContext);
  if (principals_.by_name.find("anonymous") == principals_.by_name.end()) {
    const auto index = static_cast<uint32_t>(suite_.principals.size());
    suite_.principals.push_back({"anonymous", Principal()});
    principals_.by_name["anonymous"] = {index, {}, /*used=*/true};
  }
  if (const auto node = Require(*fields, "cases", root, "the file")) ReadCases(*node);
  if (!HasErrors()) {
    for (const Fixtures* fixtures : {&principals_, &resources_, &contexts_}) {
      WarnOfUnused(*fixtures);
    }
  }
  return {std::move(suite_), std::move(accepted_)};
}

// --- What requests are made of ---

void TestsReader::ReadFixtures(const Fields& fields, std::string_view key, Fixtures* fixtures,
                               ReadFixture read) {
  const auto node = Find(fields, key);
  if (!node.has_value()) return;
  if (!node->IsMapping()) {
    return Report(node->position(), absl::StrCat("`", View(key),
                                                 "` is not a mapping; write a name "
                                                 "before each ",
                                                 fixtures->kind));
  }
  if (node->size() == 0) {
    return Report(node->position(), absl::StrCat("`", View(key), "` is empty; write a ",
                                                 fixtures->kind, " or remove the key"));
  }
  if (node->size() > limits().max_list) {
    return Report(node->position(),
                  absl::StrCat("`", View(key), "` has more than ", limits().max_list, " items"));
  }
  for (const auto [name, value] : node->members()) {
    const auto text = ReadName(name, absl::StrCat("the name of a ", fixtures->kind));
    if (!text.has_value()) continue;
    if (fixtures == &principals_ && *text == "anonymous") {
      Report(name.position(),
             "`anonymous` is the principal that could not be identified; use another name");
      continue;
    }
    size_t count = suite_.principals.size();
    if (fixtures == &resources_) count = suite_.resources.size();
    if (fixtures == &contexts_) count = suite_.contexts.size();
    fixtures->by_name[std::string(*text)] = {static_cast<uint32_t>(count), name.position()};
    if (value.IsNull()) {
      Report(name.position(), absl::StrCat(fixtures->kind, " `", View(*text), "` has no value"));
    }
    (this->*read)(*text, value);
  }
}

const Schema::EntityType* TestsReader::TypeOf(const EntityId& id) const {
  return schema() == nullptr ? nullptr : schema()->FindType(id.type);
}

void TestsReader::ReadPrincipal(std::string_view name, YamlNode node) {
  suite_.principals.push_back({std::string(name), Principal()});
  Principal& principal = suite_.principals.back().principal;
  if (node.IsNull()) return;
  const std::string what = absl::StrCat("principal `", View(name), "`");
  std::optional<Fields> fields;
  std::optional<YamlNode> id = node;
  if (!node.IsScalar()) {
    fields = ReadFields(node, what, kPrincipalFormat);
    if (!fields.has_value()) return;
    id = Require(*fields, "id", node, what);
  }
  if (id.has_value()) {
    if (std::optional<EntityId> read = ReadEntityId(*id)) principal.id = *std::move(read);
  }
  const bool anonymous = principal.id.type == Principal::kAnonymousType;
  principal.assurance = anonymous ? Assurance::kNone : Assurance::kAsserted;
  if (!fields.has_value()) return;
  if (const auto value = Find(*fields, "assurance")) {
    const auto word = ReadWord(*value, "assurance", kAssuranceFormat);
    if (word.has_value()) principal.assurance = kAssurances[*word];
  }
  if (const auto value = Find(*fields, "groups")) ReadGroups(*value, &principal);
  if (const auto value = Find(*fields, "groups_complete")) {
    principal.groups_complete = ReadBool(*value, "groups_complete").value_or(true);
  }
  const Schema::EntityType* const type = TypeOf(principal.id);
  principal.parents = ReadParents(*fields, type);
  if (principal.parents.size() > kMaxParents) {
    Report(node.position(), absl::StrCat(what, " has more than ", kMaxParents, " parents"));
  }
  if (const auto value = Find(*fields, "attributes")) {
    Declared declared = AttributesOf(type);
    declared.is_reserved = IsReservedForPrincipals;
    principal.attributes = ReadAttributes(*value, "`attributes`", declared);
  }
  if (const auto value = Find(*fields, "via")) {
    principal.via = ReadVisibleText(*value, "`via`").value_or("");
  }
  if (const auto value = Find(*fields, "host")) {
    principal.host = ReadVisibleText(*value, "`host`").value_or("");
  }
  if (const auto value = Find(*fields, "actor")) {
    if (const std::optional<EntityId> actor = ReadEntityId(*value)) {
      principal.actor = ToString(*actor);
    }
  }
}

std::optional<size_t> TestsReader::ReadWord(YamlNode node, std::string_view key,
                                            const ValueFormat& format) {
  const std::string_view text = node.IsScalar() ? node.text() : std::string_view();
  std::string list;
  for (size_t i = 0; i < format.words.size(); ++i) {
    if (format.words[i] == text) return i;
    const bool last = i + 1 == format.words.size();
    absl::StrAppend(&list, i == 0 ? "`" : last ? " or `" : ", `", View(format.words[i]), "`");
  }
  Report(node.position(), absl::StrCat("`", View(key), "` is ", Quoted(text), "; it is ", list,
                                       Suggest(text, {format.words.begin(), format.words.end()})));
  return std::nullopt;
}

void TestsReader::ReadGroups(YamlNode node, Principal* principal) {
  if (!CheckList(node, "groups", "; remove the key if there are none")) return;
  if (node.size() > kMaxGroups) {
    return Report(node.position(), absl::StrCat("`groups` has more than ", kMaxGroups, " items"));
  }
  for (const YamlNode item : node.items()) {
    const auto group = ReadVisibleText(item, "a group");
    if (!group.has_value()) continue;
    constexpr std::string_view kPrefix = "group:";
    if (group->substr(0, kPrefix.size()) == kPrefix) {
      Report(item.position(), absl::StrCat("groups are named by their ids; write `",
                                           View(group->substr(kPrefix.size())), "`"));
      continue;
    }
    if (const auto defect = DefectOf(EntityView{"group", *group}); !defect.empty()) {
      Report(item.position(), absl::StrCat("group ", Quoted(*group), ": ", View(defect)));
      continue;
    }
    principal->groups.push_back(std::string(*group));
  }
}

void TestsReader::ReadResource(std::string_view name, YamlNode node) {
  suite_.resources.push_back({std::string(name), {}});
  Entity& resource = suite_.resources.back().resource;
  if (node.IsNull()) return;
  const std::string what = absl::StrCat("resource `", View(name), "`");
  std::optional<Fields> fields;
  std::optional<YamlNode> id = node;
  if (!node.IsScalar()) {
    fields = ReadFields(node, what, kTestedResourceFormat);
    if (!fields.has_value()) return;
    id = Require(*fields, "id", node, what);
  }
  if (id.has_value()) {
    if (std::optional<EntityId> read = ReadEntityId(*id)) resource.id = *std::move(read);
  }
  if (!fields.has_value()) return;
  const Schema::EntityType* const type = TypeOf(resource.id);
  resource.parents = ReadParents(*fields, type);
  if (resource.parents.size() > kMaxParents) {
    Report(node.position(), absl::StrCat(what, " has more than ", kMaxParents, " parents"));
  }
  if (const auto value = Find(*fields, "attributes")) {
    resource.attributes = ReadAttributes(*value, "`attributes`", AttributesOf(type));
  }
}

void TestsReader::ReadContext(std::string_view name, YamlNode node) {
  suite_.contexts.push_back({std::string(name), {}, std::nullopt});
  TestSuite::NamedContext& context = suite_.contexts.back();
  if (node.IsNull()) return;
  // Which action it is for is not known yet, and a case may be about what does not fit.
  const std::vector<SchemaField> known =
      schema() == nullptr ? std::vector<SchemaField>() : schema()->ContextFields();
  Declared declared;
  declared.fields = &known;
  declared.open = true;
  const Attributes all = ReadAttributes(node, absl::StrCat("context `", View(name), "`"), declared);
  if (!node.IsMapping()) return;
  // The time is the request's, as in JSON.
  for (const auto [key, value] : node.members()) {
    if (key.text() == "time") context.time = ReadTime(value);
  }
  for (const auto& [key, value] : all) {
    if (key != "time") context.attributes.Set(key, value);
  }
}

std::optional<absl::Time> TestsReader::ReadTime(YamlNode node) {
  const std::string_view text = node.IsScalar() ? node.text() : std::string_view();
  const std::optional<absl::Time> time = ParseRfc3339(text);
  if (!time.has_value()) {
    Report(node.position(), absl::StrCat("`time` is ", Quoted(text),
                                         "; write it as in `2026-11-20T09:00:00Z` (RFC 3339)"));
  }
  return time;
}

void TestsReader::WarnOfUnused(const Fixtures& fixtures) {
  for (const auto& [name, fixture] : fixtures.by_name) {
    if (fixture.used) continue;
    Warn(fixture.position, Warning::kUnusedFixture,
         absl::StrCat(fixtures.kind, " `", name, "` is not used by any case"));
  }
}

// --- Cases ---

void TestsReader::ReadCases(YamlNode node) {
  if (!CheckList(node, "cases", "; write one or remove the file")) return;
  for (const YamlNode item : node.items()) ReadCase(item);
}

std::string TestsReader::ReadCaseName(const Fields& fields, YamlNode node) {
  const auto value = Require(fields, "name", node, "the case");
  if (!value.has_value()) return {};
  const auto name = ReadText(*value, "the name of the case", kMaxCaseNameBytes);
  if (!name.has_value()) return {};
  if (name->find_first_of("\n\t") != std::string_view::npos) {
    Report(value->position(), "the name of the case has several lines or tabs; write it in one");
    return {};
  }
  const auto [first, is_new] = case_names_.try_emplace(std::string(*name), value->position());
  if (!is_new) {
    Report(value->position(),
           absl::StrCat("case ", Quoted(*name), " is defined twice; first at ", At(first->second)));
  }
  return std::string(*name);
}

void TestsReader::ReadCase(YamlNode node) {
  std::string what = "the case";
  if (node.IsMapping()) {
    // So that messages can name it.
    for (const auto [key, value] : node.members()) {
      if (key.text() == "name" && value.IsScalar() && !value.IsNull()) {
        what = absl::StrCat("case ", Quoted(value.text()));
      }
    }
  }
  const std::optional<Fields> fields = ReadFields(node, what, kCaseFormat);
  if (!fields.has_value()) return;
  TestCase made;
  made.position = node.position();
  made.name = ReadCaseName(*fields, node);
  made.time = time_;
  CheckDescription(*fields);
  if (const auto time = Find(*fields, "time")) made.time = ReadTime(*time).value_or(time_);

  Axes axes;
  bool complete = true;
  const auto take = [&](const char* key, std::vector<Named>* axis) {
    if (!Require(*fields, key, node, what).has_value()) {
      complete = false;
      return;
    }
    auto names = ReadNames(*fields, key);
    complete &= names.has_value();
    if (names.has_value()) *axis = *std::move(names);
  };
  take("principals", &axes.principals);
  take("actions", &axes.actions);
  take("resources", &axes.resources);
  if (fields->Find("contexts") != nullptr) take("contexts", &axes.contexts);
  // All of them, so that all mistakes are reported.
  const bool known[] = {Resolve(what, &principals_, &axes.principals), CheckActions(&axes.actions),
                        Resolve(what, &resources_, &axes.resources),
                        Resolve(what, &contexts_, &axes.contexts)};
  for (const bool one : known) complete &= one;
  if (complete) MakeRequests(axes, node, &made);

  const auto expect = Require(*fields, "expect", node, what);
  if (expect.has_value() && expect->IsMapping()) {
    const auto expected = ReadFields(*expect, "the expectation", kExpectationFormat);
    auto expectation = ReadExpectation(*expected, *expect);
    if (expectation.has_value()) made.expectations.push_back(*std::move(expectation));
    for (TestRequest& request : made.requests) request.expectation = 0;
  } else if (expect.has_value() && expect->IsScalar()) {
    Report(expect->position(),
           "`expect` is neither a mapping nor a list; write `{decision: deny}`");
  } else if (expect.has_value() &&
             CheckList(*expect, "expect", "; write `{decision: deny}` if all is denied")) {
    for (const YamlNode item : expect->items()) ReadExpectItem(item, what, axes, &made);
  }
  suite_.cases.push_back(std::move(made));
}

std::optional<std::vector<TestsReader::Named>> TestsReader::ReadNames(const Fields& fields,
                                                                      std::string_view key) {
  const auto node = Find(fields, key);
  if (!node.has_value()) return std::nullopt;
  std::vector<Named> names;
  bool complete = true;
  const auto add = [&](YamlNode item) {
    const auto text = ReadVisibleText(item, absl::StrCat("a name under `", View(key), "`"));
    if (text.has_value()) names.push_back({*text, item.position(), 0});
    complete &= text.has_value();
  };
  if (node->IsScalar()) {
    add(*node);
  } else if (CheckList(*node, key, "; write at least one")) {
    for (const YamlNode item : node->items()) add(item);
    complete &= CheckOnce(names);
  } else {
    return std::nullopt;
  }
  if (!complete) return std::nullopt;
  return names;
}

bool TestsReader::CheckOnce(const std::vector<Named>& names) {
  absl::flat_hash_map<std::string, Position> seen;
  bool once = true;
  for (const Named& name : names) {
    const auto [first, is_new] = seen.try_emplace(std::string(name.text), name.position);
    if (is_new) continue;
    once = false;
    Report(name.position,
           absl::StrCat(Quoted(name.text), " is listed twice; first at ", At(first->second)));
  }
  return once;
}

void TestsReader::WarnOfWildcard(const Named& name, std::string_view kind) {
  if (name.text.find('*') == std::string_view::npos) return;
  Warn(name.position, Warning::kLiteralPattern,
       absl::StrCat(Quoted(name.text), " is taken literally: a request is about one ", View(kind),
                    ", not about a pattern"));
}

bool TestsReader::Resolve(const std::string& what, Fixtures* fixtures, std::vector<Named>* names) {
  bool complete = true;
  for (Named& name : *names) {
    const auto known = fixtures->by_name.find(name.text);
    if (known != fixtures->by_name.end()) {
      known->second.used = true;
      name.index = known->second.index;
      continue;
    }
    const bool is_entity = name.text.find(':') != std::string_view::npos && fixtures != &contexts_;
    if (!is_entity) {
      complete = false;
      std::vector<std::string_view> known_names;
      for (const auto& [text, fixture] : fixtures->by_name) known_names.push_back(text);
      std::string help = Suggest(name.text, known_names);
      if (help.empty()) {
        help = absl::StrCat("; define it under `", fixtures->kind, "s`",
                            fixtures == &contexts_ ? "" : ", or write an entity as `type:id`");
      }
      Report(name.position,
             absl::StrCat("unknown ", fixtures->kind, " ", Quoted(name.text), " in ", what, help));
      continue;
    }
    absl::StatusOr<EntityId> id = ParseEntityId(name.text);
    if (!id.ok()) {
      complete = false;
      Report(name.position, std::string(id.status().message()));
      continue;
    }
    WarnOfWildcard(name, fixtures->kind);
    if (fixtures == &principals_) {
      name.index = static_cast<uint32_t>(suite_.principals.size());
      const bool anonymous = id->type == Principal::kAnonymousType;
      const Assurance assurance = anonymous ? Assurance::kNone : Assurance::kAsserted;
      suite_.principals.push_back({std::string(name.text), Principal(*std::move(id), assurance)});
    } else {
      name.index = static_cast<uint32_t>(suite_.resources.size());
      suite_.resources.push_back({std::string(name.text), {*std::move(id), {}, {}}});
    }
    fixtures->by_name[std::string(name.text)] = {name.index, name.position, /*used=*/true};
  }
  return complete;
}

bool TestsReader::CheckActions(std::vector<Named>* names) {
  bool complete = true;
  for (Named& name : *names) {
    name.index = static_cast<uint32_t>(&name - names->data());
    if (const std::string_view defect = DefectOfAction(name.text); !defect.empty()) {
      complete = false;
      Report(name.position, std::string(defect));
    }
    WarnOfWildcard(name, "action");
  }
  return complete;
}

void TestsReader::MakeRequests(const Axes& axes, YamlNode node, TestCase* made) {
  size_t count = 1;
  for (const auto* axis : {&axes.principals, &axes.actions, &axes.resources, &axes.contexts}) {
    count *= std::max<size_t>(axis->size(), 1);
    if (requests_ + count > kMaxRequests) {
      return Report(node.position(), absl::StrCat("the cases of this file make more than ",
                                                  kMaxRequests, " requests"));
    }
  }
  requests_ += count;
  for (const Named& action : axes.actions) made->actions.emplace_back(action.text);
  made->requests.reserve(count);
  for (const Named& principal : axes.principals) {
    for (const Named& action : axes.actions) {
      for (const Named& resource : axes.resources) {
        TestRequest request = {principal.index, action.index, resource.index, TestRequest::kNone,
                               TestRequest::kNone};
        if (axes.contexts.empty()) made->requests.push_back(request);
        for (const Named& context : axes.contexts) {
          request.context = context.index;
          made->requests.push_back(request);
        }
      }
    }
  }
}

// --- Expectations ---

std::optional<TestExpectation> TestsReader::ReadExpectation(const Fields& fields, YamlNode node) {
  TestExpectation expectation;
  expectation.position = node.position();
  const auto decision = Require(fields, "decision", node, "the expectation");
  bool known = false;
  if (decision.has_value()) {
    const auto word = ReadWord(*decision, "decision", kDecisionFormat);
    known = word.has_value();
    expectation.allowed = known && kDecisionFormat.words[*word] == "allow";
  }
  if (const auto value = Find(fields, "reason")) {
    const auto word = ReadWord(*value, "reason", kReasonFormat);
    if (word.has_value()) expectation.reason = kReasons[*word];
  }
  expectation.rules = ReadExpectedNames(fields, "rules");
  expectation.shadow_rules = ReadExpectedNames(fields, "shadow_rules");
  if (const auto value = Find(fields, "message")) {
    if (const auto text = ReadText(*value, "`message`", kMaxExpectedMessageBytes)) {
      expectation.message = *text;
    }
  }
  const auto obligations = Find(fields, "obligations");
  if (obligations.has_value() &&
      CheckList(*obligations, "obligations", "; remove the key if there are none")) {
    if (obligations->size() > kMaxObligations) {
      Report(obligations->position(),
             absl::StrCat("`obligations` has more than ", kMaxObligations, " items"));
    }
    for (const YamlNode item : obligations->items()) {
      if (const auto name = ReadName(item, "an obligation")) {
        expectation.obligations.push_back({std::string(*name), item.position()});
      }
    }
  }
  if (!known) return std::nullopt;
  return expectation;
}

std::vector<TestExpectation::Name> TestsReader::ReadExpectedNames(const Fields& fields,
                                                                  std::string_view key) {
  std::vector<TestExpectation::Name> read;
  if (fields.Find(key) == nullptr) return read;
  const auto names = ReadNames(fields, key);
  if (!names.has_value()) return read;
  for (const Named& name : *names) read.push_back({std::string(name.text), name.position});
  return read;
}

std::optional<std::vector<size_t>> TestsReader::Select(const Fields& fields, std::string_view key,
                                                       const std::vector<Named>& axis,
                                                       Position owner, const std::string& what) {
  std::vector<size_t> selected;
  if (fields.Find(key) == nullptr) {
    for (const std::string_view misspelt : fields.misspelt) {
      if (misspelt == key) return std::nullopt;  // reported
    }
    if (axis.size() <= 1) return std::vector<size_t>{0};
    Report(owner, absl::StrCat("the expectation has no `", View(key), "`, and ", what, " has ",
                               axis.size(), "; list those that it is about"));
    return std::nullopt;
  }
  const auto names = ReadNames(fields, key);
  if (!names.has_value()) return std::nullopt;
  bool complete = true;
  for (const Named& name : *names) {
    const auto at = std::find_if(axis.begin(), axis.end(),
                                 [&name](const Named& one) { return one.text == name.text; });
    if (at != axis.end()) {
      selected.push_back(at - axis.begin());
      continue;
    }
    complete = false;
    std::vector<std::string_view> known;
    for (const Named& one : axis) known.push_back(one.text);
    Report(name.position, absl::StrCat(Quoted(name.text), " is not among the `", View(key), "` of ",
                                       what, Suggest(name.text, known)));
  }
  if (!complete) return std::nullopt;
  return selected;
}

void TestsReader::ReadExpectItem(YamlNode node, const std::string& what, const Axes& axes,
                                 TestCase* made) {
  const auto fields = ReadFields(node, "the expectation", kExpectedOfSomeFormat);
  if (!fields.has_value()) return;
  auto expectation = ReadExpectation(*fields, node);
  if (made->requests.empty()) return;  // reported
  const auto principals = Select(*fields, "principals", axes.principals, node.position(), what);
  const auto actions = Select(*fields, "actions", axes.actions, node.position(), what);
  const auto resources = Select(*fields, "resources", axes.resources, node.position(), what);
  const auto contexts = Select(*fields, "contexts", axes.contexts, node.position(), what);
  if (!expectation.has_value() || !principals.has_value() || !actions.has_value() ||
      !resources.has_value() || !contexts.has_value()) {
    return;
  }
  const auto number = static_cast<uint32_t>(made->expectations.size());
  made->expectations.push_back(*std::move(expectation));
  const size_t per_resource = std::max<size_t>(axes.contexts.size(), 1);
  const size_t per_action = axes.resources.size() * per_resource;
  const size_t per_principal = axes.actions.size() * per_action;
  bool twice = false;
  for (const size_t principal : *principals) {
    for (const size_t action : *actions) {
      for (const size_t resource : *resources) {
        for (const size_t context : *contexts) {
          uint32_t& expected = made->requests[principal * per_principal + action * per_action +
                                              resource * per_resource + context]
                                   .expectation;
          if (expected != TestRequest::kNone && !twice) {
            twice = true;  // reported once an item
            Report(node.position(), absl::StrCat("what ", Quoted(axes.principals[principal].text),
                                                 " ", Quoted(axes.actions[action].text), " ",
                                                 Quoted(axes.resources[resource].text),
                                                 " comes to is said twice; first at ",
                                                 At(made->expectations[expected].position)));
          }
          expected = number;
        }
      }
    }
  }
}

// --- What only the files together can show ---

namespace {

class RuleNames {
 public:
  explicit RuleNames(const std::vector<PolicyDocument>& policies) {
    for (const PolicyDocument& policy : policies) {
      for (const PolicyDocument::RuleDefinition& definition : policy.rules) {
        const std::string_view id = definition.rule.id;
        ids_.insert(id);
        const size_t slash = id.find('/');
        if (slash == std::string_view::npos) continue;
        const auto [first, is_new] = by_end_.try_emplace(id.substr(slash + 1), id);
        if (!is_new) first->second = {};  // not the only one
      }
    }
  }

  bool Has(std::string_view id) const { return ids_.contains(id); }

  std::string DidYouMean(std::string_view id) const {
    const auto whole = by_end_.find(id);
    if (whole != by_end_.end() && !whole->second.empty()) {
      return absl::StrCat("; did you mean `", View(whole->second), "`?");
    }
    constexpr size_t kMaxKnown = 1000;
    if (ids_.size() > kMaxKnown) return {};
    std::vector<std::string_view> known(ids_.begin(), ids_.end());
    std::sort(known.begin(), known.end());
    const std::string_view nearest = NearestWord(id, known);
    return nearest.empty() ? "" : reeve::DidYouMean(id, known);
  }

 private:
  absl::flat_hash_set<std::string_view> ids_;
  absl::flat_hash_map<std::string_view, std::string_view> by_end_;
};

// Empty, or why no decision meets the expectation.
std::string WhyNever(const TestExpectation& expectation) {
  if (!expectation.reason.has_value()) return {};
  const std::string_view reason = ToString(*expectation.reason);
  if (expectation.allowed != (*expectation.reason == Reason::kAllowRule)) {
    return absl::StrCat("the expectation has the decision `",
                        expectation.allowed ? "allow" : "deny", "` and the reason `", View(reason),
                        "`, which never go together");
  }
  const bool by_rules = *expectation.reason == Reason::kAllowRule ||
                        *expectation.reason == Reason::kDenyRule ||
                        *expectation.reason == Reason::kDenyUnknown;
  if (by_rules || expectation.rules.empty()) return {};
  return absl::StrCat("the expectation has rules, and the reason `", View(reason),
                      "`, which is of no rule; remove one of them");
}

}  // namespace

void CheckTests(const Documents& documents, std::vector<Issue>* issues) {
  if (documents.tests.empty()) return;
  const RuleNames rules(documents.policies);
  absl::flat_hash_map<std::string, const TestSuite*> names;
  for (const TestsDocument& document : documents.tests) {
    const TestSuite& suite = document.suite;
    size_t reported = 0;
    const auto report = [&](Position position, std::string message) {
      if (++reported > kMaxIssues) return;
      issues->push_back({Issue::Severity::kError, suite.file, position, std::move(message)});
    };
    const auto [first, is_new] = names.try_emplace(suite.name, &suite);
    if (!is_new && !suite.name.empty()) {
      report(suite.name_position,
             absl::StrCat("tests `", suite.name, "` are defined twice; first at ",
                          first->second->file, ":", At(first->second->name_position)));
    }
    for (const TestCase& one : suite.cases) {
      for (const TestExpectation& expectation : one.expectations) {
        if (const std::string never = WhyNever(expectation); !never.empty()) {
          report(expectation.position, never);
        }
        for (const auto* list : {&expectation.rules, &expectation.shadow_rules}) {
          for (const TestExpectation::Name& name : *list) {
            if (rules.Has(name.text)) continue;
            report(name.position, absl::StrCat("no policy has a rule ", Quoted(name.text),
                                               rules.DidYouMean(name.text)));
          }
        }
      }
    }
  }
}

}  // namespace reeve
