#include "reeve/adapters/socket/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/kernel.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace socket_internal {
namespace {

bool LiesInPidfs(int pidfd) {
  constexpr long kPidfsMagic = 0x50494446;  // linux/magic.h, PID_FS_MAGIC
  // Asked once: no kernel changes this while it runs.
  static const bool lies = [pidfd] {
    struct statfs fs;
    return fstatfs(pidfd, &fs) == 0 && fs.f_type == kPidfsMagic;
  }();
  return lies;
}

}  // namespace

const Kernel Kernel::kRunning = {::getsockopt, LiesInPidfs};

}  // namespace socket_internal

namespace {

using socket_internal::Kernel;

constexpr std::string_view kVia = "unix";

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

bool IsMapped(uid_t uid) {
  return uid != static_cast<uid_t>(-1) && uid != kDefaultOverflowId && uid != Overflow().uid;
}

bool IsMappedGroup(gid_t gid) {
  return gid != static_cast<gid_t>(-1) && gid != kDefaultOverflowId && gid != Overflow().gid;
}

// The name of this machine; empty if it cannot be that of a host.
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

// What the names of both ends tell of a connected socket.
enum class Shape {
  kAccepted,  // only the own end is named
  kUnclear,   // both are: accepted from a peer that bound its socket, or connected after a bind(2)
  kClient,    // only the peer is: it connected
  kPair,      // neither is
};

absl::StatusOr<Shape> ShapeOf(int fd) {
  sockaddr_un own;
  socklen_t own_size = sizeof(own);
  own.sun_family = AF_UNSPEC;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "fd ", fd, " is not an open socket: ", std::strerror(errno), "; pass a connected one"));
  }
  if (own.sun_family != AF_UNIX) {
    return absl::InvalidArgumentError(absl::StrCat("fd ", fd, " is a socket of address family ",
                                                   own.sun_family, "; pass one of AF_UNIX"));
  }
  int type = 0;
  socklen_t type_size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 ||
      (type != SOCK_STREAM && type != SOCK_SEQPACKET)) {
    return absl::InvalidArgumentError(
        absl::StrCat("fd ", fd, " is an AF_UNIX socket of type ", type,
                     "; pass a stream or seqpacket socket: others have no one peer"));
  }
  sockaddr_un peer;
  socklen_t peer_size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("fd ", fd, " is not connected: ", std::strerror(errno),
                     "; pass the socket that accept() returned, not the listening one"));
  }
  // An unnamed socket has an address without a path.
  const bool own_named = own_size > offsetof(sockaddr_un, sun_path);
  const bool peer_named = peer_size > offsetof(sockaddr_un, sun_path);
  if (own_named) return peer_named ? Shape::kUnclear : Shape::kAccepted;
  return peer_named ? Shape::kClient : Shape::kPair;
}

absl::Status CheckOrigin(Shape shape, SocketOrigin origin) {
  if (shape == Shape::kAccepted || origin == SocketOrigin::kInherited) return absl::OkStatus();
  switch (shape) {
    case Shape::kPair:
      return absl::UnauthenticatedError(
          "the socket is an end of a socketpair, whose credentials are those of its maker; set "
          "SocketOrigin::kInherited if you mean that process");
    case Shape::kClient:
      return absl::UnauthenticatedError(
          "the socket was connected, not accepted, and its credentials are those of who called "
          "listen(); set SocketOrigin::kInherited if you mean that process");
    default:
      if (origin == SocketOrigin::kAccepted) return absl::OkStatus();
      return absl::UnauthenticatedError(
          "the socket and its peer are both named, so it may be accepted or connected; set "
          "SocketOrigin::kAccepted if accept() returned it");
  }
}

std::string_view EvidenceOf(Shape shape) {
  switch (shape) {
    case Shape::kAccepted:
      return "";
    case Shape::kUnclear:
      return " socket=unclear";
    case Shape::kClient:
      return " socket=client";
    case Shape::kPair:
      return " socket=pair";
  }
  return "";
}

absl::Status Refused(std::string_view option, int error) {
  return absl::UnavailableError(
      absl::StrCat("the kernel did not tell ", absl::string_view(option.data(), option.size()),
                   " of the peer: ", std::strerror(error), "; try again"));
}

absl::StatusOr<ucred> CredentialsOf(const Kernel& kernel, int fd) {
  ucred credentials = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  socklen_t size = sizeof(credentials);
  if (kernel.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Refused("SO_PEERCRED", errno);
  }
  if (size != sizeof(credentials) || credentials.uid == static_cast<uid_t>(-1)) {
    return absl::UnauthenticatedError(
        "the kernel has no credentials of the peer; pass a socket of a program that connected");
  }
  if (!IsMapped(credentials.uid)) {
    return absl::UnauthenticatedError(
        absl::StrCat("the peer's uid ", credentials.uid,
                     " stands for every user that this user namespace does not map; map the "
                     "peer's uid, or run it as another user"));
  }
  if (credentials.pid <= 0) {
    return absl::UnauthenticatedError(
        absl::StrCat("the peer, of uid ", credentials.uid,
                     ", is in a pid namespace that cannot be seen from this one; run the server "
                     "in its namespace or in a parent of it"));
  }
  return credentials;
}

using GroupIds = absl::InlinedVector<gid_t, 64>;
constexpr size_t kMaxSupplementaryGroups = 65536;  // NGROUPS_MAX of Linux

// Fills `groups` with the supplementary groups. Sets `*known` to false if the kernel does not tell
// them.
absl::Status GetGroups(const Kernel& kernel, int fd, GroupIds* groups, bool* known) {
  groups->resize(64);
  // The list cannot change, so that the second call has the room which the first asked for.
  for (int attempt = 0; attempt < 2; ++attempt) {
    socklen_t size = groups->size() * sizeof(gid_t);
    if (kernel.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups->data(), &size) == 0) {
      *known = true;
      groups->resize(size / sizeof(gid_t));
      return absl::OkStatus();
    }
    if (errno == ENOPROTOOPT) {
      *known = false;
      groups->clear();
      return absl::OkStatus();
    }
    if (errno != ERANGE || size > kMaxSupplementaryGroups * sizeof(gid_t)) break;
    groups->resize(size / sizeof(gid_t));
  }
  return Refused("SO_PEERGROUPS", errno);
}

struct Process {
  int pidfd = -1;
  bool exited = false;  // Known to have; says nothing without a pidfd otherwise.
};

absl::StatusOr<Process> ProcessOf(const Kernel& kernel, int fd) {
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  if (kernel.getsockopt(fd, SOL_SOCKET, socket_internal::kPeerPidfd, &pidfd, &size) == 0) {
    return Process{pidfd, false};
  }
  switch (errno) {
    case ENOPROTOOPT:  // Before Linux 6.5.
      return Process{-1, false};
    case ESRCH:  // From 6.5 until 6.15, of a process that was reaped; EINVAL in the earlier of
                 // them.
    case EINVAL:
      return Process{-1, true};
    case EMFILE:
    case ENFILE:
      return absl::UnavailableError(
          absl::StrCat("no descriptor is left for the peer's process: ", std::strerror(errno),
                       "; raise the limit or close connections"));
    default:
      return Refused("SO_PEERPIDFD", errno);
  }
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
    return absl::UnavailableError(
        absl::StrCat("the user of the peer is not known: ", name.status().message()));
  }
  if (!name->has_value()) return absl::StrCat("uid:", uid);
  if (const std::string_view defect = DefectOfName("user", **name); !defect.empty()) {
    // Neither the name nor the number will do: a rule may be meant for the one or the other.
    return absl::UnauthenticatedError(absl::StrCat(
        "the name of uid ", uid, ", `", Printable(**name), "`, cannot be that of a principal: ",
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

// Sets the groups of `principal`, and sorts `supplementary`; its groups_complete becomes false
// where one is in doubt.
void SetGroups(const NameService& names, gid_t primary, GroupIds* supplementary,
               Principal* principal) {
  std::sort(supplementary->begin(), supplementary->end());
  supplementary->erase(std::unique(supplementary->begin(), supplementary->end()),
                       supplementary->end());
  principal->groups.reserve(supplementary->size() + 1);
  const auto add = [&](gid_t gid) {
    bool certain = false;
    // The overflow id stands for any group, and its name for none of them.
    if (IsMappedGroup(gid) && principal->groups.size() < kMaxGroups) {
      principal->groups.push_back(GroupIdOf(names, gid, &certain));
    }
    if (!certain) principal->groups_complete = false;
  };
  add(primary);
  for (const gid_t gid : *supplementary) {
    if (gid != primary) add(gid);
  }
}

std::string PidfdEvidence(const Kernel& kernel, int pidfd) {
  if (pidfd < 0) return "none";
  struct stat file;
  if (!kernel.has_pidfs(pidfd) || fstat(pidfd, &file) != 0) return "unnumbered";
  return absl::StrCat(file.st_ino);
}

}  // namespace

absl::StatusOr<PeerToken> FromSocketBy(const Kernel& kernel, int fd, const PeerOptions& options) {
  // What is asked of other sockets than connected ones of AF_UNIX succeeds, with invalid ids: so
  // the socket is looked at first.
  const absl::StatusOr<Shape> shape = ShapeOf(fd);
  if (!shape.ok()) return shape.status();
  if (absl::Status status = CheckOrigin(*shape, options.origin); !status.ok()) return status;
  const absl::StatusOr<ucred> credentials = CredentialsOf(kernel, fd);
  if (!credentials.ok()) return credentials.status();
  bool groups_known = false;
  GroupIds groups;
  if (absl::Status status = GetGroups(kernel, fd, &groups, &groups_known); !status.ok()) {
    return status;
  }
  const absl::StatusOr<Process> process = ProcessOf(kernel, fd);
  if (!process.ok()) return process.status();

  PeerToken token;
  token.pidfd_ = process->pidfd;
  token.uid_ = credentials->uid;
  token.gid_ = credentials->gid;
  token.pid_ = credentials->pid;
  if (options.require_live_process && !token.alive().value_or(false)) {
    return absl::UnauthenticatedError(
        token.pidfd_ >= 0 || process->exited
            ? absl::StrCat("the process that connected, pid ", token.pid_,
                           ", has exited; connect from a process that lives on")
            : std::string("this kernel cannot tell whether the process that connected lives; run "
                          "Linux 6.5 or later, or do not require it"));
  }

  const NameService& names = options.names != nullptr ? *options.names : NameService::System();
  absl::StatusOr<std::string> user = UserIdOf(names, token.uid_);
  if (!user.ok()) return user.status();

  Principal& principal = token.principal_;
  principal.id.type = "user";
  principal.id.id = *std::move(user);
  principal.assurance = token.pidfd_ >= 0 ? Assurance::kKernel : Assurance::kKernelWeak;
  principal.groups_complete = groups_known;
  SetGroups(names, token.gid_, &groups, &principal);
  principal.parents.emplace_back("uid", absl::StrCat(token.uid_));
  if (IsMappedGroup(token.gid_)) principal.attributes.Set("gid", Value::Int(token.gid_));
  principal.attributes.Set("pid", Value::Int(token.pid_));
  principal.attributes.Set("uid", Value::Int(token.uid_));
  principal.via = kVia;
  principal.host = HostName();
  const std::string_view socket = EvidenceOf(*shape);
  absl::StrAppend(&principal.evidence, "pid=", token.pid_, " uid=", token.uid_, " gid=", token.gid_,
                  " pidfd=", PidfdEvidence(kernel, token.pidfd_),
                  absl::string_view(socket.data(), socket.size()),
                  principal.groups_complete ? "" : " groups=partial");
  return token;
}

absl::StatusOr<PeerToken> PeerToken::FromSocket(int fd, const PeerOptions& options) {
  return FromSocketBy(Kernel::kRunning, fd, options);
}

PeerToken::PeerToken(PeerToken&& other) noexcept
    : principal_(std::move(other.principal_)),
      uid_(other.uid_),
      gid_(other.gid_),
      pid_(other.pid_),
      pidfd_(std::exchange(other.pidfd_, -1)) {}

PeerToken& PeerToken::operator=(PeerToken&& other) noexcept {
  if (this == &other) return *this;
  if (pidfd_ >= 0) close(pidfd_);
  principal_ = std::move(other.principal_);
  uid_ = other.uid_;
  gid_ = other.gid_;
  pid_ = other.pid_;
  pidfd_ = std::exchange(other.pidfd_, -1);
  return *this;
}

PeerToken::~PeerToken() {
  if (pidfd_ >= 0) close(pidfd_);
}

std::optional<bool> PeerToken::alive() const {
  if (pidfd_ < 0) return std::nullopt;
  pollfd poller = {pidfd_, POLLIN, 0};
  int ready;
  do {
    ready = poll(&poller, 1, 0);
  } while (ready < 0 && errno == EINTR);
  // A pidfd becomes readable when its process exits (pidfd_open(2)). What fails shows no life.
  return ready == 0;
}

Principal UnidentifiedPeer(const absl::Status& refusal) {
  Principal principal;
  principal.via = kVia;
  principal.host = HostName();
  principal.evidence =
      "refused: " + Printable(refusal.ToString(absl::StatusToStringMode::kWithNoExtraData), 500);
  return principal;
}

}  // namespace reeve
