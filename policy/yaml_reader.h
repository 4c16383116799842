// Reads one YAML file, strictly.
//
// A policy must mean to Reeve what it means to the person who reviews it and to every other program
// that reads it. So the file is read twice: by a scanner of Reeve's own, which takes a small part
// of YAML 1.2 and gives exact places, and by yaml-cpp; if the two do not see the same tree and the
// same text, the file is refused. yaml_scanner.h says what the part leaves out; ReadYaml() what
// else.
#ifndef REEVE_POLICY_YAML_READER_H_
#define REEVE_POLICY_YAML_READER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"
#include "reeve/policy/yaml_limits.h"

namespace reeve {

// Reads `text`, the bytes of the file that the author calls `file`. On success returns the document
// and adds nothing to *issues; else returns nothing and adds at least one issue, in the order of
// their places. A fault of syntax ends the reading; all others are found in one go.
//
// Refused besides what yaml_scanner.h lists:
//   - bytes that are not UTF-8 (one byte order mark at the very start is skipped), carriage returns
//     without line feed, and control and hidden characters (unicode.h), also in comments, and also
//     written as escapes in double quotes
//   - a key given twice in one mapping, compared after unquoting; a null key; `<<`
//   - a second document, and anything but comments behind `...`
//   - what exceeds `limits`
//   - lines that git leaves in a file it could not merge
//
// Never throws but std::bad_alloc; does no I/O.
std::optional<YamlDocument> ReadYaml(std::string_view file, std::string text,
                                     const YamlLimits& limits, std::vector<Issue>* issues);

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_READER_H_
