#include "reeve/store/segment.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint32_t kNanosPerSecond = 1000000000;
constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31T23:59:59Z
// Those that each record has, in all formats.
constexpr size_t kPlainFieldCount = kFieldCount - 1;
// An id, four varints, three bytes, and a varint for each field.
constexpr size_t kMinRecordBytes = 16 + 4 + 3 + kPlainFieldCount;

bool IsText(std::string_view text) {
  return text.size() <= kMaxTextBytes && !HasControlCharacter(text);
}

bool ReadText(ByteReader& in, std::string_view* text) {
  return in.Sized(kMaxTextBytes, text) && (IsText(*text) || in.Fail("a text is malformed"));
}

// A list, each item of which `read` takes from the bytes; it returns false if it fails.
template <typename T, typename Read>
absl::StatusOr<std::vector<T>> ReadItems(std::string_view bytes, const Read& read) {
  std::vector<T> list;
  if (bytes.empty()) return list;
  ByteReader in(bytes);
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

// An id, three bytes, and varints: one of 32 bits for each field, and six others.
constexpr size_t kMaxRecordBytes = 16 + 3 + kFieldCount * 5 + 6 * 10;

// As AppendVarint() and AppendSigned(), into memory that has room.
char* PutVarint(uint64_t value, char* out) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}

uint64_t ZigZag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}

void SplitTime(absl::Time time, int64_t* seconds, uint32_t* nanos) {
  if (time < absl::FromUnixSeconds(kFirstSecond)) {
    *seconds = kFirstSecond;
    *nanos = 0;
  } else if (time >= absl::FromUnixSeconds(kLastSecond + 1)) {
    *seconds = kLastSecond;
    *nanos = kNanosPerSecond - 1;
  } else {
    *seconds = absl::ToUnixSeconds(time);  // rounds down
    *nanos =
        static_cast<uint32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(*seconds)));
  }
}

// Seeded, so that nobody can choose texts that collide.
size_t HashOf(std::string_view text) {
  return absl::Hash<absl::string_view>()(absl::string_view(text.data(), text.size()));
}

// Level 3 takes a twentieth less space, and a sixth more time than all the rest: see BM_Accept.
constexpr int kCompressionLevel = 1;

// What `bytes` of kCompressedFormat hold. Nothing is unpacked that could be too much.
absl::StatusOr<std::unique_ptr<const char[]>> Decompress(std::string_view bytes, size_t* size) {
  const std::string_view frame = bytes.substr(1);
  const char kMagic[] = {'\x28', '\xB5', '\x2F', '\xFD'};
  if (frame.substr(0, sizeof kMagic) != std::string_view(kMagic, sizeof kMagic)) {
    return absl::DataLossError("a compressed segment is not a frame of Zstandard");
  }
  // What is not known, or malformed, is larger than any limit.
  const unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (declared > kMaxPlainBytes) {
    return absl::DataLossError("a compressed segment does not say that it is of a size that fits");
  }
  if (declared <= bytes.size()) {
    return absl::DataLossError("a compressed segment is not smaller than what it holds");
  }
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return absl::DataLossError("a compressed segment is not exactly one frame");
  }
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  auto plain = std::make_unique<char[]>(declared);
  if (context == nullptr || ZSTD_decompressDCtx(context.get(), plain.get(), declared, frame.data(),
                                                frame.size()) != declared) {
    return absl::DataLossError("a compressed segment is damaged");
  }
  *size = declared;
  return plain;
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
        !in_.Number(segment_.format < 3 ? kAllOldFlags : kAllFlags, &flags)) {
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
    if ((flags & kTimeFixed) != 0 && !ReadFixedTime(&head)) return false;
    record.refs = {};
    for (size_t i = 0; i < kPlainFieldCount; ++i) {
      if (!ReadField(static_cast<Field>(i), &record.refs[i])) return false;
    }
    if ((flags & kMasked) == 0) return true;
    uint32_t& masked = record.refs[kPlainFieldCount];
    if (!ReadField(Field::kMasked, &masked)) return false;
    return masked != 0 || in_.Fail("a masked record does not say what is masked");
  }

  bool ReadFixedTime(RecordHead* head) {
    head->fixed_seconds = head->seconds;
    head->fixed_nanos = head->nanos;
    if (segment_.format < 3) return true;
    int64_t after;
    uint64_t nanos;
    if (!in_.Signed(&after) || !in_.Number(kNanosPerSecond - 1, &nanos)) return false;
    if (__builtin_add_overflow(head->seconds, after, &head->fixed_seconds) ||
        head->fixed_seconds < kFirstSecond || head->fixed_seconds > kLastSecond) {
      return in_.Fail("a time lies outside the years 1 to 9999");
    }
    head->fixed_nanos = static_cast<uint32_t>(nanos);
    return true;
  }

  bool ReadField(Field field, uint32_t* reference) {
    uint64_t ref;
    if (!in_.Number(segment_.table.size() - 1, &ref)) return false;
    if (ref > used_ + 1) return in_.Fail("the strings are not in the order of their use");
    if (ref > used_) used_ = ref;
    *reference = static_cast<uint32_t>(ref);
    return ref == 0 || Check(ref, KindOf(field, segment_.format));
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

  ByteReader in_;
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
    case Field::kMasked:
      return FieldKind::kMap;
    default:
      return FieldKind::kText;
  }
}

void RecordHead::set_time(absl::Time time) { SplitTime(time, &seconds, &nanos); }

void RecordHead::set_fixed_time(absl::Time time) {
  flags |= kTimeFixed;
  SplitTime(time, &fixed_seconds, &fixed_nanos);
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

absl::StatusOr<std::vector<std::string_view>> DecodeList(std::string_view bytes) {
  return ReadItems<std::string_view>(bytes, ReadText);
}

absl::StatusOr<std::vector<RecordedRule>> DecodeRules(std::string_view bytes, uint8_t format) {
  if (format == 1) {
    return ReadItems<RecordedRule>(
        bytes, [](ByteReader& in, RecordedRule* rule) { return ReadText(in, &rule->id); });
  }
  size_t clauses = 0, text_bytes = 0;
  return ReadItems<RecordedRule>(bytes, [&](ByteReader& in, RecordedRule* rule) {
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
  min_time_ = count_ == 0 ? head.micros() : std::min(min_time_, head.micros());
  max_time_ = count_ == 0 ? head.micros() : std::max(max_time_, head.micros());
  ++count_;
  // Grows by the most that a record takes, and shrinks to what it took.
  const size_t begin = records_.size();
  records_.resize(begin + kMaxRecordBytes);
  char* out = records_.data() + begin;
  std::memcpy(out, head.id.bytes.data(), head.id.bytes.size());
  out += head.id.bytes.size();
  out = PutVarint(ZigZag(head.seconds - seconds_), out);
  seconds_ = head.seconds;
  out = PutVarint(head.nanos, out);
  out = PutVarint(head.latency, out);
  *out++ = static_cast<char>(head.level);
  *out++ = static_cast<char>(head.reason);
  *out++ = static_cast<char>(head.assurance);
  out = PutVarint(head.flags, out);
  if ((head.flags & kTimeFixed) != 0) {
    out = PutVarint(ZigZag(head.fixed_seconds - head.seconds), out);
    out = PutVarint(head.fixed_nanos, out);
  }
  const size_t count = (head.flags & kMasked) != 0 ? kFieldCount : kPlainFieldCount;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view field = fields[i];
    uint32_t& ref = last_refs_[i];
    if (field != last_fields_[i]) {
      ref = field.empty() ? 0 : RefOf(field);
      last_fields_[i] = field;
    }
    out = PutVarint(ref, out);
  }
  records_.resize(out - records_.data());
}

// The number of `text` in the table, which gets it if it does not have it.
uint32_t SegmentEncoder::RefOf(std::string_view text) {
  if (2 * (table_.size() + 1) > slots_.size()) Grow();
  size_t at = HashOf(text);
  while (true) {
    uint32_t& slot = slots_[at++ & (slots_.size() - 1)];
    if (slot == 0) {
      table_.push_back(text);
      return slot = static_cast<uint32_t>(table_.size());
    }
    if (table_[slot - 1] == text) return slot;
  }
}

void SegmentEncoder::Grow() {
  slots_.assign(std::max<size_t>(256, 2 * slots_.size()), 0);
  for (size_t i = 0; i < table_.size(); ++i) {
    size_t at = HashOf(table_[i]);
    while (slots_[at & (slots_.size() - 1)] != 0) ++at;
    slots_[at & (slots_.size() - 1)] = static_cast<uint32_t>(i + 1);
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
  std::fill(slots_.begin(), slots_.end(), 0);
  last_fields_ = {};
  last_refs_ = {};
}

Fields Segment::fields(const Record& record) const {
  Fields fields;
  for (size_t i = 0; i < kFieldCount; ++i) fields[i] = table[record.refs[i]];
  return fields;
}

SegmentCompressor::SegmentCompressor() : context_(ZSTD_createCCtx()) {}

void SegmentCompressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

void SegmentCompressor::Compress(std::string* segment) {
  if (context_ == nullptr || segment->size() > kMaxPlainBytes) return;
  compressed_.resize(1 + ZSTD_compressBound(segment->size()));
  compressed_[0] = static_cast<char>(kCompressedFormat);
  const size_t size = ZSTD_compressCCtx(context_.get(), &compressed_[1], compressed_.size() - 1,
                                        segment->data(), segment->size(), kCompressionLevel);
  if (ZSTD_isError(size) || 1 + size >= segment->size()) return;
  segment->assign(compressed_, 0, 1 + size);
}

absl::StatusOr<Segment> DecodeSegment(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != static_cast<char>(kCompressedFormat)) {
    return SegmentReader(bytes).Read();
  }
  size_t size = 0;
  absl::StatusOr<std::unique_ptr<const char[]>> plain = Decompress(bytes, &size);
  if (!plain.ok()) return plain.status();
  absl::StatusOr<Segment> segment = SegmentReader({plain->get(), size}).Read();
  if (!segment.ok()) return segment;
  if (segment->format != kSegmentFormat) {
    return absl::DataLossError("a segment of an older format is compressed");
  }
  segment->plain = *std::move(plain);
  return segment;
}

}  // namespace reeve
