// Other ways to learn who is at the other end of a socket than to ask this machine's kernel: what a
// TLS session, IPsec or WireGuard proved. PeerOptions::sources names those to ask.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_SOURCE_H_
#define REEVE_ADAPTERS_SOCKET_PEER_SOURCE_H_

#include <sys/socket.h>

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/engine/principal.h"

namespace reeve {

// The socket that a source is asked about. A view: valid during the call.
struct SocketPeer {
  int fd = -1;
  int family = 0;  // AF_UNIX, AF_INET, AF_INET6: the socket's, whatever the addresses
  int type = 0;    // SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
  // Both ends; 0.0.0.0 or :: as the local end of a datagram socket that is bound to no address.
  // Unspecified for AF_UNIX.
  IpEndpoint local;
  IpEndpoint peer;
  // The peer's address is one of this machine's, in this network namespace: what it sends passes
  // over the loopback device, by no tunnel and past no IPsec policy.
  bool peer_is_local = false;
};

// What a source knows of a peer. One of `user` and `host`, or both.
struct PeerIdentity {
  std::optional<Principal> user;
  std::optional<Principal> host;
  // Whether what travels is encrypted. What a source vouches for is always protected against
  // change, or never leaves the machine.
  bool encrypted = false;
};

// Something that vouches for peers. Implementations: TlsPeer, IpsecPeers, WireguardPeers.
//
// Thread-safe, but where an implementation says otherwise.
class PeerSource {
 public:
  // Which of several that know a peer is believed to know it best: the first in this order.
  enum class Mechanism : uint8_t { kTls, kIpsec, kWireguard, kOther };

  virtual ~PeerSource() = default;

  virtual Mechanism mechanism() const = 0;

  // Who is at the other end, now. Asked anew for each token.
  //
  // Errors: NotFound         this source has nothing to do with such a peer: others are asked
  //         any other error  it has, and could not establish who the peer is: the peer gets no
  //                          token, for a weaker one would widen access. Make it by
  //                          MakePeerError(): kUnproved where an identity belongs to the address
  //                          and the path is not proved, kAmbiguous, kUnavailable...
  // Blocks at most for the time that the implementation states, and refuses then.
  virtual absl::StatusOr<PeerIdentity> Identify(const SocketPeer& peer) const = 0;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PEER_SOURCE_H_
