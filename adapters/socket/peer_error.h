// Why a peer has no token, for programs. A status from this folder has a code and a message for a
// person; where the reason is one of these it has that, too.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_ERROR_H_
#define REEVE_ADAPTERS_SOCKET_PEER_ERROR_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace reeve {

// The numbers are this version's; records have the names.
enum class PeerError : uint8_t {
  // The call is wrong: InvalidArgument, but kNotConnected is FailedPrecondition.
  kNotSocket,       // the descriptor is closed, or no socket
  kFamily,          // neither AF_UNIX nor AF_INET nor AF_INET6
  kType,            // such a type or protocol has no peer token: raw, SCTP, MPTCP
  kAddressMissing,  // a datagram socket, and no address of the sender
  kAddressShort,    // the address is shorter than its family's
  kAddressFamily,   // the address is of another family than the socket
  kNotConnected,    // the socket has no peer, or no longer
  // No identity: Unauthenticated.
  kNoToken,         // nobody vouches for this peer
  kOrigin,          // the socket is not what PeerOptions::origin asks for
  kStale,           // the peer has gone, so that who answers to its address may be another
  kWrongNamespace,  // the socket is of another network namespace than the calling thread
  kUnmapped,        // the peer's user or process is not of this user or pid namespace
  kBadName,         // the peer's name cannot be that of a principal
  kUnproved,        // an identity belongs to the address, and nothing proves that it sent this
  kAmbiguous,       // two sources name two users, or one source two peers
  kMismatch,        // the peer is not the one that was expected
  // It could not be asked: Unavailable.
  kUnavailable,  // the kernel, a daemon or a name service did not answer, or not in time
};

// "stale", "wrong_namespace": in the evidence of an UnidentifiedPeer().
std::string_view ToString(PeerError error);

// A status of the code above. `message` says what is wrong and what to do (house rule: lower case,
// no full stop).
absl::Status MakePeerError(PeerError error, std::string_view message);

// The reason that MakePeerError() gave; nothing for another status.
std::optional<PeerError> PeerErrorOf(const absl::Status& status);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PEER_ERROR_H_
