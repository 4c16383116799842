// Reads a file that begins with `schema:`.
#ifndef REEVE_POLICY_SCHEMA_READER_H_
#define REEVE_POLICY_SCHEMA_READER_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/field_reader.h"
#include "policy/schema_document.h"

namespace reeve {

class SchemaReader : public FieldReader {
 public:
  using FieldReader::FieldReader;

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  SchemaDocument Read(YamlNode root);

 private:
  void ReadEntityTypes(YamlNode node);
  void ReadEntityType(YamlMember member);
  void ReadActions(YamlNode node);
  void ReadAction(YamlMember member);
  std::vector<SchemaDocument::Name> ReadTypeNames(YamlNode node, std::string_view what,
                                                  const std::string& if_empty);
  // `what` is what has the fields; `depth` that of a value under one of them. Recursive, to
  // kMaxValueDepth.
  std::vector<SchemaDocument::Field> ReadFieldTypes(YamlNode node, const std::string& what,
                                                    int depth);
  // A type in words, or a mapping that says more. `required` is null where nothing can be missing.
  std::optional<SchemaType> ReadType(YamlNode node, const std::string& what, int depth,
                                     bool* required);
  // `int`, `list(map(string))`
  std::optional<SchemaType> ParseType(YamlNode node, std::string_view text, int depth);

  SchemaDocument document_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_SCHEMA_READER_H_
