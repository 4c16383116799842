#ifndef REEVE_ENGINE_SNAPSHOT_H_
#define REEVE_ENGINE_SNAPSHOT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/rule.h"
#include "reeve/engine/schema.h"

namespace reeve {

class CompiledSet;
struct SnapshotImageLimits;

// A policy set with its entities, compiled: what decides. Made by SnapshotBuilder, or from YAML by
// reeve/policy/load.h.
//
// Immutable: any thread.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // Identifies the texts that the set was loaded from: "sha256:…"; empty if the builder got none.
  std::string_view digest() const { return digest_; }
  // Rules are numbered from 0 in the order of their ids.
  size_t rule_count() const;
  std::string_view rule_id(size_t number) const;
  // The rule as it was given. Made anew at each call: for people, not for each request.
  Rule rule(size_t number) const;

  // A named set of principals, without its clauses.
  struct Role {
    std::string name;
    std::vector<Pattern> members;
  };
  // Sorted by name.
  const std::vector<Role>& roles() const { return roles_; }

  size_t entity_count() const;
  // What requests are held to; null if the set has no schema. With the type `anonymous` in any
  // case.
  const Schema* schema() const;
  // Whether a decision may depend on when it is made.
  bool reads_time() const;

  // Internal to engine/.
  const CompiledSet& compiled() const { return *compiled_; }

 private:
  friend class SnapshotBuilder;
  friend absl::StatusOr<std::shared_ptr<const Snapshot>> DecodeSnapshot(
      std::string_view image, std::optional<Schema> schema, const SnapshotImageLimits& limits);
  Snapshot(std::string digest, std::vector<Role> roles,
           std::unique_ptr<const CompiledSet> compiled);

  std::string digest_;
  std::vector<Role> roles_;
  std::unique_ptr<const CompiledSet> compiled_;
};

// Gathers what a snapshot is made of. One thread at a time.
class SnapshotBuilder {
 public:
  SnapshotBuilder();
  ~SnapshotBuilder();

  void SetDigest(std::string digest);

  // A named set of principals, for Pattern::Role(name): those that one of `members` matches, as
  // long as all clauses of `when` are true for the request. Members may be other roles, without
  // cycles. What stands before the first slash of `name` is its policy, as in the id of a rule:
  // the clauses of that policy see the roles as `principal.roles`; those of roles do not.
  void AddRole(std::string name, std::vector<Pattern> members, std::vector<Condition> when = {});
  void AddRule(Rule rule);
  void AddEntity(Entity entity);

  // Holds rules, roles, entities and requests to `schema`: a request that does not fit is
  // malformed. Conditions are not checked: that is for those who compile them.
  void SetSchema(Schema schema);

  // InvalidArgument if two rules, roles or entities have one name, a rule lacks principals, actions
  // or resources, it or a role names a role that was not added, a role contains itself, a pattern
  // stands where it cannot (such as a role among resources) or names an entity type or an action
  // that the schema does not declare, an entity does not fit it (but it may lack what is required),
  // the schema itself is malformed, a rule or role has more than kMaxClauses clauses or one without
  // a program, a role has one that reads `principal.roles`, an
  // entity's name is malformed, or parents form a cycle, which goes to *cycle then, if that is not
  // null: each the parent of the one before it. Leaves the builder empty.
  absl::StatusOr<std::shared_ptr<const Snapshot>> Build(std::vector<EntityId>* cycle = nullptr);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_SNAPSHOT_H_
