// The rows of what AF_UNIX credentials are, on the running kernel: real sockets, processes and
// users. Only what older kernels and a failing one answer is played (kernel.h).
#include "reeve/adapters/socket/peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_number.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/unix/kernel.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"

namespace reeve {
namespace {

using peer_testing::Autobind;
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
using socket_internal::Kernel;

// Names as the test says; a number that it does not name has none.
class TableNames final : public NameService {
 public:
  using Answer = absl::StatusOr<std::optional<std::string>>;

  Answer UserName(uid_t uid) const override { return Find(users, uid); }
  Answer GroupName(gid_t gid) const override { return Find(groups, gid); }

  std::map<unsigned, Answer> users;
  std::map<unsigned, Answer> groups;

 private:
  static Answer Find(const std::map<unsigned, Answer>& table, unsigned id) {
    const auto it = table.find(id);
    return it == table.end() ? Answer(std::nullopt) : it->second;
  }
};

// ---- Who may be asked about.

struct SocketCase {
  const char* name;
  // Makes a socket, and whatever else it puts into `others`, which are closed at the end.
  std::function<int(std::vector<int>* others)> make;
  // By origin: unknown, accepted, inherited.
  std::vector<const char*> want;
  const char* evidence = "";  // The end of it, where there is any.
};
std::ostream& operator<<(std::ostream& os, const SocketCase& c) { return os << c.name; }

int Made(int fd) {
  EXPECT_GE(fd, 0);
  return fd;
}

int Pair(int type, std::vector<int>* others) {
  int pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
  others->push_back(pair[1]);
  return pair[0];
}

int Accepted(int type, std::vector<int>* others) {
  Listener listener(type);
  others->push_back(listener.Connect());
  return listener.Accept();
}

const char kBad[] = "INVALID_ARGUMENT";
const char kState[] = "FAILED_PRECONDITION";
const char kRefused[] = "UNAUTHENTICATED";

const SocketCase kSocketCases[] = {
    {"ClosedDescriptor", [](auto*) { return -1; }, {kBad, kBad, kBad}},
    {"DevNull", [](auto*) { return Made(open("/dev/null", O_CLOEXEC)); }, {kBad, kBad, kBad}},
    {"OnlyAPath",
     [](auto*) { return Made(open("/dev/null", O_PATH | O_CLOEXEC)); },
     {kBad, kBad, kBad}},
    {"Pipe",
     [](auto* others) {
       int ends[2];
       EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
       others->push_back(ends[1]);
       return ends[0];
     },
     {kBad, kBad, kBad}},
    {"TcpUnconnected",
     [](auto*) { return Made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); },
     {kState, kState, kState}},
    {"Udp6",
     [](auto*) { return Made(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); },
     {kBad, kBad, kBad}},
    {"Netlink",
     [](auto*) { return Made(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)); },
     {kBad, kBad, kBad}},
    {"DatagramUnconnected",
     [](auto*) { return Made(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); },
     {kBad, kBad, kBad}},
    // The kernel tells credentials of this one, those of its maker.
    {"DatagramPair", [](auto* others) { return Pair(SOCK_DGRAM, others); }, {kBad, kBad, kBad}},
    {"StreamUnconnected",
     [](auto*) { return Made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); },
     {kState, kState, kState}},
    // And of this one, those of who listens.
    {"Listening",
     [](auto*) {
       Listener listener;
       return fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0);
     },
     {kState, kState, kState}},
    {"StreamAccepted",
     [](auto* others) { return Accepted(SOCK_STREAM, others); },
     {"OK", "OK", "OK"}},
    {"SeqpacketAccepted",
     [](auto* others) { return Accepted(SOCK_SEQPACKET, others); },
     {"OK", "OK", "OK"}},
    {"AcceptedAndClosedByThePeer",
     [](auto* others) {
       const int fd = Accepted(SOCK_STREAM, others);
       close(others->back());
       others->pop_back();
       return fd;
     },
     {"OK", "OK", "OK"}},
    {"AcceptedAndShutDown",
     [](auto* others) {
       const int fd = Accepted(SOCK_STREAM, others);
       EXPECT_EQ(shutdown(fd, SHUT_RDWR), 0);
       return fd;
     },
     {"OK", "OK", "OK"}},
    {"AcceptedNonBlocking",
     [](auto* others) {
       const int fd = Accepted(SOCK_STREAM, others);
       EXPECT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
       return fd;
     },
     {"OK", "OK", "OK"}},
    {"AcceptedFromABoundPeer",
     [](auto* others) {
       Listener listener;
       others->push_back(Made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
       Autobind(others->back());
       listener.Connect(others->back());
       return listener.Accept();
     },
     {kRefused, "OK", "OK"},
     " socket=unclear"},
    // A peer can do so at any time.
    {"AcceptedFromAPeerThatBoundLater",
     [](auto* others) {
       const int fd = Accepted(SOCK_STREAM, others);
       Autobind(others->back());
       return fd;
     },
     {kRefused, "OK", "OK"},
     " socket=unclear"},
    {"Connected",
     [](auto* others) {
       Listener listener;
       const int fd = listener.Connect();
       others->push_back(listener.Accept());
       return fd;
     },
     {kRefused, kRefused, "OK"},
     " socket=client"},
    {"ConnectedAndNotYetAccepted",
     [](auto* others) {
       Listener listener;
       others->push_back(fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
       return listener.Connect();
     },
     {kRefused, kRefused, "OK"},
     " socket=client"},
    // A stranger that hands over such a socket would pass for who listens.
    {"BoundAndConnected",
     [](auto* others) {
       Listener listener;
       const int fd = Made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
       Autobind(fd);
       listener.Connect(fd);
       others->push_back(listener.Accept());
       return fd;
     },
     {kRefused, "OK", "OK"},
     " socket=unclear"},
    {"StreamPair",
     [](auto* others) { return Pair(SOCK_STREAM, others); },
     {kRefused, kRefused, "OK"},
     " socket=pair"},
    {"SeqpacketPair",
     [](auto* others) { return Pair(SOCK_SEQPACKET, others); },
     {kRefused, kRefused, "OK"},
     " socket=pair"},
    {"PairWhosePeerIsBound",
     [](auto* others) {
       const int fd = Pair(SOCK_STREAM, others);
       Autobind(others->back());
       return fd;
     },
     {kRefused, kRefused, "OK"},
     " socket=client"},
    // Not detected, as peer.h says; a kernel that lets it be told should turn this row.
    {"BoundPair",
     [](auto* others) {
       const int fd = Pair(SOCK_STREAM, others);
       Autobind(fd);
       return fd;
     },
     {"OK", "OK", "OK"}},
};

class SocketTest : public PeerTest, public ::testing::WithParamInterface<SocketCase> {};

TEST_P(SocketTest, IsTakenOrRefused) {
  const SocketCase& c = GetParam();
  std::vector<int> others;
  const int fd = c.make(&others);
  int i = 0;
  for (const SocketOrigin origin :
       {SocketOrigin::kUnknown, SocketOrigin::kAccepted, SocketOrigin::kInherited}) {
    const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, With(origin));
    EXPECT_EQ(Code(token), c.want[i++]) << token.status();
    if (!token.ok()) continue;
    EXPECT_EQ(token->uid(), getuid());
    EXPECT_EQ(token->pid(), getpid());
    const std::string& evidence = token->principal().evidence;
    EXPECT_TRUE(absl::EndsWith(evidence, c.evidence)) << evidence;
    EXPECT_EQ(absl::StrContains(evidence, "socket="), *c.evidence != '\0') << evidence;
  }
  if (fd >= 0) close(fd);
  for (const int other : others) close(other);
}

INSTANTIATE_TEST_SUITE_P(, SocketTest, ::testing::ValuesIn(kSocketCases),
                         [](const auto& info) { return info.param.name; });

// ---- What is told of it.

TEST_F(PeerTest, TellsEverythingOfALivePeer) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  TableNames names;
  names.users.emplace(1234, "ada");
  names.groups.emplace(2345, "staff");
  names.groups.emplace(3002, "leads@EXAMPLE.COM");
  PeerOptions options;
  options.names = &names;
  Listener listener;
  const auto peer = Connector(listener, {1234, 2345, {3003, 3002, 3001, 3002, 2345}});
  const int fd = listener.Accept();
  absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, options);
  ASSERT_TRUE(token.ok()) << token.status();

  EXPECT_EQ(token->uid(), 1234u);
  EXPECT_EQ(token->gid(), 2345u);
  EXPECT_EQ(token->pid(), peer->pid());
  EXPECT_EQ(token->alive(), true);
  EXPECT_EQ(fcntl(token->pidfd(), F_GETFD), FD_CLOEXEC);

  const Principal& p = token->principal();
  EXPECT_EQ(ToString(p.id), "user:ada");
  EXPECT_EQ(p.assurance, Assurance::kKernel);
  EXPECT_EQ(p.groups,
            (std::vector<std::string>{"staff", "gid:3001", "leads@EXAMPLE.COM", "gid:3003"}));
  EXPECT_TRUE(p.groups_complete);
  EXPECT_EQ(p.parents, std::vector<EntityId>{EntityId("uid", "1234")});
  EXPECT_EQ(p.attributes, (Attributes{{"uid", Value::Int(1234)},
                                      {"gid", Value::Int(2345)},
                                      {"pid", Value::Int(peer->pid())}}));
  EXPECT_EQ(p.via, "unix");
  utsname uts;
  ASSERT_EQ(uname(&uts), 0);
  EXPECT_EQ(p.host, uts.nodename);
  EXPECT_EQ(p.actor, "");
  EXPECT_EQ(p.evidence,
            absl::StrCat("pid=", peer->pid(), " uid=1234 gid=2345 pidfd=", Inode(token->pidfd())));
  EXPECT_EQ(token->process_number(), Inode(token->pidfd()));
  // And it is a principal that the engine accepts.
  EXPECT_EQ(DefectOf(Request(p, "doc.read", {"doc", "1"})), "");

  // Asked again, the same is told, with a descriptor of its own.
  const absl::StatusOr<PeerToken> again = PeerToken::FromSocket(fd, options);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->principal().evidence, p.evidence);
  EXPECT_NE(again->pidfd(), token->pidfd());

  EXPECT_EQ(peer->Wait(), 0);
  EXPECT_EQ(token->alive(), false);
  close(fd);
}

TEST_F(PeerTest, MovesWithItsDescriptor) {
  REQUIRE_PIDFDS();
  Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  absl::StatusOr<PeerToken> first = PeerToken::FromSocket(fd, kPlain);
  absl::StatusOr<PeerToken> second = PeerToken::FromSocket(fd, kPlain);
  ASSERT_TRUE(first.ok() && second.ok());
  const int kept = first->pidfd();
  const int dropped = second->pidfd();
  PeerToken moved = *std::move(first);
  *second = std::move(moved);
  EXPECT_EQ(second->pidfd(), kept);
  EXPECT_EQ(second->process_number(), OwnProcessNumber());
  EXPECT_EQ(second->uid(), getuid());
  EXPECT_EQ(second->principal().via, "unix");
  EXPECT_EQ(fcntl(dropped, F_GETFD), -1);
  EXPECT_EQ(fcntl(kept, F_GETFD), FD_CLOEXEC);
  close(client);
  close(fd);
}

TEST_F(PeerTest, TellsTheMachinesNamesByDefault) {
  REQUIRE_OTHER_USERS();
  Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(ToString(token->principal().id), "user:root");
  ASSERT_FALSE(token->principal().groups.empty());
  EXPECT_EQ(token->principal().groups[0], "root");
  close(client);
  close(fd);
}

class GroupCountTest : public PeerTest, public ::testing::WithParamInterface<int> {};

TEST_P(GroupCountTest, TellsEveryGroup) {
  REQUIRE_OTHER_USERS();
  const int count = GetParam();
  Identity identity = {1234, 2345, {}};
  std::vector<std::string> want = {"gid:2345"};
  for (int i = 0; i < count; ++i) {
    identity.groups.push_back(100000 + i);
    if (want.size() < kMaxGroups) want.push_back(absl::StrCat("gid:", 100000 + i));
  }
  Listener listener;
  const auto peer = Connector(listener, identity);
  const int fd = listener.Accept();
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, kPlain);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->principal().groups, want);
  // With the primary group there can be one more than a principal may have.
  EXPECT_EQ(token->principal().groups_complete, static_cast<int>(want.size()) == count + 1);
  EXPECT_EQ(DefectOf(Request(token->principal(), "doc.read", {"doc", "1"})), "");
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, GroupCountTest, ::testing::Values(0, 1, 63, 64, 65, 1000, 65535, 65536));

struct NameCase {
  const char* name;
  TableNames::Answer user;
  TableNames::Answer group;
  const char* want;  // A whole outcome, or the beginning of an error.
};
std::ostream& operator<<(std::ostream& os, const NameCase& c) { return os << c.name; }

const absl::Status kDown = absl::UnavailableError("the directory is down");

const NameCase kNameCases[] = {
    {"BothNamed", "ada", "staff", "user:ada [staff] kernel uid=1234 gid=2345 pidfd=N"},
    {"NoNames", std::nullopt, std::nullopt,
     "user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N"},
    {"UserInARealm", "ada@EXAMPLE.COM", "domain users@EXAMPLE.COM",
     "user:ada@EXAMPLE.COM [domain users@EXAMPLE.COM] kernel uid=1234 gid=2345 pidfd=N"},
    {"UserWithABackslash", "CORP\\ada", "staff",
     "user:CORP\\ada [staff] kernel uid=1234 gid=2345 pidfd=N"},
    {"UserOfDigits", "0", "0", "user:0 [0] kernel uid=1234 gid=2345 pidfd=N"},
    // An error is never a missing name: a rule against ada must not be dodged.
    {"UserError", kDown, "staff",
     "UNAVAILABLE: the user of the peer is not known: the directory is down"},
    {"UserErrorOfAnotherKind", absl::NotFoundError("no such user"), "staff", "UNAVAILABLE: "},
    {"GroupError", "ada", kDown,
     "user:ada [gid:2345] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
    // Neither is a name that no rule can hold, nor one that passes for another's.
    {"UserLikeANumber", "uid:0", "staff",
     "UNAUTHENTICATED: the name of uid 1234, `uid:0`, cannot be that of a principal: the id has a "
     "colon; rename the user"},
    {"UserEmpty", "", "staff", "UNAUTHENTICATED: "},
    {"UserWithANewline", "root\nuid=0", "staff",
     "UNAUTHENTICATED: the name of uid 1234, `root\\x0auid=0`,"},
    {"UserWithAnInvisibleCharacter", "ro\xE2\x80\x8Bot", "staff",
     "user:ro\xE2\x80\x8Bot [staff] kernel uid=1234 gid=2345 pidfd=N"},
    {"UserNotUtf8", "ad\xE4", "staff", "UNAUTHENTICATED: the name of uid 1234, `ad\\xe4`,"},
    {"UserTooLong", std::string(kMaxIdBytes + 1, 'a'), "staff", "UNAUTHENTICATED: "},
    {"GroupLikeANumber", "ada", "gid:0",
     "user:ada [gid:2345] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
    {"GroupEmpty", "ada", "",
     "user:ada [gid:2345] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
    {"GroupNotUtf8", "ada",
     "st\xE4"
     "ff",
     "user:ada [gid:2345] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
};

class NameTest : public PeerTest, public ::testing::WithParamInterface<NameCase> {};

TEST_P(NameTest, MakesAPrincipal) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  const NameCase& c = GetParam();
  TableNames names;
  names.users.emplace(1234, c.user);
  names.groups.emplace(2345, c.group);
  PeerOptions options;
  options.names = &names;
  Listener listener;
  const auto peer = Connector(listener, {1234, 2345, {}});
  const int fd = listener.Accept();
  const std::string got = Outcome(PeerToken::FromSocket(fd, options));
  if (absl::StartsWith(c.want, "user:")) {
    EXPECT_EQ(got, c.want);
  } else {
    EXPECT_TRUE(absl::StartsWith(got, c.want)) << got;
  }
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, NameTest, ::testing::ValuesIn(kNameCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(PeerTest, IsRefusedWhenNoDescriptorIsLeft) {
  REQUIRE_PIDFDS();
  Child child([](const Child::Pipes& pipes) {
    Listener listener;
    listener.Connect();
    const int fd = listener.Accept();
    const rlimit limit = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    pipes.Say(Outcome(PeerToken::FromSocket(fd, kPlain)));
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "UNAVAILABLE: no descriptor is left for the peer's process: Too many open files; raise "
            "the limit or close connections");
  EXPECT_EQ(child.Wait(), 0);
}

// ---- Other kernels.

// What a kernel answers in place of the running one.
struct Played {
  int option = 0;  // The question; 0 for none.
  int error = 0;
  bool has_pidfs = true;
  std::optional<ucred> credentials;
  socklen_t size = 0;  // The size told with the error.
  int asked = 0;       // How often the question came.
} played;

int PlayedGetsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  if (option == SO_PEERCRED && played.credentials.has_value()) {
    std::memcpy(value, &*played.credentials, sizeof(ucred));
    return 0;
  }
  if (option != played.option) return getsockopt(fd, level, option, value, size);
  ++played.asked;
  if (played.size != 0) *size = played.size;
  errno = played.error;
  return -1;
}

Played Failing(int option, int error, socklen_t size = 0) {
  Played p;
  p.option = option;
  p.error = error;
  p.size = size;
  return p;
}

Played Telling(pid_t pid, uid_t uid, gid_t gid) {
  Played p;
  p.credentials = ucred{pid, uid, gid};
  return p;
}

Played WithoutPidfs() {
  Played p;
  p.has_pidfs = false;
  return p;
}

bool PlayedPidfs(int pidfd) { return played.has_pidfs && Kernel::kRunning.has_pidfs(pidfd); }

struct KernelCase {
  const char* name;
  Played played;
  bool require_live_process;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const KernelCase& c) { return os << c.name; }

const int kPidfd = socket_internal::kPeerPidfd;
constexpr uid_t kNoId = static_cast<uid_t>(-1);
const char kWeak[] = "user:uid:1234 [gid:2345, gid:7] kernel_weak uid=1234 gid=2345 pidfd=none";

const KernelCase kKernelCases[] = {
    {"Running", {}, true, "user:uid:1234 [gid:2345, gid:7] kernel uid=1234 gid=2345 pidfd=N"},
    {"WithoutPidfs", WithoutPidfs(), true,
     "user:uid:1234 [gid:2345, gid:7] kernel uid=1234 gid=2345 pidfd=unnumbered"},
    {"WithoutPidfd", Failing(kPidfd, ENOPROTOOPT), false, kWeak},
    {"WithoutPidfdButALifeIsRequired", Failing(kPidfd, ENOPROTOOPT), true,
     "UNAUTHENTICATED: this kernel cannot tell whether the process that connected lives"},
    {"NoPidfdOfAReapedProcess", Failing(kPidfd, ESRCH), false, kWeak},
    {"NoPidfdOfAReapedProcessEarlier", Failing(kPidfd, EINVAL), false, kWeak},
    {"ReapedButALifeIsRequired", Failing(kPidfd, ESRCH), true,
     "UNAUTHENTICATED: the process that connected, pid "},
    // Not the answer of an older kernel: no reason to be content with less.
    {"NoDescriptor", Failing(kPidfd, ENFILE), false, "UNAVAILABLE: no descriptor is left"},
    {"NoMemory", Failing(kPidfd, ENOMEM), false, "UNAVAILABLE: "},
    {"PidfdForbidden", Failing(kPidfd, EPERM), false, "UNAVAILABLE: "},
    {"WithoutGroups", Failing(SO_PEERGROUPS, ENOPROTOOPT), false,
     "user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N groups=partial"},
    {"GroupsForbidden", Failing(SO_PEERGROUPS, EPERM), false,
     "UNAVAILABLE: the kernel did not tell SO_PEERGROUPS of the peer: Operation not permitted"},
    {"GroupsWithoutEnd", Failing(SO_PEERGROUPS, ERANGE, 1024), false, "UNAVAILABLE: "},
    {"GroupsBeyondReason", Failing(SO_PEERGROUPS, ERANGE, 0x7ffffffc), false, "UNAVAILABLE: "},
    {"CredentialsForbidden", Failing(SO_PEERCRED, EPERM), false,
     "UNAVAILABLE: the kernel did not tell SO_PEERCRED"},
    {"NoCredentials", Telling(0, kNoId, kNoId), false,
     "UNAUTHENTICATED: the kernel has no credentials of the peer"},
    {"UidAlone", Telling(7, kNoId, 7), false, "UNAUTHENTICATED: "},
    {"PidZero", Telling(0, 0, 0), false, "UNAUTHENTICATED: the peer, of uid 0, is"},
    {"GidAlone", Telling(7, 1234, kNoId), false,
     "user:uid:1234 [gid:7] kernel uid=1234 gid=4294967295 pidfd=N groups=partial"},
};

class KernelTest : public PeerTest, public ::testing::WithParamInterface<KernelCase> {};

TEST_P(KernelTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  const KernelCase& c = GetParam();
  Listener listener;
  const auto peer = Connector(listener, {1234, 2345, {7}});
  const int fd = listener.Accept();
  played = c.played;
  const Kernel kernel = {PlayedGetsockopt, PlayedPidfs};
  const absl::StatusOr<PeerToken> token =
      FromSocketBy(kernel, fd, nullptr, 0, With(SocketOrigin::kUnknown, c.require_live_process));
  const std::string got = Outcome(token);
  EXPECT_TRUE(absl::StartsWith(got, c.want)) << got;
  EXPECT_EQ(absl::StrContains(got, "groups=partial"),
            token.ok() && !token->principal().groups_complete);
  if (token.ok()) {
    EXPECT_EQ(token->alive().has_value(), token->pidfd() >= 0);
    EXPECT_EQ(token->process_number().has_value(), absl::StrContains(got, "pidfd=N"));
  }
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, KernelTest, ::testing::ValuesIn(kKernelCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(PeerTest, AllocatesNoMoreThanAKernelCanNeed) {
  Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  const Kernel kernel = {PlayedGetsockopt, PlayedPidfs};
  for (const auto& [size, asked] : {std::pair(65536u * 4, 2), std::pair(65537u * 4, 1)}) {
    played = Failing(SO_PEERGROUPS, ERANGE, size);
    EXPECT_EQ(Code(FromSocketBy(kernel, fd, nullptr, 0, kPlain)), "UNAVAILABLE");
    EXPECT_EQ(played.asked, asked) << size;
  }
  close(client);
  close(fd);
}

// ---- Who could not be identified.

TEST(UnidentifiedPeer, IsAnonymousAndSaysWhy) {
  const Principal p = UnidentifiedPeer(absl::UnauthenticatedError("fd 7 is not\nconnected"));
  EXPECT_TRUE(p.anonymous());
  EXPECT_EQ(p.assurance, Assurance::kNone);
  EXPECT_TRUE(p.groups.empty());
  EXPECT_EQ(p.via, "socket");
  EXPECT_EQ(p.evidence, "refused: UNAUTHENTICATED: fd 7 is not\\x0aconnected");
  EXPECT_EQ(UnidentifiedPeer(MakePeerError(PeerError::kStale, "the peer has gone")).evidence,
            "refused: stale: the peer has gone");
  EXPECT_EQ(DefectOf(Request(p, "doc.read", {"doc", "1"})), "");
}

}  // namespace
}  // namespace reeve
