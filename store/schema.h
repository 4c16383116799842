#ifndef REEVE_STORE_SCHEMA_H_
#define REEVE_STORE_SCHEMA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/store/sqlite.h"

namespace reeve {

// Says in the header of a SQLite file that it is an audit store: "Reev".
inline constexpr int64_t kApplicationId = 0x52656576;

// What brings a file from one version of the schema to the next.
struct Migration {
  const char* sql;
};

// The i-th brings version i to version i + 1. Never change what a released one does to tables: add
// another. The last one that changes the view makes it anew.
absl::Span<const Migration> Migrations();

// The version that this program writes.
inline int64_t SchemaVersion() { return static_cast<int64_t>(Migrations().size()); }

// What a file is, from its header.
enum class FileKind { kEmpty, kReeve };

// FailedPrecondition if `database` is neither empty nor an audit store, or has a version newer than
// `version`; DataLoss if it is not a database.
absl::StatusOr<FileKind> Identify(Database& database, int64_t version = SchemaVersion());

// Opens an audit store of the newest version for reading, while others write. Errors are those of
// AuditReader::Open().
absl::StatusOr<std::unique_ptr<Database>> OpenForReading(const std::string& path);

// Brings `database` from whatever version it has to that of `migrations`, in one transaction: all
// of it or nothing. Creates the schema in an empty file. Errors are those of Identify() and of
// SQLite.
absl::Status Migrate(Database& database, absl::Span<const Migration> migrations = Migrations());

}  // namespace reeve

#endif  // REEVE_STORE_SCHEMA_H_
