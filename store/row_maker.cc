#include "reeve/store/row_maker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/store/schema.h"
#include "reeve/store/segment.h"

namespace reeve {
namespace {

// How long a batch holds the file: what somebody who waits for it must bear, and what it takes at
// most. The larger a batch is the less it costs: each one writes most pages of the indexes.
constexpr std::chrono::milliseconds kMinBatch(30);
constexpr std::chrono::milliseconds kMaxBatch(250);
constexpr absl::Duration kLease = absl::Seconds(1);
constexpr int kLockWaitMs = 2000;
// Pages in the write-ahead log from which on it is copied into the main file.
constexpr int kCheckpointPages = 4000;

}  // namespace

// The next segment of a writer.
struct RowMaker::Pending {
  int64_t writer;
  int64_t next_seq;  // no row is there from this number on
  int64_t first_seq = 0;
  int64_t count = 0;
  int64_t min_time = 0;
};

absl::StatusOr<std::unique_ptr<Database>> RowMaker::OpenDatabase(const std::string& path,
                                                                 std::string name) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(
      path, std::move(name), SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW);
  if (!database.ok()) return database.status();
  sqlite3_busy_timeout((*database)->get(), kLockWaitMs);
  absl::StatusOr<FileKind> kind = Identify(**database);
  if (!kind.ok()) return kind.status();
  absl::StatusOr<int64_t> version = (*database)->Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*kind != FileKind::kReeve || *version != SchemaVersion()) {
    return absl::FailedPreconditionError(
        absl::StrCat((*database)->name(), ": not an audit store of version ", SchemaVersion(),
                     "; a program that writes to it brings it up to date"));
  }
  if (sqlite3_db_readonly((*database)->get(), "main") != 0) {
    return (*database)->Error(SQLITE_READONLY, "cannot open the file for writing");
  }
  absl::Status status = (*database)->Run(
      absl::StrCat("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ", kCheckpointPages,
                   "; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536")
          .c_str());
  if (!status.ok()) return status;
  return database;
}

absl::StatusOr<std::unique_ptr<RowMaker>> RowMaker::Create(Database& database) {
  absl::StatusOr<std::unique_ptr<Unfolder>> unfolder = Unfolder::Create(database);
  if (!unfolder.ok()) return unfolder.status();
  std::unique_ptr<RowMaker> maker(new RowMaker(database, *std::move(unfolder)));
  const struct {
    Statement& statement;
    const char* sql;
  } table[] = {
      {maker->any_,
       "SELECT 1 FROM writers w LEFT JOIN unfolded u ON u.writer = w.id "
       "CROSS JOIN segments s ON s.writer = w.id AND s.first_seq >= coalesce(u.next_seq, 1) "
       "WHERE w.last_seq IS NULL OR coalesce(u.next_seq, 1) <= w.last_seq LIMIT 1"},
      {maker->begin_, "BEGIN IMMEDIATE"},
      {maker->commit_, "COMMIT"},
      {maker->lease_, "SELECT owner, until, turn FROM unfolding"},
      {maker->set_lease_, "UPDATE unfolding SET owner = ?, until = ?, turn = turn + 1"},
      // Those that cannot be through.
      {maker->writers_,
       "SELECT w.id, coalesce(u.next_seq, 1) FROM writers w LEFT JOIN unfolded u ON u.writer = "
       "w.id "
       "WHERE w.last_seq IS NULL OR coalesce(u.next_seq, 1) <= w.last_seq"},
      {maker->next_,
       "SELECT first_seq, count, min_time, bytes FROM segments WHERE writer = ? AND first_seq >= ? "
       "ORDER BY first_seq LIMIT 1"},
      {maker->set_next_,
       "INSERT INTO unfolded(writer, next_seq) VALUES(?1, ?2) "
       "ON CONFLICT(writer) DO UPDATE SET next_seq = ?2"},
  };
  for (const auto& row : table) {
    absl::StatusOr<Statement> statement = Statement::Prepare(database, row.sql);
    if (!statement.ok()) return statement.status();
    row.statement = *std::move(statement);
  }
  return maker;
}

// Whether there is something to do, and nobody else who does it. Does not lock the file.
absl::StatusOr<bool> RowMaker::IsWanted(const Lease* lease) {
  absl::StatusOr<bool> any = any_.Step();
  any_.Reset();
  if (!any.ok() || !*any || lease == nullptr) return any;
  absl::StatusOr<bool> row = lease_.Step();
  if (row.ok() && *row && lease_.Blob(0) != lease->owner) {
    // What lies too far ahead was written under another clock.
    const int64_t now = absl::ToUnixMicros(lease->now), until = lease_.Number(1);
    if (until > now && until <= now + absl::ToInt64Microseconds(kLease)) any = false;
  }
  lease_.Reset();
  return row.ok() ? any : row;
}

// False if another one has taken the lease by now. Within the transaction.
absl::StatusOr<bool> RowMaker::TakeLease(const Lease* lease) {
  absl::StatusOr<bool> wanted = IsWanted(lease);
  if (!wanted.ok() || !*wanted) return wanted;
  absl::StatusOr<bool> row = lease_.Step();
  if (!row.ok()) return row.status();
  const std::string owner(*row ? lease_.Blob(0) : std::string_view());
  const int64_t until = *row ? lease_.Number(1) : 0, turn = *row ? lease_.Number(2) : 0;
  lease_.Reset();
  // Whoever made rows in between may have changed the ids of names.
  if (turn != known_turn_) unfolder_->Forget();
  known_turn_ = turn + 1;
  // Without a lease of its own it leaves that of the other one.
  set_lease_.BindBlob(1, lease != nullptr ? lease->owner : std::string_view(owner));
  set_lease_.Bind(2, lease != nullptr ? absl::ToUnixMicros(lease->now + kLease) : until);
  if (absl::Status status = set_lease_.Finish(); !status.ok()) return status;
  return true;
}

// Fills in what follows in `pending`. False if nothing does. Leaves `next_` at the segment.
absl::StatusOr<bool> RowMaker::FindNext(Pending* pending) {
  next_.Reset();
  next_.Bind(1, pending->writer);
  next_.Bind(2, pending->next_seq);
  absl::StatusOr<bool> row = next_.Step();
  if (!row.ok() || !*row) {
    next_.Reset();
    return row;
  }
  pending->first_seq = next_.Number(0);
  pending->count = next_.Number(1);
  pending->min_time = next_.Number(2);
  return true;
}

absl::Status RowMaker::MakeRows(const std::atomic<bool>* wanted, Batch* batch) {
  std::vector<Pending> all;
  while (true) {
    absl::StatusOr<bool> row = writers_.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    all.push_back({writers_.Number(0), writers_.Number(1)});
  }
  writers_.Reset();
  std::vector<Pending> pending;
  for (Pending& writer : all) {
    absl::StatusOr<bool> found = FindNext(&writer);
    if (!found.ok()) return found.status();
    if (*found) pending.push_back(writer);
  }
  const auto begun = std::chrono::steady_clock::now();
  while (!pending.empty()) {
    // The oldest first.
    const auto next = std::min_element(
        pending.begin(), pending.end(),
        [](const Pending& a, const Pending& b) { return a.min_time < b.min_time; });
    absl::StatusOr<bool> found = FindNext(&*next);
    if (!found.ok()) return found.status();
    if (*found) {
      absl::StatusOr<Segment> segment = DecodeSegment(next_.Blob(3));
      if (segment.ok() && static_cast<int64_t>(segment->records.size()) != next->count) {
        segment = absl::DataLossError(absl::StrCat("has ", segment->records.size(),
                                                   " records where its row says ", next->count));
      }
      if (segment.ok()) {
        absl::Status status = unfolder_->Unfold(next->writer, next->first_seq, *segment);
        if (!status.ok()) return status;
        batch->records += next->count;
      } else if (++batch->damaged == 1) {
        batch->first_damaged =
            absl::StrCat(database_.name(), ": writer ", next->writer, ", record ", next->first_seq,
                         ": the segment is damaged (", segment.status().message(), ")");
      }
      // Past what does not make sense, too.
      next->next_seq = next->first_seq + std::max<int64_t>(next->count, 1);
      set_next_.Bind(1, next->writer);
      set_next_.Bind(2, next->next_seq);
      next_.Reset();
      if (absl::Status status = set_next_.Finish(); !status.ok()) return status;
      found = FindNext(&*next);
      if (!found.ok()) return found.status();
    }
    if (!*found) pending.erase(next);
    next_.Reset();
    const auto taken = std::chrono::steady_clock::now() - begun;
    if (taken >= kMaxBatch || (taken >= kMinBatch && wanted != nullptr && *wanted)) break;
  }
  batch->more = !pending.empty();
  return absl::OkStatus();
}

absl::StatusOr<RowMaker::Batch> RowMaker::Step(const Lease* lease,
                                               const std::atomic<bool>* wanted) {
  Batch batch;
  absl::StatusOr<bool> wanted_here = IsWanted(lease);
  if (!wanted_here.ok()) return wanted_here.status();
  if (!*wanted_here) return batch;
  if (absl::Status status = begin_.Finish(); !status.ok()) return status;
  absl::StatusOr<bool> mine = TakeLease(lease);
  absl::Status status = mine.status();
  if (status.ok() && *mine) {
    status = MakeRows(wanted, &batch);
    if (status.ok()) status = unfolder_->Finish();
    if (status.ok()) status = commit_.Finish();
    if (status.ok()) return batch;
  }
  known_turn_ = -1;
  unfolder_->Forget();
  // After some errors SQLite has rolled back already.
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    if (absl::Status end = database_.Run("ROLLBACK"); status.ok()) status = std::move(end);
  }
  if (!status.ok()) return status;
  return Batch();
}

absl::StatusOr<RowMaker::Batch> RowMaker::Run(std::chrono::steady_clock::time_point deadline) {
  Batch all;
  do {
    absl::StatusOr<Batch> batch = Step();
    if (!batch.ok()) return batch.status();
    all.records += batch->records;
    if (all.damaged == 0) all.first_damaged = batch->first_damaged;
    all.damaged += batch->damaged;
    all.more = batch->more;
  } while (all.more && std::chrono::steady_clock::now() < deadline);
  return all;
}

absl::Status RowMaker::Clear() {
  known_turn_ = -1;
  absl::Status status = database_.Run(
      "BEGIN IMMEDIATE; DELETE FROM records; DELETE FROM lists; DELETE FROM spans; "
      "DELETE FROM names; DELETE FROM texts; DELETE FROM hours; DELETE FROM unfolded; "
      "INSERT INTO unfolded SELECT writer, max(last_seq) + 1 FROM prunings GROUP BY writer; "
      "UPDATE unfolding SET turn = turn + 1, next_number = 1, cleared = cleared + 1; COMMIT");
  if (!status.ok() && sqlite3_get_autocommit(database_.get()) == 0) {
    database_.Run("ROLLBACK").IgnoreError();
  }
  return status;
}

absl::StatusOr<int64_t> RecordsWithoutRows(Database& database) {
  return database.Number(
      "SELECT coalesce(sum(s.count), 0) FROM writers w LEFT JOIN unfolded u ON u.writer = w.id "
      "CROSS JOIN segments s ON s.writer = w.id AND s.first_seq >= coalesce(u.next_seq, 1) "
      "WHERE w.last_seq IS NULL OR coalesce(u.next_seq, 1) <= w.last_seq");
}

}  // namespace reeve
