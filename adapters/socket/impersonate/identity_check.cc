#include "adapters/socket/impersonate/identity_check.h"

#include <limits.h>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/kernel_user.h"

namespace reeve {
namespace impersonate_internal {
absl::Status CheckIdentity(const UnixIdentity& identity) {
  const auto refuse = [](auto... what) {
    return absl::InvalidArgumentError(absl::StrCat("identity: ", what...));
  };
  if (identity.uid == 0) {
    return refuse("uid `0` is root's; do as the server what is to be done as root");
  }
  if (!socket_internal::IsMappedUser(identity.uid)) {
    return refuse("uid `", identity.uid, "` may stand for any user that is not mapped; refuse it");
  }
  if (!socket_internal::IsMappedGroup(identity.gid)) {
    return refuse("gid `", identity.gid, "` may stand for any group that is not mapped; refuse it");
  }
  if (identity.groups.size() > NGROUPS_MAX) {
    return refuse(identity.groups.size(), " groups are more than the ", NGROUPS_MAX,
                  " that a process can have; take fewer");
  }
  for (const gid_t gid : identity.groups) {
    if (!socket_internal::IsMappedGroup(gid)) {
      return refuse("supplementary group `", gid,
                    "` may stand for any group that is not mapped; refuse it");
    }
  }
  return absl::OkStatus();
}

}  // namespace impersonate_internal
}  // namespace reeve
