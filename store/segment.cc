#include "reeve/store/segment.h"

#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint32_t kNanosPerSecond = 1000000000;
constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31T23:59:59Z
// An id, five varints or more, three bytes, and a varint for each field.
constexpr size_t kMinRecordBytes = 16 + 4 + 3 + kFieldCount;

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

void AppendDuration(absl::Duration duration, std::string* out) {
  const Split split = SplitDuration(duration);
  AppendSigned(split.seconds, out);
  AppendVarint(split.nanos, out);
}

// Writes `attributes` without recursion, keeping one frame for each open list or map.
class AttributesWriter {
 public:
  explicit AttributesWriter(std::string* out) : out_(out), limit_(out->size() + kMaxFieldBytes) {}

  bool Write(const Attributes& attributes) {
    if (!Open(nullptr, &attributes)) return false;
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

 private:
  struct Frame {
    const Value::List* list;
    const Attributes* map;
    size_t next;
  };

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

// Takes bytes from the front. The first failure sticks, and every later call fails.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return error_.empty(); }
  size_t rest() const { return bytes_.size() - at_; }

  bool Fail(std::string_view error) {
    if (ok()) error_ = error;
    return false;
  }

  absl::Status status() const {
    if (ok()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("byte ", at_, ": ", absl::string_view(error_.data(), error_.size())));
  }

  // Fails unless all is taken.
  bool End() { return rest() == 0 || Fail("bytes are left over"); }

  bool Byte(uint8_t* value) {
    if (!ok()) return false;
    if (rest() == 0) return Fail("the bytes end too early");
    *value = static_cast<uint8_t>(bytes_[at_++]);
    return true;
  }

  bool Varint(uint64_t* value) {
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

  // At most `max`, which the caller has found reasonable.
  bool Number(uint64_t max, uint64_t* value) {
    return Varint(value) && (*value <= max || Fail("a number is out of range"));
  }

  bool Signed(int64_t* value) {
    uint64_t bits;
    if (!Varint(&bits)) return false;
    *value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
    return true;
  }

  bool Bytes(size_t size, std::string_view* value) {
    if (!ok()) return false;
    if (size > rest()) return Fail("the bytes end too early");
    *value = bytes_.substr(at_, size);
    at_ += size;
    return true;
  }

  // A length and as many bytes.
  bool Sized(size_t max, std::string_view* value) {
    uint64_t size;
    return Number(max, &size) && Bytes(size, value);
  }

  bool Text(std::string_view* value) {
    return Sized(kMaxStringBytes, value) &&
           (IsValidUtf8(*value) || Fail("a string is not valid UTF-8"));
  }

  bool Duration(absl::Duration* value) {
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

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
  std::string_view error_;
};

// The inverse of AttributesWriter, with the same limits.
class AttributesReader {
 public:
  explicit AttributesReader(std::string_view bytes) : in_(bytes) {}

  absl::StatusOr<Attributes> Read() {
    if (in_.rest() == 0) return Attributes();
    if (in_.rest() > kMaxFieldBytes) in_.Fail("a map is too long");
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

  Reader in_;
  std::array<Frame, kMaxValueDepth> frames_;
  size_t depth_ = 0;
  size_t elements_ = 0;
};

bool IsText(std::string_view text) {
  return text.size() <= kMaxTextBytes && !HasControlCharacter(text);
}

bool ReadText(Reader& in, std::string_view* text) {
  return in.Sized(kMaxTextBytes, text) && (IsText(*text) || in.Fail("a text is malformed"));
}

// A list, each item of which `read` takes from the bytes; it returns false if it fails.
template <typename T, typename Read>
absl::StatusOr<std::vector<T>> ReadItems(std::string_view bytes, const Read& read) {
  std::vector<T> list;
  if (bytes.empty()) return list;
  Reader in(bytes);
  if (bytes.size() > kMaxFieldBytes) in.Fail("a list is too long");
  uint64_t size = 0;
  if (in.Number(kMaxListItems, &size) && size == 0) {
    in.Fail("an empty list is not written as nothing");
  }
  if (size > in.rest()) in.Fail("a count is larger than what follows");
  if (in.ok()) list.resize(size);
  for (T& item : list) {
    if (!read(in, &item)) break;
  }
  in.End();
  if (!in.ok()) return in.status();
  return list;
}

// Decodes a segment, and checks each string of its table as what it is used for.
class SegmentReader {
 public:
  explicit SegmentReader(std::string_view bytes) : in_(bytes) {}

  absl::StatusOr<Segment> Read() {
    uint64_t count = 0;
    uint8_t& format = segment_.format;
    if (in_.Byte(&format) && (format < kOldestFormat || format > kSegmentFormat)) {
      in_.Fail("the format is unknown");
    }
    if (in_.Number(in_.rest() / kMinRecordBytes, &count) && count == 0) {
      in_.Fail("the segment has no record");
    }
    if (!ReadTable()) return in_.status();
    checked_.resize(segment_.table.size());
    segment_.records.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      if (!ReadRecord()) return in_.status();
    }
    if (used_ + 1 != segment_.table.size()) in_.Fail("a string is not used");
    in_.End();
    if (!in_.ok()) return in_.status();
    return std::move(segment_);
  }

 private:
  bool ReadTable() {
    uint64_t size;
    if (!in_.Number(in_.rest() / 2, &size)) return false;
    segment_.table.reserve(size + 1);
    segment_.table.emplace_back();
    absl::flat_hash_set<std::string_view> seen;
    seen.reserve(size);
    for (uint64_t i = 0; i < size; ++i) {
      std::string_view text;
      if (!in_.Sized(kMaxFieldBytes, &text)) return false;
      if (text.empty()) return in_.Fail("an empty string is in the table");
      if (!seen.insert(text).second) return in_.Fail("a string is in the table twice");
      segment_.table.push_back(text);
    }
    return true;
  }

  bool ReadRecord() {
    Segment::Record& record = segment_.records.emplace_back();
    RecordHead& head = record.head;
    std::string_view id;
    int64_t seconds;
    uint64_t nanos, flags;
    uint8_t level, reason, assurance;
    if (!in_.Bytes(head.id.bytes.size(), &id) || !in_.Signed(&seconds) ||
        !in_.Number(kNanosPerSecond - 1, &nanos) || !in_.Varint(&head.latency) ||
        !in_.Byte(&level) || !in_.Byte(&reason) || !in_.Byte(&assurance) ||
        !in_.Number(kAllFlags, &flags)) {
      return false;
    }
    std::memcpy(head.id.bytes.data(), id.data(), id.size());
    if (__builtin_add_overflow(seconds_, seconds, &seconds_) || seconds_ < kFirstSecond ||
        seconds_ > kLastSecond) {
      return in_.Fail("a time lies outside the years 1 to 9999");
    }
    if (level > static_cast<uint8_t>(AuditLevel::kDurable)) return in_.Fail("unknown audit level");
    if (reason > static_cast<uint8_t>(Reason::kAuditFailed)) return in_.Fail("unknown reason");
    if (assurance > static_cast<uint8_t>(Assurance::kCrypto)) return in_.Fail("unknown assurance");
    head.seconds = seconds_;
    head.nanos = static_cast<uint32_t>(nanos);
    head.level = static_cast<AuditLevel>(level);
    head.reason = static_cast<Reason>(reason);
    head.assurance = static_cast<Assurance>(assurance);
    head.flags = static_cast<uint32_t>(flags);
    for (size_t i = 0; i < kFieldCount; ++i) {
      uint64_t ref;
      if (!in_.Number(segment_.table.size() - 1, &ref)) return false;
      if (ref > used_ + 1) return in_.Fail("the strings are not in the order of their use");
      if (ref > used_) used_ = ref;
      record.refs[i] = static_cast<uint32_t>(ref);
      if (ref != 0 && !Check(ref, KindOf(static_cast<Field>(i), segment_.format))) {
        return false;
      }
    }
    return true;
  }

  bool Check(uint64_t ref, FieldKind kind) {
    const uint8_t bit = 1 << static_cast<int>(kind);
    if ((checked_[ref] & bit) != 0) return true;
    const std::string_view text = segment_.table[ref];
    switch (kind) {
      case FieldKind::kText:
        if (!IsText(text)) return in_.Fail("a text is malformed");
        break;
      case FieldKind::kList:
        if (!DecodeList(text).ok()) return in_.Fail("a list is malformed");
        break;
      case FieldKind::kMap:
        if (!DecodeAttributes(text).ok()) return in_.Fail("a map is malformed");
        break;
      case FieldKind::kRules:
        if (!DecodeRules(text).ok()) return in_.Fail("a list of rules is malformed");
        break;
    }
    checked_[ref] |= bit;
    return true;
  }

  Reader in_;
  Segment segment_;
  std::vector<uint8_t> checked_;  // by reference: bits of FieldKind
  uint64_t used_ = 0;             // the highest reference so far
  int64_t seconds_ = 0;
};

}  // namespace

FieldKind KindOf(Field field, uint8_t format) {
  switch (field) {
    case Field::kGroups:
    case Field::kPrincipalParents:
    case Field::kResourceParents:
    case Field::kObligations:
      return FieldKind::kList;
    case Field::kRules:
    case Field::kNearMisses:
    case Field::kShadowRules:
      return format == 1 ? FieldKind::kList : FieldKind::kRules;
    case Field::kPrincipalAttributes:
    case Field::kResourceAttributes:
    case Field::kContext:
      return FieldKind::kMap;
    default:
      return FieldKind::kText;
  }
}

void RecordHead::set_time(absl::Time time) {
  const Split split = SplitDuration(time - absl::UnixEpoch());
  seconds = split.seconds;
  nanos = split.nanos;
  if (time < absl::FromUnixSeconds(kFirstSecond)) {
    seconds = kFirstSecond;
    nanos = 0;
  } else if (time >= absl::FromUnixSeconds(kLastSecond + 1)) {
    seconds = kLastSecond;
    nanos = kNanosPerSecond - 1;
  }
}

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

void AppendClause(const RecordedClause& clause, std::string* out) {
  out->push_back(static_cast<char>(clause.outcome));
  AppendSized(clause.text, out);
}

void AppendRules(const std::vector<RecordedRule>& rules, std::string* out) {
  if (rules.empty()) return;
  AppendVarint(rules.size(), out);
  for (const RecordedRule& rule : rules) {
    AppendSized(rule.id, out);
    AppendVarint(rule.clauses.size(), out);
    for (const RecordedClause& clause : rule.clauses) AppendClause(clause, out);
  }
}

bool AppendAttributes(const Attributes& attributes, std::string* out) {
  if (attributes.empty()) return true;
  const size_t before = out->size();
  if (AttributesWriter(out).Write(attributes)) return true;
  out->resize(before);
  return false;
}

absl::StatusOr<Attributes> DecodeAttributes(std::string_view bytes) {
  return AttributesReader(bytes).Read();
}

absl::StatusOr<std::vector<std::string_view>> DecodeList(std::string_view bytes) {
  return ReadItems<std::string_view>(bytes, ReadText);
}

absl::StatusOr<std::vector<RecordedRule>> DecodeRules(std::string_view bytes, uint8_t format) {
  if (format == 1) {
    return ReadItems<RecordedRule>(
        bytes, [](Reader& in, RecordedRule* rule) { return ReadText(in, &rule->id); });
  }
  size_t clauses = 0, text_bytes = 0;
  return ReadItems<RecordedRule>(bytes, [&](Reader& in, RecordedRule* rule) {
    uint64_t count;
    if (!ReadText(in, &rule->id) || !in.Number(kMaxClauses, &count)) return false;
    clauses += count;
    if (clauses > kMaxKeptClauses) return in.Fail("there are too many clauses");
    rule->clauses.resize(count);
    for (RecordedClause& clause : rule->clauses) {
      uint8_t outcome;
      if (!in.Byte(&outcome) || !in.Sized(kMaxTextBytes, &clause.text)) return false;
      if (outcome > static_cast<uint8_t>(ClauseOutcome::kTrue)) return in.Fail("unknown outcome");
      if (!IsValidUtf8(clause.text)) return in.Fail("a clause is not valid UTF-8");
      clause.outcome = static_cast<ClauseOutcome>(outcome);
      text_bytes += clause.text.size();
    }
    return text_bytes <= kMaxClauseTextBytes || in.Fail("the clauses are too long");
  });
}

void SegmentEncoder::Add(const RecordHead& head, const Fields& fields) {
  ++count_;
  records_.append(reinterpret_cast<const char*>(head.id.bytes.data()), head.id.bytes.size());
  AppendSigned(head.seconds - seconds_, &records_);
  seconds_ = head.seconds;
  AppendVarint(head.nanos, &records_);
  AppendVarint(head.latency, &records_);
  records_.push_back(static_cast<char>(head.level));
  records_.push_back(static_cast<char>(head.reason));
  records_.push_back(static_cast<char>(head.assurance));
  AppendVarint(head.flags, &records_);
  for (std::string_view field : fields) {
    uint32_t ref = 0;
    if (!field.empty()) {
      const auto [at, is_new] = refs_.try_emplace(field, static_cast<uint32_t>(table_.size() + 1));
      if (is_new) table_.push_back(field);
      ref = at->second;
    }
    AppendVarint(ref, &records_);
  }
}

void SegmentEncoder::Finish(std::string* out) {
  out->clear();
  out->push_back(static_cast<char>(kSegmentFormat));
  AppendVarint(count_, out);
  AppendVarint(table_.size(), out);
  for (std::string_view text : table_) AppendSized(text, out);
  out->append(records_);
  Clear();
}

void SegmentEncoder::Clear() {
  count_ = 0;
  seconds_ = 0;
  records_.clear();
  table_.clear();
  refs_.clear();
}

Fields Segment::fields(const Record& record) const {
  Fields fields;
  for (size_t i = 0; i < kFieldCount; ++i) fields[i] = table[record.refs[i]];
  return fields;
}

absl::StatusOr<Segment> DecodeSegment(std::string_view bytes) {
  return SegmentReader(bytes).Read();
}

}  // namespace reeve
