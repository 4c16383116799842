#ifndef REEVE_STORE_STATISTICS_H_
#define REEVE_STORE_STATISTICS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/decision.h"
#include "reeve/store/audit_filter.h"

namespace reeve {

class Database;

struct StatisticsOptions {
  // The most entries in each list of AuditStatistics that says so.
  size_t top = 10;
  // What is wanted; the rest stays empty. Decisions, reasons, rules and hours come from
  // `decisions_by_hour` if the filter has times only: milliseconds, however many records there are.
  // All else reads each record that is meant, or each denial (`refused`).
  bool counts = true;
  bool refused = true;
  bool latency = true;
  bool shadow_rules = false;
};

// What records come to. A value.
struct AuditStatistics {
  // How often something was named in decisions that allowed and in others.
  struct Count {
    std::string name;
    int64_t allowed = 0;
    int64_t denied = 0;
  };
  struct ReasonCount {
    Reason reason;
    int64_t count = 0;
  };
  struct Hour {
    absl::Time begin;  // a whole hour, UTC
    int64_t allowed = 0;
    int64_t denied = 0;
  };
  // From the call to the decision. A percentile is the smallest latency that so many of all do not
  // exceed; from 8192 ns on it may be too large by one part in 4096.
  struct Latency {
    int64_t count = 0;
    absl::Duration min, p50, p90, p99, p999, max;
  };

  // options.counts
  int64_t allowed = 0;
  int64_t denied = 0;
  std::vector<ReasonCount> reasons;  // those that occur, the most frequent first
  std::vector<Count> rules;          // all that determined an answer, the most frequent first
  std::vector<Hour> hours;           // those with records, the oldest first
  // options.refused: who and what was refused most, at most `top` of each. `allowed` is 0.
  std::vector<Count> refused_principals;
  std::vector<Count> refused_actions;
  std::vector<Count> refused_resources;
  // options.latency
  Latency latency;
  // options.shadow_rules: all that would have matched, the most frequent first.
  std::vector<Count> shadow_rules;
};

// What AuditReader::Statistics() says, of the rows that there are.
absl::StatusOr<AuditStatistics> ComputeStatistics(Database& database, const AuditFilter& filter,
                                                  const StatisticsOptions& options);

// How many rows `filter` means.
absl::StatusOr<int64_t> CountRecords(Database& database, const AuditFilter& filter);

}  // namespace reeve

#endif  // REEVE_STORE_STATISTICS_H_
