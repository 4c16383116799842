#include "reeve/adapters/socket/diag/local_peer.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/diag/inet_socket.h"
#include "reeve/adapters/socket/kernel_user.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

absl::Status CouldNotAsk(absl::string_view what, int error) {
  switch (error) {
    case EXDEV:
      return MakePeerError(PeerError::kWrongNamespace,
                           "the socket is of another network namespace than this thread; identify "
                           "its peer in a thread of that namespace");
    case EOPNOTSUPP:
      return MakePeerError(PeerError::kUnavailable,
                           "this kernel does not tell network namespaces apart, so that the peer "
                           "could be taken for another; run Linux 5.14 or later");
    default:
      return MakePeerError(PeerError::kUnavailable,
                           absl::StrCat("the kernel did not tell ", what, ": ",
                                        std::strerror(error), "; try again"));
  }
}

absl::Status Gone() {
  return MakePeerError(PeerError::kStale,
                       "the peer has closed its end, and who it was cannot be told any more; keep "
                       "the connection open until it is answered");
}

// Guard 1, and whatever socket the kernel finds.
absl::StatusOr<InetSocket> Find(const SocketPeer& peer, int protocol, const IpEndpoint& remote) {
  int error = 0;
  Netlink* netlink = ThreadNetlink(NETLINK_SOCK_DIAG, NetworkOf(peer.fd), &error);
  if (netlink == nullptr) return CouldNotAsk("who owns the peer's socket", error);
  InetSocket found;
  error = FindInetSocket(*netlink, protocol, peer.peer, remote, &found);
  if (error == ENOENT) {
    return MakePeerError(PeerError::kNoToken,
                         absl::StrCat("no socket of this machine is at ", peer.peer.ToString(),
                                      "; the peer has gone, or is in another network namespace"));
  }
  if (error != 0) return CouldNotAsk("who owns the peer's socket", error);
  return found;
}

// Guard 5.
absl::StatusOr<LocalPeer> PeerOf(const InetSocket& socket, const IpEndpoint& peer,
                                 absl::string_view state = "") {
  if (absl::Status status = CheckMapped(socket.uid); !status.ok()) return status;
  LocalPeer found{socket.uid, absl::StrCat("uid=", socket.uid, " inode=", socket.inode)};
  if (socket.cgroup != 0) absl::StrAppend(&found.evidence, " cgroup=", socket.cgroup);
  absl::StrAppend(&found.evidence, " peer=", peer.ToString(), state);
  return found;
}

bool Same(const IpEndpoint& a, const IpEndpoint& b) {
  return a.address == b.address && a.port == b.port;
}

// The end of no connection, of the family of `endpoint`.
IpEndpoint Unconnected(const IpEndpoint& endpoint) {
  IpEndpoint none;
  none.address.is_v6 = endpoint.address.is_v6;
  none.address.scope = endpoint.address.scope;
  return none;
}

// The other end of a connection, by guards 1 to 3; or with inode 0 one that waits to be accepted.
absl::StatusOr<InetSocket> FindTcpEnd(const SocketPeer& peer) {
  const absl::StatusOr<InetSocket> found = Find(peer, IPPROTO_TCP, peer.local);
  if (!found.ok()) return found.status();
  if (!Same(found->local, peer.peer) || !Same(found->remote, peer.local)) return Gone();
  switch (found->state) {
    case TCP_ESTABLISHED:
      return found;  // What was closed is in another state, so that inode 0 means not accepted.
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
      if (found->inode != 0) return found;
      return Gone();
    default:
      return Gone();
  }
}

}  // namespace

absl::StatusOr<bool> IsLocalAddress(int fd, const IpAddress& address) {
  if (address.is_loopback()) return true;
  int error = 0;
  Netlink* netlink = ThreadNetlink(NETLINK_ROUTE, NetworkOf(fd), &error);
  if (netlink == nullptr) return CouldNotAsk("the peer's route", error);
  rtmsg route = {};
  route.rtm_family = address.is_v6 ? AF_INET6 : AF_INET;
  route.rtm_dst_len = static_cast<uint8_t>(address.bits());
  NetlinkRequest request(RTM_GETROUTE, 0, BytesOf(route));
  request.Add(RTA_DST, Bytes(address.bytes.data(), address.size()));
  if (address.scope != 0) request.Add(RTA_OIF, BytesOf(address.scope));
  bool local = false;
  error = netlink->Ask(request, [&local](uint16_t type, Bytes body) {
    const std::optional<rtmsg> found = ReadStruct<rtmsg>(body);
    local = type == RTM_NEWROUTE && found.has_value() && found->rtm_type == RTN_LOCAL;
  });
  // A peer to which there is no way, for now, is elsewhere.
  if (error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EINVAL) {
    return false;
  }
  if (error != 0) return CouldNotAsk("the peer's route", error);
  return local;
}

absl::StatusOr<LocalPeer> FindTcpPeer(const SocketPeer& peer) {
  if (Same(peer.local, peer.peer)) {
    return MakePeerError(PeerError::kNoToken,
                         "the socket is connected to itself; pass one that accept() returned");
  }
  absl::StatusOr<InetSocket> found = FindTcpEnd(peer);
  if (!found.ok()) return found.status();
  absl::string_view state;
  if (found->inode == 0) {
    // Nobody has accepted it yet: it is who listens. That is asked in between, for while the
    // connection waits to be accepted the listener is there for which it came.
    const absl::StatusOr<InetSocket> listener = Find(peer, IPPROTO_TCP, Unconnected(peer.peer));
    found = FindTcpEnd(peer);
    if (!found.ok()) return found.status();
    if (found->inode == 0) {
      if (!listener.ok()) return listener.status();
      if (listener->state != TCP_LISTEN || listener->inode == 0 ||
          listener->local.port != peer.peer.port) {
        return Gone();
      }
      found = listener;
      state = " socket=listening";
    }
  }
  // After the kernel was asked: while this end was connected, the other was that peer's.
  tcp_info info;
  socklen_t size = sizeof(info);
  if (getsockopt(peer.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return CouldNotAsk("the state of the socket", errno);
  }
  if (info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_CLOSE_WAIT) return Gone();
  return PeerOf(*found, peer.peer, state);
}

absl::StatusOr<LocalPeer> FindUdpPeer(const SocketPeer& peer) {
  if (peer.local.address.is_unspecified()) {
    return MakePeerError(PeerError::kUnproved,
                         "the socket is bound to no address, so that the peer's cannot be told "
                         "from another with the same port; bind it to one, such as 127.0.0.1");
  }
  if (Same(peer.local, peer.peer)) {
    return MakePeerError(PeerError::kNoToken,
                         "the datagram says it came from the socket that received it; drop it");
  }
  const absl::StatusOr<InetSocket> found = Find(peer, IPPROTO_UDP, peer.local);
  if (!found.ok()) return found.status();
  if (found->inode == 0) return Gone();
  struct stat own;
  if (fstat(peer.fd, &own) != 0) return CouldNotAsk("the socket's inode", errno);
  const bool to_us = found->remote.port == 0 || Same(found->remote, peer.local);
  if (found->local.port != peer.peer.port || !to_us || found->inode == own.st_ino ||
      (!found->local.address.is_unspecified() && found->local.address != peer.peer.address)) {
    return MakePeerError(PeerError::kNoToken,
                         absl::StrCat("no socket of this machine is at ", peer.peer.ToString(),
                                      "; the peer has gone"));
  }
  return PeerOf(*found, peer.peer);
}

}  // namespace reeve::socket_internal
