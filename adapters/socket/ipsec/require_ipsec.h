// A socket that speaks by IPsec or not at all.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_REQUIRE_IPSEC_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_REQUIRE_IPSEC_H_

#include <cstdint>

#include "absl/status/status.h"

namespace reeve {

struct RequireIpsecOptions {
  // By ESP, which encrypts unless its proposals name a NULL cipher, and which the kernel's policies
  // do not tell from others: see esp_proposals in swanctl.conf, and PeerToken::encrypted(). Else by
  // AH, which protects against change only.
  bool encrypt = true;
  // Of the security associations to use. Name it for strongSwan's: each has one, which charon
  // chooses, or `reqid` of the child in swanctl.conf says. 0: those without one, as are set by
  // hand; but of what comes in any, so that whoever has an SA here may send to the socket.
  uint32_t reqid = 0;
};

// Lets `fd`, a socket of TCP or UDP over IPv4 or IPv6, send nothing but by IPsec in transport mode,
// and receive nothing else. Call it before bind(2) and connect(2): what comes later cannot undo
// what was sent. Sockets that accept(2) makes of it have the same.
//
// While there is no security association connect(2) and send(2) fail, with EAGAIN for most kernels,
// and no packet of the socket leaves. What the kernel sends for no socket (a reset to a stranger,
// the acknowledgements after close(2)) is not of the socket, and not covered.
//
// The policy is the socket's own (IP_XFRM_POLICY, IPV6_XFRM_POLICY), and takes the place of the
// machine's: tunnels are then of no use for it, and IpsecPeers cannot see it. A socket of IPv6 must
// have IPV6_V6ONLY set, for the policy would not hold for IPv4; leave it set.
//
// Needs CAP_NET_ADMIN in the user namespace of the socket's network namespace.
// Errors: InvalidArgument     kNotSocket, kFamily, kType (see peer_error.h): MPTCP, raw sockets
//         FailedPrecondition  it is bound, listens or is connected; IPV6_V6ONLY is not set; the
//                             process lacks CAP_NET_ADMIN
//         Unavailable         kUnavailable: the kernel has no IPsec, or no memory
// After an error the socket may be restricted in part: close it.
// Source: setsockopt in net/ipv4/ip_sockglue.c and xfrm_user_policy() in net/xfrm/xfrm_state.c of
// Linux 6.18; WSASetSocketSecurity, of which this is the part that needs no policy service.
absl::Status RequireIpsec(int fd, const RequireIpsecOptions& options = RequireIpsecOptions());

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_REQUIRE_IPSEC_H_
