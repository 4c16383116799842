// Two users who connect, reset and connect again from the same few ports, as fast as they can: the
// ends of a connection that the server still holds become the other's at any moment. Whoever is
// told must be the one who connected.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/inet_testing.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Become;
using peer_testing::Child;
using peer_testing::InetAddress;
using peer_testing::InetPeerTest;
using peer_testing::kPlain;
using peer_testing::Loopback;
using peer_testing::MakeSocket;
using peer_testing::ResetOnClose;
using peer_testing::SetOption;
using peer_testing::TcpListener;
using peer_testing::Verdict;

constexpr int kConnections = 10000;
// Fewer than are wanted, so that one who has none waits for the other to let go.
constexpr int kPorts = 2;

// Ports that are free, kept from others by sockets that are bound and do nothing.
class Ports {
 public:
  Ports() {
    for (int i = 0; i < kPorts; ++i) {
      fds_.push_back(MakeSocket(AF_INET, SOCK_STREAM));
      SetOption(fds_.back(), SOL_SOCKET, SO_REUSEADDR, 1);
      peer_testing::Bind(fds_.back(), Loopback());
      own_.push_back(InetAddress::OfSocket(fds_.back()));
    }
  }
  ~Ports() {
    for (const int fd : fds_) close(fd);
  }
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  const InetAddress& operator[](size_t i) const { return own_[i]; }

 private:
  std::vector<int> fds_;
  std::vector<InetAddress> own_;
};

// Connects `count` times as `uid`, says so on each connection first, and resets it: at once, when
// the server is about to ask, or when it has asked.
int Race(uid_t uid, int count, const InetAddress& to, const Ports& ports) {
  std::minstd_rand random(uid);
  for (int made = 0; made < count;) {
    const int fd = MakeSocket(AF_INET, SOCK_STREAM);
    SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    ResetOnClose(fd);
    const InetAddress& own = ports[random() % kPorts];
    if (bind(fd, own.get(), own.size) != 0) return 1;
    // The other has the ends, by now.
    if (connect(fd, to.get(), to.size) != 0) {
      if (errno != EADDRNOTAVAIL && errno != ECONNRESET && errno != ECONNREFUSED) return 2;
      close(fd);
      sched_yield();
      continue;
    }
    ++made;
    if (send(fd, &uid, sizeof(uid), MSG_NOSIGNAL) != sizeof(uid)) return 3;
    char byte;
    for (int words = random() % 4 == 0 ? 0 : 1 + random() % 2; words > 0; --words) {
      if (recv(fd, &byte, 1, 0) != 1) break;
    }
    close(fd);
  }
  return 0;
}

// Takes its time between that the ends are read and that the kernel is asked about them.
class Dawdler final : public PeerSource {
 public:
  Mechanism mechanism() const override { return Mechanism::kOther; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer&) const override {
    for (int i = random_() % 64; i > 0; --i) sched_yield();
    return absl::NotFoundError("knows nobody");
  }

 private:
  mutable std::minstd_rand random_;
};

TEST_F(InetPeerTest, IsWhoConnectedInARace) {
  REQUIRE_OTHER_USERS();
  TcpListener listener;
  const Ports ports;
  const auto start = [&](uid_t uid) {
    return std::make_unique<Child>([&, uid](const Child::Pipes& pipes) {
      Become({uid, 2345, {}});
      pipes.Say("ready");
      if (!pipes.Await()) return 9;
      return Race(uid, kConnections / 2, listener.address(), ports);
    });
  };
  const auto first = start(1234);
  const auto second = start(2345);
  ASSERT_EQ(first->Hear(), "ready");
  ASSERT_EQ(second->Hear(), "ready");
  first->Go();
  second->Go();

  const Dawdler dawdler;
  PeerOptions slow = kPlain;
  slow.sources = {&dawdler};
  std::map<std::string, int> outcomes;  // Of each call: "right", or an error.
  std::map<std::string, int> wrong;
  for (int i = 0; i < kConnections; ++i) {
    const int fd = listener.Accept();
    const auto say = [fd] { return send(fd, "x", 1, MSG_NOSIGNAL) == 1; };
    const PeerOptions& options = i % 2 == 0 ? slow : kPlain;
    say();
    // Before the peer's word, after it, and when it expects no more.
    std::vector<absl::StatusOr<PeerToken>> tokens;
    tokens.push_back(PeerToken::FromSocket(fd, options));
    uid_t said = 0;
    const bool heard = recv(fd, &said, sizeof(said), MSG_WAITALL) == sizeof(said);
    tokens.push_back(PeerToken::FromSocket(fd, options));
    say();
    tokens.push_back(PeerToken::FromSocket(fd, slow));
    close(fd);
    for (const absl::StatusOr<PeerToken>& token : tokens) {
      if (!token.ok()) {
        ++outcomes[Verdict(token)];
      } else if (!heard) {
        ++outcomes["not said"];
      } else if (token->uid() == said) {
        ++outcomes["right"];
      } else {
        ++wrong[absl::StrCat(token->uid(), " of ", said)];
      }
    }
  }
  EXPECT_EQ(second->Wait(), 0);
  EXPECT_EQ(first->Wait(), 0);

  EXPECT_TRUE(wrong.empty());
  for (const auto& [what, count] : wrong) ADD_FAILURE() << what << ": " << count;
  for (const auto& [what, count] : outcomes) {
    std::cout << what << ": " << count << "\n";
    RecordProperty(what, count);
  }
  // It was no race if all were told, and no test if none was.
  EXPECT_GT(outcomes["right"], kConnections / 10);
  EXPECT_GT(outcomes["not_connected"] + outcomes["stale"], kConnections / 100);
  for (const auto& [what, count] : outcomes) {
    EXPECT_TRUE(what == "right" || what == "not said" || what == "not_connected" ||
                what == "stale" || what == "no_token")
        << what << ": " << count;
  }
}

}  // namespace
}  // namespace reeve
