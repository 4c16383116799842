#ifndef REEVE_CLI_EXPLANATION_OUTPUT_H_
#define REEVE_CLI_EXPLANATION_OUTPUT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "reeve/engine/decision.h"
#include "reeve/engine/explain.h"
#include "reeve/engine/request.h"

namespace reeve {

// The words of a condition, which may take several lines, in one, safe to print.
std::string OneLine(std::string_view text);

// `true`, `false` and so on, in a colour if `on`.
std::string ColouredOutcome(std::string_view word, size_t width, bool on);

// Why `decision` came out so for `request`, for a person: a tree for each relevant rule and role,
// and what would have had to be otherwise. With colours if `colour`. Ends with a line feed.
std::string ExplanationText(const Decision& decision, const Request& request, bool colour);

// The same for a program: `rules`, `roles` and `nearest`. Members are added, never removed.
nlohmann::ordered_json ExplanationJson(const Decision& decision, const Request& request);

}  // namespace reeve

#endif  // REEVE_CLI_EXPLANATION_OUTPUT_H_
