#ifndef REEVE_STORE_REPLAY_H_
#define REEVE_STORE_REPLAY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/value.h"

namespace reeve {

class Database;

// A rule as a record names it, with what its clauses came to.
struct ReplayedRule {
  struct Clause {
    ClauseOutcome outcome;
    std::string text;  // As in the policy; empty if it was left out.
  };
  std::string id;
  std::vector<Clause> clauses;
};

// What was asked and what was answered, as a record holds it: all but when. Many records share one.
struct RecordedDecision {
  // To be decided on again, at `time`. Points into this.
  Request RequestAt(absl::Time time) const;
  // Empty if `principal`, `resource` and so on are what was asked; else why they are not, in a
  // word: `masked` (a part was), `left_out` (a list or a map was malformed or too large), `escaped`
  // (a text was).
  std::string_view obstacle() const;

  // Tells it from all others of one AuditReplay: equal records may share it, different ones do not.
  uint64_t number = 0;
  Principal principal;
  std::string action;
  EntityId resource;
  std::vector<EntityId> resource_parents;
  Attributes resource_attributes;
  Attributes context;
  Reason reason = Reason::kNoPolicy;
  std::vector<ReplayedRule> rules;
  std::vector<ReplayedRule> near_misses;
  std::vector<ReplayedRule> shadow_rules;
  std::string message;
  std::vector<std::string> obligations;
  std::string error;
  std::string policy_digest;
  bool escaped = false;
  bool left_out = false;
  bool time_fixed = false;  // The request fixed the time that conditions saw.
  // What was masked, and how: {"context.ip", "hash"}.
  std::vector<std::pair<std::string, std::string>> masked;
  // False if an EntityProvider could not tell all of it.
  bool principal_complete = true;
  bool resource_complete = true;
};

// A record. A view, valid during the call that it is given to.
struct ReplayRecord {
  const RecordedDecision& decision;
  DecisionId id;
  absl::Time time;          // by the engine's clock
  absl::Time request_time;  // what conditions saw: the same, or as the request fixed it
  absl::Duration latency;
  AuditLevel level;
  int64_t writer;
  int64_t seq;
};

// Reads the records of an audit file back from its segments, exactly, while others write: what rows
// there are does not matter. One thread at a time.
class AuditReplay {
 public:
  struct Range {
    std::optional<absl::Time> since;  // at or after it
    std::optional<absl::Time> until;  // before it
  };
  // What could not be read.
  struct Damage {
    int64_t segments = 0;
    std::string first;  // One line, with the file.
  };
  // Returns false to end the work.
  using Visit = std::function<bool(const ReplayRecord&)>;

  // Errors are those of AuditReader::Open().
  static absl::StatusOr<std::unique_ptr<AuditReplay>> Open(const std::string& path);
  ~AuditReplay();
  AuditReplay(const AuditReplay&) = delete;
  AuditReplay& operator=(const AuditReplay&) = delete;

  // Calls `visit` for each record, the newest first as they were committed, and `progress`, unless
  // it is null, with how many of how many segments are done. Damaged segments are left out, and
  // counted. Errors of reading are those of AuditReader::Open().
  absl::Status ForEach(const Range& range, const Visit& visit,
                       const std::function<void(int64_t done, int64_t of)>& progress = nullptr);

  // Calls `visit` for each record whose id begins with `prefix`: of a UUID, in small letters and
  // with its dashes. InvalidArgument if that is none. Looks only where the time that stands in the
  // first twelve digits may be; with fewer digits through more of the file. Of a whole id one
  // record at most: by its row, if it has one already, whatever the size of the file.
  absl::Status Find(std::string_view prefix, const Visit& visit);

  const Damage& damage() const { return damage_; }

 private:
  class Cases;

  AuditReplay(std::string name, std::unique_ptr<Database> database);

  bool VisitSegment(int64_t writer, int64_t first_seq, std::string_view bytes, int64_t first_us,
                    int64_t last_us, const Visit& visit);
  absl::Status VisitByRow(int64_t first_us, int64_t last_us, const std::string& id,
                          const Visit& visit);
  absl::Status Walk(int64_t first_us, int64_t last_us, const Visit& visit,
                    const std::function<void(int64_t done, int64_t of)>& progress);

  const std::string name_;
  const std::unique_ptr<Database> database_;
  const std::unique_ptr<Cases> cases_;
  Damage damage_;
};

}  // namespace reeve

#endif  // REEVE_STORE_REPLAY_H_
