#include "reeve/adapters/authzen/decision_json.h"

#include <set>
#include <string_view>
#include <utility>

#include "nlohmann/json.hpp"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

Json Ids(Decision::Rules rules) {
  Json ids = Json::array();
  for (const RuleOutcome& rule : rules) ids.push_back(rule->id);
  return ids;
}

// What the caller must do, each thing once: rules may agree on it.
Json Obligations(Decision::Rules rules) {
  Json obligations = Json::array();
  std::set<std::string_view> seen;
  for (const RuleOutcome& rule : rules) {
    for (const Obligation& obligation : rule->obligations) {
      if (seen.insert(obligation.id).second) obligations.push_back({{"id", obligation.id}});
    }
  }
  return obligations;
}

}  // namespace

std::string ToJson(const Decision& decision) {
  Json errors = Json::array();
  if (!decision.error().empty()) errors.push_back(decision.error());

  Json context = {
      {"reason", ToString(decision.reason())}, {"rules", Ids(decision.rules())},
      {"message", decision.message()},         {"obligations", Obligations(decision.rules())},
      {"policy", decision.policy_digest()},    {"id", decision.id().ToString()},
      {"errors", std::move(errors)},
  };
  if (!decision.near_misses().empty()) context["near_misses"] = Ids(decision.near_misses());
  if (!decision.shadow_rules().empty()) context["shadow_rules"] = Ids(decision.shadow_rules());

  const Json answer = {{"decision", decision.allowed()}, {"context", std::move(context)}};
  constexpr int kOneLine = -1;
  return answer.dump(kOneLine, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace reeve
