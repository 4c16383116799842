// Reads a file that begins with `policy:`.
#ifndef REEVE_POLICY_POLICY_READER_H_
#define REEVE_POLICY_POLICY_READER_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "policy/conditions.h"
#include "policy/document.h"
#include "policy/field_reader.h"
#include "policy/schema_scope.h"

namespace reeve {

class PolicyReader : public FieldReader {
 public:
  // `schema` may be null; else what is read is held to it, and it must outlive this.
  PolicyReader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues,
               const SchemaScope* schema)
      : FieldReader(file, limits, issues), schema_(schema) {}

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  PolicyDocument Read(YamlNode root, const ProgramBytes& programs);

 private:
  using Names = absl::flat_hash_set<std::string>;

  void ReadActionSets(YamlNode node);
  void ExpandActionSets();
  void ReadNamedConditions(YamlNode node);
  void ReadRoles(YamlNode node);
  // Reports roles that contain themselves.
  void CheckRoleCycles();
  void ReadRole(std::string_view name, YamlNode node);
  void ReportRoleCycle(absl::Span<const std::string_view> names, Position position);
  // Those of the role `name`, which stand under `key`.
  std::vector<Pattern> ReadMembers(std::string_view key, YamlNode node, std::string_view name);
  void ReadRules(YamlNode node);
  void WarnOfUnused();

  void ReadRule(YamlNode node);
  void ReadRuleId(YamlNode node, Rule* rule);
  void ReadEffect(YamlNode node, Rule* rule);
  void ReadAuditLevel(YamlNode node, Rule* rule);
  void ReadObligations(YamlNode node, const std::vector<std::string>& bindings, Rule* rule);
  void ReadParameters(YamlNode node, const std::vector<std::string>& bindings, const Rule& rule,
                      Obligation* obligation);
  // A text with facts, of `rule`, whose patterns bind `bindings`.
  std::optional<TextTemplate> ReadTemplate(YamlNode node, std::string_view what,
                                           const std::vector<std::string>& bindings,
                                           const Rule& rule);

  std::optional<Pattern> ReadRegex(YamlNode node, std::string_view what);
  // `role` is the one that it is a member of; null in a rule.
  struct RoleSet;
  std::optional<Pattern> ReadPrincipal(YamlNode node, RoleSet* role);
  std::optional<Pattern> ReadResource(YamlNode node);
  // Reads what stands under `when`: a clause, or a list of them. `bindings` are the names that
  // patterns bind. `may_be_missing` is that of the rule, or null of a role.
  std::vector<Condition> ReadWhen(YamlMember when, const std::string& what,
                                  const std::vector<std::string>& bindings,
                                  std::optional<std::set<std::string>>* may_be_missing);
  std::optional<std::string_view> ReadConditionText(YamlNode node, std::string_view what);
  // `offset` is that of what has the defects in the text of `node`.
  void ReportDefects(YamlNode node, const std::vector<cel::Defect>& defects, size_t offset = 0);
  // Of a node, or within its text. Line and column are looked up if they are told.
  struct Place {
    YamlNode node;
    std::optional<size_t> offset;

    Position position() const {
      return offset.has_value() ? node.PositionInScalar(*offset) : node.position();
    }
  };
  // Counts what the regular expressions of a condition need.
  void CountRegexes(const Condition& condition, Place place);
  void ReportRegexSteps(Position position);
  // Reports names that only some patterns of a list bind, and that a condition of the rule reads.
  void CheckAllBind(const Rule& rule, const Condition& condition, Place place, Names* reported);
  // Reports a condition that reads the roles where there are none to read. `in_role` if it is of
  // one.
  void CheckRolesRead(const Condition& condition, Place place, bool in_role);
  // Adds an action, or the members of a set.
  void ReadActions(YamlNode node, std::vector<Pattern>* actions);
  // Reports `pattern` if it binds a name that `bound_elsewhere` holds, and adds what it binds to
  // *bound.
  void CheckBindings(const Pattern& pattern, YamlNode node, const Names& bound_elsewhere,
                     Names* bound);

  // Reports a type, or an action, that the schema does not declare.
  void CheckDeclared(const Pattern& pattern, YamlNode node);
  void CheckDeclaredAction(const Pattern& pattern, YamlNode node);
  // The types of principals that match one of `patterns`.
  void AddPrincipalTypes(const std::vector<Pattern>& patterns, std::vector<bool>* types) const;
  // Lets conditions from now on be of what those of a role, or of a rule, can be about.
  void SetReachOfRole(const std::vector<Pattern>& members);
  // What a pattern that has an error would have matched is not known.
  void SetReachOfRule(const Rule& rule, Position position, bool has_errors);

  struct NamedSet {
    Position position;
    bool used = false;
  };
  struct RoleSet : NamedSet {
    // The roles among its members, and where they stand.
    std::vector<std::pair<std::string, Position>> members;
  };
  struct ActionSet : NamedSet {
    std::vector<YamlNode> members;
    enum { kNew, kOpen, kDone } state = kNew;
    std::vector<Pattern> actions;  // When it is done.
  };

  const SchemaScope* const schema_;
  PolicyDocument policy_;
  std::optional<Conditions> conditions_;  // Once the policy has a name.
  std::map<std::string, NamedSet, std::less<>> named_conditions_;
  std::map<std::string, ActionSet, std::less<>> action_sets_;
  std::map<std::string, RoleSet, std::less<>> roles_;
  bool roles_read_ = false;  // By a condition: then all are used.
  absl::flat_hash_map<std::string_view, YamlNode> rule_ids_;
  absl::flat_hash_set<const cel::Program*> counted_programs_;
  size_t regex_steps_ = 0;       // Of all regular expressions of the file.
  size_t expanded_actions_ = 0;  // That names of action sets stood for.
};

}  // namespace reeve

#endif  // REEVE_POLICY_POLICY_READER_H_
