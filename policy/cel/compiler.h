// Makes a checked expression into a program.
#ifndef REEVE_POLICY_CEL_COMPILER_H_
#define REEVE_POLICY_CEL_COMPILER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "reeve/engine/cel/program.h"

namespace reeve::cel {

// Expressions that have names: each may use others, but no cycle is left among them. They see the
// variables that have one value for a whole decision.
using NamedExprs = std::map<std::string, CheckedExpr, std::less<>>;

struct CompileOptions {
  // Stand for what variables of the environment mean. May be null. Not owned; outlives the call.
  const NamedExprs* named = nullptr;
  // Tells the `named` of one file from those of another.
  std::string scope;
  // Variables that may differ from one evaluation to the next within one decision. Not owned.
  const std::vector<std::string>* changing = nullptr;
};

inline constexpr size_t kMaxInstructions = 100'000;

// Returns null, having added to `defects`, if a constant is none that its function takes (a regular
// expression, a time zone) or the program would become too large. `warnings` may be null; there
// goes what can never have a value, such as `duration("x")`.
std::shared_ptr<const Program> Compile(const CheckedExpr& expr, const CompileOptions& options,
                                       std::vector<Defect>* defects, std::vector<Defect>* warnings);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_COMPILER_H_
