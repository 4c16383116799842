// A value while conditions are evaluated: 16 bytes, copied freely, owning nothing. Internal.
//
// What a cell points to lives in the arena of the evaluation, in the program, or in the request,
// and outlives the evaluation.
#ifndef REEVE_ENGINE_CEL_CELL_H_
#define REEVE_ENGINE_CEL_CELL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/base/casts.h"
#include "absl/types/span.h"
#include "reeve/engine/value.h"

namespace reeve::cel {

class Context;
class EntityFacts;
struct MapEntries;

enum class Kind : uint8_t {
  kError,  // CEL's error, which is Reeve's unknown
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,
  kDuration,
  kList,
  kMap,
  kType,
  kOptional,
  kIp,
  kCidr,
};

// Why there is no value. The text of an error is ToString(code), then `: detail` if there is one.
enum class ErrorCode : uint8_t {
  kNoSuchKey,       // detail: the key
  kNoSuchVariable,  // detail: its name; a fact that this request does not have
  kNoSuchOverload,  // detail: the operator or function
  kDivisionByZero,  // also of `%`
  kOverflow,        // an integer, time or duration out of range
  kIndexOutOfRange,
  kBadConversion,  // detail: the text or type that cannot be converted
  kBadArgument,    // detail: what is wrong, in a few words
  kBadRegex,       // detail: why it does not compile
  kBadTimeZone,    // detail: its name
  kDuplicateKey,   // detail: the key, of a map literal
  kBadKey,         // a key that is not bool, int, uint or string
  kNoValue,        // optional.none().value()
  kIncomplete,     // not all groups of the principal are known
  kPartialFacts,   // not all attributes, or not all parents, are known
  kNotBool,        // a condition, or an operand of a logical operator
  kTooDeep,        // a value nested deeper than kMaxCellDepth
  kCostLimit,      // the budget of the decision is spent
  kMemoryLimit,    // the arena is full
};
std::string_view ToString(ErrorCode code);

// Lists, maps and optionals that contain each other. Deeper ones are errors, so that code may
// recurse over a value.
inline constexpr int kMaxCellDepth = 64;

// One 128-bit address: of an IPv4 address the first 4 bytes count.
struct IpBytes {
  uint8_t bytes[16];
};

class Cell {
 public:
  // How the elements of a list or a map are held.
  enum class Form : uint8_t {
    kNone,
    kCells,       // list: const Cell[]; map: MapEntries
    kValues,      // list: const Value[]
    kStrings,     // list: const std::string[]
    kAttributes,  // map: const Attributes
    kEntity,      // map: EntityFacts, the variables `principal` and `resource`
  };

  Cell() : Cell(Head(Kind::kNull), uint64_t{0}) {}

  static Cell Error(ErrorCode code, std::string_view detail = {}) {
    return Text(Kind::kError, detail, static_cast<uint8_t>(code));
  }
  static Cell Null() { return Cell(); }
  static Cell Bool(bool value) { return Cell(Head(Kind::kBool), uint64_t{value}); }
  static Cell Int(int64_t value) { return Cell(Head(Kind::kInt), static_cast<uint64_t>(value)); }
  static Cell Uint(uint64_t value) { return Cell(Head(Kind::kUint), value); }
  static Cell Double(double value) {
    return Cell(Head(Kind::kDouble), absl::bit_cast<uint64_t>(value));
  }
  // Valid UTF-8, shorter than 4 GiB.
  static Cell String(std::string_view value) { return Text(Kind::kString, value); }
  static Cell Bytes(std::string_view value) { return Text(Kind::kBytes, value); }
  // `nanos` is below 1,000,000,000 and counts upwards from `seconds`, also for negative ones.
  static Cell Timestamp(int64_t seconds, uint32_t nanos) {
    return Time(Kind::kTimestamp, seconds, nanos);
  }
  static Cell Duration(int64_t seconds, uint32_t nanos) {
    return Time(Kind::kDuration, seconds, nanos);
  }
  // The name of a type, as `type(x)` gives it: "int", "google.protobuf.Timestamp".
  static Cell Type(std::string_view name) { return Text(Kind::kType, name); }
  // `depth` of a list or map that contains none is 1.
  static Cell List(absl::Span<const Cell> elements, int depth) {
    return Cell(Head(Kind::kList, Form::kCells, 0, depth, elements.size()), elements.data());
  }
  static Cell Strings(absl::Span<const std::string> elements) {
    return Cell(Head(Kind::kList, Form::kStrings, 0, 1, elements.size()), elements.data());
  }
  // `entries` outlives the cell.
  static Cell Map(const MapEntries* entries, int depth) {
    return Cell(Head(Kind::kMap, Form::kCells, 0, depth), entries);
  }
  static Cell Map(const Attributes* attributes) {
    return Cell(Head(Kind::kMap, Form::kAttributes, 0, kMaxValueDepth), attributes);
  }
  static Cell Entity(const EntityFacts* entity) {
    return Cell(Head(Kind::kMap, Form::kEntity, 0, kMaxValueDepth + 1), entity);
  }
  // Null for optional.none().
  static Cell Optional(const Cell* value, int depth) {
    return Cell(Head(Kind::kOptional, Form::kNone, 0, depth), value);
  }
  static Cell Ip(const IpBytes* address, bool is_v6) {
    return Address(Kind::kIp, address, is_v6, 0);
  }
  // `prefix` is at most 32, or 128 if `is_v6`. Host bits may be set.
  static Cell Cidr(const IpBytes* address, bool is_v6, uint8_t prefix) {
    return Address(Kind::kCidr, address, is_v6, prefix);
  }
  // A view of a fact; `value` outlives the cell. Of a list or map the depth is the most that a fact
  // may have. kOverflow of a time that CEL does not know.
  static Cell Of(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::kBool:
        return Bool(value.bool_value());
      case Value::Kind::kInt:
        return Int(value.int_value());
      case Value::Kind::kString:
        if (value.string_value().size() <= kMaxSize) return String(value.string_value());
        break;
      default:
        break;
    }
    return OfAny(value);
  }

  // The same list, of which more elements may exist that are not known. `x in` it is true or
  // kIncomplete; so is a walk that its elements do not decide, such as exists() if it is true of
  // none; everything else that depends on all of it is kIncomplete.
  Cell Partial() const {
    Cell cell = *this;
    cell.head_ |= Head(kind(), form(), kPartial);
    return cell;
  }

  // The same list of Form::kCells, which the machine has made so that it can append to it.
  Cell Growing() const {
    Cell cell = *this;
    cell.head_ |= Head(kind(), form(), kGrowing);
    return cell;
  }

  Kind kind() const { return static_cast<Kind>(head_ & 0xFF); }
  bool is_error() const { return kind() == Kind::kError; }
  bool is_bool(bool value) const { return kind() == Kind::kBool && bits_ == uint64_t{value}; }
  bool is_number() const {
    return kind() == Kind::kInt || kind() == Kind::kUint || kind() == Kind::kDouble;
  }

  // Each requires the kind that its name says.
  ErrorCode error_code() const { return static_cast<ErrorCode>(extra()); }
  std::string_view error_detail() const { return {pointer<char>(), size()}; }
  bool bool_value() const { return bits_ != 0; }
  int64_t int_value() const { return static_cast<int64_t>(bits_); }
  uint64_t uint_value() const { return bits_; }
  double double_value() const { return absl::bit_cast<double>(bits_); }
  // Of a kString, kBytes or kType.
  std::string_view text() const { return {pointer<char>(), size()}; }
  // Of a kTimestamp or kDuration.
  int64_t seconds() const { return static_cast<int64_t>(bits_); }
  uint32_t nanos() const { return size(); }
  const Cell* optional_value() const { return pointer<Cell>(); }  // Null if there is none.
  // Of a kIp or kCidr.
  bool is_v6() const { return (extra() & kV6) != 0; }
  const IpBytes& ip() const { return *pointer<IpBytes>(); }
  uint8_t prefix() const { return static_cast<uint8_t>(size()); }
  // Of a kList.
  size_t list_size() const { return size(); }
  bool is_partial() const { return (extra() & kPartial) != 0; }
  bool is_growing() const { return (extra() & kGrowing) != 0; }
  Cell At(size_t index) const {  // index < list_size()
    switch (form()) {
      case Form::kValues:
        return Of(pointer<Value>()[index]);
      case Form::kStrings:
        return String(pointer<std::string>()[index]);
      default:
        return pointer<Cell>()[index];
    }
  }
  // Of a kList or kMap.
  Form form() const { return static_cast<Form>(head_ >> kFormShift & 0xFF); }
  const Cell* cells() const { return pointer<Cell>(); }                    // Form::kCells, a list's
  const MapEntries& entries() const { return *pointer<MapEntries>(); }     // Form::kCells, a map's
  const Attributes& attributes() const { return *pointer<Attributes>(); }  // Form::kAttributes
  const EntityFacts& entity() const { return *pointer<EntityFacts>(); }    // Form::kEntity
  // Of anything: 0 for what contains nothing.
  int depth() const { return static_cast<int>(head_ >> kDepthShift & 0xFF); }

 private:
  static constexpr uint8_t kV6 = 1;
  static constexpr uint8_t kPartial = 2;
  static constexpr uint8_t kGrowing = 4;
  static constexpr size_t kMaxSize = UINT32_MAX;

  static Cell OfAny(const Value& value);

  // Two words, which compilers keep in registers.
  static constexpr int kFormShift = 8;
  static constexpr int kExtraShift = 16;
  static constexpr int kDepthShift = 24;
  static constexpr int kSizeShift = 32;

  static constexpr uint64_t Head(Kind kind, Form form = Form::kNone, uint8_t extra = 0,
                                 int depth = 0, size_t size = 0) {
    return uint64_t{static_cast<uint8_t>(kind)} |
           uint64_t{static_cast<uint8_t>(form)} << kFormShift | uint64_t{extra} << kExtraShift |
           uint64_t{static_cast<uint8_t>(depth)} << kDepthShift |
           uint64_t{static_cast<uint32_t>(size)} << kSizeShift;
  }

  Cell(uint64_t head, uint64_t bits) : head_(head), bits_(bits) {}
  Cell(uint64_t head, const void* pointer)
      : head_(head), bits_(reinterpret_cast<uintptr_t>(pointer)) {}

  uint8_t extra() const { return static_cast<uint8_t>(head_ >> kExtraShift); }
  uint32_t size() const { return static_cast<uint32_t>(head_ >> kSizeShift); }

  template <typename T>
  const T* pointer() const {
    return reinterpret_cast<const T*>(static_cast<uintptr_t>(bits_));
  }

  static Cell Text(Kind kind, std::string_view text, uint8_t extra = 0) {
    return Cell(Head(kind, Form::kNone, extra, 0, text.size()), text.data());
  }
  static Cell Time(Kind kind, int64_t seconds, uint32_t nanos) {
    return Cell(Head(kind, Form::kNone, 0, 0, nanos), static_cast<uint64_t>(seconds));
  }
  static Cell Address(Kind kind, const IpBytes* address, bool is_v6, uint8_t prefix) {
    return Cell(Head(kind, Form::kNone, is_v6 ? kV6 : 0, 0, prefix), address);
  }

  // From the lowest bits: kind; form; what is extra (error: its code; ip, cidr: kV6; list:
  // kPartial, kGrowing); depth; size, in 32 bits (bytes, elements, nanoseconds or prefix).
  uint64_t head_;
  // A bool, a number, seconds, or a pointer.
  uint64_t bits_;
};
static_assert(sizeof(Cell) == 16);

// As Cell::Timestamp() and Cell::Duration(), but kOverflow of what CEL does not know: a time
// outside the years 1 to 9999, a duration that does not fit 64 bits as nanoseconds.
Cell CheckedTimestamp(int64_t seconds, uint32_t nanos);
Cell CheckedDuration(int64_t seconds, uint32_t nanos);

// The entries of a map that an expression made, in the order in which they were written. Keys are
// bool, int, uint or string, and no two are equal as CEL compares (1 and 1u are). Made by
// MapBuilder (operators.h).
struct MapEntries {
  struct Entry {
    Cell key;
    Cell value;
  };
  const Entry* entries;
  uint32_t size;
  uint32_t slot_mask;     // Number of slots less one; a power of two less one.
  const uint32_t* slots;  // Hash to number of entry plus one; null if the map is small.
};

// The variables `principal` and `resource`: maps whose entries are looked up in the request and in
// the snapshot when asked for.
class EntityFacts {
 public:
  virtual ~EntityFacts() = default;

  // Returns a kError kNoSuchKey if there is no such attribute.
  virtual Cell Find(std::string_view name, Context& context) const = 0;
  // All attributes, as a map of Form::kCells.
  virtual Cell All(Context& context) const = 0;
  // Whether the entity is, or lies in, the one named `name` (`type:id`): a bool, or an error.
  // Charges for what it looks through.
  virtual Cell IsIn(std::string_view name, Context& context) const = 0;
};

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_CELL_H_
