// `reeve version`
#include <cstdio>
#include <memory>

#include "cli/command.h"

namespace reeve {

void AddVersion(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand("version", "Print the version.");
  auto format = std::make_shared<Format>(Format::kText);
  AddFormat(command, format.get());
  command->callback([format, status] {
    std::printf(*format == Format::kJson ? "{\"version\":\"%s\"}\n" : "reeve %s\n", REEVE_VERSION);
    *status = kYes;
  });
}

}  // namespace reeve
