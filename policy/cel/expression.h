// One expression alone, from its text to its value.
#ifndef REEVE_POLICY_CEL_EXPRESSION_H_
#define REEVE_POLICY_CEL_EXPRESSION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "policy/cel/parser.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/program.h"

namespace reeve::cel {

struct ExpressionOptions {
  ParseOptions parse;
  CheckOptions check;
};

// Immutable: any thread.
class Expression {
 public:
  // Nothing, and at least one defect, if `text` is no expression of `environment`.
  static std::optional<Expression> Compile(std::string_view text, const Environment& environment,
                                           const ExpressionOptions& options,
                                           std::vector<Defect>* defects);

  const CheckedExpr& checked() const { return checked_; }
  const Program& program() const { return *program_; }

  // What a machine needs for it.
  Machine::Room room() const;

  // Requires that the machine has begun with room(); the value is valid until it begins again.
  // Variables that `variables` does not have are errors.
  Cell Evaluate(const std::map<std::string, Cell, std::less<>>& variables, Machine* machine) const;

 private:
  Expression(CheckedExpr checked, std::shared_ptr<const Program> program);

  CheckedExpr checked_;
  std::shared_ptr<const Program> program_;
  std::vector<uint32_t> variables_;  // Each its own number.
  std::vector<Link::Path> paths_;    // Their members are the variables.
  std::vector<uint32_t> none_;       // Nothing is kept.
};

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_EXPRESSION_H_
