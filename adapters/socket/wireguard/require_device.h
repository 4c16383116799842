#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_REQUIRE_DEVICE_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_REQUIRE_DEVICE_H_

#include <string>

#include "absl/status/status.h"

namespace reeve {

// Lets nothing pass through `fd` but what comes and goes by the WireGuard device `device`: binds it
// to the device (SO_BINDTODEVICE). Call it before bind(2), listen(2) and connect(2): a socket that
// has a port may have received something in clear text. What accept(2) returns has inherited it.
// The like of WSASetSocketSecurity for WireGuard; WireguardPeers then says who the peers are.
//
// Programs on this machine still reach the socket by the device's own address; they are local
// peers, to WireguardPeers, too. If the device is deleted the socket stays bound to what it was,
// and nothing reaches it, also if another of that name is made.
//
// `run_directory` is as in WireguardPeersOptions. If the device is that of a program, the program
// is asked, and must be one to believe (wireguard_peers.h); this waits for it for at most a second.
// Errors: InvalidArgument     `fd` is no socket of AF_INET or AF_INET6, or no device could have
//                             the name
//         FailedPrecondition  the socket has a port, or is bound to another device and this process
//                             may not change that; there is no such device in the calling thread's
//                             network namespace, or it is not WireGuard's
//         Unauthenticated     the socket, or the device's program, is of another network namespace
//                             (kWrongNamespace)
//         Unavailable         it could not be found out, or may not be believed; or this process
//                             may not bind it: that needs CAP_NET_RAW before Linux 5.7
// On an error the socket is as it was. Does not take ownership of `fd`.
absl::Status RequireDevice(int fd, const std::string& device,
                           const std::string& run_directory = "/var/run/wireguard");

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_REQUIRE_DEVICE_H_
