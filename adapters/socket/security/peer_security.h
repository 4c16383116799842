// What protects the connection to a peer, and who it is, if anybody vouches for it.
#ifndef REEVE_ADAPTERS_SOCKET_SECURITY_PEER_SECURITY_H_
#define REEVE_ADAPTERS_SOCKET_SECURITY_PEER_SECURITY_H_

#include <sys/socket.h>

#include <optional>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/principal.h"

namespace reeve {

// A value.
struct PeerSecurity {
  // What travels cannot be changed on its way, and encrypted: nor read. As PeerToken::secured() and
  // encrypted().
  bool secured = false;
  bool encrypted = false;
  // The user token and the host token: either, both or none.
  std::optional<Principal> user;
  std::optional<Principal> host;
};

// Asks as PeerToken::FromSocket() does. A peer for whom nobody vouches (kNoToken) is an answer
// here: nothing secures it, and it has no token. Every other error is one: an identity that is
// there and is not proved is not nothing.
absl::StatusOr<PeerSecurity> QueryPeerSecurity(int fd, const sockaddr* peer, socklen_t peer_size,
                                               const PeerOptions& options = PeerOptions());

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_SECURITY_PEER_SECURITY_H_
