#include "reeve/adapters/socket/unix/unix_peer.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_number.h"

namespace reeve::socket_internal {
namespace {

// What the names of both ends tell of a connected socket.
enum class Shape {
  kAccepted,  // only the own end is named
  kUnclear,   // both are: accepted from a peer that bound its socket, or connected after a bind(2)
  kClient,    // only the peer is: it connected
  kPair,      // neither is
};

absl::StatusOr<Shape> ShapeOf(int fd, bool own_named) {
  sockaddr_un peer;
  socklen_t peer_size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) {
    return MakePeerError(
        PeerError::kNotConnected,
        absl::StrCat("fd ", fd, " is not connected: ", std::strerror(errno),
                     "; pass the socket that accept() returned, not the listening one"));
  }
  // An unnamed socket has an address without a path.
  const bool peer_named = peer_size > offsetof(sockaddr_un, sun_path);
  if (own_named) return peer_named ? Shape::kUnclear : Shape::kAccepted;
  return peer_named ? Shape::kClient : Shape::kPair;
}

absl::Status CheckOrigin(Shape shape, SocketOrigin origin) {
  if (shape == Shape::kAccepted || origin == SocketOrigin::kInherited) return absl::OkStatus();
  switch (shape) {
    case Shape::kPair:
      return MakePeerError(
          PeerError::kOrigin,
          "the socket is an end of a socketpair, whose credentials are those of its maker; set "
          "SocketOrigin::kInherited if you mean that process");
    case Shape::kClient:
      return MakePeerError(
          PeerError::kOrigin,
          "the socket was connected, not accepted, and its credentials are those of who called "
          "listen(); set SocketOrigin::kInherited if you mean that process");
    default:
      if (origin == SocketOrigin::kAccepted) return absl::OkStatus();
      return MakePeerError(
          PeerError::kOrigin,
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
  return MakePeerError(
      PeerError::kUnavailable,
      absl::StrCat("the kernel did not tell ", absl::string_view(option.data(), option.size()),
                   " of the peer: ", std::strerror(error), "; try again"));
}

// OK if `credentials` are those of somebody.
absl::Status CheckCredentials(const ucred& credentials) {
  if (credentials.uid == static_cast<uid_t>(-1)) {
    return MakePeerError(
        PeerError::kNoToken,
        "the kernel has no credentials of the peer; pass a socket of a program that connected");
  }
  if (absl::Status status = CheckMapped(credentials.uid); !status.ok()) return status;
  if (credentials.pid <= 0) {
    return MakePeerError(
        PeerError::kUnmapped,
        absl::StrCat("the peer, of uid ", credentials.uid,
                     ", is in a pid namespace that cannot be seen from this one; run the server "
                     "in its namespace or in a parent of it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ucred> CredentialsOf(const Kernel& kernel, int fd) {
  ucred credentials = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  socklen_t size = sizeof(credentials);
  if (kernel.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Refused("SO_PEERCRED", errno);
  }
  if (size != sizeof(credentials)) credentials.uid = static_cast<uid_t>(-1);
  if (absl::Status status = CheckCredentials(credentials); !status.ok()) return status;
  return credentials;
}

constexpr size_t kMaxSupplementaryGroups = 65536;  // NGROUPS_MAX of Linux

// Fills in the supplementary groups; none are known if the kernel does not tell them.
absl::Status GetGroups(const Kernel& kernel, int fd, KernelUser* user) {
  auto& groups = user->groups;
  groups.resize(64);
  // The list cannot change, so that the second call has the room which the first asked for.
  for (int attempt = 0; attempt < 2; ++attempt) {
    socklen_t size = groups.size() * sizeof(gid_t);
    if (kernel.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      user->groups_known = true;
      groups.resize(size / sizeof(gid_t));
      return absl::OkStatus();
    }
    if (errno == ENOPROTOOPT) {
      groups.clear();
      return absl::OkStatus();
    }
    if (errno != ERANGE || size > kMaxSupplementaryGroups * sizeof(gid_t)) break;
    groups.resize(size / sizeof(gid_t));
  }
  return Refused("SO_PEERGROUPS", errno);
}

absl::Status NoDescriptorLeft(int error) {
  return MakePeerError(
      PeerError::kUnavailable,
      absl::StrCat("no descriptor is left for the peer's process: ", std::strerror(error),
                   "; raise the limit or close connections"));
}

// Fills in `pidfd` and `exited`.
absl::Status GetProcess(const Kernel& kernel, int fd, UnixPeer* peer) {
  socklen_t size = sizeof(peer->pidfd);
  if (kernel.getsockopt(fd, SOL_SOCKET, kPeerPidfd, &peer->pidfd, &size) == 0) {
    return absl::OkStatus();
  }
  peer->pidfd = -1;
  switch (errno) {
    case ENOPROTOOPT:  // Before Linux 6.5.
      return absl::OkStatus();
    case ESRCH:   // From 6.5 until 6.15, of a process that was reaped;
    case EINVAL:  // in the earlier of them.
      peer->exited = true;
      return absl::OkStatus();
    case EMFILE:
    case ENFILE:
      return NoDescriptorLeft(errno);
    default:
      return Refused("SO_PEERPIDFD", errno);
  }
}

void GetProcessNumber(const Kernel& kernel, UnixPeer* peer) {
  if (peer->pidfd < 0 || !kernel.has_pidfs(peer->pidfd)) return;
  peer->process_number = ProcessNumberOf(peer->pidfd);
}

std::string PidfdEvidence(const UnixPeer& peer) {
  if (peer.pidfd < 0) return "none";
  if (!peer.process_number.has_value()) return "unnumbered";
  return absl::StrCat(*peer.process_number);
}

std::string EvidenceOf(const UnixPeer& peer, gid_t gid) {
  return absl::StrCat("pid=", peer.pid, " uid=", peer.user.uid, " gid=", gid,
                      " pidfd=", PidfdEvidence(peer));
}

}  // namespace

const Kernel Kernel::kRunning = {::getsockopt, LiesInPidfs};

absl::StatusOr<UnixPeer> PeerOfUnixSocket(const Kernel& kernel, int fd, bool named,
                                          SocketOrigin origin) {
  // What is asked of a socket that is not connected succeeds, with invalid ids: so that is looked
  // at first.
  const absl::StatusOr<Shape> shape = ShapeOf(fd, named);
  if (!shape.ok()) return shape.status();
  if (absl::Status status = CheckOrigin(*shape, origin); !status.ok()) return status;
  const absl::StatusOr<ucred> credentials = CredentialsOf(kernel, fd);
  if (!credentials.ok()) return credentials.status();
  UnixPeer peer;
  peer.user.uid = credentials->uid;
  peer.user.gid = credentials->gid;
  peer.pid = credentials->pid;
  if (absl::Status status = GetGroups(kernel, fd, &peer.user); !status.ok()) return status;
  if (absl::Status status = GetProcess(kernel, fd, &peer); !status.ok()) return status;
  GetProcessNumber(kernel, &peer);
  const std::string_view socket = EvidenceOf(*shape);
  peer.evidence = absl::StrCat(EvidenceOf(peer, credentials->gid),
                               absl::string_view(socket.data(), socket.size()));
  return peer;
}

absl::StatusOr<UnixPeer> SenderOfUnixMessage(const Kernel& kernel, const msghdr& message) {
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return MakePeerError(PeerError::kUnavailable,
                         "the control data of the message was cut short; receive it with room "
                         "for kMessageControlBytes");
  }
  ucred credentials = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  std::optional<int> pidfd;  // Negative: why there is none (net/core/scm.c).
  // CMSG_NXTHDR() takes a pointer to what it does not change.
  auto* const header = const_cast<msghdr*>(&message);
  const auto* const end = static_cast<const char*>(message.msg_control) + message.msg_controllen;
  for (const cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr;
       c = CMSG_NXTHDR(header, const_cast<cmsghdr*>(c))) {
    // CMSG_NXTHDR() sees to the header only.
    if (c->cmsg_len > static_cast<size_t>(end - reinterpret_cast<const char*>(c))) break;
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(credentials))) {
      std::memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
    } else if (c->cmsg_type == kScmPidfd && c->cmsg_len == CMSG_LEN(sizeof(int))) {
      std::memcpy(&pidfd.emplace(), CMSG_DATA(c), sizeof(int));
    }
  }
  // Of a message that was sent before, the kernel tells overflow ids, and no process.
  if (credentials.uid == static_cast<uid_t>(-1) ||
      (credentials.pid == 0 && !IsMappedUser(credentials.uid))) {
    return MakePeerError(PeerError::kNoToken,
                         "the message has no credentials; set PassCredentials() on the socket "
                         "before the peer sends");
  }
  if (absl::Status status = CheckCredentials(credentials); !status.ok()) return status;
  UnixPeer peer;
  peer.user.uid = credentials.uid;
  peer.user.gid = credentials.gid;
  peer.pid = credentials.pid;
  if (pidfd.has_value() && *pidfd >= 0) {
    peer.pidfd = fcntl(*pidfd, F_DUPFD_CLOEXEC, 0);
    if (peer.pidfd < 0) return NoDescriptorLeft(errno);
  } else if (pidfd.has_value()) {
    // As with SO_PEERPIDFD, in GetProcess().
    if (*pidfd != -ESRCH && *pidfd != -EINVAL) return NoDescriptorLeft(-*pidfd);
    peer.exited = true;
  }
  GetProcessNumber(kernel, &peer);
  peer.evidence = absl::StrCat(EvidenceOf(peer, credentials.gid), " socket=message");
  return peer;
}

}  // namespace reeve::socket_internal
