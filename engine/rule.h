#ifndef REEVE_ENGINE_RULE_H_
#define REEVE_ENGINE_RULE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reeve/engine/audit.h"
#include "reeve/engine/pattern.h"

namespace reeve {

// What a rule does when it matches. The numbers are stored: never renumber.
enum class Effect : uint8_t { kDeny = 0, kAllow = 1 };

// "deny", "allow".
std::string_view ToString(Effect effect);

namespace cel {
class Program;
}  // namespace cel

// One clause of a rule's `when`, or of that of a role, or a fact in a text. Made by
// reeve/policy/condition.h, or with a whole policy by reeve/policy/load.h. A copy shares its
// content.
struct Condition {
  std::string text;                             // As written.
  std::shared_ptr<const cel::Program> program;  // Not null in a rule of a snapshot.
};

inline constexpr size_t kMaxClauses = 32;  // Of one rule.

// A text of a rule, with facts of the request in it: "{principal.id} may not delete this". A value.
struct TextTemplate {
  // What stands at an offset in `text`.
  struct Fact {
    size_t at = 0;
    Condition expression;  // Whose value is a string.
  };

  TextTemplate() = default;
  // A text without facts.
  TextTemplate(std::string text) : text(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  TextTemplate(const char* text) : text(text) {}             // NOLINT(google-explicit-constructor)

  bool empty() const { return text.empty() && facts.empty(); }
  bool constant() const { return facts.empty(); }

  std::string text;         // Without its facts.
  std::vector<Fact> facts;  // Sorted by `at`.
};

// Something the caller must do when it acts on the decision. A caller that does not know `id` must
// treat the decision as a deny: see Engine::Options::known_obligations.
struct Obligation {
  std::string id;
  std::vector<std::pair<std::string, TextTemplate>> with = {};  // Its parameters, each name once.
};

// One statement of a policy. It matches a request when one of its principals, one of its actions
// and one of its resources do, and all clauses of `when` are true.
struct Rule {
  std::string id;  // Unique in the set: `documents/editors-edit`.
  Effect effect = Effect::kDeny;
  // None of the three may be empty: absent never means "any".
  std::vector<Pattern> principals;
  std::vector<Pattern> actions;
  std::vector<Pattern> resources;
  std::vector<Condition> when;  // At most kMaxClauses; may be empty.
  bool shadow = false;          // Evaluated and recorded, and never decides.
  AuditLevel audit =
      AuditLevel::kOff;  // Raises the level of the engine where this rule determined.
  TextTemplate message;  // For the person who was refused; may be empty.
  std::vector<Obligation> obligations;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_RULE_H_
