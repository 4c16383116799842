// PeerToken::FromSocket() beside the system calls that it cannot do without, in one run:
//
//   bazel run -c opt //bench:peer_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only
//
// As root, the peer has three supplementary groups; else those of the user.

#include <benchmark/benchmark.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/clock.h"

namespace reeve {
namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, which older headers lack.

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// The accepted end of a connection of this process to itself.
int AcceptedSocket() {
  if (geteuid() == 0) {
    const gid_t groups[] = {4, 24, 27};
    if (setgroups(3, groups) != 0) Fail("setgroups");
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof(sa_family_t);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 1) != 0) Fail("listen");
  size = sizeof(address);
  if (getsockname(listener, generic, &size) != 0) Fail("getsockname");
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

// What the kernel says of the peer, with nothing done about it.
void AskPeer(int fd, int* pidfd) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) Fail("SO_PEERCRED");
  gid_t groups[64];
  size = sizeof(groups);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) Fail("SO_PEERGROUPS");
  size = sizeof(*pidfd);
  if (getsockopt(fd, SOL_SOCKET, kPeerPidfd, pidfd, &size) != 0) Fail("SO_PEERPIDFD");
  benchmark::DoNotOptimize(credentials);
  benchmark::DoNotOptimize(groups);
}

// The least: for a socket of which all is known.
void BM_SystemCalls(benchmark::State& state) {
  const int fd = Socket();
  for (auto _ : state) {
    int pidfd;
    AskPeer(fd, &pidfd);
    close(pidfd);
  }
}
BENCHMARK(BM_SystemCalls);

// The same for any descriptor, of which these questions may mean nothing, and with the number of
// the process: every system call of FromSocket().
void BM_SystemCallsChecked(benchmark::State& state) {
  const int fd = Socket();
  for (auto _ : state) {
    sockaddr_un address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    if (getsockname(fd, generic, &size) != 0) Fail("getsockname");
    size = sizeof(address);
    if (getpeername(fd, generic, &size) != 0) Fail("getpeername");
    int type;
    size = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) Fail("SO_TYPE");
    int pidfd;
    AskPeer(fd, &pidfd);
    struct stat file;
    if (fstat(pidfd, &file) != 0) Fail("fstat");
    close(pidfd);
    benchmark::DoNotOptimize(file);
  }
}
BENCHMARK(BM_SystemCallsChecked);

void Identify(benchmark::State& state, const NameService& names) {
  const int fd = Socket();
  PeerOptions options;
  options.names = &names;
  for (auto _ : state) {
    const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, options);
    if (!token.ok()) {
      state.SkipWithError(token.status().ToString().c_str());
      return;
    }
    benchmark::DoNotOptimize(token->uid());
  }
}

// Names from the cache, as of the second connection on.
void BM_FromSocket(benchmark::State& state) {
  const SomeNames source;
  CachedNames::Options options;
  options.ttl = absl::InfiniteDuration();
  Identify(state, CachedNames(source, Clock::System(), options));
}
BENCHMARK(BM_FromSocket);

void BM_FromSocketByNumbers(benchmark::State& state) { Identify(state, NameService::Numbers()); }
BENCHMARK(BM_FromSocketByNumbers);

// Asks the machine for five names each time.
void BM_FromSocketUncached(benchmark::State& state) { Identify(state, SystemNames()); }
BENCHMARK(BM_FromSocketUncached);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
