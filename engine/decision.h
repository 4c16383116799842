#ifndef REEVE_ENGINE_DECISION_H_
#define REEVE_ENGINE_DECISION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/rule.h"

namespace reeve {

class Snapshot;

// Why a decision came out as it did. The numbers are stored in records: append, never renumber.
// Only kAllowRule allows.
enum class Reason : uint8_t {
  kNoPolicy = 0,     // no policy set is installed
  kAllowRule = 1,    // an allow rule matched and no deny rule did
  kDenyRule = 2,     // a deny rule matched
  kDenyUnknown = 3,  // a deny rule could not be ruled out, or allowed under an obligation that is
                     // not known or could not be made
  kNoRule = 4,       // no rule matched
  kBadRequest = 5,   // the request is malformed
  kLimit = 6,        // evaluation exceeded a limit
  kAuditFailed = 7,  // allowed, but the record could not be kept
};

// As in JSON and in records: "allow_rule".
std::string_view ToString(Reason reason);

// A decision's name: a UUID of version 7 (RFC 9562), so that ids sort by time to the millisecond.
struct DecisionId {
  std::array<uint8_t, 16> bytes = {};

  // "01920f6e-7d2a-7c3b-9e41-5d0c8a7b6f21"
  std::string ToString() const;
};

inline bool operator==(const DecisionId& a, const DecisionId& b) { return a.bytes == b.bytes; }

// What one clause of a rule came out as in one decision. The numbers are stored in records: never
// renumber.
enum class ClauseOutcome : uint8_t { kNotEvaluated = 0, kFalse = 1, kUnknown = 2, kTrue = 3 };

// As in JSON and in records: "not_evaluated", "false", "unknown", "true".
std::string_view ToString(ClauseOutcome outcome);

// The outcomes of the clauses of one rule, in the order of Rule::when. A value. A
// default-constructed one says that nothing was evaluated.
class ClauseOutcomes {
 public:
  // Both require that `i` is below kMaxClauses.
  void Set(size_t i, ClauseOutcome outcome) {
    bits_ = (bits_ & ~(uint64_t{3} << 2 * i)) | static_cast<uint64_t>(outcome) << 2 * i;
  }
  ClauseOutcome operator[](size_t i) const {
    return static_cast<ClauseOutcome>(bits_ >> 2 * i & 3);
  }

  // Two bits a clause, the first one's lowest.
  uint64_t bits() const { return bits_; }

 private:
  uint64_t bits_ = 0;
};
static_assert(2 * kMaxClauses <= 64, "the outcomes of a rule take more than a word");

inline bool operator==(ClauseOutcomes a, ClauseOutcomes b) { return a.bits() == b.bits(); }

// A rule in a decision. A value, valid as long as the snapshot.
struct RuleOutcome {
  std::string_view id() const;
  Effect effect() const;
  // What its clauses say, in the order of Rule::when.
  absl::Span<const Condition* const> when() const;

  const Snapshot* snapshot = nullptr;  // The decision's; null only if default-constructed.
  uint32_t number = 0;                 // Snapshot::rule() has all of it.
  ClauseOutcomes clauses;
};

// An obligation as one decision made it: its parameters are texts. A value, valid as long as a
// decision under the same snapshot is.
class MadeObligation {
 public:
  // `values` are those of the parameters, none if they are all constant.
  explicit MadeObligation(const Obligation& obligation, std::vector<std::string> values = {})
      : obligation_(&obligation), values_(std::move(values)) {}

  std::string_view id() const { return obligation_->id; }
  // How many parameters there are, and each of them, by its number from 0.
  size_t size() const { return obligation_->with.size(); }
  std::string_view name(size_t i) const { return obligation_->with[i].first; }
  // May hold whatever the request does: not for a terminal, a shell or a line of a log as it is.
  std::string_view value(size_t i) const {
    return values_.empty() ? std::string_view(obligation_->with[i].second.text) : values_[i];
  }
  // Whether facts of the request stand in a value.
  bool has_facts() const { return !values_.empty(); }
  // The value of a parameter; nothing if there is none of that name.
  std::optional<std::string_view> Find(std::string_view name) const;

  // `page-security`, or `notify {"to":"ada"}`, with the parameters as JSON.
  std::string ToString() const;

 private:
  const Obligation* obligation_;
  std::vector<std::string> values_;
};

bool operator==(const MadeObligation& a, const MadeObligation& b);

// The answer to one Request. A value: copy it, keep it. A default-constructed Decision denies.
//
// It keeps alive the snapshot that it was made under, and with it the rules that it names.
class [[nodiscard]] Decision {
 public:
  using Rules = absl::Span<const RuleOutcome>;

  // Not `= default`: then `Decision()` would fill its 600 bytes with zeros before the members are
  // made, which of many decisions at once is a tenth of what each costs.
  Decision() noexcept {}  // NOLINT(modernize-use-equals-default)

  // True only for Reason::kAllowRule. There is no conversion to bool.
  bool allowed() const { return reason_ == Reason::kAllowRule; }
  Reason reason() const { return reason_; }

  // All rules that determined the answer, sorted by id; empty if none did.
  Rules rules() const { return rules_; }
  // Of a denial without a rule: allow rules whose patterns matched, or could not be ruled out, and
  // that missed by their clauses or by what could not be known. Sorted by id; if there are more
  // than kMaxNearMisses, the first of them.
  Rules near_misses() const { return near_misses_; }
  static constexpr size_t kMaxNearMisses = 8;
  // Rules marked `shadow` that matched, and did not decide. Sorted by id.
  Rules shadow_rules() const { return shadow_rules_; }

  // For the person who was refused: the message of the first determining rule that has one, with
  // facts of the request in it, printable; one that is not known stands as `(unknown)`. May be
  // empty.
  std::string_view message() const {
    return message_has_facts() ? std::string_view(*made_->message) : message_;
  }
  // Whether facts of the request stand in it.
  bool message_has_facts() const { return made_ != nullptr && made_->message.has_value(); }
  // What the caller must do when it acts on the answer: the obligations of all determining rules,
  // in the order of rules() and then of each rule; of equal ones, with equal parameters, the first.
  // A denial for its obligations has none. Of another denial at most kMaxObligations, and what is
  // not known in them stands as `(unknown)`.
  absl::Span<const MadeObligation> obligations() const {
    return made_ == nullptr ? absl::Span<const MadeObligation>() : made_->obligations;
  }
  static constexpr size_t kMaxObligations = 256;

  // What went wrong, for the log and the record, in one line; empty unless reason() is kBadRequest,
  // kLimit or kAuditFailed, an obligation denied, an EntityProvider failed, or the record of a
  // denial could not be kept. Never send it to the peer.
  std::string_view error() const { return error_.empty() ? defect_ : error_; }
  // Whether it was made for this decision, so that facts of the request may stand in it. (A reader
  // of requests may have put some in Request::defect, too.)
  bool error_has_facts() const { return !error_.empty(); }
  // Whether the record that audit_level() asks for could not be kept; error() says why. Such a
  // decision denies, whatever its reason.
  bool record_failed() const { return record_failed_; }

  // What the shadow set would have answered: see Engine::ReplaceShadow(). Null if there is none. It
  // decides nothing, has no id, and no shadow of its own.
  const Decision* shadow() const { return shadow_.get(); }
  // Whether that is another answer: allowed() or reason() differ, or the ids of the rules.
  bool shadow_differs() const;

  // The name of the decision; all zero for a default-constructed one.
  const DecisionId& id() const { return id_; }
  // When it was decided, by the engine's clock or as the request fixed it: what conditions saw.
  absl::Time time() const { return time_; }
  // When it was decided, by the engine's clock whatever the request says: what records are found
  // and sorted by, and id() says.
  absl::Time clock_time() const { return clock_time_; }
  // What was in force; null if nothing was.
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  // The digest of the policy set: "sha256:…"; empty without one.
  std::string_view policy_digest() const;
  // Which of the sets that its engine has had in force that was, the first being 1; 0 without one.
  // Two sets may have one digest, and a set may return.
  uint64_t generation() const { return generation_; }

  // The level at which the record is kept: the engine's, raised by the determining rules.
  AuditLevel audit_level() const { return audit_level_; }

 private:
  friend class Engine;
  friend class Evaluator;
  friend class DecisionBuilder;

  using RuleList = absl::InlinedVector<RuleOutcome, 4>;
  using MissList = absl::InlinedVector<RuleOutcome, kMaxNearMisses>;
  // Of most decisions there is none.
  struct MadeTexts {
    std::optional<std::string> message;
    std::vector<MadeObligation> obligations;
  };

  Reason reason_ = Reason::kNoPolicy;
  AuditLevel audit_level_ = AuditLevel::kOff;
  DecisionId id_;
  absl::Time time_ = absl::InfinitePast();
  absl::Time clock_time_ = absl::InfinitePast();
  std::string_view defect_;   // A text that outlives the decision.
  std::string_view message_;  // One without facts, of the snapshot.
  std::string error_;
  std::shared_ptr<const Snapshot> snapshot_;
  uint64_t generation_ = 0;
  RuleList rules_;
  MissList near_misses_;
  RuleList shadow_rules_;
  std::shared_ptr<const MadeTexts> made_;  // May be null.
  bool record_failed_ = false;
  std::shared_ptr<const Decision> shadow_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_DECISION_H_
