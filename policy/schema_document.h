// A schema as its author wrote it, checked file by file, before files are merged.
#ifndef REEVE_POLICY_SCHEMA_DOCUMENT_H_
#define REEVE_POLICY_SCHEMA_DOCUMENT_H_

#include <string>
#include <vector>

#include "reeve/engine/schema.h"
#include "reeve/policy/issue.h"

namespace reeve {

// A file that begins with `reeve: 1` and `schema:`.
struct SchemaDocument {
  struct Name {
    std::string name;
    Position position;
  };
  struct Field {
    SchemaField field;
    Position position;
  };
  struct EntityType {
    Name name;
    std::vector<Name> parents;
    std::vector<Field> attributes;
    bool open = false;
  };
  struct Action {
    Name name;
    std::vector<Name> principals;  // Types, or `anyone`.
    std::vector<Name> resources;   // Types, or `any`.
    std::vector<Field> context;
  };

  std::string file;
  Name name;
  std::vector<EntityType> entities;
  std::vector<Action> actions;
  std::vector<Field> context;
};

}  // namespace reeve

#endif  // REEVE_POLICY_SCHEMA_DOCUMENT_H_
