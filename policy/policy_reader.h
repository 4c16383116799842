// Reads a file that begins with `policy:`.
#ifndef REEVE_POLICY_POLICY_READER_H_
#define REEVE_POLICY_POLICY_READER_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "policy/document.h"
#include "policy/field_reader.h"

namespace reeve {

class PolicyReader : public FieldReader {
 public:
  using FieldReader::FieldReader;

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  PolicyDocument Read(YamlNode root);

 private:
  using Names = absl::flat_hash_set<std::string>;

  void ReadActionSets(YamlNode node);
  void ExpandActionSets();
  void ReadRoles(YamlNode node);
  void ReadRules(YamlNode node);
  void WarnOfUnused();

  void ReadRule(YamlNode node);
  void ReadRuleId(YamlNode node, Rule* rule);
  void ReadEffect(YamlNode node, Rule* rule);
  void ReadAuditLevel(YamlNode node, Rule* rule);
  void ReadObligations(YamlNode node, Rule* rule);

  std::optional<Pattern> ReadRegex(YamlNode node, std::string_view what);
  std::optional<Pattern> ReadPrincipal(YamlNode node, bool in_role);
  std::optional<Pattern> ReadResource(YamlNode node);
  // Adds an action, or the members of a set.
  void ReadActions(YamlNode node, std::vector<Pattern>* actions);
  // Reports `pattern` if it binds a name that `bound_elsewhere` holds, and adds what it binds to
  // *bound.
  void CheckBindings(const Pattern& pattern, Position position, const Names& bound_elsewhere,
                     Names* bound);

  struct NamedSet {
    Position position;
    bool used = false;
  };
  struct ActionSet : NamedSet {
    std::vector<YamlNode> members;
    enum { kNew, kOpen, kDone } state = kNew;
    std::vector<Pattern> actions;  // When it is done.
  };

  PolicyDocument policy_;
  std::map<std::string, ActionSet, std::less<>> action_sets_;
  std::map<std::string, NamedSet, std::less<>> roles_;
  absl::flat_hash_map<std::string, Position> rule_ids_;
  size_t regex_steps_ = 0;       // Of all regular expressions of the file.
  size_t expanded_actions_ = 0;  // That names of action sets stood for.
};

}  // namespace reeve

#endif  // REEVE_POLICY_POLICY_READER_H_
