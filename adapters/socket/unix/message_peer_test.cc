// Who sent a message over an AF_UNIX socket: what the kernel puts into its control data, and what
// control data that no kernel makes cannot do.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/unix/kernel.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using peer_testing::Autobind;
using peer_testing::Become;
using peer_testing::Child;
using peer_testing::Identity;
using peer_testing::Inode;
using peer_testing::kPlain;
using peer_testing::Listener;
using peer_testing::MakeSocket;
using peer_testing::Outcome;
using peer_testing::PeerTest;
using peer_testing::With;
using peer_testing::WriteIdMap;
using socket_internal::kScmPidfd;

const char kAda[] =
    "user:uid:1234 [gid:2345] kernel uid=1234 gid=2345 pidfd=N socket=message groups=partial";

// What FromMessage() tells: an Outcome(), or the name of the PeerError.
std::string VerdictOf(const msghdr& message, const PeerOptions& options = kPlain) {
  const absl::StatusOr<PeerToken> token = PeerToken::FromMessage(message, options);
  if (token.ok()) return Outcome(token);
  const std::optional<PeerError> error = PeerErrorOf(token.status());
  return error.has_value() ? std::string(ToString(*error)) : token.status().ToString();
}

// A message as recvmsg(2) takes it; the destructor closes the descriptors that came with it.
class Received {
 public:
  explicit Received(int fd, size_t control_bytes = kMessageControlBytes)
      : control_(new uint64_t[control_bytes / 8 + 1]) {
    data_ = {bytes_, sizeof(bytes_)};
    message_.msg_iov = &data_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_.get();
    message_.msg_controllen = control_bytes;
    size_ = recvmsg(fd, &message_, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size_ < 0) message_.msg_controllen = 0;
  }
  ~Received() {
    for (const int fd : Descriptors(SCM_RIGHTS)) close(fd);
    for (const int fd : Descriptors(kScmPidfd)) close(fd);
  }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;

  const msghdr& message() const { return message_; }
  std::string data() const { return std::string(bytes_, size_ > 0 ? size_ : 0); }

  // Those that came, of that type.
  std::vector<int> Descriptors(int type) const {
    std::vector<int> all;
    auto* const header = const_cast<msghdr*>(&message_);
    for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != type) continue;
      for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
        int fd;
        std::memcpy(&fd, reinterpret_cast<const char*>(c) + at, sizeof(fd));
        if (fd >= 0) all.push_back(fd);
      }
    }
    return all;
  }

 private:
  std::unique_ptr<uint64_t[]> control_;
  char bytes_[5];  // One message, also of a stream.
  iovec data_;
  msghdr message_ = {};
  ssize_t size_ = -1;
};

// Sends "hello", with credentials and descriptors as given. False with an errno.
bool Send(int fd, const ucred* credentials = nullptr, const std::vector<int>& descriptors = {}) {
  char text[] = "hello";
  iovec data = {text, 5};
  alignas(cmsghdr) char control[256] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  size_t size = 0;
  const auto add = [&](int type, const void* value, size_t bytes) {
    auto* const c = reinterpret_cast<cmsghdr*>(control + size);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(c), value, bytes);
    size += CMSG_SPACE(bytes);
  };
  if (!descriptors.empty()) add(SCM_RIGHTS, descriptors.data(), descriptors.size() * sizeof(int));
  if (credentials != nullptr) add(SCM_CREDENTIALS, credentials, sizeof(*credentials));
  if (size > 0) {
    message.msg_control = control;
    message.msg_controllen = size;
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL) == 5;
}

// A socket that receives, and senders to it.
class Mailbox {
 public:
  explicit Mailbox(int type = SOCK_DGRAM, bool pass_credentials = true) : type_(type) {
    if (type == SOCK_DGRAM) {
      fd_ = MakeSocket(AF_UNIX, type);
      Autobind(fd_);
      address_size_ = sizeof(address_);
      EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &address_size_), 0);
    } else {
      // Connected by root: it is the sender of the message that counts.
      Listener listener(type);
      client_ = listener.Connect();
      fd_ = listener.Accept();
    }
    if (pass_credentials) {
      EXPECT_EQ(PassCredentials(fd_), absl::OkStatus());
    }
  }
  ~Mailbox() {
    close(fd_);
    if (client_ >= 0) close(client_);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  int fd() const { return fd_; }
  // A socket that sends to it, in whichever process.
  int Sender() const {
    if (type_ != SOCK_DGRAM) return dup(client_);
    const int fd = MakeSocket(AF_UNIX, SOCK_DGRAM);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address_), address_size_) != 0) _exit(97);
    return fd;
  }
  // A process of that user that sends, says "sent", and stays until it is let go.
  std::unique_ptr<Child> SendAs(uid_t uid) const {
    return std::make_unique<Child>([&](const Child::Pipes& pipes) {
      Become({uid, 2345, {7}});
      pipes.Say(Send(Sender()) ? "sent" : std::strerror(errno));
      pipes.Await();
      return 0;
    });
  }

 private:
  int type_;
  int fd_ = -1;
  int client_ = -1;
  sockaddr_un address_;
  socklen_t address_size_ = 0;
};

// ---- Who sent it.

class MessageTypeTest : public PeerTest, public ::testing::WithParamInterface<int> {};

TEST_P(MessageTypeTest, TellsEverythingOfItsSender) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox(GetParam());
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  std::optional<Received> received(std::in_place, mailbox.fd());
  EXPECT_EQ(received->data(), "hello");
  EXPECT_EQ(VerdictOf(received->message()), kAda);
  const absl::StatusOr<PeerToken> token = PeerToken::FromMessage(received->message(), kPlain);
  ASSERT_TRUE(token.ok()) << token.status();
  // The message's own descriptor is not the token's.
  received.reset();

  const Principal& p = token->principal();
  EXPECT_EQ(p.assurance, Assurance::kKernel);
  EXPECT_FALSE(p.groups_complete);
  EXPECT_EQ(p.groups, std::vector<std::string>{"gid:2345"});
  EXPECT_EQ(p.parents, std::vector<EntityId>{EntityId("uid", "1234")});
  EXPECT_EQ(p.attributes, (Attributes{{"uid", Value::Int(1234)},
                                      {"gid", Value::Int(2345)},
                                      {"pid", Value::Int(sender->pid())}}));
  EXPECT_EQ(p.via, "unix");
  EXPECT_EQ(p.evidence, absl::StrCat("pid=", sender->pid(), " uid=1234 gid=2345 pidfd=",
                                     Inode(token->pidfd()), " socket=message groups=partial"));
  EXPECT_EQ(DefectOf(Request(p, "doc.read", {"doc", "1"})), "");
  EXPECT_EQ(token->uid(), 1234u);
  EXPECT_EQ(token->gid(), 2345u);
  EXPECT_EQ(token->pid(), sender->pid());
  EXPECT_EQ(fcntl(token->pidfd(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(token->unix_identity().has_value());
  EXPECT_EQ(token->host(), nullptr);
  EXPECT_TRUE(token->secured());
  EXPECT_FALSE(token->encrypted());
  EXPECT_EQ(token->alive(), true);
  EXPECT_EQ(sender->Wait(), 0);
  EXPECT_EQ(token->alive(), false);
}

// What is sent by two waits apart, also in a stream.
TEST_P(MessageTypeTest, TellsSendersApart) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox(GetParam());
  for (const uid_t uid : {1234, 4321, 1234}) {
    const auto sender = mailbox.SendAs(uid);
    ASSERT_EQ(sender->Hear(), "sent");
  }
  for (const uid_t uid : {1234, 4321, 1234}) {
    const Received received(mailbox.fd());
    EXPECT_EQ(received.data(), "hello");
    const absl::StatusOr<PeerToken> token = PeerToken::FromMessage(received.message(), kPlain);
    ASSERT_TRUE(token.ok()) << token.status();
    EXPECT_EQ(token->uid(), uid);
  }
}

TEST_P(MessageTypeTest, IsNobodysIfCredentialsWereNotAskedFor) {
  REQUIRE_OTHER_USERS();
  Mailbox mailbox(GetParam(), false);
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  const Received received(mailbox.fd());
  EXPECT_EQ(received.data(), "hello");
  EXPECT_EQ(VerdictOf(received.message()), "no_token");
}

TEST_P(MessageTypeTest, IsNobodysIfItWasSentBeforeCredentialsWereAskedFor) {
  REQUIRE_OTHER_USERS();
  Mailbox mailbox(GetParam(), false);
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  ASSERT_EQ(PassCredentials(mailbox.fd()), absl::OkStatus());
  const Received received(mailbox.fd());
  EXPECT_EQ(received.data(), "hello");
  EXPECT_EQ(VerdictOf(received.message()), "no_token");
}

TEST_P(MessageTypeTest, IsItsSendersThoughThatHasExited) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox(GetParam());
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  EXPECT_EQ(sender->Wait(), 0);
  const Received received(mailbox.fd());
  const absl::StatusOr<PeerToken> token = PeerToken::FromMessage(received.message(), kPlain);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->uid(), 1234u);
  EXPECT_NE(token->alive(), true);
  // Before Linux 6.16 there is no pidfd of it then.
  EXPECT_EQ(token->principal().assurance,
            token->pidfd() >= 0 ? Assurance::kKernel : Assurance::kKernelWeak);
  EXPECT_EQ(VerdictOf(received.message(), With(SocketOrigin::kUnknown, true)), "stale");
}

TEST_P(MessageTypeTest, LivesWhileItsSenderLives) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox(GetParam());
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  EXPECT_EQ(VerdictOf(Received(mailbox.fd()).message(), With(SocketOrigin::kAccepted, true)), kAda);
}

INSTANTIATE_TEST_SUITE_P(, MessageTypeTest,
                         ::testing::Values(SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET),
                         [](const auto& info) {
                           return info.param == SOCK_DGRAM    ? "Datagram"
                                  : info.param == SOCK_STREAM ? "Stream"
                                                              : "Seqpacket";
                         });

// ---- What senders claim.

constexpr uid_t kNoUid = static_cast<uid_t>(-1);

struct ClaimCase {
  const char* name;
  uid_t real;
  uid_t effective;
  std::function<ucred(pid_t own)> claim;
  const char* want;  // A verdict, or why it cannot be sent.
};
std::ostream& operator<<(std::ostream& os, const ClaimCase& c) { return os << c.name; }

const ClaimCase kClaimCases[] = {
    {"Itself", 1234, 1234,
     [](pid_t own) {
       return ucred{own, 1234, 2345};
     },
     kAda},
    {"Root", 1234, 1234,
     [](pid_t own) {
       return ucred{own, 0, 2345};
     },
     "EPERM"},
    {"RootsGroup", 1234, 1234,
     [](pid_t own) {
       return ucred{own, 1234, 0};
     },
     "EPERM"},
    {"ItsSupplementaryGroup", 1234, 1234,
     [](pid_t own) {
       return ucred{own, 1234, 3001};
     },
     "EPERM"},
    {"AnotherProcess", 1234, 1234,
     [](pid_t) {
       return ucred{1, 1234, 2345};
     },
     "EPERM"},
    {"NoUser", 1234, 1234,
     [](pid_t own) {
       return ucred{own, kNoUid, 2345};
     },
     "EINVAL"},
    // It could act as either.
    {"ItsRealUser", 1234, 4321,
     [](pid_t own) {
       return ucred{own, 1234, 2345};
     },
     kAda},
    {"ItsEffectiveUser", 4321, 1234,
     [](pid_t own) {
       return ucred{own, 1234, 2345};
     },
     kAda},
    // Root's word is taken, as peer.h says: it could become that user.
    {"RootAsAnother", 0, 0,
     [](pid_t own) {
       return ucred{own, 1234, 2345};
     },
     kAda},
    {"RootAsNobody", 0, 0,
     [](pid_t own) {
       return ucred{own, 65534, 2345};
     },
     "unmapped"},
    {"RootAsNoProcess", 0, 0,
     [](pid_t) {
       return ucred{0x3fffff, 1234, 2345};
     },
     "ESRCH"},
};

const char* NameOf(int error) {
  return error == EPERM    ? "EPERM"
         : error == EINVAL ? "EINVAL"
         : error == ESRCH  ? "ESRCH"
                           : std::strerror(error);
}

class ClaimTest : public PeerTest, public ::testing::WithParamInterface<ClaimCase> {};

TEST_P(ClaimTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  const ClaimCase& c = GetParam();
  Mailbox mailbox;
  Child sender([&](const Child::Pipes& pipes) {
    const gid_t group = 3001;
    if (setgroups(1, &group) != 0 || setresgid(2345, 2345, 2345) != 0 ||
        setresuid(c.real, c.effective, c.effective) != 0) {
      return 1;
    }
    const ucred claim = c.claim(getpid());
    pipes.Say(Send(mailbox.Sender(), &claim) ? "sent" : NameOf(errno));
    pipes.Await();
    return 0;
  });
  const std::string heard = sender.Hear();
  if (heard != "sent") {
    EXPECT_EQ(heard, c.want);
    return;
  }
  EXPECT_EQ(VerdictOf(Received(mailbox.fd()).message()), c.want);
}

INSTANTIATE_TEST_SUITE_P(, ClaimTest, ::testing::ValuesIn(kClaimCases),
                         [](const auto& info) { return info.param.name; });

// Without a claim it is the real user.
TEST_F(PeerTest, IsTheRealUserOfItsSender) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox;
  Child sender([&](const Child::Pipes& pipes) {
    if (setresgid(2345, 2345, 2345) != 0 || setresuid(1234, 4321, 4321) != 0) return 1;
    pipes.Say(Send(mailbox.Sender()) ? "sent" : "not sent");
    pipes.Await();
    return 0;
  });
  ASSERT_EQ(sender.Hear(), "sent");
  EXPECT_EQ(VerdictOf(Received(mailbox.fd()).message()), kAda);
}

// Root may name a process, too; and then the pidfd is of that.
TEST_F(PeerTest, IsTheProcessThatRootNames) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Child victim([](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    pipes.Say("here");
    pipes.Await();
    return 0;
  });
  ASSERT_EQ(victim.Hear(), "here");
  Mailbox mailbox;
  const ucred claim = {victim.pid(), 1234, 2345};
  const int from = mailbox.Sender();
  ASSERT_TRUE(Send(from, &claim));
  const Received received(mailbox.fd());
  const absl::StatusOr<PeerToken> token = PeerToken::FromMessage(received.message(), kPlain);
  ASSERT_TRUE(token.ok()) << token.status();
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, victim.pid(), 0));
  EXPECT_EQ(token->pid(), victim.pid());
  EXPECT_EQ(Inode(token->pidfd()), Inode(pidfd));
  close(pidfd);
  close(from);
}

// ---- How it was received.

TEST_F(PeerTest, IsRefusedIfTheControlDataWasCutShort) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox;
  const int from = mailbox.Sender();
  constexpr size_t kRooms[] = {0,
                               1,
                               CMSG_LEN(0),
                               CMSG_LEN(sizeof(ucred)) - 1,
                               CMSG_SPACE(sizeof(ucred)),
                               kMessageControlBytes - 8};
  for (const size_t room : kRooms) {
    ASSERT_TRUE(Send(from));
    const Received received(mailbox.fd(), room);
    EXPECT_EQ(received.data(), "hello");
    EXPECT_NE(received.message().msg_flags & MSG_CTRUNC, 0) << room;
    EXPECT_EQ(VerdictOf(received.message()), "unavailable") << room;
  }
  // Descriptors that nobody had room for.
  ASSERT_TRUE(Send(from, nullptr, {from, from, from}));
  EXPECT_EQ(VerdictOf(Received(mailbox.fd()).message()), "unavailable");
  ASSERT_TRUE(Send(from));
  EXPECT_EQ(VerdictOf(Received(mailbox.fd()).message()).substr(0, 10), "user:uid:0");
  close(from);
}

TEST_F(PeerTest, IsToldBesideDescriptors) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  Mailbox mailbox;
  Child sender([&](const Child::Pipes& pipes) {
    Become({1234, 2345, {}});
    const ucred own = {getpid(), 1234, 2345};
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pipes.Say(Send(mailbox.Sender(), &own, {null, null}) ? "sent" : "not sent");
    pipes.Await();
    return 0;
  });
  ASSERT_EQ(sender.Hear(), "sent");
  const Received received(mailbox.fd(), kMessageControlBytes + CMSG_SPACE(2 * sizeof(int)));
  EXPECT_EQ(VerdictOf(received.message()), kAda);
  // They are there yet.
  const std::vector<int> descriptors = received.Descriptors(SCM_RIGHTS);
  ASSERT_EQ(descriptors.size(), 2u);
  for (const int fd : descriptors) EXPECT_NE(fcntl(fd, F_GETFD), -1);
}

// The kernel says so in place of the pidfd. That is no older kernel, and no reason to be content
// with a weaker token.
TEST_F(PeerTest, IsRefusedWhenNoDescriptorIsLeftForTheProcess) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  for (const bool received_before : {false, true}) {
    Mailbox mailbox;
    const auto sender = mailbox.SendAs(1234);
    ASSERT_EQ(sender->Hear(), "sent");
    Child receiver([&](const Child::Pipes& pipes) {
      const rlimit none = {0, 0};
      if (!received_before && setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
      const Received received(mailbox.fd());
      if (received_before && setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
      pipes.Say(VerdictOf(received.message()));
      return 0;
    });
    EXPECT_EQ(receiver.Hear(), "unavailable") << received_before;
  }
}

struct ForeignCase {
  const char* name;
  int flags;
  const char* uid_map;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const ForeignCase& c) { return os << c.name; }

const ForeignCase kForeignCases[] = {
    {"Mapped", CLONE_NEWUSER, "0 1000 1000",
     "user:uid:234 [] kernel uid=234 gid=65534 pidfd=N socket=message groups=partial"},
    {"UserUnmapped", CLONE_NEWUSER, "0 0 1000", "unmapped"},
    {"PidUnseen", CLONE_NEWPID, nullptr, "unmapped"},
};

class ForeignTest : public PeerTest, public ::testing::WithParamInterface<ForeignCase> {};

TEST_P(ForeignTest, IsTakenOrRefused) {
  REQUIRE_OTHER_USERS();
  REQUIRE_PIDFDS();
  const ForeignCase& c = GetParam();
  Mailbox mailbox;
  const auto sender = mailbox.SendAs(1234);
  ASSERT_EQ(sender->Hear(), "sent");
  Child receiver([&](const Child::Pipes& pipes) {
    if (unshare(c.flags) != 0) {
      pipes.Say("skip");
      return 0;
    }
    pipes.Say("unshared");
    if (!pipes.Await()) return 1;
    const pid_t first = fork();
    if (first == 0) {
      pipes.Say(VerdictOf(Received(mailbox.fd()).message()));
      _exit(0);
    }
    int status = 0;
    return waitpid(first, &status, 0) == first && status == 0 ? 0 : 1;
  });
  if (receiver.Hear() == "skip") GTEST_SKIP() << "cannot make the namespace";
  if (c.uid_map != nullptr) WriteIdMap(receiver.pid(), "uid_map", c.uid_map);
  receiver.Go();
  EXPECT_EQ(receiver.Hear(), c.want);
}

INSTANTIATE_TEST_SUITE_P(, ForeignTest, ::testing::ValuesIn(kForeignCases),
                         [](const auto& info) { return info.param.name; });

// ---- Control data that no kernel made.

std::string Bytes(const void* data, size_t size) {
  return std::string(static_cast<const char*>(data), size);
}

// One element; `length` is what its header says, if not the truth.
std::string Element(int level, int type, const std::string& data,
                    std::optional<size_t> length = std::nullopt) {
  cmsghdr header = {};
  header.cmsg_len = length.value_or(CMSG_LEN(data.size()));
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::string all = Bytes(&header, sizeof(header)) + data;
  all.resize((all.size() + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1));
  return all;
}

std::string Credentials(pid_t pid, uid_t uid, gid_t gid) {
  const ucred credentials = {pid, uid, gid};
  return Bytes(&credentials, sizeof(credentials));
}

// Those of 1234, in an element that says to be so long.
std::string GoodOfLength(size_t length) {
  return Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(7, 1234, 2345), length);
}

std::string Pidfd(int value) {
  return Element(SOL_SOCKET, kScmPidfd, Bytes(&value, sizeof(value)));
}

struct MadeCase {
  const char* name;
  std::string control;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const MadeCase& c) { return os << c.name; }

const std::string kGood = Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(7, 1234, 2345));
const char kMade[] =
    "user:uid:1234 [gid:2345] kernel_weak uid=1234 gid=2345 pidfd=none socket=message "
    "groups=partial";

const MadeCase kMadeCases[] = {
    {"None", "", "no_token"},
    {"OneByte", std::string(1, '\x1c'), "no_token"},
    {"HalfAHeader", kGood.substr(0, sizeof(cmsghdr) - 1), "no_token"},
    {"HeaderOnly", kGood.substr(0, sizeof(cmsghdr)), "no_token"},
    {"DataCutShort", kGood.substr(0, CMSG_LEN(sizeof(ucred)) - 1), "no_token"},
    {"WithoutPadding", kGood.substr(0, CMSG_LEN(sizeof(ucred))), kMade},
    {"Whole", kGood, kMade},
    {"LengthZero", GoodOfLength(0), "no_token"},
    {"LengthBelowAHeader", GoodOfLength(sizeof(cmsghdr) - 1), "no_token"},
    {"LengthOfTheHeader", GoodOfLength(sizeof(cmsghdr)), "no_token"},
    {"LengthBeyondTheEnd", GoodOfLength(4096), "no_token"},
    {"LengthBeyondAll", GoodOfLength(~size_t{0}), "no_token"},
    {"LengthBeyondAllAlmost", GoodOfLength(~size_t{7}), "no_token"},
    {"OneByteMore", Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(7, 1234, 2345) + "x"),
     "no_token"},
    {"OfAnotherLevel", Element(IPPROTO_IP, SCM_CREDENTIALS, Credentials(7, 1234, 2345)),
     "no_token"},
    {"OfAnotherType", Element(SOL_SOCKET, 99, Credentials(7, 1234, 2345)), "no_token"},
    {"AfterOthers",
     Element(SOL_SOCKET, SCM_RIGHTS, "") + Element(IPPROTO_IP, 8, "xyz") +
         Element(SOL_SOCKET, 3, "label") + kGood,
     kMade},
    {"AfterOneThatIsBroken", Element(SOL_SOCKET, 3, "label", 8) + kGood, "no_token"},
    {"AfterOneWithoutEnd", Element(SOL_SOCKET, 3, "label", 4096) + kGood, "no_token"},
    {"BeforeOneThatIsCutShort", kGood + Pidfd(0).substr(0, CMSG_LEN(sizeof(int)) - 1), kMade},
    {"NoUser", Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(7, kNoUid, 2345)), "no_token"},
    {"NoProcess", Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(0, 1234, 2345)), "unmapped"},
    {"NegativeProcess", Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(-7, 1234, 2345)),
     "unmapped"},
    {"Nobody", Element(SOL_SOCKET, SCM_CREDENTIALS, Credentials(7, 65534, 2345)), "unmapped"},
    {"PidfdOnly", Pidfd(0), "no_token"},
    {"PidfdThatIsClosed", kGood + Pidfd(99999), "unavailable"},
    {"PidfdOfAReapedProcess", kGood + Pidfd(-ESRCH), kMade},
    {"PidfdOfAReapedProcessEarlier", kGood + Pidfd(-EINVAL), kMade},
    {"NoPidfdForWantOfDescriptors", kGood + Pidfd(-EMFILE), "unavailable"},
    {"NoPidfdForWantOfMemory", kGood + Pidfd(-ENOMEM), "unavailable"},
};

class MadeTest : public PeerTest, public ::testing::WithParamInterface<MadeCase> {};

TEST_P(MadeTest, IsTakenOrRefused) {
  const std::string& control = GetParam().control;
  // Of that size and no more, so that a look beyond it is seen.
  const std::unique_ptr<char[]> exact(new char[control.size()]);
  std::memcpy(exact.get(), control.data(), control.size());
  msghdr message = {};
  message.msg_control = exact.get();
  message.msg_controllen = control.size();
  EXPECT_EQ(VerdictOf(message), GetParam().want);
  message.msg_flags = MSG_CTRUNC;
  EXPECT_EQ(VerdictOf(message), "unavailable");
}

INSTANTIATE_TEST_SUITE_P(, MadeTest, ::testing::ValuesIn(kMadeCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(PeerTest, IsNobodysWithoutControlData) {
  const msghdr message = {};
  EXPECT_EQ(VerdictOf(message), "no_token");
}

TEST_F(PeerTest, IsStaleWithoutAPidfdIfALifeIsRequired) {
  for (std::string control : {kGood, kGood + Pidfd(-ESRCH)}) {
    msghdr message = {};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    EXPECT_EQ(VerdictOf(message, With(SocketOrigin::kUnknown, true)), "stale");
  }
}

// ---- PassCredentials().

TEST_F(PeerTest, PassesCredentialsOfAUnixSocketOnly) {
  struct {
    int family;
    int type;
    std::optional<PeerError> want;
  } const cases[] = {
      {AF_UNIX, SOCK_DGRAM, std::nullopt},      {AF_UNIX, SOCK_STREAM, std::nullopt},
      {AF_UNIX, SOCK_SEQPACKET, std::nullopt},  {AF_INET, SOCK_STREAM, PeerError::kType},
      {AF_INET6, SOCK_DGRAM, PeerError::kType}, {AF_NETLINK, SOCK_RAW, PeerError::kType}};
  for (const auto& c : cases) {
    const int fd = MakeSocket(c.family, c.type);
    const absl::Status status = PassCredentials(fd);
    EXPECT_EQ(status.ok(), !c.want.has_value()) << c.family << " " << status;
    EXPECT_EQ(PeerErrorOf(status), c.want) << c.family;
    close(fd);
  }
  EXPECT_EQ(PeerErrorOf(PassCredentials(-1)), PeerError::kNotSocket);
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(PeerErrorOf(PassCredentials(file)), PeerError::kNotSocket);
  close(file);
}

}  // namespace
}  // namespace reeve
