// The calls by their names in Winsock: each documented code, and those that are ours.
#include "reeve/adapters/socket/compat/winsock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Become;
using peer_testing::Child;

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address V4(uint32_t address, int port) {
  Address a;
  auto* in = reinterpret_cast<sockaddr_in*>(&a.storage);
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(address);
  in->sin_port = htons(port);
  a.size = sizeof(*in);
  return a;
}

Address V6Loopback(int port) {
  Address a;
  auto* in = reinterpret_cast<sockaddr_in6*>(&a.storage);
  in->sin6_family = AF_INET6;
  in->sin6_addr = in6addr_loopback;
  in->sin6_port = htons(port);
  a.size = sizeof(*in);
  return a;
}

Address NameOf(int fd) {
  Address a;
  a.size = sizeof(a.storage);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size), 0);
  return a;
}

// Sockets of a test, closed at its end.
class Sockets {
 public:
  ~Sockets() {
    for (const int fd : fds_) close(fd);
  }
  int Make(int family, int type, int protocol = 0) {
    return Keep(socket(family, type | SOCK_CLOEXEC, protocol));
  }
  int Keep(int fd) {
    EXPECT_GE(fd, 0) << std::strerror(errno);
    fds_.push_back(fd);
    return fd;
  }
  int Bound(int type) {
    const int fd = Make(AF_INET, type);
    const Address any = V4(INADDR_LOOPBACK, 0);
    EXPECT_EQ(bind(fd, any.get(), any.size), 0);
    return fd;
  }
  int Listening() {
    const int fd = Bound(SOCK_STREAM);
    EXPECT_EQ(listen(fd, 8), 0);
    return fd;
  }
  // The accepted end; the other one in `*client`.
  int Accepted(int* client) {
    const int listener = Listening();
    *client = Make(AF_INET, SOCK_STREAM);
    const Address address = NameOf(listener);
    EXPECT_EQ(connect(*client, address.get(), address.size), 0);
    return Keep(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  }
  int Accepted() {
    int client;
    return Accepted(&client);
  }

 private:
  std::vector<int> fds_;
};

int Closed() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  close(fd);
  return fd;
}

int Pipe(Sockets* s) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  s->Keep(ends[0]);
  return s->Keep(ends[1]);
}

int Nonblocking(int fd) {
  EXPECT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  return fd;
}

int Reset(Sockets* s) {
  int client;
  const int fd = s->Accepted(&client);
  const linger now = {1, 0};
  EXPECT_EQ(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
  // The descriptor goes on to be one that the test closes, but of no socket.
  EXPECT_EQ(dup3(s->Keep(open("/dev/null", O_RDONLY | O_CLOEXEC)), client, O_CLOEXEC), client);
  char byte;
  EXPECT_LT(recv(fd, &byte, 1, 0), 0);  // The reset has arrived.
  return fd;
}

// A target name with its struct in front.
class TargetName {
 public:
  explicit TargetName(const std::wstring& text, const Address& address = Address(),
                      SOCKET_SECURITY_PROTOCOL protocol = SOCKET_SECURITY_PROTOCOL_DEFAULT)
      : bytes_(sizeof(SOCKET_PEER_TARGET_NAME) + text.size() * sizeof(wchar_t)) {
    get()->SecurityProtocol = protocol;
    get()->PeerAddress = address.storage;
    get()->PeerTargetNameStringLen = text.size() * sizeof(wchar_t);
    std::memcpy(get() + 1, text.data(), text.size() * sizeof(wchar_t));
  }
  SOCKET_PEER_TARGET_NAME* get() {
    return reinterpret_cast<SOCKET_PEER_TARGET_NAME*>(bytes_.data());
  }
  ULONG size() const { return bytes_.size(); }

 private:
  std::vector<char> bytes_;
};

int SetName(SOCKET fd, TargetName name) {
  return WSASetSocketPeerTargetName(fd, name.get(), name.size(), nullptr, nullptr);
}

SOCKET_SECURITY_QUERY_TEMPLATE Query(
    ULONG access, const Address& peer = Address(),
    SOCKET_SECURITY_PROTOCOL protocol = SOCKET_SECURITY_PROTOCOL_DEFAULT) {
  return {protocol, peer.storage, access};
}

int Ask(SOCKET fd, const SOCKET_SECURITY_QUERY_TEMPLATE* query, SOCKET_SECURITY_QUERY_INFO* info) {
  ULONG size = sizeof(*info);
  return WSAQuerySocketSecurity(fd, query, sizeof(*query), info, &size, nullptr, nullptr);
}

int Ask(SOCKET fd) {
  SOCKET_SECURITY_QUERY_INFO info;
  return Ask(fd, nullptr, &info);
}

int Require(SOCKET fd, ULONG flags,
            SOCKET_SECURITY_PROTOCOL protocol = SOCKET_SECURITY_PROTOCOL_DEFAULT) {
  const SOCKET_SECURITY_SETTINGS settings = {protocol, flags};
  return WSASetSocketSecurity(fd, &settings, sizeof(settings), nullptr, nullptr);
}

struct Case {
  const char* name;
  int want;  // WSAGetLastError(), or 0 for success.
  std::function<int(Sockets*)> call;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

const Address kNone;
int dummy;

const Case kCases[] = {
    // WSAImpersonateSocketPeer
    {"ImpersonateTcp", 0,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Accepted(), nullptr, 0); }},
    {"ImpersonateTcpIgnoresTheAddress", 0,
     [](auto* s) {
       const Address other = V6Loopback(1);
       return WSAImpersonateSocketPeer(s->Accepted(), other.get(), 3);
     }},
    {"ImpersonateClosed", WSAENOTSOCK,
     [](auto*) { return WSAImpersonateSocketPeer(Closed(), nullptr, 0); }},
    {"ImpersonatePipe", WSAENOTSOCK,
     [](auto* s) { return WSAImpersonateSocketPeer(Pipe(s), nullptr, 0); }},
    {"ImpersonateUnix", WSAEAFNOSUPPORT,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Make(AF_UNIX, SOCK_STREAM), nullptr, 0); }},
    {"ImpersonateNetlink", WSAEAFNOSUPPORT,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Make(AF_NETLINK, SOCK_RAW), nullptr, 0); }},
    {"ImpersonateUnconnected", WSAENOTCONN,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Make(AF_INET, SOCK_STREAM), nullptr, 0); }},
    {"ImpersonateListening", WSAENOTCONN,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Listening(), nullptr, 0); }},
    {"ImpersonateReset", WSAENOTCONN,
     [](auto* s) { return WSAImpersonateSocketPeer(Reset(s), nullptr, 0); }},
    {"ImpersonateNonblocking", WSAEINVAL,
     [](auto* s) { return WSAImpersonateSocketPeer(Nonblocking(s->Accepted()), nullptr, 0); }},
    {"ImpersonateUdpWithoutAddress", WSAEFAULT,
     [](auto* s) { return WSAImpersonateSocketPeer(s->Bound(SOCK_DGRAM), nullptr, 16); }},
    {"ImpersonateUdpShortAddress", WSAEMSGSIZE,
     [](auto* s) {
       const Address peer = V4(INADDR_LOOPBACK, 9);
       return WSAImpersonateSocketPeer(s->Bound(SOCK_DGRAM), peer.get(), peer.size - 1);
     }},
    {"ImpersonateUdpNoAddress", WSAEMSGSIZE,
     [](auto* s) {
       const Address peer = V4(INADDR_LOOPBACK, 9);
       return WSAImpersonateSocketPeer(s->Bound(SOCK_DGRAM), peer.get(), 0);
     }},
    {"ImpersonateUdpOtherFamily", WSAEAFNOSUPPORT,
     [](auto* s) {
       const Address peer = V6Loopback(9);
       return WSAImpersonateSocketPeer(s->Bound(SOCK_DGRAM), peer.get(), peer.size);
     }},
    {"ImpersonateUdpOfWhomNobodyVouches", WSAEACCES,
     [](auto* s) {
       const Address peer = NameOf(s->Bound(SOCK_DGRAM));
       return WSAImpersonateSocketPeer(s->Bound(SOCK_DGRAM), peer.get(), peer.size);
     }},
    // WSAQuerySocketSecurity
    {"QueryTcp", 0, [](auto* s) { return Ask(s->Accepted()); }},
    {"QueryNonblocking", 0, [](auto* s) { return Ask(Nonblocking(s->Accepted())); }},
    {"QueryWithoutLength", WSAEFAULT,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       return WSAQuerySocketSecurity(s->Accepted(), nullptr, 0, &info, nullptr, nullptr, nullptr);
     }},
    {"QueryShortInfo", WSAEMSGSIZE,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       ULONG size = sizeof(info) - 1;
       const int result =
           WSAQuerySocketSecurity(s->Accepted(), nullptr, 0, &info, &size, nullptr, nullptr);
       EXPECT_EQ(size, sizeof(info));
       return result;
     }},
    {"QuerySize", 0,
     [](auto* s) {
       ULONG size = 0;
       const int result =
           WSAQuerySocketSecurity(s->Accepted(), nullptr, 0, nullptr, &size, nullptr, nullptr);
       EXPECT_EQ(size, sizeof(SOCKET_SECURITY_QUERY_INFO));
       return result;
     }},
    {"QueryShortTemplate", WSAEMSGSIZE,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       ULONG size = sizeof(info);
       const auto query = Query(0);
       return WSAQuerySocketSecurity(s->Accepted(), &query, sizeof(query) - 1, &info, &size,
                                     nullptr, nullptr);
     }},
    {"QueryProtocol", WSAEINVAL,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       const auto query = Query(0, kNone, SOCKET_SECURITY_PROTOCOL_INVALID);
       return Ask(s->Accepted(), &query, &info);
     }},
    {"QueryOverlapped", WSAEINVAL,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       ULONG size = sizeof(info);
       return WSAQuerySocketSecurity(s->Accepted(), nullptr, 0, &info, &size, &dummy, nullptr);
     }},
    {"QueryPipe", WSAENOTSOCK, [](auto* s) { return Ask(Pipe(s)); }},
    {"QueryUnix", WSAEINVAL, [](auto* s) { return Ask(s->Make(AF_UNIX, SOCK_STREAM)); }},
    {"QueryUnconnected", WSAENOTCONN, [](auto* s) { return Ask(s->Make(AF_INET, SOCK_STREAM)); }},
    {"QueryReset", WSAECONNRESET, [](auto* s) { return Ask(Reset(s)); }},
    {"QueryUdpWithoutTemplate", WSAEFAULT, [](auto* s) { return Ask(s->Bound(SOCK_DGRAM)); }},
    {"QueryUdpOtherFamily", WSAEAFNOSUPPORT,
     [](auto* s) {
       SOCKET_SECURITY_QUERY_INFO info;
       const auto query = Query(0, V6Loopback(9));
       return Ask(s->Bound(SOCK_DGRAM), &query, &info);
     }},
    // WSASetSocketSecurity
    {"RequireOfConnected", WSAEISCONN, [](auto* s) { return Require(s->Accepted(), 0); }},
    {"RequireOfBound", WSAEINVAL, [](auto* s) { return Require(s->Bound(SOCK_STREAM), 0); }},
    {"RequireOfDualStack", WSAEINVAL,
     [](auto* s) {
       const int fd = s->Make(AF_INET6, SOCK_STREAM);
       const int off = 0;
       EXPECT_EQ(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
       return Require(fd, 0);
     }},
    {"RequireProtocol", WSAEINVAL,
     [](auto* s) {
       return Require(s->Make(AF_INET, SOCK_STREAM), 0, SOCKET_SECURITY_PROTOCOL_INVALID);
     }},
    {"RequireUnknownFlag", WSAEINVAL,
     [](auto* s) { return Require(s->Make(AF_INET, SOCK_STREAM), 4); }},
    {"RequireBothFlags", WSAEINVAL,
     [](auto* s) {
       return Require(s->Make(AF_INET, SOCK_STREAM),
                      SOCKET_SETTINGS_GUARANTEE_ENCRYPTION | SOCKET_SETTINGS_ALLOW_INSECURE);
     }},
    {"RequireShortSettings", WSAEMSGSIZE,
     [](auto* s) {
       const SOCKET_SECURITY_SETTINGS settings = {};
       return WSASetSocketSecurity(s->Make(AF_INET, SOCK_STREAM), &settings, 3, nullptr, nullptr);
     }},
    {"RequireOverlapped", WSAEINVAL,
     [](auto* s) {
       return WSASetSocketSecurity(s->Make(AF_INET, SOCK_STREAM), nullptr, 0, nullptr, &dummy);
     }},
    {"RequireOfPipe", WSAENOTSOCK, [](auto* s) { return Require(Pipe(s), 0); }},
    {"RequireOfUnix", WSAEINVAL, [](auto* s) { return Require(s->Make(AF_UNIX, SOCK_STREAM), 0); }},
    {"RequireOfRaw", WSAEINVAL,
     [](auto* s) { return Require(s->Make(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), 0); }},
    {"RequireNothing", 0,
     [](auto* s) {
       return Require(s->Make(AF_INET, SOCK_STREAM), SOCKET_SETTINGS_ALLOW_INSECURE);
     }},
    // WSASetSocketPeerTargetName
    {"Expect", 0,
     [](auto* s) { return SetName(s->Make(AF_INET, SOCK_STREAM), TargetName(L"user:ada")); }},
    {"ExpectCountsTheEnd", 0,
     [](auto* s) {
       return SetName(s->Make(AF_INET, SOCK_STREAM), TargetName(std::wstring(L"user:ada", 9)));
     }},
    {"ExpectNull", WSAEFAULT,
     [](auto* s) {
       return WSASetSocketPeerTargetName(s->Make(AF_INET, SOCK_STREAM), nullptr, 0, nullptr,
                                         nullptr);
     }},
    {"ExpectShort", WSAEMSGSIZE,
     [](auto* s) {
       TargetName name(L"user:ada");
       return WSASetSocketPeerTargetName(s->Make(AF_INET, SOCK_STREAM), name.get(), name.size() - 1,
                                         nullptr, nullptr);
     }},
    {"ExpectHalfACharacter", WSAEINVAL,
     [](auto* s) {
       TargetName name(L"user:ada");
       name.get()->PeerTargetNameStringLen -= 1;
       return WSASetSocketPeerTargetName(s->Make(AF_INET, SOCK_STREAM), name.get(), name.size(),
                                         nullptr, nullptr);
     }},
    {"ExpectNoEntity", WSAEINVAL,
     [](auto* s) { return SetName(s->Make(AF_INET, SOCK_STREAM), TargetName(L"ada")); }},
    {"ExpectASurrogate", WSAEINVAL,
     [](auto* s) {
       return SetName(s->Make(AF_INET, SOCK_STREAM),
                      TargetName(std::wstring(L"user:") + static_cast<wchar_t>(0xD800)));
     }},
    {"ExpectOfConnected", WSAEISCONN,
     [](auto* s) { return SetName(s->Accepted(), TargetName(L"user:ada")); }},
    {"ExpectProtocol", WSAEINVAL,
     [](auto* s) {
       return SetName(s->Make(AF_INET, SOCK_STREAM),
                      TargetName(L"user:ada", kNone, SOCKET_SECURITY_PROTOCOL_INVALID));
     }},
    {"ExpectOfPipe", WSAENOTSOCK,
     [](auto* s) { return SetName(Pipe(s), TargetName(L"user:ada")); }},
    {"ExpectOfUnix", WSAEAFNOSUPPORT,
     [](auto* s) { return SetName(s->Make(AF_UNIX, SOCK_STREAM), TargetName(L"user:ada")); }},
    {"ExpectUdp", 0,
     [](auto* s) {
       return SetName(s->Bound(SOCK_DGRAM), TargetName(L"user:ada", V4(INADDR_LOOPBACK, 9)));
     }},
    {"ExpectUdpAtZero", WSAEINVAL,
     [](auto* s) { return SetName(s->Bound(SOCK_DGRAM), TargetName(L"user:ada", V4(0, 9))); }},
    {"ExpectUdpAtNoFamily", WSAEAFNOSUPPORT,
     [](auto* s) { return SetName(s->Bound(SOCK_DGRAM), TargetName(L"user:ada")); }},
    // WSADeleteSocketPeerTargetName
    {"Forget", 0,
     [](auto* s) {
       return WSADeleteSocketPeerTargetName(s->Make(AF_INET, SOCK_STREAM), nullptr, 0, nullptr,
                                            nullptr);
     }},
    {"ForgetUdpNull", WSAEFAULT,
     [](auto* s) {
       return WSADeleteSocketPeerTargetName(s->Bound(SOCK_DGRAM), nullptr, 0, nullptr, nullptr);
     }},
    {"ForgetUdpShort", WSAEMSGSIZE,
     [](auto* s) {
       const Address peer = V4(INADDR_LOOPBACK, 9);
       return WSADeleteSocketPeerTargetName(s->Bound(SOCK_DGRAM), peer.get(), 2, nullptr, nullptr);
     }},
    {"ForgetUdpOtherFamily", WSAEAFNOSUPPORT,
     [](auto* s) {
       const Address peer = V6Loopback(9);
       return WSADeleteSocketPeerTargetName(s->Bound(SOCK_DGRAM), peer.get(), peer.size, nullptr,
                                            nullptr);
     }},
    {"ForgetUdpAtZero", WSAEINVAL,
     [](auto* s) {
       const Address peer = V4(0, 9);
       return WSADeleteSocketPeerTargetName(s->Bound(SOCK_DGRAM), peer.get(), peer.size, nullptr,
                                            nullptr);
     }},
    {"ForgetOfPipe", WSAENOTSOCK,
     [](auto* s) { return WSADeleteSocketPeerTargetName(Pipe(s), nullptr, 0, nullptr, nullptr); }},
    // WSAConnect
    {"Connect", 0,
     [](auto* s) {
       const Address address = NameOf(s->Listening());
       return WSAConnect(s->Make(AF_INET, SOCK_STREAM), address.get(), address.size, nullptr,
                         nullptr, nullptr, nullptr);
     }},
    {"ConnectToNobody", WSAECONNREFUSED,
     [](auto* s) {
       const Address address = NameOf(s->Bound(SOCK_STREAM));
       return WSAConnect(s->Make(AF_INET, SOCK_STREAM), address.get(), address.size, nullptr,
                         nullptr, nullptr, nullptr);
     }},
    {"ConnectTwice", WSAEISCONN,
     [](auto* s) {
       int client;
       s->Accepted(&client);
       const Address address = NameOf(client);
       return WSAConnect(client, address.get(), address.size, nullptr, nullptr, nullptr, nullptr);
     }},
    {"ConnectToNull", WSAEFAULT,
     [](auto* s) {
       return WSAConnect(s->Make(AF_INET, SOCK_STREAM), nullptr, 0, nullptr, nullptr, nullptr,
                         nullptr);
     }},
    {"ConnectToOtherFamily", WSAEAFNOSUPPORT,
     [](auto* s) {
       const Address address = V6Loopback(9);
       return WSAConnect(s->Make(AF_INET, SOCK_STREAM), address.get(), address.size, nullptr,
                         nullptr, nullptr, nullptr);
     }},
    {"ConnectWithQuality", WSAEOPNOTSUPP,
     [](auto* s) {
       const Address address = NameOf(s->Listening());
       return WSAConnect(s->Make(AF_INET, SOCK_STREAM), address.get(), address.size, nullptr,
                         nullptr, &dummy, nullptr);
     }},
    // WSARevertImpersonation, of a thread that acts for nobody.
    {"Revert", 0, [](auto*) { return WSARevertImpersonation(); }},
};

PeerOptions Numbers() {
  PeerOptions options;
  options.names = &NameService::Numbers();
  return options;
}

class CodeTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { winsock::UsePeerOptions(Numbers()); }
  void TearDown() override { WSARevertImpersonation(); }
};

TEST_P(CodeTest, IsTheDocumentedOne) {
  const Case& c = GetParam();
  Sockets sockets;
  WSASetLastError(0);
  EXPECT_EQ(c.call(&sockets), c.want == 0 ? 0 : SOCKET_ERROR);
  EXPECT_EQ(WSAGetLastError(), c.want);
}

INSTANTIATE_TEST_SUITE_P(, CodeTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

std::string Who() {
  const Principal* principal = winsock::ImpersonatedPrincipal();
  return principal == nullptr ? "nobody" : ToString(principal->id);
}

std::string Self() { return absl::StrCat("user:uid:", getuid()); }

TEST(WinsockImpersonationTest, LastsUntilItIsReverted) {
  winsock::UsePeerOptions(Numbers());
  Sockets s;
  const int fd = s.Accepted();
  EXPECT_EQ(Who(), "nobody");
  for (int i = 0; i < 3; ++i) {  // many times for one socket
    ASSERT_EQ(WSAImpersonateSocketPeer(fd, nullptr, 0), 0);
    EXPECT_EQ(Who(), Self());
  }
  std::thread([] { EXPECT_EQ(Who(), "nobody"); }).join();
  EXPECT_EQ(WSARevertImpersonation(), 0);
  EXPECT_EQ(Who(), "nobody");
  EXPECT_EQ(WSARevertImpersonation(), 0);
}

TEST(WinsockImpersonationTest, EndsWhereAnotherFails) {
  winsock::UsePeerOptions(Numbers());
  Sockets s;
  ASSERT_EQ(WSAImpersonateSocketPeer(s.Accepted(), nullptr, 0), 0);
  EXPECT_EQ(WSAImpersonateSocketPeer(s.Make(AF_INET, SOCK_STREAM), nullptr, 0), SOCKET_ERROR);
  EXPECT_EQ(Who(), "nobody");
  EXPECT_TRUE(absl::IsFailedPrecondition(winsock::RunAsImpersonated([] {})));
}

TEST(WinsockQueryTest, TellsFlagsAndTokens) {
  winsock::UsePeerOptions(Numbers());
  Sockets s;
  const int fd = s.Accepted();
  SOCKET_SECURITY_QUERY_INFO info;
  auto query = Query(0);
  ASSERT_EQ(Ask(fd, &query, &info), 0);
  EXPECT_EQ(info.Flags, SOCKET_INFO_CONNECTION_SECURED);
  EXPECT_EQ(info.PeerApplicationAccessTokenHandle, 0u);
  EXPECT_EQ(info.PeerMachineAccessTokenHandle, 0u);

  ASSERT_EQ(WSAImpersonateSocketPeer(fd, nullptr, 0), 0);
  query = Query(1);
  ASSERT_EQ(Ask(fd, &query, &info), 0);
  EXPECT_EQ(info.Flags, SOCKET_INFO_CONNECTION_SECURED | SOCKET_INFO_CONNECTION_IMPERSONATED);
  const UINT64 token = info.PeerApplicationAccessTokenHandle;
  const std::optional<Principal> principal = winsock::PrincipalOf(token);
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(ToString(principal->id), Self());
  EXPECT_EQ(info.PeerMachineAccessTokenHandle, 0u);
  EXPECT_TRUE(winsock::CloseToken(token));
  EXPECT_FALSE(winsock::CloseToken(token));
  EXPECT_FALSE(winsock::PrincipalOf(token).has_value());
  WSARevertImpersonation();

  // Nobody vouches for such a peer: an answer, and no token.
  PeerOptions none = Numbers();
  none.local_tcp = false;
  winsock::UsePeerOptions(none);
  ASSERT_EQ(Ask(fd, &query, &info), 0);
  EXPECT_EQ(info.Flags, 0u);
  EXPECT_EQ(info.PeerApplicationAccessTokenHandle, 0u);
  EXPECT_EQ(WSAImpersonateSocketPeer(fd, nullptr, 0), SOCKET_ERROR);
  EXPECT_EQ(WSAGetLastError(), WSAEACCES);
}

// ---- Whom a client expects.

// A process of uid 1234 that listens, accepts one connection, and says what it received until the
// end of file: "got:...".
class Server {
 public:
  Server()
      : child_([](const Child::Pipes& pipes) {
          Become({1234, 1234, {}});
          const int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
          const Address any = V4(INADDR_LOOPBACK, 0);
          if (bind(own, any.get(), any.size) != 0 || listen(own, 1) != 0) return 1;
          const Address name = NameOf(own);
          pipes.Say(
              absl::StrCat(ntohs(reinterpret_cast<const sockaddr_in*>(&name.storage)->sin_port)));
          pipes.Await();  // The connection waits to be accepted until then.
          const int fd = accept4(own, nullptr, nullptr, SOCK_CLOEXEC);
          std::string got;
          char bytes[100];
          for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0;) got.append(bytes, n);
          pipes.Say("got:" + got);
          return 0;
        }) {
    address_ = V4(INADDR_LOOPBACK, std::atoi(child_.Hear().c_str()));
  }
  const Address& address() const { return address_; }
  void Accept() { child_.Go(); }
  std::string Received() { return child_.Hear(); }

 private:
  Child child_;
  Address address_;
};

int Connect(int fd, const Address& to) {
  return WSAConnect(fd, to.get(), to.size, nullptr, nullptr, nullptr, nullptr);
}

TEST(WinsockExpectTest, TakesWhoIsExpected) {
  REQUIRE_OTHER_USERS();
  winsock::UsePeerOptions(Numbers());
  Server server;
  Sockets s;
  const int fd = s.Make(AF_INET, SOCK_STREAM);
  ASSERT_EQ(SetName(fd, TargetName(L"user:uid:1234")), 0);
  ASSERT_EQ(Connect(fd, server.address()), 0) << WSAGetLastError();
  EXPECT_EQ(send(fd, "secret", 6, MSG_NOSIGNAL), 6);
  shutdown(fd, SHUT_WR);
  server.Accept();
  EXPECT_EQ(server.Received(), "got:secret");
}

TEST(WinsockExpectTest, ShutsDownBeforeTheFirstByteWhereItIsAnother) {
  REQUIRE_OTHER_USERS();
  winsock::UsePeerOptions(Numbers());
  Server server;
  Sockets s;
  const int fd = s.Make(AF_INET, SOCK_STREAM);
  ASSERT_EQ(SetName(fd, TargetName(L"user:uid:4321")), 0);
  EXPECT_EQ(Connect(fd, server.address()), SOCKET_ERROR);
  EXPECT_EQ(WSAGetLastError(), WSAEACCES);
  EXPECT_LT(send(fd, "secret", 6, MSG_NOSIGNAL), 0);
  shutdown(fd, SHUT_RDWR);
  server.Accept();
  EXPECT_EQ(server.Received(), "got:");
}

TEST(WinsockExpectTest, IsForgotten) {
  REQUIRE_OTHER_USERS();
  winsock::UsePeerOptions(Numbers());
  Server server;
  Sockets s;
  const int fd = s.Make(AF_INET, SOCK_STREAM);
  ASSERT_EQ(SetName(fd, TargetName(L"user:uid:4321")), 0);
  ASSERT_EQ(WSADeleteSocketPeerTargetName(fd, nullptr, 0, nullptr, nullptr), 0);
  EXPECT_EQ(Connect(fd, server.address()), 0) << WSAGetLastError();
  server.Accept();
}

// ---- As the kernel sees it.

TEST(WinsockImpersonationTest, RunsAsThePeer) {
  REQUIRE_OTHER_USERS();
  winsock::UsePeerOptions(Numbers());
  Sockets s;
  const int listener = s.Listening();
  const Address address = NameOf(listener);
  // uid 1 is in the user database of every Debian: `daemon`.
  Child client([&](const Child::Pipes& pipes) {
    Become({1, 1, {}});
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, address.get(), address.size) != 0) return 1;
    pipes.Await();
    return 0;
  });
  const int fd = s.Keep(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_EQ(WSAImpersonateSocketPeer(fd, nullptr, 0), 0);
  const absl::StatusOr<uid_t> uid = winsock::RunAsImpersonated([] { return geteuid(); });
  ASSERT_TRUE(uid.ok()) << uid.status();
  EXPECT_EQ(*uid, 1u);
  EXPECT_EQ(geteuid(), 0u);
  WSARevertImpersonation();
}

TEST(WinsockSecurityTest, NeedsTheRightToRequireIpsec) {
  REQUIRE_OTHER_USERS();
  Child child([](const Child::Pipes& pipes) {
    Become({1234, 1234, {}});
    Sockets s;
    const int result = Require(s.Make(AF_INET, SOCK_STREAM), 0);
    pipes.Say(absl::StrCat(result, " ", WSAGetLastError()));
    return 0;
  });
  EXPECT_EQ(child.Hear(), absl::StrCat("-1 ", WSAEACCES));
}

TEST(WinsockSecurityTest, SendsNothingWithoutIpsec) {
  REQUIRE_NETWORKS();
  winsock::UsePeerOptions(Numbers());
  Sockets s;
  const int listener = s.Listening();
  const int fd = s.Make(AF_INET, SOCK_STREAM);
  if (WSASetSocketSecurity(fd, nullptr, 0, nullptr, nullptr) != 0) {
    EXPECT_EQ(WSAGetLastError(), WSAEOPNOTSUPP);
    GTEST_SKIP() << "needs a kernel with IPsec policies";
  }
  EXPECT_EQ(Connect(fd, NameOf(listener)), SOCKET_ERROR);
  EXPECT_EQ(WSAGetLastError(), WSAENOBUFS);
}

}  // namespace
}  // namespace reeve
