// A user as the kernel tells it, and the principal that is made of it. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_KERNEL_USER_H_
#define REEVE_ADAPTERS_SOCKET_KERNEL_USER_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/engine/principal.h"

namespace reeve::socket_internal {

struct KernelUser {
  uid_t uid = static_cast<uid_t>(-1);
  std::optional<gid_t> gid;               // Nothing if the kernel does not tell it.
  absl::InlinedVector<gid_t, 64> groups;  // Supplementary.
  bool groups_known = false;              // Whether `groups` are all of them.
};

// False for -1 and for the ids that stand for all those which this user namespace does not map
// (user_namespaces(7)): 65534, and what /proc/sys/kernel said at the first call in this process.
bool IsMappedUser(uid_t uid);
bool IsMappedGroup(gid_t gid);

// OK if a principal can be made of such a user, else kUnmapped.
absl::Status CheckMapped(uid_t uid);

// The principal `user:<name>`, as PeerToken says, without assurance, mechanism, evidence and pid.
// Sorts the groups of `user`. Errors: kBadName, kUnavailable.
absl::StatusOr<Principal> PrincipalOf(KernelUser* user, const NameService& names);

// The name of this machine (uname(2)) as of the first call in this process; empty if it cannot be
// that of a host.
const std::string& HostName();

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_KERNEL_USER_H_
