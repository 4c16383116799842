#ifndef REEVE_STORE_AUDIT_FILTER_H_
#define REEVE_STORE_AUDIT_FILTER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/principal.h"

namespace reeve {

// Which records are meant. All conditions must hold; absent or empty means no condition. Texts are
// compared as bytes, whole unless said. A value.
struct AuditFilter {
  std::optional<absl::Time> since;  // at or after it
  std::optional<absl::Time> until;  // before it
  std::string principal;            // `type:id`
  std::string actor;                // `type:id`
  std::string action;
  std::string resource;         // `type:id`
  std::string resource_prefix;  // of `type:id`: `doc:/finance/`
  std::optional<bool> allowed;
  std::optional<Reason> reason;
  std::string rule;         // the id of a rule that determined the answer
  std::string shadow_rule;  // the id of a shadow rule that matched
  std::string policy;       // the digest of the policy set
  std::optional<Assurance> assurance;
  std::string via;
  std::string host;     // where the principal is
  std::string machine;  // where the record was written
  std::optional<int64_t> writer;
  bool with_error = false;  // something went wrong
  std::string error;        // a part of what went wrong
  std::optional<absl::Duration> min_latency;
  std::string id;  // the decision's: a UUID as text
};

}  // namespace reeve

#endif  // REEVE_STORE_AUDIT_FILTER_H_
