#include "reeve/policy/issue.h"

#include "absl/strings/str_cat.h"

namespace reeve {

std::string ToString(const Issue& issue) {
  std::string place = issue.file;
  if (issue.position.line > 0) {
    absl::StrAppend(&place, ":", issue.position.line, ":", issue.position.column);
  }
  return absl::StrCat(place, issue.severity == Issue::Severity::kWarning ? ": warning: " : ": ",
                      issue.message);
}

}  // namespace reeve
