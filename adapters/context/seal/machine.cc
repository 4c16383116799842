#include "reeve/adapters/context/seal/machine.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {
namespace {

// The line that is all of a file; it must look like `form`, where each `x` is a lower-case hex
// digit.
absl::StatusOr<std::string> ReadId(const std::string& path, std::string_view form) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return MakeContextError(ContextError::kNoCredentials,
                            absl::StrCat(path, ": cannot be read: ", std::strerror(errno),
                                         "; without it a context cannot be bound to this machine"));
  }
  char line[64];
  const ssize_t size = read(fd, line, sizeof(line));
  close(fd);
  std::string id(line, size > 0 ? size : 0);
  if (!id.empty() && id.back() == '\n') id.pop_back();
  bool fits = id.size() == form.size();
  for (size_t i = 0; fits && i < form.size(); ++i) {
    const bool digit = (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');
    fits = form[i] == 'x' ? digit : id[i] == form[i];
  }
  // Zeros name no machine.
  if (!fits || id.find_first_not_of("0-") == std::string::npos) {
    return MakeContextError(ContextError::kNoCredentials,
                            absl::StrCat(path, ": holds no id; see machine-id(5) and random(4)"));
  }
  return id;
}

}  // namespace

absl::StatusOr<Machine> Machine::Read(const std::string& machine_id_path,
                                      const std::string& boot_id_path) {
  absl::StatusOr<std::string> machine_id =
      ReadId(machine_id_path, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
  if (!machine_id.ok()) return machine_id.status();
  absl::StatusOr<std::string> boot_id =
      ReadId(boot_id_path, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
  if (!boot_id.ok()) return boot_id.status();
  return Machine{*std::move(machine_id), *std::move(boot_id)};
}

}  // namespace reeve
