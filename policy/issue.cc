#include "reeve/policy/issue.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {

std::string ToString(const Issue& issue) {
  std::string place = issue.file;
  if (issue.position.line > 0) {
    absl::StrAppend(&place, ":", issue.position.line, ":", issue.position.column);
  }
  const char* const severity = issue.severity == Issue::Severity::kWarning ? ": warning: "
                               : issue.severity == Issue::Severity::kNote  ? ": note: "
                                                                           : ": ";
  const std::string name(NameOf(issue.warning));
  return absl::StrCat(place, severity, issue.message, name.empty() ? "" : " [", name,
                      name.empty() ? "" : "]");
}

void SortIssues(std::vector<Issue>* issues) {
  std::stable_sort(issues->begin(), issues->end(), [](const Issue& a, const Issue& b) {
    return std::tie(a.file, a.position.line, a.position.column) <
           std::tie(b.file, b.position.line, b.position.column);
  });
}

void AddLines(std::string_view text, absl::Span<Issue> issues) {
  // A line may be the whole file, and an issue shows a part of it only.
  constexpr size_t kMaxLine = 4096;
  std::vector<size_t> begins = {0};
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    begins.push_back(at + 1);
  }
  for (Issue& issue : issues) {
    const auto line = static_cast<size_t>(issue.position.line);
    if (line < 1 || line > begins.size()) continue;
    const std::string_view rest = text.substr(begins[line - 1]);
    const std::string_view whole = rest.substr(0, rest.find_first_of("\r\n"));
    if (whole.size() <= kMaxLine) issue.line = whole;
  }
}

std::string Excerpt(const Issue& issue) {
  if (issue.line.empty() || issue.position.column < 1) return {};
  // What is shown of a long line.
  constexpr int kColumns = 100;
  constexpr int kBefore = 60;
  const int place = issue.position.column - 1;  // from 0
  const int first = std::max(0, place - kBefore);
  std::string text;
  std::string mark;
  int column = 0;
  for (std::string_view rest = issue.line; !rest.empty() && column < first + kColumns; ++column) {
    char32_t ignored;
    const size_t bytes = std::max(DecodeUtf8(rest, &ignored), size_t{1});
    const std::string_view character = rest.substr(0, bytes);
    rest.remove_prefix(bytes);
    if (column < first) continue;
    const std::string shown = character == "\t" ? " " : Printable(character);
    const size_t width = shown == character ? 1 : shown.size();  // an escape is as wide as long
    text += shown;
    if (column == place) mark += '^';
    const bool meant = column >= place && column < place + issue.width;
    mark.append(column == place ? width - 1 : width, meant ? '~' : ' ');
  }
  if (column <= place) mark.append(place - column, ' ').append("^");
  mark.erase(mark.find_last_not_of(' ') + 1);
  return absl::StrCat("  ", text, "\n  ", mark, "\n");
}

}  // namespace reeve
