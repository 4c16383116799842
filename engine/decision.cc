#include "reeve/engine/decision.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/compiled_set.h"
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

std::string_view RuleOutcome::id() const { return snapshot->compiled().id(number); }

Effect RuleOutcome::effect() const {
  return snapshot->compiled().head(number).deny ? Effect::kDeny : Effect::kAllow;
}

absl::Span<const Condition* const> RuleOutcome::when() const {
  return snapshot->compiled().when(number);
}

namespace {

// A string of JSON (RFC 8259, section 7).
void AppendJson(std::string_view value, std::string* text) {
  *text += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      *text += '\\';
      *text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(text, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      *text += c;
    }
  }
  *text += '"';
}

}  // namespace

std::optional<std::string_view> MadeObligation::Find(std::string_view name) const {
  for (size_t i = 0; i < size(); ++i) {
    if (this->name(i) == name) return value(i);
  }
  return std::nullopt;
}

std::string MadeObligation::ToString() const {
  std::string text(id());
  for (size_t i = 0; i < size(); ++i) {
    absl::StrAppend(&text, i == 0 ? " {" : ",");
    AppendJson(name(i), &text);
    text += ':';
    AppendJson(value(i), &text);
  }
  if (size() > 0) text += '}';
  return text;
}

bool operator==(const MadeObligation& a, const MadeObligation& b) {
  if (a.id() != b.id() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a.name(i) != b.name(i) || a.value(i) != b.value(i)) return false;
  }
  return true;
}

bool Decision::shadow_differs() const {
  if (shadow_ == nullptr) return false;
  return shadow_->reason_ != reason_ ||
         !std::equal(rules_.begin(), rules_.end(), shadow_->rules_.begin(), shadow_->rules_.end(),
                     [](const RuleOutcome& a, const RuleOutcome& b) { return a.id() == b.id(); });
}

std::string_view Decision::policy_digest() const {
  return snapshot_ == nullptr ? std::string_view() : snapshot_->digest();
}

}  // namespace reeve
