// CEL's operators on cells. Internal.
//
// No argument is an error, unless said otherwise; the caller sees to that, since errors pass
// through everything but `&&`, `||` and `?:`. A result may be one. Types that an operator is not
// made for give kNoSuchOverload.
#ifndef REEVE_ENGINE_CEL_OPERATORS_H_
#define REEVE_ENGINE_CEL_OPERATORS_H_

#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve::cel {

// `a == b` and `a != b`: of any two values. Numbers of all three types compare by what they are;
// NaN differs from everything; values of other different kinds are unequal. Lists by elements, maps
// by entries.
Cell Equal(const Cell& a, const Cell& b, Context& context);
Cell NotEqual(const Cell& a, const Cell& b, Context& context);

// Numbers across types, bool, string (by code points), bytes, timestamp, duration.
Cell Less(const Cell& a, const Cell& b);
Cell LessOrEqual(const Cell& a, const Cell& b);
Cell Greater(const Cell& a, const Cell& b);
Cell GreaterOrEqual(const Cell& a, const Cell& b);

// -1, 0, 1 for values of one kind that has an order (numbers across types too); 2 if unordered
// (NaN); 3 if they cannot be compared.
int Compare(const Cell& a, const Cell& b);

Cell Add(const Cell& a, const Cell& b, Context& context);  // also strings, bytes, lists, times
Cell Subtract(const Cell& a, const Cell& b);
Cell Multiply(const Cell& a, const Cell& b);
Cell Divide(const Cell& a, const Cell& b);
Cell Modulo(const Cell& a, const Cell& b);
Cell Negate(const Cell& a);

// `a[b]`: an element of a list (by int, uint or an integral double), the value of a key of a map.
// Of an optional: of what it holds, wrapped again.
Cell Index(const Cell& container, const Cell& key, Context& context);
// `a.name`: the value of a map's key. Of an optional as Index().
Cell Select(const Cell& container, std::string_view name, Context& context);
// `has(a.name)`: a bool, or an error if `a` is neither a map nor an optional.
Cell Has(const Cell& container, std::string_view name, Context& context);
// `a[?b]` and `a.?name`: an optional, none if there is no such element or key.
Cell OptionalIndex(const Cell& container, const Cell& key, Context& context);
// `a in b` of a list (by Equal) or of the keys of a map.
Cell In(const Cell& element, const Cell& container, Context& context);
// `a.startsWith(b)` and `a.endsWith(b)` of strings.
Cell StartsWith(const Cell& a, const Cell& b, Context& context);
Cell EndsWith(const Cell& a, const Cell& b, Context& context);
// `size(a)` of a string in code points, of bytes, a list or a map.
Cell Size(const Cell& a, Context& context);
// `type(a)`.
Cell TypeOf(const Cell& a);

// Equal values have equal hashes: 1, 1u and 1.0 do. Not of errors, maps, lists and optionals.
uint64_t Hash(const Cell& a);

// optional.of(a). LimitError(), or kTooDeep.
Cell MakeOptional(const Cell& a, Context& context);

// The elements of a list, or the keys of a map, as a list whose At() is quick: what a comprehension
// walks. An error of anything else.
Cell Elements(const Cell& container, Context& context);

// Collects the entries of a map. One thread at a time.
class MapBuilder {
 public:
  // Room for `capacity` entries, in the arena; it grows if need be.
  MapBuilder(size_t capacity, Context& context) : context_(context) { Reserve(capacity); }

  // A null cell, or an error: kBadKey, kDuplicateKey, a limit.
  Cell Add(const Cell& key, const Cell& value);
  // The map, or an error.
  Cell Build();

 private:
  void Reserve(size_t capacity);
  uint32_t* FindSlot(const Cell& key);

  Context& context_;
  MapEntries::Entry* entries_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  uint32_t* slots_ = nullptr;
  uint32_t slot_mask_ = 0;
  int depth_ = 0;
};

// As a CEL expression would write it, for people: `[1, 2u, "x"]`, `timestamp("…")`; an error as its
// text. Lists and maps end with `...` where 1 MiB is written. Allocates.
std::string ToString(const Cell& cell);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_OPERATORS_H_
