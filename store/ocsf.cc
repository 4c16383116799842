#include "reeve/store/ocsf.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

// JSON that the store wrote; null if it was not kept.
Json Parsed(const std::string& json) {
  return json.empty() ? Json() : Json::parse(json, nullptr, false);
}

// `type:id` to both.
std::pair<std::string, std::string> Split(const std::string& entity) {
  const size_t colon = entity.find(':');
  if (colon == std::string::npos) return {"", entity};
  return {entity.substr(0, colon), entity.substr(colon + 1)};
}

struct Activity {
  int id;
  std::string name;
};

// What an action says of itself by its last word; nothing is guessed.
Activity ActivityOf(const std::string& action) {
  const std::string_view word = std::string_view(action).substr(action.rfind('.') + 1);
  if (word == "create") return {1, "Create"};
  if (word == "read") return {2, "Read"};
  if (word == "update") return {3, "Update"};
  if (word == "delete") return {4, "Delete"};
  return {99, action.empty() ? "none" : action};
}

// Denials that a rule, or none, was to make are of low severity; that something could not be judged
// or kept is of medium.
int SeverityOf(const AuditRow& row) {
  constexpr int kInformational = 1, kLow = 2, kMedium = 3;
  if (row.decision == "allow") return kInformational;
  return row.reason == "deny_rule" || row.reason == "no_rule" ? kLow : kMedium;
}

Json UserOf(const AuditRow& row) {
  const auto [type, id] = Split(row.principal);
  Json user = {{"uid", row.principal}, {"name", id}, {"type_id", 99}, {"type", type}};
  if (const Json groups = Parsed(row.groups); groups.is_array() && !groups.empty()) {
    for (const Json& group : groups) user["groups"].push_back({{"name", group}});
  }
  return user;
}

}  // namespace

std::string ToOcsf(const AuditRow& row) {
  constexpr int kClass = 6003;
  const bool allowed = row.decision == "allow";
  const Activity activity = ActivityOf(row.action);
  const auto [resource_type, resource_id] = Split(row.resource);

  Json authorizations = Json::array();
  const char* const decision = allowed ? "allowed" : "denied";
  for (const Json& rule : Parsed(row.rules)) {
    authorizations.push_back(
        {{"decision", decision},
         {"policy", {{"name", rule}, {"uid", row.policy}, {"is_applied", true}}}});
  }
  if (authorizations.empty()) authorizations.push_back({{"decision", decision}});

  Json actor = {{"user", UserOf(row)}, {"authorizations", std::move(authorizations)}};
  if (!row.actor.empty()) actor["invoked_by"] = row.actor;

  const char* const host = row.host.empty() ? "unknown" : row.host.c_str();
  Json event = {
      {"activity_id", activity.id},
      {"activity_name", activity.name},
      {"category_uid", 6},
      {"category_name", "Application Activity"},
      {"class_uid", kClass},
      {"class_name", "API Activity"},
      {"type_uid", kClass * 100 + activity.id},
      {"type_name", "API Activity: " + (activity.id == 99 ? "Other" : activity.name)},
      {"time", row.unix_us / 1000 - (row.unix_us % 1000 < 0 ? 1 : 0)},
      {"severity_id", SeverityOf(row)},
      {"status_id", allowed ? 1 : 2},
      {"status", allowed ? "Success" : "Failure"},
      {"status_code", row.reason},
      {"actor", std::move(actor)},
      {"api", {{"operation", row.action.empty() ? "none" : row.action}}},
      {"resources",
       Json::array({{{"uid", row.resource}, {"name", resource_id}, {"type", resource_type}}})},
      {"src_endpoint", {{"name", host}}},
      {"metadata",
       {{"version", "1.3.0"},
        {"product", {{"name", "Reeve"}, {"vendor_name", "Reeve"}}},
        {"uid", row.id},
        {"original_time", row.time},
        {"log_name", "decisions"},
        {"log_provider", row.process},
        {"sequence", row.seq}}},
  };
  const std::string& detail = row.error.empty() ? row.message : row.error;
  if (!detail.empty()) event["status_detail"] = detail;
  event["unmapped"] = {
      {"machine", row.machine},
      {"writer", row.writer},
      {"cursor", AuditCursor(row).ToString()},
      {"principal_assurance", row.principal_assurance},
      {"via", row.via},
      {"evidence", row.evidence},
      {"groups_complete", row.groups_complete},
      {"principal_parents", Parsed(row.principal_parents)},
      {"principal_attributes", Parsed(row.principal_attributes)},
      {"resource_parents", Parsed(row.resource_parents)},
      {"resource_attributes", Parsed(row.resource_attributes)},
      {"context", Parsed(row.context)},
      {"near_misses", Parsed(row.near_misses)},
      {"shadow_rules", Parsed(row.shadow_rules)},
      {"clauses", Parsed(row.clauses)},
      {"obligations", Parsed(row.obligations)},
      {"policy", row.policy},
      {"audit_level", row.audit_level},
      {"latency_ns", absl::ToInt64Nanoseconds(row.latency)},
      {"escaped", row.escaped},
      {"time_fixed", row.time_fixed},
      {"fixed_time", row.fixed_time.empty() ? Json() : Json(row.fixed_time)},
      {"masked", Parsed(row.masked)},
      {"principal_complete", row.principal_complete},
      {"resource_complete", row.resource_complete},
  };
  return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace reeve
