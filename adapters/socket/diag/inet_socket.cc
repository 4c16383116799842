#include "reeve/adapters/socket/diag/inet_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reeve::socket_internal {
namespace {

// The running kernel may be newer than the headers.
constexpr uint16_t kCgroupId = 21;  // INET_DIAG_CGROUP_ID, since Linux 5.8.

IpEndpoint EndpointOf(uint8_t family, const uint32_t (&address)[4], uint16_t port,
                      uint32_t interface) {
  sockaddr_storage storage = {};
  if (family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = port;
    std::memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = port;
    std::memcpy(&in->sin6_addr, address, sizeof(in->sin6_addr));
    if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) in->sin6_scope_id = interface;
  }
  return IpEndpoint::From(reinterpret_cast<sockaddr*>(&storage), sizeof(storage))
      .value_or(IpEndpoint());
}

}  // namespace

std::optional<InetSocket> ParseInetSocket(Bytes body) {
  const std::optional<inet_diag_msg> message = ReadStruct<inet_diag_msg>(body);
  if (!message.has_value() ||
      (message->idiag_family != AF_INET && message->idiag_family != AF_INET6)) {
    return std::nullopt;
  }
  InetSocket socket;
  const inet_diag_sockid& id = message->id;
  socket.state = message->idiag_state;
  socket.local = EndpointOf(message->idiag_family, id.idiag_src, id.idiag_sport, id.idiag_if);
  socket.remote = EndpointOf(message->idiag_family, id.idiag_dst, id.idiag_dport, id.idiag_if);
  socket.inode = message->idiag_inode;
  socket.uid = message->idiag_uid;
  AttributeReader attributes(body.subspan(sizeof(inet_diag_msg)));
  while (attributes.Next()) {
    if (attributes.type() != kCgroupId) continue;
    const std::optional<uint64_t> cgroup = ReadStruct<uint64_t>(attributes.value());
    if (!cgroup.has_value()) return std::nullopt;
    socket.cgroup = *cgroup;
  }
  if (attributes.malformed()) return std::nullopt;
  return socket;
}

int FindInetSocket(Netlink& netlink, int protocol, const IpEndpoint& local,
                   const IpEndpoint& remote, InetSocket* socket) {
  inet_diag_req_v2 request = {};
  request.sdiag_family = local.address.is_v6 ? AF_INET6 : AF_INET;
  request.sdiag_protocol = static_cast<uint8_t>(protocol);
  request.idiag_states = ~0u;
  // TCP is asked by the ends of the socket sought. UDP is asked by those of a datagram that would
  // reach it, which is the other way round (net/ipv4/udp_diag.c, udp_dump_one()).
  const bool udp = protocol == IPPROTO_UDP;
  const IpEndpoint& source = udp ? remote : local;
  const IpEndpoint& destination = udp ? local : remote;
  request.id.idiag_sport = htons(source.port);
  request.id.idiag_dport = htons(destination.port);
  std::memcpy(request.id.idiag_src, source.address.bytes.data(), source.address.size());
  std::memcpy(request.id.idiag_dst, destination.address.bytes.data(), destination.address.size());
  request.id.idiag_if = std::max(local.address.scope, remote.address.scope);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  NetlinkRequest message(SOCK_DIAG_BY_FAMILY, 0, BytesOf(request));
  std::optional<InetSocket> found;
  bool several = false;
  const int error = netlink.Ask(message, [&](uint16_t, Bytes body) {
    several = several || found.has_value();
    found = ParseInetSocket(body);
  });
  if (error != 0) return error;
  if (!found.has_value() || several) return EPROTO;
  *socket = *found;
  return 0;
}

}  // namespace reeve::socket_internal
