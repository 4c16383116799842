#ifndef REEVE_ADAPTERS_SOCKET_SOCKET_ORIGIN_H_
#define REEVE_ADAPTERS_SOCKET_SOCKET_ORIGIN_H_

#include <cstdint>

namespace reeve {

// How the program came by an AF_UNIX socket. The kernel tells the same credentials of each, and
// means something else by them: of an accepted socket those of the process that called connect(2),
// of an end of a socketpair(2) those of the process that made the pair, of a socket that connected
// those of the process that called listen(2).
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

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_SOCKET_ORIGIN_H_
