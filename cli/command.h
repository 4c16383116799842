// What the subcommands of `reeve` share: how they are added, and how they end.
#ifndef REEVE_CLI_COMMAND_H_
#define REEVE_CLI_COMMAND_H_

#include <CLI/CLI.hpp>

namespace reeve {

// The exit status of every subcommand, which scripts rely on.
enum ExitStatus : int {
  kYes = 0,      // yes, or done
  kNo = 1,       // no: denied, a difference, a warning that was to count
  kBadCall = 2,  // the input or the call is wrong
  kFailure = 3,  // the machine failed: I/O, the store
};

// How results are printed.
enum class Format { kText, kJson };

// Adds `--format text|json`.
void AddFormat(CLI::App* command, Format* format);

// Writes out what was printed. Returns false if standard output cannot take it: end with kFailure
// then, and main() says why.
bool FlushOutput();

// Each adds one subcommand, which leaves its exit status in *status when it was called.
void AddAudit(CLI::App* app, int* status);
void AddBench(CLI::App* app, int* status);
void AddCheck(CLI::App* app, int* status);
void AddCompile(CLI::App* app, int* status);
void AddContext(CLI::App* app, int* status);
void AddDiff(CLI::App* app, int* status);
void AddEval(CLI::App* app, int* status);
void AddExplain(CLI::App* app, int* status);
void AddFmt(CLI::App* app, int* status);
void AddKeygen(CLI::App* app, int* status);
void AddLint(CLI::App* app, int* status);
void AddSchema(CLI::App* app, int* status);
void AddTest(CLI::App* app, int* status);
void AddVersion(CLI::App* app, int* status);
void AddWhoami(CLI::App* app, int* status);

}  // namespace reeve

#endif  // REEVE_CLI_COMMAND_H_
