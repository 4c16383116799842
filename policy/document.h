// A policy set as its authors wrote it, checked file by file, before it is compiled.
#ifndef REEVE_POLICY_DOCUMENT_H_
#define REEVE_POLICY_DOCUMENT_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reeve/engine/entity.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/rule.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/test_suite.h"

namespace reeve {

// A warning that a file accepts, as a whole or in one rule.
struct AcceptedWarning {
  std::string file;
  // The rule, from its first character to behind its last one. 0:0 for the whole file.
  Position begin;
  Position end;
  Position position;  // Where it is accepted.
  Warning warning = Warning::kNone;
};

// A file that begins with `policy:`. Names of rules and roles carry the name of the policy before a
// slash, and action sets have been put in their places.
struct PolicyDocument {
  struct RoleDefinition {
    std::string name;
    std::vector<Pattern> members;
    std::vector<Condition> when;
  };
  struct RuleDefinition {
    Rule rule;
    Position id;
    std::vector<Position> when;  // Of each clause, unless one of them is wrong.
    // What its clauses read and a request may lack, such as "resource.owner", by a schema. Nothing
    // if none says so.
    std::optional<std::set<std::string>> may_be_missing;
  };

  std::string file;
  std::string name;
  Position name_position;
  std::vector<RoleDefinition> roles;
  std::vector<RuleDefinition> rules;
  std::vector<AcceptedWarning> accepted;
};

// A file that begins with `entities:`.
struct EntitiesDocument {
  struct EntityDefinition {
    Entity entity;
    Position id;
  };

  std::string file;
  std::vector<EntityDefinition> entities;
  std::vector<AcceptedWarning> accepted;
};

// A file that begins with `tests:`.
struct TestsDocument {
  TestSuite suite;
  std::vector<AcceptedWarning> accepted;
};

}  // namespace reeve

#endif  // REEVE_POLICY_DOCUMENT_H_
