// Who is at the other end of a socket. Start here:
//
//   const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
//   reeve::PeerOptions options;
//   options.origin = reeve::SocketOrigin::kAccepted;
//   const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
//   const reeve::Principal principal =
//       peer.ok() ? peer->principal() : reeve::UnidentifiedPeer(peer.status());
//
// Keep the token with the connection, and decide each request by its principal. doc/peers.md says
// what each kind of peer proves and what it does not.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_H_
#define REEVE_ADAPTERS_SOCKET_PEER_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/socket_origin.h"
#include "reeve/adapters/socket/unix_identity.h"
#include "reeve/engine/principal.h"

namespace reeve {

namespace socket_internal {
struct Kernel;
struct UnixPeer;
}  // namespace socket_internal

struct PeerOptions {
  // AF_UNIX only.
  SocketOrigin origin = SocketOrigin::kUnknown;
  // AF_UNIX only. Refuses a peer whose process has exited: its socket may live on in a child, of
  // which the credentials say nothing. Checked once; PeerToken::alive() tells it later.
  bool require_live_process = false;
  // Who knows the names of users and groups. Null means NameService::System(). Not owned; used
  // during the call only.
  const NameService* names = nullptr;

  // Whether the kernel is asked who owns the other end of a TCP connection within this machine.
  // Without it such peers are known to `sources` only.
  bool local_tcp = true;
  // The same of UDP: who owns, now, the socket that the datagram says it came from. That is weak,
  // for the sender may have gone and its port be another's, a port may be shared, and who may open
  // raw sockets can send in anybody's name. Such a principal has assurance kKernelWeak.
  bool local_udp = false;

  // Who else vouches for peers: TLS, IPsec, WireGuard. In any order; each is asked. Not owned; used
  // during the call only.
  std::vector<const PeerSource*> sources;
};

// Who is at the other end of a socket: the user if one is known, else the host. Made once for a
// connection, after accept(2), or for a datagram; the decisions use principal().
//
// Owns a descriptor of the peer's process where the kernel gives one (pidfd), so that the process
// stays told from a later one of the same number.
//
// Thread-compatible: const methods from any threads, others alone.
class PeerToken {
 public:
  // Identifies the peer of `fd`, of AF_UNIX (stream, seqpacket), or of AF_INET and AF_INET6 (TCP,
  // UDP). `peer` is who sent the datagram, as recvfrom(2) told, if `fd` is a datagram socket that
  // is not connected; else it is ignored. Every call for one connection gives the same identity, or
  // an error; but an administrator who moves an address from one WireGuard or IPsec peer to another
  // moves the connections of that address with it.
  //
  // Who is asked, and who is believed:
  //   AF_UNIX     the kernel, for the credentials of connect(2)
  //   TCP, UDP    each of `options.sources`; and the kernel, if the peer's address is of this
  //               machine and `options` say so
  // A source that has nothing to do with the peer is passed over. One that has, and cannot prove
  // who it is, ends the call with its error: what other sources know is then not used, for a
  // program could choose by what to be known. If several know the user, they must name the same.
  // The user is the principal; if none is known, the host.
  //
  // The principal of a user of this machine:
  //   id             `user:<name>`; `user:uid:<N>` if the uid has no name. No name has a colon.
  //   groups         AF_UNIX: the names of the primary and of the supplementary groups; `gid:<N>`
  //                  for those without a name
  //   groups_complete  false if a group is not mapped in this user namespace, its name could not be
  //                  looked up or cannot be used, or the kernel does not tell supplementary groups
  //                  (before 4.13; of TCP and UDP: none)
  //   parents        `uid:<N>`, always: a rule about it holds whatever the name service says
  //   attributes     `uid`, int; of AF_UNIX `gid` and `pid`, int; no `gid` if it is not mapped
  //   assurance      kKernel; kKernelWeak of UDP, and of AF_UNIX without a pidfd: the kernel
  //   attests
  //                  the ids just as well, and the process cannot be told from a later one of that
  //                  pid. This is so before Linux 6.5, and before 6.16 for a process that has
  //                  exited.
  //   via            "unix", "tcp", "udp"
  //   host           this machine (uname(2)), as of the first call in this process
  //   evidence       AF_UNIX: "pid=812 uid=1000 gid=1000 pidfd=4711": 4711 is the inode of the
  //                  pidfd, unique to the process until the next boot; `unnumbered` before Linux
  //                  6.9, `none` without a pidfd. Then, where it applies: `socket=...`
  //                  (SocketOrigin) and `groups=partial`. TCP, UDP: see doc/peers.md.
  // Principals of other sources are as the header of the source says.
  //
  // Freshness: AF_UNIX: ids, groups and process are of the moment of connect(2). TCP: the uid is
  // that of who made the socket, and the peer still had it open. What the peer did since
  // (setuid(2), executing another program, passing the socket on) is not seen. Names are as fresh
  // as the name service; unmapped ids are told by the overflow ids (65534, and what
  // /proc/sys/kernel said at the first call in this process). Units: ids and pid are those of this
  // process's user and pid namespace. Errors: each has a PeerError, which see for the code and the
  // meaning. No error is ever answered by a weaker identity. Does not own, read or change `fd`,
  // which must stay open during the call, and may be non-blocking. Blocks for the name service:
  // NameService::System() asks what nsswitch.conf(5) says for a number that it does not remember;
  // and for sources that ask a daemon, as long as they state. To never block the thread that
  // accepts, give a NameService of your own, or NameService::Numbers(). Source: unix(7),
  // sock_diag(7), user_namespaces(7), net/core/sock.c of Linux 6.18; the tests show each row on the
  // running kernel, and older kernels by answering in their place.
  static absl::StatusOr<PeerToken> FromSocket(int fd, const sockaddr* peer, socklen_t peer_size,
                                              const PeerOptions& options = PeerOptions());
  // Of a connected socket.
  static absl::StatusOr<PeerToken> FromSocket(int fd, const PeerOptions& options = PeerOptions());

  // Identifies who sent a message that recvmsg(2) took from an AF_UNIX socket, of any type, for
  // which PassCredentials() was called: by the credentials in the message's control data, for which
  // kMessageControlBytes are room enough. Not to be mixed up with the message's own descriptors:
  // close those of SCM_PIDFD and SCM_RIGHTS as always.
  //
  // The principal is as above, but that the ids are the sender's real ones, or others that it has,
  // or, of a sender with CAP_SETUID, CAP_SETGID or CAP_SYS_ADMIN, any: it could become that user as
  // well (unix(7), SCM_CREDENTIALS). Supplementary groups are not told: groups_complete is false.
  // Evidence ends in `socket=message`. `options.origin`, `local_*` and `sources` mean nothing here.
  static absl::StatusOr<PeerToken> FromMessage(const msghdr& message,
                                               const PeerOptions& options = PeerOptions());

  PeerToken(PeerToken&& other) noexcept;
  PeerToken& operator=(PeerToken&& other) noexcept;
  // Not copied: it owns a descriptor. Copy principal(), which is a value.
  PeerToken(const PeerToken&) = delete;
  PeerToken& operator=(const PeerToken&) = delete;
  ~PeerToken();

  // The user if one is known, else the host.
  const Principal& principal() const { return user_.has_value() ? *user_ : *host_; }
  // Null if it is not known. At least one is.
  const Principal* user() const { return user_.has_value() ? &*user_ : nullptr; }
  const Principal* host() const { return host_.has_value() ? &*host_ : nullptr; }

  // Whether what travels cannot be changed on its way: it never leaves this machine's kernel, or is
  // protected by TLS, IPsec or WireGuard; and whether it is encrypted on its way.
  bool secured() const { return secured_; }
  bool encrypted() const { return encrypted_; }

  // What the kernel tells of a user of this machine: -1, or pid 0, where it does not. AF_UNIX: as
  // of connect(2). The pid alone identifies nothing: pids are used again.
  uid_t uid() const { return uid_; }
  gid_t gid() const { return gid_; }
  pid_t pid() const { return pid_; }
  // Whether that uid is told by the address of a datagram alone, which can be forged: of UDP.
  bool uid_forgeable() const { return uid_forgeable_; }

  // What the peer's process may do by, if the kernel told all of it: of AF_UNIX, not of messages.
  // Supplementary groups are sorted.
  const std::optional<UnixIdentity>& unix_identity() const { return unix_identity_; }

  // A pidfd_open(2) descriptor of the process that connected or sent, close-on-exec; -1 if there is
  // none. Owned by this token.
  int pidfd() const { return pidfd_; }
  // The inode of that descriptor, unique to the process until the next boot; nothing if there is
  // none, or it is not numbered (before Linux 6.9).
  std::optional<uint64_t> process_number() const { return process_number_; }

  // Whether that process still runs, now; nothing if there is no pidfd. It may end right after, and
  // its socket may be held by another that lives on. Does not block.
  std::optional<bool> alive() const;

 private:
  friend absl::StatusOr<PeerToken> FromSocketBy(const socket_internal::Kernel& kernel, int fd,
                                                const sockaddr* peer, socklen_t peer_size,
                                                const PeerOptions& options);

  PeerToken() = default;

  // Takes what the kernel says of an AF_UNIX peer.
  static absl::StatusOr<PeerToken> FromUnixPeer(socket_internal::UnixPeer peer,
                                                const PeerOptions& options);
  // Takes what a source says; nothing if that is NotFound.
  absl::Status Take(absl::StatusOr<PeerIdentity> identity);

  std::optional<Principal> user_;
  std::optional<Principal> host_;
  bool secured_ = false;
  bool encrypted_ = false;
  uid_t uid_ = static_cast<uid_t>(-1);
  gid_t gid_ = static_cast<gid_t>(-1);
  bool uid_forgeable_ = false;
  pid_t pid_ = 0;
  int pidfd_ = -1;
  std::optional<uint64_t> process_number_;
  std::optional<UnixIdentity> unix_identity_;
};

// Lets each message that `fd`, an AF_UNIX socket, receives from now on tell who sent it. Call it
// before a peer can send: what waits already has no credentials. An unnamed socket gets a name by
// it (unix(7), SO_PASSCRED).
absl::Status PassCredentials(int fd);
// Room for the control data of a message with credentials and a pidfd, and no descriptors of its
// own.
inline constexpr size_t kMessageControlBytes = CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int));

// The anonymous principal, for a peer that FromSocket() refused: it is decided on and recorded like
// any other. Its evidence is why, and the message of `refusal`: "refused: unmapped: the peer's uid
// 65534 ..."; the word is that of the PeerError. Requires !refusal.ok().
Principal UnidentifiedPeer(const absl::Status& refusal);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PEER_H_
