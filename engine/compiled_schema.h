// A schema made ready to hold requests and entities to it. Internal to engine/.
//
// The texts of defects are made when it is compiled, so that nothing is allocated when a request
// has one; a decision keeps the snapshot, and with it the text.
#ifndef REEVE_ENGINE_COMPILED_SCHEMA_H_
#define REEVE_ENGINE_COMPILED_SCHEMA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/entity_provider.h"
#include "reeve/engine/request.h"
#include "reeve/engine/schema.h"

namespace reeve {

// Immutable: any thread.
class CompiledSchema {
 public:
  // InvalidArgument if a name is malformed, reserved or declared twice, a type is named that is not
  // declared, an action has no principals or no resources, a field of the context is declared for
  // every action and for one, or a limit is exceeded.
  static absl::StatusOr<std::unique_ptr<const CompiledSchema>> Compile(Schema schema);

  const Schema& schema() const { return schema_; }

  // Where the set keeps attributes: what it knows of an entity, or null.
  using Stored = absl::FunctionRef<const Attributes*(EntityView)>;

  // Empty, or why `request`, which is well formed, does not fit, with what a provider tells. What
  // `stored` gives has been held to the schema. Lives as long as this.
  std::string_view DefectOf(const Request& request, Stored stored) const;

  // The same of an entity of the set, which may lack what is required: a request may bring it.
  std::string_view DefectOf(const Entity& entity) const;

  bool IsDeclared(std::string_view type) const { return FindType(type) != kNone; }
  bool IsDeclaredAction(std::string_view action) const { return FindAction(action) != kNone; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Field;
  struct Record {
    std::vector<Field> fields;  // Sorted by name.
    bool open = false;
    std::string undeclared;  // The defect of one with another name.
  };
  struct Type {
    SchemaType::Kind kind = SchemaType::Kind::kAny;
    std::unique_ptr<Type> element;
    std::unique_ptr<Record> record;
    std::string wrong;  // The defect of a value of another type.
  };
  struct Field {
    std::string name;
    bool required = true;
    Type type;
    std::string missing;  // The defect of a record that lacks it.
  };
  struct EntityType {
    std::vector<bool> parents;  // By number of the type.
    Record attributes;
    std::string wrong_parent;
  };
  struct Action {
    std::vector<bool> principals;  // By number of the type.
    std::vector<bool> resources;
    Record context;
    std::string wrong_principal;
    std::string wrong_resource;
  };
  class Compiler;

  using IsReserved = bool (*)(std::string_view name);

  CompiledSchema() = default;

  uint32_t FindType(std::string_view name) const;
  uint32_t FindAction(std::string_view name) const;
  bool MayLieIn(const EntityType& type, std::string_view parent) const;

  // Of types and names that are not declared only. `attributes` may be null.
  static std::string_view DefectOf(const Attributes* attributes, const Record& record,
                                   IsReserved is_reserved);
  static std::string_view DefectOf(const Value& value, const Type& type);
  // Of names that no layer has. Of an entity about which a provider told a part only nothing is
  // known to be missing.
  static std::string_view Missing(const Record& record, const Attributes* attributes,
                                  const ProvidedEntity* provided, EntityView entity, Stored stored);
  // Of an entity of a request, with what a provider tells of it, which may be null.
  std::string_view DefectOf(const EntityType& type, const Attributes* attributes,
                            absl::Span<const EntityId> parents, const ProvidedEntity* provided,
                            IsReserved is_reserved, EntityView entity, Stored stored) const;

  Schema schema_;
  absl::flat_hash_map<std::string, uint32_t> type_numbers_;
  absl::flat_hash_map<std::string, uint32_t> action_numbers_;
  std::vector<EntityType> types_;
  std::vector<Action> actions_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_COMPILED_SCHEMA_H_
