#include "reeve/adapters/context/seal/key_exchange.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::Listener;
using seal_testing::Why;

PublicKey KeyOf(char c) {
  PublicKey key;
  key.fill(static_cast<uint8_t>(c));
  return key;
}

std::string Outcome(const absl::StatusOr<PublicKey>& key) {
  return key.ok() ? std::string(key->begin(), key->end()) : Why(key.status());
}

class ExchangeTest : public peer_testing::PeerTest {};

TEST_F(ExchangeTest, BothLearnTheOthersKey) {
  for (const int flags : {0, int{SOCK_NONBLOCK}}) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends), 0);
    Child other([&](const Child::Pipes& pipes) {
      pipes.Say(Outcome(ExchangePublicKeys(ends[1], KeyOf('b'), absl::Seconds(20))));
      // What follows is not touched.
      if (send(ends[1], "next", 4, 0) != 4) return 1;
      return 0;
    });
    close(ends[1]);
    EXPECT_EQ(Outcome(ExchangePublicKeys(ends[0], KeyOf('a'), absl::Seconds(20))),
              std::string(32, 'b'));
    EXPECT_EQ(other.Hear(), std::string(32, 'a'));
    EXPECT_EQ(other.Wait(), 0);
    char next[5] = {};
    EXPECT_EQ(recv(ends[0], next, sizeof(next), 0), 4);
    EXPECT_STREQ(next, "next");
    close(ends[0]);
  }
}

struct Case {
  const char* name;
  std::string sent;
  bool closes;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class AnswerTest : public peer_testing::PeerTest, public ::testing::WithParamInterface<Case> {};

TEST_P(AnswerTest, IsTakenOrRefused) {
  const Case& c = GetParam();
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  ASSERT_EQ(write(ends[1], c.sent.data(), c.sent.size()), static_cast<ssize_t>(c.sent.size()));
  if (c.closes) shutdown(ends[1], SHUT_WR);
  EXPECT_EQ(Outcome(ExchangePublicKeys(ends[0], KeyOf('a'), absl::Milliseconds(1))), c.want);
  char told[64];
  EXPECT_EQ(std::string(told, recv(ends[1], told, sizeof(told), 0)),
            std::string("RVPK\1\0\0\0", 8) + std::string(32, 'a'));
  close(ends[0]);
  close(ends[1]);
}

const std::string kHead("RVPK\1\0\0\0", 8);
const std::string kKey(32, 'k');
constexpr char kLate[] =
    "UNAVAILABLE: the peer did not tell its public key: it did not answer in time; connect again";
constexpr char kClosed[] =
    "UNAVAILABLE: the peer did not tell its public key: it closed the connection; connect again";
constexpr char kOther[] =
    "malformed: the peer sent something else than its public key; exchange keys before anything "
    "else, on both sides";
constexpr char kNewer[] =
    "unsupported_version: the peer tells its public key in a form that this program does not know; "
    "update it";
const Case kCases[] = {
    {"AKey", kHead + kKey, false, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"},
    {"AKeyAndMore", kHead + kKey + "more", false, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"},
    {"AKeyAndGone", kHead + kKey, true, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"},
    {"Nothing", "", false, kLate},
    {"HalfAKey", kHead + "kkkk", false, kLate},
    {"Closed", "", true, kClosed},
    {"HalfAKeyAndClosed", kHead + "kkkk", true, kClosed},
    {"SomethingElse", "GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n", false, kOther},
    {"AnotherVersion", std::string("RVPK\2\0\0\0", 8) + kKey, false, kNewer},
    {"AFlag", std::string("RVPK\1\0\0\1", 8) + kKey, false, kNewer},
};
INSTANTIATE_TEST_SUITE_P(, AnswerTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(ExchangeTest, IsBetweenEndsOfStreamSocketsOfUnix) {
  constexpr char kWant[] =
      "INVALID_ARGUMENT: fd N is no stream socket of AF_UNIX; pass one that is connected";
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (const int fd : {-1, pipe_ends[0], tcp, datagram}) {
    EXPECT_EQ(Outcome(ExchangePublicKeys(fd, KeyOf('a'), absl::Seconds(1))),
              absl::StrReplaceAll(kWant, {{"fd N", "fd " + std::to_string(fd)}}));
    if (fd >= 0) close(fd);
  }
  close(pipe_ends[1]);
  const int unconnected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(Outcome(ExchangePublicKeys(unconnected, KeyOf('a'), absl::Seconds(1))),
            "UNAVAILABLE: the peer did not tell its public key: Transport endpoint is not "
            "connected; connect again");
  close(unconnected);
}

// A peer that reads nothing does not hold us up, nor does one that has gone end the process.
TEST_F(ExchangeTest, IsBounded) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const std::string much(65536, 'x');
  while (write(ends[0], much.data(), much.size()) > 0) {
  }
  EXPECT_EQ(Outcome(ExchangePublicKeys(ends[0], KeyOf('a'), absl::Milliseconds(1))), kLate);
  EXPECT_EQ(Outcome(ExchangePublicKeys(ends[0], KeyOf('a'), -absl::InfiniteDuration())), kLate);
  close(ends[1]);
  EXPECT_EQ(Outcome(ExchangePublicKeys(ends[0], KeyOf('a'), absl::Seconds(1))),
            "UNAVAILABLE: the peer did not tell its public key: Broken pipe; connect again");
  close(ends[0]);
}

}  // namespace
}  // namespace reeve
