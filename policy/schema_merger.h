// The schemas of a set as one.
#ifndef REEVE_POLICY_SCHEMA_MERGER_H_
#define REEVE_POLICY_SCHEMA_MERGER_H_

#include <optional>
#include <vector>

#include "policy/schema_document.h"

namespace reeve {

// Entity types and actions that several files declare have what any of them says; where two say
// different things of one name, both places are errors. Nothing, and the issues, if there are any
// errors; requires that the files have none of their own.
std::optional<Schema> MergeSchemas(const std::vector<SchemaDocument>& documents,
                                   std::vector<Issue>* issues);

}  // namespace reeve

#endif  // REEVE_POLICY_SCHEMA_MERGER_H_
