#include "reeve/adapters/socket/ipsec/ipsec_peers.h"

#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ipsec/charon.h"
#include "reeve/adapters/socket/ipsec/ike_name.h"
#include "reeve/adapters/socket/ipsec/sa.h"
#include "reeve/adapters/socket/ipsec/vici.h"
#include "reeve/adapters/socket/ipsec/xfrm_policy.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using socket_internal::Charon;
using socket_internal::CheckPoliciesApply;
using socket_internal::ChildSa;
using socket_internal::Deadline;
using socket_internal::FindState;
using socket_internal::IkeNameRules;
using socket_internal::IkeSa;
using socket_internal::IsDomainName;
using socket_internal::ListPolicies;
using socket_internal::Netlink;
using socket_internal::NetworkOf;
using socket_internal::RequirementOf;
using socket_internal::SelectorHas;
using socket_internal::ThreadNetlink;
using socket_internal::XfrmFlow;
using socket_internal::XfrmPolicy;
using socket_internal::XfrmRequirement;
using socket_internal::XfrmState;

absl::Status Unproved(absl::string_view what) {
  return MakePeerError(PeerError::kUnproved, std::string_view(what.data(), what.size()));
}

bool Covers(const IkeSa& sa, const ChildSa& child, const SocketPeer& peer) {
  const auto has = [](const std::vector<std::string>& selectors, const IpAddress& address) {
    return std::any_of(selectors.begin(), selectors.end(), [&address](const std::string& selector) {
      return SelectorHas(selector, address);
    });
  };
  return sa.established() && child.installed() && has(child.remote, peer.peer.address) &&
         (peer.local.address.is_unspecified() || has(child.local, peer.local.address));
}

// Whether the SA is what the policy requires, but for the kernel's having it.
bool Fulfils(const IkeSa& sa, const ChildSa& child, const XfrmRequirement& requirement) {
  if (child.reqid != requirement.reqid) return false;
  if (child.protocol != (requirement.protocol == IPPROTO_ESP ? "ESP" : "AH")) return false;
  if (child.mode != (requirement.mode == XFRM_MODE_TUNNEL ? "TUNNEL" : "TRANSPORT")) return false;
  return requirement.mode != XFRM_MODE_TUNNEL ||
         (requirement.source == IpAddress::Parse(sa.remote_host) &&
          requirement.destination == IpAddress::Parse(sa.local_host));
}

struct Match {
  const IkeSa* sa;
  const ChildSa* child;
};

// The SA that carries the flow: one of `sas` that covers it, that the policy requires, and that the
// kernel has.
absl::StatusOr<Match> FindCarrier(const std::vector<IkeSa>& sas, const SocketPeer& peer,
                                  const XfrmRequirement& requirement, Netlink& netlink) {
  bool fulfilled = false;
  for (const IkeSa& sa : sas) {
    for (const ChildSa& child : sa.children) {
      if (!Covers(sa, child, peer) || !Fulfils(sa, child, requirement)) continue;
      fulfilled = true;
      const std::optional<IpAddress> local = IpAddress::Parse(sa.local_host);
      const std::optional<IpAddress> remote = IpAddress::Parse(sa.remote_host);
      if (!local.has_value() || !remote.has_value()) continue;
      const absl::StatusOr<std::optional<XfrmState>> state =
          FindState(netlink, *local, requirement.protocol, child.spi_in);
      if (!state.ok()) return state.status();
      if (!state->has_value() || (*state)->reqid != requirement.reqid ||
          (*state)->source != *remote) {
        continue;
      }
      if (!child.protects()) {
        return Unproved(
            absl::StrCat("what comes by the peer's security association can be "
                         "changed on its way: child `",
                         Printable(child.name), "` has no integrity; see its esp_proposals"));
      }
      return Match{&sa, &child};
    }
  }
  if (fulfilled) {
    return Unproved(
        "charon's security association for the peer is not in this machine's kernel: "
        "it does ESP by itself (kernel-libipsec), or serves another network "
        "namespace; use kernel-netlink, and the charon of this namespace");
  }
  return Unproved(absl::StrCat("the inbound IPsec policy ", requirement.index, " requires reqid ",
                               requirement.reqid,
                               ", which is not that of a security association that covers the "
                               "peer; see `ip xfrm policy` and `swanctl --list-sas`"));
}

absl::Status CouldNotAsk(int error) {
  if (error == EXDEV) {
    return MakePeerError(PeerError::kWrongNamespace,
                         "the socket is of another network namespace than this thread; identify "
                         "its peer in a thread of that namespace");
  }
  return MakePeerError(
      PeerError::kUnavailable,
      absl::StrCat("the kernel did not tell its IPsec policies: ", std::strerror(error),
                   "; it needs CONFIG_XFRM_USER, and Linux "
                   "5.14 or later"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<IpsecPeers>> IpsecPeers::Create(const Options& options) {
  if (options.socket_path.empty() || options.socket_path[0] != '/' ||
      options.socket_path.size() >= sizeof(sockaddr_un::sun_path) ||
      options.socket_path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("socket_path: `", Printable(options.socket_path),
                                                   "` is no absolute path of at most ",
                                                   sizeof(sockaddr_un::sun_path) - 1, " bytes"));
  }
  if (options.deadline <= absl::ZeroDuration() || options.deadline > absl::Seconds(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("deadline: ", absl::FormatDuration(options.deadline),
                     " is not between 0 and 1 s; a peer that nobody vouches for in that time is "
                     "to be refused"));
  }
  if (!options.default_realm.empty() && !IsDomainName(options.default_realm)) {
    return absl::InvalidArgumentError(absl::StrCat("default_realm: `",
                                                   Printable(options.default_realm),
                                                   "` is no realm; write one such as example.com"));
  }
  return std::unique_ptr<IpsecPeers>(new IpsecPeers(options));
}

absl::StatusOr<PeerIdentity> IpsecPeers::Identify(const SocketPeer& peer) const {
  if (peer.family != AF_INET && peer.family != AF_INET6) {
    return absl::NotFoundError("no socket of IP");
  }
  if (peer.peer_is_local) return absl::NotFoundError("a peer of this machine uses no IPsec");
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  if (getsockopt(peer.fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) {
    return CouldNotAsk(errno);
  }
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
    return absl::NotFoundError("neither TCP nor UDP");
  }

  int error = 0;
  Netlink* const netlink = ThreadNetlink(NETLINK_XFRM, NetworkOf(peer.fd), &error);
  if (netlink == nullptr) return CouldNotAsk(error);
  const Deadline deadline(options_.deadline);
  absl::StatusOr<Charon> charon = Charon::Ask(options_.socket_path, deadline);
  if (!charon.ok()) return charon.status();
  const absl::StatusOr<std::vector<IkeSa>> sas = charon->Sas();
  if (!sas.ok()) return sas.status();
  const bool covered = std::any_of(sas->begin(), sas->end(), [&peer](const IkeSa& sa) {
    return std::any_of(sa.children.begin(), sa.children.end(),
                       [&](const ChildSa& child) { return Covers(sa, child, peer); });
  });
  if (covered && peer.local.address.is_unspecified()) {
    return Unproved(
        "the socket is bound to no address, so that no IPsec policy can be said to "
        "cover it; bind it to one");
  }

  const absl::StatusOr<std::vector<XfrmPolicy>> policies = ListPolicies(*netlink);
  if (!policies.ok()) return policies.status();
  const XfrmFlow flow = {peer.peer, peer.local, static_cast<uint8_t>(protocol)};
  const absl::StatusOr<XfrmRequirement> requirement = RequirementOf(*policies, flow);
  if (!covered) {
    if (!requirement.ok()) return absl::NotFoundError("no security association covers the peer");
    return MakePeerError(PeerError::kStale,
                         absl::StrCat("the inbound IPsec policy ", requirement->index,
                                      " covers the peer, and charon has no security association "
                                      "for it any more; connect again"));
  }
  if (absl::IsNotFound(requirement.status())) {
    return Unproved(
        "a security association covers the peer, and no inbound IPsec policy of the "
        "kernel does: who writes that address could have sent this in clear text; use "
        "strongSwan's kernel-netlink with `policies = yes`");
  }
  if (!requirement.ok()) return requirement.status();
  if (absl::Status status = CheckPoliciesApply(peer.peer.address.is_v6); !status.ok()) {
    return status;
  }
  const absl::StatusOr<Match> match = FindCarrier(*sas, peer, *requirement, *netlink);
  if (!match.ok()) return match.status();

  // Each identity that has an SA of this reqid could have sent this.
  const IkeNameRules rules = {options_.default_realm, options_.realm_in_capitals,
                              options_.subjects_are_hosts};
  const absl::StatusOr<EntityId> entity = charon->IdentityOf(*match->sa, rules);
  if (!entity.ok()) return entity.status();
  for (const IkeSa& sa : *sas) {
    if (&sa == match->sa) continue;
    const bool same_reqid =
        std::any_of(sa.children.begin(), sa.children.end(),
                    [&](const ChildSa& child) { return child.reqid == requirement->reqid; });
    if (!same_reqid) continue;
    const absl::StatusOr<EntityId> other = charon->IdentityOf(sa, rules);
    if (!other.ok() || *other != *entity) {
      return MakePeerError(
          PeerError::kAmbiguous,
          absl::StrCat("`", Printable(ToString(*entity)), "` and `",
                       Printable(sa.account.empty() ? sa.remote_id : sa.account),
                       "` have security associations of reqid ", requirement->reqid,
                       ", so that either may have sent this; give each peer addresses of its own"));
    }
  }

  Principal principal(*entity, Assurance::kCrypto);
  principal.via = "ipsec";
  principal.evidence = absl::StrCat(
      "ike=", Printable(match->sa->unique_id, 20), " child=", Printable(match->child->name, 60),
      "{", Printable(match->child->unique_id, 20), "} reqid=", requirement->reqid,
      " conn=", Printable(match->sa->connection, 60), " policy=in:", requirement->index,
      " id=", Printable(match->sa->account.empty() ? match->sa->remote_id : match->sa->account),
      " ike-host=", Printable(match->sa->remote_host, 60));
  PeerIdentity identity;
  // Of the same reqid may be several SAs, old and new, of one identity.
  identity.encrypted = true;
  for (const IkeSa& sa : *sas) {
    for (const ChildSa& child : sa.children) {
      if (child.reqid == requirement->reqid && child.spi_in != 0 && !child.encrypts()) {
        identity.encrypted = false;
      }
    }
  }
  if (entity->type == "user") {
    principal.groups_complete = false;
    identity.user = std::move(principal);
  } else {
    principal.host = entity->id;
    identity.host = std::move(principal);
  }
  return identity;
}

}  // namespace reeve
