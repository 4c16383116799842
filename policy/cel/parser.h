#ifndef REEVE_POLICY_CEL_PARSER_H_
#define REEVE_POLICY_CEL_PARSER_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"

namespace reeve::cel {

struct ParseOptions {
  // Whether `has`, `all`, `exists` and the others become what they stand for; else they stay calls.
  bool expand_macros = true;
};

// Reads one expression of cel-spec's grammar with optional syntax (`a.?b`, `[?x]`, `{?k: v}`) and
// names in back-quotes. `source` is any bytes. Returns nothing, and at least one defect, if it is
// not one; several defects if they can be told apart.
//
// Takes time in proportion to the source and to what macros make of it; never more than
// kMaxExprNodes nodes, nor deeper than kMaxExprDepth.
std::optional<Ast> Parse(std::string_view source, const ParseOptions& options,
                         std::vector<Defect>* defects);

// The comments of `source`, each from its slashes to the end of its line.
std::vector<SourceRange> FindComments(std::string_view source);

// Puts what macros stand for in their place. Returns false, having added to `defects`, if one is
// misused: `has(a)`, `x.all(1, true)`.
bool ExpandMacros(Ast* ast, std::vector<Defect>* defects);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_PARSER_H_
