#ifndef REEVE_ENGINE_AUDIT_H_
#define REEVE_ENGINE_AUDIT_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace reeve {

class Decision;
struct Request;

// What an answer waits for. Ordered: a rule may raise the level of the engine, never lower it.
enum class AuditLevel : uint8_t {
  kOff = 0,       // no record
  kRecorded = 1,  // the record is queued, and on disk soon after
  kDurable = 2,   // the record is on disk: a crash takes nothing that was answered
};

// "off", "recorded", "durable".
std::string_view ToString(AuditLevel level);

// One decision on its way to the record. A view, valid during Append().
struct AuditRecord {
  const Request& request;
  const Decision& decision;
  absl::Duration latency;  // From the call to the decision, without the record.
};

// Keeps records. The engine calls it before it answers.
//
// Thread-safe: any thread may call Append() at any time.
class AuditSink {
 public:
  virtual ~AuditSink() = default;

  // Keeps `record` as `level`, which is not kOff, promises. On any error the decision denies
  // (Reason::kAuditFailed): there is no allow without a record. Runs on the thread that decides,
  // and may block it.
  virtual absl::Status Append(const AuditRecord& record, AuditLevel level) = 0;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_AUDIT_H_
