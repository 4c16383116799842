// Lays a file of a policy set out in the one canonical way.
#ifndef REEVE_POLICY_FORMAT_H_
#define REEVE_POLICY_FORMAT_H_

#include <optional>
#include <string>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"

namespace reeve {

// The most columns of a list or mapping on one line.
inline constexpr size_t kFormatColumns = 100;

// What formatting came to: a text, or at least one error.
struct FormatResult {
  std::optional<std::string> text;
  std::vector<Issue> issues;
};

// `file`, of any kind, laid out anew: doc/format.md says how. Comments are kept, what the file
// means does not change, and the text formats to itself. A file that is not valid by itself has
// errors and no text; so has one for which that promise could not be kept, which is checked by
// reading the text again.
FormatResult FormatFile(const SourceFile& file, const LoadLimits& limits = {});

}  // namespace reeve

#endif  // REEVE_POLICY_FORMAT_H_
