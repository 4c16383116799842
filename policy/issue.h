#ifndef REEVE_POLICY_ISSUE_H_
#define REEVE_POLICY_ISSUE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "reeve/policy/warning.h"

namespace reeve {

// A place in a text file. Lines and columns count from 1; a column is a Unicode code point, as
// editors count them. 0:0 stands for the file as a whole.
struct Position {
  int line = 0;
  int column = 0;
};

inline bool operator==(const Position& a, const Position& b) {
  return a.line == b.line && a.column == b.column;
}
inline bool operator!=(const Position& a, const Position& b) { return !(a == b); }

// One thing that is wrong, or risky, in a policy author's file. A value.
struct Issue {
  enum class Severity {
    kError,    // The policy set does not load.
    kWarning,  // It loads; the author should look.
    kNote,     // It loads; the author should know.
  };

  Severity severity = Severity::kError;
  std::string file;  // As the author named it, joined with the path below the directory.
  Position position;
  // One line, lower case, no full stop: what is wrong in the author's words, and what to do.
  // Control characters of the author's text are escaped, so that it is safe on a terminal.
  std::string message;
  // The line at `position`, without its end; empty if there is none to show.
  std::string line = {};
  int width = 1;  // How many columns of it from `position` on the issue is about; at least 1.
  Warning warning = Warning::kNone;  // Of a warning or a note, which.
};

// "documents.yaml:14:9: unknown key `principels`; did you mean `principals`?"; a warning says so
// before its message, and its name behind it in brackets; an issue of the file as a whole has no
// line and column.
std::string ToString(const Issue& issue);

// Two lines, each with its end: the line of the file, cut to what is near the place, and below it a
// caret, with tildes under the rest of the width. Empty if the issue has no line.
std::string Excerpt(const Issue& issue);

// By file and place. Those of one place stay in their order.
void SortIssues(std::vector<Issue>* issues);

// Shows each of the issues, which are of one file, the line of `text` that it is about.
void AddLines(std::string_view text, absl::Span<Issue> issues);

}  // namespace reeve

#endif  // REEVE_POLICY_ISSUE_H_
