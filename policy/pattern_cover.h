// Whether all that one pattern matches is matched by another.
#ifndef REEVE_POLICY_PATTERN_COVER_H_
#define REEVE_POLICY_PATTERN_COVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "policy/document.h"

namespace reeve {

// What patterns stand for: in one list all are of principals, of actions or of resources.
enum class PatternOf : uint8_t { kPrincipals, kActions, kResources };

// One thread at a time.
class PatternCover {
 public:
  // `roles`, by their names, and what they point to outlive this.
  using Roles = absl::flat_hash_map<std::string, const PolicyDocument::RoleDefinition*>;
  explicit PatternCover(const Roles& roles) : roles_(roles) {}

  // True only if it is certain that whatever a pattern of `inner` matches, whatever the request
  // says besides, a pattern of `outer` matches too. False also where it cannot be told.
  bool Covers(const std::vector<Pattern>& outer, const std::vector<Pattern>& inner, PatternOf of);

  // How many pairs have been compared so far, long globs counting more.
  int64_t cost() const { return cost_; }

 private:
  bool Covers(const Pattern& outer, const Pattern& inner, PatternOf of);
  bool GlobCovers(const std::string& outer, const std::string& inner);

  const Roles& roles_;
  int64_t cost_ = 0;
};

}  // namespace reeve

#endif  // REEVE_POLICY_PATTERN_COVER_H_
