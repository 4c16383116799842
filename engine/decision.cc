#include "reeve/engine/decision.h"

#include "absl/strings/escaping.h"
#include "reeve/engine/snapshot.h"

namespace reeve {

std::string_view ToString(Effect effect) { return effect == Effect::kAllow ? "allow" : "deny"; }

std::string_view ToString(AuditLevel level) {
  switch (level) {
    case AuditLevel::kOff:
      return "off";
    case AuditLevel::kRecorded:
      return "recorded";
    case AuditLevel::kDurable:
      return "durable";
  }
  return "off";
}

std::string_view ToString(Reason reason) {
  switch (reason) {
    case Reason::kNoPolicy:
      return "no_policy";
    case Reason::kAllowRule:
      return "allow_rule";
    case Reason::kDenyRule:
      return "deny_rule";
    case Reason::kDenyUnknown:
      return "deny_unknown";
    case Reason::kNoRule:
      return "no_rule";
    case Reason::kBadRequest:
      return "bad_request";
    case Reason::kLimit:
      return "limit";
    case Reason::kAuditFailed:
      return "audit_failed";
  }
  return "no_policy";
}

std::string_view ToString(ClauseOutcome outcome) {
  switch (outcome) {
    case ClauseOutcome::kNotEvaluated:
      return "not_evaluated";
    case ClauseOutcome::kFalse:
      return "false";
    case ClauseOutcome::kUnknown:
      return "unknown";
    case ClauseOutcome::kTrue:
      return "true";
  }
  return "not_evaluated";
}

std::string DecisionId::ToString() const {
  std::string text =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (size_t dash : {20, 16, 12, 8}) text.insert(dash, 1, '-');
  return text;
}

std::string_view Decision::message() const {
  for (const RuleOutcome& rule : rules_) {
    if (!rule->message.empty()) return rule->message;
  }
  return {};
}

std::string_view Decision::policy_digest() const {
  return snapshot_ == nullptr ? std::string_view() : snapshot_->digest();
}

}  // namespace reeve
