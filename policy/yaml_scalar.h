// From the source of a scalar to its text, and from a place in the text back to the source.
//
// These functions read scalars that YamlScanner has found to be well formed. `source` is a
// std::string, so a NUL byte stands behind its last character; it has no other, and each carriage
// return in it is followed by a line feed.
#ifndef REEVE_POLICY_YAML_SCALAR_H_
#define REEVE_POLICY_YAML_SCALAR_H_

#include <cstddef>
#include <string>

#include "reeve/policy/yaml_tree.h"

namespace reeve {

inline bool IsBlank(char c) { return c == ' ' || c == '\t'; }
inline bool IsBreak(char c) { return c == '\n' || c == '\r'; }
inline bool IsLineEnd(char c) { return IsBreak(c) || c == '\0'; }
// The length of the line break at `source[at]`.
inline size_t BreakLength(const std::string& source, size_t at) {
  return source[at] == '\r' ? 2 : 1;
}

// Each appends the text of the scalar that begins at `begin` to *out.
// A plain scalar ends before `end`.
void AppendPlainText(const std::string& source, size_t begin, size_t end, std::string* out);
// Single or double quotes.
void AppendQuotedText(const std::string& source, size_t begin, std::string* out);
// A literal or folded block whose lines are indented by `indent`. Returns where the line behind the
// block starts.
size_t AppendBlockText(const std::string& source, size_t begin, size_t indent, std::string* out);

// The indentation of the first line of the block at `begin` that is not empty, or `kNoIndent`.
constexpr size_t kNoIndent = static_cast<size_t>(-1);
size_t BlockIndent(const std::string& source, size_t begin);

// Reads the escape at source[at], a backslash. Returns its length and sets *code_point, or returns
// 0 if there is none such. Not for an escaped line break.
size_t ReadEscape(const std::string& source, size_t at, char32_t* code_point);

// True if a document marker, `---` or `...`, stands at source[at], the start of a line.
bool IsDocumentMarker(const std::string& source, size_t at);

// The offset in the source of byte `text_offset` of the scalar's text.
size_t SourceOffset(const YamlTree& tree, const YamlTreeNode& node, size_t text_offset);

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_SCALAR_H_
