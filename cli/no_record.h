#ifndef REEVE_CLI_NO_RECORD_H_
#define REEVE_CLI_NO_RECORD_H_

#include "reeve/engine/audit.h"

namespace reeve {

// For decisions that nobody acts on. Thread-safe: does nothing.
class NoRecord final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord&, AuditLevel) override { return absl::OkStatus(); }
};

}  // namespace reeve

#endif  // REEVE_CLI_NO_RECORD_H_
