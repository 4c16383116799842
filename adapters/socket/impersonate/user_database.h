// The groups of a user of whom only the uid is known.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_DATABASE_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_DATABASE_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {

// What login would give the user: the gid of the machine's user database, and all groups that list
// the user, with that gid among them. For peers of whom the kernel tells the uid only, as over TCP;
// of others take the groups that the kernel told, which are those of the process.
//
// Freshness: asked anew by each call; a user who logged in earlier may still be in other groups.
//
// Errors: NotFound           the database says that there is no such user
//         Unavailable        it could not be asked; or there is no memory
//         ResourceExhausted  the user is in more than NGROUPS_MAX groups (65536), which a process
//                            cannot be
// What glibc does not tell: getgrouplist(3) passes over a source of groups that is down. The name
// of the primary group is asked for, too, and an error there is one here; but where a later source
// in nsswitch.conf(5) is down and an earlier one has that group, the list is short of the later
// one's groups. The user is then given less; except by files that a group is forbidden. Source:
// getpwuid_r(3), getgrouplist(3), as of glibc 2.36.
//
// Thread-safe. Blocks for as long as the database takes. Not to be called inside RunAs().
absl::StatusOr<UnixIdentity> ResolveUnixIdentity(uid_t uid);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATE_USER_DATABASE_H_
