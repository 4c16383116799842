// Reads a file that begins with `entities:`.
#ifndef REEVE_POLICY_ENTITIES_READER_H_
#define REEVE_POLICY_ENTITIES_READER_H_

#include "policy/document.h"
#include "policy/value_reader.h"

namespace reeve {

class EntitiesReader : public ValueReader {
 public:
  using ValueReader::ValueReader;

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  EntitiesDocument Read(YamlNode root);

 private:
  void ReadEntities(YamlNode node);
  void ReadEntity(YamlNode node);

  EntitiesDocument document_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_ENTITIES_READER_H_
