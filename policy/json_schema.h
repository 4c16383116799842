// Policy files as a JSON Schema.
#ifndef REEVE_POLICY_JSON_SCHEMA_H_
#define REEVE_POLICY_JSON_SCHEMA_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reeve {

// The kinds of files there is a schema for: `policy`, `entities`, `tests`.
std::vector<std::string_view> JsonSchemaKinds();

// A schema of JSON Schema 2020-12, as JSON that ends with a line feed, for files of the kind
// `kind`, or of all kinds if it is empty; nothing if there is no such kind. It is made from the
// tables that the loader reads files with. It takes every file that loads; what it cannot say, such
// as that a role is defined, it does not refuse.
std::optional<std::string> JsonSchema(std::string_view kind);

}  // namespace reeve

#endif  // REEVE_POLICY_JSON_SCHEMA_H_
