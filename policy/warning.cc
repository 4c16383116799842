#include "reeve/policy/warning.h"

#include <algorithm>

namespace reeve {

const std::vector<WarningInfo>& AllWarnings() {
  static const auto* const all = new std::vector<WarningInfo>{
      {Warning::kClauseAlwaysTrue, "clause-always-true", "a clause is true of every request"},
      {Warning::kClauseNeverTrue, "clause-never-true", "a clause is true of no request"},
      {Warning::kCoveredByAllow, "covered-by-allow",
       "an allow rule allows nothing that another one does not"},
      {Warning::kCoveredByDeny, "covered-by-deny",
       "an allow rule allows nothing, because a deny rule denies all of it"},
      {Warning::kDenyOnUnknown, "deny-on-unknown",
       "a deny rule reads an attribute that may be missing, and denies then"},
      {Warning::kDuplicateRule, "duplicate-rule", "two rules say the same"},
      {Warning::kGroupGlob, "group-glob",
       "a glob over groups matches a principal that is a group, not the members of groups"},
      {Warning::kImpossibleRule, "impossible-rule",
       "a rule can never match: none of its actions is, by the schema, for what it is about"},
      {Warning::kLiteralPattern, "literal-pattern",
       "a test asks about a name with a `*` in it, as if it were a pattern"},
      {Warning::kNarrowGlob, "narrow-glob",
       "a `*` that stands for a whole id matches none of the ids with a `/`"},
      {Warning::kNoSchema, "no-schema",
       "the set has no schema, so that nothing finds a misspelt attribute"},
      {Warning::kOpenAllow, "open-allow",
       "a rule allows anyone every action, or an action on every resource"},
      {Warning::kShadowRule, "shadow-rule", "a rule is still on trial, and decides nothing"},
      {Warning::kSuspectAction, "suspect-action",
       "an action is spelt nearly like an action set, or like a word for every action"},
      {Warning::kUnchecked, "unchecked", "the set is too large for one of the checks"},
      {Warning::kUnmatchedPattern, "unmatched-pattern",
       "a pattern matches none of the entities that the set declares of its type"},
      {Warning::kUnreadFile, "unread-file",
       "a file is not read, because its name ends nearly like that of a policy file"},
      {Warning::kUnusedActionSet, "unused-action-set", "an action set is not used by any rule"},
      {Warning::kUnusedFixture, "unused-fixture",
       "no case uses a principal, a resource or a context of its tests"},
      {Warning::kUnusedLet, "unused-let", "a name under `let` is not used by any condition"},
      {Warning::kUnusedRole, "unused-role", "a role is not used by any rule"},
      {Warning::kUselessAccept, "useless-accept", "an `accept` accepts nothing"},
      {Warning::kWideGlob, "wide-glob",
       "a glob also matches names that only begin like the one that is meant"},
  };
  return *all;
}

std::string_view NameOf(Warning warning) {
  for (const WarningInfo& info : AllWarnings()) {
    if (info.warning == warning) return info.name;
  }
  return {};
}

std::optional<Warning> WarningNamed(std::string_view name) {
  for (const WarningInfo& info : AllWarnings()) {
    if (info.name == name) return info.warning;
  }
  return std::nullopt;
}

}  // namespace reeve
