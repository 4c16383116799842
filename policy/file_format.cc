#include "policy/file_format.h"

#include "reeve/engine/entity.h"
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

constexpr FileFormat kFileFormats[] = {
    {"policy", &kPolicyFormat},
    {"entities", &kEntitiesFormat},
    {"schema", &kSchemaFormat},
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

absl::Span<const FileFormat> FileFormats() { return kFileFormats; }

const KeyFormat* FindKey(const ValueFormat& mapping, std::string_view name) {
  for (const KeyFormat& key : mapping.keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

}  // namespace reeve
