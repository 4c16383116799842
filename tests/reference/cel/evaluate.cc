#include "reeve/tests/reference/cel/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "reeve/tests/reference/cel/functions.h"
#include "tests/reference/cel/value.h"

namespace reeve::reference {
namespace {

using cel::Expr;
using cel::ExprId;
using cel::ExprKind;
using cel::kNoExpr;
namespace op = cel::op;

constexpr int kMaxDepth = 64;  // Of lists, maps and optionals in each other; as cell.h says.

constexpr int64_t kIntMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kIntMax = std::numeric_limits<int64_t>::max();
constexpr uint64_t kUintMax = std::numeric_limits<uint64_t>::max();

bool IsBool(const Outcome& outcome, bool wanted) {
  if (outcome.is_error) return false;
  const auto* value = outcome.value->As<bool>();
  return value != nullptr && *value == wanted;
}

Outcome None() { return Ok(RefValue::Variant(RefOptional{})); }
Outcome Some(RefValue value) { return Ok(RefValue::Variant(RefOptional{{std::move(value)}})); }
Outcome Incomplete() { return Fail("not all elements are known"); }

// How many steps a value takes to make.
uint64_t Weight(const RefValue& value) {
  uint64_t weight = 1;
  if (const auto* text = value.As<std::string>()) weight += text->size() / 16;
  if (const auto* bytes = value.As<RefBytes>()) weight += bytes->bytes.size() / 16;
  if (const auto* list = value.As<RefList>()) {
    for (const RefValue& element : list->elements) weight += Weight(element);
  }
  if (const auto* map = value.As<RefMap>()) {
    for (const RefEntry& entry : map->entries) weight += Weight(entry.key) + Weight(entry.value);
  }
  if (const auto* optional = value.As<RefOptional>()) {
    for (const RefValue& held : optional->value) weight += Weight(held);
  }
  return weight;
}

// ---- Operators ----

Outcome CheckDepth(RefValue value) {
  if (Depth(value) > kMaxDepth) return Fail("too deep");
  return Ok(std::move(value));
}

Outcome OfInts(Wide number) {
  if (number < kIntMin || number > kIntMax) return Fail("overflow");
  return Ok(static_cast<int64_t>(number));
}

Outcome OfUints(Wide number) {
  if (number < 0 || number > Wide{kUintMax}) return Fail("overflow");
  return Ok(static_cast<uint64_t>(number));
}

Outcome OfDurations(Wide nanos) {
  if (nanos < kIntMin || nanos > kIntMax) return Fail("overflow");
  return Ok(RefValue::Variant(RefDuration{nanos}));
}

Outcome OfTimestamps(Wide nanos) {
  const Wide first = ToUnixSeconds({1, 1, 1, 0, 0, 0, 0, 0}) * kNanosPerSecond;
  const Wide end = ToUnixSeconds({10000, 1, 1, 0, 0, 0, 0, 0}) * kNanosPerSecond;
  if (nanos < first || nanos >= end) return Fail("overflow");
  return Ok(RefValue::Variant(RefTimestamp{nanos}));
}

// `+ - * / %` of two numbers of one type.
Outcome Arithmetic(std::string_view name, const RefValue& a, const RefValue& b) {
  if (a.As<double>() != nullptr && b.As<double>() != nullptr) {
    const double x = *a.As<double>();
    const double y = *b.As<double>();
    if (name == op::kAdd) return Ok(x + y);
    if (name == op::kSubtract) return Ok(x - y);
    if (name == op::kMultiply) return Ok(x * y);
    if (name != op::kDivide) return NoOverload(name);
    if (y == 0) {  // As IEEE 754 has it.
      if (x == 0 || std::isnan(x)) return Ok(std::numeric_limits<double>::quiet_NaN());
      return Ok(std::signbit(x) == std::signbit(y) ? HUGE_VAL : -HUGE_VAL);
    }
    return Ok(x / y);
  }
  Wide x = 0;
  Wide y = 0;
  const bool ints = a.As<int64_t>() != nullptr && b.As<int64_t>() != nullptr;
  if (ints) {
    x = *a.As<int64_t>();
    y = *b.As<int64_t>();
  } else if (a.As<uint64_t>() != nullptr && b.As<uint64_t>() != nullptr) {
    x = *a.As<uint64_t>();
    y = *b.As<uint64_t>();
  } else {
    return NoOverload(name);
  }
  Wide result = 0;
  if (name == op::kAdd) {
    result = x + y;
  } else if (name == op::kSubtract) {
    result = x - y;
  } else if (name == op::kMultiply) {
    // Two naturals can be more than a signed 128-bit number is.
    if (x > 0 && y > 0 && x > (Wide{1} << 64) / y) return Fail("overflow");
    result = x * y;
  } else if (y == 0) {
    return Fail("division by zero");
  } else if (name == op::kDivide) {
    result = x / y;
  } else {
    if (ints && x == kIntMin && y == -1) return Fail("overflow");
    result = x % y;
  }
  return ints ? OfInts(result) : OfUints(result);
}

Outcome Add(const RefValue& a, const RefValue& b) {
  if (a.As<std::string>() != nullptr && b.As<std::string>() != nullptr) {
    return Ok(RefValue::Variant(*a.As<std::string>() + *b.As<std::string>()));
  }
  if (a.As<RefBytes>() != nullptr && b.As<RefBytes>() != nullptr) {
    return Ok(RefValue::Variant(RefBytes{a.As<RefBytes>()->bytes + b.As<RefBytes>()->bytes}));
  }
  if (a.As<RefList>() != nullptr && b.As<RefList>() != nullptr) {
    RefList sum = *a.As<RefList>();
    const RefList& more = *b.As<RefList>();
    if (sum.partial || more.partial) return Incomplete();
    sum.elements.insert(sum.elements.end(), more.elements.begin(), more.elements.end());
    return Ok(RefValue::Variant(std::move(sum)));
  }
  if (const auto* x = a.As<RefDuration>()) {
    if (const auto* y = b.As<RefDuration>()) return OfDurations(x->nanos + y->nanos);
    if (const auto* y = b.As<RefTimestamp>()) return OfTimestamps(x->nanos + y->nanos);
  }
  if (const auto* x = a.As<RefTimestamp>()) {
    if (const auto* y = b.As<RefDuration>()) return OfTimestamps(x->nanos + y->nanos);
  }
  return Arithmetic(op::kAdd, a, b);
}

Outcome Subtract(const RefValue& a, const RefValue& b) {
  if (const auto* x = a.As<RefDuration>()) {
    if (const auto* y = b.As<RefDuration>()) return OfDurations(x->nanos - y->nanos);
  }
  if (const auto* x = a.As<RefTimestamp>()) {
    if (const auto* y = b.As<RefDuration>()) return OfTimestamps(x->nanos - y->nanos);
    if (const auto* y = b.As<RefTimestamp>()) return OfDurations(x->nanos - y->nanos);
  }
  return Arithmetic(op::kSubtract, a, b);
}

Outcome Negate(const RefValue& a) {
  if (const auto* x = a.As<int64_t>()) return OfInts(-Wide{*x});
  if (const auto* x = a.As<double>()) return Ok(-*x);
  return NoOverload(op::kNegate);
}

Outcome Ordering(const std::string& name, const RefValue& a, const RefValue& b) {
  const std::optional<int> order = Compare(a, b);
  if (!order.has_value()) return NoOverload(name);
  if (*order == 2) return Ok(false);  // NaN is neither less nor more than anything, nor the same.
  if (name == op::kLess) return Ok(*order < 0);
  if (name == op::kLessOrEqual) return Ok(*order <= 0);
  if (name == op::kGreater) return Ok(*order > 0);
  return Ok(*order >= 0);
}

// Whether a key that was not found may be there.
bool MayHave(const RefMap& map, const RefValue& key) {
  const auto* name = key.As<std::string>();
  return map.partial && (name == nullptr || std::find(map.absent.begin(), map.absent.end(),
                                                      *name) == map.absent.end());
}

Outcome In(const RefValue& element, const RefValue& container) {
  if (const auto* list = container.As<RefList>()) {
    for (const RefValue& other : list->elements) {
      Outcome same = Equal(other, element);
      if (same.is_error || IsBool(same, true)) return same;
    }
    return list->partial ? Incomplete() : Ok(false);
  }
  if (const auto* map = container.As<RefMap>()) {
    for (const RefEntry& entry : map->entries) {
      if (IsBool(Equal(entry.key, element), true)) return Ok(true);
    }
    return MayHave(*map, element) ? Incomplete() : Ok(false);
  }
  return NoOverload(op::kIn);
}

// What an index or a name finds. A value, nothing, or an error if the container has no such thing
// as an element of this key.
struct Found {
  std::optional<RefValue> value;
  std::optional<Outcome> error;
};

Found Find(const RefValue& container, const RefValue& key) {
  if (const auto* map = container.As<RefMap>()) {
    for (const RefEntry& entry : map->entries) {
      if (IsBool(Equal(entry.key, key), true)) return {entry.value, std::nullopt};
    }
    if (MayHave(*map, key)) return {std::nullopt, Incomplete()};
    return {};
  }
  if (const auto* list = container.As<RefList>()) {
    if (!IsNumber(key)) return {std::nullopt, NoOverload(op::kIndex)};
    if (const auto* real = key.As<double>()) {
      if (!std::isfinite(*real) || std::trunc(*real) != *real) {
        return {std::nullopt, Fail("not an index")};
      }
    }
    for (size_t i = 0; i < list->elements.size(); ++i) {
      if (CompareNumbers(key, {uint64_t{i}}) == 0) return {list->elements[i], std::nullopt};
    }
    if (list->partial) return {std::nullopt, Incomplete()};
    return {};
  }
  return {std::nullopt, NoOverload(op::kIndex)};
}

// `container[key]`, and `container[?key]` if `optional`.
Outcome Index(const RefValue& container, const RefValue& key, bool optional) {
  if (const auto* outer = container.As<RefOptional>()) {
    if (outer->value.empty()) return None();
    const Found found = Find(outer->value[0], key);
    if (found.error.has_value()) return *found.error;
    return found.value.has_value() ? Some(*found.value) : None();
  }
  const Found found = Find(container, key);
  if (found.error.has_value()) return *found.error;
  if (!found.value.has_value()) return optional ? None() : Fail("no such key");
  if (optional) return CheckDepth(*Some(*found.value).value);
  return Ok(*found.value);
}

Outcome Select(const RefValue& container, const std::string& name, bool optional) {
  const RefValue* holder = &container;
  if (const auto* outer = container.As<RefOptional>(); outer != nullptr && !outer->value.empty()) {
    holder = &outer->value[0];
  }
  if (holder->As<RefMap>() == nullptr && holder->As<RefOptional>() == nullptr) {
    return Fail("no such field: " + name);
  }
  return Index(container, {name}, optional);
}

Outcome HasField(const RefValue& container, const std::string& name) {
  if (container.As<RefMap>() == nullptr && container.As<RefOptional>() == nullptr) {
    return Fail("no such field: " + name);
  }
  const Outcome found = Select(container, name, true);
  if (found.is_error) return found;
  return Ok(!found.value->As<RefOptional>()->value.empty());
}

// Adds an entry; returns why it cannot.
std::optional<Outcome> Put(const RefValue& key, const RefValue& value, RefMap* map) {
  if (key.As<bool>() == nullptr && key.As<int64_t>() == nullptr && key.As<uint64_t>() == nullptr &&
      key.As<std::string>() == nullptr) {
    return Fail("bad key");
  }
  for (const RefEntry& entry : map->entries) {
    if (IsBool(Equal(entry.key, key), true)) return Fail("duplicate key");
  }
  map->entries.push_back({key, value});
  return std::nullopt;
}

// ---- Expressions ----

class Evaluator {
 public:
  Evaluator(const cel::Ast& ast, const Scope& scope) : ast_(ast), scope_(scope) {
    steps_.left = scope.max_steps;
  }

  Outcome Run() { return Evaluate(ast_.root); }

 private:
  // A name that a macro made. The value of cel.bind() may be an error.
  struct Local {
    std::string name;
    Outcome outcome;
  };

  // One element of what a macro walks.
  struct Step {
    RefValue
        first;  // The element, or the key of a map; of macros of two variables the index or key.
    RefValue second;  // Of macros of two variables.
  };

  struct Walk {
    std::vector<Step> steps;
    bool partial = false;
  };

  // Once this came out nothing else can: each further expression ends the same.
  Outcome Spent() {
    steps_.spent = true;
    return {std::nullopt, true, true, "too many steps"};
  }

  Outcome Evaluate(ExprId id) {
    if (!steps_.Take(1)) return Spent();
    const Expr& expr = ast_[id];
    Outcome outcome;
    switch (expr.kind) {
      case ExprKind::kLiteral:
        outcome = OfLiteral(expr.literal);
        break;
      case ExprKind::kIdent:
        outcome = OfName(id);
        break;
      case ExprKind::kSelect:
        outcome = OfSelect(id);
        break;
      case ExprKind::kCall:
        outcome = OfCall(expr);
        break;
      case ExprKind::kList:
        outcome = OfList(expr);
        break;
      case ExprKind::kMap:
        outcome = OfMap(expr);
        break;
      case ExprKind::kComprehension:
        outcome = Fail("an expanded macro");
        break;
    }
    if (!outcome.is_error && !steps_.Take(Weight(*outcome.value))) return Spent();
    return outcome;
  }

  static Outcome OfLiteral(const cel::Literal& literal) {
    if (std::get_if<cel::NullLiteral>(&literal) != nullptr) return Ok(RefValue::Variant(RefNull{}));
    if (const auto* x = std::get_if<bool>(&literal)) return Ok(*x);
    if (const auto* x = std::get_if<int64_t>(&literal)) return Ok(*x);
    if (const auto* x = std::get_if<uint64_t>(&literal)) return Ok(*x);
    if (const auto* x = std::get_if<double>(&literal)) return Ok(*x);
    if (const auto* x = std::get_if<std::string>(&literal)) return Ok(RefValue::Variant(*x));
    return Ok(RefValue::Variant(RefBytes{std::get<cel::BytesLiteral>(literal).bytes}));
  }

  // ---- Names ----

  const Outcome* FindLocal(const std::string& name) const {
    for (auto local = locals_.rbegin(); local != locals_.rend(); ++local) {
      if (local->name == name) return &local->outcome;
    }
    return nullptr;
  }

  // The names of `a.b.c`, from left to right; nothing if it is more than names.
  std::vector<std::string> Chain(ExprId id) const {
    std::vector<std::string> names;
    for (;;) {
      const Expr& expr = ast_[id];
      names.insert(names.begin(), expr.name);
      if (expr.kind == ExprKind::kIdent) return names;
      if (expr.kind != ExprKind::kSelect || expr.optional || expr.test_only) return {};
      id = expr.operand;
    }
  }

  // `name` in the container, then in what is around it, then alone.
  std::vector<std::string> Candidates(const std::string& name) const {
    if (name[0] == '.') return {name.substr(1)};
    std::vector<std::string> candidates;
    for (std::string container = scope_.container; !container.empty();) {
      candidates.push_back(container + "." + name);
      const size_t dot = container.rfind('.');
      container = dot == std::string::npos ? "" : container.substr(0, dot);
    }
    candidates.push_back(name);
    return candidates;
  }

  std::optional<RefValue> Resolve(const std::string& name) const {
    for (const std::string& candidate : Candidates(name)) {
      const auto variable = scope_.variables.find(candidate);
      if (variable != scope_.variables.end()) return variable->second;
      for (const char* type : {"null_type", "bool", "int", "uint", "double", "string", "bytes",
                               "list", "map", "type", "google.protobuf.Timestamp",
                               "google.protobuf.Duration", "optional_type", "net.IP", "net.CIDR"}) {
        if (candidate == type) return RefValue{RefType{candidate}};
      }
    }
    return std::nullopt;
  }

  Outcome OfName(ExprId id) {
    const std::string& name = ast_[id].name;
    if (const Outcome* local = FindLocal(name)) return *local;
    const std::optional<RefValue> found = Resolve(name);
    return found.has_value() ? Ok(*found) : Fail("unknown name: " + name);
  }

  Outcome OfSelect(ExprId id) {
    const Expr& expr = ast_[id];
    const std::vector<std::string> names = Chain(id);
    if (!names.empty() && FindLocal(names[0]) == nullptr) {
      // The longest name that means something; the others are fields of it.
      for (size_t length = names.size(); length > 0; --length) {
        std::string name = names[0];
        for (size_t i = 1; i < length; ++i) name += "." + names[i];
        const std::optional<RefValue> found = Resolve(name);
        if (!found.has_value()) continue;
        Outcome outcome = Ok(*found);
        for (size_t i = length; i < names.size() && !outcome.is_error; ++i) {
          outcome = Select(*outcome.value, names[i], false);
        }
        return outcome;
      }
      return Fail("unknown name: " + names[0]);
    }
    const Outcome operand = Evaluate(expr.operand);
    if (operand.is_error) return operand;
    if (expr.test_only) return HasField(*operand.value, expr.name);
    return Select(*operand.value, expr.name, expr.optional);
  }

  // ---- Lists and maps ----

  Outcome OfList(const Expr& expr) {
    RefList list;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      const Outcome element = Evaluate(expr.args[i]);
      if (element.is_error) return element;
      if (expr.optional_args.empty() || !expr.optional_args[i]) {
        list.elements.push_back(*element.value);
        continue;
      }
      const auto* optional = element.value->As<RefOptional>();
      if (optional == nullptr) return Fail("not an optional");
      if (!optional->value.empty()) list.elements.push_back(optional->value[0]);
    }
    return CheckDepth({std::move(list)});
  }

  Outcome OfMap(const Expr& expr) {
    RefMap map;
    for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
      const Outcome key = Evaluate(expr.args[i]);
      if (key.is_error) return key;
      const Outcome value = Evaluate(expr.args[i + 1]);
      if (value.is_error) return value;
      RefValue held = *value.value;
      if (!expr.optional_args.empty() && expr.optional_args[i / 2]) {
        const auto* optional = value.value->As<RefOptional>();
        if (optional == nullptr) return Fail("not an optional");
        if (optional->value.empty()) continue;
        held = RefValue(optional->value[0]);
      }
      if (const auto error = Put(*key.value, held, &map)) return *error;
    }
    return CheckDepth({std::move(map)});
  }

  // ---- Calls ----

  Outcome OfCall(const Expr& expr) {
    const std::string& name = expr.name;
    if (expr.operand == kNoExpr) {
      if (name == op::kAnd) return Logical(expr, false);
      if (name == op::kOr) return Logical(expr, true);
      if (name == op::kConditional) return Conditional(expr);
      if (name == "has") return HasMacro(expr);
      if (const auto outcome = Operator(expr)) return *outcome;
      return Call(name[0] == '.' ? name.substr(1) : name, false, kNoExpr, expr.args);
    }
    if (IsOfCel(expr, "bind", 3)) return Bind(expr);
    if (IsOfCel(expr, "block", 2)) return Block(expr);
    if (const std::optional<std::string> made = MadeName(expr)) {
      const Outcome* local = FindLocal(*made);
      return local == nullptr ? Fail("unknown name: " + *made) : *local;
    }
    if (const auto outcome = Macro(expr)) return *outcome;
    const std::vector<std::string> names = Chain(expr.operand);
    if (!names.empty()) {
      std::string full;
      for (const std::string& part : names) full += part + ".";
      full += name;
      if (full[0] == '.') full.erase(0, 1);
      if (IsFunction(full, false)) return Call(full, false, kNoExpr, expr.args);
    }
    if (name == "or" || name == "orValue") return Or(expr);
    if (name == "isIn") return IsIn(expr);
    return Call(name, true, expr.operand, expr.args);
  }

  Outcome Call(const std::string& name, bool member, ExprId operand,
               const std::vector<ExprId>& args) {
    Arguments values;
    std::vector<ExprId> all = args;
    if (member) all.insert(all.begin(), operand);
    for (const ExprId arg : all) {
      const Outcome value = Evaluate(arg);
      if (value.is_error) return value;
      values.push_back(*value.value);
    }
    const Outcome outcome = CallFunction(name, member, values, &steps_);
    if (outcome.is_error) return outcome;
    return CheckDepth(*outcome.value);
  }

  // `&&` and `||`: `decisive` is what settles it whatever the others are.
  Outcome Logical(const Expr& expr, bool decisive) {
    std::optional<Outcome> error;
    for (const ExprId arg : expr.args) {
      const Outcome value = Evaluate(arg);
      if (value.limit) return value;
      if (IsBool(value, decisive)) return value;
      if (!IsBool(value, !decisive)) error = value.is_error ? value : Fail("not a bool");
    }
    return error.has_value() ? *error : Ok(!decisive);
  }

  Outcome Conditional(const Expr& expr) {
    const Outcome condition = Evaluate(expr.args[0]);
    if (condition.is_error) return condition;
    if (IsBool(condition, true)) return Evaluate(expr.args[1]);
    if (IsBool(condition, false)) return Evaluate(expr.args[2]);
    return Fail("not a bool");
  }

  // Nothing if it is none.
  std::optional<Outcome> Operator(const Expr& expr) {
    static const std::string_view kOperators[] = {
        op::kNot,      op::kNegate,         op::kAdd,         op::kSubtract,
        op::kMultiply, op::kDivide,         op::kModulo,      op::kEqual,
        op::kNotEqual, op::kLess,           op::kLessOrEqual, op::kGreater,
        op::kIn,       op::kGreaterOrEqual, op::kIndex,       op::kOptionalIndex};
    const std::string& name = expr.name;
    if (std::find(std::begin(kOperators), std::end(kOperators), name) == std::end(kOperators)) {
      return std::nullopt;
    }
    std::vector<RefValue> values;
    for (const ExprId arg : expr.args) {
      const Outcome value = Evaluate(arg);
      if (value.is_error) return value;
      values.push_back(*value.value);
    }
    const RefValue& a = values[0];
    if (name == op::kNegate) return Negate(a);
    if (name == op::kNot) {
      return a.As<bool>() == nullptr ? NoOverload(name) : Ok(!*a.As<bool>());
    }
    const RefValue& b = values[1];
    if (name == op::kAdd) return Add(a, b);
    if (name == op::kSubtract) return Subtract(a, b);
    if (name == op::kMultiply || name == op::kDivide || name == op::kModulo) {
      return Arithmetic(name, a, b);
    }
    if (name == op::kEqual) return Equal(a, b);
    if (name == op::kNotEqual) {
      const Outcome same = Equal(a, b);
      return same.is_error ? same : Ok(IsBool(same, false));
    }
    if (name == op::kIn) return In(a, b);
    if (name == op::kIndex) return Index(a, b, false);
    if (name == op::kOptionalIndex) return Index(a, b, true);
    return Ordering(name, a, b);
  }

  // `a.or(b)` and `a.orValue(b)`: the second only if it is needed.
  Outcome Or(const Expr& expr) {
    if (expr.args.size() != 1) return NoOverload(expr.name);
    const Outcome left = Evaluate(expr.operand);
    if (left.is_error) return left;
    const auto* optional = left.value->As<RefOptional>();
    if (optional == nullptr) return NoOverload(expr.name);
    const bool unwrap = expr.name == "orValue";
    if (!optional->value.empty()) return unwrap ? Ok(optional->value[0]) : left;
    const Outcome right = Evaluate(expr.args[0]);
    if (right.is_error || unwrap) return right;
    return right.value->As<RefOptional>() == nullptr ? NoOverload(expr.name) : right;
  }

  Outcome IsIn(const Expr& expr) {
    if (expr.args.size() != 1) return NoOverload(expr.name);
    const Outcome entity = Evaluate(expr.operand);
    if (entity.is_error) return entity;
    const Outcome argument = Evaluate(expr.args[0]);
    if (argument.is_error) return argument;
    const auto* map = entity.value->As<RefMap>();
    if (map == nullptr || map->entity.empty() || !scope_.is_in) return NoOverload(expr.name);
    if (const auto* name = argument.value->As<std::string>()) {
      return scope_.is_in(*entity.value, *name);
    }
    const auto* names = argument.value->As<RefList>();
    if (names == nullptr) return NoOverload(expr.name);
    std::optional<Outcome> error;
    if (names->partial) error = Incomplete();
    for (const RefValue& name : names->elements) {
      const auto* text = name.As<std::string>();
      const Outcome found =
          text == nullptr ? NoOverload(expr.name) : scope_.is_in(*entity.value, *text);
      if (IsBool(found, true)) return found;
      if (found.is_error) error = found;
    }
    return error.has_value() ? *error : Ok(false);
  }

  // ---- Macros ----

  Outcome HasMacro(const Expr& expr) {
    if (expr.args.size() != 1) return Fail("misuse of has()");
    const Expr& field = ast_[expr.args[0]];
    if (field.kind != ExprKind::kSelect || field.optional) return Fail("misuse of has()");
    const Outcome operand = Evaluate(field.operand);
    return operand.is_error ? operand : HasField(*operand.value, field.name);
  }

  bool IsOfCel(const Expr& expr, const std::string& name, size_t arguments) const {
    return expr.kind == ExprKind::kCall && expr.operand != kNoExpr && expr.name == name &&
           expr.args.size() == arguments && ast_[expr.operand].kind == ExprKind::kIdent &&
           ast_[expr.operand].name == "cel";
  }

  // Of cel.index(0), cel.iterVar(0, 1), cel.accuVar(0, 1): a name that nobody can write.
  std::optional<std::string> MadeName(const Expr& expr) const {
    if (!IsOfCel(expr, "index", 1) && !IsOfCel(expr, "iterVar", 2) &&
        !IsOfCel(expr, "accuVar", 2)) {
      return std::nullopt;
    }
    std::string name = "@" + expr.name;
    for (const ExprId arg : expr.args) {
      const auto* number = std::get_if<int64_t>(&ast_[arg].literal);
      if (ast_[arg].kind != ExprKind::kLiteral || number == nullptr) return std::nullopt;
      name += ":" + std::to_string(*number);
    }
    return name;
  }

  // cel.block([value, ...], body): each value, and the body, see those before it as cel.index(n).
  Outcome Block(const Expr& expr) {
    const Expr& values = ast_[expr.args[0]];
    if (values.kind != ExprKind::kList || !values.optional_args.empty()) {
      return Fail("misuse of cel.block()");
    }
    const size_t before = locals_.size();
    for (size_t i = 0; i < values.args.size(); ++i) {
      Outcome value = Evaluate(values.args[i]);
      locals_.push_back({"@index:" + std::to_string(i), std::move(value)});
    }
    Outcome outcome = Evaluate(expr.args[1]);
    locals_.resize(before);
    return outcome;
  }

  // The name that a macro's argument declares.
  std::optional<std::string> Variable(ExprId id) const {
    const Expr& expr = ast_[id];
    if (const std::optional<std::string> made = MadeName(expr)) return made;
    if (expr.kind != ExprKind::kIdent || expr.name[0] == '.') return std::nullopt;
    return expr.name;
  }

  // With one or two more names. `values` are as many as `names`.
  Outcome With(const std::vector<std::string>& names, std::vector<Outcome> values, ExprId id) {
    const size_t before = locals_.size();
    for (size_t i = 0; i < names.size(); ++i) locals_.push_back({names[i], std::move(values[i])});
    Outcome outcome = Evaluate(id);
    locals_.resize(before);
    return outcome;
  }

  Outcome With(const std::vector<std::string>& names, const Step& step, ExprId id) {
    if (names.size() == 1) return With(names, {Ok(step.first)}, id);
    return With(names, {Ok(step.first), Ok(step.second)}, id);
  }

  Outcome Bind(const Expr& expr) {
    const std::optional<std::string> name = Variable(expr.args[0]);
    if (!name.has_value()) return Fail("misuse of cel.bind()");
    // It matters only if it is used.
    return With({*name}, {Evaluate(expr.args[1])}, expr.args[2]);
  }

  // Nothing if it is none.
  std::optional<Outcome> Macro(const Expr& expr) {
    const std::string& name = expr.name;
    const size_t count = expr.args.size();
    if (count == 2 && (name == "optMap" || name == "optFlatMap")) return OptionalMap(expr);
    if (count == 2 && name == "sortBy") return SortBy(expr);
    size_t variables = 0;
    if (name == "all" || name == "exists" || name == "exists_one" || name == "existsOne") {
      if (count == 2 || count == 3) variables = count - 1;
    } else if (name == "filter") {
      if (count == 2) variables = 1;
    } else if (name == "map") {
      if (count == 2 || count == 3) variables = 1;
    } else if (name == "transformList" || name == "transformMap" || name == "transformMapEntry") {
      if (count == 3 || count == 4) variables = 2;
    }
    if (variables == 0) return std::nullopt;

    std::vector<std::string> names;
    for (size_t i = 0; i < variables; ++i) {
      const std::optional<std::string> variable = Variable(expr.args[i]);
      if (!variable.has_value()) return Fail("misuse of " + name);
      names.push_back(*variable);
    }
    if (variables == 2 && names[0] == names[1]) return Fail("misuse of " + name);

    const Outcome range = Evaluate(expr.operand);
    if (range.is_error) return range;
    Walk walk;
    if (!MakeWalk(*range.value, variables, &walk)) return NoOverload(name);

    if (name == "all") return Quantify(walk, names, expr.args.back(), false);
    if (name == "exists") return Quantify(walk, names, expr.args.back(), true);
    if (name == "exists_one" || name == "existsOne") {
      return ExistsOne(walk, names, expr.args.back());
    }
    return Transform(name, walk, names,
                     {expr.args.begin() + static_cast<int64_t>(variables), expr.args.end()});
  }

  static bool MakeWalk(const RefValue& range, size_t variables, Walk* walk) {
    if (const auto* list = range.As<RefList>()) {
      for (size_t i = 0; i < list->elements.size(); ++i) {
        const RefValue& element = list->elements[i];
        if (variables == 1) {
          walk->steps.push_back({element, {}});
        } else {
          walk->steps.push_back({{static_cast<int64_t>(i)}, element});
        }
      }
      walk->partial = list->partial;
      return true;
    }
    if (const auto* map = range.As<RefMap>()) {
      if (map->partial) return false;
      for (const RefEntry& entry : map->entries) walk->steps.push_back({entry.key, entry.value});
      return true;
    }
    return false;
  }

  // `all`, whose `decisive` is false, and `exists`.
  Outcome Quantify(const Walk& walk, const std::vector<std::string>& names, ExprId predicate,
                   bool decisive) {
    std::optional<Outcome> error;
    if (walk.partial) error = Incomplete();
    for (const Step& step : walk.steps) {
      const Outcome found = With(names, step, predicate);
      if (found.limit || IsBool(found, decisive)) return found;
      if (!IsBool(found, !decisive)) error = found.is_error ? found : Fail("not a bool");
    }
    return error.has_value() ? *error : Ok(!decisive);
  }

  Outcome ExistsOne(const Walk& walk, const std::vector<std::string>& names, ExprId predicate) {
    int64_t count = 0;
    for (const Step& step : walk.steps) {
      const Outcome found = With(names, step, predicate);
      if (found.is_error) return found;
      if (found.value->As<bool>() == nullptr) return Fail("not a bool");
      if (IsBool(found, true)) ++count;
    }
    return walk.partial ? Incomplete() : Ok(count == 1);
  }

  // `map`, `filter`, `transformList`, `transformMap`, `transformMapEntry`. `parts` are what is to
  // be tested, if anything is, and what becomes of each element.
  Outcome Transform(const std::string& name, const Walk& walk,
                    const std::vector<std::string>& names, std::vector<ExprId> parts) {
    if (walk.partial) return Incomplete();
    RefList list;
    RefMap map;
    for (const Step& step : walk.steps) {
      if (name == "filter" || parts.size() == 2) {
        const Outcome wanted = With(names, step, parts[0]);
        if (wanted.is_error) return wanted;
        if (wanted.value->As<bool>() == nullptr) return Fail("not a bool");
        if (IsBool(wanted, false)) continue;
      }
      if (name == "filter") {
        list.elements.push_back(step.first);
        continue;
      }
      const Outcome made = With(names, step, parts.back());
      if (made.is_error) return made;
      if (name == "map" || name == "transformList") {
        list.elements.push_back(*made.value);
      } else if (name == "transformMap") {
        if (const auto error = Put(step.first, *made.value, &map)) return *error;
      } else {
        const auto* entries = made.value->As<RefMap>();
        if (entries == nullptr) return NoOverload(name);
        for (const RefEntry& entry : entries->entries) {
          if (const auto error = Put(entry.key, entry.value, &map)) return *error;
        }
      }
    }
    const bool makes_map = name == "transformMap" || name == "transformMapEntry";
    return CheckDepth(makes_map ? RefValue{std::move(map)} : RefValue{std::move(list)});
  }

  Outcome OptionalMap(const Expr& expr) {
    const std::optional<std::string> name = Variable(expr.args[0]);
    if (!name.has_value()) return Fail("misuse of " + expr.name);
    const Outcome target = Evaluate(expr.operand);
    if (target.is_error) return target;
    const auto* optional = target.value->As<RefOptional>();
    if (optional == nullptr) return NoOverload(expr.name);
    if (optional->value.empty()) return None();
    const Outcome made = With({*name}, {Ok(optional->value[0])}, expr.args[1]);
    if (made.is_error || expr.name == "optFlatMap") return made;
    return CheckDepth(*Some(*made.value).value);
  }

  Outcome SortBy(const Expr& expr) {
    const std::optional<std::string> name = Variable(expr.args[0]);
    if (!name.has_value()) return Fail("misuse of sortBy()");
    const Outcome target = Evaluate(expr.operand);
    if (target.is_error) return target;
    const auto* list = target.value->As<RefList>();
    if (list == nullptr) return NoOverload(expr.name);
    if (list->partial) return Incomplete();
    std::vector<RefValue> keys;
    for (const RefValue& element : list->elements) {
      const Outcome key = With({*name}, {Ok(element)}, expr.args[1]);
      if (key.is_error) return key;
      keys.push_back(*key.value);
    }
    return SortByKeys(list->elements, keys);
  }

  const cel::Ast& ast_;
  const Scope& scope_;
  Steps steps_;
  std::vector<Local> locals_;
};

}  // namespace

Outcome Evaluate(const cel::Ast& raw, const Scope& scope) { return Evaluator(raw, scope).Run(); }

}  // namespace reeve::reference
