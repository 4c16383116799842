#include "reeve/engine/cel/cell.h"

#include "absl/time/time.h"

namespace reeve::cel {
namespace {

// 0001-01-01T00:00:00Z and the last second of 9999.
constexpr int64_t kMinTimestampSeconds = -62135596800;
constexpr int64_t kMaxTimestampSeconds = 253402300799;
// The ends of 64 bits of nanoseconds.
constexpr int64_t kMinDurationSeconds = -9223372037;
constexpr uint32_t kMinDurationNanos = 145224192;
constexpr int64_t kMaxDurationSeconds = 9223372036;
constexpr uint32_t kMaxDurationNanos = 854775807;

Cell OfTime(absl::Time time) {
  const int64_t seconds = absl::ToUnixSeconds(time);  // rounds down; infinities saturate
  const int64_t nanos = absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds));
  return CheckedTimestamp(seconds, static_cast<uint32_t>(nanos));
}

Cell OfDuration(absl::Duration duration) {
  absl::Duration rest;
  int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);  // infinities saturate
  int64_t nanos = absl::ToInt64Nanoseconds(rest);
  if (nanos < 0 && seconds > kMinDurationSeconds) nanos += 1000000000, --seconds;
  return CheckedDuration(seconds, static_cast<uint32_t>(nanos));
}

Cell TooLong() { return Cell::Error(ErrorCode::kBadArgument, "a fact is too long"); }

}  // namespace

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNoSuchKey:
      return "no such key";
    case ErrorCode::kNoSuchVariable:
      return "no such fact";
    case ErrorCode::kNoSuchOverload:
      return "no such overload";
    case ErrorCode::kDivisionByZero:
      return "division by zero";
    case ErrorCode::kOverflow:
      return "out of range";
    case ErrorCode::kIndexOutOfRange:
      return "index out of range";
    case ErrorCode::kBadConversion:
      return "cannot be converted";
    case ErrorCode::kBadArgument:
      return "bad argument";
    case ErrorCode::kBadRegex:
      return "bad regular expression";
    case ErrorCode::kBadTimeZone:
      return "no such time zone";
    case ErrorCode::kDuplicateKey:
      return "the key stands twice";
    case ErrorCode::kBadKey:
      return "a key must be a bool, int, uint or string";
    case ErrorCode::kNoValue:
      return "an optional without a value has none";
    case ErrorCode::kIncomplete:
      return "not all groups are known";
    case ErrorCode::kPartialFacts:
      return "not all facts are known";
    case ErrorCode::kNotBool:
      return "not a bool";
    case ErrorCode::kTooDeep:
      return "nested too deeply";
    case ErrorCode::kCostLimit:
      return "the cost limit is reached";
    case ErrorCode::kMemoryLimit:
      return "the memory limit is reached";
  }
  return "unknown error";
}

Cell Cell::OfAny(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return Null();
    case Value::Kind::kBool:
      return Bool(value.bool_value());
    case Value::Kind::kInt:
      return Int(value.int_value());
    case Value::Kind::kUint:
      return Uint(value.uint_value());
    case Value::Kind::kDouble:
      return Double(value.double_value());
    case Value::Kind::kString: {
      const std::string_view text = value.string_value();
      return text.size() > kMaxSize ? TooLong() : String(text);
    }
    case Value::Kind::kBytes: {
      const std::string_view bytes = value.bytes_value();
      return bytes.size() > kMaxSize ? TooLong() : Bytes(bytes);
    }
    case Value::Kind::kList: {
      const Value::List& list = value.list_value();
      if (list.size() > kMaxSize) return TooLong();
      return Cell(Head(Kind::kList, Form::kValues, 0, kMaxValueDepth, list.size()), list.data());
    }
    case Value::Kind::kMap:
      return Map(&value.map_value());
    case Value::Kind::kTimestamp:
      return OfTime(value.timestamp_value());
    case Value::Kind::kDuration:
      return OfDuration(value.duration_value());
  }
  return Null();
}

Cell CheckedTimestamp(int64_t seconds, uint32_t nanos) {
  if (seconds < kMinTimestampSeconds || seconds > kMaxTimestampSeconds) {
    return Cell::Error(ErrorCode::kOverflow);
  }
  return Cell::Timestamp(seconds, nanos);
}

Cell CheckedDuration(int64_t seconds, uint32_t nanos) {
  if (seconds < kMinDurationSeconds || seconds > kMaxDurationSeconds ||
      (seconds == kMinDurationSeconds && nanos < kMinDurationNanos) ||
      (seconds == kMaxDurationSeconds && nanos > kMaxDurationNanos)) {
    return Cell::Error(ErrorCode::kOverflow);
  }
  return Cell::Duration(seconds, nanos);
}

}  // namespace reeve::cel
