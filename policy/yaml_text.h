// Text as a YAML scalar.
#ifndef REEVE_POLICY_YAML_TEXT_H_
#define REEVE_POLICY_YAML_TEXT_H_

#include <string>
#include <string_view>

#include "reeve/policy/yaml_document.h"

namespace reeve {

// Whether YAML 1.1 or 1.2 reads a plain scalar as something else than a string.
bool LooksLikeNumber(std::string_view text);
bool LooksLikeBool(std::string_view text);

// Whether the scalar is text, and neither a number nor a boolean nor null.
bool IsText(YamlNode scalar);

// `text`, of which there is some or none, on one line: without quotes where every reader of YAML
// takes it for the same text then, else in those that need fewer escapes. `in_flow` is whether it
// stands in brackets.
std::string YamlText(std::string_view text, bool in_flow);

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_TEXT_H_
