// Which identities this folder acts for. Private to it.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATE_IDENTITY_CHECK_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATE_IDENTITY_CHECK_H_

#include "absl/status/status.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {
namespace impersonate_internal {

// InvalidArgument unless `identity` is that of a user other than root, with mapped groups, at most
// NGROUPS_MAX of them.
absl::Status CheckIdentity(const UnixIdentity& identity);

}  // namespace impersonate_internal
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATE_IDENTITY_CHECK_H_
