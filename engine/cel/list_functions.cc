#include <algorithm>
#include <optional>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

using Arguments = absl::Span<const Cell>;

bool IsList(const Cell& cell) { return cell.kind() == Kind::kList; }

Cell Slice(Arguments arguments, Context& context) {
  const Cell& list = arguments[0];
  if (!IsList(list) || arguments[1].kind() != Kind::kInt || arguments[2].kind() != Kind::kInt) {
    return NoSuchOverload("slice");
  }
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  const int64_t begin = arguments[1].int_value();
  const int64_t end = arguments[2].int_value();
  if (begin < 0 || end < begin || end > static_cast<int64_t>(list.list_size())) {
    return Cell::Error(ErrorCode::kIndexOutOfRange);
  }
  ListBuilder result(context);
  for (int64_t i = begin; i < end && !result.failed(); ++i) {
    result.Add(list.At(static_cast<size_t>(i)));
  }
  return result.Build();
}

// The elements of `list`, and of those that are lists theirs, `levels` deep. Null, or an error.
// Recurses to the depth of a cell.
Cell AddFlat(const Cell& list, int64_t levels, ListBuilder& result, Context& context) {
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  if (!context.Charge(list.list_size() + 1)) return context.LimitError();
  for (size_t i = 0; i < list.list_size(); ++i) {
    const Cell element = list.At(i);
    if (levels > 0 && IsList(element)) {
      const Cell error = AddFlat(element, levels - 1, result, context);
      if (error.is_error()) return error;
    } else {
      result.Add(element);
    }
  }
  return Cell();
}

Cell Flatten(Arguments arguments, Context& context) {
  if (!IsList(arguments[0]) || (arguments.size() == 2 && arguments[1].kind() != Kind::kInt)) {
    return NoSuchOverload("flatten");
  }
  const int64_t levels = arguments.size() == 2 ? arguments[1].int_value() : 1;
  if (levels < 0) return Cell::Error(ErrorCode::kBadArgument, "negative depth");
  ListBuilder result(context);
  const Cell error = AddFlat(arguments[0], levels, result, context);
  return error.is_error() ? error : result.Build();
}

Cell Range(Arguments arguments, Context& context) {
  if (arguments[0].kind() != Kind::kInt) return NoSuchOverload("lists.range");
  const int64_t end = arguments[0].int_value();
  ListBuilder result(context);
  for (int64_t i = 0; i < end && !result.failed(); ++i) result.Add(Cell::Int(i));
  return result.Build();
}

// Whether Hash() knows it.
bool IsHashable(const Cell& cell) {
  return !cell.is_error() && cell.kind() != Kind::kList && cell.kind() != Kind::kMap &&
         cell.kind() != Kind::kOptional;
}

// A hash table, in the arena, of elements that IsHashable(). One thread at a time.
class ElementSet {
 public:
  // Room for `capacity` elements.
  ElementSet(size_t capacity, Context& context) : context_(context) {
    size_t slots = 8;
    while (slots < capacity * 2) slots *= 2;
    slots_ = context.Allocate<const Cell*>(slots);
    if (slots_ != nullptr) std::fill_n(slots_, slots, nullptr);
    mask_ = slots - 1;
  }

  // Whether there was no room.
  bool failed() const { return slots_ == nullptr; }
  // True if it is there; false if not, and then it is put there if `add`. Or an error. `element`
  // outlives the set if it is added.
  Cell Find(const Cell& element, bool add) {
    const bool is_text = element.kind() == Kind::kString || element.kind() == Kind::kBytes;
    if (is_text && !context_.Charge(TextCost(element.text().size()))) return context_.LimitError();
    for (size_t slot = Hash(element) & mask_;; slot = (slot + 1) & mask_) {
      if (!context_.Charge(1)) return context_.LimitError();
      if (slots_[slot] == nullptr) {
        if (add) slots_[slot] = &element;
        return Cell::Bool(false);
      }
      const Cell equal = Equal(element, *slots_[slot], context_);
      if (!equal.is_bool(false)) return equal;
    }
  }

 private:
  Context& context_;
  const Cell** slots_;
  size_t mask_;
};

Cell Distinct(Arguments arguments, Context& context) {
  const Cell& list = arguments[0];
  if (!IsList(list)) return NoSuchOverload("distinct");
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  // The set holds pointers, so that the elements must not move.
  Cell* elements = context.Allocate<Cell>(list.list_size());
  if (elements == nullptr) return context.LimitError();
  ElementSet hashed(list.list_size(), context);
  if (hashed.failed()) return context.LimitError();
  size_t size = 0;
  ListBuilder others(context);  // Those without a hash, each to be compared with each.
  for (size_t i = 0; i < list.list_size(); ++i) {
    elements[size] = list.At(i);
    const Cell& element = elements[size];
    if (element.is_error()) return element;
    Cell found = Cell::Bool(false);
    if (IsHashable(element)) {
      found = hashed.Find(element, /*add=*/true);
    } else {
      for (size_t k = 0; k < others.size() && found.is_bool(false); ++k) {
        found = Equal(element, others.cells()[k], context);
      }
      if (found.is_bool(false)) others.Add(element);
    }
    if (found.is_error()) return found;
    if (found.is_bool(false)) ++size;
  }
  if (others.failed()) return others.Build();
  return context.MakeList({elements, size});
}

// Whether values of that kind can be sorted.
bool IsSortable(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return true;
    default:
      return false;
  }
}

struct Keyed {
  Cell key;
  size_t number;  // Where it stood.
};

// The price of sorting `keys`; an error if they are not of one kind that has an order.
Cell ChargeForSort(absl::Span<const Keyed> keys, Context& context) {
  uint64_t units = keys.size();
  for (const Keyed& keyed : keys) {
    const Cell& key = keyed.key;
    if (key.is_error()) return key;
    if (!IsSortable(key.kind()) || key.kind() != keys[0].key.kind()) return NoSuchOverload("sort");
    if (Compare(key, key) != 0) return Cell::Error(ErrorCode::kBadArgument, "NaN has no order");
    if (key.kind() == Kind::kString || key.kind() == Kind::kBytes) {
      units += TextCost(key.text().size());
    }
  }
  uint64_t rounds = 2;  // Each is compared with about twice log(size) others.
  for (size_t size = keys.size(); size > 1; size /= 2) rounds += 2;
  if (!context.Charge(units * rounds)) return context.LimitError();
  return Cell();
}

Cell SortByKeys(const Cell& list, const Cell& keys, Context& context) {
  if (list.is_partial() || keys.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  const size_t size = list.list_size();
  if (size != keys.list_size()) {
    return Cell::Error(ErrorCode::kBadArgument, "there must be as many keys as elements");
  }
  Keyed* keyed = context.Allocate<Keyed>(size);
  if (keyed == nullptr || !context.Charge(size)) return context.LimitError();
  for (size_t i = 0; i < size; ++i) keyed[i] = {keys.At(i), i};
  const Cell error = ChargeForSort({keyed, size}, context);
  if (error.is_error()) return error;
  std::sort(keyed, keyed + size, [](const Keyed& a, const Keyed& b) {
    const int order = Compare(a.key, b.key);
    return order != 0 ? order < 0 : a.number < b.number;
  });
  ListBuilder result(context);
  for (size_t i = 0; i < size && !result.failed(); ++i) result.Add(list.At(keyed[i].number));
  return result.Build();
}

Cell Sort(Arguments arguments, Context& context) {
  if (!IsList(arguments[0])) return NoSuchOverload("sort");
  return SortByKeys(arguments[0], arguments[0], context);
}

// What the macro sortBy() calls: the elements in the order of their keys.
Cell SortByAssociatedKeys(Arguments arguments, Context& context) {
  if (!IsList(arguments[0]) || !IsList(arguments[1])) return NoSuchOverload("sortBy");
  return SortByKeys(arguments[0], arguments[1], context);
}

Cell OptionalOf(const Cell& element, Context& context) {
  return element.is_error() ? element : MakeOptional(element, context);
}

Cell First(Arguments arguments, Context& context) {
  const Cell& list = arguments[0];
  if (!IsList(list)) return NoSuchOverload("first");
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  if (list.list_size() == 0) return Cell::Optional(nullptr, 1);
  return OptionalOf(list.At(0), context);
}

Cell Last(Arguments arguments, Context& context) {
  const Cell& list = arguments[0];
  if (!IsList(list)) return NoSuchOverload("last");
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  if (list.list_size() == 0) return Cell::Optional(nullptr, 1);
  return OptionalOf(list.At(list.list_size() - 1), context);
}

// Elements of `container` are looked up many times: by hash if that pays. One thread at a time.
class Lookup {
 public:
  // `times`: how many will be looked up.
  Lookup(const Cell& container, size_t times, Context& context)
      : container_(container), context_(context) {
    constexpr size_t kFew = 8;
    const size_t size = container.list_size();
    if (size <= kFew || times <= kFew || !context.Charge(size)) return;
    Cell* elements = context.Allocate<Cell>(size);
    if (elements == nullptr) return;
    for (size_t i = 0; i < size; ++i) {
      elements[i] = container.At(i);
      if (!IsHashable(elements[i])) return;
    }
    set_.emplace(size, context);
    for (size_t i = 0; i < size; ++i) {
      // At a limit all that follows fails too.
      if (set_->failed() || set_->Find(elements[i], /*add=*/true).is_error()) break;
    }
  }

  // `element in container`.
  Cell Has(const Cell& element) {
    if (element.is_error()) return element;
    if (!context_.Charge(1)) return context_.LimitError();
    if (!set_.has_value()) return In(element, container_, context_);
    if (!IsHashable(element)) return container_.is_partial() ? Incomplete() : Cell::Bool(false);
    const Cell found = set_->Find(element, /*add=*/false);
    return found.is_bool(false) && container_.is_partial() ? Incomplete() : found;
  }

 private:
  static Cell Incomplete() { return Cell::Error(ErrorCode::kIncomplete); }

  const Cell& container_;
  Context& context_;
  std::optional<ElementSet> set_;  // None: look at each element.
};

// Whether all elements of `part` are in `list`. One that is not decides, whatever errors there are
// elsewhere.
Cell ContainsAll(const Cell& list, const Cell& part, Context& context) {
  Lookup lookup(list, part.list_size(), context);
  Cell result = part.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : Cell::Bool(true);
  for (size_t i = 0; i < part.list_size(); ++i) {
    const Cell found = lookup.Has(part.At(i));
    if (found.is_bool(false)) return found;
    if (context.exhausted()) return context.LimitError();
    if (found.is_error() && !result.is_error()) result = found;
  }
  return result;
}

Cell SetsContains(Arguments arguments, Context& context) {
  if (!IsList(arguments[0]) || !IsList(arguments[1])) return NoSuchOverload("sets.contains");
  return ContainsAll(arguments[0], arguments[1], context);
}

Cell SetsEquivalent(Arguments arguments, Context& context) {
  if (!IsList(arguments[0]) || !IsList(arguments[1])) return NoSuchOverload("sets.equivalent");
  const Cell forth = ContainsAll(arguments[0], arguments[1], context);
  if (forth.is_bool(false) || context.exhausted()) return forth;
  const Cell back = ContainsAll(arguments[1], arguments[0], context);
  return back.is_bool(true) ? forth : back;
}

// One that is in both decides, whatever errors there are elsewhere.
Cell SetsIntersects(Arguments arguments, Context& context) {
  const Cell& a = arguments[0];
  const Cell& b = arguments[1];
  if (!IsList(a) || !IsList(b)) return NoSuchOverload("sets.intersects");
  // With none on one side there is nothing to find, unless more may come.
  if ((a.list_size() == 0 && !a.is_partial()) || (b.list_size() == 0 && !b.is_partial())) {
    return Cell::Bool(false);
  }
  Lookup lookup(b, a.list_size(), context);
  Cell result = a.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : Cell::Bool(false);
  for (size_t i = 0; i < a.list_size(); ++i) {
    const Cell found = lookup.Has(a.At(i));
    if (found.is_bool(true)) return found;
    if (context.exhausted()) return context.LimitError();
    if (found.is_error() && !result.is_error()) result = found;
  }
  return result;
}

constexpr Function kFunctions[] = {
    {"@sortByAssociatedKeys", 2, 2, SortByAssociatedKeys, /*costly=*/true},
    {"distinct", 1, 1, Distinct, /*costly=*/true},
    {"first", 1, 1, First},
    {"flatten", 1, 2, Flatten, /*costly=*/true},
    {"last", 1, 1, Last},
    {"lists.range", 1, 1, Range, /*costly=*/true},
    {"sets.contains", 2, 2, SetsContains, /*costly=*/true},
    {"sets.equivalent", 2, 2, SetsEquivalent, /*costly=*/true},
    {"sets.intersects", 2, 2, SetsIntersects, /*costly=*/true},
    {"slice", 3, 3, Slice, /*costly=*/true},
    {"sort", 1, 1, Sort, /*costly=*/true},
};

}  // namespace

absl::Span<const Function> ListFunctions() { return kFunctions; }

}  // namespace reeve::cel
