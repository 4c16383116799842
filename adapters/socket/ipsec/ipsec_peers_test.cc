// What IpsecPeers says without asking charon. charon_test.cc and esp_test.cc have charons.
#include "reeve/adapters/socket/ipsec/ipsec_peers.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Network;
using peer_testing::TempDirectory;

IpsecPeers::Options At(const std::string& path) {
  IpsecPeers::Options options;
  options.socket_path = path;
  return options;
}

IpsecPeers::Options Within(absl::Duration deadline) {
  IpsecPeers::Options options;
  options.deadline = deadline;
  return options;
}

IpsecPeers::Options Of(const std::string& realm) {
  IpsecPeers::Options options;
  options.default_realm = realm;
  return options;
}

struct OptionsCase {
  const char* name;
  IpsecPeers::Options options;
  const char* error;
};

std::ostream& operator<<(std::ostream& os, const OptionsCase& c) { return os << c.name; }

class OptionsTest : public testing::TestWithParam<OptionsCase> {};

TEST_P(OptionsTest, AreChecked) {
  const auto peers = IpsecPeers::Create(GetParam().options);
  EXPECT_EQ(peers.status().code(),
            *GetParam().error == '\0' ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(peers.status().message(), GetParam().error)) << peers.status();
}

INSTANTIATE_TEST_SUITE_P(
    Options, OptionsTest,
    testing::Values(OptionsCase{"Default", IpsecPeers::Options(), ""},
                    OptionsCase{"NoPath", At(""), "socket_path: ``"},
                    OptionsCase{"RelativePath", At("charon.vici"), "socket_path: `charon.vici`"},
                    OptionsCase{"LongPath", At("/" + std::string(107, 'x')), "socket_path: "},
                    OptionsCase{"LongestPath", At("/" + std::string(106, 'x')), ""},
                    OptionsCase{"PathWithNul", At(std::string("/a\0b", 4)), "socket_path: "},
                    OptionsCase{"NoTime", Within(absl::ZeroDuration()), "deadline: 0"},
                    OptionsCase{"NegativeTime", Within(-absl::Seconds(1)), "deadline: -1s"},
                    OptionsCase{"ALongTime", Within(absl::Milliseconds(1001)), "deadline: 1.001s"},
                    OptionsCase{"AShortTime", Within(absl::Milliseconds(1)), ""},
                    OptionsCase{"ForEver", Within(absl::InfiniteDuration()), "deadline: inf"},
                    OptionsCase{"Realm", Of("example.com"), ""},
                    OptionsCase{"NoRealm", Of("@example.com"), "default_realm: `@example.com`"}),
    [](const auto& info) { return std::string(info.param.name); });

absl::Status Identify(const SocketPeer& peer, const std::string& path) {
  return (*IpsecPeers::Create(At(path)))->Identify(peer).status();
}

TEST(IdentifyTest, HasNothingToDoWithPeersThatUseNoIpsec) {
  const TempDirectory folder;
  SocketPeer peer;
  peer.family = AF_UNIX;
  EXPECT_EQ(Identify(peer, folder / "vici").code(), absl::StatusCode::kNotFound);
  peer.family = AF_INET;
  peer.peer_is_local = true;
  EXPECT_EQ(Identify(peer, folder / "vici").code(), absl::StatusCode::kNotFound);
}

TEST(IdentifyTest, NeedsTheNetworkOfTheSocket) {
  REQUIRE_NETWORKS();
  const TempDirectory folder;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SocketPeer peer;
  peer.fd = fd;
  peer.family = AF_INET;
  peer.peer.address = *IpAddress::Parse("10.97.0.2");
  const Network network;
  EXPECT_EQ(network.Do([&] {
    return PeerErrorOf(Identify(peer, folder / "vici")) == PeerError::kWrongNamespace ? 0 : 1;
  }),
            0);
  // In its own network it fails at the next thing that is missing.
  EXPECT_EQ(PeerErrorOf(Identify(peer, folder / "vici")), PeerError::kUnavailable);
  close(fd);
}

}  // namespace
}  // namespace reeve
