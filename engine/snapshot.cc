#include "reeve/engine/snapshot.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/compiled_schema.h"
#include "engine/compiled_set.h"

namespace reeve {

Snapshot::Snapshot(std::string digest, std::vector<Role> roles,
                   std::unique_ptr<const CompiledSet> compiled)
    : digest_(std::move(digest)), roles_(std::move(roles)), compiled_(std::move(compiled)) {}

Snapshot::~Snapshot() = default;

size_t Snapshot::rule_count() const { return compiled_->rule_count(); }

std::string_view Snapshot::rule_id(size_t number) const {
  return compiled_->id(static_cast<uint32_t>(number));
}

Rule Snapshot::rule(size_t number) const { return compiled_->rule(static_cast<uint32_t>(number)); }

size_t Snapshot::entity_count() const { return compiled_->entity_count(); }

const Schema* Snapshot::schema() const {
  return compiled_->schema() == nullptr ? nullptr : &compiled_->schema()->schema();
}

bool Snapshot::reads_time() const { return compiled_->clauses().reads_time(); }

struct SnapshotBuilder::Parts {
  std::string digest;
  std::vector<CompiledSet::Role> roles;
  std::vector<Rule> rules;
  std::vector<Entity> entities;
  std::optional<Schema> schema;
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

void SnapshotBuilder::SetSchema(Schema schema) { parts_->schema = std::move(schema); }

absl::StatusOr<std::shared_ptr<const Snapshot>> SnapshotBuilder::Build(
    std::vector<EntityId>* cycle) {
  Parts parts = std::exchange(*parts_, Parts());
  std::unique_ptr<const CompiledSchema> schema;
  if (parts.schema.has_value()) {
    auto made = CompiledSchema::Compile(*std::move(parts.schema));
    if (!made.ok()) return made.status();
    schema = *std::move(made);
  }
  std::sort(parts.roles.begin(), parts.roles.end(),
            [](const CompiledSet::Role& a, const CompiledSet::Role& b) { return a.name < b.name; });
  auto compiled = CompiledSet::Compile(std::move(parts.rules), parts.roles,
                                       std::move(parts.entities), std::move(schema), cycle);
  if (!compiled.ok()) return compiled.status();
  std::vector<Snapshot::Role> roles;
  for (CompiledSet::Role& role : parts.roles) {
    roles.push_back({std::move(role.name), std::move(role.members)});
  }
  return std::shared_ptr<const Snapshot>(
      new Snapshot(std::move(parts.digest), std::move(roles), *std::move(compiled)));
}

}  // namespace reeve
