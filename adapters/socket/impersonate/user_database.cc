#include "reeve/adapters/socket/impersonate/user_database.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/names.h"

namespace reeve {
namespace {

constexpr size_t kFirstEntryBytes = 1024;
constexpr size_t kMaxEntryBytes = 1024 * 1024;
constexpr int kFirstGroups = 64;

struct User {
  std::string name;
  gid_t gid;
};

absl::StatusOr<User> ReadUser(uid_t uid) {
  for (size_t size = kFirstEntryBytes; size <= kMaxEntryBytes; size *= 2) {
    std::vector<char> buffer(size);
    passwd entry;
    passwd* found = nullptr;
    const int error = getpwuid_r(uid, &entry, buffer.data(), size, &found);
    if (error == ERANGE) continue;
    // Every errno says that it could not be asked: see SystemNames.
    if (error != 0) {
      return absl::UnavailableError(absl::StrCat("uid ", uid,
                                                 " cannot be looked up: ", std::strerror(error),
                                                 "; check nsswitch.conf and what it names"));
    }
    if (found == nullptr) {
      return absl::NotFoundError(absl::StrCat("there is no user of uid ", uid,
                                              " on this machine; add one, or refuse the peer"));
    }
    return User{found->pw_name, found->pw_gid};
  }
  return absl::UnavailableError(absl::StrCat("the entry of uid ", uid, " is larger than ",
                                             kMaxEntryBytes, " bytes; shorten it"));
}

absl::StatusOr<std::vector<gid_t>> ReadGroups(uid_t uid, const User& user) {
  const absl::StatusOr<std::optional<std::string>> primary = SystemNames().GroupName(user.gid);
  if (!primary.ok()) return primary.status();
  int size = kFirstGroups;
  while (true) {
    std::vector<gid_t> groups(static_cast<size_t>(size));
    int count = size;
    if (getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) >= 0) {
      groups.resize(static_cast<size_t>(count));
      return groups;
    }
    if (size >= NGROUPS_MAX) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "uid ", uid, " is in more than ", NGROUPS_MAX, " groups; take it out of some"));
    }
    if (count <= size) {
      return absl::UnavailableError(
          absl::StrCat("the groups of uid ", uid, " cannot be listed; free memory"));
    }
    size = count < NGROUPS_MAX ? count : NGROUPS_MAX;
  }
}

}  // namespace

absl::StatusOr<UnixIdentity> ResolveUnixIdentity(uid_t uid) {
  const absl::StatusOr<User> user = ReadUser(uid);
  if (!user.ok()) return user.status();
  absl::StatusOr<std::vector<gid_t>> groups = ReadGroups(uid, *user);
  if (!groups.ok()) return groups.status();
  return UnixIdentity{uid, user->gid, *std::move(groups)};
}

}  // namespace reeve
