// The warnings, by their names.
#ifndef REEVE_POLICY_WARNING_H_
#define REEVE_POLICY_WARNING_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace reeve {

// What a warning warns of. A program that wants to keep one stores its name, not the number.
enum class Warning : uint8_t {
  kNone,  // An error.
  // What one file shows.
  kGroupGlob,
  kImpossibleRule,
  kLiteralPattern,
  kSuspectAction,
  kUnreadFile,
  kUnusedActionSet,
  kUnusedFixture,
  kUnusedLet,
  kUnusedRole,
  // What LintPolicy() looks for.
  kClauseAlwaysTrue,
  kClauseNeverTrue,
  kCoveredByAllow,
  kCoveredByDeny,
  kDenyOnUnknown,
  kDuplicateRule,
  kNarrowGlob,
  kNoSchema,
  kOpenAllow,
  kShadowRule,
  kUnchecked,
  kUnmatchedPattern,
  kUselessAccept,
  kWideGlob,
};

struct WarningInfo {
  Warning warning;
  // Under `accept`, behind a message, in JSON. Stable.
  std::string_view name;
  std::string_view summary;  // What is wrong, in one line.
};

// All but kNone, by name.
const std::vector<WarningInfo>& AllWarnings();

// The name of a warning that is not kNone.
std::string_view NameOf(Warning warning);
std::optional<Warning> WarningNamed(std::string_view name);

}  // namespace reeve

#endif  // REEVE_POLICY_WARNING_H_
