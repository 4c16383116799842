#include "reeve/adapters/socket/wireguard/device_link.h"

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>

namespace reeve::socket_internal {
namespace {

// Of an attribute that ends in a NUL.
std::string_view TextOf(Bytes value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  return text.substr(0, text.find('\0'));
}

// Whether the description of a TUN device says that one program has it and that it ends with that.
std::optional<bool> IsExclusiveTun(Bytes data) {
  // Each must be told: kernels before 4.17 tell none.
  std::optional<uint8_t> type, persistent, queues;
  AttributeReader attributes(data);
  while (attributes.Next()) {
    const std::optional<uint8_t> value = ReadStruct<uint8_t>(attributes.value());
    if (attributes.type() == IFLA_TUN_TYPE) type = value;
    if (attributes.type() == IFLA_TUN_PERSIST) persistent = value;
    if (attributes.type() == IFLA_TUN_MULTI_QUEUE) queues = value;
  }
  if (attributes.malformed()) return std::nullopt;
  return type == IFF_TUN && persistent == 0 && queues == 0;
}

// Of IFLA_LINKINFO.
std::optional<DeviceLink::Kind> KindOf(Bytes info) {
  std::string_view kind;
  Bytes data;
  AttributeReader attributes(info);
  while (attributes.Next()) {
    if (attributes.type() == IFLA_INFO_KIND) kind = TextOf(attributes.value());
    if (attributes.type() == IFLA_INFO_DATA) data = attributes.value();
  }
  if (attributes.malformed()) return std::nullopt;
  if (kind == "wireguard") return DeviceLink::Kind::kWireguard;
  if (kind != "tun") return DeviceLink::Kind::kOther;
  const std::optional<bool> exclusive = IsExclusiveTun(data);
  if (!exclusive.has_value()) return std::nullopt;
  return *exclusive ? DeviceLink::Kind::kTun : DeviceLink::Kind::kSharedTun;
}

}  // namespace

bool IsDeviceName(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c != 0x7F && c != '/' && c != ':'; });
}

std::optional<DeviceLink> ParseDeviceLink(Bytes body) {
  const std::optional<ifinfomsg> header = ReadStruct<ifinfomsg>(body);
  if (!header.has_value() || header->ifi_index <= 0) return std::nullopt;
  DeviceLink link;
  link.index = static_cast<uint32_t>(header->ifi_index);
  AttributeReader attributes(body.subspan(sizeof(ifinfomsg)));
  while (attributes.Next()) {
    if (attributes.type() == IFLA_IFNAME) link.name = TextOf(attributes.value());
    if (attributes.type() != IFLA_LINKINFO) continue;
    const std::optional<DeviceLink::Kind> kind = KindOf(attributes.value());
    if (!kind.has_value()) return std::nullopt;
    link.kind = *kind;
  }
  if (attributes.malformed() || !IsDeviceName(link.name)) return std::nullopt;
  return link;
}

int FindDeviceLink(Netlink& netlink, uint32_t index, const std::string& name, DeviceLink* link) {
  if (index == 0 && !IsDeviceName(name)) return ENODEV;
  ifinfomsg header = {};
  header.ifi_index = static_cast<int>(index);
  NetlinkRequest request(RTM_GETLINK, 0, BytesOf(header));
  if (index == 0) {
    request.Add(IFLA_IFNAME,
                Bytes(reinterpret_cast<const uint8_t*>(name.c_str()), name.size() + 1));
  }
  std::optional<DeviceLink> found;
  const int error = netlink.Ask(request, [&found](uint16_t type, Bytes body) {
    if (type == RTM_NEWLINK) found = ParseDeviceLink(body);
  });
  if (error != 0) return error;
  if (!found.has_value() || (index != 0 ? found->index != index : found->name != name)) {
    return EPROTO;
  }
  *link = *std::move(found);
  return 0;
}

}  // namespace reeve::socket_internal
