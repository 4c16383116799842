#ifndef REEVE_ENGINE_RULE_H_
#define REEVE_ENGINE_RULE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/audit.h"
#include "reeve/engine/pattern.h"

namespace reeve {

// What a rule does when it matches. The numbers are stored: never renumber.
enum class Effect : uint8_t { kDeny = 0, kAllow = 1 };

// "deny", "allow".
std::string_view ToString(Effect effect);

// Something the caller must do when it acts on the decision. A caller that does not know `id` must
// treat the decision as a deny.
struct Obligation {
  std::string id;
};

// One statement of a policy. It matches a request when one of its principals, one of its actions
// and one of its resources do.
struct Rule {
  std::string id;  // Unique in the set: `documents/editors-edit`.
  Effect effect = Effect::kDeny;
  // None of the three may be empty: absent never means "any".
  std::vector<Pattern> principals;
  std::vector<Pattern> actions;
  std::vector<Pattern> resources;
  bool shadow = false;  // Evaluated and recorded, and never decides.
  AuditLevel audit =
      AuditLevel::kOff;  // Raises the level of the engine where this rule determined.
  std::string message;   // For the person who was refused; may be empty.
  std::vector<Obligation> obligations;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_RULE_H_
