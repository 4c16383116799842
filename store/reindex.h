#ifndef REEVE_STORE_REINDEX_H_
#define REEVE_STORE_REINDEX_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace reeve {

// Drops all rows of the audit file `path` and makes them anew from its segments, batch by batch,
// while others may write and read: until it is through, readers see a part. What it leaves undone,
// the next reader or writer does.
//
// `progress`, unless it is null, is called at first and after each batch with how many of how many
// records are done; if it returns false the work ends with Cancelled. Errors: DataLoss names the
// first segment that is damaged, after all others are done; else those of AuditReader::Open(), and
// Unavailable if the file cannot be written.
absl::Status Reindex(const std::string& path,
                     const std::function<bool(int64_t done, int64_t of)>& progress = nullptr);

}  // namespace reeve

#endif  // REEVE_STORE_REINDEX_H_
