#include "reeve/adapters/authzen/evaluate_json.h"

#include <memory>

#include "reeve/adapters/authzen/decision_json.h"
#include "reeve/adapters/authzen/request_json.h"

namespace reeve {
namespace {

bool IsLast(BatchSemantic semantic, bool allowed) {
  switch (semantic) {
    case BatchSemantic::kExecuteAll:
      return false;
    case BatchSemantic::kDenyOnFirstDeny:
      return !allowed;
    case BatchSemantic::kPermitOnFirstPermit:
      return allowed;
  }
  return false;
}

}  // namespace

JsonAnswer EvaluateJson(const Engine& engine, std::string_view json) {
  const std::shared_ptr<const Snapshot> snapshot = engine.snapshot();
  const JsonBatch batch =
      JsonBatch::Parse(json, snapshot == nullptr ? nullptr : snapshot->schema());
  if (batch.single) {
    const Decision decision = engine.Decide(batch.requests[0].request());
    return {ToJson(decision), decision.allowed(), decision.reason() == Reason::kBadRequest,
            decision.record_failed()};
  }

  const bool any = batch.semantic == BatchSemantic::kPermitOnFirstPermit;
  JsonAnswer answer;
  answer.allowed = !any;
  for (const JsonRequest& request : batch.requests) {
    const Decision decision = engine.Decide(request.request());
    answer.json += answer.json.empty() ? R"({"evaluations":[)" : ",";
    answer.json += ToJson(decision);
    if (decision.allowed() == any) answer.allowed = any;
    if (decision.record_failed()) answer.record_failed = true;
    if (IsLast(batch.semantic, decision.allowed())) break;
  }
  answer.json += "]}";
  return answer;
}

}  // namespace reeve
