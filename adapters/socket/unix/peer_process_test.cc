// Whose credentials a socket tells, shown with real processes: what they do after connect(2), and
// from where the namespaces of the one and the other are seen.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/principal.h"

namespace reeve {
namespace {

using peer_testing::Become;
using peer_testing::Child;
using peer_testing::Code;
using peer_testing::Connector;
using peer_testing::Identity;
using peer_testing::Inode;
using peer_testing::kPlain;
using peer_testing::Listener;
using peer_testing::Outcome;
using peer_testing::PeerTest;
using peer_testing::With;

// ---- What is of the moment of connect(2).

// What FromSocket() tells with and without require_live_process.
std::pair<std::string, std::string> BothWays(int fd) {
  return {Outcome(PeerToken::FromSocket(fd, kPlain)),
          Code(PeerToken::FromSocket(fd, With(SocketOrigin::kUnknown, true)))};
}
using Both = std::pair<std::string, std::string>;

TEST_F(PeerTest, LivesWhileItsProcessLives) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Listener listener;
  const auto peer = Connector(listener, {1234, 2345, {}});
  const int fd = listener.Accept();
  EXPECT_EQ(BothWays(fd), Both("user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N", "OK"));
  close(fd);
}

TEST_F(PeerTest, IsWhoConnectedThoughItExited) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Listener listener;
  const auto peer = Connector(listener, {1234, 2345, {}});
  const int fd = listener.Accept();
  EXPECT_EQ(peer->Wait(), 0);
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
  // Linux 6.16 and later give a pidfd of a process that was reaped.
  if (token.ok() && token->pidfd() < 0) {
    EXPECT_EQ(BothWays(fd),
              Both("user:uid:1234 [gid:2345] kernel_weak uid=1234 gid=2345 pidfd=none",
                   "UNAUTHENTICATED"));
  } else {
    EXPECT_EQ(BothWays(fd),
              Both("user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N", "UNAUTHENTICATED"));
    EXPECT_EQ(token->alive(), false);
  }
  close(fd);
}

TEST_F(PeerTest, IsWhoConnectedThoughAChildHoldsTheSocket) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Listener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({1111, 1112, {}});
    listener.Connect();
    const pid_t heir = fork();
    if (heir != 0) return heir > 0 ? 0 : 1;
    pipes.Say("inherited");
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(peer.Hear(), "inherited");
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
  ASSERT_TRUE(token.ok()) << token.status();
  // Waits until the process that connected has exited, and leaves it to be reaped.
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, peer.pid(), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(BothWays(fd),
            Both("user:uid:1111 [gid:1112] kernel uid=1111 gid=1112 pidfd=N", "UNAUTHENTICATED"));
  EXPECT_EQ(token->alive(), false);
  EXPECT_EQ(token->pid(), peer.pid());
  // The connection lives: the heir has the other end.
  char byte;
  EXPECT_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(peer.Wait(), 0);
  close(fd);
}

TEST_F(PeerTest, IsWhoConnectedThoughItDroppedItsRights) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Listener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({0, 0, {7}});
    listener.Connect();
    Become({5555, 5555, {}});
    pipes.Say("dropped");
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  EXPECT_EQ(peer.Hear(), "dropped");
  EXPECT_EQ(BothWays(fd), Both("user:uid:0 [gid:0, gid:7] kernel uid=0 gid=0 pidfd=N", "OK"));
  close(fd);
}

// The class of CVE-2013-4288.
TEST_F(PeerTest, IsWhoConnectedThoughItExecutedASetuidProgram) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  // A setuid copy of cat(1), which root opens for the child: it need not find the file.
  std::string path = absl::StrCat(::testing::TempDir(), "/reeve-setuid-XXXXXX");
  const int copy = mkstemp(path.data());
  ASSERT_GE(copy, 0);
  const int cat = open("/bin/cat", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(cat, 0);
  char block[65536];
  for (ssize_t n; (n = read(cat, block, sizeof(block))) > 0;) ASSERT_EQ(write(copy, block, n), n);
  close(cat);
  ASSERT_EQ(fchmod(copy, 04755), 0);
  close(copy);
  const int program = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(program, 0);

  Listener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    listener.Connect();
    dup2(pipes.in, 0);
    dup2(pipes.out, 1);
    char name[] = "cat";
    char* argv[] = {name, nullptr};
    char* environment[] = {nullptr};
    fexecve(program, argv, environment);
    return 1;
  });
  const int fd = listener.Accept();
  // What cat(1) echoes shows that it runs.
  peer.Go();
  EXPECT_EQ(peer.HearByte(), 'x');
  struct stat process = {};
  ASSERT_EQ(stat(absl::StrCat("/proc/", peer.pid()).c_str(), &process), 0);
  const bool is_root_now = process.st_uid == 0;
  const Both got = BothWays(fd);
  EXPECT_EQ(peer.Wait(), 0);
  close(fd);
  close(program);
  unlink(path.c_str());
  EXPECT_EQ(got, Both("user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N", "OK"));
  if (!is_root_now) GTEST_SKIP() << "setuid programs do not work in " << ::testing::TempDir();
}

// Expects `want` of a child that does a part of the test, line by line, or "skip: " and why.
void ExpectFromChild(Child* child, const std::vector<std::string>& want) {
  for (const std::string& line : want) {
    const std::string got = child->Hear();
    if (absl::StartsWith(got, "skip: ")) GTEST_SKIP() << got.substr(6);
    ASSERT_EQ(got, line);
  }
}

// Whether the kernel has a limit of pids for each pid namespace; before, a namespace would set that
// of the machine.
bool PidLimitIsPerNamespace() {
  utsname uts;
  int major = 0;
  int minor = 0;
  return uname(&uts) == 0 && std::sscanf(uts.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 14));
}

// The first process of a namespace with few pids: a peer of uid 1234 connects and exits, and its
// pid is used until a process of root has it.
int ReusePids(const Child::Pipes& pipes, const Listener& listener) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("proc", "/proc", "proc", 0, nullptr) != 0) {
    pipes.Say("skip: cannot mount /proc in a pid namespace");
    return 0;
  }
  const int limit = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
  if (limit < 0 || write(limit, "400", 3) != 3) {
    pipes.Say("skip: cannot set pid_max of a pid namespace");
    return 0;
  }
  close(limit);
  // The first 300 pids are given once only.
  for (pid_t pid = 0; pid < 310;) {
    pid = fork();
    if (pid == 0) _exit(0);
    if (pid < 0 || waitpid(pid, nullptr, 0) != pid) return 1;
  }
  const pid_t connector = fork();
  if (connector == 0) {
    Become({1234, 2345, {}});
    listener.Connect();
    _exit(0);
  }
  const int fd = listener.Accept();
  const absl::StatusOr<PeerToken> before = PeerToken::FromSocket(fd, kPlain);
  if (waitpid(connector, nullptr, 0) != connector) return 1;

  int hold[2];
  if (pipe2(hold, O_CLOEXEC) != 0) return 1;
  pid_t reused = -1;
  for (int i = 0; i < 2000 && reused < 0; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      char byte;
      close(hold[1]);
      if (getpid() == connector && read(hold[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
    if (pid == connector) {
      reused = pid;
    } else {
      waitpid(pid, nullptr, 0);
    }
  }
  if (reused < 0) {
    pipes.Say("skip: no pid was used again");
    return 0;
  }
  const absl::StatusOr<PeerToken> after = PeerToken::FromSocket(fd, kPlain);
  const int stranger = static_cast<int>(syscall(SYS_pidfd_open, reused, 0));
  struct stat process = {};
  stat(absl::StrCat("/proc/", reused).c_str(), &process);
  pipes.Say(absl::StrCat("the pid is now of uid ", process.st_uid));
  pipes.Say(Outcome(before));
  pipes.Say(Outcome(after));
  pipes.Say(Code(PeerToken::FromSocket(fd, With(SocketOrigin::kUnknown, true))));
  if (before.ok() && after.ok()) {
    pipes.Say(absl::StrCat(
        "same pid: ", before->pid() == reused && after->pid() == reused,
        ", same process: ", before->principal().evidence == after->principal().evidence,
        ", the new owner's: ", Inode(after->pidfd()) == Inode(stranger)));
    pipes.Say(absl::StrCat("alive: ", *before->alive(), *after->alive()));
  }
  close(hold[1]);
  waitpid(reused, nullptr, 0);
  return 0;
}

TEST_F(PeerTest, IsWhoConnectedThoughItsPidIsAnothers) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  if (!PidLimitIsPerNamespace()) {
    GTEST_SKIP() << "needs Linux 6.14, to have few pids in one namespace only";
  }
  Listener listener;
  Child child([&](const Child::Pipes& pipes) {
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
      pipes.Say("skip: cannot make a pid namespace");
      return 0;
    }
    const pid_t init = fork();
    if (init == 0) _exit(ReusePids(pipes, listener));
    int status = 0;
    return waitpid(init, &status, 0) == init && status == 0 ? 0 : 1;
  });
  ExpectFromChild(
      &child,
      {"the pid is now of uid 0", "user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N",
       "user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N", "UNAUTHENTICATED",
       "same pid: 1, same process: 1, the new owner's: 0", "alive: 00"});
  EXPECT_EQ(child.Wait(), 0);
}

// ---- Whose uids are meant.

TEST_F(PeerTest, IsItsRealUserThoughRootInItsNamespace) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Listener listener;
  Child peer([&](const Child::Pipes& pipes) {
    Become({7777, 7778, {}});
    if (unshare(CLONE_NEWUSER) != 0) {
      pipes.Say("skip: cannot make a user namespace");
      return 0;
    }
    const int map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    if (map < 0 || write(map, "0 7777 1", 8) != 8 || getuid() != 0) return 1;
    listener.Connect();
    pipes.Say("root inside");
    pipes.Await();
    return 0;
  });
  ExpectFromChild(&peer, {"root inside"});
  if (IsSkipped() || HasFatalFailure()) return;
  const int fd = listener.Accept();
  EXPECT_EQ(BothWays(fd), Both("user:uid:7777 [gid:7778] kernel uid=7777 gid=7778 pidfd=N", "OK"));
  close(fd);
}

struct NamespaceCase {
  const char* name;
  int flags;  // Of unshare(2), for the server.
  const char* uid_map;
  const char* gid_map;
  Identity peer;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const NamespaceCase& c) { return os << c.name; }

const NamespaceCase kNamespaceCases[] = {
    {"Mapped",
     CLONE_NEWUSER,
     "0 0 10000",
     "0 0 10000",
     {1234, 2345, {3001}},
     "user:uid:1234 [gid:2345, gid:3001] kernel uid=1234 gid=2345 pidfd=N"},
    {"MappedToAnother",
     CLONE_NEWUSER,
     "0 1000 1000",
     "0 1000 2000",
     {1234, 2345, {}},
     "user:uid:234 [gid:1345] kernel uid=234 gid=1345 pidfd=N"},
    {"UserUnmapped",
     CLONE_NEWUSER,
     "0 0 1000",
     "0 0 10000",
     {1234, 2345, {}},
     "UNAUTHENTICATED: the peer's uid 65534 stands for every user that this user namespace does "
     "not map; map the peer's uid, or run it as another user"},
    // A deny rule about the group that hides behind 65534 must not be dodged.
    {"PrimaryGroupUnmapped",
     CLONE_NEWUSER,
     "0 0 10000",
     "0 3000 1000",
     {1234, 2345, {3001}},
     "user:uid:1234 [gid:1] kernel uid=1234 gid=65534 pidfd=N groups=partial"},
    {"SupplementaryGroupUnmapped",
     CLONE_NEWUSER,
     "0 0 10000",
     "0 0 3000",
     {1234, 2345, {7, 3001}},
     "user:uid:1234 [gid:2345, gid:7] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
    // 65534 is refused also where it is a user of its own, as in Debian.
    {"Nobody", 0, nullptr, nullptr, {65534, 2345, {}}, "UNAUTHENTICATED: the peer's uid 65534 "},
    {"PidUnseen",
     CLONE_NEWPID,
     nullptr,
     nullptr,
     {1234, 2345, {}},
     "UNAUTHENTICATED: the peer, of uid 1234, is in a pid namespace that cannot be seen"},
};

class NamespaceTest : public PeerTest, public ::testing::WithParamInterface<NamespaceCase> {};

TEST_P(NamespaceTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  const NamespaceCase& c = GetParam();
  Listener listener;
  // Of the machine's own namespaces. The server inherits the listening socket.
  const auto peer = Connector(listener, c.peer);
  Child server([&](const Child::Pipes& pipes) {
    if (unshare(c.flags) != 0) {
      pipes.Say("skip: cannot make the namespace");
      return 0;
    }
    pipes.Say("unshared");
    if (!pipes.Await()) return 1;
    const auto serve = [&] {
      const int fd = listener.Accept();
      const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
      pipes.Say(Outcome(token));
      const Value* const gid = token.ok() ? token->principal().attributes.Find("gid") : nullptr;
      pipes.Say(gid == nullptr ? "no gid" : gid->ToString());
      return 0;
    };
    if ((c.flags & CLONE_NEWPID) == 0) return serve();
    const pid_t first = fork();
    if (first == 0) _exit(serve());
    int status = 0;
    return waitpid(first, &status, 0) == first && status == 0 ? 0 : 1;
  });
  ExpectFromChild(&server, {"unshared"});
  if (IsSkipped() || HasFatalFailure()) return;
  for (const auto& [file, map] :
       {std::pair("uid_map", c.uid_map), std::pair("gid_map", c.gid_map)}) {
    if (map == nullptr) continue;
    const int fd =
        open(absl::StrCat("/proc/", server.pid(), "/", file).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_EQ(write(fd, map, std::strlen(map)), static_cast<ssize_t>(std::strlen(map)));
    close(fd);
  }
  server.Go();
  const std::string got = server.Hear();
  EXPECT_TRUE(absl::StartsWith(got, c.want)) << got;
  const bool has_gid = absl::StartsWith(got, "user:") && !absl::StrContains(got, "gid=65534");
  EXPECT_EQ(server.Hear() != "no gid", has_gid);
  EXPECT_EQ(server.Wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(, NamespaceTest, ::testing::ValuesIn(kNamespaceCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(PeerTest, IsTheMakerOfAPair) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  Child user([&](const Child::Pipes& pipes) {
    Become({4444, 4444, {}});
    pipes.Say("has the other end");
    pipes.Await();
    return 0;
  });
  EXPECT_EQ(user.Hear(), "has the other end");
  EXPECT_EQ(Code(PeerToken::FromSocket(pair[0], kPlain)), "UNAUTHENTICATED");
  const absl::StatusOr<PeerToken> token =
      PeerToken::FromSocket(pair[0], With(SocketOrigin::kInherited));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->uid(), 0u);
  EXPECT_EQ(token->pid(), getpid());
  close(pair[0]);
  close(pair[1]);
}

TEST_F(PeerTest, IsWhoListensOfASocketThatConnected) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Child server([&](const Child::Pipes& pipes) {
    Become({4444, 4444, {}});
    Listener listener;
    // The name that the kernel chose: a NUL and five hexadecimal digits.
    sockaddr_un address;
    socklen_t size = sizeof(address);
    if (getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 1;
    pipes.Say(std::string(address.sun_path + 1, 5));
    pipes.Await();
    return 0;
  });
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, server.Hear().data(), 5);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), offsetof(sockaddr_un, sun_path) + 6),
            0);
  EXPECT_EQ(Code(PeerToken::FromSocket(fd, kPlain)), "UNAUTHENTICATED");
  EXPECT_EQ(Outcome(PeerToken::FromSocket(fd, With(SocketOrigin::kInherited))),
            "user:uid:4444 [gid:4444] kernel uid=4444 gid=4444 pidfd=N socket=client");
  close(fd);
}

}  // namespace
}  // namespace reeve
