// What the kernel lets in, by its IPsec policies (ip-xfrm(8)). Private to adapters/socket.
//
// A packet that reaches a socket of this machine is looked up in the policies of direction `in`.
// The one that matches it and has the lowest priority decides: its templates say by what security
// associations (SA) the packet must have come, and a packet that came by none of them is dropped.
// A packet that no policy matches is let in.
// Source: net/xfrm/xfrm_policy.c of Linux 6.1 and 6.18: __xfrm_policy_check(), xfrm_policy_ok(),
// xfrm_state_ok(), xfrm_policy_match(); net/xfrm/xfrm_user.c.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_XFRM_POLICY_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_XFRM_POLICY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/netlink/netlink.h"

namespace reeve::socket_internal {

// A template of a policy.
struct XfrmTemplate {
  uint8_t protocol = 0;   // IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP
  uint8_t mode = 0;       // XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL
  bool optional = false;  // "level use": what comes without such an SA is let in all the same.
  uint32_t reqid = 0;     // Of the SA; 0 is any.
  IpAddress source;       // The ends of a tunnel.
  IpAddress destination;
};

struct XfrmPolicy {
  uint32_t index = 0;
  uint32_t priority = 0;  // The lowest comes first.
  uint8_t direction = 0;  // XFRM_POLICY_IN...; those beyond XFRM_POLICY_FWD belong to a socket.
  bool main = true;       // Not of the second table (CONFIG_XFRM_SUB_POLICY), looked up first.
  bool allow = false;     // Not: drops what it matches.
  // It matches only packets with a mark, of an interface, or of a security context. A socket does
  // not tell those of the packets that it got.
  bool conditional = false;
  IpPrefix source;
  IpPrefix destination;
  uint16_t source_port = 0;
  uint16_t source_port_mask = 0;
  uint16_t destination_port = 0;
  uint16_t destination_port_mask = 0;
  uint8_t protocol = 0;  // 0 is any.
  std::vector<XfrmTemplate> templates;
};

// What a socket receives from one peer.
struct XfrmFlow {
  IpEndpoint source;       // The peer.
  IpEndpoint destination;  // This end.
  uint8_t protocol = 0;    // IPPROTO_TCP, IPPROTO_UDP
};

// By what SA each packet of a flow must have come to be let in.
struct XfrmRequirement {
  uint32_t index = 0;  // Of the policy that requires it.
  uint8_t protocol = 0;
  uint8_t mode = 0;
  uint32_t reqid = 0;  // Not 0.
  // Of a tunnel; else unspecified.
  IpAddress source;
  IpAddress destination;
};

// The body of a message XFRM_MSG_NEWPOLICY; nothing if it is malformed.
std::optional<XfrmPolicy> ParseXfrmPolicy(Bytes body);

bool Matches(const XfrmPolicy& policy, const XfrmFlow& flow);

// What the policies require of `flow`. Where it cannot be told which one decides, each that may
// must require the same: those of the same priority, of which the kernel takes the older one,
// conditional ones that come first, and those of the second table, though the kernel adds them.
// Errors: NotFound   no policy matches: whatever comes is let in
//         kUnproved  the policy lets in what did not come by one certain SA
absl::StatusOr<XfrmRequirement> RequirementOf(const std::vector<XfrmPolicy>& policies,
                                              const XfrmFlow& flow);

// All policies of the network namespace of `netlink`, a socket of NETLINK_XFRM.
// Errors: kUnavailable. The kernel tells policies to who has CAP_NET_ADMIN.
absl::StatusOr<std::vector<XfrmPolicy>> ListPolicies(Netlink& netlink);

// What the kernel has of an SA, without its keys.
struct XfrmState {
  IpAddress source;
  uint32_t reqid = 0;
};

// The body of a message XFRM_MSG_NEWAE; nothing if it is malformed.
std::optional<XfrmState> ParseXfrmState(Bytes body);

// The SA to which packets with that outer destination, protocol and SPI belong; nothing if there is
// none. Errors: kUnavailable.
absl::StatusOr<std::optional<XfrmState>> FindState(Netlink& netlink, const IpAddress& destination,
                                                   uint8_t protocol, uint32_t spi);

// Whether the policies are applied to what comes in over any interface: by the sysctls
// net.ipv4.conf.*.disable_policy, or those of IPv6, of the calling thread's network namespace.
// Errors: kUnproved, kUnavailable.
// Source: ip-sysctl of the kernel's documentation; include/net/xfrm.h, __xfrm_policy_check2().
absl::Status CheckPoliciesApply(bool v6);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_XFRM_POLICY_H_
