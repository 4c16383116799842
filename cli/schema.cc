// `reeve schema`: the JSON Schema of policy files.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "reeve/engine/text.h"
#include "reeve/policy/json_schema.h"
#include "reeve/policy/spelling.h"

namespace reeve {
namespace {

int PrintSchema(const std::string& kind) {
  const std::optional<std::string> schema = JsonSchema(kind);
  if (!schema.has_value()) {
    std::fprintf(stderr, "reeve schema: `%s` is not a kind of files%s\n", Printable(kind).c_str(),
                 DidYouMean(kind, JsonSchemaKinds()).c_str());
    return kBadCall;
  }
  std::fputs(schema->c_str(), stdout);
  return kYes;
}

}  // namespace

void AddSchema(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "schema",
      "Print a JSON Schema of policy files (2020-12), with which editors complete and check them.\n"
      "Exit status: 0 done, 2 there is no such kind of files.");
  auto kind = std::make_shared<std::string>();
  std::vector<std::string> kinds;
  for (const std::string_view name : JsonSchemaKinds()) kinds.emplace_back(name);
  command->add_option("KIND", *kind, "only files of one kind: " + absl::StrJoin(kinds, ", "));
  command->footer(
      "Files say which schema they have by a comment that editors read:\n"
      "  # yaml-language-server: $schema=reeve-1.schema.json\n\n"
      "Examples:\n"
      "  reeve schema > reeve-1.schema.json\n"
      "  reeve schema policy");
  command->callback([kind, status] { *status = PrintSchema(*kind); });
}

}  // namespace reeve
