#include "reeve/adapters/socket/capabilities/capabilities.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/genetlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/diag/inet_socket.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/unix/kernel.h"

namespace reeve {
namespace {

using socket_internal::Bytes;
using socket_internal::BytesOf;
using socket_internal::InetSocket;
using socket_internal::Kernel;
using socket_internal::Netlink;
using socket_internal::NetlinkRequest;
using State = Capability::State;

// A descriptor, closed at the end of the scope.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// 0, or an errno.
int GetOption(int fd, int option, void* value, socklen_t size) {
  return getsockopt(fd, SOL_SOCKET, option, value, &size) == 0 ? 0 : errno;
}

std::string Because(const char* what, int error) {
  return absl::StrCat(what, ": ", std::strerror(error));
}

Capability UnixCredentials(int fd) {
  constexpr std::string_view kName = "unix_credentials";
  ucred credentials;
  if (GetOption(fd, SO_PEERCRED, &credentials, sizeof(credentials)) != 0) {
    return {kName, State::kAbsent, "peers of Unix sockets are refused"};
  }
  gid_t groups[1];
  const int error = GetOption(fd, SO_PEERGROUPS, groups, sizeof(groups));
  if (error != 0 && error != ERANGE) {
    return {kName, State::kDegraded,
            "before Linux 4.13: the supplementary groups of peers are not known"};
  }
  return {kName, State::kPresent, "uid, gid, groups and pid of who connected"};
}

void AddPidfds(int fd, std::vector<Capability>* all) {
  int pidfd = -1;
  const int error = GetOption(fd, socket_internal::kPeerPidfd, &pidfd, sizeof(pidfd));
  const Fd process(error == 0 ? pidfd : -1);
  if (error != 0) {
    all->push_back({"unix_pidfd", State::kDegraded,
                    "before Linux 6.5: a peer's process cannot be told from a later one of its "
                    "pid, and its assurance is `kernel_weak`"});
    all->push_back({"pidfd_number", State::kAbsent, "records have no number of the process"});
  } else {
    all->push_back({"unix_pidfd", State::kPresent, "a descriptor of the process that connected"});
    all->push_back(Kernel::kRunning.has_pidfs(pidfd)
                       ? Capability{"pidfd_number", State::kPresent, "unique until the next boot"}
                       : Capability{"pidfd_number", State::kAbsent,
                                    "before Linux 6.9: records have no number of the process"});
  }
  const int on = 1;
  all->push_back(
      setsockopt(fd, SOL_SOCKET, socket_internal::kPassPidfd, &on, sizeof(on)) == 0
          ? Capability{"message_pidfd", State::kPresent, "a descriptor of the process that sent"}
          : Capability{"message_pidfd", State::kDegraded,
                       "before Linux 6.5: senders of messages have assurance `kernel_weak`"});
}

Capability UnixLabel(int fd) {
  char label[256];
  const int error = GetOption(fd, SO_PEERSEC, label, sizeof(label));
  if (error == 0 || error == ERANGE) {
    return {"unix_label", State::kPresent, "a security module labels peers; Reeve does not ask it"};
  }
  return {"unix_label", State::kAbsent, "no security module labels peers; Reeve needs none"};
}

void AddUnix(std::vector<Capability>* all) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    const std::string why = Because("no Unix socket can be made", errno);
    for (const char* name :
         {"unix_credentials", "unix_pidfd", "pidfd_number", "message_pidfd", "unix_label"}) {
      all->push_back({name, State::kUnknown, why});
    }
    return;
  }
  const Fd a(pair[0]), b(pair[1]);
  all->push_back(UnixCredentials(a.get()));
  AddPidfds(a.get(), all);
  all->push_back(UnixLabel(a.get()));
}

std::optional<IpEndpoint> NameOf(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(fd, generic, &size) != 0) return std::nullopt;
  return IpEndpoint::From(generic, size);
}

// Looks for one end of a loopback connection that it makes. Returns 0 or an errno.
int FindOwn(int type, int protocol, InetSocket* found) {
  const Fd server(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const Fd client(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (bind(server.get(), generic, size) != 0 ||
      (type == SOCK_STREAM && listen(server.get(), 1) != 0) ||
      getsockname(server.get(), generic, &size) != 0 || connect(client.get(), generic, size) != 0) {
    return errno;
  }
  const std::optional<IpEndpoint> remote = NameOf(server.get());
  const std::optional<IpEndpoint> local = NameOf(client.get());
  if (!local.has_value() || !remote.has_value()) return EPROTO;
  Netlink netlink;
  if (const int error = netlink.Open(NETLINK_SOCK_DIAG); error != 0) return error;
  return FindInetSocket(netlink, protocol, *local, *remote, found);
}

Capability NetworkNumber() {
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket_internal::NetworkOf(fd.get()) != 0) {
    return {"network_number", State::kPresent, "network namespaces are told apart"};
  }
  return {"network_number", State::kAbsent,
          "before Linux 5.14: peers of TCP and UDP within this machine are refused"};
}

void AddDiag(std::vector<Capability>* all) {
  InetSocket tcp;
  if (const int error = FindOwn(SOCK_STREAM, IPPROTO_TCP, &tcp); error != 0) {
    const std::string why = Because("the kernel does not tell", error);
    all->push_back({"tcp_diag", State::kAbsent,
                    absl::StrCat(why, "; peers of TCP within this machine are refused")});
    all->push_back({"tcp_cgroup", State::kAbsent, why});
  } else {
    all->push_back({"tcp_diag", State::kPresent, "who made the other end of a local connection"});
    all->push_back(tcp.cgroup != 0
                       ? Capability{"tcp_cgroup", State::kPresent, "its control group, in records"}
                       : Capability{"tcp_cgroup", State::kAbsent,
                                    "before Linux 5.8, or without cgroup2: not in records"});
  }
  InetSocket udp;
  const int error = FindOwn(SOCK_DGRAM, IPPROTO_UDP, &udp);
  all->push_back(error == 0 ? Capability{"udp_diag", State::kPresent,
                                         "who owns the sender's address now; `kernel_weak`, and "
                                         "only if asked for"}
                            : Capability{"udp_diag", State::kAbsent,
                                         Because("the kernel does not tell", error)});
}

Capability IpsecPolicy() {
  constexpr std::string_view kName = "ipsec_policy";
  Netlink netlink;
  int error = netlink.Open(NETLINK_XFRM);
  if (error == 0) {
    const xfrm_userpolicy_id all = {};
    NetlinkRequest request(XFRM_MSG_GETPOLICY, NLM_F_DUMP, BytesOf(all));
    error = netlink.Ask(request, [](uint16_t, Bytes) {});
  }
  switch (error) {
    case 0:
      return {kName, State::kPresent, "IPsec policies can be read, as proof of the path"};
    case EPERM:
      return {kName, State::kAbsent, "needs CAP_NET_ADMIN; peers of IPsec are refused"};
    default:
      return {kName, State::kAbsent,
              Because("the kernel has no IPsec, and its peers are refused", error)};
  }
}

// Makes an ESP association that nobody can use, in a network namespace that nobody else is in.
Capability TryEsp() {
  constexpr std::string_view kName = "ipsec_esp";
  if (unshare(CLONE_NEWNET) != 0) {
    return {kName, State::kUnknown,
            Because("trying needs a network namespace, which needs CAP_SYS_ADMIN", errno)};
  }
  Netlink netlink;
  if (const int error = netlink.Open(NETLINK_XFRM); error != 0) {
    return {kName, State::kAbsent, Because("the kernel has no IPsec", error)};
  }
  xfrm_usersa_info info = {};
  info.family = AF_INET;
  info.id.daddr.a4 = htonl(0xC0000201);  // 192.0.2.1, of RFC 5737
  info.id.spi = htonl(0x1000);
  info.id.proto = IPPROTO_ESP;
  info.saddr.a4 = htonl(0xC0000202);
  info.mode = XFRM_MODE_TRANSPORT;
  info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
  info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
  NetlinkRequest request(XFRM_MSG_NEWSA, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, BytesOf(info));
  struct {  // xfrm_algo, whose key is of no size.
    char name[sizeof(xfrm_algo::alg_name)];
    uint32_t bits;
    uint8_t key[32];
  } encryption = {"cbc(aes)", 256, {}}, integrity = {"hmac(sha256)", 256, {}};
  request.Add(XFRMA_ALG_CRYPT, BytesOf(encryption));
  request.Add(XFRMA_ALG_AUTH, BytesOf(integrity));
  const int error = netlink.Ask(request, [](uint16_t, Bytes) {});
  if (error == 0) return {kName, State::kPresent, "ESP in the kernel, which policies can require"};
  return {kName, State::kAbsent,
          Because("no ESP in the kernel: ESP in user space proves no path, and its peers are "
                  "refused",
                  error)};
}

// In a thread, which is gone with its namespace afterwards.
Capability IpsecEsp() {
  Capability result{"ipsec_esp", State::kUnknown, ""};
  pthread_t thread;
  const int error = pthread_create(
      &thread, nullptr,
      [](void* result) -> void* {
        *static_cast<Capability*>(result) = TryEsp();
        return nullptr;
      },
      &result);
  if (error == 0) {
    pthread_join(thread, nullptr);
  } else {
    result.effect = Because("no thread could be made to try", error);
  }
  return result;
}

Capability IpsecSocketPolicy() {
  constexpr std::string_view kName = "ipsec_socket_policy";
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  xfrm_userpolicy_info policy = {};  // An empty policy: what the system's say, holds.
  policy.sel.family = AF_INET;
  policy.dir = XFRM_POLICY_OUT;
  policy.action = XFRM_POLICY_ALLOW;
  if (setsockopt(fd.get(), IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof(policy)) == 0) {
    return {kName, State::kPresent, "a socket can require IPsec before it is connected"};
  }
  return {kName, State::kAbsent,
          errno == EPERM ? "needs CAP_NET_ADMIN; RequireIpsec() is refused"
                         : Because("RequireIpsec() is refused", errno)};
}

Capability Wireguard() {
  constexpr std::string_view kName = "wireguard";
  Netlink netlink;
  int error = netlink.Open(NETLINK_GENERIC);
  if (error == 0) {
    genlmsghdr header = {};
    header.cmd = CTRL_CMD_GETFAMILY;
    header.version = 1;
    constexpr char kFamily[] = "wireguard";
    NetlinkRequest request(GENL_ID_CTRL, 0, BytesOf(header));
    request.Add(CTRL_ATTR_FAMILY_NAME, BytesOf(kFamily));
    error = netlink.Ask(request, [](uint16_t, Bytes) {});
  }
  if (error == 0) return {kName, State::kPresent, "in the kernel"};
  return {kName, State::kDegraded,
          "not in the kernel; devices of wireguard-go and others are asked by their sockets"};
}

// Of this thread.
Capability SwitchUser() {
  constexpr std::string_view kName = "switch_user";
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) {
    return {kName, State::kUnknown, Because("the capabilities cannot be read", errno)};
  }
  const bool uid = (data[0].effective & (1u << CAP_SETUID)) != 0;
  const bool gid = (data[0].effective & (1u << CAP_SETGID)) != 0;
  if (uid && gid) return {kName, State::kPresent, "a thread or a worker can act as a peer's user"};
  return {kName, State::kAbsent,
          absl::StrCat("needs ", uid ? "" : "CAP_SETUID", uid || gid ? "" : " and ",
                       gid ? "" : "CAP_SETGID", "; RunAs() and UserWorkers are refused")};
}

Capability ResolveBeneath() {
  constexpr std::string_view kName = "resolve_beneath";
#ifdef SYS_openat2
  constexpr long kOpenat2 = SYS_openat2;
#else
  constexpr long kOpenat2 = 437;  // Of all architectures but alpha.
#endif
  struct {  // open_how of linux/openat2.h
    uint64_t flags, mode, resolve;
  } how = {O_PATH | O_CLOEXEC, 0, 0};
  const Fd fd(static_cast<int>(syscall(kOpenat2, AT_FDCWD, "/", &how, sizeof(how))));
  if (fd.get() >= 0) return {kName, State::kPresent, "UserWorkers can bound how paths resolve"};
  return {kName, State::kAbsent, Because("UserWorkers cannot bound how paths resolve", errno)};
}

}  // namespace

std::string_view ToString(Capability::State state) {
  switch (state) {
    case State::kPresent:
      return "present";
    case State::kDegraded:
      return "degraded";
    case State::kAbsent:
      return "absent";
    case State::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::vector<Capability> Capabilities() {
  std::vector<Capability> all;
  AddUnix(&all);
  all.push_back(NetworkNumber());
  AddDiag(&all);
  all.push_back(IpsecPolicy());
  all.push_back(IpsecEsp());
  all.push_back(IpsecSocketPolicy());
  all.push_back(Wireguard());
  all.push_back(SwitchUser());
  all.push_back(ResolveBeneath());
  return all;
}

}  // namespace reeve
