// What the subcommands of `reeve audit` share.
#ifndef REEVE_CLI_AUDIT_COMMAND_H_
#define REEVE_CLI_AUDIT_COMMAND_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/command.h"

namespace reeve {

// Says why the audit file `path` cannot be asked; returns the exit status.
int FailOfAudit(const std::string& path, const absl::Status& status);

// Says on a terminal how far the work is, on standard error; never ends it.
bool ShowProgress(int64_t done, int64_t of);

// Each adds one subcommand, as in command.h.
void AddAuditBackup(CLI::App* audit, int* status);
void AddAuditReindex(CLI::App* audit, int* status);
void AddAuditVerify(CLI::App* audit, int* status);

}  // namespace reeve

#endif  // REEVE_CLI_AUDIT_COMMAND_H_
