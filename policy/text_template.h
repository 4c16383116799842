// Takes a text with facts in it apart: `{principal.id} may not write {{this}}`.
#ifndef REEVE_POLICY_TEXT_TEMPLATE_H_
#define REEVE_POLICY_TEXT_TEMPLATE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/parser.h"

namespace reeve {

inline constexpr size_t kMaxFacts = 16;  // Of one text.

struct TextParts {
  struct Fact {
    size_t at;               // Where its value stands in `text`.
    cel::SourceRange place;  // Of the expression, in what was taken apart.
  };

  std::string text;  // What stands around the facts, each doubled brace once.
  std::vector<Fact> facts;
};

// A fact is an expression between braces, in which braces and strings are taken for what they are
// in the condition language. A brace that is meant is doubled. Nothing if there are errors.
std::optional<TextParts> ParseTextTemplate(std::string_view text, std::vector<cel::Defect>* errors);

}  // namespace reeve

#endif  // REEVE_POLICY_TEXT_TEMPLATE_H_
