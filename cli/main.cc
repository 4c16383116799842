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

bool FlushOutput() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

namespace {

// Looks for the subcommands that `argv` begins with. Returns false, having said what was probably
// meant, at a word that is none.
bool KnowsCommands(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  std::string path = "reeve";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::vector<const CLI::App*> commands = at->get_subcommands({});
    if (commands.empty() || word.substr(0, 1) == "-") return true;
    const auto found =
        std::find_if(commands.begin(), commands.end(),
                     [word](const CLI::App* command) { return word == command->get_name(); });
    if (found == commands.end()) {
      std::vector<std::string_view> names;
      for (const CLI::App* command : commands) names.push_back(command->get_name());
      std::fprintf(stderr, "%s: unknown command `%s`%s; `%s --help` lists them\n", path.c_str(),
                   Printable(word).c_str(), DidYouMean(word, names).c_str(), path.c_str());
      return false;
    }
    at = *found;
    path += " " + at->get_name();
  }
  return true;
}

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
  AddEval(&app, &status);
  AddLint(&app, &status);
  AddCompile(&app, &status);
  AddExplain(&app, &status);
  AddDiff(&app, &status);
  AddBench(&app, &status);
  AddFmt(&app, &status);
  AddSchema(&app, &status);
  AddTest(&app, &status);
  AddAudit(&app, &status);
  AddWhoami(&app, &status);
  AddContext(&app, &status);
  AddKeygen(&app, &status);
  AddVersion(&app, &status);
  app.set_version_flag("--version", "reeve " REEVE_VERSION, "Print the version and exit");
  if (!KnowsCommands(app, argc, argv)) return kBadCall;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& shown) {  // the help or the version
    app.exit(shown);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kBadCall;
  }
  if (!FlushOutput()) {
    std::fputs("reeve: standard output cannot be written\n", stderr);
    return kFailure;
  }
  return status;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) { return reeve::Main(argc, argv); }
