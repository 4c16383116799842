// A walk over the tree, by the rules of cel-go's checker: a type for each node, a meaning for each
// name. Whatever has a defect is of type kError, which fits everywhere, so that one slip is told
// once.
#include "policy/cel/checker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "policy/cel/unifier.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"

namespace reeve::cel {
namespace {

// Names of types, which are values: `type(x) == int`. The name is what type(x) gives.
constexpr struct {
  std::string_view name;
  std::string_view type;
} kTypeNames[] = {
    {"bool", "bool"},
    {"bytes", "bytes"},
    {"double", "double"},
    {"google.protobuf.Duration", "duration"},
    {"google.protobuf.Timestamp", "timestamp"},
    {"int", "int"},
    {"list", "list(dyn)"},
    {"map", "map(dyn, dyn)"},
    {"net.CIDR", "net.CIDR"},
    {"net.IP", "net.IP"},
    {"null_type", "null"},
    {"optional_type", "optional_type(dyn)"},
    {"string", "string"},
    {"type", "type"},
    {"uint", "uint"},
};

// Calls that the parser replaces, and so no function of the environment; for "did you mean".
constexpr std::string_view kMemberMacros[] = {
    "all",        "exists", "existsOne", "exists_one",    "filter",       "map",
    "optFlatMap", "optMap", "sortBy",    "transformList", "transformMap", "transformMapEntry"};

// What users write for an operator.
constexpr struct {
  std::string_view name;
  std::string_view symbol;
} kSymbols[] = {
    {op::kAdd, "+"},
    {op::kSubtract, "-"},
    {op::kMultiply, "*"},
    {op::kDivide, "/"},
    {op::kModulo, "%"},
    {op::kEqual, "=="},
    {op::kNotEqual, "!="},
    {op::kLess, "<"},
    {op::kLessOrEqual, "<="},
    {op::kGreater, ">"},
    {op::kGreaterOrEqual, ">="},
    {op::kNegate, "-"},
    {op::kNot, "!"},
    {op::kAnd, "&&"},
    {op::kOr, "||"},
    {op::kIn, "in"},
    {op::kConditional, "?:"},
    {op::kIndex, "[]"},
    {op::kOptionalIndex, "[?]"},
};

// The most defects that are told. More is not read, and looking for near words takes time.
constexpr size_t kMaxDefects = 100;

// The most ways to call a function that a message lists.
constexpr size_t kMaxListed = 3;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string_view SymbolOf(std::string_view name) {
  for (const auto& symbol : kSymbols) {
    if (symbol.name == name) return symbol.symbol;
  }
  return {};
}

bool IsNumber(TypeKind kind) {
  return kind == TypeKind::kInt || kind == TypeKind::kUint || kind == TypeKind::kDouble;
}

// Whether a function of this name can be written, in contrast to operators.
bool IsWritable(std::string_view name) { return absl::ascii_isalpha(name.front()); }

// `string.(string)`, `(int, int)`, `(int...)`.
std::string ArgumentsOf(const Overload& overload) {
  std::string text;
  size_t first = 0;
  if (overload.member) {
    text = absl::StrCat(ToString(overload.arguments[0]), ".");
    first = 1;
  }
  text += '(';
  for (size_t i = first; i < overload.arguments.size(); ++i) {
    absl::StrAppend(&text, i > first ? ", " : "", ToString(overload.arguments[i]));
  }
  return text + (overload.variadic ? "...)" : ")");
}

// "a", "a or b", "a, b or c".
std::string Alternatives(const std::vector<std::string>& words) {
  if (words.size() < 2) return absl::StrJoin(words, "");
  return absl::StrCat(absl::StrJoin(words.begin(), words.end() - 1, ", "), " or ", words.back());
}

bool TakesNumber(const Overload& overload, size_t arguments) {
  return overload.variadic ? arguments >= overload.arguments.size()
                           : arguments == overload.arguments.size();
}

class Checker {
 public:
  Checker(Ast ast, const Environment& environment, const CheckOptions& options)
      : environment_(environment), check_types_(options.check_types) {
    checked_.ast = std::move(ast);
    types_.resize(checked_.ast.nodes.size(), kDyn);
    checked_.is_type.resize(types_.size());
  }

  std::optional<CheckedExpr> Run(std::vector<Defect>* defects) {
    Check(checked_.ast.root);
    if (!defects_.empty()) {
      // Macros repeat parts of what was written.
      std::stable_sort(defects_.begin(), defects_.end(), [](const Defect& a, const Defect& b) {
        return a.place.begin < b.place.begin;
      });
      for (Defect& defect : defects_) {
        if (!defects->empty() && defects->back().place.begin == defect.place.begin &&
            defects->back().message == defect.message) {
          continue;
        }
        defects->push_back(std::move(defect));
      }
      return std::nullopt;
    }
    ExportTypes();
    for (const std::string& path : unsure_) {
      if (guarded_.count(path) == 0) checked_.may_be_missing.push_back(path);
    }
    return std::move(checked_);
  }

 private:
  using Path = absl::InlinedVector<ExprId, 4>;
  using Ends = absl::InlinedVector<size_t, 4>;
  using Candidates = absl::InlinedVector<const Overload*, 8>;

  static constexpr TypeId kDyn = static_cast<TypeId>(TypeKind::kDyn);
  static constexpr TypeId kError = static_cast<TypeId>(TypeKind::kError);
  static constexpr TypeId kBool = static_cast<TypeId>(TypeKind::kBool);
  static constexpr TypeId kInt = static_cast<TypeId>(TypeKind::kInt);

  // A variable of a comprehension.
  struct Local {
    std::string_view name;
    TypeId type;
  };
  // What a name of the environment means.
  struct Meaning {
    std::string name;
    TypeId type = kDyn;
    bool is_type = false;
  };

  // Each type once: most nodes have one of a few.
  void ExportTypes() {
    std::vector<uint32_t> numbers(unifier_.size(), UINT32_MAX);  // by TypeId
    checked_.type_numbers.reserve(types_.size());
    for (const TypeId type : types_) {
      if (numbers[type] == UINT32_MAX) {
        numbers[type] = static_cast<uint32_t>(checked_.types.size());
        checked_.types.push_back(unifier_.Export(type));
      }
      checked_.type_numbers.push_back(numbers[type]);
    }
  }

  Expr& At(ExprId id) { return checked_.ast.nodes[id]; }
  const Expr& At(ExprId id) const { return checked_.ast.nodes[id]; }
  TypeKind KindOf(TypeId type) const { return unifier_[type].kind; }
  std::string NameOf(TypeId type) const { return ToString(unifier_.Export(type)); }

  TypeId Fail(SourceRange place, std::string message) {
    defects_.push_back({place, std::move(message)});
    return kError;
  }
  // A defect of types; none if they are not checked.
  TypeId FailType(SourceRange place, std::string message) {
    return check_types_ ? Fail(place, std::move(message)) : kDyn;
  }

  // Checks a node and all below it.
  TypeId Check(ExprId id) {
    if (defects_.size() >= kMaxDefects) return kError;
    // The parser's trees are less deep; others might be written by hand.
    if (depth_ > 2 * kMaxExprDepth) return Fail(At(id).place, "nested too deeply");
    ++depth_;
    const TypeId type = CheckKind(id);
    --depth_;
    // Types of types are kept in any case: they tell what a name means.
    types_[id] = check_types_ || checked_.is_type[id] || type == kError ? type : kDyn;
    return types_[id];
  }

  TypeId CheckKind(ExprId id) {
    switch (At(id).kind) {
      case ExprKind::kLiteral:
        return TypeOfLiteral(At(id).literal);
      case ExprKind::kIdent:
        return CheckPath(id);
      case ExprKind::kSelect:
        if (At(id).optional || At(id).test_only) return CheckField(id, Check(At(id).operand));
        return CheckPath(id);
      case ExprKind::kCall:
        return CheckCall(id);
      case ExprKind::kList:
        return CheckList(At(id));
      case ExprKind::kMap:
        return CheckMap(At(id));
      case ExprKind::kComprehension:
        return CheckComprehension(*At(id).comprehension);
    }
    return kError;
  }

  static TypeId TypeOfLiteral(const Literal& literal) {
    constexpr TypeKind kKinds[] = {TypeKind::kNull, TypeKind::kBool,   TypeKind::kInt,
                                   TypeKind::kUint, TypeKind::kDouble, TypeKind::kString,
                                   TypeKind::kBytes};
    return Unifier::Of(kKinds[literal.index()]);
  }

  // Names.

  const Local* FindLocal(std::string_view name) const {
    for (size_t i = locals_.size(); i-- > 0;) {
      if (locals_[i].name == name) return &locals_[i];
    }
    return nullptr;
  }

  // Calls `found` with each name that `name` may be short for, until it returns true.
  template <typename Found>
  bool ForEachQualified(std::string_view name, Found found) const {
    if (!name.empty() && name.front() == '.') return found(name.substr(1));
    std::string_view container = environment_.container();
    while (!container.empty()) {
      const std::string full = absl::StrCat(View(container), ".", View(name));
      if (found(std::string_view(full))) return true;
      const size_t dot = container.rfind('.');
      container = container.substr(0, dot == std::string_view::npos ? 0 : dot);
    }
    return found(name);
  }

  bool FindMeaning(std::string_view name, Meaning* meaning) {
    return ForEachQualified(name, [&](std::string_view full) {
      if (const Type* type = environment_.FindVariable(full)) {
        Unifier::Variables variables;
        meaning->type = unifier_.Import(*type, &variables);
      } else {
        const auto known = std::find_if(std::begin(kTypeNames), std::end(kTypeNames),
                                        [&](const auto& entry) { return entry.name == full; });
        if (known == std::end(kTypeNames)) return false;
        Unifier::Variables variables;
        meaning->type = unifier_.TypeOf(unifier_.Import(*ParseType(known->type), &variables));
        meaning->is_type = true;
      }
      meaning->name = full;
      return true;
    });
  }

  const std::vector<Overload>* FindFunction(std::string_view name, std::string* full_name) const {
    const std::vector<Overload>* function = nullptr;
    ForEachQualified(name, [&](std::string_view full) {
      function = environment_.FindFunction(full);
      if (function != nullptr) *full_name = full;
      return function != nullptr;
    });
    return function;
  }

  // The selections of `a.b.c` from the last to the first, and what they begin with.
  Path PathTo(ExprId id) const {
    Path path = {id};
    while (At(path.back()).kind == ExprKind::kSelect && !At(path.back()).optional &&
           !At(path.back()).test_only) {
      path.push_back(At(path.back()).operand);
    }
    return path;
  }

  // `a.b.c`, and in *ends where each name of it ends. Empty if the path does not begin with a name.
  std::string NameOfPath(const Path& path, Ends* ends) const {
    if (At(path.back()).kind != ExprKind::kIdent) return {};
    std::string name;
    for (size_t i = path.size(); i-- > 0;) {
      if (!name.empty()) name += '.';
      name += At(path[i]).name;
      ends->push_back(name.size());
    }
    return name;
  }

  // A name, or selections: `a`, `a.b.c`, `f(x).a`. The longest part that is a name is one.
  TypeId CheckPath(ExprId id) {
    const Path path = PathTo(id);
    size_t resolved = path.size() - 1;  // place in `path` of what is resolved so far
    Ends ends;
    const std::string name = NameOfPath(path, &ends);
    TypeId type;
    bool global = false;
    if (name.empty()) {
      type = Check(path.back());
    } else if (const Local* local = FindLocal(At(path.back()).name)) {
      type = local->type;
    } else {
      type = CheckName(path, name, ends, &resolved);
      global = true;
    }
    types_[path[resolved]] = type;
    while (resolved > 0) {
      const Type* known = global ? FieldOf(path[resolved], path[resolved - 1]) : nullptr;
      type = CheckField(path[--resolved], type);
      if (known != nullptr) {
        Unifier::Variables variables;
        type = unifier_.Import(*known, &variables);
      }
      types_[path[resolved]] = type;
      global = false;
    }
    return type;
  }

  // What the environment says of the field that `selection` takes from `variable`; null if nothing.
  const Type* FieldOf(ExprId variable, ExprId selection) const {
    const Expr& expr = At(selection);
    if (!check_types_ || expr.test_only || expr.optional) return nullptr;
    std::string_view name = At(variable).name;
    if (name.substr(0, 1) == ".") name.remove_prefix(1);
    return environment_.FindField(name, expr.name);
  }

  TypeId CheckName(const Path& path, std::string_view name, const Ends& ends, size_t* resolved) {
    Meaning meaning;
    for (size_t length = path.size(); length > 0; --length) {
      if (!FindMeaning(name.substr(0, ends[length - 1]), &meaning)) continue;
      *resolved = path.size() - length;
      Expr& expr = At(path[*resolved]);
      expr.kind = ExprKind::kIdent;
      expr.operand = kNoExpr;
      expr.place = At(path.back()).place;
      checked_.is_type[path[*resolved]] = meaning.is_type;
      const bool hidden = !meaning.is_type && FindLocal(meaning.name) != nullptr;
      expr.name = hidden ? absl::StrCat(".", meaning.name) : std::move(meaning.name);
      return meaning.type;
    }
    return UnknownName(At(path.back()), name);
  }

  TypeId UnknownName(const Expr& first, std::string_view path) {
    std::string_view word = first.name;
    if (word.front() == '.') word.remove_prefix(1);
    if (path.front() == '.') path.remove_prefix(1);
    if (const auto* function = environment_.FindFunction(word); function && path == word) {
      const bool member = std::all_of(function->begin(), function->end(),
                                      [](const Overload& overload) { return overload.member; });
      return Fail(first.place, absl::StrCat("`", View(word), "` is a function; write `",
                                            member ? "x." : "", View(word), "(...)`"));
    }
    std::vector<std::string_view> words = {"true", "false", "null"};
    for (const Local& local : locals_) {
      if (IsWritable(local.name)) words.push_back(local.name);
    }
    for (const auto& [variable, type] : environment_.variables()) words.push_back(variable);
    for (const auto& entry : kTypeNames) words.push_back(entry.name);
    // Looking through very many takes its time.
    constexpr size_t kMaxWords = 1000;
    if (words.size() > kMaxWords) {
      return Fail(first.place, absl::StrCat("unknown name `", View(word), "`"));
    }
    // A name of several words, one of them misspelt.
    if (path != word && NearestWord(word, words).empty()) {
      if (const std::string_view nearest = NearestWord(path, words); !nearest.empty()) word = path;
    }
    return Fail(first.place, absl::StrCat("unknown name `", View(word), "`",
                                          word.empty() ? "" : DidYouMean(word, words)));
  }

  // Fields, lists and maps.

  TypeId CheckField(ExprId id, TypeId operand) {
    const Expr& expr = At(id);
    if (operand == kError) return kError;
    if (!check_types_) return kDyn;
    const TypeId container = unifier_.Resolve(operand);
    TypeId held = container;
    const bool wrapped = UnwrapOptional(&held);
    TypeId field = kDyn;
    switch (KindOf(held)) {
      case TypeKind::kMap:
        if (!unifier_.Assign(unifier_[held].parameters[0], Unifier::Of(TypeKind::kString))) {
          // cel-go lets it pass, but no such key can be there.
          return FailType(expr.place, absl::StrCat("the keys of ", NameOf(held),
                                                   " are no names; write `[...]` to look one up"));
        }
        field = unifier_[held].parameters[1];
        break;
      case TypeKind::kRecord:
        field = CheckRecordField(id, unifier_[held].name, expr.name, expr.operand);
        if (field == kError) return kError;
        break;
      case TypeKind::kParameter:
        unifier_.Assign(kDyn, held);
        break;
      case TypeKind::kDyn:
      case TypeKind::kError:
        break;
      default:
        return FailType(expr.place,
                        absl::StrCat("a value of type ", NameOf(held), " has no field `", expr.name,
                                     "`", environment_.FindFunction(expr.name) ? "; write `" : "",
                                     environment_.FindFunction(expr.name) ? expr.name : "",
                                     environment_.FindFunction(expr.name) ? "(...)`" : ""));
    }
    if (expr.test_only) return kBool;
    field = unifier_.Resolve(field);
    return wrapped || expr.optional ? unifier_.Optional(field) : field;
  }

  // What stands under `name` in a record, taken from `operand` by the selection or index `id`.
  TypeId CheckRecordField(ExprId id, std::string_view record_name, std::string_view name,
                          ExprId operand) {
    const Environment::Record* const record = environment_.FindRecord(record_name);
    if (record == nullptr) return kDyn;
    const auto field = record->fields.find(name);
    const Expr& expr = At(id);
    const bool is_declared = field != record->fields.end();
    if (!is_declared && !record->open) {
      std::vector<std::string_view> words;
      for (const auto& [word, unused] : record->fields) words.push_back(word);
      return Fail(expr.place,
                  absl::StrCat(record->lacks, " `", Printable(name), "`", DidYouMean(name, words)));
    }
    Ends ends;
    std::string path = NameOfPath(PathTo(operand), &ends);
    if ((!is_declared || field->second.may_be_missing) && !path.empty() && !expr.optional &&
        expr.name != op::kOptionalIndex) {
      absl::StrAppend(&path, ".", View(name));
      if (expr.test_only) {
        guarded_.insert(path);
      } else {
        unsure_.push_back(path);
      }
    }
    if (!is_declared) return kDyn;
    Unifier::Variables variables;
    return unifier_.Import(field->second.type, &variables);
  }

  // Replaces optional_type(T) by T.
  bool UnwrapOptional(TypeId* type) const {
    const Unifier::Node& node = unifier_[*type];
    if (node.kind != TypeKind::kAbstract || node.name != "optional_type" ||
        node.parameters.size() != 1) {
      return false;
    }
    *type = node.parameters[0];
    return true;
  }

  // The type of an element or value, which is an optional if it was written with `?`.
  TypeId CheckElement(ExprId id, bool optional) {
    TypeId type = unifier_.Resolve(Check(id));
    if (!optional || UnwrapOptional(&type) || KindOf(type) == TypeKind::kDyn || type == kError) {
      return type;
    }
    return FailType(At(id).place,
                    absl::StrCat("`?` wants an optional, not ", NameOf(type),
                                 "; leave out the `?` or write `optional.of(", Brief(id), ")`"));
  }

  static bool IsOptional(const Expr& expr, size_t i) {
    return i < expr.optional_args.size() && expr.optional_args[i];
  }

  TypeId CheckList(const Expr& expr) {
    TypeId joined = kError;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      const TypeId element = CheckElement(expr.args[i], IsOptional(expr, i));
      joined = i == 0 ? element : unifier_.Join(joined, element);
    }
    return unifier_.List(expr.args.empty() ? unifier_.NewVariable() : joined);
  }

  TypeId CheckMap(const Expr& expr) {
    TypeId keys = kError;
    TypeId values = kError;
    for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
      const TypeId key = CheckKey(expr.args[i]);
      const TypeId value = CheckElement(expr.args[i + 1], IsOptional(expr, i / 2));
      keys = i == 0 ? key : unifier_.Join(keys, key);
      values = i == 0 ? value : unifier_.Join(values, value);
    }
    if (expr.args.empty()) {
      keys = unifier_.NewVariable();
      values = unifier_.NewVariable();
    }
    return unifier_.Map(keys, values);
  }

  TypeId CheckKey(ExprId id) {
    const TypeId key = unifier_.Resolve(Check(id));
    switch (KindOf(key)) {
      case TypeKind::kDyn:
      case TypeKind::kError:
      case TypeKind::kParameter:
      case TypeKind::kBool:
      case TypeKind::kInt:
      case TypeKind::kUint:
      case TypeKind::kString:
        return key;
      default:
        return FailType(At(id).place,
                        absl::StrCat("a key is a bool, int, uint or string, not ", NameOf(key)));
    }
  }

  TypeId CheckComprehension(const Comprehension& fold) {
    TypeId range = fold.range == kNoExpr ? kError : unifier_.Resolve(Check(fold.range));
    const TypeId init = Check(fold.init);
    const size_t outside = locals_.size();
    locals_.push_back({fold.accumulator, init});
    if (fold.step != kNoExpr) {
      PushVariables(fold, range);
      CheckBool(fold.condition, Check(fold.condition));
      const TypeId step = Check(fold.step);
      if (check_types_ && !unifier_.Assign(init, step)) {
        Fail(At(fold.step).place, absl::StrCat("this makes a value of type ", NameOf(step),
                                               " where one of type ", NameOf(init), " is wanted"));
      }
      locals_.resize(outside + 1);
    }
    const TypeId result = unifier_.Resolve(Check(fold.result));
    locals_.resize(outside);
    return result;
  }

  void PushVariables(const Comprehension& fold, TypeId range) {
    TypeId first = kDyn;
    TypeId second = kDyn;
    const Unifier::Parameters& parameters = unifier_[range].parameters;
    switch (KindOf(range)) {
      case TypeKind::kList:
        first = fold.variable2.empty() ? parameters[0] : kInt;
        second = parameters[0];
        break;
      case TypeKind::kMap:
        first = parameters[0];
        second = parameters[1];
        break;
      case TypeKind::kRecord:
        first = Unifier::Of(TypeKind::kString);
        break;
      case TypeKind::kParameter:
        unifier_.Assign(kDyn, range);
        break;
      case TypeKind::kDyn:
        break;
      case TypeKind::kError:
        first = second = kError;
        break;
      default:
        first = second = FailType(
            At(fold.range).place,
            absl::StrCat("only a list or a map has elements to go through, not ", NameOf(range)));
    }
    locals_.push_back({fold.variable, first});
    if (!fold.variable2.empty()) locals_.push_back({fold.variable2, second});
  }

  void CheckBool(ExprId id, TypeId type) {
    if (!check_types_ || unifier_.Assign(type, kBool)) return;
    Fail(At(id).place, absl::StrCat("a condition is a bool, not ", NameOf(type)));
  }

  // Calls.

  TypeId CheckCall(ExprId id) {
    Expr& expr = At(id);
    if (expr.name == op::kMessage) {
      return Fail(expr.place, "messages are not supported; write a map: `{\"a\": 1}`");
    }
    absl::InlinedVector<ExprId, 4> arguments(expr.args.begin(), expr.args.end());
    const size_t defects = defects_.size();
    for (const ExprId argument : arguments) Check(argument);
    const size_t defects_of_arguments = defects_.size() - defects;
    std::string name;
    const std::vector<Overload>* function = nullptr;
    if (expr.operand != kNoExpr) {
      const std::string path = NameOfCall(expr);
      if (!path.empty()) function = FindFunction(path, &name);
      if (function == nullptr && IsNamespace(expr, path)) return UnknownFunction(expr, path);
      if (function != nullptr) {
        expr.operand = kNoExpr;
      } else {
        Check(expr.operand);
        arguments.insert(arguments.begin(), expr.operand);
      }
    }
    if (function == nullptr) function = FindFunction(expr.name, &name);
    if (function == nullptr) {
      if (IsLikeMacro(expr)) {
        // The arguments speak of a variable that the macro would have declared.
        const auto first = defects_.begin() + static_cast<ptrdiff_t>(defects);
        defects_.erase(first, first + static_cast<ptrdiff_t>(defects_of_arguments));
      }
      return UnknownFunction(expr, expr.name);
    }
    expr.name = std::move(name);
    if (expr.name == op::kAnd || expr.name == op::kOr) return CheckLogic(expr);
    return Apply(expr, *function, arguments);
  }

  // `a.b.f` for `a.b.f(x)`; empty if what stands before the call is not a name.
  std::string NameOfCall(const Expr& expr) const {
    Ends ends;
    const std::string path = NameOfPath(PathTo(expr.operand), &ends);
    return path.empty() ? path : absl::StrCat(path, ".", expr.name);
  }

  // Whether `math.f(x)` can only have meant a function of `math`: there are some, or one of nearly
  // this name, and nothing else is called so.
  bool IsNamespace(const Expr& expr, std::string_view path) {
    if (path.empty() || At(expr.operand).kind != ExprKind::kIdent) return false;
    Meaning meaning;
    const std::string& name = At(expr.operand).name;
    if (FindLocal(name) != nullptr || FindMeaning(name, &meaning)) return false;
    const std::string prefix = absl::StrCat(name, ".");
    const auto first = environment_.functions().lower_bound(prefix);
    if (first != environment_.functions().end() && absl::StartsWith(first->first, prefix)) {
      return true;
    }
    std::string full_name;
    if (FindFunction(expr.name, &full_name) != nullptr) return false;
    std::vector<std::string_view> words;
    for (const auto& [known, overloads] : environment_.functions()) {
      if (known.find('.') != std::string::npos) words.push_back(known);
    }
    return !NearestWord(path, words).empty();
  }

  // Whether the unknown function `expr` was probably meant to be a macro that declares a variable.
  static bool IsLikeMacro(const Expr& expr) {
    const std::vector<std::string_view> words(std::begin(kMemberMacros), std::end(kMemberMacros));
    return !NearestWord(expr.name, words).empty();
  }

  TypeId UnknownFunction(const Expr& expr, std::string_view name) {
    const bool member = expr.operand != kNoExpr && name == expr.name;
    std::vector<std::string_view> words;
    for (const auto& [known, overloads] : environment_.functions()) {
      const bool fits =
          std::any_of(overloads.begin(), overloads.end(),
                      [member](const Overload& overload) { return overload.member == member; });
      if (fits && IsWritable(known)) words.push_back(known);
    }
    if (member) words.insert(words.end(), std::begin(kMemberMacros), std::end(kMemberMacros));
    if (!member) words.insert(words.end(), {"has", "cel.bind"});
    const auto macro = std::find(std::begin(kMemberMacros), std::end(kMemberMacros), name);
    if (macro != std::end(kMemberMacros)) {
      return Fail(expr.place,
                  member ? absl::StrCat("`", View(name), "` has the wrong number of arguments")
                         : absl::StrCat("`", View(name),
                                        "` goes through a list or a map; "
                                        "write `x.",
                                        View(name), "(...)`"));
    }
    return Fail(expr.place,
                absl::StrCat("unknown function `", View(name), "`", DidYouMean(name, words)));
  }

  TypeId CheckLogic(const Expr& expr) {
    // An `&&` that a macro made is none that the user wrote.
    const bool made = At(expr.args[0]).name.rfind('@', 0) == 0;
    for (const ExprId argument : expr.args) {
      if (!check_types_ || unifier_.Assign(types_[argument], kBool)) continue;
      if (made) {
        CheckBool(argument, types_[argument]);
      } else {
        Fail(At(argument).place, absl::StrCat("`", View(SymbolOf(expr.name)), "` takes bool, not ",
                                              NameOf(types_[argument])));
      }
    }
    return kBool;
  }

  // A call of a known function.
  TypeId Apply(const Expr& expr, const std::vector<Overload>& overloads,
               absl::Span<const ExprId> arguments) {
    const bool member = expr.operand != kNoExpr;
    Candidates candidates;
    for (const Overload& overload : overloads) {
      if (overload.member == member && TakesNumber(overload, arguments.size())) {
        candidates.push_back(&overload);
      }
    }
    if (candidates.empty()) return WrongStyle(expr, overloads, arguments);
    if (!check_types_) return kDyn;
    if ((expr.name == "math.greatest" || expr.name == "math.least") && arguments.size() > 1) {
      if (const TypeId type = Extreme(arguments); type != kError) return type;
      return Mismatch(expr, candidates, arguments);
    }
    if (const TypeId type = IndexOfRecord(expr, arguments); type != kDyn) return type;
    TypeId result = kError;
    for (const Overload* candidate : candidates) {
      TypeId type;
      if (!Fits(*candidate, arguments, &type)) continue;
      if (result == kError) {
        result = type;
      } else if (result != type) {
        result = kDyn;
      }
    }
    return result == kError ? Mismatch(expr, candidates, arguments) : result;
  }

  // Of a record by a name that is written out: what stands under it. Else dyn.
  TypeId IndexOfRecord(const Expr& expr, absl::Span<const ExprId> arguments) {
    if (expr.name != op::kIndex && expr.name != op::kOptionalIndex) return kDyn;
    const TypeId record = unifier_.Resolve(types_[arguments[0]]);
    const Expr& key = At(arguments[1]);
    const auto* name = std::get_if<std::string>(&key.literal);
    if (KindOf(record) != TypeKind::kRecord || key.kind != ExprKind::kLiteral || name == nullptr) {
      return kDyn;
    }
    const ExprId id = static_cast<ExprId>(&expr - checked_.ast.nodes.data());
    const TypeId field = CheckRecordField(id, unifier_[record].name, *name, arguments[0]);
    if (field == kError || expr.name == op::kIndex) return field;
    return unifier_.Optional(field);
  }

  // Numbers of one type give that type, others give what is only known later.
  TypeId Extreme(absl::Span<const ExprId> arguments) {
    const TypeId first = unifier_.Resolve(types_[arguments[0]]);
    TypeId result = first;
    for (const ExprId argument : arguments) {
      const TypeId type = unifier_.Resolve(types_[argument]);
      const TypeKind kind = KindOf(type);
      const bool open =
          kind == TypeKind::kDyn || kind == TypeKind::kError || kind == TypeKind::kParameter;
      if (!open && !IsNumber(kind)) return kError;
      if (open || type != first) result = kDyn;
    }
    return result;
  }

  // The type of the argument `i` of a call.
  static const Type& ArgumentOf(const Overload& overload, size_t i) {
    return overload.arguments[std::min(i, overload.arguments.size() - 1)];
  }

  // Whether the arguments are such as `overload` takes; *result is then what it gives.
  bool Fits(const Overload& overload, absl::Span<const ExprId> arguments, TypeId* result) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (!MayFit(types_[arguments[i]], ArgumentOf(overload, i).kind)) return false;
    }
    Unifier::Variables variables;
    absl::InlinedVector<Unifier::Pair, 4> pairs;
    for (size_t i = 0; i < arguments.size(); ++i) {
      pairs.emplace_back(types_[arguments[i]],
                         unifier_.Import(ArgumentOf(overload, i), &variables));
    }
    if (!unifier_.Assign(pairs)) return false;
    *result = unifier_.Resolve(unifier_.Import(overload.result, &variables));
    return true;
  }

  // A quick look that spares making variables for overloads that are out of the question.
  bool MayFit(TypeId given, TypeKind taken) const {
    const TypeKind a = KindOf(given);
    const TypeKind b = taken;
    const auto open = [](TypeKind kind) {
      return kind == TypeKind::kDyn || kind == TypeKind::kError || kind == TypeKind::kNull ||
             kind == TypeKind::kParameter;
    };
    const auto is_map = [](TypeKind kind) {
      return kind == TypeKind::kMap || kind == TypeKind::kRecord;
    };
    return a == b || open(a) || open(b) || (is_map(a) && is_map(b));
  }

  // What is wrong with a call, told to its author.

  // `f` is known, but not so called, or not with this number of arguments.
  TypeId WrongStyle(const Expr& expr, const std::vector<Overload>& overloads,
                    absl::Span<const ExprId> arguments) {
    const bool member = expr.operand != kNoExpr;
    std::set<size_t> numbers;
    bool more = false;
    for (const Overload& overload : overloads) {
      if (overload.member != member) continue;
      numbers.insert(overload.arguments.size() - (member ? 1 : 0));
      more |= overload.variadic;
    }
    if (numbers.empty()) {
      const std::string value = arguments.empty() ? "x" : Brief(arguments[0]);
      const char* others = arguments.size() > 1 ? "..." : "";
      if (member) {
        return Fail(
            expr.place,
            absl::StrCat("`", expr.name, "` does not stand behind a dot; write `", expr.name, "(",
                         value, arguments.size() > 1 ? ", " : "", others, ")`"));
      }
      return Fail(expr.place, absl::StrCat("`", expr.name, "` stands behind a dot; write `", value,
                                           ".", expr.name, "(", others, ")`"));
    }
    std::vector<std::string> words;
    for (const size_t number : numbers) words.push_back(number == 0 ? "no" : absl::StrCat(number));
    return Fail(expr.place, absl::StrCat("`", expr.name, "` takes ", Alternatives(words),
                                         more ? " or more" : "", " argument",
                                         numbers == std::set<size_t>{1} && !more ? "" : "s",
                                         ", not ", arguments.size() - (member ? 1 : 0)));
  }

  // No overload takes arguments of these types.
  TypeId Mismatch(const Expr& expr, const Candidates& candidates,
                  absl::Span<const ExprId> arguments) {
    std::vector<TypeId> types;
    for (const ExprId argument : arguments) {
      types.push_back(unifier_.Resolve(types_[argument]));
      if (types.back() == kError) return kError;
    }
    if (!SymbolOf(expr.name).empty()) return WrongOperands(expr, arguments, types);
    if (expr.name == op::kSortByKeys) {
      return Fail(expr.place, absl::StrCat("elements have no order by a key of type ",
                                           NameOf(types[1]), "; a number, a string or a time has"));
    }
    const bool member = expr.operand != kNoExpr;
    if (member && At(expr.operand).name.rfind('@', 0) == 0) {
      return Fail(expr.place, absl::StrCat("only an optional can stand here before the dot, not ",
                                           NameOf(types[0])));
    }
    // Those overloads that fewest arguments do not fit.
    size_t least = SIZE_MAX;
    Candidates nearest;
    std::set<size_t> wrong;
    for (const Overload* candidate : candidates) {
      const std::set<size_t> misfits = Misfits(*candidate, types);
      if (misfits.size() < least) {
        least = misfits.size();
        nearest.clear();
        wrong.clear();
      }
      if (misfits.size() > least) continue;
      nearest.push_back(candidate);
      wrong.insert(misfits.begin(), misfits.end());
    }
    std::vector<std::string> taken;
    for (const Overload* candidate : nearest) {
      if (taken.size() == kMaxListed) break;
      taken.push_back(ArgumentsOf(*candidate));
    }
    if (nearest.size() > kMaxListed) taken.push_back("others");
    std::vector<std::string> given;
    for (size_t i = member ? 1 : 0; i < types.size(); ++i) given.push_back(NameOf(types[i]));
    // One argument alone is wrong: that is the place.
    const bool one = wrong.size() == 1 && !(member && *wrong.begin() == 0);
    return Fail(one ? At(arguments[*wrong.begin()]).place : expr.place,
                absl::StrCat("`", expr.name, "` is not made for ",
                             member ? absl::StrCat(NameOf(types[0]), ".") : "", "(",
                             absl::StrJoin(given, ", "), "); it takes ", Alternatives(taken)));
  }

  std::set<size_t> Misfits(const Overload& overload, const std::vector<TypeId>& types) {
    Unifier::Variables variables;
    std::set<size_t> misfits;
    for (size_t i = 0; i < types.size(); ++i) {
      const TypeId taken = unifier_.Import(ArgumentOf(overload, i), &variables);
      if (!unifier_.Assign(types[i], taken)) misfits.insert(i);
    }
    return misfits;
  }

  TypeId WrongOperands(const Expr& expr, absl::Span<const ExprId> arguments,
                       const std::vector<TypeId>& types) {
    const std::string_view symbol = SymbolOf(expr.name);
    if (expr.name == op::kConditional) return WrongConditional(expr, arguments, types);
    if (expr.name == op::kIndex || expr.name == op::kOptionalIndex) {
      return WrongIndex(expr, arguments, types);
    }
    if (expr.name == op::kIn) return WrongIn(expr, arguments, types);
    if (expr.name == op::kNot) {
      return Fail(expr.place, absl::StrCat("`!` takes bool, not ", NameOf(types[0])));
    }
    if (types.size() == 1) {
      return Fail(expr.place, absl::StrCat("`-` takes int or double, not ", NameOf(types[0])));
    }
    const std::string hint = Hint(expr.name, arguments, types);
    if (expr.name == op::kEqual || expr.name == op::kNotEqual) {
      return Fail(expr.place, absl::StrCat("`", View(symbol), "` compares values of one type, not ",
                                           NameOf(types[0]), " and ", NameOf(types[1]), hint));
    }
    return Fail(expr.place, absl::StrCat("`", View(symbol), "` is not made for (", NameOf(types[0]),
                                         ", ", NameOf(types[1]), ")", hint));
  }

  TypeId WrongConditional(const Expr& expr, absl::Span<const ExprId> arguments,
                          const std::vector<TypeId>& types) {
    if (!unifier_.Assign(types[0], kBool)) {
      CheckBool(arguments[0], types[0]);
      return kError;
    }
    return Fail(expr.place,
                absl::StrCat("`?:` gives ", NameOf(types[1]), " or ", NameOf(types[2]),
                             "; make them one type, or write `dyn(", Brief(arguments[1]), ")`"));
  }

  TypeId WrongIndex(const Expr& expr, absl::Span<const ExprId> arguments,
                    const std::vector<TypeId>& types) {
    TypeId held = types[0];
    UnwrapOptional(&held);
    const SourceRange place = At(arguments[1]).place;
    if (KindOf(held) == TypeKind::kList) {
      return Fail(place, absl::StrCat("a list is indexed by int, not ", NameOf(types[1])));
    }
    if (KindOf(held) == TypeKind::kMap) {
      return Fail(
          place, absl::StrCat("the keys of ", NameOf(held), " are not of type ", NameOf(types[1])));
    }
    return Fail(expr.place, absl::StrCat("only lists and maps are indexed, not ", NameOf(types[0]),
                                         KindOf(held) == TypeKind::kString
                                             ? absl::StrCat("; write `", Brief(arguments[0]),
                                                            ".charAt(", Brief(arguments[1]), ")`")
                                             : ""));
  }

  TypeId WrongIn(const Expr& expr, absl::Span<const ExprId> arguments,
                 const std::vector<TypeId>& types) {
    const TypeKind kind = KindOf(types[1]);
    if (kind == TypeKind::kMap) {
      return Fail(expr.place, absl::StrCat("`in` looks for a key, and ", NameOf(types[1]),
                                           " has none of type ", NameOf(types[0])));
    }
    if (kind == TypeKind::kList) {
      return Fail(expr.place, absl::StrCat("`in` looks for ", NameOf(types[0]), " in ",
                                           NameOf(types[1]), ", which never holds one"));
    }
    std::string hint;
    if (kind == TypeKind::kString && KindOf(types[0]) == TypeKind::kString) {
      hint =
          absl::StrCat("; write `", Brief(arguments[1]), ".contains(", Brief(arguments[0]), ")`");
    }
    return Fail(expr.place,
                absl::StrCat("`in` looks into a list or a map, not ", NameOf(types[1]), hint));
  }

  // What to write instead, if that is plain: "; write `string(n)`".
  std::string Hint(std::string_view name, absl::Span<const ExprId> arguments,
                   const std::vector<TypeId>& types) const {
    for (size_t i = 0; i < 2; ++i) {
      const TypeKind kind = KindOf(types[i]);
      const TypeKind other = KindOf(types[1 - i]);
      if (other == TypeKind::kNull)
        return absl::StrCat("; this ", NameOf(types[i]), " is never null");
      const std::string conversion = Conversion(name, arguments[i], kind, other);
      if (!conversion.empty()) return absl::StrCat("; write `", conversion, "`");
    }
    return {};
  }

  // How `id`, of type `kind`, is made what goes with `other`. Empty if there is no plain way.
  std::string Conversion(std::string_view name, ExprId id, TypeKind kind, TypeKind other) const {
    const Expr& expr = At(id);
    const auto* number = std::get_if<int64_t>(&expr.literal);
    const bool literal = expr.kind == ExprKind::kLiteral && number != nullptr;
    const std::string text = Brief(id);
    if (other == TypeKind::kDouble && (kind == TypeKind::kInt || kind == TypeKind::kUint)) {
      const bool exact = literal && *number < 1000000000 && *number > -1000000000;
      return exact ? absl::StrCat(text, ".0") : absl::StrCat("double(", text, ")");
    }
    if (other == TypeKind::kUint && literal && *number >= 0) return absl::StrCat(text, "u");
    if (other == TypeKind::kInt && kind == TypeKind::kUint) return absl::StrCat("int(", text, ")");
    if (name == op::kAdd && other == TypeKind::kString) {
      switch (kind) {
        case TypeKind::kBool:
        case TypeKind::kInt:
        case TypeKind::kUint:
        case TypeKind::kDouble:
        case TypeKind::kBytes:
        case TypeKind::kTimestamp:
        case TypeKind::kDuration:
          return absl::StrCat("string(", text, ")");
        default:
          return {};
      }
    }
    if (kind == TypeKind::kString && other == TypeKind::kTimestamp) {
      return absl::StrCat("timestamp(", text, ")");
    }
    if (kind == TypeKind::kString && other == TypeKind::kDuration) {
      return absl::StrCat("duration(", text, ")");
    }
    return {};
  }

  // A short piece of source for `id`, or "...".
  std::string Brief(ExprId id) const {
    constexpr size_t kMaxBrief = 24;
    std::string text = "...";
    const Path path = PathTo(id);
    Ends ends;
    if (At(path.back()).kind == ExprKind::kIdent) {
      text = NameOfPath(path, &ends);
      if (text.front() == '@') return "...";
    } else if (path.size() == 1 && At(id).kind == ExprKind::kLiteral) {
      text = ToString(checked_.ast, id);
    }
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
      return c >= ' ' && c <= '~' && c != '`' && c != '\\';
    });
    return plain && text.size() <= kMaxBrief ? text : "...";
  }

  const Environment& environment_;
  const bool check_types_;
  CheckedExpr checked_;
  Unifier unifier_;
  std::vector<TypeId> types_;  // by ExprId
  std::vector<Local> locals_;  // the innermost last
  std::vector<Defect> defects_;
  std::vector<std::string> unsure_;
  std::set<std::string> guarded_;  // What has() asks for.
  int depth_ = 0;
};

void Print(const CheckedExpr& checked, ExprId id, int depth, std::string* text) {
  if (id == kNoExpr || depth > 2 * kMaxExprDepth) return;
  const Expr& expr = checked.ast[id];
  text->append(2 * depth, ' ');
  const char* dot = expr.operand != kNoExpr ? "." : "";
  switch (expr.kind) {
    case ExprKind::kLiteral:
      absl::StrAppend(text, "literal ", ToString(checked.ast, id));
      break;
    case ExprKind::kIdent:
      absl::StrAppend(text, checked.is_type[id] ? "type " : "name ", expr.name);
      break;
    case ExprKind::kSelect:
      absl::StrAppend(text, expr.test_only ? "has " : "select ", expr.optional ? "?" : "",
                      expr.name);
      break;
    case ExprKind::kCall:
      absl::StrAppend(text, "call ", dot, expr.name);
      break;
    case ExprKind::kList:
      absl::StrAppend(text, "list");
      break;
    case ExprKind::kMap:
      absl::StrAppend(text, "map");
      break;
    case ExprKind::kComprehension:
      absl::StrAppend(text, expr.comprehension->step == kNoExpr ? "bind " : "fold ",
                      expr.comprehension->accumulator);
      for (const std::string& name :
           {expr.comprehension->variable, expr.comprehension->variable2}) {
        if (!name.empty()) absl::StrAppend(text, ", ", name);
      }
      break;
  }
  absl::StrAppend(text, ": ", ToString(checked.type(id)), "\n");
  Print(checked, expr.operand, depth + 1, text);
  for (const ExprId argument : expr.args) Print(checked, argument, depth + 1, text);
  if (expr.comprehension == nullptr) return;
  const Comprehension& fold = *expr.comprehension;
  if (fold.step != kNoExpr) Print(checked, fold.range, depth + 1, text);
  for (const ExprId part : {fold.init, fold.condition, fold.step, fold.result}) {
    Print(checked, part, depth + 1, text);
  }
}

}  // namespace

std::optional<CheckedExpr> Check(Ast ast, const Environment& environment,
                                 const CheckOptions& options, std::vector<Defect>* defects) {
  return Checker(std::move(ast), environment, options).Run(defects);
}

std::string ToString(const CheckedExpr& checked) {
  std::string text;
  Print(checked, checked.ast.root, 0, &text);
  return text;
}

}  // namespace reeve::cel
