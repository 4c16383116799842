// Reads a file that begins with `entities:`.
#ifndef REEVE_POLICY_ENTITIES_READER_H_
#define REEVE_POLICY_ENTITIES_READER_H_

#include <optional>

#include "policy/document.h"
#include "policy/field_reader.h"
#include "policy/schema_scope.h"
#include "reeve/engine/value.h"

namespace reeve {

class EntitiesReader : public FieldReader {
 public:
  // `schema` may be null; else what is read is held to it, and it must outlive this.
  EntitiesReader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues,
                 const SchemaScope* schema)
      : FieldReader(file, limits, issues), schema_(schema) {}

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  EntitiesDocument Read(YamlNode root);

 private:
  void ReadEntities(YamlNode node);
  void ReadEntity(YamlNode node);
  std::optional<EntityId> ReadEntityId(YamlNode node);
  // Of a type that is declared; reports one that is not.
  const Schema::EntityType* FindType(const EntityId& id, Position position);
  // What the schema says of names in a mapping.
  struct Declared {
    const std::vector<SchemaField>* fields = nullptr;  // Null: each name is of type `each`.
    const SchemaType* each = nullptr;                  // Null: of any.
    bool open = false;                                 // Others than `fields` may be there.
    std::string owner;
  };
  // What has a value at `depth`. Recursive, to kMaxValueDepth.
  std::optional<Attributes> ReadAttributes(YamlNode node, int depth, const Declared& declared);
  // Null stands for any type.
  std::optional<Value> ReadValue(YamlNode node, int depth, const std::string& name,
                                 const SchemaType* type);
  // Reads a text or a number as `type` says, if it can be one of it.
  std::optional<Value> Fit(YamlNode node, const std::string& name, Value value,
                           const SchemaType& type);
  std::optional<Value> ReadPlainValue(YamlNode node);

  const SchemaScope* const schema_;
  EntitiesDocument document_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_ENTITIES_READER_H_
