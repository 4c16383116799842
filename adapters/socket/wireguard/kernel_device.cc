#include "reeve/adapters/socket/wireguard/kernel_device.h"

#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

std::optional<IpPrefix> ParseKernelAllowedIp(Bytes attributes) {
  std::optional<uint16_t> family;
  std::optional<uint8_t> length;
  Bytes address;
  AttributeReader reader(attributes);
  while (reader.Next()) {
    if (reader.type() == WGALLOWEDIP_A_FAMILY) family = ReadStruct<uint16_t>(reader.value());
    if (reader.type() == WGALLOWEDIP_A_CIDR_MASK) length = ReadStruct<uint8_t>(reader.value());
    if (reader.type() == WGALLOWEDIP_A_IPADDR) address = reader.value();
  }
  if (reader.malformed() || !family.has_value() || !length.has_value()) return std::nullopt;
  return MakeAllowedIp(*family, address, *length);
}

absl::Status CouldNotAsk(const std::string& name, int error) {
  switch (error) {
    case EXDEV:
      return MakePeerError(PeerError::kWrongNamespace,
                           "the socket is of another network namespace than this thread; identify "
                           "its peer in a thread of that namespace");
    case EPERM:
      return MakePeerError(PeerError::kUnavailable,
                           absl::StrCat("this process may not read the peers of `", name,
                                        "`; give it CAP_NET_ADMIN"));
    case EAGAIN:
      return MakePeerError(
          PeerError::kUnavailable,
          absl::StrCat("`", name, "` was being configured all the time; ask again"));
    default:
      return MakePeerError(PeerError::kUnavailable,
                           absl::StrCat("the kernel did not tell the peers of `", name,
                                        "`: ", std::strerror(error), "; ask again"));
  }
}

int Ask(uint32_t index, uint64_t network, DeviceConfig* config) {
  // A new one each time: of a dump that ends early the rest stays behind.
  Netlink netlink;
  if (const int error = netlink.Open(NETLINK_GENERIC); error != 0) return error;
  if (netlink.network() != network) return EXDEV;
  uint16_t family;
  if (const int error = FindGenericFamily(netlink, WG_GENL_NAME, &family); error != 0) return error;
  genlmsghdr header = {};
  header.cmd = WG_CMD_GET_DEVICE;
  header.version = WG_GENL_VERSION;
  NetlinkRequest request(family, NLM_F_DUMP, BytesOf(header));
  request.Add(WGDEVICE_A_IFINDEX, BytesOf(index));
  KernelDeviceParser parser(index);
  bool other = false;
  const int error = netlink.Ask(request, [&](uint16_t type, Bytes body) {
    other = other || type != family;
    parser.Take(body);
  });
  if (error != 0) return error;
  if (other || !parser.complete()) return EPROTO;
  *config = parser.Release();
  return 0;
}

}  // namespace

bool KernelDeviceParser::Take(Bytes body) {
  malformed_ = malformed_ || !TakeDevice(body);
  return !malformed_;
}

bool KernelDeviceParser::TakeDevice(Bytes body) {
  const std::optional<genlmsghdr> header = ReadStruct<genlmsghdr>(body);
  if (!header.has_value() || header->cmd != WG_CMD_GET_DEVICE) return false;
  Bytes peers;
  AttributeReader reader(body.subspan(sizeof(genlmsghdr)));
  while (reader.Next()) {
    if (reader.type() == WGDEVICE_A_IFINDEX) {
      if (ReadStruct<uint32_t>(reader.value()) != index_) return false;
      index_seen_ = true;
    }
    if (reader.type() == WGDEVICE_A_PEERS) peers = reader.value();
  }
  // The first message says which device it is of.
  if (reader.malformed() || !index_seen_) return false;
  AttributeReader list(peers);
  while (list.Next()) {
    if (!TakePeer(list.value())) return false;
  }
  return !list.malformed();
}

bool KernelDeviceParser::TakePeer(Bytes attributes) {
  std::optional<WireguardKey> key;
  std::optional<int64_t> handshake;
  Bytes allowed_ips;
  AttributeReader reader(attributes);
  while (reader.Next()) {
    const Bytes value = reader.value();
    if (reader.type() == WGPEER_A_PUBLIC_KEY) {
      if (value.size() != WG_KEY_LEN) return false;
      key.emplace();
      std::copy(value.begin(), value.end(), key->begin());
    }
    if (reader.type() == WGPEER_A_LAST_HANDSHAKE_TIME) {
      const std::optional<__kernel_timespec> time = ReadStruct<__kernel_timespec>(value);
      if (!time.has_value() || time->tv_sec < 0) return false;
      handshake = time->tv_sec;
    }
    if (reader.type() == WGPEER_A_ALLOWEDIPS) allowed_ips = value;
  }
  if (reader.malformed() || !key.has_value()) return false;
  // A peer that goes on in the next message has its key there again, and no handshake.
  if (config_.peers.empty() || config_.peers.back().key != *key) {
    config_.peers.emplace_back();
    config_.peers.back().key = *key;
  }
  ConfiguredPeer& peer = config_.peers.back();
  if (handshake.has_value()) peer.last_handshake = *handshake;
  return TakeAllowedIps(allowed_ips, &peer);
}

bool KernelDeviceParser::TakeAllowedIps(Bytes list, ConfiguredPeer* peer) {
  AttributeReader reader(list);
  while (reader.Next()) {
    const std::optional<IpPrefix> prefix = ParseKernelAllowedIp(reader.value());
    if (!prefix.has_value() || ++allowed_ips_ > kMaxAllowedIps) return false;
    peer->allowed_ips.push_back(*prefix);
  }
  return !reader.malformed();
}

std::optional<uint16_t> ParseGenericFamily(Bytes body) {
  if (!ReadStruct<genlmsghdr>(body).has_value()) return std::nullopt;
  std::optional<uint16_t> type;
  AttributeReader reader(body.subspan(sizeof(genlmsghdr)));
  while (reader.Next()) {
    if (reader.type() == CTRL_ATTR_FAMILY_ID) type = ReadStruct<uint16_t>(reader.value());
  }
  if (reader.malformed() || type < NLMSG_MIN_TYPE) return std::nullopt;
  return type;
}

int FindGenericFamily(Netlink& netlink, std::string_view family, uint16_t* type) {
  genlmsghdr header = {};
  header.cmd = CTRL_CMD_GETFAMILY;
  header.version = 1;
  NetlinkRequest request(GENL_ID_CTRL, 0, BytesOf(header));
  const std::string name(family);
  request.Add(CTRL_ATTR_FAMILY_NAME,
              Bytes(reinterpret_cast<const uint8_t*>(name.c_str()), name.size() + 1));
  std::optional<uint16_t> found;
  const int error =
      netlink.Ask(request, [&found](uint16_t, Bytes body) { found = ParseGenericFamily(body); });
  if (error != 0) return error;
  if (!found.has_value()) return EPROTO;
  *type = *found;
  return 0;
}

absl::StatusOr<DeviceConfig> AskKernelDevice(uint32_t index, const std::string& name,
                                             uint64_t network, const Deadline& deadline) {
  for (;;) {
    DeviceConfig config;
    const int error = Ask(index, network, &config);
    if (error == 0) return config;
    // Its peers changed while they were listed.
    if (error == EAGAIN && !deadline.passed()) continue;
    return CouldNotAsk(name, error);
  }
}

}  // namespace reeve::socket_internal
