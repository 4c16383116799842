#include "reeve/store/verify.h"

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/text.h"
#include "reeve/store/chain.h"
#include "reeve/store/lists.h"
#include "reeve/store/schema.h"
#include "reeve/store/segment.h"
#include "reeve/store/sqlite.h"
#include "reeve/store/unfold.h"

namespace reeve {
namespace {

using Kind = AuditFinding::Kind;

// Between two calls of Options::progress.
constexpr int64_t kProgressSegments = 256;

// Calls `take` with each row of `statement`, until one fails.
template <typename Take>
absl::Status ForEachRow(Statement& statement, const Take& take) {
  while (true) {
    absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    if (absl::Status status = take(); !status.ok()) return status;
  }
  statement.Reset();
  return absl::OkStatus();
}

std::string Records(int64_t first, int64_t last) {
  return first == last ? absl::StrCat("record ", first, " is")
                       : absl::StrCat("records ", first, " to ", last, " are");
}

// Gathers what is found.
class Findings {
 public:
  Findings(std::string name, size_t max, AuditReport* report)
      : name_(std::move(name)), max_(max), report_(*report) {}

  void Add(Kind kind, int64_t writer, int64_t seq, std::string_view what) {
    if (report_.findings.size() >= max_) {
      ++report_.more_findings;
      return;
    }
    std::string message = name_;
    if (writer != 0) absl::StrAppend(&message, ": writer ", writer);
    if (seq != 0) absl::StrAppend(&message, ", record ", seq);
    absl::StrAppend(&message, ": ", absl::string_view(what.data(), what.size()));
    report_.findings.push_back({kind, writer, seq, std::move(message)});
  }

  // Adds to the first finding about each writer what is intact.
  void SayWhatIsIntact() {
    std::map<int64_t, const AuditWriter*> writers;
    for (const AuditWriter& writer : report_.writers) writers.emplace(writer.id, &writer);
    for (AuditFinding& finding : report_.findings) {
      const auto found = writers.find(finding.writer);
      if (found == writers.end() || finding.kind == Kind::kRow) continue;
      const std::vector<AuditRange>& intact = found->second->intact;
      constexpr size_t kMaxRanges = 3;
      std::vector<std::string> ranges;
      for (const AuditRange& range : intact) {
        if (ranges.size() == kMaxRanges) {
          ranges.push_back(absl::StrCat(intact.size() - kMaxRanges, " more ranges"));
          break;
        }
        ranges.push_back(range.first == range.last ? absl::StrCat(range.first)
                                                   : absl::StrCat(range.first, " to ", range.last));
      }
      absl::StrAppend(&finding.message, "; ",
                      ranges.empty()
                          ? "no record is intact"
                          : absl::StrCat("records ", absl::StrJoin(ranges, ", "), " are intact"));
      writers.erase(found);
    }
  }

 private:
  const std::string name_;
  const size_t max_;
  AuditReport& report_;
};

// A checkpoint and where it stands.
struct PlacedCheckpoint {
  Checkpoint checkpoint;
  std::string place;  // for messages
  bool beside;        // in the file for checkpoints
};

// Walks the writers and their segments, and compares hashes.
class ChainWalker {
 public:
  ChainWalker(Database& database, const AuditVerifier::Options& options, Findings& findings,
              AuditReport* report)
      : database_(database), options_(options), findings_(findings), report_(*report) {}

  absl::Status Run() {
    if (absl::Status status = ReadWriters(); !status.ok()) return status;
    if (absl::Status status = ReadPrunings(); !status.ok()) return status;
    if (absl::Status status = ReadCheckpoints(); !status.ok()) return status;
    if (absl::Status status = ReadCheckpointFile(); !status.ok()) return status;
    if (absl::Status status = WalkSegments(); !status.ok()) return status;
    for (auto& [id, writer] : writers_) Finish(writer);
    for (const PlacedCheckpoint& placed : pruning_checkpoints_) ComparePruning(placed);
    for (auto& [id, writer] : writers_) report_.writers.push_back(std::move(writer.known));
    return absl::OkStatus();
  }

 private:
  struct Writer {
    AuditWriter known;
    std::string uuid;
    std::string opened_hash;
    std::optional<int64_t> closed, last_seq;
    std::optional<std::string> closed_hash;
    // While its segments are walked.
    int64_t next_seq = 1;
    std::string head;        // the hash that the next segment must name
    int64_t last_first = 0;  // the first record of the segment before
    bool doubtful = false;   // the segment before was not intact
    std::vector<std::pair<int64_t, std::string>> pruned;  // last_seq and last_hash of each
    bool doubts_prunings = false;                         // one was not accepted
    std::vector<PlacedCheckpoint> checkpoints;            // by seq, once all are known
    size_t next_checkpoint = 0;
  };

  absl::Status ReadWriters() {
    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_,
        "SELECT id, uuid, host, boot, pid, started, process, opened, closed, last_seq, "
        "opened_hash, closed_hash, typeof(uuid) = 'blob' AND typeof(host) = 'text' AND "
        "typeof(boot) = 'text' AND typeof(pid) = 'integer' AND typeof(started) = 'integer' AND "
        "typeof(process) = 'text' AND typeof(opened) = 'integer' AND "
        "typeof(opened_hash) IN ('blob', 'null') AND "
        "(typeof(closed), typeof(last_seq)) IN (VALUES('integer', 'integer'), ('null', 'null')) "
        "AND typeof(closed_hash) = iif(closed IS NULL OR opened_hash IS NULL, 'null', 'blob') "
        "AND (follows IS NULL OR (typeof(follows) = 'text' AND follows <> '')), follows "
        "FROM writers ORDER BY id");
    if (!rows.ok()) return rows.status();
    int64_t next_id = 1;
    std::string previous;
    return ForEachRow(*rows, [&] {
      const int64_t id = rows->Number(0);
      for (; next_id < id; ++next_id) {
        if (id - next_id > 1000) next_id = id - 1;  // an absurd number: one finding is enough
        findings_.Add(Kind::kMissing, next_id, 0, "is missing");
        previous.clear();
      }
      next_id = id + 1;
      Writer& writer = writers_[id];
      writer.uuid = std::string(rows->Blob(1));
      by_uuid_[writer.uuid] = id;
      AuditWriter& known = writer.known;
      known.id = id;
      known.uuid = Uuid(writer.uuid);
      known.process =
          Printable(absl::StrCat(std::string(rows->Text(6)), "[", rows->Number(4), "]"));
      known.machine = Printable(rows->Text(2));
      known.follows = Printable(rows->Text(13), 1000);
      known.opened = rows->Number(7);
      known.closed = rows->Number(8);
      known.chained = !rows->IsNull(10);
      if (!rows->IsNull(8)) writer.closed = rows->Number(8);
      if (!rows->IsNull(9)) writer.last_seq = rows->Number(9);
      if (!rows->IsNull(11)) writer.closed_hash = std::string(rows->Blob(11));
      writer.opened_hash = std::string(rows->Blob(10));
      writer.head = writer.opened_hash;
      if (rows->Number(12) == 0) findings_.Add(Kind::kChanged, id, 0, "its row is malformed");
      if (known.chained) {
        Opening opening;
        opening.id = id;
        opening.uuid = writer.uuid;
        opening.opened = known.opened;
        opening.pid = rows->Number(4);
        opening.started = rows->Number(5);
        opening.host = rows->Text(2);
        opening.boot = rows->Text(3);
        opening.process = rows->Text(6);
        opening.follows = rows->Text(13);
        if (View(HashOfOpening(opening, previous)) != std::string_view(writer.opened_hash)) {
          findings_.Add(Kind::kChanged, id, 0, "its row does not match the hash of its opening");
        }
        any_chained_ = true;
      } else if (any_chained_) {
        findings_.Add(Kind::kChanged, id, 0, "has no chain, though an older writer has");
      }
      previous = writer.opened_hash;
      return absl::OkStatus();
    });
  }

  // What a pruning that is as it was written says is gone, is. Of any other one records are
  // missing.
  absl::Status ReadPrunings() {
    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_,
        "SELECT p.id, p.writer, w.uuid, p.first_seq, p.last_seq, p.min_time, p.max_time, "
        "p.last_hash, p.time, p.uid, p.reason, p.hash, p.key, p.signature, "
        "typeof(first_seq) = 'integer' AND typeof(p.last_seq) = 'integer' AND "
        "typeof(min_time) = 'integer' AND typeof(max_time) = 'integer' AND "
        "typeof(last_hash) = 'blob' AND typeof(time) = 'integer' AND typeof(p.uid) = 'integer' AND "
        "typeof(reason) = 'text' AND typeof(hash) = 'blob' AND "
        "(typeof(key), typeof(signature)) IN (VALUES('blob', 'blob'), ('null', 'null')) "
        "FROM prunings p LEFT JOIN writers w ON w.id = p.writer ORDER BY p.id");
    if (!rows.ok()) return rows.status();
    std::string previous;
    int64_t next_id = 1;
    return ForEachRow(*rows, [&] {
      Pruning pruning;
      pruning.id = rows->Number(0);
      pruning.uuid = rows->Blob(2);
      pruning.first_seq = rows->Number(3);
      pruning.last_seq = rows->Number(4);
      pruning.min_time = rows->Number(5);
      pruning.max_time = rows->Number(6);
      pruning.last_hash = rows->Blob(7);
      pruning.time = rows->Number(8);
      pruning.uid = rows->Number(9);
      pruning.reason = rows->Text(10);
      const std::string hash(rows->Blob(11));
      const int64_t id = rows->Number(1);
      const auto found = writers_.find(id);
      Writer* const writer = found == writers_.end() ? nullptr : &found->second;

      Checkpoint signature;
      signature.kind = Checkpoint::Kind::kPruning;
      signature.uuid = std::string(pruning.uuid);
      signature.seq = pruning.id;
      signature.time = pruning.time;
      signature.hash = hash;
      signature.key = std::string(rows->Blob(12));
      signature.signature = std::string(rows->Blob(13));
      const bool is_signed = !rows->IsNull(12);

      std::string_view wrong;
      if (pruning.id != next_id) {
        wrong = "does not follow the one before";
      } else if (writer == nullptr) {
        wrong = "is of a writer that is not here";
      } else if (rows->Number(14) == 0 ||
                 View(HashOfPruning(pruning, previous)) != std::string_view(hash)) {
        wrong = "hash does not match";
      } else if (is_signed && !HasValidSignature(signature)) {
        wrong = "has a wrong signature";
      } else if (!IsTrusted(signature.key)) {
        wrong = is_signed ? "is signed by another key" : "is not signed";
      } else if (!writer->doubts_prunings &&
                 (pruning.first_seq != writer->next_seq || pruning.last_seq < pruning.first_seq)) {
        wrong = "does not begin with the first record that was there";
      }
      next_id = pruning.id + 1;
      previous = hash;
      prunings_.emplace(pruning.id, hash);
      if (!wrong.empty()) {
        findings_.Add(Kind::kPruning, writer == nullptr ? 0 : id, 0,
                      absl::StrCat("pruning ", pruning.id, ": ",
                                   absl::string_view(wrong.data(), wrong.size())));
        if (writer != nullptr) writer->doubts_prunings = true;
      }
      if (writer == nullptr || writer->doubts_prunings) return absl::OkStatus();
      writer->next_seq = pruning.last_seq + 1;
      writer->head = std::string(pruning.last_hash);
      writer->pruned.emplace_back(pruning.last_seq, writer->head);
      writer->known.pruned = writer->known.last_seq = pruning.last_seq;
      Report(id, pruning, is_signed);
      return absl::OkStatus();
    });
  }

  bool IsTrusted(const std::string& key) const {
    const std::vector<std::string>& keys = options_.keys;
    return keys.empty() || std::find(keys.begin(), keys.end(), key) != keys.end();
  }

  // One run of Prune() leaves many prunings, all of one time.
  void Report(int64_t writer, const Pruning& pruning, bool is_signed) {
    report_.pruned_records += pruning.last_seq - pruning.first_seq + 1;
    AuditPruning row = {
        writer,           pruning.first_seq, pruning.last_seq, pruning.min_time,
        pruning.max_time, pruning.time,      pruning.uid,      Printable(pruning.reason, 1000),
        is_signed};
    std::vector<AuditPruning>& all = report_.prunings;
    const auto before = std::find_if(all.rbegin(), all.rend(), [&](const AuditPruning& other) {
      return other.writer == writer || other.time != row.time;
    });
    if (before != all.rend() && before->writer == writer && before->time == row.time &&
        before->uid == row.uid && before->reason == row.reason && before->is_signed == is_signed) {
      before->last = row.last;
      before->min_time = std::min(before->min_time, row.min_time);
      before->max_time = std::max(before->max_time, row.max_time);
    } else {
      all.push_back(std::move(row));
    }
  }

  void ComparePruning(const PlacedCheckpoint& placed) {
    const auto found = prunings_.find(placed.checkpoint.seq);
    const auto writer = by_uuid_.find(placed.checkpoint.uuid);
    if (found != prunings_.end() && found->second == placed.checkpoint.hash) {
      ++report_.checkpoints_beside;
      return;
    }
    findings_.Add(
        Kind::kPruning, writer == by_uuid_.end() ? 0 : writer->second, 0,
        absl::StrCat("pruning ", placed.checkpoint.seq,
                     found == prunings_.end() ? " is missing, which " : " differs from what ",
                     placed.place, found == prunings_.end() ? " has seen" : " says"));
  }

  static std::string Uuid(std::string_view bytes) {
    std::string hex = absl::BytesToHexString({bytes.data(), bytes.size()});
    if (hex.size() == 32) {
      for (size_t dash : {20, 16, 12, 8}) hex.insert(dash, 1, '-');
    }
    return hex;
  }

  void Place(PlacedCheckpoint placed) {
    const auto report = [&](int64_t writer, std::string_view what) {
      findings_.Add(Kind::kCheckpoint, writer, 0,
                    absl::StrCat(placed.place, " ", absl::string_view(what.data(), what.size())));
    };
    const auto writer = by_uuid_.find(placed.checkpoint.uuid);
    const int64_t id = writer == by_uuid_.end() ? 0 : writer->second;
    if (placed.checkpoint.uuid.empty()) return report(0, "is of a writer that is not here");
    if (!HasValidSignature(placed.checkpoint)) return report(id, "has a wrong signature");
    if (!IsTrusted(placed.checkpoint.key)) return report(id, "is signed by another key");
    if (placed.checkpoint.kind == Checkpoint::Kind::kPruning) {
      pruning_checkpoints_.push_back(std::move(placed));
      return;
    }
    if (id == 0) {
      return report(
          0, absl::StrCat("is of a writer that is not here, ", Uuid(placed.checkpoint.uuid)));
    }
    writers_[id].checkpoints.push_back(std::move(placed));
  }

  absl::Status ReadCheckpoints() {
    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_,
        "SELECT c.id, c.writer, w.uuid, c.seq, c.time, c.hash, c.key, c.signature "
        "FROM checkpoints c LEFT JOIN writers w ON w.id = c.writer ORDER BY c.id");
    if (!rows.ok()) return rows.status();
    int64_t next_id = 1;
    return ForEachRow(*rows, [&] {
      const int64_t id = rows->Number(0);
      if (id > next_id) {
        findings_.Add(Kind::kCheckpoint, 0, 0,
                      id == next_id + 1
                          ? absl::StrCat("checkpoint ", next_id, " is missing")
                          : absl::StrCat("checkpoints ", next_id, " to ", id - 1, " are missing"));
      }
      next_id = id + 1;
      PlacedCheckpoint placed = {{}, absl::StrCat("checkpoint ", id), false};
      placed.checkpoint.uuid = std::string(rows->Blob(2));
      placed.checkpoint.seq = rows->Number(3);
      placed.checkpoint.time = rows->Number(4);
      placed.checkpoint.hash = std::string(rows->Blob(5));
      placed.checkpoint.key = std::string(rows->Blob(6));
      placed.checkpoint.signature = std::string(rows->Blob(7));
      Place(std::move(placed));
      return absl::OkStatus();
    });
  }

  absl::Status ReadCheckpointFile() {
    if (options_.checkpoint_file.empty()) return absl::OkStatus();
    const std::string name = Printable(options_.checkpoint_file, 1000);
    std::ifstream file(options_.checkpoint_file);
    if (!file) {
      return absl::NotFoundError(absl::StrCat(name, ": cannot read the file for checkpoints"));
    }
    std::string line;
    for (int64_t number = 1; std::getline(file, line); ++number) {
      std::string place = absl::StrCat("checkpoint in ", name, ", line ", number, ",");
      absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(line);
      if (!checkpoint.ok()) {
        findings_.Add(Kind::kCheckpoint, 0, 0, absl::StrCat(place, " is malformed"));
        continue;
      }
      Place({*std::move(checkpoint), std::move(place), true});
    }
    return absl::OkStatus();
  }

  absl::Status WalkSegments() {
    for (auto& [id, writer] : writers_) {
      std::sort(writer.checkpoints.begin(), writer.checkpoints.end(),
                [](const PlacedCheckpoint& a, const PlacedCheckpoint& b) {
                  return a.checkpoint.seq < b.checkpoint.seq;
                });
      CompareCheckpoints(writer, 0, writer.opened_hash);
      for (const auto& [last_seq, last_hash] : writer.pruned) {
        CompareCheckpoints(writer, last_seq, last_hash, /*pruned=*/true);
      }
    }
    absl::StatusOr<int64_t> total = database_.Number("SELECT count(*) FROM segments");
    if (!total.ok()) return total.status();
    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_,
        "SELECT writer, first_seq, count, min_time, max_time, format, bytes, previous, hash, "
        "typeof(first_seq) = 'integer' AND typeof(count) = 'integer' AND "
        "typeof(min_time) = 'integer' AND typeof(max_time) = 'integer' AND "
        "typeof(format) = 'integer' AND typeof(bytes) = 'blob' "
        "FROM segments ORDER BY writer, first_seq");
    if (!rows.ok()) return rows.status();
    const auto progress = [&] {
      const bool goes_on =
          options_.progress == nullptr || options_.progress(report_.segments, *total);
      return goes_on ? absl::OkStatus() : absl::CancelledError("the verification was cancelled");
    };
    absl::Status status = ForEachRow(*rows, [&]() -> absl::Status {
      const int64_t id = rows->Number(0);
      const SegmentRow segment = {rows->Number(1), rows->Number(2), rows->Number(3),
                                  rows->Number(4), rows->Blob(6)};
      report_.bytes += static_cast<int64_t>(segment.bytes.size());
      report_.records += segment.count;
      if (++report_.segments % kProgressSegments == 0) {
        if (absl::Status status = progress(); !status.ok()) return status;
      }
      const auto writer = writers_.find(id);
      if (writer == writers_.end()) {
        findings_.Add(Kind::kChanged, id, segment.first_seq, "its writer is not in the file");
        return absl::OkStatus();
      }
      Walk(writer->second, segment, *rows);
      return absl::OkStatus();
    });
    return status.ok() ? progress() : status;
  }

  // `row` has the columns of the statement above.
  void Walk(Writer& writer, const SegmentRow& segment, const Statement& row) {
    AuditWriter& known = writer.known;
    const int64_t first = segment.first_seq, last = first + segment.count - 1;
    const bool follows = first == writer.next_seq && segment.count > 0;
    if (first > writer.next_seq) {
      findings_.Add(Kind::kMissing, known.id, writer.next_seq,
                    absl::StrCat(Records(writer.next_seq, first - 1), " missing"));
    } else if (first <= known.pruned) {
      findings_.Add(Kind::kPruning, known.id, first,
                    "is there, though a pruning says that it is gone");
    } else if (!follows) {
      findings_.Add(Kind::kChanged, known.id, first, "stands where another one is");
    }

    bool intact = row.Number(9) != 0 && !segment.bytes.empty() &&
                  row.Number(5) == static_cast<uint8_t>(segment.bytes[0]);
    std::string hash(row.Blob(8));
    if (known.chained) {
      const std::string_view previous = row.Blob(7);
      intact = intact && View(HashOfSegment(writer.uuid, segment, previous)) == row.Blob(8);
      if (!intact) {
        // One finding for those that stand together.
        if (!writer.doubtful) {
          findings_.Add(Kind::kChanged, known.id, first, "hash does not match");
        }
      } else if (follows && previous != std::string_view(writer.head) && !writer.doubtful) {
        // Which of the two was written anew cannot be told.
        DropLast(writer);
        if (writer.last_first == 0 && known.pruned > 0) {
          findings_.Add(Kind::kPruning, known.id, first,
                        "was written after another record than the last one that was pruned");
        } else {
          findings_.Add(Kind::kChanged, known.id, std::max<int64_t>(writer.last_first, 1),
                        absl::StrCat("is not what record ", first, " was written after"));
        }
      }
    } else {
      report_.unchained_records += segment.count;
      intact = intact && IsWhole(segment) && row.IsNull(7) && row.IsNull(8);
      if (!intact) findings_.Add(Kind::kChanged, known.id, first, "the segment is damaged");
    }
    writer.doubtful = !intact;
    writer.last_first = first;
    writer.head = std::move(hash);
    writer.next_seq = std::max(writer.next_seq, last + 1);
    known.last_seq = std::max(known.last_seq, last);
    if (intact && first <= last) {
      if (!known.intact.empty() && known.intact.back().last + 1 == first) {
        known.intact.back().last = last;
      } else {
        known.intact.push_back({first, last});
      }
    }
    CompareCheckpoints(writer, last, writer.head);
  }

  // The segment that was walked last is not to be relied on.
  static void DropLast(Writer& writer) {
    std::vector<AuditRange>& intact = writer.known.intact;
    if (intact.empty() || intact.back().last < writer.last_first) return;
    intact.back().last = writer.last_first - 1;
    if (intact.back().last < intact.back().first) intact.pop_back();
  }

  // Without a hash: whether the bytes are a segment, and what the row says.
  static bool IsWhole(const SegmentRow& row) {
    const absl::StatusOr<Segment> segment = DecodeSegment(row.bytes);
    if (!segment.ok() || static_cast<int64_t>(segment->records.size()) != row.count) return false;
    int64_t min = segment->records[0].head.micros(), max = min;
    for (const Segment::Record& record : segment->records) {
      min = std::min(min, record.head.micros());
      max = std::max(max, record.head.micros());
    }
    return min == row.min_time && max == row.max_time;
  }

  // Compares the checkpoints up to `seq` with the `hash` that stands there. What stood between this
  // and the one before may have been pruned.
  void CompareCheckpoints(Writer& writer, int64_t seq, std::string_view hash, bool pruned = false) {
    while (writer.next_checkpoint < writer.checkpoints.size()) {
      const PlacedCheckpoint& placed = writer.checkpoints[writer.next_checkpoint];
      if (placed.checkpoint.seq > seq) return;
      ++writer.next_checkpoint;
      const bool at_end = writer.closed_hash.has_value() && writer.last_seq == seq &&
                          placed.checkpoint.hash == *writer.closed_hash;
      if (placed.checkpoint.seq == seq && (placed.checkpoint.hash == hash || at_end)) {
        ++(placed.beside ? report_.checkpoints_beside : report_.checkpoints);
      } else if (pruned && placed.checkpoint.seq < seq) {
        ++report_.checkpoints_pruned;
      } else {
        findings_.Add(Kind::kCheckpoint, writer.known.id, placed.checkpoint.seq,
                      absl::StrCat("differs from what ", placed.place, " says"));
      }
    }
  }

  // After all segments of a writer.
  void Finish(Writer& writer) {
    const AuditWriter& known = writer.known;
    const int64_t last = writer.next_seq - 1;
    if (writer.last_seq.has_value() && *writer.last_seq > last) {
      findings_.Add(Kind::kMissing, known.id, last + 1,
                    absl::StrCat(Records(last + 1, *writer.last_seq), " missing"));
    } else if (writer.last_seq.has_value() && *writer.last_seq < last) {
      findings_.Add(Kind::kChanged, known.id, *writer.last_seq + 1,
                    "was added after the writer had closed");
    }
    if (known.chained && writer.closed.has_value()) {
      // After a missing or changed end it cannot match; that is said already.
      const bool whole = writer.last_seq == last && !writer.doubtful;
      const Hash hash =
          HashOfClosing(writer.uuid, writer.last_seq.value_or(0), *writer.closed, writer.head);
      if (whole && View(hash) != std::string_view(writer.closed_hash.value_or(""))) {
        DropLast(writer);
        findings_.Add(Kind::kChanged, known.id, 0,
                      "its end does not match the hash of its closing");
      }
    }
    if (writer.next_checkpoint < writer.checkpoints.size()) {
      // The last one says the most.
      const PlacedCheckpoint& placed = writer.checkpoints.back();
      findings_.Add(Kind::kMissing, known.id, last + 1,
                    absl::StrCat(Records(last + 1, placed.checkpoint.seq), " missing, which ",
                                 placed.place, " has seen"));
    }
  }

  Database& database_;
  const AuditVerifier::Options& options_;
  Findings& findings_;
  AuditReport& report_;
  std::map<int64_t, Writer> writers_;
  std::map<std::string, int64_t> by_uuid_;
  std::map<int64_t, std::string> prunings_;            // their hashes
  std::vector<PlacedCheckpoint> pruning_checkpoints_;  // from the file for checkpoints
  bool any_chained_ = false;
};

// Makes the rows once more, in memory, and compares.
class RowComparer {
 public:
  RowComparer(Database& database, Findings& findings, AuditReport* report)
      : database_(database), findings_(findings), report_(*report) {}

  absl::Status Run() {
    absl::StatusOr<std::unique_ptr<Database>> scratch = Database::Open(
        "file:rows?mode=memory", "rows",
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX);
    if (!scratch.ok()) return scratch.status();
    scratch_ = *std::move(scratch);
    if (absl::Status status = Migrate(*scratch_); !status.ok()) return status;
    absl::StatusOr<bool> same = HasSameSchema();
    if (!same.ok() || !*same) return same.status();
    if (absl::Status status = Prepare(); !status.ok()) return status;

    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_, absl::StrCat("SELECT writer, seq, number, unix_us, ",
                                absl::StrJoin(columns_, ", "), " FROM decisions ORDER BY number"));
    if (!rows.ok()) return rows.status();
    absl::Status status = ForEachRow(*rows, [&] { return Compare(*rows); });
    if (!status.ok()) return status;
    for (auto& [id, writer] : writers_) {
      // What is left over has no row.
      while (true) {
        if (status = Load(id, writer); !status.ok()) return status;
        if (writer.expected.empty()) break;
        Missing(id, writer.next_seq, writer.next_seq + writer.expected.size() - 1);
        writer.next_seq += writer.expected.size();
        writer.expected.clear();
      }
    }
    if (status = CompareLists(); !status.ok()) return status;
    if (status = CheckMarks(); !status.ok()) return status;
    if (status = CompareHours(); !status.ok()) return status;
    return CheckPages();
  }

 private:
  struct Expected {
    std::vector<std::string> columns;
    std::vector<std::string> names;  // in lists: kind and name
  };
  struct Writer {
    int64_t next_seq = 1;   // of the first of `expected`
    int64_t loaded_to = 1;  // where the next segment begins at the earliest
    std::deque<Expected> expected;
    bool skips = false;  // records before next_seq cannot be compared
  };

  absl::StatusOr<bool> HasSameSchema() {
    constexpr char kSchema[] =
        "SELECT name, type || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema";
    std::map<std::string, std::string> schemas[2];
    Database* const databases[2] = {scratch_.get(), &database_};
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<Statement> rows = Statement::Prepare(*databases[i], kSchema);
      if (!rows.ok()) return rows.status();
      absl::Status status = ForEachRow(*rows, [&] {
        schemas[i].emplace(rows->Text(0), rows->Text(1));
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
    if (schemas[0] == schemas[1]) return true;
    for (int i = 0; i < 2; ++i) {
      for (const auto& [name, sql] : schemas[i]) {
        const auto other = schemas[1 - i].find(name);
        if (other != schemas[1 - i].end() && (i == 1 || other->second == sql)) continue;
        findings_.Add(
            Kind::kRow, 0, 0,
            absl::StrCat("`", Printable(name), "` of the schema ",
                         other == schemas[1 - i].end() ? (i == 0 ? "is missing" : "was put in")
                                                       : "was changed"));
      }
    }
    return false;
  }

  absl::Status Prepare() {
    absl::StatusOr<Statement> names =
        Statement::Prepare(*scratch_,
                           "SELECT name FROM pragma_table_info('decisions') "
                           "WHERE name NOT IN ('writer', 'seq', 'number')");
    if (!names.ok()) return names.status();
    absl::Status status = ForEachRow(*names, [&] {
      columns_.emplace_back(absl::StrCat("\"", std::string(names->Text(0)), "\""));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;

    absl::StatusOr<Statement> writers = Statement::Prepare(
        database_,
        "SELECT id, uuid, host, boot, pid, started, process, opened FROM writers ORDER BY id");
    if (!writers.ok()) return writers.status();
    absl::StatusOr<Statement> add = Statement::Prepare(
        *scratch_,
        "INSERT INTO writers(id, uuid, host, boot, pid, started, process, opened) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    if (!add.ok()) return add.status();
    status = ForEachRow(*writers, [&]() -> absl::Status {
      add->Bind(1, writers->Number(0));
      add->BindBlob(2, writers->Blob(1));
      add->BindText(3, writers->Text(2));
      add->BindText(4, writers->Text(3));
      add->Bind(5, writers->Number(4));
      add->Bind(6, writers->Number(5));
      add->BindText(7, writers->Text(6));
      add->Bind(8, writers->Number(7));
      writers_[writers->Number(0)];
      return add->Finish();
    });
    if (!status.ok()) return status;
    for (const AuditWriter& known : report_.writers) {
      Writer& writer = writers_[known.id];
      writer.next_seq = writer.loaded_to = known.pruned + 1;
    }

    const struct {
      Database& database;
      Statement& statement;
      std::string sql;
    } statements[] = {
        {database_, next_segment_,
         "SELECT s.first_seq, s.bytes FROM unfolded u JOIN segments s ON s.writer = u.writer "
         "WHERE u.writer = ? AND s.first_seq >= ? AND s.first_seq < u.next_seq "
         "ORDER BY s.first_seq LIMIT 1"},
        {database_, span_lists_,
         "SELECT l.kind || ' ' || coalesce(n.name, ''), l.first, l.offsets FROM lists l "
         "LEFT JOIN names n ON n.id = l.name WHERE l.span = ? ORDER BY l.kind, l.name, l.first"},
        {database_, span_,
         "SELECT 1 FROM spans WHERE span = ?1 AND min_time = ?2 AND max_time = ?3 AND "
         "disorder = ?4"},
        {*scratch_, made_rows_,
         absl::StrCat("SELECT ", absl::StrJoin(columns_, ", "), " FROM decisions ORDER BY number")},
        {*scratch_, made_names_,
         "SELECT r.seq, l.kind || ' ' || n.name FROM lists l JOIN names n ON n.id = l.name "
         "JOIN json_each('[' || l.offsets || ']') o "
         "JOIN records r ON r.number = (l.span << 16) + o.value"},
    };
    for (const auto& row : statements) {
      absl::StatusOr<Statement> statement = Statement::Prepare(row.database, row.sql);
      if (!statement.ok()) return statement.status();
      row.statement = *std::move(statement);
    }
    absl::StatusOr<std::unique_ptr<Unfolder>> unfolder = Unfolder::Create(*scratch_);
    if (!unfolder.ok()) return unfolder.status();
    unfolder_ = *std::move(unfolder);
    return absl::OkStatus();
  }

  // Sees to it that `writer` has expected rows, if it has more segments.
  absl::Status Load(int64_t id, Writer& writer) {
    while (writer.expected.empty()) {
      next_segment_.Bind(1, id);
      next_segment_.Bind(2, writer.loaded_to);
      absl::StatusOr<bool> found = next_segment_.Step();
      if (!found.ok()) return found.status();
      if (!*found) {
        next_segment_.Reset();
        return absl::OkStatus();
      }
      const int64_t first = next_segment_.Number(0);
      const std::string bytes(next_segment_.Blob(1));
      next_segment_.Reset();
      writer.loaded_to = first + 1;
      // What does not decode has been found already, and cannot be compared.
      absl::StatusOr<Segment> segment = DecodeSegment(bytes);
      if (!segment.ok() || first < writer.next_seq) {
        writer.skips = true;
        continue;
      }
      writer.skips = writer.skips || first > writer.next_seq;
      writer.next_seq = first;
      writer.loaded_to = first + static_cast<int64_t>(segment->records.size());
      if (absl::Status status = Make(id, *segment, writer); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Make(int64_t id, const Segment& segment, Writer& writer) {
    absl::Status status =
        scratch_->Run("BEGIN; DELETE FROM lists; DELETE FROM spans; DELETE FROM records");
    if (status.ok()) status = unfolder_->Unfold(id, writer.next_seq, segment);
    if (status.ok()) status = unfolder_->Finish();
    if (!status.ok()) return status;
    status = ForEachRow(made_rows_, [&] {
      writer.expected.push_back({TextsOf(made_rows_, 0), {}});
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    status = ForEachRow(made_names_, [&] {
      const int64_t at = made_names_.Number(0) - writer.next_seq;
      writer.expected[at].names.emplace_back(made_names_.Text(1));
      return absl::OkStatus();
    });
    return status.ok() ? scratch_->Run("COMMIT") : status;
  }

  std::vector<std::string> TextsOf(const Statement& row, int first_column) const {
    std::vector<std::string> texts;
    texts.reserve(columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      const int column = first_column + static_cast<int>(i);
      texts.push_back(row.IsNull(column) ? "NULL"
                                         : absl::StrCat("=", std::string(row.Text(column))));
    }
    return texts;
  }

  void Missing(int64_t writer, int64_t first, int64_t last) {
    findings_.Add(Kind::kRow, writer, first,
                  first == last ? std::string("has no row")
                                : absl::StrCat("has no row, nor have those up to ", last));
  }

  absl::Status Compare(const Statement& row) {
    const int64_t id = row.Number(0), seq = row.Number(1), number = row.Number(2);
    Writer& writer = writers_[id];
    while (true) {
      if (absl::Status status = Load(id, writer); !status.ok()) return status;
      if (writer.expected.empty() || seq <= writer.next_seq) break;
      // Those between have none.
      const int64_t end = writer.next_seq + static_cast<int64_t>(writer.expected.size());
      const int64_t to = std::min(seq, end);
      Missing(id, writer.next_seq, to - 1);
      writer.expected.erase(writer.expected.begin(),
                            writer.expected.begin() + (to - writer.next_seq));
      writer.next_seq = to;
    }
    if (writer.expected.empty() || seq < writer.next_seq) {
      if (!writer.skips) {
        findings_.Add(Kind::kRow, id, seq,
                      absl::StrCat("row ", number, " is of no record, or is the second one"));
      }
      return absl::OkStatus();
    }
    ++report_.rows;
    const Expected expected = std::move(writer.expected.front());
    writer.expected.pop_front();
    ++writer.next_seq;
    const std::vector<std::string> found = TextsOf(row, 4);
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (found[i] == expected.columns[i]) continue;
      findings_.Add(Kind::kRow, id, seq,
                    absl::StrCat("row ", number, " differs from the segment in ", columns_[i]));
      break;
    }
    if (SpanOf(number) != compared_span_) {
      if (absl::Status status = CompareLists(); !status.ok()) return status;
      compared_span_ = SpanOf(number);
    }
    for (const std::string& name : expected.names) expected_lists_[name].push_back(number);
    span_numbers_.insert(number);
    const int64_t time = row.Number(3);
    min_time_ = std::min(min_time_, time);
    max_time_ = std::max(max_time_, time);
    disorder_ = std::max(disorder_, max_time_ - time);
    return absl::OkStatus();
  }

  // Those of the span whose rows were compared. What they say of records that are not there matters
  // to nobody.
  absl::Status CompareLists() {
    if (compared_span_ < 0) return absl::OkStatus();
    std::map<std::string, std::vector<int64_t>> found;
    bool fit = true;
    span_lists_.Bind(1, compared_span_);
    absl::Status status = ForEachRow(span_lists_, [&] {
      std::vector<int64_t> numbers;
      fit = fit && ReadOffsets(compared_span_, span_lists_.Text(2), &numbers) &&
            numbers[0] == (compared_span_ << kSpanBits) + span_lists_.Number(1);
      std::vector<int64_t>& list = found[std::string(span_lists_.Text(0))];
      std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(list),
                   [&](int64_t number) { return span_numbers_.count(number) != 0; });
      if (list.empty()) found.erase(std::string(span_lists_.Text(0)));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    if (!fit || found != expected_lists_) {
      findings_.Add(Kind::kRow, 0, 0,
                    absl::StrCat("`lists` differs from the rows in span ", compared_span_));
    }
    span_.Bind(1, compared_span_);
    span_.Bind(2, min_time_);
    span_.Bind(3, max_time_);
    span_.Bind(4, disorder_);
    absl::StatusOr<bool> fits = span_.Step();
    span_.Reset();
    if (!fits.ok()) return fits.status();
    if (!*fits) {
      findings_.Add(Kind::kRow, 0, 0,
                    absl::StrCat("`spans` differs from the rows in span ", compared_span_));
    }
    expected_lists_.clear();
    span_numbers_.clear();
    min_time_ = std::numeric_limits<int64_t>::max();
    max_time_ = std::numeric_limits<int64_t>::min();
    disorder_ = 0;
    return absl::OkStatus();
  }

  // Up to where rows are said to be there: what is beyond all records would never get any.
  absl::Status CheckMarks() {
    absl::StatusOr<int64_t> next_is_free = database_.Number(
        "SELECT next_number > (SELECT coalesce(max(number), 0) FROM records) FROM unfolding");
    if (!next_is_free.ok() && !absl::IsNotFound(next_is_free.status())) {
      return next_is_free.status();
    }
    if (next_is_free.value_or(0) == 0) {
      findings_.Add(Kind::kRow, 0, 0, "`unfolding` says that the next row is one that is there");
    }
    absl::StatusOr<Statement> rows = Statement::Prepare(
        database_,
        "SELECT u.writer, u.next_seq FROM unfolded u LEFT JOIN writers w ON w.id = u.writer "
        "WHERE w.id IS NULL OR typeof(u.next_seq) <> 'integer' OR u.next_seq > max("
        "coalesce((SELECT max(first_seq + count) FROM segments WHERE writer = u.writer), 1), "
        "coalesce((SELECT max(last_seq) + 1 FROM prunings WHERE writer = u.writer), 1))");
    if (!rows.ok()) return rows.status();
    return ForEachRow(*rows, [&] {
      findings_.Add(Kind::kRow, rows->Number(0), 0,
                    "`unfolded` says that there are rows of records that are not there");
      return absl::OkStatus();
    });
  }

  // The counts, which the scratch database has of all segments that were walked.
  absl::Status CompareHours() {
    constexpr char kHours[] =
        "SELECT h.hour || ' ' || h.reason || ' ' || h.rule_name, h.count FROM (SELECT hour, "
        "reason, "
        "count, iif(rule = 0, '', coalesce((SELECT 'of ' || name FROM names WHERE id = rule), "
        "'of nobody')) AS rule_name FROM hours) h";
    std::map<std::string, int64_t> counts[2];
    Database* const databases[2] = {scratch_.get(), &database_};
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<Statement> rows = Statement::Prepare(*databases[i], kHours);
      if (!rows.ok()) return rows.status();
      absl::Status status = ForEachRow(*rows, [&] {
        counts[i][std::string(rows->Text(0))] += rows->Number(1);
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
    if (counts[0] != counts[1]) {
      findings_.Add(Kind::kRow, 0, 0, "the counts of `hours` differ from what the segments say");
    }
    return absl::OkStatus();
  }

  // Among other things, that indexes say what tables do.
  absl::Status CheckPages() {
    absl::StatusOr<Statement> rows = Statement::Prepare(database_, "PRAGMA integrity_check(10)");
    if (!rows.ok()) return rows.status();
    return ForEachRow(*rows, [&] {
      if (rows->Text(0) != "ok") {
        findings_.Add(Kind::kRow, 0, 0,
                      absl::StrCat("the pages are damaged: ", Printable(rows->Text(0), 200)));
      }
      return absl::OkStatus();
    });
  }

  Database& database_;
  Findings& findings_;
  AuditReport& report_;
  std::unique_ptr<Database> scratch_;
  std::unique_ptr<Unfolder> unfolder_;
  std::vector<std::string> columns_;  // of the view, quoted
  Statement next_segment_, span_lists_, span_, made_rows_, made_names_;
  std::map<int64_t, Writer> writers_;
  // Of the span that is compared; -1: none is yet.
  int64_t compared_span_ = -1;
  std::map<std::string, std::vector<int64_t>> expected_lists_;
  std::set<int64_t> span_numbers_;
  int64_t min_time_ = std::numeric_limits<int64_t>::max();
  int64_t max_time_ = std::numeric_limits<int64_t>::min();
  int64_t disorder_ = 0;
};

}  // namespace

absl::StatusOr<AuditReport> AuditVerifier::Verify(const std::string& path, const Options& options) {
  for (const std::string& key : options.keys) {
    if (key.size() != kPublicKeyBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a public key has ", key.size(), " bytes; give it ", kPublicKeyBytes));
    }
  }
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
  AuditReport report;
  Findings findings((*database)->name(), options.max_findings, &report);
  if (absl::Status status = (*database)->Run("BEGIN"); !status.ok()) return status;
  absl::Status status = ChainWalker(**database, options, findings, &report).Run();
  if (status.ok() && options.rows) status = RowComparer(**database, findings, &report).Run();
  if (!status.ok()) return status;
  findings.SayWhatIsIntact();
  return report;
}

absl::StatusOr<std::string> AuditVerifier::PublicKey(std::string_view seed) {
  absl::StatusOr<std::unique_ptr<CheckpointKey>> key = CheckpointKey::FromSeed(seed);
  if (!key.ok()) return key.status();
  return (*key)->public_key();
}

}  // namespace reeve
