// Any function with any arguments: it answers with a value that is well-formed, at the same price
// each time, or with an error.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve::cel {
namespace {

constexpr uint64_t kCost = 100000;
constexpr size_t kMemory = 1 << 18;
constexpr int kMaxArgumentDepth = 6;
constexpr int64_t kMaxTimestampSeconds = 253402300799;
constexpr int64_t kMaxDurationSeconds = 9223372035;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Makes cells out of bytes, and keeps what they point to. One thread at a time.
class Arguments {
 public:
  explicit Arguments(std::string_view bytes) : bytes_(bytes) {
    context_.Reset(uint64_t{1} << 32, size_t{1} << 26);
  }

  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return byte;
  }

  Cell Make(int depth = 0) {
    switch (Byte() % 20) {
      case 0:
        return Cell::Null();
      case 1:
        return Cell::Bool(Byte() % 2 == 1);
      case 2:
        return Cell::Int(static_cast<int8_t>(Byte()));
      case 3:
        return Cell::Int(static_cast<int64_t>(Bits()));
      case 4:
        return Cell::Uint(Byte());
      case 5:
        return Cell::Uint(Bits());
      case 6:
        return Cell::Double(Double());
      case 7:
      case 8:
      case 9:
        return String();
      case 10:
        return Cell::Bytes(Text());
      case 11:
        return Time(Kind::kTimestamp);
      case 12:
        return Time(Kind::kDuration);
      case 13:
        return List(depth);
      case 14:
        return List(depth).Partial();
      case 15:
        return Map(depth);
      case 16:
        return Optional(depth);
      case 17:
        return TypeOf(Cell::Int(1));
      case 18:
        return Address();
      default:
        return Cell::Of(Kept(MakeFact(0)));
    }
  }

 private:
  uint64_t Bits() {
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | Byte();
    return bits;
  }

  double Double() {
    const uint64_t bits = Bits();
    double number;
    std::memcpy(&number, &bits, sizeof(number));
    return number;
  }

  std::string_view Text() {
    const std::string_view text = bytes_.substr(0, Byte());
    bytes_.remove_prefix(text.size() < bytes_.size() ? text.size() : bytes_.size());
    return texts_.emplace_back(text);
  }

  Cell String() {
    const std::string_view text = Text();
    return IsValidUtf8(text) ? Cell::String(text) : Cell::String("%s \xC3\xA9");
  }

  Cell Time(Kind kind) {
    const auto nanos = static_cast<uint32_t>(Bits() % 1000000000);
    const auto seconds = static_cast<int64_t>(Bits());
    if (kind == Kind::kDuration) return CheckedDuration(seconds % kMaxDurationSeconds, nanos);
    return CheckedTimestamp(seconds % kMaxTimestampSeconds, nanos);
  }

  Cell List(int depth) {
    std::vector<Cell>& elements = lists_.emplace_back();
    const size_t size = depth < kMaxArgumentDepth ? Byte() % 24 : 0;
    elements.reserve(size);
    for (size_t i = 0; i < size && !bytes_.empty(); ++i) elements.push_back(Make(depth + 1));
    for (Cell& element : elements) {
      if (element.is_error()) element = Cell();
    }
    return context_.MakeList(elements);
  }

  Cell Map(int depth) {
    const size_t size = depth < kMaxArgumentDepth ? Byte() % 16 : 0;
    MapBuilder builder(size, context_);
    for (size_t i = 0; i < size && !bytes_.empty(); ++i) {
      const Cell key = Make(depth + 1);
      const Cell value = Make(depth + 1);
      if (!key.is_error() && !value.is_error()) builder.Add(key, value);
    }
    return builder.Build();
  }

  Cell Optional(int depth) {
    const Cell value =
        depth < kMaxArgumentDepth ? Make(depth + 1) : Cell::Error(ErrorCode::kTooDeep);
    return value.is_error() ? Cell::Optional(nullptr, 0) : MakeOptional(value, context_);
  }

  Cell Address() {
    IpBytes& ip = ips_.emplace_back();
    for (uint8_t& byte : ip.bytes) byte = Byte();
    const bool is_v6 = Byte() % 2 == 1;
    if (Byte() % 2 == 1) return Cell::Ip(&ip, is_v6);
    return Cell::Cidr(&ip, is_v6, static_cast<uint8_t>(Byte() % (is_v6 ? 129 : 33)));
  }

  Value MakeFact(int depth) {
    switch (Byte() % 8) {
      case 0:
        return Value();
      case 1:
        return Value::Int(static_cast<int8_t>(Byte()));
      case 2:
        return Value::String(std::string(String().text()));
      case 3:
        return Value::Timestamp(absl::InfiniteFuture());
      case 4:
        return Value::Duration(absl::Nanoseconds(static_cast<int64_t>(Bits())));
      case 5:
        return Value::Double(Double());
      case 6: {
        Value::List list;
        const size_t size = depth < kMaxArgumentDepth ? Byte() % 16 : 0;
        for (size_t i = 0; i < size && !bytes_.empty(); ++i) list.push_back(MakeFact(depth + 1));
        return Value::Of(std::move(list));
      }
      default: {
        Attributes map;
        const size_t size = depth < kMaxArgumentDepth ? Byte() % 16 : 0;
        for (size_t i = 0; i < size && !bytes_.empty(); ++i) {
          std::string name(String().text());
          map.Set(std::move(name), MakeFact(depth + 1));
        }
        return Value::Of(std::move(map));
      }
    }
  }

  const Value& Kept(Value value) { return facts_.emplace_back(std::move(value)); }

  std::string_view bytes_;
  Context context_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Cell>> lists_;
  std::deque<IpBytes> ips_;
  std::deque<Value> facts_;
};

void RequireValid(const Cell& cell, int depth);

// Facts may hold a time that is an error once it is looked at.
void RequireElement(const Cell& container, const Cell& element, int depth) {
  if (container.form() == Cell::Form::kCells) {
    Require(!element.is_error(), "an element is an error");
    Require(element.depth() < container.depth(), "an element is as deep as its container");
  }
  RequireValid(element, depth + 1);
}

void RequireValid(const Cell& cell, int depth) {
  Require(depth <= kMaxCellDepth && cell.depth() <= kMaxCellDepth, "too deep");
  switch (cell.kind()) {
    case Kind::kError:
      Require(!ToString(cell.error_code()).empty(), "an error without a text");
      Require(IsValidUtf8(cell.error_detail()), "an error's detail is not UTF-8");
      break;
    case Kind::kString:
      Require(IsValidUtf8(cell.text()), "a string is not UTF-8");
      break;
    case Kind::kBytes:
      Require(std::string(cell.text()) == cell.text(), "bytes");  // Reads them all.
      break;
    case Kind::kTimestamp:
      Require(!CheckedTimestamp(cell.seconds(), cell.nanos()).is_error(), "a timestamp");
      Require(cell.nanos() < 1000000000, "nanoseconds");
      break;
    case Kind::kDuration:
      Require(!CheckedDuration(cell.seconds(), cell.nanos()).is_error(), "a duration");
      Require(cell.nanos() < 1000000000, "nanoseconds");
      break;
    case Kind::kList:
      for (size_t i = 0; i < cell.list_size(); ++i) RequireElement(cell, cell.At(i), depth);
      break;
    case Kind::kMap:
      if (cell.form() == Cell::Form::kAttributes) {
        for (const auto& [name, value] : cell.attributes()) {
          RequireElement(cell, Cell::String(name), depth);
          RequireElement(cell, Cell::Of(value), depth);
        }
      } else if (cell.form() == Cell::Form::kCells) {
        for (uint32_t i = 0; i < cell.entries().size; ++i) {
          RequireElement(cell, cell.entries().entries[i].key, depth);
          RequireElement(cell, cell.entries().entries[i].value, depth);
        }
      }
      break;
    case Kind::kOptional:
      if (cell.optional_value() != nullptr) RequireValid(*cell.optional_value(), depth + 1);
      break;
    case Kind::kCidr:
      Require(cell.prefix() <= (cell.is_v6() ? 128 : 32), "a prefix");
      break;
    default:
      break;
  }
}

}  // namespace
}  // namespace reeve::cel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve::cel;  // Only here.
  Arguments made({reinterpret_cast<const char*>(data), size});
  const Function& function = Functions()[made.Byte() % Functions().size()];
  const size_t spare =
      function.max_arguments == kAnyNumber ? 8 : function.max_arguments - function.min_arguments;
  const size_t count = function.min_arguments + made.Byte() % (spare + 1);
  std::vector<Cell> arguments;
  for (size_t i = 0; i < count; ++i) {
    const Cell argument = made.Make();
    arguments.push_back(argument.is_error() ? Cell() : argument);
  }

  static Context first;
  static Context second;
  first.Reset(kCost, kMemory);
  second.Reset(kCost, kMemory);
  const Cell result = function.call(arguments, first);
  RequireValid(result, 0);
  Require(!first.exhausted() || result.is_error(), "a value beyond the limit");
  const Cell again = function.call(arguments, second);
  Require(ToString(result) == ToString(again), "another result the second time");
  Require(first.budget() == second.budget(), "another price the second time");
  return 0;
}
