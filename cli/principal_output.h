#ifndef REEVE_CLI_PRINCIPAL_OUTPUT_H_
#define REEVE_CLI_PRINCIPAL_OUTPUT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "reeve/engine/principal.h"

namespace reeve {

// For a person: a fact a line, safe to print.
std::string ToText(const Principal& principal);

// For a program.
nlohmann::ordered_json ToJson(const Principal& principal);

}  // namespace reeve

#endif  // REEVE_CLI_PRINCIPAL_OUTPUT_H_
