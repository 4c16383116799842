#include "reeve/adapters/socket/netlink/netlink.h"

#include <gtest/gtest.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reeve/adapters/socket/process_testing.h"

namespace reeve::socket_internal {
namespace {

using peer_testing::Child;

using Buffer = std::vector<uint8_t>;

constexpr uint32_t kSequence = 7;
constexpr uint16_t kType = RTM_NEWLINK;

Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <typename T>
Buffer BufferOf(const T& value) {
  const Bytes bytes = BytesOf(value);
  return Buffer(bytes.begin(), bytes.end());
}

// A message. `length` is that which its header says, if not its own.
Buffer Message(uint16_t type, uint16_t flags, const Buffer& body, uint32_t sequence = kSequence,
               int length = -1) {
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  header.nlmsg_seq = sequence;
  header.nlmsg_len = length >= 0 ? static_cast<uint32_t>(length)
                                 : static_cast<uint32_t>(sizeof(header) + body.size());
  Buffer bytes = BufferOf(header) + body;
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

Buffer Error(int32_t error, uint32_t sequence = kSequence) {
  nlmsgerr body = {};
  body.error = error;
  return Message(NLMSG_ERROR, 0, BufferOf(body), sequence);
}

Buffer Done(int32_t error, uint16_t flags = NLM_F_MULTI) {
  return Message(NLMSG_DONE, flags, BufferOf(error));
}

// `length` is that which the header says.
Buffer Attribute(uint16_t type, const Buffer& value, int length = -1) {
  nlattr header = {};
  header.nla_type = type;
  header.nla_len = static_cast<uint16_t>(length >= 0 ? length : sizeof(header) + value.size());
  Buffer bytes = BufferOf(header) + value;
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

Buffer Cut(Buffer bytes, size_t less) {
  bytes.resize(bytes.size() - less);
  return bytes;
}

// "1:2 5:3!": types and sizes, and an exclamation mark at the end if malformed.
std::string AttributesOf(const Buffer& bytes) {
  // Where a byte too many that is read is seen by the sanitizers.
  const Buffer exact(bytes);
  AttributeReader reader{Bytes(exact)};
  std::string text;
  while (reader.Next()) {
    text += (text.empty() ? "" : " ") + std::to_string(reader.type()) + ":" +
            std::to_string(reader.value().size());
  }
  EXPECT_FALSE(reader.Next());
  return text + (reader.malformed() ? "!" : "");
}

TEST(AttributeReaderTest, Reads) {
  struct Case {
    const char* name;
    Buffer bytes;
    std::string want;
  };
  const Case cases[] = {
      {"None", {}, ""},
      {"One", Attribute(1, {1, 2}), "1:2"},
      {"Empty", Attribute(1, {}), "1:0"},
      {"Several", Attribute(1, {1, 2}) + Attribute(2, {}) + Attribute(3, {1, 2, 3, 4, 5}),
       "1:2 2:0 3:5"},
      {"FlagsAreNoPartOfTheType",
       Attribute(NLA_F_NESTED | 8, {}) + Attribute(NLA_F_NET_BYTEORDER | 9, {1}), "8:0 9:1"},
      {"LastWithoutPadding", Cut(Attribute(1, {1, 2}), 2), "1:2"},
      {"ShorterThanItsHeader", Attribute(1, {1, 2, 3, 4}, 3), "!"},
      {"OfNoLength", Attribute(1, {}, 0), "!"},
      {"LongerThanWhatIsLeft", Attribute(1, {1, 2, 3, 4}, 9), "!"},
      {"CutShort", Cut(Attribute(1, {1, 2, 3, 4}), 1), "!"},
      {"CutInTheHeader", Attribute(1, {}) + Buffer{8, 0, 1}, "1:0!"},
  };
  for (const Case& c : cases) EXPECT_EQ(AttributesOf(c.bytes), c.want) << c.name;
}

struct AnswerCase {
  const char* name;
  Buffer datagram;
  std::optional<int> want;
  // Sizes of the bodies that were taken.
  std::vector<size_t> taken;
};

std::ostream& operator<<(std::ostream& os, const AnswerCase& c) { return os << c.name; }

class TakeAnswersTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(TakeAnswersTest, Takes) {
  const AnswerCase& c = GetParam();
  std::vector<size_t> taken;
  const Buffer exact(c.datagram);
  const std::optional<int> got = TakeAnswers(exact, kSequence, [&taken](uint16_t type, Bytes body) {
    EXPECT_EQ(type, kType);
    taken.push_back(body.size());
  });
  EXPECT_EQ(got, c.want);
  EXPECT_EQ(taken, c.taken);
}

const Buffer kBody = {1, 2, 3, 4, 5};

const AnswerCase kAnswers[] = {
    {"Nothing", {}, std::nullopt, {}},
    {"One", Message(kType, 0, kBody), 0, {5}},
    {"OneOfSeveralMore", Message(kType, NLM_F_MULTI, kBody), std::nullopt, {5}},
    {"SeveralAndTheEnd",
     Message(kType, NLM_F_MULTI, kBody) + Message(kType, NLM_F_MULTI, {}) + Done(0),
     0,
     {5, 0}},
    {"EndWithoutAnErrno", Message(NLMSG_DONE, NLM_F_MULTI, {}), 0, {}},
    {"EndWithAnError", Message(kType, NLM_F_MULTI, kBody) + Done(-EPERM), EPERM, {5}},
    {"EndWithAPositiveError", Done(EPERM), EPROTO, {}},
    {"EndWithNoErrno", Done(INT_MIN), EPROTO, {}},
    {"WhatFollowsTheEnd", Done(0) + Message(kType, 0, kBody), 0, {}},
    {"Acknowledged", Error(0), 0, {}},
    {"Refused", Error(-ENOENT), ENOENT, {}},
    {"RefusedByAPositiveError", Error(ENOENT), EPROTO, {}},
    {"RefusedByNoErrno", Error(INT_MIN), EPROTO, {}},
    {"RefusalCutShort", Message(NLMSG_ERROR, 0, {1, 2, 3}), EPROTO, {}},
    {"OfAnotherQuestion", Message(kType, 0, kBody, 6), std::nullopt, {}},
    {"RefusalOfAnotherQuestion", Error(-ENOENT, 6) + Message(kType, 0, kBody), 0, {5}},
    {"InterruptedDump",
     Message(kType, NLM_F_MULTI, kBody) + Message(kType, NLM_F_MULTI | NLM_F_DUMP_INTR, kBody),
     EAGAIN,
     {5}},
    {"InterruptedAtTheEnd",
     Message(kType, NLM_F_MULTI, kBody) + Done(0, NLM_F_MULTI | NLM_F_DUMP_INTR),
     EAGAIN,
     {5}},
    {"NoOperation", Message(NLMSG_NOOP, NLM_F_MULTI, {}) + Message(kType, 0, kBody), 0, {5}},
    {"ShorterThanItsHeader", Message(kType, 0, kBody, kSequence, 15), EPROTO, {}},
    {"OfNoLength", Message(kType, 0, kBody, kSequence, 0), EPROTO, {}},
    {"LongerThanTheDatagram", Message(kType, 0, kBody, kSequence, 25), EPROTO, {}},
    {"OfTheGreatestLength", Message(kType, 0, kBody, kSequence, INT_MAX), EPROTO, {}},
    {"CutInTheHeader", Cut(Message(kType, 0, {}), 1), EPROTO, {}},
    {"SecondCutInTheHeader",
     Message(kType, NLM_F_MULTI, kBody) + Cut(Message(kType, 0, {}), 3),
     EPROTO,
     {5}},
    {"LastWithoutPadding", Cut(Message(kType, 0, kBody), 3), 0, {5}},
};

INSTANTIATE_TEST_SUITE_P(All, TakeAnswersTest, testing::ValuesIn(kAnswers),
                         [](const auto& info) { return info.param.name; });

NetlinkRequest LinkDump() {
  ifinfomsg header = {};
  return NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, BytesOf(header));
}

// The names of this network's devices, by a dump; or the errno.
std::string DevicesBy(Netlink& netlink) {
  NetlinkRequest request = LinkDump();
  std::string names;
  const int error = netlink.Ask(request, [&names](uint16_t type, Bytes body) {
    EXPECT_EQ(type, RTM_NEWLINK);
    AttributeReader reader(body.subspan(sizeof(ifinfomsg)));
    while (reader.Next()) {
      if (reader.type() != IFLA_IFNAME) continue;
      names += std::string(reinterpret_cast<const char*>(reader.value().data())) + ";";
    }
    EXPECT_FALSE(reader.malformed());
  });
  return error == 0 ? names : "errno " + std::to_string(error);
}

TEST(NetlinkTest, ListsDevices) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_ROUTE), 0);
  const std::string names = DevicesBy(netlink);
  EXPECT_NE((";" + names).find(";lo;"), std::string::npos) << names;
  // The next question is answered as well.
  EXPECT_EQ(DevicesBy(netlink), names);
}

TEST(NetlinkTest, OneOfManyMessages) {
  REQUIRE_NETWORKS();
  REQUIRE_PROGRAM("ip", "iproute2");
  if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/net/tun";
  const peer_testing::Network network;
  // More than fit into one datagram. Not by Run(): under the thread sanitizer no process is of one
  // thread, as setns(2) wants for mounts.
  EXPECT_EQ(network.Do([] {
    return system(
        "i=0; while [ $i -lt 100 ]; do ip tuntap add t$i mode tun || exit 1; "
        "i=$((i + 1)); done");
  }),
            0);
  std::string want = "lo;";
  for (int i = 0; i < 100; ++i) want += "t" + std::to_string(i) + ";";
  const auto child = network.Start([](const Child::Pipes& pipes) {
    Netlink netlink;
    const int error = netlink.Open(NETLINK_ROUTE);
    pipes.Say(error == 0 ? DevicesBy(netlink) : "not opened");
    return 0;
  });
  EXPECT_EQ(child->Hear(), want);
}

TEST(NetlinkTest, TellsTheKernelsError) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_ROUTE), 0);
  ifinfomsg header = {};
  header.ifi_index = INT_MAX;
  NetlinkRequest request(RTM_GETLINK, 0, BytesOf(header));
  EXPECT_EQ(netlink.Ask(request, [](uint16_t, Bytes) { ADD_FAILURE(); }), ENODEV);
  EXPECT_NE(DevicesBy(netlink).find("lo;"), std::string::npos);
}

TEST(NetlinkTest, RefusesARequestThatIsTooLong) {
  Netlink netlink;
  ASSERT_EQ(netlink.Open(NETLINK_ROUTE), 0);
  for (const size_t size : {size_t{1024}, size_t{70000}}) {
    NetlinkRequest request = LinkDump();
    request.Add(1, Buffer(size));
    EXPECT_EQ(netlink.Ask(request, [](uint16_t, Bytes) { ADD_FAILURE(); }), EMSGSIZE);
  }
}

TEST(NetlinkTest, SaysWhyItDidNotOpen) {
  Netlink netlink;
  EXPECT_EQ(netlink.Open(31), EPROTONOSUPPORT);
  NetlinkRequest request = LinkDump();
  EXPECT_EQ(netlink.Ask(request, [](uint16_t, Bytes) { ADD_FAILURE(); }), EBADF);
  ASSERT_EQ(netlink.Open(NETLINK_ROUTE), 0);
  EXPECT_NE(DevicesBy(netlink).find("lo;"), std::string::npos);
}

TEST(NetlinkTest, Moves) {
  Netlink first;
  ASSERT_EQ(first.Open(NETLINK_ROUTE), 0);
  Netlink second(std::move(first));
  EXPECT_NE(DevicesBy(second).find("lo;"), std::string::npos);
  Netlink third;
  ASSERT_EQ(third.Open(NETLINK_ROUTE), 0);
  third = std::move(second);
  EXPECT_NE(DevicesBy(third).find("lo;"), std::string::npos);
  EXPECT_NE(third.network(), 0u);
}

uint64_t ThisNetwork() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const uint64_t network = NetworkOf(fd);
  close(fd);
  return network;
}

TEST(ThreadNetlinkTest, IsKeptForEachProtocolAndThread) {
  int error = -1;
  Netlink* const route = ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error);
  ASSERT_NE(route, nullptr) << error;
  EXPECT_NE(DevicesBy(*route).find("lo;"), std::string::npos);
  EXPECT_EQ(ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error), route);
  EXPECT_NE(ThreadNetlink(NETLINK_SOCK_DIAG, ThisNetwork(), &error), route);
  std::thread other([route] {
    int error = -1;
    Netlink* const own = ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error);
    ASSERT_NE(own, nullptr) << error;
    EXPECT_NE(own, route);
    EXPECT_NE(DevicesBy(*own).find("lo;"), std::string::npos);
  });
  other.join();
}

TEST(ThreadNetlinkTest, HasNoneOfOtherProtocolsOrOfNoNetwork) {
  int error = 0;
  EXPECT_EQ(ThreadNetlink(NETLINK_USERSOCK, ThisNetwork(), &error), nullptr);
  EXPECT_EQ(error, EPROTONOSUPPORT);
  EXPECT_EQ(ThreadNetlink(NETLINK_ROUTE, 0, &error), nullptr);
  EXPECT_EQ(error, EOPNOTSUPP);
  EXPECT_EQ(ThreadNetlink(NETLINK_ROUTE, ThisNetwork() + 12345, &error), nullptr);
  EXPECT_EQ(error, EXDEV);
  // And is not confused by it.
  Netlink* const route = ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error);
  ASSERT_NE(route, nullptr) << error;
  EXPECT_NE(DevicesBy(*route).find("lo;"), std::string::npos);
}

// The inodes of the sockets that this process has.
std::vector<ino_t> OpenSockets() {
  std::vector<ino_t> sockets;
  for (int fd = 0; fd < 256; ++fd) {
    struct stat file;
    if (fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode)) sockets.push_back(file.st_ino);
  }
  return sockets;
}

TEST(ThreadNetlinkTest, AChildGetsItsOwn) {
  int error = -1;
  Netlink* const route = ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error);
  ASSERT_NE(route, nullptr) << error;
  ASSERT_NE(DevicesBy(*route).find("lo;"), std::string::npos);
  const std::vector<ino_t> before = OpenSockets();
  Child child([&before](const Child::Pipes& pipes) {
    int error = -1;
    Netlink* const own = ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error);
    if (own == nullptr) return 1;
    // The parent's socket was closed, and a new one opened.
    pipes.Say(OpenSockets() != before ? "another socket" : "the same socket");
    pipes.Say(DevicesBy(*own));
    return 0;
  });
  EXPECT_EQ(child.Hear(), "another socket");
  EXPECT_NE(child.Hear().find("lo;"), std::string::npos);
  EXPECT_EQ(child.Wait(), 0);
  // The parent keeps its own.
  EXPECT_EQ(ThreadNetlink(NETLINK_ROUTE, ThisNetwork(), &error), route);
  EXPECT_EQ(OpenSockets(), before);
}

TEST(ThreadNetlinkTest, IsOfTheNetworkThatIsAskedFor) {
  REQUIRE_NETWORKS();
  const uint64_t outside = ThisNetwork();
  Child child([outside](const Child::Pipes& pipes) {
    const auto say = [&pipes](uint64_t network) {
      int error = -1;
      Netlink* const netlink = ThreadNetlink(NETLINK_ROUTE, network, &error);
      if (netlink == nullptr) return pipes.Say("errno " + std::to_string(error));
      pipes.Say(netlink->network() == network ? DevicesBy(*netlink) : "of another network");
    };
    if (unshare(CLONE_NEWNET) != 0) return 1;
    say(outside);
    say(ThisNetwork());
    say(outside);
    return 0;
  });
  EXPECT_EQ(child.Hear(), "errno " + std::to_string(EXDEV));
  EXPECT_EQ(child.Hear(), "lo;");
  EXPECT_EQ(child.Hear(), "errno " + std::to_string(EXDEV));
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve::socket_internal
