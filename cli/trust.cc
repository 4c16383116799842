#include "cli/trust.h"

#include <cstdio>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/engine/text.h"

namespace reeve {

CLI::Option* Trust::AddOption(CLI::App* command) {
  return command
      ->add_option(
          "--trust", files_,
          "load only what this key has signed, as `reeve compile --sign` does: the FILE.pub "
          "of `reeve keygen host`; may be repeated")
      ->allow_extra_args(false)
      ->option_text("KEY");
}

bool Trust::Read() {
  for (const std::string& file : files_) {
    const absl::StatusOr<HostPublicKey> key = HostPublicKey::Load(file);
    if (!key.ok()) {
      const std::string message(key.status().message());
      // Messages about lines begin with the file.
      std::fprintf(
          stderr, "%s%s\n",
          absl::StartsWith(message, Printable(file)) ? "" : (Printable(file) + ": ").c_str(),
          Printable(message, 1000).c_str());
      return false;
    }
    keys_.push_back(key->signing);
  }
  return true;
}

LoadLimits Trust::limits() const {
  LoadLimits limits;
  if (!files_.empty()) limits.trusted_keys = &keys_;
  return limits;
}

}  // namespace reeve
