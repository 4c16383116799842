// Short words for rules, entities and requests, for tests only.
#ifndef REEVE_ENGINE_TESTING_H_
#define REEVE_ENGINE_TESTING_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "reeve/engine/engine.h"

namespace reeve {

// Decisions as no policy here makes them.
class DecisionBuilder {
 public:
  // Replaces the rules that `decision` names. They must outlive it.
  static void SetRules(Decision::Rules rules, Decision::Rules near_misses,
                       Decision::Rules shadow_rules, Decision* decision);
};

}  // namespace reeve

namespace reeve::testing {

// The pattern that policy files write as `text`: a word, `role:name`, `re:expression` or a glob.
// Dies if it is malformed.
Pattern PrincipalPattern(std::string_view text);
Pattern ActionPattern(std::string_view text);
Pattern ResourcePattern(std::string_view text);

// A rule of patterns as above. Its id begins with `+` (allow) or `-` (deny), which are not part of
// it.
Rule MakeRule(std::string_view id, const std::vector<std::string>& principals,
              const std::vector<std::string>& actions, const std::vector<std::string>& resources);

// A condition that says `text`, and is true whatever that says.
Condition MakeCondition(std::string text);

// `type:id`. Dies if it is malformed.
EntityId MakeId(std::string_view text);
Entity MakeEntity(std::string_view id, const std::vector<std::string>& parents);
Principal MakePrincipal(std::string_view id, std::vector<std::string> groups = {});

// A clock that stands still until it is set.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1800000000);
};

// The ids of `rules`, joined with spaces.
std::string Ids(Decision::Rules rules);

}  // namespace reeve::testing

#endif  // REEVE_ENGINE_TESTING_H_
