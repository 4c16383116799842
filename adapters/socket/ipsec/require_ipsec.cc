#include "reeve/adapters/socket/ipsec/require_ipsec.h"

#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve {
namespace {

// The layout that the kernel reads: a policy, and its templates behind it.
struct SocketPolicy {
  xfrm_userpolicy_info policy;
  xfrm_user_tmpl required;
};
static_assert(sizeof(SocketPolicy) == sizeof(xfrm_userpolicy_info) + sizeof(xfrm_user_tmpl));

absl::Status SetPolicy(int fd, int family, uint8_t direction, const RequireIpsecOptions& options) {
  SocketPolicy all;
  std::memset(&all, 0, sizeof(all));
  all.policy.sel.family = static_cast<uint16_t>(family);  // And of all addresses.
  all.policy.lft.soft_byte_limit = all.policy.lft.hard_byte_limit = XFRM_INF;
  all.policy.lft.soft_packet_limit = all.policy.lft.hard_packet_limit = XFRM_INF;
  all.policy.dir = direction;
  all.policy.action = XFRM_POLICY_ALLOW;
  all.policy.share = XFRM_SHARE_ANY;
  all.required.id.proto = options.encrypt ? IPPROTO_ESP : IPPROTO_AH;
  all.required.family = static_cast<uint16_t>(family);
  all.required.reqid = options.reqid;
  all.required.mode = XFRM_MODE_TRANSPORT;
  all.required.share = XFRM_SHARE_ANY;
  all.required.optional = 0;
  all.required.aalgos = all.required.ealgos = all.required.calgos = ~0u;
  const int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = family == AF_INET ? IP_XFRM_POLICY : IPV6_XFRM_POLICY;
  if (setsockopt(fd, level, option, &all, sizeof(all)) == 0) return absl::OkStatus();
  if (errno == EPERM) {
    return absl::FailedPreconditionError(
        "a socket's IPsec policy may be set by who has CAP_NET_ADMIN only; give it to this "
        "process");
  }
  return MakePeerError(PeerError::kUnavailable,
                       absl::StrCat("the kernel did not set the socket's IPsec policy: ",
                                    std::strerror(errno), "; it needs CONFIG_XFRM_USER"));
}

std::optional<int> Option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (getsockopt(fd, level, name, &value, &size) != 0) return std::nullopt;
  return value;
}

}  // namespace

absl::Status RequireIpsec(int fd, const RequireIpsecOptions& options) {
  const std::optional<int> family = Option(fd, SOL_SOCKET, SO_DOMAIN);
  if (!family.has_value()) {
    return MakePeerError(PeerError::kNotSocket,
                         absl::StrCat("descriptor ", fd, " is no open socket"));
  }
  if (*family != AF_INET && *family != AF_INET6) {
    return MakePeerError(PeerError::kFamily,
                         "the socket is neither of IPv4 nor of IPv6, which IPsec protects");
  }
  const std::optional<int> protocol = Option(fd, SOL_SOCKET, SO_PROTOCOL);
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
    return MakePeerError(PeerError::kType, "the socket is neither of TCP nor of UDP");
  }
  sockaddr_storage name;
  socklen_t size = sizeof(name);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0) {
    return absl::FailedPreconditionError("the socket is connected; require IPsec before connect()");
  }
  size = sizeof(name);
  std::optional<IpEndpoint> own;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0) {
    own = IpEndpoint::From(reinterpret_cast<sockaddr*>(&name), size);
  }
  if (!own.has_value() || own->port != 0 || !own->address.is_unspecified() ||
      Option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0) {
    return absl::FailedPreconditionError(
        "the socket is bound, and may have taken clear text; require IPsec before bind()");
  }
  if (*family == AF_INET6 && Option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1) {
    return absl::FailedPreconditionError(
        "the socket speaks IPv4, too, where its policy would not hold; set IPV6_V6ONLY, and use a "
        "second socket for IPv4");
  }
  for (const uint8_t direction : {XFRM_POLICY_OUT, XFRM_POLICY_IN}) {
    if (absl::Status status = SetPolicy(fd, *family, direction, options); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace reeve
