#include "reeve/adapters/authzen/decision_json.h"

#include <string>
#include <utility>

#include "nlohmann/json.hpp"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

Json Ids(Decision::Rules rules) {
  Json ids = Json::array();
  for (const RuleOutcome& rule : rules) ids.push_back(rule.id());
  return ids;
}

// What the caller must do.
Json Obligations(const Decision& decision) {
  Json obligations = Json::array();
  for (const MadeObligation& obligation : decision.obligations()) {
    obligations.push_back({{"id", obligation.id()}});
    for (size_t i = 0; i < obligation.size(); ++i) {
      obligations.back()["with"][std::string(obligation.name(i))] = obligation.value(i);
    }
  }
  return obligations;
}

// What a shadow set would have answered.
Json Shadow(const Decision& decision) {
  const Decision& shadow = *decision.shadow();
  return {{"decision", shadow.allowed()},
          {"reason", ToString(shadow.reason())},
          {"rules", Ids(shadow.rules())},
          {"policy", shadow.policy_digest()},
          {"differs", decision.shadow_differs()}};
}

}  // namespace

std::string ToJson(const Decision& decision) {
  Json errors = Json::array();
  if (!decision.error().empty()) errors.push_back(decision.error());

  Json context = {
      {"reason", ToString(decision.reason())}, {"rules", Ids(decision.rules())},
      {"message", decision.message()},         {"obligations", Obligations(decision)},
      {"policy", decision.policy_digest()},    {"id", decision.id().ToString()},
      {"errors", std::move(errors)},
  };
  if (!decision.near_misses().empty()) context["near_misses"] = Ids(decision.near_misses());
  if (!decision.shadow_rules().empty()) context["shadow_rules"] = Ids(decision.shadow_rules());

  if (decision.shadow() != nullptr) context["shadow"] = Shadow(decision);

  const Json answer = {{"decision", decision.allowed()}, {"context", std::move(context)}};
  constexpr int kOneLine = -1;
  return answer.dump(kOneLine, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace reeve
