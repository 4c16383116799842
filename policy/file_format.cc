#include "policy/file_format.h"

#include "reeve/engine/entity.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"
#include "reeve/policy/load_input.h"

namespace reeve {
namespace {

using Kind = ValueFormat::Kind;

constexpr ValueFormat Scalar(Kind kind) { return {kind}; }
constexpr ValueFormat Text(size_t most) { return {Kind::kText, most}; }
constexpr ValueFormat Words(absl::Span<const std::string_view> words) {
  return {Kind::kWord, 0, nullptr, words};
}
constexpr ValueFormat List(const ValueFormat* item, size_t most = LoadLimits().max_list) {
  return {Kind::kList, most, item};
}
constexpr ValueFormat Mapping(absl::Span<const KeyFormat> keys) {
  return {Kind::kMapping, 0, nullptr, {}, keys};
}
constexpr ValueFormat AnyOf(absl::Span<const ValueFormat* const> alternatives) {
  return {Kind::kAnyOf, 0, nullptr, {}, {}, alternatives};
}
// A mapping of names to items, each on a line of its own.
constexpr ValueFormat Named(const ValueFormat* item) {
  return {Kind::kNamed, 0, item, {}, {}, {}, true};
}
constexpr ValueFormat Block(ValueFormat format, bool apart = false) {
  format.block = true;
  format.apart = apart;
  return format;
}

constexpr ValueFormat kVersion = Scalar(Kind::kVersion);
constexpr ValueFormat kBool = Scalar(Kind::kBool);
constexpr ValueFormat kName = Scalar(Kind::kName);
constexpr ValueFormat kDescription = Text(kMaxDescriptionBytes);
constexpr ValueFormat kMessage = Text(kMaxMessageBytes);
constexpr ValueFormat kCondition = Scalar(Kind::kCondition);
constexpr ValueFormat kEntityId = Scalar(Kind::kEntityId);
constexpr ValueFormat kEntityIds = List(&kEntityId);
constexpr ValueFormat kValue = Scalar(Kind::kValue);
constexpr ValueFormat kAttributes = {Kind::kNamed, 0, &kValue};

constexpr KeyFormat kReeveKey = {"reeve", &kVersion, true, "The version of the format: 1."};
constexpr KeyFormat kDescriptionKey = {"description", &kDescription, false,
                                       "For readers of the file."};
constexpr ValueFormat kWarning = Scalar(Kind::kWarning);
constexpr ValueFormat kAccept = List(&kWarning, kMaxAccepts);
constexpr KeyFormat kAcceptKey = {"accept", &kAccept, false,
                                  "Names of warnings that are not to be given here."};

// --- policy files ---

constexpr ValueFormat kRegex = Text(kMaxIdBytes);
constexpr KeyFormat kRegexKeys[] = {
    {"re", &kRegex, true, "An RE2 expression that matches the whole `type:id`."},
};
constexpr ValueFormat kPrincipalText = Scalar(Kind::kPrincipal);
constexpr const ValueFormat* kPrincipalKinds[] = {&kPrincipalText, &kRegexFormat};
constexpr ValueFormat kPrincipal = AnyOf(kPrincipalKinds);
constexpr ValueFormat kPrincipals = List(&kPrincipal);
constexpr ValueFormat kResourceText = Scalar(Kind::kResource);
constexpr const ValueFormat* kResourceKinds[] = {&kResourceText, &kRegexFormat};
constexpr ValueFormat kResource = AnyOf(kResourceKinds);
constexpr ValueFormat kResources = List(&kResource);
constexpr ValueFormat kAction = Scalar(Kind::kAction);
constexpr ValueFormat kActions = List(&kAction);
constexpr ValueFormat kClauses = Block(List(&kCondition, kMaxClauses));
constexpr const ValueFormat* kWhenKinds[] = {&kCondition, &kClauses};
constexpr ValueFormat kWhen = AnyOf(kWhenKinds);

constexpr ValueFormat kParameters = {Kind::kNamed, kMaxParameters, &kMessage};
constexpr KeyFormat kObligationKeys[] = {
    {"id", &kName, true, "What the caller must do."},
    {"with", &kParameters, false, "What it needs for that: texts, which may have facts in braces."},
};
constexpr ValueFormat kObligations = List(&kObligationFormat, kMaxObligations);

constexpr std::string_view kEffects[] = {"allow", "deny"};
constexpr std::string_view kAuditLevels[] = {"recorded", "durable"};

constexpr KeyFormat kRuleKeys[] = {
    {"id", &kName, true, "Unique in the file."},
    {"description", &kDescription, false, "For readers of the file."},
    {"effect", &kEffectFormat, true, "What the rule does when it matches."},
    {"principals", &kPrincipals, true, "Who: patterns, roles, `anyone` or `authenticated`."},
    {"actions", &kActions, true, "What they do: actions, globs, action sets or `any`."},
    {"resources", &kResources, true, "To what: patterns or `any`."},
    {"when", &kWhen, false, "Conditions, all of which must be true."},
    {"message", &kMessage, false, "For the person who was refused; may have facts in braces."},
    {"obligations", &kObligations, false,
     "What the caller must do when it acts on an answer of this rule."},
    {"audit", &kAuditLevelFormat, false,
     "Raises what an answer of this rule waits for; never lowers it."},
    {"shadow", &kBool, false, "`true`: evaluated and recorded, and never decides."},
    kAcceptKey,
};
constexpr ValueFormat kRules = Block(List(&kRuleFormat, LoadLimits().max_rules), /*apart=*/true);

constexpr KeyFormat kRoleKeys[] = {
    {"principals", &kPrincipals, false, "Those whom the condition is asked of; anyone if absent."},
    {"when", &kWhen, true, "Conditions, all of which must be true."},
};
constexpr const ValueFormat* kRoleKinds[] = {&kPrincipals, &kRoleFormat};
constexpr ValueFormat kRole = AnyOf(kRoleKinds);
constexpr ValueFormat kRoles = Named(&kRole);
constexpr ValueFormat kLet = Named(&kCondition);
constexpr ValueFormat kActionSets = Named(&kActions);

constexpr KeyFormat kPolicyKeys[] = {
    kReeveKey,
    {"policy", &kName, true, "The name of the policy, unique in the set."},
    kDescriptionKey,
    kAcceptKey,
    {"roles", &kRoles, false, "Named sets of principals."},
    {"let", &kLet, false, "Names for expressions."},
    {"actions", &kActionSets, false, "Named sets of actions."},
    {"rules", &kRules, true, "What is allowed, and what is denied."},
};

// --- entities files ---

constexpr KeyFormat kEntityKeys[] = {
    {"id", &kEntityId, true, "`type:id`, unique in the set."},
    {"parents", &kEntityIds, false, "The entities that it lies in."},
    {"attributes", &kAttributes, false, "What conditions see of it."},
};
constexpr ValueFormat kEntities = Block(List(&kEntityFormat, LoadLimits().max_entities));
constexpr KeyFormat kEntitiesKeys[] = {
    kReeveKey,
    kDescriptionKey,
    kAcceptKey,
    {"entities", &kEntities, true, "What is known of entities before any request."},
};

// --- schema files ---

constexpr ValueFormat kType = Scalar(Kind::kType);
constexpr ValueFormat kFields = {Kind::kNamed, 0, &kType};
constexpr ValueFormat kTypeText = Text(kMaxNameBytes);
constexpr KeyFormat kTypeKey = {"type", &kTypeText, false,
                                "`string`, `list(int)` and so on, or `list` or `map` with `of`."};
constexpr KeyFormat kOfKey = {"of", &kType, false, "The type of the elements of a list or a map."};
constexpr KeyFormat kFieldsKey = {"fields", &kFields, false, "What a record has."};
constexpr KeyFormat kFieldKeys[] = {
    kTypeKey,        kOfKey, kFieldsKey, {"required", &kBool, false, "`false`: it may be missing."},
    kDescriptionKey,
};
constexpr KeyFormat kElementKeys[] = {kTypeKey, kOfKey, kFieldsKey, kDescriptionKey};
constexpr ValueFormat kTypeName = Scalar(Kind::kTypeName);
constexpr ValueFormat kTypeNames = List(&kTypeName);
constexpr KeyFormat kEntityTypeKeys[] = {
    kDescriptionKey,
    {"parents", &kTypeNames, false, "The types that one of these may lie in directly."},
    {"attributes", &kFields, false, "What conditions see of it."},
    {"open", &kBool, false, "`true`: there may be other attributes, of any type."},
};
constexpr KeyFormat kSchemaActionKeys[] = {
    kDescriptionKey,
    {"principals", &kTypeNames, true, "The types of those whom it is for; `anyone` is every type."},
    {"resources", &kTypeNames, true, "The types that it applies to; `any` is every type."},
    {"context", &kFields, false, "The fields of the context that it alone has."},
};
constexpr ValueFormat kEntityTypes = Named(&kEntityTypeFormat);
constexpr ValueFormat kSchemaActions = Named(&kSchemaActionFormat);
constexpr KeyFormat kSchemaKeys[] = {
    kReeveKey,
    {"schema", &kName, true, "The name of the schema, unique in the set."},
    kDescriptionKey,
    {"entities", &kEntityTypes, false, "The types of entities."},
    {"actions", &kSchemaActions, false, "The actions."},
    {"context", &kFields, false, "The fields of every action's context."},
};

// --- tests files ---

constexpr ValueFormat kTime = Scalar(Kind::kTime);
constexpr ValueFormat kReference = Scalar(Kind::kReference);
constexpr ValueFormat kReferences = List(&kReference);
constexpr const ValueFormat* kOneOrMoreKinds[] = {&kReference, &kReferences};
constexpr ValueFormat kOneOrMore = AnyOf(kOneOrMoreKinds);
constexpr ValueFormat kContext = Scalar(Kind::kContext);
constexpr ValueFormat kContexts = List(&kContext);
constexpr const ValueFormat* kOneOrMoreContextKinds[] = {&kContext, &kContexts};
constexpr ValueFormat kOneOrMoreContexts = AnyOf(kOneOrMoreContextKinds);
constexpr ValueFormat kGroup = Text(kMaxIdBytes);
constexpr ValueFormat kGroups = List(&kGroup, kMaxGroups);
constexpr ValueFormat kParents = List(&kEntityId, kMaxParents);
constexpr ValueFormat kWord = Text(kMaxWordBytes);

constexpr std::string_view kAssurances[] = {"none", "asserted", "kernel_weak", "kernel", "crypto"};
constexpr std::string_view kDecisions[] = {"allow", "deny"};
constexpr std::string_view kReasons[] = {"allow_rule", "deny_rule",   "deny_unknown",
                                         "no_rule",    "bad_request", "limit"};

constexpr KeyFormat kPrincipalKeys[] = {
    {"id", &kEntityId, true, "The entity, `type:id`."},
    {"groups", &kGroups, false, "The ids of the groups that it is a member of."},
    {"groups_complete", &kBool, false, "`false`: there may be more groups than these."},
    {"parents", &kParents, false, "Other entities that it lies in."},
    {"attributes", &kAttributes, false, "What conditions see of it."},
    {"assurance", &kAssuranceFormat, false, "How it is known; `asserted` if absent."},
    {"via", &kWord, false, "By which mechanism it is known."},
    {"host", &kWord, false, "Where it is."},
    {"actor", &kEntityId, false, "The entity that acts for it."},
};
constexpr const ValueFormat* kTestPrincipalKinds[] = {&kEntityId, &kPrincipalFormat};
constexpr ValueFormat kTestPrincipal = AnyOf(kTestPrincipalKinds);
constexpr ValueFormat kTestPrincipals = Named(&kTestPrincipal);

constexpr KeyFormat kTestedResourceKeys[] = {
    {"id", &kEntityId, true, "The entity, `type:id`."},
    {"parents", &kParents, false, "The entities that it lies in."},
    {"attributes", &kAttributes, false, "What conditions see of it."},
};
constexpr const ValueFormat* kTestedResourceKinds[] = {&kEntityId, &kTestedResourceFormat};
constexpr ValueFormat kTestedResource = AnyOf(kTestedResourceKinds);
constexpr ValueFormat kTestedResources = Named(&kTestedResource);
constexpr ValueFormat kTestContexts = Named(&kAttributes);

constexpr ValueFormat kExpectedMessage = Text(kMaxExpectedMessageBytes);
constexpr ValueFormat kExpectedObligations = List(&kName, kMaxObligations);
constexpr KeyFormat kDecisionKey = {"decision", &kDecisionFormat, true, "The answer."};
constexpr KeyFormat kReasonKey = {"reason", &kReasonFormat, false, "Why it is that."};
constexpr KeyFormat kRulesKey = {"rules", &kOneOrMore, false,
                                 "All rules that determine the answer: `policy/rule`."};
constexpr KeyFormat kShadowRulesKey = {"shadow_rules", &kOneOrMore, false,
                                       "All shadow rules that match."};
constexpr KeyFormat kMessageKey = {"message", &kExpectedMessage, false, "Its message."};
constexpr KeyFormat kObligationsKey = {"obligations", &kExpectedObligations, false,
                                       "The names of all its obligations."};
constexpr KeyFormat kExpectationKeys[] = {kDecisionKey,    kReasonKey,  kRulesKey,
                                          kShadowRulesKey, kMessageKey, kObligationsKey};
constexpr KeyFormat kExpectedOfSomeKeys[] = {
    {"principals", &kOneOrMore, false, "Those of the case that it is about."},
    {"actions", &kOneOrMore, false, "Those of the case that it is about."},
    {"resources", &kOneOrMore, false, "Those of the case that it is about."},
    {"contexts", &kOneOrMoreContexts, false, "Those of the case that it is about."},
    kDecisionKey,
    kReasonKey,
    kRulesKey,
    kShadowRulesKey,
    kMessageKey,
    kObligationsKey,
};
constexpr ValueFormat kExpectedOfSome = Block(List(&kExpectedOfSomeFormat));
constexpr const ValueFormat* kExpectKinds[] = {&kExpectationFormat, &kExpectedOfSome};
constexpr ValueFormat kExpect = AnyOf(kExpectKinds);

constexpr ValueFormat kCaseName = Text(kMaxCaseNameBytes);
constexpr KeyFormat kCaseKeys[] = {
    {"name", &kCaseName, true, "Unique in the file."},
    kDescriptionKey,
    {"time", &kTime, false, "When its requests happen, unless their context says so."},
    {"principals", &kOneOrMore, true, "Who asks: names given above, or entities."},
    {"actions", &kOneOrMore, true, "What they want to do."},
    {"resources", &kOneOrMore, true, "To what: names given above, or entities."},
    {"contexts", &kOneOrMoreContexts, false, "Under which circumstances: names given above."},
    {"expect", &kExpect, true,
     "What all answers are to be, or a list of what some are to be and all others denials."},
};
constexpr ValueFormat kCases = Block(List(&kCaseFormat), /*apart=*/true);

constexpr KeyFormat kTestsKeys[] = {
    kReeveKey,
    {"tests", &kName, true, "The name of the tests, unique in the set."},
    kDescriptionKey,
    kAcceptKey,
    {"time", &kTime, false, "When it all happens, unless a case or a context says so."},
    {"principals", &kTestPrincipals, false, "Who asks."},
    {"resources", &kTestedResources, false, "What it is about."},
    {"contexts", &kTestContexts, false, "Facts of requests; `time` is when they happen."},
    {"cases", &kCases, true, "Requests, and what is expected of the answers."},
};

constexpr FileFormat kFileFormats[] = {
    {"policy", &kPolicyFormat},
    {"entities", &kEntitiesFormat},
    {"schema", &kSchemaFormat},
    {"tests", &kTestsFormat},
};

}  // namespace

constexpr ValueFormat kEffectFormat = Words(kEffects);
constexpr ValueFormat kAuditLevelFormat = Words(kAuditLevels);
constexpr ValueFormat kRegexFormat = Mapping(kRegexKeys);
constexpr ValueFormat kObligationFormat = Mapping(kObligationKeys);
constexpr ValueFormat kRoleFormat = Mapping(kRoleKeys);
constexpr ValueFormat kRuleFormat = Block(Mapping(kRuleKeys));
constexpr ValueFormat kPolicyFormat = Block(Mapping(kPolicyKeys));
constexpr ValueFormat kEntityFormat = Mapping(kEntityKeys);
constexpr ValueFormat kEntitiesFormat = Block(Mapping(kEntitiesKeys));
constexpr ValueFormat kFieldFormat = Mapping(kFieldKeys);
constexpr ValueFormat kElementFormat = Mapping(kElementKeys);
constexpr ValueFormat kEntityTypeFormat = Mapping(kEntityTypeKeys);
constexpr ValueFormat kSchemaActionFormat = Mapping(kSchemaActionKeys);
constexpr ValueFormat kSchemaFormat = Block(Mapping(kSchemaKeys));
constexpr ValueFormat kAssuranceFormat = Words(kAssurances);
constexpr ValueFormat kDecisionFormat = Words(kDecisions);
constexpr ValueFormat kReasonFormat = Words(kReasons);
constexpr ValueFormat kPrincipalFormat = Mapping(kPrincipalKeys);
constexpr ValueFormat kTestedResourceFormat = Mapping(kTestedResourceKeys);
constexpr ValueFormat kExpectationFormat = Mapping(kExpectationKeys);
constexpr ValueFormat kExpectedOfSomeFormat = Mapping(kExpectedOfSomeKeys);
constexpr ValueFormat kCaseFormat = Block(Mapping(kCaseKeys));
constexpr ValueFormat kTestsFormat = Block(Mapping(kTestsKeys));

absl::Span<const FileFormat> FileFormats() { return kFileFormats; }

const KeyFormat* FindKey(const ValueFormat& mapping, std::string_view name) {
  for (const KeyFormat& key : mapping.keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

}  // namespace reeve
