// The program at the other end of an AF_UNIX socket. Start here:
//
//   const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
//   reeve::PeerOptions options;
//   options.origin = reeve::SocketOrigin::kAccepted;
//   const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
//   const reeve::Principal principal =
//       peer.ok() ? peer->principal() : reeve::UnidentifiedPeer(peer.status());
//
// Keep the token with the connection, and decide each request by its principal. doc/peers.md says
// what these credentials prove and what they do not.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_H_
#define REEVE_ADAPTERS_SOCKET_PEER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/engine/principal.h"

namespace reeve {

namespace socket_internal {
struct Kernel;
}  // namespace socket_internal

// How the program came by a socket. The kernel tells the same credentials of each, and means
// something else by them: of an accepted socket those of the process that called connect(2), of an
// end of a socketpair(2) those of the process that made the pair, of a socket that connected those
// of the process that called listen(2).
enum class SocketOrigin : uint8_t {
  // The program cannot say. A socket is taken if it has a name and its peer has none, as after
  // accept(2): the socket that connected is the peer's, and a pair has no names.
  //   Refused though accepted: a peer that bound a name to its socket, before connect(2) or later
  //     (sd-bus and `socat bind=` do); from outside this looks like a socket that connected.
  //   Taken though a pair: an end to which somebody bound a name after socketpair(2). So say of
  //     sockets that strangers hand over (SCM_RIGHTS) what they are, or do not identify by them.
  // A socket that another program accepted and handed over, as inetd(8) and systemd.socket(5) with
  // `Accept=yes` do, is taken, and rightly: the credentials are those of who connected.
  kUnknown,
  // accept(2) returned it to this program. A socket of which this cannot be true, for it has no
  // name, is refused.
  kAccepted,
  // Any connected socket. The principal is then whoever made the pair, or called listen(2), which
  // may be this program itself or the program that started it; Principal::evidence says which
  // (`socket=pair`, `socket=client`, `socket=unclear`).
  kInherited,
};

struct PeerOptions {
  SocketOrigin origin = SocketOrigin::kUnknown;
  // Refuses a peer whose process has exited: its socket may live on in a child, of which the
  // credentials say nothing. Checked once; PeerToken::alive() tells it later.
  bool require_live_process = false;
  // Who knows the names of users and groups. Null means NameService::System(). Not owned; used
  // during the call only.
  const NameService* names = nullptr;
};

// Who is at the other end of a connected AF_UNIX stream or seqpacket socket, as the kernel recorded
// it. Made once for a connection, after accept(2); the decisions use principal().
//
// Owns a descriptor of the peer's process where the kernel gives one (pidfd), so that the process
// stays told from a later one of the same number.
//
// Thread-compatible: const methods from any threads, others alone.
class PeerToken {
 public:
  // Identifies the peer of `fd`. Every call for one socket gives the same identity, or an error.
  //
  // The principal:
  //   id             `user:<name>`; `user:uid:<N>` if the uid has no name. No name has a colon.
  //   groups         the names of the primary and of the supplementary groups; `gid:<N>` for those
  //                  without a name
  //   groups_complete  false if a group is not mapped in this user namespace, its name could not be
  //                  looked up or cannot be used, or the kernel does not tell supplementary groups
  //                  (before 4.13)
  //   parents        `uid:<N>`, always: a rule about it holds whatever the name service says
  //   attributes     `uid`, `gid` and `pid`, int; no `gid` if it is not mapped
  //   assurance      kKernel; kKernelWeak without a pidfd: the kernel attests the ids just as well,
  //                  and the process cannot be told from a later one of that pid. This is so before
  //                  Linux 6.5, and before 6.16 for a process that has exited.
  //   via            "unix"
  //   host           this machine (uname(2)), as of the first call in this process
  //   evidence       "pid=812 uid=1000 gid=1000 pidfd=4711": 4711 is the inode of the pidfd, unique
  //                  to the process until the next boot; `unnumbered` before Linux 6.9, `none`
  //                  without a pidfd. Then, where it applies: `socket=...` (SocketOrigin) and
  //                  `groups=partial`.
  //
  // Freshness: ids, groups and process are of the moment of connect(2). What the peer did since
  // (setuid(2), executing another program, passing the socket on, exiting) is not seen. Names are
  // as fresh as the name service; unmapped ids are told by the overflow ids (65534, and what
  // /proc/sys/kernel said at the first call in this process).
  // Units: ids and pid are those of this process's user and pid namespace.
  // Errors: InvalidArgument     `fd` is not an open socket, not AF_UNIX, or neither stream nor
  //                             seqpacket
  //         FailedPrecondition  it is not connected; a listening socket is not
  //         Unauthenticated     the uid is not valid or not mapped; the pid is not of this pid
  //                             namespace; the socket is not what `options.origin` asks for; the
  //                             process has exited, or could have, and `options` require it to
  //                             live; the user's name cannot be that of a principal (it has a
  //                             colon, control characters, is not UTF-8, or is empty or
  //                             too long)
  //         Unavailable         the user's name could not be looked up, no descriptor is left for
  //                             the pidfd, or the kernel refused a question. Never answered by a
  //                             weaker identity.
  // Does not own, read or change `fd`, which must stay open during the call. Blocks only for the
  // name service: NameService::System() asks what nsswitch.conf(5) says for a number that it does
  // not remember. To never block the thread that accepts, give a NameService of your own, or
  // NameService::Numbers().
  // Source: unix(7), user_namespaces(7), net/core/sock.c of Linux 6.18; peer_test.cc shows each row
  // on the running kernel, and older kernels by answering in their place.
  static absl::StatusOr<PeerToken> FromSocket(int fd, const PeerOptions& options = PeerOptions());

  PeerToken(PeerToken&& other) noexcept;
  PeerToken& operator=(PeerToken&& other) noexcept;
  // Not copied: it owns a descriptor. Copy principal(), which is a value.
  PeerToken(const PeerToken&) = delete;
  PeerToken& operator=(const PeerToken&) = delete;
  ~PeerToken();

  const Principal& principal() const { return principal_; }

  // As of connect(2). The pid alone identifies nothing: pids are used again.
  uid_t uid() const { return uid_; }
  gid_t gid() const { return gid_; }
  pid_t pid() const { return pid_; }

  // A pidfd_open(2) descriptor of the process that connected, close-on-exec; -1 if there is none.
  // Owned by this token.
  int pidfd() const { return pidfd_; }

  // Whether that process still runs, now; nothing if there is no pidfd. It may end right after, and
  // its socket may be held by another that lives on. Does not block.
  std::optional<bool> alive() const;

 private:
  friend absl::StatusOr<PeerToken> FromSocketBy(const socket_internal::Kernel& kernel, int fd,
                                                const PeerOptions& options);

  PeerToken() = default;

  Principal principal_;
  uid_t uid_ = static_cast<uid_t>(-1);
  gid_t gid_ = static_cast<gid_t>(-1);
  pid_t pid_ = 0;
  int pidfd_ = -1;
};

// The anonymous principal, for a peer that FromSocket() refused: it is decided on and recorded like
// any other. Its evidence is the code and the message of `refusal`: "refused: UNAUTHENTICATED: the
// peer's uid 65534 ...". Requires !refusal.ok().
Principal UnidentifiedPeer(const absl::Status& refusal);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PEER_H_
