// Whom a program expects at the other end of its sockets, checked before the first byte:
//
//   ExpectedPeers expected;
//   expected.Set(fd, nullptr, 0, EntityId("user", "postgres"));
//   connect(fd, ...);
//   absl::StatusOr<PeerToken> server = expected.Check(fd, nullptr, 0, options);
//   if (!server.ok()) ...                     // another, or nobody: the socket is shut down
//   send(fd, ...);
#ifndef REEVE_ADAPTERS_SOCKET_SECURITY_EXPECTED_PEERS_H_
#define REEVE_ADAPTERS_SOCKET_SECURITY_EXPECTED_PEERS_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/mutex.h"

namespace reeve {

// Expectations by socket and, of datagram sockets, by peer. They belong to the socket, not to the
// number of its descriptor: a later socket of that number has none of them (SO_COOKIE, which no
// other socket has until the next boot).
//
// Thread-safe.
class ExpectedPeers {
 public:
  // So many expectations are kept. Those of sockets that were closed stay until Clear().
  static constexpr size_t kMaxExpectations = 65536;

  // Expects `name` at the other end of `fd`, in place of what was expected: `user:postgres`,
  // `host:db.example.com`, `spiffe:example.org/db`. A stream socket must not be connected yet, and
  // `peer` is ignored; a datagram socket needs `peer`, whom it will send to.
  // Errors: InvalidArgument     `name` is no entity, or `peer` is the address 0.0.0.0 or ::
  //         FailedPrecondition  the socket is connected: what it has received already came from
  //                             somebody whom nobody checked
  //         ResourceExhausted   there are kMaxExpectations
  //         kNotSocket, kFamily, kType, kAddressMissing, kAddressShort, kAddressFamily
  absl::Status Set(int fd, const sockaddr* peer, socklen_t peer_size, EntityId name);

  // Expects nobody in particular any more. OK if nobody was. Errors of arguments as Set().
  absl::Status Clear(int fd, const sockaddr* peer, socklen_t peer_size);

  // Who is at the other end, as PeerToken::FromSocket() tells, if it is who is expected; if nobody
  // is expected, whoever it is. Either of the two tokens, the user's or the host's, may be the one
  // that is expected. Call it after connect(2), and of datagram sockets before each sendto(2) that
  // matters; before the first byte, for what is sent is with whoever is there.
  // Errors: kMismatch  somebody is expected, and it is another, or one for whom nobody vouches
  //         else       as PeerToken::FromSocket()
  // On error, if somebody was expected, a stream socket is shut down in both directions, so that a
  // program that does not look at the error sends nothing.
  absl::StatusOr<PeerToken> Check(int fd, const sockaddr* peer, socklen_t peer_size,
                                  const PeerOptions& options) const;

  // Whether somebody in particular is expected.
  bool Expects(int fd, const sockaddr* peer, socklen_t peer_size) const;

  size_t size() const;

 private:
  // The socket's cookie, and the address of the peer as IpEndpoint::ToString() has it, which is
  // empty for stream sockets.
  using Key = std::pair<uint64_t, std::string>;

  static absl::StatusOr<Key> KeyOf(int fd, const sockaddr* peer, socklen_t peer_size, bool* stream);

  mutable Mutex mutex_;
  std::map<Key, EntityId> names_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_SECURITY_EXPECTED_PEERS_H_
