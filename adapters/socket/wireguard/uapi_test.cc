#include "reeve/adapters/socket/wireguard/uapi.h"

#include <gtest/gtest.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve::socket_internal {
namespace {

using peer_testing::Child;
using peer_testing::TempDirectory;

constexpr char kKey[] = "3207c9fe5d42148f645dfbce0726a0e75f7aba0bfc65c2554a00fa7950fa146b";

std::string KeyLine(const std::string& key = kKey) { return "public_key=" + key + "\n"; }

// "32@1700: 10.9.0.2/32;": the first byte of the key, the handshake, the prefixes.
std::string TextOf(const DeviceConfig& config) {
  std::string text;
  for (const ConfiguredPeer& peer : config.peers) {
    char key[3];
    std::snprintf(key, sizeof(key), "%02x", peer.key[0]);
    text += std::string(key) + "@" + std::to_string(peer.last_handshake) + ":";
    for (const IpPrefix& prefix : peer.allowed_ips) {
      text += " " + prefix.address.ToString() + "/" + std::to_string(prefix.length);
    }
    text += ";";
  }
  return text;
}

// The configuration, "errno N", "more" or "malformed".
std::string Parsed(const std::string& answer) {
  UapiParser parser;
  UapiParser::State state = UapiParser::State::kMore;
  std::vector<std::string> lines = absl::StrSplit(answer, '\n');
  lines.pop_back();  // What follows the last line's end.
  for (const std::string& line : lines) state = parser.Take(line);
  if (state == UapiParser::State::kMalformed) return "malformed";
  if (state == UapiParser::State::kMore) return "more";
  if (parser.error() != 0) return "errno " + std::to_string(parser.error());
  return TextOf(parser.Release());
}

TEST(UapiParserTest, Parses) {
  struct Case {
    const char* name;
    std::string answer;
    std::string want;
  };
  const std::string end = "errno=0\n\n";
  const Case cases[] = {
      {"NoPeer", "private_key=00\nlisten_port=1\n" + end, ""},
      {"OnePeer",
       "private_key=00\nlisten_port=51820\n" + KeyLine() +
           "preshared_key=00\nprotocol_version=1\nendpoint=10.98.0.2:51820\n"
           "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=1\n"
           "rx_bytes=2\npersistent_keepalive_interval=0\nallowed_ip=10.9.0.2/32\n"
           "allowed_ip=fd09::2/128\n" +
           end,
       "32@1700000000: 10.9.0.2/32 fd09::2/128;"},
      {"SeveralPeers",
       KeyLine() + "allowed_ip=10.9.0.2/32\n" + KeyLine(std::string(64, '5')) +
           "last_handshake_time_sec=5\nallowed_ip=10.9.0.3/32\n" + end,
       "32@0: 10.9.0.2/32;55@5: 10.9.0.3/32;"},
      {"AllowedIpBeforeTheHandshake",
       KeyLine() + "allowed_ip=10.9.0.2/32\nlast_handshake_time_sec=5\n" + end,
       "32@5: 10.9.0.2/32;"},
      {"UnknownNames", "later=1\n" + KeyLine() + "later=2\n=\n" + end, "32@0:;"},
      {"MappedIsNoV4", KeyLine() + "allowed_ip=::ffff:10.9.0.2/128\n" + end,
       "32@0: ::ffff:10.9.0.2/128;"},
      {"Refused", "errno=5\n\n", "errno 5"},
      {"RefusedByANegativeErrno", "errno=-5\n\n", "errno -5"},
      {"NotDone", KeyLine(), "more"},
      {"NotQuiteDone", "errno=0\n", "more"},
      {"EndsWithoutErrno", KeyLine() + "\n", "malformed"},
      {"Empty", "\n", "malformed"},
      {"GoesOnAfterErrno", "errno=0\n" + KeyLine() + "\n", "malformed"},
      {"GoesOnAfterTheEnd", end + "a=b\n", "malformed"},
      {"EndsTwice", end + "\n", "malformed"},
      {"TwoErrnos", "errno=5\nerrno=0\n\n", "malformed"},
      {"ErrnoIsNoNumber", "errno=\n\n", "malformed"},
      {"NoEqualsSign", "public_key\n" + end, "malformed"},
      {"KeyTooShort", "public_key=00\n" + end, "malformed"},
      {"AllowedIpOfNobody", "allowed_ip=10.9.0.2/32\n" + end, "malformed"},
      {"HandshakeOfNobody", "last_handshake_time_sec=5\n" + end, "malformed"},
      {"HandshakeIsNoNumber", KeyLine() + "last_handshake_time_sec=a\n" + end, "malformed"},
      {"HandshakeBeforeTime", KeyLine() + "last_handshake_time_sec=-1\n" + end, "malformed"},
      {"AllowedIpIsNone", KeyLine() + "allowed_ip=10.9.0.2/33\n" + end, "malformed"},
      {"NothingHealsIt", "nonsense\n" + end, "malformed"},
  };
  for (const Case& c : cases) EXPECT_EQ(Parsed(c.answer), c.want) << c.name;
}

TEST(ParseListeningFileTest, Parses) {
  const auto parsed = [](uint8_t family, uint8_t state, const std::vector<uint8_t>& attributes) {
    unix_diag_msg message = {};
    message.udiag_family = family;
    message.udiag_state = state;
    std::vector<uint8_t> body(sizeof(message));
    std::memcpy(body.data(), &message, sizeof(message));
    body.insert(body.end(), attributes.begin(), attributes.end());
    const std::optional<ListeningFile> file = ParseListeningFile(body);
    return file.has_value() ? std::to_string(file->inode) + " " + std::to_string(file->device)
                            : "none";
  };
  const std::vector<uint8_t> vfs = {12, 0, UNIX_DIAG_VFS, 0, 5, 0, 0, 0, 7, 0, 0, 0};
  EXPECT_EQ(parsed(AF_UNIX, TCP_LISTEN, vfs), "5 7");
  EXPECT_EQ(parsed(AF_UNIX, TCP_ESTABLISHED, vfs), "none");
  EXPECT_EQ(parsed(AF_INET, TCP_LISTEN, vfs), "none");
  EXPECT_EQ(parsed(AF_UNIX, TCP_LISTEN, {}), "none");
  EXPECT_EQ(parsed(AF_UNIX, TCP_LISTEN, {8, 0, UNIX_DIAG_VFS, 0, 5, 0, 0, 0}), "none");
  EXPECT_EQ(parsed(AF_UNIX, TCP_LISTEN, {13, 0, UNIX_DIAG_VFS, 0, 5, 0, 0, 0}), "none");
  EXPECT_FALSE(ParseListeningFile({}).has_value());
}

uint64_t ThisNetwork() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const uint64_t network = NetworkOf(fd);
  close(fd);
  return network;
}

// How a program behaves that listens for questions.
struct Behaviour {
  std::string answer = "errno=0\n\n";
  bool hangs = false;      // It never answers, and leaves the connection open.
  bool floods = false;     // It answers without end.
  int uid = -1;            // Who listens.
  bool elsewhere = false;  // Its socket is of another network.
  bool datagrams = false;  // Its socket is not one for connections.
};

// A process with a socket at `path`, as the programs of WireGuard have one.
std::unique_ptr<Child> Listen(const std::string& path, const Behaviour& behaviour) {
  auto child = std::make_unique<Child>([&](const Child::Pipes& pipes) {
    if (behaviour.elsewhere && unshare(CLONE_NEWNET) != 0) return 1;
    const int fd =
        socket(AF_UNIX, (behaviour.datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 2;
    if (chmod(path.c_str(), 0700) != 0) return 3;
    // The credentials that the other end is told are those of this moment.
    if (behaviour.uid >= 0 && seteuid(static_cast<uid_t>(behaviour.uid)) != 0) return 4;
    if (!behaviour.datagrams && listen(fd, 5) != 0) return 5;
    pipes.Say("up");
    pollfd pollers[] = {{fd, POLLIN, 0}, {pipes.in, POLLIN, 0}};
    while (poll(pollers, 2, -1) > 0 && pollers[1].revents == 0) {
      if (behaviour.hangs) {
        pipes.Await();
        return 0;
      }
      const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      char question[8];
      ssize_t size = 0;
      while (size < 7) {
        const ssize_t more = read(connection, question + size, sizeof(question) - size);
        if (more <= 0) break;
        size += more;
      }
      if (std::string_view(question, static_cast<size_t>(size)) != "get=1\n\n") return 6;
      if (behaviour.floods) {
        std::string lines;
        while (lines.size() < 4096) lines += "a=b\n";
        while (poll(&pollers[1], 1, 0) == 0) {
          if (send(connection, lines.data(), lines.size(), MSG_NOSIGNAL) < 0) break;
        }
        close(connection);
        continue;
      }
      size_t sent = 0;
      while (sent < behaviour.answer.size()) {
        const ssize_t some = send(connection, behaviour.answer.data() + sent,
                                  behaviour.answer.size() - sent, MSG_NOSIGNAL);
        if (some <= 0) break;
        sent += static_cast<size_t>(some);
      }
      close(connection);
    }
    return 0;
  });
  EXPECT_EQ(child->Hear(), "up");
  return child;
}

// The answer, or the error: "unavailable: what".
std::string Asked(const std::string& directory, absl::Duration deadline = absl::Seconds(20)) {
  const absl::StatusOr<DeviceConfig> config =
      AskUapi(directory, "wg0", ThisNetwork(), Deadline(deadline));
  if (config.ok()) return TextOf(*config);
  const std::optional<PeerError> error = PeerErrorOf(config.status());
  const std::string kind = error.has_value() ? std::string(ToString(*error))
                                             : absl::StatusCodeToString(config.status().code());
  return kind + ": " + std::string(config.status().message());
}

void ExpectContains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nhas no\n" << part;
}

TEST(AskUapiTest, ReadsTheAnswer) {
  const TempDirectory directory;
  Behaviour behaviour;
  // Longer than one read, and than all the room that there is at once.
  behaviour.answer = "private_key=00\n" + KeyLine() + "last_handshake_time_sec=5\n";
  std::string want = "32@5:";
  for (int i = 0; i < 5000; ++i) {
    const std::string prefix =
        "10." + std::to_string(i / 200) + "." + std::to_string(i % 200) + ".0/24";
    behaviour.answer += "allowed_ip=" + prefix + "\n";
    want += " " + prefix;
  }
  behaviour.answer += "errno=0\n\n";
  const auto listener = Listen(directory / "wg0.sock", behaviour);
  EXPECT_EQ(Asked(directory.path()), want + ";");
  EXPECT_EQ(Asked(directory.path()), want + ";");
}

TEST(AskUapiTest, RefusesABadAnswer) {
  struct Case {
    const char* name;
    std::string answer;
    const char* want;
  };
  const Case cases[] = {
      {"Empty", "", "cut short"},
      {"CutShort", KeyLine() + "errno=0\n", "cut short"},
      {"CutInALine", "errno=0", "cut short"},
      {"Malformed", "nonsense\n", "malformed"},
      {"GoesOn", "errno=0\n\nx", "malformed"},
      {"LineTooLong", "a=" + std::string(5000, 'b') + "\nerrno=0\n\n", "malformed"},
      {"LineWithoutEnd", "a=" + std::string(100000, 'b'), "malformed"},
      {"Errno", "errno=5\n\n", "errno 5"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const TempDirectory directory;
    Behaviour behaviour;
    behaviour.answer = c.answer;
    const auto listener = Listen(directory / "wg0.sock", behaviour);
    const std::string got = Asked(directory.path());
    ExpectContains(got, "unavailable: ");
    ExpectContains(got, c.want);
  }
}

TEST(AskUapiTest, WaitsForAStatedTime) {
  for (const bool floods : {false, true}) {
    SCOPED_TRACE(floods ? "floods" : "hangs");
    const TempDirectory directory;
    Behaviour behaviour;
    behaviour.hangs = !floods;
    behaviour.floods = floods;
    const auto listener = Listen(directory / "wg0.sock", behaviour);
    const auto start = std::chrono::steady_clock::now();
    const std::string got = Asked(directory.path(), absl::Milliseconds(300));
    const auto took = std::chrono::steady_clock::now() - start;
    ExpectContains(got, "unavailable: ");
    ExpectContains(got, "in time");
    EXPECT_GE(took, std::chrono::milliseconds(299));
    EXPECT_LT(took, std::chrono::seconds(3));
  }
}

TEST(AskUapiTest, RefusesAtOnceWhoTakesNoConnection) {
  const TempDirectory directory;
  Behaviour behaviour;
  behaviour.hangs = true;
  const auto listener = Listen(directory / "wg0.sock", behaviour);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  (directory / "wg0.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  std::vector<int> waiting;
  int error = 0;
  while (error == 0 && waiting.size() < 100) {
    waiting.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (connect(waiting.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      error = errno;
    }
  }
  ASSERT_EQ(error, EAGAIN);
  ExpectContains(Asked(directory.path()), "accepts no connection");
  for (const int fd : waiting) close(fd);
}

TEST(AskUapiTest, NothingIsThere) {
  const TempDirectory directory;
  ExpectContains(Asked(directory.path()), "NOT_FOUND: ");
  ExpectContains(Asked(directory / "none"), "NOT_FOUND: ");
  // A socket whose program has ended.
  Listen(directory / "wg0.sock", Behaviour()).reset();
  ExpectContains(Asked(directory.path()), "unavailable: ");
}

TEST(AskUapiTest, BelievesNotEverySocket) {
  REQUIRE_OTHER_USERS();
  using Spoil = std::function<bool(const std::string& directory, const std::string& path)>;
  struct Case {
    const char* name;
    Behaviour behaviour;
    Spoil spoil;
    const char* want;  // Empty: it is believed.
  };
  const auto mode_of_socket = [](mode_t mode) -> Spoil {
    return [mode](const std::string&, const std::string& path) {
      return chmod(path.c_str(), mode) == 0;
    };
  };
  const auto mode_of_directory = [](mode_t mode) -> Spoil {
    return [mode](const std::string& directory, const std::string&) {
      return chmod(directory.c_str(), mode) == 0;
    };
  };
  Behaviour stranger;
  stranger.uid = 1234;
  Behaviour unmapped;
  unmapped.uid = 65534;
  Behaviour elsewhere;
  elsewhere.elsewhere = true;
  Behaviour datagrams;
  datagrams.datagrams = true;
  const Case cases[] = {
      {"AsItIs", {}, [](auto&, auto&) { return true; }, ""},
      {"GroupMayWrite", {}, mode_of_socket(0770), ""},
      {"OthersMayWrite", {}, mode_of_socket(0702), "wg0.sock: has mode 0702"},
      {"OfAStranger",
       {},
       [](auto&, auto& path) { return chown(path.c_str(), 1234, 0) == 0; },
       "wg0.sock: belongs to uid 1234"},
      {"OfNobody",
       {},
       [](auto&, auto& path) { return chown(path.c_str(), 65534, 0) == 0; },
       "wg0.sock: belongs to uid 65534"},
      {"GroupMayWriteTheDirectory", {}, mode_of_directory(0770), ": has mode 0770"},
      {"OthersMayWriteTheDirectory", {}, mode_of_directory(01777), ": has mode 1777"},
      {"DirectoryOfAStranger",
       {},
       [](auto& directory, auto&) { return chown(directory.c_str(), 1234, 0) == 0; },
       ": belongs to uid 1234"},
      {"SymbolicLink",
       {},
       [](auto& directory, auto& path) {
         return rename(path.c_str(), (directory + "/real").c_str()) == 0 &&
                symlink("real", path.c_str()) == 0;
       },
       "is not a socket"},
      {"Directory",
       {},
       [](auto&, auto& path) {
         return unlink(path.c_str()) == 0 && mkdir(path.c_str(), 0700) == 0;
       },
       "is not a socket"},
      {"AStrangerListens", stranger, [](auto&, auto&) { return true; }, "uid 1234 listens"},
      {"NobodyListens", unmapped, [](auto&, auto&) { return true; }, "uid 65534 listens"},
      {"OfAnotherNetwork", elsewhere, [](auto&, auto&) { return true; }, "wrong_namespace: "},
      {"OfDatagrams", datagrams, [](auto&, auto&) { return true; }, "cannot be connected to"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const TempDirectory directory;
    Behaviour behaviour = c.behaviour;
    behaviour.answer = KeyLine() + "errno=0\n\n";
    const auto listener = Listen(directory / "wg0.sock", behaviour);
    ASSERT_TRUE(c.spoil(directory.path(), directory / "wg0.sock")) << std::strerror(errno);
    const std::string got = Asked(directory.path());
    if (*c.want == '\0') {
      EXPECT_EQ(got, "32@0:;");
    } else {
      ExpectContains(got, c.want);
      ExpectContains(got, got.find("wrong") == 0 ? "" : "unavailable: ");
    }
  }
  // A directory that is a symbolic link.
  const TempDirectory directory;
  ASSERT_EQ(mkdir((directory / "real").c_str(), 0700), 0);
  const auto listener = Listen(directory / "real/wg0.sock", Behaviour());
  ASSERT_EQ(symlink("real", (directory / "link").c_str()), 0);
  ExpectContains(Asked(directory / "link"), "unavailable: ");
  EXPECT_EQ(Asked(directory / "real"), "");
}

}  // namespace
}  // namespace reeve::socket_internal
