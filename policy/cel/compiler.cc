#include "policy/cel/compiler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/time_zone.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

// Named expressions may use each other, so that what is walked is deeper than one expression.
constexpr int kMaxDepth = 4 * kMaxExprDepth;
// What constants may cost to compute, each and all of one program.
constexpr uint64_t kFoldCost = 100'000;
constexpr uint64_t kAllFoldsCost = 1'000'000;
constexpr int kMaxFolds = 1'000;
constexpr size_t kFoldMemory = size_t{1} << 20;
constexpr size_t kMaxConstantBytes = size_t{16} << 20;
constexpr uint32_t kNoLocal = UINT32_MAX;

struct Operator {
  std::string_view name;
  Op op;
};
constexpr Operator kOperators[] = {
    {op::kEqual, Op::kEqual},
    {op::kNotEqual, Op::kNotEqual},
    {op::kLess, Op::kLess},
    {op::kLessOrEqual, Op::kLessOrEqual},
    {op::kGreater, Op::kGreater},
    {op::kGreaterOrEqual, Op::kGreaterOrEqual},
    {op::kAdd, Op::kAdd},
    {op::kSubtract, Op::kSubtract},
    {op::kMultiply, Op::kMultiply},
    {op::kDivide, Op::kDivide},
    {op::kModulo, Op::kModulo},
    {op::kIn, Op::kIn},
    {op::kIndex, Op::kIndex},
    {op::kOptionalIndex, Op::kOptionalIndex},
    {op::kNegate, Op::kNegate},
    {op::kNot, Op::kNot},
    {op::kNotStrictlyFalse, Op::kNotStrictlyFalse},
    {op::kAppend, Op::kAppend},
};

std::optional<Op> FindOperator(std::string_view name) {
  for (const Operator& candidate : kOperators) {
    if (candidate.name == name) return candidate.op;
  }
  return std::nullopt;
}

// What the comparison `a op b` is with the operands exchanged.
Op Flip(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreater;
    case Op::kLessOrEqual:
      return Op::kGreaterOrEqual;
    case Op::kGreater:
      return Op::kLess;
    case Op::kGreaterOrEqual:
      return Op::kLessOrEqual;
    default:
      return op;
  }
}

// A copy of `cell` that points into the memory of `context` only.
Cell Copy(const Cell& cell, Context& context) {
  switch (cell.kind()) {
    case Kind::kString:
      return context.CopyString(cell.text());
    case Kind::kBytes:
      return context.CopyBytes(cell.text());
    case Kind::kType: {
      const Cell name = context.CopyString(cell.text());
      return name.is_error() ? name : Cell::Type(name.text());
    }
    case Kind::kList: {
      Cell* const elements = context.Allocate<Cell>(cell.list_size());
      if (elements == nullptr) return context.LimitError();
      for (size_t i = 0; i < cell.list_size(); ++i) elements[i] = Copy(cell.At(i), context);
      return context.MakeList({elements, cell.list_size()});
    }
    case Kind::kMap: {
      const Cell keys = Elements(cell, context);
      if (keys.is_error()) return keys;
      MapBuilder builder(keys.list_size(), context);
      for (size_t i = 0; i < keys.list_size(); ++i) {
        const Cell added =
            builder.Add(Copy(keys.At(i), context), Copy(Index(cell, keys.At(i), context), context));
        if (added.is_error()) return added;
      }
      return builder.Build();
    }
    case Kind::kOptional:
      if (cell.optional_value() == nullptr) return cell;
      return MakeOptional(Copy(*cell.optional_value(), context), context);
    case Kind::kIp:
    case Kind::kCidr: {
      IpBytes* const address = context.Allocate<IpBytes>(1);
      if (address == nullptr) return context.LimitError();
      *address = cell.ip();
      return cell.kind() == Kind::kIp ? Cell::Ip(address, cell.is_v6())
                                      : Cell::Cidr(address, cell.is_v6(), cell.prefix());
    }
    default:
      return cell;
  }
}

class NoVariables final : public Variables {
 public:
  Cell Get(uint32_t, Context&) const override { return Cell::Error(ErrorCode::kNoSuchVariable); }
  Cell GetMember(uint32_t, std::string_view, Context&) const override {
    return Cell::Error(ErrorCode::kNoSuchVariable);
  }
};

// What is known of a node before code is made for it.
struct Facts {
  bool global = false;    // It reads a variable.
  bool changing = false;  // One that may change within a decision.
  bool named = false;     // It reads a named expression.
  bool costly = false;    // Worth keeping during a decision.
  // The outermost comprehension around it whose variables it reads, counted from 0.
  size_t outermost = SIZE_MAX;

  bool closed() const { return !global && outermost == SIZE_MAX; }
};

class Compiler {
 public:
  Compiler(const CompileOptions& options, std::vector<Defect>* defects,
           std::vector<Defect>* warnings, bool fold)
      : options_(options), defects_(defects), warnings_(warnings), fold_(fold) {
    memory_.Reset(std::numeric_limits<uint64_t>::max(), kMaxConstantBytes);
  }

  std::shared_ptr<const Program> Compile(const CheckedExpr& expr, ExprId root) {
    Unit& unit = UnitOf(expr);
    Emit(unit, root);
    Add({Op::kReturn});
    if (!failed_ && memory_.exhausted()) {
      Fail(expr.ast[root].place, "the constants of the expression are too large");
    }
    if (failed_) return nullptr;
    absl::StatusOr<std::shared_ptr<const Program>> program = Program::Make(&parts_);
    if (program.ok()) return *std::move(program);
    Fail(expr.ast[root].place,
         absl::StrCat("the expression cannot be compiled: ", program.status().message()));
    return nullptr;
  }

 private:
  // An expression, or a named one that it uses.
  struct Unit {
    const CheckedExpr* expr;
    std::vector<Facts> facts;
    std::vector<std::optional<std::optional<Cell>>> constants;  // By node, once it was tried.
  };
  using PathNames = absl::InlinedVector<std::string_view, 4>;
  struct Local {
    std::string_view name;
    uint32_t number;
  };
  struct Level {
    std::string_view name;
    size_t level;
  };

  // --- Facts ---

  Unit& UnitOf(const CheckedExpr& expr) {
    const auto [known, is_new] = units_.try_emplace(&expr);
    if (!is_new) return *known->second;
    known->second = std::make_unique<Unit>();
    Unit& unit = *known->second;  // stays where it is when others are added
    unit.expr = &expr;
    unit.facts.resize(expr.ast.nodes.size());
    unit.constants.resize(expr.ast.nodes.size());
    std::vector<Level> scope;
    Analyze(unit, expr.ast.root, &scope, 0);
    return unit;
  }

  const CheckedExpr* FindNamed(std::string_view name) const {
    if (options_.named == nullptr) return nullptr;
    const auto found = options_.named->find(name);
    return found == options_.named->end() ? nullptr : &found->second;
  }

  bool IsChanging(std::string_view name) const {
    return options_.changing != nullptr &&
           std::find(options_.changing->begin(), options_.changing->end(), name) !=
               options_.changing->end();
  }

  // `level` is how many comprehensions there are around the node.
  void Analyze(Unit& unit, ExprId id, std::vector<Level>* scope, size_t level) {
    const Expr& expr = unit.expr->ast[id];
    Facts facts;
    const auto add = [&](ExprId child, size_t child_level) {
      if (child == kNoExpr) return;
      Analyze(unit, child, scope, child_level);
      const Facts& of_child = unit.facts[child];
      facts.global |= of_child.global;
      facts.changing |= of_child.changing;
      facts.named |= of_child.named;
      facts.costly |= of_child.costly;
      facts.outermost = std::min(facts.outermost, of_child.outermost);
    };
    if (expr.kind == ExprKind::kIdent && !unit.expr->is_type[id]) {
      const auto local = std::find_if(scope->rbegin(), scope->rend(), [&expr](const Level& entry) {
        return entry.name == expr.name;
      });
      if (local != scope->rend()) {
        facts.outermost = local->level;
      } else {
        const std::string_view name = WithoutDot(expr.name);
        if (const CheckedExpr* const named = FindNamed(name); named != nullptr) {
          facts = UnitOf(*named).facts[named->ast.root];
          facts.named = true;
          facts.costly = true;
        } else {
          facts.global = true;
          facts.changing = IsChanging(name);
        }
      }
    }
    add(expr.operand, level);
    for (const ExprId argument : expr.args) add(argument, level);
    if (expr.kind == ExprKind::kCall) facts.costly |= IsCostly(expr.name);
    if (expr.kind == ExprKind::kComprehension) {
      const Comprehension& fold = *expr.comprehension;
      add(fold.range, level);
      add(fold.init, level);
      const size_t outer = scope->size();
      scope->push_back({fold.accumulator, level});
      if (fold.condition != kNoExpr) {
        scope->push_back({fold.variable, level});
        if (!fold.variable2.empty()) scope->push_back({fold.variable2, level});
        add(fold.condition, level + 1);
        add(fold.step, level + 1);
        scope->resize(outer + 1);
        facts.costly = true;
      }
      add(fold.result, level + 1);
      scope->resize(outer);
      // Its own variables are not seen from outside.
      if (facts.outermost != SIZE_MAX && facts.outermost >= level) facts.outermost = SIZE_MAX;
    }
    unit.facts[id] = facts;
  }

  // Of a function; operators are not.
  static bool IsCostly(std::string_view name) {
    if (FindOperator(name).has_value()) return false;
    const Function* const function = FindFunction(name);
    return function != nullptr && function->costly;
  }

  static std::string_view WithoutDot(std::string_view name) {
    return name.substr(0, 1) == "." ? name.substr(1) : name;
  }

  // What tells the node from all others in the set.
  std::string TextOf(const Unit& unit, ExprId id) const {
    return absl::StrCat(unit.facts[id].named ? options_.scope : "", ":",
                        ToString(unit.expr->ast, id));
  }

  // --- Constants ---

  // The value of a node that depends on nothing; nothing if it does, or has none.
  std::optional<Cell> Constant(Unit& unit, ExprId id) {
    std::optional<std::optional<Cell>>& known = unit.constants[id];
    if (!known.has_value()) known = FindConstant(unit, id);
    return *known;
  }

  std::optional<Cell> FindConstant(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    if (expr.kind == ExprKind::kLiteral) return OfLiteral(expr.literal);
    if (unit.expr->is_type[id]) return Kept(Cell::Type(expr.name));
    if (expr.kind == ExprKind::kIdent && unit.facts[id].named) {
      const CheckedExpr& named = *FindNamed(WithoutDot(expr.name));
      return Constant(UnitOf(named), named.ast.root);
    }
    if (!fold_ || !unit.facts[id].closed() || folds_ >= kMaxFolds || folds_cost_ >= kAllFoldsCost) {
      return std::nullopt;
    }
    ++folds_;
    folds_cost_ += kFoldCost;  // if it is too large
    std::vector<Defect> ignored;
    Compiler compiler(options_, &ignored, nullptr, /*fold=*/false);
    const std::shared_ptr<const Program> program = compiler.Compile(*unit.expr, id);
    if (program == nullptr) return std::nullopt;
    Machine machine;
    Machine::Room room;
    room.Add(*program);
    machine.Begin(kFoldCost, kFoldMemory, room);
    const Cell value = machine.Run(Link(*program, {}, {}, {}), NoVariables());
    folds_cost_ -= std::min(kFoldCost, machine.context().budget());
    folds_cost_ += program->code().size();
    if (!value.is_error()) return Kept(value);
    if (IsMistake(unit, id, value)) Warn(expr.place, MistakeIn(expr.name, value));
    return std::nullopt;
  }

  // Whether the constants of a function are such that it can never have a value.
  bool IsMistake(Unit& unit, ExprId id, const Cell& error) {
    const Expr& expr = unit.expr->ast[id];
    if (expr.kind != ExprKind::kCall) return false;
    if (error.error_code() != ErrorCode::kBadConversion &&
        error.error_code() != ErrorCode::kBadArgument &&
        error.error_code() != ErrorCode::kBadTimeZone) {
      return false;
    }
    return std::all_of(expr.args.begin(), expr.args.end(),
                       [&](ExprId argument) { return Constant(unit, argument).has_value(); });
  }

  // The error of a function of constants, and what to write.
  static std::string MistakeIn(std::string_view function, const Cell& error) {
    struct Example {
      std::string_view function;
      std::string_view text;
    };
    constexpr Example kExamples[] = {
        {"timestamp", "; write a time such as `2026-01-01T00:00:00Z`"},
        {"duration", "; write hours, minutes and seconds, such as `720h` or `1h30m`"},
        {"ip", "; write an address such as `10.0.0.1`"},
        {"cidr", "; write a network such as `10.0.0.0/8`"},
    };
    std::string message = absl::StrCat("this never has a value: ", Printable(ToString(error)));
    for (const Example& example : kExamples) {
      if (example.function == function) message.append(example.text);
    }
    return message;
  }

  // It points into the expression. Nothing if there is no room for more texts.
  std::optional<Cell> OfLiteral(const Literal& literal) {
    struct Visitor {
      Cell operator()(const NullLiteral&) const { return Cell::Null(); }
      Cell operator()(bool value) const { return Cell::Bool(value); }
      Cell operator()(int64_t value) const { return Cell::Int(value); }
      Cell operator()(uint64_t value) const { return Cell::Uint(value); }
      Cell operator()(double value) const { return Cell::Double(value); }
      Cell operator()(const std::string& value) const { return Cell::String(value); }
      Cell operator()(const BytesLiteral& value) const { return Cell::Bytes(value.bytes); }
    };
    const Cell cell = std::visit(Visitor(), literal);
    if (cell.kind() == Kind::kString || cell.kind() == Kind::kBytes) {
      literal_bytes_ += cell.text().size();
    }
    return Fits() ? std::optional<Cell>(cell) : std::nullopt;
  }

  // The cell, with what it points to kept in the program. Nothing if there is no room.
  std::optional<Cell> Kept(const Cell& cell) {
    const Cell copy = Copy(cell, memory_);
    if (copy.is_error() || memory_.exhausted() || !Fits()) return std::nullopt;
    return copy;
  }
  // Whether what constants point to is no more than it may be.
  bool Fits() const { return literal_bytes_ + memory_.used() <= kMaxConstantBytes; }

  uint32_t AddConstant(const Cell& cell) {
    parts_.constants.push_back(cell);
    return static_cast<uint32_t>(parts_.constants.size() - 1);
  }

  // --- Code ---

  void Fail(SourceRange place, std::string message) {
    failed_ = true;
    defects_->push_back({place, std::move(message)});
  }

  void Warn(SourceRange place, std::string message) {
    if (warnings_ != nullptr) warnings_->push_back({place, std::move(message)});
  }

  size_t Add(Instruction instruction) {
    parts_.code.push_back(instruction);
    return parts_.code.size() - 1;
  }

  void EmitConstant(const Cell& cell) { Add({Op::kConstant, 0, 0, AddConstant(cell)}); }

  // Lets the jump at `at` lead to what comes next.
  void Land(size_t at) { parts_.code[at].c = static_cast<uint32_t>(parts_.code.size()); }

  uint32_t VariableNumber(std::string_view name) {
    const auto found = std::find(parts_.variables.begin(), parts_.variables.end(), name);
    const auto number = static_cast<uint32_t>(found - parts_.variables.begin());
    if (found == parts_.variables.end()) parts_.variables.push_back(name);
    return number;
  }

  const Local* FindLocal(std::string_view name) const {
    const auto found = std::find_if(locals_.rbegin(), locals_.rend(),
                                    [name](const Local& local) { return local.name == name; });
    return found == locals_.rend() ? nullptr : &*found;
  }

  uint32_t AddLocal(std::string_view name) {
    const uint32_t number = next_local_++;
    locals_.push_back({name, number});
    return number;
  }

  // Leaves one cell more on the stack.
  void Emit(Unit& unit, ExprId id) {
    if (failed_) return;
    const Expr& expr = unit.expr->ast[id];
    if (parts_.code.size() > kMaxInstructions || depth_ > kMaxDepth) {
      return Fail(expr.place, "the expression is too large, with the named ones that it uses");
    }
    if (const std::optional<Cell> constant = Constant(unit, id); constant.has_value()) {
      return EmitConstant(*constant);
    }
    ++depth_;
    const Facts& facts = unit.facts[id];
    const bool shared = fold_ && facts.costly && facts.global && !facts.changing &&
                        facts.outermost == SIZE_MAX && IsCostlyItself(unit, id) &&
                        parts_.shared.size() < UINT16_MAX;
    if (shared) {
      const auto key = static_cast<uint16_t>(parts_.shared.size());
      parts_.shared.push_back(TextOf(unit, id));
      const size_t known = Add({Op::kShared, 0, key});
      EmitNode(unit, id);
      Add({Op::kKeep, 0, key});
      Land(known);
    } else {
      EmitNode(unit, id);
    }
    --depth_;
  }

  bool IsCostlyItself(const Unit& unit, ExprId id) const {
    const Expr& expr = unit.expr->ast[id];
    switch (expr.kind) {
      case ExprKind::kIdent:
        return true;  // a named expression
      case ExprKind::kComprehension:
        return true;
      case ExprKind::kCall:
        return IsCostly(expr.name);
      default:
        return false;
    }
  }

  void EmitNode(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    switch (expr.kind) {
      case ExprKind::kLiteral:
        return Fail(expr.place, "the constants of the expression are too large");
      case ExprKind::kIdent:
        return EmitIdent(unit, id);
      case ExprKind::kSelect:
        return EmitSelect(unit, id);
      case ExprKind::kCall:
        return EmitCall(unit, id);
      case ExprKind::kList:
        return EmitList(unit, id);
      case ExprKind::kMap:
        return EmitList(unit, id);
      case ExprKind::kComprehension:
        return EmitComprehension(unit, id);
    }
  }

  void EmitIdent(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    if (unit.expr->is_type[id]) {
      return Fail(expr.place, "the constants of the expression are too large");
    }
    if (const Local* local = FindLocal(expr.name); local != nullptr) {
      Add({Op::kLocal, 0, 0, local->number});
      return;
    }
    const std::string_view name = WithoutDot(expr.name);
    const CheckedExpr* const named = FindNamed(name);
    if (named == nullptr) {
      Add({Op::kVariable, 0, 0, VariableNumber(name)});
      return;
    }
    // The named expression does not see the local variables around its name.
    std::vector<Local> locals;
    std::swap(locals, locals_);
    Emit(UnitOf(*named), named->ast.root);
    std::swap(locals, locals_);
  }

  // The number of the variable that `id` is; nothing if it is none.
  std::optional<uint32_t> FindVariable(const Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    const std::string_view name = WithoutDot(expr.name);
    if (expr.kind != ExprKind::kIdent || unit.expr->is_type[id] ||
        FindLocal(expr.name) != nullptr || FindNamed(name) != nullptr) {
      return std::nullopt;
    }
    return VariableNumber(name);
  }

  // The number of the path that `id` is; nothing if it is none.
  std::optional<uint32_t> FindPath(Unit& unit, ExprId id) {
    PathNames names;
    ExprId at = id;
    while (true) {
      const Expr& expr = unit.expr->ast[at];
      if (expr.kind == ExprKind::kSelect && !expr.optional && !expr.test_only) {
        names.push_back(expr.name);
        at = expr.operand;
      } else if (expr.kind == ExprKind::kCall && expr.name == op::kIndex) {
        const Expr& key = unit.expr->ast[expr.args[1]];
        if (key.kind != ExprKind::kLiteral || !std::holds_alternative<std::string>(key.literal)) {
          return std::nullopt;
        }
        names.push_back(std::get<std::string>(key.literal));
        at = expr.args[0];
      } else {
        break;
      }
    }
    std::reverse(names.begin(), names.end());
    return PathOf(unit, at, names);
  }

  // The number of the path that `names` are from the variable `root`; nothing if that is none.
  std::optional<uint32_t> PathOf(Unit& unit, ExprId id, absl::Span<const std::string_view> names) {
    const std::optional<uint32_t> root = names.empty() ? std::nullopt : FindVariable(unit, id);
    if (!root.has_value()) return std::nullopt;
    const uint32_t variable = *root;
    for (size_t i = 0; i < parts_.paths.size(); ++i) {
      const Path& path = parts_.paths[i];
      const auto first = parts_.names.begin() + path.first;
      if (path.variable == variable &&
          std::equal(first, first + path.count, names.begin(), names.end(),
                     [](const Cell& a, std::string_view b) { return a.text() == b; })) {
        return static_cast<uint32_t>(i);
      }
    }
    parts_.paths.push_back({variable, static_cast<uint32_t>(parts_.names.size()),
                            static_cast<uint32_t>(names.size())});
    for (const std::string_view part : names) parts_.names.push_back(Cell::String(part));
    return static_cast<uint32_t>(parts_.paths.size() - 1);
  }

  void EmitSelect(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    if (!expr.optional && !expr.test_only) {
      if (const auto path = FindPath(unit, id); path.has_value()) {
        Add({Op::kPath, 0, 0, *path});
        return;
      }
    }
    if (expr.test_only && unit.expr->ast[expr.operand].kind == ExprKind::kIdent) {
      // `has(variable.name)` is asked of the path.
      if (const auto path = PathOf(unit, expr.operand, {expr.name});
          path.has_value() && *path <= UINT16_MAX) {
        Add({Op::kHasPath, 0, static_cast<uint16_t>(*path)});
        return;
      }
    }
    Emit(unit, expr.operand);
    Add({expr.test_only  ? Op::kHas
         : expr.optional ? Op::kOptionalSelect
                         : Op::kSelect,
         0, 0, AddConstant(Cell::String(expr.name))});
  }

  void EmitCall(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    if (expr.operand == kNoExpr) {
      if (expr.name == op::kAnd) return EmitLogical(unit, id, false);
      if (expr.name == op::kOr) return EmitLogical(unit, id, true);
      if (expr.name == op::kConditional) return EmitConditional(unit, id);
      if (expr.name == op::kPut) {
        for (const ExprId argument : expr.args) Emit(unit, argument);
        Add({Op::kPut, 0, loops_.empty() ? uint16_t{0} : loops_.back()});
        return;
      }
      if (const std::optional<Op> op = FindOperator(expr.name); op.has_value()) {
        return EmitOperator(unit, id, *op);
      }
    } else if ((expr.name == "or" || expr.name == "orValue") && expr.args.size() == 1) {
      Emit(unit, expr.operand);
      const uint8_t unwrap = expr.name == "orValue" ? 1 : 0;
      const size_t present = Add({Op::kJumpIfPresent, unwrap});
      Emit(unit, expr.args[0]);
      if (unwrap == 0) Add({Op::kOptional});
      Land(present);
      return;
    }
    EmitFunction(unit, id);
  }

  void EmitFunction(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    std::vector<ExprId> arguments;
    if (expr.operand != kNoExpr) arguments.push_back(expr.operand);
    arguments.insert(arguments.end(), expr.args.begin(), expr.args.end());
    if (expr.name == "matches" && arguments.size() == 2) {
      const std::optional<Cell> pattern = Constant(unit, arguments[1]);
      if (pattern.has_value() && pattern->kind() == Kind::kString) {
        auto regex = std::make_unique<Regex>(pattern->text());
        if (!regex->error().empty()) {
          return Fail(unit.expr->ast[arguments[1]].place,
                      absl::StrCat("this is no regular expression: ", Printable(regex->error())));
        }
        Emit(unit, arguments[0]);  // It may have expressions of its own.
        parts_.regexes.push_back({std::string(pattern->text()), std::move(regex)});
        Add({Op::kMatches, 0, 0, static_cast<uint32_t>(parts_.regexes.size() - 1)});
        return;
      }
    }
    if (EmitInZone(unit, id, arguments)) return;
    if (arguments.size() == 2) {
      if (expr.name == "startsWith") return EmitBinary(unit, Op::kStartsWith, arguments);
      if (expr.name == "endsWith") return EmitBinary(unit, Op::kEndsWith, arguments);
    }
    const Function* const function = FindFunction(expr.name);
    if (function == nullptr || arguments.size() > UINT8_MAX) {
      return Fail(expr.place, absl::StrCat("`", Printable(expr.name), "` cannot be called here"));
    }
    if (expr.name == "isIn" && arguments.size() == 2) {
      CheckNames(unit, arguments[1]);
      if (EmitIsIn(unit, arguments[0], arguments[1])) return;
    }
    for (const ExprId argument : arguments) Emit(unit, argument);
    Add({Op::kCall, static_cast<uint8_t>(arguments.size()), 0,
         static_cast<uint32_t>(function - Functions().data())});
  }

  // `time.getHours("Europe/Berlin")` and its like: the zone is looked up here.
  bool EmitInZone(Unit& unit, ExprId id, absl::Span<const ExprId> arguments) {
    const Expr& expr = unit.expr->ast[id];
    const auto parts = TimeFunctions();
    const bool part_of_time = std::any_of(
        parts.begin(), parts.end(), [&expr](const Function& f) { return f.name == expr.name; });
    if (!part_of_time || arguments.size() != 2) return false;
    const std::optional<Cell> name = Constant(unit, arguments[1]);
    if (!name.has_value() || name->kind() != Kind::kString) return false;
    const std::optional<absl::TimeZone> zone = FindTimeZone(name->text());
    if (!zone.has_value()) {
      Fail(unit.expr->ast[arguments[1]].place,
           absl::StrCat("`", Printable(name->text()),
                        "` is no time zone; write a name such as `Europe/Berlin`, an offset such "
                        "as `+01:00`, or `UTC`"));
      return true;
    }
    const auto number = static_cast<uint32_t>(parts_.zones.size());
    parts_.zones.push_back(*zone);
    Emit(unit, arguments[0]);
    const auto function = static_cast<uint32_t>(FindFunction(expr.name) - Functions().data());
    Add({Op::kLocalTime, 0, static_cast<uint16_t>(function), number});
    Add({Op::kCall, 1, 0, function});
    return true;
  }

  // `variable.isIn(names)`, of a path or a constant, in one instruction.
  bool EmitIsIn(Unit& unit, ExprId entity, ExprId names) {
    const std::optional<uint32_t> variable = FindVariable(unit, entity);
    if (!variable.has_value() || *variable > UINT16_MAX) return false;
    if (const std::optional<Cell> constant = Constant(unit, names); constant.has_value()) {
      Add({Op::kIsIn, 0, static_cast<uint16_t>(*variable), AddConstant(*constant)});
      return true;
    }
    const std::optional<uint32_t> path = FindPath(unit, names);
    if (!path.has_value() || *path > UINT16_MAX) return false;
    Add({Op::kIsInPath, 0, static_cast<uint16_t>(*path), *variable});
    return true;
  }

  // Reports names that `isIn` is asked about and that are none.
  void CheckNames(Unit& unit, ExprId names) {
    const std::optional<Cell> constant = Constant(unit, names);
    if (!constant.has_value()) return;
    const bool list = constant->kind() == Kind::kList;
    for (size_t i = 0; i < (list ? constant->list_size() : 1); ++i) {
      const Cell name = list ? constant->At(i) : *constant;
      if (name.kind() != Kind::kString) continue;
      const std::string shown = absl::StrCat("`", Printable(name.text()), "`");
      std::string mistake;
      if (name.text().substr(0, 5) == "role:") {
        mistake = absl::StrCat(shown, " is a role, which has no members; name a group");
      } else if (name.text().find(':') == std::string_view::npos) {
        mistake = absl::StrCat(shown, " names no entity; write `type:id`, such as `group:",
                               Printable(name.text()), "`");
      } else if (const absl::StatusOr<Pattern> pattern = Pattern::Entity(name.text());
                 !pattern.ok()) {
        mistake = std::string(pattern.status().message());
      } else if (pattern->kind() != Pattern::Kind::kLiteral) {
        mistake = absl::StrCat(shown, " is not the name of one entity; `isIn` takes no wildcards");
      }
      if (!mistake.empty()) Fail(unit.expr->ast[names].place, std::move(mistake));
    }
  }

  void EmitOperator(Unit& unit, ExprId id, Op op) {
    const Expr& expr = unit.expr->ast[id];
    if (op == Op::kIndex) {
      if (const auto path = FindPath(unit, id); path.has_value()) {
        Add({Op::kPath, 0, 0, *path});
        return;
      }
    }
    if (op == Op::kIn && EmitInSet(unit, id)) return;
    if (IsBinary(op)) return EmitBinary(unit, op, expr.args);
    for (const ExprId argument : expr.args) Emit(unit, argument);
    Add({op});
  }

  void EmitBinary(Unit& unit, Op op, absl::Span<const ExprId> operands) {
    if (EmitTest(unit, op, operands[0], operands[1])) return;
    Emit(unit, operands[0]);
    if (const std::optional<Cell> constant = Constant(unit, operands[1]); constant.has_value()) {
      Add({op, 1, 0, AddConstant(*constant)});
      return;
    }
    Emit(unit, operands[1]);
    Add({op});
  }

  // `x in [constants]` by a set of them.
  bool EmitInSet(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    const std::optional<Cell> list = Constant(unit, expr.args[1]);
    if (!list.has_value() || list->kind() != Kind::kList) return false;
    std::vector<Cell> set;
    for (size_t i = 0; i < list->list_size(); ++i) {
      const Cell element = list->At(i);
      if (element.kind() == Kind::kDouble && std::isnan(element.double_value())) continue;
      if (!CellSet::CanHold(element)) return false;
      set.push_back(element);
    }
    const auto number = static_cast<uint32_t>(parts_.sets.size());
    parts_.sets.push_back(std::move(set));
    if (const auto path = FindPath(unit, expr.args[0]); path.has_value() && *path <= UINT16_MAX) {
      Add({Op::kPathInSet, 0, static_cast<uint16_t>(*path), number});
      return true;
    }
    Emit(unit, expr.args[0]);
    Add({Op::kInSet, 0, 0, number});
    return true;
  }

  // A comparison of a path with a constant or another path, and its like, in one instruction.
  bool EmitTest(Unit& unit, Op op, ExprId left, ExprId right) {
    const bool is_in = op == Op::kIn;
    if (!is_in && !IsComparison(op) && op != Op::kStartsWith && op != Op::kEndsWith) return false;
    std::optional<Cell> constant = Constant(unit, is_in ? left : right);
    if (is_in) {
      if (!constant.has_value()) return false;
      std::swap(left, right);
    } else if (!constant.has_value() && IsComparison(op)) {
      constant = Constant(unit, left);
      if (constant.has_value()) {
        std::swap(left, right);
        op = Flip(op);
      }
    }
    const auto path = FindPath(unit, left);
    if (!path.has_value() || *path > UINT16_MAX) return false;
    const auto a = static_cast<uint8_t>(op);
    const auto b = static_cast<uint16_t>(*path);
    if (is_in) {
      Add({Op::kInPath, 0, b, AddConstant(*constant)});
      return true;
    }
    if (constant.has_value()) {
      Add({Op::kCompare, a, b, AddConstant(*constant)});
      return true;
    }
    const auto other = FindPath(unit, right);
    if (!other.has_value()) return false;
    Add({Op::kComparePaths, a, b, *other});
    return true;
  }

  // `a && b && …`, or `||` if `decisive`.
  void EmitLogical(Unit& unit, ExprId id, bool decisive) {
    const Expr& expr = unit.expr->ast[id];
    absl::InlinedVector<ExprId, 4> operands;
    for (const ExprId operand : expr.args) {
      const std::optional<Cell> constant = Constant(unit, operand);
      if (!constant.has_value() || constant->kind() != Kind::kBool) {
        operands.push_back(operand);
      } else if (constant->is_bool(decisive)) {
        return EmitConstant(*constant);
      }
    }
    if (operands.empty()) return EmitConstant(Cell::Bool(!decisive));
    absl::InlinedVector<size_t, 4> exits;
    for (size_t i = 0; i < operands.size(); ++i) {
      Emit(unit, operands[i]);
      if (i > 0) Add({decisive ? Op::kOr : Op::kAnd});
      if (i + 1 < operands.size()) {
        exits.push_back(Add({decisive ? Op::kJumpIfTrue : Op::kJumpIfFalse}));
      }
    }
    // An operand that is left alone must be a bool all the same.
    if (operands.size() == 1) exits.push_back(Add({Op::kJumpIfNotBool}));
    for (const size_t exit : exits) Land(exit);
  }

  void EmitConditional(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    const std::optional<Cell> constant = Constant(unit, expr.args[0]);
    if (constant.has_value() && constant->kind() == Kind::kBool) {
      return Emit(unit, expr.args[constant->bool_value() ? 1 : 2]);
    }
    Emit(unit, expr.args[0]);
    const size_t error = Add({Op::kJumpIfNotBool});
    const size_t otherwise = Add({Op::kPopJumpIfFalse});
    Emit(unit, expr.args[1]);
    const size_t end = Add({Op::kJump});
    Land(otherwise);
    Emit(unit, expr.args[2]);
    Land(error);
    Land(end);
  }

  void EmitList(Unit& unit, ExprId id) {
    const Expr& expr = unit.expr->ast[id];
    const bool map = expr.kind == ExprKind::kMap;
    const size_t size = map ? expr.args.size() / 2 : expr.args.size();
    if (size > UINT16_MAX) return Fail(expr.place, "the list is too long");
    for (const ExprId argument : expr.args) Emit(unit, argument);
    Instruction make = {map ? Op::kMap : Op::kList, 0, static_cast<uint16_t>(size), 0};
    if (!expr.optional_args.empty()) {
      make.a = 1;
      make.c = static_cast<uint32_t>(parts_.optional_flags.size());
      parts_.optional_flags.push_back(expr.optional_args);
    }
    Add(make);
  }

  // Leaves a loop if `condition` is false. Returns the jump.
  size_t EmitExit(Unit& unit, ExprId condition) {
    const auto call = [&unit](ExprId id, std::string_view name) {
      const Expr& expr = unit.expr->ast[id];
      return expr.kind == ExprKind::kCall && expr.operand == kNoExpr && expr.name == name;
    };
    if (call(condition, op::kNotStrictlyFalse)) {
      const ExprId inner = unit.expr->ast[condition].args[0];
      if (call(inner, op::kNot)) {
        Emit(unit, unit.expr->ast[inner].args[0]);
        return Add({Op::kPopJumpIfTrue});
      }
      condition = inner;
    }
    Emit(unit, condition);
    return Add({Op::kPopJumpIfFalse});
  }

  void EmitComprehension(Unit& unit, ExprId id) {
    const Comprehension& fold = *unit.expr->ast[id].comprehension;
    const size_t outer_locals = locals_.size();
    const uint32_t outer_next = next_local_;
    if (fold.condition == kNoExpr) {
      Emit(unit, fold.init);
      Add({Op::kStore, 0, 0, AddLocal(fold.accumulator)});
      Emit(unit, fold.result);
    } else {
      if (parts_.loops.size() > UINT16_MAX) {
        return Fail(unit.expr->ast[id].place, "there are too many comprehensions");
      }
      const auto number = static_cast<uint16_t>(parts_.loops.size());
      parts_.loops.emplace_back();
      Emit(unit, fold.range);
      const size_t walk = Add({Op::kLoop, 0, number});
      Emit(unit, fold.init);
      const uint32_t accumulator = AddLocal(fold.accumulator);
      Add({Op::kStore, 0, 0, accumulator});
      const uint32_t variable = AddLocal(fold.variable);
      const uint32_t variable2 = fold.variable2.empty() ? kNoLocal : AddLocal(fold.variable2);
      const size_t next = Add({Op::kNext, 0, number});
      std::vector<size_t> exits = {next};
      loops_.push_back(number);
      const std::optional<Cell> always = Constant(unit, fold.condition);
      if (!always.has_value() || !always->is_bool(true)) {
        exits.push_back(EmitExit(unit, fold.condition));
      }
      Emit(unit, fold.step);
      Add({Op::kStore, 0, 0, accumulator});
      Add({Op::kJump, 0, 0, static_cast<uint32_t>(next)});
      loops_.pop_back();
      for (const size_t exit : exits) Land(exit);
      parts_.loops[number] = {variable, variable2};
      locals_.resize(outer_locals + 1);  // the result sees the accumulator
      Emit(unit, fold.result);
      Land(walk);
    }
    locals_.resize(outer_locals);
    next_local_ = outer_next;
  }

  const CompileOptions& options_;
  std::vector<Defect>* const defects_;
  std::vector<Defect>* const warnings_;
  const bool fold_;
  // What constants point to that are none of the expressions' own.
  Context memory_;
  size_t literal_bytes_ = 0;
  ProgramParts parts_;
  absl::flat_hash_map<const CheckedExpr*, std::unique_ptr<Unit>> units_;
  std::vector<Local> locals_;
  std::vector<uint16_t> loops_;  // Around what is compiled.
  uint32_t next_local_ = 0;
  int depth_ = 0;
  int folds_ = 0;
  uint64_t folds_cost_ = 0;
  bool failed_ = false;
};

}  // namespace

std::shared_ptr<const Program> Compile(const CheckedExpr& expr, const CompileOptions& options,
                                       std::vector<Defect>* defects,
                                       std::vector<Defect>* warnings) {
  Compiler compiler(options, defects, warnings, /*fold=*/true);
  return compiler.Compile(expr, expr.ast.root);
}

}  // namespace reeve::cel
