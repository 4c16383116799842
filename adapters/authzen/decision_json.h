#ifndef REEVE_ADAPTERS_AUTHZEN_DECISION_JSON_H_
#define REEVE_ADAPTERS_AUTHZEN_DECISION_JSON_H_

#include <string>

#include "reeve/engine/decision.h"

namespace reeve {

// `decision` as an answer of AuthZEN's Access Evaluation API: one JSON object on one line, valid
// UTF-8, its members always in the same order. doc/authzen.md describes them. It holds what only
// the asking program may see; the person who was refused gets Decision::message().
std::string ToJson(const Decision& decision);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_AUTHZEN_DECISION_JSON_H_
