#include "reeve/engine/encoding.h"

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint32_t kNanosPerSecond = 1000000000;

// A duration as whole seconds, rounded down, and the nanoseconds beyond them. Infinite ones stand
// as kNanosPerSecond beyond 0 and -1.
struct Split {
  int64_t seconds;
  uint32_t nanos;
};

Split SplitDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return {0, kNanosPerSecond};
  if (duration == -absl::InfiniteDuration()) return {-1, kNanosPerSecond};
  absl::Duration rest;
  int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  if (rest < absl::ZeroDuration()) {
    --seconds;
    rest += absl::Seconds(1);
  }
  return {seconds, static_cast<uint32_t>(absl::ToInt64Nanoseconds(rest))};
}

// Writes attributes, or one value, without recursion, keeping one frame for each open list or map.
class AttributesWriter {
 public:
  explicit AttributesWriter(std::string* out)
      : out_(out), limit_(out->size() + kMaxAttributesBytes) {}

  bool Write(const Attributes& attributes) { return Open(nullptr, &attributes) && WriteOpen(); }
  bool Write(const Value& value) { return AppendValue(value) && WriteOpen(); }

 private:
  struct Frame {
    const Value::List* list;
    const Attributes* map;
    size_t next;
  };

  // Writes what is in the open lists and maps.
  bool WriteOpen() {
    while (depth_ > 0) {
      Frame& frame = frames_[depth_ - 1];
      const Value* value = nullptr;
      if (frame.list != nullptr) {
        if (frame.next < frame.list->size()) value = &(*frame.list)[frame.next++];
      } else if (frame.next < frame.map->size()) {
        const Attributes::Entry& entry = *(frame.map->begin() + frame.next++);
        if (!AppendText(entry.first)) return false;
        value = &entry.second;
      }
      if (value == nullptr) {
        --depth_;
      } else if (!AppendValue(*value) || out_->size() > limit_) {
        return false;
      }
    }
    return out_->size() <= limit_;
  }

  bool Open(const Value::List* list, const Attributes* map) {
    const size_t size = list != nullptr ? list->size() : map->size();
    elements_ += size;
    if (elements_ > kMaxValueElements || depth_ == frames_.size()) return false;
    frames_[depth_++] = {list, map, 0};
    AppendVarint(size, out_);
    return true;
  }

  bool AppendText(std::string_view text) { return IsShort(text) && IsValidUtf8(text) && Put(text); }
  bool AppendBytes(std::string_view bytes) { return IsShort(bytes) && Put(bytes); }
  static bool IsShort(std::string_view text) { return text.size() <= kMaxStringBytes; }

  bool Put(std::string_view bytes) {
    AppendSized(bytes, out_);
    return true;
  }

  bool AppendValue(const Value& value) {
    out_->push_back(static_cast<char>(value.kind()));
    switch (value.kind()) {
      case Value::Kind::kNull:
        return true;
      case Value::Kind::kBool:
        out_->push_back(value.bool_value() ? 1 : 0);
        return true;
      case Value::Kind::kInt:
        AppendSigned(value.int_value(), out_);
        return true;
      case Value::Kind::kUint:
        AppendVarint(value.uint_value(), out_);
        return true;
      case Value::Kind::kDouble: {
        const double number = value.double_value();
        uint64_t bits;
        std::memcpy(&bits, &number, sizeof(bits));
        for (int shift = 0; shift < 64; shift += 8) {
          out_->push_back(static_cast<char>(bits >> shift));
        }
        return true;
      }
      case Value::Kind::kString:
        return AppendText(value.string_value());
      case Value::Kind::kBytes:
        return AppendBytes(value.bytes_value());
      case Value::Kind::kList:
        return Open(&value.list_value(), nullptr);
      case Value::Kind::kMap:
        return Open(nullptr, &value.map_value());
      case Value::Kind::kTimestamp:
        AppendDuration(value.timestamp_value() - absl::UnixEpoch(), out_);
        return true;
      case Value::Kind::kDuration:
        AppendDuration(value.duration_value(), out_);
        return true;
    }
    return false;
  }

  std::string* const out_;
  const size_t limit_;
  std::array<Frame, kMaxValueDepth> frames_;
  size_t depth_ = 0;
  size_t elements_ = 0;
};

// The inverse of AttributesWriter, with the same limits.
class AttributesReader {
 public:
  explicit AttributesReader(std::string_view bytes) : in_(bytes) {}

  absl::StatusOr<Attributes> Read() {
    if (in_.rest() == 0) return Attributes();
    if (in_.rest() > kMaxAttributesBytes) in_.Fail("a map is too long");
    if (!Open(/*is_map=*/true)) return in_.status();
    if (frames_[0].left == 0) in_.Fail("an empty map is not written as nothing");
    Attributes result;
    while (in_.ok() && depth_ > 0) {
      Frame& frame = frames_[depth_ - 1];
      if (frame.left > 0) {
        --frame.left;
        ReadElement(frame);
        continue;
      }
      --depth_;
      if (depth_ == 0) {
        result = std::move(frame.map);
      } else {
        Value value =
            frame.is_map ? Value::Of(std::move(frame.map)) : Value::Of(std::move(frame.list));
        frame = Frame();
        Put(std::move(value));
      }
    }
    in_.End();
    if (!in_.ok()) return in_.status();
    return result;
  }

 private:
  struct Frame {
    bool is_map = false;
    uint64_t left = 0;
    std::string name;  // of the entry that is being read
    Value::List list;
    Attributes map;
  };

  bool Open(bool is_map) {
    uint64_t size;
    if (!in_.Number(kMaxValueElements - elements_, &size)) return false;
    if (size > in_.rest()) return in_.Fail("a count is larger than what follows");
    if (depth_ == frames_.size()) return in_.Fail("values are nested too deeply");
    elements_ += size;
    Frame& frame = frames_[depth_++];
    frame.is_map = is_map;
    frame.left = size;
    if (!is_map) frame.list.reserve(size);
    return true;
  }

  // Stores a value that is complete in the innermost open list or map.
  void Put(Value value) {
    Frame& frame = frames_[depth_ - 1];
    if (frame.is_map) {
      frame.map.Set(std::move(frame.name), std::move(value));
    } else {
      frame.list.push_back(std::move(value));
    }
  }

  void ReadElement(Frame& frame) {
    if (frame.is_map) {
      std::string_view name;
      if (!in_.Text(&name)) return;
      if (!frame.map.empty() && (frame.map.end() - 1)->first >= name) {
        in_.Fail("the names of a map are not in order");
        return;
      }
      frame.name = std::string(name);
    }
    uint8_t kind;
    if (!in_.Byte(&kind)) return;
    switch (static_cast<Value::Kind>(kind)) {
      case Value::Kind::kNull:
        Put(Value());
        return;
      case Value::Kind::kBool: {
        uint8_t value;
        if (!in_.Byte(&value)) return;
        if (value > 1) {
          in_.Fail("a truth value is neither 0 nor 1");
          return;
        }
        Put(Value::Bool(value == 1));
        return;
      }
      case Value::Kind::kInt: {
        int64_t value;
        if (in_.Signed(&value)) Put(Value::Int(value));
        return;
      }
      case Value::Kind::kUint: {
        uint64_t value;
        if (in_.Varint(&value)) Put(Value::Uint(value));
        return;
      }
      case Value::Kind::kDouble: {
        std::string_view bytes;
        if (!in_.Bytes(8, &bytes)) return;
        uint64_t bits = 0;
        for (int i = 7; i >= 0; --i) bits = bits << 8 | static_cast<uint8_t>(bytes[i]);
        double value;
        std::memcpy(&value, &bits, sizeof(value));
        Put(Value::Double(value));
        return;
      }
      case Value::Kind::kString: {
        std::string_view value;
        if (in_.Text(&value)) Put(Value::String(std::string(value)));
        return;
      }
      case Value::Kind::kBytes: {
        std::string_view value;
        if (in_.Sized(kMaxStringBytes, &value)) Put(Value::Bytes(std::string(value)));
        return;
      }
      case Value::Kind::kList:
        Open(/*is_map=*/false);
        return;
      case Value::Kind::kMap:
        Open(/*is_map=*/true);
        return;
      case Value::Kind::kTimestamp: {
        absl::Duration value;
        if (in_.Duration(&value)) Put(Value::Timestamp(absl::UnixEpoch() + value));
        return;
      }
      case Value::Kind::kDuration: {
        absl::Duration value;
        if (in_.Duration(&value)) Put(Value::Duration(value));
        return;
      }
    }
    in_.Fail("a value is of no known kind");
  }

  ByteReader in_;
  std::array<Frame, kMaxValueDepth> frames_;
  size_t depth_ = 0;
  size_t elements_ = 0;
};

}  // namespace

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendSigned(int64_t value, std::string* out) {
  AppendVarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63), out);
}

void AppendSized(std::string_view bytes, std::string* out) {
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}

void AppendDuration(absl::Duration duration, std::string* out) {
  const Split split = SplitDuration(duration);
  AppendSigned(split.seconds, out);
  AppendVarint(split.nanos, out);
}

bool AppendAttributes(const Attributes& attributes, std::string* out) {
  if (attributes.empty()) return true;
  const size_t before = out->size();
  if (AttributesWriter(out).Write(attributes)) return true;
  out->resize(before);
  return false;
}

bool AppendValue(const Value& value, std::string* out) {
  const size_t before = out->size();
  if (AttributesWriter(out).Write(value)) return true;
  out->resize(before);
  return false;
}

absl::StatusOr<Attributes> DecodeAttributes(std::string_view bytes) {
  return AttributesReader(bytes).Read();
}

bool ByteReader::Fail(std::string_view error) {
  if (ok()) error_ = error;
  return false;
}

absl::Status ByteReader::status() const {
  if (ok()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("byte ", at_, ": ", absl::string_view(error_.data(), error_.size())));
}

bool ByteReader::Byte(uint8_t* value) {
  if (!ok()) return false;
  if (rest() == 0) return Fail("the bytes end too early");
  *value = static_cast<uint8_t>(bytes_[at_++]);
  return true;
}

bool ByteReader::LongVarint(uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte;
    if (!Byte(&byte)) return false;
    if (shift == 63 && byte > 1) return Fail("a number is too large");
    *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      return byte != 0 || shift == 0 || Fail("a number is longer than it needs to be");
    }
  }
  return Fail("a number is too large");
}

bool ByteReader::Signed(int64_t* value) {
  uint64_t bits;
  if (!Varint(&bits)) return false;
  *value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
  return true;
}

bool ByteReader::Text(std::string_view* value) {
  return Sized(kMaxStringBytes, value) &&
         (IsValidUtf8(*value) || Fail("a string is not valid UTF-8"));
}

bool ByteReader::Duration(absl::Duration* value) {
  int64_t seconds;
  uint64_t nanos;
  if (!Signed(&seconds) || !Number(kNanosPerSecond, &nanos)) return false;
  if (nanos < kNanosPerSecond) {
    *value = absl::Seconds(seconds) + absl::Nanoseconds(nanos);
    return true;
  }
  if (seconds != 0 && seconds != -1) return Fail("an infinite time is not written as one");
  *value = seconds == 0 ? absl::InfiniteDuration() : -absl::InfiniteDuration();
  return true;
}

}  // namespace reeve
