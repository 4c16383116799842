// An expression as a tree. Internal to the condition language.
#ifndef REEVE_POLICY_CEL_AST_H_
#define REEVE_POLICY_CEL_AST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace reeve::cel {

// The number of a node in its Ast. A node's children have smaller numbers than the node, except
// those that a macro put in the place of others.
using ExprId = uint32_t;
inline constexpr ExprId kNoExpr = UINT32_MAX;

// A run of bytes of the source.
struct SourceRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct NullLiteral {};
struct BytesLiteral {
  std::string bytes;
};
using Literal =
    std::variant<NullLiteral, bool, int64_t, uint64_t, double, std::string, BytesLiteral>;

enum class ExprKind : uint8_t {
  kLiteral,        // literal
  kIdent,          // name; with a leading dot if it was written with one: `.a`
  kSelect,         // operand.name; `operand.?name` if optional; `has(operand.name)` if test_only
  kCall,           // name(args), or operand.name(args); operators have names as below
  kList,           // args; optional_args
  kMap,            // args: key, value, key, value…; optional_args, one for each entry
  kComprehension,  // as the comprehension of cel-spec; see Comprehension
};

// Operators are calls without an operand, of these names: `_+_` `_-_` `_*_` `_/_` `_%_` `_==_`
// `_!=_` `_<_` `_<=_` `_>_` `_>=_` `@in` `_&&_` `_||_` (two or more arguments: `a && b && c` is one
// call) `!_` `-_` `_?_:_` `_[_]` `_[?_]`.
//
// Macros make two calls of their own: `@not_strictly_false(x)`, which is false if x is false and
// true if x is true or an error, and `@append(list, x)`, which is `list + [x]`; `@put(map, key,
// value)` adds an entry, a key that is there already being an error. They are applied to
// accumulators only.
//
// `Msg{field: value}` is a call `@message("Msg", "field", value, …)`: the name as it was written,
// then pairs; optional_args, one for each pair.
namespace op {
inline constexpr std::string_view kAnd = "_&&_", kOr = "_||_", kNot = "!_", kNegate = "-_";
inline constexpr std::string_view kAdd = "_+_", kSubtract = "_-_", kMultiply = "_*_",
                                  kDivide = "_/_", kModulo = "_%_";
inline constexpr std::string_view kEqual = "_==_", kNotEqual = "_!=_", kLess = "_<_",
                                  kLessOrEqual = "_<=_", kGreater = "_>_", kGreaterOrEqual = "_>=_";
inline constexpr std::string_view kIn = "@in", kConditional = "_?_:_", kIndex = "_[_]",
                                  kOptionalIndex = "_[?_]";
inline constexpr std::string_view kNotStrictlyFalse = "@not_strictly_false", kAppend = "@append",
                                  kPut = "@put", kMessage = "@message",
                                  kSortByKeys = "@sortByAssociatedKeys";
}  // namespace op

// `range` is walked; each element (key, or index and element, or key and value) is bound to
// `variable` (and `variable2` if it is not empty). The accumulator begins as `init`; as long as
// `condition` is not false it becomes `step` for each element; the value is `result`. `condition`,
// `step` and `result` see the accumulator, and the first two the variables.
//
// A binding (cel.bind, optMap) is one with an empty list as range, no variable, and kNoExpr as
// condition and step: `result` with the name `accumulator` for the value of `init`.
struct Comprehension {
  ExprId range = kNoExpr;
  std::string variable;
  std::string variable2;
  std::string accumulator;
  ExprId init = kNoExpr;
  ExprId condition = kNoExpr;
  ExprId step = kNoExpr;
  ExprId result = kNoExpr;
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  bool optional = false;   // kSelect
  bool test_only = false;  // kSelect
  // Where an error of this node is shown: a name, a literal, an operator, the name of a call, the
  // dot of a selection, an opening bracket. Nodes that a macro made are where the macro's name
  // stands.
  SourceRange place;
  ExprId operand = kNoExpr;  // kSelect; kCall: what stands before the dot, or kNoExpr
  Literal literal;           // kLiteral
  std::string name;          // kIdent, kSelect, kCall
  std::vector<ExprId> args;  // kCall, kList, kMap
  // kList, kMap, `@message`: which were written with `?`; empty if none was.
  std::vector<bool> optional_args;
  // kComprehension, else null. Apart, as few nodes have one.
  std::shared_ptr<const Comprehension> comprehension;
};

// A whole expression. A value type.
struct Ast {
  std::vector<Expr> nodes;
  ExprId root = kNoExpr;

  const Expr& operator[](ExprId id) const { return nodes[id]; }
  ExprId Add(Expr expr) {
    nodes.push_back(std::move(expr));
    return static_cast<ExprId>(nodes.size() - 1);
  }
};

// What is wrong with an expression, and where.
struct Defect {
  SourceRange place;
  std::string message;
};

// How deep nodes may lie in each other. It bounds every walk over a tree. Chains of `&&` and `||`
// are one level; each binary operator of a chain such as `a + b + c` is one.
inline constexpr int kMaxExprDepth = 200;
inline constexpr size_t kMaxExprNodes = 20000;  // macros expanded
inline constexpr size_t kMaxExprBytes = 64 * 1024;

// As a fully parenthesised expression, one line: `_&&_(a, _==_(b.c, 1u))`. Two trees of the same
// meaning print the same, wherever they stood. Comprehensions print as
// `@fold(range, variable, accumulator, init, condition, step, result)`, or with `variable,
// variable2`; bindings as `@bind(accumulator, init, result)`.
std::string ToString(const Ast& ast);
std::string ToString(const Ast& ast, ExprId id);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_AST_H_
