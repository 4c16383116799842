// The command `reeve`. Each subcommand has a file of its own.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"

namespace reeve {

void AddFormat(CLI::App* command, Format* format) {
  static const std::map<std::string, Format> names = {{"text", Format::kText},
                                                      {"json", Format::kJson}};
  command->add_option("--format", *format, "text for a person, json for a program")
      ->transform(CLI::CheckedTransformer(names, CLI::ignore_case))
      ->option_text("text|json [text]");
}

namespace {

int Main(int argc, char** argv) {
  // A reader that stops reading ends the command by a failed write, not by a signal half way.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app(
      "Reeve decides who may do what by rules in YAML, and writes every decision down.\n"
      "Exit status: 0 yes or done, 1 no, 2 the input or the call is wrong, 3 the machine failed.",
      "reeve");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer("`reeve COMMAND --help` shows a command's options and examples.");
  int status = kYes;
  AddCheck(&app, &status);
  AddLint(&app, &status);
  AddAudit(&app, &status);
  AddWhoami(&app, &status);
  AddVersion(&app, &status);
  std::vector<std::string_view> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  const std::string_view command = argc > 1 ? argv[1] : "-";
  if (command.substr(0, 1) != "-" &&
      std::find(commands.begin(), commands.end(), command) == commands.end()) {
    std::fprintf(stderr, "reeve: unknown command `%s`%s; `reeve --help` lists them\n",
                 Printable(command).c_str(), DidYouMean(command, commands).c_str());
    return kBadCall;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help) == 0 ? kYes : kBadCall;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kBadCall;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("reeve: standard output cannot be written\n", stderr);
    return kFailure;
  }
  return status;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) { return reeve::Main(argc, argv); }
