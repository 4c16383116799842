#include "reeve/adapters/socket/ipsec/xfrm_policy.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/text.h"

namespace reeve::socket_internal {
namespace {

// A machine with a hundred thousand tunnels has as many policies `in`.
constexpr size_t kMaxPolicies = 1 << 20;
// The kernel's limit (XFRM_MAX_DEPTH) is 6.
constexpr size_t kMaxTemplates = 16;

IpAddress AddressFrom(const xfrm_address_t& from, int family) {
  IpAddress address;
  address.is_v6 = family == AF_INET6;
  std::memcpy(address.bytes.data(), &from, address.size());
  return address;
}

xfrm_address_t AddressTo(const IpAddress& address) {
  xfrm_address_t to = {};
  std::memcpy(&to, address.bytes.data(), address.size());
  return to;
}

std::optional<IpPrefix> PrefixFrom(const xfrm_address_t& from, int family, int length) {
  const IpPrefix prefix = {AddressFrom(from, family), length};
  if (length > prefix.address.bits()) return std::nullopt;
  return prefix;
}

std::optional<std::vector<XfrmTemplate>> TemplatesFrom(Bytes value) {
  std::vector<XfrmTemplate> templates;
  while (!value.empty()) {
    const std::optional<xfrm_user_tmpl> from = ReadStruct<xfrm_user_tmpl>(value);
    if (!from.has_value() || templates.size() == kMaxTemplates) return std::nullopt;
    if (from->family != AF_INET && from->family != AF_INET6) return std::nullopt;
    XfrmTemplate to;
    to.protocol = from->id.proto;
    to.mode = from->mode;
    to.optional = from->optional != 0;
    to.reqid = from->reqid;
    to.source = AddressFrom(from->saddr, from->family);
    to.destination = AddressFrom(from->id.daddr, from->family);
    templates.push_back(to);
    value.remove_prefix(sizeof(xfrm_user_tmpl));
  }
  return templates;
}

bool SameAs(const XfrmRequirement& a, const XfrmRequirement& b) {
  return a.protocol == b.protocol && a.mode == b.mode && a.reqid == b.reqid &&
         a.source == b.source && a.destination == b.destination;
}

absl::Status Unproved(uint32_t index, absl::string_view what) {
  return MakePeerError(PeerError::kUnproved,
                       absl::StrCat("the inbound IPsec policy ", index, " that covers the peer ",
                                    what, "; see `ip xfrm policy`"));
}

absl::StatusOr<XfrmRequirement> RequirementOf(const XfrmPolicy& policy) {
  // What a policy that drops lets in is nothing; but then the peer's packets do not come by it.
  if (!policy.allow) return Unproved(policy.index, "blocks");
  const XfrmTemplate* required = nullptr;
  for (const XfrmTemplate& t : policy.templates) {
    if (t.optional || (t.protocol != IPPROTO_ESP && t.protocol != IPPROTO_AH)) continue;
    if (required == nullptr || required->protocol == IPPROTO_AH) required = &t;
  }
  if (required == nullptr) return Unproved(policy.index, "lets clear text in");
  if (required->reqid == 0) return Unproved(policy.index, "takes any security association");
  XfrmRequirement requirement = {policy.index,    required->protocol, required->mode,
                                 required->reqid, IpAddress(),        IpAddress()};
  if (required->mode == XFRM_MODE_TUNNEL) {
    requirement.source = required->source;
    requirement.destination = required->destination;
  } else if (required->mode != XFRM_MODE_TRANSPORT) {
    return Unproved(policy.index, "is of neither tunnel nor transport mode");
  }
  return requirement;
}

absl::Status Unavailable(absl::string_view what, int error) {
  return MakePeerError(PeerError::kUnavailable,
                       error == EPERM ? absl::StrCat("the kernel tells ", what,
                                                     " to who has CAP_NET_ADMIN only; give it to "
                                                     "this process")
                                      : absl::StrCat("the kernel did not tell ", what, ": ",
                                                     std::strerror(error), "; try again"));
}

// The text of a small file; nothing, with errno, if it cannot be read.
std::optional<std::string> ReadSmallFile(int folder, const std::string& name) {
  const int fd = openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char text[64];
  const ssize_t size = read(fd, text, sizeof(text));
  const int error = errno;
  close(fd);
  errno = error;
  if (size < 0) return std::nullopt;
  return std::string(text, static_cast<size_t>(size));
}

}  // namespace

std::optional<XfrmPolicy> ParseXfrmPolicy(Bytes body) {
  const std::optional<xfrm_userpolicy_info> info = ReadStruct<xfrm_userpolicy_info>(body);
  if (!info.has_value()) return std::nullopt;
  const xfrm_selector& selector = info->sel;
  // A socket's policy may be of no family.
  if (selector.family != AF_INET && selector.family != AF_INET6 && info->dir <= XFRM_POLICY_FWD) {
    return std::nullopt;
  }
  XfrmPolicy policy;
  policy.index = info->index;
  policy.priority = info->priority;
  policy.direction = info->dir;
  policy.allow = info->action == XFRM_POLICY_ALLOW;
  policy.conditional = selector.ifindex != 0 || (info->flags & XFRM_POLICY_LOCALOK) != 0;
  const std::optional<IpPrefix> source =
      PrefixFrom(selector.saddr, selector.family, selector.prefixlen_s);
  const std::optional<IpPrefix> destination =
      PrefixFrom(selector.daddr, selector.family, selector.prefixlen_d);
  if (!source.has_value() || !destination.has_value()) return std::nullopt;
  policy.source = *source;
  policy.destination = *destination;
  policy.source_port = ntohs(selector.sport);
  policy.source_port_mask = ntohs(selector.sport_mask);
  policy.destination_port = ntohs(selector.dport);
  policy.destination_port_mask = ntohs(selector.dport_mask);
  policy.protocol = selector.proto;

  AttributeReader attributes(body.subspan(std::min(body.size(), sizeof(xfrm_userpolicy_info))));
  while (attributes.Next()) {
    switch (attributes.type()) {
      case XFRMA_TMPL: {
        std::optional<std::vector<XfrmTemplate>> templates = TemplatesFrom(attributes.value());
        if (!templates.has_value()) return std::nullopt;
        policy.templates = *std::move(templates);
        break;
      }
      case XFRMA_POLICY_TYPE: {
        const auto type = ReadStruct<xfrm_userpolicy_type>(attributes.value());
        if (!type.has_value()) return std::nullopt;
        policy.main = type->type == XFRM_POLICY_TYPE_MAIN;
        break;
      }
      case XFRMA_MARK: {
        const auto mark = ReadStruct<xfrm_mark>(attributes.value());
        if (!mark.has_value()) return std::nullopt;
        if (mark->v != 0 || mark->m != 0) policy.conditional = true;
        break;
      }
      case XFRMA_IF_ID: {
        const auto id = ReadStruct<uint32_t>(attributes.value());
        if (!id.has_value()) return std::nullopt;
        if (*id != 0) policy.conditional = true;
        break;
      }
      case XFRMA_SEC_CTX:
        policy.conditional = true;
        break;
      default:
        break;
    }
  }
  if (attributes.malformed()) return std::nullopt;
  return policy;
}

bool Matches(const XfrmPolicy& policy, const XfrmFlow& flow) {
  return policy.source.Contains(flow.source.address) &&
         policy.destination.Contains(flow.destination.address) &&
         (policy.protocol == 0 || policy.protocol == flow.protocol) &&
         ((policy.source_port ^ flow.source.port) & policy.source_port_mask) == 0 &&
         ((policy.destination_port ^ flow.destination.port) & policy.destination_port_mask) == 0;
}

absl::StatusOr<XfrmRequirement> RequirementOf(const std::vector<XfrmPolicy>& policies,
                                              const XfrmFlow& flow) {
  std::vector<const XfrmPolicy*> matching;
  for (const XfrmPolicy& policy : policies) {
    if (policy.direction == XFRM_POLICY_IN && Matches(policy, flow)) {
      matching.push_back(&policy);
    }
  }
  std::stable_sort(matching.begin(), matching.end(), [](const XfrmPolicy* a, const XfrmPolicy* b) {
    return std::pair(a->main, a->priority) < std::pair(b->main, b->priority);
  });
  std::optional<XfrmRequirement> all;
  const XfrmPolicy* certain = nullptr;
  for (const XfrmPolicy* policy : matching) {
    if (certain != nullptr && policy->priority != certain->priority) break;
    absl::StatusOr<XfrmRequirement> one = RequirementOf(*policy);
    if (!one.ok()) return one.status();
    if (all.has_value() && !SameAs(*all, *one)) {
      return Unproved(policy->index,
                      "requires another security association than one that may "
                      "come before it");
    }
    if (policy->main && !policy->conditional && certain == nullptr) {
      certain = policy;
      all = *one;
    }
    if (!all.has_value()) all = *one;
  }
  if (certain != nullptr) return *all;
  if (!matching.empty()) {
    return Unproved(matching.front()->index,
                    "is for some packets only (mark, if_id, dev, ctx, ptype sub), and others are "
                    "let in; have one without");
  }
  return absl::NotFoundError("no inbound IPsec policy covers the peer");
}

absl::StatusOr<std::vector<XfrmPolicy>> ListPolicies(Netlink& netlink) {
  const xfrm_userpolicy_id all = {};
  std::vector<XfrmPolicy> policies;
  bool understood = true;
  NetlinkRequest request(XFRM_MSG_GETPOLICY, NLM_F_DUMP, BytesOf(all));
  const int error = netlink.Ask(request, [&](uint16_t type, Bytes body) {
    if (!understood) return;
    std::optional<XfrmPolicy> policy = ParseXfrmPolicy(body);
    understood = type == XFRM_MSG_NEWPOLICY && policy.has_value() && policies.size() < kMaxPolicies;
    if (understood) policies.push_back(*std::move(policy));
  });
  if (error != 0) return Unavailable("the IPsec policies", error);
  if (!understood) return Unavailable("the IPsec policies", EPROTO);
  return policies;
}

std::optional<XfrmState> ParseXfrmState(Bytes body) {
  const std::optional<xfrm_aevent_id> id = ReadStruct<xfrm_aevent_id>(body);
  if (!id.has_value() || (id->sa_id.family != AF_INET && id->sa_id.family != AF_INET6)) {
    return std::nullopt;
  }
  return XfrmState{AddressFrom(id->saddr, id->sa_id.family), id->reqid};
}

absl::StatusOr<std::optional<XfrmState>> FindState(Netlink& netlink, const IpAddress& destination,
                                                   uint8_t protocol, uint32_t spi) {
  // XFRM_MSG_GETSA would answer with the keys.
  xfrm_aevent_id id = {};
  id.sa_id.daddr = AddressTo(destination);
  id.sa_id.spi = htonl(spi);
  id.sa_id.family = destination.is_v6 ? AF_INET6 : AF_INET;
  id.sa_id.proto = protocol;
  std::optional<XfrmState> state;
  NetlinkRequest request(XFRM_MSG_GETAE, 0, BytesOf(id));
  const int error = netlink.Ask(request, [&](uint16_t type, Bytes body) {
    if (type == XFRM_MSG_NEWAE) state = ParseXfrmState(body);
  });
  if (error == ESRCH) return std::optional<XfrmState>();
  if (error != 0) return Unavailable("the IPsec security associations", error);
  if (!state.has_value()) return Unavailable("the IPsec security associations", EPROTO);
  return state;
}

absl::Status CheckPoliciesApply(bool v6) {
  const std::string path = v6 ? "/proc/sys/net/ipv6/conf" : "/proc/sys/net/ipv4/conf";
  const auto failed = [&path] {
    return MakePeerError(PeerError::kUnavailable,
                         absl::StrCat(path, ": cannot be read: ", std::strerror(errno),
                                      "; mount /proc, for it says whether policies apply"));
  };
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) return failed();
  absl::Status status;
  while (status.ok()) {
    errno = 0;
    const dirent* entry = readdir(folder);
    if (entry == nullptr) {
      if (errno != 0) status = failed();
      break;
    }
    const std::string name = entry->d_name;
    // What new interfaces begin with; and what comes over IPv4's lo is of this machine. IPv6 asks
    // the interface that has this end's address, which may be lo.
    if (name == "." || name == ".." || name == "default" || (!v6 && name == "lo")) continue;
    const std::optional<std::string> value = ReadSmallFile(dirfd(folder), name + "/disable_policy");
    // An interface may go meanwhile.
    if (!value.has_value() && errno == ENOENT && name != "all") continue;
    if (!value.has_value()) {
      status = failed();
    } else if (*value != "0\n") {
      status = MakePeerError(PeerError::kUnproved,
                             absl::StrCat("IPsec policies do not apply to what comes in over ",
                                          Printable(name), "; set net.", v6 ? "ipv6" : "ipv4",
                                          ".conf.", Printable(name), ".disable_policy to 0"));
    }
  }
  closedir(folder);
  return status;
}

}  // namespace reeve::socket_internal
