#ifndef REEVE_STORE_SEGMENT_H_
#define REEVE_STORE_SEGMENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/value.h"

struct ZSTD_CCtx_s;  // of zstd.h

namespace reeve {

// A segment: some records of one writer as one run of bytes. doc/audit-format.md says which byte is
// what. The encoding is canonical: one content has one encoding, and no other bytes decode.

inline constexpr uint8_t kSegmentFormat = 3;  // The one that is written.
// The same compressed, which the options of a store choose: one frame of Zstandard (RFC 8878) after
// the byte of the format. What one content is compressed to, the version of the library decides.
inline constexpr uint8_t kCompressedFormat = 4;
// What a frame may hold at most, so that nobody is made to unpack more. A larger segment stays as
// it is.
inline constexpr size_t kMaxPlainBytes = 4 << 20;
// Read as well, from 1 on: its rules have no clauses, and neither 1 nor 2 know flags above
// kNoContext or tell the time that a request fixed from that of the engine.
inline constexpr uint8_t kOldestFormat = 1;

// The variable parts of a record, in the order in which they are encoded. Each is empty or
//   a text   valid UTF-8 without control characters, at most kMaxTextBytes
//   a list   of texts, as AppendList() writes it
//   a map    as AppendAttributes() writes it
//   rules    as AppendRules() writes them; in format 1 a list of their ids
enum class Field : uint8_t {
  kPrincipal,            // text, `type:id`
  kVia,                  // text
  kHost,                 // text
  kActor,                // text
  kEvidence,             // text
  kGroups,               // list
  kPrincipalParents,     // list of `type:id`
  kPrincipalAttributes,  // map
  kAction,               // text
  kResource,             // text, `type:id`
  kResourceParents,      // list of `type:id`
  kResourceAttributes,   // map
  kContext,              // map
  kRules,                // rules
  kNearMisses,           // rules
  kShadowRules,          // rules
  kMessage,              // text
  kObligations,          // list
  kError,                // text
  kPolicyDigest,         // text
  kMasked,               // map; only with the flag of that name, and then not empty
};
inline constexpr size_t kFieldCount = 21;

enum class FieldKind : uint8_t { kText, kList, kMap, kRules };
FieldKind KindOf(Field field, uint8_t format = kSegmentFormat);

// What else a record says, as bits.
enum RecordFlag : uint32_t {
  kEscaped = 1 << 0,        // a text was malformed or too long, and is escaped, cut or left out
  kGroupsPartial = 1 << 1,  // groups, or parents, of the principal may be missing
  kTimeFixed = 1 << 2,      // the request fixed the time that conditions saw
  // Left out, because it is malformed or too large:
  kNoGroups = 1 << 3,
  kNoPrincipalParents = 1 << 4,
  kNoPrincipalAttributes = 1 << 5,
  kNoResourceParents = 1 << 6,
  kNoResourceAttributes = 1 << 7,
  kNoContext = 1 << 8,
  kMasked = 1 << 9,             // a part was masked: Field::kMasked says which
  kPrincipalPartial = 1 << 10,  // an EntityProvider could not tell all of the principal
  kResourcePartial = 1 << 11,   // and of the resource
  kAllFlags = (1 << 12) - 1,
  kAllOldFlags = (1 << 9) - 1,  // in the formats 1 and 2
};

inline constexpr size_t kMaxTextBytes = 8192;
inline constexpr size_t kMaxListItems = 65536;
inline constexpr size_t kMaxFieldBytes = kMaxAttributesBytes;  // of a list, a map or rules

// What is kept of the clauses of all rules of one field.
inline constexpr size_t kMaxKeptClauses = 1024;
inline constexpr size_t kMaxClauseTextBytes = 65536;

// A clause of a rule as it is recorded.
struct RecordedClause {
  ClauseOutcome outcome;
  // As in the policy: valid UTF-8, at most kMaxTextBytes. May hold control characters, such as the
  // end of a line. Empty if it was left out.
  std::string_view text;
};

struct RecordedRule {
  std::string_view id;
  std::vector<RecordedClause> clauses;  // At most kMaxClauses.
};

// The parts of a record that have a fixed form. Times lie within the years 1 to 9999.
struct RecordHead {
  DecisionId id;
  // By the engine's clock. In formats 1 and 2 what the request fixed, if it did.
  int64_t seconds = 0;  // since 1970, UTC
  uint32_t nanos = 0;   // < 1,000,000,000
  // What the request fixed; 0 without kTimeFixed.
  int64_t fixed_seconds = 0;
  uint32_t fixed_nanos = 0;
  uint64_t latency = 0;  // nanoseconds
  AuditLevel level = AuditLevel::kRecorded;
  Reason reason = Reason::kNoPolicy;
  Assurance assurance = Assurance::kNone;
  uint32_t flags = 0;  // of RecordFlag

  absl::Time time() const { return absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos); }
  // What conditions saw.
  absl::Time request_time() const {
    if ((flags & kTimeFixed) == 0) return time();
    return absl::FromUnixSeconds(fixed_seconds) + absl::Nanoseconds(fixed_nanos);
  }
  // These round down to a nanosecond, and clamp to the years 1 to 9999.
  void set_time(absl::Time time);
  void set_fixed_time(absl::Time time);  // Sets kTimeFixed.
  // Microseconds since 1970, rounded down: what rows are sorted by.
  int64_t micros() const { return seconds * 1000000 + nanos / 1000; }
  int64_t fixed_micros() const { return fixed_seconds * 1000000 + fixed_nanos / 1000; }
};

using Fields = std::array<std::string_view, kFieldCount>;

// Packs records. Reuses its memory. One thread at a time.
class SegmentEncoder {
 public:
  // What `fields` point to must stay until Finish() or Clear(). Requires what RecordHead and Field
  // say.
  void Add(const RecordHead& head, const Fields& fields);
  size_t count() const { return count_; }
  // Of the times of the records, in microseconds. Requires that count() is not 0.
  int64_t min_time() const { return min_time_; }
  int64_t max_time() const { return max_time_; }
  // Replaces `out` by the segment, and clears. Requires that count() is not 0.
  void Finish(std::string* out);
  void Clear();

 private:
  uint32_t RefOf(std::string_view text);
  void Grow();

  size_t count_ = 0;
  int64_t seconds_ = 0;
  int64_t min_time_ = 0;
  int64_t max_time_ = 0;
  std::string records_;
  std::vector<std::string_view> table_;
  // Where each string of the table is, by its hash: open addressing, 0 for free. Keeps its memory.
  std::vector<uint32_t> slots_;
  // Of the record before: most fields repeat.
  Fields last_fields_;
  std::array<uint32_t, kFieldCount> last_refs_ = {};
};

// A segment unpacked. Points into the bytes that it was decoded from, or owns what was compressed.
struct Segment {
  struct Record {
    RecordHead head;
    std::array<uint32_t, kFieldCount> refs;  // into `table`

    uint32_t ref(Field field) const { return refs[static_cast<size_t>(field)]; }
  };

  std::string_view text(const Record& record, Field field) const {
    return table[record.ref(field)];
  }
  Fields fields(const Record& record) const;

  uint8_t format = kSegmentFormat;      // of the fields: never kCompressedFormat
  std::unique_ptr<const char[]> plain;  // Null if it was not compressed.
  std::vector<std::string_view> table;  // Each string once; the first is the empty one.
  std::vector<Record> records;
};

// Compresses segments. Reuses its memory. One thread at a time.
class SegmentCompressor {
 public:
  SegmentCompressor();

  // Replaces `segment`, which is what SegmentEncoder wrote, by the same one compressed. Leaves it
  // if that would not be smaller, or it is larger than kMaxPlainBytes.
  void Compress(std::string* segment);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  std::unique_ptr<ZSTD_CCtx_s, Free> context_;  // Null if there is no memory for it.
  std::string compressed_;
};

// DataLoss if `bytes` are not exactly what SegmentEncoder writes, or wrote in an older format, nor
// a frame that holds what it writes and is smaller: the fields are checked as well. Takes time and
// memory in proportion to `bytes`, or to kMaxPlainBytes if they are compressed.
absl::StatusOr<Segment> DecodeSegment(std::string_view bytes);

// DataLoss if `bytes` are not exactly what AppendList() writes. Points into `bytes`.
absl::StatusOr<std::vector<std::string_view>> DecodeList(std::string_view bytes);

// DataLoss if `bytes` are not exactly what AppendRules() writes, or wrote in an older format.
// Points into `bytes`.
absl::StatusOr<std::vector<RecordedRule>> DecodeRules(std::string_view bytes,
                                                      uint8_t format = kSegmentFormat);

// Appends one of the clauses that follow the id of a rule and their number.
void AppendClause(const RecordedClause& clause, std::string* out);

// Appends `rules`, nothing if there are none. Requires what RecordedRule says, and the limits
// above.
void AppendRules(const std::vector<RecordedRule>& rules, std::string* out);

// Appends a list of `size` texts, which `append` writes: it is called with 0 to size - 1 and
// returns the text to append. An empty list is written as nothing.
template <typename Get>
void AppendList(size_t size, const Get& get, std::string* out) {
  if (size == 0) return;
  AppendVarint(size, out);
  for (size_t i = 0; i < size; ++i) AppendSized(get(i), out);
}

}  // namespace reeve

#endif  // REEVE_STORE_SEGMENT_H_
