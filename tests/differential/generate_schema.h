// Random schemas, and requests that fit them.
#ifndef REEVE_TESTS_DIFFERENTIAL_GENERATE_SCHEMA_H_
#define REEVE_TESTS_DIFFERENTIAL_GENERATE_SCHEMA_H_

#include <string_view>

#include "absl/types/span.h"
#include "reeve/engine/schema.h"
#include "reeve/tests/differential/choices.h"
#include "reeve/tests/differential/generate.h"
#include "reeve/tests/reference/reference.h"

namespace reeve::differential {

struct SchemaWords {
  absl::Span<const std::string_view> types;
  absl::Span<const std::string_view> actions;
  absl::Span<const std::string_view> attributes;
};

// One that `world` fits.
Schema MakeSchema(Choices& choices, const reference::World& world, const SchemaWords& words);

// Changes `request` so that it fits `schema`, mostly.
void FitToSchema(Choices& choices, const Schema& schema, OwnedRequest* request);

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_GENERATE_SCHEMA_H_
