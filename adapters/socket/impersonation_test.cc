// Acting for a peer: logically, and as the kernel sees it.
#include "reeve/adapters/socket/impersonation.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Become;
using peer_testing::Child;
using peer_testing::Connector;
using peer_testing::kPlain;
using peer_testing::Listener;
using peer_testing::PeerTest;
using peer_testing::TempDirectory;

class ImpersonationTest : public PeerTest {};

TEST_F(ImpersonationTest, LastsUntilItIsReverted) {
  Listener listener;
  const int client = listener.Connect();
  const int fd = listener.Accept();
  absl::StatusOr<Impersonation> peer = ImpersonateSocketPeer(fd, nullptr, 0, kPlain);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(ToString(peer->principal().id), absl::StrCat("user:uid:", getuid()));
  ASSERT_NE(peer->token(), nullptr);

  Impersonation moved = *std::move(peer);
  EXPECT_TRUE(peer->principal().anonymous());
  EXPECT_FALSE(moved.principal().anonymous());

  moved.Revert();
  EXPECT_EQ(moved.token(), nullptr);
  EXPECT_TRUE(moved.principal().anonymous());
  EXPECT_TRUE(absl::IsFailedPrecondition(moved.Identity().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(moved.RunAs([] { FAIL() << "ran"; })));
  moved.Revert();  // Does nothing.
  close(client);
  close(fd);
}

TEST_F(ImpersonationTest, IsNeverAnonymous) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const absl::StatusOr<Impersonation> peer = ImpersonateSocketPeer(fd, nullptr, 0);
  EXPECT_EQ(PeerErrorOf(peer.status()), PeerError::kNotConnected) << peer.status();
  close(fd);
}

TEST_F(ImpersonationTest, ActsWithTheGroupsOfThePeersProcess) {
  REQUIRE_OTHER_USERS();
  const TempDirectory directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0755), 0);
  struct File {
    const char* name;
    uid_t uid;
    gid_t gid;
    mode_t mode;
    int error;  // Of opening it as the peer.
  };
  const File files[] = {
      {"own", 1234, 0, 0600, 0},           {"primary", 0, 2345, 0640, 0},
      {"supplementary", 0, 3001, 0640, 0}, {"another-group", 0, 3003, 0640, EACCES},
      {"root", 0, 0, 0600, EACCES},        {"all", 0, 0, 0644, 0},
  };
  for (const File& file : files) {
    const std::string path = directory / file.name;
    const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(fchown(fd, file.uid, file.gid), 0);
    ASSERT_EQ(fchmod(fd, file.mode), 0);
    close(fd);
  }
  Listener listener;
  const auto child = Connector(listener, {1234, 2345, {3001}});
  const int fd = listener.Accept();
  {
    const absl::StatusOr<Impersonation> peer = ImpersonateSocketPeer(fd, nullptr, 0, kPlain);
    ASSERT_TRUE(peer.ok()) << peer.status();
    for (const File& file : files) {
      const std::string path = directory / file.name;
      const absl::StatusOr<int> error = peer->RunAs([&path] {
        const int opened = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (opened < 0) return errno;
        close(opened);
        return 0;
      });
      ASSERT_TRUE(error.ok()) << error.status();
      EXPECT_EQ(*error, file.error) << file.name;
    }
  }
  EXPECT_EQ(geteuid(), 0u);
  close(fd);
}

// What a peer of UDP or TCP may do by is looked up, and not for one that can be forged.
class InetTest : public ImpersonationTest {
 protected:
  // What this thread keeps open to ask the kernel is open before descriptors are counted.
  static void SetUpTestSuite() {
    if (peer_testing::WhyNoOtherUsers().empty()) IdentityOf(1, SOCK_STREAM).status().IgnoreError();
  }

  // A socket of `type` of uid `uid`, connected to `server`.
  static absl::StatusOr<UnixIdentity> IdentityOf(uid_t uid, int type) {
    const int server = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(server, generic, size), 0);
    EXPECT_EQ(getsockname(server, generic, &size), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(server, 1), 0);
    }
    Child child([&](const Child::Pipes& pipes) {
      Become({uid, uid, {}});
      const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
      if (connect(fd, generic, size) != 0 || send(fd, "x", 1, 0) != 1) return 1;
      pipes.Await();
      return 0;
    });
    sockaddr_in from = {};
    socklen_t from_size = sizeof(from);
    int fd = server;
    if (type == SOCK_STREAM) {
      fd = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
    } else {
      char byte;
      EXPECT_EQ(recvfrom(server, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &from_size), 1);
    }
    PeerOptions options = kPlain;
    options.local_udp = true;
    const absl::StatusOr<Impersonation> peer =
        ImpersonateSocketPeer(fd, reinterpret_cast<sockaddr*>(&from), from_size, options);
    if (fd != server) close(fd);
    close(server);
    if (!peer.ok()) return peer.status();
    EXPECT_EQ(peer->token()->uid(), uid);
    return peer->Identity();
  }
};

TEST_F(InetTest, ActsWithTheGroupsOfTheDatabase) {
  REQUIRE_OTHER_USERS();
  const absl::StatusOr<UnixIdentity> daemon = IdentityOf(1, SOCK_STREAM);  // Of every Debian.
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  EXPECT_EQ(daemon->uid, 1u);
  EXPECT_EQ(daemon->gid, 1u);
}

TEST_F(InetTest, ActsForNobodyWhomTheDatabaseDoesNotKnow) {
  REQUIRE_OTHER_USERS();
  EXPECT_TRUE(absl::IsNotFound(IdentityOf(61234, SOCK_STREAM).status()));
}

TEST_F(InetTest, ActsForNoSenderOfADatagram) {
  REQUIRE_OTHER_USERS();
  const absl::Status status = IdentityOf(1, SOCK_DGRAM).status();
  EXPECT_EQ(PeerErrorOf(status), PeerError::kUnproved) << status;
}

// Vouches for a host.
class Hosts final : public PeerSource {
 public:
  Mechanism mechanism() const override { return Mechanism::kOther; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer&) const override {
    PeerIdentity identity;
    identity.host = Principal(EntityId("host", "web-1"), Assurance::kCrypto);
    return identity;
  }
};

TEST_F(ImpersonationTest, OfAHostIsLogicalOnly) {
  const Hosts hosts;
  PeerOptions options = kPlain;
  options.local_tcp = false;
  options.sources = {&hosts};
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, generic, size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, generic, &size), 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(client, generic, size), 0);
  const absl::StatusOr<Impersonation> peer = ImpersonateSocketPeer(client, nullptr, 0, options);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(ToString(peer->principal().id), "host:web-1");
  EXPECT_TRUE(absl::IsFailedPrecondition(peer->Identity().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(peer->RunAs([] { FAIL() << "ran"; })));
  close(client);
  close(listener);
}

}  // namespace
}  // namespace reeve
