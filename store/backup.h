#ifndef REEVE_STORE_BACKUP_H_
#define REEVE_STORE_BACKUP_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace reeve {

// Copies the audit file `path` to `copy`, page by page, as of the moment when it begins, while
// others write and read: nobody waits, but the write-ahead log grows meanwhile. The copy is whole
// in itself, and AuditVerifier finds of it what it would have found of the original; writers that
// are at work stand in it as such. `copy` must not exist; it gets mode 0600 whatever the umask, and
// is on the disk when this returns OK. After an error it is removed.
//
// `progress`, unless it is null, is called now and then with how many of how many pages are copied;
// if it returns false the work ends with Cancelled. Errors are those of AuditReader::Open(), and
//   AlreadyExists       something stands at `copy`
//   Unavailable         `copy` cannot be written
//   ResourceExhausted   the disk is full
absl::Status Backup(const std::string& path, const std::string& copy,
                    const std::function<bool(int64_t done, int64_t of)>& progress = nullptr);

}  // namespace reeve

#endif  // REEVE_STORE_BACKUP_H_
