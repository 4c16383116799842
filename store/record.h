#ifndef REEVE_STORE_RECORD_H_
#define REEVE_STORE_RECORD_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "reeve/engine/audit.h"
#include "reeve/store/mask.h"
#include "reeve/store/segment.h"

namespace reeve {

// A record as it waits for the writer: all that a segment keeps of it, without pointers.
struct FlatRecord {
  RecordHead head;
  std::array<uint32_t, kFieldCount> sizes;  // of the fields
  std::string bytes;                        // the fields, one after the other
};

// The fields of a flat record whose bytes begin at `bytes`.
Fields FieldsOf(const std::array<uint32_t, kFieldCount>& sizes, const char* bytes);

// Replaces `out` by what a segment keeps of `record`, reusing its memory, with what stands for what
// is masked. Whatever a malformed request holds, the result fits into a segment: texts are escaped
// and cut (kEscaped), lists and maps that are malformed or too large are left out (kNo...).
void Flatten(const AuditRecord& record, AuditLevel level, const MaskSet& masks, FlatRecord* out);

}  // namespace reeve

#endif  // REEVE_STORE_RECORD_H_
