// PeerToken::FromSocket() of a TCP connection within this machine beside the system calls that it
// cannot do without, in one run:
//
//   bazel run -c opt //bench:tcp_peer_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only

#include <benchmark/benchmark.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer.h"

namespace reeve {
namespace {

constexpr int kNetnsCookie = 71;  // SO_NETNS_COOKIE, which older headers lack.

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// The accepted end of a connection of this process to itself.
int AcceptedSocket() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 1) != 0) Fail("listen");
  if (getsockname(listener, generic, &size) != 0) Fail("getsockname");
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client, generic, size) != 0) Fail("connect");
  const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted < 0) Fail("accept4");
  return accepted;
}

int Socket() {
  static const int fd = AcceptedSocket();
  return fd;
}

// Every number has a name, at once.
class SomeNames final : public NameService {
 public:
  absl::StatusOr<std::optional<std::string>> UserName(uid_t) const override { return "ada"; }
  absl::StatusOr<std::optional<std::string>> GroupName(gid_t) const override { return "staff"; }
};

template <typename T>
void Get(int fd, int level, int option, T* value) {
  socklen_t size = sizeof(*value);
  if (getsockopt(fd, level, option, value, &size) != 0) Fail("getsockopt");
}

// Asks who owns the socket from `source` to `destination`.
void Ask(int netlink, const sockaddr_in& source, const sockaddr_in& destination) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question = {};
  question.header.nlmsg_len = sizeof(question);
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_INET;
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = ~0u;
  question.request.id.idiag_sport = source.sin_port;
  question.request.id.idiag_dport = destination.sin_port;
  question.request.id.idiag_src[0] = source.sin_addr.s_addr;
  question.request.id.idiag_dst[0] = destination.sin_addr.s_addr;
  question.request.id.idiag_cookie[0] = question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(netlink, &question, sizeof(question), 0) < 0) Fail("send");
  alignas(nlmsghdr) char answer[1024];
  if (recv(netlink, answer, sizeof(answer), 0) < 0) Fail("recv");
  if (reinterpret_cast<const nlmsghdr*>(answer)->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
    Fail("sock_diag");
  }
  benchmark::DoNotOptimize(answer);
}

int OpenNetlink() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) Fail("netlink");
  return fd;
}

// The look-up alone, of ends that are known.
void BM_LookUp(benchmark::State& state) {
  const int netlink = OpenNetlink();
  sockaddr_in own, peer;
  socklen_t size = sizeof(own);
  if (getsockname(Socket(), reinterpret_cast<sockaddr*>(&own), &size) != 0) Fail("getsockname");
  size = sizeof(peer);
  if (getpeername(Socket(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) Fail("getpeername");
  for (auto _ : state) Ask(netlink, peer, own);
  close(netlink);
}
BENCHMARK(BM_LookUp);

// With all guards, for any descriptor: what it is, its ends, its network namespace, the user
// namespace of the process, the look-up, and the state afterwards.
void BM_SystemCalls(benchmark::State& state) {
  const int netlink = OpenNetlink();
  const int fd = Socket();
  for (auto _ : state) {
    sockaddr_in own, peer;
    socklen_t size = sizeof(own);
    int type, protocol;
    uint64_t network;
    tcp_info info;
    char users[64];
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) Fail("getsockname");
    Get(fd, SOL_SOCKET, SO_TYPE, &type);
    Get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol);
    size = sizeof(peer);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) Fail("getpeername");
    Get(fd, SOL_SOCKET, kNetnsCookie, &network);
    if (readlink("/proc/self/ns/user", users, sizeof(users)) < 0) Fail("readlink");
    Ask(netlink, peer, own);
    Get(fd, IPPROTO_TCP, TCP_INFO, &info);
    benchmark::DoNotOptimize(info);
  }
  close(netlink);
}
BENCHMARK(BM_SystemCalls);

void BM_FromSocket(benchmark::State& state) {
  const SomeNames names;
  PeerOptions options;
  options.names = &names;
  for (auto _ : state) {
    const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(Socket(), options);
    if (!token.ok()) {
      state.SkipWithError(token.status().ToString().c_str());
      return;
    }
    benchmark::DoNotOptimize(token->uid());
  }
}
BENCHMARK(BM_FromSocket);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
