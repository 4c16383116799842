#include "policy/entities_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace reeve {

EntitiesDocument EntitiesReader::Read(YamlNode root) {
  document_.file = file();
  const std::optional<Fields> fields = ReadFields(root, "the file", kEntitiesFormat);
  CheckDescription(*fields);
  ReadAccept(*fields, std::nullopt, &document_.accepted);
  if (const auto node = Find(*fields, "entities")) ReadEntities(*node);
  return std::move(document_);
}

void EntitiesReader::ReadEntities(YamlNode node) {
  if (!node.IsSequence()) return Report(node.position(), "`entities` is not a list");
  if (node.size() == 0) {
    return Report(node.position(), "`entities` is empty; write one or remove the file");
  }
  if (node.size() > limits().max_entities) {
    return Report(node.position(),
                  absl::StrCat("`entities` has more than ", limits().max_entities, " items"));
  }
  document_.entities.reserve(node.size());
  for (const YamlNode item : node.items()) ReadEntity(item);
}

void EntitiesReader::ReadEntity(YamlNode node) {
  const auto fields = ReadFields(node, "the entity", kEntityFormat);
  if (!fields.has_value()) return;
  const auto id_node = Require(*fields, "id", node, "the entity");
  EntitiesDocument::EntityDefinition definition;
  bool complete = false;
  const Schema::EntityType* type = nullptr;
  if (id_node.has_value()) {
    definition.id = id_node->position();
    if (std::optional<EntityId> id = ReadEntityId(*id_node)) {
      type = FindType(*id, definition.id);
      definition.entity.id = *std::move(id);
      complete = true;
    }
  }
  definition.entity.parents = ReadParents(*fields, type);
  if (const auto attributes = Find(*fields, "attributes")) {
    definition.entity.attributes = ReadAttributes(*attributes, "`attributes`", AttributesOf(type));
  }
  if (complete) document_.entities.push_back(std::move(definition));
}

}  // namespace reeve
