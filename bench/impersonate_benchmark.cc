// RunAs() and UserWorkers::Open() beside the system calls that they cannot do without, in one run:
//
//   bazel run -c opt //bench:impersonate_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only
//
// As root. The user, 1234, has two supplementary groups; the server three.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/impersonate/run_as.h"
#include "reeve/adapters/socket/impersonate/user_workers.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {
namespace {

constexpr char kFile[] = "/etc/passwd";
const UnixIdentity& Ada() {
  static const auto& identity = *new UnixIdentity{1234, 2345, {3001, 3002}};
  return identity;
}
constexpr gid_t kServerGroups[] = {4, 24, 27};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void Require(bool ok, const char* what) {
  if (!ok) Fail(what);
}

using Capabilities = __user_cap_data_struct[2];

void GetCapabilities(Capabilities* words) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  Require(syscall(SYS_capget, &header, *words) == 0, "capget");
}

void SetCapabilities(const Capabilities& words) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  Require(syscall(SYS_capset, &header, words) == 0, "capset");
}

void In(const Capabilities& none) {
  Require(syscall(SYS_setgroups, Ada().groups.size(), Ada().groups.data()) == 0, "setgroups");
  Require(syscall(SYS_setresgid, -1, Ada().gid, -1) == 0, "setresgid");
  Require(syscall(SYS_setresuid, -1, Ada().uid, -1) == 0, "setresuid");
  SetCapabilities(none);
}

void Back(const Capabilities& all) {
  SetCapabilities(all);
  Require(syscall(SYS_setresuid, -1, 0, -1) == 0, "setresuid");
  Require(syscall(SYS_setresgid, -1, 0, -1) == 0, "setresgid");
  Require(syscall(SYS_setgroups, 3, kServerGroups) == 0, "setgroups");
}

// What this thread is.
void Look() {
  uid_t uids[3];
  gid_t gids[3];
  gid_t groups[64];
  Capabilities words;
  Require(syscall(SYS_getresuid, &uids[0], &uids[1], &uids[2]) == 0, "getresuid");
  Require(syscall(SYS_getresgid, &gids[0], &gids[1], &gids[2]) == 0, "getresgid");
  benchmark::DoNotOptimize(syscall(SYS_setfsuid, -1));
  benchmark::DoNotOptimize(syscall(SYS_setfsgid, -1));
  Require(syscall(SYS_getgroups, 64, groups) >= 0, "getgroups");
  GetCapabilities(&words);
  benchmark::DoNotOptimize(uids);
  benchmark::DoNotOptimize(gids);
  benchmark::DoNotOptimize(groups);
  benchmark::DoNotOptimize(words);
}

// The least: in and back, believed, for a thread of which all is known.
void BM_SystemCalls(benchmark::State& state) {
  Capabilities all;
  GetCapabilities(&all);
  Capabilities none;
  std::memcpy(none, all, sizeof(none));
  none[0].effective = none[1].effective = 0;
  for (auto _ : state) {
    In(none);
    Back(all);
  }
}
BENCHMARK(BM_SystemCalls);

// The same, looked at: before, inside and after.
void BM_SystemCallsChecked(benchmark::State& state) {
  Capabilities all;
  GetCapabilities(&all);
  Capabilities none;
  std::memcpy(none, all, sizeof(none));
  none[0].effective = none[1].effective = 0;
  for (auto _ : state) {
    Look();
    In(none);
    Look();
    Back(all);
    Look();
  }
}
BENCHMARK(BM_SystemCallsChecked);

void BM_RunAs(benchmark::State& state) {
  for (auto _ : state) {
    const absl::Status status = RunAs(Ada(), [] {});
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
      return;
    }
  }
}
BENCHMARK(BM_RunAs);

int OpenFile() {
  const int fd = open(kFile, O_RDONLY | O_CLOEXEC);
  Require(fd >= 0, kFile);
  return fd;
}

void BM_Open(benchmark::State& state) {
  for (auto _ : state) close(OpenFile());
}
BENCHMARK(BM_Open);

void BM_OpenByRunAs(benchmark::State& state) {
  for (auto _ : state) {
    const absl::StatusOr<int> fd = RunAs(Ada(), OpenFile);
    if (!fd.ok()) {
      state.SkipWithError(fd.status().ToString().c_str());
      return;
    }
    close(*fd);
  }
}
BENCHMARK(BM_OpenByRunAs);

UserWorkers& Workers() {
  static const std::unique_ptr<UserWorkers> workers = [] {
    absl::StatusOr<std::unique_ptr<UserWorkers>> started = UserWorkers::Start({});
    if (!started.ok()) {
      std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
      std::exit(1);
    }
    return *std::move(started);
  }();
  return *workers;
}

void BM_OpenByWorker(benchmark::State& state) {
  Workers().Open(Ada(), kFile).status().IgnoreError();  // So that there is one.
  for (auto _ : state) {
    const absl::StatusOr<UserFile> file = Workers().Open(Ada(), kFile);
    if (!file.ok() || file->fd() < 0) {
      state.SkipWithError(file.status().ToString().c_str());
      return;
    }
  }
}
BENCHMARK(BM_OpenByWorker)->UseRealTime();

// Its first file: a process is made for each.
void BM_OpenByNewWorker(benchmark::State& state) {
  for (auto _ : state) {
    Workers().Forget(Ada().uid);
    const absl::StatusOr<UserFile> file = Workers().Open(Ada(), kFile);
    if (!file.ok() || file->fd() < 0) {
      state.SkipWithError(file.status().ToString().c_str());
      return;
    }
  }
}
BENCHMARK(BM_OpenByNewWorker)->UseRealTime();

// The least of a round trip to another process: a byte there, a byte and a descriptor back.
void BM_RoundTrip(benchmark::State& state) {
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  const pid_t other = fork();
  Require(other >= 0, "fork");
  const auto message_of = [](msghdr* message, iovec* part, char* control, size_t size) {
    message->msg_iov = part;
    message->msg_iovlen = 1;
    message->msg_control = control;
    message->msg_controllen = size;
  };
  char byte = 'x';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (other == 0) {
    close(ends[0]);
    while (recv(ends[1], &byte, 1, 0) == 1) {
      const int fd = OpenFile();
      msghdr message = {};
      message_of(&message, &part, control, sizeof(control));
      cmsghdr* const item = CMSG_FIRSTHDR(&message);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(item), &fd, sizeof(fd));
      if (sendmsg(ends[1], &message, MSG_NOSIGNAL) != 1) break;
      close(fd);
    }
    _exit(0);
  }
  close(ends[1]);
  for (auto _ : state) {
    Require(send(ends[0], &byte, 1, MSG_NOSIGNAL) == 1, "send");
    msghdr message = {};
    message_of(&message, &part, control, sizeof(control));
    Require(recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    int fd;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    close(fd);
  }
  close(ends[0]);
}
BENCHMARK(BM_RoundTrip)->UseRealTime();

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    std::fprintf(stderr, "run it as root: it acts for another user\n");
    return 1;
  }
  // Before there are threads; the raw call, for habit.
  reeve::Require(syscall(SYS_setgroups, 3, reeve::kServerGroups) == 0, "setgroups");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
