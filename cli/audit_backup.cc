// `reeve audit backup`: a copy of the log, while others write.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/store/backup.h"

namespace reeve {
namespace {

struct Options {
  std::string db;
  std::string copy;
};

int Copy(const Options& options) {
  const absl::Status status = Backup(options.db, options.copy);
  if (status.ok()) return kYes;
  // What is wrong with the copy is not what FailOfAudit() knows.
  if (absl::IsAlreadyExists(status)) {
    std::fprintf(stderr, "%s; name another file\n", std::string(status.message()).c_str());
    return kBadCall;
  }
  return FailOfAudit(options.db, status);
}

}  // namespace

void AddAuditBackup(CLI::App* audit, int* status) {
  CLI::App* command = audit->add_subcommand(
      "backup",
      "Copy the log to a new file, as of this moment, while others write. The copy is readable by "
      "its owner alone.\n"
      "Exit status: 0 done, 2 the call is wrong, DB is no audit file or FILE is there already, 3 "
      "DB "
      "cannot be read or FILE not written.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  command->add_option("FILE", options->copy, "the copy; must not exist")->required();
  command->footer(
      "Example:\n"
      "  reeve audit backup audit.db /mnt/elsewhere/audit-2027-01-15.db");
  command->callback([options, status] { *status = Copy(*options); });
}

}  // namespace reeve
