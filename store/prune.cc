#include "reeve/store/prune.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/text.h"
#include "reeve/store/chain.h"
#include "reeve/store/lists.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/schema.h"
#include "reeve/store/segment.h"
#include "reeve/store/sqlite.h"
#include "reeve/store/unfold.h"
#include "reeve/store/writer_file.h"

namespace reeve {
namespace {

constexpr size_t kMaxReasonBytes = 1024;

// What a file without records takes, about: each table and index has a page.
constexpr int64_t kEmptyBytes = 94208;

// How long a batch should hold the file, about. It is left to others then for as long, but not
// longer than a writer that waits sleeps between two looks (WriterFile::WaitForLock()), twice.
constexpr std::chrono::milliseconds kMinBatch(50), kMaxBatch(200), kPause(10);
constexpr int64_t kFirstBatchRecords = 2048;
// How often it is looked whether the lock of another one is gone, a millisecond apart: often, since
// those who write have their turns one after the other.
constexpr int kLockTries = 20000;
// Names or texts that are looked at in one transaction.
constexpr int64_t kSweepIds = 16384;

using SteadyClock = std::chrono::steady_clock;

// The oldest segment of a writer.
struct Head {
  int64_t writer = 0;
  std::string uuid;
  std::string hash;         // of the segment or opening before; empty if there is no chain
  int64_t next_seq = 1;     // the first record that is not gone
  int64_t unfolded_to = 1;  // the first record without a row
  int64_t first_seq = 0, count = 0, min_time = 0, max_time = 0, bytes = 0;
};

// What a batch has removed of a writer.
struct Removed {
  std::string uuid, last_hash;
  int64_t first_seq = 0, last_seq = 0, min_time = 0, max_time = 0;
  int64_t unfolded_to = 1;
};

// Which ids are in use.
class Marks {
 public:
  void Add(int64_t id) {
    if (id < 0) return;
    if (static_cast<size_t>(id) >= bits_.size()) bits_.resize(id + 1 + id / 2);
    bits_[id] = true;
  }
  bool Has(int64_t id) const {
    return id >= 0 && static_cast<size_t>(id) < bits_.size() && bits_[id];
  }

 private:
  std::vector<bool> bits_;
};

class Pruner {
 public:
  Pruner(Database& database, const PruneOptions& options)
      : database_(database),
        options_(options),
        before_(options.before.has_value() ? absl::ToUnixMicros(*options.before)
                                           : std::numeric_limits<int64_t>::min()),
        time_(absl::ToUnixMicros(options.clock->Now())),
        batch_records_(std::min(kFirstBatchRecords, options.max_batch_records)) {}

  absl::Status Prepare() {
    const struct {
      Statement& statement;
      const char* sql;
    } table[] = {
        {begin_, "BEGIN IMMEDIATE"},
        {commit_, "COMMIT"},
        {next_writer_, "SELECT min(writer) FROM segments WHERE writer > ?"},
        {writer_,
         "SELECT w.uuid, coalesce(p.last_hash, w.opened_hash), coalesce(p.last_seq, 0) + 1, "
         "coalesce((SELECT next_seq FROM unfolded WHERE writer = w.id), 1) "
         "FROM writers w LEFT JOIN prunings p ON p.writer = w.id AND "
         "p.last_seq = (SELECT max(last_seq) FROM prunings WHERE writer = w.id) WHERE w.id = ?"},
        {first_segment_,
         "SELECT first_seq, count, min_time, max_time, length(bytes) FROM segments "
         "WHERE writer = ? AND first_seq >= ? AND rowid <= ? ORDER BY first_seq LIMIT 1"},
        {segment_, "SELECT bytes, previous, hash FROM segments WHERE writer = ? AND first_seq = ?"},
        {drop_segment_, "DELETE FROM segments WHERE writer = ? AND first_seq = ?"},
        {last_pruning_, "SELECT id, hash FROM prunings ORDER BY id DESC LIMIT 1"},
        {add_pruning_,
         "INSERT INTO prunings(id, writer, first_seq, last_seq, min_time, max_time, last_hash, "
         "time, uid, reason, hash, key, signature) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
        {set_unfolded_,
         "INSERT INTO unfolded(writer, next_seq) VALUES(?1, ?2) "
         "ON CONFLICT(writer) DO UPDATE SET next_seq = ?2"},
        {rows_, "SELECT number, writer, seq FROM records WHERE time BETWEEN ? AND ?"},
        {drop_row_, "DELETE FROM records WHERE number = ?"},
        {span_times_, "SELECT time FROM records WHERE number BETWEEN ? AND ? ORDER BY number"},
        {set_span_, "UPDATE spans SET min_time = ?, max_time = ?, disorder = ? WHERE span = ?"},
        {drop_span_, "DELETE FROM spans WHERE span = ?"},
        {drop_lists_, "DELETE FROM lists WHERE span = ?"},
        {turn_, "UPDATE unfolding SET turn = turn + 1"},
    };
    for (const auto& row : table) {
      absl::StatusOr<Statement> statement = Statement::Prepare(database_, row.sql);
      if (!statement.ok()) return statement.status();
      row.statement = *std::move(statement);
    }
    absl::StatusOr<std::unique_ptr<Unfolder>> unfolder = Unfolder::Create(database_);
    if (!unfolder.ok()) return unfolder.status();
    unfolder_ = *std::move(unfolder);
    if (options_.key.empty()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<CheckpointKey>> key = CheckpointKey::FromSeed(options_.key);
    if (!key.ok()) return key.status();
    key_ = *std::move(key);
    return absl::OkStatus();
  }

  absl::StatusOr<PruneResult> Run() {
    absl::StatusOr<int64_t> in_use = BytesInUse();
    if (!in_use.ok()) return in_use.status();
    result_.bytes_before = result_.bytes_after = *in_use;
    // What is written from now on stays: whoever writes fast is not run after.
    absl::StatusOr<int64_t> last_row =
        database_.Number("SELECT coalesce(max(rowid), 0) FROM segments");
    if (!last_row.ok()) return last_row.status();
    last_row_ = *last_row;
    absl::Status status = options_.dry_run ? Rehearse() : Remove();
    // Of what was removed before an error, too.
    const absl::Status sent = SendLine();
    if (status.ok()) status = sent;
    if (!status.ok()) return status;
    absl::StatusOr<int64_t> pages = database_.Number("PRAGMA page_count");
    absl::StatusOr<int64_t> page = database_.Number("PRAGMA page_size");
    if (!pages.ok()) return pages.status();
    if (!page.ok()) return page.status();
    result_.file_bytes = *pages * *page;
    result_.oldest = absl::FromUnixMicros(min_time_);
    result_.newest = absl::FromUnixMicros(max_time_);
    return result_;
  }

 private:
  absl::StatusOr<int64_t> BytesInUse() {
    int64_t numbers[3];
    const char* const pragmas[] = {"PRAGMA page_count", "PRAGMA freelist_count",
                                   "PRAGMA page_size"};
    for (int i = 0; i < 3; ++i) {
      absl::StatusOr<int64_t> number = database_.Number(pragmas[i]);
      if (!number.ok()) return number.status();
      numbers[i] = *number;
    }
    return (numbers[0] - numbers[1]) * numbers[2];
  }

  // How many bytes of segments must go so that `in_use` becomes what is wanted, if all but what an
  // empty file takes goes in proportion.
  absl::StatusOr<int64_t> Excess(int64_t in_use) {
    if (!options_.max_bytes.has_value() || in_use <= *options_.max_bytes) return 0;
    absl::StatusOr<int64_t> all =
        database_.Number("SELECT coalesce(sum(length(bytes)), 0) FROM segments");
    if (!all.ok()) return all.status();
    const int64_t records = std::max(in_use - kEmptyBytes, int64_t{1});
    const double share = std::min(static_cast<double>(in_use - *options_.max_bytes) / records, 1.0);
    // Never so little that there is no end to it.
    return std::max({static_cast<int64_t>(share * *all), *all / 64, int64_t{1}});
  }

  absl::Status Remove() {
    if (options_.before.has_value() && options_.progress != nullptr) {
      absl::StatusOr<Statement> sum = Statement::Prepare(
          database_, "SELECT coalesce(sum(length(bytes)), 0) FROM segments WHERE max_time < ?");
      if (!sum.ok()) return sum.status();
      sum->Bind(1, before_);
      if (absl::StatusOr<bool> row = sum->Step(); !row.ok()) return row.status();
      planned_ = sum->Number(0);
    }
    // The first round is that of the time, the others of the size.
    for (bool first = true;; first = false) {
      absl::StatusOr<int64_t> need = first && options_.before.has_value()
                                         ? absl::StatusOr<int64_t>(0)
                                         : Excess(result_.bytes_after);
      if (!need.ok()) return need.status();
      remove_to_ = result_.bytes + *need;
      planned_ = std::max(planned_, remove_to_);
      const int64_t before = result_.segments;
      for (bool more = true; more;) {
        if (absl::Status status = RemoveBatch(&more); !status.ok()) return status;
        if (!GoesOn()) {
          return absl::CancelledError("pruning was cancelled; what is removed is noted");
        }
      }
      const bool removed = result_.segments > before;
      if (first || removed) {
        if (absl::Status status = Sweep(); !status.ok()) return status;
      }
      absl::StatusOr<int64_t> in_use = BytesInUse();
      if (!in_use.ok()) return in_use.status();
      result_.bytes_after = *in_use;
      const bool too_much = options_.max_bytes.has_value() && *in_use > *options_.max_bytes;
      if (!too_much || (!removed && !(first && options_.before.has_value()))) break;
    }
    // What was removed stands in the log until it is begun anew. If somebody reads, later.
    database_.Run("PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();
    if (!options_.vacuum) return absl::OkStatus();
    absl::Status status = database_.Run("VACUUM");
    database_.Run("PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();
    return status;
  }

  bool GoesOn() {
    return options_.progress == nullptr ||
           options_.progress(std::min(result_.bytes, planned_), planned_);
  }

  // Counts what would go.
  absl::Status Rehearse() {
    if (absl::Status status = LoadHeads(); !status.ok()) return status;
    absl::StatusOr<int64_t> need = Excess(result_.bytes_before);
    if (!need.ok()) return need.status();
    remove_to_ = *need;
    absl::StatusOr<int64_t> all =
        database_.Number("SELECT coalesce(sum(length(bytes)), 0) FROM segments");
    if (!all.ok()) return all.status();
    while (!heads_.empty() && IsWanted(Oldest())) {
      Count(Oldest());
      if (absl::Status status = Advance(); !status.ok()) return status;
    }
    if (*all > 0) {
      const int64_t records = std::max(result_.bytes_before - kEmptyBytes, int64_t{0});
      result_.bytes_after -= static_cast<int64_t>(static_cast<double>(records) *
                                                  static_cast<double>(result_.bytes) / *all);
    }
    return absl::OkStatus();
  }

  // Heads are a heap, the oldest on top.
  static bool IsNewer(const Head& a, const Head& b) {
    return std::tie(a.max_time, a.writer) > std::tie(b.max_time, b.writer);
  }
  const Head& Oldest() const { return heads_.front(); }
  bool IsWanted(const Head& head) const {
    return head.max_time < before_ || result_.bytes < remove_to_;
  }

  void Count(const Head& head) {
    ++result_.segments;
    result_.records += head.count;
    result_.bytes += head.bytes;
    min_time_ = std::min(min_time_, head.min_time);
    max_time_ = std::max(max_time_, head.max_time);
  }

  // Fills in the first segment of the writer from record `seq` on. False if there is none.
  absl::StatusOr<bool> FindSegment(int64_t seq, Head* head) {
    first_segment_.Bind(1, head->writer);
    first_segment_.Bind(2, seq);
    first_segment_.Bind(3, last_row_);
    absl::StatusOr<bool> found = first_segment_.Step();
    if (found.ok() && *found) {
      head->first_seq = first_segment_.Number(0);
      head->count = first_segment_.Number(1);
      head->min_time = first_segment_.Number(2);
      head->max_time = first_segment_.Number(3);
      head->bytes = first_segment_.Number(4);
    }
    first_segment_.Reset();
    return found;
  }

  // Reads the oldest segment of each writer.
  absl::Status LoadHeads() {
    heads_.clear();
    for (int64_t id = std::numeric_limits<int64_t>::min();;) {
      next_writer_.Bind(1, id);
      absl::StatusOr<bool> row = next_writer_.Step();
      const bool any = row.ok() && *row && !next_writer_.IsNull(0);
      if (any) id = next_writer_.Number(0);
      next_writer_.Reset();
      if (!row.ok()) return row.status();
      if (!any) break;
      Head head;
      head.writer = id;
      writer_.Bind(1, id);
      row = writer_.Step();
      if (row.ok() && *row) {
        head.uuid = std::string(writer_.Blob(0));
        head.hash = std::string(writer_.Blob(1));
        head.next_seq = writer_.Number(2);
        head.unfolded_to = writer_.Number(3);
      }
      const bool known = row.ok() && *row;
      writer_.Reset();
      if (!row.ok()) return row.status();
      if (!known) return Damaged(head, "its writer is not in the file");
      row = FindSegment(std::numeric_limits<int64_t>::min(), &head);
      if (!row.ok()) return row.status();
      if (*row) heads_.push_back(std::move(head));
    }
    std::make_heap(heads_.begin(), heads_.end(), IsNewer);
    return absl::OkStatus();
  }

  // From the oldest segment to the one after it of the same writer.
  absl::Status Advance() {
    std::pop_heap(heads_.begin(), heads_.end(), IsNewer);
    Head& head = heads_.back();
    head.next_seq = head.first_seq + std::max<int64_t>(head.count, 1);
    absl::StatusOr<bool> found = FindSegment(head.next_seq, &head);
    if (!found.ok()) return found.status();
    *found ? std::push_heap(heads_.begin(), heads_.end(), IsNewer) : heads_.pop_back();
    return absl::OkStatus();
  }

  absl::Status Damaged(const Head& head, std::string_view what) const {
    return absl::DataLossError(absl::StrCat(
        database_.name(), ": writer ", head.writer, ", record ", head.first_seq, ": ",
        absl::string_view(what.data(), what.size()),
        "; what is not as it was written is not removed: verify the file, and keep it"));
  }

  absl::Status RemoveBatch(bool* more) {
    if (absl::Status status = begin_.Finish(); !status.ok()) return status;
    const PruneResult before = result_;
    const auto begun = SteadyClock::now();
    absl::Status status = RemoveInTransaction(more);
    const int64_t records = result_.records - before.records;
    if (status.ok() && records > 0) {
      status = commit_.Finish();
      if (status.ok()) {
        last_line_ = std::move(line_);
        const auto taken = SteadyClock::now() - begun;
        if (taken < kMinBatch)
          batch_records_ = std::min(2 * batch_records_, options_.max_batch_records);
        if (taken > kMaxBatch) batch_records_ = std::max<int64_t>(batch_records_ / 2, 1);
        LetOthers(begun);
        return status;
      }
    }
    result_ = before;
    RollBack();
    return status;
  }

  static void LetOthers(SteadyClock::time_point begun) {
    std::this_thread::sleep_for(
        std::min<SteadyClock::duration>(SteadyClock::now() - begun, kPause));
  }

  // After some errors SQLite has rolled back already.
  void RollBack() {
    if (sqlite3_get_autocommit(database_.get()) == 0) database_.Run("ROLLBACK").IgnoreError();
  }

  absl::Status RemoveInTransaction(bool* more) {
    removed_.clear();
    // Others may have made rows, and given ids to names.
    unfolder_->Forget();
    if (absl::Status status = LoadHeads(); !status.ok()) return status;
    const int64_t before = result_.records;
    while (true) {
      *more = !heads_.empty() && IsWanted(Oldest());
      if (!*more || result_.records - before >= batch_records_) break;
      if (absl::Status status = RemoveSegment(Oldest()); !status.ok()) return status;
      if (absl::Status status = Advance(); !status.ok()) return status;
    }
    if (result_.records == before) return absl::OkStatus();
    for (const auto& [writer, removed] : removed_) {
      if (absl::Status status = AddPruning(writer, removed); !status.ok()) return status;
    }
    if (absl::Status status = RemoveRows(); !status.ok()) return status;
    return turn_.Finish();
  }

  absl::Status RemoveSegment(const Head& head) {
    if (head.first_seq != head.next_seq || head.count < 1) {
      return Damaged(head, head.first_seq > head.next_seq ? "records before it are missing"
                                                          : "is not where it should be");
    }
    segment_.Bind(1, head.writer);
    segment_.Bind(2, head.first_seq);
    absl::StatusOr<bool> row = segment_.Step();
    if (!row.ok()) return row.status();
    Removed& removed = removed_[head.writer];
    if (removed.last_seq == 0) {
      removed.uuid = head.uuid;
      removed.last_hash = head.hash;
      removed.first_seq = head.first_seq;
      removed.min_time = head.min_time;
      removed.max_time = head.max_time;
      removed.unfolded_to = head.unfolded_to;
    }
    const SegmentRow content = {head.first_seq, head.count, head.min_time, head.max_time,
                                segment_.Blob(0)};
    absl::Status status;
    const bool chained = !removed.last_hash.empty();
    if (chained ? segment_.Blob(1) != removed.last_hash ||
                      View(HashOfSegment(head.uuid, content, segment_.Blob(1))) != segment_.Blob(2)
                : !segment_.IsNull(2)) {
      status = Damaged(head, "hash does not match");
    }
    removed.last_hash = std::string(segment_.Blob(2));
    removed.last_seq = head.first_seq + head.count - 1;
    removed.min_time = std::min(removed.min_time, head.min_time);
    removed.max_time = std::max(removed.max_time, head.max_time);
    if (status.ok() && head.first_seq < head.unfolded_to) {
      // What did not decode has no rows.
      const absl::StatusOr<Segment> segment = DecodeSegment(content.bytes);
      if (segment.ok() && static_cast<int64_t>(segment->records.size()) == head.count) {
        status = unfolder_->Discount(*segment);
      }
    }
    segment_.Reset();
    if (!status.ok()) return status;
    Count(head);
    drop_segment_.Bind(1, head.writer);
    drop_segment_.Bind(2, head.first_seq);
    return drop_segment_.Finish();
  }

  absl::Status AddPruning(int64_t writer, const Removed& removed) {
    absl::StatusOr<bool> any = last_pruning_.Step();
    if (!any.ok()) return any.status();
    Pruning pruning;
    pruning.id = 1 + (*any ? last_pruning_.Number(0) : 0);
    pruning.uuid = removed.uuid;
    pruning.first_seq = removed.first_seq;
    pruning.last_seq = removed.last_seq;
    pruning.min_time = removed.min_time;
    pruning.max_time = removed.max_time;
    pruning.last_hash = removed.last_hash;
    pruning.time = time_;
    pruning.uid = static_cast<int64_t>(getuid());
    pruning.reason = options_.reason;
    const Hash hash = HashOfPruning(pruning, *any ? last_pruning_.Blob(1) : std::string_view());
    last_pruning_.Reset();
    Checkpoint signature;
    add_pruning_.Bind(1, pruning.id);
    add_pruning_.Bind(2, writer);
    add_pruning_.Bind(3, pruning.first_seq);
    add_pruning_.Bind(4, pruning.last_seq);
    add_pruning_.Bind(5, pruning.min_time);
    add_pruning_.Bind(6, pruning.max_time);
    add_pruning_.BindBlob(7, pruning.last_hash);
    add_pruning_.Bind(8, pruning.time);
    add_pruning_.Bind(9, pruning.uid);
    add_pruning_.BindText(10, pruning.reason);
    add_pruning_.BindBlob(11, View(hash));
    if (key_ != nullptr) {
      signature.kind = Checkpoint::Kind::kPruning;
      signature.uuid = removed.uuid;
      signature.seq = pruning.id;
      signature.time = time_;
      signature.hash = View(hash);
      key_->Sign(&signature);
      add_pruning_.BindBlob(12, signature.key);
      add_pruning_.BindBlob(13, signature.signature);
      line_ = ToLine(signature) + "\n";
    }
    if (absl::Status status = add_pruning_.Finish(); !status.ok()) return status;
    if (removed.unfolded_to > removed.last_seq) return absl::OkStatus();
    // No rows are made of what is gone.
    set_unfolded_.Bind(1, writer);
    set_unfolded_.Bind(2, removed.last_seq + 1);
    return set_unfolded_.Finish();
  }

  // Those of the records that the batch has removed.
  absl::Status RemoveRows() {
    int64_t min_time = std::numeric_limits<int64_t>::max(), max_time = -min_time;
    for (const auto& [writer, removed] : removed_) {
      if (removed.unfolded_to <= removed.first_seq) continue;
      min_time = std::min(min_time, removed.min_time);
      max_time = std::max(max_time, removed.max_time);
    }
    rows_.Bind(1, min_time);
    rows_.Bind(2, max_time);
    std::vector<int64_t> numbers;
    while (true) {
      absl::StatusOr<bool> row = rows_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      const auto removed = removed_.find(rows_.Number(1));
      const int64_t seq = rows_.Number(2);
      if (removed != removed_.end() && seq >= removed->second.first_seq &&
          seq <= removed->second.last_seq) {
        numbers.push_back(rows_.Number(0));
      }
    }
    rows_.Reset();
    std::sort(numbers.begin(), numbers.end());
    int64_t span = -1;
    for (const int64_t number : numbers) {
      if (SpanOf(number) != span && span >= 0) {
        if (absl::Status status = SetSpan(span); !status.ok()) return status;
      }
      span = SpanOf(number);
      drop_row_.Bind(1, number);
      if (absl::Status status = drop_row_.Finish(); !status.ok()) return status;
    }
    return span < 0 ? absl::OkStatus() : SetSpan(span);
  }

  // Says of a span what its rows are now. Lists go with the last of them.
  absl::Status SetSpan(int64_t span) {
    int64_t min_time = std::numeric_limits<int64_t>::max(), max_time = -min_time, disorder = 0;
    span_times_.Bind(1, span << kSpanBits);
    span_times_.Bind(2, ((span + 1) << kSpanBits) - 1);
    bool empty = true;
    while (true) {
      absl::StatusOr<bool> row = span_times_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      empty = false;
      const int64_t time = span_times_.Number(0);
      min_time = std::min(min_time, time);
      max_time = std::max(max_time, time);
      disorder = std::max(disorder, max_time - time);
    }
    span_times_.Reset();
    if (empty) {
      drop_lists_.Bind(1, span);
      if (absl::Status status = drop_lists_.Finish(); !status.ok()) return status;
      drop_span_.Bind(1, span);
      return drop_span_.Finish();
    }
    set_span_.Bind(1, min_time);
    set_span_.Bind(2, max_time);
    set_span_.Bind(3, disorder);
    set_span_.Bind(4, span);
    return set_span_.Finish();
  }

  // Removes from lists what is gone, and the names and texts that nothing refers to.
  //
  // All rows are read for that, span by span and without a lock, while others add some. Those are
  // read once more in each transaction that removes something. To look only at what the removed
  // rows referred to would need counts, or indexes of twenty columns, that each new row pays for:
  // any row may refer to any older text.
  absl::Status Sweep() {
    if (absl::Status status = PrepareSweep(); !status.ok()) return status;
    names_ = texts_ = Marks();
    absl::StatusOr<int64_t> cleared = database_.Number("SELECT cleared FROM unfolding");
    if (!cleared.ok()) return cleared.status();
    cleared_ = *cleared;
    // From this span on there may be more by the time.
    absl::StatusOr<int64_t> newest = database_.Number("SELECT coalesce(max(span), 0) FROM spans");
    if (!newest.ok()) return newest.status();
    swept_span_ = -1;
    while (true) {
      absl::StatusOr<int64_t> span = NextSpan();
      if (!span.ok()) return span.status();
      if (*span < 0) break;
      absl::StatusOr<int64_t> rows = MarkSpan(*span);
      if (!rows.ok()) return rows.status();
      swept_span_ = *span;
      listed_.Bind(1, *span);
      absl::StatusOr<bool> listed = listed_.Step();
      // Each row is in one list of principals.
      const bool trim = listed.ok() && *listed && listed_.Number(0) > *rows;
      listed_.Reset();
      if (!listed.ok()) return listed.status();
      if (!trim) continue;
      absl::Status status = InTransaction([&] { return TrimLists(*span); });
      if (!status.ok()) return status;
    }
    swept_span_ = std::min(std::max<int64_t>(swept_span_, 0), *newest);
    for (const auto& [table, marks] : {std::pair("names", &names_), std::pair("texts", &texts_)}) {
      if (absl::Status status = DropUnused(table, *marks); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status PrepareSweep() {
    // Those that refer to names, then those that refer to texts.
    absl::StatusOr<Statement> references = Statement::Prepare(
        database_,
        "SELECT \"from\", \"table\" = 'names' FROM pragma_foreign_key_list('records') "
        "WHERE \"table\" IN ('names', 'texts') ORDER BY 2 DESC, 1");
    if (!references.ok()) return references.status();
    std::vector<std::string> columns;
    name_columns_ = 0;
    while (true) {
      absl::StatusOr<bool> row = references->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      columns.emplace_back(references->Text(0));
      name_columns_ += static_cast<int>(references->Number(1));
    }
    columns_ = static_cast<int>(columns.size());
    const struct {
      Statement& statement;
      std::string sql;
    } table[] = {
        {next_span_, "SELECT min(span) FROM spans WHERE span > ?"},
        {references_, absl::StrCat("SELECT ", absl::StrJoin(columns, ", "),
                                   " FROM records WHERE number BETWEEN ? AND ?")},
        {rules_, "SELECT name FROM lists WHERE span = ? AND kind = 3"},
        {listed_,
         "SELECT coalesce(sum(length(offsets) - length(replace(offsets, ',', '')) + 1), 0) "
         "FROM lists WHERE span = ? AND kind = 1"},
        {numbers_, "SELECT number FROM records WHERE number BETWEEN ? AND ?"},
        {lists_, "SELECT kind, name, first, offsets FROM lists WHERE span = ?"},
        {drop_list_, "DELETE FROM lists WHERE span = ? AND kind = ? AND name = ? AND first = ?"},
        {set_list_,
         "UPDATE lists SET first = ?5, offsets = ?6 "
         "WHERE span = ?1 AND kind = ?2 AND name = ?3 AND first = ?4"},
    };
    for (const auto& row : table) {
      absl::StatusOr<Statement> statement = Statement::Prepare(database_, row.sql);
      if (!statement.ok()) return statement.status();
      row.statement = *std::move(statement);
    }
    return absl::OkStatus();
  }

  // The next span after swept_span_; -1 if there is none.
  absl::StatusOr<int64_t> NextSpan() {
    next_span_.Bind(1, swept_span_);
    absl::StatusOr<bool> row = next_span_.Step();
    const int64_t span =
        row.ok() && *row && !next_span_.IsNull(0) ? next_span_.Number(0) : int64_t{-1};
    next_span_.Reset();
    if (!row.ok()) return row.status();
    return span;
  }

  // Marks what the rows of a span refer to. Returns how many there are.
  absl::StatusOr<int64_t> MarkSpan(int64_t span) {
    references_.Bind(1, span << kSpanBits);
    references_.Bind(2, ((span + 1) << kSpanBits) - 1);
    int64_t rows = 0;
    while (true) {
      absl::StatusOr<bool> row = references_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++rows;
      for (int i = 0; i < columns_; ++i) {
        if (!references_.IsNull(i)) {
          (i < name_columns_ ? names_ : texts_).Add(references_.Number(i));
        }
      }
    }
    references_.Reset();
    rules_.Bind(1, span);
    while (true) {
      absl::StatusOr<bool> row = rules_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      names_.Add(rules_.Number(0));
    }
    rules_.Reset();
    return rows;
  }

  template <typename Work>
  absl::Status InTransaction(const Work& work) {
    const auto begun = SteadyClock::now();
    if (absl::Status status = begin_.Finish(); !status.ok()) return status;
    absl::Status status = work();
    if (status.ok()) status = turn_.Finish();
    if (status.ok()) status = commit_.Finish();
    if (!status.ok()) RollBack();
    LetOthers(begun);
    return status;
  }

  absl::Status TrimLists(int64_t span) {
    std::vector<bool> there(kSpanRecords);
    numbers_.Bind(1, span << kSpanBits);
    numbers_.Bind(2, ((span + 1) << kSpanBits) - 1);
    while (true) {
      absl::StatusOr<bool> row = numbers_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      there[numbers_.Number(0) & (kSpanRecords - 1)] = true;
    }
    numbers_.Reset();
    struct List {
      int64_t kind, name, first;
      std::string offsets;
    };
    std::vector<List> changed;
    lists_.Bind(1, span);
    while (true) {
      absl::StatusOr<bool> row = lists_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      std::vector<int64_t> numbers;
      ReadOffsets(span, lists_.Text(3), &numbers);
      List list = {lists_.Number(0), lists_.Number(1), lists_.Number(2), {}};
      bool all = true;
      for (const int64_t number : numbers) {
        const int64_t offset = number & (kSpanRecords - 1);
        if (!there[offset]) {
          all = false;
        } else {
          absl::StrAppend(&list.offsets, list.offsets.empty() ? "" : ",", offset);
        }
      }
      if (!all) changed.push_back(std::move(list));
    }
    lists_.Reset();
    for (const List& list : changed) {
      Statement& statement = list.offsets.empty() ? drop_list_ : set_list_;
      statement.Bind(1, span);
      statement.Bind(2, list.kind);
      statement.Bind(3, list.name);
      statement.Bind(4, list.first);
      if (!list.offsets.empty()) {
        statement.Bind(5, std::atoll(list.offsets.c_str()));
        statement.BindText(6, list.offsets);
      }
      if (absl::Status status = statement.Finish(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Marks what was added since. False if all rows were made anew meanwhile, with other ids.
  absl::StatusOr<bool> MarkNew() {
    absl::StatusOr<int64_t> cleared = database_.Number("SELECT cleared FROM unfolding");
    if (!cleared.ok()) return cleared.status();
    if (*cleared != cleared_) return false;
    // The span that was the newest may have more by now, too, or be gone.
    --swept_span_;
    while (true) {
      absl::StatusOr<int64_t> span = NextSpan();
      if (!span.ok()) return span.status();
      if (*span < 0) break;
      if (absl::StatusOr<int64_t> rows = MarkSpan(*span); !rows.ok()) return rows.status();
      swept_span_ = *span;
    }
    absl::StatusOr<Statement> rules =
        Statement::Prepare(database_, "SELECT DISTINCT rule FROM hours");
    if (!rules.ok()) return rules.status();
    while (true) {
      absl::StatusOr<bool> row = rules->Step();
      if (!row.ok()) return row.status();
      if (!*row) return true;
      names_.Add(rules->Number(0));
    }
  }

  absl::Status DropUnused(const char* table, const Marks& used) {
    absl::StatusOr<Statement> ids = Statement::Prepare(
        database_, absl::StrCat("SELECT id FROM ", table, " WHERE id > ? ORDER BY id LIMIT ?"));
    if (!ids.ok()) return ids.status();
    absl::StatusOr<Statement> drop =
        Statement::Prepare(database_, absl::StrCat("DELETE FROM ", table, " WHERE id = ?"));
    if (!drop.ok()) return drop.status();
    // Looks for some that are not used, and removes them if they still are not.
    int64_t last = std::numeric_limits<int64_t>::min();
    std::vector<int64_t> unused;
    for (bool more = true; more;) {
      ids->Bind(1, last);
      ids->Bind(2, kSweepIds);
      more = false;
      while (true) {
        absl::StatusOr<bool> row = ids->Step();
        if (!row.ok()) return row.status();
        if (!*row) break;
        more = true;
        last = ids->Number(0);
        if (!used.Has(last)) unused.push_back(last);
      }
      ids->Reset();
      if (unused.empty() || (more && static_cast<int64_t>(unused.size()) < kSweepIds)) continue;
      bool same = true;
      absl::Status status = InTransaction([&]() -> absl::Status {
        absl::StatusOr<bool> marked = MarkNew();
        if (!marked.ok()) return marked.status();
        same = *marked;
        for (const int64_t id : unused) {
          if (!same || used.Has(id)) continue;
          drop->Bind(1, id);
          if (absl::Status status = drop->Finish(); !status.ok()) return status;
        }
        return absl::OkStatus();
      });
      if (!status.ok() || !same) return status;
      unused.clear();
    }
    return absl::OkStatus();
  }

  absl::Status SendLine() {
    if (last_line_.empty() || options_.checkpoint_file.empty()) return absl::OkStatus();
    return AppendToCheckpoints(options_.checkpoint_file, last_line_);
  }

  Database& database_;
  const PruneOptions& options_;
  const int64_t before_;  // microseconds, rounded down
  const int64_t time_;
  std::unique_ptr<CheckpointKey> key_;
  std::unique_ptr<Unfolder> unfolder_;
  Statement begin_, commit_, next_writer_, writer_, first_segment_, segment_, drop_segment_,
      last_pruning_, add_pruning_, set_unfolded_, rows_, drop_row_, span_times_, set_span_,
      drop_span_, drop_lists_, turn_;
  Statement next_span_, references_, rules_, listed_, numbers_, lists_, drop_list_, set_list_;
  std::vector<Head> heads_;
  std::map<int64_t, Removed> removed_;  // by writer, in the batch
  int64_t last_row_ = 0;                // of `segments`, when it began
  int64_t remove_to_ = 0;               // bytes of segments, for the size
  int64_t planned_ = 0;
  int64_t batch_records_;
  int64_t min_time_ = std::numeric_limits<int64_t>::max();
  int64_t max_time_ = std::numeric_limits<int64_t>::min();
  std::string line_, last_line_;  // of the newest pruning: of the batch, and committed
  PruneResult result_;
  // While it sweeps.
  int columns_ = 0, name_columns_ = 0;  // of references_
  Marks names_, texts_;
  int64_t cleared_ = 0;
  int64_t swept_span_ = 0;
};

absl::Status Check(const PruneOptions& options) {
  if (!options.before.has_value() && !options.max_bytes.has_value()) {
    return absl::InvalidArgumentError(
        "nothing is asked for; say before which time, or to which size, records are to go");
  }
  if (options.max_bytes.has_value() && *options.max_bytes < 0) {
    return absl::InvalidArgumentError("the size is below 0");
  }
  if (options.max_batch_records < 1) {
    return absl::InvalidArgumentError("a batch has at least 1 record");
  }
  if (options.reason.size() > kMaxReasonBytes ||
      Printable(options.reason, kMaxReasonBytes) != options.reason) {
    return absl::InvalidArgumentError(
        absl::StrCat("the reason is longer than ", kMaxReasonBytes,
                     " bytes, or has characters that cannot be shown; write another one"));
  }
  if (options.key.empty() && !options.checkpoint_file.empty()) {
    return absl::InvalidArgumentError(
        "without a key nothing goes to the file for checkpoints; give both or none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PruneResult> Prune(const std::string& path, const PruneOptions& options) {
  if (absl::Status status = Check(options); !status.ok()) return status;
  // First as a reader, which says more about what is no audit file.
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
  if (options.dry_run) {
    if (absl::Status status = (*database)->Run("BEGIN"); !status.ok()) return status;
  } else {
    database = RowMaker::OpenDatabase(path, Printable(path, 1000));
    if (!database.ok()) return database.status();
    sqlite3_busy_handler((*database)->get(),
                         [](void*, int count) {
                           std::this_thread::sleep_for(std::chrono::milliseconds(1));
                           return count < kLockTries ? 1 : 0;
                         },
                         nullptr);
    // What goes elsewhere must not be ahead of the file, and what is gone must be gone.
    absl::Status status = (*database)->Run("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON");
    if (!status.ok()) return status;
  }
  Pruner pruner(**database, options);
  if (absl::Status status = pruner.Prepare(); !status.ok()) return status;
  return pruner.Run();
}

}  // namespace reeve
