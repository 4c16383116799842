// Whatever the bytes: Parse() returns, and says either what they mean or where they are wrong.
// Expanding macros after the parse is the same as in it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/parser.h"

namespace reeve::cel {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "property violated: %s\n", what);
  std::abort();
}

void CheckPlace(std::string_view source, SourceRange place) {
  Require(place.begin <= place.end && place.end <= source.size(), "places lie in the source");
}

void CheckDefects(std::string_view source, const std::vector<Defect>& defects) {
  for (const Defect& defect : defects) {
    CheckPlace(source, defect.place);
    Require(!defect.message.empty(), "a defect has a message");
    for (const char c : defect.message) {
      Require(static_cast<unsigned char>(c) >= 0x20, "a message is one line");
    }
  }
}

// The depth of the tree, every node of which has a place and is there once.
int Depth(const Ast& ast, ExprId id, std::string_view source, std::vector<bool>* seen) {
  Require(id < ast.nodes.size(), "children are in the tree");
  Require(!(*seen)[id], "no node has two parents");
  (*seen)[id] = true;
  const Expr& expr = ast[id];
  CheckPlace(source, expr.place);
  Require(expr.optional_args.empty() || expr.optional_args.size() <= expr.args.size(),
          "marks belong to arguments");
  std::vector<ExprId> children = expr.args;
  const Comprehension fold = expr.comprehension == nullptr ? Comprehension() : *expr.comprehension;
  for (const ExprId child :
       {expr.operand, fold.range, fold.init, fold.condition, fold.step, fold.result}) {
    if (child != kNoExpr) children.push_back(child);
  }
  int depth = 0;
  for (const ExprId child : children) {
    const int below = Depth(ast, child, source, seen);
    if (below > depth) depth = below;
  }
  Require(depth < kMaxExprDepth, "trees are not too deep");
  return depth + 1;
}

void CheckTree(std::string_view source, const Ast& ast) {
  Require(ast.nodes.size() <= kMaxExprNodes, "trees are not too large");
  std::vector<bool> seen(ast.nodes.size());
  Depth(ast, ast.root, source, &seen);
}

}  // namespace
}  // namespace reeve::cel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve::cel;  // NOLINT: the entry point is outside
  const std::string source(reinterpret_cast<const char*>(data), size);
  std::vector<Defect> defects, expanded_defects;
  std::optional<Ast> ast = Parse(source, {/*expand_macros=*/false}, &defects);
  const std::optional<Ast> expanded = Parse(source, {/*expand_macros=*/true}, &expanded_defects);
  CheckDefects(source, defects);
  CheckDefects(source, expanded_defects);
  Require(ast.has_value() == defects.empty(), "there is a tree exactly if there is no defect");
  Require(expanded.has_value() == expanded_defects.empty(), "so it is with macros");
  Require(ast.has_value() || !expanded.has_value(), "macros mend nothing");
  if (!ast.has_value()) return 0;

  CheckTree(source, *ast);
  for (ExprId id = 0; id < ast->nodes.size(); ++id) {
    for (const ExprId arg : (*ast)[id].args) Require(arg < id, "children come before");
  }
  std::vector<Defect> later;
  Require(ToString(*ast) == ToString(*Parse(source, {false}, &later)), "parsing is repeatable");
  Require(ExpandMacros(&*ast, &later) == expanded.has_value(), "expanding later finds the same");
  CheckDefects(source, later);
  if (!expanded.has_value()) return 0;
  CheckTree(source, *ast);
  Require(ToString(*ast) == ToString(*expanded), "expanding later is the same");
  return 0;
}
