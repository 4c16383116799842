#include "policy/cel/expression.h"

#include <numeric>
#include <utility>

#include "policy/cel/compiler.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

class Bindings final : public Variables {
 public:
  Bindings(const Program& program, const std::map<std::string, Cell, std::less<>>& variables)
      : program_(program), variables_(variables) {}

  Cell Get(uint32_t number, Context&) const override {
    const std::string_view name = program_.variable(number);
    const auto found = variables_.find(name);
    if (found == variables_.end()) return Cell::Error(ErrorCode::kNoSuchVariable, name);
    return found->second;
  }

  Cell GetMember(uint32_t number, std::string_view name, Context& context) const override {
    const Cell variable = Get(number, context);
    return variable.is_error() ? variable : Select(variable, name, context);
  }

 private:
  const Program& program_;
  const std::map<std::string, Cell, std::less<>>& variables_;
};

}  // namespace

Expression::Expression(CheckedExpr checked, std::shared_ptr<const Program> program)
    : checked_(std::move(checked)),
      program_(std::move(program)),
      variables_(program_->variable_count()),
      none_(program_->shared().size(), Link::kNone) {
  std::iota(variables_.begin(), variables_.end(), 0);
  for (const Path& path : program_->paths()) {
    paths_.emplace_back(program_->names(path), path.variable, Link::kNone);
  }
}

std::optional<Expression> Expression::Compile(std::string_view text, const Environment& environment,
                                              const ExpressionOptions& options,
                                              std::vector<Defect>* defects) {
  std::optional<Ast> ast = Parse(text, options.parse, defects);
  if (!ast.has_value()) return std::nullopt;
  std::optional<CheckedExpr> checked = Check(*std::move(ast), environment, options.check, defects);
  if (!checked.has_value()) return std::nullopt;
  std::shared_ptr<const Program> program =
      cel::Compile(*checked, CompileOptions(), defects, nullptr);
  if (program == nullptr) return std::nullopt;
  return Expression(*std::move(checked), std::move(program));
}

Machine::Room Expression::room() const {
  Machine::Room room;
  room.Add(*program_);
  return room;
}

Cell Expression::Evaluate(const std::map<std::string, Cell, std::less<>>& variables,
                          Machine* machine) const {
  return machine->Run(Link(*program_, variables_, paths_, none_), Bindings(*program_, variables));
}

}  // namespace reeve::cel
