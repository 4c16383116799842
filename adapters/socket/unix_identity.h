#ifndef REEVE_ADAPTERS_SOCKET_UNIX_IDENTITY_H_
#define REEVE_ADAPTERS_SOCKET_UNIX_IDENTITY_H_

#include <sys/types.h>

#include <vector>

namespace reeve {

// What a process of a user may do by: the ids of this process's user namespace. A value.
struct UnixIdentity {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::vector<gid_t> groups;  // Supplementary.
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_UNIX_IDENTITY_H_
