#include "reeve/store/schema.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr int kLockWaitMs = 2000;

// doc/audit-format.md explains the tables. What is unfolded from segments can be dropped and
// rebuilt: all but `writers`, `segments`, `checkpoints` and `prunings`.
constexpr char kVersion1[] = R"sql(
CREATE TABLE writers(
  id INTEGER PRIMARY KEY,
  uuid BLOB NOT NULL UNIQUE,
  host TEXT NOT NULL,
  boot TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started INTEGER NOT NULL,
  process TEXT NOT NULL,
  opened INTEGER NOT NULL,
  closed INTEGER,
  last_seq INTEGER
);

CREATE TABLE segments(
  writer INTEGER NOT NULL REFERENCES writers(id),
  first_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  format INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(writer, first_seq)
);

CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE texts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX texts_by_hash ON texts(hash);

CREATE TABLE records(
  number INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  id BLOB NOT NULL,
  latency INTEGER NOT NULL,
  level INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  assurance INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  principal INTEGER NOT NULL REFERENCES names(id),
  action INTEGER NOT NULL REFERENCES names(id),
  resource INTEGER NOT NULL REFERENCES names(id),
  via INTEGER REFERENCES names(id),
  host INTEGER REFERENCES names(id),
  actor INTEGER REFERENCES names(id),
  policy INTEGER REFERENCES names(id),
  evidence INTEGER REFERENCES texts(id),
  groups INTEGER REFERENCES texts(id),
  principal_parents INTEGER REFERENCES texts(id),
  principal_attributes INTEGER REFERENCES texts(id),
  resource_parents INTEGER REFERENCES texts(id),
  resource_attributes INTEGER REFERENCES texts(id),
  context INTEGER REFERENCES texts(id),
  rules INTEGER REFERENCES texts(id),
  near_misses INTEGER REFERENCES texts(id),
  shadow_rules INTEGER REFERENCES texts(id),
  message INTEGER REFERENCES texts(id),
  obligations INTEGER REFERENCES texts(id),
  error INTEGER REFERENCES texts(id)
);
CREATE INDEX records_by_time ON records(time);
CREATE INDEX records_by_principal ON records(principal, time);
CREATE INDEX records_by_resource ON records(resource, time);
CREATE INDEX records_by_id ON records(id);
CREATE INDEX denials_by_time ON records(time) WHERE reason <> 1;

CREATE TABLE rule_records(
  rule INTEGER NOT NULL REFERENCES names(id),
  time INTEGER NOT NULL,
  record INTEGER NOT NULL REFERENCES records(number),
  PRIMARY KEY(rule, time, record)
) WITHOUT ROWID;
)sql";

// The clauses of the rules, from segments of format 2.
constexpr char kVersion2[] = R"sql(
ALTER TABLE records ADD COLUMN clauses INTEGER REFERENCES texts(id);
)sql";

// The chain of hashes. What is older has none.
constexpr char kVersion3[] = R"sql(
ALTER TABLE writers ADD COLUMN opened_hash BLOB;
ALTER TABLE writers ADD COLUMN closed_hash BLOB;
ALTER TABLE segments ADD COLUMN previous BLOB;
ALTER TABLE segments ADD COLUMN hash BLOB;

CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  hash BLOB NOT NULL,
  key BLOB NOT NULL,
  signature BLOB NOT NULL
);
)sql";

// Rows are made in the background, and count what they show by hour.
constexpr char kVersion4[] = R"sql(
CREATE TABLE unfolded(
  writer INTEGER PRIMARY KEY REFERENCES writers(id),
  next_seq INTEGER NOT NULL
);
INSERT INTO unfolded SELECT writer, max(first_seq + count) FROM segments GROUP BY writer;

CREATE TABLE unfolding(
  owner BLOB NOT NULL,
  until INTEGER NOT NULL,
  turn INTEGER NOT NULL
);
INSERT INTO unfolding VALUES(x'', 0, 0);

CREATE TABLE hours(
  hour INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(hour, rule, reason)
) WITHOUT ROWID;
INSERT INTO hours SELECT (time - (time % 3600000000 + 3600000000) % 3600000000) / 3600000000, 0,
  reason, count(*) FROM records GROUP BY 1, 3;
INSERT INTO hours SELECT (x.time - (x.time % 3600000000 + 3600000000) % 3600000000) / 3600000000,
  x.rule, r.reason, count(*) FROM rule_records x JOIN records r ON r.number = x.record
  GROUP BY 1, 2, 3;
)sql";

// Rows are added at the ends of tables only, so that it costs the same in a large file. All of them
// are made anew, in the background. The views hold nothing, and so stand in the newest version
// only: no program leaves a file at an older one than it knows.
constexpr char kVersion5[] = R"sql(
DROP VIEW IF EXISTS decisions;
DROP VIEW IF EXISTS decisions_by_hour;
DROP TABLE rule_records;
DROP TABLE records;
DROP TABLE texts;
DROP TABLE names;
DROP TABLE hours;
DROP TABLE unfolding;
DELETE FROM unfolded;

CREATE TABLE unfolding(
  owner BLOB NOT NULL,
  until INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  next_number INTEGER NOT NULL
);
INSERT INTO unfolding VALUES(x'', 0, 0, 1);

CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE texts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX texts_by_hash ON texts(id >> 16, hash);

CREATE TABLE records(
  number INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  id BLOB NOT NULL,
  latency INTEGER NOT NULL,
  level INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  assurance INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  principal INTEGER NOT NULL REFERENCES names(id),
  action INTEGER NOT NULL REFERENCES names(id),
  resource INTEGER NOT NULL REFERENCES names(id),
  via INTEGER REFERENCES names(id),
  host INTEGER REFERENCES names(id),
  actor INTEGER REFERENCES names(id),
  policy INTEGER REFERENCES names(id),
  evidence INTEGER REFERENCES texts(id),
  groups INTEGER REFERENCES texts(id),
  principal_parents INTEGER REFERENCES texts(id),
  principal_attributes INTEGER REFERENCES texts(id),
  resource_parents INTEGER REFERENCES texts(id),
  resource_attributes INTEGER REFERENCES texts(id),
  context INTEGER REFERENCES texts(id),
  rules INTEGER REFERENCES texts(id),
  near_misses INTEGER REFERENCES texts(id),
  shadow_rules INTEGER REFERENCES texts(id),
  message INTEGER REFERENCES texts(id),
  obligations INTEGER REFERENCES texts(id),
  error INTEGER REFERENCES texts(id),
  clauses INTEGER REFERENCES texts(id)
);
CREATE INDEX records_by_time ON records(time);
CREATE INDEX denials_by_time ON records(time) WHERE reason <> 1;

CREATE TABLE spans(
  span INTEGER PRIMARY KEY,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  disorder INTEGER NOT NULL
);

CREATE TABLE lists(
  span INTEGER NOT NULL REFERENCES spans(span),
  kind INTEGER NOT NULL,
  name INTEGER NOT NULL REFERENCES names(id),
  first INTEGER NOT NULL,
  offsets TEXT NOT NULL,
  PRIMARY KEY(span, kind, name, first)
) WITHOUT ROWID;

CREATE TABLE hours(
  hour INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(hour, rule, reason)
) WITHOUT ROWID;

CREATE VIEW numbers AS SELECT k.kind AS kind, n.name AS name, (l.span << 16) + o.value AS number
FROM names n
CROSS JOIN (SELECT 1 AS id, 'principal' AS kind UNION ALL SELECT 2, 'resource'
            UNION ALL SELECT 3, 'rule') k
CROSS JOIN spans s
CROSS JOIN lists l ON l.span = s.span AND l.kind = k.id AND l.name = n.id
CROSS JOIN json_each('[' || l.offsets || ']') o;

CREATE VIEW decisions_by_hour AS SELECT
  strftime('%Y-%m-%dT%H:00:00Z', h.hour * 3600, 'unixepoch') AS hour,
  n.name AS rule,
  CASE h.reason WHEN 1 THEN 'allow' ELSE 'deny' END AS decision,
  CASE h.reason
    WHEN 0 THEN 'no_policy' WHEN 1 THEN 'allow_rule' WHEN 2 THEN 'deny_rule'
    WHEN 3 THEN 'deny_unknown' WHEN 4 THEN 'no_rule' WHEN 5 THEN 'bad_request'
    WHEN 6 THEN 'limit' WHEN 7 THEN 'audit_failed'
  END AS reason,
  h.count AS count,
  h.hour * 3600000000 AS unix_us
FROM hours h LEFT JOIN names n ON n.id = h.rule;
)sql";

// What was masked, and the time that a request fixed, from segments of format 3; which damaged file
// was set aside before this one.
constexpr char kVersion6[] = R"sql(
ALTER TABLE records ADD COLUMN masked INTEGER REFERENCES texts(id);
ALTER TABLE records ADD COLUMN fixed_time INTEGER;
ALTER TABLE writers ADD COLUMN follows TEXT;
ALTER TABLE unfolding ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;

-- What was removed on purpose.
CREATE TABLE prunings(
  id INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  last_hash BLOB NOT NULL,
  time INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  hash BLOB NOT NULL,
  key BLOB,
  signature BLOB
);
CREATE INDEX prunings_by_writer ON prunings(writer, last_seq);

DROP VIEW IF EXISTS decisions;
CREATE VIEW decisions AS SELECT
  lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' ||
        substr(hex(r.id), 13, 4) || '-' || substr(hex(r.id), 17, 4) || '-' ||
        substr(hex(r.id), 21)) AS id,
  strftime('%Y-%m-%dT%H:%M:%S', (r.time - (r.time % 1000000 + 1000000) % 1000000) / 1000000,
           'unixepoch') ||
    printf('.%06dZ', (r.time % 1000000 + 1000000) % 1000000) AS time,
  CASE r.reason WHEN 1 THEN 'allow' ELSE 'deny' END AS decision,
  CASE r.reason
    WHEN 0 THEN 'no_policy' WHEN 1 THEN 'allow_rule' WHEN 2 THEN 'deny_rule'
    WHEN 3 THEN 'deny_unknown' WHEN 4 THEN 'no_rule' WHEN 5 THEN 'bad_request'
    WHEN 6 THEN 'limit' WHEN 7 THEN 'audit_failed'
  END AS reason,
  p.name AS principal,
  a.name AS action,
  s.name AS resource,
  coalesce((SELECT text FROM texts WHERE id = r.rules), '[]') AS rules,
  (SELECT text FROM texts WHERE id = r.message) AS message,
  (SELECT text FROM texts WHERE id = r.error) AS error,
  CASE r.assurance
    WHEN 0 THEN 'none' WHEN 1 THEN 'asserted' WHEN 2 THEN 'kernel_weak'
    WHEN 3 THEN 'kernel' WHEN 4 THEN 'crypto'
  END AS principal_assurance,
  (SELECT name FROM names WHERE id = r.via) AS via,
  (SELECT name FROM names WHERE id = r.host) AS host,
  (SELECT name FROM names WHERE id = r.actor) AS actor,
  (SELECT text FROM texts WHERE id = r.evidence) AS evidence,
  CASE WHEN r.flags & 8 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.groups), '[]') END AS groups,
  r.flags & 2 = 0 AS groups_complete,
  CASE WHEN r.flags & 16 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.principal_parents), '[]')
  END AS principal_parents,
  CASE WHEN r.flags & 32 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.principal_attributes), '{}')
  END AS principal_attributes,
  CASE WHEN r.flags & 64 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.resource_parents), '[]')
  END AS resource_parents,
  CASE WHEN r.flags & 128 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.resource_attributes), '{}')
  END AS resource_attributes,
  CASE WHEN r.flags & 256 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.context), '{}') END AS context,
  coalesce((SELECT text FROM texts WHERE id = r.near_misses), '[]') AS near_misses,
  coalesce((SELECT text FROM texts WHERE id = r.shadow_rules), '[]') AS shadow_rules,
  coalesce((SELECT text FROM texts WHERE id = r.obligations), '[]') AS obligations,
  (SELECT name FROM names WHERE id = r.policy) AS policy,
  r.latency AS latency_ns,
  CASE r.level WHEN 1 THEN 'recorded' WHEN 2 THEN 'durable' END AS audit_level,
  r.flags & 1 <> 0 AS escaped,
  r.flags & 4 <> 0 AS time_fixed,
  r.writer AS writer,
  r.seq AS seq,
  w.process || '[' || w.pid || ']' AS process,
  w.host AS machine,
  r.number AS number,
  r.time AS unix_us,
  coalesce((SELECT text FROM texts WHERE id = r.clauses), '[]') AS clauses,
  coalesce((SELECT text FROM texts WHERE id = r.masked), '{}') AS masked,
  strftime('%Y-%m-%dT%H:%M:%S', (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) -
           (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) % 1000000 + 1000000) % 1000000) /
           1000000, 'unixepoch') ||
    printf('.%06dZ', (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) % 1000000 + 1000000) % 1000000)
    AS fixed_time,
  r.flags & 1024 = 0 AS principal_complete,
  r.flags & 2048 = 0 AS resource_complete
FROM records r
JOIN names p ON p.id = r.principal
JOIN names a ON a.id = r.action
JOIN names s ON s.id = r.resource
JOIN writers w ON w.id = r.writer;
)sql";

// Nothing changes but that segments may be compressed, which older programs cannot read.
constexpr char kVersion7[] = "";

constexpr Migration kMigrations[] = {{kVersion1}, {kVersion2}, {kVersion3}, {kVersion4},
                                     {kVersion5}, {kVersion6}, {kVersion7}};

absl::Status MigrateInTransaction(Database& database, absl::Span<const Migration> migrations) {
  const int64_t to = static_cast<int64_t>(migrations.size());
  absl::StatusOr<FileKind> kind = Identify(database, to);
  if (!kind.ok()) return kind.status();
  int64_t from = 0;
  if (*kind == FileKind::kReeve) {
    absl::StatusOr<int64_t> version = database.Number("PRAGMA user_version");
    if (!version.ok()) return version.status();
    from = *version;
  }
  if (from == to) return absl::OkStatus();
  for (int64_t version = from; version < to; ++version) {
    if (absl::Status status = database.Run(migrations[version].sql); !status.ok()) return status;
  }
  return database.Run(
      absl::StrCat("PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", to)
          .c_str());
}

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

absl::StatusOr<FileKind> Identify(Database& database, int64_t version) {
  // The tables first: whoever makes the file meanwhile adds both in one step, so that there are
  // never tables without the number.
  absl::StatusOr<int64_t> tables = database.Number("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  absl::StatusOr<int64_t> application = database.Number("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    if (*application == 0 && *tables == 0) return FileKind::kEmpty;
    return absl::FailedPreconditionError(absl::StrCat(
        database.name(), ": not an audit store but another database; name another file"));
  }
  absl::StatusOr<int64_t> found = database.Number("PRAGMA user_version");
  if (!found.ok()) return found.status();
  if (*found > version) {
    return absl::FailedPreconditionError(
        absl::StrCat(database.name(), ": version ", *found,
                     " of the audit store is newer than this program, which knows ", version,
                     "; use a newer program"));
  }
  return FileKind::kReeve;
}

absl::StatusOr<std::unique_ptr<Database>> OpenForReading(const std::string& path) {
  const std::string name = Printable(path, 1000);
  struct stat info;
  if (path.empty() || path.find('\0') != std::string::npos || stat(path.c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat(name, ": there is no such file"));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": is not a file; name an audit store"));
  }
  constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, name, kFlags);
  if (!database.ok()) return database.status();
  sqlite3_busy_timeout((*database)->get(), kLockWaitMs);
  absl::StatusOr<FileKind> kind = Identify(**database);

  // Where SQLite cannot write beside the file it cannot share it either. A writer always has a log
  // beside it; without one nobody writes, and nothing needs to be shared.
  if (kind.status().code() == absl::StatusCode::kUnavailable &&
      access(absl::StrCat(path, "-wal").c_str(), F_OK) != 0 && errno == ENOENT) {
    const std::string uri = absl::StrCat(
        "file:", path[0] == '/' ? "" : "./",
        absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}), "?immutable=1");
    database = Database::Open(uri, name, kFlags | SQLITE_OPEN_URI);
    if (!database.ok()) return database.status();
    kind = Identify(**database);
  }
  if (!kind.ok()) return kind.status();
  if (*kind == FileKind::kEmpty) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": the file is empty; no audit store has been opened there yet"));
  }
  absl::StatusOr<int64_t> version = (*database)->Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version < SchemaVersion()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": version ", *version, " of the audit store is older than ",
                     SchemaVersion(), "; a program that writes to it brings it up to date"));
  }
  return database;
}

absl::Status Migrate(Database& database, absl::Span<const Migration> migrations) {
  if (absl::Status status = database.Run("BEGIN IMMEDIATE"); !status.ok()) return status;
  absl::Status status = MigrateInTransaction(database, migrations);
  if (status.ok()) status = database.Run("COMMIT");
  // After some errors SQLite has rolled back already.
  if (!status.ok() && sqlite3_get_autocommit(database.get()) == 0) {
    database.Run("ROLLBACK").IgnoreError();
  }
  return status;
}

}  // namespace reeve
