#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_MACHINE_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_MACHINE_H_

#include <string>

#include "absl/status/statusor.h"

namespace reeve {

// Which machine this is, and which of its boots: what contexts of a key ring and of a process are
// bound to. A value.
//
// Containers on one kernel share the boot, and are other machines if their /etc/machine-id differ.
struct Machine {
  // 32 lower-case hex digits: /etc/machine-id, see machine-id(5).
  std::string machine_id;
  // A UUID in lower case: /proc/sys/kernel/random/boot_id, see random(4).
  std::string boot_id;

  // This machine. kNoCredentials if one of the files is not there or does not hold an id, as an
  // image whose machine-id is still `uninitialized`: there is no default.
  static absl::StatusOr<Machine> Read(
      const std::string& machine_id_path = "/etc/machine-id",
      const std::string& boot_id_path = "/proc/sys/kernel/random/boot_id");
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_MACHINE_H_
