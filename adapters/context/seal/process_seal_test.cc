// Contexts from process to process, with real ones, over real sockets.
#include "reeve/adapters/context/seal/process_seal.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/seal/key_exchange.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_number.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::kPlain;
using peer_testing::Listener;
using peer_testing::With;
using seal_testing::Bytes;
using seal_testing::kMachine;
using seal_testing::kNow;
using seal_testing::Must;
using seal_testing::Outcome;
using seal_testing::OwnToken;
using seal_testing::Why;

const absl::Duration kMinute = absl::Minutes(1);
const absl::Duration kPatience = absl::Seconds(20);

constexpr char kAltered[] =
    "authentication_failed: the context was changed on its way, or was not made by who it says; do "
    "not use it";
constexpr char kUnknown[] =
    "unknown_key: the context is sealed by a key that is not known here; give this program the key "
    "of the exporter, or seal it for this program";
constexpr char kNotThatOne[] =
    "exporter_not_allowed: the context was handed over by another process than the one that sealed "
    "it; receive it from that one";
constexpr char kForked[] =
    "wrong_target: the keys are those of the process that this one was forked from; make or load "
    "them after fork()";

PublicKey KeyFromText(const std::string& base64) {
  std::string bytes;
  PublicKey key = {};
  if (absl::Base64Unescape(base64, &bytes) && bytes.size() == key.size()) {
    std::copy(bytes.begin(), bytes.end(), key.begin());
  }
  return key;
}
std::string TextOf(const PublicKey& key) {
  return absl::Base64Escape({reinterpret_cast<const char*>(key.data()), key.size()});
}
std::string BytesFromText(const std::string& base64) {
  std::string bytes;
  absl::Base64Unescape(base64, &bytes);
  return bytes;
}

// The own end of a process that opens.
struct Importer {
  std::unique_ptr<ProcessKey> key = Must(ProcessKey::Create());
  std::unique_ptr<SingleUse> single_use = Must(SingleUse::Create(100, kNow));
  std::unique_ptr<ProcessOpener> opener =
      Must(ProcessOpener::Create(key.get(), kMachine, single_use.get(), ProcessOpener::Options()));

  std::string Open(std::string_view packed, const PeerToken* exporter) {
    return Outcome(opener->Open(Bytes(packed), kNow, exporter));
  }
};

// A process that connects, tells its public key, and then seals, on `fd`, what it is asked for:
// each `Go()` one context, said in Base64. Its target is who listened. It ends by itself when it
// has sealed `most`: what Wait() closes a child that was made later may still hold open.
std::unique_ptr<Child> Exporter(const Listener& listener, int most = 100) {
  return std::make_unique<Child>([&](const Child::Pipes& pipes) {
    const std::unique_ptr<ProcessKey> own = Must(ProcessKey::Create());
    const int fd = listener.Connect();
    const PeerToken target = Must(PeerToken::FromSocket(fd, With(SocketOrigin::kInherited)));
    const PublicKey target_key = Must(ExchangePublicKeys(fd, own->public_key(), kPatience));
    const std::unique_ptr<ProcessSealer> sealer =
        Must(ProcessSealer::Create(own.get(), target_key, target, kMachine));
    for (int i = 0; i < most && pipes.Await(); ++i) {
      const std::string body = absl::StrCat("from ", getpid());
      pipes.Say(absl::Base64Escape(Must(sealer->Seal(Bytes(body), kNow, kNow + kMinute))));
    }
    return 0;
  });
}

class ProcessSealTest : public peer_testing::PeerTest {
 protected:
  void SetUp() override {
    PeerTest::SetUp();
    if (!OwnProcessNumber().has_value()) {
      GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
    }
  }
};

// The connection of an exporter, at its importer.
struct Connection {
  Connection(const Listener& listener, Importer* importer)
      : fd(listener.Accept()),
        token(Must(PeerToken::FromSocket(fd, kPlain))),
        key(Must(ExchangePublicKeys(fd, importer->key->public_key(), kPatience))) {}
  ~Connection() { close(fd); }

  int fd;
  PeerToken token;
  PublicKey key;
};

TEST_F(ProcessSealTest, OpensWhatAnotherProcessSealedToThisOne) {
  Listener listener;
  const auto exporter = Exporter(listener);
  Importer importer;
  const Connection connection(listener, &importer);
  ASSERT_EQ(Why(importer.opener->Trust(connection.key, connection.token)), "OK");
  for (int i = 0; i < 3; ++i) {
    exporter->Go();
    const std::string packed = BytesFromText(exporter->Hear());
    EXPECT_EQ(importer.Open(packed, &connection.token), absl::StrCat("from ", exporter->pid()));
    EXPECT_EQ(importer.Open(packed, &connection.token),
              "replayed: the context was opened before; export it again");
  }
}

TEST_F(ProcessSealTest, NobodyElseOpensIt) {
  Listener listener;
  const auto exporter = Exporter(listener);
  Importer importer;
  const Connection connection(listener, &importer);
  ASSERT_TRUE(importer.opener->Trust(connection.key, connection.token).ok());
  exporter->Go();
  const std::string packed = BytesFromText(exporter->Hear());

  // The importer's own child, with all that its parent has.
  Child forked([&](const Child::Pipes& pipes) {
    pipes.Say(importer.Open(packed, &connection.token));
    pipes.Say(Why(importer.opener->Trust(connection.key, connection.token)));
    pipes.Say(Why(importer.opener->Distrust(connection.key)));
    // And with an opener anew of the old key.
    pipes.Say(Why(ProcessOpener::Create(importer.key.get(), kMachine, importer.single_use.get(),
                                        ProcessOpener::Options())
                      .status()));
    pipes.Say(
        Why(ProcessSealer::Create(importer.key.get(), connection.key, connection.token, kMachine)
                .status()));
    return 0;
  });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(forked.Hear(), kForked) << i;
  EXPECT_EQ(forked.Hear(),
            "wrong_target: the process key is that of the process that this one was forked from; "
            "make one after fork()");
  EXPECT_EQ(forked.Wait(), 0);

  // A thief that has the bytes and trusts the exporter, too.
  Child thief([&](const Child::Pipes& pipes) {
    Importer own;
    if (!own.opener->Trust(connection.key, connection.token).ok()) return 1;
    pipes.Say(own.Open(packed, &connection.token));
    // Claims that it is of the key it shares with the exporter.
    const PeerToken self = OwnToken();
    const auto sealer =
        Must(ProcessSealer::Create(own.key.get(), own.key->public_key(), self, kMachine));
    if (!own.opener->Trust(own.key->public_key(), self).ok()) return 2;
    std::string renamed = packed;
    renamed.replace(8, 8, Must(sealer->Seal({}, kNow, kNow + kMinute)).substr(8, 8));
    pipes.Say(own.Open(renamed, &connection.token));
    return 0;
  });
  EXPECT_EQ(thief.Hear(), kUnknown);
  EXPECT_EQ(thief.Hear(), kAltered);
  EXPECT_EQ(thief.Wait(), 0);

  EXPECT_EQ(importer.Open(packed, &connection.token), absl::StrCat("from ", exporter->pid()));
}

TEST_F(ProcessSealTest, NobodyElseSealsIt) {
  Listener listener;
  const auto trusted = Exporter(listener);
  Importer importer;
  const Connection first(listener, &importer);
  ASSERT_TRUE(importer.opener->Trust(first.key, first.token).ok());
  // Another process, that did all as it should but is not trusted.
  const auto stranger = Exporter(listener);
  const Connection second(listener, &importer);
  stranger->Go();
  std::string packed = BytesFromText(stranger->Hear());
  EXPECT_EQ(importer.Open(packed, &second.token), kUnknown);
  EXPECT_EQ(importer.Open(packed, &first.token), kUnknown);
  // By the name of the key that is trusted.
  trusted->Go();
  const std::string genuine = BytesFromText(trusted->Hear());
  packed.replace(8, 8, genuine.substr(8, 8));
  EXPECT_EQ(importer.Open(packed, &second.token), kAltered);

  // The genuine one, handed over by the stranger, by nobody, and by who is known by no pidfd.
  EXPECT_EQ(importer.Open(genuine, &second.token), kNotThatOne);
  EXPECT_EQ(importer.Open(genuine, nullptr), kNotThatOne);
  const PeerToken self = OwnToken();
  EXPECT_EQ(importer.Open(genuine, &self), kNotThatOne);
  // Refusals did not use it up.
  EXPECT_EQ(importer.Open(genuine, &first.token), absl::StrCat("from ", trusted->pid()));

  // The stranger's own key, told by the stranger as that of the trusted one.
  EXPECT_EQ(Why(importer.opener->Trust(first.key, second.token)),
            "exporter_not_allowed: the public key of the exporter is that of another process; let "
            "each make its own");
  EXPECT_EQ(Why(importer.opener->Trust(first.key, first.token)), "OK");

  ASSERT_EQ(Why(importer.opener->Distrust(first.key)), "OK");
  EXPECT_EQ(Why(importer.opener->Distrust(first.key)),
            "NOT_FOUND: no exporter of that public key is trusted");
  trusted->Go();
  EXPECT_EQ(importer.Open(BytesFromText(trusted->Hear()), &first.token), kUnknown);
}

TEST_F(ProcessSealTest, AnExporterThatHasExitedIsNotBelieved) {
  Listener listener;
  const auto exporter = Exporter(listener);
  Importer importer;
  const Connection connection(listener, &importer);
  ASSERT_TRUE(importer.opener->Trust(connection.key, connection.token).ok());
  exporter->Go();
  const std::string packed = BytesFromText(exporter->Hear());
  EXPECT_EQ(exporter->Wait(), 0);
  EXPECT_EQ(
      importer.Open(packed, &connection.token),
      "exporter_not_allowed: the process that sealed the context has exited; export it again");
  Importer other;
  EXPECT_EQ(Why(other.opener->Trust(connection.key, connection.token)),
            "exporter_not_allowed: the process of the exporter has exited; trust one that runs");
}

TEST_F(ProcessSealTest, ATargetThatHasExitedIsNotSealedTo) {
  Listener listener;
  const auto target = std::make_unique<Child>([&](const Child::Pipes& pipes) {
    const std::unique_ptr<ProcessKey> own = Must(ProcessKey::Create());
    listener.Connect();
    pipes.Say(TextOf(own->public_key()));
    pipes.Await();
    return 0;
  });
  const int fd = listener.Accept();
  const PeerToken token = Must(PeerToken::FromSocket(fd, kPlain));
  const PublicKey target_key = KeyFromText(target->Hear());
  const std::unique_ptr<ProcessKey> own = Must(ProcessKey::Create());
  const std::unique_ptr<ProcessSealer> sealer =
      Must(ProcessSealer::Create(own.get(), target_key, token, kMachine));
  EXPECT_TRUE(sealer->Seal(Bytes("b"), kNow, kNow + kMinute).ok());
  EXPECT_EQ(target->Wait(), 0);
  constexpr char kGone[] =
      "wrong_target: the process that the context is to be sealed to has exited; seal it to one "
      "that runs";
  EXPECT_EQ(Why(sealer->Seal(Bytes("b"), kNow, kNow + kMinute).status()), kGone);
  EXPECT_EQ(Why(ProcessSealer::Create(own.get(), target_key, token, kMachine).status()), kGone);
  close(fd);
}

// The key of one process, and the pidfd of another: as where a socket was passed on.
TEST_F(ProcessSealTest, AKeyOfAnotherProcessThanThePidfdDoesNotOpen) {
  Listener listener;
  const auto other = peer_testing::Connector(listener, {getuid(), getgid(), {}});
  const int fd = listener.Accept();
  const PeerToken not_ours = Must(PeerToken::FromSocket(fd, kPlain));
  const PeerToken self = OwnToken();
  Importer importer;
  const std::unique_ptr<ProcessKey> exporter = Must(ProcessKey::Create());
  ASSERT_TRUE(importer.opener->Trust(exporter->public_key(), self).ok());
  const auto sealer =
      Must(ProcessSealer::Create(exporter.get(), importer.key->public_key(), not_ours, kMachine));
  EXPECT_EQ(importer.Open(Must(sealer->Seal(Bytes("b"), kNow, kNow + kMinute)), &self),
            "wrong_target: the context is sealed for another process; seal it for this one");
  close(fd);
}

// On another boot the numbers of processes begin anew; on another machine they are others'.
TEST_F(ProcessSealTest, IsOfThisMachineAndBoot) {
  const PeerToken self = OwnToken();
  Importer importer;
  const std::unique_ptr<ProcessKey> exporter = Must(ProcessKey::Create());
  ASSERT_TRUE(importer.opener->Trust(exporter->public_key(), self).ok());
  Machine other_machine = kMachine;
  other_machine.machine_id[31] ^= 1;
  Machine other_boot = kMachine;
  other_boot.boot_id[0] ^= 1;
  for (const Machine& machine : {other_machine, other_boot}) {
    const auto sealer =
        Must(ProcessSealer::Create(exporter.get(), importer.key->public_key(), self, machine));
    EXPECT_EQ(importer.Open(Must(sealer->Seal(Bytes("b"), kNow, kNow + kMinute)), &self),
              "wrong_target: the context is sealed for another process; seal it for this one");
  }
}

// What this process seals to another is no context that the other sealed to this one.
TEST_F(ProcessSealTest, IsOfOneDirection) {
  const PeerToken self = OwnToken();
  Importer a, b;
  ASSERT_TRUE(a.opener->Trust(b.key->public_key(), self).ok());
  ASSERT_TRUE(b.opener->Trust(a.key->public_key(), self).ok());
  const auto to_b = Must(ProcessSealer::Create(a.key.get(), b.key->public_key(), self, kMachine));
  const std::string packed = Must(to_b->Seal(Bytes("b"), kNow, kNow + kMinute));
  EXPECT_EQ(a.Open(packed, &self), kUnknown);
  EXPECT_EQ(b.Open(packed, &self), "b");
}

TEST_F(ProcessSealTest, ForgetsThoseThatExitedWhenThereIsNoRoom) {
  Listener listener;
  Importer importer;
  ProcessOpener::Options options;
  options.max_exporters = 2;
  importer.opener =
      Must(ProcessOpener::Create(importer.key.get(), kMachine, importer.single_use.get(), options));
  const auto first = Exporter(listener, 1);
  const Connection first_connection(listener, &importer);
  const auto second = Exporter(listener);
  const Connection second_connection(listener, &importer);
  const auto third = Exporter(listener);
  const Connection third_connection(listener, &importer);
  ASSERT_TRUE(importer.opener->Trust(first_connection.key, first_connection.token).ok());
  ASSERT_TRUE(importer.opener->Trust(second_connection.key, second_connection.token).ok());
  EXPECT_EQ(Why(importer.opener->Trust(third_connection.key, third_connection.token)),
            "resource_exhausted: 2 exporters are trusted, and all run; raise `max_exporters`, or "
            "distrust some");
  first->Go();
  EXPECT_NE(first->Hear(), "");
  EXPECT_EQ(first->Wait(), 0);
  EXPECT_EQ(Why(importer.opener->Trust(third_connection.key, third_connection.token)), "OK");
  for (const auto& [child, connection] :
       {std::pair(second.get(), &second_connection), std::pair(third.get(), &third_connection)}) {
    child->Go();
    EXPECT_EQ(importer.Open(BytesFromText(child->Hear()), &connection->token),
              absl::StrCat("from ", child->pid()));
  }
}

// The pid of a process that has exited is given to another: the pidfd tells them apart. In a pid
// namespace, where the next pid can be chosen.
TEST_F(ProcessSealTest, APidThatIsUsedAgainIsNotThatProcess) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to make pid namespaces";
  Child outside([](const Child::Pipes& pipes) {
    if (unshare(CLONE_NEWPID) != 0) return 77;
    Child in_namespace([&](const Child::Pipes&) {
      Listener listener;
      Importer importer;
      auto first = Exporter(listener);
      const pid_t pid = first->pid();
      const Connection old(listener, &importer);
      if (!importer.opener->Trust(old.key, old.token).ok()) return 1;
      first->Go();
      const std::string packed = BytesFromText(first->Hear());
      first->Wait();
      // clone3(2), set_tid.
      struct {
        uint64_t flags = 0, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = SIGCHLD,
                 stack = 0, stack_size = 0, tls = 0, set_tid = 0, set_tid_size = 1, cgroup = 0;
      } arguments;
      arguments.set_tid = reinterpret_cast<uintptr_t>(&pid);
      const auto again = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
      if (again == 0) {
        const int fd = listener.Connect();
        char byte;
        _exit(read(fd, &byte, 1) == 0 ? 0 : 1);
      }
      if (again != pid) return 78;
      const int fd = listener.Accept();
      const PeerToken reborn = Must(PeerToken::FromSocket(fd, kPlain));
      pipes.Say(absl::StrCat(reborn.pid() == old.token.pid() ? "same pid" : "other pid"));
      pipes.Say(importer.Open(packed, &reborn));
      pipes.Say(Why(importer.opener->Trust(old.key, reborn)));
      close(fd);
      return waitpid(again, nullptr, 0) == again ? 0 : 1;
    });
    return in_namespace.Wait();
  });
  const std::string first = outside.Hear();
  if (first.empty()) {
    const int status = outside.Wait();
    if (status == 77 || status == 78) GTEST_SKIP() << "cannot choose pids here";
    FAIL() << status;
  }
  EXPECT_EQ(first, "same pid");
  EXPECT_EQ(outside.Hear(), kNotThatOne);
  EXPECT_EQ(outside.Hear(),
            "exporter_not_allowed: the public key of the exporter is that of another process; let "
            "each make its own");
  EXPECT_EQ(outside.Wait(), 0);
}

// A peer that the kernel does not number: of TCP.
class TcpTest : public peer_testing::InetPeerTest {};

TEST_F(TcpTest, IsNotNumbered) {
  if (!OwnProcessNumber().has_value()) GTEST_SKIP() << "needs Linux 6.9";
  const peer_testing::TcpListener listener;
  const int client = peer_testing::MakeSocket(AF_INET, SOCK_STREAM);
  peer_testing::Connect(client, peer_testing::InetAddress::OfSocket(listener.fd()));
  const int fd = listener.Accept();
  const PeerToken token = Must(PeerToken::FromSocket(fd, kPlain));
  Importer importer;
  const std::unique_ptr<ProcessKey> other = Must(ProcessKey::Create());
  EXPECT_EQ(
      Why(ProcessSealer::Create(other.get(), importer.key->public_key(), token, kMachine).status()),
      "no_credentials: the kernel does not number the process that the context is to be sealed to; "
      "connect to it by a Unix socket, on Linux 6.9 or later");
  EXPECT_EQ(Why(importer.opener->Trust(other->public_key(), token)),
            "exporter_not_allowed: the kernel does not number the process of the exporter; let it "
            "connect by a Unix socket, on Linux 6.9 or later");
  close(client);
  close(fd);
}

TEST_F(ProcessSealTest, RefusesKeysThatNobodyHas) {
  const PeerToken self = OwnToken();
  Importer importer;
  const std::unique_ptr<ProcessKey> own = Must(ProcessKey::Create());
  constexpr char kNone[] =
      "malformed: the public key of the peer is none that a key pair has; do not talk to it";
  // Points of low order: RFC 7748, section 6.1.
  PublicKey one = {1};
  for (const PublicKey& bad : {PublicKey{}, one}) {
    EXPECT_EQ(Why(ProcessSealer::Create(own.get(), bad, self, kMachine).status()), kNone);
    EXPECT_EQ(Why(importer.opener->Trust(bad, self)), kNone);
  }
}

TEST_F(ProcessSealTest, ChecksItsOptions) {
  Importer importer;
  for (const size_t exporters : {size_t{0}, ProcessOpener::kMaxExporters + 1}) {
    ProcessOpener::Options options;
    options.max_exporters = exporters;
    EXPECT_EQ(
        Why(ProcessOpener::Create(importer.key.get(), kMachine, importer.single_use.get(), options)
                .status()),
        absl::StrCat("INVALID_ARGUMENT: `max_exporters` is ", exporters,
                     "; it must be from 1 to 4096"));
  }
}

TEST_F(ProcessSealTest, NoDescriptorLeftIsAnError) {
  const PeerToken self = OwnToken();
  Importer importer;
  Child child([&](const Child::Pipes& pipes) {
    const std::unique_ptr<ProcessKey> own = Must(ProcessKey::Create());
    Importer other;
    const int next = dup(pipes.in);
    close(next);
    const rlimit none = {static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
    pipes.Say(
        Why(ProcessSealer::Create(own.get(), importer.key->public_key(), self, kMachine).status()));
    pipes.Say(Why(other.opener->Trust(own->public_key(), self)));
    pipes.Say(Why(ProcessKey::Create().status()));
    return 0;
  });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(child.Hear().substr(0, 62),
              "resource_exhausted: no descriptor is left for the peer's proce");
  }
  EXPECT_EQ(child.Hear(),
            "no_credentials: the kernel does not number processes, or no descriptor is left to ask "
            "for it; run Linux 6.9 or later, or seal by a key ring");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve
