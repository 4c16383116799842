#include "reeve/engine/cel/machine.h"

#include <algorithm>
#include <new>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

// The first error of two operands; null if neither is one.
const Cell* ErrorOf(const Cell& a, const Cell& b) {
  if (a.is_error()) return &a;
  return b.is_error() ? &b : nullptr;
}

Cell NotBool() { return Cell::Error(ErrorCode::kNotBool); }

Cell Not(Cell a) {
  if (a.kind() == Kind::kBool) return Cell::Bool(!a.bool_value());
  return a.is_error() ? a : NotBool();
}

Cell LogicalOfAny(Cell a, Cell b, bool decisive) {
  if (a.is_bool(decisive) || b.is_bool(decisive)) return Cell::Bool(decisive);
  if (const Cell* error = ErrorOf(a, b); error != nullptr) return *error;
  if (a.kind() != Kind::kBool || b.kind() != Kind::kBool) return NotBool();
  return Cell::Bool(!decisive);
}

// `a && b` if `decisive` is false, `a || b` if it is true: the decisive value wins over an error.
inline Cell Logical(Cell a, Cell b, bool decisive) {
  if (a.is_bool(!decisive) && b.kind() == Kind::kBool) return b;
  return LogicalOfAny(a, b, decisive);
}

// Comparing texts that are no longer is paid for by the instruction.
constexpr size_t kShortText = 256;

bool ChargeTexts(const Cell& a, const Cell& b, Context& context) {
  const bool texts = (a.kind() == Kind::kString && b.kind() == Kind::kString) ||
                     (a.kind() == Kind::kBytes && b.kind() == Kind::kBytes);
  if (!texts) return true;
  const size_t shorter = std::min(a.text().size(), b.text().size());
  return shorter <= kShortText || context.Charge(shorter / 16);
}

// Whether `a op b`, where `op` is a comparison.
bool Holds(Op op, int64_t a, int64_t b) {
  switch (op) {
    case Op::kEqual:
      return a == b;
    case Op::kNotEqual:
      return a != b;
    case Op::kLess:
      return a < b;
    case Op::kLessOrEqual:
      return a <= b;
    case Op::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

Cell AnyBinary(Op op, Cell a, Cell b, Context& context) {
  if (const Cell* error = ErrorOf(a, b); error != nullptr) return *error;
  if (op >= Op::kLess && op <= Op::kGreaterOrEqual && !ChargeTexts(a, b, context)) {
    return context.LimitError();
  }
  switch (op) {
    case Op::kEqual:
      return Equal(a, b, context);
    case Op::kNotEqual:
      return NotEqual(a, b, context);
    case Op::kLess:
      return Less(a, b);
    case Op::kLessOrEqual:
      return LessOrEqual(a, b);
    case Op::kGreater:
      return Greater(a, b);
    case Op::kGreaterOrEqual:
      return GreaterOrEqual(a, b);
    case Op::kAdd:
      return Add(a, b, context);
    case Op::kSubtract:
      return Subtract(a, b);
    case Op::kMultiply:
      return Multiply(a, b);
    case Op::kDivide:
      return Divide(a, b);
    case Op::kModulo:
      return Modulo(a, b);
    case Op::kIn:
      return In(a, b, context);
    case Op::kStartsWith:
      return StartsWith(a, b, context);
    case Op::kEndsWith:
      return EndsWith(a, b, context);
    case Op::kIndex:
      return Index(a, b, context);
    default:
      return OptionalIndex(a, b, context);
  }
}

// What most conditions compare is compared here.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Cell Binary(Op op, Cell a, Cell b, Context& context) {
  if (a.kind() == Kind::kInt && b.kind() == Kind::kInt) {
    if (IsComparison(op)) return Cell::Bool(Holds(op, a.int_value(), b.int_value()));
    int64_t result;
    if (op == Op::kAdd && !__builtin_add_overflow(a.int_value(), b.int_value(), &result)) {
      return Cell::Int(result);
    }
    if (op == Op::kSubtract && !__builtin_sub_overflow(a.int_value(), b.int_value(), &result)) {
      return Cell::Int(result);
    }
    if (op == Op::kMultiply && !__builtin_mul_overflow(a.int_value(), b.int_value(), &result)) {
      return Cell::Int(result);
    }
  }
  if (a.kind() == Kind::kString && b.kind() == Kind::kString && b.text().size() <= kShortText) {
    if (op == Op::kEqual) return Cell::Bool(SameText(a.text(), b.text()));
    if (op == Op::kNotEqual) return Cell::Bool(!SameText(a.text(), b.text()));
    if (op == Op::kStartsWith) {
      return Cell::Bool(SameText(a.text().substr(0, b.text().size()), b.text()));
    }
  }
  return AnyBinary(op, a, b, context);
}

Cell Contains(const CellSet& set, Cell value, Context& context) {
  const bool text = value.kind() == Kind::kString || value.kind() == Kind::kBytes;
  if (text && value.text().size() > kShortText && !context.Charge(value.text().size() / 16)) {
    return context.LimitError();
  }
  return Cell::Bool(set.Contains(value));
}

// The list `cells` with the optional ones among them taken for what they hold, or left out.
Cell MakeList(absl::Span<const Cell> cells, const std::vector<bool>* optional, Context& context) {
  Cell* const elements = context.Allocate<Cell>(cells.size());
  if (elements == nullptr) return context.LimitError();
  size_t size = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].is_error()) return cells[i];
    if (optional == nullptr || !(*optional)[i]) {
      elements[size++] = cells[i];
    } else if (cells[i].kind() != Kind::kOptional) {
      return Cell::Error(ErrorCode::kNoSuchOverload, "[?x]");
    } else if (const Cell* value = cells[i].optional_value(); value != nullptr) {
      elements[size++] = *value;
    }
  }
  return context.MakeList({elements, size});
}

Cell MakeMap(absl::Span<const Cell> cells, const std::vector<bool>* optional, Context& context) {
  MapBuilder builder(cells.size() / 2, context);
  for (size_t i = 0; i < cells.size(); i += 2) {
    if (const Cell* error = ErrorOf(cells[i], cells[i + 1]); error != nullptr) return *error;
    const Cell* value = &cells[i + 1];
    if (optional != nullptr && (*optional)[i / 2]) {
      if (value->kind() != Kind::kOptional) {
        return Cell::Error(ErrorCode::kNoSuchOverload, "{?k: x}");
      }
      value = value->optional_value();
      if (value == nullptr) continue;
    }
    if (Cell added = builder.Add(cells[i], *value); added.is_error()) return added;
  }
  return builder.Build();
}

// What precedes the elements of a list that grows. Lists that share the elements see as many of
// them as they have, so the longest one may grow in place.
struct alignas(16) Growth {
  uint32_t size;
  uint32_t capacity;
};

Cell Append(const Cell& list, const Cell& element, Context& context) {
  if (const Cell* error = ErrorOf(list, element); error != nullptr) return *error;
  if (list.kind() != Kind::kList) return Cell::Error(ErrorCode::kNoSuchOverload, "@append");
  const auto size = static_cast<uint32_t>(list.list_size());
  auto* growth =
      list.is_growing() ? reinterpret_cast<Growth*>(const_cast<Cell*>(list.cells())) - 1 : nullptr;
  if (growth == nullptr || growth->size != size || growth->capacity == size) {
    const uint32_t capacity = size == 0 ? 4 : size * 2;
    Cell* const room = context.Allocate<Cell>(size_t{capacity} + 1);
    if (room == nullptr) return context.LimitError();
    auto* const larger = new (room) Growth{size, capacity};
    for (uint32_t i = 0; i < size; ++i) new (room + 1 + i) Cell(list.At(i));
    growth = larger;
  }
  Cell* const cells = reinterpret_cast<Cell*>(growth + 1);
  new (cells + size) Cell(element);
  growth->size = size + 1;
  const int depth = std::max(list.depth(), element.depth() + 1);
  if (depth > kMaxCellDepth) return Cell::Error(ErrorCode::kTooDeep);
  return Cell::List({cells, size + 1}, depth).Growing();
}

}  // namespace

void Machine::Room::Add(const Program& program) {
  cells = std::max(cells, program.shape().locals() + program.shape().stack() + 1);
  walks = std::max(walks, static_cast<uint32_t>(program.loops().size()));
}

void Machine::Begin(uint64_t cost, size_t memory, const Room& room) {
  context_.Reset(cost, memory);
  if (cells_.size() < room.cells) cells_.resize(room.cells);
  if (walks_.size() < room.walks) walks_.resize(room.walks);
  if (kept_.size() < room.slots) kept_.resize(room.slots);
  ++decision_;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline Cell Machine::Follow(const Link::Path& path,
                                                         const Variables& variables) {
  if (path.slot == Link::kNone) return FollowAnew(path, variables);
  Kept& kept = kept_.data()[path.slot];
  if (kept.decision != decision_) {
    kept.value = FollowAnew(path, variables);
    kept.decision = decision_;
  }
  return kept.value;
}

Cell Machine::FollowAnew(const Link::Path& path, const Variables& variables) {
  const Cell first = path.layers == Link::kNone
                         ? variables.GetMember(path.member, path.name, context_)
                         : variables.GetAttribute(path.layers, path.name);
  return path.rest.empty() ? first : FollowRest(path, first);
}

// Not in place, since most paths have no rest.
ABSL_ATTRIBUTE_NOINLINE Cell Machine::FollowRest(const Link::Path& path, Cell value) {
  for (const Cell& name : path.rest) {
    if (value.is_error()) break;
    value = Select(value, name.text(), context_);
  }
  return value;
}

template <Op kTest>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Cell Machine::Test(const Link& link, const Variables& variables,
                                                       Instruction test) {
  const Cell value = Follow(link.paths[test.b], variables);
  const Op op = static_cast<Op>(test.a);
  switch (kTest) {
    case Op::kCompare:
      return Binary(op, value, link.constants[test.c], context_);
    case Op::kComparePaths:
      return Binary(op, value, Follow(link.paths[test.c], variables), context_);
    case Op::kInPath:
      return value.is_error() ? value : In(link.constants[test.c], value, context_);
    case Op::kPathInSet:
      return value.is_error() ? value : Contains(link.shape->sets()[test.c], value, context_);
    case Op::kIsInPath:
      return IsInOf(link, variables, test.c, value);
    default:
      break;
  }
  static_assert(IsTest(kTest));
  if (value.is_error()) {
    return value.error_code() == ErrorCode::kNoSuchKey ? Cell::Bool(false) : value;
  }
  if (value.kind() != Kind::kOptional) return Cell::Bool(true);
  // What holds it may be an optional itself.
  const Path& path = link.shape->paths()[test.b];
  return Has(variables.Get(link.variables[path.variable], context_), link.paths[test.b].name,
             context_);
}

Cell Machine::IsInOf(const Link& link, const Variables& variables, uint32_t variable,
                     const Cell& names) {
  const Cell entity = variables.Get(link.variables[variable], context_);
  const Cell* const error = ErrorOf(entity, names);
  return error != nullptr ? *error : IsIn(entity, names, context_);
}

template <>
inline Cell Machine::Test<Op::kIsIn>(const Link& link, const Variables& variables,
                                     Instruction test) {
  return IsInOf(link, variables, test.b, link.constants[test.c]);
}

template <Op kTest, bool kNegated>
Cell Machine::RunTest(Machine& machine, const Link& link, const Variables& variables) {
  const Cell value = machine.Test<kTest>(link, variables, link.test);
  return kNegated ? Not(value) : value;
}

Cell Machine::RunAll(Machine& machine, const Link& link, const Variables& variables) {
  return machine.RunCode(link, variables);
}

Cell Variables::Search(const Layers& layers, std::string_view name) {
  for (const Attributes* attributes : {layers.first, layers.second, layers.third}) {
    const Value* const value = attributes == nullptr ? nullptr : attributes->Find(name);
    if (value != nullptr) return Cell::Of(*value);
  }
  if (layers.partial) return Cell::Error(ErrorCode::kPartialFacts, name);
  return Cell::Error(ErrorCode::kNoSuchKey, name);
}

Link::Link(const Program& linked_program, absl::Span<const uint32_t> variable_numbers,
           absl::Span<const Path> linked_paths, absl::Span<const uint32_t> shared_slots,
           uint32_t own_slot)
    : shape(&linked_program.shape()),
      paths(linked_paths.data()),
      constants(linked_program.constants().data()),
      run(Machine::RunAll),
      cost(static_cast<uint32_t>(linked_program.code().size())),
      slot(own_slot),
      variables(variable_numbers.data()),
      shared(shared_slots.data()) {
  const absl::Span<const Instruction> code = linked_program.code();
  const bool negated = cost == 3 && code[1].op == Op::kNot;
  if (cost != 2 && !negated) return;
  test = code[0];
  switch (test.op) {
    case Op::kCompare:
      run = negated ? Machine::RunTest<Op::kCompare, true> : Machine::RunTest<Op::kCompare, false>;
      break;
    case Op::kComparePaths:
      run = negated ? Machine::RunTest<Op::kComparePaths, true>
                    : Machine::RunTest<Op::kComparePaths, false>;
      break;
    case Op::kInPath:
      run = negated ? Machine::RunTest<Op::kInPath, true> : Machine::RunTest<Op::kInPath, false>;
      break;
    case Op::kPathInSet:
      run = negated ? Machine::RunTest<Op::kPathInSet, true>
                    : Machine::RunTest<Op::kPathInSet, false>;
      break;
    case Op::kHasPath:
      run = negated ? Machine::RunTest<Op::kHasPath, true> : Machine::RunTest<Op::kHasPath, false>;
      break;
    case Op::kIsInPath:
      run =
          negated ? Machine::RunTest<Op::kIsInPath, true> : Machine::RunTest<Op::kIsInPath, false>;
      break;
    case Op::kIsIn:
      run = negated ? Machine::RunTest<Op::kIsIn, true> : Machine::RunTest<Op::kIsIn, false>;
      break;
    default:
      break;
  }
}

Cell Machine::RunOnce(const Link& link, const Variables& variables) {
  Kept& kept = kept_[link.slot];
  if (kept.decision != decision_) kept = {decision_, RunAnew(link, variables)};
  return kept.value;
}

int64_t Machine::OffsetAt(const absl::TimeZone& zone, int64_t seconds) {
  if (seconds != offset_.seconds || zone != offset_.zone) {
    offset_ = {zone, seconds, zone.At(absl::FromUnixSeconds(seconds)).offset};
  }
  return offset_.offset;
}

Cell Machine::Call(const Function& function, absl::Span<const Cell> arguments) {
  for (const Cell& argument : arguments) {
    if (argument.is_error()) return argument;
  }
  return function.call(arguments, context_);
}

Cell Machine::Put(const Cell& map, const Cell& key, const Cell& value, MapBuilder** builder) {
  if (map.is_error()) return map;
  if (const Cell* error = ErrorOf(key, value); error != nullptr) return *error;
  if (*builder == nullptr) {
    auto* const room = context_.Allocate<MapBuilder>(1);
    if (room == nullptr) return context_.LimitError();
    *builder = new (room) MapBuilder(4, context_);
  }
  const Cell added = (*builder)->Add(key, value);
  return added.is_error() ? added : (*builder)->Build();
}

Cell Machine::RunCode(const Link& link, const Variables& variables) {
  const ProgramShape& shape = *link.shape;
  Cell* const locals = cells_.data();
  // The topmost cell of the stack, and the place after those below it. While the stack is empty
  // there is something in `top` all the same. Functions that take a reference get a copy of it, so
  // that it stays in registers.
  Cell top;
  Cell* below = locals + shape.locals();
  const auto push = [&top, &below](Cell cell) {
    *below++ = top;
    top = cell;
  };
  const Cell* const constants = link.constants;
  const Instruction* const code = shape.code().data();
  const Instruction* at = code;
  while (true) {
    const Instruction i = *at++;
    switch (i.op) {
      case Op::kConstant:
        push(constants[i.c]);
        break;
      case Op::kVariable:
        push(variables.Get(link.variables[i.c], context_));
        break;
      case Op::kPath:
        push(Follow(link.paths[i.c], variables));
        break;
      case Op::kCompare:
        push(Test<Op::kCompare>(link, variables, i));
        break;
      case Op::kComparePaths:
        push(Test<Op::kComparePaths>(link, variables, i));
        break;
      case Op::kInPath:
        push(Test<Op::kInPath>(link, variables, i));
        break;
      case Op::kPathInSet:
        push(Test<Op::kPathInSet>(link, variables, i));
        break;
      case Op::kHasPath:
        push(Test<Op::kHasPath>(link, variables, i));
        break;
      case Op::kIsInPath:
        push(Test<Op::kIsInPath>(link, variables, i));
        break;
      case Op::kIsIn:
        push(Test<Op::kIsIn>(link, variables, i));
        break;
      case Op::kLocal:
        push(locals[i.c]);
        break;
      case Op::kStore:
        locals[i.c] = top;
        top = *--below;
        break;
      case Op::kSelect:
        if (!top.is_error()) top = Select(Cell(top), constants[i.c].text(), context_);
        break;
      case Op::kHas:
        if (!top.is_error()) top = Has(Cell(top), constants[i.c].text(), context_);
        break;
      case Op::kOptionalSelect:
        if (!top.is_error()) top = OptionalIndex(Cell(top), constants[i.c], context_);
        break;
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kLess:
      case Op::kLessOrEqual:
      case Op::kGreater:
      case Op::kGreaterOrEqual:
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kModulo:
      case Op::kIn:
      case Op::kIndex:
      case Op::kOptionalIndex:
      case Op::kStartsWith:
      case Op::kEndsWith:
        if (i.a == 1) {
          top = Binary(i.op, top, constants[i.c], context_);
        } else {
          top = Binary(i.op, *--below, top, context_);
        }
        break;
      case Op::kNegate:
        if (!top.is_error()) top = Negate(Cell(top));
        break;
      case Op::kNot:
        top = Not(top);
        break;
      case Op::kAnd:
        top = Logical(*--below, top, false);
        break;
      case Op::kOr:
        top = Logical(*--below, top, true);
        break;
      case Op::kNotStrictlyFalse:
        top = Cell::Bool(!top.is_bool(false));
        break;
      case Op::kInSet:
        if (!top.is_error()) top = Contains(shape.sets()[i.c], top, context_);
        break;
      case Op::kMatches:
        if (!top.is_error()) top = Matches(shape.regex(i.c), Cell(top), context_);
        break;
      case Op::kLocalTime:
        if (top.kind() == Kind::kTimestamp) {
          const int64_t seconds = top.seconds();
          top = Cell::Timestamp(seconds + OffsetAt(shape.zone(i.c), seconds), top.nanos());
        } else if (!top.is_error()) {
          top = Cell::Error(ErrorCode::kNoSuchOverload, functions_[i.b].name);
        }
        break;
      case Op::kCall:
        *below++ = top;
        below -= i.a;
        top = Call(functions_[i.c], {below, i.a});
        break;
      case Op::kList:
      case Op::kMap: {
        const size_t cells = i.op == Op::kList ? i.b : size_t{2} * i.b;
        const auto* optional = i.a == 1 ? &shape.optional_flags()[i.c] : nullptr;
        *below++ = top;
        below -= cells;
        top = i.op == Op::kList ? MakeList({below, cells}, optional, context_)
                                : MakeMap({below, cells}, optional, context_);
        break;
      }
      case Op::kAppend:
        top = Append(*--below, Cell(top), context_);
        break;
      case Op::kPut:
        below -= 2;
        top = Put(below[0], below[1], Cell(top), &walks_[i.b].builder);
        break;
      case Op::kJump:
        at = code + i.c;
        break;
      case Op::kJumpIfFalse:
        if (top.is_bool(false)) at = code + i.c;
        break;
      case Op::kJumpIfTrue:
        if (top.is_bool(true)) at = code + i.c;
        break;
      case Op::kJumpIfNotBool:
        if (top.kind() == Kind::kBool) break;
        if (!top.is_error()) top = NotBool();
        at = code + i.c;
        break;
      case Op::kJumpIfError:
        if (top.is_error()) at = code + i.c;
        break;
      case Op::kPopJumpIfFalse:
        if (top.is_bool(false)) at = code + i.c;
        top = *--below;
        break;
      case Op::kPopJumpIfTrue:
        if (top.is_bool(true)) at = code + i.c;
        top = *--below;
        break;
      case Op::kJumpIfPresent:
        if (top.is_error()) {
          at = code + i.c;
        } else if (top.kind() != Kind::kOptional) {
          top = Cell::Error(ErrorCode::kNoSuchOverload, i.a == 1 ? "orValue" : "or");
          at = code + i.c;
        } else if (const Cell* value = top.optional_value(); value != nullptr) {
          if (i.a == 1) top = *value;
          at = code + i.c;
        } else {
          top = *--below;
        }
        break;
      case Op::kOptional:
        if (!top.is_error() && top.kind() != Kind::kOptional) {
          top = Cell::Error(ErrorCode::kNoSuchOverload, "or");
        }
        break;
      case Op::kLoop: {
        const Cell elements = top.is_error() ? top : Elements(Cell(top), context_);
        if (elements.is_error()) {
          top = elements;
          at = code + i.c;
          break;
        }
        walks_[i.b] = {top, elements, 0, i.c, nullptr, &shape.loop(i.b)};
        top = *--below;
        break;
      }
      case Op::kNext: {
        Walk& walk = walks_[i.b];
        const Loop& loop = *walk.loop;
        const size_t size = walk.elements.list_size();
        const bool partial = walk.elements.is_partial();
        if (walk.next == size + (partial ? 1 : 0)) {
          if (partial) {
            // There may be no such element as the one that was not known, or many: what the
            // expression made of it says nothing.
            push(Cell::Error(ErrorCode::kIncomplete));
            at = code + walk.incomplete;
          } else {
            at = code + i.c;
          }
          break;
        }
        if (!context_.Charge(loop.cost)) return context_.LimitError();
        const uint32_t number = walk.next++;
        const Cell element =
            number < size ? walk.elements.At(number) : Cell::Error(ErrorCode::kIncomplete);
        if (loop.variable2 == UINT32_MAX) {
          locals[loop.variable] = element;
        } else if (walk.container.kind() == Kind::kMap) {
          locals[loop.variable] = element;
          locals[loop.variable2] = Index(walk.container, Cell(element), context_);
        } else {
          locals[loop.variable] = Cell::Int(number);
          locals[loop.variable2] = element;
        }
        break;
      }
      case Op::kShared: {
        const uint32_t slot = link.shared[i.b];
        if (slot == Link::kNone || kept_[slot].decision != decision_) break;
        push(kept_[slot].value);
        at = code + i.c;
        break;
      }
      case Op::kKeep: {
        const uint32_t slot = link.shared[i.b];
        if (slot != Link::kNone) kept_[slot] = {decision_, top};
        break;
      }
      case Op::kReturn:
        return top;
      default:  // There are no others: what they are need not be checked.
        ABSL_ASSUME(false);
    }
  }
}

}  // namespace reeve::cel
