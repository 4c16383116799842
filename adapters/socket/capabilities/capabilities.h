// What this kernel and this machine offer for telling who a peer is and acting for it, and what is
// weaker for want of it. For operators and for start-up checks.
#ifndef REEVE_ADAPTERS_SOCKET_CAPABILITIES_CAPABILITIES_H_
#define REEVE_ADAPTERS_SOCKET_CAPABILITIES_CAPABILITIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve {

// A value.
struct Capability {
  enum class State : uint8_t {
    kPresent,
    kDegraded,  // it works, and proves or protects less; `effect` says what
    kAbsent,    // what needs it is refused; `effect` says what
    kUnknown,   // it could not be tried; `effect` says why
  };

  // Stable, for programs: "unix_pidfd", "tcp_diag"...
  std::string_view name;
  State state = State::kUnknown;
  std::string effect;  // For a person, one line; what is there, or what is missing for want of it.
};

// "present", "degraded", "absent", "unknown".
std::string_view ToString(Capability::State state);

// Tries each on the running kernel, in this order:
//   unix_credentials   SO_PEERCRED and SO_PEERGROUPS
//   unix_pidfd         SO_PEERPIDFD (Linux 6.5): a peer's process told from a later one of its pid
//   pidfd_number       pidfs (6.9): a number of the process for records
//   message_pidfd      SO_PASSPIDFD (6.5): the same for messages
//   unix_label         SO_PEERSEC: a security label (SELinux, Smack, AppArmor); for information
//   network_number     SO_NETNS_COOKIE (5.14): network namespaces told apart
//   tcp_diag           who owns the other end of a TCP connection within this machine
//   tcp_cgroup         the control group of that socket (5.8)
//   udp_diag           the same of UDP, which is weak in any case
//   ipsec_policy       reading IPsec policies, for IpsecPeers; needs CAP_NET_ADMIN
//   ipsec_esp          ESP in the kernel
//   ipsec_socket_policy  RequireIpsec()
//   wireguard          WireGuard in the kernel; else devices of wireguard-go and others
//   switch_user        RunAs(): CAP_SETUID and CAP_SETGID
//   resolve_beneath    openat2(2) (5.6), for UserWorkers
// Opens sockets on the loopback device, and for ipsec_esp a network namespace of its own, in a
// thread of its own; leaves nothing behind. Takes some milliseconds, and may load kernel modules.
// Thread-safe.
std::vector<Capability> Capabilities();

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_CAPABILITIES_CAPABILITIES_H_
