#include "reeve/adapters/socket/netlink/netlink.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"

namespace reeve::socket_internal {
namespace {

#ifdef SO_NETNS_COOKIE
constexpr int kNetnsCookie = SO_NETNS_COOKIE;
#else
constexpr int kNetnsCookie = 71;  // Since Linux 5.14; parisc and sparc need newer headers.
#endif

// More than the kernel puts into one datagram of an answer (NLMSG_GOODSIZE is at most 8 KiB; dumps
// are cut to the room that the reader had last time, at most 32 KiB).
constexpr size_t kDatagramBytes = 32 * 1024;
// Of one answer: 1 GiB and more, far beyond what a dump of this machine has.
constexpr int kMaxDatagrams = 1 << 15;

constexpr size_t Aligned(size_t size) { return (size + 3) & ~size_t{3}; }

// The errno that the kernel says as a negative number.
int ErrorOf(int32_t error) { return error <= 0 && error >= -4095 ? -error : EPROTO; }

// Counts the forks above this process: a socket opened before the last one is shared with the
// parent, and its answers could go to either.
std::atomic<uint32_t> forks{0};

uint32_t Forks() {
  static const bool counted =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); }) == 0;
  // What cannot be counted is taken for a fork at each call, so that no socket is kept.
  if (!counted) forks.fetch_add(1, std::memory_order_relaxed);
  return forks.load(std::memory_order_relaxed);
}

// The user namespace of this process, "user:[4026531837]"; empty if /proc does not tell. The number
// is not another's while a socket is open that was opened in it.
std::string UserNamespace() {
  char text[64];
  const ssize_t size = readlink("/proc/self/ns/user", text, sizeof(text));
  return size < 0 ? std::string() : std::string(text, static_cast<size_t>(size));
}

}  // namespace

bool AttributeReader::Next() {
  if (rest_.empty()) return false;
  const std::optional<nlattr> header = ReadStruct<nlattr>(rest_);
  if (!header.has_value() || header->nla_len < sizeof(nlattr) || header->nla_len > rest_.size()) {
    malformed_ = true;
    rest_ = {};
    return false;
  }
  type_ = header->nla_type & NLA_TYPE_MASK;
  value_ = rest_.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr));
  rest_.remove_prefix(std::min(Aligned(header->nla_len), rest_.size()));
  return true;
}

NetlinkRequest::NetlinkRequest(uint16_t type, uint16_t flags, Bytes body) {
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_flags = NLM_F_REQUEST | flags;
  Append(BytesOf(header));
  Append(body);
}

void NetlinkRequest::Add(uint16_t attribute, Bytes value) {
  nlattr header = {};
  header.nla_type = attribute;
  header.nla_len = static_cast<uint16_t>(sizeof(nlattr) + value.size());
  Append(BytesOf(header));
  Append(value);
}

void NetlinkRequest::Append(Bytes bytes) {
  if (overflow_ || Aligned(bytes.size()) > sizeof(bytes_) - size_) {
    overflow_ = true;
    return;
  }
  std::copy(bytes.begin(), bytes.end(), bytes_ + size_);
  size_ += Aligned(bytes.size());
}

std::optional<int> TakeAnswers(Bytes datagram, uint32_t sequence,
                               absl::FunctionRef<void(uint16_t type, Bytes body)> take) {
  while (!datagram.empty()) {
    const std::optional<nlmsghdr> header = ReadStruct<nlmsghdr>(datagram);
    if (!header.has_value() || header->nlmsg_len < sizeof(nlmsghdr) ||
        header->nlmsg_len > datagram.size()) {
      return EPROTO;
    }
    const Bytes body = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    datagram.remove_prefix(std::min(Aligned(header->nlmsg_len), datagram.size()));
    // What an earlier question was answered that nobody waited for.
    if (header->nlmsg_seq != sequence) continue;
    if (header->nlmsg_type == NLMSG_ERROR) {
      const std::optional<nlmsgerr> error = ReadStruct<nlmsgerr>(body);
      return error.has_value() ? ErrorOf(error->error) : EPROTO;
    }
    // A dump during which what it lists changed may lack a part. Its end may be all that says so.
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) return EAGAIN;
    if (header->nlmsg_type == NLMSG_DONE) {
      return ErrorOf(ReadStruct<int32_t>(body).value_or(0));  // Of a dump that failed.
    }
    if (header->nlmsg_type >= NLMSG_MIN_TYPE) take(header->nlmsg_type, body);
    if ((header->nlmsg_flags & NLM_F_MULTI) == 0) return 0;
  }
  return std::nullopt;
}

Netlink::~Netlink() {
  if (fd_ >= 0) close(fd_);
}

Netlink::Netlink(Netlink&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), network_(other.network_), sequence_(other.sequence_) {}

Netlink& Netlink::operator=(Netlink&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  network_ = other.network_;
  sequence_ = other.sequence_;
  return *this;
}

int Netlink::Open(int protocol) {
  *this = Netlink();
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd_ < 0) return errno;
  // Connected to the kernel, so that what another process sends is not taken for its answer.
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd_, reinterpret_cast<sockaddr*>(&kernel), sizeof(kernel)) != 0) return errno;
  network_ = NetworkOf(fd_);
  return 0;
}

int Netlink::Ask(NetlinkRequest& request, absl::FunctionRef<void(uint16_t type, Bytes body)> take) {
  if (request.overflow_) return EMSGSIZE;
  auto* header = reinterpret_cast<nlmsghdr*>(request.bytes_);
  header->nlmsg_len = static_cast<uint32_t>(request.size_);
  header->nlmsg_seq = ++sequence_;
  if (send(fd_, request.bytes_, request.size_, 0) < 0) return errno;
  alignas(nlmsghdr) uint8_t datagram[kDatagramBytes];
  size_t most = 0;
  // Keys of WireGuard devices and of security associations are among what the kernel tells.
  const absl::Cleanup wipe = [&] { explicit_bzero(datagram, most); };
  for (int i = 0; i < kMaxDatagrams; ++i) {
    sockaddr_nl from = {};
    iovec room = {datagram, sizeof(datagram)};
    msghdr message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    ssize_t size;
    do {
      size = recvmsg(fd_, &message, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return errno;
    most = std::max(most, static_cast<size_t>(size));
    if (from.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) return EPROTO;
    const std::optional<int> end =
        TakeAnswers(Bytes(datagram, static_cast<size_t>(size)), sequence_, take);
    if (end.has_value()) return *end;
  }
  return EPROTO;
}

uint64_t NetworkOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, kNetnsCookie, &cookie, &size) != 0) return 0;
  return cookie;
}

Netlink* ThreadNetlink(int protocol, uint64_t network, int* error) {
  struct Kept {
    Netlink netlink;
    std::string users;  // The user namespace in which it was opened, of which its uids are.
    uint32_t forks = 0;
    bool open = false;
  };
  constexpr int kProtocols[] = {NETLINK_SOCK_DIAG, NETLINK_ROUTE, NETLINK_XFRM};
  thread_local Kept sockets[std::size(kProtocols)];
  const auto index = std::find(std::begin(kProtocols), std::end(kProtocols), protocol);
  if (index == std::end(kProtocols)) {
    *error = EPROTONOSUPPORT;
    return nullptr;
  }
  Kept& kept = sockets[index - std::begin(kProtocols)];
  if (network == 0) {
    *error = EOPNOTSUPP;
    return nullptr;
  }
  std::string users = protocol == NETLINK_SOCK_DIAG ? UserNamespace() : "";
  const bool same_users = protocol != NETLINK_SOCK_DIAG || (!users.empty() && users == kept.users);
  // A thread that went to another namespace and came back finds the right one again.
  if (!kept.open || kept.forks != Forks() || !same_users || kept.netlink.network() != network) {
    kept.open = false;
    *error = kept.netlink.Open(protocol);
    if (*error != 0) return nullptr;
    kept.forks = Forks();
    kept.users = std::move(users);
    kept.open = true;
  }
  if (kept.netlink.network() != network) {
    *error = EXDEV;
    return nullptr;
  }
  return &kept.netlink;
}

}  // namespace reeve::socket_internal
