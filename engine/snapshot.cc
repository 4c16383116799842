#include "reeve/engine/snapshot.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "engine/compiled_set.h"

namespace reeve {

Snapshot::Snapshot(std::string digest, std::unique_ptr<const CompiledSet> compiled)
    : digest_(std::move(digest)), compiled_(std::move(compiled)) {}

Snapshot::~Snapshot() = default;

const std::vector<Rule>& Snapshot::rules() const { return compiled_->rules(); }

size_t Snapshot::entity_count() const { return compiled_->entity_count(); }

bool Snapshot::reads_time() const { return compiled_->clauses().reads_time(); }

struct SnapshotBuilder::Parts {
  std::string digest;
  std::vector<CompiledSet::Role> roles;
  std::vector<Rule> rules;
  std::vector<Entity> entities;
  absl::flat_hash_set<std::string> types;
};

SnapshotBuilder::SnapshotBuilder() : parts_(std::make_unique<Parts>()) {}

SnapshotBuilder::~SnapshotBuilder() = default;

void SnapshotBuilder::SetDigest(std::string digest) { parts_->digest = std::move(digest); }

void SnapshotBuilder::AddRole(std::string name, std::vector<Pattern> members,
                              std::vector<Condition> when) {
  parts_->roles.push_back({std::move(name), std::move(members), std::move(when)});
}

void SnapshotBuilder::AddRule(Rule rule) { parts_->rules.push_back(std::move(rule)); }

void SnapshotBuilder::AddEntity(Entity entity) { parts_->entities.push_back(std::move(entity)); }

void SnapshotBuilder::DeclareEntityType(std::string type) { parts_->types.insert(std::move(type)); }

absl::StatusOr<std::shared_ptr<const Snapshot>> SnapshotBuilder::Build(
    std::vector<EntityId>* cycle) {
  Parts parts = std::exchange(*parts_, Parts());
  auto compiled = CompiledSet::Compile(std::move(parts.rules), parts.roles,
                                       std::move(parts.entities), std::move(parts.types), cycle);
  if (!compiled.ok()) return compiled.status();
  return std::shared_ptr<const Snapshot>(
      new Snapshot(std::move(parts.digest), *std::move(compiled)));
}

}  // namespace reeve
