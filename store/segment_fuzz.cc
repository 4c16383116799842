// Whatever the bytes are, decoding them neither crashes nor takes more than they warrant; and what
// decodes is written again as it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "reeve/store/json.h"
#include "reeve/store/segment.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckMap(std::string_view bytes) {
  const absl::StatusOr<reeve::Attributes> map = reeve::DecodeAttributes(bytes);
  if (!map.ok()) return;
  Check(reeve::DefectOf(*map).empty());
  std::string again;
  Check(reeve::AppendAttributes(*map, &again));
  Check(again == bytes);
  reeve::ToJson(*map);
}

void CheckList(std::string_view bytes) {
  const absl::StatusOr<std::vector<std::string_view>> list = reeve::DecodeList(bytes);
  if (!list.ok()) return;
  std::string again;
  reeve::AppendList(
      list->size(), [&](size_t i) { return (*list)[i]; }, &again);
  Check(again == bytes);
  reeve::ToJson(*list);
}

void CheckRules(std::string_view bytes, uint8_t format) {
  const absl::StatusOr<std::vector<reeve::RecordedRule>> rules = reeve::DecodeRules(bytes, format);
  if (!rules.ok()) return;
  for (const reeve::RecordedRule& rule : *rules) Check(rule.clauses.size() <= reeve::kMaxClauses);
  reeve::ClausesToJson(*rules);
  if (format == 1) return CheckList(bytes);
  std::string again;
  reeve::AppendRules(*rules, &again);
  Check(again == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckMap(bytes);
  CheckList(bytes);
  CheckRules(bytes, reeve::kSegmentFormat);
  const absl::StatusOr<reeve::Segment> segment = reeve::DecodeSegment(bytes);
  if (!segment.ok()) return 0;
  reeve::SegmentEncoder encoder;
  for (const reeve::Segment::Record& record : segment->records) {
    const reeve::Fields fields = segment->fields(record);
    encoder.Add(record.head, fields);
    for (size_t i = 0; i < reeve::kFieldCount; ++i) {
      const auto field = static_cast<reeve::Field>(i);
      const reeve::FieldKind kind = reeve::KindOf(field);
      if (kind == reeve::FieldKind::kMap) CheckMap(fields[i]);
      if (kind == reeve::FieldKind::kList) CheckList(fields[i]);
      if (kind == reeve::FieldKind::kRules) CheckRules(fields[i], segment->format);
    }
    Check(reeve::RecordHead(record.head).micros() >= -62135596800000000);
  }
  std::string again;
  encoder.Finish(&again);
  if (segment->plain == nullptr && segment->format == reeve::kSegmentFormat) Check(again == bytes);
  // Of an older format the flags and the rules mean something else.
  if (segment->format != reeve::kSegmentFormat) return 0;
  std::string compressed = again;
  reeve::SegmentCompressor().Compress(&compressed);
  Check(compressed.size() <= again.size());
  const absl::StatusOr<reeve::Segment> once_more = reeve::DecodeSegment(compressed);
  Check(once_more.ok() && once_more->table == segment->table);
  Check(once_more->records.size() == segment->records.size());
  return 0;
}
