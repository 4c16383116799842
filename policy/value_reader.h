// What files that speak of entities are read with: names of entities, attributes and their values.
#ifndef REEVE_POLICY_VALUE_READER_H_
#define REEVE_POLICY_VALUE_READER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/field_reader.h"
#include "policy/schema_scope.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/value.h"

namespace reeve {

class ValueReader : public FieldReader {
 public:
  // `schema` may be null; else what is read is held to it, and it must outlive this.
  ValueReader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues,
              const SchemaScope* schema)
      : FieldReader(file, limits, issues), schema_(schema) {}

 protected:
  // What the schema says of names in a mapping.
  struct Declared {
    const std::vector<SchemaField>* fields = nullptr;  // Null: each name is of type `each`.
    const SchemaType* each = nullptr;                  // Null: of any.
    bool open = false;                                 // Others than `fields` may be there.
    std::string owner;
    // Which other names may be there all the same, of those that stand at the top.
    bool (*is_reserved)(std::string_view name) = IsReservedForResources;
  };

  // Null if there is no schema.
  const SchemaScope* schema() const { return schema_; }

  std::optional<EntityId> ReadEntityId(YamlNode node);
  // Of a type that is declared; reports one that is not. Null, too, if there is no schema.
  const Schema::EntityType* FindType(const EntityId& id, Position position);
  // What is listed under `parents`; nothing if the key is not there. `type` is that of the entity,
  // or null if that is of no matter.
  std::vector<EntityId> ReadParents(const Fields& fields, const Schema::EntityType* type);
  // What a type says of the attributes of an entity; all are allowed if it is null.
  Declared AttributesOf(const Schema::EntityType* type) const;
  // A mapping of names to values, called `what` in messages.
  Attributes ReadAttributes(YamlNode node, const std::string& what, const Declared& declared);

 private:
  // What has a value at `depth`. Recursive, to kMaxValueDepth.
  Attributes ReadMap(YamlNode node, int depth, const Declared& declared);
  // A null `type` stands for any.
  std::optional<Value> ReadValue(YamlNode node, int depth, const std::string& name,
                                 const SchemaType* type);
  // Reads a text or a number as `type` says, if it can be one of it.
  std::optional<Value> Fit(YamlNode node, const std::string& name, Value value,
                           const SchemaType& type);
  std::optional<Value> ReadPlainValue(YamlNode node);

  const SchemaScope* const schema_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_VALUE_READER_H_
