#include "reeve/engine/cel/operators.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "reeve/engine/cel/notation.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr int kUnordered = 2;
constexpr int kIncomparable = 3;
constexpr uint32_t kLargestUnindexedMap = 8;
constexpr uint32_t kNanosPerSecond = 1000000000;

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();
constexpr uint64_t kMaxUint = std::numeric_limits<uint64_t>::max();
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

// Comparing so few bytes is paid for by the element that they are.
constexpr size_t kShortText = 256;

constexpr MapEntries kNoEntries = {nullptr, 0, 0, nullptr};

Cell NoOverload(std::string_view operation) {
  return Cell::Error(ErrorCode::kNoSuchOverload, operation);
}

bool IsNoSuchKey(const Cell& cell) {
  return cell.is_error() && cell.error_code() == ErrorCode::kNoSuchKey;
}

template <typename T>
int Order(T a, T b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Exact, as on one line of numbers, but for the one double that is the neighbour of the largest
// integer: conversion rounds that integer to it, and the two are equal.
int CompareIntToDouble(int64_t a, double b) {
  if (std::isnan(b)) return kUnordered;
  if (b > kTwoTo63) return -1;
  if (b < -kTwoTo63) return 1;
  if (b == kTwoTo63) return a == kMaxInt ? 0 : -1;
  const int64_t whole = static_cast<int64_t>(b);
  return a != whole ? Order(a, whole) : Order(0.0, b - static_cast<double>(whole));
}

int CompareUintToDouble(uint64_t a, double b) {
  if (std::isnan(b)) return kUnordered;
  if (b > kTwoTo64) return -1;
  if (b < 0) return 1;
  if (b == kTwoTo64) return a == kMaxUint ? 0 : -1;
  const uint64_t whole = static_cast<uint64_t>(b);
  return a != whole ? Order(a, whole) : Order(0.0, b - static_cast<double>(whole));
}

int CompareIntToUint(int64_t a, uint64_t b) {
  return a < 0 ? -1 : Order(static_cast<uint64_t>(a), b);
}

int Reverse(int order) { return order == kUnordered ? kUnordered : -order; }

int CompareNumbers(const Cell& a, const Cell& b) {
  switch (a.kind()) {
    case Kind::kInt:
      if (b.kind() == Kind::kInt) return Order(a.int_value(), b.int_value());
      if (b.kind() == Kind::kUint) return CompareIntToUint(a.int_value(), b.uint_value());
      return CompareIntToDouble(a.int_value(), b.double_value());
    case Kind::kUint:
      if (b.kind() == Kind::kUint) return Order(a.uint_value(), b.uint_value());
      if (b.kind() == Kind::kInt) return Reverse(CompareIntToUint(b.int_value(), a.uint_value()));
      return CompareUintToDouble(a.uint_value(), b.double_value());
    default:
      break;
  }
  const double x = a.double_value();
  if (b.kind() == Kind::kInt) return Reverse(CompareIntToDouble(b.int_value(), x));
  if (b.kind() == Kind::kUint) return Reverse(CompareUintToDouble(b.uint_value(), x));
  const double y = b.double_value();
  return std::isnan(x) || std::isnan(y) ? kUnordered : Order(x, y);
}

int CompareTimes(const Cell& a, const Cell& b) {
  return a.seconds() != b.seconds() ? Order(a.seconds(), b.seconds()) : Order(a.nanos(), b.nanos());
}

bool SameAddress(const Cell& a, const Cell& b) {
  return a.is_v6() == b.is_v6() && std::memcmp(a.ip().bytes, b.ip().bytes, a.is_v6() ? 16 : 4) == 0;
}

// Charges only if the texts must be read.
Cell EqualText(std::string_view a, std::string_view b, Context& context) {
  if (a.size() != b.size()) return Cell::Bool(false);
  if (!context.Charge(a.size() / 16)) return context.LimitError();
  return Cell::Bool(a == b);
}

// Maps of two forms: an entity stands for EntityFacts::All().

size_t MapSize(const Cell& map) {
  return map.form() == Cell::Form::kCells ? map.entries().size : map.attributes().size();
}

MapEntries::Entry EntryAt(const Cell& map, size_t index) {
  if (map.form() == Cell::Form::kCells) return map.entries().entries[index];
  const Attributes::Entry& entry = *(map.attributes().begin() + index);
  return {Cell::String(entry.first), Cell::Of(entry.second)};
}

// Keys alone; a double is found among them, but is none.
bool SameKey(const Cell& a, const Cell& b) {
  if (a.is_number()) return b.is_number() && CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.kind() == Kind::kString) return a.text() == b.text();
  return a.kind() == Kind::kBool && a.bool_value() == b.bool_value();
}

bool ChargeForKey(const Cell& key, Context& context) {
  return key.kind() != Kind::kString || context.Charge(key.text().size() / 16);
}

Cell FindEntry(const MapEntries& map, const Cell& key, Context& context) {
  if (map.slots == nullptr) {
    for (uint32_t i = 0; i < map.size; ++i) {
      if (SameKey(map.entries[i].key, key)) return map.entries[i].value;
    }
    return Cell::Error(ErrorCode::kNoSuchKey);
  }
  if (key.kind() != Kind::kString && key.kind() != Kind::kBool && !key.is_number()) {
    return Cell::Error(ErrorCode::kNoSuchKey);
  }
  for (uint64_t slot = Hash(key) & map.slot_mask; map.slots[slot] != 0;
       slot = (slot + 1) & map.slot_mask) {
    const MapEntries::Entry& entry = map.entries[map.slots[slot] - 1];
    if (SameKey(entry.key, key)) return entry.value;
    if (!context.Charge(1)) return context.LimitError();
  }
  return Cell::Error(ErrorCode::kNoSuchKey);
}

// The value of a key; kNoSuchKey, mostly without detail, if there is none.
Cell Find(const Cell& map, const Cell& key, Context& context) {
  if (!ChargeForKey(key, context)) return context.LimitError();
  if (map.form() == Cell::Form::kCells) return FindEntry(map.entries(), key, context);
  if (key.kind() != Kind::kString) return Cell::Error(ErrorCode::kNoSuchKey);
  if (map.form() == Cell::Form::kEntity) return map.entity().Find(key.text(), context);
  const Value* value = map.attributes().Find(key.text());
  return value != nullptr ? Cell::Of(*value) : Cell::Error(ErrorCode::kNoSuchKey);
}

// The error of a key that is not there, naming it.
Cell NoSuchKey(const Cell& key, Context& context) {
  char text[kMaxNotation];
  std::string_view name;
  switch (key.kind()) {
    case Kind::kString:
      return Cell::Error(ErrorCode::kNoSuchKey, key.text());
    case Kind::kBool:
      return Cell::Error(ErrorCode::kNoSuchKey, key.bool_value() ? "true" : "false");
    case Kind::kInt:
      name = WriteInt(key.int_value(), text);
      break;
    case Kind::kUint:
      name = WriteUint(key.uint_value(), text);
      break;
    case Kind::kDouble:
      name = WriteDouble(key.double_value(), text);
      break;
    default:
      return Cell::Error(ErrorCode::kNoSuchKey);
  }
  const Cell copy = context.CopyString(name);
  return copy.is_error() ? copy : Cell::Error(ErrorCode::kNoSuchKey, copy.text());
}

// The element at an index that is a whole number; kIndexOutOfRange, or kNoSuchOverload.
Cell ElementAt(const Cell& list, const Cell& index) {
  const Cell out_of_range = Cell::Error(ErrorCode::kIndexOutOfRange);
  uint64_t at = 0;
  switch (index.kind()) {
    case Kind::kInt:
      if (index.int_value() < 0) return out_of_range;
      at = static_cast<uint64_t>(index.int_value());
      break;
    case Kind::kUint:
      at = index.uint_value();
      break;
    case Kind::kDouble: {
      const double value = index.double_value();
      if (std::isnan(value) || value != std::trunc(value)) {
        return Cell::Error(ErrorCode::kBadArgument, "an index must be a whole number");
      }
      if (value < 0) return out_of_range;
      at = value < kTwoTo63 ? static_cast<uint64_t>(value) : kMaxUint;
      break;
    }
    default:
      return NoOverload("[]");
  }
  if (at < list.list_size()) return list.At(at);
  return list.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : out_of_range;
}

bool IsMissing(const Cell& cell) {
  return cell.is_error() && (cell.error_code() == ErrorCode::kNoSuchKey ||
                             cell.error_code() == ErrorCode::kIndexOutOfRange);
}

Cell EqualAt(const Cell& a, const Cell& b, int depth, Context& context);

Cell EqualLists(const Cell& a, const Cell& b, int depth, Context& context) {
  if (a.is_partial() || b.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  const size_t size = a.list_size();
  if (size != b.list_size()) return Cell::Bool(false);
  if (!context.Charge(size)) return context.LimitError();
  Cell result = Cell::Bool(true);
  for (size_t i = 0; i < size; ++i) {
    const Cell equal = EqualAt(a.At(i), b.At(i), depth + 1, context);
    if (equal.is_bool(false) || context.exhausted()) return equal;
    if (equal.is_error()) result = equal;  // A later element may still differ for certain.
  }
  return result;
}

Cell EqualMaps(const Cell& a, const Cell& b, int depth, Context& context) {
  if (a.form() == Cell::Form::kEntity) {
    const Cell all = a.entity().All(context);
    return all.is_error() ? all : EqualAt(all, b, depth + 1, context);
  }
  if (b.form() == Cell::Form::kEntity) return EqualMaps(b, a, depth, context);
  const size_t size = MapSize(a);
  if (size != MapSize(b)) return Cell::Bool(false);
  if (!context.Charge(size)) return context.LimitError();
  Cell result = Cell::Bool(true);
  for (size_t i = 0; i < size; ++i) {
    const MapEntries::Entry entry = EntryAt(a, i);
    const Cell other = Find(b, entry.key, context);
    if (IsNoSuchKey(other)) return Cell::Bool(false);
    const Cell equal = EqualAt(entry.value, other, depth + 1, context);
    if (equal.is_bool(false) || context.exhausted()) return equal;
    if (equal.is_error()) result = equal;
  }
  return result;
}

Cell EqualOptionals(const Cell& a, const Cell& b, int depth, Context& context) {
  const Cell* x = a.optional_value();
  const Cell* y = b.optional_value();
  if (x == nullptr || y == nullptr) return Cell::Bool(x == y);
  return EqualAt(*x, *y, depth + 1, context);
}

Cell EqualAt(const Cell& a, const Cell& b, int depth, Context& context) {
  if (a.is_error()) return a;  // a fact that is no value of CEL: a time out of range
  if (b.is_error()) return b;
  if (a.is_number() && b.is_number()) return Cell::Bool(CompareNumbers(a, b) == 0);
  if (a.kind() != b.kind()) return Cell::Bool(false);
  if (depth > kMaxCellDepth) return Cell::Error(ErrorCode::kTooDeep);
  switch (a.kind()) {
    case Kind::kNull:
      return Cell::Bool(true);
    case Kind::kBool:
      return Cell::Bool(a.bool_value() == b.bool_value());
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kType:
      return EqualText(a.text(), b.text(), context);
    case Kind::kTimestamp:
    case Kind::kDuration:
      return Cell::Bool(CompareTimes(a, b) == 0);
    case Kind::kList:
      return EqualLists(a, b, depth, context);
    case Kind::kMap:
      return EqualMaps(a, b, depth, context);
    case Kind::kOptional:
      return EqualOptionals(a, b, depth, context);
    case Kind::kIp:
      return Cell::Bool(SameAddress(a, b));
    case Kind::kCidr:
      return Cell::Bool(a.prefix() == b.prefix() && SameAddress(a, b));
    default:
      return NoOverload("==");
  }
}

// The answer of a comparison whose operator holds for the orders in `holds`.
template <typename Holds>
Cell Ordered(const Cell& a, const Cell& b, std::string_view name, Holds holds) {
  const int order = Compare(a, b);
  if (order == kIncomparable) return NoOverload(name);
  return Cell::Bool(order != kUnordered && holds(order));
}

// `nanos` may be negative, or a second or more, but within one addition of two.
Cell MakeTime(Kind kind, int64_t seconds, int64_t nanos) {
  if (nanos < 0) nanos += kNanosPerSecond, --seconds;
  if (nanos >= kNanosPerSecond) nanos -= kNanosPerSecond, ++seconds;
  const uint32_t rest = static_cast<uint32_t>(nanos);
  return kind == Kind::kTimestamp ? CheckedTimestamp(seconds, rest)
                                  : CheckedDuration(seconds, rest);
}

// Both lie within their ranges, so that sums of seconds do not overflow.
Cell AddTimes(const Cell& a, const Cell& b, Kind result) {
  return MakeTime(result, a.seconds() + b.seconds(), int64_t{a.nanos()} + b.nanos());
}

Cell SubtractTimes(const Cell& a, const Cell& b, Kind result) {
  return MakeTime(result, a.seconds() - b.seconds(), int64_t{a.nanos()} - b.nanos());
}

Cell Concatenate(const Cell& a, const Cell& b, Context& context) {
  const std::string_view x = a.text();
  const std::string_view y = b.text();
  if (x.empty()) return b;
  if (y.empty()) return a;
  const size_t size = x.size() + y.size();
  char* text = context.Allocate<char>(size);
  if (text == nullptr) return context.LimitError();
  if (size > std::numeric_limits<uint32_t>::max()) {
    return Cell::Error(ErrorCode::kBadArgument, "too long");
  }
  std::memcpy(text, x.data(), x.size());
  std::memcpy(text + x.size(), y.data(), y.size());
  return a.kind() == Kind::kString ? Cell::String({text, size}) : Cell::Bytes({text, size});
}

Cell ConcatenateLists(const Cell& a, const Cell& b, Context& context) {
  if (a.is_partial() || b.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  if (a.list_size() == 0) return b;
  if (b.list_size() == 0) return a;
  const size_t size = a.list_size() + b.list_size();
  Cell* elements = context.Allocate<Cell>(size);
  if (elements == nullptr) return context.LimitError();
  for (size_t i = 0; i < size; ++i) {
    elements[i] = i < a.list_size() ? a.At(i) : b.At(i - a.list_size());
    if (elements[i].is_error()) return elements[i];
  }
  return Cell::List({elements, size}, std::max(a.depth(), b.depth()));
}

// Code points are counted by the bytes that begin one, eight bytes at a time.
uint64_t CountCodePoints(std::string_view text) {
  uint64_t continuations = 0;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    continuations +=
        static_cast<uint64_t>(absl::popcount((word >> 7) & ~(word >> 6) & 0x0101010101010101));
  }
  for (; i < text.size(); ++i) continuations += (text[i] & 0xC0) == 0x80 ? 1 : 0;
  return text.size() - continuations;
}

uint64_t HashInteger(uint64_t value) {
  // The largest int equals the double next to it, which equals the integer next to it.
  if (value == static_cast<uint64_t>(kMaxInt)) ++value;
  return absl::Hash<uint64_t>{}(value);
}

uint64_t HashDouble(double value) {
  if (value == kTwoTo64) return HashInteger(kMaxUint);
  if (value >= 0 && value < kTwoTo64) {
    const uint64_t whole = static_cast<uint64_t>(value);
    if (static_cast<double>(whole) == value) return HashInteger(whole);
  } else if (value < 0 && value >= -kTwoTo63) {
    const int64_t whole = static_cast<int64_t>(value);
    if (static_cast<double>(whole) == value) return HashInteger(static_cast<uint64_t>(whole));
  }
  return absl::Hash<double>{}(value);
}

Cell WrapFound(const Cell& found, Context& context) {
  if (IsMissing(found)) return Cell::Optional(nullptr, 0);
  return found.is_error() ? found : MakeOptional(found, context);
}

// `container[key]`; a key or an element that is missing is so without detail.
Cell Look(const Cell& container, const Cell& key, Context& context) {
  switch (container.kind()) {
    case Kind::kMap:
      return Find(container, key, context);
    case Kind::kList:
      return ElementAt(container, key);
    default:
      return NoOverload("[]");
  }
}

// Values may share parts, so that what is short to make is long to write.
constexpr size_t kMaxShownBytes = size_t{1} << 20;

void Show(const Cell& cell, int depth, std::string* text);

// Goes on to part `i` of a list or a map. Returns false, having said so, if there is no more room.
bool ShowNext(size_t i, std::string* text) {
  if (i > 0) *text += ", ";
  if (text->size() < kMaxShownBytes) return true;
  *text += "...";
  return false;
}

void ShowMap(const Cell& map, int depth, std::string* text) {
  if (map.form() == Cell::Form::kEntity) {
    *text += "{...}";
    return;
  }
  *text += "{";
  for (size_t i = 0; i < MapSize(map) && ShowNext(i, text); ++i) {
    const MapEntries::Entry entry = EntryAt(map, i);
    Show(entry.key, depth + 1, text);
    *text += ": ";
    Show(entry.value, depth + 1, text);
  }
  *text += "}";
}

void ShowList(const Cell& list, int depth, std::string* text) {
  *text += "[";
  for (size_t i = 0; i < list.list_size() && ShowNext(i, text); ++i) {
    Show(list.At(i), depth + 1, text);
  }
  if (list.is_partial()) absl::StrAppend(text, list.list_size() > 0 ? ", " : "", "...");
  *text += "]";
}

std::string ErrorToString(const Cell& error) {
  std::string text(ToString(error.error_code()));
  const std::string_view detail = error.error_detail();
  if (!detail.empty())
    absl::StrAppend(&text, ": ", absl::string_view(detail.data(), detail.size()));
  return text;
}

// Of what has no parts.
std::string PlainToString(const Cell& cell) {
  char text[kMaxNotation];
  switch (cell.kind()) {
    case Kind::kError:
      return ErrorToString(cell);
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return Value::Bool(cell.bool_value()).ToString();
    case Kind::kInt:
      return Value::Int(cell.int_value()).ToString();
    case Kind::kUint:
      return Value::Uint(cell.uint_value()).ToString();
    case Kind::kDouble:
      return Value::Double(cell.double_value()).ToString();
    case Kind::kString:
      return Value::String(std::string(cell.text())).ToString();
    case Kind::kBytes:
      return Value::Bytes(std::string(cell.text())).ToString();
    case Kind::kTimestamp:
      return "timestamp(\"" + std::string(WriteTimestamp(cell.seconds(), cell.nanos(), text)) +
             "\")";
    case Kind::kDuration:
      return "duration(\"" + std::string(WriteDuration(cell.seconds(), cell.nanos(), text)) + "\")";
    case Kind::kType:
      return std::string(cell.text());
    case Kind::kIp:
      return "ip(\"" + std::string(WriteAddress(cell, text)) + "\")";
    case Kind::kCidr:
      return "cidr(\"" + std::string(WriteAddress(cell, text)) + "\")";
    case Kind::kList:
    case Kind::kMap:
    case Kind::kOptional:
      break;
  }
  return {};
}

void Show(const Cell& cell, int depth, std::string* text) {
  if (depth > kMaxCellDepth) {
    *text += "...";
    return;
  }
  switch (cell.kind()) {
    case Kind::kList:
      return ShowList(cell, depth, text);
    case Kind::kMap:
      return ShowMap(cell, depth, text);
    case Kind::kOptional:
      if (cell.optional_value() == nullptr) {
        *text += "optional.none()";
        return;
      }
      *text += "optional.of(";
      Show(*cell.optional_value(), depth + 1, text);
      *text += ")";
      return;
    default:
      *text += PlainToString(cell);
  }
}

}  // namespace

Cell Equal(const Cell& a, const Cell& b, Context& context) { return EqualAt(a, b, 0, context); }

Cell NotEqual(const Cell& a, const Cell& b, Context& context) {
  const Cell equal = Equal(a, b, context);
  return equal.is_error() ? equal : Cell::Bool(!equal.bool_value());
}

int Compare(const Cell& a, const Cell& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b);
  if (a.kind() != b.kind()) return kIncomparable;
  switch (a.kind()) {
    case Kind::kBool:
      return Order(a.bool_value(), b.bool_value());
    case Kind::kString:
    case Kind::kBytes:
      return Order(a.text().compare(b.text()), 0);  // by bytes without sign, as UTF-8 sorts
    case Kind::kTimestamp:
    case Kind::kDuration:
      return CompareTimes(a, b);
    default:
      return kIncomparable;
  }
}

Cell Less(const Cell& a, const Cell& b) {
  return Ordered(a, b, "<", [](int order) { return order < 0; });
}

Cell LessOrEqual(const Cell& a, const Cell& b) {
  return Ordered(a, b, "<=", [](int order) { return order <= 0; });
}

Cell Greater(const Cell& a, const Cell& b) {
  return Ordered(a, b, ">", [](int order) { return order > 0; });
}

Cell GreaterOrEqual(const Cell& a, const Cell& b) {
  return Ordered(a, b, ">=", [](int order) { return order >= 0; });
}

Cell Add(const Cell& a, const Cell& b, Context& context) {
  if (a.kind() == Kind::kTimestamp && b.kind() == Kind::kDuration) {
    return AddTimes(a, b, Kind::kTimestamp);
  }
  if (a.kind() == Kind::kDuration && b.kind() == Kind::kTimestamp) {
    return AddTimes(a, b, Kind::kTimestamp);
  }
  if (a.kind() != b.kind()) return NoOverload("+");
  switch (a.kind()) {
    case Kind::kInt: {
      int64_t sum;
      if (__builtin_add_overflow(a.int_value(), b.int_value(), &sum)) break;
      return Cell::Int(sum);
    }
    case Kind::kUint: {
      uint64_t sum;
      if (__builtin_add_overflow(a.uint_value(), b.uint_value(), &sum)) break;
      return Cell::Uint(sum);
    }
    case Kind::kDouble:
      return Cell::Double(a.double_value() + b.double_value());
    case Kind::kString:
    case Kind::kBytes:
      return Concatenate(a, b, context);
    case Kind::kList:
      return ConcatenateLists(a, b, context);
    case Kind::kDuration:
      return AddTimes(a, b, Kind::kDuration);
    default:
      return NoOverload("+");
  }
  return Cell::Error(ErrorCode::kOverflow);
}

Cell Subtract(const Cell& a, const Cell& b) {
  if (a.kind() == Kind::kTimestamp && b.kind() == Kind::kDuration) {
    return SubtractTimes(a, b, Kind::kTimestamp);
  }
  if (a.kind() != b.kind()) return NoOverload("-");
  switch (a.kind()) {
    case Kind::kInt: {
      int64_t difference;
      if (__builtin_sub_overflow(a.int_value(), b.int_value(), &difference)) break;
      return Cell::Int(difference);
    }
    case Kind::kUint: {
      uint64_t difference;
      if (__builtin_sub_overflow(a.uint_value(), b.uint_value(), &difference)) break;
      return Cell::Uint(difference);
    }
    case Kind::kDouble:
      return Cell::Double(a.double_value() - b.double_value());
    case Kind::kTimestamp:
    case Kind::kDuration:
      return SubtractTimes(a, b, Kind::kDuration);
    default:
      return NoOverload("-");
  }
  return Cell::Error(ErrorCode::kOverflow);
}

Cell Multiply(const Cell& a, const Cell& b) {
  if (a.kind() != b.kind()) return NoOverload("*");
  switch (a.kind()) {
    case Kind::kInt: {
      int64_t product;
      if (__builtin_mul_overflow(a.int_value(), b.int_value(), &product)) break;
      return Cell::Int(product);
    }
    case Kind::kUint: {
      uint64_t product;
      if (__builtin_mul_overflow(a.uint_value(), b.uint_value(), &product)) break;
      return Cell::Uint(product);
    }
    case Kind::kDouble:
      return Cell::Double(a.double_value() * b.double_value());
    default:
      return NoOverload("*");
  }
  return Cell::Error(ErrorCode::kOverflow);
}

Cell Divide(const Cell& a, const Cell& b) {
  if (a.kind() != b.kind()) return NoOverload("/");
  switch (a.kind()) {
    case Kind::kInt:
      if (b.int_value() == 0) break;
      if (a.int_value() == kMinInt && b.int_value() == -1) {
        return Cell::Error(ErrorCode::kOverflow);
      }
      return Cell::Int(a.int_value() / b.int_value());
    case Kind::kUint:
      if (b.uint_value() == 0) break;
      return Cell::Uint(a.uint_value() / b.uint_value());
    case Kind::kDouble:
      return Cell::Double(a.double_value() / b.double_value());
    default:
      return NoOverload("/");
  }
  return Cell::Error(ErrorCode::kDivisionByZero);
}

Cell Modulo(const Cell& a, const Cell& b) {
  if (a.kind() != b.kind()) return NoOverload("%");
  switch (a.kind()) {
    case Kind::kInt:
      if (b.int_value() == 0) break;
      if (a.int_value() == kMinInt && b.int_value() == -1) {
        return Cell::Error(ErrorCode::kOverflow);
      }
      return Cell::Int(a.int_value() % b.int_value());
    case Kind::kUint:
      if (b.uint_value() == 0) break;
      return Cell::Uint(a.uint_value() % b.uint_value());
    default:
      return NoOverload("%");
  }
  return Cell::Error(ErrorCode::kDivisionByZero);
}

Cell Negate(const Cell& a) {
  switch (a.kind()) {
    case Kind::kInt:
      if (a.int_value() == kMinInt) return Cell::Error(ErrorCode::kOverflow);
      return Cell::Int(-a.int_value());
    case Kind::kDouble:
      return Cell::Double(-a.double_value());
    default:
      return NoOverload("-");
  }
}

Cell Index(const Cell& container, const Cell& key, Context& context) {
  if (container.kind() == Kind::kOptional) return OptionalIndex(container, key, context);
  const Cell found = Look(container, key, context);
  if (IsNoSuchKey(found) && found.error_detail().empty()) return NoSuchKey(key, context);
  return found;
}

Cell Select(const Cell& container, std::string_view name, Context& context) {
  if (container.kind() == Kind::kMap || container.kind() == Kind::kOptional) {
    return Index(container, Cell::String(name), context);
  }
  return NoOverload(".");
}

Cell Has(const Cell& container, std::string_view name, Context& context) {
  const Cell* map = &container;
  if (container.kind() == Kind::kOptional) {
    map = container.optional_value();
    if (map == nullptr) return Cell::Bool(false);
  }
  if (map->kind() != Kind::kMap) return NoOverload("has");
  const Cell found = Find(*map, Cell::String(name), context);
  if (IsNoSuchKey(found)) return Cell::Bool(false);
  return found.is_error() ? found : Cell::Bool(true);
}

Cell OptionalIndex(const Cell& container, const Cell& key, Context& context) {
  if (container.kind() != Kind::kOptional) {
    return WrapFound(Look(container, key, context), context);
  }
  const Cell* held = container.optional_value();
  return held == nullptr ? container : WrapFound(Look(*held, key, context), context);
}

Cell In(const Cell& element, const Cell& container, Context& context) {
  if (container.kind() == Kind::kMap) {
    const Cell found = Find(container, element, context);
    if (IsNoSuchKey(found)) return Cell::Bool(false);
    return found.is_error() ? found : Cell::Bool(true);
  }
  if (container.kind() != Kind::kList) return NoOverload("in");
  const size_t size = container.list_size();
  if (!context.Charge(size)) return context.LimitError();
  Cell result = container.is_partial() ? Cell::Error(ErrorCode::kIncomplete) : Cell::Bool(false);
  const bool is_short = element.kind() == Kind::kString && element.text().size() <= kShortText;
  const std::string_view text = is_short ? element.text() : std::string_view();
  for (size_t i = 0; i < size; ++i) {
    const Cell candidate = container.At(i);
    if (is_short && candidate.kind() == Kind::kString) {  // what most lists are asked for
      if (SameText(text, candidate.text())) return Cell::Bool(true);
      continue;
    }
    const Cell equal = Equal(element, Cell(candidate), context);
    if (equal.is_bool(true) || context.exhausted()) return equal;
    if (equal.is_error()) result = equal;  // A later element may still be the one.
  }
  return result;
}

Cell StartsWith(const Cell& a, const Cell& b, Context& context) {
  if (a.kind() != Kind::kString || b.kind() != Kind::kString) return NoOverload("startsWith");
  const std::string_view part = b.text();
  if (!context.Charge(part.size() / 16)) return context.LimitError();
  return Cell::Bool(a.text().substr(0, part.size()) == part);
}

Cell EndsWith(const Cell& a, const Cell& b, Context& context) {
  if (a.kind() != Kind::kString || b.kind() != Kind::kString) return NoOverload("endsWith");
  const std::string_view text = a.text();
  const std::string_view part = b.text();
  if (!context.Charge(part.size() / 16)) return context.LimitError();
  return Cell::Bool(part.size() <= text.size() && text.substr(text.size() - part.size()) == part);
}

Cell Size(const Cell& a, Context& context) {
  switch (a.kind()) {
    case Kind::kString:
      if (!context.Charge(a.text().size() / 16)) return context.LimitError();
      return Cell::Int(static_cast<int64_t>(CountCodePoints(a.text())));
    case Kind::kBytes:
      return Cell::Int(static_cast<int64_t>(a.text().size()));
    case Kind::kList:
      if (a.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
      return Cell::Int(static_cast<int64_t>(a.list_size()));
    case Kind::kMap: {
      if (a.form() != Cell::Form::kEntity) return Cell::Int(static_cast<int64_t>(MapSize(a)));
      const Cell all = a.entity().All(context);
      return all.is_error() ? all : Cell::Int(static_cast<int64_t>(MapSize(all)));
    }
    default:
      return NoOverload("size");
  }
}

Cell TypeOf(const Cell& a) {
  switch (a.kind()) {
    case Kind::kError:
      return a;
    case Kind::kNull:
      return Cell::Type("null_type");
    case Kind::kBool:
      return Cell::Type("bool");
    case Kind::kInt:
      return Cell::Type("int");
    case Kind::kUint:
      return Cell::Type("uint");
    case Kind::kDouble:
      return Cell::Type("double");
    case Kind::kString:
      return Cell::Type("string");
    case Kind::kBytes:
      return Cell::Type("bytes");
    case Kind::kTimestamp:
      return Cell::Type("google.protobuf.Timestamp");
    case Kind::kDuration:
      return Cell::Type("google.protobuf.Duration");
    case Kind::kList:
      return Cell::Type("list");
    case Kind::kMap:
      return Cell::Type("map");
    case Kind::kType:
      return Cell::Type("type");
    case Kind::kOptional:
      return Cell::Type("optional_type");
    case Kind::kIp:
      return Cell::Type("net.IP");
    case Kind::kCidr:
      return Cell::Type("net.CIDR");
  }
  return NoOverload("type");
}

uint64_t Hash(const Cell& a) {
  switch (a.kind()) {
    case Kind::kBool:
      return absl::Hash<uint64_t>{}(a.bool_value() ? 1 : 0);
    case Kind::kInt:
      return HashInteger(static_cast<uint64_t>(a.int_value()));
    case Kind::kUint:
      return HashInteger(a.uint_value());
    case Kind::kDouble:
      return HashDouble(a.double_value());
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kType:
      return absl::Hash<absl::string_view>{}({a.text().data(), a.text().size()});
    case Kind::kTimestamp:
    case Kind::kDuration:
      return absl::Hash<std::pair<int64_t, uint32_t>>{}({a.seconds(), a.nanos()});
    case Kind::kIp:
    case Kind::kCidr: {
      const size_t size = a.is_v6() ? 16 : 4;
      return absl::Hash<absl::string_view>{}({reinterpret_cast<const char*>(a.ip().bytes), size});
    }
    default:
      return 0;
  }
}

Cell MakeOptional(const Cell& a, Context& context) {
  if (a.depth() >= kMaxCellDepth) return Cell::Error(ErrorCode::kTooDeep);
  Cell* value = context.Allocate<Cell>(1);
  if (value == nullptr) return context.LimitError();
  *value = a;
  return Cell::Optional(value, a.depth() + 1);
}

Cell Elements(const Cell& container, Context& context) {
  if (container.kind() == Kind::kList) return container;
  if (container.kind() != Kind::kMap) {
    return Cell::Error(ErrorCode::kNoSuchOverload, "a comprehension");
  }
  if (container.form() == Cell::Form::kEntity) {
    const Cell all = container.entity().All(context);
    return all.is_error() ? all : Elements(all, context);
  }
  const size_t size = MapSize(container);
  Cell* keys = context.Allocate<Cell>(size);
  if (keys == nullptr) return context.LimitError();
  if (container.form() == Cell::Form::kCells) {
    for (size_t i = 0; i < size; ++i) keys[i] = container.entries().entries[i].key;
  } else {
    size_t i = 0;
    for (const Attributes::Entry& entry : container.attributes()) {
      keys[i++] = Cell::String(entry.first);
    }
  }
  return Cell::List({keys, size}, 1);
}

void MapBuilder::Reserve(size_t capacity) {
  if (capacity > std::numeric_limits<uint32_t>::max() / 4) {
    capacity = std::numeric_limits<uint32_t>::max() / 4;  // far beyond any arena
  }
  if (capacity <= capacity_) return;
  auto* entries = context_.Allocate<MapEntries::Entry>(capacity);
  if (entries == nullptr) return;
  std::copy_n(entries_, size_, entries);
  uint32_t* slots = nullptr;
  uint32_t mask = 0;
  if (capacity > kLargestUnindexedMap) {
    const size_t count = absl::bit_ceil(2 * capacity);
    slots = context_.Allocate<uint32_t>(count);
    if (slots == nullptr) return;
    std::fill_n(slots, count, 0);
    mask = static_cast<uint32_t>(count - 1);
  }
  entries_ = entries;
  capacity_ = static_cast<uint32_t>(capacity);
  slots_ = slots;
  slot_mask_ = mask;
  for (uint32_t i = 0; slots_ != nullptr && i < size_; ++i) {
    if (uint32_t* slot = FindSlot(entries_[i].key); slot != nullptr) *slot = i + 1;
  }
}

// The slot that holds `key` or that it should go to; null at a limit.
uint32_t* MapBuilder::FindSlot(const Cell& key) {
  uint64_t at = Hash(key) & slot_mask_;
  while (slots_[at] != 0 && !SameKey(entries_[slots_[at] - 1].key, key)) {
    if (!context_.Charge(1)) return nullptr;
    at = (at + 1) & slot_mask_;
  }
  return &slots_[at];
}

Cell MapBuilder::Add(const Cell& key, const Cell& value) {
  if (key.kind() != Kind::kString && key.kind() != Kind::kInt && key.kind() != Kind::kUint &&
      key.kind() != Kind::kBool) {
    return Cell::Error(ErrorCode::kBadKey);
  }
  if (context_.exhausted() || !ChargeForKey(key, context_)) return context_.LimitError();
  if (size_ == capacity_) {
    Reserve(std::max(size_t{4}, 2 * size_t{size_}));
    if (size_ >= capacity_ || context_.exhausted()) return context_.LimitError();
  }
  uint32_t* slot = nullptr;
  bool found = false;
  if (slots_ != nullptr) {
    slot = FindSlot(key);
    if (slot == nullptr) return context_.LimitError();
    found = *slot != 0;
  } else {
    for (uint32_t i = 0; i < size_ && !found; ++i) found = SameKey(entries_[i].key, key);
  }
  if (found) {
    const Cell error = NoSuchKey(key, context_);
    return context_.exhausted() ? error
                                : Cell::Error(ErrorCode::kDuplicateKey, error.error_detail());
  }
  if (slot != nullptr) *slot = size_ + 1;
  entries_[size_++] = {key, value};
  depth_ = std::max(depth_, value.depth());
  return Cell::Null();
}

Cell MapBuilder::Build() {
  if (context_.exhausted()) return context_.LimitError();
  if (depth_ >= kMaxCellDepth) return Cell::Error(ErrorCode::kTooDeep);
  if (size_ == 0) return Cell::Map(&kNoEntries, 1);
  auto* map = context_.Allocate<MapEntries>(1);
  if (map == nullptr) return context_.LimitError();
  *map = {entries_, size_, slot_mask_, slots_};
  return Cell::Map(map, depth_ + 1);
}

std::string ToString(const Cell& cell) {
  std::string text;
  Show(cell, 0, &text);
  return text;
}

}  // namespace reeve::cel
