// What the subcommands of `reeve audit` share.
#ifndef REEVE_CLI_AUDIT_COMMAND_H_
#define REEVE_CLI_AUDIT_COMMAND_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/command.h"
#include "reeve/store/audit_reader.h"

namespace reeve {

// Says why the audit file `path` cannot be asked; returns the exit status.
int FailOfAudit(const std::string& path, const absl::Status& status);

// Opens the file; if it cannot, says why and leaves the exit status in *status.
std::unique_ptr<AuditReader> OpenAudit(const std::string& path, int* status);

// Says so if the file has records that cannot be shown.
void SayIfBehind(const AuditReader& reader);

// Says what is wrong with the call; returns the exit status.
int Refuse(const std::string& message);

// Which records are meant, as words of the command line.
struct FilterOptions {
  std::string since;
  std::string until;
  std::string decision;
  std::string reason;
  std::string assurance;
  std::string min_latency;
  AuditFilter filter;
};

// Adds an option for each condition of AuditFilter.
void AddFilters(CLI::App* command, FilterOptions* options);
// Adds `--since` and `--until` only.
void AddTimes(CLI::App* command, FilterOptions* options);
// Nothing, having said why, if a word is not understood.
std::optional<AuditFilter> FilterOf(const FilterOptions& options);

// For options that are given to say something: an empty one, such as a variable that is not set,
// would let everything through.
const CLI::Validator& NotEmpty();

// Says on a terminal how far the work is, on standard error; never ends it.
bool ShowProgress(int64_t done, int64_t of);

// Each adds one subcommand, as in command.h.
void AddAuditBackup(CLI::App* audit, int* status);
void AddAuditExport(CLI::App* audit, int* status);
void AddAuditPrune(CLI::App* audit, int* status);
void AddAuditQuery(CLI::App* audit, int* status);
void AddAuditReindex(CLI::App* audit, int* status);
void AddAuditStats(CLI::App* audit, int* status);
void AddAuditTail(CLI::App* audit, int* status);
void AddAuditVerify(CLI::App* audit, int* status);

}  // namespace reeve

#endif  // REEVE_CLI_AUDIT_COMMAND_H_
