#ifndef REEVE_ADAPTERS_AUTHZEN_EVALUATE_JSON_H_
#define REEVE_ADAPTERS_AUTHZEN_EVALUATE_JSON_H_

#include <string>
#include <string_view>

#include "reeve/engine/engine.h"

namespace reeve {

// What became of a JSON request. A default-constructed answer allows nothing.
struct JsonAnswer {
  // One line without its end: {"decision":…} or, for a batch, {"evaluations":[{"decision":…},…]}.
  std::string json;
  // Whether the request was allowed; of a batch, whether each one in `json` was, or with
  // BatchSemantic::kPermitOnFirstPermit whether one was.
  bool allowed = false;
  // Whether the request as a whole could not be judged (Reason::kBadRequest). A batch with a
  // malformed item can.
  bool malformed = false;
  // Whether a decision in `json` could not be recorded (Decision::record_failed()).
  bool record_failed = false;
};

// Decides the request, or each request of the batch in order, that `json` states. Never fails: what
// is malformed is denied and recorded like any other request. Values are read as the schema of the
// engine's policy set, if it has one, declares them. A batch ends early where its semantic says so;
// what comes after is not decided and not recorded.
JsonAnswer EvaluateJson(const Engine& engine, std::string_view json);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_AUTHZEN_EVALUATE_JSON_H_
