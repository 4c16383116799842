// Reads a file that begins with `entities:`.
#ifndef REEVE_POLICY_ENTITIES_READER_H_
#define REEVE_POLICY_ENTITIES_READER_H_

#include <optional>

#include "policy/document.h"
#include "policy/field_reader.h"
#include "reeve/engine/value.h"

namespace reeve {

class EntitiesReader : public FieldReader {
 public:
  using FieldReader::FieldReader;

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  EntitiesDocument Read(YamlNode root);

 private:
  void ReadEntities(YamlNode node);
  void ReadEntity(YamlNode node);
  std::optional<EntityId> ReadEntityId(YamlNode node);
  // What has a value at `depth`. Recursive, to kMaxValueDepth.
  std::optional<Attributes> ReadAttributes(YamlNode node, int depth);
  std::optional<Value> ReadValue(YamlNode node, int depth);
  std::optional<Value> ReadPlainValue(YamlNode node);

  EntitiesDocument document_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_ENTITIES_READER_H_
