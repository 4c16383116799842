// What files that speak of entities are read with: names of entities, attributes and their values.
#ifndef REEVE_POLICY_VALUE_READER_H_
#define REEVE_POLICY_VALUE_READER_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/field_reader.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/value.h"

namespace reeve {

class ValueReader : public FieldReader {
 public:
  using FieldReader::FieldReader;

 protected:
  std::optional<EntityId> ReadEntityId(YamlNode node);
  // What is listed under `parents`; nothing if the key is not there.
  std::vector<EntityId> ReadParents(const Fields& fields);
  // A mapping of names to values, called `what` in messages.
  Attributes ReadAttributes(YamlNode node, const std::string& what);

 private:
  // What has a value at `depth`. Recursive, to kMaxValueDepth.
  Attributes ReadMap(YamlNode node, int depth);
  std::optional<Value> ReadValue(YamlNode node, int depth);
  std::optional<Value> ReadPlainValue(YamlNode node);
};

}  // namespace reeve

#endif  // REEVE_POLICY_VALUE_READER_H_
