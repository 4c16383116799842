#include "reeve/adapters/socket/ipsec/vici.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::Identity;
using peer_testing::TempDirectory;
using socket_internal::Deadline;
using socket_internal::MakeViciPacket;
using socket_internal::ParseViciPacket;
using socket_internal::ViciConnection;
using socket_internal::ViciKeyValue;
using socket_internal::ViciPacket;
using socket_internal::ViciReader;
using socket_internal::ViciType;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

// As a person would write it: "{peer a=1 l[x y ]}".
std::string Show(std::string_view message) {
  std::string text;
  ViciReader reader(message);
  while (reader.Next()) {
    const std::string name(reader.name());
    const std::string value(reader.value());
    switch (reader.element()) {
      case ViciReader::Element::kSectionStart:
        absl::StrAppend(&text, "{", name, " ");
        break;
      case ViciReader::Element::kSectionEnd:
        absl::StrAppend(&text, "}");
        break;
      case ViciReader::Element::kKeyValue:
        absl::StrAppend(&text, name, "=", value, " ");
        break;
      case ViciReader::Element::kListStart:
        absl::StrAppend(&text, name, "[");
        break;
      case ViciReader::Element::kListItem:
        absl::StrAppend(&text, value, " ");
        break;
      case ViciReader::Element::kListEnd:
        absl::StrAppend(&text, "]");
        break;
    }
  }
  return reader.malformed() ? "malformed" : text;
}

struct MessageCase {
  const char* name;
  std::string message;
  std::string shown;
};

std::ostream& operator<<(std::ostream& os, const MessageCase& c) { return os << c.name; }

class MessageTest : public testing::TestWithParam<MessageCase> {};

TEST_P(MessageTest, IsRead) { EXPECT_EQ(Show(GetParam().message), GetParam().shown); }

std::string Nested(int depth) {
  std::string message;
  for (int i = 0; i < depth; ++i) message += Bytes({1, 1, 's'});
  return message + std::string(depth, '\x02');
}

INSTANTIATE_TEST_SUITE_P(
    Messages, MessageTest,
    testing::Values(
        MessageCase{"Empty", "", ""},
        // The example of the protocol's description.
        MessageCase{"All",
                    ViciKeyValue("key1", "value1") + Bytes({1, 8}) + "section1" + Bytes({1, 3}) +
                        "sub" + ViciKeyValue("key2", "value2") + Bytes({2, 4, 5}) + "list1" +
                        Bytes({5, 0, 5}) + "item1" + Bytes({5, 0, 0, 6, 2}),
                    "key1=value1 {section1 {sub key2=value2 }list1[item1  ]}"},
        MessageCase{"ValueWithAnyBytes", ViciKeyValue("k", std::string("\0\x01", 2)),
                    std::string("k=\0\x01 ", 5)},
        MessageCase{"UnknownElement", Bytes({7}), "malformed"},
        MessageCase{"ElementZero", Bytes({0}), "malformed"},
        MessageCase{"NameBeyondTheEnd", Bytes({1, 5, 'a'}), "malformed"},
        MessageCase{"NoName", Bytes({1}), "malformed"},
        MessageCase{"EmptyName", Bytes({3, 0, 0, 0}), "malformed"},
        MessageCase{"ValueBeyondTheEnd", Bytes({3, 1, 'k', 0, 2, 'v'}), "malformed"},
        MessageCase{"HalfALength", Bytes({3, 1, 'k', 0}), "malformed"},
        MessageCase{"SectionLeftOpen", Bytes({1, 1, 's'}), "malformed"},
        MessageCase{"SectionEndedTwice", Bytes({1, 1, 's', 2, 2}), "malformed"},
        MessageCase{"ListLeftOpen", Bytes({4, 1, 'l'}), "malformed"},
        MessageCase{"SectionInAList", Bytes({4, 1, 'l', 1, 1, 's', 2, 6}), "malformed"},
        MessageCase{"ValueInAList", Bytes({4, 1, 'l', 3, 1, 'k', 0, 0, 6}), "malformed"},
        MessageCase{"ItemOutsideAList", Bytes({5, 0, 0}), "malformed"},
        MessageCase{"ListEndOutsideAList", Bytes({6}), "malformed"},
        MessageCase{"Deep", Nested(8), "{s {s {s {s {s {s {s {s }}}}}}}}"},
        MessageCase{"TooDeep", Nested(9), "malformed"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PacketTest, IsReadAsItIsWritten) {
  const std::string bytes = MakeViciPacket(ViciType::kEvent, "list-sa", "message");
  EXPECT_EQ(bytes.substr(0, 6), Bytes({0, 0, 0, 16, 7, 7}));
  const std::optional<ViciPacket> packet = ParseViciPacket(std::string_view(bytes).substr(4));
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->type, ViciType::kEvent);
  EXPECT_EQ(packet->name, "list-sa");
  EXPECT_EQ(packet->message, "message");
  for (const std::string& bad :
       {std::string(), Bytes({8}), Bytes({7}), Bytes({7, 2, 'x'}), Bytes({255})}) {
    EXPECT_FALSE(ParseViciPacket(bad).has_value());
  }
}

int Listen(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(chmod(path.c_str(), 0700), 0);
  EXPECT_EQ(listen(fd, 3), 0);
  return fd;
}

void Say(int fd, const std::string& bytes) {
  (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// What a daemon could do that real ones do not.
struct DaemonCase {
  const char* name;
  // With the connection, and the registration of the event taken.
  std::function<void(int fd)> behave;
  const char* error;
};

std::ostream& operator<<(std::ostream& os, const DaemonCase& c) { return os << c.name; }

class DaemonTest : public testing::TestWithParam<DaemonCase> {};

const std::string kConfirm = MakeViciPacket(ViciType::kEventConfirm, "");

TEST_P(DaemonTest, IsNotBelieved) {
  const TempDirectory folder;
  const std::string path = folder / "vici";
  const int listener = Listen(path);
  Child daemon([&](const Child::Pipes& pipes) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    char registration[64];
    (void)!read(fd, registration, sizeof(registration));
    GetParam().behave(fd);
    pipes.Await();
    return 0;
  });
  close(listener);
  const Deadline deadline(absl::Milliseconds(300));
  absl::StatusOr<ViciConnection> connection = ViciConnection::Open(path, deadline);
  ASSERT_TRUE(connection.ok()) << connection.status();
  const absl::Status status =
      connection->Stream("list-sas", "list-sa", "", 1000, deadline,
                         [](std::string_view message) { return message == "good"; });
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().error)) << status;
  EXPECT_EQ(PeerErrorOf(status), *GetParam().error == '\0'
                                     ? std::nullopt
                                     : std::optional<PeerError>(PeerError::kUnavailable));
  EXPECT_EQ(status.ok(), *GetParam().error == '\0');
}

INSTANTIATE_TEST_SUITE_P(
    Daemons, DaemonTest,
    testing::Values(
        DaemonCase{"Good",
                   [](int fd) {
                     Say(fd, kConfirm + MakeViciPacket(ViciType::kEvent, "list-sa", "good") +
                                 MakeViciPacket(ViciType::kCommandResponse, ""));
                   },
                   ""},
        DaemonCase{"HangsUp", [](int fd) { shutdown(fd, SHUT_RDWR); }, "charon hung up"},
        DaemonCase{"HangsUpInAPacket",
                   [](int fd) {
                     Say(fd, kConfirm + Bytes({0, 0, 0, 9, 7}));
                     shutdown(fd, SHUT_RDWR);
                   },
                   "charon hung up"},
        DaemonCase{"SaysNothing", [](int) {}, "did not answer in time"},
        DaemonCase{"SaysItSlowly",
                   [](int fd) {
                     Say(fd, kConfirm + Bytes({0, 0, 0, 200}));
                     for (int i = 0; i < 100; ++i) {
                       Say(fd, "x");
                       poll(nullptr, 0, 20);
                     }
                   },
                   "did not answer in time"},
        DaemonCase{"PacketTooLong",
                   [](int fd) {
                     Say(fd, Bytes({0, 8, 0, 1}));
                   },
                   "a packet is too long"},
        DaemonCase{"EmptyPacket",
                   [](int fd) {
                     Say(fd, Bytes({0, 0, 0, 0}));
                   },
                   "a packet is malformed"},
        DaemonCase{"KnowsNoSuchEvent",
                   [](int fd) { Say(fd, MakeViciPacket(ViciType::kEventUnknown, "")); },
                   "makes no sense"},
        DaemonCase{
            "KnowsNoSuchCommand",
            [](int fd) { Say(fd, kConfirm + MakeViciPacket(ViciType::kCommandUnknown, "")); },
            "makes no sense"},
        DaemonCase{
            "OtherEvent",
            [](int fd) { Say(fd, kConfirm + MakeViciPacket(ViciType::kEvent, "log", "good")); },
            "makes no sense"},
        DaemonCase{
            "EventNotUnderstood",
            [](int fd) { Say(fd, kConfirm + MakeViciPacket(ViciType::kEvent, "list-sa", "bad")); },
            "makes no sense"},
        DaemonCase{"EndlessEvents",
                   [](int fd) {
                     Say(fd, kConfirm);
                     for (int i = 0; i < 80; ++i) {
                       Say(fd, MakeViciPacket(ViciType::kEvent, "list-sa", "good"));
                     }
                   },
                   "beyond 1000 bytes"},
        DaemonCase{"Failure",
                   [](int fd) {
                     Say(fd, kConfirm + MakeViciPacket(ViciType::kCommandResponse, "",
                                                       ViciKeyValue("success", "no")));
                   },
                   "charon could not answer"},
        DaemonCase{"MalformedResponse",
                   [](int fd) {
                     Say(fd, kConfirm + MakeViciPacket(ViciType::kCommandResponse, "", "\x02"));
                   },
                   "makes no sense"}),
    [](const auto& info) { return std::string(info.param.name); });

std::string Refusal(const std::string& path) {
  const absl::StatusOr<ViciConnection> connection =
      ViciConnection::Open(path, Deadline(absl::Milliseconds(300)));
  if (connection.ok()) return "";
  EXPECT_EQ(PeerErrorOf(connection.status()), PeerError::kUnavailable);
  return std::string(connection.status().message());
}

TEST(ControlSocketTest, IsCheckedBeforeItIsBelieved) {
  const TempDirectory folder;
  const std::string path = folder / "vici";
  EXPECT_TRUE(absl::StrContains(Refusal(path), "cannot be found")) << Refusal(path);
  const int listener = Listen(path);
  EXPECT_EQ(Refusal(path), "");

  ASSERT_EQ(symlink(path.c_str(), (folder / "link").c_str()), 0);
  EXPECT_TRUE(absl::StrContains(Refusal(folder / "link"), "symbolic link"));
  const int file = creat((folder / "file").c_str(), 0700);
  close(file);
  EXPECT_TRUE(absl::StrContains(Refusal(folder / "file"), "is no socket"));
  EXPECT_TRUE(absl::StrContains(Refusal(folder / std::string(200, 'x')), "too long"));

  ASSERT_EQ(chmod(path.c_str(), 0702), 0);
  EXPECT_TRUE(absl::StrContains(Refusal(path), "anybody may write to it"));
  ASSERT_EQ(chmod(path.c_str(), 0770), 0);
  EXPECT_EQ(Refusal(path), "");
  close(listener);
  EXPECT_TRUE(absl::StrContains(Refusal(path), "charon does not listen")) << Refusal(path);
}

TEST(ControlSocketTest, OfAnotherUserIsRefused) {
  REQUIRE_OTHER_USERS();
  const TempDirectory folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0777), 0);
  const std::string path = folder / "vici";
  Child daemon([&](const Child::Pipes& pipes) {
    peer_testing::Become(Identity{1234, 1234, {}});
    const int listener = Listen(path);
    pipes.Say("listening");
    pipes.Await();
    close(listener);
    return 0;
  });
  ASSERT_EQ(daemon.Hear(), "listening");
  EXPECT_TRUE(absl::StrContains(Refusal(path), "belongs to uid 1234"));
  // As if it had been put in the place of root's after that was looked at.
  ASSERT_EQ(chown(path.c_str(), 0, 0), 0);
  EXPECT_TRUE(absl::StrContains(Refusal(path), "uid 1234 listens at it")) << Refusal(path);
}

TEST(DeadlineTest, RunsOut) {
  const Deadline past(absl::ZeroDuration());
  EXPECT_EQ(past.remaining(), 0);
  const Deadline soon(absl::Seconds(100));
  EXPECT_GT(soon.remaining(), 90000);
  EXPECT_LE(soon.remaining(), 100000);
}

}  // namespace
}  // namespace reeve
