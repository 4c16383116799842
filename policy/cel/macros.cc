#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "policy/cel/parser.h"
#include "policy/cel/tree_builder.h"

namespace reeve::cel {
namespace {

// No name of a user's begins with `@`. Within a comprehension the result of one around it is of no
// use, nor is the input of another sortBy or optMap, so that one name for each is enough.
constexpr char kResult[] = "@result";
constexpr char kInput[] = "@input";

enum class FoldKind { kAll, kExists, kExistsOne, kFilter, kList, kMap, kMapEntry };

// `range.name(variables, [filter,] body)`
struct FoldMacro {
  std::string_view name;
  size_t variables;
  bool filtered;
  FoldKind kind;
};
constexpr FoldMacro kFolds[] = {
    {"all", 1, false, FoldKind::kAll},
    {"all", 2, false, FoldKind::kAll},
    {"exists", 1, false, FoldKind::kExists},
    {"exists", 2, false, FoldKind::kExists},
    {"exists_one", 1, false, FoldKind::kExistsOne},
    {"exists_one", 2, false, FoldKind::kExistsOne},
    {"existsOne", 1, false, FoldKind::kExistsOne},
    {"existsOne", 2, false, FoldKind::kExistsOne},
    {"filter", 1, false, FoldKind::kFilter},
    {"map", 1, false, FoldKind::kList},
    {"map", 1, true, FoldKind::kList},
    {"transformList", 2, false, FoldKind::kList},
    {"transformList", 2, true, FoldKind::kList},
    {"transformMap", 2, false, FoldKind::kMap},
    {"transformMap", 2, true, FoldKind::kMap},
    {"transformMapEntry", 2, false, FoldKind::kMapEntry},
    {"transformMapEntry", 2, true, FoldKind::kMapEntry},
};

// A name that can be bound: letters, digits and `_`, or what cel.iterVar() and cel.accuVar() made.
bool IsSimpleName(std::string_view name) {
  if (name.substr(0, 4) == "@it:" || name.substr(0, 4) == "@ac:") return true;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_') return false;
  }
  return true;
}

class Expander {
 public:
  Expander(Ast* ast, std::vector<Defect>* defects)
      : ast_(*ast), defects_(defects), builder_(ast, ast->nodes.size(), defects) {}

  // From the leaves to the root, as the arguments of a macro may be macros: `x.all(cel.iterVar(0,
  // 0), …)`. The depth of the recursion is that of the tree before it grows.
  void Expand(ExprId id) {
    // Nodes move when nodes are added.
    if (ast_[id].operand != kNoExpr) Expand(ast_[id].operand);
    for (size_t i = 0; i < ast_[id].args.size(); ++i) Expand(ast_[id].args[i]);
    if (builder_.full()) return;
    builder_.Measure(id);
    if (!MayBeMacro(ast_[id])) return;
    const Expr call = ast_[id];
    place_ = call.place;
    const size_t defects = defects_->size();
    Expr made;
    made.place = place_;
    if (ExpandCall(call, &made) && defects_->size() == defects) {
      builder_.Replace(id, std::move(made));
    }
  }

 private:
  static bool MayBeMacro(const Expr& expr) {
    return expr.kind == ExprKind::kCall && (expr.operand != kNoExpr || expr.name == "has");
  }

  // Whether `call` is a macro. If it is and has no defect, *made is what it stands for.
  bool ExpandCall(const Expr& call, Expr* made) {
    if (call.operand == kNoExpr) {
      return call.name == "has" && call.args.size() == 1 && Has(call, made);
    }
    for (const FoldMacro& macro : kFolds) {
      if (call.name == macro.name && call.args.size() == macro.variables + macro.filtered + 1) {
        return Fold(call, macro, made);
      }
    }
    if (call.args.size() == 2) {
      if (call.name == "sortBy") return SortBy(call, made);
      if (call.name == "optMap") return OptMap(call, /*flat=*/false, made);
      if (call.name == "optFlatMap") return OptMap(call, /*flat=*/true, made);
    }
    const Expr& operand = ast_[call.operand];
    if (operand.kind != ExprKind::kIdent || operand.name != "cel") return false;
    if (call.name == "bind" && call.args.size() == 3) return CelBind(call, made);
    if (call.name == "block" && call.args.size() == 2) return CelBlock(call, made);
    if (call.name == "index" && call.args.size() == 1) return CelName(call, "@index", made);
    if (call.name == "iterVar" && call.args.size() == 2) return CelName(call, "@it:", made);
    if (call.name == "accuVar" && call.args.size() == 2) return CelName(call, "@ac:", made);
    return false;
  }

  // has(a.b)
  bool Has(const Expr& call, Expr* made) {
    const Expr& field = ast_[call.args[0]];
    if (field.kind != ExprKind::kSelect || field.optional || field.test_only) {
      return Misused(call.args[0],
                     field.name == op::kIndex
                         ? "`has` asks for a field: `has(a.b)`; for a key write `key in a`"
                         : "`has` asks for a field: `has(a.b)`");
    }
    *made = field;
    made->place = place_;
    made->test_only = true;
    return true;
  }

  bool Fold(const Expr& call, const FoldMacro& macro, Expr* made) {
    Comprehension fold;
    fold.range = call.operand;
    fold.accumulator = kResult;
    if (!Variable(call.args[0], &fold.variable)) return true;
    if (macro.variables == 2) {
      if (!Variable(call.args[1], &fold.variable2)) return true;
      if (fold.variable == fold.variable2) {
        return Misused(call.args[1],
                       absl::StrCat("`", fold.variable, "` cannot name both variables"));
      }
    }
    const ExprId body = call.args.back();
    switch (macro.kind) {
      case FoldKind::kAll:
        fold.init = Constant(true);
        fold.condition = Call(op::kNotStrictlyFalse, {Result()});
        fold.step = Call(op::kAnd, {Result(), body});
        fold.result = Result();
        break;
      case FoldKind::kExists:
        fold.init = Constant(false);
        fold.condition = Call(op::kNotStrictlyFalse, {Call(op::kNot, {Result()})});
        fold.step = Call(op::kOr, {Result(), body});
        fold.result = Result();
        break;
      case FoldKind::kExistsOne:
        fold.init = Constant(int64_t{0});
        fold.step = If(body, Call(op::kAdd, {Result(), Constant(int64_t{1})}));
        fold.result = Call(op::kEqual, {Result(), Constant(int64_t{1})});
        break;
      case FoldKind::kFilter:
        fold.init = Empty(ExprKind::kList);
        fold.step = If(body, Call(op::kAppend, {Result(), Ident(fold.variable)}));
        fold.result = Result();
        break;
      case FoldKind::kList:
        fold.init = Empty(ExprKind::kList);
        fold.step = Call(op::kAppend, {Result(), body});
        fold.result = Result();
        break;
      case FoldKind::kMap:
        fold.init = Empty(ExprKind::kMap);
        fold.step = Call(op::kPut, {Result(), Ident(fold.variable), body});
        fold.result = Result();
        break;
      case FoldKind::kMapEntry: {
        const Expr entries = ast_[body];
        if (entries.kind != ExprKind::kMap || !entries.optional_args.empty()) {
          return Misused(body,
                         "the last argument of `transformMapEntry` is an entry: `{key: value}`");
        }
        fold.init = Empty(ExprKind::kMap);
        fold.step = Result();
        for (size_t i = 0; i < entries.args.size(); i += 2) {
          fold.step = Call(op::kPut, {fold.step, entries.args[i], entries.args[i + 1]});
        }
        fold.result = Result();
        break;
      }
    }
    if (macro.filtered) fold.step = If(call.args[macro.variables], fold.step);
    if (fold.condition == kNoExpr) fold.condition = Constant(true);
    return Make(std::move(fold), made);
  }

  // list.sortBy(e, key): the keys of all elements, then both lists sorted by the second.
  bool SortBy(const Expr& call, Expr* made) {
    Expr keys;
    keys.place = place_;
    Expr map_call = call;
    map_call.operand = Ident(kInput);
    Fold(map_call, {"map", 1, false, FoldKind::kList}, &keys);
    if (keys.comprehension == nullptr) return true;
    const ExprId sorted = Call(op::kSortByKeys, {Ident(kInput), builder_.Add(std::move(keys))});
    return Bind(kInput, call.operand, sorted, made);
  }

  // optional.optMap(v, body): the body for the value, if there is one. What stands before the dot
  // is bound, for it must not be evaluated twice.
  bool OptMap(const Expr& call, bool flat, Expr* made) {
    std::string variable;
    if (!Variable(call.args[0], &variable)) return true;
    Expr bound;
    bound.place = place_;
    Bind(variable, Member(Ident(kInput), "value"), call.args[1], &bound);
    ExprId body = builder_.Add(std::move(bound));
    if (!flat) body = Call("optional.of", {body});
    const ExprId conditional = Call(
        op::kConditional, {Member(Ident(kInput), "hasValue"), body, Call("optional.none", {})});
    return Bind(kInput, call.operand, conditional, made);
  }

  // cel.bind(name, value, body)
  bool CelBind(const Expr& call, Expr* made) {
    std::string variable;
    if (!Variable(call.args[0], &variable)) return true;
    return Bind(std::move(variable), call.args[1], call.args[2], made);
  }

  // cel.block([value, …], body): bindings in each other, of the names @index0, @index1, …
  bool CelBlock(const Expr& call, Expr* made) {
    const Expr values = ast_[call.args[0]];
    if (values.kind != ExprKind::kList || !values.optional_args.empty()) {
      return Misused(call.args[0], "the first argument of `cel.block` is a list: `[value, …]`");
    }
    ExprId body = call.args[1];
    if (values.args.empty()) {
      *made = ast_[body];
      return true;
    }
    for (size_t i = values.args.size(); i-- > 0;) {
      Bind(absl::StrCat("@index", i), values.args[i], body, made);
      if (i == 0 || builder_.full()) break;
      body = builder_.Add(std::move(*made));
      *made = Expr();
      made->place = place_;
    }
    return true;
  }

  // cel.index(n), cel.iterVar(n, m), cel.accuVar(n, m): names that no user can write.
  bool CelName(const Expr& call, std::string_view prefix, Expr* made) {
    made->kind = ExprKind::kIdent;
    made->name = std::string(prefix);
    for (size_t i = 0; i < call.args.size(); ++i) {
      const Expr& arg = ast_[call.args[i]];
      const auto* number = std::get_if<int64_t>(&arg.literal);
      if (arg.kind != ExprKind::kLiteral || number == nullptr || *number < 0) {
        return Misused(call.args[i], absl::StrCat("an argument of `cel.", call.name,
                                                  "` is a number that is not negative"));
      }
      absl::StrAppend(&made->name, i > 0 ? ":" : "", *number);
    }
    return true;
  }

  // Reads the argument that names a variable. False if it is no name.
  bool Variable(ExprId id, std::string* name) {
    const Expr& expr = ast_[id];
    *name = expr.name;
    if (expr.kind != ExprKind::kIdent || !IsSimpleName(expr.name)) {
      Misused(id, "expected the name of a variable, without a dot");
      return false;
    }
    // What other implementations keep the result in. Nobody should come to rely on it.
    if (expr.name == "__result__") {
      Misused(id, "`__result__` is kept for the language; choose another name");
      return false;
    }
    return true;
  }

  // True: the call is a macro, if a wrong one.
  bool Misused(ExprId id, std::string message) {
    defects_->push_back({ast_[id].place, std::move(message)});
    return true;
  }

  bool Bind(std::string name, ExprId value, ExprId body, Expr* made) {
    Comprehension binding;
    binding.range = Empty(ExprKind::kList);
    binding.accumulator = std::move(name);
    binding.init = value;
    binding.result = body;
    return Make(std::move(binding), made);
  }

  static bool Make(Comprehension comprehension, Expr* made) {
    made->kind = ExprKind::kComprehension;
    made->comprehension = std::make_shared<const Comprehension>(std::move(comprehension));
    return true;
  }

  ExprId Add(ExprKind kind, std::string name, std::vector<ExprId> args, ExprId operand = kNoExpr) {
    Expr expr;
    expr.kind = kind;
    expr.place = place_;
    expr.name = std::move(name);
    expr.operand = operand;
    expr.args = std::move(args);
    return builder_.Add(std::move(expr));
  }
  ExprId Call(std::string_view name, std::vector<ExprId> args) {
    return Add(ExprKind::kCall, std::string(name), std::move(args));
  }
  ExprId Member(ExprId operand, std::string name) {
    return Add(ExprKind::kCall, std::move(name), {}, operand);
  }
  ExprId Ident(std::string name) { return Add(ExprKind::kIdent, std::move(name), {}); }
  ExprId Result() { return Ident(kResult); }
  ExprId Empty(ExprKind kind) { return Add(kind, "", {}); }
  ExprId Constant(Literal literal) {
    Expr expr;
    expr.place = place_;
    expr.literal = std::move(literal);
    return builder_.Add(std::move(expr));
  }
  // The step that takes an element if `filter` is true, and else leaves the result as it is.
  ExprId If(ExprId filter, ExprId step) { return Call(op::kConditional, {filter, step, Result()}); }

  const Ast& ast_;
  std::vector<Defect>* const defects_;
  TreeBuilder builder_;
  SourceRange place_;  // of the macro's name
};

}  // namespace

bool ExpandMacros(Ast* ast, std::vector<Defect>* defects) {
  const size_t before = defects->size();
  if (ast->root != kNoExpr) Expander(ast, defects).Expand(ast->root);
  return defects->size() == before;
}

}  // namespace reeve::cel
