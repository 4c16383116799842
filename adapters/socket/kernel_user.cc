#include "reeve/adapters/socket/kernel_user.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve::socket_internal {
namespace {

// What stands for an id that this user namespace does not map (user_namespaces(7)).
struct OverflowIds {
  uid_t uid;
  gid_t gid;
};
constexpr unsigned kDefaultOverflowId = 65534;

unsigned ReadOverflowId(const char* path) {
  unsigned id = kDefaultOverflowId;
  if (FILE* file = std::fopen(path, "re"); file != nullptr) {
    if (std::fscanf(file, "%u", &id) != 1) id = kDefaultOverflowId;
    std::fclose(file);
  }
  return id;
}

const OverflowIds& Overflow() {
  static const OverflowIds ids = {ReadOverflowId("/proc/sys/kernel/overflowuid"),
                                  ReadOverflowId("/proc/sys/kernel/overflowgid")};
  return ids;
}

// Empty if `name` can be the id of an entity of `type`, else what is wrong. A colon would let a
// name pass for a number, `uid:0`.
std::string_view DefectOfName(std::string_view type, std::string_view name) {
  if (name.find(':') != std::string_view::npos) return "the id has a colon";
  return DefectOf(EntityView{type, name});
}

absl::StatusOr<std::string> UserIdOf(const NameService& names, uid_t uid) {
  absl::StatusOr<std::optional<std::string>> name = names.UserName(uid);
  if (!name.ok()) {
    return MakePeerError(
        PeerError::kUnavailable,
        absl::StrCat("the user of the peer is not known: ", name.status().message()));
  }
  if (!name->has_value()) return absl::StrCat("uid:", uid);
  if (const std::string_view defect = DefectOfName("user", **name); !defect.empty()) {
    // Neither the name nor the number will do: a rule may be meant for the one or the other.
    return MakePeerError(
        PeerError::kBadName,
        absl::StrCat("the name of uid ", uid, ", `", Printable(**name),
                     "`, cannot be that of a principal: ",
                     absl::string_view(defect.data(), defect.size()), "; rename the user"));
  }
  return *std::move(*name);
}

// The group's id, and in `*certain` whether it is the one that rules mean.
std::string GroupIdOf(const NameService& names, gid_t gid, bool* certain) {
  absl::StatusOr<std::optional<std::string>> name = names.GroupName(gid);
  *certain = name.ok() && (!name->has_value() || DefectOfName("group", **name).empty());
  if (*certain && name->has_value()) return *std::move(*name);
  return absl::StrCat("gid:", gid);
}

// Sets the groups of `principal`; its groups_complete becomes false where one is in doubt.
void SetGroups(const NameService& names, KernelUser* user, Principal* principal) {
  auto& supplementary = user->groups;
  std::sort(supplementary.begin(), supplementary.end());
  supplementary.erase(std::unique(supplementary.begin(), supplementary.end()), supplementary.end());
  principal->groups_complete = user->groups_known;
  principal->groups.reserve(supplementary.size() + 1);
  const auto add = [&](gid_t gid) {
    bool certain = false;
    // The overflow id stands for any group, and its name for none of them.
    if (IsMappedGroup(gid) && principal->groups.size() < kMaxGroups) {
      principal->groups.push_back(GroupIdOf(names, gid, &certain));
    }
    if (!certain) principal->groups_complete = false;
  };
  if (user->gid.has_value()) {
    add(*user->gid);
  } else {
    principal->groups_complete = false;
  }
  for (const gid_t gid : supplementary) {
    if (gid != user->gid) add(gid);
  }
}

}  // namespace

bool IsMappedUser(uid_t uid) {
  return uid != static_cast<uid_t>(-1) && uid != kDefaultOverflowId && uid != Overflow().uid;
}

bool IsMappedGroup(gid_t gid) {
  return gid != static_cast<gid_t>(-1) && gid != kDefaultOverflowId && gid != Overflow().gid;
}

absl::Status CheckMapped(uid_t uid) {
  if (IsMappedUser(uid)) return absl::OkStatus();
  return MakePeerError(
      PeerError::kUnmapped,
      absl::StrCat("the peer's uid ", uid,
                   " stands for every user that this user namespace does not map; map the peer's "
                   "uid, or run it as another user"));
}

absl::StatusOr<Principal> PrincipalOf(KernelUser* user, const NameService& names) {
  absl::StatusOr<std::string> id = UserIdOf(names, user->uid);
  if (!id.ok()) return id.status();
  Principal principal;
  principal.id.type = "user";
  principal.id.id = *std::move(id);
  SetGroups(names, user, &principal);
  principal.parents.emplace_back("uid", absl::StrCat(user->uid));
  if (user->gid.has_value() && IsMappedGroup(*user->gid)) {
    principal.attributes.Set("gid", Value::Int(*user->gid));
  }
  principal.attributes.Set("uid", Value::Int(user->uid));
  principal.host = HostName();
  return principal;
}

const std::string& HostName() {
  static const std::string name = [] {
    utsname uts;
    if (uname(&uts) != 0 || !DefectOf(EntityView{"host", uts.nodename}).empty()) {
      return std::string();
    }
    return std::string(uts.nodename);
  }();
  return name;
}

}  // namespace reeve::socket_internal
