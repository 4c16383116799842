// Keeps a tree within its limits while it grows. Internal to the parser.
#ifndef REEVE_POLICY_CEL_TREE_BUILDER_H_
#define REEVE_POLICY_CEL_TREE_BUILDER_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "policy/cel/ast.h"

namespace reeve::cel {

// Calls `visit` with the id of each child of `expr`, in the order of the source.
template <typename Visit>
void ForEachChild(const Expr& expr, Visit visit) {
  if (expr.operand != kNoExpr) visit(expr.operand);
  for (const ExprId arg : expr.args) visit(arg);
  if (expr.comprehension == nullptr) return;
  const Comprehension& fold = *expr.comprehension;
  for (const ExprId part : {fold.range, fold.init, fold.condition, fold.step, fold.result}) {
    if (part != kNoExpr) visit(part);
  }
}

// Adds to an Ast. The first node that would break kMaxExprNodes or kMaxExprDepth is a defect, and
// from there on full() is true and nothing is added.
class TreeBuilder {
 public:
  // With room for `size` nodes to begin with.
  TreeBuilder(Ast* ast, size_t size, std::vector<Defect>* defects)
      : ast_(ast), defects_(defects), heights_(ast->nodes.size()) {
    ast->nodes.reserve(std::min(size, kMaxExprNodes));
    heights_.reserve(std::min(size, kMaxExprNodes));
  }

  // The new node's id; kNoExpr if full(). The children are in the tree.
  ExprId Add(Expr&& expr) {
    const SourceRange place = expr.place;
    if (!full_ && ast_->nodes.size() >= kMaxExprNodes) {
      Full(place, "the expression has more than " + std::to_string(kMaxExprNodes) + " parts");
    }
    if (full_) return kNoExpr;
    const auto id = static_cast<ExprId>(ast_->nodes.size());
    ast_->nodes.push_back(std::move(expr));
    heights_.push_back(0);
    Measure(id);
    return full_ ? kNoExpr : id;
  }

  // Puts `expr` in the place of a node.
  void Replace(ExprId id, Expr&& expr) {
    if (full_) return;
    ast_->nodes[id] = std::move(expr);
    Measure(id);
  }

  // Learns how high a node is that was there before the builder, its children being known.
  void Measure(ExprId id) {
    int height = 0;
    ForEachChild((*ast_)[id], [&](ExprId child) { height = std::max(height, heights_[child]); });
    heights_[id] = height + 1;
    if (height >= kMaxExprDepth) TooDeep((*ast_)[id].place);
  }

  void TooDeep(SourceRange place) {
    Full(place, "the expression is nested more than " + std::to_string(kMaxExprDepth) + " deep");
  }

  bool full() const { return full_; }
  Ast& ast() const { return *ast_; }

 private:
  void Full(SourceRange place, std::string message) {
    if (!full_) defects_->push_back({place, std::move(message)});
    full_ = true;
  }

  Ast* const ast_;
  std::vector<Defect>* const defects_;
  std::vector<int> heights_;  // by ExprId
  bool full_ = false;
};

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_TREE_BUILDER_H_
